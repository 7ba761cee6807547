//! The command line: see `gbmi --help` and docs/commands.md.

fn main() -> std::process::ExitCode {
    gbmi::cli::run(std::env::args_os().collect()).into()
}
