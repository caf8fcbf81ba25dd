//! The child layer where the program as a whole does not show it. Each test runs in a process of
//! its own: a subreaper takes every descendant for what its child left.
#![cfg(target_os = "linux")]

mod end;
mod leftovers;
mod lent;

use std::ffi::OsString;

use tfguard::child::{Spec, Stderr, Stdin, Stdout, Target};

/// A shell's script as a child.
fn script(text: &str, env: &[(&str, OsString)]) -> Spec {
    Spec {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), text.into()],
        dir: "/".into(),
        env: env.iter().map(|(name, value)| ((*name).into(), value.clone())).collect(),
        stdin: Stdin::Null,
        stdout: Stdout::Inherit,
        stderr: Stderr::Inherit,
        target: Target::Process,
        leashed: false,
    }
}
