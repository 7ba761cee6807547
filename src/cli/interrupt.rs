//! Ctrl-C, and the end that a cluster's scheduler asks for: nothing half-written is left.

use super::streams::note;
use crate::output::abandon;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Ends the program at these signals, with 128 and the signal's number as the exit code, as shells have it.
pub(crate) fn watch() {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else {
        return note("gbmi: signals cannot be watched: an interrupt may leave temporary files");
    };
    let wait = move || {
        if let Some(signal) = signals.forever().next() {
            abandon();
            note("gbmi: interrupted");
            end(128 + signal);
        }
    };
    // Without a thread for it the system ends the program.
    drop(std::thread::Builder::new().spawn(wait));
}

#[allow(clippy::exit)] // an interrupt ends what other threads do
fn end(code: i32) {
    std::process::exit(code)
}
