//! All locks of a store, for people.

use jiff::Timestamp;

use super::brief::{Brief, Tally};
use super::columns::{self, Row};
use super::text::Paint;
use crate::escape;

/// The locks of a store as they were found.
#[derive(Debug, Clone, Copy)]
pub struct Listing<'a> {
    /// The store in words.
    pub store: &'a str,
    /// Only names that start with this were asked for.
    pub prefix: &'a str,
    /// What is shown, in order.
    pub locks: &'a [Brief],
    /// Some more are left out since only so many were asked for.
    pub limited: bool,
    /// All that there are.
    pub tally: Tally,
    /// The time by this machine's wall clock.
    pub now: Timestamp,
}

/// A table, and how many locks there are; what does not fit into `width` columns is cut.
pub fn text(listing: Listing<'_>, width: Option<usize>, colour: bool) -> String {
    let paint = Paint::new(colour);
    let mut shown = String::new();
    let mut rows: Vec<Row> = listing.locks.iter().map(|brief| Row::new(brief, listing.now)).collect();
    let widths = columns::fit(&mut rows, width);
    if !rows.is_empty() {
        shown.push_str(&paint.head(&columns::head(&widths)));
        shown.push('\n');
    }
    for row in &rows {
        let line = columns::line(row, &widths, width);
        // The state is what has the colour, behind the name.
        let at = columns::behind(&line, widths[0] + columns::GAP);
        let (name, rest) = line.split_at(at);
        let (state, rest) = rest.split_at(columns::behind(rest, widths[1]));
        shown.push_str(&format!("{name}{}{rest}\n", paint.tone(row.tone, state)));
    }
    if !rows.is_empty() {
        shown.push('\n');
    }
    shown.push_str(&paint.dim(&summary(listing)));
    shown.push('\n');
    shown
}

fn summary(listing: Listing<'_>) -> String {
    let Listing { tally, .. } = listing;
    let with = match listing.prefix {
        "" => String::new(),
        prefix => format!(", names starting with {}", escape::field(prefix)),
    };
    let all = tally.held + tally.free + tally.unreadable;
    let left = all.saturating_sub(listing.locks.len());
    let left = match left {
        0 => String::new(),
        _ if listing.limited => format!(" ({left} not shown: --limit)"),
        _ => format!(" ({left} not shown: --free shows them)"),
    };
    format!("{}{with}: {tally}{left}", escape::line(listing.store))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::escape;
    use crate::lease::{Record, RecordError};
    use crate::status::testing::{self, now};

    fn briefs() -> Vec<Brief> {
        let of = |lock: &str, record: &Record| Brief::new(lock, Ok(Some(record)));
        let mut briefs = vec![
            of("states/dns/terraform.tfstate", &testing::free()),
            of("states/env:/dev/network/terraform.tfstate", &testing::needs_recovery()),
            of("states/db/terraform.tfstate", &testing::shared()),
            of("states/network/terraform.tfstate", &testing::held()),
            of("states/old/terraform.tfstate", &testing::dead()),
            Brief::new("states/bad/terraform.tfstate", Err(&RecordError::Schema(9))),
            Brief::new("never", Ok(None)),
        ];
        briefs.sort_by_cached_key(Brief::rank);
        briefs
    }

    fn listing(locks: &[Brief]) -> Listing<'_> {
        let tally = Tally::of(&briefs());
        Listing {
            store: "DynamoDB table t in eu-west-1",
            prefix: "",
            locks,
            limited: false,
            tally,
            now: now(),
        }
    }

    #[test]
    fn what_is_held_comes_first_and_every_column_says_something() {
        assert_eq!(
            text(listing(&briefs()), None, false),
            "\
LOCK                                       STATE        FOR      WHO                DOING                      QUEUE        LINK
states/bad/terraform.tfstate               unreadable            its layout is number 9, and this tfguard knows number 1 only; a newer tfguard wrote it
states/network/terraform.tfstate           held         4m 31s   alice on runner-7  apply 1m 12s               2 for 2m 3s  https://github.com/acme/infra/actions/runs/4711
states/old/terraform.tfstate               dead?        50m      erin on runner-4   asked to stop
states/db/terraform.tfstate                shared by 2  40s      grace on runner-9  plan 40s
states/env:/dev/network/terraform.tfstate  free         10m      bob on gl-3        crashed 1, needs recovery               https://gitlab.example.com/acme/network/-/jobs/92
states/dns/terraform.tfstate               free         16m 40s  dave on runner-2   released 0
never                                      free

DynamoDB table t in eu-west-1: 3 held, 2 waiting, 3 free, 1 needing recovery, 1 unreadable
"
        );
    }

    #[test]
    fn on_a_terminal_every_line_fits() {
        let briefs = briefs();
        for width in [20, 40, 60, 80, 120, 200] {
            let shown = text(listing(&briefs), Some(width), false);
            for line in shown.lines().take(briefs.len() + 1) {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
            assert_eq!(shown.contains("alice"), width > 20, "{shown}");
        }
    }

    #[test]
    fn free_ones_that_are_left_out_are_counted() {
        let loud: Vec<Brief> = briefs().into_iter().filter(|brief| !brief.is_quiet()).collect();
        let shown = text(listing(&loud), None, false);
        let end = "DynamoDB table t in eu-west-1: 3 held, 2 waiting, 3 free, 1 needing recovery, 1 unreadable \
                   (2 not shown: --free shows them)\n";
        assert!(shown.ends_with(end), "{shown}");
        let none = text(Listing { prefix: "net/", tally: Tally::default(), ..listing(&[]) }, None, false);
        assert_eq!(
            none,
            "DynamoDB table t in eu-west-1, names starting with net/: 0 held, 0 waiting, 0 free\n"
        );
    }

    #[test]
    fn colour_is_on_the_state_only() {
        let briefs = briefs();
        let shown = text(listing(&briefs), Some(100), true);
        assert!(shown.contains("\u{1b}[33mheld\u{1b}[0m") || shown.contains("\u{1b}[33mheld "), "{shown:?}");
        let plain = text(listing(&briefs), Some(100), false);
        assert_eq!(anstream::adapter::strip_str(&shown).to_string(), plain);
    }

    #[test]
    fn a_hostile_record_stays_in_its_row() {
        let hostile = [Brief::new("x\u{1b}[2J\n", Ok(Some(&testing::hostile())))];
        let shown = text(listing(&hostile), None, false);
        assert_eq!(shown.lines().count(), 4, "{shown}");
        assert!(!shown.contains(|c| c != '\n' && escape::is_unsafe(c)), "{shown:?}");
    }
}
