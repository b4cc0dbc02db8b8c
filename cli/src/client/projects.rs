//! What the client asks about projects and teams.

use super::transport::Payload;
use super::{Client, with_query};
use crate::failure::Failure;
use axum::http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_protocol::api::{ProjectRequest, ProjectView, RoleRequest, TeamRequest, TeamView, routes};
use tidemill_protocol::name::Name;
use tidemill_protocol::project::Quota;

impl Client {
    /// All projects, `default` first.
    pub(crate) async fn projects(&self) -> Result<Vec<ProjectView>, Failure> {
        self.get(routes::PROJECTS.to_owned()).await
    }

    /// One project.
    pub(crate) async fn project(&self, name: &Name) -> Result<ProjectView, Failure> {
        self.get(format!("{}/{name}", routes::PROJECTS)).await
    }

    /// Makes a project, or describes it otherwise, in this name.
    pub(crate) async fn set_project(
        &self,
        name: &Name,
        description: String,
        by: &str,
    ) -> Result<ProjectView, Failure> {
        let path = format!("{}/{name}", routes::PROJECTS);
        self.put_named(&path, by, &ProjectRequest { description }).await
    }

    /// Gives somebody a role in a project, in this name.
    pub(crate) async fn set_role(
        &self,
        name: &Name,
        request: &RoleRequest,
        by: &str,
    ) -> Result<ProjectView, Failure> {
        self.put_named(&format!("{}/{name}/role", routes::PROJECTS), by, request)
            .await
    }

    /// Bounds what a project may have at once, in this name.
    pub(crate) async fn set_quota(
        &self,
        name: &Name,
        quota: &Quota,
        by: &str,
    ) -> Result<ProjectView, Failure> {
        self.put_named(&format!("{}/{name}/quota", routes::PROJECTS), by, quota)
            .await
    }

    /// Removes a project, in this name.
    pub(crate) async fn remove_project(&self, name: &Name, by: &str) -> Result<(), Failure> {
        self.remove_named(routes::PROJECTS, name, by).await
    }

    /// All teams, in the order of their names.
    pub(crate) async fn teams(&self) -> Result<Vec<TeamView>, Failure> {
        self.get(routes::TEAMS.to_owned()).await
    }

    /// Makes a team, or gives it other people, in this name.
    pub(crate) async fn set_team(
        &self,
        name: &Name,
        request: &TeamRequest,
        by: &str,
    ) -> Result<TeamView, Failure> {
        self.put_named(&format!("{}/{name}", routes::TEAMS), by, request)
            .await
    }

    /// Removes a team, in this name.
    pub(crate) async fn remove_team(&self, name: &Name, by: &str) -> Result<(), Failure> {
        self.remove_named(routes::TEAMS, name, by).await
    }

    async fn put_named<T: DeserializeOwned>(
        &self,
        path: &str,
        by: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let path = with_query(path, &[("by", Some(by.to_owned()))]);
        self.put(&path, body).await
    }

    async fn remove_named(&self, route: &str, name: &Name, by: &str) -> Result<(), Failure> {
        let path = with_query(&format!("{route}/{name}"), &[("by", Some(by.to_owned()))]);
        drop(self.transport.send(Method::DELETE, &path, Payload::Empty).await?);
        Ok(())
    }
}
