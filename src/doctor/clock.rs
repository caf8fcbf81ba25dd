//! This machine's clock beside AWS's.

use std::time::Duration;

use super::finding::{Area, Finding};
use crate::inventory::ServerTime;
use crate::report::human;

/// More than what a second's precision and a slow answer explain.
const NOTICED: Duration = Duration::from_secs(60);
/// Beyond this AWS refuses the signature of a request.
const REFUSED: Duration = Duration::from_secs(5 * 60);

/// Compares. `None`: no answer came that tells its time.
pub(super) fn check(time: Option<ServerTime>) -> Vec<Finding> {
    let Some(ServerTime { theirs, ours }) = time else { return Vec::new() };
    let off = ours.duration_since(theirs);
    let length = off.unsigned_abs();
    let way = if off.is_negative() { "behind" } else { "ahead of" };
    let (id, area) = ("clock", Area::Clock);
    let finding = if length <= NOTICED {
        Finding::ok(id, area, "this machine's clock agrees with AWS's")
    } else {
        let what = format!("this machine's clock is {} {way} AWS's", human::duration(length));
        let finding = if length >= REFUSED {
            Finding::error(id, area, what).why(
                "AWS refuses requests that are signed more than five minutes off; no lease depends on it, \
                 since clocks are never compared",
            )
        } else {
            Finding::warning(id, area, what).why(
                "AWS refuses requests that are signed more than five minutes off, and the times in status and \
                 history mislead; no lease depends on it, since clocks are never compared",
            )
        };
        finding.cure("let the machine keep its time: timedatectl set-ntp true")
    };
    vec![finding.with("off_seconds", off.as_secs()).with("aws", theirs.to_string())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity;
    use jiff::Timestamp;

    #[test]
    fn more_than_a_minute_is_told_and_five_are_too_many() {
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        for (off, wanted, part) in [
            (0, Severity::Ok, "agrees"),
            (60, Severity::Ok, "agrees"),
            (-60, Severity::Ok, "agrees"),
            (61, Severity::Warning, "1 min 1 s ahead"),
            (-90, Severity::Warning, "1 min 30 s behind"),
            (300, Severity::Error, "5 min ahead"),
            (-90_000, Severity::Error, "behind"),
        ] {
            let found = check(Some(ServerTime { theirs: at(0), ours: at(off) }));
            assert_eq!(found[0].severity, wanted, "{off}");
            assert!(found[0].what.contains(part), "{off}: {}", found[0].what);
        }
        assert!(check(None).is_empty());
    }
}
