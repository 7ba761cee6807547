//! The figures of a group, as SVG and PNG.

use super::summary::{Mean, Proofs, best, budgets, within};
use super::{Group, Model, bound};
use crate::inspect::{Bounds, Format, Point, Series, draw_bounds};
use crate::refusal::Refusal;
use crate::strategy::CLASSES;
use crate::sweep::Row;
use std::path::Path;

/// How many budgets the line of the mean frontier goes through.
const BUDGETS: usize = 20;

/// Draws the figures of a group into `figures`, and returns them as SVG.
pub(super) fn of_group(group: &Group, out: &Path) -> Result<Vec<String>, Refusal> {
    let folder = out.join("figures");
    let figures = [
        ("flops", against_flops(group)),
        ("dimension", against_dimension(group)),
        ("ratio", against_ratio(group)),
    ];
    let mut drawn = vec![];
    for (name, figure) in figures {
        if figure.is_empty() {
            continue;
        }
        let name = format!("{}_{name}", group.name);
        draw_bounds(&figure, &folder, &name, Format::Png)?;
        let path = draw_bounds(&figure, &folder, &name, Format::Svg)?;
        let svg = std::fs::read_to_string(&path);
        drawn.push(svg.map_err(|error| {
            Refusal::Unreadable(format!("cannot read {}: {error}", path.display()))
        })?);
    }
    Ok(drawn)
}

/// The strategies of a model, or of several: a series for each class but the first. Brute force, the longest and the
/// least explained of all, would leave no room for the others.
fn by_class(points: impl Fn(&str) -> Vec<Point>) -> Vec<Series> {
    let series = CLASSES[1..].iter().map(|class| Series {
        name: (*class).into(),
        points: points(class),
    });
    series.filter(|series| !series.points.is_empty()).collect()
}

fn point(across: f64, mean: Mean) -> Point {
    Point {
        across,
        bound: mean.mean,
        spread: mean.deviation,
    }
}

/// One point for each published strategy: means over the models, of bounds over true accuracies where those are known.
fn mean_points(group: &Group, class: &str, across: impl Fn(&Proofs) -> Option<Mean>) -> Vec<Point> {
    let Some(first) = group.models.first() else {
        return vec![];
    };
    let of = |row: &Row| {
        let proofs = Proofs::of(group, |model| {
            model
                .published()
                .find(|other| other.strategy == row.strategy)
        });
        Some(point(across(&proofs)?.mean, proofs.over_true?))
    };
    first
        .published()
        .filter(|row| row.class == class)
        .filter_map(of)
        .collect()
}

fn against_flops(group: &Group) -> Bounds {
    let at = |budget: f64| {
        Some(point(
            budget,
            Proofs::of(group, |model| within(model, budget)).over_true?,
        ))
    };
    let points = budgets(group, BUDGETS).into_iter().filter_map(at).collect();
    let others = by_class(|class| mean_points(group, class, |proofs| proofs.flops));
    Bounds {
        title: format!(
            "{}: bound ÷ true accuracy, means over {} models",
            group.name,
            group.models.len()
        ),
        across: "FLOPs of the proof",
        upwards: "bound ÷ true accuracy",
        line: Some(Series {
            name: "our frontier".into(),
            points,
        }),
        others,
    }
}

fn against_dimension(group: &Group) -> Bounds {
    let others = by_class(|class| mean_points(group, class, |proofs| proofs.dimension));
    let exact = Proofs::of(group, |model| model.of_unit("exact").next());
    let exact = exact
        .dimension
        .zip(exact.over_true)
        .map(|(dimension, bound)| point(dimension.mean, bound));
    let line = exact.map(|point| Series {
        name: "our exact proof".into(),
        points: vec![point],
    });
    Bounds {
        title: format!(
            "{}: bound ÷ true accuracy, means over {} models",
            group.name,
            group.models.len()
        ),
        across: "unexplained dimension",
        upwards: "bound ÷ true accuracy",
        line,
        others,
    }
}

fn against_ratio(group: &Group) -> Bounds {
    let of = |model: &Model, class: &str| {
        let ratio = model.ratio()?;
        Some(Point {
            across: ratio,
            bound: bound(best(model, class)?) / model.accuracy()?,
            spread: 0.0,
        })
    };
    let points = |class: &str| {
        group
            .models
            .iter()
            .filter_map(|model| of(model, class))
            .collect()
    };
    Bounds {
        title: format!("{}: the best bound of each class, by model", group.name),
        across: "σ1/σ2 of the QK circuit",
        upwards: "bound ÷ true accuracy",
        line: None,
        others: by_class(points),
    }
}

/// One model's frontier, beside the published strategies.
pub(super) fn of_model(model: &Model) -> Bounds {
    let of = |row: &Row| Point {
        across: row.flops as f64,
        bound: bound(row),
        spread: 0.0,
    };
    let points = |class: &str| {
        model
            .published()
            .filter(|row| row.class == class)
            .map(of)
            .collect()
    };
    Bounds {
        title: format!("{}: proved accuracy against proof length", model.entry.name),
        across: "FLOPs of the proof",
        upwards: "accuracy proved, at least",
        line: Some(Series {
            name: "our frontier".into(),
            points: model.of_unit("frontier").map(of).collect(),
        }),
        others: by_class(points),
    }
}
