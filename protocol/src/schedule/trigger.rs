//! When a schedule fires: at the moments of a cron expression, or again and again after a length of the calendar, or when something
//! happened. A new kind is a new variant.

use crate::catalog::AssetKind;
use crate::name::Name;
use crate::status::RunStatus;
use crate::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

/// When a schedule fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// At the moments that an expression of five fields names.
    Cron(Cron),
    /// Every so many minutes, hours, days, weeks or months.
    Recurrence(Recurrence),
    /// At each new version of an asset.
    NewVersion(NewVersion),
    /// At each end of a run.
    RunEnded(RunEnded),
    /// When files in a datastore have changed.
    FilesChanged(FilesChanged),
}

/// Files in a datastore that are not what they were at the look before. All that were added or changed since then are one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FilesChanged {
    /// The datastore, one that the coordinator knows and that can be listed.
    pub datastore: Name,
    /// The path below its root, with everything below it; the whole datastore when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The time between two looks: 1 second to 1 day.
    #[serde(default = "five_minutes")]
    pub every: Millis,
}

impl FilesChanged {
    /// The time between two looks when nobody says so.
    pub const EVERY_DEFAULT: Millis = Millis::from_secs(300);

    /// Reads `azureml://datastores/NAME/paths/PATH`; none when it is no such address.
    pub fn of(address: &str, every: Millis) -> Option<Self> {
        let (_, rest) = address.strip_prefix("azureml://")?.split_once("datastores/")?;
        let (store, path) = rest.split_once("/paths/").unwrap_or((rest, ""));
        Some(Self {
            datastore: store.trim_end_matches('/').parse().ok()?,
            path: path.trim_matches('/').to_owned(),
            every,
        })
    }

    /// The address of what is watched.
    pub fn address(&self) -> String {
        format!("azureml://datastores/{}/paths/{}", self.datastore, self.path)
    }
}

/// Each new version of an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVersion {
    /// What it is.
    #[serde(default = "data")]
    pub kind: AssetKind,
    /// Its name; it need not be there yet.
    pub name: Name,
}

/// Each end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunEnded {
    /// Of this pipeline: its own name, or that under which it is published. Not the one that the schedule starts.
    pub pipeline: Name,
    /// Ended how; well when absent.
    #[serde(default = "well", skip_serializing_if = "is_well")]
    pub outcomes: Vec<RunStatus>,
}

/// The moments that an expression names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cron {
    /// Minute, hour, day of the month, month, day of the week.
    pub expression: String,
    /// By whose clocks: an IANA name such as `Europe/Berlin`, or a Windows name such as `W. Europe Standard Time`.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// Not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Timestamp>,
    /// Not after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_at: Option<Timestamp>,
}

/// Again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Recurrence {
    /// The length of the calendar.
    pub frequency: Frequency,
    /// How many of them lie between two firings; at least 1, at most 9,999.
    #[serde(default = "one")]
    pub interval: u32,
    /// Of days, weeks and months: at these hours, 0 to 23; at the hour of the start when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<u8>,
    /// At these minutes of each of those hours, 0 to 59; at the full hour when only hours are given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub minutes: Vec<u8>,
    /// Of weeks: on these days; on that of the start when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub week_days: Vec<WeekDay>,
    /// Of months: on these days, 1 to 31; on that of the start when absent. A month without such a day has no firing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub month_days: Vec<u8>,
    /// By whose clocks: an IANA name such as `Europe/Berlin`, or a Windows name such as `W. Europe Standard Time`.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// From when it is counted; the moment at which the schedule is made when absent, and then it fires at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Timestamp>,
    /// Not after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_at: Option<Timestamp>,
}

impl Recurrence {
    /// Again after each `interval` of these, by the clocks of this zone, at no moments in particular.
    pub const fn every(interval: u32, frequency: Frequency, time_zone: String) -> Self {
        Self {
            frequency,
            interval,
            hours: Vec::new(),
            minutes: Vec::new(),
            week_days: Vec::new(),
            month_days: Vec::new(),
            time_zone,
            start_at: None,
            end_at: None,
        }
    }
}

/// A length of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Frequency {
    /// 60 seconds, whatever the clocks do.
    Minute,
    /// 60 minutes, whatever the clocks do.
    Hour,
    /// From one day to the next, by the clocks.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the first to the first.
    Month,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "everybody knows them")]
pub enum WeekDay {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

const fn five_minutes() -> Millis {
    FilesChanged::EVERY_DEFAULT
}

const fn data() -> AssetKind {
    AssetKind::Data
}

fn well() -> Vec<RunStatus> {
    vec![RunStatus::Succeeded]
}

fn is_well(outcomes: &[RunStatus]) -> bool {
    outcomes == [RunStatus::Succeeded]
}

fn utc() -> String {
    "UTC".to_owned()
}

const fn one() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_is_watched_and_is_written_as_it_was_read() {
        for (address, path) in [
            ("azureml://datastores/lake/paths/in/2024/", "in/2024"),
            ("azureml://datastores/lake", ""),
            (
                "azureml://subscriptions/s/workspaces/w/datastores/lake/paths/x",
                "x",
            ),
        ] {
            let watched = FilesChanged::of(address, Millis(1)).unwrap();
            assert_eq!(
                (watched.datastore.as_str(), watched.path.as_str()),
                ("lake", path)
            );
            assert_eq!(FilesChanged::of(&watched.address(), Millis(1)), Some(watched));
        }
        for other in ["lake", "s3://lake/in", "azureml:lake:1", "azureml://datastores/"] {
            assert_eq!(FilesChanged::of(other, Millis(1)), None, "{other}");
        }
    }
}
