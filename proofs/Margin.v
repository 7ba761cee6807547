(** * Margins (docs/theory.md, T12): a margin is added to every term.

    An answer is right by more than [tau] if its logit, less [tau], is still greater than every other. Where nothing
    else is said, [tau] is any number, below zero too. *)

From Coq Require Import Reals List Arith Lia Lra.
From gbmi Require Import Theory.
Import ListNotations.
Local Open Scope R_scope.

(** ** Without softmax's division *)

Section Additive.
  (** [n] positive weights, and what attention to each position would make of the logits of answers j and r. *)
  Variables (n : nat) (w cj cr : nat -> R) (tau : R).
  Hypothesis positions : (1 <= n)%nat.
  Hypothesis positive : forall p, (p < n)%nat -> 0 < w p.

  Let Z := sum n w.

  (** The logit that weights give: an average. *)
  Definition averaged (c : nat -> R) : R := sum n (fun p => w p / sum n w * c p).

  Lemma weights_sum_positive : 0 < Z.
  Proof. apply sum_pos; [exact positions | exact positive]. Qed.

  Lemma averaged_times c : Z * averaged c = sum n (fun p => w p * c p).
  Proof.
    pose proof weights_sum_positive as H. unfold averaged. fold Z. rewrite <- sum_scale. apply sum_ext. intros p _.
    field. apply Rgt_not_eq, H.
  Qed.

  (** Z times the distance to the margin. *)
  Lemma margin_sum : sum n (fun p => w p * (cj p - cr p + tau)) = Z * (averaged cj - (averaged cr - tau)).
  Proof.
    replace (Z * (averaged cj - (averaged cr - tau))) with (Z * averaged cj - Z * averaged cr + Z * tau) by ring.
    rewrite !averaged_times. unfold Z. rewrite <- sum_scale_r, <- sum_minus, <- sum_plus. apply sum_ext. intros. ring.
  Qed.

  Theorem margin_additive : averaged cj < averaged cr - tau <-> sum n (fun p => w p * (cj p - cr p + tau)) < 0.
  Proof.
    pose proof weights_sum_positive as H. rewrite margin_sum. split; intros L.
    - rewrite <- (Rmult_0_r Z). apply Rmult_lt_compat_l; lra.
    - apply Rminus_lt, Rmult_lt_reg_l with (1 := H). lra.
  Qed.

  (** The other side: an answer that is not right by more than [tau]. *)
  Theorem margin_additive_upper : averaged cr - tau <= averaged cj <-> 0 <= sum n (fun p => w p * (cj p - cr p + tau)).
  Proof.
    split; intros L.
    - apply Rnot_lt_le. intros M. apply margin_additive in M. lra.
    - apply Rnot_lt_le. intros M. apply margin_additive in M. lra.
  Qed.
End Additive.

(** ** Where scaled logits are compared *)

(** The margin is scaled with them: by an upper end of the scale to show an answer right, by a lower end to show that it
    is not. *)
Theorem margin_scaled s S lj lr tau : 0 < s <= S -> 0 <= tau -> s * lj < s * lr - S * tau -> lj < lr - tau.
Proof.
  intros [P U] T H. apply Rmult_lt_reg_l with (1 := P).
  assert (s * tau <= S * tau) by (apply Rmult_le_compat_r; assumption). lra.
Qed.

Theorem margin_scaled_upper s S lj lr tau : 0 < s -> S <= s -> 0 <= tau -> s * lr - S * tau <= s * lj -> lr - tau <= lj.
Proof.
  intros P U T H. apply Rmult_le_reg_l with (1 := P).
  assert (S * tau <= s * tau) by (apply Rmult_le_compat_r; assumption). lra.
Qed.

(** ** T1 with a margin *)

Section Network.
  Variables (cfg : config) (net : network) (x : list nat).
  Hypothesis positions : (1 <= n_ctx cfg)%nat.

  Let n := n_ctx cfg.
  Let T := tables_of cfg net.
  Let q := token x (n - 1).

  (** [Model.correct] is this with no margin. *)
  Definition correct_by (tau : R) : Prop :=
    forall j, (j < d_vocab cfg)%nat -> j <> answer x ->
      logit cfg net x (n - 1) j < logit cfg net x (n - 1) (answer x) - tau.

  Lemma correct_by_0 : correct_by 0 <-> correct cfg net x.
  Proof. unfold correct_by, correct, gives. fold n. split; intros H j J N; specialize (H j J N); lra. Qed.

  (** [phi] with the margin in every term: in the direct path of answer j, say. *)
  Definition phi_by (tau : R) (m j : nat) : R :=
    sum n (fun p => exp (tA T q (token x p) + tB T q p) * (margin T q m j (token x p) p + tau)).

  Theorem correct_by_iff tau :
    correct_by tau <-> forall j, (j < d_vocab cfg)%nat -> j <> answer x -> phi_by tau (answer x) j < 0.
  Proof.
    set (w p := exp (tA T q (token x p) + tB T q p)).
    set (c j p := tEV T (token x p) j + tPV T p j + tD T q j).
    assert (forall j, logit cfg net x (n - 1) j = averaged n w (c j)) as A.
    { intros j. unfold n at 1. rewrite (logits_decompose cfg net x positions). apply sum_ext. intros p _.
      now rewrite (attention_of_tables cfg net x positions). }
    assert (forall j, phi_by tau (answer x) j = sum n (fun p => w p * (c j p - c (answer x) p + tau))) as B by easy.
    unfold correct_by. split; intros H j J N; specialize (H j J N); rewrite !A, ?B in *.
    - apply margin_additive; [exact positions | intros; apply exp_pos | exact H].
    - apply margin_additive in H; [exact H | exact positions | intros; apply exp_pos].
  Qed.
End Network.
