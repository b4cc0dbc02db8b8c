//! The typed client of the coordinator's API. It speaks over HTTP, or straight to a router in this process: what answers is the same code.
//! Nothing here decides or prints.

mod assets;
mod creating;
mod datastores;
mod drafts;
mod enrolment;
mod events;
mod experiments;
mod log_tail;
mod patience;
mod projects;
mod published;
mod refusal;
mod remarks;
mod remote_secrets;
mod run_events;
mod schedules;
mod subscriptions;
mod transport;
mod trust;

pub(crate) use assets::{Asked, AssetFilter};
use events::EventStream;
pub(crate) use remote_secrets::RemoteSecrets;
pub(crate) use run_events::{RunEvents, Seen};
pub(crate) use transport::{ByteStream, Moved};

use crate::failure::{Context, Failure};
use crate::settings::Origin;
use axum::http::Method;
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;
use tidemill_protocol::access::TokenId;
use tidemill_protocol::api::{
    ArtifactView, AuditEntry, CallerView, CoordinatorView, CreateTokenRequest, CreatedToken, ExplanationView,
    MetricView, MissingRequest, MissingResponse, Page, PlanView, QueueView, RunDiffView, RunSummary, RunView,
    SecretView, StepView, SubmitRequest, SweepRequest, SweepView, TokenView, WorkerView, routes,
};
use tidemill_protocol::artifact::{ArtifactRef, Tree};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::wire::LogStream;
use transport::{Payload, Transport};

/// Largest JSON answer that is read: a run of 100,000 steps fits well.
const ANSWER_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Entries of the audit log that are asked for at once.
const AUDIT_PAGE: usize = 2_000;
/// How long a coordinator that went away is asked again: a restart, with its journal read, takes less.
const COMES_BACK_WITHIN: Duration = Duration::from_mins(2);
/// The same for one in this process, which can break a stream off but cannot go away and come back.
const ASKED_AGAIN_WITHIN: Duration = Duration::from_secs(5);

/// What a list of runs is narrowed to.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunFilter {
    /// At most so many.
    pub(crate) limit: u32,
    /// Only runs that stand like this.
    pub(crate) status: Option<String>,
    /// Only runs of this pipeline.
    pub(crate) pipeline: Option<String>,
    /// Only runs of this experiment.
    pub(crate) experiment: Option<String>,
    /// Only runs of this project.
    pub(crate) project: Option<String>,
    /// Only runs submitted from this moment on.
    pub(crate) since: Option<Timestamp>,
    /// Only runs with all these labels, each `NAME=VALUE`, with commas between.
    pub(crate) tags: Option<String>,
    /// The order; newest first when absent.
    pub(crate) sort: Option<String>,
}

/// What a list of the audit log is narrowed to.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuditFilter {
    /// Only entries from this moment on.
    pub(crate) since: Option<Timestamp>,
    /// Only those of this subject or token.
    pub(crate) who: Option<String>,
    /// Only those with this decision.
    pub(crate) decision: Option<String>,
}

/// A client of one coordinator. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    transport: Transport,
}

impl Client {
    /// Speaks to the coordinator at this address, with this token. Of https, the certificates in `authorities` vouch for it too.
    pub(crate) fn http(
        url: &str,
        origin: Origin,
        token: Option<&str>,
        authorities: Option<&Path>,
    ) -> Result<Self, Failure> {
        let transport = Transport::http(url, origin, token, authorities)?;
        Ok(Self { transport })
    }

    /// Speaks to a coordinator in this process.
    pub(crate) fn in_process(router: axum::Router) -> Self {
        Self {
            transport: Transport::InProcess(router),
        }
    }

    /// Who answers.
    pub(crate) async fn coordinator(&self) -> Result<CoordinatorView, Failure> {
        self.get(routes::ROOT.to_owned()).await
    }

    /// Starts a run.
    pub(crate) async fn submit(&self, request: &SubmitRequest) -> Result<RunSummary, Failure> {
        let key = request.idempotency_key.as_deref();
        self.start(routes::RUNS.to_owned(), request, key).await
    }

    /// What a submission would do.
    pub(crate) async fn plan(&self, request: &SubmitRequest) -> Result<PlanView, Failure> {
        self.post(routes::PLAN.to_owned(), Payload::json(request)?).await
    }

    /// Runs, newest first unless another order is asked for.
    pub(crate) async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, Failure> {
        let mut runs: Vec<RunSummary> = Vec::new();
        let mut cursor: Option<String> = None;
        let limit = filter.limit as usize;
        while runs.len() < limit {
            let rest = (limit - runs.len()).to_string();
            let query = [
                ("limit", Some(rest)),
                ("cursor", cursor.take()),
                ("status", filter.status.clone()),
                ("pipeline", filter.pipeline.clone()),
                ("experiment", filter.experiment.clone()),
                ("project", filter.project.clone()),
                ("since", filter.since.map(|since| since.0.to_string())),
                ("tags", filter.tags.clone()),
                ("sort", filter.sort.clone()),
            ];
            let page: Page<RunSummary> = self.get(with_query(routes::RUNS, &query)).await?;
            let is_empty = page.items.is_empty();
            runs.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() || is_empty {
                break;
            }
        }
        runs.truncate(limit);
        Ok(runs)
    }

    /// One run.
    pub(crate) async fn run(&self, run: &str) -> Result<RunView, Failure> {
        self.get(run_path(run, "")).await
    }

    /// Cancels a run.
    pub(crate) async fn cancel(&self, run: &str) -> Result<RunSummary, Failure> {
        self.post(run_path(run, "/cancel"), Payload::Empty).await
    }

    /// Gives the steps of a run that ended badly another chance.
    pub(crate) async fn retry(&self, run: &str) -> Result<RunSummary, Failure> {
        self.once(Method::POST, &run_path(run, "/retry"), Bytes::new())
            .await
    }

    /// What differs between two runs.
    pub(crate) async fn diff(&self, left: &str, right: &str) -> Result<RunDiffView, Failure> {
        self.get(run_path(left, &format!("/diff/{}", segment(right))))
            .await
    }

    /// What happens in a run, from after this sequence number on, until it has ended.
    pub(crate) fn run_events(&self, run: &str, after: u64) -> RunEvents {
        RunEvents::new(self, run, after)
    }

    /// One stream of a run's events, which may break off at any time.
    async fn events(&self, run: &str, after: u64) -> Result<EventStream, Failure> {
        let path = format!("{}?after={after}", run_path(run, "/events"));
        let bytes = self.transport.send(Method::GET, &path, Payload::Empty).await?;
        Ok(EventStream::new(bytes))
    }

    /// How long a coordinator that went away is asked again.
    fn patience(&self) -> Duration {
        match self.transport {
            Transport::Http(_) => COMES_BACK_WITHIN,
            Transport::InProcess(_) => ASKED_AGAIN_WITHIN,
        }
    }

    /// One step of a run.
    pub(crate) async fn step(&self, run: &str, step: &str) -> Result<StepView, Failure> {
        self.get(step_path(run, step, "")).await
    }

    /// Why a step stands as it does.
    pub(crate) async fn explain(&self, run: &str, step: &str) -> Result<ExplanationView, Failure> {
        self.get(step_path(run, step, "/explain")).await
    }

    /// What a step wrote; with `follow` until its attempt ends.
    pub(crate) async fn logs(&self, request: &LogRequest<'_>) -> Result<ByteStream, Failure> {
        if request.follow {
            log_tail::follow(self, request).await
        } else {
            self.log_bytes(request, 0).await
        }
    }

    /// A log from this byte on; the stream may break off at any time.
    async fn log_bytes(&self, request: &LogRequest<'_>, offset: u64) -> Result<ByteStream, Failure> {
        let stream = match request.stream {
            LogStream::Stdout => "stdout",
            LogStream::Stderr => "stderr",
        };
        let query = [
            ("stream", Some(stream.to_owned())),
            ("attempt", request.attempt.map(|attempt| attempt.to_string())),
            ("follow", request.follow.then(|| "true".to_owned())),
            ("offset", (offset > 0).then(|| offset.to_string())),
        ];
        let path = with_query(&step_path(request.run, request.step, "/logs"), &query);
        self.transport.send(Method::GET, &path, Payload::Empty).await
    }

    /// The outputs of a run.
    pub(crate) async fn artifacts(&self, run: &str) -> Result<Vec<ArtifactView>, Failure> {
        self.get(run_path(run, "/artifacts")).await
    }

    /// The metrics that the steps of a run logged.
    pub(crate) async fn metrics(&self, run: &str, step: Option<&str>) -> Result<Vec<MetricView>, Failure> {
        let query = [("step", step.map(str::to_owned))];
        self.get(with_query(&run_path(run, "/metrics"), &query)).await
    }

    /// Which of these contents the store lacks.
    pub(crate) async fn missing(&self, request: &MissingRequest) -> Result<MissingResponse, Failure> {
        self.post(routes::MISSING.to_owned(), Payload::json(request)?)
            .await
    }

    /// Forgets a run that has ended, in this name.
    pub(crate) async fn delete_run(&self, run: &str, by: &str) -> Result<RunSummary, Failure> {
        let path = with_query(&run_path(run, ""), &[("by", Some(by.to_owned()))]);
        decode(self.transport.send(Method::DELETE, &path, Payload::Empty).await?).await
    }

    /// Deletes what nothing names any more, or counts it.
    pub(crate) async fn sweep(&self, request: &SweepRequest) -> Result<SweepView, Failure> {
        self.post(routes::SWEEP.to_owned(), Payload::json(request)?).await
    }

    /// Sends a file, announced under its digest, and tells of each piece that is on its way.
    pub(crate) async fn put_file(
        &self,
        digest: &Digest,
        path: &Path,
        moved: Moved,
    ) -> Result<ArtifactRef, Failure> {
        let route = format!("{}/{digest}", routes::BLOBS);
        let payload = Payload::file(path, moved).await?;
        decode(self.transport.send(Method::PUT, &route, payload).await?).await
    }

    /// Sends a folder's manifest, after its files.
    pub(crate) async fn put_tree(&self, tree: &Tree) -> Result<ArtifactRef, Failure> {
        let bytes = tree.canonical_bytes();
        let route = format!("{}/{}", routes::TREES, Digest::of(&bytes));
        let payload = Payload::Bytes(Bytes::from(bytes));
        decode(self.transport.send(Method::PUT, &route, payload).await?).await
    }

    /// The bytes of a file.
    pub(crate) async fn blob(&self, digest: &Digest) -> Result<ByteStream, Failure> {
        let route = format!("{}/{digest}", routes::BLOBS);
        self.transport.send(Method::GET, &route, Payload::Empty).await
    }

    /// A folder's manifest.
    pub(crate) async fn tree(&self, digest: &Digest) -> Result<Tree, Failure> {
        self.get(format!("{}/{digest}", routes::TREES)).await
    }

    /// Workers.
    pub(crate) async fn workers(&self) -> Result<Vec<WorkerView>, Failure> {
        self.get(routes::WORKERS.to_owned()).await
    }

    /// Tells a worker to drain (`drain`), to go on (`resume`), or that its machine is about to be taken away (`preempt`).
    pub(crate) async fn tell_worker(&self, worker: &str, verb: &str) -> Result<(), Failure> {
        let route = format!("{}/{}/{verb}", routes::WORKERS, segment(worker));
        drop(self.transport.send(Method::POST, &route, Payload::Empty).await?);
        Ok(())
    }

    /// Queues.
    pub(crate) async fn queues(&self) -> Result<Vec<QueueView>, Failure> {
        self.get(routes::QUEUES.to_owned()).await
    }

    /// Who we are, as the coordinator sees it.
    pub(crate) async fn whoami(&self) -> Result<CallerView, Failure> {
        self.get(routes::WHOAMI.to_owned()).await
    }

    /// Makes a token.
    pub(crate) async fn create_token(&self, request: &CreateTokenRequest) -> Result<CreatedToken, Failure> {
        self.create(routes::TOKENS.to_owned(), request).await
    }

    /// Tokens.
    pub(crate) async fn tokens(&self) -> Result<Vec<TokenView>, Failure> {
        self.get(routes::TOKENS.to_owned()).await
    }

    /// Takes a token back, in this name.
    pub(crate) async fn revoke_token(&self, id: &TokenId, by: &str) -> Result<TokenView, Failure> {
        let path = with_query(
            &format!("{}/{id}", routes::TOKENS),
            &[("by", Some(by.to_owned()))],
        );
        decode(self.transport.send(Method::DELETE, &path, Payload::Empty).await?).await
    }

    /// Gives a secret a value, in this name.
    pub(crate) async fn set_secret(
        &self,
        name: &Name,
        value: Vec<u8>,
        by: &str,
    ) -> Result<SecretView, Failure> {
        let path = with_query(
            &format!("{}/{name}", routes::SECRETS),
            &[("by", Some(by.to_owned()))],
        );
        self.put_bytes(&path, Bytes::from(value)).await
    }

    /// Secrets, without their values.
    pub(crate) async fn secrets(&self) -> Result<Vec<SecretView>, Failure> {
        self.get(routes::SECRETS.to_owned()).await
    }

    /// Removes a secret, in this name.
    pub(crate) async fn remove_secret(&self, name: &Name, by: &str) -> Result<(), Failure> {
        let path = with_query(
            &format!("{}/{name}", routes::SECRETS),
            &[("by", Some(by.to_owned()))],
        );
        drop(self.transport.send(Method::DELETE, &path, Payload::Empty).await?);
        Ok(())
    }

    /// Entries of the audit log, oldest first.
    pub(crate) async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, Failure> {
        let mut entries = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let query = [
                ("cursor", cursor.take()),
                ("since", filter.since.map(|since| since.0.to_string())),
                ("who", filter.who.clone()),
                ("decision", filter.decision.clone()),
                ("limit", Some(AUDIT_PAGE.to_string())),
            ];
            let page: Page<AuditEntry> = self.get(with_query(routes::AUDIT, &query)).await?;
            entries.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(entries);
            }
        }
    }

    /// Every line of the audit log.
    pub(crate) async fn audit_export(&self) -> Result<ByteStream, Failure> {
        let path = format!("{}/export", routes::AUDIT);
        self.transport.send(Method::GET, &path, Payload::Empty).await
    }

    async fn get<T: DeserializeOwned>(&self, path: String) -> Result<T, Failure> {
        decode(self.transport.send(Method::GET, &path, Payload::Empty).await?).await
    }

    async fn post<T: DeserializeOwned>(&self, path: String, payload: Payload) -> Result<T, Failure> {
        decode(self.transport.send(Method::POST, &path, payload).await?).await
    }
}

/// Whose log is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogRequest<'a> {
    /// The run.
    pub(crate) run: &'a str,
    /// The step.
    pub(crate) step: &'a str,
    /// Which of its streams.
    pub(crate) stream: LogStream,
    /// Which attempt; the newest when none is named.
    pub(crate) attempt: Option<u32>,
    /// Whether to go on as it grows.
    pub(crate) follow: bool,
}

/// Collects a stream of bytes, up to a limit.
pub(crate) async fn collect(mut bytes: ByteStream, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut all = Vec::new();
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk?;
        if all.len() + chunk.len() > limit {
            return Err(refusal::unexpected("an answer larger than the limit"));
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

async fn decode<T: DeserializeOwned>(bytes: ByteStream) -> Result<T, Failure> {
    let bytes = collect(bytes, ANSWER_BYTES_MAX).await?;
    serde_json::from_slice(&bytes).context(|| "the coordinator's answer is not what this version understands")
}

fn run_path(run: &str, rest: &str) -> String {
    format!("{}/{}{rest}", routes::RUNS, segment(run))
}

fn step_path(run: &str, step: &str, rest: &str) -> String {
    run_path(run, &format!("/steps/{}{rest}", segment(step)))
}

fn with_query(path: &str, pairs: &[(&str, Option<String>)]) -> String {
    let mut text = path.to_owned();
    let mut joint = '?';
    for (name, value) in pairs {
        if let Some(value) = value {
            text.push(joint);
            text.push_str(name);
            text.push('=');
            text.push_str(&segment(value));
            joint = '&';
        }
    }
    text
}

/// A text as one segment of a path, or one value of a query.
fn segment(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            safe.push(char::from(byte));
        } else {
            write!(safe, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    // A lone dot or two would be taken for a place in the path.
    if matches!(safe.as_str(), "." | "..") {
        return safe.replace('.', "%2E");
    }
    safe
}

/// Turns a value into JSON bytes.
fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, Failure> {
    let bytes = serde_json::to_vec(value).context(|| "cannot write the request as JSON")?;
    Ok(Bytes::from(bytes))
}

#[cfg(test)]
mod tests;
