//! Importing PyTorch files: what users really have, and what an attacker might send.
#![cfg(feature = "import")]

use gbmi::import::{Imported, import};
use gbmi::model::Network;
use gbmi::refusal::{Decline, Refusal};
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
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
    let folder = tempfile::tempdir().unwrap();
    let (path, out) = (folder.path().join("model.pth"), folder.path().join("out"));
    std::fs::write(&path, file).unwrap();
    let result = import(&path, &config(), &out);
    assert!(result.is_ok() || !out.exists(), "something was written in spite of {result:?}");
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
        if let Some((_, replacement)) = replacements.iter().find(|(path, _)| name == format!("model/{path}")) {
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
    ZipArchive::new(Cursor::new(&file)).unwrap().by_name("model/data.pkl").unwrap().read_to_end(&mut pickle).unwrap();
    pickle
}

/// The fixture's pickle with the first occurrence of a text replaced: names by names of the same length, since their
/// length precedes them; classes by any, since they end with their line.
fn pickle_with(from: &str, to: &str) -> Vec<u8> {
    let pickle = pickle();
    let at = pickle.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    [&pickle[..at], to.as_bytes(), &pickle[at + from.len()..]].concat()
}

#[track_caller]
fn assert_declined(result: Result<Imported, Refusal>, expected_at: &str, expected_found: &str) {
    match result {
        Err(Refusal::Declined(Decline::Model { at, found, .. })) => {
            assert!(at == expected_at && found.contains(expected_found), "at {at:?}, found {found:?}");
        }
        other => panic!("not declined: {other:?}"),
    }
}

#[test]
fn a_state_dict_becomes_the_same_network() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("new/folder");
    let imported = import(&fixture(STATE_DICT), &config(), &out).unwrap();
    let original = Network::load(&root().join("models/max_of_4_seed50")).unwrap();
    assert_eq!(imported.sha256, original.sha256);
    assert_eq!(Network::load(&out).unwrap().sha256, original.sha256);
    assert_eq!(imported.tensors, 12);
    assert_eq!(imported.ignored, ["blocks.0.attn.IGNORE", "blocks.0.attn.mask"]);
    assert_eq!(std::fs::read(out.join("config.json")).unwrap(), std::fs::read(config()).unwrap());
    let mut names: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort_unstable();
    assert_eq!(names, ["config.json", "model.safetensors"], "no temporary files are left");
}

#[test]
fn a_model_pickled_whole_is_declined_with_advice() {
    let refusal = import_bytes(&std::fs::read(fixture("induction_head_two_layers.pth")).unwrap()).unwrap_err();
    let message = refusal.to_string();
    for part in ["whole pickled transformer_lens.HookedTransformer", "with 2 layers", "model.state_dict()"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(matches!(refusal, Refusal::Declined(_)), "{refusal:?}");
}

#[test]
fn files_that_cannot_be_read_are_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none");
    for (file, config) in [(&missing, &config()), (&fixture(STATE_DICT), &missing)] {
        let refusal = import(file, config, &folder.path().join("out")).unwrap_err();
        assert!(matches!(&refusal, Refusal::Unreadable(reason) if reason.contains("none")), "{refusal:?}");
    }
    let file = std::fs::File::create(folder.path().join("large")).unwrap();
    file.set_len(gbmi::model::MAX_WEIGHT_BYTES + 1).unwrap();
    let refusal = import(&folder.path().join("large"), &config(), &folder.path().join("out")).unwrap_err();
    assert!(matches!(refusal, Refusal::Declined(Decline::TooLarge { .. })), "{refusal:?}");
}

#[test]
fn a_taken_name_leaves_the_folder_as_it_was() {
    let out = tempfile::tempdir().unwrap();
    std::fs::create_dir(out.path().join("config.json")).unwrap();
    let refusal = import(&fixture(STATE_DICT), &config(), out.path()).unwrap_err();
    assert!(matches!(refusal, Refusal::Unreadable(_)), "{refusal:?}");
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 1);
}

#[test]
fn what_the_network_would_not_accept_is_declined_under_the_state_dicts_name() {
    let renamed = with_pickle(&pickle_with("blocks.0.attn.mask", "blocks.0.attn.mast"));
    assert_declined(import_bytes(&renamed), "state_dict", "unknown tensor \"blocks.0.attn.mast\"");
    let repeated = with_pickle(&pickle_with("blocks.0.attn.W_K", "blocks.0.attn.W_Q"));
    assert_declined(import_bytes(&repeated), "blocks.0.attn.W_Q", "another");
    let mut embedding = vec![0; 64 * 32 * 4];
    embedding[4..8].copy_from_slice(&f32::NAN.to_le_bytes());
    let nan = with_entries(&[("data/0", embedding)]);
    assert_declined(import_bytes(&nan), "embed.W_E", "NaN or infinity at flat index 1");
    let big_endian = with_entries(&[("byteorder", b"big".to_vec())]);
    assert_declined(import_bytes(&big_endian), "byteorder", "big");
}

#[test]
fn other_data_types_are_declined_not_converted() {
    // Every tensor's class is the first one, remembered: with data wide enough, only the type is wrong.
    let wide: Vec<_> = (0..14).map(|index| (format!("data/{index}"), vec![0; 64 * 64 * 8])).collect();
    for (class, at, found) in [
        ("DoubleStorage", "blocks.0.attn.W_K", "F64"),
        ("HalfStorage", "blocks.0.attn.W_K", "F16"),
        ("ComplexFloatStorage", "unembed.b_U", "ComplexFloat"),
    ] {
        let mut entries: Vec<(&str, Vec<u8>)> = wide.iter().map(|(name, data)| (name.as_str(), data.clone())).collect();
        entries.push(("data.pkl", pickle_with("FloatStorage", class)));
        assert_declined(import_bytes(&with_entries(&entries)), at, found);
    }
}

/// A pickle operation that pushes a text.
fn text(text: &str) -> Vec<u8> {
    [b"X".as_slice(), &u32::try_from(text.len()).unwrap().to_le_bytes(), text.as_bytes()].concat()
}

#[test]
fn nested_and_empty_checkpoints_are_declined() {
    let whole = pickle();
    let inner = whole.strip_prefix(b"\x80\x02").and_then(|rest| rest.strip_suffix(b".")).unwrap();
    let nested = [b"\x80\x02}".as_slice(), &text("model"), inner, b"s."].concat();
    assert_declined(import_bytes(&with_pickle(&nested)), "data.pkl", "a dictionary \"model\" inside");
    assert_declined(import_bytes(&with_pickle(b"\x80\x02}.")), "data.pkl", "without tensors");
    assert_declined(import_bytes(&with_pickle(b"\x80\x02].")), "data.pkl", "a list");
    let scalar = [b"\x80\x02}".as_slice(), &text("epoch"), b"K\x03s."].concat();
    assert_declined(import_bytes(&with_pickle(&scalar)), "epoch", "a number");
}

#[test]
fn pickles_that_ask_for_too_much_are_declined() {
    // Remember the top of the stack, recall it, pair the two; forty times: 2⁴⁰ objects from 200 bytes.
    let bomb = [b"\x80\x02)".as_slice(), &b"q\x00h\x00\x86".repeat(40), b"."].concat();
    assert_declined(import_bytes(&with_pickle(&bomb)), "data.pkl", "too large");
    // A tuple in a tuple, 500,000 deep: dropping it would overflow the call stack.
    let deep = [b"\x80\x02)".as_slice(), &[0x85; 500_000], b"."].concat();
    assert_declined(import_bytes(&with_pickle(&deep)), "data.pkl", "deeply nested");
    // A text of 4 GB, of which one byte is there.
    assert_declined(import_bytes(&with_pickle(b"\x80\x02X\xff\xff\xff\xffa.")), "data.pkl", "longer than the file");
    // An integer that does not fit the machine that reads it.
    assert_declined(
        import_bytes(&with_pickle(b"\x80\x02\x8a\x21aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.")),
        "data.pkl",
        "64",
    );
}

#[test]
fn damaged_files_never_panic_and_never_give_another_network() {
    let original = Network::load(&root().join("models/max_of_4_seed50")).unwrap().sha256;
    let same = |result: Result<Imported, Refusal>| result.is_err() || result.is_ok_and(|it| it.sha256 == original);
    let file = std::fs::read(fixture(STATE_DICT)).unwrap();
    for len in (0..file.len()).step_by(997) {
        import_bytes(&file[..len]).unwrap_err();
    }
    // In the archive: the checksum finds damaged data.
    for at in (0..file.len()).step_by(211).chain(file.len() - 120..file.len()) {
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
        ("\"n_layers\": 1", "\"n_layers\": 2", "config.json, n_layers"),
    ] {
        assert!(text.contains(from));
        let config = folder.path().join("config.json");
        std::fs::write(&config, text.replace(from, to)).unwrap();
        let result = import(&fixture(STATE_DICT), &config, Path::new(&folder.path().join("out")));
        assert_declined(result, expected_at, "");
        assert!(!folder.path().join("out").exists());
    }
}
