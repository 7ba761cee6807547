//! Hints of family `levels`.

use super::numbers::text::{self, serialize as written};
use super::numbers::{Rows, Text};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use std::ops::Range;

/// Offsets D̄ are hinted in units of 2^-20.
pub const OFFSET_BITS: i32 = 20;
/// Vectors of [`Entries`] are hinted in units of 2^-30.
pub const ENTRY_BITS: i32 = 30;
/// The finest grid, in bits.
pub const MAX_GRID_BITS: u32 = 16;

/// The hints of the family.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Levels {
    /// Scores token by token.
    pub attention: ExactAttention,
    /// Margins answer by answer.
    pub direct_path: Split,
    /// Partition of the wrong answers, window, whole-level test, count.
    pub criterion: Partition,
}

/// Hints for rule `attention`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExactAttention {
    /// For every query, tokens in descending order of attention.
    #[serde(skip_serializing_if = "Rows::is_empty")]
    pub orders: Rows<usize>,
    /// Which entries of A beside B are computed, if not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<Entries>,
}

/// Hints for rule `margins`, which bounds max over j of `EV + PV + D`: with `D = D̄ + D̃`, the two parts apart.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Split {
    /// D̄(j) in units of `2^-OFFSET_BITS`; zero where left out.
    #[serde(skip_serializing_if = "Vec::is_empty", with = "text")]
    pub offset: Vec<i64>,
    /// For every (p, t), p-major: answers in descending order of `EV(t,·) + PV(p,·) + D̄`.
    #[serde(skip_serializing_if = "Rows::is_empty")]
    pub token_orders: Rows<usize>,
    /// For every q: answers in descending order of `D̃(q,·)`.
    #[serde(skip_serializing_if = "Rows::is_empty")]
    pub query_orders: Rows<usize>,
    /// For every q: answers in descending order of `EV(q,·) + PV(n−1,·) + D(q,·)`.
    #[serde(skip_serializing_if = "Rows::is_empty")]
    pub last_orders: Rows<usize>,
    /// Which entries of EV above PV are computed, if not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logits: Option<Box<Entries>>,
    /// Which entries of D are computed, if not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direct: Option<Box<Entries>>,
}

/// Hints for rule `entries`: which entries of a table XYᵀ are computed, and bounds of the others. Vectors and bounds are
/// in units of `2^-ENTRY_BITS`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Entries {
    /// What is computed.
    #[serde(with = "text")]
    pub blocks: Vec<Block>,
    /// Added to every row of Y; zero where left out.
    #[serde(skip_serializing_if = "Vec::is_empty", with = "text")]
    pub centre: Vec<i64>,
    /// The rows of B.
    #[serde(skip_serializing_if = "Rows::is_empty")]
    pub basis: Rows<i64>,
    /// For every row of X, a bound on what B does not see of it; 0 where none is needed.
    #[serde(skip_serializing_if = "Vec::is_empty", with = "text")]
    pub left: Vec<i64>,
    /// For every row of Y.
    #[serde(skip_serializing_if = "Vec::is_empty", with = "text")]
    pub right: Vec<i64>,
}

/// A block of a table: rows and columns, each from the first to before the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its rows.
    pub rows: Range<usize>,
    /// Its columns.
    pub columns: Range<usize>,
}

/// Four numbers each; up to three at the end count for nothing.
impl Text for Vec<Block> {
    fn read(text: &str) -> Result<Self, String> {
        let mut numbers = text
            .split(' ')
            .filter(|_| !text.is_empty())
            .map(usize::read);
        let mut blocks = Vec::new();
        while let Some(first) = numbers.next() {
            let rest = [numbers.next(), numbers.next(), numbers.next()];
            let (first, [row, column, last]) = (first?, rest.map(Option::transpose));
            if let (Some(row), Some(column), Some(last)) = (row?, column?, last?) {
                blocks.push(Block {
                    rows: first..row,
                    columns: column..last,
                });
            }
        }
        Ok(blocks)
    }

    fn write(&self) -> String {
        let numbers = |block: &Block| {
            let Block { rows, columns } = block;
            [rows.start, rows.end, columns.start, columns.end]
        };
        self.iter()
            .flat_map(numbers)
            .collect::<Vec<usize>>()
            .write()
    }
}

/// Hints for the criterion `partition`: which plan each (query, level) follows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// The distinct plans.
    pub plans: Vec<Plan>,
    /// For every answer, the plan of each token at the last position, level by level; empty when all follow plan 0.
    #[serde(default, skip_serializing_if = "Rows::is_empty")]
    pub assignment: Rows<usize>,
}

impl Partition {
    /// The plan for an answer and one of the queries of its levels, by number, with its index.
    pub fn plan(&self, answer: usize, number: usize) -> Option<(&Plan, usize)> {
        let index = if self.assignment.is_empty() {
            0
        } else {
            *self.assignment.get(answer)?.get(number)?
        };
        self.plans.get(index).map(|plan| (plan, index))
    }
}

/// How the inputs of one (query, level) are decided.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// A partition of the wrong answers.
    pub groups: Vec<Group>,
    /// How the groups with [`Test::Count`] are counted.
    #[serde(default, skip_serializing_if = "Count::is_default")]
    pub count: Count,
    /// How many tokens the count treats one by one, if not all.
    #[serde(
        default,
        deserialize_with = "window",
        serialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub window: Option<usize>,
}

/// Wrong answers that are tested together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Which answers.
    #[serde(with = "text")]
    pub answers: Answers,
    /// How.
    pub test: Test,
    /// How many tokens a whole-level test treats one by one, if not all.
    #[serde(
        default,
        deserialize_with = "window",
        serialize_with = "written",
        skip_serializing_if = "Option::is_none"
    )]
    pub window: Option<usize>,
}

/// The answers of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answers {
    /// These.
    These(Vec<usize>),
    /// All that no other group names, as one group.
    Rest,
    /// All that no other group names, each a group of its own.
    Each,
}

impl Text for Answers {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "rest" => Ok(Self::Rest),
            "each" => Ok(Self::Each),
            list => Vec::read(list).map(Self::These),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Rest => "rest".into(),
            Self::Each => "each".into(),
            Self::These(answers) => answers.write(),
        }
    }
}

/// How a group is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// The whole-level test with positions pooled.
    Pooled,
    /// The whole-level test position by position.
    Unpooled,
    /// The same from below, for one answer: it shows every input of this (query, level) to be wrong.
    Wrong,
    /// Its failures are counted.
    Count,
    /// Not at all: every input of this (query, level) counts as uncertified.
    Forfeit,
}

/// How failures are counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Count {
    /// All groups together, by a tree over the inputs.
    Tree(Script),
    /// Group by group, by convolution on a grid.
    Grid(Box<Grid>),
}

named!("rule", Count: "tree" => Tree(Script), "grid" => Grid(Box<Grid>));

/// Counts of sums on a grid of `2^-bits`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Fractional bits of the grid, at most [`MAX_GRID_BITS`].
    #[serde(with = "text")]
    pub bits: u32,
    /// For each counted group: nothing, or an earlier one without whose inputs its own are counted, and by how many bits
    /// the grid is coarser there.
    #[serde(default, skip_serializing_if = "Rows::is_empty")]
    pub without: Rows<usize>,
    /// Counted groups of one answer that show inputs to be wrong, if any.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text")]
    pub wrong: Option<Wrong>,
}

impl Grid {
    /// What is said of a counted group.
    pub fn without(&self, group: usize) -> Option<Without> {
        let numbers = self.without.get(group)?;
        Some(Without {
            group: *numbers.first()?,
            coarser: numbers.get(1).copied().unwrap_or(0),
        })
    }
}

/// A group without whose inputs those of another are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Without {
    /// The group.
    pub group: usize,
    /// By how many bits the grid is coarser there.
    pub coarser: usize,
}

/// What shows inputs to be wrong on a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wrong {
    /// A group.
    pub by: usize,
    /// Another one, which shows more outside the inputs of the first.
    pub then_by: Option<usize>,
    /// By how many bits the grid is coarser for that one.
    pub coarser: usize,
}

/// Up to three numbers; what is behind them counts for nothing.
impl Text for Option<Wrong> {
    fn read(text: &str) -> Result<Self, String> {
        let numbers = Vec::<usize>::read(text)?;
        Ok(numbers.first().map(|by| Wrong {
            by: *by,
            then_by: numbers.get(1).copied(),
            coarser: numbers.get(2).copied().unwrap_or(0),
        }))
    }

    fn write(&self) -> String {
        let Some(Wrong {
            by,
            then_by,
            coarser,
        }) = self
        else {
            return String::new();
        };
        let numbers = match then_by {
            None => vec![*by],
            Some(then_by) if *coarser == 0 => vec![*by, *then_by],
            Some(then_by) => vec![*by, *then_by, *coarser],
        };
        numbers.write()
    }
}

impl Default for Count {
    fn default() -> Self {
        Self::Tree(Script::default())
    }
}

impl Count {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What a tree over the inputs of one (query, level) does, place by place.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Tokens, and `d_vocab` for all that are far: they come first, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty", with = "text")]
    pub order: Vec<usize>,
    /// [`Word`]s; empty for the rule that needs none (`checker/levels/tree.rs`).
    #[serde(skip_serializing_if = "Vec::is_empty", with = "text")]
    pub walk: Vec<usize>,
}

/// What a script says of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// All its inputs are right. Among the items of a way on, so many of them as follows, or all that are left for 0.
    Right,
    /// The next of them are looked at apart.
    Split,
    /// They stay undecided.
    Leave,
    /// A group is negative everywhere there, and is not looked at any more: another word follows.
    Drop(usize),
    /// All its inputs are wrong, by a group of one answer; likewise.
    Wrong(usize),
}

impl Word {
    /// As a number.
    pub fn number(self) -> usize {
        match self {
            Self::Right => 0,
            Self::Split => 1,
            Self::Leave => 2,
            Self::Drop(group) => group.saturating_mul(2).saturating_add(3),
            Self::Wrong(group) => group.saturating_mul(2).saturating_add(4),
        }
    }

    /// From a number.
    pub fn read(number: usize) -> Self {
        match number {
            0 => Self::Right,
            1 => Self::Split,
            2 => Self::Leave,
            _ if number % 2 == 1 => Self::Drop((number - 3) / 2),
            _ => Self::Wrong((number - 4) / 2),
        }
    }
}

/// A number of tokens, or `all`.
fn window<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let text = <&str>::deserialize(deserializer)?;
    if text == "all" {
        Ok(None)
    } else {
        Text::read(text).map_err(D::Error::custom)
    }
}
