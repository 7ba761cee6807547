(** * Rule `window`: near tokens and the far class (theorem [window_sound]) *)

From Coq Require Import Reals ZArith List Bool Lia Lra Permutation.
From gbmi Require Import Fixed CheckerFast CheckerCertificate CheckerTable CheckerPaths CheckerRules CheckerLevels.
From gbmi Require Import CheckerCriterion CheckerLevelsSound.
From gbmi Require Import CheckerCriterionSoundHalves CheckerCriterionSoundOrder CheckerCriterionSoundView.
Import ListNotations.
Local Open Scope R_scope.
Local Opaque everything LIMIT add.

Lemma NoDup_app_l {A} (xs ys : list A) : NoDup (xs ++ ys) -> NoDup xs.
Proof.
  induction xs as [|x xs IH]; intros D; [constructor|]. inversion_clear D as [|? ? N D']. constructor; [|now apply IH].
  contradict N. apply in_app_iff. now left.
Qed.

Lemma NoDup_concat_in {A} (ls : list (list A)) l : NoDup (concat ls) -> In l ls -> NoDup l.
Proof.
  induction ls as [|l' ls IH]; intros D I; [easy|]. cbn in D. destruct I as [->|I].
  - now apply NoDup_app_l in D.
  - apply IH; [|exact I]. clear IH I. induction l' as [|x l' IH]; [exact D|]. inversion_clear D. now apply IH.
Qed.

Lemma nth_map2_all {A B C} (f : A -> B -> C) : forall xs ys c a b d, length xs = length ys -> (c < length xs)%nat ->
  nth c (map2 f xs ys) d = f (nth c xs a) (nth c ys b).
Proof.
  induction xs as [|x xs IH]; intros [|y ys] c a b d E L; try discriminate; [cbn in L; lia|].
  destruct c as [|c]; [reflexivity|]. cbn in *. apply IH; lia.
Qed.

Lemma map2_length {A B C} (f : A -> B -> C) : forall xs ys, length xs = length ys -> length (map2 f xs ys) = length xs.
Proof. induction xs as [|x xs IH]; intros [|y ys] E; try discriminate;
  [reflexivity|]. cbn. now rewrite IH by now injection E. Qed.

(** By class: the tokens that are near, how many are not. *)
Definition near_in (W : window) (c : nat) : list nat := nth c (near W) [].
Definition far_in (W : window) (c : nat) : nat := nth c (far W) O.

Lemma far_none W c : any_far W = false -> far_in W c = O.
Proof.
  unfold any_far, far_in. intros N. destruct (nth_in_or_default c (far W) O) as [I|E]; [|exact E].
  destruct (Nat.ltb_spec 0 (nth c (far W) O)) as [B|B]; [|lia]. exfalso. apply not_true_iff_false in N. apply N.
  apply existsb_exists. exists (nth c (far W) O). split; [exact I | now apply Nat.ltb_lt].
Qed.

Section Window.
  Variables (V : view) (X : reals).
  Hypothesis V_is : encloses_view V X.
  Let L := the_level V.
  Let r := right_of V.
  Let v := vocab (shared V).
  Let n := context (shared V).

  (** *** What a view is made of *)

  Lemma view_fields : free V = free_classes L (used V)
    /\ moves_left L (query V) (free_moves L) = (used V, all_inputs V)
    /\ far_tokens V = map (fun p => largest (map (fun c => nth p (nth c (class_tops (at_level V)) []) everything)
         (filter (fun c => negb (is_single (class_of L c))) (free V)))) (seq 0 (n - 1))
    /\ far_token_pooled V = largest (far_tokens V)
    /\ far_query V = query_margin r (wrong_answers (at_level V)) (query_row V).
  Proof.
    unfold L, r, n, right_of, the_level. pattern V. rewrite (view_is V X V_is). cbv beta. unfold view_of.
    cbn [free used at_level of_level query all_inputs far_tokens shared far_token_pooled far_query query_row].
    repeat split. now destruct (moves_left _ _ _).
  Qed.

  Lemma free_iff c : In c (free V) <-> In c (map fst (concat (concat (used V)))) /\ (c < length (classes L))%nat.
  Proof.
    rewrite (proj1 view_fields). unfold free_classes. rewrite filter_In, in_seq, among_iff. intuition lia.
  Qed.

  Lemma class_distinct c : NoDup (class_of L c).
  Proof.
    unfold class_of. destruct (nth_in_or_default c (classes L) []) as [I| ->]; [|constructor].
    apply (NoDup_concat_in (classes L)); [|exact I]. apply (classes_apart _ _ _ (level_is_ok V X V_is)).
  Qed.

  (** *** Windows *)

  (** The tokens of a free class that are not near. *)
  Definition far_list (W : window) (c : nat) : list nat :=
    if among (free V) c then filter (fun t => negb (among (near_in W c) t)) (class_of L c) else [].

  (** A window: by class tokens of it, each once, and a count of the others; with a token whose enclosed attention is
      at least that of every other. *)
  Record window_ok (W : window) : Prop := {
    near_length : length (near W) = length (classes L);
    far_length : length (far W) = length (classes L);
    near_distinct : forall c, NoDup (near_in W c);
    near_free : forall c t, In t (near_in W c) -> In c (free V) /\ In t (class_of L c);
    far_count : forall c, far_in W c = length (far_list W c);
    far_several : forall c t, In t (far_list W c) -> is_single (class_of L c) = false;
    strongest : forall s c t, strongest_far W = Some s -> In t (far_list W c) ->
      (forall p, (p < n)%nat -> above (weight (source_at V s) p) (weight_of X t p / unit_of V s))
      /\ above (alpha (source_at V s)) (by_token_of X t / unit_of V s)
  }.

  Lemma in_far_list W c t : In t (far_list W c) <-> In c (free V) /\ In t (class_of L c) /\ ~ In t (near_in W c).
  Proof.
    unfold far_list. destruct (among (free V) c) eqn:E.
    - apply among_iff in E. rewrite filter_In, negb_true_iff, <- not_true_iff_false, among_iff. tauto.
    - apply not_true_iff_false in E. rewrite among_iff in E. cbn [In]. tauto.
  Qed.

  (** By class: what each item stands for. *)
  Definition tokens_of (W : window) (c : nat) : list (list nat) :=
    map (fun t => [t]) (near_in W c) ++ (if (0 <? far_in W c)%nat then [far_list W c] else []).

  Lemma concat_tokens W c : window_ok W -> concat (tokens_of W c) = near_in W c ++ far_list W c.
  Proof.
    intros W_ok. unfold tokens_of. rewrite concat_app. f_equal.
    - induction (near_in W c) as [|t ts IH]; [reflexivity|]. cbn. now rewrite IH.
    - rewrite (far_count _ W_ok). destruct (far_list W c) as [|t ts]; [reflexivity|]. cbn. now rewrite app_nil_r.
  Qed.

  Lemma tokens_of_class W c : window_ok W -> In c (map fst (concat (concat (used V)))) ->
    Permutation (concat (tokens_of W c)) (class_of L c).
  Proof.
    intros W_ok I. rewrite concat_tokens by exact W_ok.
    assert (In c (free V) \/ class_of L c = []) as [F|E].
    { destruct (Nat.lt_ge_cases c (length (classes L))) as [B|B];
      [left; now apply free_iff | right; now apply nth_overflow]. }
    - apply NoDup_Permutation; [| apply class_distinct |].
      + assert (NoDup (far_list W c)) as D.
        { unfold far_list. destruct (among (free V) c); [apply NoDup_filter, class_distinct | constructor]. }
        assert (forall t, In t (near_in W c) -> ~ In t (far_list W c)) as N by (intros t T J;
          now apply in_far_list in J).
        pose proof (near_distinct _ W_ok c) as D'. clear - D D' N. induction D' as [|t ts F D' IH]; [exact D|].
        cbn. constructor.
        * rewrite in_app_iff. intros [I|I]; [easy|]. apply (N t); [now left | exact I].
        * apply IH. intros t' I. apply N. now right.
      + intros t. rewrite in_app_iff, in_far_list. split.
        * intros [T|(_ & T & _)]; [now apply (near_free _ W_ok) in T | exact T].
        * intros T. destruct (in_dec Nat.eq_dec t (near_in W c)); auto.
    - assert (near_in W c = []) as ->.
      { destruct (near_in W c) as [|t ts] eqn:N; [reflexivity|]. exfalso.
        destruct (near_free _ W_ok c t) as [_ T]; [rewrite N; now left|]. rewrite E in T. destruct T. }
      unfold far_list. rewrite E. now destruct (among (free V) c).
  Qed.

  Section By.
    Variables (near_of : list nat -> list nat) (st : option nat).
    Hypothesis near_of_class : forall tokens, NoDup tokens -> NoDup (near_of tokens) /\ incl (near_of tokens) tokens.
    Let W := window_by V near_of st.

    Lemma near_by c : near_in W c = if among (free V) c then near_of (class_of L c) else [].
    Proof.
      unfold near_in, W, window_by. cbn [near]. fold (the_level V) L. set (f := fun c => _).
      destruct (Nat.lt_ge_cases c (length (classes L))) as [B|B].
      - rewrite nth_indep with (d' := f O) by (rewrite map_length, seq_length; exact B).
        rewrite map_nth, seq_nth by exact B. reflexivity.
      - rewrite nth_overflow by (rewrite map_length, seq_length; exact B).
        destruct (among (free V) c) eqn:E; [|reflexivity]. apply among_iff, free_iff in E. lia.
    Qed.

    Lemma far_by c : far_in W c = if among (free V) c then (length (class_of L c) - length (near_in W c))%nat else O.
    Proof.
      unfold far_in, W at 1, window_by. cbn [far]. fold (the_level V) L.
        set (near := map _ (seq 0 (length (classes L)))).
      set (f := fun c near => _).
      assert (length near = length (classes L)) as N by (unfold near; now rewrite map_length, seq_length).
      destruct (Nat.lt_ge_cases c (length (classes L))) as [B|B].
      - rewrite (nth_map2_all f _ _ c O []) by (rewrite seq_length; auto). rewrite seq_nth by exact B. reflexivity.
      - rewrite nth_overflow by (rewrite map2_length; rewrite seq_length; auto).
        destruct (among (free V) c) eqn:E; [|reflexivity]. apply among_iff, free_iff in E. lia.
    Qed.

    Lemma window_by_ok :
      (forall c t, In t (far_list W c) -> is_single (class_of L c) = false) ->
      (forall s c t, st = Some s -> In t (far_list W c) ->
        (forall p, (p < n)%nat -> above (weight (source_at V s) p) (weight_of X t p / unit_of V s))
        /\ above (alpha (source_at V s)) (by_token_of X t / unit_of V s)) -> window_ok W.
    Proof.
      intros Several Strongest. split.
      - unfold W, window_by. cbn [near]. now rewrite map_length, seq_length.
      - unfold W, window_by. cbn [far]. rewrite map2_length; rewrite ?map_length; now rewrite seq_length.
      - intros c. rewrite near_by. destruct (among (free V) c); [apply near_of_class, class_distinct | constructor].
      - intros c t. rewrite near_by. destruct (among (free V) c) eqn:E; [|easy]. apply among_iff in E.
        intros I. split; [exact E|]. exact (proj2 (near_of_class _ (class_distinct c)) t I).
      - intros c. rewrite far_by. unfold far_list. destruct (among (free V) c) eqn:E; [|reflexivity].
        pose proof (near_by c) as N. rewrite E in N. rewrite N.
        destruct (near_of_class _ (class_distinct c)) as [D I]. revert D I. generalize (near_of (class_of L c)).
        intros near' D I. pose proof (class_distinct c) as Dc.
        assert (Permutation (near' ++ filter (fun t => negb (among near' t)) (class_of L c)) (class_of L c)) as P.
        { apply NoDup_Permutation; [| exact Dc |].
          - assert (forall t, In t near' -> ~ In t (filter (fun t => negb (among near' t)) (class_of L c))) as N'.
            { intros t T J. apply filter_In in J. destruct J as [_ J]. now rewrite (proj2 (among_iff near' t) T) in J. }
            pose proof (NoDup_filter (fun t => negb (among near' t)) Dc) as Df. revert N' Df.
            generalize (filter (fun t => negb (among near' t)) (class_of L c)). clear - D. intros fs N' Df.
            induction D as [|t ts F D IH]; [exact Df|]. cbn. constructor.
            + rewrite in_app_iff. intros [J|J]; [easy|]. apply (N' t); [now left | exact J].
            + apply IH. intros t' J. apply N'. now right.
          - intros t. rewrite in_app_iff, filter_In, negb_true_iff, <- not_true_iff_false, among_iff. split.
            + intros [J|[J _]]; auto.
            + intros J. destruct (in_dec Nat.eq_dec t near'); auto. }
        apply Permutation_length in P. rewrite app_length in P. lia.
      - exact Several.
      - intros s c t S. now apply Strongest.
    Qed.
  End By.

  Lemma find_filter {A} (f : A -> bool) l : find f l = hd_error (filter f l).
  Proof. induction l as [|x l IH]; [reflexivity|]. cbn. destruct (f x); [reflexivity | exact IH]. Qed.

  Lemma filter_filter {A} (f g : A -> bool) l : filter f (filter g l) = filter (fun x => g x && f x) l.
  Proof. induction l as [|x l IH]; [reflexivity|]. cbn. destruct (g x); cbn; [destruct (f x)|]; now rewrite IH. Qed.

  (** What is behind the first [k] is what is not among them. *)
  Lemma filter_skipn {B} k : forall l : list (nat * B), NoDup (map fst l) ->
    filter (fun x => negb (among (map fst (firstn k l)) (fst x))) l = skipn k l.
  Proof.
    intros l D.
    assert (forall x, In x (firstn k l) -> In (fst x) (map fst (firstn k l))) as F by (intros; now apply in_map).
    assert (forall x, In x (skipn k l) -> ~ In (fst x) (map fst (firstn k l))) as S.
    { rewrite <- (firstn_skipn k l), map_app in D. clear F. revert D. generalize (firstn k l) (skipn k l).
      induction l0 as [|y l0 IH]; intros l1 D x I; [easy|]. cbn in *. inversion_clear D as [|? ? N D'].
      intros [E|J]; [apply N; rewrite E; apply in_app_iff; right; now apply in_map | now apply (IH l1 D' x)]. }
    revert F S. generalize (map fst (firstn k l)). intros ts F S.
    rewrite <- (firstn_skipn k l) at 1. rewrite filter_app.
    assert (filter (fun x => negb (among ts (fst x))) (firstn k l) = []) as ->.
    { clear S. induction (firstn k l) as [|x xs IH]; [easy|]. cbn [filter].
      rewrite (proj2 (among_iff ts (fst x))) by (apply F; now left). apply IH. intros y I. apply F. now right. }
    clear F. cbn [app]. induction (skipn k l) as [|x xs IH]; [easy|]. cbn [filter]. destruct (among ts (fst x)) eqn:E.
    - apply among_iff in E. destruct (S x (or_introl eq_refl) E).
    - cbn [negb]. rewrite IH; [reflexivity|]. intros y I. apply S. now right.
  Qed.

  Lemma leading_is member : forall ranks count, leading member count ranks
    = (map fst (firstn count (filter (fun rank => member (fst rank)) ranks)),
       option_map snd (hd_error (skipn count (filter (fun rank => member (fst rank)) ranks)))).
  Proof.
    induction ranks as [|[t best] ranks IH]; intros count; [now destruct count|]. cbn [leading filter fst].
    destruct (member t); [|apply IH]. destruct count as [|count]; [reflexivity|]. now rewrite IH.
  Qed.

  Lemma listed_tokens_distinct : NoDup (map fst (listed_tokens V)).
  Proof.
    unfold listed_tokens. destruct (token_order_is V X V_is) as [-> | (hint & row & -> & _)]; [constructor|].
    exact (listed_distinct (fun a b => upper_at_most b a) hint row).
  Qed.

  Theorem window_sound size : window_ok (window_of V size).
  Proof.
    unfold window_of. fold (the_level V) L. set (others := concat _).
    destruct (match size with Some _ => _ | None => _ end).
    - set (near_of := fun tokens : list nat => _).
      assert (forall tokens t, In t tokens -> In t (near_of tokens)) as full.
      { intros tokens t T. unfold near_of. apply in_app_iff. set (first := filter (among tokens) _).
        destruct (in_dec Nat.eq_dec t first) as [I|I]; [now left|]. right. apply filter_In. split; [exact T|].
        now apply negb_true_iff, not_true_iff_false; rewrite among_iff. }
      assert (forall c t, ~ In t (far_list (window_by V near_of None) c)) as none.
      { intros c t I. apply in_far_list in I. destruct I as (F & T & N). apply N. rewrite near_by.
        rewrite (proj2 (among_iff _ _) F). now apply full. }
      apply window_by_ok; [|intros c t I; now apply none in I | discriminate].
      intros tokens D. unfold near_of. set (first := filter (among tokens) _). split.
      + assert (NoDup first) as Df by apply NoDup_filter, listed_tokens_distinct.
        assert (forall t, In t first -> ~ In t (filter (fun t => negb (among first t)) tokens)) as N.
        { intros t T J. apply filter_In in J. destruct J as [_ J]. now rewrite (proj2 (among_iff first t) T) in J. }
        pose proof (NoDup_filter (fun t => negb (among first t)) D) as Dt. revert N Dt.
        generalize (filter (fun t => negb (among first t)) tokens). clear - Df. intros fs N Dt.
        induction Df as [|t ts F D IH]; [exact Dt|]. cbn. constructor.
        * rewrite in_app_iff. intros [J|J]; [easy|]. apply (N t); [now left | exact J].
        * apply IH. intros t' J. apply N. now right.
      + intros t I. apply in_app_iff in I. destruct I as [I|I]; apply filter_In in I; [now apply among_iff | easy].
    - set (size' := match size with Some size => size | None => O end). set (k := (size' - _)%nat).
      rewrite leading_is. set (below := filter _ (listed_tokens V)). set (first := map fst (firstn k below)).
      set (st := match option_map snd (hd_error (skipn k below)), token_order (own V) with
        | Some best, _ => Some best | None, Some o => unlisted o | None, None => None end).
      assert (NoDup (map fst below)) as D.
      { unfold below. pose proof listed_tokens_distinct as D. induction (listed_tokens V) as [|x xs IH]; [constructor|].
        inversion_clear D as [|? ? N D']. cbn [filter]. destruct (among others (fst x)); [|now apply IH].
        cbn [map]. constructor; [|now apply IH]. contradict N. apply in_map_iff in N. destruct N as (y & E & I).
        apply filter_In in I. apply in_map_iff. now exists y. }
      assert (NoDup first) as D1.
      { unfold first. rewrite <- (firstn_skipn k below), map_app in D. now apply NoDup_app_l in D. }
      set (near_of := fun tokens : list nat => if is_single tokens then tokens else filter (among tokens) first).
      assert (forall c t, In t (far_list (window_by V near_of (option_map fst st)) c) ->
        is_single (class_of L c) = false /\ In c (free V) /\ In t (class_of L c) /\ ~ In t first) as far_are.
      { intros c t I. apply in_far_list in I. destruct I as (F & T & N). rewrite near_by in N.
        rewrite (proj2 (among_iff _ _) F) in N. unfold near_of in N. destruct (is_single (class_of L c)); [easy|].
        repeat split; auto. contradict N. apply filter_In. split; [exact N | now apply among_iff]. }
      apply window_by_ok.
      + intros tokens Dt. unfold near_of. destruct (is_single tokens); [split; [exact Dt | apply incl_refl]|].
        split; [now apply NoDup_filter|]. intros t I. apply filter_In in I. now apply among_iff.
      + intros c t I. now apply far_are in I.
      + intros s c t S I. apply far_are in I. destruct I as (Sg & F & T & N).
        assert (In t others) as O.
        { unfold others. apply in_concat. exists (class_of L c). split; [|exact T]. apply filter_In.
          split; [now apply in_map | now rewrite Sg]. }
        pose proof (tokens_below _ _ _ (level_is_ok V X V_is) _ _ T) as Tv.
        unfold st in S.
        destruct (token_order_is V X V_is) as [E | (hint & row & E & Len & A & B)]; rewrite E in S.
        { assert (below = []) as Eb' by (unfold below, listed_tokens; now rewrite E).
          rewrite Eb', skipn_nil in S. discriminate. }
        set (o := descending hint row) in *.
        set (member := fun k : nat => among others k && negb (among first k)).
        assert (below = filter (fun rank => among others (fst rank)) (listed o)) as Eb'
          by (unfold below, listed_tokens; now rewrite E).
        assert (bound member o = match option_map snd (hd_error (skipn k below)) with
          | Some best => Some best | None => unlisted o end) as Bo.
        { unfold bound. rewrite find_filter.
          assert (filter (fun rank : nat * (nat * ival) => member (fst rank)) (listed o) = skipn k below) as ->;
            [|generalize (skipn k below); intros [|[t0 b0] ranks]; reflexivity].
          rewrite <- (filter_skipn k below D). fold first. rewrite Eb', filter_filter. reflexivity. }
        assert (option_map fst (bound member o) = Some s) as S'
          by (rewrite Bo; revert S; destruct (option_map snd _); auto).
        destruct (bound member o) as [[i best]|] eqn:Eb; [|discriminate].
        cbn in S'. injection S' as <-. pose proof (order_bound (fun a b => upper_at_most b a)) as Ob.
        unfold upper_at_most in Ob. specialize (Ob ltac:(intros a b H; apply Z.leb_gt in H; apply Z.leb_le; lia)
          ltac:(intros a b c'; rewrite !Z.leb_le; lia) hint row member).
        change (order_by _ hint row) with o in Ob. rewrite Eb in Ob. destruct Ob as [P Q].
        assert (i < length row)%nat as Il by (apply nth_error_Some; congruence).
        rewrite (get_error row i Il) in P. injection P as P.
        apply (B i t); [lia | exact Tv |].
        refine (above_grow (get row t) _ _ _ _ (A t _)); [|apply (above_sane _ (score_of X i)), A; lia | exact Tv].
        rewrite P. apply Z.leb_le, (Q t); [apply get_error; lia|]. unfold member.
        rewrite (proj2 (among_iff others t) O). cbn [andb]. apply negb_true_iff, not_true_iff_false.
        now rewrite among_iff.
  Qed.

  (** ** Terms of the far class *)

  Hypothesis mul_encloses : forall x y a b k, encloses_sane x a -> encloses_sane y b ->
    encloses_sane (mul_scaled x y k) (a * b * powerRZ 2 k).

  Let wrong := Marked (map (fun j => negb (j =? r)%nat) (seq 0 v)).

  Lemma wrong_members j : (j < v)%nat -> j <> r -> In j (members v wrong).
  Proof.
    intros J N. apply filter_In. split; [apply in_seq; lia|]. unfold marked.
    set (f := fun j : nat => negb (j =? r)%nat). rewrite nth_indep with (d' := f 0%nat).
    2: now rewrite map_length, seq_length.
    rewrite map_nth, seq_nth by exact J. now apply negb_true_iff, Nat.eqb_neq.
  Qed.

  Lemma class_top c p : (c < length (classes L))%nat -> is_single (class_of L c) = false -> (p < n - 1)%nat ->
    nth p (nth c (class_tops (at_level V)) []) everything
    = largest (map (fun t => or_everything (difference r wrong (nth t (nth p (token_rows (shared V)) []) no_row)))
        (class_of L c)).
  Proof.
    intros B S P. rewrite (at_level_is V X V_is). unfold level_view_of. cbn [class_tops]. fold L.
    change (right_answer L) with r. fold v. fold wrong.
    pose proof (positions_count V X V_is) as C. fold n in C.
    match goal with |- nth p (nth c (map ?f _) []) _ = _ => set (rows_of := f) end.
    rewrite nth_indep with (d' := rows_of []) by (rewrite map_length; exact B). rewrite map_nth. fold (class_of L c).
    unfold rows_of. rewrite S. match goal with |- nth p (map ?f _) _ = _ => set (top_of := f) end.
    rewrite nth_indep with (d' := top_of []) by (rewrite map_length; lia). now rewrite map_nth.
  Qed.

  (** An upper bound of every wrong answer's margin at every token of a free class of several. *)
  Lemma far_tokens_above c p t j : In c (free V) -> is_single (class_of L c) = false -> In t (class_of L c) ->
    (p < n - 1)%nat -> (j < v)%nat -> j <> r ->
    above (get (far_tokens V) p) (logit_of X j p t - logit_of X r p t).
  Proof.
    intros F S T P J N. destruct view_fields as (_ & _ & -> & _). unfold get.
    match goal with |- above (nth p (map ?g _) _) _ => set (f := g) end.
    rewrite nth_indep with (d' := f O) by (rewrite map_length, seq_length;
      exact P). rewrite map_nth, seq_nth by exact P.
    unfold f. cbn [Nat.add]. clear f.
    assert (forall t', (t' < v)%nat -> row_encloses v (nth t' (nth p (token_rows (shared V)) []) no_row)
      (fun j => logit_of X j p t')) as Ro by (intros t' T'; now apply (token_rows_are V X V_is)).
    assert (forall t', (t' < v)%nat -> above
      (or_everything (difference r wrong (nth t' (nth p (token_rows (shared V)) []) no_row)))
      (logit_of X j p t' - logit_of X r p t')) as A.
    { intros t' T'. apply (difference_above V X V_is wrong _ (fun j => logit_of X j p t')); auto using wrong_members. }
    assert (forall c t', In t' (class_of L c) -> (t' < v)%nat) as Below
      by (intros c' t'; apply (tokens_below _ _ _ (level_is_ok V X V_is))).
    assert (forall c, Forall sane (map (fun t => or_everything (difference r wrong
      (nth t (nth p (token_rows (shared V)) []) no_row))) (class_of L c))) as Sane.
    { intros c'. apply Forall_forall. intros x I. apply in_map_iff in I. destruct I as (t' & <- & I).
      exact (above_sane _ _ (A t' (Below _ _ I))). }
    apply above_largest with (nth p (nth c (class_tops (at_level V)) []) everything).
    - apply Forall_forall. intros x I. apply in_map_iff in I. destruct I as (c' & <- & I). apply filter_In in I.
      destruct I as [F' S']. apply negb_true_iff in S'. rewrite class_top by (auto; now apply free_iff in F').
      now apply sane_largest.
    - apply in_map_iff. exists c. split; [reflexivity|]. apply filter_In. split; [exact F | now rewrite S].
    - rewrite class_top by (auto; now apply free_iff in F).
      apply above_largest with (or_everything (difference r wrong (nth t (nth p (token_rows (shared V)) []) no_row)));
        [apply Sane | | apply A, (Below c), T].
      apply in_map_iff. now exists t.
  Qed.

  Lemma far_query_above j : (j < v)%nat -> j <> r -> above (far_query V) (query_of X j - query_of X r).
  Proof.
    intros J N. destruct view_fields as (_ & _ & _ & _ & ->). rewrite (at_level_is V X V_is).
    cbn [level_view_of wrong_answers]. fold L. change (right_answer L) with r. fold v. fold wrong.
    unfold query_margin. apply (difference_above V X V_is wrong _ _ j); auto using wrong_members.
    apply (query_row_is V X V_is).
  Qed.

  Lemma zero_encloses : encloses_sane zero 0.
  Proof.
    assert (zero = mk 0 0) as -> by reflexivity.
    split; (split; [constructor; ends|]); right; cbn [lo hi]; lra.
  Qed.

  (** A weight at most that of another, times a margin, is at most that weight times a bound; or 0. *)
  Lemma far_above I Y u s x y : above I (u / unit_of V s) -> 0 < u -> above Y y -> x = u * y ->
    above (imax (fast_mul_scaled I Y (shift V (source_at V s))) zero) x.
  Proof.
    intros U P A ->. rewrite fast_mul_scaled_eq.
    assert (sane (mul_scaled I Y (shift V (source_at V s)))) as S.
    { apply (sane_mul mul_encloses); [now apply above_sane in U | now apply above_sane in A]. }
    destruct (Rle_or_lt 0 y) as [Q|Q].
    - apply above_imax_l; [|apply zero_encloses]. rewrite <- (back_in_units V u y s).
      apply (mul_above_above mul_encloses); auto. apply quotient_nonneg, P.
    - apply above_imax_r; [exact S|]. apply above_le with 0; [nra | apply zero_encloses].
  Qed.

  Lemma far_term_above W c p t j : window_ok W -> In t (far_list W c) -> (p < n - 1)%nat -> (j < v)%nat -> j <> r ->
    above (far_term V W p) (phi X r j p t).
  Proof.
    intros W_ok I P J N. unfold far_term. destruct (strongest_far W) as [s|] eqn:S; [|apply above_everything].
    destruct (strongest _ W_ok s c t S I) as [A _].
    apply far_above with (u := weight_of X t p) (y := margin_of_reals X r j p t).
    - apply A. lia.
    - apply (weight_of_pos V X V_is).
    - unfold far_margin. apply above_add; [|now apply far_query_above].
      pose proof (far_several _ W_ok c t I) as Sg. apply in_far_list in I.
      now apply far_tokens_above with c.
    - reflexivity.
  Qed.

  Lemma far_below_below W c p t j : window_ok W -> In t (far_list W c) -> (p < n - 1)%nat -> (j < v)%nat ->
    below (far_below V W p) (phi X r j p t).
  Proof.
    intros W_ok I P J. unfold far_below. destruct (strongest_far W) as [s|] eqn:S; [|apply below_everything].
    destruct (strongest _ W_ok s c t S I) as [A _]. specialize (A p ltac:(lia)).
    apply in_far_list in I. destruct I as (_ & I & _).
    pose proof (tokens_below _ _ _ (level_is_ok V X V_is) _ _ I) as T. fold v in T.
    pose proof (right_below V X V_is) as Rv. fold v r in Rv.
    pose proof (weight_of_pos V X V_is t p) as Pw.
    replace (phi X r j p t) with (0 - - phi X r j p t) by ring.
    apply below_sub; [apply zero_encloses|]. rewrite fast_mul_scaled_eq.
    destruct (Rle_or_lt (margin_of_reals X r j p t) 0) as [Q|Q].
    - replace (- phi X r j p t) with (weight_of X t p * - margin_of_reals X r j p t) by (unfold phi; ring).
      rewrite <- (back_in_units V _ _ s). apply (mul_above_above mul_encloses); [exact A| | |lra].
      + apply quotient_nonneg, Pw.
      + now apply (widest_is V X V_is).
    - apply above_le with (weight_of X t p * 0); [unfold phi; nra|]. rewrite <- (back_in_units V _ _ s).
      apply (mul_above_above mul_encloses); [exact A| | |lra].
      + apply quotient_nonneg, Pw.
      + replace 0 with (- margin_of_reals X r r p t) by (unfold margin_of_reals; ring).
        now apply (widest_is V X V_is).
  Qed.
End Window.
