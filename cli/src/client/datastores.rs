//! Datastores, over the same API as everything else.

use super::Client;
use super::transport::Payload;
use crate::failure::Failure;
use axum::http::Method;
use tidemill_protocol::api::{DatastoreTestView, DatastoreView, routes};
use tidemill_protocol::datastore::Datastore;
use tidemill_protocol::name::Name;

impl Client {
    /// All datastores, by name.
    pub(crate) async fn datastores(&self) -> Result<Vec<DatastoreView>, Failure> {
        self.get(routes::DATASTORES.to_owned()).await
    }

    /// One datastore.
    pub(crate) async fn datastore(&self, name: &Name) -> Result<DatastoreView, Failure> {
        self.get(path(name)).await
    }

    /// Says where a datastore is.
    pub(crate) async fn set_datastore(
        &self,
        name: &Name,
        definition: &Datastore,
    ) -> Result<DatastoreView, Failure> {
        self.put(&path(name), definition).await
    }

    /// Has the coordinator ask a datastore whether it can be read.
    pub(crate) async fn test_datastore(&self, name: &Name) -> Result<DatastoreTestView, Failure> {
        self.post(format!("{}/test", path(name)), Payload::Empty).await
    }

    /// Removes a datastore.
    pub(crate) async fn remove_datastore(&self, name: &Name) -> Result<(), Failure> {
        drop(
            self.transport
                .send(Method::DELETE, &path(name), Payload::Empty)
                .await?,
        );
        Ok(())
    }
}

fn path(name: &Name) -> String {
    format!("{}/{name}", routes::DATASTORES)
}
