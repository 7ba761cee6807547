//! `--out`: what is there is replaced whole, or written into, and never destroyed.
#![cfg(all(
    unix,
    feature = "prove",
    feature = "import",
    feature = "inspect",
    feature = "optimise",
    feature = "coq"
))]

use crate::cli::{files, gbmi, with_certificate};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Everything that is in a folder.
fn names(folder: &Path) -> Vec<String> {
    files(folder)
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect()
}

/// The certificate about `model`, as it is written elsewhere than beside it.
fn certificate(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("cert.json"))
        .unwrap()
        .replace("\"model\":\"model\",", "")
}

fn prove(folder: &Path, out: &str) -> (i32, String) {
    let run = gbmi(
        folder,
        &["prove", "--model", "model", "--quiet", "--out", out],
    );
    (run.code, run.stderr)
}

/// What a reader of a pipe that has a name gets.
fn read_from(pipe: &Path) -> std::sync::mpsc::Receiver<String> {
    let (send, receive) = std::sync::mpsc::channel();
    let pipe = pipe.to_path_buf();
    std::thread::spawn(move || send.send(std::fs::read_to_string(pipe).unwrap()));
    receive
}

fn is_device(path: &str) -> bool {
    std::fs::metadata(path)
        .unwrap()
        .file_type()
        .is_char_device()
}

#[test]
fn pipes_sockets_and_devices_are_written_into_and_stay() {
    let folder = with_certificate();
    let path = folder.path();
    let certificate = certificate(path);
    let out = path.join("out");
    std::fs::create_dir(&out).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(out.join("pipe"))
            .status()
            .unwrap()
            .success()
    );
    symlink("pipe", out.join("link")).unwrap();
    for name in ["out/pipe", "out/link"] {
        let received = read_from(&path.join("out/pipe"));
        assert_eq!(prove(path, name).0, 0, "{name}");
        assert_eq!(
            received.recv_timeout(Duration::from_secs(60)).unwrap(),
            certificate,
            "{name}"
        );
        assert!(
            std::fs::metadata(out.join("pipe"))
                .unwrap()
                .file_type()
                .is_fifo()
        );
        assert_eq!(names(&out), ["link", "pipe"], "nothing is beside it");
    }
    // A picture too, which is drawn before it is written.
    symlink("pipe", out.join("qk.svg")).unwrap();
    let received = read_from(&out.join("pipe"));
    assert_eq!(gbmi(path, &["inspect", "model", "--out", "out"]).code, 0);
    let drawn = received.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(
        drawn.contains("<svg") && drawn.trim_end().ends_with("</svg>"),
        "{drawn}"
    );
    assert_eq!(names(&out), ["link", "ov.svg", "pipe", "qk.svg"]);

    let _listener = std::os::unix::net::UnixListener::bind(out.join("socket")).unwrap();
    let (code, said) = prove(path, "out/socket");
    assert!(
        code == 3 && said.contains("cannot write out/socket"),
        "{said}"
    );
    assert!(
        std::fs::metadata(out.join("socket"))
            .unwrap()
            .file_type()
            .is_socket()
    );

    // Pipes are safe: so are the devices of this machine.
    symlink("/dev/null", out.join("null")).unwrap();
    assert_eq!(prove(path, "out/null").0, 0);
    assert!(is_device("/dev/null") && out.join("null").is_symlink());
    if cfg!(target_os = "linux") {
        symlink("/dev/full", out.join("full")).unwrap();
        let (code, said) = prove(path, "out/full");
        assert!(
            code == 3 && said.contains("cannot write out/full: No space left"),
            "{said}"
        );
        assert!(is_device("/dev/full") && out.join("full").is_symlink());
    }
    assert!(
        names(&out).iter().all(|name| !name.starts_with('.')),
        "{:?}",
        names(&out)
    );
}

#[test]
fn links_stay_and_lead_to_a_whole_file_with_the_permissions_that_it_had() {
    let folder = with_certificate();
    let path = folder.path();
    let certificate = certificate(path);
    for name in ["out", "far"] {
        std::fs::create_dir(path.join(name)).unwrap();
    }
    let mode = |name: &str| {
        std::fs::metadata(path.join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    std::fs::write(path.join("far/there.json"), "an older one").unwrap();
    std::fs::set_permissions(
        path.join("far/there.json"),
        PermissionsExt::from_mode(0o640),
    )
    .unwrap();
    symlink("../far/there.json", path.join("out/there.json")).unwrap();
    // This one leads to a link that leads nowhere yet.
    symlink("hop", path.join("out/new.json")).unwrap();
    symlink("../far/new.json", path.join("out/hop")).unwrap();
    for name in ["there.json", "new.json"] {
        assert_eq!(prove(path, &format!("out/{name}")).0, 0, "{name}");
        assert!(path.join("out").join(name).is_symlink(), "{name}");
        assert_eq!(
            std::fs::read_to_string(path.join("far").join(name)).unwrap(),
            certificate,
            "{name}"
        );
    }
    assert_eq!(
        (mode("far/there.json"), mode("far/new.json")),
        (0o640, mode("cert.json"))
    );
    assert_eq!(
        (
            names(&path.join("out")).len(),
            names(&path.join("far")).len()
        ),
        (3, 2)
    );
    // A link to a folder that is not there, and links in a circle.
    symlink("nowhere/cert.json", path.join("out/lost.json")).unwrap();
    symlink("circle", path.join("out/circle")).unwrap();
    for name in ["out/lost.json", "out/circle"] {
        let (code, said) = prove(path, name);
        assert!(code == 3 && said.contains("cannot write"), "{name}: {said}");
        assert!(path.join(name).is_symlink());
    }
}

#[test]
fn what_is_no_name_of_a_file_is_refused_before_the_search() {
    let folder = with_certificate();
    let path = folder.path();
    for (out, expected) in [
        ("model", "a folder has that name"),
        (".", "a folder has that name"),
        ("new/", "expected the name of a file"),
        ("cert.json/x", "Not a directory"),
    ] {
        // A search would be declined.
        let run = gbmi(
            path,
            &[
                "prove",
                "--model",
                "model",
                "--max-flops",
                "1",
                "--out",
                out,
            ],
        );
        assert!(
            run.code == 3 && run.stderr.contains(expected),
            "{out:?}: {}",
            run.stderr
        );
    }
    assert_eq!(names(path), ["cert.json", "model"]);
}

/// Runs `gbmi` with something on stdin.
fn gbmi_with(folder: &Path, args: &[&str], stdin: &[u8]) -> (i32, String, String) {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("gbmi"));
    command
        .current_dir(folder)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may have read enough.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn a_dash_is_stdin_or_stdout() {
    let folder = with_certificate();
    let path = folder.path();
    let certificate = std::fs::read_to_string(path.join("cert.json")).unwrap();
    let (code, proved, said) = gbmi_with(path, &["prove", "--model", "model", "--out", "-"], b"");
    assert_eq!((code, &proved), (0, &certificate));
    assert!(
        said.starts_with("ACCEPTED\nat least 109") && said.contains("written   -"),
        "{said}"
    );
    let (code, nothing, said) = gbmi_with(
        path,
        &[
            "prove",
            "--model",
            "model",
            "--out",
            "-",
            "--at-least",
            "110",
        ],
        b"",
    );
    assert_eq!((code, nothing.as_str()), (1, ""));
    assert!(
        said.starts_with("REJECTED\n") && said.contains("certified 109"),
        "{said}"
    );

    // The model that it suggests is looked for from where the program is.
    let (code, verdict, said) = gbmi_with(path, &["check", "-", "--quiet"], certificate.as_bytes());
    assert_eq!((code, verdict.as_str()), (0, "ACCEPTED\n"), "{said}");
    for args in [
        ["explain", "--csv"].as_slice(),
        &["export-coq", "--out", "-"],
    ] {
        let of = |file: &'static str| {
            gbmi_with(
                path,
                &[&args[..1], &[file], &args[1..]].concat(),
                certificate.as_bytes(),
            )
        };
        let (code, read, said) = of("-");
        assert!(code == 0 && read.len() > 100, "{args:?}: {said}");
        assert_eq!(of("cert.json").1, read, "{args:?}");
    }
    assert_eq!(gbmi_with(path, &["check", "-"], b"").0, 1);
    let endless = vec![b' '; (64 << 20) + 2];
    let (code, verdict, said) = gbmi_with(path, &["check", "-"], &endless);
    assert_eq!((code, verdict.as_str()), (2, "DECLINED\n"));
    assert!(
        said.contains("stdin too large: 67108865, the limit is 67108864"),
        "{said}"
    );
    assert_eq!(names(path), ["cert.json", "model"]);
}

#[test]
fn a_dash_is_no_folder() {
    let folder = with_certificate();
    for args in [
        ["import", "x.pth", "--config", "x.json"].as_slice(),
        &["train"],
        &["sweep", "--config", "x.toml"],
        &["report", "x"],
        &["explain", "cert.json"],
        &["inspect", "model"],
        &["frontier", "--model", "model"],
        &["compare", "model"],
    ] {
        let run = gbmi(folder.path(), &[args, &["--out", "-"]].concat());
        assert!(
            run.code == 3 && run.stderr.contains("expected a folder"),
            "{args:?}: {}",
            run.stderr
        );
    }
    assert_eq!(names(folder.path()), ["cert.json", "model"]);
}

/// Ctrl-C while a certificate waits for a reader that never comes, and the end that a scheduler asks for.
#[test]
fn an_interrupt_leaves_no_temporary_file() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let folder = with_certificate();
        let path = folder.path();
        let temporary = path.join("tmp");
        std::fs::create_dir(&temporary).unwrap();
        let pipe = path.join("pipe");
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        let mut prove = Command::new(assert_cmd::cargo::cargo_bin!("gbmi"))
            .current_dir(path)
            .env("TMPDIR", &temporary)
            .args(["prove", "model", "--out", "pipe"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The first file is made to see whether one can be: the one that stays has contents.
        let is_waiting = || {
            files(&temporary)
                .iter()
                .any(|path| path.metadata().is_ok_and(|file| file.len() > 0))
        };
        while !is_waiting() {
            assert_eq!(prove.try_wait().unwrap(), None);
            std::thread::sleep(Duration::from_millis(2));
        }
        let process = prove.id().to_string();
        let kill = Command::new("kill").args(["-s", signal, &process]).status();
        assert!(kill.unwrap().success());
        let ended = prove.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(code));
        assert_eq!(
            String::from_utf8(ended.stderr).unwrap(),
            "gbmi: interrupted\n"
        );
        assert_eq!(names(&temporary), Vec::<String>::new());
    }
}
