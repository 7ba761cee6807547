//! How much later heads read of what earlier ones write (Elhage et al. 2021, "A Mathematical Framework for Transformer
//! Circuits").

use super::tables::doubles;
use crate::model::{Head, Transformer};
use nalgebra::DMatrix;
use serde::Serialize;

/// The composition of every pair of heads in different layers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compositions {
    /// 1/√d_model: the root mean square of a score if one of the two circuits is turned at random.
    pub random: f64,
    /// Earlier heads first, for each the later ones.
    pub pairs: Vec<Composition>,
}

/// The composition of two heads, from 0 to 1: ‖AB‖/(‖A‖‖B‖) with Frobenius norms, for A = W_OV of the earlier head and B of
/// the later; null where a norm is 0, or too large for a double. With W_OV = W_V W_O and W_QK = W_Q W_Kᵀ, `d_model × d_model`, between residual
/// streams: layer norms stand for the identity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Composition {
    /// Layer and head of the earlier one, from 0.
    pub from: [usize; 2],
    /// Layer and head of the later one, from 0.
    pub to: [usize; 2],
    /// Q-composition, into its queries: B = W_QK.
    pub q: Option<f64>,
    /// K-composition, into its keys: B = W_QKᵀ.
    pub k: Option<f64>,
    /// V-composition, into its values: B = W_OV.
    pub v: Option<f64>,
}

/// The weights of a head in doubles: `d_model × d_head`, W_O transposed.
struct Weights {
    place: [usize; 2],
    q: DMatrix<f64>,
    k: DMatrix<f64>,
    v: DMatrix<f64>,
    o: DMatrix<f64>,
}

impl Weights {
    fn new(place: [usize; 2], head: &Head) -> Self {
        Self {
            place,
            q: doubles(&head.w_q),
            k: doubles(&head.w_k),
            v: doubles(&head.w_v),
            o: doubles(&head.w_o).transpose(),
        }
    }
}

impl Compositions {
    /// None of a network with one layer.
    pub(super) fn new(model: &Transformer) -> Option<Self> {
        let layers = model.layers.iter().enumerate();
        let heads: Vec<Weights> = layers
            .flat_map(|(layer, parts)| {
                let heads = parts.heads.iter().enumerate();
                heads.map(move |(head, weights)| Weights::new([layer, head], weights))
            })
            .collect();
        let later = |from: &Weights| {
            let layer = from.place[0];
            let heads = heads.iter().filter(move |to| to.place[0] > layer);
            heads
                .map(|to| Composition::of(from, to))
                .collect::<Vec<_>>()
        };
        let pairs: Vec<Composition> = heads.iter().flat_map(later).collect();
        (!pairs.is_empty()).then(|| Self {
            random: (model.shape.d_model as f64).sqrt().recip(),
            pairs,
        })
    }
}

impl Composition {
    fn of(from: &Weights, to: &Weights) -> Self {
        let ov = norm(&from.v, &from.o);
        // V Oᵀ · read otherᵀ, from the left.
        let score = |read: &DMatrix<f64>, other: &DMatrix<f64>| {
            let composed = norm(&(&from.v * from.o.tr_mul(read)), other);
            let apart = ov * norm(read, other);
            Some(composed / apart).filter(|score| score.is_finite())
        };
        Self {
            from: from.place,
            to: to.place,
            q: score(&to.q, &to.k),
            k: score(&to.k, &to.q),
            v: score(&to.v, &to.o),
        }
    }

    /// The largest of its scores; 0 if it has none.
    pub(super) fn largest(&self) -> f64 {
        let scores = [self.q, self.k, self.v].into_iter().flatten();
        scores.fold(0.0, f64::max)
    }
}

/// ‖left · rightᵀ‖, of tables of equal widths: the root of tr(leftᵀ left · rightᵀ right).
fn norm(left: &DMatrix<f64>, right: &DMatrix<f64>) -> f64 {
    let square = left.tr_mul(left).dot(&right.tr_mul(right));
    square.max(0.0).sqrt()
}
