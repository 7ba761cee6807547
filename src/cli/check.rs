//! `gbmi check`.

use super::arguments::{Named, of_certificate};
use super::progress::Progress;
use super::verdict::Verdict;
use super::{Common, Failure, model, streams, tell};
use crate::certificate::Certificate;
#[cfg(feature = "mpfr")]
use crate::checker::arithmetic::Mpfr;
use crate::checker::arithmetic::{Enclosure, Fixed, Rational};
use crate::checker::{Certified, check, parts};
use crate::model::Network;
use crate::refusal::Refusal;
use crate::strategy::Strategy;
use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Instant;

#[derive(clap::Args)]
#[command(mut_arg("model", of_certificate))]
pub(crate) struct Args {
    /// The certificate; - is stdin
    certificate: PathBuf,
    #[command(flatten)]
    model: Named,
    #[command(flatten)]
    common: Common,
    /// The arithmetic to check in; the others are oracles for `fixed`
    #[arg(long, value_enum, default_value_t = Arithmetic::Fixed)]
    arithmetic: Arithmetic,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Arithmetic {
    /// Fixed-point enclosures on machine integers
    Fixed,
    /// Exact rationals; exp and square root enclosed
    Rational,
    /// MPFR intervals (feature `mpfr`)
    Mpfr,
}

impl Arithmetic {
    /// Its name, and the check in it.
    pub(crate) fn checker(self) -> (&'static str, Checker) {
        match self {
            Self::Fixed => (Fixed::NAME, certified::<Fixed>),
            Self::Rational => (Rational::NAME, certified::<Rational>),
            #[cfg(feature = "mpfr")]
            Self::Mpfr => (Mpfr::NAME, certified::<Mpfr>),
            #[cfg(not(feature = "mpfr"))]
            Self::Mpfr => ("mpfr", |_, _, _| {
                let hint = "build with --features mpfr";
                Err(crate::refusal::Decline::Arithmetic {
                    found: "mpfr".into(),
                    hint,
                }
                .into())
            }),
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let start = Instant::now();
    let (name, checker) = args.arithmetic.checker();
    // A certificate's label is printed if it is a strategy's name, and decides nothing.
    let mut strategy = Cow::from("unknown");
    let mut checked = None;
    let mut model = None;
    let result = (|| {
        let certificate = streams::certificate(&args.certificate)?;
        if let Some(known) = Strategy::named(&certificate.strategy) {
            strategy = known.name();
        }
        let found = model::for_certificate(args.model.path(), &args.certificate, &certificate)?;
        let network = &model.insert(found).network;
        certificate.is_about(network)?;
        checker(network, checked.insert(certificate), &args.common)
    })();
    let verdict = Verdict {
        strategy: &strategy,
        network: model
            .as_ref()
            .map(|model| (&model.network, model.source.as_str())),
        result: result.as_ref(),
        certificate: checked.as_ref(),
        arithmetic: name,
        seconds: start.elapsed().as_secs_f64(),
        written: None,
    };
    tell(&if args.common.json {
        verdict.json()
    } else {
        verdict.text(args.common.quiet)
    });
    result.map(|_| ()).map_err(Failure::Judged)
}

pub(crate) type Checker = fn(&Network, &Certificate, &Common) -> Result<Certified, Refusal>;

fn certified<R: Enclosure>(
    network: &Network,
    certificate: &Certificate,
    common: &Common,
) -> Result<Certified, Refusal> {
    streams::stage(format_args!("checking it in {} arithmetic", R::NAME));
    let progress = Progress::new(parts(network, certificate), common.quiet);
    check::<R>(network, certificate, common.options(&|| progress.step()))
}
