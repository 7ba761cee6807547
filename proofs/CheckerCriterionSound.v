(** * The criterion settles a query and a level soundly (theorem [settle_sound])

    What a plan certifies for them is at most the number of their inputs that are answered correctly, and what it shows
    to be wrong is at most the number of the others: if the view's enclosures enclose. *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From gbmi Require Import Model Fixed CheckerFast CheckerCertificate CheckerTable CheckerPaths CheckerRules
  CheckerLevels.
From gbmi Require Import CheckerCriterion CheckerLevelsSound CheckerCriterionSoundHalves CheckerCriterionSoundCount.
From gbmi Require Import CheckerTreeSound CheckerCriterionSoundView CheckerCriterionSoundWindow.
From gbmi Require Import CheckerCriterionSoundPartition CheckerCriterionSoundCounts CheckerCriterionSoundWhole.
From gbmi Require Import CheckerGridSound.
Import ListNotations.
Local Open Scope Z_scope.
Local Opaque everything LIMIT add.

Section Settle.
  Hypothesis mul_encloses : forall x y a b k, encloses_sane x a -> encloses_sane y b ->
    encloses_sane (mul_scaled x y k) (a * b * powerRZ 2 k)%R.

  Variables (V : view) (X : reals).
  Hypothesis V_is : encloses_view V X.
  Let r := right_of V.
  Let v := vocab (shared V).
  Let n := context (shared V).
  Let q := query V.

  (** Every wrong answer's sum is negative. *)
  Definition right_input (input : list nat) : bool :=
    forallb (fun j => (j =? r)%nat || negative (input_sum X r q n j input)) (seq 0 v).

  Lemma right_input_iff input : right_input input = true
    <-> forall j, (j < v)%nat -> j <> r -> (input_sum X r q n j input < 0)%R.
  Proof.
    unfold right_input. rewrite forallb_forall. split.
    - intros H j J N. specialize (H j ltac:(apply in_seq; lia)). apply orb_true_iff in H.
      destruct H as [H|H]; [now apply Nat.eqb_eq in H | now apply negative_iff].
    - intros H j J. apply in_seq in J. destruct (Nat.eqb_spec j r); [reflexivity|]. apply negative_iff, H; auto; lia.
  Qed.

  (** A set is counted, or a whole-level test settles it. *)
  Record tests_say (sets : list (answer_set * group)) (csets : list answer_set) (f : findings) : Prop := {
    counted_are : counted f = map (margin_of V) csets;
    counted_from : forall s, In s csets -> exists g, In (s, g) sets;
    holds_all : holds f = true -> forall s g, In (s, g) sets -> In s csets
      \/ pooled_holds V (margin_of V s) (group_window g) = true
      \/ unpooled_holds V (margin_of V s) (group_window g) = true;
    wrong_by_one : shown_wrong f = true -> exists s g, In (s, g) sets
      /\ wrong_holds V (margin_of V s) (group_window g) = true
  }.

  Lemma tested_spec sets : exists csets, tests_say sets csets (tested V sets).
  Proof.
    unfold tested. set (one := fun (state : findings) (entry : answer_set * group) => _).
    assert (forall later done csets f, tests_say done csets f ->
      exists csets', tests_say (done ++ later) csets' (fold_left one later f)) as all.
    { induction later as [|[s g] later IH]; intros done csets f H.
      - exists csets. now rewrite app_nil_r.
      - cbn [fold_left]. destruct H as [C F A W].
        assert (forall s', In s' csets -> exists g', In (s', g') (done ++ [(s, g)])) as F'.
        { intros s' I. destruct (F s' I) as (g' & I'). exists g'. apply in_app_iff. now left. }
        assert (shown_wrong f = true -> exists s' g', In (s', g') (done ++ [(s, g)])
          /\ wrong_holds V (margin_of V s') (group_window g') = true) as W'.
        { intros S. destruct (W S) as (s' & g' & I & H). exists s', g'. split; [apply in_app_iff; now left | exact H]. }
        assert (forall holds' csets', incl csets csets' -> (holds' = true -> holds f = true /\ (In s csets'
            \/ pooled_holds V (margin_of V s) (group_window g) = true
            \/ unpooled_holds V (margin_of V s) (group_window g) = true)) ->
          holds' = true -> forall s' g', In (s', g') (done ++ [(s, g)]) -> In s' csets'
          \/ pooled_holds V (margin_of V s') (group_window g') = true
          \/ unpooled_holds V (margin_of V s') (group_window g') = true) as A'.
        { intros holds' csets' I H Hh s' g' J. destruct (H Hh) as [Hf Hs]. apply in_app_iff in J.
          destruct J as [J|[[= <- <-]|[]]]; [|exact Hs]. destruct (A Hf s' g' J) as [K|K];
            [left; now apply I | now right]. }
        assert (exists csets', tests_say (done ++ [(s, g)]) csets' (one f (s, g))) as (csets' & H).
        { unfold one. destruct (group_test g).
          - exists csets. split; cbn [counted holds shown_wrong]; auto. apply A'; [apply incl_refl|].
            intros [Hp Hh]%andb_true_iff. split; [exact Hh | right; now left].
          - exists csets. split; cbn [counted holds shown_wrong]; auto. apply A'; [apply incl_refl|].
            intros [Hp Hh]%andb_true_iff. split; [exact Hh | right; now right].
          - exists csets. split; cbn [counted holds shown_wrong]; auto; [discriminate|].
            intros S. apply orb_true_iff in S. destruct S as [S|S]; [|now apply W'].
            exists s, g. split; [apply in_app_iff; right; now left | exact S].
          - exists (csets ++ [s]). split; cbn [counted holds shown_wrong]; auto.
            + now rewrite C, map_app.
            + intros s' I. apply in_app_iff in I. destruct I as [I|[<-|[]]]; [now apply F'|].
              exists g. apply in_app_iff. right. now left.
            + apply A'; [apply incl_appl, incl_refl|]. intros Hh. split; [exact Hh|].
              left. apply in_app_iff. right. now left.
          - exists csets. split; cbn [counted holds shown_wrong]; auto. discriminate. }
        destruct (IH _ _ _ H) as (csets'' & H'). exists csets''. now rewrite <- app_assoc in H'. }
    apply (all sets [] []). split; cbn [counted holds shown_wrong map]; easy.
  Qed.

  Theorem settle_sound p certified wrong : settle V p = Derived (certified, wrong) ->
    certified <= how_many right_input (inputs_of V)
    /\ wrong <= how_many (fun input => negb (right_input input)) (inputs_of V).
  Proof.
    unfold settle. fold (the_level V) (right_of V). fold r v.
    destruct (partition_of v r p) as [sets|] eqn:Ep; [|discriminate].
    destruct (partition_covers v r p sets Ep) as [Cover Only].
    destruct (tested_spec sets) as (csets & Say). set (f := tested V sets) in *.
      destruct Say as [Counted Sub Holds Wrong].
    pose proof (all_inputs_are V X V_is) as All.
    destruct (shown_wrong f) eqn:Sw.
    { intros [= <- <-]. split; [apply how_many_nonneg|]. rewrite All, how_many_all; [lia|].
      intros input I. destruct (Wrong eq_refl) as (s & g & Is & H).
      destruct (whole_wrong mul_encloses V X V_is s (fun j => Only s g j Is) (group_window g) H) as (j & J & least).
      destruct (Only s g j Is J) as [Jv Jr]. apply negb_true_iff, not_true_iff_false. rewrite right_input_iff.
      intros R. specialize (R j Jv Jr). specialize (least input I). unfold r, q, n in *. lra. }
    clear Wrong Sw. rewrite Counted. clear Counted.
    assert (forall s j, In s csets -> In j (members v s) -> (j < v)%nat /\ j <> r) as Wrong.
    { intros s j I J. destruct (Sub s I) as (g & I'). now apply (Only s g j). }
    set (count := match map (margin_of V) csets, plan_count p with [], _ => _ | _, _ => _ end).
    destruct count as [[uncertified wrong']| |] eqn:Ec; try discriminate. cbn [bind]. intros [= <- <-].
    assert (all_inputs V - uncertified <= how_many (sets_right V X csets) (inputs_of V)
            /\ wrong' <= how_many (fun input => negb (sets_right V X csets input)) (inputs_of V)) as [A B].
    { unfold count in Ec. destruct csets as [|s0 csets'].
      - cbn [map] in Ec. injection Ec as <- <-. split; [|apply how_many_nonneg].
        rewrite All, how_many_all by reflexivity. lia.
      - cbn [map] in Ec.
        change (margin_of V s0 :: map (margin_of V) csets') with (map (margin_of V) (s0 :: csets')) in Ec.
        pose proof (window_sound V X V_is (plan_window p)) as W_ok.
        destruct (plan_count p) as [order walk|hint].
        + apply (tree_counts mul_encloses V X V_is (s0 :: csets') Wrong (window_of V (plan_window p)) W_ok order walk _
          _ Ec).
        + pose proof (grid_counts mul_encloses V X V_is (s0 :: csets') Wrong _ hint W_ok) as [A B].
          apply (f_equal (fun found => match found with Derived x => x | _ => (0, 0) end)) in Ec.
          cbv beta iota in Ec. rewrite Ec in A, B. split; [|exact B]. rewrite All. cbn [fst] in A.
          rewrite <- (how_many_split (sets_right V X (s0 :: csets'))). lia. }
    split.
    - destruct (holds f) eqn:Hf; [|pose proof (how_many_nonneg right_input (inputs_of V)); lia].
      enough (how_many (sets_right V X csets) (inputs_of V) <= how_many right_input (inputs_of V)).
      { pose proof (how_many_nonneg right_input (inputs_of V)). lia. }
      apply how_many_le. intros input I R. apply right_input_iff. intros j J N.
      destruct (Cover j J N) as (s & g & Is & Js). destruct (Holds eq_refl s g Is) as [K|[K|K]].
      + unfold sets_right in R. rewrite forallb_forall in R. apply negative_iff, R, in_flat_map. now exists s.
      + apply (whole_pooled mul_encloses V X V_is s (fun j => Only s g j Is) (group_window g) K input j I Js).
      + apply (whole_unpooled mul_encloses V X V_is s (fun j => Only s g j Is) (group_window g) K input j I Js).
    - eapply Z.le_trans; [exact B|]. apply how_many_le. intros input I R. apply negb_true_iff in R.
      apply negb_true_iff, not_true_iff_false. intros Ri. rewrite right_input_iff in Ri.
      apply not_true_iff_false in R. apply R. unfold sets_right. apply forallb_forall. intros j J.
      apply in_flat_map in J. destruct J as (s & Is & Js). apply negative_iff. destruct (Wrong s j Is Js). now apply Ri.
  Qed.
End Settle.
