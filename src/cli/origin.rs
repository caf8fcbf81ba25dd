//! Where a value was given, so that the error about it can say so.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::duration;
use super::file::Time;
use crate::error::Error;
use crate::escape;

/// A value and where it was given, for the error.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) text: String,
    pub(super) origin: String,
    in_file: bool,
}

impl Given {
    pub(super) fn wrong(&self, why: &str) -> Error {
        let text = format!("{} {:?}: {why}", self.origin, escape::field(&self.text));
        if self.in_file { Error::Config(text) } else { Error::Usage(text) }
    }

    pub(super) fn one_of<T: Copy>(&self, values: &[(&str, T)]) -> Result<T, Error> {
        let found = values.iter().find(|(name, _)| *name == self.text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
            self.wrong(&format!("it can be {}", names.join(", ")))
        })
    }

    pub(super) fn truth(&self) -> Result<bool, Error> {
        match self.text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(true),
            "0" | "false" | "no" | "off" => Ok(false),
            _ => Err(self.wrong("it can be true or false")),
        }
    }
}

/// Where values come from, in the order in which they count.
pub(super) struct Origins<'a> {
    env: &'a dyn Fn(&str) -> Option<OsString>,
    path: Option<&'a Path>,
}

impl<'a> Origins<'a> {
    /// `env` has no empty values; `path` is that of the `tfguard.toml`, if there is one.
    pub(super) fn new(env: &'a dyn Fn(&str) -> Option<OsString>, path: Option<&'a Path>) -> Self {
        Self { env, path }
    }

    pub(super) fn variable(&self, name: &str) -> Option<OsString> {
        (self.env)(name)
    }

    pub(super) fn pick(
        &self,
        flag: Option<String>,
        name: &str,
        variable: Option<&str>,
        file: Option<String>,
    ) -> Result<Option<Given>, Error> {
        if let Some(text) = flag {
            return Ok(Some(Given { text, origin: name.to_owned(), in_file: false }));
        }
        if let Some((variable, value)) = variable.and_then(|variable| Some((variable, (self.env)(variable)?)))
        {
            let text =
                value.into_string().map_err(|_| Error::Usage(format!("{variable} is not valid UTF-8")))?;
            return Ok(Some(Given { text, origin: variable.to_owned(), in_file: false }));
        }
        Ok(file.map(|text| Given { text, origin: self.in_file(name), in_file: true }))
    }

    /// A text, which may not be empty.
    pub(super) fn text(
        &self,
        flag: Option<String>,
        name: &str,
        variable: &str,
        file: Option<String>,
    ) -> Result<Option<Given>, Error> {
        let given = self.pick(flag, name, Some(variable), file)?;
        match given {
            Some(given) if given.text.trim().is_empty() => Err(given.wrong("it is empty")),
            given => Ok(given),
        }
    }

    /// Texts, none of them empty: those of the flag, else the one of the variable, else those of the
    /// file.
    pub(super) fn texts(
        &self,
        flags: &[String],
        name: &str,
        variable: &str,
        file: Vec<String>,
    ) -> Result<Vec<Given>, Error> {
        let one = |flag: Option<&String>, file: Option<String>| {
            self.text(flag.cloned(), name, variable, file).map(Option::into_iter)
        };
        let given: Result<Vec<_>, Error> = if !flags.is_empty() {
            flags.iter().map(|flag| one(Some(flag), None)).collect()
        } else if self.variable(variable).is_some() {
            one(None, None).map(|given| vec![given])
        } else {
            file.into_iter().map(|text| one(None, Some(text))).collect()
        };
        Ok(given?.into_iter().flatten().collect())
    }

    /// A path, as it was given, and where.
    pub(super) fn path(
        &self,
        flag: Option<&Path>,
        name: &str,
        variable: &str,
        file: Option<&Path>,
    ) -> Option<(PathBuf, String)> {
        if let Some(path) = flag {
            return Some((path.to_owned(), name.to_owned()));
        }
        if let Some(path) = self.variable(variable) {
            return Some((path.into(), variable.to_owned()));
        }
        file.map(|path| (path.to_owned(), self.in_file(name)))
    }

    fn in_file(&self, name: &str) -> String {
        let path = self.path.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        format!("{}: {}", escape::field(&path), name.trim_start_matches('-'))
    }

    pub(super) fn duration(
        &self,
        flag: Option<String>,
        name: &str,
        variable: &str,
        file: Option<&Time>,
    ) -> Result<Option<(Duration, Given)>, Error> {
        let Some(given) = self.pick(flag, name, Some(variable), file.map(Time::text))? else {
            return Ok(None);
        };
        let length = duration::parse(&given.text).map_err(|why| given.wrong(&why))?;
        Ok(Some((length, given)))
    }
}
