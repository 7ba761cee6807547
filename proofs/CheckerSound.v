(** * The checker is sound (theorem [check_sound])

    What the checker derives of a certificate, whatever stands in it, is true of the network over the real numbers. *)

From Coq Require Import Reals ZArith List Bool Arith Lia.
From gbmi Require Import Model Theory Counting CheckerCertificate CheckerRules CheckerCriterion Checker.
From gbmi Require Import CheckerPathsSound.
From gbmi Require Import CheckerCriterionSoundPair CheckerCriterionSoundView CheckerRulesSound.
From gbmi Require Import CheckerSums.
Import ListNotations.
Local Open Scope Z_scope.

(** Whether an input is right is decided, by comparing real numbers. *)
Lemma right_decided T v n : exists P, forall x, P x = true <-> right T v n x.
Proof.
  assert (forall x, {right T v n x} + {~ right T v n x}) as dec.
  { intros x. unfold right. induction v as [|v' [IH|IH]].
    - left. intros j J. inversion J.
    - destruct (Nat.eq_dec v' (answer x)) as [E|E].
      + left. intros j J N. apply IH; [lia | exact N].
      + destruct (Rlt_dec (Theory.phi T n (answer x) v' x) 0) as [L|L].
        * left. intros j J N. destruct (Nat.eq_dec j v') as [->|]; [exact L | apply IH; [lia | exact N]].
        * right. intros H. apply L, H; [lia | exact E].
    - right. intros H. apply IH. intros j J N. apply H; [lia | exact N]. }
  exists (fun x => if dec x then true else false). intros x. now destruct (dec x).
Qed.

(** [partition_sound] for a view whose sizes are known by other names, and any way to tell the pair's right inputs. *)
Lemma view_sound T unit_A unit_B offset V n v m q plan certified wrong (P : list nat -> bool) :
  the_max (at_max V) = m -> query V = q -> context (shared V) = n -> vocab (shared V) = v ->
  (0 < unit_A)%R -> (0 < unit_B)%R -> encloses_view V (reals_of T n q unit_A unit_B offset) ->
  (forall s, In s (pair_inputs n m q) -> P (s ++ [q]) = true <-> right T v n (s ++ [q])) ->
  settle V plan = Derived (certified, wrong) ->
  certified <= Z.of_nat (Counting.count (fun s => P (s ++ [q])) (pair_inputs n m q))
  /\ wrong <= Z.of_nat (Counting.count (fun s => negb (P (s ++ [q]))) (pair_inputs n m q)).
Proof.
  intros <- <- <- <- A B V_is P_is E.
  destruct (right_decided T (vocab (shared V)) (context (shared V))) as (P' & P'_is).
  destruct (partition_sound T unit_A unit_B offset A B V V_is plan certified wrong P') as [C W]; [auto | exact E |].
  assert (forall s, In s (pair_inputs (context (shared V)) (the_max (at_max V)) (query V)) ->
    P' (s ++ [query V]) = P (s ++ [query V])) as same.
  { intros s I. apply eq_true_iff_eq. now rewrite P'_is, P_is. }
  split; (eapply Z.le_trans; [eassumption|]); apply inj_le, Counting.count_le; intros s I R; now rewrite <- same.
Qed.

(** Every plan's counts bound the right and the wrong inputs of its query and maximum. *)
Theorem settled_sound w c : well_formed w = true ->
  let T := CheckerRules.tables_of w c in let n := n_ctx (sizes w) in
  let right_answer := answered (sizes w) (network_of w) in
  forall m q, (q <= m < d_vocab (sizes w))%nat -> forall plan certified wrong,
  settle (view_of T (level_of T m) q) plan = Derived (certified, wrong) ->
  certified <= Z.of_nat (Counting.count (fun s => right_answer (s ++ [q])) (pair_inputs n m q))
  /\ wrong <= Z.of_nat (Counting.count (fun s => negb (right_answer (s ++ [q]))) (pair_inputs n m q)).
Proof.
  intros shapes T n right_answer m q B plan certified wrong E.
  pose proof (CheckerPathsSound.two_positions w (factors_are w shapes)) as N.
  destruct (views_enclose w c shapes) as (a & e & g & H).
  destruct (H q m (proj1 B) (proj2 B)) as (unit_A & unit_B & A & A' & V_is).
  refine (view_sound _ _ _ _ (view_of T (level_of T m) q) n (d_vocab (sizes w)) m q plan certified wrong right_answer
    eq_refl eq_refl eq_refl eq_refl A A' V_is _ E).
  intros s I. assert (1 <= n)%nat as N' by (unfold n; lia).
  destruct (pair_input n (d_vocab (sizes w)) m q s N' B I) as (X & _).
  unfold right_answer. rewrite answered_right by exact N'. fold n. now apply with_constants_right.
Qed.

(** What is derived of a certificate is true. *)
Theorem derive_sound w c correct upper : derive w c = Derived (correct, upper) ->
  correct <= Z.of_nat (count_correct (sizes w) (network_of w)) <= upper.
Proof.
  intros E. apply (sums_sound w c); [|exact E]. apply settled_sound. exact (derive_shapes w c _ E).
Qed.

(** A certificate that is accepted proves its claim: at least so many of all [d_vocab ^ n_ctx] inputs are answered
    correctly and, where that is claimed, at most so many. *)
Theorem check_sound w c claimed_correct claimed_upper : check w c claimed_correct claimed_upper = true ->
  claimed_correct <= Z.of_nat (count_correct (sizes w) (network_of w))
  /\ (forall u, claimed_upper = Some u -> Z.of_nat (count_correct (sizes w) (network_of w)) <= u).
Proof.
  unfold check, certify. destruct (derive w c) as [[correct upper]| |] eqn:E; [|easy|easy].
  intros H. exact (establishes_sound _ _ _ _ _ _ (derive_sound w c _ _ E) H).
Qed.

(** Where both are claimed, and equal: exactly so many. *)
Theorem check_exact w c claimed : check w c claimed (Some claimed) = true ->
  Z.of_nat (count_correct (sizes w) (network_of w)) = claimed.
Proof. intros [L U]%check_sound. specialize (U _ eq_refl). lia. Qed.

(** All inputs are so many. *)
Lemma inputs_length w : Z.of_nat (length (inputs (sizes w))) = total_inputs w.
Proof. unfold inputs, total_inputs. now rewrite sequences_length, Nat2Z.inj_pow. Qed.
