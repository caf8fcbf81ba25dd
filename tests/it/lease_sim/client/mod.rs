//! The real client in virtual time: the lock's own task with its requests, time limits, retries and heartbeats
//! (`lock::start`, `lock::resume`), the policy that stops a child (`Stop`), the guardian's watch over a frozen
//! supervisor (`Vigil`). Played are the store, the machines with their clocks, the processes and the children.
//!
//! Time is tokio's, paused: it goes on when nobody has anything left to do. What differs from the worlds beside this
//! folder is that timers come late, as real ones do, and that machines are suspended and processes stopped.

mod child;
mod guardian;
mod machine;
mod seeds;
mod store;
mod supervisor;
mod world;
