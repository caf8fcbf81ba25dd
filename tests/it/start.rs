//! What a start does, and what it leaves undone: over local files nothing asks for credentials, the network
//! or TLS, and there is one runtime.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use crate::support::project::Project;
use crate::support::run::Run;

/// What somebody would read or reach who sets up access to AWS.
struct Lure {
    files: Vec<PathBuf>,
    /// The kernel's word of every opening of the files.
    openings: File,
    /// In the place of AWS, of instance metadata and of a proxy.
    server: TcpListener,
}

impl Lure {
    fn lay(project: &Project) -> Self {
        let openings = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).unwrap();
        let files = ["config", "credentials", "roots.pem"].map(|name| {
            let path = project.home().join(name);
            std::fs::write(&path, "").unwrap();
            inotify::add_watch(&openings, &path, WatchFlags::OPEN).unwrap();
            path
        });
        let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        server.set_nonblocking(true).unwrap();
        Self { files: files.into(), openings: openings.into(), server }
    }

    fn before(&self, run: Run) -> Run {
        let url = |scheme: &str| format!("{scheme}://{}", self.server.local_addr().unwrap());
        run.env("AWS_CONFIG_FILE", &self.files[0])
            .env("AWS_SHARED_CREDENTIALS_FILE", &self.files[1])
            .env("SSL_CERT_FILE", &self.files[2])
            .env("AWS_ENDPOINT_URL", url("https"))
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", url("http"))
            .without_env("AWS_EC2_METADATA_DISABLED")
    }

    /// Which of the files were opened since the last look.
    fn opened(&self) -> Vec<&Path> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.openings, &mut buffer);
        let mut opened: Vec<i32> = std::iter::from_fn(|| Some(events.next().ok()?.wd())).collect();
        opened.sort_unstable();
        opened.dedup();
        // Watches are numbered from 1 in the order in which they were added.
        opened.into_iter().map(|number| self.files[number as usize - 1].as_path()).collect()
    }

    fn was_called(&self) -> bool {
        self.server.accept().is_ok()
    }
}

#[test]
fn a_run_over_local_files_asks_for_no_credentials_network_or_tls() {
    let project = Project::empty();
    let lure = Lure::lay(&project);
    let run = |store: &[&str]| {
        let args = [&["exec", "--lock", "prod", "--no-wait"], store, &["--", "true"]].concat();
        lure.before(Run::new(&project).args(args))
    };
    let without = |run: Run| run.without_env("AWS_ACCESS_KEY_ID").without_env("AWS_SECRET_ACCESS_KEY");
    without(run(&["--store", "local"])).output().exits(0);
    assert!(lure.opened().is_empty(), "a run over local files looks for credentials or roots of trust");
    assert!(!lure.was_called(), "a run over local files makes a connection");

    // The lure is one: who does need AWS looks for credentials in all these places, and has roots of trust read.
    let dynamodb = ["--store", "dynamodb", "--table", "locks"];
    let mut started = without(run(&dynamodb)).start();
    started.wait_until("a call of the metadata", |_| lure.was_called().then_some(()));
    assert_eq!(lure.opened(), [&lure.files[0], &lure.files[1]]);
    drop(started);
    let mut started = run(&dynamodb).start();
    let roots = || lure.opened().contains(&lure.files[2].as_path());
    started.wait_until("the roots of trust", |_| roots().then_some(()));
}

/// What its child sees of the supervisor: its threads and what its descriptors are.
const LOOK: &str = "cat /proc/$PPID/task/*/comm; echo; for fd in /proc/$PPID/fd/*; do readlink $fd; done";

#[test]
fn a_run_has_one_runtime_and_few_threads_and_descriptors() {
    let project = Project::empty();
    let run = Run::new(&project).args(["exec", "--lock", "prod", "--store", "local", "--", "sh", "-c", LOOK]);
    let finished = run.output().exits(0);
    let shown = String::from_utf8(finished.stdout.clone()).unwrap();
    let (threads, descriptors) = shown.split_once("\n\n").unwrap();
    let threads: Vec<&str> = threads.lines().collect();
    let count = |name: &str| threads.iter().filter(|thread| **thread == name).count();
    // The main thread is the runtime. What may block is the pool's: the store's files, the guardian's start.
    let known = ["log file", "output", "report", "signals", "tfguard", "tokio-rt-worker"];
    assert!(threads.iter().all(|thread| known.contains(thread)), "{threads:?}");
    // A thread gets its name after its start: those for the output may have none yet.
    assert!(count("tokio-rt-worker") <= 3 && threads.len() <= 9, "{threads:?}");
    let mut polls = 0;
    let mut sockets = 0;
    for descriptor in descriptors.lines() {
        polls += usize::from(descriptor.contains("eventpoll"));
        sockets += usize::from(descriptor.starts_with("socket:"));
        assert!(!descriptor.contains("inotify"), "a short run watches its record: {descriptors}");
    }
    // The runtime's own and its copy for waking; signals, and the guardian. None is of the network.
    assert!(polls <= 2 && sockets <= 6, "{descriptors}");
}
