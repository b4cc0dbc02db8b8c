//! The processes of a step's user: found in `/proc`, and ended when the attempt is over, whatever they did to leave its process group or control group.

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

/// How long they may take to be gone; one that is stuck in the kernel for longer is left.
const GONE_WITHIN: Duration = Duration::from_secs(5);
/// Pause between looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The processes that run as this user in any way: really, effectively, or able to become it again. Not those that are over and only wait to be reaped.
pub(super) fn of_user(uid: u32) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter(|pid| is_of(*pid, uid))
        .collect()
}

fn is_of(pid: Pid, uid: u32) -> bool {
    let path = format!("/proc/{}/status", pid.as_raw_nonzero());
    fs::read_to_string(path).is_ok_and(|status| is_live_of(&status, uid))
}

fn is_live_of(status: &str, uid: u32) -> bool {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let is_over = field("State:").is_some_and(|state| state.trim_start().starts_with(['Z', 'X']));
    let users = field("Uid:").unwrap_or_default();
    !is_over && users.split_ascii_whitespace().any(|user| user.parse() == Ok(uid))
}

/// Ends every process of a user; whether none is left. Blocks.
pub(crate) fn end_all(uid: u32) -> bool {
    let began = Instant::now();
    loop {
        let left = of_user(uid);
        if left.is_empty() {
            return true;
        }
        if began.elapsed() > GONE_WITHIN {
            return false;
        }
        for pid in left {
            // Looked at again through the handle: the number may have come to mean another process.
            if let Ok(handle) = pidfd_open(pid, PidfdFlags::empty())
                && is_of(pid, uid)
            {
                pidfd_send_signal(&handle, Signal::KILL).ok();
            }
        }
        park_timeout(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    #[test]
    fn a_process_is_a_users_in_whichever_way_it_is() {
        let status = "Name:\tx\nState:\tS (sleeping)\nUid:\t0\t70001\t70002\t0\n";
        assert!(is_live_of(status, 70_001) && is_live_of(status, 70_002));
        assert!(!is_live_of(status, 70_003));
        assert!(!is_live_of(&status.replace("S (sleeping)", "Z (zombie)"), 70_001));
    }

    #[test]
    fn what_a_user_runs_is_ended_and_nothing_else() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let (ours, other) = (1_900_200_001, 1_900_200_002);
        let sleeper = |uid| {
            Command::new("/bin/sleep")
                .arg("600")
                .uid(uid)
                .gid(uid)
                .spawn()
                .unwrap()
        };
        let (mut one, mut two, mut stranger) = (sleeper(ours), sleeper(ours), sleeper(other));
        assert!(end_all(ours));
        assert!(!one.wait().unwrap().success() && !two.wait().unwrap().success());
        assert!(stranger.try_wait().unwrap().is_none(), "it runs on");
        assert!(end_all(other));
        stranger.wait().unwrap();
        assert!(end_all(ours), "nobody is left");
    }
}
