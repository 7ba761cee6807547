//! A progress bar on stderr, on terminals only.

#[cfg(any(feature = "prove", feature = "train"))]
mod bar {
    use std::io::IsTerminal;

    /// Steps of long work.
    pub(crate) struct Progress(indicatif::ProgressBar);

    impl Progress {
        /// A bar of `steps` steps; hidden when quiet or when stderr is no terminal.
        pub(crate) fn new(steps: usize, quiet: bool) -> Self {
            let bar = indicatif::ProgressBar::new(steps as u64);
            Self::shown(bar, "{bar:40} {pos}/{len} {elapsed}", quiet)
        }

        /// A count of steps, for work of unknown length.
        #[cfg(feature = "prove")]
        pub(crate) fn open_ended(quiet: bool) -> Self {
            Self::shown(
                indicatif::ProgressBar::new_spinner(),
                "{spinner} {pos} steps {elapsed}",
                quiet,
            )
        }

        fn shown(bar: indicatif::ProgressBar, template: &str, quiet: bool) -> Self {
            if quiet || !std::io::stderr().is_terminal() {
                return Self(indicatif::ProgressBar::hidden());
            }
            let style = indicatif::ProgressStyle::with_template(template);
            Self(bar.with_style(style.unwrap_or_else(|_| indicatif::ProgressStyle::default_bar())))
        }

        /// Now there are so many steps.
        #[cfg(feature = "sweep")]
        pub(crate) fn restart(&self, steps: usize) {
            self.0.reset();
            self.0.set_length(steps as u64);
        }

        /// One step is done.
        pub(crate) fn step(&self) {
            self.0.inc(1);
        }
    }

    impl Drop for Progress {
        fn drop(&mut self) {
            self.0.finish_and_clear();
        }
    }
}

#[cfg(not(any(feature = "prove", feature = "train")))]
mod bar {
    /// Without the features `prove` and `train` there is no bar.
    pub(crate) struct Progress;

    impl Progress {
        pub(crate) fn new(_steps: usize, _quiet: bool) -> Self {
            Self
        }

        pub(crate) fn step(&self) {}
    }
}

pub(crate) use bar::Progress;
