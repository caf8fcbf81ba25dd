//! Nobody keeps the lock while frozen: neither the child nor the supervisor.

use std::os::unix::process::CommandExt;

use rustix::process::Signal;

use super::processes::{self, state};
use super::puppet::Manner;
use super::stage::{Stage, wait};

#[test]
fn a_child_that_somebody_stops_goes_on() {
    let stage = Stage::new();
    let run = stage.counting(&Manner::default());
    let child = stage.wait_pid("apply.ready");
    processes::send(child, Signal::STOP);
    wait("a word about it", || {
        let said = |text: &str| text.contains("was stopped by SIGSTOP; it goes on");
        stage.log().all("diagnostic").into_iter().find(|event| said(event["@message"].as_str().unwrap()))
    });
    wait("the child to go on", || (state(child) != Some('T')).then_some(()));
    run.send(Signal::TERM);
    stage.log().wait("signal", 1);
    stage.let_go();
    assert_eq!(run.finish().code, Some(1));
    assert_eq!(stage.counted("apply"), ["SIGINT"]);
    stage.assert_clean();
}

/// Job control may stop who waits for the lock, and may not stop who holds it.
#[test]
fn job_control_does_not_stop_a_supervisor_that_holds_the_lock() {
    let stage = Stage::new();
    let manner = Manner::default();
    // In a group of its own, which is not orphaned: in one that is, the kernel stops nobody.
    let holder = stage.counting_with(stage.puppet(&manner, &["apply"]).process_group(0), &manner);
    let waiter = stage.start(stage.puppet(&manner, &["apply"]).process_group(0));
    stage.log().wait("lock_waiting", 1);
    waiter.send(Signal::TSTP);
    wait("the waiter to be stopped", || (state(waiter.pid()) == Some('T')).then_some(()));
    waiter.send(Signal::CONT);
    for signal in [Signal::TSTP, Signal::TTIN, Signal::TTOU] {
        holder.send(signal);
    }
    // A stopped process would neither be told of SIGTERM nor end.
    holder.send(Signal::TERM);
    stage.log().wait("signal", 1);
    stage.let_go();
    assert_eq!(holder.finish().code, Some(1));
    waiter.send(Signal::TERM);
    waiter.finish();
    assert_eq!(stage.counted("apply")[0], "SIGINT");
    stage.assert_clean();
}
