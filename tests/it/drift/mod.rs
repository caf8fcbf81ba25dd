//! `tfguard drift`, and shared runs beside each other.

mod found;
mod shared;
