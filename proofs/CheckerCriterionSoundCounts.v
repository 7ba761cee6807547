(** * Rule `tree` for a view (theorem [tree_counts]) *)

From Coq Require Import Reals ZArith List Bool Lia Lra Permutation.
From gbmi Require Import Model Fixed CheckerFast CheckerCertificate CheckerTable CheckerPaths CheckerRules.
From gbmi Require Import CheckerCriterion CheckerCriterionSoundHalves CheckerCriterionSoundOrder.
From gbmi Require Import CheckerCriterionSoundCount CheckerTreeSound CheckerCriterionSoundRoots.
From gbmi Require Import CheckerCriterionSoundView CheckerCriterionSoundWindow.
From gbmi Require Counting.
Import ListNotations.
Local Open Scope R_scope.
Local Opaque everything LIMIT add.

(** ** Columns *)

Lemma map2_cons_columns : forall (r : row) columns g, length r = length columns ->
  length (map2 cons r columns) = length columns
  /\ ((g < length columns)%nat -> nth g (map2 cons r columns) [] = get r g :: nth g columns []).
Proof.
  unfold get. induction r as [|x r IH]; intros [|c columns] g L; cbn in *; try discriminate; [now split|].
  destruct (IH columns (pred g) ltac:(lia)) as [A B]. split; [now rewrite A|].
  destruct g as [|g]; [reflexivity|]. intros G. apply B. cbn. lia.
Qed.

Lemma transposed_columns k rs : rs <> [] -> (forall r, In r rs -> length r = k) ->
  forall g, (g < k)%nat -> nth g (transposed rs) [] = map (fun r => get r g) rs.
Proof.
  intros N L g G. destruct rs as [|r0 rs]; [easy|]. unfold transposed.
  assert (forall rows, (forall r, In r rows -> length r = k) ->
    length (fold_right (map2 cons) (map (fun _ : ival => @nil ival) r0) rows) = k
    /\ nth g (fold_right (map2 cons) (map (fun _ : ival => @nil ival) r0) rows) [] = map (fun r => get r g) rows) as H.
  { induction rows as [|r rows IH]; intros Lr; cbn [fold_right map].
    - split; [rewrite map_length; apply L; now left|]. clear. revert g. induction r0; intros [|g]; cbn; auto.
    - destruct IH as [Lk Nk]; [intros r' I; apply Lr; now right|].
      specialize (Lr r (or_introl eq_refl)).
      destruct (map2_cons_columns r _ g (eq_trans Lr (eq_sym Lk))) as [A B]. split; [congruence|].
      rewrite B by (rewrite Lk; exact G). now rewrite Nk. }
  now apply H.
Qed.

Lemma hull_if_hinted (hints : list (list nat)) (a b : ival) : (match hints with [] => false | _ => true end) = true ->
  match hints with [] => a | _ => hull a b end = hull a b.
Proof. now destruct hints. Qed.

Lemma if_hinted (hints : list (list nat)) (P : ival -> Prop) a b : P a -> P b ->
  P (match hints with [] => a | _ => b end).
Proof. now destruct hints. Qed.

Lemma nth_map2 {A B C} (f : A -> B -> C) : forall xs ys g dx d,
  nth g (map2 f xs ys) d = d \/ exists y, (g < length xs)%nat /\ nth g (map2 f xs ys) d = f (nth g xs dx) y.
Proof.
  induction xs as [|x xs IH]; intros [|y ys] [|g] dx d; cbn [map2 nth]; auto.
  - right. exists y. split; [cbn; lia | reflexivity].
  - destruct (IH ys g dx d) as [E|(y' & L & E)]; [now left|]. right. exists y'. split; [cbn; lia | exact E].
Qed.

(** ** Inputs *)

(** The sum for answer j over the positions of an input: tokens [s] before query q. *)
Definition input_sum (X : reals) (m q n j : nat) (s : list nat) : R :=
  sum (n - 1) (fun p => phi X m j p (nth p s O)) + phi_last X m q n j.

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

Lemma rows_length tokens k s : In s (rows tokens k) -> length s = k.
Proof.
  revert s. induction k as [|k IH]; intros s I; cbn [rows] in I; [now destruct I as [<-|[]]|].
  apply in_flat_map in I. destruct I as (t & _ & I). apply in_map_iff in I. destruct I as (s' & <- & I).
  cbn. now rewrite (IH s').
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

Section Counts.
  Hypothesis mul_encloses : forall x y a b k, encloses_sane x a -> encloses_sane y b ->
    encloses_sane (mul_scaled x y k) (a * b * powerRZ 2 k).

  Variables (V : view) (X : reals).
  Hypothesis V_is : encloses_view V X.
  Let m := the_max (at_max V).
  Let v := vocab (shared V).
  Let n := context (shared V).

  (** Sets of wrong answers, counted together. *)
  Variable sets : list answer_set.
  Hypothesis sets_wrong : forall s j, In s sets -> In j (members v s) -> (j < v)%nat /\ j <> m.
  Let groups := map (margin_of V) sets.

  Variables (W : window) (s : script).
  Hypothesis W_ok : window_ok V X W.

  Definition answers_of (g : nat) : list nat :=
    match nth_error sets g with Some set => members v set | None => [] end.

  Let lower_bounded := (far W =? 0)%nat || match lower_hints s with [] => false | _ => true end.
  Definition shows_of : list bool :=
    map (fun g => lower_bounded && match set g with One _ => true | Marked _ => false end) groups.

  Lemma shows_set g : nth g shows_of false = true ->
    lower_bounded = true /\ exists j, nth_error sets g = Some (One j).
  Proof.
    unfold shows_of, groups. rewrite map_map. cbn [set margin_of]. intros H.
    destruct (nth_error sets g) as [set'|] eqn:E.
    - rewrite (nth_error_nth _ _ _ (map_nth_error _ _ _ E)) in H. apply andb_true_iff in H. destruct H as [L H].
      split; [exact L|]. destruct set' as [j|]; [now exists j | discriminate].
    - apply nth_error_None in E. rewrite nth_overflow in H by (rewrite map_length; exact E). discriminate.
  Qed.

  Lemma shows_of_one g : nth g shows_of false = true -> exists j, answers_of g = [j].
  Proof. intros H. destruct (shows_set g H) as (_ & j & E). exists j. unfold answers_of. now rewrite E. Qed.

  (** *** The items of a position *)

  Definition classes_of : list (list nat) :=
    map (fun t => [t]) (near W) ++ (if (0 <? far W)%nat then [far_list m W] else []).

  Lemma groups_at g set' : nth_error sets g = Some set' -> nth_error groups g = Some (margin_of V set').
  Proof. intros E. now apply map_nth_error. Qed.

  Section Position.
    Variable p : nat.
    Hypothesis p_below : (p < n - 1)%nat.
    Let P := position_of V groups W s p.
    Let either := match lower_hints s with [] => far_term V W p | _ => hull (far_term V W p) (far_below V W p) end.

    Lemma items_are : items P = map (fun t => terms V groups t p) (near W)
      ++ (if (0 <? far W)%nat then [repeat either (length groups)] else []).
    Proof. unfold P, position_of. reflexivity. Qed.

    Lemma item_cases i t : In t (nth i classes_of []) ->
      (i < length (items P))%nat
      /\ (In t (near W) /\ nth i (items P) [] = terms V groups t p
          \/ (0 < far W)%nat /\ In t (far_list m W) /\ nth i (items P) [] = repeat either (length groups)).
    Proof.
      intros I. rewrite items_are. unfold classes_of in I. destruct (Nat.lt_ge_cases i (length (near W))) as [L|L].
      - rewrite app_nth1 in I by (rewrite map_length; exact L).
        rewrite nth_indep with (d' := (fun t => [t]) 0%nat) in I by (rewrite map_length; exact L).
        rewrite (map_nth (fun t => [t])) in I. destruct I as [<-|[]]. split.
        + rewrite app_length, map_length. lia.
        + left. split; [now apply nth_In|]. rewrite app_nth1 by (rewrite map_length; exact L).
          rewrite nth_indep with (d' := (fun t => terms V groups t p) 0%nat) by (rewrite map_length; exact L).
          apply (map_nth (fun t => terms V groups t p)).
      - rewrite app_nth2 in I by (rewrite map_length; exact L). rewrite map_length in I.
        destruct (Nat.ltb_spec 0 (far W)) as [F|F]; [|now destruct (i - length (near W))%nat].
        destruct (i - length (near W))%nat as [|i'] eqn:E; [|now destruct i'].
        cbn in I. split.
        + rewrite app_length, map_length. cbn. lia.
        + right. repeat split; [exact F | exact I|]. rewrite app_nth2 by (rewrite map_length; exact L).
          rewrite map_length, E. reflexivity.
    Qed.

    Lemma far_sane t : In t (far_list m W) -> sane (far_term V W p) /\ sane (far_below V W p).
    Proof.
      intros I. pose proof (max_below V X V_is) as Mv. pose proof (two_positions V X V_is) as N2.
      split.
      - unfold far_term. destruct (strongest_far W) as [st|] eqn:S; [|apply sane_everything].
        rewrite fast_mul_scaled_eq. apply sane_imax; [|exact (above_sane _ _ (proj1 (zero_encloses V)))].
        destruct (strongest V X W W_ok st t S I) as [A _].
        apply (sane_mul mul_encloses); [exact (above_sane _ _ (A p ltac:(unfold n in *; lia)))|].
        destruct (Nat.eq_dec m 0) as [Z|Z].
        + exfalso. pose proof (far_lt V X W t W_ok I). fold m in H. lia.
        + pose proof (far_lt V X W t W_ok I) as T. fold m in T.
          assert (exists j, (j < v)%nat /\ j <> m) as (j & J & N) by (exists 0%nat; unfold m, v in *; lia).
          unfold far_margin. apply sane_add.
          * exact (above_sane _ _ (far_tokens_above V X V_is p t j p_below T J N)).
          * exact (above_sane _ _ (far_query_above V X V_is j J N)).
      - apply (below_sane _ (phi X m m p t)). apply (far_below_below V X V_is mul_encloses); auto.
    Qed.

    Lemma item_above i t g j : In t (nth i classes_of []) -> In j (answers_of g) ->
      above (get (nth i (items P) []) g) (phi X m j p t).
    Proof.
      intros I J. unfold answers_of in J. destruct (nth_error sets g) as [set'|] eqn:E; [|easy].
      destruct (sets_wrong set' j (nth_error_In _ _ E) J) as [Jv Jm].
      assert (g < length groups)%nat as G by (unfold groups; rewrite map_length; apply nth_error_Some; congruence).
      pose proof (max_below V X V_is) as Mv.
      destruct (item_cases i t I) as [_ [(T & ->) | (F & T & ->)]].
      - apply (terms_above mul_encloses V X V_is groups g set' t p j (groups_at _ _ E)); auto.
        pose proof (near_upto V X W W_ok t T). unfold v, m in *; lia.
      - unfold get. rewrite nth_indep with (d' := either) by (rewrite repeat_length; exact G). rewrite nth_repeat.
        pose proof (far_term_above V X V_is mul_encloses W p t j W_ok T p_below Jv Jm) as A.
        unfold either. apply (if_hinted (lower_hints s) (fun I => above I _)); [exact A|].
        apply above_hull; [exact A|]. now apply (far_sane t).
    Qed.

    Lemma item_below i t g j : In t (nth i classes_of []) -> In j (answers_of g) -> nth g shows_of false = true ->
      below (get (nth i (items P) []) g) (phi X m j p t).
    Proof.
      intros I J H. destruct (shows_set g H) as (L & j' & E). unfold answers_of in J. rewrite E in J.
      destruct J as [<-|[]]. destruct (sets_wrong _ j' (nth_error_In _ _ E) (or_introl eq_refl)) as [Jv Jm].
      assert (g < length groups)%nat as G by (unfold groups; rewrite map_length; apply nth_error_Some; congruence).
      pose proof (max_below V X V_is) as Mv.
      destruct (item_cases i t I) as [_ [(T & ->) | (F & T & ->)]].
      - apply (terms_below mul_encloses V X V_is groups g t p j' (groups_at _ _ E)); auto.
        pose proof (near_upto V X W W_ok t T). unfold v, m in *; lia.
      - unfold get. rewrite nth_indep with (d' := either) by (rewrite repeat_length; exact G). rewrite nth_repeat.
        pose proof (far_below_below V X V_is mul_encloses W p t j' W_ok T p_below Jv) as A.
        apply orb_true_iff in L. destruct L as [L|L]; [apply Nat.eqb_eq in L; lia|].
        unfold either. rewrite hull_if_hinted by exact L. apply below_hull; [now apply (far_sane t) | exact A].
    Qed.

    Lemma class_nonempty i : (i < length (items P))%nat -> exists t, In t (nth i classes_of []).
    Proof.
      rewrite items_are, app_length, map_length. unfold classes_of. intros L.
      destruct (Nat.lt_ge_cases i (length (near W))) as [K|K].
      - exists (nth i (near W) 0%nat). rewrite app_nth1 by (rewrite map_length; exact K).
        rewrite nth_indep with (d' := (fun t => [t]) 0%nat) by (rewrite map_length; exact K).
        rewrite (map_nth (fun t => [t])). now left.
      - rewrite app_nth2 by (rewrite map_length; exact K). rewrite map_length.
        destruct (Nat.ltb_spec 0 (far W)) as [F|F]; cbn [length] in L; [|lia].
        replace (i - length (near W))%nat with 0%nat by lia. cbn [nth]. rewrite (far_count V X W W_ok) in F.
        fold m in F.
        revert F. generalize (far_list m W). intros [|t ts] F; [cbn in F; lia|]. exists t. now left.
    Qed.

    Lemma column_is g j : In j (answers_of g) ->
      nth g (transposed (items P)) [] = map (fun r => get r g) (items P)
      /\ Forall sane (map (fun r => get r g) (items P)).
    Proof.
      intros J. assert (g < length groups)%nat as G.
      { unfold answers_of in J. unfold groups. rewrite map_length. apply nth_error_Some.
        destruct (nth_error sets g); [discriminate | easy]. }
      split.
      - apply transposed_columns with (length groups); [| |exact G].
        + rewrite items_are. destruct (m_first V X W W_ok) as (rest & ->). discriminate.
        + intros r I. rewrite items_are in I. apply in_app_iff in I. destruct I as [I|I].
          * apply in_map_iff in I. destruct I as (t & <- & _). apply map_length.
          * destruct (0 <? far W)%nat; [|easy]. destruct I as [<-|[]]. apply repeat_length.
      - apply Forall_forall. intros x I. apply in_map_iff in I. destruct I as (r & <- & I).
        apply (In_nth _ _ []) in I. destruct I as (i & L & <-). destruct (class_nonempty i L) as (t & T).
        exact (above_sane _ _ (item_above i t g j T J)).
    Qed.

    Lemma get_column i g : (i < length (items P))%nat ->
      get (map (fun r => get r g) (items P)) i = get (nth i (items P) []) g.
    Proof.
      intros L. unfold get at 1. rewrite nth_indep with (d' := (fun r => get r g) []) by (rewrite map_length; exact L).
      apply (map_nth (fun r => get r g)).
    Qed.

    Lemma most_orders_are : exists hints,
      most_orders P = map2 (fun column hint => descending hint column) (transposed (items P)) hints.
    Proof. eexists. reflexivity. Qed.

    Lemma least_orders_are : exists hints,
      least_orders P = map2 (fun column hint => match hint with [] => no_order | _ => ascending hint column end)
        (transposed (items P)) hints.
    Proof. eexists. reflexivity. Qed.

    Theorem position_describes : describes (phi X m) answers_of classes_of shows_of P p.
    Proof.
      split.
      - rewrite items_are. unfold classes_of. rewrite !app_length, !map_length. now destruct (0 <? far W)%nat.
      - unfold P, position_of, classes_of. cbn [times_of]. rewrite map_app, !map_map. f_equal.
        destruct (0 <? far W)%nat; [|reflexivity]. cbn [map]. rewrite (far_count V X W W_ok). reflexivity.
      - apply item_above.
      - apply item_below.
      - intros member i t g j I M J. destruct (column_is g j J) as [C S].
        destruct (item_cases i t I) as [L _].
        destruct most_orders_are as (hints & ->). set (f := fun column hint => _).
        destruct (nth_map2 f (transposed (items P)) hints g [] no_order) as [-> | (hint & _ & ->)];
          [apply above_everything|]. unfold f.
        rewrite C. unfold most_of. destruct (bound member _) as [[k best]|] eqn:B; [|apply above_everything].
        cbn [snd]. refine (descending_above hint _ _ _ _ i _ S B _ M _); [now rewrite map_length|].
        rewrite get_column by exact L. now apply item_above.
      - intros member i t g j I M J H. destruct (column_is g j J) as [C S].
        destruct (item_cases i t I) as [L _].
        destruct least_orders_are as (hints & ->). set (f := fun column hint => _).
        destruct (nth_map2 f (transposed (items P)) hints g [] no_order) as [-> | (hint & _ & ->)];
          [apply below_everything|]. unfold f.
        rewrite C. unfold least_of. destruct hint as [|h0 hint]; [apply below_everything|].
        destruct (bound member _) as [[k best]|] eqn:B; [|apply below_everything].
        cbn [snd option_map or_everything]. refine (ascending_below (h0 :: hint) _ _ _ _ i _ S B _ M _).
        + now rewrite map_length.
        + rewrite get_column by exact L. now apply item_below.
    Qed.
  End Position.

  (** *** All inputs *)

  Let q := query V.
  Let last := combine (seq 0 (length groups)) (map (last_term V) groups).
  Let positions := map (position_of V groups W s) (seq 0 (n - 1)).

  Lemma classes_tokens : Permutation (concat classes_of) (seq 0 (S m)).
  Proof.
    assert (concat classes_of = near W ++ far_list m W) as ->.
    { unfold classes_of. rewrite concat_app. f_equal.
      - induction (near W) as [|t ts IH]; [reflexivity|]. cbn. now rewrite IH.
      - pose proof (far_count V X W W_ok) as C. fold m in C. rewrite C. revert C. generalize (far_list m W).
        intros [|t ts] _; [reflexivity|]. cbn. now rewrite app_nil_r. }
    apply (near_and_far V); [apply (near_distinct V X W W_ok) | apply (near_upto V X W W_ok)].
  Qed.

  Lemma classes_m : exists others, classes_of = [m] :: others /\ ~ In m (concat others).
  Proof.
    pose proof classes_tokens as E. pose proof (seq_NoDup (S m) 0) as D.
    apply (Permutation_NoDup (Permutation_sym E)) in D. clear E. unfold classes_of in *.
    destruct (m_first V X W W_ok) as (rest & N). fold m in N. rewrite N in *. cbn [map app] in *. eexists.
    split; [reflexivity|]. cbn [concat app] in D. now inversion D.
  Qed.

  Lemma positions_described p P : (p < length positions)%nat ->
    describes (phi X m) answers_of classes_of shows_of (nth p positions P) p.
  Proof.
    unfold positions. rewrite map_length, seq_length. intros L.
    rewrite nth_indep with (d' := position_of V groups W s 0) by (rewrite map_length, seq_length; exact L).
    rewrite map_nth, seq_nth by exact L. now apply position_describes.
  Qed.

  Lemma last_sums : sums answers_of shows_of last (fun j => phi_last X m q n j).
  Proof.
    assert (forall g sum, In (g, sum) last -> exists set', nth_error sets g = Some set'
      /\ sum = last_term V (margin_of V set')) as each.
    { intros g sum I. unfold last in I. rewrite <- (map_length (last_term V) groups) in I. apply in_numbered in I.
      destruct I as (i & -> & E). cbn [Nat.add]. unfold groups in E. rewrite map_map in E.
      rewrite nth_error_map in E. destruct (nth_error sets i) as [set'|]; [|discriminate]. exists set'.
      split; [reflexivity|]. now injection E. }
    split.
    - unfold last. rewrite map_fst_combine by (rewrite seq_length, map_length; reflexivity). apply seq_NoDup.
    - intros g sum j I J. destruct (each g sum I) as (set' & E & ->). unfold answers_of in J. rewrite E in J.
      destruct (sets_wrong set' j (nth_error_In _ _ E) J). now apply (last_term_above mul_encloses V X V_is).
    - intros g sum j I J H. destruct (each g sum I) as (set' & E & ->). destruct (shows_set g H) as (_ & j' & E').
      rewrite E in E'. injection E' as ->. unfold answers_of in J. rewrite E in J. destruct J as [<-|[]].
      destruct (sets_wrong _ j' (nth_error_In _ _ E) (or_introl eq_refl)).
      now apply (last_term_below mul_encloses V X V_is).
  Qed.

  (** Every answer of the sets is negative on an input. *)
  Definition sets_right (input : list nat) : bool :=
    forallb (fun j => negative (input_sum X m q n j input)) (flat_map (members v) sets).

  Lemma last_groups : map fst last = seq 0 (length sets).
  Proof.
    unfold last. rewrite map_fst_combine by (rewrite seq_length, map_length; reflexivity).
    unfold groups. now rewrite map_length.
  Qed.

  Lemma outcome_input j input : length input = (n - 1)%nat ->
    outcome (phi X m) j (phi_last X m q n j) (seq 0 (length positions)) input = input_sum X m q n j input.
  Proof.
    intros L. unfold positions. rewrite map_length, seq_length, (outcome_sum _ _ _ _ _ _ L). unfold input_sum.
    apply Rplus_comm.
  Qed.

  Lemma good_right input : length input = (n - 1)%nat ->
    good (phi X m) answers_of positions last (fun j => phi_last X m q n j) input = true -> sets_right input = true.
  Proof.
    intros L G. unfold good in G. rewrite all_negative_iff, last_groups in G. apply forallb_forall.
    intros j J. apply in_flat_map in J. destruct J as (set' & I & J). apply (In_nth_error) in I. destruct I as (g & E).
    apply negative_iff. rewrite <- outcome_input by exact L. apply (G g).
    - apply in_seq. assert (g < length sets)%nat by (apply nth_error_Some; congruence). lia.
    - unfold answers_of. now rewrite E.
  Qed.

  Lemma bad_wrong input : length input = (n - 1)%nat ->
    bad (phi X m) answers_of shows_of positions last (fun j => phi_last X m q n j) input = true ->
    negb (sets_right input) = true.
  Proof.
    intros L B. unfold bad in B. rewrite some_wrong_iff in B. destruct B as (g & j & _ & _ & J & B).
    rewrite outcome_input in B by exact L. apply negb_true_iff, not_true_iff_false. intros R.
    unfold sets_right in R. rewrite forallb_forall in R. unfold answers_of in J.
    destruct (nth_error sets g) as [set'|] eqn:E; [|easy].
    specialize (R j). rewrite in_flat_map in R. specialize (R (ex_intro _ set' (conj (nth_error_In _ _ E) J))).
    apply negative_iff in R. lra.
  Qed.

  Local Open Scope Z_scope.

  (** The counts of the pair's inputs. *)
  Theorem tree_counts uncertified wrong : tree V groups W s = Derived (uncertified, wrong) ->
    inputs_of V - uncertified <= how_many sets_right (Counting.pair_inputs n m q)
    /\ wrong <= how_many (fun input => negb (sets_right input)) (Counting.pair_inputs n m q).
  Proof.
    unfold tree. destruct (127 <? _); [discriminate|]. fold groups last. fold n positions.
    replace (map (fun g : margin => ((far W =? 0)%nat || match lower_hints s with [] => false | _ => true end)
      && match set g with One _ => true | Marked _ => false end) groups) with shows_of by reflexivity.
    destruct (walk shows_of (steps_hint s) _) as [certified wrong'] eqn:Wk. intros [= <- <-].
    fold q m in Wk. destruct classes_m as (others & Ec & apart). pose proof positions_described as Pd. rewrite Ec in Pd.
    assert (forall p, (p < length positions)%nat -> forall P,
      describes (phi X m) answers_of ([m] :: others) shows_of (nth p positions P) p) as Pd' by (intros; now apply Pd).
    assert (forall f g : list nat -> bool, (forall input, length input = (n - 1)%nat -> f input = true ->
      g input = true) ->
      how_many (fun input => ((q =? m)%nat || has_m m input) && f input)
        (rows (concat ([m] :: others)) (length positions))
      <= how_many g (Counting.pair_inputs n m q)) as back.
    { intros f g H. unfold Counting.pair_inputs. rewrite how_many_filter, <- rows_sequences, Nat.add_1_r.
      rewrite <- (rows_permutation _ _ (n - 1) classes_tokens), Ec.
      assert (length positions = (n - 1)%nat) as -> by (unfold positions; now rewrite map_length, seq_length).
      apply how_many_le. intros input I E. apply rows_length in I. apply andb_true_iff in E. destruct E as [E F].
      apply andb_true_iff. split; [exact E | now apply H]. }
    assert (certified <= how_many sets_right (Counting.pair_inputs n m q)
            /\ wrong' <= how_many (fun input => negb (sets_right input)) (Counting.pair_inputs n m q)) as [A B];
      [|split; [lia | exact B]].
    destruct (Nat.eqb_spec q m) as [E|E].
    - pose proof (tree_free (phi X m) answers_of m others shows_of shows_of_one positions Pd' last _ last_sums
        (steps_hint s)) as T. cbv zeta in T.
      match type of T with fst ?found <= _ /\ _ => replace found with (certified, wrong') in T by exact (eq_sym Wk) end.
      cbn [fst snd] in T. destruct T as [A B].
      split; (eapply Z.le_trans; [eassumption|]).
      + eapply Z.le_trans; [|apply (back _ _ good_right)]. apply Z.eq_le_incl, how_many_ext. reflexivity.
      + eapply Z.le_trans; [|apply (back _ _ bad_wrong)]. apply Z.eq_le_incl, how_many_ext. reflexivity.
    - pose proof (tree_patterns (phi X m) answers_of m others apart shows_of shows_of_one positions Pd' last _ last_sums
        (steps_hint s)) as T. cbv zeta in T.
      set (dummy := {| items := []; times_of := []; most_orders := []; least_orders := [] |}) in *.
      rewrite (map2_numbered _ dummy) in Wk.
      assert (map (root positions last) (seq 0 (length positions))
        = map (fun i => (steps_of (Some i) 0 positions, extended (hd [] (items (nth (i - 0) positions dummy))) last))
            (seq 0 (length positions))) as R.
      { apply map_ext. intros i. now rewrite Nat.sub_0_r. }
      rewrite R in T.
      match type of T with fst ?found <= _ /\ _ => replace found with (certified, wrong') in T by exact (eq_sym Wk) end.
      cbn [fst snd] in T. destruct T as [A B].
      split; (eapply Z.le_trans; [eassumption|]); [apply (back _ _ good_right) | apply (back _ _ bad_wrong)].
  Qed.
End Counts.
