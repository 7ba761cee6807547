//! The first layer's attention: what depends on tokens and positions alone, once.

use super::tail::{Affine, Normalise};
use crate::checker::arithmetic::Enclosure;
use crate::checker::factors::enclose;
use crate::checker::meter::{Kind, Meter};
use crate::checker::product::{Product, stack};
use crate::model::{Head, Layer, Matrix, Scale, Shape, Transformer};
use crate::refusal::{Decline, Refusal};

/// The most entries of a table.
const MOST_ENTRIES: usize = 1 << 22;

/// Is a table of so many entries small enough?
fn fits(entries: usize) -> Result<(), Refusal> {
    if entries > MOST_ENTRIES {
        let what = "a table of rule exhaustive, in entries";
        return Err(Decline::too_large(what, MOST_ENTRIES, entries).into());
    }
    Ok(())
}

/// The rows that a layer's attention reads: the residual stream of every token at every position.
pub(super) struct Stream<R> {
    /// W_E above W_pos, or every token at every position, position by position.
    rows: Matrix<R>,
    /// Are token and position apart?
    apart: bool,
    d_vocab: usize,
    n_ctx: usize,
}

impl<R: Enclosure> Stream<R> {
    /// The stream itself.
    pub(super) fn raw(model: &Transformer) -> Self {
        let (w_e, w_pos) = (enclose(&model.w_e), enclose(&model.w_pos));
        Self {
            rows: stack(&w_e, &w_pos),
            apart: true,
            d_vocab: model.shape.d_vocab,
            n_ctx: model.shape.n_ctx,
        }
    }

    /// What the first layer's attention makes of it: the same, or normalised.
    pub(super) fn read(model: &Transformer, layer: &Layer, meter: &Meter) -> Result<Self, Refusal> {
        let raw = Self::raw(model);
        let Some(norm) = &layer.ln1 else {
            return Ok(raw);
        };
        let d = model.shape.d_model;
        let norm = Normalise::new(norm, d);
        fits(raw.n_ctx * raw.d_vocab * d)?;
        let sums = raw.sums(&raw.rows, meter)?;
        let rows = sums.iter_rows().flat_map(|row| norm.of(row, meter));
        Ok(Self {
            rows: Matrix::new(d, rows.collect(), R::everything()),
            apart: false,
            ..raw
        })
    }

    /// The rows times matrices, one after the other, for every token at every position: row `p · d_vocab + t`.
    ///
    /// # Errors
    /// [`Decline::Work`]; [`Decline::TooLarge`].
    pub(super) fn times(&self, chain: &[&Affine<R>], kind: Kind, meter: &Meter) -> Product<R> {
        // While token and position are apart, what is between the first map and the last is as small as they are.
        let between = if self.apart {
            chain.len().saturating_sub(1)
        } else {
            0
        };
        let widths = chain.iter().skip(between).map(|map| map.constant.len());
        fits(self.n_ctx * self.d_vocab * widths.max().unwrap_or(0))?;
        let mut table = self.rows.clone();
        // Constants are added to the rows of tokens, and so once to every sum with a position's.
        let rows = if self.apart { self.d_vocab } else { usize::MAX };
        for map in chain {
            table = map.of_rows(&table, rows, kind, meter)?;
        }
        if self.apart {
            self.sums(&table, meter)
        } else {
            Ok(table)
        }
    }

    /// Rows of tokens plus rows of positions.
    fn sums(&self, table: &Matrix<R>, meter: &Meter) -> Product<R> {
        let (v, n) = (self.d_vocab, self.n_ctx);
        meter.spend(Kind::Logits, n * v * table.cols())?;
        let entry = |row: usize, col| table.at(row % v, col).add(table.at(v + row / v, col));
        Ok(Matrix::from_fn(n * v, table.cols(), R::everything(), entry))
    }
}

/// One head of a layer, as maps of the rows that attention reads.
pub(super) struct Maps<R> {
    /// The query map over the scale, to `d_head` numbers.
    pub(super) query: Affine<R>,
    /// The key map. Its constants would add the same to all scores of a query, which softmax drops.
    pub(super) key: Affine<R>,
    /// The value map, to `d_head` numbers.
    pub(super) value: Affine<R>,
    /// W_O, from there to the residual stream.
    pub(super) output: Affine<R>,
}

impl<R: Enclosure> Maps<R> {
    /// The maps of a head; the layer norm's gain and bias join them.
    ///
    /// # Errors
    /// [`Decline::Work`].
    pub(super) fn new(
        shape: &Shape,
        layer: &Layer,
        head: &Head,
        meter: &Meter,
    ) -> Result<Self, Refusal> {
        let norm = layer.ln1.as_ref();
        let mut query = Affine::<R>::new(&head.w_q, &head.b_q).after(norm, meter)?;
        if shape.scale == Scale::SqrtDHead {
            let width = i64::try_from(shape.d_head).unwrap_or(0);
            let scale = R::dyadic(width, 0).inverse_sqrt();
            meter.add(Kind::Attention, (query.map.rows() + 1) * shape.d_head);
            let scaled = |entry: &R| entry.mul(&scale);
            query = Affine {
                constant: query.constant.iter().map(scaled).collect(),
                map: query.map.map(R::everything(), scaled),
            };
        }
        Ok(Self {
            query,
            key: Affine::linear(Affine::new(&head.w_k, &head.b_k).after(norm, meter)?.map),
            value: Affine::new(&head.w_v, &head.b_v).after(norm, meter)?,
            output: Affine::linear(enclose(&head.w_o)),
        })
    }
}

/// The first layer's tables; row `p · d_vocab + t` is of token t at position p.
pub(super) struct Tables<R> {
    /// By head.
    pub(super) heads: Vec<HeadTables<R>>,
    /// The columns of the residual stream less attention: `(r + b_O) · behind`.
    pub(super) direct: Matrix<R>,
}

/// The tables of one head.
pub(super) struct HeadTables<R> {
    /// Queries over the scale.
    pub(super) queries: Matrix<R>,
    /// Keys.
    pub(super) keys: Matrix<R>,
    /// What the head adds to the columns where it attends.
    pub(super) values: Matrix<R>,
}

impl<R: Enclosure> Tables<R> {
    /// The tables of the first layer for columns of the residual stream behind its attention.
    ///
    /// # Errors
    /// [`Decline::Work`]; [`Decline::TooLarge`].
    pub(super) fn new(
        model: &Transformer,
        behind: &Affine<R>,
        meter: &Meter,
    ) -> Result<Self, Refusal> {
        let Some(layer) = model.layers.first() else {
            return Err(Decline::too_large("no layers", 0, 0).into());
        };
        let stream = Stream::read(model, layer, meter)?;
        let linear = Affine::linear(behind.map.clone());
        let tables = |head| -> Result<HeadTables<R>, Refusal> {
            let maps = Maps::new(&model.shape, layer, head, meter)?;
            let values = [&maps.value, &maps.output, &linear];
            Ok(HeadTables {
                queries: stream.times(&[&maps.query], Kind::Attention, meter)?,
                keys: stream.times(&[&maps.key], Kind::Attention, meter)?,
                values: stream.times(&values, Kind::Logits, meter)?,
            })
        };
        let heads = layer.heads.iter().map(tables).collect::<Result<_, _>>()?;
        let direct = behind.after_bias(&layer.b_o, meter)?;
        let direct = Stream::raw(model).times(&[&direct], Kind::Logits, meter)?;
        Ok(Self { heads, direct })
    }
}
