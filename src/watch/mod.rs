//! `status --watch`: a live view of locks on a terminal, or a line of JSON for every change.
//!
//! | file | what it is |
//! |---|---|
//! | `model` | what is known and what is on the screen; an event makes the next model. Pure |
//! | `view/` | a model drawn into a buffer of any size. Pure |
//! | `rhythm` | when the store is asked again. Pure |
//! | `feed` | asks the store, and tells the model |
//! | `keys` | keys and sizes of the terminal as events |
//! | `screen` | takes the terminal and gives it back, on every way out |
//! | `stream` | the same without a screen: JSON for every change |

pub mod feed;
pub mod keys;
pub mod model;
pub mod rhythm;
pub mod screen;
pub mod stream;
pub mod view;

pub use feed::{Feed, Source, Wanted};
pub use model::{Effect, Event, Model, Subject};
pub use screen::Screen;
