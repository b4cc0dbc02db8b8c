//! Makes environments ready for attempts: one build for all who wait for it, its log copied into each waiting attempt's own.

use super::build;
use super::builders::{BuildTools, Unbuilt};
use super::shelf::{Built, Shelf, Use, blocking};
use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::plan::{Environment, PythonEnvironment};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
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
    /// What its programs need: that folder, and the Python installation from which it was made, which holds the standard library.
    pub folders: Vec<PathBuf>,
    /// What could not be honoured to the letter.
    pub notes: Vec<String>,
    /// Keeps it from being removed.
    _held: Option<Arc<Use>>,
}

/// How a build ended: notes, or why it failed.
type Outcome = Result<Vec<String>, String>;
/// A build under way, as those who wait for it see it.
type Build = watch::Receiver<Option<Outcome>>;
/// A build under way, as the one that tells of it sees it.
type Teller = watch::Sender<Option<Outcome>>;

/// All environments of a worker. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Environments {
    shelf: Arc<Shelf>,
    tools: Arc<BuildTools>,
    builds: Arc<Mutex<HashMap<Digest, Teller>>>,
    /// Cancelled once nothing of an earlier daemon's builds runs any more.
    is_cleared: CancellationToken,
    tracker: TaskTracker,
}

impl Environments {
    /// The environments in this folder. None is built before [`Self::end_leftovers`] was called.
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
            is_cleared: CancellationToken::new(),
            tracker: TaskTracker::new(),
        })
    }

    /// Ends what the supervisor still runs of an earlier daemon's builds; then what is too old is removed, and builds may begin.
    pub(crate) fn end_leftovers(&self, keys: Vec<String>) {
        let this = self.clone();
        self.tracker.spawn(async move {
            let supervisor = &this.tools.supervisor;
            for key in &keys {
                supervisor.stop(key).await;
            }
            for key in &keys {
                if supervisor.wait(key).await.is_none() {
                    // This daemon ends, too.
                    return;
                }
                supervisor.forget(key).await;
            }
            this.prune().await;
            this.is_cleared.cancel();
        });
    }

    async fn prune(&self) {
        let shelf = self.shelf.clone();
        if let Err(why) = blocking(move || shelf.prune()).await {
            tracing::warn!(why, "cannot remove what is no environment any more");
        }
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
        if let Some(built) = taken {
            return Ok(self.ready(&digest, built));
        }
        let build = self.join_build(digest, python.clone());
        watch_build(build, &self.shelf.log(&digest), log).await?;
        let shelf = self.shelf.clone();
        match blocking(move || shelf.take(&digest)).await? {
            Some(built) => Ok(self.ready(&digest, built)),
            None => Err("the environment was removed right after it was built".to_owned()),
        }
    }

    fn ready(&self, digest: &Digest, built: Built) -> Ready {
        Ready {
            folder: Some(self.shelf.folder(digest)),
            folders: built.folders,
            notes: built.notes,
            _held: Some(Arc::new(built.held)),
        }
    }

    /// The build that is under way, or a new one.
    fn join_build(&self, digest: Digest, python: PythonEnvironment) -> Build {
        let mut builds = self.builds();
        if let Some(build) = builds.get(&digest) {
            return build.subscribe();
        }
        let (tell, told) = watch::channel(None);
        builds.insert(digest, tell.clone());
        let this = self.clone();
        self.tracker.spawn(async move {
            let outcome = this.build(&digest, &python, &tell).await;
            if let Err(why) = &outcome {
                tracing::warn!(environment = %digest.short(), why, "environment could not be built");
            }
            this.tell(&digest, &tell, outcome);
            this.prune().await;
        });
        told
    }

    fn tell(&self, digest: &Digest, tell: &Teller, outcome: Outcome) {
        let mut builds = self.builds();
        if builds.get(digest).is_some_and(|other| other.same_channel(tell)) {
            builds.remove(digest);
        }
        // Nobody may be waiting any more.
        tell.send(Some(outcome)).ok();
    }

    /// Builds as long as somebody waits for it: a build is somebody's code, which is not to run on when everybody who wanted it was told to stop.
    async fn build(&self, digest: &Digest, python: &PythonEnvironment, tell: &Teller) -> Outcome {
        self.is_cleared.cancelled().await;
        let unwanted = CancellationToken::new();
        let build = build::build(&self.shelf, &self.tools, digest, python, &unwanted);
        tokio::pin!(build);
        let built = loop {
            tokio::select! {
                built = &mut build => break built,
                () = tell.closed(), if !unwanted.is_cancelled() => {
                    if self.give_up(digest, tell) {
                        unwanted.cancel();
                    }
                }
            }
        };
        built.map_err(|unbuilt| match unbuilt {
            Unbuilt::Failed(why) => why,
            Unbuilt::Unwanted => "nobody waited for it any more".to_owned(),
            Unbuilt::Left => "the worker is ending".to_owned(),
        })
    }

    /// Whoever wants this environment from here on builds it anew; false when somebody has come to wait meanwhile.
    fn give_up(&self, digest: &Digest, tell: &Teller) -> bool {
        let mut builds = self.builds();
        let is_unwanted = tell.is_closed();
        if is_unwanted {
            builds.remove(digest);
        }
        is_unwanted
    }

    fn builds(&self) -> MutexGuard<'_, HashMap<Digest, Teller>> {
        self.builds.lock().unwrap_or_else(PoisonError::into_inner)
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
