//! Every task at many small sizes against its literal definition; hostile JSON; sizes that were counted elsewhere.

use super::*;
use serde_json::json;

/// An input's read-outs: positions, ascending, each with its right answer.
type ReadOuts = Vec<(usize, usize)>;

/// What a sequence's read-outs are, if it is an input.
type Literal = Box<dyn Fn(&[usize]) -> Option<ReadOuts>>;

/// A task at one size, and its definition word by word: the read-outs of a sequence, if it is an input.
pub(super) struct Example {
    task: Value,
    sizes: Sizes,
    labels: Option<Vec<u8>>,
    literal: Literal,
}

impl Example {
    pub(super) fn new(
        task: Value,
        sizes: Sizes,
        literal: impl Fn(&[usize]) -> Option<ReadOuts> + 'static,
    ) -> Self {
        let literal = Box::new(literal);
        Self {
            task,
            sizes,
            labels: None,
            literal,
        }
    }

    /// The same with the contents of a file of labels.
    pub(super) fn with_labels(self, labels: Vec<u8>) -> Self {
        Self {
            labels: Some(labels),
            ..self
        }
    }

    fn read(&self, task: &Value, sizes: Sizes) -> Result<(Value, Arc<dyn Task>), Mismatch> {
        read(task, sizes, self.labels.as_deref()).map_err(|mut wrong| wrong.remove(0))
    }
}

/// What is wrong first.
pub(super) fn refused(task: &Value, sizes: Sizes, labels: Option<&[u8]>) -> Mismatch {
    match read(task, sizes, labels) {
        Err(mut wrong) => wrong.remove(0),
        Ok((task, _)) => panic!("{task} {sizes:?}"),
    }
}

/// Read at the last position only.
pub(super) fn at_the_end(input: &[usize], answer: usize) -> Option<ReadOuts> {
    Some(vec![(input.len() - 1, answer)])
}

/// The values of a sequence, if they are below v and `eos` stands behind them.
pub(super) fn values(input: &[usize], v: usize, eos: Option<usize>) -> Option<Vec<usize>> {
    let values = match (eos, input.split_last()) {
        (None, _) => input,
        (Some(eos), Some((last, values))) if *last == eos => values,
        _ => return None,
    };
    values
        .iter()
        .all(|value| *value < v)
        .then(|| values.to_vec())
}

/// n of v values, and the same with an end of sequence.
pub(super) fn with_and_without_eos(
    n: usize,
    v: usize,
    d_vocab_out: usize,
) -> [(Option<usize>, Sizes); 2] {
    [
        (
            None,
            Sizes {
                n_ctx: n,
                d_vocab: v,
                d_vocab_out,
            },
        ),
        (
            Some(v),
            Sizes {
                n_ctx: n + 1,
                d_vocab: v + 1,
                d_vocab_out,
            },
        ),
    ]
}

/// A new task's examples: their line here.
fn examples() -> Vec<Example> {
    [
        extreme::tests::examples(),
        place::tests::examples(),
        multifun::tests::examples(),
        composed::tests::examples(),
        sorted_list::tests::examples(),
        modular::tests::examples(),
        group::tests::examples(),
        induction::tests::examples(),
        table::tests::examples(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// All sequences of a length, in lexicographic order.
fn sequences(d_vocab: usize, length: usize) -> Vec<Vec<usize>> {
    let longer = |shorter: Vec<Vec<usize>>| -> Vec<Vec<usize>> {
        let behind = |sequence: Vec<usize>| {
            (0..d_vocab).map(move |token| [sequence.as_slice(), &[token]].concat())
        };
        shorter.into_iter().flat_map(behind).collect()
    };
    (0..length).fold(vec![vec![]], |shorter, _| longer(shorter))
}

/// The inputs behind a prefix, in lexicographic order, by `next` alone.
fn walk(task: &dyn Task, prefix: &mut Vec<usize>, inputs: &mut Vec<Vec<usize>>) {
    let tokens = task.next(prefix);
    let listed: Vec<usize> = tokens.iter().collect();
    assert!(
        listed.windows(2).all(|pair| pair[0] < pair[1]),
        "{task:?} {prefix:?}: {tokens:?}"
    );
    assert_eq!(
        (listed.len(), listed.is_empty()),
        (tokens.len(), tokens.is_empty())
    );
    if prefix.len() == task.n_ctx() {
        assert!(listed.is_empty(), "{task:?} goes on behind {prefix:?}");
        inputs.push(prefix.clone());
    }
    for token in listed {
        assert!(tokens.contains(token));
        prefix.push(token);
        walk(task, prefix, inputs);
        prefix.pop();
    }
}

#[test]
fn every_task_is_its_literal_definition() {
    for Example {
        task,
        sizes,
        literal,
        labels,
    } in examples()
    {
        let (canonical, read) =
            read(&task, sizes, labels.as_deref()).unwrap_or_else(|why| panic!("{task}: {why:?}"));
        let mut domain = sequences(sizes.d_vocab, sizes.n_ctx);
        domain.retain(|sequence| literal(sequence).is_some());
        let mut inputs = vec![];
        walk(read.as_ref(), &mut vec![], &mut inputs);
        assert_eq!(inputs, domain, "{canonical} {sizes:?}");
        let mut pairs = 0_usize;
        for input in inputs {
            let read_outs = literal(&input).unwrap();
            for position in 0..sizes.n_ctx {
                let right = read_outs
                    .iter()
                    .find(|(at, _)| *at == position)
                    .map(|(_, answer)| *answer);
                let answer = read.answer(&input[..=position]);
                assert_eq!(
                    answer, right,
                    "{canonical} {sizes:?} {input:?} at {position}"
                );
                assert!(answer.is_none_or(|answer| answer < sizes.d_vocab_out));
                let mut listed = read.read_outs().into_iter();
                let listed = listed.find(|(at, _)| *at == position);
                let may_be_read = listed.is_some_and(|(_, may)| may.contains(input[position]));
                assert!(answer.is_none() || may_be_read, "{canonical} at {position}");
            }
            assert!(read.read_outs().is_sorted_by(|(a, _), (b, _)| a < b));
            pairs += read_outs.len();
        }
        assert_eq!(read.size(), pairs.into(), "{canonical} {sizes:?}");
        assert_eq!(read.n_ctx(), sizes.n_ctx);
    }
}

#[test]
fn every_task_has_examples() {
    let examples = examples();
    for (name, ..) in TASKS {
        let of = |example: &&Example| example.task["name"] == *name;
        assert!(examples.iter().filter(of).count() > 1, "{name}");
    }
}

#[test]
fn an_answer_that_is_no_output_is_refused() {
    for example in examples() {
        let Example {
            task,
            sizes,
            literal,
            ..
        } = &example;
        let inputs = sequences(sizes.d_vocab, sizes.n_ctx);
        let answers = inputs
            .iter()
            .flat_map(|input| literal(input).unwrap_or_default());
        let largest = answers.map(|(_, answer)| answer).max().unwrap();
        let fewer = Sizes {
            d_vocab_out: largest,
            ..*sizes
        };
        assert!(example.read(task, fewer).is_err(), "{task} {fewer:?}");
    }
}

#[test]
fn the_canonical_json_is_read_as_itself() {
    for example in examples() {
        let (canonical, _) = example.read(&example.task, example.sizes).unwrap();
        let (again, _) = example.read(&canonical, example.sizes).unwrap();
        assert_eq!(again, canonical);
        assert!(!canonical.to_string().contains("null"));
    }
    let three = Sizes {
        n_ctx: 3,
        d_vocab: 3,
        d_vocab_out: 3,
    };
    for task in [
        json!("max_of_n"),
        json!({"name": "max_of_n"}),
        json!({"name": "max_of_n", "eos": null}),
        json!({"name": "max_of_n", "nth": null}),
    ] {
        assert_eq!(read(&task, three, None).unwrap().0, json!("max_of_n"));
    }
    let task = json!({"nth": 2, "name": "nth_max_of_n", "eos": 2});
    assert_eq!(
        read(&task, three, None).unwrap().0.to_string(),
        r#"{"eos":2,"name":"nth_max_of_n","nth":2}"#
    );
}

#[test]
fn nothing_panics_on_what_is_no_prefix_of_an_input() {
    let strange = [
        0,
        1,
        2,
        3,
        7,
        1 << 20,
        usize::MAX / 2,
        usize::MAX - 1,
        usize::MAX,
    ];
    let mut state = 1_usize;
    for example in examples() {
        let (_, task) = example.read(&example.task, example.sizes).unwrap();
        for length in (0..=example.sizes.n_ctx + 2).flat_map(|length| [length; 40]) {
            let token = |_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                strange[(state >> 40) % strange.len()]
            };
            let garbage: Vec<usize> = (0..length).map(token).collect();
            let _ = (task.answer(&garbage), task.next(&garbage));
            assert!(length < example.sizes.n_ctx || task.next(&garbage).is_empty());
        }
    }
}

#[test]
fn hostile_parameters_are_refused_or_mean_something() {
    let hostile = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(2),
        json!(-1),
        json!(1.0),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("max"),
        json!("../labels"),
        json!([]),
        json!([0]),
        json!([[]]),
        json!([[0, 1], [1]]),
        json!([[0, 1], [1, -1]]),
        json!(["max", "max"]),
        json!({}),
        json!({"name": "max_of_n"}),
    ];
    for example in examples() {
        let fields: Vec<String> = example.task.as_object().unwrap().keys().cloned().collect();
        for (field, value) in fields
            .iter()
            .flat_map(|field| hostile.iter().map(move |value| (field, value)))
        {
            let mut task = example.task.clone();
            task[field] = value.clone();
            match example.read(&task, example.sizes) {
                Err(why) => assert!(
                    why.field.starts_with("task") && why.found.len() <= 80,
                    "{why:?}"
                ),
                Ok((canonical, _)) => assert_eq!(
                    example.read(&canonical, example.sizes).unwrap().0,
                    canonical
                ),
            }
        }
        for n_ctx in [0, 1, 2, 3, 32, 33, usize::MAX] {
            for d_vocab in [0, 1, 2, 3, 1024, 1025, usize::MAX] {
                for d_vocab_out in [0, 1, 2, usize::MAX] {
                    let sizes = Sizes {
                        n_ctx,
                        d_vocab,
                        d_vocab_out,
                    };
                    match example.read(&example.task, sizes) {
                        Err(why) if why.field == "task" => {
                            let found = format!(
                                "n_ctx = {n_ctx}, d_vocab = {d_vocab}, d_vocab_out = {d_vocab_out}"
                            );
                            assert_eq!(why.found, found);
                        }
                        Err(why) => assert!(why.field.starts_with("task."), "{why:?}"),
                        Ok((_, task)) => assert_ne!(task.size(), BigUint::ZERO),
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_wrong_is_named() {
    let table = |rows: &[&[i64]]| json!({"name": "group", "table": rows});
    let multifun = |functions: Value, tokens: Value| json!({"name": "multifun", "functions": functions, "function_tokens": tokens});
    let f_g = |elements: u8, eos: u8| json!({"name": "f_g", "functions": "max_min", "elements": elements, "eos": eos});
    let sorted = |length: u8, separator: u8| json!({"name": "sorted_list", "length": length, "separator": separator});
    let modular = |p: i8| json!({"name": "modular", "function": "add", "p": p});
    let induction = |inputs: &str| json!({"name": "induction", "inputs": inputs});
    // A task, n_ctx, d_vocab, d_vocab_out, and the field that is refused.
    let cases = [
        (json!(null), 3, 4, 4, "task.name"),
        (json!(3), 3, 4, 4, "task.name"),
        (json!(["max_of_n"]), 3, 4, 4, "task.name"),
        (json!({}), 3, 4, 4, "task.name"),
        (json!({"name": null}), 3, 4, 4, "task.name"),
        (json!({"name": 1}), 3, 4, 4, "task.name"),
        (json!(""), 3, 4, 4, "task.name"),
        (json!("max_of_N"), 3, 4, 4, "task.name"),
        (json!({"name": "max_of_n "}), 3, 4, 4, "task.name"),
        // Every parameter is known, or refused.
        (json!({"name": "max_of_n", "nth": 2}), 3, 4, 4, "task.nth"),
        (json!({"name": "max_of_n", "EOS": 3}), 3, 4, 4, "task.EOS"),
        (json!({"name": "max_of_n", "eoss": 3}), 3, 4, 4, "task.eoss"),
        (
            json!({"name": "nth_max_of_n", "nht": 2}),
            3,
            4,
            4,
            "task.nth",
        ),
        (
            json!({"name": "nth_max_of_n", "nth": 2, "nht": 2}),
            3,
            4,
            4,
            "task.nht",
        ),
        (
            json!({"name": "modular", "functions": "add", "p": 4}),
            3,
            4,
            4,
            "task.function",
        ),
        // Special tokens are those behind the values.
        (json!({"name": "max_of_n", "eos": 0}), 3, 4, 4, "task.eos"),
        (json!({"name": "max_of_n", "eos": 2}), 3, 4, 4, "task.eos"),
        (json!({"name": "max_of_n", "eos": 4}), 3, 4, 4, "task.eos"),
        (json!({"name": "max_of_n", "eos": -1}), 3, 4, 4, "task.eos"),
        (json!({"name": "max_of_n", "eos": 3.0}), 3, 4, 4, "task.eos"),
        (json!({"name": "max_of_n", "eos": "3"}), 3, 4, 4, "task.eos"),
        (json!({"name": "max_of_n", "eos": [3]}), 3, 4, 4, "task.eos"),
        (
            json!({"name": "max_of_n", "eos": true}),
            3,
            4,
            4,
            "task.eos",
        ),
        (
            json!({"name": "max_of_n", "eos": u64::MAX}),
            3,
            4,
            4,
            "task.eos",
        ),
        // Sizes.
        (json!("max_of_n"), 0, 4, 4, "task"),
        (json!("max_of_n"), 33, 4, 4, "task"),
        (json!("max_of_n"), 3, 0, 4, "task"),
        (json!("max_of_n"), 3, 1025, 2000, "task"),
        (json!("max_of_n"), 3, 4, 3, "task"),
        (json!({"name": "max_of_n", "eos": 0}), 3, 1, 1, "task"),
        (json!({"name": "max_of_n", "eos": 3}), 1, 4, 4, "task"),
        (json!({"name": "max_of_n", "eos": 3}), 3, 4, 2, "task"),
        (json!("min_of_n"), 3, 4, 3, "task"),
        (json!("argmax_of_n"), 3, 4, 2, "task"),
        (json!("argmin_of_n"), 3, 4, 2, "task"),
        // nth is from 1 to n.
        (json!("nth_max_of_n"), 3, 4, 4, "task.nth"),
        (
            json!({"name": "nth_max_of_n", "nth": 0}),
            3,
            4,
            4,
            "task.nth",
        ),
        (
            json!({"name": "nth_max_of_n", "nth": 4}),
            3,
            4,
            4,
            "task.nth",
        ),
        (
            json!({"name": "nth_max_of_n", "nth": 3, "eos": 3}),
            3,
            4,
            4,
            "task.nth",
        ),
        (
            json!({"name": "nth_max_of_n", "nth": null}),
            3,
            4,
            4,
            "task.nth",
        ),
        // multifun
        (json!("multifun"), 3, 6, 4, "task.functions"),
        (multifun(json!([]), json!([])), 3, 6, 4, "task.functions"),
        (
            multifun(json!("max"), json!([5])),
            3,
            6,
            5,
            "task.functions",
        ),
        (
            multifun(json!(["max", "mid"]), json!([4, 5])),
            3,
            6,
            4,
            "task.functions",
        ),
        (
            multifun(json!(["max", "max"]), json!([4, 5])),
            3,
            6,
            4,
            "task.functions",
        ),
        (
            multifun(json!(["max", 4]), json!([4, 5])),
            3,
            6,
            4,
            "task.functions",
        ),
        (
            multifun(json!(["max", "min"]), json!(null)),
            3,
            6,
            4,
            "task.function_tokens",
        ),
        (
            multifun(json!(["max", "min"]), json!([5])),
            3,
            6,
            4,
            "task.function_tokens",
        ),
        (
            multifun(json!(["max", "min"]), json!([4, 5, 6])),
            3,
            6,
            4,
            "task.function_tokens",
        ),
        (
            multifun(json!(["max", "min"]), json!([5, 5])),
            3,
            6,
            4,
            "task.function_tokens",
        ),
        (
            multifun(json!(["max", "min"]), json!([3, 5])),
            3,
            6,
            4,
            "task.function_tokens",
        ),
        (
            multifun(json!(["max", "min"]), json!([5, 6])),
            3,
            6,
            4,
            "task.function_tokens",
        ),
        (
            multifun(json!(["max", "min"]), json!([4, 5])),
            1,
            6,
            4,
            "task",
        ),
        (
            multifun(json!(["max", "min"]), json!([0, 1])),
            3,
            2,
            4,
            "task",
        ),
        (
            multifun(json!(["max", "min"]), json!([4, 5])),
            3,
            6,
            3,
            "task",
        ),
        (
            multifun(json!(["max", "argmin"]), json!([2, 3])),
            5,
            4,
            3,
            "task",
        ),
        (multifun(json!(["sum"]), json!([4])), 4, 5, 9, "task"),
        (
            json!({"name": "multifun", "functions": ["max"], "function_tokens": [4], "eos": 4}),
            3,
            6,
            4,
            "task.function_tokens",
        ),
        (
            json!({"name": "multifun", "functions": ["max"], "function_tokens": [4], "eos": 3}),
            3,
            6,
            4,
            "task.eos",
        ),
        // f_g
        (
            json!({"name": "f_g", "functions": "max_min", "elements": 2}),
            5,
            4,
            3,
            "task.eos",
        ),
        (
            json!({"name": "f_g", "functions": "max_max", "elements": 2, "eos": 3}),
            5,
            4,
            3,
            "task.functions",
        ),
        (
            json!({"name": "f_g", "functions": ["max", "min"], "elements": 2, "eos": 3}),
            5,
            4,
            3,
            "task.functions",
        ),
        (f_g(1, 3), 3, 4, 3, "task.elements"),
        (f_g(0, 3), 1, 4, 3, "task.elements"),
        (f_g(3, 3), 5, 4, 3, "task"),
        (f_g(2, 3), 4, 4, 3, "task"),
        (f_g(2, 3), 5, 4, 2, "task"),
        (f_g(2, 0), 5, 1, 1, "task"),
        (f_g(2, 2), 5, 4, 3, "task.eos"),
        (f_g(2, 4), 5, 4, 3, "task.eos"),
        // sorted_list
        (sorted(2, 3), 4, 4, 3, "task"),
        (sorted(2, 3), 6, 4, 3, "task"),
        (sorted(4, 3), 9, 4, 3, "task"),
        (sorted(2, 3), 5, 4, 2, "task"),
        (sorted(0, 3), 1, 4, 3, "task.length"),
        (sorted(2, 2), 5, 4, 3, "task.separator"),
        (sorted(2, 4), 5, 4, 3, "task.separator"),
        (
            json!({"name": "sorted_list", "length": 2}),
            5,
            4,
            3,
            "task.separator",
        ),
        (
            json!({"name": "sorted_list", "length": 2, "separator": 3, "eos": 3}),
            5,
            4,
            3,
            "task.eos",
        ),
        // modular
        (modular(0), 2, 4, 4, "task.p"),
        (modular(-4), 2, 4, 4, "task.p"),
        (modular(3), 2, 4, 4, "task.p"),
        (modular(5), 2, 4, 4, "task.p"),
        (modular(4), 2, 4, 3, "task"),
        (modular(0), 2, 0, 0, "task"),
        (
            json!({"name": "modular", "function": "multiply", "p": 4}),
            2,
            4,
            4,
            "task.function",
        ),
        (json!({"name": "modular", "p": 4}), 2, 4, 4, "task.function"),
        // group
        (json!("group"), 2, 2, 2, "task.table"),
        (table(&[]), 2, 2, 2, "task.table"),
        (table(&[&[0, 1]]), 2, 2, 2, "task.table"),
        (table(&[&[0, 1], &[1, 0], &[0, 1]]), 2, 2, 2, "task.table"),
        (table(&[&[0, 1], &[1]]), 2, 2, 2, "task.table"),
        (table(&[&[0, 1], &[1, 0, 1]]), 2, 2, 2, "task.table"),
        (table(&[&[0, 1], &[1, 2]]), 2, 2, 2, "task.table"),
        (table(&[&[0, 1], &[1, -1]]), 2, 2, 2, "task.table"),
        (
            json!({"name": "group", "table": [[0, 1], [1, "0"]]}),
            2,
            2,
            2,
            "task.table",
        ),
        (
            json!({"name": "group", "table": [[0, 1], [1, 0.0]]}),
            2,
            2,
            2,
            "task.table",
        ),
        (table(&[&[0, 1], &[1, 0]]), 3, 2, 2, "task"),
        (
            json!({"name": "group", "table": [[0, 1], [1, 0]], "eos": 2}),
            2,
            3,
            2,
            "task",
        ),
        (
            json!({"name": "group", "table": [[0, 1], [1, 0]], "eos": 1}),
            3,
            3,
            2,
            "task.eos",
        ),
        // induction
        (json!("induction"), 4, 4, 4, "task.inputs"),
        (induction("abcabc"), 4, 4, 4, "task.inputs"),
        (induction("distinct"), 2, 4, 4, "task"),
        (induction("distinct"), 6, 4, 4, "task"),
        (induction("distinct"), 5, 4, 3, "task"),
        (induction("abcab"), 2, 4, 4, "task"),
        (induction("abcab"), 3, 1, 1, "task"),
        (induction("abcab"), 3, 4, 3, "task"),
        (induction("exhaustive"), 1, 4, 4, "task"),
        (induction("exhaustive"), 4, 0, 0, "task"),
        (induction("exhaustive"), 4, 4, 3, "task"),
    ];
    for (task, n_ctx, d_vocab, d_vocab_out, field) in cases {
        let sizes = Sizes {
            n_ctx,
            d_vocab,
            d_vocab_out,
        };
        let why = refused(&task, sizes, None);
        assert_eq!(why.field, field, "{task} {sizes:?}: {why:?}");
    }
    let long = json!({"name": "group", "table": vec![vec![0; 100]; 100], "x".repeat(200): 0});
    let why = refused(
        &long,
        Sizes {
            n_ctx: 2,
            d_vocab: 100,
            d_vocab_out: 1,
        },
        None,
    );
    assert_eq!((why.field.len(), why.found.as_str()), (80, "0"));
    let long = json!({"name": "group", "table": vec![vec![0; 100]; 100]});
    let why = refused(
        &long,
        Sizes {
            n_ctx: 2,
            d_vocab: 99,
            d_vocab_out: 1,
        },
        None,
    );
    assert_eq!((why.field.as_str(), why.found.len()), ("task.table", 80));
}

/// The last table of docs/tasks.md: a task in JSON, n_ctx, d_vocab, d_vocab_out, and the number of pairs.
#[test]
fn the_sizes_in_the_documentation_are_those_of_the_tasks() {
    let (_, page) = include_str!("../../docs/tasks.md")
        .split_once("## Sizes")
        .unwrap();
    let rows = page.lines().filter_map(|line| {
        line.strip_prefix("| `")?
            .strip_suffix(" |")?
            .split_once("` | ")
    });
    let mut names = vec![];
    for (task, numbers) in rows {
        let task: Value = serde_json::from_str(task).unwrap();
        let numbers: Vec<u128> = numbers
            .split(" | ")
            .map(|number| number.replace(',', "").parse().unwrap())
            .collect();
        let [n_ctx, d_vocab, d_vocab_out, pairs] = numbers[..] else {
            panic!("{task}: {numbers:?}")
        };
        let [n_ctx, d_vocab, d_vocab_out] =
            [n_ctx, d_vocab, d_vocab_out].map(|size| usize::try_from(size).unwrap());
        let (canonical, read) = read(
            &task,
            Sizes {
                n_ctx,
                d_vocab,
                d_vocab_out,
            },
            None,
        )
        .unwrap();
        assert_eq!(read.size(), pairs.into(), "{task}");
        assert_eq!(canonical, task);
        names.push(task["name"].as_str().or(task.as_str()).unwrap().to_owned());
    }
    // The labels of a table are not on the page.
    let missing = TASKS
        .iter()
        .filter(|(name, ..)| !names.iter().any(|there| there == name));
    assert_eq!(
        missing.map(|(name, ..)| *name).collect::<Vec<_>>(),
        ["table"]
    );
}

/// Is a sequence one of a level's inputs: is there a word for it?
fn takes(words: &Words<'_>, before: &[usize]) -> bool {
    let mut state = 0;
    for (position, token) in before.iter().enumerate() {
        let moves = words.moves(position, state).iter();
        let mut steps = moves.filter(|step| words.level.classes[step.class].contains(*token));
        let Some(step) = steps.next() else {
            return false;
        };
        assert_eq!(steps.next(), None, "one word at most");
        state = step.to;
    }
    words.behind(before.len(), state) == 1_u32.into()
}

/// Every input of a task that has levels is in one of them, with its right answer, and nothing else is in any.
#[test]
fn levels_are_a_partition_by_right_answers() {
    let mut with_levels = std::collections::BTreeSet::new();
    for Example {
        task,
        sizes,
        literal,
        labels,
    } in examples()
    {
        let (_, read) = read(&task, sizes, labels.as_deref()).unwrap();
        let answers = 0..sizes.d_vocab_out + 1;
        let levels: Vec<Level> = answers
            .clone()
            .flat_map(|answer| read.levels(answer))
            .collect();
        // A function that has none leaves the others theirs: then the sizes say so.
        let words: Vec<Vec<Words<'_>>> = levels.iter().map(Level::words).collect();
        let by_query = || words.iter().map(|words| Words::by_query(words));
        let size: BigUint = by_query().flatten().map(|(_, words)| words.inputs()).sum();
        if size != read.size() {
            assert!(size < read.size(), "{task}");
            continue;
        }
        with_levels.insert(task["name"].as_str().unwrap().to_owned());
        for answer in answers {
            assert!(
                read.levels(answer)
                    .iter()
                    .all(|level| level.answer == answer)
            );
        }
        let inputs = sequences(sizes.d_vocab, sizes.n_ctx);
        for sequence in &inputs {
            let right = literal(sequence).map(|read_outs| read_outs[0].1);
            let (query, before) = sequence.split_last().unwrap();
            let is_in = |words: &Vec<(usize, &Words<'_>)>| {
                let of_query = words.iter().filter(|(token, _)| token == query);
                of_query.filter(|(_, words)| takes(words, before)).count()
            };
            let found = levels.iter().zip(by_query());
            let found = found.flat_map(|(level, words)| vec![level.answer; is_in(&words)]);
            let found: Vec<usize> = found.collect();
            assert_eq!(
                found,
                Vec::from_iter(right),
                "{task} {sizes:?} {sequence:?}"
            );
        }
        for (query, words) in by_query().flatten() {
            assert!(words.inputs() > BigUint::default());
            let inputs = inputs.iter().filter_map(|input| {
                let (last, before) = input.split_last()?;
                (*last == query && takes(words, before)).then_some(before)
            });
            let inputs: Vec<&[usize]> = inputs.collect();
            assert_eq!(words.inputs(), inputs.len().into());
            for (class, tokens) in words.level.classes.iter().enumerate() {
                let holds = |before: &&[usize]| before.iter().any(|token| tokens.contains(*token));
                assert_eq!(
                    words.hold(class),
                    inputs.iter().all(holds),
                    "{task} {query}"
                );
                let stands = |p: usize| inputs.iter().any(|before| tokens.contains(before[p]));
                for position in 0..sizes.n_ctx - 1 {
                    assert_eq!(words.classes_at(position)[class], stands(position));
                }
            }
        }
    }
    let expected = [
        "argmax_of_n",
        "argmin_of_n",
        "f_g",
        "max_of_n",
        "min_of_n",
        "multifun",
        "nth_max_of_n",
    ];
    assert!(with_levels.iter().eq(expected), "{with_levels:?}");
}
