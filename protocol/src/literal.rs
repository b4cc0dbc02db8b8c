//! A literal value of a pipeline file: its type and the text that a step's command receives.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The type of a literal input, as pipeline files name it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LiteralType {
    /// Any text.
    String,
    /// A whole number.
    Integer,
    /// A decimal number.
    Number,
    /// True or false.
    Boolean,
}

impl LiteralType {
    /// The name that pipeline files use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }
}

/// A literal with its type. The text is what the author wrote (after coercion by the declared type), because that is what the
/// command receives and what the step key covers: `1e-3` and `0.001` are different keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Literal {
    /// The type.
    #[serde(rename = "type")]
    pub literal_type: LiteralType,
    /// The text.
    #[schema(value_type = String)]
    pub text: Arc<str>,
}

impl Literal {
    /// A string literal.
    pub fn string(text: &str) -> Self {
        Self {
            literal_type: LiteralType::String,
            text: text.into(),
        }
    }

    /// An integer literal.
    pub fn integer(number: i64) -> Self {
        Self {
            literal_type: LiteralType::Integer,
            text: number.to_string().into(),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
