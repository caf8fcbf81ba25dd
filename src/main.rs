//! The `tfguard` command: see the library's `app` module.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(tfguard::app::main())
}
