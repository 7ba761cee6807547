//! A certificate as a theorem of Coq: `gbmi export-coq`.
//!
//! The theorem is about the weights that stand in the file, over the real numbers; its proof is an evaluation of the
//! checker of `proofs/Checker.v` and its theorem `check_sound`. Nothing here is trusted but that weights and sizes are
//! written as they are: whatever else goes wrong makes coqc fail.

use crate::certificate::levels::{
    Answers, Block, Count, Entries, ExactAttention, Grid, Group, Levels, Partition, Plan, Split,
    Test,
};
use crate::certificate::{Certificate, Hints, Rows};
use crate::model::{Dyadic, Matrix, OneHead, Scale, Shape};
use num_traits::Zero;
use std::collections::BTreeMap;

/// Indices and sizes beyond this are written as this: all are beyond what there is.
const MOST_INDEX: usize = 8192;
/// Words beyond every group's: those of group g are 3 + 2g and 4 + 2g.
const MOST_WORD: usize = 2 * MOST_INDEX + 4;
/// Longer lists are written in parts, which Coq reads faster.
const MOST_ITEMS: usize = 400;
/// Shorter lists are not given a name.
const FEWEST_NAMED: usize = 9;

/// The theorem that a certificate proves about a network, as a file for coqc.
///
/// # Errors
/// The rule of the certificate that `proofs/` does not have.
pub fn export(certificate: &Certificate, network: &OneHead<'_>) -> Result<String, String> {
    let mut source = Source::default();
    let hints = source.certificate(certificate)?;
    let weights = source.weights(network);
    let claim = &certificate.claim;
    let Shape { d_vocab, n_ctx, .. } = network.config;
    let total = network.network.task.size();
    let (correct, right) = (
        &claim.correct,
        "Z.of_nat (count_correct (sizes the_weights) (network_of the_weights))",
    );
    let (statement, proof) = match &claim.upper {
        None => (
            format!("{correct} <= {right}"),
            "apply (proj1 (check_sound _ _ _ _ accepted))",
        ),
        Some(upper) if upper == correct => (
            format!("{right} = {correct}"),
            "exact (check_exact _ _ _ accepted)",
        ),
        Some(upper) => (
            format!("{correct} <= {right} <= {upper}"),
            "destruct (check_sound _ _ _ _ accepted) as [L U]; exact (conj L (U _ eq_refl))",
        ),
    };
    let upper = claim
        .upper
        .as_ref()
        .map_or("None".into(), |upper| format!("(Some {upper})"));
    let numbers: String = (1..=source.most)
        .map(|n| format!("Definition n{n} : nat := S n{}.\n", n - 1))
        .collect();
    let (digest, strategy, definitions) = (
        &network.network.sha256,
        &certificate.strategy,
        &source.definitions,
    );
    let strategy: String = strategy
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-')
        .collect();
    Ok(format!(
        "(** Written by gbmi {version}. Compile with `coqc -Q proofs gbmi FILE.v`, after `make -C proofs`.

    The network with SHA-256
    {digest}
    has d_vocab {d_vocab} and n_ctx {n_ctx}. Strategy: {strategy}. *)

From Coq Require Import ZArith List.
From gbmi Require Import Model CheckerCertificate CheckerPathsSound Checker CheckerSound.
Import ListNotations.

Definition n0 : nat := O.
{numbers}
Local Open Scope Z_scope.

{definitions}
(** The weights, each a mantissa and a power of two. *)
Definition the_weights : weights := {weights}.

(** Hints: whatever stands here, the theorem is true if its proof is accepted. *)
Definition the_hints : cert := {hints}.

Lemma accepted : check the_weights the_hints {correct} {upper} = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

(** How many inputs the network answers correctly, over the real numbers. *)
Theorem correct_inputs :
  {statement}.
Proof. {proof}. Qed.

(** Of so many. *)
Theorem all_inputs : Z.of_nat (length (inputs (sizes the_weights))) = {total}.
Proof. now rewrite inputs_length. Qed.

Print Assumptions correct_inputs.
",
        version = env!("CARGO_PKG_VERSION"),
    ))
}

/// Definitions that the terms name.
#[derive(Default)]
struct Source {
    definitions: String,
    /// By type and value: the names given.
    names: BTreeMap<(String, String), String>,
    /// The largest number of type `nat`.
    most: usize,
}

impl Source {
    /// The name of a value, which is defined if it is not yet.
    fn named(&mut self, kind: &str, value: String) -> String {
        let next = format!("v{}", self.names.len());
        let name = self
            .names
            .entry((kind.into(), value))
            .or_insert_with_key(|(kind, value)| {
                self.definitions += &format!("Definition {next} : {kind} := {value}.\n");
                next
            });
        name.clone()
    }

    fn list(&mut self, kind: &str, items: &[String]) -> String {
        if items.len() > MOST_ITEMS {
            let parts: Vec<String> = items
                .chunks(MOST_ITEMS)
                .map(|part| self.list(kind, part))
                .collect();
            return format!(
                "(concat {})",
                self.list(&format!("list {}", bracketed(kind)), &parts)
            );
        }
        let list = format!("[{}]", items.join("; "));
        if items.len() < FEWEST_NAMED {
            list
        } else {
            self.named(&format!("list {}", bracketed(kind)), list)
        }
    }

    fn index(&mut self, index: usize) -> String {
        let index = index.min(MOST_INDEX);
        self.most = self.most.max(index);
        format!("n{index}")
    }

    fn indices(&mut self, indices: &[usize]) -> String {
        let items: Vec<String> = indices.iter().map(|index| self.index(*index)).collect();
        self.list("nat", &items)
    }

    /// Words of a walk: those beyond every group's are odd or even, and as good as the first such ones.
    fn words(&mut self, words: &[usize]) -> String {
        let word = |word: &usize| (*word).min(MOST_WORD + word % 2);
        let items: Vec<String> = words
            .iter()
            .map(|number| {
                let number = word(number);
                self.most = self.most.max(number);
                format!("n{number}")
            })
            .collect();
        self.list("nat", &items)
    }

    fn integers(&mut self, integers: &[i64]) -> String {
        let items: Vec<String> = integers.iter().map(|number| integer(*number)).collect();
        self.list("Z", &items)
    }

    fn rows<T>(
        &mut self,
        kind: &str,
        rows: &Rows<T>,
        mut row: impl FnMut(&mut Self, &[T]) -> String,
    ) -> String {
        let items: Vec<String> = rows.iter().map(|items| row(self, items)).collect();
        self.list(&format!("list {kind}"), &items)
    }

    fn orders(&mut self, orders: &Rows<usize>) -> String {
        self.rows("nat", orders, Self::indices)
    }

    fn window(&mut self, window: Option<usize>) -> String {
        window.map_or("None".into(), |size| format!("(Some {})", self.index(size)))
    }

    /// The tensors, row by row; biases are one row.
    fn weights(&mut self, network: &OneHead<'_>) -> String {
        let Shape {
            d_vocab,
            n_ctx,
            d_model,
            d_head,
            scale,
            ..
        } = network.config;
        let sizes = [d_vocab, n_ctx, d_model, d_head].map(|size| self.index(size));
        let mut fields = vec![format!(
            "sizes := {{| d_vocab := {}; n_ctx := {}; d_model := {}; d_head := {}; scaled := {} |}}",
            sizes[0],
            sizes[1],
            sizes[2],
            sizes[3],
            scale == Scale::SqrtDHead
        )];
        let row = |source: &mut Self, row: &[Dyadic]| {
            let pair = |x: &Dyadic| format!("({}, {})", x.mantissa, x.exponent);
            source.list("Z * Z", &row.iter().map(pair).collect::<Vec<_>>())
        };
        let OneHead {
            w_e,
            w_pos,
            w_q,
            w_k,
            w_v,
            w_o,
            w_u,
            b_q,
            b_k,
            b_v,
            b_o,
            b_u,
            ..
        } = *network;
        let tables: [(&str, &Matrix<Dyadic>); 7] = [
            ("w_e", w_e),
            ("w_pos", w_pos),
            ("w_q", w_q),
            ("w_k", w_k),
            ("w_v", w_v),
            ("w_o", w_o),
            ("w_u", w_u),
        ];
        for (name, table) in tables {
            let rows: Vec<String> = table
                .iter_rows()
                .map(|entries| row(self, entries))
                .collect();
            fields.push(format!("{name} := {}", self.list("list (Z * Z)", &rows)));
        }
        for (name, bias) in [
            ("b_q", b_q),
            ("b_k", b_k),
            ("b_v", b_v),
            ("b_o", b_o),
            ("b_u", b_u),
        ] {
            fields.push(format!("{name} := {}", row(self, bias.row(0))));
        }
        record(&fields)
    }

    fn certificate(&mut self, certificate: &Certificate) -> Result<String, String> {
        let Hints::Levels(hints) = &certificate.hints else {
            return Err(
                "hints.family: expected levels, whose rules are proved in Coq, found another"
                    .into(),
            );
        };
        if !certificate.claim.margin.is_zero() {
            return Err("claim.margin: expected none: margins are not proved in Coq".into());
        }
        let Levels {
            attention: ExactAttention { orders, entries },
            direct_path: split,
            criterion: partition,
        } = hints.as_ref();
        let Split {
            offset,
            token_orders,
            query_orders,
            last_orders,
            logits,
            direct,
        } = split;
        let Partition { plans, assignment } = partition;
        let plans: Vec<String> = plans.iter().map(|plan| self.plan(plan)).collect();
        Ok(record(&[
            format!("attention_orders := {}", self.orders(orders)),
            format!("score_entries := {}", self.entries(entries.as_ref())),
            format!("offset := {}", self.integers(offset)),
            format!("token_orders := {}", self.orders(token_orders)),
            format!("query_orders := {}", self.orders(query_orders)),
            format!("last_orders := {}", self.orders(last_orders)),
            format!("logit_entries := {}", self.entries(logits.as_deref())),
            format!("direct_entries := {}", self.entries(direct.as_deref())),
            format!("plans := {}", self.list("plan", &plans)),
            format!("assignment := {}", self.orders(assignment)),
        ]))
    }

    fn entries(&mut self, entries: Option<&Entries>) -> String {
        let Some(Entries {
            blocks,
            centre,
            basis,
            left,
            right,
        }) = entries
        else {
            return "None".into();
        };
        let blocks: Vec<usize> = blocks
            .iter()
            .flat_map(|Block { rows, columns }| [rows.start, rows.end, columns.start, columns.end])
            .collect();
        let fields = [
            format!("blocks := {}", self.indices(&blocks)),
            format!("centre := {}", self.integers(centre)),
            format!("basis := {}", self.rows("Z", basis, Self::integers)),
            format!("left_bounds := {}", self.integers(left)),
            format!("right_bounds := {}", self.integers(right)),
        ];
        format!("(Some {})", record(&fields))
    }

    fn plan(&mut self, plan: &Plan) -> String {
        let Plan {
            groups,
            count,
            window,
        } = plan;
        let count = match count {
            Count::Tree(script) => {
                let (order, walk) = (self.indices(&script.order), self.words(&script.walk));
                format!("Tree {order} {walk}")
            }
            Count::Grid(grid) => {
                let Grid {
                    bits,
                    without,
                    wrong,
                } = grid.as_ref();
                let wrong = wrong.iter().flat_map(|wrong| match wrong.then_by {
                    None => vec![wrong.by],
                    Some(then_by) => vec![wrong.by, then_by, wrong.coarser],
                });
                let wrong: Vec<usize> = wrong.collect();
                let fields = [
                    format!(
                        "grid_bits := {}",
                        self.index(usize::try_from(*bits).unwrap_or(MOST_INDEX))
                    ),
                    format!("without := {}", self.orders(without)),
                    format!("wrong_groups := {}", self.indices(&wrong)),
                ];
                format!("Grid {}", record(&fields))
            }
        };
        let groups: Vec<String> = groups.iter().map(|group| self.group(group)).collect();
        let plan = record(&[
            format!("groups := {}", self.list("group", &groups)),
            format!("plan_count := {count}"),
            format!("plan_window := {}", self.window(*window)),
        ]);
        self.named("plan", plan)
    }

    fn group(&mut self, group: &Group) -> String {
        let Group {
            answers,
            test,
            window,
        } = group;
        let answers = match answers {
            Answers::Rest => "Rest".into(),
            Answers::Each => "Each".into(),
            Answers::These(answers) => format!("These {}", self.indices(answers)),
        };
        let test = match test {
            Test::Pooled => "Pooled",
            Test::Unpooled => "Unpooled",
            Test::Wrong => "Wrong",
            Test::Count => "Count",
            Test::Forfeit => "Forfeit",
        };
        let window = self.window(*window);
        record(&[
            format!("group_answers := {answers}"),
            format!("group_test := {test}"),
            format!("group_window := {window}"),
        ])
    }
}

fn record(fields: &[String]) -> String {
    format!("{{| {} |}}", fields.join("; "))
}

fn integer(number: i64) -> String {
    if number < 0 {
        format!("({number})")
    } else {
        number.to_string()
    }
}

fn bracketed(kind: &str) -> String {
    if kind.contains(' ') {
        format!("({kind})")
    } else {
        kind.into()
    }
}
