//! What a step's user reaches of the worker's folders: the way to its own attempt, and the things there that are its own. Everything else in those folders is closed to
//! it, also what others of the machine could see before.

use rustix::fs::{AtFlags, CWD, Gid, Uid, chownat};
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// A folder through which everybody may go, and which only its owner lists and changes.
const PASSAGE: u32 = 0o711;
/// The folder of an attempt: its user goes through.
const ATTEMPT: u32 = 0o710;
/// What others have of a folder that they list and read.
const SHOWN: u32 = 0o005;
/// What nobody but the owner has.
const OTHERS: u32 = 0o077;
/// Of a worker's folder: what steps use.
const OPEN: [&str; 4] = ["attempts", "bin", "environments", "python"];
/// Of those, what holds one thing for each attempt: gone through, and not listed.
const PASSED: [&str; 2] = ["attempts", "environments"];

/// Lets steps pass through a folder of ours to those of these names, and closes what else is in it.
///
/// # Errors
/// The folder cannot be listed or changed.
pub fn let_through(folder: &Path, to: &[&str]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_open = to.iter().any(|name| entry.file_name() == OsStr::new(name));
        let found = entry.metadata();
        // One that is gone meanwhile needs no lock, and a link has no rights of its own.
        if let Ok(found) = found
            && !is_open
            && !found.is_symlink()
            && found.mode() & OTHERS != 0
        {
            let rights = Permissions::from_mode(found.mode() & 0o7777 & !OTHERS);
            fs::set_permissions(entry.path(), rights)?;
        }
    }
    fs::set_permissions(folder, Permissions::from_mode(PASSAGE))
}

/// Closes a folder again that was made a passage; one with other rights is its owner's business.
///
/// # Errors
/// It cannot be changed.
pub fn shut(folder: &Path) -> io::Result<()> {
    let is_passage = fs::metadata(folder).is_ok_and(|found| found.mode() & 0o7777 == PASSAGE);
    if is_passage { close(folder) } else { Ok(()) }
}

/// Opens a worker's folder for the users of its steps.
pub(crate) fn open(state_dir: &Path) -> io::Result<()> {
    for name in OPEN {
        show(&state_dir.join(name))?;
    }
    for name in PASSED {
        fs::set_permissions(state_dir.join(name), Permissions::from_mode(PASSAGE))?;
    }
    let_through(state_dir, &OPEN)
}

/// Closes a worker's folder to everybody else.
pub(crate) fn close(state_dir: &Path) -> io::Result<()> {
    fs::set_permissions(state_dir, Permissions::from_mode(0o700))
}

/// Whether everybody may go through the folders above this one.
///
/// # Errors
/// The first folder through which nobody may.
pub(crate) fn check_way(folder: &Path) -> Result<(), String> {
    let closed = folder.ancestors().skip(1).find(|folder| {
        let found = fs::metadata(folder);
        found.is_ok_and(|found| found.mode() & 0o001 == 0)
    });
    match closed {
        None => Ok(()),
        Some(folder) => Err(format!(
            "the users of steps cannot go through {}: put the state folder elsewhere, or `chmod o+x` that folder",
            folder.display()
        )),
    }
}

/// Lets everybody who reaches a folder list and read what is in it, where the worker makes folders that only it enters.
pub(crate) fn show(folder: &Path) -> io::Result<()> {
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        let found = match fs::symlink_metadata(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if found.mode() & SHOWN == SHOWN {
            // They are all made alike.
            return Ok(());
        }
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    Ok(())
}

/// Gives an attempt's folder to its user: that goes through it, and has these of its things with all that is in them.
pub(crate) fn hand_over<'a>(
    root: &Path,
    things: impl IntoIterator<Item = &'a Path>,
    uid: u32,
) -> io::Result<()> {
    for thing in things {
        give(thing, uid)?;
    }
    chown(root, None, uid)?;
    // Last: until here nobody enters.
    fs::set_permissions(root, Permissions::from_mode(ATTEMPT))
}

/// Makes one file or folder the user's own.
pub(crate) fn own(path: &Path, uid: u32) -> io::Result<()> {
    chown(path, Some(uid), uid)
}

/// Makes everything in a folder that a user made the worker's, for everybody to read.
///
/// # Errors
/// There is something in it that is not that user's, which could only be somebody else's file by another name.
pub(crate) fn take_back(folder: &Path, uid: u32) -> io::Result<()> {
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        let found = fs::symlink_metadata(&path)?;
        // A second name of a file that was taken back already is the worker's by then.
        let is_known = found.is_file() && found.nlink() > 1 && found.uid() == 0 && found.gid() == 0;
        if found.uid() != uid && !is_known {
            return Err(io::Error::other(format!("{} is somebody else's", path.display())));
        }
        if is_known {
            continue;
        }
        chown(&path, Some(0), 0)?;
        if found.is_symlink() {
            continue;
        }
        let may_execute = found.is_dir() || found.mode() & 0o100 != 0;
        let rights = found.mode() & 0o777 | if may_execute { 0o555 } else { 0o444 };
        fs::set_permissions(&path, Permissions::from_mode(rights))?;
        if found.is_dir() {
            for entry in fs::read_dir(&path)? {
                waiting.push(entry?.path());
            }
        }
    }
    Ok(())
}

fn give(thing: &Path, uid: u32) -> io::Result<()> {
    let mut waiting = vec![thing.to_owned()];
    while let Some(path) = waiting.pop() {
        let found = match fs::symlink_metadata(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if found.is_file() && found.nlink() > 1 {
            // Shared with the cache or with whoever put it there: not ours to give.
            let message = format!("{} has another name", path.display());
            return Err(io::Error::other(message));
        }
        own(&path, uid)?;
        if found.is_dir() {
            for entry in fs::read_dir(&path)? {
                waiting.push(entry?.path());
            }
        }
    }
    Ok(())
}

/// Never through a link.
fn chown(path: &Path, owner: Option<u32>, group: u32) -> io::Result<()> {
    let owner = owner.map(Uid::from_raw);
    let group = Some(Gid::from_raw(group));
    Ok(chownat(CWD, path, owner, group, AtFlags::SYMLINK_NOFOLLOW)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_folder_is_passed_through_to_what_is_named_and_to_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for folder in ["worker", "journal"] {
            fs::create_dir(at(folder)).unwrap();
            fs::set_permissions(at(folder), Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(at("file"), "").unwrap();
        fs::set_permissions(at("file"), Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", at("link")).unwrap();
        let passwd = mode(Path::new("/etc/passwd"));
        let_through(dir.path(), &["worker"]).unwrap();
        assert_eq!(mode(dir.path()), 0o711);
        assert_eq!(
            (mode(&at("worker")), mode(&at("journal")), mode(&at("file"))),
            (0o755, 0o700, 0o600)
        );
        assert_eq!(mode(Path::new("/etc/passwd")), passwd, "no link is followed");
    }

    #[test]
    fn a_way_that_is_closed_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("private/state");
        fs::create_dir_all(&state).unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o711)).unwrap();
        fs::set_permissions(dir.path().join("private"), Permissions::from_mode(0o700)).unwrap();
        let closed = check_way(&state).unwrap_err();
        assert!(closed.contains("/private"), "{closed}");
        fs::set_permissions(dir.path().join("private"), Permissions::from_mode(0o711)).unwrap();
        check_way(&state).unwrap();
    }

    #[test]
    fn what_has_another_name_is_not_given_away() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (root, work) = (dir.path().join("k"), dir.path().join("k/work"));
        fs::create_dir_all(&work).unwrap();
        fs::write(work.join("own"), "").unwrap();
        std::os::unix::fs::symlink(dir.path(), work.join("out")).unwrap();
        hand_over(&root, [&*work], 1_900_300_000).unwrap();
        assert_eq!(fs::metadata(work.join("own")).unwrap().uid(), 1_900_300_000);
        assert_eq!(fs::metadata(dir.path()).unwrap().uid(), 0, "no link is followed");
        let found = fs::metadata(&root).unwrap();
        assert_eq!((found.uid(), found.gid(), mode(&root)), (0, 1_900_300_000, 0o710));
        fs::write(dir.path().join("cache"), "").unwrap();
        fs::hard_link(dir.path().join("cache"), work.join("linked")).unwrap();
        assert!(hand_over(&root, [&*work], 1_900_300_000).is_err());
        assert_eq!(fs::metadata(dir.path().join("cache")).unwrap().uid(), 0);
    }
}
