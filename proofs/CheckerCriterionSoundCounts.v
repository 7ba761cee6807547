(** * Rule `tree` for a view (theorem [tree_counts]) *)

From Coq Require Import Reals ZArith List Bool Lia Lra Permutation.
From gbmi Require Import Model Fixed CheckerFast CheckerCertificate CheckerTable CheckerPaths CheckerRules CheckerLevels.
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

Lemma how_many_filter {A} (f g : A -> bool) l : how_many f (filter g l) = how_many (fun x => g x && f x) l.
Proof.
  induction l as [|x l IH]; [reflexivity|]. rewrite how_many_cons, <- IH. cbn [filter].
  destruct (g x); [now rewrite how_many_cons | reflexivity].
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
  Lemma inputs_completed W : window_ok V X W ->
    forall f, how_many f (completed (tokens_of V W) (used V) 0) = how_many f inputs_of.
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

  Variables (W : window) (bounded : bool).
  Hypothesis W_ok : window_ok V X W.

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

    Theorem items_covered c :
      covers (phi X r) answers_of shows_of p (nth c (items_at V bounded groups W p) []) (tokens_of V W c).
    Proof.
      assert (items_at V bounded groups W p
        = map items_of (by_items W (fun t => (terms V groups t p, 1%Z)) far_item)) as -> by reflexivity.
      match goal with |- context [nth c (map items_of ?l) []] =>
        replace (nth c (map items_of l) []) with (items_of (nth c l [])) by (symmetry; exact (map_nth items_of l [] c)) end.
      rewrite (by_items_at V X) by exact W_ok. apply items_cover. unfold tokens_of. apply Forall2_app.
      - pose proof (near_stands c) as N. induction (near_in W c) as [|t ts IH]; constructor; [apply N; now left|].
        apply IH. intros t' I. apply N. now right.
      - destruct (Nat.ltb_spec 0 (far_in W c)); constructor; [now apply far_stands | constructor].
    Qed.
  End Position.

  Lemma steps_follow : forall layers a, (a + length layers <= n - 1)%nat ->
    follow (phi X r) answers_of (tokens_of V W) shows_of
      (steps_of layers (map (items_at V bounded groups W) (seq a (length layers)))) layers (seq a (length layers)).
  Proof.
    induction layers as [|here layers IH]; intros a B; [constructor|]. cbn [length seq map steps_of] in *.
    constructor; [|apply IH; lia]. intros c. apply items_covered. lia.
  Qed.

  Lemma view_follows : follow (phi X r) answers_of (tokens_of V W) shows_of
    (steps_at V bounded groups W) (used V) (seq 0 (n - 1)).
  Proof.
    pose proof (used_length V X V_is) as E. fold n in E. unfold steps_at. fold n. rewrite <- E. apply steps_follow. lia.
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
    all_negative (phi X r) answers_of (map fst (last_terms V groups)) (fun j => phi_last X r q n j) (seq 0 (n - 1)) input
      = true -> sets_right input = true.
  Proof.
    intros Len G. rewrite all_negative_iff, last_groups in G. apply forallb_forall.
    intros j J. apply in_flat_map in J. destruct J as (set' & I & J). apply (In_nth_error) in I. destruct I as (g & E).
    apply negative_iff. rewrite <- outcome_input by exact Len. apply (G g).
    - apply in_seq. assert (g < length sets)%nat by (apply nth_error_Some; congruence). lia.
    - unfold answers_of. now rewrite E.
  Qed.

  Lemma bad_wrong input : length input = (n - 1)%nat ->
    some_wrong (phi X r) answers_of shows_of (map fst (last_terms V groups)) (fun j => phi_last X r q n j) (seq 0 (n - 1))
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
  Lemma input_completed input : In input (inputs_of V) -> In input (completed (tokens_of V W) (used V) 0).
  Proof. apply how_many_in. intros f. symmetry. now apply (inputs_completed V X). Qed.

  Local Open Scope Z_scope.

  (** The counts of a walk, by words or by the rule. *)
  Lemma walk_counts script : let found := fst (node shows_of (steps_at V bounded groups W) 0 (last_terms V groups) script) in
    fst found <= how_many sets_right (inputs_of V)
    /\ snd found <= how_many (fun input => negb (sets_right input)) (inputs_of V).
  Proof.
    cbn zeta. destruct (node_counts _ _ _ _ shows_of_one _ _ _ view_follows O _ _ script last_sums) as [A B].
    rewrite !(inputs_completed V X V_is W W_ok) in A, B.
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
  Theorem tree_counts walk uncertified wrong : tree V (map (margin_of V) sets) W walk = Derived (uncertified, wrong) ->
    all_inputs V - uncertified <= how_many (sets_right V X sets) (inputs_of V)
    /\ wrong <= how_many (fun input => negb (sets_right V X sets input)) (inputs_of V).
  Proof.
    unfold tree. destruct (127 <? _); [discriminate|]. set (bounded := existsb is_wrong_by walk).
    set (script := match walk with [] => None | _ => Some walk end).
    destruct (walk_counts mul_encloses V X V_is sets sets_wrong W bounded W_ok script) as [A B]. cbv zeta in A, B.
    fold (shows_of V sets W bounded).
    destruct (fst (node _ _ _ _ _)) as [certified wrong']. intros [= <- <-]. cbn [fst snd] in A, B. split; [lia | exact B].
  Qed.
End Tree.
