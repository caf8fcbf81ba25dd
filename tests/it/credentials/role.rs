//! `--role-arn`: the lock's own credentials, minted and renewed apart from the command's.

use super::program::{Ended, Run, eventually, exec, lender, until};
use super::stubs::{BEARER, Issuer, Sts};
use crate::support::dynamo::{Engine, Shape};
use crate::support::fault::Proxy;
use crate::support::folder::Folder;

const ROLE: &str = "arn:aws:iam::123456789012:role/lock";
/// Keys of the command, which must have nothing to do with the lock's.
const KEYS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIDCOMMAND"), ("AWS_SECRET_ACCESS_KEY", "secret-of-the-command")];

struct World {
    home: Folder,
    engine: Engine,
    proxy: Proxy,
    issuer: Issuer,
    sts: Sts,
}

impl World {
    fn new(issuer: Issuer, sts: Sts) -> Self {
        let engine = Engine::start();
        engine.create_table("locks", Shape::Right);
        let proxy = Proxy::start(&engine.endpoint);
        Self { home: Folder::new(), engine, proxy, issuer, sts }
    }

    /// A run with the role, in a job that may mint tokens.
    fn job(&self, options: &[&str], vars: &[(&str, &str)], script: &str) -> Run {
        let minted = self.issuer.vars();
        let mut all: Vec<(&str, &str)> = minted.iter().map(|(name, value)| (*name, value.as_str())).collect();
        all.extend(vars);
        self.run(options, &all, script)
    }

    fn run(&self, options: &[&str], vars: &[(&str, &str)], script: &str) -> Run {
        let (endpoint, sts) = (self.proxy.endpoint(), self.sts.endpoint());
        let given = ["--table", "locks", "--endpoint-url", &endpoint, "--role-arn", ROLE, "--lease", "10s"];
        let mut all = KEYS.to_vec();
        all.push(("AWS_ENDPOINT_URL_STS", &sts));
        all.extend(vars);
        exec(&self.home, &[&given[..], options].concat(), &all, script)
    }

    /// Whether the table was asked with this key.
    fn was_signed_with(&self, key: &str) -> bool {
        self.proxy.authorizations().iter().any(|signed| signed.contains(&format!("Credential={key}/")))
    }

    fn is_free(&self) -> bool {
        let record = self.engine.get("locks", "tfguard:prod");
        record.is_some_and(|record| record["holders"]["L"].as_array().is_some_and(Vec::is_empty))
    }
}

fn assert_discreet(text: &str) {
    for secret in [BEARER, "jwt-", "secret-of-", "session-of-the-role"] {
        assert!(!text.contains(secret), "{secret} in:\n{text}");
    }
}

#[test]
fn tokens_are_minted_anew_for_as_long_as_the_run_lasts() {
    let world = World::new(Issuer::start(&[]), Sts::lending_for(3));
    let go = world.home.path().join("go");
    let log = world.home.path().join("log");
    let run = world.job(&["--log-file", log.to_str().unwrap()], &[], &until(&go));
    run.wait_for("child_started");
    eventually("a third token", || world.was_signed_with("AKIDJWT3"));
    std::fs::write(&go, "").unwrap();
    let ended = run.end();
    assert_eq!(ended.code, Some(0), "{}", ended.text);
    assert!(ended.events("lock_lost").is_empty() && world.is_free(), "{}", ended.text);

    let asked = world.sts.asked();
    for (index, asked) in asked.iter().enumerate() {
        assert_eq!((asked.action.as_str(), asked.role.as_str()), ("AssumeRoleWithWebIdentity", ROLE));
        assert_eq!(asked.token, format!("jwt-{}", index + 1), "each token is used once");
        assert_eq!(asked.authorization, "", "the command's keys are none of our business");
    }
    for line in world.issuer.asked() {
        assert!(line.starts_with("GET /token/idtoken?api-version=2.0&audience=sts.amazonaws.com "), "{line}");
    }
    assert!(!world.was_signed_with("AKIDCOMMAND"));
    assert_discreet(&ended.text);
    assert_discreet(&std::fs::read_to_string(&log).unwrap());
}

#[test]
fn the_command_keeps_its_own_credentials() {
    let world = World::new(Issuer::start(&[]), Sts::lending_for(3600));
    let ended = world.job(&[], &[], "echo key=$AWS_ACCESS_KEY_ID").end();
    assert_eq!(ended.code, Some(0), "{}", ended.text);
    assert_eq!(ended.events("output")[0]["line"], "key=AKIDCOMMAND");
}

#[test]
fn an_issuer_that_stumbles_is_asked_again() {
    let world = World::new(Issuer::start(&[500, 503]), Sts::lending_for(3600));
    let ended = world.job(&[], &[], "true").end();
    assert_eq!(ended.code, Some(0), "{}", ended.text);
    assert_eq!((world.issuer.asked().len(), world.sts.asked()[0].token.as_str()), (3, "jwt-3"));
}

#[test]
fn the_guardian_mints_a_token_of_its_own() {
    let world = World::new(Issuer::start(&[]), Sts::lending_for(3600));
    let mut run = world.job(&[], &[], "exec sleep 600");
    run.wait_for("child_started");
    assert_eq!(world.issuer.asked().len(), 1);
    run.kill();
    run.wait_for("lock_released");
    assert!(world.is_free(), "{:?}\n{}", world.engine.get("locks", "tfguard:prod"), run.text());
    assert_eq!(world.issuer.asked().len(), 2);
    assert!(world.was_signed_with("AKIDJWT2"));
    let record = world.engine.get("locks", "tfguard:prod").unwrap();
    assert_eq!(record["last"]["M"]["outcome"]["S"], "crashed", "{record}");
    assert_discreet(&run.end().text);
}

fn refused(run: Run) -> Ended {
    let ended = run.end();
    assert_eq!(ended.code, Some(77), "{}", ended.text);
    assert!(ended.events("child_started").is_empty());
    assert_discreet(&ended.text);
    ended
}

#[test]
fn a_role_that_does_not_trust_us_is_said_without_the_token() {
    let world = World::new(Issuer::start(&[]), Sts::refusing());
    let ended = refused(world.job(&[], &[], "true"));
    for part in [ROLE, "Not authorized", "trust policy", "sts.amazonaws.com"] {
        assert!(ended.text.contains(part), "{part}: {}", ended.text);
    }
    assert!(world.proxy.authorizations().is_empty());
}

#[test]
fn a_job_without_the_permission_is_told_of_it() {
    let world = World::new(Issuer::start(&[403]), Sts::lending_for(3600));
    let ended = refused(world.job(&[], &[], "true"));
    assert!(ended.text.contains("HTTP 403") && ended.text.contains("id-token: write"), "{}", ended.text);
    assert!(world.sts.asked().is_empty());
}

#[test]
fn without_the_variables_of_github_the_role_is_assumed_with_what_is_there() {
    let world = World::new(Issuer::start(&[]), Sts::lending_for(3600));
    let ended = world.run(&[], &[], "true").end();
    assert_eq!(ended.code, Some(0), "{}", ended.text);
    let asked = world.sts.asked();
    assert_eq!((asked.len(), asked[0].action.as_str(), asked[0].role.as_str()), (1, "AssumeRole", ROLE));
    assert!(asked[0].authorization.contains("Credential=AKIDCOMMAND/"), "{asked:?}");
    assert!(world.was_signed_with("AKIDROLE") && !world.was_signed_with("AKIDCOMMAND"));
    assert!(world.issuer.asked().is_empty());
}

#[test]
fn a_named_profile_goes_before_what_the_job_could_mint() {
    let world = World::new(Issuer::start(&[]), Sts::lending_for(3600));
    let keys = world.home.path().join("keys");
    std::fs::write(&keys, "[ops]\naws_access_key_id = AKIDOPS\naws_secret_access_key = s\n").unwrap();
    let vars = [("AWS_SHARED_CREDENTIALS_FILE", keys.to_str().unwrap())];
    let ended = world.job(&["--profile", "ops"], &vars, "true").end();
    assert_eq!(ended.code, Some(0), "{}", ended.text);
    assert!(world.sts.asked()[0].authorization.contains("Credential=AKIDOPS/"));
    assert!(world.issuer.asked().is_empty());
}

#[test]
fn a_profile_that_lends_for_seconds_is_asked_again_as_long_as_the_run_lasts() {
    let world = World::new(Issuer::start(&[]), Sts::lending_for(3600));
    let config = lender(&world.home, &[4, 8, 3600]);
    let go = world.home.path().join("go");
    let endpoint = world.proxy.endpoint();
    let options = ["--table", "locks", "--endpoint-url", &endpoint, "--profile", "ops", "--lease", "10s"];
    let vars = [KEYS[0], KEYS[1], ("AWS_CONFIG_FILE", config.to_str().unwrap())];
    let run = exec(&world.home, &options, &vars, &until(&go));
    eventually("the third keys", || world.was_signed_with("AKIDPROCESS3"));
    std::fs::write(&go, "").unwrap();
    let ended = run.end();
    assert_eq!(ended.code, Some(0), "{}", ended.text);
    assert!(ended.events("lock_lost").is_empty() && world.is_free(), "{}", ended.text);
    assert!(world.was_signed_with("AKIDPROCESS1") && !world.was_signed_with("AKIDCOMMAND"));
    // Its end is the lock's affair, and no reason to warn of the command's.
    assert!(ended.events("credentials_expiring").is_empty(), "{}", ended.text);
}
