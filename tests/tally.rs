//! The proof length is what was done: every operation on real quantities, counted by the number type itself, is in
//! the checker's own tally, and nothing else is.

use crate::common::{Random, hints, plans, published_hints, random_model, reread};
use gbmi::certificate::Certificate;
use gbmi::checker::arithmetic::{Enclosure, Fixed};
use gbmi::checker::exhaustive::decide;
use gbmi::checker::meter::Meter;
use gbmi::checker::{Options, Run, certify};
use gbmi::model::Network;
use gbmi::search::prove;
use gbmi::strategy::{Family, Strategy};
use proptest::strategy::{Strategy as _, ValueTree};
use proptest::test_runner::TestRunner;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Operations done by all [`Counting`] numbers. The checker's threads share it.
static OPERATIONS: AtomicU64 = AtomicU64::new(0);
/// Those that multiply by one and a power of two: changes of unit.
static UNITS: AtomicU64 = AtomicU64::new(0);
/// One check at a time.
static TURN: Mutex<()> = Mutex::new(());

fn count(operations: usize) {
    OPERATIONS.fetch_add(operations.try_into().unwrap(), Ordering::Relaxed);
}

/// An enclosure that counts what is done with it. Constants and conversions are free (`docs/theory.md`, T9): so is what is
/// made of a constant alone, such as 1/√d.
#[derive(Debug, Clone)]
struct Counting<R> {
    value: R,
    is_constant: bool,
    is_one: bool,
}

impl<R> Counting<R> {
    fn result(value: R) -> Self {
        Self {
            value,
            is_constant: false,
            is_one: false,
        }
    }

    fn constant(value: R) -> Self {
        Self {
            is_constant: true,
            ..Self::result(value)
        }
    }
}

impl<R: Enclosure> Enclosure for Counting<R> {
    const NAME: &'static str = "counting";

    fn everything() -> Self {
        Self::constant(R::everything())
    }
    fn dyadic(mantissa: i64, exponent: i32) -> Self {
        Self {
            is_one: (mantissa, exponent) == (1, 0),
            ..Self::constant(R::dyadic(mantissa, exponent))
        }
    }
    fn inverse(&self) -> Self {
        count(usize::from(!self.is_constant));
        Self {
            is_constant: self.is_constant,
            ..Self::result(self.value.inverse())
        }
    }
    fn inverse_sqrt(&self) -> Self {
        count(usize::from(!self.is_constant));
        Self {
            is_constant: self.is_constant,
            ..Self::result(self.value.inverse_sqrt())
        }
    }
    fn add(&self, other: &Self) -> Self {
        count(1);
        Self::result(self.value.add(&other.value))
    }
    fn sub(&self, other: &Self) -> Self {
        count(1);
        Self::result(self.value.sub(&other.value))
    }
    fn mul_scaled(&self, other: &Self, shift: i32) -> Self {
        count(1);
        UNITS.fetch_add(other.is_one.into(), Ordering::Relaxed);
        Self::result(self.value.mul_scaled(&other.value, shift))
    }
    fn max(&self, other: &Self) -> Self {
        count(1);
        Self::result(self.value.max(&other.value))
    }
    fn min(&self, other: &Self) -> Self {
        count(1);
        Self::result(self.value.min(&other.value))
    }
    fn exp(&self) -> (Self, i32) {
        count(1);
        let (y, k) = self.value.exp();
        (Self::result(y), k)
    }
    fn is_nonnegative(&self) -> bool {
        count(1);
        self.value.is_nonnegative()
    }
    fn lower_at_most(&self, other: &Self) -> bool {
        count(1);
        self.value.lower_at_most(&other.value)
    }
    /// Two bounds put side by side: no operation on real quantities.
    fn hull(&self, other: &Self) -> Self {
        Self::result(self.value.hull(&other.value))
    }
    fn upper(&self) -> Self {
        Self::result(self.value.upper())
    }
    fn is_negative(&self) -> bool {
        count(1);
        self.value.is_negative()
    }
    fn upper_at_most(&self, other: &Self) -> bool {
        count(1);
        self.value.upper_at_most(&other.value)
    }
    fn ceil_to_grid(&self, bits: u32, limit: i64) -> Option<i64> {
        count(1);
        self.value.ceil_to_grid(bits, limit)
    }
    fn floor_to_grid(&self, bits: u32, limit: i64) -> Option<i64> {
        count(1);
        self.value.floor_to_grid(bits, limit)
    }
    fn dot<'a>(pairs: impl Iterator<Item = (&'a Self, &'a Self)>) -> Self
    where
        R: 'a,
    {
        let pairs: Vec<_> = pairs.map(|(a, b)| (&a.value, &b.value)).collect();
        // As many products, one addition less.
        count((2 * pairs.len()).saturating_sub(1));
        Self::result(R::dot(pairs.into_iter()))
    }
}

/// The operations done, and those tallied.
fn done_and_tallied(network: &Network, certificate: &Certificate) -> (u64, u64) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    OPERATIONS.store(0, Ordering::Relaxed);
    let certified = certify::<Counting<Fixed>>(
        network,
        certificate,
        Options {
            threads: 2,
            ..Options::default()
        },
    );
    let meter = certified.unwrap().meter;
    // The one exemption: attention by position is brought to one unit per query by a power of two, which moves the
    // point and is no operation; it passes through `mul_scaled` by 1.
    let rescaled = u64::try_from(
        network.one_head().unwrap().config.d_vocab * network.one_head().unwrap().config.n_ctx,
    )
    .unwrap();
    (OPERATIONS.load(Ordering::Relaxed) - rescaled, meter.flops())
}

fn published_is_tallied(model: &str, strategy: Strategy) {
    let network = Network::load(
        &Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("models")
            .join(model),
    )
    .unwrap();
    let proof = prove(
        &network,
        strategy,
        None,
        Options {
            threads: 2,
            ..Options::default()
        },
    )
    .unwrap();
    let certificate = Certificate::read(&proof.text).unwrap();
    let (done, tallied) = done_and_tallied(&network, &certificate);
    let overcount = i128::from(tallied) - i128::from(done);
    assert_eq!(
        done,
        tallied,
        "{model}, {}: over-counted by {overcount}",
        strategy.name()
    );
    assert_eq!(
        tallied,
        proof.certified.meter.flops(),
        "the tally depends on the arithmetic or on threads"
    );
}

#[test]
fn brute_force_is_tallied() {
    published_is_tallied("max_of_2_seed123", Strategy::BruteForce);
}

#[test]
fn cubic_is_tallied() {
    published_is_tallied("max_of_2_seed123", Strategy::Cubic);
    published_is_tallied("max_of_4_seed50", Strategy::Cubic);
}

#[test]
fn subcubic_is_tallied() {
    published_is_tallied("max_of_2_seed123", Strategy::Subcubic);
    published_is_tallied("max_of_4_seed50", Strategy::Subcubic);
}

#[test]
fn random_hints_are_tallied() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let (kind, model) = random_model(&mut random);
        let network = model.network();
        let mut certificate = hints(&mut random, &network);
        // With and without a margin.
        certificate.claim.margin = random.pick(&[0_u64, 0, 1, 1 << 47]).into();
        let certificate = reread(&certificate);
        let (done, tallied) = done_and_tallied(&network, &certificate);
        let overcount = i128::from(tallied) - i128::from(done);
        assert_eq!(
            done, tallied,
            "seed {seed}, {kind:?}: over-counted by {overcount}: {certificate:?}, {model:?}"
        );
    }
}

#[test]
fn strategies_on_random_models_are_tallied() {
    for seed in 0..60 {
        let network = random_model(&mut Random::new(seed)).1.network();
        for strategy in Strategy::OWN {
            let proof = prove(&network, strategy, None, Options::default()).unwrap();
            let certificate = Certificate::read(&proof.text).unwrap();
            let (done, tallied) = done_and_tallied(&network, &certificate);
            assert_eq!(done, tallied, "seed {seed}, {}", strategy.name());
        }
    }
}

#[test]
fn published_strategies_are_tallied() {
    for seed in 0..6 {
        let network = random_model(&mut Random::new(seed)).1.network();
        let proofs = Family::all().map(|family| {
            (
                family.to_string(),
                prove(
                    &network,
                    Strategy::Published(family),
                    None,
                    Options::default(),
                ),
            )
        });
        let convexity = [(
            "convexity".into(),
            prove(&network, Strategy::PublishedCubic, None, Options::default()),
        )];
        for (name, proof) in convexity.into_iter().chain(proofs) {
            let certificate = Certificate::read(&proof.unwrap().text).unwrap();
            let (done, tallied) = done_and_tallied(&network, &certificate);
            assert_eq!(
                done,
                tallied,
                "seed {seed}, {name}: over-counted by {}",
                i128::from(tallied) - i128::from(done)
            );
        }
    }
}

#[test]
fn random_hints_of_published_rules_are_tallied() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let (kind, model) = random_model(&mut random);
        let network = model.network();
        let certificate = published_hints(&mut random, &network);
        let (done, tallied) = done_and_tallied(&network, &certificate);
        let overcount = i128::from(tallied) - i128::from(done);
        assert_eq!(
            done, tallied,
            "seed {seed}, {kind:?}: over-counted by {overcount}: {certificate:?}"
        );
    }
}

/// Every kind of network, evaluated input by input.
#[test]
fn exhaustive_is_tallied() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..60 {
        let plan = plans().new_tree(&mut runner).unwrap().current();
        let network = plan.describe();
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        OPERATIONS.store(0, Ordering::Relaxed);
        UNITS.store(0, Ordering::Relaxed);
        let options = Options {
            threads: 2,
            ..Options::default()
        };
        let meter = Meter::new(options.max_flops);
        let margin = plan.seed.is_multiple_of(2).then(|| Counting::dyadic(1, -4));
        let run = Run {
            meter: &meter,
            margin,
            options,
        };
        decide::<Counting<Fixed>>(&network.read().unwrap(), &run).unwrap();
        let done = OPERATIONS.load(Ordering::Relaxed) - UNITS.load(Ordering::Relaxed);
        assert_eq!(done, meter.flops(), "{plan:?}");
    }
}
