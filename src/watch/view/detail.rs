//! One lock with everything that is known of it.

use std::time::Duration;

use jiff::Timestamp;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::{Canvas, Theme};
use crate::cli::source::Sources;
use crate::escape;
use crate::history::words::{changes, ending};
use crate::history::{Ahead, Estimate, estimate};
use crate::lease::{Found, Holder, Identity, Mode, Outcome, Phase, Record, Waiter};
use crate::report::human;
use crate::status::words::{self, Tone};
use crate::status::{View, text};
use crate::watch::model::{Detail, Model};

/// Columns of a bar.
const BAR: usize = 16;
/// Columns before what belongs to a heading.
const INDENT: usize = 3;

/// Draws it from line `scroll` on; gives back how many lines there are.
pub(super) fn draw(model: &Model, detail: &Detail, canvas: &mut Canvas<'_>, body: Rect) -> usize {
    let theme = canvas.theme;
    let name = escape::bounded(&detail.lock, 1024).into_owned();
    let Some(found) = &detail.record else {
        canvas.title(&name, words::cut_front, Line::default());
        canvas.line(2, &Line::from(Span::styled("  Asking for the lock…", theme.dim())));
        return 0;
    };
    let view = View {
        lock: &detail.lock,
        store: &model.store,
        sources: &Sources::NONE,
        record: found.as_ref().map(Option::as_ref),
        past: detail.past.as_ref(),
        now: model.now,
    };
    let (tone, state) = text::state(view);
    let mark = Line::from(Span::styled(format!("{} {state} ", theme.sign(tone)), theme.title()));
    canvas.title(&name, words::cut_front, mark);
    let mut sheet = Sheet { theme, width: usize::from(body.width), lines: Vec::new(), now: model.now };
    sheet.store(model, view);
    match view.record {
        Err(_) => sheet.toned(Tone::Bad, &state),
        Ok(None) => sheet.toned(Tone::Free, "Nobody has held it yet."),
        Ok(Some(record)) => sheet.record(view, record, detail),
    }
    let last = sheet.lines.len().saturating_sub(usize::from(body.height));
    let shown = sheet.lines.iter().skip(detail.scroll.min(last));
    for (line, y) in shown.zip(1..canvas.area.height.saturating_sub(1)) {
        canvas.line(y, line);
    }
    sheet.lines.len()
}

struct Sheet {
    theme: Theme,
    width: usize,
    lines: Vec<Line<'static>>,
    now: Timestamp,
}

impl Sheet {
    fn push(&mut self, spans: Vec<Span<'static>>) {
        self.lines.push(Line::from(spans));
    }

    fn room(&self) -> usize {
        self.width.saturating_sub(INDENT + 1)
    }

    /// A line below a heading, cut to the screen.
    fn plain(&mut self, text: &str, style: Style) {
        let text = words::cut(text, self.room());
        self.push(vec![Span::raw(" ".repeat(INDENT)), Span::styled(text, style)]);
    }

    /// A text below a heading, on as many lines as it takes.
    fn text(&mut self, text: &str, style: Style) {
        for line in words::wrapped(text, self.room()) {
            self.plain(&line, style);
        }
    }

    fn toned(&mut self, tone: Tone, text: &str) {
        self.text(text, self.theme.tone(tone));
    }

    fn heading(&mut self, name: &str, right: &str) {
        if !self.lines.is_empty() {
            self.lines.push(Line::default());
        }
        let right = if right.is_empty() { " ".to_owned() } else { format!(" {right} ") };
        let rule = self.width.saturating_sub(name.width() + right.width() + 2);
        self.push(vec![
            Span::styled(format!(" {name} "), self.theme.head()),
            Span::styled(self.theme.glyphs.rule.repeat(rule), self.theme.dim()),
            Span::styled(right, self.theme.dim()),
        ]);
    }

    fn store(&mut self, model: &Model, view: View<'_>) {
        let dot = self.theme.glyphs.dot;
        let counted = match view.record {
            Ok(Some(record)) => {
                let runs = if record.runs == 1 { "run" } else { "runs" };
                format!(" {dot} generation {} {dot} {} {runs}", record.generation, record.runs)
            }
            _ => String::new(),
        };
        let text = format!("{}{counted}", escape::line(&model.store));
        let text = words::cut(&text, self.width.saturating_sub(2));
        self.push(vec![Span::styled(format!(" {text}"), self.theme.dim())]);
    }

    fn record(&mut self, view: View<'_>, record: &Record, detail: &Detail) {
        match record.holders.as_slice() {
            [] => {
                self.lines.push(Line::default());
                self.toned(Tone::Free, "Nobody holds it.");
            }
            [one] => self.heading("HOLDER", &run(one)),
            several => self.heading("HOLDERS", &format!("{} share it", several.len())),
        }
        for holder in &record.holders {
            self.holder(holder, detail);
        }
        if !record.queue.is_empty() {
            self.heading("QUEUE", &format!("{} waiting", record.queue.len()));
            for place in 0..record.queue.len() {
                self.waiter(record, place, view.estimate(place));
            }
        }
        if !record.needs_recovery.is_empty() {
            self.heading("NEEDS RECOVERY", "");
            for rescued in &record.needs_recovery {
                self.toned(Tone::Bad, &words::rescued(rescued, self.now));
                self.text(&words::who(&rescued.identity), Style::new());
            }
        }
        self.past(record, detail);
    }

    fn holder(&mut self, holder: &Holder, detail: &Detail) {
        let theme = self.theme;
        let dead = holder.looks_dead(self.now);
        let tone = if dead { Tone::Bad } else { Tone::Busy };
        let change = holder.identity.change.as_deref().map(escape::field);
        let mut who = vec![
            Span::raw(" "),
            Span::styled(format!("{} ", theme.sign(tone)), theme.tone(tone)),
            Span::styled(words::name(&holder.identity), theme.strong()),
        ];
        who.extend(change.map(|change| Span::raw(format!(" {} {change}", theme.glyphs.dot))));
        self.push(who);
        self.command(&holder.identity);
        let held = human::since(holder.granted_at, self.now);
        let doing = match (&holder.activity, holder.phase) {
            (_, Phase::Granted) => "about to start".to_owned(),
            (Some(activity), Phase::Active) => {
                let phase = escape::field(&activity.phase);
                format!("{phase} for {}", human::since(activity.since(), self.now))
            }
            (None, Phase::Active) => "running".to_owned(),
        };
        let mut line = vec![
            Span::raw(" ".repeat(INDENT)),
            Span::styled(doing, theme.tone(tone)),
            Span::raw(format!(" {} held for {held}", theme.glyphs.dot)),
        ];
        if let Some(expected) = rest(holder, detail, self.now) {
            line.push(Span::raw(format!(" {} {}", theme.glyphs.dot, remaining(expected))));
        }
        self.push(line);
        self.lease(holder, dead);
        if let Some(by) = &holder.revoked {
            self.toned(Tone::Bad, &format!("asked to stop by {}", words::intervention(by, self.now)));
        }
        self.plain(&format!("session {}", escape::field(&holder.session)), theme.dim());
    }

    fn command(&mut self, identity: &Identity) {
        let known = |text: &Option<String>| text.as_deref().map(|text| escape::field(text).into_owned());
        if let Some(command) = known(&identity.command) {
            self.text(&command, Style::new());
        }
        if let Some(reason) = known(&identity.reason) {
            self.text(&format!("\"{reason}\""), self.theme.dim());
        }
        if let Some(link) = words::link(identity) {
            self.plain(&link, self.theme.link());
        }
    }

    /// What is left of the lease, as a bar and in words.
    fn lease(&mut self, holder: &Holder, dead: bool) {
        let theme = self.theme;
        if dead {
            self.toned(Tone::Bad, &words::pulse(holder, self.now));
            return;
        }
        let whole = Duration::from_millis(holder.lease_ms);
        let left = words::lease_left(holder, self.now);
        let part = left.as_secs_f64() / whole.as_secs_f64().max(1.0);
        // Half of a lease without a sign of life is when a run stops by itself.
        let tone = if part < 0.5 { Tone::Bad } else { Tone::Free };
        let bar = if self.width < 60 { BAR / 2 } else { BAR };
        let full = ((part * bar as f64).round() as usize).min(bar);
        let [on, off] = theme.glyphs.bar;
        let beat = human::since(holder.renewed_at, self.now);
        let words = format!(
            "  {} of {} left {} sign of life {beat} ago",
            human::duration(Duration::from_secs(left.as_secs())),
            human::duration(whole),
            theme.glyphs.dot
        );
        self.push(vec![
            Span::raw(format!("{}lease ", " ".repeat(INDENT))),
            Span::styled(on.repeat(full), theme.tone(tone)),
            Span::styled(off.repeat(bar - full), theme.dim()),
            Span::raw(words),
        ]);
    }

    fn waiter(&mut self, record: &Record, place: usize, expected: Option<Estimate>) {
        let Some(Waiter { mode, asked_at, identity, .. }) = record.queue.get(place) else { return };
        let theme = self.theme;
        let mut who = words::name(identity);
        if let Some(change) = &identity.change {
            who.push_str(&format!(" {} {}", theme.glyphs.dot, escape::field(change)));
        }
        if *mode == Mode::Shared {
            who.push_str(&format!(" {} shared", theme.glyphs.dot));
        }
        let mut right = format!("for {}", human::since(*asked_at, self.now));
        if let Some(expected) = expected {
            right.push_str(&format!(" {} {}", theme.glyphs.dot, words::turn_in_short(expected)));
        }
        let number = format!("{:>2} ", place + 1);
        let room = self.width.saturating_sub(number.len() + right.width() + 3);
        let who = words::cut(&who, room);
        let fill = " ".repeat(room.saturating_sub(who.width()) + 2);
        self.push(vec![
            Span::styled(number, theme.dim()),
            Span::raw(who),
            Span::raw(fill),
            Span::styled(right, theme.dim()),
        ]);
        let more = [
            identity.command.as_deref().map(|command| escape::field(command).into_owned()),
            words::link(identity),
        ];
        let more: Vec<String> = more.into_iter().flatten().collect();
        if !more.is_empty() {
            let more = words::cut(&more.join("  "), self.room());
            self.push(vec![Span::raw(" ".repeat(INDENT)), Span::styled(more, theme.dim())]);
        }
    }

    /// The newest runs that are over, or at least how the last one ended.
    fn past(&mut self, record: &Record, detail: &Detail) {
        let over: Vec<&Found> = detail.runs.iter().take(10).collect();
        match (over.is_empty(), &record.last) {
            (false, _) => {
                self.heading("LAST RUNS", "");
                over.iter().for_each(|found| self.run(found));
            }
            (true, Some(last)) => {
                self.heading("LAST RUN", "");
                let tone = if last.outcome == Outcome::Released { Tone::Free } else { Tone::Bad };
                self.toned(tone, &words::ending(last, self.now));
                self.text(&words::who(&last.identity), Style::new());
            }
            (true, None) => {}
        }
    }

    fn run(&mut self, found: &Found) {
        let theme = self.theme;
        let past = match &found.past {
            Ok(past) => past,
            Err(error) => {
                let text = format!("{:<5} unreadable: {}", found.run, escape::field(&error.to_string()));
                return self.toned(Tone::Bad, &text);
            }
        };
        let well = past.outcome == Outcome::Released && matches!(past.exit_code, Some(0) | None);
        let tone = if well { Tone::Free } else { Tone::Bad };
        let [good, bad] = theme.glyphs.ended;
        let ago = format!("{} ago", human::since(past.ended_at, self.now));
        let held = human::duration(Duration::from_secs((past.held_ms / 1000).max(1)));
        let ending = words::cut(&ending(past), 15);
        let head = format!("{:<5} {ending:<15} {held:<12} {ago:<16} ", found.run);
        let changed = past.counts.map_or(String::new(), |_| changes(past));
        let rest = format!("{changed:<12} {}", words::name(&past.identity));
        let rest = words::cut(&rest, self.room().saturating_sub(head.width()));
        self.push(vec![
            Span::styled(format!(" {} ", if well { good } else { bad }), theme.tone(tone)),
            Span::raw(head),
            Span::styled(rest, theme.dim()),
        ]);
    }
}

fn run(holder: &Holder) -> String {
    let shared = if holder.mode == Mode::Shared { "shared, " } else { "" };
    holder.run.map_or(String::new(), |run| format!("{shared}run {run}"))
}

/// How long the holder may go on.
fn rest(holder: &Holder, detail: &Detail, now: Timestamp) -> Option<Estimate> {
    let ahead = Ahead { holders: std::slice::from_ref(holder), queue: &[], mode: Mode::Exclusive };
    estimate(detail.past.as_ref()?, ahead, now)
}

fn remaining(estimate: Estimate) -> String {
    match estimate.until {
        Some(until) => format!("~{} more (≤ {})", human::rough(until.median), human::rough(until.p90)),
        None => format!("longer than any of {} past runs", estimate.runs),
    }
}
