//! What a certificate can cost: every hint at its worst takes no more than ten times the time of an honest one for each
//! tallied operation, at every size. A check that would take longer is stopped by the limit on what is tallied.

use crate::common::{Model, bare, by_hand, group, levels, partition, plan, split};
use gbmi::certificate::levels::{
    Block, Count, Entries, ExactAttention, Grid, Plan, Script, Split, Test, Wrong,
};
use gbmi::certificate::published::{
    Attention, Chain, DirectPath, Gaps, LowRank, Means, NoHints, Peel, Published, Residual,
};
use gbmi::certificate::{Certificate, Hints, Rows};
use gbmi::checker::arithmetic::Fixed;
use gbmi::checker::{Options, certify};
use gbmi::model::Network;
use gbmi::refusal::{Decline, Refusal};
use std::time::Instant;

/// More than this beyond the tables is not waited for.
const LIMIT: u64 = 10_000_000;
/// How much longer than an honest operation one may take.
const FACTOR: f64 = 10.0;
/// Nanoseconds that a busy machine may lose.
const SLACK: f64 = 5e7;

/// Without weights: nothing is certified, and every hint is looked at to the end.
fn empty(v: usize, n: usize) -> Network {
    Model::zero(v, n, 1, 1).network()
}

/// What a check took.
#[derive(Clone, Copy)]
struct Cost {
    nanoseconds: f64,
    operations: f64,
}

impl Cost {
    /// None where the count is of more inputs than trees have numbers for.
    fn of(network: &Network, certificate: &Certificate, max_flops: u64) -> Option<Self> {
        let start = Instant::now();
        let done = certify::<Fixed>(
            network,
            certificate,
            Options {
                max_flops,
                ..Options::default()
            },
        );
        let nanoseconds = start.elapsed().as_nanos() as f64;
        let operations = match done {
            Ok(certified) => certified.meter.flops() + certified.meter.int_ops(),
            Err(Refusal::Declined(Decline::Work { limit })) => limit,
            Err(Refusal::Declined(Decline::TooLarge { what, .. })) if what.contains("tree") => {
                return None;
            }
            Err(other) => panic!("{other}"),
        };
        Some(Self {
            nanoseconds,
            operations: operations as f64,
        })
    }

    /// Beyond another's: nanoseconds for an operation.
    fn beyond(self, other: Self) -> f64 {
        (self.nanoseconds - other.nanoseconds) / (self.operations - other.operations)
    }
}

/// The tables alone, the limit with them, and nanoseconds for an operation beyond them in the slowest of our own proofs.
fn honest(v: usize, n: usize) -> (Cost, u64, f64) {
    let network = empty(v, n);
    let tables = Cost::of(
        &network,
        &by_hand(&network, split(&network, "0"), vec![]),
        u64::MAX - 1,
    )
    .unwrap();
    let limit = tables.operations as u64 + LIMIT;
    let proofs = [
        ("each", Test::Count),
        ("rest", Test::Pooled),
        ("rest", Test::Unpooled),
    ]
    .map(|(answers, test)| {
        let plans = vec![plan(
            vec![group(answers, test, "all")],
            Count::default(),
            "all",
        )];
        Cost::of(
            &network,
            &by_hand(&network, split(&network, "0"), plans),
            limit,
        )
    });
    (
        tables,
        limit,
        proofs
            .into_iter()
            .flatten()
            .map(|proof| proof.beyond(tables))
            .fold(0.0, f64::max),
    )
}

fn numbers(count: usize) -> String {
    (0..count)
        .map(|number| number.to_string())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Wrong answers for maximum m in pairs, the last with what is left.
fn pairs(v: usize, m: usize, test: Test, window: &str) -> Vec<gbmi::certificate::levels::Group> {
    let wrong: Vec<String> = (0..v).filter(|j| *j != m).map(|j| j.to_string()).collect();
    wrong
        .chunks(2)
        .map(|pair| group(&pair.join(" "), test, window))
        .collect()
}

/// One plan for every maximum.
fn by_maximum(network: &Network, direct_path: Split, plan: impl Fn(usize) -> Plan) -> Certificate {
    let v = network.one_head().unwrap().config.d_vocab;
    let mut certificate = by_hand(network, direct_path, (0..v).map(plan).collect());
    partition(&mut certificate).assignment = (0..v).map(|m| vec![m; m + 1]).collect();
    certificate
}

/// Every hint of our own proofs at its worst.
fn worst(v: usize, n: usize) -> Vec<(&'static str, Certificate)> {
    let network = &empty(v, n);
    let all = &numbers(v);
    let counted = |count: Count, window: &str| {
        vec![plan(vec![group("each", Test::Count, "all")], count, window)]
    };
    let tree = Count::Tree;
    let orders = |row: &[usize], rows: usize| -> Rows<usize> { vec![row.to_vec(); rows].into() };
    let plain = Split::default;
    let attended = |mut certificate: Certificate, order: Vec<usize>| {
        levels(&mut certificate).attention = ExactAttention {
            orders: orders(&order, v),
            entries: None,
        };
        certificate
    };
    let mut cases = vec![];
    for (name, test) in [
        ("pooled", Test::Pooled),
        ("unpooled", Test::Unpooled),
        ("count", Test::Count),
    ] {
        let plan = |m| plan(pairs(v, m, test, "all"), Count::default(), "all");
        cases.push((name, by_maximum(network, split(network, all), plan)));
    }
    let forfeited = |m| plan(pairs(v, m, Test::Forfeit, "all"), Count::default(), "all");
    cases.push((
        "groups forfeited",
        by_maximum(network, split(network, all), forfeited),
    ));
    // The tokens below a maximum come last in the order, and only one is asked for.
    let windows = vec![plan(
        vec![group("each", Test::Pooled, "1")],
        Count::default(),
        "all",
    )];
    cases.push((
        "windows",
        attended(by_hand(network, plain(), windows), (0..v).rev().collect()),
    ));
    let long = vec![0; 50 * v];
    let never_read = vec![plan(
        vec![group("rest", Test::Forfeit, "all")],
        Count::default(),
        "all",
    )];
    cases.push((
        "orders too long",
        attended(by_hand(network, plain(), never_read), long),
    ));

    // Groups that are not there, and all that are, dropped one after the other, at every item of every node.
    let drop = |group: usize| 3 + 2 * group;
    let walks = [
        ("drops of nothing", vec![drop(v); 100 * v]),
        (
            "drops",
            [vec![1], (0..v).map(drop).collect(), vec![1]]
                .concat()
                .repeat(v),
        ),
        ("words without nodes", vec![0; 1000]),
        ("splits", vec![1; 100 * v]),
        ("nodes left at once", [1, 1, 2, 1].repeat(50 * v)),
        // One item after the other is said to be right, or wrong by a group.
        (
            "right one by one",
            [vec![1; n], [0, 1].repeat(v)].concat().repeat(v),
        ),
        (
            "wrong one by one",
            [vec![1; n], [4, 1].repeat(v)].concat().repeat(v),
        ),
        (
            "wrong by nobody",
            [vec![1; n], [4 + 2 * v, 1].repeat(v)].concat().repeat(v),
        ),
    ];
    for (name, walk) in walks {
        for (window, order) in [
            ("all", (0..v).collect()),
            ("1", vec![]),
            ("2", vec![0; 50 * v]),
        ] {
            let script = Script {
                order,
                walk: walk.clone(),
            };
            let hints = by_hand(network, plain(), counted(tree(script), window));
            cases.push((name, attended(hints, (0..v).collect())));
        }
    }
    let everywhere = |m| plan(pairs(v, m, Test::Wrong, "all"), Count::default(), "all");
    cases.push((
        "wrong everywhere",
        by_maximum(network, split(network, all), everywhere),
    ));

    let grid = |grid: Grid| Count::Grid(Box::new(grid));
    let chain: Rows<usize> = (0..v)
        .map(|group| {
            if group == 0 {
                vec![]
            } else {
                vec![group - 1, 0]
            }
        })
        .collect();
    for bits in [0, 16] {
        let overlaps = Grid {
            bits,
            without: chain.clone(),
            wrong: Some(Wrong {
                by: 0,
                then_by: Some(1),
                coarser: 0,
            }),
        };
        cases.push((
            "overlaps",
            by_hand(network, split(network, all), counted(grid(overlaps), "all")),
        ));
    }

    let entries = |entries: Entries| {
        let mut certificate = by_hand(network, plain(), vec![]);
        levels(&mut certificate).attention.entries = Some(entries);
        certificate
    };
    let block = |[row, rows, column, columns]: [usize; 4], times: usize| Entries {
        blocks: vec![
            Block {
                rows: row..rows,
                columns: column..columns,
            };
            times
        ],
        ..Entries::default()
    };
    cases.push(("blocks of nothing", entries(block([1, 1, 0, v], 100_000))));
    cases.push((
        "blocks of one",
        entries(block([v - 1, v, v - 1, v], 100_000)),
    ));
    cases.push(("blocks of a row", entries(block([0, 1, 0, v], 10_000))));
    let bounds = vec![1 << 30; v + n];
    let basis = Entries {
        basis: vec![vec![]; 20_000].into(),
        left: bounds.clone(),
        right: bounds,
        ..Entries::default()
    };
    cases.push(("basis", entries(basis)));
    cases
}

/// Every hint of the published strategies at its worst.
fn worst_published(v: usize, n: usize) -> Vec<(&'static str, Certificate)> {
    let network = &empty(v, n);
    let with = |attention: Attention, direct_path: DirectPath, gaps: Gaps| {
        let gaps = Gaps {
            attention,
            direct_path,
            ..gaps
        };
        bare(network, Hints::Published(Published::Gaps(Box::new(gaps))))
    };
    let many = |rows: usize| -> Rows<i64> { vec![vec![]; rows].into() };
    let low_rank = |peel: Vec<Peel>, error| {
        Attention::LowRank(LowRank {
            factors: Chain::Four,
            peel,
            error,
        })
    };
    let exact = || Attention::Exact(NoHints {});
    let direct = || DirectPath::GlobalMaxDiffExact(NoHints {});
    let means = || Means {
        means: vec![vec![1]; 1000].into(),
    };
    let no_gaps = || Gaps {
        attention: exact(),
        direct_path: direct(),
        references: Rows::EMPTY,
        slopes: Rows::EMPTY,
        gaps: Rows::EMPTY,
    };
    let gaps = |gap: usize| Gaps {
        gaps: vec![vec![gap; v * n]; v].into(),
        ..no_gaps()
    };
    let peel = vec![
        Peel {
            left: many(1000),
            right: many(1000)
        };
        100
    ];
    let ratios = || -> Rows<i64> { vec![vec![1; 1000]; v].into() };
    vec![
        (
            "peel",
            with(
                low_rank(peel, Residual::MaxDiff(means())),
                direct(),
                no_gaps(),
            ),
        ),
        (
            "means",
            with(
                low_rank(vec![], Residual::Recursive(means())),
                direct(),
                no_gaps(),
            ),
        ),
        ("gaps", with(exact(), direct(), gaps(1))),
        ("gaps of nothing", with(exact(), direct(), gaps(0))),
        (
            "references",
            with(
                exact(),
                direct(),
                Gaps {
                    references: ratios(),
                    slopes: ratios(),
                    ..gaps(1)
                },
            ),
        ),
    ]
}

#[test]
fn no_hint_costs_much_more_than_its_tally() {
    no_hint_costs_more_at([(24, 3), (64, 4), (64, 20), (128, 4)]);
}

/// The same at the largest sizes, whose tables take seconds each: run by name.
#[test]
#[ignore = "a minute and a half: CI runs it by name"]
fn no_hint_costs_much_more_than_its_tally_at_the_largest_sizes() {
    no_hint_costs_more_at([(457, 20), (1024, 4)]);
}

fn no_hint_costs_more_at<const N: usize>(sizes: [(usize, usize); N]) {
    for (v, n) in sizes {
        let (network, (tables, limit, honest)) = (empty(v, n), honest(v, n));
        for (name, certificate) in worst(v, n).into_iter().chain(worst_published(v, n)) {
            let Some(cost) = Cost::of(&network, &certificate, limit) else {
                continue;
            };
            let more = (cost.operations - tables.operations).max(0.0);
            let allowed = SLACK + 2.0 * tables.nanoseconds + FACTOR * honest * more;
            // A machine that is busy with something else delays once; what costs too much does so each time.
            let again = || Cost::of(&network, &certificate, limit).map(|cost| cost.nanoseconds);
            let times = std::iter::once(Some(cost.nanoseconds)).chain((0..3).map(|_| again()));
            let mut least = f64::INFINITY;
            for time in times.flatten() {
                least = least.min(time);
                if least < allowed {
                    break;
                }
            }
            let took = least / 1e6;
            println!(
                "{v:>5} {n:>3}  {name:<20} {took:>9.2} ms, {more:>9} operations beyond the tables' ({honest:.1} ns each)"
            );
            let allowed = allowed / 1e6;
            assert!(
                took < allowed,
                "{name} at d_vocab {v}, n_ctx {n}: {took:.1} ms, allowed {allowed:.1} ms"
            );
        }
    }
}

/// Of these two plans the first is never done, the second holds no partition: where the limit is passed does not depend on
/// which thread was faster.
#[test]
fn the_verdict_is_one_for_any_number_of_threads() {
    let network = empty(32, 4);
    let each = plan(
        vec![group("each", Test::Count, "all")],
        Count::default(),
        "all",
    );
    let broken = plan(
        vec![group("0", Test::Count, "all")],
        Count::default(),
        "all",
    );
    let mut certificate = by_hand(&network, Split::default(), vec![each, broken]);
    let mut verdicts = std::collections::BTreeSet::new();
    for first in [0, 10, 20, 31] {
        let row = |m: usize| {
            (0..=m)
                .map(|q| usize::from(m == first && q == m))
                .collect::<Vec<usize>>()
        };
        partition(&mut certificate).assignment = (0..32).map(row).collect();
        for limit in [
            200_000,
            400_000,
            800_000,
            3_000_000,
            10_000_000,
            1_000_000_000,
        ] {
            let verdict = |threads| {
                let options = Options {
                    max_flops: limit,
                    threads,
                    ..Options::default()
                };
                certify::<Fixed>(&network, &certificate, options)
                    .map(|_| ())
                    .unwrap_err()
            };
            let one = verdict(1);
            for threads in [2, 3, 8, 2, 2, 2] {
                assert_eq!(
                    verdict(threads),
                    one,
                    "{threads} threads, maximum {first}, limit {limit}"
                );
            }
            verdicts.insert(matches!(one, Refusal::Declined(_)));
        }
    }
    assert_eq!(verdicts.len(), 2, "both verdicts occur");
}

/// The most memory that a process has taken so far, in bytes.
fn peak(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

#[test]
fn reading_takes_a_bounded_multiple_of_the_file() {
    reading_takes_at_most(16 << 20, 175 << 20);
}

/// The same of the longest file that is read.
#[test]
#[ignore = "a minute: CI runs it by name"]
fn reading_takes_a_bounded_multiple_of_the_longest_file() {
    reading_takes_at_most(64 << 20, 700 << 20);
}

/// So much of whatever takes most memory for its length, read by the program.
fn reading_takes_at_most(length: usize, memory: u64) {
    let network = Model::zero(5, 3, 1, 1).network();
    let total = r#""total":"125"},"#;
    let start = format!(r#""strategy":"x","claim":{{"task":"max_of_n","correct":"0",{total}"#);
    let levels = format!(r#"{start}"hints":{{"family":"levels","#);
    let plans = format!(r#"{levels}"attention":{{}},"direct_path":{{}},"criterion":{{"plans":["#);
    let entries = format!(r#"{levels}"attention":{{"entries":{{"#);
    let gaps = r#""direct_path":{"rule":"max_diff_exact"},"gaps":["#;
    let published = format!(r#"{start}"hints":{{"family":"published","rule":"gaps","#);
    let peel = format!(
        r#"{published}"attention":{{"rule":"low_rank","factors":"4","error":{{"rule":"exact"}},"peel":["#
    );
    let low_rank = format!(r#"]}},{gaps}]}}}}"#);
    let claim = r#""strategy":"x","claim":{"correct":"0","total":"125","#;
    let end = format!(r#""}},{}"#, r#""hints":{"family":"levels"}}"#);
    let cases: Vec<(String, &str, &str, &str)> = vec![
        (plans.clone(), r#"{"groups":[]}"#, ",", "]}}}"),
        (
            plans.clone(),
            r#"{"groups":[],"count":{"rule":"tree"}}"#,
            ",",
            "]}}}",
        ),
        (
            plans.clone(),
            r#"{"groups":[],"count":{"rule":"grid","bits":"1"}}"#,
            ",",
            "]}}}",
        ),
        (
            plans.clone(),
            r#"{"groups":[{"answers":"0","test":"count"}]}"#,
            ",",
            "]}}}",
        ),
        (
            format!(r#"{plans}{{"groups":["#),
            r#"{"answers":"0","test":"count"}"#,
            ",",
            "]}]}}}",
        ),
        (
            format!(r#"{plans}{{"groups":[],"count":{{"rule":"tree","walk":""#),
            "0",
            " ",
            r#""}}]}}}"#,
        ),
        (
            format!(r#"{plans}{{"groups":[],"count":{{"rule":"grid","bits":"1","without":["#),
            r#""""#,
            ",",
            "]}}]}}}",
        ),
        (
            format!(r#"{plans}{{"groups":[],"count":{{"rule":"grid","bits":"1","wrong":""#),
            "0",
            " ",
            r#""}}]}}}"#,
        ),
        (
            format!(r#"{entries}"blocks":""#),
            "0",
            " ",
            r#""}},"direct_path":{},"criterion":{"plans":[]}}}"#,
        ),
        (format!(r#"{plans}],"assignment":["#), r#""""#, ",", "]}}}"),
        (format!(r#"{plans}],"assignment":["#), r#""0""#, ",", "]}}}"),
        (peel, r#"{"left":[],"right":[]}"#, ",", &low_rank),
        (
            format!(r#"{published}"attention":{{"rule":"exact"}},{gaps}"#),
            r#""0""#,
            ",",
            "]}}",
        ),
        (
            format!(r#"{levels}"attention":{{"unknown":["#),
            "{}",
            ",",
            "]}}}",
        ),
        (
            format!(r#"{start}"hints":{{"family":"pairs","signs":["#),
            "{}",
            ",",
            "]}}",
        ),
        (format!(r#"{claim}"margin":""#), "9", "", &end),
        (format!(r#"{claim}"task":""#), "a", "", &end),
        (
            format!(r#"{claim}"task":["#),
            "[]",
            ",",
            r#"]},"hints":{"family":"levels"}}"#,
        ),
        (
            format!(r#"{claim}"float32":["#),
            "[]",
            ",",
            r#"]},"hints":{"family":"levels"}}"#,
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    std::fs::create_dir(&model).unwrap();
    let zero = Model::zero(5, 3, 1, 1);
    std::fs::write(model.join("config.json"), zero.config()).unwrap();
    std::fs::write(model.join("model.safetensors"), zero.weights()).unwrap();
    for (before, item, between, after) in cases {
        let mut text = format!(
            r#"{{"gbmi":"3","network":"{}",{before}{item}"#,
            network.sha256
        );
        let repeated = (length - text.len() - after.len()) / (item.len() + between.len());
        text += &format!("{between}{item}").repeat(repeated);
        text += after;
        let path = folder.path().join("cert.json");
        std::fs::write(&path, &text).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_gbmi"));
        command
            .arg("check")
            .arg(&path)
            .arg("--model")
            .arg(&model)
            .arg("--json")
            .stdout(std::process::Stdio::piped());
        let mut process = command.stderr(std::process::Stdio::null()).spawn().unwrap();
        let mut most = 0;
        while process.try_wait().unwrap().is_none() {
            most = peak(process.id()).unwrap_or(0).max(most);
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let output = process.wait_with_output().unwrap();
        let verdict = String::from_utf8_lossy(&output.stdout)
            .chars()
            .take(300)
            .collect::<String>();
        println!(
            "{:>4} MiB for {} MiB of {item}: {verdict}",
            most >> 20,
            text.len() >> 20
        );
        assert!(
            matches!(output.status.code(), Some(0..=2)),
            "{:?}",
            output.status
        );
        assert!(
            most > length as u64 && most < memory,
            "{} MiB for {item}",
            most >> 20
        );
    }
}
