//! What can be set: resolved values with their meaning. Where they come from (files, environment, arguments) is the command line's business.

use crate::audit::AuditLimits;
use crate::enrolment::EnrolmentRule;
use crate::journal::MemoryLog;
use crate::mailings::SmtpConfig;
use crate::openlineage::OpenLineageConfig;
use std::ffi::OsString;
use std::path::PathBuf;
use tidemill_protocol::destination::Destinations;
use tidemill_protocol::time::Millis;

/// Settings of one coordinator.
#[derive(Debug, Clone)]
pub struct CoordinatorConfig {
    /// The folder that holds `journal/` and `coordinator.key`. One coordinator per folder.
    pub state_dir: PathBuf,
    /// Where events are kept.
    pub journal: JournalChoice,
    /// Program and arguments of the child that opens the journal first (the folder is added). Empty: no probe, for tests.
    pub journal_probe: Vec<OsString>,
    /// How long a worker may be silent before its attempts are given to others. At least 1 s; many heartbeats should fit in.
    pub lease: Millis,
    /// How long a task may wait in a queue before workers refuse it; the coordinator publishes it again before that matters. At least 1 h.
    pub task_validity: Millis,
    /// How long a task may be unclaimed before the broker is asked whether it still has it. At least 100 ms.
    pub reconcile_after: Millis,
    /// Events between two snapshots of the engine, at least 1,000.
    pub snapshot_every: u64,
    /// Bytes that are kept free on the disk of the state folder: with fewer, no new runs are accepted, and the runs that are there go on. 0: none.
    pub disk_reserve: u64,
    /// What is shown as the broker's address, without credentials.
    pub broker_url: String,
    /// Whether and how the journal is copied to the object store. None: not at all; right for one machine, where both lie on one disk.
    pub archive: Option<ArchiveConfig>,
    /// How much of the audit log is kept.
    pub audit: AuditLimits,
    /// The file of the secret key, where it is not the one in the state folder: coordinators that stand in for each other have the same.
    pub signing_key: Option<PathBuf>,
    /// Whether a worker without a key of its own is believed.
    pub enrolment: EnrolmentRule,
    /// The file of the key that seals secrets, where it is not the one in the state folder: likewise.
    pub secrets_key: Option<PathBuf>,
    /// Whether it stays, so that schedules fire, and webhooks and mailings tell: not one that somebody only looks through, or that is there for one run.
    pub is_service: bool,
    /// Places beside the public internet that webhooks may be told at.
    pub webhook_allow: Destinations,
    /// Places beside the public internet where datastores may be that the coordinator asks: for a test, and for schedules that look for files.
    pub datastore_allow: Destinations,
    /// The mail server. None: mailings tell nobody.
    pub smtp: Option<SmtpConfig>,
    /// Where lineage events go. None: nowhere.
    pub openlineage: Option<OpenLineageConfig>,
}

/// How the journal is copied to the object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveConfig {
    /// Whether answers wait for the copy.
    pub mode: ArchiveMode,
    /// Where this coordinator's API is, for whoever finds its records.
    pub address: String,
}

/// Whether answers and effects wait for the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArchiveMode {
    /// They wait for the local disk only; the archive follows within seconds.
    Async,
    /// They wait for the archive, too: what was answered outlives the machine.
    Sync,
}

/// Where events are kept.
#[derive(Debug, Clone)]
pub enum JournalChoice {
    /// In the state folder.
    Disk,
    /// In memory: everything is forgotten with the process.
    Memory(MemoryLog),
}

/// A setting out of its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} must be {rule}")]
pub struct ConfigError {
    /// The field.
    pub setting: &'static str,
    /// Its bounds.
    pub rule: &'static str,
}

impl CoordinatorConfig {
    /// The defaults, with this state folder.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            state_dir: state_dir.into(),
            journal: JournalChoice::Disk,
            journal_probe: Vec::new(),
            lease: Millis::from_secs(60),
            task_validity: Millis::from_secs(30 * 24 * 3600),
            reconcile_after: Millis::from_secs(10),
            snapshot_every: 200_000,
            disk_reserve: 256 * 1024 * 1024,
            broker_url: "local".into(),
            archive: None,
            audit: AuditLimits::default(),
            signing_key: None,
            enrolment: EnrolmentRule::default(),
            secrets_key: None,
            is_service: true,
            webhook_allow: Destinations::default(),
            datastore_allow: Destinations::default(),
            smtp: None,
            openlineage: None,
        }
    }

    /// Refuses values out of their bounds.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let check = |good, setting, rule| {
            if good {
                Ok(())
            } else {
                Err(ConfigError { setting, rule })
            }
        };
        check(self.lease >= Millis(1_000), "lease", "at least 1 s")?;
        check(
            self.task_validity >= Millis::from_secs(3_600),
            "task_validity",
            "at least 1 h",
        )?;
        check(
            self.reconcile_after >= Millis(100),
            "reconcile_after",
            "at least 100 ms",
        )?;
        check(self.snapshot_every >= 1_000, "snapshot_every", "at least 1,000")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_bounds_are_held() {
        let config = CoordinatorConfig::new("/tmp/x");
        config.validate().unwrap();
        let short = CoordinatorConfig {
            lease: Millis(10),
            ..config
        };
        assert_eq!(short.validate().unwrap_err().setting, "lease");
    }
}
