//! The command lines of the runs that consist of several: what is added to the plan, and which of
//! its arguments the apply of that plan needs again.

use std::ffi::{OsStr, OsString};

use super::args::{Added, has_flag};
use super::flags::{Piece, Value, flags, pieces};

/// What a plan is given whose changes are to be applied from `out`.
pub fn to_apply(out: &OsStr) -> Vec<Added> {
    vec![Added::switch("input=false"), Added::value("out", out), Added::switch("detailed-exitcode")]
}

/// What a plan is given that only looks at what is there.
pub fn to_look(out: &OsStr) -> Vec<Added> {
    let mut added = vec![Added::switch("refresh-only")];
    added.extend(to_apply(out));
    added
}

/// Flags of a plan that the apply of its file needs as well: where the state is, how its lock is
/// taken, how the output looks, how many at once. All else is in the file.
const AGAIN: [&str; 9] = [
    "backup",
    "compact-warnings",
    "json",
    "lock",
    "lock-timeout",
    "no-color",
    "parallelism",
    "state",
    "state-out",
];

/// The arguments of the apply of `file`, whose plan was given `plan`. Variables in `ephemeral` are
/// not in the file: their values are given again.
pub fn apply_of(file: &OsStr, plan: &[OsString], ephemeral: &[String]) -> Vec<OsString> {
    let mut args = Vec::new();
    for flag in flags(plan) {
        let again = match flag.name.as_str() {
            "var" => flag.value().is_some_and(|value| {
                let name = value.split('=').next().unwrap_or_default().trim().to_owned();
                ephemeral.contains(&name)
            }),
            "var-file" => !ephemeral.is_empty(),
            name => AGAIN.contains(&name),
        };
        if !again {
            continue;
        }
        match flag.value {
            None => args.push(flag.written.into()),
            Some(Value::Joined(value)) => args.push(format!("{}={value}", flag.written).into()),
            Some(Value::Next(value)) => args.extend([flag.written.into(), value.to_owned()]),
        }
    }
    args.push(file.to_owned());
    args
}

/// Why `plan` cannot be the arguments of a plan that tfguard makes for itself, if that is so. A
/// sentence for the user.
pub fn unfit(command: &str, plan: &[OsString], ambient: &[OsString]) -> Option<String> {
    if has_flag(plan, "auto-approve") {
        return Some(format!(
            "-auto-approve is not an argument of plan, which is what stands after --: `tfguard {command} \
             --auto-approve -- …`"
        ));
    }
    if let Some(Piece::Word(word)) = pieces(plan).into_iter().find(|piece| matches!(piece, Piece::Word(_))) {
        let word = word.to_string_lossy();
        return Some(format!(
            "{command} makes its own plan, and {:?} is not an argument of one; to apply a saved plan: `tfguard \
             apply -- FILE`",
            crate::escape::field(&word)
        ));
    }
    let off = |args: &[OsString], name: &str| {
        let last = flags(args).filter(|flag| flag.name == name).last();
        last.and_then(|flag| flag.value())
            .is_some_and(|value| matches!(value.as_str(), "0" | "f" | "F" | "false" | "FALSE" | "False"))
    };
    if off(plan, "detailed-exitcode")
        || (!has_flag(plan, "detailed-exitcode") && off(ambient, "detailed-exitcode"))
    {
        return Some(format!(
            "{command} needs -detailed-exitcode to know whether there are changes: leave it on"
        ));
    }
    let out = flags(ambient).chain(flags(plan)).filter(|flag| flag.name == "out").last();
    if out.is_some_and(|flag| flag.value().is_none_or(|file| file.is_empty())) {
        return Some("-out needs the name of a file".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(args: &str) -> Vec<OsString> {
        args.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_apply_gets_again_what_is_not_in_the_plan() {
        let ephemeral = ["token".to_owned()];
        for (plan, names, apply) in [
            ("", &[][..], "p"),
            ("-destroy -target=x -refresh=false -replace y -detailed-exitcode -out p", &[], "p"),
            (
                "-no-color -lock-timeout 5m --parallelism=3 -lock=false",
                &[],
                "-no-color -lock-timeout 5m --parallelism=3 -lock=false p",
            ),
            (
                "-state s -state-out=t -backup u -compact-warnings -json",
                &[],
                "-state s -state-out=t -backup u -compact-warnings -json p",
            ),
            ("-var token=x -var=a=b -var-file x.tfvars", &[], "p"),
            ("-var token=x -var=a=b -var-file x.tfvars", &ephemeral, "-var token=x -var-file x.tfvars p"),
        ] {
            let args = apply_of(OsStr::new("p"), &os(plan), names);
            let shown: Vec<_> = args.iter().map(|arg| arg.to_str().unwrap()).collect();
            assert_eq!(shown.join(" "), apply, "{plan}");
        }
    }

    #[test]
    fn arguments_that_defeat_the_purpose_are_refused() {
        for (plan, ambient, part) in [
            ("-auto-approve", "", Some("--auto-approve -- …")),
            ("-var auto-approve", "", None),
            ("p.tfplan", "", Some("tfguard apply -- FILE")),
            ("-detailed-exitcode=false", "", Some("leave it on")),
            ("", "-detailed-exitcode=0", Some("leave it on")),
            ("-detailed-exitcode", "-detailed-exitcode=0", None),
            ("-out=", "", Some("-out needs")),
            ("-out p", "-out=", None),
            ("-destroy -refresh-only -out=p -target x", "", None),
        ] {
            let told = unfit("run", &os(plan), &os(ambient));
            match part {
                Some(part) => {
                    assert!(told.as_ref().is_some_and(|told| told.contains(part)), "{plan}: {told:?}")
                }
                None => assert_eq!(told, None, "{plan}"),
            }
        }
    }
}
