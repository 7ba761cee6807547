(** * The counts on a grid are exact (theorems [count_at_most], [count_at_least]) *)

From Coq Require Import ZArith List Bool Lia Permutation.
From gbmi Require Import CheckerCriterion CheckerGrid CheckerCriterionSoundCount CheckerCriterionSoundRoots.
From gbmi Require Import CheckerCriterionSoundCounts.
Import ListNotations.
Local Open Scope Z_scope.

(** ** Bags *)

Section Bags.
  Context {A : Type}.
  Variables (plus : A -> A -> A) (h : Z -> A -> Z).

  Definition bag_sum (b : bag A) : Z := zsum (map (fun entry => h (fst entry) (snd entry)) b).

  Hypothesis additive : forall k x y, h k (plus x y) = h k x + h k y.

  Lemma sum_put entry b : bag_sum (put plus entry b) = h (fst entry) (snd entry) + bag_sum b.
  Proof.
    unfold put, bag_sum. destruct b as [|[key a] rest]; [reflexivity|].
    destruct (Z.eqb_spec (fst entry) key) as [->|]; [|reflexivity]. cbn [map zsum fst snd]. rewrite additive. lia.
  Qed.

  Lemma sum_merge xs : forall ys, bag_sum (merge plus xs ys) = bag_sum xs + bag_sum ys.
  Proof.
    induction xs as [|x xs IH]; [reflexivity|]. induction ys as [|y ys IHy].
    - cbn [merge]. unfold bag_sum at 3. cbn [map zsum]. lia.
    - cbn [merge]. destruct (fst x <=? fst y); rewrite sum_put.
      + rewrite IH. unfold bag_sum. cbn [map zsum]. lia.
      + change ((fix merge_ys (ys' : bag A) : bag A := _) ys) with (merge plus (x :: xs) ys). rewrite IHy.
        unfold bag_sum. cbn [map zsum]. lia.
  Qed.

  Lemma sum_merge_all bags : bag_sum (merge_all plus bags) = zsum (map bag_sum bags).
  Proof.
    assert (forall bags, bag_sum (fold_right (merge plus) [] bags) = zsum (map bag_sum bags)) as all.
    { clear bags. induction bags as [|b bags IH]; [reflexivity|]. cbn [fold_right map zsum].
      now rewrite sum_merge, IH. }
    assert (forall n bags, (length bags <= n)%nat ->
      zsum (map bag_sum (merge_pairs plus bags)) = zsum (map bag_sum bags)) as pairs.
    { clear bags. induction n as [|n IH]; intros [|x [|y bags]] L; cbn [length] in L; try reflexivity; [lia..|].
      cbn [merge_pairs map zsum]. rewrite sum_merge, IH by lia. lia. }
    unfold merge_all. generalize (length bags) at 1. intros n. revert bags.
    induction n as [|n IH]; intros bags; [apply all|]. destruct bags as [|x [|y bags]]; try apply all.
    cbn [merge_halves]. now rewrite IH, (pairs _ _ (Nat.le_refl _)).
  Qed.
End Bags.

Lemma bag_sum_ext {A} (h k : Z -> A -> Z) b : (forall key a, In (key, a) b -> h key a = k key a) ->
  bag_sum h b = bag_sum k b.
Proof. intros H. unfold bag_sum. f_equal. apply map_ext_in. intros [key a] I. now apply H. Qed.

Lemma bag_sum_zero {A} (h : Z -> A -> Z) b : (forall key a, In (key, a) b -> h key a = 0) -> bag_sum h b = 0.
Proof. intros H. rewrite (bag_sum_ext _ (fun _ _ => 0)) by exact H. unfold bag_sum. induction b; cbn in *; auto. Qed.

(** ** Strips *)

Fixpoint weigh (g : Z -> Z) (start : Z) (xs : list Z) : Z :=
  match xs with [] => 0 | x :: xs => x * g start + weigh g (start + 1) xs end.
Definition strip_sum (g : Z -> Z) (s : strip) : Z := weigh g (fst s) (snd s).

Lemma weigh_add g : forall xs ys start, weigh g start (add_counts xs ys) = weigh g start xs + weigh g start ys.
Proof. induction xs as [|x xs IH]; intros [|y ys] start; cbn [add_counts weigh]; rewrite ?IH; lia. Qed.

Lemma weigh_zeros g n ys : forall start, weigh g start (repeat 0 n ++ ys) = weigh g (start + Z.of_nat n) ys.
Proof.
  induction n as [|n IH]; intros start; [now rewrite Z.add_0_r|]. cbn [repeat app weigh]. rewrite IH.
  replace (start + 1 + Z.of_nat n) with (start + Z.of_nat (S n)) by lia. lia.
Qed.

Lemma weigh_behind g ys : forall gap xs start,
  weigh g start (add_behind gap xs ys) = weigh g start xs + weigh g (start + Z.of_nat gap) ys.
Proof.
  induction gap as [|gap IH]; intros xs start.
  - rewrite Z.add_0_r. apply weigh_add.
  - destruct xs as [|x xs]; [apply weigh_zeros|]. cbn [add_behind weigh]. rewrite IH.
    replace (start + 1 + Z.of_nat gap) with (start + Z.of_nat (S gap)) by lia. lia.
Qed.

Lemma strip_sum_plus g x y : strip_sum g (strip_plus x y) = strip_sum g x + strip_sum g y.
Proof.
  unfold strip_sum, strip_plus. destruct x as [a xs], y as [b ys]. cbn [fst snd].
  destruct xs as [|x xs]; [reflexivity|]. destruct ys as [|y ys]; [cbn [weigh fst snd]; lia|].
  destruct (Z.leb_spec a b); cbn [fst snd]; rewrite weigh_behind, Z2Nat.id by lia;
    [replace (a + (b - a)) with b by ring | replace (b + (a - b)) with a by ring]; lia.
Qed.

Lemma weigh_ext g k xs : forall start, (forall a, start <= a -> g a = k a) -> weigh g start xs = weigh k start xs.
Proof.
  induction xs as [|x xs IH]; intros start H; [reflexivity|]. cbn [weigh]. rewrite H, IH; [reflexivity | | lia].
  intros a L. apply H. lia.
Qed.

Lemma weigh_total g c xs : forall start, (forall a, start <= a -> g a = c) -> weigh g start xs = total_of xs * c.
Proof.
  change (total_of xs) with (count_items xs). rewrite count_items_zsum.
  induction xs as [|x xs IH]; intros start H; [reflexivity|]. cbn [weigh zsum].
  rewrite H, IH by (lia || intros; apply H; lia). lia.
Qed.

Lemma weigh_skipn g n : forall xs start, (forall a, start <= a -> a < start + Z.of_nat n -> g a = 0) ->
  weigh g start xs = weigh g (start + Z.of_nat n) (skipn n xs).
Proof.
  induction n as [|n IH]; intros xs start H; [now rewrite Z.add_0_r|]. destruct xs as [|x xs]; [reflexivity|].
  cbn [skipn weigh]. rewrite H, (IH xs (start + 1)) by (lia || intros; apply H; lia).
  replace (start + 1 + Z.of_nat n) with (start + Z.of_nat (S n)) by lia. lia.
Qed.

Lemma weigh_scaled g times : forall last xs start,
  (forall a, start + Z.of_nat last <= a -> g a = g (start + Z.of_nat last)) ->
  weigh g start (scaled last times xs) = times * weigh g start xs.
Proof.
  induction last as [|last IH]; intros [|x xs] start H; cbn [scaled weigh]; try lia.
  - rewrite Z.add_0_r in H. pose proof (weigh_total g (g start) (x :: xs) start H) as T. cbn [weigh] in T. lia.
  - rewrite IH; [lia|]. replace (start + 1 + Z.of_nat last) with (start + Z.of_nat (S last)) by lia. exact H.
Qed.

Lemma cut_scaled : forall counts last, cut last counts = scaled last 1 counts.
Proof.
  induction counts as [|x counts IH]; intros [|last]; cbn [cut scaled]; try reflexivity.
  - now rewrite Z.mul_1_l.
  - now rewrite IH, Z.mul_1_l.
Qed.

Lemma weigh_shift g f xs : forall start, weigh g (start + f) xs = weigh (fun a => g (a + f)) start xs.
Proof.
  induction xs as [|x xs IH]; intros start; [reflexivity|]. cbn [weigh]. rewrite <- IH.
  now replace (start + 1 + f) with (start + f + 1) by ring.
Qed.

Section Sums.
  Variables (low high : Z) (g : Z -> Z).
  Hypothesis below_low : forall a, a < low -> g a = 0.
  Hypothesis above_high : forall a b, high <= a -> high <= b -> g a = g b.

  Lemma sum_placed item s :
    strip_sum g (placed low high item s) = snd item * strip_sum (fun a => g (a + fst item)) s.
  Proof.
    unfold strip_sum, placed. cbn [fst snd]. rewrite <- weigh_shift. set (start := fst s + fst item).
    assert (weigh g start (snd s) = weigh g (Z.max low start) (skipn (Z.to_nat (low - start)) (snd s))) as ->.
    { rewrite (weigh_skipn g (Z.to_nat (low - start))) by (intros a A B; apply below_low; lia). f_equal. lia. }
    assert (forall last xs, (if snd item =? 1 then cut last xs else scaled last (snd item) xs)
      = scaled last (snd item) xs) as ->.
    { intros last xs. destruct (Z.eqb_spec (snd item) 1) as [->|]; [apply cut_scaled | reflexivity]. }
    generalize (skipn (Z.to_nat (low - start)) (snd s)). intros xs. generalize (Z.max low start). clear start.
    intros start. destruct (Z.le_gt_cases start high) as [L|L].
    - rewrite Z.min_l by exact L. apply weigh_scaled. intros a B. apply above_high; lia.
    - rewrite Z.min_r by lia. replace (Z.to_nat (high - start)) with O by lia.
      rewrite (weigh_total g (g high) xs start) by (intros a B; apply above_high; lia).
      destruct xs as [|x xs]; cbn [scaled weigh]; [cbn; lia | lia].
  Qed.

  Lemma sum_spread items s :
    strip_sum g (spread low high items s) = bag_sum (fun f times => times * strip_sum (fun a => g (a + f)) s) items.
  Proof.
    unfold spread, bag_sum. induction items as [|item items IH]; [reflexivity|].
    cbn [fold_right map zsum]. now rewrite strip_sum_plus, sum_placed, IH.
  Qed.
End Sums.

Lemma strip_sum_zsum {B} (h : B -> Z -> Z) l s :
  strip_sum (fun a => zsum (map (fun x => h x a) l)) s = zsum (map (fun x => strip_sum (h x) s) l).
Proof.
  unfold strip_sum. destruct s as [start xs]. cbn [fst snd]. revert start.
  induction xs as [|x xs IH]; intros start; cbn [weigh]; [induction l; cbn in *; lia|].
  rewrite IH, Z.mul_comm, <- (zsum_times x), zsum_plus. f_equal. apply map_ext. intros. lia.
Qed.

Lemma strip_sum_times times g s : strip_sum (fun a => times * g a) s = times * strip_sum g s.
Proof.
  unfold strip_sum. destruct s as [start xs]. cbn [fst snd]. revert start.
  induction xs as [|x xs IH]; intros start; cbn [weigh]; [lia|]. rewrite IH. lia.
Qed.

Lemma strip_sum_ext g k s : (forall a, g a = k a) -> strip_sum g s = strip_sum k s.
Proof. intros H. apply weigh_ext. intros. apply H. Qed.

(** ** Sequences *)

Definition over (P : cells) (h : Z -> Z -> Z) : Z :=
  bag_sum (fun second items => bag_sum (fun first times => times * h first second) items) P.

(** How many sequences of items reach the set from two sums on. *)
Fixpoint outcomes (positions : list cells) (a b : Z) : Z :=
  match positions with
  | [] => if (0 <=? a) && (b <? 0) then 1 else 0
  | P :: positions => over P (fun first second => outcomes positions (a + first) (b + second))
  end.

Lemma over_ext P h k :
  (forall first second, In first (firsts P) -> In second (seconds P) -> h first second = k first second) ->
  over P h = over P k.
Proof.
  intros H. apply bag_sum_ext. intros second items I. apply bag_sum_ext. intros first times J. f_equal. apply H.
  - apply in_map_iff. exists (first, times). split; [reflexivity|]. apply in_concat. exists items.
    split; [|exact J]. apply in_map_iff. now exists (second, items).
  - apply in_map_iff. now exists (second, items).
Qed.

Lemma over_zero P : over P (fun _ _ => 0) = 0.
Proof. apply bag_sum_zero. intros. apply bag_sum_zero. intros. lia. Qed.

Lemma least_in_le l x : In x l -> least_in l <= x.
Proof.
  unfold least_in. destruct l as [|y l]; [easy|]. revert y.
  assert (forall l y, fold_left Z.min l y <= y) as first.
  { clear. induction l as [|z l IH]; intros y; cbn; [lia|]. specialize (IH (Z.min y z)). lia. }
  induction l as [|z l IH]; intros y [->|I]; cbn.
  - lia.
  - easy.
  - specialize (first l (Z.min x z)). lia.
  - destruct I as [->|I]; [specialize (first l (Z.min y x)); lia | apply IH; now right].
Qed.

Lemma most_in_ge l x : In x l -> x <= most_in l.
Proof.
  unfold most_in. destruct l as [|y l]; [easy|]. revert y.
  assert (forall l y, y <= fold_left Z.max l y) as first.
  { clear. induction l as [|z l IH]; intros y; cbn; [lia|]. specialize (IH (Z.max y z)). lia. }
  induction l as [|z l IH]; intros y [->|I]; cbn.
  - lia.
  - easy.
  - specialize (first l (Z.max x z)). lia.
  - destruct I as [->|I]; [specialize (first l (Z.max y x)); lia | apply IH; now right].
Qed.

(** Where the rest of a sequence changes nothing. *)
Record reaches_of (positions : list cells) (r : reach) : Prop := {
  first_low : forall a b, a < - most_first r -> outcomes positions a b = 0;
  first_high : forall a a' b, - least_first r <= a -> - least_first r <= a' ->
    outcomes positions a b = outcomes positions a' b;
  second_high : forall a b, - least_second r <= b -> outcomes positions a b = 0;
  second_low : forall a b b', b <= -1 - most_second r -> b' <= -1 - most_second r ->
    outcomes positions a b = outcomes positions a b'
}.

Lemma reaches_plus P positions r : reaches_of positions r -> reaches_of (P :: positions) (reach_plus P r).
Proof.
  intros [A B C D]. split; unfold reach_plus; cbn [least_first most_first least_second most_second outcomes].
  - intros a b L. rewrite <- (over_zero P). apply over_ext. intros f o F O. apply A. apply most_in_ge in F. lia.
  - intros a a' b L L'. apply over_ext. intros f o F O. apply least_in_le in F. apply B; lia.
  - intros a b L. rewrite <- (over_zero P). apply over_ext. intros f o F O. apply C. apply least_in_le in O. lia.
  - intros a b b' L L'. apply over_ext. intros f o F O. apply most_in_ge in O. apply D; lia.
Qed.

Lemma reaching_reaches positions : reaches_of positions (snd (reaching positions)).
Proof.
  induction positions as [|P positions IH].
  - split; cbn [reaching snd least_first most_first least_second most_second outcomes]; intros *;
      repeat match goal with |- context [?x <=? ?y] => destruct (Z.leb_spec x y) end;
      repeat match goal with |- context [?x <? ?y] => destruct (Z.ltb_spec x y) end; cbn [andb]; lia.
  - cbn [reaching]. destruct (reaching positions) as [steps behind]. cbn [snd] in *. now apply reaches_plus.
Qed.

Definition rows_sum (h : Z -> Z -> Z) (rows : bag strip) : Z :=
  bag_sum (fun b s => strip_sum (fun a => h a b) s) rows.

Lemma sum_extended P positions behind rows : reaches_of positions behind ->
  rows_sum (outcomes positions) (extended_by P behind rows) = rows_sum (outcomes (P :: positions)) rows.
Proof.
  intros [A B C D]. unfold extended_by, rows_sum. set (with_items := fun entry : Z * bag Z => _).
  rewrite sum_merge_all by (intros; apply strip_sum_plus). rewrite map_map.
  set (cell := fun (entry : Z * bag Z) (row : Z * strip) => bag_sum (fun f times =>
    times * strip_sum (fun a => outcomes positions (a + f) (fst row + fst entry)) (snd row)) (snd entry)).
  transitivity (zsum (map (fun entry => zsum (map (cell entry) rows)) P)).
  - f_equal. apply map_ext. intros entry. unfold with_items.
    induction rows as [|row rows IH]; [reflexivity|]. cbn [fold_right map zsum]. rewrite <- IH. clear IH.
    set (second := Z.max (fst row + fst entry) (-1 - most_second behind)).
    assert (forall a, outcomes positions a second = outcomes positions a (fst row + fst entry)) as same.
    { intros a. destruct (Z.max_spec (fst row + fst entry) (-1 - most_second behind)) as [[L E]|[L E]];
        unfold second; rewrite E; [apply D; lia | reflexivity]. }
    destruct (Z.ltb_spec second (- least_second behind)) as [L|L].
    + rewrite sum_put by (intros; apply strip_sum_plus). f_equal. cbn [fst snd].
      rewrite (sum_spread (- most_first behind) (- least_first behind)) by auto. unfold cell. apply bag_sum_ext.
      intros f times _. f_equal. apply strip_sum_ext. intros a. apply same.
    + enough (cell entry row = 0) as -> by reflexivity. apply bag_sum_zero. intros f times _.
      rewrite (strip_sum_ext _ (fun _ => 0)) by (intros a; rewrite <- same; now apply C).
      unfold strip_sum. rewrite (weigh_total _ 0) by reflexivity. lia.
  - rewrite zsum_exchange. unfold bag_sum at 1. f_equal. apply map_ext. intros [b s]. cbn [fst snd outcomes].
    unfold over, bag_sum. rewrite strip_sum_zsum. f_equal. apply map_ext. intros [o items]. cbn [fst snd].
    unfold cell, bag_sum. cbn [fst snd]. rewrite strip_sum_zsum. f_equal. apply map_ext. intros [f times].
    cbn [fst snd]. now rewrite strip_sum_times.
Qed.

Lemma reached_rows rows : reached rows = rows_sum (outcomes []) rows.
Proof.
  unfold reached, rows_sum, bag_sum. set (add_row := fun sum row => _).
  assert (forall rows x, fold_left add_row rows x
    = x + zsum (map (fun entry => strip_sum (fun a => outcomes [] a (fst entry)) (snd entry)) rows)) as all.
  { clear rows. induction rows as [|[b s] rows IH]; intros x; cbn [fold_left map zsum]; [lia|]. rewrite IH.
    unfold add_row. cbn [fst snd outcomes]. unfold strip_sum. destruct (Z.ltb_spec b 0) as [L|L].
    - rewrite (weigh_skipn _ (Z.to_nat (- fst s))).
      + rewrite (weigh_total _ 1); [lia|]. intros a G. destruct (Z.leb_spec 0 a); [reflexivity | lia].
      + intros a L' G. destruct (Z.leb_spec 0 a); [lia | reflexivity].
    - rewrite (weigh_total _ 0); [lia|]. intros a _. now rewrite andb_false_r. }
  apply all.
Qed.

Theorem sequences_exact positions : sequences_of positions = outcomes positions 0 0.
Proof.
  unfold sequences_of. rewrite reached_rows.
  transitivity (rows_sum (outcomes positions) [(0, (0, [1]))]).
  2: { unfold rows_sum, bag_sum, strip_sum. cbn [map zsum fst snd weigh]. lia. }
  generalize [(0, (0, [1]))]. induction positions as [|P positions IH]; intros rows; [reflexivity|].
  pose proof (reaching_reaches positions) as R. cbn [reaching]. destruct (reaching positions) as [steps behind].
  cbn [fst snd fold_left] in *. rewrite IH. now apply sum_extended.
Qed.

(** ** Tokens *)

Lemma over_cells first second times h : over (cells_of first second times) h
  = zsum (map (fun item => snd item * h (fst (fst item)) (snd (fst item))) (combine (combine first second) times)).
Proof.
  unfold over, cells_of. rewrite sum_merge_all.
  - rewrite map_map. f_equal. apply map_ext. intros [[f o] t]. unfold bag_sum. cbn [map zsum fst snd]. lia.
  - intros k x y. apply sum_merge. intros. lia.
Qed.

Lemma nth_skipn {A} (d : A) i k : forall l, nth i (skipn k l) d = nth (k + i) l d.
Proof. induction k as [|k IH]; intros [|x l]; cbn; auto. now destruct i. Qed.

Section Tokens.
  Variables (m : nat) (others : list (list nat)).
  (** The tokens that each item stands for; m alone is the first. *)
  Let classes : list (list nat) := [m] :: others.
  Hypothesis distinct : NoDup (concat classes).
  Let times : list Z := map (fun c => Z.of_nat (length c)) classes.

  (** A token's item. *)
  Fixpoint item_in (cs : list (list nat)) (t : nat) : nat :=
    match cs with [] => O | c :: cs => if existsb (Nat.eqb t) c then O else S (item_in cs t) end.
  Definition item_of : nat -> nat := item_in classes.

  Lemma item_of_class i t : In t (nth i classes []) -> item_of t = i.
  Proof.
    unfold item_of. revert distinct i. generalize classes. clear. induction classes as [|c cs IH]; intros D i I.
    - now destruct i.
    - cbn [item_in concat] in *. destruct i as [|i]; cbn [nth] in I.
      + enough (existsb (Nat.eqb t) c = true) as -> by reflexivity. apply existsb_exists. exists t.
        now rewrite Nat.eqb_refl.
      + assert (existsb (Nat.eqb t) c = false) as ->.
        { apply not_true_iff_false. intros E. apply existsb_exists in E. destruct E as (u & U & E).
          apply Nat.eqb_eq in E. subst u.
          assert (In t (concat cs)) as J.
          { apply in_concat. exists (nth i cs []). split; [|exact I]. apply nth_In.
            destruct (Nat.lt_ge_cases i (length cs)) as [L|L]; [exact L|]. rewrite nth_overflow in I by exact L.
            destruct I. }
          clear - D U J. induction c as [|x c IH]; [easy|]. cbn in D. inversion_clear D as [|? ? N D'].
          destruct U as [->|U]; [apply N, in_app_iff; now right | now apply IH]. }
        f_equal. apply IH; [|exact I]. clear - D. induction c as [|x c IH]; [exact D|]. inversion_clear D. auto.
  Qed.

  Lemma items_tokens (f o : nat -> Z) h : forall cs first second, length first = length cs ->
    length second = length cs ->
    (forall i t, In t (nth i cs []) -> nth i first 0 = f t /\ nth i second 0 = o t) ->
    zsum (map (fun item => snd item * h (fst (fst item)) (snd (fst item)))
      (combine (combine first second) (map (fun c => Z.of_nat (length c)) cs)))
    = zsum (map (fun t => h (f t) (o t)) (concat cs)).
  Proof.
    induction cs as [|c cs IH]; intros [|x first] [|y second] L L' H; try discriminate; [reflexivity|].
    cbn [combine map zsum concat fst snd].
    rewrite (IH first second); [|now injection L | now injection L' | exact (fun i => H (S i))].
    rewrite map_app. specialize (H O). cbn [nth] in H. clear - H.
    induction c as [|t c IH]; [cbn; lia|]. cbn [length map app zsum]. specialize (IH (fun t' I => H t' (or_intror I))).
    destruct (H t (or_introl eq_refl)) as [-> ->]. lia.
  Qed.

  (** The sum of an input's bins, rounded by [round]. *)
  Fixpoint bin_sum (round : Z -> Z) (bins : list (list Z)) (input : list nat) : Z :=
    match bins, input with
    | row :: bins, t :: input => round (nth (item_of t) row 0) + bin_sum round bins input
    | _, _ => 0
    end.
  Definition sum_of (round : Z -> Z) (bins : list (list Z)) (input : list nat) : Z :=
    match bins with last :: bins => round (hd 0 last) + bin_sum round bins input | [] => 0 end.

  Definition item_rows (bins : list (list Z)) : Prop := Forall (fun row => length row = length classes) bins.

  (** The last term alone, and a row of bins for each of the other positions. *)
  Definition shaped (k : nat) (bins : list (list Z)) : Prop :=
    match bins with [_] :: others => length others = k /\ item_rows others | _ => False end.

  Section Rounded.
    Variables round round' : Z -> Z.
    Hypotheses (zero : round 0 = 0) (zero' : round' 0 = 0).

    Let cells_from (skipped : nat) (bins : list Z * list Z) : cells :=
      cells_of (skipn skipped (map round (fst bins))) (skipn skipped (map round' (snd bins))) (skipn skipped times).

    Lemma outcomes_tokens skipped : forall bins bins' a b, item_rows bins -> item_rows bins' ->
      length bins' = length bins ->
      outcomes (map (cells_from skipped) (combine bins bins')) a b
      = how_many (fun s => (0 <=? a + bin_sum round bins s) && (b + bin_sum round' bins' s <? 0))
          (rows (concat (skipn skipped classes)) (length bins)).
    Proof.
      induction bins as [|row bins IH]; intros [|row' bins'] a b R R' L; try discriminate.
      - cbn [map combine outcomes rows length bin_sum]. rewrite !Z.add_0_r, how_many_cons.
        unfold how_many. cbn [filter length]. now destruct (_ && _).
      - inversion_clear R as [|? ? Lr Rs]. inversion_clear R' as [|? ? Lr' Rs'].
        cbn [map combine outcomes rows length]. unfold cells_from at 1. rewrite over_cells. cbn [fst snd].
        unfold times. rewrite (skipn_map (fun c : list nat => Z.of_nat (length c))).
        rewrite (items_tokens (fun t => round (nth (item_of t) row 0)) (fun t => round' (nth (item_of t) row' 0))
          (fun f o => outcomes (map (cells_from skipped) (combine bins bins')) (a + f) (b + o))).
        + rewrite how_many_flat_map. f_equal. apply map_ext. intros t.
          rewrite IH by (assumption || now injection L). rewrite how_many_map. apply how_many_ext. intros s _.
          cbn [bin_sum]. now rewrite !Z.add_assoc.
        + rewrite !skipn_length, map_length. now rewrite Lr.
        + rewrite !skipn_length, map_length. now rewrite Lr'.
        + intros i t I. rewrite nth_skipn in I. rewrite !nth_skipn, (item_of_class _ _ I).
          now rewrite <- (map_nth round row), <- (map_nth round' row'), zero, zero'.
    Qed.

    Lemma sequences_tokens skipped k first second : shaped k first -> shaped k second ->
      sequences_of (match combine first second with
                    | [] => []
                    | last :: others => cells_from O last :: map (cells_from skipped) others
                    end)
      = how_many (fun s => (0 <=? sum_of round first s) && (sum_of round' second s <? 0))
          (rows (concat (skipn skipped classes)) k).
    Proof.
      destruct first as [|[|x [|]] bins]; try easy. destruct second as [|[|y [|]] bins']; try easy.
      intros [L R] [L' R']. rewrite sequences_exact. cbn [combine outcomes]. unfold cells_from at 1. rewrite over_cells.
      cbn [fst snd skipn map combine times classes length zsum]. rewrite outcomes_tokens by congruence.
      rewrite L. cbn [sum_of hd]. rewrite !Z.add_0_l. change (Z.of_nat 1) with 1. lia.
    Qed.
  End Rounded.

  Lemma rows_without_m f k : how_many f (rows (concat classes) k)
    = how_many (fun s => has_m m s && f s) (rows (concat classes) k) + how_many f (rows (concat others) k).
  Proof.
    assert (~ In m (concat others)) as apart by (cbn in distinct; now inversion distinct).
    assert (forall f, how_many f (rows (concat classes) k) = how_many f (filter (has_m m) (rows (concat classes) k))
      + how_many f (filter (fun s => negb (has_m m s)) (rows (concat classes) k))) as by_m.
    { clear. intros f. induction (rows _ k) as [|s ss IH]; [reflexivity|]. cbn [filter].
      destruct (has_m m s); cbn [negb]; rewrite !how_many_cons, IH; lia. }
    rewrite by_m, how_many_filter. f_equal. clear by_m. revert f.
    induction k as [|k IH]; intros f; [reflexivity|].
    change (rows (concat classes) (S k)) with (map (cons m) (rows (concat classes) k)
      ++ flat_map (fun t => map (cons t) (rows (concat classes) k)) (concat others)).
    rewrite how_many_filter, how_many_app, !how_many_flat_map. cbn [rows]. rewrite how_many_flat_map, how_many_map.
    rewrite (how_many_ext _ (fun _ => false)) by (intros s _; cbn; now rewrite Nat.eqb_refl).
    assert (forall l : list (list nat), how_many (fun _ => false) l = 0) as -> by (induction l; auto).
    cbn [Z.add]. f_equal. apply map_ext_in. intros t T. rewrite !how_many_map, <- IH, how_many_filter.
    apply how_many_ext. intros s _. cbn. destruct (Nat.eqb_spec m t) as [->|]; [easy | reflexivity].
  Qed.

  (** *** Coarser grids *)

  Lemma coarse_zero bits up : coarse bits up 0 = 0.
  Proof. unfold coarse. destruct up; cbn [Z.opp]; now rewrite Z.shiftr_0_l. Qed.

  Lemma coarse_up bits x : 0 <= bits -> x <= coarse bits true x * 2 ^ bits.
  Proof.
    intros B. unfold coarse. rewrite Z.shiftr_div_pow2 by exact B.
    pose proof (Z.mul_div_le (- x) (2 ^ bits) ltac:(apply Z.pow_pos_nonneg; lia)). lia.
  Qed.

  Lemma coarse_down bits x : 0 <= bits -> coarse bits false x * 2 ^ bits <= x.
  Proof.
    intros B. unfold coarse. rewrite Z.shiftr_div_pow2 by exact B.
    pose proof (Z.mul_div_le x (2 ^ bits) ltac:(apply Z.pow_pos_nonneg; lia)). lia.
  Qed.

  Definition exactly (x : Z) : Z := x.

  Lemma sum_up bits bins s : 0 <= bits -> 0 <= sum_of exactly bins s -> 0 <= sum_of (coarse bits true) bins s.
  Proof.
    intros B. assert (0 < 2 ^ bits) as P by (apply Z.pow_pos_nonneg; lia).
    enough (sum_of exactly bins s <= sum_of (coarse bits true) bins s * 2 ^ bits) by nia.
    destruct bins as [|last bins]; [cbn; lia|]. cbn [sum_of]. pose proof (coarse_up bits (hd 0 last) B).
    enough (bin_sum exactly bins s <= bin_sum (coarse bits true) bins s * 2 ^ bits) by (unfold exactly in *; lia).
    clear - B. revert s. induction bins as [|row bins IH]; intros [|t s]; cbn [bin_sum]; try lia. specialize (IH s).
    pose proof (coarse_up bits (nth (item_of t) row 0) B). unfold exactly in *. lia.
  Qed.

  Lemma sum_down bits bins s : 0 <= bits -> 0 <= sum_of (coarse bits false) bins s -> 0 <= sum_of exactly bins s.
  Proof.
    intros B. assert (0 < 2 ^ bits) as P by (apply Z.pow_pos_nonneg; lia).
    enough (sum_of (coarse bits false) bins s * 2 ^ bits <= sum_of exactly bins s) by nia.
    destruct bins as [|last bins]; [cbn; lia|]. cbn [sum_of]. pose proof (coarse_down bits (hd 0 last) B).
    enough (bin_sum (coarse bits false) bins s * 2 ^ bits <= bin_sum exactly bins s) by (unfold exactly in *; lia).
    clear - B. revert s. induction bins as [|row bins IH]; intros [|t s]; cbn [bin_sum]; try lia. specialize (IH s).
    pose proof (coarse_down bits (nth (item_of t) row 0) B). unfold exactly in *. lia.
  Qed.

  (** *** Both counts *)

  Variables (k : nat) (needs_m : bool) (first second : list (list Z)) (bits : Z).
  Hypotheses (first_is : shaped k first) (second_is : shaped k second) (bits_is : 0 <= bits).

  Definition reaches (bins : list (list Z)) (s : list nat) : bool := 0 <=? sum_of exactly bins s.

  Lemma count_bins_exact at_most : count_bins bits at_most needs_m times first second
    = how_many (fun s => (negb needs_m || has_m m s)
        && ((0 <=? sum_of (coarse bits at_most) first s) && (sum_of (coarse bits (negb at_most)) second s <? 0)))
      (rows (concat classes) k).
  Proof.
    unfold count_bins. rewrite !(sequences_tokens _ _ (coarse_zero _ _) (coarse_zero _ _) _ k) by assumption.
    change (skipn 1 classes) with others. change (skipn 0 classes) with classes.
    destruct needs_m; cbn [negb orb]; [|reflexivity].
    rewrite rows_without_m. rewrite Z.min_l; [lia|].
    match goal with |- ?x <= ?y + ?x => assert (0 <= y) by apply how_many_nonneg; lia end.
  Qed.

  Theorem count_at_most :
    how_many (fun s => (negb needs_m || has_m m s) && (reaches first s && negb (reaches second s)))
      (rows (concat classes) k) <= count_bins bits true needs_m times first second.
  Proof.
    rewrite count_bins_exact. apply how_many_le. unfold reaches. cbn [negb]. intros s _. rewrite !andb_true_iff.
    rewrite negb_true_iff, !Z.leb_le, Z.leb_gt, Z.ltb_lt. intros (M & A & B).
    repeat split; [exact M | now apply sum_up|]. apply Z.nle_gt. intros C. apply (sum_down bits) in C; lia.
  Qed.

  Theorem count_at_least : count_bins bits false needs_m times first second <=
    how_many (fun s => (negb needs_m || has_m m s) && (reaches first s && negb (reaches second s)))
      (rows (concat classes) k).
  Proof.
    rewrite count_bins_exact. apply how_many_le. unfold reaches. cbn [negb]. intros s _. rewrite !andb_true_iff.
    rewrite negb_true_iff, !Z.leb_le, Z.leb_gt, Z.ltb_lt. intros (M & A & B).
    repeat split; [exact M | now apply (sum_down bits)|]. apply Z.nle_gt. intros C. apply (sum_up bits) in C; lia.
  Qed.
End Tokens.
