(* JSON (RFC 8259), and the shape of objects. Not verified. *)

exception Malformed of string

type t = Null | Bool of bool | Number of string | String of string | Array of t list | Object of (string * t) list

let fail format = Printf.ksprintf (fun text -> raise (Malformed text)) format

(* Fails unless the bytes are UTF-8. *)
let check_utf8 text =
  let n = String.length text in
  let byte i = if i < n then Char.code text.[i] else 0 in
  let tail i = byte i land 0xc0 = 0x80 in
  let rec go i =
    if i < n then
      let b = byte i and next = byte (i + 1) in
      if b < 0x80 then go (i + 1)
      else if b >= 0xc2 && b < 0xe0 && tail (i + 1) then go (i + 2)
      else if b >= 0xe0 && b < 0xf0 && tail (i + 1) && tail (i + 2)
              && not (b = 0xe0 && next < 0xa0) && not (b = 0xed && next > 0x9f) then go (i + 3)
      else if b >= 0xf0 && b < 0xf5 && tail (i + 1) && tail (i + 2) && tail (i + 3)
              && not (b = 0xf0 && next < 0x90) && not (b = 0xf4 && next > 0x8f) then go (i + 4)
      else fail "not UTF-8 at byte %d" i
  in
  go 0

let parse text =
  check_utf8 text;
  let n = String.length text and at = ref 0 in
  let peek () = if !at < n then text.[!at] else '\000' in
  let rec space () = match peek () with ' ' | '\t' | '\n' | '\r' -> incr at; space () | _ -> () in
  let expect c = if !at < n && peek () = c then incr at else fail "expected %C at byte %d" c !at in
  let word w value =
    if !at + String.length w <= n && String.sub text !at (String.length w) = w
    then (at := !at + String.length w; value) else fail "no JSON at byte %d" !at in
  let hex () =
    let digit () = match peek () with
      | '0'..'9' as c -> incr at; Char.code c - 48
      | 'a'..'f' as c -> incr at; Char.code c - 87
      | 'A'..'F' as c -> incr at; Char.code c - 55
      | _ -> fail "no hexadecimal digit at byte %d" !at in
    let a = digit () in let b = digit () in let c = digit () in
    (a lsl 12) lor (b lsl 8) lor (c lsl 4) lor digit () in
  let string () =
    expect '"';
    let out = Buffer.create 16 in
    let rec go () =
      if !at >= n then fail "a string without end";
      match text.[!at] with
      | '"' -> incr at
      | '\\' -> incr at; escape (); go ()
      | c when c < ' ' -> fail "a control character at byte %d" !at
      | c -> incr at; Buffer.add_char out c; go ()
    and escape () =
      let c = peek () in
      incr at;
      match c with
      | '"' | '\\' | '/' -> Buffer.add_char out c
      | 'b' -> Buffer.add_char out '\b' | 'f' -> Buffer.add_char out '\012'
      | 'n' -> Buffer.add_char out '\n' | 'r' -> Buffer.add_char out '\r' | 't' -> Buffer.add_char out '\t'
      | 'u' ->
          let first = hex () in
          let code =
            if first >= 0xd800 && first < 0xdc00 then begin
              expect '\\'; expect 'u';
              let second = hex () in
              if second < 0xdc00 || second > 0xdfff then fail "a lone surrogate at byte %d" !at;
              0x10000 + ((first - 0xd800) lsl 10) + (second - 0xdc00)
            end else first in
          if code >= 0xd800 && code < 0xe000 then fail "a lone surrogate at byte %d" !at;
          Buffer.add_utf_8_uchar out (Uchar.of_int code)
      | _ -> fail "no escape at byte %d" !at in
    go ();
    Buffer.contents out in
  let number () =
    let start = !at in
    let digits () =
      if not (peek () >= '0' && peek () <= '9') then fail "no digit at byte %d" !at;
      while peek () >= '0' && peek () <= '9' do incr at done in
    if peek () = '-' then incr at;
    if peek () = '0' then incr at else digits ();
    if peek () = '.' then (incr at; digits ());
    if peek () = 'e' || peek () = 'E' then begin
      incr at;
      if peek () = '+' || peek () = '-' then incr at;
      digits ()
    end;
    Number (String.sub text start (!at - start)) in
  let rec value depth =
    if depth > 127 then fail "nested too deep at byte %d" !at;
    space ();
    let result = match peek () with
      | '{' -> incr at; Object (sequence '}' (fun () ->
          space (); let key = string () in space (); expect ':'; (key, value (depth + 1))))
      | '[' -> incr at; Array (sequence ']' (fun () -> value (depth + 1)))
      | '"' -> String (string ())
      | 't' -> word "true" (Bool true) | 'f' -> word "false" (Bool false) | 'n' -> word "null" Null
      | _ -> number () in
    space ();
    result
  and sequence : 'a. char -> (unit -> 'a) -> 'a list = fun close item ->
    space ();
    if peek () = close then (incr at; [])
    else
      let rec go found =
        let found = item () :: found in
        space ();
        if peek () = ',' then (incr at; go found) else (expect close; List.rev found) in
      go [] in
  let result = value 0 in
  if !at < n then fail "text behind the JSON at byte %d" !at;
  result

(* The fields of an object that has all of the required ones, and of the others only the optional ones; none twice. *)
let fields place required optional = function
  | Object given ->
      let known = required @ optional in
      let check seen (key, _) =
        if not (List.mem key known) then fail "%s: unknown field %S" place key;
        if List.mem key seen then fail "%s: field %S twice" place key;
        key :: seen in
      ignore (List.fold_left check [] given);
      List.iter (fun key -> if not (List.mem_assoc key given) then fail "%s: no field %S" place key) required;
      fun key -> List.assoc_opt key given
  | _ -> fail "%s: expected an object" place

let string place = function String text -> text | _ -> fail "%s: expected a string" place
let array place = function Array items -> items | _ -> fail "%s: expected an array" place
