//! Mailings over REST.

use super::schedules::PauseView;
use crate::delivery::{Delivery, DeliveryOutcome};
use crate::mailing::MailingSpec;
use crate::name::Name;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A mailing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MailingView {
    /// Its name.
    pub name: Name,
    /// What it tells, and whom.
    pub spec: MailingSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// Why it tells nothing; none while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<PauseView>,
    /// The last telling that was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Delivery>,
}

/// What became of a test mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MailingTestView {
    /// What came of it.
    pub outcome: DeliveryOutcome,
    /// Whether everybody's mail was taken by the server.
    pub is_good: bool,
}
