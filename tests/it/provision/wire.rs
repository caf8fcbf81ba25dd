//! Between a client and moto: every request is written down, and any of them can be answered
//! otherwise.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use crate::support::http::{Reply, Request, Server};

/// What becomes of a request; `None`: it is passed on.
type Meddler = Box<dyn Fn(&Call) -> Option<Reply> + Send + Sync>;

/// A request, as far as IAM looks at it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// Without the query, decoded.
    pub(crate) path: String,
    /// Decoded.
    pub(crate) query: Vec<(String, String)>,
    /// `CreateTable` and the like; empty for S3.
    pub(crate) operation: String,
    pub(crate) body: Vec<u8>,
}

/// The wire. Stopped on drop.
pub(crate) struct Wire {
    server: Server,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Wire {
    /// Passes everything on.
    pub(crate) fn to(engine: &str) -> Self {
        Self::meddling(engine, |_| None)
    }

    pub(crate) fn meddling(
        engine: &str,
        meddler: impl Fn(&Call) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        Self::start(engine, Box::new(meddler), Box::new(|_| false))
    }

    /// The answers to what `loses` says are lost: it takes effect, and the connection is closed.
    pub(crate) fn losing(engine: &str, loses: impl Fn(&Call) -> bool + Send + Sync + 'static) -> Self {
        Self::start(engine, Box::new(|_| None), Box::new(loses))
    }

    fn start(engine: &str, meddler: Meddler, loses: Box<dyn Fn(&Call) -> bool + Send + Sync>) -> Self {
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let (log, engine) = (Arc::clone(&calls), engine.to_owned());
        let server = Server::start(move |request| {
            let call = Call::read(&request);
            log.lock().unwrap().push(call.clone());
            let lost = loses(&call);
            let reply =
                meddler(&call).unwrap_or_else(|| pass(&engine, &request).map_or(Reply::Close, Reply::Bytes));
            if lost { Reply::Close } else { reply }
        });
        Self { server, calls }
    }

    pub(crate) fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// What has come since the last time.
    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }
}

impl Call {
    fn read(request: &Request) -> Self {
        let target = request.head.split(' ').nth(1).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let body = request.bytes[request.head.len()..].to_vec();
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key), decoded(&value.replace('+', " ")))
        });
        Self {
            method: request.method().to_owned(),
            path: decoded(path),
            query: pairs.collect(),
            operation: request
                .header("x-amz-target")
                .and_then(|target| target.split_once('.'))
                .map_or_else(String::new, |(_, name)| name.to_owned()),
            body,
        }
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Passes a request on and gives back the answer, whatever its framing: the engine is asked to
/// close the connection behind it.
fn pass(engine: &str, request: &Request) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(engine.strip_prefix("http://")?).ok()?;
    let head: Vec<&str> = request
        .head
        .lines()
        .filter(|line| !line.is_empty() && !line.to_ascii_lowercase().starts_with("connection:"))
        .collect();
    let head = format!("{}\r\nConnection: close\r\n\r\n", head.join("\r\n"));
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(&request.bytes[request.head.len()..]).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(answer)
}

/// An error of S3.
pub(crate) fn s3_error(status: u16, code: &str) -> Reply {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>no</Message></Error>"
    );
    let head = format!(
        "HTTP/1.1 {status} Test\r\ncontent-type: application/xml\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Reply::Bytes([head.as_bytes(), body.as_bytes()].concat())
}

/// An error of DynamoDB.
pub(crate) fn dynamodb_error(kind: &str, message: &str) -> Reply {
    let kind = format!("com.amazonaws.dynamodb.v20120810#{kind}");
    crate::support::http::answer(400, &serde_json::json!({ "__type": kind, "message": message }).to_string())
}
