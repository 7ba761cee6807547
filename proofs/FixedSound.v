(** * The fixed-point enclosures enclose: every function of [Fixed] is sound over the real numbers.

    Two remarks on what an enclosure is.
    - One end may be infinite while the other is finite: [imin], [imax] and [hull] keep halves; [new] drops both.
    - An infinite end is exactly -4 * LIMIT or 4 * LIMIT, and finite ends, lower or upper, are between -LIMIT and LIMIT.
      Addition needs this: a sum with an infinite end is then beyond LIMIT, so that [new] sees it. *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From gbmi Require Import Fixed FixedExp.
Import ListNotations.
Local Open Scope R_scope.

Notation pow2 := (powerRZ 2).

(** ** Powers of two *)

Lemma pow2_pos k : 0 < pow2 k.
Proof. apply powerRZ_lt. lra. Qed.

Lemma pow2_plus j k : pow2 (j + k) = pow2 j * pow2 k.
Proof. apply powerRZ_add. lra. Qed.

Lemma pow2_cancel k : pow2 k * pow2 (- k) = 1.
Proof. rewrite <- pow2_plus, Z.add_opp_diag_r. reflexivity. Qed.

Lemma pow2_Z k : (0 <= k)%Z -> IZR (2 ^ k) = pow2 k.
Proof.
  intros nonnegative. rewrite <- (Z2Nat.id k nonnegative) at 1. rewrite <- pow_IZR.
  rewrite <- (Z2Nat.id k nonnegative) at 2. apply pow_powerRZ.
Qed.

Lemma pow2_opp k : pow2 (- k) = / pow2 k.
Proof. apply powerRZ_neg'. Qed.

(** A power of two moves to the other side. *)
Lemma pow2_move_right a b k : a <= b * pow2 k -> a * pow2 (- k) <= b.
Proof.
  intros order. apply (Rmult_le_compat_r _ _ _ (Rlt_le _ _ (pow2_pos (- k)))) in order.
  now rewrite Rmult_assoc, pow2_cancel, Rmult_1_r in order.
Qed.

Lemma pow2_move_left a b k : a * pow2 k <= b -> a <= b * pow2 (- k).
Proof.
  intros order. apply (Rmult_le_compat_r _ _ _ (Rlt_le _ _ (pow2_pos (- k)))) in order.
  now rewrite Rmult_assoc, pow2_cancel, Rmult_1_r in order.
Qed.

(** ** Enclosures *)

(** x in units of 2^-48 *)
Definition units (x : R) : R := x * pow2 FRACTION.

Definition bounds_below (l : Z) (u : R) : Prop := l = (-4 * LIMIT)%Z \/ (- LIMIT <= l <= LIMIT)%Z /\ IZR l <= u.
Definition bounds_above (h : Z) (u : R) : Prop := h = (4 * LIMIT)%Z \/ (- LIMIT <= h <= LIMIT)%Z /\ u <= IZR h.
Definition encloses (I : ival) (x : R) : Prop := bounds_below (lo I) (units x) /\ bounds_above (hi I) (units x).

Lemma LIMIT_pos : (0 < LIMIT)%Z.
Proof. reflexivity. Qed.

Lemma units_48 x : units x = x * 2 ^ 48.
Proof. reflexivity. Qed.

(** What the ends say: each is infinite or a bound. *)
Lemma encloses_ends I x : encloses I x ->
  ((lo I < - LIMIT)%Z \/ IZR (lo I) <= units x) /\ ((LIMIT < hi I)%Z \/ units x <= IZR (hi I)).
Proof. pose proof LIMIT_pos. intros [[low|[_ low]] [high|[_ high]]]; (split; [|]); (right; lra) || (left; lia). Qed.

(** What their form is. *)
Lemma encloses_form I x : encloses I x ->
  (lo I <= hi I /\ (lo I = -4 * LIMIT \/ - LIMIT <= lo I) /\ lo I <= LIMIT
   /\ (hi I = 4 * LIMIT \/ hi I <= LIMIT) /\ - LIMIT <= hi I)%Z.
Proof.
  pose proof LIMIT_pos. intros [[low|[range low]] [high|[range' high]]]; try lia.
  assert (lo I <= hi I)%Z by (apply le_IZR; lra). lia.
Qed.

(** The two together are all. *)
Lemma encloses_of_ends I x :
  (lo I = -4 * LIMIT \/ - LIMIT <= lo I <= LIMIT)%Z -> (hi I = 4 * LIMIT \/ - LIMIT <= hi I <= LIMIT)%Z ->
  ((lo I < - LIMIT)%Z \/ IZR (lo I) <= units x) -> ((LIMIT < hi I)%Z \/ units x <= IZR (hi I)) ->
  encloses I x.
Proof.
  intros low high below above. split.
  - destruct low as [low|low]; [now left|]. right. split; [exact low|]. destruct below; [lia | assumption].
  - destruct high as [high|high]; [now left|]. right. split; [exact high|]. destruct above; [lia | assumption].
Qed.

Lemma units_0 : units 0 = 0.
Proof. apply Rmult_0_l. Qed.

Lemma units_le x y : x <= y -> units x <= units y.
Proof. apply Rmult_le_compat_r, Rlt_le, pow2_pos. Qed.

Lemma units_le_inv x y : units x <= units y -> x <= y.
Proof. apply Rmult_le_reg_r, pow2_pos. Qed.

Lemma units_lt_inv x y : units x < units y -> x < y.
Proof. apply Rmult_lt_reg_r, pow2_pos. Qed.

Lemma bounds_below_le l u v : bounds_below l u -> u <= v -> bounds_below l v.
Proof. intros [infinite|[range bound]] order; [now left | right; split; [exact range | lra]]. Qed.

Lemma bounds_above_le h u v : bounds_above h v -> u <= v -> bounds_above h u.
Proof. intros [infinite|[range bound]] order; [now left | right; split; [exact range | lra]]. Qed.

(** A bound may be replaced by a weaker one, if that is a bound of anything. *)
Lemma bounds_below_lower l l' u v : bounds_below l u -> bounds_below l' v -> (l' <= l)%Z -> bounds_below l' u.
Proof.
  pose proof LIMIT_pos. intros [infinite|[range bound]] [infinite'|[range' _]] order; try (left; lia).
  right. split; [lia|]. apply IZR_le in order. lra.
Qed.

Lemma bounds_above_raise h h' u v : bounds_above h u -> bounds_above h' v -> (h <= h')%Z -> bounds_above h' u.
Proof.
  pose proof LIMIT_pos. intros [infinite|[range bound]] [infinite'|[range' _]] order; try (left; lia).
  right. split; [lia|]. apply IZR_le in order. lra.
Qed.

Lemma everything_encloses x : encloses everything x.
Proof. split; left; reflexivity. Qed.

(** [new] needs its ends to be bounds only where they are finite. *)
Lemma new_encloses l h x :
  (forall z, l = Some z -> (- LIMIT <= z)%Z -> IZR z <= units x) ->
  (forall z, h = Some z -> (z <= LIMIT)%Z -> units x <= IZR z) ->
  encloses (new l h) x.
Proof.
  intros below above. unfold new. destruct l as [l|], h as [h|]; try apply everything_encloses.
  destruct (Z.leb_spec (- LIMIT) l) as [low|]; [|apply everything_encloses].
  destruct (Z.leb_spec h LIMIT) as [high|]; [|apply everything_encloses].
  specialize (below l eq_refl low). specialize (above h eq_refl high).
  assert (l <= h)%Z by (apply le_IZR; lra). split; right; cbn [andb lo hi]; split; lra || lia.
Qed.

(** ** Comparisons *)

Lemma is_negative_sound X x : encloses X x -> is_negative X = true -> x < 0.
Proof.
  intros [_ above] negative. apply Z.ltb_lt in negative. pose proof LIMIT_pos.
  destruct above as [infinite|[_ above]]; [lia|]. apply units_lt_inv. rewrite units_0. apply IZR_lt in negative. lra.
Qed.

Lemma is_nonnegative_sound X x : encloses X x -> is_nonnegative X = true -> 0 <= x.
Proof.
  intros [below _] nonnegative. apply Z.leb_le in nonnegative. pose proof LIMIT_pos.
  destruct below as [infinite|[_ below]]; [lia|]. apply units_le_inv. rewrite units_0. apply IZR_le in nonnegative. lra.
Qed.

(** What the smaller upper end bounds, the larger one does, if it is finite. *)
Lemma upper_at_most_sound X Y x :
  encloses X x -> upper_at_most X Y = true -> (hi Y <= LIMIT)%Z -> units x <= IZR (hi Y).
Proof.
  intros [_ [infinite|[_ above]]] order finite; apply Z.leb_le in order; pose proof LIMIT_pos; [lia|].
  apply IZR_le in order. lra.
Qed.

Lemma lower_at_most_sound X Y y :
  encloses Y y -> lower_at_most X Y = true -> (- LIMIT <= lo X)%Z -> IZR (lo X) <= units y.
Proof.
  intros [[infinite|[_ below]] _] order finite; apply Z.leb_le in order; pose proof LIMIT_pos; [lia|].
  apply IZR_le in order. lra.
Qed.

(** The same, finite or not. *)
Lemma upper_at_most_bounds X Y x y :
  encloses X x -> encloses Y y -> upper_at_most X Y = true -> bounds_above (hi Y) (units x).
Proof. intros [_ above] [_ above'] order. apply Z.leb_le in order. eapply bounds_above_raise; eassumption. Qed.

Lemma lower_at_most_bounds X Y x y :
  encloses X x -> encloses Y y -> lower_at_most X Y = true -> bounds_below (lo X) (units y).
Proof. intros [below _] [below' _] order. apply Z.leb_le in order. eapply bounds_below_lower; eassumption. Qed.

(** ** Ends *)

(** The number that [upper] stands for. *)
Definition upper_R (X : ival) : R := IZR (hi X) * pow2 (- FRACTION).

Lemma units_upper_R X : units (upper_R X) = IZR (hi X).
Proof. unfold units, upper_R. rewrite Rmult_assoc, (Rmult_comm (pow2 _)), pow2_cancel. ring. Qed.

Lemma upper_encloses X : encloses (upper X) (upper_R X).
Proof. apply new_encloses; intros z [= <-] _; rewrite units_upper_R; lra. Qed.

Lemma upper_R_bounds X x : encloses X x -> (hi X <= LIMIT)%Z -> x <= upper_R X.
Proof.
  intros [_ [infinite|[_ above]]] finite; pose proof LIMIT_pos; [lia|]. apply units_le_inv. now rewrite units_upper_R.
Qed.

Lemma upper_infinite X : (LIMIT < hi X)%Z -> upper X = everything.
Proof. intros infinite. unfold upper, new. apply Z.leb_gt in infinite. now rewrite infinite, andb_false_r. Qed.

(** One number for all: [upper X] encloses one that is at least every [x] which X encloses, if it encloses any; for an
    infinite end there is none, but [upper X] encloses whatever is wanted. *)
Lemma upper_value X x : encloses X x -> exists u, x <= u /\ encloses (upper X) u.
Proof.
  intros enclosed. destruct (Z_le_gt_dec (hi X) LIMIT) as [finite|infinite].
  - exists (upper_R X). split; [now apply upper_R_bounds | apply upper_encloses].
  - exists x. split; [lra|]. rewrite upper_infinite by lia. apply everything_encloses.
Qed.

(** The same for a family of numbers with a bound of its own, as every finite family has. *)
Lemma upper_value_all (T : Type) (P : T -> Prop) X (f : T -> R) most :
  (forall t, P t -> encloses X (f t)) -> (forall t, P t -> f t <= most) ->
  exists u, (forall t, P t -> f t <= u) /\ encloses (upper X) u.
Proof.
  intros enclosed bounded. destruct (Z_le_gt_dec (hi X) LIMIT) as [finite|infinite].
  - exists (upper_R X). split; [intros t Ht; apply upper_R_bounds; auto | apply upper_encloses].
  - exists most. split; [exact bounded|]. rewrite upper_infinite by lia. apply everything_encloses.
Qed.

(** What [upper X] minus, or plus, anything is worth: a bound from above. *)
Lemma upper_bounds_above X x : encloses X x -> bounds_above (hi (upper X)) (units x).
Proof.
  intros enclosed. destruct (upper_value X x enclosed) as (u & order & _ & above).
  eapply bounds_above_le; [exact above | now apply units_le].
Qed.

(** ** The lattice *)

Lemma hull_encloses_left X Y x y : encloses X x -> encloses Y y -> encloses (hull X Y) x.
Proof.
  intros [below above] [below' above']. split; cbn [imin imax hull lo hi].
  - destruct (Z.min_spec (lo X) (lo Y)) as [[order ->]|[order ->]]; [exact below|].
    eapply bounds_below_lower; eassumption.
  - destruct (Z.max_spec (hi X) (hi Y)) as [[order ->]|[order ->]]; [|exact above].
    eapply bounds_above_raise; [eassumption.. | lia].
Qed.

Lemma hull_encloses_right X Y x y : encloses X x -> encloses Y y -> encloses (hull X Y) y.
Proof.
  intros left right. replace (hull X Y) with (hull Y X) by (unfold hull; f_equal; lia).
  eapply hull_encloses_left; eassumption.
Qed.

(** The hull of enclosures of two numbers encloses every number between them. *)
Lemma encloses_between I x y z : encloses I x -> encloses I y -> x <= z <= y -> encloses I z.
Proof.
  intros [below _] [_ above] [low high]. apply units_le in low, high.
  split; [eapply bounds_below_le | eapply bounds_above_le]; eassumption.
Qed.

Lemma imax_encloses X Y x y : encloses X x -> encloses Y y -> encloses (imax X Y) (Rmax x y).
Proof.
  intros [below above] [below' above']. pose proof (Rmax_l x y) as left. pose proof (Rmax_r x y) as right.
  apply units_le in left, right. split; cbn [imin imax hull lo hi].
  - destruct (Z.max_spec (lo X) (lo Y)) as [[_ ->]|[_ ->]]; eapply bounds_below_le; eassumption.
  - apply (Rmax_case x y (fun m => bounds_above _ (units m)));
      destruct (Z.max_spec (hi X) (hi Y)) as [[order ->]|[order ->]];
      try assumption; eapply bounds_above_raise; eassumption || lia.
Qed.

Lemma imin_encloses X Y x y : encloses X x -> encloses Y y -> encloses (imin X Y) (Rmin x y).
Proof.
  intros [below above] [below' above']. pose proof (Rmin_l x y) as left. pose proof (Rmin_r x y) as right.
  apply units_le in left, right. split; cbn [imin imax hull lo hi].
  - apply (Rmin_case x y (fun m => bounds_below _ (units m)));
      destruct (Z.min_spec (lo X) (lo Y)) as [[order ->]|[order ->]];
      try assumption; eapply bounds_below_lower; eassumption || lia.
  - destruct (Z.min_spec (hi X) (hi Y)) as [[_ ->]|[_ ->]]; eapply bounds_above_le; eassumption.
Qed.

(** ** Sums *)

Lemma add_encloses X Y x y : encloses X x -> encloses Y y -> encloses (add X Y) (x + y).
Proof.
  pose proof LIMIT_pos. unfold encloses, bounds_below, bounds_above. intros [below above] [below' above'].
  apply new_encloses; intros z [= <-] finite; unfold units in *; rewrite plus_IZR;
    destruct below as [|[? ?]], below' as [|[? ?]], above as [|[? ?]], above' as [|[? ?]]; lia || lra.
Qed.

Lemma sub_encloses X Y x y : encloses X x -> encloses Y y -> encloses (sub X Y) (x - y).
Proof.
  pose proof LIMIT_pos. unfold encloses, bounds_below, bounds_above. intros [below above] [below' above'].
  apply new_encloses; intros z [= <-] finite; unfold units in *; rewrite minus_IZR;
    destruct below as [|[? ?]], below' as [|[? ?]], above as [|[? ?]], above' as [|[? ?]]; lia || lra.
Qed.

(** ** Shifts: divisions by a power of two, rounded *)

Lemma shiftr_floor z n : (0 <= n)%Z -> IZR (Z.shiftr z n) <= IZR z * pow2 (- n) < IZR (Z.shiftr z n) + 1.
Proof.
  intros nonnegative. rewrite Z.shiftr_div_pow2 by exact nonnegative.
  assert (0 < 2 ^ n)%Z as positive by (apply Z.pow_pos_nonneg; lia).
  pose proof (Z.div_mod z (2 ^ n) ltac:(lia)) as split_z. pose proof (Z.mod_pos_bound z (2 ^ n) positive) as [low high].
  apply (f_equal IZR) in split_z. rewrite plus_IZR, mult_IZR in split_z. apply IZR_le in low. apply IZR_lt in high.
  rewrite pow2_Z in split_z, high by exact nonnegative. rewrite split_z, Rmult_plus_distr_r.
  rewrite (Rmult_comm (pow2 n)), Rmult_assoc, pow2_cancel. pose proof (pow2_pos (- n)) as small.
  apply (Rmult_le_compat_r _ _ _ (Rlt_le _ _ small)) in low. apply (Rmult_lt_compat_r _ _ _ small) in high.
  rewrite pow2_cancel in high. lra.
Qed.

Lemma shift_left_exact v n w : (0 <= n)%Z -> shift_left v n = Some w -> IZR w = IZR v * pow2 n.
Proof.
  intros nonnegative. unfold shift_left. destruct (Z.eqb_spec v 0) as [->|_].
  - intros [= <-]. ring.
  - destruct (_ <? _)%Z; [|discriminate]. intros [= <-].
    now rewrite Z.shiftl_mul_pow2, mult_IZR, pow2_Z by exact nonnegative.
Qed.

Lemma shift_down_sound v right w : shift_down v right = Some w -> IZR w <= IZR v * pow2 (- right).
Proof.
  unfold shift_down. destruct (Z.leb_spec 0 right) as [nonnegative|negative].
  - intros [= <-]. now apply shiftr_floor.
  - intros shifted. rewrite (shift_left_exact v (- right) w); [lra | lia | exact shifted].
Qed.

Lemma shift_up_sound v right w : shift_up v right = Some w -> IZR v * pow2 (- right) <= IZR w.
Proof.
  unfold shift_up. destruct (shift_down _ right) as [d|] eqn:shifted; [|discriminate]. intros [= <-].
  apply shift_down_sound in shifted. pose proof (pow2_pos (- right)). rewrite opp_IZR. unfold opposite in shifted.
  destruct (Z.eqb_spec v (-170141183460469231731687303715884105728)) as [->|_]; [|rewrite opp_IZR in shifted]; lra.
Qed.

(** A number on a grid that is at least an upper end. *)
Lemma ceil_to_grid_sound bits limit X x bin : ((LIMIT < hi X)%Z \/ units x <= IZR (hi X)) ->
  ceil_to_grid bits limit X = Some bin -> (- limit <= bin)%Z /\ x * pow2 bits <= IZR bin.
Proof.
  unfold ceil_to_grid. intros order. destruct (Z.ltb_spec LIMIT (hi X)) as [|finite]; [discriminate|].
  destruct order as [|order]; [lia|]. destruct (shift_up _ _) as [up|] eqn:shifted; [|discriminate].
  destruct (_ <? limit)%Z; [|discriminate]. intros [= <-]. split; [lia|]. apply shift_up_sound in shifted.
  apply Rle_trans with (IZR up); [|apply IZR_le; lia]. apply Rle_trans with (2 := shifted).
  replace (x * pow2 bits) with (units x * pow2 (- (FRACTION - bits))).
  - apply Rmult_le_compat_r; [apply Rlt_le, pow2_pos | exact order].
  - unfold units. rewrite Rmult_assoc, <- pow2_plus. do 2 f_equal. ring.
Qed.

Lemma dyadic_encloses m e : encloses (dyadic m e) (IZR m * pow2 e).
Proof.
  assert (units (IZR m * pow2 e) = IZR m * pow2 (- - (e + FRACTION))) as exact.
  { unfold units. rewrite Z.opp_involutive, pow2_plus. ring. }
  apply new_encloses; intros z shifted _; rewrite exact; [now apply shift_down_sound | now apply shift_up_sound].
Qed.

(** The root r of [2^96 / n] has r^2 n <= 2^96 < (r + 1)^2 n. *)
Lemma inverse_sqrt_encloses n : (0 < n)%Z -> encloses (inverse_sqrt n) (1 / sqrt (IZR n)).
Proof.
  intros positive. unfold inverse_sqrt. destruct (Z.leb_spec n 0) as [|_]; [lia|].
  change (2 ^ (2 * FRACTION))%Z with (2 ^ 48 * 2 ^ 48)%Z. set (one := (2 ^ 48)%Z).
  assert (0 < one)%Z as one_pos by reflexivity.
  assert (units (1 / sqrt (IZR n)) = IZR one / sqrt (IZR n)) as exact.
  { unfold units, one. rewrite pow2_Z by easy. unfold FRACTION, Rdiv. ring. }
  set (q := (one * one / n)%Z).
  assert (n * q <= one * one < n * (q + 1))%Z as [low high].
  { split; [now apply Z.mul_div_le | rewrite Z.add_1_r; now apply Z.mul_succ_div_gt]. }
  assert (0 <= q)%Z as q_pos by (apply Z.div_pos; nia).
  pose proof (Z.sqrt_spec q q_pos) as [below above]. pose proof (Z.sqrt_nonneg q) as root_pos.
  set (root := Z.sqrt q) in *. rewrite <- Z.add_1_r in above.
  assert (n * (root * root) <= one * one)%Z as lower by nia.
  assert (one * one <= n * ((root + 1) * (root + 1)))%Z as upper by nia.
  apply IZR_lt in positive, one_pos. apply IZR_le in lower, upper, root_pos. rewrite !mult_IZR in lower, upper.
  rewrite plus_IZR in upper.
  pose proof (sqrt_lt_R0 _ positive) as s_pos. pose proof (sqrt_sqrt (IZR n) ltac:(lra)) as square.
  set (s := sqrt (IZR n)) in *. rewrite <- square in *.
  assert (IZR one = IZR one / s * s) as E by (field; lra).
  apply new_encloses; intros z [= <-] _; rewrite exact, ?plus_IZR; apply (Rmult_le_reg_r s _ _ s_pos); rewrite <- E.
  - apply Rsqr_incr_0; unfold Rsqr; nra.
  - apply Rsqr_incr_0; unfold Rsqr; nra.
Qed.

(** ** Products *)

Lemma product_exact a b p : product a b = Some p -> p = (a * b)%Z /\ (Z.abs a <= LIMIT)%Z /\ (Z.abs b <= LIMIT)%Z.
Proof.
  assert (forall z, fits 64 z = true -> (Z.abs z <= LIMIT)%Z) as narrow.
  { intros z fitting. apply andb_prop in fitting as [low high]. apply Z.leb_le in low. apply Z.ltb_lt in high.
    change (2 ^ (64 - 1))%Z with 9223372036854775808%Z in *. unfold LIMIT. lia. }
  unfold product. destruct (fits 64 a && fits 64 b) eqn:fitting.
  - apply andb_prop in fitting as [? ?]. intros [= <-]. auto.
  - destruct (_ || _) eqn:small; [discriminate|]. apply orb_false_elim in small as [?%Z.ltb_ge ?%Z.ltb_ge]. cbv zeta.
    destruct (fits 128 _ && _); [|discriminate]. intros [= <-]. auto.
Qed.

(** A product is at least whatever the products of the ends are at least. *)
Lemma bilinear_below a b c d u v m : a <= u <= b -> c <= v <= d ->
  m <= a * c -> m <= a * d -> m <= b * c -> m <= b * d -> m <= u * v.
Proof.
  intros [] [] ? ? ? ?. destruct (Rle_dec 0 v).
  - assert (a * v <= u * v) by nra. destruct (Rle_dec 0 a); nra.
  - assert (b * v <= u * v) by nra. destruct (Rle_dec 0 b); nra.
Qed.

Lemma bilinear_above a b c d u v m : a <= u <= b -> c <= v <= d ->
  a * c <= m -> a * d <= m -> b * c <= m -> b * d <= m -> u * v <= m.
Proof.
  intros [] between ? ? ? ?. pose proof (bilinear_below (- b) (- a) c d (- u) v (- m) ltac:(lra) between) as below. lra.
Qed.

Lemma products_sound X Y x y l h : encloses X x -> encloses Y y -> products X Y = Some (l, h) ->
  IZR l <= units x * units y <= IZR h.
Proof.
  intros [below above] [below' above']. unfold products.
  destruct (product (lo X) (lo Y)) as [p|] eqn:Hp; [|discriminate].
  destruct (product (lo X) (hi Y)) as [q|] eqn:Hq; [|discriminate].
  destruct (product (hi X) (lo Y)) as [r|] eqn:Hr; [|discriminate].
  destruct (product (hi X) (hi Y)) as [s|] eqn:Hs; [|discriminate]. intros [= <- <-].
  apply product_exact in Hp as (-> & ? & ?), Hq as (-> & _), Hr as (-> & _), Hs as (-> & ? & ?).
  pose proof LIMIT_pos.
  destruct below as [|[_ below]], below' as [|[_ below']], above as [|[_ above]], above' as [|[_ above']]; try lia.
  split; [apply (bilinear_below _ _ _ _ _ _ _ (conj below above) (conj below' above'))
         | apply (bilinear_above _ _ _ _ _ _ _ (conj below above) (conj below' above'))];
    rewrite <- mult_IZR; apply IZR_le; lia.
Qed.

Lemma mul_scaled_encloses X Y x y s : encloses X x -> encloses Y y -> encloses (mul_scaled X Y s) (x * y * pow2 s).
Proof.
  intros enclosed enclosed'. unfold mul_scaled.
  destruct (products X Y) as [[l h]|] eqn:found; [|apply everything_encloses].
  pose proof (products_sound _ _ _ _ _ _ enclosed enclosed' found).
  assert (units (x * y * pow2 s) = units x * units y * pow2 (- (FRACTION - s))) as E.
  { unfold units. replace (- (FRACTION - s))%Z with (s + - FRACTION)%Z by lia. rewrite pow2_plus.
    transitivity (x * y * pow2 s * pow2 FRACTION * (pow2 FRACTION * pow2 (- FRACTION))); [|ring].
    rewrite pow2_cancel. ring. }
  pose proof (pow2_pos (- (FRACTION - s))).
  apply new_encloses; intros z shifted _; rewrite E.
  - apply shift_down_sound in shifted. nra.
  - apply shift_up_sound in shifted. nra.
Qed.

Lemma mul_encloses X Y x y : encloses X x -> encloses Y y -> encloses (mul X Y) (x * y).
Proof. intros enclosed enclosed'. rewrite <- (Rmult_1_r (x * y)). now apply mul_scaled_encloses with (s := 0%Z). Qed.

(** ** Inner products *)

Fixpoint inner (xs ys : list R) : R :=
  match xs, ys with
  | x :: xs, y :: ys => x * y + inner xs ys
  | _, _ => 0
  end.

Lemma dot_encloses Xs Ys xs ys : Forall2 encloses Xs xs -> Forall2 encloses Ys ys -> encloses (dot Xs Ys) (inner xs ys).
Proof.
  intros left right. unfold dot. set (step := fun (sums : option (Z * Z)) (pair : ival * ival) => _).
  assert (forall pairs, fold_left step pairs None = None) as lost by (induction pairs; auto).
  assert (forall l h l' h' sum, IZR l <= sum <= IZR h -> fold_left step (combine Xs Ys) (Some (l, h)) = Some (l', h') ->
    IZR l' <= sum + inner xs ys * (pow2 FRACTION * pow2 FRACTION) <= IZR h') as sound.
  { revert Ys ys right. induction left as [|X x Xs xs enclosed _ IH]; intros Ys ys right l h l' h' sum between.
    { cbn. intros [= <- <-]. lra. }
    destruct right as [|Y y Ys ys enclosed' right]; cbn [combine fold_left inner].
    { intros [= <- <-]. lra. }
    unfold step at 2. cbn [fst snd]. destruct (products X Y) as [[least greatest]|] eqn:found; [|now rewrite lost].
    destruct (_ && _); [|now rewrite lost]. intros folded.
    pose proof (products_sound _ _ _ _ _ _ enclosed enclosed' found).
    apply (IH _ _ right _ _ _ _ (sum + units x * units y)) in folded; [|rewrite !plus_IZR; lra].
    unfold units in folded. lra. }
  destruct (fold_left _ _ _) as [[l h]|] eqn:folded; [|apply everything_encloses].
  specialize (sound 0%Z 0%Z l h 0 ltac:(lra) folded) as [low high].
  rewrite Rplus_0_l, <- Rmult_assoc in low, high. apply pow2_move_right in low. apply pow2_move_left in high.
  apply new_encloses; intros z shifted _; [apply shift_down_sound in shifted | apply shift_up_sound in shifted];
    unfold units; lra.
Qed.

(** ** The exponential *)

(** 2^k is between exp (k a) and exp (k b) where exp a <= 2 <= exp b: in this order for k >= 0. *)
Lemma exp_powers k : exp (IZR (Z.min (k * LN2) (k * (LN2 + 1))) * pow2 (- 90)) <= pow2 k
  <= exp (IZR (Z.max (k * LN2) (k * (LN2 + 1))) * pow2 (- 90)).
Proof.
  destruct exp_LN2 as [below above]. rewrite pow2_Z in below, above by easy.
  set (a := IZR LN2 / pow2 90) in *. set (b := IZR (LN2 + 1) / pow2 90) in *.
  assert (forall j, IZR (j * LN2) * pow2 (- 90) = IZR j * a) as near.
  { intros j. unfold a. rewrite mult_IZR. change (pow2 (- 90)) with (/ pow2 90). unfold Rdiv. ring. }
  assert (forall j, IZR (j * (LN2 + 1)) * pow2 (- 90) = IZR j * b) as far.
  { intros j. unfold b. rewrite mult_IZR. change (pow2 (- 90)) with (/ pow2 90). unfold Rdiv. ring. }
  assert (forall n, exp (INR n * a) <= pow2 (Z.of_nat n) <= exp (INR n * b)) as natural.
  { intros n. rewrite !exp_times, <- pow_powerRZ. pose proof (exp_pos a). split; apply pow_incr; lra. }
  destruct (Z_le_gt_dec 0 k) as [sign|sign].
  - rewrite Z.min_l, Z.max_r, near, far by lia. rewrite <- (Z2Nat.id k sign), <- INR_IZR_INZ. apply natural.
  - rewrite Z.min_r, Z.max_l, near, far by lia. specialize (natural (Z.to_nat (- k))) as [low high].
    rewrite INR_IZR_INZ, Z2Nat.id, opp_IZR, <- Ropp_mult_distr_l, exp_Ropp in low, high by lia.
    pose proof (pow2_cancel k) as cancel. pose proof (pow2_pos k). pose proof (pow2_pos (- k)).
    pose proof (exp_pos (IZR k * a)) as pos_a. pose proof (exp_pos (IZR k * b)) as pos_b.
    pose proof (Rinv_r (exp (IZR k * a)) ltac:(lra)). pose proof (Rinv_r (exp (IZR k * b)) ltac:(lra)).
    split; nra.
Qed.

(** Horner's rule sums the terms. *)
Definition coefficients (n : nat) : list R := map (fun i => / IZR (factorial i)) (rev (seq 0 n)).

Lemma horner x n start :
  fold_left (fun sum a => a + x * sum) (coefficients n) start = taylor n x + x ^ n * start.
Proof.
  unfold coefficients. revert start. induction n as [|n IH]; intros start; [cbn; ring|].
  rewrite seq_S, rev_app_distr. cbn [rev app map fold_left plus]. rewrite IH. cbn [taylor pow]. unfold term. field.
  apply Rgt_not_eq, factorial_R_pos.
Qed.

(** The table: the floors of 2^60 / i!. *)
Lemma inverse_factorials_table :
  Forall2 (fun c a => IZR c <= pow2 60 * a <= IZR c + 1) inverse_factorials (coefficients 20).
Proof.
  assert (Forall2 (fun c i => (c * factorial i <= 2 ^ 60 <= (c + 1) * factorial i)%Z)
    inverse_factorials (rev (seq 0 20))) as exact.
  { let table := eval vm_compute in inverse_factorials in
    replace inverse_factorials with table by (vm_compute; reflexivity).
    repeat (constructor; [vm_compute; split; discriminate|]). constructor. }
  unfold coefficients. induction exact as [|c i cs is [low high] _ IH]; cbn [map]; constructor; [|exact IH].
  apply IZR_le in low, high. rewrite pow2_Z, mult_IZR in low, high by easy. rewrite plus_IZR in high.
  pose proof (factorial_R_pos i) as positive. pose proof (Rinv_r (IZR (factorial i)) ltac:(lra)) as cancel.
  split; apply (Rmult_le_reg_r _ _ _ positive); rewrite ?Rmult_assoc, ?(Rmult_comm (/ _)), ?cancel; lra.
Qed.

Lemma interval_times l h r u :
  IZR l <= u <= IZR h -> IZR (Z.min (l * r) (h * r)) <= u * IZR r <= IZR (Z.max (l * r) (h * r)).
Proof.
  intros [low high]. pose proof (le_IZR l h ltac:(lra)). destruct (Z_le_gt_dec 0 r) as [sign|sign].
  - rewrite Z.min_l, Z.max_r, !mult_IZR by nia. apply IZR_le in sign. nra.
  - rewrite Z.min_r, Z.max_l, !mult_IZR by nia. apply Z.gt_lt, IZR_lt in sign. nra.
Qed.

(** 20 terms leave less than one unit of 2^-60: 2 * 2^-20 / 20! <= 2^-60. *)
Lemma twenty_terms x : Rabs x <= / 2 -> Rabs (exp x - taylor 20 x) <= pow2 (- 60).
Proof.
  intros half. eapply Rle_trans; [apply exp_taylor; [lra | lia]|]. unfold term, Rdiv.
  assert (IZR (2 ^ 41) <= IZR (factorial 20)) as large by (apply IZR_le; vm_compute; discriminate).
  pose proof (factorial_R_pos 20) as positive. set (f := IZR (factorial 20)) in *. rewrite pow2_Z in large by easy.
  apply Rinv_le_contravar in large; [|apply pow2_pos]. rewrite <- (pow2_opp 41) in large.
  pose proof (Rinv_0_lt_compat _ positive). pose proof (pow_incr _ _ 20 (conj (Rabs_pos x) half)) as power.
  rewrite Rabs_mult, <- RPow_abs, (Rabs_pos_eq (/ f)) by lra.
  assert (pow2 1 * ((/ 2) ^ 20 * pow2 (- 41)) = pow2 (- 60)) as <-.
  { rewrite pow_inv. change (pow2 1 * (pow2 (- 20) * pow2 (- 41)) = pow2 (- 60)). now rewrite <- !pow2_plus. }
  rewrite powerRZ_1.
  apply Rmult_le_compat_l; [lra|]. apply Rmult_le_compat; [apply pow_le, Rabs_pos | lra | exact power | exact large].
Qed.

(** For |r| <= 1/2 in units of 2^-60, [series] bounds 2^60 exp r. *)
Lemma series_sound r : (- 2 ^ 59 <= r <= 2 ^ 59)%Z ->
  IZR (fst (series r)) <= pow2 60 * exp (IZR r * pow2 (- 60)) <= IZR (snd (series r)).
Proof.
  intros small. set (x := IZR r * pow2 (- 60)).
  unfold series. set (step := fun (bounds : Z * Z) (coefficient : Z) => _). cbv zeta.
  assert (forall cs as_, Forall2 (fun c a => IZR c <= pow2 60 * a <= IZR c + 1) cs as_ ->
    forall bounds sum, IZR (fst bounds) <= pow2 60 * sum <= IZR (snd bounds) ->
    IZR (fst (fold_left step cs bounds)) <= pow2 60 * fold_left (fun sum a => a + x * sum) as_ sum
    <= IZR (snd (fold_left step cs bounds))) as sound.
  { induction 1 as [|c a cs as_ between _ IH]; [now intros|].
    intros bounds sum around. cbn [fold_left]. apply IH. clear IH. unfold step. cbn [fst snd].
    apply interval_times with (r := r) in around as [low high]. rewrite !plus_IZR.
    pose proof (shiftr_floor (Z.min (fst bounds * r) (snd bounds * r)) WORK ltac:(easy)) as [floor _].
    pose proof (shiftr_floor (Z.max (fst bounds * r) (snd bounds * r)) WORK ltac:(easy)) as [_ floor'].
    replace (pow2 60 * (a + x * sum)) with (pow2 60 * a + pow2 60 * sum * IZR r * pow2 (- 60)) by (unfold x; ring).
    change (- WORK)%Z with (-60)%Z in floor, floor'. pose proof (Rlt_le _ _ (pow2_pos (- 60))) as unit_pos.
    apply (Rmult_le_compat_r _ _ _ unit_pos) in low, high. lra. }
  specialize (sound _ _ inverse_factorials_table (0, 0)%Z 0 ltac:(cbn [fst snd]; lra)). rewrite horner in sound.
  set (bounds := fold_left step _ _) in *.
  assert (Rabs x <= / 2) as half.
  { destruct small as [low high]. apply IZR_le in low, high. rewrite opp_IZR, pow2_Z in low by easy.
    rewrite pow2_Z in high by easy.
    assert (pow2 59 * pow2 (- 60) = / 2) as E.
    { rewrite <- pow2_plus. change (/ (2 * 1) = / 2). now rewrite Rmult_1_r. }
    pose proof (Rlt_le _ _ (pow2_pos (- 60))) as unit_pos. apply (Rmult_le_compat_r _ _ _ unit_pos) in low, high.
    apply Rabs_le. unfold x. lra. }
  rewrite Rmult_0_r, Rplus_0_r in sound. cbn [fst snd]. rewrite minus_IZR, plus_IZR.
  pose proof (pow2_cancel 60 : pow2 60 * pow2 (- 60) = 1) as unit.
  pose proof (twenty_terms x half) as [low high]%Rabs_within. pose proof (Rlt_le _ _ (pow2_pos 60)) as positive.
  apply (Rmult_le_compat_l _ _ _ positive) in low, high. lra.
Qed.

Lemma some_triple (a b c a' b' c' : Z) : Some (a, b, c) = Some (a', b', c') -> a = a' /\ b = b' /\ c = c'.
Proof. intros [= -> -> ->]. auto. Qed.

(** [at_point] bounds 2^60 exp u 2^-k, where x is u in units of 2^-48. *)
Lemma at_point_sound x l h k u : at_point x = Some (l, h, k) -> IZR x = units u ->
  (Z.abs x <= LIMIT)%Z /\ IZR l <= pow2 60 * (exp u * pow2 (- k)) <= IZR h.
Proof.
  unfold at_point. destruct (Z.ltb_spec (2 ^ (FRACTION + 20)) (Z.abs x)) as [|range]; [discriminate|].
  change (2 ^ (FRACTION + 20))%Z with 295147905179352825856%Z in range. cbv zeta.
  assert (IZR (Z.shiftl x 42) = IZR x * pow2 42) as shifted by (now rewrite Z.shiftl_mul_pow2, mult_IZR, pow2_Z).
  set (scaled := Z.shiftl x 42) in *.
  set (quotient := ((scaled + LN2 / 2) / LN2)%Z). intros found is_u.
  destruct (shift_down _ 30) as [low|] eqn:down; [|discriminate].
  destruct (shift_up _ 30) as [high|] eqn:up; [|discriminate].
  destruct ((low <? _)%Z || _) eqn:fit; [discriminate|]. apply some_triple in found as (<- & <- & <-).
  apply orb_false_elim in fit as [low_fits%Z.ltb_ge high_fits%Z.ltb_ge]. change (WORK - 1)%Z with 59%Z in *.
  split; [unfold LIMIT; lia|].
  pose proof (exp_powers quotient) as [below above].
  set (least := Z.min (quotient * LN2) _) in *. set (most := Z.max (quotient * LN2) _) in *.
  assert (forall z, IZR (scaled - z) * pow2 (- (30)) * pow2 (- 60) = u - IZR z * pow2 (- 90)) as remains.
  { intros z. rewrite Rmult_assoc, <- pow2_plus. change (- (30) + -60)%Z with (-90)%Z.
    rewrite minus_IZR, shifted, is_u. unfold units.
    transitivity (u * (pow2 FRACTION * pow2 42 * pow2 (- 90)) - IZR z * pow2 (- 90)); [ring|].
    rewrite <- !pow2_plus. change (FRACTION + 42 + -90)%Z with 0%Z. cbn. ring. }
  pose proof (Rlt_le _ _ (pow2_pos (- 60))) as unit_pos.
  apply shift_down_sound, (Rmult_le_compat_r _ _ _ unit_pos) in down. rewrite remains in down.
  apply shift_up_sound, (Rmult_le_compat_r _ _ _ unit_pos) in up. rewrite remains in up.
  assert (low <= high)%Z as ordered.
  { apply le_IZR, (Rmult_le_reg_r (pow2 (- 60))); [apply pow2_pos|].
    assert (IZR least <= IZR most) as order by (apply IZR_le; unfold least, most; lia).
    apply (Rmult_le_compat_r _ _ _ (Rlt_le _ _ (pow2_pos (- 90)))) in order. lra. }
  pose proof (series_sound low ltac:(lia)) as [sum_low _]. pose proof (series_sound high ltac:(lia)) as [_ sum_high].
  apply exp_monotone in down, up. unfold Rminus in down, up. rewrite exp_plus, exp_Ropp in down, up.
  rewrite pow2_opp. pose proof (pow2_pos quotient) as power_pos. pose proof (pow2_pos 60). pose proof (exp_pos u).
  apply Rinv_le_contravar in below; [|apply exp_pos]. apply Rinv_le_contravar in above; [|exact power_pos].
  split.
  - eapply Rle_trans; [exact sum_low|]. apply Rmult_le_compat_l; [lra|]. nra.
  - eapply Rle_trans; [|exact sum_high]. apply Rmult_le_compat_l; [lra|]. nra.
Qed.

Theorem exp_encloses X x : encloses X x -> let (Y, k) := iexp X in encloses Y (exp x * pow2 (- k)).
Proof.
  intros [below above]. unfold iexp.
  destruct (at_point (hi X)) as [[[low_hi high] k]|] eqn:at_hi; [|apply everything_encloses].
  pose proof LIMIT_pos.
  (* An end of X is itself x's, up to a bound: the real that it stands for. *)
  assert (forall z, IZR z = units (IZR z * pow2 (- FRACTION))) as stands.
  { intros z. unfold units. rewrite Rmult_assoc, (Rmult_comm (pow2 _)), pow2_cancel. ring. }
  assert (units (exp x * pow2 (- k)) = pow2 60 * (exp x * pow2 (- k)) * pow2 (- (12))) as rescaled.
  { unfold units. assert (pow2 FRACTION = pow2 60 * pow2 (- (12))) as -> by (rewrite <- pow2_plus; reflexivity). ring. }
  apply new_encloses; rewrite rescaled.
  - intros z [= <-] _.
    assert (0 <= pow2 60 * (exp x * pow2 (- k)) * pow2 (- (12))) as positive.
    { apply Rlt_le, Rmult_lt_0_compat, pow2_pos. apply Rmult_lt_0_compat; [apply pow2_pos|].
      apply Rmult_lt_0_compat; [apply exp_pos | apply pow2_pos]. }
    destruct (at_point (lo X)) as [[[low high_lo] j]|] eqn:at_lo; [|exact positive].
    destruct (shift_down low (k - j + 12)) as [d|] eqn:shifted; [|exact positive].
    apply shift_down_sound in shifted.
    apply (at_point_sound _ _ _ _ _) with (2 := stands _) in at_lo as [finite [bound _]].
    destruct below as [|[_ below]]; [lia|]. rewrite stands in below. apply units_le_inv, exp_monotone in below.
    rewrite <- Rmult_assoc in bound. apply pow2_move_right in bound. rewrite Z.opp_involutive in bound.
    replace (- (k - j + 12))%Z with (j + (- k + - (12)))%Z in shifted by lia.
    rewrite !pow2_plus in shifted. eapply Rle_trans; [exact shifted|]. rewrite <- !Rmult_assoc.
    repeat (apply Rmult_le_compat_r; [apply Rlt_le, pow2_pos|]).
    eapply Rle_trans; [exact bound|]. apply Rmult_le_compat_l; [apply Rlt_le, pow2_pos | exact below].
  - intros z shifted _. apply shift_up_sound in shifted.
    apply (at_point_sound _ _ _ _ _) with (2 := stands _) in at_hi as [finite [_ bound]].
    destruct above as [|[_ above]]; [lia|]. rewrite stands in above. apply units_le_inv, exp_monotone in above.
    eapply Rle_trans; [|exact shifted]. apply Rmult_le_compat_r; [apply Rlt_le, pow2_pos|].
    eapply Rle_trans; [|exact bound]. apply Rmult_le_compat_l; [apply Rlt_le, pow2_pos|].
    apply Rmult_le_compat_r; [apply Rlt_le, pow2_pos | exact above].
Qed.
