//! S3 through the real SDK: the contract, the objects, and buckets that are not what was meant.

use std::sync::Arc;

use serde_json::{Value, json};
use tfguard::lease::transition::Ending;
use tfguard::lease::{Outcome, PastRun, Teller};
use tfguard::store::{Access, S3Config, S3Store, Store, StoreError, StoreSpec, Swap};

use super::dynamodb::KEYS;
use super::{PLENTY, all_of, busy, contract, name, pages_of, record};
use crate::support::http::{Reply, Server, forward};
use crate::support::isolated::{block_on, isolated};
use crate::support::moto::Moto;

pub(super) fn config(endpoint: &str, bucket: &str) -> S3Config {
    S3Config {
        bucket: bucket.into(),
        path_style: false,
        access: Access {
            region: Some("eu-west-1".into()),
            endpoint_url: Some(endpoint.into()),
            ..Access::default()
        },
    }
}

pub(super) async fn connect(endpoint: &str, bucket: &str) -> S3Store {
    S3Store::connect(&config(endpoint, bucket)).await.unwrap()
}

#[test]
fn contract() {
    isolated(concat!(module_path!(), "::contract"), &KEYS, || {
        let moto = Moto::start();
        moto.create_bucket("bucket");
        block_on(async {
            let stores: Vec<Arc<dyn Store>> = vec![
                Arc::new(connect(&moto.endpoint, "bucket").await),
                Arc::new(connect(&moto.endpoint, "bucket").await),
            ];
            let next = std::sync::atomic::AtomicUsize::new(0);
            let open = Arc::new(move || -> Arc<dyn Store> {
                let turn = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Arc::clone(&stores[turn % stores.len()])
            });
            contract::all_among(open, 8).await;
        });
        objects_are_what_the_design_says(&moto);
        the_objects_of_others_are_not_listed(&moto);
        buckets_that_are_not_there_are_told_of(&moto);
    });
}

fn objects_are_what_the_design_says(moto: &Moto) {
    moto.create_bucket("states");
    block_on(async {
        let spec = StoreSpec::S3(config(&moto.endpoint, "states"));
        let store = spec.open().await.unwrap();
        assert_eq!(store.describe(), spec.describe());
        for lock in ["states/net/terraform.tfstate", "prod", "other/key"] {
            let written = store.swap(&name(lock), None, &busy("s/1/1", 1, "why"), PLENTY).await;
            assert_eq!(written, Ok(Swap::Written));
        }
    });
    for (key, lock) in [
        ("net/terraform.tfstate.tfguard", "states/net/terraform.tfstate"),
        (".tfguard/locks/prod.tfguard", "prod"),
        (".tfguard/locks/other%252Fkey.tfguard", "other/key"),
    ] {
        let (status, head, body) = moto.request("GET", &format!("/states/{key}"), &[], b"");
        assert_eq!(status, 200, "{key}");
        let head = head.to_lowercase();
        assert!(head.contains("content-type: application/json") && head.contains("cache-control: no-cache"));
        let document: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(document["LockID"], json!(format!("tfguard:{lock}")));
        assert_eq!((&document["schema"], &document["stamp"]), (&json!(1), &json!("s/1/1")));
        assert_eq!(document["queue"][0]["identity"]["actor"], "ann");
    }
}

/// A page of the listing has three keys, and the history is passed over.
fn the_objects_of_others_are_not_listed(moto: &Moto) {
    moto.create_bucket("listed");
    let put = |key: &str, body: &str| {
        assert_eq!(moto.request("PUT", &format!("/listed/{key}"), &[], body.as_bytes()).0, 200, "{key}");
    };
    let pages = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let reads = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (engine, counted, gets) = (moto.endpoint.clone(), Arc::clone(&pages), Arc::clone(&reads));
    let paged = Server::start(move |mut request| {
        if request.operation() == "ListObjectsV2" {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let text = String::from_utf8(request.bytes).unwrap();
            request.bytes = text.replace("list-type=2", "list-type=2&max-keys=3").into_bytes();
        }
        if request.operation() == "GetObject" {
            gets.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        forward(&engine, &request).map_or(Reply::Close, Reply::Bytes)
    });
    block_on(async {
        let store = connect(&paged.endpoint(), "listed").await;
        let locks = ["a", "b", "z", "listed/a b/é+%.tfstate", "listed/net"];
        for lock in locks {
            assert_eq!(store.swap(&name(lock), None, &record(lock), PLENTY).await, Ok(Swap::Written));
        }
        let mut holder = busy("s", 0, "").holders.remove(0);
        for number in 1..=30 {
            holder.run = Some(number);
            let ending = Ending::new(Outcome::Released, Some(0));
            let past = PastRun::of(&holder, &ending, Teller::Run, holder.granted_at).unwrap();
            store.record_run(&name("a"), &past, PLENTY).await.unwrap();
        }
        put("net", "a state");
        put("net.tflock", "{}");
        put("foreign.tfguard", "{\"LockID\": \"bucket/key-md5\"}");
        put("bad.tfguard", "{\"LockID\": \"tfguard:listed/bad\", \"stamp\": 7}");
        put("rubbish.tfguard", "<html>");
        put("long.tfguard", &"x".repeat(2 << 20));
        let mut listed = all_of(&store).await.unwrap();
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        let shown: Vec<_> = listed.iter().map(|entry| (entry.name.as_str(), entry.record.is_ok())).collect();
        assert_eq!(
            shown,
            [
                ("a", true),
                ("b", true),
                ("listed/a b/é+%.tfstate", true),
                ("listed/bad", false),
                ("listed/long", false),
                ("listed/net", true),
                ("listed/rubbish", false),
                ("z", true),
            ]
        );
        // 3 locks, one page of history, 9 others.
        let pages = pages.load(std::sync::atomic::Ordering::Relaxed);
        assert!((4..=6).contains(&pages), "{pages} pages");
        // Who looks again reads what has changed, and nothing else.
        assert_eq!(pages_of(&store, "", true).await.unwrap().concat().len(), 8);
        let before = reads.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(pages_of(&store, "", true).await.unwrap().concat().len(), 8);
        assert_eq!(reads.load(std::sync::atomic::Ordering::Relaxed), before);
        let stamp = "b".to_owned();
        assert_eq!(store.swap(&name("b"), Some(&stamp), &record("b2"), PLENTY).await, Ok(Swap::Written));
        let before = reads.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(pages_of(&store, "", true).await.unwrap().concat().len(), 8);
        assert_eq!(reads.load(std::sync::atomic::Ordering::Relaxed), before + 1);
        for lock in ["listed/bad", "listed/long", "listed/rubbish"] {
            let error = store.read(&name(lock), PLENTY).await.unwrap_err();
            assert!(
                matches!(&error, StoreError::BadRecord { lock: named, .. } if named == lock),
                "{error:?}"
            );
            store.delete(&name(lock), None).await.unwrap();
            assert_eq!(store.read(&name(lock), PLENTY).await, Ok(None));
        }
    });
}

fn buckets_that_are_not_there_are_told_of(moto: &Moto) {
    block_on(async {
        let store = connect(&moto.endpoint, "nowhere").await;
        let answers = [
            store.read(&name("prod"), PLENTY).await.unwrap_err(),
            store.swap(&name("prod"), None, &record("x"), PLENTY).await.unwrap_err(),
            store.delete(&name("prod"), None).await.unwrap_err(),
            all_of(&store).await.unwrap_err(),
        ];
        for error in answers {
            assert!(matches!(error, StoreError::Misconfigured { .. }), "{error:?}");
            for part in ["there is no S3 bucket nowhere in eu-west-1", "--bucket"] {
                assert!(error.to_string().contains(part), "{part:?} is not in: {error}");
            }
        }
        let named = connect(&moto.endpoint, "No_Such.Name").await;
        let error = named.read(&name("prod"), PLENTY).await.unwrap_err();
        assert!(matches!(error, StoreError::Misconfigured { .. }), "{error:?}");
    });
}
