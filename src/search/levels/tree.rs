//! A proof tree as it grows, by the checker's rule `tree`: the words of its script, and what they take.

use super::terms::{CLEAR, Case, Pool};
use crate::certificate::levels::{Script, Word};
use std::collections::BTreeSet;

/// A group with the upper and lower ends of its sum.
type Open = (usize, f64, f64);

/// What order the items are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// That of the window.
    Window,
    /// The tokens that are groups of their own, then by the first group's terms.
    Answers,
}

/// The inputs of a place: every way on from a state, or by some items of one, from the first to before the last.
#[derive(Clone, Copy)]
struct Ahead {
    p: usize,
    state: usize,
    items: Option<(usize, (usize, usize))>,
}

/// Terms by group: upper and lower ends.
type Terms = Vec<(f64, f64)>;

/// How a state goes on: items, by number, and the state behind them.
struct Way {
    items: Vec<usize>,
    to: usize,
}

/// The tree of one (query, level).
pub(super) struct Tree<'a> {
    case: &'a Case<'a>,
    pub(super) window: usize,
    pub(super) script: Script,
    pub(super) cost: usize,
    room: usize,
    /// By position, then item.
    terms: Vec<Vec<Terms>>,
    /// By position, then state.
    ways: Vec<Vec<Vec<Way>>>,
    /// Of every way on: by position, state, group.
    by_state: Vec<Vec<Terms>>,
    /// What the checker has bounded.
    known: BTreeSet<(bool, [usize; 2])>,
    known_states: BTreeSet<(bool, [usize; 3])>,
    single: Vec<bool>,
    complete: bool,
}

fn either(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (a.0.max(b.0), a.1.min(b.1))
}

impl<'a> Tree<'a> {
    /// The tree for these groups; none if it takes more FLOPs than there is room for, or leaves inputs undecided.
    pub(super) fn grow(
        case: &'a Case<'a>,
        pools: &[Pool],
        window: usize,
        (by, room): (By, usize),
    ) -> Option<Self> {
        let window = window.min(case.tokens.len());
        if window < case.singles || window > case.width() {
            return None;
        }
        let far = case.far[window].as_ref();
        let mut left = case.sizes.clone();
        case.class[..window]
            .iter()
            .for_each(|class| left[*class] -= 1);
        // Without bounds of the far classes from below, no input is shown wrong.
        let bounded = far.is_none() || case.widest.is_some();
        let low = |pool: &Pool, i: usize, p: usize| match pool.answers[..] {
            [answer] => case.least_term(answer, i, p),
            _ => f64::MIN,
        };
        // Items from the largest term of a group on; the far class stands for something below zero.
        let mut ranked: Vec<usize> = (0..=window).collect();
        if by == By::Answers {
            let term = |i: &usize| match *i {
                far if far == window => 0.0,
                i => case.term(&pools[0], i, 0),
            };
            let place = |i: &usize| {
                let token = case.token(*i, window);
                let is_token = |pool: &Pool| pool.answers == [token];
                pools.iter().position(is_token).unwrap_or(pools.len())
            };
            ranked.sort_by(|a, b| term(b).total_cmp(&term(a)).then(a.cmp(b)));
            // A token that is a class by itself does not part the others.
            ranked.sort_by_key(|i| (*i < case.singles, place(i)));
        }
        // Classes that go on together stay together: the first two of a level, then any other.
        let kind = |i: &usize| case.class.get(*i).map_or(0, |class| class / 2);
        ranked.sort_by_key(kind);
        // A far item for each class that has far tokens.
        let mut items: Vec<(usize, usize)> = vec![];
        for i in ranked.iter().copied() {
            if i < window {
                items.push((i, case.class[i]));
            } else {
                let has_far = left.iter().enumerate().filter(|(_, left)| **left > 0);
                items.extend(has_far.map(|(class, _)| (i, class)));
            }
        }
        // The terms: most trees are too long for their room before they begin.
        let standing = case.stands.iter().flat_map(|stands| {
            let here = items.iter().filter(|(_, class)| stands[*class]);
            here.map(|_| ())
        });
        let begun = 2 * pools.len() * standing.count();
        if begun > room {
            return None;
        }
        let row = |p: usize, (i, class): (usize, usize)| -> Terms {
            if !case.stands[p][class] {
                return vec![];
            }
            if i == window {
                let far = far.map_or(f64::MAX, |(_, far)| far[p]);
                return vec![(far, case.far_below(window, p)); pools.len()];
            }
            let ends = |pool: &Pool| (case.term(pool, i, p), low(pool, i, p));
            pools.iter().map(ends).collect()
        };
        let terms_at = |p: usize| items.iter().map(|item| row(p, *item)).collect();
        let terms: Vec<Vec<Terms>> = (0..case.n - 1).map(terms_at).collect();
        let (states, groups) = (case.words.states(), pools.len());
        let ways_on = |p: usize, state: usize| {
            let moves = case.words.moves(p, state);
            let mut ways: Vec<Way> = vec![];
            for step in moves {
                if ways.iter().all(|way| way.to != step.to) {
                    let goes = |class: usize| {
                        moves
                            .iter()
                            .any(|other| other.to == step.to && other.class == class)
                    };
                    let of_way = (0..items.len()).filter(|item| goes(items[*item].1));
                    ways.push(Way {
                        items: of_way.collect(),
                        to: step.to,
                    });
                }
            }
            ways
        };
        let ways_at = |p: usize| (0..states).map(|state| ways_on(p, state)).collect();
        let ways: Vec<Vec<Vec<Way>>> = (0..case.n - 1).map(ways_at).collect();
        let mut by_state: Vec<Vec<Terms>> = vec![vec![vec![(0.0, 0.0); groups]; states]];
        for p in (0..case.n - 1).rev() {
            let behind = by_state.last()?;
            let best = |state: usize, group: usize| {
                let way = |way: &Way| {
                    let between = way.items[0]..=way.items[way.items.len() - 1];
                    let of_items = between.filter_map(|item| terms[p][item].get(group).copied());
                    let item = of_items.reduce(either).unwrap_or((f64::NAN, f64::NAN));
                    let rest = behind[way.to][group];
                    (item.0 + rest.0, item.1 + rest.1)
                };
                let ways = ways[p][state].iter().map(way);
                ways.reduce(either).unwrap_or((f64::NAN, f64::NAN))
            };
            let row = |state| (0..groups).map(|group| best(state, group)).collect();
            by_state.push((0..states).map(row).collect());
        }
        by_state.reverse();
        let order = match by {
            By::Window => vec![],
            _ => ranked.iter().map(|i| case.token(*i, window)).collect(),
        };
        let is_single = |pool: &Pool| bounded && pool.answers.len() == 1;
        let mut tree = Self {
            case,
            window,
            script: Script {
                order,
                walk: vec![],
            },
            cost: begun,
            room,
            terms,
            ways,
            by_state,
            known: BTreeSet::new(),
            known_states: BTreeSet::new(),
            single: pools.iter().map(is_single).collect(),
            complete: true,
        };
        let last = |(group, pool): (usize, &Pool)| match pool.answers[..] {
            [answer] => (group, case.last_term(pool), case.least_last_term(answer)),
            _ => (group, case.last_term(pool), f64::MIN),
        };
        let open = pools.iter().enumerate().map(last).collect();
        tree.node(0, 0, open);
        (tree.complete && tree.cost <= room).then_some(tree)
    }

    /// Bounds of what is ahead.
    fn ahead(&self, Ahead { p, state, items }: Ahead, group: usize) -> (f64, f64) {
        let Some((number, (from, to))) = items else {
            return self.by_state[p][state][group];
        };
        let way = &self.ways[p][state][number];
        let between = way.items[from]..=way.items[to - 1];
        let here = between.filter_map(|item| self.terms[p][item].get(group).copied());
        let here = here.reduce(either).unwrap_or((f64::NAN, f64::NAN));
        let rest = self.by_state[p + 1][way.to][group];
        (here.0 + rest.0, here.1 + rest.1)
    }

    /// What the checker takes for a test, and for what it has to bound first.
    fn test(&mut self, below: bool, Ahead { p, state, items }: Ahead, group: usize) {
        let last = self.terms.len();
        self.cost += 1;
        match items {
            None => {
                self.cost += usize::from(p < last);
                self.bound_state(below, [p, state, group]);
            }
            Some((number, _)) => {
                let to = self.ways[p][state][number].to;
                self.cost += 1 + usize::from(p + 1 < last);
                self.bound_items(below, p, group);
                self.bound_state(below, [p + 1, to, group]);
            }
        }
    }

    fn bound_items(&mut self, below: bool, p: usize, group: usize) {
        if !self.known.insert((below, [p, group])) {
            return;
        }
        let terms = self.terms[p].iter().filter_map(|terms| terms.get(group));
        let terms: Vec<(f64, f64)> = terms.copied().collect();
        let mut beyond: Vec<Option<usize>> = vec![];
        for (place, term) in terms.iter().enumerate() {
            let mut before = place.checked_sub(1);
            while let Some(other) = before {
                self.cost += 1;
                let other_term = terms[other];
                if below && other_term.1 <= term.1 || !below && term.0 <= other_term.0 {
                    break;
                }
                before = beyond[other];
            }
            beyond.push(before);
        }
    }

    fn bound_state(&mut self, below: bool, key: [usize; 3]) {
        let [p, state, group] = key;
        if p == self.terms.len() || !self.known_states.insert((below, key)) {
            return;
        }
        let ways = self.ways[p][state].len();
        self.cost += ways - 1;
        for number in 0..ways {
            let way = &self.ways[p][state][number];
            let to = way.to;
            self.cost += usize::from(p + 1 < self.terms.len());
            self.bound_items(below, p, group);
            self.bound_state(below, [p + 1, to, group]);
        }
    }

    fn word(&mut self, word: Word) {
        self.script.walk.push(word.number());
    }

    /// What becomes of a place.
    fn place(&mut self, ahead: Ahead, mut open: Vec<Open>) -> Next {
        let is_last = ahead.p == self.terms.len();
        let is_negative =
            |ahead: Ahead, entry: &Open| entry.1 + self.ahead(ahead, entry.0).0 < -CLEAR;
        let dropped = open.iter().filter(|entry| is_negative(ahead, entry));
        let dropped: Vec<usize> = dropped.map(|entry| entry.0).collect();
        if dropped.len() == open.len() {
            return self.right(ahead, &open, 0, vec![]);
        }
        // A tie is wrong: of one input, the checker may be able to tell where doubles are not.
        let clear = if is_last { -CLEAR } else { CLEAR };
        let shows = |ahead: Ahead| {
            let least = |entry: &Open| entry.2 + self.ahead(ahead, entry.0).1;
            let shows = open.iter();
            let shows = shows.filter(|entry| self.single[entry.0] && least(entry) >= clear);
            let best = shows.max_by(|a, b| least(a).total_cmp(&least(b)));
            best.map(|entry| entry.0)
        };
        match ahead.items {
            None => {
                if let Some(group) = shows(ahead) {
                    return self.wrong(ahead, group, 0, vec![]);
                }
            }
            // As many items as one answer shows to be wrong, or as are right.
            Some((way, (from, to))) => {
                let some = |end| Ahead {
                    items: Some((way, (from, end))),
                    ..ahead
                };
                let (wrong, right) = self.runs(ahead, &open, clear);
                if let Some((end, group)) = wrong {
                    let count = if end == to { 0 } else { end - from };
                    return self.wrong(some(end), group, count, open);
                }
                if let Some(end) = right.filter(|end| *end > from + 1) {
                    let entries = open.clone();
                    return self.right(some(end), &entries, end - from, open);
                }
            }
        }
        if is_last {
            self.complete = false;
            self.word(Word::Leave);
            return Next::Found(usize::MAX, vec![]);
        }
        // At the last free position a group that is left out saves less than the test.
        if ahead.items.is_none() || ahead.p + 1 < self.terms.len() {
            for group in dropped {
                self.test(false, ahead, group);
                self.word(Word::Drop(group));
                open.retain(|entry| entry.0 != group);
            }
        }
        self.word(Word::Split);
        Next::Split(open)
    }

    /// Of the items of a way, before which one all are shown to be wrong by a group, and before which all are right.
    fn runs(
        &self,
        Ahead { p, state, items }: Ahead,
        open: &[Open],
        clear: f64,
    ) -> (Option<(usize, usize)>, Option<usize>) {
        let (mut wrong, mut right) = (None, None);
        let Some((number, (from, to))) = items else {
            return (wrong, right);
        };
        let way = &self.ways[p][state][number];
        let rest = &self.by_state[p + 1][way.to];
        let mut bounds = vec![(f64::MIN, f64::MAX); open.len()];
        let mut next = way.items[from];
        let (mut may_be_wrong, mut may_be_right) = (true, true);
        for (place, last) in way.items.iter().enumerate().take(to).skip(from) {
            for terms in &self.terms[p][next..=*last] {
                for (bound, (group, ..)) in bounds.iter_mut().zip(open) {
                    *bound = terms
                        .get(*group)
                        .map_or(*bound, |term| either(*bound, *term));
                }
            }
            next = last + 1;
            let ends = open.iter().zip(&bounds);
            let ends = ends.map(|((group, upper, lower), bound)| {
                let (most, least) = rest[*group];
                (*group, upper + bound.0 + most, lower + bound.1 + least)
            });
            if may_be_wrong {
                let shows = ends
                    .clone()
                    .filter(|end| self.single[end.0] && end.2 >= clear);
                let best = shows.max_by(|a, b| a.2.total_cmp(&b.2));
                may_be_wrong = best.is_some();
                wrong = best.map_or(wrong, |best| Some((place + 1, best.0)));
            }
            if may_be_right {
                may_be_right = ends.clone().all(|end| end.1 < -CLEAR);
                right = if may_be_right { Some(place + 1) } else { right };
            }
            if !may_be_wrong && !may_be_right {
                break;
            }
        }
        (wrong, right)
    }

    /// All inputs of a place are right, or those of so many items.
    fn right(&mut self, ahead: Ahead, open: &[Open], count: usize, still: Vec<Open>) -> Next {
        open.iter()
            .for_each(|entry| self.test(false, ahead, entry.0));
        self.word(Word::Right);
        self.script.walk.extend(ahead.items.map(|_| count));
        Next::Found(if count == 0 { usize::MAX } else { count }, still)
    }

    /// They are wrong, by a group.
    fn wrong(&mut self, ahead: Ahead, group: usize, count: usize, still: Vec<Open>) -> Next {
        if self.case.two_sided {
            self.test(true, ahead, group);
            self.word(Word::Wrong(group));
            self.script.walk.extend(ahead.items.map(|_| count));
        } else if count == 0 {
            self.word(Word::Leave);
        } else {
            // There is no such group: the test fails, and its inputs are passed.
            self.word(Word::Wrong(self.single.len()));
            self.script.walk.push(count);
        }
        Next::Found(if count == 0 { usize::MAX } else { count }, still)
    }

    fn node(&mut self, p: usize, state: usize, open: Vec<Open>) {
        if self.cost > self.room || !self.complete {
            return;
        }
        let items = None;
        let Next::Split(open) = self.place(Ahead { p, state, items }, open) else {
            return;
        };
        let ways = self.ways[p][state].len();
        for number in 0..ways {
            let (mut open, mut from) = (open.clone(), 0);
            let (to, count) = {
                let way = &self.ways[p][state][number];
                (way.to, way.items.len())
            };
            while from < count {
                if from + 1 < count {
                    let items = Some((number, (from, count)));
                    match self.place(Ahead { p, state, items }, open) {
                        Next::Found(items, still) => {
                            (from, open) = (from.saturating_add(items), still);
                            continue;
                        }
                        Next::Split(still) => open = still,
                    }
                }
                self.cost += open.len();
                let terms = &self.terms[p][self.ways[p][state][number].items[from]];
                let longer = |(group, upper, lower): &Open| {
                    (*group, upper + terms[*group].0, lower + terms[*group].1)
                };
                let longer = open.iter().map(longer).collect();
                self.node(p + 1, to, longer);
                from += 1;
            }
        }
    }
}

/// What becomes of a place: so many items are passed, or the next is looked at; with the groups that stay open.
enum Next {
    Found(usize, Vec<Open>),
    Split(Vec<Open>),
}
