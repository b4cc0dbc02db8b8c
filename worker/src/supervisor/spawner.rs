//! The threads that start processes. Starting blocks its thread until the new program is loaded, so a few threads do it side by side. No process image is
//! copied: the standard library uses `posix_spawn` as long as the program is an absolute path and nothing has to run between fork and exec.

use super::cookie::{Cookie, VARIABLE};
use super::event::Event;
use super::message::Start;
use rustix::process::Pid;
use std::fs::{File, OpenOptions};
use std::io;
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
    /// File through which the process joins its memory group before it becomes the program.
    pub group_door: Option<String>,
}

/// Takes orders until there are no more, and wakes the reaper after each.
pub(super) fn serve(orders: &Mutex<Receiver<Order>>, events: &SyncSender<Event>, reaper: &Thread) {
    loop {
        let next = orders
            .lock()
            .expect("no spawner panics with the lock held")
            .recv();
        let Ok(order) = next else { return };
        let result = spawn(&order);
        reaper.unpark();
        let key = order.start.key.clone();
        if events.send(Event::Spawned { key, result }).is_err() {
            return;
        }
    }
}

fn spawn(order: &Order) -> io::Result<Pid> {
    let start = &order.start;
    let mut command = match &order.group_door {
        None => {
            let mut command = Command::new(&start.program);
            command.args(start.arguments.iter().skip(1));
            if let Some(name) = start.arguments.first() {
                command.arg0(name);
            }
            command
        }
        // Joining a control group takes a write by the process itself; the shell is replaced by the program.
        Some(door) => {
            let mut command = Command::new("/bin/sh");
            command
                .args(["-c", "echo $$ > \"$0\" && exec \"$@\"", door, &start.program])
                .args(start.arguments.iter().skip(1));
            command
        }
    };
    let own = start.members.get(order.member).into_iter().flatten();
    let child = command
        .env_clear()
        .envs(start.environment.iter().chain(own).map(|(k, v)| (k, v)))
        .env(VARIABLE, order.cookie.to_string())
        .current_dir(&start.folder)
        .stdin(Stdio::null())
        .stdout(log_file(&start.stdout)?)
        .stderr(log_file(&start.stderr)?)
        .process_group(0)
        .spawn()?;
    // Forgetting the handle neither ends nor awaits the child: the host does both.
    let number = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    Ok(number.expect("the kernel's process numbers are positive and fit"))
}

fn log_file(path: &str) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}
