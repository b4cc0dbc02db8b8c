//! How the daemons of a cluster are: how soon the coordinator says that it lives, and what each of them takes.

use super::{Roll, Vitals};
use crate::asking::{Asked, ask};
use crate::processes;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Disks are measured with every so manieth look.
const DISKS_EVERY: u32 = 20;
/// Bytes of a block, as the kernel counts them.
const BLOCK: u64 = 512;

/// Somebody who looks, and what they saw.
#[derive(Debug)]
pub(super) struct Pulse {
    pub(super) seen: Vitals,
    roll: Roll,
    machine: Metronome,
    looks: u32,
}

impl Pulse {
    pub(super) fn of(roll: Roll) -> Self {
        Self {
            seen: Vitals::default(),
            roll,
            machine: Metronome::start(),
            looks: 0,
        }
    }

    pub(super) fn look(&mut self) {
        self.bodies();
        if self.looks.is_multiple_of(DISKS_EVERY) {
            self.disks();
        }
        self.looks += 1;
        let (coordinator, is_starved) = {
            let census = self.roll.census();
            (census.coordinator, census.is_starved)
        };
        let Some((port, pid)) = coordinator.filter(|_| !is_starved) else {
            return;
        };
        let mut runs = true;
        let (begun, late) = (Instant::now(), self.machine.late());
        let asked = ask(port, "GET", "/healthz", None, PATIENCE, || {
            runs &= processes::is_on(pid);
            runs
        });
        let late = self.machine.late().saturating_sub(late);
        let took = begun.elapsed().saturating_sub(late);
        let is_asked = runs && processes::is_on(pid) && !self.roll.census().is_starved;
        if is_asked && asked != Asked::Nobody {
            self.seen.answers.push(took);
        }
    }

    fn bodies(&mut self) {
        let daemons = self.roll.census().daemons.clone();
        for pid in daemons {
            let seen = processes::resident_bytes(pid).zip(processes::open_files(pid));
            let Some((bytes, files)) = seen else {
                self.roll.census().daemons.remove(&pid);
                continue;
            };
            self.seen.peak_bytes = self.seen.peak_bytes.max(bytes);
            self.seen.open_files = self.seen.open_files.max(files);
        }
    }

    fn disks(&mut self) {
        let (folder, names) = {
            let census = self.roll.census();
            (census.folder.clone(), census.names.clone())
        };
        for name in names {
            let log = fs::metadata(folder.join(format!("{name}.log")));
            let log = log.map_or(0, |log| log.blocks() * BLOCK);
            self.seen.disk_bytes = self.seen.disk_bytes.max(log + bytes_below(&folder.join(name)));
        }
    }
}

/// What a folder takes on its disk. What comes and goes meanwhile is counted or not.
fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| {
        let Ok(found) = entry.metadata() else {
            return 0;
        };
        let below = if found.is_dir() {
            bytes_below(&entry.path())
        } else {
            0
        };
        found.blocks() * BLOCK + below
    });
    sizes.sum()
}

/// Wants nothing but to be woken often, and counts how much later than it wanted it was: so late is the machine itself, to everybody.
#[derive(Debug)]
struct Metronome {
    late_ns: Arc<AtomicU64>,
    _stop: Sender<()>,
}

impl Metronome {
    const BEAT: Duration = Duration::from_millis(20);

    fn start() -> Self {
        let late_ns = Arc::new(AtomicU64::new(0));
        let (stop, stopped) = channel::<()>();
        let count = Arc::clone(&late_ns);
        thread::spawn(move || {
            let mut begun = Instant::now();
            while stopped.recv_timeout(Self::BEAT) == Err(RecvTimeoutError::Timeout) {
                let late = begun.elapsed().saturating_sub(Self::BEAT).as_nanos();
                count.fetch_add(u64::try_from(late).unwrap_or(u64::MAX), Ordering::Relaxed);
                begun = Instant::now();
            }
        });
        Self { late_ns, _stop: stop }
    }

    fn late(&self) -> Duration {
        Duration::from_nanos(self.late_ns.load(Ordering::Relaxed))
    }
}
