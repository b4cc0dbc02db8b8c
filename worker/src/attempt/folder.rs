//! The folder of one attempt: where things lie in it, what is written down for a restarted daemon, and how it goes away. Whether it may serve another
//! attempt is decided in `reuse`.

use super::seal::Seal;
use crate::slots::Grant;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tidemill_protocol::codec;
use tidemill_protocol::plan::{OutputPort, PortType};
use tidemill_protocol::wire::StepTask;

/// File in which the attempt is written down. A folder without it is no attempt any more.
pub(super) const RECORD: &str = "attempt";
/// Length and checksum before the record.
const HEADER_BYTES: usize = 12;
/// The mode of every folder that is made for an attempt.
pub(super) const FOLDER_MODE: u32 = 0o700;

/// What a restarted daemon needs to go on with an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AttemptRecord {
    /// The task, verified before it was written here.
    pub task: StepTask,
    /// What it holds.
    pub grant: Grant,
    /// How long environment and inputs took.
    pub preparing_ms: u64,
    /// What could not be honoured to the letter so far.
    pub notes: Vec<String>,
    /// The user that its process runs as, where that is not the worker's.
    #[serde(default)]
    pub user: Option<u32>,
}

/// The name of an attempt on this worker: no two tasks share it, because no two share their token.
pub(crate) fn attempt_key(task: &StepTask) -> String {
    let id = &task.attempt;
    format!("{}-{}-{}-{}", id.run, id.step, id.attempt, task.token)
}

/// An attempt's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folder {
    pub(super) root: PathBuf,
    /// Whether it is as [`Self::make`] and [`Self::make_work`] leave it.
    pub(super) is_ready: bool,
    /// On the folders that every attempt has, while they hold what they held when it was put there.
    pub(super) seal: Option<Seal>,
}

impl Folder {
    /// A folder of which nothing is known yet.
    pub(super) fn at(root: PathBuf) -> Self {
        Self {
            root,
            is_ready: false,
            seal: None,
        }
    }

    /// Makes the folder afresh with what every attempt has, except the working folder.
    pub(crate) fn make(&self) -> io::Result<()> {
        if self.is_ready {
            return Ok(());
        }
        let mut private = fs::DirBuilder::new();
        private.mode(FOLDER_MODE);
        match private.create(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                remove(&self.root)?;
                private.create(&self.root)?;
            }
            made => made?,
        }
        private.create(self.temporary())
    }

    /// Makes an empty working folder go away, because code is to be put in its place.
    pub(crate) fn unmake_work(&self) -> io::Result<()> {
        if self.is_ready {
            remove(&self.work())
        } else {
            Ok(())
        }
    }

    /// Makes the working folder when no code was put there, and the two folders that scripts write to by habit.
    pub(crate) fn make_work(&self, over_code: bool) -> io::Result<()> {
        if self.is_ready && !over_code {
            return Ok(());
        }
        let mut private = fs::DirBuilder::new();
        private.mode(FOLDER_MODE);
        for folder in [self.work(), self.work_outputs(), self.work_logs()] {
            match private.create(&folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made?,
            }
        }
        Ok(())
    }

    /// The process's working folder.
    pub(crate) fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// `./outputs`, stored as the job's own artifacts.
    pub(crate) fn work_outputs(&self) -> PathBuf {
        self.root.join("work/outputs")
    }

    /// `./logs`, stored beside them.
    pub(crate) fn work_logs(&self) -> PathBuf {
        self.root.join("work/logs")
    }

    /// The process's `TMPDIR`.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Where the step finds and puts its checkpoint, unless it chose a place itself.
    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.root.join("checkpoint")
    }

    /// Where inputs are put.
    pub(crate) fn inputs(&self) -> PathBuf {
        self.root.join("inputs")
    }

    /// Where an input is put.
    pub(crate) fn input(&self, name: &str) -> PathBuf {
        self.inputs().join(name)
    }

    /// Where outputs are put.
    pub(crate) fn outputs(&self) -> PathBuf {
        self.root.join("outputs")
    }

    /// The folder of an output.
    pub(crate) fn output_folder(&self, name: &str) -> PathBuf {
        self.outputs().join(name)
    }

    /// Where the process is to write an output: its folder, or a file in it. None when the file's name would lead elsewhere.
    pub(crate) fn output(&self, name: &str, port: &OutputPort) -> Option<PathBuf> {
        let folder = self.output_folder(name);
        match port.port_type {
            PortType::Folder | PortType::Literal => Some(folder),
            PortType::File => {
                let file = port.file_name.as_deref().unwrap_or(name);
                let plain = !matches!(file, "" | "." | "..") && !file.contains(['/', '\0']);
                plain.then(|| folder.join(file))
            }
        }
    }

    /// The inputs and outputs as a JSON file for the process.
    pub(crate) fn parameters(&self) -> PathBuf {
        self.root.join("parameters.json")
    }

    /// Certificates that vouch for the tracking server, for the process.
    pub(crate) fn tracking_authority(&self) -> PathBuf {
        self.root.join("tracking-ca.pem")
    }

    /// A script too long for an argument.
    pub(crate) fn script(&self) -> PathBuf {
        self.root.join("script.sh")
    }

    /// The whole standard output.
    pub(crate) fn stdout(&self) -> PathBuf {
        self.root.join("stdout")
    }

    /// The whole standard error.
    pub(crate) fn stderr(&self) -> PathBuf {
        self.root.join("stderr")
    }

    /// Writes the attempt down for a restarted daemon. In place: a file that keeps its length costs the file system next to nothing.
    pub(crate) fn write_record(&self, record: &AttemptRecord) -> io::Result<()> {
        let body = codec::encode(record);
        let length = u32::try_from(body.len()).map_err(io::Error::other)?;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&checksum(&body));
        bytes.extend_from_slice(&body);
        self.record_file()?.write_all(&bytes)
    }

    fn record_file(&self) -> io::Result<fs::File> {
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        options.open(self.root.join(RECORD))
    }

    /// Reads what was written down; none when the attempt is over or was never complete.
    pub(crate) fn read_record(&self) -> Option<AttemptRecord> {
        let bytes = fs::read(self.root.join(RECORD)).ok()?;
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (sum, rest) = rest.split_first_chunk::<8>()?;
        let body = rest.get(..u32::from_le_bytes(*length) as usize)?;
        if *sum != checksum(body) {
            return None;
        }
        codec::decode(body).ok()
    }

    /// Marks the attempt as over: from here on a restarted daemon only clears it away.
    pub(crate) fn close(&self) {
        // A folder that stays marked costs a restarted daemon a report that the coordinator ignores.
        let closed = self
            .record_file()
            .and_then(|mut file| file.write_all(&[0; HEADER_BYTES]));
        if let Err(error) = closed {
            tracing::warn!(folder = %self.root.display(), %error, "cannot mark an attempt as over");
        }
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }
}

fn checksum(body: &[u8]) -> [u8; 8] {
    let mut sum = [0; 8];
    sum.copy_from_slice(&blake3::hash(body).as_bytes()[..8]);
    sum
}

/// Removes a folder with everything in it, also when the step (or the staging) made parts of it read-only.
pub(crate) fn remove(root: &Path) -> io::Result<()> {
    match fs::remove_dir_all(root) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(root);
            fs::remove_dir_all(root)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn make_writable(root: &Path) {
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).ok();
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        // The entry's own type: links are not followed.
        waiting.extend(
            entries
                .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()))
                .map(|e| e.path()),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(file_name: Option<&str>) -> OutputPort {
        OutputPort {
            port_type: PortType::File,
            file_name: file_name.map(Into::into),
            optional: false,
        }
    }

    #[test]
    fn an_outputs_file_name_cannot_lead_out_of_its_folder() {
        let folder = Folder::at(PathBuf::from("/s/k"));
        assert_eq!(
            folder.output("model", &port(Some("m.pkl"))).unwrap(),
            Path::new("/s/k/outputs/model/m.pkl")
        );
        assert_eq!(
            folder.output("model", &port(None)).unwrap(),
            Path::new("/s/k/outputs/model/model")
        );
        for bad in ["..", ".", "", "a/b", "/etc/passwd"] {
            assert!(folder.output("model", &port(Some(bad))).is_none(), "{bad}");
        }
    }

    #[test]
    fn what_a_step_made_read_only_still_goes_away() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(dir.path().join("k"));
        folder.make().unwrap();
        folder.make_work(false).unwrap();
        fs::write(folder.work().join("f"), "x").unwrap();
        fs::set_permissions(folder.work(), fs::Permissions::from_mode(0o500)).unwrap();
        remove(folder.root()).unwrap();
        assert!(!folder.root().exists());
    }
}
