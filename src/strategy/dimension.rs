//! The unexplained dimension of a proof (paper, section 5): how many numbers its rules treat as without structure.

use crate::certificate::published::{Direct, Residual, Scores};
use crate::certificate::{Answers, Certificate, Count, Published, Test};
use crate::model::Config;
use num_bigint::BigUint;

/// The unexplained dimension of a certificate, from the rules that it uses:
///
/// | rules | dimension |
/// |---|---|
/// | every input walked for every answer | `v^(n+1)` |
/// | tables of attention, logits and the direct path | `3v² + 2nv` |
/// | published family: direct path | global 2; exact 2v; by dimension vd + 2, with a mean v more |
/// | published family: attention error | none v²; exact 4v; svd 2v; by dimension 2v + 2d, with means v more |
/// | published family: logits and positions | v² + v |
pub fn unexplained_dimension(certificate: &Certificate, config: &Config) -> BigUint {
    let (v, n, d) = (config.d_vocab, config.n_ctx, config.d_model);
    let gaps = match &certificate.published {
        None if walks_everything(certificate) => return config.inputs() * v,
        None | Some(Published::Convexity) => return (3 * v * v + 2 * n * v).into(),
        Some(Published::Gaps(gaps)) => gaps,
    };
    let direct = match &gaps.direct {
        Direct::GlobalMaxDiffExact => 2,
        Direct::MaxDiffExact => 2 * v,
        Direct::MaxDiff(mean) => v * d + 2 + if mean.is_empty() { 0 } else { v },
    };
    let scores = match &gaps.scores {
        Scores::Exact => v * v,
        Scores::LowRank { residual: Residual::Exact, .. } => 4 * v,
        Scores::LowRank { residual: Residual::Svd { .. }, .. } => 2 * v,
        Scores::LowRank { residual: Residual::MaxDiff(means) | Residual::Recursive(means), .. } => {
            2 * v + 2 * d + if means.is_empty() { 0 } else { v }
        }
    };
    (direct + scores + v + v * v).into()
}

/// Is every plan that of brute force?
fn walks_everything(certificate: &Certificate) -> bool {
    certificate.criterion.plans.iter().all(|plan| {
        let walked = plan.groups.iter().all(|group| group.answers == Answers::Each && group.test == Test::Count);
        walked && matches!(plan.count, Count::Tree(_)) && plan.window == usize::MAX
    })
}
