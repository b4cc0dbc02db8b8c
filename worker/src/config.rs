//! What a worker is told: resolved values, each documented. Where they come from (arguments, files, the environment) is the cli's business.

use crate::error::StartError;
use crate::secrets::{default_dir, dir_in};
use crate::users::{RunAs, USERS_DIR};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidemill_protocol::compute::ComputeTarget;
use tidemill_protocol::destination::Destinations;
use tidemill_protocol::ids::WorkerId;

/// Most slots that one worker may have.
pub const SLOTS_MAX: u32 = 1024;

/// The shortest and the longest [`WorkerConfig::upload_deadline`]. The longest is below the seven days after which a sweep of the store usually takes what nothing names
/// yet, as the first of many outputs that wait.
pub const UPLOAD_DEADLINES: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(6 * 24);
/// How long the building of an environment may be allowed to take.
const BUILD_TIMES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);

const GIB: u64 = 1024 * 1024 * 1024;

/// A worker's configuration. [`Self::new`] gives every field but three its default.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// The worker's name. None means the one kept in the state folder, minted from the host's name at the first start.
    pub id: Option<WorkerId>,
    /// What the worker's name begins with, because the broker lets only workers named so hear the coordinator. Default: nothing.
    pub name_prefix: String,
    /// The compute targets it serves, at least one, no name twice.
    pub targets: Vec<ComputeTarget>,
    /// How many attempts it makes at once, 1 to [`SLOTS_MAX`]. Default: one for each processor core.
    pub slots: u32,
    /// Where it keeps its name, attempts, built environments, cache and unacknowledged reports. Created when missing (0700). One daemon at a time may use it.
    pub state_dir: PathBuf,
    /// The most bytes that the cache of inputs may occupy. Default: 10 GiB.
    pub cache_bytes_max: u64,
    /// Where inputs that are named by an address may be fetched from beside the public internet. Default: nowhere. A file may be as large as the cache.
    pub fetch_allow: Destinations,
    /// Where datastores may be that inputs are brought from, beside the public internet. Default: nowhere.
    pub datastore_allow: Destinations,
    /// Bytes that are kept free on the disk of the state folder: with fewer, no new task is taken. 0: none. Default: 256 MiB.
    pub disk_reserve: u64,
    /// The most bytes of each output stream that are kept; what lies between the first and the last half is dropped. Default: 64 MiB.
    pub log_bytes_max: u64,
    /// The argument vector that starts the supervisor process, which must call [`crate::supervise`] with `state_dir/supervisor`.
    pub supervisor: Vec<OsString>,
    /// Pause between signs of life. Default: 3 s.
    pub heartbeat_every: Duration,
    /// Pause between SIGTERM and SIGKILL when an attempt is stopped. Default: 10 s.
    pub stop_grace: Duration,
    /// A file whose appearance says that this machine is about to be taken away: what runs is stopped and made elsewhere. Looked for every second. Default:
    /// none.
    pub preemption_notice: Option<PathBuf>,
    /// How long the coordinator may leave a published report unacknowledged before it is sent again. Default: 30 s.
    pub report_again_after: Duration,
    /// How long the outputs of a step that ended well wait for a store that does not take them, before the attempt counts as failed and the step is made again. It counts
    /// on while the daemon is restarted. Within [`UPLOAD_DEADLINES`]; default: 24 h.
    pub upload_deadline: Duration,
    /// Environment variables that every step gets unless its author sets them: `PATH`, `HOME`, `LANG`, and what the operator adds. Nothing of the
    /// daemon's own environment is inherited.
    pub base_environment: BTreeMap<String, String>,
    /// The GPU devices that the daemon itself may use, as `CUDA_VISIBLE_DEVICES` names them: by number in the order of the PCI bus, or by the beginning of their
    /// UUID. Default: all.
    pub gpus_visible: Option<String>,
    /// How many built environments are kept besides those in use; the longest unused go first. Default: 20.
    pub environments_max: usize,
    /// After how long without use a built environment is removed. Default: 30 days.
    pub environment_unused_max: Duration,
    /// How long the building of an environment may take, 1 s to 1 day; then it is ended, and the attempts that wait for it fail. Default: 1 h.
    pub environment_build_max: Duration,
    /// Where the secrets of steps lie while they run: a folder of this worker's own, in memory where the system has such a place. Default: below
    /// `/run/user/UID`, or `/run` for root, where that is in memory; else `state_dir/secrets`.
    pub secrets_dir: PathBuf,
    /// Where steps log to: the address of the coordinator's API as their processes reach it. Default: none, and steps are told nothing.
    pub tracking_url: Option<String>,
    /// A file of certificates that vouch for that API where it speaks TLS; each step that logs is given a copy. Default: none, and steps trust whom their system trusts.
    pub tracking_ca: Option<PathBuf>,
    /// How long a step waits for its secrets while the coordinator does not answer, before it is made elsewhere. Default: 2 min.
    pub secrets_patience: Duration,
    /// As whom steps run. Default: as the worker's own user.
    pub run_as: RunAs,
    /// Where the users that attempts have are noted, for all workers of this machine; made where it is needed. Default: [`USERS_DIR`].
    pub users_dir: PathBuf,
}

impl WorkerConfig {
    /// A configuration with defaults.
    pub fn new(targets: Vec<ComputeTarget>, state_dir: PathBuf, supervisor: Vec<OsString>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let base = [
            (
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ),
            ("HOME", "/"),
            ("LANG", "C.UTF-8"),
        ];
        let secrets_dir = default_dir(&state_dir);
        Self {
            id: None,
            name_prefix: String::new(),
            targets,
            slots: u32::try_from(cores).unwrap_or(SLOTS_MAX).clamp(1, SLOTS_MAX),
            state_dir,
            cache_bytes_max: 10 * GIB,
            fetch_allow: Destinations::default(),
            datastore_allow: Destinations::default(),
            disk_reserve: 256 * 1024 * 1024,
            log_bytes_max: 64 * 1024 * 1024,
            supervisor,
            heartbeat_every: Duration::from_secs(3),
            stop_grace: Duration::from_secs(10),
            preemption_notice: None,
            report_again_after: Duration::from_secs(30),
            upload_deadline: Duration::from_hours(24),
            base_environment: base.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            gpus_visible: None,
            environments_max: 20,
            environment_unused_max: Duration::from_hours(30 * 24),
            environment_build_max: Duration::from_hours(1),
            secrets_dir,
            tracking_url: None,
            tracking_ca: None,
            secrets_patience: Duration::from_mins(2),
            run_as: RunAs::default(),
            users_dir: USERS_DIR.into(),
        }
    }

    /// Lets the secrets of steps lie in a folder of its own below this one, which others may share.
    pub fn keep_secrets_in(&mut self, place: &Path) {
        self.secrets_dir = dir_in(place, &self.state_dir);
    }

    /// The folder in which the supervisor runs.
    pub fn supervisor_dir(&self) -> PathBuf {
        self.state_dir.join("supervisor")
    }

    /// Refuses values that cannot work.
    pub fn validate(&self) -> Result<(), StartError> {
        let refuse = |text: &str| Err(StartError::Config(text.to_owned()));
        if self.targets.is_empty() {
            return refuse("a worker serves at least one compute target");
        }
        let names: std::collections::BTreeSet<_> = self.targets.iter().map(|t| &t.name).collect();
        if names.len() != self.targets.len() {
            return refuse("a compute target is listed twice");
        }
        if !(1..=SLOTS_MAX).contains(&self.slots) {
            return refuse("a worker has 1 to 1024 slots");
        }
        if self.state_dir.to_str().is_none() || !self.state_dir.is_absolute() {
            return refuse(
                "the state folder must be an absolute path in UTF-8, because it is passed to steps in variables",
            );
        }
        if self.supervisor.is_empty() {
            return refuse("the supervisor needs an argument vector");
        }
        if self.heartbeat_every.is_zero() || self.report_again_after.is_zero() {
            return refuse("pauses must be longer than zero");
        }
        if !UPLOAD_DEADLINES.contains(&self.upload_deadline) {
            return refuse("outputs wait for the store between a minute and six days");
        }
        if !BUILD_TIMES.contains(&self.environment_build_max) {
            return refuse("the building of an environment may take 1 s to 1 day");
        }
        if self.log_bytes_max < 64 * 1024 {
            return refuse("at least 64 KiB of each output stream are kept");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(name: &str) -> ComputeTarget {
        ComputeTarget {
            name: name.parse().unwrap(),
            compute_type: "cpu".parse().unwrap(),
        }
    }

    #[test]
    fn the_defaults_are_valid() {
        let config = WorkerConfig::new(vec![target("cpu")], "/tmp/x".into(), vec!["a".into()]);
        config.validate().unwrap();
    }

    #[test]
    fn values_that_cannot_work_are_refused() {
        let good = WorkerConfig::new(vec![target("cpu")], "/tmp/x".into(), vec!["a".into()]);
        let bad = [
            WorkerConfig {
                targets: vec![],
                ..good.clone()
            },
            WorkerConfig {
                targets: vec![target("a"), target("a")],
                ..good.clone()
            },
            WorkerConfig {
                slots: 0,
                ..good.clone()
            },
            WorkerConfig {
                state_dir: "relative".into(),
                ..good.clone()
            },
            WorkerConfig {
                supervisor: vec![],
                ..good.clone()
            },
            WorkerConfig {
                environment_build_max: Duration::ZERO,
                ..good.clone()
            },
            WorkerConfig {
                heartbeat_every: Duration::ZERO,
                ..good.clone()
            },
            WorkerConfig {
                upload_deadline: Duration::from_hours(7 * 24),
                ..good
            },
        ];
        for config in bad {
            assert!(config.validate().is_err(), "{config:?}");
        }
    }
}
