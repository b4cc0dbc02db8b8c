//! What the client asks about webhooks and mailings, which are asked in the same way: `root` says which.

use super::transport::Payload;
use super::{Client, with_query};
use crate::failure::Failure;
use axum::http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_protocol::api::PauseRequest;
use tidemill_protocol::delivery::Delivery;
use tidemill_protocol::name::Name;

impl Client {
    /// All of them, in the order of their names.
    pub(crate) async fn subscriptions<V: DeserializeOwned>(&self, root: &str) -> Result<Vec<V>, Failure> {
        self.get(root.to_owned()).await
    }

    /// Makes one, or makes it another, in this name.
    pub(crate) async fn subscribe<V: DeserializeOwned>(
        &self,
        (root, name): (&str, &Name),
        spec: &impl Serialize,
        by: &str,
    ) -> Result<V, Failure> {
        self.put(&in_name(root, name, "", by), spec).await
    }

    /// Removes one, in this name.
    pub(crate) async fn unsubscribe(&self, (root, name): (&str, &Name), by: &str) -> Result<(), Failure> {
        let path = in_name(root, name, "", by);
        drop(self.transport.send(Method::DELETE, &path, Payload::Empty).await?);
        Ok(())
    }

    /// Lets one tell nothing, in this name.
    pub(crate) async fn pause_subscription<V: DeserializeOwned>(
        &self,
        (root, name): (&str, &Name),
        reason: &str,
        by: &str,
    ) -> Result<V, Failure> {
        let request = PauseRequest {
            reason: reason.to_owned(),
        };
        self.post(in_name(root, name, "/pause", by), Payload::json(&request)?)
            .await
    }

    /// Lets a paused one tell again, in this name.
    pub(crate) async fn resume_subscription<V: DeserializeOwned>(
        &self,
        (root, name): (&str, &Name),
        by: &str,
    ) -> Result<V, Failure> {
        self.post(in_name(root, name, "/resume", by), Payload::Empty)
            .await
    }

    /// Its last deliveries, newest first.
    pub(crate) async fn deliveries(&self, (root, name): (&str, &Name)) -> Result<Vec<Delivery>, Failure> {
        self.get(format!("{root}/{name}/deliveries")).await
    }

    /// Sends a test.
    pub(crate) async fn test_subscription<V: DeserializeOwned>(
        &self,
        (root, name): (&str, &Name),
    ) -> Result<V, Failure> {
        self.post(format!("{root}/{name}/test"), Payload::Empty).await
    }
}

fn in_name(root: &str, name: &Name, rest: &str, by: &str) -> String {
    with_query(&format!("{root}/{name}{rest}"), &[("by", Some(by.to_owned()))])
}
