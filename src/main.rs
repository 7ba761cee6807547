//! The command line: see `gbmi --help` and the README.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run().into()
}
