//! Which command takes notice of which of the options that all accept. The others are accepted,
//! so that a pipeline can give one set to all, and are not shown.

/// The commands that run something under the lock.
const RUNS: [&str; 8] = ["init", "plan", "apply", "destroy", "run", "drift", "exec", "state restore"];

/// Whether the command called `command` runs something under the lock.
pub(in crate::cli) fn runs(command: &str) -> bool {
    RUNS.contains(&command)
}

/// Whether the command called `command` (`state restore`; empty: tfguard itself) takes notice of the
/// option with the id `option`. Options of its own are none of this.
pub(super) fn heeds(command: &str, option: &str) -> bool {
    if command.is_empty() {
        return true;
    }
    let runs = runs(command);
    let one_of = |commands: &[&str]| commands.contains(&command);
    match option {
        "lock" | "local_dir" => command != "setup",
        "shared" => one_of(&["plan", "exec"]),
        "reason" => runs || command == "unlock",
        "lease" => runs || command == "doctor",
        "wait_timeout" | "no_wait" | "stop_timeout" | "on_lease_lost" | "deadline" | "stop_before_expiry"
        | "free_state_lock" | "rescue_dir" | "require_clean" | "ci" | "hook" | "hook_timeout"
        | "no_hooks" => runs,
        "ci_report" => one_of(&["plan", "apply", "destroy", "run"]),
        "min_session" => runs || command == "doctor",
        "terraform_bin" => runs && command != "exec" || one_of(&["doctor", "setup", "unlock"]),
        "init" => one_of(&["plan", "apply", "destroy", "run", "drift"]),
        "allow_stale_plan" => command == "apply",
        _ => true,
    }
}

/// Whether `tfguard -h` shows the option: what most need first.
pub(super) fn is_common(option: &str) -> bool {
    let common = [
        "chdir",
        "lock",
        "wait_timeout",
        "no_wait",
        "store",
        "table",
        "bucket",
        "log_format",
        "verbose",
        "quiet",
    ];
    common.contains(&option)
}
