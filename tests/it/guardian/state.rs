//! Terraform's `http` backend: a state and its lock, which stays when Terraform dies, as those of
//! S3 and DynamoDB do.

use std::sync::{Arc, Mutex};

use crate::support::http::{Reply, Request, Server, answer};

/// The server. Stopped on drop.
pub(crate) struct StateServer {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    body: Option<Vec<u8>>,
    lock: Option<String>,
}

impl StateServer {
    pub(crate) fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let served = Arc::clone(&state);
        Self { server: Server::start(move |request| served.lock().unwrap().answer(&request)), state }
    }

    pub(crate) fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// The state as it was last written.
    pub(crate) fn body(&self) -> Vec<u8> {
        self.state.lock().unwrap().body.clone().unwrap_or_default()
    }

    /// Who has the state locked, in Terraform's own JSON.
    pub(crate) fn lock(&self) -> Option<String> {
        self.state.lock().unwrap().lock.clone()
    }

    /// What an operator does after a run that was killed: `terraform force-unlock`.
    pub(crate) fn force_unlock(&self) {
        self.state.lock().unwrap().lock = None;
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Reply {
        let body = || {
            let at = request.bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
            request.bytes[at..].to_vec()
        };
        match request.head.split(' ').next().unwrap_or_default() {
            "GET" => match &self.body {
                Some(body) => answer(200, &String::from_utf8_lossy(body)),
                None => answer(404, ""),
            },
            "POST" => {
                self.body = Some(body());
                answer(200, "")
            }
            "LOCK" => match &self.lock {
                Some(lock) => answer(423, lock),
                None => {
                    self.lock = Some(String::from_utf8_lossy(&body()).into_owned());
                    answer(200, "")
                }
            },
            "UNLOCK" => {
                self.lock = None;
                answer(200, "")
            }
            _ => answer(405, ""),
        }
    }
}
