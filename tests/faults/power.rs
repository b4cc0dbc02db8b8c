//! Rows 5 and 59: power cuts. The coordinator's state lies on a file system in a file; the file is copied while everything runs, without a sync, which is what
//! a disk holds when the power goes; then the copy takes its place. Needs the right to mount.

use crate::campaign::{Campaign, cpu, pass};
use crate::settings::Settings;
use crate::trial::{Trial, slow};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use testkit::{BrokerAccess, Cluster, Random, Store};

pub(crate) const TRIALS: &[Trial] = &[slow(
    "a_power_cut_under_the_journal_loses_nothing_that_was_answered",
    power_cuts,
)];

const CUTS: u32 = 3;
/// Sparse: it takes what is written.
const DISK_BYTES: u64 = 512 * 1024 * 1024;

fn power_cuts() {
    let mut random = Random::new(Settings::read().seed);
    let cluster = Cluster::prepare(BrokerAccess::default(), Store::Folder, &[]);
    let folder = cluster.sandbox.path();
    let mut disk = Disk::make(folder, &folder.join("coordinator"));
    let mut campaign = Campaign::start_in(cluster, &[cpu("one", 2)]);
    for _ in 0..CUTS {
        for _ in 0..5 {
            campaign.submit(random.below(10));
        }
        pass(Duration::from_millis(random.below(3_000)));
        campaign.cluster.coordinator().freeze();
        disk.cut(|| campaign.cluster.kill_coordinator());
        campaign.cluster.start_coordinator();
    }
    campaign.end();
    drop(disk);
}

/// A file system in a file.
struct Disk {
    image: PathBuf,
    place: PathBuf,
}

impl Disk {
    fn make(folder: &Path, place: &Path) -> Self {
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

    /// What was on the disk at this moment is all that is left of it; `end` ends whoever uses it.
    fn cut(&mut self, end: impl FnOnce()) {
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
        Command::new("umount").arg("-l").arg(&self.place).status().ok();
    }
}

fn run(command: &mut Command) {
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        status.success(),
        "{command:?} failed: power cuts are tried as root"
    );
}
