//! `setup` and `policy`: what they make, what they leave alone, and what they allow.

mod code;
mod existing;
mod fresh;
mod iam;
mod policy;
mod refused;
mod stage;
mod wire;
