(** * The network and the claim.

    One layer, one causal attention head, no MLP, no layer norm: the function that `model.safetensors` and
    `config.json` define, over the real numbers, with softmax's division and the real exponential. What is proved
    about a network is [count_correct]: how many of its inputs it answers correctly. *)

From Coq Require Import Reals List Arith ZArith Lia Lra.
Import ListNotations.
Local Open Scope R_scope.

(** ** Sizes *)

Record config := {
  d_vocab : nat;   (** number of tokens, v *)
  n_ctx : nat;     (** input length, n *)
  d_model : nat;   (** width of the residual stream, d *)
  d_head : nat;    (** width of the head, h *)
  scaled : bool    (** attention scores are divided by the square root of [d_head]; else by 1 *)
}.

(** ** Weights, as TransformerLens names them; rows and columns from 0 *)

Record network := {
  W_E : nat -> nat -> R;    (** [d_vocab, d_model] *)
  W_pos : nat -> nat -> R;  (** [n_ctx, d_model] *)
  W_Q : nat -> nat -> R;    (** [d_model, d_head] *)
  W_K : nat -> nat -> R;    (** [d_model, d_head] *)
  W_V : nat -> nat -> R;    (** [d_model, d_head] *)
  W_O : nat -> nat -> R;    (** [d_head, d_model] *)
  W_U : nat -> nat -> R;    (** [d_model, d_vocab] *)
  b_Q : nat -> R;
  b_K : nat -> R;
  b_V : nat -> R;
  b_O : nat -> R;
  b_U : nat -> R
}.

(** The sum of [f 0], ..., [f (k - 1)]. *)
Fixpoint sum (k : nat) (f : nat -> R) : R :=
  match k with
  | O => 0
  | S k' => sum k' f + f k'
  end.

(** ** The transformer *)

Section Transformer.
  Variable cfg : config.
  Variable net : network.
  (** An input: its token at every position. *)
  Variable x : list nat.

  Let n := n_ctx cfg.
  Let d := d_model cfg.
  Let h := d_head cfg.

  (** The token at position [p]. *)
  Definition token (p : nat) : nat := nth p x O.

  (** The residual stream at position [p], before attention. *)
  Definition residual (p i : nat) : R := W_E net (token p) i + W_pos net p i.

  Definition query (p k : nat) : R := sum d (fun i => residual p i * W_Q net i k) + b_Q net k.
  Definition key (p k : nat) : R := sum d (fun i => residual p i * W_K net i k) + b_K net k.
  Definition value (p k : nat) : R := sum d (fun i => residual p i * W_V net i k) + b_V net k.

  Definition scale : R := if scaled cfg then sqrt (INR h) else 1.

  (** The score with which position [p] looks at position [p']. *)
  Definition score (p p' : nat) : R := sum h (fun k => query p k * key p' k) / scale.

  (** The attention of position [p] to position [p'] <= [p]: softmax over all positions up to [p]. *)
  Definition attention (p p' : nat) : R :=
    exp (score p p') / sum (S p) (fun p'' => exp (score p p'')).

  (** What the head writes into the residual stream at position [p]. *)
  Definition head_out (p i : nat) : R :=
    sum h (fun k => sum (S p) (fun p' => attention p p' * value p' k) * W_O net k i) + b_O net i.

  (** The logit of token [j] at position [p]. *)
  Definition logit (p j : nat) : R :=
    sum d (fun i => (residual p i + head_out p i) * W_U net i j) + b_U net j.

  (** The right answer: the largest token of the input. *)
  Definition answer : nat := list_max x.

  (** At the last position the logit of answer r is strictly greater than every other logit. *)
  Definition gives (r : nat) : Prop :=
    forall j, (j < d_vocab cfg)%nat -> j <> r -> logit (n - 1) j < logit (n - 1) r.

  Definition correct : Prop := gives answer.
End Transformer.

(** ** All inputs, and the claim *)

(** All lists of [k] numbers below [v]. *)
Fixpoint sequences (v k : nat) : list (list nat) :=
  match k with
  | O => [[]]
  | S k' => flat_map (fun t => map (cons t) (sequences v k')) (seq 0 v)
  end.

Definition inputs (cfg : config) : list (list nat) := sequences (d_vocab cfg) (n_ctx cfg).

(** What is answered is decided, by comparing real numbers. *)
Definition gives_dec cfg net x r : {gives cfg net x r} + {~ gives cfg net x r}.
Proof.
  unfold gives. generalize (logit cfg net x (n_ctx cfg - 1)) as l. intros l.
  generalize (d_vocab cfg) as v. induction v as [|v IH].
  - left. intros j Hj. lia.
  - destruct IH as [IH|IH].
    + destruct (Nat.eq_dec v r) as [E|E].
      * left. intros j Hj Hne. destruct (Nat.eq_dec j v); [congruence | apply IH; [lia | exact Hne]].
      * destruct (Rlt_dec (l v) (l r)) as [L|L].
        -- left. intros j Hj Hne. destruct (Nat.eq_dec j v); [subst; exact L | apply IH; [lia | exact Hne]].
        -- right. intros H. apply L, H; [lia | exact E].
    + right. intros H. apply IH. intros j Hj Hne. apply H; [lia | exact Hne].
Defined.

Definition correct_dec cfg net x : {correct cfg net x} + {~ correct cfg net x} := gives_dec cfg net x (answer x).

(** How many inputs the network answers correctly. *)
Definition count_correct cfg net : nat :=
  length (filter (fun x => if correct_dec cfg net x then true else false) (inputs cfg)).
