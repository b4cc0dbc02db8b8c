//! An attempt as a user of its own: the user is taken before anything is prepared, gets what is the attempt's own, and is parted from when no process of it is left.
//! Where the worker gives no users, all of this does nothing.

use super::job::{Attempt, Ending};
use super::stage::disk;
use crate::users;
use std::path::{Path, PathBuf};
use tidemill_protocol::failure::{Failure, FailureReason};
use tidemill_protocol::plan::InputMode;

impl Attempt {
    /// Takes a user for the attempt, where attempts have some.
    pub(super) async fn take_user(&self) -> Result<(), Ending> {
        if !self.tools.users.are_given() {
            return Ok(());
        }
        if !self.tools.supervisor.gives_users() {
            let message = "the supervisor of this worker's steps is of an earlier version and cannot make them other users; drain this worker and start it again";
            return Err(Failure::with_message(FailureReason::StartFailed, message).into());
        }
        let users = self.tools.users.clone();
        let taken = tokio::task::spawn_blocking(move || users.take()).await;
        match taken {
            Ok(Ok(user)) => {
                if let Some(user) = user {
                    self.user.get_or_init(|| user);
                }
                Ok(())
            }
            Ok(Err(error)) => {
                let message = format!("no user for the step: {error}");
                Err(Failure::with_message(FailureReason::StartFailed, message).into())
            }
            Err(_) => Err(Ending::LeftToNextDaemon),
        }
    }

    /// As whom its process runs.
    pub(super) fn user(&self) -> Option<u32> {
        self.user.get().copied()
    }

    /// Gives the attempt's user what it writes, and what it may change of its inputs.
    pub(super) async fn hand_over(&self, writable: Vec<String>) -> Result<(), Ending> {
        let Some(user) = self.user() else {
            return Ok(());
        };
        let root = self.folder.root().to_owned();
        let streams = [self.folder.stdout(), self.folder.stderr()];
        let mut own: Vec<PathBuf> = writable.into_iter().map(PathBuf::from).collect();
        // The supervisor gives it those when it opens them.
        own.retain(|path| !streams.contains(path));
        own.extend([
            self.folder.parameters(),
            self.folder.tracking_authority(),
            self.folder.script(),
        ]);
        own.extend(self.own_inputs());
        let inputs = self.folder.inputs();
        let given = tokio::task::spawn_blocking(move || {
            users::show(&inputs)?;
            users::hand_over(&root, own.iter().map(PathBuf::as_path), user)
        });
        match given.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(disk(&error).into()),
            Err(_) => Err(Ending::LeftToNextDaemon),
        }
    }

    /// The inputs that the step was given as copies of its own.
    fn own_inputs(&self) -> impl Iterator<Item = PathBuf> {
        let inputs = self.task.template.work.inputs.iter();
        let copied = inputs.filter(|(_, port)| port.mode == InputMode::Copy);
        copied.map(|(name, _)| self.folder.input(name.as_str()))
    }

    /// Ends what its process left behind; what could not be ended is noted.
    pub(super) async fn end_leftovers(&self) -> Option<String> {
        let user = self.user()?;
        let is_gone = tokio::task::spawn_blocking(move || users::end_all(user)).await;
        let is_left = matches!(is_gone, Ok(false));
        is_left
            .then(|| format!("a process of user {user} could not be ended; no other attempt gets that user"))
    }

    /// The attempt is over: its folder is closed to the user, and the user is free for another, unless a process of it is left.
    pub(super) async fn part_from_user(&self) {
        let Some(user) = self.user() else {
            return;
        };
        let (users, root) = (self.tools.users.clone(), self.folder.root().to_owned());
        let parted = tokio::task::spawn_blocking(move || part(&users, &root, user));
        // A daemon that ends first leaves it to the next one.
        parted.await.ok();
    }
}

fn part(users: &users::Users, root: &Path, user: u32) {
    if let Err(error) = users::close(root) {
        tracing::warn!(folder = %root.display(), %error, "cannot close the folder of an attempt that is over");
        return;
    }
    if users::end_all(user) {
        users.give_back(user);
    } else {
        tracing::warn!(
            user,
            "a process of a step that is over could not be ended; its user is not given again"
        );
    }
}
