(** * The counts on a grid are exact (theorems [count_at_most], [count_at_least]) *)

From Coq Require Import ZArith List Bool Lia Permutation.
From gbmi Require Import Fixed CheckerLevels CheckerGrid CheckerCriterionSoundCount CheckerLevelsSound.
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

(** How many sequences of items reach the set from a state and two sums on. *)
Fixpoint outcomes (positions : list position) (state : nat) (a b : Z) : Z :=
  match positions with
  | [] => if (0 <=? a) && (b <? 0) then 1 else 0
  | P :: positions =>
      zsum (map (fun move => over (cells_at P (fst move))
        (fun first second => outcomes positions (snd move) (a + first) (b + second))) (moves_at (moves_here P) state))
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

(** An item of a move is one of all items. *)
Lemma all_cells_incl P state move : In move (moves_at (moves_here P) state) ->
  (forall first, In first (firsts (cells_at P (fst move))) -> In first (firsts (all_cells P)))
  /\ forall second, In second (seconds (cells_at P (fst move))) -> In second (seconds (all_cells P)).
Proof.
  intros M. assert (incl (cells_at P (fst move)) (all_cells P)) as I.
  { intros e I. unfold all_cells. apply in_concat. exists (cells_at P (fst move)). split; [|exact I].
    apply in_map_iff. exists move. split; [reflexivity|]. now apply in_moves with state. }
  split.
  - intros first F. unfold firsts in *. apply in_map_iff in F. destruct F as (e & <- & F). apply in_map.
    apply in_concat in F. destruct F as (items & J & F). apply in_concat. exists items. split; [|exact F].
    apply in_map_iff in J. destruct J as (x & <- & J). apply in_map. now apply I.
  - intros second S. unfold seconds in *. apply in_map_iff in S. destruct S as (e & <- & S). apply in_map. now apply I.
Qed.

(** Where the rest of a sequence changes nothing. *)
Record reaches_of (positions : list position) (r : reach) : Prop := {
  first_width : least_first r <= most_first r;
  first_low : forall state a b, a < - most_first r -> outcomes positions state a b = 0;
  first_high : forall state a a' b, - least_first r <= a -> - least_first r <= a' ->
    outcomes positions state a b = outcomes positions state a' b;
  second_high : forall state a b, - least_second r <= b -> outcomes positions state a b = 0;
  second_low : forall state a b b', b <= -1 - most_second r -> b' <= -1 - most_second r ->
    outcomes positions state a b = outcomes positions state a b'
}.

Lemma reaches_plus P positions r : reaches_of positions r -> reaches_of (P :: positions) (reach_plus (all_cells P) r).
Proof.
  intros [W A B C D].
  assert (forall state h, (forall move first second, In move (moves_at (moves_here P) state) ->
    In first (firsts (all_cells P)) -> In second (seconds (all_cells P)) -> h move first second = 0) ->
    zsum (map (fun move => over (cells_at P (fst move)) (h move)) (moves_at (moves_here P) state)) = 0) as none.
  { intros state h H. rewrite <- (zsum_zero (moves_at (moves_here P) state)). f_equal. apply map_ext_in. intros move M.
    rewrite <- (over_zero (cells_at P (fst move))). apply over_ext. intros f o F O.
    destruct (all_cells_incl P state move M) as [Fi Se]. apply H; auto. }
  assert (forall state h h', (forall move first second, In move (moves_at (moves_here P) state) ->
    In first (firsts (all_cells P)) -> In second (seconds (all_cells P)) ->
      h move first second = h' move first second) ->
    zsum (map (fun move => over (cells_at P (fst move)) (h move)) (moves_at (moves_here P) state))
    = zsum (map (fun move => over (cells_at P (fst move)) (h' move)) (moves_at (moves_here P) state))) as same.
  { intros state h h' H. f_equal. apply map_ext_in. intros move M. apply over_ext. intros f o F O.
    destruct (all_cells_incl P state move M) as [Fi Se]. apply H; auto. }
  split; unfold reach_plus; cbn [least_first most_first least_second most_second outcomes].
  - enough (least_in (firsts (all_cells P)) <= most_in (firsts (all_cells P))) by lia.
    destruct (firsts (all_cells P)) as [|x l]; [cbn; lia|].
    transitivity x; [apply least_in_le | apply most_in_ge]; now left.
  - intros state a b Lt. apply none. intros move f o _ F O. apply A. apply most_in_ge in F. lia.
  - intros state a a' b Lt Lt'. apply same. intros move f o _ F O. apply least_in_le in F. apply B; lia.
  - intros state a b Lt. apply none. intros move f o _ F O. apply C. apply least_in_le in O. lia.
  - intros state a b b' Lt Lt'. apply same. intros move f o _ F O. apply most_in_ge in O. apply D; lia.
Qed.

Lemma reaching_reaches positions : reaches_of positions (snd (reaching positions)).
Proof.
  induction positions as [|P positions IH].
  - split; cbn [reaching snd least_first most_first least_second most_second outcomes];
      try match goal with |- nat -> _ => intros _ end; intros *;
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

(** By state. *)
Definition states_sum (h : nat -> Z -> Z -> Z) (rows : list (bag (bag Z))) : Z :=
  zsum (map (fun state => rows_sum (h state) (nth state rows [])) (seq 0 (length rows))).

(** [with_position] for bags of sums. *)
Definition sums_with_position (rows : list (bag (bag Z))) (step : position * reach) : list (bag (bag Z)) :=
  let '(P, behind) := step in map (each (cut (- least_first behind))) (moved_on (A := bag Z) (@app _) moved P behind
    rows).

Lemma rows_sum_cut h high rows : rows_sum h (each (cut high) rows) = rows_sum (fun a b => h (Z.min a high) b) rows.
Proof. unfold rows_sum, bag_sum, each. rewrite map_map. f_equal. apply map_ext. intros [b l]. apply tally_cut. Qed.

Lemma rows_sum_extended h P behind rows :
  zsum (map (rows_sum h) (extended_by (A := bag Z) (@app _) moved behind rows P))
  = rows_sum (fun a b => over P (fun f o => let b' := Z.max (b + o) (-1 - most_second behind) in
      if b' <? - least_second behind then h (a + f) b' else 0)) rows.
Proof.
  set (h' := fun a b => let b' := Z.max b (-1 - most_second behind) in
    if b' <? - least_second behind then h a b' else 0).
  change (zsum (map (rows_sum h) (extended_by (A := bag Z) (@app _) moved behind rows P))
    = rows_sum (fun a b => over P (fun f o => h' (a + f) (b + o))) rows).
  unfold extended_by, rows_sum. set (with_items := fun entry : Z * bag Z => _). rewrite map_map.
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

Lemma zsum_combine_states {A B} (F : A -> list B -> Z) (d : A) : (forall a, F a [] = 0) -> forall rows ms,
  zsum (map (fun pair => F (fst pair) (snd pair)) (combine rows ms))
  = zsum (map (fun state => F (nth state rows d) (nth state ms [])) (seq 0 (length rows))).
Proof.
  intros H. induction rows as [|r rows IH]; intros ms; [reflexivity|]. cbn [length seq map zsum].
    rewrite <- seq_shift, map_map.
  destruct ms as [|m ms]; cbn [combine map zsum nth fst snd].
  - rewrite H. rewrite (map_ext _ (fun _ => 0)) by (intros; apply H). now rewrite zsum_zero.
  - f_equal. rewrite IH. reflexivity.
Qed.

Lemma zsum_map_concat {A} (h : A -> Z) (ls : list (list A)) : zsum (map h (concat ls))
  = zsum (map (fun l => zsum (map h l)) ls).
Proof. apply zsum_concat. Qed.

Lemma states_sum_with_position h P behind rows : states_sum h (sums_with_position rows (P, behind))
  = states_sum (fun state a b => zsum (map (fun move =>
      over (cells_at P (fst move)) (fun f o => let b' := Z.max (b + o) (-1 - most_second behind) in
        if b' <? - least_second behind then h (snd move) (Z.min (a + f) (- least_first behind)) b' else 0))
      (moves_at (moves_here P) state))) rows.
Proof.
  cbn [sums_with_position]. unfold states_sum at 1, moved_on. rewrite !map_length, seq_length.
  set (width := S (list_max _)). set (to := moved_to _ _ _ _ _).
  set (E := fun (next : nat) (row : bag (bag Z)) (move : nat * nat) => rows_sum (fun a b =>
      over (cells_at P (fst move)) (fun f o => let b' := Z.max (b + o) (-1 - most_second behind) in
        if b' <? - least_second behind then h next (Z.min (a + f) (- least_first behind)) b' else 0)) row).
  assert (forall next, (next < width)%nat -> rows_sum (h next) (nth next (map (each (cut (- least_first behind))) (map
    to (seq 0 width))) [])
    = zsum (map (fun pair : bag (bag Z) * list (nat * nat) =>
        zsum (map (E next (fst pair)) (filter (fun move => (snd move =? next)%nat) (snd pair)))) (combine rows
          (moves_here P)))) as one.
  { intros next B. rewrite map_map.
    rewrite nth_indep with (d' := each (cut (- least_first behind)) (to O)) by (rewrite map_length, seq_length;
      exact B).
    rewrite (map_nth (fun x => each (cut (- least_first behind)) (to x))), seq_nth by exact B. cbn [Nat.add].
    rewrite rows_sum_cut. unfold to, moved_to. unfold rows_sum at 1. rewrite sum_merge_all by (intros; apply tally_app).
    rewrite zsum_map_concat, map_map. f_equal. apply map_ext. intros pair. rewrite zsum_map_concat, map_map. f_equal.
    apply map_ext. intros move.
    exact (rows_sum_extended (fun a b => h next (Z.min a (- least_first behind)) b) (cells_at P (fst move)) behind
      (fst pair)). }
  rewrite (map_ext_in _ (fun next => zsum (map (fun pair : bag (bag Z) * list (nat * nat) =>
        zsum (map (E next (fst pair)) (filter (fun move => (snd move =? next)%nat) (snd pair)))) (combine rows
          (moves_here P)))))
    by (intros next I; apply one; apply in_seq in I; lia).
  rewrite zsum_exchange.
  rewrite (map_ext_in _ (fun pair : bag (bag Z) * list (nat * nat) => zsum (map (fun move => E (snd move) (fst pair)
    move) (snd pair)))).
  - rewrite (zsum_combine_states (fun row moves => zsum (map (fun move => E (snd move) row move) moves)) []) by
    reflexivity.
    unfold states_sum. f_equal. apply map_ext. intros state. fold (moves_at (moves_here P) state). unfold E.
    unfold rows_sum. unfold bag_sum. rewrite zsum_exchange. f_equal. apply map_ext. intros [b l]. cbn [fst snd].
    unfold tally, bag_sum. rewrite zsum_exchange. f_equal. apply map_ext. intros [a c]. cbn [fst snd].
    rewrite Z.mul_comm, <- zsum_times. f_equal. apply map_ext. intros move. lia.
  - intros [row moves] I. cbn [fst snd].
    apply (zsum_by_key (fun move : nat * nat => snd move) (fun next move => E next row move)); [apply seq_NoDup|].
    intros move M. apply in_seq. split; [lia|]. unfold width. apply Nat.lt_succ_r.
    assert (In (snd move) (map snd (concat (moves_here P)))) as J.
    { apply in_map, in_concat. exists moves. split; [now apply in_combine_r in I | exact M]. }
    revert J. apply (Forall_forall (fun k => (k <= _)%nat)). apply list_max_le. reflexivity.
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

Lemma choices_of_pos P : 1 <= choices_of P.
Proof. unfold choices_of. induction (map _ (moves_here P)) as [|x l IH]; cbn [fold_right]; lia. Qed.

Lemma choices_pos positions : 1 <= choices positions.
Proof.
  unfold choices. induction positions as [|P positions IH]; cbn [fold_right];
    [lia|]. pose proof (choices_of_pos P). nia.
Qed.

(** Numbers of tokens are not negative. *)
Definition cells_ok (P : cells) : Prop := forall o items f times, In (o, items) P -> In (f, times) items -> 0 <= times.

Lemma over_at_most P h : cells_ok P -> (forall f o, h f o <= 1) -> over P h <= times_in P.
Proof.
  intros ok L. unfold times_in, over. induction P as [|[o items] P IH]; [reflexivity|]. rewrite bag_sum_cons.
  cbn [map concat fst snd]. rewrite map_app, fold_right_app.
  specialize (IH (fun o items f times J => ok o items f times (or_intror J))).
  pose proof (fun f times => ok o items f times (or_introl eq_refl)) as pos. clear ok. revert IH.
  generalize (fold_right Z.add 0 (map snd (concat (map snd P)))). intros rest IH.
  induction items as [|[f times] items IHi]; [exact IH|]. rewrite bag_sum_cons. cbn [map fold_right fst snd].
  specialize (IHi (fun f times J => pos f times (or_intror J))). specialize (pos f times (or_introl eq_refl)).
  specialize (L f o). nia.
Qed.

(** All moves of a state. *)
Lemma moves_at_most P state h : (forall c, cells_ok (cells_at P c)) -> (forall move f o, h move f o <= 1) ->
  zsum (map (fun move => over (cells_at P (fst move)) (h move)) (moves_at (moves_here P) state)) <= choices_of P.
Proof.
  intros ok H. transitivity (zsum (map (fun move => times_in (cells_at P (fst move))) (moves_at (moves_here P) state))).
  - apply zsum_le. intros move _. apply over_at_most; auto.
  - unfold choices_of, moves_at.
    assert (forall l, fold_right Z.add 0 l = zsum l) as E by (induction l; cbn; congruence).
    destruct (nth_in_or_default state (moves_here P) []) as [I| ->]; [|pose proof (choices_of_pos P) as C;
      unfold choices_of in C; cbn [map zsum]; lia].
    revert I. generalize (nth state (moves_here P) []). intros ms.
    induction (moves_here P) as [|moves l IH]; intros I; [destruct I|]. cbn [map fold_right].
    destruct I as [->|I]; [rewrite <- E; lia|]. specialize (IH I). lia.
Qed.

Section Packed.
  Variable size : Z.
  Hypothesis size_pos : 0 < size.

  Lemma packed_counts low rows sums : related (packed size low) rows sums -> forall b l, In (b, l) sums -> counts l.
  Proof. intros H b l I. destruct (related_in _ _ _ _ _ H I) as (x & C & _). exact C. Qed.

  Lemma all_packed_counts low rows sums : Forall2 (related (packed size low)) rows sums ->
    forall r b l, In r sums -> In (b, l) r -> counts l.
  Proof.
    induction 1 as [|x y rows sums H _ IH]; intros r b l I J; [destruct I|].
    destruct I as [<-|I]; [now apply (packed_counts low x y H b) | now apply (IH r b)].
  Qed.

  Lemma bounded low rows sums : related (packed size low) rows sums -> rows_sum (fun _ _ => 1) sums < 2 ^ size - 1 ->
    related (fun x l => packed size low x l /\ total l < 2 ^ size - 1) rows sums.
  Proof.
    intros H T. apply related_and; [|exact H]. intros b l I. eapply Z.le_lt_trans; [|exact T].
    apply row_total with b; [|exact I]. exact (packed_counts _ _ _ H).
  Qed.

  Lemma rows_sum_nonneg rows : (forall b l, In (b, l) rows -> counts l) -> 0 <= rows_sum (fun _ _ => 1) rows.
  Proof.
    intros C. transitivity (rows_sum (fun _ _ => 0) rows); [|apply rows_sum_le; [exact C | lia]].
    apply Z.eq_le_incl. symmetry. apply bag_sum_zero. intros b l _. apply bag_sum_zero. intros. lia.
  Qed.

  Lemma state_total sums r : (forall r b l, In r sums -> In (b, l) r -> counts l) -> In r sums ->
    rows_sum (fun _ _ => 1) r <= zsum (map (rows_sum (fun _ _ => 1)) sums).
  Proof.
    intros C I. induction sums as [|x sums IH]; [destruct I|]. cbn [map zsum].
    pose proof (rows_sum_nonneg x (fun b l => C x b l (or_introl eq_refl))).
    assert (0 <= zsum (map (rows_sum (fun _ _ => 1)) sums)).
    { apply zsum_nonneg. intros y J. apply rows_sum_nonneg. intros b l. apply (C y). now right. }
    destruct I as [<-|I]; [lia|]. specialize (IH (fun y b l J => C y b l (or_intror J)) I). lia.
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
    apply rest; (destruct (Z.eqb_spec times 1) as [T|]; [try rewrite T|unfold value; cbn [fst snd]]); try assumption;
      ring.
  Qed.

  Lemma bag_sum_filter {A} (h : Z -> A -> Z) p (b : bag A) :
    bag_sum h (filter (fun e => negb (p e)) b) + bag_sum h (filter p b) = bag_sum h b.
  Proof.
    induction b as [|e b IH]; [reflexivity|]. cbn [filter]. destruct (p e); cbn [negb]; rewrite !bag_sum_cons, <- IH;
      ring.
  Qed.

  Lemma counts_moved items l : (forall f times, In (f, times) items -> 0 <= times) -> counts l ->
    counts (moved items l).
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
      split; [exact F|]. etransitivity; [exact sum|]. clear F sum. rewrite V. unfold pack.
        rewrite tally_app, tally_cut, !tally_moved. f_equal.
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

  Lemma moved_to_nearly P behind rows sums next : (forall c, cells_ok (cells_at P c)) ->
    least_first behind <= most_first behind ->
    Forall2 (related (packed size (- (most_in (firsts (all_cells P)) + most_first behind)))) rows sums ->
    zsum (map (rows_sum (fun _ _ => 1)) sums) < 2 ^ size - 1 ->
    related (nearly size (- most_first behind) (- least_first behind))
      (moved_to (plus size) (spread size (most_in (firsts (all_cells P))) (most_first behind - least_first behind)) P
        behind
        rows next)
      (moved_to (A := bag Z) (@app _) moved P behind sums next).
  Proof.
    intros P_ok width H T. set (high := - least_first behind). set (width' := most_first behind - least_first behind).
    assert (forall x y l l', nearly size (- most_first behind) high x l ->
      nearly size (- most_first behind) high y l' ->
      nearly size (- most_first behind) high (plus size x y) (l ++ l')) as together.
    { intros x y l l' (C & k & (Ck & X & E) & A) (C' & k' & (Ck' & Y & E') & A').
      split; [now apply Forall_app|]. exists (k ++ k'). split; [split; [now apply Forall_app|]|].
      - destruct (value_plus size size_pos x y X Y) as [F ->]. split;
        [exact F|]. unfold pack. now rewrite tally_app, E, E'.
      - intros g. unfold cut. rewrite !map_app, !tally_app. f_equal; [apply A | apply A']. }
    unfold moved_to. apply related_merge_all; [exact (fun x l y l' => together x y l l') |].
    assert (forall row row' (move : nat * nat), In move (concat (moves_here P)) ->
      related (fun x l => packed size (- (most_in (firsts (all_cells P)) + most_first behind)) x l
        /\ total l < 2 ^ size - 1) row row' ->
      Forall2 (related (nearly size (- most_first behind) high))
        (extended_by (plus size) (spread size (most_in (firsts (all_cells P))) width') behind row (cells_at P (fst
          move)))
        (extended_by (A := bag Z) (@app _) moved behind row' (cells_at P (fst move)))) as one.
    { intros row row' move M R. unfold extended_by.
      apply maps_related. intros [o items] within. cbn [fst snd].
      induction R as [|x x' rows' sums'' [k [r t]] _ IHr]; cbn [fold_right]; [constructor|]. rewrite <- k.
      destruct (_ <? _); [|exact IHr]. apply related_put; auto. cbn [snd].
      unfold high. replace (- least_first behind) with (width' - most_first behind) by (unfold width'; ring).
      apply spread_nearly; [|unfold width'; lia | exact r | exact t]. intros f times I.
      split; [|now apply (P_ok (fst move) o items f)].
      apply most_in_ge. unfold firsts. apply in_map_iff. exists (f, times). split; [reflexivity|]. apply in_concat.
      exists items. split; [|exact I]. apply in_map_iff. exists (o, items). split; [reflexivity|].
      unfold all_cells. apply in_concat. exists (cells_at P (fst move)). split;
        [|exact within]. apply in_map_iff. now exists move. }
    assert (Forall2 (related (fun x l => packed size (- (most_in (firsts (all_cells P)) + most_first behind)) x l
        /\ total l < 2 ^ size - 1)) rows sums) as H'.
    { pose proof (all_packed_counts _ _ _ H) as C. revert C T. clear - H.
      assert (forall sums', incl sums sums' -> (forall r b l, In r sums' -> In (b, l) r -> counts l) ->
        zsum (map (rows_sum (fun _ _ => 1)) sums') < 2 ^ size - 1 ->
        Forall2 (related (fun x l => packed size (- (most_in (firsts (all_cells P)) + most_first behind)) x l
          /\ total l < 2 ^ size - 1)) rows sums) as all; [|intros C T; exact (all sums (incl_refl _) C T)].
      intros sums' I C T. induction H as [|x y rows sums R _ IH]; constructor.
      - apply bounded; [exact R|]. eapply Z.le_lt_trans; [|exact T]. apply state_total; [exact C|]. apply I. now left.
      - apply IH. intros z Z. apply I. now right. }
    assert (forall ms, incl (concat ms) (concat (moves_here P)) ->
      Forall2 (related (nearly size (- most_first behind) high))
      (concat (map (fun pair : bag digits * list (nat * nat) => concat (map (fun move => extended_by (plus size)
         (spread size (most_in (firsts (all_cells P))) width') behind (fst pair) (cells_at P (fst move)))
         (filter (fun move => (snd move =? next)%nat) (snd pair)))) (combine rows ms)))
      (concat (map (fun pair : bag (bag Z) * list (nat * nat) => concat (map (fun move => extended_by (A := bag Z)
        (@app _)
         moved behind (fst pair) (cells_at P (fst move)))
         (filter (fun move => (snd move =? next)%nat) (snd pair)))) (combine sums ms)))) as all.
    { clear - H' one. induction H' as [|x y rows sums R _ IH]; intros ms I; [constructor|].
      destruct ms as [|m ms]; [constructor|]. cbn [combine map concat fst snd]. cbn [concat] in I.
      apply Forall2_app; [|apply IH; intros move M; apply I, in_app_iff; now right].
      assert (incl m (concat (moves_here P))) as Im by (intros move M; apply I, in_app_iff; now left). clear - Im one R.
      induction m as [|move m IH]; [constructor|]. cbn [filter].
      specialize (IH (fun z Z => Im z (or_intror Z))). destruct (snd move =? next)%nat; [|exact IH].
      cbn [map concat]. apply Forall2_app; [|exact IH]. apply one; [apply Im; now left | exact R]. }
    apply all, incl_refl.
  Qed.

  Lemma with_position_packed P behind rows sums : (forall c, cells_ok (cells_at P c)) ->
    least_first behind <= most_first behind ->
    let next := sums_with_position sums (P, behind) in
    Forall2 (related (packed size (- (most_in (firsts (all_cells P)) + most_first behind)))) rows sums ->
    zsum (map (rows_sum (fun _ _ => 1)) sums) < 2 ^ size - 1 ->
    zsum (map (rows_sum (fun _ _ => 1)) next) < 2 ^ size - 1 ->
    Forall2 (related (packed size (- most_first behind))) (with_position size rows (P, behind)) next.
  Proof.
    cbn zeta. intros P_ok width H T T'. cbn [with_position sums_with_position] in *.
    set (high := - least_first behind) in *. set (width' := most_first behind - least_first behind) in *.
    pose proof (fun next => moved_to_nearly P behind rows sums next P_ok width H T) as all. fold high width' in all.
    assert (forall next, In next (seq 0 (S (list_max (map snd (concat (moves_here P)))))) ->
      rows_sum (fun _ _ => 1) (moved_to (A := bag Z) (@app _) moved P behind sums next) < 2 ^ size - 1) as small.
    { intros next I. eapply Z.le_lt_trans; [|exact T'].
      transitivity (rows_sum (fun _ _ => 1) (each (cut high) (moved_to (A := bag Z) (@app _) moved P behind sums
        next))).
      - apply Z.eq_le_incl. now rewrite rows_sum_cut.
      - apply state_total.
        + intros r b l R L. apply in_map_iff in R. destruct R as (r' & <- & R). unfold moved_on in R.
          apply in_map_iff in R. destruct R as (next' & <- & _). unfold each in L. apply in_map_iff in L.
          destruct L as ([b' l'] & [= <- <-] & L). destruct (related_in _ _ _ _ _ (all next') L) as (x & C & _).
          now apply Forall_map.
        + unfold moved_on. rewrite map_map.
          apply in_map_iff. exists next. split; [reflexivity | exact I]. }
    unfold moved_on. rewrite !map_map. apply maps_related. intros next I. specialize (all next).
      specialize (small next I).
    set (sums' := moved_to (A := bag Z) (@app _) moved P behind sums next) in *.
    apply (related_and _ (fun l => total l < 2 ^ size - 1)) in all.
    2: { intros b l J. eapply Z.le_lt_trans; [|exact small]. apply row_total with b; [|exact J].
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
    reached size rows = rows_sum (outcomes [] 0) sums.
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

  Lemma states_each h sums : states_sum (fun _ => h) sums = zsum (map (rows_sum h) sums).
  Proof.
    unfold states_sum. rewrite <- (map_map (fun state => nth state sums []) (rows_sum h)). do 2 f_equal.
    clear. induction sums as [|x sums IH]; [reflexivity|]. cbn [length seq map nth]. f_equal.
    rewrite <- seq_shift, map_map. exact IH.
  Qed.

  Lemma all_reached rows sums : Forall2 (related (packed size 0)) rows sums ->
    zsum (map (rows_sum (fun _ _ => 1)) sums) < 2 ^ size - 1 ->
    count_items (map (reached size) rows) = states_sum (outcomes []) sums.
  Proof.
    intros H T. rewrite count_items_zsum. change (states_sum (outcomes []) sums) with (states_sum (fun _ => outcomes []
      0) sums).
    rewrite states_each. pose proof (all_packed_counts _ _ _ H) as C.
    assert (forall r, In r sums -> rows_sum (fun _ _ => 1) r < 2 ^ size - 1) as small.
    { intros r I. eapply Z.le_lt_trans; [|exact T]. now apply state_total. }
    clear T C. induction H as [|x y rows sums R _ IH]; [reflexivity|]. cbn [map zsum].
    rewrite (reached_packed x y R) by (apply small; now left). rewrite IH;
      [reflexivity|]. intros; apply small; now right.
  Qed.

  Definition position_ok (P : position) : Prop := forall c, cells_ok (cells_at P c).

  Lemma steps_packed positions : Forall position_ok positions -> forall rows sums,
    Forall2 (related (packed size (- most_first (snd (reaching positions))))) rows sums ->
    zsum (map (rows_sum (fun _ _ => 1)) sums) * choices positions < 2 ^ size - 1 ->
    count_items (map (reached size) (fold_left (with_position size) (fst (reaching positions)) rows))
    = states_sum (outcomes positions) sums.
  Proof.
    induction 1 as [|P positions P_ok _ IH]; intros rows sums H T.
    - apply all_reached; [exact H|]. cbn [choices fold_right] in T. lia.
    - pose proof (reaching_reaches positions) as R. cbn [reaching] in *.
      destruct (reaching positions) as [steps behind].
      cbn [fst snd fold_left choices fold_right] in *. fold (choices positions) in T.
      pose proof (choices_of_pos P) as most_pos. set (most := choices_of P) in *.
      pose proof (all_packed_counts _ _ _ H) as sums_ok.
      assert (1 <= choices positions) as C by apply choices_pos.
      assert (zsum (map (rows_sum (fun _ _ => 1)) (sums_with_position sums (P, behind)))
        <= zsum (map (rows_sum (fun _ _ => 1)) sums) * most) as next.
      { rewrite <- states_each, states_sum_with_position. unfold states_sum.
        transitivity (zsum (map (rows_sum (fun _ _ => most * 1)) sums)).
        - rewrite <- states_each. unfold states_sum. apply zsum_le. intros state I. apply rows_sum_le.
          + intros b l. apply sums_ok. apply nth_In. apply in_seq in I. lia.
          + intros a b. rewrite Z.mul_1_r. apply moves_at_most; [exact P_ok|].
            intros move f o. cbn zeta. now destruct (_ <? _).
        - apply Z.eq_le_incl. rewrite <- zsum_times. f_equal. apply map_ext. intros r. unfold rows_sum, bag_sum.
          rewrite <- zsum_times. f_equal. apply map_ext. intros [b l]. rewrite tally_times. apply Z.mul_comm. }
      pose proof (B_least size size_pos).
      assert (0 <= zsum (map (rows_sum (fun _ _ => 1)) sums)) as positive.
      { apply zsum_nonneg. intros r I. apply rows_sum_nonneg. intros b l. now apply (sums_ok r). }
      revert T next positive. set (before := zsum (map _ sums)). set (after := zsum (map _ (sums_with_position _ _))).
        intros.
      assert (before < 2 ^ size - 1 /\ before * most < 2 ^ size - 1) as [].
      { assert (before * most <= before * (most * choices positions)) by nia. nia. }
      rewrite IH with (sums := sums_with_position sums (P, behind)).
      + rewrite states_sum_with_position. unfold states_sum. f_equal. apply map_ext. intros state.
        apply bag_sum_ext. intros b l _. apply bag_sum_ext.
        intros a c _. f_equal. cbn [outcomes]. f_equal. apply map_ext. intros move.
        apply over_ext. intros f o _ _. destruct R as [_ _ A D E]. cbn zeta.
        set (b' := Z.max (b + o) (-1 - most_second behind)).
        transitivity (outcomes positions (snd move) (a + f) b').
        * destruct (Z.ltb_spec b' (- least_second behind)) as [Lt|Lt]; [|symmetry; now apply D].
          destruct (Z.min_spec (a + f) (- least_first behind)) as [[_ ->]|[Lt' ->]]; [reflexivity | apply A; lia].
        * destruct (Z.max_spec (b + o) (-1 - most_second behind)) as [[Lt M]|[Lt M]]; unfold b'; rewrite M;
            [apply E; lia | reflexivity].
      + apply with_position_packed; auto; [apply R | fold after; lia].
      + fold after. nia.
  Qed.
End Packed.

Theorem sequences_exact positions : Forall position_ok positions -> sequences_of positions = outcomes positions 0 0 0.
Proof.
  intros ok. unfold sequences_of. set (size := bit_length (choices positions) + 1).
  pose proof (choices_pos positions) as C.
  assert (0 < size /\ choices positions < 2 ^ size - 1) as [S T].
  { unfold size, bit_length. destruct (Z.leb_spec (choices positions) 0); [lia|].
    pose proof (Z.log2_nonneg (choices positions)). pose proof (Z.log2_spec (choices positions) ltac:(lia)) as [_ Lt].
    rewrite <- Z.add_1_r in Lt. rewrite Z.add_1_r, Z.pow_succ_r by lia. lia. }
  pose proof (fun rows => steps_packed size S positions ok rows [[(0, [(0, 1)])]]) as exact.
  destruct (reaching positions) as [steps all]. cbn [fst snd] in exact. rewrite exact.
  - unfold states_sum, rows_sum, bag_sum, tally, bag_sum. cbn [length seq map zsum fst snd nth]. lia.
  - constructor; [|constructor]. constructor; [|constructor]. split; [reflexivity|].
    split; [repeat constructor; cbn; lia|]. cbn [snd].
    unfold without_last, value, pack, tally, bag_sum. cbn [map zsum fst snd].
    replace (0 - - most_first all) with (most_first all) by ring.
    destruct (Z.leb_spec (- most_first all) 0); cbn [fst snd]; (split; [lia|]).
    + lia.
    + rewrite (Z.pow_neg_r _ (most_first all)), Z.shiftr_eq_0 by (cbn; nia). lia.
  - unfold rows_sum, bag_sum, tally, bag_sum. cbn [map zsum fst snd]. lia.
Qed.

(** ** Coarser grids *)

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

Section Tokens.
  (** By class: the tokens that each item stands for. *)
  Variable items_tokens : nat -> list (list nat).
  (** How many classes there are, and how many tokens stand for each item. *)
  Variables (count : nat) (times : list (list Z)).
  Hypothesis no_more : forall c, (count <= c)%nat -> items_tokens c = [].
  Hypothesis times_length : length times = count.
  Hypothesis times_are : forall c, nth c times [] = map (fun ts => Z.of_nat (length ts)) (items_tokens c).

  Let tokens (c : nat) : list nat := concat (items_tokens c).

  (** The inputs of moves; any state is accepted in the end. *)
  Definition inputs_of_moves (layers : list layer) (state : nat) : list (list nat) :=
    completions (fun c => concat (items_tokens c)) (fun _ => true) layers state.

  Lemma items_sum (f o : nat -> Z) h : forall cs first second, length first = length cs ->
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

  (** The bins of a position are those of tokens. *)
  Definition bins_of (bin : nat -> Z) (rows : list (list Z)) : Prop := length rows = count
    /\ forall c, length (nth c rows []) = length (items_tokens c)
       /\ forall i t, In t (nth i (items_tokens c) []) -> nth i (nth c rows []) 0 = bin t.

  Lemma bins_of_map round bin rows : round 0 = 0 -> bins_of bin rows ->
    bins_of (fun t => round (bin t)) (map (map round) rows).
  Proof.
    intros zero [Len B]. split; [now rewrite map_length|]. intros c. destruct (B c) as [Lc Bc].
    replace (nth c (map (map round) rows) []) with (map round (nth c rows [])) by (symmetry;
      exact (map_nth (map round) rows [] c)).
    split; [now rewrite map_length|]. intros i t T. rewrite <- (Bc i t T). rewrite <- zero at 1. apply map_nth.
  Qed.

  Lemma cells_tokens moves first second f o c h : bins_of f first -> bins_of o second ->
    over (cells_at (position_of times moves first second) c) h = zsum (map (fun t => h (f t) (o t)) (tokens c)).
  Proof.
    intros [Lf F] [Lo O]. unfold cells_at, position_of. cbn [cells_here]. set (cell := fun item => _).
    destruct (Nat.lt_ge_cases c count) as [B|B].
    - assert (c < length (combine (combine first second) times))%nat as B'
        by (rewrite !combine_length; lia).
      rewrite nth_indep with (d' := cell (([], []), [])) by (rewrite map_length; exact B').
      rewrite map_nth, combine_nth by (rewrite combine_length; lia). rewrite combine_nth by congruence. unfold cell.
      cbn [fst snd]. rewrite over_cells, times_are. destruct (F c) as [Fl Fc], (O c) as [Ol Oc].
      apply items_sum; auto.
    - rewrite nth_overflow by (rewrite map_length, !combine_length; lia). unfold tokens. now rewrite no_more.
  Qed.

  Lemma position_is_ok moves first second : position_ok (position_of times moves first second).
  Proof.
    intros c. unfold cells_at, position_of. cbn [cells_here]. set (cell := fun item => _).
    destruct (nth_in_or_default c (map cell (combine (combine first second) times)) []) as [I| ->];
      [|intros o items f t []]. apply in_map_iff in I. destruct I as (x & <- & I). apply cells_of_ok. intros t T.
    destruct x as [x ts]. cbn [snd] in T. apply in_combine_r in I. apply (In_nth _ _ []) in I.
    destruct I as (c' & _ & <-). rewrite times_are in T. apply in_map_iff in T. destruct T as (ts & <- & _). lia.
  Qed.

  (** The sum of an input's bins from position p on. *)
  Fixpoint bin_sum (bin : nat -> nat -> Z) (p : nat) (input : list nat) : Z :=
    match input with t :: input => bin p t + bin_sum bin (S p) input | [] => 0 end.

  (** Bins for every position. *)
  Definition all_bins (bin : nat -> nat -> Z) (p : nat) (rows : list (list (list Z))) : Prop :=
    forall i r, nth_error rows i = Some r -> bins_of (bin (p + i)%nat) r.

  Lemma all_bins_cons bin p r rows : all_bins bin p (r :: rows) -> bins_of (bin p) r /\ all_bins bin (S p) rows.
  Proof.
    intros H. split.
    - rewrite <- (Nat.add_0_r p). now apply (H O).
    - intros i r' E. rewrite Nat.add_succ_l, <- Nat.add_succ_r. now apply (H (S i)).
  Qed.

  Lemma all_bins_map round bin p rows : round 0 = 0 -> all_bins bin p rows ->
    all_bins (fun p t => round (bin p t)) p (map (map (map round)) rows).
  Proof.
    intros zero H i r E. rewrite nth_error_map in E. destruct (nth_error rows i) as [r'|] eqn:N; [|discriminate].
    injection E as <-. apply (bins_of_map round (bin (p + i)%nat)); [exact zero | now apply H].
  Qed.

  Lemma outcomes_tokens f o : forall layers first second p state a b,
    length first = length layers -> length second = length layers -> all_bins f p first -> all_bins o p second ->
    outcomes (map (fun at_position => position_of times (fst at_position) (fst (snd at_position)) (snd (snd
      at_position)))
      (combine layers (combine first second))) state a b
    = how_many (fun s => (0 <=? a + bin_sum f p s) && (b + bin_sum o p s <? 0)) (inputs_of_moves layers state).
  Proof.
    unfold inputs_of_moves. induction layers as [|here layers IH];
      intros [|row first] [|row' second] p state a b Lf Lo F O;
      try discriminate.
    - cbn [map combine outcomes completions bin_sum]. rewrite how_many_cons. cbn [bin_sum]. rewrite !Z.add_0_r.
      unfold how_many. cbn [filter length]. now destruct (_ && _).
    - apply all_bins_cons in F, O. destruct F as [Fr F], O as [Or O].
      cbn [map combine outcomes]. rewrite how_many_completions. cbn [fst snd].
      change (moves_here (position_of times here row row')) with here. f_equal. apply map_ext. intros move.
        rewrite (cells_tokens _ _ _ (f p) (o p)) by assumption. unfold tokens. f_equal.
      apply map_ext. intros t. rewrite (IH first second (S p)) by (assumption || (cbn [length] in *; lia)).
      apply how_many_ext. intros s _. cbn [bin_sum]. now rewrite !Z.add_assoc.
  Qed.

  Lemma last_outcomes x y positions : outcomes (last_position x y :: positions) 0 0 0 = outcomes positions 0 x y.
  Proof.
    cbn [outcomes]. change (moves_at (moves_here (last_position x y)) 0) with [(0, 0)%nat]. cbn [map zsum fst snd].
    change (cells_at (last_position x y) 0) with (cells_of [x] [y] [1]). rewrite over_cells.
    cbn [combine map zsum fst snd]. rewrite !Z.add_0_l. lia.
  Qed.

  (** The bins of a group, and the sum of an input's. *)
  Definition group_bins (positions : nat) (bin : nat -> nat -> Z) (bins : grid_bins) : Prop :=
    length (item_bins bins) = positions /\ all_bins bin 0 (item_bins bins).
  Definition sum_of (round : Z -> Z) (bins : grid_bins) (bin : nat -> nat -> Z) (input : list nat) : Z :=
    round (last_bin bins) + bin_sum (fun p t => round (bin p t)) 0 input.

  Lemma sum_up bits bins bin s : 0 <= bits -> 0 <= sum_of exactly bins bin s ->
    0 <= sum_of (coarse bits true) bins bin s.
  Proof.
    intros B. assert (0 < 2 ^ bits) as P by (apply Z.pow_pos_nonneg; lia).
    enough (sum_of exactly bins bin s <= sum_of (coarse bits true) bins bin s * 2 ^ bits) by nia.
    unfold sum_of. pose proof (coarse_up bits (last_bin bins) B).
    enough (forall p, bin_sum (fun p t => exactly (bin p t)) p s
      <= bin_sum (fun p t => coarse bits true (bin p t)) p s * 2 ^ bits)
      as all by (specialize (all O); unfold exactly in *; lia).
    clear - B. induction s as [|t s IH]; intros p; cbn [bin_sum]; [lia|]. specialize (IH (S p)).
    pose proof (coarse_up bits (bin p t) B). unfold exactly in *. lia.
  Qed.

  Lemma sum_down bits bins bin s : 0 <= bits -> 0 <= sum_of (coarse bits false) bins bin s ->
    0 <= sum_of exactly bins bin s.
  Proof.
    intros B. assert (0 < 2 ^ bits) as P by (apply Z.pow_pos_nonneg; lia).
    enough (sum_of (coarse bits false) bins bin s * 2 ^ bits <= sum_of exactly bins bin s) by nia.
    unfold sum_of. pose proof (coarse_down bits (last_bin bins) B).
    enough (forall p, bin_sum (fun p t => coarse bits false (bin p t)) p s * 2 ^ bits
      <= bin_sum (fun p t => exactly (bin p t)) p s)
      as all by (specialize (all O); unfold exactly in *; lia).
    clear - B. induction s as [|t s IH]; intros p; cbn [bin_sum]; [lia|]. specialize (IH (S p)).
    pose proof (coarse_down bits (bin p t) B). unfold exactly in *. lia.
  Qed.

  (** *** Both counts *)

  Variables (layers : list layer) (first second : grid_bins) (f o : nat -> nat -> Z) (bits : Z).
  Hypotheses (first_is : group_bins (length layers) f first) (second_is : group_bins (length layers) o second)
    (bits_is : 0 <= bits).

  Definition reaches (bins : grid_bins) (bin : nat -> nat -> Z) (s : list nat) : bool := 0 <=? sum_of exactly bins bin
    s.

  Lemma count_bins_exact at_most : count_bins bits at_most layers times first second
    = how_many (fun s => (0 <=? sum_of (coarse bits at_most) first f s) && (sum_of (coarse bits (negb at_most)) second
      o s <? 0))
      (inputs_of_moves layers 0).
  Proof.
    unfold count_bins. set (up := coarse bits at_most). set (down := coarse bits (negb at_most)).
    assert (up 0 = 0 /\ down 0 = 0) as [zero zero'] by (split; apply coarse_zero).
    destruct first_is as [Lf F], second_is as [Lo O].
    rewrite sequences_exact.
    - rewrite last_outcomes.
      assert (map (fun at_position : layer * (list (list Z) * list (list Z)) =>
          position_of times (fst at_position) (map (map up) (fst (snd at_position))) (map (map down) (snd (snd
            at_position))))
          (combine layers (combine (item_bins first) (item_bins second)))
        = map (fun at_position => position_of times (fst at_position) (fst (snd at_position)) (snd (snd at_position)))
          (combine layers (combine (map (map (map up)) (item_bins first)) (map (map (map down)) (item_bins second)))))
            as ->.
      { revert Lf Lo. clear. generalize (item_bins first), (item_bins second). induction layers as [|here layers' IH];
          intros [|x xs] [|y ys] Lf Lo; try discriminate; [reflexivity|]. cbn [map combine fst snd].
        now rewrite IH by (cbn [length] in *; lia). }
      rewrite (outcomes_tokens (fun p t => up (f p t)) (fun p t => down (o p t)) layers _ _ 0)
        by (rewrite ?map_length; auto using all_bins_map).
      reflexivity.
    - constructor.
      + intros c. unfold cells_at, last_position. cbn [cells_here]. destruct c as [|[|c]]; [|intros ? ? ? ? []..].
        apply cells_of_ok. intros t [<-|[]]. lia.
      + apply Forall_map, Forall_forall. intros x _. apply position_is_ok.
  Qed.

  Theorem count_at_most : how_many (fun s => reaches first f s && negb (reaches second o s)) (inputs_of_moves layers 0)
    <= count_bins bits true layers times first second.
  Proof.
    rewrite count_bins_exact. apply how_many_le. unfold reaches. cbn [negb]. intros s _. rewrite !andb_true_iff.
    rewrite negb_true_iff, !Z.leb_le, Z.leb_gt, Z.ltb_lt. intros (A & B).
    split; [now apply sum_up|]. apply Z.nle_gt. intros C. apply (sum_down bits) in C; lia.
  Qed.

  Theorem count_at_least : count_bins bits false layers times first second
    <= how_many (fun s => reaches first f s && negb (reaches second o s)) (inputs_of_moves layers 0).
  Proof.
    rewrite count_bins_exact. apply how_many_le. unfold reaches. cbn [negb]. intros s _. rewrite !andb_true_iff.
    rewrite negb_true_iff, !Z.leb_le, Z.leb_gt, Z.ltb_lt. intros (A & B).
    split; [now apply (sum_down bits)|]. apply Z.nle_gt. intros C. apply (sum_up bits) in C; lia.
  Qed.
End Tokens.
