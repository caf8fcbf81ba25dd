//! Tests that go through real processes, files and sockets. They talk to loopback only.

mod store_contract;
mod support;
