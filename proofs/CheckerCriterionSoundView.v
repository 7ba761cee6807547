(** * Enclosures of one query and one level: terms of tokens *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From gbmi Require Import Fixed CheckerFast CheckerCertificate CheckerTable CheckerRules CheckerLevels CheckerCriterion.
From gbmi Require Import CheckerLevelsSound CheckerCriterionSoundHalves CheckerCriterionSoundOrder.
Import ListNotations.
Local Open Scope R_scope.

(** ** What a view encloses *)

(** The numbers that are enclosed, for a query q and a level with right answer r; weights in the level's unit. *)
Record reals := {
  score_of : nat -> R;             (** A(q,t) *)
  by_token_of : nat -> R;          (** exp A(q,t) *)
  by_position_of : nat -> R;       (** exp B(q,p) *)
  logit_of : nat -> nat -> nat -> R;  (** R(t,p,j) by answer j, position p, token t *)
  query_of : nat -> R;             (** D(q,j), offset taken off *)
  last_of : nat -> R               (** EV(q,j) + PV(n-1,j) + D(q,j) *)
}.

Definition weight_of (X : reals) (t p : nat) : R := by_token_of X t * by_position_of X p.

(** By how much answer j exceeds r, at token t and position p < n - 1, and at the last one; in any unit. *)
Definition margin_of_reals (X : reals) (r j p t : nat) : R :=
  (logit_of X j p t - logit_of X r p t) + (query_of X j - query_of X r).
Definition phi (X : reals) (r j p t : nat) : R := weight_of X t p * margin_of_reals X r j p t.
Definition phi_last (X : reals) (r q n j : nat) : R := weight_of X q (n - 1) * (last_of X j - last_of X r).

(** A row of [v] entries that enclose [f], in order by a hint if at all. *)
Record row_encloses (v : nat) (r : ordered) (f : nat -> R) : Prop := {
  row_length : length (row_of r) = v;
  row_entries : forall j, (j < v)%nat -> encloses_sane (get (row_of r) j) (f j);
  row_order : match order_of r with Some o => exists hint, o = descending hint (row_of r) | None => True end
}.

Definition the_level (V : view) : level := of_level (at_level V).
Definition right_of (V : view) : nat := right_answer (the_level V).

Section Scaled.
  Variable V : view.
  (** The unit of a token's weights in that of the level. *)
  Definition unit_of (t : nat) : R := powerRZ 2 (shift V (source_at V t)).
End Scaled.

Record encloses_view (V : view) (X : reals) : Prop := {
  level_is_ok : level_ok (vocab (shared V)) (context (shared V)) (the_level V);
  query_is_below : (query V < vocab (shared V))%nat;
  two_positions : (2 <= context (shared V))%nat;
  at_level_is : at_level V = level_view_of (shared V) (the_level V);
  view_is : V = view_of (shared V) (at_level V) (query V);
  positions_count : length (token_rows (shared V)) = (context (shared V) - 1)%nat;
  position_rows : forall rows, In rows (token_rows (shared V)) -> length rows = vocab (shared V);
  token_rows_are : forall t p, (t < vocab (shared V))%nat -> (p < context (shared V) - 1)%nat ->
    row_encloses (vocab (shared V)) (token_row V t p) (fun j => logit_of X j p t);
  query_row_is : row_encloses (vocab (shared V)) (query_row V) (query_of X);
  last_row_is : row_encloses (vocab (shared V)) (last_row V) (last_of X);
  widest_is : forall j p t, (j < vocab (shared V))%nat -> (t < vocab (shared V))%nat ->
    (p < context (shared V) - 1)%nat ->
    above (widest (shared V)) (- margin_of_reals X (right_of V) j p t);
  by_token_pos : forall t, 0 < by_token_of X t;
  by_position_pos : forall p, 0 < by_position_of X p;
  weights_are : forall t p, (t < vocab (shared V))%nat -> (p < context (shared V))%nat ->
    encloses_sane (weight (source_at V t) p) (weight_of X t p / unit_of V t);
  alphas_are : forall t, (t < vocab (shared V))%nat ->
    encloses_sane (alpha (source_at V t)) (by_token_of X t / unit_of V t);
  beta_sum_is : encloses_sane (beta_sum (own V))
    (fold_right Rplus 0 (map (by_position_of X) (seq 0 (context (shared V) - 1))));
  beta_min_is : exists least, encloses_sane (beta_min (own V)) least
    /\ forall p, (p < context (shared V) - 1)%nat -> least <= by_position_of X p;
  (** Scores in order: what bounds a score from above bounds its weights. *)
  token_order_is : token_order (own V) = None
    \/ exists hint row, token_order (own V) = Some (descending hint row) /\ length row = vocab (shared V)
       /\ (forall t, (t < vocab (shared V))%nat -> above (get row t) (score_of X t))
       /\ forall s t, (s < vocab (shared V))%nat -> (t < vocab (shared V))%nat -> above (get row s) (score_of X t) ->
          (forall p, (p < context (shared V))%nat ->
            above (weight (source_at V s) p) (weight_of X t p / unit_of V s))
          /\ above (alpha (source_at V s)) (by_token_of X t / unit_of V s)
}.

(** The answers of a set. *)
Definition members (v : nat) (s : answer_set) : list nat :=
  match s with One j => [j] | Marked marks => filter (marked marks) (seq 0 v) end.

(** ** Products *)

Lemma power_pos k : 0 < powerRZ 2 k.
Proof. apply powerRZ_lt. lra. Qed.

Definition low (I : ival) : R := IZR (lo I) / 2 ^ 48.

Lemma encloses_low I : sane I -> encloses_sane I (low I).
Proof.
  intros S. assert (low I * 2 ^ 48 = IZR (lo I)) as E by (unfold low; pose proof unit_pos; field).
  split; split; try exact S; right; rewrite E; [apply IZR_le, (sane_order I S) | lra].
Qed.

Lemma below_low I x : below I x -> (- LIMIT <= lo I)%Z -> low I <= x.
Proof.
  intros [_ [H|H]] L; [lia|]. assert (low I * 2 ^ 48 = IZR (lo I)) as E by (unfold low; pose proof unit_pos; field).
  rewrite <- E in H. pose proof unit_pos. nra.
Qed.

Lemma product_beyond_l a b : (LIMIT < Z.abs a)%Z -> product a b = None.
Proof.
  intros L. unfold product. assert (fits 64 a = false) as ->.
  { unfold fits. change (2 ^ (64 - 1))%Z with 9223372036854775808%Z.
    assert (9223372036854775808 < LIMIT)%Z by reflexivity.
    apply andb_false_iff. destruct (Z.leb_spec (- 9223372036854775808) a), (Z.ltb_spec a 9223372036854775808); auto;
      lia. }
  cbn [andb]. now rewrite (proj2 (Z.ltb_lt _ _) L).
Qed.

Lemma product_beyond_r a b : (LIMIT < Z.abs b)%Z -> product a b = None.
Proof.
  intros L. unfold product. assert (fits 64 b = false) as ->.
  { unfold fits. change (2 ^ (64 - 1))%Z with 9223372036854775808%Z.
    assert (9223372036854775808 < LIMIT)%Z by reflexivity.
    apply andb_false_iff. destruct (Z.leb_spec (- 9223372036854775808) b), (Z.ltb_spec b 9223372036854775808); auto;
      lia. }
  rewrite andb_false_r, (proj2 (Z.ltb_lt _ _) L). now rewrite orb_true_r.
Qed.

(** No bound, no product. *)
Lemma mul_beyond I J k :
  (LIMIT < Z.abs (hi I) \/ LIMIT < Z.abs (hi J) \/ LIMIT < Z.abs (lo J))%Z -> mul_scaled I J k = everything.
Proof.
  intros H. unfold mul_scaled, products. destruct H as [H|[H|H]].
  - rewrite (product_beyond_l (hi I) (lo J)) by exact H.
    now destruct (product (lo I) (lo J)), (product (lo I) (hi J)).
  - rewrite (product_beyond_r (lo I) (hi J)) by exact H. now destruct (product (lo I) (lo J)).
  - now rewrite (product_beyond_r (lo I) (lo J)) by exact H.
Qed.

Section Sound.
  Hypothesis mul_encloses : forall x y a b k, encloses_sane x a -> encloses_sane y b ->
    encloses_sane (mul_scaled x y k) (a * b * powerRZ 2 k).

  Lemma sane_mul x y k : sane x -> sane y -> sane (mul_scaled x y k).
  Proof.
    intros X Y. apply (above_sane _ (high x * high y * powerRZ 2 k)).
    now apply mul_encloses; apply encloses_high.
  Qed.

  (** A weight times an upper bound. *)
  Lemma mul_above I J u y k : encloses_sane I u -> 0 <= u -> above J y ->
    above (mul_scaled I J k) (u * y * powerRZ 2 k).
  Proof.
    intros U P Y. destruct (Z.le_gt_cases (hi J) LIMIT) as [L|L].
    - apply above_le with (u * high J * powerRZ 2 k).
      + apply Rmult_le_compat_r; [apply Rlt_le, power_pos|]. apply Rmult_le_compat_l; [exact P|]. now apply above_high.
      + apply mul_encloses; [exact U|]. apply encloses_high. now apply above_sane in Y.
    - rewrite mul_beyond by lia. apply above_everything.
  Qed.

  Lemma mul_below I J u y k : encloses_sane I u -> 0 <= u -> below J y ->
    below (mul_scaled I J k) (u * y * powerRZ 2 k).
  Proof.
    intros U P Y. destruct (Z.le_gt_cases (- LIMIT) (lo J)) as [L|L].
    - apply below_ge with (u * low J * powerRZ 2 k).
      + apply Rmult_le_compat_r; [apply Rlt_le, power_pos|]. apply Rmult_le_compat_l; [exact P|]. now apply below_low.
      + apply mul_encloses; [exact U|]. apply encloses_low. now apply below_sane in Y.
    - rewrite mul_beyond by lia. apply below_everything.
  Qed.

  (** Two upper bounds of numbers that are not negative. *)
  Lemma mul_above_above I J u y k : above I u -> 0 <= u -> above J y -> 0 <= y ->
    above (mul_scaled I J k) (u * y * powerRZ 2 k).
  Proof.
    intros U P Y Q. destruct (Z.le_gt_cases (hi I) LIMIT) as [L|L].
    - apply above_le with (high I * y * powerRZ 2 k).
      + apply Rmult_le_compat_r; [apply Rlt_le, power_pos|]. apply Rmult_le_compat_r; [exact Q|]. now apply above_high.
      + apply mul_above; [apply encloses_high; now apply above_sane in U | | exact Y].
        pose proof (above_high I u U L). lra.
    - rewrite mul_beyond by lia. apply above_everything.
  Qed.

  (** ** Terms *)

  Variables (V : view) (X : reals).
  Hypothesis V_is : encloses_view V X.
  Let r := right_of V.
  Let v := vocab (shared V).
  Let n := context (shared V).

  Lemma right_below : (r < v)%nat.
  Proof. exact (answer_is_below _ _ _ (level_is_ok V X V_is)). Qed.

  Lemma unit_of_pos t : 0 < unit_of V t.
  Proof. apply power_pos. Qed.

  Lemma weight_of_pos t p : 0 < weight_of X t p.
  Proof. apply Rmult_lt_0_compat; [apply (by_token_pos V X V_is) | apply (by_position_pos V X V_is)]. Qed.

  Lemma quotient_nonneg x t : 0 < x -> 0 <= x / unit_of V t.
  Proof. intros H. apply Rlt_le, Rmult_lt_0_compat; [exact H | apply Rinv_0_lt_compat, unit_of_pos]. Qed.

  Lemma back_in_units x y t : x / unit_of V t * y * powerRZ 2 (shift V (source_at V t)) = x * y.
  Proof. fold (unit_of V t). field. apply Rgt_not_eq, unit_of_pos. Qed.

  Lemma row_sane e f : row_encloses v e f -> Forall sane (row_of e).
  Proof.
    intros R. apply Forall_forall. intros x I. apply (In_nth _ _ everything) in I. destruct I as (j & J & <-).
    rewrite (row_length _ _ _ R) in J. exact (above_sane _ _ (proj1 (row_entries _ _ _ R j J))).
  Qed.

  Lemma top_above s e f j : row_encloses v e f -> (j < v)%nat -> In j (members v s) ->
    above (or_everything (top s e)) (f j).
  Proof.
    intros R J I. destruct s as [one|marks]; cbn [members top] in *.
    - destruct I as [<-|[]]. apply (row_entries _ _ _ R), J.
    - pose proof (row_order _ _ _ R) as O. destruct (order_of e) as [o|]; [|apply above_everything].
      destruct O as (hint & ->). destruct (bound _ _) as [[i best]|] eqn:E; [|apply above_everything].
      cbn [option_map or_everything snd]. apply filter_In in I. destruct I as [_ I].
      refine (descending_above hint _ _ _ _ j _ (row_sane _ _ R) E _ I _).
      + now rewrite (row_length _ _ _ R).
      + apply (row_entries _ _ _ R), J.
  Qed.

  Lemma difference_above s e f j : row_encloses v e f -> (j < v)%nat -> In j (members v s) ->
    above (or_everything (difference r s e)) (f j - f r).
  Proof.
    intros R J I. pose proof (top_above s e f j R J I) as T. unfold difference.
    destruct (top s e) as [best|]; cbn [option_map or_everything] in *; [|apply above_everything].
    apply above_sub; [exact T|]. apply (row_entries _ _ _ R), right_below.
  Qed.

  (** One answer's difference is exact. *)
  Lemma difference_below e f j : row_encloses v e f -> (j < v)%nat ->
    below (or_everything (difference r (One j) e)) (f j - f r).
  Proof.
    intros R J. cbn. apply below_sub; [apply (row_entries _ _ _ R), J|].
    apply (row_entries _ _ _ R), right_below.
  Qed.

  Lemma margin_at_above s e f j : row_encloses v e f -> (j < v)%nat -> In j (members v s) ->
    above (margin_at V (margin_of V s) e) (f j - f r + (query_of X j - query_of X r)).
  Proof.
    intros R J I. pose proof (difference_above s e f j R J I) as D. unfold margin_at. cbn [set margin_of].
    fold (the_level V) (right_of V) r. destruct (difference r s e) as [d|]; cbn [or_everything] in D;
      [|apply above_everything].
    apply above_add; [exact D|]. cbn [of_query margin_of]. unfold query_margin.
    apply (difference_above s _ _ j (query_row_is V X V_is) J I).
  Qed.

  Lemma margin_at_below e f j : row_encloses v e f -> (j < v)%nat ->
    below (margin_at V (margin_of V (One j)) e) (f j - f r + (query_of X j - query_of X r)).
  Proof.
    intros R J. pose proof (difference_below e f j R J) as D. unfold margin_at. cbn [set margin_of].
    fold (the_level V) (right_of V) r. destruct (difference r (One j) e) as [d|]; cbn [or_everything] in D;
      [|apply below_everything].
    apply below_add; [exact D|]. cbn [of_query margin_of]. unfold query_margin.
    apply (difference_below _ _ j (query_row_is V X V_is) J).
  Qed.

  Lemma terms_above groups g s t p j : nth_error groups g = Some (margin_of V s) ->
    (t < v)%nat -> (p < n - 1)%nat -> (j < v)%nat -> In j (members v s) ->
    above (get (terms V groups t p) g) (phi X r j p t).
  Proof.
    intros G T P J I. unfold terms, get. erewrite nth_error_nth; [|apply map_nth_error; exact G].
    rewrite fast_mul_scaled_eq. unfold phi. rewrite <- (back_in_units _ _ t).
    apply mul_above; [apply (weights_are V X V_is); [exact T | unfold n in P; lia] | |].
    - apply quotient_nonneg, weight_of_pos.
    - apply (margin_at_above s _ (fun j => logit_of X j p t)); auto. now apply (token_rows_are V X V_is).
  Qed.

  Lemma terms_below groups g t p j : nth_error groups g = Some (margin_of V (One j)) ->
    (t < v)%nat -> (p < n - 1)%nat -> (j < v)%nat ->
    below (get (terms V groups t p) g) (phi X r j p t).
  Proof.
    intros G T P J. unfold terms, get. erewrite nth_error_nth; [|apply map_nth_error; exact G].
    rewrite fast_mul_scaled_eq. unfold phi. rewrite <- (back_in_units _ _ t).
    apply mul_below; [apply (weights_are V X V_is); [exact T | unfold n in P; lia] | |].
    - apply quotient_nonneg, weight_of_pos.
    - apply (margin_at_below _ (fun j => logit_of X j p t)); auto. now apply (token_rows_are V X V_is).
  Qed.

  Lemma last_term_above s j : (j < v)%nat -> In j (members v s) ->
    above (last_term V (margin_of V s)) (phi_last X r (query V) n j).
  Proof.
    intros J I. unfold last_term. rewrite fast_mul_scaled_eq. unfold phi_last. rewrite <- (back_in_units _ _ (query V)).
    pose proof (query_is_below V X V_is). pose proof (two_positions V X V_is).
    apply mul_above; [apply (weights_are V X V_is); fold n; lia | apply quotient_nonneg, weight_of_pos |].
    unfold last_margin. cbn [set margin_of]. apply above_sub.
    - apply (top_above s _ _ j (last_row_is V X V_is) J I).
    - apply (row_entries _ _ _ (last_row_is V X V_is)), right_below.
  Qed.

  Lemma last_term_below j : (j < v)%nat ->
    below (last_term V (margin_of V (One j))) (phi_last X r (query V) n j).
  Proof.
    intros J. unfold last_term. rewrite fast_mul_scaled_eq. unfold phi_last. rewrite <- (back_in_units _ _ (query V)).
    pose proof (query_is_below V X V_is). pose proof (two_positions V X V_is).
    apply mul_below; [apply (weights_are V X V_is); fold n; lia | apply quotient_nonneg, weight_of_pos |].
    unfold last_margin. cbn [set margin_of top or_everything]. apply below_sub.
    - apply (row_entries _ _ _ (last_row_is V X V_is)), J.
    - apply (row_entries _ _ _ (last_row_is V X V_is)), right_below.
  Qed.
End Sound.
