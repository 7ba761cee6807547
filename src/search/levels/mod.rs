//! Proofs of family `levels`: brute force, cubic, and proofs at a price.

mod entries;
mod exact;
mod orders;
mod overlaps;
mod plans;
mod priced;

pub(super) use priced::Prover;

use super::proof::hinted;
use crate::certificate::levels::{
    Answers, Count, ExactAttention, Group, Partition, Plan, Split, Test,
};
use crate::certificate::{Attention, Certificate, Criterion, DirectPath, Rows};
use crate::checker::Options;
use crate::checker::arithmetic::Fixed;
use crate::checker::levels::Tables;
use crate::checker::meter::Meter;
use crate::model::Network;
use crate::refusal::Refusal;
use crate::strategy::Strategy;
use orders::Orders;
use plans::Style;

/// The longest hinted prefix of an order of answers: what few groups need, at a fraction of the bytes.
const PREFIX: usize = 32;

/// Scores computed in full, without orders.
const EXACT: Attention = Attention::Exact(ExactAttention {
    orders: Rows::EMPTY,
    entries: None,
});

pub(super) fn brute_force(network: &Network) -> Certificate {
    let groups = vec![Group {
        answers: Answers::Each,
        test: Test::Count,
        window: None,
    }];
    let plan = Plan {
        groups,
        count: Count::default(),
        window: None,
    };
    let partition = Partition {
        plans: vec![plan],
        assignment: Rows::EMPTY,
    };
    let (direct_path, criterion) = (
        DirectPath::Split(Split::default()),
        Criterion::Partition(partition),
    );
    hinted(network, Strategy::BruteForce, EXACT, direct_path, criterion)
}

pub(super) fn cubic(network: &Network, options: Options<'_>) -> Result<Certificate, Refusal> {
    let orders = Orders::new(network, PREFIX)?;
    let ways = Ways {
        scores: EXACT,
        split: split(&orders),
    };
    let partition =
        plans::menu(network, &ways, &orders, &Style::CUBIC, options)?.choose(f64::INFINITY);
    Ok(ways.hinted(network, Strategy::Cubic, partition))
}

/// How scores and logits are read: the rules before the criterion.
struct Ways {
    scores: Attention,
    split: Split,
}

impl Ways {
    /// The tables that the checker makes of this.
    fn tables(&self, network: &Network) -> Result<Tables<Fixed>, Refusal> {
        let Attention::Exact(attention) = &self.scores else {
            unreachable!("our own attention rule")
        };
        Tables::<Fixed>::new(network, attention, &self.split, &Meter::new(u64::MAX))
    }

    fn hinted(self, network: &Network, strategy: Strategy, partition: Partition) -> Certificate {
        hinted(
            network,
            strategy,
            self.scores,
            DirectPath::Split(self.split),
            Criterion::Partition(partition),
        )
    }
}

fn split(orders: &Orders) -> Split {
    Split {
        offset: orders.offset.clone(),
        token_orders: orders.token.iter().cloned().collect(),
        query_orders: orders.query.iter().cloned().collect(),
        last_orders: orders.last.iter().cloned().collect(),
        ..Split::default()
    }
}
