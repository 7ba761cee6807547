//! How verdicts are printed: from what the checker computed, never from the certificate's text.

use super::refused::{Refused, word};
use crate::certificate::Certificate;
use crate::checker::Certified;
use crate::checker::meter::Kind;
use crate::model::Network;
use crate::numerals::{BILLION, by_more_than, decimal, fraction, grouped, margin_text};
use crate::refusal::Refusal;
use crate::strategy::unexplained_dimension;
use num_bigint::BigUint;
use num_traits::Zero;
use serde_json::{Value, json};

/// What is known when a verdict is printed.
pub(crate) struct Verdict<'a> {
    /// The label, from a closed list.
    pub(crate) strategy: &'a str,
    pub(crate) network: Option<(&'a Network, &'a str)>,
    pub(crate) result: Result<&'a Certified, &'a Refusal>,
    /// What was checked.
    pub(crate) certificate: Option<&'a Certificate>,
    pub(crate) arithmetic: &'a str,
    pub(crate) seconds: f64,
    /// The certificate written, with its size in bytes.
    pub(crate) written: Option<(String, usize)>,
}

impl Verdict<'_> {
    fn word(&self) -> &'static str {
        self.result.map_or_else(word, |_| "ACCEPTED")
    }

    fn unexplained(&self) -> Option<BigUint> {
        let (network, _) = self.network?;
        self.certificate
            .map(|certificate| unexplained_dimension(certificate, network))
    }

    /// One JSON object on one line.
    pub(crate) fn json(&self) -> String {
        let certified = self.result.ok();
        let count = |count: &BigUint| Value::from(count.to_string());
        let mut object = json!({
            "task": self.network.map(|(network, _)| &network.task_name),
            "strategy": self.strategy,
            "family": certified.map(|certified| certified.family),
            "rules": certified.map(|certified| certified.meter.rules()),
            "correct": certified.map(|certified| count(&certified.correct)),
            "upper": certified.filter(|certified| certified.upper < certified.total).map(|certified| count(&certified.upper)),
            "total": self.network.map(|(network, _)| count(&network.task.size())),
            "bound": certified.map(|certified| fraction(&certified.correct, &certified.total)),
            "bound_decimal": certified.map(|certified| decimal(&certified.correct, &certified.total)),
            "flops": certified.map(|certified| certified.meter.flops()),
            "int_ops": certified.map(|certified| certified.meter.int_ops()),
            "unexplained_dimension": self.unexplained().as_ref().map(count),
            "tally": certified.map(|certified| {
                Kind::ALL.map(|(kind, name)| (name.to_string(), Value::from(certified.meter.of(kind))))
                    .into_iter().collect::<serde_json::Map<_, _>>()
            }),
            "network_sha256": self.network.map(|(network, _)| network.sha256.clone()),
            "model": self.network.map(|(_, source)| source),
            "n_ctx": self.network.map(|(network, _)| network.sizes.n_ctx),
            "d_vocab": self.network.map(|(network, _)| network.sizes.d_vocab),
            "arithmetic": self.arithmetic,
            "seconds": (self.seconds * 1e6).round() / 1e6,
        });
        let mut add = |more: Value| {
            if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
                object.extend(more);
            }
        };
        add(self.result.map_or_else(
            |refusal| json!(Refused::from(refusal)),
            |_| json!({ "verdict": "ACCEPTED", "code": null, "at": null, "expected": null, "found": null, "reason": null }),
        ));
        let margin = certified.map(|certified| &certified.margin);
        if let Some(margin) = margin.filter(|margin| !margin.is_zero()) {
            let (exact, rounded) = margin_text(margin);
            add(json!({ "margin": exact, "margin_decimal": rounded }));
        }
        if let Some((path, bytes)) = &self.written {
            add(json!({ "certificate": path, "bytes": bytes }));
        }
        format!("{object}\n")
    }

    /// Lines for people; the first is the verdict's word alone. Nothing where there is no verdict.
    pub(crate) fn text(&self, quiet: bool) -> String {
        let word = self.word();
        if let Err(Refusal::Unreadable(_)) = self.result {
            return String::new();
        }
        let (Ok(certified), Some((network, source)), false) = (self.result, self.network, quiet)
        else {
            return format!("{word}\n");
        };
        let sizes = &network.sizes;
        let task = network.task_name.to_string();
        let cut = if task.chars().count() > 60 { "…" } else { "" };
        let task: String = task.chars().take(60).collect();
        // A task with several read-outs counts each of them.
        let counted = match network.task.read_outs().len() {
            1 => "inputs",
            _ => "read-outs",
        };
        let tally = Kind::ALL
            .iter()
            .filter(|(kind, _)| *kind != Kind::Integer && certified.meter.of(*kind) > 0);
        let tally: Vec<String> = tally
            .map(|(kind, name)| {
                format!("{name} {}", grouped(&certified.meter.of(*kind).to_string()))
            })
            .collect();
        let Certified {
            correct,
            upper,
            total,
            ..
        } = certified;
        let (least, most, all) = [correct, upper, total]
            .map(|count| grouped(&count.to_string()))
            .into();
        let below = decimal(correct, total);
        let (claim, accuracy) = if correct == upper {
            (
                format!("exactly {least}"),
                format!("= {} ≥ {below}", fraction(correct, total)),
            )
        } else if upper == total {
            (format!("at least {least}"), format!("≥ {below}"))
        } else {
            // Rounded up.
            let above = (upper * BILLION + total - 1_u8) / total;
            let above = decimal(&above, &BILLION.into());
            (
                format!("at least {least} and at most {most}"),
                format!("≥ {below}, ≤ {above}"),
            )
        };
        let by = by_more_than(&certified.margin);
        let (done, search) = if self.written.is_some() {
            ("proved ", " with the search")
        } else {
            ("checked", "")
        };
        let mut lines = vec![
            word.to_string(),
            format!("{claim} of all {all} {counted} are answered correctly{by}"),
            format!("  accuracy  {accuracy}"),
            format!(
                "  network   {source}, d_vocab {}, n_ctx {}",
                sizes.d_vocab, sizes.n_ctx
            ),
            format!("  task      {task}{cut}"),
            format!("  sha256    {}", network.sha256),
            format!("  strategy  {} (a label)", self.strategy),
            format!(
                "  rules     {}: {}",
                certified.family,
                certified.meter.rules().join(", ")
            ),
            format!(
                "  length    {} FLOPs, {} integer operations",
                grouped(&certified.meter.flops().to_string()),
                grouped(&certified.meter.int_ops().to_string())
            ),
            format!("            {}", tally.join(", ")),
            format!(
                "  dimension {} unexplained",
                grouped(&self.unexplained().unwrap_or_default().to_string())
            ),
            format!(
                "  {done}   in {} arithmetic, {:.3} s{search}",
                self.arithmetic, self.seconds
            ),
        ];
        if let Some((path, bytes)) = &self.written {
            lines.push(format!(
                "  written   {path}, {} bytes",
                grouped(&bytes.to_string())
            ));
        }
        lines.join("\n") + "\n"
    }
}
