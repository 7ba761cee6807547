(** * Family `exhaustive`: the logits from running sums (`src/checker/exhaustive/{one_layer,layers,tail,heads}.rs`)

    One fact a section: what attention does to sums over positions, how the direct path, the attention rate, layer norms
    and MLPs join them. [layer_columns]: behind any layer's attention, the columns are what running sums give;
    [logits_by_columns]: those of the last layer give the logits of the definition. *)

From Coq Require Import Reals List Arith Lia Lra FunctionalExtensionality.
From gbmi Require Import Exhaustive Decoder.
Import ListNotations.
Local Open Scope R_scope.

(** ** What is linear may be multiplied out *)

Lemma affine_ext d r r' M b j : (forall i, (i < d)%nat -> r i = r' i) -> affine d r M b j = affine d r' M b j.
Proof. intros E. unfold affine, row_times. f_equal. now apply dot_ext. Qed.

(** A map after another is one map. *)
Lemma affine_after d h r M b N c j :
  affine h (affine d r M b) N c j = affine d r (fun i => row_times h (M i) N) (affine h b N c) j.
Proof. unfold affine. unfold row_times at 1. rewrite dot_plus. fold (row_times h (row_times d r M) N j).
  rewrite row_times_assoc. fold (row_times h b N j). ring. Qed.

(** A bias that is added before a map joins its constant. *)
Lemma affine_after_bias d r e M b j : affine d (fun i => r i + e i) M b j = affine d r M (affine d e M b) j.
Proof. unfold affine, row_times. rewrite dot_plus. ring. Qed.

(** Of tokens at positions, the tokens' part and the positions' have tables of their own. *)
Lemma affine_apart d e p M b j : affine d (fun i => e i + p i) M b j = affine d e M b j + row_times d p M j.
Proof. unfold affine, row_times. rewrite dot_plus. ring. Qed.

(** One map beside another. *)
Definition beside (k : nat) {A} (f g : nat -> A) (j : nat) : A := if j <? k then f j else g (j - k)%nat.

Lemma beside_left k A (f g : nat -> A) j : (j < k)%nat -> beside k f g j = f j.
Proof. intros J. unfold beside. now rewrite (proj2 (Nat.ltb_lt _ _) J). Qed.

Lemma beside_right k A (f g : nat -> A) j : beside k f g (k + j) = g j.
Proof. unfold beside. rewrite (proj2 (Nat.ltb_ge _ _)) by lia. f_equal. lia. Qed.

(** ** Softmax and running sums *)

(** What is added to all scores drops out. *)
Theorem softmax_shift k s c t : softmax k (fun t => s t + c) t = softmax k s t.
Proof.
  unfold softmax.
  rewrite exp_plus, (sum_ext k _ (fun t => exp (s t) * exp c)), sum_scale_r by (intros; apply exp_plus).
  unfold Rdiv. rewrite Rinv_mult. set (Z := / sum k _).
  replace (_ * _ * _) with (exp (s t) * Z * (exp c * / exp c)) by ring.
  rewrite Rinv_r; [ring | apply Rgt_not_eq, exp_pos].
Qed.

(** Positive weights, an average by them, and softmax's. *)
Definition average (k : nat) (w c : nat -> R) : R := sum k (fun t => w t * c t) / sum k w.

Lemma weights_positive k w : (1 <= k)%nat -> (forall t, (t < k)%nat -> 0 < w t) -> sum k w <> 0.
Proof. intros K P. apply Rgt_not_eq, sum_pos; assumption. Qed.

(** The exponentials of scores may be multiplied by anything positive, the same for all positions. *)
Theorem running_sums k s c factor : (1 <= k)%nat -> 0 < factor ->
  sum k (fun t => softmax k s t * c t) = average k (fun t => factor * exp (s t)) c.
Proof.
  intros K F. assert (sum k (fun t => exp (s t)) <> 0) by (apply weights_positive; [exact K | intros; apply exp_pos]).
  unfold average. rewrite sum_scale, (sum_ext k (fun t => factor * _ * _) (fun t => factor * (exp (s t) * c t)))
    by (intros; ring). rewrite sum_scale.
  rewrite (sum_ext k _ (fun t => exp (s t) * c t * / sum k (fun t => exp (s t)))) 
    by (intros; unfold softmax, Rdiv; ring).
  rewrite sum_scale_r. field. split; [assumption | lra].
Qed.

(** The sums of a prefix are those of all inputs that begin with it, and are continued token by token. *)
Theorem prefix_sums k f x y : firstn k x = firstn k y ->
  sum k (fun p => f (token x p) p) = sum k (fun p => f (token y p) p).
Proof. intros E. apply sum_ext. intros p P. now rewrite (token_firstn k x y p E P). Qed.

Theorem prefix_sums_snoc f s t :
  sum (S (length s)) (fun p => f (token (s ++ [t]) p) p) = sum (length s) (fun p => f (token s p) p) + f t (length s).
Proof.
  cbn [sum]. f_equal.
  - apply prefix_sums. rewrite firstn_app, Nat.sub_diag. cbn. apply app_nil_r.
  - unfold token. now rewrite nth_middle.
Qed.

(** ** Logits that are only compared *)

(** All of them, and the margin, may be multiplied by one positive number. *)
Theorem scaled_comparison Z lj lr tau : 0 < Z ->
  (lj + tau < lr <-> Z * lj - (Z * lr - tau * Z) < 0) /\ (lr <= lj + tau <-> 0 <= Z * lj - (Z * lr - tau * Z)).
Proof.
  intros P. replace (Z * lj - (Z * lr - tau * Z)) with (Z * (lj + tau - lr)) by ring.
  assert (lj + tau < lr <-> Z * (lj + tau - lr) < 0) as H.
  { split; intros L.
    - rewrite <- (Rmult_0_r Z). apply Rmult_lt_compat_l; lra.
    - apply Rminus_lt, Rmult_lt_reg_l with (1 := P). lra. }
  split; [exact H|]. split; intros L; apply Rnot_lt_le; intros M; apply H in M || (apply H in L); try lra.
Qed.

Section Joined.
  (** [S k] heads with positive weights on [n] positions, and something of no head. *)
  Variables (k n : nat) (w c : nat -> nat -> R) (direct : R).
  Hypothesis positions : (1 <= n)%nat.
  Hypothesis positive : forall a t, (t < n)%nat -> 0 < w a t.

  Let Z a := sum n (w a).
  Let N a := sum n (fun t => w a t * c a t).

  (** [direct] joins the values of the first head, whose attention sums to 1. *)
  Theorem direct_joins : direct + sum (S k) (fun a => average n (w a) (c a))
    = average n (w O) (fun t => c O t + direct) + sum k (fun a => average n (w (S a)) (c (S a))).
  Proof.
    replace (S k) with (1 + k)%nat by easy. rewrite sum_add. cbn [sum Nat.add]. rewrite Rplus_0_l.
    assert (Z O <> 0) by (apply weights_positive; [exact positions | auto]).
    replace (average n (w O) (fun t => c O t + direct)) with (average n (w O) (c O) + direct); [ring|].
    unfold average. fold (Z O) (N O).
    rewrite (sum_ext n (fun t => w O t * (c O t + direct)) (fun t => w O t * c O t + w O t * direct)) by (intros; ring).
    rewrite sum_plus, sum_scale_r. fold (Z O) (N O). field. assumption.
  Qed.

  (** Times the first head's Z, its division is not done. *)
  Theorem first_division_multiplied_away : Z O * (direct + sum (S k) (fun a => average n (w a) (c a)))
    = sum n (fun t => w O t * (c O t + direct)) + sum k (fun a => N (S a) * (Z O * / Z (S a))).
  Proof.
    assert (Z O <> 0) by (apply weights_positive; [exact positions | auto]).
    rewrite direct_joins, Rmult_plus_distr_l, <- sum_scale. f_equal.
    - unfold average. fold (Z O). field. assumption.
    - apply sum_ext. intros a _. unfold average. fold (Z (S a)) (N (S a)). unfold Rdiv. ring.
  Qed.
End Joined.

(** ** Relu *)

(** A neuron that is not above zero adds nothing. *)
Theorem relu_off x w : x <= 0 -> relu x * w = 0.
Proof. intros H. unfold relu. rewrite Rmax_left by exact H. ring. Qed.

(** So it may be skipped; others count as the larger of them and zero. *)
Theorem relu_skip k x w (on : nat -> bool) : (forall i, (i < k)%nat -> on i = false -> x i <= 0) ->
  sum k (fun i => relu (x i) * w i) = sum k (fun i => if on i then relu (x i) * w i else 0).
Proof.
  intros H. apply sum_ext. intros i I. destruct (on i) eqn:O; [easy|]. apply relu_off, H; assumption.
Qed.

(** ** Layer norm *)

Lemma mean_ext d r r' : (forall i, (i < d)%nat -> r i = r' i) -> mean d r = mean d r'.
Proof. intros E. unfold mean. f_equal. now apply sum_ext. Qed.

Lemma normed_ext d ln r r' i : (forall i, (i < d)%nat -> r i = r' i) -> (i < d)%nat ->
  normed d ln r i = normed d ln r' i.
Proof.
  intros E I. destruct ln as [ln|]; cbn; [|auto].
  assert (forall i, (i < d)%nat -> centred d r i = centred d r' i) as C.
  { intros i' I'. unfold centred. now rewrite (E i' I'), (mean_ext d r r' E). }
  unfold normalised, variance. now rewrite (C i I), (dot_ext d _ _ _ _ C C).
Qed.

(** Its gain and shift join the map behind it. *)
Theorem norm_joins d ln r W b j : affine d (normed d (Some ln) r) W b j
  = affine d (normalised d (eps ln) r) (fun i j => gain ln i * W i j) (affine d (shift ln) W b) j.
Proof.
  change (normed d (Some ln) r) with (fun i => normalised d (eps ln) r i * gain ln i + shift ln i).
  rewrite affine_after_bias. unfold affine at 1 3. f_equal. apply sum_ext. intros i _. ring.
Qed.

(** A sum of squares is not below zero. *)
Lemma variance_nonneg d r : 0 <= variance d r.
Proof.
  unfold variance. destruct d as [|d]; [unfold dot; cbn; unfold Rdiv; lra|].
  apply Rmult_le_pos; [apply dot_nonneg|]. left. apply Rinv_0_lt_compat, lt_0_INR. lia.
Qed.

(** The rows of the identity. *)
Definition unit (i j : nat) : R := if i =? j then 1 else 0.

Lemma sum_unit d f i : (i < d)%nat -> sum d (fun k => f k * unit k i) = f i.
Proof.
  induction d as [|d IH]; intros I; [lia|]. cbn [sum]. unfold unit at 2. destruct (Nat.eqb_spec d i) as [->|N].
  - rewrite (sum_ext _ _ (fun _ => 0)), sum_zero; [ring|]. intros k K. unfold unit.
    rewrite (proj2 (Nat.eqb_neq _ _)) by lia. ring.
  - rewrite IH by lia. ring.
Qed.

Lemma mean_unit d i : (i < d)%nat -> mean d (unit i) = / INR d.
Proof.
  intros I. unfold mean. rewrite (sum_ext d _ (fun k => 1 * unit k i)).
  - rewrite (sum_unit d (fun _ => 1)) by exact I. unfold Rdiv. ring.
  - intros k _. unfold unit. rewrite Nat.eqb_sym. ring.
Qed.

(** Every row of the identity, centred: what takes a row's mean from it is linear. *)
Definition centring (d : nat) (i : nat) : nat -> R := centred d (unit i).

Theorem centred_linear d r i : (i < d)%nat -> row_times d r (centring d) i = centred d r i.
Proof.
  intros I. unfold row_times, dot, centring, centred.
  rewrite (sum_ext d _ (fun k => r k * unit k i - r k * / INR d)).
  - rewrite sum_minus, sum_scale_r, sum_unit by exact I. reflexivity.
  - intros k K. rewrite mean_unit by exact K. ring.
Qed.

(** The norm before the unembedding: the centred row and its product with the map are linear; the root divides last. *)
Theorem norm_divides_last d ln r W b j : affine d (normed d (Some ln) r) W b j
  = row_times d r (fun i => row_times d (centring d i) (fun i j => gain ln i * W i j)) j
      * / sqrt (dot d (row_times d r (centring d)) (row_times d r (centring d)) / INR d + eps ln)
    + affine d (shift ln) W b j.
Proof.
  rewrite norm_joins. unfold affine at 1. f_equal. rewrite <- row_times_assoc.
  rewrite (dot_ext d _ (centred d r) _ (centred d r)) by apply centred_linear. fold (variance d r).
  unfold row_times at 1 2, dot. rewrite <- sum_scale_r. apply sum_ext. intros i I.
  rewrite centred_linear by exact I. unfold normalised, Rdiv. ring.
Qed.

(** ** A layer's attention *)

Section Layer.
  Variables (net : decoder) (l : layer).

  Let d := d_model net.
  Let h := d_head net.
  Let H := n_heads net.

  (** What attention reads of a row of the residual stream. *)
  Definition seen (r : nat -> R) : nat -> R := normed d (ln1 l) r.

  (** The score of a row for another, without the key's bias. *)
  Definition unbiased_score (a : nat) (rp rt : nat -> R) : R :=
    dot h (affine d (seen rp) (w_q (heads l a)) (b_q (heads l a))) (row_times d (seen rt) (w_k (heads l a)))
    / divisor net.

  Lemma score_key_bias a r p t : score net (heads l a) (fun t => seen (r t)) p t
    = unbiased_score a (r p) (r t)
      + dot h (affine d (seen (r p)) (w_q (heads l a)) (b_q (heads l a))) (b_k (heads l a)) / divisor net.
  Proof.
    unfold score, unbiased_score. fold d h. unfold affine at 2. rewrite dot_plus_r. unfold Rdiv.
    apply Rmult_plus_distr_r.
  Qed.

  (** Key biases drop out. *)
  Theorem key_bias_drops a r p t : softmax (S p) (score net (heads l a) (fun t => seen (r t)) p) t
    = softmax (S p) (fun t => unbiased_score a (r p) (r t)) t.
  Proof.
    etransitivity; [|apply softmax_shift]. f_equal. extensionality t'. apply score_key_bias.
  Qed.

  (** The attention rate is one head more, of weight 1 everywhere: its Z is the number of positions. *)
  Theorem rate_is_a_head hd u p c : (p < n_ctx net)%nat -> rate net = 0 \/ S p = n_ctx net ->
    sum (n_ctx net) (fun t => pattern net hd u p t * c t)
    = sum (S p) (fun t => softmax (S p) (score net hd u p) t * ((1 - rate net) * c t))
      + average (S p) (fun _ => 1) (fun t => rate net * c t).
  Proof.
    intros P A. set (s := softmax (S p) (score net hd u p)).
    rewrite (sum_ext _ _ (fun t => rate net / INR (n_ctx net) * c t
      + (if t <? S p then s t * ((1 - rate net) * c t) else 0))).
    - rewrite sum_plus, sum_masked, Rplus_comm by lia. f_equal. unfold average.
      assert (forall k, sum k (fun _ => 1) = INR k) as ones.
      { induction k as [|k IH]; [easy|]. cbn [sum]. now rewrite IH, S_INR. }
      rewrite ones, (sum_ext (S p) _ (fun t => rate net * c t)), !sum_scale by (intros; ring).
      destruct A as [->| ->]; unfold Rdiv; ring.
    - intros t _. unfold pattern. fold s. change (t <? S p) with (t <=? p). destruct (t <=? p); ring.
  Qed.

  Section Columns.
    (** Linear functionals of the residual stream behind attention, plus constants. *)
    Variables (M : nat -> nat -> R) (b : nat -> R).
    (** Any positive factors of the weights: one for each head and query. *)
    Variable factor : nat -> (nat -> R) -> R.
    Hypothesis factor_positive : forall a rp, 0 < factor a rp.

    (** Tables: of two rows, or of one. *)
    Definition weight (a : nat) (rp rt : nat -> R) : R := factor a rp * exp (unbiased_score a rp rt).
    Definition value (a : nat) (rt : nat -> R) : nat -> R :=
      row_times d (row_times h (affine d (seen rt) (w_v (heads l a)) (b_v (heads l a))) (w_o (heads l a))) M.
    Definition direct (rp : nat -> R) : nat -> R := affine d rp M (affine d (b_o l) M b).

    (** Value, output and columns are one map of what attention reads. *)
    Lemma value_linear a rt j : value a rt j
      = affine d (seen rt) (fun i => row_times d (row_times h (w_v (heads l a) i) (w_o (heads l a))) M)
          (row_times d (row_times h (b_v (heads l a)) (w_o (heads l a))) M) j.
    Proof.
      unfold value. transitivity (row_times d
        (affine d (seen rt) (fun i => row_times h (w_v (heads l a) i) (w_o (heads l a)))
          (row_times h (b_v (heads l a)) (w_o (heads l a)))) M j).
      - unfold row_times at 1 4. apply dot_ext; [|easy]. intros i _. rewrite <- (Rplus_0_r (row_times h _ _ i)).
        change (affine h (affine d (seen rt) (w_v (heads l a)) (b_v (heads l a))) (w_o (heads l a)) (fun _ => 0) i
          = affine d (seen rt) (fun i => row_times h (w_v (heads l a) i) (w_o (heads l a)))
              (row_times h (b_v (heads l a)) (w_o (heads l a))) i).
        rewrite affine_after. unfold affine at 1 2 3. ring.
      - rewrite <- (Rplus_0_r (row_times d _ M j)). change (row_times d ?z M j + 0) with (affine d z M (fun _ => 0) j).
        rewrite affine_after. unfold affine at 1 2 3. ring.
    Qed.

    (** With the attention rate's head behind the others. *)
    Definition mixed_weight (a : nat) (rp rt : nat -> R) : R := if a <? H then weight a rp rt else 1.
    Definition mixed_value (a : nat) (rt : nat -> R) (j : nat) : R :=
      if a <? H then (1 - rate net) * value a rt j else rate net * sum H (fun a => value a rt j).

    Lemma mixed_weight_positive a rp rt : 0 < mixed_weight a rp rt.
    Proof.
      unfold mixed_weight, weight. destruct (a <? H); [|lra].
      apply Rmult_lt_0_compat; [apply factor_positive | apply exp_pos].
    Qed.

    (** What a head writes, seen by the columns. *)
    Lemma head_columns a u p j :
      row_times d (head_out net (heads l a) u p) M j
      = sum (n_ctx net) (fun t => pattern net (heads l a) u p t
          * row_times d (row_times h (affine d (u t) (w_v (heads l a)) (b_v (heads l a))) (w_o (heads l a))) M j).
    Proof.
      unfold head_out. fold d h. rewrite row_times_assoc. unfold row_times at 1. rewrite dot_sum.
      apply sum_ext. intros t _. f_equal. symmetry. apply row_times_assoc.
    Qed.

    Variables (r : nat -> nat -> R) (p : nat).
    Hypothesis inside : (p < n_ctx net)%nat.

    Lemma attended_columns j : affine d (attended net l r p) M b j
      = direct (r p) j + sum H (fun a => sum (n_ctx net) (fun t =>
          pattern net (heads l a) (fun t => seen (r t)) p t * value a (r t) j)).
    Proof.
      unfold affine, direct. unfold attended. fold d H. unfold affine.
      rewrite (sum_ext H _ (fun a => row_times d (head_out net (heads l a) (fun t => seen (r t)) p) M j))
        by (intros; symmetry; apply head_columns).
      unfold row_times at 1. rewrite !dot_plus. fold (row_times d (r p) M j) (row_times d (b_o l) M j).
      replace (dot d (fun i => sum H _) _)
        with (sum H (fun a => row_times d (head_out net (heads l a) (fun t => seen (r t)) p) M j)); [ring|].
      unfold row_times, dot. rewrite sum_swap. apply sum_ext. intros i _. now rewrite sum_scale_r.
    Qed.

    (** *** The columns behind a layer's attention are what running sums give *)

    Theorem layer_columns j : rate net = 0 \/ S p = n_ctx net ->
      affine d (attended net l r p) M b j
      = direct (r p) j
        + sum (S H) (fun a => average (S p) (fun t => mixed_weight a (r p) (r t)) (fun t => mixed_value a (r t) j)).
    Proof.
      intros A. rewrite attended_columns. f_equal. cbn [sum].
      unfold mixed_weight at 2, mixed_value at 2. rewrite Nat.ltb_irrefl.
      rewrite (sum_ext H _ (fun a =>
        average (S p) (fun t => mixed_weight a (r p) (r t)) (fun t => mixed_value a (r t) j)
        + average (S p) (fun _ => 1) (fun t => rate net * value a (r t) j))).
      - rewrite sum_plus. f_equal. unfold average, Rdiv. rewrite sum_scale_r. f_equal.
        rewrite <- sum_swap. apply sum_ext. intros t _. rewrite <- sum_scale, Rmult_1_l. apply sum_ext. intros. ring.
      - intros a I. rewrite (rate_is_a_head _ _ _ _ inside A). f_equal.
        rewrite (sum_ext _ _ (fun t => softmax (S p) (fun t => unbiased_score a (r p) (r t)) t
          * ((1 - rate net) * value a (r t) j))) by (intros; now rewrite key_bias_drops).
        rewrite (running_sums _ _ _ (factor a (r p))) by (lia || apply factor_positive).
        unfold mixed_weight, mixed_value. now rewrite (proj2 (Nat.ltb_lt _ _) I).
    Qed.

    (** Without an attention rate. *)
    Corollary layer_columns_unmixed j : rate net = 0 ->
      affine d (attended net l r p) M b j
      = direct (r p) j + sum H (fun a => average (S p) (fun t => weight a (r p) (r t)) (fun t => value a (r t) j)).
    Proof.
      intros A. rewrite layer_columns by now left. f_equal. cbn [sum].
      replace (average (S p) (fun t => mixed_weight H (r p) (r t)) _) with 0.
      - rewrite Rplus_0_r. apply sum_ext. intros a I. unfold average, mixed_weight, mixed_value.
        rewrite (proj2 (Nat.ltb_lt _ _) I), A. f_equal. apply sum_ext. intros. ring.
      - unfold average, mixed_value, mixed_weight. rewrite Nat.ltb_irrefl, A.
        rewrite (sum_ext _ _ (fun _ => 0)), sum_zero by (intros; ring). unfold Rdiv. ring.
    Qed.
  End Columns.
End Layer.

(** ** What stands behind the last attention (`tail.rs`) *)

Section Tail.
  Variables (net : decoder) (l : layer).
  (** Layer norms stand everywhere or nowhere. *)
  Hypothesis norms_together : forall m, feed_forward l = Some m -> ln_final net = None -> ln2 m = None.

  Let d := d_model net.
  Let k := d_mlp net.

  (** The columns: a map of the residual stream before the MLP, and constants. *)
  Definition columns_map : (nat -> nat -> R) * (nat -> R) :=
    match feed_forward l, ln_final net with
    | None, None => (w_u net, b_u net)
    | None, Some ln =>
        (fun i => beside d (centring d i) (row_times d (centring d i) (fun i j => gain ln i * w_u net i j)), fun _ => 0)
    | Some m, None =>
        (fun i => beside k (w_in m i) (w_u net i), beside k (b_in m) (affine d (b_out m) (w_u net) (b_u net)))
    | Some m, Some _ => (unit, fun _ => 0)
    end.

  (** The logits of columns. *)
  Definition logits_from (columns : nat -> R) (j : nat) : R :=
    match feed_forward l, ln_final net with
    | None, None => columns j
    | None, Some ln =>
        columns (d + j)%nat * / sqrt (dot d columns columns / INR d + eps ln)
        + affine d (shift ln) (w_u net) (b_u net) j
    | Some m, None =>
        columns (k + j)%nat + sum k (fun i => relu (columns i) * row_times d (w_out m i) (w_u net) j)
    | Some m, Some _ => logits_of net (fed_forward net m columns) j
    end.

  Lemma fed_forward_ext m r r' i : (forall i, (i < d)%nat -> r i = r' i) -> (i < d)%nat ->
    fed_forward net m r i = fed_forward net m r' i.
  Proof.
    intros E I. unfold fed_forward. fold d k. rewrite (E i I). f_equal. apply affine_ext. intros a _. f_equal.
    apply affine_ext. intros i' I'. now apply normed_ext.
  Qed.

  Lemma logits_of_ext r r' j : (forall i, (i < d)%nat -> r i = r' i) -> logits_of net r j = logits_of net r' j.
  Proof. intros E. unfold logits_of. fold d. apply affine_ext. intros i I. now apply normed_ext. Qed.

  Theorem tail_logits y j :
    logits_of net (match feed_forward l with Some m => fed_forward net m y | None => y end) j
    = logits_from (affine d y (fst columns_map) (snd columns_map)) j.
  Proof.
    unfold columns_map, logits_from.
    destruct (feed_forward l) as [m|] eqn:F, (ln_final net) as [ln|] eqn:L; cbn [fst snd].
    - apply logits_of_ext. intros i I. apply fed_forward_ext; [|exact I]. intros i' I'. unfold affine, row_times, dot.
      now rewrite sum_unit, Rplus_0_r.
    - unfold logits_of. rewrite L. fold d. unfold fed_forward. fold d k. rewrite (norms_together m) by easy.
      change (normed d None) with (fun r : nat -> R => r). cbn beta.
      rewrite (affine_ext d _ (fun i => (y i + b_out m i)
        + row_times k (fun i => relu (affine d y (w_in m) (b_in m) i)) (w_out m) i)).
      + unfold affine at 1. unfold row_times at 1. rewrite dot_plus.
        fold (row_times d (fun i => y i + b_out m i) (w_u net) j).
        change (dot d ?z (fun i => w_u net i j)) with (row_times d z (w_u net) j). rewrite row_times_assoc.
        replace (affine d y _ _ (k + j)%nat) with (affine d (fun i => y i + b_out m i) (w_u net) (b_u net) j).
        * unfold affine at 1. unfold row_times at 2, dot.
          rewrite Rplus_assoc, (Rplus_comm _ (b_u net j)), <- Rplus_assoc.
          f_equal. apply sum_ext. intros i I. f_equal. f_equal. unfold affine, row_times, dot.
          rewrite beside_left by exact I.
          f_equal. apply sum_ext. intros i' _. now rewrite beside_left.
        * rewrite affine_after_bias. unfold affine at 1 3. unfold row_times, dot. rewrite beside_right. f_equal.
          apply sum_ext. intros i _. now rewrite beside_right.
      + intros i _. unfold affine at 1. ring.
    - unfold logits_of. rewrite L. fold d. rewrite norm_divides_last.
      assert (forall r M, affine d r M (fun _ => 0) = row_times d r M) as linear.
      { intros r M. extensionality i. unfold affine. ring. }
      rewrite linear. f_equal. f_equal.
      + unfold row_times at 1 3, dot. apply sum_ext. intros i _. now rewrite beside_right.
      + do 4 f_equal.
        apply dot_ext; intros i I; unfold row_times, dot; apply sum_ext; intros i' _; now rewrite beside_left.
    - unfold logits_of. now rewrite L.
  Qed.
End Tail.

(** ** The last layer of a network, and a network of one *)

Section LastLayer.
  Variables (net : decoder) (below : nat).
  Hypothesis depth : n_layers net = S below.

  Let l := layers net below.
  Hypothesis norms_together : forall m, feed_forward l = Some m -> ln_final net = None -> ln2 m = None.
  Variable factor : nat -> (nat -> R) -> R.
  Hypothesis factor_positive : forall a rp, 0 < factor a rp.

  Let M := fst (columns_map net l).
  Let b := snd (columns_map net l).

  (** By head, for the query at position P: Z, and N of every column. *)
  Definition weight_sum (x : list nat) (P a : nat) : R :=
    let r := stream net below x in sum (S P) (fun t => mixed_weight net l factor a (r P) (r t)).
  Definition term_sum (x : list nat) (P a c : nat) : R :=
    let r := stream net below x in
    sum (S P) (fun t => mixed_weight net l factor a (r P) (r t) * mixed_value net l M a (r t) c).

  Definition walked_columns (x : list nat) (P c : nat) : R :=
    direct net l M b (stream net below x P) c
    + sum (S (n_heads net)) (fun a => term_sum x P a c / weight_sum x P a).

  (** The logits of the definition are those of the columns that are computed. *)
  Theorem logits_by_columns x P j : (P < n_ctx net)%nat -> rate net = 0 \/ S P = n_ctx net ->
    logits net x P j = logits_from net l (walked_columns x P) j.
  Proof.
    intros inside A. unfold logits. rewrite depth. cbn [stream]. unfold behind. fold l.
    transitivity (logits_from net l (affine (d_model net) (attended net l (stream net below x) P) M b) j).
    - rewrite <- (tail_logits net l norms_together). now destruct (feed_forward l).
    - f_equal. extensionality c. unfold walked_columns.
      now rewrite (layer_columns net l M b factor factor_positive (stream net below x) P inside c A).
  Qed.

  (** Without MLP and norm, logits times the first head's Z compare as the logits, the margin being multiplied too. *)
  Definition scaled_columns (x : list nat) (P c : nat) : R :=
    let r := stream net below x in
    sum (S P) (fun t => mixed_weight net l factor O (r P) (r t)
      * (mixed_value net l M O (r t) c + direct net l M b (r P) c))
    + sum (n_heads net) (fun a => term_sum x P (S a) c * (weight_sum x P O * / weight_sum x P (S a))).

  Theorem logits_compared x P i j tau : (P < n_ctx net)%nat -> rate net = 0 \/ S P = n_ctx net ->
    feed_forward l = None -> ln_final net = None ->
    let above := scaled_columns x P j - (scaled_columns x P i - tau * weight_sum x P O) in
    (logits net x P j + tau < logits net x P i <-> above < 0)
    /\ (logits net x P i <= logits net x P j + tau <-> 0 <= above).
  Proof.
    intros inside A F L above.
    assert (forall c, scaled_columns x P c = weight_sum x P O * logits net x P c) as scaled.
    { intros c. rewrite logits_by_columns by assumption. unfold logits_from. rewrite F, L. unfold walked_columns.
      symmetry. apply (first_division_multiplied_away (n_heads net) (S P)
        (fun a t => mixed_weight net l factor a (stream net below x P) (stream net below x t))
        (fun a t => mixed_value net l M a (stream net below x t) c)); [lia|].
      intros. apply mixed_weight_positive. exact factor_positive. }
    unfold above. rewrite !scaled. apply scaled_comparison. apply sum_pos; [lia|].
    intros. apply mixed_weight_positive. exact factor_positive.
  Qed.

  (** The walk's counts bound the network's, if what it finds out is true of the columns that it computes. *)
  Theorem walk_counts v next answer tau decide visits :
    let n := n_ctx net in
    let correct := count_right v n next answer (d_vocab_out net) (logits net) tau in
    (forall s, allowed next s = true -> (length s < n)%nat -> NoDup (next s)) ->
    (forall s t, allowed next s = true -> (length s < n)%nat -> In t (next s) -> (t < v)%nat) ->
    rate net = 0 \/ (forall s r, answer s = Some r -> (n <= length s)%nat) ->
    (forall s r, allowed next s = true -> (1 <= length s <= n)%nat -> answer s = Some r ->
      let found := logits_from net l (walked_columns s (length s - 1)) in
      match decide s with
      | Right => right_by (d_vocab_out net) found tau r
      | Wrong => wrong_by (d_vocab_out net) found tau r
      | Undecided => True
      end) ->
    visited_once n next answer visits ->
    (tally visits (fun s => is_verdict_right (decide s)) <= correct
     /\ correct <= count_read_outs v n next answer - tally visits (fun s => is_verdict_wrong (decide s)))%nat.
  Proof.
    intros n correct D B A S once. apply decoder_counts; try assumption. intros s r As Ls Rs.
    assert (logits net s (length s - 1) = logits_from net l (walked_columns s (length s - 1))) as ->.
    { extensionality j. unfold n in *. apply logits_by_columns; [lia|]. destruct A as [A|A]; [now left|]. right.
      specialize (A s r Rs). lia. }
    now apply S.
  Qed.
End LastLayer.

(** Several layers (`layers.rs`): a layer without MLP hands on what is linear in its residual stream as columns of its
    own. Queries and keys, values ([value_linear]) and direct columns of the layer above are that, if no norm is
    before. *)
Theorem features_below net k factor x p M b j :
  (forall a rp, 0 < factor a rp) -> (p < n_ctx net)%nat -> rate net = 0 -> feed_forward (layers net k) = None ->
  let l := layers net k in
  let r := stream net k x in
  affine (d_model net) (stream net (S k) x p) M b j
  = direct net l M b (r p) j + sum (n_heads net) (fun a =>
      average (S p) (fun t => weight net l factor a (r p) (r t)) (fun t => value net l M a (r t) j)).
Proof.
  intros P I A F l r. cbn [stream]. unfold behind. rewrite F. now apply layer_columns_unmixed.
Qed.

(** With one layer, all that the sums read is known of a token at a position: tables. *)
Definition row (net : decoder) (t p : nat) (i : nat) : R := w_e net t i + w_pos net p i.

Lemma one_layer_row net x p : stream net 0 x p = row net (token x p) p.
Proof. reflexivity. Qed.

Theorem one_layer_sums net factor x P :
  let l := layers net 0 in
  let q := row net (token x P) P in
  let M := fst (columns_map net l) in
  (forall a, weight_sum net 0 factor x P a
    = sum (S P) (fun t => mixed_weight net l factor a q (row net (token x t) t)))
  /\ (forall a c, term_sum net 0 factor x P a c
    = sum (S P) (fun t => mixed_weight net l factor a q (row net (token x t) t)
        * mixed_value net l M a (row net (token x t) t) c)).
Proof. split; reflexivity. Qed.

(** ** An MLP over two tokens *)

Section TwoEmbeddings.
  (** Width of the embeddings, number of neurons. *)
  Variables (e k : nat) (left right linear_left linear_right unembedding : nat -> nat -> R) (bias : nat -> R).

  Definition two_embeddings (x y : nat) : nat -> R :=
    affine k (fun i => relu (row_times e (left x) linear_left i + row_times e (right y) linear_right i))
      unembedding bias.

  (** Its columns are the neurons before their relu, a sum of two tables, and then the bias. *)
  Theorem two_embeddings_logits x y j :
    let columns :=
      beside k (fun i => row_times e (left x) linear_left i + row_times e (right y) linear_right i) bias in
    two_embeddings x y j = columns (k + j)%nat + sum k (fun i => relu (columns i) * unembedding i j).
  Proof.
    cbv zeta. rewrite beside_right. unfold two_embeddings, affine, row_times at 1, dot. rewrite Rplus_comm. f_equal.
    apply sum_ext. intros i I. now rewrite beside_left.
  Qed.
End TwoEmbeddings.
