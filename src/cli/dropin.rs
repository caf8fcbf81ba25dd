//! tfguard under the name of Terraform: a link `terraform` (or `tofu`) to this program, first on
//! `PATH`, puts every tool that starts Terraform under the lock.
//!
//! The command line is Terraform's own, word for word. What may change the state or waits for its
//! lock is guarded; everything else becomes the real Terraform at once, with nothing of ours
//! between. Our own options come from variables and `tfguard.toml`. What callers read from stdout is
//! Terraform's alone, so that the log is text on stderr whatever a variable says.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::args::{Args, Command, Exec, Options, Terraform};
use crate::terraform::args::has_flag;
use crate::terraform::find::Name;
use crate::terraform::invocation::Invocation;

/// What takes the state's lock, or writes the state, besides what is a command of ours.
const GUARDED: [&[&str]; 9] = [
    &["import"],
    &["refresh"],
    &["taint"],
    &["untaint"],
    &["state", "mv"],
    &["state", "push"],
    &["state", "replace-provider"],
    &["state", "rm"],
    &["workspace", "delete"],
];

/// A command line of Terraform's that reached us under its name.
#[derive(Debug)]
pub enum DropIn {
    /// Runs under the lock.
    Guarded(Box<Args>),
    /// Is none of our business.
    Passed(Passed),
}

/// A command line for the real Terraform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// The name that we were called by.
    pub name: Name,
    /// Its arguments, as they were given.
    pub args: Vec<OsString>,
    /// The directory that `-chdir` names, for the `tfguard.toml` that counts.
    pub chdir: Option<PathBuf>,
}

/// Reads the process's arguments, its name included. `None` when the name is not Terraform's.
pub fn read(argv: &[OsString]) -> Option<DropIn> {
    let (program, args) = argv.split_first()?;
    let name = Name::of(Path::new(program).file_name()?)?;
    Some(guarded(name, args).map_or_else(
        || {
            let chdir = Invocation::read(args).chdir;
            DropIn::Passed(Passed { name, args: args.to_vec(), chdir })
        },
        |args| DropIn::Guarded(Box::new(args)),
    ))
}

fn guarded(name: Name, args: &[OsString]) -> Option<Args> {
    if ["help", "h", "version"].iter().any(|flag| has_flag(args, flag)) {
        return None;
    }
    let invocation = Invocation::read(args);
    // Terraform takes nothing but flags before its command.
    let position = args.iter().position(|arg| !is_flag(arg))?;
    let (command, rest) = args[position..].split_first()?;
    let run = || Terraform { options: Options::default(), args: rest.to_vec() };
    let (command, init) = match command.to_str()? {
        "plan" => (Command::Plan(run()), true),
        "apply" => (Command::Apply(run()), true),
        "destroy" => (Command::Destroy(run()), true),
        "init" if has_flag(rest, "migrate-state") || has_flag(rest, "force-copy") => {
            (Command::Init(run()), false)
        }
        _ if GUARDED.iter().any(|command| invocation.starts_with(command)) => {
            let argv = std::iter::once(name.as_str().into()).chain(args[position..].iter().cloned());
            (Command::Exec(Exec { options: Options::default(), argv: argv.collect() }), false)
        }
        _ => return None,
    };
    let options = Options {
        chdir: invocation.chdir,
        log_format: Some("text".into()),
        // Terraform says itself that it is not initialised; a caller may rely on that.
        init: init.then(|| "never".into()),
        stands_in_for: Some(name),
        ..Options::default()
    };
    Some(Args { options, command })
}

fn is_flag(arg: &OsStr) -> bool {
    arg.as_encoded_bytes().starts_with(b"-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<DropIn> {
        read(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn only_the_name_of_terraform_makes_a_drop_in() {
        for (line, expected) in [
            ("terraform apply", true),
            ("/opt/bin/tofu apply", true),
            ("tfguard apply", false),
            ("/opt/terraform/tfguard apply", false),
        ] {
            assert_eq!(of(line).is_some(), expected, "{line}");
        }
    }

    #[test]
    fn what_may_change_the_state_is_guarded_and_the_rest_passes() {
        for (line, expected) in [
            ("terraform apply -auto-approve", true),
            ("terraform -chdir=infra plan -out=p", true),
            ("terraform destroy", true),
            ("terraform state rm a.b", true),
            ("terraform state list", false),
            ("terraform import a.b c", true),
            ("terraform init", false),
            ("terraform init -migrate-state", true),
            ("terraform init -force-copy=true", true),
            ("terraform output -json", false),
            ("terraform force-unlock 1", false),
            ("terraform apply -help", false),
            ("terraform -version", false),
            ("terraform", false),
            ("terraform workspace new x", false),
            ("terraform workspace delete x", true),
        ] {
            assert_eq!(matches!(of(line), Some(DropIn::Guarded(_))), expected, "{line}");
        }
    }

    #[test]
    fn arguments_reach_terraform_as_they_are() {
        let Some(DropIn::Guarded(args)) = of("terraform -chdir=infra apply -var a=b p") else {
            unreachable!("not guarded")
        };
        assert_eq!(args.options.chdir.as_deref(), Some(Path::new("infra")));
        let Command::Apply(apply) = args.command else { unreachable!("not apply") };
        assert_eq!(apply.args, ["-var", "a=b", "p"]);
        let Some(DropIn::Guarded(args)) = of("tofu -chdir=infra state rm a.b") else {
            unreachable!("not guarded")
        };
        let Command::Exec(exec) = args.command else { unreachable!("not exec") };
        assert_eq!(exec.argv, ["tofu", "state", "rm", "a.b"]);
        let Some(DropIn::Passed(passed)) = of("terraform -chdir=infra output -json") else {
            unreachable!("guarded")
        };
        assert_eq!(passed.args, ["-chdir=infra", "output", "-json"]);
        assert_eq!(passed.chdir.as_deref(), Some(Path::new("infra")));
    }
}
