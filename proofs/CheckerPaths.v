(** * The network's paths as tables (`src/checker/factors.rs`, `src/checker/levels/entries.rs`, `tables.rs`). *)

From Coq Require Import ZArith List Bool.
From gbmi Require Import Model Fixed CheckerFast CheckerCertificate CheckerTable.
Import ListNotations.

Definition zero : ival := dyadic 0 0.
Definition one : ival := dyadic 1 0.

(** ** Rule `entries`: a table X Y^T of which only some entries are computed *)

(** X and Y: the chain cut at its narrowest place, the last of several. *)
Definition halves (chain : list table) : table * table :=
  let narrow split := Z.of_nat (length (nth split chain [])) in
  match first_least narrow (rev (splits (length chain))) with
  | Some split => (product_of (firstn split chain), transposed (product_of (skipn split chain)))
  | None => ([], [])
  end.

Section Paint.
  Context {A : Type}.

  (** Writes the elements of [new] over those of [old], from place [from] on. *)
  Fixpoint paint_row (from : nat) (new : list A) (old : list (option A)) : list (option A) :=
    match old with
    | [] => []
    | x :: old =>
        match from, new with
        | S from, _ => x :: paint_row from new old
        | O, [] => x :: old
        | O, y :: new => Some y :: paint_row O new old
        end
    end.

  (** Writes a block over a part of a table. *)
  Fixpoint paint (row col : nat) (block : list (list A)) (old : list (list (option A))) : list (list (option A)) :=
    match old with
    | [] => []
    | r :: old =>
        match row, block with
        | S row, _ => r :: paint row col block old
        | O, [] => r :: old
        | O, new :: block => paint_row col new r :: paint O col block old
        end
    end.
End Paint.

Section Entries.
  Variable hints : entries.
  Variables left right : table.

  Definition unit_entry (k : Z) : ival := dyadic k (-30).
  Definition vector (hint : list Z) : row := map unit_entry (padded (width left) 0%Z hint).

  (** The entries that are computed; later blocks stand above earlier ones. *)
  Fixpoint painted (blocks : list nat) (found : list (list (option ival))) : list (list (option ival)) :=
    match blocks with
    | first_row :: row :: first_col :: col :: blocks =>
        let part (side : table) from upto := firstn (Nat.min upto (length side) - from) (skipn from side) in
        painted blocks (paint first_row first_col (times (part left first_row row) (part right first_col col)) found)
    | _ => found
    end.

  Definition basis_rows : table := map vector (basis hints).

  (** Is no eigenvalue of the basis' Gram matrix above 1, by the sums of absolute values of its rows? *)
  Definition small : bool :=
    forallb (fun r =>
      let sizes := map (fun other => let entry := fast_dot r other in imax entry (sub zero entry)) basis_rows in
      is_nonnegative (sub one (fold_left add sizes zero))) basis_rows.

  (** What the basis sees of a row, and the bound on the rest, if it is one. *)
  Definition seen (r : row) (bound : Z) : option (row * Z) :=
    if (bound <=? 0)%Z || negb small then None
    else
      let parts := map (fast_dot r) basis_rows in
      let rest := fold_left (fun rest part => sub rest (fast_mul part part)) parts (fast_dot r r) in
      let square := fast_mul (unit_entry bound) (unit_entry bound) in
      if is_negative (sub rest square) then Some (parts, bound) else None.

  Definition seen_rows (side : table) (bounds : list Z) : list (option (row * Z)) :=
    map2 seen side (padded (length side) 0%Z bounds).

  Definition entry_bound (query key : option (row * Z)) : ival :=
    match query, key with
    | Some (x, s), Some (y, z) => add (fast_dot x y) (fast_mul (unit_entry s) (hull (unit_entry (- z)) (unit_entry z)))
    | _, _ => everything
    end.

  Definition entries_table : table :=
    let found := painted (blocks hints) (map (fun _ => map (fun _ => None) right) left) in
    let queries := seen_rows left (left_bounds hints) in
    let keys := seen_rows right (right_bounds hints) in
    map2 (fun query => map2 (fun key (entry : option ival) =>
      match entry with Some entry => entry | None => entry_bound query key end) keys) queries found.
End Entries.

(** The product of a chain of matrices, up to a constant for each row: in full, or as the hints say. *)
Definition table_of (chain : list table) (hints : option entries) : table :=
  match hints with
  | None => product_of chain
  | Some hints =>
      let '(x, y) := halves chain in
      let y := match centre hints with [] => y | _ => add_row y (vector x (centre hints)) end in
      entries_table hints x y
  end.

(** ** The factors of the paths, with the softmax scale and the biases in their places *)

Definition enclose_row : list (Z * Z) -> row := map (fun x => dyadic (fst x) (snd x)).
Definition enclose : dyadics -> table := map enclose_row.

(** The enclosed bias, unless every entry is exactly zero. *)
Definition nonzero (bias : list (Z * Z)) : option row :=
  if existsb (fun x => negb (fst x =? 0)%Z) bias then Some (enclose_row bias) else None.

Definition plus_bias (t : table) (bias : option row) : table :=
  match bias with Some bias => add_row t bias | None => t end.

Record paths := {
  scores : table;  (** A beside B: v rows, v + n columns *)
  logits : table;  (** EV above PV: v + n rows, v columns *)
  direct : table   (** D: v rows, v columns *)
}.

Definition paths_of (w : weights) (c : cert) : paths :=
  let e := enclose (w_e w) in
  let pos := enclose (w_pos w) in
  let query := add_row e (get_row pos (n_ctx (sizes w) - 1)) in
  let sources := e ++ pos in
  let bias := nonzero (b_q w) in
  (* The query bias is a further row of W_Q, met by a column of ones. *)
  let wq := enclose (w_q w) ++ match bias with Some bias => [bias] | None => [] end in
  let wq := if scaled (sizes w)
            then let scale := inverse_sqrt (Z.of_nat (d_head (sizes w))) in map (map (fun x => fast_mul x scale)) wq
            else wq in
  let queries := match bias with Some _ => map (fun r => r ++ [one]) query | None => query end in
  let wo := enclose (w_o w) in
  (* The attention-weighted biases reach every position alike: b_V W_O + b_O joins the residual stream. *)
  let through := option_map (fun bias => get_row (product_of [[bias]; wo]) 0) (nonzero (b_v w)) in
  let stream := plus_bias (plus_bias query through) (nonzero (b_o w)) in
  let wu := enclose (w_u w) in
  {| scores := table_of [queries; wq; transposed (enclose (w_k w)); transposed sources] (score_entries c);
     logits := table_of [sources; enclose (w_v w); wo; wu] (logit_entries c);
     direct := plus_bias (table_of [stream; wu] (direct_entries c)) (nonzero (b_u w)) |}.
