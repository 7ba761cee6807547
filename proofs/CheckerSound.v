(** * The checker is sound (theorem [check_sound])

    What the checker derives of a certificate, whatever stands in it, is true of the network over the real numbers. *)

From Coq Require Import Reals ZArith List Bool Arith Lia.
From gbmi Require Import Model Theory Counting CheckerCertificate CheckerRules CheckerLevels CheckerCriterion Checker.
From gbmi Require Import CheckerCriterionSoundCount CheckerLevelsSound CheckerPathsSound.
From gbmi Require Import CheckerCriterionSoundCounts CheckerCriterionSoundLevel CheckerCriterionSoundView
  CheckerRulesSound.
From gbmi Require Import CheckerSums.
Import ListNotations.
Local Open Scope Z_scope.

(** Every plan's counts bound the right and the wrong inputs of its level and query. *)
Theorem settled_sound w c L : well_formed w = true ->
  let T := CheckerRules.tables_of w c in let v := d_vocab (sizes w) in let n := n_ctx (sizes w) in
  let right := answered (sizes w) (network_of w) (right_answer L) in
  level_ok v n L -> forall q, (q < v)%nat -> forall plan certified wrong,
  settle (view_of T (level_view_of T L) q) plan = Derived (certified, wrong) ->
  certified <= how_many (fun s => right (s ++ [q])) (level_inputs L q)
  /\ wrong <= how_many (fun s => negb (right (s ++ [q]))) (level_inputs L q).
Proof.
  intros shapes T v n right ok q Q plan certified wrong E.
  pose proof (CheckerPathsSound.two_positions w (factors_are w shapes)) as N.
  destruct (views_enclose w c shapes) as (a & e & g & H).
  destruct (H L q ok Q) as (unit_A & unit_B & A & A' & V_is).
  refine (partition_sound _ unit_A unit_B _ A A' (view_of T (level_view_of T L) q) V_is plan certified wrong right _ E).
  intros s S. change (inputs_of (view_of T (level_view_of T L) q)) with (level_inputs L q) in S.
  assert (1 <= n)%nat as N' by (unfold n; lia). unfold right. rewrite answered_wins by exact N'.
  apply with_constants_wins; [exact N' | exact (answer_is_below _ _ _ ok) | now apply (level_input v n L)].
Qed.

(** What is derived of a certificate is true, for any task: its inputs, with the answers given, by levels that hold each
    input once. *)
Theorem derive_levels_sound w c total answers all (given : list nat -> nat) correct upper :
  let v := d_vocab (sizes w) in let n := n_ctx (sizes w) in let levels := concat answers in
  total = Z.of_nat (length all) -> levels_cover v all levels -> (forall L, In L levels -> level_ok v n L) ->
  (forall L q s, In L levels -> In q (queries v L) -> In s (level_inputs L q) -> given (s ++ [q]) = right_answer L) ->
  derive_levels w c total answers = Derived (correct, upper) ->
  correct <= how_many (fun x => answered (sizes w) (network_of w) (given x) x) all <= upper.
Proof.
  intros v n levels total_is cover ok right E.
  refine (sums_sound w c total answers all _ total_is cover _ _ _ E). intros L q I Q p certified wrong S.
  pose proof (settled_sound w c L (derive_shapes w c total answers _ E) (ok L I) q (query_below _ _ _ Q) p certified
    wrong S) as B. cbv zeta in B.
  rewrite (how_many_ext _ (fun s => answered (sizes w) (network_of w) (right_answer L) (s ++ [q])))
    by (intros s H; now rewrite (right L q s)).
  rewrite (how_many_ext (fun s => negb _)
    (fun s => negb (answered (sizes w) (network_of w) (right_answer L) (s ++ [q]))))
    by (intros s H; now rewrite (right L q s)).
  exact B.
Qed.

(** For Max-of-n. *)
Theorem derive_sound w c correct upper : derive w c = Derived (correct, upper) ->
  correct <= Z.of_nat (count_correct (sizes w) (network_of w)) <= upper.
Proof.
  intros E. pose proof (CheckerPathsSound.two_positions w (factors_are w (derive_shapes w c _ _ _ E))) as N.
  assert (1 <= n_ctx (sizes w))%nat as N' by lia.
  apply (derive_levels_sound w c (total_inputs w) _ (sequences (d_vocab (sizes w)) (n_ctx (sizes w))) answer) in E.
  - exact E.
  - unfold total_inputs. now rewrite sequences_length, Nat2Z.inj_pow.
  - now apply max_levels_cover.
  - intros L I. now apply max_levels_ok.
  - intros L q s I Q S. now apply (max_levels_answer (d_vocab (sizes w)) (n_ctx (sizes w))).
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
