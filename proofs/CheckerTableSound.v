(** * Tables enclose matrices, and products of tables enclose their products (theorems [times_encloses] and
    [product_of_encloses]) *)

From Coq Require Import Reals ZArith List Bool Arith Lia Lra.
From gbmi Require Import Fixed FixedSound CheckerFast CheckerTable Model TheorySums TheoryMatrix.
Import ListNotations.
Local Open Scope R_scope.
Local Open Scope nat_scope.

(** ** Lists, entry by entry *)

Lemma map2_length {A B C} (f : A -> B -> C) xs : forall ys, length (map2 f xs ys) = Nat.min (length xs) (length ys).
Proof. induction xs as [|x xs IH]; intros [|y ys]; cbn; auto. Qed.

Lemma nth_map2 {A B C} (f : A -> B -> C) a b d xs : forall ys i, i < length xs -> i < length ys ->
  nth i (map2 f xs ys) d = f (nth i xs a) (nth i ys b).
Proof.
  induction xs as [|x xs IH]; intros [|y ys] i I J; cbn in *; try lia. destruct i; [easy|]. apply IH; lia.
Qed.

Lemma nth_map' {A B} (f : A -> B) a d xs : forall i, i < length xs -> nth i (map f xs) d = f (nth i xs a).
Proof. induction xs as [|x xs IH]; intros i I; cbn in *; [lia|]. destruct i; [easy|]. apply IH. lia. Qed.

Lemma nth_firstn' {A} (d : A) k xs : forall i, i < k -> nth i (firstn k xs) d = nth i xs d.
Proof.
  revert xs. induction k as [|k IH]; intros xs i I; [lia|]. destruct xs; [now destruct i|].
  destruct i; [easy|]. cbn. apply IH. lia.
Qed.

Lemma nth_skipn' {A} (d : A) k : forall xs i, nth i (skipn k xs) d = nth (k + i) xs d.
Proof. induction k as [|k IH]; intros [|x xs] i; cbn; auto. now destruct i. Qed.

(** The [n] elements of a list are related to those of a sequence. *)
Definition entrywise {A B} (P : A -> B -> Prop) (l : list A) (n : nat) (f : nat -> B) : Prop :=
  length l = n /\ forall i d, i < n -> P (nth i l d) (f i).

(** The first [n] of one sequence, then the other. *)
Definition joined {A} (n : nat) (f g : nat -> A) (i : nat) : A := if i <? n then f i else g (i - n).

Section Entrywise.
  Context {A B : Type} {P : A -> B -> Prop}.
  Implicit Types (l : list A) (f : nat -> B).

  Lemma entrywise_imp {C} (Q : A -> C -> Prop) l n f g : entrywise P l n f ->
    (forall i x, i < n -> P x (f i) -> Q x (g i)) -> entrywise Q l n g.
  Proof. intros [L H] I. split; auto. Qed.

  Lemma entrywise_nil f : entrywise P [] 0 f.
  Proof. split; [easy | lia]. Qed.

  Lemma entrywise_cons x l n f : P x (f 0) -> entrywise P l n (fun i => f (S i)) -> entrywise P (x :: l) (S n) f.
  Proof. intros H [L K]. split; [cbn; lia|]. intros [|i] d I; cbn; [exact H | apply K; lia]. Qed.

  Lemma entrywise_uncons x l n f : entrywise P (x :: l) n f ->
    P x (f 0) /\ entrywise P l (n - 1) (fun i => f (S i)).
  Proof.
    intros [L K]. cbn in L. split; [apply (K 0 x); lia|]. split; [lia|]. intros i d I. apply (K (S i) d). lia.
  Qed.

  Lemma entrywise_map {C D} (Q : C -> D -> Prop) (h : A -> C) l n f g : entrywise P l n f ->
    (forall i x, i < n -> P x (f i) -> Q (h x) (g i)) -> entrywise Q (map h l) n g.
  Proof.
    intros [L H] K. split; [now rewrite map_length|]. intros i d I.
    destruct l as [|x l]; [cbn in L; lia|]. rewrite (nth_map' h x) by lia. auto.
  Qed.

  Lemma entrywise_firstn k l n f : entrywise P l n f -> k <= n -> entrywise P (firstn k l) k f.
  Proof.
    intros [L H] K. split; [rewrite firstn_length; lia|]. intros i d I. rewrite nth_firstn' by exact I. apply H. lia.
  Qed.

  Lemma entrywise_skipn k l n f : entrywise P l n f -> entrywise P (skipn k l) (n - k) (fun i => f (k + i)).
  Proof.
    intros [L H]. split; [rewrite skipn_length; lia|]. intros i d I. rewrite nth_skipn'. apply H. lia.
  Qed.

  Lemma entrywise_app l l' n n' f g : entrywise P l n f -> entrywise P l' n' g ->
    entrywise P (l ++ l') (n + n') (joined n f g).
  Proof.
    intros [L H] [L' H']. split; [rewrite app_length; lia|]. intros i d I. unfold joined.
    destruct (Nat.ltb_spec i n); [rewrite app_nth1 | rewrite app_nth2, L]; try lia; auto. apply H'. lia.
  Qed.

  (** Two parts of one sequence. *)
  Lemma entrywise_parts l l' k n f : k <= n -> entrywise P l k f -> entrywise P l' (n - k) (fun i => f (k + i)) ->
    entrywise P (l ++ l') n f.
  Proof.
    intros K H H'. replace n with (k + (n - k)) at 1 by lia.
    refine (entrywise_imp _ _ _ _ _ (entrywise_app _ _ _ _ _ _ H H') _).
    intros i x _. unfold joined. destruct (Nat.ltb_spec i k); [easy|]. now replace (k + (i - k)) with i by lia.
  Qed.
End Entrywise.

Lemma entrywise_map2 {A B C A' B' C'} (P : A -> A' -> Prop) (Q : B -> B' -> Prop) (S : C -> C' -> Prop)
    (h : A -> B -> C) l l' n f g e :
  entrywise P l n f -> entrywise Q l' n g -> (forall i x y, i < n -> P x (f i) -> Q y (g i) -> S (h x y) (e i)) ->
  entrywise S (map2 h l l') n e.
Proof.
  intros [L H] [L' H'] K. split; [rewrite map2_length; lia|]. intros i d I.
  destruct l as [|x l], l' as [|y l']; cbn in L, L'; try lia.
  rewrite (nth_map2 h x y) by (cbn; lia). auto.
Qed.

(** ** Rows and tables *)

Definition entries_enclose (r : row) (n : nat) (x : nat -> R) : Prop := entrywise encloses r n x.

(** A table of this shape, every entry of which encloses the matrix's. *)
Definition table_encloses (t : table) (rows cols : nat) (M : nat -> nat -> R) : Prop :=
  entrywise (fun r => entries_enclose r cols) t rows M.

Lemma row_at r n x i : entries_enclose r n x -> i < n -> encloses (get r i) (x i).
Proof. intros [_ H]. apply H. Qed.

Lemma row_ext r n x y : (forall i, i < n -> x i = y i) -> entries_enclose r n x -> entries_enclose r n y.
Proof. intros E H. apply (entrywise_imp _ _ _ _ _ H). intros i I L. now rewrite <- E. Qed.

Lemma table_row t rows cols M i : table_encloses t rows cols M -> i < rows -> entries_enclose (get_row t i) cols (M i).
Proof. intros [_ H]. apply H. Qed.

Lemma table_ext t rows cols M N : (forall i j, i < rows -> j < cols -> M i j = N i j) ->
  table_encloses t rows cols M -> table_encloses t rows cols N.
Proof. intros E H. apply (entrywise_imp _ _ _ _ _ H). intros i r I. apply row_ext. auto. Qed.

Lemma table_width t rows cols M : table_encloses t rows cols M -> 0 < rows -> width t = cols.
Proof. intros [L H] I. destruct t as [|r t]; cbn in *; [lia|]. apply (H 0 []). lia. Qed.

Lemma table_length t rows cols M : table_encloses t rows cols M -> length t = rows.
Proof. now intros [L _]. Qed.

Lemma row_add r s n x y : entries_enclose r n x -> entries_enclose s n y ->
  entries_enclose (map2 add r s) n (fun i => (x i + y i)%R).
Proof. intros H K. apply (entrywise_map2 _ _ _ _ _ _ _ _ _ _ H K). intros. now apply add_encloses. Qed.

(** The inner product, as a sum. *)
Lemma inner_dot n x y : inner (map x (seq 0 n)) (map y (seq 0 n)) = dot n x y.
Proof.
  assert (forall k, inner (map x (seq k n)) (map y (seq k n))
                    = sum n (fun i => (x (k + i)%nat * y (k + i)%nat)%R)) as H.
  { induction n as [|n IH]; intros k; [easy|]. cbn [seq map inner]. rewrite IH, (sum_add 1). cbn [sum].
    rewrite Nat.add_0_r, Rplus_0_l. f_equal. apply sum_ext. intros. now rewrite <- Nat.add_succ_comm. }
  exact (H 0).
Qed.

Lemma entries_forall2 r n x : entries_enclose r n x -> Forall2 encloses r (map x (seq 0 n)).
Proof.
  revert n x. induction r as [|I r IH]; intros n x H; destruct n as [|n]; try (destruct H as [L _]; discriminate).
  - constructor.
  - apply entrywise_uncons in H as [H K]. cbn [seq map]. constructor; [exact H|]. rewrite <- seq_shift, map_map.
    apply IH. now replace n with (S n - 1) by lia.
Qed.

Lemma row_dot r s n x y : entries_enclose r n x -> entries_enclose s n y -> encloses (fast_dot r s) (dot n x y).
Proof. intros H K. rewrite fast_dot_eq, <- inner_dot. now apply dot_encloses; apply entries_forall2. Qed.

Lemma each_add t t' rows cols M N : table_encloses t rows cols M -> table_encloses t' rows cols N ->
  table_encloses (each add t t') rows cols (mplus M N).
Proof. intros H K. apply (entrywise_map2 _ _ _ _ _ _ _ _ _ _ H K). intros i x y _. apply row_add. Qed.

Lemma each_sub t t' rows cols M N : table_encloses t rows cols M -> table_encloses t' rows cols N ->
  table_encloses (each sub t t') rows cols (mminus M N).
Proof.
  intros H K. apply (entrywise_map2 _ _ _ _ _ _ _ _ _ _ H K). intros i x y _ X Y.
  apply (entrywise_map2 _ _ _ _ _ _ _ _ _ _ X Y). intros. now apply sub_encloses.
Qed.

Lemma add_row_encloses t bias rows cols M b : table_encloses t rows cols M -> entries_enclose bias cols b ->
  table_encloses (add_row t bias) rows cols (fun i j => (M i j + b j)%R).
Proof. intros H K. apply (entrywise_map _ _ _ _ _ _ H). intros i x _ X. now apply row_add. Qed.

Lemma beside_encloses t t' rows cols cols' M N : table_encloses t rows cols M -> table_encloses t' rows cols' N ->
  table_encloses (beside t t') rows (cols + cols') (fun i => joined cols (M i) (N i)).
Proof. intros H K. apply (entrywise_map2 _ _ _ _ _ _ _ _ _ _ H K). intros i x y _. apply entrywise_app. Qed.

Lemma columns_firstn k t rows cols M : table_encloses t rows cols M -> k <= cols ->
  table_encloses (map (firstn k) t) rows k M.
Proof. intros H K. apply (entrywise_map _ _ _ _ _ _ H). intros i x _ X. exact (entrywise_firstn k _ _ _ X K). Qed.

Lemma columns_skipn k t rows cols M : table_encloses t rows cols M ->
  table_encloses (map (skipn k) t) rows (cols - k) (fun i j => M i (k + j)).
Proof. intros H. apply (entrywise_map _ _ _ _ _ _ H). intros i x _. apply entrywise_skipn. Qed.

(** The columns of [t] as rows; [t] is not empty, for an empty table has no number of columns. *)
Lemma transposed_encloses t rows cols M : table_encloses t rows cols M -> 0 < rows ->
  table_encloses (transposed t) cols rows (fun j i => M i j).
Proof.
  intros H I. unfold transposed. destruct t as [|r t]; [destruct H as [L _]; cbn in L; lia|].
  assert (length r = cols) as W by (destruct (entrywise_uncons _ _ _ _ H) as [[L _] _]; exact L).
  assert (entrywise (fun r => entries_enclose r 0) (map (fun _ => []) r) cols (fun j i => M i j)) as base.
  { split; [now rewrite map_length|]. intros j d J. rewrite (nth_map' _ everything) by lia. apply entrywise_nil. }
  clear I W. revert base H. generalize (map (fun _ : ival => @nil ival) r) as z. generalize (r :: t) as l. clear r t.
  intros l z base. revert rows M base. induction l as [|r l IH]; intros rows M base H.
  - destruct H as [L _]. cbn in L. subst rows. exact base.
  - cbn [fold_right]. destruct (entrywise_uncons _ _ _ _ H) as [X Y]. destruct H as [L _]. cbn in L.
    assert (entrywise (fun r => entries_enclose r 0) z cols (fun j i => M (S i) j)) as base'.
    { apply (entrywise_imp _ _ _ _ _ base). intros j x _ [N _]. destruct x; [apply entrywise_nil | discriminate]. }
    specialize (IH _ _ base' Y). apply (entrywise_map2 _ _ _ _ _ _ _ _ _ _ X IH).
    intros j x y J Hx Hy. replace rows with (S (rows - 1)) by lia. now apply entrywise_cons.
Qed.

(** ** Rule `product` *)

Lemma plain_encloses left right a b c A B : table_encloses left a b A -> table_encloses right c b B ->
  table_encloses (plain left right) a c (mtimes b A B).
Proof.
  intros H K. apply (entrywise_map _ _ _ _ _ _ H). intros i x _ X.
  apply (entrywise_map _ _ _ _ _ _ K). intros j y _ Y. now apply row_dot.
Qed.

Lemma double_div2 a k : a = k + k -> Nat.div2 a = k.
Proof. intros ->. replace (k + k) with (2 * k) by lia. apply Nat.div2_double. Qed.

(** The quarters of a table of [a + a] rows and [b + b] columns. *)
Lemma quarters_encloses t a b M : table_encloses t (a + a) (b + b) M -> 0 < a ->
  let '(q11, q12, q21, q22) := quarters t in
  table_encloses q11 a b M /\ table_encloses q12 a b (shifted 0 b M)
  /\ table_encloses q21 a b (shifted a 0 M) /\ table_encloses q22 a b (shifted a b M).
Proof.
  intros H I. unfold quarters. rewrite (table_width _ _ _ _ H) by lia. rewrite (table_length _ _ _ _ H).
  rewrite (double_div2 (a + a) a), (double_div2 (b + b) b) by reflexivity.
  assert (table_encloses (firstn a t) a (b + b) M) as upper by (apply (entrywise_firstn a _ _ _ H); lia).
  assert (table_encloses (skipn a t) a (b + b) (shifted a 0 M)) as lower.
  { pose proof (entrywise_skipn a _ _ _ H) as K. replace (a + a - a) with a in K by lia. exact K. }
  pose proof (columns_skipn b _ _ _ _ upper) as R. pose proof (columns_skipn b _ _ _ _ lower) as R'.
  replace (b + b - b) with b in R, R' by lia.
  refine (conj _ (conj R (conj _ R'))); (apply (columns_firstn b _ _ (b + b)); [assumption | lia]).
Qed.

(** Four quarters make a table. *)
Lemma four_encloses q11 q12 q21 q22 a c M :
  table_encloses q11 a c M -> table_encloses q12 a c (shifted 0 c M) ->
  table_encloses q21 a c (shifted a 0 M) -> table_encloses q22 a c (shifted a c M) ->
  table_encloses (beside q11 q12 ++ beside q21 q22) (a + a) (c + c) M.
Proof.
  intros H11 H12 H21 H22. apply (entrywise_parts _ _ a); [lia | | replace (a + a - a) with a by lia].
  - refine (table_ext _ _ _ _ _ _ (beside_encloses _ _ _ _ _ _ _ H11 H12)). intros i j _ _.
    unfold joined, shifted. destruct (Nat.ltb_spec j c); [easy|]. f_equal. lia.
  - refine (table_ext _ _ _ _ _ _ (beside_encloses _ _ _ _ _ _ _ H21 H22)). intros i j _ _.
    unfold joined, shifted. destruct (Nat.ltb_spec j c); f_equal; lia.
Qed.

Definition multiplies (mult : table -> table -> table) : Prop :=
  forall left right a b c A B, table_encloses left a b A -> table_encloses right c b B ->
  table_encloses (mult left right) a c (mtimes b A B).

Lemma winograd_encloses mult left right a b c A B : multiplies mult -> 0 < a -> 0 < c ->
  table_encloses left (a + a) (b + b) A -> table_encloses right (c + c) (b + b) B ->
  table_encloses (CheckerTable.winograd mult left right) (a + a) (c + c) (mtimes (b + b) A B).
Proof.
  intros mult_sound PA PC HA HB. unfold CheckerTable.winograd.
  pose proof (quarters_encloses _ _ _ _ HA PA) as QA. pose proof (quarters_encloses _ _ _ _ HB PC) as QB.
  destruct (quarters left) as [[[a11 a12] a21] a22], (quarters right) as [[[b11 b21] b12] b22].
  destruct QA as (A11 & A12 & A21 & A22), QB as (B11 & B21 & B12 & B22).
  pose proof (fun i j => TheoryMatrix.winograd a b c A B i j) as W. cbv zeta beta delta [winograd_quarters] in W.
  apply four_encloses; (eapply table_ext;
    [ intros i j _ _; destruct (W i j) as (W11 & W12 & W21 & W22); symmetry;
      first [exact W11 | exact W12 | exact W21 | exact W22]
    | repeat first [assumption | apply each_add | apply each_sub | apply mult_sound] ]).
Qed.

(** Where the checker takes Winograd's form, sides are even. *)
Lemma not_plain a b c : is_plain a b c = false -> (1 <? a) && Nat.odd a = false -> (1 <? c) && Nat.odd c = false ->
  (exists a', a = a' + a' /\ 0 < a') /\ (exists b', b = b' + b') /\ exists c', c = c' + c' /\ 0 < c'.
Proof.
  assert (forall k, Z.even (Z.of_nat k) = true -> exists k', k = k' + k') as halve.
  { intros k [m E]%Z.even_spec. exists (Z.to_nat m). lia. }
  assert (forall k, (1 <? k) && Nat.odd k = false -> Z.odd (Z.of_nat k) && (1 <? Z.of_nat k)%Z = false) as parity.
  { intros k H. destruct (Z.odd (Z.of_nat k)) eqn:E; [|reflexivity]. apply Z.ltb_ge.
    apply Z.odd_spec in E as [m E]. apply andb_false_iff in H as [H|H]; [apply Nat.ltb_ge in H; lia|].
    exfalso. assert (Nat.odd k = true); [|congruence]. apply Nat.odd_spec. exists (Z.to_nat m). lia. }
  intros H HA%parity HC%parity. unfold is_plain in H. assert (exists f, FUEL = S f) as [f E] by now exists 99.
  rewrite E in H. cbn [cost] in H. clear E.
  rewrite HA, HC in H.
  destruct (Z.even (Z.of_nat a)) eqn:EA, (Z.even (Z.of_nat b)) eqn:EB, (Z.even (Z.of_nat c)) eqn:EC,
    (Z.ltb_spec 0 (Z.of_nat a)), (Z.ltb_spec 0 (Z.of_nat c)); cbn [andb] in H;
    try (rewrite Z.leb_refl in H; discriminate).
  destruct (halve _ EA) as [a' ->], (halve _ EB) as [b' ->], (halve _ EC) as [c' ->].
  split; [exists a'; lia | split; [now exists b' | exists c'; lia]].
Qed.

Theorem times_within_encloses fuel : multiplies (times_within fuel).
Proof.
  induction fuel as [|fuel IH]; intros left right a b c A B HA HB; cbn [times_within].
  - now apply plain_encloses.
  - rewrite (table_length _ _ _ _ HA), (table_length _ _ _ _ HB).
    destruct ((1 <? a) && Nat.odd a) eqn:OA; [|destruct ((1 <? c) && Nat.odd c) eqn:OC;
      [|destruct (is_plain a (width left) c) eqn:P]].
    + apply andb_prop in OA as [OA _]. apply Nat.ltb_lt in OA.
      apply (entrywise_parts _ _ (a - 1)); [lia | |].
      * apply IH; [|exact HB]. apply (entrywise_firstn _ _ _ _ HA). lia.
      * apply (IH _ _ _ _ _ (fun i => A (a - 1 + i)) B); [|exact HB]. apply (entrywise_skipn _ _ _ _ HA).
    + apply andb_prop in OC as [OC _]. apply Nat.ltb_lt in OC.
      apply (table_ext _ _ _ (fun j i => mtimes b B A i j)); [intros; apply mtimes_sym|].
      apply transposed_encloses; [now apply IH | lia].
    + now apply plain_encloses.
    + destruct (not_plain _ _ _ P OA OC) as ((a' & -> & PA) & (b' & EB) & c' & -> & PC).
      rewrite (table_width _ _ _ _ HA) in EB by lia. subst b. now apply winograd_encloses.
Qed.

Theorem times_encloses : multiplies times.
Proof. apply times_within_encloses. Qed.

(** *** Chains *)

(** [M N], for a matrix [M] of [k] columns. *)
Definition mmul (k : nat) (M N : nat -> nat -> R) (i : nat) : nat -> R := row_times k (M i) N.

(** The tables of a chain have fitting sides, and their product is the matrix. *)
Fixpoint chain_encloses (chain : list table) (rows cols : nat) (M : nat -> nat -> R) : Prop :=
  match chain with
  | [] => False
  | [t] => table_encloses t rows cols M
  | t :: chain => exists k A B, 0 < k /\ table_encloses t rows k A /\ chain_encloses chain k cols B
      /\ forall i j, i < rows -> j < cols -> M i j = mmul k A B i j
  end.

Lemma chain_cons t chain rows k cols A B M : 0 < k -> table_encloses t rows k A -> chain_encloses chain k cols B ->
  (forall i j, i < rows -> j < cols -> M i j = mmul k A B i j) -> chain_encloses (t :: chain) rows cols M.
Proof. intros K H C E. destruct chain as [|u chain]; [now cbn in C|]. exists k, A, B. auto. Qed.

(** A chain in two parts: products may be taken in any order. *)
Lemma chain_split cols : forall first rest rows M, first <> [] -> rest <> [] ->
  chain_encloses (first ++ rest) rows cols M -> exists k A B, 0 < k
  /\ chain_encloses first rows k A /\ chain_encloses rest k cols B
  /\ forall i j, i < rows -> j < cols -> M i j = mmul k A B i j.
Proof.
  induction first as [|t [|u first] IH]; intros rest rows M F N H; [easy| |].
  - cbn [app] in H. destruct rest as [|u rest]; [easy|]. destruct H as (k & A & B & H). exists k, A, B. exact H.
  - destruct H as (k & A & B & K & T & C & E). apply IH in C as (l & A' & B' & L & C & D & E'); [|easy|exact N].
    exists l, (mmul k A A'), B'. split; [exact L|]. split; [|split; [exact D|]].
    + apply (chain_cons t (u :: first) rows k l A A'); auto.
    + intros i j I J. rewrite E by assumption. unfold mmul at 2. change (mmul k A A' i) with (row_times k (A i) A').
      rewrite row_times_assoc. apply sum_ext. intros x X. now rewrite E' by assumption.
Qed.

(** A place where a chain is cut has tables on both sides. *)
Lemma first_least_splits {A} key (candidates : list nat) split (chain : list A) :
  first_least key candidates = Some split -> (forall s, In s candidates -> In s (splits (length chain))) ->
  firstn split chain <> [] /\ skipn split chain <> [] /\ length (firstn split chain) < length chain
  /\ length (skipn split chain) < length chain.
Proof.
  unfold first_least, reduce. destruct candidates as [|x candidates]; [discriminate|]. intros [= <-] H.
  set (best := fold_left _ candidates x).
  assert (In best (splits (length chain))) as K.
  { apply H. unfold best. clear. revert x. induction candidates as [|y candidates IH]; intros x; [now left|].
    cbn [fold_left].
    destruct (key y <? key x)%Z; [right; apply IH | destruct (IH x) as [<-|I]; [now left | right; right; exact I]]. }
  apply in_seq in K. split; [|split; [|split]].
  - intros E. apply (f_equal (@length A)) in E. rewrite firstn_length in E. cbn in E. lia.
  - intros E. apply (f_equal (@length A)) in E. rewrite skipn_length in E. cbn in E. lia.
  - rewrite firstn_length. lia.
  - rewrite skipn_length. lia.
Qed.

Lemma first_least_some {A} key (candidates : list A) : candidates <> [] -> first_least key candidates <> None.
Proof. now destruct candidates. Qed.

Lemma product_within_encloses : forall fuel chain rows cols M, length chain <= fuel ->
  chain_encloses chain rows cols M -> table_encloses (product_within fuel chain) rows cols M.
Proof.
  induction fuel as [|fuel IH]; intros chain rows cols M F H; destruct chain as [|t [|u rest]]; cbn in F; try lia;
    try exact H; try easy.
  set (chain := t :: u :: rest) in *. change (product_within (S fuel) chain) with
    (match first_least (cost_of_split (best_cost (length chain)) (sides_of chain)) (splits (length chain)) with
     | None => []
     | Some split =>
         times (product_within fuel (firstn split chain)) (transposed (product_within fuel (skipn split chain)))
     end).
  destruct (first_least _ _) as [split|] eqn:S; [|now apply first_least_some in S].
  destruct (first_least_splits _ _ _ _ S (fun _ I => I)) as (N & N' & L & L').
  rewrite <- (firstn_skipn split chain) in H.
  destruct (chain_split _ _ _ _ _ N N' H) as (k & A & B & K & HA & HB & E).
  apply (table_ext _ _ _ (mtimes k A (fun j i => B i j))).
  - intros i j I J. symmetry. now apply E.
  - cbn in L, L'. apply times_encloses; [|apply transposed_encloses; [|exact K]]; apply IH; try assumption; cbn; lia.
Qed.

Theorem product_of_encloses chain rows cols M : chain_encloses chain rows cols M ->
  table_encloses (product_of chain) rows cols M.
Proof. now apply product_within_encloses. Qed.
