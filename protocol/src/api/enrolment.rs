//! Workers' enrolment over REST: join tokens, the request by which a worker becomes known by its own key, quarantine. A join token's text is in one answer only.

use crate::access::TokenId;
use crate::api::CoordinatorView;
use crate::ids::WorkerId;
use crate::name::Name;
use crate::time::{Millis, Timestamp};
use crate::wire::{KeySignature, TrustedKey};
use serde::{Deserialize, Serialize};

/// Asks for a join token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateJoinTokenRequest {
    /// The compute targets that the worker may serve; any when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Name>,
    /// The class that the worker is to be of: its name then begins with it and a dot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Name>,
    /// How long it is to be good; an hour when absent, at most 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Millis>,
    /// Who asks, for display; a token's own subject counts instead where one is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A join token that was just made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CreatedJoinToken {
    /// The token itself. It is shown this once and kept nowhere.
    pub token: String,
    /// What is known of it.
    #[serde(flatten)]
    pub view: JoinTokenView,
}

/// Whether a join token is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JoinTokenStatus {
    /// It is.
    Live,
    /// A worker has joined by it.
    Used,
    /// Its time is over.
    Expired,
    /// Somebody took it back.
    Revoked,
    /// A word of a newer coordinator.
    #[serde(other)]
    Unknown,
}

/// A join token as it is listed: all but its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JoinTokenView {
    /// Its public name.
    pub id: TokenId,
    /// Whether it is good.
    pub status: JoinTokenStatus,
    /// The compute targets that the worker may serve; any when empty.
    #[serde(default)]
    pub targets: Vec<Name>,
    /// The class that the worker is to be of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Name>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When it ceases to be good, or ceased.
    pub expires_at: Timestamp,
    /// The worker that joined by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
}

/// By which a worker becomes known. The join token is shown as `Authorization: Bearer tmj_…`, the worker is named in the path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// The public half of the worker's own key.
    #[schema(value_type = String)]
    pub key: TrustedKey,
    /// That it has the other half: [`crate::proof::sign_enrolment`].
    #[schema(value_type = String)]
    pub proof: KeySignature,
}

/// What a worker is told that has been enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EnrolledView {
    /// The worker.
    pub worker: WorkerId,
    /// Whom it works for: with the key by which it knows tasks, and the store.
    pub coordinator: CoordinatorView,
}

/// Asks that nothing of a worker counts any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuarantineRequest {
    /// Why, for people: 1 to 500 characters.
    pub reason: String,
    /// Who asks, for display; a token's own subject counts instead where one is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// That nothing of a worker counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct QuarantineView {
    /// Why.
    pub reason: String,
    /// Who said so.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
}
