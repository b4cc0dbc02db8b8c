//! Files that come in parts: what has come of each, in files of the uploads folder, until they are put together or given up. Kept in memory, so none outlives a restart;
//! the client begins again then. What a part is of, and who may send it, is the handlers' business (`parts.rs`).

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// Parts of one file.
pub(super) const PARTS_MAX: u32 = 10_000;
/// Files that come in parts at once.
const UPLOADS_MAX: usize = 64;
/// How long one may be silent before another takes its place.
const SILENT_MAX: Duration = Duration::from_hours(1);
/// Bytes that are copied at once when parts are put together.
const COPY_BYTES: usize = 1 << 20;

/// A part as it lies in its file.
#[derive(Debug)]
pub(super) struct Part {
    /// Its bytes.
    pub(super) file: NamedTempFile,
    /// What the client must name when it puts the parts together.
    pub(super) etag: String,
}

/// A file that comes in parts.
#[derive(Debug)]
struct Upload {
    /// Where it is to be.
    path: String,
    /// Who sends it.
    by: String,
    /// How many parts it will have.
    count: u32,
    parts: BTreeMap<u32, Part>,
    heard_at: Instant,
}

/// Why a part or a file is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum PartError {
    /// No such upload of this sender.
    #[error(
        "there is no upload `{0}` of yours; uploads in parts end with the coordinator and after an hour of silence"
    )]
    Unknown(String),
    /// Too many at once.
    #[error("{UPLOADS_MAX} files come in parts already")]
    TooMany,
    /// A number that no part has.
    #[error("the upload has parts 1 to {0}")]
    NoPart(u32),
    /// What is put together is not what came.
    #[error("part {0} is missing, or is not the one that came last")]
    Missing(u32),
    /// A file cannot be written.
    #[error("the parts cannot be put together: {0}")]
    Io(#[from] io::Error),
}

/// All files that come in parts. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Uploads(Arc<Mutex<BTreeMap<String, Upload>>>);

impl Uploads {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Upload>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one under this id.
    pub(super) fn begin(&self, id: &str, (path, by): (String, String), count: u32) -> Result<(), PartError> {
        let mut all = self.all();
        all.retain(|_, upload| upload.heard_at.elapsed() < SILENT_MAX);
        if all.len() >= UPLOADS_MAX {
            return Err(PartError::TooMany);
        }
        let upload = Upload {
            path,
            by,
            count,
            parts: BTreeMap::new(),
            heard_at: Instant::now(),
        };
        all.insert(id.to_owned(), upload);
        Ok(())
    }

    /// Refuses a part that nobody waits for, before its bytes are read.
    pub(super) fn check(&self, id: &str, by: &str, number: u32) -> Result<(), PartError> {
        let mut all = self.all();
        let upload = found(&mut all, id, by)?;
        upload.heard_at = Instant::now();
        if (1..=upload.count).contains(&number) {
            Ok(())
        } else {
            Err(PartError::NoPart(upload.count))
        }
    }

    /// Keeps a part; one of the same number that came before is dropped.
    pub(super) fn keep(&self, id: &str, by: &str, number: u32, part: Part) -> Result<(), PartError> {
        let mut all = self.all();
        let upload = found(&mut all, id, by)?;
        upload.heard_at = Instant::now();
        upload.parts.insert(number, part);
        Ok(())
    }

    /// Takes all parts in their order, which must be those that the client names for this path; the upload is over then.
    pub(super) fn finish(
        &self,
        id: &str,
        (path, by): (&str, &str),
        named: &BTreeMap<u32, String>,
    ) -> Result<Vec<Part>, PartError> {
        let mut all = self.all();
        let upload = found(&mut all, id, by)?;
        if upload.path != path {
            return Err(PartError::Unknown(id.to_owned()));
        }
        for number in 1..=upload.count {
            let came = upload.parts.get(&number).map(|part| part.etag.as_str());
            if came.is_none() || came != named.get(&number).map(String::as_str) {
                return Err(PartError::Missing(number));
            }
        }
        let upload = all.remove(id);
        Ok(upload
            .into_iter()
            .flat_map(|upload| upload.parts.into_values())
            .collect())
    }

    /// Gives one up; what came of it is gone. Nothing happens when it is over.
    pub(super) fn give_up(&self, id: &str, by: &str) {
        let mut all = self.all();
        if found(&mut all, id, by).is_ok() {
            all.remove(id);
        }
    }
}

fn found<'a>(all: &'a mut BTreeMap<String, Upload>, id: &str, by: &str) -> Result<&'a mut Upload, PartError> {
    let upload = all.get_mut(id).filter(|upload| upload.by == by);
    upload.ok_or_else(|| PartError::Unknown(id.to_owned()))
}

/// Puts parts together in a file of this folder. Each is removed when it is copied, so that the disk holds the whole and one part.
pub(super) fn put_together(parts: Vec<Part>, folder: &Path) -> Result<NamedTempFile, PartError> {
    let mut whole = NamedTempFile::new_in(folder)?;
    let mut buffer = vec![0; COPY_BYTES];
    for part in parts {
        let mut from = part.file.reopen()?;
        loop {
            let count = from.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            whole.write_all(buffer.get(..count).unwrap_or_default())?;
        }
    }
    whole.flush()?;
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(folder: &Path, text: &str) -> Part {
        let mut file = NamedTempFile::new_in(folder).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Part {
            file,
            etag: text.to_owned(),
        }
    }

    #[test]
    fn parts_come_in_any_order_and_again_and_are_put_together_in_theirs() {
        let (folder, uploads) = (tempfile::tempdir().unwrap(), Uploads::default());
        uploads.begin("u", ("p".into(), "ada".into()), 2).unwrap();
        for (number, text) in [(2, "two"), (1, "bad"), (1, "one")] {
            uploads.check("u", "ada", number).unwrap();
            uploads
                .keep("u", "ada", number, part(folder.path(), text))
                .unwrap();
        }
        let named = |first: &str| BTreeMap::from([(1, first.to_owned()), (2, "two".to_owned())]);
        let stale = uploads.finish("u", ("p", "ada"), &named("bad"));
        assert!(matches!(stale, Err(PartError::Missing(1))));
        let parts = uploads.finish("u", ("p", "ada"), &named("one")).unwrap();
        let whole = put_together(parts, folder.path()).unwrap();
        assert_eq!(std::fs::read_to_string(whole.path()).unwrap(), "onetwo");
        let files = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 1, "the parts are gone");
        assert!(matches!(uploads.check("u", "ada", 1), Err(PartError::Unknown(_))));
    }

    #[test]
    fn nobody_else_sends_parts_and_there_are_no_more_than_were_said() {
        let uploads = Uploads::default();
        uploads.begin("u", ("p".into(), "ada".into()), 2).unwrap();
        assert!(matches!(uploads.check("u", "eve", 1), Err(PartError::Unknown(_))));
        assert!(matches!(uploads.check("u", "ada", 0), Err(PartError::NoPart(2))));
        assert!(matches!(uploads.check("u", "ada", 3), Err(PartError::NoPart(2))));
        let elsewhere = uploads.finish("u", ("q", "ada"), &BTreeMap::new());
        assert!(matches!(elsewhere, Err(PartError::Unknown(_))));
        uploads.give_up("u", "eve");
        uploads.check("u", "ada", 1).unwrap();
        uploads.give_up("u", "ada");
        assert!(uploads.check("u", "ada", 1).is_err());
    }

    #[test]
    fn only_so_many_come_at_once() {
        let uploads = Uploads::default();
        for number in 0..UPLOADS_MAX {
            uploads
                .begin(&number.to_string(), ("p".into(), "ada".into()), 1)
                .unwrap();
        }
        let more = uploads.begin("more", ("p".into(), "ada".into()), 1);
        assert!(matches!(more, Err(PartError::TooMany)));
    }
}
