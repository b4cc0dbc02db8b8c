//! Where each resource lives, as coordinator and client both write it. Paths only: what travels is in the other files here, and the
//! handlers are the coordinator's.
//!
//! `{run}` is an id, a unique prefix of one (at least 4 characters), `last`, or `@` and a name (the newest run with it); `{step}` is a step's path in
//! the run.
//!
//! ```text
//! GET  /api/v1                                          CoordinatorView
//! POST /api/v1/runs                 SubmitRequest     → RunSummary          201; 200 when the idempotency key was used before
//! GET  /api/v1/runs                 ?limit&cursor&status&pipeline&experiment&project&since&tags → Page<RunSummary>, newest first
//! GET  /api/v1/runs/{run}                             → RunView
//! DELETE /api/v1/runs/{run}                           → RunSummary          of a run that has ended
//! POST /api/v1/runs/{run}/cancel                      → RunSummary
//! POST /api/v1/runs/{run}/retry                       → RunSummary
//! PATCH /api/v1/runs/{run}          DescribeRunRequest → RunSummary
//! GET  /api/v1/runs/{run}/comments                    → [CommentView], oldest first
//! POST /api/v1/runs/{run}/comments  CommentRequest    → CommentView         201
//! GET, PATCH, DELETE /api/v1/runs/{run}/comments/{comment} CommentRequest → CommentView  by its author or an admin
//! GET  /api/v1/runs/{run}/events    ?after=SEQUENCE   → text/event-stream of EventView; id = sequence; ends after the run's last event
//! GET  /api/v1/runs/{run}/diff/{other}                → RunDiffView
//! GET  /api/v1/runs/{run}/artifacts                   → [ArtifactView]
//! GET  /api/v1/runs/{run}/steps/{step}                → StepView
//! GET  /api/v1/runs/{run}/steps/{step}/explain        → ExplanationView
//! GET  /api/v1/runs/{run}/steps/{step}/logs  ?stream=stdout|stderr&attempt=N&follow=true&offset=BYTES
//!                                                     → the bytes; with `follow` until the attempt ends
//! POST /api/v1/plan                 SubmitRequest     → PlanView            changes nothing
//! POST /api/v1/artifacts/missing    MissingRequest    → MissingResponse
//! POST /api/v1/artifacts/sweep      SweepRequest      → SweepView           begins with blank lines, for as long as it takes
//! POST /api/v1/contents/missing     ContentsRequest   → ContentsResponse
//! PUT  /api/v1/contents/{sha256}     bytes             → ArtifactRef         the same for clients that have SHA-256 only
//! POST /api/v1/contents/artifacts   AssembleRequest   → ArtifactRef         a file or folder of what was sent
//! POST /api/v1/pipelines/load        LoadRequest       → LoadResponse        needs, or the pipeline
//! PUT  /api/v1/blobs/{digest}       bytes             → ArtifactRef         refused unless the bytes have this digest
//! GET  /api/v1/blobs/{digest}                         → the bytes
//! PUT  /api/v1/trees/{digest}       canonical bytes   → ArtifactRef         refused while a file of it is missing
//! GET  /api/v1/trees/{digest}                         → Tree
//! GET  /api/v1/trees/{digest}/files ?limit&cursor&prefix → Page<TreeEntry>
//! GET  /api/v1/trees/{digest}/files/{path}            → the bytes
//! GET  /api/v1/trees/{digest}/archive ?format=zip|tar → the folder as one file
//! GET  /api/v1/workers                                → [WorkerView]
//! POST /api/v1/workers/{worker}/drain                 → 204
//! POST /api/v1/workers/{worker}/preempt               → 204
//! POST /api/v1/workers/{worker}/resume                → 204
//! POST /api/v1/workers/{worker}/enrol      EnrolRequest      → EnrolledView   with a join token
//! POST /api/v1/workers/{worker}/quarantine QuarantineRequest → 204
//! POST /api/v1/workers/{worker}/release               → 204
//! DELETE /api/v1/workers/{worker}                     → 204                 its key is good no more
//! GET  /api/v1/worker                                 → EnrolledView        for a request that a worker signed
//! POST /api/v1/join-tokens     CreateJoinTokenRequest → CreatedJoinToken    the only answer with the token itself
//! GET  /api/v1/join-tokens                            → [JoinTokenView]
//! DELETE /api/v1/join-tokens/{id}                     → JoinTokenView
//! GET  /api/v1/projects                               → [ProjectView]
//! GET, PUT, DELETE /api/v1/projects/{name} ProjectRequest → ProjectView     ETag, for If-Match, as every single thing that may change
//! PUT  /api/v1/projects/{name}/role RoleRequest       → ProjectView
//! PUT  /api/v1/projects/{name}/quota Quota            → ProjectView
//! GET  /api/v1/teams                                  → [TeamView]
//! GET, PUT, DELETE /api/v1/teams/{name}  TeamRequest  → TeamView
//! GET  /api/v1/queues                                 → [QueueView]
//! GET  /api/v1/compute-targets      ?limit&cursor     → Page<ComputeTargetView>, by name
//! GET  /api/v1/compute-targets/{name}                 → ComputeTargetView
//! GET  /api/v1/experiments          ?limit&cursor&prefix&deleted → Page<ExperimentView>, by name
//! GET, PATCH /api/v1/experiments/{name} DescribeExperimentRequest → ExperimentView
//! GET  /api/v1/whoami                                 → CallerView
//! POST /api/v1/tokens               CreateTokenRequest → CreatedToken       the only answer with the token itself
//! GET  /api/v1/tokens                                 → [TokenView]
//! DELETE /api/v1/tokens/{id}                          → TokenView
//! GET  /api/v1/secrets                                → [SecretView]        never a value
//! GET  /api/v1/secrets/{name}                         → SecretView
//! PUT  /api/v1/secrets/{name}       the value's bytes → SecretView
//! DELETE /api/v1/secrets/{name}                       → 204
//! POST /api/v1/worker/secrets       SecretsRequest    → the values          signed by the worker that makes the attempt
//! GET  /api/v1/assets/{kind}        ?limit&cursor&prefix&tag → Page<AssetView>, by name
//! GET  /api/v1/assets/{kind}/{name}                   → AssetView           its revision as `ETag`
//! PATCH /api/v1/assets/{kind}/{name} DescribeRequest  → AssetView
//! POST /api/v1/assets/{kind}/{name}/versions  AddVersionRequest → VersionView  201; 200 when it was there already
//! GET  /api/v1/assets/{kind}/{name}/versions  ?limit&cursor&stage → Page<VersionView>, newest first
//! GET  /api/v1/assets/{kind}/{name}/versions/{version} → VersionView         also by a label
//! PATCH /api/v1/assets/{kind}/{name}/versions/{version} DescribeRequest → VersionView
//! DELETE /api/v1/assets/{kind}/{name}/versions/{version} → 204
//! PUT  /api/v1/assets/{kind}/{name}/labels/{label}  LabelRequest → 204
//! DELETE /api/v1/assets/{kind}/{name}/labels/{label}  → 204
//! POST /api/v1/pipelines/{name}/runs  ?version  StartRequest → RunSummary    201; 200 when the idempotency key was used before
//! GET  /api/v1/lineage              ?of&kind&direction&depth&limit → LineageView
//! GET  /api/v1/datastores                             → [DatastoreView]
//! GET  /api/v1/datastores/{name}                      → DatastoreView       its revision as `ETag`
//! PUT  /api/v1/datastores/{name}    Datastore         → DatastoreView
//! DELETE /api/v1/datastores/{name}                    → 204
//! POST /api/v1/datastores/{name}/test                 → DatastoreTestView
//! GET  /api/v1/drafts               ?tag              → [DraftView]
//! GET, PUT, PATCH, DELETE /api/v1/drafts/{name} DraftRequest → DraftView    ETag: its revision, for If-Match; If-None-Match: * to make
//! POST /api/v1/drafts/{name}/runs      StartRequest   → RunSummary          201; 200 when the idempotency key was used before
//! POST /api/v1/drafts/{name}/publish   PublishDraftRequest → VersionView    201; 200 when it was there already
//! GET  /api/v1/schedules                              → [ScheduleView]
//! GET, PUT, DELETE /api/v1/schedules/{name} ScheduleSpec → ScheduleView     ETag: its revision, for If-Match; If-None-Match: * to make
//! POST /api/v1/schedules/{name}/pause  PauseRequest   → ScheduleView
//! POST /api/v1/schedules/{name}/resume                → ScheduleView
//! GET  /api/v1/schedules/{name}/next   ?count         → [MomentView]
//! GET  /api/v1/schedules/{name}/firings               → [Firing], newest first
//! GET  /api/v1/webhooks                               → [WebhookView]
//! GET, PUT, DELETE /api/v1/webhooks/{name} WebhookSpec → WebhookView
//! GET  /api/v1/webhooks/{name}/deliveries             → [Delivery], newest first
//! POST /api/v1/webhooks/{name}/pause   PauseRequest   → WebhookView
//! POST /api/v1/webhooks/{name}/resume                 → WebhookView
//! POST /api/v1/webhooks/{name}/test                   → WebhookTestView
//! …    /api/v1/mailings…                              as for webhooks, with MailingSpec, MailingView and MailingTestView
//! GET  /api/v1/audit                ?since&who&decision&limit&cursor → Page<AuditEntry>, oldest first
//! GET  /api/v1/audit/export                           → every line, byte for byte
//! GET  /api/v1/openapi.json                           → the description of all this
//! GET  /healthz   /readyz                             → 200, or 503 with the reason
//! ```

/// The root of the API, and the coordinator's own view.
pub const ROOT: &str = "/api/v1";
/// Submission and list of runs.
pub const RUNS: &str = "/api/v1/runs";
/// What a submission would do.
pub const PLAN: &str = "/api/v1/plan";
/// Which contents the store lacks.
pub const MISSING: &str = "/api/v1/artifacts/missing";
/// Deleting what nothing names any more.
pub const SWEEP: &str = "/api/v1/artifacts/sweep";
/// Files by digest.
pub const BLOBS: &str = "/api/v1/blobs";
/// Folders by digest.
pub const TREES: &str = "/api/v1/trees";
/// Workers.
pub const WORKERS: &str = "/api/v1/workers";
/// An enrolled worker's own view.
pub const WORKER: &str = "/api/v1/worker";
/// Tokens by which workers join.
pub const JOIN_TOKENS: &str = "/api/v1/join-tokens";
/// Projects.
pub const PROJECTS: &str = "/api/v1/projects";
/// Teams.
pub const TEAMS: &str = "/api/v1/teams";
/// Compute targets.
pub const COMPUTE_TARGETS: &str = "/api/v1/compute-targets";
/// Experiments.
pub const EXPERIMENTS: &str = "/api/v1/experiments";
/// Queues.
pub const QUEUES: &str = "/api/v1/queues";
/// Who asks.
pub const WHOAMI: &str = "/api/v1/whoami";
/// Tokens.
pub const TOKENS: &str = "/api/v1/tokens";
/// The secrets of an attempt, for the worker that makes it.
pub const WORKER_SECRETS: &str = "/api/v1/worker/secrets";
/// Secrets by name.
pub const SECRETS: &str = "/api/v1/secrets";
/// Named things with versions, by kind.
pub const ASSETS: &str = "/api/v1/assets";
/// What something was made of, and what was made of it.
pub const LINEAGE: &str = "/api/v1/lineage";
/// Datastores.
pub const DATASTORES: &str = "/api/v1/datastores";
/// Published pipelines.
pub const PIPELINES: &str = "/api/v1/pipelines";
/// Drafts.
pub const DRAFTS: &str = "/api/v1/drafts";
/// Schedules.
pub const SCHEDULES: &str = "/api/v1/schedules";
/// Webhooks.
pub const WEBHOOKS: &str = "/api/v1/webhooks";
/// Mailings.
pub const MAILINGS: &str = "/api/v1/mailings";
/// The audit log.
pub const AUDIT: &str = "/api/v1/audit";
/// The description of the API.
pub const OPENAPI: &str = "/api/v1/openapi.json";
