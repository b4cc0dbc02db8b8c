//! What the client asks about schedules.

use super::transport::Payload;
use super::{Client, with_query};
use crate::failure::Failure;
use axum::http::Method;
use tidemill_protocol::api::{MomentView, PauseRequest, ScheduleView, routes};
use tidemill_protocol::name::Name;
use tidemill_protocol::schedule::{Firing, ScheduleSpec};

impl Client {
    /// All schedules, in the order of their names.
    pub(crate) async fn schedules(&self) -> Result<Vec<ScheduleView>, Failure> {
        self.get(routes::SCHEDULES.to_owned()).await
    }

    /// A schedule.
    pub(crate) async fn schedule(&self, name: &Name) -> Result<ScheduleView, Failure> {
        self.get(path(name, "")).await
    }

    /// Makes a schedule, or makes it another, in this name.
    pub(crate) async fn set_schedule(
        &self,
        name: &Name,
        spec: &ScheduleSpec,
        by: &str,
    ) -> Result<ScheduleView, Failure> {
        let path = with_query(&path(name, ""), &[("by", Some(by.to_owned()))]);
        self.put(&path, spec).await
    }

    /// Removes a schedule, in this name.
    pub(crate) async fn remove_schedule(&self, name: &Name, by: &str) -> Result<(), Failure> {
        let path = with_query(&path(name, ""), &[("by", Some(by.to_owned()))]);
        drop(self.transport.send(Method::DELETE, &path, Payload::Empty).await?);
        Ok(())
    }

    /// Lets a schedule fire no more, in this name.
    pub(crate) async fn pause_schedule(
        &self,
        name: &Name,
        reason: &str,
        by: &str,
    ) -> Result<ScheduleView, Failure> {
        let path = with_query(&path(name, "/pause"), &[("by", Some(by.to_owned()))]);
        let request = PauseRequest {
            reason: reason.to_owned(),
        };
        self.post(path, Payload::json(&request)?).await
    }

    /// Lets a paused schedule fire again, in this name.
    pub(crate) async fn resume_schedule(&self, name: &Name, by: &str) -> Result<ScheduleView, Failure> {
        let path = with_query(&path(name, "/resume"), &[("by", Some(by.to_owned()))]);
        self.post(path, Payload::Empty).await
    }

    /// When a schedule fires next.
    pub(crate) async fn moments(&self, name: &Name, count: u32) -> Result<Vec<MomentView>, Failure> {
        let query = [("count", Some(count.to_string()))];
        self.get(with_query(&path(name, "/next"), &query)).await
    }

    /// What became of its last moments, newest first.
    pub(crate) async fn firings(&self, name: &Name) -> Result<Vec<Firing>, Failure> {
        self.get(path(name, "/firings")).await
    }
}

fn path(name: &Name, rest: &str) -> String {
    format!("{}/{name}{rest}", routes::SCHEDULES)
}
