//! Something between a client and the engine that can go wrong on purpose.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::http::{Reply, Request, Server, answer, forward};

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is passed on, and so is the answer.
    None,
    /// It is swallowed, and the connection closed.
    Close,
    /// It is swallowed, and never answered.
    Hang,
    /// It is answered with an error of DynamoDB, or of S3 if it was meant for that: HTTP status, code,
    /// message.
    Error(u16, &'static str, &'static str),
    /// It is answered with this, whatever it is.
    Garbage(u16, &'static str),
    /// It takes effect; the connection is closed instead of an answer.
    LoseAnswer,
    /// It is passed on only after this long.
    Slow(Duration),
    /// It takes effect at once; its answer comes only after this long.
    Late(Duration),
    /// It is kept until [`Proxy::release`], and only then passed on. Nobody answers.
    Delay,
}

/// The proxy, passing everything on at the start. Stopped on drop.
pub(crate) struct Proxy {
    server: Server,
    shared: Arc<Shared>,
}

struct Shared {
    engine: String,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    only: Option<&'static str>,
    fault: Option<Fault>,
    /// How many requests pass before the fault.
    passed: usize,
    seen: Vec<(String, String)>,
    delayed: usize,
    released: bool,
}

/// Long enough for any answer on loopback; a test that waits for it has failed.
const BOUND: Duration = Duration::from_secs(20);

impl Proxy {
    /// In front of the engine at this endpoint.
    pub(crate) fn start(engine: &str) -> Self {
        let shared =
            Arc::new(Shared { engine: engine.to_owned(), state: Mutex::default(), changed: Condvar::new() });
        let handler = Arc::clone(&shared);
        Self { server: Server::start(move |request| handler.handle(&request)), shared }
    }

    pub(crate) fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// From now on, every request meets this.
    pub(crate) fn set(&self, fault: Fault) {
        let mut state = self.shared.state.lock().unwrap();
        (state.only, state.fault, state.released, state.passed) = (None, Some(fault), false, 0);
    }

    /// From now on, requests for this operation (`PutItem`) meet this, all others pass.
    pub(crate) fn set_for(&self, operation: &'static str, fault: Fault) {
        let mut state = self.shared.state.lock().unwrap();
        (state.only, state.fault, state.released, state.passed) = (Some(operation), Some(fault), false, 0);
    }

    /// The next `passed` requests for this operation pass, those after it meet this; all others
    /// pass.
    pub(crate) fn set_after(&self, operation: &'static str, passed: usize, fault: Fault) {
        self.set_for(operation, fault);
        self.shared.state.lock().unwrap().passed = passed;
    }

    /// How many connections were made so far.
    pub(crate) fn connections(&self) -> usize {
        self.server.connections()
    }

    /// How many requests for this operation have come so far.
    pub(crate) fn seen(&self, operation: &str) -> usize {
        self.shared.state.lock().unwrap().seen.iter().filter(|(name, _)| name == operation).count()
    }

    /// How many requests have come so far.
    pub(crate) fn requests(&self) -> usize {
        self.shared.state.lock().unwrap().seen.len()
    }

    /// The `Authorization` header of every request so far.
    pub(crate) fn authorizations(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().seen.iter().map(|(_, header)| header.clone()).collect()
    }

    /// Waits until a request is being kept by [`Fault::Delay`].
    pub(crate) fn wait_delayed(&self) {
        self.wait(|state| state.delayed > 0);
    }

    /// Passes on what [`Fault::Delay`] has kept, and comes back when all of it has taken effect.
    pub(crate) fn release(&self) {
        self.shared.state.lock().unwrap().released = true;
        self.shared.changed.notify_all();
        self.wait(|state| state.delayed == 0);
    }

    fn wait(&self, until: impl Fn(&State) -> bool) {
        let state = self.shared.state.lock().unwrap();
        let (_state, timeout) =
            self.shared.changed.wait_timeout_while(state, BOUND, |state| !until(state)).unwrap();
        assert!(!timeout.timed_out(), "the proxy waited in vain");
    }
}

impl Shared {
    fn handle(&self, request: &Request) -> Reply {
        let operation = request.operation();
        let fault = {
            let mut state = self.state.lock().unwrap();
            let authorization = request.header("authorization").unwrap_or_default().to_owned();
            state.seen.push((operation.to_owned(), authorization));
            match state.only {
                Some(only) if only != operation => Fault::None,
                _ if state.passed > 0 => {
                    state.passed -= 1;
                    Fault::None
                }
                _ => state.fault.clone().unwrap_or(Fault::None),
            }
        };
        match fault {
            Fault::None => forward(&self.engine, request).map_or(Reply::Close, Reply::Bytes),
            Fault::Close => Reply::Close,
            Fault::Hang => Reply::Hang,
            Fault::Error(status, code, message) if request.header("x-amz-target").is_none() => {
                answer(status, &format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"))
            }
            Fault::Error(status, kind, message) => {
                let kind = format!("com.amazonaws.dynamodb.v20120810#{kind}");
                answer(status, &serde_json::json!({ "__type": kind, "message": message }).to_string())
            }
            Fault::Garbage(status, body) => answer(status, body),
            Fault::LoseAnswer => {
                forward(&self.engine, request);
                Reply::Close
            }
            Fault::Slow(pause) => {
                std::thread::sleep(pause);
                forward(&self.engine, request).map_or(Reply::Close, Reply::Bytes)
            }
            Fault::Late(pause) => {
                let reply = forward(&self.engine, request).map_or(Reply::Close, Reply::Bytes);
                std::thread::sleep(pause);
                reply
            }
            Fault::Delay => self.delay(request),
        }
    }

    fn delay(&self, request: &Request) -> Reply {
        let mut state = self.state.lock().unwrap();
        state.delayed += 1;
        self.changed.notify_all();
        let (state, timeout) =
            self.changed.wait_timeout_while(state, BOUND, |state| !state.released).unwrap();
        drop(state);
        if !timeout.timed_out() {
            forward(&self.engine, request);
        }
        self.state.lock().unwrap().delayed -= 1;
        self.changed.notify_all();
        Reply::Close
    }
}
