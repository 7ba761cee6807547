(** * Rule `tree` for a view (theorem [tree_counts]) *)

From Coq Require Import Reals ZArith List Bool Lia Lra Permutation.
From gbmi Require Import Model Fixed CheckerFast CheckerCertificate CheckerTable CheckerPaths CheckerRules
  CheckerLevels.
From gbmi Require Import CheckerCriterion CheckerLevelsSound CheckerCriterionSoundHalves.
From gbmi Require Import CheckerCriterionSoundCount CheckerTreeSound.
From gbmi Require Import CheckerCriterionSoundView CheckerCriterionSoundWindow.
Import ListNotations.
Local Open Scope R_scope.
Local Opaque everything LIMIT add.

(** ** Inputs *)

(** The sum for answer j over the positions of an input: tokens [s] before query q. *)
Definition input_sum (X : reals) (r q n j : nat) (s : list nat) : R :=
  sum (n - 1) (fun p => phi X r j p (nth p s O)) + phi_last X r q n j.

Lemma sum_front k f : sum (S k) f = f O + sum k (fun p => f (S p)).
Proof. induction k as [|k IH]; cbn [sum] in *; [lra|]. rewrite IH. lra. Qed.

Lemma outcome_sum f j : forall k a x s, length s = k ->
  outcome f j x (seq a k) s = x + sum k (fun p => f j (a + p)%nat (nth p s O)).
Proof.
  induction k as [|k IH]; intros a x s L; cbn [seq].
  - destruct s; [|discriminate]. cbn. lra.
  - destruct s as [|t s]; [discriminate|]. cbn [outcome]. rewrite IH by now injection L.
    rewrite sum_front, Nat.add_0_r, Rplus_assoc. cbn [nth]. do 2 f_equal. clear.
    induction k as [|k IH]; cbn [sum]; [reflexivity|]. rewrite IH. do 2 f_equal. lia.
Qed.

Lemma in_numbered {A} : forall (l : list A) a g x, In (g, x) (combine (seq a (length l)) l) ->
  exists i, g = (a + i)%nat /\ nth_error l i = Some x.
Proof.
  induction l as [|y l IH]; intros a g x I; [easy|]. cbn [length seq combine] in I. destruct I as [[= <- <-]|I].
  - exists O. split; [lia | reflexivity].
  - destruct (IH _ _ _ I) as (i & -> & E). exists (S i). split; [lia | exact E].
Qed.

Lemma map_fst_combine {A B} : forall (xs : list A) (ys : list B), length xs = length ys ->
  map fst (combine xs ys) = xs.
Proof. induction xs as [|x xs IH]; intros [|y ys] L; try discriminate; [reflexivity|]. cbn. rewrite IH; auto. Qed.

Lemma map2_numbered {A B} (h : nat -> A -> B) d : forall (l : list A) a,
  map2 h (seq a (length l)) l = map (fun i => h i (nth (i - a) l d)) (seq a (length l)).
Proof.
  induction l as [|x l IH]; intros a; [reflexivity|]. cbn [length seq map2 map]. rewrite Nat.sub_diag. cbn [nth].
  f_equal. rewrite IH. apply map_ext_in. intros i I. apply in_seq in I.
  now replace (i - a)%nat with (S (i - S a)) by lia.
Qed.

(** Lists in which as many elements pass every test have the same elements. *)
Lemma how_many_in (l l' : list (list nat)) x : (forall f, how_many f l = how_many f l') -> In x l -> In x l'.
Proof.
  intros H I. set (f := fun y => if list_eq_dec Nat.eq_dec x y then true else false).
  assert (forall l, In x l <-> (0 < how_many f l)%Z) as E.
  { clear. induction l as [|y l IH]; [cbn; split; [easy | unfold how_many; cbn; lia]|].
    rewrite how_many_cons. pose proof (how_many_nonneg f l). unfold f at 1. cbn [In].
    destruct (list_eq_dec Nat.eq_dec x y) as [->|N]; [split; [lia | now left]|]. rewrite Z.add_0_l, <- IH.
    split; [intros [<-|J]; easy | now right]. }
  apply E. rewrite <- H. now apply E.
Qed.

Section Inputs.
  Variables (V : view) (X : reals).
  Hypothesis V_is : encloses_view V X.
  Let L := the_level V.
  Let r := right_of V.
  Let v := vocab (shared V).
  Let n := context (shared V).
  Let q := query V.

  (** The inputs of the level with the query: their tokens before the last one. *)
  Definition inputs_of : list (list nat) := level_inputs L q.

  Lemma free_moves_some : free_moves L <> [].
  Proof.
    pose proof (free_moves_length _ _ _ (level_is_ok V X V_is)) as E. fold L in E.
    pose proof (two_positions V X V_is). intros N. rewrite N in E. cbn in E. lia.
  Qed.

  Lemma used_length : length (used V) = (n - 1)%nat.
  Proof.
    destruct (view_fields V X V_is) as (_ & M & _). pose proof (moves_left_length L q (free_moves L)) as E.
    unfold q, L in E. rewrite M in E. cbn [fst] in E. rewrite E.
    exact (free_moves_length _ _ _ (level_is_ok V X V_is)).
  Qed.

  Lemma inputs_are_used : completions (class_of L) (fun _ => true) (used V) 0 = inputs_of.
  Proof.
    destruct (view_fields V X V_is) as (_ & M & _).
    exact (proj2 (moves_left_inputs _ _ _ _ _ M) free_moves_some).
  Qed.

  Lemma all_inputs_are : all_inputs V = Z.of_nat (length inputs_of).
  Proof.
    destruct (view_fields V X V_is) as (_ & M & _). exact (proj1 (moves_left_inputs _ _ _ _ _ M)).
  Qed.

  Lemma input_length input : In input inputs_of -> length input = (n - 1)%nat.
  Proof. intros I. rewrite <- inputs_are_used in I. apply completions_length in I. now rewrite I, used_length. Qed.

  (** Every token before the last one is of a free class. *)
  Lemma input_tokens input p : In input inputs_of -> (p < n - 1)%nat ->
    exists c, In c (free V) /\ In (nth p input O) (class_of L c).
  Proof.
    intros I P. rewrite <- inputs_are_used in I.
    destruct (completions_tokens _ _ _ _ _ p I) as (c & C & T); [now rewrite used_length|].
    exists c. split; [|exact T]. apply (free_iff V X V_is). split; [exact C|].
    destruct (Nat.lt_ge_cases c (length (classes L))) as [B|B]; [exact B|].
    unfold class_of in T. rewrite (nth_overflow (classes L)) in T by exact B. destruct T.
  Qed.

  (** By the tokens of a window's items. *)
  Lemma inputs_by_tokens W : window_ok V X W ->
    forall f, how_many f (completions (fun c => concat (tokens_of V W c)) (fun _ => true) (used V) 0)
      = how_many f inputs_of.
  Proof.
    intros W_ok f. rewrite <- inputs_are_used. apply completions_permutation. intros c C.
    now apply (tokens_of_class V X V_is).
  Qed.

  (** *** What stands for the items *)

  Lemma by_items_at {A} W (of_token of_far : nat -> A) c : window_ok V X W ->
    nth c (by_items W of_token of_far) []
    = map of_token (near_in W c) ++ (if (0 <? far_in W c)%nat then [of_far (far_in W c)] else []).
  Proof.
    intros W_ok. unfold by_items, near_in, far_in.
    pose proof (near_length _ _ _ W_ok) as Nl. pose proof (far_length _ _ _ W_ok) as Fl.
    set (f := fun near far => _). destruct (Nat.lt_ge_cases c (length (near W))) as [B|B].
    - now rewrite (nth_map2_all f _ _ c [] O) by (congruence || exact B).
    - rewrite !nth_overflow; [reflexivity | congruence | exact B |]. rewrite map2_length by congruence. exact B.
  Qed.

  (** *** Pieces *)

  Definition piece_tokens (W : window) (x : piece) : list nat :=
    match near_token x with Some t => [t] | None => far_list V W (class x) end.

  Lemma partition_permutation {A} (f : A -> bool) l : Permutation (fst (partition f l) ++ snd (partition f l)) l.
  Proof.
    induction l as [|x l IH]; [constructor|]. cbn [partition]. destruct (partition f l) as [mine others].
      cbn [fst snd] in *.
    destruct (f x); cbn [fst snd app]; [now constructor|]. rewrite <- Permutation_middle. now constructor.
  Qed.

  Lemma in_order_permutation far order ps : Permutation (in_order far order ps) ps.
  Proof.
    unfold in_order. induction (firstn (S far) order) as [|t ts IH]; [reflexivity|]. cbn [fold_right].
    destruct (fold_right _ ([], ps) ts) as [first others]. cbn [fst snd].
    pose proof (partition_permutation (fun p => (match near_token p with Some t => t | None => far end =? t)%nat)
      others) as P.
    destruct (partition _ others) as [mine others']. cbn [fst snd] in P. rewrite <- IH, <- P, <- app_assoc.
    apply Permutation_app_swap_app.
  Qed.

  Let class_pieces (c : nat) (near_far : list nat * nat) : list piece :=
    map (fun t => {| near_token := Some t; class := c; stands := 1 |}) (fst near_far)
    ++ (if (0 <? snd near_far)%nat then [{| near_token := None; class := c; stands := snd near_far |}] else []).

  Lemma pieces_are W : pieces W = concat (map (fun entry => class_pieces (fst entry) (snd entry))
    (enumerated (combine (near W) (far W)))).
  Proof. unfold pieces. f_equal. apply map_ext. intros [c [near far]]. reflexivity. Qed.

  Lemma filter_class_pieces c c' nf : filter (fun x => (class x =? c)%nat) (class_pieces c' nf)
    = if (c' =? c)%nat then class_pieces c' nf else [].
  Proof.
    unfold class_pieces. rewrite filter_app.
    assert (forall ts, filter (fun x => (class x =? c)%nat) (map (fun t => {| near_token := Some t; class := c';
      stands := 1 |}) ts)
      = if (c' =? c)%nat then map (fun t => {| near_token := Some t; class := c'; stands := 1 |}) ts else []) as ->.
    { induction ts as [|t ts IH]; cbn [map filter class]; [now destruct (c' =? c)%nat|].
      rewrite IH. now destruct (c' =? c)%nat. }
    destruct (0 <? snd nf)%nat; cbn [filter class]; destruct (c' =? c)%nat; now rewrite ?app_nil_r.
  Qed.

  Lemma pieces_of_class W c : window_ok V X W ->
    filter (fun x => (class x =? c)%nat) (pieces W) = class_pieces c (near_in W c, far_in W c).
  Proof.
    intros W_ok. rewrite pieces_are. unfold near_in, far_in, enumerated.
    pose proof (near_length _ _ _ W_ok) as Nl. rewrite <- (far_length _ _ _ W_ok) in Nl. revert Nl.
    generalize (near W), (far W). intros ns fs E.
    enough (forall a, filter (fun x => (class x =? c)%nat) (concat (map (fun entry => class_pieces (fst entry) (snd
      entry))
        (combine (seq a (length (combine ns fs))) (combine ns fs))))
      = if (a <=? c)%nat then class_pieces c (nth (c - a) ns [], nth (c - a) fs O) else []) as H.
    { specialize (H O). cbn [Nat.leb] in H. now rewrite Nat.sub_0_r in H. }
    revert fs E. induction ns as [|near ns IH]; intros [|f fs] E a; try discriminate.
    - cbn [combine length seq map concat filter]. destruct (a <=? c)%nat; [|reflexivity]. now destruct (c - a)%nat.
    - cbn [combine length seq map concat fst snd]. rewrite filter_app, filter_class_pieces.
      rewrite IH by now injection E. destruct (Nat.eqb_spec a c) as [->|N].
      + rewrite Nat.leb_refl, Nat.sub_diag. cbn [nth]. destruct (Nat.leb_spec (S c) c); [lia|]. apply app_nil_r.
      + cbn [app]. destruct (Nat.leb_spec a c), (Nat.leb_spec (S a) c); try lia; [|reflexivity].
        replace (c - a)%nat with (S (c - S a)) by lia. reflexivity.
  Qed.

  Lemma piece_is W x : window_ok V X W -> In x (pieces W) ->
    match near_token x with
    | Some t => In t (near_in W (class x))
    | None => (0 < far_in W (class x))%nat /\ stands x = far_in W (class x)
    end.
  Proof.
    intros W_ok I. destruct x as [t c k]. cbn [near_token class stands].
    assert (In {| near_token := t; class := c; stands := k |} (filter (fun y => (class y =? c)%nat) (pieces W))) as J
      by (apply filter_In; split; [exact I | apply Nat.eqb_refl]).
    rewrite (pieces_of_class W c W_ok) in J. unfold class_pieces in J. cbn [fst snd] in J. apply in_app_iff in J.
    destruct J as [J|J].
    - apply in_map_iff in J. destruct J as (t' & [= <- _] & J). exact J.
    - destruct (Nat.ltb_spec 0 (far_in W c)) as [F|F]; [|destruct J]. destruct J as [[= <- <-]|[]]. now split.
  Qed.

  (** All pieces of a class together are its tokens. *)
  Lemma class_pieces_tokens W order c : window_ok V X W -> In c (map fst (concat (concat (used V)))) ->
    Permutation (concat (map (piece_tokens W) (filter (fun x => (class x =? c)%nat) (in_order v order (pieces W)))))
      (class_of L c).
  Proof.
    intros W_ok I. apply Permutation_trans with (2 := tokens_of_class V X V_is W c W_ok I).
    assert (forall ps ps', Permutation ps ps' ->
      Permutation (concat (map (piece_tokens W) (filter (fun x => (class x =? c)%nat) ps)))
        (concat (map (piece_tokens W) (filter (fun x => (class x =? c)%nat) ps')))) as same.
    { clear. induction 1 as [|x l l' _ IH|x y l|l l' l'' _ IH _ IH']; cbn [filter];
      [constructor | | |etransitivity; eassumption].
      - destruct (class x =? c)%nat; [|exact IH]. cbn [map concat]. now apply Permutation_app_head.
      - destruct (class x =? c)%nat, (class y =? c)%nat; cbn [map concat]; try reflexivity.
        rewrite !app_assoc. apply Permutation_app_tail, Permutation_app_comm. }
    rewrite (same _ _ (in_order_permutation v order (pieces W))), (pieces_of_class W c W_ok).
      unfold class_pieces, tokens_of.
    cbn [fst snd]. rewrite map_app, map_map. cbn [piece_tokens near_token class]. apply Permutation_refl'. do 2 f_equal.
    destruct (0 <? far_in W c)%nat; reflexivity.
  Qed.

  (** *** Ways on *)

  Definition ways_tokens (W : window) (ps : list piece) (moves : list (nat * nat)) : list (list (list nat) * nat) :=
    map (fun state =>
      let classes := map fst (filter (fun move => (snd move =? state)%nat) moves) in
      (map (piece_tokens W) (filter (fun x => among classes (class x)) ps), state)) (targets moves).

  Lemma in_targets (moves : list (nat * nat)) state : In state (targets moves) <-> In state (map snd moves).
  Proof.
    induction moves as [|m moves IH]; [reflexivity|]. cbn [targets map In].
      rewrite filter_In, IH, negb_true_iff, Nat.eqb_neq.
    split; [tauto|]. intros [E|I]; [now left|]. destruct (Nat.eq_dec state (snd m)) as [->|N]; [now left | right; auto].
  Qed.

  Lemma targets_NoDup moves : NoDup (targets moves).
  Proof.
    induction moves as [|m moves IH]; [constructor|]. cbn [targets]. constructor; [|now apply NoDup_filter].
    rewrite filter_In, Nat.eqb_refl. now intros [_ N].
  Qed.

  Lemma filter_among {A} (key : A -> nat) classes c l : In c classes ->
    filter (fun x => (key x =? c)%nat) (filter (fun x => among classes (key x)) l)
      = filter (fun x => (key x =? c)%nat) l.
  Proof.
    intros I. induction l as [|x l IH]; [reflexivity|]. cbn [filter]. destruct (among classes (key x)) eqn:E;
      cbn [filter].
    - now rewrite IH.
    - rewrite IH. destruct (Nat.eqb_spec (key x) c) as [<-|]; [|reflexivity].
      rewrite (proj2 (among_iff classes (key x)) I) in E. discriminate.
  Qed.

  Lemma ways_sum W order moves (F : nat -> nat -> Z) : window_ok V X W -> NoDup (map fst moves) ->
    (forall c, In c (map fst moves) -> In c (map fst (concat (concat (used V))))) ->
    zsum (map (fun way => zsum (map (F (snd way)) (concat (fst way)))) (ways_tokens W (in_order v order (pieces W))
      moves))
    = zsum (map (fun move => zsum (map (F (snd move)) (class_of L (fst move)))) moves).
  Proof.
    intros W_ok D U. unfold ways_tokens. rewrite map_map. cbn [fst snd].
    rewrite <- (zsum_by_key snd (fun state move => zsum (map (F state) (class_of L (fst move)))) (targets moves) moves
      (targets_NoDup moves)) by (intros move M; apply in_targets; now apply in_map).
    f_equal. apply map_ext. intros state. set (here := filter (fun move => (snd move =? state)%nat) moves).
    set (ps := in_order v order (pieces W)).
    assert (NoDup (map fst here)) as Dh.
    { unfold here. clear - D. induction moves as [|m ms IH]; [constructor|]. cbn in D. inversion_clear D as [|? ? N D'].
      cbn [filter]. destruct (snd m =? state)%nat; [|now apply IH]. cbn [map]. constructor;
        [|now apply IH]. contradict N.
      apply in_map_iff in N. destruct N as (x & E & I). apply filter_In in I. apply in_map_iff. now exists x. }
    assert (forall c, In c (map fst here) -> In c (map fst moves)) as sub.
    { intros c I. apply in_map_iff in I. destruct I as (x & <- & I). apply filter_In in I. now apply in_map. }
    rewrite zsum_concat, map_map.
    rewrite <- (zsum_by_key (@class) (fun _ x => zsum (map (F state) (piece_tokens W x))) (map fst here)
      (filter (fun x => among (map fst here) (class x)) ps) Dh)
      by (intros x I; apply filter_In in I; now apply among_iff).
    rewrite map_map. f_equal. apply map_ext_in. intros move M.
    rewrite filter_among by now apply in_map.
    rewrite <- (zsum_permutation _ _ (Permutation_map (F state)
      (class_pieces_tokens W order (fst move) W_ok (U _ (sub _ (in_map fst _ _ M)))))).
    rewrite zsum_concat, map_map. reflexivity.
  Qed.

  Lemma used_apart here state : In here (used V) -> NoDup (map fst (moves_at here state)).
  Proof.
    destruct (view_fields V X V_is) as (_ & M & _). intros I.
    assert (In here (fst (moves_left L q (free_moves L)))) as J by (unfold L, q; now rewrite M).
    apply (moves_left_apart L q (free_moves L)); [|exact J]. intros h s K.
    apply (moves_apart _ _ _ (level_is_ok V X V_is)). fold L. unfold free_moves in K. revert K. generalize (moves L).
      clear.
    intros l. induction l as [|x [|y l] IH]; cbn [removelast]; [easy | easy|].
    intros [->|K]; [now left | right; now apply IH].
  Qed.

  Definition tokens_layers (W : window) (ps : list piece) : list way_layer := map (map (ways_tokens W ps)) (used V).

  (** As many inputs by ways. *)
  Lemma inputs_completed W order : window_ok V X W ->
    forall f, how_many f (completed (tokens_layers W (in_order v order (pieces W))) 0) = how_many f inputs_of.
  Proof.
    intros W_ok f. rewrite <- inputs_are_used. unfold tokens_layers.
    assert (forall layers, incl layers (used V) -> forall f state,
      how_many f (completed (map (map (ways_tokens W (in_order v order (pieces W)))) layers) state)
      = how_many f (completions (class_of L) (fun _ => true) layers state)) as all; [|apply all, incl_refl].
    induction layers as [|here layers IH]; intros I g state; [reflexivity|]. cbn [map].
    rewrite how_many_completed, how_many_completions.
    replace (nth state (map (ways_tokens W (in_order v order (pieces W))) here) [])
      with (ways_tokens W (in_order v order (pieces W)) (moves_at here state))
      by (symmetry; exact (map_nth (ways_tokens W (in_order v order (pieces W))) here [] state)).
    specialize (IH (fun h J => I h (or_intror J))).
    rewrite (map_ext _ (fun way => zsum (map (fun t => how_many (fun ts => g (t :: ts))
      (completions (class_of L) (fun _ => true) layers (snd way))) (concat (fst way)))))
      by (intros way; f_equal; apply map_ext; intros t; apply IH).
    apply (ways_sum W order (moves_at here state) (fun to t => how_many (fun ts => g (t :: ts))
      (completions (class_of L) (fun _ => true) layers to)) W_ok).
    - apply used_apart, I. now left.
    - intros c C. apply in_map_iff in C. destruct C as (move & <- & M). apply in_map. apply in_concat.
      exists (moves_at here state). split; [|exact M]. apply in_concat. exists here. split; [apply I; now left|].
      unfold moves_at in *. destruct (nth_in_or_default state here []) as [K|E]; [exact K | rewrite E in M; destruct M].
  Qed.
End Inputs.

Section Counts.
  Hypothesis mul_encloses : forall x y a b k, encloses_sane x a -> encloses_sane y b ->
    encloses_sane (mul_scaled x y k) (a * b * powerRZ 2 k).

  Variables (V : view) (X : reals).
  Hypothesis V_is : encloses_view V X.
  Let L := the_level V.
  Let r := right_of V.
  Let v := vocab (shared V).
  Let n := context (shared V).
  Let q := query V.

  (** Sets of wrong answers, counted together. *)
  Variable sets : list answer_set.
  Hypothesis sets_wrong : forall s j, In s sets -> In j (members v s) -> (j < v)%nat /\ j <> r.
  Let groups := map (margin_of V) sets.

  Variables (W : window) (bounded : bool) (order : list nat).
  Hypothesis W_ok : window_ok V X W.
  Let ps := in_order v order (pieces W).

  Definition answers_of (g : nat) : list nat :=
    match nth_error sets g with Some set => members v set | None => [] end.

  Definition shows_of : list bool := map (fun g => (negb (any_far W) || bounded) && is_one g) groups.

  Lemma shows_set g : nth g shows_of false = true ->
    negb (any_far W) || bounded = true /\ exists j, nth_error sets g = Some (One j).
  Proof.
    unfold shows_of, groups. rewrite map_map. unfold is_one. cbn [set margin_of]. intros H.
    destruct (nth_error sets g) as [set'|] eqn:E.
    - rewrite (nth_error_nth _ _ _ (map_nth_error _ _ _ E)) in H. apply andb_true_iff in H. destruct H as [B H].
      split; [exact B|]. destruct set' as [j|]; [now exists j | discriminate].
    - apply nth_error_None in E. rewrite nth_overflow in H by (rewrite map_length; exact E). discriminate.
  Qed.

  Lemma shows_of_one g : nth g shows_of false = true -> exists j, answers_of g = [j].
  Proof. intros H. destruct (shows_set g H) as (_ & j & E). exists j. unfold answers_of. now rewrite E. Qed.

  Lemma groups_at g set' : nth_error sets g = Some set' -> nth_error groups g = Some (margin_of V set').
  Proof. intros E. now apply map_nth_error. Qed.

  (** *** The items of a position *)

  Section Position.
    Variable p : nat.
    Hypothesis p_below : (p < n - 1)%nat.
    Let either := if bounded then hull (far_term V W p) (far_below V W p) else far_term V W p.
    Let far_item (far : nat) : row * Z := (repeat either (length groups), Z.of_nat far).

    Lemma near_stands c t : In t (near_in W c) ->
      stands_for (phi X r) answers_of shows_of p (terms V groups t p, 1%Z) [t].
    Proof.
      intros I. apply (near_free _ _ _ W_ok) in I. destruct I as [_ T].
      pose proof (tokens_below _ _ _ (level_is_ok V X V_is) _ _ T) as Tv. fold v in Tv.
      split; [discriminate | reflexivity | |]; cbn [fst].
      - intros t' g j [<-|[]] J. unfold answers_of in J. destruct (nth_error sets g) as [set'|] eqn:E; [|easy].
        destruct (sets_wrong set' j (nth_error_In _ _ E) J) as [Jv Jr].
        now apply (terms_above mul_encloses V X V_is groups g set' t p j (groups_at _ _ E)).
      - intros t' g j [<-|[]] J G. destruct (shows_set g G) as (_ & j' & E). unfold answers_of in J. rewrite E in J.
        destruct J as [<-|[]]. destruct (sets_wrong _ j' (nth_error_In _ _ E) (or_introl eq_refl)) as [Jv Jr].
        now apply (terms_below mul_encloses V X V_is groups g t p j' (groups_at _ _ E)).
    Qed.

    Lemma far_stands c : (0 < far_in W c)%nat ->
      stands_for (phi X r) answers_of shows_of p (far_item (far_in W c)) (far_list V W c).
    Proof.
      intros F. pose proof (far_count _ _ _ W_ok c) as C. split.
      - intros E. rewrite E in C. cbn in C. lia.
      - unfold far_item. cbn [snd]. now rewrite C.
      - unfold far_item. cbn [fst]. intros t g j T J. unfold answers_of in J.
        destruct (nth_error sets g) as [set'|] eqn:E; [|easy].
        destruct (sets_wrong set' j (nth_error_In _ _ E) J) as [Jv Jr].
        assert (g < length groups)%nat as G by (unfold groups; rewrite map_length; apply nth_error_Some; congruence).
        unfold get. rewrite nth_indep with (d' := either) by (rewrite repeat_length; exact G). rewrite nth_repeat.
        pose proof (far_term_above V X V_is mul_encloses W c p t j W_ok T p_below Jv Jr) as A.
        unfold either. destruct bounded; [|exact A]. apply above_hull; [exact A|].
        exact (below_sane _ _ (far_below_below V X V_is mul_encloses W c p t j W_ok T p_below Jv)).
      - unfold far_item. cbn [fst]. intros t g j T J S. destruct (shows_set g S) as (B & j' & E).
        unfold answers_of in J. rewrite E in J. destruct J as [<-|[]].
        destruct (sets_wrong _ j' (nth_error_In _ _ E) (or_introl eq_refl)) as [Jv Jr].
        assert (g < length groups)%nat as G by (unfold groups; rewrite map_length; apply nth_error_Some; congruence).
        unfold get. rewrite nth_indep with (d' := either) by (rewrite repeat_length; exact G). rewrite nth_repeat.
        unfold either. destruct bounded.
        + apply below_hull.
          * exact (above_sane _ _ (far_term_above V X V_is mul_encloses W c p t j' W_ok T p_below Jv Jr)).
          * now apply (far_below_below V X V_is mul_encloses W c p t j' W_ok T p_below Jv).
        + rewrite orb_false_r in B. apply negb_true_iff in B. rewrite (far_none W c B) in F. lia.
    Qed.

    Lemma piece_stands x : In x ps ->
      stands_for (phi X r) answers_of shows_of p (found_at V bounded groups W p x) (piece_tokens V W x).
    Proof.
      intros I. apply (Permutation_in _ (in_order_permutation v order (pieces W))) in I.
      apply (piece_is V X W x W_ok) in I. unfold found_at, piece_tokens. destruct (near_token x) as [t|].
      - now apply (near_stands (class x)).
      - destruct I as [F ->]. now apply far_stands.
    Qed.

    (** The items of a way, among those of all ways on from the position. *)
    Theorem ways_covered here : let standing := filter (fun x => among (map fst (concat here)) (class x)) ps in
      Forall2 (Forall2 (way_covers (phi X r) answers_of shows_of p))
        (map (ways_on (map (fun x => (class x, found_at V bounded groups W p x)) standing)) here)
        (map (ways_tokens V W ps) here).
    Proof.
      cbn zeta. apply maps_related. intros moves M. unfold ways_on, ways_tokens. apply maps_related. intros state _.
      split; [|reflexivity]. cbn [fst].
      set (classes := map fst (filter (fun move : nat * nat => (snd move =? state)%nat) moves)).
      set (stands := fun c => among (map fst (concat here)) c).
      set (found := found_at V bounded groups W p). rewrite map_map. cbn [fst snd].
      assert (forall c, among classes c = true -> stands c = true) as sub.
      { intros c C. apply among_iff in C. apply among_iff. unfold classes in C. apply in_map_iff in C.
        destruct C as (move & <- & C). apply filter_In in C. apply in_map, in_concat. exists moves. now split. }
      assert (map (piece_tokens V W) (filter (fun x => among classes (class x)) ps)
        = map snd (filter (fun x => fst (fst x)) (map (fun x => (among classes (class x), found x, piece_tokens V W x))
            (filter (fun x => stands (class x)) ps)))) as ->.
      { induction ps as [|x xs IH]; [reflexivity|]. cbn [filter]. pose proof (sub (class x)) as C.
        destruct (among classes (class x)) eqn:A.
        - rewrite (C eq_refl). cbn [map filter fst snd]. rewrite A. cbn [map snd]. now rewrite IH.
        - rewrite IH. destruct (stands (class x)); [|reflexivity]. cbn [map filter fst]. now rewrite A. }
      rewrite <- (map_map (fun x => (among classes (class x), found x, piece_tokens V W x)) fst). apply items_cover.
      apply Forall_map, Forall_forall. intros x I. cbn [fst snd]. apply filter_In in I. now apply piece_stands.
    Qed.
  End Position.

  Lemma steps_follow : forall layers a, (a + length layers <= n - 1)%nat ->
    follow (phi X r) answers_of shows_of
      (steps_of (map2 (fun here p =>
        let standing := filter (fun x => among (map fst (concat here)) (class x)) ps in
        map (ways_on (map (fun x => (class x, found_at V bounded groups W p x)) standing)) here)
        layers (seq a (length layers)))) (map (map (ways_tokens V W ps)) layers) (seq a (length layers)).
  Proof.
    induction layers as [|here layers IH]; intros a B; [constructor|]. cbn [length seq map map2 steps_of] in *.
    constructor; [|apply IH; lia]. apply ways_covered. lia.
  Qed.

  Lemma view_follows : follow (phi X r) answers_of shows_of (steps_at V bounded groups W order)
    (tokens_layers V W ps) (seq 0 (n - 1)).
  Proof.
    pose proof (used_length V X V_is) as E. fold n in E. unfold steps_at, tokens_layers. fold v n ps. rewrite <- E.
    exact (steps_follow (used V) 0 (Nat.eq_le_incl _ _ E)).
  Qed.

  (** *** Sums *)

  Lemma outcome_input j input : length input = (n - 1)%nat ->
    outcome (phi X r) j (phi_last X r q n j) (seq 0 (n - 1)) input = input_sum X r q n j input.
  Proof. intros Len. rewrite (outcome_sum _ _ _ _ _ _ Len). unfold input_sum. apply Rplus_comm. Qed.

  Lemma last_sums : sums answers_of shows_of (last_terms V groups) (fun j => phi_last X r q n j).
  Proof.
    assert (forall g sum, In (g, sum) (last_terms V groups) -> exists set', nth_error sets g = Some set'
      /\ sum = last_term V (margin_of V set')) as each.
    { intros g sum I. unfold last_terms in I. rewrite <- (map_length (last_term V) groups) in I. apply in_numbered in I.
      destruct I as (i & -> & E). cbn [Nat.add]. unfold groups in E. rewrite map_map in E.
      rewrite nth_error_map in E. destruct (nth_error sets i) as [set'|]; [|discriminate]. exists set'.
      split; [reflexivity|]. now injection E. }
    split.
    - intros g sum j I J. destruct (each g sum I) as (set' & E & ->). unfold answers_of in J. rewrite E in J.
      destruct (sets_wrong set' j (nth_error_In _ _ E) J). now apply (last_term_above mul_encloses V X V_is).
    - intros g sum j I J H. destruct (each g sum I) as (set' & E & ->). destruct (shows_set g H) as (_ & j' & E').
      rewrite E in E'. injection E' as ->. unfold answers_of in J. rewrite E in J. destruct J as [<-|[]].
      destruct (sets_wrong _ j' (nth_error_In _ _ E) (or_introl eq_refl)).
      now apply (last_term_below mul_encloses V X V_is).
  Qed.

  (** Every answer of the sets is negative on an input. *)
  Definition sets_right (input : list nat) : bool :=
    forallb (fun j => negative (input_sum X r q n j input)) (flat_map (members v) sets).

  Lemma last_groups : map fst (last_terms V groups) = seq 0 (length sets).
  Proof.
    unfold last_terms. rewrite map_fst_combine by (rewrite seq_length, map_length; reflexivity).
    unfold groups. now rewrite map_length.
  Qed.

  Lemma good_right input : length input = (n - 1)%nat ->
    all_negative (phi X r) answers_of (map fst (last_terms V groups)) (fun j => phi_last X r q n j) (seq 0 (n - 1))
      input
      = true -> sets_right input = true.
  Proof.
    intros Len G. rewrite all_negative_iff, last_groups in G. apply forallb_forall.
    intros j J. apply in_flat_map in J. destruct J as (set' & I & J). apply (In_nth_error) in I. destruct I as (g & E).
    apply negative_iff. rewrite <- outcome_input by exact Len. apply (G g).
    - apply in_seq. assert (g < length sets)%nat by (apply nth_error_Some; congruence). lia.
    - unfold answers_of. now rewrite E.
  Qed.

  Lemma bad_wrong input : length input = (n - 1)%nat ->
    some_wrong (phi X r) answers_of shows_of (map fst (last_terms V groups)) (fun j => phi_last X r q n j) (seq 0 (n -
      1))
      input = true -> negb (sets_right input) = true.
  Proof.
    intros Len B. rewrite some_wrong_iff in B. destruct B as (g & j & _ & _ & J & B).
    rewrite outcome_input in B by exact Len. apply negb_true_iff, not_true_iff_false. intros R.
    unfold sets_right in R. rewrite forallb_forall in R. unfold answers_of in J.
    destruct (nth_error sets g) as [set'|] eqn:E; [|easy].
    specialize (R j). rewrite in_flat_map in R. specialize (R (ex_intro _ set' (conj (nth_error_In _ _ E) J))).
    apply negative_iff in R. lra.
  Qed.

  (** An input is a completion of the first position. *)
  Lemma input_completed input : In input (inputs_of V) -> In input (completed (tokens_layers V W ps) 0).
  Proof. apply how_many_in. intros f. symmetry. now apply (inputs_completed V X V_is). Qed.

  Local Open Scope Z_scope.

  (** The counts of a walk, by words or by the rule. *)
  Lemma walk_counts script : let found := fst (node shows_of (steps_at V bounded groups W order) 0 (last_terms V
    groups) script) in
    fst found <= how_many sets_right (inputs_of V)
    /\ snd found <= how_many (fun input => negb (sets_right input)) (inputs_of V).
  Proof.
    cbn zeta. destruct (node_counts _ _ _ shows_of_one _ _ _ view_follows O _ _ script last_sums) as [A B].
    unfold ps in A, B. rewrite !(inputs_completed V X V_is W order W_ok) in A, B.
    split; (eapply Z.le_trans; [eassumption|]); apply how_many_le; intros input I;
      [apply good_right | apply bad_wrong]; now apply (input_length V X).
  Qed.
End Counts.

Section Tree.
  Hypothesis mul_encloses : forall x y a b k, encloses_sane x a -> encloses_sane y b ->
    encloses_sane (mul_scaled x y k) (a * b * powerRZ 2 k).

  Variables (V : view) (X : reals).
  Hypothesis V_is : encloses_view V X.
  Variable sets : list answer_set.
  Hypothesis sets_wrong : forall s j, In s sets -> In j (members (vocab (shared V)) s) ->
    (j < vocab (shared V))%nat /\ j <> right_of V.
  Variable W : window.
  Hypothesis W_ok : window_ok V X W.
  Local Open Scope Z_scope.

  (** The counts of the level's inputs with the query. *)
  Theorem tree_counts order walk uncertified wrong : tree V (map (margin_of V) sets) W order walk
    = Derived (uncertified, wrong) ->
    all_inputs V - uncertified <= how_many (sets_right V X sets) (inputs_of V)
    /\ wrong <= how_many (fun input => negb (sets_right V X sets input)) (inputs_of V).
  Proof.
    unfold tree. destruct (127 <? _); [discriminate|]. set (bounded := existsb is_wrong_by walk).
    set (script := match walk with [] => None | _ => Some walk end).
    destruct (walk_counts mul_encloses V X V_is sets sets_wrong W bounded order W_ok script) as [A B]. cbv zeta in A, B.
    fold (shows_of V sets W bounded).
    destruct (fst (node _ _ _ _ _)) as [certified wrong']. intros [= <- <-]. cbn [fst snd] in A, B. split;
      [lia | exact B].
  Qed.
End Tree.
