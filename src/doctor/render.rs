//! The findings, for people and for programs.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::finding::{Area, Finding, Severity, exit_code};
use crate::report::{Look, json as ndjson, wrap};

/// The document's layout. Fields are added, never changed.
const SCHEMA: u64 = 1;

/// For people; every line ends with a newline. What is fine is told only with `all`, what has
/// nothing to mend in one line.
pub fn text(findings: &[Finding], all: bool, look: Look) -> String {
    let mut shown = String::new();
    let mut areas: Vec<Area> = findings.iter().map(|finding| finding.area).collect();
    areas.sort_unstable();
    areas.dedup();
    for area in areas {
        let of_area = findings.iter().filter(|finding| finding.area == area);
        let told: Vec<&Finding> = of_area.filter(|finding| all || finding.severity > Severity::Ok).collect();
        if told.is_empty() {
            continue;
        }
        // Writing into a String cannot fail.
        let _ = writeln!(shown, "{}", area.title());
        for finding in told {
            one(&mut shown, finding, look);
        }
    }
    let _ = writeln!(shown, "{}", summary(findings));
    shown
}

fn one(shown: &mut String, finding: &Finding, look: Look) {
    let (sign, word, style) = match finding.severity {
        Severity::Ok => ("+", "ok", AnsiColor::Green.on_default()),
        Severity::Info => ("-", "note", Style::new()),
        Severity::Warning => ("!", "warning", AnsiColor::Yellow.on_default()),
        Severity::Error => ("x", "error", AnsiColor::Red.on_default().bold()),
    };
    let style = if look.colour { style } else { Style::new() };
    let head = format!("  {style}{sign} {word:<7}{style:#} ");
    shown.push_str(&wrap::behind(&head, &format!("{} [{}]", finding.what, finding.id), look.width));
    // Of what mends it much is to be copied, and a line that the terminal breaks is copied whole.
    for (label, text, width) in [("why", &finding.why, look.width), ("mend", &finding.cure, None)] {
        if let Some(text) = text {
            shown.push_str(&wrap::behind(&format!("            {label:<5}"), text, width));
        }
    }
}

fn summary(findings: &[Finding]) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let several = |number: usize, word: &str| match number {
        1 => format!("1 {word}"),
        _ => format!("{number} {word}s"),
    };
    let checks = several(findings.len(), "check");
    match (errors, warnings) {
        (0, 0) => format!("{checks}: a run has all that it needs"),
        (0, _) => format!("{checks}: a run would work, with {}", several(warnings, "warning")),
        (_, 0) => format!("{checks}: a run would fail, with {}", several(errors, "error")),
        _ => format!(
            "{checks}: a run would fail, with {} and {}",
            several(errors, "error"),
            several(warnings, "warning")
        ),
    }
}

/// What all checks came to.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document<'a> {
    /// The document's layout.
    schema: u64,
    /// The locks that a run would take, as far as they are known.
    locks: &'a [String],
    /// Where their records live, in words; null where that could not be told.
    store: Option<&'a str>,
    /// The exit code of `tfguard doctor`: 78 when a run would fail, else 0.
    exit_code: u8,
    /// Checks of severity `error`.
    errors: usize,
    /// Checks of severity `warning`.
    warnings: usize,
    /// All checks that were made.
    checks: &'a [Finding],
}

/// One JSON document on one line, with its newline.
pub fn json(findings: &[Finding], locks: &[String], store: Option<&str>) -> Vec<u8> {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    ndjson::document(&Document {
        schema: SCHEMA,
        locks,
        store,
        exit_code: exit_code(findings),
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        checks: findings,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::testing::at_every_look;

    fn findings() -> Vec<Finding> {
        vec![
            Finding::ok("table-key", Area::Store, "its key is right"),
            Finding::warning("table-ttl", Area::Store, "it has no TTL")
                .why("records stay")
                .cure("tfguard setup"),
            Finding::error("terraform-found", Area::Terraform, "there is none").why("w").cure("c"),
        ]
    }

    #[test]
    fn people_see_what_is_not_fine_by_area_with_why_and_cure() {
        let expected = "\
Terraform
  x error   there is none [terraform-found]
            why  w
            mend c
Lock store
  ! warning it has no TTL [table-ttl]
            why  records stay
            mend tfguard setup
3 checks: a run would fail, with 1 error and 1 warning
";
        assert_eq!(text(&findings(), false, Look::PLAIN), expected);
        assert!(text(&findings(), true, Look::PLAIN).contains("  + ok      its key is right [table-key]\n"));
        assert!(text(&findings(), false, Look { colour: true, width: None }).contains("\u{1b}[31m"));
        assert_eq!(text(&findings()[..1], false, Look::PLAIN), "1 check: a run has all that it needs\n");
    }

    #[test]
    fn findings_at_every_look() {
        let findings = [
            Finding::ok("table-key", Area::Store, "its key is right"),
            Finding::warning("table-ttl", Area::Store, "table terraform-lock in eu-west-1 has no time to live on its attribute expires_at")
                .why("the history of locks that nobody uses any more stays in it for ever, and costs what storage costs")
                .cure("tfguard setup --table terraform-lock --region eu-west-1 --repair, or aws dynamodb update-time-to-live"),
        ];
        insta::assert_snapshot!(at_every_look(|look| text(&findings, true, look)));
    }

    #[test]
    fn programs_get_all_of_it_in_one_document() {
        let line = json(&findings(), &["prod".into()], Some("table t"));
        let document: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!((&document["exit_code"], &document["errors"]), (&json!(78), &json!(1)));
        let check = &document["checks"][1];
        assert_eq!(check["id"], "table-ttl");
        assert_eq!((&check["severity"], &check["area"]), (&json!("warning"), &json!("store")));
        assert_eq!(check["cure"], "tfguard setup");
        assert_eq!(document["checks"][0]["why"], serde_json::Value::Null);
    }
}
