//! Credentials that stand in Terraform's own backend: the lock is taken as whom the state is written.

use super::program::{Ended, exec};
use super::stubs::{Issuer, Sts};
use crate::support::dynamo::{Engine, Shape};
use crate::support::fault::Proxy;
use crate::support::folder::Folder;

const ROLE: &str = "arn:aws:iam::123456789012:role/tf";
const KEYS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIDJOB"), ("AWS_SECRET_ACCESS_KEY", "secret-of-the-job")];

struct World {
    home: Folder,
    proxy: Proxy,
    sts: Sts,
    _engine: Engine,
}

impl World {
    /// A directory with an `s3` backend that has these settings more.
    fn new(settings: &str) -> Self {
        let engine = Engine::start();
        engine.create_table("locks", Shape::Right);
        let (proxy, sts, home) = (Proxy::start(&engine.endpoint), Sts::lending_for(3600), Folder::new());
        let block = format!(
            "terraform {{\n  backend \"s3\" {{\n    bucket = \"b\"\n    key = \"k\"\n    region = \"eu-west-1\"\n    \
             dynamodb_table = \"locks\"\n    endpoints = {{ dynamodb = \"{}\", sts = \"{}\" }}\n{settings}\n  }}\n}}\n",
            proxy.endpoint(),
            sts.endpoint()
        );
        std::fs::write(home.path().join("main.tf"), block).unwrap();
        Self { home, proxy, sts, _engine: engine }
    }

    fn run(&self, options: &[&str], vars: &[(&str, &str)]) -> Ended {
        let ended = exec(&self.home, options, vars, "true").end();
        assert_eq!(ended.code, Some(0), "{}", ended.text);
        assert!(!ended.text.contains("secret-of-") && !ended.text.contains("session-of-"), "{}", ended.text);
        ended
    }

    #[track_caller]
    fn assert_signed_with(&self, key: &str) {
        let signed = self.proxy.authorizations();
        assert!(
            !signed.is_empty() && signed.iter().all(|by| by.contains(&format!("Credential={key}/"))),
            "{signed:?}"
        );
    }
}

#[test]
fn its_role_is_assumed_as_terraform_assumes_it() {
    let world = World::new(&format!(
        "assume_role = {{ role_arn = \"{ROLE}\", external_id = \"us\", session_name = \"tf\", duration = \"30m\" }}"
    ));
    // Terraform takes no part in what the job could mint.
    let issuer = Issuer::start(&[]);
    let minted = issuer.vars();
    let mut vars = KEYS.to_vec();
    vars.extend(minted.iter().map(|(name, value)| (*name, value.as_str())));
    world.run(&[], &vars);
    world.assert_signed_with("AKIDROLE");
    assert!(issuer.asked().is_empty());
    let asked = world.sts.asked();
    assert!(asked.iter().all(|asked| asked.action == "AssumeRole" && asked.role == ROLE));
    for part in ["ExternalId=us&", "RoleSessionName=tf&", "DurationSeconds=1800&"] {
        assert!(asked[0].body.contains(part), "{}", asked[0].body);
    }
}

#[test]
fn its_keys_go_before_those_of_the_environment() {
    let world = World::new("access_key = \"AKIDBLOCK\"\nsecret_key = \"secret-of-the-block\"");
    world.run(&[], &KEYS);
    world.assert_signed_with("AKIDBLOCK");
}

#[test]
fn its_files_and_its_profile_are_read() {
    let world = World::new("shared_credentials_files = [\"~/keys\"]\nprofile = \"ops\"");
    let keys = "[ops]\naws_access_key_id = AKIDOPS\naws_secret_access_key = secret-of-ops\n\
                [me]\naws_access_key_id = AKIDME\naws_secret_access_key = secret-of-me\n";
    std::fs::write(world.home.path().join("keys"), keys).unwrap();
    world.run(&[], &KEYS);
    world.assert_signed_with("AKIDOPS");
    // One that is given counts instead.
    let given = World::new("shared_credentials_files = [\"~/keys\"]\nprofile = \"ops\"");
    std::fs::write(given.home.path().join("keys"), keys).unwrap();
    given.run(&["--profile", "me"], &KEYS);
    given.assert_signed_with("AKIDME");
}

#[test]
fn its_token_file_is_what_the_role_is_lent_for() {
    let world = World::new(&format!(
        "assume_role_with_web_identity = {{ role_arn = \"{ROLE}\", web_identity_token_file = \"~/token\" }}"
    ));
    std::fs::write(world.home.path().join("token"), "jwt-7\n").unwrap();
    world.run(&[], &[]);
    world.assert_signed_with("AKIDJWT7");
}
