//! The page as a whole: what is in it, what never is, and that it can be read.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::policy::{SCRIPT, STYLE, policy};
use super::*;
use crate::escape;
use crate::lease::{
    Activity, Counts, Found, Holder, Identity, Intervention, Mode, Outcome, PastRun, Phase, RecordError,
    Teller, Waiter,
};
use crate::report::testing::{alice, mallory};

/// 2026-11-21 08:00:00 UTC.
const START: i64 = 1_795_248_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(START + second).unwrap()
}

/// A run that asked `asked` seconds after the start.
fn past(run: u64, asked: i64, waited: i64, held: i64, identity: &Identity) -> PastRun {
    PastRun {
        schema: 1,
        run,
        generation: run,
        session: format!("session-{run}"),
        mode: Mode::Exclusive,
        identity: identity.clone(),
        asked_at: at(asked),
        granted_at: at(asked + waited),
        active_at: None,
        ended_at: at(asked + waited + held),
        waited_ms: waited.unsigned_abs() * 1000,
        held_ms: held.unsigned_abs() * 1000,
        outcome: Outcome::Released,
        result: Some("succeeded".into()),
        exit_code: Some(0),
        changed: true,
        counts: Some(Counts { add: 1, change: 2, destroy: 3, import: 0 }),
        rescued: None,
        by: None,
        told_by: Teller::Run,
        expires_at: 0,
    }
}

fn holder(run: u64, identity: &Identity) -> Holder {
    Holder {
        session: format!("session-{run}"),
        mode: Mode::Exclusive,
        phase: Phase::Active,
        beat: 3,
        lease_ms: 180_000,
        generation: 100,
        run: Some(run),
        changes: true,
        revoked: None,
        asked_at: at(400),
        granted_at: at(450),
        renewed_at: at(590),
        activity: Some(Activity::new("apply", at(500))),
        identity: identity.clone(),
    }
}

fn record(runs: u64, identity: &Identity) -> Record {
    let waiter = Waiter {
        session: "waits".into(),
        mode: Mode::Exclusive,
        lease_ms: 180_000,
        asked_at: at(550),
        identity: identity.clone(),
    };
    let json = serde_json::json!({
        "schema": 1, "stamp": "s", "generation": 100, "runs": runs, "updated_at": at(600),
        "holders": [holder(runs, identity)], "queue": [waiter], "expires_at": 0,
    });
    serde_json::from_value(json).unwrap()
}

/// Every kind of row, the newest first.
fn rows(identity: &Identity) -> Vec<Row> {
    let text = identity.actor.clone().unwrap_or_default();
    let by = Intervention { by: text.clone(), reason: text.clone(), at: at(340) };
    let over = |run, asked| past(run, asked, 20, 40, identity);
    let result = |past: PastRun, word: &str, code| PastRun { exit_code: code, ..past }.with_result(word);
    vec![
        Row::Running(holder(7, identity)),
        Row::Over(PastRun { outcome: Outcome::Forced, counts: None, ..over(6, 300) }.with_operator(&by)),
        Row::from(Found { run: 5, past: Err(RecordError::Rubbish(text.clone())) }),
        Row::Over(PastRun { outcome: Outcome::Crashed, result: None, rescued: Some(text), ..over(4, 180) }),
        Row::Over(result(over(3, 120), "cancelled", Some(1))),
        Row::Over(PastRun { counts: None, ..result(over(2, 60), "failed", Some(7)) }),
        Row::Over(PastRun { mode: Mode::Shared, ..over(1, 0) }),
    ]
}

fn shown(lock: &str, rows: &[Row], record: Option<&Record>) -> String {
    let lock = LockName::new(lock).unwrap();
    let book = Book { lock: &lock, store: "folder /x", record, rows };
    let page = Page { locks: &[book], since: None, now: at(600), version: "0.0.0" };
    render(page).unwrap()
}

/// The tags of a page in their order, without what stands in them or between them.
fn tags(page: &str) -> Vec<&str> {
    let inner = |tag: &'static str| {
        page.split_once(&format!("<{tag}>")).and_then(|(_, rest)| rest.split_once(&format!("</{tag}>")))
    };
    assert_eq!((inner("style").unwrap().0, inner("script").unwrap().0), (STYLE, SCRIPT));
    let own = [inner("style").unwrap().0, inner("script").unwrap().0];
    let own: Vec<_> =
        own.iter().map(|own| own.as_ptr() as usize..own.as_ptr() as usize + own.len()).collect();
    page.match_indices('<')
        .filter(|(index, _)| !own.iter().any(|own| own.contains(&(page.as_ptr() as usize + index))))
        .map(|(index, _)| &page[index..])
        .map(|rest| &rest[..rest.find([' ', '>']).unwrap_or(rest.len())])
        .collect()
}

#[test]
fn the_page_is_as_it_was() {
    let identity = Identity {
        repository: Some("acme/infra".into()),
        change: Some("#12".into()),
        reason: Some("certificate expired".into()),
        ..alice()
    };
    let rows = rows(&identity);
    let record = record(7, &identity);
    let page = shown("prod/network", &rows, Some(&record))
        .replace(STYLE, "[page.css]")
        .replace(SCRIPT, "[page.js]")
        .replace(&policy().replace('\'', "&#39;"), "[policy]");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/history/page/tests/golden.html");
    #[allow(clippy::disallowed_methods, reason = "a switch of the test itself")]
    if std::env::var_os("TFGUARD_REWRITE_GOLDEN").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        page == golden,
        "the page is another one; if that is meant: TFGUARD_REWRITE_GOLDEN=1, and look at the diff"
    );
}

#[test]
fn hostile_text_adds_no_tag_and_leads_nowhere() {
    let evil = |c: &str| {
        format!("{c}</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'--> \u{202e}]]>")
    };
    let all = |c: &str, url: &str| Identity {
        actor: Some(evil(c)),
        host: Some(evil(c)),
        repository: Some(evil(c)),
        change: Some(evil(c)),
        command: Some(evil(c)),
        reason: Some(evil(c)),
        url: Some(url.into()),
        ..Identity::default()
    };
    // As many words.
    let text = || Some("a b c d".to_owned());
    let plain = |url: &str| Identity {
        actor: text(),
        host: text(),
        repository: text(),
        change: text(),
        command: text(),
        reason: text(),
        url: Some(url.into()),
        ..Identity::default()
    };
    let page = |lock: &str, identity: &Identity| {
        let record = record(7, identity);
        shown(lock, &rows(identity), Some(&record))
    };
    for url in
        ["https://ci.example/1", "javascript:alert(1)", "https://x/\"onclick=alert(1)", "data:text/html,x"]
    {
        let hostile = page("</title><script>alert(1)</script>\u{202e}", &all("", url));
        assert!(tags(&hostile) == tags(&page("a", &plain(url))), "{url}: {hostile}");
        assert!(!hostile.contains(|c| c != '\n' && escape::is_unsafe(c)), "{hostile}");
        for link in hostile.split("href=\"").skip(1) {
            assert!(link.starts_with('#') || link.starts_with("https://ci.example/1\""), "{}", &link[..40]);
        }
    }
    let logged = page("a", &mallory());
    assert!(!logged.contains(|c| c != '\n' && escape::is_unsafe(c)), "{logged}");
}

#[test]
fn the_policy_knows_this_style_and_this_script_and_no_other() {
    let page = shown("a", &[], None);
    let between =
        |from: &str, to: &str| page.split_once(from).unwrap().1.split_once(to).unwrap().0.to_owned();
    for (tag, directive) in [("style", "style-src"), ("script", "script-src")] {
        let hash = STANDARD.encode(Sha256::digest(between(&format!("<{tag}>"), &format!("</{tag}>"))));
        assert!(policy().contains(&format!("{directive} 'sha256-{hash}'")), "{tag}");
    }
    assert!(policy().starts_with("default-src 'none'; "));
    assert!(!policy().contains("unsafe"));
    // What the hashes do not cover is not used: the policy would block it.
    for attribute in [" style=", " onclick=", " onload=", " src=", "<link", "@import"] {
        assert!(!page.contains(attribute), "{attribute}");
    }
    assert_eq!(page.matches("url(").count(), page.matches("url(#").count());
    assert!(!SCRIPT.contains("</") && !STYLE.contains("</"));
}

#[test]
fn a_lock_without_runs_has_a_page_that_says_so() {
    let page = shown("a", &[], None);
    assert!(page.contains("There were none yet."));
    assert!(!page.contains("<table"));
    let record = Record { runs: 12, holders: Vec::new(), queue: Vec::new(), ..record(12, &alice()) };
    assert!(shown("a", &[], Some(&record)).contains("None is kept; 12 were counted."));
}

#[test]
fn one_run_is_a_history() {
    let rows = [Row::Over(past(1, 0, 0, 0, &Identity::default()))];
    let page = shown("a", &rows, None);
    assert!(page.contains("100 %") && page.contains("someone"), "{page}");
    assert_eq!(page.matches("<tr id=").count(), 1);
    assert!(!page.contains("NaN") && !page.contains("inf%"), "{page}");
}

#[test]
fn a_long_history_is_summed_up_and_the_page_says_what_is_left_out() {
    let long: Vec<Row> = (1..=10_000_u32)
        .rev()
        .map(|run| {
            let seconds = i64::from(run) * 700;
            Row::Over(past(run.into(), seconds, i64::from(run % 90), 300, &alice()))
        })
        .collect();
    let page = shown("a", &long, None);
    assert!(page.len() < 1_500_000, "{}", page.len());
    assert_eq!(page.matches("<tr id=").count(), 1000);
    for says in ["The newest 1,000 of these 10,000 runs", "All 10,000 runs by day", "The newest 40 runs"] {
        assert!(page.contains(says), "{says}");
    }
    let overview =
        overview::overview(&long.iter().map(|row| run::Run::of(row, at(0))).collect::<Vec<_>>()).unwrap();
    assert!(overview.columns.len() <= 92);
}

#[test]
fn a_run_under_several_locks_leads_from_one_to_the_other() {
    let (a, b) = (LockName::new("a").unwrap(), LockName::new("b").unwrap());
    let (first, second) = (past(3, 0, 1, 2, &alice()), past(5, 0, 1, 2, &alice()));
    let second = PastRun { session: first.session.clone(), ..second };
    let rows = [[Row::Over(first)], [Row::Over(second)]];
    let book = |lock, rows| Book { lock, store: "x", record: None, rows };
    let books = [book(&a, &rows[0]), book(&b, &rows[1])];
    let page = render(Page { locks: &books, since: None, now: at(600), version: "0.0.0" }).unwrap();
    let (first, second) = page.split_once("<section class=\"lock\" id=\"lock-2\"").unwrap();
    assert!(first.contains("also under <a href=\"#lock-2-run-5\">b</a>"));
    assert!(second.contains("also under <a href=\"#lock-1-run-3\">a</a>"));
    assert!(
        page.contains("<tr id=\"lock-2-run-5\">") && page.contains("<title>2 locks: lock history</title>")
    );
}

#[test]
fn bars_lie_where_the_times_are() {
    let now = at(600);
    // 0..100 waits 20 and holds 80, 50..200 waits 50 and holds 100: nothing is cut out.
    let runs: Vec<run::Run> = [past(2, 50, 50, 100, &alice()), past(1, 0, 20, 80, &alice())]
        .map(|past| run::Run::of(&Row::Over(past), now))
        .into();
    let drawn = timeline::timeline(&runs);
    assert!(drawn.cuts.is_empty());
    let span = |span: Option<timeline::Span>| {
        let span = span.unwrap();
        (span.x.to_string(), span.width.to_string())
    };
    let strings = |x: &str, width: &str| (x.to_owned(), width.to_owned());
    assert_eq!(span(drawn.rows[0].wait), strings("25%", "25%"));
    assert_eq!(span(drawn.rows[0].hold), strings("50%", "50%"));
    assert_eq!(span(drawn.rows[1].wait), strings("0%", "10%"));
    assert_eq!(span(drawn.rows[1].hold), strings("10%", "40%"));
    assert_eq!(drawn.rows[1].tip, "run 1 of alice: waited 20 s, held 1 min 20 s, succeeded");
    assert!(drawn.described.contains("Longest wait: 50 s, run 2."), "{}", drawn.described);
}

#[test]
fn clocks_that_disagree_give_no_bar_that_runs_backwards() {
    let odd = PastRun { granted_at: at(-50), ended_at: at(-90), ..past(1, 0, 0, 0, &alice()) };
    let runs = [run::Run::of(&Row::Over(odd), at(-500))];
    let drawn = timeline::timeline(&runs);
    assert_eq!(drawn.rows[0].wait, None);
    let hold = drawn.rows[0].hold.unwrap();
    assert!(hold.x.0 >= 0.0 && hold.width.0 > 0.0 && hold.x.0 + hold.width.0 <= 100.0, "{hold:?}");
    let figures = figures::figures(&runs, at(-500));
    assert_eq!(figures.period.0, Duration::ZERO);
}

#[test]
fn the_share_in_use_counts_shared_time_once() {
    let shared =
        |run, asked, held| Row::Over(PastRun { mode: Mode::Shared, ..past(run, asked, 0, held, &alice()) });
    let runs: Vec<run::Run> =
        [shared(1, 0, 100), shared(2, 50, 100)].iter().map(|row| run::Run::of(row, at(600))).collect();
    assert_eq!(figures::figures(&runs, at(600)).in_use, "25 %");
}

/// The variables of a theme, from the part of the style sheet that begins there.
fn colours(from: &str) -> std::collections::BTreeMap<String, [f64; 3]> {
    let block = STYLE.split_once(from).unwrap().1.split_once('}').unwrap().0;
    let one = |line: &str| {
        let (name, hex) = line.trim().strip_prefix("--")?.strip_suffix(';')?.split_once(": #")?;
        let part = |index: usize| f64::from(u8::from_str_radix(&hex[index..index + 2], 16).unwrap()) / 255.0;
        Some((name.to_owned(), [part(0), part(2), part(4)]))
    };
    block.lines().filter_map(one).collect()
}

/// As WCAG 2 defines it.
fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let linear = |part: f64| if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) };
    let light = |[r, g, b]: [f64; 3]| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    let (one, other) = (light(one) + 0.05, light(other) + 0.05);
    one.max(other) / one.min(other)
}

#[test]
fn both_themes_can_be_read() {
    assert!((contrast([0.0; 3], [1.0; 3]) - 21.0).abs() < 1e-9);
    let light = colours(":root {");
    let dark = colours("(prefers-color-scheme: dark) {\n  :root {");
    assert_eq!(light.keys().collect::<Vec<_>>(), dark.keys().collect::<Vec<_>>());
    for (theme, colours) in [("light", light), ("dark", dark)] {
        for ground in ["card", "paper", "grid"] {
            for text in ["ink", "soft", "link"] {
                let contrast = contrast(colours[text], colours[ground]);
                assert!(contrast >= 4.5, "{theme}: {text} on {ground} has {contrast:.2}");
            }
        }
        for ground in ["card", "paper", "grid"] {
            for drawn in ["good", "failed", "stopped", "broken", "running", "unknown", "wait"] {
                let contrast = contrast(colours[drawn], colours[ground]);
                assert!(contrast >= 3.0, "{theme}: {drawn} on {ground} has {contrast:.2}");
            }
        }
    }
}
