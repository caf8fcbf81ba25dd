//! The calls that are needed, each refused once.

use serde_json::json;

use super::{Stage, answer};

fn without(operation: &'static str) -> super::Diagnosis {
    let denied = json!({ "__type": "com.amazon.coral.service#AccessDeniedException",
        "Message": "User: arn:aws:iam::1:user/ci is not authorized" });
    Stage::new(move |asked, _| (asked == operation).then(|| answer(400, &denied))).doctor()
}

#[test]
fn what_a_run_needs_fails_it() {
    for operation in ["GetItem", "PutItem"] {
        let diagnosis = without(operation);
        let action = format!("dynamodb:{operation}");
        let refused: Vec<_> = diagnosis
            .fails()
            .all("permission")
            .into_iter()
            .filter(|check| check["severity"] == "error")
            .collect();
        assert_eq!(refused.len(), 1, "{operation}: {refused:?}");
        assert_eq!(refused[0]["details"]["action"], action.as_str());
        assert_eq!(refused[0]["details"]["on"], "item tfguard:prod of table locks");
        assert!(refused[0]["cure"].as_str().unwrap().contains("tfguard policy"));
    }
}

#[test]
fn what_only_an_operator_needs_is_a_warning() {
    for (operation, needed_for) in
        [("DeleteItem", "unlock"), ("Scan", "status --all"), ("BatchGetItem", "history")]
    {
        let diagnosis = without(operation);
        let refused: Vec<_> = diagnosis
            .works()
            .all("permission")
            .into_iter()
            .filter(|check| check["severity"] == "warning")
            .collect();
        assert_eq!(refused.len(), 1, "{operation}: {refused:?}");
        assert!(refused[0]["details"]["needed_for"].as_str().unwrap().starts_with(needed_for));
    }
}

#[test]
fn what_only_a_doctor_needs_is_a_note() {
    for (operation, id) in [
        ("DescribeTable", "table-exists"),
        ("DescribeTimeToLive", "table-ttl"),
        ("DescribeContinuousBackups", "table-recovery"),
    ] {
        without(operation).works().is(id, "info");
    }
}

#[test]
fn all_of_them_allowed_are_told() {
    let stage = Stage::new(|_, _| None);
    let diagnosis = stage.doctor();
    let allowed = diagnosis.works().all("permission");
    assert_eq!(allowed.len(), 6);
    assert!(allowed.iter().all(|check| check["severity"] == "ok"), "{allowed:?}");
    assert!(stage.engine.scan("locks").is_empty());
}
