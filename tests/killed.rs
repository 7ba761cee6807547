//! A sweep to which everything happens.
#![cfg(all(target_os = "linux", feature = "sweep"))]

use crate::sweep::{CONFIG, command, copy_model, digest, folder, halve, swap, tiny, units};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::os::unix::fs::symlink;
use std::process::Stdio;
use std::time::Instant;

/// Twenty kills at random moments, among a model that is broken, files that are damaged or another's, and a disk that is
/// full: what is sound has the tables of a sweep that nothing happened to.
#[test]
fn whatever_happens_on_the_way_the_tables_are_the_same() {
    const KILLS: u32 = 20;
    let config = CONFIG.replace("0..5", "0..3");
    let folder = folder(&format!(
        "models = [\"one/found\", \"two/found\", \"broken\"]\n{config}"
    ));
    let path = folder.path();
    for model in ["one/found", "two/found", "broken"] {
        copy_model(&tiny(), &path.join(model));
    }
    halve(&path.join("broken/model.safetensors"));
    let run = |out: &str, code: i32| {
        let run = command(path, out, &["--quiet", "--threads", "2"])
            .output()
            .unwrap();
        let said = String::from_utf8(run.stderr).unwrap();
        assert!(
            run.status.code() == Some(code) && said.contains("gbmi: broken: unsupported model"),
            "{said}"
        );
        said
    };
    let start = Instant::now();
    run("whole", 2);
    let took = start.elapsed();
    let tables = |out: &str| {
        gbmi::report::report(&path.join(out), &path.join(out).join("report"), 2).unwrap();
        ["results.csv", "summary.csv", "summary.md", "failures.csv"]
            .map(|name| std::fs::read_to_string(path.join(out).join("report").join(name)).unwrap())
    };
    let (whole, expected) = (units(&path.join("whole")), tables("whole"));
    assert_eq!((whole.len(), expected[3].lines().count()), (6 * 5, 1 + 5));

    let mut random = StdRng::seed_from_u64(7);
    let out = path.join("out");
    let trained = [0, 1].map(|seed| {
        out.join(format!(
            "models/max_of_2_v6_d8_seed{seed}/model.safetensors"
        ))
    });
    let names: Vec<&(String, String)> = whole.keys().collect();
    let (mut kills, mut longest) = (0, took);
    while kills < KILLS {
        // Three units are damaged before every run, and now and then two models.
        for damage in 0..3 {
            let (model, unit) = names[random.random_range(0..names.len())];
            let unit = out.join("units").join(model).join(format!("{unit}.json"));
            match (
                damage,
                std::fs::metadata(&unit).is_ok_and(|found| found.is_file()),
            ) {
                (0, true) => halve(&unit),
                (1, true) => std::fs::write(&unit, b"{\"proofs\": []}").unwrap(),
                (2, true) => {
                    std::fs::remove_file(&unit).unwrap();
                    symlink("/dev/full", &unit).unwrap();
                }
                _ => {}
            }
        }
        if random.random_ratio(1, 3) && trained.iter().all(|weights| weights.exists()) {
            swap([&trained[0], &trained[1]]);
        }
        if random.random_ratio(1, 3) && out.join("models/found/model.safetensors").exists() {
            halve(&out.join("models/found/model.safetensors"));
        }
        let mut child = command(path, "out", &["--quiet", "--threads", "2"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(longest.mul_f64(random.random_range(0.0..1.0)));
        if child.try_wait().unwrap().is_some() {
            // It was faster than that.
            longest /= 2;
            continue;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }

    // The disk is full for one unit; then for none.
    let unit = out.join("units/found_2/exact.json");
    std::fs::create_dir_all(unit.parent().unwrap()).unwrap();
    let _ = std::fs::remove_file(&unit);
    symlink("/dev/full", &unit).unwrap();
    let said = run("out", 3);
    assert!(
        said.contains("gbmi: found_2: cannot write") && said.contains("No space left on device"),
        "{said}"
    );
    for (model, unit) in &names {
        let unit = out.join("units").join(model).join(format!("{unit}.json"));
        if unit.is_symlink() {
            std::fs::remove_file(&unit).unwrap();
        }
    }
    // Weights that are each other's are sound as they are: only their places are wrong.
    if digest(&out, "max_of_2_v6_d8_seed0") != digest(&path.join("whole"), "max_of_2_v6_d8_seed0") {
        swap([&trained[0], &trained[1]]);
    }
    run("out", 2);
    assert_eq!(units(&out), whole);
    assert_eq!(tables("out"), expected);
}
