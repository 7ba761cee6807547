//! The command line. It converts between files, flags and the library; nothing here decides what is proved.

mod arguments;
mod check;
#[cfg(feature = "prove")]
mod compare;
#[cfg(feature = "train")]
mod evaluate;
#[cfg(feature = "inspect")]
mod explain;
#[cfg(feature = "coq")]
mod export_coq;
#[cfg(all(feature = "prove", feature = "inspect"))]
mod frontier;
#[cfg(feature = "import")]
mod import;
#[cfg(feature = "inspect")]
mod inspect;
#[cfg(all(unix, feature = "output"))]
mod interrupt;
mod model;
mod progress;
#[cfg(feature = "prove")]
mod prove;
mod refused;
#[cfg(feature = "sweep")]
mod report;
mod streams;
#[cfg(feature = "sweep")]
mod sweep;
#[cfg(feature = "train")]
mod train;
mod verdict;
#[cfg(all(feature = "prove", feature = "inspect"))]
mod wrong;

#[cfg(feature = "prove")]
use crate::model::Network;
use crate::refusal::Refusal;
#[cfg(feature = "prove")]
use crate::search::MOST_INPUTS;
use arguments::natural;
use clap::{CommandFactory, Parser, Subcommand};
#[cfg(feature = "prove")]
use num_bigint::BigUint;
pub use progress::Steps;
use refused::Refused;
use std::ffi::OsString;
use std::sync::Arc;
use streams::{note, print, tell};

/// Compact, checked proofs of what a neural network does.
#[derive(Parser)]
#[command(name = "gbmi", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Say on stderr what is being done
    #[arg(short, long, global = true)]
    verbose: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Check a certificate: re-derive its bound from the weights, in exact arithmetic
    Check(check::Args),
    /// Prove a lower bound on a model's accuracy, and write it as a certificate
    #[cfg(feature = "prove")]
    Prove(Box<prove::Args>),
    /// Run strategies on models, side by side
    #[cfg(feature = "prove")]
    Compare(compare::Args),
    /// Bounds against proof lengths: the proofs that no shorter one matches
    #[cfg(all(feature = "prove", feature = "inspect"))]
    Frontier(frontier::Args),
    /// Show where a certificate's proof loses inputs: by rule, maximum, query and wrong answer
    #[cfg(feature = "inspect")]
    Explain(explain::Args),
    /// List inputs that a model answers wrongly, each shown wrong in exact arithmetic
    #[cfg(all(feature = "prove", feature = "inspect"))]
    Wrong(wrong::Args),
    /// Write a certificate as a theorem for Coq, whose kernel then checks it
    #[cfg(feature = "coq")]
    ExportCoq(export_coq::Args),
    /// Show a model's sizes, digest, singular values and paths; draw its circuits
    #[cfg(feature = "inspect")]
    Inspect(inspect::Args),
    /// Turn a PyTorch state_dict or checkpoint into model.safetensors and config.json
    #[cfg(feature = "import")]
    Import(import::Args),
    /// Train many models, run many strategies on each; goes on where it was interrupted
    #[cfg(feature = "sweep")]
    Sweep(sweep::Args),
    /// Make tables, figures and pages of a sweep
    #[cfg(feature = "sweep")]
    Report(report::Args),
    /// Train models of any task, one for every seed, by the recipe of its experiment
    #[cfg(feature = "train")]
    Train(Box<train::Args>),
    /// Count the inputs that a model answers correctly, in floating point: no proof
    #[cfg(feature = "train")]
    Evaluate(evaluate::Args),
    /// List the strategies
    #[cfg(feature = "prove")]
    Strategies {
        /// Print one JSON array on one line
        #[arg(long)]
        json: bool,
    },
    /// Write man pages, one for each command
    #[cfg(feature = "output")]
    Man {
        /// The folder
        #[arg(value_name = "DIR", value_parser = streams::folder())]
        out: std::path::PathBuf,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What `check` and `prove` share.
#[derive(clap::Args)]
struct Common {
    /// Decline proofs that take more FLOPs, or more integer operations, than this
    #[arg(long, value_name = "N", default_value_t = crate::checker::DEFAULT_MAX_FLOPS, value_parser = natural::<u64>)]
    max_flops: u64,
    /// Number of threads; the result does not depend on it [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Print one JSON object on one line
    #[arg(long)]
    json: bool,
    /// No progress bar, and only the verdict's first line
    #[arg(long)]
    quiet: bool,
}

impl Common {
    fn options<'a>(&self, progress: &'a (dyn Fn() + Sync)) -> crate::checker::Options<'a> {
        crate::checker::Options {
            max_flops: self.max_flops,
            threads: threads(self.threads),
            progress,
        }
    }
}

/// The number of threads asked for, or all.
fn threads(asked: Option<u16>) -> usize {
    asked.map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        usize::from,
    )
}

/// Why a command did not succeed.
enum Failure {
    /// A verdict other than accepted, or a file that cannot be read or written.
    Refused(Refusal),
    /// The same, and stdout has the verdict.
    Judged(Refusal),
    /// Models, by name, that something was refused of; all the others are done, and stdout has all.
    #[cfg(feature = "prove")]
    Several(Vec<(String, Refusal)>),
    /// Arguments that the parser refuses.
    Arguments(clap::Error),
    /// Arguments that do not go together, or with the model.
    #[cfg(any(feature = "prove", feature = "coq", feature = "train"))]
    Usage(String),
    /// stdout cannot be written.
    Unheard(std::io::Error),
    /// What no other says.
    #[cfg(feature = "output")]
    Other(String),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Failure {
    fn exit_code(&self) -> u8 {
        let code = |refusal: &Refusal| match refusal {
            Refusal::Rejected(_) => 1,
            Refusal::Declined(_) => 2,
            Refusal::Unreadable(_) => 3,
        };
        match self {
            Self::Refused(refusal) | Self::Judged(refusal) => code(refusal),
            #[cfg(feature = "prove")]
            Self::Several(refused) => refused
                .iter()
                .map(|(_, refusal)| code(refusal))
                .max()
                .unwrap_or(3),
            _ => 3,
        }
    }

    /// What stderr says of it, line by line.
    fn messages(&self) -> Vec<String> {
        let messages = match self {
            Self::Arguments(error) => return vec![error.render().to_string().trim_end().into()],
            Self::Refused(refusal) | Self::Judged(refusal) => vec![refusal.to_string()],
            #[cfg(feature = "prove")]
            Self::Several(refused) => {
                const SHOWN: usize = 20;
                let shown = refused
                    .iter()
                    .take(SHOWN)
                    .map(|(name, refusal)| format!("{name}: {refusal}"));
                let more = refused.len().saturating_sub(SHOWN);
                shown
                    .chain((more > 0).then(|| format!("and {more} more")))
                    .collect()
            }
            Self::Unheard(error) => vec![format!("cannot write to stdout: {error}")],
            #[cfg(any(feature = "prove", feature = "coq", feature = "train"))]
            Self::Usage(message) => vec![message.clone()],
            #[cfg(feature = "output")]
            Self::Other(message) => vec![message.clone()],
        };
        messages
            .into_iter()
            .map(|message| format!("gbmi: {message}"))
            .collect()
    }

    /// What is still to be said of it as JSON.
    fn json(&self) -> Option<Refused> {
        match self {
            Self::Refused(refusal) => Some(refusal.into()),
            Self::Arguments(error) => Some(Refused::usage(error)),
            #[cfg(any(feature = "prove", feature = "coq", feature = "train"))]
            Self::Usage(message) => Some(Refused::other("usage", message)),
            #[cfg(feature = "output")]
            Self::Other(message) => Some(Refused::other("failed", message)),
            #[cfg(feature = "prove")]
            Self::Several(_) => None,
            Self::Judged(_) | Self::Unheard(_) => None,
        }
    }
}

/// Runs a command line, the program's name first, as this process, and returns the exit code.
pub fn run(args: Vec<OsString>) -> u8 {
    #[cfg(all(unix, feature = "output"))]
    interrupt::watch();
    run_on(args)
}

/// What a command came to.
#[derive(Debug)]
pub struct Called {
    /// The exit code.
    pub code: u8,
    /// What stands on stdout.
    pub stdout: String,
    /// Likewise.
    pub stderr: String,
}

/// Runs a command, without the program's name, for another program: nothing is read from its stdin or said on its streams.
/// The steps are for another thread to see, or to stop.
pub fn call(args: impl IntoIterator<Item = OsString>, steps: &Arc<Steps>) -> Called {
    let args = std::iter::once("gbmi".into()).chain(args).collect();
    let (code, [stdout, stderr]) = streams::captured(steps, || run_on(args));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Called {
        code,
        stdout: text(stdout),
        stderr: text(stderr),
    }
}

/// A refusal, as every command prints it with `--json` (docs/outputs.md).
pub fn refusal_json(refusal: &Refusal) -> serde_json::Value {
    serde_json::json!(Refused::from(refusal))
}

fn run_on(args: Vec<OsString>) -> u8 {
    let result = match Cli::try_parse_from(&args) {
        Ok(cli) => {
            if cli.verbose {
                streams::be_verbose();
            }
            execute(cli.command)
        }
        Err(error) if error.use_stderr() => Err(Failure::Arguments(error)),
        // Help and version are no errors.
        Err(asked) => print(&asked.render().to_string()),
    };
    let Err(failure) = result else {
        return 0;
    };
    if let (Some(say), Some(refused)) = (
        json_asked(args.get(1..).unwrap_or_default()),
        failure.json(),
    ) {
        say(&format!("{}\n", serde_json::json!(refused)));
    }
    failure.messages().iter().for_each(|message| note(message));
    failure.exit_code()
}

/// Whether JSON is asked for, and where it goes: to stderr where a file of the command's goes to stdout. This is read off
/// the arguments as they stand, since they may make no command.
fn json_asked(arguments: &[OsString]) -> Option<fn(&str)> {
    let flags = || arguments.iter().take_while(|argument| *argument != "--");
    let aside = flags()
        .zip(flags().skip(1))
        .any(|(flag, value)| flag == "--out" && value == "-")
        || flags().any(|flag| flag == "--out=-");
    let say = if aside {
        |text: &str| note(text.trim_end())
    } else {
        tell
    };
    flags().any(|flag| flag == "--json").then_some(say)
}

fn execute(command: Command) -> Result<(), Failure> {
    match command {
        Command::Check(args) => check::run(&args),
        #[cfg(feature = "prove")]
        Command::Prove(args) => prove::run(&args),
        #[cfg(feature = "prove")]
        Command::Compare(args) => compare::run(&args),
        #[cfg(all(feature = "prove", feature = "inspect"))]
        Command::Frontier(args) => frontier::run(&args),
        #[cfg(feature = "inspect")]
        Command::Explain(args) => explain::run(&args),
        #[cfg(all(feature = "prove", feature = "inspect"))]
        Command::Wrong(args) => wrong::run(&args),
        #[cfg(feature = "coq")]
        Command::ExportCoq(args) => export_coq::run(&args),
        #[cfg(feature = "inspect")]
        Command::Inspect(args) => inspect::run(&args),
        #[cfg(feature = "import")]
        Command::Import(args) => import::run(&args),
        #[cfg(feature = "sweep")]
        Command::Sweep(args) => sweep::run(&args),
        #[cfg(feature = "sweep")]
        Command::Report(args) => report::run(&args),
        #[cfg(feature = "train")]
        Command::Train(args) => train::run(&args),
        #[cfg(feature = "train")]
        Command::Evaluate(args) => evaluate::run(&args),
        #[cfg(feature = "prove")]
        Command::Strategies { json } => print(&prove::strategies(json)),
        #[cfg(feature = "output")]
        Command::Man { out } => man(&out),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "gbmi", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
    }
}

/// Writes a page for the program and for each command, as `man` looks for them.
#[cfg(feature = "output")]
fn man(out: &std::path::Path) -> Result<(), Failure> {
    use crate::output::{Pending, unwritable};
    std::fs::create_dir_all(out).map_err(|error| unwritable(out, error))?;
    let mut cli = Cli::command().disable_help_subcommand(true);
    cli.build();
    let page = |command: &clap::Command| {
        let page = clap_mangen::Man::new(command.clone());
        let path = out.join(page.get_filename());
        let mut text = vec![];
        page.render(&mut text)
            .map_err(|error| unwritable(&path, error))?;
        Pending::with_contents(&path, &text)
    };
    let commands = std::iter::once(&cli).chain(cli.get_subcommands());
    let pages = commands.map(page).collect::<Result<Vec<_>, Refusal>>()?;
    let written = pages.len();
    Pending::keep_all(pages)?;
    tell(&format!("written {written} pages into {}\n", out.display()));
    Ok(())
}

/// Columns of text, two spaces apart.
#[cfg(any(feature = "prove", feature = "inspect"))]
fn aligned<R: AsRef<[String]>>(rows: &[R]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.as_ref().get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let columns = rows.first().map_or(0, |row| row.as_ref().len());
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &R| {
        let cells: Vec<String> = row
            .as_ref()
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// Rows as comma-separated values, below their names.
#[cfg(feature = "prove")]
fn csv<T: serde::Serialize>(rows: &[T]) -> Result<String, Failure> {
    let write = || -> Result<String, Box<dyn std::error::Error>> {
        let mut writer = csv::Writer::from_writer(vec![]);
        rows.iter().try_for_each(|row| writer.serialize(row))?;
        Ok(String::from_utf8(writer.into_inner()?)?)
    };
    write().map_err(|error| Failure::Other(error.to_string()))
}

/// One JSON value on one line.
#[cfg(feature = "output")]
fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, Failure> {
    let json = serde_json::to_string(value).map_err(|error| Failure::Other(error.to_string()))?;
    Ok(format!("{json}\n"))
}

/// The number of inputs answered correctly, if brute force can tell.
#[cfg(feature = "prove")]
fn truth(network: &Network, common: &Common) -> Result<Option<BigUint>, Refusal> {
    if network.task.size() > MOST_INPUTS.into() {
        return Ok(None);
    }
    match crate::search::prove(
        network,
        crate::strategy::Strategy::BruteForce,
        None,
        common.options(&|| ()),
    ) {
        Ok(proof) => Ok(Some(proof.certified.correct)),
        Err(Refusal::Declined(_)) => Ok(None),
        Err(other) => Err(other),
    }
}
