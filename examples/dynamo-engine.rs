//! A DynamoDB engine in memory on a free loopback port, for `ci/bench` and for trying things by hand:
//! `cargo run --example dynamo-engine`. It prints its address once it listens and serves until its
//! standard input ends, so that it never outlives whoever started it.

use std::error::Error;
use std::io::{self, Write};

use dynoxide::{Database, server};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(io::stdout(), "http://{}", listener.local_addr()?)?;

    // A plain thread: reading standard input cannot be cancelled, and must not hold up the runtime's end.
    let (ended, end_of_input) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = ended.send(());
    });

    tokio::select! {
        () = server::serve_on(listener, Database::memory()?) => {}
        _ = end_of_input => {}
    }
    Ok(())
}
