//! How a worker proves to the REST API that it has its key: when it enrols, and in each request afterwards. Pure: who is enrolled, what time it is and what was seen
//! before are the coordinator's to know. Messages over the broker are signed in their envelopes instead.

use crate::access::TokenId;
use crate::digest::{CanonicalHasher, Digest};
use crate::ids::WorkerId;
use crate::time::Timestamp;
use crate::wire::{KeySignature, SignerKey, TrustedKey};
use std::fmt;
use std::str::FromStr;

/// The scheme of the `Authorization` header of a worker's request.
pub const SCHEME: &str = "Worker";
/// What a worker signs when it enrols begins with this.
const ENROLMENT: &str = "tidemill/worker-enrolment/v1";
/// What a worker signs for each request begins with this.
const REQUEST: &str = "tidemill/worker-request/v1";

/// Signs that the owner of `key` wants to be this worker, by this join token.
pub fn sign_enrolment(key: &SignerKey, token: &TokenId, worker: &WorkerId) -> KeySignature {
    key.sign(enrolment(&key.trusted(), token, worker).as_bytes())
}

/// Whether the owner of `key` signed that it wants to be this worker, by this join token.
pub fn verify_enrolment(key: &TrustedKey, token: &TokenId, worker: &WorkerId, proof: &KeySignature) -> bool {
    key.verifies(enrolment(key, token, worker).as_bytes(), proof)
}

fn enrolment(key: &TrustedKey, token: &TokenId, worker: &WorkerId) -> Digest {
    let mut hasher = CanonicalHasher::new(ENROLMENT);
    hasher
        .text(token.as_str())
        .text(worker.as_str())
        .text(&key.to_string());
    hasher.finish()
}

/// What of a request is signed beside who sends it and when.
#[derive(Debug, Clone, Copy)]
pub struct RequestText<'a> {
    /// The key of the coordinator that is meant: for another one the signature does not count.
    pub coordinator: &'a TrustedKey,
    /// The method, in capitals.
    pub method: &'a str,
    /// Path and query as they are sent.
    pub path: &'a str,
    /// The whole body.
    pub body: &'a [u8],
}

/// What a worker's request shows in its `Authorization` header: `Worker id=gpu.box-1,at=1767225600000,nonce=17,signature=…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestProof {
    /// The worker that it says it is.
    pub worker: WorkerId,
    /// When it was signed, by the worker's wall clock.
    pub at: Timestamp,
    /// Different in each request of a worker at the same moment.
    pub nonce: u64,
    signature: KeySignature,
}

/// A header that is no worker's proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a worker's Authorization header reads `Worker id=…,at=…,nonce=…,signature=…`")]
pub struct BadProof;

impl RequestProof {
    /// Signs a request.
    pub fn sign(
        key: &SignerKey,
        worker: WorkerId,
        at: Timestamp,
        nonce: u64,
        text: &RequestText<'_>,
    ) -> Self {
        let signature = key.sign(request(&worker, at, nonce, text).as_bytes());
        Self {
            worker,
            at,
            nonce,
            signature,
        }
    }

    /// Whether the owner of this key signed exactly this request.
    pub fn is_of(&self, key: &TrustedKey, text: &RequestText<'_>) -> bool {
        let signed = request(&self.worker, self.at, self.nonce, text);
        key.verifies(signed.as_bytes(), &self.signature)
    }
}

fn request(worker: &WorkerId, at: Timestamp, nonce: u64, text: &RequestText<'_>) -> Digest {
    let mut hasher = CanonicalHasher::new(REQUEST);
    hasher
        .text(&text.coordinator.to_string())
        .text(worker.as_str())
        .number(at.0)
        .number(nonce)
        .text(text.method)
        .text(text.path)
        .digest(&Digest::of(text.body));
    hasher.finish()
}

impl fmt::Display for RequestProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            worker,
            at,
            nonce,
            signature,
        } = self;
        write!(
            f,
            "{SCHEME} id={worker},at={},nonce={nonce},signature={signature}",
            at.0
        )
    }
}

impl FromStr for RequestProof {
    type Err = BadProof;

    fn from_str(text: &str) -> Result<Self, BadProof> {
        let (scheme, fields) = text.split_once(' ').ok_or(BadProof)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(BadProof);
        }
        let mut fields = fields.split(',');
        let mut next = |name: &str| {
            let (found, value) = fields.next()?.split_once('=')?;
            (found.trim() == name).then_some(value)
        };
        let proof = Self {
            worker: next("id").and_then(|id| id.parse().ok()).ok_or(BadProof)?,
            at: next("at")
                .and_then(|at| at.parse().ok())
                .map(Timestamp)
                .ok_or(BadProof)?,
            nonce: next("nonce")
                .and_then(|nonce| nonce.parse().ok())
                .ok_or(BadProof)?,
            signature: next("signature")
                .and_then(|signature| signature.parse().ok())
                .ok_or(BadProof)?,
        };
        fields.next().is_none().then_some(proof).ok_or(BadProof)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SignerKey {
        SignerKey::from_seed(&[seed; 32])
    }

    fn text(coordinator: &TrustedKey) -> RequestText<'_> {
        RequestText {
            coordinator,
            method: "POST",
            path: "/api/v1/x?y=1",
            body: b"body",
        }
    }

    fn proof(coordinator: &TrustedKey) -> RequestProof {
        let worker = "gpu.box-1".parse().unwrap();
        RequestProof::sign(&key(1), worker, Timestamp(7), 9, &text(coordinator))
    }

    #[test]
    fn a_proof_survives_its_header_and_fits_one_request_only() {
        let coordinator = key(9).trusted();
        let proof = proof(&coordinator);
        assert_eq!(proof.to_string().parse(), Ok(proof.clone()));
        let (own, good) = (key(1).trusted(), text(&coordinator));
        assert!(proof.is_of(&own, &good));
        assert!(!proof.is_of(&key(2).trusted(), &good), "another worker's key");
        let elsewhere = key(8).trusted();
        for other in [
            RequestText {
                coordinator: &elsewhere,
                ..good
            },
            RequestText {
                method: "GET",
                ..good
            },
            RequestText {
                path: "/api/v1/x?y=2",
                ..good
            },
            RequestText {
                body: b"bodi",
                ..good
            },
        ] {
            assert!(!proof.is_of(&own, &other), "{other:?}");
        }
        for other in [
            RequestProof {
                at: Timestamp(8),
                ..proof.clone()
            },
            RequestProof {
                nonce: 8,
                ..proof.clone()
            },
            RequestProof {
                worker: "gpu.box-2".parse().unwrap(),
                ..proof.clone()
            },
        ] {
            assert!(!other.is_of(&own, &good), "{other:?}");
        }
    }

    #[test]
    fn headers_that_are_no_proof_are_refused() {
        let good = proof(&key(9).trusted()).to_string();
        for bad in [
            "",
            "Worker",
            "Worker id=a",
            &good.replace("Worker ", "Bearer "),
            &good.replace("at=7", "at=x"),
            &good.replace("nonce=9,", ""),
            &good.replace("id=gpu.box-1", "id=../x"),
            &format!("{good},more=1"),
        ] {
            assert_eq!(bad.parse::<RequestProof>(), Err(BadProof), "{bad}");
        }
    }

    #[test]
    fn an_enrolment_is_proved_for_one_token_worker_and_key() {
        let (token, worker) = ("abcdefghijkm".parse().unwrap(), "w".parse().unwrap());
        let proof = sign_enrolment(&key(1), &token, &worker);
        assert!(verify_enrolment(&key(1).trusted(), &token, &worker, &proof));
        assert!(!verify_enrolment(&key(2).trusted(), &token, &worker, &proof));
        let (other, another) = ("abcdefghijkn".parse().unwrap(), "v".parse().unwrap());
        assert!(!verify_enrolment(&key(1).trusted(), &other, &worker, &proof));
        assert!(!verify_enrolment(&key(1).trusted(), &token, &another, &proof));
    }
}
