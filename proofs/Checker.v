(** * The checker (`src/checker/mod.rs`): what a certificate establishes about a network.

    The same integers and the same verdict as `gbmi check`, for the rules that are mirrored: attention `exact`, direct
    path `split`, criterion `partition`. There is no meter, and no histogram is too large: no proof is too long. *)

From Coq Require Import ZArith List Bool.
From gbmi Require Import Model Fixed CheckerFast CheckerCertificate CheckerTable CheckerPaths CheckerRules.
From gbmi Require Import CheckerLevels CheckerCriterion.
Import ListNotations.
Local Open Scope Z_scope.

(** The plan for an answer and one of the queries of its levels, by number. *)
Definition plan_for (c : cert) (answer number : nat) : option plan :=
  match assignment c with
  | [] => nth_error (plans c) 0
  | rows => match nth_error (nth answer rows []) number with Some i => nth_error (plans c) i | None => None end
  end.

Definition plus (x y : Z * Z) : Z * Z := (fst x + fst y, snd x + snd y).

(** All levels of an answer with their queries, in order. *)
Definition parts_of (T : tables) (levels : list level) : list (level_view * nat) :=
  flat_map (fun L => let of_level := level_view_of T L in map (pair of_level) (queries (vocab T) L)) levels.

(** Of the inputs of an answer's levels: how many are certified, and how many are wrong. *)
Definition certified_answer (T : tables) (c : cert) (answer : nat) (levels : list level) : result (Z * Z) :=
  fold_left (fun sum (part : nat * (level_view * nat)) => bind sum (fun sum =>
    match plan_for c answer (fst part) with
    | None => Derived sum
    | Some p => bind (settle (view_of T (fst (snd part)) (snd (snd part))) p) (fun found => Derived (plus sum found))
    end)) (enumerated (parts_of T levels)) (Derived (0, 0)).

(** Are the tensors of the sizes that the configuration says? *)
Definition well_formed (w : weights) : bool :=
  let s := sizes w in
  let is rows cols (x : dyadics) := (length x =? rows)%nat && forallb (fun r => (length r =? cols)%nat) x in
  let '(v, n, d, h) := (d_vocab s, n_ctx s, d_model s, d_head s) in
  (2 <=? v)%nat && (2 <=? n)%nat && (1 <=? d)%nat && (1 <=? h)%nat
  && is v d (w_e w) && is n d (w_pos w) && is d h (w_q w) && is d h (w_k w) && is d h (w_v w) && is h d (w_o w)
  && is d v (w_u w) && is 1%nat h [b_q w] && is 1%nat h [b_k w] && is 1%nat h [b_v w] && is 1%nat d [b_o w]
  && is 1%nat v [b_u w].

(** The number of inputs. *)
Definition total_inputs (w : weights) : Z := Z.of_nat (d_vocab (sizes w)) ^ Z.of_nat (n_ctx (sizes w)).

(** At least so many inputs are answered correctly, and at most so many, of a task's levels by answer; [total] is the
    number of inputs. The last answer first. *)
Definition derive_levels (w : weights) (c : cert) (total : Z) (levels : list (list level)) : result (Z * Z) :=
  if well_formed w then
    let T := tables_of w c in
    let found := fold_left (fun sum (answer : nat * list level) => bind sum (fun sum =>
                   bind (certified_answer T c (fst answer) (snd answer)) (fun found => Derived (plus sum found))))
                   (rev (enumerated levels)) (Derived (0, 0)) in
    bind found (fun found => Derived (fst found, total - snd found))
  else Declined.

(** For Max-of-n. *)
Definition derive (w : weights) (c : cert) : result (Z * Z) :=
  derive_levels w c (total_inputs w) (max_levels (d_vocab (sizes w)) (n_ctx (sizes w))).

Definition certify (w : weights) (c : cert) : option (Z * Z) :=
  match derive w c with Derived found => Some found | _ => None end.

(** Do the derived counts establish a claim? *)
Definition establishes (w : weights) (derived : Z * Z) (claimed_correct : Z) (claimed_upper : option Z) : bool :=
  let '(correct, upper) := derived in
  (claimed_correct <=? correct)
  && match claimed_upper with
     | None => true
     | Some claimed => (upper <=? claimed) && (claimed <=? total_inputs w)
     end.

(** Does a certificate establish its claim? *)
Definition check (w : weights) (c : cert) (claimed_correct : Z) (claimed_upper : option Z) : bool :=
  match certify w c with
  | None => false
  | Some derived => establishes w derived claimed_correct claimed_upper
  end.
