(* SHA-256 (FIPS 180-4), in hexadecimal. Not verified. *)

let primes =
  let rec go n found =
    if List.length found = 64 then List.rev found
    else go (n + 1) (if List.for_all (fun p -> n mod p <> 0) found then n :: found else found) in
  go 2 []

(* The first 32 bits of the fractional part of a root of p, which is the floor of (p * 2^(32 * degree))^(1/degree). *)
let fraction degree p =
  Z.to_int (Z.logand (Z.root (Z.shift_left (Z.of_int p) (32 * degree)) degree) (Z.of_int 0xffffffff))

let initial = Array.of_list (List.filteri (fun i _ -> i < 8) primes |> List.map (fraction 2))
let constants = Array.of_list (List.map (fraction 3) primes)

let mask = 0xffffffff
let rotate x n = ((x lsr n) lor (x lsl (32 - n))) land mask

let hex text =
  let length = String.length text in
  let padding = String.make (1 + ((119 - length mod 64) mod 64)) '\000' in
  let message = Buffer.create (length + 72) in
  Buffer.add_string message text;
  Buffer.add_char message '\x80';
  Buffer.add_string message (String.sub padding 1 (String.length padding - 1));
  Buffer.add_int64_be message (Int64.of_int (8 * length));
  let message = Buffer.to_bytes message in
  let state = Array.copy initial and w = Array.make 64 0 in
  for block = 0 to Bytes.length message / 64 - 1 do
    for i = 0 to 15 do
      w.(i) <- Int32.to_int (Bytes.get_int32_be message (64 * block + 4 * i)) land mask
    done;
    for i = 16 to 63 do
      let x = w.(i - 15) and y = w.(i - 2) in
      let s0 = rotate x 7 lxor rotate x 18 lxor (x lsr 3) and s1 = rotate y 17 lxor rotate y 19 lxor (y lsr 10) in
      w.(i) <- (w.(i - 16) + s0 + w.(i - 7) + s1) land mask
    done;
    let v = Array.copy state in
    for i = 0 to 63 do
      let a = v.(0) and e = v.(4) in
      let s1 = rotate e 6 lxor rotate e 11 lxor rotate e 25 and choice = (e land v.(5)) lxor (lnot e land v.(6)) in
      let t1 = v.(7) + s1 + choice + constants.(i) + w.(i) in
      let s0 = rotate a 2 lxor rotate a 13 lxor rotate a 22 in
      let majority = (a land v.(1)) lxor (a land v.(2)) lxor (v.(1) land v.(2)) in
      Array.blit v 0 v 1 7;
      v.(4) <- (v.(4) + t1) land mask;
      v.(0) <- (t1 + s0 + majority) land mask
    done;
    Array.iteri (fun i x -> state.(i) <- (state.(i) + x) land mask) v
  done;
  String.concat "" (Array.to_list (Array.map (Printf.sprintf "%08x") state))
