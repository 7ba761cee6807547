(** * The checker's paths enclose the network's tables, up to a constant for each row (theorem [paths_of_encloses]) *)

From Coq Require Import Reals ZArith List Bool Arith Lia Lra.
From gbmi Require Import Fixed FixedSound CheckerFast CheckerCertificate CheckerTable CheckerPaths Checker.
From gbmi Require Import Theory CheckerTableSound.
Import ListNotations.
Local Open Scope R_scope.
Local Open Scope nat_scope.

(** ** The network of a checker's input *)

Definition real_of (x : Z * Z) : R := (IZR (fst x) * powerRZ 2 (snd x))%R.
Definition entry_of (bias : list (Z * Z)) (i : nat) : R := real_of (nth i bias (0%Z, 0%Z)).
Definition matrix_of (t : dyadics) (i : nat) : nat -> R := entry_of (nth i t []).

Definition network_of (w : weights) : network := {|
  W_E := matrix_of (w_e w); W_pos := matrix_of (w_pos w);
  W_Q := matrix_of (w_q w); W_K := matrix_of (w_k w); W_V := matrix_of (w_v w); W_O := matrix_of (w_o w);
  W_U := matrix_of (w_u w);
  b_Q := entry_of (b_q w); b_K := entry_of (b_k w); b_V := entry_of (b_v w); b_O := entry_of (b_o w);
  b_U := entry_of (b_u w)
|}.

(** ** Rule `entries` *)

Lemma zero_encloses : encloses zero 0.
Proof. pose proof (dyadic_encloses 0 0) as H. now rewrite Rmult_0_l in H. Qed.

Lemma one_encloses : encloses one 1.
Proof. pose proof (dyadic_encloses 1 0) as H. now rewrite Rmult_1_l in H. Qed.

Lemma fast_mul_encloses x y a b : encloses x a -> encloses y b -> encloses (fast_mul x y) (a * b).
Proof. rewrite fast_mul_eq. apply mul_encloses. Qed.

Lemma fold_add_encloses n : forall r x z s, entries_enclose r n x -> encloses z s ->
  encloses (fold_left add r z) (s + sum n x).
Proof.
  induction n as [|n IH]; intros r x z s H Z; destruct r as [|I r]; try (destruct H as [L _]; discriminate); cbn.
  - now rewrite Rplus_0_r.
  - apply entrywise_uncons in H as [H K]. replace (S n - 1) with n in K by lia.
    replace (s + (sum n x + x n))%R with (s + x O + sum n (fun i => x (S i)))%R.
    + apply IH; [exact K | now apply add_encloses].
    + change (sum n x + x n)%R with (sum (1 + n) x). rewrite sum_add. cbn. ring.
Qed.

Section Paint.
  Context {A B : Type} (P : A -> B -> Prop).

  Definition if_known (x : option A) (y : B) : Prop := match x with Some x => P x y | None => True end.

  Lemma entrywise_inv {C D} (Q : C -> D -> Prop) x l n f : entrywise Q (x :: l) n f ->
    exists n', n = S n' /\ Q x (f 0) /\ entrywise Q l n' (fun i => f (S i)).
  Proof.
    intros H. destruct n as [|n]; [destruct H as [L _]; discriminate|]. exists n. apply entrywise_uncons in H.
    now replace (S n - 1) with n in H by lia.
  Qed.

  Lemma paint_row_entrywise : forall old from new n k f, entrywise if_known old n f ->
    entrywise P new k (fun i => f (from + i)) -> entrywise if_known (paint_row from new old) n f.
  Proof.
    induction old as [|x old IH]; intros from new n k f H K; [exact H|].
    pose proof (entrywise_inv _ _ _ _ _ H) as (n' & -> & X & H'). destruct from as [|from]; [destruct new as [|y new]|].
    - exact H.
    - apply entrywise_inv in K as (k' & _ & Y & K). apply entrywise_cons; [exact Y | now apply (IH 0 new _ k')].
    - apply entrywise_cons; [exact X | now apply (IH from new _ k)].
  Qed.

  Lemma paint_entrywise cols width : forall old row col block rows height M,
    entrywise (fun r => entrywise if_known r cols) old rows M ->
    entrywise (fun r x => entrywise P r width (fun j => x (col + j))) block height (fun i => M (row + i)) ->
    entrywise (fun r => entrywise if_known r cols) (paint row col block old) rows M.
  Proof.
    induction old as [|x old IH]; intros row col block rows height M H K; [exact H|].
    pose proof (entrywise_inv _ _ _ _ _ H) as (n' & -> & X & H').
    destruct row as [|row]; [destruct block as [|y block]|].
    - exact H.
    - apply entrywise_inv in K as (k' & _ & Y & K). apply entrywise_cons; [|now apply (IH 0 col block _ k')].
      now apply (paint_row_entrywise x col y cols width).
    - apply entrywise_cons; [exact X | now apply (IH row col block _ height)].
  Qed.
End Paint.

Lemma padded_entries {A} n (filling : A) xs : entrywise eq (padded n filling xs) n (fun i => nth i xs filling).
Proof.
  unfold padded. split; [rewrite firstn_length, app_length, repeat_length; lia|]. intros i d I.
  rewrite nth_firstn' by exact I. destruct (Nat.lt_ge_cases i (length xs)) as [L|L].
  - rewrite app_nth1 by exact L. now apply nth_indep.
  - rewrite app_nth2, (nth_overflow xs) by exact L. apply (repeat_spec n). apply nth_In. rewrite repeat_length. lia.
Qed.

Definition unit_real (k : Z) : R := (IZR k * powerRZ 2 (-30))%R.
Definition vector_real (hint : list Z) (i : nat) : R := unit_real (nth i hint 0%Z).

Lemma unit_entry_encloses k : encloses (unit_entry k) (unit_real k).
Proof. apply dyadic_encloses. Qed.

Lemma vector_encloses left a d X hint : table_encloses left a d X -> 0 < a ->
  entries_enclose (vector left hint) d (vector_real hint).
Proof.
  intros H A. unfold vector. rewrite (table_width _ _ _ _ H A).
  apply (entrywise_map _ _ _ _ _ _ (padded_entries d 0%Z hint)).
  intros i k _ ->. apply unit_entry_encloses.
Qed.

Section Entries.
  Variable hints : entries.
  Variables (left right : table) (a c d : nat) (X Y : nat -> nat -> R).
  Hypothesis left_is : table_encloses left a d X.
  Hypothesis right_is : table_encloses right c d Y.
  Hypothesis some_rows : 0 < a.

  (** A table of which some entries are computed. *)
  Let partly (t : list (list (option ival))) : Prop :=
    entrywise (fun r => entrywise (if_known encloses) r c) t a (mtimes d X Y).

  Lemma part_encloses side n M from upto : table_encloses side n d M ->
    table_encloses (firstn (Nat.min upto (length side) - from) (skipn from side)) (Nat.min upto n - from) d
      (fun i => M (from + i)).
  Proof.
    intros H. rewrite (table_length _ _ _ _ H).
    apply (entrywise_firstn _ _ _ _ (entrywise_skipn from _ _ _ H)). lia.
  Qed.

  Lemma painted_encloses : forall blocks found, partly found -> partly (painted left right blocks found).
  Proof.
    fix IH 1. intros [|first_row [|row [|first_col [|col blocks]]]] found H; try exact H. cbn [painted]. apply IH.
    eapply paint_entrywise; [exact H|].
    exact (times_encloses _ _ _ _ _ _ _ (part_encloses _ _ _ first_row row left_is)
             (part_encloses _ _ _ first_col col right_is)).
  Qed.

  Let r := length (basis hints).
  Let B (k : nat) : nat -> R := vector_real (nth k (basis hints) []).

  Lemma basis_encloses : table_encloses (basis_rows hints left) r d B.
  Proof.
    apply (@entrywise_map _ _ eq) with (f := fun k => nth k (basis hints) []).
    - split; [easy|]. intros i x I. now apply nth_indep.
    - intros i x _ ->. now apply vector_encloses with a X.
  Qed.

  Let is_small : Prop := forall k, k < r -> (sum r (fun l => Rabs (gram d B k l)) <= 1)%R.

  Lemma Rabs_Rmax x : Rabs x = Rmax x (0 - x).
  Proof. unfold Rabs, Rmax. destruct (Rcase_abs x), (Rle_dec x (0 - x)); lra. Qed.

  Lemma small_sound : small hints left = true -> is_small.
  Proof.
    unfold small. intros H k K. rewrite forallb_forall in H. pose proof basis_encloses as E.
    specialize (H (get_row (basis_rows hints left) k)). cbv zeta in H.
    apply is_nonnegative_sound with (x := (1 - (0 + sum r (fun l => Rabs (gram d B k l))))%R) in H; [lra | |].
    - apply sub_encloses; [exact one_encloses|]. apply fold_add_encloses; [|exact zero_encloses].
      apply (entrywise_map _ _ _ _ _ _ E). intros l other _ O.
      assert (encloses (fast_dot (get_row (basis_rows hints left) k) other) (gram d B k l)) as G
        by now apply row_dot; [apply (table_row _ _ _ _ _ E)|].
      rewrite Rabs_Rmax. apply imax_encloses; [exact G|]. apply sub_encloses; [exact zero_encloses | exact G].
    - apply nth_In. now rewrite (table_length _ _ _ _ E).
  Qed.

  (** What the basis sees of a vector, with a bound on the rest. *)
  Let seen_of (known : row * Z) (x : nat -> R) : Prop :=
    let (parts, s) := known in entries_enclose parts r (components d B x) /\ is_small /\ (0 <= unit_real s)%R
      /\ (dot d x x - dot r (components d B x) (components d B x) <= unit_real s * unit_real s)%R.

  Lemma fold_rest_encloses n : forall parts p z s, entries_enclose parts n p -> encloses z s ->
    encloses (fold_left (fun rest part => sub rest (fast_mul part part)) parts z) (s - dot n p p).
  Proof.
    unfold dot. induction n as [|n IH]; intros parts p z s H Z; destruct parts as [|I parts];
      try (destruct H as [L _]; discriminate); cbn [fold_left].
    - cbn [sum]. now rewrite Rminus_0_r.
    - apply entrywise_inv in H as (n' & E & H & K). injection E as <-.
      replace (s - sum (S n) (fun i => p i * p i))%R with (s - p O * p O - sum n (fun i => p (S i) * p (S i)))%R.
      + apply (IH _ (fun i => p (S i))); [exact K|]. apply sub_encloses; [exact Z | now apply fast_mul_encloses].
      + change (S n) with (1 + n). rewrite sum_add. cbn. ring.
  Qed.

  Lemma seen_sound row bound x : entries_enclose row d x -> if_known seen_of (seen hints left row bound) x.
  Proof.
    intros H. unfold seen. destruct ((bound <=? 0)%Z || negb (small hints left)) eqn:O; [easy|].
    apply orb_false_elim in O as [positive%Z.leb_gt S%negb_false_iff]. cbv zeta.
    set (parts := map _ _). destruct (is_negative _) eqn:N; [|easy].
    assert (entries_enclose parts r (components d B x)) as P.
    { apply (entrywise_map _ _ _ _ _ _ basis_encloses). intros k b _ E. unfold components. rewrite dot_sym.
      now apply row_dot. }
    split; [exact P|]. split; [now apply small_sound|]. split.
    - apply Rmult_le_pos; [now apply IZR_le, Z.lt_le_incl | apply Rlt_le, pow2_pos].
    - apply is_negative_sound with (x := (dot d x x - dot r (components d B x) (components d B x)
        - unit_real bound * unit_real bound)%R) in N; [lra|].
      apply sub_encloses; [|apply fast_mul_encloses; apply unit_entry_encloses].
      apply fold_rest_encloses; [exact P | now apply row_dot].
  Qed.

  Lemma seen_rows_sound side n M bounds : table_encloses side n d M ->
    entrywise (if_known seen_of) (seen_rows hints left side bounds) n M.
  Proof.
    intros H. unfold seen_rows. rewrite (table_length _ _ _ _ H).
    apply (entrywise_map2 _ _ _ _ _ _ _ _ _ _ H (padded_entries n 0%Z bounds)).
    intros i row bound _ R _. now apply seen_sound.
  Qed.

  Lemma hull_within z e : (Rabs e <= unit_real z)%R -> encloses (hull (unit_entry (- z)) (unit_entry z)) e.
  Proof.
    intros H. assert (unit_real (- z) = - unit_real z)%R as N by (unfold unit_real; rewrite opp_IZR; ring).
    pose proof (unit_entry_encloses (- z)) as L. pose proof (unit_entry_encloses z) as U.
    pose proof (hull_encloses_left _ _ _ _ L U). pose proof (hull_encloses_right _ _ _ _ L U).
    apply (encloses_between _ (unit_real (- z)) (unit_real z)); try assumption. rewrite N.
    revert H. unfold Rabs. destruct (Rcase_abs e); lra.
  Qed.

  Lemma entry_bound_sound query key x y : if_known seen_of query x -> if_known seen_of key y ->
    encloses (CheckerPaths.entry_bound query key) (dot d x y).
  Proof.
    destruct query as [[px s]|], key as [[py z]|]; try (intros; apply everything_encloses).
    intros (PX & S & PS & Hx) (PY & _ & PZ & Hy). cbn [CheckerPaths.entry_bound].
    set (seen := dot r (components d B x) (components d B y)).
    pose proof (TheoryMatrix.entry_bound r d B S x y _ _ PS PZ Hx Hy) as bound. fold seen in bound.
    replace (dot d x y) with (seen + (dot d x y - seen))%R by ring. set (e := (dot d x y - seen)%R) in *.
    apply add_encloses; [now apply row_dot|]. destruct PS as [PS|PS].
    - replace e with (unit_real s * (e / unit_real s))%R by (field; lra).
      apply fast_mul_encloses; [apply unit_entry_encloses|]. apply hull_within.
      unfold Rdiv. rewrite Rabs_mult, Rabs_inv, (Rabs_pos_eq (unit_real s)) by lra.
      apply Rmult_le_reg_r with (1 := PS). rewrite Rmult_assoc, Rinv_l by lra. lra.
    - rewrite <- PS, Rmult_0_l in bound. pose proof (Rabs_pos e).
      assert (e = unit_real s * 0)%R as ->
        by (rewrite Rmult_0_r; destruct (Req_dec e 0) as [|N%Rabs_no_R0]; [easy | lra]).
      apply fast_mul_encloses; [apply unit_entry_encloses|]. apply hull_within. now rewrite Rabs_R0.
  Qed.

  Theorem entries_table_encloses : table_encloses (entries_table hints left right) a c (mtimes d X Y).
  Proof.
    unfold entries_table.
    assert (partly (map (fun _ => map (fun _ => None) right) left)) as empty.
    { apply (entrywise_map _ _ _ _ _ _ left_is). intros i x _ _.
      apply (entrywise_map _ _ _ _ _ _ right_is). now intros. }
    pose proof (painted_encloses (blocks hints) _ empty) as P. cbv zeta.
    apply (entrywise_map2 _ _ _ _ _ _ _ _ _ _ (seen_rows_sound _ _ _ (left_bounds hints) left_is) P).
    intros i query found _ Q F.
    apply (entrywise_map2 _ _ _ _ _ _ _ _ _ _ (seen_rows_sound _ _ _ (right_bounds hints) right_is) F).
    intros j key [entry|] _ K E; [exact E | now apply entry_bound_sound].
  Qed.
End Entries.

(** A chain's product in two factors. *)
Lemma halves_encloses chain rows cols M : chain_encloses chain rows cols M -> 2 <= length chain ->
  exists k A B, table_encloses (fst (halves chain)) rows k A /\ table_encloses (snd (halves chain)) cols k B
  /\ forall i j, i < rows -> j < cols -> M i j = mtimes k A B i j.
Proof.
  intros H L. unfold halves. destruct (first_least _ _) as [split|] eqn:S.
  - destruct (first_least_splits _ _ _ _ S (fun s I => proj2 (in_rev _ s) I)) as (N & N' & _).
    rewrite <- (firstn_skipn split chain) in H.
    destruct (chain_split _ _ _ _ _ N N' H) as (k & A & B & K & HA & HB & E).
    exists k, A, (fun j i => B i j). split; [now apply product_of_encloses|]. split; [|exact E].
    apply transposed_encloses; [now apply product_of_encloses | exact K].
  - apply first_least_some in S; [easy|]. intros E. apply (f_equal (@length nat)) in E.
    rewrite rev_length in E. unfold splits in E. rewrite seq_length in E. cbn in E. lia.
Qed.

(** In full or as hinted: the product of a chain, up to a constant for each row. *)
Theorem table_of_encloses chain hints rows cols M : chain_encloses chain rows cols M -> 2 <= length chain -> 0 < rows ->
  exists a, table_encloses (table_of chain hints) rows cols (fun i j => M i j + a i)%R.
Proof.
  intros H L P. destruct hints as [hints|]; cbn [table_of].
  - destruct (halves_encloses _ _ _ _ H L) as (k & A & B & HA & HB & E). destruct (halves chain) as [x y].
    cbn [fst snd] in *.
    assert (exists b, table_encloses (match centre hints with [] => y | _ => add_row y (vector x (centre hints)) end)
                        cols k (fun j i => B j i + b i)%R) as [b HB'].
    { assert (table_encloses (add_row y (vector x (centre hints))) cols k
                (fun j i => B j i + vector_real (centre hints) i)%R) as with_centre
        by now apply add_row_encloses; [|apply vector_encloses with rows A].
      destruct (centre hints); [|eexists; exact with_centre]. exists (fun _ => 0%R).
      refine (table_ext _ _ _ _ _ _ HB). intros. ring. }
    exists (fun i => dot k (A i) b).
    refine (table_ext _ _ _ _ _ _ (entries_table_encloses hints _ _ _ _ _ _ _ HA HB' P)).
    intros i j I J. rewrite E by assumption. apply dot_plus_r.
  - exists (fun _ => 0%R). refine (table_ext _ _ _ M _ _ _); [intros; ring | now apply product_of_encloses].
Qed.

(** ** Factors *)

Lemma enclose_row_encloses bias cols : length bias = cols -> entries_enclose (enclose_row bias) cols (entry_of bias).
Proof.
  intros L. apply (@entrywise_map _ _ eq) with (f := fun k => nth k bias (0, 0)%Z).
  - split; [exact L|]. intros i x I. apply nth_indep. lia.
  - intros i x _ ->. apply dyadic_encloses.
Qed.

Lemma enclose_encloses t rows cols : (length t =? rows) && forallb (fun r => length r =? cols) t = true ->
  table_encloses (enclose t) rows cols (matrix_of t).
Proof.
  intros [L%Nat.eqb_eq F]%andb_prop. apply (@entrywise_map _ _ eq) with (f := fun k => nth k t []).
  - split; [exact L|]. intros i x I. apply nth_indep. lia.
  - intros i r I ->. apply enclose_row_encloses, Nat.eqb_eq. apply (proj1 (forallb_forall _ _) F), nth_In. lia.
Qed.

Lemma enclose_bias_encloses bias cols : (length [bias] =? 1) && forallb (fun r => length r =? cols) [bias] = true ->
  entries_enclose (enclose_row bias) cols (entry_of bias).
Proof. cbn. rewrite andb_true_r. intros L%Nat.eqb_eq. now apply enclose_row_encloses. Qed.

Lemma nonzero_cases bias : nonzero bias = Some (enclose_row bias)
  \/ nonzero bias = None /\ forall i, entry_of bias i = 0%R.
Proof.
  unfold nonzero. destruct (existsb _ bias) eqn:E; [now left|]. right. split; [easy|].
  intros i. unfold entry_of, real_of.
  destruct (Nat.lt_ge_cases i (length bias)) as [L|L].
  - destruct (Z.eq_dec (fst (nth i bias (0, 0)%Z)) 0) as [->|N]; [apply Rmult_0_l|].
    assert (existsb (fun x => negb (fst x =? 0)%Z) bias = true); [|congruence].
    apply existsb_exists. exists (nth i bias (0, 0)%Z). split; [now apply nth_In|]. apply Z.eqb_neq in N. now rewrite N.
  - rewrite nth_overflow by exact L. apply Rmult_0_l.
Qed.

Lemma plus_bias_encloses t rows cols M bias : table_encloses t rows cols M ->
  entries_enclose (enclose_row bias) cols (entry_of bias) ->
  table_encloses (plus_bias t (nonzero bias)) rows cols (fun i j => M i j + entry_of bias j)%R.
Proof.
  intros H K. destruct (nonzero_cases bias) as [->|[-> Z]]; cbn [plus_bias]; [now apply add_row_encloses|].
  refine (table_ext _ _ _ _ _ _ H). intros i j _ _. rewrite Z. ring.
Qed.

Section Network.
  Variable w : weights.
  Hypothesis shapes : well_formed w = true.

  Let cfg := sizes w.
  Let net := network_of w.
  Let v := d_vocab cfg.
  Let n := n_ctx cfg.
  Let d := d_model cfg.
  Let h := d_head cfg.

  (** What [well_formed] says. *)
  Record factors : Prop := {
    two_tokens : 2 <= v;
    two_positions : 2 <= n;
    some_width : 1 <= d;
    some_head : 1 <= h;
    is_E : table_encloses (enclose (w_e w)) v d (W_E net);
    is_pos : table_encloses (enclose (w_pos w)) n d (W_pos net);
    is_Q : table_encloses (enclose (w_q w)) d h (W_Q net);
    is_K : table_encloses (enclose (w_k w)) d h (W_K net);
    is_V : table_encloses (enclose (w_v w)) d h (W_V net);
    is_O : table_encloses (enclose (w_o w)) h d (W_O net);
    is_U : table_encloses (enclose (w_u w)) d v (W_U net);
    is_bQ : entries_enclose (enclose_row (b_q w)) h (b_Q net);
    is_bV : entries_enclose (enclose_row (b_v w)) h (b_V net);
    is_bO : entries_enclose (enclose_row (b_o w)) d (b_O net);
    is_bU : entries_enclose (enclose_row (b_u w)) v (b_U net)
  }.

  Lemma factors_are : factors.
  Proof.
    pose proof shapes as H. unfold well_formed in H. cbv zeta in H. repeat rewrite andb_true_iff in H.
    destruct H as [[[[[[[[[[[[[[[Hv Hn] Hd] Hh] HE] Hpos] HQ] HK] HV] HO] HU] bQ] bK] bV] bO] bU].
    apply Nat.leb_le in Hv, Hn, Hd, Hh.
    constructor; try assumption; (apply enclose_encloses || apply enclose_bias_encloses); now apply andb_true_iff.
  Qed.

  Let F := factors_are.

  (** What keys and values are made of: the residual stream's tokens, then its positions. *)
  Let source : nat -> nat -> R := joined v (W_E net) (W_pos net).

  Lemma sources_encloses : table_encloses (enclose (w_e w) ++ enclose (w_pos w)) (v + n) d source.
  Proof. apply entrywise_app; [apply (is_E F) | apply (is_pos F)]. Qed.

  Let query := add_row (enclose (w_e w)) (get_row (enclose (w_pos w)) (n - 1)).

  Lemma query_encloses : table_encloses query v d (last_residual cfg net).
  Proof.
    apply add_row_encloses; [apply (is_E F)|]. apply (table_row _ _ _ _ _ (is_pos F)).
    pose proof (two_positions F). lia.
  Qed.

  (** *** Scores *)

  Let scaled_rows (wq : table) : table :=
    if scaled cfg then let s := inverse_sqrt (Z.of_nat h) in map (map (fun x => fast_mul x s)) wq else wq.

  Lemma scaled_rows_encloses wq rows M : table_encloses wq rows h M ->
    table_encloses (scaled_rows wq) rows h (fun i k => M i k * / scale cfg)%R.
  Proof.
    intros H. unfold scaled_rows, scale. fold h. destruct (scaled cfg).
    - apply (entrywise_map _ _ _ _ _ _ H). intros i r _ R. apply (entrywise_map _ _ _ _ _ _ R). intros k x _ E.
      apply fast_mul_encloses; [exact E|]. rewrite INR_IZR_INZ, <- (Rmult_1_l (/ _)).
      apply inverse_sqrt_encloses. pose proof (some_head F). lia.
    - refine (table_ext _ _ _ _ _ _ H). intros. now rewrite Rinv_1, Rmult_1_r.
  Qed.

  Lemma scores_chain queries wq d' Q W : table_encloses queries v d' Q -> table_encloses wq d' h W -> 0 < d' ->
    (forall q k, k < h -> row_times d' (Q q) W k = last_query cfg net q k) ->
    chain_encloses [queries; scaled_rows wq; transposed (enclose (w_k w));
        transposed (enclose (w_e w) ++ enclose (w_pos w))] v (v + n)
      (fun q i => dot h (last_query cfg net q) (key_of cfg net (source i)) / scale cfg)%R.
  Proof.
    intros HQ HW D E. pose proof (some_width F). pose proof (some_head F). pose proof (two_tokens F).
    assert (chain_encloses [transposed (enclose (w_k w)); transposed (enclose (w_e w) ++ enclose (w_pos w))] h (v + n)
              (fun k i => key_of cfg net (source i) k)) as keys.
    { eapply chain_cons with (k := d); [lia | | |].
      - apply (transposed_encloses _ _ _ _ (is_K F)). lia.
      - apply (transposed_encloses _ _ _ _ sources_encloses). lia.
      - intros k i _ _. apply dot_sym. }
    eapply chain_cons with (k := d'); [exact D | exact HQ | |].
    - eapply chain_cons with (k := h); [lia | apply scaled_rows_encloses, HW | exact keys|]. intros. reflexivity.
    - intros q i _ _. unfold mmul. rewrite <- row_times_assoc. unfold row_times at 1, Rdiv.
      rewrite Rmult_comm, <- dot_scale. apply dot_ext; [|easy]. intros k K. rewrite <- E by exact K.
      unfold row_times, dot. rewrite <- sum_scale. apply sum_ext. intros. ring.
  Qed.

  Let score_factors : list table :=
    let bias := nonzero (b_q w) in
    [match bias with Some _ => map (fun r => r ++ [one]) query | None => query end;
     scaled_rows (enclose (w_q w) ++ match bias with Some bias => [bias] | None => [] end);
     transposed (enclose (w_k w)); transposed (enclose (w_e w) ++ enclose (w_pos w))].

  Lemma score_factors_chain : chain_encloses score_factors v (v + n)
    (fun q i => dot h (last_query cfg net q) (key_of cfg net (source i)) / scale cfg)%R.
  Proof.
    pose proof (some_width F). unfold score_factors. cbv zeta. destruct (nonzero_cases (b_q w)) as [->|[-> Z]].
    - apply scores_chain with (d' := d + 1) (Q := fun q => joined d (last_residual cfg net q) (fun _ => 1%R))
        (W := joined d (W_Q net) (fun _ => b_Q net)).
      + apply (entrywise_map _ _ _ _ _ _ query_encloses). intros q r _ R. apply entrywise_app; [exact R|].
        apply entrywise_cons; [exact one_encloses | apply entrywise_nil].
      + apply entrywise_app; [apply (is_Q F)|]. apply entrywise_cons; [apply (is_bQ F) | apply entrywise_nil].
      + lia.
      + intros q k _. unfold row_times, dot. rewrite sum_add. cbn [sum]. unfold last_query, joined.
        rewrite Nat.add_0_r, Nat.ltb_irrefl, Rplus_0_l, Rmult_1_l. f_equal. apply sum_ext. intros i I.
        now assert (i <? d = true) as -> by now apply Nat.ltb_lt.
    - apply scores_chain with (d' := d) (Q := last_residual cfg net) (W := W_Q net).
      + exact query_encloses.
      + rewrite app_nil_r. apply (is_Q F).
      + lia.
      + intros q k _. unfold last_query. change (b_Q net k) with (entry_of (b_q w) k). rewrite Z. symmetry.
        apply Rplus_0_r.
  Qed.

  Lemma scores_encloses hints : exists a, table_encloses (table_of score_factors hints) v (v + n)
    (fun q i => joined v (tA (tables_of cfg net) q) (tB (tables_of cfg net) q) i + a q)%R.
  Proof.
    pose proof (two_tokens F).
    destruct (table_of_encloses _ hints _ _ _ score_factors_chain ltac:(cbn; lia) ltac:(lia)) as [a A].
    exists a. refine (table_ext _ _ _ _ _ _ A). intros q i _ _. f_equal. unfold source, joined. now destruct (i <? v).
  Qed.

  (** *** Logits *)

  Lemma logits_encloses hints : exists e,
    table_encloses (table_of [enclose (w_e w) ++ enclose (w_pos w); enclose (w_v w); enclose (w_o w); enclose (w_u w)]
        hints) (v + n) v
      (fun i j => joined v (tEV (tables_of cfg net)) (tPV (tables_of cfg net)) i j + e i)%R.
  Proof.
    pose proof (some_width F). pose proof (some_head F). pose proof (two_tokens F).
    assert (chain_encloses [enclose (w_e w) ++ enclose (w_pos w); enclose (w_v w); enclose (w_o w); enclose (w_u w)]
              (v + n) v (fun i => unembedded cfg net (through_head cfg net (value_of cfg net (source i))))) as chain.
    { eapply chain_cons with (k := d); [lia | exact sources_encloses | |].
      - eapply chain_cons with (k := h); [lia | apply (is_V F) | |].
        + eapply chain_cons with (k := d); [lia | apply (is_O F) | apply (is_U F) | intros; reflexivity].
        + intros; reflexivity.
      - intros i j _ _. unfold unembedded, through_head, value_of, mmul. fold d h.
        rewrite row_times_assoc, row_times_assoc. reflexivity. }
    destruct (table_of_encloses _ hints _ _ _ chain ltac:(cbn; lia) ltac:(lia)) as [e E].
    exists e. refine (table_ext _ _ _ _ _ _ E). intros i j _ _. f_equal. unfold source, joined. now destruct (i <? v).
  Qed.

  (** *** Direct path *)

  Lemma through_encloses t M : table_encloses t v d M ->
    table_encloses (plus_bias t
        (option_map (fun bias => get_row (product_of [[bias]; enclose (w_o w)]) 0) (nonzero (b_v w)))) v d
      (fun q i => M q i + through_head cfg net (b_V net) i)%R.
  Proof.
    intros H. destruct (nonzero_cases (b_v w)) as [->|[-> Z]]; cbn [option_map plus_bias].
    - apply add_row_encloses; [exact H|].
      assert (table_encloses (product_of [[enclose_row (b_v w)]; enclose (w_o w)]) 1 d
                (fun _ => through_head cfg net (b_V net))) as P; [|now apply (table_row _ _ _ _ 0 P); lia].
      apply product_of_encloses. pose proof (some_head F).
      apply chain_cons with (k := h) (A := fun _ => b_V net) (B := W_O net); [lia | | apply (is_O F) | easy].
      apply entrywise_cons; [apply (is_bV F) | apply entrywise_nil].
    - refine (table_ext _ _ _ _ _ _ H). intros q i _ _. unfold through_head, row_times, dot.
      rewrite (sum_ext _ _ (fun _ => 0%R)); [rewrite sum_zero; ring|]. intros k _.
      change (b_V net k) with (entry_of (b_v w) k). rewrite Z. apply Rmult_0_l.
  Qed.

  Lemma direct_encloses hints : exists g,
    table_encloses (plus_bias (table_of
        [plus_bias (plus_bias query (option_map (fun bias => get_row (product_of [[bias]; enclose (w_o w)]) 0)
           (nonzero (b_v w)))) (nonzero (b_o w)); enclose (w_u w)] hints) (nonzero (b_u w))) v v
      (fun q j => tD (tables_of cfg net) q j + g q)%R.
  Proof.
    pose proof (some_width F). pose proof (two_tokens F).
    pose proof (plus_bias_encloses _ _ _ _ _ (through_encloses _ _ query_encloses) (is_bO F)) as stream.
    assert (chain_encloses [plus_bias (plus_bias query (option_map
        (fun bias => get_row (product_of [[bias]; enclose (w_o w)]) 0) (nonzero (b_v w)))) (nonzero (b_o w));
        enclose (w_u w)] v v (mmul d (fun q i =>
          last_residual cfg net q i + through_head cfg net (b_V net) i + entry_of (b_o w) i)%R (W_U net))) as chain
      by (eapply chain_cons with (k := d); [lia | exact stream | apply (is_U F) | easy]).
    destruct (table_of_encloses _ hints _ _ _ chain ltac:(cbn; lia) ltac:(lia)) as [g G].
    exists g. refine (table_ext _ _ _ _ _ _ (plus_bias_encloses _ _ _ _ _ G (is_bU F))). intros q j _ _.
    cbn [tD tables_of]. unfold unembedded, mmul. fold d. change (b_U net j) with (entry_of (b_u w) j).
    change (b_O net) with (entry_of (b_o w)). ring.
  Qed.

  Theorem paths_of_encloses c : exists a e g,
    table_encloses (scores (paths_of w c)) v (v + n)
      (fun q i => joined v (tA (tables_of cfg net) q) (tB (tables_of cfg net) q) i + a q)%R
    /\ table_encloses (logits (paths_of w c)) (v + n) v
      (fun i j => joined v (tEV (tables_of cfg net)) (tPV (tables_of cfg net)) i j + e i)%R
    /\ table_encloses (direct (paths_of w c)) v v (fun q j => tD (tables_of cfg net) q j + g q)%R.
  Proof.
    destruct (scores_encloses (score_entries c)) as [a A], (logits_encloses (logit_entries c)) as [e E],
      (direct_encloses (direct_entries c)) as [g G].
    exists a, e, g. split; [exact A | split; [exact E | exact G]].
  Qed.
End Network.
