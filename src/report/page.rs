//! The pages: one of all, one of each model. They fetch nothing from anywhere.

use super::summary::{OWN, Table, best};
use super::{Group, Missing, Model, bound, figures, write};
use crate::inspect::{Anatomy, Format, draw, draw_bounds};
use crate::numerals::grouped;
use crate::refusal::Refusal;
use crate::strategy::CLASSES;
use crate::sweep::Row;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::path::Path;

const STYLE: &str = "
body { font: 16px/1.5 sans-serif; max-width: 1080px; margin: 2em auto; padding: 0 1em; color: #222; }
table { border-collapse: collapse; margin: 1em 0; font-size: 14px; }
th, td { padding: .25em .7em; border-bottom: 1px solid #ddd; text-align: right; }
th { border-bottom: 2px solid #888; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
svg, img { max-width: 100%; height: auto; }
.pictures img { max-width: 49%; }
details { margin: 1em 0; } summary { cursor: pointer; }
code { font-size: 13px; }
";

fn page(title: &str, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { h1 { (title) } (body) }
        }
    }
    .into_string()
}

fn table(table: &Table) -> Markup {
    html! {
        p { (table.title) }
        table {
            tr { @for cell in &table.head { th { (cell) } } }
            @for row in &table.rows { tr { @for cell in row { td { (cell) } } } }
        }
    }
}

/// More rows than this are folded.
const MANY: usize = 20;

/// The page of all groups, with their figures as SVG.
pub(super) fn index(
    groups: &[Group],
    overview: &Table,
    summaries: &[Vec<Table>],
    drawn: &[Vec<String>],
    missing: &[Missing],
) -> String {
    page(
        "Proved accuracies",
        &html! {
            p {
                "Bounds on the accuracy of small networks, each checked in exact arithmetic, and the lengths of
                their proofs in FLOPs of the checker. Means ± standard deviations over models that differ in their seed."
            }
            ul { @for group in groups { li { a href={ "#" (group.name) } { (group.name) } ": " (group.models.len()) " models" } } }
            (table(overview))
            p { "As CSV: " a href="results.csv" { "results" } ", " a href="summary.csv" { "summary" } ", "
                a href="timings.csv" { "timings" } ", " a href="failures.csv" { "failures" } "." }
            @for ((group, tables), drawn) in groups.iter().zip(summaries).zip(drawn) {
                h2 id=(group.name) { (group.name) }
                @for entry in tables {
                    @if entry.rows.len() > MANY {
                        details { summary { (entry.title) } (table(entry)) }
                    } @else { (table(entry)) }
                }
                @for svg in drawn { figure { (PreEscaped(svg)) } }
                details {
                    summary { "The models" }
                    table {
                        tr { th { "model" } th { "accuracy" } th { "σ1/σ2 of QK" } th { "best bound of the frontier" } }
                        @for model in &group.models { tr {
                            td { a href={ "models/" (model.entry.name) ".html" } { (model.entry.name) } }
                            td { (share(model.accuracy())) }
                            td { (model.ratio().map_or("–".into(), |ratio| format!("{ratio:.1}"))) }
                            td { (share(model.of_unit("frontier").map(bound).reduce(f64::max))) }
                        } }
                    }
                }
            }
            @if !missing.is_empty() {
                h2 { "Without a result" }
                table {
                    tr { th { "model" } th { "unit" } th { "reason" } }
                    @for Missing { model, unit, reason } in missing { tr { td { (model) } td { (unit) } td { (reason) } } }
                }
            }
        },
    )
}

fn share(share: Option<f64>) -> String {
    share.map_or("–".into(), |share| format!("{share:.6}"))
}

/// Writes the page of one model, with its pictures beside it.
pub(super) fn of_model(model: &Model, out: &Path) -> Result<(), Refusal> {
    let name = &model.entry.name;
    let (folder, pictures) = (out.join("models"), out.join("models").join(name));
    let (inspection, drawn) = match &model.inspection {
        Some(inspection) => {
            let drawn = draw(&model.network.max_of_n()?, &pictures, Format::Png)?;
            (inspection.to_string(), drawn)
        }
        None => {
            let anatomy = Anatomy::new(&model.network, 1);
            let drawn = anatomy.draw(&pictures, Format::Png)?;
            (anatomy.heads.to_string(), drawn)
        }
    };
    let drawn = drawn.iter().filter_map(|path| path.file_stem()?.to_str());
    let bounds = figures::of_model(model);
    let has_bounds = !bounds.is_empty();
    if has_bounds {
        draw_bounds(&bounds, &pictures, "bounds", Format::Png)?;
    }
    let cells = |row: &Row| {
        let (correct, flops) = (grouped(&row.correct), grouped(&row.flops.to_string()));
        [
            row.strategy.clone(),
            correct,
            share(Some(bound(row))),
            flops,
            grouped(&row.unexplained_dimension),
        ]
    };
    let table = |title: &str, rows: Vec<&Row>| {
        let head = [
            "strategy",
            "certified",
            "bound",
            "FLOPs",
            "unexplained dimension",
        ]
        .map(String::from)
        .to_vec();
        let rows: Vec<Vec<String>> = rows.into_iter().map(|row| cells(row).to_vec()).collect();
        html! { @if !rows.is_empty() { (self::table(&Table { title: title.into(), head, rows })) } }
    };
    let own = OWN.iter().chain(&["frontier"]);
    let own = own.flat_map(|unit| model.of_unit(unit)).collect();
    let page = page(
        name,
        &html! {
            p { a href="../index.html" { "all models" } }
            pre { (inspection) }
            @if let Some(truth) = &model.truth {
                p {
                    (grouped(&truth.correct)) " of " (grouped(&truth.total)) " inputs are answered correctly"
                    @if truth.sampled { ", drawn at random and in floating point" } "."
                }
            }
            @if has_bounds { img src={ (name) "/bounds.png" } alt="proved accuracy against proof length"; }
            (table("Our own proofs.", own))
            (table("The best published strategy of each class.", CLASSES.iter().filter_map(|class| best(model, class)).collect()))
            div class="pictures" {
                @for picture in drawn { img src={ (name) "/" (picture) ".png" } alt=(picture); }
            }
        },
    );
    write(&folder.join(format!("{name}.html")), page.as_bytes())
}
