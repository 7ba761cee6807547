//! Witnesses of the published strategies: singular vectors, means, references and gaps, in double precision.

use crate::certificate::Rows;
use crate::certificate::published::{
    Attention, Chain, DirectPath, Gaps, LowRank, MaxDiff, Means, NoHints, Peel, Published,
    Residual, SPECTRAL_BITS, Spectral, VECTOR_BITS,
};
use crate::checker::Options;
use crate::checker::arithmetic::{Enclosure, Fixed};
use crate::checker::factors::Factors;
use crate::checker::meter::Meter;
use crate::checker::published::gaps::{Level, Tables};
#[cfg(feature = "optimise")]
use crate::checker::published::peel::peel;
use crate::checker::published::scores::chain;
use crate::model::{Matrix, OneHead};
use crate::parallel::parallel;
use crate::refusal::Refusal;
use crate::search::doubles::{double, doubles};
use crate::strategy::{ATTENTION, Family};
use nalgebra::DMatrix;
use num_bigint::BigUint;

/// The rules before the criterion.
pub(in crate::search) type Hints = (Attention, DirectPath);

pub(super) fn units(value: f64, bits: i32, most: i64) -> i64 {
    ((value * f64::from(bits).exp2()).round() as i64).clamp(1 - most, most - 1)
}

fn vector<'a>(values: impl IntoIterator<Item = &'a f64>) -> Vec<i64> {
    values
        .into_iter()
        .map(|value| units(*value, VECTOR_BITS, 1 << 40))
        .collect()
}

fn dense(table: &Matrix<Fixed>) -> DMatrix<f64> {
    let table = doubles(table);
    DMatrix::from_fn(table.rows(), table.cols(), |row, col| *table.at(row, col))
}

fn mean_row(table: &DMatrix<f64>) -> Vec<i64> {
    vector(table.row_mean().iter())
}

/// The leading singular vectors and value.
fn leading(table: &DMatrix<f64>) -> Option<(DMatrix<f64>, f64, DMatrix<f64>)> {
    let svd = table.clone().svd(true, true);
    let (u, v_t) = (svd.u?, svd.v_t?);
    let column = DMatrix::from_column_slice(u.nrows(), 1, u.column(0).clone_owned().as_slice());
    let row = DMatrix::from_row_slice(1, v_t.ncols(), v_t.row(0).transpose().as_slice());
    Some((column, svd.singular_values[0], row))
}

fn product(factors: &[DMatrix<f64>]) -> DMatrix<f64> {
    factors
        .iter()
        .skip(1)
        .fold(factors[0].clone(), |product, next| product * next)
}

fn scores(factors: &Factors<Fixed>, rule: &str) -> Result<Attention, Refusal> {
    if rule == "exact-EQKE+max-diff-exact" {
        return Ok(Attention::Exact(NoHints {}));
    }
    let free = Meter::new(u64::MAX);
    let four = rule.contains("subproduct");
    let taken = if four { Chain::Four } else { Chain::Two };
    let mut rests: Vec<DMatrix<f64>> = chain(factors, taken, &free)?.iter().map(dense).collect();
    let mut peel = vec![Peel::default(); rests.len()];
    let last = rests.len() - 1;
    // Take u uᵀF out of the first factor, F v vᵀ out of the last, as often as the original does.
    for _ in 0..if four { 2 } else { 1 } {
        let Some((u, _, v_t)) = leading(&product(&rests)) else {
            break;
        };
        let row = u.transpose() * &rests[0];
        let column = &rests[last] * v_t.transpose();
        rests[0] -= &u * &row;
        rests[last] -= &column * &v_t;
        peel[0].left.push(vector(u.iter()));
        peel[0].right.push(vector(row.iter()));
        peel[last].left.push(vector(column.iter()));
        peel[last].right.push(vector(v_t.iter()));
    }
    if four {
        if let Some((a, _, _)) = leading(&rests[1]) {
            let row = a.transpose() * &rests[1];
            rests[1] -= &a * &row;
            peel[1] = Peel {
                left: vec![vector(a.iter())].into(),
                right: vec![vector(row.iter())].into(),
            };
        }
        if let Some((_, _, c_t)) = leading(&rests[2]) {
            let column = &rests[2] * c_t.transpose();
            rests[2] -= &column * &c_t;
            peel[2] = Peel {
                left: vec![vector(column.iter())].into(),
                right: vec![vector(c_t.iter())].into(),
            };
        }
    }
    let error = match rule {
        "max-diff-exact" => Residual::Exact(NoHints {}),
        "svd" => spectral(&product(&rests)),
        _ if rule.ends_with("recursive") => Residual::Recursive(Means {
            means: match rule.split('+').next() {
                Some("mean") => vec![mean_row(&rests[0])].into(),
                Some("mean-recursive") => rests[..last].iter().map(mean_row).collect(),
                _ => Rows::EMPTY,
            },
        }),
        _ if rule.starts_with("mean") => {
            let mut left = rests[0].clone();
            let mut means = Rows::from(vec![mean_row(&left)]);
            for factor in &rests[1..last] {
                left *= factor;
                means.push(mean_row(&left));
            }
            Residual::MaxDiff(Means { means })
        }
        _ => Residual::MaxDiff(Means::default()),
    };
    Ok(Attention::LowRank(LowRank {
        factors: taken,
        peel,
        error,
    }))
}

/// The spectral bound that suits what is taken out.
///
/// # Errors
/// Those of the checker.
#[cfg(feature = "optimise")]
pub(super) fn bound_anew(factors: &Factors<Fixed>, hints: &mut LowRank) -> Result<(), Refusal> {
    let free = Meter::new(u64::MAX);
    if let Residual::Svd(Spectral { .. }) = hints.error {
        let rests = peel(&chain(factors, hints.factors, &free)?, &hints.peel, &free)?.rests;
        let rests: Vec<DMatrix<f64>> = rests.iter().map(dense).collect();
        hints.error = spectral(&product(&rests));
    }
    Ok(())
}

/// The bound on a product's largest singular value, and the scale that shows it.
fn spectral(product: &DMatrix<f64>) -> Residual {
    // trace((τG)^64) < 1 wants τ a little below the 64-norm of the squared singular values.
    let squares: Vec<f64> = product
        .singular_values()
        .iter()
        .map(|sigma| sigma * sigma)
        .collect();
    let most = squares.iter().copied().fold(0.0, f64::max);
    let norm = most
        * squares
            .iter()
            .map(|square| (square / most).powi(64))
            .sum::<f64>()
            .powf(1.0 / 64.0);
    // The scale must be below 2^20: a product that vanishes is bounded as if it did not quite.
    let norm = norm.max(f64::from(-19).exp2());
    let (scale, bound) = (
        1.0 / (norm * (1.0 + 1e-5)),
        (2.0 * norm * (1.0 + 1e-4)).sqrt(),
    );
    Residual::Svd(Spectral {
        bound: units(bound, SPECTRAL_BITS, 1 << 60),
        scale: units(scale, SPECTRAL_BITS, 1 << 60),
    })
}

fn direct(factors: &Factors<Fixed>, eupu: &str) -> DirectPath {
    let stream = dense(&factors.stream);
    match eupu {
        "mean-query+max-diff" => DirectPath::MaxDiff(MaxDiff {
            mean: mean_row(&stream),
        }),
        // The mean query's part along the leading direction: the original subtracts a vector about √v too long.
        "svd-query+max-diff" => DirectPath::MaxDiff(MaxDiff {
            mean: leading(&stream).map_or_else(Vec::new, |(u, sigma, v_t)| {
                vector((v_t * (sigma * u.mean())).iter())
            }),
        }),
        "max-diff" => DirectPath::MaxDiff(MaxDiff::default()),
        "max-diff-exact" => DirectPath::MaxDiffExact(NoHints {}),
        _ => DirectPath::GlobalMaxDiffExact(NoHints {}),
    }
}

/// A reference with its slope, and the gaps for it.
type Choice = (BigUint, (i64, i64), Vec<usize>);

/// The least gaps that pass at one maximum, by copies; with the best of a range of references, if wanted.
fn level(tables: &Tables<Fixed>, m: usize, n: usize, references: bool) -> Vec<Choice> {
    let free = Meter::new(u64::MAX);
    let level = Level::new(tables, m, &free);
    let far: Vec<Vec<_>> = (0..=m)
        .map(|q| {
            (1..=if q == m { m } else { m - q })
                .map(|g| tables.far(q, m, g, &free))
                .collect()
        })
        .collect();
    let at_zero = level.at_zero(&free);
    let mut candidates = vec![];
    if references {
        for exponent in -16..=6 {
            let ratio = 1_i64 << (VECTOR_BITS + exponent / 2).clamp(0, 40);
            let enclosed = Fixed::dyadic(ratio, -VECTOR_BITS);
            let at_ratio = level.at_ratio(&enclosed, &free);
            let rise = double(&at_ratio) - double(&at_zero);
            let slope = units(
                rise / (ratio as f64 * f64::from(-VECTOR_BITS).exp2()),
                VECTOR_BITS,
                1 << 59,
            );
            candidates.push((
                (ratio, slope),
                level.lines(&at_zero, &at_ratio, &enclosed, slope, &free),
            ));
        }
        candidates.dedup_by_key(|(choice, _)| *choice);
    } else {
        candidates.push(((0, 0), level.plain(&free)));
    }
    let choice = |c: usize, reference: &(i64, i64), lines: &[(Fixed, Fixed)]| {
        let mut inputs = BigUint::default();
        let gaps = far.iter().enumerate().map(|(q, far)| {
            // Passing is monotone in the gap.
            let fails =
                |far: &(usize, &(Fixed, i32))| !level.passes(q, c, far.0 + 1, far.1, lines, &free);
            let (mut low, mut high) = (0, far.len());
            while low < high {
                let middle = (low + high) / 2;
                if fails(&(middle, &far[middle])) {
                    low = middle + 1
                } else {
                    high = middle
                }
            }
            if low == far.len() {
                return 0;
            }
            inputs += level.inputs(q, c, low + 1, &free);
            low + 1
        });
        let gaps = gaps.collect();
        (inputs, *reference, gaps)
    };
    (1..n)
        .map(|c| {
            let choices = candidates
                .iter()
                .map(|(reference, lines)| choice(c, reference, lines));
            choices
                .reduce(|best, next| if next.0 > best.0 { next } else { best })
                .unwrap_or_default()
        })
        .collect()
}

/// Closed forms for the scores and the direct path of a strategy of the subcubic family.
///
/// # Errors
/// Those of the checker.
pub(in crate::search) fn closed(network: &OneHead<'_>, family: Family) -> Result<Hints, Refusal> {
    let factors = Factors::<Fixed>::new(network, &Meter::new(u64::MAX))?;
    Ok((
        scores(&factors, family.error)?,
        direct(&factors, family.eupu),
    ))
}

/// The hints of a strategy of the subcubic family with these: references and gaps that suit them.
///
/// # Errors
/// Those of the checker.
pub(in crate::search) fn family(
    network: &OneHead<'_>,
    family: Family,
    (attention, direct_path): Hints,
    options: Options<'_>,
) -> Result<Published, Refusal> {
    let tables = Tables::<Fixed>::new(network, &attention, &direct_path, &Meter::new(u64::MAX))?;
    let (v, n) = (network.config.d_vocab, network.config.n_ctx);
    let references = family.attention == ATTENTION[0];
    let levels = parallel((0..v).rev().collect(), options.threads, |_, m| {
        let level = level(&tables, m, n, references);
        (options.progress)();
        level
    });
    let levels: Vec<Vec<Choice>> = levels.into_iter().rev().collect();
    let by_copies = |part: fn(&(i64, i64)) -> i64| {
        let row = |level: &Vec<Choice>| {
            level
                .iter()
                .map(|(_, reference, _)| part(reference))
                .collect()
        };
        if references {
            levels.iter().map(row).collect::<Vec<Vec<i64>>>().into()
        } else {
            Rows::EMPTY
        }
    };
    let gaps = levels.iter().enumerate().map(|(m, level)| {
        (0..=m)
            .flat_map(|q| {
                level
                    .iter()
                    .map(move |(_, _, gaps)| gaps.get(q).copied().unwrap_or(0))
            })
            .collect()
    });
    let gaps = Gaps {
        attention,
        direct_path,
        references: by_copies(|pair| pair.0),
        slopes: by_copies(|pair| pair.1),
        gaps: gaps.collect::<Vec<Vec<usize>>>().into(),
    };
    Ok(Published::Gaps(Box::new(gaps)))
}

/// The paper's own cubic proof needs no hints.
pub(in crate::search) fn cubic() -> Published {
    Published::Convexity(NoHints {})
}
