//! What the client asks about experiments and compute targets.

use super::transport::Payload;
use super::{Client, decode, segment};
use crate::failure::Failure;
use axum::http::Method;
use tidemill_protocol::api::{ComputeTargetView, DescribeExperimentRequest, ExperimentView, routes};
use tidemill_protocol::name::Name;

impl Client {
    /// Experiments in the order of their names.
    pub(crate) async fn experiments(
        &self,
        prefix: Option<String>,
        deleted: bool,
        limit: usize,
    ) -> Result<Vec<ExperimentView>, Failure> {
        let narrowed = [("prefix", prefix), ("deleted", deleted.then(|| true.to_string()))];
        self.pages(routes::EXPERIMENTS, &narrowed, limit).await
    }

    /// One experiment.
    pub(crate) async fn experiment(&self, name: &str) -> Result<ExperimentView, Failure> {
        self.get(format!("{}/{}", routes::EXPERIMENTS, segment(name)))
            .await
    }

    /// Changes an experiment's text and tags.
    pub(crate) async fn describe_experiment(
        &self,
        name: &str,
        request: &DescribeExperimentRequest,
    ) -> Result<ExperimentView, Failure> {
        let path = format!("{}/{}", routes::EXPERIMENTS, segment(name));
        let payload = Payload::json(request)?;
        decode(self.transport.send(Method::PATCH, &path, payload).await?).await
    }

    /// All compute targets in the order of their names.
    pub(crate) async fn compute_targets(&self) -> Result<Vec<ComputeTargetView>, Failure> {
        self.pages(routes::COMPUTE_TARGETS, &[], usize::MAX).await
    }

    /// One compute target.
    pub(crate) async fn compute_target(&self, name: &Name) -> Result<ComputeTargetView, Failure> {
        self.get(format!("{}/{name}", routes::COMPUTE_TARGETS)).await
    }
}
