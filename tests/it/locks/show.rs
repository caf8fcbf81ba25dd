//! `status` and `unlock` with several locks.

use super::hall::Hall;

#[test]
fn status_shows_them_all() {
    let hall = Hall::local();
    let mut holder = hall.hold(&["b"]);
    let status =
        |options: &[&str]| hall.run().args(["status", "--lock", "b", "--lock", "a"]).args(options).output();
    let text = status(&[]).exits(0).stdout_text();
    let (a, b) = text.split_once("\n\n").unwrap();
    assert!(a.starts_with("lock   a\n") && a.contains("state  free"), "{text}");
    assert!(b.starts_with("lock   b\n") && b.contains("state  held"), "{text}");
    let json: serde_json::Value = serde_json::from_slice(&status(&["--json"]).exits(0).stdout).unwrap();
    let locks = json["locks"].as_array().unwrap();
    assert_eq!(locks.len(), 2);
    // Each is the document that the lock has alone.
    assert_eq!((&locks[0], &locks[0]["state"]), (&hall.status("a"), &"free".into()));
    assert_eq!((&locks[1]["lock"], &locks[1]["state"]), (&"b".into(), &"held".into()));
    status(&["--check"]).exits(75);
    holder.close_stdin();
    holder.finish().exits(0);
    status(&["--check"]).exits(0);
}

#[test]
fn unlock_is_about_one() {
    let hall = Hall::local();
    let mut holder = hall.hold(&["a", "b"]);
    let unlock = ["unlock", "--lock", "a", "--lock", "b", "--reason", "test", "--yes"];
    hall.run().args(unlock).output().exits(64).says(&["one lock"]);
    assert_eq!(hall.status("a")["holders"][0]["revoked"], serde_json::Value::Null);
    holder.close_stdin();
    holder.finish().exits(0);
}
