//! Many networks of one shape, as tensors whose first dimension is the seed.

use super::{Recipe, Weights, stream, tokens};
use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::ops::{log_softmax, softmax};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// The weights that are trained, in the order in which they are drawn; all biases stay zero.
const NAMES: [&str; 7] = [
    "embed.W_E",
    "pos_embed.W_pos",
    "blocks.0.attn.W_Q",
    "blocks.0.attn.W_K",
    "blocks.0.attn.W_V",
    "blocks.0.attn.W_O",
    "unembed.W_U",
];

/// The trained weights: each tensor `seeds × rows × columns`.
pub(super) struct Networks {
    weights: [Var; NAMES.len()],
    shapes: [(usize, usize); NAMES.len()],
    scale: f64,
}

/// Inputs for each network.
pub(super) struct Batch {
    /// `seeds × inputs × n_ctx`.
    tokens: Tensor,
    /// The same, filled up with zeros to as many columns as there are tokens, where inputs are shorter.
    filled: Tensor,
    /// The last tokens, as rows of all embeddings one below the other: `seeds · inputs`.
    last: Tensor,
    /// The largest tokens: `seeds × inputs × 1`.
    answers: Tensor,
}

impl Batch {
    pub(super) fn draw(
        recipe: &Recipe,
        inputs: usize,
        streams: &mut [ChaCha8Rng],
        device: &Device,
    ) -> Result<Self> {
        let (n, v) = (recipe.n_ctx, recipe.d_vocab as u32);
        let seeds = streams.len();
        let (mut all, mut last, mut answers) = (vec![], vec![], vec![]);
        for (seed, stream) in streams.iter_mut().enumerate() {
            let start = all.len();
            all.extend(tokens(stream, inputs * n, 0..v));
            for input in all[start..].chunks(n) {
                last.push(seed as u32 * v + input[n - 1]);
                answers.push(input.iter().copied().max().unwrap_or(0));
            }
        }
        let tokens = Tensor::from_vec(all, (seeds, inputs, n), device)?;
        Ok(Self {
            filled: tokens.pad_with_zeros(2, 0, recipe.d_vocab.saturating_sub(n))?,
            tokens,
            last: Tensor::from_vec(last, seeds * inputs, device)?,
            answers: Tensor::from_vec(answers, (seeds, inputs, 1), device)?,
        })
    }
}

impl Networks {
    /// Freshly drawn weights.
    pub(super) fn new(recipe: &Recipe, seeds: &[u64], device: &Device) -> Result<Self> {
        let Recipe {
            n_ctx: n,
            d_vocab: v,
            d_model: d,
            ..
        } = *recipe;
        let shapes = [(v, d), (n, d), (d, d), (d, d), (d, d), (d, d), (d, v)];
        let mut streams: Vec<_> = seeds.iter().map(|seed| stream(*seed, 0)).collect();
        let range = recipe.initializer_range() as f32;
        let mut draw = |(rows, columns): (usize, usize)| {
            let normal = |random: &mut ChaCha8Rng| {
                range * Distribution::<f32>::sample(&StandardNormal, random)
            };
            let numbers = streams
                .iter_mut()
                .flat_map(|random| (0..rows * columns).map(move |_| normal(random)));
            Var::from_vec(numbers.collect(), (seeds.len(), rows, columns), device)
        };
        let drawn = shapes
            .into_iter()
            .map(&mut draw)
            .collect::<Result<Vec<_>>>()?;
        let weights = drawn.try_into().expect("as many as there are shapes");
        Ok(Self {
            weights,
            shapes,
            scale: 1.0 / (d as f64).sqrt(),
        })
    }

    pub(super) fn variables(&self) -> Vec<Var> {
        self.weights.to_vec()
    }

    /// Logits at the last position: `seeds × inputs × d_vocab`.
    ///
    /// Scores and what is read go through tables over tokens, `seeds × inputs × d_vocab`: products of matrices, where
    /// embeddings of every token of every input would be many small ones.
    fn logits(&self, batch: &Batch) -> Result<Tensor> {
        let [e, pos, q, k, v, o, u] = &self.weights;
        let (seeds, inputs, n) = batch.tokens.dims3()?;
        let (d_vocab, d_model) = self.shapes[0];
        let embedded = if e.device().is_cpu() {
            let rows = e
                .reshape((seeds * d_vocab, d_model))?
                .index_select(&batch.last, 0)?;
            rows.reshape((seeds, inputs, d_model))?
        } else {
            // In the gradient of index_select a card adds up row after row.
            let last = batch
                .tokens
                .narrow(2, n - 1, 1)?
                .broadcast_as((seeds, inputs, d_model))?;
            e.gather(&last.contiguous()?, 1)?
        };
        let here = embedded.broadcast_add(&pos.narrow(1, n - 1, 1)?)?;
        let keys = (here.matmul(q)?.matmul(&k.transpose(1, 2)?)? * self.scale)?;
        let by_token = keys.matmul(&e.transpose(1, 2)?)?.gather(&batch.tokens, 2)?;
        let weights = softmax(&(by_token + keys.matmul(&pos.transpose(1, 2)?)?)?, 2)?;
        // candle's gradient of scatter_add takes a source as wide as what it is added to.
        let width = d_vocab.max(n);
        let counts = Tensor::zeros((seeds, inputs, width), DType::F32, batch.tokens.device())?;
        let counts =
            counts.scatter_add(&batch.filled, &weights.pad_with_zeros(2, 0, width - n)?, 2)?;
        let counts = counts.narrow(2, 0, d_vocab)?;
        let read = (counts.matmul(e)? + weights.matmul(pos)?)?;
        (here + read.matmul(v)?.matmul(o)?)?.matmul(u)
    }

    /// Each network's mean cross-entropy, in nats.
    pub(super) fn losses(&self, batch: &Batch) -> Result<Tensor> {
        log_softmax(&self.logits(batch)?, 2)?
            .gather(&batch.answers, 2)?
            .neg()?
            .mean((1, 2))
    }

    /// How many inputs each network answers correctly: ties, which have no order here, are settled by the lower token.
    pub(super) fn correct(&self, batch: &Batch) -> Result<Vec<usize>> {
        let right = self.logits(batch)?.argmax_keepdim(2)?.eq(&batch.answers)?;
        let counts = right.to_dtype(DType::U32)?.sum((1, 2))?.to_vec1::<u32>()?;
        Ok(counts.into_iter().map(|count| count as usize).collect())
    }

    /// One network's weights.
    pub(super) fn weights(&self, index: usize) -> Result<Weights> {
        let of = |((name, weights), (rows, columns)): ((&&'static str, &Var), &(usize, usize))| {
            let entries = weights.get(index)?.flatten_all()?.to_vec1::<f32>()?;
            Ok((*name, vec![*rows, *columns], entries))
        };
        NAMES
            .iter()
            .zip(&self.weights)
            .zip(&self.shapes)
            .map(of)
            .collect()
    }
}
