//! What the client asks about experiments and compute targets.

use super::transport::Payload;
use super::{Client, decode, segment};
use crate::failure::Failure;
use axum::http::Method;
use tidemill_protocol::api::{
    ComputeTargetView, CreateExperimentRequest, DescribeExperimentRequest, ExperimentView, routes,
};
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

    /// Makes an experiment.
    pub(crate) async fn create_experiment(
        &self,
        request: &CreateExperimentRequest,
    ) -> Result<ExperimentView, Failure> {
        self.create(routes::EXPERIMENTS.to_owned(), request).await
    }

    /// Deletes an experiment.
    pub(crate) async fn delete_experiment(&self, name: &str) -> Result<(), Failure> {
        let path = format!("{}/{}", routes::EXPERIMENTS, segment(name));
        drop(self.transport.send(Method::DELETE, &path, Payload::Empty).await?);
        Ok(())
    }

    /// Brings an experiment back.
    pub(crate) async fn restore_experiment(&self, name: &str) -> Result<ExperimentView, Failure> {
        let path = format!("{}/{}/restore", routes::EXPERIMENTS, segment(name));
        decode(self.transport.send(Method::POST, &path, Payload::Empty).await?).await
    }

    /// Changes an experiment's name, text and tags.
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
