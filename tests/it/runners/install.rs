//! How the action comes by its program: releases on loopback, the tool cache, a build, PATH.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use super::job::Job;
use super::recipes;
use crate::guardian::stage::{Over, Stage};
use crate::support::http::{Reply, Server};

const VERSION: &str = "9.8.7";

/// A place with releases, and who asked for what.
struct Releases {
    server: Server,
    asked: Arc<Mutex<Vec<String>>>,
    /// Of the archive.
    sum: String,
}

fn name() -> String {
    let target = match std::env::consts::ARCH {
        "aarch64" => "aarch64-unknown-linux-musl",
        _ => "x86_64-unknown-linux-musl",
    };
    format!("tfguard-{VERSION}-{target}.tar.gz")
}

/// A release archive whose tfguard is a script that says its version and runs the real one.
fn archive(stage: &Stage) -> Vec<u8> {
    let folder = stage.path("release").join("tfguard");
    fs::create_dir_all(&folder).unwrap();
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && exec echo tfguard {VERSION}\nexec {} \"$@\"\n",
        env!("CARGO_BIN_EXE_tfguard")
    );
    fs::write(folder.join("tfguard"), script).unwrap();
    fs::set_permissions(folder.join("tfguard"), fs::Permissions::from_mode(0o755)).unwrap();
    let output =
        Command::new("tar").arg("-czf").arg("-").arg("-C").arg(stage.path("release")).arg("tfguard").output();
    output.unwrap().stdout
}

fn sha256(bytes: &[u8], stage: &Stage) -> String {
    let file = stage.path("sum");
    fs::write(&file, bytes).unwrap();
    let output = Command::new("sha256sum").arg(file).output().unwrap();
    String::from_utf8_lossy(&output.stdout).split(' ').next().unwrap().to_owned()
}

impl Releases {
    /// Serves the archive, and beside it the sums that `sums` makes of the right one. The first
    /// `failures` requests are answered with an error of the server.
    fn new(stage: &Stage, sums: impl Fn(&str) -> String, failures: usize) -> Self {
        let archive = archive(stage);
        let sum = sha256(&archive, stage);
        let sums = sums(&sum);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let server = Server::start(move |request| {
            let path = request.head.split(' ').nth(1).unwrap().to_owned();
            let count = {
                let mut log = log.lock().unwrap();
                log.push(path.clone());
                log.len()
            };
            let body = match path.strip_prefix(&format!("/v{VERSION}/")) {
                _ if count <= failures => return bytes(503, b""),
                Some(file) if file == name() => archive.clone(),
                Some("SHA256SUMS") => sums.clone().into_bytes(),
                _ => return bytes(404, b""),
            };
            bytes(200, &body)
        });
        Self { server, asked, sum }
    }

    fn requests(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn bytes(status: u16, body: &[u8]) -> Reply {
    let head = format!("HTTP/1.1 {status} Test\r\ncontent-length: {}\r\n\r\n", body.len());
    Reply::Bytes([head.as_bytes(), body].concat())
}

fn right(sum: &str) -> String {
    format!("{sum}  {}\n", name())
}

fn job<'a>(stage: &'a Stage, releases: &Releases) -> Job<'a> {
    Job::new(stage, "run", "0").with(&[("version", VERSION), ("download-url", &releases.server.endpoint())])
}

#[test]
fn a_release_is_fetched_checked_and_kept() {
    let stage = Stage::new(Over::Local);
    let releases = Releases::new(&stage, right, 1);
    let job = job(&stage, &releases);
    job.run().exits(0).says(&[&format!("installed tfguard {VERSION}"), "Apply complete!"]);
    let asked = releases.requests();
    assert_eq!(asked, 3, "an error of the server is tried again: {:?}", releases.asked);
    // For the steps that follow.
    let path = fs::read_to_string(job.path("path")).unwrap();
    assert!(Path::new(path.trim()).join("tfguard").is_file(), "{path}");
    // The second time there is nothing to fetch.
    job.with(&[("command", "install"), ("auto-approve", "false")]).run().exits(0);
    assert_eq!(releases.requests(), asked);
}

#[test]
fn a_wrong_checksum_is_never_run() {
    let stage = Stage::new(Over::Local);
    for sums in [|_: &str| right(&"0".repeat(64)), |sum: &str| format!("{sum}  another.tar.gz\n")] {
        let releases = Releases::new(&stage, sums, 0);
        job(&stage, &releases).run().exits(78).says(&["it is not run"]);
    }
    let releases = Releases::new(&stage, right, 0);
    let pinned = job(&stage, &releases).with(&[("sha256", &"0".repeat(64))]);
    pinned.run().exits(78).says(&["input sha256 is 0000"]);
    assert!(!stage.path("ready.run").exists());
    job(&stage, &releases).with(&[("sha256", &releases.sum)]).run().exits(0);
    // What is kept is not what somebody else has pinned.
    pinned.run().exits(78);
}

#[test]
fn what_cannot_be_had_is_said() {
    let stage = Stage::new(Over::Local);
    let releases = Releases::new(&stage, right, 0);
    let job = |inputs: &[(&str, &str)]| job(&stage, &releases).with(inputs).run();
    job(&[("version", "9.9.9")]).exits(78).says(&["there is no ", "/v9.9.9/"]);
    job(&[("version", "newest")]).exits(64).says(&["newest"]);
    job(&[("download-url", "")]).exits(78).says(&["download-url"]);
    job(&[("download-url", "http://mirror.example")]).exits(64).says(&["is not https"]);
    let nobody = crate::support::http::nobody();
    job(&[("download-url", &nobody)]).exits(69).says(&["cannot be fetched"]);
}

#[test]
fn behind_a_proxy_curl_is_used() {
    let stage = Stage::new(Over::Local);
    // A proxy gets the whole address in the request's first line.
    let releases = Releases::new(&stage, right, 0);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (log, to) = (Arc::clone(&asked), releases.server.endpoint());
    let proxy = Server::start(move |mut request| {
        let target = request.head.split(' ').nth(1).unwrap().to_owned();
        log.lock().unwrap().push(target.clone());
        let path = target.splitn(4, '/').nth(3).unwrap().to_owned();
        let text = String::from_utf8_lossy(&request.bytes).replacen(&target, &format!("/{path}"), 1);
        request.bytes = text.into_bytes();
        Reply::Bytes(crate::support::http::forward(&to, &request).unwrap())
    });
    let job = Job::new(&stage, "run", "0").with(&[
        ("version", VERSION),
        ("download-url", "http://releases.example"),
        ("sha256", &releases.sum),
    ]);
    let mut command = job.node("main");
    command.env("http_proxy", proxy.endpoint());
    super::job::Step::start(command).end().exits(0).says(&["Apply complete!"]);
    assert_eq!(*asked.lock().unwrap(), [format!("http://releases.example/v{VERSION}/{}", name())]);
}

#[test]
fn the_source_is_built_once() {
    let stage = Stage::new(Over::Local);
    let cargo = stage.path("bin").join("cargo");
    fs::create_dir(stage.path("bin")).unwrap();
    // In place of a compiler that takes minutes: what it makes, where it is told to.
    let script = format!(
        "#!/bin/sh\necho \"$PWD $*\" >>\"$STAGE/builds\"\n\
         while [ \"$1\" != --target-dir ]; do shift; done\nmkdir \"$2/release\"\ncp {} \"$2/release/tfguard\"\n",
        env!("CARGO_BIN_EXE_tfguard")
    );
    fs::write(&cargo, script).unwrap();
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
    let job = Job::new(&stage, "run", "0").with(&[("version", "source")]);
    for _ in 0..2 {
        let mut command = job.node("main");
        let path = command.get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap().to_owned();
        command.env("PATH", format!("{}:{}", stage.path("bin").display(), path.to_str().unwrap()));
        super::job::Step::start(command).end().exits(0).says(&["lock stage released"]);
    }
    let builds = stage.lines("builds");
    assert_eq!(builds.len(), 1, "{builds:?}");
    assert!(
        builds[0]
            .starts_with(&format!("{} build --release --locked", recipes::root("").trim_end_matches('/')))
    );
}

#[test]
fn a_program_that_is_not_on_path_is_said() {
    let stage = Stage::new(Over::Local);
    let job = Job::new(&stage, "run", "0");
    let node = Command::new("sh").args(["-c", "command -v node"]).output().unwrap().stdout;
    let node = String::from_utf8(node).unwrap();
    let here = stage.path("bin");
    fs::create_dir(&here).unwrap();
    std::os::unix::fs::symlink(node.trim(), here.join("node")).unwrap();
    let mut command = job.node("main");
    command.env("PATH", here);
    super::job::Step::start(command).end().exits(78).says(&["no tfguard on PATH"]);
}

/// A cancel has ten seconds, a download may take minutes.
#[test]
fn a_cancel_ends_the_download() {
    let stage = Stage::new(Over::Local);
    let asked = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&asked);
    let silent = Server::start(move |_| {
        *counter.lock().unwrap() += 1;
        Reply::Hang
    });
    for proxied in [false, true] {
        let url = if proxied { "http://releases.example" } else { &silent.endpoint() };
        let job = Job::new(&stage, &format!("run-{proxied}"), "0").with(&[
            ("version", VERSION),
            ("download-url", url),
            ("sha256", &"0".repeat(64)),
        ]);
        *asked.lock().unwrap() = 0;
        let mut command = job.node("main");
        if proxied {
            command.env("http_proxy", silent.endpoint());
        }
        let step = super::job::Step::start(command);
        crate::guardian::stage::wait_for("the request", || *asked.lock().unwrap() > 0);
        assert_eq!(step.cancel(super::job::QUICK), super::job::Blow::Interrupt);
        step.end().exits(130).says(&["cancelled before anything was run"]);
        assert_eq!(job.post().exits(0).raw, b"");
        assert_eq!(job.sweep(), 0);
        let left: Vec<_> = fs::read_dir(job.path("temp")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// What comes over https may not lead to where somebody could change it. Here loopback stands for https.
#[test]
fn a_download_stays_as_safe_as_it_began() {
    let stage = Stage::new(Over::Local);
    let releases = Releases::new(&stage, right, 0);
    let unsafe_host = releases.server.endpoint().replace("127.0.0.1", "[::ffff:127.0.0.1]");
    let leads = Server::start(move |request| {
        let head = format!(
            "HTTP/1.1 302 Found\r\nlocation: {unsafe_host}{}\r\ncontent-length: 0\r\n\r\n",
            request.target()
        );
        Reply::Bytes(head.into_bytes())
    });
    let job = Job::new(&stage, "run", "0").with(&[("version", VERSION), ("download-url", &leads.endpoint())]);
    job.run().exits(69).says(&["which is not https"]);
    assert!(!stage.path("ready.run").exists());
}

#[test]
fn versions_are_named_as_people_name_them() {
    let stage = Stage::new(Over::Local);
    let releases = Releases::new(&stage, right, 0);
    job(&stage, &releases).with(&[("version", &format!("v{VERSION}"))]).run().exits(0);
    let said = |version: &str| job(&stage, &releases).with(&[("version", version)]).run().exits(64).text();
    assert!(said("latest").contains("name a release such as 1.2.3"));
    for wrong in ["1.2", "../../x", "1.2.3/../x", "1.2.3 4"] {
        assert!(said(wrong).contains("input version is a release"), "{wrong}");
    }
    let nowhere = job(&stage, &releases).with(&[("version", "9.9.1"), ("download-url", "not an address")]);
    nowhere.run().exits(64).says(&["is not https"]);
}

#[test]
fn windows_is_refused_in_a_sentence() {
    let stage = Stage::new(Over::Local);
    let job = Job::new(&stage, "run", "0");
    let mut command = job.node("main");
    command.env(
        "NODE_OPTIONS",
        "--import=data:text/javascript,Object.defineProperty(process,'platform',{value:'win32'})",
    );
    let ended = super::job::Step::start(command).end().exits(78);
    assert_eq!(ended.commands, ["::error title=tfguard::tfguard runs on Linux and macOS, not on Windows"]);
    assert_eq!(job.post().exits(0).raw, b"");
}
