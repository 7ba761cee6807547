//! Proofs of family `levels`: brute force, cubic, and proofs at a price.

mod entries;
mod orders;
mod overlaps;
mod places;
mod plan;
mod plans;
mod priced;
mod terms;
mod tree;

pub(super) use places::Places;
pub use places::has_levels;
pub(super) use priced::Prover;

use super::proof::Request;
use crate::certificate::Rows;
use crate::certificate::levels::{Answers, Count, Group, Levels, Partition, Plan, Split, Test};
use crate::checker::arithmetic::Fixed;
use crate::checker::levels::Tables;
use crate::checker::margin;
use crate::checker::meter::Meter;
use crate::refusal::Refusal;
use orders::Orders;
use plans::Style;

/// The longest hinted prefix of an order of answers: what few groups need, at a fraction of the bytes.
const PREFIX: usize = 32;

pub(super) fn brute_force() -> Levels {
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
    let criterion = Partition {
        plans: vec![plan],
        assignment: Rows::EMPTY,
    };
    Levels {
        criterion,
        ..Levels::default()
    }
}

pub(super) fn cubic(request: &Request<'_>) -> Result<Levels, Refusal> {
    let orders = Orders::new(request, PREFIX)?;
    let ways = Levels {
        direct_path: split(&orders),
        ..Levels::default()
    };
    let places = Places::new(&request.network.one_head()?);
    let words = places.words();
    let menu = plans::menu(
        request,
        &places::rows(&words),
        &ways,
        &orders,
        &Style::CUBIC,
    )?;
    Ok(Levels {
        criterion: menu.choose(f64::INFINITY),
        ..ways
    })
}

/// The tables that the checker makes of hints, whatever their plans.
fn tables(request: &Request<'_>, ways: &Levels) -> Result<Tables<Fixed>, Refusal> {
    let free = Meter::new(u64::MAX);
    let margin = margin::<Fixed>(&request.margin, &free);
    Tables::<Fixed>::new(&request.network.one_head()?, ways, margin, &free)
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
