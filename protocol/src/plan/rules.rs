//! The rules around a step's work: where it runs, what it occupies, how often it is tried and when. None of them is part of the step key.

use crate::compute::Resources;
use crate::datastore::Datastore;
use crate::name::{ArtifactPath, Name, PortName};
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The rules around a step's work. None is part of the step key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRules {
    /// What people call it; may be empty.
    #[serde(default)]
    pub display_name: String,
    /// Where it runs.
    pub target: Name,
    /// What one attempt occupies.
    #[serde(default)]
    pub resources: Resources,
    /// Higher goes first; 0 is usual.
    #[serde(default)]
    pub priority: i32,
    /// Longest time from start to end of the process.
    #[serde(default)]
    pub timeout: Option<Millis>,
    /// When a failed attempt is followed by another.
    #[serde(default)]
    pub retry: RetryPolicy,
    /// Whether a committed result of equal work is taken over, and its own offered.
    #[serde(default = "yes")]
    pub cache: bool,
    /// On which outcome of the steps before it the step runs.
    #[serde(default)]
    pub when: When,
    /// Whether what an attempt saves is handed to the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointRule>,
    /// Under which names outputs become versions in the catalog when the step ends well.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub registers: BTreeMap<PortName, Registration>,
    /// The datastores in which addresses among its inputs lie, and how one gets in: whoever makes an attempt brings their files from there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Datastore>,
}

const fn yes() -> bool {
    true
}

/// How often what an attempt saves for the next one is taken to the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointRule {
    /// Pause between two looks at the folder, 1 s to 1 day.
    pub every: Millis,
    /// The folder, below the step's working folder; none means one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<ArtifactPath>,
}

/// Under which name an output becomes a version in the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The asset's name.
    pub name: Name,
    /// Its version; none means the next.
    #[serde(default)]
    pub version: Option<String>,
    /// A label that is to point at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What it means to its reader, in the words of pipeline files; by its shape when nobody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_type: Option<String>,
    /// Free text about the version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Tags of the version.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// On which outcome of the steps before it a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// All ended well.
    #[default]
    OnSuccess,
    /// At least one ended badly. The step is skipped when all ended well.
    OnFailure,
    /// All are terminal, however they ended: a finally step. It runs even when the run is being cancelled or stopped.
    Always,
}

/// How often and when a failed attempt is followed by another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts after the first, at most 100.
    pub retries_max: u32,
    /// Pause before the first of them.
    pub backoff: Millis,
    /// By how many hundredths each further pause grows: 200 doubles it.
    pub growth_percent: u32,
    /// The longest pause.
    pub backoff_max: Millis,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retries_max: 0,
            backoff: Millis(1_000),
            growth_percent: 200,
            backoff_max: Millis(300_000),
        }
    }
}

impl RetryPolicy {
    /// The pause before the attempt after `failures` failed ones (at least 1), lengthened by up to a tenth by `salt`, which the engine derives from
    /// the attempt's id: the same journal gives the same times.
    pub fn pause(&self, failures: u32, salt: u64) -> Millis {
        let mut pause = self.backoff.0.min(self.backoff_max.0);
        for _ in 1..failures.min(64) {
            pause = pause
                .saturating_mul(u64::from(self.growth_percent))
                .div_euclid(100)
                .min(self.backoff_max.0);
        }
        Millis(pause + (pause / 10).saturating_mul(salt % 1000) / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_below_their_limit() {
        let policy = RetryPolicy {
            retries_max: 9,
            ..RetryPolicy::default()
        };
        assert_eq!(policy.pause(1, 0), Millis(1_000));
        assert_eq!(policy.pause(3, 0), Millis(4_000));
        assert!(policy.pause(90, 999) <= Millis(330_000));
    }
}
