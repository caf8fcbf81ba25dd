//! moto in server mode: an S3 and a second, independent DynamoDB on loopback.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::http::{Request, forward};

/// moto looks whether an object is there and then writes it, in one thread for each request: switched
/// between the two, it lets two writers create one object. Threads that are switched only where they
/// wait for something cannot be: between the two, nothing is waited for.
const PROGRAM: &str = "import sys\n\
    sys.setswitchinterval(1000)\n\
    from moto.server import main\n\
    sys.exit(main(sys.argv[1:]))\n";

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIDTEST/20260101/us-east-1/s3/aws4_request, \
                      SignedHeaders=host, Signature=00";

/// A server of its own, stopped on drop.
pub(crate) struct Moto {
    process: Child,
    pub(crate) endpoint: String,
}

impl Moto {
    pub(crate) fn start() -> Self {
        // Free at this moment; a server that loses the race for it ends at once, and we try again.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut process = Command::new(python())
                .args(["-c", PROGRAM, "-H", "127.0.0.1", "-p", &port.to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let endpoint = format!("http://127.0.0.1:{port}");
            let until = Instant::now() + Duration::from_secs(60);
            while Instant::now() < until && process.try_wait().unwrap().is_none() {
                if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Self { process, endpoint };
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = process.kill();
            let _ = process.wait();
        }
        panic!("moto does not start");
    }

    /// Creates a bucket.
    pub(crate) fn create_bucket(&self, bucket: &str) {
        let status = self.request("PUT", &format!("/{bucket}"), &[], b"").0;
        assert_eq!(status, 200);
    }

    /// What is in an object, if there is one.
    pub(crate) fn object(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        let (status, _, body) = self.request("GET", &format!("/{bucket}/{key}"), &[], b"");
        (status == 200).then_some(body)
    }

    /// Writes an object.
    pub(crate) fn put_object(&self, bucket: &str, key: &str, body: &[u8]) {
        assert_eq!(self.request("PUT", &format!("/{bucket}/{key}"), &[], body).0, 200);
    }

    /// The keys of a bucket, at most 1000, as XML has them.
    pub(crate) fn keys(&self, bucket: &str) -> Vec<String> {
        let (status, _, body) = self.request("GET", &format!("/{bucket}?list-type=2"), &[], b"");
        assert_eq!(status, 200);
        let text = String::from_utf8_lossy(&body).into_owned();
        let ends = text.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
        ends.map(|(key, _)| key.to_owned()).collect()
    }

    /// Sends a request, signed by nobody in particular, which moto does not look at: the answer's
    /// status, head and body.
    pub(crate) fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> (u16, String, Vec<u8>) {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let host = self.endpoint.trim_start_matches("http://");
        let length = body.len();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: {host}\r\nauthorization: {SIGNED}\r\n{headers}content-length: {length}\r\n\r\n"
        );
        let bytes = [head.as_bytes(), body].concat();
        let answer = forward(&self.endpoint, &Request { head, bytes }).unwrap();
        let at = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let head = String::from_utf8_lossy(&answer[..at]).into_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head, answer[at..].to_vec())
    }

    /// Creates a bucket, and beside it a table as Terraform's lock needs it.
    pub(crate) fn create(&self, bucket: &str, table: &str) {
        let script = "import boto3, sys\n\
            url, bucket, table = sys.argv[1:]\n\
            kw = dict(endpoint_url=url, region_name='eu-west-1', aws_access_key_id='x', aws_secret_access_key='y')\n\
            boto3.client('s3', **kw).create_bucket(Bucket=bucket, CreateBucketConfiguration={'LocationConstraint': 'eu-west-1'})\n\
            boto3.client('dynamodb', **kw).create_table(TableName=table, BillingMode='PAY_PER_REQUEST',\n\
              AttributeDefinitions=[{'AttributeName': 'LockID', 'AttributeType': 'S'}],\n\
              KeySchema=[{'AttributeName': 'LockID', 'KeyType': 'HASH'}])\n";
        let status =
            Command::new(python()).args(["-c", script, &self.endpoint, bucket, table]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The Python that has `boto3`.
pub(crate) fn python() -> PathBuf {
    let bin = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/engines/bin");
    assert!(bin.join("moto_server").exists(), "moto is not installed: run ci/test, which installs it");
    bin.join("python3")
}
