//! `gbmi prove` and `gbmi strategies`.

use super::progress::Progress;
use super::verdict::Verdict;
use super::{Common, Failure, model, print};
use gbmi::checker::arithmetic::{Enclosure, Fixed};
use gbmi::output::Pending;
use gbmi::refusal::Rejection;
use gbmi::search::{DirectPathChoice, Strategy, prove};
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
    /// The direct-path rule of the cubic strategy [default: the one with the better bound]
    #[arg(long, value_enum, value_name = "RULE")]
    direct_path: Option<DirectPath>,
    /// Fail unless this is proved: a number of inputs, a fraction p/q, or a decimal up to 1
    #[arg(long, value_name = "BOUND", value_parser = bound)]
    at_least: Option<Bound>,
    /// Where the certificate is written
    #[arg(long, value_name = "FILE", default_value = "cert.json")]
    out: PathBuf,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum DirectPath {
    /// Token and query parts maximised apart
    Split,
    /// The sum maximised for every query, token and position
    Exact,
}

/// A requested bound.
#[derive(Clone)]
enum Bound {
    Inputs(BigUint),
    Accuracy(BigRational),
}

fn strategy(name: &str) -> Result<Strategy, String> {
    let names = Strategy::ALL.map(Strategy::name).join(", ");
    Strategy::ALL.into_iter().find(|strategy| strategy.name() == name).ok_or(format!("expected one of: {names}"))
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

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let start = Instant::now();
    let common = &args.common;
    if args.direct_path.is_some() && args.strategy != Strategy::Cubic {
        return Err(Failure::Other("--direct-path is for --strategy cubic".into()));
    }
    let mut model = None;
    let result = (|| {
        let found = model.insert(model::named(common.model.as_deref())?);
        let choice = match args.direct_path {
            None => DirectPathChoice::Best,
            Some(DirectPath::Split) => DirectPathChoice::Split,
            Some(DirectPath::Exact) => DirectPathChoice::Exact,
        };
        let suggestion = suggestion(common.model.as_deref(), &args.out);
        let progress = Progress::new(args.strategy.steps(choice) * found.network.config.d_vocab, common.quiet);
        prove(&found.network, args.strategy, choice, suggestion, common.options(&|| progress.step()))
    })();
    let mut written = None;
    let result = result.and_then(|proof| {
        let certified = &proof.certified;
        let least = args.at_least.as_ref().map_or_else(BigUint::default, |bound| bound.inputs(&certified.total));
        if certified.correct < least {
            let (claimed, certified) = (least.to_string(), certified.correct.to_string());
            return Err(Rejection::NotEstablished { path: "--at-least", claimed, certified }.into());
        }
        Ok(proof)
    });
    if let Ok(proof) = &result {
        Pending::with_contents(&args.out, &proof.text)?.keep()?;
        written = Some((args.out.display().to_string(), proof.text.len()));
    }
    let verdict = Verdict {
        strategy: args.strategy.name(),
        network: model.as_ref().map(|model| (&model.network, model.source.as_str())),
        result: result.as_ref().map(|proof| &proof.certified),
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
        let rows = Strategy::ALL.map(|strategy| {
            serde_json::json!({
                "name": strategy.name(),
                "class": strategy.class(),
                "cost": strategy.cost(),
                "description": strategy.description(),
            })
        });
        return format!("{}\n", serde_json::Value::from(rows.to_vec()));
    }
    let mut text = format!("{:<12} {:<12} {:<22} {}\n", "name", "class", "cost", "description");
    for strategy in Strategy::ALL {
        let (name, class) = (strategy.name(), strategy.class());
        text += &format!("{name:<12} {class:<12} {:<22} {}\n", strategy.cost(), strategy.description());
    }
    text + "v = d_vocab, n = n_ctx, d = d_model, g = window\n"
}
