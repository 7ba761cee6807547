(* Reads config.json and model.safetensors (src/model). Not verified. *)

exception Unsupported of string

let fail format = Printf.ksprintf (fun text -> raise (Unsupported text)) format

type t = { weights : Checker.weights; digest : string }

(* Is it the double nearest to the square root of n? Decided exactly. *)
let nearest_to_sqrt x n =
  let exact bits = Q.of_float (Int64.float_of_bits bits) and bits = Int64.bits_of_float x in
  let four_n = Q.of_int (4 * n) in
  x > 0. && x < infinity
  && let here = exact bits in
     let low = Q.add here (exact (Int64.pred bits)) and high = Q.add here (exact (Int64.succ bits)) in
     Q.leq (Q.mul low low) four_n && Q.leq four_n (Q.mul high high)

(* Fields that change the function when they are on. *)
let off = [
  "attn_scores_soft_cap"; "output_logits_soft_cap"; "use_local_attn"; "window_size"; "attn_types";
  "scale_attn_by_inverse_layer_idx"; "parallel_attn_mlp"; "gated_mlp"; "post_embedding_ln";
  "use_normalization_before_and_after"; "use_qk_norm"; "final_rms"; "num_experts"; "experts_per_token"; "prepend_bos";
  "default_prepend_bos"; "rotary_dim"; "relative_attention_num_buckets" ]

let config text : Checker.config =
  let given = match Json.parse text with Json.Object given -> given | _ -> fail "config.json: expected an object" in
  let get key = match List.assoc_opt key given with Some value -> value | None -> Json.Null in
  let require key expected = if not (List.mem (get key) expected) then fail "config.json: unsupported %s" key in
  let text x = Json.String x in
  let size key least most = match get key with
    | Json.Number number ->
        let size = match int_of_string_opt number with Some size -> size | None -> fail "config.json: bad %s" key in
        if size < least || size > most then fail "config.json: unsupported %s" key else size
    | _ -> fail "config.json: no %s" key in
  require "task" [text "max_of_n"];
  require "n_layers" [Json.Number "1"];
  require "n_heads" [Json.Number "1"];
  require "attn_only" [Json.Bool true];
  require "normalization_type" [Json.Null];
  require "attention_dir" [Json.Null; text "causal"];
  require "positional_embedding_type" [Json.Null; text "standard"];
  require "dtype" [Json.Null; text "float32"; text "torch.float32"];
  require "d_vocab_out" [Json.Null; get "d_vocab"];
  require "n_key_value_heads" [Json.Null; Json.Number "1"];
  let is_off = Json.[Null; Bool false; Number "0"; Number "0.0"; Number "-1"; Number "-1.0"] in
  List.iter (fun key -> require key is_off) off;
  let d_head = size "d_head" 1 4096 and d_vocab = size "d_vocab" 2 1024 and n_ctx = size "n_ctx" 2 20 in
  if d_vocab * d_vocab * n_ctx > 1 lsl 22 then fail "config.json: d_vocab^2 * n_ctx too large";
  let scaled = match get "use_attn_scale", get "attn_scale" with
    | Json.Bool false, _ -> false
    | (Json.Null | Json.Bool true), Json.Null -> true
    | (Json.Null | Json.Bool true), Json.Number scale when nearest_to_sqrt (float_of_string scale) d_head -> true
    | _ -> fail "config.json: unsupported attn_scale" in
  { d_vocab; n_ctx; d_model = size "d_model" 1 4096; d_head; scaled }

(* The exact value of a float32, as mantissa and exponent of two. *)
let dyadic name bits =
  let biased = (bits lsr 23) land 0xff and fraction = bits land 0x7fffff in
  if biased = 0xff then fail "%s: NaN or infinity" name;
  let size, exponent = if biased = 0 then (fraction, -149) else (fraction lor 0x800000, biased - 150) in
  (Z.of_int (if bits lsr 31 = 1 then -size else size), Z.of_int exponent)

let load config_text file =
  let sizes = config config_text in
  let Checker.{ d_vocab = v; n_ctx = n; d_model = d; d_head = h; scaled } = sizes in
  if String.length file < 8 then fail "model.safetensors: too short";
  let header_length = Int64.to_int (String.get_int64_le file 0) in
  if header_length < 0 || header_length > String.length file - 8 then fail "model.safetensors: bad header";
  let header = match Json.parse (String.sub file 8 header_length) with
    | Json.Object header -> List.filter (fun (name, _) -> name <> "__metadata__") header
    | _ -> fail "model.safetensors: bad header" in
  let shapes = [
    "blocks.0.attn.W_K", [1; d; h]; "blocks.0.attn.W_O", [1; h; d]; "blocks.0.attn.W_Q", [1; d; h];
    "blocks.0.attn.W_V", [1; d; h]; "blocks.0.attn.b_K", [1; h]; "blocks.0.attn.b_O", [d]; "blocks.0.attn.b_Q", [1; h];
    "blocks.0.attn.b_V", [1; h]; "embed.W_E", [v; d]; "pos_embed.W_pos", [n; d]; "unembed.W_U", [d; v];
    "unembed.b_U", [v] ] in
  List.iter (fun (name, _) -> if not (List.mem_assoc name shapes) then fail "unknown tensor %S" name) header;
  let hashed = Buffer.create (String.length file) in
  Printf.bprintf hashed "gbmi network 1\ntask max_of_n\nattn_scale %s\n" (if scaled then "sqrt_d_head" else "one");
  let number = function Json.Number x -> int_of_string x | _ -> fail "model.safetensors: bad header" in
  let read (name, shape) =
    let tensor = match List.assoc_opt name header with Some x -> x | None -> fail "no tensor %s" name in
    let get = Json.fields name ["dtype"; "shape"; "data_offsets"] [] tensor in
    let numbers key = List.map number (Json.array name (Option.get (get key))) in
    if get "dtype" <> Some (Json.String "F32") then fail "%s: not float32" name;
    if numbers "shape" <> shape then fail "%s: another shape" name;
    let size = List.fold_left ( * ) 1 shape in
    let from, upto = match numbers "data_offsets" with [a; b] -> a, b | _ -> fail "%s: bad offsets" name in
    let from_file = 8 + header_length + from in
    if from < 0 || upto - from <> 4 * size || from_file + 4 * size > String.length file then
      fail "%s: bad offsets" name;
    Printf.bprintf hashed "%s [%s]\n" name (String.concat ", " (List.map string_of_int shape));
    Buffer.add_string hashed (String.sub file from_file (4 * size));
    let entry i = dyadic name (Int32.to_int (String.get_int32_le file (from_file + 4 * i)) land 0xffffffff) in
    let cols = List.nth shape (List.length shape - 1) in
    (name, List.init (size / cols) (fun row -> List.init cols (fun col -> entry (row * cols + col)))) in
  let tensors = List.map read shapes in
  let table name = List.assoc name tensors in
  let bias name = List.hd (table name) in
  let attention name = "blocks.0.attn." ^ name in
  { weights = {
      sizes; w_e = table "embed.W_E"; w_pos = table "pos_embed.W_pos";
      w_q = table (attention "W_Q"); w_k = table (attention "W_K"); w_v = table (attention "W_V");
      w_o = table (attention "W_O"); w_u = table "unembed.W_U";
      b_q = bias (attention "b_Q"); b_k = bias (attention "b_K"); b_v = bias (attention "b_V");
      b_o = bias (attention "b_O"); b_u = bias "unembed.b_U" };
    digest = Sha256.hex (Buffer.contents hashed) }
