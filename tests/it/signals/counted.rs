//! Every signal counted, with a puppet in Terraform's place.

use std::os::unix::process::CommandExt;

use rustix::process::{Signal, kill_process_group};

use super::processes;
use super::puppet::Manner;
use super::stage::Stage;

const PLAIN: Manner = Manner { slow_init: false, helper: false, marker: false };

/// Each kind becomes one SIGINT and nothing else, and what comes after the first is swallowed.
#[test]
fn every_kind_of_signal_becomes_one_sigint() {
    let kinds = [
        (Signal::INT, "SIGINT"),
        (Signal::TERM, "SIGTERM"),
        (Signal::HUP, "SIGHUP"),
        (Signal::QUIT, "SIGQUIT"),
    ];
    for (first, name) in kinds {
        let stage = Stage::new();
        let run = stage.counting(&PLAIN);
        run.send(first);
        stage.log().wait("signal", 1);
        for (count, (next, _)) in kinds.into_iter().enumerate() {
            run.send(next);
            stage.log().wait("signal", 2 + count);
        }
        stage.let_go();
        assert_eq!(run.finish().code, Some(1));
        assert_eq!(stage.counted("apply"), ["SIGINT"]);
        let mut expected = vec![format!("{name} passed")];
        expected.extend(kinds.map(|(_, name)| format!("{name} swallowed")));
        assert_eq!(stage.log().signals(), expected);
        stage.assert_clean();
    }
}

/// The second comes while we still wait whether the puppet knows by itself.
#[test]
fn a_second_signal_within_the_pause_does_not_make_two() {
    let stage = Stage::new();
    let run = stage.counting(&PLAIN);
    run.send(Signal::INT);
    run.send(Signal::TERM);
    stage.log().wait("signal", 2);
    stage.let_go();
    assert_eq!(run.finish().code, Some(1));
    assert_eq!(stage.counted("apply"), ["SIGINT"]);
    let mut signals = stage.log().signals();
    signals.sort();
    // The kernel hands over two pending signals in the order of their numbers, not of their coming.
    assert!(signals[0].ends_with("passed") != signals[1].ends_with("passed"), "{signals:?}");
}

#[test]
fn where_every_process_was_signalled_nothing_more_is_sent() {
    let stage = Stage::new();
    let manner = Manner { helper: true, marker: true, ..PLAIN };
    let run = stage.counting(&manner);
    for pid in stage.processes() {
        processes::send(pid, Signal::TERM);
    }
    assert_eq!(stage.log().wait("signal", 1)["action"], "swallowed");
    stage.let_go();
    assert_eq!(run.finish().code, Some(1));
    assert_eq!(stage.counted("apply"), ["SIGTERM"]);
    assert_eq!(stage.log().signals(), ["SIGTERM swallowed"]);
    stage.assert_clean();
}

/// A provider is in Terraform's process group, and does not ignore every signal.
#[test]
fn a_provider_gets_no_signal_from_us() {
    let stage = Stage::new();
    let manner = Manner { helper: true, ..PLAIN };
    let mut command = stage.puppet(&manner, &["apply"]);
    let run = stage.counting_with(command.process_group(0), &manner);
    let [terraform, helper] = ["apply.ready", "helper.ready"].map(|name| stage.wait_pid(name));
    assert_eq!(processes::group(helper), processes::group(terraform), "the helper is no provider");
    kill_process_group(run.pid(), Signal::TERM).unwrap();
    stage.log().wait("signal", 1);
    run.send(Signal::INT);
    stage.log().wait("signal", 2);
    stage.let_go();
    assert_eq!(run.finish().code, Some(1));
    assert_eq!(stage.counted("helper"), [""; 0]);
    assert_eq!(stage.counted("apply"), ["SIGINT"]);
    stage.assert_clean();
}

/// A shell does not pass a signal on, so that it goes to everybody in the command's group.
#[test]
fn exec_signals_the_whole_group_of_its_command() {
    let stage = Stage::new();
    // The trap runs only once the sleep has ended, so that it proves that the sleep was signalled.
    let script = "trap 'echo stopped; exit 9' INT; echo $$ > ready; sleep 60; echo slept";
    let run = stage.start(&mut stage.tfguard(&["exec", "--", "bash", "-c", script]));
    stage.wait_file("ready");
    run.send(Signal::TERM);
    let finished = run.finish();
    assert_eq!((finished.code, finished.out.as_str()), (Some(9), "stopped\n"), "{}", finished.err);
    stage.assert_clean();
}

/// What a shell starts in the background ignores SIGINT.
#[test]
fn what_exec_leaves_behind_is_killed_and_named_before_the_release() {
    let stage = Stage::new();
    let script = "setsid sleep 60 & sleep 60 & wait & echo $$ > ready; exec sleep 60";
    let run = stage.start(&mut stage.tfguard(&["exec", "--", "bash", "-c", script]));
    stage.wait_file("ready");
    run.send(Signal::TERM);
    let finished = run.finish();
    assert_eq!(finished.code, Some(130), "{}", finished.err);
    assert_eq!(finished.err.matches("sleep (pid").count(), 2, "{}", finished.err);
    let kinds: Vec<_> = stage.log().events().iter().map(|event| event["type"].clone()).collect();
    let at = |kind: &str| kinds.iter().position(|found| found == kind).unwrap();
    assert!(at("child_exited") < at("lock_released"), "{kinds:?}");
    stage.assert_clean();
}
