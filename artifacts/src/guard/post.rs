//! Tells something to an address that passes the guard: one small body, one status back. No redirect is followed, and nothing of the answer is read.

use super::vet::{Forbidden, Guard};
use crate::open::public_url;
use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;
use std::time::Duration;
use tidemill_protocol::destination::Destinations;
use tokio::sync::OnceCell;

/// How long an answer may take, all in all.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Why nothing was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostError {
    /// The address may not be asked.
    #[error("{url} is not told: {why}")]
    Forbidden {
        /// The address without secrets.
        url: String,
        /// Why.
        why: Forbidden,
    },
    /// No answer.
    #[error("{url} does not answer: {why}")]
    Network {
        /// The address without secrets.
        url: String,
        /// What went wrong.
        why: String,
    },
}

/// Tells addresses. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Poster {
    guard: Guard,
    /// Made at the first telling.
    client: Arc<OnceCell<Client>>,
}

impl Poster {
    /// One who goes to these places only.
    pub fn new(open: Destinations) -> Self {
        Self {
            guard: Guard::new(open),
            client: Arc::default(),
        }
    }

    /// Refuses an address of which it can be seen without asking that it may not be told.
    pub fn check(&self, url: &str) -> Result<(), PostError> {
        let admitted = self.guard.admit(url);
        admitted.map(drop).map_err(|why| PostError::Forbidden {
            url: public_url(url),
            why,
        })
    }

    /// Sends JSON with these headers; answers the status.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<u16, PostError> {
        let network = |why: String| PostError::Network {
            url: public_url(url),
            why,
        };
        let admitted = self.guard.admit(url).map_err(|why| PostError::Forbidden {
            url: public_url(url),
            why,
        })?;
        let make = || async { self.guard.client(ANSWER_WITHIN) };
        let client = self.client.get_or_try_init(make).await;
        let client = client.map_err(|error| network(error.to_string()))?;
        let mut sent = HeaderMap::new();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                sent.insert(HeaderName::from_static(name), value);
            }
        }
        sent.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let request = client
            .post(admitted)
            .timeout(ANSWER_WITHIN)
            .headers(sent)
            .body(body);
        match request.send().await {
            Ok(answer) => Ok(answer.status().as_u16()),
            Err(error) => Err(failed(url, &error)),
        }
    }
}

/// What went wrong; the guard's own refusal is found among the causes.
fn failed(url: &str, error: &reqwest::Error) -> PostError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut deepest = String::new();
    while let Some(error) = cause {
        if let Some(why) = error.downcast_ref::<Forbidden>() {
            return PostError::Forbidden {
                url: public_url(url),
                why: why.clone(),
            };
        }
        deepest = error.to_string();
        cause = error.source();
    }
    PostError::Network {
        url: public_url(url),
        why: if error.is_timeout() {
            "not in time".to_owned()
        } else {
            deepest
        },
    }
}
