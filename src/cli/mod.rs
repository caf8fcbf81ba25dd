//! The command line: raw arguments ([`args`]) apart from the resolved configuration
//! ([`config`]), and which lock and store they stand for ([`target`]).

mod advice;
pub mod args;
mod completions;
pub mod config;
pub mod dropin;
mod duration;
mod file;
mod help;
pub mod history;
mod hooks;
mod manual;
mod origin;
pub mod parse;
mod placement;
pub mod queries;
mod raise;
pub mod resolve;
pub mod resources;
mod rows;
pub mod since;
pub mod site;
pub mod source;
mod state_object;
pub mod target;
pub mod versions;

pub use args::Args;
pub use config::{Action, All, Colour, Config, Format, Log, Look};
pub use dropin::{DropIn, Passed};
pub use help::Page;
pub use parse::{Parsed, parse};
pub use placement::state_place;
pub use resolve::{MOST_LOCKS, Surroundings, real_terraform, resolve};
pub use since::{Form, Since};
pub use site::{Site, in_order};
pub use state_object::state_object;
pub use target::{Place, Target, choose, user_state_dir};
