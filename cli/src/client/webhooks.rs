//! What the client asks about webhooks.

use super::transport::Payload;
use super::{Client, decode, with_query};
use crate::failure::Failure;
use axum::http::Method;
use tidemill_protocol::api::{WebhookTestView, WebhookView, routes};
use tidemill_protocol::name::Name;
use tidemill_protocol::webhook::{Delivery, WebhookSpec};

impl Client {
    /// All webhooks, in the order of their names.
    pub(crate) async fn webhooks(&self) -> Result<Vec<WebhookView>, Failure> {
        self.get(routes::WEBHOOKS.to_owned()).await
    }

    /// Makes a webhook, or makes it another, in this name.
    pub(crate) async fn set_webhook(
        &self,
        name: &Name,
        spec: &WebhookSpec,
        by: &str,
    ) -> Result<WebhookView, Failure> {
        let path = with_query(&path(name, ""), &[("by", Some(by.to_owned()))]);
        let payload = Payload::json(spec)?;
        decode(self.transport.send(Method::PUT, &path, payload).await?).await
    }

    /// Removes a webhook, in this name.
    pub(crate) async fn remove_webhook(&self, name: &Name, by: &str) -> Result<(), Failure> {
        let path = with_query(&path(name, ""), &[("by", Some(by.to_owned()))]);
        drop(self.transport.send(Method::DELETE, &path, Payload::Empty).await?);
        Ok(())
    }

    /// Its last deliveries, newest first.
    pub(crate) async fn deliveries(&self, name: &Name) -> Result<Vec<Delivery>, Failure> {
        self.get(path(name, "/deliveries")).await
    }

    /// Sends a test.
    pub(crate) async fn test_webhook(&self, name: &Name) -> Result<WebhookTestView, Failure> {
        self.post(path(name, "/test"), Payload::Empty).await
    }
}

fn path(name: &Name, rest: &str) -> String {
    format!("{}/{name}{rest}", routes::WEBHOOKS)
}
