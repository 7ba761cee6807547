//! Levels: a partition of a task's inputs into sets with one right answer each, as the words that a small automaton takes
//! over classes of tokens. Only read-outs at the last position have them.

use super::tokens::Tokens;
use num_bigint::BigUint;

/// Inputs with one right answer. State 0 is the start; what cannot end an input is not there, so that every state behind
/// the last position is an end. Classes are disjoint, and a state goes on by each of them in one way at most: an input is
/// one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// The right answer.
    pub answer: usize,
    /// Sets of tokens, disjoint.
    pub classes: Vec<Tokens>,
    /// By position, then state.
    moves: Vec<Vec<Vec<Move>>>,
}

/// A class of tokens that may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// The class.
    pub class: usize,
    /// The state behind it.
    pub to: usize,
}

impl Level {
    /// The words of so many positions from state 0 to a state that is an end, with `next` from a position and a state by a
    /// class.
    pub(super) fn new(
        answer: usize,
        classes: Vec<Tokens>,
        (positions, states): (usize, usize),
        next: impl Fn(usize, usize, usize) -> Option<usize>,
        is_end: impl Fn(usize) -> bool,
    ) -> Self {
        let mut alive: Vec<bool> = (0..states).map(is_end).collect();
        let mut moves = Vec::with_capacity(positions);
        for position in (0..positions).rev() {
            let from = |state| -> Vec<Move> {
                let to = |(class, tokens): (usize, &Tokens)| {
                    let to = next(position, state, class)?;
                    let goes_on = !tokens.is_empty() && alive.get(to) == Some(&true);
                    goes_on.then_some(Move { class, to })
                };
                classes.iter().enumerate().filter_map(to).collect()
            };
            let here: Vec<Vec<Move>> = (0..states).map(from).collect();
            alive = here.iter().map(|moves| !moves.is_empty()).collect();
            moves.push(here);
        }
        moves.reverse();
        reached_only(&mut moves);
        Self {
            answer,
            classes,
            moves,
        }
    }

    /// How many moves there are: what counting its inputs takes.
    pub fn moves(&self) -> usize {
        self.moves.iter().flatten().map(Vec::len).sum()
    }

    /// Its inputs, by the class of the last token.
    pub fn words(&self) -> Vec<Words<'_>> {
        let last = self.moves.last().into_iter().flatten().flatten();
        let mut last: Vec<usize> = last.map(|step| step.class).collect();
        last.sort_unstable();
        last.dedup();
        last.into_iter().map(|class| self.words_to(class)).collect()
    }

    /// Those that end with a token of this class.
    fn words_to(&self, class: usize) -> Words<'_> {
        let (last, before) = match self.moves.split_last() {
            Some((last, before)) => (last.as_slice(), before),
            None => (&[][..], &[][..]),
        };
        let ends = |moves: &Vec<Move>| moves.iter().any(|step| step.class == class);
        let ends = |moves| BigUint::from(u8::from(ends(moves)));
        let mut behind: Vec<BigUint> = last.iter().map(ends).collect();
        // States that go on alike are one: the first of them.
        let mut same = firsts(&behind);
        let (mut moves, mut inputs) = (vec![], vec![]);
        for here in before.iter().rev() {
            let ways = |step: &Move| behind.get(step.to).cloned().unwrap_or_default();
            let goes_on = |step: &&Move| ways(step) > BigUint::default();
            let merged = |step: &Move| Move {
                to: same.get(step.to).copied().unwrap_or(step.to),
                ..*step
            };
            let used = |moves: &Vec<Move>| moves.iter().filter(goes_on).map(merged).collect();
            let used: Vec<Vec<Move>> = here.iter().map(used).collect();
            let tokens = |step: &Move| self.classes.get(step.class).map_or(0, Tokens::len);
            let count =
                |moves: &Vec<Move>| moves.iter().map(|step| ways(step) * tokens(step)).sum();
            let counts = used.iter().map(count).collect();
            inputs.push(std::mem::replace(&mut behind, counts));
            same = firsts(&used);
            moves.push(used);
        }
        inputs.push(behind);
        moves.reverse();
        inputs.reverse();
        reached_only(&mut moves);
        Words {
            level: self,
            last: class,
            moves,
            inputs,
        }
    }
}

/// For each entry, where the first one is that equals it.
fn firsts<T: PartialEq>(list: &[T]) -> Vec<usize> {
    let first = |entry| list.iter().position(|other| other == entry);
    list.iter().filter_map(first).collect()
}

/// Forgets the moves of states where no input comes.
fn reached_only(moves: &mut [Vec<Vec<Move>>]) {
    let mut reached = vec![0];
    for here in moves {
        for (state, moves) in here.iter_mut().enumerate() {
            if !reached.contains(&state) {
                moves.clear();
            }
        }
        reached = here.iter().flatten().map(|step| step.to).collect();
        reached.sort_unstable();
        reached.dedup();
    }
}

/// The inputs of a level whose last token is of one class.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    /// The level.
    pub level: &'a Level,
    /// The class.
    last: usize,
    /// By position before the last, then state: those by which inputs go on.
    moves: Vec<Vec<Vec<Move>>>,
    /// By position, then state: in how many ways, with one last token.
    inputs: Vec<Vec<BigUint>>,
}

impl<'a> Words<'a> {
    /// The tokens that may be the last, ascending, each with the inputs that it ends.
    pub fn by_query(words: &'a [Self]) -> Vec<(usize, &'a Self)> {
        let mut queries = vec![];
        for words in words {
            let class = words.level.classes.get(words.last);
            let tokens = class.into_iter().flat_map(Tokens::iter);
            queries.extend(tokens.map(|token| (token, words)));
        }
        queries.sort_by_key(|(token, _)| *token);
        queries
    }

    /// How long they are.
    pub fn positions(&self) -> usize {
        self.inputs.len()
    }

    /// How many they are, with one last token.
    pub fn inputs(&self) -> BigUint {
        self.behind(0, 0)
    }

    /// In how many ways they go on from a state at a position.
    pub fn behind(&self, position: usize, state: usize) -> BigUint {
        let counts = self.inputs.get(position);
        counts
            .and_then(|counts| counts.get(state))
            .cloned()
            .unwrap_or_default()
    }

    /// How many states there are.
    pub fn states(&self) -> usize {
        self.inputs.first().map_or(0, Vec::len)
    }

    /// How they go on from a state at a position before the last.
    pub fn moves(&self, position: usize, state: usize) -> &[Move] {
        let here = self.moves.get(position);
        here.and_then(|here| here.get(state))
            .map_or(&[], Vec::as_slice)
    }

    /// By class: may it stand at a position?
    pub fn classes_at(&self, position: usize) -> Vec<bool> {
        let mut classes = vec![false; self.level.classes.len()];
        for step in self.moves.get(position).into_iter().flatten().flatten() {
            if let Some(class) = classes.get_mut(step.class) {
                *class = true;
            }
        }
        classes
    }

    /// Does every one hold a token of this class before the last position?
    pub fn hold(&self, class: usize) -> bool {
        let mut reached = vec![0];
        for here in &self.moves {
            let moves = reached
                .iter()
                .filter_map(|state| here.get(*state))
                .flatten();
            let others = moves.filter(|step| step.class != class);
            reached = others.map(|step| step.to).collect();
            reached.sort_unstable();
            reached.dedup();
        }
        reached.is_empty()
    }
}
