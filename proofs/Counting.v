(** * Counting in lists, and the network's inputs *)

From Coq Require Import Reals List Arith Lia Bool FinFun.
From gbmi Require Export Theory.
Import ListNotations.

(** ** Counting in lists *)

Definition count {A} (P : A -> bool) (l : list A) : nat := length (filter P l).

Lemma count_map {A B} (P : B -> bool) (f : A -> B) l : count P (map f l) = count (fun a => P (f a)) l.
Proof. unfold count. induction l as [|a l IH]; cbn; [easy|]. destruct (P (f a)); cbn; now rewrite IH. Qed.

(** If the elements of each list show which list they are from, and none has duplicates, all together have none. *)
Lemma NoDup_flat_map {A B} (key : B -> A) (f : A -> list B) l :
  NoDup l -> (forall a, In a l -> NoDup (f a)) -> (forall a b, In a l -> In b (f a) -> key b = a) ->
  NoDup (flat_map f l).
Proof.
  induction 1 as [|a l Ha Hl IH]; cbn; intros Hf Hkey; [constructor|].
  assert (forall l', NoDup l' -> (forall b, In b l' -> key b = a) -> NoDup (l' ++ flat_map f l)) as join.
  { induction 1 as [|b l' Hb _ IH']; cbn; intros K; [apply IH; auto|]. constructor; [|apply IH'; auto].
    rewrite in_app_iff, in_flat_map. intros [H|(a' & Ha' & H)]; [easy|].
    apply Ha. rewrite <- (K b), (Hkey a' b) by auto. exact Ha'. }
  apply join; auto.
Qed.

Lemma list_max_in l : l <> [] -> In (list_max l) l.
Proof.
  induction l as [|a l IH]; [easy|]. intros _. destruct l as [|b l]; [cbn; lia|].
  change (list_max (a :: b :: l)) with (Nat.max a (list_max (b :: l))).
  destruct (Nat.max_spec a (list_max (b :: l))) as [[_ ->]|[_ ->]]; [right; now apply IH | now left].
Qed.

Lemma list_max_most l t : In t l -> t <= list_max l.
Proof. revert t. apply Forall_forall, list_max_le. reflexivity. Qed.

(** ** Sequences *)

Lemma sequences_NoDup v k : NoDup (sequences v k).
Proof.
  induction k as [|k IH]; cbn; [repeat constructor; easy|].
  apply (NoDup_flat_map (hd O)); [apply seq_NoDup | |].
  - intros t _. apply FinFun.Injective_map_NoDup; [|exact IH]. now intros s s' [= ->].
  - now intros t x _ (s & <- & _)%in_map_iff.
Qed.

Lemma sequences_length v k : length (sequences v k) = v ^ k.
Proof.
  induction k as [|k IH]; [easy|]. cbn [sequences Nat.pow].
  assert (forall l, length (flat_map (fun t => map (cons t) (sequences v k)) l) = length l * v ^ k) as ->;
    [|now rewrite seq_length].
  induction l as [|t l IHl]; cbn; [easy|]. now rewrite app_length, map_length, IHl, IH.
Qed.

(** ** The network's inputs *)

(** Is r answered? *)
Definition answered (cfg : config) (net : network) (r : nat) (x : list nat) : bool :=
  if gives_dec cfg net x r then true else false.

Lemma answered_wins cfg net r x : 1 <= n_ctx cfg ->
  answered cfg net r x = true <-> wins (tables_of cfg net) (d_vocab cfg) (n_ctx cfg) r x.
Proof.
  intros N. rewrite <- gives_iff_wins by exact N. unfold answered. destruct (gives_dec cfg net x r); easy.
Qed.
