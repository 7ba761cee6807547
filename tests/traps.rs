//! One model for each known way to certify a wrong input (`docs/theory.md`, "Traps"): what a careless rule would accept, the
//! checker does not, and what is true is certified.
//!
//! Paths are written down as tables; without scores attention is uniform, and every weight is one.

use crate::common::{
    Model, NOTHING, Paths, assert_sound, by_hand, certified, certified_by_pair, correct_by_pair,
    exact_correct, group, levels, numbers, partition, plan, reread, sorted, split, tokens,
};
use gbmi::certificate::levels::{Count, Grid, Plan, Test};
use gbmi::certificate::{Certificate, Rows};
use gbmi::checker::arithmetic::{Enclosure, Fixed, Rational};
use gbmi::checker::levels::order::Order;
use gbmi::checker::meter::Meter;
use gbmi::checker::{Options, certify};
use gbmi::model::{Matrix, Network};
use gbmi::refusal::{Decline, Refusal};
use gbmi::task::{Level, Words};
use num_bigint::BigUint;

fn tree(answers: &str) -> Plan {
    plan(
        vec![group(answers, Test::Count, "all")],
        Count::default(),
        "all",
    )
}

fn grid(answers: &str, bits: u32) -> Plan {
    plan(
        vec![group(answers, Test::Count, "all")],
        Count::Grid(Box::new(Grid {
            bits,
            ..Grid::default()
        })),
        "all",
    )
}

fn whole(test: Test, window: &str) -> Plan {
    plan(vec![group("rest", test, window)], Count::default(), "all")
}

/// The number certified with one plan for all and exact margins, the same by both arithmetics; other hints give no more.
/// Margins are exact where groups are of one answer, or without a direct path: every model here that is tested with
/// groups of several has none.
fn with_plan(network: &Network, plan: Plan) -> u64 {
    let mut file = by_hand(network, sorted(network, &[]), vec![plan]);
    let number = certified::<Fixed>(network, &file);
    assert_eq!(number, certified::<Rational>(network, &file));
    for order in ["", "0", "1", "1 0"] {
        levels(&mut file).direct_path = split(network, order);
        assert!(certified::<Fixed>(network, &file) <= number);
    }
    u64::try_from(number).unwrap()
}

/// The number of correct inputs, decided.
fn truth(model: &Model) -> u64 {
    let (least, most) = exact_correct(model);
    assert_eq!(least, most);
    least
}

/// Attention in descending order.
fn attend(mut certificate: Certificate, rows: &[&str]) -> Certificate {
    levels(&mut certificate).attention.orders = rows.iter().map(|row| numbers(row)).collect();
    certificate
}

#[test]
fn t2_sign_a_negative_margin_takes_the_lower_end_of_its_weight() {
    // Scores of half a unit in the last place of W_Q, times 2^47: enclosed by [0, 1/2], about 2^-13 in truth.
    // Token 1's margin −1 is outweighed by the query's +1.3, unless its weight were e^½ = 1.65.
    let paths = Paths {
        token_logit: |t, j| if (t, j) == (1, 1) { 1.0 } else { 0.0 },
        position_logit: |p, j| if (p, j) == (1, 0) { 1.3 } else { 0.0 },
        ..NOTHING
    };
    let mut model = paths.model();
    let (d, h) = (model.d_model, model.d_head);
    model.set("blocks.0.attn.W_Q", 1, 2_f32.powi(-60));
    model.set("blocks.0.attn.W_K", h + 1, 2_f32.powi(47));
    assert_eq!(d, 6);
    let network = model.network();
    // (0, 0): 1.3 for the right answer; (1, ·) loses by .3 to (1, 0), wins with two tokens 1.
    assert_eq!(truth(&model), 2);
    let file = by_hand(&network, split(&network, ""), vec![tree("each")]);
    assert_sound(&model, &file);
    assert_eq!(certified::<Rational>(&network, &file), 2_u8.into());
    for plan in [
        whole(Test::Pooled, "all"),
        whole(Test::Unpooled, "all"),
        grid("each", 8),
    ] {
        let file = by_hand(&network, split(&network, ""), vec![plan]);
        assert_sound(&model, &file);
    }
}

#[test]
fn t2_an_empty_maximum_is_no_obstacle_and_no_proof() {
    // Two tokens: one wrong answer. A group without answers changes nothing.
    let identity = Paths {
        token_logit: |t, j| if t == j { (1 + 2 * j) as f32 } else { 0.0 },
        ..NOTHING
    };
    let inverted = Paths {
        token_logit: |t, j| if t == j { 0.0 } else { 1.0 },
        ..NOTHING
    };
    for (paths, correct) in [(identity, 4), (inverted, 0)] {
        let model = paths.model();
        let network = model.network();
        assert_eq!(truth(&model), correct);
        for test in [Test::Count, Test::Pooled, Test::Unpooled, Test::Forfeit] {
            let groups = vec![group("", test, "all"), group("rest", Test::Count, "all")];
            assert_eq!(
                with_plan(&network, plan(groups, Count::default(), "all")),
                correct
            );
        }
    }
}

#[test]
fn t8_failures_are_added_over_groups_not_successes_combined() {
    // With maximum 2, answer 0 beats it beside token 0, answer 1 beside token 1: each alone fails on one of three.
    let paths = Paths {
        d_vocab: 3,
        token_logit: |t, j| if t == j { [5.0, 5.0, 1.0][t] } else { 0.0 },
        direct: |q, j| if q < 2 && q == j { -9.0 } else { 0.0 },
        ..NOTHING
    };
    let model = paths.model();
    let network = model.network();
    for plan in [tree("each"), grid("each", 8)] {
        let file = by_hand(&network, split(&network, ""), vec![plan]);
        let (right, _) = &certified_by_pair(&network, &file)[&(2, 2)];
        assert_eq!(BigUint::from(3_u8) - right, 2_u8.into());
        assert_sound(&model, &file);
    }
}

#[test]
fn a_tie_is_wrong() {
    let zero = Model::zero(3, 3, 1, 1);
    // Answers 0 and 1 are alike: token 2 is still answered right.
    let alike = Paths {
        d_vocab: 3,
        token_logit: |t, j| if t == 2 && j == 2 { 1.0 } else { 0.0 },
        ..NOTHING
    }
    .model();
    for (model, correct) in [(zero, 0), (alike, 5)] {
        let network = model.network();
        assert_eq!(truth(&model), correct);
        for plan in [
            tree("each"),
            tree("rest"),
            grid("each", 1),
            grid("rest", 16),
        ] {
            assert_eq!(with_plan(&network, plan), correct);
        }
        for test in [Test::Pooled, Test::Unpooled] {
            assert!(with_plan(&network, whole(test, "all")) <= correct);
        }
    }
}

#[test]
fn t3_the_grid_rounds_up() {
    // Margins of the wrong answer: .45 at two positions, −.6 at the last. Their sum is .3; rounded to nearest, −1.
    let model = Paths {
        n_ctx: 3,
        position_logit: |p, j| if j == 0 { [0.45, 0.45, -0.6][p] } else { 0.0 },
        ..NOTHING
    }
    .model();
    let network = model.network();
    assert_eq!(truth(&model), 1); // (0, 0, 0)
    for bits in 0..=16 {
        assert!(with_plan(&network, grid("each", bits)) <= 1);
    }
    assert_eq!(with_plan(&network, grid("each", 16)), 1);
}

#[test]
fn t3_zero_on_the_grid_is_a_failure() {
    // −.25 rounds up to 0 on the integers: not certified there, certified on a finer grid.
    let model = Paths {
        position_logit: |p, j| if (p, j) == (0, 1) { 0.25 } else { 0.0 },
        ..NOTHING
    }
    .model();
    let network = model.network();
    assert_eq!(truth(&model), 3);
    assert_eq!(with_plan(&network, grid("each", 0)), 0);
    assert_eq!(with_plan(&network, grid("each", 3)), 3);
}

#[test]
fn t3_large_margins_fail_instead_of_being_clamped() {
    // One large margin against two of a third its size: clamped to the grid's or the terms' range, the sum is negative.
    let grids = Paths {
        n_ctx: 3,
        position_logit: |p, j| {
            if j == 0 {
                [3.0, -1.0, -1.0][p] * 65_536.0
            } else {
                0.0
            }
        },
        ..NOTHING
    };
    let trees = Paths {
        n_ctx: 3,
        position_logit: |p, j| {
            if j == 0 {
                [6.0, -2.0, -2.0][p] * 1_048_576.0
            } else {
                0.0
            }
        },
        ..NOTHING
    };
    for paths in [grids, trees] {
        let model = paths.model();
        let network = model.network();
        assert_eq!(truth(&model), 1);
        for plan in [grid("each", 0), grid("each", 4), tree("each")] {
            let file = by_hand(&network, split(&network, ""), vec![plan]);
            assert_sound(&model, &file);
            assert!(certified::<Rational>(&network, &file) <= 1_u8.into());
        }
    }
}

#[test]
fn t3_very_negative_margins_may_be_raised() {
    // (1, 1, q) is right by far; at −2^30 terms stay within range, and the proof goes through.
    let model = Paths {
        n_ctx: 3,
        token_logit: |t, j| {
            if t == j {
                2_f32.powi(if t == 1 { 30 } else { 4 })
            } else {
                0.0
            }
        },
        ..NOTHING
    }
    .model();
    let network = model.network();
    assert_eq!(truth(&model), 8);
    for plan in [grid("each", 0), tree("each")] {
        // Token 0's margins of 16 vanish beside a raised −L; the level 0 is beyond doubt.
        assert_eq!(with_plan(&network, plan), 8);
    }
}

#[test]
fn t3_sequences_without_the_maximum_are_no_inputs_of_it() {
    // Every input is answered wrong, but sequences of zeros, judged as if the maximum were 1, "succeed".
    let model = Paths {
        d_vocab: 3,
        n_ctx: 3,
        token_logit: |t, j| {
            if t == 0 && j > 0 {
                1.0
            } else if t > 0 && j == 0 {
                4.0
            } else {
                0.0
            }
        },
        ..NOTHING
    }
    .model();
    let network = model.network();
    assert_eq!(truth(&model), 0);
    for plan in [
        tree("each"),
        tree("rest"),
        grid("each", 8),
        grid("rest", 8),
        whole(Test::Unpooled, "all"),
    ] {
        assert_eq!(with_plan(&network, plan), 0);
    }
}

#[test]
fn t3_levels_hold_every_input_once() {
    for (v, n) in [(2, 2), (3, 4), (6, 3), (100, 20)] {
        let network = Model::zero(v, n, 1, 1).network();
        let of_answer = |m| {
            let levels = network.task.levels(m);
            let words: Vec<Vec<Words<'_>>> = levels.iter().map(Level::words).collect();
            let queries = words.iter().flat_map(|words| Words::by_query(words));
            queries.map(|(_, words)| words.inputs()).sum::<BigUint>()
        };
        let inputs: BigUint = (0..v).map(of_answer).sum();
        assert_eq!(inputs, BigUint::from(v).pow(n.try_into().unwrap()));
    }
}

#[test]
fn t3_every_arrangement_is_counted() {
    // Right iff the larger token comes first: one arrangement of each pattern.
    let model = Paths {
        n_ctx: 3,
        token_logit: |t, j| if t == j { 1.5 } else { 0.0 },
        position_score: |_, p| [3.0, 0.0, -60.0][p],
        ..NOTHING
    }
    .model();
    let network = model.network();
    // Zeros; (1, ·, ·); nothing with a zero in front.
    assert_eq!(truth(&model), 5);
    for plan in [tree("each"), grid("each", 12)] {
        assert_eq!(with_plan(&network, plan), 5);
    }
}

#[test]
fn t3_multiplicities_exceed_machine_integers() {
    // 100^20 > 2^127. Only maximum 99 is ever answered, and only by inputs with enough of it: each 99 gives 5, each
    // other token takes 1. With c of them among 20, the margin is 20 − 6c.
    let model = Paths {
        d_vocab: 100,
        n_ctx: 20,
        token_logit: |t, j| {
            if j < 99 {
                0.0
            } else if t == 99 {
                5.0
            } else {
                -1.0
            }
        },
        ..NOTHING
    }
    .model();
    let network = model.network();
    let binomial = |c: u32| (1..=c).fold(BigUint::from(1_u8), |product, i| product * (21 - i) / i);
    let expected: BigUint = (4..=20)
        .map(|c| binomial(c) * BigUint::from(99_u8).pow(20 - c))
        .sum();
    let mut file = by_hand(
        &network,
        split(&network, "99"),
        vec![grid("rest", 4), whole(Test::Forfeit, "all")],
    );
    partition(&mut file).assignment = (0..100).map(|m| vec![usize::from(m < 99); m + 1]).collect();
    assert_eq!(certified::<Fixed>(&network, &file), expected);
    // The tree counts in machine integers, and would take more than is allowed: it declines.
    partition(&mut file).plans[0] = tree("rest");
    let options = Options {
        max_flops: 100_000_000,
        ..Options::default()
    };
    let verdict = certify::<Fixed>(&network, &file, options);
    assert!(
        matches!(
            verdict,
            Err(Refusal::Declined(
                Decline::TooLarge { .. } | Decline::Work { .. }
            ))
        ),
        "{verdict:?}"
    );
}

#[test]
fn t4_a_negative_margin_beyond_the_window_takes_the_least_weight() {
    // Beyond a window of one, tokens 0 and 1 both have margin −1 over token 2, with weights e^-5 and 1. The query adds
    // .5: (1, 2) is right, (0, 2) is wrong. The largest weight times the largest margin would certify both.
    let model = Paths {
        d_vocab: 3,
        token_score: |_, t| [-5.0, 0.0, 0.0][t],
        token_logit: |t, j| if t < 2 && j == 2 { 1.0 } else { 0.0 },
        position_logit: |p, j| if p == 1 && j < 2 { 0.5 } else { 0.0 },
        ..NOTHING
    }
    .model();
    let network = model.network();
    for plan in [
        tree("rest"),
        grid("rest", 8),
        whole(Test::Pooled, "1"),
        whole(Test::Unpooled, "1"),
    ] {
        let narrow = Plan {
            window: Some(1),
            ..plan
        };
        let file = attend(
            by_hand(&network, split(&network, "2 1 0"), vec![narrow]),
            &["1 2 0"; 3],
        );
        let (right, _) = &certified_by_pair(&network, &file)[&(2, 2)];
        assert!(
            BigUint::from(3_u8) - right >= 2_u8.into(),
            "(0, 2) and (2, 2) are wrong, {right} are right"
        );
        assert_sound(&model, &file);
    }
}

#[test]
fn t4_an_order_that_hides_the_strongest_token_bounds_nothing() {
    // Token 0, beyond the window, has the most attention and answers 0; orders of attention that list it late, or
    // not at all, must not make it weak.
    let model = Paths {
        d_vocab: 3,
        token_score: |_, t| [3.0, 0.0, 0.0][t],
        token_logit: |t, j| if t == j { (1 + t) as f32 } else { 0.0 },
        ..NOTHING
    }
    .model();
    let network = model.network();
    let correct = truth(&model);
    assert!(correct < 9);
    for order in ["", "0", "1", "2 1 0", "1 2 0", "0 1 2", "2", "1 2"] {
        for window in ["1", "2"] {
            for base in [
                tree("rest"),
                grid("rest", 8),
                whole(Test::Pooled, window),
                whole(Test::Unpooled, window),
            ] {
                let narrow = Plan {
                    window: tokens(window),
                    ..base
                };
                let file = attend(
                    by_hand(&network, split(&network, "2 1 0"), vec![narrow]),
                    &[order; 3],
                );
                assert_sound(&model, &file);
            }
        }
    }
}

#[test]
fn t4_an_order_that_repeats_a_token_makes_the_far_class_no_smaller() {
    // Beside 3, token 0 is right and tokens 1 and 2 are wrong. With 0 twice in the window, one of them would be left.
    let model = Paths {
        d_vocab: 4,
        token_logit: |t, j| match (t, j) {
            (1 | 2, 0) => 5.0,
            (3, 3) => 1.0,
            _ => 0.0,
        },
        ..NOTHING
    }
    .model();
    let network = model.network();
    for base in [
        tree("rest"),
        grid("rest", 8),
        whole(Test::Pooled, "3"),
        whole(Test::Unpooled, "3"),
    ] {
        let narrow = Plan {
            window: tokens("3"),
            ..base
        };
        for order in ["0 0 1 2", "0 0", "0 7 0 0 2", "3 3 0 0"] {
            let file = attend(
                by_hand(&network, split(&network, "3 2 1 0"), vec![narrow.clone()]),
                &[order; 4],
            );
            assert_sound(&model, &file);
        }
    }
}

#[test]
fn t1_weights_are_relative_to_the_maximum() {
    // Scores span 140: relative to a query's largest, small maxima's weights would vanish and nothing be certified.
    let model = Paths {
        d_vocab: 3,
        n_ctx: 3,
        token_score: |_, t| 70.0 * t as f32,
        token_logit: |t, j| if t == j { 1.0 } else { 0.0 },
        ..NOTHING
    }
    .model();
    let network = model.network();
    assert_eq!(truth(&model), 27);
    for plan in [
        tree("each"),
        tree("rest"),
        grid("each", 4),
        whole(Test::Unpooled, "all"),
        whole(Test::Pooled, "all"),
    ] {
        assert_eq!(with_plan(&network, plan), 27);
    }
    // And attention that prefers small tokens as strongly certifies nothing but what is true.
    let model = Paths {
        d_vocab: 3,
        n_ctx: 3,
        token_score: |_, t| -70.0 * t as f32,
        token_logit: |t, j| if t == j { 1.0 } else { 0.0 },
        ..NOTHING
    }
    .model();
    assert_eq!(truth(&model), 3);
    assert_eq!(with_plan(&model.network(), tree("each")), 3);
    // Answers 0 and 1 fail on five of the nine inputs with query and maximum 2 each: added up, on all.
    assert_eq!(with_plan(&model.network(), grid("each", 4)), 2);
}

#[test]
fn t0_the_query_bias_counts_and_the_key_bias_cancels() {
    let paths = Paths {
        token_logit: |t, j| if t == j { [3.0, 2.0][t] } else { 0.0 },
        ..NOTHING
    };
    let plain = paths.model();
    let (d, h) = (plain.d_model, plain.d_head);
    assert_eq!((d, h), (6, 4));
    // Token 1 needs more attention than token 0; the query bias alone can give it.
    let mut query = plain.clone();
    query.set("blocks.0.attn.b_Q", 1, 2.0);
    let mut key = query.clone();
    for index in 0..h {
        key.set("blocks.0.attn.b_K", index, 5.0 - index as f32);
    }
    for (model, correct) in [(&plain, 2), (&query, 4), (&key, 4)] {
        assert_eq!(truth(model), correct);
        assert_eq!(with_plan(&model.network(), tree("each")), correct);
    }
    assert_ne!(query.network().sha256, key.network().sha256);
}

#[test]
fn t0_scores_by_position_are_not_free() {
    // Only the attention by position decides; centred over positions it would be lost.
    for (score, correct) in [
        ((|_, p| [2.0, 0.0][p]) as fn(usize, usize) -> f32, 3),
        (|_, p| [0.0, 2.0][p], 1 + 2),
    ] {
        let model = Paths {
            token_logit: |t, j| if t == j { 1.0 } else { 0.0 },
            position_score: score,
            ..NOTHING
        }
        .model();
        assert_eq!(truth(&model), correct);
        assert_eq!(with_plan(&model.network(), tree("each")), correct);
        assert_eq!(with_plan(&model.network(), grid("each", 10)), correct);
    }
}

#[test]
fn a_hinted_order_need_not_be_one() {
    // Answer 0 wins against maximum 2; orders that name it last, or not, must not hide it from the rest.
    let model = Paths {
        d_vocab: 3,
        direct: |_, j| [5.0, 0.0, 3.0][j],
        ..NOTHING
    }
    .model();
    let network = model.network();
    assert_eq!(truth(&model), 1);
    for order in ["", "1", "1 2", "2 1 0", "1 0", "2"] {
        let direct = split(&network, order);
        for test in [Test::Count, Test::Pooled, Test::Unpooled] {
            let file = by_hand(
                &network,
                direct.clone(),
                vec![plan(
                    vec![group("rest", test, "all")],
                    Count::default(),
                    "all",
                )],
            );
            assert_sound(&model, &file);
        }
    }
}

#[test]
fn an_order_lists_what_is_there_once() {
    let row = Matrix::new(
        3,
        [5, 9, 7].map(|entry| Fixed::dyadic(entry, 0)).to_vec(),
        Fixed::everything(),
    );
    let (long, meter) = (vec![1; 1_000_000], &Meter::new(u64::MAX));
    for (hint, listed) in [
        (vec![1, 1, 2, 0], vec![1, 2]),
        (vec![7, usize::MAX, 0, 2], vec![0]),
        (vec![2, 0, 2], vec![0, 2]),
        (vec![], vec![]),
        (long, vec![1]),
    ] {
        let order = &Order::of_rows(&Rows::from(vec![hint]), &row, meter).unwrap()[0];
        assert_eq!(order.leading(3, |_| true, meter).0, listed);
        // Whatever the set, its largest entry is bounded.
        for set in 1..8 {
            let bound = order.bound(|index| set >> index & 1 == 1, meter).unwrap();
            let members = (0..3).filter(|index| set >> index & 1 == 1);
            assert!(
                members
                    .into_iter()
                    .all(|index| row.at(0, index).upper_at_most(row.at(0, bound))),
                "{set}"
            );
        }
    }
}

#[test]
fn t2_any_offset_is_sound_and_cancels() {
    let model = Paths {
        d_vocab: 3,
        token_logit: |t, j| if t == j { (1 + t) as f32 } else { 0.0 },
        direct: |q, j| if q == j { 0.25 } else { 0.0 },
        ..NOTHING
    }
    .model();
    let network = model.network();
    let correct = truth(&model);
    let far = 1 << 40;
    // Rows may be short or long: what is missing is zero.
    let offsets: [&[i64]; 6] = [
        &[],
        &[0; 3],
        &[1 << 20, -1 << 20, 0],
        &[-far, far - 1, 3],
        &[-far],
        &[far, 0, 3, i64::MIN],
    ];
    for offset in offsets {
        let mut file = by_hand(&network, split(&network, ""), vec![tree("each")]);
        levels(&mut file).direct_path.offset = offset.to_vec();
        // One answer's margin is exact whatever the offset; groups of several may lose, never gain.
        assert_eq!(
            certified::<Fixed>(&network, &file),
            correct.into(),
            "{offset:?}"
        );
        partition(&mut file).plans[0] = tree("rest");
        assert_sound(&model, &file);
    }
}

/// The softmax's denominator is far from one, on either side; a margin is of logits all the same, and what exceeds by exactly
/// as much is not right by more.
#[test]
fn t12_a_margin_is_of_logits_whatever_the_weights_add_up_to() {
    let scores: [fn(usize, usize) -> f32; 4] = [
        |_, _| 0.0,
        |_, p| [3.0, 5.0][p],
        |_, p| [-20.0, -23.0][p],
        |q, p| (8 * q + p) as f32,
    ];
    for position_score in scores {
        // (0, 0) and (1, 1) exceed by 2 and 4; one 1 beside a 0 by the mean of 4 and −2.
        let model = Paths {
            token_logit: |t, j| if t == j { (2 + 2 * t) as f32 } else { 0.0 },
            position_score,
            ..NOTHING
        }
        .model();
        let network = model.network();
        let unit = BigUint::from(1_u8) << 48_u32;
        for margin in [
            &unit / 4_u8,
            &unit - 1_u8,
            unit.clone(),
            &unit * 2_u8 - 1_u8,
            &unit * 2_u8,
            &unit * 4_u8 - 1_u8,
            &unit * 4_u8,
            &unit << 60_u32,
        ] {
            let truth = correct_by_pair(&model, &margin);
            let (least, most) = truth
                .values()
                .fold((0, 0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
            for plan in [
                tree("each"),
                tree("rest"),
                grid("each", 16),
                whole(Test::Pooled, "all"),
                whole(Test::Unpooled, "all"),
            ] {
                let exact = plan == tree("each");
                let mut file = by_hand(&network, sorted(&network, &[]), vec![plan]);
                file.claim.margin.clone_from(&margin);
                assert_sound(&model, &file);
                if exact {
                    // One step of the arithmetic below a tie is too near for fixed point.
                    let found = certified::<Fixed>(&network, &file);
                    assert!(
                        found == least.into() || margin.bit(0),
                        "{margin}: {found}, {truth:?}"
                    );
                    assert_eq!(certified::<Rational>(&network, &file), most.into());
                    let upper = certify::<Rational>(&network, &reread(&file), Options::default());
                    assert_eq!(upper.unwrap().upper, most.into());
                }
            }
        }
    }
}
