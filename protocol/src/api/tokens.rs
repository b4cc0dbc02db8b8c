//! Tokens over REST. A token's text is in one answer only: that which made it.

use crate::access::{Scope, SubjectKind, TokenId};
use crate::name::Name;
use crate::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

/// Asks for a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTokenRequest {
    /// What it is to allow.
    pub scope: Scope,
    /// Whose it is to be: a person's or a system's name, at most 128 characters.
    pub subject: String,
    /// What the subject is; a person when absent.
    #[serde(default, skip_serializing_if = "SubjectKind::is_person")]
    pub kind: SubjectKind,
    /// The only project that it is to start and change runs in; only with the scopes reader and submitter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Name>,
    /// How long it is to be good; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Millis>,
    /// Who asks, for display; a token's own subject counts instead where one is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A token that was just made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CreatedToken {
    /// The token itself. It is shown this once and kept nowhere.
    pub token: String,
    /// What is known of it.
    #[serde(flatten)]
    pub view: TokenView,
}

/// Whether a token is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenStatus {
    /// It is.
    Live,
    /// Its time is over.
    Expired,
    /// Somebody took it back.
    Revoked,
    /// A word of a newer coordinator.
    #[serde(other)]
    Unknown,
}

/// A token as it is listed: all but its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TokenView {
    /// Its public name.
    pub id: TokenId,
    /// What it allows.
    pub scope: Scope,
    /// Whose it is.
    pub subject: String,
    /// What the subject is; a person when absent.
    #[serde(default, skip_serializing_if = "SubjectKind::is_person")]
    pub kind: SubjectKind,
    /// The only project that it starts and changes runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Name>,
    /// Whether it is good.
    pub status: TokenStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When it ceases to be good, or ceased; absent for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// When it was last used since the coordinator started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
}

/// Who asks, as the coordinator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CallerView {
    /// In whose name requests are made.
    pub subject: String,
    /// What they may do.
    pub scope: Scope,
    /// The token that was shown; absent where none is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenId>,
    /// The only project that the token starts and changes runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Name>,
    /// When the token ceases to be good; absent for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}
