//! The criterion: one rule for brute force, cubic, subcubic and exact proofs. Only the hints differ.
//!
//! **Statement** (theorem `partition_sound`). For a query and a level, let G₁ … G_k partition the wrong answers, and let φ_G
//! bound every `φ_j`, j ∈ G, from above, token by token and position by position (`docs/theory.md`, T1, T2). An input with
//! `Σ_p φ_G(x_p, p) < 0` for every G is answered correctly; so the inputs that are not certified number at most the sum over
//! G of those with `Σ φ_G ≥ 0` (T8).
//! **Why.** A wrong input has `Σ_p φ_j ≥ 0` for some wrong j; that j lies in one G, and `φ_j ≤ φ_G`. A tie is wrong.
//! Every input has one level and one query (T3).
//!
//! Each group is settled by a whole-level test (`whole.rs`) or its failures are counted (`tree.rs`, `grid.rs`), over a
//! window of tokens (`window.rs`).

use super::margins::Set;
use super::terms::{Answer, MOVE, View};
use crate::certificate::levels::{Answers, Count, Group, Partition, Plan, Test};
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::Kind;
use crate::checker::run::Decided;
use crate::refusal::{Refusal, Rejection};
use crate::task::{Level, Words};
use num_bigint::BigUint;

impl<R: Enclosure> Answer<'_, R> {
    /// The inputs that the hinted plans decide, over all levels of this answer and all their queries.
    ///
    /// # Errors
    /// Those of [`Answer::partition`] and [`Answer::settled`].
    pub fn decided(&mut self, levels: &[Level], hints: &Partition) -> Result<Decided, Refusal> {
        let mut all = Decided::default();
        let mut number = 0..;
        for level in levels {
            self.meter.spend(Kind::Integer, MOVE * level.moves())?;
            let words = level.words();
            for ((query, words), number) in Words::by_query(&words).into_iter().zip(&mut number) {
                let Some((plan, index)) = hints.plan(self.right, number) else {
                    continue;
                };
                let sets = self.partition(plan, &format!("hints.criterion.plans[{index}]"))?;
                let view = self.view(words, query);
                all = all + self.settled(&view, &sets, plan)?;
                // The last term of the count, and two sums.
                self.meter.add(Kind::Integer, 3);
            }
        }
        Ok(all)
    }

    /// The inputs with one query that the groups decide.
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Work`].
    pub fn settled(
        &mut self,
        view: &View<'_>,
        sets: &[(Set, &Group)],
        plan: &Plan,
    ) -> Result<Decided, Refusal> {
        let (mut holds, mut all_wrong, mut counted) = (true, false, Vec::new());
        for (set, group) in sets {
            self.meter.within()?;
            let margin = self.margins.of(view.row, set);
            let window = group.window.unwrap_or(usize::MAX);
            match group.test {
                Test::Pooled => holds &= self.pooled_holds(&margin, view, window),
                Test::Unpooled => holds &= self.unpooled_holds(&margin, view, window),
                Test::Wrong => {
                    holds = false;
                    all_wrong |= self.wrong_holds(&margin, view, window);
                }
                Test::Count => counted.push(margin),
                Test::Forfeit => holds = false,
            }
        }
        let inputs = view.words.inputs();
        if all_wrong {
            return Ok(Decided {
                right: BigUint::default(),
                wrong: inputs,
            });
        }
        let mut decided = Decided {
            right: inputs,
            wrong: BigUint::default(),
        };
        if !counted.is_empty() {
            let window = self.window(view, plan.window.unwrap_or(usize::MAX));
            decided = match &plan.count {
                Count::Tree(script) => self.tree(view, &counted, &window, script)?,
                Count::Grid(grid) => self.grid(view, &counted, &window, grid)?,
            };
        }
        if !holds {
            decided.right = BigUint::default();
        }
        Ok(decided)
    }

    /// The groups as sets, checked to hold every wrong answer exactly once.
    ///
    /// # Errors
    /// [`Rejection::NotAPartition`].
    pub fn partition<'p>(
        &self,
        plan: &'p Plan,
        path: &str,
    ) -> Result<Vec<(Set, &'p Group)>, Refusal> {
        self.meter.goes_by("partition");
        let (v, right) = (self.tables.answers, self.right);
        let broken = |found: String| Rejection::NotAPartition {
            path: format!("{path}.groups"),
            found,
        };
        if plan.groups.len() > v {
            return Err(broken(format!("{} groups for {v} answers", plan.groups.len())).into());
        }
        // Each answer is looked at when it is named, and when those left are found; each group once.
        self.meter.add(Kind::Integer, v);
        let mut group_of = vec![None; v];
        for (index, group) in plan.groups.iter().enumerate() {
            let Answers::These(answers) = &group.answers else {
                continue;
            };
            for answer in answers {
                match group_of.get_mut(*answer) {
                    Some(free @ None) if *answer != right => *free = Some(index),
                    _ => {
                        return Err(broken(format!(
                            "answer {answer}, beside the right answer {right}, is not one wrong answer"
                        ))
                        .into());
                    }
                }
            }
        }
        let left: Vec<usize> = (0..v)
            .filter(|j| *j != right && group_of.get(*j) == Some(&None))
            .collect();
        let open = plan
            .groups
            .iter()
            .filter(|group| !matches!(group.answers, Answers::These(_)))
            .count();
        if open > 1 || (open == 0 && !left.is_empty()) {
            return Err(broken(format!(
                "{open} groups for the {} answers left, beside the right answer {right}",
                left.len()
            ))
            .into());
        }
        let mut sets = Vec::new();
        for (index, group) in plan.groups.iter().enumerate() {
            let (answers, of): (&[usize], _) = match &group.answers {
                Answers::These(answers) => (answers, Some(index)),
                Answers::Rest => (&left, None),
                Answers::Each => {
                    sets.extend(left.iter().map(|answer| (Set::One(*answer), group)));
                    continue;
                }
            };
            match answers {
                [] => {}
                [one] => sets.push((Set::One(*one), group)),
                _ => {
                    self.meter.add(Kind::Integer, v);
                    let marks = group_of
                        .iter()
                        .enumerate()
                        .map(|(j, group)| j != right && *group == of);
                    sets.push((Set::Marked(marks.collect()), group));
                }
            }
        }
        Ok(sets)
    }
}
