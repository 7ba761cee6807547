(** What the theorems rest on: `make -C proofs assumptions` compares what this prints with `assumptions.txt`. *)

From gbmi Require Import Theory TheoryMatrix TheoryBounds Counting FixedSound CheckerSound.

Print Assumptions correct_iff_right.
Print Assumptions right_shift.
Print Assumptions entry_bound.
Print Assumptions TheoryMatrix.winograd.
Print Assumptions certified_correct.
Print Assumptions pair_right.
Print Assumptions whole_pooled.
Print Assumptions whole_unpooled.
Print Assumptions mul_scaled_encloses.
Print Assumptions dot_encloses.
Print Assumptions exp_encloses.
Print Assumptions check_sound.
