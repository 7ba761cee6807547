(** * Enclosures as a whole and by halves are the same. *)

From Coq Require Import Reals ZArith Lia Lra.
From gbmi Require Import Fixed FixedSound CheckerCriterionSoundHalves.
Local Open Scope R_scope.

Lemma encloses_sane_iff I x : encloses I x <-> encloses_sane I x.
Proof.
  split.
  - intros enclosed. pose proof (encloses_form I x enclosed) as (? & ? & ? & ? & ?).
    pose proof (encloses_ends I x enclosed) as [? ?]. rewrite units_48 in *.
    assert (sane I) by (constructor; assumption). now repeat split.
  - intros [[[] high] [_ low]]. rewrite <- units_48 in high, low. apply encloses_of_ends; try assumption; lia.
Qed.
