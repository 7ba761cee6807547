(** * All inputs of a pair, told apart by the first position that holds the maximum *)

From Coq Require Import Reals ZArith List Bool Lia Lra Permutation.
From gbmi Require Import Model Fixed CheckerTable CheckerRules CheckerCriterion.
From gbmi Require Import CheckerCriterionSoundHalves CheckerCriterionSoundCount CheckerTreeSound.
Import ListNotations.
Local Open Scope Z_scope.
Local Opaque everything LIMIT add.

(** ** Sequences of some tokens *)

Fixpoint rows (tokens : list nat) (k : nat) : list (list nat) :=
  match k with
  | O => [[]]
  | S k => flat_map (fun t => map (cons t) (rows tokens k)) tokens
  end.

Lemma rows_sequences v k : rows (seq 0 v) k = sequences v k.
Proof. induction k as [|k IH]; cbn [rows sequences]; [reflexivity|]. now rewrite IH. Qed.

Lemma zsum_permutation l l' : Permutation l l' -> zsum l = zsum l'.
Proof. induction 1; cbn [zsum]; lia. Qed.

Lemma rows_permutation tokens tokens' k : Permutation tokens tokens' ->
  forall f, how_many f (rows tokens k) = how_many f (rows tokens' k).
Proof.
  intros E. induction k as [|k IH]; intros f; [reflexivity|]. cbn [rows]. rewrite !how_many_flat_map.
  rewrite (zsum_permutation _ _ (Permutation_map _ E)). f_equal. apply map_ext. intros t.
  rewrite !how_many_map. apply IH.
Qed.

Lemma zsum_exchange {A B} (h : A -> B -> Z) (xs : list A) (ys : list B) :
  zsum (map (fun x => zsum (map (h x) ys)) xs) = zsum (map (fun y => zsum (map (fun x => h x y) xs)) ys).
Proof.
  induction xs as [|x xs IH]; cbn [map zsum].
  - induction ys; cbn [map zsum]; lia.
  - rewrite IH. apply zsum_plus.
Qed.

Section Roots.
  Variable phi : nat -> nat -> nat -> R.
  Variable answers : nat -> list nat.
  Variable m : nat.
  (** The classes of the other tokens. *)
  Variable others : list (list nat).
  Hypothesis m_apart : ~ In m (concat others).
  Variable shows : list bool.
  Hypothesis shows_one : forall g, nth g shows false = true -> exists j, answers g = [j].

  Let classes : list (list nat) := [m] :: others.
  Let tokens : list nat := concat classes.

  Variable positions : list position.
  Hypothesis positions_are : forall p, (p < length positions)%nat ->
    forall P, describes phi answers classes shows (nth p positions P) p.

  (** *** Patterns *)

  Definition has_m (s : list nat) : bool := existsb (Nat.eqb m) s.

  Fixpoint insert (f : nat) (ts : list nat) : list nat :=
    match f, ts with
    | S f, t :: ts => t :: insert f ts
    | _, _ => m :: ts
    end.

  Definition is_first (first : option nat) (p : nat) : bool :=
    match first with Some f => (p =? f)%nat | None => false end.
  Definition places_of (first : option nat) (p k : nat) : list nat :=
    filter (fun p => negb (is_first first p)) (seq p k).

  Lemma steps_follow first : forall (Ps : list position) p,
    (forall i P, nth_error Ps i = Some P -> describes phi answers classes shows P (p + i)) ->
    follow phi answers classes shows (steps_of first p Ps) (places_of first p (length Ps)).
  Proof.
    unfold places_of. induction Ps as [|P Ps IH]; intros p H; cbn [steps_of length seq filter]; [constructor|].
    assert (describes phi answers classes shows P p) as D by (rewrite <- (Nat.add_0_r p); now apply (H O)).
    assert (follow phi answers classes shows (steps_of first (S p) Ps)
              (filter (fun p => negb (is_first first p)) (seq (S p) (length Ps)))) as F.
    { apply IH. intros i P' N. rewrite Nat.add_succ_l, <- Nat.add_succ_r. now apply H. }
    destruct first as [f|]; cbn [is_first] in *; [|now constructor].
    destruct (p =? f)%nat; cbn [negb]; [exact F | now constructor].
  Qed.

  Lemma describes_all first : follow phi answers classes shows (steps_of first 0 positions)
    (places_of first 0 (length positions)).
  Proof.
    apply steps_follow. intros i P N. assert (i < length positions)%nat as I by (apply nth_error_Some; congruence).
    specialize (positions_are i I P). now rewrite (nth_error_nth _ _ _ N) in positions_are.
  Qed.

  Lemma free_completions first : forall (Ps : list position) p,
    (forall f, first = Some f -> f < p)%nat ->
    completions classes (steps_of first p Ps) = rows tokens (length Ps).
  Proof.
    induction Ps as [|P Ps IH]; intros p H; [reflexivity|]. cbn [steps_of length rows].
    assert (completions classes (steps_of first (S p) Ps) = rows tokens (length Ps)) as E.
    { apply IH. intros f F. specialize (H f F). lia. }
    destruct first as [f|].
    - specialize (H f eq_refl). destruct (Nat.eqb_spec p f); [lia|]. destruct (Nat.ltb_spec p f); [lia|].
      cbn [completions]. rewrite start_step_of, E. reflexivity.
    - cbn [completions]. rewrite start_step_of, E. reflexivity.
  Qed.

  (** Every sequence that holds m has one first position that does. *)
  Lemma patterns : forall (Ps : list position) p (good : list nat -> bool),
    zsum (map (fun f => how_many (fun ts => good (insert (f - p) ts)) (completions classes (steps_of (Some f) p Ps)))
      (seq p (length Ps)))
    = how_many (fun s => has_m s && good s) (rows tokens (length Ps)).
  Proof.
    induction Ps as [|P Ps IH]; intros p good; [reflexivity|]. cbn [length seq map zsum].
    change (rows tokens (S (length Ps))) with (map (cons m) (rows tokens (length Ps))
      ++ flat_map (fun t => map (cons t) (rows tokens (length Ps))) (concat others)).
    rewrite how_many_app, how_many_flat_map. f_equal.
    - cbn [steps_of]. rewrite Nat.eqb_refl, free_completions by (intros f [= <-]; lia).
      rewrite how_many_map, Nat.sub_diag. apply how_many_ext. intros s _. unfold has_m. cbn [existsb insert].
      now rewrite Nat.eqb_refl.
    - transitivity (zsum (map (fun f => zsum (map (fun t =>
          how_many (fun ts => good (t :: insert (f - S p) ts)) (completions classes (steps_of (Some f) (S p) Ps)))
          (concat others))) (seq (S p) (length Ps)))).
      + f_equal. apply map_ext_in. intros f F. apply in_seq in F. cbn [steps_of].
        destruct (Nat.eqb_spec p f); [lia|]. destruct (Nat.ltb_spec p f); [|lia].
        cbn [completions]. rewrite start_step_of, how_many_flat_map. cbn [skipn classes]. f_equal. apply map_ext.
        intros t. rewrite how_many_map. replace (f - p)%nat with (S (f - S p)) by lia. reflexivity.
      + rewrite zsum_exchange. f_equal. apply map_ext_in. intros t T. rewrite (IH (S p) (fun s => good (t :: s))).
        rewrite how_many_map. apply how_many_ext. intros s _. unfold has_m. cbn [existsb].
        destruct (Nat.eqb_spec m t) as [->|]; [now destruct m_apart | reflexivity].
  Qed.

  (** The term of the first m comes first. *)
  Lemma outcome_insert j f : forall k p ts x, (p <= f < p + k)%nat ->
    length ts = length (places_of (Some f) p k) ->
    outcome phi j (x + phi j f m) (places_of (Some f) p k) ts = outcome phi j x (seq p k) (insert (f - p) ts).
  Proof.
    unfold places_of. induction k as [|k IH]; intros p ts x B L; [lia|]. cbn [seq filter is_first] in *.
    destruct (Nat.eqb_spec p f) as [->|N]; cbn [negb] in *.
    - rewrite Nat.sub_diag. cbn [insert outcome].
      assert (forall n, (f < n)%nat -> filter (fun p => negb (p =? f)%nat) (seq n k) = seq n k) as ->;
        [|reflexivity|lia].
      clear. induction k as [|k IH]; intros n L; [reflexivity|]. cbn [seq filter].
      destruct (Nat.eqb_spec n f); [lia|]. cbn [negb]. rewrite IH by lia. reflexivity.
    - destruct ts as [|t ts]; [discriminate|]. replace (f - p)%nat with (S (f - S p)) by lia. cbn [insert outcome].
      rewrite <- IH; [|lia|now injection L]. f_equal. ring.
  Qed.

  Lemma completions_length steps places ts : follow phi answers classes shows steps places ->
    In ts (completions classes steps) -> length ts = length places.
  Proof.
    intros F. revert ts. induction F as [|P from behind p places D F IH]; intros ts I.
    - now destruct I as [<-|[]].
    - cbn [completions] in I. apply in_flat_map in I. destruct I as (t & _ & I). apply in_map_iff in I.
      destruct I as (rest & <- & R). cbn. now rewrite (IH rest).
  Qed.

  (** *** The counts *)

  Variables (open : opened) (last : nat -> R).
  Hypothesis open_is : sums answers shows open last.

  Definition root (f : nat) : list step * opened :=
    (steps_of (Some f) 0 positions, extended (hd [] (items (nth f positions {| items := []; times_of := [];
       most_orders := []; least_orders := [] |}))) open).

  Definition good : list nat -> bool :=
    all_negative phi answers (map fst open) last (seq 0 (length positions)).
  Definition bad : list nat -> bool :=
    some_wrong phi answers shows (map fst open) last (seq 0 (length positions)).

  Lemma all_negative_ext gs prefix prefix' places places' ts ts' :
    (forall j, outcome phi j (prefix j) places ts = outcome phi j (prefix' j) places' ts') ->
    all_negative phi answers gs prefix places ts = all_negative phi answers gs prefix' places' ts'.
  Proof. intros H. apply eq_true_iff_eq. rewrite !all_negative_iff. now setoid_rewrite H. Qed.

  Lemma some_wrong_ext gs prefix prefix' places places' ts ts' :
    (forall j, outcome phi j (prefix j) places ts = outcome phi j (prefix' j) places' ts') ->
    some_wrong phi answers shows gs prefix places ts = some_wrong phi answers shows gs prefix' places' ts'.
  Proof. intros H. apply eq_true_iff_eq. rewrite !some_wrong_iff. now setoid_rewrite H. Qed.

  Theorem tree_patterns script :
    let found := walk shows script (map root (seq 0 (length positions))) in
    fst found <= how_many (fun s => has_m s && good s) (rows tokens (length positions))
    /\ snd found <= how_many (fun s => has_m s && bad s) (rows tokens (length positions)).
  Proof.
    cbn zeta. rewrite <- (patterns positions 0 good), <- (patterns positions 0 bad).
    pose proof (walk_counts phi answers classes shows shows_one script root
      (fun f => places_of (Some f) 0 (length positions)) (fun f => one_more phi last f m) (seq 0 (length positions)))
        as W.
    destruct W as [X Y].
    - intros f F. apply in_seq in F. split; [apply describes_all|]. unfold root. cbn [snd].
      set (P := nth f positions _). assert (describes phi answers classes shows P f) as D by (apply positions_are; lia).
      apply (sums_extended phi answers shows f [m] (hd [] (items P), 1)); [|now left | exact open_is].
      assert (hd [] (items P) = nth 0 (items P) []) as E by now destruct (items P).
      split; [reflexivity|]. cbn [fst]. rewrite E. split.
      + intros t g j T. apply (items_above _ _ _ _ _ _ D). exact T.
      + intros t g j T. apply (items_below _ _ _ _ _ _ D). exact T.
    - split; (eapply Z.le_trans; [eassumption|]); apply Z.eq_le_incl; f_equal; apply map_ext_in; intros f F;
        apply in_seq in F; unfold rights, wrongs; apply how_many_ext; intros ts I; unfold good, bad, root in *;
        cbn [fst snd] in *; rewrite extended_groups; [apply all_negative_ext | apply some_wrong_ext];
        intros j; unfold one_more; apply outcome_insert; try lia;
        exact (completions_length _ _ _ (describes_all (Some f)) I).
  Qed.

  (** Where any sequence is an input. *)
  Theorem tree_free script :
    let found := walk shows script [(steps_of None 0 positions, open)] in
    fst found <= how_many good (rows tokens (length positions))
    /\ snd found <= how_many bad (rows tokens (length positions)).
  Proof.
    cbn zeta. rewrite <- (free_completions None positions 0) by discriminate.
    pose proof (walk_counts phi answers classes shows shows_one script
      (fun _ : unit => (steps_of None 0 positions, open))
      (fun _ => places_of None 0 (length positions)) (fun _ => last) [tt]) as W.
    destruct W as [X Y]; [intros a _; split; [apply describes_all | exact open_is]|].
    cbn [map zsum fst snd] in X, Y. rewrite Z.add_0_r in X, Y.
    assert (places_of None 0 (length positions) = seq 0 (length positions)) as E.
    { unfold places_of. cbn. induction (seq 0 (length positions)) as [|p ps IH]; [reflexivity|]. cbn. now rewrite IH. }
    unfold rights, wrongs in X, Y. rewrite E in X, Y. now split.
  Qed.
End Roots.
