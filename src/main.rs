//! The command line: see `gbmi --help` and docs/commands.md.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod cli;

fn main() -> std::process::ExitCode {
    cli::run().into()
}
