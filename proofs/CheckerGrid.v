(** * Counts of sums on a grid (`src/checker/levels/grid.rs`), of integers alone

    Sequences of items are counted by two sums each. The Rust program keeps histograms in arrays; here a row of them
    is one integer. Both counts are exact: the integers are the same. *)

From Coq Require Import ZArith List Bool.
From gbmi Require Import Fixed CheckerLevels.
Import ListNotations.
Local Open Scope Z_scope.

(** ** Values by key, the keys ascending *)

Definition bag (A : Type) := list (Z * A).

Section Bags.
  Context {A : Type}.
  Variable plus : A -> A -> A.

  (** A value before all others; two of one key are added. *)
  Definition put (entry : Z * A) (b : bag A) : bag A :=
    match b with
    | (key, a) :: rest => if fst entry =? key then (key, plus (snd entry) a) :: rest else entry :: b
    | [] => [entry]
    end.

  Fixpoint merge (xs : bag A) : bag A -> bag A :=
    match xs with
    | [] => fun ys => ys
    | x :: xs' => fix merge_ys (ys : bag A) : bag A :=
        match ys with
        | [] => xs
        | y :: ys' => if fst x <=? fst y then put x (merge xs' ys) else put y (merge_ys ys')
        end
    end.

  Fixpoint merge_pairs (bags : list (bag A)) : list (bag A) :=
    match bags with x :: y :: bags => merge x y :: merge_pairs bags | _ => bags end.

  Fixpoint merge_halves (steps : nat) (bags : list (bag A)) : bag A :=
    match steps, bags with
    | S steps, _ :: _ :: _ => merge_halves steps (merge_pairs bags)
    | _, _ => fold_right merge [] bags
    end.

  Definition merge_all (bags : list (bag A)) : bag A := merge_halves (length bags) bags.
End Bags.

(** ** Numbers of sequences by a sum: the digits of one integer, of [size] bits each *)

(** So many last digits, all zero, then those of an integer. *)
Definition digits := (Z * Z)%type.

Section Digits.
  (** All numbers together are below 2^[size] - 1. *)
  Variable size : Z.

  Definition plus (x y : digits) : digits :=
    if snd x =? 0 then y else if snd y =? 0 then x
    else if fst x <=? fst y then (fst x, snd x + Z.shiftl (snd y) (size * (fst y - fst x)))
    else (fst y, Z.shiftl (snd x) (size * (fst x - fst y)) + snd y).

  (** Without the last digits. *)
  Definition without_last (number : Z) (x : digits) : digits :=
    if number <=? fst x then (fst x - number, snd x) else (0, Z.shiftr (snd x) (size * (number - fst x))).

  Definition digit_sum (x : Z) : Z := x mod (2 ^ size - 1).

  (** So many times, with an item more; [most] is the greatest item. The least digit is [most] further on: what is below
      is dropped. What is wholly from [width] on is one digit. *)
  Definition spread (most width : Z) (items : bag Z) (x : digits) : digits :=
    let over (item : Z * Z) : bool := width + most <=? fst x + fst item in
    let times := fold_right Z.add 0 (map snd (filter over items)) in
    fold_right (fun item sum =>
      let moved := without_last (most - fst item) x in
      plus (if snd item =? 1 then moved else (fst moved, snd item * snd moved)) sum)
      (if times =? 0 then (0, 0) else (width, times * digit_sum (snd x)))
      (filter (fun item => negb (over item)) items).

  (** The digits, those from [width] on as one. *)
  Definition capped (width : Z) (x : digits) : digits :=
    if width <=? fst x then (width, digit_sum (snd x))
    else
      let over := Z.shiftr (snd x) (size * (width - fst x)) in
      if over =? 0 then x else (fst x, snd x + Z.shiftl (digit_sum over - over) (size * (width - fst x))).
End Digits.

(** ** Sequences *)

(** The items of a position: how many tokens they stand for, by the second bin, then by the first. *)
Definition cells := bag (bag Z).

Definition cells_of (first second times : list Z) : cells :=
  merge_all (merge Z.add)
    (map (fun item => [(snd (fst item), [(fst (fst item), snd item)])]) (combine (combine first second) times)).

(** A position: moves by state, and items by class. *)
Record position := { moves_here : layer; cells_here : list cells }.

Definition cells_at (P : position) (c : nat) : cells := nth c (cells_here P) [].

(** The items of all moves. *)
Definition all_cells (P : position) : cells := concat (map (fun move => cells_at P (fst move)) (concat (moves_here P))).

(** The least and the greatest sums, first and second. *)
Record reach := { least_first : Z; most_first : Z; least_second : Z; most_second : Z }.

Definition least_in (l : list Z) : Z := match l with [] => 0 | x :: l => fold_left Z.min l x end.
Definition most_in (l : list Z) : Z := match l with [] => 0 | x :: l => fold_left Z.max l x end.

Definition firsts (P : cells) : list Z := map fst (concat (map snd P)).
Definition seconds (P : cells) : list Z := map fst P.

Definition reach_plus (P : cells) (behind : reach) : reach :=
  {| least_first := least_in (firsts P) + least_first behind; most_first := most_in (firsts P) + most_first behind;
     least_second := least_in (seconds P) + least_second behind;
     most_second := most_in (seconds P) + most_second behind |}.

(** Each position with what the positions behind it reach, and what all reach. *)
Fixpoint reaching (positions : list position) : list (position * reach) * reach :=
  match positions with
  | [] => ([], {| least_first := 0; most_first := 0; least_second := 0; most_second := 0 |})
  | P :: positions =>
      let '(steps, behind) := reaching positions in ((P, behind) :: steps, reach_plus (all_cells P) behind)
  end.

(** Prefix sums with one more position: numbers of first sums by the second sum. A second sum that stays at least zero
    is dropped, one that stays below is as good as the greatest that does. *)
Definition extended_by {A} (plus : A -> A -> A) (spread : bag Z -> A -> A) (behind : reach) (rows : bag A) (P : cells)
    : list (bag A) :=
  let other_stays := -1 - most_second behind in
  let with_items (entry : Z * bag Z) : bag A :=
    fold_right (fun row result =>
      let second := Z.max (fst row + fst entry) other_stays in
      if second <? - least_second behind then put plus (second, spread (snd entry) (snd row)) result
      else result) [] rows in
  map with_items P.

Definition each {A B} (f : A -> B) (rows : bag A) : bag B := map (fun row => (fst row, f (snd row))) rows.

(** The rows of all states, with the items of the moves to a state. *)
Definition moved_to {A} (plus : A -> A -> A) (spread : bag Z -> A -> A) (P : position) (behind : reach)
    (rows : list (bag A)) (next : nat) : bag A :=
  merge_all plus (concat (map (fun pair =>
    concat (map (fun move => extended_by plus spread behind (fst pair) (cells_at P (fst move)))
      (filter (fun move => (snd move =? next)%nat) (snd pair)))) (combine rows (moves_here P)))).

(** By the next state. *)
Definition moved_on {A} (plus : A -> A -> A) (spread : bag Z -> A -> A) (P : position) (behind : reach)
    (rows : list (bag A)) : list (bag A) :=
  map (moved_to plus spread P behind rows) (seq 0 (S (list_max (map snd (concat (moves_here P)))))).

(** A row's least digit is the least first sum that can still reach zero; the greatest is the first that surely does. *)
Definition with_position (size : Z) (rows : list (bag digits)) (step : position * reach) : list (bag digits) :=
  let '(P, behind) := step in
  let width := most_first behind - least_first behind in
  map (each (capped size width))
    (moved_on (plus size) (spread size (most_in (firsts (all_cells P))) width) P behind rows).

(** How many sequences have a first sum of at least zero, and a second one below. *)
Definition reached (size : Z) (rows : bag digits) : Z :=
  fold_left (fun sum row => if fst row <? 0 then sum + digit_sum size (snd (snd row)) else sum) rows 0.

(** At least the number of all sequences. *)
Definition times_in (P : cells) : Z := fold_right Z.add 0 (map snd (concat (map snd P))).
Definition choices_of (P : position) : Z :=
  fold_right Z.max 1
    (map (fun moves => fold_right Z.add 0 (map (fun move => times_in (cells_at P (fst move))) moves)) (moves_here P)).
Definition choices (positions : list position) : Z := fold_right (fun P product => choices_of P * product) 1 positions.

Definition sequences_of (positions : list position) : Z :=
  let size := bit_length (choices positions) + 1 in
  let '(steps, all) := reaching positions in
  count_items (map (reached size)
    (fold_left (with_position size) steps [[(0, without_last size (- most_first all) (0, 1))]])).

(** ** Two groups *)

(** A bin on a grid coarser by so many bits. *)
Definition coarse (bits : Z) (up : bool) (bin : Z) : Z :=
  if up then - Z.shiftr (- bin) bits else Z.shiftr bin bits.

(** The bins of a group: of the last position, and of the items of every other position, by class. *)
Record grid_bins := { last_bin : Z; item_bins : list (list (list Z)) }.

(** The last position, which comes first: one item of state 0. *)
Definition last_position (first second : Z) : position :=
  {| moves_here := [[(0, 0)%nat]]; cells_here := [cells_of [first] [second] [1]] |}.

(** A position; [times] says by class how many tokens the items stand for. *)
Definition position_of (times : list (list Z)) (moves : layer) (first second : list (list Z)) : position :=
  {| moves_here := moves;
     cells_here := map (fun item => cells_of (fst (fst item)) (snd (fst item)) (snd item))
       (combine (combine first second) times) |}.

(** The sequences with [Σ first >= 0] and [Σ second < 0], at most or at least. *)
Definition count_bins (bits : Z) (at_most : bool) (layers : list layer) (times : list (list Z))
    (first second : grid_bins) : Z :=
  let up := coarse bits at_most in
  let down := coarse bits (negb at_most) in
  sequences_of
    (last_position (up (last_bin first)) (down (last_bin second))
     :: map (fun at_position =>
          position_of times (fst at_position) (map (map up) (fst (snd at_position)))
            (map (map down) (snd (snd at_position))))
          (combine layers (combine (item_bins first) (item_bins second)))).

(** Bins whose sum is always negative. *)
Definition no_bins (first : grid_bins) : grid_bins :=
  {| last_bin := -1; item_bins := map (map (map (fun _ => 0))) (item_bins first) |}.
