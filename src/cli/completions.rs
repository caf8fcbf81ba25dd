//! Completion scripts.

use std::fmt::Write;

use clap::{Arg, Command};
use clap_complete::{Shell, generate};

use super::help;

/// In bash nobody else ends the options at `--`, and `=` is a word of its own.
const BASH: &str = r#"
# What follows -- is the child's: files, and for exec a command line of its own.
_tfguard_words() {
    local i
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -- ]] || continue
        COMPREPLY=()
        [[ " ${COMP_WORDS[*]:1:i-1} " == *" exec "* ]] || return 0
        if declare -F _comp_command_offset >/dev/null; then
            _comp_command_offset $((i + 1))
        elif declare -F _command_offset >/dev/null; then
            _command_offset $((i + 1))
        elif ((COMP_CWORD == i + 1)); then
            mapfile -t COMPREPLY < <(compgen -c -- "$2")
        fi
        return 0
    done
    if [[ $3 == "=" ]]; then
        _tfguard "$1" "$2" "${COMP_WORDS[COMP_CWORD-2]}"
    elif [[ ${COMP_WORDS[COMP_CWORD]} == "=" ]]; then
        _tfguard "$1" "" "${COMP_WORDS[COMP_CWORD-1]}"
    else
        _tfguard "$@"
    fi
}

if [[ ${BASH_VERSINFO[0]} -eq 4 && ${BASH_VERSINFO[1]} -ge 4 || ${BASH_VERSINFO[0]} -gt 4 ]]; then
    complete -F _tfguard_words -o nosort -o bashdefault -o default tfguard
else
    complete -F _tfguard_words -o bashdefault -o default tfguard
fi
"#;

/// In zsh the words of a command below another come without `--`.
const ZSH: &str = r#"_tfguard() {
    # What follows -- is the child's: files, and for exec a command line of its own.
    local -i dashes=${words[(i)--]}
    if (( dashes < CURRENT )); then
        local child=${words[(re)exec]}
        shift dashes words
        (( CURRENT -= dashes ))
        if [[ -n $child ]]; then _normal; else _files; fi
        return
    fi
"#;

/// In fish options before the command have no values, arguments have none, and what follows `--`
/// is nobody's.
const FISH: &str = r#"
function __fish_tfguard_child
    set -l words (commandline -opc)
    set -l at (contains -i -- -- $words)
    or return
    set -l before (string escape -- $words[(math $at + 1)..])
    complete -C (string join ' ' -- $before (commandline -ct))
end

complete -c tfguard -n "__fish_tfguard_using_subcommand exec; and contains -- -- (commandline -opc)" -x -a "(__fish_tfguard_child)"
"#;

/// What clap's script for fish does when the words so far end with an option that wants a value.
const FISH_GIVES_UP: &str = "argparse -s (__fish_tfguard_global_optspecs) -- $cmd 2>/dev/null\n    or return";
const FISH_GOES_ON: &str = "argparse -s (__fish_tfguard_global_optspecs) -- $cmd 2>/dev/null
    or argparse -s (__fish_tfguard_global_optspecs) -- $cmd[1..-2] 2>/dev/null
    or return";

/// The script for `shell`.
pub(super) fn script(shell: Shell) -> String {
    let command = visible(&help::dressed());
    let mut script = Vec::new();
    generate(shell, &mut command.clone(), "tfguard", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => script + BASH,
        Shell::Zsh => script.replacen("_tfguard() {\n", ZSH, 1),
        Shell::Fish => script.replace(FISH_GIVES_UP, FISH_GOES_ON) + FISH + &fish_arguments(&command, &[]),
        _ => script,
    }
}

/// The values of arguments that are no options, of `command` and those below it.
fn fish_arguments(command: &Command, path: &[&str]) -> String {
    let mut text = String::new();
    let seen: Vec<String> = path
        .iter()
        .enumerate()
        .map(|(depth, name)| match depth {
            0 => format!("__fish_tfguard_using_subcommand {name}"),
            _ => format!("__fish_seen_subcommand_from {name}"),
        })
        .collect();
    for value in command.get_positionals().flat_map(Arg::get_possible_values) {
        let what = value.get_help().map(ToString::to_string).unwrap_or_default();
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "complete -c tfguard -n \"{}\" -f -a {} -d '{}'",
            seen.join("; and "),
            value.get_name(),
            what.replace('\'', "\\'")
        );
    }
    for below in command.get_subcommands() {
        text += &fish_arguments(below, &[path, &[below.get_name()]].concat());
    }
    text
}

/// `command` without what is hidden, which clap's scripts would offer all the same.
fn visible(command: &Command) -> Command {
    let mut seen = Command::new(command.get_name().to_owned())
        .args(command.get_arguments().filter(|arg| !arg.is_hide_set()))
        .subcommands(command.get_subcommands().map(visible));
    if let Some(about) = command.get_about() {
        seen = seen.about(about.clone());
    }
    if let Some(version) = command.get_version() {
        seen = seen.version(version.to_owned());
    }
    seen.disable_help_subcommand(true)
}
