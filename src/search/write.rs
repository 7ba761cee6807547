//! From hints to the certificate's text.

use crate::certificate::Published;
use crate::certificate::file::{self, File};
use crate::certificate::published::{Direct, PeelText, Residual, ResidualText, Scores};
use crate::certificate::{Answers, Certificate, Count, Plan, Test, VERSION};
use crate::model::Config;

/// The certificate file that holds these hints.
pub fn to_file(certificate: &Certificate, config: &Config) -> File {
    let rows = |rows: &[Vec<usize>]| rows.iter().map(|row| list(row)).collect::<Vec<_>>();
    let mut file = File {
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
        attention: file::Attention::Exact {
            orders: rows(&certificate.attention_orders),
            entries: certificate.tables.scores.clone(),
        },
        direct_path: file::DirectPath::Split {
            offset: list(&certificate.direct_path.offset),
            token_orders: rows(&certificate.direct_path.token_orders),
            query_orders: rows(&certificate.direct_path.query_orders),
            last_orders: rows(&certificate.direct_path.last_orders),
            logits: certificate.tables.logits.clone(),
            direct: certificate.tables.direct.clone(),
        },
        criterion: file::Criterion::Partition {
            plans: certificate.criterion.plans.iter().map(plan).collect(),
            assignment: rows(&certificate.criterion.assignment),
        },
    };
    if let Some(published) = &certificate.published {
        (file.attention, file.direct_path, file.criterion) = sections(published);
    }
    file
}

/// The sections of a published strategy.
fn sections(published: &Published) -> (file::Attention, file::DirectPath, file::Criterion) {
    let exact = file::Attention::Exact { orders: vec![], entries: None };
    let Published::Gaps(gaps) = published else {
        return (exact, file::DirectPath::MaxDiffExact {}, file::Criterion::Convexity {});
    };
    let vectors = |vectors: &[Vec<i64>]| vectors.iter().map(|vector| list(vector)).collect::<Vec<_>>();
    let attention = match &gaps.scores {
        Scores::Exact => exact,
        Scores::LowRank { four, peel, residual } => file::Attention::LowRank {
            factors: if *four { "4" } else { "2" }.into(),
            peel: peel.iter().map(|part| PeelText { left: vectors(&part.left), right: vectors(&part.right) }).collect(),
            error: match residual {
                Residual::Exact => ResidualText::Exact {},
                Residual::Svd { bound, scale } => {
                    ResidualText::Svd { bound: bound.to_string(), scale: scale.to_string() }
                }
                Residual::MaxDiff(means) => ResidualText::MaxDiff { means: vectors(means) },
                Residual::Recursive(means) => ResidualText::Recursive { means: vectors(means) },
            },
        },
    };
    let direct_path = match &gaps.direct {
        Direct::MaxDiff(mean) => file::DirectPath::MaxDiff { mean: list(mean) },
        Direct::MaxDiffExact => file::DirectPath::MaxDiffExact {},
        Direct::GlobalMaxDiffExact => file::DirectPath::GlobalMaxDiffExact {},
    };
    let column = |part: fn(&(i64, i64)) -> i64| {
        gaps.references.iter().map(|row| list(&row.iter().map(part).collect::<Vec<_>>())).collect()
    };
    let criterion = file::Criterion::Gaps {
        references: column(|pair| pair.0),
        slopes: column(|pair| pair.1),
        gaps: gaps.gaps.iter().map(|row| list(row)).collect(),
    };
    (attention, direct_path, criterion)
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
    let rows = |rows: &[Vec<usize>]| rows.iter().map(|row| list(row)).collect();
    let count = match &plan.count {
        Count::Tree(script) => {
            file::Count::Tree { upper: rows(&script.upper), lower: rows(&script.lower), walk: list(&script.walk) }
        }
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
