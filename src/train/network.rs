//! Many networks of one shape, as tensors whose first dimension is the seed: `docs/tasks.md` has what they compute.

use super::data::Batch;
use super::evaluate::Evaluated;
use crate::answers::Number;
use crate::model::{Dyadic, Function, Network, Scale, Shape};
use candle_core::{D, DType, Result, Tensor};
use candle_nn::ops::{log_softmax, softmax};
use std::collections::BTreeMap;

/// What networks compute, but for their weights.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    Transformer(Shape),
    TwoEmbeddings,
}

impl Form {
    pub(super) fn of(network: &Network) -> Self {
        match &network.function {
            Function::Transformer(model) => Self::Transformer(model.shape),
            Function::TwoEmbeddings(_) => Self::TwoEmbeddings,
        }
    }
}

/// Networks of one form. Weights have TransformerLens's names and are `seeds × rows × columns`; the heads of an attention
/// layer stand side by side, in W_Q, W_K and W_V (`d_model × heads·d_head`) as columns, in W_O as rows. A bias that is not
/// there is zero.
pub(super) struct Networks {
    pub(super) form: Form,
    pub(super) weights: BTreeMap<String, Tensor>,
}

/// What there is at each position of each input: `seeds × rows × width`.
struct Rows<'a> {
    rows: Tensor,
    /// The first of the positions.
    first: usize,
    batch: &'a Batch,
    /// Rows are of tokens at positions, d_vocab of each position, instead of inputs at positions.
    by_token: Option<usize>,
}

impl Rows<'_> {
    fn with(&self, rows: Tensor) -> Self {
        Self { rows, ..*self }
    }

    /// Of the positions from `first` on.
    fn from(&self, first: usize) -> Result<Self> {
        let (skipped, positions) = (first - self.first, self.positions());
        let (seeds, count, width) = self.rows.dims3()?;
        let rows = match self.by_token {
            _ if skipped == 0 => self.rows.clone(),
            Some(v) => self.rows.narrow(1, skipped * v, count - skipped * v)?,
            None => {
                let inputs = count / positions;
                let rows = self.rows.reshape((seeds, inputs, positions, width))?;
                let rows = rows.narrow(2, skipped, positions - skipped)?;
                rows.reshape((seeds, inputs * (positions - skipped), width))?
            }
        };
        Ok(Self {
            rows,
            first,
            ..*self
        })
    }

    /// How many there are of each input.
    fn positions(&self) -> usize {
        self.batch.tokens.dims()[2] - self.first
    }

    /// Rows of inputs, one for each position: `seeds × inputs·positions × width`.
    fn of_inputs(&self) -> Result<Tensor> {
        let Some(v) = self.by_token else {
            return Ok(self.rows.clone());
        };
        let (seeds, inputs, _) = self.batch.tokens.dims3()?;
        let positions = self.positions();
        let tokens = self.batch.tokens.narrow(2, self.first, positions)?;
        let start = (0..positions).map(|position| (position * v) as u32);
        let start = Tensor::from_iter(start, tokens.device())?;
        let at = tokens.broadcast_add(&start)?;
        pick(&self.rows, &at.reshape((seeds, inputs * positions))?)
    }

    /// `seeds·inputs × heads × positions × width/heads`.
    fn of_heads(&self, heads: usize) -> Result<Tensor> {
        let rows = self.of_inputs()?;
        let (seeds, count, width) = rows.dims3()?;
        let (positions, width) = (self.positions(), width / heads);
        let split = rows.reshape((seeds * count / positions, positions, heads, width))?;
        split.transpose(1, 2)?.contiguous()
    }
}

/// Rows of a table, `seeds × rows × width`, by their numbers, `seeds × picked`.
fn pick(table: &Tensor, at: &Tensor) -> Result<Tensor> {
    if table.device().is_cpu() {
        return one_by_one(table, at);
    }
    // In the gradient of `one_by_one` a card adds up row after row.
    all_together(table, at)
}

fn one_by_one(table: &Tensor, at: &Tensor) -> Result<Tensor> {
    let (seeds, rows, width) = table.dims3()?;
    let start = (0..seeds).map(|seed| (seed * rows) as u32);
    let start = Tensor::from_iter(start, at.device())?.reshape((seeds, 1))?;
    let at = at.broadcast_add(&start)?;
    let table = table.reshape((seeds * rows, width))?;
    let picked = table.index_select(&at.flatten_all()?, 0)?;
    picked.reshape((seeds, at.dims()[1], width))
}

fn all_together(table: &Tensor, at: &Tensor) -> Result<Tensor> {
    let ((seeds, picked), width) = (at.dims2()?, table.dims()[2]);
    let at = at.unsqueeze(2)?.broadcast_as((seeds, picked, width))?;
    table.contiguous()?.gather(&at.contiguous()?, 1)
}

fn double(number: Dyadic<i64>) -> f64 {
    Number::dyadic(number.mantissa, number.exponent)
}

impl Networks {
    fn weight(&self, name: &str) -> &Tensor {
        &self.weights[name]
    }

    /// `x W + b`, for the tensors of these names.
    fn linear(&self, x: &Tensor, weights: &str, bias: &str) -> Result<Tensor> {
        self.plus(&x.matmul(self.weight(weights))?, bias)
    }

    fn plus(&self, x: &Tensor, bias: &str) -> Result<Tensor> {
        match self.weights.get(bias) {
            Some(bias) => x.broadcast_add(bias),
            None => Ok(x.clone()),
        }
    }

    /// The layer norm of this name, if there are any.
    fn normal(&self, shape: &Shape, x: &Tensor, name: &str) -> Result<Tensor> {
        let Some(norms) = shape.norms else {
            return Ok(x.clone());
        };
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let normal = centred.broadcast_div(&(variance + double(norms.eps))?.sqrt()?)?;
        let gained = match self.weights.get(&format!("{name}.w")) {
            Some(gain) => normal.broadcast_mul(gain)?,
            None => normal,
        };
        self.plus(&gained, &format!("{name}.b"))
    }

    /// Logits, `seeds × rows × d_vocab_out`.
    pub(super) fn logits(&self, batch: &Batch) -> Result<Tensor> {
        match &self.form {
            Form::Transformer(shape) => self.transformer(shape, batch),
            Form::TwoEmbeddings => {
                let side = |position: usize, side: &str| {
                    let embedding = self.weight(&format!("embedding_{side}"));
                    let table = embedding.matmul(self.weight(&format!("linear_{side}")))?;
                    pick(&table, &batch.tokens.narrow(2, position, 1)?.squeeze(2)?)
                };
                let neurons = (side(0, "left")? + side(1, "right")?)?.relu()?;
                self.linear(&neurons, "unembedding", "unembed_bias")
            }
        }
    }

    fn transformer(&self, shape: &Shape, batch: &Batch) -> Result<Tensor> {
        let (e, pos) = (self.weight("embed.W_E"), self.weight("pos_embed.W_pos"));
        let (seeds, v, d) = e.dims3()?;
        let positions = batch.tokens.dims()[2];
        let pos = pos.narrow(1, 0, positions)?.unsqueeze(2)?;
        let table = pos.broadcast_add(&e.unsqueeze(1)?)?;
        let mut stream = Rows {
            rows: table.reshape((seeds, positions * v, d))?,
            first: 0,
            batch,
            by_token: Some(v),
        };
        for layer in 0..shape.n_layers {
            // Nothing reads the last layer before the first position that is read.
            let first = if layer + 1 == shape.n_layers {
                batch.first
            } else {
                0
            };
            let name = |part: &str| format!("blocks.{layer}.{part}");
            let attended = self.attention(shape, &stream, first, &name)?;
            let mut rows = (stream.from(first)?.of_inputs()? + attended)?;
            if shape.d_mlp.is_some() {
                let read = self.normal(shape, &rows, &name("ln2"))?;
                let neurons = self.linear(&read, &name("mlp.W_in"), &name("mlp.b_in"))?;
                let neurons = neurons.relu()?;
                rows = (rows + self.linear(&neurons, &name("mlp.W_out"), &name("mlp.b_out"))?)?;
            }
            stream = Rows {
                rows,
                first,
                batch,
                by_token: None,
            };
        }
        let read = self.normal(shape, &stream.rows, "ln_final")?;
        self.linear(&read, "unembed.W_U", "unembed.b_U")
    }

    /// What the heads of a layer add at the positions from `first` on: `seeds × inputs·positions × d_model`.
    fn attention(
        &self,
        shape: &Shape,
        stream: &Rows<'_>,
        first: usize,
        name: &impl Fn(&str) -> String,
    ) -> Result<Tensor> {
        let read = stream.with(self.normal(shape, &stream.rows, &name("ln1"))?);
        let heads = |rows: &Rows<'_>, part: char| {
            let (weights, bias) = (format!("attn.W_{part}"), format!("attn.b_{part}"));
            let rows = rows.with(self.linear(&rows.rows, &name(&weights), &name(&bias))?);
            rows.of_heads(shape.n_heads)
        };
        let (keys, values) = (heads(&read, 'K')?, heads(&read, 'V')?);
        let rate = double(shape.attention_rate);
        let (all, n_heads, positions, _) = keys.dims4()?;
        let queried = positions - first;
        let uniform = rate / shape.n_ctx as f64;
        let pattern = if rate == 1.0 {
            let ones = (all, n_heads, queried, positions);
            (Tensor::ones(ones, keys.dtype(), keys.device())? * uniform)?
        } else {
            let queries = heads(&read.from(first)?, 'Q')?;
            let scale = match shape.scale {
                Scale::SqrtDHead => (shape.d_head as f64).sqrt().recip(),
                Scale::One => 1.0,
            };
            let mut scores = (queries.matmul(&keys.transpose(2, 3)?)? * scale)?;
            if queried > 1 {
                scores = scores.broadcast_add(&later(first, positions, &scores)?)?;
            }
            let pattern = softmax(&scores, 3)?;
            if rate == 0.0 {
                pattern
            } else {
                pattern.affine(1.0 - rate, uniform)?
            }
        };
        let read = pattern.matmul(&values)?.transpose(1, 2)?.contiguous()?;
        let seeds = stream.rows.dims()[0];
        let read = read.reshape((seeds, all / seeds * queried, n_heads * shape.d_head))?;
        self.linear(&read, &name("attn.W_O"), &name("attn.b_O"))
    }

    /// Each network's mean cross-entropy over what is read, in nats, in float64.
    pub(super) fn losses(&self, batch: &Batch) -> Result<Tensor> {
        let logits = self.logits(batch)?.to_dtype(DType::F64)?;
        let losses = log_softmax(&logits, 2)?.gather(&batch.answers, 2)?.neg()?;
        match &batch.read {
            None => losses.mean((1, 2)),
            Some(read) => (losses * read)?.sum((1, 2))? / read.sum((1, 2))?,
        }
    }

    /// Of each network, how many answers are right, strictly above every other, and how many are read.
    pub(super) fn right(&self, batch: &Batch) -> Result<Vec<Evaluated>> {
        let logits = self.logits(batch)?;
        let own = logits.gather(&batch.answers, 2)?;
        let rivals = logits.broadcast_ge(&own)?.to_dtype(DType::U32)?;
        let right = rivals.sum_keepdim(2)?.eq(1_u32)?.to_dtype(DType::F64)?;
        let (right, read) = match &batch.read {
            None => (right.clone(), right.ones_like()?),
            Some(read) => ((right * read)?, read.clone()),
        };
        let count = |rows: Tensor| rows.sum((1, 2))?.to_vec1::<f64>();
        let evaluated = |(correct, total): (f64, f64)| Evaluated {
            correct: correct as u64,
            total: total as u64,
        };
        let pairs = count(right)?.into_iter().zip(count(read)?);
        Ok(pairs.map(evaluated).collect())
    }
}

/// −∞ where a key is later than a query, else 0: `queries × keys`, of the queries from `first` on.
fn later(first: usize, positions: usize, like: &Tensor) -> Result<Tensor> {
    let mask = (first..positions).flat_map(|query| {
        (0..positions).map(move |key| if key > query { f32::NEG_INFINITY } else { 0.0 })
    });
    let mask = Tensor::from_iter(mask, like.device())?;
    mask.reshape((positions - first, positions))?
        .to_dtype(like.dtype())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn a_card_picks_the_same_rows_with_the_same_gradients() {
        let cpu = Device::Cpu;
        let table = Var::from_tensor(&Tensor::arange(0_f32, 24.0, &cpu).unwrap()).unwrap();
        let at = Tensor::from_vec(vec![2_u32, 0, 2, 1, 3, 3], (2, 3), &cpu).unwrap();
        let found = [one_by_one, all_together].map(|pick: fn(&Tensor, &Tensor) -> _| {
            let rows = pick(&table.reshape((2, 4, 3)).unwrap(), &at).unwrap();
            let gradients = rows.sqr().unwrap().sum_all().unwrap().backward().unwrap();
            let numbers = |tensor: &Tensor| {
                let flat = tensor.flatten_all().unwrap();
                flat.to_vec1::<f32>().unwrap()
            };
            (numbers(&rows), numbers(gradients.get(&table).unwrap()))
        });
        assert_eq!(found[0], found[1]);
        assert_eq!(found[0].0[..3], [6.0, 7.0, 8.0]);
        // Row 2 of the first table is picked twice: 2 · 2 · 6.
        assert_eq!(found[0].1[6], 24.0);
    }
}
