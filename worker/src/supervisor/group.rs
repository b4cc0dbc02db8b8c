//! The control group of an attempt: everything that its processes start is in it, whatever it does to its environment, session or parents; it may hold a
//! limited number of processes and bytes, and it is ended as a whole. Groups that have served are used again.

use super::hierarchy::{self, Hierarchy, Version};
use super::memory::kills_in;
use rustix::process::{Pid, PidfdFlags, Signal};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A group whose processes may fork is listed and ended at most this often in one go.
const ROUNDS_MAX: u32 = 64;
/// Most groups that wait for another attempt.
const SPARE_MAX: usize = 64;

/// What the processes of an attempt may use together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Processes and threads; 0 for no limit.
    pub processes: u64,
    /// Bytes of memory; 0 for no limit.
    pub memory_bytes: u64,
}

/// Where groups come from.
#[derive(Debug)]
pub(super) struct Groups {
    hierarchies: Result<Vec<Hierarchy>, String>,
    /// What the names of all of them begin with.
    prefix: String,
    next: u64,
    spare: Vec<Group>,
    /// Held while this process is in one of its groups, so that nobody ends that group meanwhile.
    inside: Arc<Mutex<()>>,
}

/// The group of one attempt: a folder in each hierarchy.
#[derive(Debug)]
pub(super) struct Group {
    folders: Vec<(PathBuf, Hierarchy)>,
    limits: Limits,
    inside: Arc<Mutex<()>>,
}

/// The way into a group, for those who start its processes.
#[derive(Debug, Clone)]
pub(super) struct Door {
    /// Files to write to on the way in, and on the way out.
    files: Vec<(PathBuf, PathBuf)>,
    alone: Option<Arc<Mutex<()>>>,
}

impl Groups {
    /// Groups that bear this mark; those that are there already are of a supervisor that was killed, and are ended.
    pub(super) fn open(mark: &str) -> Self {
        Self::of(hierarchy::find(), mark)
    }

    fn of(hierarchies: Result<Vec<Hierarchy>, String>, mark: &str) -> Self {
        let groups = Self {
            hierarchies,
            prefix: format!("tidemill-{mark}-"),
            next: 0,
            spare: Vec::new(),
            inside: Arc::default(),
        };
        for hierarchy in groups.hierarchies.iter().flatten() {
            let entries = fs::read_dir(&hierarchy.parent).into_iter().flatten().flatten();
            for entry in entries {
                if entry.file_name().to_string_lossy().starts_with(&groups.prefix) {
                    let left = Group {
                        folders: vec![(entry.path(), hierarchy.clone())],
                        limits: Limits {
                            processes: 0,
                            memory_bytes: 0,
                        },
                        inside: groups.inside.clone(),
                    };
                    left.end();
                }
            }
        }
        groups
    }

    /// A group with these limits as far as there may be any, and what is in force.
    pub(super) fn take(&mut self, limits: Limits) -> (Option<Group>, Vec<String>) {
        // Whoever cleans up behind others may have removed one.
        self.spare.retain(Group::exists);
        let made = match self.spare.iter().position(|group| group.limits == limits) {
            Some(at) => Ok(self.spare.swap_remove(at)),
            None => self.make(limits),
        };
        match made {
            Ok(group) => {
                let notes = group.in_force();
                (Some(group), notes)
            }
            Err(why) => (None, limits.not_in_force(&why)),
        }
    }

    fn make(&mut self, limits: Limits) -> Result<Group, String> {
        let mut group = Group {
            folders: Vec::new(),
            limits,
            inside: self.inside.clone(),
        };
        self.next += 1;
        let name = format!("{}{}", self.prefix, self.next);
        for hierarchy in self.hierarchies.as_ref().map_err(Clone::clone)? {
            let is_for_memory = hierarchy.limits_memory && !hierarchy.limits_processes;
            if is_for_memory && limits.memory_bytes == 0 && hierarchy.version == Version::One {
                continue;
            }
            let folder = hierarchy.parent.join(&name);
            fs::create_dir(&folder).map_err(|error| format!("cannot make a control group: {error}"))?;
            group.folders.push((folder.clone(), hierarchy.clone()));
            for (file, value) in limits.files(hierarchy) {
                fs::write(folder.join(file), value.to_string())
                    .map_err(|error| format!("cannot set {file}: {error}"))?;
            }
        }
        if group.folders.is_empty() {
            return Err("no hierarchy of control groups limits processes".into());
        }
        Ok(group)
    }

    /// Takes a group back that nobody is in any more.
    pub(super) fn put_back(&mut self, group: Group) {
        // What a group has counted of memory is one attempt's.
        if group.limits.memory_bytes == 0 && self.spare.len() < SPARE_MAX && group.is_empty() {
            self.spare.push(group);
        }
    }
}

impl Limits {
    /// What a hierarchy is told.
    fn files(self, hierarchy: &Hierarchy) -> Vec<(&'static str, u64)> {
        let memory = match hierarchy.version {
            Version::One => "memory.limit_in_bytes",
            Version::Two => "memory.max",
        };
        let mut files = Vec::new();
        if hierarchy.limits_processes && self.processes > 0 {
            files.push(("pids.max", self.processes));
        }
        if hierarchy.limits_memory && self.memory_bytes > 0 {
            files.push((memory, self.memory_bytes));
        }
        files
    }

    fn not_in_force(self, why: &str) -> Vec<String> {
        let mut notes = Vec::new();
        if self.processes > 0 {
            notes.push(format!(
                "limit of {} processes not in force: {why}",
                self.processes
            ));
        }
        if self.memory_bytes > 0 {
            notes.push(format!(
                "memory limit of {} bytes not in force: {why}",
                self.memory_bytes
            ));
        }
        notes
    }
}

impl Group {
    fn in_force(&self) -> Vec<String> {
        let Limits {
            processes,
            memory_bytes,
        } = self.limits;
        let by = |limited: fn(&Hierarchy) -> bool| {
            let found = self.folders.iter().find(|(_, hierarchy)| limited(hierarchy));
            found.map(|(_, hierarchy)| match hierarchy.version {
                Version::One => "in force by control group v1",
                Version::Two => "in force by control group v2",
            })
        };
        let lacking = |what| format!("not in force: control groups do not limit {what} here");
        let mut notes = Vec::new();
        if processes > 0 {
            let how = by(|h| h.limits_processes).map_or_else(|| lacking("processes"), ToOwned::to_owned);
            notes.push(format!("limit of {processes} processes {how}"));
        }
        if memory_bytes > 0 {
            let how = by(|h| h.limits_memory).map_or_else(|| lacking("memory"), ToOwned::to_owned);
            notes.push(format!("memory limit of {memory_bytes} bytes {how}"));
        }
        notes
    }

    /// The way in.
    pub(super) fn door(&self) -> Door {
        let whole = self.folders.iter().any(|(_, h)| h.version == Version::Two);
        let file = |hierarchy: &Hierarchy| match hierarchy.version {
            Version::One => "tasks",
            Version::Two => "cgroup.procs",
        };
        let files = self
            .folders
            .iter()
            .map(|(folder, h)| (folder.join(file(h)), h.home.join(file(h))));
        Door {
            files: files.collect(),
            alone: whole.then(|| self.inside.clone()),
        }
    }

    fn exists(&self) -> bool {
        self.folders.iter().all(|(folder, _)| folder.is_dir())
    }

    /// Whether nobody is in it, but for this process on its way through.
    pub(super) fn is_empty(&self) -> bool {
        self.folders.iter().all(|(folder, _)| members(folder).is_empty())
    }

    /// Ends everybody in it.
    pub(super) fn kill(&self) {
        for (folder, hierarchy) in &self.folders {
            let _nobody_is_inside = lock(&self.inside);
            let own = rustix::process::getpid();
            let is_ours_too = members_with(folder, |_| true).contains(&own);
            let all_at_once = hierarchy.version == Version::Two && !is_ours_too;
            if all_at_once && fs::write(folder.join("cgroup.kill"), "1").is_ok() {
                continue;
            }
            // First that nobody is born any more, where that can be had.
            let stopper = folder.join("pids.max");
            let limit = fs::read_to_string(&stopper);
            fs::write(&stopper, "0").ok();
            for _ in 0..ROUNDS_MAX {
                if !kill_listed(folder) {
                    break;
                }
            }
            if let Ok(limit) = limit {
                fs::write(&stopper, limit.trim()).ok();
            }
        }
    }

    /// Ends everybody in it and waits a moment until they are gone, so that it can be removed.
    fn end(self) {
        for _ in 0..ROUNDS_MAX {
            if self.is_empty() {
                break;
            }
            self.kill();
            std::thread::yield_now();
        }
    }

    /// The largest use of memory so far, where that is counted.
    pub(super) fn peak_bytes(&self) -> Option<u64> {
        let names = ["memory.max_usage_in_bytes", "memory.peak"];
        let counted = self.folders.iter().filter(|_| self.limits.memory_bytes > 0);
        let mut files = counted.flat_map(|(folder, _)| names.map(|name| folder.join(name)));
        files.find_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok())
    }

    /// Whether the kernel has ended a process in it for want of memory.
    pub(super) fn has_killed(&self) -> bool {
        self.limits.memory_bytes > 0 && self.folders.iter().any(|(folder, _)| kills_in(folder) > 0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for (folder, _) in &self.folders {
            // Fails when a process stuck in the kernel still is in it; an empty group costs next to nothing.
            fs::remove_dir(folder).ok();
        }
    }
}

impl Door {
    /// Does something in the group: what it starts is in there from its first moment on.
    pub(super) fn through<T>(&self, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let _alone = self.alone.as_ref().map(|inside| lock(inside));
        let entered = self.files.iter().try_for_each(|(way_in, _)| go(way_in));
        let done = entered.and_then(|()| act());
        for (_, way_out) in &self.files {
            // Whoever could not leave is in the next group soon, and is spared when this one is ended.
            if let Err(error) = go(way_out) {
                tracing::error!(group = %way_out.display(), %error, "cannot leave an attempt's control group");
            }
        }
        done
    }
}

/// Moves this thread (or process, as the hierarchy has it) into the group of this file.
fn go(file: &Path) -> io::Result<()> {
    let failed = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    fs::write(file, "0").map_err(failed)
}

fn lock(inside: &Mutex<()>) -> MutexGuard<'_, ()> {
    inside.lock().unwrap_or_else(PoisonError::into_inner)
}

fn members(folder: &Path) -> Vec<Pid> {
    let own = rustix::process::getpid();
    members_with(folder, |pid| *pid != own)
}

fn members_with(folder: &Path, wanted: impl Fn(&Pid) -> bool) -> Vec<Pid> {
    let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    let pids = text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?));
    pids.filter(wanted).collect()
}

/// Ends those who are in the group, each seen through a handle that cannot come to mean another process; false when there was nobody.
fn kill_listed(folder: &Path) -> bool {
    let listed = members(folder);
    let open = |pid: &Pid| Some((*pid, rustix::process::pidfd_open(*pid, PidfdFlags::empty()).ok()?));
    let handles: Vec<_> = listed.iter().filter_map(open).collect();
    let still_there = members(folder);
    for (pid, handle) in handles {
        if still_there.contains(&pid) {
            rustix::process::pidfd_send_signal(&handle, Signal::KILL).ok();
        }
    }
    !listed.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};
    use std::time::{Duration, Instant};

    /// The unified hierarchy, wherever this process may divide it.
    fn unified() -> Option<Hierarchy> {
        let places = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(PathBuf::from);
        let top = places
            .into_iter()
            .find(|at| at.join("cgroup.controllers").exists())?;
        let may = rustix::fs::access(&top, rustix::fs::Access::WRITE_OK).is_ok();
        may.then(|| Hierarchy {
            parent: top.clone(),
            home: top,
            version: Version::Two,
            limits_processes: false,
            limits_memory: false,
        })
    }

    const NONE: Limits = Limits {
        processes: 0,
        memory_bytes: 0,
    };

    /// Leaves a process behind that shares nothing with its starter but the group.
    fn leave_a_stray(group: &Group) {
        let script = "env -i setsid sh -c 'sleep 600 & sleep 600 &' & wait";
        let start = || Command::new("/bin/sh").args(["-c", script]).spawn();
        let mut child: Child = group.door().through(start).unwrap();
        child.wait().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while members(&group.folders[0].0).len() < 2 {
            assert!(Instant::now() < deadline, "the strays never came up");
            std::thread::yield_now();
        }
    }

    fn until_empty(group: &Group) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !group.is_empty() {
            assert!(Instant::now() < deadline, "somebody is left");
            std::thread::yield_now();
        }
    }

    fn prove(hierarchies: Vec<Hierarchy>) {
        let mark = format!("test-{}", std::process::id());
        let mut groups = Groups::of(Ok(hierarchies.clone()), &mark);
        let (group, _) = groups.take(NONE);
        let group = group.expect("the hierarchy may be divided");
        leave_a_stray(&group);
        group.kill();
        until_empty(&group);
        groups.put_back(group);
        let (group, _) = groups.take(NONE);
        let group = group.expect("one is spare");
        leave_a_stray(&group);
        // As a killed supervisor would leave it.
        let folder = group.folders[0].0.clone();
        std::mem::forget(group);
        drop(Groups::of(Ok(hierarchies), &mark));
        let deadline = Instant::now() + Duration::from_secs(20);
        while !members(&folder).is_empty() {
            assert!(
                Instant::now() < deadline,
                "somebody outlived the killed supervisor"
            );
            std::thread::yield_now();
        }
        fs::remove_dir(&folder).ok();
    }

    #[test]
    fn a_group_is_ended_with_whoever_left_session_parents_and_environment() {
        match hierarchy::find() {
            Ok(hierarchies) => prove(hierarchies),
            Err(why) => println!("NOT PROVED HERE, for want of control groups: {why}"),
        }
    }

    #[test]
    fn a_group_of_the_unified_hierarchy_is_ended_likewise() {
        match unified() {
            Some(hierarchy) => prove(vec![hierarchy]),
            None => println!("NOT PROVED HERE, for want of a unified hierarchy that may be divided"),
        }
    }

    #[test]
    fn a_group_that_somebody_removed_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let place = Hierarchy {
            parent: dir.path().to_owned(),
            home: dir.path().to_owned(),
            version: Version::One,
            limits_processes: true,
            limits_memory: false,
        };
        let mut groups = Groups::of(Ok(vec![place]), "x");
        let limits = Limits {
            processes: 40,
            memory_bytes: 0,
        };
        let (group, notes) = groups.take(limits);
        assert_eq!(notes, ["limit of 40 processes in force by control group v1"]);
        groups.put_back(group.unwrap());
        fs::remove_dir_all(&groups.spare[0].folders[0].0).unwrap();
        let (group, _) = groups.take(limits);
        assert!(group.unwrap().exists());
    }

    #[test]
    fn what_is_not_in_force_is_said() {
        let mut groups = Groups::of(Err("nobody may".into()), "x");
        let limits = Limits {
            processes: 5,
            memory_bytes: 7,
        };
        let (group, notes) = groups.take(limits);
        assert!(group.is_none());
        let wanted = [
            "limit of 5 processes not in force: nobody may",
            "memory limit of 7 bytes not in force: nobody may",
        ];
        assert_eq!(notes, wanted);
    }
}
