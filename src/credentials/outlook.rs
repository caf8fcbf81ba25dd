//! What is known about the credentials that a program finds when it is started now.

use jiff::Timestamp;

use crate::escape;
use crate::store::{AwsFiles, ask_aws_files};

/// When the keys in the environment expire, as the AWS CLI and most tools write it, and as older
/// ones do.
const EXPIRATION: [&str; 2] = ["AWS_CREDENTIAL_EXPIRATION", "AWS_SESSION_EXPIRATION"];

/// Where the credentials come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Keys in the environment. Nobody can renew them for a program that runs.
    Environment,
    /// A profile of the AWS configuration files, by name unless it is the default one. Whoever
    /// uses it asks it again when its keys expire.
    Files(Option<String>),
    /// A web identity, a container, an instance, or nothing of AWS at all.
    Elsewhere,
}

/// When they end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// At this time.
    At(Timestamp),
    /// At some time that is not known, a clause says why.
    Unknown(String),
    /// Not by themselves, or whoever uses them renews them without our doing.
    Open,
}

/// Which credentials, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// Where they come from.
    pub source: Source,
    /// When they end.
    pub end: End,
}

impl Source {
    /// For messages.
    pub fn describe(&self) -> String {
        match self {
            Self::Environment => "the session in AWS_SESSION_TOKEN".to_owned(),
            Self::Files(Some(name)) => format!("those of profile \"{}\"", escape::field(name)),
            Self::Files(None) => "those of the default profile".to_owned(),
            Self::Elsewhere => "those of the job or machine".to_owned(),
        }
    }
}

impl Outlook {
    /// Looks in the order in which Terraform does: environment, web identity, files. `ask`: the
    /// files may be asked, which may run a credential process, or ask an SSO portal or STS.
    pub async fn find(env: &dyn Fn(&str) -> Option<String>, ask: bool) -> Self {
        if let Some(found) = Self::in_environment(env) {
            return found;
        }
        let elsewhere = Self { source: Source::Elsewhere, end: End::Open };
        if !ask || set(env, "AWS_WEB_IDENTITY_TOKEN_FILE").is_some() {
            return elsewhere;
        }
        let profile = set(env, "AWS_PROFILE").or_else(|| set(env, "AWS_DEFAULT_PROFILE"));
        Self::in_files(profile).await.unwrap_or(elsewhere)
    }

    /// Asks the source again, if there is any use in it.
    pub(super) async fn again(source: Source) -> Option<Self> {
        match source {
            Source::Files(profile) => Self::in_files(profile).await,
            Source::Environment | Source::Elsewhere => None,
        }
    }

    fn in_environment(env: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        set(env, "AWS_ACCESS_KEY_ID").or_else(|| set(env, "AWS_ACCESS_KEY"))?;
        set(env, "AWS_SECRET_ACCESS_KEY").or_else(|| set(env, "AWS_SECRET_KEY"))?;
        let end = match set(env, "AWS_SESSION_TOKEN") {
            // A user's own keys; a time that stands beside them belongs to others.
            None => End::Open,
            Some(_) => expiration(env),
        };
        Some(Self { source: Source::Environment, end })
    }

    async fn in_files(profile: Option<String>) -> Option<Self> {
        let end = match ask_aws_files().await {
            AwsFiles::Nothing => return None,
            AwsFiles::Until(at) => End::At(at),
            AwsFiles::Untold => End::Unknown("its keys come without a time".to_owned()),
            AwsFiles::Lasting => End::Open,
            AwsFiles::Failed(cause) => End::Unknown(cause),
        };
        Some(Self { source: Source::Files(profile), end })
    }
}

fn expiration(env: &dyn Fn(&str) -> Option<String>) -> End {
    let told = EXPIRATION.iter().find_map(|name| Some((name, set(env, name)?)));
    match told {
        None => End::Unknown("AWS_CREDENTIAL_EXPIRATION is not set".to_owned()),
        Some((name, text)) => match text.trim().parse() {
            Ok(at) => End::At(at),
            Err(_) => End::Unknown(format!("{name} is not a time such as 2030-01-31T12:00:00Z")),
        },
    }
}

fn set(env: &dyn Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    env(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "s")];
    const TOKEN: (&str, &str) = ("AWS_SESSION_TOKEN", "t");

    fn end(variables: &[(&str, &str)]) -> Option<End> {
        let env =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Outlook::in_environment(&env).map(|outlook| outlook.end)
    }

    #[test]
    fn a_session_ends_when_the_environment_says_so() {
        let at = |text: &str| Some(End::At(text.parse().unwrap()));
        for name in EXPIRATION {
            let told = [KEYS[0], KEYS[1], TOKEN, (name, "2030-01-31T12:00:00+01:00")];
            assert_eq!(end(&told), at("2030-01-31T11:00:00Z"), "{name}");
        }
        let both = [KEYS[0], KEYS[1], TOKEN, (EXPIRATION[1], "x"), (EXPIRATION[0], "2030-01-31T11:00:00Z")];
        assert_eq!(end(&both), at("2030-01-31T11:00:00Z"));
    }

    #[test]
    fn what_the_environment_does_not_say_is_not_known() {
        for more in [("AWS_CREDENTIAL_EXPIRATION", ""), ("AWS_CREDENTIAL_EXPIRATION", "tomorrow")] {
            let Some(End::Unknown(why)) = end(&[KEYS[0], KEYS[1], TOKEN, more]) else {
                unreachable!("{more:?}")
            };
            assert!(why.contains("AWS_CREDENTIAL_EXPIRATION"), "{why}");
        }
    }

    #[test]
    fn keys_without_a_token_do_not_expire_and_half_a_pair_is_none() {
        assert_eq!(
            end(&[KEYS[0], KEYS[1], ("AWS_CREDENTIAL_EXPIRATION", "2000-01-01T00:00:00Z")]),
            Some(End::Open)
        );
        assert_eq!(end(&[KEYS[0], TOKEN]), None);
        assert_eq!(end(&[KEYS[1], TOKEN]), None);
    }
}
