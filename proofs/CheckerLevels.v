(** * Levels: sets of inputs with one right answer, as automata over classes of tokens (`src/task/level.rs`)

    State 0 is the start. What is reached behind the last position is accepted. *)

From Coq Require Import ZArith List Bool.
Import ListNotations.
Local Open Scope Z_scope.

Definition among (ts : list nat) (t : nat) : bool := existsb (Nat.eqb t) ts.

Definition count_items (times : list Z) : Z := fold_left Z.add times 0.

(** A list's elements with their numbers. *)
Definition enumerated {A} (l : list A) : list (nat * A) := combine (seq 0 (length l)) l.

(** By state: the classes that may stand at a position, each with the next state. *)
Definition layer := list (list (nat * nat)).

Record level := { right_answer : nat; classes : list (list nat); moves : list layer }.

Definition moves_at (here : layer) (state : nat) : list (nat * nat) := nth state here [].
Definition class_of (L : level) (c : nat) : list nat := nth c (classes L) [].

(** The positions but the last, and the last. *)
Definition free_moves (L : level) : list layer := removelast (moves L).
Definition last_moves (L : level) : layer := last (moves L) [].

(** The tokens that may stand at the last position, ascending. *)
Definition queries (v : nat) (L : level) : list nat :=
  let tokens := concat (map (fun move => class_of L (fst move)) (concat (last_moves L))) in
  filter (among tokens) (seq 0 v).

(** By state at the last position: 1 if the query may stand there. *)
Definition ends (L : level) (q : nat) : list Z :=
  map (fun moves => if existsb (fun move => among (class_of L (fst move)) q) moves then 1 else 0) (last_moves L).

Definition inputs_from (counts : list Z) (state : nat) : Z := nth state counts 0.

Section Used.
  (** By class: how many tokens there are; by state at the last position: how many inputs. *)
  Variables sizes ends : list Z.

  (** Moves with inputs behind them, and by the first position's state: how many inputs there are. *)
  Fixpoint used_moves (layers : list layer) : list layer * list Z :=
    match layers with
    | [] => ([], ends)
    | here :: layers =>
        let '(used, behind) := used_moves layers in
        let here := map (filter (fun move => 0 <? inputs_from behind (snd move))) here in
        (here :: used,
         map (fun moves =>
           count_items (map (fun move => nth (fst move) sizes 0 * inputs_from behind (snd move)) moves)) here)
    end.
End Used.

(** For each entry of a list, where the first one is that equals it. *)
Fixpoint first_like {A} (equal : A -> A -> bool) (x : A) (l : list A) : nat :=
  match l with y :: l => if equal y x then O else S (first_like equal x l) | [] => O end.
Definition firsts {A} (equal : A -> A -> bool) (l : list A) : list nat := map (fun x => first_like equal x l) l.

Fixpoint moves_equal (a b : list (nat * nat)) : bool :=
  match a, b with
  | [], [] => true
  | x :: a, y :: b => (fst x =? fst y)%nat && (snd x =? snd y)%nat && moves_equal a b
  | _, _ => false
  end.

(** States that go on alike are one: the first of them. With where that is, for each state of the first layer. *)
Fixpoint merged_moves (ends : list Z) (layers : list layer) : list layer * list nat :=
  match layers with
  | [] => ([], firsts Z.eqb ends)
  | here :: layers =>
      let '(merged, same) := merged_moves ends layers in
      let here := map (map (fun move => (fst move, nth (snd move) same (snd move)))) here in
      (here :: merged, firsts moves_equal here)
  end.

(** Without the moves of states that are not reached from some. *)
Fixpoint reached_moves (states : list nat) (layers : list layer) : list layer :=
  match layers with
  | [] => []
  | here :: layers =>
      let here := map (fun state => if among states state then moves_at here state else []) (seq 0 (length here)) in
      here :: reached_moves (map snd (concat here)) layers
  end.

Definition without_class (c : nat) : list layer -> list layer :=
  map (map (filter (fun move => negb (fst move =? c)%nat))).

Definition sizes_of (L : level) : list Z := map (fun tokens => Z.of_nat (length tokens)) (classes L).

(** The moves that are left of those before the last position, and the number of inputs. *)
Definition moves_left (L : level) (q : nat) (layers : list layer) : list layer * Z :=
  let '(used, counts) := used_moves (sizes_of L) (ends L q) layers in
  (reached_moves [O] (fst (merged_moves (ends L q) used)), inputs_from counts O).

Definition free_classes (L : level) (used : list layer) : list nat :=
  let found := map fst (concat (concat used)) in
  filter (among found) (seq 0 (length (classes L))).

Definition is_single (tokens : list nat) : bool := match tokens with [_] => true | _ => false end.

(** ** Tasks *)

(** Max-of-n, the maximum m: state 1 once it was seen. Classes: m alone, the tokens below it. *)
Definition max_level (n m : nat) : level :=
  let below := match m with O => [] | _ => [1%nat] end in
  let seen := (0, 1)%nat :: map (fun c => (c, 1%nat)) below in
  {| right_answer := m;
     classes := [m] :: map (fun _ => seq 0 m) below;
     moves := repeat [(0, 1)%nat :: map (fun c => (c, 0%nat)) below; seen] (n - 1) ++ [[[(0, 1)%nat]; seen]] |}.

(** By answer. *)
Definition max_levels (v n : nat) : list (list level) := map (fun m => [max_level n m]) (seq 0 v).
