//! One attempt while it runs: its processes, its deadlines, and the way down the ladder when it has to end: SIGTERM to the process groups, grace, SIGKILL,
//! then an end to whatever is left in the attempt's control group. Where there is none, those are ended that were once seen below the attempt's processes, and
//! those that carry its cookie. Signals go only to processes that have not been reaped, or that were recognised through a handle that cannot come to mean another.

use super::cookie::Cookie;
use super::group::Group;
use super::log_cap::CappedLog;
use super::memory::kernel_kills;
use super::message::{End, ExitRecord, Start};
use super::procfs;
use rustix::process::{Pid, PidfdFlags, Signal, WaitStatus};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidemill_protocol::time::Timestamp;

/// How often it is asked whether a stopped process group is empty.
const LINGER_POLL: Duration = Duration::from_millis(25);
/// How long what was killed may take to be gone; a process that is stuck in the kernel for longer is left.
const GONE_WITHIN: Duration = Duration::from_secs(5);
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
    /// What holds all its processes, where there are control groups.
    pub group: Option<Group>,
    pub notes: Vec<String>,
    /// When its first process started, in clock ticks since the boot.
    pub first_start: Option<u64>,
    /// Without a group: whoever was seen below its processes, with their start times.
    kin: HashMap<Pid, u64>,
    /// Until when the group may take to be empty, once it was ended.
    gone_by: Option<Instant>,
    is_cleared: bool,
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
            first_start: None,
            kin: HashMap::new(),
            gone_by: None,
            is_cleared: false,
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

    /// What the kernel's word on one of its processes means: an end by SIGKILL that nobody here has asked for is an end for want of memory, where one was counted.
    pub(super) fn end_of(&self, status: WaitStatus) -> End {
        const SIGKILL: i32 = 9;
        let (end, by_kill) = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => (End::Exited(code), code == 128 + SIGKILL),
            (None, Some(signal)) => (End::Signalled(signal), signal == SIGKILL),
            (None, None) => (End::Orphaned, false),
        };
        if by_kill && !self.was_killed() {
            let in_group = self.group.as_ref().is_some_and(Group::has_killed);
            if in_group || kernel_kills() > self.kills_before {
                return End::OutOfMemory;
            }
        }
        end
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
        self.meet_kin();
        for pid in &self.alive {
            signal_group(*pid, Signal::TERM);
        }
    }

    /// Whether this process's end by SIGKILL is of the supervisor's making.
    fn was_killed(&self) -> bool {
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
            self.end_strays();
            self.lingering.clear();
        }
        self.lingering
            .retain(|pid| rustix::process::test_kill_process_group(*pid).is_ok());
        if self.next_look <= now {
            self.look(now);
        }
        self.clear(now);
        self.next_due(now)
    }

    /// Once its own processes have ended: ends what they left behind, until nobody is there.
    pub(super) fn clear(&mut self, now: Instant) {
        if self.is_cleared || !self.own_processes_are_over() {
            return;
        }
        let Some(group) = &self.group else {
            self.is_cleared = true;
            return;
        };
        if group.is_empty() {
            self.is_cleared = true;
            return;
        }
        if *self.gone_by.get_or_insert(now + GONE_WITHIN) <= now {
            self.notes
                .push("a process that does not die was left behind".into());
            self.is_cleared = true;
            return;
        }
        group.kill();
    }

    fn end_strays(&mut self) {
        if let Some(group) = &self.group {
            group.kill();
            return;
        }
        self.meet_kin();
        for (pid, at) in std::mem::take(&mut self.kin) {
            let Ok(handle) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else {
                continue;
            };
            if procfs::started(pid) == Some(at) {
                rustix::process::pidfd_send_signal(&handle, Signal::KILL).ok();
            }
        }
        self.cookie.sweep();
    }

    fn meet_kin(&mut self) {
        if self.group.is_none() {
            self.kin.retain(|pid, at| procfs::started(*pid) == Some(*at));
            procfs::add_descendants(&self.alive, &mut self.kin);
        }
    }

    fn look(&mut self, now: Instant) {
        for log in &mut self.logs {
            log.trim();
        }
        let resident: u64 = self.alive.iter().filter_map(|p| procfs::resident_bytes(*p)).sum();
        if resident > 0 {
            self.memory_peak = self.memory_peak.max(Some(resident));
        }
        self.meet_kin();
        let age = now.saturating_duration_since(self.began);
        self.next_look = now + (age / 4).clamp(LOOK_EVERY.0, LOOK_EVERY.1);
    }

    fn next_due(&self, now: Instant) -> Instant {
        let kill_at = self.stopping.as_ref().filter(|s| !s.killed).map(|s| s.kill_at);
        let waits = !self.lingering.is_empty() || self.own_processes_are_over();
        let poll = waits.then(|| now + LINGER_POLL);
        [self.deadline, kill_at, poll]
            .into_iter()
            .flatten()
            .fold(self.next_look, Instant::min)
    }

    fn own_processes_are_over(&self) -> bool {
        self.awaited == 0 && self.alive.is_empty() && self.lingering.is_empty()
    }

    /// Whether no process of it is left or awaited, as [`Self::clear`] found.
    pub(super) fn is_over(&self) -> bool {
        self.is_cleared && self.own_processes_are_over()
    }

    /// Ends what strayed and makes the exit record; answers the group, too, for another attempt.
    pub(super) fn finish(mut self, now: Instant) -> (ExitRecord, Option<Group>) {
        for log in &mut self.logs {
            log.trim();
        }
        if self.group.is_none() && self.stopping.is_some() {
            self.end_strays();
        }
        let called = self.stopping.and_then(|stopping| stopping.called);
        let group_peak = self.group.as_ref().and_then(Group::peak_bytes);
        let exit = ExitRecord {
            key: self.start.key.clone(),
            end: called.or(self.outcome).unwrap_or(End::Stopped),
            started_at: self.started_at,
            process_ms: millis(now.saturating_duration_since(self.began)),
            memory_peak_bytes: group_peak.max(self.memory_peak),
            notes: self.notes,
        };
        (exit, self.group)
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

fn signal_group(leader: Pid, signal: Signal) {
    // The only failure is that nobody is left.
    rustix::process::kill_process_group(leader, signal).ok();
}
