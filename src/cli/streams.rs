//! What a command says, and what becomes of it when nobody can hear.
//!
//! | what stands on stdout | of | where stdout cannot be written |
//! |---|---|---|
//! | the product: [`print`] | `strategies`, `completions`, `--help`, `evaluate`, `inspect`, `compare`; `explain` and `frontier` without `--out` | the command fails, with exit code 3 |
//! | a verdict, or what the files written are: [`tell`] | `check`, `prove`; `export-coq`, `import`, `train`, `sweep`, `report`; `explain` and `frontier` with `--out` | stderr says so; the exit code is what it would have been |
//!
//! On stderr stand remarks ([`note`]): where it cannot be written they are lost, and nothing else is. A stream that was
//! closed before the program began is /dev/null to it, by Rust's runtime: no file that is opened takes its place.

use super::Failure;
use std::io::Write;

/// Writes a command's product to stdout.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    write_to(std::io::stdout().lock(), text).map_err(|error| Failure::Other(format!("cannot write to stdout: {error}")))
}

/// Says on stdout what the exit code or a file says too.
pub(crate) fn tell(text: &str) {
    if let Err(error) = write_to(std::io::stdout().lock(), text) {
        note(&format!("gbmi: cannot write to stdout: {error}"));
    }
}

/// Says a line on stderr.
pub(crate) fn note(line: &str) {
    // There is nowhere left to say that it failed.
    let _ = write_to(std::io::stderr().lock(), &format!("{line}\n"));
}

fn write_to(mut stream: impl Write, text: &str) -> std::io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}
