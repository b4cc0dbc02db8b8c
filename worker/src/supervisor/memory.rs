//! Memory limits by control groups, of either version, as far as this process may make them; and the kernel's counters that tell an out-of-memory kill from
//! any other SIGKILL.

use std::fs;
use std::path::{Path, PathBuf};

/// A control group of one attempt. Removed when dropped, by then empty.
#[derive(Debug)]
pub(super) struct MemoryGroup {
    folder: PathBuf,
    version: Version,
    notes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl MemoryGroup {
    /// Makes a group with this limit, or says why there is none.
    pub(super) fn make(key: &str, bytes: u64) -> Result<Self, String> {
        let (parent, version) = own_group().ok_or("this machine has no memory control group")?;
        let folder = parent.join(format!("tidemill-{key}"));
        let limit = match version {
            Version::One => "memory.limit_in_bytes",
            Version::Two => "memory.max",
        };
        fs::create_dir(&folder).map_err(|error| format!("cannot make a control group: {error}"))?;
        let mut group = Self {
            folder,
            version,
            notes: Vec::new(),
        };
        fs::write(group.folder.join(limit), bytes.to_string())
            .map_err(|error| format!("cannot set {limit}: {error}"))?;
        let number = if version == Version::One { 1 } else { 2 };
        group.notes.push(format!(
            "memory limit of {bytes} bytes in force by control group v{number}"
        ));
        Ok(group)
    }

    /// The file through which a process joins.
    pub(super) fn door(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// What to tell the attempt's owner.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The largest use so far.
    pub(super) fn peak_bytes(&self) -> Option<u64> {
        let name = match self.version {
            Version::One => "memory.max_usage_in_bytes",
            Version::Two => "memory.peak",
        };
        fs::read_to_string(self.folder.join(name))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// Whether the kernel has ended a process in it for want of memory.
    pub(super) fn has_killed(&self) -> bool {
        kills_in(&self.folder) > 0
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // Fails when a stray still lives in it; an empty group costs next to nothing.
        drop(fs::remove_dir(&self.folder));
    }
}

/// The group in which this process is and below which it may make others.
fn own_group() -> Option<(PathBuf, Version)> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path_of = |wanted: &str| {
        text.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let controllers = fields.next()?;
            let path = fields.next()?;
            let fits = controllers.split(',').any(|c| c == wanted);
            fits.then(|| path.trim_start_matches('/').to_owned())
        })
    };
    if let Some(path) = path_of("memory") {
        let folder = Path::new("/sys/fs/cgroup/memory").join(path);
        return folder.is_dir().then_some((folder, Version::One));
    }
    let folder = Path::new("/sys/fs/cgroup").join(path_of("")?);
    let controls = fs::read_to_string(folder.join("cgroup.subtree_control")).ok()?;
    let has_memory = controls.split_ascii_whitespace().any(|c| c == "memory");
    has_memory.then_some((folder, Version::Two))
}

fn kills_in(folder: &Path) -> u64 {
    ["memory.events", "memory.oom_control"]
        .iter()
        .filter_map(|name| fs::read_to_string(folder.join(name)).ok())
        .filter_map(|text| counter(&text, "oom_kill"))
        .sum()
}

fn counter(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (word, value) = line.split_once(' ')?;
        if word == name {
            value.trim().parse().ok()
        } else {
            None
        }
    })
}

/// How many processes the kernel has ended for want of memory since the machine started.
pub(super) fn kernel_kills() -> u64 {
    let text = fs::read_to_string("/proc/vmstat").unwrap_or_default();
    counter(&text, "oom_kill").unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_by_their_whole_name() {
        let text = "oom_kill_disable 1\nunder_oom 0\noom_kill 3\n";
        assert_eq!(counter(text, "oom_kill"), Some(3));
        assert_eq!(counter(text, "oom"), None);
    }
}
