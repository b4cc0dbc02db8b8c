//! The course of an attempt: claim and prepare, run the process, store what it left, report. [`make`] has one exit, where every ending becomes exactly one
//! report. An attempt may begin in the middle, when an earlier daemon began it.

use super::checkpoint::Saver;
use super::folder::{AttemptRecord, Folder, attempt_key};
use super::job::{Attempt, Ending, Job, Origin, Progress, Tools};
use super::keepsakes;
use super::stage;
use super::stop::StopCause;
use crate::environments::Ready;
use crate::logs;
use crate::supervisor::message::{End, ExitRecord, Start};
use std::sync::{Arc, OnceLock};
use tidemill_protocol::failure::{Failure, FailureReason, STDERR_TAIL_BYTES_MAX};
use tidemill_protocol::wire::{AttemptUsage, Phase, ReportBody, StopReason, Success};
use tidemill_transport::Delivery;

/// Makes an attempt. Its grant may be given to another when this returns, and so may its folder, if one is answered.
pub(crate) async fn make(tools: Arc<Tools>, job: Job) -> Option<Folder> {
    let Job {
        task,
        grant,
        origin,
        folder,
        status,
        stop,
    } = job;
    let key = attempt_key(&task);
    let attempt = Attempt {
        tools,
        task,
        grant,
        status,
        stop,
        key,
        folder,
        user: OnceLock::new(),
    };
    let mut progress = Progress::default();
    let ended = attempt.work(origin, &mut progress).await;
    let usage = progress.usage;
    let was_stopped = matches!(ended, Err(Ending::Stopped));
    let body = match ended {
        Ok(success) => ReportBody::Succeeded(Success { usage, ..success }),
        Err(Ending::Failed(mut failure)) => {
            let stderr = attempt.folder.stderr();
            failure.stderr_tail = logs::tail(&stderr, STDERR_TAIL_BYTES_MAX, &attempt.redaction());
            ReportBody::Failed { failure, usage }
        }
        Err(Ending::Stopped) if attempt.stop.cause() == Some(StopCause::Preempted) => {
            ReportBody::Preempted { usage }
        }
        Err(Ending::Stopped) => ReportBody::Stopped { usage },
        Err(Ending::LeftToNextDaemon) => return None,
    };
    attempt.tools.outbox.post(attempt.report(body)).await;
    // In this order: once the report is on the disk, nothing else about the attempt is needed after a crash.
    attempt.folder.close();
    attempt.tools.supervisor.forget(&attempt.key).await;
    attempt.status.secrets.clear();
    attempt.part_from_user().await;
    if was_stopped && attempt.is_fenced() {
        attempt.keep().await;
    }
    // Whoever follows its log is not to find another attempt's there.
    let is_read = attempt.status.was_followed();
    // And a step that was another user could have left something in it for the next one, and have hidden that.
    let serves_again = !is_read && attempt.user().is_none();
    let reused = serves_again.then(|| attempt.folder.reuse()).flatten();
    if reused.is_none() {
        let root = attempt.folder.root().to_owned();
        // When the daemon ends first, the next one clears it away.
        attempt.tools.rubbish.send(root).await.ok();
    }
    reused
}

impl Attempt {
    /// Keeps what the attempt wrote, for people to look at: its result counts no more.
    async fn keep(&self) {
        let dir = self.tools.config.state_dir.join("fenced");
        let (folder, key, now) = (self.folder.clone(), self.key.clone(), self.tools.clock.now());
        let redaction = self.redaction();
        let kept = tokio::task::spawn_blocking(move || {
            for stream in [folder.stdout(), folder.stderr()] {
                logs::cover(&stream, &redaction)?;
            }
            keepsakes::keep(&folder, &dir, &key, now)
        })
        .await;
        match kept {
            Ok(Ok(path)) => tracing::warn!(
                attempt = %self.task.attempt, path = %path.display(),
                "another attempt has taken this one's place; what it wrote is kept for a week"
            ),
            Ok(Err(error)) => {
                tracing::warn!(attempt = %self.task.attempt, %error, "cannot keep what a fenced attempt wrote");
            }
            Err(_) => {}
        }
    }

    async fn work(&self, origin: Origin, progress: &mut Progress) -> Result<Success, Ending> {
        let exited = match origin {
            Origin::Started(record) => {
                progress.usage.preparing_ms = record.preparing_ms;
                progress.usage.notes = record.notes;
                if let Some(user) = record.user {
                    self.user.get_or_init(|| user);
                }
                self.run(None).await
            }
            Origin::Begun => self.start(None, progress).await,
            Origin::Delivered(delivery) => self.start(Some(delivery), progress).await,
        };
        let ended = match exited {
            Ok(exit) => self.ended(exit, &mut progress.usage),
            Err(Ending::LeftToNextDaemon) => return Err(Ending::LeftToNextDaemon),
            // What was said until then (by a build, say) is kept all the same.
            Err(before_the_process) => Err(before_the_process),
        };
        progress.environment = Ready::default();
        let began = self.tools.clock.monotonic();
        let stored = self.phase(Phase::Storing, self.store(ended, progress)).await;
        progress.usage.storing_ms = self.since(began);
        stored
    }

    /// Claims the task and prepares its folder side by side, then starts the process and waits for it.
    async fn start(&self, delivery: Option<Delivery>, progress: &mut Progress) -> Result<ExitRecord, Ending> {
        let began = self.tools.clock.monotonic();
        let user = self.take_user().await;
        let mut record = AttemptRecord {
            task: (*self.task).clone(),
            grant: self.grant.clone(),
            preparing_ms: 0,
            notes: self.grant.notes.clone(),
            user: self.user(),
        };
        let folder_made = self
            .folder
            .make()
            .and_then(|()| self.folder.write_record(&record));
        let prepare = async {
            user?;
            folder_made.map_err(|e| stage::disk(&e))?;
            self.stoppable(self.prepare(progress)).await
        };
        let (claimed, prepared) = tokio::join!(self.claim(delivery), prepare);
        progress.usage.preparing_ms = self.since(began);
        claimed?;
        let mut start = prepared?;
        // Boxed, because few steps have any.
        Box::pin(self.add_secrets(&mut start)).await?;
        self.hand_over(start.own.writable.clone()).await?;
        if self.stop.is_asked() {
            return Err(Ending::Stopped);
        }
        record.preparing_ms = progress.usage.preparing_ms;
        record.notes.clone_from(&progress.usage.notes);
        if !record.notes.is_empty() || record.preparing_ms > 1000 {
            self.folder.write_record(&record).map_err(|e| stage::disk(&e))?;
        }
        self.run(Some(start)).await
    }

    async fn claim(&self, delivery: Option<Delivery>) -> Result<(), Ending> {
        let claim = self.report(ReportBody::Claimed);
        if self.tools.outbox.claim(claim, delivery).await {
            Ok(())
        } else {
            Err(Ending::LeftToNextDaemon)
        }
    }

    /// Waits for the process: one to be started, or one that the supervisor has.
    async fn run(&self, start: Option<Start>) -> Result<ExitRecord, Ending> {
        let process = async {
            match start {
                Some(start) => self.tools.supervisor.run(start).await,
                None => self.tools.supervisor.wait(&self.key).await,
            }
        };
        let process = self.phase(Phase::Running, process);
        tokio::pin!(process);
        let mut saver = Saver::of(self);
        let saving = async {
            match &mut saver {
                Some(saver) => saver.keep_saving().await,
                None => std::future::pending().await,
            }
        };
        let exit = tokio::select! {
            exit = &mut process => exit,
            () = self.stop.asked() => {
                self.tools.supervisor.stop(&self.key).await;
                process.await
            }
            never = saving => match never {},
        };
        let mut exit = exit.ok_or(Ending::LeftToNextDaemon)?;
        // Before anything of it is looked at for the last time.
        exit.notes.extend(self.end_leftovers().await);
        if let Some(saver) = saver {
            // After a good end nobody goes on from here, and of a fenced attempt nobody wants to hear.
            let is_wanted = exit.end != End::Exited(0) && !self.is_fenced();
            exit.notes.extend(saver.finish(is_wanted).await);
        }
        Ok(exit)
    }

    fn is_fenced(&self) -> bool {
        self.stop.cause() == Some(StopCause::Told(StopReason::Fenced))
    }

    fn ended(&self, exit: ExitRecord, usage: &mut AttemptUsage) -> Result<(), Ending> {
        usage.started_at = Some(exit.started_at);
        usage.process_ms = exit.process_ms;
        usage.memory_peak_bytes = exit.memory_peak_bytes;
        usage.notes.extend(exit.notes);
        let reason = match exit.end {
            End::Exited(0) => return Ok(()),
            End::Stopped => return Err(Ending::Stopped),
            End::Exited(code) => FailureReason::ExitCode { code },
            End::Signalled(signal) => FailureReason::Signal { signal },
            End::OutOfMemory => FailureReason::OutOfMemory,
            End::TimedOut => FailureReason::TimedOut {
                limit_ms: self.task.template.rules.timeout.map_or(0, |limit| limit.0),
            },
            End::NotStarted(why) => {
                return Err(Failure::with_message(FailureReason::StartFailed, why).into());
            }
            End::Orphaned => {
                let message = "the supervisor of the step's process was killed, so its exit code is unknown";
                return Err(Failure::with_message(FailureReason::Lost, message).into());
            }
        };
        Err(self.on_a_full_disk(reason).into())
    }

    /// A program on a full disk says whatever its author thought of; what it needs is another machine.
    fn on_a_full_disk(&self, reason: FailureReason) -> Failure {
        let is_own = matches!(
            reason,
            FailureReason::ExitCode { .. } | FailureReason::Signal { .. }
        );
        if is_own && self.tools.disk.is_used_up() {
            return Failure::with_message(
                FailureReason::DiskFull,
                format!("the step's process: {}", reason.describe()),
            );
        }
        Failure::new(reason)
    }
}
