(** * The criterion `partition` (`src/checker/levels`: `margins.rs` from [margins] on, then `terms.rs` to `partition.rs`). *)

From Coq Require Import ZArith List Bool.
From gbmi Require Import Model Fixed CheckerFast CheckerCertificate CheckerTable CheckerPaths CheckerRules.
From gbmi Require Import CheckerGrid.
Import ListNotations.

(** ** One maximum m *)

Record level := {
  the_max : nat;
  wrong_answers : answer_set;
  (** [max_{t<m} max_{j<>m} [R_j - R_m]] by position, and over all positions *)
  far_tokens : list ival;
  far_token_pooled : ival
}.

(** [R(t,p,j) - R(t,p,m)] for the entry that bounds a set of answers. *)
Definition difference (m : nat) (s : answer_set) (r : ordered) : option ival :=
  option_map (fun entry => sub entry (get (row_of r) m)) (top s r).

Definition level_of (T : tables) (m : nat) : level :=
  let wrong := Marked (map (fun j => negb (j =? m)%nat) (seq 0 (vocab T))) in
  let far := map (fun rows => largest (map (fun r => or_everything (difference m wrong r)) (firstn m rows)))
               (token_rows T) in
  {| the_max := m; wrong_answers := wrong; far_tokens := far; far_token_pooled := largest far |}.

(** ** One query q *)

(** Everything that is about one query and one maximum. *)
Record view := {
  shared : tables;
  at_max : level;
  query : nat;
  own : head;
  unit_of_max : Z;  (** k(q,m) *)
  query_row : ordered;
  last_row : ordered;
  far_query : ival  (** [max_{j<>m} D(q,j) - D(q,m)], offsets taken off *)
}.

(** [max_S D(q,.) - D(q,m)], offsets taken off. *)
Definition query_margin (m : nat) (s : answer_set) (r : ordered) : ival := or_everything (difference m s r).

Definition view_of (T : tables) (L : level) (q : nat) : view :=
  let h := nth q (heads T) no_head in
  let r := nth q (query_rows T) no_row in
  {| shared := T; at_max := L; query := q; own := h;
     unit_of_max := exponent (nth (the_max L) (by_token h) no_source);
     query_row := r; last_row := nth q (last_rows T) no_row;
     far_query := query_margin (the_max L) (wrong_answers L) r |}.

(** A set of wrong answers, with its part of the margin that depends on the query alone. *)
Record margin := { set : answer_set; of_query : ival }.

Section View.
  Variable V : view.
  Let m : nat := the_max (at_max V).
  Let T : tables := shared V.

  Definition margin_of (s : answer_set) : margin := {| set := s; of_query := query_margin m s (query_row V) |}.

  Definition source_at (t : nat) : source := nth t (by_token (own V)) no_source.
  (** w(q,t,p), in units that [shift] brings to those of (q, m). *)
  Definition weight (s : source) (p : nat) : ival := get (by_position s) p.
  Definition shift (s : source) : Z := exponent s - unit_of_max V.

  Definition token_row (t p : nat) : ordered := nth t (nth p (token_rows T) []) no_row.

  (** An upper bound of the margin where this row stands. *)
  Definition margin_at (g : margin) (r : ordered) : ival :=
    match difference m (set g) r with Some d => add d (of_query g) | None => everything end.

  (** An upper bound of the margin at token t over all positions p < n - 1. *)
  Definition pooled (g : margin) (t : nat) : ival :=
    let found := map (fun rows => difference m (set g) (nth t rows no_row)) (token_rows T) in
    if existsb (fun d => match d with None => true | Some _ => false end) found then everything
    else add (largest (map or_everything found)) (of_query g).

  (** An upper bound of the margin at the last position. *)
  Definition last_margin (g : margin) : ival :=
    sub (or_everything (top (set g) (last_row V))) (get (row_of (last_row V)) m).

  (** phi of each group at token t and position p < n - 1, in the units of (q, m). *)
  Definition terms (groups : list margin) (t p : nat) : row :=
    let s := source_at t in
    let '(w, k, r) := (weight s p, shift s, token_row t p) in
    map (fun g => fast_mul_scaled w (margin_at g r) k) groups.

  Definition term (g : margin) (t p : nat) : ival := hd everything (terms [g] t p).

  (** phi of a group at the last position. *)
  Definition last_term (g : margin) : ival :=
    let s := source_at (query V) in fast_mul_scaled (weight s (context T - 1)) (last_margin g) (shift s).

  (** *** Rule `window` (`window.rs`) *)

  Record window := { near : list nat; far : nat; strongest_far : option nat }.

  (** The window of so many tokens: m and the tokens below it with the most attention. *)
  Definition window_of (size : option nat) : window :=
    match size with
    | Some size =>
        if (m <? size)%nat then {| near := m :: seq 0 m; far := 0; strongest_far := None |}
        else
          let below := match token_order (own V) with
                       | Some o => filter (fun rank => (fst rank <? m)%nat) (listed o)
                       | None => []
                       end in
          let near := m :: map fst (firstn (size - 1) below) in
          let strongest := match skipn (size - 1) below, token_order (own V) with
                           | (_, best) :: _, _ => Some best
                           | [], Some o => unlisted o
                           | [], None => None
                           end in
          {| near := near; far := S m - length near; strongest_far := option_map fst strongest |}
    | None => {| near := m :: seq 0 m; far := 0; strongest_far := None |}
    end.

  (** An upper bound of every wrong answer's margin at every token below m; [tokens] is that of the level. *)
  Definition far_margin (tokens : ival) : ival := add tokens (far_query V).

  (** An upper bound of phi of every group at every token of the far class, at position p < n - 1. *)
  Definition far_term (W : window) (p : nat) : ival :=
    match strongest_far W with
    | None => everything
    | Some t =>
        let s := source_at t in
        imax (fast_mul_scaled (weight s p) (far_margin (get (far_tokens (at_max V)) p)) (shift s)) zero
    end.

  (** A lower bound of it. *)
  Definition far_below (W : window) (p : nat) : ival :=
    match strongest_far W with
    | None => everything
    | Some t => let s := source_at t in sub zero (fast_mul_scaled (weight s p) (widest T) (shift s))
    end.

  (** *** Rule `whole` (`whole.rs`) *)

  Definition pooled_holds (g : margin) (size : option nat) : bool :=
    let W := window_of size in
    let bounded (s : source) (y : ival) := fast_mul_scaled (alpha s) y (shift s) in
    let bounds := map (fun t => bounded (source_at t) (pooled g t)) (near W) in
    let at_m := hd everything bounds in
    let far_bounds :=
      if (0 <? far W)%nat then
        match strongest_far W with
        | Some t => Some [imax (bounded (source_at t) (far_margin (far_token_pooled (at_max V)))) zero]
        | None => None
        end
      else Some [] in
    match far_bounds with
    | None => false
    | Some far_bounds =>
        let most := upper (largest (bounds ++ far_bounds)) in
        let sum := fast_mul (beta_sum (own V)) most in
        let sum := if (query V <? m)%nat then add sum (fast_mul (beta_min (own V)) (sub at_m most)) else sum in
        is_negative (add sum (last_term g))
    end.

  Definition unpooled_holds (g : margin) (size : option nat) : bool :=
    let W := window_of size in
    (* By position: the bound at token m, and a bound at every token. *)
    let bounds p :=
      let bounds := map (fun t => term g t p) (near W) in
      let far_bounds := if (0 <? far W)%nat then [far_term W p] else [] in
      (hd everything bounds, upper (largest (bounds ++ far_bounds))) in
    let found := map bounds (seq 0 (context T - 1)) in
    let sum := fold_left add (map snd found) (last_term g) in
    if is_negative sum || (query V =? m)%nat then is_negative sum
    else is_negative (add sum (largest (map (fun b => sub (fst b) (snd b)) found))).

  (** The number of inputs with query q. *)
  Definition inputs_of : Z :=
    let positions := Z.of_nat (context T - 1) in
    let upto := (Z.of_nat (S m) ^ positions)%Z in
    if (query V =? m)%nat then upto else (upto - Z.of_nat m ^ positions)%Z.
End View.

(** ** Rule `tree` (`tree.rs`) *)

Local Open Scope Z_scope.

(** The items of a position: token m, the other tokens of the window, the far class. *)
Record position := {
  items : table;             (** by item, then group: terms *)
  times_of : list Z;         (** by item: how many tokens it stands for *)
  most_orders : list order;  (** by group: the items by upper ends *)
  least_orders : list order  (** by lower ends *)
}.

Definition no_order : order := {| listed := []; unlisted := None |}.

(** A term whose upper end is at least that of every item which [member] picks. *)
Definition most_of (member : nat -> bool) (o : order) : ival :=
  match bound member o with Some best => snd best | None => everything end.
(** A term whose lower end is at most that of every such item. *)
Definition least_of (member : nat -> bool) (o : order) : option ival := option_map snd (bound member o).

Definition position_of (V : view) (groups : list margin) (W : window) (s : script) (p : nat) : position :=
  let k := length groups in
  let near_terms := map (fun t => terms V groups t p) (near W) in
  let far_terms :=
    if (0 <? far W)%nat then
      let above := far_term V W p in
      let either := match lower_hints s with [] => above | _ => hull above (far_below V W p) end in
      [repeat either k]
    else [] in
  let items := near_terms ++ far_terms in
  let columns := transposed items in
  let hints_of (hints : list (list nat)) filling := padded k filling (firstn k (skipn (p * k) hints)) in
  let ascending_if_hinted column hint := match hint with [] => no_order | _ => ascending hint column end in
  {| items := items;
     times_of := map (fun _ => 1) near_terms ++ map (fun _ => Z.of_nat (far W)) far_terms;
     most_orders := map2 (fun column hint => descending hint column) columns (hints_of (upper_hints s) [0%nat]);
     least_orders := map2 ascending_if_hinted columns (hints_of (lower_hints s) []) |}.

(** A position of a pattern, and what is known of it and all positions behind it. *)
Record step := {
  here : position;
  start : nat;  (** the first item that may stand here *)
  most : row;   (** by group: bounds of every completion *)
  least : row;
  inputs_below : Z
}.

Definition count_items (times : list Z) : Z := fold_left Z.add times 0.

Definition step_of (P : position) (start : nat) (behind : list step) : step :=
  let member item := (start <=? item)%nat in
  let most_here := map (most_of member) (most_orders P) in
  let least_here := map (least_of member) (least_orders P) in
  let tokens := count_items (skipn start (times_of P)) in
  match behind with
  | [] => {| here := P; start := start; most := most_here; least := map or_everything least_here;
             inputs_below := tokens |}
  | next :: _ =>
      let plus (x : option ival) rest := match x with Some x => add x rest | None => everything end in
      {| here := P; start := start; most := map2 add most_here (most next);
         least := map2 plus least_here (least next); inputs_below := tokens * inputs_below next |}
  end.

(** The positions, from number p on, of the pattern whose first m is at [first], without that position. *)
Fixpoint steps_of (first : option nat) (p : nat) (positions : list position) : list step :=
  match positions with
  | [] => []
  | P :: positions =>
      let behind := steps_of first (S p) positions in
      match first with
      | None => step_of P 0 behind :: behind
      | Some f => if (p =? f)%nat then behind else step_of P (if (p <? f)%nat then 1 else 0) behind :: behind
      end
  end.

(** Groups not yet negative everywhere below a node, with their sums. *)
Definition opened := list (nat * ival).

(** Inputs known to be right, and inputs known to be wrong. *)
Definition found := (Z * Z)%type.
Definition found_plus (x : found) (times : Z) (y : found) : found := (fst x + times * fst y, snd x + times * snd y).

(** Sums with one more item. *)
Definition extended (item : row) (open : opened) : opened :=
  map (fun entry => (fst entry, add (snd entry) (get item (fst entry)))) open.

(** A group's sum with a bound of what is behind, if there is anything. *)
Definition total (side : step -> row) (behind : list step) (group : nat) (sum : ival) : ival :=
  match behind with
  | [] => sum
  | next :: _ => add sum (get (side next) group)
  end.

(** Does a group stay open below a node? *)
Definition stays (steps : list step) (entry : nat * ival) : bool :=
  negb (is_negative (total most steps (fst entry) (snd entry))).

Definition inputs_at (steps : list step) : Z := match steps with [] => 1 | next :: _ => inputs_below next end.

Section Walk.
  (** By group: may it show inputs to be wrong? *)
  Variable shows : list bool.

  Definition shows_wrong (steps : list step) (entry : nat * ival) : bool :=
    nth (fst entry) shows false && is_nonnegative (total least steps (fst entry) (snd entry)).

  (** *** Without a script *)
  Fixpoint explore (steps : list step) (open : opened) {struct steps} : found :=
    match filter (stays steps) open with
    | [] => (inputs_at steps, 0)
    | open =>
        match steps with
        | [] => (0, if existsb (shows_wrong []) open then 1 else 0)
        | next :: behind =>
            fold_left (fun sum item =>
              found_plus sum (snd item) (explore behind (extended (fst item) open)))
              (skipn (start next) (combine (items (here next)) (times_of (here next)))) (0, 0)
        end
    end.

  (** *** By a script *)

  (** Drops so many groups that the script names and that do not stay open. *)
  Fixpoint drop (steps : list step) (times : nat) (open : opened) (script : list nat) : opened * list nat :=
    match times, script with
    | S times, dropped :: script =>
        drop steps times (filter (fun entry => negb (fst entry =? dropped)%nat || stays steps entry) open) script
    | _, _ => (open, script)
    end.

  (** Which items of a position have a label, if [labels] are those from item [start] on? *)
  Definition labelled (start : nat) (labels : list nat) (label : nat) : list bool :=
    repeat false start ++ map (fun other => (other =? label)%nat) labels.

  Definition count_marked (times : list Z) (marks : list bool) : Z :=
    count_items (map2 (fun times (mark : bool) => if mark then times else 0) times marks).

  (** What the labels of a split settle at once. *)
  Definition settled (next : step) (behind : list step) (open : opened) (labels : list nat) : found :=
    let P := here next in
    let inputs marks := count_marked (times_of P) marks * inputs_at behind in
    let certified := labelled (start next) labels 0 in
    let holds (entry : nat * ival) :=
      let '(group, sum) := entry in
      let item := most_of (marked certified) (nth group (most_orders P) no_order) in
      is_negative (total most behind group (add sum item)) in
    let right := if existsb id certified && forallb holds open then inputs certified else 0 in
    let wrong_by (entry : nat * ival) : Z :=
      let '(group, sum) := entry in
      if nth group shows false then
        let marks := labelled (start next) labels (3 + group) in
        if existsb id marks then
          let item := or_everything (least_of (marked marks) (nth group (least_orders P) no_order)) in
          if is_nonnegative (total least behind group (add sum item)) then inputs marks else 0
        else 0
      else 0 in
    (right, if existsb (fun label => (2 <? label)%nat) labels then count_items (map wrong_by open) else 0).

  (** What is found below a node, and the rest of the script. *)
  Fixpoint node (steps : list step) (open : opened) (script : list nat) {struct steps} : found * list nat :=
    let drops := Nat.min (hd O script) (length open) in
    match drop steps drops open (tl script) with
    | ([], script) => ((inputs_at steps, 0), script)
    | (open, 1%nat :: script) =>
        let wrong := match script with
                     | [] => false
                     | by_group :: _ =>
                         existsb (fun entry => (fst entry =? by_group)%nat && shows_wrong steps entry) open
                     end in
        ((0, if wrong then inputs_at steps else 0), tl script)
    | (open, 2%nat :: script) =>
        match steps with
        | [] => ((0, 0), script)
        | next :: behind =>
            let candidates := skipn (start next) (combine (items (here next)) (times_of (here next))) in
            let labels := firstn (length candidates) script in
            fold_left (fun state (item : row * Z * nat) =>
              let '(item, times, label) := item in
              if (label =? 1)%nat then
                let '(below, script) := node behind (extended item open) (snd state) in
                (found_plus (fst state) times below, script)
              else state)
              (combine candidates labels)
              (settled next behind open labels, skipn (length candidates) script)
        end
    | (_, script) => ((0, 0), tl script)
    end.

  (** The inputs that the roots certify and show wrong, one root after the other. *)
  Definition walk (script : list nat) (roots : list (list step * opened)) : found :=
    match script with
    | [] => fold_left (fun sum (root : list step * opened) =>
              found_plus sum 1 (explore (fst root) (snd root))) roots (0, 0)
    | _ =>
        fst (fold_left (fun state (root : list step * opened) =>
          let '(below, script) := node (fst root) (snd root) (snd state) in
          (found_plus (fst state) 1 below, script)) roots ((0, 0), script))
    end.
End Walk.

(** How a certificate is refused: for what it says, or for what the checker does not do. *)
Inductive result (A : Type) := Derived (value : A) | Rejected | Declined.
Arguments Derived {A}.
Arguments Rejected {A}.
Arguments Declined {A}.

Definition bind {A B} (x : result A) (f : A -> result B) : result B :=
  match x with Derived x => f x | Rejected => Rejected | Declined => Declined end.

(** The inputs that are not certified, and those that are wrong. *)
Definition tree (V : view) (groups : list margin) (W : window) (s : script) : result (Z * Z) :=
  let all := inputs_of V in
  if 127 <? bit_length all then Declined
  else
    let last := combine (seq 0 (length groups)) (map (last_term V) groups) in
    let positions := map (position_of V groups W s) (seq 0 (context (shared V) - 1)) in
    let below := (far W =? 0)%nat || match lower_hints s with [] => false | _ => true end in
    let shows := map (fun g => below && match set g with One _ => true | Marked _ => false end) groups in
    let root (first : nat) (P : position) := (steps_of (Some first) 0 positions, extended (hd [] (items P)) last) in
    let roots := if (query V =? the_max (at_max V))%nat then [(steps_of None 0 positions, last)]
                 else map2 root (seq 0 (length positions)) positions in
    let '(certified, wrong) := walk shows (steps_hint s) roots in
    Derived (all - Z.min certified all, wrong).

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

  (** The bins of a group: of the last position's term, then of the items of every other position. *)
  Definition bins (round : ival -> Z) (far_at : nat -> ival) (g : margin) : list (list Z) :=
    [round (last_term V g)]
    :: map (fun p => map (fun t => round (term V g t p)) (near W)
              ++ (if (0 <? far W)%nat then [round (far_at p)] else []))
         (seq 0 (context (shared V) - 1)).

  Definition coarser_bits (hint : option nat) : Z :=
    match hint with Some bits => Z.of_nat (Nat.min bits 16) | None => 0 end.

  Definition count_grid (coarser : option nat) (at_most : bool) (first : list (list Z))
      (second : option (list (list Z))) : Z :=
    let times := map (fun _ => 1) (near W) ++ (if (0 <? far W)%nat then [Z.of_nat (far W)] else []) in
    count_bins (match second with Some _ => coarser_bits coarser | None => 0 end) at_most
      (query V <? the_max (at_max V))%nat times first (match second with Some second => second | None => no_bins first end).

  (** At most so many inputs are not certified, and at least so many are wrong. *)
  Definition grid : Z * Z :=
    let known := map (bins ceiling (far_term V W)) groups in
    let uncertified (index : nat) (first : list (list Z)) : Z :=
      let without := nth index (without hint) [] in
      let earlier := match without with
                     | earlier :: _ => if (earlier <? index)%nat then nth_error known earlier else None
                     | [] => None
                     end in
      count_grid (nth_error without 1) true first earlier in
    let wrong (state : Z * option (list (list Z))) (index : nat) :=
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

(** Groups as sets, checked to hold every answer but m exactly once. *)
Definition partition_of (v m : nat) (p : plan) : option (list (answer_set * group)) :=
  if (v <? length (groups p))%nat then None
  else
    (* The right answer stands for one that is taken already. *)
    match mark_all (m :: concat (map named (groups p))) (repeat false v) with
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

(** Do all whole-level tests hold, and which groups are counted? *)
Definition tested (V : view) (sets : list (answer_set * group)) : bool * list margin :=
  let one (state : bool * list margin) (entry : answer_set * group) :=
    let '(holds, counted) := state in
    let '(s, g) := entry in
    let margin := margin_of V s in
    match group_test g with
    | Pooled => (pooled_holds V margin (group_window g) && holds, counted)
    | Unpooled => (unpooled_holds V margin (group_window g) && holds, counted)
    | Count => (holds, counted ++ [margin])
    | Forfeit => (false, counted)
    end in
  fold_left one sets (true, []).

(** Of the inputs of (q, m): how many are certified, and how many are wrong. *)
Definition settle (V : view) (p : plan) : result (Z * Z) :=
  match partition_of (vocab (shared V)) (the_max (at_max V)) p with
  | None => Rejected
  | Some sets =>
      let '(holds, counted) := tested V sets in
      let count := match counted, plan_count p with
                   | [], _ => Derived (0, 0)
                   | _, Tree s => tree V counted (window_of V (plan_window p)) s
                   | _, Grid g => Derived (grid V counted (window_of V (plan_window p)) g)
                   end in
      bind count (fun found =>
        let '(uncertified, wrong) := found in
        let all := inputs_of V in
        Derived (all - (if holds then Z.min uncertified all else all), wrong))
  end.
