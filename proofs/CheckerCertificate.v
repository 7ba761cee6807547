(** * The checker's inputs: weights and certificates (`src/model/mod.rs`, `src/certificate/mod.rs`).

    A certificate is hints only: whatever stands in it, what the checker derives is true. Its claim is an argument of
    [Checker.check]. Rules that are not mirrored have no place here. *)

From Coq Require Import ZArith List.
From gbmi Require Import Model.
Import ListNotations.

(** A float32: mantissa and exponent of two. *)
Definition dyadics := list (list (Z * Z)).

(** The tensors of `model.safetensors`, row by row; biases are one row. *)
Record weights := {
  sizes : config;
  w_e : dyadics; w_pos : dyadics;
  w_q : dyadics; w_k : dyadics; w_v : dyadics; w_o : dyadics;
  w_u : dyadics;
  b_q : list (Z * Z); b_k : list (Z * Z); b_v : list (Z * Z); b_o : list (Z * Z); b_u : list (Z * Z)
}.

(** Hints for rule `entries`; vectors and bounds in units of 2^-30. *)
Record entries := {
  blocks : list nat;
  centre : list Z;
  basis : list (list Z);
  left_bounds : list Z;
  right_bounds : list Z
}.

Inductive answers := These (answers : list nat) | Rest | Each.
Inductive test := Pooled | Unpooled | Wrong | Count | Forfeit.

(** Windows: [None] is `all`. *)
Record group := { group_answers : answers; group_test : test; group_window : option nat }.

Record grid_script := { grid_bits : nat; without : list (list nat); wrong_groups : list nat }.
(** Tokens that come first among a position's items, the number of tokens for those that are far; and the words of a
    walk, none for the walk by the rule. *)
Inductive count := Tree (order walk : list nat) | Grid (g : grid_script).
Record plan := { groups : list group; plan_count : count; plan_window : option nat }.

Record cert := {
  attention_orders : list (list nat);
  score_entries : option entries;
  offset : list Z;  (** in units of 2^-20 *)
  token_orders : list (list nat);
  query_orders : list (list nat);
  last_orders : list (list nat);
  logit_entries : option entries;
  direct_entries : option entries;
  plans : list plan;
  assignment : list (list nat)  (** by level: the plan of each query, ascending *)
}.
