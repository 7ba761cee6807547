(** * Products of enclosures, faster: the same functions as those of [Fixed], as is proved here.

    They compare with constants instead of powers, and multiply two ends instead of four where the signs are known: the
    fast path of `src/checker/arithmetic/fixed.rs`. Where the ends are near each other, Coq multiplies only once: its
    multiplication by a small number is an addition or two. *)

From Coq Require Import ZArith List Bool Lia.
From gbmi Require Import Fixed.
Import ListNotations.
Local Open Scope Z_scope.

Definition LEAST_64 : Z := -9223372036854775808.
Definition MOST_64 : Z := 9223372036854775807.
Definition LEAST_128 : Z := -170141183460469231731687303715884105728.
Definition MOST_128 : Z := 170141183460469231731687303715884105727.

(** Ends in order, which fit 64 bits. *)
Definition narrow (x : ival) : bool := (LEAST_64 <=? lo x) && (lo x <=? hi x) && (hi x <=? MOST_64).

(** The products [x * y] and [x' * y'] of a number near the first one and a number near the second one. *)
Definition near_products (x y x' y' : Z) : Z * Z :=
  let p := x * y in (p, p + ((x' - x) * y' + (y' - y) * x)).

Definition fast_products (x y : ival) : option (Z * Z) :=
  let a := lo x in
  let b := hi x in
  let c := lo y in
  let d := hi y in
  if narrow x && narrow y then
    if 0 <=? a then Some (near_products (if c <? 0 then b else a) c (if d <? 0 then a else b) d)
    else if b <=? 0 then Some (near_products (if d <? 0 then b else a) d (if c <? 0 then a else b) c)
    else products x y
  else products x y.

Definition fast_mul_scaled (x y : ival) (shift : Z) : ival :=
  match fast_products x y with
  | Some (l, h) => let right := FRACTION - shift in new (shift_down l right) (shift_up h right)
  | None => everything
  end.

Definition fast_mul (x y : ival) : ival := fast_mul_scaled x y 0.

Fixpoint fast_sums (xs ys : list ival) (l h : Z) : option (Z * Z) :=
  match xs, ys with
  | x :: xs, y :: ys =>
      match fast_products x y with
      | Some (least, greatest) =>
          let l := l + least in
          let h := h + greatest in
          if (LEAST_128 <=? l) && (l <=? MOST_128) && (LEAST_128 <=? h) && (h <=? MOST_128)
          then fast_sums xs ys l h else None
      | None => None
      end
  | _, _ => Some (l, h)
  end.

Definition fast_dot (xs ys : list ival) : ival :=
  match fast_sums xs ys 0 0 with
  | Some (l, h) => new (shift_down l FRACTION) (shift_up h FRACTION)
  | None => everything
  end.

(** ** They are the same *)

Lemma fits_64 z : LEAST_64 <= z <= MOST_64 -> fits 64 z = true.
Proof.
  intros [low high]. unfold fits. change (2 ^ (64 - 1)) with (MOST_64 + 1).
  apply andb_true_intro. unfold LEAST_64, MOST_64 in *. split; [apply Z.leb_le | apply Z.ltb_lt]; lia.
Qed.

Lemma fits_128 z : fits 128 z = (LEAST_128 <=? z) && (z <=? MOST_128).
Proof.
  unfold fits. change (2 ^ (128 - 1)) with (MOST_128 + 1). change (- (MOST_128 + 1)) with LEAST_128. f_equal.
  destruct (Z.leb_spec z MOST_128), (Z.ltb_spec z (MOST_128 + 1)); lia.
Qed.

Lemma near_products_eq x y x' y' : near_products x y x' y' = (x * y, x' * y').
Proof. unfold near_products. f_equal. ring. Qed.

Lemma fast_products_eq x y : fast_products x y = products x y.
Proof.
  unfold fast_products, narrow. destruct x as [a b], y as [c d]. cbn [lo hi].
  destruct (LEAST_64 <=? a) eqn:A; [|reflexivity]. destruct (a <=? b) eqn:B; [|reflexivity].
  destruct (b <=? MOST_64) eqn:C; [|reflexivity]. destruct (LEAST_64 <=? c) eqn:D; [|reflexivity].
  destruct (c <=? d) eqn:E; [|reflexivity]. destruct (d <=? MOST_64) eqn:F; [|reflexivity].
  cbn [andb]. apply Z.leb_le in A, B, C, D, E, F.
  assert (products (mk a b) (mk c d)
          = Some (Z.min (Z.min (a * c) (a * d)) (Z.min (b * c) (b * d)),
                  Z.max (Z.max (a * c) (a * d)) (Z.max (b * c) (b * d)))) as ->.
  { unfold products, product. cbn [lo hi]. rewrite !fits_64 by lia. reflexivity. }
  rewrite !near_products_eq.
  destruct (Z.leb_spec 0 a).
  - assert (a * c <= a * d /\ b * c <= b * d) as [? ?] by nia.
    rewrite (Z.min_l (a * c)), (Z.min_l (b * c)), (Z.max_r (a * c)), (Z.max_r (b * c)) by assumption.
    f_equal. f_equal.
    + destruct (Z.ltb_spec c 0); [rewrite Z.min_r | rewrite Z.min_l]; nia.
    + destruct (Z.ltb_spec d 0); [rewrite Z.max_l | rewrite Z.max_r]; nia.
  - destruct (Z.leb_spec b 0); [|reflexivity].
    assert (a * d <= a * c /\ b * d <= b * c) as [? ?] by nia.
    rewrite (Z.min_r (a * c)), (Z.min_r (b * c)), (Z.max_l (a * c)), (Z.max_l (b * c)) by assumption.
    f_equal. f_equal.
    + destruct (Z.ltb_spec d 0); [rewrite Z.min_r | rewrite Z.min_l]; nia.
    + destruct (Z.ltb_spec c 0); [rewrite Z.max_l | rewrite Z.max_r]; nia.
Qed.

Lemma fast_mul_scaled_eq x y shift : fast_mul_scaled x y shift = mul_scaled x y shift.
Proof. unfold fast_mul_scaled, mul_scaled. now rewrite fast_products_eq. Qed.

Lemma fast_mul_eq x y : fast_mul x y = mul x y.
Proof. apply fast_mul_scaled_eq. Qed.

Lemma fast_dot_eq xs ys : fast_dot xs ys = dot xs ys.
Proof.
  unfold fast_dot, dot. set (step := fun (sums : option (Z * Z)) (pair : ival * ival) => _).
  assert (forall pairs, fold_left step pairs None = None) as lost by (induction pairs; auto).
  assert (forall xs ys l h, fast_sums xs ys l h = fold_left step (combine xs ys) (Some (l, h))) as same.
  { clear xs ys. induction xs as [|x xs IH]; intros [|y ys] l h; try reflexivity.
    cbn [fast_sums combine fold_left]. rewrite fast_products_eq. unfold step at 2. cbn [fst snd].
    destruct (products x y) as [[least greatest]|]; [|now rewrite lost].
    rewrite !fits_128, !andb_assoc, IH.
    now destruct (LEAST_128 <=? _), (_ <=? MOST_128), (LEAST_128 <=? _), (_ <=? MOST_128); cbn [andb]; rewrite ?lost. }
  now rewrite same.
Qed.
