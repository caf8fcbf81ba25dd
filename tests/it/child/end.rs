//! A child's end, told without SIGCHLD.

use std::time::Duration;

use tfguard::child::spawn;
use tfguard::report::event::Ended;

use super::script;
use crate::support::folder::Folder;
use crate::support::isolated::block_on;

/// Nobody catches SIGCHLD here, so that nothing else tells of it.
#[test]
fn a_childs_end_is_told_when_it_comes_and_not_before() {
    let folder = Folder::new();
    let gate = folder.path().join("gate");
    let text = format!("until [ -e {gate:?} ]; do sleep 0.01; done; exit 7");
    block_on(async {
        let mut running = spawn(&script(&text, &[]), None).unwrap();
        let early = tokio::time::timeout(Duration::from_millis(50), running.end()).await;
        assert!(early.is_err() && running.poll().is_none(), "told of an end before it came");
        std::fs::write(&gate, "").unwrap();
        tokio::time::timeout(Duration::from_secs(20), running.end()).await.expect("nobody told of the end");
        assert_eq!(running.poll(), Some(Ended::Code(7)));
    });
}
