(** * The theory of the checker: the network's paths as tables, and correctness without division (docs/theory.md, T0,
    T1).

    An input is answered correctly if and only if, for every wrong answer, a sum over its positions is negative. *)

From Coq Require Import Reals List Arith Lia Lra.
From gbmi Require Export Model TheorySums TheoryMatrix.
Import ListNotations.
Local Open Scope R_scope.

(** ** Tables *)

Record tables := {
  tA : nat -> nat -> R;   (** score of query q for token t *)
  tB : nat -> nat -> R;   (** score of query q for position p *)
  tEV : nat -> nat -> R;  (** logit of answer j by attention to token t *)
  tPV : nat -> nat -> R;  (** logit of answer j by attention to position p *)
  tD : nat -> nat -> R    (** logit of answer j on the direct path of query q, biases included *)
}.

Section Paths.
  Variables (cfg : config) (net : network).

  (** The residual stream at the last position, where the token is q. *)
  Definition last_residual (q i : nat) : R := W_E net q i + W_pos net (n_ctx cfg - 1) i.

  Definition last_query (q : nat) (k : nat) : R := row_times (d_model cfg) (last_residual q) (W_Q net) k + b_Q net k.

  (** The key and the value of what stands in the residual stream, without biases. *)
  Definition key_of (u : nat -> R) : nat -> R := row_times (d_model cfg) u (W_K net).
  Definition value_of (u : nat -> R) : nat -> R := row_times (d_model cfg) u (W_V net).

  (** What values write into the residual stream, and logits of the residual stream; without biases. *)
  Definition through_head (w : nat -> R) : nat -> R := row_times (d_head cfg) w (W_O net).
  Definition unembedded (u : nat -> R) : nat -> R := row_times (d_model cfg) u (W_U net).

  Definition tables_of : tables := {|
    tA q t := dot (d_head cfg) (last_query q) (key_of (W_E net t)) / scale cfg;
    tB q p := dot (d_head cfg) (last_query q) (key_of (W_pos net p)) / scale cfg;
    tEV t := unembedded (through_head (value_of (W_E net t)));
    tPV p := unembedded (through_head (value_of (W_pos net p)));
    tD q j := unembedded (fun i => last_residual q i + through_head (b_V net) i + b_O net i) j + b_U net j
  |}.
End Paths.

(** ** The criterion *)

Section Criterion.
  Variable T : tables.

  (** By how much, at full attention to token t at position p, answer j's logit exceeds that of m. *)
  Definition margin (q m j t p : nat) : R := (tEV T t j + tPV T p j + tD T q j) - (tEV T t m + tPV T p m + tD T q m).

  (** The contribution to it of token t at position p, before softmax's division. *)
  Definition term (q m j t p : nat) : R := exp (tA T q t + tB T q p) * margin q m j t p.

  Definition phi (n m j : nat) (x : list nat) : R :=
    let q := token x (n - 1) in sum n (fun p => term q m j (token x p) p).

  (** No other answer does as well as r. *)
  Definition wins (v n r : nat) (x : list nat) : Prop := forall j, (j < v)%nat -> j <> r -> phi n r j x < 0.

  (** No wrong answer does as well as the right one. *)
  Definition right (v n : nat) (x : list nat) : Prop := wins v n (answer x) x.
End Criterion.

(** ** T1: the network's logits by its tables *)

Section Decomposition.
  Variables (cfg : config) (net : network) (x : list nat).
  Hypothesis positions : (1 <= n_ctx cfg)%nat.

  Let n := n_ctx cfg.
  Let T := tables_of cfg net.
  Let q := token x (n - 1).

  (** The weight of position p before softmax's division, and the attention that it gets. *)
  Let weight (p : nat) : R := exp (tA T q (token x p) + tB T q p).
  Let attended (p : nat) : R := attention cfg net x (n - 1) p.

  (** The key's bias adds a constant to all scores of a query. *)
  Lemma score_of_tables p :
    score cfg net x (n - 1) p
      = tA T q (token x p) + tB T q p + dot (d_head cfg) (last_query cfg net q) (b_K net) / scale cfg.
  Proof.
    unfold score. change (sum (d_head cfg) _) with (dot (d_head cfg) (last_query cfg net q) (key cfg net x p)).
    rewrite (dot_ext _ _ (last_query cfg net q) _
      (fun k => key_of cfg net (W_E net (token x p)) k + key_of cfg net (W_pos net p) k + b_K net k)); [|easy|].
    - rewrite !dot_plus_r. cbn. unfold Rdiv. ring.
    - intros k _. unfold key, key_of, row_times. rewrite <- dot_plus. reflexivity.
  Qed.

  Lemma weights_positive : 0 < sum n weight.
  Proof. apply sum_pos; [exact positions | intros; apply exp_pos]. Qed.

  (** ... which softmax removes. *)
  Lemma attention_of_tables p : attended p = weight p / sum n weight.
  Proof.
    unfold attended, attention. replace (S (n - 1)) with n by (unfold n; lia).
    erewrite sum_ext by (intros; rewrite score_of_tables, exp_plus; reflexivity).
    rewrite sum_scale_r, score_of_tables, exp_plus. fold (weight p).
    pose proof weights_positive. change (sum n (fun p => exp _)) with (sum n weight).
    pose proof (exp_pos (dot (d_head cfg) (last_query cfg net q) (b_K net) / scale cfg)).
    field. split; apply Rgt_not_eq; assumption.
  Qed.

  Lemma attention_sums_to_1 : sum n attended = 1.
  Proof.
    erewrite sum_ext by (intros; apply attention_of_tables). unfold Rdiv. rewrite sum_scale_r.
    apply Rinv_r, Rgt_not_eq, weights_positive.
  Qed.

  (** The head is linear in the values that it attends to, and so are the logits. *)
  Theorem logits_decompose j :
    logit cfg net x (n - 1) j = sum n (fun p => attended p * (tEV T (token x p) j + tPV T p j + tD T q j)).
  Proof.
    set (values p k := value_of cfg net (W_E net (token x p)) k + value_of cfg net (W_pos net p) k).
    assert (forall p k, value cfg net x p k = values p k + b_V net k) as value_parts.
    { intros p k. unfold value, values, value_of, row_times. now rewrite <- dot_plus. }
    assert (forall i, head_out cfg net x (n - 1) i
      = sum n (fun p => attended p * through_head cfg net (values p) i) + through_head cfg net (b_V net) i + b_O net i)
      as head_parts.
    { intros i. unfold head_out. replace (S (n - 1)) with n by (unfold n; lia). f_equal.
      unfold through_head, row_times. rewrite <- dot_sum, <- dot_plus. apply sum_ext. intros k _. f_equal.
      rewrite (sum_ext n _ (fun p => attended p * values p k + attended p * b_V net k)).
      - rewrite sum_plus, sum_scale_r, attention_sums_to_1. ring.
      - intros p _. rewrite value_parts. apply Rmult_plus_distr_l. }
    assert (forall p, tEV T (token x p) j + tPV T p j = unembedded cfg net (through_head cfg net (values p)) j)
      as table.
    { intros p. cbn. unfold unembedded, row_times. rewrite <- dot_plus. apply sum_ext. intros i _. f_equal.
      unfold through_head, row_times. now rewrite <- dot_plus. }
    transitivity (sum n (fun p => attended p * unembedded cfg net (through_head cfg net (values p)) j) + tD T q j).
    - unfold logit. cbn. rewrite <- Rplus_assoc. f_equal. unfold unembedded, row_times.
      rewrite <- dot_sum, <- dot_plus. apply sum_ext. intros i _. f_equal. rewrite head_parts.
      unfold residual, last_residual. fold n q. ring.
    - symmetry. rewrite (sum_ext n _ (fun p =>
        attended p * unembedded cfg net (through_head cfg net (values p)) j + attended p * tD T q j)).
      + rewrite sum_plus, sum_scale_r, attention_sums_to_1. ring.
      + intros p _. rewrite table. ring.
  Qed.

  (** Multiplied by softmax's denominator, a difference of logits is a sum over positions. *)
  Lemma phi_of_logits m j :
    phi T n m j x = sum n weight * (logit cfg net x (n - 1) j - logit cfg net x (n - 1) m).
  Proof.
    rewrite !logits_decompose, <- sum_minus, <- sum_scale. apply sum_ext. intros p _.
    rewrite attention_of_tables. unfold term, margin. fold q (weight p).
    field. apply Rgt_not_eq, weights_positive.
  Qed.

  Theorem gives_iff_wins r : gives cfg net x r <-> wins T (d_vocab cfg) n r x.
  Proof.
    pose proof weights_positive as positive.
    split; intros H j L N; specialize (H j L N); fold n T in H |- *; rewrite phi_of_logits in *.
    - rewrite <- (Rmult_0_r (sum n weight)). apply Rmult_lt_compat_l; lra.
    - apply Rminus_lt, Rmult_lt_reg_l with (1 := positive). lra.
  Qed.

  Corollary correct_iff_right : correct cfg net x <-> right T (d_vocab cfg) n x.
  Proof. apply gives_iff_wins. Qed.
End Decomposition.

(** ** Inputs *)

Lemma in_sequences v k x : In x (sequences v k) <-> length x = k /\ Forall (fun t => (t < v)%nat) x.
Proof.
  revert x. induction k as [|k IH]; intros x; cbn.
  - split; [now intros [<-|[]] | intros [H _]; left; now destruct x].
  - rewrite in_flat_map. split.
    + intros (t & Ht & (s & <- & Hs)%in_map_iff). apply in_seq in Ht. apply IH in Hs as [Hs Hv].
      cbn. split; [now rewrite Hs | constructor; [lia | exact Hv]].
    + intros [H F]. destruct x as [|t s]; [easy|]. inversion F as [|? ? Ht Hs]; subst. exists t.
      split; [apply in_seq; lia | apply in_map, IH; split; [now injection H | exact Hs]].
Qed.

Lemma token_below v n x p : In x (sequences v n) -> (p < n)%nat -> (token x p < v)%nat.
Proof.
  intros [L F]%in_sequences H. apply (proj1 (Forall_forall _ _) F), nth_In. now rewrite L.
Qed.

Lemma answer_below v n x : (1 <= n)%nat -> In x (sequences v n) -> (answer x < v)%nat.
Proof.
  intros N [L F]%in_sequences. destruct v as [|v].
  - destruct x as [|t x]; cbn in L; [lia|]. inversion F; lia.
  - apply Nat.lt_succ_r, list_max_le. eapply Forall_impl; [|exact F]. cbn. lia.
Qed.

(** ** What may be added to tables *)

Section Shift.
  (** To scores: a constant for each query. To rows of logits: a constant for each row. *)
  Variables (v n : nat) (T T' : tables) (a b e f g : nat -> R).
  Hypothesis shift_A : forall q t, (q < v)%nat -> (t < v)%nat -> tA T' q t = tA T q t + a q.
  Hypothesis shift_B : forall q p, (q < v)%nat -> (p < n)%nat -> tB T' q p = tB T q p + b q.
  Hypothesis shift_EV : forall t j, (t < v)%nat -> (j < v)%nat -> tEV T' t j = tEV T t j + e t.
  Hypothesis shift_PV : forall p j, (p < n)%nat -> (j < v)%nat -> tPV T' p j = tPV T p j + f p.
  Hypothesis shift_D : forall q j, (q < v)%nat -> (j < v)%nat -> tD T' q j = tD T q j + g q.
  Hypothesis positions : (1 <= n)%nat.

  Theorem wins_shift r x : (r < v)%nat -> In x (sequences v n) -> wins T v n r x <-> wins T' v n r x.
  Proof.
    intros M X. set (q := token x (n - 1)).
    assert (q < v)%nat as Q by (apply token_below with n; [exact X | lia]).
    assert (forall j, (j < v)%nat -> phi T' n r j x = exp (a q + b q) * phi T n r j x) as factor.
    { intros j J. unfold phi. rewrite <- sum_scale. apply sum_ext. intros p P. fold q.
      pose proof (token_below v n x p X P). unfold term, margin.
      rewrite shift_A, shift_B, !shift_EV, !shift_PV, !shift_D by assumption.
      replace (tA T q (token x p) + a q + (tB T q p + b q)) with (a q + b q + (tA T q (token x p) + tB T q p)) by ring.
      rewrite (exp_plus (a q + b q)). ring. }
    pose proof (exp_pos (a q + b q)) as positive.
    split; intros H j J N; specialize (H j J N); rewrite (factor j J) in *.
    - rewrite <- (Rmult_0_r (exp (a q + b q))). now apply Rmult_lt_compat_l.
    - apply Rmult_lt_reg_l with (1 := positive). lra.
  Qed.

  Corollary right_shift x : In x (sequences v n) -> right T v n x <-> right T' v n x.
  Proof. intros X. apply wins_shift; [now apply answer_below with n | exact X]. Qed.
End Shift.
