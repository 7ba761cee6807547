//! Rule `exhaustive`, several layers: prefix by prefix, each position through all layers once.
//!
//! **Statement** (theorems `features_below`, `exhaustive_counts`). Of a position, a layer's attention reads *features*: keys,
//! values (what the head adds to the columns where it attends), and at the position itself queries and the residual stream's
//! own columns. A prefix's features are those of every input that begins with it. The columns of a layer are what is behind
//! it: of the last layer those of `tail.rs`; of another the next layer's features, where these are linear in the residual
//! stream and that is shorter; else the residual stream.
//! **Why.** Attention is causal; what is linear may be multiplied out.
//! **Cost.** For every head, position attended to and column two operations, and a score; the last layer's queries at
//! read-outs only.

use super::Found;
use super::heads::{HeadTables, Maps, Tables};
use super::tail::{Affine, Dense, Neurons, Normalise, Tail, beside};
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::{Kind, Meter};
use crate::checker::run::{Run, in_order};
use crate::model::{Layer, Matrix, Shape, Transformer};
use crate::refusal::{Decline, Refusal};
use crate::task::Task;

/// The most pairs of a token at a position with another, of all heads.
const MOST_PAIRS: usize = 1 << 22;

/// A layer behind the first.
struct Above<R> {
    /// How the columns below become the residual stream.
    below: Below<R>,
    heads: usize,
    d_head: usize,
    /// The number of columns behind this layer's attention.
    width: usize,
}

/// What a layer's attention reads of one position: for every head a key, for every head a value; for every head a query,
/// and the residual stream's columns behind this attention, without it. Of a position that is only attended to, in the last
/// layer, the first two.
type Features<R> = Vec<R>;

/// What the columns of the layer below are.
enum Below<R> {
    /// This layer's features, in the order of [`Features`].
    Linear,
    /// The residual stream before that layer's MLP.
    Stream(Box<Stream<R>>),
}

/// How the residual stream before a layer's MLP becomes the next layer's features.
struct Stream<R> {
    neurons: Option<Neurons<R>>,
    norm: Option<Normalise<R>>,
    /// Keys, values and queries of what attention reads.
    read: Dense<R>,
    /// The direct columns of the residual stream.
    direct: Dense<R>,
}

struct Walk<'a, R> {
    task: &'a dyn Task,
    tail: &'a Tail<R>,
    d_vocab: usize,
    tables: Tables<R>,
    /// By head, then row of the query and of the key: exponentials of the scores of the first layer.
    weights: Vec<Matrix<(R, i32)>>,
    above: Vec<Above<R>>,
}

/// The whole walk.
///
/// # Errors
/// [`Decline::Work`]; [`Decline::TooLarge`].
pub(super) fn walk<R: Enclosure>(
    model: &Transformer,
    task: &dyn Task,
    tail: &Tail<R>,
    run: &Run<'_, R>,
) -> Result<Found, Refusal> {
    let meter = run.meter;
    let mut above = Vec::new();
    let mut behind = tail.columns.clone();
    for pair in model.layers.windows(2).rev() {
        let [below, layer] = pair else { continue };
        let (step, columns) = Above::new(&model.shape, below, layer, &behind, meter)?;
        above.push(step);
        behind = columns;
    }
    above.reverse();
    let tables = Tables::new(model, &behind, meter)?;
    let weights = weights(&model.shape, &tables, meter)?;
    let walk = Walk {
        task,
        tail,
        d_vocab: model.shape.d_vocab,
        tables,
        weights,
        above,
    };
    let below = |first: usize, meter: &Meter| {
        let (mut prefix, mut path, mut found) = (vec![], vec![], Found::default());
        walk.child(&mut prefix, &mut path, first, &mut found, meter)?;
        Ok(found)
    };
    let mut found = Found::default();
    for part in in_order(task.next(&[]).iter().collect(), meter, run.options, below)? {
        found.add(part);
    }
    Ok(found)
}

/// The exponentials of the first layer's scores.
fn weights<R: Enclosure>(
    shape: &Shape,
    tables: &Tables<R>,
    meter: &Meter,
) -> Result<Vec<Matrix<(R, i32)>>, Refusal> {
    let rows = tables.direct.rows();
    let pairs = rows.saturating_mul(rows).saturating_mul(shape.n_heads);
    if pairs > MOST_PAIRS {
        let what = "the first layer's scores, in entries";
        return Err(Decline::too_large(what, MOST_PAIRS, pairs).into());
    }
    let causal = shape.d_vocab * shape.d_vocab * shape.n_ctx * (shape.n_ctx + 1) / 2;
    let outside = || (R::everything(), 0);
    let exponentials = |head: &HeadTables<R>| {
        meter.spend(Kind::Attention, causal * (2 * head.keys.cols() - 1))?;
        meter.spend(Kind::Weights, causal)?;
        Ok(Matrix::from_fn(rows, rows, outside(), |query, key| {
            if key / shape.d_vocab > query / shape.d_vocab {
                return outside();
            }
            let keys = head.keys.row(key);
            R::dot(head.queries.row(query).iter().zip(keys)).exp()
        }))
    };
    tables.heads.iter().map(exponentials).collect()
}

impl<R: Enclosure> Above<R> {
    /// The layer on top of `below`, and the columns behind `below`'s attention that it asks for.
    fn new(
        shape: &Shape,
        below: &Layer,
        layer: &Layer,
        behind: &Affine<R>,
        meter: &Meter,
    ) -> Result<(Self, Affine<R>), Refusal> {
        let (d, width) = (shape.d_model, behind.constant.len());
        let mut parts: [Vec<Affine<R>>; 3] = Default::default();
        let linear = Affine::linear(behind.map.clone());
        for head in &layer.heads {
            let maps = Maps::new(shape, layer, head, meter)?;
            let value = maps.value.then(&maps.output, meter)?;
            let value = value.then(&linear, meter)?;
            for (part, map) in parts.iter_mut().zip([maps.key, value, maps.query]) {
                part.push(map);
            }
        }
        let direct = behind.after_bias(&layer.b_o, meter)?;
        let join = |left: Affine<R>, right: Affine<R>| Affine {
            map: beside(&left.map, &right.map),
            constant: [left.constant, right.constant].concat(),
        };
        let read = parts.into_iter().flatten().reduce(join);
        let read = read.unwrap_or_else(|| Affine::identity(d));
        let step = |below| Self {
            below,
            heads: shape.n_heads,
            d_head: shape.d_head,
            width,
        };
        let columns = read.constant.len() + width;
        // Both ways for one position: all columns of every value, or the stream of every value and then the columns.
        let attended = shape.n_heads * shape.n_ctx;
        let is_shorter = attended * columns < attended * d + d * columns;
        if below.mlp.is_none() && layer.ln1.is_none() && is_shorter {
            return Ok((step(Below::Linear), join(read, direct)));
        }
        let neurons = below.mlp.as_ref();
        let stream = Stream {
            neurons: neurons.map(|mlp| Neurons::new(mlp, meter)).transpose()?,
            norm: layer.ln1.as_ref().map(|norm| Normalise::new(norm, d)),
            read: read.dense(),
            direct: direct.dense(),
        };
        let below = Below::Stream(Box::new(stream));
        Ok((step(below), Affine::identity(d)))
    }

    /// The number of features, or of those of a position that is only attended to.
    fn length(&self, is_read: bool) -> usize {
        let attended = self.heads * (self.d_head + self.width);
        attended + usize::from(is_read) * (self.heads * self.d_head + self.width)
    }

    /// The number of columns below that these come from.
    fn asks(&self, is_read: bool) -> usize {
        match &self.below {
            Below::Linear => self.length(is_read),
            Below::Stream(_) => usize::MAX,
        }
    }

    /// The features of a position from the columns of the layer below.
    fn features(&self, columns: Vec<R>, meter: &Meter) -> Result<Features<R>, Refusal> {
        let Below::Stream(below) = &self.below else {
            return Ok(columns);
        };
        let Stream {
            neurons,
            norm,
            read,
            direct,
        } = below.as_ref();
        let stream = match neurons {
            Some(neurons) => neurons.of(&columns, meter)?,
            None => columns,
        };
        let normalised = norm.as_ref().map(|norm| norm.of(&stream, meter));
        let mut all = read.of(normalised.as_ref().unwrap_or(&stream), meter)?;
        all.extend(direct.of(&stream, meter)?);
        Ok(all)
    }

    /// The columns behind this layer's attention at the last of these positions, so many of them.
    fn columns(
        &self,
        path: &[&Features<R>],
        most: usize,
        meter: &Meter,
    ) -> Result<Vec<R>, Refusal> {
        let Some(own) = path.last() else {
            return Ok(vec![]);
        };
        let (heads, h, width) = (self.heads, self.d_head, self.width);
        let most = most.min(width);
        // What is not there makes columns that are too few: they prove nothing.
        let part = |at: &'_ Features<R>, start: usize, length: usize| {
            at.get(start..start + length).unwrap_or(&[]).to_vec()
        };
        let mut columns = part(own, heads * (2 * h + width), most);
        for head in 0..heads {
            meter.spend(Kind::Attention, path.len() * (2 * h - 1))?;
            meter.spend(Kind::Weights, path.len())?;
            let query = part(own, heads * (h + width) + head * h, h);
            let weight = |at: &&Features<R>| {
                let key = at.iter().skip(head * h).take(h);
                R::dot(query.iter().zip(key)).exp()
            };
            let start = heads * h + head * width;
            let values = path
                .iter()
                .map(|at| at.get(start..start + width).unwrap_or(&[]));
            attend(
                &mut columns,
                path.iter().map(weight).collect(),
                values,
                meter,
            )?;
        }
        Ok(columns)
    }
}

/// Adds the average of the values, with these exponentials of the scores as weights.
fn attend<'v, R: Enclosure + 'v>(
    columns: &mut [R],
    weights: Vec<(R, i32)>,
    values: impl Iterator<Item = &'v [R]>,
    meter: &Meter,
) -> Result<(), Refusal> {
    let most = weights.iter().map(|(_, k)| *k).max().unwrap_or(0);
    let one = R::dyadic(1, 0);
    // Powers of two: a change of unit, not an operation.
    let scaled = |(y, k): &(R, i32)| y.mul_scaled(&one, k.saturating_sub(most));
    let weights: Vec<R> = weights.iter().map(scaled).collect();
    meter.add(Kind::Weights, 2 * weights.len());
    let total = weights.iter().skip(1).fold(
        weights.first().cloned().unwrap_or_else(R::everything),
        |sum, weight| sum.add(weight),
    );
    let share = total.inverse();
    let mut rows = Vec::with_capacity(weights.len());
    for (weight, value) in weights.iter().zip(values) {
        rows.push((weight.mul(&share), value));
    }
    meter.spend(Kind::Terms, 2 * rows.len() * columns.len())?;
    let everything = R::everything();
    for (index, column) in columns.iter_mut().enumerate() {
        let pairs = rows
            .iter()
            .map(|(weight, value)| (weight, value.get(index).unwrap_or(&everything)));
        *column = column.add(&R::dot(pairs));
    }
    Ok(())
}

impl<R: Enclosure> Walk<'_, R> {
    /// All inputs that go on with this token: how many there are. `path` has the features above the first layer of every
    /// position, and its row in the tables.
    fn child(
        &self,
        prefix: &mut Vec<usize>,
        path: &mut Vec<(usize, Vec<Features<R>>)>,
        token: usize,
        found: &mut Found,
        meter: &Meter,
    ) -> Result<u128, Refusal> {
        let position = prefix.len();
        prefix.push(token);
        let next = match position + 1 < self.task.n_ctx() {
            true => Some(self.task.next(prefix)),
            false => None,
        };
        let answer = self.task.answer(prefix);
        let dead = next.as_ref().is_some_and(|next| next.is_empty());
        let mut inputs = u128::from(next.is_none());
        if !dead && (answer.is_some() || next.is_some()) {
            path.push((position * self.d_vocab + token, vec![]));
            let columns = self.evaluate(path, answer.is_some(), meter)?;
            for token in next.iter().flat_map(|next| next.iter()) {
                let below = self.child(prefix, path, token, found, meter)?;
                inputs = inputs.saturating_add(below);
            }
            if let (Some(right), true) = (answer, inputs > 0) {
                let answer = self.tail.answer(&columns, None, right, meter)?;
                found.count(answer, inputs);
            }
            path.pop();
        }
        prefix.pop();
        Ok(inputs)
    }

    /// Puts the features of the last position of the path there; the last layer's columns, if they are asked for.
    fn evaluate(
        &self,
        path: &mut [(usize, Vec<Features<R>>)],
        is_read: bool,
        meter: &Meter,
    ) -> Result<Vec<R>, Refusal> {
        // Of the last layer, a position that is only attended to has no query.
        let last = self.above.len();
        let asks = |index: usize| match self.above.get(index) {
            Some(layer) => layer.asks(is_read || index + 1 < last),
            None => usize::MAX,
        };
        let mut columns = self.first(path, asks(0), meter)?;
        for (index, layer) in self.above.iter().enumerate() {
            let features = layer.features(std::mem::take(&mut columns), meter)?;
            if let Some((_, own)) = path.last_mut() {
                own.push(features);
            }
            if index + 1 < last || is_read {
                let at = path.iter().filter_map(|(_, layers)| layers.get(index));
                columns = layer.columns(&at.collect::<Vec<_>>(), asks(index + 1), meter)?;
            }
        }
        Ok(columns)
    }

    /// The columns behind the first layer's attention, so many of them.
    fn first(
        &self,
        path: &[(usize, Vec<Features<R>>)],
        most: usize,
        meter: &Meter,
    ) -> Result<Vec<R>, Refusal> {
        let Some((own, _)) = path.last() else {
            return Ok(vec![]);
        };
        let direct = self.tables.direct.row(*own);
        let mut columns = direct.get(..most).unwrap_or(direct).to_vec();
        for (head, weights) in self.tables.heads.iter().zip(&self.weights) {
            let exponentials = path.iter().map(|(row, _)| weights.at(*own, *row).clone());
            let values = path.iter().map(|(row, _)| head.values.row(*row));
            attend(&mut columns, exponentials.collect(), values, meter)?;
        }
        Ok(columns)
    }
}
