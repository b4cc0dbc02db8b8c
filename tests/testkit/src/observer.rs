//! Watches the daemons of a cluster while it is mistreated: how soon the coordinator says that it lives, how much memory they take, how many files they
//! hold open. What is too much is the checker's business.

use crate::asking::{Asked, ask};
use crate::processes;
use std::collections::BTreeSet;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Pause between two looks.
const EVERY: Duration = Duration::from_millis(250);
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who is there at present. A cluster keeps it current.
#[derive(Debug, Default)]
pub(crate) struct Census {
    /// The coordinator's port and process.
    pub(crate) coordinator: Option<(u16, u32)>,
    /// Every daemon.
    pub(crate) daemons: BTreeSet<u32>,
}

/// The census of one cluster.
pub(crate) type Roll = Arc<Mutex<Census>>;

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct Vitals {
    /// How long each question for a sign of life took. Left out are those to a coordinator that was not there, or was held, before the answer came.
    pub answers: Vec<Duration>,
    /// The most memory that one daemon ever had resident, in bytes.
    pub peak_bytes: u64,
    /// The most files that one daemon had open.
    pub open_files: usize,
}

/// Somebody who watches, until they are asked what they saw.
#[derive(Debug)]
pub struct Observer {
    stop: Sender<()>,
    watching: JoinHandle<Vitals>,
}

impl Observer {
    pub(crate) fn start(roll: Roll) -> Self {
        let (stop, stopped) = channel();
        let watching = thread::spawn(move || {
            let mut vitals = Vitals::default();
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                look(&roll, &mut vitals);
            }
            vitals
        });
        Self { stop, watching }
    }

    /// Ends the watch.
    ///
    /// # Panics
    /// When the watch itself failed.
    pub fn finish(self) -> Vitals {
        drop(self.stop);
        self.watching.join().expect("watching cannot fail")
    }
}

fn look(roll: &Roll, vitals: &mut Vitals) {
    let census = || roll.lock().unwrap_or_else(PoisonError::into_inner);
    let daemons = census().daemons.clone();
    for pid in daemons {
        let seen = processes::resident_bytes(pid).zip(processes::open_files(pid));
        let Some((bytes, files)) = seen else {
            census().daemons.remove(&pid);
            continue;
        };
        vitals.peak_bytes = vitals.peak_bytes.max(bytes);
        vitals.open_files = vitals.open_files.max(files);
    }
    let Some((port, pid)) = census().coordinator else {
        return;
    };
    let mut runs = true;
    let begun = Instant::now();
    let asked = ask(port, "GET", "/healthz", None, PATIENCE, || {
        runs &= processes::is_on(pid);
        runs
    });
    let took = begun.elapsed();
    if runs && processes::is_on(pid) && asked != Asked::Nobody {
        vitals.answers.push(took);
    }
}
