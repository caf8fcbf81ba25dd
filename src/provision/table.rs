//! The lock table: made if it is not there, else looked at.

use std::cell::Cell;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, PointInTimeRecoverySpecification,
    ScalarAttributeType, Tag, TimeToLiveSpecification,
};

use super::blueprint::{KEY, TTL};
use super::flaw::{self, Flaw, Setting};
use super::patience::{ACTIVE, SETTLED, Wait, failure, persist};
use super::progress::Progress;
use super::repair::looked_at;
use crate::error::Error;
use crate::inventory::{Description, DynamoClient, Fault, Table};
use crate::store::aws::Target;

/// What came of asking for a table.
enum Made {
    /// It is new and ours.
    New,
    /// It is there by now: somebody else is making it.
    Raced,
}

/// Makes the table, or looks at the one that is there and, if told so, puts right what can be.
///
/// # Errors
/// [`Error::Config`] for a table that no lock can live in, and whatever AWS refuses.
pub(super) async fn ensure(
    client: &DynamoClient,
    name: &str,
    tags: &[(String, String)],
    repair: bool,
    progress: &Progress<'_>,
) -> Result<(), Error> {
    let thing = Target::table(name, Some(client.region()), client.endpoint());
    let switch = async |setting| switch_on(client, name, setting).await;
    let look_at =
        async |table: &Table| looked_at(&thing, flaw::of_table(table), repair, &switch, progress).await;
    let fail = |doing: &str, fault: &Fault| failure(&format!("{thing} {doing}"), fault);
    match describe(client, name).await {
        Ok(description) => {
            check_key(&thing, &description)?;
            let young = description.status == "CREATING";
            wait_until_active(client, name, &thing, progress, description).await?;
            // Whoever is making it switches the rest on next.
            let table = if young { settled(client, name).await } else { Table::read(client, name).await };
            look_at(&table).await
        }
        Err(Fault::Missing) => match create(client, name, tags).await {
            Ok(made) => {
                let description =
                    appeared(client, name).await.map_err(|fault| fail("could not be read", &fault))?;
                check_key(&thing, &description)?;
                match made {
                    Made::New => progress.created(&thing),
                    Made::Raced => progress.say(&format!("{thing} is being made by somebody else")),
                }
                wait_until_active(client, name, &thing, progress, description).await?;
                match made {
                    Made::New => {
                        finish(client, name, &thing).await?;
                        let left = flaw::of_table(&Table::read(client, name).await);
                        progress.left(&thing, &left);
                        Ok(())
                    }
                    Made::Raced => {
                        let table = settled(client, name).await;
                        look_at(&table).await
                    }
                }
            }
            Err(fault) => Err(fail("could not be created", &fault)),
        },
        Err(fault) => Err(fail("could not be looked at", &fault)),
    }
}

async fn describe(client: &DynamoClient, name: &str) -> Result<Description, Fault> {
    persist(|| Table::describe(client, name)).await
}

/// The description of a table that was just made, which may take a moment to be seen.
async fn appeared(client: &DynamoClient, name: &str) -> Result<Description, Fault> {
    let mut wait = Wait::at_most(SETTLED);
    loop {
        match describe(client, name).await {
            Err(Fault::Missing) if wait.again().await => {}
            answer => return answer,
        }
    }
}

fn check_key(thing: &Target, description: &Description) -> Result<(), Error> {
    let faults = description.key_faults();
    if faults.is_empty() {
        return Ok(());
    }
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    Err(Error::Config(format!(
        "{thing} {}; no lock of tfguard or of Terraform can live in it, and the key of a table cannot be changed: \
         name another with --table, and `tfguard setup` makes it",
        faults.join(" and ")
    )))
}

async fn create(client: &DynamoClient, name: &str, tags: &[(String, String)]) -> Result<Made, Fault> {
    let unsendable = |error: aws_sdk_dynamodb::error::BuildError| {
        Fault::Failed(crate::store::StoreError::Misconfigured { message: error.to_string() })
    };
    let request = wanted(client, name, tags).map_err(unsendable)?;
    let attempts = Cell::new(0);
    persist(|| async {
        attempts.set(attempts.get() + 1);
        let send = async {
            match request.clone().send().await {
                Ok(_) => Ok(Made::New),
                // After an attempt without an answer it is our own that took effect.
                Err(error) if error.code() == Some("ResourceInUseException") => {
                    Ok(if attempts.get() > 1 { Made::New } else { Made::Raced })
                }
                Err(error) => Err(error),
            }
        };
        client.ask("dynamodb:CreateTable", send).await
    })
    .await
}

fn wanted(
    client: &DynamoClient,
    name: &str,
    tags: &[(String, String)],
) -> Result<CreateTableFluentBuilder, aws_sdk_dynamodb::error::BuildError> {
    let mut request = client
        .sdk
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .deletion_protection_enabled(true)
        .attribute_definitions(
            AttributeDefinition::builder()
                .attribute_name(KEY)
                .attribute_type(ScalarAttributeType::S)
                .build()?,
        )
        .key_schema(KeySchemaElement::builder().attribute_name(KEY).key_type(KeyType::Hash).build()?);
    for (key, value) in tags {
        request = request.tags(Tag::builder().key(key).value(value).build()?);
    }
    Ok(request)
}

async fn wait_until_active(
    client: &DynamoClient,
    name: &str,
    thing: &Target,
    progress: &Progress<'_>,
    mut description: Description,
) -> Result<(), Error> {
    let mut wait = Wait::at_most(ACTIVE);
    let mut said = false;
    // A table that is being updated takes requests all the time.
    while !matches!(description.status.as_str(), "ACTIVE" | "UPDATING") {
        let status = crate::escape::field(&description.status).into_owned();
        if status != "CREATING" {
            return Err(Error::Config(format!(
                "{thing} is in the state {status}: nothing can be done with it now; run `tfguard setup` again when \
                 that is over"
            )));
        }
        if !said {
            progress.say(&format!("{thing} is being created; waiting until it is active"));
            said = true;
        }
        if !wait.again().await {
            let limit = crate::report::human::duration(ACTIVE);
            return Err(Error::Unavailable(format!(
                "{thing} did not become active within {limit}; run `tfguard setup` again, it takes up where it stopped"
            )));
        }
        let failed = |fault| failure(&format!("{thing} could not be looked at"), &fault);
        description = describe(client, name).await.map_err(failed)?;
    }
    Ok(())
}

/// The table once somebody else has switched everything on, or when the time for it is over.
async fn settled(client: &DynamoClient, name: &str) -> Table {
    let mut wait = Wait::at_most(SETTLED);
    loop {
        let table = Table::read(client, name).await;
        let open = flaw::of_table(&table).iter().any(|flaw| matches!(flaw, Flaw::Off(_) | Flaw::Changing(_)));
        if !open || !wait.again().await {
            return table;
        }
    }
}

/// The settings that a table cannot be created with.
async fn finish(client: &DynamoClient, name: &str, thing: &Target) -> Result<(), Error> {
    for setting in Setting::OF_TABLE {
        if let Err(fault) = switch_on(client, name, setting).await {
            if fault == Fault::Unsupported {
                // Not AWS, but something that speaks its language; what is off is said at the end.
                continue;
            }
            let doing = format!("{thing} was created, and {} could not be switched on", setting.name());
            return Err(failure(&doing, &fault));
        }
    }
    Ok(())
}

/// Switches a setting on, also while somebody else does the same.
async fn switch_on(client: &DynamoClient, name: &str, setting: Setting) -> Result<(), Fault> {
    let mut wait = Wait::at_most(SETTLED);
    loop {
        let answer = persist(|| request(client, name, setting)).await?;
        match answer {
            Answer::Done => return Ok(()),
            Answer::Later(fault) if !wait.again().await => return Err(fault),
            Answer::Later(_) => {}
        }
    }
}

enum Answer {
    Done,
    /// Not now; the last word, should it stay so.
    Later(Fault),
}

async fn request(client: &DynamoClient, name: &str, setting: Setting) -> Result<Answer, Fault> {
    let sdk = &client.sdk;
    // Each kind of request has an error of its own type, so that what can be said of all is said here.
    macro_rules! send {
        ($action:literal, $request:expr) => {{
            let send = async {
                match $request.send().await {
                    Ok(_) => Ok(None),
                    Err(error) if is_busy(error.code(), error.message()) => {
                        Ok(Some(error.message().unwrap_or_default().to_owned()))
                    }
                    Err(error) if is_done(error.code(), error.message()) => Ok(None),
                    Err(error) => Err(error),
                }
            };
            client.ask($action, send).await?
        }};
    }
    let build = |error: aws_sdk_dynamodb::error::BuildError| {
        Fault::Failed(crate::store::StoreError::Misconfigured { message: error.to_string() })
    };
    let busy = match setting {
        Setting::TimeToLive => {
            let wanted = TimeToLiveSpecification::builder().attribute_name(TTL).enabled(true).build();
            let wanted = wanted.map_err(build)?;
            send!(
                "dynamodb:UpdateTimeToLive",
                sdk.update_time_to_live().table_name(name).time_to_live_specification(wanted)
            )
        }
        Setting::Recovery => {
            let wanted =
                PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(true).build();
            let wanted = wanted.map_err(build)?;
            send!(
                "dynamodb:UpdateContinuousBackups",
                sdk.update_continuous_backups().table_name(name).point_in_time_recovery_specification(wanted)
            )
        }
        Setting::DeletionProtection => send!(
            "dynamodb:UpdateTable",
            sdk.update_table().table_name(name).deletion_protection_enabled(true)
        ),
        Setting::Versioning | Setting::Encryption | Setting::PublicAccess => None,
    };
    Ok(match busy {
        None => Answer::Done,
        Some(said) => Answer::Later(Fault::Failed(crate::store::StoreError::Unavailable {
            kind: crate::store::Unavailable::Failed,
            message: format!(
                "the table is still busy with another change ({})",
                crate::store::text::plain(&said)
            ),
        })),
    })
}

/// Whether a request comes too early: the table is new, or another change is under way.
fn is_busy(code: Option<&str>, said: Option<&str>) -> bool {
    match code.unwrap_or_default() {
        "ResourceInUseException"
        | "ContinuousBackupsUnavailableException"
        | "LimitExceededException"
        | "TableInUseException" => true,
        "ValidationException" => {
            said.is_some_and(|said| said.contains("being modified") || said.contains("in progress"))
        }
        _ => false,
    }
}

/// Whether it is on already: somebody else was faster.
fn is_done(code: Option<&str>, said: Option<&str>) -> bool {
    code == Some("ValidationException") && said.is_some_and(|said| said.contains("already enabled"))
}
