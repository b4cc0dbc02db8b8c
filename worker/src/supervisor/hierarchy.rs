//! The hierarchies of control groups in which this process may make groups, of either version, and how the unified one (version 2) is made ready: there, a
//! group with limits for its children may hold no processes itself, so the worker has to live in a leaf beside the groups of its attempts.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The leaf into which processes go that are in the way of groups with limits.
const LEAF: &str = "tidemill-worker";
/// What is limited.
const CONTROLLERS: [&str; 2] = ["pids", "memory"];
/// Processes that are moved into the leaf, at most: a container holds a few.
const MOVED_MAX: usize = 256;

/// The version of a hierarchy, which decides how its groups are joined and ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// One hierarchy for each controller; single threads may be in a group.
    One,
    /// One for all; whole processes only.
    Two,
}

/// A hierarchy in which groups may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// Where groups are made.
    pub parent: PathBuf,
    /// The group to which whoever has entered another one returns.
    pub home: PathBuf,
    pub version: Version,
    /// Whether it limits the number of processes.
    pub limits_processes: bool,
    /// Whether it limits memory.
    pub limits_memory: bool,
}

/// A mounted hierarchy as `/proc/self/mountinfo` tells of it.
struct Mount {
    root: PathBuf,
    at: PathBuf,
    kind: String,
    options: String,
}

/// The hierarchies in which groups may be made: those of version 1 for each controller where there are any, else the unified one; or why there is none.
pub(super) fn find() -> Result<Vec<Hierarchy>, String> {
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"));
    let (mounts, own) = (mounts(&read("/proc/self/mountinfo")?), read("/proc/self/cgroup")?);
    let mut found: Vec<Hierarchy> = CONTROLLERS
        .iter()
        .filter_map(|controller| version_one(&mounts, &own, controller))
        .collect();
    if found.is_empty() {
        found.push(version_two(&mounts, &own)?);
    }
    Ok(found)
}

fn version_one(mounts: &[Mount], own: &str, controller: &str) -> Option<Hierarchy> {
    let named = |list: &str| list.split(',').any(|word| word == controller);
    let mount = mounts.iter().find(|m| m.kind == "cgroup" && named(&m.options))?;
    let folder = below(mount, &path_of(own, named)?)?;
    may_write(&folder).then(|| Hierarchy {
        parent: folder.clone(),
        home: folder,
        version: Version::One,
        limits_processes: controller == "pids",
        limits_memory: controller == "memory",
    })
}

fn version_two(mounts: &[Mount], own: &str) -> Result<Hierarchy, String> {
    let mount = mounts
        .iter()
        .find(|m| m.kind == "cgroup2")
        .ok_or("this machine has no control groups")?;
    let path = path_of(own, str::is_empty).ok_or("this process is in no control group")?;
    let folder = below(mount, &path).ok_or("this process's control group cannot be seen from here")?;
    let (parent, home) = seat(&folder, &mount.at)?;
    if !may_write(&parent) {
        return Err(format!("{} is not this user's to divide", parent.display()));
    }
    let enabled = words(&parent.join("cgroup.subtree_control"));
    Ok(Hierarchy {
        limits_processes: enabled.contains("pids"),
        limits_memory: enabled.contains("memory"),
        parent,
        home,
        version: Version::Two,
    })
}

/// Where groups are made, and where this process stays: as systemd has it in a unit with a subgroup for its main process (`DelegateSubgroup`), or else as the
/// root of what a container sees allows.
fn seat(folder: &Path, top: &Path) -> Result<(PathBuf, PathBuf), String> {
    let above = folder.parent().unwrap_or(folder);
    if is_unit(above) {
        enable(above).ok();
        return Ok((above.to_owned(), folder.to_owned()));
    }
    if folder != top {
        // Somebody else's place: the next process that its owner starts here would be refused if it had limits for children.
        return Err(format!(
            "{} is not delegated to this worker (systemd 254 and later do with `Delegate=yes` and `DelegateSubgroup=`)",
            folder.display()
        ));
    }
    if enable(folder).is_ok() {
        return Ok((folder.to_owned(), folder.to_owned()));
    }
    let leaf = folder.join(LEAF);
    let moved = fs::create_dir(&leaf)
        .or_else(|error| if leaf.is_dir() { Ok(()) } else { Err(error) })
        .and_then(|()| move_all(folder, &leaf))
        .and_then(|()| enable(folder));
    moved.map_err(|error| format!("cannot divide {}: {error}", folder.display()))?;
    Ok((folder.to_owned(), leaf))
}

fn is_unit(folder: &Path) -> bool {
    let extension = folder.extension().and_then(|e| e.to_str());
    matches!(extension, Some("service" | "scope"))
}

/// Has the children of a group limited, as far as the group itself is.
fn enable(folder: &Path) -> io::Result<()> {
    let has = words(&folder.join("cgroup.controllers"));
    let wanted = CONTROLLERS.iter().filter(|c| has.contains(**c));
    let line: Vec<String> = wanted.map(|c| format!("+{c}")).collect();
    if line.is_empty() {
        return Ok(());
    }
    fs::write(folder.join("cgroup.subtree_control"), line.join(" "))
}

fn move_all(from: &Path, to: &Path) -> io::Result<()> {
    for _ in 0..MOVED_MAX {
        let text = fs::read_to_string(from.join("cgroup.procs"))?;
        let Some(pid) = text.lines().next() else {
            return Ok(());
        };
        match fs::write(to.join("cgroup.procs"), pid) {
            // It has ended meanwhile.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {}
            written => written?,
        }
    }
    Err(io::Error::other("too many processes are in the way"))
}

fn may_write(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

fn words(file: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_ascii_whitespace().map(ToOwned::to_owned).collect()
}

/// The path of this process in the hierarchy whose controllers fit.
fn path_of(own: &str, fits: impl Fn(&str) -> bool) -> Option<PathBuf> {
    own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        fits(controllers).then(|| PathBuf::from(path))
    })
}

/// Where a path of a hierarchy is on this machine, when the mount shows that part of it.
fn below(mount: &Mount, path: &Path) -> Option<PathBuf> {
    let folder = mount.at.join(path.strip_prefix(&mount.root).ok()?);
    folder.is_dir().then_some(folder)
}

fn mounts(text: &str) -> Vec<Mount> {
    let of_line = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let (root, at) = (left.next()?, left.next()?);
        let mut right = right.split(' ');
        let (kind, options) = (right.next()?, right.nth(1)?);
        Some(Mount {
            root: root.into(),
            at: at.into(),
            kind: kind.to_owned(),
            options: options.to_owned(),
        })
    };
    let all = text.lines().filter_map(of_line);
    all.filter(|m| m.kind.starts_with("cgroup")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "25 20 0:21 / /proc rw - proc proc rw\n\
        30 25 0:26 /docker/abc /sys/fs/cgroup/pids rw,nosuid shared:9 - cgroup cgroup rw,pids\n\
        31 25 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn mounts_are_told_apart_by_their_kind_and_controllers() {
        let found = mounts(MOUNTS);
        let kinds: Vec<_> = found.iter().map(|m| m.kind.as_str()).collect();
        assert_eq!(kinds, ["cgroup", "cgroup2"]);
        assert_eq!(found[0].root, Path::new("/docker/abc"));
        assert_eq!(found[0].options, "rw,pids");
        assert_eq!(found[1].at, Path::new("/sys/fs/cgroup/unified"));
    }

    #[test]
    fn a_processes_own_group_is_found_by_controller() {
        let own = "9:name=systemd:/\n8:cpu,pids:/docker/abc/x\n0::/init.scope\n";
        let pids = |list: &str| list.split(',').any(|c| c == "pids");
        assert_eq!(path_of(own, pids).unwrap(), Path::new("/docker/abc/x"));
        assert_eq!(path_of(own, str::is_empty).unwrap(), Path::new("/init.scope"));
    }

    #[test]
    fn what_systemd_delegates_with_a_subgroup_is_divided_and_the_worker_stays_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let unit = dir.path().join("system.slice/tidemill-worker@cpu.service");
        let own = unit.join("daemon");
        fs::create_dir_all(&own).unwrap();
        fs::write(unit.join("cgroup.controllers"), "cpu memory pids\n").unwrap();
        assert_eq!(seat(&own, dir.path()).unwrap(), (unit.clone(), own));
        let enabled = fs::read_to_string(unit.join("cgroup.subtree_control")).unwrap();
        assert_eq!(enabled, "+pids +memory");
    }

    #[test]
    fn a_group_that_is_not_the_workers_own_is_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "user.slice/terminal.scope",
            "system.slice/tidemill-worker@cpu.service",
        ] {
            let own = dir.path().join(name);
            fs::create_dir_all(&own).unwrap();
            fs::write(own.join("cgroup.controllers"), "memory pids\n").unwrap();
            let why = seat(&own, dir.path()).unwrap_err();
            assert!(why.contains("not delegated"), "{why}");
            assert!(!own.join("cgroup.subtree_control").exists());
        }
    }

    #[test]
    fn who_is_in_the_way_of_limits_is_moved_into_a_leaf() {
        let dir = tempfile::tempdir().unwrap();
        let leaf = dir.path().join(LEAF);
        fs::create_dir(&leaf).unwrap();
        fs::write(dir.path().join("cgroup.procs"), "").unwrap();
        move_all(dir.path(), &leaf).unwrap();
        fs::write(dir.path().join("cgroup.procs"), "1\n").unwrap();
        let stays = move_all(dir.path(), &leaf).unwrap_err();
        assert_eq!(stays.to_string(), "too many processes are in the way");
        assert_eq!(fs::read_to_string(leaf.join("cgroup.procs")).unwrap(), "1");
    }
}
