//! A disk whose power can be cut: a file system in a file, which is copied while everything runs, without a sync. That is what a disk holds when the power
//! goes; then the copy takes its place. It can also be made to take nothing. Needs the right to mount.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Sparse: it takes what is written.
const DISK_BYTES: u64 = 512 * 1024 * 1024;

/// A file system in a file.
pub(crate) struct Disk {
    image: PathBuf,
    place: PathBuf,
}

impl Disk {
    /// An empty one in this place, its file in `folder`.
    ///
    /// # Panics
    /// When it cannot be made or mounted.
    pub(crate) fn make(folder: &Path, place: &Path) -> Self {
        let image = folder.join("disk.img");
        let file = fs::File::create(&image).expect("a file can be made");
        file.set_len(DISK_BYTES).expect("a file can be sparse");
        fs::create_dir(place).expect("a folder can be made");
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image));
        let disk = Self {
            image,
            place: place.to_owned(),
        };
        disk.mount();
        disk
    }

    fn mount(&self) {
        run(Command::new("mount")
            .args(["-o", "loop"])
            .arg(&self.image)
            .arg(&self.place));
    }

    /// From now on whoever writes to it is held by the kernel.
    pub(crate) fn freeze(&self) {
        run(Command::new("fsfreeze").arg("-f").arg(&self.place));
    }

    /// Whoever was held goes on.
    pub(crate) fn thaw(&self) {
        run(Command::new("fsfreeze").arg("-u").arg(&self.place));
    }

    /// What was on the disk at this moment is all that is left of it; `end` ends whoever uses it.
    pub(crate) fn cut(&mut self, end: impl FnOnce()) {
        let rest = self.image.with_extension("rest");
        fs::copy(&self.image, &rest).expect("the disk can be copied");
        end();
        run(Command::new("umount").arg("-l").arg(&self.place));
        fs::rename(&rest, &self.image).expect("the copy takes its place");
        self.mount();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A disk that a failed trial left frozen would hold its processes for ever.
        let mut thaw = Command::new("fsfreeze");
        thaw.arg("-u")
            .arg(&self.place)
            .stderr(Stdio::null())
            .status()
            .ok();
        Command::new("umount").arg("-l").arg(&self.place).status().ok();
    }
}

fn run(command: &mut Command) {
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        status.success(),
        "{command:?} failed: such disks are made as root"
    );
}
