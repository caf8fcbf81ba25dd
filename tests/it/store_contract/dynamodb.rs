//! DynamoDB through the real SDK: the contract, the items, and tables of a wrong shape.

use std::sync::Arc;

use serde_json::json;
use tfguard::store::{Access, DynamoConfig, DynamoStore, Store, StoreError, StoreSpec, Swap};

use super::{PLENTY, busy, contract, name, pages_of, record};
use crate::support::dynamo::{Engine, Shape};
use crate::support::isolated::{block_on, isolated};

/// Credentials that the engine does not look at.
pub(super) const KEYS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIDTEST"), ("AWS_SECRET_ACCESS_KEY", "secret")];

pub(super) fn config(endpoint: &str, table: &str) -> DynamoConfig {
    DynamoConfig {
        table: table.into(),
        access: Access {
            region: Some("eu-west-1".into()),
            endpoint_url: Some(endpoint.into()),
            ..Access::default()
        },
    }
}

pub(super) async fn connect(endpoint: &str, table: &str) -> DynamoStore {
    DynamoStore::connect(&config(endpoint, table)).await.unwrap()
}

fn engine(shape: Shape) -> Engine {
    let engine = Engine::start();
    engine.create_table("locks", shape);
    engine
}

#[test]
fn contract() {
    isolated(concat!(module_path!(), "::contract"), &KEYS, || {
        let engine = engine(Shape::Right);
        block_on(async {
            let stores: Vec<Arc<dyn Store>> = vec![
                Arc::new(connect(&engine.endpoint, "locks").await),
                Arc::new(connect(&engine.endpoint, "locks").await),
            ];
            let next = std::sync::atomic::AtomicUsize::new(0);
            contract::all(Arc::new(move || {
                let turn = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Arc::clone(&stores[turn % stores.len()])
            }))
            .await;
        });
    });
}

#[test]
fn an_item_is_what_the_protocol_says() {
    isolated(concat!(module_path!(), "::an_item_is_what_the_protocol_says"), &KEYS, || {
        let engine = engine(Shape::Right);
        let written = block_on(async {
            let store = connect(&engine.endpoint, "locks").await;
            store.swap(&name("prod"), None, &busy("s/1/1", 1, "why"), PLENTY).await
        });
        assert_eq!(written, Ok(Swap::Written));
        assert_eq!(engine.scan("locks").len(), 1);
        let item = engine.get("locks", "tfguard:prod").unwrap();
        assert_eq!(item["stamp"], json!({ "S": "s/1/1" }));
        assert_eq!(item["schema"], json!({ "N": "1" }));
        assert_eq!(item["expires_at"], json!({ "N": (1_800_000_000 + 30 * 24 * 3600).to_string() }));
        assert_eq!(item["holders"]["L"][0]["M"]["beat"], json!({ "N": (1u64 << 53).to_string() }));
        assert_eq!(item["queue"]["L"][0]["M"]["identity"]["M"]["actor"], json!({ "S": "ann" }));
    });
}

#[test]
fn the_items_of_others_and_the_history_are_not_listed() {
    isolated(concat!(module_path!(), "::the_items_of_others_and_the_history_are_not_listed"), &KEYS, || {
        let engine = engine(Shape::Right);
        for lock_id in ["bucket/key", "bucket/key-md5", "tfguard:x#1", "tfguard", "tfguarded:x"] {
            engine.put("locks", &json!({ "LockID": { "S": lock_id }, "Info": { "S": "{}" } }));
        }
        engine.put("locks", &json!({ "LockID": { "S": "tfguard:bad" }, "stamp": { "B": "AAAA" } }));
        block_on(async {
            let store = connect(&engine.endpoint, "locks").await;
            // More than the megabyte of one page.
            for number in 0..12 {
                let big = busy("s/1/1", 120, &"x".repeat(700));
                assert_eq!(
                    store.swap(&name(&format!("big-{number}")), None, &big, PLENTY).await,
                    Ok(Swap::Written)
                );
            }
            let pages = pages_of(&store, "", false).await.unwrap();
            assert!(pages.len() > 1 && pages.iter().all(|page| page.len() < 13), "{}", pages.len());
            let mut listed = pages.concat();
            listed.sort_by(|a, b| a.name.cmp(&b.name));
            assert_eq!(listed.len(), 13);
            assert_eq!(listed[0].name, "bad");
            assert!(listed[0].record.is_err());
            assert!(listed[1..].iter().all(|entry| entry.record.is_ok()));
            let error = store.read(&name("bad"), PLENTY).await.unwrap_err();
            assert!(matches!(&error, StoreError::BadRecord { lock, .. } if lock == "bad"), "{error:?}");
            let error = store.swap(&name("bad"), None, &record("x"), PLENTY).await.unwrap_err();
            assert!(matches!(error, StoreError::BadRecord { .. }), "{error:?}");
        });
    });
}

#[test]
fn a_table_of_the_wrong_shape_is_told_apart() {
    isolated(concat!(module_path!(), "::a_table_of_the_wrong_shape_is_told_apart"), &KEYS, || {
        for (shape, said) in [
            (Some(Shape::WrongName), "has the partition key \"lock_id\" instead of \"LockID\""),
            (Some(Shape::WrongType), "has its partition key \"LockID\" of type N instead of S"),
            (Some(Shape::SortKey), "has the sort key \"sort_key\""),
            (None, "there is no DynamoDB table locks in eu-west-1"),
        ] {
            let engine = Engine::start();
            if let Some(shape) = shape {
                engine.create_table("locks", shape);
            }
            block_on(async {
                let store = connect(&engine.endpoint, "locks").await;
                let answers = [
                    store.read(&name("prod"), PLENTY).await.unwrap_err(),
                    store.swap(&name("prod"), None, &record("x"), PLENTY).await.unwrap_err(),
                    store.swap(&name("prod"), Some(&"y".into()), &record("x"), PLENTY).await.unwrap_err(),
                    store.delete(&name("prod"), None).await.unwrap_err(),
                ];
                for error in answers {
                    assert!(matches!(error, StoreError::Misconfigured { .. }), "{shape:?}: {error:?}");
                    let text = error.to_string();
                    for part in [said, "`tfguard setup --table ", " --region eu-west-1"] {
                        assert!(text.contains(part), "{part:?} is not in: {text}");
                    }
                }
            });
        }
    });
}

#[test]
fn a_spec_opens_it() {
    isolated(concat!(module_path!(), "::a_spec_opens_it"), &KEYS, || {
        let engine = engine(Shape::Right);
        let spec = StoreSpec::Dynamodb(config(&engine.endpoint, "locks"));
        block_on(async {
            let store = spec.open().await.unwrap();
            assert_eq!(store.describe(), spec.describe());
            assert_eq!(store.swap(&name("prod"), None, &record("x"), PLENTY).await, Ok(Swap::Written));
            let (sender, _changed) = tokio::sync::mpsc::channel(1);
            assert!(store.watch(&name("prod"), sender).is_none());
        });
        assert!(spec.describe().starts_with("DynamoDB table locks in eu-west-1"), "{}", spec.describe());
    });
}
