//! Proofs at a price: what a share of the inputs is worth in FLOPs decides which (query, maximum) pairs are proved, and
//! how. An infinite price asks for all that can be proved; lower ones give the frontier of bound against length.

use super::entries::{Search, Start, TableHints, bounds};
use super::orders::Orders;
use super::places::{Place, Places, rows};
use super::plans::{self, Menu, Style};
use super::{PREFIX, split};
use crate::certificate::Hints;
use crate::certificate::levels::{ExactAttention, Levels, Split};
use crate::refusal::{Decline, Refusal};
use crate::search::proof::{Proof, Request, derive};
use crate::strategy::Strategy;
use crate::task::Words;
use num_bigint::BigUint;
use num_traits::ToPrimitive;

/// The longest inputs for which proof trees are grown.
const MOST_POSITIONS: usize = 5;
/// Prices of the frontier, in FLOPs for all inputs.
const PRICES: [f64; 10] = [
    f64::INFINITY,
    1e7,
    4e6,
    2e6,
    1.2e6,
    8e5,
    5e5,
    3e5,
    2e5,
    1.2e5,
];
/// The same for counts on a grid, which has no end of decided inputs.
const GRID_PRICES: [f64; 14] = [
    f64::INFINITY,
    1e11,
    1e10,
    1e9,
    1e8,
    1e7,
    4e6,
    2e6,
    1.2e6,
    8e5,
    5e5,
    3e5,
    2e5,
    1.2e5,
];
/// What all inputs are worth to an exact proof on a grid: the last ones cannot be had at any price.
const DEAREST: f64 = 2e11;
/// Every entry is computed.
const FULL: Start = Start { tables: [None; 3] };
/// Scores are bounded where that is enough.
const SCORES: Start = Start {
    tables: [Some((2, false)), None, None],
};
/// So is what attention does to the logits.
const SCORES_AND_LOGITS: Start = Start {
    tables: [Some((2, false)), Some((7, false)), None],
};
/// So is the direct path.
const ALL: Start = Start {
    tables: [Some((2, false)), Some((7, false)), Some((1, true))],
};

/// A network, ready for proofs at any price.
pub(in crate::search) struct Prover<'a> {
    request: &'a Request<'a>,
    rows: Vec<Vec<Place<'a>>>,
    strategy: Strategy,
    way: Way<'a>,
}

enum Way<'a> {
    /// Proof trees: with the far class bounded from below, and without.
    Trees(Vec<Search<'a>>),
    /// Counts on a grid.
    Grids(Box<Orders>, Menu),
}

impl<'a> Prover<'a> {
    pub(in crate::search) fn new(
        request: &'a Request<'a>,
        words: &'a [Vec<Vec<Words<'a>>>],
        strategy: Strategy,
        two_sided: bool,
    ) -> Result<Self, Refusal> {
        let rows = rows(words);
        let way = if request.network.sizes.n_ctx <= MOST_POSITIONS {
            // Bounding the far class from below costs something once, and makes trees of wrong inputs shorter.
            let ways: &[bool] = if two_sided { &[true, false] } else { &[true] };
            let search = |bounded: &bool| Search::new(request, &rows, (two_sided, *bounded));
            Way::Trees(ways.iter().map(search).collect::<Result<_, _>>()?)
        } else {
            let orders = Orders::new(request, PREFIX)?;
            let exact = matches!(strategy, Strategy::Exact { .. });
            let style = if exact {
                Style::exact(two_sided)
            } else {
                Style::SUBCUBIC
            };
            let ways = ways(&orders, TableHints::default());
            let menu = plans::menu(request, &rows, &ways, &orders, &style)?;
            Way::Grids(Box::new(orders), menu)
        };
        Ok(Self {
            request,
            rows,
            strategy,
            way,
        })
    }

    /// A proof of nothing, no longer than any other: the tables that all of them take, at their cheapest.
    pub(in crate::search) fn shortest(
        request: &'a Request<'a>,
        strategy: Strategy,
    ) -> Result<Proof, Refusal> {
        let orders = Orders::new(request, PREFIX)?;
        let mut hints = vec![ways(&orders, TableHints::default())];
        if request.network.sizes.n_ctx <= MOST_POSITIONS {
            let bounds = bounds(request, &[SCORES, SCORES_AND_LOGITS, ALL])?;
            hints.extend(bounds.into_iter().map(|bounds| ways(&orders, bounds)));
        }
        let places = Places::new(&request.network.one_head()?);
        let words = places.words();
        let rows = rows(&words);
        let nothing = || rows.iter().map(|row| row.iter().map(|_| plans::forfeit()));
        let proofs = hints.into_iter().map(|ways| {
            let criterion = plans::assemble(nothing());
            let hints = Levels { criterion, ..ways };
            derive(request, strategy, Hints::Levels(hints.into()))
        });
        let proofs = proofs.collect::<Result<Vec<_>, _>>()?;
        let shortest = proofs
            .into_iter()
            .min_by_key(|proof| proof.certified.meter.flops());
        Ok(shortest.expect("one is tried"))
    }

    pub(in crate::search) fn prices(&self) -> &'static [f64] {
        match self.way {
            Way::Trees(_) => &PRICES,
            Way::Grids(..) => &GRID_PRICES,
        }
    }

    /// The best proof at a price.
    pub(in crate::search) fn at(&self, price: f64) -> Result<Proof, Refusal> {
        let searches = match &self.way {
            Way::Grids(orders, menu) => {
                let ways = ways(orders, TableHints::default());
                let exact = matches!(self.strategy, Strategy::Exact { .. });
                let price = if exact { price.min(DEAREST) } else { price };
                let criterion = menu.choose(price);
                return self.derive(Levels { criterion, ..ways });
            }
            Way::Trees(searches) => searches,
        };
        // Where every input counts, the dearest entries pay; elsewhere bounds of them do.
        let starts: &[Start] = if price < 1e7 {
            &[SCORES, SCORES_AND_LOGITS, ALL]
        } else {
            &[FULL, SCORES]
        };
        let mut best: Option<(Proof, &Search<'_>)> = None;
        for (index, start) in starts.iter().enumerate() {
            // The first start decides how far classes are bounded.
            let searches: Vec<&Search<'_>> = match &best {
                Some((_, search)) if index > 0 => vec![*search],
                _ => searches.iter().collect(),
            };
            for search in searches {
                let hints = self.hints(search, price, start)?;
                let proof = self.derive(hints)?;
                if best
                    .as_ref()
                    .is_none_or(|(best, _)| merit(&proof, price) > merit(best, price))
                {
                    best = Some((proof, search));
                }
            }
        }
        Ok(best.expect("one start and one search are tried").0)
    }

    /// The same; none where it takes more than is allowed.
    pub(in crate::search) fn allowed(&self, price: f64) -> Result<Option<Proof>, Refusal> {
        match self.at(price) {
            Err(Refusal::Declined(Decline::Work { .. })) => Ok(None),
            proof => proof.map(Some),
        }
    }

    fn hints(&self, search: &Search<'_>, price: f64, start: &Start) -> Result<Levels, Refusal> {
        let answers = self.request.network.sizes.d_vocab_out;
        let tables = search.tables(price, start)?;
        let mixed = search
            .full
            .with(&self.request.network.one_head()?, &tables, answers)?;
        let ways = ways(&mixed, tables);
        let rows = &self.rows;
        let mut found = rows
            .iter()
            .map(|row| vec![None; row.len()])
            .collect::<Vec<_>>();
        search.plans(price, &mixed, &mut found);
        if price.is_infinite() {
            let style = Style::SUBCUBIC;
            plans::complete(self.request, rows, &ways, &mixed, &style, &mut found)?;
        }
        let rows = found.into_iter().map(|row| {
            row.into_iter()
                .map(|plan| plan.unwrap_or_else(plans::forfeit))
        });
        Ok(Levels {
            criterion: plans::assemble(rows),
            ..ways
        })
    }

    fn derive(&self, hints: Levels) -> Result<Proof, Refusal> {
        derive(self.request, self.strategy, Hints::Levels(hints.into()))
    }
}

/// With the orders of attention that windows need.
fn ways(orders: &Orders, tables: TableHints) -> Levels {
    let TableHints {
        scores: entries,
        logits,
        direct,
    } = tables;
    Levels {
        attention: ExactAttention {
            orders: orders.attention.iter().cloned().collect(),
            entries,
        },
        direct_path: Split {
            logits: logits.map(Box::new),
            direct: direct.map(Box::new),
            ..split(orders)
        },
        ..Levels::default()
    }
}

/// What a proof is worth at a price: undecided inputs first for an infinite one.
fn merit(proof: &Proof, price: f64) -> (f64, f64) {
    let certified = &proof.certified;
    let share =
        |inputs: &BigUint| inputs.to_f64().unwrap_or(0.0) / certified.total.to_f64().unwrap_or(1.0);
    let flops = certified.meter.flops() as f64;
    if price.is_infinite() {
        return (
            -(&certified.upper - &certified.correct)
                .to_f64()
                .unwrap_or(f64::MAX),
            -flops,
        );
    }
    (price * share(&certified.correct) - flops, 0.0)
}
