//! Secrets over REST, as people see them: names, never values. A value travels to the coordinator as the plain body of a request, and from it to workers only.

use crate::name::Name;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A secret as it is listed: all but its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SecretView {
    /// By which pipelines name it.
    pub name: Name,
    /// Counts the values that it had since it was made, from 1.
    pub version: u64,
    /// When it was given the value that it has.
    pub set_at: Timestamp,
    /// Who gave it.
    pub set_by: String,
}
