//! The names of the rules that a certificate's proof uses.

use crate::certificate::levels::{Count, ExactAttention, Partition, Test};
use crate::certificate::published::{LowRank, Residual};
use crate::certificate::{Attention, Certificate, Criterion, DirectPath};
use std::collections::BTreeSet;

/// The rules that a certificate uses, by the names of their files.
pub fn rules(certificate: &Certificate) -> Vec<&'static str> {
    match &certificate.criterion {
        Criterion::Partition(partition) => {
            let entries = computed_in_part(certificate).then_some("entries");
            entries
                .into_iter()
                .chain(self::partition(partition))
                .collect()
        }
        Criterion::Convexity(_) => vec!["published/convexity"],
        Criterion::Gaps(gaps) if gaps.references.is_empty() || gaps.slopes.is_empty() => {
            [bounds(certificate), vec!["published/gaps"]].concat()
        }
        Criterion::Gaps(_) => [
            bounds(certificate),
            vec!["published/gaps", "published/reference"],
        ]
        .concat(),
    }
}

fn partition(partition: &Partition) -> Vec<&'static str> {
    let assigned: BTreeSet<&usize> = partition.assignment.iter().flatten().collect();
    let used =
        |index: &usize| partition.assignment.is_empty() && *index == 0 || assigned.contains(index);
    let (mut whole, mut tree, mut grid) = (false, false, false);
    for (_, plan) in partition
        .plans
        .iter()
        .enumerate()
        .filter(|(index, _)| used(index))
    {
        let counted = plan.groups.iter().any(|group| group.test == Test::Count);
        whole |= plan
            .groups
            .iter()
            .any(|group| matches!(group.test, Test::Pooled | Test::Unpooled));
        tree |= counted && matches!(plan.count, Count::Tree(_));
        grid |= counted && matches!(plan.count, Count::Grid(_));
    }
    let criterion = [
        (whole, "criterion/whole"),
        (tree, "criterion/tree"),
        (grid, "criterion/grid"),
    ];
    let used = criterion
        .into_iter()
        .filter(|(used, _)| *used)
        .map(|(_, name)| name);
    [
        "attention/exact",
        "direct_path/split",
        "criterion/partition",
    ]
    .into_iter()
    .chain(used)
    .collect()
}

/// Are some entries of a table only bounded?
fn computed_in_part(certificate: &Certificate) -> bool {
    matches!(
        certificate.attention,
        Attention::Exact(ExactAttention {
            entries: Some(_),
            ..
        })
    ) || matches!(&certificate.direct_path, DirectPath::Split(split) if split.logits.is_some() || split.direct.is_some())
}

/// The rules of a published strategy's tables.
fn bounds(certificate: &Certificate) -> Vec<&'static str> {
    let mut rules = match &certificate.attention {
        Attention::Exact(_) => vec!["attention/exact"],
        Attention::LowRank(LowRank { error, .. }) => match error {
            Residual::Exact(_) => vec!["published/peel", "published/residual-exact"],
            Residual::Svd(_) => vec!["published/peel", "published/residual-svd"],
            Residual::MaxDiff(_) => vec!["published/peel", "published/residual-max-diff"],
            Residual::Recursive(_) => vec!["published/peel", "published/residual-recursive"],
        },
    };
    rules.push(match &certificate.direct_path {
        DirectPath::Split(_) => "direct_path/split",
        DirectPath::MaxDiff(_) => "published/direct-max-diff",
        DirectPath::MaxDiffExact(_) => "published/direct-max-diff-exact",
        DirectPath::GlobalMaxDiffExact(_) => "published/direct-global-max-diff-exact",
    });
    rules
}
