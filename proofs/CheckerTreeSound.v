(** * Rule `tree` is sound (theorems [node_counts], [total_most], [total_least]): what is known of the inputs below a
    node

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
  (** By group: may it show inputs to be wrong? *)
  Variable shows : list bool.
  Hypothesis shows_one : forall g, nth g shows false = true -> exists j, answers g = [j].

  (** By state: the ways on, each with the tokens that its items stand for, and the next state. *)
  Definition way_layer := list (list (list (list nat) * nat)).

  Fixpoint completed (layers : list way_layer) (state : nat) : list (list nat) :=
    match layers with
    | [] => [[]]
    | here :: layers =>
        flat_map (fun way => flat_map (fun t => map (cons t) (completed layers (snd way))) (concat (fst way)))
          (nth state here [])
    end.

  Lemma in_completed here layers state ts : In ts (completed (here :: layers) state) <->
    exists way t rest, In way (nth state here []) /\ In t (concat (fst way))
      /\ In rest (completed layers (snd way)) /\ ts = t :: rest.
  Proof.
    cbn [completed]. split.
    - intros I. apply in_flat_map in I. destruct I as (w & W & I). apply in_flat_map in I. destruct I as (t & T & I).
      apply in_map_iff in I. destruct I as (rest & <- & R). now exists w, t, rest.
    - intros (w & t & rest & W & T & R & ->). apply in_flat_map. exists w. split; [exact W|]. apply in_flat_map.
      exists t. split; [exact T|]. now apply in_map.
  Qed.

  Lemma how_many_completed f here layers state : how_many f (completed (here :: layers) state)
    = zsum (map (fun way => zsum (map (fun t => how_many (fun ts => f (t :: ts)) (completed layers (snd way)))
        (concat (fst way)))) (nth state here [])).
  Proof.
    cbn [completed]. rewrite how_many_flat_map. f_equal. apply map_ext. intros way.
    rewrite how_many_flat_map. f_equal. apply map_ext. intros t. apply how_many_map.
  Qed.

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
      (forall r g j, In r (gap i) -> In j (answers g) -> sane (get r g)) ->
      covers p its cs -> covers p (i :: its) (c :: cs).

  Lemma stands_sane p found c g j : stands_for p found c -> In j (answers g) -> sane (get (fst found) g).
  Proof.
    intros S J. pose proof (some_token _ _ _ S). destruct c as [|t c]; [easy|].
    exact (above_sane _ _ (terms_above _ _ _ S t g j (or_introl eq_refl) J)).
  Qed.

  (** Those of a way among others, each with the tokens that it stands for. *)
  Lemma items_cover p (all : list (bool * (row * Z) * list nat)) :
    Forall (fun x => stands_for p (snd (fst x)) (snd x)) all ->
    covers p (items_of (map fst all)) (map snd (filter (fun x => fst (fst x)) all)).
  Proof.
    induction 1 as [|[[mine [terms times]] c] all S H IH]; [constructor|]. cbn [map items_of filter fst snd] in *.
    destruct mine; [|exact IH]. cbn [map snd].
    pose proof (times_are _ _ _ S) as T. cbn [snd] in T.
    pose proof (fun g j => stands_sane p _ c g j S) as Sane. cbn [fst] in Sane.
    revert IH. generalize (items_of (map fst all)), (map snd (filter (fun x => fst (fst x)) all)).
    intros its0 cs0 IH. destruct IH as [|i its c' cs' S' K A B G IH].
    - constructor; cbn [terms_of times_of tokens_from most_from least_from gap concat]; rewrite ?app_nil_r; auto.
      + apply (terms_above _ _ _ S).
      + apply (terms_below _ _ _ S).
      + easy.
      + constructor.
    - assert (exists t, In t (concat (c' :: cs'))) as (t1 & T1).
      { pose proof (some_token _ _ _ S'). destruct c' as [|t c']; [easy | exists t; now left]. }
      assert (forall r g j, In r (gap_of (map fst all)) -> In j (answers g) -> sane (get r g)) as Gap.
      { clear - H. induction H as [|[[mine [terms times]] c] all S H IH]; [easy|]. cbn [map gap_of fst].
        destruct mine; [easy|]. intros r g j [<-|I] J; [exact (stands_sane p _ c g j S J) | now apply (IH r g j)]. }
      constructor; cbn [terms_of times_of tokens_from most_from least_from gap]; auto.
      + rewrite T, K. cbn [concat]. rewrite (app_length c). lia.
      + intros t g j I J. change (concat (c :: c' :: cs')) with (c ++ concat (c' :: cs')) in I.
        apply in_app_iff in I.
        assert (forall r, In r (terms :: most_from i :: gap_of (map fst all)) -> sane (get r g)) as Rows.
        { intros r [<-|[<-|R]]; [now apply (Sane g j) | exact (above_sane _ _ (A t1 g j T1 J)) |].
          now apply (Gap r g j). }
        destruct I as [I|I].
        * apply (best_bounds _ _ from_above) with (r := terms); [exact Rows | now left |].
          now apply (terms_above _ _ _ S).
        * apply (best_bounds _ _ from_above) with (r := most_from i); [exact Rows | right; now left | now apply A].
      + intros t g j I J Sh. change (concat (c :: c' :: cs')) with (c ++ concat (c' :: cs')) in I.
        apply in_app_iff in I.
        assert (forall r, In r (terms :: least_from i :: gap_of (map fst all)) -> sane (get r g)) as Rows.
        { intros r [<-|[<-|R]]; [now apply (Sane g j) | exact (below_sane _ _ (B t1 g j T1 J Sh)) |].
          now apply (Gap r g j). }
        destruct I as [I|I].
        * apply (best_bounds _ _ from_below) with (r := terms); [exact Rows | now left |].
          now apply (terms_below _ _ _ S).
        * apply (best_bounds _ _ from_below) with (r := least_from i); [exact Rows | right; now left | now apply B].
      + now constructor.
  Qed.

  Lemma covers_tokens p its cs : covers p its cs -> items_tokens its = Z.of_nat (length (concat cs)).
  Proof. now destruct 1. Qed.

  (** The first so many items. *)
  Lemma covers_part p its cs : covers p its cs -> forall count,
    Forall2 (stands_for p) (map (fun i => (terms_of i, times_of i)) (firstn count its)) (firstn count cs).
  Proof.
    induction 1 as [|i its c cs S K A B G C IH]; intros [|count]; cbn [firstn map]; constructor; auto.
  Qed.

  Lemma part_tokens p its cs count : covers p its cs ->
    count_items (map times_of (firstn count its)) = Z.of_nat (length (concat (firstn count cs))).
  Proof.
    intros C. pose proof (covers_part _ _ _ C count) as H. rewrite count_items_zsum, length_concat.
    revert H. generalize (firstn count its), (firstn count cs). intros l l' H.
    remember (map (fun i => (terms_of i, times_of i)) l) as found eqn:E. revert l E.
    induction H as [|x c found cs' S _ IH]; intros [|i l] E; try discriminate; [reflexivity|]. injection E as -> ->.
    cbn [map zsum]. rewrite (IH l eq_refl). pose proof (times_are _ _ _ S) as T. cbn [snd] in T. now rewrite T.
  Qed.

  (** ** Positions *)

  Definition way_covers (p : nat) (w : way) (tokens : list (list nat) * nat) : Prop :=
    covers p (fst w) (fst tokens) /\ snd w = snd tokens.

  Inductive follow : list step -> list way_layer -> list nat -> Prop :=
  | follow_nil : follow [] [] []
  | follow_cons ways behind p here layers places :
      Forall2 (Forall2 (way_covers p)) ways here -> follow behind layers places ->
      follow (step_of ways behind :: behind) (here :: layers) (p :: places).

  Lemma ways_at p ways here state : Forall2 (Forall2 (way_covers p)) ways here ->
    Forall2 (way_covers p) (nth state ways []) (nth state here []).
  Proof. intros H. revert state. induction H as [|w h ways here W _ IH]; intros [|state]; cbn; auto. Qed.

  Lemma way_of p (ws : list way) hs w : Forall2 (way_covers p) ws hs -> In w ws ->
    exists h, In h hs /\ way_covers p w h.
  Proof.
    induction 1 as [|w' h ws hs W _ IH]; intros I; [destruct I|]. destruct I as [->|I]; [exists h; split;
      [now left | exact W]|].
    destruct (IH I) as (h' & I' & W'). exists h'. split; [now right | exact W'].
  Qed.

  Lemma way_to p (ws : list way) hs h : Forall2 (way_covers p) ws hs -> In h hs ->
    exists w, In w ws /\ way_covers p w h.
  Proof.
    induction 1 as [|w h' ws hs W _ IH]; intros I; [destruct I|]. destruct I as [->|I]; [exists w; split;
      [now left | exact W]|].
    destruct (IH I) as (w' & I' & W'). exists w'. split; [now right | exact W'].
  Qed.

  Lemma inputs_at_completions steps layers places : follow steps layers places ->
    forall state, inputs_at steps state = Z.of_nat (length (completed layers state)).
  Proof.
    induction 1 as [|ways behind p here layers places D F IH]; intros state; [reflexivity|].
    unfold inputs_at, step_of, inputs_from. cbn [inputs_by_state]. set (f := fun ways => _).
    transitivity (f (nth state ways [])); [exact (map_nth f ways [] state) | unfold f].
    rewrite count_items_zsum. cbn [completed]. rewrite length_flat_map. pose proof (ways_at _ _ _ state D) as W.
    induction W as [|w h ws hs [C E] _ IHw]; [reflexivity|]. cbn [map zsum]. rewrite IHw. f_equal.
    rewrite (covers_tokens _ _ _ C), E, IH, length_flat_map.
    generalize (completed layers (snd h)). intros rest.
    induction (concat (fst h)) as [|t ts IHt]; [reflexivity|]. cbn [map zsum length]. rewrite <- IHt, map_length. lia.
  Qed.

  (** *** Bounds of completions, from one side *)

  Section Side.
    Context (op : ival -> ival -> ival) (bounds : ival -> R -> Prop) (side_is : sided op bounds).
    Variables (by_item : item -> row) (side : step -> list row).
    Hypothesis side_step : forall ways behind,
      side (step_of ways behind) = bounds_by_state op by_item side ways behind.
    Variables (g j : nat).
    Hypothesis j_in : In j (answers g).
    Hypothesis item_bounds : forall p its cs, covers p its cs ->
      forall t, In t (concat cs) -> bounds (get (items_bound by_item its) g) (phi j p t).

    Lemma items_sane p its cs : covers p its cs -> sane (get (items_bound by_item its) g).
    Proof.
      intros C. pose proof (item_bounds _ _ _ C) as H. destruct C as [|i its c cs S].
      - cbn [items_bound]. rewrite get_nil. apply sane_everything.
      - pose proof (some_token _ _ _ S). destruct c as [|t c]; [easy|].
        apply (bounds_sane _ _ side_is _ (phi j p t)), H. now left.
    Qed.

    Lemma row_total_sane steps x :
      (forall s state, match steps with [] => True | next :: _ => s = next ->
        sane (get (nth state (side s) []) g) end) ->
      sane (get x g) -> forall state, sane (get (row_total side steps state x) g).
    Proof.
      intros S X state. destruct steps as [|next behind]; [exact X|]. cbn [row_total].
        specialize (S next state eq_refl).
      destruct (get_map2 add x (nth state (side next) []) g) as [-> | ->]; [now apply sane_add | apply sane_everything].
    Qed.

    Lemma side_at ways behind state : nth state (side (step_of ways behind)) []
      = best_of op (map (fun way => row_total side behind (snd way) (items_bound by_item (fst way))) (nth state ways
        [])).
    Proof.
      rewrite side_step. unfold bounds_by_state. set (f := fun ways => _). exact (map_nth f ways [] state).
    Qed.

    Lemma side_sane steps layers places : follow steps layers places ->
      forall s state, match steps with [] => True | next :: _ => s = next -> sane (get (nth state (side s) []) g) end.
    Proof.
      induction 1 as [|ways behind p here layers places D F IH]; intros s state; [exact I|]. intros ->.
      rewrite side_at. apply (best_sane _ _ side_is). intros r I. apply in_map_iff in I. destruct I as (w & <- & I).
      destruct (way_of _ _ _ w (ways_at _ _ _ state D) I) as (h & _ & C & _).
      apply (row_total_sane _ _ IH). exact (items_sane _ _ _ C).
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
      induction 1 as [|ways behind p here layers places D F IH]; intros state ts I.
      - now destruct I as [<-|[]].
      - apply in_completed in I. destruct I as (h & t & rest & M & T & R & ->). rewrite side_at. cbn [outcome].
        pose proof (ways_at _ _ _ state D) as W. destruct (way_to _ _ _ h W M) as (w & Iw & C & E).
        apply (best_bounds _ _ side_is) with (r := row_total side behind (snd w) (items_bound by_item (fst w))).
        + intros r I. apply in_map_iff in I. destruct I as (w' & <- & I).
          destruct (way_of _ _ _ w' W I) as (h' & _ & C' & _).
          apply row_total_sane; [now apply (side_sane _ layers places) | exact (items_sane _ _ _ C')].
        + apply in_map_iff. now exists w.
        + rewrite Rplus_0_l. rewrite E. apply (row_total_bounds _ _ _ F IH); [exact R|].
          now apply item_bounds with (fst h).
    Qed.

    Lemma total_side steps layers places state ts sum x : follow steps layers places ->
      In ts (completed layers state) ->
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
    intros F I J. apply (total_side _ _ from_above most_from most (fun _ _ => eq_refl) g j) with layers; auto.
    intros p its cs [|i its' c cs' S K A B _ _] t T; [easy | now apply A].
  Qed.

  Theorem total_least steps layers places state ts g j sum x : follow steps layers places ->
    In ts (completed layers state) -> In j (answers g) -> nth g shows false = true ->
    below sum x -> below (total least steps state g sum) (outcome j x places ts).
  Proof.
    intros F I J G. apply (total_side _ _ from_below least_from least (fun _ _ => eq_refl) g j) with layers; auto.
    intros p its cs [|i its' c cs' S K A B _ _] t T; [easy | now apply B].
  Qed.

  (** *** Bounds of the first so many items *)

  Section Part.
    Context (op : ival -> ival -> ival) (bounds : ival -> R -> Prop) (side_is : sided op bounds).
    Variables (g j p : nat).
    Hypothesis terms_bound : forall found c, stands_for p found c ->
      forall t, In t c -> bounds (get (fst found) g) (phi j p t).

    Lemma part_bounds its cs count t : In j (answers g) -> covers p its cs -> In t (concat (firstn count cs)) ->
      bounds (get (best_of op (rows_between (firstn count its))) g) (phi j p t).
    Proof.
      intros J C T.
      assert ((forall r, In r (rows_between (firstn count its)) -> sane (get r g))
        /\ exists r, In r (rows_between (firstn count its)) /\ bounds (get r g) (phi j p t)) as [Sane (r & I & A)];
        [|now apply (best_bounds _ _ side_is) with (r := r)].
      revert count T. induction C as [|i its c cs S K A B G C IH]; intros [|count] T;
        [destruct T|destruct T|destruct T|].
      cbn [firstn concat] in *. apply in_app_iff in T.
      assert (sane (get (terms_of i) g)) as Si by exact (stands_sane p _ c g j S J).
      assert (forall l, (forall r, In r (rows_between l) -> sane (get r g)) ->
        forall r, In r (rows_between (i :: l)) -> sane (get r g)) as more.
      { intros [|i' l] H r.
        - intros [<-|[]]. exact Si.
        - intros [<-|R]; [exact Si|]. apply in_app_iff in R. destruct R as [R|R]; [now apply (G r g j) | now apply H]. }
      assert (forall l r, In r (rows_between l) -> In r (rows_between (i :: l))) as later.
      { intros [|i' l] r R; [destruct R|]. right. apply in_app_iff. now right. }
      assert (forall l, In (terms_of i) (rows_between (i :: l))) as first by (intros [|i' l]; now left).
      destruct T as [T|T].
      - split; [|exists (terms_of i); split; [apply first | exact (terms_bound _ _ S t T)]].
        apply more. clear - C G J. revert count. induction C as [|i' its c cs S K A B G' C IH]; intros [|count];
          try easy.
        cbn [firstn]. specialize (IH count). destruct (firstn count its) as [|i2 l].
        + intros r [<-|[]]. exact (stands_sane p _ c g j S J).
        + intros r [<-|R]; [exact (stands_sane p _ c g j S J)|]. apply in_app_iff in R.
          destruct R as [R|R]; [now apply (G' r g j) | now apply IH].
      - destruct (IH count T) as [Sane (r & I & X)]. split; [now apply more|]. exists r.
        split; [now apply later | exact X].
    Qed.
  End Part.

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
  Definition sound (f : found) (inputs : list (list nat)) (places : list nat) (open : opened) (prefix : nat ->
    R) : Prop :=
    fst f <= how_many (all_negative (map fst open) prefix places) inputs
    /\ snd f <= how_many (some_wrong (map fst open) prefix places) inputs.

  Lemma sound_nothing inputs places open prefix : sound (0, 0) inputs places open prefix.
  Proof. split; apply how_many_nonneg. Qed.

  (** *** A place *)

  Section Place.
    Variables (places : list nat) (prefix : nat -> R).
    (** The inputs with so many of the items, all for 0. *)
    Variable inputs : nat -> list (list nat).
    Variables (most_of least_of : nat -> nat -> ival -> ival) (may_split has_items : bool).
    Hypothesis most_is : forall count ts g sum j, In ts (inputs count) -> In j (answers g) -> above sum (prefix j) ->
      above (most_of count g sum) (outcome j (prefix j) places ts).
    Hypothesis least_is : forall count ts g sum j, In ts (inputs count) -> In j (answers g) ->
      nth g shows false = true ->
      below sum (prefix j) -> below (least_of count g sum) (outcome j (prefix j) places ts).

    Let negative_by := all_negative_by most_of.
    Let wrong_by := shows_wrong shows least_of.

    Lemma negative_group count open g sum ts j : sums open prefix -> In (g, sum) open ->
      negative_by count (g, sum) = true ->
      In ts (inputs count) -> In j (answers g) -> (outcome j (prefix j) places ts < 0)%R.
    Proof.
      intros S I N T J. refine (above_negative _ _ _ N). apply most_is; auto. now apply (sum_above _ _ S g).
    Qed.

    Lemma wrong_group count open entry ts : sums open prefix -> In entry open -> wrong_by count entry = true ->
      In ts (inputs count) -> some_wrong (map fst open) prefix places ts = true.
    Proof.
      destruct entry as [g sum]. intros S I N T. apply andb_true_iff in N. cbn [fst snd] in N. destruct N as [G N].
      apply some_wrong_iff. destruct (shows_one g G) as (j & J). exists g, j.
      assert (In j (answers g)) as J' by (rewrite J; now left).
      split; [apply in_map_iff; now exists (g, sum)|]. split; [exact G|]. split; [exact J'|].
      refine (below_nonnegative _ _ _ N). apply least_is; auto. now apply (sum_below _ _ S g).
    Qed.

    (** Groups that are left out are negative on all inputs. *)
    Definition keeps (open open' : opened) : Prop := incl open' open
      /\ forall ts, In ts (inputs 0) -> all_negative (map fst open') prefix places ts = true ->
         all_negative (map fst open) prefix places ts = true.

    Lemma keeps_refl open : keeps open open.
    Proof. split; [apply incl_refl | auto]. Qed.

    Lemma keeps_trans open open' open'' : keeps open open' -> keeps open' open'' -> keeps open open''.
    Proof. intros [I N] [I' N']. split; [eapply incl_tran; eauto | auto]. Qed.

    Lemma keeps_filter keep open : sums open prefix ->
      (forall entry, In entry open -> keep entry = false -> negative_by 0 entry = true) ->
        keeps open (filter keep open).
    Proof.
      intros S K. split; [apply incl_filter|]. intros ts T. rewrite !all_negative_iff. intros N g j G J.
      apply in_map_iff in G. destruct G as ([g' sum] & <- & G). cbn [fst] in *. destruct (keep (g', sum)) eqn:E.
      - apply (N g' j); [|exact J]. apply in_map_iff. exists (g', sum). split; [reflexivity|]. now apply filter_In.
      - now apply (negative_group 0 open g' sum ts j S G (K _ G E)).
    Qed.

    Lemma keeps_sound open open' f : keeps open open' -> sound f (inputs 0) places open' prefix ->
      sound f (inputs 0) places open prefix.
    Proof.
      intros [I N] [R W]. split; (eapply Z.le_trans; [eassumption|]); apply how_many_le.
      - exact N.
      - intros ts T. rewrite !some_wrong_iff. intros (g & j & G & rest). exists g, j. split; [|exact rest].
        apply in_map_iff in G. destruct G as (e & <- & G). now apply in_map, I.
    Qed.

    (** What a verdict says is so. *)
    Definition decided_of (count : nat) (open : opened) (d : decision) : Prop :=
      match d with
      | All_right => forall ts, In ts (inputs count) -> all_negative (map fst open) prefix places ts = true
      | All_wrong => forall ts, In ts (inputs count) -> some_wrong (map fst open) prefix places ts = true
      | Unknown => True
      end.
    Definition holds_of (open : opened) (v : verdict) : Prop :=
      match v with
      | Decided d count open' => keeps open open' /\ decided_of count open' d
      | Apart open' => keeps open open' /\ may_split = true
      end.

    Lemma holds_keeps open open' v : keeps open open' -> holds_of open' v -> holds_of open v.
    Proof.
      intros K. destruct v as [d count open''|open'']; intros [K' H]; (split;
        [now apply keeps_trans with open' | exact H]).
    Qed.

    Lemma judged_holds open : sums open prefix -> holds_of open (judged shows most_of least_of may_split open).
    Proof.
      induction open as [|entry open IH]; intros S; [split; [apply keeps_refl | now intros]|]. cbn [judged].
      pose proof (sums_incl (entry :: open) open prefix (fun e I => or_intror I) S) as S'. specialize (IH S').
      fold negative_by wrong_by. destruct (negative_by 0 entry) eqn:N.
      - assert (keeps (entry :: open) open) as K.
        { split; [intros e I; now right|]. intros ts T. rewrite !all_negative_iff. intros H g j [<-|G] J;
          [|now apply (H g)].
          destruct entry as [g sum]. now apply (negative_group 0 _ g sum ts j S (or_introl eq_refl)). }
        now apply holds_keeps with open.
      - destruct (wrong_by 0 entry) eqn:W.
        + split; [apply keeps_refl|]. intros ts T. now apply (wrong_group 0 _ entry ts S (or_introl eq_refl)).
        + destruct may_split eqn:M; [split; [apply keeps_refl | exact M]|].
          destruct (judged shows most_of least_of false open) as [[| |] [|count] open'|open'];
            (split; [apply keeps_refl|]); try exact I.
          intros ts T. destruct IH as [[K _] H]. specialize (H ts T). rewrite some_wrong_iff in *.
          destruct H as (g & j & G & rest). exists g, j. split; [|exact rest]. right.
          apply in_map_iff in G. destruct G as (e & <- & G). now apply in_map, K.
    Qed.

    Lemma read_holds : forall script open, sums open prefix ->
      holds_of open (fst (read shows most_of least_of may_split has_items open script)).
    Proof.
      induction script as [|word script IH]; intros open S; [split; [apply keeps_refl | exact I]|].
      cbn [read]. fold negative_by wrong_by.
      destruct word as [|[|[|word]]].
      - destruct (count_word has_items script) as [count rest]. cbn [fst]. split; [apply keeps_refl|].
        destruct (forallb (negative_by count) open) eqn:N; [|exact I].
          intros ts T. apply all_negative_iff. intros g j G J.
        apply in_map_iff in G. destruct G as ([g' sum] & <- & G). rewrite forallb_forall in N.
        exact (negative_group count open g' sum ts j S G (N _ G) T J).
      - cbn [fst]. destruct may_split eqn:M; (split; [apply keeps_refl|]); [exact M | exact I].
      - split; [apply keeps_refl | exact I].
      - destruct (Z.odd _).
        + set (keep := fun entry : nat * ival => _).
          assert (keeps open (filter keep open)) as K.
          { apply keeps_filter; [exact S|]. intros entry _ E. unfold keep in E. apply negb_false_iff in E.
            now apply andb_true_iff in E. }
          pose proof (sums_incl _ _ _ (proj1 K) S) as S'. destruct (filter keep open) as [|e rest].
          * split; [exact K|]. now intros ts T.
          * apply holds_keeps with (e :: rest); [exact K | now apply IH].
        + destruct (count_word has_items script) as [count rest]. cbn [fst]. split; [apply keeps_refl|].
          destruct (existsb _ open) eqn:E; [|exact I]. intros ts T. apply existsb_exists in E.
          destruct E as (entry & G & E). apply andb_true_iff in E. now apply (wrong_group count open entry ts S G).
    Qed.

    Lemma place_holds open script : sums open prefix ->
      holds_of open (fst (place shows most_of least_of may_split has_items open script)).
    Proof.
      intros S. destruct script as [script|]; cbn [place]; [|now apply judged_holds].
      pose proof (read_holds script open S) as H. now destruct (read _ _ _ _ _ open script).
    Qed.

    Lemma decided_sound open d count k : decided_of count open d -> k = Z.of_nat (length (inputs count)) ->
      sound (found_by d k) (inputs count) places open prefix.
    Proof.
      intros H ->. destruct d; cbn [found_by decided_of] in *; [| |apply sound_nothing];
        (split; cbn [fst snd]; [|]); try apply how_many_nonneg; rewrite how_many_all; try lia; exact H.
    Qed.
  End Place.

  (** *** The items of a way *)

  Definition inputs_by (layers : list way_layer) (state : nat) (ts : list nat) : list (list nat) :=
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
    Variables (behind : list step) (layers : list way_layer) (places : list nat) (state p : nat).
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

    Lemma sound_app f f' l l' open prefix : sound f l (p :: places) open prefix ->
      sound f' l' (p :: places) open prefix ->
      forall h, fst h = fst f + fst f' -> snd h = snd f + snd f' -> sound h (l ++ l') (p :: places) open prefix.
    Proof. intros [A B] [A' B'] h E E'. split; rewrite how_many_app; lia. Qed.

    Theorem items_counts its cs : covers p its cs -> forall decided all open prefix script, sums open prefix ->
      sound (fst (among_items shows child behind state all its decided open script))
        (inputs_by layers state (concat (skipn decided cs))) (p :: places) open prefix.
    Proof.
      induction 1 as [|i its c cs S K A B G C IH]; intros decided all open prefix script O; [apply sound_nothing|].
      cbn [among_items]. destruct decided as [|decided]; [|now apply IH]. cbv zeta.
      assert (covers p (i :: its) (c :: cs)) as Cov by now constructor.
      set (inputs := fun count => inputs_by layers state (concat (part_of count (c :: cs)))).
      change (inputs_by layers state (concat (skipn 0 (c :: cs)))) with (inputs 0%nat).
      destruct (if all || _ then _ else _) as [v script'] eqn:E.
      assert (holds_of (p :: places) prefix inputs true open v) as H.
      { destruct (all || _).
        - injection E as <- <-. split; [apply keeps_refl | reflexivity].
        - change v with (fst (v, script')). rewrite <- E. apply place_holds; [| |exact O].
          + intros count ts g sum j T J X. apply in_inputs_by in T. destruct T as (t & rest & T & R & ->).
            cbn [outcome].
            apply total_most with layers; auto. apply above_add; [exact X|].
            destruct count as [|count]; [now apply A|].
            refine (part_bounds _ _ from_above g j p _ (i :: its) (c :: cs) _ t J Cov T).
            intros found c' S' t' T'. exact (terms_above _ _ _ S' t' g j T' J).
          + intros count ts g sum j T J Sh X. apply in_inputs_by in T. destruct T as (t & rest & T & R & ->).
            cbn [outcome].
            apply total_least with layers; auto. apply below_add; [exact X|].
            destruct count as [|count]; [now apply B|].
            refine (part_bounds _ _ from_below g j p _ (i :: its) (c :: cs) _ t J Cov T).
            intros found c' S' t' T'. exact (terms_below _ _ _ S' t' g j T' J Sh). }
      clear E. destruct v as [d count open'|open'].
      - destruct H as [H D]. apply (keeps_sound _ _ inputs _ _ _ H). pose proof (sums_incl _ _ _ (proj1 H) O) as O'.
        assert (match count with 0%nat => tokens_from i | _ => count_items (map times_of (firstn count (i :: its))) end
          * inputs_at behind state = Z.of_nat (length (inputs count))) as tokens.
        { unfold inputs. rewrite inputs_by_length, (inputs_at_completions _ _ _ behind_is). f_equal.
          destruct count as [|count]; [exact K | exact (part_tokens _ _ _ _ Cov)]. }
        pose proof (decided_sound (p :: places) prefix inputs open' d count _ D tokens) as X.
        destruct count as [|count]; [exact X|].
        pose proof (IH count false open' prefix script' O') as Y.
        destruct (among_items shows child behind state false its count open' script') as [rest script''].
        cbn [fst] in *.
        assert (inputs 0%nat = inputs (Datatypes.S count) ++ inputs_by layers state (concat (skipn count cs))) as ->.
        { unfold inputs. rewrite <- inputs_by_app, <- concat_app. cbn [part_of].
          now rewrite <- (firstn_skipn (Datatypes.S count) (c :: cs)) at 1. }
        apply (sound_app _ _ _ _ _ _ X Y); unfold found_plus; cbn [fst snd]; lia.
      - destruct H as [H _]. apply (keeps_sound _ _ inputs _ _ _ H). pose proof (sums_incl _ _ _ (proj1 H) O) as O'.
        pose proof (item_sound _ _ open' prefix script' S O') as X. cbn [fst snd] in X.
        destruct (child (extended (terms_of i) open') script') as [with_item script''].
        pose proof (IH 0%nat false open' prefix script'' O') as Y.
        destruct (among_items shows child behind state false its 0 open' script'') as [rest script3].
        unfold inputs. cbn [part_of concat fst]. cbn [skipn fst] in Y. rewrite inputs_by_app.
        apply (sound_app _ _ _ _ _ _ X Y); unfold found_plus; cbn [fst snd]; lia.
    Qed.
  End Items.

  (** *** Nodes *)

  Theorem node_counts steps layers places : follow steps layers places -> forall state open prefix script,
    sums open prefix -> sound (fst (node shows steps state open script)) (completed layers state) places open prefix.
  Proof.
    induction 1 as [|ways behind p here layers places D F IH]; intros state open prefix script S.
    - cbn [node]. set (most_of := fun _ : nat => total most [] state).
      set (least_of := fun _ : nat => total least [] state).
      pose proof (place_holds [] prefix (fun _ => completed [] state) most_of least_of false false) as H.
      specialize (H ltac:(intros; now apply (total_most [] [] []); auto using follow_nil)
        ltac:(intros; now apply (total_least [] [] []); auto using follow_nil) open script S).
      destruct (place shows most_of least_of false false open script) as [v script']. cbn [fst] in H.
      destruct v as [d count open'|open']; cbn [fst inputs_at]; [|apply sound_nothing].
      destruct H as [H H']. apply (keeps_sound _ _ (fun _ => completed [] state) _ _ _ H).
      now apply (decided_sound [] prefix (fun _ => completed [] state) open' d count).
    - set (steps := step_of ways behind :: behind).
      assert (follow steps (here :: layers) (p :: places)) as F' by now constructor.
      pose proof (place_holds (p :: places) prefix (fun _ => completed (here :: layers) state)
        (fun _ => total most steps state) (fun _ => total least steps state) true false) as H.
      specialize (H ltac:(intros; now apply total_most with (here :: layers))
        ltac:(intros; now apply total_least with (here :: layers)) open script S).
      pose proof (inputs_at_completions _ _ _ F' state) as C. fold steps in C.
      assert (node shows steps state open script
        = let '(verdict, script) :=
            place shows (fun _ => total most steps state) (fun _ => total least steps state) true false open script in
          match verdict with
          | Decided d _ _ => (found_by d (inputs_at steps state), script)
          | Apart open =>
              let ways := nth state ways [] in
              let all := match ways, script with [_], None => true | _, _ => false end in
              fold_left (fun state (way : way) =>
                let '(below, script) :=
                  among_items shows (node shows behind (snd way)) behind (snd way) all (fst way) O open (snd state) in
                (found_plus (fst state) 1 below, script)) ways ((0, 0), script)
          end) as -> by reflexivity.
      destruct (place shows _ _ true false open script) as [v script']. cbn [fst] in H.
      destruct v as [d count open'|open']; cbn [fst]; destruct H as [H H'];
        apply (keeps_sound _ _ (fun _ => completed (here :: layers) state) _ _ _ H).
      + now apply (decided_sound _ _ (fun _ => completed (here :: layers) state) open' d count).
      + pose proof (sums_incl _ _ _ (proj1 H) S) as S'. clear H H'.
        cbv zeta. generalize (match nth state ways [], script' with [_], None => true | _, _ => false end). intros all.
        unfold sound. rewrite !how_many_completed.
        set (rights := fun way : list (list nat) * nat => zsum (map _ (concat (fst way)))).
        set (wrongs := fun way : list (list nat) * nat => zsum (map _ (concat (fst way)))).
        pose proof (ways_at _ _ _ state D) as W. revert W. generalize (nth state ways []), (nth state here []).
        intros ws hs W.
        enough (forall start script,
          let f := fst (fold_left (fun state (way : way) =>
                let '(below, script) :=
                  among_items shows (node shows behind (snd way)) behind (snd way) all (fst way) O open' (snd state) in
                (found_plus (fst state) 1 below, script)) ws (start, script)) in
          fst f <= fst start + zsum (map rights hs) /\ snd f <= snd start + zsum (map wrongs hs)) as G
          by exact (G (0, 0) script').
        induction W as [|w h ws hs [Cw E] _ IHw]; intros start script0; cbn [fold_left map zsum]; [cbn; lia|].
        pose proof (items_counts behind layers places (snd w) p F (node shows behind (snd w)) (IH (snd w))
          _ _ Cw 0%nat all open' prefix script0 S') as X. cbn [fst snd skipn] in *.
        destruct (among_items _ _ behind (snd w) all _ _ open' script0) as [below script1].
        specialize (IHw (found_plus start 1 below) script1). cbv zeta in IHw. unfold found_plus in *.
          cbn [fst snd] in *.
        destruct X as [X Y]. rewrite how_many_inputs in X, Y. rewrite E in X, Y.
        change (fst below <= rights h) in X. change (snd below <= wrongs h) in Y. lia.
  Qed.
End Tree.
