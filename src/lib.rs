//! Compact proofs of what a neural network does, and a small checker for them.
//!
//! A one-layer, one-head, attention-only transformer answers Max-of-n: which token of the input is the largest.
//! `gbmi` proves a lower bound on how many of the `d_vocab^n_ctx` inputs it answers correctly, and writes the proof
//! as a certificate. The checker re-derives the bound from the weights in exact arithmetic.
//!
//! | room | trusted | what it holds |
//! |---|---|---|
//! | [`refusal`], [`parallel`] | yes | why something was rejected or declined; work shared among threads |
//! | [`task`] | yes | which inputs there are, where answers are read, which are right |
//! | [`model`] | yes | reading weights, and what the network means |
//! | [`certificate`] | yes | the format of a proof |
//! | [`checker`] | yes | arithmetic, proof rules, counting, the tally of FLOPs |
//! | [`bundled`] | no | the model that stands in the program |
//! | [`kind`] | no | what a file is that is no model |
//! | [`numerals`] | no | exact numbers as text |
//! | [`strategy`] | no | the strategies by name; unexplained dimensions |
//! | `search` | no | finds hints for the rules |
//! | `answers`, `wrong` | no | what is answered, in floating point; inputs that are answered wrongly |
//! | `explain` | no | where a proof loses inputs |
//! | `coq` | no | certificates as theorems |
//! | `train`, `sweep`, `report` | no | trains models; many models, many strategies; tables, figures and pages of it |
//! | `import`, `inspect`, `output` | no | other formats in, pictures out, whole files |
//!
//! The arrow points one way: the trusted rooms import nothing from the others (`tests/house.rs` fails if they do).

#![warn(clippy::print_stdout, clippy::print_stderr)]

#[cfg(any(feature = "prove", feature = "train"))]
pub mod answers;
pub mod bundled;
pub mod certificate;
pub mod checker;
#[cfg(feature = "coq")]
pub mod coq;
#[cfg(feature = "inspect")]
pub mod explain;
#[cfg(feature = "import")]
pub mod import;
#[cfg(feature = "inspect")]
pub mod inspect;
pub mod kind;
pub mod model;
pub mod numerals;
#[cfg(feature = "output")]
pub mod output;
pub mod parallel;
pub mod refusal;

#[cfg(feature = "sweep")]
pub mod report;
#[cfg(feature = "prove")]
pub mod search;
pub mod strategy;
#[cfg(feature = "sweep")]
pub mod sweep;
pub mod task;
#[cfg(feature = "train")]
pub mod train;
#[cfg(all(feature = "prove", feature = "inspect"))]
pub mod wrong;
