//! A program that runs as another user than the supervisor. Which user that is, and what it reaches, is the worker's business.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Lets a program run as this user, in the group of the same number and no other: the standard library leaves all groups that it is not told to keep.
pub(super) fn become_user(command: &mut Command, user: u32) {
    command.gid(user).uid(user);
}

/// What is in force, for the notes of the attempt. A process that could not become the user is not started.
pub(super) fn in_force(user: u32) -> String {
    format!("user {user} in force: the attempt's own, in no group but its own")
}
