//! Importing PyTorch files: what users really have, and what an attacker might send.
#![cfg(feature = "import")]

use gbmi::import::{Imported, import};
use gbmi::model::Network;
use gbmi::refusal::{Decline, Mismatch, Refusal};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::path::PathBuf;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

const STATE_DICT: &str = "max_of_4_seed50_state_dict.pth";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn fixture(name: &str) -> PathBuf {
    root().join("tests/data").join(name)
}

fn config() -> PathBuf {
    root().join("models/max_of_4_seed50/config.json")
}

/// Imports the bytes of a file; on an error, makes sure that nothing was written.
fn import_bytes(file: &[u8]) -> Result<Imported, Refusal> {
    import_with(file, false)
}

fn import_with(file: &[u8], zero_biases: bool) -> Result<Imported, Refusal> {
    let folder = tempfile::tempdir().unwrap();
    let (path, out) = (folder.path().join("model.pth"), folder.path().join("out"));
    std::fs::write(&path, file).unwrap();
    let result = import(&path, &config(), &out, zero_biases);
    assert!(
        result.is_ok() || !out.exists(),
        "something was written in spite of {result:?}"
    );
    result
}

/// The fixture's archive with some entries replaced, its checksums right.
fn with_entries(replacements: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let file = std::fs::read(fixture(STATE_DICT)).unwrap();
    let mut old = ZipArchive::new(Cursor::new(&file)).unwrap();
    let mut new = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..old.len() {
        let mut entry = old.by_index(index).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents).unwrap();
        if let Some((_, replacement)) = replacements
            .iter()
            .find(|(path, _)| name == format!("model/{path}"))
        {
            contents.clone_from(replacement);
        }
        new.start_file(name, SimpleFileOptions::default()).unwrap();
        new.write_all(&contents).unwrap();
    }
    new.finish().unwrap().into_inner()
}

fn with_pickle(pickle: &[u8]) -> Vec<u8> {
    with_entries(&[("data.pkl", pickle.to_vec())])
}

fn pickle() -> Vec<u8> {
    let file = std::fs::read(fixture(STATE_DICT)).unwrap();
    let mut pickle = Vec::new();
    ZipArchive::new(Cursor::new(&file))
        .unwrap()
        .by_name("model/data.pkl")
        .unwrap()
        .read_to_end(&mut pickle)
        .unwrap();
    pickle
}

/// The fixture's pickle with the first occurrence of a text replaced: names by names of the same length, since their
/// length precedes them; classes by any, since they end with their line.
fn pickle_with(from: &str, to: &str) -> Vec<u8> {
    let pickle = pickle();
    let at = pickle
        .windows(from.len())
        .position(|window| window == from.as_bytes())
        .unwrap();
    [&pickle[..at], to.as_bytes(), &pickle[at + from.len()..]].concat()
}

#[track_caller]
fn assert_declined(result: Result<Imported, Refusal>, expected_at: &str, expected_found: &str) {
    match result {
        Err(Refusal::Declined(Decline::Model(Mismatch {
            field: at, found, ..
        }))) => {
            assert!(
                at == expected_at && found.contains(expected_found),
                "at {at:?}, found {found:?}"
            );
        }
        Err(Refusal::Declined(Decline::Config(reasons))) => {
            let named = reasons
                .iter()
                .any(|reason| format!("config.json, {}", reason.field) == expected_at);
            assert!(named, "{reasons:?}");
        }
        other => panic!("not declined: {other:?}"),
    }
}

#[test]
fn a_state_dict_becomes_the_same_network() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("new/folder");
    let imported = import(&fixture(STATE_DICT), &config(), &out, false).unwrap();
    let original = Network::load(&root().join("models/max_of_4_seed50")).unwrap();
    assert_eq!(imported.sha256, original.sha256);
    assert_eq!(Network::load(&out).unwrap().sha256, original.sha256);
    assert_eq!(imported.tensors, 12);
    assert_eq!(
        imported.ignored,
        ["blocks.0.attn.IGNORE", "blocks.0.attn.mask"]
    );
    assert_eq!(
        std::fs::read(out.join("config.json")).unwrap(),
        std::fs::read(config()).unwrap()
    );
    let mut names: Vec<_> = std::fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["config.json", "model.safetensors"],
        "no temporary files are left"
    );
}

/// With another mask, or another score in its place, it is another function.
#[test]
fn buffers_are_left_out_only_if_they_are_the_causal_mask() {
    let mask: Vec<u8> = (0..16)
        .map(|entry| u8::from(entry % 4 <= entry / 4))
        .collect();
    assert!(import_bytes(&with_entries(&[("data/10", mask.clone())])).is_ok());
    for entry in 0..16 {
        let mut other = mask.clone();
        other[entry] ^= 1;
        let result = import_bytes(&with_entries(&[("data/10", other)]));
        assert_declined(result, "state_dict", "blocks.0.attn.mask");
    }
    let finite = with_entries(&[("data/11", (-1e5_f32).to_le_bytes().to_vec())]);
    assert_declined(import_bytes(&finite), "state_dict", "blocks.0.attn.IGNORE");
}

#[test]
fn a_model_pickled_whole_is_declined_with_advice() {
    let refusal =
        import_bytes(&std::fs::read(fixture("foreign/pickled_whole.pth")).unwrap()).unwrap_err();
    let message = refusal.to_string();
    for part in [
        "whole pickled __main__.Transformer",
        "with 2 layers",
        "model.state_dict()",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert!(matches!(refusal, Refusal::Declined(_)), "{refusal:?}");
}

#[test]
fn files_that_cannot_be_read_are_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none");
    for (file, config) in [(&missing, &config()), (&fixture(STATE_DICT), &missing)] {
        let refusal = import(file, config, &folder.path().join("out"), false).unwrap_err();
        assert!(
            matches!(&refusal, Refusal::Unreadable(reason) if reason.contains("none")),
            "{refusal:?}"
        );
    }
    let file = std::fs::File::create(folder.path().join("large")).unwrap();
    file.set_len(gbmi::model::MAX_WEIGHT_BYTES + 1).unwrap();
    let refusal = import(
        &folder.path().join("large"),
        &config(),
        &folder.path().join("out"),
        false,
    )
    .unwrap_err();
    assert!(
        matches!(refusal, Refusal::Declined(Decline::TooLarge { .. })),
        "{refusal:?}"
    );
}

#[test]
fn a_taken_name_leaves_the_folder_as_it_was() {
    let out = tempfile::tempdir().unwrap();
    std::fs::create_dir(out.path().join("config.json")).unwrap();
    let refusal = import(&fixture(STATE_DICT), &config(), out.path(), false).unwrap_err();
    assert!(matches!(refusal, Refusal::Unreadable(_)), "{refusal:?}");
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 1);
}

#[test]
fn what_the_network_would_not_accept_is_declined_under_the_state_dicts_name() {
    let renamed = with_pickle(&pickle_with("blocks.0.attn.mask", "blocks.0.attn.mast"));
    assert_declined(
        import_bytes(&renamed),
        "state_dict",
        "unknown tensor \"blocks.0.attn.mast\"",
    );
    let repeated = with_pickle(&pickle_with("blocks.0.attn.W_K", "blocks.0.attn.W_Q"));
    assert_declined(import_bytes(&repeated), "blocks.0.attn.W_Q", "another");
    let mut embedding = vec![0; 64 * 32 * 4];
    embedding[4..8].copy_from_slice(&f32::NAN.to_le_bytes());
    let nan = with_entries(&[("data/0", embedding)]);
    assert_declined(
        import_bytes(&nan),
        "embed.W_E",
        "NaN or infinity at flat index 1",
    );
    let big_endian = with_entries(&[("byteorder", b"big".to_vec())]);
    assert_declined(import_bytes(&big_endian), "byteorder", "big");
}

/// A pickle operation that pushes a text.
fn text(text: &str) -> Vec<u8> {
    [
        b"X".as_slice(),
        &u32::try_from(text.len()).unwrap().to_le_bytes(),
        text.as_bytes(),
    ]
    .concat()
}

/// A tensor as PyTorch keeps it: its description in the pickle, and its storage.
#[derive(Clone)]
struct Saved {
    name: String,
    class: &'static str,
    shape: Vec<u16>,
    data: Vec<u8>,
}

/// The tensors of a model in float32, in order of names.
fn saved() -> Vec<Saved> {
    let bytes = std::fs::read(root().join("models/max_of_4_seed50/model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
    let saved = |(name, tensor): (String, TensorView)| {
        let shape = tensor
            .shape()
            .iter()
            .map(|size| u16::try_from(*size).unwrap())
            .collect();
        Saved {
            name,
            class: "FloatStorage",
            shape,
            data: tensor.data().to_vec(),
        }
    };
    BTreeMap::from_iter(tensors)
        .into_iter()
        .map(saved)
        .collect()
}

/// The same tensors with names of another beginning.
fn prefixed(prefix: &str, tensors: &[Saved]) -> Vec<Saved> {
    tensors
        .iter()
        .map(|tensor| Saved {
            name: format!("{prefix}{}", tensor.name),
            ..tensor.clone()
        })
        .collect()
}

/// The digest of the network with these tensors, of float32.
fn digest(tensors: &[Saved]) -> String {
    let view = |tensor: &Saved| {
        let shape = tensor.shape.iter().map(|size| usize::from(*size)).collect();
        (
            tensor.name.clone(),
            TensorView::new(
                Dtype::F32,
                shape,
                Box::leak(tensor.data.clone().into_boxed_slice()),
            )
            .unwrap(),
        )
    };
    let weights = serialize(tensors.iter().map(view), None).unwrap();
    Network::from_bytes(&std::fs::read(config()).unwrap(), &weights)
        .unwrap()
        .sha256
}

/// Operations that push a `state_dict` of these tensors; their storages are numbered from `first`.
fn dictionary(tensors: &[Saved], first: usize) -> Vec<u8> {
    let sizes = |sizes: &[u16]| {
        let sizes = sizes
            .iter()
            .flat_map(|size| [b"M".as_slice(), &size.to_le_bytes()].concat());
        [b"(".to_vec(), sizes.collect(), b"t".to_vec()].concat()
    };
    let entries = tensors.iter().zip(first..).flat_map(|(tensor, number)| {
        let stride = |at: usize| {
            tensor.shape[at + 1..]
                .iter()
                .fold(1, |stride: u16, size| stride.wrapping_mul(*size))
        };
        let strides: Vec<u16> = (0..tensor.shape.len()).map(stride).collect();
        let class = format!("ctorch\n{}\n", tensor.class);
        let parts: [&[u8]; 10] = [
            &text(&tensor.name),
            b"ctorch._utils\n_rebuild_tensor_v2\n((",
            &text("storage"),
            class.as_bytes(),
            &text(&number.to_string()),
            &text("cpu"),
            b"K\x00tQK\x00",
            &sizes(&tensor.shape),
            &sizes(&strides),
            b"\x89}tRs",
        ];
        parts.concat()
    });
    [b"}".to_vec(), entries.collect()].concat()
}

/// An archive with the pickle of these operations, and the storages of these tensors.
fn archive<'a>(
    operations: &[u8],
    tensors: impl IntoIterator<Item = &'a Saved>,
    others: &[&str],
) -> Vec<u8> {
    let pickle = [b"\x80\x02", operations, b"."].concat();
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let storages = tensors
        .into_iter()
        .zip(0..)
        .map(|(tensor, number)| (format!("data/{number}"), tensor.data.clone()));
    let others = others.iter().map(|name| ((*name).to_owned(), Vec::new()));
    for (name, contents) in [("data.pkl".to_owned(), pickle)]
        .into_iter()
        .chain(storages)
        .chain(others)
    {
        zip.start_file(format!("archive/{name}"), SimpleFileOptions::default())
            .unwrap();
        zip.write_all(&contents).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn state_dict(tensors: &[Saved]) -> Vec<u8> {
    archive(&dictionary(tensors, 0), tensors, &[])
}

/// Operations that push a dictionary of texts and what these operations push.
fn nest(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let entries = entries
        .iter()
        .flat_map(|(key, value)| [&text(key), *value, b"s"].concat());
    [b"}".to_vec(), entries.collect()].concat()
}

#[test]
fn checkpoints_of_trainers_become_the_same_network() {
    let folder = tempfile::tempdir().unwrap();
    let sha256 = Network::load(&fixture("foreign")).unwrap().sha256;
    for (file, key, prefix) in [
        ("pl.ckpt", Some("state_dict"), "model."),
        ("compiled.pth", None, "_orig_mod."),
    ] {
        let file = fixture("foreign").join(file);
        let imported = import(
            &file,
            &fixture("foreign/config.json"),
            &folder.path().join("out"),
            false,
        )
        .unwrap();
        assert_eq!(
            (imported.key.as_deref(), imported.prefix.as_str()),
            (key, prefix)
        );
        assert_eq!((imported.sha256, imported.tensors), (sha256.clone(), 12));
    }
}

#[test]
fn every_key_and_any_combination_of_prefixes_is_read() {
    let tensors = saved();
    let sha256 = digest(&tensors);
    let prefixes = [
        "",
        "model.",
        "module.",
        "_orig_mod.",
        "_orig_mod.module.",
        "module._orig_mod.",
        "model.model.",
    ];
    for prefix in prefixes {
        let dictionary = dictionary(&prefixed(prefix, &tensors), 0);
        for key in ["state_dict", "model", "model_state_dict"] {
            let others = [
                ("epoch", b"K\x03".as_slice()),
                ("optimizer", b"}"),
                ("weights", b"]"),
            ];
            let checkpoint = nest(&[&others[..1], &[(key, &dictionary)], &others[1..]].concat());
            let imported = import_bytes(&archive(&checkpoint, &tensors, &[])).unwrap();
            assert_eq!(
                (imported.key.as_deref(), imported.prefix.as_str()),
                (Some(key), prefix)
            );
            assert_eq!(imported.sha256, sha256, "{key} {prefix}");
        }
        let imported = import_bytes(&archive(&dictionary, &tensors, &[])).unwrap();
        assert_eq!(
            (imported.key, imported.prefix.as_str(), &imported.sha256),
            (None, prefix, &sha256)
        );
    }
}

#[test]
fn what_is_ambiguous_is_declined() {
    let tensors = saved();
    let twice = || tensors.iter().chain(&tensors);
    let (one, other) = (dictionary(&tensors, 0), dictionary(&tensors, tensors.len()));
    let two = nest(&[("model", &one), ("state_dict", &other)]);
    assert_declined(
        import_bytes(&archive(&two, twice(), &[])),
        "data.pkl",
        "several",
    );
    let inside = [one, text("model"), other, b"s".to_vec()].concat();
    assert_declined(
        import_bytes(&archive(&inside, twice(), &[])),
        "data.pkl",
        "several",
    );
    let mut some = prefixed("model.", &tensors);
    some[3].name = "criterion.weight".into();
    assert_declined(
        import_bytes(&state_dict(&some)),
        "state_dict",
        "\"criterion.weight\" beside",
    );
}

#[test]
fn other_checkpoints_are_named_for_what_they_are() {
    let read = |name: &str| std::fs::read(fixture(name)).unwrap();
    assert_declined(
        import_bytes(&read("foreign/nanogpt.pth")),
        "data.pkl",
        "a GPT-2 under the names of nanoGPT",
    );
    let tensors = saved();
    let elsewhere = nest(&[("net", &dictionary(&tensors, 0))]);
    assert_declined(
        import_bytes(&archive(&elsewhere, &tensors, &[])),
        "data.pkl",
        "under \"net\"; save that alone",
    );
    let convolution = [Saved {
        name: "conv1.weight".into(),
        ..tensors[0].clone()
    }];
    assert_declined(
        import_bytes(&state_dict(&convolution)),
        "data.pkl",
        "tensors such as \"conv1.weight\"",
    );
    let whole = nest(&[("epoch", b"K\x03"), ("model", b"cnet\nNet\n)\x81}b")]);
    assert_declined(
        import_bytes(&archive(&whole, &[], &[])),
        "data.pkl",
        "a whole pickled net.Net under \"model\"",
    );
    assert_declined(
        import_bytes(&with_pickle(b"\x80\x02}.")),
        "data.pkl",
        "without tensors",
    );
    assert_declined(
        import_bytes(&with_pickle(b"\x80\x02].")),
        "data.pkl",
        "a list",
    );
    let scalar = [dictionary(&tensors, 0), text("epoch"), b"K\x03s".to_vec()].concat();
    assert_declined(
        import_bytes(&archive(&scalar, &tensors, &[])),
        "epoch",
        "a number",
    );
    let script = archive(
        &dictionary(&tensors, 0),
        &tensors,
        &["constants.pkl", "code/__torch__.py"],
    );
    assert_declined(import_bytes(&script), "state_dict", "a TorchScript archive");
}

#[test]
fn bfloat16_is_widened_exactly() {
    let (mut narrow, mut wide) = (saved(), saved());
    // All but the biases, which stay float32.
    let weights = narrow
        .iter_mut()
        .zip(&mut wide)
        .filter(|(tensor, _)| !tensor.name.contains("b_"));
    for (narrow, wide) in weights {
        narrow.data = narrow
            .data
            .chunks(4)
            .flat_map(|float| [float[2], float[3]])
            .collect();
        wide.data = narrow
            .data
            .chunks(2)
            .flat_map(|half| [0, 0, half[0], half[1]])
            .collect();
        narrow.class = "BFloat16Storage";
    }
    let imported = import_bytes(&state_dict(&narrow)).unwrap();
    assert_eq!(
        (imported.sha256, imported.widened),
        (digest(&wide), BTreeMap::from([("bfloat16", 7)]))
    );
}

/// The number of a float16 that is finite, by its definition.
fn half(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 0x3ff));
    let size = if exponent == 0 {
        fraction
    } else {
        (fraction + 1024.) * 2_f32.powi(exponent - 1)
    };
    (if bits >> 15 == 1 { -size } else { size }) * 2_f32.powi(-24)
}

#[test]
fn float16_is_widened_exactly() {
    // Every number that there is, but for infinities: eight models hold them.
    let mut numbers = (0..=u16::MAX)
        .filter(|bits| bits >> 10 & 31 != 31)
        .collect::<Vec<_>>()
        .into_iter()
        .peekable();
    while numbers.peek().is_some() {
        let (mut narrow, mut wide) = (saved(), saved());
        for (narrow, wide) in narrow.iter_mut().zip(&mut wide) {
            let halves: Vec<u16> = (0..narrow.data.len() / 4)
                .map(|_| numbers.next().unwrap_or(0))
                .collect();
            wide.data = halves
                .iter()
                .flat_map(|bits| half(*bits).to_le_bytes())
                .collect();
            narrow.data = halves.iter().flat_map(|bits| bits.to_le_bytes()).collect();
            narrow.class = "HalfStorage";
        }
        let imported = import_bytes(&state_dict(&narrow)).unwrap();
        assert_eq!(
            (imported.sha256, imported.widened),
            (digest(&wide), BTreeMap::from([("float16", 12)]))
        );
    }
}

#[test]
fn other_data_types_are_declined_not_converted() {
    for (class, found) in [
        ("DoubleStorage", "model.float()"),
        ("LongStorage", "I64"),
        ("ComplexFloatStorage", "ComplexFloatStorage"),
    ] {
        let mut tensors = saved();
        tensors[2].class = class;
        // Wide enough: only the type is wrong.
        tensors[2].data = tensors[2].data.repeat(2);
        assert_declined(import_bytes(&state_dict(&tensors)), &tensors[2].name, found);
    }
}

#[test]
fn absent_biases_are_zeros_only_when_asked() {
    let mut tensors = saved();
    let all = [
        "blocks.0.attn.b_Q",
        "blocks.0.attn.b_K",
        "blocks.0.attn.b_V",
        "blocks.0.attn.b_O",
        "unembed.b_U",
    ];
    for absent in [&all[..], &all[3..], &all[..1]] {
        tensors = saved();
        tensors
            .iter_mut()
            .filter(|tensor| absent.contains(&tensor.name.as_str()))
            .for_each(|tensor| tensor.data.fill(0));
        let zeros = digest(&tensors);
        tensors.retain(|tensor| !absent.contains(&tensor.name.as_str()));
        let refusal = import_bytes(&state_dict(&tensors)).unwrap_err().to_string();
        assert!(
            refusal.contains("--zero-biases") && refusal.contains(&absent.join(", ")),
            "{refusal}"
        );
        let imported = import_with(&state_dict(&tensors), true).unwrap();
        assert_eq!((imported.sha256, imported.tensors), (zeros, 12));
        assert_eq!(imported.zeros, absent);
    }
    // Weights are never made up.
    tensors.retain(|tensor| tensor.name != "unembed.W_U");
    assert_declined(
        import_with(&state_dict(&tensors), true),
        "state_dict",
        "none of that name",
    );
    assert_eq!(
        import_with(&state_dict(&saved()), true).unwrap().zeros,
        [""; 0]
    );
}

#[test]
fn pickles_that_ask_for_too_much_are_declined() {
    // Remember the top of the stack, recall it, pair the two; forty times: 2⁴⁰ objects from 200 bytes.
    let bomb = [b"\x80\x02)".as_slice(), &b"q\x00h\x00\x86".repeat(40), b"."].concat();
    assert_declined(import_bytes(&with_pickle(&bomb)), "data.pkl", "too large");
    // A tuple in a tuple, 500,000 deep: dropping it would overflow the call stack.
    let deep = [b"\x80\x02)".as_slice(), &[0x85; 500_000], b"."].concat();
    assert_declined(
        import_bytes(&with_pickle(&deep)),
        "data.pkl",
        "deeply nested",
    );
    // A text of 4 GB, of which one byte is there.
    assert_declined(
        import_bytes(&with_pickle(b"\x80\x02X\xff\xff\xff\xffa.")),
        "data.pkl",
        "longer than the file",
    );
    // Weights of no numbers, whose biases would have four billion.
    let mut tensors = saved();
    tensors.retain(|tensor| tensor.name != "blocks.0.attn.b_Q");
    for tensor in tensors
        .iter_mut()
        .filter(|tensor| tensor.name == "blocks.0.attn.W_Q")
    {
        (tensor.shape, tensor.data) = (vec![u16::MAX, 0, u16::MAX], vec![]);
    }
    assert_declined(
        import_with(&state_dict(&tensors), true),
        "blocks.0.attn.W_Q",
        "[65535, 0, 65535]",
    );
    // A name of 100,000 prefixes.
    tensors.retain(|tensor| tensor.name == "embed.W_E");
    let many = prefixed(&"model.".repeat(100_000), &tensors);
    assert_declined(
        import_bytes(&state_dict(&many)),
        "state_dict",
        "none of that name",
    );
    // An integer that does not fit the machine that reads it.
    assert_declined(
        import_bytes(&with_pickle(
            b"\x80\x02\x8a\x21aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.",
        )),
        "data.pkl",
        "64",
    );
}

#[test]
fn damaged_files_never_panic_and_never_give_another_network() {
    let original = Network::load(&root().join("models/max_of_4_seed50"))
        .unwrap()
        .sha256;
    let same = |result: Result<Imported, Refusal>| {
        result.is_err() || result.is_ok_and(|it| it.sha256 == original)
    };
    let file = std::fs::read(fixture(STATE_DICT)).unwrap();
    for len in (0..file.len()).step_by(997) {
        import_bytes(&file[..len]).unwrap_err();
    }
    // In the archive: the checksum finds damaged data.
    for at in (0..file.len())
        .step_by(211)
        .chain(file.len() - 120..file.len())
    {
        let mut damaged = file.clone();
        damaged[at] ^= 1 << (at % 8);
        assert!(same(import_bytes(&damaged)), "byte {at}");
    }
    // In the pickle: a changed layout may well be another network of the same shape, but must be handled.
    let pickle = pickle();
    for at in (0..pickle.len()).step_by(5) {
        let mut damaged = pickle.clone();
        damaged[at] ^= 1 << (at % 8);
        drop(import_bytes(&with_pickle(&damaged)));
        drop(import_bytes(&with_pickle(&pickle[..at])));
    }
}

#[test]
fn the_config_decides_the_sizes() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(config()).unwrap();
    for (from, to, expected_at) in [
        ("\"n_ctx\": 4", "\"n_ctx\": 5", "pos_embed.W_pos"),
        ("\"d_vocab\": 64", "\"d_vocab\": 65", "config.json, task"),
        ("\"n_layers\": 1", "\"n_layers\": 2", "state_dict"),
    ] {
        assert!(text.contains(from));
        let config = folder.path().join("config.json");
        std::fs::write(&config, text.replace(from, to)).unwrap();
        let result = import(
            &fixture(STATE_DICT),
            &config,
            &folder.path().join("out"),
            false,
        );
        assert_declined(result, expected_at, "");
        assert!(!folder.path().join("out").exists());
    }
}
