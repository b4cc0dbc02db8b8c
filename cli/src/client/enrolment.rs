//! What the client asks about workers' enrolment: join tokens, joining by one, and the end of it.

use super::transport::Payload;
use super::{Client, decode, segment, with_query};
use crate::failure::Failure;
use axum::http::Method;
use tidemill_protocol::access::TokenId;
use tidemill_protocol::api::{
    CreateJoinTokenRequest, CreatedJoinToken, EnrolRequest, EnrolledView, JoinTokenView, QuarantineRequest,
    routes,
};
use tidemill_protocol::ids::WorkerId;

impl Client {
    /// Makes a join token.
    pub(crate) async fn create_join_token(
        &self,
        request: &CreateJoinTokenRequest,
    ) -> Result<CreatedJoinToken, Failure> {
        self.create(routes::JOIN_TOKENS.to_owned(), request).await
    }

    /// Join tokens.
    pub(crate) async fn join_tokens(&self) -> Result<Vec<JoinTokenView>, Failure> {
        self.get(routes::JOIN_TOKENS.to_owned()).await
    }

    /// Takes a join token back, in this name.
    pub(crate) async fn revoke_join_token(&self, id: &TokenId, by: &str) -> Result<JoinTokenView, Failure> {
        let path = with_query(&format!("{}/{id}", routes::JOIN_TOKENS), &by_query(by));
        decode(self.transport.send(Method::DELETE, &path, Payload::Empty).await?).await
    }

    /// Joins as this worker; the client shows the join token.
    pub(crate) async fn enrol(
        &self,
        worker: &WorkerId,
        request: &EnrolRequest,
    ) -> Result<EnrolledView, Failure> {
        self.post(worker_path(worker.as_str(), "/enrol"), Payload::json(request)?)
            .await
    }

    /// Lets nothing of a worker count.
    pub(crate) async fn quarantine(&self, worker: &str, request: &QuarantineRequest) -> Result<(), Failure> {
        let path = worker_path(worker, "/quarantine");
        let payload = Payload::json(request)?;
        drop(self.transport.send(Method::POST, &path, payload).await?);
        Ok(())
    }

    /// Lets a quarantined worker count again, in this name.
    pub(crate) async fn release(&self, worker: &str, by: &str) -> Result<(), Failure> {
        let path = with_query(&worker_path(worker, "/release"), &by_query(by));
        drop(self.transport.send(Method::POST, &path, Payload::Empty).await?);
        Ok(())
    }

    /// Forgets a worker's key, in this name.
    pub(crate) async fn remove_worker(&self, worker: &str, by: &str) -> Result<(), Failure> {
        let path = with_query(&worker_path(worker, ""), &by_query(by));
        drop(self.transport.send(Method::DELETE, &path, Payload::Empty).await?);
        Ok(())
    }
}

fn worker_path(worker: &str, rest: &str) -> String {
    format!("{}/{}{rest}", routes::WORKERS, segment(worker))
}

fn by_query(by: &str) -> [(&'static str, Option<String>); 1] {
    [("by", Some(by.to_owned()))]
}
