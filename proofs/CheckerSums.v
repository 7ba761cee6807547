(** * What the checker derives is the sum of what it settles (theorem [sums_sound])

    If every plan's counts bound the right and the wrong inputs of its level and query, the derived counts bound the
    correct answers of the network. *)

From Coq Require Import ZArith List Bool Arith Lia Permutation.
From gbmi Require Import Model CheckerCertificate CheckerRules CheckerLevels CheckerCriterion Checker.
From gbmi Require Import CheckerCriterionSoundCount CheckerLevelsSound.
From gbmi Require Import Counting.
Import ListNotations.
Local Open Scope Z_scope.

(** ** Folds of results *)

Definition value (r : result (Z * Z)) : Z * Z := match r with Derived found => found | _ => (0, 0) end.

Section Fold.
  Context {A : Type}.
  Variable step : A -> result (Z * Z).

  Let fold : list A -> result (Z * Z) -> result (Z * Z) :=
    fold_left (fun sum a => bind sum (fun sum => bind (step a) (fun found => Derived (plus sum found)))).

  Lemma fold_stuck l r : (forall found, r <> Derived found) -> forall found, fold l r <> Derived found.
  Proof.
    revert r. unfold fold. induction l as [|a l IH]; intros r R; [exact R|]. apply IH. intros found.
    destruct r as [start| |]; [now destruct (R start) | easy | easy].
  Qed.

  (** A sum is derived only if every term is. *)
  Lemma fold_derived l : forall start found, fold l (Derived start) = Derived found ->
    (forall a, In a l -> step a = Derived (value (step a)))
    /\ fst found = fst start + zsum (map (fun a => fst (value (step a))) l)
    /\ snd found = snd start + zsum (map (fun a => snd (value (step a))) l).
  Proof.
    induction l as [|a l IH]; intros start found E.
    - injection E as <-. cbn. split; [easy | lia].
    - change (fold l (bind (step a) (fun found => Derived (plus start found))) = Derived found) in E.
      destruct (step a) as [x| |] eqn:S; cbn [bind] in E; [|now apply fold_stuck in E|now apply fold_stuck in E].
      destruct (IH _ _ E) as (D & F & G). split; [|cbn [map zsum]; rewrite S, F, G; cbn; lia].
      intros b [<-|B]; [now rewrite S | now apply D].
  Qed.
End Fold.

Lemma zsum_rev l : zsum (rev l) = zsum l.
Proof. apply zsum_permutation, Permutation_sym, Permutation_rev. Qed.

(** ** One level and one query, one answer, all *)

(** What the plan of a level and a query derives; without a plan, that nothing is certified and nothing wrong. *)
Definition settled (T : CheckerRules.tables) (c : cert) (answer : nat) (part : nat * (level * nat)) : result (Z * Z) :=
  match plan_for c answer (fst part) with
  | Some p => settle (view_of T (level_view_of T (fst (snd part))) (snd (snd part))) p
  | None => Derived (0, 0)
  end.

Lemma parts_are T levels : parts_of T levels
  = map (fun part => (level_view_of T (fst part), snd part)) (level_queries (vocab T) levels).
Proof.
  unfold parts_of, level_queries. induction levels as [|L levels IH]; [reflexivity|]. cbn [flat_map].
  rewrite IH, map_app. f_equal. cbv zeta. now rewrite map_map.
Qed.

Lemma certified_answer_settled T c answer levels : certified_answer T c answer levels
  = fold_left (fun sum part => bind sum (fun sum => bind (settled T c answer part) (fun found => Derived (plus sum
    found))))
      (enumerated (level_queries (vocab T) levels)) (Derived (0, 0)).
Proof.
  unfold certified_answer, enumerated. rewrite parts_are, map_length. generalize (@Derived (Z * Z) (0, 0)) as start.
  generalize (level_queries (vocab T) levels) as l. intros l. generalize O as k.
  induction l as [|part l IH]; intros k start; [easy|]. cbn [length seq map combine fold_left]. rewrite <- IH. f_equal.
  destruct start as [[x y]| |]; cbn [bind]; [|easy|easy]. unfold settled. cbn [fst snd].
  destruct (plan_for c answer k); [easy|]. unfold plus. cbn [bind fst snd]. now rewrite !Z.add_0_r.
Qed.

Section Sums.
  Variables (w : weights) (c : cert) (total : Z) (answers : list (list level)).
  Let cfg := sizes w.
  Let T := CheckerRules.tables_of w c.
  Let v := d_vocab cfg.

  Lemma derive_shapes found : derive_levels w c total answers = Derived found -> well_formed w = true.
  Proof. unfold derive_levels. now destruct (well_formed w). Qed.

  (** Every level's and query's counts are derived, and they add up. *)
  Lemma derive_sums correct upper : derive_levels w c total answers = Derived (correct, upper) ->
    (forall A part, In A (enumerated answers) -> In part (enumerated (level_queries v (snd A))) ->
      settled T c (fst A) part = Derived (value (settled T c (fst A) part)))
    /\ correct = levels_sum v answers (fun answer part => fst (value (settled T c answer part)))
    /\ upper = total - levels_sum v answers (fun answer part => snd (value (settled T c answer part))).
  Proof.
    intros E. unfold derive_levels in E. rewrite (derive_shapes _ E) in E. cbv zeta in E. fold cfg T in E.
    destruct (fold_left _ (rev (enumerated answers)) _) as [found| |] eqn:F; [|easy|easy].
    cbn [bind] in E. injection E as E E'.
    apply (fold_derived (fun A => certified_answer T c (fst A) (snd A))) in F. destruct F as (D & F & G).
    rewrite map_rev, zsum_rev in F, G. cbn [fst snd] in F, G. rewrite Z.add_0_l in F, G.
    assert (forall A, In A (enumerated answers) ->
      (forall part, In part (enumerated (level_queries v (snd A))) ->
        settled T c (fst A) part = Derived (value (settled T c (fst A) part)))
      /\ fst (value (certified_answer T c (fst A) (snd A)))
         = zsum (map (fun part => fst (value (settled T c (fst A) part))) (enumerated (level_queries v (snd A))))
      /\ snd (value (certified_answer T c (fst A) (snd A)))
         = zsum (map (fun part => snd (value (settled T c (fst A) part))) (enumerated (level_queries v (snd A))))) as
           each.
    { intros A I. specialize (D A). rewrite <- in_rev in D. specialize (D I).
      rewrite certified_answer_settled in D at 1. apply (fold_derived (settled T c (fst A))) in D. exact D. }
    split; [|split].
    - intros A part I P. now apply each.
    - rewrite <- E, F. unfold levels_sum. f_equal. apply map_ext_in. intros A I. now apply each.
    - rewrite <- E', G. f_equal. unfold levels_sum. f_equal. apply map_ext_in. intros A I. now apply each.
  Qed.

  (** All inputs, and any way to tell those that are right. *)
  Variables (all : list (list nat)) (P : list nat -> bool).
  Hypothesis total_is : total = Z.of_nat (length all).
  Hypothesis cover : levels_cover v all (concat answers).
  Hypothesis settled_sound : forall L q, In L (concat answers) -> In q (queries v L) -> forall p certified wrong,
    settle (view_of T (level_view_of T L) q) p = Derived (certified, wrong) ->
    certified <= how_many (fun s => P (s ++ [q])) (level_inputs L q)
    /\ wrong <= how_many (fun s => negb (P (s ++ [q]))) (level_inputs L q).

  Theorem sums_sound correct upper : derive_levels w c total answers = Derived (correct, upper) ->
    correct <= how_many P all <= upper.
  Proof.
    intros E. destruct (derive_sums _ _ E) as (D & -> & ->).
    assert (forall A part, In A (enumerated answers) -> In part (enumerated (level_queries v (snd A))) ->
      fst (value (settled T c (fst A) part))
        <= how_many (fun s => P (s ++ [snd (snd part)])) (level_inputs (fst (snd part)) (snd (snd part)))
      /\ snd (value (settled T c (fst A) part))
        <= how_many (fun s => negb (P (s ++ [snd (snd part)])))
          (level_inputs (fst (snd part)) (snd (snd part)))) as bounds.
    { intros A part I Pt. specialize (D A part I Pt). unfold settled in *.
      destruct (plan_for c (fst A) (fst part)) as [p|].
      - apply in_enumerated in I, Pt. destruct part as [k [L q]]. cbn [fst snd] in *. apply in_level_queries in Pt.
        apply (settled_sound L q) with p; [apply in_concat; now exists (snd A) | apply Pt |].
          rewrite D. now destruct (value _).
      - split; apply how_many_nonneg. }
    rewrite total_is. apply (certified_count v all answers P); [exact cover | |]; intros A part I Pt; now apply bounds.
  Qed.
End Sums.

(** What is derived implies what it establishes. *)
Lemma establishes_sound w correct upper claimed_correct claimed_upper (x : Z) : correct <= x <= upper ->
  establishes w (correct, upper) claimed_correct claimed_upper = true ->
  claimed_correct <= x /\ forall u, claimed_upper = Some u -> x <= u.
Proof.
  intros [C U]. unfold establishes. intros [L%Z.leb_le R]%andb_prop. split; [lia|].
  intros u ->. apply andb_prop in R as [R%Z.leb_le _]. lia.
Qed.
