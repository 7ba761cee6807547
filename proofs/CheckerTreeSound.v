(** * Rule `tree` is sound (theorems [node_counts], [total_most], [total_least]): what is known of the inputs below a node

    What a position's items stand for is abstract here: each for a class of tokens, whose terms enclose real numbers
    [phi]. A completion of a node gives every position behind it a token. *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From gbmi Require Import Fixed CheckerTable CheckerRules CheckerLevels CheckerCriterion.
From gbmi Require Import CheckerCriterionSoundHalves CheckerCriterionSoundCount CheckerLevelsSound.
Import ListNotations.
Local Open Scope Z_scope.
Local Opaque everything LIMIT add.

Definition negative (x : R) : bool := if Rlt_dec x 0 then true else false.

Lemma negative_iff x : negative x = true <-> (x < 0)%R.
Proof. unfold negative. destruct (Rlt_dec x 0); intuition discriminate. Qed.

Lemma not_negative_iff x : negative x = false <-> (0 <= x)%R.
Proof. unfold negative. destruct (Rlt_dec x 0); split; intros; try discriminate; try reflexivity; lra. Qed.

(** ** Rows *)

Lemma get_nil g : get [] g = everything.
Proof. now destruct g. Qed.

Lemma get_map2 f a b g : get (map2 f a b) g = f (get a g) (get b g) \/ get (map2 f a b) g = everything.
Proof. unfold get. revert b g. induction a as [|x a IH]; intros [|y b] [|g]; cbn; auto. Qed.

(** A bound from one side: [above] with the largest, [below] with the smallest. *)
Record sided (op : ival -> ival -> ival) (bounds : ival -> R -> Prop) : Prop := {
  bounds_sane : forall I x, bounds I x -> sane I;
  bounds_everything : forall x, bounds everything x;
  bounds_add : forall I J x y, bounds I x -> bounds J y -> bounds (add I J) (x + y)%R;
  op_sane : forall I J, sane I -> sane J -> sane (op I J);
  op_l : forall I J x, bounds I x -> sane J -> bounds (op I J) x;
  op_r : forall I J x, sane I -> bounds J x -> bounds (op I J) x
}.

Lemma from_above : sided imax above.
Proof.
  split; [exact above_sane | exact above_everything | exact above_add | exact sane_imax | exact above_imax_l |
    exact above_imax_r].
Qed.

Lemma from_below : sided imin below.
Proof.
  split; [exact below_sane | exact below_everything | exact below_add | exact sane_imin | exact below_imin_l |
    exact below_imin_r].
Qed.

Section Rows.
  Context (op : ival -> ival -> ival) (bounds : ival -> R -> Prop) (side_is : sided op bounds).
  Variable g : nat.

  Lemma get_add_bounds a b x y : bounds (get a g) x -> bounds (get b g) y -> bounds (get (map2 add a b) g) (x + y)%R.
  Proof.
    intros A B. destruct (get_map2 add a b g) as [-> | ->]; [now apply (bounds_add _ _ side_is)|].
    apply (bounds_everything _ _ side_is).
  Qed.

  Lemma get_op_sane a b : sane (get a g) -> sane (get b g) -> sane (get (map2 op a b) g).
  Proof.
    intros A B. destruct (get_map2 op a b g) as [-> | ->]; [now apply (op_sane _ _ side_is) | apply sane_everything].
  Qed.

  Lemma get_op_l a b x : bounds (get a g) x -> sane (get b g) -> bounds (get (map2 op a b) g) x.
  Proof.
    intros A B. destruct (get_map2 op a b g) as [-> | ->]; [now apply (op_l _ _ side_is)|].
    apply (bounds_everything _ _ side_is).
  Qed.

  Lemma get_op_r a b x : sane (get a g) -> bounds (get b g) x -> bounds (get (map2 op a b) g) x.
  Proof.
    intros A B. destruct (get_map2 op a b g) as [-> | ->]; [now apply (op_r _ _ side_is)|].
    apply (bounds_everything _ _ side_is).
  Qed.

  Lemma fold_op rows : (forall r, In r rows -> sane (get r g)) -> forall start, sane (get start g) ->
    sane (get (fold_left (map2 op) rows start) g)
    /\ forall x, (bounds (get start g) x \/ exists r, In r rows /\ bounds (get r g) x) ->
       bounds (get (fold_left (map2 op) rows start) g) x.
  Proof.
    induction rows as [|r rows IH]; intros S start St; cbn [fold_left].
    - split; [exact St|]. intros x [H|(r & [] & _)]. exact H.
    - assert (sane (get r g)) as Sr by (apply S; now left).
      destruct (IH (fun r' I => S r' (or_intror I)) (map2 op start r) (get_op_sane _ _ St Sr)) as [A B].
      split; [exact A|]. intros x [H|(r' & [->|I] & H)]; apply B.
      + left. now apply get_op_l.
      + left. now apply get_op_r.
      + right. now exists r'.
  Qed.

  Lemma best_sane rows : (forall r, In r rows -> sane (get r g)) -> sane (get (best_of op rows) g).
  Proof.
    intros S. unfold best_of, reduce. destruct rows as [|r rows]; [rewrite get_nil; apply sane_everything|].
    apply fold_op; [intros r' I; apply S; now right | apply S; now left].
  Qed.

  Lemma best_bounds rows r x : (forall r, In r rows -> sane (get r g)) -> In r rows -> bounds (get r g) x ->
    bounds (get (best_of op rows) g) x.
  Proof.
    intros S I H. unfold best_of, reduce. destruct rows as [|r0 rows]; [destruct I|].
    apply fold_op; [intros r' J; apply S; now right | apply S; now left|]. destruct I as [->|I]; [now left | right].
    now exists r.
  Qed.
End Rows.

Section Tree.
  (** By answer, position and token. *)
  Variable phi : nat -> nat -> nat -> R.
  (** By group. *)
  Variable answers : nat -> list nat.
  (** By class: the tokens that each item of a position stands for. *)
  Variable items_tokens : nat -> list (list nat).
  (** By group: may it show inputs to be wrong? *)
  Variable shows : list bool.
  Hypothesis shows_one : forall g, nth g shows false = true -> exists j, answers g = [j].

  Definition tokens (c : nat) : list nat := concat (items_tokens c).
  Definition completed : list layer -> nat -> list (list nat) := completions tokens (fun _ => true).

  (** The sum for answer j of [x] and the terms of [ts] at [places]. *)
  Fixpoint outcome (j : nat) (x : R) (places ts : list nat) : R :=
    match places, ts with
    | p :: places, t :: ts => outcome j (x + phi j p t) places ts
    | _, _ => x
    end.

  Lemma outcome_shift j x places ts : (outcome j x places ts = x + outcome j 0 places ts)%R.
  Proof.
    revert x ts. induction places as [|p places IH]; intros x [|t ts]; cbn; try lra.
    rewrite IH, (IH (0 + _)%R). lra.
  Qed.

  (** ** Items *)

  (** Terms and a number of tokens, for a class of tokens. *)
  Record stands_for (p : nat) (found : row * Z) (c : list nat) : Prop := {
    some_token : c <> [];
    times_are : snd found = Z.of_nat (length c);
    terms_above : forall t g j, In t c -> In j (answers g) -> above (get (fst found) g) (phi j p t);
    terms_below : forall t g j, In t c -> In j (answers g) -> nth g shows false = true ->
      below (get (fst found) g) (phi j p t)
  }.

  (** Items, each with what it knows of those that follow it. *)
  Inductive covers (p : nat) : list item -> list (list nat) -> Prop :=
  | covers_nil : covers p [] []
  | covers_cons i its c cs : stands_for p (terms_of i, times_of i) c ->
      tokens_from i = Z.of_nat (length (concat (c :: cs))) ->
      (forall t g j, In t (concat (c :: cs)) -> In j (answers g) -> above (get (most_from i) g) (phi j p t)) ->
      (forall t g j, In t (concat (c :: cs)) -> In j (answers g) -> nth g shows false = true ->
        below (get (least_from i) g) (phi j p t)) ->
      covers p its cs -> covers p (i :: its) (c :: cs).

  Lemma items_cover p found cs : Forall2 (stands_for p) found cs -> covers p (items_of found) cs.
  Proof.
    induction 1 as [|[terms times] c found cs S H IH]; [constructor|]. cbn [items_of].
    pose proof (some_token _ _ _ S) as N. pose proof (times_are _ _ _ S) as T. cbn [snd] in T.
    assert (exists t, In t c) as (t0 & T0) by (destruct c as [|t c]; [easy | exists t; now left]).
    destruct IH as [|i its c' cs' S' K A B IH].
    - constructor; cbn [terms_of times_of tokens_from most_from least_from concat]; rewrite ?app_nil_r; auto.
      + apply (terms_above _ _ _ S).
      + apply (terms_below _ _ _ S).
      + constructor.
    - assert (exists t, In t (concat (c' :: cs'))) as (t1 & T1).
      { pose proof (some_token _ _ _ S'). destruct c' as [|t c']; [easy | exists t; now left]. }
      constructor; cbn [terms_of times_of tokens_from most_from least_from]; auto.
      + rewrite T, K. cbn [concat]. rewrite (app_length c). lia.
      + intros t g j I J. change (concat (c :: c' :: cs')) with (c ++ concat (c' :: cs')) in I.
        apply in_app_iff in I. destruct I as [I|I].
        * apply (get_op_l _ _ from_above); [now apply (terms_above _ _ _ S)|]. exact (above_sane _ _ (A t1 g j T1 J)).
        * apply (get_op_r _ _ from_above); [|now apply A]. exact (above_sane _ _ (terms_above _ _ _ S t0 g j T0 J)).
      + intros t g j I J G. change (concat (c :: c' :: cs')) with (c ++ concat (c' :: cs')) in I.
        apply in_app_iff in I. destruct I as [I|I].
        * apply (get_op_l _ _ from_below); [now apply (terms_below _ _ _ S)|]. exact (below_sane _ _ (B t1 g j T1 J G)).
        * apply (get_op_r _ _ from_below); [|now apply B]. exact (below_sane _ _ (terms_below _ _ _ S t0 g j T0 J G)).
      + now constructor.
  Qed.

  Lemma covers_tokens p its cs : covers p its cs -> class_tokens its = Z.of_nat (length (concat cs)).
  Proof. now destruct 1. Qed.

  (** ** Positions *)

  Inductive follow : list step -> list layer -> list nat -> Prop :=
  | follow_nil : follow [] [] []
  | follow_cons here items behind p layers places :
      (forall c, covers p (nth c items []) (items_tokens c)) -> follow behind layers places ->
      follow (step_of here items behind :: behind) (here :: layers) (p :: places).

  Lemma inputs_at_completions steps layers places : follow steps layers places ->
    forall state, inputs_at steps state = Z.of_nat (length (completed layers state)).
  Proof.
    induction 1 as [|here items behind p layers places D F IH]; intros state; [reflexivity|].
    unfold inputs_at, step_of, inputs_from. cbn [inputs_by_state]. set (f := fun moves => _).
    transitivity (f (moves_at here state)); [exact (map_nth f here [] state) | unfold f].
    rewrite count_items_zsum. unfold completed. cbn [completions]. rewrite length_flat_map. f_equal. apply map_ext.
    intros move. fold completed. rewrite (covers_tokens _ _ _ (D (fst move))), IH, length_flat_map. fold (tokens (fst move)).
    generalize (completed layers (snd move)). intros rest.
    induction (tokens (fst move)) as [|t ts IHt]; [reflexivity|]. cbn [map zsum length]. rewrite <- IHt, map_length. lia.
  Qed.

  (** *** Bounds of completions, from one side *)

  Section Side.
    Context (op : ival -> ival -> ival) (bounds : ival -> R -> Prop) (side_is : sided op bounds).
    Variables (by_item : item -> row) (side : step -> list row).
    Hypothesis side_step : forall here items behind,
      side (step_of here items behind) = bounds_by_state op by_item side here items behind.
    Variables (g j : nat).
    Hypothesis j_in : In j (answers g).
    Hypothesis item_bounds : forall p its cs, covers p its cs ->
      forall t, In t (concat cs) -> bounds (get (class_bound by_item its) g) (phi j p t).

    Lemma class_sane p its cs : covers p its cs -> sane (get (class_bound by_item its) g).
    Proof.
      intros C. pose proof (item_bounds _ _ _ C) as H. destruct C as [|i its c cs S].
      - cbn [class_bound]. rewrite get_nil. apply sane_everything.
      - pose proof (some_token _ _ _ S). destruct c as [|t c]; [easy|].
        apply (bounds_sane _ _ side_is _ (phi j p t)), H. now left.
    Qed.

    Lemma row_total_sane steps layers places x : follow steps layers places ->
      (forall s state, match steps with [] => True | next :: _ => s = next -> sane (get (nth state (side s) []) g) end) ->
      sane (get x g) -> forall state, sane (get (row_total side steps state x) g).
    Proof.
      intros F S X state. destruct steps as [|next behind]; [exact X|]. cbn [row_total]. specialize (S next state eq_refl).
      destruct (get_map2 add x (nth state (side next) []) g) as [-> | ->]; [now apply sane_add | apply sane_everything].
    Qed.

    Lemma side_at here items behind state : nth state (side (step_of here items behind)) []
      = best_of op (map (fun move => row_total side behind (snd move) (class_bound by_item (nth (fst move) items [])))
          (moves_at here state)).
    Proof.
      rewrite side_step. unfold bounds_by_state. set (f := fun moves => _). exact (map_nth f here [] state).
    Qed.

    Lemma side_sane steps layers places : follow steps layers places ->
      forall s state, match steps with [] => True | next :: _ => s = next -> sane (get (nth state (side s) []) g) end.
    Proof.
      induction 1 as [|here items behind p layers places D F IH]; intros s state; [exact I|]. intros ->.
      rewrite side_at. apply (best_sane _ _ side_is). intros r I. apply in_map_iff in I. destruct I as (move & <- & _).
      apply (row_total_sane _ _ _ _ F IH). now apply (class_sane p _ (items_tokens (fst move))).
    Qed.

    Lemma row_total_bounds steps layers places : follow steps layers places -> 
      (forall state ts, In ts (completed layers state) -> match steps with
       | [] => ts = [] | s :: _ => bounds (get (nth state (side s) []) g) (outcome j 0 places ts) end) ->
      forall state ts row x, In ts (completed layers state) -> bounds (get row g) x ->
      bounds (get (row_total side steps state row) g) (outcome j x places ts).
    Proof.
      intros F H state ts row x I X. specialize (H state ts I). destruct F; cbn [row_total].
      - now subst ts.
      - rewrite outcome_shift. now apply (get_add_bounds _ _ side_is).
    Qed.

    Lemma side_completions steps layers places : follow steps layers places ->
      forall state ts, In ts (completed layers state) ->
      match steps with [] => ts = [] | s :: _ => bounds (get (nth state (side s) []) g) (outcome j 0 places ts) end.
    Proof.
      induction 1 as [|here items behind p layers places D F IH]; intros state ts I.
      - now destruct I as [<-|[]].
      - apply in_completions in I. destruct I as (move & t & rest & M & T & R & ->). rewrite side_at. cbn [outcome].
        apply (best_bounds _ _ side_is) with
          (r := row_total side behind (snd move) (class_bound by_item (nth (fst move) items []))).
        + intros r I. apply in_map_iff in I. destruct I as (move' & <- & _).
          apply (row_total_sane _ _ _ _ F); [now apply (side_sane _ layers places)|].
          now apply (class_sane p _ (items_tokens (fst move'))).
        + apply in_map_iff. now exists move.
        + rewrite Rplus_0_l. apply (row_total_bounds _ _ _ F IH); [exact R|].
          now apply item_bounds with (items_tokens (fst move)).
    Qed.

    Lemma total_side steps layers places state ts sum x : follow steps layers places -> In ts (completed layers state) ->
      bounds sum x -> bounds (total side steps state g sum) (outcome j x places ts).
    Proof.
      intros F I A. pose proof (side_completions _ _ _ F state ts I) as M. destruct F; cbn [total].
      - now subst ts.
      - rewrite outcome_shift. now apply (bounds_add _ _ side_is).
    Qed.
  End Side.

  Theorem total_most steps layers places state ts g j sum x : follow steps layers places ->
    In ts (completed layers state) -> In j (answers g) ->
    above sum x -> above (total most steps state g sum) (outcome j x places ts).
  Proof.
    intros F I J. apply (total_side _ _ from_above most_from most (fun _ _ _ => eq_refl) g j) with layers; auto.
    intros p its cs [|i its' c cs' S K A B _] t T; [easy | now apply A].
  Qed.

  Theorem total_least steps layers places state ts g j sum x : follow steps layers places ->
    In ts (completed layers state) -> In j (answers g) -> nth g shows false = true ->
    below sum x -> below (total least steps state g sum) (outcome j x places ts).
  Proof.
    intros F I J G. apply (total_side _ _ from_below least_from least (fun _ _ _ => eq_refl) g j) with layers; auto.
    intros p its cs [|i its' c cs' S K A B _] t T; [easy | now apply B].
  Qed.

  (** ** Open groups, with their sums *)

  Definition all_negative (groups : list nat) (prefix : nat -> R) (places ts : list nat) : bool :=
    forallb (fun g => forallb (fun j => negative (outcome j (prefix j) places ts)) (answers g)) groups.
  Definition some_wrong (groups : list nat) (prefix : nat -> R) (places ts : list nat) : bool :=
    existsb (fun g => nth g shows false
      && existsb (fun j => negb (negative (outcome j (prefix j) places ts))) (answers g)) groups.

  Lemma all_negative_iff groups prefix places ts : all_negative groups prefix places ts = true
    <-> forall g j, In g groups -> In j (answers g) -> (outcome j (prefix j) places ts < 0)%R.
  Proof.
    unfold all_negative. rewrite forallb_forall. split.
    - intros H g j G J. specialize (H g G). rewrite forallb_forall in H. now apply negative_iff, H.
    - intros H g G. apply forallb_forall. intros j J. now apply negative_iff, (H g).
  Qed.

  Lemma some_wrong_iff groups prefix places ts : some_wrong groups prefix places ts = true
    <-> exists g j, In g groups /\ nth g shows false = true /\ In j (answers g)
        /\ (0 <= outcome j (prefix j) places ts)%R.
  Proof.
    unfold some_wrong. rewrite existsb_exists. split.
    - intros (g & G & H). apply andb_true_iff in H. destruct H as [S H]. apply existsb_exists in H.
      destruct H as (j & J & H). exists g, j. apply negb_true_iff in H. apply not_negative_iff in H. auto.
    - intros (g & j & G & S & J & H). exists g. split; [exact G|]. rewrite S. apply existsb_exists. exists j.
      split; [exact J|]. now apply negb_true_iff, not_negative_iff.
  Qed.

  Record sums (open : opened) (prefix : nat -> R) : Prop := {
    sum_above : forall g sum j, In (g, sum) open -> In j (answers g) -> above sum (prefix j);
    sum_below : forall g sum j, In (g, sum) open -> In j (answers g) -> nth g shows false = true ->
      below sum (prefix j)
  }.

  Lemma sums_incl open open' prefix : incl open' open -> sums open prefix -> sums open' prefix.
  Proof. intros I [A B]. split; intros g sum j G; [apply (A g) | apply (B g)]; now apply I. Qed.

  Definition one_more (prefix : nat -> R) (p t : nat) : nat -> R := fun j => (prefix j + phi j p t)%R.

  Lemma extended_groups terms open : map fst (extended terms open) = map fst open.
  Proof. unfold extended. rewrite map_map. reflexivity. Qed.

  Lemma sums_extended p c found open prefix t : stands_for p found c -> In t c -> sums open prefix ->
    sums (extended (fst found) open) (one_more prefix p t).
  Proof.
    intros S T [X Y]. split.
    - intros g sum j I J. unfold extended in I. apply in_map_iff in I. destruct I as ([g' sum'] & E & I).
      cbn [fst snd] in E. injection E as <- <-. apply above_add; [eauto | now apply (terms_above _ _ _ S)].
    - intros g sum j I J G. unfold extended in I. apply in_map_iff in I. destruct I as ([g' sum'] & E & I).
      cbn [fst snd] in E. injection E as <- <-. apply below_add; [eauto | now apply (terms_below _ _ _ S)].
  Qed.

  (** The counts are lower bounds of how many of some inputs are right, and of how many are wrong. *)
  Definition sound (f : found) (inputs : list (list nat)) (places : list nat) (open : opened) (prefix : nat -> R) : Prop :=
    fst f <= how_many (all_negative (map fst open) prefix places) inputs
    /\ snd f <= how_many (some_wrong (map fst open) prefix places) inputs.

  Lemma sound_nothing inputs places open prefix : sound (0, 0) inputs places open prefix.
  Proof. split; apply how_many_nonneg. Qed.

  (** *** A place *)

  Section Place.
    Variables (places : list nat) (inputs : list (list nat)) (prefix : nat -> R).
    Variables (most_of least_of : nat -> ival -> ival) (may_split : bool).
    Hypothesis most_is : forall ts g sum j, In ts inputs -> In j (answers g) -> above sum (prefix j) ->
      above (most_of g sum) (outcome j (prefix j) places ts).
    Hypothesis least_is : forall ts g sum j, In ts inputs -> In j (answers g) -> nth g shows false = true ->
      below sum (prefix j) -> below (least_of g sum) (outcome j (prefix j) places ts).

    Let negative_by := all_negative_by most_of.
    Let wrong_by := shows_wrong shows least_of.

    Lemma negative_group open g sum ts j : sums open prefix -> In (g, sum) open -> negative_by (g, sum) = true ->
      In ts inputs -> In j (answers g) -> (outcome j (prefix j) places ts < 0)%R.
    Proof.
      intros S I N T J. refine (above_negative _ _ _ N). apply most_is; auto. now apply (sum_above _ _ S g).
    Qed.

    Lemma wrong_group open entry ts : sums open prefix -> In entry open -> wrong_by entry = true ->
      In ts inputs -> some_wrong (map fst open) prefix places ts = true.
    Proof.
      destruct entry as [g sum]. intros S I N T. apply andb_true_iff in N. cbn [fst snd] in N. destruct N as [G N].
      apply some_wrong_iff. destruct (shows_one g G) as (j & J). exists g, j.
      assert (In j (answers g)) as J' by (rewrite J; now left).
      split; [apply in_map_iff; now exists (g, sum)|]. split; [exact G|]. split; [exact J'|].
      refine (below_nonnegative _ _ _ N). apply least_is; auto. now apply (sum_below _ _ S g).
    Qed.

    (** Groups that are left out are negative on all inputs. *)
    Definition keeps (open open' : opened) : Prop := incl open' open
      /\ forall ts, In ts inputs -> all_negative (map fst open') prefix places ts = true ->
         all_negative (map fst open) prefix places ts = true.

    Lemma keeps_refl open : keeps open open.
    Proof. split; [apply incl_refl | auto]. Qed.

    Lemma keeps_trans open open' open'' : keeps open open' -> keeps open' open'' -> keeps open open''.
    Proof. intros [I N] [I' N']. split; [eapply incl_tran; eauto | auto]. Qed.

    Lemma keeps_filter keep open : sums open prefix ->
      (forall entry, In entry open -> keep entry = false -> negative_by entry = true) -> keeps open (filter keep open).
    Proof.
      intros S K. split; [apply incl_filter|]. intros ts T. rewrite !all_negative_iff. intros N g j G J.
      apply in_map_iff in G. destruct G as ([g' sum] & <- & G). cbn [fst] in *. destruct (keep (g', sum)) eqn:E.
      - apply (N g' j); [|exact J]. apply in_map_iff. exists (g', sum). split; [reflexivity|]. now apply filter_In.
      - now apply (negative_group open g' sum ts j S G (K _ G E)).
    Qed.

    Lemma keeps_sound open open' f : keeps open open' -> sound f inputs places open' prefix ->
      sound f inputs places open prefix.
    Proof.
      intros [I N] [R W]. split; (eapply Z.le_trans; [eassumption|]); apply how_many_le.
      - exact N.
      - intros ts T. rewrite !some_wrong_iff. intros (g & j & G & rest). exists g, j. split; [|exact rest].
        apply in_map_iff in G. destruct G as (e & <- & G). now apply in_map, I.
    Qed.

    (** What a verdict says is so. *)
    Definition holds_of (open : opened) (v : verdict) : Prop :=
      match v with
      | All_right => forall ts, In ts inputs -> all_negative (map fst open) prefix places ts = true
      | All_wrong => forall ts, In ts inputs -> some_wrong (map fst open) prefix places ts = true
      | Unknown => True
      | Apart open' => keeps open open' /\ may_split = true
      end.

    Lemma judged_holds open : sums open prefix -> holds_of open (judged shows most_of least_of may_split open).
    Proof.
      induction open as [|entry open IH]; intros S; [now intros|]. cbn [judged].
      pose proof (sums_incl (entry :: open) open prefix (fun e I => or_intror I) S) as S'. specialize (IH S').
      assert (forall ts, In ts inputs -> some_wrong (map fst open) prefix places ts = true ->
        some_wrong (map fst (entry :: open)) prefix places ts = true) as wider.
      { intros ts T. rewrite !some_wrong_iff. intros (g & j & G & rest). exists g, j. split; [now right | exact rest]. }
      fold negative_by wrong_by. destruct (negative_by entry) eqn:N.
      - assert (keeps (entry :: open) open) as K.
        { split; [intros e I; now right|]. intros ts T. rewrite !all_negative_iff. intros H g j [<-|G] J; [|now apply (H g)].
          destruct entry as [g sum]. now apply (negative_group _ g sum ts j S (or_introl eq_refl)). }
        destruct (judged shows most_of least_of may_split open); cbn [holds_of] in *; auto.
        + intros ts T. now apply K, IH.
        + destruct IH as [K' M]. split; [now apply keeps_trans with open | exact M].
      - destruct (wrong_by entry) eqn:W.
        + intros ts T. now apply (wrong_group _ entry ts S (or_introl eq_refl)).
        + destruct may_split eqn:M; [split; [apply keeps_refl | exact M]|].
          destruct (judged shows most_of least_of false open); cbn [holds_of] in *; auto.
    Qed.

    Lemma read_holds script : forall open, sums open prefix ->
      holds_of open (fst (read shows most_of least_of may_split open script)).
    Proof.
      induction script as [|word script IH]; intros open S; [exact I|]. cbn [read]. fold negative_by wrong_by.
      destruct word as [|[|[|word]]]; cbn [fst holds_of]; [| |exact I|].
      - destruct (forallb negative_by open) eqn:N; [|exact I]. intros ts T. apply all_negative_iff. intros g j G J.
        apply in_map_iff in G. destruct G as ([g' sum] & <- & G). rewrite forallb_forall in N.
        exact (negative_group open g' sum ts j S G (N _ G) T J).
      - destruct may_split eqn:M; [|exact I]. split; [apply keeps_refl | exact M].
      - destruct (Nat.odd _).
        + set (keep := fun entry : nat * ival => _).
          assert (keeps open (filter keep open)) as K.
          { apply keeps_filter; [exact S|]. intros entry _ E. unfold keep in E. apply negb_false_iff in E.
            now apply andb_true_iff in E. }
          pose proof (sums_incl _ _ _ (proj1 K) S) as S'. destruct (filter keep open) as [|e rest].
          * cbn [fst]. intros ts T. now apply K.
          * specialize (IH (e :: rest) S'). destruct (fst (read shows most_of least_of may_split (e :: rest) script));
              cbn [holds_of] in *; auto.
            -- intros ts T. now apply K, IH.
            -- intros ts T. specialize (IH ts T). rewrite some_wrong_iff in *. destruct IH as (g & j & G & R).
               exists g, j. split; [|exact R]. apply in_map_iff in G. destruct G as (e' & <- & G). apply in_map.
               now apply K.
            -- destruct IH as [K' M]. split; [now apply keeps_trans with (e :: rest) | exact M].
        + cbn [fst]. destruct (existsb _ open) eqn:E; [|exact I]. intros ts T. apply existsb_exists in E.
          destruct E as (entry & G & E). apply andb_true_iff in E. now apply (wrong_group open entry ts S G).
    Qed.

    Lemma place_holds open script : sums open prefix ->
      holds_of open (fst (place shows most_of least_of may_split open script)).
    Proof.
      intros S. destruct script as [script|]; cbn [place]; [|now apply judged_holds].
      pose proof (read_holds script open S) as H. now destruct (read _ _ _ _ open script).
    Qed.

    Lemma right_sound open : holds_of open All_right -> sound (Z.of_nat (length inputs), 0) inputs places open prefix.
    Proof.
      intros H. split; [|apply how_many_nonneg]. cbn [fst]. rewrite how_many_all; [lia | exact H].
    Qed.

    Lemma wrong_sound open : holds_of open All_wrong -> sound (0, Z.of_nat (length inputs)) inputs places open prefix.
    Proof.
      intros H. split; [apply how_many_nonneg|]. cbn [snd]. rewrite how_many_all; [lia | exact H].
    Qed.
  End Place.

  (** *** The items of a class *)

  Definition inputs_by (layers : list layer) (state : nat) (ts : list nat) : list (list nat) :=
    flat_map (fun t => map (cons t) (completed layers state)) ts.

  Lemma in_inputs_by layers state ts s : In s (inputs_by layers state ts) <->
    exists t rest, In t ts /\ In rest (completed layers state) /\ s = t :: rest.
  Proof.
    unfold inputs_by. rewrite in_flat_map. setoid_rewrite in_map_iff. split.
    - intros (t & T & rest & <- & R). now exists t, rest.
    - intros (t & rest & T & R & ->). exists t. split; [exact T|]. now exists rest.
  Qed.

  Lemma how_many_inputs f layers state ts : how_many f (inputs_by layers state ts)
    = zsum (map (fun t => how_many (fun rest => f (t :: rest)) (completed layers state)) ts).
  Proof. unfold inputs_by. rewrite how_many_flat_map. f_equal. apply map_ext. intros t. apply how_many_map. Qed.

  Lemma inputs_by_length layers state ts :
    Z.of_nat (length (inputs_by layers state ts)) = Z.of_nat (length ts) * Z.of_nat (length (completed layers state)).
  Proof.
    unfold inputs_by. rewrite length_flat_map. induction ts as [|t ts IH]; [reflexivity|].
    cbn [map zsum length]. rewrite IH, map_length. lia.
  Qed.

  Lemma inputs_by_app layers state ts ts' :
    inputs_by layers state (ts ++ ts') = inputs_by layers state ts ++ inputs_by layers state ts'.
  Proof. unfold inputs_by. now rewrite !flat_map_concat_map, map_app, concat_app. Qed.

  Section Items.
    Variables (behind : list step) (layers : list layer) (places : list nat) (state p : nat).
    Hypothesis behind_is : follow behind layers places.
    Variable child : opened -> words -> found * words.
    Hypothesis child_sound : forall open prefix script, sums open prefix ->
      sound (fst (child open script)) (completed layers state) places open prefix.

    (** What is found below an item counts for every token of its class. *)
    Lemma item_sound its c open prefix script : stands_for p its c -> sums open prefix ->
      let f := fst (child (extended (fst its) open) script) in
      sound (snd its * fst f, snd its * snd f) (inputs_by layers state c) (p :: places) open prefix.
    Proof.
      cbn zeta. intros S O. rewrite (times_are _ _ _ S).
      split; rewrite how_many_inputs; apply zsum_at_least; intros t T;
        destruct (child_sound _ _ script (sums_extended p c its open prefix t S T O)) as [R W];
        rewrite !extended_groups in *; assumption.
    Qed.

    Theorem items_counts its cs : covers p its cs -> forall all open prefix script, sums open prefix ->
      sound (fst (among_items shows child behind state all its open script))
        (inputs_by layers state (concat cs)) (p :: places) open prefix.
    Proof.
      induction 1 as [|i its c cs S K A B C IH]; intros all open prefix script O; [apply sound_nothing|].
      cbn [among_items]. cbv zeta. set (inputs := inputs_by layers state (concat (c :: cs))).
      assert (tokens_from i * inputs_at behind state = Z.of_nat (length inputs)) as ->.
      { unfold inputs. now rewrite inputs_by_length, K, (inputs_at_completions _ _ _ behind_is). }
      destruct (if all || _ then _ else _) as [v script'] eqn:E.
      assert (holds_of (p :: places) inputs prefix true open v) as H.
      { destruct (all || _).
        - injection E as <- <-. split; [apply keeps_refl | reflexivity].
        - change v with (fst (v, script')). rewrite <- E. apply place_holds; [| |exact O].
          + intros ts g sum j T J X. apply in_inputs_by in T. destruct T as (t & rest & T & R & ->). cbn [outcome].
            apply total_most with layers; auto. apply above_add; auto.
          + intros ts g sum j T J G X. apply in_inputs_by in T. destruct T as (t & rest & T & R & ->). cbn [outcome].
            apply total_least with layers; auto. apply below_add; auto. }
      clear E. destruct v as [| | |open']; cbn [fst]; [now apply (right_sound _ _ _ true) | now apply (wrong_sound _ _ _ true) |
        apply sound_nothing|].
      destruct H as [H _]. apply (keeps_sound _ _ _ _ _ _ H). pose proof (sums_incl _ _ _ (proj1 H) O) as O'.
      pose proof (item_sound _ _ open' prefix script' S O') as X. cbn [fst snd] in X.
      destruct (child (extended (terms_of i) open') script') as [with_item script''].
      pose proof (IH false open' prefix script'' O') as Y.
      destruct (among_items shows child behind state false its open' script'') as [rest script3].
      unfold inputs, sound, found_plus in *. cbn [fst snd concat] in *. rewrite inputs_by_app, !how_many_app. lia.
    Qed.
  End Items.

  (** *** Nodes *)

  Theorem node_counts steps layers places : follow steps layers places -> forall state open prefix script,
    sums open prefix -> sound (fst (node shows steps state open script)) (completed layers state) places open prefix.
  Proof.
    induction 1 as [|here items behind p layers places D F IH]; intros state open prefix script S.
    - cbn [node]. set (most_of := total most [] state). set (least_of := total least [] state).
      pose proof (place_holds [] (completed [] state) prefix most_of least_of false) as H.
      specialize (H ltac:(intros; now apply (total_most [] [] []); auto using follow_nil)
        ltac:(intros; now apply (total_least [] [] []); auto using follow_nil) open script S).
      destruct (place shows most_of least_of false open script) as [v script']. cbn [fst] in H.
      destruct v as [| | |open']; cbn [fst inputs_at]; try apply sound_nothing.
      + exact (right_sound [] (completed [] state) prefix false open H).
      + exact (wrong_sound [] (completed [] state) prefix false open H).
    - set (steps := step_of here items behind :: behind).
      assert (follow steps (here :: layers) (p :: places)) as F' by now constructor.
      pose proof (place_holds (p :: places) (completed (here :: layers) state) prefix (total most steps state)
        (total least steps state) true) as H.
      specialize (H ltac:(intros; now apply total_most with (here :: layers))
        ltac:(intros; now apply total_least with (here :: layers)) open script S).
      pose proof (inputs_at_completions _ _ _ F' state) as C. fold steps in C.
      assert (node shows steps state open script
        = let '(verdict, script) := place shows (total most steps state) (total least steps state) true open script in
          match verdict with
          | All_right => ((inputs_at steps state, 0), script)
          | All_wrong => ((0, inputs_at steps state), script)
          | Unknown => ((0, 0), script)
          | Apart open =>
              let moves := moves_at here state in
              let all := match moves with [_] => true | _ => false end in
              fold_left (fun state (move : nat * nat) =>
                let '(below, script) := among_items shows (node shows behind (snd move)) behind (snd move) all
                  (nth (fst move) items []) open (snd state) in
                (found_plus (fst state) 1 below, script)) moves ((0, 0), script)
          end) as -> by reflexivity.
      destruct (place shows _ _ true open script) as [v script']. cbn [fst] in H.
      destruct v as [| | |open']; cbn [fst]; rewrite ?C.
      + now apply (right_sound _ _ _ true).
      + now apply (wrong_sound _ _ _ true).
      + apply sound_nothing.
      + destruct H as [H _]. apply (keeps_sound _ _ _ _ _ _ H). pose proof (sums_incl _ _ _ (proj1 H) S) as S'.
        cbv zeta. generalize (match moves_at here state with [_] => true | _ => false end). intros all.
        unfold sound, completed. rewrite !how_many_completions.
        set (rights := fun move : nat * nat => zsum (map _ (tokens (fst move)))).
        set (wrongs := fun move : nat * nat => zsum (map _ (tokens (fst move)))).
        assert (forall moves start script,
          let f := fst (fold_left (fun state (move : nat * nat) =>
                let '(below, script) := among_items shows (node shows behind (snd move)) behind (snd move) all
                  (nth (fst move) items []) open' (snd state) in
                (found_plus (fst state) 1 below, script)) moves (start, script)) in
          fst f <= fst start + zsum (map rights moves) /\ snd f <= snd start + zsum (map wrongs moves)) as G.
        { induction moves as [|move moves IHm]; intros start script0; cbn [fold_left map zsum]; [cbn; lia|].
          pose proof (items_counts behind layers places (snd move) p F (node shows behind (snd move)) (IH (snd move))
            _ _ (D (fst move)) all open' prefix script0 S') as X. cbn [fst snd].
          destruct (among_items _ _ behind (snd move) all _ open' script0) as [below script1].
          specialize (IHm (found_plus start 1 below) script1). cbv zeta in IHm. unfold found_plus in *. cbn [fst snd] in *.
          destruct X as [X Y]. rewrite how_many_inputs in X, Y. fold (tokens (fst move)) in X, Y.
          unfold completed in X, Y. change (fst below <= rights move) in X. change (snd below <= wrongs move) in Y. lia. }
        exact (G (moves_at here state) (0, 0) script').
  Qed.
End Tree.
