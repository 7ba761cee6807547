(** * Decoders: any number of layers and heads, layer norms, MLPs, an attention rate (`src/model/transformer.rs`)

    What [Model] says of one layer with one head, for all networks that a certificate may be about: the function that
    `model.safetensors` and `config.json` define, over the real numbers. [causal]: what it says at a position depends on
    the tokens up to there alone. *)

From Coq Require Import Reals List Arith Lia Lra FunctionalExtensionality.
From gbmi Require Export Model TheorySums.
Import ListNotations.
Local Open Scope R_scope.

(** ** Weights: rows and columns from 0 *)

(** A layer norm; without tensors of its own, the gain is 1 and the shift 0. *)
Record norm := { gain : nat -> R; shift : nat -> R; eps : R }.

Record head := {
  w_q : nat -> nat -> R;  (** [d_model, d_head] *)
  w_k : nat -> nat -> R;  (** [d_model, d_head] *)
  w_v : nat -> nat -> R;  (** [d_model, d_head] *)
  w_o : nat -> nat -> R;  (** [d_head, d_model] *)
  b_q : nat -> R;
  b_k : nat -> R;
  b_v : nat -> R
}.

Record mlp := {
  ln2 : option norm;
  w_in : nat -> nat -> R;   (** [d_model, d_mlp] *)
  b_in : nat -> R;
  w_out : nat -> nat -> R;  (** [d_mlp, d_model] *)
  b_out : nat -> R
}.

Record layer := { ln1 : option norm; heads : nat -> head; b_o : nat -> R; feed_forward : option mlp }.

Record decoder := {
  d_vocab_out : nat;  (** number of outputs *)
  n_ctx : nat;        (** input length *)
  d_model : nat;      (** width of the residual stream *)
  d_head : nat;       (** width of a head *)
  d_mlp : nat;        (** neurons of an MLP *)
  n_heads : nat;      (** heads of a layer *)
  n_layers : nat;
  divisor : R;        (** of the scores: the square root of [d_head], or 1 *)
  rate : R;           (** the attention rate: 0, or there is one layer, read at the last position *)
  w_e : nat -> nat -> R;    (** [d_vocab, d_model] *)
  w_pos : nat -> nat -> R;  (** [n_ctx, d_model] *)
  layers : nat -> layer;
  ln_final : option norm;
  w_u : nat -> nat -> R;    (** [d_model, d_vocab_out] *)
  b_u : nat -> R
}.

(** ** Its parts *)

(** A vector of [d] entries times a matrix, plus a bias. *)
Definition affine (d : nat) (r : nat -> R) (W : nat -> nat -> R) (b : nat -> R) (j : nat) : R :=
  row_times d r W j + b j.

Definition mean (d : nat) (r : nat -> R) : R := sum d r / INR d.
Definition centred (d : nat) (r : nat -> R) (i : nat) : R := r i - mean d r.
Definition variance (d : nat) (r : nat -> R) : R := dot d (centred d r) (centred d r) / INR d.

(** A layer norm without gain and shift. *)
Definition normalised (d : nat) (e : R) (r : nat -> R) (i : nat) : R := centred d r i / sqrt (variance d r + e).

Definition normed (d : nat) (ln : option norm) (r : nat -> R) (i : nat) : R :=
  match ln with
  | Some ln => normalised d (eps ln) r i * gain ln i + shift ln i
  | None => r i
  end.

Definition relu (x : R) : R := Rmax 0 x.

(** Softmax of the first [k] scores. *)
Definition softmax (k : nat) (s : nat -> R) (t : nat) : R := exp (s t) / sum k (fun t => exp (s t)).

Lemma softmax_ext k s s' t : (forall t, (t < k)%nat -> s t = s' t) -> (t < k)%nat -> softmax k s t = softmax k s' t.
Proof.
  intros E T. unfold softmax. rewrite (E t T). f_equal. apply sum_ext. intros t' T'. now rewrite (E t' T').
Qed.

(** Inputs that begin alike have the same tokens there. *)
Lemma token_firstn k x y p : firstn k x = firstn k y -> (p < k)%nat -> token x p = token y p.
Proof.
  intros E L. assert (forall z, token z p = token (firstn k z) p) as K; [|now rewrite (K x), (K y), E].
  intros z. unfold token. rewrite <- (firstn_skipn k z) at 1. destruct (le_lt_dec (length z) p) as [B|B].
  - rewrite (nth_overflow (firstn k z)) by (rewrite firstn_length; lia).
    now rewrite firstn_skipn, nth_overflow by lia.
  - apply app_nth1. rewrite firstn_length. lia.
Qed.

(** ** The network *)

Section Decoder.
  Variable net : decoder.

  Let n := n_ctx net.
  Let d := d_model net.
  Let h := d_head net.

  Section Head.
    (** A head, and what it reads at every position. *)
    Variables (hd : head) (u : nat -> nat -> R).

    Definition score (p t : nat) : R :=
      dot h (affine d (u p) (w_q hd) (b_q hd)) (affine d (u t) (w_k hd) (b_k hd)) / divisor net.

    (** Attention of position [p] to position [t]: softmax over all positions up to [p], mixed with [1 / n_ctx]. *)
    Definition pattern (p t : nat) : R :=
      rate net / INR n + (1 - rate net) * (if t <=? p then softmax (S p) (score p) t else 0).

    (** What the head writes at position [p]. *)
    Definition head_out (p : nat) : nat -> R :=
      row_times h (fun k => sum n (fun t => pattern p t * affine d (u t) (w_v hd) (b_v hd) k)) (w_o hd).
  End Head.

  (** The residual stream behind a layer's attention, and behind its MLP. *)
  Definition attended (l : layer) (r : nat -> nat -> R) (p i : nat) : R :=
    r p i + sum (n_heads net) (fun a => head_out (heads l a) (fun t => normed d (ln1 l) (r t)) p i) + b_o l i.

  Definition fed_forward (m : mlp) (r : nat -> R) (i : nat) : R :=
    let before := affine d (normed d (ln2 m) r) (w_in m) (b_in m) in
    r i + affine (d_mlp net) (fun k => relu (before k)) (w_out m) (b_out m) i.

  Definition behind (l : layer) (r : nat -> nat -> R) (p : nat) : nat -> R :=
    match feed_forward l with
    | Some m => fed_forward m (attended l r p)
    | None => attended l r p
    end.

  (** An input's residual stream below layer [k]. *)
  Fixpoint stream (k : nat) (x : list nat) : nat -> nat -> R :=
    match k with
    | O => fun p i => w_e net (token x p) i + w_pos net p i
    | S k' => behind (layers net k') (stream k' x)
    end.

  Definition logits_of (r : nat -> R) : nat -> R := affine d (normed d (ln_final net) r) (w_u net) (b_u net).

  (** The logits at position [p] of an input. *)
  Definition logits (x : list nat) (p : nat) : nat -> R := logits_of (stream (n_layers net) x p).

  (** ** Causality *)

  Lemma head_out_causal hd u w p : rate net = 0 -> (forall t, (t <= p)%nat -> u t = w t) ->
    head_out hd u p = head_out hd w p.
  Proof.
    intros A E. unfold head_out. f_equal. extensionality k. apply sum_ext. intros t _. unfold pattern. rewrite A.
    destruct (t <=? p) eqn:T.
    - apply Nat.leb_le in T. rewrite (E t T). do 3 f_equal. apply softmax_ext; [|lia]. intros t' T'. unfold score.
      now rewrite (E p), (E t') by lia.
    - unfold Rdiv. ring.
  Qed.

  Lemma stream_causal k x y p : rate net = 0 -> firstn (S p) x = firstn (S p) y -> stream k x p = stream k y p.
  Proof.
    intros A. revert p. induction k as [|k IH]; intros p E; cbn [stream].
    - extensionality i. now rewrite (token_firstn _ _ _ p E) by lia.
    - assert (forall t, (t <= p)%nat -> stream k x t = stream k y t) as below.
      { intros t T. apply IH. rewrite <- (Nat.min_l (S t) (S p)) by lia. now rewrite <- !firstn_firstn, E. }
      assert (forall l, attended l (stream k x) p = attended l (stream k y) p) as same.
      { intros l. extensionality i. unfold attended. rewrite (below p) by lia. f_equal. f_equal. apply sum_ext.
        intros a _. eapply equal_f, head_out_causal; [exact A|]. intros t T. now rewrite below. }
      unfold behind. now destruct (feed_forward (layers net k)); rewrite same.
  Qed.

  (** What the network says at a position of an input it says of the tokens up to there; with an attention rate, if that
      is the whole input. *)
  Theorem causal x p : rate net = 0 \/ (length x <= S p)%nat -> logits x p = logits (firstn (S p) x) p.
  Proof.
    intros [A|L].
    - unfold logits. f_equal. apply stream_causal; [exact A|]. now rewrite firstn_firstn, Nat.min_id.
    - now rewrite firstn_all2.
  Qed.
End Decoder.

(** ** [Model]'s network is one of these *)

Definition decoder_of (cfg : config) (net : network) : decoder := {|
  d_vocab_out := d_vocab cfg;
  n_ctx := Model.n_ctx cfg;
  d_model := Model.d_model cfg;
  d_head := Model.d_head cfg;
  d_mlp := 0;
  n_heads := 1;
  n_layers := 1;
  divisor := scale cfg;
  rate := 0;
  w_e := W_E net;
  w_pos := W_pos net;
  layers _ := {|
    ln1 := None;
    heads _ := {|
      w_q := W_Q net; w_k := W_K net; w_v := W_V net; w_o := W_O net;
      b_q := b_Q net; b_k := b_K net; b_v := b_V net
    |};
    b_o := b_O net;
    feed_forward := None
  |};
  ln_final := None;
  w_u := W_U net;
  b_u := b_U net
|}.

(** A sum whose last terms are zero. *)
Lemma sum_masked n k f : (k <= n)%nat -> sum n (fun t => if t <? k then f t else 0) = sum k f.
Proof.
  intros L. replace n with (k + (n - k))%nat by lia. rewrite sum_add.
  rewrite (sum_ext k _ f), (sum_ext (n - k) _ (fun _ => 0)), sum_zero; [lra | |].
  - intros i _. now rewrite (proj2 (Nat.ltb_ge _ _)) by lia.
  - intros i I. now rewrite (proj2 (Nat.ltb_lt _ _)) by lia.
Qed.

Theorem decoder_of_logit cfg net x p j : (p < Model.n_ctx cfg)%nat ->
  logits (decoder_of cfg net) x p j = logit cfg net x p j.
Proof.
  intros P. unfold logits, logits_of, logit, affine, row_times, dot. cbn. unfold behind. cbn. f_equal. apply sum_ext.
  intros i _. f_equal. unfold attended. cbn. rewrite Rplus_0_l, Rplus_assoc. f_equal. unfold Model.head_out. f_equal.
  unfold head_out, row_times, dot. cbn [n_ctx d_head decoder_of]. apply sum_ext. intros k _. f_equal.
  rewrite <- (sum_masked (Model.n_ctx cfg) (S p)) by lia. apply sum_ext. intros t _.
  change (t <? S p) with (t <=? p). unfold pattern. cbn [rate decoder_of]. destruct (t <=? p).
  - replace (0 / INR _ + _) with (attention cfg net x p t); [reflexivity|]. unfold Rdiv.
    rewrite Rmult_0_l, Rplus_0_l, Rminus_0_r, Rmult_1_l. reflexivity.
  - unfold Rdiv. ring.
Qed.
