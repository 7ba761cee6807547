//! Certificate files: by hand for one plan, and random ones that are of the right form but guided by nothing.

use super::Random;
use gbmi::certificate::file::{Attention, Claim, Count, Criterion, DirectPath, File, Group, Plan, Test};
use gbmi::certificate::{Certificate, OFFSET_BITS, TableHints, VERSION};
use gbmi::checker::arithmetic::{Enclosure, Rational};
use gbmi::checker::meter::Meter;
use gbmi::checker::paths::Paths;
use gbmi::model::{Config, Network};
use gbmi::refusal::Refusal;

/// The certificate of a file, read as any other.
pub(crate) fn parse(network: &Network, file: &File) -> Result<Certificate, Refusal> {
    Certificate::parse(&serde_json::to_vec(file).unwrap(), &network.config)
}

/// A file without orders of attention that claims nothing; all (query, maximum) follow the first plan.
pub(crate) fn file(network: &Network, direct_path: DirectPath, plans: Vec<Plan>) -> File {
    File {
        gbmi: VERSION.into(),
        network: network.sha256.clone(),
        model: None,
        strategy: "by-hand".into(),
        claim: Claim {
            task: Config::TASK.into(),
            d_vocab: network.config.d_vocab.to_string(),
            n_ctx: network.config.n_ctx.to_string(),
            correct: "0".into(),
            upper: None,
        },
        attention: Attention::Exact { orders: vec![] },
        direct_path,
        criterion: Criterion::Partition { plans, assignment: vec![] },
    }
}

pub(crate) fn group(answers: &str, test: Test, window: &str) -> Group {
    Group { answers: answers.into(), test, window: window.into() }
}

pub(crate) fn plan(groups: Vec<Group>, count: Count, window: &str) -> Plan {
    Plan { groups, count, window: window.into() }
}

/// The split rule with one order of answers for every row. Entries behind a listed answer are bounded by their largest,
/// so groups without the maximum want it listed first.
pub(crate) fn split(network: &Network, order: &str) -> DirectPath {
    let (v, n) = (network.config.d_vocab, network.config.n_ctx);
    let rows = |rows: usize| vec![order.to_string(); rows];
    DirectPath::Split {
        offset: String::new(),
        token_orders: rows(v * (n - 1)),
        query_orders: rows(v),
        last_orders: rows(v),
    }
}

/// The split rule with this offset and the answers of every row from large to small: its margins are exact for groups of
/// one answer, and for all groups where what the offset leaves of the direct path is the same for all answers.
pub(crate) fn sorted(network: &Network, offset: &[i64]) -> DirectPath {
    let (v, n) = (network.config.d_vocab, network.config.n_ctx);
    let paths = Paths::<Rational>::new(network, &TableHints::default(), &Meter::new(u64::MAX)).unwrap();
    let shift = |j: usize| Rational::dyadic(offset.get(j).copied().unwrap_or(0), -OFFSET_BITS);
    let logit = |t: usize, p: usize, j: usize| paths.logits.at(t, j).add(paths.logits.at(v + p, j));
    let token = |row: usize, j: usize| logit(row % v, row / v, j).add(&shift(j));
    let query = |q: usize, j: usize| paths.direct.at(q, j).sub(&shift(j));
    let last = |q: usize, j: usize| logit(q, n - 1, j).add(paths.direct.at(q, j));
    let orders = |rows: usize, entry: &dyn Fn(usize, usize) -> Rational| {
        let order = |row: usize| {
            let entries: Vec<Rational> = (0..v).map(|j| entry(row, j)).collect();
            // An entry's place is the number of larger ones; equal ones stand as they are numbered.
            let mut answers: Vec<usize> = (0..v).collect();
            answers.sort_by_key(|j| entries.iter().filter(|entry| !entry.upper_at_most(&entries[*j])).count());
            list(answers)
        };
        (0..rows).map(order).collect()
    };
    DirectPath::Split {
        offset: list(offset),
        token_orders: orders(v * (n - 1), &token),
        query_orders: orders(v, &query),
        last_orders: orders(v, &last),
    }
}

pub(crate) fn list<T: ToString>(numbers: impl IntoIterator<Item = T>) -> String {
    numbers.into_iter().map(|number| number.to_string()).collect::<Vec<_>>().join(" ")
}

/// No orders, or one for every row: a shuffled prefix, possibly empty or whole.
fn orders(random: &mut Random, rows: usize, v: usize) -> Vec<String> {
    if random.once_in(6) {
        return vec![];
    }
    let whole = random.once_in(2);
    let row = |_| {
        let length = if whole { v } else { random.within(0, v) };
        list(random.shuffled((0..v).collect()).into_iter().take(length))
    };
    (0..rows).map(row).collect()
}

/// Sorted orders, or any.
fn direct_path(random: &mut Random, network: &Network) -> DirectPath {
    let (v, n) = (network.config.d_vocab, network.config.n_ctx);
    let bound = random.pick(&[0_i64, 1, 1 << 20, 1 << 22, (1 << 40) - 1]);
    let offset = (0..v).map(|_| i64::try_from(random.next() >> 1).unwrap() % (2 * bound + 1) - bound);
    let offset = if bound == 0 { vec![] } else { offset.collect::<Vec<_>>() };
    if random.once_in(3) {
        return sorted(network, &offset);
    }
    DirectPath::Split {
        offset: list(offset),
        token_orders: orders(random, v * (n - 1), v),
        query_orders: orders(random, v, v),
        last_orders: orders(random, v, v),
    }
}

fn window(random: &mut Random, v: usize) -> String {
    if random.once_in(2) { "all".into() } else { random.within(1, v).to_string() }
}

/// A tree without a script, or with one by chance.
fn tree(random: &mut Random, v: usize) -> Count {
    if random.once_in(2) {
        return Count::default();
    }
    let rows = |random: &mut Random| {
        let row = |_| {
            let items = random.shuffled((0..=v).collect());
            let length = random.within(0, v + 1);
            list(items.into_iter().take(length))
        };
        (0..12).map(row).collect::<Vec<String>>()
    };
    let upper = rows(random);
    let lower = if random.once_in(3) { vec![] } else { rows(random) };
    let token = |_| random.pick(&[0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 5]);
    let walk: Vec<usize> = (0..200).map(token).collect();
    Count::Tree { upper, lower, walk: list(walk) }
}

/// A plan whose groups hold every answer but m once.
fn random_plan(random: &mut Random, v: usize, m: usize) -> Plan {
    let test = |random: &mut Random| match random.within(0, 19) {
        0 => Test::Forfeit,
        1..=3 => Test::Pooled,
        4..=6 => Test::Unpooled,
        _ => Test::Count,
    };
    let mut left = random.shuffled((0..v).filter(|j| *j != m).collect());
    let mut groups = vec![];
    while !left.is_empty() && !random.once_in(3) {
        let these = left.split_off(random.within(0, left.len() - 1));
        groups.push(group(&list(these), test(random), &window(random, v)));
    }
    if !left.is_empty() || random.once_in(2) {
        let answers = random.pick(&["rest", "each"]);
        groups.insert(random.within(0, groups.len()), group(answers, test(random), &window(random, v)));
    }
    let bits = random.within(0, 16).to_string();
    let count = if random.once_in(2) { tree(random, v) } else { Count::Grid { bits } };
    plan(groups, count, &window(random, v))
}

/// Hints that every (query, maximum) can follow.
pub(crate) fn hints(random: &mut Random, network: &Network) -> File {
    let v = network.config.d_vocab;
    let mut file = file(network, direct_path(random, network), vec![]);
    file.attention = Attention::Exact { orders: orders(random, v, v) };
    let (mut plans, mut assignment) = (vec![], vec![]);
    for m in 0..v {
        let first = plans.len();
        plans.extend((0..random.within(1, 2)).map(|_| random_plan(random, v, m)));
        assignment.push(list((0..=m).map(|_| random.within(first, plans.len() - 1)).collect::<Vec<_>>()));
    }
    file.criterion = Criterion::Partition { plans, assignment };
    file
}

/// Hints of the right form, in which some wrong answer is in no group or in two, or the right one is in a group.
pub(crate) fn broken_hints(random: &mut Random, network: &Network) -> File {
    let v = network.config.d_vocab;
    let mut file = hints(random, network);
    let m = random.within(0, v - 1);
    let wrong: Vec<usize> = (0..v).filter(|j| *j != m).collect();
    let mut groups = match random.within(0, 4) {
        0 => vec![],
        1 => vec![list(wrong.iter().skip(1))],
        2 => vec!["rest".into(), "each".into()],
        3 => vec!["rest".into(), "rest".into()],
        _ => vec![list(&wrong), wrong[0].to_string()],
    };
    if random.once_in(3) {
        groups = vec![m.to_string(), "rest".into()];
    }
    let test = random.pick(&[Test::Count, Test::Pooled, Test::Unpooled, Test::Forfeit]);
    let broken = plan(groups.iter().map(|answers| group(answers, test, "all")).collect(), Count::default(), "all");
    let Criterion::Partition { plans, assignment } = &mut file.criterion else { unreachable!() };
    // Any query's plan may be the broken one.
    let mut row: Vec<usize> = assignment[m].split(' ').map(|index| index.parse().unwrap()).collect();
    row[random.within(0, m)] = plans.len();
    plans.push(broken);
    assignment[m] = list(row);
    file
}
