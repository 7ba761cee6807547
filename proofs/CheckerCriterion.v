(** * The criterion `partition` (`src/checker/levels`: `margins.rs` from [margins] on, then `terms.rs` to `partition.rs`). *)

From Coq Require Import ZArith List Bool.
From gbmi Require Import Model Fixed CheckerFast CheckerCertificate CheckerTable CheckerPaths CheckerRules.
From gbmi Require Import CheckerLevels CheckerGrid.
Import ListNotations.

(** ** One level *)

(** The right answer is r. *)
Record level_view := {
  of_level : level;
  wrong_answers : answer_set;
  (** [max_t max_{j<>r} [R_j - R_r]] by class, over its tokens, and position; for classes of several tokens *)
  class_tops : list (list ival)
}.

(** [R(t,p,j) - R(t,p,r)] for the entry that bounds a set of answers. *)
Definition difference (r : nat) (s : answer_set) (entries : ordered) : option ival :=
  option_map (fun entry => sub entry (get (row_of entries) r)) (top s entries).

Definition level_view_of (T : tables) (L : level) : level_view :=
  let r := right_answer L in
  let wrong := Marked (map (fun j => negb (j =? r)%nat) (seq 0 (vocab T))) in
  let top_of tokens rows := largest (map (fun t => or_everything (difference r wrong (nth t rows no_row))) tokens) in
  {| of_level := L; wrong_answers := wrong;
     class_tops := map (fun tokens => if is_single tokens then [] else map (top_of tokens) (token_rows T)) (classes L) |}.

(** ** One query q *)

(** Everything that is about one query and one level. *)
Record view := {
  shared : tables;
  at_level : level_view;
  query : nat;
  own : head;
  used : list layer;    (** moves with inputs behind them, of states that are reached; positions but the last *)
  free : list nat;      (** the classes of those moves *)
  all_inputs : Z;       (** how many inputs have this query *)
  unit_of_level : Z;    (** the largest k(q,t) over the tokens t of free classes and q *)
  far_tokens : list ival;    (** [class_tops] of all free classes, by position *)
  far_token_pooled : ival;   (** and over all positions *)
  query_row : ordered;
  last_row : ordered;
  far_query : ival      (** [max_{j<>r} D(q,j) - D(q,r)], offsets taken off *)
}.

(** [max_S D(q,.) - D(q,r)], offsets taken off. *)
Definition query_margin (r : nat) (s : answer_set) (entries : ordered) : ival :=
  or_everything (difference r s entries).

(** The elements at some places, which ascend. *)
Fixpoint picked {A} (place : nat) (places : list nat) (xs : list A) : list A :=
  match xs, places with
  | x :: xs, p :: places' => if (place =? p)%nat then x :: picked (S place) places' xs else picked (S place) places xs
  | _, _ => []
  end.

Definition view_of (T : tables) (L : level_view) (q : nat) : view :=
  let level := of_level L in
  let r := right_answer level in
  let h := nth q (heads T) no_head in
  let entries := nth q (query_rows T) no_row in
  let left := moves_left level q (free_moves level) in
  let free := free_classes level (fst left) in
  let exponents := map exponent (by_token h) in
  let of_query := nth q exponents 0%Z in
  let several := filter (fun c => negb (is_single (class_of level c))) free in
  let far p := largest (map (fun c => nth p (nth c (class_tops L) []) everything) several) in
  let far := map far (seq 0 (context T - 1)) in
  {| shared := T; at_level := L; query := q; own := h; used := fst left; free := free; all_inputs := snd left;
     unit_of_level :=
       fold_left (fun most c => fold_left Z.max (picked 0 (class_of level c) exponents) most) free of_query;
     far_tokens := far; far_token_pooled := largest far;
     query_row := entries; last_row := nth q (last_rows T) no_row;
     far_query := query_margin r (wrong_answers L) entries |}.

(** A set of wrong answers, with its part of the margin that depends on the query alone. *)
Record margin := { set : answer_set; of_query : ival }.

Definition is_one (g : margin) : bool := match set g with One _ => true | Marked _ => false end.

Local Open Scope Z_scope.

(** ** Items: the tokens of a class that are near, then a class of far ones *)

Record item := {
  terms_of : row;     (** by group *)
  times_of : Z;       (** how many tokens it stands for *)
  (** Of it and those that follow in its class: *)
  most_from : row;
  least_from : row;
  tokens_from : Z
}.

(** Items from terms and numbers of tokens. *)
Fixpoint items_of (found : list (row * Z)) : list item :=
  match found with
  | [] => []
  | (terms, times) :: found =>
      match items_of found with
      | [] => [{| terms_of := terms; times_of := times; most_from := terms; least_from := terms;
                  tokens_from := times |}]
      | next :: rest =>
          {| terms_of := terms; times_of := times; most_from := map2 imax terms (most_from next);
             least_from := map2 imin terms (least_from next); tokens_from := times + tokens_from next |}
          :: next :: rest
      end
  end.

(** A position, and what is known by state of it and all positions behind it. *)
Record step := {
  here : layer;
  items : list (list item);  (** by class *)
  most : list row;           (** by state, then group: bounds of every completion *)
  least : list row;
  inputs_by_state : list Z
}.

Definition inputs_at (steps : list step) (state : nat) : Z :=
  match steps with [] => 1 | next :: _ => inputs_from (inputs_by_state next) state end.

(** A row with the bounds of what is behind, if there is anything. *)
Definition row_total (side : step -> list row) (behind : list step) (state : nat) (x : row) : row :=
  match behind with
  | [] => x
  | next :: _ => map2 add x (nth state (side next) [])
  end.

(** The first of a class' items knows all of them. *)
Definition class_bound (side : item -> row) (items : list item) : row :=
  match items with [] => [] | first :: _ => side first end.
Definition class_tokens (items : list item) : Z := match items with [] => 0 | first :: _ => tokens_from first end.

Definition best_of (op : ival -> ival -> ival) (rows : list row) : row :=
  match reduce (map2 op) rows with Some best => best | None => [] end.

(** By state: the bound of all moves, each with what is behind it. *)
Definition bounds_by_state (op : ival -> ival -> ival) (by_item : item -> row) (side : step -> list row)
    (here : layer) (items : list (list item)) (behind : list step) : list row :=
  map (fun moves => best_of op (map (fun move =>
    row_total side behind (snd move) (class_bound by_item (nth (fst move) items []))) moves)) here.

Definition step_of (here : layer) (items : list (list item)) (behind : list step) : step := {|
  here := here; items := items;
  most := bounds_by_state imax most_from most here items behind;
  least := bounds_by_state imin least_from least here items behind;
  inputs_by_state := map (fun moves => count_items (map (fun move =>
    class_tokens (nth (fst move) items []) * inputs_at behind (snd move)) moves)) here
|}.

Fixpoint steps_of (layers : list layer) (positions : list (list (list item))) : list step :=
  match layers, positions with
  | here :: layers, items :: positions =>
      let behind := steps_of layers positions in step_of here items behind :: behind
  | _, _ => []
  end.

(** A group's sum with a bound of what is behind, if there is anything. *)
Definition total (side : step -> list row) (steps : list step) (state : nat) (group : nat) (sum : ival) : ival :=
  match steps with
  | [] => sum
  | next :: _ => add sum (get (nth state (side next) []) group)
  end.

Section View.
  Variable V : view.
  Let L : level := of_level (at_level V).
  Let r : nat := right_answer L.
  Let T : tables := shared V.

  Definition margin_of (s : answer_set) : margin := {| set := s; of_query := query_margin r s (query_row V) |}.

  Definition source_at (t : nat) : source := nth t (by_token (own V)) no_source.
  (** w(q,t,p), in units that [shift] brings to those of the query and the level. *)
  Definition weight (s : source) (p : nat) : ival := get (by_position s) p.
  Definition shift (s : source) : Z := exponent s - unit_of_level V.

  Definition token_row (t p : nat) : ordered := nth t (nth p (token_rows T) []) no_row.

  (** An upper bound of the margin where this row stands. *)
  Definition margin_at (g : margin) (entries : ordered) : ival :=
    match difference r (set g) entries with Some d => add d (of_query g) | None => everything end.

  (** An upper bound of the margin at token t over all positions p < n - 1. *)
  Definition pooled (g : margin) (t : nat) : ival :=
    let found := map (fun rows => difference r (set g) (nth t rows no_row)) (token_rows T) in
    if existsb (fun d => match d with None => true | Some _ => false end) found then everything
    else add (largest (map or_everything found)) (of_query g).

  (** An upper bound of the margin at the last position. *)
  Definition last_margin (g : margin) : ival :=
    sub (or_everything (top (set g) (last_row V))) (get (row_of (last_row V)) r).

  (** phi of each group at token t and position p < n - 1, in the units of the query and the level. *)
  Definition terms (groups : list margin) (t p : nat) : row :=
    let s := source_at t in
    let '(w, k, entries) := (weight s p, shift s, token_row t p) in
    map (fun g => fast_mul_scaled w (margin_at g entries) k) groups.

  (** phi of a group at the last position. *)
  Definition last_term (g : margin) : ival :=
    let s := source_at (query V) in fast_mul_scaled (weight s (context T - 1)) (last_margin g) (shift s).

  (** *** Rule `window` (`window.rs`) *)

  (** By class: the tokens that are near, and how many are not; none of a class that is not free. *)
  Record window := { near : list (list nat); far : list nat; strongest_far : option nat }.

  Definition any_far (W : window) : bool := existsb (fun far => (0 <? far)%nat) (far W).

  (** So many of the tokens that an order lists and [member] picks, and the bound of the next one. *)
  Fixpoint leading (member : nat -> bool) (count : nat) (ranks : list (nat * (nat * ival)))
      : list nat * option (nat * ival) :=
    match ranks with
    | [] => ([], None)
    | (t, best) :: ranks =>
        if member t then
          match count with
          | O => ([], Some best)
          | S count => let '(found, next) := leading member count ranks in (t :: found, next)
          end
        else leading member count ranks
    end.

  Definition listed_tokens : list (nat * (nat * ival)) :=
    match token_order (own V) with Some o => listed o | None => [] end.

  (** Classes of one token, and the others in the order of attention. *)
  Definition window_by (near_in : list nat -> list nat) (strongest : option nat) : window :=
    let near := map (fun c => if among (free V) c then near_in (class_of L c) else []) (seq 0 (length (classes L))) in
    {| near := near;
       far := map2 (fun c near => if among (free V) c then length (class_of L c) - length near else O)%nat
                (seq 0 (length (classes L))) near;
       strongest_far := strongest |}.

  Definition window_of (size : option nat) : window :=
    let sets := map (class_of L) (free V) in
    let singles := filter is_single sets in
    let others := concat (filter (fun tokens => negb (is_single tokens)) sets) in
    let whole := match size with Some size => (length singles + length others <=? size)%nat | None => true end in
    if whole then
      let listed := map fst listed_tokens in
      window_by (fun tokens =>
        let first := filter (among tokens) listed in
        first ++ filter (fun t => negb (among first t)) tokens) None
    else
      let size := match size with Some size => size | None => O end in
      let '(first, next) := leading (among others) (size - length singles) listed_tokens in
      let strongest := match next, token_order (own V) with
                       | Some best, _ => Some best
                       | None, Some o => unlisted o
                       | None, None => None
                       end in
      window_by (fun tokens => if is_single tokens then tokens else filter (among tokens) first)
        (option_map fst strongest).

  (** An upper bound of every wrong answer's margin at every far token; [tokens] is that of the view. *)
  Definition far_margin (tokens : ival) : ival := add tokens (far_query V).

  (** An upper bound of phi of every group at every token of the far class, at position p < n - 1. *)
  Definition far_term (W : window) (p : nat) : ival :=
    match strongest_far W with
    | None => everything
    | Some t =>
        let s := source_at t in
        imax (fast_mul_scaled (weight s p) (far_margin (get (far_tokens V) p)) (shift s)) zero
    end.

  (** A lower bound of it. *)
  Definition far_below (W : window) (p : nat) : ival :=
    match strongest_far W with
    | None => everything
    | Some t => let s := source_at t in sub zero (fast_mul_scaled (weight s p) (widest T) (shift s))
    end.

  (** What stands for the items of a position, by class. *)
  Definition by_items {A} (W : window) (of_token : nat -> A) (of_far : nat -> A) : list (list A) :=
    map2 (fun near far => map of_token near ++ (if (0 <? far)%nat then [of_far far] else [])) (near W) (far W).

  (** The items of a position p < n - 1, by class; is their lower end a bound, that of the far class too? *)
  Definition items_at (bounded : bool) (groups : list margin) (W : window) (p : nat) : list (list item) :=
    let far_item (far : nat) :=
      let above := far_term W p in
      (repeat (if bounded then hull above (far_below W p) else above) (length groups), Z.of_nat far) in
    map items_of (by_items W (fun t => (terms groups t p, 1)) far_item).

  Definition steps_at (bounded : bool) (groups : list margin) (W : window) : list step :=
    steps_of (used V) (map (items_at bounded groups W) (seq 0 (context T - 1))).

  (** *** Rule `whole` (`whole.rs`) *)

  (** Does every input with this query hold a token of the class before its last position? *)
  Definition obligatory (c : nat) : bool := snd (moves_left L (query V) (without_class c (free_moves L))) =? 0.

  (** The first token that every input holds, as the only one of a free class. *)
  Definition obligatory_token : option nat :=
    match filter (fun c => is_single (class_of L c) && obligatory c) (free V) with
    | c :: _ => hd_error (class_of L c)
    | [] => None
    end.

  Definition pooled_holds (g : margin) (size : option nat) : bool :=
    let W := window_of size in
    let bounded (s : source) (y : ival) := fast_mul_scaled (alpha s) y (shift s) in
    let bound (t : nat) := bounded (source_at t) (pooled g t) in
    let bounds := map bound (concat (near W)) in
    let far_bounds :=
      if any_far W then
        match strongest_far W with
        | Some t => Some [imax (bounded (source_at t) (far_margin (far_token_pooled V))) zero]
        | None => None
        end
      else Some [] in
    match far_bounds with
    | None => false
    | Some far_bounds =>
        let most := upper (largest (bounds ++ far_bounds)) in
        let sum := fast_mul (beta_sum (own V)) most in
        let sum := match obligatory_token with
                   | Some t => add sum (fast_mul (beta_min (own V)) (sub (bound t) most))
                   | None => sum
                   end in
        is_negative (add sum (last_term g))
    end.

  Definition unpooled_holds (g : margin) (size : option nat) : bool :=
    is_negative (total most (steps_at false [g] (window_of size)) 0 0 (last_term g)).

  (** Is every input with this query answered wrong? *)
  Definition wrong_holds (g : margin) (size : option nat) : bool :=
    is_one g && is_nonnegative (total least (steps_at true [g] (window_of size)) 0 0 (last_term g)).
End View.

(** ** Rule `tree` (`tree.rs`) *)

(** Groups not yet negative everywhere below a node, with their sums. *)
Definition opened := list (nat * ival).

(** Inputs known to be right, and inputs known to be wrong. *)
Definition found := (Z * Z)%type.
Definition found_plus (x : found) (times : Z) (y : found) : found := (fst x + times * fst y, snd x + times * snd y).

(** Sums with one more item. *)
Definition extended (terms : row) (open : opened) : opened :=
  map (fun entry => (fst entry, add (snd entry) (get terms (fst entry)))) open.

(** What is known of some inputs: they are right, they are wrong, nothing, or that they are to be split. *)
Inductive verdict := All_right | All_wrong | Unknown | Apart (open : opened).

(** The rest of a walk's words; none where the walk goes by the rule. *)
Definition words := option (list nat).

Section Walk.
  (** By group: may it show inputs to be wrong? *)
  Variable shows : list bool.

  Section Place.
    (** By group and sum: bounds of the sums of all inputs of the place. *)
    Variables above below : nat -> ival -> ival.
    (** Is there a position left? *)
    Variable may_split : bool.

    Definition all_negative_by (entry : nat * ival) : bool := is_negative (above (fst entry) (snd entry)).
    Definition shows_wrong (entry : nat * ival) : bool :=
      nth (fst entry) shows false && is_nonnegative (below (fst entry) (snd entry)).

    (** By the rule. *)
    Fixpoint judged (open : opened) : verdict :=
      match open with
      | [] => All_right
      | entry :: others =>
          if all_negative_by entry then judged others
          else if shows_wrong entry then All_wrong
          else if may_split then Apart open
          else match judged others with All_wrong => All_wrong | _ => Unknown end
      end.

    (** By words: 0 right, 1 split, 2 leave, 3 + 2k drop group k, 4 + 2k wrong by group k. *)
    Fixpoint read (open : opened) (script : list nat) : verdict * list nat :=
      match script with
      | [] => (Unknown, [])
      | word :: script =>
          match word with
          | 0%nat => (if forallb all_negative_by open then All_right else Unknown, script)
          | 1%nat => (if may_split then Apart open else Unknown, script)
          | 2%nat => (Unknown, script)
          | _ =>
              if Nat.odd word then
                match filter (fun entry => negb ((3 + 2 * fst entry =? word)%nat && all_negative_by entry)) open with
                | [] => (All_right, script)
                | open => read open script
                end
              else
                (if existsb (fun entry => (4 + 2 * fst entry =? word)%nat && shows_wrong entry) open then All_wrong
                 else Unknown, script)
          end
      end.

    Definition place (open : opened) (script : words) : verdict * words :=
      match script with
      | None => (judged open, None)
      | Some script => let '(verdict, script) := read open script in (verdict, Some script)
      end.
  End Place.

  (** What is found with the items of a class from the first of some on; [child] is what is found with one. *)
  Fixpoint among_items (child : opened -> words -> found * words) (behind : list step) (state : nat) (all : bool)
      (items : list item) (open : opened) (script : words) : found * words :=
    match items with
    | [] => ((0, 0), script)
    | item :: others =>
        let bound (side : step -> list row) (from : row) (group : nat) (sum : ival) :=
          total side behind state group (add sum (get from group)) in
        let inputs := tokens_from item * inputs_at behind state in
        let '(verdict, script) :=
          if all || match others with [] => true | _ => false end then (Apart open, script)
          else place (bound most (most_from item)) (bound least (least_from item)) true open script in
        match verdict with
        | All_right => ((inputs, 0), script)
        | All_wrong => ((0, inputs), script)
        | Unknown => ((0, 0), script)
        | Apart open =>
            let '(with_item, script) := child (extended (terms_of item) open) script in
            let '(rest, script) := among_items child behind state false others open script in
            (found_plus rest (times_of item) with_item, script)
        end
    end.

  (** What is found below a node, and the rest of the words. *)
  Fixpoint node (steps : list step) (state : nat) (open : opened) (script : words) {struct steps} : found * words :=
    let may_split := match steps with [] => false | _ => true end in
    let '(verdict, script) := place (total most steps state) (total least steps state) may_split open script in
    match verdict with
    | All_right => ((inputs_at steps state, 0), script)
    | All_wrong => ((0, inputs_at steps state), script)
    | Unknown => ((0, 0), script)
    | Apart open =>
        match steps with
        | [] => ((0, 0), script)
        | next :: behind =>
            let moves := moves_at (here next) state in
            (* One move alone: its items are all that the node stands for. *)
            let all := match moves with [_] => true | _ => false end in
            fold_left (fun state (move : nat * nat) =>
              let '(below, script) := among_items (node behind (snd move)) behind (snd move) all
                (nth (fst move) (items next) []) open (snd state) in
              (found_plus (fst state) 1 below, script)) moves ((0, 0), script)
        end
    end.
End Walk.

(** How a certificate is refused: for what it says, or for what the checker does not do. *)
Inductive result (A : Type) := Derived (value : A) | Rejected | Declined.
Arguments Derived {A}.
Arguments Rejected {A}.
Arguments Declined {A}.

Definition bind {A B} (x : result A) (f : A -> result B) : result B :=
  match x with Derived x => f x | Rejected => Rejected | Declined => Declined end.

(** Is a word "wrong by"? *)
Definition is_wrong_by (word : nat) : bool := (3 <? word)%nat && Nat.even word.

Definition last_terms (V : view) (groups : list margin) : opened :=
  combine (seq 0 (length groups)) (map (last_term V) groups).

(** The inputs that are not certified, and those that are wrong. *)
Definition tree (V : view) (groups : list margin) (W : window) (walk : list nat) : result (Z * Z) :=
  if 127 <? bit_length (all_inputs V) then Declined
  else
    let bounded := existsb is_wrong_by walk in
    let shows := map (fun g => (negb (any_far W) || bounded) && is_one g) groups in
    let script := match walk with [] => None | _ => Some walk end in
    let '(certified, wrong) := fst (node shows (steps_at V bounded groups W) 0 (last_terms V groups) script) in
    Derived (all_inputs V - Z.min certified (all_inputs V), wrong).

(** ** Rule `grid` (`grid.rs`) *)

Section Grid.
  Variables (V : view) (groups : list margin) (W : window) (hint : grid_script).

  (** The limit of a term, in bins. *)
  Definition BINS : Z := 65536.
  Let bits : Z := Z.of_nat (Nat.min (grid_bits hint) 16).
  (** More than all other terms make up for. *)
  Let fails : Z := BINS * Z.of_nat (context (shared V)).

  Definition ceiling (x : ival) : Z := match ceil_to_grid bits BINS x with Some bin => bin | None => fails end.
  Definition floor (x : ival) : Z := match floor_to_grid bits BINS x with Some bin => bin | None => - fails end.

  (** The bins of a group: of the last position's term, and of the items of every other position, by class. *)
  Definition bins (round : ival -> Z) (far_at : nat -> ival) (g : margin) : grid_bins :=
    {| last_bin := round (last_term V g);
       item_bins := map (fun p => by_items W (fun t => round (hd everything (terms V [g] t p))) (fun _ => round (far_at p)))
         (seq 0 (context (shared V) - 1)) |}.

  Definition coarser_bits (hint : option nat) : Z :=
    match hint with Some bits => Z.of_nat (Nat.min bits 16) | None => 0 end.

  Definition count_grid (coarser : option nat) (at_most : bool) (first : grid_bins) (second : option grid_bins) : Z :=
    count_bins (match second with Some _ => coarser_bits coarser | None => 0 end) at_most (used V)
      (by_items W (fun _ => 1) Z.of_nat) first (match second with Some second => second | None => no_bins first end).

  (** At most so many inputs are not certified, and at least so many are wrong. *)
  Definition grid : Z * Z :=
    let known := map (bins ceiling (far_term V W)) groups in
    let uncertified (index : nat) (first : grid_bins) : Z :=
      let without := nth index (without hint) [] in
      let earlier := match without with
                     | earlier :: _ => if (earlier <? index)%nat then nth_error known earlier else None
                     | [] => None
                     end in
      count_grid (nth_error without 1) true first earlier in
    let wrong (state : Z * option grid_bins) (index : nat) :=
      let '(sum, outside) := state in
      match nth_error groups index with
      | Some g =>
          match set g with
          | One _ =>
              let found := count_grid (nth_error (wrong_groups hint) 2) false (bins floor (far_below V W) g) outside in
              (sum + found, nth_error known index)
          | Marked _ => state
          end
      | None => state
      end in
    (count_items (map2 uncertified (seq 0 (length known)) known),
     fst (fold_left wrong (firstn 2 (wrong_groups hint)) (0, None))).
End Grid.

(** ** The groups of a plan (`partition.rs`) *)

(** Marks an answer, if it exists and is not yet marked. *)
Fixpoint mark (answer : nat) (marks : list bool) : option (list bool) :=
  match marks, answer with
  | [], _ => None
  | false :: marks, O => Some (true :: marks)
  | true :: _, O => None
  | x :: marks, S answer => option_map (cons x) (mark answer marks)
  end.

Definition mark_all (answers : list nat) (marks : list bool) : option (list bool) :=
  fold_left (fun marks answer => match marks with Some marks => mark answer marks | None => None end)
    answers (Some marks).

Definition named (g : group) : list nat := match group_answers g with These answers => answers | _ => [] end.

Definition places (marks : list bool) : list nat :=
  map fst (filter snd (combine (seq 0 (length marks)) marks)).

(** Groups as sets, checked to hold every answer but the right one, r, exactly once. *)
Definition partition_of (v r : nat) (p : plan) : option (list (answer_set * group)) :=
  if (v <? length (groups p))%nat then None
  else
    (* The right answer stands for one that is taken already. *)
    match mark_all (r :: concat (map named (groups p))) (repeat false v) with
    | None => None
    | Some taken =>
        let rest := map negb taken in
        let left := places rest in
        let open := filter (fun g => match group_answers g with These _ => false | _ => true end) (groups p) in
        if match open, left with [], [] => false | [], _ => true | [_], _ => false | _, _ => true end then None
        else
          let together g answers marks :=
            match answers with
            | [] => []
            | [one] => [(One one, g)]
            | _ => [(Marked marks, g)]
            end in
          let sets g :=
            match group_answers g with
            | These answers =>
                let marks := match mark_all answers (repeat false v) with Some marks => marks | None => [] end in
                together g answers marks
            | Rest => together g left rest
            | Each => map (fun answer => (One answer, g)) left
            end in
          Some (concat (map sets (groups p)))
    end.

(** What the whole-level tests of a plan's groups say. *)
Record findings := {
  holds : bool;            (** nothing but what is counted stands in the way of right inputs *)
  counted : list margin;
  shown_wrong : bool       (** all inputs are wrong *)
}.

Definition tested (V : view) (sets : list (answer_set * group)) : findings :=
  let one (state : findings) (entry : answer_set * group) :=
    let '(s, g) := entry in
    let margin := margin_of V s in
    let also (test : bool) :=
      {| holds := test && holds state; counted := counted state; shown_wrong := shown_wrong state |} in
    match group_test g with
    | Pooled => also (pooled_holds V margin (group_window g))
    | Unpooled => also (unpooled_holds V margin (group_window g))
    | Wrong => {| holds := false; counted := counted state;
                  shown_wrong := wrong_holds V margin (group_window g) || shown_wrong state |}
    | Count => {| holds := holds state; counted := counted state ++ [margin]; shown_wrong := shown_wrong state |}
    | Forfeit => also false
    end in
  fold_left one sets {| holds := true; counted := []; shown_wrong := false |}.

(** Of the inputs of a level with one query: how many are certified, and how many are wrong. *)
Definition settle (V : view) (p : plan) : result (Z * Z) :=
  match partition_of (vocab (shared V)) (right_answer (of_level (at_level V))) p with
  | None => Rejected
  | Some sets =>
      let found := tested V sets in
      let all := all_inputs V in
      if shown_wrong found then Derived (0, all)
      else
        let count := match counted found, plan_count p with
                     | [], _ => Derived (0, 0)
                     | _, Tree walk => tree V (counted found) (window_of V (plan_window p)) walk
                     | _, Grid g => Derived (grid V (counted found) (window_of V (plan_window p)) g)
                     end in
        bind count (fun counts =>
          let '(uncertified, wrong) := counts in
          Derived (all - (if holds found then Z.min uncertified all else all), wrong))
  end.
