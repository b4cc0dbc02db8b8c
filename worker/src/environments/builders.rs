//! How a build's processes run: under the supervisor, as those of a step do, with the same walls, limits and end. Requirements are code of whoever wrote them. Which programs
//! are run is decided by `build` and `python`.

use super::installation::installation;
use super::shelf::{Place, blocking};
use crate::attempt::{self, find_program};
use crate::supervisor::client::SupervisorHandle;
use crate::supervisor::message::{End, ExitRecord, OwnFiles, Start};
use crate::users::{self, Users};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tidemill_protocol::plan::PythonEnvironment;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Pause between SIGTERM and SIGKILL when a build is ended: it has nothing to save.
const GRACE_MS: u64 = 2_000;

/// The programs that builds find.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    /// The environment of the builders' processes: the steps' base.
    pub variables: BTreeMap<String, String>,
}

/// What builds run with.
#[derive(Debug, Clone)]
pub(crate) struct BuildTools {
    /// What they find.
    pub programs: Programs,
    /// Who runs them.
    pub supervisor: SupervisorHandle,
    /// Out of which a build takes the user that it runs as; none where steps run as the worker, too.
    pub users: Arc<Users>,
    /// How long one may take.
    pub time_max: Duration,
    /// How much of what it says is kept.
    pub log_bytes_max: u64,
}

/// Why there is no environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unbuilt {
    /// It cannot be built; the text says why.
    Failed(String),
    /// Nobody waited for it any more.
    Unwanted,
    /// The daemon ends; the next one ends what still runs, and builds it anew.
    Left,
}

impl From<String> for Unbuilt {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

/// One build.
#[derive(Debug)]
pub(super) struct Builder<'a> {
    pub tools: &'a BuildTools,
    pub place: &'a Place,
    unwanted: &'a CancellationToken,
    until: Instant,
    /// As whom its processes run.
    user: Option<u32>,
    /// Whether it has a home of its own instead of the worker's, in which caches are that other builds read.
    is_apart: bool,
    /// Whether the log says what is in force.
    has_noted: AtomicBool,
    /// Where the environment's Python is from.
    installation: OnceLock<PathBuf>,
}

impl Programs {
    pub(super) fn find(&self, name: &str) -> Option<String> {
        let path = self.variables.get("PATH").map_or("", String::as_str);
        find_program(name, path, Path::new("/"))
    }
}

impl<'a> Builder<'a> {
    /// Prepares what a build writes.
    pub(super) async fn begin(
        tools: &'a BuildTools,
        place: &'a Place,
        wanted: &PythonEnvironment,
        unwanted: &'a CancellationToken,
    ) -> Result<Self, Unbuilt> {
        if tools.users.are_given() && !tools.supervisor.gives_users() {
            let why = "the supervisor of this worker is of an earlier version and cannot make builds other users; drain this worker and start it again";
            return Err(Unbuilt::Failed(why.to_owned()));
        }
        let (own, users) = (place.clone(), tools.users.clone());
        let requirements = wanted.requirements.join("\n") + "\n";
        let user = blocking(move || {
            let user = users.take()?;
            let prepared = prepare(&own, &requirements, user);
            if let (Err(_), Some(user)) = (&prepared, user) {
                users.give_back(user);
            }
            prepared.map(|()| user)
        });
        let user = user.await?;
        Ok(Self {
            tools,
            place,
            unwanted,
            until: Instant::now() + tools.time_max,
            user,
            is_apart: user.is_some() || tools.supervisor.shuts_in(),
            has_noted: AtomicBool::new(false),
            installation: OnceLock::new(),
        })
    }

    /// Runs one program with its output in the log, and ends whatever it leaves behind.
    pub(super) async fn run(&self, program: &Program, arguments: &[String]) -> Result<(), Unbuilt> {
        let words = std::iter::once(program.path.as_str()).chain(arguments.iter().map(String::as_str));
        let line = words.collect::<Vec<_>>().join(" ");
        self.say(&format!("$ {line}"))?;
        if self.unwanted.is_cancelled() {
            return Err(Unbuilt::Unwanted);
        }
        let start = self.start(program, arguments);
        let (supervisor, key) = (&self.tools.supervisor, start.key.clone());
        let process = supervisor.run_again(start);
        tokio::pin!(process);
        let exit = tokio::select! {
            exit = &mut process => exit,
            () = self.unwanted.cancelled() => {
                supervisor.stop(&key).await;
                process.await
            }
        };
        let exit = exit.ok_or(Unbuilt::Left)?;
        supervisor.forget(&key).await;
        // They are the same for every command.
        if !self.has_noted.swap(true, Ordering::Relaxed) {
            for note in &exit.notes {
                self.say(&format!("# {note}"))?;
            }
        }
        self.judge(&line, exit)
    }

    /// The environment is there, and nothing is installed in it: what its Python leads to is as the worker's own programs have made it. What is installed may lead it
    /// elsewhere, and steps would be let in there.
    pub(super) fn note_installation(&self) {
        let (folder, fetched) = (&self.place.folder, &self.place.pythons);
        if let Some(found) = installation(&folder.join("bin/python"), folder)
            && !fetched
                .canonicalize()
                .is_ok_and(|fetched| found.starts_with(fetched))
        {
            self.installation.get_or_init(|| found);
        }
    }

    /// The build is over: nothing of it runs on, and what it made is the worker's. Answers the installation of which its Python is, unless that was fetched for it.
    pub(super) async fn finish(self) -> Result<Option<PathBuf>, Unbuilt> {
        let (place, users, user) = (self.place.clone(), self.tools.users.clone(), self.user);
        let finished = blocking(move || {
            let taken = user.map_or(Ok(()), |user| part(&place, &users, user));
            attempt::remove(&place.home)?;
            // Fails where it holds a Python that was fetched.
            fs::remove_dir(&place.pythons).ok();
            taken
        });
        finished.await?;
        Ok(self.installation.into_inner())
    }

    fn start(&self, program: &Program, arguments: &[String]) -> Start {
        let left = self.until.saturating_duration_since(Instant::now()).as_millis();
        let mut vector = vec![program.path.clone()];
        vector.extend_from_slice(arguments);
        let place = self.place;
        let texts = |paths: &[PathBuf]| paths.iter().map(|path| text(path)).collect();
        let written = [&place.folder, &place.home, &place.pythons, &place.log].map(Clone::clone);
        Start {
            key: place.key(),
            program: program.path.clone(),
            arguments: vector,
            environment: self.variables().into_iter().collect(),
            secrets: Vec::new(),
            members: vec![Vec::new()],
            folder: text(&place.home),
            stdout: text(&place.log),
            stderr: text(&place.log),
            time_limit_ms: Some(u64::try_from(left).unwrap_or(u64::MAX)),
            grace_ms: GRACE_MS,
            memory_bytes: 0,
            log_bytes_max: self.tools.log_bytes_max,
            own: OwnFiles {
                readable: texts(&program.needs),
                writable: texts(&written),
                home: text(&place.home),
            },
            user: self.user,
        }
    }

    fn variables(&self) -> BTreeMap<String, String> {
        let mut all = self.tools.programs.variables.clone();
        let home = &self.place.home;
        let mut own = vec![("TMPDIR", text(&self.place.temporary()))];
        if self.is_apart {
            own.push(("HOME", text(home)));
            // Which is to stay when the home goes.
            own.push(("UV_PYTHON_INSTALL_DIR", text(&self.place.pythons)));
        }
        if self.user.is_some() {
            own.extend(["USER", "LOGNAME"].map(|name| (name, "build".to_owned())));
        }
        all.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value)));
        all
    }

    fn judge(&self, line: &str, exit: ExitRecord) -> Result<(), Unbuilt> {
        let why = match exit.end {
            End::Exited(0) => return Ok(()),
            End::Stopped => return Err(Unbuilt::Unwanted),
            End::Exited(code) => format!("`{line}` ended with exit code {code}"),
            End::Signalled(signal) => format!("`{line}` was ended by signal {signal}"),
            End::OutOfMemory => format!("`{line}` was ended for want of memory"),
            End::TimedOut => {
                return Err(Unbuilt::Failed(format!(
                    "the build took longer than {} s, and `{line}` was ended\nhelp: the worker's setting `environment_timeout` gives builds more time",
                    self.tools.time_max.as_secs()
                )));
            }
            End::NotStarted(why) => why,
            End::Orphaned => {
                format!("the supervisor of `{line}` was killed, and the build with it; run the step again")
            }
        };
        let help = "\nhelp: builds are shut in as steps are: what they need beside the system and the index of packages is named in the worker's `sandbox_readable`";
        let help = if self.tools.supervisor.shuts_in() {
            help
        } else {
            ""
        };
        Err(Unbuilt::Failed(format!("{why}{help}")))
    }

    fn say(&self, line: &str) -> Result<(), Unbuilt> {
        let mut options = OpenOptions::new();
        let file = options.append(true).open(&self.place.log);
        let said = file.and_then(|mut file| writeln!(file, "{line}"));
        said.map_err(|error| Unbuilt::Failed(format!("cannot write the build's log: {error}")))
    }
}

/// A program that takes part, with what it is made of, where that is not the system's.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub path: String,
    needs: Vec<PathBuf>,
}

impl Program {
    /// A program for a build at this place. One that belongs to an installation of Python needs that, too.
    pub(super) fn at(path: &str, place: &Place) -> Self {
        let named = Path::new(path);
        let mut needs = vec![named.to_owned()];
        needs.extend(installation(named, &place.folder));
        // A virtual environment's own Python finds the installation by what lies beside it.
        let around = named.parent().and_then(Path::parent);
        let is_one =
            |around: &&Path| around.join("pyvenv.cfg").is_file() && !place.folder.starts_with(around);
        needs.extend(around.filter(is_one).map(Path::to_owned));
        Self {
            path: path.to_owned(),
            needs,
        }
    }

    /// The same, which starts this other one.
    pub(super) fn with(&self, other: &Self) -> Self {
        let needs = self.needs.iter().chain(&other.needs);
        Self {
            path: self.path.clone(),
            needs: needs.cloned().collect(),
        }
    }
}

/// Makes a place for a build, whatever is there, and gives it to the build's user. Blocks.
fn prepare(place: &Place, requirements: &str, user: Option<u32>) -> io::Result<()> {
    place.clear()?;
    // By its name only: an earlier build's user may still have the old one open.
    match fs::remove_file(&place.log) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).open(&place.log)?;
    let temporary = place.temporary();
    // What stays is for every step to read, also for those that are other users one day.
    let folders = [
        (&place.folder, 0o755),
        (&place.pythons, 0o755),
        (&place.home, 0o700),
        (&temporary, 0o700),
    ];
    for (folder, mode) in folders {
        DirBuilder::new().mode(mode).create(folder)?;
    }
    // In the home, since the environment is what the build makes.
    fs::write(place.requirements(), requirements)?;
    if let Some(user) = user {
        users::own(&place.requirements(), user)?;
        for (folder, _) in folders {
            users::own(folder, user)?;
        }
    }
    Ok(())
}

/// Parts with a build's user. Blocks.
fn part(place: &Place, users: &Users, user: u32) -> io::Result<()> {
    if !users::end_all(user) {
        return Err(io::Error::other("a process of the build could not be ended"));
    }
    let taken = users::take_back(&place.folder, user).and_then(|()| users::take_back(&place.pythons, user));
    users::own(&place.log, 0)?;
    users.give_back(user);
    taken
}

pub(super) fn text(path: &Path) -> String {
    path.display().to_string()
}
