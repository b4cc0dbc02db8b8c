//! What the API says, laid out for people. Each file shows one kind of thing; machines get the same values as JSON, untouched.

pub(crate) mod assets;
pub(crate) mod audit;
pub(crate) mod compute;
pub(crate) mod datastores;
pub(crate) mod drafts;
pub(crate) mod experiments;
pub(crate) mod explanation;
pub(crate) mod join_tokens;
pub(crate) mod lineage;
pub(crate) mod mailings;
pub(crate) mod metrics;
pub(crate) mod outcome;
pub(crate) mod pipelines;
pub(crate) mod plan;
pub(crate) mod projects;
pub(crate) mod queues;
pub(crate) mod runs;
pub(crate) mod schedules;
pub(crate) mod secrets;
pub(crate) mod subscriptions;
pub(crate) mod tokens;
pub(crate) mod webhooks;
pub(crate) mod workers;
