//! Which hooks a run has: `--hook EVENT=COMMAND`, else the variable of that event, else `[hooks]` in
//! `tfguard.toml`, for each event by itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::args::Options;
use super::file::File;
use super::origin::Origins;
use crate::error::Error;
use crate::escape;
use crate::hooks::Settings;
use crate::hooks::settings::{LONGEST, MARK, TIMEOUT};
use crate::report::event::Hook;
use crate::report::human;

/// The hooks of a run in `dir`; `None` where there are none. A tfguard that a hook has started has none,
/// or they would start each other.
pub(super) fn hooks(
    origins: &Origins<'_>,
    options: &Options,
    file: &File,
    cwd: &Path,
    dir: &Path,
) -> Result<Option<Settings>, Error> {
    let mut commands = BTreeMap::new();
    for hook in Hook::ALL {
        let table = file.hooks.as_ref().and_then(|hooks| hooks.get(hook));
        if let Some(command) = table.map(|command| command.0.clone()).filter(|command| !command.is_empty()) {
            commands.insert(hook, command);
        }
        let variable = variable(hook);
        if let Some(given) = origins.pick(None, "", Some(&variable), None)? {
            commands.insert(hook, split(&given.text, cwd).ok_or_else(|| given.wrong(UNSPLIT))?);
        }
    }
    for text in &options.hook {
        let wrong = |why: &str| Error::Usage(format!("--hook \"{}\": {why}", escape::field(text)));
        let (name, command) = text.split_once('=').ok_or_else(|| wrong("it is not EVENT=COMMAND"))?;
        let hook = Hook::ALL.into_iter().find(|hook| hook.as_str() == name.trim()).ok_or_else(|| {
            let names: Vec<&str> = Hook::ALL.iter().map(|hook| hook.as_str()).collect();
            wrong(&format!("EVENT can be {}", names.join(", ")))
        })?;
        commands.insert(hook, split(command, cwd).ok_or_else(|| wrong(UNSPLIT))?);
    }
    let in_file = file.hooks.as_ref().and_then(|hooks| hooks.timeout.as_ref());
    let timeout =
        origins.duration(options.hook_timeout.clone(), "--hook-timeout", "TFGUARD_HOOK_TIMEOUT", in_file)?;
    let timeout = match timeout {
        Some((length, given)) if length.is_zero() || length > LONGEST => {
            return Err(given.wrong(&format!("it can be up to {}, and not 0", human::duration(LONGEST))));
        }
        given => given.map_or(TIMEOUT, |(length, _)| length),
    };
    // An empty command takes the hook of a lesser place away.
    commands.retain(|_, command| !command.is_empty());
    let none = commands.is_empty() || options.no_hooks || origins.variable(MARK).is_some();
    Ok((!none).then(|| Settings { commands, timeout, dir: dir.to_owned() }))
}

const UNSPLIT: &str = "a quotation mark in the command is not closed";

/// `TFGUARD_HOOK_AT_RISK` and the like.
fn variable(hook: Hook) -> String {
    format!("TFGUARD_HOOK_{}", hook.as_str().to_ascii_uppercase().replace('-', "_"))
}

/// The words of a command, quoted as in a shell; no shell runs it.
fn split(command: &str, cwd: &Path) -> Option<Vec<String>> {
    let mut words = shlex::split(command)?;
    if let Some(program) = words.first_mut() {
        *program = anchored(program, cwd);
    }
    Some(words)
}

/// A program with a folder in its name is looked for from `folder`, a bare name on `PATH`.
pub(super) fn anchored(program: &str, folder: &Path) -> String {
    match program.contains('/') {
        // Without the `.` in between.
        true => folder.join(program).components().collect::<PathBuf>().to_string_lossy().into_owned(),
        false => program.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::time::Duration;

    use super::*;

    fn resolved(flags: &[&str], vars: &[(&str, &str)], toml: &str) -> Result<Option<Settings>, Error> {
        let env = |name: &str| {
            vars.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        };
        let origins = Origins::new(&env, None);
        let mut file = super::super::file::read(toml).unwrap();
        file.anchor_hooks(Path::new("/repo"));
        let options =
            Options { hook: flags.iter().map(|flag| (*flag).to_owned()).collect(), ..Options::default() };
        hooks(&origins, &options, &file, Path::new("/start"), Path::new("/work"))
    }

    fn command(settings: &Settings, hook: Hook) -> Vec<&str> {
        settings.commands[&hook].iter().map(String::as_str).collect()
    }

    #[test]
    fn each_hook_comes_from_the_first_place_that_names_it() {
        let toml = "[hooks]\nwaiting = [\"./a.sh\", \"x y\"]\nacquired = [\"b\"]\nlost = [\"c\"]\n\
                    at-risk = [\"d\"]\ntimeout = \"3s\"\n";
        let vars = [("TFGUARD_HOOK_ACQUIRED", "bin/v 'one two'"), ("TFGUARD_HOOK_AT_RISK", "v2")];
        let flags = ["lost=curl -d @- \"https://x/y\"", "acquired=/opt/f", "lost="];
        let settings = resolved(&flags, &vars, toml).unwrap().unwrap();
        assert_eq!(command(&settings, Hook::Waiting), ["/repo/a.sh", "x y"]);
        assert_eq!(command(&settings, Hook::Acquired), ["/opt/f"]);
        assert_eq!(command(&settings, Hook::AtRisk), ["v2"]);
        assert_eq!(settings.commands.len(), 3);
        assert_eq!((settings.timeout, settings.dir.as_path()), (Duration::from_secs(3), Path::new("/work")));
        let settings = resolved(&flags[..1], &vars, toml).unwrap().unwrap();
        assert_eq!(command(&settings, Hook::Acquired), ["/start/bin/v", "one two"]);
        assert_eq!(command(&settings, Hook::Lost), ["curl", "-d", "@-", "https://x/y"]);
    }

    #[test]
    fn a_run_that_a_hook_has_started_has_none() {
        assert!(resolved(&["lost=x"], &[], "").unwrap().is_some());
        assert_eq!(resolved(&["lost=x"], &[("TFGUARD_HOOK", "waiting")], "").unwrap(), None);
        assert_eq!(resolved(&[], &[], "").unwrap(), None);
    }

    #[test]
    fn mistakes_are_named() {
        for (flag, part) in [
            ("x", "EVENT=COMMAND"),
            ("begun=x", "waiting, acquired, at-risk, lost, released"),
            ("lost=a 'b", "not closed"),
        ] {
            let error = resolved(&[flag], &[], "").unwrap_err();
            assert_eq!(error.exit_code(), 64);
            assert!(error.to_string().contains(part), "{error}");
        }
        for (toml, part) in
            [("[hooks]\ntimeout = 0\n", "not 0"), ("[hooks]\ntimeout = \"1h\"\n", "up to 5 min")]
        {
            let error = resolved(&[], &[], toml).unwrap_err();
            assert_eq!(error.exit_code(), 78);
            assert!(error.to_string().contains(part), "{error}");
        }
        for (toml, part) in [
            ("[hooks]\nlost = \"x y\"\n", "the program and its arguments"),
            ("[hooks]\nbegun = [\"x\"]\n", "unknown field"),
        ] {
            let error = super::super::file::read(toml).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
