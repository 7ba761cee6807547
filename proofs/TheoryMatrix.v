(** * Products of matrices: bounds of entries that are not computed, and Winograd's form of Strassen's algorithm. *)

From Coq Require Import Reals Arith Lia Lra.
From gbmi Require Import Model TheorySums.
Local Open Scope R_scope.

(** ** Rule `entries` (`src/checker/levels/entries.rs`) *)

(** Cauchy–Schwarz, for the values that a positive semidefinite form takes on two vectors: [X], [Y] on each with
    itself, [W] on both. *)
Lemma discriminant X W Y : (forall a b, 0 <= a * a * X + 2 * (a * b) * W + b * b * Y) -> W * W <= X * Y.
Proof.
  intros H. assert (0 <= Y) as [Y0|Y0] by (specialize (H 0 1); lra).
  - specialize (H Y (- W)). apply Rmult_le_reg_l with (1 := Y0). lra.
  - subst Y. pose proof (H 1 0). specialize (H W (- (X + 1))). pose proof (Rmult_le_pos (W * W) X (Rle_0_sqr W)). lra.
Qed.

Lemma twice_product g a b : a * b * g <= / 2 * (Rabs g * (a * a)) + / 2 * (Rabs g * (b * b)).
Proof.
  pose proof (Rmult_le_pos _ _ (Rabs_pos g) (Rle_0_sqr (a - b))) as minus.
  pose proof (Rmult_le_pos _ _ (Rabs_pos g) (Rle_0_sqr (a + b))) as plus.
  revert minus plus. unfold Rsqr, Rabs. destruct (Rcase_abs g); lra.
Qed.

Section Basis.
  (** A matrix [B] of [r] rows and [d] columns, no row of whose Gram matrix has absolute values that sum to more
      than 1. *)
  Variables (r d : nat) (B : nat -> nat -> R).

  Definition gram (k l : nat) : R := dot d (B k) (B l).

  Hypothesis small : forall k, (k < r)%nat -> sum r (fun l => Rabs (gram k l)) <= 1.

  (** [B x] and [B^T w]. *)
  Definition components (x : nat -> R) (k : nat) : R := dot d (B k) x.
  Definition recomposed (w : nat -> R) (i : nat) : R := sum r (fun k => w k * B k i).

  Lemma recomposed_dot w x : dot d (recomposed w) x = dot r w (components x).
  Proof. unfold recomposed. now rewrite dot_sum. Qed.

  (** No eigenvalue of the Gram matrix is above 1 (Gershgorin): |B^T w|^2 = sum w_k w_l G_kl, and
      [2 w_k w_l <= w_k^2 + w_l^2]. *)
  Lemma recomposed_small w : dot d (recomposed w) (recomposed w) <= dot r w w.
  Proof.
    set (square k l := Rabs (gram k l) * (w k * w k)).
    assert (sum r (fun k => sum r (fun l => square k l)) <= dot r w w) as rows.
    { apply sum_le. intros k L. unfold square. rewrite sum_scale_r. specialize (small k L).
      rewrite <- (Rmult_1_l (w k * w k)) at 2. apply Rmult_le_compat_r; [apply Rle_0_sqr | exact small]. }
    assert (dot d (recomposed w) (recomposed w) = sum r (fun k => sum r (fun l => w k * w l * gram k l))) as ->.
    { rewrite recomposed_dot. apply sum_ext. intros k _. unfold components. rewrite dot_sym, recomposed_dot.
      unfold dot at 1. rewrite <- sum_scale. apply sum_ext. intros l _.
      unfold components, gram. rewrite dot_sym. ring. }
    apply Rle_trans with (sum r (fun k => sum r (fun l => / 2 * square k l + / 2 * square l k))).
    { apply sum_le. intros k _. apply sum_le. intros l _. unfold square.
      replace (gram l k) with (gram k l) by apply dot_sym.
      apply twice_product. }
    clearbody square.
    rewrite (sum_ext r _ (fun k => / 2 * sum r (fun l => square k l) + / 2 * sum r (fun l => square l k)))
      by (intros; now rewrite sum_plus, 2 sum_scale).
    rewrite sum_plus, 2 sum_scale, (sum_swap r r (fun k l => square l k)). lra.
  Qed.

  (** The form of I - B^T B. *)
  Definition rest (x y : nat -> R) : R := dot d x y - dot r (components x) (components y).

  (** It is positive semidefinite: [|x - B^T B x|^2 = |x|^2 - 2 |Bx|^2 + |B^T B x|^2 <= |x|^2 - |Bx|^2]. *)
  Lemma rest_nonneg x : 0 <= rest x x.
  Proof.
    pose proof (dot_nonneg d (fun i => x i - recomposed (components x) i)) as H.
    rewrite dot_minus, !dot_minus_r, (dot_sym _ x (recomposed _)), recomposed_dot in H.
    pose proof (recomposed_small (components x)). unfold rest. lra.
  Qed.

  Lemma rest_combined a b x y : rest (fun i => a * x i + b * y i) (fun i => a * x i + b * y i)
    = a * a * rest x x + 2 * (a * b) * rest x y + b * b * rest y y.
  Proof.
    assert (forall k, components (fun i => a * x i + b * y i) k = a * components x k + b * components y k) as linear.
    { intros k. unfold components. now rewrite dot_plus_r, !dot_scale_r. }
    unfold rest. erewrite (dot_ext r) by (intros; apply linear).
    rewrite !dot_plus, !dot_plus_r, !dot_scale, !dot_scale_r.
    rewrite (dot_sym d y x), (dot_sym r (components y) (components x)). ring.
  Qed.

  (** What the basis does not see of two vectors bounds their product. *)
  Theorem entry_bound x y s z : 0 <= s -> 0 <= z ->
    dot d x x - dot r (components x) (components x) <= s * s ->
    dot d y y - dot r (components y) (components y) <= z * z ->
    Rabs (dot d x y - dot r (components x) (components y)) <= s * z.
  Proof.
    intros S Z Hx Hy. fold (rest x x) in Hx. fold (rest y y) in Hy. fold (rest x y).
    assert (rest x y * rest x y <= rest x x * rest y y) as bound.
    { apply discriminant. intros a b. rewrite <- rest_combined. apply rest_nonneg. }
    pose proof (rest_nonneg x). pose proof (rest_nonneg y).
    rewrite <- (Rabs_pos_eq (s * z)) by now apply Rmult_le_pos. apply Rsqr_le_abs_0.
    unfold Rsqr. apply Rle_trans with (1 := bound).
    replace (s * z * (s * z)) with ((s * s) * (z * z)) by ring. now apply Rmult_le_compat.
  Qed.
End Basis.

(** ** Rule `product` (`src/checker/product.rs`) *)

(** Entry (i, j) of [M N^T], for matrices of [b] columns. *)
Definition mtimes (b : nat) (M N : nat -> nat -> R) (i j : nat) : R := dot b (M i) (N j).

(** The matrix that begins at row [i] and column [k] of another. *)
Definition shifted (i k : nat) (M : nat -> nat -> R) : nat -> nat -> R := fun i' k' => M (i + i')%nat (k + k')%nat.

(** Each entry of M N^T is a sum over the left columns and one over the right columns. *)
Lemma mtimes_halves b b' M N i j :
  mtimes (b + b') M N i j = mtimes b M N i j + mtimes b' (shifted 0 b M) (shifted 0 b N) i j.
Proof. apply sum_add. Qed.

Lemma mtimes_sym b M N i j : mtimes b M N i j = mtimes b N M j i.
Proof. apply dot_sym. Qed.

Lemma mtimes_ext b M M' N N' i j :
  (forall k, (k < b)%nat -> M i k = M' i k) -> (forall k, (k < b)%nat -> N j k = N' j k) ->
  mtimes b M N i j = mtimes b M' N' i j.
Proof. apply dot_ext. Qed.

Section Winograd.
  (** Any operations on matrices: of reals below, of enclosures in the checker. The matrices are the quarters of A, and
      those of B, which are transposed. *)
  Context {matrix : Type}.
  Variables (plus minus mult : matrix -> matrix -> matrix) (a11 a12 a21 a22 b11 b12 b21 b22 : matrix).

  Definition winograd_quarters : matrix * matrix * matrix * matrix :=
    let s1 := plus a21 a22 in
    let s2 := minus s1 a11 in
    let s3 := minus a11 a21 in
    let s4 := minus a12 s2 in
    let t1 := minus b12 b11 in
    let t2 := minus b22 t1 in
    let t3 := minus b22 b12 in
    let t4 := minus t2 b21 in
    let p1 := mult a11 b11 in
    let p2 := mult a12 b21 in
    let p3 := mult s4 b22 in
    let p4 := mult a22 t4 in
    let p5 := mult s1 t1 in
    let p6 := mult s2 t2 in
    let p7 := mult s3 t3 in
    let u2 := plus p1 p6 in
    let u3 := plus u2 p7 in
    let u4 := plus u2 p5 in
    (plus p1 p2, plus u4 p3, minus u3 p4, plus u3 p5).
End Winograd.

Definition mplus (M N : nat -> nat -> R) : nat -> nat -> R := fun i k => M i k + N i k.
Definition mminus (M N : nat -> nat -> R) : nat -> nat -> R := fun i k => M i k - N i k.

Lemma mplus_at M N i k : mplus M N i k = M i k + N i k.
Proof. reflexivity. Qed.

Lemma mminus_at M N i k : mminus M N i k = M i k - N i k.
Proof. reflexivity. Qed.

Lemma mtimes_mplus b M M' N i j : mtimes b (mplus M M') N i j = mtimes b M N i j + mtimes b M' N i j.
Proof. apply dot_plus. Qed.

Lemma mtimes_mplus_r b M N N' i j : mtimes b M (mplus N N') i j = mtimes b M N i j + mtimes b M N' i j.
Proof. apply dot_plus_r. Qed.

Lemma mtimes_mminus b M M' N i j : mtimes b (mminus M M') N i j = mtimes b M N i j - mtimes b M' N i j.
Proof. apply dot_minus. Qed.

Lemma mtimes_mminus_r b M N N' i j : mtimes b M (mminus N N') i j = mtimes b M N i j - mtimes b M N' i j.
Proof. apply dot_minus_r. Qed.

(** Seven products make the four quarters of [M N^T], for [M] of [a + _] rows, [N] of [c + _] rows, both of [b + b]
    columns. *)
Theorem winograd a b c M N i j :
  let '(c11, c12, c21, c22) := winograd_quarters mplus mminus (mtimes b)
    M (shifted 0 b M) (shifted a 0 M) (shifted a b M) N (shifted c 0 N) (shifted 0 b N) (shifted c b N) in
  mtimes (b + b) M N i j = c11 i j /\ mtimes (b + b) M N i (c + j) = c12 i j
  /\ mtimes (b + b) M N (a + i) j = c21 i j /\ mtimes (b + b) M N (a + i) (c + j) = c22 i j.
Proof.
  (* Entries of the lower and right quarters of a product are entries of products of those quarters. *)
  pose proof (fun M N => eq_refl : mtimes b M N (a + i) j = mtimes b (shifted a 0 M) N i j) as lower.
  pose proof (fun M N => eq_refl : mtimes b M N i (c + j) = mtimes b M (shifted c 0 N) i j) as right.
  pose proof (fun M N => eq_refl : mtimes b M N (a + i) (c + j) = mtimes b (shifted a 0 M) (shifted c 0 N) i j) as both.
  pose proof (fun k M => eq_refl : shifted k 0 (shifted 0 b M) = shifted k b M) as twice.
  cbv zeta beta delta [winograd_quarters].
  repeat split; rewrite mtimes_halves, ?lower, ?right, ?both, ?twice; repeat rewrite ?mplus_at, ?mminus_at;
    repeat rewrite ?mtimes_mplus, ?mtimes_mplus_r, ?mtimes_mminus, ?mtimes_mminus_r; ring.
Qed.
