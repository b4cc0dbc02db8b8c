//! Those outside who are told: a mail server and a webhook's receiver in Python, which say what they took as JSON, a line for each.

use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use testkit::{Daemon, END_DEADLINE, Sandbox, eventually};

/// One of them, while it runs.
pub(crate) struct Outsider {
    daemon: Daemon,
    /// Where it listens.
    pub(crate) port: u16,
    /// What those of the same name said before.
    said_before: usize,
}

impl Outsider {
    /// Starts a script of this folder with these arguments at this port, 0 for any.
    pub(crate) fn start(
        sandbox: &Sandbox,
        (python, script, text): (PathBuf, &str, &str),
        port: u16,
        arguments: &[&str],
    ) -> Self {
        let file = sandbox.write(script, text);
        let log = sandbox.path().join(format!("{script}.log"));
        let said_before = std::fs::read_to_string(&log).map_or(0, |text| objects(&text).len());
        let mut command = Command::new(python);
        command.arg(file).arg(port.to_string()).args(arguments);
        let mut daemon = Daemon::start(script, &mut command, &log);
        let port = eventually(END_DEADLINE, "it listens", || {
            assert!(daemon.is_running(), "it ended: {}", daemon.log());
            let said = objects(&daemon.log());
            u16::try_from(said.get(said_before)?["port"].as_u64()?).ok()
        });
        Self {
            daemon,
            port,
            said_before,
        }
    }

    /// What it has taken so far.
    pub(crate) fn taken(&self) -> Vec<Value> {
        objects(&self.daemon.log()).split_off(self.said_before + 1)
    }

    /// Waits until it has taken so many, and returns them.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Value> {
        eventually(END_DEADLINE, &format!("{count} were taken"), || {
            let taken = self.taken();
            (taken.len() >= count).then_some(taken)
        })
    }

    /// Takes it away.
    pub(crate) fn end(self) {
        self.daemon.kill();
    }
}

fn objects(log: &str) -> Vec<Value> {
    log.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(Value::is_object)
        .collect()
}
