//! Compact proofs of what a neural network does, and a small checker for them.
//!
//! A small transformer answers a task with finitely many inputs, such as Max-of-n: which token of the input is the
//! largest. `gbmi` proves bounds on how many inputs it answers correctly, and writes the proof as a certificate. The
//! checker re-derives the bounds from the weights in exact arithmetic.
//!
//! ```
//! use gbmi::certificate::Certificate;
//! use gbmi::checker::{Options, arithmetic::Fixed, check};
//! use gbmi::model::Network;
//! use gbmi::search::prove;
//! use gbmi::strategy::Strategy;
//!
//! // The largest of three tokens out of five.
//! let network = Network::load("tests/data/tiny".as_ref())?;
//! let exact = Strategy::Exact { two_sided: true };
//! let proof = prove(&network, exact, None, Options::default())?;
//!
//! // What a sceptic does: from the weights, and the contents of a file.
//! let certificate = Certificate::read(&proof.text)?;
//! let certified = check::<Fixed>(&network, &certificate, Options::default())?;
//! assert_eq!(certified.correct, 109_u32.into());
//! assert_eq!(certified.upper, 109_u32.into());
//! assert_eq!(certified.total, 125_u32.into());
//! assert!(certified.meter.flops() < 5_000);
//! # Ok::<(), gbmi::refusal::Refusal>(())
//! ```
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
//! | [`cli`] | no | the command line, for `gbmi` itself and for programs that call it |
//!
//! The arrow points one way: the trusted rooms import nothing from the others (`tests/house.rs` fails if they do).

#![warn(clippy::print_stdout, clippy::print_stderr)]

#[cfg(any(feature = "prove", feature = "inspect"))]
pub mod answers;
pub mod bundled;
pub mod certificate;
pub mod checker;
pub mod cli;
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
