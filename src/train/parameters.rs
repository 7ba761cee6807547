//! The tensors of a recipe's networks: their names, shapes, and how they begin.

use super::recipe::{Architecture, Biases, Normalization, Recipe};

/// A tensor of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name in the file.
    pub name: String,
    /// Its shape there.
    pub shape: Vec<usize>,
    /// How many numbers are added up.
    pub(super) fan_in: usize,
    /// What all entries begin at; they are drawn if there is no such number.
    pub(super) start: Option<f32>,
    /// It is trained; else it stays as it begins.
    pub(super) trained: bool,
}

impl Parameter {
    fn weights(name: &str, shape: &[usize], fan_in: usize) -> Self {
        Self {
            name: name.to_owned(),
            shape: shape.to_vec(),
            fan_in,
            start: None,
            trained: true,
        }
    }

    /// How many entries it has.
    pub(super) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// TransformerLens's fan-in: of a matrix the first axis, of a tensor with a head's matrices their first.
    pub(super) fn first_axis(&self) -> usize {
        let axis = self.shape.len().saturating_sub(2);
        self.shape[axis]
    }
}

impl Recipe {
    /// The tensors, in the order in which they are drawn.
    pub(super) fn parameters(&self) -> Vec<Parameter> {
        let Self {
            n_ctx,
            d_vocab,
            d_vocab_out,
            n_layers,
            n_heads,
            d_model: d,
            d_head,
            d_mlp,
            ..
        } = *self;
        if self.architecture == Architecture::TwoEmbeddings {
            return vec![
                Parameter::weights("embedding_left", &[d_vocab, d], d),
                Parameter::weights("embedding_right", &[d_vocab, d], d),
                Parameter::weights("linear_left", &[d, d_mlp], d),
                Parameter::weights("linear_right", &[d, d_mlp], d),
                Parameter::weights("unembedding", &[d_mlp, d_vocab_out], d_mlp),
                self.bias("unembed_bias", &[d_vocab_out]),
            ];
        }
        let mut all = vec![
            Parameter::weights("embed.W_E", &[d_vocab, d], d),
            Parameter::weights("pos_embed.W_pos", &[n_ctx, d], d),
        ];
        let norm = |name: &str| {
            let part = |part: &str, start: f32| Parameter {
                start: Some(start),
                ..Parameter::weights(&format!("{name}.{part}"), &[d], d)
            };
            let affine = self.normalization_type == Normalization::LN;
            let parts = [part("w", 1.0), part("b", 0.0)];
            parts.into_iter().filter(move |_| affine)
        };
        for layer in 0..n_layers {
            let name = |part: &str| format!("blocks.{layer}.{part}");
            for part in ["attn.W_Q", "attn.W_K", "attn.W_V"] {
                all.push(Parameter::weights(&name(part), &[n_heads, d, d_head], d));
            }
            let inner = [n_heads, d_head, d];
            all.push(Parameter::weights(
                &name("attn.W_O"),
                &inner,
                n_heads * d_head,
            ));
            for part in ["attn.b_Q", "attn.b_K", "attn.b_V"] {
                all.push(self.bias(&name(part), &[n_heads, d_head]));
            }
            all.push(self.bias(&name("attn.b_O"), &[d]));
            all.extend(norm(&name("ln1")));
            if d_mlp > 0 {
                all.push(Parameter::weights(&name("mlp.W_in"), &[d, d_mlp], d));
                all.push(self.bias(&name("mlp.b_in"), &[d_mlp]));
                all.push(Parameter::weights(&name("mlp.W_out"), &[d_mlp, d], d_mlp));
                all.push(self.bias(&name("mlp.b_out"), &[d]));
                all.extend(norm(&name("ln2")));
            }
        }
        all.extend(norm("ln_final"));
        all.push(Parameter::weights("unembed.W_U", &[d, d_vocab_out], d));
        all.push(self.bias("unembed.b_U", &[d_vocab_out]));
        all
    }

    fn bias(&self, name: &str, shape: &[usize]) -> Parameter {
        let trained = match self.trained_biases {
            Biases::None => false,
            Biases::Mlp => name.contains(".mlp."),
            Biases::All => true,
        };
        Parameter {
            start: Some(0.0),
            trained,
            ..Parameter::weights(name, shape, 1)
        }
    }
}
