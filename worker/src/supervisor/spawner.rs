//! The threads that start processes. Starting blocks its thread until the new program is loaded, so a few threads do it side by side. No process image is
//! copied: the standard library uses `posix_spawn` as long as the program is an absolute path and nothing has to run between fork and exec.

use super::confine::Reach;
use super::cookie::{Cookie, VARIABLE};
use super::event::Event;
use super::group::Door;
use super::message::{SecretVariable, Start};
use super::score::Scores;
use super::user::become_user;
use rustix::process::Pid;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread::Thread;

/// A process to start.
#[derive(Debug)]
pub(super) struct Order {
    /// The attempt.
    pub start: Arc<Start>,
    /// Which of its members.
    pub member: usize,
    /// What it carries.
    pub cookie: Cookie,
    /// The way into the attempt's control group.
    pub door: Option<Door>,
}

/// How processes are started.
#[derive(Debug)]
pub(super) struct Ways {
    /// What each is shut in by, where it is.
    pub walls: Option<Walls>,
    /// Whom the kernel ends first.
    pub scores: Scores,
}

/// How each process is shut in: it is started as this very program, with the verb that gives its files up and becomes the step's program.
#[derive(Debug)]
pub(super) struct Walls {
    launcher: Vec<OsString>,
}

impl Walls {
    /// Walls with these doors beside those of the attempt.
    pub(super) fn new(reach: &Reach) -> Self {
        // By this process, so that it is the same program after an upgrade, and also when a shell is in between.
        let program = format!("/proc/{}/exe", std::process::id());
        let mut launcher = vec![program.into(), "confine".into()];
        launcher.extend(options("--readable", &reach.readable));
        launcher.extend(options("--writable", &reach.writable));
        Self { launcher }
    }

    /// The argument vector that becomes the attempt's program.
    fn around(&self, start: &Start) -> Vec<OsString> {
        let mut all = self.launcher.clone();
        all.extend(options("--readable", &start.own.readable));
        all.extend(options("--writable", &start.own.writable));
        all.extend(options("--home", [&start.own.home]));
        // The launcher becomes the user: others than this process's own may not start this program.
        all.extend(options("--user", start.user.map(|user| user.to_string())));
        all.push("--".into());
        all.push(start.program.clone().into());
        all.extend(start.arguments.iter().map(OsString::from));
        all
    }
}

fn options<T: AsRef<OsStr>>(name: &str, values: impl IntoIterator<Item = T>) -> Vec<OsString> {
    let pairs = values
        .into_iter()
        .map(|value| [name.into(), value.as_ref().to_owned()]);
    pairs.flatten().collect()
}

/// Takes orders until there are no more, and wakes the reaper after each.
pub(super) fn serve(
    orders: &Mutex<Receiver<Order>>,
    events: &SyncSender<Event>,
    reaper: &Thread,
    ways: &Ways,
) {
    loop {
        let next = orders
            .lock()
            .expect("no spawner panics with the lock held")
            .recv();
        let Ok(order) = next else { return };
        let result = spawn(&order, ways);
        reaper.unpark();
        let key = order.start.key.clone();
        if events.send(Event::Spawned { key, result }).is_err() {
            return;
        }
    }
}

fn spawn(order: &Order, ways: &Ways) -> io::Result<Pid> {
    let (start, walls) = (&order.start, ways.walls.as_ref());
    // The path of the program, the name that it is called by, and its arguments.
    let vector: Vec<OsString> = match walls {
        Some(walls) => {
            let mut vector = walls.around(start);
            vector.insert(1, vector[0].clone());
            vector
        }
        None => std::iter::once(&start.program)
            .chain(&start.arguments)
            .map(OsString::from)
            .collect(),
    };
    let mut command = Command::new(&vector[0]);
    command.args(vector.iter().skip(2));
    if let Some(name) = vector.get(1) {
        command.arg0(name);
    }
    let own = start.members.get(order.member).into_iter().flatten();
    command
        .env_clear()
        .envs(start.environment.iter().chain(own).map(|(k, v)| (k, v)))
        .envs(secrets(start)?)
        .env(VARIABLE, order.cookie.to_string())
        .current_dir(&start.folder)
        .stdin(Stdio::null())
        .stdout(log_file(&start.stdout, start.user)?)
        .stderr(log_file(&start.stderr, start.user)?)
        .process_group(0);
    if let Some(user) = start.user.filter(|_| walls.is_none()) {
        become_user(&mut command, user);
    }
    let child = ways.scores.raised(|| match &order.door {
        Some(door) => door.through(|| command.spawn()),
        None => command.spawn(),
    })?;
    // Forgetting the handle neither ends nor awaits the child: the host does both.
    let number = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    Ok(number.expect("the kernel's process numbers are positive and fit"))
}

/// The variables whose values are secrets.
fn secrets(start: &Start) -> io::Result<Vec<(&str, OsString)>> {
    let read = |secret: &SecretVariable| -> io::Result<OsString> {
        let value = std::fs::read(&secret.file);
        value.map(OsString::from_vec).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("the secret for {} is gone: {error}", secret.variable),
            )
        })
    };
    let pairs = start.secrets.iter();
    pairs
        .map(|secret| Ok((secret.variable.as_str(), read(secret)?)))
        .collect()
}

/// A stream's file. It is the step's, which may open it by name (`/dev/stdout`).
fn log_file(path: &str, user: Option<u32>) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.create(true).append(true).mode(0o600).open(path)?;
    if user.is_some() {
        std::os::unix::fs::fchown(&file, user, user)?;
    }
    Ok(file)
}
