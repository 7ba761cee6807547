//! Counts on a grid where several wrong answers fail on the same inputs: each input once, and how many are wrong.

use super::plans::{Offer, Pair, group};
use crate::certificate::Rows;
use crate::certificate::levels::{Answers, Count, Grid, Group, Plan, Test, Wrong};
use crate::checker::levels::Set;
use crate::refusal::Refusal;

/// A share of all inputs that is not worth an effort.
const NEGLIGIBLE: f64 = 2e-9;
/// The finest grid, in bits.
const FINEST: u32 = 14;
/// Windows of counts that show inputs wrong: a far class seldom is.
const WINDOWS: [usize; 5] = [6, 12, 18, 24, usize::MAX];
/// The most integer operations for a share of all inputs.
const WORTH: f64 = 2e15;

/// A counted group and the inputs it leaves uncertified.
type Counted = (f64, Set, Group);

impl Pair<'_, '_> {
    /// Puts the plan's counted groups into the order, and finds the grid, in which inputs that fail on several are counted
    /// once, and wrong ones are shown.
    pub(super) fn once(&mut self, plan: &mut Plan, window: Option<usize>) -> Result<Grid, Refusal> {
        let negligible = self.total * NEGLIGIBLE;
        let groups: Vec<(Set, Group)> = self
            .answer
            .partition(plan, "")?
            .into_iter()
            .filter(|(_, group)| group.test == Test::Count)
            .map(|(set, group)| (set, group.clone()))
            .collect();
        let mut grid = Grid {
            bits: self.style.bits,
            ..Grid::default()
        };
        let mut counted = self.apart(&groups, window, &grid)?;
        while grid.bits < FINEST {
            let finer = Grid {
                bits: grid.bits + 2,
                ..Grid::default()
            };
            let found = self.apart(&groups, window, &finer)?;
            let sum = |counted: &[Counted]| counted.iter().map(|entry| entry.0).sum::<f64>();
            if sum(&found) > sum(&counted) - negligible {
                break;
            }
            (grid, counted) = (finer, found);
        }
        counted.sort_by(|a, b| b.0.total_cmp(&a.0));
        plan.groups.retain(|group| group.test != Test::Count);
        plan.groups
            .extend(counted.iter().map(|(.., group)| group.clone()));
        let (mut without, mut lefts) = (vec![], vec![]);
        for (index, late) in counted.iter().enumerate() {
            let failures = &late.0;
            let mut best: Option<(f64, usize)> = None;
            let earlier = counted[..index]
                .iter()
                .take_while(|(before, ..)| before.min(*failures) > negligible);
            for (place, earlier) in earlier.enumerate().take(3) {
                let left = self
                    .outside((earlier, late), window, grid.bits, self.style.once / 30)?
                    .0;
                if left < best.map_or(*failures, |best| best.0) - negligible {
                    best = Some((left, place));
                }
            }
            let (left, hint) = match best {
                Some((_, place)) => {
                    let (left, coarser) =
                        self.outside((&counted[place], late), window, grid.bits, self.style.once)?;
                    (left, vec![place, coarser])
                }
                None => (*failures, vec![]),
            };
            lefts.push(left);
            without.push(hint);
        }
        if self.style.shown {
            let single = |index: &usize| {
                matches!(counted[*index].1, Set::One(_)) && counted[*index].0 > negligible
            };
            let mut shown = (0..counted.len()).filter(single);
            if let Some(by) = shown.next() {
                let then_by = shown.max_by(|a, b| lefts[*a].total_cmp(&lefts[*b]));
                let coarser = then_by.map_or(0, |then_by: usize| {
                    without[then_by].get(1).copied().unwrap_or(4)
                });
                grid.wrong = Some(Wrong {
                    by,
                    then_by,
                    coarser,
                });
            }
        }
        Ok(Grid {
            without: without.into(),
            ..grid
        })
    }

    /// What each group leaves uncertified by itself.
    fn apart(
        &mut self,
        groups: &[(Set, Group)],
        window: Option<usize>,
        grid: &Grid,
    ) -> Result<Vec<Counted>, Refusal> {
        let mut counted = vec![];
        for (set, group) in groups {
            counted.push((
                self.counted(&[set], window, grid)?.0,
                set.clone(),
                group.clone(),
            ));
        }
        Ok(counted)
    }

    /// What a set leaves uncertified beside another, and the coarsest grid that tells, within so much work.
    fn outside(
        &mut self,
        ((before, earlier, _), (failures, set, _)): (&Counted, &Counted),
        window: Option<usize>,
        bits: u32,
        work: u64,
    ) -> Result<(f64, usize), Refusal> {
        let negligible = self.total * NEGLIGIBLE;
        let work = work.min((failures / self.total * WORTH) as u64);
        let mut found: Vec<(f64, usize)> = vec![];
        for coarser in (0..bits as usize).rev() {
            let spent = self.meter.int_ops();
            let grid = Grid {
                bits,
                without: vec![vec![], vec![0, coarser]].into(),
                wrong: None,
            };
            let left = self.counted(&[earlier, set], window, &grid)?.0 - before;
            found.push((left, coarser));
            // A grid twice as fine has four times as many cells.
            if left <= negligible || 4 * (self.meter.int_ops() - spent) > work {
                break;
            }
        }
        let least = found
            .iter()
            .map(|(left, _)| *left)
            .fold(f64::INFINITY, f64::min);
        Ok(found
            .into_iter()
            .find(|(left, _)| *left <= least + negligible)
            .expect("one grid is tried"))
    }

    /// Plans for a pair with many inputs on which wrong answers win.
    pub(super) fn overlapping(&mut self) -> Result<Vec<Offer>, Refusal> {
        let (negligible, inputs) = (self.total * NEGLIGIBLE, self.inputs());
        let mut offers = vec![];
        if inputs <= negligible {
            return Ok(offers);
        }
        let grid = Grid {
            bits: self.style.bits,
            without: Rows::EMPTY,
            wrong: Some(Wrong {
                by: 0,
                then_by: None,
                coarser: 0,
            }),
        };
        let coarse = Grid {
            bits: self.style.search_bits,
            ..Grid::default()
        };
        let mut failing = vec![];
        // First the answers that are likely to win everywhere: then no other is looked at.
        let likely = self.candidates(&[]);
        let others = (0..self.answers).filter(|j| *j != self.right && !likely.contains(j));
        for answer in likely.iter().copied().chain(others).collect::<Vec<_>>() {
            let set = Set::One(answer);
            if self.counted(&[&set], None, &coarse)?.0 <= negligible {
                continue;
            }
            let (failures, wrong) = self.counted(&[&set], None, &grid)?;
            if failures > negligible {
                failing.push((wrong, answer, failures));
            }
            if wrong >= inputs - negligible {
                break;
            }
        }
        failing.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        if failing
            .iter()
            .all(|(.., failures)| *failures < inputs - negligible)
        {
            let answers = self
                .greedy(failing.iter().map(|(_, answer, _)| *answer).collect(), None)?
                .0;
            offers.extend(self.partitioned(answers, None)?);
        }
        let Some((most, first, _)) = failing.first().copied() else {
            return Ok(offers);
        };
        let mut choices: Vec<(Vec<usize>, Option<usize>)> = WINDOWS
            .iter()
            .map(|window| (vec![first], self.window(*window)))
            .collect();
        choices.dedup();
        // Where the first shows not nearly all, the second shows more.
        if let Some((_, second, _)) = failing
            .get(1)
            .filter(|(wrong, ..)| wrong.min(inputs - most) > negligible)
        {
            choices.push((vec![first, *second], None));
        }
        for (answers, window) in choices {
            let single = |answer: &usize| group(Answers::These(vec![*answer]), (Test::Count, None));
            let rest = group(Answers::Rest, (Test::Forfeit, None));
            let wrong = Some(Wrong {
                by: 0,
                then_by: (answers.len() > 1).then_some(1),
                coarser: 4,
            });
            let groups = answers.iter().map(single).chain([rest]).collect();
            offers.push(self.offer(Plan {
                groups,
                count: Count::Grid(Box::new(Grid {
                    wrong,
                    ..grid.clone()
                })),
                window,
            })?);
        }
        Ok(offers)
    }
}
