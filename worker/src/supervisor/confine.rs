//! The strict sandbox: a process that gives up every file that its step has no business with, by Landlock (Linux 5.13 and later), and then becomes the step's
//! program. The supervisor starts each process through it; what may be reached is said here (the system), by the operator, and with each attempt.

use super::user::become_user;
use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, PathFdError, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The rights that are taken away, as far as the kernel knows them.
const RIGHTS: ABI = ABI::V6;
/// What the kernel must know at least.
const RIGHTS_MIN: ABI = ABI::V1;

/// Programs, libraries and what they look up. Not `/home`, `/root`, `/tmp`, `/var`, `/srv` or `/run`: other people's things lie there.
const SYSTEM: &[&str] = &[
    "/bin",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/opt",
    "/proc",
    "/run/resolvconf",
    "/run/systemd/resolve",
    "/sbin",
    "/sys",
    "/usr",
];
/// Devices that every program may use; folders with everything in them.
const DEVICES: &[&str] = &[
    "/dev/full",
    "/dev/null",
    "/dev/ptmx",
    "/dev/pts",
    "/dev/random",
    "/dev/shm",
    "/dev/tty",
    "/dev/urandom",
    "/dev/zero",
    // Accelerators.
    "/dev/dri",
    "/dev/infiniband",
    "/dev/kfd",
];
/// How the names of other accelerators begin.
const NVIDIA: &str = "nvidia";

/// What may be reached beside the system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Files and folders to read and execute.
    pub readable: Vec<PathBuf>,
    /// Files and folders to change as well.
    pub writable: Vec<PathBuf>,
}

impl Reach {
    /// The path by which somebody who is shut in so could reach `folder`, if there is one.
    pub fn leads_to(&self, folder: &Path) -> Option<PathBuf> {
        let system = SYSTEM.iter().chain(DEVICES).map(Path::new);
        let own = self.readable.iter().chain(&self.writable).map(PathBuf::as_path);
        // Links are followed as the kernel would.
        let place = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let folder = place(folder);
        system
            .chain(own)
            .find(|path| folder.starts_with(place(path)))
            .map(Path::to_owned)
    }
}

/// Why a process was not started shut in.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// The kernel has no Landlock, or it is switched off.
    #[error("this system has no Landlock (Linux 5.13 and later, with `landlock` among its security modules)")]
    Unavailable,
    /// The walls could not be put up.
    #[error("the walls cannot be put up")]
    Walls(#[from] RulesetError),
    /// A file or folder that is to be reached cannot be.
    #[error("what is to be reached cannot be opened")]
    Reach(#[from] PathFdError),
    /// The devices cannot be listed.
    #[error("the devices cannot be listed")]
    Devices(#[source] io::Error),
    /// The program cannot be started from within.
    #[error("cannot start {program}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// There is no program.
    #[error("no program is named")]
    NoProgram,
}

/// Whether walls can be put up on this system.
///
/// # Errors
/// [`ConfineError::Unavailable`] where they cannot.
pub(super) fn check() -> Result<(), ConfineError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(RIGHTS_MIN))
        .and_then(Ruleset::create)
        .map(drop)
        .map_err(|_| ConfineError::Unavailable)
}

/// Shuts this process in and makes it the program: the path, the name that it is called by, and its arguments. `home` becomes its `HOME`, and it becomes `user`, if one is
/// given. Returns only when that fails; no program is ever started outside the walls.
pub fn confine(reach: &Reach, home: &Path, user: Option<u32>, command: &[OsString]) -> ConfineError {
    let [program, name, arguments @ ..] = command else {
        return ConfineError::NoProgram;
    };
    if let Err(error) = shut_in(reach) {
        return error;
    }
    let mut command = Command::new(program);
    command.arg0(name).args(arguments).env("HOME", home);
    if let Some(user) = user {
        become_user(&mut command, user);
    }
    let source = command.exec();
    ConfineError::Start {
        program: program.to_string_lossy().into_owned(),
        source,
    }
}

fn shut_in(reach: &Reach) -> Result<(), ConfineError> {
    let rights = AccessFs::from_all(RIGHTS);
    let reading = AccessFs::from_read(RIGHTS);
    // No signal gets out: not to the steps beside this one, and not to the worker.
    let mut walls = Ruleset::default()
        .handle_access(rights)?
        .scope(Scope::Signal)?
        .create()?;
    // Listing what devices there are reveals nothing that /sys does not.
    walls = walls.add_rule(PathBeneath::new(PathFd::new("/dev")?, AccessFs::ReadDir))?;
    for path in SYSTEM {
        walls = open_if_there(walls, Path::new(path), reading)?;
    }
    for path in DEVICES.iter().map(PathBuf::from).chain(nvidia()?) {
        walls = open_if_there(walls, &path, rights)?;
    }
    for path in &reach.readable {
        walls = open_if_there(walls, path, reading)?;
    }
    for path in &reach.writable {
        walls = open_if_there(walls, path, rights)?;
    }
    let status = walls.restrict_self()?;
    if status.ruleset == RulesetStatus::NotEnforced {
        return Err(ConfineError::Unavailable);
    }
    Ok(())
}

/// Opens a door, unless what is behind it does not exist. A file's door has no rights that only folders have.
fn open_if_there(
    walls: RulesetCreated,
    path: &Path,
    rights: BitFlags<AccessFs>,
) -> Result<RulesetCreated, ConfineError> {
    let Ok(metadata) = path.metadata() else {
        return Ok(walls);
    };
    let rights = if metadata.is_dir() {
        rights
    } else {
        rights & AccessFs::from_file(RIGHTS)
    };
    Ok(walls.add_rule(PathBeneath::new(PathFd::new(path)?, rights))?)
}

fn nvidia() -> Result<Vec<PathBuf>, ConfineError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/dev").map_err(ConfineError::Devices)? {
        let entry = entry.map_err(ConfineError::Devices)?;
        if entry.file_name().to_string_lossy().starts_with(NVIDIA) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_to_a_folder_is_found_through_links() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("site/state");
        std::fs::create_dir_all(&state).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("site"), &link).unwrap();
        let other = dir.path().join("site/states");
        let reach = |readable: &Path| Reach {
            readable: vec![readable.to_owned()],
            writable: Vec::new(),
        };
        assert_eq!(reach(&link).leads_to(&state), Some(link));
        assert_eq!(reach(&other).leads_to(&state), None);
        assert_eq!(
            reach(&other).leads_to(Path::new("/opt/tidemill")),
            Some(PathBuf::from("/opt"))
        );
    }
}
