//! The software around a step: the host's own, or a Python environment that is built once per content, shared by all steps that need it, and removed when
//! it has not been used for long. `build` makes one with what `python` finds, `builders` run its processes, `shelf` keeps them, `ready` knows who waits for whom.
//! `listings` is about every Python of a step, whichever environment it is from.

mod build;
mod builders;
mod installation;
pub(crate) mod listings;
mod python;
mod ready;
mod shelf;

pub(crate) use builders::{BuildTools, Programs};
pub(crate) use ready::{Environments, Ready};
pub(crate) use shelf::is_build;
