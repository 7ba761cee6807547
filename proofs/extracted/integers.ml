(* Coq's Z by Zarith: each function is that of the same name in Coq's library ZArith, on all integers. *)

include Z

let twice x = shift_left x 1
let twice_plus_one x = succ (twice x)

let match_positive odd even one_ x =
  if leq x one then one_ () else if Z.is_odd x then odd (shift_right x 1) else even (shift_right x 1)

let match_z zero_ positive negative x =
  match sign x with 0 -> zero_ () | 1 -> positive x | _ -> negative (neg x)

let floor_div x y = if equal y zero then zero else fdiv x y
let floor_mod x y = if sign y > 0 then erem x y else sub x (mul y (floor_div x y))
let floor_sqrt x = if sign x < 0 then zero else sqrt x
let floor_log2 x = if sign x <= 0 then zero else of_int (log2 x)
let power x n = if sign n < 0 then zero else pow x (to_int n)
let shift_l x n = if sign n >= 0 then shift_left x (to_int n) else shift_right x (to_int (neg n))
let shift_r x n = shift_l x (neg n)
let to_natural x = if sign x <= 0 then 0 else to_int x
