//! A lock record as a file, an object or an item holds it.

use serde_json::Value;

use super::{assert_harmless, assert_json_line, assert_same, now, session};
use crate::cli::source::Sources;
use crate::history::page::{Book, Page, render};
use crate::lease::transition::{self, Candidate, Ending};
use crate::lease::{Identity, Intervention, Lease, LockName, Mode, Outcome, Record, RecordError, Standing};
use crate::report::Look;
use crate::status::View;
use crate::status::brief::{Brief, Tally};
use crate::status::{document, table, text};
use crate::store::codec;
use crate::store::dynamodb::item;

/// Counters from here on are not counted up in these tests: the record after them is damaged.
const MOST: u64 = (1 << 53) - 8;

/// What decodes is sound, comes back as it went in every form, stays sound through every transition, is
/// shown without harm, and takes no session out of step; what does not decode is told of without harm.
pub fn record(bytes: &[u8]) {
    let decoded = codec::decode(bytes);
    as_item(bytes, &decoded);
    shown(decoded.as_ref());
    let Ok(record) = decoded else { return };
    assert_sound(&record);
    comes_back(&record);
    if record.generation <= MOST && record.runs <= MOST && record.holders.iter().all(|h| h.beat <= MOST) {
        goes_on(&record);
        session::meets(&record);
    }
}

fn name() -> LockName {
    LockName::new("prod").unwrap()
}

/// An item with the same content is the same record, or is none either.
fn as_item(bytes: &[u8], decoded: &Result<Record, RecordError>) {
    let Ok(Value::Object(fields)) = serde_json::from_slice(bytes) else {
        assert!(decoded.is_err());
        return;
    };
    let attributes = fields.into_iter().map(|(field, value)| (field, item::to_attribute(value))).collect();
    assert_same(&item::from_item(attributes), decoded);
}

/// What [`Record::check`] promises, in other words than its own.
pub(super) fn assert_sound(record: &Record) {
    assert_eq!(record.schema, 1);
    assert!(!record.stamp.is_empty());
    assert!(!record.holders.is_empty() || record.queue.is_empty(), "nobody is served: {record:?}");
    let alone = record.holders.iter().all(|holder| holder.mode == Mode::Shared) || record.holders.len() == 1;
    assert!(alone || record.holders.is_empty(), "not alone: {record:?}");
    let holders = record.holders.iter().map(|holder| (&holder.session, holder.lease_ms));
    let all: Vec<_> =
        holders.chain(record.queue.iter().map(|waiter| (&waiter.session, waiter.lease_ms))).collect();
    let sessions: std::collections::HashSet<_> = all.iter().map(|(session, _)| session).collect();
    assert_eq!(sessions.len(), all.len(), "twice in it: {record:?}");
    assert!(all.iter().all(|(_, lease)| (10_000..=3_600_000).contains(lease)), "{record:?}");
    assert!(record.holders.iter().all(|holder| holder.generation <= record.generation), "{record:?}");
}

fn comes_back(record: &Record) {
    let document = codec::encode(&name(), record).unwrap();
    assert_json_line(&document);
    let again = codec::decode(&document).unwrap();
    assert_eq!(&again, record);
    assert_eq!(codec::encode(&name(), &again).unwrap(), document, "two documents of one record");
    let attributes = item::to_item(&name(), record).unwrap();
    assert_eq!(item::from_item(attributes).as_ref(), Ok(record));
}

pub(super) fn candidate(session: &str, mode: Mode) -> Candidate {
    Candidate {
        session: session.to_owned(),
        mode,
        changes: true,
        lease: Lease::default(),
        asked_at: now(),
        identity: Identity::default(),
    }
}

/// Every transition makes a sound record out of a sound one, and touches nobody else's entry.
fn goes_on(record: &Record) {
    let mut sessions: Vec<&str> = record.holders.iter().map(|holder| holder.session.as_str()).collect();
    sessions.extend(record.queue.iter().map(|waiter| waiter.session.as_str()));
    sessions.push("nobody");
    let me = candidate("\u{0}me", Mode::Exclusive);
    let shared = candidate("\u{0}me", Mode::Shared);
    let by = Intervention { by: "ann".into(), reason: "stuck".into(), at: now() };
    let ending = Ending {
        changed: true,
        rescued: Some("/x/errored.tfstate".into()),
        ..Ending::new(Outcome::Crashed, Some(1))
    };
    for who in sessions {
        let dead = [who.to_owned()];
        let them = candidate(who, Mode::Exclusive);
        let all = [
            Some(transition::release(record, who, &ending, now())),
            Some(transition::leave(record, who, now())),
            Some(transition::evict(record, &dead, &me, now())),
            Some(transition::renew(record, who, None, now())),
            Some(transition::confirm(record, &them, now())),
            transition::revoke(record, who, &by),
            transition::remove(record, who, &by, now()),
        ];
        for next in all.into_iter().flatten() {
            assert_follows(record, next, who);
        }
    }
    if matches!(record.standing(&me.session), Standing::Absent) {
        for me in [&me, &shared] {
            if let Some(next) = transition::acquire(Some(record), me, now()) {
                assert_follows(record, next, &me.session);
            }
        }
    }
}

fn assert_follows(before: &Record, next: Record, who: &str) {
    let next = next.sealed("next/1".into(), now());
    assert_sound(&next);
    assert_eq!(next.clone().check().as_ref(), Ok(&next));
    assert!(next.generation >= before.generation && next.runs >= before.runs);
    for holder in before.holders.iter().filter(|holder| holder.session != who) {
        assert_eq!(next.holder(&holder.session), Some(holder), "{who} changed it");
    }
    for waiter in before.queue.iter().filter(|waiter| waiter.session != who) {
        assert_ne!(next.standing(&waiter.session), Standing::Absent, "{who} took it out");
    }
}

/// What people and programs are shown of it.
fn shown(decoded: Result<&Record, &RecordError>) {
    let record = decoded.map(Some);
    let view =
        View { lock: "prod", store: "folder /x", sources: &Sources::NONE, record, past: None, now: now() };
    for width in [None, Some(0), Some(60)] {
        assert_harmless(&text::text(view, Look { width, colour: false }));
    }
    let document = document::json(&[view]);
    assert_json_line(&document);
    assert_harmless(&String::from_utf8(document).unwrap());
    let brief = [Brief::new("prod", record)];
    let tally = Tally::of(&brief);
    let listing =
        table::Listing { store: "folder /x", prefix: "", locks: &brief, limited: false, tally, now: now() };
    for width in [None, Some(20), Some(80)] {
        assert_harmless(&table::text(listing, width, false));
    }
    if let Ok(record) = decoded {
        let lock = name();
        let book = Book { lock: &lock, store: "folder /x", record: Some(record), rows: &[] };
        let page = render(Page { locks: &[book], since: None, now: now(), version: "0" }).unwrap();
        super::past_run::assert_page(&page);
    }
}
