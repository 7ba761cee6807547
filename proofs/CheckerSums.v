(** * What the checker derives is the sum of what it settles (theorem [sums_sound])

    If every plan's counts bound the right and the wrong inputs of its query and maximum, the derived counts bound the
    correct answers of the network. *)

From Coq Require Import ZArith List Bool Arith Lia.
From gbmi Require Import Model CheckerCertificate CheckerRules CheckerCriterion Checker.
From gbmi Require Import Counting.
Import ListNotations.
Local Open Scope Z_scope.

(** ** Folds of results *)

Definition value (r : result (Z * Z)) : Z * Z := match r with Derived found => found | _ => (0, 0) end.

Section Fold.
  Variable step : nat -> result (Z * Z).

  Let fold : list nat -> result (Z * Z) -> result (Z * Z) :=
    fold_left (fun sum a => bind sum (fun sum => bind (step a) (fun found => Derived (plus sum found)))).

  Lemma fold_stuck l r : (forall found, r <> Derived found) -> forall found, fold l r <> Derived found.
  Proof.
    revert r. unfold fold. induction l as [|a l IH]; intros r R; [exact R|]. apply IH. intros found.
    destruct r as [start| |]; [now destruct (R start) | easy | easy].
  Qed.

  (** A sum is derived only if every term is. *)
  Lemma fold_derived l : forall start found, fold l (Derived start) = Derived found ->
    (forall a, In a l -> step a = Derived (value (step a)))
    /\ fst found = fst start + sum_Z l (fun a => fst (value (step a)))
    /\ snd found = snd start + sum_Z l (fun a => snd (value (step a))).
  Proof.
    induction l as [|a l IH]; intros start found E.
    - injection E as <-. unfold sum_Z. cbn. split; [easy | lia].
    - change (fold l (bind (step a) (fun found => Derived (plus start found))) = Derived found) in E.
      destruct (step a) as [x| |] eqn:S; cbn [bind] in E; [|now apply fold_stuck in E|now apply fold_stuck in E].
      destruct (IH _ _ E) as (D & F & G). split; [|unfold sum_Z in *; cbn; rewrite S, F, G; cbn; lia].
      intros b [<-|B]; [now rewrite S | now apply D].
  Qed.
End Fold.

Lemma sum_Z_rev l f : sum_Z (rev l) f = sum_Z l f.
Proof.
  unfold sum_Z. rewrite map_rev. induction (map f l) as [|x xs IH]; [easy|]. cbn. rewrite fold_right_app. cbn.
  rewrite Z.add_0_r, <- IH. generalize (rev xs). clear. intros l. induction l as [|y l IH]; cbn; lia.
Qed.

Lemma sum_Z_ext l f g : (forall a, In a l -> f a = g a) -> sum_Z l f = sum_Z l g.
Proof. intros H. unfold sum_Z. f_equal. now apply map_ext_in. Qed.

(** ** One pair, one maximum, all *)

(** What the plan of a query and a maximum derives; without a plan, that nothing is certified and nothing wrong. *)
Definition settled (T : CheckerRules.tables) (c : cert) (m q : nat) : result (Z * Z) :=
  match plan_for c q m with
  | Some p => settle (view_of T (level_of T m) q) p
  | None => Derived (0, 0)
  end.

Lemma certified_level_settled T c m : certified_level T c m
  = fold_left (fun sum q => bind sum (fun sum => bind (settled T c m q) (fun found => Derived (plus sum found))))
      (seq 0 (S m)) (Derived (0, 0)).
Proof.
  unfold certified_level. generalize (@Derived (Z * Z) (0, 0)) as start. generalize (seq 0 (S m)) as l.
  induction l as [|q l IH]; intros start; [easy|]. cbn [fold_left]. rewrite <- IH. f_equal.
  destruct start as [[x y]| |]; cbn [bind]; [|easy|easy]. unfold settled.
  destruct (plan_for c q m); [easy|]. unfold plus. cbn [bind fst snd]. now rewrite !Z.add_0_r.
Qed.

Section Sums.
  Variables (w : weights) (c : cert).
  Let cfg := sizes w.
  Let T := CheckerRules.tables_of w c.

  Lemma derive_shapes found : derive w c = Derived found -> well_formed w = true.
  Proof. unfold derive. now destruct (well_formed w). Qed.

  (** Every pair's counts are derived, and they add up. *)
  Lemma derive_sums correct upper : derive w c = Derived (correct, upper) ->
    (forall q m, (q <= m < d_vocab cfg)%nat -> settled T c m q = Derived (value (settled T c m q)))
    /\ correct = pair_sum (d_vocab cfg) (fun q m => fst (value (settled T c m q)))
    /\ upper = total_inputs w - pair_sum (d_vocab cfg) (fun q m => snd (value (settled T c m q))).
  Proof.
    intros E. unfold derive in E. rewrite (derive_shapes _ E) in E. cbv zeta in E. fold cfg T in E.
    destruct (fold_left _ (rev (seq 0 (d_vocab cfg))) _) as [found| |] eqn:F; [|easy|easy].
    cbn [bind] in E. injection E as E E'.
    apply (fold_derived (certified_level T c)) in F. destruct F as (D & F & G).
    rewrite sum_Z_rev in F, G. cbn [fst snd] in F, G. rewrite Z.add_0_l in F, G.
    assert (forall m, In m (seq 0 (d_vocab cfg)) ->
      (forall q, (q <= m)%nat -> settled T c m q = Derived (value (settled T c m q)))
      /\ fst (value (certified_level T c m)) = sum_Z (seq 0 (S m)) (fun q => fst (value (settled T c m q)))
      /\ snd (value (certified_level T c m)) = sum_Z (seq 0 (S m)) (fun q => snd (value (settled T c m q)))) as levels.
    { intros m M. specialize (D m). rewrite <- in_rev in D. specialize (D M).
      rewrite certified_level_settled in D at 1. apply (fold_derived (settled T c m)) in D.
      destruct D as (P & C & W). split; [|exact (conj C W)]. intros q Q. apply P, in_seq. lia. }
    split; [|split].
    - intros q m B. apply levels; [apply in_seq|]; lia.
    - rewrite <- E, F. apply sum_Z_ext. intros m M. now apply levels.
    - rewrite <- E', G. f_equal. apply sum_Z_ext. intros m M. now apply levels.
  Qed.

  Variable net : network.
  Hypothesis settled_sound : forall m q, (q <= m < d_vocab cfg)%nat -> forall p certified wrong,
    settle (view_of T (level_of T m) q) p = Derived (certified, wrong) ->
    certified <= Z.of_nat (count (fun s => answered cfg net (s ++ [q])) (pair_inputs (n_ctx cfg) m q))
    /\ wrong <= Z.of_nat (count (fun s => negb (answered cfg net (s ++ [q]))) (pair_inputs (n_ctx cfg) m q)).

  Theorem sums_sound correct upper : derive w c = Derived (correct, upper) ->
    correct <= Z.of_nat (count_correct cfg net) <= upper.
  Proof.
    intros E. pose proof (derive_shapes _ E) as shapes. destruct (derive_sums _ _ E) as (D & -> & ->).
    assert (1 <= n_ctx cfg)%nat as N.
    { unfold well_formed in shapes. cbv zeta in shapes. repeat rewrite andb_true_iff in shapes.
      destruct shapes as [[[[[[[[[[[[[[[_ N%Nat.leb_le] _] _] _] _] _] _] _] _] _] _] _] _] _] _]. fold cfg in N. lia. }
    assert (forall q m, (q <= m < d_vocab cfg)%nat ->
      fst (value (settled T c m q))
        <= Z.of_nat (count (fun s => answered cfg net (s ++ [q])) (pair_inputs (n_ctx cfg) m q))
      /\ snd (value (settled T c m q))
        <= Z.of_nat (count (fun s => negb (answered cfg net (s ++ [q]))) (pair_inputs (n_ctx cfg) m q))) as bounds.
    { intros q m B. specialize (D q m B). unfold settled in *. destruct (plan_for c q m) as [p|].
      - apply (settled_sound m q B p). rewrite D. now destruct (value _).
      - split; apply Nat2Z.is_nonneg. }
    apply (certified_correct cfg net _ _ N); intros q m B; now apply bounds.
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
