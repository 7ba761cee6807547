(** * Rule `window`: the far class (theorem [far_class]) *)

From Coq Require Import Reals ZArith List Bool Lia Lra Permutation.
From gbmi Require Import Fixed CheckerFast CheckerCertificate CheckerTable CheckerPaths CheckerRules CheckerCriterion.
From gbmi Require Import CheckerCriterionSoundHalves CheckerCriterionSoundOrder CheckerCriterionSoundView.
Import ListNotations.
Local Open Scope R_scope.
Local Opaque everything LIMIT add.

Definition among (ts : list nat) (t : nat) : bool := existsb (Nat.eqb t) ts.

Lemma among_iff ts t : among ts t = true <-> In t ts.
Proof.
  unfold among. rewrite existsb_exists. split.
  - intros (x & I & E). apply Nat.eqb_eq in E. now subst x.
  - intros I. exists t. now rewrite Nat.eqb_refl.
Qed.

Lemma NoDup_app_l {A} (xs ys : list A) : NoDup (xs ++ ys) -> NoDup xs.
Proof.
  induction xs as [|x xs IH]; intros D; [constructor|]. inversion_clear D as [|? ? N D']. constructor; [|now apply IH].
  contradict N. apply in_app_iff. now left.
Qed.

(** The tokens up to m that are not near. *)
Definition far_list (m : nat) (W : window) : list nat := filter (fun t => negb (among (near W) t)) (seq 0 (S m)).

Section Window.
  Variables (V : view) (X : reals).
  Hypothesis V_is : encloses_view V X.
  Let m := the_max (at_max V).
  Let v := vocab (shared V).
  Let n := context (shared V).

  (** A window: m first, tokens up to m, each once, and a count of the others; with a token whose enclosed attention is
      at least that of every other. *)
  Record window_ok (W : window) : Prop := {
    m_first : exists rest, near W = m :: rest;
    near_distinct : NoDup (near W);
    near_upto : forall t, In t (near W) -> (t <= m)%nat;
    far_count : far W = length (far_list m W);
    strongest : forall s t, strongest_far W = Some s -> In t (far_list m W) ->
      (forall p, (p < n)%nat -> above (weight (source_at V s) p) (weight_of X t p / unit_of V s))
      /\ above (alpha (source_at V s)) (by_token_of X t / unit_of V s)
  }.

  Lemma in_far_list W t : In t (far_list m W) <-> (t <= m)%nat /\ ~ In t (near W).
  Proof.
    unfold far_list. rewrite filter_In, in_seq, negb_true_iff, <- not_true_iff_false, among_iff. intuition lia.
  Qed.

  Lemma near_and_far W : NoDup (near W) -> (forall t, In t (near W) -> (t <= m)%nat) ->
    Permutation (near W ++ far_list m W) (seq 0 (S m)).
  Proof.
    intros D U. apply NoDup_Permutation; [| apply seq_NoDup |].
    - assert (NoDup (far_list m W)) as F by (apply NoDup_filter, seq_NoDup).
      assert (forall t, In t (near W) -> ~ In t (far_list m W)) as N by (intros t I J; now apply in_far_list in J).
      clear U. induction D as [|t ts F' D IH]; [exact F|]. cbn. constructor.
      + intros I. apply in_app_iff in I. destruct I as [I|I]; [easy|]. apply (N t); [now left | exact I].
      + apply IH. intros t' I. apply N. now right.
    - intros t. rewrite in_app_iff, in_far_list, in_seq. split.
      + intros [I|[I _]]; [specialize (U t I)|]; lia.
      + intros I. destruct (among (near W) t) eqn:E; [left; now apply among_iff|]. right. split; [lia|].
        rewrite <- among_iff, E. discriminate.
  Qed.

  Lemma far_counted W : NoDup (near W) -> (forall t, In t (near W) -> (t <= m)%nat) ->
    (S m - length (near W))%nat = length (far_list m W).
  Proof.
    intros D U. pose proof (Permutation_length (near_and_far W D U)) as L. rewrite app_length, seq_length in L. lia.
  Qed.

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

  Lemma window_whole : window_ok {| near := m :: seq 0 m; far := 0; strongest_far := None |}.
  Proof.
    assert (NoDup (m :: seq 0 m)) as D.
    { constructor; [|apply seq_NoDup]. rewrite in_seq. lia. }
    assert (forall t, In t (m :: seq 0 m) -> (t <= m)%nat) as U.
    { intros t [<-|I]; [lia|]. apply in_seq in I. lia. }
    split; cbn [near far strongest_far]; auto.
    - now exists (seq 0 m).
    - rewrite <- far_counted by auto. cbn [near length]. rewrite seq_length. lia.
    - discriminate.
  Qed.

  Theorem window_sound size : window_ok (window_of V size).
  Proof.
    unfold window_of. fold m. destruct size as [size|]; [|apply window_whole].
    destruct (m <? size)%nat; [apply window_whole|].
    set (below := match token_order (own V) with Some o => _ | None => [] end).
    assert (NoDup (map fst below)) as D.
    { unfold below. destruct (token_order_is V X V_is) as [-> | (hint & row & -> & _)]; [constructor|].
      pose proof (listed_distinct (fun a b => upper_at_most b a) hint row) as D. fold descending in D.
      change (order_by _ hint row) with (descending hint row) in D.
      induction (listed (descending hint row)) as [|x xs IH]; [constructor|]. inversion_clear D as [|? ? N D'].
      cbn [filter]. destruct (fst x <? m)%nat; [|now apply IH]. cbn [map]. constructor; [|now apply IH]. contradict N.
      apply in_map_iff in N. destruct N as (y & E & I). apply filter_In in I. apply in_map_iff. now exists y. }
    assert (forall t, In t (map fst below) -> (t < m)%nat) as U.
    { intros t I. apply in_map_iff in I. destruct I as (x & <- & I). unfold below in I.
      destruct (token_order (own V)); [|easy]. apply filter_In in I. now apply Nat.ltb_lt. }
    assert (below = match token_order (own V) with
      | Some o => filter (fun rank => (fst rank <? m)%nat) (listed o) | None => [] end) as Eb' by reflexivity.
    clearbody below. set (near' := map fst (firstn (size - 1) below)).
    assert (forall t, In t near' -> In t (map fst below)) as F.
    { intros t I. unfold near' in I. rewrite <- firstn_map in I. rewrite <- (firstn_skipn (size - 1)).
      apply in_app_iff. now left. }
    assert (NoDup (m :: near')) as D1.
    { constructor; [intros I; specialize (U m (F m I)); lia|]. unfold near'. rewrite <- firstn_map.
      rewrite <- (firstn_skipn (size - 1)) in D. now apply NoDup_app_l in D. }
    assert (forall t, In t (m :: near') -> (t <= m)%nat) as U1.
    { intros t [<-|I]; [lia|]. specialize (U t (F t I)). lia. }
    split; cbn [near far strongest_far]; [now exists near' | exact D1 | exact U1 | |].
    - symmetry. rewrite <- far_counted by assumption. reflexivity.
    - intros s t S I. apply in_far_list in I. cbn [near] in I. destruct I as [I N].
      assert (t < m)%nat as Lt by (destruct (Nat.eq_dec t m) as [->|]; [destruct N; now left | lia]).
      pose proof (max_below V X V_is) as Mv. fold m in Mv.
      destruct (token_order_is V X V_is) as [E | (hint & row & E & L & A & B)]; rewrite E in Eb', S.
      { rewrite Eb', skipn_nil in S. discriminate. }
      set (o := descending hint row) in *.
      set (member := fun k : nat => (k <? m)%nat && negb (among near' k)).
      assert (bound member o
        = match skipn (size - 1) below with (_, best) :: _ => Some best | [] => unlisted o end) as Bo.
      { unfold bound. rewrite find_filter.
        assert (filter (fun rank : nat * (nat * ival) => member (fst rank)) (listed o) = skipn (size - 1) below)
          as ->; [|now destruct (skipn (size - 1) below) as [|[]]].
        transitivity (filter (fun x => negb (among near' (fst x))) below); [|apply (filter_skipn (size - 1) below D)].
        rewrite Eb', filter_filter. reflexivity. }
      rewrite <- Bo in S. destruct (bound member o) as [[i best]|] eqn:Eb; [|discriminate].
      cbn in S. injection S as <-. pose proof (order_bound (fun a b => upper_at_most b a)) as O.
      unfold upper_at_most in O. specialize (O ltac:(intros a b H; apply Z.leb_gt in H; apply Z.leb_le; lia)
        ltac:(intros a b c; rewrite !Z.leb_le; lia) hint row member).
      change (order_by _ hint row) with o in O. rewrite Eb in O. destruct O as [P Q].
      assert (i < length row)%nat as Il by (apply nth_error_Some; congruence).
      rewrite (get_error row i Il) in P. injection P as P.
      apply (B i t); [fold v in L |- *; lia | unfold v in *; lia |].
      refine (above_grow (get row t) _ _ _ _ (A t _)); [|apply (above_sane _ (score_of X i)), A; lia|lia].
      rewrite P. apply Z.leb_le, (Q t); [apply get_error; lia|]. unfold member.
      rewrite (proj2 (Nat.ltb_lt t m) Lt). cbn [andb]. apply negb_true_iff, not_true_iff_false. rewrite among_iff.
      intros J. apply N. now right.
  Qed.

  (** ** Terms of the far class *)

  Hypothesis mul_encloses : forall x y a b k, encloses_sane x a -> encloses_sane y b ->
    encloses_sane (mul_scaled x y k) (a * b * powerRZ 2 k).

  Let wrong := Marked (map (fun j => negb (j =? m)%nat) (seq 0 v)).

  Lemma wrong_members j : (j < v)%nat -> j <> m -> In j (members v wrong).
  Proof.
    intros J N. apply filter_In. split; [apply in_seq; lia|]. unfold marked.
    set (f := fun j : nat => negb (j =? m)%nat). rewrite nth_indep with (d' := f 0%nat).
    2: now rewrite map_length, seq_length.
    rewrite map_nth, seq_nth by exact J. now apply negb_true_iff, Nat.eqb_neq.
  Qed.

  (** An upper bound of every wrong answer's margin at every far token. *)
  Lemma far_tokens_above p t j : (p < n - 1)%nat -> (t < m)%nat -> (j < v)%nat -> j <> m ->
    above (get (far_tokens (at_max V)) p) (logit_of X j p t - logit_of X m p t).
  Proof.
    intros P T J N. rewrite (level_is V X V_is). cbn [level_of far_tokens]. fold m v wrong.
    pose proof (positions_count V X V_is) as C. fold n in C. pose proof (max_below V X V_is) as Mv. fold m v in Mv.
    unfold get. set (f := fun rows : list ordered => _).
    rewrite nth_indep with (d' := f []) by (rewrite map_length; lia). rewrite map_nth. unfold f.
    assert (In (nth p (token_rows (shared V)) []) (token_rows (shared V))) as In1 by (apply nth_In; lia).
    pose proof (position_rows V X V_is _ In1) as Rl. fold v in Rl.
    assert (forall t', (t' < v)%nat -> row_encloses v (nth t' (nth p (token_rows (shared V)) []) no_row)
      (fun j => logit_of X j p t')) as Ro by (intros t' T'; now apply (token_rows_are V X V_is)).
    set (rows := nth p (token_rows (shared V)) []) in *.
    apply above_largest with (or_everything (difference m wrong (nth t rows no_row))).
    - apply Forall_forall. intros x I. apply in_map_iff in I. destruct I as (r & <- & I).
      apply (In_nth _ _ no_row) in I. destruct I as (t' & T' & <-). rewrite firstn_length in T'.
      assert (nth t' (firstn m rows) no_row = nth t' rows no_row) as ->.
      { rewrite <- (firstn_skipn m rows) at 2. rewrite app_nth1; [reflexivity|]. rewrite firstn_length. lia. }
      exact (above_sane _ _ (difference_above V X V_is wrong _ _ j (Ro t' ltac:(lia)) J (wrong_members j J N))).
    - apply in_map_iff. exists (nth t rows no_row). split; [reflexivity|].
      assert (nth t (firstn m rows) no_row = nth t rows no_row) as <-.
      { rewrite <- (firstn_skipn m rows) at 2. rewrite app_nth1; [reflexivity|]. rewrite firstn_length. lia. }
      apply nth_In. rewrite firstn_length. lia.
    - apply (difference_above V X V_is wrong _ (fun j => logit_of X j p t)); auto using wrong_members.
      apply Ro. lia.
  Qed.

  Lemma far_query_above j : (j < v)%nat -> j <> m -> above (far_query V) (query_of X j - query_of X m).
  Proof.
    intros J N. rewrite (far_query_is V X V_is), (level_is V X V_is). cbn [level_of wrong_answers]. fold m v wrong.
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

  Lemma far_lt W t : window_ok W -> In t (far_list m W) -> (t < m)%nat.
  Proof.
    intros W_ok I. apply in_far_list in I. destruct I as [I N]. destruct (m_first _ W_ok) as (rest & E).
    destruct (Nat.eq_dec t m) as [->|]; [destruct N; rewrite E; now left | lia].
  Qed.

  Lemma far_term_above W p t j : window_ok W -> In t (far_list m W) -> (p < n - 1)%nat -> (j < v)%nat -> j <> m ->
    above (far_term V W p) (phi X m j p t).
  Proof.
    intros W_ok I P J N. unfold far_term. destruct (strongest_far W) as [s|] eqn:S; [|apply above_everything].
    destruct (strongest _ W_ok s t S I) as [A _].
    apply far_above with (u := weight_of X t p) (y := margin_of_reals X m j p t).
    - apply A. lia.
    - apply (weight_of_pos V X V_is).
    - unfold far_margin. apply above_add; [|now apply far_query_above].
      apply far_tokens_above; auto. now apply far_lt with W.
    - reflexivity.
  Qed.

  Lemma far_below_below W p t j : window_ok W -> In t (far_list m W) -> (p < n - 1)%nat -> (j < v)%nat ->
    below (far_below V W p) (phi X m j p t).
  Proof.
    intros W_ok I P J. unfold far_below. destruct (strongest_far W) as [s|] eqn:S; [|apply below_everything].
    destruct (strongest _ W_ok s t S I) as [A _]. specialize (A p ltac:(lia)).
    pose proof (max_below V X V_is) as Mv. fold m v in Mv. pose proof (far_lt W t W_ok I) as T.
    pose proof (weight_of_pos V X V_is t p) as Pw.
    replace (phi X m j p t) with (0 - - phi X m j p t) by ring.
    apply below_sub; [apply zero_encloses|]. rewrite fast_mul_scaled_eq.
    destruct (Rle_or_lt (margin_of_reals X m j p t) 0) as [Q|Q].
    - replace (- phi X m j p t) with (weight_of X t p * - margin_of_reals X m j p t) by (unfold phi; ring).
      rewrite <- (back_in_units V _ _ s). apply (mul_above_above mul_encloses); [exact A| | |lra].
      + apply quotient_nonneg, Pw.
      + apply (widest_is V X V_is); unfold v, n in *; lia.
    - apply above_le with (weight_of X t p * 0); [unfold phi; nra|]. rewrite <- (back_in_units V _ _ s).
      apply (mul_above_above mul_encloses); [exact A| | |lra].
      + apply quotient_nonneg, Pw.
      + replace 0 with (- margin_of_reals X m m p t) by (unfold margin_of_reals; ring).
        apply (widest_is V X V_is); unfold v, n in *; lia.
  Qed.
End Window.
