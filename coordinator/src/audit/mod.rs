//! The audit log: who changed what, who was refused, from where. A file of lines that is only ever appended to, each line with the hash of the one before.
//!
//! ```text
//! gate ─admitted─▶ writer ─append, fdatasync─▶ HEAD ─▶ the handler makes the change ─▶ answer
//!                                                             └─outcome─▶ writer
//! ```
//!
//! A change is made only after the line that announces it is durable. Its outcome follows with the next batch; where a crash took that, the journal knows
//! what became of it. Refusals and uploads are many: after the first few of a kind they are counted and summed up in one line.

mod files;
mod layout;
mod reading;
mod tally;
mod verify;
mod writer;

pub use files::AuditLimits;
pub(crate) use files::Files;
pub(crate) use reading::{AuditQuery, export, read};
pub use verify::{AuditDamage, Verified, verify, verify_file};
pub(crate) use writer::{AuditLog, Writer, channel};

/// The folder in the state folder.
pub const AUDIT_DIR: &str = "audit";
