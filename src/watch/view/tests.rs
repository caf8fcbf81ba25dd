//! Every screen at every size, with colour and without, as it is kept in `snapshots/`.

use std::fmt::Write;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use super::*;
use crate::escape;
use crate::lease::transition::Ending;
use crate::lease::{Counts, Found, Outcome, PastRun, Record, RecordError, Teller};
use crate::report::testing::at;
use crate::status::Brief;
use crate::status::testing::{self, NOW};
use crate::watch::model::{Event, Key};

const COLOUR: Theme = Theme { palette: Palette::Colour, glyphs: Glyphs::UNICODE };
const PLAIN: Theme = Theme { palette: Palette::Plain, glyphs: Glyphs::UNICODE };
const ASCII: Theme = Theme { palette: Palette::Plain, glyphs: Glyphs::ASCII };

const STORE: &str = "DynamoDB table terraform-lock in eu-west-1";

fn model(subject: Subject) -> Model {
    Model::new(subject, STORE.into(), at(NOW))
}

fn briefs() -> Vec<Brief> {
    let of = |lock: &str, record: &Record| Brief::new(lock, Ok(Some(record)));
    let mut briefs = vec![
        of("acme-states/dns/terraform.tfstate", &testing::free()),
        of("acme-states/env:/dev/network/terraform.tfstate", &testing::needs_recovery()),
        of("acme-states/db/terraform.tfstate", &testing::shared()),
        of("acme-states/network/terraform.tfstate", &testing::held()),
        of("acme-states/old/terraform.tfstate", &testing::dead()),
        Brief::new("acme-states/bad/terraform.tfstate", Err(&RecordError::Schema(9))),
    ];
    briefs
        .extend((0..40).map(|n| of(&format!("acme-states/app-{n:02}/terraform.tfstate"), &testing::free())));
    briefs
}

fn list() -> Model {
    let mut model = model(Subject::All(String::new()));
    model.update(Event::Listed { locks: briefs(), at: at(NOW) });
    model.update(Event::Tick(at(NOW + 2)));
    model
}

fn past() -> Vec<Found> {
    let run = |number: u64| {
        let mut holder = testing::holder(testing::person("dave", "runner-2"), 100 + 200 * number as i64);
        holder.run = Some(number);
        let crashed = number == 3;
        let outcome = if crashed { Outcome::Crashed } else { Outcome::Released };
        let code = i32::from(number.is_multiple_of(4));
        let ending = Ending::new(outcome, (!crashed).then_some(code));
        let ended = at(100 + 240 * number as i64 + 150);
        let past = PastRun::of(&holder, &ending, Teller::Run, ended).unwrap();
        let past = past.with_result(if code == 0 { "succeeded" } else { "failed" });
        Found {
            run: number,
            past: Ok(PastRun { counts: Some(Counts { add: number, ..Counts::default() }), ..past }),
        }
    };
    let mut runs: Vec<Found> = (1..=14).map(run).collect();
    runs[12].past = Err(RecordError::Schema(9));
    runs
}

fn details(record: Result<Option<Record>, RecordError>, runs: Vec<Found>) -> Model {
    let lock = "acme-states/network/terraform.tfstate".to_owned();
    let mut model = model(Subject::One(lock.clone()));
    model.update(Event::Looked { lock: lock.clone(), record, at: at(NOW) });
    model.update(Event::Past { lock, runs });
    model
}

fn screens() -> Vec<(&'static str, Model)> {
    let mut moved = list();
    for key in [Key::PageDown, Key::Down] {
        moved.update(Event::Key(key));
    }
    let mut trouble = list();
    let text = "DynamoDB table terraform-lock in eu-west-1 cannot be reached: connection refused".to_owned();
    trouble.update(Event::Failed { text, again: at(NOW + 41), at: at(NOW + 25) });
    trouble.update(Event::Tick(at(NOW + 37)));
    let mut help = list();
    help.update(Event::Key(Key::Help));
    let mut empty = model(Subject::All("net/".into()));
    empty.update(Event::Listed { locks: Vec::new(), at: at(NOW) });
    vec![
        ("list", list()),
        ("list-moved", moved),
        ("list-trouble", trouble),
        ("list-empty", empty),
        ("list-asking", model(Subject::All(String::new()))),
        ("help", help),
        ("held", details(Ok(Some(testing::held())), past())),
        ("shared", details(Ok(Some(testing::shared())), Vec::new())),
        ("dead", details(Ok(Some(testing::dead())), Vec::new())),
        ("recovery", details(Ok(Some(testing::needs_recovery())), past())),
        ("free", details(Ok(Some(testing::free())), past())),
        ("never", details(Ok(None), Vec::new())),
        ("unreadable", details(Err(RecordError::Schema(9)), Vec::new())),
    ]
}

fn drawn(model: &Model, theme: Theme, width: u16, height: u16) -> Buffer {
    let mut model = model.clone();
    model.update(Event::Resized { width, height });
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| {
            draw(&model, theme, frame.area(), frame.buffer_mut());
        })
        .unwrap();
    terminal.backend().buffer().clone()
}

/// The rows of a buffer; with `styles` each change of style is written as `{…}`.
fn written(buffer: &Buffer, styles: bool) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut row = String::new();
        let mut before = String::new();
        let mut skip = 0;
        for x in 0..buffer.area.width {
            let cell = &buffer[(x, y)];
            if skip > 0 {
                skip -= 1;
                continue;
            }
            skip = unicode_width::UnicodeWidthStr::width(cell.symbol()).saturating_sub(1);
            let style = name(cell.fg, cell.bg, cell.modifier);
            if styles && style != before {
                let _ = write!(row, "{{{style}}}");
                before = style;
            }
            row.push_str(cell.symbol());
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

fn name(fg: Color, bg: Color, modifier: Modifier) -> String {
    let mut parts = Vec::new();
    if fg != Color::Reset {
        parts.push(format!("{fg}").to_lowercase());
    }
    if bg != Color::Reset {
        parts.push(format!("on {bg}").to_lowercase());
    }
    parts.extend(modifier.iter_names().map(|(name, _)| name.to_lowercase()));
    parts.join(" ")
}

#[test]
fn every_screen_is_as_it_is_kept() {
    for (name, model) in screens() {
        let mut text = String::new();
        for (width, height) in [(80, 24), (120, 40)] {
            let screen = written(&drawn(&model, PLAIN, width, height), false);
            let _ = write!(text, "== {width}x{height}\n{screen}");
            for (palette, theme) in [("in colour", COLOUR), ("without colour", PLAIN)] {
                let screen = written(&drawn(&model, theme, width, height), true);
                let _ = write!(text, "== {width}x{height} {palette}\n{screen}");
            }
        }
        let _ = write!(text, "== 20x5\n{}", written(&drawn(&model, PLAIN, 20, 5), false));
        let _ = write!(text, "== 80x24 in ASCII\n{}", written(&drawn(&model, ASCII, 80, 24), false));
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn without_colour_there_is_none() {
    for (name, model) in screens() {
        for cell in drawn(&model, PLAIN, 100, 30).content() {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{name}");
        }
        let plain = written(&drawn(&model, PLAIN, 100, 30), false);
        assert_eq!(written(&drawn(&model, COLOUR, 100, 30), false), plain, "{name}");
        assert!(written(&drawn(&model, ASCII, 100, 30), false).is_ascii(), "{name}");
    }
}

#[test]
fn no_size_is_too_small() {
    for (_, model) in screens() {
        for (width, height) in [(1, 1), (2, 2), (3, 1), (1, 9), (7, 3), (20, 5), (400, 3), (30, 200)] {
            drawn(&model, COLOUR, width, height);
        }
    }
}

#[test]
fn what_others_wrote_is_escaped_on_every_screen() {
    let evil = "a\u{1b}[2J\u{202e}b\n";
    let mut list = model(Subject::All(evil.into()));
    list.store = evil.into();
    let brief = Brief::new(evil, Ok(Some(&testing::hostile())));
    let bad = Brief::new(evil, Err(&RecordError::Rubbish(evil.into())));
    list.update(Event::Listed { locks: vec![brief, bad], at: at(NOW) });
    let mut trouble = list.clone();
    trouble.update(Event::Failed { text: evil.into(), again: at(NOW), at: at(NOW) });
    let mut open = model(Subject::One(evil.into()));
    open.update(Event::Looked { lock: evil.into(), record: Ok(Some(testing::hostile())), at: at(NOW) });
    let mut holder = testing::holder(crate::report::testing::mallory(), 100);
    holder.run = Some(3);
    let ending = Ending::new(Outcome::Released, Some(0));
    let past = PastRun::of(&holder, &ending, Teller::Run, at(200)).unwrap().with_result(evil);
    open.update(Event::Past { lock: evil.into(), runs: vec![Found { run: 3, past: Ok(past) }] });
    for model in [list, trouble, open] {
        for cell in drawn(&model, COLOUR, 200, 60).content() {
            assert!(!cell.symbol().contains(escape::is_unsafe), "{:?}", cell.symbol());
        }
    }
}

#[test]
fn details_say_how_many_lines_they_have_and_are_scrolled() {
    let mut model = details(Ok(Some(testing::held())), past());
    model.update(Event::Resized { width: 80, height: 10 });
    let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 10));
    model.detail_lines = draw(&model, PLAIN, buffer.area, &mut buffer);
    assert!(model.detail_lines > 20, "{}", model.detail_lines);
    model.update(Event::Key(Key::End));
    let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 10));
    draw(&model, PLAIN, buffer.area, &mut buffer);
    let text = written(&buffer, false);
    assert!(text.lines().nth(8).unwrap().contains("5     "), "{text}");
}
