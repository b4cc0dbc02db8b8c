//! Problems found in pipeline files: what they are ([`Code`], [`Diagnostic`]), how they are gathered ([`Findings`]) and how they are shown.

mod code;
mod findings;
mod render;
mod source;
mod suggest;

pub use code::{Code, Severity};
pub(crate) use findings::{Findings, Place};
pub use render::{Diagnostic, Problems};
pub(crate) use source::{Location, SourceFile};
pub(crate) use suggest::{did_you_mean, nearest};
