//! Which ends are told: the arguments that webhooks and mailings have in common.

use clap::Args;
use tidemill_protocol::delivery::every_end;
use tidemill_protocol::name::Name;
use tidemill_protocol::status::{RunStatus, StepStatus};

/// Which ends are told.
#[derive(Debug, Args)]
pub(crate) struct EndsArgs {
    /// Tell ends of runs like this; may be given several times [default: all]
    #[arg(long = "run", value_name = "STATUS", value_parser = super::inspect::run_status)]
    runs: Vec<RunStatus>,
    /// Tell ends of steps like this; may be given several times [default: none]
    #[arg(long = "step", value_name = "STATUS", value_parser = step_status)]
    pub(crate) steps: Vec<StepStatus>,
    /// Only of this pipeline
    #[arg(long, value_name = "NAME")]
    pub(crate) pipeline: Option<Name>,
    /// Only of this experiment
    #[arg(long, value_name = "NAME")]
    pub(crate) experiment: Option<Name>,
}

impl EndsArgs {
    /// The ends of runs: all of them where nobody names any end.
    pub(crate) fn runs(&self) -> Vec<RunStatus> {
        if self.runs.is_empty() && self.steps.is_empty() {
            every_end()
        } else {
            self.runs.clone()
        }
    }
}

fn step_status(text: &str) -> Result<StepStatus, String> {
    let ends = || {
        StepStatus::ALL
            .iter()
            .copied()
            .filter(|status| status.is_terminal())
    };
    ends().find(|status| status.as_str() == text).ok_or_else(|| {
        let words: Vec<&str> = ends().map(StepStatus::as_str).collect();
        format!("one of {}", words.join(", "))
    })
}
