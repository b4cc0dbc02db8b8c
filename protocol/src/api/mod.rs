//! What travels over REST: request bodies and views, one file per resource. JSON with lower-case names; fields are only ever added.

mod artifacts;
mod assets;
mod audit;
mod compute_targets;
mod contents;
mod datastores;
mod drafts;
mod enrolment;
mod error;
mod experiments;
mod lineage;
mod load;
mod mailings;
mod metrics;
mod projects;
mod queues;
mod remarks;
pub mod routes;
mod runs;
mod schedules;
mod secrets;
mod service;
mod steps;
mod sweep;
mod tokens;
mod webhooks;
mod workers;

pub use artifacts::{ArtifactView, MissingRequest, MissingResponse};
pub use assets::{
    AddVersionRequest, AssetSource, AssetView, DescribeRequest, LabelRequest, StartRequest, VersionMetric,
    VersionView,
};
pub use audit::{AuditDecision, AuditEntry};
pub use compute_targets::ComputeTargetView;
pub use contents::{AssembleRequest, ContentsRequest, ContentsResponse};
pub use datastores::{DatastoreTestView, DatastoreView};
pub use drafts::{DraftRequest, DraftSource, DraftView, PublishDraftRequest};
pub use enrolment::{
    CreateJoinTokenRequest, CreatedJoinToken, EnrolRequest, EnrolledView, JoinTokenStatus, JoinTokenView,
    QuarantineRequest, QuarantineView,
};
pub use error::{ErrorBody, ErrorCode};
pub use experiments::{CreateExperimentRequest, DescribeExperimentRequest, ExperimentView};
pub use lineage::{LineageEdge, LineageKind, LineageNode, LineageView};
pub use load::{LoadFile, LoadNeed, LoadRequest, LoadResponse, LoadRole, LoadSource, LoadText};
pub use mailings::{MailingTestView, MailingView};
pub use metrics::{MetricBucket, MetricChart, MetricPoint, MetricSeries, MetricView};
pub use projects::{ProjectRequest, ProjectView, RoleRequest, TeamRequest, TeamView, UsageOfProjectView};
pub use queues::{BrokerQueueView, QueueView, Untold};
pub use remarks::{ActivityView, CommentRequest, CommentView, DescribeRunRequest, RunAct};
pub use runs::{
    EventView, Page, PlanDecision, PlanView, PlannedStepView, RunDiffView, RunSummary, RunView, StepCounts,
    StepDiffView, SubmitRequest,
};
pub use schedules::{LookView, MomentView, PauseRequest, PauseView, ScheduleView};
pub use secrets::SecretView;
pub use service::{ArchiveView, CoordinatorView, Problem};
pub use steps::{AttemptView, ExplanationView, InputView, KeyPartView, NamedOutputView, StepView, UsageView};
pub use sweep::{SweepRequest, SweepView};
pub use tokens::{CallerView, CreateTokenRequest, CreatedToken, TokenStatus, TokenView};
pub use webhooks::{WebhookTestView, WebhookView};
pub use workers::{RunningAttemptView, WorkerView};
