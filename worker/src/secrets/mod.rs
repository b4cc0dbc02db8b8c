//! A step's secrets on this worker: asked for after the claim, kept in memory-backed files while the attempt lasts, and covered in what its process writes.
//! How an attempt goes about it is in [`crate::attempt`].

mod keep;
mod redactor;
mod source;
mod spellings;

pub(crate) use keep::{Keep, Redaction, clear_all_but, default_dir, dir_in};
pub(crate) use redactor::Cover;
#[cfg(test)]
pub(crate) use redactor::Redactor;
pub use source::{AskError, SecretSource};
