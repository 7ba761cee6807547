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

(** ** One level and one query, one level, all *)

(** What the plan of a level and a query derives; without a plan, that nothing is certified and nothing wrong. *)
Definition settled (T : CheckerRules.tables) (c : cert) (L : nat * level) (q : nat * nat) : result (Z * Z) :=
  match plan_for c (fst L) (fst q) with
  | Some p => settle (view_of T (level_view_of T (snd L)) (snd q)) p
  | None => Derived (0, 0)
  end.

Lemma certified_level_settled T c L : certified_level T c (fst L) (snd L)
  = fold_left (fun sum q => bind sum (fun sum => bind (settled T c L q) (fun found => Derived (plus sum found))))
      (enumerated (queries (vocab T) (snd L))) (Derived (0, 0)).
Proof.
  unfold certified_level. cbv zeta. generalize (@Derived (Z * Z) (0, 0)) as start.
  generalize (enumerated (queries (vocab T) (snd L))) as l.
  induction l as [|q l IH]; intros start; [easy|]. cbn [fold_left]. rewrite <- IH. f_equal.
  destruct start as [[x y]| |]; cbn [bind]; [|easy|easy]. unfold settled.
  destruct (plan_for c (fst L) (fst q)); [easy|]. unfold plus. cbn [bind fst snd]. now rewrite !Z.add_0_r.
Qed.

Section Sums.
  Variables (w : weights) (c : cert) (levels : list level).
  Let cfg := sizes w.
  Let T := CheckerRules.tables_of w c.
  Let v := d_vocab cfg.

  Lemma derive_shapes found : derive_levels w c levels = Derived found -> well_formed w = true.
  Proof. unfold derive_levels. now destruct (well_formed w). Qed.

  (** Every level's and query's counts are derived, and they add up. *)
  Lemma derive_sums correct upper : derive_levels w c levels = Derived (correct, upper) ->
    (forall L q, In L (enumerated levels) -> In q (enumerated (queries v (snd L))) ->
      settled T c L q = Derived (value (settled T c L q)))
    /\ correct = levels_sum v levels (fun L q => fst (value (settled T c L q)))
    /\ upper = total_inputs w - levels_sum v levels (fun L q => snd (value (settled T c L q))).
  Proof.
    intros E. unfold derive_levels in E. rewrite (derive_shapes _ E) in E. cbv zeta in E. fold cfg T in E.
    destruct (fold_left _ (rev (enumerated levels)) _) as [found| |] eqn:F; [|easy|easy].
    cbn [bind] in E. injection E as E E'.
    apply (fold_derived (fun L => certified_level T c (fst L) (snd L))) in F. destruct F as (D & F & G).
    rewrite map_rev, zsum_rev in F, G. cbn [fst snd] in F, G. rewrite Z.add_0_l in F, G.
    assert (forall L, In L (enumerated levels) ->
      (forall q, In q (enumerated (queries v (snd L))) -> settled T c L q = Derived (value (settled T c L q)))
      /\ fst (value (certified_level T c (fst L) (snd L)))
         = zsum (map (fun q => fst (value (settled T c L q))) (enumerated (queries v (snd L))))
      /\ snd (value (certified_level T c (fst L) (snd L)))
         = zsum (map (fun q => snd (value (settled T c L q))) (enumerated (queries v (snd L))))) as each.
    { intros L I. specialize (D L). rewrite <- in_rev in D. specialize (D I).
      rewrite certified_level_settled in D at 1. apply (fold_derived (settled T c L)) in D. exact D. }
    split; [|split].
    - intros L q I Q. now apply each.
    - rewrite <- E, F. unfold levels_sum. f_equal. apply map_ext_in. intros L I. now apply each.
    - rewrite <- E', G. f_equal. unfold levels_sum. f_equal. apply map_ext_in. intros L I. now apply each.
  Qed.

  Variable net : network.
  Hypothesis cover : levels_cover v (n_ctx cfg) levels.
  Hypothesis settled_sound : forall L q, In L levels -> In q (queries v L) -> forall p certified wrong,
    settle (view_of T (level_view_of T L) q) p = Derived (certified, wrong) ->
    certified <= how_many (fun s => answered cfg net (s ++ [q])) (level_inputs L q)
    /\ wrong <= how_many (fun s => negb (answered cfg net (s ++ [q]))) (level_inputs L q).

  Theorem sums_sound correct upper : derive_levels w c levels = Derived (correct, upper) ->
    correct <= Z.of_nat (count_correct cfg net) <= upper.
  Proof.
    intros E. destruct (derive_sums _ _ E) as (D & -> & ->).
    assert (forall L q, In L (enumerated levels) -> In q (enumerated (queries v (snd L))) ->
      fst (value (settled T c L q)) <= how_many (fun s => answered cfg net (s ++ [snd q])) (level_inputs (snd L) (snd q))
      /\ snd (value (settled T c L q))
        <= how_many (fun s => negb (answered cfg net (s ++ [snd q]))) (level_inputs (snd L) (snd q))) as bounds.
    { intros L q I Q. specialize (D L q I Q). unfold settled in *. destruct (plan_for c (fst L) (fst q)) as [p|].
      - apply (settled_sound (snd L) (snd q) (in_enumerated _ _ I) (in_enumerated _ _ Q) p). rewrite D. now destruct (value _).
      - split; apply how_many_nonneg. }
    apply (certified_count v (n_ctx cfg) levels (answered cfg net)); [exact cover | |];
      intros L q I Q; now apply bounds.
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
