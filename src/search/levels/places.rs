//! The (query, level) pairs of a network, for each of which there is a plan.

use crate::model::{Network, OneHead};
use crate::task::{Level, Words};
use num_bigint::BigUint;
use std::collections::BTreeMap;

/// All levels of a network's task, by right answer.
#[derive(Debug)]
pub(in crate::search) struct Places(Vec<Vec<Level>>);

/// One level with one query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) words: &'a Words<'a>,
    pub(super) query: usize,
}

/// The tokens of a place that may stand before the last position.
#[derive(Debug)]
pub(super) struct Tokens {
    /// Those that are a class by themselves, and all others, ascending.
    pub(super) singles: Vec<usize>,
    pub(super) others: Vec<usize>,
    /// By token: its class.
    pub(super) class_of: BTreeMap<usize, usize>,
}

/// Is the network one of one layer and one head, with a task whose inputs all fall into levels?
pub fn has_levels(network: &Network) -> bool {
    let Ok(head) = network.one_head() else {
        return false;
    };
    let places = Places::new(&head);
    let words = places.words();
    let inputs = rows(&words).into_iter().flatten();
    inputs.map(|place| place.words.inputs()).sum::<BigUint>() == network.task.size()
}

impl Places {
    pub(in crate::search) fn new(network: &OneHead<'_>) -> Self {
        let task = &network.network.task;
        let answers = 0..network.config.d_vocab_out;
        Self(answers.map(|answer| task.levels(answer)).collect())
    }

    /// By right answer: the inputs of its levels.
    pub(in crate::search) fn words(&self) -> Vec<Vec<Vec<Words<'_>>>> {
        let mut words = Vec::with_capacity(self.0.len());
        for levels in &self.0 {
            words.push(levels.iter().map(Level::words).collect());
        }
        words
    }
}

/// By right answer, in the order of the certificate's assignment.
pub(super) fn rows<'a>(words: &'a [Vec<Vec<Words<'a>>>]) -> Vec<Vec<Place<'a>>> {
    let place = |(query, words)| Place { words, query };
    let row = |levels: &'a Vec<Vec<Words<'a>>>| {
        let places = levels.iter().flat_map(|words| Words::by_query(words));
        places.map(place).collect()
    };
    words.iter().map(row).collect()
}

impl Place<'_> {
    pub(super) fn right(&self) -> usize {
        self.words.level.answer
    }

    pub(super) fn tokens(&self) -> Tokens {
        let Level { classes, .. } = self.words.level;
        let positions = 0..self.words.positions() - 1;
        let stands = |class: usize| positions.clone().any(|p| self.words.classes_at(p)[class]);
        let (mut singles, mut others, mut class_of) = (vec![], vec![], BTreeMap::new());
        for (class, tokens) in classes
            .iter()
            .enumerate()
            .filter(|(class, _)| stands(*class))
        {
            class_of.extend(tokens.iter().map(|token| (token, class)));
            let list = if tokens.len() == 1 {
                &mut singles
            } else {
                &mut others
            };
            list.extend(tokens.iter());
        }
        others.sort_unstable();
        Tokens {
            singles,
            others,
            class_of,
        }
    }
}
