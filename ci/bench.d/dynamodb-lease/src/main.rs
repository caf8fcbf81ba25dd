//! Runs a command under a lease of the dynamodb-lease crate: `bench-dynamodb-lease URL TABLE KEY COMMAND...`.
//! The crate's defaults, as a team that writes such a wrapper would use them.

use std::time::Duration;

use anyhow::{Context, bail};
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_http_client::Builder;
use dynamodb_lease::Client;
use tokio::process::Command;

/// How long the release may take before the process ends all the same.
const RELEASE: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(url), Some(table), Some(key)) = (args.next(), args.next(), args.next()) else {
        bail!("usage: bench-dynamodb-lease URL TABLE KEY COMMAND...");
    };
    let program = args.next().context("no command was given")?;

    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("bench", "bench", None, None, "ci/bench"))
        .endpoint_url(url)
        .http_client(Builder::new().build_http())
        .build();
    let dynamodb = aws_sdk_dynamodb::Client::from_conf(config);
    let client = Client::builder().table_name(table).build_and_check_db(dynamodb).await?;

    let lease = client.acquire(key.as_str()).await?;
    let status = Command::new(program).args(args).status().await?;
    tokio::time::timeout(RELEASE, lease.release()).await.context("the release got no answer")??;
    std::process::exit(status.code().unwrap_or(1));
}
