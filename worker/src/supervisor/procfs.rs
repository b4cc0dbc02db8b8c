//! What `/proc` tells about processes: who they are, whose children, what is in their environment, how much memory they hold. Reading only.

use rustix::process::Pid;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs;

/// Most processes of one attempt whose memory is added up.
const TREE_MAX: usize = 256;
/// Most processes of one attempt that are looked for below those that it was started with.
const KIN_MAX: usize = 4096;

/// Which process, beyond any doubt: pids are used again, start times in one boot are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// Its number.
    pub pid: i32,
    /// When it started, in clock ticks since the boot.
    pub start_time: u64,
    /// Which boot.
    pub boot_id: String,
}

impl Identity {
    /// The identity of a live process (or zombie).
    pub(super) fn of(pid: Pid, boot_id: &str) -> Option<Self> {
        let pid = pid.as_raw_nonzero().get();
        Some(Self {
            pid,
            start_time: start_time(pid)?,
            boot_id: boot_id.to_owned(),
        })
    }

    /// The process, if it is still the same one.
    pub(super) fn verify(&self) -> Option<Pid> {
        let same = self.boot_id == boot_id() && start_time(self.pid) == Some(self.start_time);
        if same { Pid::from_raw(self.pid) } else { None }
    }
}

/// The name of this boot of the machine.
pub(super) fn boot_id() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

/// When a process started, in clock ticks since the boot.
pub(super) fn started(pid: Pid) -> Option<u64> {
    start_time(pid.as_raw_nonzero().get())
}

fn start_time(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold anything, so count from the last one.
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// All processes in whose environment this variable has this value, this one excepted.
pub(super) fn carriers(variable: &str, value: &str) -> Vec<Pid> {
    let own = rustix::process::getpid();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter(|pid| *pid != own && variable_of(*pid, variable).as_deref() == Some(value))
        .collect()
}

/// The value of a variable in a process's environment, as it was when its program started.
pub(super) fn variable_of(pid: Pid, name: &str) -> Option<String> {
    let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).ok()?;
    environment.split(|b| *b == 0).find_map(|variable| {
        let value = variable.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        String::from_utf8(value.to_vec()).ok()
    })
}

/// Children of this process's first thread: the orphans that it has adopted, because steps are started by other threads.
pub(super) fn adopted() -> Vec<Pid> {
    let own = rustix::process::getpid().as_raw_nonzero();
    children(own.get())
}

fn children(pid: i32) -> Vec<Pid> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_ascii_whitespace()
        .filter_map(|word| Pid::from_raw(word.parse().ok()?))
        .collect()
}

/// Adds the descendants of these processes that are not among them yet, each with its start time.
pub(super) fn add_descendants(of: &[Pid], known: &mut HashMap<Pid, u64>) {
    let mut waiting: Vec<Pid> = of.iter().chain(known.keys()).copied().collect();
    while let Some(pid) = waiting.pop() {
        for child in children(pid.as_raw_nonzero().get()) {
            if known.len() < KIN_MAX
                && !known.contains_key(&child)
                && let Some(at) = started(child)
            {
                known.insert(child, at);
                waiting.push(child);
            }
        }
    }
}

/// Resident memory of a process and its descendants, in bytes; none when it is gone.
pub(super) fn resident_bytes(root: Pid) -> Option<u64> {
    let mut total = None;
    let mut waiting = vec![root];
    let mut seen = 0;
    while let Some(pid) = waiting.pop() {
        seen += 1;
        if seen > TREE_MAX {
            break;
        }
        let pid = pid.as_raw_nonzero().get();
        if let Some(bytes) = resident_of(pid) {
            total = Some(total.unwrap_or(0) + bytes);
            waiting.extend(children(pid));
        }
    }
    total
}

fn resident_of(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    (pages > 0).then(|| pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_recognised_and_a_stranger_with_its_number_is_not() {
        let own = Identity::of(rustix::process::getpid(), &boot_id()).unwrap();
        assert!(own.verify().is_some());
        let stranger = Identity {
            start_time: own.start_time + 1,
            ..own.clone()
        };
        assert!(stranger.verify().is_none());
        let other_boot = Identity {
            boot_id: "other".into(),
            ..own
        };
        assert!(other_boot.verify().is_none());
    }

    #[test]
    fn own_memory_is_more_than_nothing() {
        assert!(resident_bytes(rustix::process::getpid()).unwrap() > 100_000);
    }

    #[test]
    fn nobody_carries_a_variable_that_was_never_given() {
        assert!(carriers("TIDEMILL_NEVER", "given").is_empty());
    }
}
