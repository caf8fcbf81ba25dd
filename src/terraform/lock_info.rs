//! Terraform's own state lock, as Terraform describes it.

use jiff::Timestamp;

/// The `Lock Info:` block that Terraform prints with every error about a lock that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockInfo {
    /// What `force-unlock` takes.
    pub id: String,
    /// The state that is locked.
    pub path: String,
    /// `OperationTypeApply` and the like.
    pub operation: String,
    /// `user@host` of the process that took it.
    pub who: String,
    /// When it was taken, by the clock of that machine.
    pub created: Timestamp,
}

impl LockInfo {
    /// Finds the block in what Terraform printed, coloured, framed or in a JSON text. `None`
    /// where there is none, or where one of the fields that decide is missing.
    pub fn find(printed: &str) -> Option<Self> {
        let plain = anstream::adapter::strip_str(printed).to_string();
        let (_, block) = plain.split_once("Lock Info:")?;
        let field = |name: &str| {
            block.lines().take(12).find_map(|line| {
                let line = line.trim_start_matches(['│', '|', ' ', '\t']);
                Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned())
            })
        };
        let id = field("ID").filter(|id| is_plain(id))?;
        let created = go_time(&field("Created")?)?;
        Some(Self {
            id,
            path: field("Path").unwrap_or_default(),
            operation: field("Operation").unwrap_or_default(),
            who: field("Who")?,
            created,
        })
    }

    /// Reads the JSON that the `s3` backend keeps, in an item or in an object. `None` where one of
    /// the fields that decide is missing.
    pub fn from_json(json: &str) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_str(json).ok()?;
        let field = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        Some(Self {
            id: field("ID").filter(|id| is_plain(id))?,
            path: field("Path").unwrap_or_default(),
            operation: field("Operation").unwrap_or_default(),
            who: field("Who")?,
            created: field("Created")?.parse().ok()?,
        })
    }

    /// Whether the lock was taken by one of `users` (each `user@host`) at a time from `from` to
    /// `to`: by that machine's clock, which is ours.
    pub fn was_taken_by(&self, users: &[String], from: Timestamp, to: Timestamp) -> bool {
        users.contains(&self.who) && from <= self.created && self.created <= to
    }
}

/// An ID that can stand in a command line as it is: what backends use are UUIDs and numbers.
fn is_plain(id: &str) -> bool {
    !id.is_empty()
        && !id.starts_with('-')
        && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/".contains(c))
}

/// Go's `time.Time.String()`: `2026-11-21 04:45:36.732646725 +0000 UTC`, perhaps with a monotonic
/// reading behind it.
fn go_time(text: &str) -> Option<Timestamp> {
    let mut parts = text.split(' ');
    let (date, time, offset) = (parts.next()?, parts.next()?, parts.next()?);
    format!("{date}T{time}{offset}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "\
\x1b[31mFailed to unlock state: lock ID \"tfguard-probe\" does not match existing lock (\"f6b2ec4e-441f\")
Lock Info:
  ID:        f6b2ec4e-441f-3f44-aa37-4d3dfde063cf
  Path:      statebucket/a/terraform.tfstate
  Operation: OperationTypeApply
  Who:       root@vm
  Version:   1.11.4
  Created:   2026-11-21 04:45:36.732646725 +0000 UTC
  Info:      
\x1b[0m";

    #[test]
    fn the_block_is_found_plain_and_framed() {
        let framed: String = PLAIN.lines().map(|line| format!("│ {line}\n")).collect();
        for text in [PLAIN, &framed] {
            let info = LockInfo::find(text).unwrap();
            assert_eq!(info.id, "f6b2ec4e-441f-3f44-aa37-4d3dfde063cf");
            assert_eq!(info.path, "statebucket/a/terraform.tfstate");
            assert_eq!(info.who, "root@vm");
            assert_eq!(info.created, "2026-11-21T04:45:36.732646725Z".parse().unwrap());
        }
    }

    #[test]
    fn what_the_s3_backend_keeps_is_read() {
        let json = r#"{"ID":"f6b2ec4e-441f","Operation":"OperationTypeApply","Info":"","Who":"root@vm",
            "Version":"1.11.4","Created":"2026-11-21T04:45:36.732646725Z","Path":"b/k"}"#;
        let info = LockInfo::from_json(json).unwrap();
        assert_eq!(
            (info.id.as_str(), info.who.as_str(), info.path.as_str()),
            ("f6b2ec4e-441f", "root@vm", "b/k")
        );
        assert_eq!(info.created, "2026-11-21T04:45:36.732646725Z".parse().unwrap());
        assert_eq!(LockInfo::from_json(&json.replace("f6b2ec4e-441f", "-force x")), None);
        assert_eq!(LockInfo::from_json("{}"), None);
    }

    #[test]
    fn what_is_no_lock_gives_none() {
        assert_eq!(LockInfo::find("LockID is already unlocked"), None);
        assert_eq!(LockInfo::find("Lock Info:\n  Who: x\n"), None);
        assert_eq!(
            LockInfo::find(&PLAIN.replace("f6b2ec4e-441f-3f44-aa37-4d3dfde063cf", "-chdir=/ x")),
            None
        );
        assert_eq!(LockInfo::find(&PLAIN.replace("2026-11-21 04", "yesterday")), None);
    }

    #[test]
    fn only_the_same_user_on_the_same_machine_in_that_time_took_it() {
        let info = LockInfo::find(PLAIN).unwrap();
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let (before, after) = (at("2026-11-21T04:45:36Z"), at("2026-11-21T04:45:37Z"));
        let us = ["root@vm".to_owned()];
        assert!(info.was_taken_by(&us, before, after));
        assert!(!info.was_taken_by(&["root@other".to_owned()], before, after));
        assert!(!info.was_taken_by(&us, after, after));
        assert!(!info.was_taken_by(&us, before, before));
    }
}
