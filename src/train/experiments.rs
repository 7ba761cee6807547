//! The original's experiments: what a recipe has where nothing is said, by its task.

use super::groups;
use super::recipe::Said;
use serde_json::{Map, Value, json};

/// The task with a group's table, where the group is named: `{"name": "group", "group": "S5"}`.
pub(super) fn with_table(mut task: Value) -> Result<Value, String> {
    let Some(fields) = task.as_object_mut() else {
        return Ok(task);
    };
    if fields.get("name").is_none_or(|name| name != "group") {
        return Ok(task);
    }
    let Some(group) = fields.remove("group") else {
        return Ok(task);
    };
    let table = group.as_str().and_then(groups::table).ok_or_else(|| {
        format!(
            "task.group: expected C, D, S or A and a number, or GL2(3), of at most {} elements, found {group}",
            crate::model::MAX_VOCAB
        )
    })?;
    fields.insert("table".into(), json!(table));
    Ok(task)
}

/// The task's parameters, none for a bare name, with its name.
fn parameters_of(task: &Value) -> (&str, Map<String, Value>) {
    let fields = task.as_object().cloned().unwrap_or_default();
    let name = task.get("name").unwrap_or(task).as_str().unwrap_or("");
    (name, fields)
}

/// The recipe of the task's experiment, but for sizes that follow from others.
pub(super) fn defaults(task: &Value) -> Said {
    let (name, parameters) = parameters_of(task);
    let has = |field: &str, value: &str| parameters.get(field).is_some_and(|found| found == value);
    let changes = match name {
        "multifun" => json!({"n_heads": 2, "lr": 3e-3, "lr_end": 1e-4, "steps": 5000}),
        "f_g" if has("functions", "add_sub") => json!({
            "n_heads": 4, "d_model": 64, "d_mlp": 256, "init_mode": "kaiming_uniform", "lr_end": 5e-5,
            "betas": [0.9, 0.98], "weight_decay": 1.0, "train_ratio": 0.9, "batch_size": "full", "steps": 1500,
        }),
        "f_g" => json!({
            "n_heads": 4, "d_model": 64, "lr_end": 5e-5, "betas": [0.9, 0.98], "weight_decay": 0.1,
            "train_ratio": 0.8, "batch_size": 512,
        }),
        "sorted_list" => json!({
            "n_heads": 2, "trained_biases": "all", "optimizer": "Adam", "lr_end": 1e-4, "weight_decay": 0.005,
            "batch_size": 256, "steps": 4000,
        }),
        "modular" => json!({
            "n_heads": 4, "d_model": 64, "d_mlp": 256, "init_mode": "kaiming_uniform", "trained_biases": "mlp",
            "warmup_steps": 10, "betas": [0.9, 0.98], "weight_decay": 1.0, "train_ratio": 0.8,
            "batch_size": "full", "steps": 2000,
        }),
        "group" => json!({
            "architecture": "two_embeddings", "d_model": 256, "d_mlp": 128, "init_mode": "fan_in",
            "trained_biases": "all", "optimizer": "Adam", "lr": 0.01, "betas": [0.9, 0.98], "weight_decay": 2e-4,
            "batch_size": "full", "steps": 2500, "lr_end": 0.0,
        }),
        "induction" if has("inputs", "abcab") => json!({
            "n_layers": 2, "d_model": 64, "weight_decay": 0.1, "batch_size": 1024, "steps": 750,
        }),
        "induction" if has("inputs", "exhaustive") => json!({
            "n_layers": 2, "d_model": 64, "weight_decay": 0.1, "batch_size": 2048, "steps": 250,
        }),
        "induction" => json!({
            "n_layers": 2, "d_head": 16, "init_mode": "fan_in", "lr": 3e-3, "lr_end": 0.0, "betas": [0.9, 0.98],
            "weight_decay": 1e-4, "batch_size": 256,
        }),
        _ => json!({}),
    };
    // The paper's recipe for Max-of-4, changed.
    let mut recipe = json!({
        "architecture": "transformer", "n_layers": 1, "n_heads": 1, "d_model": 32, "d_mlp": 0,
        "normalization_type": "none", "attention_rate": 0.0, "init_mode": "gpt2", "trained_biases": "none",
        "optimizer": "AdamW", "lr": 1e-3, "warmup_steps": 0, "betas": [0.9, 0.999], "weight_decay": 0.01,
        "train_ratio": 1.0, "batch_size": 128, "steps": 3000, "samples": 100_000,
    });
    if let (Value::Object(recipe), Value::Object(mut changes)) = (&mut recipe, changes) {
        recipe.append(&mut changes);
        return std::mem::take(recipe);
    }
    Map::new()
}

/// Fills in the sizes, and the rate at the end, that are not said: what the task has by its parameters, as many as its
/// experiment has by default.
pub(super) fn sizes(task: &Value, fields: &mut Said) {
    let (name, parameters) = parameters_of(task);
    let number = |fields: &Said, name: &str| {
        let number = fields.get(name).and_then(Value::as_u64);
        number.and_then(|number| usize::try_from(number).ok())
    };
    let parameter = |name: &str| number(&parameters, name);
    let list = |name: &str| parameters.get(name).and_then(Value::as_array).cloned();
    let eos = usize::from(parameters.get("eos").is_some_and(|eos| !eos.is_null()));
    let functions = list("functions").unwrap_or_default();
    let inputs = parameters.get("inputs").and_then(Value::as_str);
    // How many values there are to choose from, and positions of them, by default.
    let (values, positions) = match name {
        "f_g" => (parameter("eos"), parameter("elements").map(|k| 2 * k)),
        "sorted_list" => (parameter("separator"), parameter("length").map(|n| 2 * n)),
        "modular" => (parameter("p"), Some(2)),
        "group" => (list("table").map(|table| table.len()), Some(2)),
        "induction" => match inputs {
            Some("distinct") => (Some(16), Some(6)),
            Some("abcab") => (Some(26), Some(5)),
            _ => (Some(4), Some(7)),
        },
        _ => (parameter("eos").or(Some(64)), Some(4)),
    };
    // Special tokens, and the positions of special tokens.
    let (tokens, places) = match name {
        "multifun" => (functions.len() + eos, 1 + eos),
        "sorted_list" => (1, 1),
        _ => (eos, eos),
    };
    let mut or = |name: &str, value: usize| {
        fields.entry(name).or_insert_with(|| value.into());
        number(fields, name).unwrap_or(0)
    };
    let d_vocab = or("d_vocab", values.unwrap_or(64).saturating_add(tokens));
    let n_ctx = or("n_ctx", positions.unwrap_or(4).saturating_add(places));
    let (v, n) = (d_vocab.saturating_sub(tokens), n_ctx.saturating_sub(places));
    let of_function = |function: &Value| match function.as_str() {
        Some("argmax" | "argmin") => n,
        Some("sum") => n * v.saturating_sub(1) + 1,
        _ => v,
    };
    let answers = match name {
        "argmax_of_n" | "argmin_of_n" => n,
        "multifun" => functions.iter().map(of_function).max().unwrap_or(v),
        "table" => d_vocab,
        _ => v,
    };
    or("d_vocab_out", answers);
    let (d_model, heads) = (or("d_model", 0), or("n_heads", 1).max(1));
    or("d_head", d_model / heads);
    if let Some(lr) = fields.get("lr").cloned() {
        fields.entry("lr_end").or_insert(lr);
    }
}
