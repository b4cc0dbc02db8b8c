//! Reading a run as tests speak of it: which steps executed, which were reused, how one of them stands.

use tidemill_protocol::api::{RunView, StepView};
use tidemill_protocol::status::StepStatus;

/// Questions that tests ask about a run.
pub trait Steps {
    /// Names of the steps that stand like this, in plan order.
    fn with(&self, status: StepStatus) -> Vec<&str>;

    /// One step.
    ///
    /// # Panics
    /// When the run has no step of this name.
    fn step(&self, path: &str) -> &StepView;

    /// Names of the steps that were executed to a good end.
    fn executed(&self) -> Vec<&str> {
        self.with(StepStatus::Succeeded)
    }

    /// Names of the steps that took over an earlier result.
    fn reused(&self) -> Vec<&str> {
        self.with(StepStatus::Reused)
    }
}

impl Steps for RunView {
    fn with(&self, status: StepStatus) -> Vec<&str> {
        let steps = self.steps_list.iter().filter(|step| step.status == status);
        steps.map(|step| step.path.as_str()).collect()
    }

    fn step(&self, path: &str) -> &StepView {
        let step = self.steps_list.iter().find(|step| step.path.as_str() == path);
        step.unwrap_or_else(|| panic!("the run has no step `{path}`"))
    }
}
