//! The definition of a network (`docs/tasks.md`), token by token, in any numbers.

use crate::checker::arithmetic::{Enclosure, Fixed};
use crate::model::{Dyadic, Function, Head, Layer, Matrix, Mlp, Network, Norm, Scale};
use crate::model::{Transformer, TwoEmbeddings};

/// What logits are computed in.
pub trait Number: Clone + Send + Sync {
    /// `mantissa · 2^exponent`.
    fn dyadic(mantissa: i64, exponent: i32) -> Self;
    /// The sum.
    fn add(&self, other: &Self) -> Self;
    /// The difference.
    fn sub(&self, other: &Self) -> Self;
    /// The product.
    fn mul(&self, other: &Self) -> Self;
    /// The larger one.
    fn max(&self, other: &Self) -> Self;
    /// `1/x`.
    fn inverse(&self) -> Self;
    /// `1/√x`.
    fn inverse_sqrt(&self) -> Self;
    /// `exp(x − c)` of every number x, with the same c for all: the largest, or not far from it.
    fn exponentials(scores: &[Self]) -> Vec<Self>;
}

impl Number for f64 {
    fn dyadic(mantissa: i64, exponent: i32) -> Self {
        mantissa as f64 * f64::from(exponent).exp2()
    }

    fn add(&self, other: &Self) -> Self {
        self + other
    }

    fn sub(&self, other: &Self) -> Self {
        self - other
    }

    fn mul(&self, other: &Self) -> Self {
        self * other
    }

    fn max(&self, other: &Self) -> Self {
        f64::max(*self, *other)
    }

    fn inverse(&self) -> Self {
        self.recip()
    }

    fn inverse_sqrt(&self) -> Self {
        self.sqrt().recip()
    }

    fn exponentials(scores: &[Self]) -> Vec<Self> {
        let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        scores.iter().map(|score| (score - most).exp()).collect()
    }
}

impl Number for Fixed {
    fn dyadic(mantissa: i64, exponent: i32) -> Self {
        Enclosure::dyadic(mantissa, exponent)
    }

    fn add(&self, other: &Self) -> Self {
        Enclosure::add(self, other)
    }

    fn sub(&self, other: &Self) -> Self {
        Enclosure::sub(self, other)
    }

    fn mul(&self, other: &Self) -> Self {
        Enclosure::mul(self, other)
    }

    fn max(&self, other: &Self) -> Self {
        Enclosure::max(self, other)
    }

    fn inverse(&self) -> Self {
        Enclosure::inverse(self)
    }

    fn inverse_sqrt(&self) -> Self {
        Enclosure::inverse_sqrt(self)
    }

    fn exponentials(scores: &[Self]) -> Vec<Self> {
        let most = scores.iter().copied().reduce(|a, b| Enclosure::max(&a, &b));
        let (most, one) = (most.map(|most| most.upper()), Number::dyadic(1, 0));
        let exponential = |score: &Self| {
            let (near, shift) = most.map_or(*score, |most| Number::sub(score, &most)).exp();
            near.mul_scaled(&one, shift)
        };
        scores.iter().map(exponential).collect()
    }
}

/// `x W + b`.
#[derive(Debug)]
pub(super) struct Linear<N> {
    /// A row for each number of x.
    pub(super) rows: Vec<Vec<N>>,
    pub(super) bias: Vec<N>,
}

fn numbers<N: Number>(row: &[Dyadic]) -> Vec<N> {
    let number = |weight: &Dyadic| N::dyadic(weight.mantissa.into(), weight.exponent);
    row.iter().map(number).collect()
}

pub(super) fn rows<N: Number>(matrix: &Matrix<Dyadic>) -> Vec<Vec<N>> {
    matrix.iter_rows().map(numbers).collect()
}

impl<N: Number> Linear<N> {
    pub(super) fn new(weights: &Matrix<Dyadic>, bias: Option<&Matrix<Dyadic>>) -> Self {
        let zeros = || vec![N::dyadic(0, 0); weights.cols()];
        Self {
            rows: rows(weights),
            bias: bias.map_or_else(zeros, |bias| numbers(bias.row(0))),
        }
    }

    pub(super) fn of(&self, x: &[N]) -> Vec<N> {
        let mut sums = self.bias.clone();
        for (x, row) in x.iter().zip(&self.rows) {
            for (sum, weight) in sums.iter_mut().zip(row) {
                *sum = sum.add(&x.mul(weight));
            }
        }
        sums
    }

    pub(super) fn of_rows(&self, rows: &[Vec<N>]) -> Vec<Vec<N>> {
        rows.iter().map(|row| self.of(row)).collect()
    }
}

fn dot<N: Number>(left: &[N], right: &[N]) -> N {
    let products = left.iter().zip(right).map(|(a, b)| a.mul(b));
    products.fold(N::dyadic(0, 0), |sum, product| sum.add(&product))
}

fn plus<N: Number>(left: &[N], right: &[N]) -> Vec<N> {
    left.iter().zip(right).map(|(a, b)| a.add(b)).collect()
}

fn relu<N: Number>(row: Vec<N>) -> Vec<N> {
    let zero = N::dyadic(0, 0);
    row.iter().map(|x| x.max(&zero)).collect()
}

/// A layer norm.
#[derive(Debug)]
struct LayerNorm<N> {
    affine: Option<[Vec<N>; 2]>,
    eps: N,
}

impl<N: Number> LayerNorm<N> {
    fn new(norm: &Norm) -> Self {
        let affine = norm.affine.as_ref();
        Self {
            affine: affine.map(|(gain, bias)| [gain, bias].map(|part| numbers(part.row(0)))),
            eps: N::dyadic(norm.eps.mantissa, norm.eps.exponent),
        }
    }

    fn of(&self, row: &[N]) -> Vec<N> {
        let share = N::dyadic(row.len() as i64, 0).inverse();
        let mean = |row: &[N]| {
            let sum = row.iter().fold(N::dyadic(0, 0), |sum, x| sum.add(x));
            sum.mul(&share)
        };
        let middle = mean(row);
        let centred: Vec<N> = row.iter().map(|x| x.sub(&middle)).collect();
        let squares: Vec<N> = centred.iter().map(|x| x.mul(x)).collect();
        let root = mean(&squares).add(&self.eps).inverse_sqrt();
        let normal = centred.iter().map(|x| x.mul(&root));
        match &self.affine {
            None => normal.collect(),
            Some([gain, bias]) => normal
                .zip(gain.iter().zip(bias))
                .map(|(x, (gain, bias))| x.mul(gain).add(bias))
                .collect(),
        }
    }
}

/// The row itself without layer norms.
fn normal<N: Number>(norm: Option<&LayerNorm<N>>, row: &[N]) -> Vec<N> {
    norm.map_or_else(|| row.to_vec(), |norm| norm.of(row))
}

#[derive(Debug)]
struct Attention<N> {
    query: Linear<N>,
    key: Linear<N>,
    value: Linear<N>,
    output: Linear<N>,
}

#[derive(Debug)]
struct Block<N> {
    ln1: Option<LayerNorm<N>>,
    heads: Vec<Attention<N>>,
    b_o: Vec<N>,
    mlp: Option<Perceptron<N>>,
}

#[derive(Debug)]
struct Perceptron<N> {
    ln2: Option<LayerNorm<N>>,
    before: Linear<N>,
    behind: Linear<N>,
}

#[derive(Debug)]
enum Kind<N> {
    Transformer {
        /// One over what scores are divided by.
        scale: N,
        /// α/n and 1 − α, unless α is 0.
        rate: Option<[N; 2]>,
        n_ctx: usize,
        positions: Vec<Vec<N>>,
        blocks: Vec<Block<N>>,
        ln_final: Option<LayerNorm<N>>,
    },
    /// What the first token adds to the neurons; the second's is the decoder's own.
    Pairs { first: Vec<Vec<N>> },
}

/// A network in numbers of some kind.
#[derive(Debug)]
pub struct Decoder<N> {
    kind: Kind<N>,
    tokens: Vec<Vec<N>>,
    unembed: Linear<N>,
}

/// What a step computes on its way.
#[derive(Debug)]
pub enum Seen<'a, N> {
    /// Of a layer and a head, the attention paid to each position so far.
    Attention(usize, usize, &'a [N]),
    /// Of a layer, its neurons before the ReLU.
    Neurons(usize, &'a [N]),
}

/// What later positions read of those before them: by position, and then by layer and head, a key and a value.
pub type Path<N> = Vec<Vec<[Vec<N>; 2]>>;

impl<N: Number> Decoder<N> {
    /// The network's weights as such numbers.
    pub fn new(network: &Network) -> Self {
        match &network.function {
            Function::Transformer(model) => Self::transformer(model),
            Function::TwoEmbeddings(model) => Self::pairs(model),
        }
    }

    fn transformer(model: &Transformer) -> Self {
        let shape = &model.shape;
        let whole = |number: usize| N::dyadic(number as i64, 0);
        let attention = |head: &Head| Attention {
            query: Linear::new(&head.w_q, Some(&head.b_q)),
            key: Linear::new(&head.w_k, Some(&head.b_k)),
            value: Linear::new(&head.w_v, Some(&head.b_v)),
            output: Linear::new(&head.w_o, None),
        };
        let perceptron = |mlp: &Mlp| Perceptron {
            ln2: mlp.ln2.as_ref().map(LayerNorm::new),
            before: Linear::new(&mlp.w_in, Some(&mlp.b_in)),
            behind: Linear::new(&mlp.w_out, Some(&mlp.b_out)),
        };
        let block = |layer: &Layer| Block {
            ln1: layer.ln1.as_ref().map(LayerNorm::new),
            heads: layer.heads.iter().map(attention).collect(),
            b_o: numbers(layer.b_o.row(0)),
            mlp: layer.mlp.as_ref().map(perceptron),
        };
        let rate = shape.attention_rate;
        let mixed = || {
            let rate = N::dyadic(rate.mantissa, rate.exponent);
            let uniform = rate.mul(&whole(shape.n_ctx).inverse());
            [uniform, whole(1).sub(&rate)]
        };
        let kind = Kind::Transformer {
            scale: match shape.scale {
                Scale::SqrtDHead => whole(shape.d_head).inverse_sqrt(),
                Scale::One => whole(1),
            },
            rate: (rate != Dyadic::NONE).then(mixed),
            n_ctx: shape.n_ctx,
            positions: rows(&model.w_pos),
            blocks: model.layers.iter().map(block).collect(),
            ln_final: model.ln_final.as_ref().map(LayerNorm::new),
        };
        Self {
            kind,
            tokens: rows(&model.w_e),
            unembed: Linear::new(&model.w_u, Some(&model.b_u)),
        }
    }

    fn pairs(model: &TwoEmbeddings) -> Self {
        let side = |embedding: &Matrix<Dyadic>, linear: &Matrix<Dyadic>| {
            Linear::<N>::new(linear, None).of_rows(&rows(embedding))
        };
        Self {
            kind: Kind::Pairs {
                first: side(&model.embedding_left, &model.linear_left),
            },
            tokens: side(&model.embedding_right, &model.linear_right),
            unembed: Linear::new(&model.unembedding, Some(&model.unembed_bias)),
        }
    }

    /// One token more: the row that the unembedding reads there. The path grows by its position.
    pub fn step(&self, path: &mut Path<N>, token: usize) -> Vec<N> {
        self.watched_step(path, token, &mut |_| ())
    }

    /// The same, with what is computed on the way shown to `watch`, layer by layer.
    pub fn watched_step(
        &self,
        path: &mut Path<N>,
        token: usize,
        watch: &mut dyn FnMut(Seen<'_, N>),
    ) -> Vec<N> {
        let position = path.len();
        path.push(vec![]);
        match &self.kind {
            Kind::Pairs { first } if position == 0 => {
                path[0].push([first[token].clone(), vec![]]);
                vec![]
            }
            Kind::Pairs { .. } => {
                let neurons = plus(&path[0][0][0], &self.tokens[token]);
                watch(Seen::Neurons(0, &neurons));
                relu(neurons)
            }
            Kind::Transformer {
                scale,
                rate,
                n_ctx,
                positions,
                blocks,
                ln_final,
            } => {
                let mut row = plus(&self.tokens[token], &positions[position]);
                // Before the last position no answer is read of a network that has a rate.
                let rate = rate.as_ref().filter(|_| position + 1 == *n_ctx);
                for (layer, block) in blocks.iter().enumerate() {
                    let read = normal(block.ln1.as_ref(), &row);
                    let mut next = plus(&row, &block.b_o);
                    for (index, head) in block.heads.iter().enumerate() {
                        let own = [head.key.of(&read), head.value.of(&read)];
                        path[position].push(own);
                        let place = path[position].len() - 1;
                        let attended = path.iter().map(|position| &position[place]);
                        let (keys, values) = (
                            attended.clone().map(|[key, _]| key),
                            attended.map(|[_, value]| value),
                        );
                        let weights = attention(&head.query.of(&read), keys, scale, rate);
                        watch(Seen::Attention(layer, index, &weights));
                        next = plus(&next, &head.output.of(&mean(&weights, values)));
                    }
                    row = next;
                    if let Some(mlp) = &block.mlp {
                        let neurons = mlp.before.of(&normal(mlp.ln2.as_ref(), &row));
                        watch(Seen::Neurons(layer, &neurons));
                        row = plus(&row, &mlp.behind.of(&relu(neurons)));
                    }
                }
                normal(ln_final.as_ref(), &row)
            }
        }
    }

    /// The logits of a row.
    pub fn logits(&self, row: &[N]) -> Vec<N> {
        self.unembed.of(row)
    }
}

/// The attention paid to each position.
fn attention<'a, N: Number + 'a>(
    query: &[N],
    keys: impl Iterator<Item = &'a Vec<N>>,
    scale: &N,
    rate: Option<&[N; 2]>,
) -> Vec<N> {
    let scores = keys.map(|key| dot(query, key).mul(scale));
    let mut weights = N::exponentials(&scores.collect::<Vec<_>>());
    let total = weights.iter().fold(N::dyadic(0, 0), |sum, w| sum.add(w));
    let share = total.inverse();
    for weight in &mut weights {
        *weight = weight.mul(&share);
        if let Some([uniform, rest]) = rate {
            *weight = uniform.add(&rest.mul(weight));
        }
    }
    weights
}

/// The mean of the values, weighed by attention.
fn mean<'a, N: Number + 'a>(weights: &[N], values: impl Iterator<Item = &'a Vec<N>>) -> Vec<N> {
    let weigh = |(weight, value): (&N, &Vec<N>)| -> Vec<N> {
        value.iter().map(|x| x.mul(weight)).collect()
    };
    let parts = weights.iter().zip(values).map(weigh);
    parts
        .reduce(|sum, part| plus(&sum, &part))
        .unwrap_or_default()
}
