//! From command lines, variables and files to what a run needs.

use super::*;
use crate::cli::parse::{Parsed, parse};

const SECOND: Duration = Duration::from_secs(1);

fn with(line: &str, variables: &[(&str, &str)], terminal: bool) -> Result<Config, Error> {
    let Ok(Parsed::Run(args)) = parse(line.split(' ').map(OsString::from)) else {
        unreachable!("{line} does not parse")
    };
    let env =
        |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
    resolve(*args, Surroundings { env: &env, cwd: Path::new("/nonexistent/start"), terminal })
}

fn config(line: &str, variables: &[(&str, &str)]) -> Config {
    with(line, variables, false).unwrap_or_else(|error| unreachable!("{line}: {error}"))
}

fn names(config: &Config) -> Vec<&str> {
    config.wish.locks.iter().map(LockName::as_str).collect()
}

fn refused(line: &str, variables: &[(&str, &str)]) -> String {
    let error = with(line, variables, false).unwrap_err();
    assert_eq!(error.exit_code(), 64, "{line}: {error}");
    error.to_string()
}

#[test]
fn defaults_are_those_of_the_contract() {
    let config = config("tfguard plan", &[]);
    assert_eq!(config.directory, Path::new("/nonexistent/start/"));
    assert_eq!(config.wish, Wish::default());
    assert_eq!(config.mode, Mode::Exclusive);
    assert_eq!(config.lease.length(), 180 * SECOND);
    assert_eq!((config.wait, config.stop_timeout, config.deadline), (Wait::Forever, None, None));
    assert_eq!((config.credentials, config.terraform_bin), (Demands::default(), None));
    let log = Log { format: Format::Text, file: None, level: Level::Info, colour: Colour::Auto };
    assert_eq!(config.log, log);
    let action = Action::Terraform { command: Command::Plan, args: Vec::new(), init: InitPolicy::Auto };
    assert_eq!(config.action, action);
}

#[test]
fn every_option_has_its_variable_and_the_flag_wins() {
    let variables = [
        ("TFGUARD_CHDIR", "d"),
        ("TFGUARD_LOCK", "prod"),
        ("TFGUARD_SHARED", "true"),
        ("TFGUARD_STORE", "dynamodb"),
        ("TFGUARD_TABLE", "t"),
        ("TFGUARD_BUCKET", "b"),
        ("TFGUARD_REGION", "r"),
        ("TFGUARD_ENDPOINT_URL", "u"),
        ("TFGUARD_PROFILE", "p"),
        ("TFGUARD_ROLE_ARN", "arn:aws:iam::123456789012:role/ci"),
        ("TFGUARD_LOCAL_DIR", "l"),
        ("TFGUARD_LEASE", "30"),
        ("TFGUARD_WAIT_TIMEOUT", "1h 30m"),
        ("TFGUARD_STOP_TIMEOUT", "5m"),
        ("TFGUARD_DEADLINE", "6m"),
        ("TFGUARD_MIN_SESSION", "30m"),
        ("TFGUARD_STOP_BEFORE_EXPIRY", "5m"),
        ("TFGUARD_TERRAFORM_BIN", "bin/tf"),
        ("TFGUARD_LOG_FORMAT", "json"),
        ("TFGUARD_LOG_FILE", "log"),
        ("TFGUARD_REASON", "why"),
        ("TFGUARD_RESCUE_DIR", "safe"),
        ("TFGUARD_REQUIRE_CLEAN", "1"),
    ];
    let config = config("tfguard plan", &variables);
    assert_eq!(config.directory, Path::new("/nonexistent/start/d"));
    let wish = Wish {
        locks: vec![LockName::new("prod").unwrap()],
        store: StoreChoice::Dynamodb,
        table: Some("t".into()),
        bucket: Some("b".into()),
        access: Access {
            region: Some("r".into()),
            endpoint_url: Some("u".into()),
            profile: Some("p".into()),
            role_arn: Some("arn:aws:iam::123456789012:role/ci".into()),
            ..Access::default()
        },
        local_dir: Some("/nonexistent/start/l".into()),
        origins: config.wish.origins.clone(),
    };
    assert_eq!(config.wish, wish);
    for (name, origin) in
        [("lock", "TFGUARD_LOCK"), ("table", "TFGUARD_TABLE"), ("local_dir", "TFGUARD_LOCAL_DIR")]
    {
        assert_eq!(wish.origins.get(name).map(String::as_str), Some(origin));
    }
    assert_eq!(config.mode, Mode::Shared);
    assert_eq!(config.lease.length(), 30 * SECOND);
    assert_eq!(config.wait, Wait::AtMost(5400 * SECOND));
    assert_eq!((config.stop_timeout, config.deadline), (Some(300 * SECOND), Some(360 * SECOND)));
    let credentials = Demands { min_session: Some(1800 * SECOND), stop_before: Some(300 * SECOND) };
    assert_eq!(config.credentials, credentials);
    assert_eq!(config.terraform_bin.as_deref(), Some(Path::new("/nonexistent/start/bin/tf")));
    assert_eq!(config.log.format, Format::Json);
    assert_eq!(config.log.file.as_deref(), Some(Path::new("/nonexistent/start/log")));
    assert_eq!(config.reason.as_deref(), Some("why"));
    assert_eq!(config.rescue_dir.as_deref(), Some(Path::new("/nonexistent/start/safe")));
    assert!(config.require_clean);

    let flags =
        "tfguard --lock other plan --table=t2 --lease 1m --no-wait --log-format text --terraform-bin tofu";
    let config = self::config(flags, &variables);
    assert_eq!(names(&config), ["other"]);
    assert_eq!(config.wish.table.as_deref(), Some("t2"));
    assert_eq!((config.lease.length(), config.wait), (60 * SECOND, Wait::Not));
    assert_eq!(config.log.format, Format::Text);
    assert_eq!(config.terraform_bin.as_deref(), Some(Path::new("tofu")));
}

#[test]
fn locks_add_up_and_a_variable_is_one_name() {
    let variable = [("TFGUARD_LOCK", "a,b")];
    assert_eq!(names(&config("tfguard --lock b plan --lock a --lock b", &variable)), ["b", "a", "b"]);
    assert_eq!(names(&config("tfguard plan", &variable)), ["a,b"]);
    let many = |count: usize| "tfguard plan".to_owned() + &" --lock x".repeat(count);
    assert_eq!(names(&config(&many(32), &[])).len(), 32);
    assert!(refused(&many(33), &[]).contains("at most 32"));
}

#[test]
fn a_wrong_value_is_named_with_its_origin() {
    for (line, variable, named) in [
        ("tfguard plan --lease 5s", ("X", ""), "--lease \"5s\": a lease is at least 10s"),
        ("tfguard plan --lease soon", ("X", ""), "--lease \"soon\": it is not a duration"),
        ("tfguard plan", ("TFGUARD_LEASE", "2h"), "TFGUARD_LEASE \"2h\": a lease is at least 10s"),
        (
            "tfguard plan",
            ("TFGUARD_STORE", "redis"),
            "TFGUARD_STORE \"redis\": it can be auto, dynamodb, s3, local",
        ),
        ("tfguard plan", ("TFGUARD_LOG_FORMAT", "xml"), "TFGUARD_LOG_FORMAT \"xml\""),
        ("tfguard plan", ("TFGUARD_SHARED", "perhaps"), "TFGUARD_SHARED \"perhaps\""),
        ("tfguard plan", ("TFGUARD_WAIT_TIMEOUT", "x"), "TFGUARD_WAIT_TIMEOUT \"x\""),
        ("tfguard plan", ("TFGUARD_LOCK", "a#b"), "TFGUARD_LOCK \"a#b\""),
        ("tfguard plan --role-arn ci", ("X", ""), "--role-arn \"ci\": it is not the ARN of a role"),
        ("tfguard plan", ("TFGUARD_MIN_SESSION", "x"), "TFGUARD_MIN_SESSION \"x\""),
        ("tfguard plan --stop-before-expiry x", ("X", ""), "--stop-before-expiry \"x\""),
        ("tfguard plan --lock a --lock b#", ("X", ""), "--lock \"b#\""),
        ("tfguard plan --lock a --lock=", ("X", ""), "--lock \"\": it is empty"),
        ("tfguard plan --color pink", ("X", ""), "--color \"pink\""),
        ("tfguard plan --init maybe", ("X", ""), "--init \"maybe\""),
        ("tfguard init --init never", ("X", ""), "--init is for plan, apply, destroy, run and drift"),
        ("tfguard exec", ("X", ""), "exec needs a command"),
        ("tfguard plan --allow-stale-plan", ("X", ""), "--allow-stale-plan is for apply"),
        ("tfguard plan", ("TFGUARD_REQUIRE_CLEAN", "x"), "TFGUARD_REQUIRE_CLEAN \"x\""),
    ] {
        let text = refused(line, &[variable]);
        assert!(text.starts_with(named), "{line}: {text}");
    }
    assert!(refused("tfguard plan --table=", &[]).contains("--table"));
}

#[test]
fn empty_variables_are_not_set() {
    let config =
        config("tfguard apply", &[("TFGUARD_LOCK", ""), ("TFGUARD_SHARED", ""), ("TFGUARD_LEASE", "")]);
    assert_eq!(config.wish.locks, []);
    assert_eq!(config.lease.length(), Lease::DEFAULT);
}

#[test]
fn shared_is_for_those_who_change_nothing() {
    let shared = [("TFGUARD_SHARED", "1")];
    for line in ["tfguard plan --shared", "tfguard --shared exec -- make"] {
        assert_eq!(config(line, &[]).mode, Mode::Shared, "{line}");
    }
    for command in ["apply", "destroy", "init"] {
        assert!(refused(&format!("tfguard {command} --shared"), &[]).starts_with("--shared is for plan"));
        assert!(refused(&format!("tfguard {command}"), &shared).starts_with("TFGUARD_SHARED is for plan"));
    }
    assert!(refused("tfguard status --shared", &[]).starts_with("--shared"));
    // A job sets the variable for all of its steps, and asks for the status in one of them.
    assert_eq!(config("tfguard status", &shared).mode, Mode::Exclusive);
}

#[test]
fn json_needs_approval_beforehand() {
    let json = [("TFGUARD_LOG_FORMAT", "json")];
    for line in
        ["tfguard apply", "tfguard apply -- -auto-approve=false", "tfguard destroy", "tfguard destroy -- p"]
    {
        assert!(refused(line, &json).contains("-auto-approve"), "{line}");
    }
    for line in [
        "tfguard apply -- -auto-approve",
        "tfguard apply -- p",
        "tfguard destroy -- -auto-approve",
        "tfguard plan",
    ] {
        assert_eq!(config(line, &json).log.format, Format::Json, "{line}");
    }
    config("tfguard apply", &[json[0], ("TF_CLI_ARGS_apply", "-auto-approve")]);
    config("tfguard apply", &[]);
}

#[test]
fn a_run_asks_where_somebody_can_answer() {
    let action = |args: &[&str], auto_approve| Action::Run {
        args: args.iter().map(OsString::from).collect(),
        init: InitPolicy::Auto,
        auto_approve,
    };
    assert_eq!(with("tfguard run", &[], true).unwrap().action, action(&[], false));
    assert_eq!(config("tfguard run --auto-approve -- -destroy", &[]).action, action(&["-destroy"], true));
    assert_eq!(config("tfguard run --auto-approve", &[]).mode, Mode::Exclusive);
    for line in ["tfguard run", "tfguard run -- -auto-approve"] {
        assert!(refused(line, &[]).contains("tfguard run --auto-approve"), "{line}");
    }
    assert!(with("tfguard run --log-format json", &[], true).is_err());
    assert!(refused("tfguard run --auto-approve -- p", &[]).contains("tfguard apply -- FILE"));
    assert!(refused("tfguard run --auto-approve --shared", &[]).starts_with("--shared is for plan, drift"));
    let ambient = [("TF_CLI_ARGS_plan", "-detailed-exitcode=false")];
    assert!(refused("tfguard run --auto-approve", &ambient).contains("leave it on"));
}

#[test]
fn drift_is_always_shared() {
    for line in ["tfguard drift", "tfguard drift --shared", "tfguard drift --json --init never"] {
        assert_eq!(config(line, &[]).mode, Mode::Shared, "{line}");
    }
    assert!(refused("tfguard drift -- -out=", &[]).contains("-out needs"));
}

#[test]
fn unlock_says_why_and_asks_where_somebody_can_answer() {
    let base = "tfguard unlock --reason gone";
    assert!(refused("tfguard unlock --yes", &[]).contains("--reason"));
    assert!(refused("tfguard unlock --yes --reason=", &[]).contains("--reason"));
    assert!(refused(base, &[]).contains("--yes"));
    let action = |yes| Action::Unlock {
        session: None,
        recovered: false,
        state_lock: false,
        now: false,
        yes,
        reason: "gone".into(),
    };
    assert_eq!(with(base, &[], true).unwrap().action, action(false));
    assert_eq!(config(&format!("{base} --yes"), &[]).action, action(true));
    let Action::Unlock { session, now, .. } = config(&format!("{base} --yes --now --session s1"), &[]).action
    else {
        unreachable!("not unlock")
    };
    assert_eq!((session.as_deref(), now), (Some("s1"), true));
    assert!(with(&format!("{base} --log-format json"), &[], true).is_err());
    let recovered = config(&format!("{base} --yes --recovered"), &[]).action;
    assert!(matches!(recovered, Action::Unlock { recovered: true, .. }), "{recovered:?}");
    let state_lock = config(&format!("{base} --yes --state-lock"), &[]).action;
    assert!(matches!(state_lock, Action::Unlock { state_lock: true, .. }), "{state_lock:?}");
}

#[test]
fn waiting_and_levels_on_both_sides_of_the_command() {
    for (line, wait) in [
        ("tfguard --no-wait plan --wait-timeout 1m", Wait::AtMost(60 * SECOND)),
        ("tfguard --wait-timeout 1m plan --no-wait", Wait::Not),
        ("tfguard plan --wait-timeout 0", Wait::Not),
    ] {
        assert_eq!(config(line, &[]).wait, wait, "{line}");
    }
    for (line, level) in [
        ("tfguard -v plan", Level::Debug),
        ("tfguard -v plan -q", Level::Warn),
        ("tfguard plan -q", Level::Warn),
    ] {
        assert_eq!(config(line, &[]).log.level, level, "{line}");
    }
}

#[test]
fn a_lost_lease_stops_the_child_unless_somebody_wants_it_otherwise() {
    let plan = "tfguard plan";
    assert_eq!(config(plan, &[]).on_lease_lost, OnLeaseLost::Stop);
    let flag = config("tfguard plan --on-lease-lost continue", &[("TFGUARD_ON_LEASE_LOST", "stop")]);
    assert_eq!(flag.on_lease_lost, OnLeaseLost::Continue);
    let variable = [("TFGUARD_ON_LEASE_LOST", "continue")];
    assert_eq!(config(plan, &variable).on_lease_lost, OnLeaseLost::Continue);
    let error = refused(plan, &[("TFGUARD_ON_LEASE_LOST", "ignore")]);
    assert!(error.contains("TFGUARD_ON_LEASE_LOST") && error.contains("continue"), "{error}");
}

#[test]
fn status_follows_the_format() {
    let look = |line| match config(line, &[]).action {
        Action::Status(look) => look,
        other => unreachable!("{other:?}"),
    };
    let json = |line| look(line).json;
    assert!(json("tfguard status --json"));
    assert!(json("tfguard status --log-format json"));
    assert!(!json("tfguard status"));
    assert_eq!(look("tfguard status --check"), Look { check: true, ..Look::default() });
    let all = All { prefix: "net/".into(), free: true, limit: Some(5) };
    assert_eq!(
        look("tfguard status -a --prefix net/ --free --limit 5"),
        Look { all: Some(all), ..Look::default() }
    );
    let line = "tfguard status --all --watch";
    assert_eq!(look(line), Look { watch: true, all: Some(All::default()), ..Look::default() });
    // A job names its lock for all of its steps.
    assert!(matches!(config("tfguard status --all", &[("TFGUARD_LOCK", "x")]).action, Action::Status(_)));
    assert!(refused("tfguard status --all --lock x", &[]).contains("--prefix"));
}
