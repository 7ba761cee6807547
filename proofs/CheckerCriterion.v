(** * The criterion `partition` (`src/checker/levels`: `margins.rs` from [margins] on, then `terms.rs` to
    `partition.rs`) *)

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
     class_tops :=
       map (fun tokens => if is_single tokens then [] else map (top_of tokens) (token_rows T)) (classes L) |}.

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
  (** k(q,t) of the first token t that is a free class by itself, or the largest of the free classes' tokens and q *)
  unit_of_level : Z;
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
       match concat (filter is_single (map (class_of level) free)) with
       | t :: _ => nth t exponents 0%Z
       | [] => fold_left (fun most c => fold_left Z.max (picked 0 (class_of level c) exponents) most) free of_query
       end;
     far_tokens := far; far_token_pooled := largest far;
     query_row := entries; last_row := nth q (last_rows T) no_row;
     far_query := query_margin r (wrong_answers L) entries |}.

(** A set of wrong answers, with its part of the margin that depends on the query alone. *)
Record margin := { set : answer_set; of_query : ival }.

Definition is_one (g : margin) : bool := match set g with One _ => true | Marked _ => false end.

Local Open Scope Z_scope.

(** ** Items: tokens that are near, and classes of far ones *)

Record item := {
  terms_of : row;     (** by group *)
  times_of : Z;       (** how many tokens it stands for *)
  gap : list row;     (** the terms of those between it and the next of its way, which are of other ways *)
  (** Of it, those that follow it, and all between them: *)
  most_from : row;
  least_from : row;
  tokens_from : Z
}.

Definition best_of (op : ival -> ival -> ival) (rows : list row) : row :=
  match reduce (map2 op) rows with Some best => best | None => [] end.

(** The terms of those that are not of a way, up to the next that is. *)
Fixpoint gap_of (found : list (bool * (row * Z))) : list row :=
  match found with (false, (terms, _)) :: found => terms :: gap_of found | _ => [] end.

(** The items of a way among others, from terms and numbers of tokens. *)
Fixpoint items_of (found : list (bool * (row * Z))) : list item :=
  match found with
  | [] => []
  | (false, _) :: found => items_of found
  | (true, (terms, times)) :: found =>
      match items_of found with
      | [] => [{| terms_of := terms; times_of := times; gap := []; most_from := terms; least_from := terms;
                  tokens_from := times |}]
      | next :: rest =>
          let gap := gap_of found in
          {| terms_of := terms; times_of := times; gap := gap;
             most_from := best_of imax (terms :: most_from next :: gap);
             least_from := best_of imin (terms :: least_from next :: gap);
             tokens_from := times + tokens_from next |} :: next :: rest
      end
  end.

(** The terms of some items, and of those between them. *)
Fixpoint rows_between (items : list item) : list row :=
  match items with
  | [] => []
  | [item] => [terms_of item]
  | item :: items => terms_of item :: gap item ++ rows_between items
  end.

(** Some items, and the state behind them. *)
Definition way := (list item * nat)%type.

(** A position, and what is known by state of it and all positions behind it. *)
Record step := {
  ways : list (list way);    (** by state: how it goes on *)
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

(** The first of some items knows all of them. *)
Definition items_bound (side : item -> row) (items : list item) : row :=
  match items with [] => [] | first :: _ => side first end.
Definition items_tokens (items : list item) : Z := match items with [] => 0 | first :: _ => tokens_from first end.

(** By state: the bound of all ways on, each with what is behind it. *)
Definition bounds_by_state (op : ival -> ival -> ival) (by_item : item -> row) (side : step -> list row)
    (ways : list (list way)) (behind : list step) : list row :=
  map (fun ways => best_of op (map (fun way =>
    row_total side behind (snd way) (items_bound by_item (fst way))) ways)) ways.

Definition step_of (ways : list (list way)) (behind : list step) : step := {|
  ways := ways;
  most := bounds_by_state imax most_from most ways behind;
  least := bounds_by_state imin least_from least ways behind;
  inputs_by_state := map (fun ways => count_items (map (fun way =>
    items_tokens (fst way) * inputs_at behind (snd way)) ways)) ways
|}.

Fixpoint steps_of (positions : list (list (list way))) : list step :=
  match positions with
  | [] => []
  | ways :: positions => let behind := steps_of positions in step_of ways behind :: behind
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

  (** *** Ways on (`tree.rs`) *)

  (** A near token, or the far tokens of a class; and how many it is. *)
  Record piece := { near_token : option nat; class : nat; stands : nat }.

  Definition pieces (W : window) : list piece :=
    concat (map (fun entry : nat * (list nat * nat) =>
      let '(c, (near, far)) := entry in
      map (fun t => {| near_token := Some t; class := c; stands := 1 |}) near
      ++ (if (0 <? far)%nat then [{| near_token := None; class := c; stands := far |}] else []))
      (enumerated (combine (near W) (far W)))).

  (** Those that an order names come first, the last mention counts; [far] stands for all that are far. *)
  Definition in_order (far : nat) (order : list nat) (ps : list piece) : list piece :=
    let '(first, others) := fold_right (fun t state =>
      let is_it p := (match near_token p with Some t => t | None => far end =? t)%nat in
      let '(mine, others) := partition is_it (snd state) in
      (mine ++ fst state, others)) ([], ps) (firstn (S far) order) in
    first ++ others.

  (** The states that moves lead to. *)
  Fixpoint targets (moves : list (nat * nat)) : list nat :=
    match moves with
    | [] => []
    | move :: moves => snd move :: filter (fun state => negb (state =? snd move)%nat) (targets moves)
    end.

  (** Classes behind which the state is the same go on together; they are bounded together with all between them. *)
  Definition ways_on (found : list (nat * (row * Z))) (moves : list (nat * nat)) : list way :=
    map (fun state =>
      let classes := map fst (filter (fun move => (snd move =? state)%nat) moves) in
      (items_of (map (fun entry => (among classes (fst entry), snd entry)) found), state)) (targets moves).

  (** Terms of a piece at position p < n - 1; is their lower end a bound, that of far ones too? *)
  Definition found_at (bounded : bool) (groups : list margin) (W : window) (p : nat) (x : piece) : row * Z :=
    match near_token x with
    | Some t => (terms groups t p, 1)
    | None =>
        let above := far_term W p in
        (repeat (if bounded then hull above (far_below W p) else above) (length groups), Z.of_nat (stands x))
    end.

  Definition steps_at (bounded : bool) (groups : list margin) (W : window) (order : list nat) : list step :=
    let ps := in_order (vocab T) order (pieces W) in
    steps_of (map2 (fun here p =>
      let standing := filter (fun x => among (map fst (concat here)) (class x)) ps in
      map (ways_on (map (fun x => (class x, found_at bounded groups W p x)) standing)) here)
      (used V) (seq 0 (context T - 1))).

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
    is_negative (total most (steps_at false [g] (window_of size) []) 0 0 (last_term g)).

  (** Is every input with this query answered wrong? *)
  Definition wrong_holds (g : margin) (size : option nat) : bool :=
    is_one g && is_nonnegative (total least (steps_at true [g] (window_of size) []) 0 0 (last_term g)).
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

(** What is said of some inputs. *)
Inductive decision := All_right | All_wrong | Unknown.
(** Of the inputs with the first so many items, or with all of them for 0, and what stays open at the others; or that
    they are to be looked at apart. *)
Inductive verdict := Decided (d : decision) (count : nat) (open : opened) | Apart (open : opened).

(** The rest of a walk's words; none where the walk goes by the rule. *)
Definition words := option (list nat).

(** The first so many of some items, or all for 0. *)
Definition part_of {A} (count : nat) (items : list A) : list A :=
  match count with O => items | _ => firstn count items end.

Section Walk.
  (** By group: may it show inputs to be wrong? *)
  Variable shows : list bool.

  Section Place.
    (** By number of items, group and sum: bounds of the sums of all inputs with these items. *)
    Variables above below : nat -> nat -> ival -> ival.
    (** Is there a position left? Are there items, of which some may be decided? *)
    Variables may_split has_items : bool.

    Definition all_negative_by (count : nat) (entry : nat * ival) : bool :=
      is_negative (above count (fst entry) (snd entry)).
    Definition shows_wrong (count : nat) (entry : nat * ival) : bool :=
      nth (fst entry) shows false && is_nonnegative (below count (fst entry) (snd entry)).

    (** By the rule. *)
    Fixpoint judged (open : opened) : verdict :=
      match open with
      | [] => Decided All_right 0 []
      | entry :: others =>
          if all_negative_by 0 entry then judged others
          else if shows_wrong 0 entry then Decided All_wrong 0 open
          else if may_split then Apart open
          else match judged others with
               | Decided All_wrong O _ => Decided All_wrong 0 open
               | _ => Decided Unknown 0 open
               end
      end.

    (** The number of items that a word is about. *)
    Definition count_word (script : list nat) : nat * list nat :=
      if has_items then match script with [] => (O, []) | count :: script => (count, script) end else (O, script).

    (** By words: 0 right, 1 split, 2 leave, 3 + 2k drop group k, 4 + 2k wrong by group k. *)
    Fixpoint read (open : opened) (script : list nat) : verdict * list nat :=
      match script with
      | [] => (Decided Unknown 0 open, [])
      | word :: script =>
          match word with
          | 0%nat =>
              let '(count, script) := count_word script in
              (Decided (if forallb (all_negative_by count) open then All_right else Unknown) count open, script)
          | 1%nat => (if may_split then Apart open else Decided Unknown 0 open, script)
          | 2%nat => (Decided Unknown 0 open, script)
          | _ =>
              if Z.odd (Z.of_nat word) then
                match filter (fun entry => negb ((3 + 2 * fst entry =? word)%nat && all_negative_by 0 entry)) open with
                | [] => (Decided All_right 0 [], script)
                | open => read open script
                end
              else
                let '(count, script) := count_word script in
                (Decided (if existsb (fun entry => (4 + 2 * fst entry =? word)%nat && shows_wrong count entry) open
                          then All_wrong else Unknown) count open, script)
          end
      end.

    Definition place (open : opened) (script : words) : verdict * words :=
      match script with
      | None => (judged open, None)
      | Some script => let '(verdict, script) := read open script in (verdict, Some script)
      end.
  End Place.

  Definition found_by (d : decision) (inputs : Z) : found :=
    match d with All_right => (inputs, 0) | All_wrong => (0, inputs) | Unknown => (0, 0) end.

  (** What is found with a way's items, without so many that are decided; [child] is what is found with one. *)
  Fixpoint among_items (child : opened -> words -> found * words) (behind : list step) (state : nat) (all : bool)
      (items : list item) (decided : nat) (open : opened) (script : words) : found * words :=
    match items with
    | [] => ((0, 0), script)
    | item :: others =>
        match decided with
        | S decided => among_items child behind state false others decided open script
        | O =>
            let bound (side : step -> list row) (op : ival -> ival -> ival) (from : row) (count : nat) (group : nat)
                (sum : ival) :=
              let here := match count with O => from | _ => best_of op (rows_between (firstn count items)) end in
              total side behind state group (add sum (get here group)) in
            let '(verdict, script) :=
              if all || match others with [] => true | _ => false end then (Apart open, script)
              else
                place (bound most imax (most_from item)) (bound least imin (least_from item)) true true open script in
            match verdict with
            | Decided d count open =>
                let tokens := match count with
                              | O => tokens_from item
                              | _ => count_items (map times_of (firstn count items))
                              end in
                let here := found_by d (tokens * inputs_at behind state) in
                match count with
                | O => (here, script)
                | S decided =>
                    let '(rest, script) := among_items child behind state false others decided open script in
                    (found_plus rest 1 here, script)
                end
            | Apart open =>
                let '(with_item, script) := child (extended (terms_of item) open) script in
                let '(rest, script) := among_items child behind state false others O open script in
                (found_plus rest (times_of item) with_item, script)
            end
        end
    end.

  (** What is found below a node, and the rest of the words. *)
  Fixpoint node (steps : list step) (state : nat) (open : opened) (script : words) {struct steps} : found * words :=
    let may_split := match steps with [] => false | _ => true end in
    let '(verdict, script) :=
      place (fun _ => total most steps state) (fun _ => total least steps state) may_split false open script in
    match verdict with
    | Decided d _ _ => (found_by d (inputs_at steps state), script)
    | Apart open =>
        match steps with
        | [] => ((0, 0), script)
        | next :: behind =>
            let ways := nth state (ways next) [] in
            (* By the rule, all items of one way on alone were looked at with the node. *)
            let all := match ways, script with [_], None => true | _, _ => false end in
            fold_left (fun state (way : way) =>
              let '(below, script) :=
                among_items (node behind (snd way)) behind (snd way) all (fst way) O open (snd state) in
              (found_plus (fst state) 1 below, script)) ways ((0, 0), script)
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
Definition is_wrong_by (word : nat) : bool := (3 <? word)%nat && Z.even (Z.of_nat word).

Definition last_terms (V : view) (groups : list margin) : opened :=
  combine (seq 0 (length groups)) (map (last_term V) groups).

(** The inputs that are not certified, and those that are wrong. *)
Definition tree (V : view) (groups : list margin) (W : window) (order walk : list nat) : result (Z * Z) :=
  if 127 <? bit_length (all_inputs V) then Declined
  else
    let bounded := existsb is_wrong_by walk in
    let shows := map (fun g => (negb (any_far W) || bounded) && is_one g) groups in
    let script := match walk with [] => None | _ => Some walk end in
    let '(certified, wrong) := fst (node shows (steps_at V bounded groups W order) 0 (last_terms V groups) script) in
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
       item_bins := map (fun p =>
         by_items W (fun t => round (hd everything (terms V [g] t p))) (fun _ => round (far_at p)))
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
                     | _, Tree order walk => tree V (counted found) (window_of V (plan_window p)) order walk
                     | _, Grid g => Derived (grid V (counted found) (window_of V (plan_window p)) g)
                     end in
        bind count (fun counts =>
          let '(uncertified, wrong) := counts in
          Derived (all - (if holds found then Z.min uncertified all else all), wrong))
  end.
