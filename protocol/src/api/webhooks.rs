//! Webhooks over REST.

use super::schedules::PauseView;
use crate::delivery::Delivery;
use crate::name::Name;
use crate::time::Timestamp;
use crate::webhook::WebhookSpec;
use serde::{Deserialize, Serialize};

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WebhookView {
    /// Its name.
    pub name: Name,
    /// What it tells, and whom.
    pub spec: WebhookSpec,
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

/// What an address answered to a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WebhookTestView {
    /// The status that it answered with.
    pub status: u16,
    /// Whether that takes a telling: 2xx.
    pub is_good: bool,
}
