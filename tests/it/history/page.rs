//! The page in a real browser.

use std::path::PathBuf;

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use super::{plant, run};
use crate::e2e::locks::{Locks, over_both_stores};
use crate::support::browser::Browser;
use crate::support::project::Project;

over_both_stores![real_runs_become_a_page];

/// Real runs, one of them under way and one waiting, and what a browser makes of them.
fn real_runs_become_a_page(locks: &Locks) {
    let project = Project::hello();
    locks.run(&project).args(["apply", "--", "-auto-approve"]).env("USER", "ann").output().exits(0);
    locks.run(&project).args(["exec", "--", "sh", "-c", "exit 3"]).env("USER", "bob").output().exits(3);
    let stopped = locks.hold(&project);
    kill_process(stopped.pid(), Signal::TERM).unwrap();
    stopped.finish();
    let mut holder = locks.hold(&project);
    let mut waiter = locks.run(&project).args(["exec", "--", "true"]).env("USER", "carol").start();
    waiter.wait_for("lock_waiting");
    locks.run(&project).args(["history", "--html", "page.html"]).output().exits(0);

    let mut browser = Browser::start();
    browser.open(&project.path("page.html"));
    let rows = "Array.from(document.querySelectorAll('.runs tbody tr'), row => \
                Array.from(row.cells, cell => cell.innerText.trim()))";
    let rows = browser.value(rows);
    let column = |index: usize| -> Vec<&str> {
        rows.as_array().unwrap().iter().map(|row| row[index].as_str().unwrap()).collect()
    };
    assert_eq!(column(0), ["4", "3", "2", "1"]);
    assert_eq!(column(6), ["running", "cancelled, crashed", "failed (3)", "succeeded"]);
    assert!(column(2)[3].starts_with("ann") && column(2)[2].starts_with("bob"), "{rows}");
    assert!(column(3)[3].starts_with("terraform apply"), "{rows}");
    assert!(column(7)[3].starts_with("+1 ~0 −0"), "{rows}");
    let present = browser.value("document.querySelector('.present').innerText");
    let present = present.as_str().unwrap();
    assert!(
        present.contains("running") && present.contains("carol waiting, number 1 in the queue"),
        "{present}"
    );
    // The wait and the hold under way go on to the end of the drawing.
    let ends = browser.value(
        "['.bar:not([data-run]) .wait', '.bar[data-run=\"4\"] .hold'].map(bar => \
         document.querySelector('.gantt .plot').getBoundingClientRect().right \
         - document.querySelector(bar).getBoundingClientRect().right)",
    );
    assert!(ends.as_array().unwrap().iter().all(|end| end.as_f64().unwrap().abs() < 2.0), "{ends}");
    assert_eq!(browser.complaints(), [""; 0]);

    holder.close_stdin();
    holder.finish().exits(0);
    waiter.finish().exits(0);
    locks.run(&project).args(["history", "--html", "page.html"]).output().exits(0);
    browser.open(&project.path("page.html"));
    let counted = browser.value("document.querySelectorAll('.runs tbody tr').length");
    assert_eq!((counted, browser.value("document.querySelector('.present')")), (json!(5), Value::Null));
}

/// A page of runs that are made up: where they lie is known.
struct Stage {
    project: Project,
    browser: Browser,
}

impl Stage {
    /// Run 1 waits 20 s from the start and holds 80 s; run 2 asks at 50, waits 50 and holds 100; and so on
    /// what ends differently.
    fn new() -> Self {
        Self::with(&[
            run(1, [0, 20, 80], &json!({ "result": "succeeded", "exit_code": 0 })),
            run(2, [50, 50, 100], &json!({ "result": "failed", "exit_code": 1 })),
            run(3, [200, 0, 100], &json!({ "outcome": "expired" })),
            run(4, [290, 10, 100], &json!({ "result": "cancelled", "exit_code": 1 })),
        ])
    }

    fn with(runs: &[Value]) -> Self {
        let (locks, project) = (Locks::local(), Project::hello());
        plant(&locks, runs);
        locks.run(&project).args(["history", "--html", "page.html"]).output().exits(0);
        let mut stage = Self { project, browser: Browser::start() };
        stage.open();
        stage
    }

    fn path(&self) -> PathBuf {
        self.project.path("page.html")
    }

    fn open(&mut self) {
        self.browser.open(&self.path());
    }

    /// The numbers of the runs in the order of the table.
    fn order(&mut self) -> Vec<u64> {
        let order = self
            .browser
            .value("Array.from(document.querySelectorAll('.runs tbody tr'), row => +row.cells[0].innerText)");
        order.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect()
    }

    /// The columns that are sorted, each with its order.
    fn sorted(&mut self) -> Value {
        self.browser.value(
            "Array.from(document.querySelectorAll('.runs [aria-sort]'), \
             head => [head.innerText.replace(/[^A-Za-z]/g, ''), head.getAttribute('aria-sort')])",
        )
    }
}

#[test]
fn it_fits_every_screen_in_both_themes() {
    let mut stage = Stage::new();
    let mut pictures = Vec::new();
    for theme in ["light", "dark"] {
        for width in [375, 800, 1400] {
            stage.browser.show(width, theme);
            stage.open();
            let beyond = stage.browser.value("document.documentElement.scrollWidth - innerWidth");
            assert_eq!(beyond, 0, "{width} {theme}");
            let cut = stage.browser.value(
                "Array.from(document.querySelectorAll('h2, h3, p, .tile, .legend, .gantt, .spread, .present')) \
                 .filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0).map(e => e.outerHTML.slice(0, 80))",
            );
            assert_eq!(cut, json!([]), "{width} {theme}");
            let picture = stage.browser.screenshot();
            assert!(picture.starts_with(b"\x89PNG") && picture.len() > 20_000, "{}", picture.len());
            pictures.push(picture);
            assert_eq!(stage.browser.complaints(), [""; 0]);
        }
        let ground = stage.browser.value("getComputedStyle(document.body).backgroundColor");
        assert_eq!(ground, if theme == "light" { "rgb(246, 247, 249)" } else { "rgb(13, 17, 23)" });
    }
    pictures.dedup();
    assert_eq!(pictures.len(), 6);
}

#[test]
fn bars_are_where_the_data_says() {
    let mut stage = Stage::new();
    for width in [375, 1400] {
        stage.browser.show(width, "light");
        stage.open();
        let bars = stage.browser.value(
            "(() => { const plot = document.querySelector('.gantt .plot').getBoundingClientRect(); \
             return Array.from(document.querySelectorAll('.gantt .bar'), bar => ['.wait', '.hold'].map(kind => { \
               const r = bar.querySelector(kind)?.getBoundingClientRect(); \
               return r ? [(r.left - plot.left) / plot.width * 400, (r.right - plot.left) / plot.width * 400] : []; \
             })); })()",
        );
        // In seconds after the start, the newest on top. There is no idle time to be cut out.
        let expected = [
            [vec![290.0, 300.0], vec![300.0, 400.0]],
            [vec![], vec![200.0, 300.0]],
            [vec![50.0, 100.0], vec![100.0, 200.0]],
            [vec![0.0, 20.0], vec![20.0, 100.0]],
        ];
        let found: Vec<[Vec<f64>; 2]> = serde_json::from_value(bars).unwrap();
        // The edge of a bar is a pixel wide.
        let pixel = 400.0 / (f64::from(width) / 2.0);
        let flat = |bars: &[[Vec<f64>; 2]]| bars.iter().flatten().flatten().copied().collect::<Vec<f64>>();
        let (found, expected) = (flat(&found), flat(&expected));
        assert_eq!(found.len(), expected.len());
        let off = found.iter().zip(&expected).map(|(found, expected)| (found - expected).abs());
        assert!(off.fold(0.0, f64::max) <= 2.0 * pixel, "{width}: {found:?}");
        // Names and bars are in the same rows.
        let rows = stage.browser.value(
            "Array.from(document.querySelectorAll('.names li'), (name, index) => { \
               const n = name.getBoundingClientRect(), \
                     b = document.querySelectorAll('.gantt .hold')[index].getBoundingClientRect(); \
               return Math.abs((n.top + n.bottom) / 2 - (b.top + b.bottom) / 2); })",
        );
        assert!(rows.as_array().unwrap().iter().all(|off| off.as_f64().unwrap() <= 1.0), "{rows}");
    }
}

#[test]
fn the_table_sorts_by_mouse_and_by_keyboard() {
    let mut stage = Stage::new();
    stage.browser.show(1400, "light");
    assert_eq!((stage.order(), stage.sorted()), (vec![4, 3, 2, 1], json!([["Run", "descending"]])));
    let head = |name: &str| {
        format!(
            "Array.from(document.querySelectorAll('.runs th button')).find(e => e.innerText.startsWith('{name}'))"
        )
    };
    stage.browser.click(&head("Waited"));
    assert_eq!((stage.order(), stage.sorted()), (vec![2, 1, 4, 3], json!([["Waited", "descending"]])));
    stage.browser.click(&head("Waited"));
    assert_eq!((stage.order(), stage.sorted()), (vec![3, 4, 1, 2], json!([["Waited", "ascending"]])));
    // From there by Tab to the next two, whose keys are Enter and the space bar.
    stage.browser.press("Tab", 9);
    let outline = stage.browser.value("getComputedStyle(document.activeElement).outlineStyle");
    assert_eq!(outline, "solid", "the focus is not seen");
    stage.browser.press("Enter", 13);
    assert_eq!((stage.order(), stage.sorted()), (vec![4, 3, 2, 1], json!([["Held", "descending"]])));
    stage.browser.press("Tab", 9);
    stage.browser.press("Enter", 13);
    assert_eq!((stage.order(), stage.sorted()), (vec![4, 3, 2, 1], json!([["Outcome", "ascending"]])));
    let said = stage.browser.value("document.querySelector('[role=status]').textContent");
    assert_eq!(said, "sorted by Outcome, ascending");
    assert_eq!(stage.browser.complaints(), [""; 0]);
}

#[test]
fn times_are_in_utc_and_at_a_click_in_the_viewers_own_zone() {
    let mut stage = Stage::new();
    stage.browser.call("Emulation.setTimezoneOverride", json!({ "timezoneId": "Asia/Tokyo" }));
    stage.open();
    let first = "document.querySelector('.runs tbody tr:last-child time').innerText";
    let axis =
        "document.querySelector('.gantt text[data-as=minute], .gantt text[data-as=second]').textContent";
    let before = (stage.browser.value(first), stage.browser.value(axis));
    assert_eq!(before.0, "2026-11-21 08:00:20");
    assert!(before.1.as_str().unwrap().starts_with("08:0"), "{}", before.1);
    let title = stage.browser.value("document.querySelector('.runs tbody tr:last-child time').title");
    assert_eq!(title, "2026-11-21 17:00:20 Asia/Tokyo");
    stage.browser.click("document.querySelector('.switch')");
    assert_eq!(stage.browser.value(first), "2026-11-21 17:00:20");
    assert!(stage.browser.value(axis).as_str().unwrap().starts_with("17:0"));
    assert_eq!(stage.browser.value("document.querySelector('th .zone').innerText"), "Asia/Tokyo");
    stage.browser.click("document.querySelector('.switch')");
    assert_eq!((stage.browser.value(first), stage.browser.value(axis)), before);
}

#[test]
fn without_scripts_the_page_is_whole() {
    let mut stage = Stage::new();
    stage.browser.call("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    stage.open();
    assert_eq!(stage.order(), [4, 3, 2, 1]);
    let dead = stage.browser.value(
        "Array.from(document.querySelectorAll('button')).filter(e => e.getBoundingClientRect().height > 0).length",
    );
    assert_eq!(dead, 0, "a button that does nothing");
    let drawn = stage.browser.value(
        "['.gantt .hold', '.gantt .wait', '.spread rect', 'time'].map(kind => \
         Array.from(document.querySelectorAll(kind)).filter(e => e.getBoundingClientRect().width > 0).length)",
    );
    assert!(drawn.as_array().unwrap().iter().all(|count| count.as_u64().unwrap() >= 3), "{drawn}");
}

#[test]
fn what_was_slipped_in_does_not_run() {
    let mut stage = Stage::new();
    let page = std::fs::read_to_string(stage.path()).unwrap();
    let evil = "<script>window.pwned = 1</script><img src='x' onerror='window.pwned = 1'>\
                <style>body { display: none }</style><p id='evil' style='color: red' onclick='window.pwned = 1'>x</p>\
                <script src='https://evil.example/x.js'></script><iframe src='data:text/html,x'></iframe>";
    std::fs::write(stage.path(), page.replace("</main>", &format!("{evil}</main>"))).unwrap();
    stage.open();
    stage.browser.value("document.querySelector('#evil').click()");
    assert_eq!(stage.browser.value("window.pwned === undefined"), true);
    assert_eq!(stage.browser.value("getComputedStyle(document.body).display"), "block");
    assert_ne!(
        stage.browser.value("getComputedStyle(document.querySelector('#evil')).color"),
        "rgb(255, 0, 0)"
    );
    let complaints = stage.browser.complaints();
    let refused = complaints.iter().filter(|complaint| complaint.contains("Content Security Policy")).count();
    assert!(refused >= 5, "{complaints:#?}");
    // Ours does.
    assert!(stage.browser.value("document.querySelectorAll('.runs th button').length").as_u64() > Some(5));
}

#[test]
fn hostile_runs_are_text_and_lead_nowhere() {
    let evil =
        "</script><script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'>\u{202e}\u{1b}[2J";
    let identity =
        |url: &str| json!({ "identity": { "actor": evil, "command": evil, "reason": evil, "url": url } });
    let mut stage = Stage::with(&[
        run(1, [0, 20, 80], &identity("javascript:window.pwned=1")),
        run(2, [50, 50, 100], &identity("https://github.com@evil.example/")),
        run(3, [200, 0, 100], &identity("https://ci.example/3")),
    ]);
    let links =
        stage.browser.value("Array.from(document.querySelectorAll('a[href]'), a => a.getAttribute('href'))");
    let links: Vec<&str> = links.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let out: Vec<&&str> = links.iter().filter(|link| !link.starts_with('#')).collect();
    assert_eq!(out, [&"https://ci.example/3"]);
    assert_eq!(stage.browser.value("window.pwned === undefined && document.images.length === 0"), true);
    assert_eq!(stage.browser.value("document.querySelectorAll('script').length"), 1);
    let text = stage.browser.value("document.querySelector('.runs .who').innerText");
    assert!(text.as_str().unwrap().starts_with("</script><script>"), "{text}");
    assert!(text.as_str().unwrap().ends_with("\\u{202e}\\u{1b}[2J"), "{text}");
    assert_eq!(stage.browser.complaints(), [""; 0]);
}

#[test]
fn it_prints_on_paper_also_from_a_dark_screen() {
    let mut stage = Stage::new();
    let dark = json!([{ "name": "prefers-color-scheme", "value": "dark" }]);
    stage.browser.call("Emulation.setEmulatedMedia", json!({ "media": "print", "features": dark }));
    stage.open();
    let ink = stage.browser.value("getComputedStyle(document.body).color");
    assert_eq!(ink, "rgb(26, 31, 38)", "light ink on paper");
    let ground = stage.browser.value("getComputedStyle(document.body).backgroundColor");
    assert_eq!(ground, "rgb(255, 255, 255)");
    let shown = stage.browser.value("document.querySelector('.switch').getBoundingClientRect().height");
    assert_eq!(shown, 0);
    let pdf = stage.browser.print();
    assert!(pdf.starts_with(b"%PDF-") && pdf.len() > 10_000, "{}", pdf.len());
    let text = String::from_utf8_lossy(&pdf);
    // A4 across.
    assert!(text.contains("/MediaBox [0 0 841") || text.contains("/MediaBox [0 0 842"), "not across");
}

#[test]
fn the_accessibility_tree_names_everything() {
    let mut stage = Stage::new();
    let tree = stage.browser.accessible();
    let of = |role: &str| -> Vec<&str> {
        tree.iter().filter(|(found, ..)| found == role).map(|(_, name, _)| name.as_str()).collect()
    };
    for landmark in ["banner", "main", "contentinfo"] {
        assert_eq!(of(landmark).len(), 1, "{landmark}");
    }
    let headings: Vec<(i64, &str)> = tree
        .iter()
        .filter(|(role, ..)| role == "heading")
        .map(|(_, name, node)| {
            let properties = node["properties"].as_array().unwrap();
            let level = properties.iter().find(|property| property["name"] == "level").unwrap();
            (level["value"]["value"].as_i64().unwrap(), name.as_str())
        })
        .collect();
    let expected =
        [(1, "Lock history"), (2, "e2e"), (3, "Timeline"), (3, "Waits"), (3, "Holds"), (3, "Runs")];
    // This list has no order: the page's own has.
    let mut listed = headings.clone();
    listed.sort_by_key(|heading| expected.iter().position(|known| known == heading));
    assert_eq!(listed, expected);
    let order = stage.browser.value("Array.from(document.querySelectorAll('h1, h2, h3'), e => e.innerText)");
    assert_eq!(order, json!(expected.map(|(_, name)| name)));
    assert_eq!(of("figure"), ["Timeline"]);
    // The drawing has a name, and in words what it shows.
    let drawing = tree.iter().find(|(role, name, _)| role == "image" && name == "Timeline").unwrap();
    let told = drawing.2["description"]["value"].as_str().unwrap_or_default();
    assert!(told.contains("Longest wait: 50 s, run 2."), "{told}");
    assert!(of("image").iter().all(|name| !name.is_empty()), "{:?}", of("image"));
    assert!(of("image").contains(&"failed") && of("image").contains(&"crashed, lost or removed"));
    for table in ["Waits", "Holds", "Runs"] {
        assert!(of("table").contains(&table), "{:?}", of("table"));
    }
    let heads = of("columnheader");
    let runs: &[&str] =
        &["Run", "Started (UTC)", "Who", "Command", "Waited", "Held", "Outcome", "Changes", "Link"];
    assert!(runs.iter().all(|name| heads.contains(name)), "{heads:?}");
    assert!(of("rowheader").contains(&"15 – 60 s"), "{:?}", of("rowheader"));
    for button in ["Run", "Waited", "Outcome", "Show times in my time zone"] {
        assert!(of("button").contains(&button), "{:?}", of("button"));
    }
    assert!(of("link").contains(&"ci.example (run 4)"), "{:?}", of("link"));
    assert!(of("region").contains(&"Runs"));
    // The order that the table is in, which this tree does not carry.
    assert_eq!(stage.sorted(), json!([["Run", "descending"]]));
}
