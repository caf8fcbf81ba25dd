//! What a run says of itself before anybody else could know of it.

use serde_json::json;

use crate::support::http::{Reply, Server};
use crate::support::project::Project;
use crate::support::run::Run;

/// Killed before it has said that it waits, a run may have left an entry. Whoever cleans up after it
/// knows it by its session, which is in the log before the store is asked to write anything.
#[test]
fn a_run_names_itself_before_it_writes_to_the_store() {
    let silent = Server::start(|_| Reply::Hang);
    let project = Project::with("");
    let args = ["exec", "--table=locks", "--lock=a", "--lock=b", "--region=eu-west-1", "--endpoint-url"];
    let mut run = Run::new(&project).args(args).arg(silent.endpoint()).args(["--", "true"]).start();
    run.wait_until("a request", |_| (silent.connections() > 0).then_some(()));
    let events = run.events();
    let [started] = events.as_slice() else { panic!("{events:?}") };
    let pid = run.pid().as_raw_nonzero().get();
    assert_eq!(
        (&started["type"], &started["pid"], &started["lock"], &started["locks"], &started["version"]),
        (
            &json!("run_started"),
            &json!(pid),
            &json!("a,b"),
            &json!(["a", "b"]),
            &json!(env!("CARGO_PKG_VERSION"))
        )
    );
    assert!(started["session"].as_str().is_some_and(|session| !session.is_empty()), "{started}");
    run.kill();
}

#[test]
fn the_summary_names_the_same_session() {
    let project = Project::with("");
    let locks = crate::e2e::locks::Locks::local();
    let finished = locks.run(&project).args(["exec", "--", "true"]).output().exits(0);
    assert_eq!(finished.event("run_started")["session"], finished.event("run_summary")["session"]);
    let refused = locks.run(&project).args(["exec", "--", "no-such-program"]).output().exits(127);
    assert_eq!(refused.kinds(), ["diagnostic", "run_summary"]);
    assert!(refused.event("run_summary")["session"].is_null());
}
