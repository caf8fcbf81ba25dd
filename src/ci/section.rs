//! GitLab: sections in the job's log, and the report that a merge request shows. Pure.

use jiff::Timestamp;

use crate::escape;
use crate::lease::Counts;

/// Begins the section `number` of the run; `collapsed`: folded until somebody opens it.
pub fn start(number: usize, title: &str, collapsed: bool, now: Timestamp) -> String {
    let option = if collapsed { "[collapsed=true]" } else { "" };
    let (at, title) = (now.as_second(), escape::field(title));
    format!("\u{1b}[0Ksection_start:{at}:tfguard_{number}{option}\r\u{1b}[0K{title}\n")
}

/// Ends it.
pub fn end(number: usize, now: Timestamp) -> String {
    format!("\u{1b}[0Ksection_end:{}:tfguard_{number}\r\u{1b}[0K\n", now.as_second())
}

/// The document of `artifacts:reports:terraform`.
pub fn report(counts: Counts) -> String {
    let Counts { add, change, destroy, .. } = counts;
    format!("{{\"create\":{add},\"update\":{change},\"delete\":{destroy}}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_as_gitlab_wants_them() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        assert_eq!(
            start(2, "terraform plan", true, now),
            "\u{1b}[0Ksection_start:1700000000:tfguard_2[collapsed=true]\r\u{1b}[0Kterraform plan\n"
        );
        assert_eq!(end(2, now), "\u{1b}[0Ksection_end:1700000000:tfguard_2\r\u{1b}[0K\n");
        let forged = start(1, "x\u{1b}[0Ksection_end:1:tfguard_1\r", false, now);
        assert_eq!((forged.matches('\r').count(), forged.matches('\u{1b}').count()), (1, 2));
    }

    #[test]
    fn the_report_is_json() {
        let counts = Counts { add: 1, change: 2, destroy: 3, import: 4 };
        assert_eq!(report(counts), "{\"create\":1,\"update\":2,\"delete\":3}\n");
    }
}
