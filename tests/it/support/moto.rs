//! moto in server mode: an S3 and a second, independent DynamoDB on loopback.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

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
            let mut process = Command::new(program())
                .args(["-H", "127.0.0.1", "-p", &port.to_string()])
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
    program().with_file_name("python3")
}

fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/engines/bin/moto_server");
    assert!(program.exists(), "moto is not installed: run ci/test, which installs it");
    program
}
