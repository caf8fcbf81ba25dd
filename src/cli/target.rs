//! Which lock, and in which store: what was asked for, what the directory is, and what `auto`
//! makes of the two.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::placement::{self, Said};
use super::site::{self, Site};
use super::source::Sources;
use crate::error::Error;
use crate::escape;
use crate::lease::LockName;
use crate::store::{Access, StoreSpec};
use crate::terraform::Directory;
use crate::terraform::backend::{StateFile, Unnamed, readable};

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
    /// Where each of these was given, by the name of its [`Source`](super::source::Source).
    pub origins: BTreeMap<&'static str, String>,
}

impl Wish {
    /// Where the value of this name was given.
    pub(super) fn from(&self, name: &str) -> Option<&str> {
        self.origins.get(name).map(String::as_str)
    }
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

impl Place<'_> {
    /// Whether anything here is Terraform's.
    pub(super) fn is_terraforms(&self) -> bool {
        self.terraform || self.directory.is_terraforms() || self.directory.has_locks
    }
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
    /// Where each value came from.
    pub sources: Sources,
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
    let mut said = Said::default();
    let mut warnings = Vec::new();
    let store = placement::store(wish, place, &mut said)?;
    let mut locks = wish.locks.clone();
    let mut sources = Sources::default();
    if locks.is_empty() {
        let Named { lock, from, chosen } = lock_of_directory(place)?;
        said.chosen.extend(chosen);
        sources.note("lock", lock.as_str(), &from);
        locks.push(lock);
    } else {
        let names: Vec<&str> = locks.iter().map(LockName::as_str).collect();
        sources.note("lock", &names.join(", "), wish.from("lock").unwrap_or_default());
    }
    let directory = place.directory;
    if place.is_terraforms() {
        sources.note(
            "workspace",
            &directory.workspace,
            directory.workspace_origin.as_deref().unwrap_or("default"),
        );
        let origin = directory.in_force.as_ref().map_or("default", |backend| &backend.origin);
        sources.note("backend", &placement::name(&directory.backend), origin);
    }
    said.sources.iter().for_each(|source| sources.note(source.name, &source.value, &source.from));
    let by_directory = wish.locks.is_empty() && directory.backend.is_local();
    if by_directory && !matches!(store, StoreSpec::Local { .. }) {
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
    Ok(Target { sites: site::in_order(sites), chosen: said.chosen, warnings, sources })
}

/// A lock that nobody named.
struct Named {
    lock: LockName,
    from: String,
    chosen: Option<String>,
}

/// The lock of the state that the directory's commands work on.
fn lock_of_directory(place: Place<'_>) -> Result<Named, Error> {
    let directory = place.directory;
    if let Some(state) = directory.state_file() {
        if place.is_terraforms() {
            return lock_of_file(&state);
        }
        return Err(Error::Usage(format!(
            "there is no Terraform configuration in {} to name the lock after: give --lock NAME, or -C DIR",
            escape::line(&directory.canonical.to_string_lossy())
        )));
    }
    let Some(backend) = &directory.in_force else {
        return Err(Error::Usage(format!(
            "the backend is {}, so that the directory does not name the lock: give --lock NAME, the same \
             wherever this state is worked on",
            placement::name(&directory.backend)
        )));
    };
    match backend.lock_name(&directory.workspace) {
        Ok(lock) => Ok(Named { lock, from: backend.origin.clone(), chosen: None }),
        Err(why) => Err(unnamed(&backend.shown(), &why)),
    }
}

/// Local state belongs to a place on this machine, and so does its lock.
fn lock_of_file(state: &StateFile) -> Result<Named, Error> {
    let lock =
        LockName::new(readable(state.lock_path().as_os_str().as_encoded_bytes())).map_err(|error| {
            Error::Usage(format!("the directory cannot name the lock: {error}; give --lock NAME"))
        })?;
    let shown = escape::line(lock.as_str()).into_owned();
    Ok(match &state.origin {
        Some(origin) => {
            let chosen = format!("the lock is named after the state of {}, {shown}", escape::field(origin));
            Named { lock, from: origin.clone(), chosen: Some(chosen) }
        }
        None => {
            let chosen = format!("the lock is named after the directory, {shown}");
            Named { lock, from: "the directory".to_owned(), chosen: Some(chosen) }
        }
    })
}

fn unnamed(backend: &str, why: &Unnamed) -> Error {
    let list = |names: &[String]| names.iter().map(|name| escape::field(name)).collect::<Vec<_>>().join(", ");
    Error::Usage(match why {
        Unnamed::Unknown(names) => format!(
            "{backend} takes {} from an expression that only Terraform can evaluate, so that the lock cannot be \
             named before init: give --lock NAME until then, or write the value out",
            list(names)
        ),
        Unnamed::Missing(name) if name == "workspaces.name" => {
            format!("{backend} does not say which workspace is meant: set TF_WORKSPACE, or give --lock NAME")
        }
        Unnamed::Missing(name) => format!(
            "{backend} has no {} yet, so that the lock cannot be named: give -backend-config as for init (or set \
             TF_CLI_ARGS_init), or give --lock NAME",
            escape::field(name)
        ),
        Unnamed::Type => {
            format!(
                "{backend} is of a type that does not name the lock: give --lock NAME, the same wherever this state is worked on"
            )
        }
        Unnamed::Unfit(cause) => format!("{backend} cannot name the lock: {cause}; give --lock NAME"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::store::{DynamoConfig, S3Config};
    use crate::terraform::Backend;
    use crate::terraform::backend::{Configured, Settings};

    /// With a backend of the type, and none of its settings.
    fn directory(backend: Backend) -> Directory {
        let kind = match &backend {
            Backend::Type(kind) => Some(kind.clone()),
            Backend::Cloud => Some("cloud".into()),
            Backend::None | Backend::Unreadable(_) => None,
        };
        let origin = || "backend block in main.tf:3".into();
        Directory {
            canonical: "/srv/infra".into(),
            configured: true,
            data_dir: "/srv/infra/.terraform".into(),
            in_force: kind.map(|kind| Configured { kind, settings: Settings::default(), origin: origin() }),
            backend,
            workspace: "default".into(),
            ..Directory::default()
        }
    }

    fn with_settings(kind: &str, settings: Value) -> Directory {
        let mut directory = directory(backend(kind));
        for (name, value) in settings.as_object().unwrap() {
            let value = (!value.is_null()).then(|| value.clone());
            directory.in_force.as_mut().unwrap().settings.set(name, value, "backend block in main.tf:3");
        }
        directory
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
        let directory = with_settings(
            "s3",
            json!({"bucket": "states", "key": "k", "region": "eu-west-1", "endpoint": "http://s3"}),
        );
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

    fn state() -> Value {
        json!({
            "bucket": "b", "key": "a/k", "region": "eu-west-1", "profile": "ops", "dynamodb_table": "t",
            "endpoints": {"dynamodb": "http://d", "s3": "http://s"}, "access_key": "AKID", "secret_key": "hunter2",
            "assume_role": {"role_arn": "arn:aws:iam::1:role/tf", "external_id": "x", "duration": "1h"},
        })
    }

    #[test]
    fn an_s3_backend_says_lock_table_and_the_way_there() {
        use StoreChoice::Auto;
        let dev = Directory { workspace: "dev".into(), ..with_settings("s3", state()) };
        let target = choose(&Wish::default(), place(&dev, true)).unwrap();
        let site = target.only().unwrap();
        assert_eq!(site.lock.as_str(), "b/env:/dev/a/k");
        let StoreSpec::Dynamodb(DynamoConfig { table, access }) = &site.store else {
            unreachable!("{site:?}")
        };
        assert_eq!(table, "t");
        let of = |option: &Option<String>| option.clone().unwrap_or_default();
        assert_eq!((of(&access.region), of(&access.endpoint_url)), ("eu-west-1".into(), "http://d".into()));
        assert_eq!(
            (of(&access.profile), of(&access.role_arn)),
            ("ops".into(), "arn:aws:iam::1:role/tf".into())
        );
        assert_eq!(access.login.keys.as_ref().unwrap().id, "AKID");
        assert_eq!(
            (access.login.role.external_id.as_deref(), access.login.role.seconds),
            (Some("x"), Some(3600))
        );
        assert!(access.login.role.by_backend);
        assert!(target.chosen.is_empty() && target.warnings.is_empty());
        assert!(!format!("{target:?}").contains("hunter2"));
        // What was given counts, each value by itself.
        let mut given = wish(Some("prod"), Auto, Some("locks"));
        given.access.profile = Some("me".into());
        let target = choose(&given, place(&dev, true)).unwrap();
        assert_eq!(
            target.only().unwrap().options(),
            "--lock prod --table locks --region eu-west-1 --endpoint-url http://d --profile me"
        );
        let StoreSpec::Dynamodb(config) = &target.only().unwrap().store else {
            unreachable!("not the table")
        };
        assert_eq!(config.access.login.keys, None);
    }

    #[test]
    fn a_state_without_a_table_has_its_lock_in_its_own_bucket() {
        let directory = with_settings("s3", json!({"bucket": "b", "key": "k", "use_lockfile": true}));
        assert_eq!(outcome(&Wish::default(), place(&directory, true)).as_deref(), Ok("b/k @ bucket:b"));
        let other = Wish { bucket: Some("locks".into()), ..Wish::default() };
        assert_eq!(outcome(&other, place(&directory, true)).as_deref(), Ok("b/k @ bucket:locks"));
        let tabled = with_settings("s3", state());
        assert_eq!(outcome(&other, place(&tabled, true)).as_deref(), Ok("b/a/k @ bucket:locks"));
    }

    #[test]
    fn where_each_value_came_from_is_kept() {
        let directory = with_settings("s3", state());
        let mut given = wish(None, StoreChoice::Auto, Some("locks"));
        given.origins.insert("table", "TFGUARD_TABLE".into());
        let target = choose(&given, place(&directory, true)).unwrap();
        let from =
            |name: &str| target.sources.get(name).map(|source| source.from.clone()).unwrap_or_default();
        assert_eq!((from("table"), from("store")), ("TFGUARD_TABLE".into(), "TFGUARD_TABLE".into()));
        assert_eq!(from("workspace"), "default");
        for name in ["lock", "region", "endpoint_url", "profile", "role_arn", "backend"] {
            assert_eq!(from(name), "backend block in main.tf:3", "{name}");
        }
        assert!(!format!("{:?}", target.sources).contains("hunter2"));
    }

    #[test]
    fn what_only_terraform_can_evaluate_is_named() {
        let unknown = with_settings("s3", json!({"bucket": "b", "key": null, "dynamodb_table": "t"}));
        let (code, text) = outcome(&Wish::default(), place(&unknown, true)).unwrap_err();
        assert_eq!(code, 64);
        assert!(text.contains("the s3 backend in main.tf:3 takes key from an expression"), "{text}");
        let named = wish(Some("prod"), StoreChoice::Auto, None);
        assert_eq!(outcome(&named, place(&unknown, true)).as_deref(), Ok("prod @ table:t"));
        let gcs = with_settings("gcs", json!({"bucket": "b", "prefix": "p"}));
        let (code, text) = outcome(&Wish::default(), place(&gcs, true)).unwrap_err();
        assert_eq!(code, 78);
        assert!(text.contains("the lock is gs://b/p/default.tfstate") && text.contains("--table"), "{text}");
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
