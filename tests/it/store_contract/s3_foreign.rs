//! Somebody else's S3: what keeps to conditions is used, what does not is refused before it does harm.

use tfguard::store::{S3Store, Store, StoreError, Swap};

use super::dynamodb::KEYS;
use super::lookalike::{Lookalike, Manner};
use super::s3::connect;
use super::{PLENTY, name, record};
use crate::support::isolated::{block_on, isolated};

fn with_lookalike(test: &str, manner: Manner, body: impl AsyncFnOnce(&Lookalike, &S3Store)) {
    isolated(test, &KEYS, || {
        let server = Lookalike::start(manner);
        block_on(async { body(&server, &connect(&server.endpoint(), "states").await).await });
    });
}

#[test]
fn conditions_are_tried_once_before_the_first_write() {
    let test = concat!(module_path!(), "::conditions_are_tried_once_before_the_first_write");
    with_lookalike(test, Manner::Honest, async |server, store| {
        let lock = name("states/net");
        assert_eq!(store.read(&lock, PLENTY).await, Ok(None));
        assert_eq!(server.take_seen(), ["GetObject 404"]);
        assert_eq!(store.swap(&lock, None, &record("one"), PLENTY).await, Ok(Swap::Written));
        let mut trial = server.take_seen();
        // The two creators come in any order.
        trial[..2].sort();
        assert_eq!(
            trial,
            [
                "PutObject if-none-match * 200",
                "PutObject if-none-match * 412",
                "PutObject if-match \"00000000000000000000000000000000\" 412",
                "PutObject if-match \"tag-1\" 200",
                "DeleteObject 204",
                "PutObject if-none-match * 200",
            ]
        );
        // Nothing of it stays, and it is not made again. A heartbeat is one request.
        assert_eq!(server.keys(), ["net.tfguard"]);
        assert_eq!(store.swap(&lock, Some(&"one".into()), &record("two"), PLENTY).await, Ok(Swap::Written));
        assert_eq!(server.take_seen(), ["PutObject if-match \"tag-3\" 200"]);
        // Who waits does not fetch what has not changed.
        assert_eq!(store.read(&lock, PLENTY).await, Ok(Some(record("two"))));
        assert_eq!(server.take_seen(), ["GetObject if-none-match \"tag-4\" 304"]);
    });
}

#[test]
fn who_ignores_if_none_match_is_refused() {
    refused(
        concat!(module_path!(), "::who_ignores_if_none_match_is_refused"),
        Manner::IgnoresIfNoneMatch,
        &["lets two writers create one object"],
    );
}

#[test]
fn who_ignores_if_match_is_refused() {
    refused(
        concat!(module_path!(), "::who_ignores_if_match_is_refused"),
        Manner::IgnoresIfMatch,
        &["although If-Match names another one"],
    );
}

#[test]
fn who_does_not_know_its_own_tag_is_refused() {
    refused(
        concat!(module_path!(), "::who_does_not_know_its_own_tag_is_refused"),
        Manner::RefusesItsOwnTag,
        &["does not replace an object whose ETag If-Match names"],
    );
}

#[test]
fn who_does_not_know_conditions_is_refused() {
    refused(
        concat!(module_path!(), "::who_does_not_know_conditions_is_refused"),
        Manner::Refuses,
        &["does not do what a lock needs", "NotImplemented"],
    );
}

/// No write of ours takes effect there, and what was tried is cleaned up.
fn refused(test: &str, manner: Manner, parts: &[&str]) {
    with_lookalike(test, manner, async |server, store| {
        for _ in 0..2 {
            let error = store.swap(&name("net"), None, &record("one"), PLENTY).await.unwrap_err();
            assert!(matches!(error, StoreError::Misconfigured { .. }), "{error:?}");
            for part in ["S3 bucket states in eu-west-1", &server.endpoint(), "--store"].iter().chain(parts) {
                assert!(error.to_string().contains(part), "{part:?} is not in: {error}");
            }
        }
        assert_eq!(server.keys(), [""; 0]);
    });
}

/// What answers without a tag may be anything, such as a page to log in at.
#[test]
fn a_write_without_a_tag_is_no_write() {
    let test = concat!(module_path!(), "::a_write_without_a_tag_is_no_write");
    with_lookalike(test, Manner::Tagless, async |server, store| {
        let error = store.swap(&name("net"), None, &record("one"), PLENTY).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }) && !error.refused(), "{error:?}");
        assert!(error.to_string().contains("not S3's"), "{error}");
        assert_eq!(server.keys(), [""; 0]);
    });
}

#[test]
fn the_trial_needs_no_permission_to_delete() {
    let test = concat!(module_path!(), "::the_trial_needs_no_permission_to_delete");
    with_lookalike(test, Manner::Undeletable, async |server, store| {
        assert_eq!(store.swap(&name("net"), None, &record("one"), PLENTY).await, Ok(Swap::Written));
        assert_eq!(server.keys().len(), 2);
        assert!(server.keys().iter().all(|key| key.starts_with(".tfguard/")), "{:?}", server.keys());
    });
}

#[test]
fn a_record_that_was_copied_onto_itself_is_still_the_same() {
    let test = concat!(module_path!(), "::a_record_that_was_copied_onto_itself_is_still_the_same");
    with_lookalike(test, Manner::Honest, async |server, store| {
        let lock = name("net");
        assert_eq!(store.swap(&lock, None, &record("one"), PLENTY).await, Ok(Swap::Written));
        server.copy_all();
        assert_eq!(store.swap(&lock, Some(&"one".into()), &record("two"), PLENTY).await, Ok(Swap::Written));
        server.copy_all();
        store.delete(&lock, Some(&"two".into())).await.unwrap();
        assert_eq!(server.keys(), [""; 0]);
    });
}

#[test]
fn deletion_works_where_it_knows_no_condition() {
    let test = concat!(module_path!(), "::deletion_works_where_it_knows_no_condition");
    with_lookalike(test, Manner::DeletesWithoutCondition, async |server, store| {
        let lock = name("net");
        assert_eq!(store.swap(&lock, None, &record("one"), PLENTY).await, Ok(Swap::Written));
        store.delete(&lock, Some(&"other".into())).await.unwrap();
        assert_eq!(server.keys(), [".tfguard/locks/net.tfguard"]);
        store.delete(&lock, Some(&"one".into())).await.unwrap();
        assert_eq!(server.keys(), [""; 0]);
    });
}
