(** * The real exponential: what the checker's fixed-point exponential relies on.

    How far exp is from its first terms, and two fractions of denominator 2^90 between which ln 2 lies. All follows from
    the series that defines exp: ln and the mean value theorem are not used, so neither is the axiom of excluded middle
    on which the standard library builds them. *)

From Coq Require Import Reals ZArith Lia Lra Factorial.
From gbmi Require Import Fixed.
Local Open Scope R_scope.

Lemma Rabs_within a b : Rabs a <= b -> - b <= a <= b.
Proof. unfold Rabs. destruct (Rcase_abs a); lra. Qed.

(** ** Factorials as integers, to compute with *)

Fixpoint factorial (n : nat) : Z :=
  match n with
  | O => 1
  | S m => Z.of_nat (S m) * factorial m
  end.

Lemma factorial_pos n : (0 < factorial n)%Z.
Proof. induction n; cbn [factorial]; lia. Qed.

Lemma factorial_R_pos n : 0 < IZR (factorial n).
Proof. apply (IZR_lt 0), factorial_pos. Qed.

Lemma factorial_S n : IZR (factorial (S n)) = INR (S n) * IZR (factorial n).
Proof. cbn [factorial]. now rewrite mult_IZR, <- INR_IZR_INZ. Qed.

Lemma fact_factorial n : INR (fact n) = IZR (factorial n).
Proof. induction n as [|n IH]; [reflexivity|]. now rewrite factorial_S, <- IH, <- mult_INR. Qed.

(** ** The first terms of the exponential *)

Definition term (x : R) (i : nat) : R := x ^ i / IZR (factorial i).

Fixpoint taylor (n : nat) (x : R) : R :=
  match n with
  | O => 0
  | S m => taylor m x + term x m
  end.

Lemma term_S x n : term x (S n) = term x n * (x / INR (S n)).
Proof.
  unfold term. rewrite factorial_S. cbn [pow]. field.
  split; [apply not_0_INR; lia | apply Rgt_not_eq, factorial_R_pos].
Qed.

(** The partial sums converge to exp: its definition. *)
Lemma taylor_converges x epsilon :
  0 < epsilon -> exists N, forall n, (n >= N)%nat -> Rabs (taylor (S n) x - exp x) < epsilon.
Proof.
  intros positive. unfold exp. destruct (exist_exp x) as [l converges]. cbn [proj1_sig].
  destruct (converges epsilon positive) as [N close]. exists N. intros n large.
  replace (taylor (S n) x) with (sum_f_R0 (fun i => / INR (fact i) * x ^ i) n); [now apply close|].
  clear. induction n as [|n IH]; cbn [sum_f_R0 taylor] in *; rewrite ?IH; unfold term; rewrite fact_factorial;
    unfold Rdiv; ring.
Qed.

(** For |x| <= 1 each term is at most half as large as the one before, from the second on. *)
Lemma terms_halve x n : Rabs x <= 1 -> (1 <= n)%nat -> 2 * Rabs (term x (S n)) <= Rabs (term x n).
Proof.
  intros small later. rewrite term_S, Rabs_mult. unfold Rdiv at 1. rewrite Rabs_mult.
  assert (2 <= INR (S n)) as two by (apply (le_INR 2); lia).
  rewrite Rabs_inv, (Rabs_pos_eq (INR (S n))) by lra.
  assert (Rabs x * / INR (S n) <= 1 * / 2).
  { apply Rmult_le_compat; [apply Rabs_pos | left; apply Rinv_0_lt_compat; lra | exact small |].
    apply Rinv_le_contravar; lra. }
  pose proof (Rabs_pos (term x n)). nra.
Qed.

(** So what follows the first n terms is at most twice the first of it. *)
Lemma exp_taylor x n : Rabs x <= 1 -> (1 <= n)%nat -> Rabs (exp x - taylor n x) <= 2 * Rabs (term x n).
Proof.
  intros small later.
  assert (forall m, Rabs (taylor (n + m) x - taylor n x) <= 2 * Rabs (term x n) - 2 * Rabs (term x (n + m))) as partial.
  { induction m as [|m IH].
    - rewrite Nat.add_0_r, !Rminus_diag_eq, Rabs_R0 by reflexivity. lra.
    - rewrite Nat.add_succ_r. cbn [taylor].
      pose proof (terms_halve x (n + m) small ltac:(lia)).
      pose proof (Rabs_triang (taylor (n + m) x - taylor n x) (term x (n + m))).
      replace (taylor (n + m) x + term x (n + m) - taylor n x)
        with (taylor (n + m) x - taylor n x + term x (n + m)) by ring. lra. }
  apply le_epsilon. intros epsilon positive. destruct (taylor_converges x epsilon positive) as [N close].
  specialize (close (n + N)%nat ltac:(lia)). specialize (partial (S N)). rewrite Nat.add_succ_r in partial.
  pose proof (Rabs_pos (term x (S (n + N)))).
  replace (exp x - taylor n x) with (taylor (S (n + N)) x - taylor n x - (taylor (S (n + N)) x - exp x)) by ring.
  unfold Rminus at 1. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra.
Qed.

(** ** Growth *)

Lemma exp_ge_1 x : 0 <= x -> 1 <= exp x.
Proof.
  intros nonnegative. apply le_epsilon. intros epsilon positive.
  destruct (taylor_converges x epsilon positive) as [N close]. specialize (close N ltac:(lia)).
  assert (1 <= taylor (S N) x).
  { clear close. induction N as [|N IH]; [cbn; unfold term; cbn; lra|]. cbn [taylor] in *.
    assert (0 <= term x (S N)); [|lra]. apply Rmult_le_pos; [now apply pow_le|].
    left. apply Rinv_0_lt_compat, factorial_R_pos. }
  apply Rabs_def2 in close. lra.
Qed.

Lemma exp_monotone x y : x <= y -> exp x <= exp y.
Proof.
  intros order. replace y with (x + (y - x)) by ring. rewrite exp_plus.
  pose proof (exp_ge_1 (y - x) ltac:(lra)). pose proof (exp_pos x). nra.
Qed.

Lemma exp_times n x : exp (INR n * x) = exp x ^ n.
Proof.
  induction n as [|n IH]; [now rewrite Rmult_0_l, exp_0|].
  rewrite S_INR, Rmult_plus_distr_r, Rmult_1_l, exp_plus, IH. cbn [pow]. ring.
Qed.

(** ** Two and its powers *)

(** At a / d, the n-th term and the sum up to and including it become integers when multiplied by n! d^n. *)
Definition denominator (d : Z) (n : nat) : Z := factorial n * d ^ Z.of_nat n.

Fixpoint numerator (a d : Z) (n : nat) : Z :=
  match n with
  | O => 1
  | S m => Z.of_nat n * d * numerator a d m + a ^ Z.of_nat n
  end.

Section Fraction.
  Variables a d : Z.
  Hypothesis between : (0 <= a <= d)%Z.
  Hypothesis positive : (0 < d)%Z.
  Let x : R := IZR a / IZR d.

  Lemma denominator_pos n : 0 < IZR (denominator d n).
  Proof. apply (IZR_lt 0), Z.mul_pos_pos; [apply factorial_pos | now apply Z.pow_pos_nonneg; [|lia]]. Qed.

  Lemma numerator_term n : IZR (a ^ Z.of_nat n) = IZR (denominator d n) * term x n.
  Proof.
    unfold denominator, term, x, Rdiv. rewrite mult_IZR, <- !pow_IZR, Rpow_mult_distr, pow_inv.
    field. split; [apply Rgt_not_eq, factorial_R_pos | apply pow_nonzero, not_0_IZR; lia].
  Qed.

  Lemma numerator_taylor n : IZR (numerator a d n) = IZR (denominator d n) * taylor (S n) x.
  Proof.
    induction n as [|n IH]; [cbn; unfold term; cbn; lra|].
    change (taylor (S (S n)) x) with (taylor (S n) x + term x (S n)). rewrite Rmult_plus_distr_l, <- numerator_term.
    cbn [numerator]. rewrite plus_IZR, 2 mult_IZR, IH. f_equal. unfold denominator.
    rewrite !mult_IZR, factorial_S, INR_IZR_INZ, Nat2Z.inj_succ, Z.pow_succ_r, mult_IZR by lia. ring.
  Qed.

  (** Upper and lower bounds of exp (a / d): what follows the n-th term is less than that term. *)
  Lemma exp_fraction n : (1 <= n)%nat ->
    IZR (numerator a d n - a ^ Z.of_nat n) <= IZR (denominator d n) * exp x
    <= IZR (numerator a d n + a ^ Z.of_nat n).
  Proof.
    intros later. rewrite minus_IZR, plus_IZR, numerator_taylor, numerator_term.
    assert (0 <= x <= 1) as [above below].
    { destruct between as [low high]. apply IZR_le in low, high. pose proof (IZR_lt _ _ positive).
      assert (IZR a = x * IZR d) by (unfold x; field; lra). split; nra. }
    assert (Rabs x <= 1) as small by (rewrite Rabs_pos_eq; lra).
    pose proof (exp_taylor x (S n) small ltac:(lia)) as close. pose proof (terms_halve x n small later).
    assert (0 <= term x n).
    { apply Rmult_le_pos; [now apply pow_le | left; apply Rinv_0_lt_compat, factorial_R_pos]. }
    rewrite (Rabs_pos_eq (term x n)) in * by assumption.
    assert (Rabs (exp x - taylor (S n) x) <= term x n) as near by lra. apply Rabs_within in near.
    rewrite <- Rmult_minus_distr_l, <- Rmult_plus_distr_l. pose proof (denominator_pos n).
    split; apply Rmult_le_compat_l; lra.
  Qed.
End Fraction.

(** LN2 <= 2^90 ln 2 <= LN2 + 1, said without ln: 31 terms are enough. *)
Lemma LN2_terms :
  ((0 <= LN2 <= 2 ^ 90) /\ (0 <= LN2 + 1 <= 2 ^ 90)
   /\ numerator LN2 (2 ^ 90) 30 + LN2 ^ 30 <= denominator (2 ^ 90) 30 * 2
   /\ denominator (2 ^ 90) 30 * 2 <= numerator (LN2 + 1) (2 ^ 90) 30 - (LN2 + 1) ^ 30)%Z.
Proof. vm_compute. repeat split; discriminate. Qed.

Lemma exp_LN2 : exp (IZR LN2 / IZR (2 ^ 90)) <= 2 <= exp (IZR (LN2 + 1) / IZR (2 ^ 90)).
Proof.
  destruct LN2_terms as (low & high & below & above). apply IZR_le in below, above. rewrite mult_IZR in below, above.
  assert (0 < 2 ^ 90)%Z as positive by reflexivity.
  pose proof (denominator_pos _ positive 30) as scale.
  split; apply (Rmult_le_reg_l _ _ _ scale).
  - eapply Rle_trans; [apply (exp_fraction _ _ low positive 30); lia | exact below].
  - eapply Rle_trans; [exact above | apply (exp_fraction _ _ high positive 30); lia].
Qed.
