//! How a coordinator signs what it keeps in its archive, which lies in a store that others may write to. Pure: what the objects hold, and which may be missing, is the
//! coordinator's to know.

use crate::digest::{CanonicalHasher, Digest};
use crate::wire::{KeySignature, SignerKey, TrustedKey};

/// What is signed begins with this.
const DOMAIN: &str = "tidemill/archive/v1";

/// Signs an object of the archive: its kind and the digest of its content, which says itself what place it has there.
pub fn sign_archived(key: &SignerKey, kind: [u8; 8], content: &Digest) -> KeySignature {
    key.sign(signed(kind, content).as_bytes())
}

/// Whether the owner of `key` signed an object of this kind with this content.
pub fn verify_archived(key: &TrustedKey, kind: [u8; 8], content: &Digest, signature: &KeySignature) -> bool {
    key.verifies(signed(kind, content).as_bytes(), signature)
}

fn signed(kind: [u8; 8], content: &Digest) -> Digest {
    let mut hasher = CanonicalHasher::new(DOMAIN);
    hasher.bytes(&kind).digest(content);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_good_for_one_key_one_kind_and_one_content() {
        let (key, kind) = (SignerKey::from_seed(&[1; 32]), *b"segments");
        let content = Digest::of(b"content");
        let signature = sign_archived(&key, kind, &content);
        assert!(verify_archived(&key.trusted(), kind, &content, &signature));
        let other = SignerKey::from_seed(&[2; 32]).trusted();
        assert!(!verify_archived(&other, kind, &content, &signature));
        assert!(!verify_archived(
            &key.trusted(),
            *b"epochs\0\0",
            &content,
            &signature
        ));
        let bent = Digest::of(b"contenu");
        assert!(!verify_archived(&key.trusted(), kind, &bent, &signature));
    }
}
