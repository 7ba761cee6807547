//! The criterion: one rule for brute force, cubic, subcubic and exact proofs. Only the hints differ.
//!
//! **Statement** (theorem `partition_sound`). For a query q and a maximum m, let G₁ … G_k partition the answers other
//! than m, and let φ_G bound every `φ_j`, j ∈ G, from above, token by token and position by position (`docs/theory.md`,
//! T1, T2). An input with `Σ_p φ_G(x_p, p) < 0` for every G is answered correctly; so the inputs that are not certified
//! number at most the sum over G of those with `Σ φ_G ≥ 0` (T8).
//! **Why.** A wrong input has `Σ_p φ_j ≥ 0` for some j ≠ m; that j lies in one G, and `φ_j ≤ φ_G`. A tie is wrong.
//! Summed over (q, m), the inputs are all `d_vocab^n_ctx` (T3).
//!
//! Each group is settled by a whole-level test (`whole.rs`) or its failures are counted (`tree.rs`, `grid.rs`), over a
//! window of tokens (`window.rs`).

use super::margins::Set;
use super::terms::Level;
use crate::certificate::levels::{Answers, Count, Group, Partition, Plan, Script, Test};
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::Kind;
use crate::checker::run::Decided;
use crate::refusal::{Refusal, Rejection};
use num_bigint::BigUint;

impl<R: Enclosure> Level<'_, R> {
    /// The inputs of this maximum that the hinted plans decide, over all queries.
    ///
    /// # Errors
    /// Those of [`Level::partition`] and [`Level::settled`].
    pub fn decided(&mut self, hints: &Partition) -> Result<Decided, Refusal> {
        let mut all = Decided::default();
        for q in 0..=self.m {
            let Some((plan, index)) = hints.plan(q, self.m) else {
                continue;
            };
            let sets = self.partition(plan, &format!("hints.criterion.plans[{index}]"))?;
            all = all + self.settled(q, &sets, plan)?;
            // Two powers, three differences and two sums.
            self.meter.add(Kind::Integer, 2 * self.tables.n_ctx + 1);
        }
        Ok(all)
    }

    /// The inputs with query q ≤ m that the groups decide.
    ///
    /// # Errors
    /// [`crate::refusal::Decline::Work`].
    pub fn settled(
        &mut self,
        q: usize,
        sets: &[(Set, &Group)],
        plan: &Plan,
    ) -> Result<Decided, Refusal> {
        let (mut holds, mut counted) = (true, Vec::new());
        for (set, group) in sets {
            self.meter.within()?;
            let margin = self.margins.of(q, set);
            let window = group.window.unwrap_or(usize::MAX);
            match group.test {
                Test::Pooled => holds &= self.pooled_holds(&margin, q, window),
                Test::Unpooled => holds &= self.unpooled_holds(&margin, q, window),
                Test::Count => counted.push(margin),
                Test::Forfeit => holds = false,
            }
        }
        let mut decided = Decided {
            right: self.inputs(q),
            wrong: BigUint::default(),
        };
        if !counted.is_empty() {
            let window = self.window(q, plan.window.unwrap_or(usize::MAX));
            decided = match &plan.count {
                Count::Tree(script) => self.tree(
                    q,
                    &counted,
                    &window,
                    script.as_deref().unwrap_or(&Script::default()),
                )?,
                Count::Grid(grid) => self.grid(q, &counted, &window, grid)?,
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
        let (v, m) = (self.tables.d_vocab, self.m);
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
                    Some(free @ None) if *answer != m => *free = Some(index),
                    _ => {
                        return Err(broken(format!(
                            "answer {answer}, with maximum {m}, is not one wrong answer"
                        ))
                        .into());
                    }
                }
            }
        }
        let left: Vec<usize> = (0..v)
            .filter(|j| *j != m && group_of.get(*j) == Some(&None))
            .collect();
        let open = plan
            .groups
            .iter()
            .filter(|group| !matches!(group.answers, Answers::These(_)))
            .count();
        if open > 1 || (open == 0 && !left.is_empty()) {
            return Err(broken(format!(
                "{open} groups for the {} answers left, with maximum {m}",
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
                    let marks = group_of
                        .iter()
                        .enumerate()
                        .map(|(j, group)| j != m && *group == of);
                    sets.push((Set::Marked(marks.collect()), group));
                }
            }
        }
        Ok(sets)
    }
}
