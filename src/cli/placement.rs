//! Which store: what was asked for, and what `auto` makes of the backend. Each value that was not
//! given is taken from the backend by itself.

use std::path::PathBuf;

use super::source::Sources;
use super::target::{Place, StoreChoice, Wish};
use crate::error::Error;
use crate::escape;
use crate::state_lock::StatePlace;
use crate::store::{Access, DynamoConfig, Login, S3Config, StoreSpec};
use crate::terraform::backend::{Configured, Settings};
use crate::terraform::{Backend, Directory};

/// What is said about the choice besides the store.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) chosen: Vec<String>,
    pub(super) sources: Sources,
}

/// Decides.
///
/// # Errors
/// [`Error::Usage`] when a store was asked for without its name, [`Error::Config`] when nothing
/// says which store to use.
pub(super) fn store(wish: &Wish, place: Place<'_>, said: &mut Said) -> Result<StoreSpec, Error> {
    let spec = match wish.store {
        StoreChoice::Local => local(wish, place, said)?,
        StoreChoice::Dynamodb => dynamodb(wish, place, said).ok_or_else(|| {
            Error::Usage(
                "--store dynamodb needs the name of the table, and no s3 backend with a dynamodb_table says it: \
                 give --table NAME"
                    .into(),
            )
        })?,
        StoreChoice::S3 => s3(wish, place, said).ok_or_else(|| {
            Error::Usage(
                "--store s3 needs the name of the bucket, and no s3 backend says it: give --bucket NAME".into(),
            )
        })?,
        StoreChoice::Auto => auto(wish, place, said)?,
    };
    let name = match &spec {
        StoreSpec::Dynamodb(_) => "dynamodb",
        StoreSpec::S3(_) => "s3",
        StoreSpec::Local { .. } => "local",
    };
    said.sources.note("store", name, wish.from("store").unwrap_or("default"));
    Ok(spec)
}

/// A table or a bucket that is named, else the backend's table, else its bucket; beside local
/// state the local store.
fn auto(wish: &Wish, place: Place<'_>, said: &mut Said) -> Result<StoreSpec, Error> {
    let named = match (&wish.table, &wish.bucket) {
        (None, Some(_)) => s3(wish, place, said),
        _ => dynamodb(wish, place, said).or_else(|| s3(wish, place, said)),
    };
    if let Some(spec) = named {
        let by = if matches!(spec, StoreSpec::Dynamodb(_)) { "table" } else { "bucket" };
        if let Some(by) = said.sources.get(by).cloned() {
            said.sources.note("store", if by.name == "table" { "dynamodb" } else { "s3" }, &by.from);
        }
        return Ok(spec);
    }
    if !place.directory.backend.is_local() {
        return Err(undecided(place));
    }
    said.chosen.push(if place.is_terraforms() {
        "the store is local, since the state is on this machine too".to_owned()
    } else {
        "the store is local, since no table and no backend say otherwise".to_owned()
    });
    local(wish, place, said)
}

fn dynamodb(wish: &Wish, place: Place<'_>, said: &mut Said) -> Option<StoreSpec> {
    let backend = s3_backend(place).map(|backend| &backend.settings);
    let setting = backend.and_then(|settings| found(settings, &["dynamodb_table"]));
    let (table, from) = match &wish.table {
        Some(table) => (table.as_str(), wish.from("table").unwrap_or_default()),
        None => setting?,
    };
    said.sources.note("table", table, from);
    let endpoint = ["endpoints.dynamodb", "dynamodb_endpoint"];
    Some(StoreSpec::Dynamodb(DynamoConfig {
        table: table.to_owned(),
        access: access(wish, backend, &endpoint, said),
    }))
}

/// The bucket that was named, else the state's own; to that one the way is the backend's, but for
/// what was given.
fn s3(wish: &Wish, place: Place<'_>, said: &mut Said) -> Option<StoreSpec> {
    let settings = s3_backend(place).map(|backend| &backend.settings);
    let own = settings.and_then(|settings| found(settings, &["bucket"]));
    let (bucket, from) = match &wish.bucket {
        Some(bucket) => (bucket.as_str(), wish.from("bucket").unwrap_or_default()),
        None => own?,
    };
    said.sources.note("bucket", bucket, from);
    let settings = settings.filter(|_| own.is_some_and(|(own, _)| own == bucket));
    let on = |name: &str| settings.is_some_and(|settings| settings.is_on(name));
    Some(StoreSpec::S3(S3Config {
        bucket: bucket.to_owned(),
        path_style: on("use_path_style") || on("force_path_style"),
        access: access(wish, settings, &["endpoints.s3", "endpoint"], said),
    }))
}

/// How Terraform reaches the state of `directory`, where that is in an `s3` backend. What was given for
/// the lock's store does not count: Terraform knows nothing of it.
pub fn state_place(directory: &Directory) -> Option<StatePlace> {
    let backend = directory.s3.clone()?;
    let settings = directory.in_force.as_ref().map(|backend| &backend.settings);
    let access = |endpoint: &[&str]| access(&Wish::default(), settings, endpoint, &mut Said::default());
    let items = backend
        .dynamodb_table
        .clone()
        .map(|table| DynamoConfig { table, access: access(&["endpoints.dynamodb", "dynamodb_endpoint"]) });
    let objects = S3Config {
        bucket: backend.bucket.clone(),
        path_style: backend.path_style,
        access: access(&["endpoints.s3", "endpoint"]),
    };
    Some(StatePlace { workspace: directory.workspace.clone(), backend, objects, items })
}

fn s3_backend(place: Place<'_>) -> Option<&Configured> {
    s3_backend_of(place.directory)
}

/// The backend that is in force, if it is on S3.
pub(super) fn s3_backend_of(directory: &Directory) -> Option<&Configured> {
    directory.in_force.as_ref().filter(|backend| backend.kind == "s3")
}

/// The first of these settings that is there, and where it stands.
fn found<'a>(settings: &'a Settings, names: &[&str]) -> Option<(&'a str, &'a str)> {
    names.iter().find_map(|name| Some((settings.text(name)?, settings.origin(name)?)))
}

/// How to reach a service: what was given, else what the backend says.
pub(super) fn access(wish: &Wish, backend: Option<&Settings>, endpoint: &[&str], said: &mut Said) -> Access {
    let mut pick = |name: &'static str, given: &Option<String>, settings: &[&str]| {
        let from = || wish.from(name).unwrap_or_default();
        let given = given.as_deref().map(|value| (value, from()));
        let (value, from) = given.or_else(|| found(backend?, settings))?;
        said.sources.note(name, value, from);
        Some(value.to_owned())
    };
    let given = &wish.access;
    Access {
        region: pick("region", &given.region, &["region"]),
        endpoint_url: pick("endpoint_url", &given.endpoint_url, endpoint),
        profile: pick("profile", &given.profile, &["profile"]),
        role_arn: pick(
            "role_arn",
            &given.role_arn,
            &["assume_role.role_arn", "role_arn", "assume_role_with_web_identity.role_arn"],
        ),
        login: backend.map(|settings| login(wish, settings)).unwrap_or_default(),
    }
}

/// What else the backend says about who it works as. A profile or a role that was given stands for
/// all that belongs to it.
fn login(wish: &Wish, settings: &Settings) -> Login {
    let text = |names: &[&str]| names.iter().find_map(|name| settings.text(name)).map(str::to_owned);
    let files = |names: &[&str]| -> Vec<PathBuf> {
        names.iter().flat_map(|name| settings.texts(name)).map(|path| PathBuf::from(home(&path))).collect()
    };
    let mut login = Login {
        config_files: files(&["shared_config_files"]),
        credentials_files: files(&["shared_credentials_files", "shared_credentials_file"]),
        sts_endpoint: text(&["endpoints.sts", "sts_endpoint"]),
        ..Login::default()
    };
    if wish.access.profile.is_none()
        && let (Some(id), Some(secret)) = (text(&["access_key"]), text(&["secret_key"]))
    {
        login.keys = Some(crate::store::StaticKeys {
            id,
            secret: secret.into(),
            token: text(&["token"]).map(Into::into),
        });
    }
    if wish.access.role_arn.is_none() && settings.text("assume_role_with_web_identity.role_arn").is_some() {
        let inner = |name: &str| text(&[&format!("assume_role_with_web_identity.{name}")]);
        login.identity_token_file = inner("web_identity_token_file").map(|path| home(&path).into());
        login.identity_token = inner("web_identity_token").map(Into::into);
        login.role.session_name = inner("session_name");
        login.role.seconds = inner("duration").as_deref().and_then(seconds);
        login.role.policy = inner("policy");
        login.role.policy_arns = settings.texts("assume_role_with_web_identity.policy_arns");
        login.role.by_backend = true;
    } else if wish.access.role_arn.is_none() && text(&["assume_role.role_arn", "role_arn"]).is_some() {
        login.role.session_name = text(&["assume_role.session_name", "session_name"]);
        login.role.external_id = text(&["assume_role.external_id", "external_id"]);
        login.role.source_identity = text(&["assume_role.source_identity"]);
        login.role.seconds = text(&["assume_role.duration"]).as_deref().and_then(seconds).or_else(|| {
            let seconds = settings.get("assume_role_duration_seconds")?.value.as_ref()?;
            seconds.as_i64().or_else(|| seconds.as_str()?.parse().ok())?.try_into().ok()
        });
        login.role.policy = text(&["assume_role.policy", "assume_role_policy"]);
        login.role.policy_arns =
            [settings.texts("assume_role.policy_arns"), settings.texts("assume_role_policy_arns")].concat();
        login.role.by_backend = true;
    }
    login
}

/// A duration in the form of Go's, such as `1h30m`, in whole seconds.
fn seconds(text: &str) -> Option<i32> {
    super::duration::parse(text).ok().and_then(|length| length.as_secs().try_into().ok())
}

/// `~/` as AWS's own tools read it.
fn home(path: &str) -> String {
    match (path.strip_prefix("~/"), etcetera::home_dir()) {
        (Some(rest), Ok(home)) => home.join(rest).to_string_lossy().into_owned(),
        _ => path.to_owned(),
    }
}

fn local(wish: &Wish, place: Place<'_>, said: &mut Said) -> Result<StoreSpec, Error> {
    let (dir, from) = if let Some(dir) = &wish.local_dir {
        (dir.clone(), wish.from("local_dir").unwrap_or_default())
    } else if let Some(state) = place.directory.state_file().filter(|_| place.is_terraforms()) {
        (state.lock_folder(), "beside the state")
    } else {
        let Some(dir) = place.user_state else {
            return Err(Error::Config(
                "there is no home directory to keep locks in: set HOME, or give --local-dir DIR".into(),
            ));
        };
        said.chosen.push(format!("locks are kept in {}", escape::line(&dir.to_string_lossy())));
        (dir.to_path_buf(), "default")
    };
    said.sources.note("local_dir", &dir.to_string_lossy(), from);
    Ok(StoreSpec::Local { dir })
}

fn undecided(place: Place<'_>) -> Error {
    let give = "give --table NAME, --store s3 with --bucket NAME, or --store local";
    let directory = place.directory;
    Error::Config(match (&directory.backend, &directory.in_force) {
        (Backend::Unreadable(cause), _) => format!(
            "the backend is not known, since {} cannot be read; mend that, or {give}, and --lock NAME",
            escape::line(cause)
        ),
        (_, Some(configured)) if configured.kind == "s3" => format!(
            "{} has {}, so that the lock has no place: {}, or {give}, and --lock NAME",
            configured.shown(),
            if configured.settings.is_unknown("bucket") {
                "a bucket that only Terraform can evaluate"
            } else {
                "no bucket yet"
            },
            "give -backend-config as for init (or set TF_CLI_ARGS_init)",
        ),
        (_, Some(configured)) => {
            let lock = configured.lock_name(&directory.workspace);
            let named = lock.map_or_else(
                |_| ", and --lock NAME".to_owned(),
                |lock| format!("; the lock is {}", escape::line(lock.as_str())),
            );
            format!("{} has no place for the lock: {give}{named}", configured.shown())
        }
        (backend, None) => {
            format!(
                "the backend is {}, which has no place for the lock: {give}, and --lock NAME",
                name(backend)
            )
        }
    })
}

pub(super) fn name(backend: &Backend) -> String {
    match backend {
        Backend::None => "local".into(),
        Backend::Type(name) => escape::field(name).into_owned(),
        Backend::Cloud => "cloud".into(),
        Backend::Unreadable(_) => "not readable".into(),
    }
}
