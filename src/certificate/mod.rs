//! The format of a proof: certificate version 1, specified in `docs/certificate.md`.
//!
//! A certificate is a claim and hints. Reading it checks its form only: canonical numbers, ranges, lengths. Nothing in
//! it is believed; the checker derives everything it uses from the weights.
#![forbid(unsafe_code)]
#![deny(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]

pub mod file;
mod numbers;
pub mod published;

use crate::model::Config;
use crate::refusal::{Refusal, Rejection};
use num_bigint::BigUint;
use numbers::{integers, natural, naturals, out_of_range, small};
pub use published::Published;
use serde::{Deserialize, Serialize};

/// The certificate version that this build reads and writes.
pub const VERSION: &str = "1";
/// The largest certificate that is read, in bytes.
pub const MAX_BYTES: u64 = 64 << 20;
/// Offsets D̄ are hinted in units of 2^-20.
pub const OFFSET_BITS: i32 = 20;
/// Vectors of [`Entries`] are hinted in units of 2^-30.
pub const ENTRY_BITS: i32 = 30;
/// The finest grid, in bits.
pub const MAX_GRID_BITS: u32 = 16;

/// A certificate of the right form for a network of known size.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// SHA-256 of the network, in hexadecimal.
    pub network: String,
    /// Where the prover found the model, relative to the certificate: a suggestion only.
    pub model: Option<String>,
    /// The strategy's name: a label only.
    pub strategy: String,
    /// At least this many inputs are answered correctly.
    pub correct: BigUint,
    /// At most this many inputs are answered correctly, if claimed.
    pub upper: Option<BigUint>,
    /// Which entries of the tables are computed.
    pub tables: TableHints,
    /// For every query, tokens in descending order of attention.
    pub attention_orders: Vec<Vec<usize>>,
    /// Hints for the direct-path rule.
    pub direct_path: DirectPathHints,
    /// Hints for the criterion.
    pub criterion: CriterionHints,
    /// A published strategy's hints, in place of all the above.
    pub published: Option<Published>,
}

/// Which entries of the tables are computed; all of a table without hints.
#[derive(Debug, Clone, Default)]
pub struct TableHints {
    /// Of A above B.
    pub scores: Option<Entries>,
    /// Of EV above PV.
    pub logits: Option<Entries>,
    /// Of D.
    pub direct: Option<Entries>,
}

/// Which entries of a table XYᵀ are computed, and bounds of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entries {
    /// Four numbers for every block that is computed: its first row, the row behind its last, and the same of columns.
    #[serde(with = "numbers::naturals_as_text")]
    pub blocks: Vec<usize>,
    /// A vector in units of `2^-ENTRY_BITS`: subtracted from every row of Y.
    #[serde(with = "numbers::integers_as_text")]
    pub centre: Vec<i64>,
    /// The rows of B, likewise.
    #[serde(with = "numbers::rows_as_text")]
    pub basis: Vec<Vec<i64>>,
    /// For every row of X, a bound on what B does not see of it, likewise; 0 where none is needed.
    #[serde(with = "numbers::integers_as_text")]
    pub left: Vec<i64>,
    /// For every row of Y.
    #[serde(with = "numbers::integers_as_text")]
    pub right: Vec<i64>,
}

/// Hints for the direct-path rule, which bounds max over j of `EV + PV + D`: with `D = D̄ + D̃`, the two parts apart.
#[derive(Debug, Clone, Default)]
pub struct DirectPathHints {
    /// D̄(j) in units of `2^-OFFSET_BITS`; empty for zero.
    pub offset: Vec<i64>,
    /// For every (p, t), p-major: answers in descending order of `EV(t,·) + PV(p,·) + D̄`.
    pub token_orders: Vec<Vec<usize>>,
    /// For every q: answers in descending order of `D̃(q,·)`.
    pub query_orders: Vec<Vec<usize>>,
    /// For every q: answers in descending order of `EV(q,·) + PV(n−1,·) + D(q,·)`.
    pub last_orders: Vec<Vec<usize>>,
}

/// Hints for the criterion: which plan each (query, maximum) follows.
#[derive(Debug, Clone)]
pub struct CriterionHints {
    /// The distinct plans.
    pub plans: Vec<Plan>,
    /// For every maximum m, the plan of each query q ≤ m; empty when all follow plan 0.
    pub assignment: Vec<Vec<usize>>,
}

impl CriterionHints {
    /// The plan for query q and maximum m, with its path in the certificate.
    pub fn plan(&self, q: usize, m: usize) -> Option<(&Plan, usize)> {
        let index = if self.assignment.is_empty() { 0 } else { *self.assignment.get(m)?.get(q)? };
        self.plans.get(index).map(|plan| (plan, index))
    }
}

/// How the inputs of one (query, maximum) are certified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// A partition of the wrong answers.
    pub groups: Vec<Group>,
    /// How the groups with [`Test::Count`] are counted.
    pub count: Count,
    /// How many tokens the count treats one by one; `usize::MAX` for all.
    pub window: usize,
}

impl Plan {
    /// Nothing is certified.
    pub fn forfeit() -> Self {
        let groups = vec![Group { answers: Answers::Rest, test: Test::Forfeit }];
        Self { groups, count: Count::Tree(Script::default()), window: usize::MAX }
    }
}

/// Wrong answers that are tested together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Which answers.
    pub answers: Answers,
    /// How.
    pub test: Test,
}

/// The answers of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answers {
    /// These.
    These(Vec<usize>),
    /// All that no other group names, as one group.
    Rest,
    /// All that no other group names, each a group of its own.
    Each,
}

/// How a group is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// The whole-level test with positions pooled, with this window.
    Pooled(usize),
    /// The whole-level test position by position, with this window.
    Unpooled(usize),
    /// Its failures are counted.
    Count,
    /// Not at all: every input of this (query, maximum) counts as uncertified.
    Forfeit,
}

/// How failures are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    /// All groups together, by a tree over the inputs.
    Tree(Script),
    /// Each group apart, by convolution on a grid of `2^-bits`.
    Grid {
        /// Fractional bits of the grid.
        bits: u32,
    },
}

/// A tree over the inputs of one (query, maximum); its items are token m, the window's other tokens, the far class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// For each position, then counted group: the items in descending order of their terms.
    pub upper: Vec<Vec<usize>>,
    /// Likewise: the items in ascending order, where wrong inputs are shown with the group.
    pub lower: Vec<Vec<usize>>,
    /// The nodes, each before those below it; empty to go everywhere.
    pub walk: Vec<usize>,
}

impl Certificate {
    /// Checks the form of a certificate's text for a network of the given size.
    ///
    /// # Errors
    /// [`Rejection`]s with the path of the offending field; those of [`file::File::parse`].
    pub fn parse(text: &[u8], config: &Config) -> Result<Self, Refusal> {
        Self::from_file(file::File::parse(text)?, config)
    }

    /// Checks the form of a certificate for a network of the given size.
    ///
    /// # Errors
    /// As [`Certificate::parse`].
    pub fn from_file(file: file::File, config: &Config) -> Result<Self, Refusal> {
        let (v, n) = (config.d_vocab, config.n_ctx);
        let fits = |path: &'static str, found: &str, expected: String| {
            if found == expected { Ok(()) } else { Err(Rejection::WrongClaim { path, expected, found: found.into() }) }
        };
        fits("claim.task", &file.claim.task, Config::TASK.into())?;
        fits("claim.d_vocab", &file.claim.d_vocab, v.to_string())?;
        fits("claim.n_ctx", &file.claim.n_ctx, n.to_string())?;
        let total = config.inputs();
        let count = |path: &str, text: &str| -> Result<BigUint, Rejection> {
            let count = natural(path, text)?;
            if count > total {
                return Err(out_of_range(path, format!("at most d_vocab^n_ctx = {total}"), text));
            }
            Ok(count)
        };
        let correct = count("claim.correct", &file.claim.correct)?;
        let upper = file.claim.upper.as_deref().map(|text| count("claim.upper", text)).transpose()?;
        let orders = |path: &str, rows: &[String], expected: usize| orders(path, rows, expected, v);
        let mut tables = TableHints::default();
        let (mut attention_orders, mut criterion) = (vec![], CriterionHints { plans: vec![], assignment: vec![] });
        let mut direct_path = DirectPathHints::default();
        let published = Published::from_file(&file, config)?;
        if published.is_none() {
            let unfit = |path: &str| {
                let expected = "rules for attention, direct path and criterion that go together".into();
                Refusal::from(out_of_range(path, expected, "a rule that does not go with the others"))
            };
            let file::Attention::Exact { orders: rows, entries } = &file.attention else {
                return Err(unfit("attention.rule"));
            };
            attention_orders = orders("attention.orders", rows, v)?;
            let file::DirectPath::Split { offset, token_orders, query_orders, last_orders, logits, direct } =
                &file.direct_path
            else {
                return Err(unfit("direct_path.rule"));
            };
            tables = TableHints { scores: entries.clone(), logits: logits.clone(), direct: direct.clone() };
            direct_path = DirectPathHints {
                offset: offsets(offset, v)?,
                token_orders: orders("direct_path.token_orders", token_orders, v * (n - 1))?,
                query_orders: orders("direct_path.query_orders", query_orders, v)?,
                last_orders: orders("direct_path.last_orders", last_orders, v)?,
            };
            let file::Criterion::Partition { plans, assignment } = &file.criterion else {
                return Err(unfit("criterion.rule"));
            };
            criterion = self::criterion(plans, assignment, v)?;
        }
        Ok(Self {
            network: file.network,
            model: file.model,
            strategy: file.strategy,
            correct,
            upper,
            tables,
            attention_orders,
            direct_path,
            criterion,
            published,
        })
    }
}

/// Reads either no row or exactly `expected` rows of distinct indices below `v`.
fn orders(path: &str, rows: &[String], expected: usize, v: usize) -> Result<Vec<Vec<usize>>, Refusal> {
    if !rows.is_empty() && rows.len() != expected {
        return Err(out_of_range(path, format!("no row, or {expected}"), rows.len()).into());
    }
    rows.iter().enumerate().map(|(row, text)| distinct(&format!("{path}[{row}]"), text, v)).collect()
}

/// Reads distinct indices below `v`.
fn distinct(path: &str, text: &str, v: usize) -> Result<Vec<usize>, Refusal> {
    let entries = naturals(path, text, v)?;
    let mut seen = vec![false; v];
    for entry in &entries {
        match seen.get_mut(*entry) {
            Some(seen) if !*seen => *seen = true,
            _ => return Err(Rejection::Repeated { path: path.into(), found: entry.to_string() }.into()),
        }
    }
    Ok(entries)
}

fn offsets(text: &str, v: usize) -> Result<Vec<i64>, Refusal> {
    let path = "direct_path.offset";
    let offset = integers(path, text, 1 << 40)?;
    if !offset.is_empty() && offset.len() != v {
        return Err(out_of_range(path, format!("no entry, or {v}"), offset.len()).into());
    }
    Ok(offset)
}

fn criterion(plans: &[file::Plan], assignment: &[String], v: usize) -> Result<CriterionHints, Refusal> {
    if plans.is_empty() {
        return Err(out_of_range("criterion.plans", "at least one plan".into(), "none").into());
    }
    if !assignment.is_empty() && assignment.len() != v {
        return Err(out_of_range("criterion.assignment", format!("no row, or {v}"), assignment.len()).into());
    }
    let assignment = assignment
        .iter()
        .enumerate()
        .map(|(m, text)| {
            let path = format!("criterion.assignment[{m}]");
            let row = naturals(&path, text, plans.len())?;
            if row.len() != m + 1 {
                return Err(out_of_range(&path, format!("{} plan numbers, one for each query", m + 1), row.len()));
            }
            Ok(row)
        })
        .collect::<Result<_, Rejection>>()?;
    let plans = plans.iter().enumerate().map(|(index, plan)| self::plan(&format!("criterion.plans[{index}]"), plan, v));
    Ok(CriterionHints { plans: plans.collect::<Result<_, _>>()?, assignment })
}

fn plan(path: &str, plan: &file::Plan, v: usize) -> Result<Plan, Refusal> {
    let groups = plan.groups.iter().enumerate().map(|(index, group)| {
        let path = format!("{path}.groups[{index}]");
        let answers = match group.answers.as_str() {
            "rest" => Answers::Rest,
            "each" => Answers::Each,
            text => Answers::These(distinct(&format!("{path}.answers"), text, v)?),
        };
        let window = window(&format!("{path}.window"), &group.window, v)?;
        let test = match group.test {
            file::Test::Pooled => Test::Pooled(window),
            file::Test::Unpooled => Test::Unpooled(window),
            file::Test::Count => Test::Count,
            file::Test::Forfeit => Test::Forfeit,
        };
        Ok(Group { answers, test })
    });
    let most = usize::try_from(MAX_GRID_BITS).unwrap_or(0);
    let count = match &plan.count {
        file::Count::Tree { upper, lower, walk } => {
            let path = format!("{path}.count");
            let rows = |name: &str, rows: &[String]| {
                let row = |(index, text): (usize, &String)| naturals(&format!("{path}.{name}[{index}]"), text, v + 1);
                rows.iter().enumerate().map(row).collect::<Result<_, _>>()
            };
            Count::Tree(Script {
                upper: rows("upper", upper)?,
                lower: rows("lower", lower)?,
                walk: naturals(&format!("{path}.walk"), walk, usize::MAX)?,
            })
        }
        file::Count::Grid { bits } => {
            let bits = small(&format!("{path}.count.bits"), bits, 0, most)?;
            Count::Grid { bits: u32::try_from(bits).unwrap_or(0) }
        }
    };
    Ok(Plan {
        groups: groups.collect::<Result<_, Refusal>>()?,
        count,
        window: window(&format!("{path}.window"), &plan.window, v)?,
    })
}

fn window(path: &str, text: &str, v: usize) -> Result<usize, Rejection> {
    if text == "all" { Ok(usize::MAX) } else { small(path, text, 1, v) }
}

impl Config {
    /// The number of inputs, `d_vocab^n_ctx`.
    pub fn inputs(&self) -> BigUint {
        u32::try_from(self.n_ctx).map_or_else(|_| BigUint::default(), |n| BigUint::from(self.d_vocab).pow(n))
    }
}
