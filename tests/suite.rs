//! All tests of `tests/` but the corpora: one program, so that candle and the rest are linked once. `cargo test cli::`
//! runs those of one file.

mod common;

mod arithmetic;
mod cli;
mod coq;
mod entries;
mod explain;
mod fuzz;
mod import;
mod inspect;
mod models;
mod mutation;
mod optimiser;
mod oracles;
mod overlaps;
mod perturbed;
mod planted;
mod published;
mod reference;
mod report;
mod soundness;
mod specification;
mod sweep;
mod tally;
mod train;
mod traps;
mod trusted;
mod verified;
