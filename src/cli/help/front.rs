//! The commands on the first page, by what they are for.

use std::fmt::Write;

use clap::Command;

/// The commands, in the order in which they are shown.
pub(super) const GROUPS: [(&str, &[&str]); 4] = [
    ("Run under the lock", &["run", "init", "plan", "apply", "destroy", "drift", "exec"]),
    ("Look and intervene", &["status", "history", "unlock", "state"]),
    ("Set up", &["setup", "policy", "doctor"]),
    ("About tfguard", &["help", "man", "completions"]),
];

/// The list of `command`'s commands, with their headings.
pub(super) fn commands(command: &Command) -> String {
    let styles = command.get_styles();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let mut text = String::new();
    for (heading, names) in GROUPS {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{header}{heading}:{header:#}");
        for found in names.iter().filter_map(|name| command.find_subcommand(name)) {
            let about = found.get_about().map(ToString::to_string).unwrap_or_default();
            let name = found.get_name();
            let _ = writeln!(text, "  {literal}{name:<13}{literal:#}{about}");
        }
        text.push('\n');
    }
    text
}
