//! The worker with real processes, a real supervisor process, the in-process bus and a local store. [`bench`] plays the coordinator.
//!
//! The supervisor is this test binary itself: [`supervisor_role`] is a test that does nothing unless it is started as one.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops where it stands"
)]

mod adoption;
mod bench;
mod checkpoints;
mod claims;
mod endings;
mod environments;
mod messages;
mod outages;
mod processes;
mod secrets;
mod staging;
mod users;

/// The variable that tells this binary which supervisor it is to be.
const SUPERVISOR_DIR: &str = "TIDEMILL_TEST_SUPERVISOR_DIR";
/// The variable that tells this binary to be a daemon that will be killed.
const DAEMON_DIR: &str = "TIDEMILL_TEST_DAEMON_DIR";

fn role(variable: &str) -> Option<std::path::PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the only way to tell a test binary who it is"
    )]
    let value = std::env::var_os(variable);
    value.map(Into::into)
}

/// What a trial has left beside the worker's folder, or the defaults.
fn limits(dir: &std::path::Path) -> tidemill_worker::StepLimits {
    let file = dir.join("../../processes");
    let mut limits = tidemill_worker::StepLimits::default();
    if let Ok(text) = std::fs::read_to_string(file) {
        limits.processes = text.parse().unwrap();
    }
    limits
}

#[test]
fn supervisor_role() {
    if let Some(dir) = role(SUPERVISOR_DIR) {
        let nothing = tidemill_worker::Reach::default();
        let limits = limits(&dir);
        tidemill_worker::supervise(&dir, tidemill_worker::Sandbox::Off, &nothing, limits).unwrap();
    }
}

#[test]
fn daemon_role() {
    if let Some(dir) = role(DAEMON_DIR) {
        adoption::be_a_daemon(&dir);
    }
}
