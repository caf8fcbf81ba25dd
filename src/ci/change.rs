//! What happens to which resource, read off Terraform's output: JSON, or in text the lines
//! `  # ADDRESS will be created` of a plan and `ADDRESS: Creation complete after 1s` of an apply.

use std::collections::HashMap;

use serde::Deserialize;

/// Resources that are told apart; the others are counted.
const MOST: usize = 20_000;
/// A longer address is none.
const LONGEST: usize = 1000;

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is destroyed, and another takes its place.
    Replace,
    /// It is destroyed.
    Delete,
    /// It is changed as it is.
    Update,
    /// It is made.
    Create,
    /// It comes under Terraform's care.
    Import,
    /// It has another address.
    Move,
    /// It leaves Terraform's care.
    #[serde(alias = "remove")]
    Forget,
}

impl Action {
    /// Its word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Delete => "destroy",
            Self::Update => "update",
            Self::Create => "create",
            Self::Import => "import",
            Self::Move => "move",
            Self::Forget => "forget",
        }
    }
}

/// What one line says.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    /// This is going to happen.
    Planned(String, Action),
    /// This has happened.
    Done(String, Action),
}

/// One resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its address.
    pub address: String,
    /// What happens to it.
    pub action: Action,
    /// It has happened.
    pub done: bool,
}

/// All of them, each once, in the order in which they were told.
#[derive(Debug, Default)]
pub struct Changes {
    all: Vec<Change>,
    by_address: HashMap<String, usize>,
    more: u64,
}

impl Changes {
    /// Takes in what a line said.
    pub fn note(&mut self, told: Told) {
        let (address, action, done) = match told {
            Told::Planned(address, action) => (address, action, false),
            Told::Done(address, action) => (address, action, true),
        };
        match self.by_address.get(&address) {
            Some(at) => {
                let known = &mut self.all[*at];
                let both = [known.action, action];
                if both.contains(&Action::Delete) && both.contains(&Action::Create) {
                    known.action = Action::Replace;
                }
                // Its destruction is only the half of a replacement.
                known.done |= done && (known.action != Action::Replace || action != Action::Delete);
            }
            None if self.all.len() >= MOST => self.more += 1,
            None => {
                self.by_address.insert(address.clone(), self.all.len());
                self.all.push(Change { address, action, done });
            }
        }
    }

    /// Those that are told apart.
    pub fn all(&self) -> &[Change] {
        &self.all
    }

    /// How many more there are.
    pub fn more(&self) -> u64 {
        self.more
    }
}

#[derive(Deserialize)]
struct Message {
    r#type: String,
    change: Option<Body>,
    hook: Option<Body>,
}

#[derive(Deserialize)]
struct Body {
    resource: Resource,
    action: Option<Action>,
}

#[derive(Deserialize)]
struct Resource {
    addr: String,
}

/// What a line of Terraform's JSON says.
pub fn of_json(line: &[u8]) -> Option<Told> {
    let types = [&b"\"planned_change\""[..], b"\"apply_complete\""];
    types.iter().find(|name| memchr::memmem::find(line, name).is_some())?;
    // An action of another kind, such as read, is none of these.
    let message: Message = serde_json::from_slice(line).ok()?;
    match (message.r#type.as_str(), message.change, message.hook) {
        ("planned_change", Some(Body { resource, action: Some(action) }), _) => {
            Some(Told::Planned(resource.addr, action))
        }
        ("apply_complete", _, Some(Body { resource, action: Some(action) })) => {
            Some(Told::Done(resource.addr, action))
        }
        _ => None,
    }
}

/// The end of a plan's line, and what it means.
const PLANNED: [(&str, Action); 10] = [
    (" will be created", Action::Create),
    (" will be destroyed", Action::Delete),
    (" will be updated in-place", Action::Update),
    (" must be replaced", Action::Replace),
    (" will be replaced, as requested", Action::Replace),
    (" is tainted, so it must be replaced", Action::Replace),
    (" is tainted, so must be replaced", Action::Replace),
    (" will be replaced due to changes in replace_triggered_by", Action::Replace),
    (" will be imported", Action::Import),
    (" will no longer be managed by Terraform", Action::Forget),
];

/// What an apply says of what it has done.
const DONE: [(&str, Action); 3] = [
    (": Creation complete after ", Action::Create),
    (": Modifications complete after ", Action::Update),
    (": Destruction complete after ", Action::Delete),
];

/// What a line of text without colour says.
pub fn of_text(line: &str) -> Option<Told> {
    let line = line.trim_end();
    if let Some(planned) = line.strip_prefix("  # ") {
        if let Some((address, _)) = planned.split_once(" has moved to ") {
            return is_address(address).then(|| Told::Planned(address.into(), Action::Move));
        }
        let found = PLANNED.iter().find_map(|(end, action)| Some((planned.strip_suffix(end)?, *action)));
        let (address, action) = found?;
        // Why it is so, in words of Terraform's.
        let address = address.strip_suffix(" is tainted, so").unwrap_or(address);
        return is_address(address).then(|| Told::Planned(address.into(), action));
    }
    let found = DONE.iter().find_map(|(word, action)| {
        let at = line.find(word)?;
        Some((&line[..at], *action))
    });
    let (address, action) = found?;
    is_address(address).then(|| Told::Done(address.into(), action))
}

fn is_address(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_alphabetic() || c == '_');
    starts && text.contains('.') && !text.contains(" (local-exec)") && text.len() <= LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(lines: &[&str]) -> Vec<(String, Action, bool)> {
        let mut changes = Changes::default();
        lines.iter().filter_map(|line| of_text(line)).for_each(|told| changes.note(told));
        changes.all().iter().map(|one| (one.address.clone(), one.action, one.done)).collect()
    }

    #[test]
    fn a_plan_and_its_apply_are_one() {
        assert_eq!(
            changes(&[
                "  # a.x[\"p will be destroyed q\"] will be created",
                "  # a.y must be replaced",
                "  # a.z will be updated in-place",
                "  # (3 unchanged attributes hidden)",
                "  # data.b.c will be read during apply",
                "        # a.no will be created",
                "a.y: Destroying... [id=1]",
                "a.y: Destruction complete after 0s",
                "a.x[\"p will be destroyed q\"]: Creation complete after 1s [id=3]",
            ]),
            [
                ("a.x[\"p will be destroyed q\"]".into(), Action::Create, true),
                ("a.y".into(), Action::Replace, false),
                ("a.z".into(), Action::Update, false),
            ]
        );
    }

    #[test]
    fn an_apply_alone_tells_a_replacement() {
        assert_eq!(
            changes(&["a.y: Destruction complete after 0s", "a.y: Creation complete after 0s [id=1]"]),
            [("a.y".into(), Action::Replace, true)]
        );
        assert_eq!(changes(&["a.y (local-exec): a.z: Creation complete after 0s"]), []);
    }

    #[test]
    fn json_is_read() {
        assert_eq!(
            of_json(br#"{"change":{"resource":{"addr":"a.b"},"action":"delete"},"type":"planned_change"}"#),
            Some(Told::Planned("a.b".into(), Action::Delete))
        );
        assert_eq!(
            of_json(br#"{"hook":{"resource":{"addr":"a.b"},"action":"update"},"type":"apply_complete"}"#),
            Some(Told::Done("a.b".into(), Action::Update))
        );
        for other in [
            &br#"{"change":{"resource":{"addr":"a.b"},"action":"noop"},"type":"planned_change"}"#[..],
            br#"{"change":{"resource":{"addr":"a.b"},"action":"delete"},"type":"resource_drift"}"#,
            br#"{"type":"log","x":"\"planned_change\""}"#,
        ] {
            assert_eq!(of_json(other), None);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut changes = Changes::default();
        for number in 0..MOST + 5 {
            changes.note(Told::Planned(format!("a.b{number}"), Action::Create));
        }
        assert_eq!((changes.all().len(), changes.more()), (MOST, 5));
    }
}
