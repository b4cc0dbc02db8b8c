//! Finds and ends processes by what they carry. A worker's supervisor outlives its daemon by design, so a test that ends must look for it.

use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Pids of the processes, other than our own, whose command line or environment names `folder`.
pub(crate) fn that_name(folder: &Path) -> Vec<u32> {
    let needle = folder.as_os_str().as_bytes();
    let names_it = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| *pid != std::process::id())
        .filter(|pid| {
            ["cmdline", "environ"].iter().any(|file| {
                let bytes = fs::read(format!("/proc/{pid}/{file}"));
                bytes.is_ok_and(|bytes| names_it(&bytes))
            })
        })
        .collect()
}

/// Pids of the processes, other than our own, one of whose arguments is `path`.
pub(crate) fn with_argument(path: &Path) -> Vec<u32> {
    let wanted = path.as_os_str().as_bytes();
    let mut pids = that_name(path);
    pids.retain(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|argument| argument == wanted)
    });
    pids
}

/// What the kernel tells of a process in one line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    /// `Z` when it has ended, `T` when it is held.
    pub(crate) state: char,
    /// Its parent.
    pub(crate) parent: u32,
    /// When it started, in ticks since the boot: with its number, who it is.
    pub(crate) start: u64,
}

/// All processes of this machine, by pid.
pub(crate) fn lines() -> BTreeMap<u32, Line> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, line(pid)?))).collect()
}

fn line(pid: u32) -> Option<Line> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold anything.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let (state, parent) = (fields.next()?.chars().next()?, fields.next()?.parse().ok()?);
    let start = fields.nth(17)?.parse().ok()?;
    Some(Line { state, parent, start })
}

/// Sends a signal; a process that is gone already is none of our business.
pub(crate) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        kill_process(pid, signal).ok();
    }
}

/// The most memory that a running process ever had resident, in bytes.
///
/// # Panics
/// When there is no such process.
pub(crate) fn peak_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.expect("the kernel tells the peak") * 1024
}

/// The memory that a process has resident now, in bytes; none when it is gone.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// How many files a process has open; none when it is gone.
pub(crate) fn open_files(pid: u32) -> Option<usize> {
    Some(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count())
}

/// Whether a process is there and is not held by a signal.
pub(crate) fn is_on(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = status
        .rsplit_once(") ")
        .map(|(_, rest)| rest.starts_with(['T', 'Z', 'X']));
    state == Some(false)
}
