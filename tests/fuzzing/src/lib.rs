//! What each fuzz target does with its bytes: parse them, and hold what was parsed against its laws. The fuzzer (`fuzz/`, with instrumentation) and the replay
//! of the corpora (`tests/replay.rs`, on any toolchain) call the same functions. A law that does not hold is a panic.

mod manifest;
mod messages;
mod names;
mod pipeline;
mod screen;

pub use manifest::manifest;
pub use messages::{envelope, report};
pub use names::name;
pub use pipeline::pipeline;
pub use screen::screen;
pub use tidemill_coordinator::fuzz_query as query;
pub use tidemill_coordinator::journal::fuzz_record as record;
pub use tidemill_coordinator::tracking::fuzz_filter as filter;
pub use tidemill_language::fuzzing::expression;

use std::path::PathBuf;

/// A fuzz target: its name, which is that of its corpus, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target. The fuzzer's binaries name their function themselves, so that none holds the code of the others.
pub const TARGETS: [Target; 10] = [
    ("pipeline", pipeline),
    ("expression", expression),
    ("envelope", envelope),
    ("report", report),
    ("manifest", manifest),
    ("record", record),
    ("query", query),
    ("filter", filter),
    ("name", name),
    ("screen", screen),
];

/// The folder of the corpora, one for each target.
pub fn corpora() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus"))
}
