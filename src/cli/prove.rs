//! `gbmi prove` and `gbmi strategies`.

use super::progress::Progress;
use super::verdict::Verdict;
use super::{Common, Failure, model, print};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use gbmi::checker::arithmetic::{Enclosure, Fixed};
use gbmi::model::Network;
use gbmi::output::Pending;
use gbmi::refusal::{Refusal, Rejection};
use gbmi::search::{Proof, prove, prove_best_published, steps};
use gbmi::strategy::{ATTENTION, ATTENTION_ERROR, CLASSES, EUPU, Family, Strategy};
use num_bigint::BigUint;
use num_rational::BigRational;
use std::path::{Component, Path, PathBuf};
use std::time::Instant;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    /// The strategy: see `gbmi strategies`
    #[arg(long, value_name = "NAME", default_value = "subcubic", value_parser = strategy)]
    strategy: Strategy,
    /// The best published strategy of a class, by trying them all
    #[arg(long, value_enum, value_name = "WHICH", requires = "class", conflicts_with = "strategy")]
    published: Option<Which>,
    /// The class for --published
    #[arg(long, value_name = "SLUG", requires = "published", value_parser = CLASSES)]
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
    /// Fail unless this is proved: a number of inputs, a fraction p/q, or a decimal up to 1
    #[arg(long, value_name = "BOUND", value_parser = bound)]
    at_least: Option<Bound>,
    /// Where the certificate is written
    #[arg(long, value_name = "FILE", default_value = "cert.json")]
    out: PathBuf,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Which {
    /// The one with the best bound
    Best,
}

/// What names a strategy as a whole.
const PARTS_OR: [&str; 2] = ["strategy", "published"];

/// One part of a published strategy.
fn part(names: &'static [&'static str]) -> impl TypedValueParser<Value = &'static str> {
    let known = move |name: String| names.iter().copied().find(|known| *known == name).ok_or("not a published rule");
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
        format!("expected {own}, published-cubic, or a published name: see `gbmi strategies`")
    })
}

fn bound(text: &str) -> Result<Bound, String> {
    let expected = || "expected a number of inputs, a fraction such as 19/20, or a decimal such as 0.95".to_string();
    let natural = |digits: &str| BigUint::parse_bytes(digits.as_bytes(), 10).ok_or_else(expected);
    let accuracy = |p: BigUint, q: BigUint| {
        if q == BigUint::default() || p > q {
            return Err("an accuracy is from 0 to 1".to_string());
        }
        Ok(Bound::Accuracy(BigRational::new(p.into(), q.into())))
    };
    if text.len() > 200 {
        Err(expected())
    } else if let Some((p, q)) = text.split_once('/') {
        accuracy(natural(p)?, natural(q)?)
    } else if let Some((whole, part)) = text.split_once('.') {
        let scale = u32::try_from(part.len()).map_err(|_| expected())?;
        accuracy(natural(&format!("{whole}{part}"))?, BigUint::from(10_u8).pow(scale))
    } else {
        Ok(Bound::Inputs(natural(text)?))
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
    fn strategy(&self) -> Strategy {
        let Self { eupu, attention, attention_error, .. } = self;
        if eupu.or(*attention).or(*attention_error).is_none() {
            return self.strategy;
        }
        Strategy::Published(Family {
            eupu: eupu.unwrap_or(EUPU[0]),
            attention: attention.unwrap_or(ATTENTION[0]),
            error: attention_error.unwrap_or("mean+max-diff"),
        })
    }

    /// Finds the proof.
    fn prove(&self, network: &Network) -> Result<(Strategy, Proof), Refusal> {
        let common = &self.common;
        let suggestion = suggestion(common.model.as_deref(), &self.out);
        if let (Some(Which::Best), Some(class)) = (self.published, &self.class) {
            let best = prove_best_published(network, class, suggestion.as_deref(), common.options(&|| ()))?;
            return best.ok_or_else(|| Refusal::Unreadable(format!("no published strategy is of class {class}")));
        }
        let strategy = self.strategy();
        let progress = Progress::new(steps(strategy) * network.config.d_vocab, common.quiet);
        let proof = prove(network, strategy, suggestion, common.options(&|| progress.step()))?;
        Ok((strategy, proof))
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let start = Instant::now();
    let common = &args.common;
    let mut strategy = args.strategy();
    let mut model = None;
    let result = (|| {
        let found = model.insert(model::named(common.model.as_deref())?);
        let proof;
        (strategy, proof) = args.prove(&found.network)?;
        let certified = &proof.certified;
        let least = args.at_least.as_ref().map_or_else(BigUint::default, |bound| bound.inputs(&certified.total));
        if certified.correct < least {
            let (claimed, certified) = (least.to_string(), certified.correct.to_string());
            return Err(Rejection::NotEstablished { path: "--at-least", claimed, certified }.into());
        }
        Ok(proof)
    })();
    let mut written = None;
    if let Ok(proof) = &result {
        Pending::with_contents(&args.out, &proof.text)?.keep()?;
        written = Some((args.out.display().to_string(), proof.text.len()));
    }
    let verdict = Verdict {
        strategy: &strategy.name(),
        network: model.as_ref().map(|model| (&model.network, model.source.as_str())),
        result: result.as_ref().map(|proof| &proof.certified),
        certificate: result.as_ref().ok().map(|proof| &proof.certificate),
        arithmetic: Fixed::NAME,
        seconds: start.elapsed().as_secs_f64(),
        written,
    };
    print(&if common.json { verdict.json() } else { verdict.text(common.quiet) })?;
    result.map(|_| ()).map_err(Failure::from)
}

/// The model's path below the certificate's folder, if it is there: `check` will find it without `--model`.
fn suggestion(model: Option<&Path>, out: &Path) -> Option<String> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
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
    let cells = |strategy: Strategy| [strategy.name(), strategy.class().into(), strategy.cost().into()].map(Into::into);
    let mut own = vec![["name", "class", "cost", "description"].map(String::from)];
    own.extend(Strategy::OWN.map(|strategy| {
        let [name, class, cost] = cells(strategy);
        [name, class, cost, strategy.description().into()]
    }));
    let mut published = vec![["published name", "class", "cost"].map(String::from)];
    published.extend(Strategy::published().map(cells));
    let legend = "v = d_vocab, n = n_ctx, d = d_model, g = window";
    format!("{}\n{}\n{legend}\n", super::aligned(&own), super::aligned(&published))
}
