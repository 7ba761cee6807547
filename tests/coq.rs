//! Certificates as theorems: what stands in the file is the network, and what it says is the claim. `scripts/theorems`
//! has Coq accept some.
#![cfg(all(feature = "prove", feature = "coq"))]

use crate::common::{Random, random_model};
use assert_cmd::Command;
use gbmi::certificate::Certificate;
use gbmi::checker::Options;
use gbmi::coq::export;
use gbmi::model::Network;
use gbmi::search::prove;
use gbmi::strategy::Strategy;
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;

const EXACT: Strategy = Strategy::Exact { two_sided: true };

fn tiny() -> Network {
    Network::load(Path::new("tests/data/tiny")).unwrap()
}

fn proof(network: &Network, strategy: Strategy) -> Certificate {
    prove(network, strategy, None, Options::default())
        .unwrap()
        .certificate
}

#[test]
fn a_theorem_reads_as_it_should() {
    let network = tiny();
    insta::assert_snapshot!(export(&proof(&network, EXACT), &network.one_head().unwrap()).unwrap());
}

#[test]
fn the_statement_is_the_claim() {
    let network = tiny();
    let mut certificate = proof(&network, EXACT);
    let right = "Z.of_nat (count_correct (sizes the_weights) (network_of the_weights))";
    for (correct, upper, statement) in [
        (109_u32, None, format!("  109 <= {right}.")),
        (109, Some(109_u32), format!("  {right} = 109.")),
        (100, Some(110), format!("  100 <= {right} <= 110.")),
    ] {
        certificate.claim.correct = correct.into();
        certificate.claim.upper = upper.map(Into::into);
        let text = export(&certificate, &network.one_head().unwrap()).unwrap();
        assert!(
            text.contains(&format!("Theorem correct_inputs :\n{statement}\n")),
            "{text}"
        );
        let claimed = upper.map_or("None".to_string(), |upper| format!("(Some {upper})"));
        assert!(
            text.contains(&format!(
                "check the_weights the_hints {correct} {claimed} = true."
            )),
            "{text}"
        );
    }
}

/// The pairs of integers in a term, with names replaced by what they stand for.
fn pairs(term: &str, names: &BTreeMap<&str, &str>, found: &mut Vec<(i64, i64)>) {
    let mut words = term
        .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-')
        .filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        match names.get(word) {
            Some(value) => pairs(value, names, found),
            None if word == "concat" => {}
            None => found.push((
                word.parse().unwrap(),
                words.next().unwrap().parse().unwrap(),
            )),
        }
    }
}

/// Name and value.
fn definition(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix("Definition ")?.split_once(" : ")?;
    Some((name, rest.strip_suffix('.')?.split_once(" := ")?.1))
}

#[test]
fn the_weights_are_those_of_the_model() {
    for seed in 0..40 {
        let (_, model) = random_model(&mut Random::new(seed));
        let network = model.network();
        let text = export(&proof(&network, EXACT), &network.one_head().unwrap()).unwrap();
        let names: BTreeMap<&str, &str> = text.lines().filter_map(definition).collect();
        let weights = names["the_weights"];
        let sizes: [usize; 4] = ["d_vocab", "n_ctx", "d_model", "d_head"].map(|size| {
            let number = weights.split_once(&format!("{size} := n")).unwrap().1;
            number
                .split(|letter: char| !letter.is_ascii_digit())
                .next()
                .unwrap()
                .parse()
                .unwrap()
        });
        assert_eq!(
            sizes,
            [model.d_vocab, model.n_ctx, model.d_model, model.d_head]
        );
        assert!(weights.contains(&format!("scaled := {} |}}", model.use_attn_scale)));
        for (name, tensor) in &model.tensors {
            let field = name.rsplit('.').next().unwrap().to_lowercase();
            let term = weights.split_once(&format!(" {field} := ")).unwrap().1;
            let end = term
                .find(" := ")
                .map_or(term.len(), |end| term[..end].rfind(';').unwrap());
            let mut found = vec![];
            pairs(term[..end].trim_end_matches("|}"), &names, &mut found);
            let values: Vec<f32> = found
                .iter()
                .map(|(m, e)| (*m as f64 * 2_f64.powi(*e as i32)) as f32)
                .collect();
            assert_eq!(values, *tensor, "seed {seed}, {name}");
        }
    }
}

#[test]
fn what_coq_has_no_proof_for_is_refused() {
    let network = tiny();
    let published = Strategy::published().last().unwrap();
    let refusal = export(&proof(&network, published), &network.one_head().unwrap()).unwrap_err();
    assert!(refusal.contains("found another"), "{refusal}");
    // About another model: rejected, and nothing is written.
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("cert.json");
    std::fs::write(&path, serde_json::to_vec(&proof(&network, EXACT)).unwrap()).unwrap();
    let out = folder.path().join("theorem.v");
    let run = |model: &str| {
        let mut command = Command::cargo_bin("gbmi").unwrap();
        command.args([
            "export-coq",
            path.to_str().unwrap(),
            "--model",
            model,
            "--out",
            out.to_str().unwrap(),
        ]);
        command.output().unwrap()
    };
    let output = run("models/max_of_2_seed123");
    assert_eq!((output.status.code(), out.exists()), (Some(1), false));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("wrong network")
    );
    assert_eq!(
        (run("tests/data/tiny").status.code(), out.exists()),
        (Some(0), true)
    );
}
