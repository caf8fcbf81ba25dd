//! The lock's name for the state of a workspace, by the type of the backend.
//!
//! A name says which state it is, the same wherever that state is worked on, and never holds a
//! secret. Where the two cannot both be had (a cluster that each machine knows by another name) it
//! rather stands for more than one state than for a part of one.

use super::path::join;
use super::{Configured, Settings};
use crate::escape;
use crate::lease::LockName;

/// Why a backend does not name the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unnamed {
    /// These settings are expressions that only Terraform can evaluate.
    Unknown(Vec<String>),
    /// This setting is not there.
    Missing(String),
    /// Nothing is known about backends of this type.
    Type,
    /// The name that comes out cannot be one; why.
    Unfit(String),
}

/// The parts of a query that say which state it is. Whatever else stands in a URL may be a secret.
const TELLING: [&str; 10] =
    ["state", "name", "path", "env", "environment", "workspace", "project", "project_id", "stack", "ref"];

pub(super) fn of(backend: &Configured, workspace: &str) -> Result<LockName, Unnamed> {
    let get = Get(&backend.settings);
    let default = workspace == "default";
    let name = match backend.kind.as_str() {
        "s3" => {
            get.may("workspace_key_prefix")?;
            let missing = || get.must("bucket").and(get.must("key")).err();
            let Some(s3) = backend.s3() else {
                return Err(missing().unwrap_or_else(|| Unnamed::Missing("bucket".into())));
            };
            encoded(&s3.state_path(workspace))
        }
        "gcs" => {
            let prefix = get.may("prefix")?.unwrap_or_default();
            let object = join(&[prefix.trim_start_matches('/'), &format!("{workspace}.tfstate")]);
            url("gs", get.must("bucket")?, &object)
        }
        "azurerm" => {
            let key = get.must("key")?;
            let object = if default { key.to_owned() } else { format!("{key}env:{workspace}") };
            let account = get.must("storage_account_name")?;
            url("azurerm", account, &format!("{}/{object}", get.must("container_name")?))
        }
        "http" => http(get.must("address")?),
        "pg" => pg(&get, workspace)?,
        "consul" => {
            let path = get.must("path")?;
            let object = if default { path.to_owned() } else { format!("{path}-env:{workspace}") };
            let address = without_scheme(get.may("address")?.unwrap_or("127.0.0.1:8500"));
            let datacenter =
                get.may("datacenter")?.map(|name| format!("?dc={}", part(name))).unwrap_or_default();
            url("consul", without_userinfo(address), &object) + &datacenter
        }
        "kubernetes" => {
            let namespace = get.may("namespace")?.unwrap_or("default");
            url("kubernetes", namespace, &format!("tfstate-{workspace}-{}", get.must("secret_suffix")?))
        }
        "remote" | "cloud" => remote(&get, workspace)?,
        "oss" | "cos" => {
            let prefix = match get.may("prefix")? {
                None if backend.kind == "oss" => "env:",
                prefix => prefix.unwrap_or_default(),
            };
            let key = get.may("key")?.unwrap_or("terraform.tfstate");
            let object = if default { join(&[prefix, key]) } else { join(&[prefix, workspace, key]) };
            url(&backend.kind, get.must("bucket")?, &object)
        }
        "oci" => {
            let key = get.may("key")?.unwrap_or("terraform.tfstate");
            let prefix = get.may("workspace_key_prefix")?.unwrap_or("env:");
            let object = if default { key.to_owned() } else { join(&[prefix, workspace, key]) };
            url("oci", get.must("namespace")?, &format!("{}/{object}", get.must("bucket")?))
        }
        "etcdv3" => url("etcdv3", "", &format!("{}{workspace}", get.may("prefix")?.unwrap_or_default())),
        "etcd" => url("etcd", "", get.must("path")?),
        "artifactory" => {
            let host = without_userinfo(without_scheme(get.must("url")?)).trim_end_matches('/');
            url("artifactory", host, &format!("{}/{}", get.must("repo")?, get.must("subpath")?))
        }
        "swift" => {
            let container = get.may("container")?.map_or_else(|| get.must("path"), Ok)?;
            let file = get.may("state_name")?.unwrap_or("tfstate.tf");
            let file = if default { file.to_owned() } else { join(&["env:", workspace, file]) };
            url("swift", container, &file)
        }
        _ => return Err(Unnamed::Type),
    };
    LockName::new(name).map_err(|error| Unnamed::Unfit(error.to_string()))
}

/// Settings, with what is wrong about them as an error.
struct Get<'a>(&'a Settings);

impl<'a> Get<'a> {
    /// One that may be missing, and may not be unknown.
    fn may(&self, name: &str) -> Result<Option<&'a str>, Unnamed> {
        if self.0.is_unknown(name) {
            // Those that matter are told of together.
            let unknown = self.0.iter().filter(|(_, setting)| setting.value.is_none());
            return Err(Unnamed::Unknown(unknown.map(|(name, _)| name.to_owned()).collect()));
        }
        Ok(self.0.text(name))
    }

    fn must(&self, name: &str) -> Result<&'a str, Unnamed> {
        self.may(name)?.ok_or_else(|| Unnamed::Missing(name.to_owned()))
    }
}

fn http(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("http", address));
    let rest = rest.split('#').next().unwrap_or_default();
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path) = place.split_once('/').unwrap_or((place, ""));
    let telling: Vec<String> = query
        .split('&')
        .filter(|pair| pair.split_once('=').is_some_and(|(name, _)| TELLING.contains(&name)))
        .map(encoded)
        .collect();
    let query = if telling.is_empty() { String::new() } else { format!("?{}", telling.join("&")) };
    // A path in a URL is encoded already.
    format!("{}://{}/{}{query}", part(scheme), part(without_userinfo(host)), raw(path))
}

/// The database by host, port and name: who connects, and with which password, is left out.
fn pg(get: &Get<'_>, workspace: &str) -> Result<String, Unnamed> {
    let text = get.may("conn_str")?.unwrap_or_default();
    let (mut host, mut port, mut database, mut user) =
        (String::new(), String::new(), String::new(), String::new());
    let mut set = |name: &str, value: &str| match name {
        "host" | "hostaddr" if host.is_empty() || name == "host" => host = value.to_owned(),
        "port" => port = value.to_owned(),
        "dbname" => database = value.to_owned(),
        "user" => user = value.to_owned(),
        _ => {}
    };
    let url_form = ["postgres://", "postgresql://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    if let Some(rest) = url_form {
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, name) = place.split_once('/').unwrap_or((place, ""));
        if let Some((userinfo, _)) = authority.rsplit_once('@') {
            set("user", &decoded(userinfo.split(':').next().unwrap_or_default()));
        }
        let place = without_userinfo(authority);
        // An IPv6 address has colons of its own, and brackets.
        let (name_of_host, number) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (place, ""),
        };
        set("host", &decoded(name_of_host));
        set("port", number);
        set("dbname", &decoded(name));
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            set(name, &decoded(value));
        }
    } else {
        for (name, value) in words(text) {
            set(&name, &value);
        }
    }
    let or = |value: String, setting: &str, usual: &str| match value {
        value if !value.is_empty() => value,
        _ => get.0.text(setting).unwrap_or(usual).to_owned(),
    };
    let host = or(host, "host", "localhost");
    let port = or(port, "port", "5432");
    let database = if database.is_empty() { or(user, "database", "") } else { database };
    if database.is_empty() {
        return Err(Unnamed::Missing("conn_str".into()));
    }
    let schema = get.may("schema_name")?.unwrap_or("terraform_remote_state");
    let port = if port == "5432" { String::new() } else { format!(":{port}") };
    let place = format!("{}/{}/{}", part(&database), part(schema), part(workspace));
    Ok(format!("pg://{}{}/{place}", part(&host), encoded(&port)))
}

/// `name=value name='va lue'`, with `\` before a quote or another `\`.
fn words(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let mut name = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=') {
            name.push(c);
        }
        if chars.next().is_none() {
            return found;
        }
        let name = name.trim().to_owned();
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let quoted = chars.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        while let Some(c) = chars.next_if(|c| quoted || !c.is_whitespace()) {
            match c {
                '\\' => value.extend(chars.next()),
                '\'' if quoted => break,
                c => value.push(c),
            }
        }
        found.push((name, value));
    }
}

/// The same name for both ways to HCP Terraform: the workspace there is the state.
fn remote(get: &Get<'_>, workspace: &str) -> Result<String, Unnamed> {
    let host = get.may("hostname")?.unwrap_or("app.terraform.io");
    let organization = get.must("organization")?;
    let name = match (get.may("workspaces.name")?, get.may("workspaces.prefix")?) {
        (Some(name), _) => name.to_owned(),
        (None, Some(prefix)) => format!("{prefix}{workspace}"),
        // By tags or project: the selected one. There is none before `init` has asked for it.
        (None, None) if workspace == "default" => return Err(Unnamed::Missing("workspaces.name".into())),
        (None, None) => workspace.to_owned(),
    };
    Ok(url("remote", &host.to_ascii_lowercase(), &format!("{}/{}", part(organization), part(&name))))
}

fn url(scheme: &str, host: &str, path: &str) -> String {
    format!("{scheme}://{}/{}", part(host), encoded(path))
}

fn without_scheme(address: &str) -> &str {
    address.split_once("://").map_or(address, |(_, rest)| rest)
}

fn without_userinfo(authority: &str) -> &str {
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex =
            (first == b'%').then(|| after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok())).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One part of a path, in which `/` is no separator.
fn part(text: &str) -> String {
    encode(text.as_bytes(), |c| matches!(c, '/' | '?' | '%'))
}

/// A text in which `/` separates.
fn encoded(text: &str) -> String {
    readable(text.as_bytes())
}

/// A text that is percent-encoded already.
fn raw(text: &str) -> String {
    encode(text.as_bytes(), |_| false)
}

/// What a lock's name may not hold is percent-encoded, and so is `%` itself, so that two texts
/// never become one name.
pub(crate) fn readable(bytes: &[u8]) -> String {
    encode(bytes, |c| c == '%')
}

fn encode(bytes: &[u8], also: impl Fn(char) -> bool) -> String {
    let mut name = String::new();
    let hex = |name: &mut String, bytes: &[u8]| {
        bytes.iter().for_each(|byte| name.push_str(&format!("%{byte:02X}")))
    };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '#' || escape::is_unsafe(c) || also(c) {
                hex(&mut name, c.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                name.push(c);
            }
        }
        hex(&mut name, chunk.invalid());
    }
    name
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn name(kind: &str, settings: Value, workspace: &str) -> Result<String, Unnamed> {
        let mut read = Settings::default();
        for (name, value) in settings.as_object().unwrap() {
            read.set(name, Some(value.clone()), "x");
        }
        let backend = Configured { kind: kind.into(), settings: read, origin: "x".into() };
        backend.lock_name(workspace).map(|name| name.to_string())
    }

    #[test]
    fn every_type_names_the_state_of_a_workspace() {
        let azure = json!({"storage_account_name": "acc", "container_name": "tf", "key": "a.tfstate"});
        let remote = json!({"organization": "acme", "workspaces": {"prefix": "app-"}});
        let cloud =
            json!({"organization": "acme", "hostname": "TFE.example", "workspaces": [{"name": "prod"}]});
        for (kind, settings, workspace, expected) in [
            ("s3", json!({"bucket": "b", "key": "a/k"}), "default", "b/a/k"),
            ("s3", json!({"bucket": "b", "key": "a#/k%"}), "default", "b/a%23/k%25"),
            ("gcs", json!({"bucket": "b"}), "default", "gs://b/default.tfstate"),
            ("gcs", json!({"bucket": "b", "prefix": "/a//c/"}), "dev", "gs://b/a/c/dev.tfstate"),
            ("azurerm", azure.clone(), "default", "azurerm://acc/tf/a.tfstate"),
            ("azurerm", azure, "dev", "azurerm://acc/tf/a.tfstateenv:dev"),
            ("consul", json!({"path": "tf/a"}), "dev", "consul://127.0.0.1:8500/tf/a-env:dev"),
            (
                "consul",
                json!({"path": "a", "address": "https://c", "datacenter": "x/y"}),
                "default",
                "consul://c/a?dc=x%2Fy",
            ),
            (
                "kubernetes",
                json!({"secret_suffix": "s"}),
                "default",
                "kubernetes://default/tfstate-default-s",
            ),
            (
                "kubernetes",
                json!({"secret_suffix": "s", "namespace": "n"}),
                "d",
                "kubernetes://n/tfstate-d-s",
            ),
            ("remote", remote, "dev", "remote://app.terraform.io/acme/app-dev"),
            ("cloud", cloud, "prod", "remote://tfe.example/acme/prod"),
            (
                "cloud",
                json!({"organization": "acme", "workspaces": {"tags": ["a", "b"]}}),
                "dev",
                "remote://app.terraform.io/acme/dev",
            ),
            ("oss", json!({"bucket": "b"}), "default", "oss://b/env:/terraform.tfstate"),
            ("oss", json!({"bucket": "b", "prefix": "p", "key": "k"}), "dev", "oss://b/p/dev/k"),
            ("cos", json!({"bucket": "b", "prefix": "p"}), "default", "cos://b/p/terraform.tfstate"),
            ("oci", json!({"bucket": "b", "namespace": "n", "key": "k"}), "dev", "oci://n/b/env:/dev/k"),
            ("etcdv3", json!({"prefix": "tf/"}), "dev", "etcdv3:///tf/dev"),
            ("swift", json!({"container": "c"}), "default", "swift://c/tfstate.tf"),
        ] {
            assert_eq!(name(kind, settings, workspace).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn a_url_loses_its_secrets_and_keeps_what_tells_states_apart() {
        for (address, expected) in [
            (
                "https://gitlab.example/api/v4/projects/7/terraform/state/prod",
                "https://gitlab.example/api/v4/projects/7/terraform/state/prod",
            ),
            ("https://me:hunter2@h:8443/s%20t", "https://h:8443/s%20t"),
            ("http://h/s?name=a&token=hunter2&env=b#hunter2", "http://h/s?name=a&env=b"),
            ("http://h/s?code=hunter2", "http://h/s"),
            ("http://h", "http://h/"),
        ] {
            let name = name("http", json!({"address": address}), "default").unwrap();
            assert_eq!(name, expected);
            assert!(!name.contains("hunter2"));
        }
    }

    #[test]
    fn a_database_is_named_without_who_connects() {
        for (text, expected) in [
            (
                "postgres://u:hunter2@db.example:5433/tf?sslmode=require",
                "pg://db.example:5433/tf/terraform_remote_state/dev",
            ),
            ("postgresql://u:hun%40ter2@db.example/tf", "pg://db.example/tf/terraform_remote_state/dev"),
            ("postgres://u:hunter2@[::1]:5432/tf", "pg://[::1]/tf/terraform_remote_state/dev"),
            (
                "postgres:///tf?host=/run/pg&password=hunter2",
                "pg://%2Frun%2Fpg/tf/terraform_remote_state/dev",
            ),
            (
                "host=db dbname='a b' password='hun\\'ter2' port=5432",
                "pg://db/a b/terraform_remote_state/dev",
            ),
            ("user=tf password=hunter2", "pg://localhost/tf/terraform_remote_state/dev"),
        ] {
            let name = name("pg", json!({"conn_str": text}), "dev").unwrap();
            assert_eq!(name, expected);
            assert!(!name.contains("hunter2") && !name.contains("ter2"));
        }
        assert_eq!(name("pg", json!({}), "dev"), Err(Unnamed::Missing("conn_str".into())));
    }

    #[test]
    fn what_is_missing_or_not_known_is_named() {
        assert_eq!(name("s3", json!({"bucket": "b"}), "default"), Err(Unnamed::Missing("key".into())));
        assert_eq!(name("manta", json!({}), "default"), Err(Unnamed::Type));
        let mut settings = Settings::default();
        settings.set("bucket", Some("b".into()), "x");
        settings.set("key", None, "x");
        let backend = Configured { kind: "s3".into(), settings, origin: "x".into() };
        assert_eq!(backend.lock_name("default"), Err(Unnamed::Unknown(vec!["key".into()])));
    }
}
