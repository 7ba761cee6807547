(** * Rule `grid` is sound (theorem [grid_counts]) *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From gbmi Require Import Model Fixed CheckerCertificate CheckerTable CheckerRules CheckerLevels CheckerGrid.
From gbmi Require Import CheckerCriterion CheckerLevelsSound.
From gbmi Require Import FixedSound CheckerCriterionSoundHalves CheckerCriterionSoundCount CheckerTreeSound.
From gbmi Require Import CheckerCriterionSoundView CheckerCriterionSoundWindow.
From gbmi Require Import CheckerCriterionSoundCounts CheckerGridCount.
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
  Let L := the_level V.
  Let r := right_of V.
  Let v := vocab (shared V).
  Let n := context (shared V).
  Let q := query V.

  (** Sets of wrong answers, counted together. *)
  Variable sets : list answer_set.
  Hypothesis sets_wrong : forall s j, In s sets -> In j (members v s) -> (j < v)%nat /\ j <> r.

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

  Let inputs := inputs_of V.
  Let times := by_items W (fun _ => 1%Z) Z.of_nat.

  Lemma no_more_classes c : (length (classes L) <= c)%nat -> tokens_of V W c = [].
  Proof.
    intros B. unfold tokens_of, near_in, far_in. rewrite !nth_overflow; [reflexivity| |].
    - now rewrite (far_length _ _ _ W_ok).
    - now rewrite (near_length _ _ _ W_ok).
  Qed.

  Lemma by_items_length {A} (f h : nat -> A) : length (by_items W f h) = length (classes L).
  Proof.
    unfold by_items. pose proof (near_length _ _ _ W_ok) as N. pose proof (far_length _ _ _ W_ok) as F.
    rewrite map2_length; [exact N | congruence].
  Qed.

  Lemma times_are_lengths c : nth c times [] = map (fun ts : list nat => Z.of_nat (length ts)) (tokens_of V W c).
  Proof.
    unfold times. rewrite (by_items_at V X) by exact W_ok. unfold tokens_of. rewrite map_app, map_map. f_equal.
    destruct (0 <? far_in W c)%nat; [|reflexivity]. cbn [map]. now rewrite (far_count _ _ _ W_ok).
  Qed.

  Lemma class_of_token c c' t : In t (class_of L c) -> In t (class_of L c') -> c = c'.
  Proof.
    pose proof (classes_apart _ _ _ (level_is_ok V X V_is)) as D. unfold class_of. unfold L. revert c c'. revert D.
    generalize (classes (the_level V)). induction l as [|ts l IH]; intros D c c' T T'; [destruct c; destruct T|].
    cbn [concat] in D.
    assert (forall c, In t (nth c l []) -> In t (concat l)) as within.
    { intros k I. destruct (nth_in_or_default k l []) as [J|E]; [|rewrite E in I; destruct I]. apply in_concat.
      exists (nth k l []). now split. }
    assert (In t ts -> ~ In t (concat l)) as apart.
    { clear - D. induction ts as [|x ts IH]; [easy|]. cbn in D. inversion_clear D as [|? ? N D'].
      intros [->|I]; [|now apply IH]. intros J. apply N, in_app_iff. now right. }
    assert (NoDup (concat l)) as D' by (clear - D; induction ts; [exact D | inversion_clear D; auto]).
    destruct c as [|c], c' as [|c']; cbn [nth] in T, T'; [reflexivity | | |].
    - destruct (apart T (within _ T')).
    - destruct (apart T' (within _ T)).
    - f_equal. now apply IH.
  Qed.

  Section Rounded.
    Variables (round : ival -> Z) (far_at : nat -> ival) (g : margin).

    Definition bin_at (p t : nat) : Z :=
      if among (concat (near W)) t then round (hd everything (terms V [g] t p)) else round (far_at p).

    Lemma near_among c t : In t (near_in W c) -> among (concat (near W)) t = true.
    Proof.
      intros I. apply among_iff, in_concat. exists (near_in W c). split; [|exact I]. unfold near_in in *.
      destruct (nth_in_or_default c (near W) []) as [J|E]; [exact J|]. rewrite E in I. destruct I.
    Qed.

    Lemma among_near c t : among (concat (near W)) t = true -> In t (class_of L c) -> In t (near_in W c).
    Proof.
      intros A T. apply among_iff, in_concat in A. destruct A as (ts & J & I). apply (In_nth _ _ []) in J.
      destruct J as (c' & _ & <-). fold (near_in W c') in I. destruct (near_free _ _ _ W_ok c' t I) as [_ T'].
      now rewrite (class_of_token c c' t T T').
    Qed.

    Lemma bins_are_of p : bins_of (tokens_of V W) (length (classes L)) (bin_at p)
      (by_items W (fun t => round (hd everything (terms V [g] t p))) (fun _ => round (far_at p))).
    Proof.
      split; [apply by_items_length|]. intros c. rewrite (by_items_at V X) by exact W_ok. unfold tokens_of. split.
      - rewrite !app_length, !map_length. now destruct (0 <? far_in W c)%nat.
      - intros i t I. destruct (Nat.lt_ge_cases i (length (near_in W c))) as [B|B].
        + rewrite app_nth1 in I by (rewrite map_length; exact B). rewrite app_nth1 by (rewrite map_length; exact B).
          rewrite nth_indep with (d' := (fun t => [t]) 0%nat) in I by (rewrite map_length; exact B).
          rewrite (map_nth (fun t => [t])) in I. destruct I as [<-|[]].
          rewrite nth_indep with (d' := (fun t => round (hd everything (terms V [g] t p))) 0%nat) by (rewrite
            map_length; exact B).
          rewrite (map_nth (fun t => round (hd everything (terms V [g] t p)))). unfold bin_at.
          now rewrite (near_among c) by now apply nth_In.
        + rewrite app_nth2 in I by (rewrite map_length; exact B). rewrite app_nth2 by (rewrite map_length; exact B).
          rewrite map_length in *. destruct (0 <? far_in W c)%nat; [|now destruct (i - length (near_in W c))%nat].
          destruct (i - length (near_in W c))%nat as [|[|]]; cbn in I |- *; try easy. unfold bin_at.
          apply (in_far_list V) in I. destruct I as (_ & T & N). destruct (among _ t) eqn:A; [|reflexivity].
          destruct N. now apply (among_near c).
    Qed.

    Lemma bins_grouped : group_bins (tokens_of V W) (length (classes L)) (length (used V)) bin_at (bins V W round
      far_at g).
    Proof.
      rewrite (used_length V X V_is). unfold bins. split; cbn [item_bins]; [now rewrite map_length, seq_length|].
      intros i rows E. rewrite nth_error_map in E. destruct (nth_error (seq 0 _) i) as [p|] eqn:N; [|discriminate].
      injection E as <-. assert (p = i) as ->.
      { assert (i < context (shared V) - 1)%nat as B
          by (rewrite <- (seq_length (context (shared V) - 1) 0); apply nth_error_Some; congruence).
        rewrite (nth_error_nth' _ 0%nat) in N by (rewrite seq_length; exact B). rewrite seq_nth in N by exact B.
        now injection N. }
      apply bins_are_of.
    Qed.

    Lemma sum_of_bins s : length s = (n - 1)%nat -> sum_of exactly (bins V W round far_at g) bin_at s
      = (round (last_term V g) + zsum (map (fun p => bin_at p (nth p s O)) (seq 0 (n - 1))))%Z.
    Proof.
      intros Len. unfold sum_of. cbn [bins last_bin]. unfold exactly. f_equal. rewrite <- Len.
      assert (forall s a, bin_sum (fun p t => bin_at p t) a s
        = zsum (map (fun p => bin_at p (nth (p - a) s O)) (seq a (length s)))) as all.
      { clear. induction s as [|t s IH]; intros a; [reflexivity|]. cbn [length seq map bin_sum zsum].
        rewrite Nat.sub_diag, IH. cbn [nth]. f_equal. f_equal. apply map_ext_in. intros p P.
        apply in_seq in P. now replace (p - a)%nat with (S (p - S a)) by lia. }
      rewrite all. f_equal. apply map_ext. intros p. now rewrite Nat.sub_0_r.
    Qed.

    Lemma bins_bound (P : Z -> R -> Prop) (x : nat -> nat -> R) s : In s inputs ->
      (forall t p, (t < v)%nat -> (p < n - 1)%nat -> P (round (hd everything (terms V [g] t p))) (x p t)) ->
      (forall c t p, In t (far_list V W c) -> (p < n - 1)%nat -> P (round (far_at p)) (x p t)) ->
      forall p, (p < n - 1)%nat -> P (bin_at p (nth p s O)) (x p (nth p s O)).
    Proof.
      intros I N F p Pn. destruct (input_tokens V X V_is s p I Pn) as (c & C & T). unfold bin_at.
      destruct (among _ _) eqn:A.
      - apply N; [|exact Pn]. exact (tokens_below _ _ _ (level_is_ok V X V_is) _ _ T).
      - apply (F c); [|exact Pn]. apply (in_far_list V). split; [exact C|]. split; [exact T|]. intros J.
        apply near_among in J. congruence.
    Qed.
  End Rounded.

  Let ceilings (set' : answer_set) := bins V W (ceiling V hint) (far_term V W) (margin_of V set').
  Let floors (set' : answer_set) := bins V W (floor V hint) (far_below V W) (margin_of V set').
  Let ceiling_at (set' : answer_set) := bin_at (ceiling V hint) (far_term V W) (margin_of V set').
  Let floor_at (set' : answer_set) := bin_at (floor V hint) (far_below V W) (margin_of V set').

  Lemma ceilings_reached set' j s : In set' sets -> In j (members v set') -> In s inputs ->
    0 <= input_sum X r q n j s -> reaches (ceilings set') (ceiling_at set') s = true.
  Proof.
    intros S J I H. destruct (sets_wrong set' j S J) as [Jv Jr]. apply Z.leb_le. unfold ceilings, ceiling_at.
    rewrite sum_of_bins by now apply (input_length V X V_is). set (g := margin_of V set').
    pose proof (two_positions V X V_is) as N. fold n in N.
    destruct (sums_above n BINS unit ltac:(lia) eq_refl
      (fun p => bin_at (ceiling V hint) (far_term V W) g p (nth p s O))
      (fun p => phi X r j p (nth p s O)) (ceiling V hint (last_term V g)) (phi_last X r q n j))
      as [T|T]; [| |lia|].
    - apply ceiling_above. now apply (last_term_above mul_encloses V X V_is).
    - apply (bins_bound (ceiling V hint) (far_term V W) g (bin_above n BINS unit) (phi X r j)); [exact I| |].
      + intros t p T P. apply ceiling_above.
        exact (terms_above mul_encloses V X V_is [g] 0 set' t p j eq_refl T P Jv J).
      + intros c t p T P. apply ceiling_above. now apply (far_term_above V X V_is mul_encloses W c).
    - apply le_IZR. apply Rle_trans with (2 := T). apply Rmult_le_pos; [exact H | apply Rlt_le, pow2_pos].
  Qed.

  Lemma floors_wrong j s : In (One j) sets -> In s inputs -> reaches (floors (One j)) (floor_at (One j)) s = true ->
    0 <= input_sum X r q n j s.
  Proof.
    intros S I R. destruct (sets_wrong _ j S (or_introl eq_refl)) as [Jv Jr].
      apply Z.leb_le in R. unfold floors, floor_at in R.
    rewrite sum_of_bins in R by now apply (input_length V X V_is).
    pose proof (two_positions V X V_is) as N. fold n in N. set (g := margin_of V (One j)) in *.
    set (bin := fun p => bin_at (floor V hint) (far_below V W) g p (nth p s O)) in R.
    destruct (sums_above n BINS unit ltac:(lia) eq_refl (fun p => - bin p)%Z (fun p => - phi X r j p (nth p s O))
      (- floor V hint (last_term V g))%Z (- phi_last X r q n j)) as [T|T];
      [| |rewrite zsum_opp in T; lia|rewrite zsum_opp in T].
    - apply floor_below. now apply (last_term_below mul_encloses V X V_is).
    - apply (bins_bound (floor V hint) (far_below V W) g (fun bin x => bin_above n BINS unit (- bin) (- x))
        (phi X r j)); [exact I| |].
      + intros t p T P. apply floor_below.
        exact (terms_below mul_encloses V X V_is [g] 0 t p j eq_refl T P Jv).
      + intros c t p T P. apply floor_below. now apply (far_below_below V X V_is mul_encloses W c).
    - assert (sum (n - 1) (fun p => - phi X r j p (nth p s O)) = - sum (n - 1) (fun p => phi X r j p (nth p s O))) as E.
      { clear. induction (n - 1)%nat as [|k IH]; cbn [sum]; [|rewrite IH]; lra. }
      rewrite E in T. unfold input_sum. pose proof (pow2_pos bits) as P. fold unit in P.
      assert (IZR (- floor V hint (last_term V g) + - zsum (map bin (seq 0 (n - 1)))) <= 0) by (apply IZR_le; lia).
      nra.
  Qed.

  (** *** Counts *)

  Local Open Scope Z_scope.

  (** Bins of a group, with those of tokens that they are. *)
  Let grouped := group_bins (tokens_of V W) (length (classes L)) (length (used V)).
  Definition in_second (second : option (grid_bins * (nat -> nat -> Z))) (s : list nat) : bool :=
    match second with Some (bins, bin) => reaches bins bin s | None => false end.
  Definition second_grouped (second : option (grid_bins * (nat -> nat -> Z))) : Prop :=
    match second with Some (bins, bin) => grouped bin bins | None => True end.

  Lemma no_bins_none first bin : grouped bin first ->
    grouped (fun _ _ => 0) (no_bins first) /\ forall s, reaches (no_bins first) (fun _ _ => 0) s = false.
  Proof.
    intros [Len B]. split.
    - split; [cbn [no_bins item_bins]; now rewrite map_length|].
      exact (all_bins_map _ _ (fun _ => 0) bin 0 _ eq_refl B).
    - intros s. apply Z.leb_gt. unfold sum_of, exactly. cbn [no_bins last_bin].
      enough (forall p, bin_sum (fun _ _ => 0) p s = 0) as E by (rewrite E; reflexivity).
      induction s as [|t s IH]; intros p; [reflexivity|]. cbn [bin_sum]. now rewrite IH.
  Qed.

  Lemma coarser_nonneg c (second : option (grid_bins * (nat -> nat -> Z))) :
    0 <= match option_map fst second with Some _ => coarser_bits c | None => 0 end.
  Proof. destruct second, c; cbn; lia. Qed.

  Let second_of (first : grid_bins) second : grid_bins * (nat -> nat -> Z) :=
    match second with Some x => x | None => (no_bins first, fun _ _ => 0) end.

  Lemma second_is first bin second : grouped bin first -> second_grouped second ->
    grouped (snd (second_of first second)) (fst (second_of first second))
    /\ forall s, reaches (fst (second_of first second)) (snd (second_of first second)) s = in_second second s.
  Proof. intros F S. destruct second as [[bins' bin']|]; [now split | exact (no_bins_none first bin F)]. Qed.

  Lemma count_grid_is c at_most first second : count_grid V W c at_most first (option_map fst second)
    = count_bins (match option_map fst second with Some _ => coarser_bits c | None => 0 end) at_most (used V) times
      first
        (fst (second_of first second)).
  Proof. unfold count_grid. now destruct second as [[bins' bin']|]. Qed.

  Lemma grid_at_most c first bin second : grouped bin first -> second_grouped second ->
    how_many (fun s => reaches first bin s && negb (in_second second s)) inputs
    <= count_grid V W c true first (option_map fst second).
  Proof.
    intros F S. destruct (second_is first bin second F S) as [S' E]. rewrite count_grid_is.
    unfold inputs. rewrite <- (inputs_by_tokens V X V_is W W_ok).
    eapply Z.le_trans; [|apply (count_at_most (tokens_of V W) (length (classes L)) times no_more_classes
      (by_items_length _ _) times_are_lengths (used V) first _ bin (snd (second_of first second)) _ F S'
        (coarser_nonneg c second))].
    apply Z.eq_le_incl, how_many_ext. intros s _. now rewrite <- E.
  Qed.

  Lemma grid_at_least c first bin second : grouped bin first -> second_grouped second ->
    count_grid V W c false first (option_map fst second)
    <= how_many (fun s => reaches first bin s && negb (in_second second s)) inputs.
  Proof.
    intros F S. destruct (second_is first bin second F S) as [S' E]. rewrite count_grid_is.
    unfold inputs. rewrite <- (inputs_by_tokens V X V_is W W_ok).
    eapply Z.le_trans; [apply (count_at_least (tokens_of V W) (length (classes L)) times no_more_classes
      (by_items_length _ _) times_are_lengths (used V) first _ bin (snd (second_of first second)) _ F S'
        (coarser_nonneg c second))|].
    apply Z.eq_le_incl, how_many_ext. intros s _. now rewrite <- E.
  Qed.

  Let groups := map (margin_of V) sets.
  Let right := sets_right V X sets.

  Lemma not_right s : right s = false <-> exists set' j, In set' sets /\ In j (members v set')
    /\ (0 <= input_sum X r q n j s)%R.
  Proof.
    unfold right, sets_right. fold v r n q. split.
    - intros F. destruct (existsb (fun j => negb (negative (input_sum X r q n j s))) (flat_map (members v) sets)) eqn:E.
      + apply existsb_exists in E. destruct E as (j & J & E). apply in_flat_map in J. destruct J as (set' & S & J).
        exists set', j. repeat split; auto. now apply not_negative_iff, negb_true_iff.
      + exfalso. apply not_true_iff_false in F. apply F, forallb_forall. intros j J. apply not_true_iff_false in E.
        destruct (negative _) eqn:N; [reflexivity|]. exfalso. apply E, existsb_exists. exists j. now rewrite N.
    - intros (set' & j & S & J & N). apply not_true_iff_false. intros R. rewrite forallb_forall in R.
      specialize (R j). rewrite negative_iff in R.
      assert (input_sum X r q n j s < 0)%R by (apply R, in_flat_map; now exists set'). lra.
  Qed.

  Lemma known_at i : nth_error (map (bins V W (ceiling V hint) (far_term V W)) groups) i
    = option_map ceilings (nth_error sets i).
  Proof. unfold groups. rewrite map_map, nth_error_map. reflexivity. Qed.

  (** The bins of a group with those of tokens. *)
  Let known_of (i : nat) : option (grid_bins * (nat -> nat -> Z)) :=
    option_map (fun set' => (ceilings set', ceiling_at set')) (nth_error sets i).

  Lemma known_grouped i : second_grouped (known_of i).
  Proof.
    unfold known_of. destruct (nth_error sets i) as [set'|]; [|exact Logic.I]. cbn [option_map second_grouped].
    apply bins_grouped.
  Qed.

  Theorem grid_counts : let found := grid V groups W hint in
    how_many (fun s => negb (right s)) inputs <= fst found
    /\ snd found <= how_many (fun s => negb (right s)) inputs.
  Proof.
    cbn zeta. unfold grid. cbn [fst snd]. set (known := map (bins V W (ceiling V hint) (far_term V W)) groups).
    assert (length known = length sets) as Lk by (unfold known, groups; now rewrite !map_length).
    assert (forall i, nth_error known i = option_map fst (known_of i)) as known_is.
    { intros i. unfold known. rewrite known_at. unfold known_of. now destruct (nth_error sets i). }
    split.
    - rewrite count_items_zsum. set (d := {| last_bin := 0; item_bins := [] |}). rewrite (map2_numbered _ d).
      set (earlier := fun i => match nth i (without hint) [] with
        | e :: _ => if (e <? i)%nat then known_of e else None | [] => None end).
      eapply Z.le_trans; [apply (how_many_some _
        (fun i s => in_second (known_of i) s && negb (in_second (earlier i) s)) _ (seq 0 (length known)))|].
      + intros s I F. apply negb_true_iff in F.
        destruct (least_true (fun i => in_second (known_of i) s) (length known)) as (i & B & R & least).
        { apply not_right in F. destruct F as (set' & j & S & J & H). apply In_nth_error in S. destruct S as (i & E).
          exists i. split; [rewrite Lk; apply nth_error_Some; congruence|]. unfold known_of. rewrite E.
          cbn [option_map in_second]. apply ceilings_reached with j; auto. now apply nth_error_In with i. }
        exists i. split; [apply in_seq; lia|]. rewrite R. cbn [andb]. apply negb_true_iff. unfold earlier.
        destruct (nth i (without hint) []) as [|e more]; [reflexivity|].
        destruct (Nat.ltb_spec e i) as [Le|]; [|reflexivity]. now apply least.
      + apply zsum_le. intros i I. apply in_seq in I. rewrite Nat.sub_0_r.
        assert (exists set', nth_error sets i = Some set') as (set' & E).
        { destruct (nth_error sets i) as [set'|] eqn:E; [now exists set'|]. apply nth_error_None in E. lia. }
        assert (nth i known d = ceilings set') as ->.
        { apply nth_error_nth. rewrite known_is. unfold known_of. now rewrite E. }
        unfold known_of. rewrite E. cbn [option_map in_second].
        match goal with |- _ <= count_grid V W ?c true _ ?second => assert (second
          = option_map fst (earlier i)) as -> end.
        { unfold earlier. destruct (nth i (without hint) []) as [|e more]; [reflexivity|].
          destruct (e <? i)%nat; [apply known_is | reflexivity]. }
        apply grid_at_most; [apply bins_grouped|]. unfold earlier.
        destruct (nth i (without hint) []) as [|e more]; [exact Logic.I|].
        destruct (e <? i)%nat; [apply known_grouped | exact Logic.I].
    - set (wrong := fun (state : Z * option grid_bins) (index : nat) => _).
      (* What is counted with the groups up to one is outside of what that group reaches. *)
      set (ok := fun state : Z * option grid_bins => exists second, second_grouped second
        /\ snd state = option_map fst second
        /\ fst state <= how_many (fun s => negb (right s) && in_second second s) inputs).
      assert (forall state, ok state -> fst state <= how_many (fun s => negb (right s)) inputs) as ok_all.
      { intros state (second & _ & _ & B). eapply Z.le_trans; [exact B|]. apply how_many_le. intros s _ E.
        now apply andb_true_iff in E. }
      assert (forall state index, wrong state index = state \/ exists j c, In (One j) sets /\ wrong state index
        = (fst state + count_grid V W c false (floors (One j)) (snd state), Some (ceilings (One j)))) as cases.
      { intros [sum' outside] index. unfold wrong. destruct (nth_error groups index) as [g|] eqn:E; [|now left].
        assert (exists set', nth_error sets index = Some set' /\ g = margin_of V set') as (set' & S & ->).
        { unfold groups in E. rewrite nth_error_map in E. destruct (nth_error sets index) as [set'|]; [|discriminate].
          exists set'. now injection E as <-. }
        cbn [set margin_of]. destruct set' as [j|marks]; [|now left]. right. eexists j, _.
        split; [now apply nth_error_In with index|]. cbn [fst snd]. f_equal.
        rewrite known_is. unfold known_of. now rewrite S. }
      assert (forall j s, In (One j) sets -> In s inputs -> reaches (floors (One j)) (floor_at (One j)) s = true ->
        negb (right s) = true /\ reaches (ceilings (One j)) (ceiling_at (One j)) s = true) as shown.
      { intros j s S I R. pose proof (floors_wrong j s S I R) as H. split.
        - apply negb_true_iff, not_right. exists (One j), j. repeat split; auto. now left.
        - apply ceilings_reached with j; auto. now left. }
      assert (ok (0, None)) as start.
      { exists None. repeat split. apply how_many_nonneg. }
      assert (forall index, ok (wrong (0, None) index)) as one.
      { intros index. destruct (cases (0, None) index) as [->|(j & c & S & ->)]; [exact start|].
        exists (Some (ceilings (One j), ceiling_at (One j))). split; [apply bins_grouped|]. split; [reflexivity|].
        cbn [fst snd in_second Z.add].
        eapply Z.le_trans; [apply (grid_at_least c _ (floor_at (One j)) None); [apply bins_grouped | exact Logic.I]|].
        apply how_many_le. intros s I E. apply andb_true_iff in E. destruct E as [E _].
        apply andb_true_iff. now apply shown. }
      assert (forall state index, ok state -> fst (wrong state index) <= how_many (fun s => negb (right s)) inputs)
        as two.
      { intros state index O. destruct (cases state index) as [->|(j & c & S & ->)]; [now apply ok_all|].
        destruct O as (second & Sh & E & B). cbn [fst]. rewrite E.
        eapply Z.le_trans; [apply Z.add_le_mono; [exact B|]|].
        - apply (grid_at_least c _ (floor_at (One j)) second); [apply bins_grouped | exact Sh].
        - clear - shown S. enough (forall l, incl l inputs ->
            how_many (fun s => negb (right s) && in_second second s) l
            + how_many (fun s => reaches (floors (One j)) (floor_at (One j)) s && negb (in_second second s)) l
            <= how_many (fun s => negb (right s)) l) as H by apply H, incl_refl.
          induction l as [|s l IH]; intros I; [reflexivity|]. rewrite !how_many_cons.
          specialize (IH (fun x J => I x (or_intror J))). specialize (shown j s S (I s (or_introl eq_refl))).
          destruct (reaches (floors (One j)) (floor_at (One j)) s); [destruct (shown eq_refl) as [-> _]|];
            destruct (in_second second s), (negb (right s)); cbn [andb negb]; lia. }
      destruct (wrong_groups hint) as [|a [|b more]]; cbn [firstn fold_left].
      + now apply ok_all.
      + now apply ok_all.
      + now apply two.
  Qed.
End Grid.
