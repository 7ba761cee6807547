//! The house's arrows: what each room may name. Whatever is not listed fails, and trusted code stands under its lints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The trusted rooms and what of this crate each may name, bottom up; the core first, then the families.
const TRUSTED: &[(&str, &str)] = &[
    ("refusal", ""),
    ("parallel", ""),
    ("task", "refusal"),
    ("model", "refusal task"),
    ("certificate::rule", ""),
    ("certificate::json", ""),
    ("certificate::numbers", ""),
    (
        "certificate",
        "refusal model certificate::rule certificate::json certificate::numbers certificate::exhaustive certificate::levels \
         certificate::published",
    ),
    ("checker::arithmetic", ""),
    ("checker::meter", "refusal"),
    (
        "checker::product",
        "refusal model checker::arithmetic checker::meter",
    ),
    (
        "checker::factors",
        "refusal model checker::arithmetic checker::meter checker::product",
    ),
    ("checker::run", "refusal parallel checker::meter"),
    (
        "checker",
        "refusal model certificate checker::arithmetic checker::meter checker::run checker::exhaustive checker::levels \
         checker::published",
    ),
    ("certificate::exhaustive", ""),
    ("certificate::levels", "certificate::numbers"),
    ("certificate::published", "certificate::numbers"),
    (
        "checker::exhaustive",
        "refusal task model checker::arithmetic checker::meter checker::product checker::factors checker::run",
    ),
    (
        "checker::levels",
        "refusal task model certificate certificate::levels checker::arithmetic checker::meter checker::product \
         checker::factors checker::run",
    ),
    (
        "checker::published",
        "refusal model certificate certificate::published checker::arithmetic checker::meter checker::product \
         checker::factors checker::run",
    ),
];

/// The untrusted rooms, which may name all trusted ones.
const UNTRUSTED: &[(&str, &str)] = &[
    ("numerals", ""),
    ("output", ""),
    ("bundled", ""),
    ("kind", ""),
    ("strategy", ""),
    ("coq", ""),
    ("inspect", "answers numerals output strategy"),
    ("import", "output kind"),
    ("answers", ""),
    ("search", "strategy search::levels search::published"),
    ("search::levels", "strategy search"),
    ("search::published", "strategy search"),
    ("explain", "inspect"),
    ("wrong", "answers explain search strategy"),
    ("train", "answers inspect kind numerals output search"),
    (
        "sweep",
        "inspect kind numerals output search strategy train",
    ),
    (
        "report",
        "explain inspect kind numerals output search strategy sweep train",
    ),
    ("cli", "*"),
    ("main", "*"),
];

/// Crates that trusted code may name; rug in `mpfr.rs` alone.
const CRATES: &str = "std num_bigint num_rational num_traits serde serde_json serde_path_to_error safetensors hmac_sha256";

fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_path_buf()];
    }
    let entries = std::fs::read_dir(path).unwrap();
    let mut files: Vec<PathBuf> = entries
        .flat_map(|entry| sources(&entry.unwrap().path()))
        .collect();
    files.sort();
    files
}

/// Every file of `src`, by its module's path, without comments and tests.
fn modules() -> BTreeMap<String, String> {
    let module = |file: &PathBuf| {
        let path = file.strip_prefix("src").unwrap().with_extension("");
        let parts: Vec<&str> = path.iter().map(|part| part.to_str().unwrap()).collect();
        let name = parts.join("::");
        name.strip_suffix("::mod").unwrap_or(&name).to_string()
    };
    let text = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let (mut code, mut within) = (vec![], false);
        for line in text.lines() {
            let line = line.split("//").next().unwrap();
            // What stands in a module of its own within the file is of the file.
            within = (within || line.contains("mod ") && line.ends_with('{')) && line != "}";
            code.push(if within {
                line.replace("super::", "self::")
            } else {
                line.into()
            });
        }
        code.join("\n")
    };
    sources(Path::new("src"))
        .iter()
        .map(|file| (module(file), text(file)))
        .collect()
}

/// A tree of `use` as its leaves.
fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((before, inside)) = tree.split_once('{') else {
        return vec![tree.split(" as ").next().unwrap().trim().to_string()];
    };
    let inside = inside.trim_end().strip_suffix('}').unwrap();
    let (mut depth, mut start, mut found) = (0, 0, vec![]);
    for (index, letter) in inside.char_indices().chain([(inside.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.extend(leaves(&inside[start..index]));
                start = index + 1;
            }
            _ => {}
        }
    }
    let named = found.into_iter().filter(|leaf| !leaf.is_empty());
    named
        .map(|leaf| format!("{}{leaf}", before.trim()))
        .collect()
}

/// All paths that a module's text names: those of its `use`, and those written out that begin at `crate`, `gbmi` or `super`.
fn paths(text: &str) -> Vec<String> {
    let mut found = vec![];
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let line = line.trim_start();
        // Behind `pub` and `pub(…)`.
        let line = line.strip_prefix("pub").map_or(line, |rest| {
            let rest = rest
                .strip_prefix('(')
                .and_then(|rest| rest.split_once(')'))
                .map_or(rest, |(_, rest)| rest);
            rest.trim_start()
        });
        let Some(start) = line.strip_prefix("use ") else {
            continue;
        };
        let mut tree = start.to_string();
        while !tree.contains(';') {
            tree += lines.next().expect("a use ends");
        }
        found.extend(leaves(tree.split(';').next().unwrap()));
    }
    let words = text.split(|letter: char| !(letter.is_alphanumeric() || "_:".contains(letter)));
    let written = |word: &&str| {
        ["crate::", "gbmi::", "super::"]
            .iter()
            .any(|first| word.starts_with(first))
    };
    found.extend(
        words
            .filter(written)
            .map(|word| word.trim_end_matches(':').to_string()),
    );
    found
}

/// The module that a path leads to, as far as there are modules; `None` if it leads out of the crate.
fn resolved(modules: &BTreeMap<String, String>, at: &str, path: &str) -> Option<String> {
    let joined = |parts: &[&str]| parts.join("::");
    let mut place: Vec<&str> = at.split("::").collect();
    let mut steps = path.split("::").peekable();
    match *steps.peek().unwrap() {
        "crate" | "gbmi" => {
            place.clear();
            steps.next();
        }
        "self" | "super" => {
            while let Some("self" | "super") = steps.peek().copied() {
                if steps.next() == Some("super") {
                    place.pop();
                }
            }
        }
        child if modules.contains_key(&joined(&[&place[..], &[child]].concat())) => {}
        _ => return None,
    }
    let mut at = joined(&place);
    for step in steps {
        let next = if at.is_empty() {
            step.to_string()
        } else {
            format!("{at}::{step}")
        };
        if !modules.contains_key(&next) {
            break;
        }
        at = next;
    }
    Some(at).filter(|at| !at.is_empty())
}

/// The room of the table that a module is in.
fn room(module: &str) -> &'static str {
    let rooms = TRUSTED.iter().chain(UNTRUSTED).map(|(room, _)| *room);
    let holds = |room: &&str| {
        module
            .strip_prefix(*room)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    rooms
        .filter(holds)
        .max_by_key(|room| room.len())
        .unwrap_or_else(|| panic!("{module} is in no room of tests/house.rs"))
}

fn is_trusted(room: &str) -> bool {
    TRUSTED.iter().any(|(trusted, _)| *trusted == room)
}

/// Every arrow from a module to another.
fn arrows(modules: &BTreeMap<String, String>) -> BTreeSet<(String, String)> {
    let mut arrows = BTreeSet::new();
    for (at, text) in modules.iter().filter(|(at, _)| *at != "lib") {
        let to = paths(text)
            .into_iter()
            .filter_map(|path| resolved(modules, at, &path));
        arrows.extend(to.filter(|to| to != at).map(|to| (at.clone(), to)));
    }
    arrows
}

#[test]
fn every_arrow_between_rooms_is_an_allowed_one() {
    let arrows = arrows(&modules());
    assert!(arrows.len() > 200);
    let allowed: BTreeMap<&str, Vec<&str>> = TRUSTED
        .iter()
        .chain(UNTRUSTED)
        .map(|(room, names)| (*room, names.split_whitespace().collect()))
        .collect();
    for (from, to) in &arrows {
        let (here, there) = (room(from), room(to));
        let may = here == there
            || allowed[here].contains(&there)
            || allowed[here] == ["*"]
            || !is_trusted(here) && is_trusted(there);
        assert!(may, "{from} names {to}: {here} may not name {there}");
    }
}

#[test]
fn no_circle_of_trusted_files() {
    let mut modules = modules();
    // A door that hands on what is below it does not rest on it.
    for text in modules.values_mut() {
        let code = text
            .split_inclusive(';')
            .filter(|code| !code.lines().any(|line| line.starts_with("pub use ")));
        *text = code.collect();
    }
    let mut arrows = arrows(&modules);
    arrows.retain(|(from, to)| is_trusted(room(from)) && is_trusted(room(to)));
    // What only ends or only begins arrows is on no circle.
    loop {
        let from: BTreeSet<String> = arrows.iter().map(|(from, _)| from.clone()).collect();
        let to: BTreeSet<String> = arrows.iter().map(|(_, to)| to.clone()).collect();
        let before = arrows.len();
        arrows.retain(|(a, b)| to.contains(a) && from.contains(b));
        if arrows.len() == before {
            break;
        }
    }
    assert!(arrows.is_empty(), "{arrows:?}");
}

#[test]
fn a_family_is_named_by_its_door_alone() {
    let families = ["levels", "published"];
    for (from, to) in arrows(&modules()) {
        let of = |module: &str| {
            let part = module.split("::").nth(1)?;
            families.into_iter().find(|family| *family == part)
        };
        if !is_trusted(room(&from)) {
            continue;
        }
        let door = ["checker", "certificate"].contains(&from.as_str());
        assert!(
            of(&to).is_none() || of(&from) == of(&to) || door,
            "{from} names {to}"
        );
    }
}

#[test]
fn trusted_rooms_name_few_crates() {
    let modules = modules();
    for (at, text) in modules.iter().filter(|(at, _)| *at != "lib") {
        if !is_trusted(room(at)) {
            continue;
        }
        for path in paths(text) {
            let first = path.split("::").next().unwrap();
            let ours = resolved(&modules, at, &path).is_some()
                || ["crate", "self", "super"].contains(&first);
            let rug = first == "rug" && at.ends_with("mpfr");
            assert!(
                ours || rug || CRATES.split(' ').any(|name| name == first),
                "{at} names {path}"
            );
        }
    }
}

#[test]
fn paths_are_read_as_rust_reads_them() {
    let text =
        "use a::{b, c::{self, d as e},\n f};\npub(crate) use super::g;\nfn x() { crate::h::i(); }";
    let expected = [
        "a::b",
        "a::c::self",
        "a::c::d",
        "a::f",
        "super::g",
        "super::g",
        "crate::h::i",
    ];
    assert_eq!(paths(text), expected);
    let modules = modules();
    let to = |at, path| resolved(&modules, at, path);
    assert_eq!(
        to("checker::levels::tree", "super::terms::Answer").unwrap(),
        "checker::levels::terms"
    );
    assert_eq!(to("checker", "run::Options").unwrap(), "checker::run");
    assert_eq!(to("checker", "num_bigint::BigUint"), None);
}

#[test]
fn trusted_rooms_refuse_what_may_panic_or_round() {
    for room in ["model", "certificate", "checker"] {
        let text = std::fs::read_to_string(format!("src/{room}/mod.rs")).unwrap();
        assert!(text.contains("#![forbid(unsafe_code)]"), "{room}");
        for lint in [
            "float_arithmetic",
            "cast_possible_truncation",
            "indexing_slicing",
            "unwrap_used",
            "panic",
        ] {
            assert!(
                text.contains(&format!("clippy::{lint},")),
                "{room} allows {lint}"
            );
        }
    }
    // No room may take a lint back, but where the compiler evaluates a constant.
    let rooms = [
        "src/refusal.rs",
        "src/parallel.rs",
        "src/model",
        "src/certificate",
        "src/checker",
    ];
    let allowed: Vec<PathBuf> = rooms
        .iter()
        .flat_map(|room| sources(Path::new(room)))
        .filter(|file| {
            std::fs::read_to_string(file)
                .unwrap()
                .contains("allow(clippy")
        })
        .collect();
    assert_eq!(allowed, [Path::new("src/checker/arithmetic/fixed.rs")]);
    let manifest = std::fs::read_to_string("Cargo.toml").unwrap();
    assert!(manifest.contains("[profile.release]\noverflow-checks = true"));
}

/// Comments cite theorems by number: each is a heading of the page. The page names files and theorems that there are.
#[test]
fn what_sources_cite_stands_in_the_theory() {
    let page = std::fs::read_to_string("docs/theory.md").unwrap();
    let mut cited = BTreeSet::new();
    for file in sources(Path::new("src")) {
        let text = std::fs::read_to_string(file).unwrap();
        let words = text.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
        let numbers = words.filter(|word| {
            let number = word.strip_prefix('T').unwrap_or_default();
            !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
        });
        cited.extend(numbers.map(String::from));
    }
    assert!(cited.len() > 5);
    for number in cited {
        assert!(page.contains(&format!("\n## {number}. ")), "{number}");
    }
    let mut proofs = String::new();
    for file in sources(Path::new("proofs")) {
        if file.extension().is_some_and(|extension| extension == "v") {
            proofs += &std::fs::read_to_string(file).unwrap();
        }
    }
    let is_proved = |name: &str| {
        ["Theorem", "Lemma", "Corollary"]
            .iter()
            .any(|kind| proofs.contains(&format!("{kind} {name} ")))
    };
    // Between backticks: paths, and theorems by the names that they have in Coq.
    for name in page.split('`').skip(1).step_by(2) {
        if name.contains('/') && name.contains('.') {
            assert!(Path::new(name).exists(), "{name}");
        } else if name.contains('_') && !name.starts_with("d_") && name != "n_ctx" {
            assert!(is_proved(name), "{name} is not in proofs");
        }
    }
}

/// One place for each purpose knows the families; whoever else wants to tell them apart goes through it.
#[test]
fn few_files_tell_families_apart() {
    let allowed = ["checker", "coq", "explain", "search", "strategy::dimension"];
    for (at, text) in modules() {
        let matches = text.lines().any(|line| {
            let tells = line.contains("=>") || line.contains("let ") || line.contains("matches!");
            tells && format!(" {line}").contains(" Hints::")
        });
        assert!(
            !matches || allowed.contains(&at.as_str()),
            "{at} tells families apart"
        );
    }
}
