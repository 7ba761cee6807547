//! A trained model's files: those that a user of TransformerLens would have, and the curve of the loss.

use super::{BETAS, EPS, Recipe, Trained};
use crate::model::Network;
use crate::output::{Pending, unwritable};
use crate::refusal::Refusal;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// A model's name, and that of its folder: what the recipe and the seed make of it.
pub fn name(recipe: &Recipe, seed: u64) -> String {
    format!("{}_seed{seed}", group(recipe))
}

/// The name that models share that differ in their seed only.
pub fn group(recipe: &Recipe) -> String {
    let Recipe {
        n_ctx,
        d_vocab,
        d_model,
        ..
    } = recipe;
    format!("max_of_{n_ctx}_v{d_vocab}_d{d_model}")
}

/// `config.json`, but for what training found.
fn config(recipe: &Recipe, seed: u64) -> Value {
    let Recipe {
        n_ctx,
        d_vocab,
        d_model,
        ..
    } = *recipe;
    json!({
        "name": name(recipe, seed),
        "task": "max_of_n",
        "n_ctx": n_ctx,
        "d_vocab": d_vocab,
        "d_vocab_out": d_vocab,
        "d_model": d_model,
        "d_head": d_model,
        "n_heads": 1,
        "n_layers": 1,
        "attn_scale": (d_model as f64).sqrt(),
        "use_attn_scale": true,
        "attn_only": true,
        "normalization_type": null,
        "act_fn": null,
        "attention_dir": "causal",
        "positional_embedding_type": "standard",
        "dtype": "float32",
        "seed": seed,
        "init_mode": "gpt2",
        "initializer_range": recipe.initializer_range(),
        "training": {
            "gbmi": env!("CARGO_PKG_VERSION"),
            "optimizer": "AdamW",
            "lr": recipe.lr,
            "betas": [BETAS.0, BETAS.1],
            "eps": EPS,
            "weight_decay": recipe.weight_decay,
            "batch_size": recipe.batch_size,
            "steps": recipe.steps,
            "loss": "cross entropy at the last position",
            "data": "tokens uniform and independent; ChaCha8 of the seed",
            "frozen": "all b_* (zero)",
        },
    })
}

/// Is the model of this recipe and seed in its folder already?
///
/// # Errors
/// [`Refusal::Unreadable`] when another model is there.
pub fn kept(folder: &Path, recipe: &Recipe, seed: u64) -> Result<bool, Refusal> {
    if !folder.join("model.safetensors").exists() {
        return Ok(false);
    }
    Network::load(folder)?;
    let path = folder.join("config.json");
    let bytes = crate::model::read_limited(&path, crate::model::MAX_CONFIG_BYTES)?;
    let mut found: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    found
        .as_object_mut()
        .and_then(|fields| fields.remove("accuracy"));
    if found != config(recipe, seed) {
        return Err(unwritable(
            &path,
            "another model is there: train into another folder, or remove it",
        ));
    }
    Ok(true)
}

/// Writes a trained model: `config.json`, `losses.csv` and, last, `model.safetensors`, into a folder that exists.
///
/// # Errors
/// [`Refusal::Unreadable`] when a file cannot be written.
pub fn keep(folder: &Path, recipe: &Recipe, trained: &Trained) -> Result<(), Refusal> {
    let mut config = config(recipe, trained.seed);
    config["accuracy"] = json!({
        "method": "float32, inputs drawn uniformly; not exact",
        "correct": trained.correct,
        "total": recipe.samples,
    });
    let config = format!("{config:#}\n");
    let rows = trained
        .losses
        .iter()
        .map(|(step, loss)| format!("{step},{loss}\n"));
    let losses: String = std::iter::once("step,loss\n".to_owned())
        .chain(rows)
        .collect();
    let weights = weights(recipe, trained).map_err(|error| unwritable(folder, error))?;
    let files = [
        ("config.json", config.into_bytes()),
        ("losses.csv", losses.into_bytes()),
        ("model.safetensors", weights),
    ];
    let pending = files
        .iter()
        .map(|(name, contents)| Pending::with_contents(&folder.join(name), contents));
    Pending::keep_all(pending.collect::<Result<_, _>>()?)
}

/// `model.safetensors`, with the biases, in TransformerLens' shapes.
fn weights(recipe: &Recipe, trained: &Trained) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let Recipe {
        d_vocab, d_model, ..
    } = *recipe;
    let mut tensors: BTreeMap<&str, (Vec<usize>, Vec<f32>)> = BTreeMap::new();
    for (name, shape, entries) in &trained.weights {
        let head = name.contains(".attn.").then_some(1);
        tensors.insert(
            name,
            (
                head.into_iter().chain(shape.iter().copied()).collect(),
                entries.clone(),
            ),
        );
    }
    for (name, shape) in [
        ("blocks.0.attn.b_Q", vec![1, d_model]),
        ("blocks.0.attn.b_K", vec![1, d_model]),
        ("blocks.0.attn.b_V", vec![1, d_model]),
        ("blocks.0.attn.b_O", vec![d_model]),
        ("unembed.b_U", vec![d_vocab]),
    ] {
        let zeros = vec![0.0; shape.iter().product()];
        tensors.insert(name, (shape, zeros));
    }
    let bytes: Vec<(&str, Vec<usize>, Vec<u8>)> = tensors
        .into_iter()
        .map(|(name, (shape, entries))| {
            (
                name,
                shape,
                entries
                    .iter()
                    .flat_map(|entry| entry.to_le_bytes())
                    .collect(),
            )
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(name, shape, data)| Ok((*name, TensorView::new(Dtype::F32, shape.clone(), data)?)));
    serialize(
        views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?,
        None,
    )
}
