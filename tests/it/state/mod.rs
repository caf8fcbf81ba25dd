//! `state versions` and `state restore`: real Terraform on an S3 backend that keeps versions.

mod bucket;
mod refused;
mod spoilt;
mod turn;
