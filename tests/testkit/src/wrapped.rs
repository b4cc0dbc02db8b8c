//! A prepared command that is started by another program, as a shell with a limit or an entry into a network: with the same variables, in the same folder.

use std::process::Command;

/// `program arguments… inner…`, with what was set for `inner`.
pub(crate) fn through(program: &str, arguments: &[&str], inner: &Command) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg(inner.get_program())
        .args(inner.get_args());
    if let Some(folder) = inner.get_current_dir() {
        command.current_dir(folder);
    }
    copy_variables(inner, &mut command);
    command
}

/// Sets and removes what was set and removed for another command.
pub(crate) fn copy_variables(from: &Command, to: &mut Command) {
    for (name, value) in from.get_envs() {
        match value {
            Some(value) => to.env(name, value),
            None => to.env_remove(name),
        };
    }
}
