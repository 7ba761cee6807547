(** * Rule `whole` (theorems [whole_pooled], [whole_unpooled], [whole_wrong]) *)

From Coq Require Import Reals ZArith List Bool Lia Lra.
From gbmi Require Import Model Fixed CheckerFast CheckerCertificate CheckerTable CheckerPaths CheckerRules
  CheckerLevels.
From gbmi Require Import CheckerCriterion CheckerLevelsSound CheckerTreeSound.
From gbmi Require Import CheckerCriterionSoundHalves CheckerCriterionSoundView.
From gbmi Require Import CheckerCriterionSoundWindow CheckerCriterionSoundCounts.
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

Lemma upper_beyond I : sane I -> (LIMIT < hi I)%Z -> upper I = everything.
Proof.
  intros S L. unfold upper. destruct (new_cases (hi I) (hi I) (Z.le_refl _)) as [_ [E | (_ & _ & H)]]; [exact E | lia].
Qed.

Section Whole.
  Hypothesis mul_encloses : forall x y a b k, encloses_sane x a -> encloses_sane y b ->
    encloses_sane (mul_scaled x y k) (a * b * powerRZ 2 k).

  Variables (V : view) (X : reals).
  Hypothesis V_is : encloses_view V X.
  Let L := the_level V.
  Let r := right_of V.
  Let v := vocab (shared V).
  Let n := context (shared V).
  Let q := query V.

  Variable s : answer_set.
  Hypothesis s_wrong : forall j, In j (members v s) -> (j < v)%nat /\ j <> r.
  Let g := margin_of V s.

  Variable size : option nat.
  Let W := window_of V size.
  Let W_ok : window_ok V X W := window_sound V X V_is size.

  (** *** By the bounds of a walk *)

  Lemma one_set_wrong s' j : In s' [s] -> In j (members v s') -> (j < v)%nat /\ j <> r.
  Proof. intros [<-|[]]. apply s_wrong. Qed.

  (** Every input's sum is bounded: no position is left out. *)
  Theorem whole_unpooled : unpooled_holds V g size = true ->
    forall input j, In input (inputs_of V) -> In j (members v s) -> input_sum X r q n j input < 0.
  Proof.
    intros H input j I J. destruct (s_wrong j J) as [Jv Jr].
    pose proof (outcome_input V X j input (input_length V X V_is input I)) as E. fold r q n in E. rewrite <- E.
      refine (above_negative _ _ _ H).
    apply (total_most _ (answers_of V [s]) (shows_of V [s] W false) _ (tokens_layers V W (in_order v [] (pieces W)))).
    - exact (view_follows mul_encloses V X V_is [s] one_set_wrong W false [] W_ok).
    - now apply (input_completed V X V_is W []).
    - exact J.
    - now apply (last_term_above mul_encloses V X V_is).
  Qed.

  Theorem whole_wrong : wrong_holds V g size = true ->
    exists j, In j (members v s) /\ forall input, In input (inputs_of V) -> 0 <= input_sum X r q n j input.
  Proof.
    unfold wrong_holds. intros [one H]%andb_true_iff.
    assert (exists j, s = One j) as (j & Es).
    { unfold is_one, g in one. cbn [set margin_of] in one. clear - one. destruct s as [j|];
      [now exists j | discriminate]. }
    assert (In j (members v s)) as J by (rewrite Es; now left). exists j. split; [exact J|]. intros input I.
    destruct (s_wrong j J) as [Jv Jr].
    pose proof (outcome_input V X j input (input_length V X V_is input I)) as E. fold r q n in E. rewrite <- E.
    refine (below_nonnegative _ _ _ H).
    apply (total_least _ (answers_of V [s]) (shows_of V [s] W true) _ (tokens_layers V W (in_order v [] (pieces W)))).
    - exact (view_follows mul_encloses V X V_is [s] one_set_wrong W true [] W_ok).
    - now apply (input_completed V X V_is W []).
    - exact J.
    - cbn [shows_of map nth]. now rewrite orb_true_r.
    - unfold g. rewrite Es. now apply (last_term_below mul_encloses V X V_is).
  Qed.

  (** *** Pooled *)

  Lemma near_or_far c t : In c (free V) -> In t (class_of L c) ->
    In t (concat (near W)) \/ any_far W = true /\ In t (far_list V W c).
  Proof.
    intros F T. destruct (in_dec Nat.eq_dec t (near_in W c)) as [I|N].
    - left. apply in_concat. exists (near_in W c). split; [|exact I]. unfold near_in in *.
      destruct (nth_in_or_default c (near W) []) as [J|E]; [exact J|]. rewrite E in I. destruct I.
    - right. assert (In t (far_list V W c)) as I by now apply (in_far_list V).
      split; [|exact I]. pose proof (far_count _ _ _ W_ok c) as C. unfold far_in in C.
      destruct (any_far W) eqn:A; [reflexivity|]. pose proof (far_none W c A) as Z. unfold far_in in Z.
      rewrite Z in C. destruct (far_list V W c); [destruct I | discriminate].
  Qed.

  Lemma near_token t : In t (concat (near W)) -> exists c, In c (free V) /\ In t (class_of L c).
  Proof.
    intros I. apply in_concat in I. destruct I as (ts & I & T). apply (In_nth _ _ []) in I. destruct I as (c & _ & <-).
    exists c. exact (near_free _ _ _ W_ok c t T).
  Qed.

  Lemma class_token_below c t : In t (class_of L c) -> (t < v)%nat.
  Proof. apply (tokens_below _ _ _ (level_is_ok V X V_is)). Qed.

  (** Every input holds the obligatory token. *)
  Lemma obligatory_token_held t : obligatory_token V = Some t ->
    (exists c, In c (free V) /\ class_of L c = [t])
    /\ forall input, In input (inputs_of V) -> exists p, (p < n - 1)%nat /\ nth p input O = t.
  Proof.
    unfold obligatory_token. fold (the_level V) L. destruct (filter _ (free V)) as [|c cs] eqn:E; [discriminate|].
    assert (In c (filter (fun c => is_single (class_of L c) && obligatory V c) (free V))) as I
      by (rewrite E; now left). apply filter_In in I. destruct I as [F [S O]%andb_true_iff].
    destruct (class_of L c) as [|t' [|]] eqn:C; try discriminate. cbn [hd_error]. intros [= <-].
    split; [now exists c|]. intros input I.
    destruct (without_class_completions _ _ c _ _ _ I) as [(p & P & T)|N].
    - exists p. rewrite (free_moves_length _ _ _ (level_is_ok V X V_is)) in P. split; [exact P|].
      fold L in T. rewrite C in T. now destruct T as [<-|[]].
    - exfalso. unfold obligatory in O. apply Z.eqb_eq in O. fold (the_level V) L in O.
      destruct (moves_left L (query V) (without_class c (free_moves L))) as [left all] eqn:M.
      destruct (moves_left_inputs _ _ _ _ _ M) as [A _]. cbn [snd] in O. rewrite O in A.
      fold L in N. unfold L in *. destruct (completions _ _ (without_class c _) 0); [destruct N | discriminate].
  Qed.

  Lemma pooled_above t p j : (t < v)%nat -> (p < n - 1)%nat -> In j (members v s) ->
    above (pooled V g t) (margin_of_reals X r j p t).
  Proof.
    intros T P J. destruct (s_wrong j J) as [Jv Jr]. unfold pooled. fold (the_level V) L.
      change (right_answer L) with r.
    set (found := map _ (token_rows (shared V))). destruct (existsb _ found); [apply above_everything|].
    pose proof (positions_count V X V_is) as C. fold n in C.
    assert (forall p, (p < n - 1)%nat ->
      above (or_everything (difference r s (nth t (nth p (token_rows (shared V)) []) no_row)))
      (logit_of X j p t - logit_of X r p t)) as D.
    { intros p' P'. apply (difference_above V X V_is s _ (fun j => logit_of X j p' t)); auto.
      now apply (token_rows_are V X V_is). }
    unfold margin_of_reals. apply above_add.
    - apply above_largest with (or_everything (difference r s (nth t (nth p (token_rows (shared V)) []) no_row))).
      + apply Forall_forall. intros K Ik. unfold found in Ik. rewrite map_map in Ik. apply in_map_iff in Ik.
        destruct Ik as (rows & <- & Ir). apply (In_nth _ _ []) in Ir. destruct Ir as (p' & P' & <-).
        exact (above_sane _ _ (D p' ltac:(lia))).
      + unfold found. rewrite map_map. apply in_map_iff. exists (nth p (token_rows (shared V)) []).
        split; [reflexivity|]. apply nth_In. lia.
      + now apply D.
    - unfold g, margin_of. cbn [of_query]. unfold query_margin.
      apply (difference_above V X V_is s _ _ j (query_row_is V X V_is) Jv J).
  Qed.

  Lemma far_pooled_above c t p j : In t (far_list V W c) -> (p < n - 1)%nat -> (j < v)%nat -> j <> r ->
    above (far_margin V (far_token_pooled V)) (margin_of_reals X r j p t).
  Proof.
    intros I P Jv Jr. unfold far_margin, margin_of_reals. apply above_add; [|now apply (far_query_above V X V_is)].
    pose proof (far_several _ _ _ W_ok c t I) as S. apply (in_far_list V) in I. destruct I as (F & T & _).
    assert (forall p, (p < n - 1)%nat -> above (get (far_tokens V) p) (logit_of X j p t - logit_of X r p t)) as A
      by (intros p' P'; now apply (far_tokens_above V X V_is c)).
    destruct (view_fields V X V_is) as (_ & _ & Ft & -> & _).
    assert (length (far_tokens V) = (n - 1)%nat) as Len by (rewrite Ft; now rewrite map_length, seq_length).
    apply above_largest with (get (far_tokens V) p); [| apply nth_In; lia | now apply A].
    apply Forall_forall. intros K Ik. apply (In_nth _ _ everything) in Ik. destruct Ik as (p' & P' & <-).
    exact (above_sane _ _ (A p' ltac:(lia))).
  Qed.

  Let bound t := fast_mul_scaled (alpha (source_at V t)) (pooled V g t) (shift V (source_at V t)).

  Lemma bound_above t p j : (t < v)%nat -> (p < n - 1)%nat -> In j (members v s) ->
    above (bound t) (by_token_of X t * margin_of_reals X r j p t).
  Proof.
    intros T P J. unfold bound. rewrite fast_mul_scaled_eq, <- (back_in_units V _ _ t).
    apply (mul_above mul_encloses); [now apply (alphas_are V X V_is) | | now apply pooled_above].
    apply quotient_nonneg, (by_token_pos V X V_is).
  Qed.

  Theorem whole_pooled : pooled_holds V g size = true ->
    forall input j, In input (inputs_of V) -> In j (members v s) -> input_sum X r q n j input < 0.
  Proof.
    intros H input j I J. destruct (s_wrong j J) as [Jv Jr].
    pose proof (two_positions V X V_is) as N2. fold n in N2.
    unfold pooled_holds in H. fold W in H. change (fun t : nat => fast_mul_scaled _ (pooled V g t) _) with bound in H.
    set (bounds := map bound (concat (near W))) in H.
    assert (forall p, (p < n - 1)%nat -> exists c, In c (free V) /\ In (nth p input O) (class_of L c)) as Tokens
      by (intros p P; now apply (input_tokens V X V_is)).
    (* Bounds of every token, far ones included. *)
    assert (exists far_bounds, is_negative (add
        (let most := upper (largest (bounds ++ far_bounds)) in
         let sum := fast_mul (beta_sum (own V)) most in
         match obligatory_token V with
         | Some t => add sum (fast_mul (beta_min (own V)) (sub (bound t) most))
         | None => sum end) (last_term V g)) = true
      /\ Forall sane (bounds ++ far_bounds)
      /\ forall c t p, In c (free V) -> In t (class_of L c) -> (p < n - 1)%nat -> exists K, In K (bounds ++ far_bounds)
         /\ above K (by_token_of X t * margin_of_reals X r j p t)) as (far_bounds & Hn & Sane & Ab).
    { assert (forall t p, In t (concat (near W)) -> (p < n - 1)%nat ->
        In (bound t) bounds /\ above (bound t) (by_token_of X t * margin_of_reals X r j p t)) as Nb.
      { intros t p It P. split; [now apply in_map|]. apply near_token in It. destruct It as (c & _ & T).
        apply bound_above; auto. now apply class_token_below with c. }
      assert (Forall sane bounds) as Sb.
      { apply Forall_forall. intros K Ik. apply in_map_iff in Ik. destruct Ik as (t & <- & Ik).
        exact (above_sane _ _ (proj2 (Nb t 0%nat Ik ltac:(lia)))). }
      destruct (any_far W) eqn:F.
      - destruct (strongest_far W) as [st|] eqn:Es; [|discriminate].
        set (far_bound := imax (fast_mul_scaled (alpha (source_at V st)) (far_margin V (far_token_pooled V))
          (shift V (source_at V st))) zero) in H.
        assert (forall c t p, In t (far_list V W c) -> (p < n - 1)%nat ->
          above far_bound (by_token_of X t * margin_of_reals X r j p t)) as Fb.
        { intros c t p It P. destruct (strongest _ _ _ W_ok st c t Es It) as [_ A].
          apply (far_above V mul_encloses) with (u := by_token_of X t) (y := margin_of_reals X r j p t); auto.
          - apply (by_token_pos V X V_is).
          - now apply far_pooled_above with c. }
        assert (exists c t, In t (far_list V W c)) as (c0 & t0 & T0).
        { unfold any_far in F. apply existsb_exists in F. destruct F as (k & K & P). apply Nat.ltb_lt in P.
          apply (In_nth _ _ O) in K. destruct K as (c & _ & K). fold (far_in W c) in K.
          rewrite (far_count _ _ _ W_ok) in K. destruct (far_list V W c) as [|t ts] eqn:E; [cbn in K; lia|].
          exists c, t. rewrite E. now left. }
        exists [far_bound]. split; [exact H|]. split.
        + apply Forall_app. split; [exact Sb|]. constructor; [|constructor].
          exact (above_sane _ _ (Fb c0 t0 0%nat T0 ltac:(lia))).
        + intros c t p C T P. destruct (near_or_far c t C T) as [It|[_ It]].
          * exists (bound t). rewrite in_app_iff. destruct (Nb t p It P). auto.
          * exists far_bound. rewrite in_app_iff. split; [right; now left | now apply Fb with c].
      - exists []. split; [exact H|]. rewrite app_nil_r. split; [exact Sb|]. intros c t p C T P.
        destruct (near_or_far c t C T) as [It|[F' _]]; [|congruence]. exists (bound t). now apply Nb. }
    clear H. revert Hn. cbv zeta. set (All := largest (bounds ++ far_bounds)).
    assert (sane All) as SL by (now apply sane_largest). pose proof (encloses_high _ (sane_upper All SL)) as Um.
    assert (forall c t p, In c (free V) -> In t (class_of L c) -> (p < n - 1)%nat ->
      above All (by_token_of X t * margin_of_reals X r j p t)) as AL.
    { intros c t p C T P. destruct (Ab c t p C T P) as (K & Ik & A). now apply above_largest with K. }
    pose proof (last_term_above mul_encloses V X V_is s j Jv J) as Al. fold g r n q in Al.
    destruct (beta_min_is V X V_is) as (least & Bl & Bmin). fold n in Bmin.
    pose proof (beta_sum_is V X V_is) as Bs. fold n in Bs. fold (lsum (by_position_of X) (seq 0 (n - 1))) in Bs.
    intros Hn. refine (above_negative _ _ _ Hn). unfold input_sum. apply above_add; [|exact Al].
    rewrite sum_lsum. set (f := fun p => phi X r j p (nth p input O)).
    (* What is known of the obligatory token. *)
    assert (forall t, obligatory_token V = Some t -> (hi (bound t) <= hi All)%Z
      /\ (forall p, (p < n - 1)%nat -> above (bound t) (by_token_of X t * margin_of_reals X r j p t))
      /\ exists p, (p < n - 1)%nat /\ nth p input O = t) as Held.
    { intros t E. destruct (obligatory_token_held t E) as ((c & C & Ct) & Every).
      assert (In t (class_of L c)) as T by (rewrite Ct; now left).
      split; [|split; [|now apply Every]].
      - apply hi_largest, in_app_iff. left. apply in_map. destruct (near_or_far c t C T) as [It|[_ It]]; [exact It|].
        apply (far_several _ _ _ W_ok) in It. fold L in It. rewrite Ct in It. discriminate.
      - intros p P. apply bound_above; auto. now apply class_token_below with c. }
    rewrite !fast_mul_eq. unfold mul.
    destruct (Z.le_gt_cases (hi All) LIMIT) as [Lim|Lim].
    2:{ (* No bound at all. *)
      rewrite (upper_beyond All SL Lim). rewrite (mul_beyond (beta_sum (own V)) everything)
        by (right; left; pose proof everything_beyond; lia).
      destruct (obligatory_token V) as [t|] eqn:E; [|apply above_everything].
      destruct (Held t eq_refl) as (_ & AF & _). rewrite fast_mul_eq. unfold mul.
      set (K := mul_scaled _ _ _). replace (lsum f (seq 0 (n - 1)))
        with (lsum f (seq 0 (n - 1)) - high K + high K) by lra.
      apply above_add; [apply above_everything|]. apply encloses_high. apply (sane_mul mul_encloses).
      - exact (above_sane _ _ (proj1 Bl)).
      - apply sane_sub; [exact (above_sane _ _ (AF 0%nat ltac:(lia))) | apply sane_everything]. }
    set (M := high (upper All)) in *.
    assert (M = high All) as EM.
    { unfold M, high, upper. destruct (new_cases (hi All) (hi All) (Z.le_refl _)) as [_ [E | (E & _)]].
      - exfalso. unfold new in E. destruct SL. destruct (Z.leb_spec (- LIMIT) (hi All)); [|lia].
        destruct (Z.leb_spec (hi All) LIMIT); [|lia]. cbn [andb] in E. apply (f_equal hi) in E. cbn [hi] in E.
        rewrite E in Lim. pose proof everything_beyond. lia.
      - now rewrite E. }
    assert (forall p, In p (seq 0 (n - 1)) -> f p <= by_position_of X p * M) as Upto.
    { intros p P. apply in_seq in P. unfold f, phi, weight_of. destruct (Tokens p ltac:(lia)) as (c & C & T).
      pose proof (above_high _ _ (AL c _ p C T ltac:(lia)) Lim).
      pose proof (by_position_pos V X V_is p). rewrite EM. nra. }
    assert (forall x y, encloses_sane x y -> above (mul_scaled (beta_sum (own V)) x 0)
      (lsum (by_position_of X) (seq 0 (n - 1)) * y)) as Mul0.
    { intros x y E. rewrite <- (Rmult_1_r (_ * y)). exact (proj1 (mul_encloses _ _ _ _ 0%Z Bs E)). }
    destruct (obligatory_token V) as [t|] eqn:E.
    - destruct (Held t eq_refl) as (Le & AF & p0 & P0 & E0). rewrite fast_mul_eq. unfold mul.
      assert (In p0 (seq 0 (n - 1))) as I0 by (apply in_seq; lia).
      assert (sane (bound t)) as SF by exact (above_sane _ _ (AF 0%nat ltac:(lia))).
      set (F := high (bound t)). pose proof (encloses_high (bound t) SF) as [Fa Fb]. fold F in Fa, Fb.
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
