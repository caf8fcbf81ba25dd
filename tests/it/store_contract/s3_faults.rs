//! What goes wrong between us and S3, and what we make of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tfguard::store::{S3Store, Store, StoreError, StoreResult, Swap, Unavailable};

use super::dynamodb::KEYS;
use super::lookalike::{Lookalike, Manner};
use super::s3::connect;
use super::{PLENTY, name, record};
use crate::support::fault::{Fault, Proxy};
use crate::support::http::{self, Reply, Server, forward};
use crate::support::isolated::{block_on, isolated};

struct Setup {
    engine: Lookalike,
    proxy: Proxy,
    store: S3Store,
}

/// Runs `body` on a store with a record `prod`, written as `one`, behind a proxy.
fn with_setup(test: &str, body: impl AsyncFnOnce(&Setup)) {
    isolated(test, &KEYS, || {
        let engine = Lookalike::start(Manner::Honest);
        let proxy = Proxy::start(&engine.endpoint());
        block_on(async {
            let store = connect(&proxy.endpoint(), "states").await;
            assert_eq!(store.swap(&name("prod"), None, &record("one"), PLENTY).await, Ok(Swap::Written));
            body(&Setup { engine, proxy, store }).await;
        });
    });
}

async fn write(store: &S3Store, timeout: Duration) -> StoreResult<Swap> {
    store.swap(&name("prod"), Some(&"one".into()), &record("two"), timeout).await
}

/// Reads and writes, and gives back both errors.
async fn both(store: &S3Store, timeout: Duration) -> [StoreError; 2] {
    [store.read(&name("prod"), timeout).await.unwrap_err(), write(store, timeout).await.unwrap_err()]
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
        for error in met(Fault::Error(400, "ExpiredToken", "The provided token has expired.")).await {
            assert!(matches!(error, StoreError::Credentials { expired: true, .. }), "{error:?}");
            assert_says(&error, &["log in again", "token has expired"]);
        }
        for (code, hint) in [
            ("InvalidAccessKeyId", "access key"),
            ("InvalidToken", "session token"),
            ("SignatureDoesNotMatch", "clock"),
            ("RequestTimeTooSkewed", "clock"),
        ] {
            for error in met(Fault::Error(403, code, "no\n\u{85}no.")).await {
                assert!(matches!(error, StoreError::Credentials { expired: false, .. }), "{error:?}");
                assert_says(&error, &[hint, "\\u{85}"]);
            }
        }
        let denied = met(Fault::Error(403, "AccessDenied", "Access Denied")).await;
        for (error, parts) in
            denied.iter().zip([["s3:GetObject", "s3:ListBucket"], ["s3:PutObject", "IAM policy"]])
        {
            assert!(matches!(error, StoreError::Credentials { expired: false, .. }), "{error:?}");
            assert_says(error, &parts);
            assert_says(error, &["S3 bucket states in eu-west-1"]);
        }
        for error in met(Fault::Error(503, "SlowDown", "Please reduce your request rate.")).await {
            assert_eq!(kind(&error), Some(Unavailable::Throttled), "{error:?}");
            assert!(error.refused());
            assert_says(&error, &["slow down"]);
        }
        for fault in [
            Fault::Error(500, "InternalError", "We encountered an internal error."),
            Fault::Error(503, "ServiceUnavailable", "later"),
            Fault::Error(400, "RequestTimeout", "Your socket connection was not read from"),
            Fault::Garbage(502, "<html>Bad gateway</html>"),
            Fault::Garbage(404, "<html>Not found</html>"),
            Fault::Garbage(200, "<html>Please log in</html>"),
        ] {
            // Nothing that is not S3's own word says that there is no record, or that one was written.
            for error in met(fault.clone()).await {
                assert_eq!(kind(&error), Some(Unavailable::Failed), "{fault:?}: {error:?}");
                assert!(!error.refused());
                assert_says(&error, &[&proxy.endpoint()]);
            }
        }
    });
}

#[test]
fn what_does_not_answer_is_told_apart() {
    with_setup(concat!(module_path!(), "::what_does_not_answer_is_told_apart"), async |setup| {
        let Setup { proxy, store, .. } = setup;
        proxy.set(Fault::Hang);
        let began = Instant::now();
        for error in both(store, Duration::from_millis(300)).await {
            assert_eq!(kind(&error), Some(Unavailable::Timeout), "{error:?}");
            assert_says(&error, &["did not answer within 0.3 s"]);
        }
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        proxy.set(Fault::Close);
        for error in both(store, PLENTY).await {
            assert_eq!(kind(&error), Some(Unavailable::Failed), "{error:?}");
            assert!(!error.refused());
        }
        let nobody = connect(&http::nobody(), "states").await;
        for error in both(&nobody, PLENTY).await {
            assert_eq!(kind(&error), Some(Unavailable::Unreachable), "{error:?}");
        }
    });
}

/// dynamolock#280 with objects: the write took effect, its answer was lost, the retry meets itself.
#[test]
fn a_write_whose_answer_was_lost_is_found_again() {
    let test = concat!(module_path!(), "::a_write_whose_answer_was_lost_is_found_again");
    with_setup(test, async |Setup { proxy, store, .. }| {
        proxy.set(Fault::LoseAnswer);
        let error = write(store, PLENTY).await.unwrap_err();
        assert!(!error.refused(), "{error:?}");
        proxy.set(Fault::None);
        assert_eq!(write(store, PLENTY).await, Ok(Swap::Conflict(Some(record("two")))));
        // It knows the new object by now: one request.
        let before = proxy.requests();
        let next = store.swap(&name("prod"), Some(&"two".into()), &record("three"), PLENTY).await;
        assert_eq!((next, proxy.requests()), (Ok(Swap::Written), before + 1));
    });
}

/// A write that everybody has given up cannot take effect once its condition is gone.
#[test]
fn a_late_write_changes_nothing() {
    with_setup(concat!(module_path!(), "::a_late_write_changes_nothing"), async |setup| {
        let Setup { engine, proxy, store } = setup;
        proxy.set_for("PutObject", Fault::Delay);
        let error = write(store, Duration::from_millis(300)).await.unwrap_err();
        assert!(!error.refused(), "{error:?}");
        proxy.wait_delayed();
        let rival = connect(&engine.endpoint(), "states").await;
        let won = rival.swap(&name("prod"), Some(&"one".into()), &record("rival"), PLENTY).await;
        assert_eq!(won, Ok(Swap::Written));
        proxy.release();
        assert_eq!(rival.read(&name("prod"), PLENTY).await, Ok(Some(record("rival"))));
    });
}

/// A server in front of `engine` that answers the first `times` writes of a record with 409.
fn contended(engine: String, times: usize) -> (Server, Arc<AtomicUsize>) {
    let met = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&met);
    let server = Server::start(move |request| {
        let is_record = request.operation() == "PutObject" && request.target().contains("/locks/");
        if is_record && counted.fetch_add(1, Ordering::SeqCst) < times {
            return http::answer(409, "<Error><Code>ConditionalRequestConflict</Code></Error>");
        }
        forward(&engine, &request).map_or(Reply::Close, Reply::Bytes)
    });
    (server, met)
}

#[test]
fn a_contended_write_is_made_again() {
    with_setup(
        concat!(module_path!(), "::a_contended_write_is_made_again"),
        async |Setup { engine, .. }| {
            let (server, met) = contended(engine.endpoint(), 3);
            let store = connect(&server.endpoint(), "states").await;
            assert_eq!(write(&store, PLENTY).await, Ok(Swap::Written));
            assert_eq!(met.load(Ordering::SeqCst), 4);
            // Somebody else was quicker meanwhile.
            let (server, _) = contended(engine.endpoint(), 1);
            let store = connect(&server.endpoint(), "states").await;
            assert_eq!(write(&store, PLENTY).await, Ok(Swap::Conflict(Some(record("two")))));
            // It never ends: given up in time, and known to have no effect.
            let (server, _) = contended(engine.endpoint(), usize::MAX);
            let store = connect(&server.endpoint(), "states").await;
            let next =
                store.swap(&name("prod"), Some(&"two".into()), &record("x"), Duration::from_secs(1)).await;
            let error = next.unwrap_err();
            assert!(error.refused(), "{error:?}");
            assert_says(&error, &["others keep writing"]);
        },
    );
}

#[test]
fn a_bucket_elsewhere_is_told_its_region() {
    isolated(concat!(module_path!(), "::a_bucket_elsewhere_is_told_its_region"), &KEYS, || {
        let code = Arc::new(Mutex::new((301, "PermanentRedirect")));
        let asked = Arc::clone(&code);
        let elsewhere = Server::start(move |_| {
            let (status, code) = *asked.lock().unwrap();
            let body = format!("<Error><Code>{code}</Code><Message>elsewhere</Message></Error>");
            let head = format!(
                "HTTP/1.1 {status} Test\r\nx-amz-bucket-region: ap-south-1\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            Reply::Bytes([head.as_bytes(), body.as_bytes()].concat())
        });
        block_on(async {
            let store = connect(&elsewhere.endpoint(), "states").await;
            for answer in [(301, "PermanentRedirect"), (400, "AuthorizationHeaderMalformed")] {
                *code.lock().unwrap() = answer;
                for error in both(&store, PLENTY).await {
                    assert!(matches!(error, StoreError::Misconfigured { .. }), "{error:?}");
                    assert_says(&error, &["S3 bucket states is in ap-south-1", "--region ap-south-1"]);
                }
            }
        });
    });
}
