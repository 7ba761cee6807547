(** * Rule `grid` is sound (theorem [grid_counts]) *)

From Coq Require Import Reals ZArith List Bool Lia Lra Permutation.
From gbmi Require Import Model Fixed CheckerCertificate CheckerTable CheckerRules CheckerGrid CheckerCriterion.
From gbmi Require Import FixedSound CheckerCriterionSoundHalves CheckerCriterionSoundCount CheckerTreeSound.
From gbmi Require Import CheckerCriterionSoundRoots CheckerCriterionSoundView CheckerCriterionSoundWindow.
From gbmi Require Import CheckerCriterionSoundCounts CheckerGridCount.
From gbmi Require Counting.
Import ListNotations.
Local Open Scope R_scope.
Local Opaque everything LIMIT add.

Lemma zsum_app l l' : zsum (l ++ l') = (zsum l + zsum l')%Z.
Proof. induction l as [|x l IH]; cbn [app zsum]; lia. Qed.

Lemma zsum_opp {A} (h : A -> Z) l : zsum (map (fun x => - h x)%Z l) = (- zsum (map h l))%Z.
Proof. induction l as [|x l IH]; cbn [map zsum]; lia. Qed.

(** ** Sums of bins *)

Section Bins.
  Variables (n : nat) (L : Z) (unit : R).
  Hypotheses (some : (1 <= n)%nat) (L_pos : (0 < L)%Z).

  (** A bin bounds a term from above, or no sum with it is at most zero. *)
  Definition bin_above (bin : Z) (x : R) : Prop :=
    (- L <= bin)%Z /\ ((bin = L * Z.of_nat n)%Z \/ x * unit <= IZR bin).

  Lemma bins_above (bin : nat -> Z) (x : nat -> R) k : (forall p, (p < k)%nat -> bin_above (bin p) (x p)) ->
    let total := zsum (map bin (seq 0 k)) in
    (- L * Z.of_nat k <= total)%Z
    /\ ((L * (Z.of_nat n - Z.of_nat k + 1) <= total)%Z \/ sum k x * unit <= IZR total).
  Proof.
    cbn zeta. induction k as [|k IH]; intros H; [cbn; split; [lia | right; lra]|].
    rewrite seq_S, map_app, zsum_app. cbn [map zsum Nat.add sum]. rewrite Z.add_0_r, plus_IZR.
    destruct IH as [A B]; [intros; apply H; lia|]. destruct (H k ltac:(lia)) as [C D]. split; [lia|].
    destruct B as [B|B]; [left; lia|]. destruct D as [D|D]; [left; lia | right; lra].
  Qed.

  Lemma sums_above (bin : nat -> Z) (x : nat -> R) last y : bin_above last y ->
    (forall p, (p < n - 1)%nat -> bin_above (bin p) (x p)) ->
    let total := (last + zsum (map bin (seq 0 (n - 1))))%Z in
    (0 < total)%Z \/ (sum (n - 1) x + y) * unit <= IZR total.
  Proof.
    cbn zeta. intros [A B] H. destruct (bins_above bin x (n - 1) H) as [C D]. rewrite plus_IZR.
    destruct B as [B|B]; [left; nia|]. destruct D as [D|D]; [left; nia | right; lra].
  Qed.
End Bins.

(** ** Lists *)

Lemma rows_tokens tokens k s p : In s (rows tokens k) -> (p < k)%nat -> In (nth p s O) tokens.
Proof.
  revert s p. induction k as [|k IH]; intros s p I P; [lia|]. cbn [rows] in I. apply in_flat_map in I.
  destruct I as (t & T & I). apply in_map_iff in I. destruct I as (s' & <- & I). destruct p as [|p]; [exact T|].
  cbn [nth]. apply IH; [exact I | lia].
Qed.

Lemma how_many_some {A} (f : A -> bool) (g : nat -> A -> bool) l is :
  (forall x, In x l -> f x = true -> exists i, In i is /\ g i x = true) ->
  (how_many f l <= zsum (map (fun i => how_many (g i) l) is))%Z.
Proof.
  induction l as [|x l IH]; intros H.
  - apply zsum_nonneg. intros. apply how_many_nonneg.
  - rewrite how_many_cons, (map_ext _ (fun i => (if g i x then 1 else 0) + how_many (g i) l)%Z)
      by (intros; apply how_many_cons).
    rewrite <- zsum_plus. apply Z.add_le_mono; [|apply IH; intros y I; apply H; now right].
    destruct (f x) eqn:F; [|apply zsum_nonneg; intros i _; destruct (g i x); lia].
    destruct (H x (or_introl eq_refl) F) as (i & I & G). clear - I G. induction is as [|i' is IH]; [easy|].
    cbn [map zsum]. assert (0 <= zsum (map (fun i => if g i x then 1 else 0) is))%Z
      by (apply zsum_nonneg; intros j _; destruct (g j x); lia).
    destruct I as [->|I]; [rewrite G; lia|]. specialize (IH I). destruct (g i' x); lia.
Qed.

Lemma least_true (f : nat -> bool) k : (exists i, (i < k)%nat /\ f i = true) ->
  exists i, (i < k)%nat /\ f i = true /\ forall i', (i' < i)%nat -> f i' = false.
Proof.
  induction k as [|k IH]; intros (i & I & F); [lia|].
  destruct (existsb f (seq 0 k)) eqn:E.
  - apply existsb_exists in E. destruct E as (i' & I' & F'). apply in_seq in I'.
    destruct IH as (least & A & B); [exists i'; split; [lia | exact F']|]. exists least. split; [lia | exact B].
  - assert (forall i', (i' < k)%nat -> f i' = false) as none.
    { intros i' I'. apply not_true_iff_false. intros F'. apply not_true_iff_false in E. apply E, existsb_exists.
      exists i'. split; [apply in_seq; lia | exact F']. }
    assert (i = k) as -> by (destruct (Nat.eq_dec i k); [easy|]; rewrite none in F by lia; discriminate).
    exists k. repeat split; [lia | exact F | exact none].
Qed.

(** ** The rule *)

Section Grid.
  Hypothesis mul_encloses : forall x y a b k, encloses_sane x a -> encloses_sane y b ->
    encloses_sane (mul_scaled x y k) (a * b * powerRZ 2 k).

  Variables (V : view) (X : reals).
  Hypothesis V_is : encloses_view V X.
  Let m := the_max (at_max V).
  Let v := vocab (shared V).
  Let n := context (shared V).
  Let q := query V.

  (** Sets of wrong answers, counted together. *)
  Variable sets : list answer_set.
  Hypothesis sets_wrong : forall s j, In s sets -> In j (members v s) -> (j < v)%nat /\ j <> m.

  Variables (W : window) (hint : grid_script).
  Hypothesis W_ok : window_ok V X W.

  Let bits : Z := Z.of_nat (Nat.min (grid_bits hint) 16).
  Let unit : R := powerRZ 2 bits.

  Lemma ceiling_above I x : above I x -> bin_above n BINS unit (ceiling V hint I) x.
  Proof.
    intros [_ A]. unfold ceiling. fold bits. pose proof (two_positions V X V_is) as N.
    destruct (ceil_to_grid bits BINS I) as [bin|] eqn:E.
    - destruct (ceil_to_grid_sound bits BINS I x bin A E). split; [assumption | now right].
    - split; [unfold BINS; lia | now left].
  Qed.

  Lemma floor_below I x : below I x -> bin_above n BINS unit (- floor V hint I) (- x).
  Proof.
    intros B. pose proof (above_sub _ _ _ _ (proj1 (zero_encloses V)) B) as [_ A].
    change CheckerPaths.zero with (dyadic 0 0) in A.
    unfold floor, floor_to_grid. fold bits. pose proof (two_positions V X V_is) as N. rewrite Rminus_0_l in A.
    destruct (ceil_to_grid bits BINS _) as [bin|] eqn:E; cbn [option_map]; rewrite Z.opp_involutive.
    - destruct (ceil_to_grid_sound bits BINS _ _ bin A E). split; [assumption | now right].
    - split; [unfold BINS; lia | now left].
  Qed.

  (** *** Bins of an input *)

  Variable others : list (list nat).
  Hypothesis classes_are : classes_of V W = [m] :: others.
  Let inputs := Counting.pair_inputs n m q.

  Lemma classes_distinct : NoDup (concat ([m] :: others)).
  Proof.
    rewrite <- classes_are. apply (Permutation_NoDup (Permutation_sym (classes_tokens V X W W_ok))), seq_NoDup.
  Qed.

  Lemma input_rows s : In s inputs -> In s (rows (seq 0 (S m)) (n - 1)).
  Proof.
    unfold inputs, Counting.pair_inputs. intros I. apply filter_In in I. now rewrite rows_sequences, <- Nat.add_1_r.
  Qed.

  Lemma input_length s : In s inputs -> length s = (n - 1)%nat.
  Proof. intros I. now apply input_rows, rows_length in I. Qed.

  Lemma inputs_counted f : how_many f inputs
    = how_many (fun s => (negb (q <? m)%nat || has_m m s) && f s) (rows (concat ([m] :: others)) (n - 1)).
  Proof.
    unfold inputs, Counting.pair_inputs. rewrite how_many_filter, <- rows_sequences, Nat.add_1_r.
    rewrite <- classes_are, (rows_permutation _ _ (n - 1) (classes_tokens V X W W_ok)). apply how_many_ext.
    intros s _. f_equal. unfold Counting.holds_maximum. pose proof (query_upto V X V_is) as Q. fold q m in Q.
    unfold has_m. f_equal. destruct (Nat.ltb_spec q m), (Nat.eqb_spec q m); try reflexivity; lia.
  Qed.

  Section Rounded.
    Variables (round : ival -> Z) (far_at : nat -> ival) (g : margin).
    Let row (p : nat) : list Z :=
      map (fun t => round (term V g t p)) (near W) ++ (if (0 <? far W)%nat then [round (far_at p)] else []).

    Lemma bins_shaped : shaped m others (n - 1) (bins V W round far_at g).
    Proof.
      unfold bins, shaped. split; [now rewrite map_length, seq_length|]. apply Forall_forall. intros r I.
      apply in_map_iff in I. destruct I as (p & <- & _). rewrite <- classes_are. unfold classes_of.
      rewrite !app_length, !map_length. now destruct (0 <? far W)%nat.
    Qed.

    Lemma row_cases p t i : In t (nth i (classes_of V W) []) ->
      In t (near W) /\ nth i (row p) 0%Z = round (term V g t p)
      \/ In t (far_list m W) /\ nth i (row p) 0%Z = round (far_at p).
    Proof.
      unfold classes_of, row. intros I. destruct (Nat.lt_ge_cases i (length (near W))) as [L|L].
      - rewrite app_nth1 in I by (rewrite map_length; exact L). rewrite app_nth1 by (rewrite map_length; exact L).
        rewrite nth_indep with (d' := (fun t => [t]) 0%nat) in I by (rewrite map_length; exact L).
        rewrite (map_nth (fun t => [t])) in I. destruct I as [<-|[]]. left. split; [now apply nth_In|].
        rewrite nth_indep with (d' := (fun t => round (term V g t p)) 0%nat) by (rewrite map_length; exact L).
        apply (map_nth (fun t => round (term V g t p))).
      - rewrite app_nth2 in I by (rewrite map_length; exact L). rewrite app_nth2 by (rewrite map_length; exact L).
        rewrite map_length in *. destruct (0 <? far W)%nat; [|now destruct (i - length (near W))%nat].
        destruct (i - length (near W))%nat as [|[|]]; cbn in I |- *; try easy. now right.
    Qed.

    Lemma sum_of_bins s : length s = (n - 1)%nat -> sum_of m others exactly (bins V W round far_at g) s
      = (round (last_term V g)
         + zsum (map (fun p => nth (item_of m others (nth p s O)) (row p) 0) (seq 0 (n - 1))))%Z.
    Proof.
      intros L. unfold bins. cbn [sum_of hd]. unfold exactly at 1. f_equal. fold n. fold row. rewrite <- L.
      generalize row. clear. intros row. rewrite <- (map_id s) at 1.
      assert (forall s a, bin_sum m others exactly (map row (seq a (length s))) s
        = zsum (map (fun p => nth (item_of m others (nth (p - a) s O)) (row p) 0) (seq a (length s))))%Z as all.
      { clear. induction s as [|t s IH]; intros a; [reflexivity|]. cbn [length seq map bin_sum zsum].
        rewrite Nat.sub_diag, IH. cbn [nth]. unfold exactly. f_equal. f_equal. apply map_ext_in. intros p P.
        apply in_seq in P. now replace (p - a)%nat with (S (p - S a)) by lia. }
      rewrite map_id, all. f_equal. apply map_ext. intros p. now rewrite Nat.sub_0_r.
    Qed.

    Lemma bins_bound (P : Z -> R -> Prop) (x : nat -> nat -> R) s : In s inputs ->
      (forall t p, In t (near W) -> (p < n - 1)%nat -> P (round (term V g t p)) (x p t)) ->
      (forall t p, In t (far_list m W) -> (p < n - 1)%nat -> P (round (far_at p)) (x p t)) ->
      forall p, (p < n - 1)%nat -> P (nth (item_of m others (nth p s O)) (row p) 0%Z) (x p (nth p s O)).
    Proof.
      intros I N F p Pn. pose proof (rows_tokens _ _ _ p (input_rows s I) Pn) as T.
      apply (Permutation_in _ (Permutation_sym (classes_tokens V X W W_ok))) in T. rewrite classes_are in T.
      apply in_concat in T. destruct T as (c & C & T). apply (In_nth _ _ []) in C. destruct C as (i & _ & <-).
      pose proof T as T'. rewrite <- classes_are in T'. rewrite (item_of_class m others classes_distinct i _ T).
      destruct (row_cases p _ i T') as [[A ->]|[A ->]]; auto.
    Qed.
  End Rounded.

  Definition reached_by (bins : list (list Z)) (s : list nat) : bool := reaches m others bins s.
  Let ceilings (set' : answer_set) := bins V W (ceiling V hint) (far_term V W) (margin_of V set').
  Let floors (set' : answer_set) := bins V W (floor V hint) (far_below V W) (margin_of V set').

  Lemma token_below t : In t (near W) -> (t < v)%nat.
  Proof. intros I. pose proof (near_upto V X W W_ok t I). pose proof (max_below V X V_is). unfold v in *. lia. Qed.

  Lemma ceilings_reached set' j s : In set' sets -> In j (members v set') -> In s inputs ->
    0 <= input_sum X m q n j s -> reached_by (ceilings set') s = true.
  Proof.
    intros S J I H. destruct (sets_wrong set' j S J) as [Jv Jm]. apply Z.leb_le. unfold ceilings.
    rewrite sum_of_bins by now apply input_length. set (g := margin_of V set').
    pose proof (two_positions V X V_is) as N. fold n in N.
    destruct (sums_above n BINS unit ltac:(lia) eq_refl
      (fun p => nth (item_of m others (nth p s O)) (map (fun t => ceiling V hint (term V g t p)) (near W)
        ++ (if (0 <? far W)%nat then [ceiling V hint (far_term V W p)] else [])) 0%Z)
      (fun p => phi X m j p (nth p s O)) (ceiling V hint (last_term V g)) (phi_last X m q n j))
      as [T|T]; [| |lia|].
    - apply ceiling_above. now apply (last_term_above mul_encloses V X V_is).
    - apply (bins_bound (ceiling V hint) (far_term V W) g (bin_above n BINS unit) (phi X m j)); [exact I| |].
      + intros t p T P. apply ceiling_above.
        apply (terms_above mul_encloses V X V_is [g] 0 set' t p j); auto using token_below.
      + intros t p T P. apply ceiling_above. now apply (far_term_above V X V_is mul_encloses).
    - apply le_IZR. apply Rle_trans with (2 := T). apply Rmult_le_pos; [exact H | apply Rlt_le, pow2_pos].
  Qed.

  Lemma floors_wrong j s : In (One j) sets -> In s inputs -> reached_by (floors (One j)) s = true ->
    0 <= input_sum X m q n j s.
  Proof.
    intros S I R. destruct (sets_wrong _ j S (or_introl eq_refl)) as [Jv Jm]. apply Z.leb_le in R. unfold floors in R.
    rewrite sum_of_bins in R by now apply input_length.
    pose proof (two_positions V X V_is) as N. fold n in N. set (g := margin_of V (One j)) in *.
    set (bin := fun p => nth (item_of m others (nth p s O)) (map (fun t => floor V hint (term V g t p)) (near W)
        ++ (if (0 <? far W)%nat then [floor V hint (far_below V W p)] else [])) 0%Z) in R.
    destruct (sums_above n BINS unit ltac:(lia) eq_refl (fun p => - bin p)%Z (fun p => - phi X m j p (nth p s O))
      (- floor V hint (last_term V g))%Z (- phi_last X m q n j)) as [T|T];
      [| |rewrite zsum_opp in T; lia|rewrite zsum_opp in T].
    - apply floor_below. now apply (last_term_below mul_encloses V X V_is).
    - apply (bins_bound (floor V hint) (far_below V W) g (fun bin x => bin_above n BINS unit (- bin) (- x))
        (phi X m j)); [exact I| |].
      + intros t p T P. apply floor_below.
        apply (terms_below mul_encloses V X V_is [g] 0 t p j); auto using token_below.
      + intros t p T P. apply floor_below. now apply (far_below_below V X V_is mul_encloses).
    - assert (sum (n - 1) (fun p => - phi X m j p (nth p s O)) = - sum (n - 1) (fun p => phi X m j p (nth p s O))) as E.
      { clear. induction (n - 1)%nat as [|k IH]; cbn [sum]; [|rewrite IH]; lra. }
      rewrite E in T. unfold input_sum. pose proof (pow2_pos bits) as P. fold unit in P.
      assert (IZR (- floor V hint (last_term V g) + - zsum (map bin (seq 0 (n - 1)))) <= 0) by (apply IZR_le; lia).
      nra.
  Qed.

  (** *** Counts *)

  Local Open Scope Z_scope.

  Definition in_second (second : option (list (list Z))) (s : list nat) : bool :=
    match second with Some bins => reached_by bins s | None => false end.
  Definition second_shaped (second : option (list (list Z))) : Prop :=
    match second with Some bins => shaped m others (n - 1) bins | None => True end.

  Lemma times_are_lengths : map (fun _ => 1) (near W) ++ (if (0 <? far W)%nat then [Z.of_nat (far W)] else [])
    = map (fun c : list nat => Z.of_nat (length c)) ([m] :: others).
  Proof.
    rewrite <- classes_are. unfold classes_of. rewrite map_app, map_map. f_equal.
    destruct (0 <? far W)%nat; [|reflexivity]. cbn [map]. now rewrite (far_count V X W W_ok).
  Qed.

  Lemma no_bins_none first : shaped m others (n - 1) first ->
    shaped m others (n - 1) (no_bins first) /\ forall s, reached_by (no_bins first) s = false.
  Proof.
    destruct first as [|[|x [|]] bins']; try easy. intros [L R]. split.
    - split; [now rewrite map_length|]. apply Forall_forall. intros r I. apply in_map_iff in I.
      destruct I as (r' & <- & I). rewrite map_length. unfold item_rows in R. rewrite Forall_forall in R. now apply R.
    - intros s. apply Z.leb_gt. cbn [no_bins map sum_of hd].
      enough (forall s, bin_sum m others exactly (map (map (fun _ => 0)) bins') s = 0) as E
        by (rewrite E; reflexivity).
      clear. induction bins' as [|r bins' IH]; intros [|t s]; cbn [map bin_sum]; try reflexivity. rewrite IH.
      unfold exactly. generalize (item_of m others t). induction r as [|x r IHr]; intros [|i]; cbn in *; auto.
  Qed.

  Let second_of first second : list (list Z) := match second with Some bins => bins | None => no_bins first end.

  Lemma second_is first second : shaped m others (n - 1) first -> second_shaped second ->
    shaped m others (n - 1) (second_of first second)
    /\ forall s, reached_by (second_of first second) s = in_second second s.
  Proof. intros F S. destruct second; [now split | apply no_bins_none, F]. Qed.

  Lemma coarser_nonneg c (second : option (list (list Z))) :
    0 <= match second with Some _ => coarser_bits c | None => 0 end.
  Proof. destruct second, c; cbn; lia. Qed.

  Lemma grid_at_most c first second : shaped m others (n - 1) first -> second_shaped second ->
    how_many (fun s => reached_by first s && negb (in_second second s)) inputs <= count_grid V W c true first second.
  Proof.
    intros F S. destruct (second_is first second F S) as [S' E]. unfold count_grid. fold (second_of first second).
    rewrite times_are_lengths, inputs_counted.
    eapply Z.le_trans; [|apply count_at_most with (k := (n - 1)%nat); auto using classes_distinct, coarser_nonneg].
    apply Z.eq_le_incl, how_many_ext. intros s _. now rewrite <- E.
  Qed.

  Lemma grid_at_least c first second : shaped m others (n - 1) first -> second_shaped second ->
    count_grid V W c false first second <= how_many (fun s => reached_by first s && negb (in_second second s)) inputs.
  Proof.
    intros F S. destruct (second_is first second F S) as [S' E]. unfold count_grid. fold (second_of first second).
    rewrite times_are_lengths, inputs_counted.
    eapply Z.le_trans; [apply count_at_least with (k := (n - 1)%nat); auto using classes_distinct, coarser_nonneg|].
    apply Z.eq_le_incl, how_many_ext. intros s _. now rewrite <- E.
  Qed.

  Let groups := map (margin_of V) sets.
  Let right := sets_right V X sets.

  Lemma not_right s : right s = false <-> exists set' j, In set' sets /\ In j (members v set')
    /\ (0 <= input_sum X m q n j s)%R.
  Proof.
    unfold right, sets_right. fold v m n q. split.
    - intros F. destruct (existsb (fun j => negb (negative (input_sum X m q n j s))) (flat_map (members v) sets)) eqn:E.
      + apply existsb_exists in E. destruct E as (j & J & E). apply in_flat_map in J. destruct J as (set' & S & J).
        exists set', j. repeat split; auto. now apply not_negative_iff, negb_true_iff.
      + exfalso. apply not_true_iff_false in F. apply F, forallb_forall. intros j J. apply not_true_iff_false in E.
        destruct (negative _) eqn:N; [reflexivity|]. exfalso. apply E, existsb_exists. exists j. now rewrite N.
    - intros (set' & j & S & J & N). apply not_true_iff_false. intros R. rewrite forallb_forall in R.
      specialize (R j). rewrite negative_iff in R.
      assert (input_sum X m q n j s < 0)%R by (apply R, in_flat_map; now exists set'). lra.
  Qed.

  Lemma known_at i bins' : nth_error (map (bins V W (ceiling V hint) (far_term V W)) groups) i = Some bins' ->
    exists set', nth_error sets i = Some set' /\ bins' = ceilings set'.
  Proof.
    unfold groups. rewrite map_map, nth_error_map. destruct (nth_error sets i) as [set'|]; [|discriminate].
    intros [= <-]. now exists set'.
  Qed.

  Theorem grid_counts : let found := grid V groups W hint in
    how_many (fun s => negb (right s)) inputs <= fst found
    /\ snd found <= how_many (fun s => negb (right s)) inputs.
  Proof.
    cbn zeta. unfold grid. cbn [fst snd]. set (known := map (bins V W (ceiling V hint) (far_term V W)) groups).
    assert (forall i bins', nth_error known i = Some bins' -> shaped m others (n - 1) bins') as known_shaped.
    { intros i bins' E. apply known_at in E. destruct E as (set' & _ & ->). apply bins_shaped. }
    split.
    - rewrite count_items_zsum, (map2_numbered _ []).
      set (earlier := fun i => match nth i (without hint) [] with
        | e :: _ => if (e <? i)%nat then nth_error known e else None | [] => None end).
      eapply Z.le_trans; [apply (how_many_some _
        (fun i s => reached_by (nth i known []) s && negb (in_second (earlier i) s)) _ (seq 0 (length known)))|].
      + intros s I F. apply negb_true_iff in F.
        destruct (least_true (fun i => reached_by (nth i known []) s) (length known)) as (i & L & R & least).
        { apply not_right in F. destruct F as (set' & j & S & J & H). apply In_nth_error in S. destruct S as (i & E).
          exists i. assert (nth_error known i = Some (ceilings set')) as K.
          { unfold known, groups. rewrite map_map. now apply map_nth_error. }
          split; [apply nth_error_Some; congruence|]. rewrite (nth_error_nth _ _ _ K).
          apply ceilings_reached with j; auto. now apply nth_error_In with i. }
        exists i. split; [apply in_seq; lia|]. rewrite R. cbn [andb]. apply negb_true_iff. unfold earlier.
        destruct (nth i (without hint) []) as [|e more]; [reflexivity|].
        destruct (Nat.ltb_spec e i) as [Le|]; [|reflexivity].
        destruct (nth_error known e) as [bins'|] eqn:K; [|reflexivity]. cbn [in_second].
        rewrite <- (nth_error_nth _ _ [] K). now apply least.
      + apply zsum_le. intros i I. apply in_seq in I. rewrite Nat.sub_0_r. apply grid_at_most.
        * apply known_shaped with i. now apply nth_error_nth'.
        * unfold earlier. destruct (nth i (without hint) []) as [|e more]; [exact Logic.I|].
          destruct (e <? i)%nat; [|exact Logic.I].
          destruct (nth_error known e) as [bins'|] eqn:K; [now apply known_shaped with e | exact Logic.I].
    - set (wrong := fun (state : Z * option (list (list Z))) (index : nat) => _).
      (* The first group that shows inputs to be wrong. *)
      set (ok := fun state : Z * option (list (list Z)) => second_shaped (snd state)
        /\ fst state <= how_many (fun s => negb (right s) && in_second (snd state) s) inputs).
      assert (forall state, ok state -> fst state <= how_many (fun s => negb (right s)) inputs) as ok_all.
      { intros state [_ B]. eapply Z.le_trans; [exact B|]. apply how_many_le. intros s _ E.
        now apply andb_true_iff in E. }
      assert (forall state index, wrong state index = state \/ exists j c, In (One j) sets /\ wrong state index
        = (fst state + count_grid V W c false (floors (One j)) (snd state), Some (ceilings (One j)))) as cases.
      { intros [sum' outside] index. unfold wrong. destruct (nth_error groups index) as [g|] eqn:E; [|now left].
        assert (exists set', nth_error sets index = Some set' /\ g = margin_of V set') as (set' & S & ->).
        { unfold groups in E. rewrite nth_error_map in E. destruct (nth_error sets index) as [set'|]; [|discriminate].
          exists set'. now injection E as <-. }
        cbn [set margin_of]. destruct set' as [j|marks]; [|now left]. right. eexists j, _.
        split; [now apply nth_error_In with index|]. cbn [fst snd]. f_equal.
        unfold known, groups. rewrite map_map. now apply (map_nth_error (fun s => bins V W _ _ (margin_of V s))). }
      assert (forall j s, In (One j) sets -> In s inputs -> reached_by (floors (One j)) s = true ->
        negb (right s) = true /\ reached_by (ceilings (One j)) s = true) as shown.
      { intros j s S I R. pose proof (floors_wrong j s S I R) as H. split.
        - apply negb_true_iff, not_right. exists (One j), j. repeat split; auto. now left.
        - apply ceilings_reached with j; auto. now left. }
      assert (ok (0, None)) as start by (split; [exact Logic.I | apply how_many_nonneg]).
      assert (forall index, ok (wrong (0, None) index)) as one.
      { intros index. destruct (cases (0, None) index) as [->|(j & c & S & ->)]; [exact start|].
        split; [apply bins_shaped|]. cbn [fst snd in_second Z.add].
        eapply Z.le_trans; [apply grid_at_least; [apply bins_shaped | exact Logic.I]|].
        apply how_many_le. intros s I E. apply andb_true_iff in E. destruct E as [E _].
        apply andb_true_iff. now apply shown. }
      assert (forall state index, ok state -> fst (wrong state index) <= how_many (fun s => negb (right s)) inputs)
        as two.
      { intros state index O. destruct (cases state index) as [->|(j & c & S & ->)]; [now apply ok_all|].
        destruct O as [Sh B]. cbn [fst]. eapply Z.le_trans; [apply Z.add_le_mono; [exact B|]|].
        - apply grid_at_least; [apply bins_shaped | exact Sh].
        - clear - shown S. enough (forall l, incl l inputs ->
            how_many (fun s => negb (right s) && in_second (snd state) s) l
            + how_many (fun s => reached_by (floors (One j)) s && negb (in_second (snd state) s)) l
            <= how_many (fun s => negb (right s)) l) as H by apply H, incl_refl.
          induction l as [|s l IH]; intros I; [reflexivity|]. rewrite !how_many_cons.
          specialize (IH (fun x J => I x (or_intror J))). specialize (shown j s S (I s (or_introl eq_refl))).
          destruct (reached_by (floors (One j)) s); [destruct (shown eq_refl) as [-> _]|];
            destruct (in_second (snd state) s), (negb (right s)); cbn [andb negb]; lia. }
      destruct (wrong_groups hint) as [|a [|b more]]; cbn [firstn fold_left].
      + now apply ok_all.
      + now apply ok_all.
      + now apply two.
  Qed.
End Grid.
