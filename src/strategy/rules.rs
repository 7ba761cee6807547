//! The names of the rules that a certificate's proof uses.

use crate::certificate::published::{Direct, Gaps, Residual, Scores};
use crate::certificate::{Certificate, Count, Published, Test};
use std::collections::BTreeSet;

/// The rules that a certificate uses, by the names of their files.
pub fn rules(certificate: &Certificate) -> Vec<&'static str> {
    match &certificate.published {
        None => partition(certificate),
        Some(Published::Convexity) => vec!["published/convexity"],
        Some(Published::Gaps(gaps)) => self::gaps(gaps),
    }
}

fn partition(certificate: &Certificate) -> Vec<&'static str> {
    let criterion = &certificate.criterion;
    let assigned: BTreeSet<&usize> = criterion.assignment.iter().flatten().collect();
    let used = |index: &usize| certificate.criterion.assignment.is_empty() && *index == 0 || assigned.contains(index);
    let (mut whole, mut tree, mut grid) = (false, false, false);
    for (_, plan) in criterion.plans.iter().enumerate().filter(|(index, _)| used(index)) {
        let counted = plan.groups.iter().any(|group| group.test == Test::Count);
        whole |= plan.groups.iter().any(|group| matches!(group.test, Test::Pooled(_) | Test::Unpooled(_)));
        tree |= counted && matches!(plan.count, Count::Tree(_));
        grid |= counted && matches!(plan.count, Count::Grid { .. });
    }
    let criterion = [(whole, "criterion/whole"), (tree, "criterion/tree"), (grid, "criterion/grid")];
    let used = criterion.into_iter().filter(|(used, _)| *used).map(|(_, name)| name);
    ["attention/exact", "direct_path/split", "criterion/partition"].into_iter().chain(used).collect()
}

fn gaps(gaps: &Gaps) -> Vec<&'static str> {
    let scores: &[&'static str] = match &gaps.scores {
        Scores::Exact => &["attention/exact"],
        Scores::LowRank { residual, .. } => match residual {
            Residual::Exact => &["published/peel", "published/residual-exact"],
            Residual::Svd { .. } => &["published/peel", "published/residual-svd"],
            Residual::MaxDiff(_) => &["published/peel", "published/residual-max-diff"],
            Residual::Recursive(_) => &["published/peel", "published/residual-recursive"],
        },
    };
    let direct = match &gaps.direct {
        Direct::MaxDiff(_) => "published/direct-max-diff",
        Direct::MaxDiffExact => "published/direct-max-diff-exact",
        Direct::GlobalMaxDiffExact => "published/direct-global-max-diff-exact",
    };
    let criterion: &[&'static str] =
        if gaps.references.is_empty() { &["published/gaps"] } else { &["published/gaps", "published/reference"] };
    [scores, &[direct], criterion].concat()
}
