//! What of AWS the options and the directory mean, for the commands that are about tables and
//! buckets themselves: `setup` and `policy`.

use super::placement::{self, Said};
use super::target::{StoreChoice, Wish};
use crate::error::Error;
use crate::escape;
use crate::lease::LockName;
use crate::policy::{Locks, Names, Scope, State};
use crate::provision::{Blueprint, DEFAULT_TABLE, Way};
use crate::terraform::Directory;
use crate::terraform::backend::S3;

/// Something that was decided, and how, a sentence each without a final full stop.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided<T> {
    /// What.
    pub what: T,
    /// How.
    pub chosen: Vec<String>,
}

/// What `setup` is to make.
///
/// # Errors
/// [`Error::Usage`] for names that AWS does not take, and where there is nothing to make.
pub fn blueprint(
    wish: &Wish,
    directory: &Directory,
    tags: Vec<(String, String)>,
) -> Result<Decided<Blueprint>, Error> {
    let mut chosen = Vec::new();
    let of_backend = || placement::s3_backend_of(directory)?.settings.text("bucket").map(str::to_owned);
    let (table, bucket) = match wish.store {
        StoreChoice::Local => {
            return Err(Error::Usage(
                "the store local needs no setup; for a lock that other machines share give --table NAME, or \
                 --store s3 with --bucket NAME"
                    .into(),
            ));
        }
        StoreChoice::S3 => {
            let bucket = wish.bucket.clone().or_else(of_backend).ok_or_else(|| {
                Error::Usage("--store s3 needs the name of the bucket: give --bucket NAME".into())
            })?;
            (None, Some(bucket))
        }
        StoreChoice::Auto | StoreChoice::Dynamodb => match (table(wish, directory), wish.store, of_backend())
        {
            (Some(table), ..) => (Some(table), wish.bucket.clone()),
            (None, StoreChoice::Auto, Some(of_backend)) => {
                chosen.push(
                    "the lock is kept in the state's bucket, since neither --table nor the backend names a table; \
                     for one give --table NAME"
                        .to_owned(),
                );
                (None, Some(wish.bucket.clone().unwrap_or(of_backend)))
            }
            (None, ..) => {
                chosen.push(format!("the table is called {DEFAULT_TABLE}, since --table names no other"));
                (Some(DEFAULT_TABLE.to_owned()), wish.bucket.clone())
            }
        },
    };
    Ok(Decided { what: Blueprint::new(table, bucket, tags)?, chosen })
}

/// How to reach what `setup` makes: as the store and the state are reached.
pub fn way(wish: &Wish, directory: &Directory) -> Way {
    let settings = placement::s3_backend_of(directory).map(|backend| &backend.settings);
    let access = |endpoints: &[&str]| placement::access(wish, settings, endpoints, &mut Said::default());
    Way {
        table: access(&["endpoints.dynamodb", "dynamodb_endpoint"]),
        bucket: access(&["endpoints.s3", "endpoint"]),
        path_style: settings
            .is_some_and(|settings| settings.is_on("use_path_style") || settings.is_on("force_path_style")),
    }
}

/// What a policy is about; `key_prefix` widens it to all states below.
///
/// # Errors
/// [`Error::Usage`] where nothing is known that would be on AWS.
pub fn scope(
    wish: &Wish,
    directory: &Directory,
    key_prefix: Option<&str>,
    account: Option<String>,
    region: Option<String>,
) -> Result<Decided<Scope>, Error> {
    let mut chosen = Vec::new();
    let state = state(wish, directory, key_prefix, &mut chosen)?;
    let names = names(wish, directory, key_prefix, state.as_ref(), &mut chosen);
    // A bucket that was given and no table: the lock is in that bucket, as in a run.
    let bucket_first = wish.store == StoreChoice::Auto && wish.table.is_none() && wish.bucket.is_some();
    let table = if bucket_first { None } else { table(wish, directory) };
    let bucket = || {
        let lock_bucket = wish.bucket.clone();
        lock_bucket.or_else(|| directory.s3.as_ref().map(|s3| s3.bucket.clone()))
    };
    let locks = match (wish.store, table, bucket()) {
        (StoreChoice::Local, ..) => Locks::Elsewhere,
        (StoreChoice::Dynamodb | StoreChoice::Auto, Some(name), _) => Locks::Table { name, locks: names },
        (StoreChoice::S3 | StoreChoice::Auto, _, Some(name)) => Locks::Bucket { name, locks: names },
        (StoreChoice::S3, _, None) => return Err(missing("--store s3 needs the bucket: give --bucket NAME")),
        (StoreChoice::Dynamodb, None, _) => {
            return Err(missing("--store dynamodb needs the table: give --table NAME"));
        }
        (StoreChoice::Auto, None, None) => Locks::Elsewhere,
    };
    if locks == Locks::Elsewhere && state.is_none() {
        return Err(missing(
            "nothing here is on AWS, so there is nothing to allow: give --table NAME for a lock in DynamoDB, or \
             --store s3 --bucket NAME, or run in a directory whose backend is s3",
        ));
    }
    if locks == Locks::Elsewhere {
        chosen.push("the lock is not on AWS; this is what Terraform needs for the state".to_owned());
    }
    let scope = Scope { region, account, locks, state };
    Ok(Decided { what: scope, chosen })
}

fn missing(text: &str) -> Error {
    Error::Usage(text.to_owned())
}

/// The table of our locks.
fn table(wish: &Wish, directory: &Directory) -> Option<String> {
    let of_backend =
        || placement::s3_backend_of(directory)?.settings.text("dynamodb_table").map(str::to_owned);
    wish.table.clone().or_else(of_backend)
}

fn state(
    wish: &Wish,
    directory: &Directory,
    key_prefix: Option<&str>,
    chosen: &mut Vec<String>,
) -> Result<Option<State>, Error> {
    let backend = directory.s3.as_ref();
    let other_bucket = |s3: &S3| wish.bucket.as_ref().is_some_and(|bucket| *bucket != s3.bucket);
    match (backend, key_prefix) {
        (Some(s3), None) => Ok(Some(State::of(s3, &directory.workspace))),
        (Some(s3), Some(prefix)) if !other_bucket(s3) => Ok(Some(State::below(s3, prefix))),
        _ => {
            let Some(bucket) = wish.bucket.clone() else {
                return match key_prefix {
                    None => Ok(None),
                    Some(_) => {
                        Err(missing("--key-prefix needs the bucket of the states: give --bucket NAME"))
                    }
                };
            };
            // No backend says how Terraform locks there: in whatever way it can.
            let assumed =
                S3 { bucket, dynamodb_table: wish.table.clone(), use_lockfile: true, ..S3::default() };
            chosen.push(match key_prefix {
                Some(prefix) => format!(
                    "no backend here is in that bucket: Terraform may lock below {} as it likes",
                    escape::field(prefix)
                ),
                None => "no backend here names a key: every state in the bucket is allowed; --key-prefix says less"
                    .to_owned(),
            });
            Ok(Some(State::below(&assumed, key_prefix.unwrap_or_default())))
        }
    }
}

fn names(
    wish: &Wish,
    directory: &Directory,
    key_prefix: Option<&str>,
    state: Option<&State>,
    chosen: &mut Vec<String>,
) -> Names {
    if !wish.locks.is_empty() {
        return Names::These(wish.locks.clone());
    }
    if let (Some(prefix), Some(State { bucket, workspaces, .. })) = (key_prefix, state) {
        return Names::Below {
            bucket: bucket.clone(),
            prefix: prefix.to_owned(),
            workspaces: workspaces.clone(),
        };
    }
    let of_backend = directory.s3.as_ref().map(|s3| s3.state_path(&directory.workspace));
    match of_backend.and_then(|name| LockName::new(name).ok()) {
        Some(lock) => Names::These(vec![lock]),
        None => {
            chosen.push("every lock in the store is allowed; --lock NAME says which".to_owned());
            Names::Any
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terraform::Backend;
    use crate::terraform::backend::{Configured, Settings};

    /// With a backend on S3, as `init` would set it up from these settings.
    fn directory(settings: Option<&[(&str, &str)]>) -> Directory {
        let mut known = Settings::default();
        for (name, value) in settings.unwrap_or_default() {
            known.set(name, Some((*value).into()), "main.tf:1");
        }
        let configured =
            Configured { kind: "s3".into(), settings: known, origin: "backend block in main.tf:1".into() };
        Directory {
            canonical: "/srv/infra".into(),
            configured: true,
            backend: if settings.is_some() { Backend::Type("s3".into()) } else { Backend::None },
            s3: settings.and_then(|_| S3::from_settings(&configured.settings)),
            in_force: settings.map(|_| configured),
            workspace: "default".into(),
            ..Directory::default()
        }
    }

    fn backend(table: Option<&str>) -> Directory {
        let mut settings = vec![("bucket", "states"), ("key", "net/tf"), ("region", "eu-west-1")];
        settings.extend(table.map(|table| ("dynamodb_table", table)));
        directory(Some(&settings))
    }

    fn wish(store: StoreChoice, table: Option<&str>, bucket: Option<&str>) -> Wish {
        Wish { store, table: table.map(str::to_owned), bucket: bucket.map(str::to_owned), ..Wish::default() }
    }

    #[test]
    fn setup_makes_what_is_named_or_what_the_lock_needs() {
        use StoreChoice::{Auto, Dynamodb, S3};
        for (wish, directory, table, bucket, said) in [
            (wish(Auto, None, None), directory(None), Some("terraform-lock"), None, 1),
            (wish(Auto, None, Some("b-1")), directory(None), Some("terraform-lock"), Some("b-1"), 1),
            (wish(Auto, Some("t-1"), None), backend(Some("locks")), Some("t-1"), None, 0),
            (wish(Auto, None, None), backend(Some("locks")), Some("locks"), None, 0),
            (wish(Auto, None, None), backend(None), None, Some("states"), 1),
            (wish(Dynamodb, None, None), backend(None), Some("terraform-lock"), None, 1),
            (wish(S3, Some("t-1"), Some("b-1")), backend(Some("locks")), None, Some("b-1"), 0),
            (wish(S3, None, None), backend(Some("locks")), None, Some("states"), 0),
        ] {
            let Decided { what, chosen } = blueprint(&wish, &directory, Vec::new()).unwrap();
            assert_eq!((what.table.as_deref(), what.bucket.as_deref()), (table, bucket), "{wish:?}");
            assert_eq!(chosen.len(), said, "{chosen:?}");
        }
        for wish in
            [wish(StoreChoice::Local, None, None), wish(S3, None, None), wish(Auto, Some("a b"), None)]
        {
            assert_eq!(blueprint(&wish, &directory(None), Vec::new()).unwrap_err().exit_code(), 64);
        }
    }

    #[test]
    fn a_policy_is_about_what_the_directory_and_the_options_name() {
        use StoreChoice::{Auto, Local, S3};
        let these = Names::These(vec![LockName::new("states/net/tf").unwrap()]);
        let decided = |wish: &Wish, directory: &Directory, prefix: Option<&str>| {
            scope(wish, directory, prefix, None, None).unwrap()
        };
        let of = decided(&wish(Auto, None, None), &backend(Some("locks")), None);
        assert_eq!(of.what.locks, Locks::Table { name: "locks".into(), locks: these.clone() });
        assert_eq!(of.chosen.len(), 0);
        let of = decided(&wish(Auto, None, None), &backend(None), None);
        assert_eq!(of.what.locks, Locks::Bucket { name: "states".into(), locks: these });
        let of = decided(&wish(S3, None, Some("locks")), &backend(None), Some("net/"));
        assert!(
            matches!(&of.what.locks, Locks::Bucket { name, locks: Names::Below { .. } } if name == "locks")
        );
        let of = decided(&wish(Auto, Some("locks"), None), &directory(None), None);
        assert_eq!(of.what.locks, Locks::Table { name: "locks".into(), locks: Names::Any });
        assert_eq!((of.what.state, of.chosen.len()), (None, 1));
        let of = decided(&wish(Local, None, None), &backend(None), None);
        assert_eq!(of.what.locks, Locks::Elsewhere);
        assert!(of.what.state.is_some());
        for (wish, prefix) in [
            (wish(Auto, None, None), None),
            (wish(Auto, Some("t"), None), Some("net/")),
            (wish(S3, None, None), None),
        ] {
            assert_eq!(
                scope(&wish, &directory(None), prefix, None, None).unwrap_err().exit_code(),
                64,
                "{wish:?}"
            );
        }
    }
}
