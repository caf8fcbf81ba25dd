//! Which lock, and in which store: what was asked for, what the directory is, and what `auto`
//! makes of the two.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::site::{self, Site};
use crate::error::Error;
use crate::escape;
use crate::lease::LockName;
use crate::store::{Access, DynamoConfig, S3Config, StoreSpec};
use crate::terraform::backend::readable;
use crate::terraform::{Backend, Directory};

/// The values of `--store`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StoreChoice {
    /// By the backend.
    #[default]
    Auto,
    /// A DynamoDB table.
    Dynamodb,
    /// An S3 bucket.
    S3,
    /// Files of this machine.
    Local,
}

/// What the user asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// `--lock`, as often as it was given; none: the lock is found by the directory.
    pub locks: Vec<LockName>,
    /// `--store`
    pub store: StoreChoice,
    /// `--table`
    pub table: Option<String>,
    /// `--bucket`
    pub bucket: Option<String>,
    /// `--region`, `--endpoint-url`, `--profile`, `--role-arn`; `None` leaves it to the AWS SDK's own
    /// chain.
    pub access: Access,
    /// `--local-dir`, absolute.
    pub local_dir: Option<PathBuf>,
}

/// Where it was asked.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The directory that Terraform runs in.
    pub directory: &'a Directory,
    /// The command is Terraform's own, which makes the directory Terraform's even while it is
    /// empty; `exec`, `status` and `unlock` may stand anywhere.
    pub terraform: bool,
    /// The user's state directory, see [`user_state_dir`].
    pub user_state: Option<&'a Path>,
    /// Under a CI system other machines run the same.
    pub ci: bool,
}

/// The locks of a run and their stores.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// One at least, in the order in which they are taken, each once.
    pub sites: Vec<Site>,
    /// What was chosen for the user and why, a sentence each without a final full stop.
    pub chosen: Vec<String>,
    /// What the user should know about it, a sentence each without a final full stop.
    pub warnings: Vec<String>,
}

impl Target {
    /// The locks, for people: `lock a`, or `locks a, b`.
    pub fn named(&self) -> String {
        let names: Vec<&str> = self.sites.iter().map(|site| site.lock.as_str()).collect();
        format!("{} {}", if names.len() == 1 { "lock" } else { "locks" }, names.join(", "))
    }

    /// The options that name the locks from anywhere, for a shell. Those in another store than the
    /// first are left out: no command line names two stores.
    pub fn options(&self) -> String {
        let store = self.sites.first().map(|site| &site.store);
        let here: Vec<&Site> = self.sites.iter().filter(|site| Some(&site.store) == store).collect();
        site::options(&here)
    }

    /// The lock of a command that is about exactly one.
    ///
    /// # Errors
    /// [`Error::Usage`] when there are several.
    pub fn only(&self) -> Result<&Site, Error> {
        match self.sites.as_slice() {
            [site] => Ok(site),
            _ => Err(Error::Usage("this command is about one lock: give one --lock NAME".into())),
        }
    }
}

/// The folder for locks that belong to no directory: `$XDG_STATE_HOME/tfguard`, by default
/// `~/.local/state/tfguard`. `None` without a home directory.
pub fn user_state_dir() -> Option<PathBuf> {
    let base = etcetera::base_strategy::Xdg::new().ok()?;
    Some(base.state_dir()?.join("tfguard"))
}

/// Decides.
///
/// # Errors
/// [`Error::Usage`] when a name is missing that only the user can give, [`Error::Config`] when
/// nothing says which store to use. Both say what to give.
pub fn choose(wish: &Wish, place: Place<'_>) -> Result<Target, Error> {
    let mut chosen = Vec::new();
    let mut warnings = Vec::new();
    let store = store(wish, place, &mut chosen)?;
    let mut locks = wish.locks.clone();
    if locks.is_empty() {
        let lock = lock_of_directory(place)?;
        chosen.push(format!("the lock is named after the directory, {}", escape::line(lock.as_str())));
        locks.push(lock);
    }
    if wish.locks.is_empty() && !matches!(store, StoreSpec::Local { .. }) {
        warnings.push(
            "another machine, or another checkout, has another directory and so another lock; to exclude it, \
             give the same --lock NAME there and here"
                .to_owned(),
        );
    }
    if place.ci && matches!(store, StoreSpec::Local { .. }) {
        warnings.push(
            "the lock is a file on this machine and does not exclude runs on other CI runners; use --table \
             for a lock that does"
                .to_owned(),
        );
    }
    let sites = locks.into_iter().map(|lock| Site { lock, store: store.clone() }).collect();
    Ok(Target { sites: site::in_order(sites), chosen, warnings })
}

fn store(wish: &Wish, place: Place<'_>, chosen: &mut Vec<String>) -> Result<StoreSpec, Error> {
    match wish.store {
        StoreChoice::Local => local(wish, place, chosen),
        StoreChoice::Dynamodb => dynamodb(wish).ok_or_else(|| {
            Error::Usage("--store dynamodb needs the name of the table: give --table NAME".into())
        }),
        StoreChoice::S3 => s3(wish, place.directory).ok_or_else(|| {
            Error::Usage(
                "--store s3 needs the name of the bucket, and no initialised s3 backend says it: give --bucket \
                 NAME"
                    .into(),
            )
        }),
        StoreChoice::Auto => match (dynamodb(wish), &place.directory.backend) {
            (Some(dynamodb), _) => Ok(dynamodb),
            (None, backend) if backend.is_local() => {
                if is_terraforms(place) {
                    chosen.push("the store is local, since the state is on this machine too".into());
                } else {
                    chosen.push("the store is local, since no table and no backend say otherwise".into());
                }
                local(wish, place, chosen)
            }
            (None, backend) => Err(undecided(backend)),
        },
    }
}

fn dynamodb(wish: &Wish) -> Option<StoreSpec> {
    Some(StoreSpec::Dynamodb(DynamoConfig { table: wish.table.clone()?, access: wish.access.clone() }))
}

/// The bucket that was named, else the state's own; to that one the way is the backend's, but for
/// what was given.
fn s3(wish: &Wish, directory: &Directory) -> Option<StoreSpec> {
    let named = wish.bucket.as_deref();
    let backend = directory.s3.as_ref().filter(|s3| named.is_none_or(|bucket| bucket == s3.bucket));
    let bucket = named.or(backend.map(|s3| s3.bucket.as_str()))?.to_owned();
    let mut access = wish.access.clone();
    if let Some(s3) = backend {
        access.region = access.region.or_else(|| s3.region.clone());
        access.endpoint_url = access.endpoint_url.or_else(|| s3.s3_endpoint.clone());
        access.profile = access.profile.or_else(|| s3.profile.clone());
        access.role_arn = access.role_arn.or_else(|| s3.role_arn.clone());
    }
    Some(StoreSpec::S3(S3Config { bucket, path_style: backend.is_some_and(|s3| s3.path_style), access }))
}

fn local(wish: &Wish, place: Place<'_>, chosen: &mut Vec<String>) -> Result<StoreSpec, Error> {
    if let Some(dir) = &wish.local_dir {
        return Ok(StoreSpec::Local { dir: dir.clone() });
    }
    if place.directory.backend.is_local() && is_terraforms(place) {
        return Ok(StoreSpec::Local { dir: place.directory.canonical.join(".tfguard") });
    }
    let Some(dir) = place.user_state else {
        return Err(Error::Config(
            "there is no home directory to keep locks in: set HOME, or give --local-dir DIR".into(),
        ));
    };
    chosen.push(format!("locks are kept in {}", escape::line(&dir.to_string_lossy())));
    Ok(StoreSpec::Local { dir: dir.to_path_buf() })
}

fn is_terraforms(place: Place<'_>) -> bool {
    place.terraform || place.directory.is_terraforms() || place.directory.has_locks
}

fn undecided(backend: &Backend) -> Error {
    Error::Config(match backend {
        Backend::Type(name) if name == "s3" => {
            "the backend is s3, and nothing says where the lock lives: give \
             --table NAME (or --store local) and --lock NAME"
                .into()
        }
        Backend::Unreadable(cause) => format!(
            "the backend is not known, since {} cannot be read; give --table NAME or --store local, and --lock \
             NAME",
            escape::line(cause)
        ),
        other => format!(
            "the backend is {}, which has no place for the lock: give --table NAME or --store local, and --lock \
             NAME",
            backend_name(other)
        ),
    })
}

fn backend_name(backend: &Backend) -> String {
    match backend {
        Backend::None => "local".into(),
        Backend::Type(name) => escape::field(name).into_owned(),
        Backend::Cloud => "cloud".into(),
        Backend::Unreadable(_) => "not readable".into(),
    }
}

/// Local state belongs to its directory, and so does its lock; each workspace has its own.
fn lock_of_directory(place: Place<'_>) -> Result<LockName, Error> {
    let directory = place.directory;
    if !directory.backend.is_local() {
        return Err(Error::Usage(format!(
            "the backend is {}, so that the directory does not name the lock: give --lock NAME, the same \
             wherever this state is worked on",
            backend_name(&directory.backend)
        )));
    }
    if !is_terraforms(place) {
        return Err(Error::Usage(format!(
            "there is no Terraform configuration in {} to name the lock after: give --lock NAME, or -C DIR",
            escape::line(&directory.canonical.to_string_lossy())
        )));
    }
    let mut path = directory.canonical.clone();
    if directory.workspace != "default" {
        path.push("terraform.tfstate.d");
        path.push(&directory.workspace);
    }
    LockName::new(readable(path.as_os_str().as_encoded_bytes())).map_err(|error| {
        Error::Usage(format!("the directory cannot name the lock: {error}; give --lock NAME"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(backend: Backend) -> Directory {
        Directory {
            canonical: "/srv/infra".into(),
            configured: true,
            data_dir: "/srv/infra/.terraform".into(),
            backend,
            workspace: "default".into(),
            ..Directory::default()
        }
    }

    fn empty() -> Directory {
        Directory { configured: false, ..directory(Backend::None) }
    }

    fn wish(lock: Option<&str>, store: StoreChoice, table: Option<&str>) -> Wish {
        Wish {
            locks: lock.into_iter().map(|name| LockName::new(name).unwrap()).collect(),
            store,
            table: table.map(str::to_owned),
            ..Wish::default()
        }
    }

    fn place(directory: &Directory, terraform: bool) -> Place<'_> {
        Place { directory, terraform, user_state: Some(Path::new("/home/a/state/tfguard")), ci: false }
    }

    fn backend(name: &str) -> Backend {
        Backend::Type(name.into())
    }

    /// `lock @ folder` or `lock @ table:name`, or the error's code and text.
    fn outcome(wish: &Wish, place: Place<'_>) -> Result<String, (u8, String)> {
        let target = choose(wish, place).map_err(|error| (error.exit_code(), error.to_string()))?;
        let Site { lock, store } = target.only().unwrap();
        Ok(match store {
            StoreSpec::Local { dir } => format!("{lock} @ {}", dir.display()),
            StoreSpec::Dynamodb(DynamoConfig { table, .. }) => format!("{lock} @ table:{table}"),
            StoreSpec::S3(S3Config { bucket, .. }) => format!("{lock} @ bucket:{bucket}"),
        })
    }

    #[test]
    fn each_combination_has_its_target() {
        use StoreChoice::{Auto, Dynamodb, Local};
        for (backend, wish, expected) in [
            (Backend::None, wish(None, Auto, None), "/srv/infra @ /srv/infra/.tfguard"),
            (backend("local"), wish(Some("prod"), Auto, None), "prod @ /srv/infra/.tfguard"),
            (backend("local"), wish(None, Auto, Some("t")), "/srv/infra @ table:t"),
            (backend("local"), wish(None, Dynamodb, Some("t")), "/srv/infra @ table:t"),
            (backend("s3"), wish(Some("prod"), Auto, Some("t")), "prod @ table:t"),
            (backend("s3"), wish(Some("prod"), Local, None), "prod @ /home/a/state/tfguard"),
            (backend("gcs"), wish(Some("prod"), Local, Some("t")), "prod @ /home/a/state/tfguard"),
            (Backend::Cloud, wish(Some("prod"), Dynamodb, Some("t")), "prod @ table:t"),
            (Backend::Unreadable("x".into()), wish(Some("p"), Auto, Some("t")), "p @ table:t"),
        ] {
            let directory = directory(backend);
            assert_eq!(outcome(&wish, place(&directory, true)).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn the_bucket_is_the_one_that_is_named_else_the_states_own() {
        let settings = crate::terraform::backend::S3 {
            bucket: "states".into(),
            key: "k".into(),
            region: Some("eu-west-1".into()),
            s3_endpoint: Some("http://s3".into()),
            path_style: true,
            ..Default::default()
        };
        let directory = Directory { s3: Some(settings), ..directory(backend("s3")) };
        let choose = |bucket: Option<&str>, region: Option<&str>| {
            let access = Access { region: region.map(str::to_owned), ..Access::default() };
            let bucket = bucket.map(str::to_owned);
            let wish = Wish { bucket, access, ..wish(Some("prod"), StoreChoice::S3, None) };
            choose(&wish, place(&directory, true)).unwrap().only().unwrap().options()
        };
        let own = "--lock prod --store s3 --bucket states --region eu-west-1 --endpoint-url http://s3";
        assert_eq!(choose(None, None), own);
        assert_eq!(choose(Some("states"), None), own);
        assert_eq!(choose(None, Some("us-east-1")), own.replace("eu-west-1", "us-east-1"));
        // Nothing that is known of the state's bucket holds for another.
        assert_eq!(choose(Some("locks"), None), "--lock prod --store s3 --bucket locks");
    }

    #[test]
    fn what_cannot_be_decided_says_what_to_give() {
        use StoreChoice::{Auto, Dynamodb, Local};
        for (backend, wish, code, hints) in [
            (backend("s3"), wish(None, Auto, None), 78, ["--table", "--lock"]),
            (backend("gcs"), wish(Some("p"), Auto, None), 78, ["gcs", "--table"]),
            (Backend::Cloud, wish(None, Auto, None), 78, ["cloud", "--store"]),
            (
                Backend::Unreadable("main.tf: line 3".into()),
                wish(None, Auto, None),
                78,
                ["main.tf", "--store"],
            ),
            (backend("s3"), wish(None, Auto, Some("t")), 64, ["s3", "--lock"]),
            (backend("s3"), wish(None, Dynamodb, Some("t")), 64, ["s3", "--lock"]),
            (backend("s3"), wish(None, Local, None), 64, ["s3", "--lock"]),
            (Backend::None, wish(None, Dynamodb, None), 64, ["--store dynamodb", "--table"]),
            (Backend::None, wish(None, StoreChoice::S3, None), 64, ["--store s3", "--bucket"]),
        ] {
            let directory = directory(backend);
            let (got, text) = outcome(&wish, place(&directory, true)).unwrap_err();
            assert_eq!(got, code, "{text}");
            assert!(hints.iter().all(|hint| text.contains(hint)), "{text}");
        }
    }

    #[test]
    fn a_command_without_configuration_needs_a_name_and_uses_the_users_folder() {
        let empty = empty();
        let named = wish(Some("prod"), StoreChoice::Auto, None);
        assert_eq!(outcome(&named, place(&empty, false)).as_deref(), Ok("prod @ /home/a/state/tfguard"));
        let (code, text) = outcome(&Wish::default(), place(&empty, false)).unwrap_err();
        assert_eq!(code, 64);
        assert!(text.contains("--lock"), "{text}");
        // `init -from-module` fills the directory; its lock is where the next command looks.
        assert_eq!(
            outcome(&Wish::default(), place(&empty, true)).as_deref(),
            Ok("/srv/infra @ /srv/infra/.tfguard")
        );
        let locked = Directory { has_locks: true, ..empty };
        assert_eq!(outcome(&named, place(&locked, false)).as_deref(), Ok("prod @ /srv/infra/.tfguard"));
    }

    #[test]
    fn without_a_home_the_folder_has_to_be_given() {
        let empty = empty();
        let homeless = Place { user_state: None, ..place(&empty, false) };
        let named = wish(Some("prod"), StoreChoice::Auto, None);
        assert_eq!(outcome(&named, homeless).unwrap_err().0, 78);
        let given = Wish { local_dir: Some("/locks".into()), ..named };
        assert_eq!(outcome(&given, homeless).as_deref(), Ok("prod @ /locks"));
    }

    #[test]
    fn each_workspace_has_a_lock_of_its_own() {
        let staging = Directory { workspace: "staging".into(), ..directory(Backend::None) };
        let target = choose(&Wish::default(), place(&staging, true)).unwrap();
        let site = target.only().unwrap();
        assert_eq!(site.lock.as_str(), "/srv/infra/terraform.tfstate.d/staging");
        assert_eq!(site.store, StoreSpec::Local { dir: "/srv/infra/.tfguard".into() });
    }

    #[test]
    fn odd_paths_become_distinct_valid_names() {
        use std::os::unix::ffi::OsStrExt;
        for (path, name) in [
            (b"/a#b/c%d".as_slice(), "/a%23b/c%25d"),
            (b"/a\nb", "/a%0Ab"),
            (b"/\xffx", "/%FFx"),
            ("/ü".as_bytes(), "/ü"),
        ] {
            let odd = Directory {
                canonical: PathBuf::from(std::ffi::OsStr::from_bytes(path)),
                ..directory(Backend::None)
            };
            assert_eq!(
                choose(&Wish::default(), place(&odd, true)).unwrap().only().unwrap().lock.as_str(),
                name
            );
        }
        let deep =
            Directory { canonical: format!("/{}", "x".repeat(1100)).into(), ..directory(Backend::None) };
        assert_eq!(outcome(&Wish::default(), place(&deep, true)).unwrap_err().0, 64);
    }

    #[test]
    fn choices_are_said_and_a_local_lock_under_ci_is_warned_of() {
        let directory = directory(Backend::None);
        let ci = Place { ci: true, ..place(&directory, true) };
        let target = choose(&Wish::default(), ci).unwrap();
        assert_eq!(
            target.chosen,
            [
                "the store is local, since the state is on this machine too",
                "the lock is named after the directory, /srv/infra",
            ]
        );
        assert_eq!(target.warnings.len(), 1);
        let table = choose(&wish(Some("p"), StoreChoice::Dynamodb, Some("t")), ci).unwrap();
        assert!(table.chosen.is_empty() && table.warnings.is_empty());
    }
}
