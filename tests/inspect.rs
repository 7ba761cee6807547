//! Inspection against independent routes, and pictures.
#![cfg(feature = "inspect")]

use gbmi::inspect::{Format, draw, inspect};
use gbmi::model::{
    Dyadic, Function, Head, Layer, Matrix, Network, OneHead, Scale, Shape, Transformer,
};
use gbmi::task::{self, Sizes};
use std::path::{Path, PathBuf};

fn model(name: &str) -> Network {
    Network::load(
        &PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("models")
            .join(name),
    )
    .unwrap()
}

/// A network of two to four of everything with small whole numbers as weights, every bias included.
fn tiny(scale: Scale) -> Network {
    let mut seed = 1_i32;
    let mut weights = |rows: usize, cols: usize| {
        Matrix::from_fn(rows, cols, Dyadic::ZERO, |_, _| {
            seed = (seed * 37 + 11) % 101;
            Dyadic {
                mantissa: seed % 7 - 3,
                exponent: -1,
            }
        })
    };
    let (v, n, d, h) = (4, 2, 3, 2);
    let sizes = Sizes {
        n_ctx: n,
        d_vocab: v,
        d_vocab_out: v,
    };
    let head = Head {
        w_q: weights(d, h),
        w_k: weights(d, h),
        w_v: weights(d, h),
        w_o: weights(h, d),
        b_q: weights(1, h),
        b_k: weights(1, h),
        b_v: weights(1, h),
    };
    let layer = Layer {
        ln1: None,
        heads: vec![head],
        b_o: weights(1, d),
        mlp: None,
    };
    let model = Transformer {
        shape: Shape {
            d_vocab: v,
            d_vocab_out: v,
            n_ctx: n,
            d_model: d,
            d_head: h,
            n_layers: 1,
            n_heads: 1,
            d_mlp: None,
            norms: None,
            attention_rate: Dyadic::NONE,
            scale,
        },
        w_e: weights(v, d),
        w_pos: weights(n, d),
        layers: vec![layer],
        ln_final: None,
        w_u: weights(d, v),
        b_u: weights(1, v),
    };
    let (task_name, task) = task::read(&"max_of_n".into(), sizes, None).unwrap();
    Network {
        function: Function::Transformer(model),
        task,
        task_name,
        sizes,
        sha256: String::new(),
    }
}

fn transformer(network: &mut Network) -> &mut Transformer {
    match &mut network.function {
        Function::Transformer(model) => model,
        Function::TwoEmbeddings(_) => panic!("a transformer"),
    }
}

fn head(network: &mut Network) -> &mut Head {
    &mut transformer(network).layers[0].heads[0]
}

fn at(table: &Matrix<Dyadic>, row: usize, col: usize) -> f64 {
    let weight = table.at(row, col);
    f64::from(weight.mantissa) * 2_f64.powi(weight.exponent)
}

type Table = Vec<Vec<f64>>;

/// `x · table`, entry by entry.
fn apply(x: &[f64], table: &Matrix<Dyadic>) -> Vec<f64> {
    (0..table.cols())
        .map(|col| {
            x.iter()
                .enumerate()
                .map(|(row, x)| x * at(table, row, col))
                .sum()
        })
        .collect()
}

fn add(one: &[f64], other: &[f64]) -> Vec<f64> {
    one.iter()
        .zip(other)
        .map(|(one, other)| one + other)
        .collect()
}

fn row(table: &Matrix<Dyadic>, row: usize) -> Vec<f64> {
    (0..table.cols()).map(|col| at(table, row, col)).collect()
}

/// The paths A, B, EV, PV, D by their definitions, one input vector at a time.
fn paths(network: &OneHead<'_>) -> [Table; 5] {
    let (v, n) = (network.config.d_vocab, network.config.n_ctx);
    let scale = if network.config.scale == Scale::One {
        1.0
    } else {
        (network.config.d_head as f64).sqrt()
    };
    let dot = |one: &[f64], other: &[f64]| {
        one.iter()
            .zip(other)
            .map(|(one, other)| one * other)
            .sum::<f64>()
            / scale
    };
    let stream = |q: usize| add(&row(network.w_e, q), &row(network.w_pos, n - 1));
    let query = |q: usize| add(&apply(&stream(q), network.w_q), &row(network.b_q, 0));
    let scores = |q: usize, keys: &Matrix<Dyadic>| -> Vec<f64> {
        (0..keys.rows())
            .map(|key| dot(&query(q), &apply(&row(keys, key), network.w_k)))
            .collect()
    };
    let logits = |x: &[f64]| apply(&apply(&apply(x, network.w_v), network.w_o), network.w_u);
    let bias = add(
        &apply(&row(network.b_v, 0), network.w_o),
        &row(network.b_o, 0),
    );
    let direct = |q: usize| {
        add(
            &apply(&add(&stream(q), &bias), network.w_u),
            &row(network.b_u, 0),
        )
    };
    [
        (0..v).map(|q| scores(q, network.w_e)).collect(),
        (0..v).map(|q| scores(q, network.w_pos)).collect(),
        (0..v).map(|t| logits(&row(network.w_e, t))).collect(),
        (0..n).map(|p| logits(&row(network.w_pos, p))).collect(),
        (0..v).map(direct).collect(),
    ]
}

#[track_caller]
pub(crate) fn assert_near(found: f64, expected: f64) {
    assert!(
        (found - expected).abs() <= 1e-9 * (1.0 + expected.abs()),
        "{found} is not {expected}"
    );
}

fn sum(table: &Table, term: impl Fn(f64) -> f64) -> f64 {
    table.iter().flatten().map(|entry| term(*entry)).sum()
}

#[test]
fn path_sizes_are_those_of_the_definitions() {
    for network in [
        tiny(Scale::One),
        tiny(Scale::SqrtDHead),
        model("max_of_2_seed123"),
    ] {
        let found = inspect(&network.one_head().unwrap()).paths;
        for (mut table, found) in paths(&network.one_head().unwrap())
            .into_iter()
            .zip([found.a, found.b, found.ev, found.pv, found.d])
        {
            for row in &mut table {
                let mean = row.iter().sum::<f64>() / row.len() as f64;
                row.iter_mut().for_each(|entry| *entry -= mean);
            }
            let count = sum(&table, |_| 1.0);
            assert_near(found.mean_abs, sum(&table, f64::abs) / count);
            assert_near(
                found.min,
                table
                    .iter()
                    .flatten()
                    .copied()
                    .fold(f64::INFINITY, f64::min),
            );
            assert_near(
                found.max,
                table
                    .iter()
                    .flatten()
                    .copied()
                    .fold(f64::NEG_INFINITY, f64::max),
            );
            assert!(found.mean_abs > 0.0 && found.min < 0.0 && found.max > 0.0);
        }
    }
}

#[test]
fn singular_values_have_the_right_moments() {
    for network in [
        tiny(Scale::One),
        tiny(Scale::SqrtDHead),
        model("max_of_4_seed123"),
    ] {
        let found = inspect(&network.one_head().unwrap());
        let [a, _, ev, ..] = paths(&network.one_head().unwrap());
        for (table, spectrum) in [(a, found.qk), (ev, found.ov)] {
            let values = spectrum.singular_values;
            assert_eq!(values.len(), network.one_head().unwrap().config.d_head);
            assert!(values.is_sorted_by(|one, other| one >= other));
            assert_eq!(spectrum.ratio, Some(values[0] / values[1]));
            // tr MᵀM and tr (MᵀM)²: together they also fix both values of a table of rank two.
            assert_near(
                values.iter().map(|value| value.powi(2)).sum(),
                sum(&table, |entry| entry * entry),
            );
            let gram =
                |one: &[f64], other: &[f64]| one.iter().zip(other).map(|(x, y)| x * y).sum::<f64>();
            let fourth = table
                .iter()
                .flat_map(|one| table.iter().map(move |other| gram(one, other).powi(2)))
                .sum();
            assert_near(values.iter().map(|value| value.powi(4)).sum(), fourth);
        }
    }
}

#[test]
fn a_circuit_of_zeros_has_no_ratio() {
    let mut network = tiny(Scale::One);
    head(&mut network).w_k = Matrix::from_fn(3, 2, Dyadic::ZERO, |_, _| Dyadic::ZERO);
    let found = inspect(&network.one_head().unwrap());
    assert_eq!(
        (found.qk.singular_values.as_slice(), found.qk.ratio),
        ([0.0, 0.0].as_slice(), None)
    );
    assert!(
        found.to_string().contains("QK            -   0 0\n"),
        "{found}"
    );
    let folder = tempfile::tempdir().unwrap();
    draw(&network.one_head().unwrap(), folder.path(), Format::Svg).unwrap();
}

#[test]
fn attention_to_the_maximum_is_nearly_of_rank_one() {
    let found = inspect(&model("max_of_4_seed123").one_head().unwrap());
    assert!(
        found.qk.ratio.unwrap() > 10.0 * found.ov.ratio.unwrap(),
        "{found}"
    );
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["network_sha256"], found.sha256);
    assert_eq!(json["qk"]["singular_values"].as_array().unwrap().len(), 32);
    println!("{found}");
}

/// The colours of the cells of a drawn map, by row and column, from the rectangles of an SVG.
fn cells(svg: &str, side: i32) -> Vec<(i32, i32, i32, String)> {
    let number = |line: &str, name: &str| -> Option<i32> {
        line.split(&format!(" {name}=\""))
            .nth(1)?
            .split('"')
            .next()?
            .parse()
            .ok()
    };
    svg.lines()
        .filter(|line| line.starts_with("<rect") && line.contains("stroke=\"none\""))
        .filter_map(|line| {
            let fill = line.split(" fill=\"").nth(1)?.split('"').next()?.to_owned();
            Some((
                number(line, "x")?,
                number(line, "y")?,
                number(line, "width")?,
                number(line, "height")?,
                fill,
            ))
        })
        .filter(|(.., height, _)| *height == side)
        .map(|(x, y, width, _, fill)| (x, y, width, fill))
        .collect()
}

/// The colour of one cell of a drawn map of square cells.
pub(crate) fn cell(svg: &str, side: i32, row: i32, col: i32) -> String {
    let cells = cells(svg, side);
    let left = cells.iter().map(|cell| cell.0).min().unwrap();
    let top = cells.iter().map(|cell| cell.1).min().unwrap();
    let (x, y) = (left + side * col + side / 2, top + side * row + side / 2);
    let is_there = |cell: &&(i32, i32, i32, String)| {
        (cell.0..cell.0 + cell.2).contains(&x) && (cell.1..cell.1 + side).contains(&y)
    };
    cells.iter().find(is_there).unwrap().3.clone()
}

#[test]
fn the_pictures_show_the_tables_upright() {
    // EV is 4 at (0, 3) and (3, 1), −4 at (0, 1) and (3, 0), and zero elsewhere: not symmetric in any way.
    let mut network = tiny(Scale::One);
    let unit = |rows, cols, ones: &'static [(usize, usize, i32)]| {
        Matrix::from_fn(rows, cols, Dyadic::ZERO, |row, col| {
            let mantissa = ones
                .iter()
                .find(|(r, c, _)| (*r, *c) == (row, col))
                .map_or(0, |(.., value)| *value);
            Dyadic {
                mantissa,
                exponent: 0,
            }
        })
    };
    transformer(&mut network).w_e = unit(4, 3, &[(0, 0, 1), (3, 1, 1)]);
    head(&mut network).w_v = unit(3, 2, &[(0, 0, 1), (1, 1, 1)]);
    head(&mut network).w_o = unit(2, 3, &[(0, 0, 1), (1, 1, 1)]);
    transformer(&mut network).w_u = unit(3, 4, &[(0, 3, 4), (0, 1, -4), (1, 0, -4), (1, 1, 4)]);
    let folder = tempfile::tempdir().unwrap();
    let paths = draw(
        &network.one_head().unwrap(),
        &folder.path().join("new"),
        Format::Svg,
    )
    .unwrap();
    assert_eq!(
        paths,
        ["new/qk.svg", "new/ov.svg"].map(|name| folder.path().join(name))
    );
    let svg = std::fs::read_to_string(&paths[1]).unwrap();
    let cell = |row: i32, col: i32| cell(&svg, 160, row, col);
    let (red, blue, white) = ("#67001F", "#053061", "#FFFFFF");
    assert_eq!(
        [cell(0, 3), cell(0, 1), cell(3, 0), cell(3, 1)],
        [red, blue, blue, red]
    );
    assert_eq!([cell(1, 0), cell(2, 3), cell(0, 0)], [white; 3]);
    for text in ["input token t", "output logit j", "OV circuit"] {
        assert!(svg.contains(text), "{text}");
    }
}

#[track_caller]
pub(crate) fn assert_whole(path: &Path, format: Format) {
    let bytes = std::fs::read(path).unwrap();
    let (start, end): (&[u8], &[u8]) = match format {
        Format::Png => (b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"),
        Format::Svg => (b"<svg ", b"</svg>\n"),
    };
    assert!(
        bytes.starts_with(start) && bytes.ends_with(end),
        "{}",
        path.display()
    );
}

#[test]
fn pictures_are_whole_files_only() {
    let folder = tempfile::tempdir().unwrap();
    let network = model("max_of_4_seed123");
    for format in [Format::Png, Format::Svg] {
        for path in draw(&network.one_head().unwrap(), folder.path(), format).unwrap() {
            assert_whole(&path, format);
        }
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        4,
        "no temporary files are left"
    );
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let refusal = draw(&network.one_head().unwrap(), &file, Format::Png).unwrap_err();
    assert!(
        matches!(refusal, gbmi::refusal::Refusal::Unreadable(_)),
        "{refusal:?}"
    );
}
