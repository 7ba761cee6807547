//! The unexplained dimension of a proof (paper, section 5): how many numbers its rules treat as without structure.

use crate::certificate::levels::{Answers, Count, Partition, Test};
use crate::certificate::published::{Attention, DirectPath, LowRank, Published, Residual};
use crate::certificate::{Certificate, Hints};
use crate::model::{Function, Network};
use crate::task::Sizes;
use num_bigint::BigUint;

/// The unexplained dimension of a certificate, from the rules that it uses:
///
/// | rules | dimension |
/// |---|---|
/// | every read-out evaluated for every answer | their number times `d_vocab_out`: `v^(n+1)` for Max-of-n |
/// | tables of attention, logits and the direct path | `3v² + 2nv` |
/// | published family: direct path | global 2; exact 2v; by dimension vd + 2, with a mean v more |
/// | published family: attention error | none v²; exact 4v; svd 2v; by dimension 2v + 2d, with means v more |
/// | published family: logits and positions | v² + v |
pub fn unexplained_dimension(certificate: &Certificate, network: &Network) -> BigUint {
    let Sizes {
        n_ctx: n,
        d_vocab: v,
        d_vocab_out,
    } = network.sizes;
    let d = match &network.function {
        Function::Transformer(model) => model.shape.d_model,
        Function::TwoEmbeddings(model) => model.embedding_left.cols(),
    };
    let gaps = match &certificate.hints {
        Hints::Exhaustive(_) => return network.task.size() * d_vocab_out,
        Hints::Levels(levels) if walks_everything(&levels.criterion) => {
            return network.task.size() * d_vocab_out;
        }
        Hints::Levels(_) | Hints::Published(Published::Convexity(_)) => {
            return (3 * v * v + 2 * n * v).into();
        }
        Hints::Published(Published::Gaps(gaps)) => gaps,
    };
    let direct = match &gaps.direct_path {
        DirectPath::GlobalMaxDiffExact(_) => 2,
        DirectPath::MaxDiffExact(_) => 2 * v,
        DirectPath::MaxDiff(hints) => v * d + 2 + if hints.mean.is_empty() { 0 } else { v },
    };
    let scores = match &gaps.attention {
        Attention::Exact(_) => v * v,
        Attention::LowRank(LowRank { error, .. }) => match error {
            Residual::Exact(_) => 4 * v,
            Residual::Svd(_) => 2 * v,
            Residual::MaxDiff(hints) | Residual::Recursive(hints) => {
                2 * v + 2 * d + if hints.means.is_empty() { 0 } else { v }
            }
        },
    };
    (direct + scores + v + v * v).into()
}

/// Is every plan that of brute force?
fn walks_everything(partition: &Partition) -> bool {
    partition.plans.iter().all(|plan| {
        let walked = plan
            .groups
            .iter()
            .all(|group| group.answers == Answers::Each && group.test == Test::Count);
        walked && matches!(plan.count, Count::Tree(_)) && plan.window.is_none()
    })
}
