//! Files that are not what they should be: each is named for what it is, with what to do.

use gbmi::kind::{Kind, load};
use gbmi::refusal::{Decline, Mismatch, Refusal};
use std::path::Path;
use tempfile::TempDir;

const LFS: &[u8] =
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 7592\n";

fn read(name: &str) -> Vec<u8> {
    std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data/foreign")
            .join(name),
    )
    .unwrap()
}

/// A model's folder with these two files.
fn folder(weights: &[u8], config: &[u8]) -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("model.safetensors"), weights).unwrap();
    std::fs::write(folder.path().join("config.json"), config).unwrap();
    folder
}

/// The beginning of a zip archive whose first entry has this name.
fn zip(first: &str) -> Vec<u8> {
    let len = u16::try_from(first.len()).unwrap().to_le_bytes();
    [
        b"PK\x03\x04".as_slice(),
        &[0; 22],
        &len,
        &[0; 2],
        first.as_bytes(),
    ]
    .concat()
}

/// What may stand in the place of any file, and how it is named.
fn strangers() -> Vec<(Vec<u8>, &'static str)> {
    vec![
        (vec![], "an empty file"),
        (
            LFS.to_vec(),
            "a Git LFS pointer in place of the file; run `git lfs pull`",
        ),
        (read("pl.ckpt"), "a PyTorch archive; `gbmi import`"),
        (
            read("old.pth"),
            "a file in PyTorch's format from before version 1.6; load it",
        ),
        (
            b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00}\x94.".to_vec(),
            "a Python pickle that torch.save did not write",
        ),
        (
            b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'}".to_vec(),
            "a NumPy file",
        ),
        (zip("W_E.npy"), "a NumPy file"),
        (zip("model/config.json"), "a zip archive"),
        (
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00".to_vec(),
            "a file compressed by gzip; decompress it",
        ),
        (
            [b"\xef\xbb\xbf".as_slice(), &read("config.json")].concat(),
            "a byte-order mark before the text",
        ),
        (
            b"\xff\xfe{\x00\n\x00".to_vec(),
            "text in UTF-16; save it as UTF-8",
        ),
        (b"\xfe\xff\x00{\x00\n".to_vec(), "text in UTF-16"),
        (
            b"\n<!DOCTYPE html>\n<html><title>404".to_vec(),
            "a web page",
        ),
        (
            b"<?xml version='1.0'?><Error><Code>NoSuchKey".to_vec(),
            "a web page",
        ),
        (read("gpt2.json"), "a Hugging Face GPT-2 configuration; "),
        (
            br#"{"n_layer": 1, "n_embd": 16}"#.to_vec(),
            "a Hugging Face GPT-2 configuration; ",
        ),
        (
            br#"{"model_type": "llama", "hidden_size": 16}"#.to_vec(),
            "a Hugging Face configuration; ",
        ),
    ]
}

#[track_caller]
fn assert_named(refusal: &Refusal, file: &Path, expected: &str, named: &str) {
    let Refusal::Declined(Decline::Model(Mismatch {
        field: at,
        expected: wanted,
        found,
    })) = refusal
    else {
        panic!("{refusal:?}")
    };
    assert_eq!(
        (at.as_str(), wanted.as_str()),
        (file.to_str().unwrap(), expected)
    );
    assert!(found.starts_with(named), "{found}, not {named}");
}

#[test]
fn what_stands_in_the_place_of_weights_is_named() {
    let config = read("config.json");
    for (contents, named) in strangers()
        .into_iter()
        .chain([(config.clone(), "a JSON file")])
    {
        let folder = folder(&contents, &config);
        let weights = folder.path().join("model.safetensors");
        for path in [folder.path(), &weights] {
            assert_named(
                &load(path).unwrap_err(),
                &weights,
                "a safetensors file",
                named,
            );
        }
    }
}

#[test]
fn what_stands_in_the_place_of_a_configuration_is_named() {
    let weights = read("model.safetensors");
    for (contents, named) in strangers()
        .into_iter()
        .chain([(weights.clone(), "a safetensors file")])
    {
        let folder = folder(&weights, &contents);
        let config = folder.path().join("config.json");
        assert_named(
            &load(folder.path()).unwrap_err(),
            &config,
            "a TransformerLens configuration",
            named,
        );
    }
}

#[test]
fn weights_without_a_configuration_are_named_all_the_same() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("model.ckpt");
    std::fs::write(&path, read("pl.ckpt")).unwrap();
    assert_named(
        &load(&path).unwrap_err(),
        &path,
        "a safetensors file",
        "a PyTorch archive; `gbmi import`",
    );
    std::fs::write(&path, read("model.safetensors")).unwrap();
    assert!(
        matches!(load(&path), Err(Refusal::Unreadable(reason)) if reason.contains("config.json"))
    );
}

#[test]
fn models_that_are_refused_for_what_they_are_keep_their_refusal() {
    let (weights, config) = (read("model.safetensors"), read("config.json"));
    assert!(load(folder(&weights, &config).path()).is_ok());
    let text = String::from_utf8(config.clone()).unwrap();
    let two = text.replace("\"n_layers\": 1", "\"n_layers\": 5");
    // A header of 640 bytes begins as a pickle does.
    let header = format!(
        "{:<640}",
        r#"{"strange":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
    );
    let strange = [640_u64.to_le_bytes().as_slice(), header.as_bytes(), &[0; 4]].concat();
    assert_eq!(
        (&strange[..2], Kind::of(&strange)),
        (b"\x80\x02".as_slice(), Some(Kind::Safetensors))
    );
    let cases: [(&[u8], &[u8], &str, &str); 4] = [
        (&weights, two.as_bytes(), "config.json, n_layers", "5"),
        (&weights, b"n_layers = 1", "config.json", "expected"),
        (&strange, &config, "model.safetensors", "none of that name"),
        (b"what is this", &config, "model.safetensors", "header"),
    ];
    for (weights, config, place, finding) in cases {
        match load(folder(weights, config).path()) {
            Err(Refusal::Declined(Decline::Model(Mismatch {
                field: at, found, ..
            }))) => {
                assert!(
                    at.starts_with(place) && found.to_lowercase().contains(finding),
                    "{at}: {found}"
                );
            }
            Err(Refusal::Declined(Decline::Config(reasons))) => {
                let [reason] = reasons.as_slice() else {
                    panic!("{reasons:?}")
                };
                assert!(
                    place.ends_with(&reason.field) && reason.found == finding,
                    "{reason:?}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

#[cfg(feature = "import")]
#[test]
fn what_cannot_be_imported_is_named() {
    use gbmi::import::import;
    let folder = folder(&read("model.safetensors"), &read("config.json"));
    let (file, out) = (folder.path().join("model.pth"), folder.path().join("out"));
    let archive = |named: &str| named.contains("PyTorch archive") || named.contains("zip");
    let strangers = || strangers().into_iter().filter(|(_, named)| !archive(named));
    for (contents, named) in strangers().chain([(
        read("model.safetensors"),
        "a safetensors file; such weights need",
    )]) {
        std::fs::write(&file, contents).unwrap();
        let refusal = import(&file, &folder.path().join("config.json"), &out, false).unwrap_err();
        assert_named(&refusal, &file, "a state_dict saved by torch.save", named);
    }
    std::fs::write(&file, read("compiled.pth")).unwrap();
    let config = folder.path().join("settings.json");
    for (contents, named) in strangers() {
        std::fs::write(&config, contents).unwrap();
        let refusal = import(&file, &config, &out, false).unwrap_err();
        assert_named(&refusal, &config, "a TransformerLens configuration", named);
    }
    assert!(!out.exists());
}

/// Every command that takes a model, or a certificate, names what it was given instead.
#[cfg(all(feature = "sweep", feature = "import", feature = "coq"))]
#[test]
fn every_command_names_what_it_was_given() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    for (model, weights) in [
        ("good", read("model.safetensors")),
        ("pointer", LFS.to_vec()),
    ] {
        std::fs::create_dir(folder.join(model)).unwrap();
        std::fs::write(folder.join(model).join("model.safetensors"), weights).unwrap();
        std::fs::write(folder.join(model).join("config.json"), read("config.json")).unwrap();
    }
    std::fs::write(
        folder.join("sweep.toml"),
        "models = [\"pointer\"]\nstrategies = [\"exact\"]\n",
    )
    .unwrap();
    std::fs::write(folder.join("lfs.json"), LFS).unwrap();
    let gbmi = |args: &[&str]| {
        let output = assert_cmd::Command::cargo_bin("gbmi")
            .unwrap()
            .current_dir(folder)
            .args(args)
            .output()
            .unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    assert_eq!(gbmi(&["prove", "--model", "good", "--quiet"]).0, 0);
    let cases: [(&[&str], i32); 13] = [
        (&["check", "cert.json", "--model", "pointer"], 2),
        (&["prove", "--model", "pointer", "--out", "other.json"], 2),
        (&["compare", "pointer", "--strategies", "cubic"], 2),
        (&["frontier", "--model", "pointer"], 2),
        (&["explain", "cert.json", "--model", "pointer"], 2),
        (
            &[
                "export-coq",
                "cert.json",
                "--model",
                "pointer",
                "--out",
                "cert.v",
            ],
            2,
        ),
        (&["inspect", "--model", "pointer"], 2),
        (&["evaluate", "pointer/model.safetensors"], 2),
        (
            &[
                "sweep",
                "--config",
                "sweep.toml",
                "--out",
                "results",
                "--quiet",
            ],
            2,
        ),
        (
            &[
                "import",
                "pointer/model.safetensors",
                "--config",
                "good/config.json",
                "--out",
                "imported",
            ],
            2,
        ),
        (&["check", "lfs.json"], 1),
        (&["explain", "lfs.json"], 1),
        (&["export-coq", "lfs.json", "--out", "cert.v"], 1),
    ];
    for (args, expected) in cases {
        let (code, stderr) = gbmi(args);
        assert_eq!(code, expected, "{args:?}: {stderr}");
        assert!(
            stderr.contains("a Git LFS pointer in place of the file; run `git lfs pull`"),
            "{args:?}: {stderr}"
        );
    }
}
