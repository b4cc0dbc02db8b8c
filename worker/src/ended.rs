//! What this worker has finished lately. A task whose acknowledgement was lost, with a connection or with a killed daemon, is delivered again; here it is
//! recognised, so that the step does not run a second time for nothing.

use crate::attempt::Tools;
use std::collections::{HashSet, VecDeque};
use tidemill_protocol::ids::{AttemptId, FencingToken};
use tidemill_protocol::wire::{Report, ReportBody, StepTask};

/// Attempts that are remembered: far more than a broker can have unacknowledged at one worker.
const REMEMBERED_MAX: usize = 16_384;

/// Attempts with their tokens, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    known: HashSet<(AttemptId, FencingToken)>,
    order: VecDeque<(AttemptId, FencingToken)>,
}

impl Ended {
    /// Remembers an attempt; the oldest is forgotten for it when there are too many.
    pub(crate) fn remember(&mut self, attempt: AttemptId, token: FencingToken) {
        if !self.known.insert((attempt, token)) {
            return;
        }
        self.order.push_back((attempt, token));
        if self.order.len() > REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Whether the attempt is over here.
    pub(crate) fn knows(&self, attempt: AttemptId, token: FencingToken) -> bool {
        self.known.contains(&(attempt, token))
    }
}

/// Says of an attempt that is over here that nobody makes it. A coordinator that lost its last events with its disk believes it to be open still, and would wait
/// for ever; one that knows the end takes no notice. Said only when every report is acknowledged, the end's too, so that this never comes before it.
pub(crate) async fn disown(tools: &Tools, task: &StepTask) {
    if tools.outbox.unacknowledged() == 0 {
        say(tools, task, ReportBody::Returned).await;
    }
}

/// Reports of a task for which there is no attempt here.
pub(crate) async fn say(tools: &Tools, task: &StepTask, body: ReportBody) {
    let report = Report {
        attempt: task.attempt,
        token: task.token,
        at: tools.clock.now(),
        body,
    };
    tools.outbox.post(report).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_protocol::ids::{RunId, StepIndex};

    fn attempt(step: usize) -> AttemptId {
        AttemptId {
            run: RunId(uuid::Uuid::nil()),
            step: StepIndex(u32::try_from(step).unwrap()),
            attempt: 1,
        }
    }

    #[test]
    fn the_oldest_is_forgotten_first_and_a_repetition_counts_once() {
        let mut ended = Ended::default();
        ended.remember(attempt(0), FencingToken(1));
        for step in 0..REMEMBERED_MAX {
            ended.remember(attempt(step), FencingToken(1));
        }
        assert!(ended.knows(attempt(0), FencingToken(1)));
        assert!(
            !ended.knows(attempt(0), FencingToken(2)),
            "another try is another attempt"
        );
        ended.remember(attempt(REMEMBERED_MAX), FencingToken(1));
        assert!(!ended.knows(attempt(0), FencingToken(1)));
        assert!(ended.knows(attempt(1), FencingToken(1)));
    }
}
