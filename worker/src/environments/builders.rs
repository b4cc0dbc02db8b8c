//! What builders of environments run with, as whom, and the programs that they find there. Which of them are used is decided by `build` and `python`.

use crate::attempt::{self, find_program};
use crate::users::{self, Users};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::process::Command;

/// What builds run with.
#[derive(Debug, Clone)]
pub(crate) struct BuildTools {
    /// The environment of the builders' processes: the steps' base.
    pub variables: BTreeMap<String, String>,
    /// Out of which a build takes the user that it runs as; none where steps run as the worker, too.
    pub users: Arc<Users>,
}

/// What one build runs with: where steps are users of their own, another user than the worker, since requirements run code of whoever wrote them.
#[derive(Debug)]
pub(super) struct Builder<'a> {
    pub tools: &'a BuildTools,
    /// As whom its processes run.
    user: Option<u32>,
    /// That user's home, for as long as the build lasts.
    home: PathBuf,
}

impl<'a> Builder<'a> {
    /// One for an environment in this folder, which is made where its user could not. Blocks.
    pub(super) fn of(tools: &'a BuildTools, folder: &Path) -> io::Result<Self> {
        let home = folder.with_extension("home");
        let builder = Self {
            tools,
            user: tools.users.take()?,
            home,
        };
        if let Some(user) = builder.user {
            attempt::remove(&builder.home)?;
            for place in [folder, &builder.home] {
                fs::create_dir(place)?;
                users::own(place, user)?;
            }
        }
        Ok(builder)
    }

    /// A program that is to take part.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.tools.variables);
        if let Some(user) = self.user {
            for name in ["HOME", "TMPDIR"] {
                command.env(name, &self.home);
            }
            command.env("USER", "build").gid(user).uid(user);
        }
        command
    }

    /// The build is over: nothing of it runs on, and what it made is the worker's. Blocks.
    pub(super) fn finish(self, folder: &Path) -> io::Result<()> {
        let Some(user) = self.user else {
            return Ok(());
        };
        if !users::end_all(user) {
            return Err(io::Error::other("a process of the build could not be ended"));
        }
        let taken = users::take_back(folder, user);
        attempt::remove(&self.home)?;
        self.tools.users.give_back(user);
        taken
    }
}

impl BuildTools {
    pub(super) fn find(&self, name: &str) -> Option<String> {
        let path = self.variables.get("PATH").map_or("", String::as_str);
        find_program(name, path, Path::new("/"))
    }
}
