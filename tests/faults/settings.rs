//! What the campaign is told by its environment; the only reader of it here.

use std::path::PathBuf;
use std::time::Duration;

/// How much is to be done.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Whether trials that take minutes run too.
    pub(crate) all: bool,
    /// Where chaos starts.
    pub(crate) seed: u64,
    /// How long chaos reigns.
    pub(crate) chaos: Duration,
    /// How many kills a loop does to the coordinator and to workers, each.
    pub(crate) kills: u32,
    /// How many kills a loop does to the broker.
    pub(crate) broker_kills: u32,
    /// The results of a campaign, as nextest writes them: to be told row by row instead of running anything.
    pub(crate) results: Option<PathBuf>,
}

impl Settings {
    /// Reads `TIDEMILL_FAULTS`, `TIDEMILL_CHAOS_SEED`, `TIDEMILL_CHAOS_MINUTES`, `TIDEMILL_KILLS` and
    /// `TIDEMILL_FAULTS_RESULTS`.
    ///
    /// # Panics
    /// When one of them is no number.
    pub(crate) fn read() -> Self {
        let kills = number("TIDEMILL_KILLS").unwrap_or(200);
        let kills = u32::try_from(kills).expect("TIDEMILL_KILLS is a small number");
        Self {
            all: text("TIDEMILL_FAULTS").as_deref() == Some("all"),
            seed: number("TIDEMILL_CHAOS_SEED").unwrap_or(1),
            chaos: Duration::from_mins(number("TIDEMILL_CHAOS_MINUTES").unwrap_or(10)),
            kills,
            broker_kills: kills.div_ceil(10),
            results: text("TIDEMILL_FAULTS_RESULTS").map(PathBuf::from),
        }
    }
}

fn number(name: &str) -> Option<u64> {
    let text = text(name)?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number")),
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "how much is done is a setting of the test run"
)]
fn text(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether generated pages are to be written instead of compared.
pub(crate) fn writes_pages() -> bool {
    text("TIDEMILL_WRITE").is_some()
}
