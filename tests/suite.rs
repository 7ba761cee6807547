//! All tests of `tests/` but the corpora: one program, so that candle and the rest are linked once. `cargo test cli::`
//! runs those of one file.

mod common;

mod anatomy;
mod arithmetic;
mod cli;
mod configuration;
mod coq;
mod cost;
mod entries;
mod exhaustive;
mod explain;
mod families;
mod foreign;
mod fuzz;
mod hostile;
mod house;
mod import;
mod inspect;
mod killed;
mod levels;
mod models;
mod mutation;
mod optimiser;
mod oracles;
mod output;
mod outputs;
mod overlaps;
mod perturbed;
mod planted;
mod published;
mod reference;
mod report;
mod soundness;
mod specification;
mod streams;
mod sweep;
mod tally;
mod train;
mod traps;
mod verified;
mod wrong;

#[test]
fn no_file_is_forgotten() {
    for entry in std::fs::read_dir("tests").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_part = path.extension().is_some_and(|extension| extension == "rs")
            && !["suite", "certificates"].contains(&name);
        assert!(
            !is_part || include_str!("suite.rs").contains(&format!("\nmod {name};\n")),
            "{name} is not in suite.rs"
        );
    }
}
