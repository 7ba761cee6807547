//! The published results: arXiv 2406.11779 and its data, 151 seeds each.

use crate::model::Shape;

/// Means and standard deviations for one kind of model.
pub(super) struct Published {
    /// The true accuracy; sampled for five positions and more.
    pub(super) accuracy: (f64, f64),
    /// By class, the best bound of each seed over its true accuracy.
    pub(super) classes: [(&'static str, f64, f64); 7],
}

/// The number of seeds.
pub(super) const SEEDS: f64 = 151.0;

/// What was published about models of these sizes.
pub(super) fn published(config: &Shape) -> Option<Published> {
    let (accuracy, classes) = match (config.n_ctx, config.d_vocab, config.d_model) {
        (4, 64, 32) => (
            (0.9992, 0.0015),
            [
                (0.9539, 0.0080),
                (0.821, 0.013),
                (0.795, 0.014),
                (0.653, 0.060),
                (0.628, 0.060),
                (0.390, 0.032),
                (0.286, 0.036),
            ],
        ),
        (5, 64, 32) => (
            (0.9990, 0.0018),
            [
                (0.942, 0.010),
                (0.806, 0.013),
                (0.785, 0.014),
                (0.666, 0.053),
                (0.645, 0.052),
                (0.423, 0.029),
                (0.340, 0.032),
            ],
        ),
        (10, 64, 32) => (
            (0.9988, 0.0013),
            [
                (0.915, 0.021),
                (0.673, 0.030),
                (0.658, 0.028),
                (0.640, 0.032),
                (0.626, 0.031),
                (0.393, 0.030),
                (0.391, 0.028),
            ],
        ),
        (20, 64, 32) => (
            (0.995, 0.015),
            [
                (0.888, 0.036),
                (0.602, 0.034),
                (0.586, 0.036),
                (0.554, 0.039),
                (0.542, 0.038),
                (0.348, 0.035),
                (0.328, 0.034),
            ],
        ),
        (10, 128, 32) => (
            (0.9972, 0.0031),
            [
                (0.885, 0.012),
                (0.613, 0.037),
                (0.595, 0.035),
                (0.609, 0.030),
                (0.596, 0.030),
                (0.351, 0.029),
                (0.385, 0.025),
            ],
        ),
        _ => return None,
    };
    let names = [
        "cubic",
        "subcubic",
        "low-rank-qk",
        "low-rank-eu",
        "low-rank-qk-eu",
        "quadratic-qk",
        "quadratic-qk-eu",
    ];
    let mut index = 0;
    let classes = classes.map(|(mean, deviation)| {
        index += 1;
        (names[index - 1], mean, deviation)
    });
    Some(Published { accuracy, classes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::CLASSES;

    #[test]
    fn classes_are_ours_without_brute_force() {
        let network = crate::model::Network::bundled().unwrap();
        let config = network.max_of_n().unwrap().config;
        let published = published(&config).unwrap();
        assert_eq!(published.classes.map(|class| class.0), CLASSES[1..]);
    }
}
