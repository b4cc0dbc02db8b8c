//! What is said when bytes are not those that their name promises.

use crate::error::{Result, StoreError};
use object_store::path::Path as ObjectPath;
use tidemill_protocol::digest::Digest;

/// The error for bytes that are not those of the digest.
pub(crate) fn check(object: &ObjectPath, expected: &Digest, found: &Digest) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(StoreError::Corrupt {
        object: object.to_string(),
        expected: expected.to_string(),
        found: found.to_string(),
    })
}

/// The content under this key has another length than the bytes that it is named by.
pub(crate) fn wrong_length(key: &ObjectPath, expected: u64, found: u64) -> StoreError {
    StoreError::Corrupt {
        object: key.to_string(),
        expected: format!("{expected} bytes"),
        found: format!("{found} bytes"),
    }
}
