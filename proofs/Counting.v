(** * Counting inputs (docs/theory.md, T3).

    The inputs are those of all pairs of a maximum m and a query q <= m, each once; what is established for every pair
    adds up to a claim about all inputs. *)

From Coq Require Import Reals List Arith ZArith Lia Bool Permutation.
From gbmi Require Export Theory TheoryBounds.
Import ListNotations.

(** ** Counting in lists *)

Definition count {A} (P : A -> bool) (l : list A) : nat := length (filter P l).

Lemma count_permutation {A} (P : A -> bool) l l' : Permutation l l' -> count P l = count P l'.
Proof.
  unfold count. induction 1 as [| x l l' _ IH | x y l | l l' l'' _ IH _ IH']; cbn; [easy | | | congruence].
  - destruct (P x); cbn; now rewrite IH.
  - now destruct (P x), (P y).
Qed.

Lemma count_flat_map {A B} (P : B -> bool) (f : A -> list B) l :
  count P (flat_map f l) = list_sum (map (fun a => count P (f a)) l).
Proof.
  induction l as [|a l IH]; [easy|]. cbn [flat_map]. unfold count at 1. rewrite filter_app, app_length.
  fold (count P (f a)) (count P (flat_map f l)). now rewrite IH.
Qed.

Lemma count_map {A B} (P : B -> bool) (f : A -> B) l : count P (map f l) = count (fun a => P (f a)) l.
Proof. unfold count. induction l as [|a l IH]; cbn; [easy|]. destruct (P (f a)); cbn; now rewrite IH. Qed.

Lemma count_negb {A} (P : A -> bool) l : count P l + count (fun a => negb (P a)) l = length l.
Proof. unfold count. induction l as [|a l IH]; cbn; [easy|]. destruct (P a); cbn; lia. Qed.

Lemma count_none {A} (l : list A) : count (fun _ => false) l = 0.
Proof. induction l; easy. Qed.

Lemma count_le {A} (P Q : A -> bool) l : (forall a, In a l -> P a = true -> Q a = true) -> count P l <= count Q l.
Proof.
  unfold count. induction l as [|a l IH]; cbn; intros H; [lia|].
  assert (length (filter P l) <= length (filter Q l)) by (apply IH; auto).
  destruct (P a) eqn:E; [rewrite (H a) by auto | destruct (Q a)]; cbn; lia.
Qed.

(** What fails some test is counted by the tests that it fails. *)
Lemma count_union {A G} (P : A -> bool) (F : G -> A -> bool) groups l :
  (forall a, In a l -> P a = true -> exists g, In g groups /\ F g a = true) ->
  count P l <= list_sum (map (fun g => count (F g) l) groups).
Proof.
  revert P. induction groups as [|g groups IH]; intros P H.
  - change (count P l <= 0). rewrite <- (count_none l). apply count_le.
    intros a L E. now destruct (H a L E) as (g & [] & _).
  - apply Nat.le_trans with (count (F g) l + count (fun a => P a && negb (F g a)) l).
    + clear. unfold count. induction l as [|a l IH]; cbn; [lia|]. destruct (P a), (F g a); cbn; lia.
    + apply Nat.add_le_mono_l, IH. intros a L [E N]%andb_true_iff. destruct (H a L E) as (g' & [<-|G'] & E').
      * now rewrite E' in N.
      * eauto.
Qed.

(** So all others pass: what is certified by a partition is counted by its groups' failures. *)
Lemma count_passing {A G} (P : A -> bool) (F : G -> A -> bool) groups l :
  (forall a, In a l -> (forall g, In g groups -> F g a = false) -> P a = true) ->
  length l - list_sum (map (fun g => count (F g) l) groups) <= count P l.
Proof.
  intros H. rewrite <- (count_negb P).
  enough (count (fun a => negb (P a)) l <= list_sum (map (fun g => count (F g) l) groups)) by lia.
  apply count_union. intros a L N%negb_true_iff.
  destruct (existsb (fun g => F g a) groups) eqn:E; [now apply existsb_exists in E|].
  rewrite H in N; [easy | exact L |]. intros g Hg. destruct (F g a) eqn:Fg; [|easy].
  rewrite <- E. symmetry. apply existsb_exists. eauto.
Qed.

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

(** ** The inputs of a pair *)

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

(** Does every input with these tokens before query q have m as its maximum? *)
Definition holds_maximum (m q : nat) (s : list nat) : bool := (q =? m) || existsb (Nat.eqb m) s.

(** What stands before query q <= m in the inputs whose maximum is m. *)
Definition pair_inputs (n m q : nat) : list (list nat) := filter (holds_maximum m q) (sequences (m + 1) (n - 1)).

Lemma existsb_maximum m s : existsb (Nat.eqb m) s = true <-> In m s.
Proof.
  rewrite existsb_exists. split; [intros (t & H & ->%Nat.eqb_eq) | exists m; rewrite Nat.eqb_refl]; auto.
Qed.

Lemma pair_inputs_length n m q :
  length (pair_inputs n m q) = (m + 1) ^ (n - 1) - (if q =? m then 0 else m ^ (n - 1)).
Proof.
  pose proof (count_negb (holds_maximum m q) (sequences (m + 1) (n - 1))) as all. rewrite sequences_length in all.
  unfold pair_inputs. fold (count (holds_maximum m q) (sequences (m + 1) (n - 1))).
  enough (count (fun s => negb (holds_maximum m q s)) (sequences (m + 1) (n - 1)) = if q =? m then 0 else m ^ (n - 1))
    by lia.
  unfold holds_maximum. destruct (q =? m); [apply count_none|]. cbn [orb].
  (* Without an m, they are the sequences of tokens below m. *)
  rewrite <- sequences_length. apply Permutation_length, NoDup_Permutation.
  - apply NoDup_filter, sequences_NoDup.
  - apply sequences_NoDup.
  - intros s. rewrite filter_In, !in_sequences, negb_true_iff, <- not_true_iff_false, existsb_maximum, !Forall_forall.
    split.
    + intros ((L & F) & N). split; [exact L|]. intros t H. specialize (F t H). destruct (Nat.eq_dec t m); [|lia].
      now subst t.
    + intros (L & F). repeat split; [exact L | intros t H; specialize (F t H); lia | intros H; specialize (F m H); lia].
Qed.

(** An input of the pair (q, m): its length, its tokens, its maximum and its query. *)
Lemma pair_input n v m q s : 1 <= n -> q <= m < v -> In s (pair_inputs n m q) ->
  In (s ++ [q]) (sequences v n) /\ answer (s ++ [q]) = m /\ token (s ++ [q]) (n - 1) = q /\ length s = n - 1
  /\ (forall p, p < n - 1 -> nth p s 0 <= m) /\ (q < m -> exists p, p < n - 1 /\ nth p s 0 = m).
Proof.
  intros N [Q M] [[L F]%in_sequences H]%filter_In. rewrite Forall_forall in F.
  repeat split.
  - apply in_sequences. rewrite app_length, Forall_app, Forall_forall. cbn. repeat split; [lia | |].
    + intros t T. specialize (F t T). lia.
    + repeat constructor. lia.
  - apply Nat.le_antisymm.
    + apply list_max_le, Forall_app. split; [|repeat constructor; lia].
      apply Forall_forall. intros t T. specialize (F t T). lia.
    + apply list_max_most, in_app_iff. apply orb_true_iff in H as [->%Nat.eqb_eq|H%existsb_maximum]; cbn; auto.
  - unfold token. now rewrite <- L, nth_middle.
  - exact L.
  - intros p P. assert (nth p s 0 < m + 1) by (apply F, nth_In; lia). lia.
  - intros less. apply orb_true_iff in H as [H%Nat.eqb_eq|H%existsb_maximum]; [lia|].
    apply In_nth with (d := 0) in H as (p & P & E). exists p. split; [lia | exact E].
Qed.

(** *** What decides about an input of a pair *)

Section Pair.
  Variables (T : tables) (n v m q : nat) (s : list nat).
  Hypotheses (positions : 1 <= n) (below : q <= m < v) (in_pair : In s (pair_inputs n m q)).

  (** The free positions, and the last one. *)
  Lemma phi_pair j : phi T n m j (s ++ [q])
    = (sum (n - 1) (fun p => term T q m j (nth p s 0%nat) p) + term T q m j q (n - 1))%R.
  Proof.
    destruct (pair_input n v m q s positions below in_pair) as (_ & _ & last & L & _).
    unfold phi. rewrite last. replace n with (S (n - 1)) at 1 by lia. cbn [sum]. rewrite last. f_equal.
    apply sum_ext. intros p P. unfold token. now rewrite app_nth1 by lia.
  Qed.

  (** Groups of answers with bounds [f t p] of their terms at the free positions and one at the last, in any unit. *)
  Theorem pair_right (unit : R) (groups : list ((nat -> Prop) * (nat -> nat -> R) * R)) : (0 < unit)%R ->
    (forall j, j < v -> j <> m -> exists G f last, In (G, f, last) groups /\ G j) ->
    (forall G f last j, In (G, f, last) groups -> j < v -> j <> m -> G j ->
      (forall t p, t <= m -> p < n - 1 -> (unit * term T q m j t p <= f t p)%R)
      /\ (unit * term T q m j q (n - 1) <= last)%R) ->
    (forall G f last, In (G, f, last) groups -> (sum (n - 1) (fun p => f (nth p s 0%nat) p) + last < 0)%R) ->
    right T v n (s ++ [q]).
  Proof.
    intros U cover bound negative j J.
    destruct (pair_input n v m q s positions below in_pair) as (_ & -> & _ & _ & upto & _). intros N.
    destruct (cover j J N) as (G & f & last & In & Gj). destruct (bound _ _ _ _ In J N Gj) as [free at_last].
    specialize (negative _ _ _ In). rewrite phi_pair.
    apply Rmult_lt_reg_l with (1 := U). rewrite Rmult_plus_distr_l, <- sum_scale, Rmult_0_r.
    apply Rle_lt_trans with (2 := negative), Rplus_le_compat; [|exact at_last]. apply sum_le. auto.
  Qed.

  (** One wrong answer with lower bounds of its terms. *)
  Theorem pair_wrong (unit : R) (j : nat) (f : nat -> nat -> R) (last : R) : (0 < unit)%R -> j < v -> j <> m ->
    (forall t p, t <= m -> p < n - 1 -> (f t p <= unit * term T q m j t p)%R) ->
    (last <= unit * term T q m j q (n - 1))%R ->
    (0 <= sum (n - 1) (fun p => f (nth p s 0%nat) p) + last)%R ->
    ~ right T v n (s ++ [q]).
  Proof.
    intros U J N free at_last least H. specialize (H j J).
    destruct (pair_input n v m q s positions below in_pair) as (_ & M & _ & _ & upto & _).
    rewrite M in H. specialize (H N). rewrite phi_pair in H.
    apply Rmult_lt_compat_l with (1 := U) in H. rewrite Rmult_plus_distr_l, <- sum_scale, Rmult_0_r in H.
    apply (Rle_not_lt _ _ least), Rle_lt_trans with (2 := H), Rplus_le_compat; [|exact at_last].
    apply sum_le. auto.
  Qed.
End Pair.

(** ** All inputs, pair by pair *)

Definition pair_sequences (v n : nat) : list (list nat) :=
  flat_map (fun m => flat_map (fun q => map (fun s => s ++ [q]) (pair_inputs n m q)) (seq 0 (S m))) (seq 0 v).

Lemma in_pair_sequences v n x : In x (pair_sequences v n) <->
  exists m q s, q <= m < v /\ In s (pair_inputs n m q) /\ x = s ++ [q].
Proof.
  unfold pair_sequences. rewrite in_flat_map. split.
  - intros (m & M & (q & Q & (s & <- & S)%in_map_iff)%in_flat_map). apply in_seq in M, Q. exists m, q, s.
    repeat split; auto; lia.
  - intros (m & q & s & B & S & ->). exists m. rewrite in_seq, in_flat_map. split; [lia|]. exists q.
    rewrite in_seq. split; [lia|]. now apply (in_map (fun s => s ++ [q])).
Qed.

Lemma pair_sequences_all v n : 1 <= n -> Permutation (sequences v n) (pair_sequences v n).
Proof.
  intros N. apply NoDup_Permutation; [apply sequences_NoDup | |].
  - apply (NoDup_flat_map answer); [apply seq_NoDup | |].
    + intros m _. apply (NoDup_flat_map (fun x => last x 0)); [apply seq_NoDup | |].
      * intros q _. apply FinFun.Injective_map_NoDup; [|apply NoDup_filter, sequences_NoDup].
        intros s s' E. now apply app_inv_tail in E.
      * intros q x _ (s & <- & _)%in_map_iff. apply last_last.
    + intros m x M (q & Q & (s & <- & S)%in_map_iff)%in_flat_map. apply in_seq in M, Q.
      apply (pair_input n v m q s); auto; lia.
  - intros x. rewrite in_pair_sequences. split.
    + intros X. pose proof (answer_below v n x N X) as M. apply in_sequences in X as [L F].
      destruct (exists_last (l := x)) as (s & q & ->); [now intros -> ; cbn in L; lia|].
      pose proof (list_max_most (s ++ [q])) as most. pose proof (list_max_in (s ++ [q])) as attained.
      fold (answer (s ++ [q])) in most, attained. set (m := answer (s ++ [q])) in *.
      exists m, q, s. repeat split; [apply most, in_app_iff; cbn; auto | exact M |].
      apply filter_In. split.
      * apply in_sequences. rewrite app_length in L. cbn in L. split; [lia|]. apply Forall_forall. intros t T.
        assert (t <= m) by (apply most, in_app_iff; auto). lia.
      * unfold holds_maximum. apply orb_true_iff.
        destruct (in_app_or _ _ _ (attained ltac:(now destruct s))) as [H|[H|[]]];
          [right; now apply existsb_maximum | left; now apply Nat.eqb_eq].
    + intros (m & q & s & B & S & ->). now apply (pair_input n v m q s).
Qed.

(** T3: every input is one of one pair. *)
Theorem count_by_pairs v n P : 1 <= n ->
  count P (sequences v n)
  = list_sum (map (fun m => list_sum (map (fun q => count (fun s => P (s ++ [q])) (pair_inputs n m q)) (seq 0 (S m))))
      (seq 0 v)).
Proof.
  intros N. rewrite (count_permutation P _ _ (pair_sequences_all v n N)). unfold pair_sequences.
  rewrite count_flat_map. f_equal. apply map_ext. intros m. rewrite count_flat_map. f_equal. apply map_ext. intros q.
  apply count_map.
Qed.

(** ** Adding up *)

(** The sum over all pairs of a query and a maximum, [q <= m < v]. *)
Definition sum_Z (l : list nat) (f : nat -> Z) : Z := fold_right Z.add 0%Z (map f l).
Definition pair_sum (v : nat) (f : nat -> nat -> Z) : Z :=
  sum_Z (seq 0 v) (fun m => sum_Z (seq 0 (S m)) (fun q => f q m)).

Lemma sum_Z_le l f g : (forall a, In a l -> f a <= g a)%Z -> (sum_Z l f <= sum_Z l g)%Z.
Proof. unfold sum_Z. induction l as [|a l IH]; cbn; intros H; [lia|]. apply Z.add_le_mono; auto. Qed.

Lemma sum_Z_of_nat l f : Z.of_nat (list_sum (map f l)) = sum_Z l (fun a => Z.of_nat (f a)).
Proof. unfold sum_Z. induction l as [|a l IH]; cbn; [easy|]. now rewrite Nat2Z.inj_add, <- IH. Qed.

Lemma pair_sum_le v f g : (forall q m, q <= m < v -> (f q m <= g q m)%Z) -> (pair_sum v f <= pair_sum v g)%Z.
Proof.
  intros H. apply sum_Z_le. intros m M%in_seq. apply sum_Z_le. intros q Q%in_seq. apply H. lia.
Qed.

Lemma count_pair_sum v n P : 1 <= n ->
  Z.of_nat (count P (sequences v n))
  = pair_sum v (fun q m => Z.of_nat (count (fun s => P (s ++ [q])) (pair_inputs n m q))).
Proof.
  intros N. rewrite (count_by_pairs v n P N), sum_Z_of_nat. unfold pair_sum, sum_Z at 1 2. f_equal. apply map_ext.
  intros m. apply sum_Z_of_nat.
Qed.

(** Lower bounds of the right and of the wrong inputs of every pair bound the right inputs from both sides. *)
Theorem certified_count v n (P : list nat -> bool) (certified wrong : nat -> nat -> Z) : 1 <= n ->
  (forall q m, q <= m < v -> (certified q m <= Z.of_nat (count (fun s => P (s ++ [q])) (pair_inputs n m q)))%Z) ->
  (forall q m, q <= m < v -> (wrong q m <= Z.of_nat (count (fun s => negb (P (s ++ [q]))) (pair_inputs n m q)))%Z) ->
  (pair_sum v certified <= Z.of_nat (count P (sequences v n))
   <= Z.of_nat v ^ Z.of_nat n - pair_sum v wrong)%Z.
Proof.
  intros N C W. apply pair_sum_le in C, W.
  rewrite <- count_pair_sum in C by exact N. rewrite <- (count_pair_sum v n (fun x => negb (P x))) in W by exact N.
  rewrite <- Nat2Z.inj_pow, <- (sequences_length v n), <- (count_negb P). lia.
Qed.

(** ** The network's inputs *)

Definition answered (cfg : config) (net : network) (x : list nat) : bool :=
  if correct_dec cfg net x then true else false.

Lemma answered_right cfg net x : 1 <= n_ctx cfg ->
  answered cfg net x = true <-> right (tables_of cfg net) (d_vocab cfg) (n_ctx cfg) x.
Proof.
  intros N. rewrite <- correct_iff_right by exact N. unfold answered. destruct (correct_dec cfg net x); easy.
Qed.

Lemma answered_wrong cfg net x : 1 <= n_ctx cfg ->
  negb (answered cfg net x) = true <-> ~ right (tables_of cfg net) (d_vocab cfg) (n_ctx cfg) x.
Proof.
  intros N. rewrite <- answered_right by exact N. now rewrite negb_true_iff, not_true_iff_false.
Qed.

Corollary certified_correct cfg net (certified wrong : nat -> nat -> Z) : 1 <= n_ctx cfg ->
  let pair q m := pair_inputs (n_ctx cfg) m q in
  (forall q m, q <= m < d_vocab cfg ->
    (certified q m <= Z.of_nat (count (fun s => answered cfg net (s ++ [q])) (pair q m)))%Z) ->
  (forall q m, q <= m < d_vocab cfg ->
    (wrong q m <= Z.of_nat (count (fun s => negb (answered cfg net (s ++ [q]))) (pair q m)))%Z) ->
  (pair_sum (d_vocab cfg) certified <= Z.of_nat (count_correct cfg net)
   <= Z.of_nat (d_vocab cfg) ^ Z.of_nat (n_ctx cfg) - pair_sum (d_vocab cfg) wrong)%Z.
Proof. intros N. apply (certified_count _ _ (answered cfg net)). exact N. Qed.
