(** * Bounds of the terms whose sums decide correctness (`src/checker/levels`, rules `attention`, `margins`, `window`).
    *)

From Coq Require Import Reals List Arith Lia Lra.
From gbmi Require Export Theory.
Local Open Scope R_scope.

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
