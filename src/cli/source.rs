//! Where each value of a target came from, for people and programs who wonder.

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What it is: `lock`, `store`, `table`, `region`…
    pub name: &'static str,
    /// The value, never a secret.
    pub value: String,
    /// Where it stands: `--table`, `TFGUARD_TABLE`, `main.tf:3`, `default`…
    pub from: String,
}

/// The values of a target, in the order in which they are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Nothing.
    pub const NONE: Self = Self(Vec::new());

    /// Notes a value, unless there is one of this name.
    pub fn note(&mut self, name: &'static str, value: &str, from: &str) {
        if self.get(name).is_none() {
            self.0.push(Source { name, value: value.to_owned(), from: from.to_owned() });
        }
    }

    /// Without the values of these names.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|source| !names.contains(&source.name));
        self
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&Source> {
        self.0.iter().find(|source| source.name == name)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.0.iter()
    }
}
