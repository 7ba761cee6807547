(** * Rule `tree` is sound (theorem [tree_counts]): the counts of right and of wrong inputs below a node

    What a position's items stand for is abstract here: each for a class of tokens, whose terms enclose real numbers
    [phi]. A completion of a node gives every position behind it a token. *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From gbmi Require Import Fixed CheckerTable CheckerRules CheckerCriterion.
From gbmi Require Import CheckerCriterionSoundHalves CheckerCriterionSoundCount.
Import ListNotations.
Local Open Scope Z_scope.
Local Opaque everything LIMIT add.

Definition negative (x : R) : bool := if Rlt_dec x 0 then true else false.

Lemma negative_iff x : negative x = true <-> (x < 0)%R.
Proof. unfold negative. destruct (Rlt_dec x 0); intuition discriminate. Qed.

Lemma not_negative_iff x : negative x = false <-> (0 <= x)%R.
Proof. unfold negative. destruct (Rlt_dec x 0); split; intros; try discriminate; try reflexivity; lra. Qed.

Section Tree.
  (** By answer, position and token. *)
  Variable phi : nat -> nat -> nat -> R.
  (** By group. *)
  Variable answers : nat -> list nat.
  (** The tokens that each item of a position stands for. *)
  Variable classes : list (list nat).
  (** By group: may it show inputs to be wrong? *)
  Variable shows : list bool.
  Hypothesis shows_one : forall g, nth g shows false = true -> exists j, answers g = [j].

  (** The sum for answer j of [x] and the terms of [tokens] at [places]. *)
  Fixpoint outcome (j : nat) (x : R) (places tokens : list nat) : R :=
    match places, tokens with
    | p :: places, t :: tokens => outcome j (x + phi j p t) places tokens
    | _, _ => x
    end.

  Definition all_negative (groups : list nat) (prefix : nat -> R) (places tokens : list nat) : bool :=
    forallb (fun g => forallb (fun j => negative (outcome j (prefix j) places tokens)) (answers g)) groups.
  Definition some_wrong (groups : list nat) (prefix : nat -> R) (places tokens : list nat) : bool :=
    existsb (fun g => nth g shows false
      && existsb (fun j => negb (negative (outcome j (prefix j) places tokens))) (answers g)) groups.

  (** What a position of the checker knows of position p. *)
  Record describes (P : position) (p : nat) : Prop := {
    items_length : length (items P) = length classes;
    times_are : times_of P = map (fun c => Z.of_nat (length c)) classes;
    items_above : forall i t g j, In t (nth i classes []) -> In j (answers g) ->
      above (get (nth i (items P) []) g) (phi j p t);
    items_below : forall i t g j, In t (nth i classes []) -> In j (answers g) -> nth g shows false = true ->
      below (get (nth i (items P) []) g) (phi j p t);
    most_above : forall member i t g j, In t (nth i classes []) -> member i = true -> In j (answers g) ->
      above (most_of member (nth g (most_orders P) no_order)) (phi j p t);
    least_below : forall member i t g j, In t (nth i classes []) -> member i = true -> In j (answers g) ->
      nth g shows false = true ->
      below (or_everything (least_of member (nth g (least_orders P) no_order))) (phi j p t)
  }.

  Inductive follow : list step -> list nat -> Prop :=
  | follow_nil : follow [] []
  | follow_cons P from behind p places : describes P p -> follow behind places ->
      follow (step_of P from behind :: behind) (p :: places).

  Fixpoint completions (steps : list step) : list (list nat) :=
    match steps with
    | [] => [[]]
    | s :: behind => flat_map (fun t => map (cons t) (completions behind)) (concat (skipn (start s) classes))
    end.

  Lemma start_step_of P from behind : start (step_of P from behind) = from.
  Proof. now destruct behind. Qed.

  Lemma here_step_of P from behind : here (step_of P from behind) = P.
  Proof. now destruct behind. Qed.

  Lemma inputs_at_completions steps places : follow steps places ->
    inputs_at steps = Z.of_nat (length (completions steps)).
  Proof.
    induction 1 as [|P from behind p places D F IH]; [reflexivity|]. cbn [completions inputs_at].
    rewrite start_step_of, length_flat_map.
    rewrite (map_ext _ (fun _ => 1 * Z.of_nat (length (completions behind)))) by (intros; rewrite map_length; lia).
    rewrite zsum_times, <- IH.
    assert (inputs_below (step_of P from behind) = count_items (skipn from (times_of P)) * inputs_at behind) as ->.
    { destruct behind; cbn; lia. }
    rewrite count_items_zsum, (times_are _ _ D), skipn_map, <- length_concat. f_equal.
    induction (concat (skipn from classes)); cbn [length map zsum] in *; lia.
  Qed.

  (** ** Bounds of completions *)

  Lemma outcome_shift j x places tokens : (outcome j x places tokens = x + outcome j 0 places tokens)%R.
  Proof.
    revert x tokens. induction places as [|p places IH]; intros x [|t tokens]; cbn; try lra.
    rewrite IH, (IH (0 + _)%R). lra.
  Qed.

  Lemma in_completions steps places ts : follow steps places -> In ts (completions steps) ->
    match steps with
    | [] => ts = []
    | s :: behind => exists i t rest, ts = t :: rest /\ (start s <= i)%nat /\ In t (nth i classes [])
        /\ In rest (completions behind)
    end.
  Proof.
    intros F I. destruct steps as [|s behind]; cbn in I; [now destruct I as [<-|[]]|].
    apply in_flat_map in I. destruct I as (t & T & I). apply in_map_iff in I. destruct I as (rest & <- & R).
    apply in_concat in T. destruct T as (c & C & T). apply (In_nth _ _ []) in C. destruct C as (i & _ & <-).
    exists (start s + i)%nat, t, rest. repeat split; [lia | | exact R].
    enough (nth (start s + i) classes [] = nth i (skipn (start s) classes) []) as -> by exact T.
    clear. revert classes. induction (start s); intros [|c cs]; cbn; auto. now destruct i.
  Qed.

  Lemma get_map2_add a b g : get (map2 add a b) g = add (get a g) (get b g) \/ get (map2 add a b) g = everything.
  Proof.
    unfold get. revert b g. induction a as [|x a IH]; intros [|y b] [|g]; cbn; auto.
  Qed.

  Lemma most_of_completions steps places : follow steps places ->
    forall ts g j, In ts (completions steps) -> In j (answers g) ->
    match steps with [] => ts = [] | s :: _ => above (get (most s) g) (outcome j 0 places ts) end.
  Proof.
    induction 1 as [|P from behind p places D F IH]; intros ts g j I J; [now destruct I as [<-|[]]|].
    destruct (in_completions _ _ _ (follow_cons P from _ p _ D F) I) as (i & t & rest & -> & Le & T & R).
    rewrite start_step_of in Le. cbn [outcome]. rewrite outcome_shift, Rplus_0_l. specialize (IH rest g j R J).
    set (member := fun item => (from <=? item)%nat).
    assert (above (get (map (most_of member) (most_orders P)) g) (phi j p t)) as M.
    { unfold get. change everything with (most_of member no_order). rewrite map_nth.
      apply (most_above _ _ D) with i; auto. now apply Nat.leb_le. }
    destruct behind as [|next behind]; cbn [step_of most]; fold member.
    - subst rest. replace (outcome j 0 places []) with 0%R by now destruct places. now rewrite Rplus_0_r.
    - destruct (get_map2_add (map (most_of member) (most_orders P)) (most next) g) as [-> | ->].
      + now apply above_add.
      + apply above_everything.
  Qed.

  Lemma least_of_completions steps places : follow steps places ->
    forall ts g j, In ts (completions steps) -> In j (answers g) -> nth g shows false = true ->
    match steps with [] => ts = [] | s :: _ => below (get (least s) g) (outcome j 0 places ts) end.
  Proof.
    induction 1 as [|P from behind p places D F IH]; intros ts g j I J G; [now destruct I as [<-|[]]|].
    destruct (in_completions _ _ _ (follow_cons P from _ p _ D F) I) as (i & t & rest & -> & Le & T & R).
    rewrite start_step_of in Le. cbn [outcome]. rewrite outcome_shift, Rplus_0_l. specialize (IH rest g j R J G).
    set (member := fun item => (from <=? item)%nat).
    assert (below (or_everything (nth g (map (least_of member) (least_orders P)) None)) (phi j p t)) as M.
    { change None with (least_of member no_order) at 1. rewrite map_nth.
      apply (least_below _ _ D) with i; auto. now apply Nat.leb_le. }
    destruct behind as [|next behind]; cbn [step_of least]; fold member.
    - subst rest. replace (outcome j 0 places []) with 0%R by now destruct places. rewrite Rplus_0_r.
      unfold get. change everything with (or_everything None). now rewrite map_nth.
    - set (plus := fun x rest => _). revert M IH. generalize (map (least_of member) (least_orders P)) (least next).
      unfold get. clear. induction g as [|g IH]; intros [|x xs] [|y ys] M N; cbn; try apply below_everything.
      + destruct x; cbn in *; [now apply below_add | apply below_everything].
      + now apply IH.
  Qed.

  Lemma total_most steps places ts g j sum x : follow steps places -> In ts (completions steps) -> In j (answers g) ->
    above sum x -> above (total most steps g sum) (outcome j x places ts).
  Proof.
    intros F I J A. pose proof (most_of_completions _ _ F ts g j I J) as M. destruct F; cbn [total].
    - now subst ts.
    - rewrite outcome_shift. now apply above_add.
  Qed.

  Lemma total_least steps places ts g j sum x : follow steps places -> In ts (completions steps) -> In j (answers g) ->
    nth g shows false = true -> below sum x -> below (total least steps g sum) (outcome j x places ts).
  Proof.
    intros F I J G A. pose proof (least_of_completions _ _ F ts g j I J G) as M. destruct F; cbn [total].
    - now subst ts.
    - rewrite outcome_shift. now apply below_add.
  Qed.

  (** ** Open groups, with their sums *)

  Record sums (open : opened) (prefix : nat -> R) : Prop := {
    distinct : NoDup (map fst open);
    sum_above : forall g sum j, In (g, sum) open -> In j (answers g) -> above sum (prefix j);
    sum_below : forall g sum j, In (g, sum) open -> In j (answers g) -> nth g shows false = true ->
      below sum (prefix j)
  }.

  Definition rights steps places (open : opened) prefix : Z :=
    how_many (all_negative (map fst open) prefix places) (completions steps).
  Definition wrongs steps places (open : opened) prefix : Z :=
    how_many (some_wrong (map fst open) prefix places) (completions steps).
  (** The counts are lower bounds. *)
  Definition sound (f : found) steps places open prefix : Prop :=
    fst f <= rights steps places open prefix /\ snd f <= wrongs steps places open prefix.

  Lemma sound_nothing steps places open prefix : sound (0, 0) steps places open prefix.
  Proof. split; apply how_many_nonneg. Qed.

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

  (** A group that does not stay open is negative everywhere below the node. *)
  Lemma sums_filter keep open prefix : sums open prefix -> sums (filter keep open) prefix.
  Proof.
    intros [D A B]. split.
    - clear A B. induction open as [|e open IH]; [constructor|]. inversion_clear D as [|? ? N D']. cbn.
      destruct (keep e); [|now apply IH]. cbn. constructor; [|now apply IH]. contradict N.
      apply in_map_iff in N. destruct N as (x & <- & I). apply filter_In in I. now apply in_map.
    - intros g sum j I. apply filter_In in I. now apply A.
    - intros g sum j I. apply filter_In in I. now apply B.
  Qed.

  Lemma sound_filter keep f steps places open prefix : follow steps places -> sums open prefix ->
    (forall entry, keep entry = false -> stays steps entry = false) ->
    sound f steps places (filter keep open) prefix -> sound f steps places open prefix.
  Proof.
    intros F S K [R W]. split; [eapply Z.le_trans; [exact R|] | eapply Z.le_trans; [exact W|]].
    - apply how_many_le. intros ts I. rewrite !all_negative_iff. intros N g j G J.
      apply in_map_iff in G. destruct G as ([g' sum] & <- & G). cbn [fst] in *. destruct (keep (g', sum)) eqn:E.
      + apply (N g' j); [|exact J]. apply in_map_iff. exists (g', sum). split; [reflexivity|]. now apply filter_In.
      + apply K in E. unfold stays in E. apply negb_false_iff in E. cbn [fst snd] in E.
        refine (above_negative _ _ _ E). apply total_most; auto. now apply (sum_above _ _ S g').
    - apply how_many_le. intros ts I. rewrite !some_wrong_iff. intros (g & j & G & rest). exists g, j.
      split; [|exact rest]. apply in_map_iff in G. destruct G as (e & <- & G). apply filter_In in G. now apply in_map.
  Qed.

  Lemma sound_certified steps places prefix : follow steps places -> sound (inputs_at steps, 0) steps places [] prefix.
  Proof.
    intros F. split; [|apply how_many_nonneg]. cbn [fst]. rewrite (inputs_at_completions _ _ F).
    unfold rights. rewrite how_many_all; [lia | reflexivity].
  Qed.

  Lemma sound_wrong (wrong : bool) steps places open prefix : follow steps places -> sums open prefix ->
    (wrong = true -> exists entry, In entry open /\ shows_wrong shows steps entry = true) ->
    sound (0, if wrong then inputs_at steps else 0) steps places open prefix.
  Proof.
    intros F S H. split; [apply how_many_nonneg|]. cbn [snd]. destruct wrong; [|apply how_many_nonneg].
    destruct H as ([g sum] & I & H); [reflexivity|]. unfold shows_wrong in H. cbn [fst snd] in H.
    apply andb_true_iff in H. destruct H as [G H]. rewrite (inputs_at_completions _ _ F).
    unfold wrongs. rewrite how_many_all; [lia|]. intros ts T. apply some_wrong_iff.
    destruct (shows_one g G) as (j & J). exists g, j. assert (In j (answers g)) as J' by (rewrite J; now left).
    split; [apply in_map_iff; now exists (g, sum)|]. split; [exact G|]. split; [exact J'|].
    refine (below_nonnegative _ _ _ H). apply total_least; auto. now apply (sum_below _ _ S g).
  Qed.

  (** ** The items of the next position *)

  Definition one_more (prefix : nat -> R) (p t : nat) : nat -> R := fun j => (prefix j + phi j p t)%R.

  (** An item with its number of tokens, for a class of tokens. *)
  Definition matches (p : nat) (c : list nat) (item : row * Z) : Prop :=
    snd item = Z.of_nat (length c)
    /\ (forall t g j, In t c -> In j (answers g) -> above (get (fst item) g) (phi j p t))
    /\ (forall t g j, In t c -> In j (answers g) -> nth g shows false = true -> below (get (fst item) g) (phi j p t)).

  Lemma items_match P p from : describes P p ->
    Forall2 (matches p) (skipn from classes) (skipn from (combine (items P) (times_of P))).
  Proof.
    intros D. apply Forall2_skipn, Forall2_nth with (a := []) (b := ([], 0)).
    - rewrite combine_length, (items_length _ _ D), (times_are _ _ D), map_length. lia.
    - intros i I. rewrite combine_nth; [|rewrite (times_are _ _ D), map_length; apply (items_length _ _ D)].
      rewrite (times_are _ _ D). split; [|split]; cbn [fst snd].
      + change 0 with ((fun c : list nat => Z.of_nat (length c)) []). now rewrite map_nth.
      + intros t g j T. now apply (items_above _ _ D).
      + intros t g j T. now apply (items_below _ _ D).
  Qed.

  Lemma extended_groups item open : map fst (extended item open) = map fst open.
  Proof. unfold extended. rewrite map_map. reflexivity. Qed.

  Lemma sums_extended p c item open prefix t : matches p c item -> In t c -> sums open prefix ->
    sums (extended (fst item) open) (one_more prefix p t).
  Proof.
    intros (_ & A & B) T [D X Y]. split; [now rewrite extended_groups| |].
    - intros g sum j I J. unfold extended in I. apply in_map_iff in I. destruct I as ([g' sum'] & E & I).
      cbn [fst snd] in E. injection E as <- <-. apply above_add; eauto.
    - intros g sum j I J G. unfold extended in I. apply in_map_iff in I. destruct I as ([g' sum'] & E & I).
      cbn [fst snd] in E. injection E as <- <-. apply below_add; eauto.
  Qed.

  (** The right and the wrong completions with a token of a class at the next position. *)
  Definition rights_in behind p places open prefix (c : list nat) : Z :=
    zsum (map (fun t => rights behind places open (one_more prefix p t)) c).
  Definition wrongs_in behind p places open prefix (c : list nat) : Z :=
    zsum (map (fun t => wrongs behind places open (one_more prefix p t)) c).

  Lemma rights_in_nonneg behind p places open prefix c : 0 <= rights_in behind p places open prefix c.
  Proof. apply zsum_nonneg. intros. apply how_many_nonneg. Qed.

  Lemma wrongs_in_nonneg behind p places open prefix c : 0 <= wrongs_in behind p places open prefix c.
  Proof. apply zsum_nonneg. intros. apply how_many_nonneg. Qed.

  Lemma rights_split P from behind p places open prefix :
    rights (step_of P from behind :: behind) (p :: places) open prefix
    = zsum (map (rights_in behind p places open prefix) (skipn from classes)).
  Proof.
    unfold rights. cbn [completions]. rewrite start_step_of, how_many_flat_map.
    erewrite map_ext by (intros; apply how_many_map). apply zsum_concat.
  Qed.

  Lemma wrongs_split P from behind p places open prefix :
    wrongs (step_of P from behind :: behind) (p :: places) open prefix
    = zsum (map (wrongs_in behind p places open prefix) (skipn from classes)).
  Proof.
    unfold wrongs. cbn [completions]. rewrite start_step_of, how_many_flat_map.
    erewrite map_ext by (intros; apply how_many_map). apply zsum_concat.
  Qed.

  (** What is found below an item counts for every token of its class. *)
  Lemma item_counts below behind p places open prefix c item : matches p c item ->
    (forall t, In t c -> sound below behind places (extended (fst item) open) (one_more prefix p t)) ->
    snd item * fst below <= rights_in behind p places open prefix c
    /\ snd item * snd below <= wrongs_in behind p places open prefix c.
  Proof.
    intros (-> & _) S. split; apply zsum_at_least; intros t T; destruct (S t T) as [R W];
      unfold rights, wrongs in *; rewrite extended_groups in *; assumption.
  Qed.

  (** ** Without a script *)

  Theorem explore_counts steps places : follow steps places -> forall open prefix, sums open prefix ->
    sound (explore shows steps open) steps places open prefix.
  Proof.
    induction 1 as [|P from behind p places D F IH]; intros open prefix S.
    - pose proof follow_nil as F. apply (sound_filter (stays [])); auto.
      pose proof (sums_filter (stays []) _ _ S) as S'.
      cbn [explore]. destruct (filter (stays []) open) as [|e rest]; [now apply sound_certified|].
      apply (sound_wrong (existsb (shows_wrong shows []) (e :: rest)) [] []); auto. apply existsb_exists.
    - set (steps := step_of P from behind :: behind). assert (follow steps (p :: places)) as F' by now constructor.
      apply (sound_filter (stays steps)); auto. pose proof (sums_filter (stays steps) _ _ S) as S'.
      subst steps. cbn [explore]. destruct (filter _ open) as [|e rest]; [now apply sound_certified|].
      set (still := e :: rest) in *. rewrite here_step_of, start_step_of. unfold sound.
      rewrite rights_split, wrongs_split.
      pose proof (items_match P p from D) as M. revert M. generalize (skipn from (combine (items P) (times_of P))).
      generalize (skipn from classes).
      assert (forall cs its f, Forall2 (matches p) cs its ->
        let f' := fold_left (fun sum item =>
                    found_plus sum (snd item) (explore shows behind (extended (fst item) still))) its f in
        fst f' <= fst f + zsum (map (rights_in behind p places still prefix) cs)
        /\ snd f' <= snd f + zsum (map (wrongs_in behind p places still prefix) cs)) as G.
      { intros cs its f M. revert f. induction M as [|c item cs its M _ IHM]; intros f; cbn [fold_left map zsum];
          [lia|].
        destruct (item_counts (explore shows behind (extended (fst item) still)) behind p places still prefix c item M)
          as [A B].
        { intros t T. apply IH. now apply (sums_extended p c). }
        destruct (IHM (found_plus f (snd item) (explore shows behind (extended (fst item) still)))) as [A' B'].
        unfold found_plus in *. cbn [fst snd] in *. lia. }
      intros cs its M. apply (G cs its (0, 0) M).
  Qed.

  (** ** By a script *)

  Lemma drop_counts steps places prefix : follow steps places -> forall times open script, sums open prefix ->
    sums (fst (drop steps times open script)) prefix
    /\ forall f, sound f steps places (fst (drop steps times open script)) prefix -> sound f steps places open prefix.
  Proof.
    intros F. induction times as [|times IH]; intros open script S; [now split|].
    destruct script as [|dropped script]; [now split|]. cbn [drop].
    set (keep := fun entry : nat * ival => _).
    destruct (IH (filter keep open) script (sums_filter keep _ _ S)) as [A B].
    split; [exact A|]. intros f H. apply (sound_filter keep); auto.
    intros entry K. unfold keep in K. now apply orb_false_iff in K.
  Qed.

  (** Marked items are those with the label. *)
  Lemma marked_labelled label : forall from cs labels c l,
    In (c, l) (combine (skipn from cs) labels) -> l = label ->
    exists i, marked (labelled from labels label) i = true /\ nth i cs [] = c :> list nat.
  Proof.
    unfold marked, labelled. induction from as [|from IH]; intros cs labels c l I ->.
    - cbn [skipn repeat app] in *. revert labels I. induction cs as [|c' cs IH]; intros [|l' labels] I; try easy.
      destruct I as [I|I].
      + injection I as -> ->. exists O. cbn. now rewrite Nat.eqb_refl.
      + destruct (IH _ I) as (i & M & N). now exists (S i).
    - destruct cs as [|c' cs]; [easy|]. destruct (IH cs labels c label I eq_refl) as (i & M & N). now exists (S i).
  Qed.

  Lemma count_marked_labelled label k : forall from cs labels,
    count_marked (map (fun c : list nat => Z.of_nat (length c)) cs) (labelled from labels label) * k
    = zsum (map (fun pair => if (snd pair =? label)%nat then Z.of_nat (length (fst pair)) * k else 0)
        (combine (skipn from cs) labels)).
  Proof.
    unfold count_marked, labelled. intros. rewrite count_items_zsum. revert cs labels.
    induction from as [|from IH]; intros cs labels; cbn [repeat app skipn].
    - revert labels. induction cs as [|c cs IH]; intros [|l labels]; cbn [map map2 combine zsum fst snd]; try lia.
      rewrite <- IH. destruct (l =? label)%nat; lia.
    - destruct cs as [|c cs]; cbn [map map2 combine zsum]; [lia|]. rewrite <- IH. lia.
  Qed.

  Section Split.
    Variables (P : position) (from : nat) (behind : list step) (p : nat) (places : list nat).
    Hypothesis P_is : describes P p.
    Hypothesis behind_is : follow behind places.
    Variables (open : opened) (prefix : nat -> R) (labels : list nat).
    Hypothesis open_is : sums open prefix.

    Let cs := skipn from classes.
    Let rights_of := rights_in behind p places open prefix.
    Let wrongs_of := wrongs_in behind p places open prefix.
    Let sum_if (test : nat -> bool) (counts : list nat -> Z) : Z :=
      zsum (map (fun pair : list nat * nat => if test (snd pair) then counts (fst pair) else 0) (combine cs labels)).

    Lemma sum_if_nonneg test counts : (forall c, 0 <= counts c) -> 0 <= sum_if test counts.
    Proof. intros H. apply zsum_nonneg. intros [c l] _. cbn. destruct (test l); auto; lia. Qed.

    (** All inputs of labelled items, if every one passes. *)
    Lemma marked_counts label counts :
      (forall i t, marked (labelled from labels label) i = true -> In t (nth i classes []) ->
        inputs_at behind <= counts t) ->
      count_marked (times_of P) (labelled from labels label) * inputs_at behind
      <= sum_if (fun l => (l =? label)%nat) (fun c => zsum (map counts c)).
    Proof.
      intros H. rewrite (times_are _ _ P_is), count_marked_labelled. apply zsum_le. intros [c l] I. cbn [fst snd].
      destruct (Nat.eqb_spec l label) as [E|]; [|lia].
      destruct (marked_labelled label from classes labels c l I E) as (i & M & N). apply zsum_at_least.
      intros t T. apply (H i t M). now rewrite N.
    Qed.

    (** What the labels of a split settle at once. *)
    Lemma settled_right : fst (settled shows (step_of P from behind) behind open labels)
      <= sum_if (fun l => (l =? 0)%nat) rights_of.
    Proof.
      unfold settled. rewrite here_step_of, start_step_of. cbn [fst].
      destruct (existsb (@Datatypes.id bool) _); cbn [andb]; [|apply sum_if_nonneg, rights_in_nonneg].
      destruct (forallb _ open) eqn:H; [|apply sum_if_nonneg, rights_in_nonneg].
      apply marked_counts. intros i t M T. rewrite (inputs_at_completions _ _ behind_is). unfold rights.
      rewrite how_many_all; [lia|]. intros ts I. apply all_negative_iff. intros g j G J.
      apply in_map_iff in G. destruct G as ([g' sum] & <- & G). cbn [fst] in *.
      rewrite forallb_forall in H. specialize (H _ G). cbn beta iota in H. refine (above_negative _ _ _ H).
      apply total_most; auto. apply above_add; [now apply (sum_above _ _ open_is g')|].
      now apply (most_above _ _ P_is) with i.
    Qed.

    Let shows_by (groups : list nat) (l : nat) : bool := existsb (fun g => (l =? 3 + g)%nat) groups.

    Lemma settled_wrong : snd (settled shows (step_of P from behind) behind open labels)
      <= sum_if (shows_by (map fst open)) wrongs_of.
    Proof.
      unfold settled. rewrite here_step_of, start_step_of. cbn [snd].
      destruct (existsb _ labels); [|apply sum_if_nonneg, wrongs_in_nonneg]. rewrite count_items_zsum.
      set (wrong_by := fun entry : nat * ival => _).
      assert (forall entry, In entry open -> wrong_by entry <= sum_if (fun l => (l =? 3 + fst entry)%nat) wrongs_of)
        as each.
      { intros [g sum] I. unfold wrong_by. destruct (nth g shows false) eqn:G; [|apply sum_if_nonneg, wrongs_in_nonneg].
        destruct (existsb (@Datatypes.id bool) _); [|apply sum_if_nonneg, wrongs_in_nonneg].
        destruct (is_nonnegative _) eqn:H; [|apply sum_if_nonneg, wrongs_in_nonneg]. cbn [fst].
        apply marked_counts. intros i t M T. rewrite (inputs_at_completions _ _ behind_is). unfold wrongs.
        rewrite how_many_all; [lia|]. intros ts K. apply some_wrong_iff. destruct (shows_one g G) as (j & J).
        exists g, j. assert (In j (answers g)) as J' by (rewrite J; now left).
        split; [apply in_map_iff; now exists (g, sum)|]. split; [exact G|]. split; [exact J'|].
        refine (below_nonnegative _ _ _ H). apply total_least; auto. apply below_add.
        - now apply (sum_below _ _ open_is g).
        - now apply (least_below _ _ P_is) with i. }
      pose proof (distinct _ _ open_is) as D. revert each D. generalize wrong_by. clear - open. intros wrong_by.
      pose proof (fun c => wrongs_in_nonneg behind p places open prefix c) as N. fold wrongs_of in N.
      revert N. generalize wrongs_of. clear. intros counts N each D.
      induction open as [|e rest IH]; [apply sum_if_nonneg, N|]. inversion_clear D as [|? ? fresh D'].
      cbn [map zsum]. specialize (IH (fun entry I => each entry (or_intror I)) D').
      specialize (each e (or_introl eq_refl)). eapply Z.le_trans; [apply Z.add_le_mono; eassumption|].
      unfold sum_if. rewrite zsum_plus. apply zsum_le. intros [c l] _. cbn [fst snd]. cbn [shows_by existsb].
      destruct (Nat.eqb_spec l (3 + fst e)) as [->|]; cbn [orb].
      - enough (shows_by (map fst rest) (3 + fst e) = false) as -> by lia. unfold shows_by.
        apply not_true_iff_false. intros some. apply fresh. apply existsb_exists in some. destruct some as (g & I & E).
        apply Nat.eqb_eq in E. now replace (fst e) with g by lia.
      - unfold shows_by. specialize (N c). destruct (existsb _ _); lia.
    Qed.

    (** The items that are nodes of their own. *)
    Lemma nodes_counts (below : opened -> list nat -> found * list nat) :
      (forall c item t script, matches p c item -> In t c ->
        sound (fst (below (extended (fst item) open) script)) behind places (extended (fst item) open)
          (one_more prefix p t)) ->
      forall its start_with script, Forall2 (matches p) cs its ->
      let state := fold_left (fun state (item : row * Z * nat) =>
              let '(item, times, label) := item in
              if (label =? 1)%nat then
                let '(below, script) := below (extended item open) (snd state) in
                (found_plus (fst state) times below, script)
              else state) (combine its labels) (start_with, script) in
      fst (fst state) <= fst start_with + sum_if (fun l => (l =? 1)%nat) rights_of
      /\ snd (fst state) <= snd start_with + sum_if (fun l => (l =? 1)%nat) wrongs_of.
    Proof.
      intros B its f script M. unfold sum_if. revert f script. generalize labels.
      induction M as [|c [item times] cs' its M _ IH]; intros [|l ls] f script;
        cbn [combine fold_left map zsum fst snd]; try lia.
      cbn [fst snd]. destruct (l =? 1)%nat; [|apply IH].
      destruct (item_counts (fst (below (extended item open) script)) behind p places open prefix c (item, times) M)
        as [X Y]; [intros t T; now apply B with (c := c) (item := (item, times))|].
      destruct (below (extended item open) script) as [found script']. cbn [fst snd] in *.
      specialize (IH ls (found_plus f times found) script'). unfold found_plus in *. cbn [fst snd] in *.
      fold (rights_of c) in X. fold (wrongs_of c) in Y. lia.
    Qed.

    (** Every item has one label. *)
    Lemma sum_ifs tests counts whole : (forall c, 0 <= counts c) -> zsum (map counts cs) <= whole ->
      (forall l, match filter (fun test : nat -> bool => test l) tests with _ :: _ :: _ => False | _ => True end) ->
      zsum (map (fun test => sum_if test counts) tests) <= whole.
    Proof.
      intros N W H. eapply Z.le_trans; [|exact W].
      eapply Z.le_trans; [|apply (zsum_combine counts cs labels); intros; apply N].
      unfold sum_if. induction (combine cs labels) as [|[c l] pairs IH]; cbn [map zsum fst snd].
      - induction tests; cbn [map zsum]; [lia|]. apply IHtests. intros l. specialize (H l). cbn in H.
        destruct (a l); [|exact H]. destruct (filter _ tests); [exact I | easy].
      - rewrite <- zsum_plus. apply Z.add_le_mono; [|exact IH]. clear IH W. specialize (H l).
        assert (forall ts, zsum (map (fun test : nat -> bool => if test l then counts c else 0) ts)
                  = Z.of_nat (length (filter (fun test => test l) ts)) * counts c) as ->.
        { induction ts as [|test ts IH]; [reflexivity|]. cbn [map zsum filter]. rewrite IH.
          destruct (test l); cbn [length]; lia. }
        specialize (N c). destruct (filter _ tests) as [|? [|]]; cbn [length]; lia.
    Qed.
  End Split.

  Theorem node_counts steps places : follow steps places -> forall open prefix script, sums open prefix ->
    sound (fst (node shows steps open script)) steps places open prefix.
  Proof.
    induction 1 as [|P from behind p places D F IH]; intros open prefix script S; cbn [node].
    - destruct (drop_counts _ _ prefix follow_nil (Nat.min (hd O script) (length open)) open (tl script) S) as [S' W].
      destruct (drop _ _ open (tl script)) as [still rest]. cbn [fst] in *. apply W. clear W.
      destruct still as [|e still]; [apply sound_certified; constructor|].
      destruct rest as [|[|[|[|]]] rest]; try apply sound_nothing. cbn [fst].
      apply (sound_wrong _ [] [] (e :: still)); [constructor | exact S'|].
      destruct rest as [|by_group rest]; [discriminate|]. intros H. apply existsb_exists in H.
      destruct H as (x & I & H). exists x. now apply andb_true_iff in H.
    - set (steps := step_of P from behind :: behind). assert (follow steps (p :: places)) as F' by now constructor.
      destruct (drop_counts _ _ prefix F' (Nat.min (hd O script) (length open)) open (tl script) S) as [S' W].
      destruct (drop _ _ open (tl script)) as [still rest]. cbn [fst] in *. apply W. clear W.
      destruct still as [|e still']; [now apply sound_certified|]. set (still := e :: still') in *.
      destruct rest as [|[|[|[|]]] rest]; try apply sound_nothing; cbn [fst].
      + apply (sound_wrong _ steps (p :: places) still prefix F' S').
        destruct rest as [|by_group rest]; [discriminate|].
        intros H. apply existsb_exists in H. destruct H as (x & I & H). exists x. now apply andb_true_iff in H.
      + rewrite here_step_of, start_step_of. set (candidates := skipn _ _). set (labels := firstn _ rest).
        pose proof (items_match P p from D) as M. fold candidates in M.
        destruct (nodes_counts from behind p places still prefix labels (node shows behind)
          ltac:(intros; apply IH; now apply (sums_extended p c)) candidates
          (settled shows (step_of P from behind) behind still labels) (skipn (length candidates) rest) M) as [X Y].
        pose proof (settled_right P from behind p places D F still prefix labels S') as R.
        pose proof (settled_wrong P from behind p places D F still prefix labels S') as Q.
        subst steps. unfold sound. rewrite rights_split, wrongs_split. split.
        * eapply Z.le_trans; [exact X|]. eapply Z.le_trans; [apply Z.add_le_mono_r, R|].
          pose proof (sum_ifs from labels [fun l => (l =? 0)%nat; fun l => (l =? 1)%nat] _ _
            (rights_in_nonneg behind p places still prefix) (Z.le_refl _)) as T.
          cbn [map zsum] in T. rewrite Z.add_0_r in T. apply T. now intros [|[|l]].
        * eapply Z.le_trans; [exact Y|]. eapply Z.le_trans; [apply Z.add_le_mono_r, Q|].
          pose proof (sum_ifs from labels
            [fun l => existsb (fun g => (l =? 3 + g)%nat) (map fst still); fun l => (l =? 1)%nat] _ _
            (wrongs_in_nonneg behind p places still prefix) (Z.le_refl _)) as T.
          cbn [map zsum] in T. rewrite Z.add_0_r in T. apply T. intros l. cbn [filter].
          destruct (Nat.eqb_spec l 1) as [->|]; [|now destruct (existsb _ _)].
          enough (existsb (fun g => (1 =? 3 + g)%nat) (map fst still) = false) as -> by exact Logic.I.
          apply not_true_iff_false. intros E. apply existsb_exists in E. destruct E as (g & _ & E). discriminate.
  Qed.

  (** ** Some roots, one after the other *)

  Theorem walk_counts {A} (script : list nat) (root : A -> list step * opened) places prefix (all : list A) :
    (forall a, In a all -> follow (fst (root a)) (places a) /\ sums (snd (root a)) (prefix a)) ->
    fst (walk shows script (map root all))
      <= zsum (map (fun a => rights (fst (root a)) (places a) (snd (root a)) (prefix a)) all)
    /\ snd (walk shows script (map root all))
      <= zsum (map (fun a => wrongs (fst (root a)) (places a) (snd (root a)) (prefix a)) all).
  Proof.
    intros H. unfold walk. destruct script as [|first script].
    - assert (forall l f, incl l all ->
        let f' := fold_left (fun sum (root : list step * opened) =>
                    found_plus sum 1 (explore shows (fst root) (snd root))) (map root l) f in
        fst f' <= fst f + zsum (map (fun a => rights (fst (root a)) (places a) (snd (root a)) (prefix a)) l)
        /\ snd f' <= snd f + zsum (map (fun a => wrongs (fst (root a)) (places a) (snd (root a)) (prefix a)) l)) as G.
      { induction l as [|a l IH]; intros f I; cbn [map fold_left zsum]; [lia|].
        destruct (H a (I a (or_introl eq_refl))) as [F S].
        destruct (explore_counts _ _ F _ _ S) as [X Y].
        destruct (IH (found_plus f 1 (explore shows (fst (root a)) (snd (root a))))) as [X' Y'].
        { intros b B. apply I. now right. }
        unfold found_plus in *. cbn [fst snd] in *. lia. }
      apply (G all (0, 0)). apply incl_refl.
    - generalize (first :: script). intros script'.
      assert (forall l f script, incl l all ->
        let f' := fst (fold_left (fun state (root : list step * opened) =>
                    let '(below, script) := node shows (fst root) (snd root) (snd state) in
                    (found_plus (fst state) 1 below, script)) (map root l) (f, script)) in
        fst f' <= fst f + zsum (map (fun a => rights (fst (root a)) (places a) (snd (root a)) (prefix a)) l)
        /\ snd f' <= snd f + zsum (map (fun a => wrongs (fst (root a)) (places a) (snd (root a)) (prefix a)) l)) as G.
      { induction l as [|a l IH]; intros f s I; cbn [map fold_left zsum]; [cbn; lia|].
        destruct (H a (I a (or_introl eq_refl))) as [F S].
        destruct (node_counts _ _ F _ _ s S) as [X Y]. cbn [snd fst].
        destruct (node shows (fst (root a)) (snd (root a)) s) as [below s'].
        destruct (IH (found_plus f 1 below) s') as [X' Y'].
        { intros b B. apply I. now right. }
        unfold found_plus in *. cbn [fst snd] in *. lia. }
      apply (G all (0, 0) script'). apply incl_refl.
  Qed.
End Tree.
