//! Arguments of `tidemill metrics` and `tidemill runs compare`.

use clap::Args;

/// `tidemill metrics`.
#[derive(Debug, Args)]
#[command(after_help = "\
EXAMPLES
  tidemill metrics last
  tidemill metrics last --step train
  tidemill metrics 0198c3 -o json")]
pub(crate) struct MetricsArgs {
    /// An id, a unique prefix of one, `last`, or @ and its name
    #[arg(value_name = "RUN", default_value = "last")]
    pub(crate) run: String,
    /// Only those of this step
    #[arg(long, value_name = "STEP")]
    pub(crate) step: Option<String>,
}

/// `tidemill runs compare`.
#[derive(Debug, Args)]
pub(crate) struct RunsCompareArgs {
    /// Two or more runs
    #[arg(value_name = "RUN", num_args = 2..=20, required = true)]
    pub(crate) runs: Vec<String>,
    /// Also what is the same in all of them
    #[arg(long)]
    pub(crate) all: bool,
    /// Also the lines of code that changed from the first run to each other one
    #[arg(long)]
    pub(crate) code: bool,
}
