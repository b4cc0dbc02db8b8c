//! One attempt at a step. `make` is its course and `job` what it carries; `prepare` (with `stage`, `command`, `builtin`, `members`, `variables` and `tracking`) leads up to the
//! process, `checkpoint` (with `snapshot`) saves while it runs, `secrets` gives it what it may have, `finish` (with `outputs` and its `patience`) comes after it; `folder` (one of `folders`) is where it lives, `reuse` (with `seal`)
//! says whether it may serve again, `keepsakes` what stays of a fenced one; `status` is what others see of it, and `stop` how they end it.

mod builtin;
mod checkpoint;
mod command;
mod datastore;
mod finish;
mod folder;
mod folders;
mod job;
mod keepsakes;
mod make;
mod members;
mod outputs;
mod patience;
mod prepare;
mod reuse;
mod seal;
mod secrets;
mod snapshot;
mod stage;
mod status;
mod stop;
mod tracking;
mod user;
mod variables;

pub(crate) use command::find_program;
pub(crate) use folder::{AttemptRecord, Folder, attempt_key, remove};
pub(crate) use folders::Folders;
pub(crate) use job::{Job, Origin, Tools};
pub(crate) use make::make;
pub(crate) use stage::Sources;
pub(crate) use status::Status;
pub(crate) use stop::{Stop, StopCause};
