//! Certificates of family `levels`: what becomes of them when one rule is made exact.

use super::{Cause, Derived, MOST_POSITIONS, Outcome, Replacement, Row};
use crate::certificate::Rows;
use crate::certificate::levels::{
    Answers, Count, ExactAttention, Grid, Group, Levels, MAX_GRID_BITS, Partition, Plan, Split,
    Test,
};
use crate::checker::arithmetic::Fixed;
use crate::checker::levels::{Answer, Set, Tables};
use crate::checker::meter::Meter;
use crate::checker::{Decided, Options, in_order, margin};
use crate::model::OneHead;
use crate::refusal::Refusal;
use crate::task::{Level, Words};
use num_bigint::BigUint;
use std::collections::{BTreeMap, BTreeSet};

/// How the checker sees forfeited inputs that are to be counted where there are too many to look at each.
const FORFEITED: (u32, usize) = (8, 12);
/// How many bits finer a grid becomes.
const FINER: u32 = 3;

/// Hints, and the margin that is claimed.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) hints: &'a Levels,
    pub(super) margin: &'a BigUint,
}

impl Rules<'_> {
    fn tables(self, network: &OneHead<'_>, meter: &Meter) -> Result<Tables<Fixed>, Refusal> {
        Tables::new(network, self.hints, margin(self.margin, meter), meter)
    }
}

/// Derives the rows that are asked for, one after another: what several rows need is computed, and counted, in the
/// first of them.
pub(super) fn derive(
    network: &OneHead<'_>,
    rules: Rules<'_>,
    only: &(dyn Fn(usize, usize) -> bool + Sync),
    options: Options<'_>,
) -> Result<Derived, Refusal> {
    let in_turn = Options {
        threads: 1,
        ..options
    };
    derive_at_once(network, rules, only, in_turn)
}

/// The same on several threads, where only the sum of the rows' tallies is the same each time.
fn derive_at_once(
    network: &OneHead<'_>,
    rules: Rules<'_>,
    only: &(dyn Fn(usize, usize) -> bool + Sync),
    options: Options<'_>,
) -> Result<Derived, Refusal> {
    let meter = Meter::new(options.max_flops);
    let tables = rules.tables(network, &meter)?;
    let shared_flops = meter.flops();
    // The largest answer first, as the checker.
    let found = in_order(
        (0..tables.answers).rev().collect(),
        &meter,
        options,
        |right, meter| {
            let mut answer = Answer::new(&tables, right, meter);
            let levels = network.network.task.levels(right);
            let words: Vec<Vec<Words<'_>>> = levels.iter().map(Level::words).collect();
            let rows = by_query(&words).into_iter();
            let rows = rows.filter(|(query, _)| only(*query, right));
            let rows = rows.map(|(query, places)| {
                row(
                    &mut answer,
                    &rules.hints.criterion,
                    (right, query, &places),
                    meter,
                )
            });
            rows.collect::<Result<Vec<Row>, Refusal>>()
        },
    )?;
    Ok(Derived {
        rows: found.into_iter().rev().flatten().collect(),
        shared_flops,
    })
}

/// By query: the levels of an answer that it is in, each with the number of its plan.
fn by_query<'a>(words: &'a [Vec<Words<'a>>]) -> BTreeMap<usize, Vec<(usize, &'a Words<'a>)>> {
    let places = words.iter().flat_map(|words| Words::by_query(words));
    let mut found: BTreeMap<usize, Vec<(usize, &Words<'_>)>> = BTreeMap::new();
    for (number, (query, words)) in places.enumerate() {
        found.entry(query).or_default().push((number, words));
    }
    found
}

fn row(
    answer: &mut Answer<'_, Fixed>,
    hints: &Partition,
    (right, query, places): (usize, usize, &[(usize, &Words<'_>)]),
    meter: &Meter,
) -> Result<Row, Refusal> {
    let (flops, int_ops) = (meter.flops(), meter.int_ops());
    let (mut inputs, mut decided) = (BigUint::default(), Decided::default());
    for (number, words) in places {
        inputs += words.inputs();
        // Without a plan nothing is certified.
        if let Some((plan, index)) = hints.plan(right, *number) {
            let sets = answer.partition(plan, &format!("hints.criterion.plans[{index}]"))?;
            let view = answer.view(words, query);
            decided = decided + answer.settled(&view, &sets, plan)?;
        }
    }
    Ok(Row {
        maximum: right,
        query: Some(query),
        inputs,
        certified: decided.right,
        wrong: decided.wrong,
        right: None,
        flops: meter.flops() - flops,
        int_ops: meter.int_ops() - int_ops,
    })
}

/// Derives rows with every input looked at, every wrong answer apart, on tables in full. Only the sum of the rows'
/// tallies is the same on any number of threads.
pub(super) fn every_input(
    network: &OneHead<'_>,
    margin: &BigUint,
    only: &(dyn Fn(usize, usize) -> bool + Sync),
    options: Options<'_>,
) -> Result<Derived, Refusal> {
    let groups = vec![Group {
        answers: Answers::Each,
        test: Test::Count,
        window: None,
    }];
    let criterion = Partition {
        plans: vec![Plan {
            groups,
            count: Count::default(),
            window: None,
        }],
        assignment: Rows::EMPTY,
    };
    let hints = &Levels {
        criterion,
        ..Levels::default()
    };
    let rules = Rules { hints, margin };
    derive_at_once(network, rules, only, options)
}

/// Scripts, and what is said of a grid's groups, name them by number: that goes when they change.
fn without_script(count: &Count) -> Count {
    match count {
        Count::Tree(_) => Count::default(),
        Count::Grid(grid) => Count::Grid(Box::new(Grid {
            bits: grid.bits,
            ..Grid::default()
        })),
    }
}

fn all_tokens(plan: &Plan) -> Plan {
    let groups = plan.groups.iter().map(|group| match group.test {
        Test::Pooled | Test::Unpooled | Test::Wrong => Group {
            window: None,
            ..group.clone()
        },
        Test::Count | Test::Forfeit => group.clone(),
    });
    let count = if plan.window.is_none() {
        plan.count.clone()
    } else {
        without_script(&plan.count)
    };
    Plan {
        groups: groups.collect(),
        count,
        window: None,
    }
}

fn answers_apart(plan: &Plan) -> Plan {
    let mut groups = vec![];
    for group in &plan.groups {
        let with = |answers| Group { answers, ..*group };
        match &group.answers {
            // A group of no answers settles nothing, and is one too many where all others are apart.
            Answers::These(answers) if group.test != Test::Forfeit || answers.is_empty() => {
                groups.extend(answers.iter().map(|j| with(Answers::These(vec![*j]))));
            }
            Answers::Rest if group.test != Test::Forfeit => groups.push(with(Answers::Each)),
            other => groups.push(with(other.clone())),
        }
    }
    let counted = |groups: &[Group]| {
        groups
            .iter()
            .filter(|group| group.test == Test::Count)
            .cloned()
            .collect::<Vec<_>>()
    };
    let same = counted(&groups) == counted(&plan.groups);
    let count = if same {
        plan.count.clone()
    } else {
        without_script(&plan.count)
    };
    Plan {
        groups,
        count,
        window: plan.window,
    }
}

fn counted(plan: &Plan, positions: usize) -> Plan {
    if plan.groups.iter().all(|group| group.test == Test::Count) {
        return plan.clone();
    }
    let counted = |group: &Group| Group {
        answers: group.answers.clone(),
        test: Test::Count,
        window: None,
    };
    let groups = plan.groups.iter().map(counted).collect();
    let (count, window) = match &plan.count {
        Count::Tree(_) if positions > MOST_POSITIONS => {
            let (bits, window) = FORFEITED;
            (
                Count::Grid(Box::new(Grid {
                    bits,
                    ..Grid::default()
                })),
                Some(window),
            )
        }
        other => (without_script(other), plan.window),
    };
    Plan {
        groups,
        count,
        window,
    }
}

fn exact_count(plan: &Plan, positions: usize) -> Plan {
    if plan.groups.iter().all(|group| group.test != Test::Count) {
        return plan.clone();
    }
    let count = match &plan.count {
        Count::Tree(script) if script.walk.is_empty() => plan.count.clone(),
        _ if positions <= MOST_POSITIONS => Count::default(),
        Count::Grid(grid) => {
            let bits = grid.bits.saturating_add(FINER).min(MAX_GRID_BITS);
            Count::Grid(Box::new(Grid {
                bits,
                ..grid.as_ref().clone()
            }))
        }
        tree @ Count::Tree(_) => tree.clone(),
    };
    Plan {
        count,
        ..plan.clone()
    }
}

/// What each rule loses.
pub(super) fn replacements(
    network: &OneHead<'_>,
    rules: Rules<'_>,
    before: &Derived,
    options: Options<'_>,
) -> Result<Vec<Replacement>, Refusal> {
    let n = network.config.n_ctx;
    let Levels {
        attention,
        direct_path: split,
        criterion: partition,
    } = rules.hints;
    let in_full = Levels {
        attention: ExactAttention {
            entries: None,
            ..attention.clone()
        },
        direct_path: Split {
            logits: None,
            direct: None,
            ..split.clone()
        },
        criterion: partition.clone(),
    };
    let with = |replaced: &dyn Fn(&Plan) -> Plan| Levels {
        criterion: Partition {
            plans: partition.plans.iter().map(replaced).collect(),
            assignment: partition.assignment.clone(),
        },
        ..rules.hints.clone()
    };
    let [everywhere, apart, counts, exact] = [
        with(&all_tokens),
        with(&answers_apart),
        with(&|plan| counted(plan, n)),
        with(&|plan| exact_count(plan, n)),
    ];
    let count = if n <= MOST_POSITIONS {
        "every input looked at"
    } else {
        "a finer grid"
    };
    let variants = [
        ("entries bounded", "full tables", &in_full),
        ("windows", "all tokens", &everywhere),
        ("groups of answers", "every answer apart", &apart),
        ("whole-level tests, forfeits", "counts", &counts),
        ("counts", count, &exact),
    ];
    let undecided: BTreeMap<(usize, usize), &Row> = before
        .rows
        .iter()
        .filter(|row| row.undecided() > BigUint::default())
        .filter_map(|row| Some(((row.query?, row.maximum), row)))
        .collect();
    let mut numbers: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for right in 0..network.config.d_vocab_out {
        let levels = network.network.task.levels(right);
        let words: Vec<Vec<Words<'_>>> = levels.iter().map(Level::words).collect();
        for (query, places) in by_query(&words) {
            let of_places = places.into_iter().map(|(number, _)| number);
            numbers.insert((query, right), of_places.collect());
        }
    }
    let bounded = attention.entries.is_some() || split.logits.is_some() || split.direct.is_some();
    let outcome = |(index, (rule, by, new)): (usize, (&'static str, &'static str, &Levels))| {
        // A pair of which something is certified passes all its whole-level tests.
        let concerned = |(q, m): &(usize, usize), row: &Row| match index {
            0 => bounded,
            3 if row.certified > BigUint::default() => false,
            _ => numbers.get(&(*q, *m)).is_some_and(|numbers| {
                let differs =
                    |number: &usize| partition.plan(*m, *number) != new.criterion.plan(*m, *number);
                numbers.iter().any(differs)
            }),
        };
        let pairs: BTreeSet<(usize, usize)> = undecided
            .iter()
            .filter(|(pair, row)| concerned(pair, row))
            .map(|(pair, _)| *pair)
            .collect();
        let outcome = if pairs.is_empty() {
            Outcome::Unused
        } else {
            before.replaced(derive(
                network,
                Rules {
                    hints: new,
                    ..rules
                },
                &|q, m| pairs.contains(&(q, m)),
                options,
            ))?
        };
        Ok(Replacement { rule, by, outcome })
    };
    variants.into_iter().enumerate().map(outcome).collect()
}

/// What each group of answers fails to certify by itself, in all rows that are not decided.
pub(super) fn causes(
    network: &OneHead<'_>,
    rules: Rules<'_>,
    before: &Derived,
    options: Options<'_>,
) -> Result<Vec<Cause>, Refusal> {
    let meter = Meter::new(options.max_flops);
    let tables = rules.tables(network, &meter)?;
    let mut queries: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for row in before
        .rows
        .iter()
        .filter(|row| row.undecided() > BigUint::default())
    {
        queries.entry(row.maximum).or_default().extend(row.query);
    }
    let found = in_order(
        queries.into_iter().collect(),
        &meter,
        options,
        |(right, queries), meter| {
            let mut answer = Answer::new(&tables, right, meter);
            let levels = network.network.task.levels(right);
            let words: Vec<Vec<Words<'_>>> = levels.iter().map(Level::words).collect();
            let of_query = by_query(&words);
            let places = queries.iter().flat_map(|query| {
                let places = of_query.get(query).into_iter().flatten();
                places.map(move |place| (*query, place))
            });
            let mut found = vec![];
            for (query, (number, words)) in places {
                let Some((plan, _)) = rules.hints.criterion.plan(right, *number) else {
                    continue;
                };
                let alone = Plan {
                    count: without_script(&plan.count),
                    ..plan.clone()
                };
                let view = answer.view(words, query);
                for entry in answer.partition(plan, "")? {
                    let settled = answer.settled(&view, std::slice::from_ref(&entry), &alone)?;
                    let fails = words.inputs() - settled.right;
                    if fails > BigUint::default() {
                        found.push((named(&entry, right, tables.answers), fails));
                    }
                }
            }
            Ok(found)
        },
    )?;
    let mut causes: BTreeMap<Name, (BigUint, usize)> = BTreeMap::new();
    for (name, fails) in found.into_iter().flatten() {
        let entry = causes.entry(name).or_default();
        entry.0 += fails;
        entry.1 += 1;
    }
    let cause = |(name, (fails, rows)): (Name, _)| Cause {
        answers: name.text(),
        fails,
        rows,
    };
    let mut causes: Vec<Cause> = causes.into_iter().map(cause).collect();
    causes.sort_by(|a, b| b.fails.cmp(&a.fails));
    Ok(causes)
}

/// A set of answers: these, or all but these; and how it is tested.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    but: bool,
    answers: Vec<usize>,
    how: &'static str,
}

fn named((set, group): &(Set, &Group), m: usize, v: usize) -> Name {
    let how = match group.test {
        Test::Count => "",
        Test::Forfeit => ", forfeited",
        Test::Pooled | Test::Unpooled => ", tested whole",
        Test::Wrong => ", tested to win everywhere",
    };
    let marked = match set {
        Set::One(answer) => {
            return Name {
                but: false,
                answers: vec![*answer],
                how,
            };
        }
        Set::Marked(marked) => |j: usize| marked.get(j) == Some(&true),
    };
    let (inside, outside): (Vec<usize>, Vec<usize>) =
        (0..v).filter(|j| *j != m).partition(|j| marked(*j));
    if inside.len() > outside.len() {
        Name {
            but: true,
            answers: outside,
            how,
        }
    } else {
        Name {
            but: false,
            answers: inside,
            how,
        }
    }
}

impl Name {
    fn text(&self) -> String {
        /// How many answers are named.
        const NAMED: usize = 4;
        let list: Vec<String> = self
            .answers
            .iter()
            .take(NAMED)
            .map(ToString::to_string)
            .collect();
        let list = list.join(" ");
        let more = self.answers.len().saturating_sub(NAMED);
        let list = if more > 0 {
            format!("{list} and {more} more")
        } else {
            list
        };
        let answers = match (self.but, self.answers.is_empty()) {
            (true, true) => "all".into(),
            (true, false) => format!("all but {list}"),
            (false, _) => list,
        };
        format!("{answers}{}", self.how)
    }
}
