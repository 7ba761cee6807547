(** * The proof rules: orders, attention, direct path (`src/checker/order.rs`, `src/checker/levels`). *)

From Coq Require Import ZArith List Bool.
From gbmi Require Import Model Fixed CheckerFast CheckerCertificate CheckerTable CheckerPaths.
Import ListNotations.

(** ** Rule `order`: a hinted order of a row *)

(** Indices in the hinted order, each with the index and the entry that bound it and all behind it; the last is the
    bound of those that are not listed. *)
Record order := { listed : list (nat * (nat * ival)); unlisted : option (nat * ival) }.

(** Takes out the element at a place, if it is still there. *)
Fixpoint take {A} (i : nat) (xs : list (option A)) : option (A * list (option A)) :=
  match xs, i with
  | Some x :: xs, O => Some (x, None :: xs)
  | x :: xs, S i => match take i xs with Some (y, xs) => Some (y, x :: xs) | None => None end
  | _, _ => None
  end.

(** What is left, with its places. *)
Fixpoint numbered {A} (place : nat) (xs : list (option A)) : list (nat * A) :=
  match xs with
  | [] => []
  | Some x :: xs => (place, x) :: numbered (S place) xs
  | None :: xs => numbered (S place) xs
  end.

Section Order.
  (** Does the first entry bound the second? *)
  Variable comes_first : ival -> ival -> bool.

  Definition larger (x y : nat * ival) : nat * ival := if comes_first (snd x) (snd y) then x else y.

  (** The last mention of an index counts, and as much of the hint as the row is long. *)
  Definition take_listed (hint : list nat) (r : row) : list (nat * ival) * list (option ival) :=
    fold_right (fun i state =>
      match take i (snd state) with
      | Some (entry, others) => ((i, entry) :: fst state, others)
      | None => state
      end) ([], map Some r) (firstn (length r) hint).

  Definition order_by (hint : list nat) (r : row) : order :=
    let '(found, others) := take_listed hint r in
    let rest := reduce larger (numbered 0 others) in
    let rank entry (state : option (nat * ival) * list (nat * (nat * ival))) :=
      let bound := match fst state with Some best => larger best entry | None => entry end in
      (Some bound, (fst entry, bound) :: snd state) in
    {| listed := snd (fold_right rank (rest, []) found); unlisted := rest |}.
End Order.

Definition descending : list nat -> row -> order := order_by (fun a b => upper_at_most b a).

(** An index, and its entry, which is at least that of every member. *)
Definition bound (member : nat -> bool) (o : order) : option (nat * ival) :=
  match find (fun rank => member (fst rank)) (listed o) with
  | Some (_, best) => Some best
  | None => unlisted o
  end.

(** A row, with its order if one is hinted. *)
Record ordered := { row_of : row; order_of : option order }.

Definition with_orders (hints : list (list nat)) (t : table) : list ordered :=
  map2 (fun r hint => {| row_of := r; order_of := option_map (fun hint => descending hint r) hint |})
    t (padded (length t) None (map Some hints)).

Definition no_row : ordered := {| row_of := []; order_of := None |}.

(** ** Rule `attention` *)

(** exp A(q,t) = [alpha] * 2^[exponent], and [alpha] * exp B(q,p) / 2^c(q) for every position p. *)
Record source := { alpha : ival; exponent : Z; by_position : row }.
(** One query: its tokens, sum and least of exp B / 2^c over the positions but the last, order of A. *)
Record head := { by_token : list source; beta_sum : ival; beta_min : ival; token_order : option order }.

Definition no_source : source := {| alpha := everything; exponent := 0%Z; by_position := [] |}.
Definition no_head : head := {| by_token := []; beta_sum := everything; beta_min := everything; token_order := None |}.

Definition or_everything (x : option ival) : ival := match x with Some x => x | None => everything end.

(** From a row of A beside B. *)
Definition head_of (v n : nat) (r : row) (hint : option (list nat)) : head :=
  let '(a, b) := (firstn v r, skipn v r) in
  let exponentials := map iexp b in
  let scale := match reduce Z.max (map snd exponentials) with Some scale => scale | None => 0%Z end in
  let beta := map (fun e => fast_mul_scaled (fst e) one (snd e - scale)) exponentials in
  let token x := let '(y, k) := iexp x in {| alpha := y; exponent := k; by_position := map (fast_mul y) beta |} in
  let but_last := firstn (n - 1) beta in
  {| by_token := map token a;
     beta_sum := or_everything (reduce add but_last);
     beta_min := or_everything (reduce imin but_last);
     token_order := option_map (fun hint => descending hint a) hint |}.

(** ** Rule `margins` *)

(** A set of wrong answers: one, or the marked ones. *)
Inductive answer_set := One (answer : nat) | Marked (marks : list bool).

Definition marked (marks : list bool) (i : nat) : bool := nth i marks false.

(** An entry that is at least every member's, by the row's order; one member needs none. *)
Definition top (s : answer_set) (r : ordered) : option ival :=
  match s with
  | One answer => Some (get (row_of r) answer)
  | Marked marks => match order_of r with Some o => option_map snd (bound (marked marks) o) | None => None end
  end.

(** [op] with a hinted vector, as far as it goes. *)
Fixpoint shifted (op : ival -> ival -> ival) (r offset : row) : row :=
  match r, offset with
  | x :: r, y :: offset => op x y :: shifted op r offset
  | _, _ => r
  end.

(** The range of all rows: what the greatest of tops is above the least entry. *)
Definition range (rows : list ordered) : ival :=
  let tops := map (fun r => option_map (bound (fun _ => true)) (order_of r)) rows in
  if existsb (fun found => match found with None => true | Some _ => false end) tops then everything
  else
    let entry found := match found with Some (Some best) => snd best | _ => everything end in
    match reduce imax (map entry tops), reduce imin (concat (map row_of rows)) with
    | Some most, Some least => sub most least
    | _, _ => everything
    end.

(** The tables that all maxima share (`tables.rs`). *)
Record tables := {
  vocab : nat;
  context : nat;
  heads : list head;               (** by query *)
  token_rows : list (list ordered); (** by position but the last, then token: EV(t,j) + PV(p,j) + offset j *)
  query_rows : list ordered;       (** D(q,j) - offset j *)
  last_rows : list ordered;        (** EV(q,j) + PV(n-1,j) + D(q,j) *)
  widest : ival                    (** no margin is below minus this *)
}.

Definition tables_of (w : weights) (c : cert) : tables :=
  let '(v, n) := (d_vocab (sizes w), n_ctx (sizes w)) in
  let p := paths_of w c in
  let offset := map (fun k => dyadic k (-20)) (offset c) in
  let '(ev, pv) := (firstn v (logits p), skipn v (logits p)) in
  let positions := map (fun r => shifted add r offset) pv in
  let tokens := concat (map (fun position => map (fun r => map2 add r position) ev) (firstn (n - 1) positions)) in
  let queries := map (fun r => shifted sub r offset) (direct p) in
  let lasts := map2 (fun r query => map2 add (map2 add r (get_row positions (n - 1))) query) ev queries in
  let tokens := with_orders (token_orders c) tokens in
  let queries := with_orders (query_orders c) queries in
  {| vocab := v;
     context := n;
     heads := map2 (head_of v n) (scores p) (padded (length (scores p)) None (map Some (attention_orders c)));
     token_rows := chunks (n - 1) v tokens;
     query_rows := queries;
     last_rows := with_orders (last_orders c) lasts;
     widest := add (range tokens) (range queries) |}.
