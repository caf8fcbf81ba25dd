//! The child's command line: what the user gave, unchanged and in order, and the little that we
//! add directly after the subcommand.

use std::ffi::{OsStr, OsString};

use super::flags::{Piece, Value, flags, pieces};
use super::version::{Feature, Version};

/// The Terraform commands that tfguard runs itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// `terraform init`
    Init,
    /// `terraform plan`
    Plan,
    /// `terraform apply`
    Apply,
    /// `terraform destroy`
    Destroy,
}

impl Command {
    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Plan => "plan",
            Self::Apply => "apply",
            Self::Destroy => "destroy",
        }
    }
}

/// A flag of ours, which is added where the user gave none of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    name: String,
    value: Option<OsString>,
}

impl Added {
    /// A flag as it is written behind its dash: `refresh-only`, `input=false`.
    pub fn switch(written: &str) -> Self {
        match written.split_once('=') {
            Some((name, value)) => Self::value(name, OsStr::new(value)),
            None => Self { name: written.to_owned(), value: None },
        }
    }

    /// A flag with a value.
    pub fn value(name: &str, value: &OsStr) -> Self {
        Self { name: name.to_owned(), value: Some(value.to_owned()) }
    }

    fn written(&self) -> OsString {
        let mut written = OsString::from("-");
        written.push(&self.name);
        if let Some(value) = &self.value {
            written.push("=");
            written.push(value);
        }
        written
    }
}

/// What decides which arguments are added.
#[derive(Debug, Clone, Copy, Default)]
pub struct Situation<'a> {
    /// The child has a terminal, so that it can ask.
    pub interactive: bool,
    /// Our own output is NDJSON; such a run is never interactive.
    pub json: bool,
    /// The lock is shared: plans under it would collide on Terraform's own lock.
    pub shared: bool,
    /// The version of Terraform, where it is known. Where it is not, it is taken for one that has
    /// what all but the oldest have.
    pub version: Option<Version>,
    /// What else is added.
    pub added: &'a [Added],
    /// The arguments that Terraform takes from its environment, see [`ambient`]. They count as
    /// given by the user.
    pub ambient: &'a [OsString],
}

/// The child's arguments: the subcommand, what we add, what the user gave.
pub fn build(command: Command, user: &[OsString], situation: Situation<'_>) -> Vec<OsString> {
    let given = |name: &str| has_flag(user, name) || has_flag(situation.ambient, name);
    let locks = |args: &[OsString]| flags(args).any(|flag| flag.name.starts_with("lock"));
    let mut args = vec![OsString::from(command.as_str())];
    let asks_nobody = situation.json || !situation.interactive;
    if asks_nobody && !given("input") && !situation.added.iter().any(|added| added.name == "input") {
        args.push("-input=false".into());
    }
    args.extend(situation.added.iter().filter(|added| !given(&added.name)).map(Added::written));
    if situation.json && takes_json(command, situation.version) && !given("json") {
        args.push("-json".into());
    }
    if situation.shared && command == Command::Plan && !locks(user) && !locks(situation.ambient) {
        args.push("-lock=false".into());
    }
    args.extend(user.iter().cloned());
    args
}

fn takes_json(command: Command, version: Option<Version>) -> bool {
    match command {
        Command::Init => version.is_some_and(|version| version.has(Feature::InitJson)),
        Command::Plan | Command::Apply | Command::Destroy => {
            version.is_none_or(|version| version.has(Feature::Json))
        }
    }
}

/// Whether the flag `name` (without dashes) stands in `args` in any of its forms.
pub fn has_flag(args: &[OsString], name: &str) -> bool {
    flags(args).any(|flag| flag.name == name)
}

/// Whether `args` let Terraform go on without asking: `-auto-approve`, the last one counting.
pub fn approves(args: &[OsString]) -> bool {
    is_on(args, "auto-approve")
}

/// Whether the switch `name` is on in `args`, the last one counting.
pub fn is_on(args: &[OsString], name: &str) -> bool {
    let last = flags(args).filter(|flag| flag.name == name).last();
    last.is_some_and(|flag| {
        !flag
            .value()
            .is_some_and(|value| matches!(value.as_str(), "0" | "f" | "F" | "false" | "FALSE" | "False"))
    })
}

/// Whether a plan with these arguments says by its exit code that there are changes: 0 for none, 2 for some.
/// `ambient` is what Terraform takes from the environment and puts in front.
pub fn tells_changes(args: &[OsString], ambient: &[OsString]) -> bool {
    const NAME: &str = "detailed-exitcode";
    if has_flag(args, NAME) { is_on(args, NAME) } else { is_on(ambient, NAME) }
}

/// The saved plan among the arguments of `apply`: the first one that is neither a flag nor the
/// value of one.
pub fn plan_file(args: &[OsString]) -> Option<&OsStr> {
    pieces(args).into_iter().find_map(|piece| match piece {
        Piece::Word(word) => Some(word),
        Piece::Flag(_) => None,
    })
}

/// Where `plan` writes its plan: the last `-out`, those of the environment standing before the
/// user's own.
pub fn plan_out(user: &[OsString], ambient: &[OsString]) -> Option<OsString> {
    let given = flags(ambient).chain(flags(user)).filter(|flag| flag.name == "out");
    given.last().and_then(|flag| flag.value.map(Value::into_os)).filter(|file| !file.is_empty())
}

/// The arguments that Terraform itself takes from `TF_CLI_ARGS` and `TF_CLI_ARGS_<command>`.
pub fn ambient(command: Command, env: &dyn Fn(&str) -> Option<String>) -> Vec<OsString> {
    let own = format!("TF_CLI_ARGS_{}", command.as_str());
    [env(&own), env("TF_CLI_ARGS")].into_iter().flatten().flat_map(|text| words(&text)).collect()
}

/// Splits a text into words as a shell does, without expanding anything in them.
pub(super) fn words(text: &str) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(chars.next()),
            (None, _) if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words.into_iter().map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::super::version::Product;
    use super::*;

    fn os(args: &str) -> Vec<OsString> {
        args.split_whitespace().map(OsString::from).collect()
    }

    fn built(command: Command, user: &str, situation: Situation<'_>) -> String {
        let args = build(command, &os(user), situation);
        args.iter().map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn only_what_nothing_contradicts_is_added_directly_after_the_subcommand() {
        use Command::{Apply, Destroy, Init, Plan};
        let terminal = Situation { interactive: true, ..Situation::default() };
        let ci = Situation::default();
        let json = Situation { json: true, interactive: true, ..Situation::default() };
        let shared = Situation { shared: true, ..terminal };
        for (command, user, situation, expected) in [
            (Apply, "-auto-approve", terminal, "apply -auto-approve"),
            (Apply, "-auto-approve", ci, "apply -input=false -auto-approve"),
            (Apply, "-input=true x.tfplan", ci, "apply -input=true x.tfplan"),
            (Apply, "--input", ci, "apply --input"),
            (Apply, "-var -input", ci, "apply -input=false -var -input"),
            (Plan, "-out p", json, "plan -input=false -json -out p"),
            (Plan, "-json", json, "plan -input=false -json"),
            (Plan, "--json=false -input=1", json, "plan --json=false -input=1"),
            (Destroy, "", json, "destroy -input=false -json"),
            (Init, "-upgrade", json, "init -input=false -upgrade"),
            (Plan, "", shared, "plan -lock=false"),
            (Plan, "-lock=true", shared, "plan -lock=true"),
            (Plan, "-lock-timeout 5m", shared, "plan -lock-timeout 5m"),
            (Apply, "", shared, "apply"),
        ] {
            assert_eq!(built(command, user, situation), expected);
        }
    }

    #[test]
    fn json_is_asked_of_a_version_that_knows_it() {
        let with = |number| Situation {
            json: true,
            version: Some(Version { product: Product::Terraform, number }),
            ..Situation::default()
        };
        let unknown = Situation { json: true, ..Situation::default() };
        for (command, situation, expected) in [
            (Command::Init, unknown, "init -input=false"),
            (Command::Init, with((1, 8, 5)), "init -input=false"),
            (Command::Init, with((1, 9, 0)), "init -input=false -json"),
            (Command::Init, with((2, 0, 0)), "init -input=false -json"),
            (Command::Plan, unknown, "plan -input=false -json"),
            (Command::Plan, with((0, 15, 2)), "plan -input=false"),
            (Command::Apply, with((0, 15, 3)), "apply -input=false -json"),
        ] {
            assert_eq!(built(command, "", situation), expected);
        }
    }

    #[test]
    fn what_a_run_of_ours_adds_stands_where_the_user_says_nothing_else() {
        let added = [
            Added::switch("input=false"),
            Added::value("out", OsStr::new("/tmp/p")),
            Added::switch("detailed-exitcode"),
        ];
        let terminal = Situation { interactive: true, added: &added, ..Situation::default() };
        let ci = Situation { added: &added, ..Situation::default() };
        for (user, situation, expected) in [
            ("", terminal, "plan -input=false -out=/tmp/p -detailed-exitcode"),
            ("-destroy", ci, "plan -input=false -out=/tmp/p -detailed-exitcode -destroy"),
            ("-out mine -input=true", ci, "plan -detailed-exitcode -out mine -input=true"),
        ] {
            assert_eq!(built(Command::Plan, user, situation), expected);
        }
    }

    #[test]
    fn arguments_from_the_environment_count_as_given() {
        let env = |name: &str| match name {
            "TF_CLI_ARGS_plan" => Some("-input=true -var 'a=b c'".to_owned()),
            "TF_CLI_ARGS" => Some("-lock-timeout=1m \"\"".to_owned()),
            _ => None,
        };
        let ambient = ambient(Command::Plan, &env);
        assert_eq!(ambient, ["-input=true", "-var", "a=b c", "-lock-timeout=1m", ""]);
        let situation = Situation { shared: true, ambient: &ambient, ..Situation::default() };
        assert_eq!(built(Command::Plan, "-out=p", situation), "plan -out=p");
    }

    #[test]
    fn approval_is_what_the_last_flag_says() {
        for (args, approved) in [
            ("", false),
            ("-auto-approve", true),
            ("--auto-approve=true", true),
            ("-auto-approve=false", false),
            ("-auto-approve -auto-approve=0", false),
            ("-var -auto-approve", false),
            ("-- -auto-approve", false),
        ] {
            assert_eq!(approves(&os(args)), approved, "{args}");
        }
    }

    #[test]
    fn a_plan_file_is_told_from_the_values_of_flags() {
        for (args, file) in [
            ("", None),
            ("-auto-approve", None),
            ("p.tfplan", Some("p.tfplan")),
            ("-var a=b --var-file x.tfvars -target=y -parallelism 4 p", Some("p")),
            ("-state s -state-out t -backup u -lock-timeout 5s", None),
            ("-replace r -exclude e -generate-config-out g -out o", None),
            ("-no-color -lock=false p", Some("p")),
            ("-- p", Some("p")),
        ] {
            assert_eq!(plan_file(&os(args)), file.map(OsStr::new), "{args}");
        }
    }

    #[test]
    fn a_plan_is_written_where_the_last_flag_says() {
        for (ambient, user, file) in [
            ("", "", None),
            ("", "-out p", Some("p")),
            ("", "--out=p -out=q=r", Some("q=r")),
            ("-out=a", "", Some("a")),
            ("-out=a", "-out=b", Some("b")),
            ("", "-var -out", None),
            ("", "-out=", None),
        ] {
            assert_eq!(plan_out(&os(user), &os(ambient)), file.map(OsString::from), "{ambient} {user}");
        }
    }
}
