//! Whom the kernel ends first when memory runs out: what the supervisor starts, and neither the supervisor nor the daemon. How much memory an attempt may have is
//! its control group's business.

use std::fs;
use std::io;
use std::sync::{Mutex, Once, PoisonError};

/// This process's own score.
const FILE: &str = "/proc/self/oom_score_adj";
/// The largest score.
const MAX: i32 = 1000;
/// By how much the score of a step is raised.
const RAISE: i32 = 500;

/// The score of this process, and that of its children.
///
/// A process is born with the score of its parent. So this one takes the raised score while it starts another: nothing has to run between fork and exec, and no
/// grandchild is born with a lower one. To raise a score, and to take that back, needs no right. For that moment this process is one with its steps, among which it is the smallest.
#[derive(Debug)]
pub(super) struct Scores {
    own: i32,
    raised: i32,
    /// How many processes are being started.
    births: Mutex<u32>,
    said: Once,
}

impl Scores {
    /// What is so now. A daemon that a service manager protects protects its supervisor, and not its steps.
    pub(super) fn read() -> Self {
        let own = read(FILE).unwrap_or(MAX);
        Self {
            own,
            raised: raised(own),
            births: Mutex::default(),
            said: Once::new(),
        }
    }

    /// Does something whose children are to have the raised score.
    pub(super) fn raised<T>(&self, act: impl FnOnce() -> T) -> T {
        self.count(|births| births + 1);
        let done = act();
        self.count(|births| births - 1);
        done
    }

    fn count(&self, change: impl FnOnce(u32) -> u32) {
        let mut births = self.births.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *births;
        *births = change(before);
        match (before, *births) {
            (0, _) => self.be(self.raised),
            (_, 0) => self.be(self.own),
            _ => {}
        }
    }

    fn be(&self, score: i32) {
        if self.own == self.raised {
            return;
        }
        if let Err(error) = fs::write(FILE, score.to_string()) {
            self.said.call_once(|| {
                tracing::warn!(%error, "steps are not ended before this process when memory runs out: its score cannot be changed");
            });
        }
    }
}

fn read(file: &str) -> io::Result<i32> {
    fs::read_to_string(file)?.trim().parse().map_err(io::Error::other)
}

fn raised(own: i32) -> i32 {
    (own.max(0) + RAISE).min(MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_comes_first_also_where_its_worker_is_protected_or_is_early_in_the_line_itself() {
        assert_eq!([-500, 0, 200, 800, 1000].map(raised), [500, 500, 700, 1000, 1000]);
    }

    #[test]
    fn a_child_has_the_raised_score_and_its_parent_has_its_own_again() {
        let scores = Scores::read();
        let child = || {
            let output = std::process::Command::new("/bin/cat")
                .arg("/proc/self/oom_score_adj")
                .output();
            String::from_utf8(output.unwrap().stdout)
                .unwrap()
                .trim()
                .parse::<i32>()
                .unwrap()
        };
        // A second one that is born meanwhile does not lower the first one's.
        let born = scores.raised(|| [scores.raised(child), child()]);
        assert_eq!(born, [scores.raised; 2]);
        assert_eq!(read(FILE).unwrap(), scores.own);
        assert_eq!(child(), scores.own);
    }
}
