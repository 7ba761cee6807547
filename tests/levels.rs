//! Family `levels` on every task whose inputs fall into levels: tiny networks of one head, from both sides, against the
//! literal definition of the task and of the network.

use crate::common::{Description, Plan, Random, TASKS, Weights, hints, plans, reread, truth};
use gbmi::certificate::MARGIN_BITS;
use gbmi::checker::arithmetic::{Enclosure, Fixed, Rational};
use gbmi::checker::{Certified, Options, certify};
use gbmi::model::Network;
use gbmi::refusal::{Decline, Refusal};
use gbmi::search::prove;
use gbmi::strategy::Strategy;
use num_bigint::{BigInt, BigUint};
use num_rational::BigRational;
use proptest::prelude::*;
use proptest::strategy::Strategy as _;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// How many of the tasks in `TASKS` have levels: the first ones.
const WITH_LEVELS: usize = 7;

/// One layer and one head, of such a task.
fn one_head() -> impl proptest::strategy::Strategy<Value = Plan> {
    plans().prop_map(|plan| Plan {
        task: plan.task % WITH_LEVELS,
        two_embeddings: false,
        n_layers: 1,
        n_heads: 1,
        d_mlp: 0,
        norm: 0,
        rate: 7,
        ..plan
    })
}

/// The network, unless its task has no levels.
fn network(described: &Description) -> Option<Network> {
    let network = described.read().unwrap();
    let head = network.one_head().unwrap();
    let levels = (0..head.config.d_vocab_out).flat_map(|answer| network.task.levels(answer));
    let has_some = levels.map(|level| level.words().len()).sum::<usize>() > 0;
    has_some.then_some(network)
}

/// One eighth, and nothing.
fn margins() -> [(BigUint, BigRational); 2] {
    let eighth = BigUint::from(1_u8) << (MARGIN_BITS - 3);
    let exact = BigRational::new(BigInt::from(1), BigInt::from(8));
    [
        (BigUint::default(), BigRational::default()),
        (eighth, exact),
    ]
}

fn derived<R: Enclosure>(
    network: &Network,
    certificate: &gbmi::certificate::Certificate,
) -> Option<Certified> {
    match certify::<R>(network, certificate, Options::default()) {
        Ok(certified) => Some(certified),
        // A function without levels among others.
        Err(Refusal::Declined(Decline::Task { .. })) => None,
        Err(refusal) => panic!("{refusal}"),
    }
}

/// What was proved, over all cases.
static PROVED: Mutex<BTreeMap<&str, (u32, u32, u32)>> = Mutex::new(BTreeMap::new());

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn random_hints_prove_nothing_false(plan in one_head(), seed in any::<u64>()) {
        let described = plan.describe();
        let Some(network) = network(&described) else {
            return Ok(());
        };
        let exact: Vec<BigRational> = margins().map(|(_, exact)| exact).to_vec();
        let (truths, is_small) = truth(&described, &exact);
        for ((units, _), truth) in margins().into_iter().zip(&truths) {
            let mut certificate = hints(&mut Random::new(seed), &network);
            certificate.claim.margin = units.clone();
            let certificate = reread(&certificate);
            let Some(by_fixed) = derived::<Fixed>(&network, &certificate) else {
                return Ok(());
            };
            let by_rational = derived::<Rational>(&network, &certificate).unwrap();
            for certified in [&by_fixed, &by_rational] {
                prop_assert!(certified.correct <= (truth.right + truth.undecided).into(), "{certified:?} {truth:?}");
                prop_assert!(certified.upper >= truth.right.into(), "{certified:?} {truth:?}");
                prop_assert_eq!(&certified.total, &truth.all().into());
            }
            let mut proved = PROVED.lock().unwrap();
            let counts = proved.entry(TASKS[plan.task]).or_default();
            counts.0 += 1;
            counts.1 += u32::from(by_fixed.correct > BigUint::default());
            counts.2 += u32::from(by_fixed.upper < by_fixed.total);
        }
        let truth = &truths[0];
        let proved = |strategy| prove(&network, strategy, None, Options::default()).unwrap();
        let is_true = |found: &Certified| {
            found.correct <= (truth.right + truth.undecided).into() && found.upper >= truth.right.into()
        };
        let found = proved(Strategy::Exact { two_sided: true });
        prop_assert!(is_true(&found.certified), "{:?} {truth:?}", found.certified);
        // Without hints every input is looked at, and by rationals decided where no lead is tiny.
        let proof = proved(Strategy::BruteForce);
        prop_assert!(is_true(&proof.certified), "{:?} {truth:?}", proof.certified);
        let found = derived::<Rational>(&network, &proof.certificate).unwrap();
        prop_assert!(is_true(&found), "{found:?} {truth:?}");
        if plan.weights == Weights::Normal && is_small && truth.ties == 0 && truth.undecided == 0 {
            prop_assert_eq!((&found.correct, &found.upper), (&truth.right.into(), &truth.right.into()));
        }
    }
}
