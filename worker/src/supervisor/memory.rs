//! The kernel's counters that tell an out-of-memory kill from any other SIGKILL.

use std::fs;
use std::path::Path;

/// How many processes the kernel has ended for want of memory in a control group.
pub(super) fn kills_in(folder: &Path) -> u64 {
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
