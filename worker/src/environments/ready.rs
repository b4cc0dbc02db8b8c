//! Makes environments ready for attempts: one build for all who wait for it, its log copied into each waiting attempt's own.

use super::build;
use super::builders::BuildTools;
use super::shelf::{Shelf, Use, blocking};
use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::plan::Environment;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// How often a waiting attempt's own log is brought up to the build's.
const COPY_EVERY: Duration = Duration::from_millis(200);
/// The most of a build's log that is copied into an attempt's.
const BUILD_LOG_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// An environment that is ready. While it is held, it is not removed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ready {
    /// Its folder; none for the host's own.
    pub folder: Option<PathBuf>,
    /// What could not be honoured to the letter.
    pub notes: Vec<String>,
    /// Keeps it from being removed.
    _held: Option<Arc<Use>>,
}

impl Ready {
    /// The folders that its programs need: its own, and that of the Python installation from which it was made, which holds the standard library.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let own = self.folder.clone();
        let installation = own.as_deref().and_then(installation);
        own.into_iter().chain(installation).collect()
    }
}

fn installation(environment: &Path) -> Option<PathBuf> {
    let program = environment.join("bin/python").canonicalize().ok()?;
    let prefix = program.parent()?.parent()?;
    if environment.canonicalize().ok()?.starts_with(prefix) {
        // The worker's own folder would be open with it.
        return None;
    }
    // Where there is no library beside it, the program stands alone, and the folder above it is anybody's.
    let mut library = fs::read_dir(prefix.join("lib")).ok()?.flatten();
    let has_one = library.any(|entry| entry.file_name().to_string_lossy().starts_with("python3"));
    has_one.then(|| prefix.to_owned())
}

/// How a build ended: notes, or why it failed.
type Outcome = Result<Vec<String>, String>;
/// A build under way, as those who wait for it see it.
type Build = watch::Receiver<Option<Outcome>>;

/// All environments of a worker. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Environments {
    shelf: Arc<Shelf>,
    tools: Arc<BuildTools>,
    builds: Arc<Mutex<HashMap<Digest, Build>>>,
    tracker: TaskTracker,
}

impl Environments {
    /// The environments in this folder.
    pub(crate) fn open(
        dir: &Path,
        tools: BuildTools,
        kept_max: usize,
        unused_max: Duration,
    ) -> std::io::Result<Self> {
        Ok(Self {
            shelf: Arc::new(Shelf::open(dir, kept_max, unused_max)?),
            tools: Arc::new(tools),
            builds: Arc::default(),
            tracker: TaskTracker::new(),
        })
    }

    /// Makes an environment ready, building it if nobody has. What a build says is appended to `log` as it says it.
    pub(crate) async fn prepare(&self, wanted: &Environment, log: &Path) -> Result<Ready, String> {
        let Some(python) = &wanted.python else {
            let ignored = wanted.image.as_ref().map(|image| {
                format!(
                    "the container image {image} was asked for: the step ran in the worker's own environment"
                )
            });
            return Ok(Ready {
                notes: ignored.into_iter().collect(),
                ..Ready::default()
            });
        };
        let digest = wanted.digest();
        let shelf = self.shelf.clone();
        let taken = blocking(move || shelf.take(&digest)).await?;
        if let Some((held, notes)) = taken {
            return Ok(self.ready(&digest, held, notes));
        }
        let build = self.join_build(digest, python.clone());
        watch_build(build, &self.shelf.log(&digest), log).await?;
        let shelf = self.shelf.clone();
        match blocking(move || shelf.take(&digest)).await? {
            Some((held, notes)) => Ok(self.ready(&digest, held, notes)),
            None => Err("the environment was removed right after it was built".to_owned()),
        }
    }

    fn ready(&self, digest: &Digest, held: Use, notes: Vec<String>) -> Ready {
        Ready {
            folder: Some(self.shelf.folder(digest)),
            notes,
            _held: Some(Arc::new(held)),
        }
    }

    /// The build that is under way, or a new one. It goes on when nobody waits for it any more: the next step will.
    fn join_build(&self, digest: Digest, python: tidemill_protocol::plan::PythonEnvironment) -> Build {
        let mut builds = self.builds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(build) = builds.get(&digest) {
            return build.clone();
        }
        let (tell, told) = watch::channel(None);
        builds.insert(digest, told.clone());
        let this = self.clone();
        self.tracker.spawn(async move {
            let outcome = build::build(&this.shelf, &this.tools, &digest, &python).await;
            this.builds
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&digest);
            if let Err(why) = &outcome {
                tracing::warn!(environment = %digest.short(), why, "environment could not be built");
            }
            // Nobody may be waiting any more.
            tell.send(Some(outcome)).ok();
            let shelf = this.shelf.clone();
            blocking(move || shelf.prune()).await.ok();
        });
        told
    }
}

/// Waits for a build, copying what it says.
async fn watch_build(mut build: Build, from: &Path, to: &Path) -> Result<(), String> {
    let mut copied = 0;
    loop {
        let waited = tokio::time::timeout(COPY_EVERY, build.wait_for(Option::is_some)).await;
        let ended = match waited {
            Err(_) => None,
            Ok(Err(_)) => return Err("the build was given up".to_owned()),
            Ok(Ok(outcome)) => outcome.clone(),
        };
        copied = copy_growth(from, to, copied);
        if let Some(outcome) = ended {
            return outcome.map(drop);
        }
    }
}

/// Appends what a file has gained since `copied`; answers how far it has come. Logs are a courtesy: failures are not passed on.
fn copy_growth(from: &Path, to: &Path, copied: u64) -> u64 {
    let copy = || -> std::io::Result<u64> {
        let mut source = fs::File::open(from)?;
        source.seek(SeekFrom::Start(copied))?;
        let mut bytes = Vec::new();
        source
            .take(BUILD_LOG_BYTES_MAX.saturating_sub(copied))
            .read_to_end(&mut bytes)?;
        if !bytes.is_empty() {
            let mut sink = OpenOptions::new().create(true).append(true).open(to)?;
            sink.write_all(&bytes)?;
        }
        Ok(copied + bytes.len() as u64)
    };
    copy().unwrap_or(copied)
}
