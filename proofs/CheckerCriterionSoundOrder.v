(** * Orders bound what they list (theorem [order_bound]), for any hint *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From gbmi Require Import Fixed CheckerTable CheckerRules CheckerCriterionSoundHalves.
Import ListNotations.

(** [r] at [k] is [x]. *)
Definition at_place {A} (xs : list (option A)) (k : nat) (x : A) : Prop := nth_error xs k = Some (Some x).

Lemma take_spec {A} : forall i (xs : list (option A)) x xs', take i xs = Some (x, xs') ->
  at_place xs i x /\ (forall k y, at_place xs' k y <-> at_place xs k y /\ k <> i).
Proof.
  unfold at_place. induction i as [|i IH]; intros [|[z|] xs] x xs' H; cbn in H; try discriminate.
  - injection H as <- <-. split; [reflexivity|]. intros [|k] y; cbn; split; intros K; easy.
  - destruct (take i xs) as [[y ys]|] eqn:E; [|discriminate]. injection H as <- <-.
    destruct (IH _ _ _ E) as [P Q]. split; [exact P|]. intros [|k] u; cbn; [easy|].
    rewrite Q. intuition congruence.
  - destruct (take i xs) as [[y ys]|] eqn:E; [|discriminate]. injection H as <- <-.
    destruct (IH _ _ _ E) as [P Q]. split; [exact P|]. intros [|k] u; cbn; [easy|].
    rewrite Q. intuition congruence.
Qed.

Lemma numbered_spec {A} : forall (xs : list (option A)) place k x,
  In (k, x) (numbered place xs) <-> exists i, k = (place + i)%nat /\ at_place xs i x.
Proof.
  unfold at_place. induction xs as [|z xs IH]; intros place k x.
  - cbn. split; [easy|]. intros ([|i] & _ & H); discriminate.
  - assert (In (k, x) (numbered (S place) xs)
            <-> exists i, k = (place + S i)%nat /\ nth_error (z :: xs) (S i) = Some (Some x)) as tail.
    { rewrite IH. cbn. split; intros (i & -> & H); exists i; split; auto; lia. }
    destruct z as [z|]; cbn [numbered]; [cbn [In]|]; rewrite tail; split.
    + intros [H | (i & H)]; [injection H as -> ->; exists O; cbn; split; [lia | reflexivity] | exists (S i); exact H].
    + intros ([|i] & -> & H); [left; cbn in H; injection H as ->; f_equal; lia | right; exists i; auto].
    + intros (i & H). exists (S i). exact H.
    + intros ([|i] & -> & H); [discriminate | exists i; auto].
Qed.

Section Order.
  Variable comes_first : ival -> ival -> bool.
  Hypothesis first_total : forall a b, comes_first a b = false -> comes_first b a = true.
  Hypothesis first_trans : forall a b c, comes_first a b = true -> comes_first b c = true -> comes_first a c = true.

  Let first_refl a : comes_first a a = true.
  Proof. destruct (comes_first a a) eqn:E; [reflexivity | pose proof (first_total _ _ E); congruence]. Qed.

  (** [best] is among [entries] and bounds them all. *)
  Let bounds (best : nat * ival) (entries : list (nat * ival)) : Prop :=
    In best entries /\ forall entry, In entry entries -> comes_first (snd best) (snd entry) = true.

  Lemma larger_bounds x y : bounds (larger comes_first x y) [x; y].
  Proof.
    unfold larger. destruct (comes_first (snd x) (snd y)) eqn:E.
    - split; [now left|]. intros e [<-|[<-|[]]]; auto.
    - split; [now right; left|]. intros e [<-|[<-|[]]]; auto.
  Qed.

  Lemma bounds_larger x y xs : bounds x xs -> bounds (larger comes_first x y) (y :: xs).
  Proof.
    intros [I B]. destruct (larger_bounds x y) as [J C]. split.
    - destruct J as [<-|[<-|[]]]; [now right | now left].
    - intros e [<-|H]; [apply C; cbn; auto|]. apply first_trans with (snd x); [apply C; cbn; auto | auto].
  Qed.

  Lemma reduce_bounds entries best : reduce (larger comes_first) entries = Some best -> bounds best entries.
  Proof.
    destruct entries as [|x entries]; [discriminate|]. cbn. intros H. injection H as <-.
    assert (forall l seen y, bounds y seen -> bounds (fold_left (larger comes_first) l y) (rev l ++ seen)) as G.
    { induction l as [|y l IH]; intros seen z B; [exact B|]. cbn [fold_left rev]. rewrite <- app_assoc.
      apply IH. now apply bounds_larger. }
    destruct (G entries [x] x) as [I B].
    - split; [now left|]. intros e [<-|[]]. apply first_refl.
    - assert (forall e, In e (rev entries ++ [x]) <-> In e (x :: entries)) as same.
      { intros e. rewrite in_app_iff, <- in_rev. cbn. tauto. }
      split; [now apply same|]. intros e K. apply B. now apply same.
  Qed.

  (** Every entry is in what was found or still in its place. *)
  Lemma take_listed_spec hint r : forall k x,
    nth_error r k = Some x <-> In (k, x) (fst (take_listed hint r)) \/ at_place (snd (take_listed hint r)) k x.
  Proof.
    unfold take_listed. induction (firstn (length r) hint) as [|i is IH]; intros k x; cbn [fold_right].
    - unfold at_place. cbn [fst snd]. rewrite nth_error_map. destruct (nth_error r k); cbn; intuition congruence.
    - destruct (fold_right _ _ is) as [found others]. cbn [fst snd] in *.
      destruct (take i others) as [[entry others']|] eqn:E; [|apply IH]. cbn [fst snd].
      destruct (take_spec _ _ _ _ E) as [P Q]. rewrite IH, Q. cbn [In]. split.
      + intros [H|H]; [auto|]. destruct (Nat.eq_dec k i) as [->|N]; [|auto].
        left; left. unfold at_place in *. congruence.
      + intros [[H|H]|[H _]]; auto. injection H as <- <-. auto.
  Qed.

  Let rank entry (state : option (nat * ival) * list (nat * (nat * ival))) :=
    let bound := match fst state with Some best => larger comes_first best entry | None => entry end in
    (Some bound, (fst entry, bound) :: snd state).

  (** What is at the head of a list of ranks bounds the rest; [rest] is what is not listed. *)
  Lemma ranks_bound found others :
    let rest := reduce (larger comes_first) others in
    let ranks := fold_right rank (rest, []) found in
    (forall best, fst ranks = Some best -> bounds best (found ++ others))
    /\ (fst ranks = None -> found ++ others = [])
    /\ forall member,
       match bound member {| listed := snd ranks; unlisted := rest |} with
       | Some best => In best (found ++ others)
           /\ forall k x, In (k, x) (found ++ others) -> (In (k, x) others \/ member k = true) ->
              comes_first (snd best) x = true
       | None => forall k x, In (k, x) (found ++ others) -> member k = false
       end.
  Proof.
    cbn zeta. set (rest := reduce _ others). induction found as [|e found IH]; cbn [fold_right app].
    - cbn [fst snd]. split; [apply reduce_bounds|]. split.
      + unfold rest. destruct others; [reflexivity | discriminate].
      + intros member. unfold bound. cbn [find listed unlisted]. destruct rest as [best|] eqn:E.
        * destruct (reduce_bounds _ _ E) as [I B]. split; [exact I|]. intros k x H _. exact (B _ H).
        * unfold rest in E. destruct others; [easy | discriminate].
    - destruct IH as (A & N & M). set (ranks := fold_right rank (rest, []) found) in *.
      assert (bounds (match fst ranks with Some best => larger comes_first best e | None => e end)
                (e :: found ++ others)) as B.
      { destruct (fst ranks) as [best|]; [now apply bounds_larger, A|]. rewrite N by reflexivity.
        split; [now left|]. intros x [<-|[]]. apply first_refl. }
      unfold rank at 1 2 3. cbn [fst snd]. split; [|split].
      + intros best H. now injection H as <-.
      + discriminate.
      + intros member. unfold bound. cbn [find listed unlisted fst]. destruct (member (fst e)) eqn:E.
        * destruct B as [I B]. split; [exact I|]. intros k x H _. exact (B _ H).
        * specialize (M member). unfold bound in M. cbn [listed unlisted] in M.
          destruct (find _ (snd ranks)) as [[? best]|]; [|destruct rest as [best|]].
          -- destruct M as [I M]. split; [now right|]. intros k x [->|H] K; [|now apply (M k)]. cbn in E.
             destruct K as [K|K]; [|congruence]. apply (M k); [apply in_or_app|]; auto.
          -- destruct M as [I M]. split; [now right|]. intros k x [->|H] K; [|now apply (M k)]. cbn in E.
             destruct K as [K|K]; [|congruence]. apply (M k); [apply in_or_app|]; auto.
          -- intros k x [->|H]; [exact E | eauto].
  Qed.

  (** An order finds an entry that is at least every member's; and none only if there is no member. *)
  Theorem order_bound hint r member :
    match bound member (order_by comes_first hint r) with
    | Some (i, best) => nth_error r i = Some best
        /\ forall k x, nth_error r k = Some x -> member k = true -> comes_first best x = true
    | None => forall k, (k < length r)%nat -> member k = false
    end.
  Proof.
    unfold order_by. pose proof (take_listed_spec hint r) as S.
    destruct (take_listed hint r) as [found others]. cbn [fst snd] in S.
    assert (forall k x, nth_error r k = Some x <-> In (k, x) (found ++ numbered 0 others)) as same.
    { intros k x. rewrite S, in_app_iff, numbered_spec. split; (intros [H|H]; [now left|right]).
      - now exists k.
      - destruct H as (i & -> & H). exact H. }
    destruct (ranks_bound found (numbered 0 others)) as (_ & _ & M). specialize (M member).
    fold rank. cbv zeta. destruct (bound member _) as [[i best]|].
    - destruct M as [I M]. split; [now apply same|]. intros k x H K. apply (M k x); [now apply same | now right].
    - intros k K. apply nth_error_Some in K. destruct (nth_error r k) as [x|] eqn:E; [|congruence].
      apply (M k x), same, E.
  Qed.

  (** No index is listed twice. *)
  Lemma listed_distinct hint r : NoDup (map fst (listed (order_by comes_first hint r))).
  Proof.
    assert (NoDup (map fst (fst (take_listed hint r)))
            /\ forall i x y, In (i, x) (fst (take_listed hint r)) ->
              ~ at_place (snd (take_listed hint r)) i y) as [D _].
    { unfold take_listed. induction (firstn (length r) hint) as [|i is [D A]]; cbn [fold_right]; [split;
        [constructor|easy]|].
      destruct (fold_right _ _ is) as [found others]. cbn [fst snd] in *.
      destruct (take i others) as [[entry others']|] eqn:E; [|now split]. cbn [fst snd map].
      destruct (take_spec _ _ _ _ E) as [P Q]. split.
      - constructor; [|exact D]. intros I. apply in_map_iff in I. destruct I as ([i' x] & <- & I).
        exact (A _ _ _ I P).
      - intros k x y [I|I] K; apply Q in K; destruct K as [K N]; [now injection I as -> _ | exact (A _ _ _ I K)]. }
    unfold order_by. destruct (take_listed hint r) as [found others]. cbn [fst listed] in *.
    enough (forall rest, map fst (snd (fold_right rank (rest, []) found)) = map fst found) as E; [fold rank;
      now rewrite E|].
    intros rest. clear D. induction found as [|e found IH]; [reflexivity|]. cbn [fold_right map]. unfold rank at 1.
    cbn [snd map fst]. now rewrite IH.
  Qed.
End Order.

(** ** By upper ends *)

Lemma get_error (r : row) k : (k < length r)%nat -> nth_error r k = Some (get r k).
Proof. intros K. unfold get. now apply nth_error_nth'. Qed.

Lemma descending_bound hint r member i best : bound member (descending hint r) = Some (i, best) ->
  In best r /\ forall k, (k < length r)%nat -> member k = true -> (hi (get r k) <= hi best)%Z.
Proof.
  intros H. pose proof (order_bound (fun a b => upper_at_most b a)) as O. unfold upper_at_most in O.
  specialize (O ltac:(intros; apply Z.leb_gt in H0; apply Z.leb_le; lia)
                ltac:(intros a b c; rewrite !Z.leb_le; lia) hint r member).
  fold descending in O. unfold descending, upper_at_most in H. rewrite H in O. destruct O as [P Q].
  split; [eapply nth_error_In, P|]. intros k K M. apply Z.leb_le, (Q k); [now apply get_error | exact M].
Qed.

(** What bounds an entry from above bounds it by the order's entry. *)
Lemma descending_above hint r member i best k x : Forall sane r ->
  bound member (descending hint r) = Some (i, best) -> (k < length r)%nat -> member k = true ->
  above (get r k) x -> above best x.
Proof.
  intros S H K M X. destruct (descending_bound _ _ _ _ _ H) as [I B].
  refine (above_grow _ _ _ (B k K M) _ X). now apply (proj1 (Forall_forall sane r)).
Qed.
