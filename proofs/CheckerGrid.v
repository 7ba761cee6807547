(** * Counts of sums on a grid (`src/checker/criterion/grid.rs`), of integers alone

    Sequences of items are counted by two sums each. The Rust program keeps histograms in arrays; these are lists, which
    drop and put together the same sums. Both counts are exact: the integers are the same. *)

From Coq Require Import ZArith List Bool.
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

(** ** Numbers of sequences by a sum: the first sum, and the numbers from it on *)

Definition strip := (Z * list Z)%type.

Fixpoint add_counts (xs ys : list Z) : list Z :=
  match xs, ys with
  | [], _ => ys
  | _, [] => xs
  | x :: xs, y :: ys => x + y :: add_counts xs ys
  end.

(** The second from [gap] places behind the first. *)
Fixpoint add_behind (gap : nat) (xs ys : list Z) : list Z :=
  match gap, xs with
  | O, _ => add_counts xs ys
  | S _, [] => repeat 0 gap ++ ys
  | S gap, x :: xs => x :: add_behind gap xs ys
  end.

Definition strip_plus (x y : strip) : strip :=
  match snd x, snd y with
  | [], _ => y
  | _, [] => x
  | xs, ys => if fst x <=? fst y then (fst x, add_behind (Z.to_nat (fst y - fst x)) xs ys)
              else (fst y, add_behind (Z.to_nat (fst x - fst y)) ys xs)
  end.

Definition total_of (counts : list Z) : Z := fold_left Z.add counts 0.

(** The numbers, those from [last] on as one. *)
Fixpoint cut (last : nat) (counts : list Z) : list Z :=
  match counts with
  | [] => []
  | x :: rest => match last with O => [total_of counts] | S last => x :: cut last rest end
  end.

(** The same times so many. *)
Fixpoint scaled (last : nat) (times : Z) (counts : list Z) : list Z :=
  match counts with
  | [] => []
  | x :: rest =>
      match last with O => [times * total_of counts] | S last => times * x :: scaled last times rest end
  end.

(** With an item more, from [low] to [high]: what is below is dropped, what is above is as good as [high]. *)
Definition placed (low high : Z) (item : Z * Z) (s : strip) : strip :=
  let start := fst s + fst item in
  let counts := skipn (Z.to_nat (low - start)) (snd s) in
  let start := Z.max low start in
  let last := Z.to_nat (high - start) in
  (Z.min start high, if snd item =? 1 then cut last counts else scaled last (snd item) counts).

Definition spread (low high : Z) (items : bag Z) (s : strip) : strip :=
  fold_right (fun item sum => strip_plus (placed low high item s) sum) (0, []) items.

(** ** Sequences *)

(** The items of a position: how many tokens they stand for, by the second bin, then by the first. *)
Definition cells := bag (bag Z).

Definition cells_of (first second times : list Z) : cells :=
  merge_all (merge Z.add)
    (map (fun item => [(snd (fst item), [(fst (fst item), snd item)])]) (combine (combine first second) times)).

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
Fixpoint reaching (positions : list cells) : list (cells * reach) * reach :=
  match positions with
  | [] => ([], {| least_first := 0; most_first := 0; least_second := 0; most_second := 0 |})
  | P :: positions => let '(steps, behind) := reaching positions in ((P, behind) :: steps, reach_plus P behind)
  end.

(** Prefix sums with one more position: strips of first sums by the second sum. A first sum that stays below zero is
    dropped, one that stays above is as good as the least that does; a second sum the other way. *)
Definition extended_by (P : cells) (behind : reach) (rows : bag strip) : bag strip :=
  let low := - most_first behind in
  let high := - least_first behind in
  let other_stays := -1 - most_second behind in
  let with_items (entry : Z * bag Z) : bag strip :=
    fold_right (fun row result =>
      let second := Z.max (fst row + fst entry) other_stays in
      if second <? - least_second behind then put strip_plus (second, spread low high (snd entry) (snd row)) result
      else result) [] rows in
  merge_all strip_plus (map with_items P).

(** How many sequences have a first sum of at least zero, and a second one below. *)
Definition reached (rows : bag strip) : Z :=
  fold_left (fun sum row =>
    if fst row <? 0 then sum + total_of (skipn (Z.to_nat (- fst (snd row))) (snd (snd row))) else sum) rows 0.

Definition sequences_of (positions : list cells) : Z :=
  reached (fold_left (fun rows step => extended_by (fst step) (snd step) rows) (fst (reaching positions))
    [(0, (0, [1]))]).

(** ** Two groups *)

(** A bin on a grid coarser by so many bits. *)
Definition coarse (bits : Z) (up : bool) (bin : Z) : Z :=
  if up then - Z.shiftr (- bin) bits else Z.shiftr bin bits.

(** The sequences with [Σ first >= 0] and [Σ second < 0], at most or at least; at every position but the first (the
    last of the input), the first item holds m. Those without m are left out if [needs_m] is set. *)
Definition count_bins (bits : Z) (at_most needs_m : bool) (times : list Z) (first second : list (list Z)) : Z :=
  let items (skipped : nat) (bins : list Z * list Z) : cells :=
    cells_of (skipn skipped (map (coarse bits at_most) (fst bins)))
      (skipn skipped (map (coarse bits (negb at_most)) (snd bins))) (skipn skipped times) in
  let sequences (skipped : nat) : Z :=
    sequences_of (match combine first second with
                  | [] => []
                  | last :: others => items O last :: map (items skipped) others
                  end) in
  let all := sequences O in
  if needs_m then all - Z.min (sequences 1%nat) all else all.

(** Bins whose sum is always negative. *)
Definition no_bins (first : list (list Z)) : list (list Z) :=
  match first with [] => [] | row :: rows => map (fun _ => -1) row :: map (map (fun _ => 0)) rows end.
