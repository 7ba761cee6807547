//! From hints to the certificate's text.

use crate::certificate::file::{self, File};
use crate::certificate::{Answers, Certificate, Count, DirectPathHints, Plan, Test, VERSION};
use crate::model::Config;

/// The certificate file that holds these hints.
pub fn to_file(certificate: &Certificate, config: &Config) -> File {
    let rows = |rows: &[Vec<usize>]| rows.iter().map(|row| list(row)).collect::<Vec<_>>();
    File {
        gbmi: VERSION.into(),
        network: certificate.network.clone(),
        model: certificate.model.clone(),
        strategy: certificate.strategy.clone(),
        claim: file::Claim {
            task: Config::TASK.into(),
            d_vocab: config.d_vocab.to_string(),
            n_ctx: config.n_ctx.to_string(),
            correct: certificate.correct.to_string(),
            upper: certificate.upper.as_ref().map(ToString::to_string),
        },
        attention: file::Attention::Exact { orders: rows(&certificate.attention_orders) },
        direct_path: match &certificate.direct_path {
            DirectPathHints::Split { offset, token_orders, query_orders, last_orders } => file::DirectPath::Split {
                offset: list(offset),
                token_orders: rows(token_orders),
                query_orders: rows(query_orders),
                last_orders: rows(last_orders),
            },
            DirectPathHints::Exact { depth } => file::DirectPath::Exact { depth: depth.to_string() },
        },
        criterion: file::Criterion::Partition {
            plans: certificate.criterion.plans.iter().map(plan).collect(),
            assignment: rows(&certificate.criterion.assignment),
        },
    }
}

/// The text of a certificate file.
pub(super) fn text(file: &File) -> Vec<u8> {
    let mut text = serde_json::to_vec(file).expect("a certificate file has only strings and lists");
    text.push(b'\n');
    text
}

/// A plan as it stands in the file.
pub(super) fn plan(plan: &Plan) -> file::Plan {
    let groups = plan.groups.iter().map(|group| {
        let (test, size) = match group.test {
            Test::Pooled(size) => (file::Test::Pooled, size),
            Test::Unpooled(size) => (file::Test::Unpooled, size),
            Test::Count => (file::Test::Count, usize::MAX),
            Test::Forfeit => (file::Test::Forfeit, usize::MAX),
        };
        let answers = match &group.answers {
            Answers::These(answers) => list(answers),
            Answers::Rest => "rest".into(),
            Answers::Each => "each".into(),
        };
        file::Group { answers, test, window: window(size) }
    });
    let count = match plan.count {
        Count::Tree => file::Count::Tree,
        Count::Grid { bits } => file::Count::Grid { bits: bits.to_string() },
    };
    file::Plan { groups: groups.collect(), count, window: window(plan.window) }
}

fn window(size: usize) -> String {
    if size == usize::MAX { "all".into() } else { size.to_string() }
}

fn list(numbers: &[impl ToString]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
