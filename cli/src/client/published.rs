//! What the client asks about published pipelines beside what it asks about all assets.

use super::{Client, with_query};
use crate::failure::Failure;
use tidemill_protocol::api::{RunSummary, StartRequest, routes};
use tidemill_protocol::catalog::Version;
use tidemill_protocol::name::Name;

impl Client {
    /// Starts a run of a published pipeline.
    pub(crate) async fn start_published(
        &self,
        name: &Name,
        version: Option<&Version>,
        request: &StartRequest,
    ) -> Result<RunSummary, Failure> {
        let path = format!("{}/{name}/runs", routes::PIPELINES);
        let query = [("version", version.map(ToString::to_string))];
        let key = request.idempotency_key.as_deref();
        self.start(with_query(&path, &query), request, key).await
    }
}
