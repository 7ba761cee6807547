(** * Enclosures, one end at a time

    [above I x]: the upper end of [I] is an upper bound of the real number [x]; [below I x]: the lower end is a lower
    one. Both say as well that [I] has the form that the operations of [Fixed] give: without it a sum of two ends may
    look like a bound though one of the two is none. *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From gbmi Require Import Fixed CheckerTable.
Import ListNotations.
Local Open Scope R_scope.

(** An end is a bound, or as far out as [everything]; ends are in order. *)
Record sane (I : ival) : Prop := {
  sane_order : (lo I <= hi I)%Z;
  sane_low : (lo I = -4 * LIMIT \/ - LIMIT <= lo I)%Z;
  sane_high : (hi I = 4 * LIMIT \/ hi I <= LIMIT)%Z;
  sane_low_high : (lo I <= LIMIT)%Z;
  sane_high_low : (- LIMIT <= hi I)%Z
}.

Definition above (I : ival) (x : R) : Prop := sane I /\ ((LIMIT < hi I)%Z \/ x * 2 ^ 48 <= IZR (hi I)).
Definition below (I : ival) (x : R) : Prop := sane I /\ ((lo I < - LIMIT)%Z \/ IZR (lo I) <= x * 2 ^ 48).
Definition encloses_sane (I : ival) (x : R) : Prop := above I x /\ below I x.

Lemma unit_pos : 0 < 2 ^ 48.
Proof. apply pow_lt. lra. Qed.

Lemma limit_pos : (0 < LIMIT)%Z.
Proof. reflexivity. Qed.

Ltac ends := pose proof limit_pos; cbn [lo hi] in *; lia.

Lemma sane_everything : sane everything.
Proof. unfold everything. constructor; ends. Qed.

Lemma above_everything x : above everything x.
Proof. split; [exact sane_everything | left; unfold everything; ends]. Qed.

Lemma below_everything x : below everything x.
Proof. split; [exact sane_everything | left; unfold everything; ends]. Qed.

Lemma encloses_everything x : encloses_sane everything x.
Proof. split; [apply above_everything | apply below_everything]. Qed.

Lemma above_sane I x : above I x -> sane I.
Proof. now intros [S _]. Qed.

Lemma below_sane I x : below I x -> sane I.
Proof. now intros [S _]. Qed.

Lemma above_le I x y : y <= x -> above I x -> above I y.
Proof.
  intros L [S [H|H]]; split; auto. right. pose proof unit_pos.
  apply Rle_trans with (x * 2 ^ 48); [apply Rmult_le_compat_r; lra | exact H].
Qed.

Lemma below_ge I x y : x <= y -> below I x -> below I y.
Proof.
  intros L [S [H|H]]; split; auto. right. pose proof unit_pos.
  apply Rle_trans with (x * 2 ^ 48); [exact H | apply Rmult_le_compat_r; lra].
Qed.

(** An enclosure with a greater upper end. *)
Lemma above_grow I J x : (hi I <= hi J)%Z -> sane J -> above I x -> above J x.
Proof. intros L S [_ [H|H]]; split; auto; [left; lia | right; apply IZR_le in L; lra]. Qed.

Lemma below_grow I J x : (lo J <= lo I)%Z -> sane J -> below I x -> below J x.
Proof. intros L S [_ [H|H]]; split; auto; [left; lia | right; apply IZR_le in L; lra]. Qed.

(** [new] of two ends in order. *)
Lemma new_cases l h : (l <= h)%Z ->
  sane (new (Some l) (Some h))
  /\ (new (Some l) (Some h) = everything \/ new (Some l) (Some h) = mk l h /\ (- LIMIT <= l)%Z /\ (h <= LIMIT)%Z).
Proof.
  intros L. unfold new. destruct (Z.leb_spec (- LIMIT) l); cbn [andb].
  - destruct (Z.leb_spec h LIMIT).
    + split; [constructor; ends | auto].
    + split; [exact sane_everything | auto].
  - split; [exact sane_everything | auto].
Qed.

Lemma sane_add x y : sane x -> sane y -> sane (add x y).
Proof. intros [A _ _ _ _] [B _ _ _ _]. apply new_cases. lia. Qed.

Lemma sane_sub x y : sane x -> sane y -> sane (sub x y).
Proof. intros [A _ _ _ _] [B _ _ _ _]. apply new_cases. lia. Qed.

Ltac by_new Sx Sy :=
  match goal with
  | |- context [new (Some ?l) (Some ?h)] =>
      assert (l <= h)%Z as ordered by (destruct Sx, Sy; lia);
      destruct (new_cases l h ordered) as [S [-> | (-> & low & high)]]; clear ordered
  end.

Lemma above_add x y a b : above x a -> above y b -> above (add x y) (a + b).
Proof.
  intros [Sx X] [Sy Y]. unfold add. by_new Sx Sy; [apply above_everything|].
  destruct Sx, Sy, X as [X|X], Y as [Y|Y]; try (exfalso; ends). split; [constructor; ends|].
  right. cbn [hi]. rewrite plus_IZR. lra.
Qed.

Lemma below_add x y a b : below x a -> below y b -> below (add x y) (a + b).
Proof.
  intros [Sx X] [Sy Y]. unfold add. by_new Sx Sy; [apply below_everything|].
  destruct Sx, Sy, X as [X|X], Y as [Y|Y]; try (exfalso; ends). split; [constructor; ends|].
  right. cbn [lo]. rewrite plus_IZR. lra.
Qed.

Lemma above_sub x y a b : above x a -> below y b -> above (sub x y) (a - b).
Proof.
  intros [Sx X] [Sy Y]. unfold sub. by_new Sx Sy; [apply above_everything|].
  destruct Sx, Sy, X as [X|X], Y as [Y|Y]; try (exfalso; ends). split; [constructor; ends|].
  right. cbn [hi]. rewrite minus_IZR. lra.
Qed.

Lemma below_sub x y a b : below x a -> above y b -> below (sub x y) (a - b).
Proof.
  intros [Sx X] [Sy Y]. unfold sub. by_new Sx Sy; [apply below_everything|].
  destruct Sx, Sy, X as [X|X], Y as [Y|Y]; try (exfalso; ends). split; [constructor; ends|].
  right. cbn [lo]. rewrite minus_IZR. lra.
Qed.

(** What the tests show. *)
Lemma above_negative I x : above I x -> is_negative I = true -> x < 0.
Proof.
  unfold is_negative. intros [_ X] N. apply Z.ltb_lt in N. destruct X as [X|X]; [exfalso; ends|].
  apply IZR_lt in N. pose proof unit_pos. nra.
Qed.

Lemma below_nonnegative I x : below I x -> is_nonnegative I = true -> 0 <= x.
Proof.
  unfold is_nonnegative. intros [_ X] N. apply Z.leb_le in N. destruct X as [X|X]; [exfalso; ends|].
  apply IZR_le in N. pose proof unit_pos. nra.
Qed.

(** Larger and smaller ones. *)
Lemma sane_hull x y : sane x -> sane y -> sane (hull x y).
Proof. intros [] []. unfold hull. constructor; ends. Qed.

Lemma sane_imax x y : sane x -> sane y -> sane (imax x y).
Proof. intros [] []. unfold imax. constructor; ends. Qed.

Lemma sane_imin x y : sane x -> sane y -> sane (imin x y).
Proof. intros [] []. unfold imin. constructor; ends. Qed.

Lemma above_hull x y a : above x a -> sane y -> above (hull x y) a.
Proof.
  intros X S. refine (above_grow x _ a _ (sane_hull _ _ (above_sane _ _ X) S) X). unfold hull. cbn. lia.
Qed.

Lemma below_hull x y a : sane x -> below y a -> below (hull x y) a.
Proof.
  intros S Y. refine (below_grow y _ a _ (sane_hull _ _ S (below_sane _ _ Y)) Y). unfold hull. cbn. lia.
Qed.

Lemma above_imax_l x y a : above x a -> sane y -> above (imax x y) a.
Proof.
  intros X S. refine (above_grow x _ a _ (sane_imax _ _ (above_sane _ _ X) S) X). unfold imax. cbn. lia.
Qed.

Lemma above_imax_r x y a : sane x -> above y a -> above (imax x y) a.
Proof.
  intros S Y. refine (above_grow y _ a _ (sane_imax _ _ S (above_sane _ _ Y)) Y). unfold imax. cbn. lia.
Qed.

Lemma below_imin_l x y a : below x a -> sane y -> below (imin x y) a.
Proof.
  intros X S. refine (below_grow x _ a _ (sane_imin _ _ (below_sane _ _ X) S) X). unfold imin. cbn. lia.
Qed.

Lemma below_imin_r x y a : sane x -> below y a -> below (imin x y) a.
Proof.
  intros S Y. refine (below_grow y _ a _ (sane_imin _ _ S (below_sane _ _ Y)) Y). unfold imin. cbn. lia.
Qed.

Lemma sane_upper x : sane x -> sane (upper x).
Proof. intros _. apply new_cases. lia. Qed.

(** [largest]: an upper bound of what any of its entries bounds. *)
Lemma sane_fold_imax l : forall x, sane x -> Forall sane l -> sane (fold_left imax l x).
Proof. induction l; intros x S A; [exact S|]. inversion_clear A. apply IHl; [apply sane_imax|]; auto. Qed.

Lemma sane_largest l : Forall sane l -> sane (largest l).
Proof.
  intros A. unfold largest. destruct l as [|x l]; [exact sane_everything|]. inversion_clear A.
  now apply sane_fold_imax.
Qed.

Lemma hi_fold_imax l : forall x, hi (fold_left imax l x) = fold_left Z.max (map hi l) (hi x).
Proof. induction l; intros x; [reflexivity|]. cbn. now rewrite IHl. Qed.

Lemma fold_max_ge l : forall x, (x <= fold_left Z.max l x)%Z /\ (forall y, In y l -> y <= fold_left Z.max l x)%Z.
Proof.
  induction l as [|z l IH]; intros x; cbn; [split; [lia | easy]|].
  destruct (IH (Z.max x z)) as [H K]. split; [lia|]. intros y [->|I]; [lia | auto].
Qed.

Lemma hi_largest l I : In I l -> (hi I <= hi (largest l))%Z.
Proof.
  unfold largest. destruct l as [|x l]; [easy|]. cbn [reduce]. rewrite hi_fold_imax. intros [->|H].
  - apply (proj1 (fold_max_ge _ _)).
  - apply (proj2 (fold_max_ge _ _)). now apply in_map.
Qed.

Lemma above_largest l I x : Forall sane l -> In I l -> above I x -> above (largest l) x.
Proof. intros A H X. exact (above_grow I _ x (hi_largest l I H) (sane_largest l A) X). Qed.

(** A real number at the upper end, if that is a bound. *)
Definition high (I : ival) : R := IZR (hi I) / 2 ^ 48.

Lemma high_units I : high I * 2 ^ 48 = IZR (hi I).
Proof. unfold high. pose proof unit_pos. field. Qed.

Lemma encloses_high I : sane I -> encloses_sane I (high I).
Proof.
  intros S. split; split; try exact S; right; rewrite high_units; [lra|]. apply IZR_le, (sane_order I S).
Qed.

Lemma above_high I x : above I x -> (hi I <= LIMIT)%Z -> x <= high I.
Proof.
  intros [_ [H|H]] L; [lia|]. rewrite <- high_units in H. pose proof unit_pos. nra.
Qed.
