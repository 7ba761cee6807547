//! Certificates: by hand for one plan, and random ones that are of the right form but guided by nothing.

use super::Random;
use super::change;
use gbmi::certificate::levels::{
    Answers, Block, Count, ENTRY_BITS, Entries, ExactAttention, Grid, Group, Levels, OFFSET_BITS,
    Partition, Plan, Script, Split, Test, Wrong,
};
use gbmi::certificate::{Certificate, Claim, Hints, Rows, VERSION};
use gbmi::checker::arithmetic::{Enclosure, Rational};
use gbmi::checker::levels::Paths;
use gbmi::checker::meter::Meter;
use gbmi::model::{Network, Shape};
use gbmi::task::Words;

/// The certificate, written and read as any other.
pub(crate) fn reread(certificate: &Certificate) -> Certificate {
    Certificate::read(&serde_json::to_vec(certificate).unwrap()).unwrap()
}

/// A certificate of these rules that claims nothing.
pub(crate) fn bare(network: &Network, hints: Hints) -> Certificate {
    Certificate {
        gbmi: VERSION.into(),
        network: network.sha256.clone(),
        model: None,
        strategy: "by-hand".into(),
        claim: Claim {
            task: network.task_name.clone(),
            total: network.task.size(),
            ..Claim::default()
        },
        hints,
    }
}

/// A certificate without orders of attention; all (query, maximum) follow the first plan.
pub(crate) fn by_hand(network: &Network, direct_path: Split, plans: Vec<Plan>) -> Certificate {
    let criterion = Partition {
        plans,
        assignment: Rows::EMPTY,
    };
    let hints = Levels {
        direct_path,
        criterion,
        ..Levels::default()
    };
    bare(network, Hints::Levels(hints.into()))
}

/// The hints of family `levels`.
pub(crate) fn levels(certificate: &mut Certificate) -> &mut Levels {
    let Hints::Levels(levels) = &mut certificate.hints else {
        panic!("another family")
    };
    levels
}

/// Its plans.
pub(crate) fn partition(certificate: &mut Certificate) -> &mut Partition {
    &mut levels(certificate).criterion
}

/// The numbers of a list.
pub(crate) fn numbers(list: &str) -> Vec<usize> {
    list.split_whitespace()
        .map(|number| number.parse().unwrap())
        .collect()
}

/// A window as a certificate has it.
pub(crate) fn tokens(window: &str) -> Option<usize> {
    if window == "all" {
        None
    } else {
        Some(window.parse().unwrap())
    }
}

pub(crate) fn group(answers: &str, test: Test, window: &str) -> Group {
    let answers = match answers {
        "rest" => Answers::Rest,
        "each" => Answers::Each,
        list => Answers::These(numbers(list)),
    };
    Group {
        answers,
        test,
        window: tokens(window),
    }
}

pub(crate) fn plan(groups: Vec<Group>, count: Count, window: &str) -> Plan {
    Plan {
        groups,
        count,
        window: tokens(window),
    }
}

/// The split rule with one order of answers for every row. Entries behind a listed answer are bounded by their largest,
/// so groups without the maximum want it listed first.
pub(crate) fn split(network: &Network, order: &str) -> Split {
    let network = network.one_head().unwrap();
    let (v, n) = (network.config.d_vocab, network.config.n_ctx);
    let rows = |rows: usize| vec![numbers(order); rows].into();
    Split {
        offset: vec![],
        token_orders: rows(v * (n - 1)),
        query_orders: rows(network.queries.len()),
        last_orders: rows(network.queries.len()),
        ..Split::default()
    }
}

/// The split rule with this offset and the answers of every row from large to small: its margins are exact for groups of
/// one answer, and for all groups where what the offset leaves of the direct path is the same for all answers.
pub(crate) fn sorted(network: &Network, offset: &[i64]) -> Split {
    let network = network.one_head().unwrap();
    let (v, n, queries) = (
        network.config.d_vocab,
        network.config.n_ctx,
        &network.queries,
    );
    let paths = Paths::<Rational>::new(&network, [None; 3], &Meter::new(u64::MAX)).unwrap();
    let shift = |j: usize| Rational::dyadic(offset.get(j).copied().unwrap_or(0), -OFFSET_BITS);
    let logit = |t: usize, p: usize, j: usize| paths.logits.at(t, j).add(paths.logits.at(v + p, j));
    let token = |row: usize, j: usize| logit(row % v, row / v, j).add(&shift(j));
    let query = |q: usize, j: usize| paths.direct.at(q, j).sub(&shift(j));
    let last = |q: usize, j: usize| logit(queries[q], n - 1, j).add(paths.direct.at(q, j));
    let orders = |rows: usize, entry: &dyn Fn(usize, usize) -> Rational| {
        let order = |row: usize| {
            let all = 0..network.config.d_vocab_out;
            let entries: Vec<Rational> = all.clone().map(|j| entry(row, j)).collect();
            // An entry's place is the number of larger ones; equal ones stand as they are numbered.
            let mut answers: Vec<usize> = all.collect();
            answers.sort_by_key(|j| {
                entries
                    .iter()
                    .filter(|entry| !entry.upper_at_most(&entries[*j]))
                    .count()
            });
            answers
        };
        (0..rows).map(order).collect()
    };
    Split {
        offset: offset.to_vec(),
        token_orders: orders(v * (n - 1), &token),
        query_orders: orders(queries.len(), &query),
        last_orders: orders(queries.len(), &last),
        ..Split::default()
    }
}

fn list<T: ToString>(numbers: impl IntoIterator<Item = T>) -> String {
    numbers
        .into_iter()
        .map(|number| number.to_string())
        .collect::<Vec<_>>()
        .join(" ")
}

/// No orders, or one for every row: a shuffled prefix, possibly empty or whole. At times a row less or more, and rows
/// that repeat an entry or name one that does not exist.
fn orders(random: &mut Random, rows: usize, v: usize) -> Rows<usize> {
    if random.once_in(6) {
        return Rows::EMPTY;
    }
    let rows = if random.once_in(12) {
        random.within(rows.max(1) - 1, rows + 1)
    } else {
        rows
    };
    let (whole, sloppy) = (random.once_in(2), random.once_in(4));
    let row = |_| {
        let length = if whole { v } else { random.within(0, v) };
        let mut row = random.shuffled((0..v).collect());
        row.truncate(length);
        for _ in 0..if sloppy { random.within(0, 3) } else { 0 } {
            row.insert(random.within(0, row.len()), random.within(0, v + 1));
        }
        row
    };
    (0..rows).map(row).collect()
}

/// Sorted orders, or any.
fn direct_path(random: &mut Random, network: &Network) -> Split {
    let Shape {
        d_vocab_out: v,
        n_ctx: n,
        d_vocab: tokens,
        ..
    } = network.one_head().unwrap().config;
    let queries = network.one_head().unwrap().queries.len();
    let bound = random.pick(&[0_i64, 1, 1 << 20, 1 << 22, (1 << 40) - 1, (1 << 61) - 1]);
    let length = if random.once_in(12) {
        random.within(v.max(1) - 1, v + 1)
    } else {
        v
    };
    let offset =
        (0..length).map(|_| i64::try_from(random.next() >> 1).unwrap() % (2 * bound + 1) - bound);
    let offset = if bound == 0 {
        vec![]
    } else {
        offset.collect::<Vec<_>>()
    };
    if random.once_in(3) {
        return sorted(network, &offset);
    }
    Split {
        offset,
        token_orders: orders(random, tokens * (n - 1), v),
        query_orders: orders(random, queries, v),
        last_orders: orders(random, queries, v),
        ..Split::default()
    }
}

fn window(random: &mut Random, v: usize) -> Option<usize> {
    let least = usize::from(!random.once_in(12));
    if random.once_in(2) {
        None
    } else {
        Some(random.within(least, v + 1))
    }
}

/// A tree without a script, or with one by chance.
fn tree(random: &mut Random, v: usize) -> Count {
    if random.once_in(2) {
        return Count::default();
    }
    let mut order = random.shuffled((0..=v).collect());
    order.truncate(random.within(0, v + 1));
    if random.once_in(4) {
        let place = random.within(0, order.len());
        order.insert(place, random.pick(&[0, v, v + 1, usize::MAX]));
    }
    // Right, split, leave; then drop and wrong by turns, of groups 0 to 3 and of one that is not there.
    let words = [
        0, 0, 0, 1, 1, 1, 1, 1, 2, 3, 3, 4, 4, 5, 6, 7, 8, 9, 10, 99, 100,
    ];
    let walk = (0..200).map(|_| random.pick(&words)).collect();
    Count::Tree(Script { order, walk })
}

/// A grid on which groups are counted without earlier ones, later ones and none, and show wrong inputs.
fn grid(random: &mut Random) -> Count {
    let bits = u32::try_from(random.within(0, 17)).unwrap();
    let place = |random: &mut Random| random.pick(&[0, 0, 0, 1, 1, 2, 3, usize::MAX]);
    let coarser = |random: &mut Random| random.pick(&[0, 0, 1, 2, 5, usize::MAX]);
    let without = (0..random.within(0, 6)).map(|_| match random.within(0, 3) {
        0 => vec![],
        1 => vec![place(random)],
        _ => vec![place(random), coarser(random)],
    });
    let without = without.collect::<Vec<Vec<usize>>>().into();
    let (by, then_by) = (place(random), place(random));
    let wrong = (!random.once_in(4)).then_some(Wrong {
        by,
        then_by: random.once_in(2).then_some(then_by),
        coarser: coarser(random),
    });
    Count::Grid(Box::new(Grid {
        bits,
        without,
        wrong,
    }))
}

/// A plan whose groups hold every answer but the right one once, for so many tokens.
fn random_plan(random: &mut Random, (answers, v): (usize, usize), right: usize) -> Plan {
    let test = |random: &mut Random| match random.within(0, 19) {
        0 => Test::Forfeit,
        1..=3 => Test::Pooled,
        4..=5 => Test::Unpooled,
        6 => Test::Wrong,
        _ => Test::Count,
    };
    let mut left = random.shuffled((0..answers).filter(|j| *j != right).collect());
    let mut groups = vec![];
    while !left.is_empty() && !random.once_in(3) {
        let answers = Answers::These(left.split_off(random.within(0, left.len() - 1)));
        groups.push(Group {
            answers,
            test: test(random),
            window: window(random, v),
        });
    }
    if !left.is_empty() || random.once_in(2) {
        let answers = if random.once_in(2) {
            Answers::Rest
        } else {
            Answers::Each
        };
        let at = random.within(0, groups.len());
        groups.insert(
            at,
            Group {
                answers,
                test: test(random),
                window: window(random, v),
            },
        );
    }
    let count = if random.once_in(2) {
        tree(random, v)
    } else {
        grid(random)
    };
    Plan {
        groups,
        count,
        window: window(random, v),
    }
}

/// Any hints: blocks that overlap or leave the table, bases too long and too short, bounds too small and ample.
pub(crate) fn entries(random: &mut Random, rows: usize, cols: usize, d: usize) -> Entries {
    let unit = 1_i64 << ENTRY_BITS;
    let mut number = |most: i64| i64::try_from(random.next() >> 1).unwrap() % (2 * most + 1) - most;
    let size = [unit / 64, unit / 8, unit][usize::try_from(number(1) + 1).unwrap()];
    let rank = usize::try_from(number(1) + 1).unwrap();
    let basis = (0..rank)
        .map(|_| (0..d).map(|_| number(size)).collect::<Vec<i64>>())
        .collect();
    let centre = if number(1) > 0 {
        vec![]
    } else {
        (0..d).map(|_| number(unit)).collect()
    };
    let ample = [unit / 4, 8 * unit, 512 * unit][usize::try_from(number(1) + 1).unwrap()];
    let bounds = |length: usize, number: &mut dyn FnMut(i64) -> i64| {
        (0..length).map(|_| number(ample).max(0)).collect()
    };
    let (left, right) = (bounds(rows, &mut number), bounds(cols, &mut number));
    let mut blocks = vec![];
    for _ in 0..random.within(0, 4) {
        let rows = [random.within(0, rows), random.within(0, rows + 2)];
        let cols = [random.within(0, cols), random.within(0, cols + 2)];
        blocks.push(Block {
            rows: rows[0]..rows[1],
            columns: cols[0]..cols[1],
        });
    }
    Entries {
        blocks,
        centre,
        basis,
        left,
        right,
    }
}

/// Any hints for one table in two.
fn some_entries(random: &mut Random, rows: usize, cols: usize, d: usize) -> Option<Entries> {
    let entries = entries(random, rows, cols, d);
    random.once_in(2).then_some(entries)
}

/// Hints that every (query, level) can follow.
pub(crate) fn hints(random: &mut Random, network: &Network) -> Certificate {
    let head = network.one_head().unwrap();
    let (v, rows, answers) = (
        head.config.d_vocab,
        head.queries.len(),
        head.config.d_vocab_out,
    );
    let mut direct_path = direct_path(random, network);
    let (mut orders, mut scores) = (orders(random, rows, v), None);
    if random.once_in(2) {
        let Shape {
            n_ctx: n,
            d_model: d,
            d_head,
            ..
        } = network.one_head().unwrap().config;
        scores = some_entries(random, rows, v + n, d.min(d_head));
        change(&mut orders, |orders| {
            orders.truncate(if random.once_in(8) { 0 } else { rows })
        });
        direct_path.logits = some_entries(random, v + n, answers, d.min(d_head)).map(Box::new);
        direct_path.direct = some_entries(random, rows, answers, d).map(Box::new);
    }
    let attention = ExactAttention {
        orders,
        entries: scores,
    };
    let (mut plans, mut assignment): (_, Vec<Vec<usize>>) = (vec![], vec![]);
    for right in 0..answers {
        let first = plans.len();
        let all = (answers, v);
        plans.extend((0..random.within(1, 2)).map(|_| random_plan(random, all, right)));
        let levels = network.task.levels(right);
        let places = levels
            .iter()
            .map(|level| Words::by_query(&level.words()).len());
        let places: usize = places.sum();
        let row = (0..places).map(|_| random.within(first, plans.len() - 1));
        assignment.push(row.collect::<Vec<_>>());
        match random.within(0, 40) {
            // No plan for the last query, or a plan for none.
            0 => drop(assignment[right].pop()),
            1 => assignment[right].push(0),
            2 if places > 0 => assignment[right][random.within(0, places - 1)] = usize::MAX,
            _ => {}
        }
    }
    let hints = Levels {
        attention,
        direct_path,
        criterion: Partition {
            plans,
            assignment: assignment.into(),
        },
    };
    bare(network, Hints::Levels(hints.into()))
}

/// Hints of the right form, in which some wrong answer is in no group or in two, or the right one is in a group.
pub(crate) fn broken_hints(random: &mut Random, network: &Network) -> Certificate {
    let v = network.one_head().unwrap().config.d_vocab;
    let mut certificate = hints(random, network);
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
    match random.within(0, 9) {
        0 => groups = vec![format!("{0} {0}", wrong[0]), "rest".into()],
        1 => groups = vec![v.to_string(), "rest".into()],
        2 => groups = vec![usize::MAX.to_string(), "each".into()],
        _ => {}
    }
    let test = random.pick(&[Test::Count, Test::Pooled, Test::Unpooled, Test::Forfeit]);
    let broken = plan(
        groups
            .iter()
            .map(|answers| group(answers, test, "all"))
            .collect(),
        Count::default(),
        "all",
    );
    let Partition { plans, assignment } = partition(&mut certificate);
    // Any query's plan may be the broken one.
    change(assignment, |assignment| {
        assignment[m].resize(m + 1, usize::MAX);
        assignment[m][random.within(0, m)] = plans.len();
    });
    plans.push(broken);
    certificate
}
