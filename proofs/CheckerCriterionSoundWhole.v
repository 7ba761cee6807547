(** * Rule `whole` (theorems [whole_pooled], [whole_unpooled]) *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From gbmi Require Import Model Fixed CheckerFast CheckerCertificate CheckerTable CheckerPaths CheckerRules.
From gbmi Require Import CheckerCriterion CheckerCriterionSoundHalves CheckerCriterionSoundView.
From gbmi Require Import CheckerCriterionSoundWindow CheckerCriterionSoundCounts.
From gbmi Require Counting.
Import ListNotations.
Local Open Scope R_scope.

Lemma everything_beyond : (LIMIT < hi everything)%Z.
Proof. reflexivity. Qed.

Local Opaque everything LIMIT add.

(** ** Sums *)

Definition lsum (f : nat -> R) (ps : list nat) : R := fold_right Rplus 0 (map f ps).

Lemma lsum_app f ps ps' : lsum f (ps ++ ps') = lsum f ps + lsum f ps'.
Proof. unfold lsum. induction ps as [|p ps IH]; cbn; [|rewrite IH]; lra. Qed.

Lemma sum_lsum k f : sum k f = lsum f (seq 0 k).
Proof.
  induction k as [|k IH]; [reflexivity|]. rewrite seq_S, lsum_app. cbn [sum]. rewrite IH. unfold lsum. cbn. lra.
Qed.

Lemma lsum_le f g ps : (forall p, In p ps -> f p <= g p) -> lsum f ps <= lsum g ps.
Proof.
  unfold lsum. induction ps as [|p ps IH]; intros H; cbn; [lra|]. specialize (IH (fun p' I => H p' (or_intror I))).
  specialize (H p (or_introl eq_refl)). lra.
Qed.

Lemma lsum_times c f ps : lsum (fun p => f p * c) ps = lsum f ps * c.
Proof. unfold lsum. induction ps as [|p ps IH]; cbn; [|rewrite IH]; lra. Qed.

Definition but_at (p0 : nat) (x : R) (f : nat -> R) (p : nat) : R := if (p =? p0)%nat then x else f p.

Lemma lsum_but_at p0 x f ps : NoDup ps -> In p0 ps -> lsum (but_at p0 x f) ps = lsum f ps - f p0 + x.
Proof.
  assert (forall ps, ~ In p0 ps -> lsum (but_at p0 x f) ps = lsum f ps) as same.
  { clear. unfold lsum, but_at. induction ps as [|p ps IH]; intros N; [reflexivity|]. cbn [map fold_right].
    destruct (Nat.eqb_spec p p0) as [->|]; [destruct N; now left|]. rewrite IH; [reflexivity|]. intros I. apply N.
    now right. }
  induction 1 as [|p ps N D IH]; intros I; [easy|]. destruct I as [->|I].
  - specialize (same ps N). unfold lsum in *. cbn [map fold_right]. rewrite same. unfold but_at. rewrite Nat.eqb_refl.
    lra.
  - specialize (IH I). unfold lsum in *. cbn [map fold_right]. rewrite IH. unfold but_at.
    destruct (Nat.eqb_spec p p0) as [->|]; [easy | lra].
Qed.

Lemma above_fold (I : nat -> ival) (x : nat -> R) : forall ps J y, (forall p, In p ps -> above (I p) (x p)) ->
  above J y ->
  above (fold_left add (map I ps) J) (y + lsum x ps).
Proof.
  induction ps as [|p ps IH]; intros J y H A.
  - unfold lsum. cbn. now rewrite Rplus_0_r.
  - cbn [map fold_left]. replace (y + lsum x (p :: ps)) with (y + x p + lsum x ps) by (unfold lsum; cbn; lra).
    apply IH; [intros; apply H; now right|]. apply above_add; [exact A | apply H; now left].
Qed.

Lemma upper_beyond I : sane I -> (LIMIT < hi I)%Z -> upper I = everything.
Proof.
  intros S L. unfold upper. destruct (new_cases (hi I) (hi I) (Z.le_refl _)) as [_ [E | (_ & _ & H)]]; [exact E | lia].
Qed.

Section Whole.
  Hypothesis mul_encloses : forall x y a b k, encloses_sane x a -> encloses_sane y b ->
    encloses_sane (mul_scaled x y k) (a * b * powerRZ 2 k).

  Variables (V : view) (X : reals).
  Hypothesis V_is : encloses_view V X.
  Let m := the_max (at_max V).
  Let v := vocab (shared V).
  Let n := context (shared V).
  Let q := query V.

  Variable s : answer_set.
  Hypothesis s_wrong : forall j, In j (members v s) -> (j < v)%nat /\ j <> m.
  Let g := margin_of V s.

  Variable size : option nat.
  Let W := window_of V size.
  Let W_ok : window_ok V X W := window_sound V X V_is size.

  Lemma near_or_far t : (t <= m)%nat -> In t (near W) \/ (0 < far W)%nat /\ In t (far_list m W).
  Proof.
    intros T. destruct (among (near W) t) eqn:E; [left; now apply among_iff|]. right.
    assert (In t (far_list m W)) as I.
    { apply (in_far_list V). split; [exact T|]. rewrite <- among_iff, E. discriminate. }
    split; [|exact I]. rewrite (far_count V X W W_ok). fold m. destruct (far_list m W); [easy | cbn; lia].
  Qed.

  Lemma bounds_first {A} (f : nat -> A) d : hd d (map f (near W)) = f m /\ In m (near W).
  Proof. destruct (m_first V X W W_ok) as (rest & ->). split; [reflexivity | now left]. Qed.

  Lemma max_lt : (m < v)%nat.
  Proof. apply (max_below V X V_is). Qed.

  (** What an input of the pair is. *)
  Lemma input_of_pair input : In input (Counting.pair_inputs n m q) ->
    (forall p, (p < n - 1)%nat -> (nth p input O <= m)%nat)
    /\ (q <> m -> exists p, (p < n - 1)%nat /\ nth p input O = m).
  Proof.
    intros I. pose proof (two_positions V X V_is) as N2. pose proof (query_upto V X V_is) as Q. fold m q n in N2, Q.
    destruct (Counting.pair_input n v m q input ltac:(unfold n; lia) (conj Q max_lt) I) as (_ & _ & _ & _ & U & E).
    split; [exact U|]. intros D. apply E. lia.
  Qed.

  (** *** Unpooled *)

  Lemma term_above t p j : (t <= m)%nat -> (p < n - 1)%nat -> In j (members v s) ->
    above (term V g t p) (phi X m j p t).
  Proof.
    intros T P J. destruct (s_wrong j J). pose proof max_lt.
    pose proof (terms_above mul_encloses V X V_is [g] 0 s t p j eq_refl) as A. unfold term.
    specialize (A ltac:(fold v; lia) P ltac:(assumption) J). unfold terms in *. exact A.
  Qed.

  Let bounds_at p := map (fun t => term V g t p) (near W) ++ (if (0 <? far W)%nat then [far_term V W p] else []).

  Lemma bounds_at_above t p j : (t <= m)%nat -> (p < n - 1)%nat -> In j (members v s) ->
    exists I, In I (bounds_at p) /\ above I (phi X m j p t).
  Proof.
    intros T P J. destruct (s_wrong j J). unfold bounds_at. destruct (near_or_far t T) as [I|[F I]].
    - exists (term V g t p). split; [|now apply term_above]. apply in_app_iff. left. apply in_map_iff. now exists t.
    - exists (far_term V W p). split; [|now apply (far_term_above V X V_is mul_encloses W p t j W_ok)].
      apply in_app_iff. right. destruct (Nat.ltb_spec 0 (far W)); [now left | lia].
  Qed.

  Lemma bounds_at_sane p j : (p < n - 1)%nat -> In j (members v s) -> Forall sane (bounds_at p).
  Proof.
    intros P J. destruct (s_wrong j J) as [Jv Jm]. apply Forall_app. split; apply Forall_forall; intros I K.
    - apply in_map_iff in K. destruct K as (t & <- & K).
      exact (above_sane _ _ (term_above t p j (near_upto V X W W_ok t K) P J)).
    - destruct (Nat.ltb_spec 0 (far W)) as [F|F]; [|easy]. destruct K as [<-|[]].
      rewrite (far_count V X W W_ok) in F. fold m in F.
      assert (exists t, In t (far_list m W)) as (t & T) by (destruct (far_list m W) as [|t]; [cbn in F; lia|];
        exists t; now left).
      exact (above_sane _ _ (far_term_above V X V_is mul_encloses W p t j W_ok T P Jv Jm)).
  Qed.

  Theorem whole_unpooled : unpooled_holds V g size = true ->
    forall input j, In input (Counting.pair_inputs n m q) -> In j (members v s) -> input_sum X m q n j input < 0.
  Proof.
    intros H input j I J. destruct (s_wrong j J) as [Jv Jm]. destruct (input_of_pair input I) as [U first].
    set (most := fun p => upper (largest (bounds_at p))). set (at_m := fun p => term V g m p).
    set (sum := fold_left add (map most (seq 0 (n - 1))) (last_term V g)).
    set (gain := largest (map (fun p => sub (at_m p) (most p)) (seq 0 (n - 1)))).
    assert (is_negative sum || negb (q =? m)%nat && is_negative (add sum gain) = true) as H'.
    { revert H. unfold unpooled_holds. fold W n m q. rewrite !map_map. cbn [fst snd].
      change (map (fun p => upper (largest (map (fun t => term V g t p) (near W) ++
        (if (0 <? far W)%nat then [far_term V W p] else [])))) (seq 0 (n - 1))) with (map most (seq 0 (n - 1))).
      fold sum.
      assert (map (fun p => sub (hd everything (map (fun t => term V g t p) (near W))) (upper (largest
        (map (fun t => term V g t p) (near W) ++ (if (0 <? far W)%nat then [far_term V W p] else [])))))
        (seq 0 (n - 1)) = map (fun p => sub (at_m p) (most p)) (seq 0 (n - 1))) as ->.
      { apply map_ext. intros p. now rewrite (proj1 (bounds_first (fun t => term V g t p) everything)). }
      fold gain. destruct (is_negative sum), (q =? m)%nat; cbn; auto. }
    clear H. unfold input_sum. rewrite sum_lsum, Rplus_comm.
    pose proof (last_term_above mul_encloses V X V_is s j Jv J) as Al. fold g m n q in Al.
    set (f := fun p => phi X m j p (nth p input O)).
    assert (forall t p, (t <= m)%nat -> (p < n - 1)%nat -> above (most p) (phi X m j p t)) as Am.
    { intros t p T P. destruct (bounds_at_above t p j T P J) as (K & Ik & A). apply above_upper.
      apply above_largest with K; auto. now apply (bounds_at_sane p j). }
    assert (forall p, In p (seq 0 (n - 1)) -> above (most p) (f p)) as Af.
    { intros p P. apply in_seq in P. apply Am; [apply U|]; lia. }
    apply orb_true_iff in H'. destruct H' as [H|H].
    - refine (above_negative sum _ _ H). now apply above_fold.
    - apply andb_true_iff in H. destruct H as [Q H]. apply negb_true_iff, Nat.eqb_neq in Q.
      destruct (first Q) as (p0 & P0 & E0). refine (above_negative _ _ _ H).
      assert (In p0 (seq 0 (n - 1))) as I0 by (apply in_seq; lia).
      set (mu := high (most p0)). pose proof (encloses_high (most p0) (above_sane _ _ (Af p0 I0))) as [Ua Ub].
      replace (phi_last X m q n j + lsum f (seq 0 (n - 1)))
        with (phi_last X m q n j + lsum (but_at p0 mu f) (seq 0 (n - 1)) + (f p0 - mu))
        by (rewrite lsum_but_at; [lra | apply seq_NoDup | exact I0]).
      apply above_add.
      + apply above_fold; [|exact Al]. intros p P. unfold but_at. destruct (Nat.eqb_spec p p0) as [->|]; auto.
      + assert (forall p, (p < n - 1)%nat -> above (at_m p) (phi X m j p m)) as Ah by (intros; now apply term_above).
        apply above_largest with (sub (at_m p0) (most p0)).
        * apply Forall_forall. intros K Ik. apply in_map_iff in Ik. destruct Ik as (p & <- & P).
          pose proof P as P'. apply in_seq in P. apply sane_sub; [exact (above_sane _ _ (Ah p ltac:(lia))) |].
          exact (above_sane _ _ (Af p P')).
        * apply in_map_iff. now exists p0.
        * apply above_sub; [|exact Ub]. unfold f. rewrite E0. now apply Ah.
  Qed.

  (** *** Pooled *)

  Lemma pooled_above t p j : (t <= m)%nat -> (p < n - 1)%nat -> In j (members v s) ->
    above (pooled V g t) (margin_of_reals X m j p t).
  Proof.
    intros T P J. destruct (s_wrong j J) as [Jv Jm]. unfold pooled.
    set (found := map _ (token_rows (shared V))). destruct (existsb _ found); [apply above_everything|].
    pose proof max_lt as Mv. pose proof (positions_count V X V_is) as C. fold n in C.
    assert (forall p, (p < n - 1)%nat ->
      above (or_everything (difference m s (nth t (nth p (token_rows (shared V)) []) no_row)))
      (logit_of X j p t - logit_of X m p t)) as D.
    { intros p' P'. apply (difference_above V X V_is s _ (fun j => logit_of X j p' t)); auto.
      apply (token_rows_are V X V_is); fold v n; lia. }
    unfold margin_of_reals. apply above_add.
    - apply above_largest with (or_everything (difference m s (nth t (nth p (token_rows (shared V)) []) no_row))).
      + apply Forall_forall. intros K Ik. unfold found in Ik. rewrite map_map in Ik. apply in_map_iff in Ik.
        destruct Ik as (rows & <- & Ir). apply (In_nth _ _ []) in Ir. destruct Ir as (p' & P' & <-).
        exact (above_sane _ _ (D p' ltac:(lia))).
      + unfold found. rewrite map_map. apply in_map_iff. exists (nth p (token_rows (shared V)) []).
        split; [reflexivity|]. apply nth_In. lia.
      + now apply D.
    - unfold g, margin_of. cbn [of_query]. unfold query_margin.
      apply (difference_above V X V_is s _ _ j (query_row_is V X V_is) Jv J).
  Qed.

  Lemma far_pooled_above t p j : (p < n - 1)%nat -> (t < m)%nat -> (j < v)%nat -> j <> m ->
    above (far_margin V (far_token_pooled (at_max V))) (margin_of_reals X m j p t).
  Proof.
    intros P T Jv Jm. unfold far_margin, margin_of_reals. apply above_add; [|now apply (far_query_above V X V_is)].
    assert (far_token_pooled (at_max V) = largest (far_tokens (at_max V))) as ->.
    { rewrite (level_is V X V_is). reflexivity. }
    assert (length (far_tokens (at_max V)) = (n - 1)%nat) as L.
    { rewrite (level_is V X V_is). cbn [level_of far_tokens]. rewrite map_length. apply (positions_count V X V_is). }
    apply above_largest with (get (far_tokens (at_max V)) p).
    - apply Forall_forall. intros K Ik. apply (In_nth _ _ everything) in Ik. destruct Ik as (p' & P' & <-).
      exact (above_sane _ _ (far_tokens_above V X V_is p' t j ltac:(fold n; lia) T Jv Jm)).
    - apply nth_In. lia.
    - now apply (far_tokens_above V X V_is).
  Qed.

  Let bounded t (y : ival) := fast_mul_scaled (alpha (source_at V t)) y (shift V (source_at V t)).

  Lemma bounded_above t p j : (t <= m)%nat -> (p < n - 1)%nat -> In j (members v s) ->
    above (bounded t (pooled V g t)) (by_token_of X t * margin_of_reals X m j p t).
  Proof.
    intros T P J. unfold bounded. rewrite fast_mul_scaled_eq, <- (back_in_units V _ _ t). pose proof max_lt.
    apply (mul_above mul_encloses); [apply (alphas_are V X V_is); fold v; lia | | now apply pooled_above].
    apply quotient_nonneg, (by_token_pos V X V_is).
  Qed.

  Theorem whole_pooled : pooled_holds V g size = true ->
    forall input j, In input (Counting.pair_inputs n m q) -> In j (members v s) -> input_sum X m q n j input < 0.
  Proof.
    intros H input j I J. destruct (s_wrong j J) as [Jv Jm]. destruct (input_of_pair input I) as [U first].
    pose proof max_lt as Mv. pose proof (two_positions V X V_is) as N2. fold n in N2.
    unfold pooled_holds in H. fold W m q in H.
    set (bounds := map (fun t => bounded t (pooled V g t)) (near W)) in H.
    change (map (fun t => fast_mul_scaled (alpha (source_at V t)) (pooled V g t) (shift V (source_at V t))) (near W))
      with bounds in H.
    assert (hd everything bounds = bounded m (pooled V g m) /\ In m (near W)) as [Em Im] by apply bounds_first.
    rewrite Em in H. set (at_m := bounded m (pooled V g m)) in *.
    (* Bounds of every token, far ones included. *)
    assert (exists far_bounds, is_negative (add
        (let most := upper (largest (bounds ++ far_bounds)) in
         let sum := fast_mul (beta_sum (own V)) most in
         if (q <? m)%nat then add sum (fast_mul (beta_min (own V)) (sub at_m most)) else sum) (last_term V g)) = true
      /\ Forall sane (bounds ++ far_bounds)
      /\ forall t p, (t <= m)%nat -> (p < n - 1)%nat -> exists K, In K (bounds ++ far_bounds)
         /\ above K (by_token_of X t * margin_of_reals X m j p t)) as (far_bounds & Hn & Sane & Ab).
    { assert (Forall sane bounds) as Sb.
      { apply Forall_forall. intros K Ik. apply in_map_iff in Ik. destruct Ik as (t & <- & Ik).
        exact (above_sane _ _ (bounded_above t 0 j (near_upto V X W W_ok t Ik) ltac:(lia) J)). }
      assert (forall t p, In t (near W) -> (p < n - 1)%nat ->
        In (bounded t (pooled V g t)) bounds
        /\ above (bounded t (pooled V g t)) (by_token_of X t * margin_of_reals X m j p t))
        as Nb.
      { intros t p It P. split; [apply in_map_iff; now exists t|].
        apply bounded_above; auto. apply (near_upto V X W W_ok t It). }
      destruct (Nat.ltb_spec 0 (far W)) as [F|F].
      - destruct (strongest_far W) as [st|] eqn:Es; [|discriminate].
        set (far_bound := imax (fast_mul_scaled (alpha (source_at V st)) (far_margin V (far_token_pooled (at_max V)))
          (shift V (source_at V st))) zero) in H.
        assert (forall t p, In t (far_list m W) -> (p < n - 1)%nat ->
          above far_bound (by_token_of X t * margin_of_reals X m j p t)) as Fb.
        { intros t p It P. destruct (strongest V X W W_ok st t Es It) as [_ A].
          apply (far_above V mul_encloses) with (u := by_token_of X t) (y := margin_of_reals X m j p t); auto.
          - apply (by_token_pos V X V_is).
          - apply far_pooled_above; auto. apply (far_lt V X W t W_ok It). }
        exists [far_bound]. split; [exact H|]. split.
        + apply Forall_app. split; [exact Sb|]. constructor; [|constructor].
          rewrite (far_count V X W W_ok) in F. fold m in F.
          assert (exists t, In t (far_list m W)) as (t & T)
            by (destruct (far_list m W) as [|t]; [cbn in F; lia|]; exists t; now left).
          exact (above_sane _ _ (Fb t 0%nat T ltac:(lia))).
        + intros t p T P. destruct (near_or_far t T) as [It|[_ It]].
          * exists (bounded t (pooled V g t)). rewrite in_app_iff. destruct (Nb t p It P). auto.
          * exists far_bound. rewrite in_app_iff. split; [right; now left | now apply Fb].
      - exists []. split; [exact H|]. rewrite app_nil_r. split; [exact Sb|]. intros t p T P.
        destruct (near_or_far t T) as [It|[F' _]]; [|lia]. exists (bounded t (pooled V g t)). now apply Nb. }
    clear H. revert Hn. cbv zeta. set (L := largest (bounds ++ far_bounds)).
    assert (sane L) as SL by (now apply sane_largest). pose proof (encloses_high _ (sane_upper L SL)) as Um.
    assert (forall t p, (t <= m)%nat -> (p < n - 1)%nat -> above L (by_token_of X t * margin_of_reals X m j p t)) as AL.
    { intros t p T P. destruct (Ab t p T P) as (K & Ik & A). now apply above_largest with K. }
    assert (hi at_m <= hi L)%Z as Le by (apply hi_largest, in_app_iff; left; apply in_map_iff; now exists m).
    assert (forall p, (p < n - 1)%nat -> above at_m (by_token_of X m * margin_of_reals X m j p m)) as AF
      by (intros; now apply bounded_above).
    assert (sane at_m) as SF by exact (above_sane _ _ (AF 0%nat ltac:(lia))).
    pose proof (last_term_above mul_encloses V X V_is s j Jv J) as Al. fold g m n q in Al.
    destruct (beta_min_is V X V_is) as (least & Bl & Bmin). fold n in Bmin.
    pose proof (beta_sum_is V X V_is) as Bs. fold n in Bs. fold (lsum (by_position_of X) (seq 0 (n - 1))) in Bs.
    pose proof (query_upto V X V_is) as Qm. fold m q in Qm.
    intros Hn. refine (above_negative _ _ _ Hn). unfold input_sum. apply above_add; [|exact Al].
    rewrite sum_lsum. set (f := fun p => phi X m j p (nth p input O)).
    rewrite !fast_mul_eq. unfold mul.
    destruct (Z.le_gt_cases (hi L) LIMIT) as [Lim|Lim].
    2:{ (* No bound at all. *)
      rewrite (upper_beyond L SL Lim). rewrite (mul_beyond (beta_sum (own V)) everything)
        by (right; left; pose proof everything_beyond; lia).
      destruct (q <? m)%nat; [|apply above_everything].
      set (K := mul_scaled _ _ _). replace (lsum f (seq 0 (n - 1)))
        with (lsum f (seq 0 (n - 1)) - high K + high K) by lra.
      apply above_add; [apply above_everything|]. apply encloses_high. apply (sane_mul mul_encloses).
      - exact (above_sane _ _ (proj1 Bl)).
      - apply sane_sub; [exact SF | apply sane_everything]. }
    set (M := high (upper L)) in *.
    assert (M = high L) as EM.
    { unfold M, high, upper. destruct (new_cases (hi L) (hi L) (Z.le_refl _)) as [_ [E | (E & _)]].
      - exfalso. unfold new in E. destruct SL. destruct (Z.leb_spec (- LIMIT) (hi L)); [|lia].
        destruct (Z.leb_spec (hi L) LIMIT); [|lia]. cbn [andb] in E. apply (f_equal hi) in E. cbn [hi] in E.
        rewrite E in Lim. pose proof everything_beyond. lia.
      - now rewrite E. }
    assert (forall p, In p (seq 0 (n - 1)) -> f p <= by_position_of X p * M) as Upto.
    { intros p P. apply in_seq in P. unfold f, phi, weight_of.
      pose proof (above_high _ _ (AL (nth p input O) p (U p ltac:(lia)) ltac:(lia)) Lim).
      pose proof (by_position_pos V X V_is p). rewrite EM. nra. }
    assert (forall x y, encloses_sane x y -> above (mul_scaled (beta_sum (own V)) x 0)
      (lsum (by_position_of X) (seq 0 (n - 1)) * y)) as Mul0.
    { intros x y E. rewrite <- (Rmult_1_r (_ * y)). exact (proj1 (mul_encloses _ _ _ _ 0%Z Bs E)). }
    destruct (Nat.ltb_spec q m) as [Qlt|Qge].
    - destruct (first ltac:(lia)) as (p0 & P0 & E0). assert (In p0 (seq 0 (n - 1))) as I0 by (apply in_seq; lia).
      set (F := high at_m). pose proof (encloses_high at_m SF) as [Fa Fb]. fold F in Fa, Fb.
      assert (F <= M) as FM.
      { unfold F. rewrite EM. unfold high. apply IZR_le in Le. pose proof unit_pos. unfold Rdiv.
        apply Rmult_le_compat_r; [apply Rlt_le, Rinv_0_lt_compat; assumption | exact Le]. }
      apply above_le with (lsum (by_position_of X) (seq 0 (n - 1)) * M + least * (F - M)).
      + apply Rle_trans with (lsum (but_at p0 (by_position_of X p0 * F) (fun p => by_position_of X p * M))
          (seq 0 (n - 1))).
        * apply lsum_le. intros p P. unfold but_at. destruct (Nat.eqb_spec p p0) as [->|]; [|auto].
          unfold f, phi, weight_of. rewrite E0.
          pose proof (above_high _ _ (AF p0 P0) ltac:(lia)) as Fm. fold F in Fm.
          pose proof (by_position_pos V X V_is p0). nra.
        * rewrite lsum_but_at; [|apply seq_NoDup | exact I0]. rewrite lsum_times. specialize (Bmin p0 P0). nra.
      + apply above_add; [now apply Mul0|]. rewrite <- (Rmult_1_r (least * _)).
        apply (proj1 (mul_encloses _ _ _ _ 0%Z Bl
          (conj (above_sub _ _ _ _ Fa (proj2 Um)) (below_sub _ _ _ _ Fb (proj1 Um))))).
    - apply above_le with (lsum (by_position_of X) (seq 0 (n - 1)) * M); [|now apply Mul0].
      rewrite <- lsum_times. now apply lsum_le.
  Qed.
End Whole.
