(** * The rules' tables enclose what the criterion reads (theorem [views_enclose])

    The real numbers are those of the network's tables up to constants that do not matter (Theory's [right_shift]), with
    units for attention weights and an offset between rows and direct path. *)

From Coq Require Import Reals ZArith List Bool Arith Lia Lra.
From gbmi Require Import Theory Fixed FixedSound FixedHalves CheckerFast CheckerCertificate CheckerTable CheckerPaths.
From gbmi Require Import CheckerRules CheckerLevels CheckerLevelsSound CheckerCriterion Checker.
From gbmi Require FixedExp.
From gbmi Require Import CheckerCriterionSoundHalves CheckerCriterionSoundOrder CheckerCriterionSoundView.
From gbmi Require Import CheckerCriterionSoundLevel CheckerTableSound CheckerPathsSound.
Import ListNotations.
Local Open Scope R_scope.
Local Open Scope nat_scope.

Lemma map2_entrywise_nth {A B C} (P : C -> B -> Prop) (h : A -> option (list nat) -> C) l n hints f :
  length l = n -> (forall i x hint, i < n -> nth_error l i = Some x -> P (h x hint) (f i)) ->
  entrywise P (map2 h l (padded (length l) None (map Some hints))) n f.
Proof.
  intros L H. rewrite L.
  apply (@entrywise_map2 _ _ _ _ _ _ (fun x i => nth_error l i = Some x) eq) with
    (f := fun i => i) (g := fun i => nth i (map Some hints) None); [split; [exact L|] | apply padded_entries |].
  - intros i d I. apply nth_error_nth'. lia.
  - intros i x hint I E _. now apply H.
Qed.

(** ** Rule `attention` *)

Lemma sum_fold k f : sum k f = fold_right Rplus 0%R (map f (seq 0 k)).
Proof.
  assert (forall l s, fold_right Rplus s l = (fold_right Rplus 0 l + s)%R) as start.
  { induction l as [|x l IH]; intros s; cbn; [ring|]. rewrite IH. ring. }
  induction k as [|k IH]; [easy|]. rewrite seq_S, map_app, fold_right_app, start, <- IH. cbn. ring.
Qed.

Lemma reduce_add_encloses r n x : entries_enclose r n x -> encloses (or_everything (reduce add r)) (sum n x).
Proof.
  intros H. destruct r as [|I r]; [apply everything_encloses|]. apply entrywise_inv in H as (k & -> & H & K). cbn.
  change (sum k x + x k)%R with (sum (1 + k) x). rewrite sum_add. cbn [sum]. rewrite Rplus_0_l.
  now apply fold_add_encloses.
Qed.

Lemma fold_imin_encloses n : forall r x z s, entries_enclose r n x -> encloses z s ->
  exists least, encloses (fold_left imin r z) least /\ (least <= s)%R /\ forall i, i < n -> (least <= x i)%R.
Proof.
  induction n as [|n IH]; intros r x z s H Z; destruct r as [|I r]; try (destruct H as [L _]; discriminate).
  - exists s. split; [exact Z|]. split; [lra | lia].
  - apply entrywise_inv in H as (k & E & H & K). injection E as <-.
    destruct (IH _ _ _ _ K (imin_encloses _ _ _ _ Z H)) as (least & E & L & A). exists least.
    pose proof (Rmin_l s (x 0)). pose proof (Rmin_r s (x 0)).
    split; [exact E|]. split; [lra|]. intros [|i] J; [lra | apply A; lia].
Qed.

Lemma reduce_imin_encloses r n x : entries_enclose r n x ->
  exists least, encloses (or_everything (reduce imin r)) least /\ forall i, i < n -> (least <= x i)%R.
Proof.
  intros H. destruct r as [|I r].
  - exists 0%R. split; [apply everything_encloses|]. destruct H as [L _]. cbn in L. lia.
  - apply entrywise_inv in H as (k & -> & H & K). destruct (fold_imin_encloses k r _ _ _ K H) as (least & E & L & A).
    exists least. split; [exact E|]. intros [|i] J; [exact L | apply A; lia].
Qed.

(** A number above [x] that is enclosed. *)
Lemma above_enclosed I x : above I x -> exists y, (x <= y)%R /\ encloses I y.
Proof.
  intros [S H]. exists (Rmax x (high I)). split; [apply Rmax_l|]. apply encloses_sane_iff.
  pose proof (encloses_high I S) as [_ low]. split.
  - split; [exact S|]. destruct H as [H|H]; [now left|]. right. unfold Rmax.
    destruct (Rle_dec x (high I)); [rewrite high_units; lra | exact H].
  - exact (below_ge _ _ _ (Rmax_r _ _) low).
Qed.

(** exp A in the unit of its exponent, and times what each position adds. *)
Record source_encloses (s : source) (n : nat) (beta : nat -> R) (y : R) : Prop := {
  alpha_encloses : encloses (alpha s) (exp y * powerRZ 2 (- exponent s));
  by_position_encloses : forall p, p < n ->
    encloses (get (by_position s) p) (exp y * powerRZ 2 (- exponent s) * beta p)
}.

(** What the checker knows of a query: its scores [A], in order; its weights, in units of each token's exponent and of
    2^c; sum and least of exp B / 2^c over the positions but the last. *)
Record head_encloses (v n : nat) (h : head) (A B : nat -> R) (c : Z) : Prop := {
  head_sources : exists a, entries_enclose a v A
    /\ (token_order h = None \/ exists hint, token_order h = Some (descending hint a))
    /\ forall t y, t < v -> encloses (get a t) y ->
         source_encloses (nth t (by_token h) no_source) n (fun p => exp (B p) * powerRZ 2 (- c))%R y;
  head_sum : encloses (beta_sum h) (sum (n - 1) (fun p => exp (B p) * powerRZ 2 (- c))%R);
  head_least : exists least, encloses (beta_min h) least
    /\ forall p, p < n - 1 -> (least <= exp (B p) * powerRZ 2 (- c))%R
}.

Lemma head_of_encloses v n r hint A B : entries_enclose r (v + n) (joined v A B) ->
  exists c, head_encloses v n (head_of v n r hint) A B c.
Proof.
  intros H. unfold head_of. set (b := skipn v r). set (exponentials := map iexp b).
  set (c := match reduce Z.max _ with Some scale => scale | None => 0%Z end). set (beta := map _ exponentials).
  assert (entries_enclose (firstn v r) v A) as HA.
  { refine (row_ext _ _ _ _ _ (entrywise_firstn v _ _ _ H _)); [|lia]. intros i I. unfold joined.
    apply Nat.ltb_lt in I. now rewrite I. }
  assert (entries_enclose b n B) as HB.
  { pose proof (entrywise_skipn v _ _ _ H) as K. replace (v + n - v) with n in K by lia.
    refine (row_ext _ _ _ _ _ K). intros i _. unfold joined. destruct (Nat.ltb_spec (v + i) v); [lia|]. f_equal. lia. }
  assert (entries_enclose beta n (fun p => exp (B p) * powerRZ 2 (- c))%R) as Hbeta.
  { unfold beta, exponentials. rewrite map_map. apply (entrywise_map _ _ _ _ _ _ HB). intros p x _ X.
    rewrite fast_mul_scaled_eq. apply exp_encloses in X. destruct (iexp x) as [y k]. cbn [fst snd].
    replace (exp (B p) * powerRZ 2 (- c))%R with (exp (B p) * powerRZ 2 (- k) * 1 * powerRZ 2 (k - c))%R.
    - apply mul_scaled_encloses; [exact X | exact one_encloses].
    - rewrite Rmult_1_r, Rmult_assoc, <- pow2_plus. do 2 f_equal. lia. }
  exists c. constructor; cbn [by_token beta_sum beta_min token_order].
  - exists (firstn v r). split; [exact HA|]. split; [destruct hint as [hint|]; [right; now exists hint | now left]|].
    intros t y T Y. destruct HA as [L _]. rewrite (nth_map' _ everything) by lia.
    change (nth t (firstn v r) everything) with (get (firstn v r) t). apply exp_encloses in Y.
    destruct (iexp _) as [z k]. constructor; cbn [alpha exponent by_position]; [exact Y|]. intros p P. unfold get.
    destruct Hbeta as [Lb E]. rewrite (nth_map' _ everything) by lia. apply fast_mul_encloses; [exact Y | now apply E].
  - apply reduce_add_encloses, (entrywise_firstn _ _ _ _ Hbeta). lia.
  - apply reduce_imin_encloses, (entrywise_firstn _ _ _ _ Hbeta). lia.
Qed.

(** ** Rule `margins` *)

Definition offset_of (c : cert) (j : nat) : R := (IZR (nth j (offset c) 0%Z) * powerRZ 2 (-20))%R.

(** An operation with a hinted vector; where the hint ends, it adds zero. *)
Lemma shifted_encloses op (f : R -> R -> R) :
  (forall x y a b, encloses x a -> encloses y b -> encloses (op x y) (f a b)) -> (forall a, f a 0%R = a) ->
  forall r ks n x, entries_enclose r n x ->
  entries_enclose (CheckerRules.shifted op r (map (fun k => dyadic k (-20)) ks)) n
    (fun j => f (x j) (IZR (nth j ks 0%Z) * powerRZ 2 (-20)))%R.
Proof.
  intros sound neutral. induction r as [|I r IH]; intros ks n x H.
  - destruct ks; (split; [apply H | intros i d L; destruct H as [E _]; cbn in E; lia]).
  - destruct ks as [|k ks].
    + apply (row_ext _ _ x); [|exact H]. intros [|j] _; cbn; now rewrite Rmult_0_l, neutral.
    + apply entrywise_inv in H as (n' & -> & X & H). apply entrywise_cons; [|now apply IH].
      apply sound; [exact X | apply dyadic_encloses].
Qed.

(** Rows of [v] entries, in order or not. *)
Definition ordered_enclose (l : list ordered) (n v : nat) (M : nat -> nat -> R) : Prop :=
  entrywise (row_encloses v) l n M.

Lemma ordered_sane v r f : row_encloses v r f -> Forall sane (row_of r).
Proof.
  intros [L H _]. apply Forall_forall. intros I J. apply (In_nth _ _ everything) in J as (i & J & <-).
  rewrite L in J. exact (above_sane _ _ (proj1 (H i J))).
Qed.

Lemma with_orders_encloses hints t rows v M : table_encloses t rows v M ->
  ordered_enclose (with_orders hints t) rows v M.
Proof.
  intros [L H]. apply map2_entrywise_nth; [exact L|]. intros i x hint I E. specialize (H i x I).
  apply nth_error_nth with (d := x) in E. rewrite E in H. destruct H as [W X]. constructor; cbn.
  - exact W.
  - intros j J. apply encloses_sane_iff, X, J.
  - destruct hint as [hint|]; [now exists hint | easy].
Qed.

(** Blocks one after the other. *)
Lemma concat_entrywise {A B} (P : A -> B -> Prop) size (f : nat -> nat -> B) : forall blocks count,
  0 < size -> entrywise (fun block g => entrywise P block size g) blocks count f ->
  entrywise P (concat blocks) (count * size) (fun i => f (i / size) (i mod size)).
Proof.
  intros blocks. revert f. induction blocks as [|block blocks IH]; intros f count S H.
  - destruct H as [L _]. cbn in L. subst count. apply entrywise_nil.
  - apply entrywise_inv in H as (k & -> & X & H). specialize (IH _ _ S H). cbn [concat Nat.mul].
    refine (entrywise_imp _ _ _ _ _ (entrywise_app _ _ _ _ _ _ X IH) _). intros i x _. unfold joined.
    destruct (Nat.ltb_spec i size).
    + now rewrite Nat.div_small, Nat.mod_small by assumption.
    + replace i with (1 * size + (i - size)) at 3 4 by lia.
      rewrite Nat.div_add_l, (Nat.add_comm (1 * size)), Nat.mod_add by lia. easy.
Qed.

Lemma chunks_entrywise {A B} (P : A -> B -> Prop) size : forall count l (f : nat -> B),
  entrywise P l (count * size) f ->
  entrywise (fun block g => entrywise P block size g) (chunks count size l) count (fun p t => f (p * size + t)).
Proof.
  induction count as [|count IH]; intros l f H; [apply entrywise_nil|]. cbn [chunks Nat.mul] in *.
  apply entrywise_cons; [apply (entrywise_firstn _ _ _ _ H); lia|].
  pose proof (entrywise_skipn size _ _ _ H) as K. replace (size + count * size - size) with (count * size) in K by lia.
  apply IH in K. refine (entrywise_imp _ _ _ _ _ K _). intros p block _ X.
  apply (entrywise_imp _ _ _ _ _ X). intros t y _. now rewrite Nat.add_assoc.
Qed.

(** *** The range of rows *)

Lemma below_reduce_imin l least I x : reduce imin l = Some least -> Forall sane l -> In I l -> below I x ->
  below least x.
Proof.
  destruct l as [|z l]; [easy|]. cbn. intros [= <-] S J X.
  assert (forall l z, sane z -> Forall sane l -> sane (fold_left imin l z)
            /\ (lo (fold_left imin l z) <= lo z)%Z /\ forall I, In I l -> (lo (fold_left imin l z) <= lo I)%Z) as G.
  { clear. induction l as [|y l IH]; intros z Z S; cbn; [split; [exact Z | split; [lia | easy]]|].
    inversion_clear S as [|? ? Y S'].
    destruct (IH (imin z y)) as (A & B & C); [destruct Z, Y; unfold imin; constructor; ends | exact S'|].
    cbn [lo imin] in B. split; [exact A|]. split; [lia|]. intros I [->|J]; [lia | auto]. }
  inversion_clear S as [|? ? Z S']. destruct (G l z Z S') as (A & B & C).
  apply (below_grow I); [destruct J as [->|J]; auto | exact A | exact X].
Qed.

Lemma range_above v rows o o' f f' j j' : (forall o, In o rows -> exists f, row_encloses v o f) ->
  In o rows -> In o' rows -> row_encloses v o f -> row_encloses v o' f' -> j < v -> j' < v ->
  above (range rows) (f j - f' j').
Proof.
  intros all O O' F F' J J'. unfold range. set (tops := map _ rows). destruct (existsb _ tops) eqn:E;
    [apply above_everything|]. set (entry := fun found => _).
  destruct (reduce imax _) as [most|] eqn:M; [|apply above_everything].
  destruct (reduce imin _) as [least|] eqn:L; [|apply above_everything].
  assert (forall o, In o rows -> exists hint, order_of o = Some (descending hint (row_of o))) as orders.
  { intros r R. destruct (all r R) as [g G]. pose proof (row_order _ _ _ G) as D.
    destruct (order_of r) as [d|] eqn:Or; [destruct D as [hint ->]; now exists hint|]. exfalso.
    assert (existsb (fun found => match found with None => true | Some _ => false end) tops = true); [|congruence].
    apply existsb_exists. exists None. split; [|easy]. apply in_map_iff. exists r. now rewrite Or. }
  assert (Forall sane (map entry tops)) as sane_tops.
  { apply Forall_forall. intros I (t & <- & (r & <- & R)%in_map_iff)%in_map_iff. destruct (all r R) as [g G].
    destruct (orders r R) as [hint ->]. cbn. destruct (bound _ _) as [[i best]|] eqn:Bd; [|exact sane_everything]. cbn.
    apply descending_bound in Bd as [Bd _]. exact (proj1 (Forall_forall _ _) (ordered_sane _ _ _ G) _ Bd). }
  apply above_sub.
  - replace most with (largest (map entry tops)) by (unfold largest; now rewrite M).
    apply above_largest with (I := entry (option_map (bound (fun _ => true)) (order_of o))); [exact sane_tops | |].
    + now apply in_map, (in_map (fun r => option_map (bound (fun _ => true)) (order_of r))).
    + destruct (orders o O) as [hint ->]. cbn. destruct (bound _ _) as [[i best]|] eqn:Bd; [|apply above_everything].
      apply (descending_above _ _ _ _ _ j _ (ordered_sane _ _ _ F) Bd); [now rewrite (row_length _ _ _ F) | easy |].
      apply (row_entries _ _ _ F), J.
  - apply below_reduce_imin with (1 := L) (I := get (row_of o') j').
    + apply Forall_forall. intros I (r & (r' & <- & R)%in_map_iff & K)%in_concat. destruct (all r' R) as [g G].
      exact (proj1 (Forall_forall _ _) (ordered_sane _ _ _ G) _ K).
    + apply in_concat. exists (row_of o'). split; [now apply in_map|]. apply nth_In. now rewrite (row_length _ _ _ F').
    + apply (row_entries _ _ _ F'), J'.
Qed.

Lemma ordered_all l n v M : ordered_enclose l n v M -> forall o, In o l -> exists f, row_encloses v o f.
Proof. intros [L H] o O. apply (In_nth _ _ no_row) in O as (i & I & <-). exists (M i). apply H. lia. Qed.

(** ** All tables *)

(** A constant for each query's scores, and for each row of logits, changes no input's correctness. *)
Definition with_constants (v : nat) (T : Theory.tables) (a e g : nat -> R) : Theory.tables := {|
  tA q t := (tA T q t + a q)%R;
  tB q p := (tB T q p + a q)%R;
  tEV t j := (tEV T t j + e t)%R;
  tPV p j := (tPV T p j + e (v + p)%nat)%R;
  tD q j := (tD T q j + g q)%R
|}.

Theorem with_constants_wins v n T a e g r x : 1 <= n -> r < v -> In x (sequences v n) ->
  wins T v n r x <-> wins (with_constants v T a e g) v n r x.
Proof.
  intros N Rv X. apply wins_shift with (a := a) (b := a) (e := e) (f := fun p => e (v + p)) (g := g); try easy.
Qed.

Section Rules.
  Variables (w : weights) (c : cert).

  Let v := d_vocab (sizes w).
  Let n := n_ctx (sizes w).
  Let paths := paths_of w c.
  Let tables := CheckerRules.tables_of w c.

  Variable T : Theory.tables.
  Hypothesis two_tokens : 2 <= v.
  Hypothesis two_positions : 2 <= n.
  Hypothesis scores_are : table_encloses (scores paths) v (v + n) (fun q => joined v (tA T q) (tB T q)).
  Hypothesis logits_are : table_encloses (logits paths) (v + n) v (joined v (tEV T) (tPV T)).
  Hypothesis direct_is : table_encloses (direct paths) v v (tD T).

  Let offset := offset_of c.
  Let logit_at (p t j : nat) : R := (tEV T t j + tPV T p j + offset j)%R.
  Let direct_at (q j : nat) : R := (tD T q j - offset j)%R.

  Lemma heads_enclose q : q < v -> exists unit, head_encloses v n (nth q (heads tables) no_head) (tA T q) (tB T q) unit.
  Proof.
    intros Q. apply (map2_entrywise_nth (fun h q => exists unit, head_encloses v n h (tA T q) (tB T q) unit)
      (head_of v n) (scores paths) v (attention_orders c) (fun q => q)); [apply scores_are | | exact Q].
    intros i r hint I E. apply head_of_encloses. apply nth_error_nth with (d := r) in E.
    rewrite <- E. now apply scores_are.
  Qed.

  Let offset_row := map (fun k => dyadic k (-20)) (CheckerCertificate.offset c).
  Let ev := firstn v (logits paths).
  Let positions := map (fun r => CheckerRules.shifted add r offset_row) (skipn v (logits paths)).
  Let tokens := concat (map (fun position => add_row ev position) (firstn (n - 1) positions)).
  Let queries := map (fun r => CheckerRules.shifted sub r offset_row) (direct paths).
  Let lasts := map2 (fun r query => map2 add (map2 add r (get_row positions (n - 1))) query) ev queries.

  Lemma ev_encloses : table_encloses ev v v (tEV T).
  Proof.
    refine (table_ext _ _ _ _ _ _ (entrywise_firstn v _ _ _ logits_are _)); [|lia]. intros i j I _. unfold joined.
    apply Nat.ltb_lt in I. now rewrite I.
  Qed.

  Lemma positions_enclose : table_encloses positions n v (fun p j => tPV T p j + offset j)%R.
  Proof.
    pose proof (entrywise_skipn v _ _ _ logits_are) as H. replace (v + n - v) with n in H by lia.
    apply (entrywise_map _ _ _ _ _ _ H). intros p r _ X.
    apply (shifted_encloses _ Rplus add_encloses Rplus_0_r). refine (row_ext _ _ _ _ _ X). intros j _. unfold joined.
    destruct (Nat.ltb_spec (v + p) v); [lia|]. now replace (v + p - v) with p by lia.
  Qed.

  Lemma tokens_enclose : table_encloses tokens ((n - 1) * v) v (fun i => logit_at (i / v) (i mod v)).
  Proof.
    apply (concat_entrywise _ v logit_at); [lia|].
    assert (n - 1 <= n) as L by lia. apply (entrywise_map _ _ _ _ _ _ (entrywise_firstn _ _ _ _ positions_enclose L)).
    intros p position _ X. refine (table_ext _ _ _ _ _ _ (add_row_encloses _ _ _ _ _ _ ev_encloses X)).
    intros t j _ _. unfold logit_at. ring.
  Qed.

  Lemma queries_enclose : table_encloses queries v v direct_at.
  Proof.
    apply (entrywise_map _ _ _ _ _ _ direct_is). intros q r _.
    apply (shifted_encloses _ Rminus sub_encloses Rminus_0_r).
  Qed.

  Lemma lasts_enclose : table_encloses lasts v v (fun q j => tEV T q j + tPV T (n - 1) j + tD T q j)%R.
  Proof.
    assert (n - 1 < n) as L by lia. pose proof (table_row _ _ _ _ _ positions_enclose L) as last.
    apply (entrywise_map2 _ _ _ _ _ _ _ _ _ _ ev_encloses queries_enclose). intros q r query _ E D.
    refine (row_ext _ _ _ _ _ (row_add _ _ _ _ _ (row_add _ _ _ _ _ E last) D)). intros j _. unfold direct_at. ring.
  Qed.

  Let ordered_tokens := with_orders (token_orders c) tokens.
  Let ordered_queries := with_orders (query_orders c) queries.

  Lemma ordered_tokens_enclose : ordered_enclose ordered_tokens ((n - 1) * v) v (fun i => logit_at (i / v) (i mod v)).
  Proof. apply with_orders_encloses, tokens_enclose. Qed.

  Lemma ordered_queries_enclose : ordered_enclose ordered_queries v v direct_at.
  Proof. apply with_orders_encloses, queries_enclose. Qed.

  Lemma place_of p t : t < v -> (p * v + t) / v = p /\ (p * v + t) mod v = t.
  Proof.
    intros L. split.
    - rewrite Nat.div_add_l, Nat.div_small by lia. lia.
    - rewrite Nat.add_comm, Nat.mod_add, Nat.mod_small by lia. easy.
  Qed.

  Lemma place_below p t : t < v -> p < n - 1 -> p * v + t < (n - 1) * v.
  Proof. intros L P. nia. Qed.

  (** EV(t,j) + PV(p,j) + offset j, by position but the last, then token *)
  Lemma token_rows_enclose : entrywise (fun rows M => ordered_enclose rows v v M) (token_rows tables) (n - 1) logit_at.
  Proof.
    change (token_rows tables) with (chunks (n - 1) v ordered_tokens).
    refine (entrywise_imp _ _ _ _ _ (chunks_entrywise _ _ _ _ _ ordered_tokens_enclose) _). intros p rows _ H.
    apply (entrywise_imp _ _ _ _ _ H). intros t r L. destruct (place_of p t L) as [-> ->]. easy.
  Qed.

  (** D(q,j) - offset j *)
  Lemma query_rows_enclose : ordered_enclose (query_rows tables) v v direct_at.
  Proof. exact ordered_queries_enclose. Qed.

  Lemma last_rows_enclose : ordered_enclose (last_rows tables) v v
    (fun q j => tEV T q j + tPV T (n - 1) j + tD T q j)%R.
  Proof. apply with_orders_encloses, lasts_enclose. Qed.

  (** No margin is beyond it. *)
  Lemma widest_above q j j' p t : q < v -> j < v -> j' < v -> p < n - 1 -> t < v ->
    above (widest tables) (logit_at p t j - logit_at p t j' + (direct_at q j - direct_at q j')).
  Proof.
    intros Q J J' P L. change (widest tables) with (add (range ordered_tokens) (range ordered_queries)).
    pose proof ordered_tokens_enclose as HT. pose proof ordered_queries_enclose as HQ.
    apply above_add.
    - pose proof (place_below p t L P) as B. pose proof (proj2 HT _ no_row B) as R.
      cbv beta in R. destruct (place_of p t L) as [E E']. rewrite E, E' in R.
      assert (In (nth (p * v + t) ordered_tokens no_row) ordered_tokens) as I
        by (apply nth_In; rewrite (proj1 HT); exact B).
      exact (range_above v _ _ _ _ _ _ _ (ordered_all _ _ _ _ HT) I I R R J J').
    - pose proof (proj2 HQ _ no_row Q) as R.
      assert (In (nth q ordered_queries no_row) ordered_queries) as I by (apply nth_In; rewrite (proj1 HQ); exact Q).
      exact (range_above v _ _ _ _ _ _ _ (ordered_all _ _ _ _ HQ) I I R R J J').
  Qed.

  (** *** One query and one level *)

  Theorem view_encloses level q : level_ok v n level -> q < v -> exists unit_A unit_B, (0 < unit_A)%R /\ (0 < unit_B)%R
    /\ encloses_view (view_of tables (level_view_of tables level) q) (reals_of T n q unit_A unit_B offset).
  Proof.
    intros level_is Q. destruct (heads_enclose q Q) as (k & H). set (h := nth q (heads tables) no_head) in *.
    set (V := view_of tables (level_view_of tables level) q). set (k_m := unit_of_level V).
    exists (powerRZ 2 (- k_m)), (powerRZ 2 (- k)). split; [apply pow2_pos|]. split; [apply pow2_pos|].
    set (X := reals_of _ _ _ _ _ _).
    destruct (head_sources _ _ _ _ _ _ H) as (a & HA & order & sources).
    assert (forall t y, (exp y * powerRZ 2 (- k_m) / unit_of V t
      = exp y * powerRZ 2 (- exponent (nth t (by_token h) no_source)))%R) as unit_cancels.
    { intros t y. unfold unit_of, shift, Rdiv. fold k_m.
      change (source_at V t) with (nth t (by_token h) no_source). rewrite Rmult_assoc, <- pow2_opp, <- pow2_plus.
      do 2 f_equal. lia. }
    assert (forall t p y, (exp y * powerRZ 2 (- k_m) * (exp (tB T q p) * powerRZ 2 (- k)) / unit_of V t
      = exp y * powerRZ 2 (- exponent (nth t (by_token h) no_source)) * (exp (tB T q p) * powerRZ 2 (- k)))%R) as
      weight_unit.
    { intros t p y. rewrite <- unit_cancels. unfold Rdiv. ring. }
    assert (forall t, t < v -> encloses (get a t) (tA T q t)) as scores_enclosed
      by (intros t L; now apply row_at with v).
    constructor.
    - exact level_is.
    - exact Q.
    - exact two_positions.
    - reflexivity.
    - reflexivity.
    - apply token_rows_enclose.
    - intros rows I. change (vocab (shared V)) with v. apply (In_nth _ _ []) in I as (p & P & <-).
      change (length (token_rows (shared V))) with (length (token_rows tables)) in P.
      rewrite (proj1 token_rows_enclose) in P. apply (proj2 token_rows_enclose p [] P).
    - intros t p L P. exact (proj2 (proj2 token_rows_enclose p [] P) t no_row L).
    - apply (proj2 query_rows_enclose q no_row). exact Q.
    - apply (proj2 last_rows_enclose q no_row). exact Q.
    - intros j p t J L P. set (r := right_answer level).
      apply above_le with (logit_at p t r - logit_at p t j + (direct_at q r - direct_at q j))%R.
      + right. change (right_of V) with r. unfold logit_at, direct_at, X, margin_of_reals. cbn. ring.
      + apply widest_above; auto. exact (answer_is_below _ _ _ level_is).
    - intros t. apply Rmult_lt_0_compat; [apply exp_pos | apply pow2_pos].
    - intros p. apply Rmult_lt_0_compat; [apply exp_pos | apply pow2_pos].
    - intros t p L P. apply encloses_sane_iff. unfold weight_of. cbn [by_token_of by_position_of X reals_of].
      rewrite weight_unit. exact (by_position_encloses _ _ _ _ (sources t _ L (scores_enclosed t L)) p P).
    - intros t L. apply encloses_sane_iff. cbn [by_token_of X reals_of]. rewrite unit_cancels.
      exact (alpha_encloses _ _ _ _ (sources t _ L (scores_enclosed t L))).
    - apply encloses_sane_iff. rewrite <- sum_fold. exact (head_sum _ _ _ _ _ _ H).
    - destruct (head_least _ _ _ _ _ _ H) as (least & E & L). exists least.
      split; [now apply encloses_sane_iff | exact L].
    - destruct order as [order|[hint order]]; [now left|]. right. exists hint, a. split; [exact order|].
      split; [exact (proj1 HA)|]. split; [intros t L; apply encloses_sane_iff; now apply scores_enclosed|].
      intros s t S L (y & order' & Y)%above_enclosed. destruct (sources s y S Y) as [Alpha Position].
      assert (exp (tA T q t) <= exp y)%R as larger by (now apply FixedExp.exp_monotone).
      pose proof (pow2_pos (- exponent (nth s (by_token h) no_source))) as P.
      assert (exp (tA T q t) * powerRZ 2 (- exponent (nth s (by_token h) no_source))
        <= exp y * powerRZ 2 (- exponent (nth s (by_token h) no_source)))%R as larger'
        by (apply Rmult_le_compat_r; lra).
      split.
      + intros p Hp. unfold weight_of. cbn [by_token_of by_position_of X reals_of]. rewrite weight_unit.
        specialize (Position p Hp). apply encloses_sane_iff in Position as [Position _].
        refine (above_le _ _ _ _ Position). apply Rmult_le_compat_r; [|exact larger'].
        apply Rlt_le, Rmult_lt_0_compat; [apply exp_pos | apply pow2_pos].
      + cbn [by_token_of X reals_of]. rewrite unit_cancels. apply encloses_sane_iff in Alpha as [Alpha _].
        exact (above_le _ _ _ larger' Alpha).
  Qed.
End Rules.

(** For all queries and levels the same tables: those of the network, up to constants. *)
Theorem views_enclose w c : well_formed w = true ->
  let v := d_vocab (sizes w) in let n := n_ctx (sizes w) in let tables := CheckerRules.tables_of w c in
  exists a e g, let T := with_constants v (Theory.tables_of (sizes w) (network_of w)) a e g in
  forall L q, level_ok v n L -> q < v -> exists unit_A unit_B, (0 < unit_A)%R /\ (0 < unit_B)%R
  /\ encloses_view (view_of tables (level_view_of tables L) q) (reals_of T n q unit_A unit_B (offset_of c)).
Proof.
  intros shapes v n tables. destruct (paths_of_encloses w shapes c) as (a & e & g & A & E & G).
  exists a, e, g. intros T.
  pose proof (factors_are w shapes) as F. apply view_encloses.
  - apply F.
  - apply F.
  - refine (table_ext _ _ _ _ _ _ A). intros q i _ _. unfold T, with_constants, joined. cbn [tA tB].
    fold v. now destruct (i <? v).
  - refine (table_ext _ _ _ _ _ _ E). intros i j I _. unfold T, with_constants, joined. cbn [tEV tPV].
    fold v. destruct (Nat.ltb_spec i v); [easy|]. now replace (v + (i - v)) with i by lia.
  - exact G.
Qed.
