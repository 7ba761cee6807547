//! `gbmi prove` and `gbmi strategies`.

use super::arguments::{Named, natural};
use super::progress::Progress;
use super::verdict::Verdict;
use super::{Common, Failure, model, note, streams, tell};
use crate::checker::Certified;
use crate::checker::arithmetic::{Enclosure, Fixed};
use crate::model::Network;
use crate::numerals::margin;
use crate::output::Pending;
use crate::refusal::{Refusal, Rejection};
use crate::search::{
    Goal, Proof, Request, has_levels, prove_best, prove_best_of, prove_best_published, prove_by,
    steps,
};
use crate::strategy::{ATTENTION, ATTENTION_ERROR, CLASSES, EUPU, Family, Strategy};
use clap::ArgGroup;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use num_bigint::BigUint;
use num_rational::BigRational;
use std::path::{Component, Path, PathBuf};
use std::time::Instant;

#[derive(clap::Args)]
#[command(group = ArgGroup::new("goal").args(["budget", "target"]).multiple(true))]
#[command(group = ArgGroup::new("chosen").args(["budget", "target", "published"]).multiple(true))]
pub(crate) struct Args {
    #[command(flatten)]
    model: Named,
    #[command(flatten)]
    common: Common,
    /// The strategy: see `gbmi strategies` [default: subcubic, for other networks than Max-of-n's exhaustive; auto with --budget or --target]
    #[arg(long, value_name = "NAME", value_parser = strategy)]
    strategy: Option<Strategy>,
    /// Only from below: leaves out of `exact` which inputs are wrong (`auto` is from below as it is)
    #[arg(long)]
    one_sided: bool,
    /// The best bound in at most this many FLOPs: a number, or one with k, M or G such as 1.2M
    #[arg(long, value_name = "FLOPS", value_parser = natural::<u64>)]
    budget: Option<u64>,
    /// The shortest proof of this, if there is one: a number of inputs, a fraction p/q, or a decimal up to 1
    #[arg(long, value_name = "BOUND", value_parser = bound)]
    target: Option<Bound>,
    /// The best published strategy of a class, by trying them all
    #[arg(long, value_enum, value_name = "WHICH", requires = "class", conflicts_with_all = ["strategy", "goal"])]
    published: Option<Which>,
    /// The class for --published, --budget or --target: the published strategies and our own
    #[arg(long, value_name = "SLUG", requires = "chosen", value_parser = CLASSES)]
    class: Option<String>,
    /// A published strategy by its parts: the direct path
    #[arg(long, value_name = "RULE", value_parser = part(&EUPU), conflicts_with_all = PARTS_OR)]
    eupu: Option<&'static str>,
    /// A published strategy by its parts: attention
    #[arg(long, value_name = "RULE", value_parser = part(&ATTENTION), conflicts_with_all = PARTS_OR)]
    attention: Option<&'static str>,
    /// A published strategy by its parts: the error of low-rank attention
    #[arg(long, value_name = "RULE", value_parser = part(&ATTENTION_ERROR), conflicts_with_all = PARTS_OR)]
    attention_error: Option<&'static str>,
    /// Move what a published strategy hints uphill, so many steps: 200 gain most of what there is
    #[cfg(feature = "optimise")]
    #[arg(
        long,
        value_name = "STEPS",
        default_value_t = 0,
        value_parser = natural::<usize>,
        conflicts_with = "goal"
    )]
    optimise: usize,
    /// Fail unless this is proved: a number of inputs, a fraction p/q, or a decimal up to 1
    #[arg(long, value_name = "BOUND", value_parser = bound)]
    at_least: Option<Bound>,
    /// Answered correctly by more than this: a decimal or a fraction p/q, rounded up to a multiple of 2^-48; for our own
    /// strategies
    #[arg(long, value_name = "MARGIN", default_value = "0", hide_default_value = true, value_parser = margin, allow_hyphen_values = true)]
    margin: BigUint,
    /// Where the certificate is written; - is stdout, and the verdict goes to stderr
    #[arg(long, value_name = "FILE", default_value = "cert.json")]
    out: PathBuf,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Which {
    /// The one with the best bound
    Best,
}

/// What names a strategy as a whole.
const PARTS_OR: [&str; 4] = ["strategy", "one_sided", "goal", "published"];

/// One part of a published strategy.
fn part(names: &'static [&'static str]) -> impl TypedValueParser<Value = &'static str> {
    let known = move |name: String| {
        names
            .iter()
            .copied()
            .find(|known| *known == name)
            .ok_or("not a published rule")
    };
    TypedValueParser::try_map(PossibleValuesParser::new(names), known)
}

/// A requested bound.
#[derive(Clone)]
enum Bound {
    Inputs(BigUint),
    Accuracy(BigRational),
}

fn strategy(name: &str) -> Result<Strategy, String> {
    Strategy::named(name).ok_or_else(|| {
        let own = Strategy::OWN.map(Strategy::name).join(", ");
        format!("expected exhaustive, {own}, published-cubic, or a published name: see `gbmi strategies`")
    })
}

fn bound(text: &str) -> Result<Bound, String> {
    let expected = || {
        "expected a number of inputs, a fraction such as 19/20, or a decimal such as 0.95"
            .to_string()
    };
    let digits = |digits: &str| BigUint::parse_bytes(digits.as_bytes(), 10).ok_or_else(expected);
    let accuracy = |p: BigUint, q: BigUint| {
        if q == BigUint::default() || p > q {
            return Err("an accuracy is from 0 to 1".to_string());
        }
        Ok(Bound::Accuracy(BigRational::new(p.into(), q.into())))
    };
    if text.len() > 200 {
        Err(expected())
    } else if let Some((p, q)) = text.split_once('/') {
        accuracy(digits(p)?, digits(q)?)
    } else if text.ends_with(['k', 'M', 'G']) {
        natural::<u64>(text).map(|inputs| Bound::Inputs(inputs.into()))
    } else if let Some((whole, part)) = text.split_once('.') {
        let scale = u32::try_from(part.len()).map_err(|_| expected())?;
        accuracy(
            digits(&format!("{whole}{part}"))?,
            BigUint::from(10_u8).pow(scale),
        )
    } else {
        Ok(Bound::Inputs(digits(text)?))
    }
}

impl Bound {
    /// The least number of inputs that reaches it.
    fn inputs(&self, total: &BigUint) -> BigUint {
        match self {
            Self::Inputs(inputs) => inputs.clone(),
            Self::Accuracy(accuracy) => {
                let inputs = (accuracy * BigRational::from_integer(total.clone().into())).ceil();
                inputs.to_integer().to_biguint().unwrap_or_default()
            }
        }
    }
}

impl Args {
    /// The strategy asked for by name or by parts; parts left out are those of the paper's default.
    fn strategy(&self) -> Result<Strategy, Failure> {
        let Self {
            eupu,
            attention,
            attention_error,
            ..
        } = self;
        if eupu.or(*attention).or(*attention_error).is_some() {
            return Ok(Strategy::Published(Family {
                eupu: eupu.unwrap_or(EUPU[0]),
                attention: attention.unwrap_or(ATTENTION[0]),
                error: attention_error.unwrap_or("mean+max-diff"),
            }));
        }
        let sought = self.budget.is_some() || self.target.is_some();
        match (self.strategy, sought, self.one_sided) {
            (None, true, _) => Ok(Strategy::Auto),
            (Some(strategy), true, _) if strategy != Strategy::Auto => Err(Failure::Usage(
                "--budget and --target are for --strategy auto".into(),
            )),
            (Some(Strategy::Exact { two_sided }), _, one_sided) => Ok(Strategy::Exact {
                two_sided: two_sided && !one_sided,
            }),
            (Some(Strategy::Auto), ..) => Ok(Strategy::Auto),
            (_, _, true) => Err(Failure::Usage(
                "--one-sided is for --strategy exact and auto".into(),
            )),
            (strategy, ..) => Ok(strategy.unwrap_or(Strategy::Subcubic)),
        }
    }

    /// Is a strategy asked for, in whatever way?
    fn is_chosen(&self) -> bool {
        self.strategy.is_some()
            || self.budget.is_some()
            || self.target.is_some()
            || self.published.is_some()
            || self.class.is_some()
            || self
                .eupu
                .or(self.attention)
                .or(self.attention_error)
                .is_some()
    }

    /// What a proof is to reach, and how it is asked for.
    fn goals(&self, total: &BigUint) -> [(&'static str, Goal); 2] {
        let inputs = |bound: &Option<Bound>| bound.as_ref().map(|bound| bound.inputs(total));
        let sought = Goal {
            budget: self.budget,
            target: inputs(&self.target),
        };
        let path = if sought.target.is_some() {
            "--target"
        } else {
            "--budget"
        };
        [
            (path, sought),
            (
                "--at-least",
                Goal {
                    budget: None,
                    target: inputs(&self.at_least),
                },
            ),
        ]
    }

    /// Finds the proof.
    fn prove(
        &self,
        network: &Network,
        strategy: Strategy,
        goal: &Goal,
    ) -> Result<(Strategy, Proof), Refusal> {
        let common = &self.common;
        let suggestion = suggestion(self.model.path(), &self.out);
        #[cfg(feature = "optimise")]
        let moves = self.optimise;
        #[cfg(not(feature = "optimise"))]
        let moves = 0;
        let progress = if goal.is_open() && self.published.is_none() && moves == 0 {
            Progress::new(steps(strategy, network), common.quiet)
        } else {
            Progress::open_ended(common.quiet)
        };
        let step = || progress.step();
        streams::stage(format_args!("proving {} inputs", network.task.size()));
        let request = Request {
            margin: self.margin.clone(),
            ..Request::new(network, suggestion, common.options(&step))
        };
        match (&self.class, self.published) {
            (Some(class), Some(Which::Best)) => {
                let best = prove_best_published(&request, class, moves)?;
                best.ok_or_else(|| {
                    Refusal::Unreadable(format!("no published strategy is of class {class}"))
                })
            }
            (Some(class), None) => prove_best_of(&request, goal, class),
            (None, _) if goal.is_open() => Ok((strategy, prove_by(&request, strategy, moves)?)),
            (None, _) => Ok((strategy, prove_best(&request, goal, false)?)),
        }
    }
}

/// The refusal of a proof that misses its goal.
fn missed(path: &'static str, goal: &Goal, certified: &Certified) -> Rejection {
    let inputs = goal
        .target
        .as_ref()
        .map(|target| format!("{target} inputs"));
    let flops = goal.budget.map(|budget| format!("at most {budget} FLOPs"));
    let claimed = inputs
        .into_iter()
        .chain(flops)
        .collect::<Vec<_>>()
        .join(" in ");
    let certified = format!(
        "{} inputs in {} FLOPs",
        certified.correct,
        certified.meter.flops()
    );
    Rejection::NotEstablished {
        path,
        claimed,
        certified,
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let start = Instant::now();
    let common = &args.common;
    let mut strategy = args.strategy()?;
    #[cfg(feature = "optimise")]
    if args.optimise > 0 && args.published.is_none() && !matches!(strategy, Strategy::Published(_))
    {
        return Err(Failure::Usage(
            "--optimise is for the published strategies that hint vectors".into(),
        ));
    }
    // Where nothing can be written, nothing is searched.
    let to_stdout = streams::is_stream(&args.out);
    if !to_stdout {
        drop(Pending::create(&args.out)?);
    }
    let mut model = None;
    let result = (|| {
        let found = model.insert(model::named(args.model.path())?);
        // What is shortest at a glance: other networks have their exact accuracy.
        if !args.is_chosen() && !has_levels(&found.network) {
            strategy = Strategy::Exhaustive;
        }
        let goals = args.goals(&found.network.task.size());
        let proof;
        (strategy, proof) = args.prove(&found.network, strategy, &goals[0].1)?;
        match goals.iter().find(|(_, goal)| !goal.is_met(&proof)) {
            Some((path, goal)) => Err(missed(path, goal, &proof.certified).into()),
            None => Ok(proof),
        }
    })();
    let mut written = None;
    if let Ok(proof) = &result {
        streams::write(&args.out, &proof.text)?;
        written = Some((args.out.display().to_string(), proof.text.len()));
    }
    let verdict = Verdict {
        strategy: &strategy.name(),
        network: model
            .as_ref()
            .map(|model| (&model.network, model.source.as_str())),
        result: result.as_ref().map(|proof| &proof.certified),
        certificate: result.as_ref().ok().map(|proof| &proof.certificate),
        arithmetic: Fixed::NAME,
        seconds: start.elapsed().as_secs_f64(),
        written,
    };
    let said = if common.json {
        verdict.json()
    } else {
        verdict.text(common.quiet)
    };
    if to_stdout {
        note(said.trim_end());
    } else {
        tell(&said);
    }
    result.map(|_| ()).map_err(Failure::Judged)
}

/// The model's path below the certificate's folder, if it is there: `check` will find it without `--model`.
pub(crate) fn suggestion(model: Option<&Path>, out: &Path) -> Option<String> {
    let folder = out
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let model = model?.canonicalize().ok()?;
    let below = model.strip_prefix(folder.canonicalize().ok()?).ok()?;
    let names = below.components().map(|component| match component {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    // Certificates spell paths with `/` on every system.
    Some(names.collect::<Option<Vec<_>>>()?.join("/")).filter(|path| !path.is_empty())
}

/// The table of strategies.
pub(crate) fn strategies(json: bool) -> String {
    if json {
        let rows = Strategy::all().map(|strategy| {
            serde_json::json!({
                "name": strategy.name(),
                "class": strategy.class(),
                "cost": strategy.cost(),
                "description": strategy.description(),
            })
        });
        return format!("{}\n", serde_json::Value::from_iter(rows));
    }
    let cells = |strategy: Strategy| {
        [
            strategy.name(),
            strategy.class().into(),
            strategy.cost().into(),
        ]
        .map(Into::into)
    };
    let mut own = vec![["name", "class", "cost", "description"].map(String::from)];
    let ours = std::iter::once(Strategy::Exhaustive).chain(Strategy::OWN);
    own.extend(ours.map(|strategy| {
        let [name, class, cost] = cells(strategy);
        [name, class, cost, strategy.description().into()]
    }));
    let mut published = vec![["published name", "class", "cost"].map(String::from)];
    published.extend(Strategy::published().map(cells));
    let legend = "v = d_vocab, n = n_ctx, d = d_model, g = window";
    format!(
        "{}\n{}\n{legend}\n",
        super::aligned(&own),
        super::aligned(&published)
    )
}
