//! `setup` and `policy`: their own options, checked.

use super::args::{Policy, Setup};
use super::config::{Action, Print};
use crate::error::Error;
use crate::escape;
use crate::policy::Role;

pub(super) fn setup(raw: &Setup) -> Result<Action, Error> {
    let print = match raw.print.as_deref() {
        None => None,
        Some("terraform") => Some(Print::Terraform),
        Some("cloudformation") => Some(Print::CloudFormation),
        Some(other) => {
            let other = escape::field(other);
            return Err(usage(format!("--print \"{other}\": it can be terraform, cloudformation")));
        }
    };
    let tags = raw.tag.iter().map(|tag| match tag.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => {
            let tag = escape::field(tag);
            Err(usage(format!("--tag \"{tag}\": it is not KEY=VALUE")))
        }
    });
    Ok(Action::Setup { print, repair: raw.repair, tags: tags.collect::<Result<_, _>>()? })
}

pub(super) fn policy(raw: Policy) -> Result<Action, Error> {
    let mut roles = Vec::new();
    for role in &raw.roles {
        roles.push(match role.trim() {
            "run" => Role::Run,
            "operator" => Role::Operator,
            "state" => Role::State,
            "doctor" => Role::Doctor,
            "setup" => Role::Setup,
            other => {
                let other = escape::field(other);
                return Err(usage(format!(
                    "--for \"{other}\": it can be run, operator, state, doctor, setup"
                )));
            }
        });
    }
    if roles.is_empty() {
        roles.push(Role::Run);
    }
    if let Some(account) = &raw.account
        && (account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()))
    {
        let account = escape::field(account);
        return Err(usage(format!("--account \"{account}\": an AWS account has a number of 12 digits")));
    }
    Ok(Action::Policy { roles, account: raw.account, key_prefix: raw.key_prefix })
}

fn usage(text: String) -> Error {
    Error::Usage(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Args, Command};
    use crate::cli::parse::{Parsed, parse};

    fn action(line: &str) -> Result<Action, Error> {
        let parsed = parse(line.split(' ').map(Into::into))?;
        let Parsed::Run(args) = parsed else { unreachable!("{line}") };
        match *args {
            Args { command: Command::Setup(raw), .. } => setup(&raw),
            Args { command: Command::Policy(raw), .. } => policy(raw),
            _ => unreachable!("{line}"),
        }
    }

    #[test]
    fn values_are_understood() {
        let of = |line| action(line).unwrap();
        let plain = Action::Setup { print: None, repair: false, tags: Vec::new() };
        assert_eq!(of("tfguard setup"), plain);
        let tags = vec![("a".to_owned(), "b=c".to_owned()), ("d".to_owned(), String::new())];
        assert_eq!(
            of("tfguard setup --repair --tag a=b=c --tag d="),
            Action::Setup { print: None, repair: true, tags }
        );
        let print = Some(Print::CloudFormation);
        assert_eq!(
            of("tfguard setup --print cloudformation"),
            Action::Setup { print, repair: false, tags: Vec::new() }
        );
        let policy =
            |roles: &[Role]| Action::Policy { roles: roles.to_vec(), account: None, key_prefix: None };
        assert_eq!(of("tfguard policy"), policy(&[Role::Run]));
        assert_eq!(
            of("tfguard policy --for doctor,run --for setup"),
            policy(&[Role::Doctor, Role::Run, Role::Setup])
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (line, named) in [
            ("tfguard setup --print pulumi", "--print \"pulumi\""),
            ("tfguard setup --tag x", "--tag \"x\""),
            ("tfguard setup --print terraform --repair", "--repair"),
            ("tfguard policy --for admin", "--for \"admin\""),
            ("tfguard policy --account 12", "--account \"12\""),
            ("tfguard policy --account 12345678901x", "12 digits"),
        ] {
            let error = action(line).unwrap_err();
            assert_eq!(error.exit_code(), 64, "{line}");
            assert!(error.to_string().contains(named), "{line}: {error}");
        }
    }
}
