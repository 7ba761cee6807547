(** * The groups of a plan hold every wrong answer, and no other *)

From Coq Require Import Reals ZArith List Bool Lia.
From gbmi Require Import Fixed CheckerCertificate CheckerTable CheckerRules CheckerCriterion.
From gbmi Require Import CheckerCriterionSoundHalves CheckerCriterionSoundView CheckerCriterionSoundWindow.
Import ListNotations.

Lemma mark_spec : forall marks a marks', mark a marks = Some marks' ->
  (a < length marks)%nat /\ nth a marks false = false /\ length marks' = length marks
  /\ forall k, nth k marks' false = nth k marks false || (k =? a)%nat.
Proof.
  induction marks as [|x marks IH]; intros a marks' E; [destruct a; discriminate|].
  destruct a as [|a].
  - destruct x; [discriminate|]. injection E as <-. repeat split; [cbn; lia|]. intros [|k]; [reflexivity|]. cbn.
    now rewrite orb_false_r.
  - assert (option_map (cons x) (mark a marks) = Some marks') as E' by (now destruct x).
    destruct (mark a marks) as [ms|] eqn:Em; [|discriminate]. injection E' as <-.
    destruct (IH a ms Em) as (L & N & Le & K). repeat split; [cbn; lia | exact N | cbn; now rewrite Le|].
    intros [|k]; cbn [nth Nat.eqb]; [now rewrite orb_false_r | apply K].
Qed.

Lemma mark_some : forall marks a, (a < length marks)%nat -> nth a marks false = false -> mark a marks <> None.
Proof.
  induction marks as [|x marks IH]; intros a L N; [cbn in L; lia|]. destruct a as [|a]; cbn in N.
  - now subst x.
  - cbn in L. specialize (IH a ltac:(lia) N). cbn. destruct x; now destruct (mark a marks).
Qed.

Lemma mark_all_cons a l marks : mark_all (a :: l) marks
  = match mark a marks with Some marks => mark_all l marks | None => None end.
Proof.
  unfold mark_all. cbn [fold_left]. destruct (mark a marks) as [ms|]; [reflexivity|].
  induction l as [|b l IH]; [reflexivity | exact IH].
Qed.

Lemma mark_all_spec : forall l marks taken, mark_all l marks = Some taken ->
  length taken = length marks /\ NoDup l /\ (forall a, In a l -> (a < length marks)%nat /\ nth a marks false = false)
  /\ forall k, nth k taken false = true <-> nth k marks false = true \/ In k l.
Proof.
  induction l as [|a l IH]; intros marks taken E.
  - cbn in E. injection E as <-. repeat split; try easy; [constructor | now left | now intros [H|[]]].
  - rewrite mark_all_cons in E. destruct (mark a marks) as [ms|] eqn:Em; [|discriminate].
    destruct (mark_spec _ _ _ Em) as (L & N & Le & K). destruct (IH ms taken E) as (Lt & D & A & T).
    assert (nth a ms false = true) as Ma by (rewrite K, Nat.eqb_refl; apply orb_true_r).
    split; [congruence|]. split; [|split].
    + constructor; [|exact D]. intros I. destruct (A a I). congruence.
    + intros b [<-|I]; [easy|]. destruct (A b I) as [B F]. rewrite K in F. apply orb_false_iff in F. now rewrite <- Le.
    + intros k. rewrite T, K. rewrite orb_true_iff, Nat.eqb_eq. cbn [In]. intuition.
Qed.

Lemma mark_all_some : forall l marks, NoDup l -> (forall a, In a l ->
  (a < length marks)%nat /\ nth a marks false = false) ->
  mark_all l marks <> None.
Proof.
  induction l as [|a l IH]; intros marks D A; [discriminate|]. rewrite mark_all_cons. inversion_clear D as [|? ? N D'].
  destruct (A a (or_introl eq_refl)) as [L F]. pose proof (mark_some marks a L F) as S.
  destruct (mark a marks) as [ms|] eqn:Em; [|easy]. apply IH; [exact D'|].
  destruct (mark_spec _ _ _ Em) as (_ & _ & Le & K). intros b I. destruct (A b (or_intror I)) as [Lb Fb].
  rewrite Le, K, Fb. split; [exact Lb|]. destruct (Nat.eqb_spec b a) as [->|]; [easy | reflexivity].
Qed.

Lemma nth_repeat_false n k : nth k (repeat false n) false = false.
Proof. revert k. induction n; intros [|k]; cbn; auto. Qed.

Lemma in_places marks j : In j (places marks) <-> nth j marks false = true.
Proof.
  unfold places. enough (forall s, In j (map fst (filter snd (combine (seq s (length marks)) marks)))
    <-> exists i, j = (s + i)%nat /\ nth i marks false = true) as E.
  { rewrite (E 0%nat). split; [now intros (i & -> & H) | intros H; now exists j]. }
  induction marks as [|x marks IH]; intros s; cbn [length seq combine filter].
  - split; [easy|]. now intros ([|i] & _ & H).
  - cbn [snd]. split.
    + intros I. destruct x; [destruct I as [<-|I]|].
      * exists 0%nat. split; [cbn; lia | reflexivity].
      * apply IH in I. destruct I as (i & -> & H). exists (S i). split; [lia | exact H].
      * apply IH in I. destruct I as (i & -> & H). exists (S i). split; [lia | exact H].
    + intros ([|i] & -> & H); cbn in H.
      * subst x. left. cbn. lia.
      * assert (In (s + S i)%nat (map fst (filter snd (combine (seq (S s) (length marks)) marks)))) as I.
        { apply IH. exists i. split; [lia | exact H]. }
        destruct x; [now right | exact I].
Qed.

Theorem partition_covers v r p sets : partition_of v r p = Some sets ->
  (forall j, (j < v)%nat -> j <> r -> exists s g, In (s, g) sets /\ In j (members v s))
  /\ forall s g j, In (s, g) sets -> In j (members v s) -> (j < v)%nat /\ j <> r.
Proof.
  unfold partition_of. destruct (v <? length (groups p))%nat; [discriminate|].
  set (all := concat (map named (groups p))).
  destruct (mark_all (r :: all) (repeat false v)) as [taken|] eqn:E; [|discriminate].
  destruct (mark_all_spec _ _ _ E) as (L & D & A & T). rewrite repeat_length in L, A.
  assert (forall k, nth k taken false = true <-> k = r \/ In k all) as taken_iff.
  { intros k. rewrite T, nth_repeat_false. cbn [In]. intuition congruence. }
  set (rest := map negb taken).
  assert (forall k, nth k rest false = true <-> (k < v)%nat /\ k <> r /\ ~ In k all) as rest_iff.
  { intros k. specialize (taken_iff k). destruct (Nat.lt_ge_cases k v) as [K|K].
    - unfold rest. rewrite nth_indep with (d' := negb false) by (rewrite map_length; lia). rewrite map_nth.
      destruct (nth k taken false); cbn; intuition congruence.
    - unfold rest. rewrite nth_overflow by (rewrite map_length; lia). split; [discriminate | lia]. }
  inversion_clear D as [|? ? Nm D'].
  assert (forall k, In k all -> (k < v)%nat /\ k <> r) as all_below.
  { intros k I. split; [apply A; now right | congruence]. }
  assert (forall k, In k (places rest) <-> (k < v)%nat /\ k <> r /\ ~ In k all) as left_iff.
  { intros k. rewrite in_places. apply rest_iff. }
  set (together := fun (g : group) (answers : list nat) (marks : list bool) =>
    match answers with [] => [] | [one] => [(One one, g)] | _ => [(Marked marks, g)] end).
  assert (forall g answers marks, (forall j, In j answers -> (j < v)%nat) ->
    (forall j, (j < v)%nat -> nth j marks false = true <-> In j answers) ->
    (forall j, In j answers -> exists s, In (s, g) (together g answers marks) /\ In j (members v s))
    /\ forall s g' j, In (s, g') (together g answers marks) -> In j (members v s) -> In j answers) as together_is.
  { intros g answers marks B M. unfold together. destruct answers as [|one [|two more]].
    - split; easy.
    - split; [intros j [<-|[]]; exists (One one); cbn; auto|]. intros s g' j [[= <- <-]|[]] I. exact I.
    - set (answers := one :: two :: more) in *. split.
      + intros j I. exists (Marked marks). split; [now left|]. cbn. apply filter_In.
        split; [apply in_seq; specialize (B j I); lia | apply M; auto].
      + intros s g' j [[= <- <-]|[]] I. cbn in I. apply filter_In in I. destruct I as [I J]. apply in_seq in I.
        apply M; [lia | exact J]. }
  destruct (match filter _ (groups p) with [] => _ | [_] => _ | _ => _ end) eqn:O; [discriminate|].
  intros S. injection S as <-. fold together. set (sets := fun g => _).
  assert (forall g answers, In g (groups p) -> group_answers g = These answers ->
    (forall j, In j answers -> In j all) /\ exists marks, mark_all answers (repeat false v) = Some marks
    /\ forall j, (j < v)%nat -> nth j marks false = true <-> In j answers) as these.
  { intros g answers I G. assert (In answers (map named (groups p))) as In1.
    { apply in_map_iff. exists g. unfold named. now rewrite G. }
    assert (forall j, In j answers -> In j all) as Sub by (intros j J; apply in_concat; now exists answers).
    split; [exact Sub|]. pose proof (mark_all_some answers (repeat false v) (NoDup_concat_in _ _ D' In1)) as So.
    destruct (mark_all answers (repeat false v)) as [marks|] eqn:Em.
    - exists marks. split; [reflexivity|]. intros j _. destruct (mark_all_spec _ _ _ Em) as (_ & _ & _ & K).
      rewrite K, nth_repeat_false. intuition congruence.
    - exfalso. apply So; [|reflexivity]. intros a J. rewrite repeat_length. split; [|apply nth_repeat_false].
      now apply all_below, Sub. }
  assert (forall j, In j (places rest) -> (j < v)%nat) as left_below by (intros j J; now apply left_iff in J).
  assert (forall j, (j < v)%nat -> nth j rest false = true <-> In j (places rest)) as rest_places.
  { intros j _. symmetry. apply in_places. }
  split.
  - intros j J N. destruct (in_dec Nat.eq_dec j all) as [I|I].
    + apply in_concat in I. destruct I as (answers & I & K). apply in_map_iff in I. destruct I as (g & Eg & I).
      unfold named in Eg. destruct (group_answers g) as [answers'| |] eqn:G; try (subst answers; easy). subst answers'.
      destruct (these g answers I G) as (Sub & marks & Em & M).
      destruct (together_is g answers marks (fun j K => proj1 (all_below j (Sub j K))) M) as [C _].
      destruct (C j K) as (s & Is & Js). exists s, g. split; [|exact Js]. apply in_concat. exists (sets g).
      split; [now apply in_map|]. unfold sets. now rewrite G, Em.
    + assert (In j (places rest)) as K by (now apply left_iff).
      set (open := filter _ (groups p)) in O. destruct open as [|g open'] eqn:Eo; [now destruct (places rest)|].
      assert (In g open) as Ig by (rewrite Eo; now left). apply filter_In in Ig. destruct Ig as [Ig Og].
      destruct (group_answers g) as [answers| |] eqn:G; [discriminate| |].
      * destruct (together_is g (places rest) rest left_below rest_places) as [C _].
        destruct (C j K) as (s & Is & Js). exists s, g. split; [|exact Js]. apply in_concat. exists (sets g).
        split; [now apply in_map|]. unfold sets. now rewrite G.
      * exists (One j), g. split; [|now left]. apply in_concat. exists (sets g). split; [now apply in_map|].
        unfold sets. rewrite G. apply in_map_iff. now exists j.
  - intros s g' j I J. apply in_concat in I. destruct I as (entries & I & K). apply in_map_iff in I.
    destruct I as (g & <- & I). unfold sets in K. destruct (group_answers g) as [answers| |] eqn:G.
    + destruct (these g answers I G) as (Sub & marks & Em & M). rewrite Em in K.
      destruct (together_is g answers marks (fun j K => proj1 (all_below j (Sub j K))) M) as [_ C].
      apply all_below, Sub. now apply (C s g').
    + destruct (together_is g (places rest) rest left_below rest_places) as [_ C].
      assert (In j (places rest)) as H by (now apply (C s g')). apply left_iff in H. tauto.
    + apply in_map_iff in K. destruct K as (j' & [= <- <-] & K). destruct J as [<-|[]]. apply left_iff in K. tauto.
Qed.
