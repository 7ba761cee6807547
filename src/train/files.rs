//! A trained model's files: those that a user of TransformerLens would have, and the curve of the loss.

use super::parameters::Parameter;
use super::recipe::{Architecture, Biases, Normalization, Recipe};
use super::{EPS, Trained};
use crate::model::Network;
use crate::output::{Pending, unwritable};
use crate::refusal::Refusal;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};
use serde_json::{Value, json};
use std::path::Path;

/// A model's name, and that of its folder: what the recipe and the seed make of it.
pub fn name(recipe: &Recipe, seed: u64) -> String {
    format!("{}_seed{seed}", group(recipe))
}

/// The name that models share that differ in their seed only: the task with its parameters, sizes, and what there is beside
/// one head in one layer.
pub fn group(recipe: &Recipe) -> String {
    if let Some(name) = &recipe.name {
        return name.clone();
    }
    let task = &recipe.task;
    let bare = task.get("name").unwrap_or(task).as_str().unwrap_or("");
    let eos = usize::from(task.get("eos").is_some());
    let values = recipe
        .n_ctx
        .saturating_sub(eos + usize::from(bare == "multifun"));
    let mut name = match bare.strip_suffix("_of_n") {
        Some(stem) => format!("{stem}_of_{values}"),
        None if ["induction", "modular", "multifun"].contains(&bare) => {
            format!("{bare}_of_{values}")
        }
        None => bare.to_owned(),
    };
    for (field, value) in task.as_object().into_iter().flatten() {
        match (field.as_str(), value) {
            ("name" | "labels", _) => {}
            ("nth" | "length", number) => name += &format!("_{number}"),
            (_, Value::String(word)) => name += &format!("_{word}"),
            (_, Value::Array(words)) => {
                let words = words.iter().filter_map(Value::as_str);
                name.extend(words.map(|word| format!("_{word}")));
            }
            _ => {}
        }
    }
    if eos == 1 && bare != "f_g" {
        name += "_eos";
    }
    name += &format!("_v{}_d{}", recipe.d_vocab, recipe.d_model);
    if recipe.architecture == Architecture::Transformer {
        let beside = [
            (recipe.n_layers, 1, "l"),
            (recipe.n_heads, 1, "h"),
            (recipe.d_mlp, 0, "m"),
        ];
        for (count, usual, letter) in beside {
            if count != usual {
                name += &format!("_{letter}{count}");
            }
        }
        name += match recipe.normalization_type {
            Normalization::None => "",
            Normalization::LN => "_ln",
            Normalization::LNPre => "_lnpre",
        };
    } else {
        name += &format!("_m{}_two_embeddings", recipe.d_mlp);
    }
    name
}

/// `config.json`, but for what training found.
pub(super) fn config(recipe: &Recipe, seed: u64) -> Value {
    let frozen = match recipe.trained_biases {
        Biases::None => "all b_* (zero)",
        Biases::Mlp => "all b_* (zero) but those of the MLPs",
        Biases::All => "none",
    };
    let training = json!({
        "gbmi": env!("CARGO_PKG_VERSION"),
        "optimizer": recipe.optimizer,
        "lr": recipe.lr,
        "lr_end": recipe.lr_end,
        "warmup_steps": recipe.warmup_steps,
        "betas": recipe.betas,
        "eps": EPS,
        "weight_decay": recipe.weight_decay,
        "train_ratio": recipe.train_ratio,
        "batch_size": recipe.batch_size,
        "steps": recipe.steps,
        "loss": "cross entropy where an answer is read, in float64",
        "data": "inputs uniform and independent; ChaCha8 of the seed",
        "frozen": frozen,
    });
    let Recipe {
        n_ctx,
        d_vocab,
        d_vocab_out,
        n_layers,
        n_heads,
        d_model,
        d_head,
        d_mlp,
        attention_rate,
        ..
    } = *recipe;
    if recipe.architecture == Architecture::TwoEmbeddings {
        return json!({
            "name": name(recipe, seed),
            "task": recipe.task,
            "arch": "group_mlp",
            "d_vocab": d_vocab,
            "d_embed": d_model,
            "d_mlp": d_mlp,
            "act_fn": "relu",
            "dtype": "float32",
            "seed": seed,
            "init_mode": recipe.init_mode,
            "training": training,
        });
    }
    let mut config = json!({
        "name": name(recipe, seed),
        "task": recipe.task,
        "n_ctx": n_ctx,
        "d_vocab": d_vocab,
        "d_vocab_out": d_vocab_out,
        "d_model": d_model,
        "d_head": d_head,
        "n_heads": n_heads,
        "n_layers": n_layers,
        "attn_scale": (d_head as f64).sqrt(),
        "use_attn_scale": true,
        "attn_only": d_mlp == 0,
        "normalization_type": null,
        "act_fn": null,
        "attention_dir": "causal",
        "positional_embedding_type": "standard",
        "dtype": "float32",
        "seed": seed,
        "init_mode": recipe.init_mode,
        "initializer_range": recipe.initializer_range(),
        "training": training,
    });
    if d_mlp > 0 {
        (config["act_fn"], config["d_mlp"]) = ("relu".into(), d_mlp.into());
    }
    if recipe.normalization_type != Normalization::None {
        (config["normalization_type"], config["eps"]) =
            (json!(recipe.normalization_type), 1e-5.into());
    }
    if attention_rate != 0.0 {
        config["attention_rate"] = attention_rate.into();
    }
    config
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

/// Writes a trained model: `config.json`, `losses.csv`, a table's labels and, last, `model.safetensors`, into a folder that
/// exists.
///
/// # Errors
/// [`Refusal::Unreadable`] when a file cannot be written.
pub fn keep(folder: &Path, recipe: &Recipe, trained: &Trained) -> Result<(), Refusal> {
    let mut config = config(recipe, trained.seed);
    let inputs = if trained.all {
        "every one"
    } else {
        "drawn uniformly"
    };
    config["accuracy"] = json!({
        "method": format!("float32, inputs {inputs}; not exact"),
        "correct": trained.evaluated.correct,
        "total": trained.evaluated.total,
    });
    let rows = trained
        .losses
        .iter()
        .map(|(step, loss)| format!("{step},{loss}\n"));
    let losses: String = std::iter::once("step,loss\n".to_owned())
        .chain(rows)
        .collect();
    let weights = weights(&trained.weights).map_err(|error| unwritable(folder, error))?;
    let mut files = vec![
        ("config.json", format!("{config:#}\n").into_bytes()),
        ("losses.csv", losses.into_bytes()),
    ];
    if let Some((name, labels)) = &recipe.labels {
        files.push((name, labels.clone()));
    }
    files.push(("model.safetensors", weights));
    let pending = files
        .iter()
        .map(|(name, contents)| Pending::with_contents(&folder.join(name), contents));
    Pending::keep_all(pending.collect::<Result<_, _>>()?)
}

/// `model.safetensors`.
pub(super) fn weights(
    weights: &[(Parameter, Vec<f32>)],
) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let bytes = |entries: &Vec<f32>| -> Vec<u8> {
        entries
            .iter()
            .flat_map(|entry| entry.to_le_bytes())
            .collect()
    };
    let mut tensors: Vec<_> = weights
        .iter()
        .map(|(parameter, entries)| (&parameter.name, &parameter.shape, bytes(entries)))
        .collect();
    tensors.sort();
    let views = tensors
        .iter()
        .map(|(name, shape, data)| Ok((name, TensorView::new(Dtype::F32, shape.to_vec(), data)?)));
    serialize(
        views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?,
        None,
    )
}
