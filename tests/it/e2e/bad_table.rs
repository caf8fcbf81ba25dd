//! Whatever is wrong with the table, the way to it, or who asks it.

use std::time::{Duration, Instant};

use super::locks::TABLE;
use crate::support::dynamo::{Engine, Shape};
use crate::support::fault::{Fault, Proxy};
use crate::support::http::{Reply, Server, nobody};
use crate::support::project::Project;
use crate::support::run::{Finished, Run};

/// Applies under a lock in the table behind `endpoint`, which has to go wrong before anything runs.
fn refused(endpoint: &str, options: &[&str], adjust: impl FnOnce(Run) -> Run) -> Finished {
    let project = Project::hello();
    let run =
        Run::new(&project).args(["apply", "--lock", "e2e", "--table", TABLE, "--endpoint-url", endpoint]);
    let run = adjust(run).args(options).args(["--", "-auto-approve"]).output();
    assert!(!run.kinds().contains(&"child_started"), "{}", run.stderr);
    assert_eq!(run.stdout_text(), "");
    assert_eq!(project.entries(), ["main.tf"]);
    run
}

fn as_it_is(run: Run) -> Run {
    run
}

#[test]
fn a_table_of_the_wrong_shape() {
    for (shape, parts) in [
        (Some(Shape::WrongName), &["lock_id", "LockID"][..]),
        (Some(Shape::WrongType), &["partition key \"LockID\" of type N instead of S", "tfguard setup"]),
        (Some(Shape::SortKey), &["sort key", "sort_key"]),
        (None, &["there is no DynamoDB table locks", "tfguard setup --table locks"]),
    ] {
        let engine = Engine::start();
        if let Some(shape) = shape {
            engine.create_table(TABLE, shape);
        }
        let started = Instant::now();
        refused(&engine.endpoint, &[], as_it_is).exits(78).says(parts);
        assert!(started.elapsed() < Duration::from_secs(5), "{shape:?}: {:?}", started.elapsed());
        let project = Project::empty();
        let status = Run::new(&project).args(["status", "--lock", "e2e", "--table", TABLE]);
        status.args(["--endpoint-url", &engine.endpoint]).output().exits(78).says(parts);
        if shape.is_some() {
            assert_eq!(engine.scan(TABLE).len(), 0);
        }
    }
}

#[test]
fn a_table_that_cannot_be_reached() {
    let engine = Engine::start();
    engine.create_table(TABLE, Shape::Right);
    let proxy = Proxy::start(&engine.endpoint);
    let refuses = nobody();
    for (endpoint, fault, parts) in [
        (&refuses, Fault::None, "cannot be reached"),
        (&proxy.endpoint(), Fault::Hang, "did not answer"),
        (&proxy.endpoint(), Fault::Error(500, "InternalServerError", "something broke"), "something broke"),
        (&proxy.endpoint(), Fault::Garbage(502, "<html>Bad gateway</html>"), "502"),
        (&proxy.endpoint(), Fault::Close, "broke"),
    ] {
        proxy.set(fault.clone());
        let started = Instant::now();
        let run = refused(endpoint, &["--wait-timeout", "2s"], as_it_is).exits(69);
        // The time that was given is tried for, and not more.
        let took = started.elapsed();
        assert!((Duration::from_secs(2)..Duration::from_secs(12)).contains(&took), "{fault:?}: {took:?}");
        run.says(&[parts, endpoint, "; tried for ", "lock e2e"]);
    }
    assert_eq!(engine.scan(TABLE).len(), 0);
}

#[test]
fn a_table_that_refuses_us() {
    let engine = Engine::start();
    engine.create_table(TABLE, Shape::Right);
    let proxy = Proxy::start(&engine.endpoint);
    for (code, message, parts) in [
        (
            "AccessDeniedException",
            "User: ci is not authorized",
            &["may not dynamodb:", "IAM policy", "User: ci"][..],
        ),
        ("ExpiredTokenException", "The security token is expired", &["have expired", "log in again"]),
        ("UnrecognizedClientException", "The security token is invalid", &["access key"]),
    ] {
        proxy.set(Fault::Error(400, code, message));
        let started = Instant::now();
        refused(&proxy.endpoint(), &[], as_it_is).exits(77).says(parts);
        assert!(started.elapsed() < Duration::from_secs(8), "{code}: {:?}", started.elapsed());
    }
}

#[test]
fn no_region_and_no_credentials() {
    let engine = Engine::start();
    engine.create_table(TABLE, Shape::Right);
    let started = Instant::now();
    let nowhere = refused(&engine.endpoint, &[], |run| run.without_env("AWS_REGION")).exits(78);
    nowhere.says(&["no AWS region is known", "--region", "AWS_REGION"]);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());

    let nobody = |run: Run| run.without_env("AWS_ACCESS_KEY_ID").without_env("AWS_SECRET_ACCESS_KEY");
    let started = Instant::now();
    refused(&engine.endpoint, &[], nobody).exits(77).says(&["credentials"]);
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());

    // A machine on which the address of the instance's metadata leads into the void.
    let void = Server::start(|_| Reply::Hang);
    let on_an_instance = |run: Run| {
        let run = nobody(run).env("AWS_EC2_METADATA_DISABLED", "false");
        run.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", void.endpoint())
    };
    let started = Instant::now();
    refused(&engine.endpoint, &[], on_an_instance).exits(77).says(&["credentials"]);
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    let unknown = refused(&engine.endpoint, &["--profile", "nobody"], as_it_is).exits(77);
    unknown.says(&["nobody"]);
}
