//! A disk that is soon full, for one daemon alone. Needs the right to mount.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system in memory that is unmounted when it is dropped.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// One of so many MiB in this place.
    ///
    /// # Panics
    /// When it cannot be mounted.
    pub(crate) fn at(path: &Path, mib: u32) -> Self {
        Self::try_at(path, mib)
            .expect("a small disk needs the right to mount one: run the whole campaign as root")
    }

    /// The same where it may be mounted.
    ///
    /// # Panics
    /// When the place cannot be made.
    pub(crate) fn try_at(path: &Path, mib: u32) -> Option<Self> {
        fs::create_dir_all(path).expect("the place can be made");
        let size = format!("size={mib}m");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &size, "none"]).arg(path);
        let mounted = command.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self(path.to_owned()))
    }

    /// Fills it but for this many MiB; the room comes back when the file is removed.
    pub(crate) fn fill(&self, left_mib: u64) -> PathBuf {
        let disk = rustix::fs::statvfs(&self.0).expect("it is mounted");
        let free = disk.f_bavail * disk.f_frsize;
        let ballast = self.0.join("ballast");
        let bytes = free.saturating_sub(left_mib << 20);
        fs::write(&ballast, vec![0; usize::try_from(bytes).expect("it is small")]).expect("there is room");
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}
