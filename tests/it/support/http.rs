//! HTTP/1.1 by hand, so that a test can do to a connection what no server would.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// A request as it came, head and body.
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) bytes: Vec<u8>,
}

impl Request {
    /// The value of a header, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// `GET` and the like.
    pub(crate) fn method(&self) -> &str {
        self.head.split(' ').next().unwrap_or_default()
    }

    /// The path and the query.
    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// What comes after the head.
    pub(crate) fn body(&self) -> &[u8] {
        let at = self.bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| at + 4);
        &self.bytes[at..]
    }

    /// The operation that a request to DynamoDB or S3 asks for.
    pub(crate) fn operation(&self) -> &str {
        if let Some(target) = self.header("x-amz-target") {
            return target.split_once('.').map_or("", |(_, name)| name);
        }
        let query = self.target().split_once('?').map_or("", |(_, query)| query);
        match query.split('&').find_map(|pair| pair.strip_prefix("x-id=")) {
            Some(name) => name,
            None if query.contains("list-type=2") => "ListObjectsV2",
            None => "",
        }
    }
}

/// What becomes of a connection.
pub(crate) enum Reply {
    /// These bytes are sent; the connection stays.
    Bytes(Vec<u8>),
    /// It is closed with no answer.
    Close,
    /// Nothing happens until the client hangs up.
    Hang,
}

/// An answer with a body.
pub(crate) fn answer(status: u16, body: &str) -> Reply {
    let head = format!(
        "HTTP/1.1 {status} Test\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Reply::Bytes([head.as_bytes(), body.as_bytes()].concat())
}

/// A server on loopback, stopped on drop.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    accepted: Arc<AtomicUsize>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(handler: impl Fn(Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let accepted = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&accepted);
        let handler = Arc::new(handler);
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                counter.fetch_add(1, Ordering::SeqCst);
                let handler = Arc::clone(&handler);
                // Ends when its client hangs up.
                std::thread::spawn(move || serve(stream.unwrap(), &*handler));
            }
        });
        Self { address, stop, accepted, accepting: Some(accepting) }
    }

    /// How many connections were made so far.
    pub(crate) fn connections(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.accepting.take() {
            let _ = thread.join();
        }
    }
}

/// Sends `request` to `endpoint` on a connection of its own, and gives back the answer's bytes.
pub(crate) fn forward(endpoint: &str, request: &Request) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(endpoint.strip_prefix("http://")?).ok()?;
    stream.write_all(&request.bytes).ok()?;
    message(&mut stream).map(|(_, bytes)| bytes)
}

/// The address of a port at which nobody listens.
pub(crate) fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn serve(mut stream: TcpStream, handler: &(impl Fn(Request) -> Reply + ?Sized)) {
    while let Some((head, bytes)) = message(&mut stream) {
        match handler(Request { head, bytes }) {
            Reply::Bytes(bytes) => {
                if stream.write_all(&bytes).is_err() {
                    return;
                }
            }
            Reply::Close => return,
            Reply::Hang => {
                let _ = stream.read(&mut [0]);
                return;
            }
        }
    }
}

/// Reads one message: head, and as much body as it announces.
fn message(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4);
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(key, _)| key.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, value)| value.trim().parse::<usize>().unwrap());
            if bytes.len() >= end + length {
                return Some((head, bytes));
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}
