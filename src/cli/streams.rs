//! stdin, stdout and stderr: what a command reads and says there, and what becomes of it when nobody can hear.
//!
//! | what stands on stdout | of | where stdout cannot be written |
//! |---|---|---|
//! | the product: [`print`] | `strategies`, `completions`, `--help`, `evaluate`, `inspect`, `compare`; a file whose name is `-`; `explain` and `frontier` without `--out` | the command fails, with exit code 3 |
//! | a verdict, or what the files written are: [`tell`] | `check`, `prove`; `export-coq`, `import`, `train`, `sweep`, `report`, `man`; `explain` and `frontier` with `--out` | stderr says so; the exit code is what it would have been |
//!
//! On stderr stand remarks ([`note`]): where it cannot be written they are lost, and nothing else is. A stream that was
//! closed before the program began is /dev/null to it, by Rust's runtime: no file that is opened takes its place.

use super::{Failure, Steps};
use crate::certificate::{Certificate, MAX_BYTES};
use crate::kind::Kind;
use crate::model::read_limited;
#[cfg(any(feature = "prove", feature = "coq"))]
use crate::output::Pending;
use crate::refusal::{Decline, Refusal, Rejection};
#[cfg(feature = "output")]
use clap::builder::{PathBufValueParser, TypedValueParser};
use std::cell::RefCell;
use std::fmt::Display;
use std::io::{Read, Write};
use std::path::Path;
#[cfg(feature = "output")]
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// Where a file is named, stdin or stdout.
const STREAM: &str = "-";

/// Does this name no file, but stdin or stdout?
pub(crate) fn is_stream(path: &Path) -> bool {
    path == STREAM
}

/// The certificate in this file.
pub(crate) fn certificate(path: &Path) -> Result<Certificate, Refusal> {
    stage(format_args!("reading the certificate {}", path.display()));
    let bytes = if is_stream(path) {
        stdin()?
    } else {
        read_limited(path, MAX_BYTES)?
    };
    Certificate::read(&bytes).map_err(|refusal| match Kind::of(&bytes) {
        None | Some(Kind::Json) => refusal,
        Some(kind) => Rejection::Malformed {
            path: ".".into(),
            found: kind.to_string(),
        }
        .into(),
    })
}

fn stdin() -> Result<Vec<u8>, Refusal> {
    if called().is_some() {
        let reason = "stdin is another program's: expected a file";
        return Err(Refusal::Unreadable(reason.into()));
    }
    let mut bytes = vec![];
    let read = std::io::stdin()
        .lock()
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes);
    let found =
        read.map_err(|error| Refusal::Unreadable(format!("cannot read stdin: {error}")))? as u64;
    if found > MAX_BYTES {
        return Err(Decline::too_large("stdin", MAX_BYTES, found).into());
    }
    Ok(bytes)
}

/// Writes the one file that is a command's product.
#[cfg(any(feature = "prove", feature = "coq"))]
pub(crate) fn write(path: &Path, contents: &[u8]) -> Result<(), Failure> {
    stage(format_args!("writing {}", path.display()));
    if is_stream(path) {
        product(contents)
    } else {
        Ok(Pending::with_contents(path, contents)?.keep().map(drop)?)
    }
}

/// A folder that a command writes several files into.
#[cfg(feature = "output")]
pub(crate) fn folder() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match is_stream(&path) {
        true => Err("expected a folder: stdout takes one file"),
        false => Ok(path),
    })
}

/// Writes a command's product to stdout.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    product(text.as_bytes())
}

fn product(contents: &[u8]) -> Result<(), Failure> {
    say(Stream::Out, contents).map_err(Failure::Unheard)
}

/// Says on stdout what the exit code or a file says too.
pub(crate) fn tell(text: &str) {
    if let Err(error) = say(Stream::Out, text.as_bytes()) {
        note(&format!("gbmi: cannot write to stdout: {error}"));
    }
}

/// When the program began, if it is to say what it does.
static BEGAN: OnceLock<Instant> = OnceLock::new();

/// From now on, [`stage`] is heard.
pub(crate) fn be_verbose() {
    BEGAN.get_or_init(Instant::now);
}

/// Says on stderr what is done next, where that is asked for.
pub(crate) fn stage(what: impl Display) {
    if let Some(began) = BEGAN.get() {
        note(&format!(
            "gbmi: {:.2} s: {what}",
            began.elapsed().as_secs_f64()
        ));
    }
}

/// Says a line on stderr.
pub(crate) fn note(line: &str) {
    // There is nowhere left to say that it failed.
    let _ = say(Stream::Err, format!("{line}\n").as_bytes());
}

#[derive(Clone, Copy)]
enum Stream {
    Out,
    Err,
}

/// A command that another program has called.
struct Call {
    said: [Vec<u8>; 2],
    steps: Arc<Steps>,
}

thread_local! {
    static CALL: RefCell<Option<Call>> = const { RefCell::new(None) };
}

/// Runs a command whose streams are kept: what it returns, and stdout and stderr.
pub(crate) fn captured<T>(steps: &Arc<Steps>, command: impl FnOnce() -> T) -> (T, [Vec<u8>; 2]) {
    let call = Call {
        said: [vec![], vec![]],
        steps: steps.clone(),
    };
    CALL.set(Some(call));
    let returned = command();
    let said = CALL.take().map(|call| call.said);
    (returned, said.unwrap_or_default())
}

/// The steps of the command that this thread was called for, if it was.
pub(crate) fn called() -> Option<Arc<Steps>> {
    CALL.with_borrow(|call| Some(call.as_ref()?.steps.clone()))
}

fn say(stream: Stream, contents: &[u8]) -> std::io::Result<()> {
    let is_kept = CALL.with_borrow_mut(|call| {
        let kept = call.as_mut().map(|call| &mut call.said[stream as usize]);
        kept.map(|kept| kept.extend_from_slice(contents)).is_some()
    });
    match stream {
        _ if is_kept => Ok(()),
        Stream::Out => write_to(std::io::stdout().lock(), contents),
        Stream::Err => write_to(std::io::stderr().lock(), contents),
    }
}

fn write_to(mut stream: impl Write, contents: &[u8]) -> std::io::Result<()> {
    stream.write_all(contents)?;
    stream.flush()
}
