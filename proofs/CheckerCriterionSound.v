(** * The criterion settles a query and a maximum soundly (theorem [partition_sound])

    What a plan certifies for them is at most the number of their inputs that are answered correctly, and what it shows
    to be wrong is at most the number of the others: if the view's enclosures enclose. *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From gbmi Require Import Model Fixed CheckerFast CheckerCertificate CheckerTable CheckerPaths CheckerRules.
From gbmi Require Import CheckerCriterion CheckerCriterionSoundHalves CheckerCriterionSoundCount.
From gbmi Require Import CheckerTreeSound CheckerCriterionSoundView CheckerCriterionSoundWindow.
From gbmi Require Import CheckerCriterionSoundPartition CheckerCriterionSoundCounts CheckerCriterionSoundWhole.
From gbmi Require Import CheckerGridSound.
From gbmi Require Counting.
Import ListNotations.
Local Open Scope Z_scope.
Local Opaque everything LIMIT add.

Section Settle.
  Hypothesis mul_encloses : forall x y a b k, encloses_sane x a -> encloses_sane y b ->
    encloses_sane (mul_scaled x y k) (a * b * powerRZ 2 k)%R.

  Variables (V : view) (X : reals).
  Hypothesis V_is : encloses_view V X.
  Let m := the_max (at_max V).
  Let v := vocab (shared V).
  Let n := context (shared V).
  Let q := query V.

  (** The inputs of the pair: their tokens before the last one. *)
  Definition inputs_of_pair : list (list nat) := Counting.pair_inputs n m q.

  (** Every wrong answer's sum is negative. *)
  Definition right_input (input : list nat) : bool :=
    forallb (fun j => (j =? m)%nat || negative (input_sum X m q n j input)) (seq 0 v).

  Lemma right_input_iff input : right_input input = true
    <-> forall j, (j < v)%nat -> j <> m -> (input_sum X m q n j input < 0)%R.
  Proof.
    unfold right_input. rewrite forallb_forall. split.
    - intros H j J N. specialize (H j ltac:(apply in_seq; lia)). apply orb_true_iff in H.
      destruct H as [H|H]; [now apply Nat.eqb_eq in H | now apply negative_iff].
    - intros H j J. apply in_seq in J. destruct (Nat.eqb_spec j m); [reflexivity|]. apply negative_iff, H; auto; lia.
  Qed.

  Lemma inputs_of_length : inputs_of V = Z.of_nat (length inputs_of_pair).
  Proof.
    unfold inputs_of, inputs_of_pair. fold m n q. rewrite Counting.pair_inputs_length.
    destruct (q =? m)%nat.
    - rewrite Nat.sub_0_r, Nat2Z.inj_pow, Nat.add_1_r. reflexivity.
    - rewrite (Nat2Z.inj_sub (_ ^ _)) by (apply Nat.pow_le_mono_l; lia). rewrite !Nat2Z.inj_pow, Nat.add_1_r.
      reflexivity.
  Qed.

  (** A set is counted, or a whole-level test settles it. *)
  Lemma tested_spec sets holds counted : tested V sets = (holds, counted) ->
    exists csets, counted = map (margin_of V) csets
      /\ (forall s, In s csets -> exists g, In (s, g) sets)
      /\ (holds = true -> forall s g, In (s, g) sets -> In s csets
          \/ pooled_holds V (margin_of V s) (group_window g) = true
          \/ unpooled_holds V (margin_of V s) (group_window g) = true).
  Proof.
    unfold tested. set (one := fun (state : bool * list margin) (entry : answer_set * group) => _).
    assert (forall sets h c, fold_left one sets (h, c) = (holds, counted) ->
      exists csets, counted = c ++ map (margin_of V) csets
        /\ (forall s, In s csets -> exists g, In (s, g) sets)
        /\ (holds = true -> h = true /\ forall s g, In (s, g) sets -> In s csets
            \/ pooled_holds V (margin_of V s) (group_window g) = true
            \/ unpooled_holds V (margin_of V s) (group_window g) = true)) as G.
    { clear sets. induction sets as [|[s g] sets IH]; intros h c E.
      - cbn in E. injection E as -> ->. exists []. rewrite app_nil_r. repeat split; easy.
      - cbn [fold_left] in E. unfold one in E at 2. destruct (group_test g) eqn:Gt;
          apply IH in E; destruct E as (csets & -> & Sub & H).
        + exists csets. split; [reflexivity|].
          split; [intros s' I; destruct (Sub s' I) as (g' & I'); exists g'; now right|].
          intros Hh. destruct (H Hh) as [Hc Ha]. apply andb_true_iff in Hc. split; [easy|].
          intros s' g' [[= <- <-]|I]; [now right; left | now apply Ha].
        + exists csets. split; [reflexivity|].
          split; [intros s' I; destruct (Sub s' I) as (g' & I'); exists g'; now right|].
          intros Hh. destruct (H Hh) as [Hc Ha]. apply andb_true_iff in Hc. split; [easy|].
          intros s' g' [[= <- <-]|I]; [now right; right | now apply Ha].
        + exists (s :: csets). split; [now rewrite <- app_assoc|]. split.
          * intros s' [<-|I]; [exists g; now left|]. destruct (Sub s' I) as (g' & I'). exists g'. now right.
          * intros Hh. destruct (H Hh) as [Hc Ha]. split; [exact Hc|].
            intros s' g' [[= <- <-]|I]; [left; now left|].
            destruct (Ha s' g' I) as [K|K]; [left; now right | now right].
        + exists csets. split; [reflexivity|].
          split; [intros s' I; destruct (Sub s' I) as (g' & I'); exists g'; now right|].
          intros Hh. destruct (H Hh) as [Hc _]. discriminate. }
    intros E. destruct (G sets true [] E) as (csets & C & Sub & H). exists csets. split; [exact C|].
    split; [exact Sub|].
    intros Hh. now apply H.
  Qed.

  Theorem settle_sound p certified wrong : settle V p = Derived (certified, wrong) ->
    certified <= how_many right_input inputs_of_pair
    /\ wrong <= how_many (fun input => negb (right_input input)) inputs_of_pair.
  Proof.
    unfold settle. fold m v. destruct (partition_of v m p) as [sets|] eqn:Ep; [|discriminate].
    destruct (partition_covers v m p sets Ep) as [Cover Only].
    destruct (tested V sets) as [holds counted] eqn:Et.
    destruct (tested_spec sets holds counted Et) as (csets & -> & Sub & Holds).
    assert (forall s j, In s csets -> In j (members v s) -> (j < v)%nat /\ j <> m) as Wrong.
    { intros s j I J. destruct (Sub s I) as (g & I'). now apply (Only s g j). }
    set (count := match map (margin_of V) csets, plan_count p with [], _ => _ | _, _ => _ end).
    destruct count as [[uncertified wrong']| |] eqn:Ec; try discriminate. cbn [bind]. intros [= <- <-].
    assert (inputs_of V - uncertified <= how_many (sets_right V X csets) inputs_of_pair
            /\ wrong' <= how_many (fun input => negb (sets_right V X csets input)) inputs_of_pair) as [A B].
    { unfold count in Ec. destruct csets as [|s0 csets'].
      - cbn [map] in Ec. injection Ec as <- <-. split; [|apply how_many_nonneg].
        rewrite inputs_of_length, how_many_all by reflexivity. lia.
      - cbn [map] in Ec.
        change (margin_of V s0 :: map (margin_of V) csets') with (map (margin_of V) (s0 :: csets')) in Ec.
        pose proof (window_sound V X V_is (plan_window p)) as W_ok.
        destruct (plan_count p) as [s|hint].
        + apply (tree_counts mul_encloses V X V_is (s0 :: csets') Wrong (window_of V (plan_window p)) s W_ok _ _ Ec).
        + destruct (classes_m V X _ W_ok) as (others & classes_are & _).
          pose proof (grid_counts mul_encloses V X V_is (s0 :: csets') Wrong _ hint W_ok others classes_are) as [A B].
          apply (f_equal (fun found => match found with Derived x => x | _ => (0, 0) end)) in Ec.
          cbv beta iota in Ec. rewrite Ec in A, B. split; [|exact B]. rewrite inputs_of_length.
          fold m n q in A. fold inputs_of_pair in A. cbn [fst] in A.
          rewrite <- (how_many_split (sets_right V X (s0 :: csets'))). lia. }
    pose proof inputs_of_length as All. split.
    - destruct holds; [|pose proof (how_many_nonneg right_input inputs_of_pair); lia].
      enough (how_many (sets_right V X csets) inputs_of_pair <= how_many right_input inputs_of_pair).
      { pose proof (how_many_nonneg right_input inputs_of_pair). lia. }
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
