//! How far long work is: a bar on terminals, elsewhere a line every half minute, in notebooks and the logs of clusters.

use super::streams::{called, note};
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two lines.
const EVERY: Duration = Duration::from_secs(30);

/// Steps of long work.
pub(crate) struct Progress {
    count: Arc<Steps>,
    #[cfg(any(feature = "prove", feature = "train"))]
    bar: indicatif::ProgressBar,
    /// Dropped, it ends the lines.
    lines: Option<(Sender<()>, JoinHandle<()>)>,
}

/// How far a command is, for other threads.
#[derive(Debug, Default)]
pub struct Steps {
    done: AtomicUsize,
    all: AtomicUsize,
    stop: AtomicBool,
}

impl Steps {
    /// How many steps are done, and of how many: 0 if that is not known.
    pub fn done(&self) -> (usize, usize) {
        let read = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        (read(&self.done), read(&self.all))
    }

    /// The command unwinds from its next step, and leaves nothing half-written.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Is it to stop?
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn line(&self, elapsed: Duration) -> String {
        let (done, all) = self.done();
        let of = if all > 0 {
            format!(" of {all}")
        } else {
            String::new()
        };
        format!("gbmi: {done}{of} steps done, {} s", elapsed.as_secs())
    }
}

impl Progress {
    /// So many steps; nothing is shown when quiet.
    pub(crate) fn new(steps: usize, quiet: bool) -> Self {
        let called = called();
        let quiet = quiet || called.is_some();
        let count = called.unwrap_or_default();
        count.done.store(0, Ordering::Relaxed);
        count.all.store(steps, Ordering::Relaxed);
        let is_terminal = std::io::stderr().is_terminal();
        Self {
            #[cfg(any(feature = "prove", feature = "train"))]
            bar: bar(steps, is_terminal && !quiet),
            lines: if is_terminal || quiet {
                None
            } else {
                lines(&count, EVERY, note)
            },
            count,
        }
    }

    /// Steps of work of unknown length.
    #[cfg(any(feature = "prove", feature = "inspect"))]
    pub(crate) fn open_ended(quiet: bool) -> Self {
        Self::new(0, quiet)
    }

    /// Now there are so many steps.
    #[cfg(feature = "sweep")]
    pub(crate) fn restart(&self, steps: usize) {
        self.count.done.store(0, Ordering::Relaxed);
        self.count.all.store(steps, Ordering::Relaxed);
        self.bar.reset();
        self.bar.set_style(style(steps));
        self.bar.set_length(steps as u64);
    }

    /// One step is done.
    pub(crate) fn step(&self) {
        self.count.done.fetch_add(1, Ordering::Relaxed);
        if self.count.is_stopped() {
            std::panic::resume_unwind(Box::new("stopped"));
        }
        #[cfg(any(feature = "prove", feature = "train"))]
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.lines.take() {
            drop(stop);
            // It says nothing of how it ended.
            let _ = thread.join();
        }
        #[cfg(any(feature = "prove", feature = "train"))]
        self.bar.finish_and_clear();
    }
}

/// Says how far it is, again and again, until the sender is dropped.
fn lines(
    count: &Arc<Steps>,
    every: Duration,
    say: impl Fn(&str) + Send + 'static,
) -> Option<(Sender<()>, JoinHandle<()>)> {
    let (stop, stopped) = channel();
    let (count, start) = (count.clone(), Instant::now());
    let talk = move || {
        while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
            say(&count.line(start.elapsed()));
        }
    };
    // Without a thread for it nothing is said.
    let thread = std::thread::Builder::new().spawn(talk).ok()?;
    Some((stop, thread))
}

#[cfg(any(feature = "prove", feature = "train"))]
fn bar(steps: usize, is_shown: bool) -> indicatif::ProgressBar {
    if !is_shown {
        return indicatif::ProgressBar::hidden();
    }
    let bar = indicatif::ProgressBar::new(steps as u64);
    bar.with_style(style(steps))
}

#[cfg(any(feature = "prove", feature = "train"))]
fn style(steps: usize) -> indicatif::ProgressStyle {
    let template = if steps > 0 {
        "{bar:40} {pos}/{len} {elapsed}"
    } else {
        "{spinner} {pos} steps {elapsed}"
    };
    let style = indicatif::ProgressStyle::with_template(template);
    style.unwrap_or_else(|_| indicatif::ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_said_until_the_work_ends() {
        let count = Arc::new(Steps::default());
        count.all.store(64, Ordering::Relaxed);
        count.done.store(12, Ordering::Relaxed);
        let (say, said) = channel();
        let (stop, thread) = lines(&count, Duration::from_millis(5), move |line| {
            // Those after the two below are heard by nobody.
            let _ = say.send(line.to_string());
        })
        .unwrap();
        let line = said.recv().unwrap();
        assert!(line.starts_with("gbmi: 12 of 64 steps done, "), "{line}");
        count.all.store(0, Ordering::Relaxed);
        assert!(
            said.iter()
                .any(|line| line.starts_with("gbmi: 12 steps done, "))
        );
        drop(stop);
        thread.join().unwrap();
    }
}
