//! Counts on a grid where several answers win on the same inputs: each counted once, and wrong ones shown.

use crate::common::{
    Random, by_hand, certified_by_pair, correct_by_pair, group, plan, random_model, sorted,
};
use gbmi::certificate::levels::{Count, Grid, Test, Wrong};
use num_bigint::BigUint;

/// Every wrong answer apart, on this grid.
fn each(network: &gbmi::model::Network, grid: Grid, window: &str) -> Vec<(BigUint, BigUint)> {
    let plan = plan(
        vec![group("each", Test::Count, "all")],
        Count::Grid(Box::new(grid)),
        window,
    );
    let certificate = by_hand(network, sorted(network, &[]), vec![plan]);
    certified_by_pair(network, &certificate)
        .into_values()
        .collect()
}

#[test]
fn inputs_are_counted_once_and_never_wrongly() {
    let (mut fewer, mut shown, mut more_shown, mut coarser_loses) = (0, 0, 0, 0);
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let model = random_model(&mut random).1;
        let network = model.network();
        let v = network.one_head().unwrap().config.d_vocab;
        let bits = u32::try_from(random.within(3, 12)).unwrap();
        let window = random.pick(&["all", "2", "3"]);
        let truth: Vec<(u64, u64)> = correct_by_pair(&model, &BigUint::default())
            .into_values()
            .collect();
        let by = |by, then_by, coarser| {
            Some(Wrong {
                by,
                then_by,
                coarser,
            })
        };
        let grid = |without: Vec<Vec<usize>>, wrong| Grid {
            bits,
            without: without.into(),
            wrong,
        };
        let apart = each(&network, grid(vec![], by(0, None, 0)), window);
        let no_group = each(&network, grid(vec![vec![v, 3]; v], by(0, None, 0)), window);
        assert_eq!(
            no_group, apart,
            "seed {seed}: a number that is not of an earlier group counts for nothing"
        );
        let chain = |coarser: usize| {
            (0..v)
                .map(|i| if i == 0 { vec![] } else { vec![i - 1, coarser] })
                .collect()
        };
        let once = each(&network, grid(chain(0), by(0, Some(1), 0)), window);
        let coarse = each(&network, grid(chain(2), by(0, Some(1), 2)), window);
        for (pair, (least, most)) in truth.into_iter().enumerate() {
            for found in [&apart, &once, &coarse] {
                let (certified, upper) = &found[pair];
                assert!(
                    *certified <= most.into(),
                    "seed {seed}, pair {pair}: {certified} certified of {most}"
                );
                assert!(
                    *upper >= least.into(),
                    "seed {seed}, pair {pair}: {upper} at most of {least}"
                );
            }
            assert!(
                once[pair].0 >= apart[pair].0 && once[pair].1 <= apart[pair].1,
                "seed {seed}, pair {pair}"
            );
            assert!(
                once[pair].0 >= coarse[pair].0 && once[pair].1 <= coarse[pair].1,
                "seed {seed}, pair {pair}"
            );
            fewer += usize::from(once[pair].0 > apart[pair].0);
            more_shown += usize::from(once[pair].1 < apart[pair].1);
            coarser_loses += usize::from(coarse[pair] != once[pair]);
            shown += usize::from(apart[pair].1 > apart[pair].0);
        }
    }
    println!("{fewer} {shown} {more_shown} {coarser_loses}");
    assert!(fewer > 20 && shown > 20 && more_shown > 20 && coarser_loses > 20);
}
