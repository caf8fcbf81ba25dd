//! What a DynamoDB table is like.

use aws_sdk_dynamodb::types::{
    BillingMode, ContinuousBackupsStatus, MultiRegionConsistency, PointInTimeRecoveryStatus,
    TableDescription, TimeToLiveStatus,
};

use super::client::DynamoClient;
use super::fact::{Fact, Fault};
use crate::store::KeyPart;
use crate::store::dynamodb::key;

/// What a table is like, as far as that could be found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its description; [`Fault::Missing`]: there is no such table in this region.
    pub description: Fact<Description>,
    /// When it deletes items by itself.
    pub time_to_live: Fact<TimeToLive>,
    /// Whether it can be restored to any earlier second.
    pub recovery: Fact<bool>,
}

/// What `DescribeTable` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// `ACTIVE`, `CREATING`, `UPDATING`…
    pub status: String,
    /// Its key. What is wrong with it: [`Description::key_faults`].
    pub key: Vec<KeyPart>,
    /// How much may be read and written.
    pub capacity: Capacity,
    /// It cannot be deleted before that is switched off.
    pub deletion_protection: bool,
    /// Its copies in other regions.
    pub replicas: Vec<Replica>,
    /// How the copies agree; `None`: there are none, or it is not told.
    pub consistency: Option<Consistency>,
    /// Items in it, as counted within the last hours.
    pub items: u64,
}

/// How a table is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capacity {
    /// By request.
    OnDemand,
    /// By reserved units a second.
    Provisioned {
        /// Reads of 4 KB.
        read: u64,
        /// Writes of 1 KB.
        write: u64,
    },
}

/// A copy of the table in another region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// The region.
    pub region: String,
    /// `ACTIVE` and the like.
    pub status: String,
}

/// How the copies of a global table agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// In a while (MREC): two regions can both win a lock.
    Eventual,
    /// At once (MRSC).
    Strong,
}

/// When a table deletes items by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeToLive {
    /// Never.
    Off,
    /// It is being switched; the attribute is the new or the old one.
    Changing {
        /// Its name, if told.
        attribute: Option<String>,
        /// It is being switched on, not off.
        on: bool,
    },
    /// When the time in this attribute has passed.
    On(String),
}

impl Description {
    /// What is wrong with the key; nothing, if lock records can live under it.
    pub fn key_faults(&self) -> Vec<crate::store::KeyFault> {
        key::faults(&self.key)
    }
}

impl Table {
    /// Asks for the description alone.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn describe(client: &DynamoClient, table: &str) -> Result<Description, Fault> {
        describe(client, table).await
    }

    /// Asks. Nothing is changed.
    pub async fn read(client: &DynamoClient, table: &str) -> Self {
        let (description, time_to_live, recovery) =
            tokio::join!(describe(client, table), time_to_live(client, table), recovery(client, table));
        Self { description: description.into(), time_to_live: time_to_live.into(), recovery: recovery.into() }
    }
}

async fn describe(client: &DynamoClient, table: &str) -> Result<Description, Fault> {
    let request = client.sdk.describe_table().table_name(table).send();
    let answer = client.ask("dynamodb:DescribeTable", request).await?;
    answer.table.map(description).ok_or(Fault::Missing)
}

async fn time_to_live(client: &DynamoClient, table: &str) -> Result<TimeToLive, Fault> {
    let request = client.sdk.describe_time_to_live().table_name(table).send();
    let answer = client.ask("dynamodb:DescribeTimeToLive", request).await?;
    let Some(told) = answer.time_to_live_description else { return Ok(TimeToLive::Off) };
    let attribute = told.attribute_name().map(str::to_owned);
    Ok(match told.time_to_live_status() {
        Some(TimeToLiveStatus::Enabled) => TimeToLive::On(attribute.unwrap_or_default()),
        Some(TimeToLiveStatus::Enabling) => TimeToLive::Changing { attribute, on: true },
        Some(TimeToLiveStatus::Disabling) => TimeToLive::Changing { attribute, on: false },
        _ => TimeToLive::Off,
    })
}

async fn recovery(client: &DynamoClient, table: &str) -> Result<bool, Fault> {
    let request = client.sdk.describe_continuous_backups().table_name(table).send();
    let answer = client.ask("dynamodb:DescribeContinuousBackups", request).await?;
    let told = answer.continuous_backups_description;
    let on = told.filter(|told| *told.continuous_backups_status() == ContinuousBackupsStatus::Enabled);
    let recovery = on.and_then(|told| told.point_in_time_recovery_description);
    let status = recovery.and_then(|told| told.point_in_time_recovery_status);
    Ok(status == Some(PointInTimeRecoveryStatus::Enabled))
}

fn description(table: TableDescription) -> Description {
    let units = |told: Option<i64>| told.and_then(|units| u64::try_from(units).ok()).unwrap_or_default();
    // Where no mode is told the table is an old one, with provisioned capacity, or was never
    // anything else; zero units mean that they do not count.
    let mode = table.billing_mode_summary().and_then(|summary| summary.billing_mode());
    let throughput = table.provisioned_throughput();
    let read = units(throughput.and_then(|told| told.read_capacity_units()));
    let write = units(throughput.and_then(|told| told.write_capacity_units()));
    let on_demand = match mode {
        Some(mode) => *mode == BillingMode::PayPerRequest,
        None => read == 0 && write == 0,
    };
    let replicas: Vec<Replica> = table
        .replicas()
        .iter()
        .map(|replica| Replica {
            region: replica.region_name().unwrap_or_default().to_owned(),
            status: replica.replica_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        })
        .collect();
    let consistency = match table.multi_region_consistency() {
        Some(MultiRegionConsistency::Strong) => Some(Consistency::Strong),
        Some(MultiRegionConsistency::Eventual) => Some(Consistency::Eventual),
        // Global tables were eventually consistent before there was a choice, and said nothing.
        _ if !replicas.is_empty() => Some(Consistency::Eventual),
        _ => None,
    };
    Description {
        status: table.table_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        key: key::parts(&table),
        capacity: if on_demand { Capacity::OnDemand } else { Capacity::Provisioned { read, write } },
        deletion_protection: table.deletion_protection_enabled().unwrap_or_default(),
        replicas,
        consistency,
        items: units(table.item_count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::types::{BillingModeSummary, ProvisionedThroughputDescription, ReplicaDescription};

    fn throughput(read: i64, write: i64) -> ProvisionedThroughputDescription {
        ProvisionedThroughputDescription::builder()
            .read_capacity_units(read)
            .write_capacity_units(write)
            .build()
    }

    #[test]
    fn capacity_is_what_the_mode_says_and_else_what_the_units_say() {
        let provisioned = Capacity::Provisioned { read: 2, write: 1 };
        for (mode, units, expected) in [
            (Some(BillingMode::PayPerRequest), throughput(2, 1), Capacity::OnDemand),
            (Some(BillingMode::Provisioned), throughput(2, 1), provisioned),
            (None, throughput(2, 1), provisioned),
            (None, throughput(0, 0), Capacity::OnDemand),
        ] {
            let summary = mode.map(|mode| BillingModeSummary::builder().billing_mode(mode).build());
            let table = TableDescription::builder()
                .set_billing_mode_summary(summary)
                .provisioned_throughput(units)
                .build();
            assert_eq!(description(table).capacity, expected);
        }
    }

    #[test]
    fn copies_that_say_nothing_agree_in_a_while() {
        let replica = ReplicaDescription::builder().region_name("eu-west-2").build();
        let table = TableDescription::builder().replicas(replica);
        assert_eq!(description(table.clone().build()).consistency, Some(Consistency::Eventual));
        let strong = table.multi_region_consistency(MultiRegionConsistency::Strong).build();
        assert_eq!(description(strong).consistency, Some(Consistency::Strong));
        assert_eq!(description(TableDescription::builder().build()).consistency, None);
    }
}
