(** * Counting with integers *)

From Coq Require Import ZArith List Bool Lia Permutation.
From gbmi Require Import CheckerLevels.
Import ListNotations.
Local Open Scope Z_scope.

(** How many elements of a list pass a test. *)
Definition how_many {A} (f : A -> bool) (l : list A) : Z := Z.of_nat (length (filter f l)).

Fixpoint zsum (l : list Z) : Z := match l with [] => 0 | x :: l => x + zsum l end.

Section Lists.
  Context {A : Type}.
  Implicit Types (f g : A -> bool) (h k : A -> Z) (l : list A).

  Lemma how_many_cons f x l : how_many f (x :: l) = (if f x then 1 else 0) + how_many f l.
  Proof. unfold how_many. cbn [filter]. destruct (f x); cbn [length]; lia. Qed.

  Lemma how_many_nonneg f l : 0 <= how_many f l.
  Proof. unfold how_many. lia. Qed.

  Lemma how_many_app f l l' : how_many f (l ++ l') = how_many f l + how_many f l'.
  Proof. unfold how_many. rewrite filter_app, app_length. lia. Qed.

  Lemma how_many_le f g l : (forall x, In x l -> f x = true -> g x = true) -> how_many f l <= how_many g l.
  Proof.
    induction l as [|x l IH]; intros H; [reflexivity|]. rewrite !how_many_cons.
    specialize (IH (fun y I => H y (or_intror I))). specialize (H x (or_introl eq_refl)).
    destruct (f x); [rewrite H by reflexivity|destruct (g x)]; lia.
  Qed.

  Lemma how_many_ext f g l : (forall x, In x l -> f x = g x) -> how_many f l = how_many g l.
  Proof. intros H. apply Z.le_antisymm; apply how_many_le; intros x I; rewrite H; auto. Qed.

  Lemma how_many_all f l : (forall x, In x l -> f x = true) -> how_many f l = Z.of_nat (length l).
  Proof.
    induction l as [|x l IH]; intros H; [reflexivity|]. rewrite how_many_cons, IH by (intros y I; apply H; now right).
    rewrite (H x) by now left. cbn [length]. lia.
  Qed.

  Lemma how_many_split f l : how_many f l + how_many (fun x => negb (f x)) l = Z.of_nat (length l).
  Proof.
    induction l as [|x l IH]; [reflexivity|]. rewrite !how_many_cons. cbn [length]. destruct (f x); cbn [negb]; lia.
  Qed.

  Lemma zsum_le h k l : (forall x, In x l -> h x <= k x) -> zsum (map h l) <= zsum (map k l).
  Proof.
    induction l as [|x l IH]; intros H; cbn; [lia|]. specialize (IH (fun y I => H y (or_intror I))).
    specialize (H x (or_introl eq_refl)). lia.
  Qed.

  Lemma zsum_nonneg h l : (forall x, In x l -> 0 <= h x) -> 0 <= zsum (map h l).
  Proof.
    induction l as [|x l IH]; intros H; cbn; [lia|]. specialize (IH (fun y I => H y (or_intror I))).
    specialize (H x (or_introl eq_refl)). lia.
  Qed.

  Lemma zsum_plus h k l : zsum (map h l) + zsum (map k l) = zsum (map (fun x => h x + k x) l).
  Proof. induction l; cbn; lia. Qed.

  Lemma zsum_times c h l : zsum (map (fun x => h x * c) l) = zsum (map h l) * c.
  Proof. induction l; cbn; lia. Qed.

  (** As many times a lower bound of all. *)
  Lemma zsum_at_least c h l : (forall x, In x l -> c <= h x) -> Z.of_nat (length l) * c <= zsum (map h l).
  Proof.
    induction l as [|x l IH]; intros H; cbn [map zsum length]; [lia|].
    specialize (IH (fun y I => H y (or_intror I))). specialize (H x (or_introl eq_refl)). lia.
  Qed.
End Lists.

Section Lists.
  Context {A B : Type}.
  Implicit Types (h : A -> Z) (l : list A).

  Lemma how_many_flat_map (f : B -> bool) (s : A -> list B) l :
    how_many f (flat_map s l) = zsum (map (fun x => how_many f (s x)) l).
  Proof. induction l as [|x l IH]; cbn; [reflexivity|]. now rewrite how_many_app, IH. Qed.

  Lemma how_many_map (f : B -> bool) (s : A -> B) l : how_many f (map s l) = how_many (fun x => f (s x)) l.
  Proof. induction l as [|x l IH]; cbn [map]; [reflexivity|]. now rewrite !how_many_cons, IH. Qed.

  Lemma zsum_concat h (ls : list (list A)) : zsum (map h (concat ls)) = zsum (map (fun l => zsum (map h l)) ls).
  Proof.
    induction ls as [|l ls IH]; [reflexivity|]. cbn [concat map zsum]. rewrite <- IH.
    rewrite map_app. induction (map h l); cbn; lia.
  Qed.
End Lists.

Lemma count_items_zsum times : count_items times = zsum times.
Proof.
  unfold count_items. assert (forall l x, fold_left Z.add l x = x + zsum l) as E.
  { induction l; intros; cbn; [lia|]. rewrite IHl. lia. }
  now rewrite E.
Qed.

Lemma length_flat_map {A B} (f : A -> list B) (l : list A) :
  Z.of_nat (length (flat_map f l)) = zsum (map (fun x => Z.of_nat (length (f x))) l).
Proof. induction l; cbn; [reflexivity|]. rewrite app_length. lia. Qed.

Lemma length_concat {A} (ls : list (list A)) :
  Z.of_nat (length (concat ls)) = zsum (map (fun l => Z.of_nat (length l)) ls).
Proof. induction ls; cbn; [reflexivity|]. rewrite app_length. lia. Qed.

Lemma zsum_permutation l l' : Permutation l l' -> zsum l = zsum l'.
Proof. induction 1; cbn [zsum]; lia. Qed.

Lemma zsum_exchange {A B} (h : A -> B -> Z) (xs : list A) (ys : list B) :
  zsum (map (fun x => zsum (map (h x) ys)) xs) = zsum (map (fun y => zsum (map (fun x => h x y) xs)) ys).
Proof.
  induction xs as [|x xs IH]; cbn [map zsum].
  - induction ys; cbn [map zsum]; lia.
  - rewrite IH. apply zsum_plus.
Qed.

Lemma how_many_permutation {A} (f : A -> bool) l l' : Permutation l l' -> how_many f l = how_many f l'.
Proof. induction 1; rewrite ?how_many_cons; lia. Qed.

Lemma zsum_zero {A} (l : list A) : zsum (map (fun _ => 0) l) = 0.
Proof. induction l; cbn [map zsum]; lia. Qed.

(** All of a list, by a key. *)
Lemma zsum_by_key {A} (key : A -> nat) (F : nat -> A -> Z) keys l : NoDup keys -> (forall x, In x l ->
  In (key x) keys) ->
  zsum (map (fun k => zsum (map (F k) (filter (fun x => (key x =? k)%nat) l))) keys)
    = zsum (map (fun x => F (key x) x) l).
Proof.
  intros D. induction l as [|x l IH]; intros B; [apply zsum_zero|].
  cbn [map zsum]. rewrite <- IH by (intros y I; apply B; now right).
  assert (zsum (map (fun k => if (key x =? k)%nat then F k x else 0) keys) = F (key x) x) as <-.
  { specialize (B x (or_introl eq_refl)). clear IH.
    assert (forall ks, ~ In (key x) ks -> zsum (map (fun k => if (key x =? k)%nat then F k x else 0) ks) = 0) as none.
    { induction ks as [|k ks IH]; intros N; [reflexivity|]. cbn [map zsum]. rewrite IH by (intros I; apply N;
      now right).
      destruct (Nat.eqb_spec (key x) k) as [E|]; [|lia]. destruct N. now left. }
    induction D as [|k ks N D IH]; [destruct B|]. cbn [map zsum]. destruct (Nat.eqb_spec (key x) k) as [E|E].
    - rewrite none by now rewrite E. rewrite <- E. lia.
    - destruct B as [B|B]; [congruence|]. rewrite IH by exact B. lia. }
  rewrite zsum_plus. f_equal. apply map_ext. intros k. cbn [filter]. destruct (key x =? k)%nat; cbn [map zsum]; lia.
Qed.

Lemma maps_related {A B C} (R : B -> C -> Prop) (f : A -> B) (g : A -> C) l : (forall x, In x l -> R (f x) (g x)) ->
  Forall2 R (map f l) (map g l).
Proof. induction l as [|x l IH]; intros H; constructor; [apply H; now left | apply IH; intros; apply H; now right]. Qed.
