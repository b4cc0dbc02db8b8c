//! The users of steps at a worker's start: whether steps can be users of their own here, which of them attempts of an earlier start have, and the state folder open to
//! them or closed. What an attempt does with its user is in [`crate::attempt`].

use crate::attempt::{AttemptRecord, Folder};
use crate::config::WorkerConfig;
use crate::error::StartError;
use crate::outbox::Settled;
use crate::users::{self, RunAs, Users};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

/// A folder that an earlier daemon left, with what is written in it.
pub(crate) type Left = (Option<AttemptRecord>, Folder);

/// Where secrets lie when their usual place is closed to the users of steps.
const SECRETS_PLACE: &str = "/run";

/// The users that steps are to be; none are given where none are wanted, or where `auto` finds none. Secrets are put where those users come to.
pub(crate) fn open_users(config: &mut WorkerConfig) -> Result<Users, StartError> {
    let is_root = rustix::process::geteuid().is_root();
    let mut secrets_place = None;
    let mut usable = || -> Result<Users, String> {
        let range = config.run_as.users(is_root, config.slots)?;
        if range.is_some() {
            users::check_way(&config.state_dir)?;
            if users::check_way(&config.secrets_dir).is_err() {
                secrets_place = Some(Path::new(SECRETS_PLACE));
            }
        }
        let opened = Users::open(range, &config.users_dir, &config.state_dir);
        opened.map_err(|error| format!("cannot use {}: {error}", config.users_dir.display()))
    };
    match usable() {
        Ok(users) => {
            if let Some(place) = secrets_place {
                config.keep_secrets_in(place);
            }
            Ok(users)
        }
        Err(why) if config.run_as == RunAs::Auto => {
            if is_root {
                tracing::warn!(why, "steps run as root: they cannot be users of their own");
            }
            Users::open(None, &config.users_dir, &config.state_dir)
                .map_err(StartError::state(&config.users_dir))
        }
        Err(why) => Err(StartError::Config(format!("steps as users of their own: {why}"))),
    }
}

/// Keeps the users of attempts that go on, frees those of attempts that are over, and opens the state folder to steps or closes it. Blocks.
pub(crate) fn keep_users(
    users: &Users,
    state_dir: &Path,
    left: &[Left],
    settled: &Settled,
) -> io::Result<()> {
    let records = left.iter().filter_map(|(record, _)| record.as_ref());
    let goes_on = |r: &&AttemptRecord| !settled.contains(&(r.task.attempt, r.task.token));
    let live: BTreeSet<u32> = records.filter(goes_on).filter_map(|record| record.user).collect();
    for user in users.keep(&live)? {
        if users::end_all(user) {
            users.give_back(user);
        }
    }
    if users.are_given() || !live.is_empty() {
        users::open(state_dir)
    } else {
        users::close(state_dir)
    }
}
