//! Command lines without their secrets, for logs and for the lock record, which everybody who
//! shares the table can read.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::flags::{Flag, Piece, Value, pieces};

/// Stands where something was left out.
pub const HIDDEN: &str = "…";

/// Flags whose value is shown: none of them has room for a secret. Whatever is not listed is
/// hidden, so that a flag we do not know gives nothing away.
const SHOWN: [&str; 24] = [
    "auto-approve",
    "compact-warnings",
    "destroy",
    "detailed-exitcode",
    "exclude",
    "generate-config-out",
    "get",
    "input",
    "json",
    "lock",
    "lock-timeout",
    "lockfile",
    "migrate-state",
    "no-color",
    "out",
    "parallelism",
    "reconfigure",
    "refresh",
    "refresh-only",
    "replace",
    "state",
    "target",
    "upgrade",
    "var-file",
];

/// Terraform's arguments, from the subcommand on. Of `-var` and `-backend-config` the name stays:
/// `-var=region=…`.
pub fn terraform(args: &[OsString]) -> Vec<String> {
    let mut shown = Vec::with_capacity(args.len());
    // A switch that we do not know may take the word after it as its value.
    let mut may_be_value = false;
    for piece in pieces(args) {
        match piece {
            Piece::Word(word) => shown.push(if may_be_value { HIDDEN.to_owned() } else { plain(word) }),
            Piece::Flag(flag) => {
                may_be_value = flag.value.is_none() && !SHOWN.contains(&flag.name.as_str());
                push_flag(&mut shown, &flag);
                continue;
            }
        }
        may_be_value = false;
    }
    shown
}

fn push_flag(shown: &mut Vec<String>, flag: &Flag<'_>) {
    // A name longer than any flag, or with other characters, is not one.
    let named = flag.name.len() <= 32 && flag.name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    if !named {
        shown.push(HIDDEN.to_owned());
        return;
    }
    let Some(value) = flag.value() else {
        shown.push(flag.written.clone());
        return;
    };
    let value = match flag.name.as_str() {
        "var" | "backend-config" => keep_name(&value),
        // A flag whose own value was forgotten takes the next one, with whatever that holds.
        name if SHOWN.contains(&name) && !has_userinfo(&value) && !value.starts_with('-') => value,
        _ => HIDDEN.to_owned(),
    };
    match flag.value {
        Some(Value::Joined(_)) => shown.push(format!("{}={value}", flag.written)),
        _ => shown.extend([flag.written.clone(), value]),
    }
}

/// `name=…` where there is a name that looks like one, else nothing at all.
fn keep_name(assignment: &str) -> String {
    let is_name = |name: &str| {
        name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
    };
    match assignment.split_once('=') {
        // A secret given without a name may end in the padding of base64.
        Some((name, value)) if is_name(name.trim()) && !value.trim_matches('=').is_empty() => {
            format!("{}={HIDDEN}", name.trim())
        }
        _ => HIDDEN.to_owned(),
    }
}

/// Whether it may be a URL with a password. Such a value is hidden whole: a password that nobody
/// encoded may hold any character, so that there is no telling where it ends.
fn has_userinfo(value: &str) -> bool {
    value.contains("://") && value.contains('@')
}

/// A subcommand or a plan's file name.
fn plain(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    if word.contains(['=', '@']) || word.contains("://") {
        return HIDDEN.to_owned();
    }
    word.into_owned()
}

/// Any other command: the program's name and the plain words that follow it. The first argument
/// that starts with `-` or contains `=`, `:` or `@` hides itself and all behind it.
pub fn command(argv: &[OsString]) -> Vec<String> {
    let Some((program, args)) = argv.split_first() else { return Vec::new() };
    let name = Path::new(program).file_name().unwrap_or(program).to_string_lossy();
    let is_plain = |word: &str| !word.starts_with('-') && !word.contains(['=', ':', '@']);
    let mut shown = vec![if is_plain(&name) { name.into_owned() } else { HIDDEN.to_owned() }];
    for arg in args {
        let arg = arg.to_string_lossy();
        if !is_plain(&arg) {
            shown.push(HIDDEN.to_owned());
            break;
        }
        shown.push(arg.into_owned());
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn os(args: &str) -> Vec<OsString> {
        args.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn names_stay_and_values_go() {
        for (args, shown) in [
            ("apply -auto-approve", "apply -auto-approve"),
            ("apply -var=password=x p", "apply -var=password=… p"),
            ("plan --var password=x=y -out p", "plan --var password=… -out p"),
            ("init -backend-config=token=x", "init -backend-config=token=…"),
            ("init -backend-config prod.hcl", "init -backend-config …"),
            ("init -from-module=git::https://t@h/x", "init -from-module=…"),
            ("plan -var hunter2", "plan -var …"),
            ("plan -var c2VjcmV0cw==", "plan -var …"),
            (
                "plan -target=aws_instance.x -var-file=prod.tfvars",
                "plan -target=aws_instance.x -var-file=prod.tfvars",
            ),
            ("plan -new-flag value more", "plan -new-flag … more"),
            ("plan -new-flag=value", "plan -new-flag=…"),
            ("apply -- pass=word", "apply …"),
            ("plan -var", "plan -var"),
            ("plan -out=https://u:p@h/x", "plan -out=…"),
            ("plan -out -var=password=x", "plan -out …"),
        ] {
            assert_eq!(terraform(&os(args)).join(" "), shown);
        }
    }

    #[test]
    fn of_another_command_the_plain_leading_words_stay() {
        for (argv, shown) in [
            ("terragrunt run-all apply --queue x", "terragrunt run-all apply …"),
            ("/usr/bin/make deploy", "make deploy"),
            ("env TOKEN=x make", "env …"),
            ("curl https://u:p@h", "curl …"),
            ("./deploy.sh prod user@host more", "deploy.sh prod …"),
            ("A=b", "…"),
            ("sh -c secret", "sh …"),
            ("", ""),
        ] {
            assert_eq!(command(&os(argv)).join(" "), shown);
        }
    }

    /// Every position in which Terraform expects a value, with `{}` for the secret.
    fn positions() -> impl Strategy<Value = Vec<String>> {
        prop::sample::select(vec![
            vec!["-var", "name={}"],
            vec!["--var", "name={}"],
            vec!["-var={}"],
            vec!["-var", "{}"],
            vec!["-var=name={}"],
            vec!["--var=name=a={}"],
            vec!["-backend-config={}"],
            vec!["-backend-config", "{}"],
            vec!["-backend-config=key={}"],
            vec!["--backend-config", "key={}"],
            vec!["-from-module={}"],
            vec!["-from-module", "git::https://{}@host/x"],
            vec!["-out=https://user:{}@host/x"],
            vec!["-state", "https://{}@host/x"],
            vec!["-some-new-flag={}"],
            vec!["-some-new-flag", "{}"],
            vec!["https://user:{}@host/x"],
            vec!["key={}"],
        ])
        .prop_map(|words| words.into_iter().map(str::to_owned).collect())
    }

    proptest! {
        #[test]
        fn a_secret_never_comes_through(
            groups in prop::collection::vec(positions(), 1..5),
            secret in "S3CRET[A-Za-z0-9+_./-]{1,20}={0,2}",
        ) {
            let mut args = vec![OsString::from("plan")];
            for group in &groups {
                args.extend(group.iter().map(|word| OsString::from(word.replace("{}", &secret))));
            }
            let shown = terraform(&args).join(" ");
            prop_assert!(!shown.contains("S3CRET"), "{}", shown);
        }

        #[test]
        fn an_exec_secret_never_comes_through(
            words in prop::collection::vec("[a-z]{1,8}", 0..4),
            carrier in prop::sample::select(vec!["-{}", "--token={}", "KEY={}", "user:{}", "{}@host", "https://{}@h"]),
            after in prop::collection::vec("[a-z{}]{1,8}", 0..3),
        ) {
            let mut argv = vec![OsString::from("tool")];
            argv.extend(words.iter().map(OsString::from));
            argv.push(carrier.replace("{}", "S3CRET").into());
            argv.extend(after.iter().map(|word| OsString::from(format!("{word}S3CRET"))));
            let shown = command(&argv).join(" ");
            prop_assert!(!shown.contains("S3CRET"), "{}", shown);
            prop_assert!(shown.ends_with(HIDDEN));
        }
    }
}
