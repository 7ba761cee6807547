//! Plans for exact counts: wrong answers packed into groups that pass a whole-level test, the others into a proof tree.

use super::plans::{Windowed, group};
use super::terms::{Case, GROUP, Pool, Settled};
use super::tree::{By, Tree};
use crate::certificate::levels::{Answers, Count, Plan, Test};

/// Windows of proof trees.
const WINDOWS: [usize; 12] = [2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 40, usize::MAX];
/// FLOPs of the longest proof tree for one (query, level).
pub(super) const LONGEST: usize = 4_000_000;

fn cost(groups: &[Settled]) -> usize {
    groups.iter().map(|group| group.cost + GROUP).sum()
}

impl Case<'_> {
    /// Puts each answer into the group that grows the least by it, then merges groups while that is cheaper.
    fn pack(&self, answers: &[Settled]) -> Vec<Settled> {
        let mut groups: Vec<Settled> = vec![];
        for answer in answers {
            let mut best: Option<(usize, usize, Settled)> = None;
            for (index, group) in groups.iter().enumerate() {
                let Some(joined) = self.settled(group.pool.with(&answer.pool)) else {
                    continue;
                };
                let grown = joined.cost.saturating_sub(group.cost);
                if best.as_ref().is_none_or(|(least, ..)| grown < *least) {
                    best = Some((grown, index, joined));
                }
                if grown == 0 {
                    break;
                }
            }
            match best {
                Some((grown, index, joined)) if grown < answer.cost => groups[index] = joined,
                _ => groups.push(answer.clone()),
            }
        }
        'merge: loop {
            for a in 0..groups.len() {
                for b in a + 1..groups.len() {
                    let Some(joined) = self.settled(groups[a].pool.with(&groups[b].pool)) else {
                        continue;
                    };
                    if joined.cost < groups[a].cost + groups[b].cost + GROUP {
                        groups[a] = joined;
                        groups.remove(b);
                        continue 'merge;
                    }
                }
            }
            return groups;
        }
    }

    /// The cheapest plan found; none where some inputs stay undecided or the tree would be too long.
    pub(super) fn plan(&self, longest: usize) -> Option<(usize, Plan)> {
        if let Some((answer, test, cost)) = self.all_wrong() {
            let rest = group(Answers::Rest, (Test::Forfeit, None));
            let wrong = group(Answers::These(vec![answer]), test);
            let (groups, cost) = if self.two_sided {
                (vec![wrong, rest], cost)
            } else {
                (vec![rest], 0)
            };
            return Some((
                cost,
                Plan {
                    groups,
                    count: Count::default(),
                    window: None,
                },
            ));
        }
        let answers = self.pools();
        // A network of one answer is always right.
        let Some(all) = answers.iter().cloned().reduce(|all, pool| all.with(&pool)) else {
            return Some((0, self.written(&[], &[], None)));
        };
        let together = self.settled(all);
        if let Some(all) = together.clone().filter(|all| all.cost <= 24) {
            return Some((all.cost + GROUP, self.written(&[all], &[], None)));
        }
        let (mut passing, mut failing) = (vec![], vec![]);
        for pool in answers {
            match self.whole(&pool) {
                (Some((test, cost)), least) => passing.push((least, Settled { pool, test, cost })),
                (None, least) => failing.push((least, pool)),
            }
        }
        let by_number: Vec<Settled> = passing.iter().map(|(_, answer)| answer.clone()).collect();
        passing.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut sorted: Vec<Settled> = passing.into_iter().map(|(_, answer)| answer).collect();
        let first = self.pack(&sorted);
        sorted.reverse();
        let packed = [first, self.pack(&sorted), self.pack(&by_number)]
            .into_iter()
            .chain(together.map(|all| vec![all]));
        let groups = packed.min_by_key(|groups| cost(groups)).unwrap_or_default();
        if failing.is_empty() {
            return Some((cost(&groups), self.written(&groups, &[], None)));
        }
        failing.sort_by(|a, b| b.0.total_cmp(&a.0));
        let failing: Vec<Pool> = failing.into_iter().map(|(_, pool)| pool).collect();
        let mut best: Option<(usize, Plan)> = None;
        let mut offer = |trees: Vec<Pool>, settled: &[Settled]| {
            for window in WINDOWS {
                for by in [By::Window, By::Answers] {
                    let most = best.as_ref().map_or(longest, |(cost, _)| *cost);
                    let Some(room) = most.checked_sub(cost(settled) + 1) else {
                        break;
                    };
                    if let Some(tree) = Tree::grow(self, &trees, window, (by, room)) {
                        best = Some((
                            tree.cost + cost(settled),
                            self.written(settled, &trees, Some(&tree)),
                        ));
                    }
                }
                if window >= self.tokens.len() {
                    break;
                }
            }
        };
        let joined = |pools: &[Pool]| {
            pools
                .iter()
                .skip(1)
                .fold(pools[0].clone(), |all, pool| all.with(pool))
        };
        for apart in [1, 2, 3, 5, 8, 12, 18, 27, 40]
            .into_iter()
            .take_while(|apart| *apart < failing.len())
        {
            let (apart, rest) = failing.split_at(apart);
            offer([apart, &[joined(rest)]].concat(), &groups);
            if rest.len() > 3 {
                let (a, b) = rest.split_at(rest.len() / 2);
                offer([apart, &[joined(a), joined(b)]].concat(), &groups);
            }
        }
        offer(failing.clone(), &groups);
        // The most expensive groups into the tree, as one.
        let mut settled = groups;
        settled.sort_by_key(|group| group.cost);
        let mut moved: Vec<Pool> = vec![];
        for step in 0..4 {
            for _ in 0..if step == 3 { settled.len() } else { 1 } {
                moved.extend(settled.pop().map(|group| group.pool));
            }
            if !moved.is_empty() {
                offer([failing.as_slice(), &[joined(&moved)]].concat(), &settled);
            }
        }
        best
    }

    fn written(&self, settled: &[Settled], trees: &[Pool], tree: Option<&Tree<'_>>) -> Plan {
        let groups = settled
            .iter()
            .map(|group| (&group.pool.answers, group.test));
        let mut groups: Vec<(&Vec<usize>, Windowed)> = groups
            .chain(
                trees
                    .iter()
                    .map(|pool| (&pool.answers, (Test::Count, None))),
            )
            .collect();
        // The largest group is the rest: it takes the fewest bytes.
        let largest = groups.iter().map(|(answers, _)| answers.len()).max();
        let rest = groups
            .iter()
            .position(|(answers, _)| Some(answers.len()) == largest && answers.len() > 1);
        let written = |(index, (answers, test)): (usize, (&Vec<usize>, Windowed))| {
            let mut answers = answers.clone();
            answers.sort_unstable();
            let answers = if Some(index) == rest {
                Answers::Rest
            } else {
                Answers::These(answers)
            };
            group(answers, test)
        };
        Plan {
            groups: groups.drain(..).enumerate().map(written).collect(),
            count: Count::Tree(tree.map(|tree| tree.script.clone()).unwrap_or_default()),
            window: tree.and_then(|tree| self.window(tree.window)),
        }
    }
}
