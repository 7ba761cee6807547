(** * Finite sums, vectors and matrices over the reals.

    Vectors are functions of an index, matrices of two; sizes stand where they are summed over. *)

From Coq Require Import Reals Arith Lia Lra.
From gbmi Require Import Model.
Local Open Scope R_scope.

(** ** Sums *)

Lemma sum_ext k f g : (forall i, (i < k)%nat -> f i = g i) -> sum k f = sum k g.
Proof. induction k as [|k IH]; intros H; cbn; [easy|]. rewrite IH, H; auto. Qed.

Lemma sum_le k f g : (forall i, (i < k)%nat -> f i <= g i) -> sum k f <= sum k g.
Proof.
  induction k as [|k IH]; intros H; cbn; [lra|].
  apply Rplus_le_compat; [apply IH; auto | apply H; lia].
Qed.

Lemma sum_zero k : sum k (fun _ => 0) = 0.
Proof. induction k as [|k IH]; cbn; lra. Qed.

Lemma sum_nonneg k f : (forall i, (i < k)%nat -> 0 <= f i) -> 0 <= sum k f.
Proof. intros H. rewrite <- (sum_zero k). now apply sum_le. Qed.

Lemma sum_plus k f g : sum k (fun i => f i + g i) = sum k f + sum k g.
Proof. induction k as [|k IH]; cbn; [|rewrite IH]; lra. Qed.

Lemma sum_minus k f g : sum k (fun i => f i - g i) = sum k f - sum k g.
Proof. induction k as [|k IH]; cbn; [|rewrite IH]; lra. Qed.

Lemma sum_scale k c f : sum k (fun i => c * f i) = c * sum k f.
Proof. induction k as [|k IH]; cbn; [|rewrite IH]; lra. Qed.

Lemma sum_scale_r k c f : sum k (fun i => f i * c) = sum k f * c.
Proof. induction k as [|k IH]; cbn; [|rewrite IH]; lra. Qed.

Lemma sum_swap k l f : sum k (fun i => sum l (fun j => f i j)) = sum l (fun j => sum k (fun i => f i j)).
Proof.
  induction k as [|k IH]; cbn; [now rewrite sum_zero|].
  now rewrite IH, <- sum_plus.
Qed.

Lemma sum_add k l f : sum (k + l) f = sum k f + sum l (fun i => f (k + i)%nat).
Proof.
  induction l as [|l IH]; cbn.
  - rewrite Nat.add_0_r. lra.
  - rewrite Nat.add_succ_r. cbn. rewrite IH. lra.
Qed.

Lemma sum_pos k f : (0 < k)%nat -> (forall i, (i < k)%nat -> 0 < f i) -> 0 < sum k f.
Proof.
  destruct k as [|k]; [lia|]. intros _ H. cbn.
  apply Rplus_le_lt_0_compat; [apply sum_nonneg; intros i L; left|]; apply H; lia.
Qed.

(** ** Vectors *)

(** The inner product of vectors of [d] entries. *)
Definition dot (d : nat) (x y : nat -> R) : R := sum d (fun i => x i * y i).

Lemma dot_ext d x x' y y' : (forall i, (i < d)%nat -> x i = x' i) -> (forall i, (i < d)%nat -> y i = y' i) ->
  dot d x y = dot d x' y'.
Proof. intros Hx Hy. apply sum_ext. intros i L. now rewrite Hx, Hy. Qed.

Lemma dot_sym d x y : dot d x y = dot d y x.
Proof. apply sum_ext. intros. ring. Qed.

Lemma dot_plus d x x' y : dot d (fun i => x i + x' i) y = dot d x y + dot d x' y.
Proof. unfold dot. rewrite <- sum_plus. apply sum_ext. intros. ring. Qed.

Lemma dot_plus_r d x y y' : dot d x (fun i => y i + y' i) = dot d x y + dot d x y'.
Proof. unfold dot. rewrite <- sum_plus. apply sum_ext. intros. ring. Qed.

Lemma dot_minus d x x' y : dot d (fun i => x i - x' i) y = dot d x y - dot d x' y.
Proof. unfold dot. rewrite <- sum_minus. apply sum_ext. intros. ring. Qed.

Lemma dot_minus_r d x y y' : dot d x (fun i => y i - y' i) = dot d x y - dot d x y'.
Proof. unfold dot. rewrite <- sum_minus. apply sum_ext. intros. ring. Qed.

Lemma dot_scale d c x y : dot d (fun i => c * x i) y = c * dot d x y.
Proof. unfold dot. rewrite <- sum_scale. apply sum_ext. intros. ring. Qed.

Lemma dot_scale_r d c x y : dot d x (fun i => c * y i) = c * dot d x y.
Proof. unfold dot. rewrite <- sum_scale. apply sum_ext. intros. ring. Qed.

(** A weighted sum of vectors. *)
Lemma dot_sum d n a (x : nat -> nat -> R) y :
  dot d (fun i => sum n (fun p => a p * x p i)) y = sum n (fun p => a p * dot d (x p) y).
Proof.
  unfold dot. erewrite sum_ext by (intros; symmetry; apply sum_scale_r). rewrite sum_swap.
  apply sum_ext. intros p _. rewrite <- sum_scale. apply sum_ext. intros. ring.
Qed.

Lemma dot_nonneg d x : 0 <= dot d x x.
Proof. apply sum_nonneg. intros. apply Rle_0_sqr. Qed.

(** ** A vector times a matrix *)

(** The row vector [x M], for a matrix of [d] rows. *)
Definition row_times (d : nat) (x : nat -> R) (M : nat -> nat -> R) (j : nat) : R := dot d x (fun i => M i j).

(** Products of matrices may be taken in any order: those of a vector with two matrices ... *)
Lemma row_times_assoc d h x M N j :
  row_times h (row_times d x M) N j = row_times d x (fun i => row_times h (M i) N) j.
Proof.
  unfold row_times, dot. erewrite (sum_ext h) by (intros; symmetry; apply sum_scale_r). rewrite sum_swap.
  apply sum_ext. intros i _. rewrite <- sum_scale. apply sum_ext. intros. ring.
Qed.

(** ... and those with a matrix between two vectors. *)
Lemma dot_row_times d h x M y : dot h (row_times d x M) y = dot d x (fun i => dot h (M i) y).
Proof. apply (row_times_assoc d h x M (fun k _ => y k) O). Qed.
