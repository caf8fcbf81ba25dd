//! Several locks in one run: the order, all or nothing, losing one of them, and a tfguard inside a
//! tfguard that holds some of what is asked for.

mod ends;
mod hall;
mod inside;
mod order;
mod show;
mod state;
mod waiting;
