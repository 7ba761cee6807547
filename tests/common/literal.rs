//! The exact accuracy of any tiny network on any task: a literal forward pass of every input at a time, nothing shared.
//!
//! Straight from `docs/tasks.md` and the network's definition: every sequence of tokens is tried, a literal predicate says
//! which are inputs and what is right where, and all positions of all layers are evaluated for each. Numbers are intervals
//! of multiples of 2^-bits; bits grow until the verdict is known. Quotients of exact numbers stay exact, so that ties are
//! seen.

use super::Description;
use num_bigint::{BigInt, Sign};
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};
use serde_json::Value;
use std::cell::Cell;
use std::collections::BTreeMap;

/// Bits behind the point, in turn.
const BITS: [u32; 3] = [192, 640, 4096];
/// So many inputs of a network may be evaluated to the last of them.
const DEEP: usize = 2;
/// The sum of a small score's terms, without their signs.
const SMALL: usize = 1000;
/// Fractions of more bits are no longer kept exactly.
const EXACT_BITS: u64 = 160;

/// What is true of one read-out of one input, for a margin τ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    /// Above every other logit by more than τ.
    Right,
    /// Not by τ above one of them.
    Wrong,
    /// By exactly τ above one of them: not right either.
    Tie,
    /// Thousands of bits do not tell; or a layer norm divides by zero, and there is nothing to tell.
    Undecided,
}

/// Numbers of pairs of an input and a read-out of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) right: u64,
    /// Ties among them.
    pub(crate) wrong: u64,
    pub(crate) ties: u64,
    pub(crate) undecided: u64,
}

impl Counts {
    fn add(&mut self, truth: Truth) {
        match truth {
            Truth::Right => self.right += 1,
            Truth::Wrong => self.wrong += 1,
            Truth::Tie => (self.wrong, self.ties) = (self.wrong + 1, self.ties + 1),
            Truth::Undecided => self.undecided += 1,
        }
    }

    pub(crate) fn all(&self) -> u64 {
        self.right + self.wrong + self.undecided
    }
}

/// The truth, for each of the margins; and whether all attention scores were small, below [`SMALL`].
pub(crate) fn truth(network: &Description, margins: &[BigRational]) -> (Vec<Counts>, bool) {
    let mut counts = vec![Counts::default(); margins.len()];
    let mut passes: Vec<Option<Pass<'_>>> = BITS.iter().map(|_| None).collect();
    let (mut deep, mut is_small) = (0, true);
    for input in sequences(network) {
        let Some(asked) = read_outs(network, &input).filter(|asked| !asked.is_empty()) else {
            continue;
        };
        let mut known = vec![vec![Truth::Undecided; margins.len()]; asked.len()];
        for (level, bits) in BITS.iter().enumerate() {
            if level + 1 == BITS.len() {
                deep += 1;
                if deep > DEEP {
                    break;
                }
            }
            let pass = passes[level].get_or_insert_with(|| Pass::new(network, *bits));
            match pass.leads(&input, &asked) {
                Err(Failure::Undefined) => break,
                Err(Failure::Imprecise) => {}
                Ok(leads) => {
                    for (known, leads) in known.iter_mut().zip(leads) {
                        for (known, margin) in known.iter_mut().zip(margins) {
                            *known = pass.reals.verdict(&leads, margin);
                        }
                    }
                }
            }
            is_small &= pass.is_small.get();
            if known
                .iter()
                .flatten()
                .all(|truth| *truth != Truth::Undecided)
            {
                break;
            }
        }
        for known in known {
            for (counts, truth) in counts.iter_mut().zip(known) {
                counts.add(truth);
            }
        }
    }
    (counts, is_small)
}

/// By right answer and output: how often is this output's logit the largest where that is right, as far as a few bits tell?
pub(crate) fn votes(network: &Description, outputs: usize) -> Vec<Vec<u64>> {
    let pass = Pass::new(network, 96);
    let mut votes = vec![vec![0; outputs]; outputs];
    for input in sequences(network) {
        let Some(asked) = read_outs(network, &input).filter(|asked| !asked.is_empty()) else {
            continue;
        };
        // Against output 0, which leads itself by 0.
        let against: Vec<(usize, usize)> = asked.iter().map(|(p, _)| (*p, 0)).collect();
        let Ok(leads) = pass.leads(&input, &against) else {
            continue;
        };
        for ((_, right), leads) in asked.iter().zip(leads) {
            let over = |j: &usize| match j {
                0 => BigInt::zero(),
                j => -pass.reals.ends(&leads[j - 1]).0,
            };
            votes[*right][(0..outputs).max_by_key(over).unwrap()] += 1;
        }
    }
    votes
}

/// The multiples of 2^-24 around the lead of the right answer over the best other, at one of the read-outs: mantissas. A
/// network that is misread a little counts otherwise there.
pub(crate) fn around_a_lead(network: &Description, seed: u64) -> Option<[i64; 2]> {
    let pass = Pass::new(network, 192);
    let inputs: Vec<_> = sequences(network)
        .filter_map(|input| read_outs(network, &input).map(|asked| (input, asked)))
        .filter(|(_, asked)| !asked.is_empty())
        .collect();
    let (input, asked) = &inputs[usize::try_from(seed).unwrap() % inputs.len()];
    let leads = pass.leads(input, asked).ok()?;
    let leads = &leads[usize::try_from(seed >> 32).unwrap() % leads.len()];
    let least = leads.iter().map(|lead| pass.reals.ends(lead).0).min()?;
    let below = (least >> (pass.reals.bits - 24))
        .to_i64()
        .filter(|below| below.abs() < 1 << 50)?;
    Some([below, below + 1])
}

fn sequences(network: &Description) -> impl Iterator<Item = Vec<usize>> {
    let (v, n) = (network.size("d_vocab"), network.n_ctx());
    let power = move |p: usize| v.pow(p.try_into().unwrap());
    (0..power(n)).map(move |index| (0..n).map(|p| index / power(p) % v).collect())
}

/// The read-outs of a sequence and the right answers there; none if it is no input of the task.
pub(crate) fn read_outs(network: &Description, x: &[usize]) -> Option<Vec<(usize, usize)>> {
    let task = &network.config["task"];
    let name = task.as_str().or_else(|| task["name"].as_str()).unwrap();
    let size = |field: &str| usize::try_from(task[field].as_u64().unwrap()).unwrap();
    let whole = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    let (n, d_vocab) = (x.len(), network.size("d_vocab"));
    let last = n - 1;
    // The special end, if the task has one, off the end.
    let eos = task.get("eos").filter(|eos| !eos.is_null()).map(whole);
    let body = match eos {
        Some(eos) if x[last] == eos => &x[..last],
        Some(_) => return None,
        None => x,
    };
    let v = d_vocab - usize::from(eos.is_some());
    let values = |tokens: &[usize], v: usize| tokens.iter().all(|token| *token < v);
    let first = |of: usize, tokens: &[usize]| tokens.iter().position(|token| *token == of).unwrap();
    let max = |tokens: &[usize]| *tokens.iter().max().unwrap();
    let min = |tokens: &[usize]| *tokens.iter().min().unwrap();
    let sum = |tokens: &[usize]| tokens.iter().sum::<usize>();
    // x_0 − x_1 − … from 0 to m − 1.
    let difference = |tokens: &[usize], m: usize| {
        let signed: Vec<i64> = tokens
            .iter()
            .map(|token| i64::try_from(*token).unwrap())
            .collect();
        let m = i64::try_from(m).unwrap();
        let value = signed[0] - signed[1..].iter().sum::<i64>();
        usize::try_from((value % m + m) % m).unwrap()
    };
    let at_the_end = |answer: usize| Some(vec![(last, answer)]);
    match name {
        "max_of_n" | "min_of_n" | "nth_max_of_n" | "argmax_of_n" | "argmin_of_n" | "modular"
        | "group" => {
            if !values(body, v) {
                return None;
            }
            at_the_end(match name {
                "max_of_n" => max(body),
                "min_of_n" => min(body),
                "argmax_of_n" => first(max(body), body),
                "argmin_of_n" => first(min(body), body),
                "nth_max_of_n" => {
                    let mut descending = body.to_vec();
                    descending.sort_by(|a, b| b.cmp(a));
                    descending[size("nth") - 1]
                }
                "group" => whole(&task["table"][body[0]][body[1]]),
                _ => match task["function"].as_str().unwrap() {
                    "add" => sum(body) % size("p"),
                    "subtract" => difference(body, size("p")),
                    _ => sum(body) * sum(body) % size("p"),
                },
            })
        }
        "multifun" => {
            let functions = task["functions"].as_array().unwrap();
            let tokens = task["function_tokens"].as_array().unwrap();
            let v = v - functions.len();
            let asked = tokens.iter().position(|token| whole(token) == body[0])?;
            let of = &body[1..];
            if !values(of, v) {
                return None;
            }
            at_the_end(match functions[asked].as_str().unwrap() {
                "max" => max(of),
                "min" => min(of),
                "argmax" => first(max(of), of),
                "argmin" => first(min(of), of),
                "sum" => sum(of),
                "summod" => sum(of) % v,
                other => panic!("{other}"),
            })
        }
        "f_g" => {
            let (left, right) = body.split_at(size("elements"));
            if !values(body, v) {
                return None;
            }
            let (f, g) = match task["functions"].as_str().unwrap() {
                "max_min" => (max(left), min(right)),
                "min_max" => (min(left), max(right)),
                _ => (sum(left) % v, difference(right, v)),
            };
            (f == g).then(|| vec![(last, f)])
        }
        "sorted_list" => {
            let length = size("length");
            let mut sorted = x[..length].to_vec();
            sorted.sort_unstable();
            let different = (1..length).all(|i| sorted[i - 1] != sorted[i]);
            let belongs = different
                && values(&x[..length], d_vocab - 1)
                && x[length] == size("separator")
                && x[length + 1..] == sorted;
            belongs.then(|| (0..length).map(|i| (length + i, sorted[i])).collect())
        }
        "induction" => {
            let inputs = task["inputs"].as_str().unwrap();
            let times = |token: usize, of: &[usize]| of.iter().filter(|x| **x == token).count();
            let before = &x[..last];
            let once = times(x[last], before) == 1 && x[last - 1] != x[last];
            let different = before.iter().all(|token| times(*token, before) == 1);
            match inputs {
                "distinct" if !once || !different => None,
                "abcab" if !once => None,
                "distinct" | "abcab" => at_the_end(x[first(x[last], before) + 1]),
                _ => {
                    let read = |p: usize| {
                        let mut followers: Vec<usize> =
                            (0..p).filter(|i| x[*i] == x[p]).map(|i| x[i + 1]).collect();
                        followers.dedup();
                        (followers.len() == 1).then(|| (p, followers[0]))
                    };
                    Some((1..n).filter_map(read).collect())
                }
            }
        }
        "table" => {
            let index = x.iter().fold(0, |index, token| index * d_vocab + token);
            at_the_end(usize::try_from(network.labels.as_ref().unwrap()[index]).ok()?)
        }
        other => panic!("no literal task {other}"),
    }
}

/// Why there is no result.
enum Failure {
    /// More bits may help.
    Imprecise,
    /// 1/0.
    Undefined,
}

type Result<T> = std::result::Result<T, Failure>;

/// A real number.
#[derive(Debug, Clone)]
enum Real {
    /// Between multiples of 2^-bits; one point if they are the same.
    Between(BigInt, BigInt),
    /// Exactly this, which is no multiple.
    Exactly(BigRational),
}

use Real::{Between, Exactly};

/// Arithmetic to so many bits behind the point.
#[derive(Debug, Clone, Copy)]
struct Reals {
    bits: u32,
}

impl Reals {
    fn zero(self) -> Real {
        Between(BigInt::zero(), BigInt::zero())
    }

    fn whole(self, n: usize) -> Real {
        let n = BigInt::from(n) << self.bits;
        Between(n.clone(), n)
    }

    /// An exact number.
    fn exact(self, x: BigRational) -> Real {
        let scaled = x.numer() << self.bits;
        let (floor, rest) = floor(&scaled, x.denom());
        if rest.is_zero() {
            return Between(floor.clone(), floor);
        }
        if x.numer().bits() + x.denom().bits() <= EXACT_BITS {
            return Exactly(x);
        }
        let above = &floor + 1;
        Between(floor, above)
    }

    fn float(self, x: f64) -> Real {
        self.exact(BigRational::from_float(x).unwrap())
    }

    /// The number, if only one is meant and it is short.
    fn point(self, x: &Real) -> Option<BigRational> {
        match x {
            Exactly(x) => Some(x.clone()),
            Between(low, high)
                if low == high && low.bits() <= EXACT_BITS + u64::from(self.bits) =>
            {
                Some(BigRational::new(low.clone(), BigInt::one() << self.bits))
            }
            Between(..) => None,
        }
    }

    fn ends(self, x: &Real) -> (BigInt, BigInt) {
        match x {
            Between(low, high) => (low.clone(), high.clone()),
            Exactly(x) => {
                let (floor, _) = floor(&(x.numer() << self.bits), x.denom());
                let above = &floor + 1;
                (floor, above)
            }
        }
    }

    /// By fractions where one is a fraction and both are exact.
    fn exactly(
        self,
        a: &Real,
        b: &Real,
        by: impl FnOnce(BigRational, BigRational) -> BigRational,
    ) -> Option<Real> {
        if let (Between(..), Between(..)) = (a, b) {
            return None;
        }
        Some(self.exact(by(self.point(a)?, self.point(b)?)))
    }

    fn add(self, a: &Real, b: &Real) -> Real {
        if let (Between(a, b), Between(c, d)) = (a, b) {
            return Between(a + c, b + d);
        }
        self.exactly(a, b, |a, b| a + b).unwrap_or_else(|| {
            let ((a, b), (c, d)) = (self.ends(a), self.ends(b));
            Between(a + c, b + d)
        })
    }

    fn sub(self, a: &Real, b: &Real) -> Real {
        let minus = match b {
            Between(low, high) => Between(-high, -low),
            Exactly(b) => Exactly(-b),
        };
        self.add(a, &minus)
    }

    fn mul(self, a: &Real, b: &Real) -> Real {
        let is_zero = |x: &Real| matches!(x, Between(low, high) if low.is_zero() && high.is_zero());
        if is_zero(a) || is_zero(b) {
            return self.zero();
        }
        if let Some(product) = self.exactly(a, b, |a, b| a * b) {
            return product;
        }
        let ((a, b), (c, d)) = (self.ends(a), self.ends(b));
        let products = [&a * &c, &a * &d, &b * &c, &b * &d];
        let low: BigInt = products.iter().min().unwrap() >> self.bits;
        let high: BigInt = -(-products.iter().max().unwrap() >> self.bits);
        Between(low, high)
    }

    /// a / b, for b > 0.
    fn div(self, a: &Real, b: &Real) -> Result<Real> {
        let (low, high) = self.ends(b);
        if !low.is_positive() {
            return Err(match self.point(b) {
                Some(b) if b.is_zero() => Failure::Undefined,
                _ => Failure::Imprecise,
            });
        }
        if let (Some(a), Some(b)) = (self.point(a), self.point(b)) {
            return Ok(self.exact(a / b));
        }
        let one = BigInt::one() << (2 * self.bits);
        let inverse = Between(&one / high, one / low + 1);
        Ok(self.mul(a, &inverse))
    }

    fn square(self, a: &Real) -> Real {
        match self.mul(a, a) {
            Between(low, high) => Between(low.max(BigInt::zero()), high),
            exact => exact,
        }
    }

    /// √a, for a ≥ 0.
    fn sqrt(self, a: &Real) -> Real {
        if let Some(a) = self.point(a) {
            let root = BigRational::new(a.numer().sqrt(), a.denom().sqrt());
            if &root * &root == a {
                return self.exact(root);
            }
        }
        let (low, high) = self.ends(a);
        Between(
            (low << self.bits).sqrt(),
            (high << self.bits).sqrt() + BigInt::one(),
        )
    }

    fn relu(self, a: &Real) -> Real {
        match a {
            Between(low, high) => {
                let zero = BigInt::zero();
                Between(low.max(&zero).clone(), high.max(&zero).clone())
            }
            Exactly(a) if a.is_negative() => self.zero(),
            exact => exact.clone(),
        }
    }

    /// e^a, for a that is not much above 0.
    fn exp(self, a: &Real) -> Result<Real> {
        let (low, high) = self.ends(a);
        if low.is_zero() && high.is_zero() {
            return Ok(self.whole(1));
        }
        if high > BigInt::one() << self.bits {
            return Err(Failure::Imprecise);
        }
        Ok(Between(
            self.exp_end(&low, false),
            self.exp_end(&high, true),
        ))
    }

    /// A bound of e^x, x ≤ 1 and the bound in units of 2^-bits: e^|x| by squaring e^(|x|/2^s), and that by its series.
    fn exp_end(self, x: &BigInt, up: bool) -> BigInt {
        let work = self.bits + 80;
        let negative = x.sign() == Sign::Minus;
        let size = x.abs() << (work - self.bits);
        let whole: BigInt = &size >> work;
        if negative && whole > self.bits.into() {
            // e^x < 2^-bits
            return if up { BigInt::one() } else { BigInt::zero() };
        }
        // From above if that is the side asked for, or if the inverse is and it will be turned around.
        let above = up != negative;
        let halvings = whole.bits().to_u32().unwrap() + 8;
        let round = |x: BigInt, by: u32| if above { -(-x >> by) } else { x >> by };
        let y = round(size, halvings);
        let (mut sum, mut term, mut i) = (BigInt::zero(), BigInt::one() << work, 0);
        while term > BigInt::one() {
            sum += &term;
            i += 1;
            term = round(term * &y, work);
            term = if above { term / i + 1 } else { term / i };
        }
        if above {
            // What is left out is less than twice its first term, which is at most one unit.
            sum += 3;
        }
        for _ in 0..halvings {
            sum = round(&sum * &sum, work);
        }
        if negative {
            let one = BigInt::one() << (2 * work);
            sum = if above { one / sum } else { one / sum + 1 };
        }
        if up {
            -(-sum >> (work - self.bits))
        } else {
            sum >> (work - self.bits)
        }
    }

    /// The right answer leads the others by so much. Is that more than the margin?
    fn verdict(self, leads: &[Real], margin: &BigRational) -> Truth {
        let over: Vec<(BigInt, BigInt)> = leads
            .iter()
            .map(|lead| self.ends(&self.sub(lead, &self.exact(margin.clone()))))
            .collect();
        if over.iter().any(|(_, high)| high.is_negative()) {
            Truth::Wrong
        } else if over.iter().any(|(_, high)| high.is_zero()) {
            Truth::Tie
        } else if over.iter().all(|(low, _)| low.is_positive()) {
            Truth::Right
        } else {
            Truth::Undecided
        }
    }
}

/// ⌊a/b⌋ and the rest, for b > 0.
fn floor(a: &BigInt, b: &BigInt) -> (BigInt, BigInt) {
    let (quotient, rest) = (a / b, a % b);
    if rest.is_negative() {
        (quotient - 1, rest + b)
    } else {
        (quotient, rest)
    }
}

/// Evaluates a network to some number of bits.
struct Pass<'a> {
    network: &'a Description,
    reals: Reals,
    tensors: BTreeMap<&'a str, Vec<Real>>,
    is_small: Cell<bool>,
}

/// A residual stream: a row for each position.
type Rows = Vec<Vec<Real>>;

impl<'a> Pass<'a> {
    fn new(network: &'a Description, bits: u32) -> Self {
        let reals = Reals { bits };
        let numbers =
            |weights: &Vec<f32>| weights.iter().map(|w| reals.float((*w).into())).collect();
        let tensors = network.tensors.iter();
        Self {
            network,
            reals,
            tensors: tensors
                .map(|(name, (_, weights))| (name.as_str(), numbers(weights)))
                .collect(),
            is_small: Cell::new(true),
        }
    }

    fn tensor(&self, name: &str) -> &[Real] {
        &self.tensors[name]
    }

    /// `x · W + b`.
    fn affine(&self, x: &[Real], weights: &[Real], bias: &[Real]) -> Vec<Real> {
        assert_eq!(x.len() * bias.len(), weights.len());
        let column = |j: usize| {
            x.iter().enumerate().fold(bias[j].clone(), |sum, (i, x)| {
                self.reals
                    .add(&sum, &self.reals.mul(x, &weights[i * bias.len() + j]))
            })
        };
        (0..bias.len()).map(column).collect()
    }

    fn add(&self, a: &[Real], b: &[Real]) -> Vec<Real> {
        a.iter().zip(b).map(|(a, b)| self.reals.add(a, b)).collect()
    }

    fn dot(&self, a: &[Real], b: &[Real]) -> Real {
        let zero = self.reals.zero();
        a.iter().zip(b).fold(zero, |sum, (a, b)| {
            self.reals.add(&sum, &self.reals.mul(a, b))
        })
    }

    /// `(y − mean)/√(var + eps)·w + b`, or the row itself without layer norms.
    fn norm(&self, name: &str, row: &[Real]) -> Result<Vec<Real>> {
        let reals = self.reals;
        let kind = &self.network.config["normalization_type"];
        if kind.is_null() {
            return Ok(row.to_vec());
        }
        let d = reals.whole(row.len());
        let sum = row.iter().fold(reals.zero(), |sum, x| reals.add(&sum, x));
        let mean = reals.div(&sum, &d)?;
        let centred: Vec<Real> = row.iter().map(|x| reals.sub(x, &mean)).collect();
        let squares = centred
            .iter()
            .fold(reals.zero(), |sum, x| reals.add(&sum, &reals.square(x)));
        let eps = self
            .network
            .config
            .get("eps")
            .map_or(1e-5, |eps| eps.as_f64().unwrap());
        let inside = reals.add(&reals.div(&squares, &d)?, &reals.float(eps));
        let root = reals.sqrt(&inside);
        let affine = kind == "LN";
        let entry = |(i, x): (usize, &Real)| {
            let x = reals.div(x, &root)?;
            Ok(if affine {
                let (gain, bias) = (format!("{name}.w"), format!("{name}.b"));
                reals.add(
                    &reals.mul(&x, &self.tensor(&gain)[i]),
                    &self.tensor(&bias)[i],
                )
            } else {
                x
            })
        };
        centred.iter().enumerate().map(entry).collect()
    }

    fn is(&self, field: &str) -> bool {
        self.network.config[field].as_bool().unwrap()
    }

    /// What the heads of a layer add, at every position.
    fn attention(&self, layer: usize, stream: &Rows) -> Result<Rows> {
        let reals = self.reals;
        let (d, h) = (self.network.size("d_model"), self.network.size("d_head"));
        let (heads, n) = (self.network.size("n_heads"), stream.len());
        let name = |part: &str| format!("blocks.{layer}.{part}");
        let normalised = stream
            .iter()
            .map(|row| self.norm(&name("ln1"), row))
            .collect::<Result<Rows>>()?;
        let scaled = self
            .network
            .config
            .get("use_attn_scale")
            .is_none_or(|scaled| scaled == true);
        let scale = if scaled {
            reals.sqrt(&reals.whole(h))
        } else {
            reals.whole(1)
        };
        let rate = self
            .network
            .config
            .get("attention_rate")
            .and_then(Value::as_f64);
        let rate = reals.float(rate.unwrap_or(0.0));
        let (uniform, rest) = (
            reals.div(&rate, &reals.whole(n))?,
            reals.sub(&reals.whole(1), &rate),
        );
        let mut added: Rows = vec![self.tensor(&name("attn.b_O")).to_vec(); n];
        for head in 0..heads {
            let part = |kind: &str, each: usize| {
                &self.tensor(&name(&format!("attn.{kind}")))[head * each..(head + 1) * each]
            };
            let project = |kind: &str| -> Rows {
                let (weights, bias) = (
                    part(&format!("W_{kind}"), d * h),
                    part(&format!("b_{kind}"), h),
                );
                normalised
                    .iter()
                    .map(|row| self.affine(row, weights, bias))
                    .collect()
            };
            let (queries, keys, values) = (project("Q"), project("K"), project("V"));
            for p in 0..n {
                let size = |x: &Real| self.reals.ends(x).0.abs();
                let small = BigInt::from(SMALL) << (2 * self.reals.bits);
                for key in &keys[..=p] {
                    let terms = queries[p].iter().zip(key).map(|(q, k)| size(q) * size(k));
                    self.is_small
                        .set(self.is_small.get() && terms.sum::<BigInt>() < small);
                }
                let scores = keys[..=p]
                    .iter()
                    .map(|key| reals.div(&self.dot(&queries[p], key), &scale));
                let mut pattern = self.softmax(&scores.collect::<Result<Vec<_>>>()?)?;
                pattern.resize(n, reals.zero()); // masked
                let mixed = pattern
                    .iter()
                    .map(|a| reals.add(&uniform, &reals.mul(&rest, a)));
                let mut mean = vec![reals.zero(); h];
                for (a, value) in mixed.zip(&values) {
                    let weighted: Vec<Real> =
                        value.iter().map(|value| reals.mul(&a, value)).collect();
                    mean = self.add(&mean, &weighted);
                }
                added[p] = self.affine(&mean, part("W_O", h * d), &added[p]);
            }
        }
        Ok(added)
    }

    fn softmax(&self, scores: &[Real]) -> Result<Vec<Real>> {
        let reals = self.reals;
        let most = (0..scores.len())
            .max_by_key(|t| reals.ends(&scores[*t]).1)
            .unwrap();
        let exp = |(t, score): (usize, &Real)| {
            if t == most {
                return Ok(reals.whole(1));
            }
            reals.exp(&reals.sub(score, &scores[most]))
        };
        let weights = scores
            .iter()
            .enumerate()
            .map(exp)
            .collect::<Result<Vec<_>>>()?;
        let total = weights
            .iter()
            .fold(reals.zero(), |sum, weight| reals.add(&sum, weight));
        weights
            .iter()
            .map(|weight| reals.div(weight, &total))
            .collect()
    }

    /// The rows that the unembedding reads.
    fn transformer(&self, input: &[usize]) -> Result<Rows> {
        let d = self.network.size("d_model");
        let row = |name: &str, index: usize| &self.tensor(name)[index * d..(index + 1) * d];
        let embedded = |(p, token): (usize, &usize)| {
            self.add(row("embed.W_E", *token), row("pos_embed.W_pos", p))
        };
        let mut stream: Rows = input.iter().enumerate().map(embedded).collect();
        for layer in 0..self.network.size("n_layers") {
            let name = |part: &str| format!("blocks.{layer}.{part}");
            let added = self.attention(layer, &stream)?;
            stream = stream
                .iter()
                .zip(&added)
                .map(|(row, added)| self.add(row, added))
                .collect();
            if self.is("attn_only") {
                continue;
            }
            for row in &mut stream {
                let read = self.norm(&name("ln2"), row)?;
                let tensor = |part: &str| self.tensor(&name(part));
                let before = self.affine(&read, tensor("mlp.W_in"), tensor("mlp.b_in"));
                let fired: Vec<Real> = before.iter().map(|x| self.reals.relu(x)).collect();
                let out = self.affine(&fired, tensor("mlp.W_out"), tensor("mlp.b_out"));
                *row = self.add(row, &out);
            }
        }
        stream
            .iter()
            .map(|row| self.norm("ln_final", row))
            .collect()
    }

    fn two_embeddings(&self, input: &[usize]) -> Rows {
        let (e, m) = (self.network.size("d_embed"), self.network.size("d_mlp"));
        let zero = vec![self.reals.zero(); m];
        let side = |token: usize, side: &str| {
            let row = &self.tensor(&format!("embedding_{side}"))[token * e..(token + 1) * e];
            self.affine(row, self.tensor(&format!("linear_{side}")), &zero)
        };
        let sum = self.add(&side(input[0], "left"), &side(input[1], "right"));
        let fired: Vec<Real> = sum.iter().map(|x| self.reals.relu(x)).collect();
        vec![fired.clone(), fired]
    }

    /// By how much the right answer's logit is above each other one, at each read-out.
    fn leads(&self, input: &[usize], asked: &[(usize, usize)]) -> Result<Vec<Vec<Real>>> {
        let (rows, unembed, bias) = if self.network.is_transformer() {
            (self.transformer(input)?, "unembed.W_U", "unembed.b_U")
        } else {
            (self.two_embeddings(input), "unembedding", "unembed_bias")
        };
        let (unembed, bias) = (self.tensor(unembed), self.tensor(bias));
        let lead = |row: &[Real], right: usize, other: usize| {
            let column: Vec<Real> = (0..row.len())
                .map(|i| {
                    let at = |j: usize| &unembed[i * bias.len() + j];
                    self.reals.sub(at(right), at(other))
                })
                .collect();
            let bias = self.reals.sub(&bias[right], &bias[other]);
            self.reals.add(&self.dot(row, &column), &bias)
        };
        let leads = |(p, right): &(usize, usize)| {
            let others = (0..bias.len()).filter(|other| other != right);
            others.map(|other| lead(&rows[*p], *right, other)).collect()
        };
        Ok(asked.iter().map(leads).collect())
    }
}

#[test]
fn real_numbers_are_what_they_are() {
    let f64 = |x: &BigInt, bits: u32| x.to_f64().unwrap() / 2_f64.powi(bits.try_into().unwrap());
    for bits in [64, 192] {
        let reals = Reals { bits };
        for x in [-40.0, -9.5, -1.0, -0.3, -1e-9, 0.0, 1e-9, 0.99] {
            let (low, high) = reals.ends(&reals.exp(&reals.float(x)).ok().unwrap());
            let near = (f64(&low, bits) - x.exp()).abs() < 1e-15;
            assert!(
                near && low <= high && &high - &low <= 2.into(),
                "e^{x}: {low} {high}"
            );
        }
        for x in [0.0, 0.25, 2.0, 3.0, 1e-5, 1e9] {
            let (low, high) = reals.ends(&reals.sqrt(&reals.float(x)));
            assert!((f64(&low, bits) - x.sqrt()).abs() < 1e-9 && &high - &low <= 999.into());
        }
        let third = reals.div(&reals.whole(1), &reals.whole(3)).ok().unwrap();
        let one = reals.mul(&third, &reals.whole(3));
        assert_eq!(reals.ends(&one), reals.ends(&reals.whole(1)));
        let exact = reals.sqrt(&reals.mul(&third, &third));
        assert_eq!(
            reals.point(&reals.sub(&exact, &third)),
            Some(BigRational::zero())
        );
    }
    // Two enclosures by different precisions overlap.
    let fine = Reals { bits: 640 };
    let coarse = Reals { bits: 128 };
    for numerator in -300..30 {
        let x = f64::from(numerator) / 30.0;
        let (low, high) = coarse.ends(&coarse.exp(&coarse.float(x)).ok().unwrap());
        let (least, most) = fine.ends(&fine.exp(&fine.float(x)).ok().unwrap());
        assert!(low << 512 <= least && most <= high << 512, "e^{x}");
    }
}
