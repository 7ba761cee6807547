(* gbmi-verified-check: the checker extracted from proofs/Checker.v, with an unverified reader. *)

let help = {|Usage: gbmi-verified-check CERTIFICATE --model PATH

Checks a certificate with the checker extracted from proofs/Checker.v.
PATH is a folder with model.safetensors and config.json, or the safetensors file.

Prints ACCEPTED, REJECTED or DECLINED, and the counts that it derived. Declined are families of rules that
are not verified, the published one among them; claims with a margin; and counts that are too large. There
is no limit on the work.

Verified is what is derived from the weights and the certificate as read. Not verified are the reader of
JSON and of safetensors, the SHA-256 of the network, the comparison of sizes, and Coq's extraction.

Exit codes: 0 accepted, 1 rejected, 2 declined, 3 usage, or a file that cannot be read.
|}

exception Rejected of string
exception Unreadable of string

let read path =
  try
    let channel = open_in_bin path in
    Fun.protect ~finally:(fun () -> close_in channel) (fun () ->
      really_input_string channel (in_channel_length channel))
  with Sys_error reason -> raise (Unreadable reason)

let finish code word lines =
  print_string (String.concat "\n" (word :: lines) ^ "\n");
  exit code

let run certificate path =
  let claim, hints = Certificate.read (read certificate) in
  let is_folder = Sys.file_exists path && Sys.is_directory path in
  let weights_path = if is_folder then Filename.concat path "model.safetensors" else path in
  let config = read (Filename.concat (Filename.dirname weights_path) "config.json") in
  let weights = read weights_path in
  let model = try Model.load config weights with Json.Malformed reason -> raise (Model.Unsupported reason) in
  let sizes = model.weights.sizes in
  let total = Z.pow (Z.of_int sizes.d_vocab) sizes.n_ctx in
  let expect holds what = if not holds then raise (Rejected what) in
  expect (claim.network = model.digest) "the certificate is about another network";
  expect (claim.task = Json.String "max_of_n") "claim.task";
  expect (Z.equal claim.total total) "claim.total";
  expect (Z.leq claim.correct total) "claim.correct is above the number of inputs";
  expect (Option.fold ~none:true ~some:(fun upper -> Z.leq upper total) claim.upper)
    "claim.upper is above the number of inputs";
  match Checker.derive model.weights hints with
  | Checker.Rejected -> raise (Rejected "the groups of a plan are no partition of the wrong answers")
  | Checker.Declined -> raise (Certificate.Declined "a rule that is not verified, or too large a count")
  | Checker.Derived ((correct, upper) as derived) ->
      let counts = [Printf.sprintf "correct %s" (Z.to_string correct); Printf.sprintf "upper %s" (Z.to_string upper)] in
      if Checker.establishes model.weights derived claim.correct claim.upper then finish 0 "ACCEPTED" counts
      else finish 1 "REJECTED" ("the claim is not established" :: counts)

let () =
  (* Counts on a grid make much that does not last. *)
  Gc.set { (Gc.get ()) with minor_heap_size = 1 lsl 22; space_overhead = 400; max_overhead = 1_000_000 };
  let usage () = prerr_string help; exit 3 in
  match List.tl (Array.to_list Sys.argv) with
  | ["--help"] -> print_string help
  | [certificate; "--model"; path] | ["--model"; path; certificate] ->
      (try run certificate path with
       | Rejected reason | Json.Malformed reason -> finish 1 "REJECTED" [reason]
       | Certificate.Declined reason | Model.Unsupported reason -> finish 2 "DECLINED" [reason]
       | Stack_overflow | Out_of_memory | Z.Overflow -> finish 2 "DECLINED" ["too large a count"]
       | Unreadable reason -> prerr_endline reason; exit 3)
  | _ -> usage ()
