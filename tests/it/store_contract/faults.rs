//! What goes wrong between us and DynamoDB, and what we make of it.

use std::time::{Duration, Instant};

use tfguard::store::{DynamoStore, Store, StoreError, Swap, Unavailable};

use super::dynamodb::{KEYS, connect};
use super::{PLENTY, name, record};
use crate::support::dynamo::{Engine, Shape};
use crate::support::fault::{Fault, Proxy};
use crate::support::http;
use crate::support::isolated::{block_on, isolated};

struct Setup {
    engine: Engine,
    proxy: Proxy,
    store: DynamoStore,
}

/// Runs `body` on a store with a record `prod`, written as `one`, behind a proxy.
fn with_setup(test: &str, body: impl AsyncFnOnce(&Setup)) {
    isolated(test, &KEYS, || {
        let engine = Engine::start();
        engine.create_table("locks", Shape::Right);
        let proxy = Proxy::start(&engine.endpoint);
        block_on(async {
            let store = connect(&proxy.endpoint(), "locks").await;
            assert_eq!(store.swap(&name("prod"), None, &record("one"), PLENTY).await, Ok(Swap::Written));
            body(&Setup { engine, proxy, store }).await;
        });
    });
}

/// Reads and writes, and gives back both errors.
async fn both(store: &DynamoStore, timeout: Duration) -> [StoreError; 2] {
    [
        store.read(&name("prod"), timeout).await.unwrap_err(),
        store.swap(&name("prod"), Some(&"one".into()), &record("two"), timeout).await.unwrap_err(),
    ]
}

fn kind(error: &StoreError) -> Option<Unavailable> {
    match error {
        StoreError::Unavailable { kind, .. } => Some(*kind),
        _ => None,
    }
}

fn assert_says(error: &StoreError, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
    assert!(!text.ends_with('.') && !text.contains(char::is_control), "{text:?}");
}

#[test]
fn errors_of_the_service_are_told_apart() {
    with_setup(concat!(module_path!(), "::errors_of_the_service_are_told_apart"), async |setup| {
        let Setup { proxy, store, .. } = setup;
        let met = async |fault| {
            proxy.set(fault);
            both(store, PLENTY).await
        };
        for (code, hint) in [("ExpiredTokenException", "log in again"), ("ExpiredToken", "log in again")] {
            for error in met(Fault::Error(400, code, "The security token is expired.")).await {
                assert!(matches!(error, StoreError::Credentials { expired: true, .. }), "{error:?}");
                assert_says(&error, &[hint, "token is expired"]);
            }
        }
        for (code, hint) in [
            ("UnrecognizedClientException", "access key"),
            ("InvalidClientTokenId", "access key"),
            ("InvalidSignatureException", "clock"),
        ] {
            for error in met(Fault::Error(400, code, "no\u{1b}[2J\nno.")).await {
                assert!(matches!(error, StoreError::Credentials { expired: false, .. }), "{error:?}");
                assert_says(&error, &[hint, "\\u{1b}"]);
            }
        }
        let denied = met(Fault::Error(400, "AccessDeniedException", "User: arn is not authorized")).await;
        for (error, action) in denied.iter().zip(["dynamodb:GetItem", "dynamodb:PutItem"]) {
            assert!(matches!(error, StoreError::Credentials { expired: false, .. }), "{error:?}");
            assert_says(error, &[action, "locks", "eu-west-1", "IAM policy"]);
        }
        for code in [
            "ThrottlingException",
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "Throttling",
        ] {
            for error in met(Fault::Error(400, code, "Rate exceeded")).await {
                assert_eq!(kind(&error), Some(Unavailable::Throttled), "{error:?}");
                assert!(error.refused());
                assert_says(&error, &["slow down", code]);
            }
        }
        for fault in [
            Fault::Error(500, "InternalServerError", "Internal server error"),
            Fault::Error(503, "ServiceUnavailable", "later"),
            Fault::Garbage(502, "<html>Bad gateway</html>"),
            Fault::Garbage(404, "<html>Not found</html>"),
            Fault::Garbage(200, "<html>Please log in</html>"),
        ] {
            for error in met(fault.clone()).await {
                assert_eq!(kind(&error), Some(Unavailable::Failed), "{fault:?}: {error:?}");
                assert!(!error.refused());
                assert_says(&error, &[&proxy.endpoint()]);
            }
        }
        let error =
            &met(Fault::Error(400, "ResourceNotFoundException", "Requested resource not found")).await;
        assert_says(&error[0], &["locks", "eu-west-1", "tfguard setup"]);
        // Somebody may read but not describe: the service's own words have to do.
        for message in [
            "The provided key element does not match the schema",
            "One or more parameter values were invalid: Missing the key lock_id in the item",
            "One or more parameter values were invalid: Type mismatch for key LockID expected: N actual: S",
        ] {
            for error in met(Fault::Error(400, "ValidationException", message)).await {
                assert!(matches!(error, StoreError::Misconfigured { .. }), "{error:?}");
                assert_says(&error, &[message, "LockID", "sort key", "tfguard setup"]);
            }
        }
        for error in met(Fault::Error(400, "ValidationException", "'tableName' is too long")).await {
            assert!(matches!(error, StoreError::Misconfigured { .. }), "{error:?}");
            assert_says(&error, &["'tableName' is too long", "--table"]);
            assert!(!error.to_string().contains("tfguard setup"), "{error}");
        }
    });
}

#[test]
fn nothing_is_sent_twice() {
    with_setup(concat!(module_path!(), "::nothing_is_sent_twice"), async |setup| {
        for fault in [
            Fault::Error(500, "InternalServerError", "x"),
            Fault::Error(400, "ThrottlingException", "x"),
            Fault::Close,
        ] {
            let (puts, gets) = (setup.proxy.seen("PutItem"), setup.proxy.seen("GetItem"));
            setup.proxy.set(fault.clone());
            both(&setup.store, PLENTY).await;
            assert_eq!(setup.proxy.seen("PutItem"), puts + 1, "{fault:?}");
            assert_eq!(setup.proxy.seen("GetItem"), gets + 1, "{fault:?}");
        }
    });
}

#[test]
fn silence_ends_at_the_timeout() {
    with_setup(concat!(module_path!(), "::silence_ends_at_the_timeout"), async |setup| {
        setup.proxy.set(Fault::Hang);
        let started = Instant::now();
        for error in both(&setup.store, Duration::from_millis(300)).await {
            assert_eq!(kind(&error), Some(Unavailable::Timeout), "{error:?}");
            assert_says(&error, &[&setup.proxy.endpoint(), "0.3 s"]);
        }
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    });
}

#[test]
fn nobody_there_is_said_at_once() {
    isolated(concat!(module_path!(), "::nobody_there_is_said_at_once"), &KEYS, || {
        block_on(async {
            let endpoint = http::nobody();
            let unknown = "http://no-such-host.invalid:1";
            for endpoint in [&endpoint, unknown] {
                let store = connect(endpoint, "locks").await;
                for error in both(&store, PLENTY).await {
                    assert_eq!(kind(&error), Some(Unavailable::Unreachable), "{error:?}");
                    assert_says(&error, &[endpoint, "cannot be reached"]);
                }
            }
        });
    });
}

#[test]
fn a_write_whose_answer_is_lost_is_found_by_reading() {
    let test = concat!(module_path!(), "::a_write_whose_answer_is_lost_is_found_by_reading");
    with_setup(test, async |setup| {
        setup.proxy.set_for("PutItem", Fault::LoseAnswer);
        let error =
            setup.store.swap(&name("prod"), Some(&"one".into()), &record("two"), PLENTY).await.unwrap_err();
        assert_eq!(kind(&error), Some(Unavailable::Failed), "{error:?}");
        assert!(!error.refused());
        assert_eq!(setup.store.read(&name("prod"), PLENTY).await, Ok(Some(record("two"))));
        // Had it been sent again, it would have met its own effect.
        assert_eq!(setup.proxy.seen("PutItem"), 2);
    });
}

#[test]
fn a_write_may_land_after_we_gave_up() {
    with_setup(concat!(module_path!(), "::a_write_may_land_after_we_gave_up"), async |setup| {
        let Setup { engine, proxy, store } = setup;
        proxy.set_for("PutItem", Fault::Delay);
        let error = store
            .swap(&name("prod"), Some(&"one".into()), &record("two"), Duration::from_millis(200))
            .await
            .unwrap_err();
        assert_eq!(kind(&error), Some(Unavailable::Timeout), "{error:?}");
        assert!(!error.refused());
        proxy.wait_delayed();
        assert_eq!(engine.get("locks", "tfguard:prod").unwrap()["stamp"]["S"], "one");
        proxy.release();
        assert_eq!(store.read(&name("prod"), PLENTY).await, Ok(Some(record("two"))));

        // And it cannot any more once its stamp is gone.
        proxy.set_for("PutItem", Fault::Delay);
        let late =
            store.swap(&name("prod"), Some(&"two".into()), &record("late"), Duration::from_millis(200)).await;
        assert!(late.is_err());
        proxy.wait_delayed();
        let direct = connect(&engine.endpoint, "locks").await;
        let swapped = direct.swap(&name("prod"), Some(&"two".into()), &record("three"), PLENTY).await;
        assert_eq!(swapped, Ok(Swap::Written));
        proxy.release();
        assert_eq!(store.read(&name("prod"), PLENTY).await, Ok(Some(record("three"))));
    });
}
