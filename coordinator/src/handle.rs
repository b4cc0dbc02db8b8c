//! The way to a coordinator from inside its process: cheap to clone, safe to use from anywhere. What it answers is durable.

use crate::access::{Access, AttemptTokens, Guard};
use crate::archive::Reach;
use crate::audit::AuditLog;
use crate::datastores;
use crate::driver::{DurableEvents, Request, Sight};
use crate::effects::Outgoing;
use crate::enrolment::Roster;
use crate::error::{CommandError, Stopped};
use crate::given;
use crate::idempotency;
use crate::journal::EventReader;
use crate::ledger::{self, Done, Ledger, Outcome};
use crate::logs::LogHub;
use crate::mailings::Mailer;
use crate::metrics::Metrics;
use crate::precondition;
use crate::projects::Filed;
use crate::schedules::Looks;
use crate::secrets::{self, KeyFile};
use crate::specs;
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_artifacts::{ArtifactStore, Poster, Reserve};
use tidemill_engine::{Command, Rejection};
use tidemill_language::PlanRequest;
use tidemill_protocol::api::{CoordinatorView, Problem, SubmitRequest};
use tidemill_protocol::datastore::Datastore;
use tidemill_protocol::ids::{RunId, WorkerId};
use tidemill_protocol::name::{Name, PortName};
use tidemill_protocol::plan::Plan;
use tidemill_protocol::spec::PipelineSpec;
use tidemill_protocol::time::{Clock, Timestamp};
use tidemill_protocol::wire::{Control, TrustedKey};
use tidemill_transport::Broker;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Who a run belongs to when nobody said so.
const NOBODY: &str = "unknown";

/// The way to a coordinator from inside its process.
#[derive(Debug, Clone)]
pub struct CoordinatorHandle {
    pub(crate) inner: Arc<Inner>,
}

/// What all handles share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) events: broadcast::Sender<Arc<DurableEvents>>,
    /// What the gate of the API remembers.
    pub(crate) guard: Guard,
    /// The tokens that attempts are given.
    pub(crate) attempt_tokens: AttemptTokens,
    /// The tokens as they are durable.
    pub(crate) access: watch::Receiver<Arc<Access>>,
    /// The workers that have keys, as they are durable.
    pub(crate) roster: Roster,
    /// The public half of the key that signs tasks: workers' requests are for its owner.
    pub(crate) key: TrustedKey,
    /// The way into the audit log, and its folder.
    pub(crate) audit: AuditLog,
    pub(crate) audit_dir: std::path::PathBuf,
    pub(crate) journal: Arc<dyn EventReader>,
    pub(crate) outgoing: mpsc::Sender<Outgoing>,
    pub(crate) logs: LogHub,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) store: ArtifactStore,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) view: CoordinatorView,
    /// Where long uploads are written before they are stored.
    pub(crate) uploads: std::path::PathBuf,
    /// Where the key that seals secrets is.
    pub(crate) secrets_key: KeyFile,
    /// What the disk of the state folder has for new runs.
    pub(crate) room: Reserve,
    /// Who tells addresses of webhooks.
    pub(crate) poster: Poster,
    /// Where datastores may be that are asked from here.
    pub(crate) datastores: tidemill_artifacts::Guard,
    /// What keeps us from answering.
    pub(crate) reach: Reach,
    /// Who brings mail to the server, if there is one.
    pub(crate) mailer: Option<Mailer>,
    pub(crate) token: CancellationToken,
    /// Held while the store is swept.
    pub(crate) sweeping: Arc<tokio::sync::Mutex<()>>,
    /// What the last looks at files came to.
    pub(crate) looks: watch::Sender<Looks>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Request")
    }
}

/// Why a submission was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitError {
    /// The pipeline or its parameters are not valid: every problem.
    Invalid(Vec<Problem>),
    /// As for every command.
    Command(CommandError),
    /// The planner broke.
    Unplannable,
    /// The request shows one idempotency key and names another.
    TwoKeys,
    /// The disk has room for the runs that are there, and not for more.
    DiskFull {
        /// Bytes that are free.
        free: u64,
        /// Bytes that are kept free.
        reserve: u64,
    },
}

/// An accepted submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitted {
    /// The run.
    pub run: RunId,
    /// Whether it is new; false when its idempotency key was used before.
    pub new: bool,
}

impl CoordinatorHandle {
    pub(crate) async fn request(&self, request: Request) -> Result<(), Stopped> {
        self.inner.requests.send(request).await.map_err(|_| Stopped)
    }

    /// Has a command carried out; returns when what it changed is durable.
    pub async fn command(&self, command: Command) -> Result<(), CommandError> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Command {
            command,
            claim: idempotency::current(),
            precondition: precondition::current(),
            reply,
        };
        self.request(request).await?;
        Ok(answer.await.map_err(|_| Stopped)??)
    }

    /// Has a command for a ledger carried out; returns the facts when they are durable and hold for every request that comes after.
    pub async fn change<L: Ledger>(&self, command: L::Command) -> Result<Outcome<L>, Stopped> {
        let done = self.carry_out::<L>(command).await?;
        Ok(done.map(|done| done.facts))
    }

    /// The same for a command that makes something; returns its name, also when it was made before under the key that the request shows.
    pub(crate) async fn create<L: Ledger>(
        &self,
        command: L::Command,
    ) -> Result<Result<Option<String>, L::Rejection>, Stopped> {
        let done = self.carry_out::<L>(command).await?;
        Ok(done.map(|done| done.created))
    }

    /// Whether this request shows a key under which something was done, so that what it is to make may be there already.
    pub(crate) async fn may_be_done(&self) -> Result<bool, Stopped> {
        let Some(claim) = idempotency::current() else {
            return Ok(false);
        };
        let now = self.inner.clock.now();
        self.look(move |sight| claim.is_known(&sight.ledgers.idempotency, now))
            .await
    }

    async fn carry_out<L: Ledger>(
        &self,
        command: L::Command,
    ) -> Result<Result<Done<L>, L::Rejection>, Stopped> {
        let (change, answer) = ledger::change::<L>(command, idempotency::current());
        self.request(Request::Change(change, precondition::current()))
            .await?;
        answer.await.map_err(|_| Stopped)
    }

    /// The tokens as they are now.
    pub fn access(&self) -> Arc<Access> {
        Arc::clone(&self.inner.access.borrow())
    }

    /// Vouches for the worker of this process, which needs no join token. The first one counts.
    pub fn vouch_for_own_worker(&self, worker: WorkerId, key: TrustedKey) {
        self.inner.roster.vouch(worker, key);
    }

    /// Looks at the durable state. The look runs on the driver's thread, so it must be short.
    pub(crate) async fn look<R: Send + 'static>(
        &self,
        look: impl FnOnce(&Sight<'_>) -> R + Send + 'static,
    ) -> Result<R, Stopped> {
        let (reply, answer) = oneshot::channel();
        let look = move |sight: &Sight<'_>| drop(reply.send(look(sight)));
        self.request(Request::Look(Box::new(look))).await?;
        answer.await.map_err(|_| Stopped)
    }

    /// Binds parameters and expands a pipeline, off the async threads because it may be large.
    pub(crate) async fn plan(&self, mut request: SubmitRequest) -> Result<Arc<Plan>, SubmitError> {
        let known = self.take_named(&mut request).await?;
        let planning = tokio::task::spawn_blocking(move || planned(request, known).map(|(plan, _)| plan));
        // Planning that panics is a fault of ours; it ends this request, not the coordinator.
        let planned = planning.await.map_err(|_| SubmitError::Unplannable)?;
        planned.map(Arc::new).map_err(SubmitError::Invalid)
    }

    /// Plans a pipeline and starts a run of it, filed in this project.
    pub(crate) async fn submit(
        &self,
        mut request: SubmitRequest,
        filed: Filed,
    ) -> Result<Submitted, SubmitError> {
        check_key(request.idempotency_key.as_deref())?;
        self.check_datastores(&request.spec).await?;
        let submitted_by = request.submitted_by.take().unwrap_or_else(|| NOBODY.to_owned());
        let idempotency_key = request.idempotency_key.take();
        // Who publishes the run afterwards publishes the pipeline, not what this run was given.
        let names_any = !given::named(&request.spec, &request.parameters).is_empty();
        let written = names_any.then(|| request.spec.clone());
        let known = self.take_named(&mut request).await?;
        let planning = tokio::task::spawn_blocking(move || {
            let planned = planned(request, known);
            planned.map(|(plan, spec)| (plan, specs::to_bytes(written.as_ref().unwrap_or(&spec))))
        });
        let planned = planning.await.map_err(|_| SubmitError::Unplannable)?;
        let (mut plan, bytes) = planned.map_err(SubmitError::Invalid)?;
        plan.spec = specs::keep(&self.inner.store, bytes).await;
        plan.project = filed.into_name();
        let command = Command::SubmitRun {
            run: self.new_run_id(),
            plan: Arc::new(plan),
            submitted_by,
            idempotency_key,
        };
        self.accept(command).await
    }

    /// Starts a run of a plan, as [`Self::submit`] does once it has one.
    pub async fn submit_plan(&self, plan: Arc<Plan>, submitted_by: String) -> Result<Submitted, SubmitError> {
        let command = Command::SubmitRun {
            run: self.new_run_id(),
            plan,
            submitted_by,
            idempotency_key: None,
        };
        self.accept(command).await
    }

    /// Gives the pipeline the data that its parameters name; answers with the datastores that there are.
    pub(crate) async fn take_named(
        &self,
        request: &mut SubmitRequest,
    ) -> Result<BTreeMap<Name, Datastore>, SubmitError> {
        let named = given::named(&request.spec, &request.parameters);
        let looking = self.look(move |sight| {
            let (catalog, datastores) = (&sight.ledgers.catalog, &sight.ledgers.datastores);
            let meant = |(port, text): (PortName, String)| {
                let found = given::meant(catalog, datastores, &text);
                (port, found)
            };
            let found: Vec<_> = named.into_iter().map(meant).collect();
            let known = datastores.all();
            let known: BTreeMap<_, _> = known
                .map(|(name, kept)| (name.clone(), kept.definition.clone()))
                .collect();
            (found, known)
        });
        let looked = looking.await;
        let (found, known) = looked.map_err(|stopped| SubmitError::Command(stopped.into()))?;
        let problems = given::take(&mut request.spec, &mut request.parameters, found);
        if problems.is_empty() {
            Ok(known)
        } else {
            Err(SubmitError::Invalid(problems))
        }
    }

    /// Refuses a pipeline that says of a datastore what is not so.
    async fn check_datastores(&self, spec: &PipelineSpec) -> Result<(), SubmitError> {
        if spec.datastores.is_empty() {
            return Ok(());
        }
        let said = spec.datastores.clone();
        let unlike = self.look(move |sight| datastores::unlike(&said, &sight.ledgers.datastores));
        match unlike.await {
            Ok(problems) if problems.is_empty() => Ok(()),
            Ok(problems) => Err(SubmitError::Invalid(problems)),
            Err(stopped) => Err(SubmitError::Command(stopped.into())),
        }
    }

    /// Refuses a plan that names a secret which nobody has set.
    pub(crate) async fn check_secrets(&self, plan: &Arc<Plan>) -> Result<(), SubmitError> {
        if !secrets::names_any(plan) {
            return Ok(());
        }
        let plan = Arc::clone(plan);
        let missing = self.look(move |sight| secrets::missing(&plan, &sight.ledgers.secrets));
        let missing = missing
            .await
            .map_err(|stopped| SubmitError::Command(stopped.into()))?;
        if missing.is_empty() {
            Ok(())
        } else {
            Err(SubmitError::Invalid(missing))
        }
    }

    async fn accept(&self, command: Command) -> Result<Submitted, SubmitError> {
        let Command::SubmitRun { run, plan, .. } = &command else {
            unreachable!("only submissions are accepted here")
        };
        let run = *run;
        self.check_secrets(plan).await?;
        if let Some(free) = self.inner.room.shortage() {
            let reserve = self.inner.room.bytes();
            return Err(SubmitError::DiskFull { free, reserve });
        }
        match self.command(command).await {
            Ok(()) => Ok(Submitted { run, new: true }),
            Err(CommandError::Rejected(Rejection::AlreadySubmitted(run))) => {
                Ok(Submitted { run, new: false })
            }
            Err(error) => Err(SubmitError::Command(error)),
        }
    }

    /// Ends a run, for a person.
    pub async fn cancel(&self, run: RunId, by: String) -> Result<(), CommandError> {
        self.command(Command::CancelRun { run, by }).await
    }

    /// Gives the steps of a run that did not end well another chance.
    pub async fn retry(&self, run: RunId, by: String) -> Result<(), CommandError> {
        self.command(Command::RetryRun { run, by }).await
    }

    /// Forgets a run that has ended; what only it named in the store is garbage from then on.
    pub async fn forget(&self, run: RunId) -> Result<(), CommandError> {
        self.command(Command::ForgetRun { run }).await
    }

    /// Sends an instruction to a worker; it may be lost.
    pub(crate) async fn instruct(&self, worker: WorkerId, control: Control) -> Result<(), Stopped> {
        let message = Outgoing::Control(worker, control);
        self.inner.outgoing.send(message).await.map_err(|_| Stopped)
    }

    /// A run id of this moment: ids sort by the time of submission.
    fn new_run_id(&self) -> RunId {
        let Timestamp(now) = self.inner.clock.now();
        let moment = uuid::Timestamp::from_unix_time(now / 1000, millis_as_nanos(now % 1000), 0, 0);
        RunId(uuid::Uuid::new_v7(moment))
    }
}

/// A key in the body and one beside it are the same.
fn check_key(named: Option<&str>) -> Result<(), SubmitError> {
    let shown = idempotency::current();
    match (named, shown.as_ref().map(|claim| claim.shown())) {
        (Some(named), Some(shown)) if named != shown => Err(SubmitError::TwoKeys),
        _ => Ok(()),
    }
}

/// The plan of a submission, and the pipeline that it was made of.
fn planned(
    request: SubmitRequest,
    datastores: BTreeMap<Name, Datastore>,
) -> Result<(Plan, PipelineSpec), Vec<Problem>> {
    let wishes = PlanRequest {
        parameters: request.parameters,
        display_name: request.display_name,
        experiment: request.experiment,
        tags: request.tags,
        priority: request.priority,
        force_rerun: request.force_rerun,
        datastores: Some(datastores),
    };
    let plan = tidemill_language::plan(&request.spec, &wishes)?;
    Ok((plan, request.spec))
}

fn millis_as_nanos(millis: u64) -> u32 {
    u32::try_from(millis).unwrap_or(0) * 1_000_000
}
