//! Create-only writes whose answer can be trusted. A store's `AlreadyExists` may mean that our own first try arrived, that a rival wrote
//! the same, that a rival wrote something else, or (on S3, for a conflict in flight) that nothing was written at all; and a
//! timeout may mean either. So no answer is a verdict: the object is read back.

use crate::error::{Result, StoreError};
use crate::verify::wrong_length;
use bytes::Bytes;
use object_store::path::Path as ObjectPath;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, PutMode};
use std::time::Duration;

/// How often a write is tried whose object is then not there.
const TRIES_MAX: u32 = 5;
/// The wait before the second try; it doubles.
const WAIT_FIRST: Duration = Duration::from_millis(50);

/// How an object that is there already is compared with ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    /// By length: the key is the digest of the bytes, and readers verify it.
    Length,
    /// Byte by byte.
    Bytes,
}

/// Creates the object. Success means that the store holds exactly these bytes (or, by [`Compare::Length`], bytes of this length under this digest).
///
/// # Errors
/// [`StoreError::Conflict`] when the record exists with other bytes, [`StoreError::Corrupt`] when content has another length than its name
/// promises, and whatever else the store answers.
pub(crate) async fn create(
    objects: &dyn ObjectStore,
    key: &ObjectPath,
    bytes: Bytes,
    compare: Compare,
) -> Result<()> {
    let mut wait = WAIT_FIRST;
    for attempt in 1.. {
        let answer = objects
            .put_opts(key, bytes.clone().into(), PutMode::Create.into())
            .await;
        let error = match answer {
            Ok(_) => return Ok(()),
            Err(error) if is_final(&error) => return Err(StoreError::backend("write", key, error)),
            Err(error) => error,
        };
        if is_there(objects, key, &bytes, compare).await? {
            return Ok(());
        }
        if attempt == TRIES_MAX {
            return Err(StoreError::backend("write", key, error));
        }
        tracing::debug!(%key, %error, "a write was refused but nothing is there: trying again");
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    unreachable!("the loop ends by its last try")
}

async fn is_there(
    objects: &dyn ObjectStore,
    key: &ObjectPath,
    bytes: &Bytes,
    compare: Compare,
) -> Result<bool> {
    let found = match objects.head(key).await {
        Ok(meta) => meta.size,
        Err(Error::NotFound { .. }) => return Ok(false),
        Err(error) => return Err(StoreError::backend("look at", key, error)),
    };
    let same_length = found == bytes.len() as u64;
    match compare {
        Compare::Length if same_length => Ok(true),
        Compare::Length => Err(wrong_length(key, bytes.len() as u64, found)),
        Compare::Bytes if !same_length => Err(StoreError::Conflict {
            object: key.to_string(),
        }),
        Compare::Bytes => {
            let result = objects
                .get(key)
                .await
                .map_err(|error| StoreError::backend("read", key, error))?;
            let there = result
                .bytes()
                .await
                .map_err(|error| StoreError::backend("read", key, error))?;
            if there == bytes {
                Ok(true)
            } else {
                Err(StoreError::Conflict {
                    object: key.to_string(),
                })
            }
        }
    }
}

/// Whether trying again and reading back are pointless.
fn is_final(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidPath { .. }
            | Error::NotSupported { .. }
            | Error::NotImplemented { .. }
            | Error::PermissionDenied { .. }
            | Error::Unauthenticated { .. }
            | Error::UnknownConfigurationKey { .. }
            | Error::NotFound { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faulty::{Fault, Faulty};

    const KEY: &str = "attempts/x/manifest";

    async fn put(objects: &Faulty, bytes: &'static str) -> Result<()> {
        create(objects, &KEY.into(), bytes.into(), Compare::Bytes).await
    }

    async fn content(objects: &Faulty) -> Bytes {
        objects.get(&KEY.into()).await.unwrap().bytes().await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_already_exists_that_is_a_lie_is_tried_again() {
        let objects = Faulty::new(Fault::ConflictsInFlight(3));
        put(&objects, "ours").await.unwrap();
        assert_eq!(content(&objects).await, "ours");
        assert_eq!(objects.puts(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_whose_answer_is_lost_counts_as_written() {
        let objects = Faulty::new(Fault::LosesAnswers(1));
        put(&objects, "ours").await.unwrap();
        assert_eq!(objects.puts(), 1, "it is not written again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_answer_to_a_rival_is_a_conflict_for_us() {
        let objects = Faulty::new(Fault::LosesAnswers(1));
        put(&objects, "rival").await.unwrap();
        let error = put(&objects, "ours").await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
        assert_eq!(content(&objects).await, "rival");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_stays_down_is_an_error_in_the_end() {
        let objects = Faulty::new(Fault::Fails(u32::MAX));
        let error = put(&objects, "ours").await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert_eq!(objects.puts(), TRIES_MAX);
    }

    #[tokio::test]
    async fn content_of_another_length_under_our_digest_is_corruption() {
        let objects = Faulty::new(Fault::Fails(0));
        put(&objects, "torn").await.unwrap();
        let error = create(&objects, &KEY.into(), "whole thing".into(), Compare::Length)
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    }
}
