(** * Fixed-point enclosures: the checker's own arithmetic (`src/checker/arithmetic/fixed.rs`).

    An enclosure is a pair of integers in units of 2^-48, rounded outward. An end beyond 2^120 units is no bound at all.
    These functions compute the same integers as the Rust program, its overflows of 128-bit integers included. *)

From Coq Require Import ZArith List Bool.
Import ListNotations.
Local Open Scope Z_scope.

Record ival := mk { lo : Z; hi : Z }.

Definition FRACTION : Z := 48.
Definition LIMIT : Z := 2 ^ 120.
Definition everything : ival := mk (-4 * LIMIT) (4 * LIMIT).

Definition new (l h : option Z) : ival :=
  match l, h with
  | Some l, Some h => if (- LIMIT <=? l) && (h <=? LIMIT) then mk l h else everything
  | _, _ => everything
  end.

(** Does it fit a signed integer of [bits] bits? *)
Definition fits (bits z : Z) : bool := (- 2 ^ (bits - 1) <=? z) && (z <? 2 ^ (bits - 1)).

(** The number of bits of a natural number. *)
Definition bit_length (z : Z) : Z := if z <=? 0 then 0 else Z.log2 z + 1.

(** [value * 2^left], unless it does not fit with two bits of room. *)
Definition shift_left (value left : Z) : option Z :=
  let size := bit_length (if value <? 0 then - value - 1 else value) in
  if value =? 0 then Some 0
  else if left + 1 <? 128 - size then Some (Z.shiftl value left) else None.

(** The floor of [value / 2^right]. *)
Definition shift_down (value right : Z) : option Z :=
  if 0 <=? right then Some (Z.shiftr value right) else shift_left value (- right).

(** The negation: the least of the 128-bit integers, -2^127, has none of its own and stays itself. *)
Definition opposite (z : Z) : Z := if z =? -170141183460469231731687303715884105728 then z else - z.

(** The ceiling; of -2^127 an upper bound of it. *)
Definition shift_up (value right : Z) : option Z := option_map Z.opp (shift_down (opposite value) right).

(** The exact product of two ends, if both are bounds and it fits. *)
Definition product (a b : Z) : option Z :=
  if fits 64 a && fits 64 b then Some (a * b)
  else if (LIMIT <? Z.abs a) || (LIMIT <? Z.abs b) then None
  else let p := a * b in if fits 128 p && negb (p =? - 2 ^ 127) then Some p else None.

(** The least and the greatest product of an element of one and an element of the other, in units of 2^-96. *)
Definition products (x y : ival) : option (Z * Z) :=
  match product (lo x) (lo y), product (lo x) (hi y), product (hi x) (lo y), product (hi x) (hi y) with
  | Some a, Some b, Some c, Some d =>
      Some (Z.min (Z.min a b) (Z.min c d), Z.max (Z.max a b) (Z.max c d))
  | _, _, _, _ => None
  end.

Definition dyadic (mantissa exponent : Z) : ival :=
  let right := - (exponent + FRACTION) in
  new (shift_down mantissa right) (shift_up mantissa right).

(** Encloses 1/sqrt n. *)
Definition inverse_sqrt (n : Z) : ival :=
  if n <=? 0 then everything
  else let root := Z.sqrt (2 ^ (2 * FRACTION) / n) in new (Some root) (Some (root + 1)).

Definition add (x y : ival) : ival := new (Some (lo x + lo y)) (Some (hi x + hi y)).
Definition sub (x y : ival) : ival := new (Some (lo x - hi y)) (Some (hi x - lo y)).

(** [x * y * 2^shift] *)
Definition mul_scaled (x y : ival) (shift : Z) : ival :=
  match products x y with
  | Some (l, h) => let right := FRACTION - shift in new (shift_down l right) (shift_up h right)
  | None => everything
  end.

Definition mul (x y : ival) : ival := mul_scaled x y 0.
Definition imax (x y : ival) : ival := mk (Z.max (lo x) (lo y)) (Z.max (hi x) (hi y)).
Definition imin (x y : ival) : ival := mk (Z.min (lo x) (lo y)) (Z.min (hi x) (hi y)).
Definition hull (x y : ival) : ival := mk (Z.min (lo x) (lo y)) (Z.max (hi x) (hi y)).
Definition upper (x : ival) : ival := new (Some (hi x)) (Some (hi x)).
Definition is_negative (x : ival) : bool := hi x <? 0.
Definition is_nonnegative (x : ival) : bool := 0 <=? lo x.
Definition upper_at_most (x y : ival) : bool := hi x <=? hi y.
Definition lower_at_most (x y : ival) : bool := lo x <=? lo y.

(** The ceiling of the upper end times 2^bits, if it is below [limit]; at least -[limit]. *)
Definition ceil_to_grid (bits limit : Z) (x : ival) : option Z :=
  if LIMIT <? hi x then None
  else match shift_up (hi x) (FRACTION - bits) with
       | Some bin => let bin := Z.max bin (- limit) in if bin <? limit then Some bin else None
       | None => None
       end.

(** The floor of the lower end times 2^bits, if it is above -[limit]; at most [limit]. *)
Definition floor_to_grid (bits limit : Z) (x : ival) : option Z :=
  option_map Z.opp (ceil_to_grid bits limit (sub (dyadic 0 0) x)).

(** Exact products and sums, one outward rounding at the end. *)
Definition dot (xs ys : list ival) : ival :=
  let step (sums : option (Z * Z)) (pair : ival * ival) :=
    match sums, products (fst pair) (snd pair) with
    | Some (l, h), Some (least, greatest) =>
        if fits 128 (l + least) && fits 128 (h + greatest) then Some (l + least, h + greatest) else None
    | _, _ => None
    end in
  match fold_left step (combine xs ys) (Some (0, 0)) with
  | Some (l, h) => new (shift_down l FRACTION) (shift_up h FRACTION)
  | None => everything
  end.

(** ** The exponential *)

Definition WORK : Z := 60.
(** The floor of 2^90 * ln 2. *)
Definition LN2 : Z := 858074647932929271111585486.
(** The floors of 2^60 / i!, for i = 0 to 19; each from the one before. *)
Definition inverse_factorials : list Z :=
  map fst (fold_left
    (fun table i => match table with
                    | (value, _) :: _ => (value / i, i) :: table
                    | [] => []
                    end)
    (map Z.of_nat (seq 1 19)) [(2 ^ 60, 0)]).

(** A lower and an upper bound of exp r, all in units of 2^-60, for |r| <= 1/2. Coefficients from the last to the first. *)
Definition series (r : Z) : Z * Z :=
  let step (bounds : Z * Z) (coefficient : Z) :=
    let a := fst bounds * r in
    let b := snd bounds * r in
    (coefficient + Z.shiftr (Z.min a b) WORK, coefficient + 1 + Z.shiftr (Z.max a b) WORK + 1) in
  let bounds := fold_left step inverse_factorials (0, 0) in
  (fst bounds - 1, snd bounds + 1).

(** Bounds of exp x * 2^-k in units of 2^-60, and k. *)
Definition at_point (x : Z) : option (Z * Z * Z) :=
  if 2 ^ (FRACTION + 20) <? Z.abs x then None
  else
    let scaled := Z.shiftl x 42 in
    let k := (scaled + LN2 / 2) / LN2 in
    let near := k * LN2 in
    let far := k * (LN2 + 1) in
    match shift_down (scaled - Z.max near far) 30, shift_up (scaled - Z.min near far) 30 with
    | Some low, Some high =>
        let half := 2 ^ (WORK - 1) in
        if (low <? - half) || (half <? high) then None
        else Some (fst (series low), snd (series high), k)
    | _, _ => None
    end.

(** A pair (y, k) with y * 2^k enclosing the exponential, y near 1 at the upper end. *)
Definition iexp (x : ival) : ival * Z :=
  match at_point (hi x) with
  | None => (everything, 0)
  | Some (_, high, k) =>
      let low := match at_point (lo x) with
                 | Some (low, _, below) => shift_down low (k - below + 12)
                 | None => None
                 end in
      (new (Some (match low with Some low => low | None => 0 end)) (shift_up high 12), k)
  end.

Example inverse_factorials_are : nth 19 inverse_factorials 0 = 2 ^ 60 /\ length inverse_factorials = 20%nat.
Proof. split; vm_compute; reflexivity. Qed.
