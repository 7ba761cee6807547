(** * Extraction of the checker to OCaml (`extracted/checker.ml`), with Zarith's integers.

    Trusted here: that the functions of `extracted/integers.ml` are those of [Z], and that no [nat] exceeds OCaml's
    integers (they are lengths, indices and hints, which the reader cuts). *)

From Coq Require Import ZArith List.
From Coq Require Import ExtrOcamlBasic ExtrOcamlNatInt.
From gbmi Require Import Model Fixed CheckerCertificate CheckerCriterion Checker.

Extract Inductive positive => "Integers.t" ["Integers.twice_plus_one" "Integers.twice" "Integers.one"]
  "Integers.match_positive".
Extract Inductive Z => "Integers.t" ["Integers.zero" "" "Integers.neg"] "Integers.match_z".

Extract Inlined Constant Z.opp => "Integers.neg".
Extract Inlined Constant Z.add => "Integers.add".
Extract Inlined Constant Z.sub => "Integers.sub".
Extract Inlined Constant Z.mul => "Integers.mul".
Extract Inlined Constant Z.abs => "Integers.abs".
Extract Inlined Constant Z.min => "Integers.min".
Extract Inlined Constant Z.max => "Integers.max".
Extract Inlined Constant Z.eqb => "Integers.equal".
Extract Inlined Constant Z.leb => "Integers.leq".
Extract Inlined Constant Z.ltb => "Integers.lt".
Extract Inlined Constant Z.even => "Integers.is_even".
Extract Inlined Constant Z.odd => "Integers.is_odd".
Extract Inlined Constant Z.div => "Integers.floor_div".
Extract Inlined Constant Z.modulo => "Integers.floor_mod".
Extract Inlined Constant Z.pow => "Integers.power".
Extract Inlined Constant Z.sqrt => "Integers.floor_sqrt".
Extract Inlined Constant Z.log2 => "Integers.floor_log2".
Extract Inlined Constant Z.shiftl => "Integers.shift_l".
Extract Inlined Constant Z.shiftr => "Integers.shift_r".
Extract Inlined Constant Z.of_nat => "Integers.of_int".
Extract Inlined Constant Z.to_nat => "Integers.to_natural".

Extract Inlined Constant length => "Stdlib.List.length".

Extraction "extracted/checker.ml" derive establishes.
