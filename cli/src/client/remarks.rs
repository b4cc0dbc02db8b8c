//! What the client says of runs after their submission.

use super::transport::Payload;
use super::{Client, decode, run_path, with_query};
use crate::failure::Failure;
use axum::http::Method;
use tidemill_protocol::api::{CommentRequest, CommentView, DescribeRunRequest, RunSummary};

impl Client {
    /// Changes what people call a run, say of it and tag it with, in this name.
    pub(crate) async fn describe_run(
        &self,
        run: &str,
        request: &DescribeRunRequest,
        by: &str,
    ) -> Result<RunSummary, Failure> {
        let path = in_name_of(&run_path(run, ""), by);
        let payload = Payload::json(request)?;
        decode(self.transport.send(Method::PATCH, &path, payload).await?).await
    }

    /// Comments on a run, in this name.
    pub(crate) async fn comment(&self, run: &str, text: String, by: &str) -> Result<CommentView, Failure> {
        let path = in_name_of(&run_path(run, "/comments"), by);
        self.create(path, &CommentRequest { text }).await
    }

    /// Gives a comment another text, in this name.
    pub(crate) async fn edit_comment(
        &self,
        (run, comment): (&str, u32),
        text: String,
        by: &str,
    ) -> Result<CommentView, Failure> {
        let path = in_name_of(&run_path(run, &format!("/comments/{comment}")), by);
        let payload = Payload::json(&CommentRequest { text })?;
        decode(self.transport.send(Method::PATCH, &path, payload).await?).await
    }

    /// Removes a comment, in this name.
    pub(crate) async fn remove_comment(&self, run: &str, comment: u32, by: &str) -> Result<(), Failure> {
        let path = in_name_of(&run_path(run, &format!("/comments/{comment}")), by);
        drop(self.transport.send(Method::DELETE, &path, Payload::Empty).await?);
        Ok(())
    }
}

fn in_name_of(path: &str, by: &str) -> String {
    with_query(path, &[("by", Some(by.to_owned()))])
}
