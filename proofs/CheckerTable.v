(** * Tables, and products of matrices (`src/model/matrix.rs`, `src/checker/product.rs`).

    A table is a list of rows. Looking up costs as many steps as the index is large, which is what reading an index of
    type [nat] costs anyway. Outside a table stands [everything]. *)

From Coq Require Import ZArith List Bool.
From gbmi Require Import Fixed CheckerFast.
Import ListNotations.

(** ** Lists *)

Fixpoint map2 {A B C} (f : A -> B -> C) (xs : list A) (ys : list B) : list C :=
  match xs, ys with
  | x :: xs, y :: ys => f x y :: map2 f xs ys
  | _, _ => []
  end.

(** [xs] cut or filled up to length [n]. *)
Definition padded {A} (n : nat) (filling : A) (xs : list A) : list A := firstn n (xs ++ repeat filling n).

(** [count] parts of [size] elements each. *)
Fixpoint chunks {A} (count size : nat) (xs : list A) : list (list A) :=
  match count with
  | O => []
  | S count => firstn size xs :: chunks count size (skipn size xs)
  end.

Definition reduce {A} (f : A -> A -> A) (xs : list A) : option A :=
  match xs with
  | [] => None
  | x :: xs => Some (fold_left f xs x)
  end.

(** The first candidate with the least key. *)
Definition first_least {A} (key : A -> Z) (candidates : list A) : option A :=
  reduce (fun best other => if (key other <? key best)%Z then other else best) candidates.

(** ** Rows and tables of enclosures *)

Definition row := list ival.
Definition table := list row.

Definition get (r : row) (i : nat) : ival := nth i r everything.
Definition get_row (t : table) (i : nat) : row := nth i t [].

Definition largest (entries : row) : ival :=
  match reduce imax entries with Some most => most | None => everything end.

Definition width (t : table) : nat := match t with [] => O | r :: _ => length r end.

Definition transposed (t : table) : table :=
  match t with
  | [] => []
  | r :: _ => fold_right (map2 cons) (map (fun _ => []) r) t
  end.

Definition each (f : ival -> ival -> ival) : table -> table -> table := map2 (map2 f).
Definition beside : table -> table -> table := map2 (@app ival).
Definition add_row (t : table) (bias : row) : table := map (fun r => map2 add r bias) t.

(** ** Rule `product`: by Winograd's form of Strassen's algorithm where that is shorter *)

Section Cost.
  Local Open Scope Z_scope.

  Definition plain_cost (a b c : Z) : Z := a * c * (2 * b - 1).

  (** The FLOPs of a product, a*b by b*c. *)
  Fixpoint cost (fuel : nat) (a b c : Z) : Z :=
    match fuel with
    | O => plain_cost a b c
    | S fuel =>
        if Z.even a && Z.even b && Z.even c && (0 <? a) && (0 <? c) then
          let a' := a / 2 in
          let b' := b / 2 in
          let c' := c / 2 in
          Z.min (plain_cost a b c) (7 * cost fuel a' b' c' + (4 * (a' * b' + b' * c') + 7 * (a' * c')))
        else if Z.odd a && (1 <? a) then cost fuel (a - 1) b c + cost fuel 1 b c
        else if Z.odd c && (1 <? c) then cost fuel c b a
        else plain_cost a b c
    end.
End Cost.

(** Deeper than any product of supported sizes goes; where it ends, products are plain. *)
Definition FUEL : nat := 100.

Definition is_plain (a b c : nat) : bool :=
  let '(a, b, c) := (Z.of_nat a, Z.of_nat b, Z.of_nat c) in (plain_cost a b c <=? cost FUEL a b c)%Z.

(** [left * right^T], entry by entry. *)
Definition plain (left right : table) : table := map (fun x => map (fast_dot x) right) left.

Definition quarters (t : table) : table * table * table * table :=
  let rows := Nat.div2 (length t) in
  let cols := Nat.div2 (width t) in
  let above := firstn rows t in
  let below := skipn rows t in
  (map (firstn cols) above, map (skipn cols) above, map (firstn cols) below, map (skipn cols) below).

(** [left * right^T] for even sides, by seven products [mult] of quarters. *)
Definition winograd (mult : table -> table -> table) (left right : table) : table :=
  let '(a11, a12, a21, a22) := quarters left in
  let '(b11, b21, b12, b22) := quarters right in  (* of the transposed right side *)
  let plus := each add in
  let minus := each sub in
  let s1 := plus a21 a22 in
  let s3 := minus a11 a21 in
  let s2 := minus s1 a11 in
  let s4 := minus a12 s2 in
  let t1 := minus b12 b11 in
  let t3 := minus b22 b12 in
  let t2 := minus b22 t1 in
  let t4 := minus t2 b21 in
  let p1 := mult a11 b11 in
  let p5 := mult s1 t1 in
  let u2 := plus p1 (mult s2 t2) in
  let u3 := plus u2 (mult s3 t3) in
  beside (plus p1 (mult a12 b21)) (plus (plus u2 p5) (mult s4 b22))
  ++ beside (minus u3 (mult a22 t4)) (plus u3 p5).

(** [left * right^T], the shortest way. *)
Fixpoint times_within (fuel : nat) (left right : table) : table :=
  match fuel with
  | O => plain left right
  | S fuel =>
      let '(a, b, c) := (length left, width left, length right) in
      if (1 <? a)%nat && Nat.odd a then
        times_within fuel (firstn (a - 1) left) right ++ times_within fuel (skipn (a - 1) left) right
      else if (1 <? c)%nat && Nat.odd c then transposed (times_within fuel right left)
      else if is_plain a b c then plain left right
      else winograd (times_within fuel) left right
  end.

Definition times : table -> table -> table := times_within FUEL.

(** *** Chains of matrices: the cheapest split first, then the same for both sides *)

(** The sides of the matrices of a chain. *)
Definition sides_of (chain : list table) : list Z :=
  map (fun t => Z.of_nat (length t)) chain ++ [Z.of_nat (width (last chain []))].

(** All splits of a chain of [length sides - 1] matrices. *)
Definition splits (matrices : nat) : list nat := seq 1 (matrices - 1).

(** The cost of the product whose last multiplication is at [split], if [best] is that of a shorter chain. *)
Definition cost_of_split (best : list Z -> Z) (sides : list Z) (split : nat) : Z :=
  (best (firstn (S split) sides) + best (skipn split sides)
   + cost FUEL (hd 0 sides) (nth split sides 1) (last sides 0))%Z.

Fixpoint best_cost (fuel : nat) (sides : list Z) : Z :=
  match fuel with
  | O => 0%Z
  | S fuel =>
      match reduce Z.min (map (cost_of_split (best_cost fuel) sides) (splits (length sides - 1))) with
      | Some best => best
      | None => 0%Z
      end
  end.

Fixpoint product_within (fuel : nat) (chain : list table) : table :=
  match fuel, chain with
  | _, [] => []
  | _, [t] => t
  | O, _ => []
  | S fuel, _ =>
      let sides := sides_of chain in
      match first_least (cost_of_split (best_cost (length chain)) sides) (splits (length chain)) with
      | None => []
      | Some split =>
          times (product_within fuel (firstn split chain)) (transposed (product_within fuel (skipn split chain)))
      end
  end.

Definition product_of (chain : list table) : table := product_within (length chain) chain.
