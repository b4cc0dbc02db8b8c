//! The step key: what a step's result depends on, and therefore what makes it reusable. Names, descriptions, compute target, size,
//! retries and the run are deliberately not in it.

use crate::artifact::{ArtifactKind, ArtifactRef};
use crate::digest::{CanonicalHasher, Digest};
pub use crate::ids::StepKey;
use crate::literal::Literal;
use crate::name::PortName;
use serde::{Deserialize, Serialize};

/// An input as a step receives it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputValue {
    /// A literal.
    Literal(Literal),
    /// The content of a file or folder.
    Artifact(ArtifactRef),
    /// A location that is passed on unread (`mode: direct`); the text is the identity.
    Uri(std::sync::Arc<str>),
}

/// The key of a step whose unchanging part has the digest `fixed` and whose inputs, in name order, have these values.
///
/// An artifact counts by content alone: an upstream step that ran again and produced the same bytes leaves the key as it was.
pub fn step_key<'a>(
    fixed: &Digest,
    inputs: impl ExactSizeIterator<Item = (&'a PortName, &'a InputValue)>,
) -> StepKey {
    let mut hasher = CanonicalHasher::new("tidemill/step-key/v1");
    hasher.digest(fixed).number(inputs.len() as u64);
    for (name, value) in inputs {
        hasher.text(name.as_str());
        match value {
            InputValue::Literal(literal) => hasher.text("literal").text(&literal.text),
            InputValue::Artifact(artifact) => {
                let kind = match artifact.kind {
                    ArtifactKind::Blob => "blob",
                    ArtifactKind::Tree => "tree",
                };
                hasher.text(kind).digest(&artifact.digest)
            }
            InputValue::Uri(uri) => hasher.text("uri").text(uri),
        };
    }
    StepKey(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn key(inputs: &[(&str, InputValue)]) -> StepKey {
        let inputs: BTreeMap<PortName, InputValue> = inputs
            .iter()
            .map(|(n, v)| (n.parse().unwrap(), v.clone()))
            .collect();
        step_key(&Digest::of(b"fixed"), inputs.iter())
    }

    fn file(content: &[u8]) -> InputValue {
        InputValue::Artifact(ArtifactRef {
            kind: ArtifactKind::Blob,
            digest: Digest::of(content),
            size_bytes: content.len() as u64,
            files: 1,
        })
    }

    #[test]
    fn equal_content_gives_equal_keys() {
        assert_eq!(key(&[("data", file(b"1"))]), key(&[("data", file(b"1"))]));
        assert_ne!(key(&[("data", file(b"1"))]), key(&[("data", file(b"2"))]));
    }

    #[test]
    fn a_literal_is_not_mistaken_for_a_uri() {
        let literal = InputValue::Literal(Literal::string("s3://x"));
        assert_ne!(
            key(&[("data", literal)]),
            key(&[("data", InputValue::Uri("s3://x".into()))])
        );
    }
}
