//! Watches the daemons of a cluster while it is mistreated. How soon the coordinator says that it lives, how much memory and disk daemons take and how many
//! files they hold open, is looked at in `pulse`; which processes live on when they should not, in `kin`; how many messages wait is asked of the broker. What is too much is
//! the checker's business.

mod kin;
mod pulse;

use crate::BrokerAccess;
use crate::depths::Depths;
use kin::Kin;
use pulse::Pulse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Pause between two looks.
const EVERY: Duration = Duration::from_millis(250);

/// Who is there at present. A cluster keeps it current.
#[derive(Debug, Default)]
pub(crate) struct Census {
    /// The folder in which everything of the cluster lies.
    pub(crate) folder: PathBuf,
    /// The coordinator's port and process.
    pub(crate) coordinator: Option<(u16, u32)>,
    /// The last daemon of each worker.
    pub(crate) workers: BTreeMap<String, u32>,
    /// Every daemon.
    pub(crate) daemons: BTreeSet<u32>,
    /// The names of all daemons that there were: of their folders, and of their logs.
    pub(crate) names: BTreeSet<String>,
    /// What is shown to the coordinator by whoever asks it.
    pub(crate) token: Option<String>,
    /// The trial takes away just now what the coordinator would answer with.
    pub(crate) is_starved: bool,
}

/// The census of one cluster.
#[derive(Debug, Clone, Default)]
pub(crate) struct Roll(Arc<Mutex<Census>>);

impl Roll {
    pub(crate) fn census(&self) -> MutexGuard<'_, Census> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct Vitals {
    /// How long each question for a sign of life took, less what the machine itself was late meanwhile. Left out are those to a coordinator that was not there,
    /// was held, or was kept from answering by the trial itself, before the answer came.
    pub answers: Vec<Duration>,
    /// The most memory that one daemon or supervisor had resident, in bytes.
    pub peak_bytes: u64,
    /// The most files that one of them had open.
    pub open_files: usize,
    /// The most that one daemon kept on its disk, its log included, in bytes.
    pub disk_bytes: u64,
    /// The most messages that waited in one queue.
    pub queued: u64,
    /// Who was there after their time, and for how long at most; also those who were so within bounds.
    pub overdue: Vec<Overdue>,
    /// Processes of attempts, by whatever name, that were there when the watch ended.
    pub there_still: Vec<String>,
}

/// A process that was there after the end of its attempt, after its worker was told to stop it, or after its own end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// Which, and after what.
    pub what: String,
    /// How much later it was last seen.
    pub after: Duration,
}

/// Somebody who watches, until they are asked what they saw.
#[derive(Debug)]
pub struct Observer {
    stops: Vec<Sender<()>>,
    pulse: JoinHandle<Pulse>,
    kin: JoinHandle<Kin>,
    depths: JoinHandle<Depths>,
}

impl Observer {
    pub(crate) fn start(roll: &Roll, broker: &BrokerAccess, prefix: &str) -> Self {
        let mut stops = Vec::new();
        let pulse = watch(&mut stops, Pulse::of(roll.clone()), EVERY, Pulse::look);
        let kin = watch(&mut stops, Kin::of(roll.clone()), EVERY, Kin::look);
        let depths = Depths::of(&broker.url, prefix);
        let depths = watch(&mut stops, depths, 4 * EVERY, Depths::look);
        Self {
            stops,
            pulse,
            kin,
            depths,
        }
    }

    /// Ends the watch.
    ///
    /// # Panics
    /// When the watch itself failed.
    pub fn finish(self) -> Vitals {
        drop(self.stops);
        let mut vitals = self.pulse.join().expect("watching cannot fail").seen;
        vitals.queued = self.depths.join().expect("watching cannot fail").deepest;
        let kin = self.kin.join().expect("watching cannot fail");
        vitals.there_still = kin.there_still();
        vitals.overdue = kin.overdue();
        vitals
    }
}

/// Looks again and again, until all of `stops` are dropped.
fn watch<T: Send + 'static>(
    stops: &mut Vec<Sender<()>>,
    mut watcher: T,
    every: Duration,
    look: fn(&mut T),
) -> JoinHandle<T> {
    let (stop, stopped): (Sender<()>, Receiver<()>) = channel();
    stops.push(stop);
    thread::spawn(move || {
        while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
            look(&mut watcher);
        }
        watcher
    })
}
