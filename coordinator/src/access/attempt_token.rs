//! The token of an attempt: `tma_<run>-<step>-<attempt>_<fencing token>_<proof>`. The proof is a keyed hash of the rest under a key that only the coordinator has, so
//! nothing is kept of it; that the attempt lives is asked of the state when it is shown.

use crate::tracking::{Own, TrackedId};
use std::fmt;
use subtle::ConstantTimeEq;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::{AttemptId, FencingToken};
use tidemill_protocol::wire::{HiddenText, SignerKey};

/// How such a token begins.
const PREFIX: &str = "tma_";
/// What the key is derived for.
const DOMAIN: &str = "tidemill/attempt-token/v1";

/// Makes and checks tokens of attempts. Its `Debug` form does not show the key.
#[derive(Clone)]
pub(crate) struct AttemptTokens {
    key: [u8; 32],
}

impl AttemptTokens {
    /// Those of the coordinator with this key.
    pub(crate) fn of(key: &SignerKey) -> Self {
        Self {
            key: key.derived(DOMAIN),
        }
    }

    /// The token of an attempt.
    pub(crate) fn make(&self, attempt: AttemptId, token: FencingToken) -> HiddenText {
        let named = named(attempt, token);
        let proof = self.proof(&named);
        HiddenText::new(format!("{named}_{proof}"))
    }

    /// Whether a text is meant to be such a token.
    pub(crate) fn is_one(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Whose token it is, if it is one of ours.
    pub(crate) fn read(&self, text: &str) -> Option<(AttemptId, FencingToken)> {
        let (rest, shown) = text.rsplit_once('_')?;
        let shown: Digest = shown.parse().ok()?;
        if !bool::from(self.proof(rest).as_bytes().ct_eq(shown.as_bytes())) {
            return None;
        }
        let (id, token) = rest.strip_prefix(PREFIX)?.split_once('_')?;
        match TrackedId::named(id).own()? {
            Own::Attempt(attempt) => Some((attempt, FencingToken(token.parse().ok()?))),
            Own::Run(_) => None,
        }
    }

    fn proof(&self, named: &str) -> Digest {
        Digest::keyed(&self.key, named.as_bytes())
    }
}

fn named(attempt: AttemptId, token: FencingToken) -> String {
    format!("{PREFIX}{}_{token}", TrackedId::of_attempt(attempt))
}

impl fmt::Debug for AttemptTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AttemptTokens")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_protocol::ids::{RunId, StepIndex};

    fn attempt() -> AttemptId {
        AttemptId {
            run: RunId(uuid::Uuid::from_u128(7)),
            step: StepIndex(2),
            attempt: 1,
        }
    }

    #[test]
    fn only_who_has_the_key_makes_a_token_that_counts() {
        let ours = AttemptTokens::of(&SignerKey::from_seed(&[1; 32]));
        let theirs = AttemptTokens::of(&SignerKey::from_seed(&[2; 32]));
        let token = ours.make(attempt(), FencingToken(9));
        assert_eq!(ours.read(token.reveal()), Some((attempt(), FencingToken(9))));
        assert_eq!(theirs.read(token.reveal()), None);
        assert!(!format!("{token:?}{ours:?}").contains(token.reveal()));
    }

    #[test]
    fn a_token_that_was_changed_counts_no_more() {
        let tokens = AttemptTokens::of(&SignerKey::from_seed(&[1; 32]));
        let good = tokens.make(attempt(), FencingToken(9));
        let good = good.reveal();
        for bad in [
            good.replace("_9_", "_10_"),
            good.replace("-2-1", "-3-1"),
            good.replace("tma_", "tmk_"),
            format!("{good}0"),
            String::new(),
            "tma_".to_owned(),
        ] {
            assert_eq!(tokens.read(&bad), None, "{bad}");
        }
    }
}
