//! Region and credentials: found, missing, expired, renewed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tfguard::store::{Access, DynamoConfig, DynamoStore, Store, StoreError, Swap};

use super::dynamodb::{KEYS, config};
use super::{PLENTY, name, record};
use crate::support::dynamo::{Engine, Shape};
use crate::support::fault::{Fault, Proxy};
use crate::support::folder::Folder;
use crate::support::http::{Reply, Server, answer, nobody};
use crate::support::isolated::{block_on, isolated};

fn with(mut config: DynamoConfig, change: impl FnOnce(&mut Access)) -> DynamoConfig {
    change(&mut config.access);
    config
}

fn connect(config: &DynamoConfig) -> (Result<DynamoStore, StoreError>, Duration) {
    let started = Instant::now();
    let result = block_on(DynamoStore::connect(config));
    (result, started.elapsed())
}

#[test]
fn no_region_is_said_at_once() {
    // Whoever asked the metadata would wait for it.
    let metadata = Server::start(|_| Reply::Hang);
    let endpoint = metadata.endpoint();
    let vars = [
        KEYS[0],
        KEYS[1],
        ("AWS_EC2_METADATA_DISABLED", "false"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint),
    ];
    isolated(concat!(module_path!(), "::no_region_is_said_at_once"), &vars, || {
        let config = with(config(&nobody(), "locks"), |access| access.region = None);
        let (result, took) = connect(&config);
        let error = result.unwrap_err();
        assert!(matches!(error, StoreError::Misconfigured { .. }), "{error:?}");
        for part in ["region", "locks", "--region", "AWS_REGION"] {
            assert!(error.to_string().contains(part), "{error}");
        }
        assert!(took < Duration::from_millis(500), "{took:?}");
    });
}

#[test]
fn no_credentials_are_said_within_two_seconds_whatever_the_metadata_do() {
    let hangs = Server::start(|_| Reply::Hang);
    let fails = Server::start(|_| answer(500, "no"));
    let closes = Server::start(|_| Reply::Close);
    let has_no_role =
        Server::start(
            |request| {
                if request.head.starts_with("PUT") { answer_token() } else { answer(404, "") }
            },
        );
    let test =
        concat!(module_path!(), "::no_credentials_are_said_within_two_seconds_whatever_the_metadata_do");
    let endpoints = [hangs.endpoint(), fails.endpoint(), closes.endpoint(), has_no_role.endpoint(), nobody()];
    for endpoint in &endpoints {
        let vars = [
            ("AWS_EC2_METADATA_DISABLED", "false"),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint.as_str()),
        ];
        let done = isolated(test, &vars, || {
            let (result, took) = connect(&config(&nobody(), "locks"));
            let error = result.unwrap_err();
            assert!(matches!(error, StoreError::Credentials { expired: false, .. }), "{error:?}");
            assert!(error.to_string().contains("AWS credentials"), "{error}");
            assert!(error.to_string().contains("--profile"), "{error}");
            assert!(took < Duration::from_secs(2), "{took:?}");
        });
        if done {
            return;
        }
    }
}

fn answer_token() -> Reply {
    let head = "HTTP/1.1 200 OK\r\nx-aws-ec2-metadata-token-ttl-seconds: 21600\r\ncontent-length: 5\r\n\r\n";
    Reply::Bytes(format!("{head}token").into_bytes())
}

/// What container and instance metadata answer with: keys that are good for an hour.
fn lent(key: &str) -> Reply {
    let expiration = "2099-01-01T00:00:00Z";
    let body = serde_json::json!({
        "Code": "Success", "LastUpdated": "2026-01-01T00:00:00Z", "Type": "AWS-HMAC",
        "AccessKeyId": key, "SecretAccessKey": "secret", "Token": "token", "Expiration": expiration,
    });
    answer(200, &body.to_string())
}

#[test]
fn an_instance_lends_its_role() {
    let metadata = Server::start(|request| match request.head.split_whitespace().nth(1) {
        Some("/latest/api/token") => answer_token(),
        Some("/latest/meta-data/iam/security-credentials/") => answer(200, "role"),
        _ => lent("AKIDINSTANCE"),
    });
    let endpoint = metadata.endpoint();
    let vars =
        [("AWS_EC2_METADATA_DISABLED", "false"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint.as_str())];
    isolated(concat!(module_path!(), "::an_instance_lends_its_role"), &vars, || {
        assert!(used_key(&config("", "locks")).contains("AKIDINSTANCE"));
    });
}

/// Makes one request as `config` says, and gives back how it was signed.
fn used_key(config: &DynamoConfig) -> String {
    let engine = Engine::start();
    engine.create_table("locks", Shape::Right);
    let proxy = Proxy::start(&engine.endpoint);
    let config = with(config.clone(), |access| access.endpoint_url = Some(proxy.endpoint()));
    block_on(async {
        let store = DynamoStore::connect(&config).await.unwrap();
        assert_eq!(store.read(&name("prod"), PLENTY).await, Ok(None));
    });
    proxy.authorizations().pop().unwrap()
}

#[test]
fn a_profile_gives_region_and_credentials_and_goes_before_the_environment() {
    let test =
        concat!(module_path!(), "::a_profile_gives_region_and_credentials_and_goes_before_the_environment");
    let folder = Folder::new();
    let (config_file, keys_file) = (folder.path().join("config"), folder.path().join("credentials"));
    std::fs::write(&config_file, "[profile ops]\nregion = eu-north-1\n").unwrap();
    std::fs::write(&keys_file, "[ops]\naws_access_key_id = AKIDOPS\naws_secret_access_key = s\n").unwrap();
    let vars = [
        KEYS[0],
        KEYS[1],
        ("AWS_CONFIG_FILE", config_file.to_str().unwrap()),
        ("AWS_SHARED_CREDENTIALS_FILE", keys_file.to_str().unwrap()),
    ];
    isolated(test, &vars, || {
        let ops = with(config("", "locks"), |access| {
            access.region = None;
            access.profile = Some("ops".into());
        });
        let signed = used_key(&ops);
        assert!(signed.contains("AKIDOPS") && signed.contains("eu-north-1"), "{signed}");
        assert!(used_key(&config("", "locks")).contains("AKIDTEST"));

        let missing = with(config(&nobody(), "locks"), |access| access.profile = Some("nobody".into()));
        let error = connect(&missing).0.unwrap_err();
        assert!(matches!(error, StoreError::Credentials { expired: false, .. }), "{error:?}");
        assert!(error.to_string().contains("nobody"), "{error}");
    });
}

#[test]
fn the_endpoint_may_come_from_the_environment() {
    let test = concat!(module_path!(), "::the_endpoint_may_come_from_the_environment");
    let engine = Engine::start();
    engine.create_table("locks", Shape::Right);
    for variable in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"] {
        let done = isolated(test, &[KEYS[0], KEYS[1], (variable, &engine.endpoint)], || {
            block_on(async {
                let config = with(config("", "locks"), |access| access.endpoint_url = None);
                let store = DynamoStore::connect(&config).await.unwrap();
                assert_eq!(store.read(&name("prod"), PLENTY).await, Ok(None));
                assert!(store.describe().contains("http://127.0.0.1"), "{}", store.describe());
            });
        });
        if done {
            return;
        }
    }
}

#[test]
fn an_endpoint_without_a_scheme_is_refused() {
    isolated(concat!(module_path!(), "::an_endpoint_without_a_scheme_is_refused"), &KEYS, || {
        let error = connect(&config("localhost:8000", "locks")).0.unwrap_err();
        assert!(matches!(error, StoreError::Misconfigured { .. }), "{error:?}");
        assert!(error.to_string().contains("localhost:8000"), "{error}");
    });
}

#[test]
fn expired_credentials_are_renewed_outside_the_time_of_the_request() {
    let test = concat!(module_path!(), "::expired_credentials_are_renewed_outside_the_time_of_the_request");
    let asked = Arc::new(AtomicUsize::new(0));
    let lender = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => lent("AKIDFIRST"),
        _ => {
            // Longer than the request may take.
            std::thread::sleep(Duration::from_millis(900));
            lent("AKIDSECOND")
        }
    });
    let url = format!("{}/keys", lender.endpoint());
    isolated(test, &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)], || {
        let engine = Engine::start();
        engine.create_table("locks", Shape::Right);
        let proxy = Proxy::start(&engine.endpoint);
        block_on(async {
            let store = DynamoStore::connect(&config(&proxy.endpoint(), "locks")).await.unwrap();
            proxy.set(Fault::Error(400, "ExpiredTokenException", "expired"));
            let error = store.read(&name("prod"), PLENTY).await.unwrap_err();
            assert!(matches!(error, StoreError::Credentials { expired: true, .. }), "{error:?}");
            proxy.set(Fault::None);
            let swapped = store.swap(&name("prod"), None, &record("one"), Duration::from_millis(500)).await;
            assert_eq!(swapped, Ok(Swap::Written));
        });
        let signed = proxy.authorizations();
        assert!(signed[0].contains("AKIDFIRST") && signed[1].contains("AKIDSECOND"), "{signed:?}");
    });
}

#[test]
fn a_renewal_that_fails_says_so() {
    let test = concat!(module_path!(), "::a_renewal_that_fails_says_so");
    let asked = Arc::new(AtomicUsize::new(0));
    let lender = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => lent("AKIDFIRST"),
        _ => answer(400, "{\"Code\": \"AccessDenied\", \"Message\": \"no more\"}"),
    });
    let url = format!("{}/keys", lender.endpoint());
    isolated(test, &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)], || {
        let engine = Engine::start();
        engine.create_table("locks", Shape::Right);
        let proxy = Proxy::start(&engine.endpoint);
        block_on(async {
            let store = DynamoStore::connect(&config(&proxy.endpoint(), "locks")).await.unwrap();
            proxy.set(Fault::Error(400, "ExpiredTokenException", "expired"));
            assert!(store.read(&name("prod"), PLENTY).await.is_err());
            let error = store.read(&name("prod"), PLENTY).await.unwrap_err();
            assert!(matches!(error, StoreError::Credentials { expired: true, .. }), "{error:?}");
            assert!(error.to_string().contains("cannot be renewed"), "{error}");
            // Nothing was sent with keys that are known to be dead.
            assert_eq!(proxy.seen("GetItem"), 1);
        });
    });
}
