//! A small S3 of somebody else's making, honest or not about conditions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::support::http::{Reply, Request, Server};

/// What it makes of the conditions of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Honest,
    IgnoresIfMatch,
    IgnoresIfNoneMatch,
    /// Says that it does not know them.
    Refuses,
    /// Compares If-Match with something else than the tag that it gave out.
    RefusesItsOwnTag,
    /// Gives out no tags.
    Tagless,
    /// Gives no permission to delete.
    Undeletable,
    /// Does not know If-Match where something is deleted.
    DeletesWithoutCondition,
}

/// The server, with one bucket `states` and nothing in it. Stopped on drop.
pub(super) struct Lookalike {
    server: Server,
    shared: Arc<Mutex<State>>,
}

struct State {
    manner: Manner,
    objects: BTreeMap<String, (u64, Vec<u8>)>,
    tags: u64,
    seen: Vec<String>,
}

impl Lookalike {
    pub(super) fn start(manner: Manner) -> Self {
        let state = State { manner, objects: BTreeMap::new(), tags: 0, seen: Vec::new() };
        let shared = Arc::new(Mutex::new(state));
        let served = Arc::clone(&shared);
        Self { server: Server::start(move |request| served.lock().unwrap().answer(&request)), shared }
    }

    pub(super) fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// The keys of all that is in the bucket.
    pub(super) fn keys(&self) -> Vec<String> {
        self.shared.lock().unwrap().objects.keys().cloned().collect()
    }

    /// Every request so far: the operation, its condition and what it was answered.
    pub(super) fn take_seen(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().unwrap().seen)
    }

    /// Gives every object another tag, as a copy onto itself does.
    pub(super) fn copy_all(&self) {
        let mut state = self.shared.lock().unwrap();
        let mut tags = state.tags;
        for (tag, _) in state.objects.values_mut() {
            tags += 1;
            *tag = tags;
        }
        state.tags = tags;
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Reply {
        let path = request.target().split('?').next().unwrap_or_default();
        let Some(key) = path.strip_prefix("/states/").map(str::to_owned) else {
            return reply(404, "", "<Error><Code>NoSuchBucket</Code><Message>no</Message></Error>");
        };
        let only = ["if-match", "if-none-match"]
            .into_iter()
            .find_map(|name| request.header(name).map(|tag| format!(" {name} {tag}")));
        let (status, tag, body) = self.decide(request, key);
        self.seen.push(format!("{}{} {status}", request.operation(), only.unwrap_or_default()));
        let tag = tag.filter(|_| self.manner != Manner::Tagless);
        let header = tag.map(|tag| format!("etag: {}\r\n", quoted(tag))).unwrap_or_default();
        reply(status, &header, &body)
    }

    fn decide(&mut self, request: &Request, key: String) -> (u16, Option<u64>, String) {
        let error = |status, code: &str| (status, None, format!("<Error><Code>{code}</Code></Error>"));
        let found = self.objects.get(&key).map(|(tag, _)| *tag);
        let writes = request.method() != "GET";
        let only_if = request.header("if-match");
        let only_unless = request.header("if-none-match");
        let deletes = request.method() == "DELETE";
        let unknown = match self.manner {
            Manner::Refuses => writes && (only_if.is_some() || only_unless.is_some()),
            Manner::DeletesWithoutCondition => deletes && only_if.is_some(),
            _ => false,
        };
        if unknown {
            return error(501, "NotImplemented");
        }
        if let Some(only_if) = only_if.filter(|_| self.manner != Manner::IgnoresIfMatch) {
            let Some(tag) = found else { return error(404, "NoSuchKey") };
            if only_if != quoted(tag) || self.manner == Manner::RefusesItsOwnTag {
                return error(412, "PreconditionFailed");
            }
        }
        if let (Some(only_unless), Some(tag)) = (only_unless, found) {
            if only_unless == quoted(tag) {
                return (304, Some(tag), String::new());
            }
            if writes && self.manner != Manner::IgnoresIfNoneMatch {
                return error(412, "PreconditionFailed");
            }
        }
        match request.method() {
            "PUT" => {
                self.tags += 1;
                self.objects.insert(key, (self.tags, request.body().to_vec()));
                (200, Some(self.tags), String::new())
            }
            "DELETE" if self.manner == Manner::Undeletable => error(403, "AccessDenied"),
            "DELETE" => {
                self.objects.remove(&key);
                (204, None, String::new())
            }
            "GET" => match self.objects.get(&key) {
                Some((tag, bytes)) => (200, Some(*tag), String::from_utf8(bytes.clone()).unwrap()),
                None => error(404, "NoSuchKey"),
            },
            _ => error(405, "MethodNotAllowed"),
        }
    }
}

fn quoted(tag: u64) -> String {
    format!("\"tag-{tag}\"")
}

fn reply(status: u16, header: &str, body: &str) -> Reply {
    let head = format!("HTTP/1.1 {status} Test\r\n{header}content-length: {}\r\n\r\n", body.len());
    Reply::Bytes([head.as_bytes(), body.as_bytes()].concat())
}
