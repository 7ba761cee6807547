//! Rules `product` and `entries`: every entry of a table, computed or bounded, encloses the true one up to a constant for
//! each row; whatever the hints.

use crate::common::{Random, entries, random_model};
use gbmi::certificate::levels::Entries;
use gbmi::checker::arithmetic::{Enclosure, Fixed, Rational};
use gbmi::checker::levels::Paths;
use gbmi::checker::meter::{Kind, Meter};
use gbmi::checker::product::{cost, product};
use gbmi::model::Matrix;
use proptest::prelude::*;

/// Do the enclosures of one row hold the true differences between its entries?
fn assert_row<R: Enclosure>(
    truth: &[Rational],
    row: &[R],
    ends: fn(&R) -> Option<(Rational, Rational)>,
) -> usize {
    let known: Vec<_> = row
        .iter()
        .zip(truth)
        .filter_map(|(entry, truth)| Some((ends(entry)?, truth)))
        .collect();
    for ((low, _), a) in &known {
        for ((_, high), b) in &known {
            // low(a) − high(b) ≤ a − b.
            assert!(!a.sub(b).sub(&low.sub(high)).is_negative());
        }
    }
    known.len()
}

fn fixed(entry: &Fixed) -> Option<(Rational, Rational)> {
    let exact = |end: i128| {
        let part = |shift: i32| {
            let part = if shift == 96 {
                end >> 96
            } else {
                (end >> shift) & 0xffff_ffff_ffff
            };
            Rational::dyadic(i64::try_from(part).unwrap(), shift - Fixed::FRACTION)
        };
        part(96).add(&part(48)).add(&part(0))
    };
    entry.ends().map(|(low, high)| (exact(low), exact(high)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn mixed_tables_enclose_the_true_ones(seed in any::<u64>()) {
        let mut random = Random::new(seed);
        let network = random_model(&mut random).1.network();
        let (v, n) = (network.one_head().unwrap().config.d_vocab, network.one_head().unwrap().config.n_ctx);
        let (d, h) = (network.one_head().unwrap().config.d_model, network.one_head().unwrap().config.d_head.min(network.one_head().unwrap().config.d_model));
        let free = Meter::new(u64::MAX);
        let truth = Paths::<Rational>::new(&network.one_head().unwrap(), [None; 3], &free).unwrap();
        let hints = [(v, v + n, h), (v + n, v, h), (v, v, d)];
        let hints = hints.map(|(rows, cols, d)| entries(&mut random, rows, cols, d));
        let mixed = Paths::<Fixed>::new(&network.one_head().unwrap(), hints.each_ref().map(Some), &free).unwrap();
        let tables = [(&truth.scores, &mixed.scores), (&truth.logits, &mixed.logits), (&truth.direct, &mixed.direct)];
        for (truth, mixed) in tables {
            for (truth, row) in truth.iter_rows().zip(mixed.iter_rows()) {
                assert_row(truth, row, fixed);
            }
        }
    }

    #[test]
    fn products_are_what_the_sums_of_products_are(seed in any::<u64>(), a in 1_usize..21, b in 1_usize..21, c in 1_usize..21) {
        let mut random = Random::new(seed);
        let mut matrix = |rows: usize, cols: usize| {
            Matrix::from_fn(rows, cols, Rational::everything(), |_, _| {
                Rational::dyadic(i64::try_from(random.next() >> 40).unwrap() - (1 << 23), -20)
            })
        };
        let (left, right) = (matrix(a, b), matrix(b, c));
        let meter = Meter::new(u64::MAX);
        let found = product(vec![left.clone(), right.clone()], &meter, Kind::Logits).unwrap();
        prop_assert_eq!((found.rows(), found.cols()), (a, c));
        for row in 0..a {
            for col in 0..c {
                let column: Vec<_> = (0..b).map(|k| right.at(k, col).clone()).collect();
                let plain = Rational::dot(left.row(row).iter().zip(&column));
                let difference = plain.sub(found.at(row, col));
                prop_assert!(difference.is_nonnegative() && !difference.is_negative());
                prop_assert!(found.at(row, col).sub(&plain).is_nonnegative());
            }
        }
        prop_assert_eq!(meter.flops(), u64::try_from(cost(a, b, c)).unwrap());
        prop_assert!(cost(a, b, c) <= a * c * (2 * b - 1));
    }
}

/// What the strategies page says of one product, and that a bound is used at all.
#[test]
fn the_cost_of_a_table() {
    assert_eq!(cost(64, 32, 64), 219_136);
    let mut random = Random::new(1);
    let mut known = 0;
    for _ in 0..64 {
        let network = random_model(&mut random).1.network();
        let (v, n) = (
            network.one_head().unwrap().config.d_vocab,
            network.one_head().unwrap().config.n_ctx,
        );
        let h = network
            .one_head()
            .unwrap()
            .config
            .d_head
            .min(network.one_head().unwrap().config.d_model);
        let free = Meter::new(u64::MAX);
        let hints = Entries {
            blocks: vec![],
            ..entries(&mut random, v + n, v, h)
        };
        let mixed = Paths::<Fixed>::new(
            &network.one_head().unwrap(),
            [None, Some(&hints), None],
            &free,
        )
        .unwrap();
        known += mixed
            .logits
            .iter_rows()
            .flatten()
            .filter(|entry| entry.ends().is_some())
            .count();
    }
    assert!(known > 100, "{known}");
}
