//! Terraform's `http` backend: a state and its lock, which stays when Terraform dies, as those of
//! S3 and DynamoDB do.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::http::{Reply, Request, Server, answer};

/// Between two looks whether a write may go on.
const LOOK: Duration = Duration::from_millis(5);

/// The server. Stopped on drop.
pub(crate) struct StateServer {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    body: Option<Vec<u8>>,
    lock: Option<String>,
    /// How long a write takes.
    slow: Duration,
    /// Writes wait.
    held: bool,
}

impl StateServer {
    pub(crate) fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let served = Arc::clone(&state);
        let handler = move |request: Request| {
            if request.method() == "POST" {
                let pause = served.lock().unwrap().slow;
                std::thread::sleep(pause);
                while served.lock().unwrap().held {
                    std::thread::sleep(LOOK);
                }
            }
            served.lock().unwrap().answer(&request)
        };
        Self { server: Server::start(handler), state }
    }

    /// From now on every write of the state takes this long, and with it Terraform's end.
    pub(crate) fn slow_down(&self, pause: Duration) {
        self.state.lock().unwrap().slow = pause;
    }

    /// From now on no write of the state is answered, and Terraform does not end.
    pub(crate) fn hold(&self) {
        self.state.lock().unwrap().held = true;
    }

    /// Writes go on.
    pub(crate) fn let_go(&self) {
        self.state.lock().unwrap().held = false;
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
        match request.method() {
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
