(** * Bounds of the sums that decide correctness (`src/checker/levels`, rules `partition`, `whole` and `window`). *)

From Coq Require Import Reals List Arith Lia Lra.
From gbmi Require Export Theory.
Local Open Scope R_scope.

(** ** Rule `partition` (`partition.rs`) *)

Section Partition.
  Variables (T : tables) (v n : nat) (x : list nat).

  Let q := token x (n - 1).
  Let m := answer x.

  (** Attention weights may be taken in any unit. *)
  Variable unit : R.
  Hypothesis unit_positive : 0 < unit.

  (** In a partition, each group of answers has its own bounds [psi p t]. A wrong input has a sum that is not negative
      for some answer, and that answer is in a group. *)
  Theorem partition_sound (groups : list ((nat -> Prop) * (nat -> nat -> R))) :
    (forall j, (j < v)%nat -> j <> m -> exists g, In g groups /\ fst g j) ->
    (forall g j p, In g groups -> (j < v)%nat -> j <> m -> fst g j -> (p < n)%nat ->
      unit * term T q m j (token x p) p <= snd g p (token x p)) ->
    (forall g, In g groups -> sum n (fun p => snd g p (token x p)) < 0) ->
    right T v n x.
  Proof.
    intros cover bound negative j J N. destruct (cover j J N) as (g & G & Hj). fold m.
    apply Rmult_lt_reg_l with (1 := unit_positive). rewrite Rmult_0_r.
    apply Rle_lt_trans with (2 := negative g G). unfold phi. rewrite <- sum_scale. apply sum_le. auto.
  Qed.

  (** One wrong answer that does at least as well as the right one shows that an input is answered wrong. *)
  Theorem wrong_sound (j : nat) (low : nat -> nat -> R) :
    (j < v)%nat -> j <> m -> (forall p, (p < n)%nat -> low p (token x p) <= unit * term T q m j (token x p) p) ->
    0 <= sum n (fun p => low p (token x p)) -> ~ right T v n x.
  Proof.
    intros J N bound least H. specialize (H j J N). fold m in H.
    apply Rmult_lt_compat_l with (1 := unit_positive) in H. rewrite Rmult_0_r in H.
    apply (Rle_not_lt _ _ least), Rle_lt_trans with (2 := H). unfold phi. rewrite <- sum_scale. now apply sum_le.
  Qed.
End Partition.

(** ** Rule `attention` (`src/checker/levels/attention.rs`) *)

(** In any unit for each query and maximum, weights lead to the same sign. *)
Theorem weights_scale T n m j x unit : 0 < unit ->
  phi T n m j x < 0 <-> sum n (fun p => unit * term T (token x (n - 1)) m j (token x p) p) < 0.
Proof.
  intros U. rewrite sum_scale. fold (phi T n m j x). split; intros H.
  - rewrite <- (Rmult_0_r unit). now apply Rmult_lt_compat_l.
  - apply Rmult_lt_reg_l with (1 := U). lra.
Qed.

(** ** Rule `margins` (`src/checker/levels/margins.rs`) *)

(** The direct path is split in any way, D = D1 + D2; rows with D1 and differences of D2 have their own bounds. *)
Theorem margin_split T q m j t p D1 D2 row most :
  (forall i, tD T q i = D1 i + D2 i) ->
  tEV T t j + tPV T p j + D1 j <= row -> D2 j - D2 m <= most ->
  margin T q m j t p <= row - (tEV T t m + tPV T p m + D1 m) + most.
Proof. intros D. unfold margin. rewrite !D. lra. Qed.

(** ** Rule `whole` (`whole.rs`) *)

(** All positions but the last, of an input with tokens up to m, and terms [f t p] of a group there. *)
Section Whole.
  Variables (N m : nat) (x : nat -> nat).
  Hypothesis upto : forall p, (p < N)%nat -> (x p <= m)%nat.

  Section Unpooled.
    Variables (f : nat -> nat -> R) (most : nat -> R).
    Hypothesis bounded : forall t p, (t <= m)%nat -> (p < N)%nat -> f t p <= most p.

    (** Without a token m at these positions, or with one whose gain is not used. *)
    Theorem whole_unpooled_any : sum N (fun p => f (x p) p) <= sum N most.
    Proof. apply sum_le. auto. Qed.

    (** Some position holds m, and is bounded more tightly. *)
    Theorem whole_unpooled (at_m : nat -> R) (gain : R) :
      (exists p, (p < N)%nat /\ x p = m) ->
      (forall p, (p < N)%nat -> f m p <= at_m p) -> (forall p, (p < N)%nat -> at_m p - most p <= gain) ->
      sum N (fun p => f (x p) p) <= sum N most + gain.
    Proof.
      intros (p & P & X) Hm Hg. apply sum_le_but_one with p; [exact P | auto |].
      rewrite X. specialize (Hm p P). specialize (Hg p P). lra.
    Qed.
  End Unpooled.

  Section Pooled.
    (** Terms are [alpha t * beta p * y t p], and all [alpha t * y t p] have one bound. *)
    Variables (alpha beta : nat -> R) (y : nat -> nat -> R) (most : R).
    Let f t p := alpha t * beta p * y t p.
    Hypothesis beta_nonneg : forall p, (p < N)%nat -> 0 <= beta p.
    Hypothesis bounded : forall t p, (t <= m)%nat -> (p < N)%nat -> alpha t * y t p <= most.

    Lemma pooled_term t p bound : (p < N)%nat -> alpha t * y t p <= bound -> f t p <= beta p * bound.
    Proof.
      intros P H. replace (f t p) with (beta p * (alpha t * y t p)) by (unfold f; ring).
      apply Rmult_le_compat_l; auto.
    Qed.

    Theorem whole_pooled_any : sum N (fun p => f (x p) p) <= sum N beta * most.
    Proof.
      rewrite <- sum_scale_r. apply (whole_unpooled_any f (fun p => beta p * most)).
      intros t p Ht P. apply pooled_term; auto.
    Qed.

    Theorem whole_pooled (at_m beta_min : R) :
      (exists p, (p < N)%nat /\ x p = m) ->
      (forall p, (p < N)%nat -> alpha m * y m p <= at_m) -> at_m <= most ->
      (forall p, (p < N)%nat -> beta_min <= beta p) ->
      sum N (fun p => f (x p) p) <= sum N beta * most + beta_min * (at_m - most).
    Proof.
      intros Hp Hm Hmost Hmin. rewrite <- sum_scale_r.
      apply (whole_unpooled f (fun p => beta p * most)) with (at_m := fun p => beta p * at_m); [|exact Hp| |].
      - intros t p Ht P. apply pooled_term; auto.
      - intros p P. apply pooled_term; auto.
      - intros p P. specialize (Hmin p P).
        assert (0 <= (beta p - beta_min) * (most - at_m)) by (apply Rmult_le_pos; lra). lra.
    Qed.
  End Pooled.
End Whole.

(** ** Rule `window` (`window.rs`) *)

(** A token that gets no more attention than another contributes no more than that one would at the widest margin, or
    nothing. *)
Theorem far_class w w' y Y : 0 <= w <= w' -> y <= Y -> w * y <= Rmax 0 (w' * Y).
Proof.
  intros [W W'] H. destruct (Rle_dec Y 0) as [neg|pos].
  - apply Rle_trans with 0; [|apply Rmax_l]. rewrite <- (Rmult_0_r w). apply Rmult_le_compat_l; lra.
  - apply Rle_trans with (w' * Y); [|apply Rmax_r].
    apply Rle_trans with (w * Y); [apply Rmult_le_compat_l | apply Rmult_le_compat_r]; lra.
Qed.

(** From below, with [K] the widest margin there is. *)
Theorem far_class_below w w' y K : 0 <= w <= w' -> Rabs y <= K -> - (w' * K) <= w * y.
Proof.
  intros [W W'] H. pose proof (Rabs_pos y). pose proof (Rle_abs (- y)) as B. rewrite Rabs_Ropp in B.
  apply Rle_trans with (- (w * K)).
  - apply Ropp_le_contravar, Rmult_le_compat_r; lra.
  - rewrite Ropp_mult_distr_r. apply Rmult_le_compat_l; lra.
Qed.
