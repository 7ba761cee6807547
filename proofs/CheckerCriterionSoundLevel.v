(** * What a plan's counts say of the network (theorem [partition_sound])

    The view's enclosures enclose the numbers of the network's tables; then its counts are bounds of how many inputs of
    the level with the query are right and how many are wrong. *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From gbmi Require Import Model Theory Fixed FixedSound FixedHalves CheckerRules CheckerLevels CheckerCriterion.
From gbmi Require Import CheckerLevelsSound CheckerCriterionSoundHalves CheckerCriterionSoundCount CheckerTreeSound.
From gbmi Require Import CheckerCriterionSoundView CheckerCriterionSoundCounts CheckerCriterionSound.
Import ListNotations.
Local Open Scope R_scope.

Lemma mul_scaled_encloses_sane x y a b k : encloses_sane x a -> encloses_sane y b ->
  encloses_sane (mul_scaled x y k) (a * b * powerRZ 2 k).
Proof. rewrite <- !encloses_sane_iff. apply mul_scaled_encloses. Qed.

(** The numbers of a query, in any units of the two factors of a weight, with any offset of logits. *)
Definition reals_of (T : Theory.tables) (n q : nat) (unit_A unit_B : R) (offset : nat -> R) : reals := {|
  score_of := tA T q;
  by_token_of t := exp (tA T q t) * unit_A;
  by_position_of p := exp (tB T q p) * unit_B;
  logit_of j p t := tEV T t j + tPV T p j + offset j;
  query_of j := tD T q j - offset j;
  last_of j := tEV T q j + tPV T (n - 1) j + tD T q j
|}.

Section Level.
  Variables (T : Theory.tables) (unit_A unit_B : R) (offset : nat -> R).
  Hypotheses (A_pos : 0 < unit_A) (B_pos : 0 < unit_B).
  Variable V : view.
  Let r := right_of V.
  Let v := vocab (shared V).
  Let n := context (shared V).
  Let q := query V.
  Let X := reals_of T n q unit_A unit_B offset.
  Hypothesis V_is : encloses_view V X.
  Lemma phi_term j p t : phi X r j p t = unit_A * unit_B * Theory.term T q r j t p.
  Proof.
    unfold phi, weight_of, margin_of_reals, Theory.term, Theory.margin, X, reals_of. cbn. rewrite exp_plus. ring.
  Qed.

  Lemma phi_last_term j : phi_last X r q n j = unit_A * unit_B * Theory.term T q r j q (n - 1).
  Proof. unfold phi_last, weight_of, Theory.term, Theory.margin, X, reals_of. cbn. rewrite exp_plus. ring. Qed.

  Lemma input_sum_phi j s : In s (inputs_of V) ->
    input_sum X r q n j s = unit_A * unit_B * Theory.phi T n r j (s ++ [q]).
  Proof.
    intros I. pose proof (input_length V X V_is s I) as Len. fold n in Len. pose proof (two_positions V X V_is) as N.
      fold n in N.
    assert (token (s ++ [q]) (n - 1) = q) as last by (unfold token; now rewrite <- Len, nth_middle).
    unfold input_sum, Theory.phi. rewrite last. replace n with (S (n - 1)) at 3 by lia. cbn [sum].
    rewrite last, Rmult_plus_distr_l, <- sum_scale, phi_last_term. f_equal. apply sum_ext. intros p P.
    unfold token. rewrite app_nth1 by lia. apply phi_term.
  Qed.

  Lemma right_input_wins s : In s (inputs_of V) -> right_input V X s = true <-> wins T v n r (s ++ [q]).
  Proof.
    intros I. rewrite right_input_iff. fold r v n q. unfold wins.
    assert (0 < unit_A * unit_B) as P by now apply Rmult_lt_0_compat.
    split; intros H j J D; specialize (H j J D); rewrite input_sum_phi in * by exact I.
    - apply Rmult_lt_reg_l with (1 := P). now rewrite Rmult_0_r.
    - rewrite <- (Rmult_0_r (unit_A * unit_B)). now apply Rmult_lt_compat_l.
  Qed.

  Theorem partition_sound plan certified wrong (P : list nat -> bool) :
    (forall s, In s (inputs_of V) -> P (s ++ [q]) = true <-> wins T v n r (s ++ [q])) ->
    settle V plan = Derived (certified, wrong) ->
    (certified <= how_many (fun s => P (s ++ [q])) (inputs_of V))%Z
    /\ (wrong <= how_many (fun s => negb (P (s ++ [q]))) (inputs_of V))%Z.
  Proof.
    intros P_is E. destruct (settle_sound mul_scaled_encloses_sane V X V_is plan certified wrong E) as [C W].
    assert (forall s, In s (inputs_of V) -> right_input V X s = P (s ++ [q])) as same.
    { intros s I. apply eq_true_iff_eq. now rewrite right_input_wins, P_is. }
    split; (eapply Z.le_trans; [eassumption|]).
    - apply how_many_le. intros s I R. now rewrite <- same.
    - apply how_many_le. intros s I R. now rewrite <- same.
  Qed.
End Level.
