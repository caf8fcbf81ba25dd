//! The queue as a picture. Pure.

use std::fmt::Write;

use jiff::Timestamp;

use super::markup::label;
use super::note::Queue;
use crate::lease::Mode;
use crate::report::human;

/// Holders that are drawn.
const DRAWN: usize = 8;
/// Characters of a name.
const NAME: usize = 80;

/// The queue as it was at `queue.at`: who held the lock, who stood before us, and us.
pub fn picture(queue: &Queue) -> String {
    let mut drawn = "```mermaid\nflowchart LR\n".to_owned();
    // Writing into a String cannot fail.
    let _ = writeln!(drawn, "  lock[(\"lock {}\")]", label(queue.lock.as_str(), NAME));
    for (number, holder) in queue.holders.iter().take(DRAWN).enumerate() {
        let identity = &holder.identity;
        let name = identity.actor.as_deref().or(identity.host.as_deref()).unwrap_or("someone");
        let shared = if holder.mode == Mode::Shared { ", shared" } else { "" };
        let since = since(holder.since, queue.at);
        let _ = writeln!(
            drawn,
            "  holder{number}[\"{}<br/>holds it{shared}, for {since}\"] --> lock",
            label(name, NAME)
        );
    }
    if let Some(more @ 1..) = queue.holders.len().checked_sub(DRAWN) {
        let _ = writeln!(drawn, "  more[\"{more} more\"] --> lock");
    }
    let next = match queue.position {
        0 | 1 => "lock".to_owned(),
        position => {
            let (ahead, s) = (position - 1, if position == 2 { "" } else { "s" });
            let _ = writeln!(drawn, "  ahead([\"{ahead} run{s} before us\"]) -.-> lock");
            "ahead".to_owned()
        }
    };
    let place = match queue.position {
        0 => "watches".to_owned(),
        position => format!("waits, position {position}"),
    };
    let _ = writeln!(drawn, "  us([\"this run<br/>{place}\"]) -.-> {next}");
    drawn.push_str("  style us stroke-width:3px\n");
    drawn.push_str("```\n");
    drawn
}

fn since(then: Timestamp, now: Timestamp) -> String {
    human::since(then, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ci::note::testing;

    #[test]
    fn a_queue_is_drawn() {
        let queue = testing::queue(3, &["alice", "bob"]);
        assert_eq!(
            picture(&queue),
            "```mermaid\nflowchart LR\n  lock[(\"lock prod\")]\n  holder0[\"alice<br/>holds it, for 2 min\"] --> lock\n  \
             holder1[\"bob<br/>holds it, for 2 min\"] --> lock\n  ahead([\"2 runs before us\"]) -.-> lock\n  \
             us([\"this run<br/>waits, position 3\"]) -.-> ahead\n  style us stroke-width:3px\n```\n"
        );
        assert!(
            picture(&testing::queue(1, &["a"]))
                .contains("us([\"this run<br/>waits, position 1\"]) -.-> lock")
        );
    }

    #[test]
    fn a_name_draws_nothing() {
        let drawn = picture(&testing::queue(1, &["x\"]; evil --> lock\n```\nclick a \"javascript:b\"<b>"]));
        assert_eq!(drawn.matches("-->").count(), 1, "{drawn}");
        assert_eq!(drawn.matches("```").count(), 2, "{drawn}");
        assert_eq!(drawn.lines().count(), 7, "{drawn}");
        let many = picture(&testing::queue(1, &["x"; 50]));
        assert!(many.contains("42 more") && many.lines().count() < 20, "{many}");
    }
}
