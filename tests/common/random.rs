//! Random choices by seed, and random models of every kind that has broken a checker or might.
//!
//! Cases are named by a seed instead of being shrunk: the models are tiny already, and hints depend on their sizes.

use super::Model;

/// SplitMix64.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xd134_2543_de82_ef95))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `least` to `most`, both included.
    pub(crate) fn within(&mut self, least: usize, most: usize) -> usize {
        least + usize::try_from(self.next() % u64::try_from(most - least + 1).unwrap()).unwrap()
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.within(1, times) == 1
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.within(0, from.len() - 1)]
    }

    pub(crate) fn shuffled(&mut self, mut items: Vec<usize>) -> Vec<usize> {
        for i in (1..items.len()).rev() {
            let j = self.within(0, i);
            items.swap(i, j);
        }
        items
    }

    /// In (−1, 1), with a full mantissa.
    pub(crate) fn unit(&mut self) -> f32 {
        let magnitude = self.within(0, (1 << 24) - 1) as f32 / 16_777_216.0;
        if self.once_in(2) {
            magnitude
        } else {
            -magnitude
        }
    }
}

/// Kinds of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Solves the task, up to noise.
    Trained,
    /// Below one in size.
    Normal,
    /// Small integers: equal rows, equal scores, exact ties.
    Ties,
    /// Up to 2^60: tables leave the range of fixed point.
    Huge,
    /// About 2^-60: weights are below the resolution of fixed point.
    Tiny,
    /// Every tensor at a scale of its own.
    Mixed,
    /// All zero.
    Zero,
}

impl Kind {
    /// No rounding of fixed point decides anything.
    pub(crate) fn is_plain(self) -> bool {
        matches!(self, Self::Trained | Self::Normal | Self::Zero)
    }

    fn scale(self, random: &mut Random) -> f32 {
        match self {
            Self::Huge => random.pick(&[1.0, 64.0, 2_f32.powi(20), 2_f32.powi(40), 2_f32.powi(60)]),
            Self::Tiny => random.pick(&[2_f32.powi(-60), 2_f32.powi(-24), 2_f32.powi(-140)]),
            Self::Mixed => random.pick(&[
                2_f32.powi(-60),
                2_f32.powi(-30),
                0.5,
                2.0,
                64.0,
                2_f32.powi(30),
            ]),
            Self::Zero => 0.0,
            Self::Trained | Self::Normal | Self::Ties => 1.0,
        }
    }
}

/// A model of 2-6 tokens, 2-4 positions, width and head 1-4.
pub(crate) fn random_model(random: &mut Random) -> (Kind, Model) {
    use Kind::{Huge, Mixed, Normal, Ties, Tiny, Trained, Zero};
    let kind = random.pick(&[
        Trained, Trained, Trained, Normal, Normal, Ties, Ties, Huge, Tiny, Mixed, Mixed,
    ]);
    let kind = if random.once_in(60) { Zero } else { kind };
    let n = random.within(2, 4);
    let v = random.within(2, [6, 5, 4][n - 2]);
    let mut model = Model::zero(
        v,
        n,
        random.within(if kind == Trained { 2 } else { 1 }, 4),
        random.within(1, 4),
    );
    model.use_attn_scale = random.once_in(2);
    let noise = if kind == Trained {
        random.pick(&[0.0, 0.05, 0.2, 0.4])
    } else {
        1.0
    };
    for (name, _) in model.shapes() {
        // Biases are zero in published models, and skipped then.
        let zero = name.contains(".b_") && random.once_in(3);
        let scale = if zero {
            0.0
        } else {
            noise * kind.scale(random)
        };
        for weight in model.tensors.get_mut(name).unwrap() {
            *weight = scale
                * if kind == Ties {
                    random.pick(&[-1.0, 0.0, 0.0, 1.0])
                } else {
                    random.unit()
                };
        }
    }
    if kind == Trained {
        solve(random, &mut model);
    }
    if random.once_in(4) {
        equal_rows(random, &mut model);
    }
    (kind, model)
}

/// Adds weights that attend to large tokens and answer with the nearest to the weighted mean.
fn solve(random: &mut Random, model: &mut Model) {
    let (v, d, h) = (model.d_vocab, model.d_model, model.d_head);
    let (attention, gain) = (random.pick(&[1.0, 2.0, 4.0]), random.pick(&[1.0, 4.0]));
    let mut add =
        |name: &str, index: usize, value: f32| model.tensors.get_mut(name).unwrap()[index] += value;
    for t in 0..v {
        let token = t as f32;
        add("embed.W_E", t * d, token);
        add("unembed.W_U", v + t, gain * token);
        add("unembed.b_U", t, -gain * token * token / 2.0);
    }
    add("blocks.0.attn.b_Q", 0, attention * (h as f32).sqrt());
    add("blocks.0.attn.W_K", 0, 1.0);
    add("blocks.0.attn.W_V", 0, 1.0);
    add("blocks.0.attn.W_O", 1, 1.0);
}

/// Makes two tokens, positions or answers alike.
fn equal_rows(random: &mut Random, model: &mut Model) {
    let (v, d) = (model.d_vocab, model.d_model);
    let (from, to) = (random.within(0, v - 1), random.within(0, v - 1));
    if random.once_in(2) {
        model
            .tensors
            .get_mut("embed.W_E")
            .unwrap()
            .copy_within(from * d..(from + 1) * d, to * d);
        return;
    }
    let unembed = model.tensors.get_mut("unembed.W_U").unwrap();
    for row in unembed.chunks_mut(v) {
        row[to] = row[from];
    }
    model
        .tensors
        .get_mut("unembed.b_U")
        .unwrap()
        .copy_within(from..=from, to);
}
