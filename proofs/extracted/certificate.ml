(* Reads a certificate (docs/certificate.md). Not verified. *)

exception Declined of string

open Json

type claim = { network : string; task : Json.t; correct : Z.t; upper : Z.t option; total : Z.t }

(* {1 Numbers and lists, which stand in strings} *)

let integer place text =
  let n = String.length text in
  let first = if n > 0 && text.[0] = '-' then 1 else 0 in
  let digits = String.sub text first (n - first) in
  let canonical =
    n <= 100 && digits <> "" && String.for_all (fun c -> c >= '0' && c <= '9') digits
    && (digits.[0] <> '0' || text = "0") in
  if canonical then Z.of_string text else fail "%s: no canonical integer: %S" place text

let within place least most x = if Z.lt x least || Z.geq x most then fail "%s: out of range" place else x
let two_to = Z.shift_left Z.one
let natural place text = let x = integer place text in if Z.sign x < 0 then fail "%s: negative" place else x
let signed place text = within place (Z.neg (two_to 63)) (two_to 63) (integer place text)

(* What is larger than every size counts as any such number does. *)
let most_index = 1 lsl 40
let index place text =
  let x = within place Z.zero (two_to 64) (natural place text) in
  if Z.gt x (Z.of_int most_index) then most_index else Z.to_int x

(* Words of a walk beyond every group's are odd or even. *)
let most_word = 1 lsl 20
let word place text =
  let x = within place Z.zero (two_to 64) (natural place text) in
  if Z.gt x (Z.of_int most_word) then most_word + Z.to_int (Z.logand x Z.one) else Z.to_int x

let items item place text = if text = "" then [] else List.map (item place) (String.split_on_char ' ' text)

(* {1 Fields} *)

let text item place json = item place (string place json)
let list item = text (items item)
let rows item place json = List.map (list item place) (array place json)
let optional get key read place = Option.map (read (place ^ "." ^ key)) (get key)
let or_empty get key read place = Option.value (optional get key read place) ~default:[]
let needed get key read place = Option.get (optional get key read place)

(* The name that the first field gives: of a rule, or of a family of rules. *)
let named field place = function
  | Object ((first, name) :: _) when first = field -> string place name
  | Object _ -> fail "%s: the first field must be the %s" place field
  | _ -> fail "%s: expected an object" place

let rule = named "rule"
let unverified what = raise (Declined (Printf.sprintf "%s is not verified" what))

let entries place json : Checker.entries =
  let get = fields place ["blocks"] ["centre"; "basis"; "left"; "right"] json in
  { blocks = needed get "blocks" (list index) place;
    centre = or_empty get "centre" (list signed) place;
    basis = or_empty get "basis" (rows signed) place;
    left_bounds = or_empty get "left" (list signed) place;
    right_bounds = or_empty get "right" (list signed) place }

let window place json = match string place json with "all" -> None | size -> Some (index place size)

let answers place json : Checker.answers = match string place json with
  | "rest" -> Rest
  | "each" -> Each
  | listed -> These (items index place listed)

let group place json : Checker.group =
  let get = fields place ["answers"; "test"] ["window"] json in
  let test place json : Checker.test = match string place json with
    | "pooled" -> Pooled | "unpooled" -> Unpooled | "wrong" -> Wrong | "count" -> Count | "forfeit" -> Forfeit
    | _ -> fail "%s: unknown test" place in
  { group_answers = needed get "answers" answers place;
    group_test = needed get "test" test place;
    group_window = Option.join (optional get "window" window place) }

let count place json : Checker.count = match rule place json with
  | "tree" ->
      let get = fields place ["rule"] ["order"; "walk"] json in
      Tree (or_empty get "order" (list index) place, or_empty get "walk" (list word) place)
  | "grid" ->
      let get = fields place ["rule"; "bits"] ["without"; "wrong"] json in
      let bits place text = Z.to_int (within place Z.zero (two_to 32) (natural place text)) in
      Grid {
        grid_bits = needed get "bits" (text bits) place;
        without = or_empty get "without" (rows index) place;
        wrong_groups = or_empty get "wrong" (list index) place }
  | _ -> fail "%s: unknown rule" place

let plan place json : Checker.plan =
  let get = fields place ["groups"] ["count"; "window"] json in
  let each item place json = List.map (item place) (array place json) in
  { groups = needed get "groups" (each group) place;
    plan_count = Option.value (optional get "count" count place) ~default:(Checker.Tree ([], []));
    plan_window = Option.join (optional get "window" window place) }

let claim network place json =
  let get = fields place ["task"; "correct"; "total"] ["upper"; "margin"; "float32"; "all_read_outs"] json in
  let positive place text = let x = natural place text in if Z.sign x = 0 then fail "%s: zero" place else x in
  let claim = { network; task = Option.get (get "task");
    correct = needed get "correct" (text natural) place; upper = optional get "upper" (text natural) place;
    total = needed get "total" (text natural) place } in
  if optional get "margin" (text positive) place <> None then unverified "a margin";
  List.iter (fun name -> if get name <> None then unverified ("a claim with " ^ name)) ["float32"; "all_read_outs"];
  claim

(* {1 The certificate} *)

let read bytes =
  if String.length bytes > 64 lsl 20 then raise (Declined "the certificate is too large");
  let json = parse bytes in
  (match json with
   | Object (("gbmi", version) :: others) ->
       if List.mem_assoc "gbmi" others then fail "field \"gbmi\" twice";
       if string "gbmi" version <> "3" then raise (Declined "another version")
   | _ -> fail "the first field must be \"gbmi\"");
  (* Hints of another family may be of any shape. *)
  (match json with
   | Object given ->
       Option.iter (fun hints -> match named "family" "hints" hints with
         | "levels" -> ()
         | family -> unverified ("the family " ^ family)) (List.assoc_opt "hints" given)
   | _ -> ());
  let get = fields "certificate" ["gbmi"; "network"; "strategy"; "claim"; "hints"] ["model"] json in
  let network = needed get "network" string "certificate" in
  ignore (needed get "strategy" string "certificate");
  ignore (optional get "model" string "certificate");
  let hints = fields "hints" ["family"; "attention"; "direct_path"; "criterion"] [] (Option.get (get "hints")) in
  let part key = Option.get (hints key) in
  let attention = fields "attention" [] ["orders"; "entries"] (part "attention") in
  let direct = fields "direct_path" []
      ["offset"; "token_orders"; "query_orders"; "last_orders"; "logits"; "direct"] (part "direct_path") in
  let criterion = fields "criterion" ["plans"] ["assignment"] (part "criterion") in
  let orders get key = or_empty get key (rows index) "orders" in
  let entries get key = optional get key entries key in
  let certificate : Checker.cert = {
    attention_orders = orders attention "orders"; score_entries = entries attention "entries";
    offset = or_empty direct "offset" (list signed) "direct_path";
    token_orders = orders direct "token_orders"; query_orders = orders direct "query_orders";
    last_orders = orders direct "last_orders";
    logit_entries = entries direct "logits"; direct_entries = entries direct "direct";
    plans = List.map (plan "plans") (array "plans" (Option.get (criterion "plans")));
    assignment = orders criterion "assignment" } in
  (* Last, so that what is malformed is rejected before a claim is declined. *)
  let claim = needed get "claim" (claim network) "certificate" in
  (claim, certificate)
