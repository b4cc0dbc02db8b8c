//! One attempt while it runs: its processes, its deadlines, and the way down the ladder when it has to end: SIGTERM to the process groups, grace, SIGKILL,
//! then a sweep for processes that left the group but carry the attempt's cookie. Signals go only to processes that have not been reaped, or whose cookie was
//! read through a handle that cannot come to mean another process.

use super::cookie::Cookie;
use super::log_cap::CappedLog;
use super::memory::MemoryGroup;
use super::message::{End, ExitRecord, Start};
use super::procfs;
use rustix::process::{Pid, Signal};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidemill_protocol::time::Timestamp;

/// How often it is asked whether a stopped process group is empty.
const LINGER_POLL: Duration = Duration::from_millis(25);
/// Shortest and longest pause between looks at memory and logs.
const LOOK_EVERY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// An attempt with at least one process started or about to be.
#[derive(Debug)]
pub(super) struct Running {
    pub start: Arc<Start>,
    /// By which its strays are found.
    pub cookie: Cookie,
    pub started_at: Timestamp,
    pub began: Instant,
    /// Processes ordered and not yet started.
    pub awaited: usize,
    /// Leaders of process groups, not reaped.
    pub alive: Vec<Pid>,
    /// The kernel's count of out-of-memory kills before this attempt.
    pub kills_before: u64,
    pub group: Option<MemoryGroup>,
    pub notes: Vec<String>,
    /// Groups whose leader is gone and which may still have members, while a stop is under way.
    lingering: Vec<Pid>,
    outcome: Option<End>,
    stopping: Option<Stopping>,
    deadline: Option<Instant>,
    next_look: Instant,
    memory_peak: Option<u64>,
    logs: [CappedLog; 2],
}

#[derive(Debug)]
struct Stopping {
    /// What the attempt's end is called; none when a member's own bad end is what counts.
    called: Option<End>,
    kill_at: Instant,
    killed: bool,
}

impl Running {
    /// An attempt whose processes have been ordered, with what is to be noted of it already.
    pub(super) fn new(
        start: Arc<Start>,
        cookie: Cookie,
        now: Instant,
        at: Timestamp,
        notes: Vec<String>,
    ) -> Self {
        let deadline = start
            .time_limit_ms
            .map(|limit| now + Duration::from_millis(limit));
        let log = |path: &str| CappedLog::new(Path::new(path), start.log_bytes_max);
        Self {
            started_at: at,
            began: now,
            awaited: start.members.len(),
            alive: Vec::new(),
            kills_before: 0,
            group: None,
            notes,
            lingering: Vec::new(),
            outcome: None,
            stopping: None,
            deadline,
            next_look: now + LOOK_EVERY.0,
            memory_peak: None,
            logs: [log(&start.stdout), log(&start.stderr)],
            start,
            cookie,
        }
    }

    /// A process of it was started.
    pub(super) fn member_started(&mut self, pid: Pid) {
        self.awaited -= 1;
        self.alive.push(pid);
        if let Some(stopping) = &self.stopping {
            let signal = if stopping.killed {
                Signal::KILL
            } else {
                Signal::TERM
            };
            signal_group(pid, signal);
        }
    }

    /// A process of it could not be started.
    pub(super) fn member_not_started(&mut self, why: String, now: Instant) {
        self.awaited -= 1;
        self.end_badly(End::NotStarted(why), now);
    }

    /// A process of it has ended and is about to be reaped, which makes its number free.
    pub(super) fn before_reaping(&mut self, pid: Pid) {
        self.alive.retain(|p| *p != pid);
        match &self.stopping {
            // What it leaves behind has the rest of the grace.
            Some(stopping) if !stopping.killed => self.lingering.push(pid),
            _ => signal_group(pid, Signal::KILL),
        }
    }

    /// How a process of it ended.
    pub(super) fn member_ended(&mut self, end: End, now: Instant) {
        if end == End::Exited(0) {
            self.outcome.get_or_insert(end);
        } else {
            self.end_badly(end, now);
        }
    }

    fn end_badly(&mut self, end: End, now: Instant) {
        if self.stopping.is_none() {
            self.outcome = Some(end);
            if self.awaited + self.alive.len() > 0 {
                self.stop(None, now);
            }
        }
    }

    /// Begins the way down. A second call changes nothing.
    pub(super) fn stop(&mut self, called: Option<End>, now: Instant) {
        if self.stopping.is_some() {
            return;
        }
        self.stopping = Some(Stopping {
            called,
            kill_at: now + Duration::from_millis(self.start.grace_ms),
            killed: false,
        });
        for pid in &self.alive {
            signal_group(*pid, Signal::TERM);
        }
    }

    /// Whether this process's end by SIGKILL is of the supervisor's making.
    pub(super) fn was_killed(&self) -> bool {
        self.stopping.as_ref().is_some_and(|s| s.killed)
    }

    /// Does what is due, and says when to look again.
    pub(super) fn tick(&mut self, now: Instant) -> Instant {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.deadline = None;
            self.stop(Some(End::TimedOut), now);
        }
        let mut kill = false;
        if let Some(stopping) = &mut self.stopping
            && !stopping.killed
            && stopping.kill_at <= now
        {
            stopping.killed = true;
            kill = true;
        }
        if kill {
            for pid in &self.alive {
                signal_group(*pid, Signal::KILL);
            }
            self.cookie.sweep();
            self.lingering.clear();
        }
        self.lingering
            .retain(|pid| rustix::process::test_kill_process_group(*pid).is_ok());
        if self.next_look <= now {
            self.look(now);
        }
        self.next_due(now)
    }

    fn look(&mut self, now: Instant) {
        for log in &mut self.logs {
            log.trim();
        }
        let resident: u64 = self.alive.iter().filter_map(|p| procfs::resident_bytes(*p)).sum();
        if resident > 0 {
            self.memory_peak = self.memory_peak.max(Some(resident));
        }
        let age = now.saturating_duration_since(self.began);
        self.next_look = now + (age / 4).clamp(LOOK_EVERY.0, LOOK_EVERY.1);
    }

    fn next_due(&self, now: Instant) -> Instant {
        let kill_at = self.stopping.as_ref().filter(|s| !s.killed).map(|s| s.kill_at);
        let poll = (!self.lingering.is_empty()).then(|| now + LINGER_POLL);
        [self.deadline, kill_at, poll]
            .into_iter()
            .flatten()
            .fold(self.next_look, Instant::min)
    }

    /// Whether no process of it is left or awaited.
    pub(super) fn is_over(&self) -> bool {
        self.awaited == 0 && self.alive.is_empty() && self.lingering.is_empty()
    }

    /// Ends what strayed and makes the exit record.
    pub(super) fn finish(mut self, now: Instant) -> ExitRecord {
        for log in &mut self.logs {
            log.trim();
        }
        let called = self.stopping.map(|stopping| {
            self.cookie.sweep();
            stopping.called
        });
        let group_peak = self.group.as_ref().and_then(MemoryGroup::peak_bytes);
        ExitRecord {
            key: self.start.key.clone(),
            end: called.flatten().or(self.outcome).unwrap_or(End::Stopped),
            started_at: self.started_at,
            process_ms: millis(now.saturating_duration_since(self.began)),
            memory_peak_bytes: group_peak.max(self.memory_peak),
            notes: self.notes,
        }
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

fn signal_group(leader: Pid, signal: Signal) {
    // The only failure is that nobody is left.
    rustix::process::kill_process_group(leader, signal).ok();
}
