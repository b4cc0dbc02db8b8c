//! The secrets of an attempt: asked for once it is claimed, put where its process finds them, covered in what it wrote, and removed after it.

use super::folder::attempt_key;
use super::job::{Attempt, Ending, Origin, Tools};
use super::stage;
use super::tracking;
use super::variables::text;
use crate::secrets::{AskError, Keep, Redaction};
use crate::supervisor::message::{SecretVariable, Start};
use std::time::{Duration, Instant};
use tidemill_protocol::failure::{Failure, FailureReason};
use tidemill_protocol::plan::SecretForm;
use tidemill_protocol::secret::{GivenSecrets, SecretsRequest};
use tidemill_protocol::wire::{Phase, StepTask};

/// Pause before it is asked again, at first and at most.
const ASK_PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));
/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

impl Tools {
    /// The place of an attempt's secrets. Those that an earlier daemon put there are known from here on, before anybody could look at what its process wrote.
    pub(crate) fn secrets_of(&self, task: &StepTask, origin: &Origin) -> Keep {
        let keep = Keep::new(&self.config.secrets_dir, &attempt_key(task))
            .covering(tracking::token(task, self.config.tracking_url.as_deref()));
        if matches!(origin, Origin::Started(_)) {
            keep.take_up(&task.template.work.secrets);
        }
        keep
    }
}

impl Attempt {
    /// Adds the step's secrets to what is to be started. A step never starts without them.
    pub(super) async fn add_secrets(&self, start: &mut Start) -> Result<(), Ending> {
        if self.task.template.work.secrets.is_empty() {
            return Ok(());
        }
        if !self.tools.supervisor.reads_secrets() {
            let message = "the supervisor of this worker's steps is of an earlier version and cannot give secrets; drain this worker and start it again";
            return Err(unavailable(message).into());
        }
        let asking = self.phase(Phase::Staging, self.ask_for_secrets());
        let given = self.stoppable(asking).await?;
        self.put_secrets(&given, start)?;
        Ok(())
    }

    /// The secrets with which the step's inputs are brought. Its process is not given them.
    pub(super) async fn input_secrets(&self) -> Result<GivenSecrets, Failure> {
        let mut reads = self.task.template.rules.reads.iter();
        if reads.all(|store| store.secrets.is_empty()) {
            return Ok(GivenSecrets::default());
        }
        self.ask_for_secrets().await
    }

    /// Asks until there is an answer, as long as this worker has patience.
    async fn ask_for_secrets(&self) -> Result<GivenSecrets, Failure> {
        let Some(source) = &self.tools.secrets else {
            return Err(unavailable(
                "the step needs secrets, and this worker has no way to ask its coordinator for them: start it with --coordinator-url",
            ));
        };
        let request = SecretsRequest {
            attempt: self.task.attempt,
            token: self.task.token,
        };
        let (began, mut pause) = (Instant::now(), ASK_PAUSE.0);
        loop {
            let answer = tokio::time::timeout(ANSWER_WITHIN, source.ask(request.clone()));
            let answer = answer
                .await
                .unwrap_or_else(|_| Err(AskError::Later("the coordinator does not answer in time".into())));
            let why = match answer {
                Ok(given) => return Ok(given),
                Err(AskError::Missing(why)) => {
                    return Err(Failure::with_message(FailureReason::SecretMissing, why));
                }
                Err(AskError::Refused(why)) => return Err(unavailable(&why)),
                Err(AskError::Later(why)) => why,
            };
            let waited = began.elapsed();
            if waited + pause > self.tools.config.secrets_patience {
                return Err(unavailable(&format!("after {} s: {why}", waited.as_secs())));
            }
            tracing::debug!(attempt = %self.task.attempt, why, "no secrets yet; asking again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(ASK_PAUSE.1);
        }
    }

    fn put_secrets(&self, given: &GivenSecrets, start: &mut Start) -> Result<(), Failure> {
        let uses = &self.task.template.work.secrets;
        for wanted in uses.values() {
            let name = &wanted.secret;
            let missing = |why| Failure::with_message(FailureReason::SecretMissing, why);
            let value = given.0.get(name);
            let value =
                value.ok_or_else(|| missing(format!("the coordinator did not give the secret `{name}`")))?;
            if wanted.form == SecretForm::Variable && value.reveal().contains(&0) {
                let why = format!(
                    "the secret `{name}` holds a zero byte, which no variable can: give it as a file (`as: file`)"
                );
                return Err(missing(why));
            }
        }
        let kept = &self.status.secrets;
        kept.put(uses, given, self.user())
            .map_err(|error| stage::disk(&error))?;
        let mut any_file = false;
        for (variable, wanted) in uses {
            let file = text(&kept.file(variable));
            match wanted.form {
                SecretForm::File => {
                    any_file = true;
                    start.environment.push((variable.clone(), file));
                }
                SecretForm::Variable => start.secrets.push(SecretVariable {
                    variable: variable.clone(),
                    file,
                }),
            }
        }
        if any_file {
            start.own.readable.push(text(kept.folder()));
        }
        Ok(())
    }

    /// What is to be covered in the process's streams.
    pub(super) fn redaction(&self) -> Redaction {
        self.status.secrets.redaction()
    }
}

fn unavailable(why: &str) -> Failure {
    Failure::with_message(FailureReason::SecretsUnavailable, why)
}
