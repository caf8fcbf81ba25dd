//! A DynamoDB of our own, in this process, reached over HTTP on loopback.

use std::thread::JoinHandle;

use dynoxide::Database;
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// The key schema of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `LockID`, a string, and nothing else.
    Right,
    /// The partition key is called `lock_id`.
    WrongName,
    /// `LockID` is a number.
    WrongType,
    /// There is a sort key `sort_key` beside `LockID`.
    SortKey,
}

/// The engine, empty at the start, stopped on drop.
pub(crate) struct Engine {
    /// `http://127.0.0.1:<port>`
    pub(crate) endpoint: String,
    database: Database,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    pub(crate) fn start() -> Self {
        let database = Database::memory().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let served = database.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = dynoxide::server::serve_on(listener, served) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { endpoint, database, stop: Some(stop), thread: Some(thread) }
    }

    /// Creates a table of a shape.
    pub(crate) fn create_table(&self, table: &str, shape: Shape) {
        let (key, kind) = match shape {
            Shape::Right | Shape::SortKey => ("LockID", "S"),
            Shape::WrongName => ("lock_id", "S"),
            Shape::WrongType => ("LockID", "N"),
        };
        let mut attributes = vec![json!({ "AttributeName": key, "AttributeType": kind })];
        let mut schema = vec![json!({ "AttributeName": key, "KeyType": "HASH" })];
        if shape == Shape::SortKey {
            attributes.push(json!({ "AttributeName": "sort_key", "AttributeType": "S" }));
            schema.push(json!({ "AttributeName": "sort_key", "KeyType": "RANGE" }));
        }
        let request = json!({
            "TableName": table,
            "AttributeDefinitions": attributes,
            "KeySchema": schema,
            "BillingMode": "PAY_PER_REQUEST",
        });
        self.database.create_table(serde_json::from_value(request).unwrap()).unwrap();
    }

    /// Writes an item, given in DynamoDB's own JSON: `{"LockID": {"S": "x"}}`.
    pub(crate) fn put(&self, table: &str, item: &Value) {
        let request = json!({ "TableName": table, "Item": item });
        self.database.put_item(serde_json::from_value(request).unwrap()).unwrap();
    }

    /// The item with this `LockID`, in DynamoDB's own JSON.
    pub(crate) fn get(&self, table: &str, lock_id: &str) -> Option<Value> {
        let request =
            json!({ "TableName": table, "Key": { "LockID": { "S": lock_id } }, "ConsistentRead": true });
        let answer = self.database.get_item(serde_json::from_value(request).unwrap()).unwrap();
        serde_json::to_value(answer).unwrap().get("Item").cloned()
    }

    /// Every item of the table, in DynamoDB's own JSON.
    pub(crate) fn scan(&self, table: &str) -> Vec<Value> {
        let request = json!({ "TableName": table });
        let answer = self.database.scan(serde_json::from_value(request).unwrap()).unwrap();
        serde_json::to_value(answer).unwrap()["Items"].as_array().cloned().unwrap_or_default()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
