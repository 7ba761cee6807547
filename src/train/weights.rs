//! The weights of a group of networks: drawn, trained, and back in TransformerLens's shapes.

use super::parameters::Parameter;
use super::{Recipe, Start, stream};
use candle_core::{Device, Result, Tensor, Var};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// One tensor of a group of networks.
pub(super) struct Weights {
    parameter: Parameter,
    tensor: Tensor,
    /// It is trained.
    pub(super) variable: Option<Var>,
}

/// Freshly drawn weights.
pub(super) fn drawn(recipe: &Recipe, seeds: &[u64], device: &Device) -> Result<Vec<Weights>> {
    let mut streams: Vec<_> = seeds.iter().map(|seed| stream(*seed, 0)).collect();
    let parameters = recipe.parameters().into_iter();
    let draw = |parameter: Parameter| {
        let mut numbers = vec![];
        for random in &mut streams {
            numbers.extend(entries(recipe, &parameter, random));
        }
        let numbers = Tensor::from_vec(numbers, inside(&parameter, seeds.len()), device)?;
        let numbers = rearranged(&parameter, &numbers)?;
        let variable = parameter
            .trained
            .then(|| Var::from_tensor(&numbers))
            .transpose()?;
        Ok(Weights {
            tensor: match &variable {
                Some(variable) => variable.as_tensor().clone(),
                None => numbers,
            },
            parameter,
            variable,
        })
    };
    parameters.map(draw).collect()
}

/// The entries that a parameter begins with.
fn entries(recipe: &Recipe, parameter: &Parameter, random: &mut ChaCha8Rng) -> Vec<f32> {
    let len = parameter.len();
    if let Some(start) = parameter.start {
        return vec![start; len];
    }
    let deviation = match recipe.init_mode {
        Start::Gpt2 => recipe.initializer_range(),
        Start::FanIn => (parameter.fan_in as f64).sqrt().recip(),
        Start::KaimingUniform => {
            let most = (6.0 / parameter.first_axis() as f64).sqrt() as f32;
            return (0..len)
                .map(|_| random.random_range(-most..=most))
                .collect();
        }
    };
    let normal = |_| -> f32 { StandardNormal.sample(random) };
    let normal = (0..len).map(normal);
    normal.map(|number| deviation as f32 * number).collect()
}

/// The shape of a parameter as it is drawn, for so many seeds: matrices of heads with their heads.
fn inside(parameter: &Parameter, seeds: usize) -> Vec<usize> {
    std::iter::once(seeds)
        .chain(parameter.shape.iter().copied())
        .collect()
}

/// `seeds × rows × columns`, as [`Networks`] has it.
fn rearranged(parameter: &Parameter, drawn: &Tensor) -> Result<Tensor> {
    let seeds = drawn.dims()[0];
    match parameter.shape[..] {
        [heads, rows, columns] if has_heads_as_columns(parameter) => drawn
            .transpose(1, 2)?
            .contiguous()?
            .reshape((seeds, rows, heads * columns)),
        [heads, rows, columns] => drawn.reshape((seeds, heads * rows, columns)),
        [rows, columns] if parameter.start.is_none() => drawn.reshape((seeds, rows, columns)),
        _ => drawn.reshape((seeds, 1, parameter.len())),
    }
}

fn has_heads_as_columns(parameter: &Parameter) -> bool {
    !parameter.name.ends_with("W_O")
}

impl Weights {
    /// For [`Networks`]: a bias that stays zero is left out.
    pub(super) fn that_matters(&self) -> Option<(String, Tensor)> {
        let is_zero = self.variable.is_none() && self.parameter.start == Some(0.0);
        (!is_zero).then(|| (self.parameter.name.clone(), self.tensor.clone()))
    }

    /// Of one network.
    pub(super) fn of(&self, index: usize) -> Result<(Parameter, Vec<f32>)> {
        let (tensor, parameter) = (self.tensor.get(index)?, &self.parameter);
        let tensor = match parameter.shape[..] {
            [heads, rows, columns] if has_heads_as_columns(parameter) => {
                tensor.reshape((rows, heads, columns))?.transpose(0, 1)?
            }
            _ => tensor,
        };
        let entries = tensor.contiguous()?.flatten_all()?.to_vec1()?;
        Ok((parameter.clone(), entries))
    }
}
