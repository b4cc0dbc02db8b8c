//! The software around a step: the host's own, or a Python environment that is built once per content, shared by all steps that need it, and removed when
//! it has not been used for long. `build` makes one, `shelf` keeps them, `ready` knows who waits for whom.

mod build;
mod ready;
mod shelf;

pub(crate) use build::BuildTools;
pub(crate) use ready::{Environments, Ready};
