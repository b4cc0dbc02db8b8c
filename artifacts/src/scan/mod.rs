//! From files of this machine to names of their content. [`scan`] reads what a user points at (code and data: ignore rules,
//! links inside the folder followed); [`collect`] reads what a step left behind (nothing strange accepted). Nothing here
//! talks to a store.

mod collect;
mod content;
mod error;
mod hash;
mod hash_cache;
mod options;
mod source;
mod walk;

pub(crate) use collect::{Links, open_beneath};
pub use collect::{collect, collect_within};
pub use content::{Scan, ScannedFile};
pub use error::ScanError;
pub(crate) use hash::{hash_open_file, open_regular, open_regular_sized};
pub use options::{FILES_MAX, IGNORE_FILES, ScanOptions};
pub use source::scan;
pub(crate) use walk::special;
