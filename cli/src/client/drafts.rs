//! What the client asks about drafts.

use super::transport::Payload;
use super::{Client, decode, with_query};
use crate::failure::Failure;
use axum::http::Method;
use tidemill_protocol::api::{
    DraftRequest, DraftView, PublishDraftRequest, RunSummary, StartRequest, VersionView, routes,
};
use tidemill_protocol::name::Name;

impl Client {
    /// The drafts, all or those with a tag, in the order of their names.
    pub(crate) async fn drafts(&self, tag: Option<String>) -> Result<Vec<DraftView>, Failure> {
        self.get(with_query(routes::DRAFTS, &[("tag", tag)])).await
    }

    /// A draft.
    pub(crate) async fn draft(&self, name: &Name) -> Result<DraftView, Failure> {
        self.get(path(name, "")).await
    }

    /// Makes a draft, or makes it another.
    pub(crate) async fn set_draft(&self, name: &Name, request: &DraftRequest) -> Result<DraftView, Failure> {
        self.put(&path(name, ""), request).await
    }

    /// Changes what is given of a draft.
    pub(crate) async fn edit_draft(&self, name: &Name, request: &DraftRequest) -> Result<DraftView, Failure> {
        let payload = Payload::json(request)?;
        decode(
            self.transport
                .send(Method::PATCH, &path(name, ""), payload)
                .await?,
        )
        .await
    }

    /// Removes a draft, in this name.
    pub(crate) async fn remove_draft(&self, name: &Name, by: &str) -> Result<(), Failure> {
        let path = with_query(&path(name, ""), &[("by", Some(by.to_owned()))]);
        drop(self.transport.send(Method::DELETE, &path, Payload::Empty).await?);
        Ok(())
    }

    /// Starts a run of a draft.
    pub(crate) async fn submit_draft(
        &self,
        name: &Name,
        request: &StartRequest,
    ) -> Result<RunSummary, Failure> {
        let key = request.idempotency_key.as_deref();
        self.start(path(name, "/runs"), request, key).await
    }

    /// Publishes a draft.
    pub(crate) async fn publish_draft(
        &self,
        name: &Name,
        request: &PublishDraftRequest,
    ) -> Result<VersionView, Failure> {
        self.create(path(name, "/publish"), request).await
    }
}

fn path(name: &Name, rest: &str) -> String {
    format!("{}/{name}{rest}", routes::DRAFTS)
}
