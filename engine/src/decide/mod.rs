//! What a command would change: the answer is facts, or why not. Nothing is changed here.

mod adoption;
mod reports;
mod returning;
mod soundness;

use crate::command::{Command, Rejection};
use crate::effect::Alarm;
use crate::engine::Engine;
use crate::event::{Event, Fact};
use crate::run::{Run, RunEnding};
use crate::step::StepState;
use std::sync::Arc;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::ids::{RunId, StepRef};
use tidemill_protocol::name::Name;
use tidemill_protocol::plan::{Plan, PlannedStep, STEPS_PER_RUN_MAX, StepTemplate};
use tidemill_protocol::project::{QUOTA_TARGETS_MAX, Quota};
use tidemill_protocol::status::RunStatus;
use tidemill_protocol::time::Timestamp;

impl Engine {
    /// Answers a command with the facts that it makes, to be applied in order, all or none. No facts means that the command is understood and
    /// changes nothing.
    pub fn decide(&self, now: Timestamp, command: &Command) -> Result<Vec<Event>, Rejection> {
        let fact = match command {
            Command::StartEpoch { epoch } => self.decide_epoch(*epoch)?,
            Command::SubmitRun {
                run,
                plan,
                submitted_by,
                idempotency_key,
            } => {
                self.decide_submission(*run, plan, idempotency_key.as_deref())?;
                Fact::RunSubmitted {
                    run: *run,
                    plan: Arc::clone(plan),
                    submitted_by: submitted_by.clone(),
                    idempotency_key: idempotency_key.clone(),
                }
            }
            Command::AddSteps {
                run,
                templates,
                steps,
            } => self.decide_steps(*run, templates, steps)?,
            Command::CancelRun { run, by } => {
                let ending = self.open_run(*run)?.ending.as_ref();
                if matches!(ending, Some(RunEnding::CancelledForGood { .. })) {
                    return Err(Rejection::AlreadyCancelling);
                }
                Fact::RunCancelRequested {
                    run: *run,
                    by: by.clone(),
                }
            }
            Command::RetryRun { run, by } => {
                if self.ended_run(*run)?.final_status() == RunStatus::Succeeded {
                    return Err(Rejection::NothingToRetry);
                }
                Fact::RunRetried {
                    run: *run,
                    by: by.clone(),
                }
            }
            Command::ForgetRun { run } => {
                self.ended_run(*run)?;
                Fact::RunForgotten { run: *run }
            }
            Command::Report { worker, report } => {
                let facts = self.decide_report(now, worker, report)?;
                return Ok(facts.into_iter().map(|fact| Event { at: now, fact }).collect());
            }
            Command::ResumeAttempt {
                worker,
                attempt,
                token,
            } => self.decide_resumption(worker, attempt, *token)?,
            Command::ExpireLease { attempt, token } => self.decide_expiry(now, attempt, *token)?,
            Command::DeadLetter { attempt, token } => self.decide_dead_letter(now, attempt, *token)?,
            Command::AdoptResult(found) => {
                let facts = self.decide_adoption(now, found)?;
                return Ok(facts.into_iter().map(|fact| Event { at: now, fact }).collect());
            }
            Command::LoseArtifact { artifact } => return Ok(self.decide_loss(now, artifact)),
            Command::SetQuota { project, quota } => return self.decide_quota(now, project, quota),
            Command::Alarm(Alarm::RetryStep { run, step, attempt }) => self.decide_retry(
                StepRef {
                    run: *run,
                    step: *step,
                },
                *attempt,
            )?,
        };
        Ok(vec![Event { at: now, fact }])
    }

    /// What nobody could take over changes nothing.
    fn decide_loss(&self, now: Timestamp, artifact: &ArtifactRef) -> Vec<Event> {
        let fact = Fact::ArtifactLost { artifact: *artifact };
        let lost = self.offers(artifact).then_some(Event { at: now, fact });
        lost.into_iter().collect()
    }

    /// Setting the same again changes nothing.
    fn decide_quota(&self, now: Timestamp, project: &Name, quota: &Quota) -> Result<Vec<Event>, Rejection> {
        if quota.targets.len() > QUOTA_TARGETS_MAX {
            return Err(Rejection::QuotaTooLong(QUOTA_TARGETS_MAX));
        }
        let known = self.quotas.get(project);
        if known.map_or(quota.is_none(), |known| known == quota) {
            return Ok(Vec::new());
        }
        let fact = Fact::QuotaSet {
            project: project.clone(),
            quota: quota.clone(),
        };
        Ok(vec![Event { at: now, fact }])
    }

    fn decide_epoch(&self, epoch: u64) -> Result<Fact, Rejection> {
        if epoch <= self.epoch {
            Err(Rejection::OldEpoch(self.epoch))
        } else {
            Ok(Fact::EpochStarted { epoch })
        }
    }

    fn decide_submission(
        &self,
        id: RunId,
        plan: &Plan,
        idempotency_key: Option<&str>,
    ) -> Result<(), Rejection> {
        if let Some(number) = idempotency_key.and_then(|key| self.index.by_idempotency_key.get(key)) {
            return Err(Rejection::AlreadySubmitted(self.at(*number).id));
        }
        if self.number_of(id).is_some() {
            return Err(Rejection::RunExists);
        }
        if let Some(limit) = self.queue_full(&plan.project) {
            let project = plan.project.clone();
            return Err(Rejection::QueueFull { project, limit });
        }
        if plan.steps.len() > STEPS_PER_RUN_MAX {
            return Err(Rejection::TooManySteps(STEPS_PER_RUN_MAX));
        }
        soundness::check_plan(plan).map_err(Rejection::UnsoundPlan)
    }

    fn decide_steps(
        &self,
        id: RunId,
        templates: &[Arc<StepTemplate>],
        steps: &[PlannedStep],
    ) -> Result<Fact, Rejection> {
        let run = self.open_run(id)?;
        if run.ending.is_some() {
            return Err(Rejection::RunEnding);
        }
        if run.steps.len() + steps.len() > STEPS_PER_RUN_MAX {
            return Err(Rejection::TooManySteps(STEPS_PER_RUN_MAX));
        }
        soundness::check_added(run, templates, steps).map_err(Rejection::UnsoundPlan)?;
        Ok(Fact::StepsAdded {
            run: id,
            templates: templates.to_vec(),
            steps: steps.to_vec(),
        })
    }

    fn decide_retry(&self, step: StepRef, attempt: u32) -> Result<Fact, Rejection> {
        let place = self.place_of(step).ok_or(Rejection::Stale)?;
        let state = self.step_at(place);
        let current = state.last_attempt().is_some_and(|(number, _)| number == attempt);
        let given_up = self.at(place.run).gives_up(place.step).is_some();
        if current && !given_up && matches!(state.state(), StepState::Waiting { .. }) {
            Ok(Fact::StepRetryDue { step })
        } else {
            Err(Rejection::Stale)
        }
    }

    fn open_run(&self, id: RunId) -> Result<&Run, Rejection> {
        let run = self.run(id).ok_or(Rejection::UnknownRun)?;
        if run.finished.is_some() {
            Err(Rejection::RunEnded)
        } else {
            Ok(run)
        }
    }

    fn ended_run(&self, id: RunId) -> Result<&Run, Rejection> {
        let run = self.run(id).ok_or(Rejection::UnknownRun)?;
        if run.finished.is_none() {
            Err(Rejection::RunNotEnded)
        } else {
            Ok(run)
        }
    }
}
