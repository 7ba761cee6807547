(** * The counts on a grid are exact (theorems [count_at_most], [count_at_least]) *)

From Coq Require Import ZArith List Bool Lia Permutation.
From gbmi Require Import Fixed CheckerCriterion CheckerGrid CheckerCriterionSoundCount CheckerCriterionSoundRoots.
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

Lemma bag_sum_cons {A} (h : Z -> A -> Z) entry b : bag_sum h (entry :: b) = h (fst entry) (snd entry) + bag_sum h b.
Proof. reflexivity. Qed.

Lemma bag_sum_le {A} (h k : Z -> A -> Z) b : (forall key a, In (key, a) b -> h key a <= k key a) ->
  bag_sum h b <= bag_sum k b.
Proof. intros H. apply zsum_le. intros [key a] I. now apply H. Qed.

(** The same keys, with related values. *)
Definition related {A B} (R : A -> B -> Prop) (b : bag A) (b' : bag B) : Prop :=
  Forall2 (fun entry entry' => fst entry = fst entry' /\ R (snd entry) (snd entry')) b b'.

Lemma related_in {A B} (R : A -> B -> Prop) b b' key y : related R b b' -> In (key, y) b' -> exists x, R x y.
Proof. intros H. induction H as [|e e' b b' [_ r] _ IH]; [easy|]. intros [->|I]; [now exists (snd e) | auto]. Qed.

Lemma related_and {A B} (R : A -> B -> Prop) (Q : B -> Prop) b b' : (forall key y, In (key, y) b' -> Q y) ->
  related R b b' -> related (fun x y => R x y /\ Q y) b b'.
Proof.
  intros q H. induction H as [|e [key y] b b' [k r] _ IH]; constructor.
  - repeat split; [exact k | exact r | apply (q key); now left].
  - apply IH. intros key' y' I. apply (q key'). now right.
Qed.

Lemma maps_related {A B C} (R : B -> C -> Prop) (f : A -> B) (g : A -> C) l : (forall x, In x l -> R (f x) (g x)) ->
  Forall2 R (map f l) (map g l).
Proof. induction l as [|x l IH]; intros H; constructor; [apply H; now left | apply IH; intros; apply H; now right]. Qed.

Section Related.
  Context {A B : Type}.
  Variables (plus : A -> A -> A) (plus' : B -> B -> B) (R : A -> B -> Prop).
  Hypothesis R_plus : forall x x' y y', R x x' -> R y y' -> R (plus x y) (plus' x' y').

  Lemma related_put e e' b b' : fst e = fst e' -> R (snd e) (snd e') -> related R b b' ->
    related R (put plus e b) (put plus' e' b').
  Proof.
    intros K r H. unfold put. destruct H as [|[key x] [key' x'] b b' [k r'] H]; [now repeat constructor|].
    cbn in k. subst key'. rewrite <- K. destruct (fst e =? key); repeat (constructor; cbn in *; auto).
  Qed.

  Lemma related_merge b b' : related R b b' -> forall c c', related R c c' ->
    related R (merge plus b c) (merge plus' b' c').
  Proof.
    intros H. induction H as [|e e' b b' [k r] H IH]; [easy|]. intros c c' H'.
    induction H' as [|f f' c c' [k' r'] H' IHc]; [now repeat constructor|].
    cbn [merge]. assert ((fst e' <=? fst f') = (fst e <=? fst f)) as -> by now rewrite k, k'.
    destruct (fst e <=? fst f); apply related_put; auto.
    apply IH. now repeat constructor.
  Qed.

  Lemma related_merge_all bags bags' : Forall2 (related R) bags bags' ->
    related R (merge_all plus bags) (merge_all plus' bags').
  Proof.
    assert (forall bags bags', Forall2 (related R) bags bags' ->
      related R (fold_right (merge plus) [] bags) (fold_right (merge plus') [] bags')) as all.
    { clear - R_plus. induction 1; cbn [fold_right]; [constructor | now apply related_merge]. }
    assert (forall n bags bags', (length bags <= n)%nat -> Forall2 (related R) bags bags' ->
      Forall2 (related R) (merge_pairs plus bags) (merge_pairs plus' bags')) as pairs.
    { clear - R_plus. induction n as [|n IH]; intros bags bags' L H; destruct H as [|b b' ? ? H [|c c' ? ? H' rest]];
        cbn [length merge_pairs] in *; constructor; auto; try lia; [now apply related_merge|].
      apply IH; [lia | exact rest]. }
    unfold merge_all. intros H. replace (length bags') with (length bags) by (induction H; cbn; congruence).
    generalize (length bags) at 1 2. intros n. revert bags bags' H.
    induction n as [|n IH]; intros bags bags' H; [now apply all|].
    destruct H as [|b b' ? ? H [|c c' ? ? H' rest]]; try (apply all; now repeat constructor).
    apply IH, (pairs _ _ _ (Nat.le_refl _)). now repeat constructor.
  Qed.
End Related.

(** ** Digits *)

(** Sums, each so many times. *)
Definition tally (g : Z -> Z) (l : bag Z) : Z := bag_sum (fun a times => times * g a) l.

Lemma tally_cons g e l : tally g (e :: l) = snd e * g (fst e) + tally g l.
Proof. reflexivity. Qed.

Lemma tally_app g l l' : tally g (l ++ l') = tally g l + tally g l'.
Proof. unfold tally, bag_sum. rewrite map_app. induction (map _ l) as [|x xs IH]; cbn [app zsum]; lia. Qed.

(** With an item more. *)
Definition moved (items l : bag Z) : bag Z :=
  flat_map (fun item => map (fun e => (fst e + fst item, snd item * snd e)) l) items.
(** The sums, those above [high] as [high]. *)
Definition cut (high : Z) (l : bag Z) : bag Z := map (fun e => (Z.min (fst e) high, snd e)) l.

Lemma tally_moved g items l :
  tally g (moved items l) = bag_sum (fun f times => times * tally (fun a => g (a + f)) l) items.
Proof.
  unfold moved. induction items as [|item items IH]; [reflexivity|]. cbn [flat_map].
  rewrite tally_app, IH, bag_sum_cons. f_equal. clear IH. induction l as [|e l IH]; [cbn; lia|].
  cbn [map]. rewrite !tally_cons, IH. cbn [fst snd]. lia.
Qed.

Lemma tally_cut g high l : tally g (cut high l) = tally (fun a => g (Z.min a high)) l.
Proof. unfold cut. induction l as [|e l IH]; [reflexivity|]. cbn [map]. now rewrite !tally_cons, IH. Qed.

Definition counts (l : bag Z) : Prop := Forall (fun e => 0 <= snd e) l.
Definition total (l : bag Z) : Z := tally (fun _ => 1) l.

Section Digits.
  Variable size : Z.
  Hypothesis size_pos : 0 < size.
  Let B : Z := 2 ^ size.

  (** The integer with so many as digit number [e a]. *)
  Definition pack (e : Z -> Z) (l : bag Z) : Z := tally (fun a => B ^ e a) l.

  Lemma B_least : 2 <= B.
  Proof. unfold B. change 2 with (2 ^ 1) at 1. apply Z.pow_le_mono_r; lia. Qed.

  Lemma power k : 0 <= k -> 2 ^ (size * k) = B ^ k.
  Proof. intros. unfold B. now rewrite Z.pow_mul_r by lia. Qed.

  Lemma shifted_pack e k l : counts l -> total l < B -> 0 <= k ->
    Z.shiftr (pack e l) (size * k) = pack (fun a => e a - k) l.
  Proof.
    intros C T K. rewrite Z.shiftr_div_pow2, power by nia. pose proof B_least as Bl.
    assert (exists rest, pack e l = B ^ k * pack (fun a => e a - k) l + rest
      /\ 0 <= rest /\ rest * B <= total l * B ^ k) as (rest & E & R & S).
    { clear T. unfold pack, total. induction C as [|[a c] l Cx C IH]; [exists 0; cbn; lia|]. cbn [snd] in Cx.
      destruct IH as (rest & E & R & S). rewrite !tally_cons. cbn [fst snd]. rewrite E.
      destruct (Z.le_gt_cases k (e a)) as [L|L].
      - exists rest. replace (e a) with (k + (e a - k)) at 1 by ring. rewrite Z.pow_add_r by lia.
        pose proof (Z.pow_nonneg B k ltac:(lia)). repeat split; [ring | lia | nia].
      - rewrite (Z.pow_neg_r _ (e a - k)) by lia. exists (rest + c * B ^ e a).
        pose proof (Z.pow_nonneg B (e a) ltac:(lia)). repeat split; [ring | nia|].
        enough (B ^ e a * B <= B ^ k) by nia. destruct (Z.le_gt_cases 0 (e a)) as [L'|L'].
        + rewrite Z.mul_comm, <- Z.pow_succ_r by exact L'. apply Z.pow_le_mono_r; lia.
        + rewrite Z.pow_neg_r by exact L'. apply Z.pow_nonneg. lia. }
    symmetry. apply Z.div_unique_pos with rest; [|exact E]. pose proof (Z.pow_pos_nonneg B k ltac:(lia) K). nia.
  Qed.

  Lemma ones k : 0 <= k -> exists q, B ^ k = q * (B - 1) + 1.
  Proof.
    revert k. apply natlike_ind; [now exists 0|]. intros k K (q & E). rewrite Z.pow_succ_r, E by exact K.
    exists (q * B + 1). ring.
  Qed.

  Lemma digit_sum_pack e l : counts l -> total l < B - 1 ->
    digit_sum size (pack e l) = tally (fun a => if 0 <=? e a then 1 else 0) l.
  Proof.
    intros C T. unfold digit_sum. fold B. pose proof B_least as Bl. set (g := fun a => if 0 <=? e a then 1 else 0).
    assert (exists q, pack e l = (B - 1) * q + tally g l) as (q & E).
    { clear C T. unfold pack. induction l as [|[a c] l (q & E)]; [now exists 0; cbn; lia|]. rewrite !tally_cons, E.
      cbn [fst snd]. unfold g at 2. destruct (Z.leb_spec 0 (e a)) as [L|L].
      - destruct (ones _ L) as (r & ->). exists (q + c * r). ring.
      - rewrite Z.pow_neg_r by exact L. exists q. ring. }
    symmetry. apply Z.mod_unique_pos with q; [|exact E].
    enough (0 <= tally g l <= total l) by lia. clear - C. unfold total, g.
    induction C as [|[a c] l Cx C IH]; [cbn; lia|]. rewrite !tally_cons. cbn [fst snd] in *.
    destruct (0 <=? e a); lia.
  Qed.

  Definition value (x : digits) : Z := snd x * B ^ fst x.

  Lemma value_plus x y : 0 <= fst x -> 0 <= fst y ->
    0 <= fst (plus size x y) /\ value (plus size x y) = value x + value y.
  Proof.
    unfold plus, value. intros X Y. destruct (Z.eqb_spec (snd x) 0) as [->|]; [lia|].
    destruct (Z.eqb_spec (snd y) 0) as [->|]; [lia|].
    destruct (Z.leb_spec (fst x) (fst y)); cbn [fst snd]; (split; [assumption|]);
      rewrite Z.shiftl_mul_pow2, power by nia; [set (i := fst x) in *|set (i := fst y) in *].
    - replace (fst y) with (fst y - i + i) at 2 by ring. rewrite Z.pow_add_r by lia. ring.
    - replace (fst x) with (fst x - i + i) at 2 by ring. rewrite Z.pow_add_r by lia. ring.
  Qed.

  Lemma shifted_value n x : 0 <= n -> 0 <= fst x -> Z.shiftr (value x) (size * n)
    = if n <=? fst x then snd x * B ^ (fst x - n) else Z.shiftr (snd x) (size * (n - fst x)).
  Proof.
    intros N X. pose proof B_least. unfold value. rewrite Z.shiftr_div_pow2, power by nia.
    destruct (Z.leb_spec n (fst x)).
    - replace (fst x) with (fst x - n + n) at 1 by ring. rewrite Z.pow_add_r, Z.mul_assoc by lia. apply Z.div_mul.
      apply Z.pow_nonzero; lia.
    - rewrite Z.shiftr_div_pow2, power by nia. replace n with (n - fst x + fst x) at 1 by ring.
      rewrite Z.pow_add_r by lia. apply Z.div_mul_cancel_r; apply Z.pow_nonzero; lia.
  Qed.

  Lemma value_without_last n x : 0 <= n -> 0 <= fst x ->
    0 <= fst (without_last size n x) /\ value (without_last size n x) = Z.shiftr (value x) (size * n).
  Proof.
    intros N X. rewrite shifted_value by assumption. unfold without_last, value.
    destruct (Z.leb_spec n (fst x)); cbn [fst snd]; split; lia.
  Qed.

  Lemma digit_sum_value x : 0 <= fst x -> digit_sum size (value x) = digit_sum size (snd x).
  Proof.
    intros X. unfold digit_sum, value. fold B. pose proof B_least. destruct (ones _ X) as (q & ->).
    replace (snd x * (q * (B - 1) + 1)) with (snd x + snd x * q * (B - 1)) by ring. apply Z.mod_add. lia.
  Qed.

  Lemma value_capped width x : 0 <= width -> 0 <= fst x -> let over := Z.shiftr (value x) (size * width) in
    0 <= fst (capped size width x)
    /\ value (capped size width x) = value x + (digit_sum size over - over) * B ^ width.
  Proof.
    cbn zeta. intros W X. rewrite shifted_value by assumption. unfold capped.
    destruct (Z.leb_spec width (fst x)) as [L|L].
    - split; [exact W|]. change (snd x * B ^ (fst x - width)) with (value (fst x - width, snd x)) at 1.
      rewrite digit_sum_value by (cbn; lia). unfold value. cbn [fst snd].
      replace (fst x) with (fst x - width + width) at 1 by ring. rewrite Z.pow_add_r by lia. ring.
    - set (over := Z.shiftr _ _). destruct (Z.eqb_spec over 0) as [->|].
      + split; [exact X|]. unfold digit_sum. rewrite Z.mod_0_l; [lia|]. fold B. pose proof B_least. lia.
      + split; [exact X|]. unfold value. cbn [fst snd]. rewrite Z.shiftl_mul_pow2, power by nia.
        replace width with (width - fst x + fst x) at 2 by ring. rewrite (Z.pow_add_r _ (width - _)) by lia. ring.
  Qed.

  Lemma capped_pack e width x l : counts l -> total l < B - 1 -> 0 <= width -> 0 <= fst x -> value x = pack e l ->
    0 <= fst (capped size width x) /\ value (capped size width x) = pack (fun a => Z.min (e a) width) l.
  Proof.
    intros C T W X E. pose proof (value_capped width x W X) as [F ->]. split; [exact F|]. rewrite E.
    rewrite shifted_pack by (assumption || lia). rewrite digit_sum_pack by assumption. unfold pack. clear - W.
    induction l as [|[a c] l IH]; [reflexivity|]. rewrite !tally_cons. cbn [fst snd]. rewrite <- IH.
    destruct (Z.leb_spec 0 (e a - width)) as [L|L].
    - rewrite Z.min_r by lia. replace (e a) with (e a - width + width) at 1 by ring. rewrite Z.pow_add_r by lia. ring.
    - rewrite Z.min_l, (Z.pow_neg_r _ (e a - width)) by lia. ring.
  Qed.

  (** The last digits are those of no sum. *)
  Lemma last_digits e x l a c : counts l -> total l < B -> 0 <= fst x -> value x = pack e l ->
    In (a, c) l -> 0 <= e a < fst x -> c = 0.
  Proof.
    intros C T X E I A. pose proof B_least as Bl. set (k := fst x) in *.
    assert (tally (fun a => B ^ e a - B ^ k * B ^ (e a - k)) l = 0) as none.
    { transitivity (pack e l - B ^ k * pack (fun a => e a - k) l).
      - unfold pack. clear. induction l as [|[a c] l IH]; [cbn; lia|]. rewrite !tally_cons, IH. cbn [fst snd]. ring.
      - rewrite <- shifted_pack by assumption. rewrite <- E, shifted_value by assumption. fold k.
        rewrite Z.leb_refl, Z.sub_diag. unfold value. fold k. ring. }
    assert (forall a, 0 <= B ^ e a - B ^ k * B ^ (e a - k)) as pos.
    { intros b. destruct (Z.le_gt_cases k (e b)).
      - rewrite <- Z.pow_add_r by lia. replace (k + (e b - k)) with (e b) by ring. lia.
      - rewrite (Z.pow_neg_r _ (e b - k)) by lia. pose proof (Z.pow_nonneg B (e b) ltac:(lia)). lia. }
    revert none. unfold tally, bag_sum. clear T E. induction C as [|[b d] l Cx C IH]; [easy|].
    cbn [map zsum fst snd] in *. intros none. pose proof (pos b).
    assert (0 <= zsum (map (fun e0 => snd e0 * (B ^ e (fst e0) - B ^ k * B ^ (e (fst e0) - k))) l)).
    { apply zsum_nonneg. intros [b' d'] J. pose proof (proj1 (Forall_forall _ _) C _ J). cbn in *. specialize (pos b').
      nia. }
    destruct I as [I|I]; [|apply IH; [exact I | nia]]. injection I as -> ->.
    rewrite (Z.pow_neg_r _ (e a - k)) in none by lia. pose proof (Z.pow_pos_nonneg B (e a) ltac:(lia) ltac:(lia)). nia.
  Qed.
End Digits.

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
  first_width : least_first r <= most_first r;
  first_low : forall a b, a < - most_first r -> outcomes positions a b = 0;
  first_high : forall a a' b, - least_first r <= a -> - least_first r <= a' ->
    outcomes positions a b = outcomes positions a' b;
  second_high : forall a b, - least_second r <= b -> outcomes positions a b = 0;
  second_low : forall a b b', b <= -1 - most_second r -> b' <= -1 - most_second r ->
    outcomes positions a b = outcomes positions a b'
}.

Lemma reaches_plus P positions r : reaches_of positions r -> reaches_of (P :: positions) (reach_plus P r).
Proof.
  intros [W A B C D]. split; unfold reach_plus; cbn [least_first most_first least_second most_second outcomes].
  - enough (least_in (firsts P) <= most_in (firsts P)) by lia. destruct (firsts P) as [|x l]; [cbn; lia|].
    transitivity x; [apply least_in_le | apply most_in_ge]; now left.
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

Lemma tally_times times g l : tally (fun a => times * g a) l = times * tally g l.
Proof. induction l as [|e l IH]; [cbn; lia|]. rewrite !tally_cons, IH. lia. Qed.

Lemma tally_sum {A} (h : Z -> Z -> A -> Z) b l :
  tally (fun a => bag_sum (h a) b) l = bag_sum (fun key x => tally (fun a => h a key x) l) b.
Proof.
  unfold bag_sum. induction l as [|e l IH]; [unfold tally; cbn; induction b; cbn in *; auto|].
  rewrite tally_cons, IH, Z.mul_comm, <- zsum_times, zsum_plus. f_equal. apply map_ext. intros x.
  rewrite tally_cons. lia.
Qed.

(** Numbers of sums: the first ones by the second one. *)
Definition rows_sum (h : Z -> Z -> Z) (rows : bag (bag Z)) : Z :=
  bag_sum (fun b l => tally (fun a => h a b) l) rows.

(** [with_position] for bags of sums. *)
Definition sums_with_position (rows : bag (bag Z)) (step : cells * reach) : bag (bag Z) :=
  let '(P, behind) := step in each (cut (- least_first behind)) (extended_by (A := bag Z) (@app _) moved P behind rows).

Lemma rows_sum_cut h high rows : rows_sum h (each (cut high) rows) = rows_sum (fun a b => h (Z.min a high) b) rows.
Proof. unfold rows_sum, bag_sum, each. rewrite map_map. f_equal. apply map_ext. intros [b l]. apply tally_cut. Qed.

Lemma rows_sum_with_position h P behind rows : rows_sum h (sums_with_position rows (P, behind))
  = rows_sum (fun a b => over P (fun f o => let b' := Z.max (b + o) (-1 - most_second behind) in
      if b' <? - least_second behind then h (Z.min (a + f) (- least_first behind)) b' else 0)) rows.
Proof.
  cbn [sums_with_position]. set (h' := fun a b => let b' := Z.max b (-1 - most_second behind) in
    if b' <? - least_second behind then h (Z.min a (- least_first behind)) b' else 0).
  change (rows_sum h (each (cut (- least_first behind)) (extended_by (A := bag Z) (@app _) moved P behind rows))
    = rows_sum (fun a b => over P (fun f o => h' (a + f) (b + o))) rows).
  rewrite rows_sum_cut. unfold extended_by, rows_sum. set (with_items := fun entry : Z * bag Z => _).
  rewrite sum_merge_all by (intros; apply tally_app). rewrite map_map.
  set (cell := fun (entry : Z * bag Z) (row : Z * bag Z) => bag_sum (fun f times =>
    times * tally (fun a => h' (a + f) (fst row + fst entry)) (snd row)) (snd entry)).
  transitivity (zsum (map (fun entry => zsum (map (cell entry) rows)) P)).
  - f_equal. apply map_ext. intros entry. unfold with_items.
    induction rows as [|row rows IH]; [reflexivity|]. cbn [fold_right map zsum]. rewrite <- IH. clear IH.
    unfold cell, h'. cbn zeta. destruct (_ <? _).
    + rewrite sum_put by (intros; apply tally_app). f_equal. apply tally_moved.
    + assert (forall l, tally (fun _ => 0) l = 0) as none by (intros; apply bag_sum_zero; intros; lia).
      match goal with |- _ = ?x + _ => enough (x = 0) as -> by reflexivity end.
      apply bag_sum_zero. intros. rewrite none. lia.
  - rewrite zsum_exchange. unfold bag_sum at 1. f_equal. apply map_ext. intros [b l]. cbn [fst snd].
    unfold over. rewrite tally_sum. unfold cell. unfold bag_sum at 2. f_equal. apply map_ext. intros [o items].
    cbn [fst snd]. rewrite tally_sum. apply bag_sum_ext. intros f times _. now rewrite tally_times.
Qed.

(** What stands for the bags of sums. *)
Definition packed (size low : Z) (x : digits) (l : bag Z) : Prop :=
  counts l /\ 0 <= fst x /\ value size x = pack size (fun a => a - low) l.

(** The same sums where those above [high] are as good as it. *)
Definition alike (high : Z) (l l' : bag Z) : Prop := forall g, tally g (cut high l) = tally g (cut high l').

(** What does so, where some of the sums above [high] may already be put together. *)
Definition nearly (size low high : Z) (x : digits) (l : bag Z) : Prop :=
  counts l /\ exists l', packed size low x l' /\ alike high l' l.

Lemma rows_sum_le h k rows : (forall b l, In (b, l) rows -> counts l) -> (forall a b, h a b <= k a b) ->
  rows_sum h rows <= rows_sum k rows.
Proof.
  intros C L. apply bag_sum_le. intros b l I. apply bag_sum_le. intros a times J.
  pose proof (proj1 (Forall_forall _ _) (C b l I) _ J). cbn in *. specialize (L a b). nia.
Qed.

Lemma row_total b l rows : (forall b l, In (b, l) rows -> counts l) -> In (b, l) rows ->
  total l <= rows_sum (fun _ _ => 1) rows.
Proof.
  intros C I. assert (forall l, counts l -> 0 <= total l) as pos.
  { clear. intros l. unfold total. induction 1 as [|e l]; [reflexivity|]. rewrite tally_cons. lia. }
  unfold rows_sum, bag_sum. induction rows as [|row rows IH]; [easy|]. cbn [map zsum]. fold (total (snd row)).
  assert (0 <= zsum (map (fun entry => tally (fun _ => 1) (snd entry)) rows)).
  { apply zsum_nonneg. intros [b' l'] J. apply pos, (C b'). now right. }
  destruct I as [->|I]; [cbn [snd]; lia|]. specialize (IH (fun b l J => C b l (or_intror J)) I).
  assert (0 <= total (snd row)) by (apply pos, (C (fst row)); left; now destruct row). lia.
Qed.

Lemma choices_pos positions : 1 <= choices positions.
Proof.
  unfold choices. induction positions as [|P positions IH]; cbn [fold_right]; [lia|].
  match goal with |- _ <= ?x * _ => assert (1 <= x) by apply Z.le_max_l; nia end.
Qed.

(** Numbers of tokens are not negative. *)
Definition cells_ok (P : cells) : Prop := forall o items f times, In (o, items) P -> In (f, times) items -> 0 <= times.

Lemma over_at_most P h : cells_ok P -> (forall f o, h f o <= 1) ->
  over P h <= fold_right Z.add 0 (map snd (concat (map snd P))).
Proof.
  intros ok L. unfold over. induction P as [|[o items] P IH]; [reflexivity|]. rewrite bag_sum_cons.
  cbn [map concat fst snd]. rewrite map_app, fold_right_app.
  specialize (IH (fun o items f times J => ok o items f times (or_intror J))).
  pose proof (fun f times => ok o items f times (or_introl eq_refl)) as pos. clear ok. revert IH.
  generalize (fold_right Z.add 0 (map snd (concat (map snd P)))). intros rest IH.
  induction items as [|[f times] items IHi]; [exact IH|]. rewrite bag_sum_cons. cbn [map fold_right fst snd].
  specialize (IHi (fun f times J => pos f times (or_intror J))). specialize (pos f times (or_introl eq_refl)).
  specialize (L f o). nia.
Qed.

Section Packed.
  Variable size : Z.
  Hypothesis size_pos : 0 < size.

  Lemma packed_counts low rows sums : related (packed size low) rows sums -> forall b l, In (b, l) sums -> counts l.
  Proof. intros H b l I. destruct (related_in _ _ _ _ _ H I) as (x & C & _). exact C. Qed.

  Lemma bounded low rows sums : related (packed size low) rows sums -> rows_sum (fun _ _ => 1) sums < 2 ^ size - 1 ->
    related (fun x l => packed size low x l /\ total l < 2 ^ size - 1) rows sums.
  Proof.
    intros H T. apply related_and; [|exact H]. intros b l I. eapply Z.le_lt_trans; [|exact T].
    apply row_total with b; [|exact I]. exact (packed_counts _ _ _ H).
  Qed.

  Lemma value_spread most items x : 0 <= fst x -> (forall f times, In (f, times) items -> f <= most) ->
    forall start, 0 <= fst start ->
    let sum := fold_right (fun item sum =>
      let moved := without_last size (most - fst item) x in
      plus size (if snd item =? 1 then moved else (fst moved, snd item * snd moved)) sum) start items in
    0 <= fst sum /\ value size sum
      = bag_sum (fun f times => times * Z.shiftr (value size x) (size * (most - f))) items + value size start.
  Proof.
    cbn zeta. intros X ok start S. induction items as [|[f times] items IH]; [split; [exact S | reflexivity]|].
    cbn [fold_right fst snd]. set (sum := fold_right _ _ _) in *.
    destruct IH as [F E]; [intros f' t I; apply (ok f' t); now right|]. specialize (ok f times (or_introl eq_refl)).
    destruct (value_without_last size size_pos (most - f) x) as [F' E']; [lia | exact X|].
    set (moved := without_last size (most - f) x) in *.
    assert (forall y, 0 <= fst y -> value size y = times * value size moved ->
      0 <= fst (plus size y sum) /\ value size (plus size y sum)
      = bag_sum (fun f times => times * Z.shiftr (value size x) (size * (most - f))) ((f, times) :: items)
        + value size start) as rest.
    { intros y Y V. destruct (value_plus size size_pos y sum Y F) as [G ->]. split; [exact G|].
      rewrite V, E, E', bag_sum_cons. cbn [fst snd]. ring. }
    apply rest; (destruct (Z.eqb_spec times 1) as [T|]; [try rewrite T|unfold value; cbn [fst snd]]); try assumption; ring.
  Qed.

  Lemma bag_sum_filter {A} (h : Z -> A -> Z) p (b : bag A) :
    bag_sum h (filter (fun e => negb (p e)) b) + bag_sum h (filter p b) = bag_sum h b.
  Proof.
    induction b as [|e b IH]; [reflexivity|]. cbn [filter]. destruct (p e); cbn [negb]; rewrite !bag_sum_cons, <- IH;
      ring.
  Qed.

  Lemma counts_moved items l : (forall f times, In (f, times) items -> 0 <= times) -> counts l -> counts (moved items l).
  Proof.
    intros ok C. apply Forall_forall. intros e I. apply in_flat_map in I. destruct I as ([f times] & I & J).
    apply in_map_iff in J. destruct J as (e' & <- & J). apply ok in I. pose proof (proj1 (Forall_forall _ _) C _ J).
    cbn in *. nia.
  Qed.

  Lemma spread_nearly most width behind items x l :
    (forall f times, In (f, times) items -> f <= most /\ 0 <= times) -> 0 <= width ->
    packed size (- (most + behind)) x l -> total l < 2 ^ size - 1 ->
    nearly size (- behind) (width - behind) (spread size most width items x) (moved items l).
  Proof.
    intros ok W (C & X & E) T. split; [apply counts_moved; [intros f times I; now apply (ok f) | exact C]|].
    pose proof (B_least size size_pos) as Bl. unfold spread.
    set (over := fun item : Z * Z => width + most <=? fst x + fst item).
    pose proof (fun h => bag_sum_filter h over items) as split_sums.
    assert (forall f times, In (f, times) (filter over items) ->
      width + most <= fst x + f /\ f <= most /\ 0 <= times) as are_over.
    { intros f times I. apply filter_In in I. destruct I as [I O]. split; [now apply Z.leb_le in O | now apply ok]. }
    assert (forall f times, In (f, times) (filter (fun item => negb (over item)) items) -> f <= most /\ 0 <= times)
      as are_within by (intros f times I; apply filter_In in I; now apply ok).
    set (within := filter _ items) in *. set (overs := filter over items) in *. clearbody within overs. clear ok over.
    set (times := fold_right Z.add 0 (map snd overs)).
    set (start := if times =? 0 then (0, 0) else (width, times * digit_sum size (snd x))).
    exists (moved within l ++ cut (width - behind) (moved overs l)). split; [split|].
    - apply Forall_app. split; [|apply Forall_map]; apply counts_moved; try exact C; intros f t I;
        [now apply (are_within f t) | now apply (are_over f t)].
    - assert (0 <= fst start /\ value size start = times * (digit_sum size (snd x) * (2 ^ size) ^ width)) as [S V].
      { unfold start, value. destruct (Z.eqb_spec times 0) as [none|]; cbn [fst snd]; split; nia. }
      destruct (value_spread most within x X (fun f t I => proj1 (are_within f t I)) start S) as [F sum].
      split; [exact F|]. etransitivity; [exact sum|]. clear F sum. rewrite V. unfold pack. rewrite tally_app, tally_cut, !tally_moved. f_equal.
      + apply bag_sum_ext. intros f t I. f_equal. destruct (are_within f t I).
        rewrite E, shifted_pack by (assumption || lia). apply bag_sum_ext. intros a c _. do 2 f_equal. lia.
      + rewrite <- digit_sum_value, E, digit_sum_pack by assumption.
        transitivity (bag_sum (fun _ t => t * (tally (fun a => if 0 <=? a - - (most + behind) then 1 else 0) l
          * (2 ^ size) ^ width)) overs).
        { unfold times. generalize (tally (fun a => if 0 <=? a - - (most + behind) then 1 else 0) l). clear.
          intros d. induction overs as [|e overs IH]; [reflexivity|]. rewrite bag_sum_cons, <- IH.
          cbn [map fold_right]. ring. }
        apply bag_sum_ext. intros f t I. f_equal. destruct (are_over f t I) as (O & M & _).
        rewrite Z.mul_comm, <- tally_times. apply bag_sum_ext. intros a c J.
        pose proof (last_digits size size_pos _ x l a c C ltac:(lia) X E J) as zero. cbn beta in zero.
        destruct (Z.leb_spec 0 (a - - (most + behind))) as [L|L].
        * destruct (Z.eq_dec c 0) as [->|N]; [reflexivity|].
          rewrite Z.min_r by lia. replace (width - behind - - behind) with width by ring. ring.
        * rewrite Z.min_l, (Z.pow_neg_r _ (a + f - - behind)) by lia. ring.
    - intros g. rewrite !tally_cut, tally_app, tally_cut, !tally_moved. rewrite <- split_sums. f_equal.
      apply bag_sum_ext. intros f t _. f_equal. apply bag_sum_ext. intros a c _. do 2 f_equal. lia.
  Qed.

  Lemma with_position_packed P behind rows sums : cells_ok P -> least_first behind <= most_first behind ->
    let next := sums_with_position sums (P, behind) in
    related (packed size (- (most_in (firsts P) + most_first behind))) rows sums ->
    rows_sum (fun _ _ => 1) sums < 2 ^ size - 1 -> rows_sum (fun _ _ => 1) next < 2 ^ size - 1 ->
    related (packed size (- most_first behind)) (with_position size rows (P, behind)) next.
  Proof.
    cbn zeta. intros P_ok width H T T'. cbn [with_position sums_with_position] in *.
    set (sums' := extended_by (A := bag Z) (@app _) moved P behind sums) in *. rewrite rows_sum_cut in T'.
    cbn beta in T'.
    set (high := - least_first behind) in *. set (width' := most_first behind - least_first behind) in *.
    assert (related (nearly size (- most_first behind) high)
      (extended_by (plus size) (spread size (most_in (firsts P)) width') P behind rows) sums') as all.
    { clear T'. subst sums'.
      assert (forall x y l l', nearly size (- most_first behind) high x l -> nearly size (- most_first behind) high y l' ->
        nearly size (- most_first behind) high (plus size x y) (l ++ l')) as together.
      { intros x y l l' (C & k & (Ck & X & E) & A) (C' & k' & (Ck' & Y & E') & A').
        split; [now apply Forall_app|]. exists (k ++ k'). split; [split; [now apply Forall_app|]|].
        - destruct (value_plus size size_pos x y X Y) as [F ->]. split; [exact F|]. unfold pack. now rewrite tally_app, E, E'.
        - intros g. unfold cut. rewrite !map_app, !tally_app. f_equal; [apply A | apply A']. }
      apply related_merge_all; [exact (fun x l y l' => together x y l l') |].
      apply maps_related. intros [o items] within. cbn [fst snd]. apply bounded in H; [|exact T]. clear T.
      induction H as [|row row' rows' sums'' [k [r t]] _ IHr]; cbn [fold_right]; [constructor|]. rewrite <- k.
      destruct (_ <? _); [|exact IHr]. apply related_put; auto. cbn [snd].
      unfold high. replace (- least_first behind) with (width' - most_first behind) by (unfold width'; ring).
      apply spread_nearly; [|unfold width'; lia | exact r | exact t]. intros f times I.
      split; [|now apply (P_ok o items f)].
      apply most_in_ge, in_map_iff. exists (f, times). split; [reflexivity|]. apply in_concat. exists items.
      split; [|exact I]. apply in_map_iff. now exists (o, items). }
    clear H. apply (related_and _ (fun l => total l < 2 ^ size - 1)) in all.
    2: { intros b l I. eapply Z.le_lt_trans; [|exact T']. apply row_total with b; [|exact I].
      intros b' l' I'. destruct (related_in _ _ _ _ _ all I') as (x & C & _). exact C. }
    clear - all width size_pos. unfold each.
    induction all as [|row row' rows' sums'' [k [(C & l & (Cl & X & E) & A) t]] _ IH]; constructor; [|exact IH].
    split; [exact k|]. cbn [snd].
    assert (total l = total (snd row')) as same.
    { specialize (A (fun _ => 1)). now rewrite !tally_cut in A. }
    destruct (capped_pack size size_pos (fun a => a - - most_first behind) width' (snd row) l) as [F V];
      try assumption; [rewrite same; exact t | unfold width'; lia|].
    split; [now apply Forall_map|]. split; [exact F|]. rewrite V. unfold pack.
    etransitivity; [|apply A]. rewrite tally_cut. apply bag_sum_ext. intros a c _. do 2 f_equal.
    unfold high, width'. lia.
  Qed.

  Lemma reached_packed rows sums : related (packed size 0) rows sums -> rows_sum (fun _ _ => 1) sums < 2 ^ size - 1 ->
    reached size rows = rows_sum (outcomes []) sums.
  Proof.
    intros H T. apply bounded in H; [|exact T]. clear T. unfold reached. set (add_row := fun sum row => _).
    rewrite <- (Z.add_0_l (rows_sum _ _)). generalize 0.
    induction H as [|[b x] [b' l] rows sums [k [(C & X & E) T]] _ IH]; intros start; [cbn; lia|].
    cbn [fold_left]. rewrite IH. unfold rows_sum, add_row. rewrite bag_sum_cons. cbn [fst snd] in *. subst b'.
    rewrite <- digit_sum_value, E, digit_sum_pack by (assumption || lia).
    cbn [outcomes]. destruct (b <? 0).
    - enough (tally (fun a => if (0 <=? a) && true then 1 else 0) l
        = tally (fun a => if 0 <=? a - 0 then 1 else 0) l) by lia.
      apply bag_sum_ext. intros a c _. now rewrite andb_true_r, Z.sub_0_r.
    - enough (tally (fun a => if (0 <=? a) && false then 1 else 0) l = 0) by lia.
      apply bag_sum_zero. intros a c _. rewrite andb_false_r. lia.
  Qed.

  Lemma steps_packed positions : Forall cells_ok positions -> forall rows sums,
    related (packed size (- most_first (snd (reaching positions)))) rows sums ->
    rows_sum (fun _ _ => 1) sums * choices positions < 2 ^ size - 1 ->
    reached size (fold_left (with_position size) (fst (reaching positions)) rows) = rows_sum (outcomes positions) sums.
  Proof.
    induction 1 as [|P positions P_ok _ IH]; intros rows sums H T.
    - apply reached_packed; [exact H|]. cbn [choices fold_right] in T. lia.
    - pose proof (reaching_reaches positions) as R. cbn [reaching] in *.
      destruct (reaching positions) as [steps behind].
      cbn [fst snd fold_left choices fold_right] in *. fold (choices positions) in T.
      set (most := Z.max 1 _) in T.
      pose proof (packed_counts _ _ _ H) as sums_ok.
      assert (1 <= choices positions) as C by apply choices_pos.
      assert (rows_sum (fun _ _ => 1) (sums_with_position sums (P, behind)) <= rows_sum (fun _ _ => 1) sums * most)
        as next.
      { rewrite rows_sum_with_position. transitivity (rows_sum (fun _ _ => most * 1) sums).
        - apply rows_sum_le; [exact sums_ok|]. intros a b. rewrite Z.mul_1_r. etransitivity; [|apply Z.le_max_r].
          apply over_at_most; [exact P_ok|]. intros f o. cbn zeta. now destruct (_ <? _).
        - apply Z.eq_le_incl. unfold rows_sum. unfold bag_sum. rewrite <- zsum_times. f_equal. apply map_ext.
          intros [b l]. rewrite tally_times. apply Z.mul_comm. }
      pose proof (B_least size size_pos). assert (1 <= most) by apply Z.le_max_l.
      revert T next. set (before := rows_sum _ sums). set (after := rows_sum _ (sums_with_position _ _)). intros.
      assert (before < 2 ^ size - 1 /\ before * most < 2 ^ size - 1) as [].
      { destruct (Z.le_gt_cases before 0); [nia|].
        assert (before * most <= before * (most * choices positions)) by nia. nia. }
      rewrite IH with (sums := sums_with_position sums (P, behind)).
      + rewrite rows_sum_with_position. cbn [outcomes]. apply bag_sum_ext. intros b l _. apply bag_sum_ext.
        intros a c _. f_equal. apply over_ext. intros f o _ _. destruct R as [_ _ A D E]. cbn zeta.
        set (b' := Z.max (b + o) (-1 - most_second behind)).
        transitivity (outcomes positions (a + f) b').
        * destruct (Z.ltb_spec b' (- least_second behind)) as [L|L]; [|symmetry; now apply D].
          destruct (Z.min_spec (a + f) (- least_first behind)) as [[_ ->]|[L' ->]]; [reflexivity | apply A; lia].
        * destruct (Z.max_spec (b + o) (-1 - most_second behind)) as [[L M]|[L M]]; unfold b'; rewrite M;
            [apply E; lia | reflexivity].
      + apply with_position_packed; auto; [apply R | lia].
      + nia.
  Qed.
End Packed.

Theorem sequences_exact positions : Forall cells_ok positions -> sequences_of positions = outcomes positions 0 0.
Proof.
  intros ok. unfold sequences_of. set (size := bit_length (choices positions) + 1).
  pose proof (choices_pos positions) as C.
  assert (0 < size /\ choices positions < 2 ^ size - 1) as [S T].
  { unfold size, bit_length. destruct (Z.leb_spec (choices positions) 0); [lia|].
    pose proof (Z.log2_nonneg (choices positions)). pose proof (Z.log2_spec (choices positions) ltac:(lia)) as [_ L].
    rewrite <- Z.add_1_r in L. rewrite Z.add_1_r, Z.pow_succ_r by lia. lia. }
  pose proof (fun rows => steps_packed size S positions ok rows [(0, [(0, 1)])]) as exact.
  destruct (reaching positions) as [steps all]. cbn [fst snd] in exact. rewrite exact.
  - unfold rows_sum, bag_sum, tally, bag_sum. cbn [map zsum fst snd]. lia.
  - constructor; [|constructor]. split; [reflexivity|]. split; [repeat constructor; cbn; lia|]. cbn [snd].
    unfold without_last, value, pack, tally, bag_sum. cbn [map zsum fst snd].
    replace (0 - - most_first all) with (most_first all) by ring.
    destruct (Z.leb_spec (- most_first all) 0); cbn [fst snd]; (split; [lia|]).
    + lia.
    + rewrite (Z.pow_neg_r _ (most_first all)), Z.shiftr_eq_0 by (cbn; nia). lia.
  - unfold rows_sum, bag_sum, tally, bag_sum. cbn [map zsum fst snd]. lia.
Qed.

(** ** Tokens *)

Lemma over_cells first second times h : over (cells_of first second times) h
  = zsum (map (fun item => snd item * h (fst (fst item)) (snd (fst item))) (combine (combine first second) times)).
Proof.
  unfold over, cells_of. rewrite sum_merge_all.
  - rewrite map_map. f_equal. apply map_ext. intros [[f o] t]. unfold bag_sum. cbn [map zsum fst snd]. lia.
  - intros k x y. apply sum_merge. intros. lia.
Qed.

Lemma cells_of_ok first second times : (forall t, In t times -> 0 <= t) -> cells_ok (cells_of first second times).
Proof.
  intros pos o items f t I J.
  assert (related (fun _ items : bag Z => related (fun _ t : Z => 0 <= t) items items)
    (cells_of first second times) (cells_of first second times)) as ok.
  { apply related_merge_all; [intros x x' y y' H H'; apply related_merge; auto; intros; lia|].
    apply maps_related. intros [[f' o'] t'] K. apply in_combine_r in K. repeat constructor. now apply pos. }
  destruct (related_in _ _ _ _ _ ok I) as (_ & ok'). now destruct (related_in _ _ _ _ _ ok' J) as (_ & K).
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
      intros [L R] [L' R'].
      assert (forall skipped bins, cells_ok (cells_from skipped bins)) as ok.
      { clear. intros. apply cells_of_ok. intros t I. assert (In t times) as J
          by (rewrite <- (firstn_skipn skipped times); apply in_or_app; now right).
        apply in_map_iff in J. destruct J as (c & <- & _). lia. }
      rewrite sequences_exact by (repeat constructor; [apply ok | apply Forall_map, Forall_forall; intros; apply ok]).
      cbn [combine outcomes]. unfold cells_from at 1. rewrite over_cells.
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
