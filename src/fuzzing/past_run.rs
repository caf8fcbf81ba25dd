//! A run that is over, as a store holds it.

use serde_json::Value;

use super::{assert_harmless, assert_same, now};
use crate::history::Row;
use crate::history::page::{Book, Page, render};
use crate::history::words;
use crate::lease::{Found, LockName, PastRun};
use crate::store::dynamodb::item;

/// What decodes comes back as it went in every form and is shown without harm, and so is what does not.
pub fn past_run(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    let past = PastRun::from_json(value.clone());
    let name = LockName::new("prod").unwrap();
    if let Value::Object(fields) = value {
        let attributes =
            fields.into_iter().map(|(field, value)| (field, item::to_attribute(value))).collect();
        assert_same(&item::from_run_item(attributes), &past);
    }
    if let Ok(past) = &past {
        assert_eq!(PastRun::from_json(serde_json::to_value(past).unwrap()).as_ref(), Ok(past));
        assert_eq!(item::from_run_item(item::to_run_item(&name, past).unwrap()).as_ref(), Ok(past));
        assert!(past.replaces(past));
        assert_harmless(&words::ending(past));
        assert_harmless(&words::changes(past));
    }
    let run = past.as_ref().map_or(1, |past| past.run);
    let rows = [Row::from(Found { run, past })];
    let book = Book { lock: &name, store: "folder /x", record: None, rows: &rows };
    let page = render(Page { locks: &[book], since: None, now: now(), version: "0" }).unwrap();
    assert_page(&page);
}

/// The page has no tag, attribute or link that its templates have not.
pub(super) fn assert_page(page: &str) {
    assert_harmless(page);
    let (_, body) = page.split_once("<body").unwrap();
    let body = body.split_once("<script>").map_or(body, |(body, _)| body);
    for tag in body.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap_or_else(|| panic!("an open tag: {tag:?}"));
        let name = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap_or_default();
        let known = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric());
        assert!(known && !["script", "img", "iframe", "object", "form"].contains(&name), "a tag: {tag:?}");
        // Outside the quotes of values nothing but names of attributes.
        let outside: String = tag.split('"').step_by(2).collect();
        assert!(tag.matches('"').count() % 2 == 0 && !outside.contains('\''), "quotes: {tag:?}");
        assert!(!outside.split_whitespace().any(|name| name.starts_with("on")), "a handler: {tag:?}");
    }
    for link in body.split("href=\"").skip(1) {
        // A scheme may be written in capitals too.
        let begin = link.chars().take(40).collect::<String>().to_ascii_lowercase();
        assert!(
            ["#", "https://", "http://"].iter().any(|known| begin.starts_with(known)),
            "a link: {begin:?}"
        );
    }
    assert!(!page.contains("NaN") && !page.contains("inf%"), "a length that is no number");
}
