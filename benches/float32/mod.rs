//! The yardstick for brute force: an honest float32 table loop with the same prefix sharing, and nothing rigorous.
//!
//! Attention weights and logit rows are tabulated once; each input costs one addition and one comparison a wrong
//! answer, by `Σ_p w(q,x_p,p)·c(x_p,p,j)` compared across j. No enclosure, no error bound, ties by rounding.

mod heads;

pub(crate) use heads::exhaustive;

use gbmi::model::{Matrix, OneHead};

/// The correct inputs, as float32 sees them, by `threads` threads.
pub(crate) fn brute_force(network: &OneHead<'_>, threads: usize) -> u64 {
    let (v, n) = (network.config.d_vocab, network.config.n_ctx);
    let dense = |weights: &Matrix<gbmi::model::Dyadic>| -> Vec<f32> {
        weights
            .iter_rows()
            .flatten()
            .map(|w| w.mantissa as f32 * (w.exponent as f32).exp2())
            .collect()
    };
    let (e, pos) = (dense(network.w_e), dense(network.w_pos));
    let (d, h) = (network.config.d_model, network.config.d_head);
    let query: Vec<f32> = (0..v * d)
        .map(|i| e[i] + pos[(n - 1) * d + i % d])
        .collect();
    let queries = product(&query, &dense(network.w_q), d, h);
    let sources: Vec<f32> = e.iter().chain(&pos).copied().collect();
    let keys = product(&sources, &dense(network.w_k), d, h);
    let scores = product(&queries, &transposed(&keys, h), h, v + n);
    let values = product(
        &product(&sources, &dense(network.w_v), d, h),
        &dense(network.w_o),
        h,
        d,
    );
    let logits = product(&values, &dense(network.w_u), d, v);
    let direct = product(&query, &dense(network.w_u), d, v);
    let scale = (h as f32).sqrt();

    let one_query = |q: usize| {
        let score =
            |t: usize, p: usize| (scores[q * (v + n) + t] + scores[q * (v + n) + v + p]) / scale;
        let most = (0..v).map(|t| score(t, 0)).fold(f32::MIN, f32::max);
        // rows[p][t][j] = w·c
        let rows: Vec<f32> = (0..n * v * v)
            .map(|i| {
                let (p, t, j) = (i / (v * v), i / v % v, i % v);
                (score(t, p) - most).exp()
                    * (logits[t * v + j] + logits[(v + p) * v + j] + direct[q * v + j])
            })
            .collect();
        let row = |p: usize, t: usize| &rows[(p * v + t) * v..(p * v + t + 1) * v];
        walk(&row, v, n - 1, 0, row(n - 1, q), q)
    };
    let next = std::sync::atomic::AtomicUsize::new(0);
    let total = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let q = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if q >= v {
                        break;
                    }
                    total.fetch_add(one_query(q), std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    });
    total.into_inner()
}

fn walk<'a>(
    row: &impl Fn(usize, usize) -> &'a [f32],
    v: usize,
    positions: usize,
    p: usize,
    prefix: &[f32],
    m: usize,
) -> u64 {
    let mut correct = 0;
    for t in 0..v {
        let row_t = row(p, t);
        let m = m.max(t);
        if p + 1 == positions {
            // Correct iff no logit is above the right one (a tie of float32 counts as correct).
            let right = prefix[m] + row_t[m];
            let (left, left_end) = prefix.as_chunks::<16>();
            let (add, add_end) = row_t.as_chunks::<16>();
            let mut most = [f32::MIN; 16];
            for (left, add) in left.iter().zip(add) {
                for ((most, left), add) in most.iter_mut().zip(left).zip(add) {
                    let sum = left + add;
                    *most = if sum > *most { sum } else { *most };
                }
            }
            let end = left_end.iter().zip(add_end).map(|(left, add)| left + add);
            correct += u64::from(most.into_iter().chain(end).fold(f32::MIN, f32::max) <= right);
        } else {
            let prefix: Vec<f32> = prefix.iter().zip(row_t).map(|(a, b)| a + b).collect();
            correct += walk(row, v, positions, p + 1, &prefix, m);
        }
    }
    correct
}

fn product(a: &[f32], b: &[f32], inner: usize, cols: usize) -> Vec<f32> {
    a.chunks(inner)
        .flat_map(|row| {
            (0..cols)
                .map(|col| {
                    row.iter()
                        .enumerate()
                        .map(|(k, x)| x * b[k * cols + col])
                        .sum()
                })
                .collect::<Vec<f32>>()
        })
        .collect()
}

fn transposed(a: &[f32], cols: usize) -> Vec<f32> {
    (0..a.len())
        .map(|i| a[i % (a.len() / cols) * cols + i / (a.len() / cols)])
        .collect()
}
