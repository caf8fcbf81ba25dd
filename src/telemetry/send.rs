//! Carries what the SDK exports, over HTTP, on a thread of its own.
//!
//! The SDK exports from plain threads, and the HTTP client that is here already (that of the stores,
//! with its TLS, certificates and proxies) wants a runtime: this thread has one. A second client
//! would bring a second TLS stack.

use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::sync::{mpsc, oneshot};

use crate::store::http_connector;
use crate::store::text::chain;

/// More of an answer is not looked at.
const LONGEST: usize = 1024 * 1024;

type Answer = Result<Response<Bytes>, String>;

struct Parcel {
    request: Request<Bytes>,
    timeout: Duration,
    answer: oneshot::Sender<Answer>,
}

/// The way to the collector, for one signal.
pub(super) struct Courier {
    timeout: Duration,
    parcels: OnceLock<Option<mpsc::UnboundedSender<Parcel>>>,
    /// Why the newest request failed.
    trouble: Mutex<Option<String>>,
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Courier")
    }
}

impl Courier {
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, parcels: OnceLock::new(), trouble: Mutex::new(None) }
    }

    /// Why the newest request failed.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    async fn send(&self, request: Request<Bytes>) -> Answer {
        let (answer, answered) = oneshot::channel();
        let parcel = Parcel { request, timeout: self.timeout, answer };
        let parcels = self.parcels.get_or_init(start).as_ref();
        let sent = parcels.is_some_and(|parcels| parcels.send(parcel).is_ok());
        match answered.await {
            Ok(answer) if sent => answer,
            _ => Err("the system gives no thread for it".to_owned()),
        }
    }
}

#[async_trait]
impl HttpClient for Courier {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.send(request).await;
        self.note(match &answer {
            Ok(response) if response.status().is_success() => None,
            // What the body says may be anything.
            Ok(response) => Some(format!("it answered with HTTP {}", response.status().as_u16())),
            Err(why) => Some(why.clone()),
        });
        answer.map_err(HttpError::from)
    }
}

/// The thread, which ends with the last sender. Whatever is under way then is not waited for.
fn start() -> Option<mpsc::UnboundedSender<Parcel>> {
    let (parcels, mut arriving) = mpsc::unbounded_channel::<Parcel>();
    let run = move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            while let Some(Parcel { request, timeout, answer }) = arriving.recv().await {
                let sent = tokio::time::timeout(timeout, exchange(request)).await;
                let sent =
                    sent.unwrap_or_else(|_| Err(format!("no answer within {} ms", timeout.as_millis())));
                // Nobody may want to know any more.
                let _ = answer.send(sent);
            }
        });
    };
    std::thread::Builder::new().name("telemetry".into()).spawn(run).ok()?;
    Some(parcels)
}

async fn exchange(request: Request<Bytes>) -> Answer {
    let (parts, body) = request.into_parts();
    let url = parts.uri.to_string();
    let mut asked = HttpRequest::new(SdkBody::from(body.as_ref()));
    let wrong = |what: &str| format!("its {what} cannot be used");
    asked.set_method(parts.method.as_str()).map_err(|_| wrong("method"))?;
    asked.set_uri(url.as_str()).map_err(|_| wrong("address"))?;
    for (name, value) in &parts.headers {
        let value = value.to_str().map_err(|_| wrong("header"))?.to_owned();
        asked.headers_mut().try_insert(name.as_str().to_owned(), value).map_err(|_| wrong("header"))?;
    }
    let answer = http_connector(&url).call(asked).await.map_err(|error| chain(&error))?;
    let status = answer.status().as_u16();
    let retry_after = answer.headers().get("retry-after").map(str::to_owned);
    let body =
        ByteStream::new(answer.into_body()).collect().await.map_err(|error| chain(&error))?.into_bytes();
    let body = if body.len() > LONGEST { Bytes::new() } else { body };
    let mut response = Response::builder().status(status);
    if let Some(pause) = retry_after {
        response = response.header("retry-after", pause);
    }
    response.body(body).map_err(|_| "its answer cannot be read".to_owned())
}
