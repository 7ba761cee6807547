(** * Family `exhaustive`: what a walk over all inputs finds (`src/checker/exhaustive/mod.rs`)

    [exhaustive_counts]: if a walk goes through a task's inputs prefix by prefix, and what it says of a prefix is true
    of what a causal network says there, then the numbers of pairs of an input and a read-out that it counts bound those
    of a reference that goes through all whole inputs and all read-outs of each. [walk] is the walk of `layers.rs`,
    [walk_by_query] that of `one_layer.rs`; [decoder_counts]: decoders are causal. *)

From Coq Require Import Reals List Arith Lia Lra Bool Permutation.
From gbmi Require Import Counting Decoder.
Import ListNotations.

(** ** Right, by more than a margin *)

Section Right.
  (** Of [k] outputs with logits [l], is [r] greater than all others by more than [tau]? *)
  Variables (k : nat) (l : nat -> R) (tau : R) (r : nat).

  Definition right_by : Prop := forall j, j < k -> j <> r -> (l j + tau < l r)%R.
  Definition wrong_by : Prop := exists j, j < k /\ j <> r /\ (l r <= l j + tau)%R.

  Definition right_or_wrong : {right_by} + {wrong_by}.
  Proof.
    unfold right_by, wrong_by. induction k as [|k' IH].
    - left. intros j J. lia.
    - destruct IH as [IH|IH].
      + destruct (Nat.eq_dec k' r) as [E|E].
        * left. intros j J N. apply IH; lia.
        * destruct (Rlt_le_dec (l k' + tau) (l r)) as [L|L].
          -- left. intros j J N. destruct (Nat.eq_dec j k') as [->|]; [exact L | apply IH; lia].
          -- right. exists k'. auto.
      + right. destruct IH as (j & J & N & L). exists j. auto.
  Defined.

  Definition is_right : bool := if right_or_wrong then true else false.

  Lemma is_right_true : is_right = true <-> right_by.
  Proof.
    unfold is_right. destruct right_or_wrong as [R|(j & J & N & L)]; [easy|]. split; [easy|]. intros R.
    specialize (R j J N). lra.
  Qed.

  Lemma is_right_false : is_right = false <-> wrong_by.
  Proof.
    unfold is_right. destruct right_or_wrong as [R|W]; [|easy]. split; [easy|]. intros (j & J & N & L).
    specialize (R j J N). lra.
  Qed.
End Right.

(** ** A task (`src/task/mod.rs`) *)

Section Task.
  Variables (v n : nat).
  (** The tokens that may stand behind a prefix; the right answer at a prefix's last position, if one is read there. *)
  Variables (next : list nat -> list nat) (answer : list nat -> option nat).

  (** May every token stand behind those before it? *)
  Definition allowed (s : list nat) : bool :=
    forallb (fun p => existsb (Nat.eqb (nth p s 0)) (next (firstn p s))) (seq 0 (length s)).

  (** The inputs, of length [n]; no reference to a walk. *)
  Definition whole_inputs : list (list nat) := filter allowed (sequences v n).

  (** Every input with every position of it. *)
  Definition places : list (list nat * nat) := list_prod whole_inputs (seq 0 n).

  Definition prefix_at (place : list nat * nat) : list nat := firstn (S (snd place)) (fst place).

  (** Is an answer read there? *)
  Definition is_read (place : list nat * nat) : bool := if answer (prefix_at place) then true else false.

  Definition count_read_outs : nat := count is_read places.

  Section Reference.
    (** The logits at a position of an input. *)
    Variables (outputs : nat) (says : list nat -> nat -> nat -> R) (tau : R).

    (** Is this a read-out, and is the answer right there, or is it not? *)
    Definition answered_right (place : list nat * nat) : bool :=
      match answer (prefix_at place) with
      | Some r => is_right outputs (says (fst place) (snd place)) tau r
      | None => false
      end.
    Definition answered_wrong (place : list nat * nat) : bool :=
      match answer (prefix_at place) with
      | Some r => negb (is_right outputs (says (fst place) (snd place)) tau r)
      | None => false
      end.

    Definition count_right : nat := count answered_right places.
    Definition count_wrong : nat := count answered_wrong places.

    Lemma count_all : count_right + count_wrong = count_read_outs.
    Proof.
      unfold count_right, count_wrong, count_read_outs, count. induction places as [|a l IH]; [easy|]. cbn [filter].
      unfold answered_right at 1, answered_wrong at 1, is_read at 1.
      destruct (answer (prefix_at a)) as [r|]; [destruct (is_right _ _ _ r)|]; cbn; lia.
    Qed.
  End Reference.

  (** [next] lists distinct tokens, below [v]; asked along the way only. *)
  Hypothesis distinct : forall s, allowed s = true -> length s < n -> NoDup (next s).
  Hypothesis below_v : forall s t, allowed s = true -> length s < n -> In t (next s) -> t < v.

  (** *** The trie *)

  Lemma firstn_app_l {A} p (s t : list A) : p <= length s -> firstn p (s ++ t) = firstn p s.
  Proof. intros P. rewrite firstn_app. replace (p - length s) with 0 by lia. cbn. now rewrite app_nil_r. Qed.

  Lemma in_next t l : existsb (Nat.eqb t) l = true <-> In t l.
  Proof. rewrite existsb_exists. split; [now intros (u & U & ->%Nat.eqb_eq) | exists t; now rewrite Nat.eqb_refl]. Qed.

  Lemma allowed_iff s : allowed s = true <-> forall p, p < length s -> In (nth p s 0) (next (firstn p s)).
  Proof.
    unfold allowed. rewrite forallb_forall. split; intros H p P.
    - apply in_next, H, in_seq. lia.
    - apply in_next, H. apply in_seq in P. lia.
  Qed.

  Lemma allowed_firstn k s : allowed s = true -> allowed (firstn k s) = true.
  Proof.
    rewrite !allowed_iff. intros H p P. rewrite firstn_length in P. rewrite firstn_firstn, Nat.min_l by lia.
    replace (nth p (firstn k s) 0) with (nth p s 0); [apply H; lia|].
    rewrite <- (firstn_skipn k s) at 1. apply app_nth1. rewrite firstn_length. lia.
  Qed.

  Lemma allowed_snoc s t : allowed (s ++ [t]) = true <-> allowed s = true /\ In t (next s).
  Proof.
    rewrite !allowed_iff, app_length. cbn. split.
    - intros H. split.
      + intros p P. specialize (H p ltac:(lia)). rewrite app_nth1, firstn_app_l in H by lia. exact H.
      + specialize (H (length s) ltac:(lia)). rewrite nth_middle, firstn_app_l, firstn_all in H by lia. exact H.
    - intros [H T] p P. destruct (Nat.eq_dec p (length s)) as [->|N].
      + now rewrite nth_middle, firstn_app_l, firstn_all by lia.
      + rewrite app_nth1, firstn_app_l by lia. apply H. lia.
  Qed.

  (** What continues a prefix by [k] tokens. *)
  Fixpoint paths (k : nat) (s : list nat) : list (list nat) :=
    match k with
    | O => [s]
    | S k' => flat_map (fun t => paths k' (s ++ [t])) (next s)
    end.

  Lemma in_paths k s x : allowed s = true ->
    In x (paths k s) <-> allowed x = true /\ length x = length s + k /\ firstn (length s) x = s.
  Proof.
    revert s. induction k as [|k IH]; intros s A; cbn [paths].
    - split.
      + intros [<-|[]]. rewrite firstn_all. auto.
      + intros (_ & L & E). left. rewrite <- E. apply firstn_all2. lia.
    - rewrite in_flat_map. split.
      + intros (t & T & X). apply IH in X; [|now apply allowed_snoc]. rewrite app_length in X. cbn in X.
        destruct X as (X & L & E). repeat split; [exact X | lia |].
        rewrite <- (Nat.min_l (length s) (length s + 1)), <- firstn_firstn, E, firstn_app_l, firstn_all by lia. easy.
      + intros (X & L & E). set (t := nth (length s) x 0).
        assert (firstn (length s + 1) x = s ++ [t]) as E'.
        { rewrite <- E at 2. rewrite Nat.add_1_r. unfold t. clear -L. revert L. generalize (length s) as i. intros i.
          revert x. induction i as [|i IHi]; intros [|y x] L; cbn in L |- *; try lia; [easy|]. f_equal. apply IHi.
          lia. }
        assert (allowed (s ++ [t]) = true) as A' by (rewrite <- E'; now apply allowed_firstn).
        exists t. apply allowed_snoc in A' as [_ T]. split; [exact T|]. apply IH; [now apply allowed_snoc|].
        rewrite app_length. cbn. rewrite E'. repeat split; [exact X | lia].
  Qed.

  Lemma paths_NoDup k s : allowed s = true -> length s + k <= n -> NoDup (paths k s).
  Proof.
    revert s. induction k as [|k IH]; intros s A L; cbn [paths]; [repeat constructor; easy|].
    apply (NoDup_flat_map (fun x => nth (length s) x 0)).
    - apply distinct; [exact A | lia].
    - intros t T. apply IH; [now apply allowed_snoc|]. rewrite app_length. cbn. lia.
    - intros t x T X. apply in_paths in X as (_ & _ & E); [|now apply allowed_snoc].
      rewrite <- (firstn_skipn (length (s ++ [t])) x), E, <- app_assoc. apply nth_middle.
  Qed.

  Lemma in_whole_inputs x : In x whole_inputs <-> allowed x = true /\ length x = n.
  Proof.
    unfold whole_inputs. rewrite filter_In, in_sequences, Forall_forall. split; [easy|]. intros [A L].
    repeat split; [exact L | | exact A]. intros t T. apply In_nth with (d := 0) in T as (p & P & <-).
    apply (below_v (firstn p x)); [now apply allowed_firstn | rewrite firstn_length; lia |].
    rewrite allowed_iff in A. apply A. exact P.
  Qed.

  Lemma whole_inputs_NoDup : NoDup whole_inputs.
  Proof. apply NoDup_filter, sequences_NoDup. Qed.

  (** *** The number of inputs that begin with a prefix *)

  Definition begins (s x : list nat) : bool := if list_eq_dec Nat.eq_dec (firstn (length s) x) s then true else false.

  Lemma begins_iff s x : begins s x = true <-> firstn (length s) x = s.
  Proof. unfold begins. destruct list_eq_dec; easy. Qed.

  (** As `inputs_below` counts them, [k] tokens being left. *)
  Fixpoint inputs_below (k : nat) (s : list nat) : nat :=
    match k with
    | O => 1
    | S k' => list_sum (map (fun t => inputs_below k' (s ++ [t])) (next s))
    end.

  Lemma inputs_below_paths k s : inputs_below k s = length (paths k s).
  Proof.
    revert s. induction k as [|k IH]; intros s; [easy|]. cbn [inputs_below paths].
    induction (next s) as [|t l IHl]; [easy|]. cbn. now rewrite app_length, IH, <- IHl.
  Qed.

  Theorem inputs_below_count s : allowed s = true -> length s <= n ->
    inputs_below (n - length s) s = count (begins s) whole_inputs.
  Proof.
    intros A L. rewrite inputs_below_paths. unfold count. apply Permutation_length, NoDup_Permutation.
    - apply paths_NoDup; [exact A | lia].
    - apply NoDup_filter, whole_inputs_NoDup.
    - intros x. rewrite in_paths by exact A. rewrite filter_In, in_whole_inputs, begins_iff.
      replace (length s + (n - length s)) with n by lia. easy.
  Qed.

  (** ** Every pair of an input and a read-out is counted once *)

  Section Visits.
    (** Prefixes with the numbers of inputs that they count for: each prefix is a read-out and comes once. *)
    Variable visits : list (list nat * nat).

    Definition visited_once : Prop :=
      NoDup (map fst visits)
      /\ forall s m, In (s, m) visits ->
           allowed s = true /\ 1 <= length s <= n /\ answer s <> None /\ m = inputs_below (n - length s) s.

    (** No read-out is left out. *)
    Definition visited_all : Prop :=
      forall s, allowed s = true -> 1 <= length s <= n -> answer s <> None -> In s (map fst visits).

    Hypothesis once : visited_once.

    (** The pairs that the chosen visits count. *)
    Definition visited (chosen : list nat -> bool) : list (list nat * nat) :=
      flat_map (fun s => map (fun x => (x, length s - 1)) (filter (begins s) whole_inputs))
        (filter chosen (map fst visits)).

    Definition tally (chosen : list nat -> bool) : nat :=
      list_sum (map snd (filter (fun visit => chosen (fst visit)) visits)).

    Lemma visited_length chosen : length (visited chosen) = tally chosen.
    Proof.
      destruct once as [_ H]. revert H. unfold visited, tally. induction visits as [|[s m] l IH]; intros H; [easy|].
      cbn [map filter fst]. pose proof (fun s m I => H s m (or_intror I)) as H'.
      destruct (chosen s); [|now apply IH]. cbn. rewrite app_length, map_length, IH by exact H'.
      destruct (H s m) as (A & L & _ & ->); [now left|]. now rewrite inputs_below_count.
    Qed.

    Lemma in_visited chosen x p : In (x, p) (visited chosen) ->
      In (x, p) places /\ In (prefix_at (x, p)) (map fst visits) /\ chosen (prefix_at (x, p)) = true.
    Proof.
      unfold visited. rewrite in_flat_map. intros (s & [S C]%filter_In & (y & [= -> <-] & [X B]%filter_In)%in_map_iff).
      apply begins_iff in B. pose proof S as S'. apply in_map_iff in S' as ([s' m] & E & V). cbn in E. subst s'.
      destruct once as [_ H]. destruct (H s m V) as (_ & L & _ & _).
      unfold prefix_at. cbn [fst snd]. replace (Datatypes.S (length s - 1)) with (length s) by lia. rewrite B.
      repeat split; [|exact S | exact C]. apply in_prod; [exact X|]. apply in_seq. lia.
    Qed.

    Lemma visited_NoDup chosen : NoDup (visited chosen).
    Proof.
      destruct once as [D H]. apply (NoDup_flat_map prefix_at).
      - now apply NoDup_filter.
      - intros s _. apply FinFun.Injective_map_NoDup; [now intros x y [= ->]|].
        apply NoDup_filter, whole_inputs_NoDup.
      - intros s [x p] [S _]%filter_In (y & [= -> <-] & [_ B%begins_iff]%filter_In)%in_map_iff.
        apply in_map_iff in S as ([s' m] & E & V). cbn in E. subst s'. destruct (H s m V) as (_ & L & _ & _).
        unfold prefix_at. cbn [fst snd]. now replace (Datatypes.S (length s - 1)) with (length s) by lia.
    Qed.

    Lemma tally_le chosen (P : list nat * nat -> bool) :
      (forall place, In place places -> In (prefix_at place) (map fst visits) -> chosen (prefix_at place) = true ->
        P place = true) ->
      tally chosen <= count P places.
    Proof.
      intros H. rewrite <- visited_length. apply NoDup_incl_length; [apply visited_NoDup|].
      intros [x p] V. apply in_visited in V as (X & V & C). apply filter_In. auto.
    Qed.

    Lemma visited_answer s : In s (map fst visits) -> answer s <> None.
    Proof.
      intros ([s' m] & <- & V)%in_map_iff. destruct once as [_ H]. now destruct (H s' m V) as (_ & _ & A & _).
    Qed.

    (** All of them together: not more than there are, and as many if no read-out is left out. *)
    Theorem total_le : list_sum (map snd visits) <= count_read_outs.
    Proof.
      replace (list_sum (map snd visits)) with (tally (fun _ => true)).
      - apply tally_le. intros place _ V _. apply visited_answer in V. unfold is_read. now destruct (answer _).
      - unfold tally. do 2 f_equal. clear. induction visits as [|a l IH]; [easy|]. cbn. now rewrite IH.
    Qed.

    Theorem total : visited_all -> list_sum (map snd visits) = count_read_outs.
    Proof.
      intros all. apply Nat.le_antisymm; [exact total_le|].
      replace (list_sum (map snd visits)) with (tally (fun _ => true)).
      2: { unfold tally. do 2 f_equal. clear. induction visits as [|a l IH]; [easy|]. cbn. now rewrite IH. }
      rewrite <- visited_length. unfold count_read_outs, count.
      assert (NoDup places) as D.
      { unfold places. generalize (seq_NoDup n 0). generalize (seq 0 n) as l. intros l Dl.
        pose proof whole_inputs_NoDup as Dw. induction Dw as [|x w Hx Hw IH]; [constructor|]. cbn.
        assert (forall l', NoDup l' -> NoDup (map (fun y => (x, y)) l' ++ list_prod w l)) as join; [|now apply join].
        induction 1 as [|p l' Hp Hl' IHl]; [exact IH|]. cbn. constructor; [|exact IHl].
        rewrite in_app_iff, in_map_iff, in_prod_iff. intros [(q & [= ->] & Q)|[X _]]; easy. }
      apply NoDup_incl_length; [now apply NoDup_filter|].
      intros [x p] [[X P]%in_prod_iff A]%filter_In. apply in_seq in P. apply in_whole_inputs in X as X'.
      destruct X' as [X' L]. set (s := prefix_at (x, p)).
      assert (length s = S p) as Ls by (unfold s, prefix_at; cbn [fst snd]; rewrite firstn_length; lia).
      apply in_flat_map. exists s. split.
      - apply filter_In. split; [|easy]. apply all; [now apply allowed_firstn | lia |].
        unfold is_read in A. fold s in A. now destruct (answer s).
      - apply in_map_iff. exists x. rewrite Ls. split; [f_equal; lia|]. apply filter_In. split; [exact X|].
        apply begins_iff. now rewrite Ls.
    Qed.
  End Visits.

  (** ** The walks *)

  (** Prefix by prefix (`layers.rs`): the read-outs behind [s], [k] tokens being left. *)
  Fixpoint walk (k : nat) (s : list nat) : list (list nat * nat) :=
    match k with
    | O => []
    | S k' => flat_map (fun t =>
        (if answer (s ++ [t]) then [(s ++ [t], inputs_below k' (s ++ [t]))] else []) ++ walk k' (s ++ [t])) (next s)
    end.

  Lemma in_walk k s x m : allowed s = true -> length s + k = n ->
    In (x, m) (walk k s) <->
    allowed x = true /\ length s < length x <= n /\ firstn (length s) x = s /\ answer x <> None
    /\ m = inputs_below (n - length x) x.
  Proof.
    revert s. induction k as [|k IH]; intros s A L; cbn [walk]; [split; [easy | intros (_ & B & _); lia]|].
    rewrite in_flat_map. split.
    - intros (t & T & [X|X]%in_app_iff).
      + destruct (answer (s ++ [t])) as [r|] eqn:R; [|easy]. destruct X as [[= <- <-]|[]].
        rewrite app_length, firstn_app_l, firstn_all, R by lia. cbn [length].
        replace (n - (length s + 1)) with k by lia. repeat split; try lia; [now apply allowed_snoc | easy].
      + apply IH in X; [|now apply allowed_snoc | rewrite app_length; cbn; lia]. rewrite app_length in X. cbn in X.
        destruct X as (X & B & E & R & M). repeat split; try assumption; try lia.
        rewrite <- (Nat.min_l (length s) (length s + 1)), <- firstn_firstn, E, firstn_app_l, firstn_all by lia. easy.
    - intros (X & B & E & R & M).
      assert (In (firstn (length s + 1) x) (paths 1 s)) as N.
      { apply in_paths; [exact A|]. rewrite firstn_length, firstn_firstn, !Nat.min_l by lia.
        repeat split; [now apply allowed_firstn | exact E]. }
      cbn in N. apply in_flat_map in N as (t & T & [N|[]]). exists t. split; [exact T|]. apply in_app_iff.
      destruct (Nat.eq_dec (length x) (length s + 1)) as [F|F].
      + left. rewrite firstn_all2 in N by lia. rewrite N. destruct (answer x); [|easy]. left. f_equal. rewrite M.
        f_equal. lia.
      + right. apply IH; [now apply allowed_snoc | rewrite app_length; cbn; lia |]. rewrite app_length. cbn. rewrite N.
        repeat split; try assumption; lia.
  Qed.

  Lemma walk_NoDup k s : allowed s = true -> length s + k = n -> NoDup (map fst (walk k s)).
  Proof.
    revert s. induction k as [|k IH]; intros s A L; cbn [walk]; [constructor|].
    rewrite flat_map_concat_map, concat_map, map_map, <- flat_map_concat_map.
    assert (forall t, In t (next s) -> allowed (s ++ [t]) = true /\ length (s ++ [t]) + k = n) as step.
    { intros t T. split; [now apply allowed_snoc|]. rewrite app_length. cbn. lia. }
    apply (NoDup_flat_map (fun x => nth (length s) x 0)).
    - apply distinct; [exact A | lia].
    - intros t T. destruct (step t T) as [A' L']. rewrite map_app. specialize (IH _ A' L').
      destruct (answer (s ++ [t])); [|exact IH]. cbn. constructor; [|exact IH].
      intros ([x m] & E & X)%in_map_iff. cbn in E. subst x. apply in_walk in X as (_ & B & _); [lia | easy | easy].
    - intros t x T (y & <- & [X|X]%in_app_iff)%in_map_iff.
      + destruct (answer (s ++ [t])); [|easy]. destruct X as [<-|[]]. apply nth_middle.
      + destruct (step t T) as [A' L'], y as [x m]. apply in_walk in X as (_ & _ & E & _); [|easy|easy]. cbn.
        rewrite <- (firstn_skipn (length (s ++ [t])) x), E, <- app_assoc. apply nth_middle.
  Qed.

  Lemma walk_once : visited_once (walk n []).
  Proof.
    split; [now apply walk_NoDup|]. intros s m V. apply in_walk in V as (A & L & _ & R & M); [|easy|easy].
    cbn in L. repeat split; [exact A | lia | lia | exact R | exact M].
  Qed.

  Lemma walk_all : visited_all (walk n []).
  Proof.
    intros s A L R. apply in_map_iff. exists (s, inputs_below (n - length s) s). split; [easy|].
    apply in_walk; [easy | easy |]. cbn. repeat split; [exact A | lia | lia | exact R].
  Qed.

  (** Query by query (`one_layer.rs`): at each position, each token that may be read there, behind every prefix. *)
  Definition walk_by_query (read_outs : list (nat * list nat)) : list (list nat * nat) :=
    flat_map (fun at_ => flat_map (fun q => flat_map (fun s =>
        if existsb (Nat.eqb q) (next s) then
          if answer (s ++ [q]) then [(s ++ [q], inputs_below (n - S (length s)) (s ++ [q]))] else []
        else [])
      (paths (fst at_) [])) (snd at_)) read_outs.

  Section ByQuery.
    Variable read_outs : list (nat * list nat).
    Hypothesis positions : NoDup (map fst read_outs).
    Hypothesis inside : forall p queries, In (p, queries) read_outs -> p < n /\ NoDup queries.

    Lemma in_walk_by_query x m : In (x, m) (walk_by_query read_outs) <->
      exists p queries q s, In (p, queries) read_outs /\ In q queries /\ x = s ++ [q] /\ length s = p
        /\ allowed x = true /\ answer x <> None /\ m = inputs_below (n - length x) x.
    Proof.
      unfold walk_by_query. rewrite in_flat_map. split.
      - intros ([p queries] & R & (q & Q & (s & S & X)%in_flat_map)%in_flat_map).
        apply in_paths in S as (A & L & _); [|easy]. destruct (existsb _ _) eqn:T; [|easy]. apply in_next in T.
        destruct (answer (s ++ [q])) as [r|] eqn:E; [|easy]. destruct X as [[= <- <-]|[]]. cbn in L, Q.
        exists p, queries, q, s. rewrite E, app_length, Nat.add_1_r. repeat split; try easy. now apply allowed_snoc.
      - intros (p & queries & q & s & R & Q & -> & L & A & E & M). exists (p, queries). split; [exact R|].
        apply in_flat_map. exists q. split; [exact Q|]. apply in_flat_map. exists s. apply allowed_snoc in A as [A T].
        split; [now apply in_paths|]. rewrite (proj2 (in_next _ _) T). destruct (answer (s ++ [q])); [|easy]. left.
        rewrite M, app_length, Nat.add_1_r. easy.
    Qed.

    Lemma walk_by_query_once : visited_once (walk_by_query read_outs).
    Proof.
      split.
      - unfold walk_by_query. rewrite flat_map_concat_map, concat_map, map_map, <- flat_map_concat_map.
        assert (forall (f : nat * list nat -> list (list nat)),
          (forall a, In a read_outs -> NoDup (f a)) ->
          (forall a x, In a read_outs -> In x (f a) -> length x = S (fst a)) -> NoDup (flat_map f read_outs))
          as by_position.
        { intros f. clear inside. revert positions.
          induction read_outs as [|a l IH]; cbn; intros D Df K; [constructor|].
          inversion D as [|? ? Ha Hl]; subst.
          assert (forall l', NoDup l' -> (forall x, In x l' -> length x = S (fst a)) -> NoDup (l' ++ flat_map f l))
            as join.
          { induction 1 as [|x l' Hx _ IH']; cbn; intros K'; [apply IH; auto|]. constructor; [|apply IH'; auto].
            rewrite in_app_iff, in_flat_map. intros [H|(b & B & H)]; [easy|]. apply Ha, in_map_iff. exists b.
            split; [|exact B]. specialize (K' x (or_introl eq_refl)). rewrite (K b x) in K' by auto. lia. }
          apply join; auto. }
        assert (forall p q s x m, In s (paths p []) ->
          In (x, m) (if existsb (Nat.eqb q) (next s) then
            if answer (s ++ [q]) then [(s ++ [q], inputs_below (n - S (length s)) (s ++ [q]))] else [] else []) ->
          x = s ++ [q] /\ length s = p) as entry.
        { intros p q s x m S X. apply in_paths in S as (_ & L & _); [|easy]. cbn in L.
          destruct (existsb _ _); [|easy]. destruct (answer _); [|easy]. destruct X as [[= <- <-]|[]]. easy. }
        apply by_position.
        + intros [p queries] R. destruct (inside p queries R) as [P Q]. cbn [fst snd].
          rewrite flat_map_concat_map, concat_map, map_map, <- flat_map_concat_map.
          apply (NoDup_flat_map (fun x => last x 0)); [exact Q | |].
          * intros q _. rewrite flat_map_concat_map, concat_map, map_map, <- flat_map_concat_map.
            apply (NoDup_flat_map (@removelast nat)).
            -- apply paths_NoDup; [easy | cbn; lia].
            -- intros s _. destruct (existsb _ _); [destruct (answer _)|]; repeat constructor; easy.
            -- intros s x S ([y m] & <- & X)%in_map_iff. apply (entry p) in X as [-> _]; [|exact S].
               apply removelast_last.
          * intros q x _ ([y m] & <- & (s & S & X)%in_flat_map)%in_map_iff. apply (entry p) in X as [-> _]; [|exact S].
            apply last_last.
        + intros [p queries] x R ([y m] & <- & (q & _ & (s & S & X)%in_flat_map)%in_flat_map)%in_map_iff.
          apply (entry p) in X as [-> L]; [|exact S]. cbn. rewrite app_length. cbn. lia.
      - intros x m V. apply in_walk_by_query in V as (p & queries & q & s & R & Q & -> & L & A & E & M).
        destruct (inside p queries R) as [P _]. rewrite app_length in *. cbn in *.
        repeat split; [exact A | lia | lia | exact E |].
        exact M.
    Qed.

    Lemma walk_by_query_all :
      (forall s q, allowed (s ++ [q]) = true -> length s < n -> answer (s ++ [q]) <> None ->
        exists queries, In (length s, queries) read_outs /\ In q queries) ->
      visited_all (walk_by_query read_outs).
    Proof.
      intros known x A L E. destruct (exists_last (l := x)) as (s & q & ->); [now intros -> ; cbn in L; lia|].
      rewrite app_length in L. cbn in L. destruct (known s q A ltac:(lia) E) as (queries & R & Q).
      apply in_map_iff. exists (s ++ [q], inputs_below (n - length (s ++ [q])) (s ++ [q])). split; [easy|].
      apply in_walk_by_query. exists (length s), queries, q, s. easy.
    Qed.
  End ByQuery.

  (** ** The theorem *)

  Inductive verdict := Right | Wrong | Undecided.

  Definition is_verdict_right (d : verdict) : bool := match d with Right => true | _ => false end.
  Definition is_verdict_wrong (d : verdict) : bool := match d with Wrong => true | _ => false end.

  Section Counts.
    Variables (outputs : nat) (says : list nat -> nat -> nat -> R) (tau : R).
    (** At a read-out of an input the network says what it says at the end of the prefix. *)
    Hypothesis causal : forall x p j, In x whole_inputs -> p < n -> answer (firstn (S p) x) <> None ->
      says x p j = says (firstn (S p) x) p j.

    (** What is found out about a prefix is true. *)
    Variable decide : list nat -> verdict.
    Hypothesis sound : forall s r, allowed s = true -> 1 <= length s <= n -> answer s = Some r ->
      match decide s with
      | Right => right_by outputs (says s (length s - 1)) tau r
      | Wrong => wrong_by outputs (says s (length s - 1)) tau r
      | Undecided => True
      end.

    Theorem visits_count visits : visited_once visits ->
      tally visits (fun s => is_verdict_right (decide s)) <= count_right outputs says tau
      /\ tally visits (fun s => is_verdict_wrong (decide s)) <= count_wrong outputs says tau.
    Proof.
      intros once.
      assert (forall x p, In (x, p) places -> exists s, s = prefix_at (x, p) /\ allowed s = true /\ length s = S p
        /\ 1 <= length s <= n /\ (answer s <> None -> forall j, says x p j = says s (length s - 1) j)) as place.
      { intros x p [X P]%in_prod_iff. apply in_seq in P. apply in_whole_inputs in X as X'. destruct X' as [A L].
        exists (prefix_at (x, p)). unfold prefix_at. cbn [fst snd]. rewrite firstn_length, Nat.min_l by lia.
        repeat split; [now apply allowed_firstn | lia | lia |]. intros R j. rewrite causal by (auto; lia). f_equal.
        lia. }
      split; apply tally_le; try exact once; intros [x p] I V D; destruct (place x p I) as (s & E & A & _ & L & S);
        rewrite <- E in V, D; pose proof (visited_answer visits once s V) as R; specialize (S R);
        unfold answered_right, answered_wrong; rewrite <- E; cbn [fst snd];
        destruct (answer s) as [r|] eqn:Rs; try easy; pose proof (sound s r A L Rs) as H; destruct (decide s); try easy.
      - apply is_right_true. intros j J N. rewrite !S. now apply H.
      - apply negb_true_iff, is_right_false. destruct H as (j & J & N & H). exists j. rewrite !S. auto.
    Qed.

    (** The walk of `layers.rs`, and of the MLP over two tokens; and all that it finds are all read-outs. *)
    Theorem exhaustive_counts :
      tally (walk n []) (fun s => is_verdict_right (decide s)) <= count_right outputs says tau
      /\ tally (walk n []) (fun s => is_verdict_wrong (decide s)) <= count_wrong outputs says tau
      /\ list_sum (map snd (walk n [])) = count_read_outs.
    Proof.
      destruct (visits_count _ walk_once) as [R W]. repeat split; [exact R | exact W |].
      apply total; [exact walk_once | exact walk_all].
    Qed.

    (** The walk of `one_layer.rs`, for distinct read-outs. *)
    Theorem exhaustive_counts_by_query read_outs :
      NoDup (map fst read_outs) -> (forall p queries, In (p, queries) read_outs -> p < n /\ NoDup queries) ->
      tally (walk_by_query read_outs) (fun s => is_verdict_right (decide s)) <= count_right outputs says tau
      /\ tally (walk_by_query read_outs) (fun s => is_verdict_wrong (decide s)) <= count_wrong outputs says tau
      /\ list_sum (map snd (walk_by_query read_outs)) <= count_read_outs
      /\ ((forall s q, allowed (s ++ [q]) = true -> length s < n -> answer (s ++ [q]) <> None ->
            exists queries, In (length s, queries) read_outs /\ In q queries) ->
          list_sum (map snd (walk_by_query read_outs)) = count_read_outs).
    Proof.
      intros D I. pose proof (walk_by_query_once read_outs D I) as once. destruct (visits_count _ once) as [R W].
      repeat split; [exact R | exact W | now apply total_le |]. intros known. apply total; [exact once|].
      now apply walk_by_query_all.
    Qed.
  End Counts.
End Task.

(** ** Decoders *)

(** What the theorem asks of a network is true of every decoder whose attention rate is 0, or that is read at the last
    position alone. Both walks visit every read-out once ([walk_once], [walk_by_query_once]). *)
Theorem decoder_counts net v next answer tau decide visits :
  let n := n_ctx net in
  let says := logits net in
  let correct := count_right v n next answer (d_vocab_out net) says tau in
  (forall s, allowed next s = true -> length s < n -> NoDup (next s)) ->
  (forall s t, allowed next s = true -> length s < n -> In t (next s) -> t < v) ->
  rate net = 0%R \/ (forall s r, answer s = Some r -> n <= length s) ->
  (forall s r, allowed next s = true -> 1 <= length s <= n -> answer s = Some r ->
    match decide s with
    | Right => right_by (d_vocab_out net) (says s (length s - 1)) tau r
    | Wrong => wrong_by (d_vocab_out net) (says s (length s - 1)) tau r
    | Undecided => True
    end) ->
  visited_once n next answer visits ->
  tally visits (fun s => is_verdict_right (decide s)) <= correct
  /\ correct <= count_read_outs v n next answer - tally visits (fun s => is_verdict_wrong (decide s)).
Proof.
  intros n says correct D B A S once.
  assert (forall x p j, In x (whole_inputs v n next) -> p < n -> answer (firstn (Datatypes.S p) x) <> None ->
    says x p j = says (firstn (Datatypes.S p) x) p j) as C.
  { intros x p j X P R. unfold says. rewrite <- causal; [easy|]. destruct A as [A|A]; [now left|]. right.
    apply in_whole_inputs in X as [_ L]; [|exact B]. destruct (answer (firstn _ x)) as [r|] eqn:E; [|easy].
    apply A in E. rewrite firstn_length in E. lia. }
  destruct (visits_count v n next answer D B (d_vocab_out net) says tau C decide S visits once) as [R W].
  split; [exact R|]. rewrite <- (count_all v n next answer (d_vocab_out net) says tau).
  unfold correct. lia.
Qed.

(** ** What is counted is what [Model] counts *)

(** For Max-of-n, with no margin: every sequence is an input, read at its end, where its largest token is right. *)
Definition every_token (v n : nat) (s : list nat) : list nat := if length s <? n then seq 0 v else [].
Definition largest_at_the_end (n : nat) (s : list nat) : option nat :=
  if length s =? n then Some (list_max s) else None.

Lemma count_last {A} (l : list A) n P : 1 <= n ->
  count (fun place => (S (snd place) =? n) && P (fst place)) (list_prod l (seq 0 n)) = count P l.
Proof.
  intros N. unfold count. induction l as [|a l IH]; [easy|].
  cbn [list_prod]. rewrite filter_app, app_length, IH. cbn [filter].
  enough (length (filter (fun place => (S (snd place) =? n) && P (fst place)) (map (fun p => (a, p)) (seq 0 n)))
    = if P a then 1 else 0) as -> by (destruct (P a); cbn; lia).
  fold (count (fun place => (S (snd place) =? n) && P (fst place)) (map (fun p => (a, p)) (seq 0 n))).
  rewrite count_map. cbn [fst snd]. destruct n as [|n]; [lia|].
  rewrite seq_S. unfold count. rewrite filter_app, app_length. cbn [Nat.add filter].
  rewrite Nat.eqb_refl. cbn [andb].
  enough (filter (fun p => (S p =? S n) && P a) (seq 0 n) = []) as -> by (now destruct (P a)).
  assert (forall l, (forall p, In p l -> p < n) -> filter (fun p => (S p =? S n) && P a) l = []) as none.
  { induction l0 as [|p l0 IH0]; intros B; [easy|]. cbn [filter]. rewrite (proj2 (Nat.eqb_neq (S p) (S n))).
    - apply IH0. intros q Q. apply B. now right.
    - specialize (B p (or_introl eq_refl)). lia. }
  apply none. intros p P'. apply in_seq in P'. lia.
Qed.

Theorem count_right_max_of_n cfg net : 1 <= Model.n_ctx cfg ->
  let v := d_vocab cfg in
  let n := Model.n_ctx cfg in
  count_right v n (every_token v n) (largest_at_the_end n) v (logits (decoder_of cfg net)) 0 = count_correct cfg net.
Proof.
  intros N v n. unfold count_right, places.
  assert (forall x, In x (sequences v n) -> allowed (every_token v n) x = true) as all.
  { intros x [L F]%in_sequences. apply allowed_iff. intros p P. unfold every_token. rewrite firstn_length.
    rewrite (proj2 (Nat.ltb_lt _ _)) by lia. apply in_seq. rewrite Forall_forall in F.
    specialize (F (nth p x 0) (nth_In _ _ P)). lia. }
  assert (whole_inputs v n (every_token v n) = sequences v n) as ->.
  { unfold whole_inputs. revert all. induction (sequences v n) as [|x l IH]; intros all; [easy|]. cbn.
    rewrite (all x (or_introl eq_refl)). f_equal. apply IH. intros y Y. apply all. now right. }
  unfold count_correct, inputs. fold v n.
  fold (count (fun x => if correct_dec cfg net x then true else false) (sequences v n)).
  rewrite <- (count_last (sequences v n) n _ N). unfold count. f_equal. apply filter_ext_in.
  intros [x p] [X P]%in_prod_iff.
  apply in_sequences in X as [L _]. apply in_seq in P. cbn [fst snd].
  unfold answered_right, largest_at_the_end, prefix_at. cbn [fst snd]. rewrite firstn_length, Nat.min_l by lia.
  destruct (Nat.eqb_spec (S p) n) as [E|E]; [|easy]. cbn [andb]. rewrite firstn_all2 by lia.
  replace p with (n - 1) by lia.
  assert (right_by v (logits (decoder_of cfg net) x (n - 1)) 0 (list_max x) <-> correct cfg net x) as same.
  { unfold right_by, correct, gives. fold v n (answer x). split; intros H j J M; specialize (H j J M);
      rewrite !decoder_of_logit in * by (fold n; lia); lra. }
  destruct (correct_dec cfg net x) as [C|C].
  - now apply is_right_true, same.
  - apply not_true_iff_false. intros R%is_right_true. now apply C, same.
Qed.
