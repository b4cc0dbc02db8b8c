//! What must be true of the world now, whatever was published, lost or repeated before: which tasks should be in a queue, which stops should reach
//! a worker, which alarms should be set. Performed after a start, and again whenever the broker may have lost something.

use crate::apply::attempts::{set_alarm, stop_effect};
use crate::effect::Effect;
use crate::engine::Engine;
use crate::step::StepState;
use tidemill_protocol::wire::Heartbeat;

impl Engine {
    /// Every effect that is still to be done. Costs by what is in flight and waiting, not by what is known.
    pub fn outstanding(&self) -> Vec<Effect> {
        let in_flight = self.index.in_flight.iter().filter_map(|place| {
            let run = self.at(place.run);
            let step = run.state(place.step);
            match (&step.state, step.last_attempt()) {
                (StepState::Dispatched, Some((number, attempt))) => Some(Effect::PublishTask(
                    crate::inputs::task(run, place.step, number, attempt.token()),
                )),
                _ => stop_effect(run, place.step),
            }
        });
        let waiting = &self.index.waiting;
        in_flight
            .chain(
                waiting
                    .iter()
                    .map(|(until, place)| set_alarm(self.at(place.run), *place, *until)),
            )
            .collect()
    }

    /// What to tell a worker that says what it works on: to stop whatever is not, or no longer, its own to make. This also repairs stops that were
    /// lost. What [`Engine::returning`] answers is decided first: it may be its own again.
    pub fn review(&self, heartbeat: &Heartbeat) -> Vec<Effect> {
        let verdicts = heartbeat.running.iter().filter_map(|running| {
            let place = self.place_of(running.attempt.step_ref());
            let live = place.and_then(|place| {
                let step = self.step_at(place);
                let (number, attempt) = step.last_attempt()?;
                let fits = number == running.attempt.attempt
                    && attempt.token() == running.token
                    && step.state.is_in_flight()
                    && attempt.worker().is_none_or(|worker| *worker == heartbeat.worker);
                fits.then_some(place)
            });
            match live {
                Some(place) => stop_effect(self.at(place.run), place.step),
                None => Some(Effect::StopAttempt {
                    worker: heartbeat.worker.clone(),
                    attempt: running.attempt,
                    token: running.token,
                    reason: self.stop_reason(&running.attempt),
                }),
            }
        });
        verdicts.collect()
    }
}
