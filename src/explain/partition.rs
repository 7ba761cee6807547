//! Certificates with the rule `partition`: what becomes of them when one rule is made exact.

use super::{Cause, Derived, MOST_POSITIONS, Outcome, Replacement, Row};
use crate::certificate::{
    Answers, Certificate, Count, CriterionHints, DirectPathHints, Group, MAX_GRID_BITS, Plan, Script, TableHints, Test,
};
use crate::checker::arithmetic::Fixed;
use crate::checker::criterion::Level;
use crate::checker::meter::Meter;
use crate::checker::rules::Set;
use crate::checker::{self, Options, parallel};
use crate::model::Network;
use crate::refusal::{Refusal, Rejection};
use num_bigint::BigUint;
use std::collections::{BTreeMap, BTreeSet};

/// How the checker sees forfeited inputs that are to be counted where there are too many to look at each.
const FORFEITED: (Count, usize) = (Count::Grid { bits: 8 }, 12);
/// How many bits finer a grid becomes.
const FINER: u32 = 3;

/// Derives the rows that are asked for.
pub(super) fn derive(
    network: &Network,
    hints: &Certificate,
    only: &(dyn Fn(usize, usize) -> bool + Sync),
    options: Options<'_>,
) -> Result<Derived, Refusal> {
    let meter = Meter::new(options.max_flops);
    let tables = checker::tables::<Fixed>(network, hints, &meter)?;
    let meters: Vec<Meter> = (0..tables.d_vocab).map(|_| meter.fork()).collect();
    // The largest maximum, with the most inputs, first.
    let levels = parallel(meters, options.threads, |index, meter| {
        let m = tables.d_vocab - 1 - index;
        let mut level = Level::new(&tables, m, &meter);
        let rows: Result<Vec<Row>, Refusal> =
            (0..=m).filter(|q| only(*q, m)).map(|q| row(&mut level, &hints.criterion, (q, m), &meter)).collect();
        (options.progress)();
        rows
    });
    let rows: Result<Vec<Vec<Row>>, Refusal> = levels.into_iter().rev().collect();
    Ok(Derived { rows: rows?.into_iter().flatten().collect(), shared_flops: meter.flops() })
}

fn row(
    level: &mut Level<'_, Fixed>,
    hints: &CriterionHints,
    (q, m): (usize, usize),
    meter: &Meter,
) -> Result<Row, Refusal> {
    let (flops, int_ops) = (meter.flops(), meter.int_ops());
    let (plan, index) = plan(hints, q, m)?;
    let sets = level.partition(plan, &format!("criterion.plans[{index}]"))?;
    let (uncertified, wrong) = level.uncertified(q, &sets, plan)?;
    let inputs = level.inputs(q);
    Ok(Row {
        maximum: m,
        query: Some(q),
        certified: super::less(&inputs, &uncertified),
        inputs,
        wrong,
        right: None,
        flops: meter.flops() - flops,
        int_ops: meter.int_ops() - int_ops,
    })
}

fn plan(hints: &CriterionHints, q: usize, m: usize) -> Result<(&Plan, usize), Refusal> {
    hints.plan(q, m).ok_or_else(|| {
        let path = format!("criterion.assignment[{m}][{q}]");
        Rejection::OutOfRange { path, expected: "a plan number".into(), found: "none".into() }.into()
    })
}

/// Every input looked at, every wrong answer apart, on tables in full.
pub(super) fn bare(certificate: &Certificate) -> Certificate {
    let plan = Plan {
        groups: vec![Group { answers: Answers::Each, test: Test::Count }],
        count: everywhere(),
        window: usize::MAX,
    };
    Certificate {
        tables: TableHints::default(),
        attention_orders: vec![],
        direct_path: DirectPathHints::default(),
        criterion: CriterionHints { plans: vec![plan], assignment: vec![] },
        published: None,
        ..certificate.clone()
    }
}

fn everywhere() -> Count {
    Count::Tree(Script::default())
}

/// A script speaks of items and groups by number: it goes when either changes.
fn without_script(count: &Count) -> Count {
    match count {
        Count::Tree(_) => everywhere(),
        grid @ Count::Grid { .. } => grid.clone(),
    }
}

fn all_tokens(plan: &Plan) -> Plan {
    let test = |test| match test {
        Test::Pooled(_) => Test::Pooled(usize::MAX),
        Test::Unpooled(_) => Test::Unpooled(usize::MAX),
        other => other,
    };
    let groups = plan.groups.iter().map(|group| Group { answers: group.answers.clone(), test: test(group.test) });
    let count = if plan.window == usize::MAX { plan.count.clone() } else { without_script(&plan.count) };
    Plan { groups: groups.collect(), count, window: usize::MAX }
}

fn answers_apart(plan: &Plan) -> Plan {
    let mut groups = vec![];
    for Group { answers, test } in &plan.groups {
        match answers {
            Answers::These(answers) if *test != Test::Forfeit => {
                groups.extend(answers.iter().map(|j| Group { answers: Answers::These(vec![*j]), test: *test }));
            }
            Answers::Rest if *test != Test::Forfeit => groups.push(Group { answers: Answers::Each, test: *test }),
            other => groups.push(Group { answers: other.clone(), test: *test }),
        }
    }
    let counted =
        |groups: &[Group]| groups.iter().filter(|group| group.test == Test::Count).cloned().collect::<Vec<_>>();
    let same = counted(&groups) == counted(&plan.groups);
    let count = if same { plan.count.clone() } else { without_script(&plan.count) };
    Plan { groups, count, window: plan.window }
}

fn counted(plan: &Plan, positions: usize) -> Plan {
    if plan.groups.iter().all(|group| group.test == Test::Count) {
        return plan.clone();
    }
    let groups = plan.groups.iter().map(|group| Group { answers: group.answers.clone(), test: Test::Count }).collect();
    let (count, window) = match &plan.count {
        Count::Tree(_) if positions > MOST_POSITIONS => FORFEITED,
        other => (without_script(other), plan.window),
    };
    Plan { groups, count, window }
}

fn exact_count(plan: &Plan, positions: usize) -> Plan {
    if plan.groups.iter().all(|group| group.test != Test::Count) {
        return plan.clone();
    }
    let count = match &plan.count {
        Count::Tree(script) if script.walk.is_empty() => plan.count.clone(),
        _ if positions <= MOST_POSITIONS => everywhere(),
        Count::Grid { bits } => Count::Grid { bits: (bits + FINER).min(MAX_GRID_BITS) },
        tree @ Count::Tree(_) => tree.clone(),
    };
    Plan { count, ..plan.clone() }
}

/// What each rule loses.
pub(super) fn replacements(
    network: &Network,
    certificate: &Certificate,
    before: &Derived,
    options: Options<'_>,
) -> Result<Vec<Replacement>, Refusal> {
    let n = network.config.n_ctx;
    let with = |replaced: &dyn Fn(&Plan) -> Plan| {
        let criterion = &certificate.criterion;
        let plans = criterion.plans.iter().map(replaced).collect();
        let assignment = criterion.assignment.clone();
        Certificate { criterion: CriterionHints { plans, assignment }, ..certificate.clone() }
    };
    let count = if n <= MOST_POSITIONS { "every input looked at" } else { "a finer grid" };
    let variants = [
        ("entries bounded", "full tables", Certificate { tables: TableHints::default(), ..certificate.clone() }),
        ("windows", "all tokens", with(&all_tokens)),
        ("groups of answers", "every answer apart", with(&answers_apart)),
        ("whole-level tests, forfeits", "counts", with(&|plan| counted(plan, n))),
        ("counts", count, with(&|plan| exact_count(plan, n))),
    ];
    let undecided: BTreeMap<(usize, usize), &Row> = before
        .rows
        .iter()
        .filter(|row| row.undecided() > BigUint::default())
        .filter_map(|row| Some(((row.query?, row.maximum), row)))
        .collect();
    let bounded = [&certificate.tables.scores, &certificate.tables.logits, &certificate.tables.direct];
    let bounded = bounded.iter().any(|entries| entries.is_some());
    let outcome = |(index, (rule, by, hints)): (usize, (&'static str, &'static str, Certificate))| {
        // A pair of which something is certified passes all its whole-level tests.
        let concerned = |(q, m): &(usize, usize), row: &Row| match index {
            0 => bounded,
            3 if row.certified > BigUint::default() => false,
            _ => {
                certificate.criterion.plan(*q, *m).map(|(plan, _)| plan)
                    != hints.criterion.plan(*q, *m).map(|(plan, _)| plan)
            }
        };
        let pairs: BTreeSet<(usize, usize)> =
            undecided.iter().filter(|(pair, row)| concerned(pair, row)).map(|(pair, _)| *pair).collect();
        let outcome = if pairs.is_empty() {
            Outcome::Unused
        } else {
            before.replaced(derive(network, &hints, &|q, m| pairs.contains(&(q, m)), options))?
        };
        Ok(Replacement { rule, by, outcome })
    };
    variants.into_iter().enumerate().map(outcome).collect()
}

/// What each group of answers fails to certify by itself, in all rows that are not decided.
pub(super) fn causes(
    network: &Network,
    certificate: &Certificate,
    before: &Derived,
    options: Options<'_>,
) -> Result<Vec<Cause>, Refusal> {
    let meter = Meter::new(options.max_flops);
    let tables = checker::tables::<Fixed>(network, certificate, &meter)?;
    let mut queries: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for row in before.rows.iter().filter(|row| row.undecided() > BigUint::default()) {
        queries.entry(row.maximum).or_default().extend(row.query);
    }
    let levels: Vec<(usize, Vec<usize>, Meter)> = queries.into_iter().map(|(m, row)| (m, row, meter.fork())).collect();
    let found = parallel(levels, options.threads, |_, (m, queries, meter)| {
        let mut level = Level::new(&tables, m, &meter);
        let mut found = vec![];
        for q in queries {
            let (plan, _) = plan(&certificate.criterion, q, m)?;
            let alone = Plan { count: without_script(&plan.count), ..plan.clone() };
            for (set, test) in level.partition(plan, "")? {
                let entry = [(set, test)];
                let fails = level.uncertified(q, &entry, &alone)?.0;
                if fails > BigUint::default() {
                    found.push((named(&entry[0], m, tables.d_vocab), fails));
                }
            }
        }
        Ok::<_, Refusal>(found)
    });
    let mut causes: BTreeMap<Name, (BigUint, usize)> = BTreeMap::new();
    for level in found {
        for (name, fails) in level? {
            let entry = causes.entry(name).or_default();
            entry.0 += fails;
            entry.1 += 1;
        }
    }
    let cause = |(name, (fails, rows)): (Name, _)| Cause { answers: name.text(), fails, rows };
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

fn named((set, test): &(Set, Test), m: usize, v: usize) -> Name {
    let how = match test {
        Test::Count => "",
        Test::Forfeit => ", forfeited",
        Test::Pooled(_) | Test::Unpooled(_) => ", tested whole",
    };
    let marked = match set {
        Set::One(answer) => return Name { but: false, answers: vec![*answer], how },
        Set::Marked(marked) => |j: usize| marked.get(j) == Some(&true),
    };
    let (inside, outside): (Vec<usize>, Vec<usize>) = (0..v).filter(|j| *j != m).partition(|j| marked(*j));
    if inside.len() > outside.len() {
        Name { but: true, answers: outside, how }
    } else {
        Name { but: false, answers: inside, how }
    }
}

impl Name {
    fn text(&self) -> String {
        /// How many answers are named.
        const NAMED: usize = 4;
        let list: Vec<String> = self.answers.iter().take(NAMED).map(ToString::to_string).collect();
        let list = list.join(" ");
        let more = self.answers.len().saturating_sub(NAMED);
        let list = if more > 0 { format!("{list} and {more} more") } else { list };
        let answers = match (self.but, self.answers.is_empty()) {
            (true, true) => "all".into(),
            (true, false) => format!("all but {list}"),
            (false, _) => list,
        };
        format!("{answers}{}", self.how)
    }
}
