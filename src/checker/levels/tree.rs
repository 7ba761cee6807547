//! Rule `tree`: all groups together, by a tree over the inputs. It also shows inputs to be wrong.
//!
//! **Statement** (theorem `tree_counts`; `docs/theory.md`, T3, T8). At a node the first positions hold known items, and the
//! others have a token each by which the level goes on. All inputs below a node, or all whose next token is among some
//! items of one way on, are right if every group is negative there: `prefix + most < 0`, or was further up; they are wrong
//! if one answer's own sum has `prefix + least ≥ 0` (a tie is wrong). Every input lies below one leaf, so that counts add up.
//! **Why.** Terms enclose φ, and `most` and `least` bound every completion: the best item that may come next with the best
//! of what may follow it. Far tokens have the upper bound of rule `window`; from below they have at least −w(s,p)·K for the
//! strongest token s, with K the widest margin there is. They count as many as they are.
//! A script says what to do at each place, and in what order items are; a test that fails, or is missing, leaves its inputs
//! undecided. Without words, the open groups are tested in their order until one is not negative; where that one does not
//! show the inputs to be wrong, the next item is looked at apart.
//! **Cost.** An addition for each open group to reach a node; at most two additions and a comparison for a test; one or two
//! comparisons for every item that is bounded. An integer operation for each word of a script, and for each place.

use super::margins::{Margin, Set};
use super::terms::{Answer, View};
use super::window::Window;
use crate::certificate::levels::{Script, Word};
use crate::checker::arithmetic::Enclosure;
use crate::checker::meter::{Kind, Meter};
use crate::checker::run::Decided;
use crate::refusal::{Decline, Refusal};
use crate::task::{Move, Words};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// From which side sums are bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// From above, by the largest terms.
    Most,
    /// From below, by the least.
    Least,
}

impl End {
    /// The one of two numbers that bounds both.
    fn of<R: Enclosure>(self, a: &R, b: &R) -> R {
        match self {
            Self::Most => a.max(b),
            Self::Least => a.min(b),
        }
    }

    /// Does the first of two numbers bound the second?
    fn is_beyond<R: Enclosure>(self, a: &R, b: &R) -> bool {
        match self {
            Self::Most => b.upper_at_most(a),
            Self::Least => a.lower_at_most(b),
        }
    }

    /// Is a bound on the side of zero where it says something?
    fn settles<R: Enclosure>(self, bound: &R) -> bool {
        match self {
            Self::Most => bound.is_negative(),
            Self::Least => bound.is_nonnegative(),
        }
    }
}

/// Groups not yet negative everywhere below a place, in their order, with their sums.
type Open<R> = Vec<(usize, R)>;

/// Inputs known to be right, and inputs known to be wrong.
#[derive(Default)]
struct Found {
    right: u128,
    wrong: u128,
}

impl Found {
    /// Adds what was found for each of `times` tokens: in all, no more than the inputs there are, below 2^127.
    fn add(&mut self, times: u128, below: &Self) {
        self.right = self.right.saturating_add(times.saturating_mul(below.right));
        self.wrong = self.wrong.saturating_add(times.saturating_mul(below.wrong));
    }
}

/// A token of the window, or the far tokens of a class.
#[derive(Clone)]
struct Item {
    token: Option<usize>,
    class: usize,
    /// How many tokens it stands for.
    tokens: u128,
}

/// Items by a hinted order, then as they are in the window, those beyond it last.
fn ordered(window: &Window, order: &[usize], d_vocab: usize, meter: &Meter) -> Vec<Item> {
    let mut items = vec![];
    for (class, (near, far)) in window.near.iter().zip(&window.far).enumerate() {
        let near = near.iter().map(|token| (Some(*token), 1));
        let far = Some((None, *far)).filter(|(_, far)| *far > 0);
        items.extend(near.chain(far).map(|(token, tokens)| Item {
            token,
            class,
            tokens: u128::try_from(tokens).unwrap_or(0),
        }));
    }
    let mut ranks = vec![order.len(); d_vocab + 1];
    for (rank, token) in order.iter().enumerate().take(ranks.len()) {
        let slot = ranks.get_mut(*token).into_iter();
        slot.for_each(|slot| *slot = rank);
    }
    meter.add(Kind::Integer, 4 * ranks.len());
    items.sort_by_key(|item| ranks.get(item.token.unwrap_or(d_vocab)).copied());
    items
}

/// How a state goes on: by the items of some classes, behind which the state is the same.
struct Way {
    /// Items, by number, ascending.
    items: Vec<usize>,
    /// How many tokens each and all behind it stand for.
    tokens: Vec<u128>,
    to: usize,
}

impl Way {
    /// How many tokens some items stand for.
    fn tokens(&self, (from, to): (usize, usize)) -> u128 {
        let behind = |item: usize| self.tokens.get(item).copied().unwrap_or(0);
        behind(from).saturating_sub(behind(to))
    }
}

/// Where the inputs are that a word speaks of.
#[derive(Clone, Copy)]
struct Place {
    position: usize,
    state: usize,
    /// Of one way on, the items from the first to before the last; every way on for none.
    items: Option<(usize, (usize, usize))>,
    inputs: u128,
}

/// What is done at a place.
enum Outcome<R> {
    /// What is found, and of how many items; what is open at the others.
    Found(Found, usize, Open<R>),
    Split(Open<R>),
}

/// By item: another one, if there is one.
type Beyond = Vec<Option<usize>>;

/// What the walk and the whole-level tests know of some groups.
pub(super) struct Tree<'a, R> {
    meter: &'a Meter,
    kind: Kind,
    words: &'a Words<'a>,
    /// By position, then item, then group.
    terms: Vec<Vec<Vec<R>>>,
    /// By position, then state.
    ways: Vec<Vec<Vec<Way>>>,
    /// By group: the term of the last position.
    last: Vec<R>,
    /// By group: is it of one answer, with terms bounded from below?
    shows: Vec<bool>,
    /// For each item, the last before it whose term is beyond its own, by position and group.
    beyond: RefCell<BTreeMap<(End, [usize; 2]), Beyond>>,
    /// Bounds of all ways on, by position, state and group.
    by_state: RefCell<BTreeMap<(End, [usize; 3]), R>>,
}

impl<R: Enclosure> Answer<'_, R> {
    /// The inputs that are right, and those that are wrong.
    pub(super) fn tree(
        &mut self,
        view: &View<'_>,
        groups: &[Margin<'_, R>],
        window: &Window,
        script: &Script,
    ) -> Result<Decided, Refusal> {
        self.meter.goes_by("tree");
        let inputs = view.words.inputs();
        if inputs.bits() > 127 {
            let found = inputs.bits();
            return Err(Decline::too_large("the tree's count, in bits", 127, found).into());
        }
        self.meter.spend(Kind::Integer, script.walk.len())?;
        let mut words = script.walk.iter().map(|word| Word::read(*word));
        let shows = words.any(|word| matches!(word, Word::Wrong(_)));
        let order = script.order.as_slice();
        let tree = Tree::new(self, view, (groups, window, order), shows, None);
        let open = tree.last.iter().cloned().enumerate().collect();
        let script = (!script.walk.is_empty()).then(|| script.walk.iter());
        let found = Walk { tree, script }.node(0, 0, open)?;
        Ok(Decided {
            right: found.right.into(),
            wrong: found.wrong.into(),
        })
    }
}

impl<'a, R: Enclosure> Tree<'a, R> {
    /// With the far classes bounded from below, or not.
    pub(super) fn new<'b: 'a>(
        answer: &mut Answer<'b, R>,
        view: &'a View<'_>,
        (groups, window, order): (&[Margin<'_, R>], &Window, &[usize]),
        bounded: bool,
        whole: Option<End>,
    ) -> Self {
        let kind = if whole.is_some() {
            Kind::Whole
        } else {
            Kind::Tree
        };
        let last = groups
            .iter()
            .map(|group| answer.last_term(group, view))
            .collect();
        let mut items = ordered(window, order, answer.tables.d_vocab, answer.meter);
        let all = items.clone();
        if whole.is_some() {
            // Where only the root is asked about, the bound of a class is the one item that counts.
            items.dedup_by_key(|item| item.class);
        }
        let (mut terms, mut ways) = (Vec::new(), Vec::new());
        for p in 0..answer.tables.n_ctx - 1 {
            let mut far = R::everything();
            if window.has_far() {
                far = answer.far_term(window, view, p);
                if bounded {
                    far = far.hull(&answer.far_below(window, view, p));
                }
            }
            let stands = view.words.classes_at(p);
            let of_item = |item: &Item| match item.token {
                _ if stands.get(item.class) != Some(&true) => vec![],
                Some(t) => answer.terms(groups, view, t, p).collect(),
                None => vec![far.clone(); groups.len()],
            };
            let mut here: Vec<Vec<R>> = all.iter().map(of_item).collect();
            if let Some(end) = whole {
                let of_class = |item: &Item| {
                    let alike = all
                        .iter()
                        .zip(&here)
                        .filter(|(other, _)| other.class == item.class);
                    let alike = alike.filter_map(|(_, terms)| terms.first().cloned());
                    let best = alike.reduce(|a, b| {
                        answer.meter.add(kind, 1);
                        end.of(&a, &b)
                    });
                    Vec::from_iter(best)
                };
                here = items.iter().map(of_class).collect();
            }
            terms.push(here);
            let way = |state| {
                let moves = view.words.moves(p, state);
                answer.meter.add(Kind::Integer, moves.len() * items.len());
                ways_on(moves, &items)
            };
            ways.push((0..view.words.states()).map(way).collect());
        }
        let known = bounded || !window.has_far();
        let shows = groups
            .iter()
            .map(|group| known && matches!(group.set, Set::One(_)));
        Self {
            meter: answer.meter,
            kind,
            words: view.words,
            terms,
            ways,
            last,
            shows: shows.collect(),
            beyond: RefCell::default(),
            by_state: RefCell::default(),
        }
    }

    /// Does the first group's sum settle all inputs?
    pub(super) fn settles_all(&self, end: End) -> bool {
        let place = Place {
            position: 0,
            state: 0,
            items: None,
            inputs: 0,
        };
        let last = self.last.first().cloned().unwrap_or(R::everything());
        self.settles(end, place, &(0, last))
    }

    fn ways(&self, position: usize, state: usize) -> &[Way] {
        let states = self.ways.get(position);
        let ways = states.and_then(|states| states.get(state));
        ways.map_or(&[], Vec::as_slice)
    }

    /// Does a group's sum settle all inputs of a place?
    fn settles(&self, end: End, place: Place, (group, sum): &(usize, R)) -> bool {
        let Place {
            position, state, ..
        } = place;
        let (mut here, mut rest) = (None, None);
        match place.items {
            None => rest = self.behind(end, [position, state, *group]),
            Some((number, items)) => {
                here = Some(self.here(end, [position, state, number, *group], items));
                if let Some(way) = self.ways(position, state).get(number) {
                    rest = self.behind(end, [position + 1, way.to, *group]);
                }
            }
        }
        let more = here.iter().chain(&rest);
        let sum = more.fold(sum.clone(), |sum, more| {
            self.meter.add(self.kind, 1);
            sum.add(more)
        });
        self.meter.add(self.kind, 1);
        end.settles(&sum)
    }

    /// A bound of a way's terms, of the items from the first to before the last: of all that may stand between them.
    fn here(&self, end: End, key: [usize; 4], (from, to): (usize, usize)) -> R {
        let [position, state, way, group] = key;
        let way = self.ways(position, state).get(way);
        let item = |place: usize| way.and_then(|way| way.items.get(place)).copied();
        let (Some(from), Some(last)) = (item(from), to.checked_sub(1).and_then(item)) else {
            return R::everything();
        };
        let mut known = self.beyond.borrow_mut();
        let beyond = known.entry((end, [position, group])).or_insert_with(|| {
            let mut beyond = Beyond::new();
            let mut latest = None;
            for item in 0..self.items(position) {
                let stands = self.stands(position, item);
                let mut before = latest.filter(|_| stands);
                while let Some(other) = before {
                    self.meter.add(self.kind, 1);
                    let (other_term, term) = (
                        self.term(position, other, group),
                        self.term(position, item, group),
                    );
                    if end.is_beyond(&other_term, &term) {
                        break;
                    }
                    before = beyond.get(other).copied().flatten();
                }
                beyond.push(before);
                latest = if stands { Some(item) } else { latest };
            }
            beyond
        });
        // From the last item on to those beyond it, as long as they are among these.
        let mut best = last;
        while let Some(Some(before)) = beyond.get(best)
            && *before >= from
        {
            self.meter.add(Kind::Integer, 1);
            best = *before;
        }
        self.term(position, best, group)
    }

    /// A bound of every way on from a state, for a group; none at the last position.
    fn behind(&self, end: End, key: [usize; 3]) -> Option<R> {
        let [position, state, group] = key;
        if position >= self.terms.len() {
            return None;
        }
        if let Some(known) = self.by_state.borrow().get(&(end, key)) {
            return Some(known.clone());
        }
        let mut best: Option<R> = None;
        for (number, way) in self.ways(position, state).iter().enumerate() {
            let all = (0, way.items.len());
            let mut sum = self.here(end, [position, state, number, group], all);
            if let Some(rest) = self.behind(end, [position + 1, way.to, group]) {
                self.meter.add(self.kind, 1);
                sum = sum.add(&rest);
            }
            best = Some(best.map_or(sum.clone(), |best| {
                self.meter.add(self.kind, 1);
                end.of(&best, &sum)
            }));
        }
        let best = best.unwrap_or(R::everything());
        self.by_state.borrow_mut().insert((end, key), best.clone());
        Some(best)
    }

    /// Does a group's one answer win on all inputs of a place?
    fn shows_wrong(&self, place: Place, entry: &(usize, R)) -> bool {
        self.shows.get(entry.0) == Some(&true) && self.settles(End::Least, place, entry)
    }

    fn items(&self, position: usize) -> usize {
        self.terms.get(position).map_or(0, Vec::len)
    }

    fn stands(&self, position: usize, item: usize) -> bool {
        let terms = self.terms.get(position).and_then(|items| items.get(item));
        terms.is_some_and(|terms| !terms.is_empty())
    }

    fn term(&self, position: usize, item: usize, group: usize) -> R {
        let items = self.terms.get(position);
        let groups = items.and_then(|items| items.get(item));
        let term = groups.and_then(|groups| groups.get(group));
        term.cloned().unwrap_or(R::everything())
    }

    /// Sums with one more item.
    fn extended(&self, open: &Open<R>, position: usize, item: usize) -> Open<R> {
        self.meter.add(self.kind, open.len());
        let longer = |(group, sum): &(usize, R)| {
            let term = self.term(position, item, *group);
            (*group, sum.add(&term))
        };
        open.iter().map(longer).collect()
    }
}

/// Classes behind which the state is the same go on together.
fn ways_on(moves: &[Move], items: &[Item]) -> Vec<Way> {
    let mut ways: Vec<Way> = vec![];
    for step in moves {
        if ways.iter().any(|way| way.to == step.to) {
            continue;
        }
        let alike = |item: &Item| {
            let mut moves = moves.iter().filter(|other| other.to == step.to);
            moves.any(|other| other.class == item.class)
        };
        let of_way = items.iter().enumerate().filter(|(_, item)| alike(item));
        let (of_way, mut tokens): (Vec<usize>, Vec<u128>) =
            of_way.map(|(number, item)| (number, item.tokens)).unzip();
        let mut behind = 0;
        for tokens in tokens.iter_mut().rev() {
            behind = tokens.saturating_add(behind);
            *tokens = behind;
        }
        ways.push(Way {
            items: of_way,
            tokens,
            to: step.to,
        });
    }
    ways
}

/// On the way through a tree.
struct Walk<'a, R> {
    tree: Tree<'a, R>,
    script: Option<std::slice::Iter<'a, usize>>,
}

impl<R: Enclosure> Walk<'_, R> {
    /// What is found below a node.
    fn node(&mut self, position: usize, state: usize, open: Open<R>) -> Result<Found, Refusal> {
        let words = self.tree.words;
        let inputs = |position, state| u128::try_from(words.behind(position, state)).unwrap_or(0);
        let mut place = Place {
            position,
            state,
            items: None,
            inputs: inputs(position, state),
        };
        let open = match self.place(place, open)? {
            Outcome::Found(found, ..) => return Ok(found),
            Outcome::Split(open) => open,
        };
        let mut found = Found::default();
        for number in 0..self.tree.ways(position, state).len() {
            let (mut open, mut from) = (open.clone(), 0);
            loop {
                let ways = self.tree.ways(position, state);
                let Some((way, item)) = ways
                    .get(number)
                    .and_then(|way| Some((way, *way.items.get(from)?)))
                else {
                    break;
                };
                let (count, to, each) = (way.items.len(), way.to, inputs(position + 1, way.to));
                // One item is a node; without a script, all items of the one way were tested with the node.
                let apart = from > 0 || ways.len() > 1 || self.script.is_some();
                if from + 1 < count && apart {
                    place.items = Some((number, (from, count)));
                    place.inputs = way.tokens((from, count)).saturating_mul(each);
                    match self.place(place, open)? {
                        Outcome::Found(below, items, still) => {
                            found.add(1, &below);
                            (from, open) = (from.saturating_add(items), still);
                            continue;
                        }
                        Outcome::Split(still) => open = still,
                    }
                }
                let ways = self.tree.ways(position, state);
                let tokens = ways
                    .get(number)
                    .map_or(0, |way| way.tokens((from, from + 1)));
                let longer = self.tree.extended(&open, position, item);
                found.add(tokens, &self.node(position + 1, to, longer)?);
                from += 1;
            }
        }
        Ok(found)
    }

    /// What is done at a place: by the script, or by the rule.
    fn place(&mut self, place: Place, mut open: Open<R>) -> Result<Outcome<R>, Refusal> {
        let found =
            |right, wrong, open| Ok(Outcome::Found(Found { right, wrong }, usize::MAX, open));
        let is_last = place.position >= self.tree.terms.len();
        self.tree.meter.spend(Kind::Integer, 1)?;
        while let Some(script) = &mut self.script {
            let tree = &self.tree;
            tree.meter.spend(Kind::Integer, 1)?;
            let word = script.next().map_or(Word::Leave, |word| Word::read(*word));
            let entry = |open: &Open<R>, group| {
                let found = open.binary_search_by_key(&group, |(open, _)| *open);
                found.ok().and_then(|found| open.get(found)).cloned()
            };
            match word {
                Word::Split if !is_last => return Ok(Outcome::Split(open)),
                Word::Split | Word::Leave => return found(0, 0, open),
                Word::Drop(group) => {
                    let entry = entry(&open, group);
                    if entry.is_some_and(|entry| tree.settles(End::Most, place, &entry)) {
                        tree.meter.spend(Kind::Integer, open.len())?;
                        open.retain(|(open, _)| *open != group);
                    }
                    if open.is_empty() {
                        return found(place.inputs, 0, open);
                    }
                }
                Word::Right | Word::Wrong(_) => {
                    let (mut part, mut items) = (place, usize::MAX);
                    if let Some((number, (from, to))) = place.items {
                        let count = script.next().copied().unwrap_or(0);
                        items = if count == 0 {
                            to - from
                        } else {
                            count.min(to - from)
                        };
                        part.items = Some((number, (from, from + items)));
                        if let Some(way) = tree.ways(place.position, place.state).get(number) {
                            let each = place.inputs.checked_div(way.tokens((from, to)));
                            let tokens = way.tokens((from, from + items));
                            part.inputs = tokens.saturating_mul(each.unwrap_or(0));
                        }
                    }
                    let holds = match word {
                        Word::Wrong(group) => {
                            entry(&open, group).is_some_and(|entry| tree.shows_wrong(part, &entry))
                        }
                        _ => open
                            .iter()
                            .all(|entry| tree.settles(End::Most, part, entry)),
                    };
                    let inputs = if holds { part.inputs } else { 0 };
                    let (right, wrong) = match word {
                        Word::Wrong(_) => (0, inputs),
                        _ => (inputs, 0),
                    };
                    return Ok(Outcome::Found(Found { right, wrong }, items, open));
                }
            }
        }
        let tree = &self.tree;
        let (mut still, mut entries) = (vec![], open.into_iter());
        for entry in entries.by_ref() {
            if tree.settles(End::Most, place, &entry) {
                continue;
            }
            if tree.shows_wrong(place, &entry) {
                return found(0, place.inputs, vec![]);
            }
            still.push(entry);
            if !is_last {
                break;
            }
        }
        still.extend(entries);
        match (still.is_empty(), is_last) {
            (true, _) => found(place.inputs, 0, still),
            (false, true) => found(0, 0, still),
            (false, false) => Ok(Outcome::Split(still)),
        }
    }
}
