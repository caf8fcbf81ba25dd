//! Lock, table and the way to them as they follow from Terraform's backend.

mod change;
mod discovery;
mod migrate;
mod seeds;
mod site;
