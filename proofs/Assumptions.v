(** What the theorems rest on: `make -C proofs assumptions` compares what this prints with `assumptions.txt`. *)

From gbmi Require Import Theory TheoryMatrix FixedSound CheckerLevelsSound CheckerCriterionSoundCounts.
From gbmi Require Import CheckerCriterionSoundWhole CheckerGridSound CheckerCriterionSoundLevel CheckerSound.
From gbmi Require Import Margin Exhaustive ExhaustiveColumns Decoder.

Print Assumptions correct_iff_right.
Print Assumptions right_shift.
Print Assumptions entry_bound.
Print Assumptions TheoryMatrix.winograd.
Print Assumptions certified_count.
Print Assumptions max_levels_cover.
Print Assumptions whole_pooled.
Print Assumptions whole_unpooled.
Print Assumptions whole_wrong.
Print Assumptions tree_counts.
Print Assumptions grid_counts.
Print Assumptions partition_sound.
Print Assumptions mul_scaled_encloses.
Print Assumptions dot_encloses.
Print Assumptions exp_encloses.
Print Assumptions check_sound.
Print Assumptions margin_additive.
Print Assumptions margin_additive_upper.
Print Assumptions correct_by_iff.
Print Assumptions causal.
Print Assumptions decoder_of_logit.
Print Assumptions count_right_max_of_n.
Print Assumptions exhaustive_counts.
Print Assumptions exhaustive_counts_by_query.
Print Assumptions layer_columns.
Print Assumptions logits_by_columns.
Print Assumptions logits_compared.
Print Assumptions walk_counts.
