(** * The inputs of a level are the words of its automaton, with tokens in the place of classes *)

From Coq Require Import ZArith List Bool Lia Permutation.
From gbmi Require Import Model Theory CheckerLevels CheckerCriterionSoundCount.
From gbmi Require Counting.
Import ListNotations.
Local Open Scope Z_scope.

Lemma among_iff ts t : among ts t = true <-> In t ts.
Proof.
  unfold among. rewrite existsb_exists. split.
  - intros (x & I & E). apply Nat.eqb_eq in E. now subst x.
  - intros I. exists t. now rewrite Nat.eqb_refl.
Qed.

(** ** Words *)

Section Completions.
  (** By class: its tokens, in any order. *)
  Variable tokens : nat -> list nat.
  (** Is a state behind the last position accepted? *)
  Variable accepts : nat -> bool.

  Fixpoint completions (layers : list layer) (state : nat) : list (list nat) :=
    match layers with
    | [] => if accepts state then [[]] else []
    | here :: layers =>
        flat_map (fun move => flat_map (fun t => map (cons t) (completions layers (snd move))) (tokens (fst move)))
          (moves_at here state)
    end.

  Lemma in_completions here layers state ts : In ts (completions (here :: layers) state) <->
    exists move t rest, In move (moves_at here state) /\ In t (tokens (fst move))
      /\ In rest (completions layers (snd move)) /\ ts = t :: rest.
  Proof.
    cbn [completions]. rewrite in_flat_map. setoid_rewrite in_flat_map. setoid_rewrite in_map_iff. split.
    - intros (move & M & t & T & rest & <- & R). now exists move, t, rest.
    - intros (move & t & rest & M & T & R & ->). exists move. split; [exact M|]. exists t. split; [exact T|].
      now exists rest.
  Qed.

  Lemma completions_length : forall layers state ts, In ts (completions layers state) -> length ts = length layers.
  Proof.
    induction layers as [|here layers IH]; intros state ts I.
    - cbn in I. destruct (accepts state); [now destruct I as [<-|[]] | destruct I].
    - apply in_completions in I. destruct I as (move & t & rest & _ & _ & R & ->). cbn. now rewrite (IH _ _ R).
  Qed.

  Lemma in_moves here state (move : nat * nat) : In move (moves_at here state) -> In move (concat here).
  Proof.
    intros I. apply in_concat. exists (moves_at here state). split; [|exact I]. unfold moves_at in *.
    destruct (nth_in_or_default state here []) as [H|H]; [exact H | rewrite H in I; destruct I].
  Qed.

  (** Every token is of a class that some move has. *)
  Lemma completions_tokens : forall layers state ts p, In ts (completions layers state) -> (p < length layers)%nat ->
    exists c, In c (map fst (concat (concat layers))) /\ In (nth p ts O) (tokens c).
  Proof.
    induction layers as [|here layers IH]; intros state ts p I P; [cbn in P; lia|].
    apply in_completions in I. destruct I as (move & t & rest & M & T & R & ->). cbn [concat].
    rewrite concat_app, map_app. setoid_rewrite in_app_iff. destruct p as [|p].
    - exists (fst move). split; [left|exact T]. apply in_map. now apply in_moves with state.
    - cbn in P. destruct (IH _ _ p R ltac:(lia)) as (c & C & N). exists c. auto.
  Qed.

  Lemma how_many_completions f here layers state : how_many f (completions (here :: layers) state)
    = zsum (map (fun move => zsum (map (fun t => how_many (fun ts => f (t :: ts)) (completions layers (snd move)))
        (tokens (fst move)))) (moves_at here state)).
  Proof.
    cbn [completions]. rewrite how_many_flat_map. f_equal. apply map_ext. intros move.
    rewrite how_many_flat_map. f_equal. apply map_ext. intros t. apply how_many_map.
  Qed.

  (** An input holds a token of a class, or is one without the class. *)
  Lemma without_class_completions c : forall layers state ts, In ts (completions layers state) ->
    (exists p, (p < length layers)%nat /\ In (nth p ts O) (tokens c)) \/ In ts (completions (without_class c layers)
      state).
  Proof.
    induction layers as [|here layers IH]; intros state ts I; [now right|].
    apply in_completions in I. destruct I as (move & t & rest & M & T & R & ->).
    destruct (Nat.eq_dec (fst move) c) as [<-|N].
    - left. exists O. split; [cbn; lia | exact T].
    - destruct (IH _ _ R) as [(p & P & H)|H].
      + left. exists (S p). split; [cbn; lia | exact H].
      + right. change (without_class c (here :: layers)) with
          (map (filter (fun move => negb (fst move =? c)%nat)) here :: without_class c layers).
        apply in_completions. exists move, t, rest. repeat split; auto. unfold moves_at in *.
        change (@nil (nat * nat)) with (filter (fun move : nat * nat => negb (fst move =? c)%nat) []).
        rewrite map_nth. apply filter_In. split; [exact M|]. now apply negb_true_iff, Nat.eqb_neq.
  Qed.

  Lemma reached_completions : forall layers states state, In state states ->
    completions (reached_moves states layers) state = completions layers state.
  Proof.
    induction layers as [|here layers IH]; intros states state I; [reflexivity|]. cbn [reached_moves].
    set (kept := map _ _).
    assert (moves_at kept state = moves_at here state) as E.
    { unfold moves_at, kept. set (f := fun state => _). destruct (Nat.lt_ge_cases state (length here)) as [L|L].
      - rewrite nth_indep with (d' := f O) by (rewrite map_length, seq_length; exact L).
        rewrite map_nth, seq_nth by exact L. unfold f. cbn [Nat.add]. now rewrite (proj2 (among_iff states state) I).
      - rewrite !nth_overflow; auto. now rewrite map_length, seq_length. }
    cbn [completions]. rewrite E. rewrite !flat_map_concat_map. f_equal. apply map_ext_in. intros move M.
    rewrite IH; [reflexivity|]. apply in_map. apply in_moves with state. now rewrite E.
  Qed.

  (** No sequence twice, if the tokens of a state's moves are distinct. *)
  Lemma completions_NoDup : forall layers,
    (forall here state, In here layers -> NoDup (flat_map (fun move => tokens (fst move)) (moves_at here state))) ->
    forall state, NoDup (completions layers state).
  Proof.
    induction layers as [|here layers IH]; intros D state.
    - cbn. destruct (accepts state); repeat constructor; easy.
    - specialize (IH (fun here state I => D here state (or_intror I))).
      specialize (D here state (or_introl eq_refl)). cbn [completions]. revert D.
      induction (moves_at here state) as [|move moves IHm]; intros D; [constructor|]. cbn [flat_map] in *.
      revert D. induction (tokens (fst move)) as [|t ts IHt]; cbn [flat_map app]; intros D; [now apply IHm|].
      inversion_clear D as [|? ? N D']. specialize (IHt D'). rewrite <- app_assoc.
      assert (forall l, NoDup l -> (forall s, In s l -> True) ->
        NoDup (map (cons t) l ++ flat_map (fun t => map (cons t) (completions layers (snd move))) ts
          ++ flat_map (fun move => flat_map (fun t => map (cons t) (completions layers (snd move)))
               (tokens (fst move))) moves)) as join.
      { induction l as [|s l IHl]; intros Dl _; [exact IHt|]. inversion_clear Dl as [|? ? Ns Dl'].
        cbn [map app]. constructor; [|now apply IHl]. rewrite in_app_iff, in_map_iff. intros [(s' & [= ->] & I)|I];
          [easy|].
        apply N, in_app_iff. rewrite in_app_iff, !in_flat_map in I. destruct I as [(t' & T & I)|(mv & M & I)].
        - left. apply in_map_iff in I. destruct I as (s' & [= -> ->] & _). exact T.
        - right. apply in_flat_map in I. destruct I as (t' & T & I). apply in_map_iff in I.
          destruct I as (s' & [= -> ->] & _). apply in_flat_map. now exists mv. }
      apply join; auto.
  Qed.
End Completions.

(** *** States that go on alike *)

Lemma firsts_alike {A} (equal : A -> A -> bool) (d : A) : (forall x y, equal x y = true <-> x = y) -> forall l state,
  nth (nth state (firsts equal l) state) l d = nth state l d.
Proof.
  intros E l state. unfold firsts. destruct (Nat.lt_ge_cases state (length l)) as [B|B].
  - rewrite nth_indep with (d' := (fun x => first_like equal x l) d) by (rewrite map_length; exact B).
    rewrite (map_nth (fun x => first_like equal x l)). pose proof (nth_In l d B) as I. revert I.
    generalize (nth state l d). intros x. clear B. induction l as [|y l IH]; intros I; [destruct I|]. cbn [first_like].
    destruct (equal y x) eqn:Y; [now apply E|]. destruct I as [->|I]; [|now apply IH].
    rewrite (proj2 (E x x) eq_refl) in Y. discriminate.
  - now rewrite (nth_overflow (map _ l)) by (rewrite map_length; exact B).
Qed.

Lemma moves_equal_iff : forall a b, moves_equal a b = true <-> a = b.
Proof.
  induction a as [|[c s] a IH]; intros [|[c' s'] b]; cbn [moves_equal fst snd]; try easy.
  rewrite !andb_true_iff, !Nat.eqb_eq, IH. split; [now intros [[-> ->] ->] | now intros [= -> -> ->]].
Qed.

Lemma merged_completions tokens ends : forall layers,
  (forall state, completions tokens (fun _ => true) (fst (merged_moves ends layers)) state
    = completions tokens (fun _ => true) layers state)
  /\ forall state, completions tokens (fun _ => true) (fst (merged_moves ends layers))
      (nth state (snd (merged_moves ends layers)) state)
    = completions tokens (fun _ => true) (fst (merged_moves ends layers)) state.
Proof.
  induction layers as [|here layers [Same Alike]]; [now split|]. cbn [merged_moves].
  destruct (merged_moves ends layers) as [merged same]. cbn [fst snd] in *.
  set (merge := fun move : nat * nat => (fst move, nth (snd move) same (snd move))).
  set (here' := map (map merge) here). split; intros state; cbn [completions].
  - assert (moves_at here' state = map merge (moves_at here state)) as -> by exact (map_nth (map merge) here [] state).
    induction (moves_at here state) as [|move moves IH]; [reflexivity|]. cbn [map flat_map merge fst snd].
    now rewrite Alike, Same, IH.
  - unfold moves_at. now rewrite (firsts_alike moves_equal [] moves_equal_iff).
Qed.

(** The order of a class' tokens does not matter. *)
Lemma completions_permutation accepts tokens tokens' : forall layers,
  (forall c, In c (map fst (concat (concat layers))) -> Permutation (tokens c) (tokens' c)) ->
  forall f state, how_many f (completions tokens accepts layers state)
    = how_many f (completions tokens' accepts layers state).
Proof.
  induction layers as [|here layers IH]; intros P f state; [reflexivity|]. rewrite !how_many_completions.
  assert (forall c, In c (map fst (concat here)) \/ In c (map fst (concat (concat layers))) ->
    Permutation (tokens c) (tokens' c)) as P'.
  { intros c I. apply P. cbn [concat]. now rewrite concat_app, map_app, in_app_iff. }
  f_equal. apply map_ext_in. intros move M.
  rewrite (zsum_permutation _ _ (Permutation_map _ (P' (fst move) (or_introl (in_map fst _ _ (in_moves _ _ _ M)))))).
  f_equal. apply map_ext. intros t. apply IH. intros c I. apply P'. now right.
Qed.

(** ** The inputs of a level with a query *)

Definition level_accepts (L : level) (q state : nat) : bool := 0 <? inputs_from (ends L q) state.

(** What stands before query q. *)
Definition level_inputs (L : level) (q : nat) : list (list nat) :=
  completions (class_of L) (level_accepts L q) (free_moves L) 0.

Section Level.
  Variables (L : level) (q : nat).
  Let sizes := sizes_of L.
  Let accepts := level_accepts L q.
  Let counts layers := snd (used_moves sizes (ends L q) layers).
  Let used layers := fst (used_moves sizes (ends L q) layers).

  Lemma sizes_are c : nth c sizes 0 = Z.of_nat (length (class_of L c)).
  Proof. unfold sizes, sizes_of, class_of. change 0 with ((fun tokens : list nat => Z.of_nat (length tokens)) []).
    now rewrite map_nth.
  Qed.

  Lemma ends_are state : inputs_from (ends L q) state = if accepts state then 1 else 0.
  Proof.
    unfold accepts, level_accepts, inputs_from, ends. set (f := fun moves => _).
    destruct (nth_in_or_default state (map f (last_moves L)) 0) as [I| ->]; [|reflexivity].
    apply in_map_iff in I. destruct I as (moves & <- & _). unfold f. now destruct (existsb _ moves).
  Qed.

  Lemma used_cons here layers : used (here :: layers)
    = map (filter (fun move => 0 <? inputs_from (counts layers) (snd move))) here :: used layers.
  Proof. unfold used, counts. cbn [used_moves]. now destruct (used_moves sizes (ends L q) layers). Qed.

  Lemma moves_filter f (here : layer) state : moves_at (map (filter f) here) state = filter f (moves_at here state).
  Proof. unfold moves_at. change (@nil (nat * nat)) with (filter f []) at 1. now rewrite map_nth. Qed.

  Lemma counts_cons here layers state : inputs_from (counts (here :: layers)) state
    = zsum (map (fun move => Z.of_nat (length (class_of L (fst move))) * inputs_from (counts layers) (snd move))
        (filter (fun move => 0 <? inputs_from (counts layers) (snd move)) (moves_at here state))).
  Proof.
    unfold counts at 1. cbn [used_moves]. fold (counts layers). destruct (used_moves sizes (ends L q) layers) as [u b]
      eqn:E.
    assert (counts layers = b) as -> by (unfold counts; now rewrite E). cbn [snd]. unfold inputs_from at 1.
    set (f := fun moves => count_items _). match goal with |- nth _ (map f ?l) _ = _ =>
      transitivity (f (moves_at l state)); [exact (map_nth f l [] state) | unfold f] end.
    rewrite moves_filter, count_items_zsum. f_equal. apply map_ext. intros move. now rewrite sizes_are.
  Qed.

  Lemma counts_are : forall layers state,
    inputs_from (counts layers) state = Z.of_nat (length (completions (class_of L) accepts layers state)).
  Proof.
    induction layers as [|here layers IH]; intros state.
    - unfold counts. cbn [used_moves snd completions]. rewrite ends_are. now destruct (accepts state).
    - rewrite counts_cons. cbn [completions]. rewrite length_flat_map.
      induction (moves_at here state) as [|move moves IHm]; [reflexivity|]. cbn [filter map zsum].
      assert (Z.of_nat (length (flat_map (fun t => map (cons t) (completions (class_of L) accepts layers (snd move)))
        (class_of L (fst move)))) = Z.of_nat (length (class_of L (fst move))) * inputs_from (counts layers) (snd move))
          as ->.
      { rewrite IH, length_flat_map. generalize (completions (class_of L) accepts layers (snd move)). intros rest.
        induction (class_of L (fst move)) as [|t ts IHt]; [reflexivity|]. cbn [map zsum length].
        rewrite IHt, map_length. lia. }
      destruct (Z.ltb_spec 0 (inputs_from (counts layers) (snd move))) as [P|P].
      + cbn [map zsum]. rewrite IHm. lia.
      + rewrite IHm. assert (inputs_from (counts layers) (snd move) = 0) as -> by (rewrite IH in *; lia). lia.
  Qed.

  Lemma used_completions : forall layers state, layers <> [] \/ 0 < inputs_from (counts layers) state ->
    completions (class_of L) (fun _ => true) (used layers) state = completions (class_of L) accepts layers state.
  Proof.
    induction layers as [|here layers IH]; intros state H.
    - destruct H as [H|H]; [easy|]. unfold counts, used in *. cbn [used_moves fst snd completions] in *.
      rewrite ends_are in H. destruct (accepts state); [reflexivity | lia].
    - rewrite used_cons. cbn [completions]. rewrite moves_filter. clear H.
      induction (moves_at here state) as [|move moves IHm]; [reflexivity|]. cbn [filter flat_map].
      destruct (Z.ltb_spec 0 (inputs_from (counts layers) (snd move))) as [P|P]; cbn [flat_map]; rewrite IHm.
      + now rewrite IH by now right.
      + rewrite counts_are in P.
        destruct (completions (class_of L) accepts layers (snd move)) as [|s rest]; [|cbn in P; lia].
        enough (flat_map (fun t => map (cons t) []) (class_of L (fst move)) = []) as -> by reflexivity.
        induction (class_of L (fst move)); auto.
  Qed.
End Level.

(** What is left of a level's moves before the last position has the same words. *)
Lemma moves_left_inputs L q layers left all : moves_left L q layers = (left, all) ->
  all = Z.of_nat (length (completions (class_of L) (level_accepts L q) layers 0))
  /\ (layers <> [] -> completions (class_of L) (fun _ => true) left 0
      = completions (class_of L) (level_accepts L q) layers 0).
Proof.
  unfold moves_left. pose proof (counts_are L q layers 0) as C. pose proof (used_completions L q layers 0) as U.
  destruct (used_moves (sizes_of L) (ends L q) layers) as [used counts] eqn:E. cbv beta in C, U. rewrite E in C, U.
  intros [= <- <-]. split; [exact C|]. intros N. rewrite <- U by now left.
  rewrite reached_completions by now left. apply merged_completions.
Qed.

(** What is asked of a level, for [v] tokens and [n] positions. *)
Record level_ok (v n : nat) (L : level) : Prop := {
  answer_is_below : (right_answer L < v)%nat;
  positions_are : length (moves L) = n;
  tokens_below : forall c t, In t (class_of L c) -> (t < v)%nat;
  classes_apart : NoDup (concat (classes L));
  moves_apart : forall here state, In here (moves L) -> NoDup (map fst (moves_at here state))
}.

Lemma free_moves_length v n L : level_ok v n L -> length (free_moves L) = (n - 1)%nat.
Proof.
  intros H. pose proof (positions_are _ _ _ H) as P. unfold free_moves.
  destruct (moves L) as [|m ms]; [now rewrite <- P|].
  rewrite (app_removelast_last [] (l := m :: ms)) in P by discriminate. rewrite app_length in P. cbn [length] in P. lia.
Qed.

Lemma query_below v L q : In q (queries v L) -> (q < v)%nat.
Proof. unfold queries. intros I. apply filter_In in I. destruct I as [I _]. apply in_seq in I. lia. Qed.

(** An input of a level, with its query. *)
Lemma level_input v n L q s : (1 <= n)%nat -> level_ok v n L -> (q < v)%nat -> In s (level_inputs L q) ->
  In (s ++ [q]) (sequences v n).
Proof.
  intros N ok Q S. pose proof (completions_length _ _ _ _ _ S) as Len.
  pose proof (free_moves_length v n L ok) as F. apply in_sequences. rewrite app_length, Forall_app. cbn [length].
  repeat split; [lia | |repeat constructor; exact Q]. apply Forall_forall. intros t T. apply (In_nth _ _ O) in T.
  destruct T as (p & P & <-). destruct (completions_tokens _ _ _ _ _ p S) as (c & _ & C); [lia|].
  exact (tokens_below v n L ok c _ C).
Qed.

(** Levels hold all inputs, each once. *)
Definition levels_cover (v : nat) (all : list (list nat)) (levels : list level) : Prop :=
  Permutation all
    (flat_map (fun L => flat_map (fun q => map (fun s => s ++ [q]) (level_inputs L q)) (queries v L)) levels).

Theorem levels_cover_all v all levels (which : list nat -> level) : NoDup all -> NoDup levels ->
  (forall L q, In L levels -> NoDup (level_inputs L q)) ->
  (forall L q s, In L levels -> In q (queries v L) -> In s (level_inputs L q) -> which (s ++ [q]) = L) ->
  (forall x, In x all
    <-> exists L q s, In L levels /\ In q (queries v L) /\ In s (level_inputs L q) /\ x = s ++ [q]) ->
  levels_cover v all levels.
Proof.
  intros Da D Each Which All. apply NoDup_Permutation; [exact Da | |].
  - apply (Counting.NoDup_flat_map which); [exact D | |].
    + intros L I. apply (Counting.NoDup_flat_map (fun x => last x O)); [apply NoDup_filter, seq_NoDup | |].
      * intros q _. apply FinFun.Injective_map_NoDup; [|now apply Each]. intros s s' E. now apply app_inv_tail in E.
      * intros q x _ X. apply in_map_iff in X. destruct X as (s & <- & _). apply last_last.
    + intros L x I X. apply in_flat_map in X. destruct X as (q & Q & X). apply in_map_iff in X.
      destruct X as (s & <- & S). now apply Which.
  - intros x. rewrite All. setoid_rewrite in_flat_map. setoid_rewrite in_flat_map. setoid_rewrite in_map_iff. split.
    + intros (L & q & s & I & Q & S & ->). exists L. split; [exact I|]. exists q. split; [exact Q|]. now exists s.
    + intros (L & I & q & Q & s & <- & S). now exists L, q, s.
Qed.

(** *** Adding up *)

Lemma snd_enumerated {A} (l : list A) : map snd (enumerated l) = l.
Proof.
  unfold enumerated. generalize O. induction l as [|x l IH]; intros k; [reflexivity|]. cbn. now rewrite IH.
Qed.

Lemma in_enumerated {A} (l : list A) x : In x (enumerated l) -> In (snd x) l.
Proof. intros I. rewrite <- (snd_enumerated l). now apply in_map. Qed.

(** All levels with their queries. *)
Definition level_queries (v : nat) (levels : list level) : list (level * nat) :=
  flat_map (fun L => map (pair L) (queries v L)) levels.

Lemma in_level_queries v levels L q : In (L, q) (level_queries v levels) <-> In L levels /\ In q (queries v L).
Proof.
  unfold level_queries. rewrite in_flat_map. split.
  - intros (L' & I & J). apply in_map_iff in J. now destruct J as (q' & [= -> ->] & J).
  - intros [I Q]. exists L. split; [exact I | now apply in_map].
Qed.

(** The sum over all answers' levels and queries, with their numbers. *)
Definition levels_sum (v : nat) (answers : list (list level)) (f : nat -> nat * (level * nat) -> Z) : Z :=
  zsum (map (fun A => zsum (map (f (fst A)) (enumerated (level_queries v (snd A))))) (enumerated answers)).

Lemma levels_sum_le v answers f g :
  (forall A part, In A (enumerated answers) -> In part (enumerated (level_queries v (snd A))) ->
    f (fst A) part <= g (fst A) part) -> levels_sum v answers f <= levels_sum v answers g.
Proof. intros H. apply zsum_le. intros A I. apply zsum_le. intros part P. now apply H. Qed.

(** T3: every input is one of one level and one query. *)
Theorem count_by_levels v all answers P : levels_cover v all (concat answers) ->
  how_many P all = levels_sum v answers (fun _ part =>
    how_many (fun s => P (s ++ [snd (snd part)])) (level_inputs (fst (snd part)) (snd (snd part)))).
Proof.
  intros C. rewrite (how_many_permutation P _ _ C), how_many_flat_map, zsum_concat. unfold levels_sum.
  rewrite <- (snd_enumerated answers) at 1. rewrite map_map. f_equal. apply map_ext. intros A.
  rewrite <- (map_map snd (fun part : level * nat => how_many (fun s => P (s ++ [snd part])) (level_inputs (fst part)
    (snd part)))).
  rewrite snd_enumerated. unfold level_queries. rewrite flat_map_concat_map, zsum_concat, map_map. f_equal.
    apply map_ext.
  intros L. rewrite map_map, how_many_flat_map. f_equal. apply map_ext. intros q. apply how_many_map.
Qed.

(** Lower bounds of the right and of the wrong inputs of every level and query bound the right inputs from both sides.
    *)
Theorem certified_count v all answers (P : list nat -> bool) (certified wrong : nat -> nat * (level * nat) -> Z) :
  levels_cover v all (concat answers) ->
  (forall A part, In A (enumerated answers) -> In part (enumerated (level_queries v (snd A))) ->
    certified (fst A) part
      <= how_many (fun s => P (s ++ [snd (snd part)])) (level_inputs (fst (snd part)) (snd (snd part)))) ->
  (forall A part, In A (enumerated answers) -> In part (enumerated (level_queries v (snd A))) ->
    wrong (fst A) part
      <= how_many (fun s => negb (P (s ++ [snd (snd part)]))) (level_inputs (fst (snd part)) (snd (snd part)))) ->
  levels_sum v answers certified <= how_many P all <= Z.of_nat (length all) - levels_sum v answers wrong.
Proof.
  intros Cover C W. apply levels_sum_le with (g := fun _ part =>
    how_many (fun s => P (s ++ [snd (snd part)])) (level_inputs (fst (snd part)) (snd (snd part)))) in C.
  apply levels_sum_le with (g := fun _ part =>
    how_many (fun s => negb (P (s ++ [snd (snd part)]))) (level_inputs (fst (snd part)) (snd (snd part)))) in W.
  rewrite <- (count_by_levels v all) in C by exact Cover.
  rewrite <- (count_by_levels v all answers (fun x => negb (P x))) in W by exact Cover.
  rewrite <- (how_many_split P all). lia.
Qed.

(** ** Max-of-n *)

Section Max.
  Variables (v n m : nat).
  Hypothesis positions : (1 <= n)%nat.
  Hypothesis m_below : (m < v)%nat.
  Let L := max_level n m.

  Lemma max_classes c : class_of L c = match c with O => [m] | 1%nat => seq 0 m | _ => [] end.
  Proof. clear m_below. unfold L, max_level, class_of. cbn [classes]. destruct m; destruct c as [|[|[|c]]];
    reflexivity. Qed.

  Let below : list nat := match m with O => [] | _ => [1%nat] end.
  Lemma below_cases : below = [1%nat] /\ (0 < m)%nat \/ below = [] /\ m = 0%nat.
  Proof. unfold below. destruct m; [right | left]; split; auto; lia. Qed.

  Let both (state : nat) : list (nat * nat) := [(0, 1); (1, state)]%nat.
  Let free : layer := [both 0; both 1].

  (** With the empty class for m = 0, which changes nothing. *)
  Lemma max_completions accepts state : (state < 2)%nat ->
    completions (class_of L) accepts (removelast (moves L)) state
    = completions (class_of L) accepts (repeat free (n - 1)) state.
  Proof.
    unfold L at 2, max_level. cbn [moves]. rewrite removelast_last.
    fold below. assert (below = [1%nat] \/ below = [] /\ class_of L 1 = []) as E.
    { rewrite max_classes. destruct below_cases as [[-> _]|[-> ->]]; auto. }
    clearbody below. revert state. induction (n - 1)%nat as [|k IH]; intros state B; [reflexivity|].
    cbn [repeat completions].
    destruct state as [|[|state]]; [| |lia]; cbn [moves_at nth both free]; destruct E as [->|[-> E]];
      cbn [map fst snd flat_map]; rewrite ?IH by lia; try reflexivity; unfold both;
      cbn [map fst snd flat_map]; rewrite E; reflexivity.
  Qed.

  Let final (state : nat) (s : list nat) : nat := if (state =? 1)%nat || existsb (Nat.eqb m) s then 1%nat else 0%nat.

  Lemma in_max_completions accepts : forall k state s, (state < 2)%nat ->
    In s (completions (class_of L) accepts (repeat free k) state)
    <-> length s = k /\ Forall (fun t => (t < m + 1)%nat) s /\ accepts (final state s) = true.
  Proof.
    induction k as [|k IH]; intros state s B.
    - cbn [repeat completions]. assert (final state [] = state) as F by (unfold final; destruct state as [|[|]]; cbn;
      lia).
      split.
      + destruct (accepts state) eqn:A; intros I; [|destruct I]. destruct I as [<-|[]]. rewrite F. auto.
      + intros (Len & _ & A). destruct s; [|discriminate]. rewrite F in A. rewrite A. now left.
    - cbn [repeat]. rewrite in_completions. split.
      + intros (move & t & rest & M & T & R & ->).
        assert (fst move = 0%nat /\ snd move = 1%nat \/ fst move = 1%nat /\ snd move = state) as M'.
        { destruct state as [|[|]]; [| |lia]; destruct M as [<-|[<-|[]]]; auto. }
        destruct M' as [[E E']|[E E']]; rewrite E in T; rewrite E' in R; rewrite max_classes in T.
        * destruct T as [<-|[]]. apply IH in R; [|lia]. destruct R as (Len & F & A). split; [now cbn; rewrite Len|].
          split; [constructor; [lia | exact F]|]. unfold final in *. cbn [existsb]. rewrite Nat.eqb_refl.
          cbn in *. now rewrite orb_true_r.
        * apply in_seq in T. apply IH in R; [|exact B]. destruct R as (Len & F & A). split; [now cbn; rewrite Len|].
          split; [constructor; [lia | exact F]|]. unfold final in *. cbn [existsb].
          now rewrite (proj2 (Nat.eqb_neq m t)) by lia.
      + intros (Len & F & A). destruct s as [|t s]; [discriminate|].
        injection Len as Len. inversion_clear F as [|? ? T F'].
        destruct (Nat.eq_dec t m) as [->|N].
        * exists (0, 1)%nat, m, s. cbn [fst snd]. rewrite max_classes. repeat split; [|now left|].
          -- destruct state as [|[|]]; [now left | now left | lia].
          -- apply IH; [lia|]. split; [exact Len|]. split; [exact F'|]. unfold final in *. cbn [existsb] in A.
             rewrite Nat.eqb_refl in A. cbn in *. now rewrite orb_true_r in A.
        * exists (1%nat, state), t, s. cbn [fst snd]. rewrite max_classes. repeat split.
          -- destruct state as [|[|]]; [right; now left | right; now left | lia].
          -- apply in_seq. lia.
          -- apply IH; [exact B|]. split; [exact Len|]. split; [exact F'|]. unfold final in *. cbn [existsb] in A.
             now rewrite (proj2 (Nat.eqb_neq m t)) in A by lia.
  Qed.

  Lemma max_last : last_moves L = [[(0, 1)%nat]; (0, 1)%nat :: map (fun c => (c, 1%nat)) below].
  Proof. unfold last_moves, L, max_level. cbn [moves]. apply last_last. Qed.

  Lemma max_queries : queries v L = seq 0 (S m).
  Proof.
    unfold queries. rewrite max_last.
    assert (forall t, among (concat (map (fun move : nat * nat => class_of L (fst move)) (concat
      [[(0, 1)%nat]; (0, 1)%nat :: map (fun c => (c, 1%nat)) below]))) t = (t <? S m)%nat) as E.
    { intros t. apply eq_true_iff_eq. rewrite among_iff, Nat.ltb_lt.
      pose proof (max_classes 0) as C0. pose proof (max_classes 1) as C1.
      destruct below_cases as [[-> _]|[-> M0]]; cbn [map concat app fst]; rewrite C0, ?C1; cbn [app In];
        rewrite ?in_app_iff, ?in_seq; cbn [In]; lia. }
    rewrite (filter_ext _ _ E). replace v with (S m + (v - S m))%nat by lia. rewrite seq_app, filter_app.
    assert (forall l, (forall t, In t l -> (t < S m)%nat) -> filter (fun t => (t <? S m)%nat) l = l) as all.
    { induction l as [|t l IH]; intros H; [reflexivity|]. cbn [filter].
      rewrite (proj2 (Nat.ltb_lt t (S m))) by (apply H; now left). rewrite IH;
        [reflexivity|]. intros; apply H. now right. }
    assert (forall l, (forall t, In t l -> (S m <= t)%nat) -> filter (fun t => (t <? S m)%nat) l = []) as none.
    { induction l as [|t l IH]; intros H; [reflexivity|]. cbn [filter].
      rewrite (proj2 (Nat.ltb_ge t (S m))) by (apply H; now left). apply IH. intros; apply H. now right. }
    rewrite all, none, app_nil_r; [reflexivity| |]; intros t I; apply in_seq in I; lia.
  Qed.

  Lemma max_accepts q : (q <= m)%nat -> level_accepts L q 0 = (q =? m)%nat /\ level_accepts L q 1 = true.
  Proof.
    intros Q. unfold level_accepts, inputs_from, ends. rewrite max_last. cbn [map nth existsb fst].
    rewrite (max_classes 0). cbn [among existsb]. rewrite orb_false_r, !orb_false_r.
    destruct (Nat.eqb_spec q m) as [E|E]; cbn [orb].
    - split; reflexivity.
    - split; [reflexivity|]. destruct below_cases as [[-> _]|[_ M0]];
      [|lia]. cbn [map existsb fst]. rewrite (max_classes 1).
      rewrite (proj2 (among_iff (seq 0 m) q)) by (apply in_seq; lia). reflexivity.
  Qed.

  Lemma max_inputs_distinct q : NoDup (level_inputs L q).
  Proof.
    unfold level_inputs, free_moves. rewrite max_completions by lia. apply completions_NoDup. intros here state I.
    apply repeat_spec in I. subst here.
    assert (NoDup (m :: seq 0 m)) as D by (constructor; [rewrite in_seq; lia | apply seq_NoDup]).
    destruct state as [|[|state]]; cbn [moves_at nth free both flat_map fst]; rewrite ?max_classes, ?app_nil_r;
      try exact D.
    destruct state; constructor.
  Qed.

  Theorem max_inputs q s : (q <= m)%nat -> In s (level_inputs L q)
    <-> length s = (n - 1)%nat /\ Forall (fun t => (t < m + 1)%nat) s /\ (q = m \/ In m s).
  Proof.
    intros Q. unfold level_inputs, free_moves. rewrite max_completions, in_max_completions by lia.
    destruct (max_accepts q Q) as [A0 A1]. unfold final. cbn [Nat.eqb orb].
    pose proof (among_iff s m) as M. unfold among in M.
    destruct (existsb (Nat.eqb m) s); [rewrite A1 | rewrite A0, Nat.eqb_eq]; intuition congruence.
  Qed.

  Lemma max_answer q s : (q <= m)%nat -> In s (level_inputs L q) -> answer (s ++ [q]) = m.
  Proof.
    intros Q S. apply (max_inputs q s Q) in S. destruct S as (_ & F & H). rewrite Forall_forall in F.
    apply Nat.le_antisymm.
    - apply list_max_le, Forall_app. split; [|repeat constructor; exact Q].
      apply Forall_forall. intros t T. specialize (F t T). lia.
    - apply Counting.list_max_most, in_app_iff. cbn. destruct H as [->|H]; auto.
  Qed.

  Lemma max_level_ok : level_ok v n L.
  Proof.
    split.
    - exact m_below.
    - unfold L, max_level. cbn [moves]. rewrite app_length, repeat_length. cbn. lia.
    - intros c t. rewrite max_classes. destruct c as [|[|c]]; [intros [<-|[]]; exact m_below | rewrite in_seq;
      lia | easy].
    - assert (NoDup (m :: seq 0 m)) as D by (constructor; [rewrite in_seq; lia | apply seq_NoDup]).
      unfold L, max_level. cbn [classes]. destruct m as [|m'] eqn:E; cbn [map concat app]; [repeat constructor; easy|].
      now rewrite app_nil_r.
    - intros here state I. assert (NoDup (map fst (moves_at here state))
        \/ exists to to', moves_at here state = (0, to)%nat :: map (fun c => (c, to')) below) as [D|(to & to' & E)];
          [|exact D|].
      + unfold L, max_level in I. cbn [moves] in I. apply in_app_iff in I. fold below in I. destruct I as [I|[<-|[]]].
        * apply repeat_spec in I. subst here. destruct state as [|[|state]]; cbn [moves_at nth];
          [right; eauto | right; eauto|].
          left. destruct state; constructor.
        * destruct state as [|[|state]]; cbn [moves_at nth]; [left; repeat constructor; easy | right; eauto|].
          left. destruct state; constructor.
      + rewrite E. destruct below_cases as [[-> _]|[-> _]]; repeat constructor; cbn; intuition discriminate.
  Qed.
End Max.

Lemma all_max_levels v n : concat (max_levels v n) = map (max_level n) (seq 0 v).
Proof. unfold max_levels. induction (seq 0 v) as [|m ms IH]; [reflexivity|]. cbn. now rewrite IH. Qed.

Lemma in_max_levels v n L : In L (concat (max_levels v n)) <-> exists m, max_level n m = L /\ In m (seq 0 v).
Proof. rewrite all_max_levels. apply in_map_iff. Qed.

(** The right answer to an input of a level is the level's. *)
Lemma max_levels_answer v n L q s : (1 <= n)%nat -> In L (concat (max_levels v n)) -> In q (queries v L) ->
  In s (level_inputs L q) -> answer (s ++ [q]) = right_answer L.
Proof.
  intros N I Q S. apply in_max_levels in I. destruct I as (m & <- & M). apply in_seq in M.
  rewrite max_queries in Q by lia. apply in_seq in Q. apply (max_answer v n m) with (q := q); auto; lia.
Qed.

Theorem max_levels_cover v n : (1 <= n)%nat -> levels_cover v (sequences v n) (concat (max_levels v n)).
Proof.
  intros N. apply levels_cover_all with (which := fun x => max_level n (answer x)).
  - apply Counting.sequences_NoDup.
  - rewrite all_max_levels. apply FinFun.Injective_map_NoDup; [|apply seq_NoDup].
    intros m m' E. exact (f_equal right_answer E).
  - intros L q I. apply in_max_levels in I. destruct I as (m & <- & M). apply in_seq in M.
    apply (max_inputs_distinct v); lia.
  - intros L q s I Q S. rewrite (max_levels_answer v n L q s N I Q S). apply in_max_levels in I.
    now destruct I as (m & <- & _).
  - intros x. split.
    + intros X. pose proof (answer_below v n x N X) as M. apply in_sequences in X as [Len F].
      destruct (exists_last (l := x)) as (s & q & ->); [now intros -> ; cbn in Len; lia|].
      pose proof (Counting.list_max_most (s ++ [q])) as most. pose proof (Counting.list_max_in (s ++ [q])) as attained.
      fold (answer (s ++ [q])) in most, attained. set (m := answer (s ++ [q])) in *.
      assert (q <= m)%nat as Q by (apply most, in_app_iff; cbn; auto).
      exists (max_level n m), q, s. repeat split.
      * rewrite all_max_levels. apply in_map. apply in_seq. lia.
      * rewrite max_queries by lia. apply in_seq. lia.
      * apply (max_inputs v n m N M q s Q). rewrite app_length in Len. cbn in Len. repeat split; [lia| |].
        -- apply Forall_forall. intros t T. assert (t <= m)%nat by (apply most, in_app_iff; auto). lia.
        -- destruct (in_app_or _ _ _ (attained ltac:(now destruct s))) as [H|[H|[]]]; auto.
    + intros (L & q & s & I & Q & S & ->). apply in_max_levels in I. destruct I as (m & <- & M).
      apply in_seq in M. rewrite max_queries in Q by lia. apply in_seq in Q.
      apply (max_inputs v n m N ltac:(lia) q s ltac:(lia)) in S. destruct S as (Len & F & _).
      apply in_sequences. rewrite app_length, Forall_app. cbn. repeat split; [lia | |repeat constructor; lia].
      apply Forall_forall. rewrite Forall_forall in F. intros t T. specialize (F t T). lia.
Qed.

Lemma max_levels_ok v n L : (1 <= n)%nat -> In L (concat (max_levels v n)) -> level_ok v n L.
Proof.
  intros N I. apply in_max_levels in I. destruct I as (m & <- & M). apply in_seq in M.
  apply max_level_ok; lia.
Qed.

(** *** How many positions there are *)

Lemma reached_moves_length : forall layers states, length (reached_moves states layers) = length layers.
Proof. induction layers as [|here layers IH]; intros states; [reflexivity|]. cbn [reached_moves length].
  now rewrite IH. Qed.

Lemma moves_left_length L q layers : length (fst (moves_left L q layers)) = length layers.
Proof.
  assert (length (fst (used_moves (sizes_of L) (ends L q) layers)) = length layers) as E.
  { induction layers as [|here layers IH]; [reflexivity|]. cbn [used_moves].
    destruct (used_moves (sizes_of L) (ends L q) layers) as [used counts]. cbn [fst length] in *. now rewrite IH. }
  unfold moves_left. destruct (used_moves _ _ layers) as [used counts]. cbn [fst] in *.
  rewrite reached_moves_length, <- E. clear. induction used as [|here used IH]; [reflexivity|]. cbn [merged_moves].
  destruct (merged_moves (ends L q) used) as [merged same]. cbn [fst length] in *. now rewrite IH.
Qed.

(** *** A state goes on by a class in one way *)

Lemma moves_left_apart L q layers :
  (forall here state, In here layers -> NoDup (map fst (moves_at here state))) ->
  forall here state, In here (fst (moves_left L q layers)) -> NoDup (map fst (moves_at here state)).
Proof.
  intros D.
  assert (forall here state, In here (fst (used_moves (sizes_of L) (ends L q) layers)) ->
    NoDup (map fst (moves_at here state)))
    as used.
  { induction layers as [|here layers IH]; [easy|]. specialize (IH (fun h s I => D h s (or_intror I))).
    cbn [used_moves]. destruct (used_moves (sizes_of L) (ends L q) layers) as [used counts]. cbn [fst] in *.
    intros h state [<-|I]; [|now apply IH]. rewrite moves_filter. specialize (D here state (or_introl eq_refl)).
      revert D.
    induction (moves_at here state) as [|m ms IHm]; intros D; [constructor|]. inversion_clear D as [|? ? N D'].
    cbn [filter]. destruct (0 <? _); [|now apply IHm]. cbn [map]. constructor; [|now apply IHm]. contradict N.
    apply in_map_iff in N. destruct N as (x & E & I). apply filter_In in I. apply in_map_iff. now exists x. }
  unfold moves_left. destruct (used_moves _ _ layers) as [us' counts]. cbn [fst] in *. clear D.
  assert (forall here state, In here (fst (merged_moves (ends L q) us')) -> NoDup (map fst (moves_at here state)))
    as merged.
  { induction us' as [|here us IH]; [easy|]. specialize (IH (fun h s I => used h s (or_intror I))). cbn [merged_moves].
    destruct (merged_moves (ends L q) us) as [merged same]. cbn [fst] in *. intros h state [<-|I]; [|now apply IH].
    set (merge := fun move : nat * nat => (fst move, nth (snd move) same (snd move))).
    assert (moves_at (map (map merge) here) state = map merge (moves_at here state)) as ->
      by exact (map_nth (map merge) here [] state).
    rewrite map_map. cbn [merge fst]. exact (used here state (or_introl eq_refl)). }
  clear used. revert merged. generalize (fst (merged_moves (ends L q) us')), [O]. intros us.
  induction us as [|here us IH]; intros states used h state I; [destruct I|]. cbn [reached_moves] in I.
  destruct I as [<-|I]; [|apply (IH (map snd (concat (map (fun state => if among states state then moves_at here state
    else []) (seq 0 (length here)))))); [intros; apply used; now right | exact I]].
  unfold moves_at at 1. set (f := fun state : nat => _).
  destruct (nth_in_or_default state (map f (seq 0 (length here))) []) as [J| ->]; [|constructor].
  apply in_map_iff in J. destruct J as (s & <- & _). unfold f. destruct (among states s); [|constructor].
  apply used. now left.
Qed.
