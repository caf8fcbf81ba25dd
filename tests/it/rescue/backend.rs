//! A backend of Terraform's `http` type whose writes can be made to fail.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::support::http::{Reply, Server, answer};

/// The backend, without a state at the start.
pub(super) struct Backend {
    server: Server,
    state: Arc<Mutex<Option<String>>>,
    writable: Arc<AtomicBool>,
}

impl Backend {
    /// One that takes no write yet.
    pub(super) fn read_only() -> Self {
        let state = Arc::new(Mutex::new(None::<String>));
        let writable = Arc::new(AtomicBool::new(false));
        let (kept, may) = (Arc::clone(&state), Arc::clone(&writable));
        let server = Server::start(move |request| {
            let mut state = kept.lock().unwrap();
            match request.head.split(' ').next() {
                Some("GET") => match &*state {
                    Some(state) => answer(200, state),
                    None => answer(404, ""),
                },
                Some("POST") if may.load(Ordering::SeqCst) => {
                    let body = request.bytes[request.head.len()..].to_vec();
                    *state = Some(String::from_utf8(body).unwrap());
                    answer(200, "")
                }
                Some("POST") => answer(500, "the disk is full"),
                _ => Reply::Close,
            }
        });
        Self { server, state, writable }
    }

    /// From here on writes succeed.
    pub(super) fn recover(&self) {
        self.writable.store(true, Ordering::SeqCst);
    }

    /// The state that was written last.
    pub(super) fn state(&self) -> Option<String> {
        self.state.lock().unwrap().clone()
    }

    /// The configuration that leads here.
    pub(super) fn configuration(&self) -> String {
        let address = self.server.endpoint();
        format!(
            "terraform {{\n  backend \"http\" {{\n    address   = \"{address}/state\"\n    retry_max = 0\n  }}\n}}\n"
        )
    }
}
