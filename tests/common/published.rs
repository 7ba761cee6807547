//! Random hints of the published strategies: those of the search, perturbed, and others guided by nothing.

use super::{Model, NOTHING, Paths, Random, bare, change, reread};
use gbmi::certificate::published::{
    Attention, Chain, DirectPath, Gaps, LowRank, MaxDiff, Means, NoHints, Peel, Published,
    Residual, SPECTRAL_BITS, Spectral, VECTOR_BITS,
};
use gbmi::certificate::{Certificate, Hints, Rows};
use gbmi::checker::Options;
use gbmi::model::Network;
use gbmi::search::prove;
use gbmi::strategy::{Family, Strategy};

fn integer(random: &mut Random, bound: i64) -> i64 {
    i64::try_from(random.next() >> 1).unwrap() % bound * if random.once_in(2) { -1 } else { 1 }
}

/// About the length asked for; of any size, zero included.
fn vector(random: &mut Random, length: usize) -> Vec<i64> {
    let length = match random.within(0, 11) {
        0 => 0,
        1 => length + 1,
        2 => length - 1,
        _ => length,
    };
    let bound = random.pick(&[
        1,
        1 << 10,
        1 << 18,
        1 << 20,
        1 << 20,
        1 << 21,
        1 << 24,
        1 << 40,
    ]);
    (0..length).map(|_| integer(random, bound)).collect()
}

/// The inner dimensions of a chain of two or four factors, those outside included.
fn sizes(network: &Network, factors: Chain) -> Vec<usize> {
    let (v, d, h) = (
        network.one_head().unwrap().config.d_vocab,
        network.one_head().unwrap().config.d_model,
        network.one_head().unwrap().config.d_head,
    );
    let bias = usize::from(
        network
            .one_head()
            .unwrap()
            .b_q
            .row(0)
            .iter()
            .any(|entry| entry.mantissa != 0),
    );
    match factors {
        Chain::Four => vec![v, d + bias, h, d, v],
        Chain::Two => vec![v, h, v],
    }
}

fn residual(random: &mut Random, sizes: &[usize]) -> Residual {
    let inner = &sizes[1..sizes.len() - 1];
    let count = random.within(0, inner.len() + 1);
    let means = (0..count)
        .map(|index| vector(random, inner.get(index).copied().unwrap_or(2)))
        .collect();
    match random.within(0, 3) {
        0 => Residual::Exact(NoHints {}),
        1 => spectral(random),
        2 => Residual::MaxDiff(Means { means }),
        _ => Residual::Recursive(Means { means }),
    }
}

/// A bound and a scale that go together, or not quite.
fn spectral(random: &mut Random) -> Residual {
    let bound = f64::from(random.unit().abs()) * random.pick(&[0.01, 0.1, 1.0, 4.0, 30.0]);
    let scale = 2.0 / (bound * bound)
        * random.pick(&[1.000_01, 1.000_01, 1.000_01, 0.999, 0.5, 0.01, -1.0]);
    let units =
        |value: f64| ((value * f64::from(SPECTRAL_BITS).exp2()) as i64).clamp(-(1 << 59), 1 << 59);
    Residual::Svd(Spectral {
        bound: units(bound) * if random.once_in(12) { -1 } else { 1 },
        scale: units(scale),
    })
}

fn low_rank(random: &mut Random, network: &Network) -> Attention {
    let factors = if random.once_in(2) {
        Chain::Four
    } else {
        Chain::Two
    };
    let sizes = sizes(network, factors);
    let mut peel = vec![];
    for index in 0..random.within(0, sizes.len() - 1) {
        let (left, right) = (random.within(0, 3), random.within(0, 3));
        let left = (0..left).map(|_| vector(random, sizes[index])).collect();
        peel.push(Peel {
            left,
            right: (0..right)
                .map(|_| vector(random, sizes[index + 1]))
                .collect(),
        });
    }
    let error = residual(random, &sizes);
    Attention::LowRank(LowRank {
        factors,
        peel,
        error,
    })
}

fn direct(random: &mut Random, network: &Network) -> DirectPath {
    match random.within(0, 3) {
        0 => DirectPath::MaxDiffExact(NoHints {}),
        1 => DirectPath::GlobalMaxDiffExact(NoHints {}),
        _ => DirectPath::MaxDiff(MaxDiff {
            mean: vector(random, network.one_head().unwrap().config.d_model),
        }),
    }
}

/// References and slopes, or none. At times references are below zero, or a row is short or long.
fn references(random: &mut Random, network: &Network) -> (Rows<i64>, Rows<i64>) {
    if random.once_in(3) {
        return (Rows::EMPTY, Rows::EMPTY);
    }
    let slope = random.pick(&[1, 1 << 18, 1 << 20, 1 << 22, 1 << 23, 1 << 60]);
    let ratio = random.pick(&[1, 1 << 14, 1 << 17, 1 << 20, 1 << 20, 1 << 22, 1 << 60]);
    let below = random.once_in(6);
    let length = |random: &mut Random| {
        if random.once_in(20) {
            random.within(0, 4)
        } else {
            network.one_head().unwrap().config.n_ctx - 1
        }
    };
    let rows = |random: &mut Random, size: i64, below: bool| {
        let entry = |random: &mut Random| integer(random, size);
        let row = |random: &mut Random| {
            (0..length(random))
                .map(|_| {
                    if below {
                        entry(random)
                    } else {
                        entry(random).abs()
                    }
                })
                .collect::<Vec<i64>>()
        };
        (0..network.one_head().unwrap().config.d_vocab)
            .map(|_| row(random))
            .collect()
    };
    (rows(random, ratio, below), rows(random, slope, true))
}

/// Gaps of any size: the narrow ones certify most, if anything.
fn gaps(random: &mut Random, network: &Network) -> Rows<usize> {
    let most = random.pick(&[1, 1, 2, usize::MAX]);
    let gap = |random: &mut Random, m: usize| {
        let least = usize::from(!random.once_in(8));
        random.within(least, m.min(most).max(1)).min(m)
    };
    let row = |random: &mut Random, m: usize| {
        let mut row: Vec<usize> = (0..(m + 1) * (network.one_head().unwrap().config.n_ctx - 1))
            .map(|_| gap(random, m))
            .collect();
        match random.within(0, 40) {
            // Too short, too long, or a gap that leaves no token.
            0 => drop(row.pop()),
            1 => row.extend([1, 1, usize::MAX]),
            2 => row[0] = m + 1,
            _ => {}
        }
        row
    };
    (0..network.one_head().unwrap().config.d_vocab)
        .map(|m| row(random, m))
        .collect()
}

fn jitter(random: &mut Random, vectors: &mut [Vec<i64>]) {
    let size = random.pick(&[2, 1 << 10, 1 << 17, 1 << 20]);
    for vector in vectors {
        match random.within(0, 5) {
            0 => vector.fill(0),
            1 => vector.reverse(),
            2 => vector.truncate(1),
            _ => vector
                .iter_mut()
                .for_each(|entry| *entry += integer(random, size)),
        }
        vector
            .iter_mut()
            .for_each(|entry| *entry = (*entry).clamp(-(1 << 39), 1 << 39));
    }
}

/// The hints of the published subcubic family.
pub(crate) fn gaps_of(certificate: &mut Certificate) -> &mut Gaps {
    let Hints::Published(Published::Gaps(gaps)) = &mut certificate.hints else {
        panic!("other hints")
    };
    gaps
}

/// A little off, or replaced in part.
fn perturb(random: &mut Random, network: &Network, certificate: &mut Certificate) {
    let hints = gaps_of(certificate);
    if let Attention::LowRank(LowRank {
        factors,
        peel,
        error,
    }) = &mut hints.attention
    {
        if random.once_in(3) {
            for Peel { left, right } in peel.iter_mut() {
                change(left, |left| jitter(random, left));
                change(right, |right| jitter(random, right));
                if random.once_in(3) {
                    change(left, |left| drop(left.pop()));
                }
            }
        }
        match error {
            Residual::MaxDiff(Means { means }) | Residual::Recursive(Means { means })
                if random.once_in(2) =>
            {
                change(means, |means| jitter(random, means))
            }
            Residual::Svd(Spectral { bound, scale }) if random.once_in(2) => {
                // Smaller, and consistent; or one of the two alone.
                let factor = random.pick(&[0.999, 0.99, 0.9, 0.5, 1.01, 2.0]);
                let both = random.within(0, 3);
                let scaled = |number: i64, factor: f64| {
                    ((number as f64 * factor) as i64).clamp(-(1 << 59), 1 << 59)
                };
                *bound = scaled(*bound, if both == 1 { 1.0 } else { factor });
                *scale = scaled(
                    *scale,
                    if both == 0 {
                        1.0
                    } else {
                        1.0 / (factor * factor)
                    },
                );
            }
            _ if random.once_in(3) => *error = residual(random, &sizes(network, *factors)),
            _ => {}
        }
    }
    if random.once_in(4) {
        hints.direct_path = direct(random, network);
    }
    match (&mut hints.direct_path, random.within(0, 2)) {
        (DirectPath::MaxDiff(MaxDiff { mean }), 0) => jitter(random, std::slice::from_mut(mean)),
        _ if random.once_in(3) => (hints.references, hints.slopes) = references(random, network),
        _ => {
            let size = 1 << (VECTOR_BITS - 3);
            for (rows, least) in [(&mut hints.references, 0), (&mut hints.slopes, -(1 << 59))] {
                change(rows, |rows| {
                    for number in rows.iter_mut().flatten() {
                        *number = (*number + integer(random, size)).clamp(least, 1 << 59);
                    }
                });
            }
        }
    }
    match random.within(0, 2) {
        0 => hints.gaps = gaps(random, network),
        1 => {
            change(&mut hints.gaps, |gaps| {
                for (m, row) in gaps.iter_mut().enumerate() {
                    row.iter_mut().for_each(|gap| {
                        *gap = (*gap + random.within(0, 2)).saturating_sub(1).min(m)
                    });
                }
            });
        }
        _ => {}
    }
}

/// A certificate of any published rule, written and read as any other. It claims nothing.
pub(crate) fn published_hints(random: &mut Random, network: &Network) -> Certificate {
    let exact = || Attention::Exact(NoHints {});
    let certificate = if random.once_in(16) {
        bare(network, Hints::Published(Published::Convexity(NoHints {})))
    } else if random.once_in(3) {
        let attention = if random.once_in(6) {
            exact()
        } else {
            low_rank(random, network)
        };
        let (direct_path, (references, slopes)) =
            (direct(random, network), references(random, network));
        let gaps = Gaps {
            attention,
            direct_path,
            references,
            slopes,
            gaps: gaps(random, network),
        };
        bare(network, Hints::Published(Published::Gaps(Box::new(gaps))))
    } else {
        let families: Vec<Family> = Family::all().collect();
        let proof = prove(
            network,
            Strategy::Published(random.pick(&families)),
            None,
            Options::default(),
        )
        .unwrap();
        let mut certificate = bare(network, proof.certificate.hints);
        perturb(random, network, &mut certificate);
        certificate
    };
    reread(&certificate)
}

/// A model of few tokens and plain tables: bounds are exact or nearly so, and what exceeds them is wrong.
pub(crate) fn tight_model(random: &mut Random) -> Model {
    let (v, n) = (random.pick(&[2, 2, 2, 3, 4]), random.within(2, 4));
    let mut model = Paths {
        d_vocab: v,
        n_ctx: n,
        ..NOTHING
    }
    .model();
    let h = v + n;
    let [by_token, by_position, logits, places, direct] = [(); 5]
        .map(|()| random.pick(&[0.0, 0.5, 1.0, 3.0]) * if random.once_in(3) { 0.0 } else { 1.0 });
    let one_query = random.once_in(3);
    for t in 0..v {
        for j in 0..v {
            model.set("blocks.0.attn.W_Q", t * h + j, by_token * random.unit());
            let right = if t == j {
                2.0 * random.unit().abs()
            } else {
                0.0
            };
            model.set(
                "blocks.0.attn.W_V",
                t * h + j,
                right + logits * random.unit(),
            );
            let favoured = if one_query && t > 0 {
                0.0
            } else {
                direct * random.unit()
            };
            model.set("unembed.W_U", t * v + j, favoured);
        }
        for p in 0..n {
            model.set(
                "blocks.0.attn.W_Q",
                t * h + v + p,
                by_position * random.unit(),
            );
        }
    }
    for index in v * h..(v + n) * h {
        if index % h < v {
            model.set("blocks.0.attn.W_V", index, places * random.unit());
        }
    }
    if random.once_in(3) {
        for j in 0..v {
            model.set("unembed.b_U", j, random.unit());
        }
    }
    model
}
