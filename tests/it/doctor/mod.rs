//! `doctor`, a test for each of its rows: the program itself, on engines, and on a server that says
//! what no engine does.

mod host;
mod lock;
mod offline;
mod permissions;
mod state;
mod table;

use serde_json::Value;

use super::support::dynamo::{Engine, Shape};
use super::support::http::{Reply, Request, Server, forward};
use super::support::project::Project;
use super::support::run::Run;
use super::support::schema;

/// What a doctor said.
pub(super) struct Diagnosis {
    pub(super) code: i32,
    document: Value,
}

impl Diagnosis {
    pub(super) fn of(run: Run) -> Self {
        let finished = run.args(["doctor", "--json"]).output();
        let text = finished.stdout_text();
        let document: Value =
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{}", finished.stderr));
        schema::check("doctor", &document);
        assert_eq!(document["exit_code"], finished.code());
        // Every row says what is wrong, why, and what mends it.
        for check in document["checks"].as_array().unwrap() {
            let bad = ["warning", "error"].contains(&check["severity"].as_str().unwrap());
            assert!(!bad || (check["why"].is_string() && check["cure"].is_string()), "{check}");
        }
        Self { code: finished.code(), document }
    }

    /// The checks of this name.
    pub(super) fn all(&self, id: &str) -> Vec<&Value> {
        self.document["checks"].as_array().unwrap().iter().filter(|check| check["id"] == id).collect()
    }

    /// Its only check of this name has this severity; its text and cure.
    #[track_caller]
    pub(super) fn is(&self, id: &str, severity: &str) -> String {
        let found = self.all(id);
        assert_eq!(found.len(), 1, "{id}: {:#}", self.document);
        assert_eq!(found[0]["severity"], severity, "{:#}", found[0]);
        format!("{} {}", found[0]["what"].as_str().unwrap(), found[0]["cure"].as_str().unwrap_or_default())
    }

    /// Nothing keeps a run from working.
    #[track_caller]
    pub(super) fn works(&self) -> &Self {
        assert_eq!(self.code, 0, "{:#}", self.document);
        self
    }

    /// A run would fail.
    #[track_caller]
    pub(super) fn fails(&self) -> &Self {
        assert_eq!(self.code, 78, "{:#}", self.document);
        self
    }
}

/// An examination of lock `prod` in table `locks` at `endpoint`, in an empty project.
pub(super) fn at(project: &Project, endpoint: &str) -> Run {
    Run::new(project).args(["--lock", "prod", "--table", "locks", "--endpoint-url", endpoint])
}

/// DynamoDB with a table, and a man in the middle who may answer in its place.
pub(super) struct Stage {
    pub(super) engine: Engine,
    server: Server,
}

impl Stage {
    /// `answer` is asked first, with the operation's name; `None` passes the request on.
    pub(super) fn new(answer: impl Fn(&str, &Request) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let engine = Engine::start();
        engine.create_table("locks", Shape::Right);
        let behind = engine.endpoint.clone();
        let server = Server::start(move |request| {
            match answer(request.operation(), &request).or_else(|| forward(&behind, &request)) {
                Some(bytes) => Reply::Bytes(bytes),
                None => Reply::Close,
            }
        });
        Self { engine, server }
    }

    pub(super) fn doctor(&self) -> Diagnosis {
        Diagnosis::of(at(&Project::hello(), &self.server.endpoint()))
    }
}

/// An answer of DynamoDB's.
pub(super) fn answer(status: u16, body: &Value) -> Vec<u8> {
    answer_at(status, body, "")
}

/// With one header more, and its line end.
pub(super) fn answer_at(status: u16, body: &Value, header: &str) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.0\r\n{header}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
