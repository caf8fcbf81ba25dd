//! The few things that matter here out of a directory's configuration: which backend it names,
//! and whether anything in it has to be fetched before it can run.

use std::path::Path;

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body};
use serde_json::{Map, Value};

use super::backend::{Settings, json_settings, settings};

/// What the files of one directory say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Configuration {
    /// There is at least one file.
    pub(super) present: bool,
    /// The `backend` or the `cloud` block.
    pub(crate) backend: Option<Written>,
    /// Something refers to a provider, a module or a backend.
    pub(super) refers_outside: bool,
    /// The variables that no plan keeps the value of.
    pub(super) ephemeral_variables: Vec<String>,
    /// The first file that could not be read, and why.
    pub(super) unreadable: Option<String>,
}

/// A backend as it stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    /// Its label, or `cloud`.
    pub(crate) kind: String,
    pub(crate) settings: Settings,
    /// File and line.
    pub(crate) origin: String,
}

/// Reads the configuration files of `directory`. A file that cannot be read or parsed is noted in
/// the result: Terraform itself will say best what is wrong with it.
///
/// # Errors
/// The directory cannot be listed.
pub(super) fn read(directory: &Path) -> std::io::Result<Configuration> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if Syntax::of(&path).is_some() && !path.is_dir() {
            files.push(path);
        }
    }
    // An override file has the last word on the backend, as it has for Terraform.
    files.sort_by_cached_key(|path| (is_override(path), path.clone()));
    let mut configuration = Configuration { present: !files.is_empty(), ..Configuration::default() };
    for path in &files {
        if let Err(cause) = configuration.add(path) {
            configuration.refers_outside = true;
            configuration.unreadable.get_or_insert_with(|| format!("{}: {cause}", path.display()));
        }
    }
    Ok(configuration)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// HCL.
    Native,
    /// The same as JSON.
    Json,
}

impl Syntax {
    /// `None` for files that Terraform does not read: other extensions, and those of editors.
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        if name.starts_with('.') || name.ends_with('~') || (name.starts_with('#') && name.ends_with('#')) {
            return None;
        }
        if name.ends_with(".tf.json") || name.ends_with(".tofu.json") {
            return Some(Self::Json);
        }
        (name.ends_with(".tf") || name.ends_with(".tofu")).then_some(Self::Native)
    }
}

fn is_override(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    stem == "override" || stem.ends_with("_override")
}

impl Configuration {
    fn add(&mut self, path: &Path) -> Result<(), String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.take(&text, &name, Syntax::of(path).unwrap_or(Syntax::Native))
    }

    /// Takes in the text of the file `name`.
    pub(crate) fn take(&mut self, text: &str, name: &str, syntax: Syntax) -> Result<(), String> {
        match syntax {
            Syntax::Json => {
                let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
                for root in objects(&value) {
                    self.json(root, name);
                }
            }
            Syntax::Native => {
                let text = text.strip_prefix('\u{feff}').unwrap_or(text);
                let body: Body = text.parse().map_err(|error: hcl_edit::parser::Error| {
                    format!("line {}: {}", error.location().line(), error.message())
                })?;
                let line = |offset: usize| {
                    let before = text.as_bytes().get(..offset).unwrap_or_default();
                    format!("{name}:{}", before.iter().filter(|byte| **byte == b'\n').count() + 1)
                };
                for block in body.blocks() {
                    self.block(block, &line);
                }
            }
        }
        Ok(())
    }

    /// `line` makes file and line out of an offset.
    fn block(&mut self, block: &Block, line: &dyn Fn(usize) -> String) {
        let label = || block.labels.first().map(|label| label.as_str());
        match block.ident.as_str() {
            "terraform" => {
                for inner in block.body.blocks() {
                    let written = |kind: &str| Written {
                        kind: kind.to_owned(),
                        settings: settings(&inner.body, &|offset| block_in(&line(offset))),
                        origin: block_in(&line(inner.span().map_or(0, |span| span.start))),
                    };
                    match inner.ident.as_str() {
                        "backend" => {
                            let kind = inner.labels.first().map_or("", |label| label.as_str());
                            self.backend(written(kind));
                        }
                        "cloud" => self.backend(written("cloud")),
                        "required_providers" if !inner.body.is_empty() => self.refers_outside = true,
                        _ => {}
                    }
                }
            }
            "module" | "provider" => self.refers_outside = true,
            "resource" | "data" | "ephemeral" | "action" => self.typed(label().unwrap_or_default()),
            "variable" => {
                let value = block.body.get_attribute("ephemeral").map(|attribute| &attribute.value);
                if value.and_then(Expression::as_bool) == Some(true) {
                    self.ephemeral_variables.extend(label().map(str::to_owned));
                }
            }
            "check" => block.body.blocks().for_each(|inner| self.block(inner, line)),
            _ => {}
        }
    }

    fn json(&mut self, root: &Map<String, Value>, file: &str) {
        for terraform in root.get("terraform").into_iter().flat_map(objects) {
            let written = |kind: &str, value: &Value| Written {
                kind: kind.to_owned(),
                settings: objects(value)
                    .next()
                    .map(|object| json_settings(object, &block_in(file)))
                    .unwrap_or_default(),
                origin: block_in(file),
            };
            for backend in terraform.get("backend").into_iter().flat_map(objects) {
                backend.iter().for_each(|(kind, value)| self.backend(written(kind, value)));
            }
            if let Some(cloud) = terraform.get("cloud") {
                self.backend(written("cloud", cloud));
            }
            let mut providers = terraform.get("required_providers").into_iter().flat_map(objects);
            self.refers_outside |= providers.any(|providers| !providers.is_empty());
        }
        self.refers_outside |= root.contains_key("module") || root.contains_key("provider");
        for kind in ["resource", "data", "ephemeral", "action"] {
            for types in root.get(kind).into_iter().flat_map(objects) {
                types.keys().filter(|name| !name.starts_with("//")).for_each(|name| self.typed(name));
            }
        }
        for variables in root.get("variable").into_iter().flat_map(objects) {
            for (name, settings) in variables {
                if objects(settings).any(|settings| settings.get("ephemeral") == Some(&Value::Bool(true))) {
                    self.ephemeral_variables.push(name.clone());
                }
            }
        }
        for checks in root.get("check").into_iter().flat_map(objects) {
            checks.values().flat_map(objects).for_each(|check| self.json(check, file));
        }
    }

    fn backend(&mut self, written: Written) {
        self.backend = Some(written);
        self.refers_outside = true;
    }

    /// `terraform_data` and `terraform_remote_state` are built in; every other type comes from a
    /// provider.
    fn typed(&mut self, name: &str) {
        self.refers_outside |= !name.starts_with("terraform_");
    }
}

/// For people.
fn block_in(place: &str) -> String {
    format!("backend block in {place}")
}

/// The objects that a JSON value stands for: Terraform takes one, or a list of them.
fn objects(value: &Value) -> Box<dyn Iterator<Item = &Map<String, Value>> + '_> {
    match value {
        Value::Object(object) => Box::new(std::iter::once(object)),
        Value::Array(list) => Box::new(list.iter().flat_map(objects)),
        _ => Box::new(std::iter::empty()),
    }
}
