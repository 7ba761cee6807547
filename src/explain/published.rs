//! Certificates of published strategies.
//!
//! Gaps are hints for the rules beside them: with another rule, the least gaps that then pass are looked for anew.

use super::{Derived, Outcome, Replacement, Row};
use crate::certificate::published::{
    Attention, DirectPath, Gaps, LowRank, NoHints, Published, Residual, VECTOR_BITS,
};
use crate::checker::arithmetic::{Enclosure, Fixed};
use crate::checker::meter::Meter;
use crate::checker::published::convexity;
use crate::checker::published::gaps::{Level, Tables};
use crate::checker::{Options, in_order};
use crate::model::OneHead;
use crate::parallel::parallel;
use crate::refusal::Refusal;
use num_bigint::BigUint;

/// Derives all rows: by query and maximum for gaps, by maximum for the cubic proof.
pub(super) fn derive(
    network: &OneHead<'_>,
    hints: &Published,
    options: Options<'_>,
) -> Result<Derived, Refusal> {
    let meter = Meter::new(options.max_flops);
    match hints {
        Published::Convexity(NoHints {}) => {
            let tables = convexity::Tables::<Fixed>::new(network, &meter)?;
            levels(network, &meter, options, |m, meter| {
                let certified = tables.certified(m, meter)?;
                Ok(vec![row(
                    network,
                    (None, m),
                    certified,
                    (meter.flops(), meter.int_ops()),
                )])
            })
        }
        Published::Gaps(gaps) => {
            let tables = Tables::<Fixed>::new(network, &gaps.attention, &gaps.direct_path, &meter)?;
            levels(network, &meter, options, |m, meter| {
                by_query(network, &tables, gaps, m, meter)
            })
        }
    }
}

fn levels(
    network: &OneHead<'_>,
    meter: &Meter,
    options: Options<'_>,
    rows: impl Fn(usize, &Meter) -> Result<Vec<Row>, Refusal> + Sync,
) -> Result<Derived, Refusal> {
    let shared_flops = meter.flops();
    let rows = in_order(
        (0..network.config.d_vocab).rev().collect(),
        meter,
        options,
        rows,
    )?;
    Ok(Derived {
        rows: rows.into_iter().rev().flatten().collect(),
        shared_flops,
    })
}

/// The checker's own rule, with all gaps of a maximum, then with each query's alone. What the queries share counts for
/// the query m, as does the input that is m throughout.
fn by_query(
    network: &OneHead<'_>,
    tables: &Tables<Fixed>,
    gaps: &Gaps,
    m: usize,
    meter: &Meter,
) -> Result<Vec<Row>, Refusal> {
    let copies = network.config.n_ctx - 1;
    let level = Level::new(tables, m, meter);
    let base = meter.flops();
    let row_of_gaps = gaps.gaps.get(m).unwrap_or_default();
    let mut alone = gaps.clone();
    // Each run has a tally of its own; only the last is the proof's, and counts against the limit.
    let mut with = |query: Option<usize>| {
        let masked = row_of_gaps.iter().enumerate().map(|(index, gap)| {
            if Some(index / copies) == query {
                *gap
            } else {
                0
            }
        });
        let masked: Vec<usize> = masked.collect();
        alone.gaps = (0..=m)
            .map(|row| if row == m { masked.clone() } else { vec![] })
            .collect();
        let meter = Meter::new(u64::MAX);
        let certified = level.certified(&alone, &meter)?;
        Ok::<_, Refusal>((certified, meter.flops(), meter.int_ops()))
    };
    let (shared, shared_flops, shared_int_ops) = with(None)?;
    let mut rows = vec![];
    for q in 0..=m {
        let (certified, flops, int_ops) = with(Some(q))?;
        let (certified, flops, int_ops) = if q == m {
            (certified, base + flops, int_ops)
        } else {
            (
                certified - &shared,
                flops - shared_flops,
                int_ops - shared_int_ops,
            )
        };
        rows.push(row(network, (Some(q), m), certified, (flops, int_ops)));
    }
    level.certified(gaps, meter)?;
    Ok(rows)
}

fn row(
    network: &OneHead<'_>,
    (query, m): (Option<usize>, usize),
    certified: BigUint,
    length: (u64, u64),
) -> Row {
    let n = u32::try_from(network.config.n_ctx).unwrap_or(u32::MAX);
    let sequences = |tokens: usize, length: u32| BigUint::from(tokens).pow(length);
    let inputs = match query {
        None => sequences(m + 1, n) - sequences(m, n),
        Some(q) if q == m => sequences(m + 1, n - 1),
        Some(_) => sequences(m + 1, n - 1) - sequences(m, n - 1),
    };
    let (flops, int_ops) = length;
    Row {
        maximum: m,
        query,
        inputs,
        certified,
        wrong: BigUint::default(),
        right: None,
        flops,
        int_ops,
    }
}

/// What each rule loses.
pub(super) fn replacements(
    network: &OneHead<'_>,
    hints: &Published,
    before: &Derived,
    options: Options<'_>,
) -> Result<Vec<Replacement>, Refusal> {
    let Published::Gaps(gaps) = hints else {
        return Ok(vec![]);
    };
    let (scores, path) = (&gaps.attention, &gaps.direct_path);
    let computed = match scores {
        Attention::LowRank(hints) => Attention::LowRank(LowRank {
            error: Residual::Exact(NoHints {}),
            ..hints.clone()
        }),
        exact @ Attention::Exact(_) => exact.clone(),
    };
    let in_full = Attention::Exact(NoHints {});
    let exact = matches!(scores, Attention::Exact(_));
    let bounded = !exact
        && !matches!(
            scores,
            Attention::LowRank(LowRank {
                error: Residual::Exact(NoHints {}),
                ..
            })
        );
    let direct = !matches!(path, DirectPath::MaxDiffExact(NoHints {}));
    let (ranges, by_query) = (
        DirectPath::MaxDiffExact(NoHints {}),
        "the exact range of each query",
    );
    let variants = [
        ("gaps as hinted", "the least that pass", true, scores, path),
        (
            "bound on the scores' rest",
            "its exact range",
            bounded,
            &computed,
            path,
        ),
        ("low-rank scores", "exact scores", !exact, &in_full, path),
        ("direct path", by_query, direct, scores, &ranges),
        (
            "scores and direct path",
            "both exact",
            !exact && direct,
            &in_full,
            &ranges,
        ),
    ];
    let mut found = vec![];
    for (rule, by, used, scores, path) in variants {
        let replaced = || {
            let gaps = least_gaps(network, (scores, path), gaps, options)?;
            derive(network, &Published::Gaps(Box::new(gaps)), options)
        };
        let outcome = if used {
            before.replaced(replaced())?
        } else {
            Outcome::Unused
        };
        found.push(Replacement { rule, by, outcome });
    }
    let cubic = derive(network, &Published::Convexity(NoHints {}), options);
    let outcome = by_maximum(before).replaced(cubic)?;
    found.push(Replacement {
        rule: "gaps",
        by: "convexity, the cubic proof",
        outcome,
    });
    Ok(found)
}

/// The sums of rows over all queries.
fn by_maximum(derived: &Derived) -> Derived {
    let mut rows: Vec<Row> = vec![];
    for row in &derived.rows {
        match rows.last_mut() {
            Some(last) if last.maximum == row.maximum => {
                last.inputs += &row.inputs;
                last.certified += &row.certified;
                last.wrong += &row.wrong;
                last.flops += row.flops;
                last.int_ops += row.int_ops;
            }
            _ => rows.push(Row {
                query: None,
                right: None,
                ..row.clone()
            }),
        }
    }
    Derived {
        rows,
        shared_flops: derived.shared_flops,
    }
}

/// The hints with the least gaps that pass with these rules.
fn least_gaps(
    network: &OneHead<'_>,
    (attention, direct_path): (&Attention, &DirectPath),
    hints: &Gaps,
    options: Options<'_>,
) -> Result<Gaps, Refusal> {
    let free = Meter::new(u64::MAX);
    let tables = Tables::<Fixed>::new(network, attention, direct_path, &free)?;
    let n = network.config.n_ctx;
    let gaps = parallel(
        (0..network.config.d_vocab).collect(),
        options.threads,
        |_, m: usize| {
            let free = Meter::new(u64::MAX);
            let level = Level::new(&tables, m, &free);
            let lines: Vec<Vec<(Fixed, Fixed)>> =
                match hints.references.get(m).zip(hints.slopes.get(m)) {
                    None => vec![level.plain(&free); n - 1],
                    Some((references, slopes)) => {
                        let at_zero = level.at_zero(&free);
                        let lines = |(ratio, slope): (&i64, &i64)| {
                            let ratio = Fixed::dyadic(*ratio, -VECTOR_BITS);
                            level.lines(
                                &at_zero,
                                &level.at_ratio(&ratio, &free),
                                &ratio,
                                *slope,
                                &free,
                            )
                        };
                        references.iter().zip(slopes).map(lines).collect()
                    }
                };
            let mut row = vec![];
            for q in 0..=m {
                let far: Vec<_> = (1..=if q == m { m } else { m - q })
                    .map(|g| tables.far(q, m, g, &free))
                    .collect();
                for c in 1..n {
                    // Passing is monotone in the gap; if it were not, the checker would only certify less.
                    let least = lines.get(c - 1).and_then(|lines| {
                        first(&far, |index, far| {
                            !level.passes(q, c, index + 1, far, lines, &free)
                        })
                    });
                    row.push(least.map_or(0, |index| index + 1));
                }
            }
            row
        },
    );
    Ok(Gaps {
        attention: attention.clone(),
        direct_path: direct_path.clone(),
        gaps: gaps.into(),
        ..hints.clone()
    })
}

/// The first entry that `before` is false of, if there is one, by binary search.
fn first<T>(entries: &[T], before: impl Fn(usize, &T) -> bool) -> Option<usize> {
    let (mut low, mut high) = (0, entries.len());
    while low < high {
        let middle = low.midpoint(high);
        if entries
            .get(middle)
            .is_some_and(|entry| before(middle, entry))
        {
            low = middle + 1
        } else {
            high = middle
        }
    }
    (low < entries.len()).then_some(low)
}
