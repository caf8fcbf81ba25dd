//! What is not as `setup` makes it, and what can be done about it.

use super::blueprint::TTL;
use crate::escape;
use crate::inventory::{Bucket, Capacity, Consistency, Fact, Table, TimeToLive, Versioning};

/// A setting that can be put right without loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    /// TTL of the table, on [`TTL`].
    TimeToLive,
    /// Point-in-time recovery of the table.
    Recovery,
    /// Deletion protection of the table.
    DeletionProtection,
    /// Versioning of the bucket.
    Versioning,
    /// Encryption by default of the bucket.
    Encryption,
    /// The bucket's block of public access.
    PublicAccess,
}

impl Setting {
    /// Those of a table that it cannot be created with.
    pub(super) const OF_TABLE: [Self; 2] = [Self::TimeToLive, Self::Recovery];
    /// Those of a bucket: closed first.
    pub(super) const OF_BUCKET: [Self; 3] = [Self::PublicAccess, Self::Encryption, Self::Versioning];

    /// What people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TimeToLive => "TTL",
            Self::Recovery => "point-in-time recovery",
            Self::DeletionProtection => "deletion protection",
            Self::Versioning => "versioning",
            Self::Encryption => "encryption by default",
            Self::PublicAccess => "the block of public access",
        }
    }

    /// What it is for, a clause.
    fn use_of_it(self) -> &'static str {
        match self {
            Self::TimeToLive => "records that nobody uses any more stay for ever",
            Self::Recovery => "a table that was emptied by mistake cannot be restored",
            Self::DeletionProtection => "the table can be deleted by mistake, with every lock that is held",
            Self::Versioning => "a state that was overwritten cannot be restored",
            Self::Encryption => "states are stored in clear, and they hold secrets",
            Self::PublicAccess => "one wrong policy makes states public, and they hold secrets",
        }
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It is off, and `--repair` switches it on.
    Off(Setting),
    /// It is being switched on or off right now.
    Changing(Setting),
    /// Something that only its owner can change: what, and why it matters.
    Owner(String),
    /// It cannot be told; why.
    Untold(&'static str, String),
}

impl Flaw {
    /// A sentence without a final full stop.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Off(setting) => {
                format!("{} is off, so that {}", setting.name(), setting.use_of_it())
            }
            Self::Changing(setting) => format!("{} is being switched", setting.name()),
            Self::Owner(text) => text.clone(),
            Self::Untold(what, why) => format!("{what} could not be looked at: {why}"),
        }
    }

    /// What `--repair` puts right.
    pub(super) fn setting(&self) -> Option<Setting> {
        match self {
            Self::Off(setting) => Some(*setting),
            Self::Changing(_) | Self::Owner(_) | Self::Untold(..) => None,
        }
    }
}

/// What is not right about a table; its key and whether it exists are not looked at.
pub(super) fn of_table(table: &Table) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    match &table.time_to_live {
        Fact::Known(TimeToLive::On(attribute)) if attribute == TTL => {}
        Fact::Known(TimeToLive::Changing { attribute, on: true })
            if attribute.as_deref().is_none_or(|name| name == TTL) => {}
        Fact::Known(TimeToLive::On(other)) => flaws.push(Flaw::Owner(format!(
            "TTL looks at the attribute \"{}\" instead of \"{TTL}\", so that {}; DynamoDB takes another only an \
             hour after the first was switched off",
            escape::field(other),
            Setting::TimeToLive.use_of_it()
        ))),
        Fact::Known(TimeToLive::Off) => flaws.push(Flaw::Off(Setting::TimeToLive)),
        Fact::Known(TimeToLive::Changing { .. }) => flaws.push(Flaw::Changing(Setting::TimeToLive)),
        Fact::Untold(fault) => flaws.push(Flaw::Untold("TTL", fault.text())),
    }
    match &table.recovery {
        Fact::Known(true) => {}
        Fact::Known(false) => flaws.push(Flaw::Off(Setting::Recovery)),
        Fact::Untold(fault) => flaws.push(Flaw::Untold("point-in-time recovery", fault.text())),
    }
    let Fact::Known(description) = &table.description else { return flaws };
    if !description.deletion_protection {
        flaws.push(Flaw::Off(Setting::DeletionProtection));
    }
    if let Capacity::Provisioned { read, write } = description.capacity {
        flaws.push(Flaw::Owner(format!(
            "it has a reserved capacity of {read} reads and {write} writes a second instead of on-demand: many \
             runs at once are slowed down; setup leaves what is paid for to its owner"
        )));
    }
    if description.consistency == Some(Consistency::Eventual) {
        flaws.push(Flaw::Owner(
            "its copies in other regions agree only in a while: two regions can both win a lock, so let all runs \
             use one region"
                .to_owned(),
        ));
    }
    flaws
}

/// What is not right about a bucket; where it is and whether it exists are not looked at.
pub(super) fn of_bucket(bucket: &Bucket) -> Vec<Flaw> {
    let judged = [
        (Setting::PublicAccess, judge(&bucket.public_access_blocked, |blocked| *blocked)),
        (Setting::Encryption, judge(&bucket.encryption, Option::is_some)),
        (Setting::Versioning, judge(&bucket.versioning, |state| *state == Versioning::Enabled)),
    ];
    judged
        .into_iter()
        .filter_map(|(setting, right)| match right {
            Ok(true) => None,
            Ok(false) => Some(Flaw::Off(setting)),
            Err(why) => Some(Flaw::Untold(setting.name(), why)),
        })
        .collect()
}

fn judge<T>(fact: &Fact<T>, right: impl Fn(&T) -> bool) -> Result<bool, String> {
    match fact {
        Fact::Known(value) => Ok(right(value)),
        Fact::Untold(fault) => Err(fault.text()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Description, Fault};

    fn right() -> Table {
        Table {
            description: Fact::Known(Description {
                status: "ACTIVE".into(),
                key: Vec::new(),
                capacity: Capacity::OnDemand,
                deletion_protection: true,
                replicas: Vec::new(),
                consistency: None,
                items: 0,
            }),
            time_to_live: Fact::Known(TimeToLive::On(TTL.into())),
            recovery: Fact::Known(true),
        }
    }

    fn described(change: impl FnOnce(&mut Description)) -> Table {
        let mut table = right();
        if let Fact::Known(description) = &mut table.description {
            change(description);
        }
        table
    }

    #[test]
    fn a_table_as_setup_makes_it_has_no_flaw() {
        assert_eq!(of_table(&right()), []);
        let turning = TimeToLive::Changing { attribute: Some(TTL.into()), on: true };
        assert_eq!(of_table(&Table { time_to_live: Fact::Known(turning), ..right() }), []);
    }

    #[test]
    fn what_can_be_put_right_is_told_from_what_cannot() {
        let off = Table {
            time_to_live: Fact::Known(TimeToLive::Off),
            recovery: Fact::Known(false),
            ..described(|table| table.deletion_protection = false)
        };
        let settings: Vec<_> = of_table(&off).iter().map(Flaw::setting).collect();
        assert_eq!(settings, [Setting::TimeToLive, Setting::Recovery, Setting::DeletionProtection].map(Some));

        for (table, part) in [
            (
                Table { time_to_live: Fact::Known(TimeToLive::On("ttl\u{1b}".into())), ..right() },
                "\"ttl\\u{1b}\" instead of \"expires_at\"",
            ),
            (
                described(|table| table.capacity = Capacity::Provisioned { read: 1, write: 2 }),
                "1 reads and 2",
            ),
            (described(|table| table.consistency = Some(Consistency::Eventual)), "two regions"),
            (
                Table { recovery: Fact::Untold(Fault::Unsupported), ..right() },
                "point-in-time recovery could not be looked at",
            ),
        ] {
            let flaws = of_table(&table);
            assert_eq!(flaws.len(), 1, "{flaws:?}");
            assert_eq!(flaws[0].setting(), None);
            assert!(flaws[0].text().contains(part), "{}", flaws[0].text());
        }
    }

    #[test]
    fn a_bucket_is_judged_by_three_settings() {
        let bucket = Bucket {
            region: Fact::Known("eu-west-1".into()),
            versioning: Fact::Known(Versioning::Enabled),
            encryption: Fact::Known(Some("aws:kms".into())),
            public_access_blocked: Fact::Known(true),
        };
        assert_eq!(of_bucket(&bucket), []);
        let open = Bucket {
            versioning: Fact::Known(Versioning::Suspended),
            encryption: Fact::Known(None),
            public_access_blocked: Fact::Known(false),
            ..bucket
        };
        let settings: Vec<_> = of_bucket(&open).iter().filter_map(Flaw::setting).collect();
        assert_eq!(settings, Setting::OF_BUCKET);
    }
}
