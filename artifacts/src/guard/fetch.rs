//! Brings one file from an address that passes the guard: so many bytes at most, no slower than so, from a server that may redirect a few times. Nothing is
//! sent along to another host than the one that was named.

use super::vet::{Forbidden, Guard};
use crate::error::StoreError;
use crate::open::public_url;
use futures_util::StreamExt as _;
use reqwest::header::{ETAG, HeaderMap, HeaderName, LAST_MODIFIED, LOCATION};
use reqwest::{Client, Response, StatusCode};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tidemill_protocol::destination::Destinations;
use tidemill_protocol::digest::Digest;
use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::Instant;
use url::Url;

/// How often a server may send us elsewhere.
const REDIRECTS_MAX: usize = 5;
/// Longest part of a header that is kept.
const HEADER_BYTES_MAX: usize = 256;

/// How much a fetch may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchLimits {
    /// Largest file.
    pub bytes_max: u64,
    /// Longest pause between two pieces of an answer.
    pub pause_max: Duration,
    /// Fewest bytes a second on average, once the time of grace is over.
    pub bytes_per_second_min: u64,
    /// How long a fetch may be slower than that.
    pub slow_within: Duration,
    /// Files at once; further ones wait.
    pub at_once: usize,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            bytes_max: 10 << 30,
            pause_max: Duration::from_secs(30),
            bytes_per_second_min: 4 * 1024,
            slow_within: Duration::from_mins(1),
            at_once: 4,
        }
    }
}

/// Why a file was not brought.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The address may not be asked.
    #[error("{url} is not fetched: {why}")]
    Forbidden {
        /// The address without secrets.
        url: String,
        /// Why.
        why: Forbidden,
    },
    /// The server answered otherwise.
    #[error("{url} answered {status}")]
    Status {
        /// The address without secrets.
        url: String,
        /// What it answered.
        status: StatusCode,
    },
    /// The file is too large.
    #[error("{url} has more than {bytes_max} bytes")]
    TooLarge {
        /// The address without secrets.
        url: String,
        /// The limit.
        bytes_max: u64,
    },
    /// The file comes too slowly to be waited for.
    #[error("{url} sends fewer than {bytes_per_second} bytes a second")]
    TooSlow {
        /// The address without secrets.
        url: String,
        /// The limit.
        bytes_per_second: u64,
    },
    /// No answer, or a broken one.
    #[error("{url} cannot be fetched: {why}")]
    Network {
        /// The address without secrets.
        url: String,
        /// What went wrong.
        why: String,
    },
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] StoreError),
}

impl FetchError {
    /// Whether the same address may be fetched later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Network { .. } | Self::TooSlow { .. } => true,
            Self::Status { status, .. } => {
                status.is_server_error()
                    || matches!(
                        *status,
                        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
                    )
            }
            Self::Forbidden { .. } | Self::TooLarge { .. } | Self::File(_) => false,
        }
    }
}

/// What was brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many there are.
    pub size_bytes: u64,
    /// What the server called this version of it.
    pub etag: Option<String>,
    /// When the server says that it was last changed.
    pub last_modified: Option<String>,
}

/// Brings files. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Fetcher {
    guard: Guard,
    /// Made at the first fetch: reading the system's certificates takes longer than many a step.
    client: Arc<OnceCell<Client>>,
    limits: FetchLimits,
    room: Arc<Semaphore>,
}

impl Fetcher {
    /// One who goes to these places only.
    pub fn new(open: Destinations, limits: FetchLimits) -> Self {
        Self {
            guard: Guard::new(open),
            client: Arc::default(),
            limits,
            room: Arc::new(Semaphore::new(limits.at_once)),
        }
    }

    /// How much one fetch may take.
    pub const fn limits(&self) -> FetchLimits {
        self.limits
    }

    /// Brings the file at this address to `to`, which must not exist. What was written before an error is removed.
    pub async fn fetch(&self, url: &str, to: &Path) -> Result<Fetched, FetchError> {
        let _place = self.room.acquire().await;
        let (at, answer) = self.ask(url).await?;
        let fetched = self.write(&at, answer, to).await;
        if fetched.is_err() {
            // Where even this fails, the folder goes with the attempt.
            drop(tokio::fs::remove_file(to).await);
        }
        fetched
    }

    /// The good answer at the end of all redirects.
    async fn ask(&self, text: &str) -> Result<(Url, Response), FetchError> {
        let forbidden = |url: &str, why| FetchError::Forbidden {
            url: public_url(url),
            why,
        };
        let mut url = self.guard.admit(text).map_err(|why| forbidden(text, why))?;
        let make = || async { self.guard.client(self.limits.pause_max) };
        let client = self.client.get_or_try_init(make).await;
        let client = client.map_err(|error| failed(&url, &error))?;
        for _ in 0..=REDIRECTS_MAX {
            let asked = client.get(url.clone()).send().await;
            let answer = asked.map_err(|error| failed(&url, &error))?;
            let Some(next) = redirect(&url, &answer) else {
                let status = answer.status();
                return if status == StatusCode::OK {
                    Ok((url, answer))
                } else {
                    Err(FetchError::Status {
                        url: public_url(url.as_str()),
                        status,
                    })
                };
            };
            if url.scheme() == "https" && next.scheme() == "http" {
                return Err(forbidden(next.as_str(), Forbidden::Downgrade));
            }
            self.guard
                .check(&next)
                .map_err(|why| forbidden(next.as_str(), why))?;
            url = next;
        }
        Err(forbidden(text, Forbidden::Redirects(REDIRECTS_MAX)))
    }

    async fn write(&self, url: &Url, answer: Response, to: &Path) -> Result<Fetched, FetchError> {
        let limits = &self.limits;
        let too_large = || FetchError::TooLarge {
            url: public_url(url.as_str()),
            bytes_max: limits.bytes_max,
        };
        let file_failed = |error| FetchError::File(StoreError::file("write", to, error));
        if answer
            .content_length()
            .is_some_and(|length| length > limits.bytes_max)
        {
            return Err(too_large());
        }
        let (etag, last_modified) = (
            header(answer.headers(), &ETAG),
            header(answer.headers(), &LAST_MODIFIED),
        );
        let opened = OpenOptions::new().write(true).create_new(true).open(to).await;
        let mut file = opened.map_err(file_failed)?;
        let mut pieces = answer.bytes_stream();
        let (mut hasher, mut size_bytes, began) = (blake3::Hasher::new(), 0, Instant::now());
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| failed(url, &error))?;
            size_bytes += piece.len() as u64;
            if size_bytes > limits.bytes_max {
                return Err(too_large());
            }
            let waited = began.elapsed();
            if waited > limits.slow_within
                && size_bytes / waited.as_secs().max(1) < limits.bytes_per_second_min
            {
                return Err(FetchError::TooSlow {
                    url: public_url(url.as_str()),
                    bytes_per_second: limits.bytes_per_second_min,
                });
            }
            hasher.update(&piece);
            file.write_all(&piece).await.map_err(file_failed)?;
        }
        file.flush().await.map_err(file_failed)?;
        Ok(Fetched {
            digest: Digest::from_bytes(*hasher.finalize().as_bytes()),
            size_bytes,
            etag,
            last_modified,
        })
    }
}

/// Where a server sends us, without a login: whoever wrote one there is not who named the address.
fn redirect(from: &Url, answer: &Response) -> Option<Url> {
    if !answer.status().is_redirection() {
        return None;
    }
    let location = answer.headers().get(LOCATION)?.to_str().ok()?;
    let mut next = from.join(location).ok()?;
    if next.origin() != from.origin() {
        // An address that cannot hold a login has none.
        next.set_username("").ok();
        next.set_password(None).ok();
    }
    Some(next)
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    (text.len() <= HEADER_BYTES_MAX).then(|| text.to_owned())
}

/// What went wrong on the way; the guard's own refusal is found among the causes.
fn failed(url: &Url, error: &reqwest::Error) -> FetchError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let (mut deepest, shown) = (String::new(), public_url(url.as_str()));
    while let Some(error) = cause {
        if let Some(why) = error.downcast_ref::<Forbidden>() {
            return FetchError::Forbidden {
                url: shown,
                why: why.clone(),
            };
        }
        deepest = error.to_string();
        cause = error.source();
    }
    // The outer errors say the address once more, with all that is in it.
    FetchError::Network {
        url: shown,
        why: if error.is_timeout() {
            "it does not answer in time".to_owned()
        } else {
            deepest
        },
    }
}
