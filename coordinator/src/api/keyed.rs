//! The header `Idempotency-Key`, read behind the gate for every call that makes something: the request goes on under a claim, and what the driver found about that becomes the answer
//! where it is no other. No handler knows of it. Which calls take a key is a list here, from which the description is written, too.

use super::error::ApiError;
use super::secrets;
use crate::access::Caller;
use crate::handle::CoordinatorHandle;
use crate::idempotency::{self, Claim, Shown, Verdict};
use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tidemill_protocol::api::{ErrorCode, routes};
use tidemill_protocol::time::Timestamp;
use zeroize::Zeroizing;

/// The header that shows a key.
pub(super) const HEADER: &str = "idempotency-key";
/// The header of an answer that is given again.
pub(super) const REPLAYED: &str = "idempotent-replayed";
/// Longest key.
pub(super) const KEY_CHARS_MAX: usize = 255;

/// Headers that belong to what is asked.
const ASKING: [HeaderName; 3] = [
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    HeaderName::from_static("azureml-model-deployment"),
];

/// Whose body nobody may guess from what is kept of the request.
const SECRET: &str = "/api/v1/secrets/{name}";

/// The calls that make something: method, and path as the router writes it.
pub(super) const CREATING: [(&str, &str); 28] = [
    ("POST", "/api/v1/runs"),
    ("POST", "/api/v1/runs/{run}/retry"),
    ("POST", "/api/v1/runs/{run}/comments"),
    ("POST", "/api/v1/assets/{kind}/{name}/versions"),
    ("POST", "/api/v1/pipelines/{name}/runs"),
    ("PUT", "/api/v1/drafts/{name}"),
    ("POST", "/api/v1/drafts/{name}/runs"),
    ("POST", "/api/v1/drafts/{name}/publish"),
    ("PUT", "/api/v1/schedules/{name}"),
    ("PUT", "/api/v1/webhooks/{name}"),
    ("PUT", "/api/v1/mailings/{name}"),
    ("PUT", "/api/v1/datastores/{name}"),
    ("PUT", SECRET),
    ("PUT", "/api/v1/projects/{name}"),
    ("PUT", "/api/v1/teams/{name}"),
    ("POST", routes::EXPERIMENTS),
    ("POST", routes::TOKENS),
    ("POST", routes::JOIN_TOKENS),
    ("POST", "/azureml/v1.0/PipelineRuns/PipelineSubmit/{id}"),
    ("POST", "/azureml/v1.0/PipelineRuns/PipelineEndpointSubmit/Name"),
    (
        "POST",
        "/azureml/v1.0/PipelineRuns/PipelineEndpointSubmit/Id/{id}",
    ),
    (
        "POST",
        "/azureml/v1.0/PipelineRuns/PipelineEndpointSubmit/Id/{id}/{version}",
    ),
    ("POST", "/azureml/endpoints/{name}/jobs"),
    ("POST", "/api/2.0/mlflow/experiments/create"),
    ("POST", "/api/2.0/mlflow/runs/create"),
    ("POST", "/api/2.0/mlflow/logged-models"),
    ("POST", "/api/2.0/mlflow/registered-models/create"),
    ("POST", "/api/2.0/mlflow/model-versions/create"),
];

/// Whether this call takes a key.
pub(super) fn is_creating(method: &Method, route: &str) -> bool {
    CREATING.contains(&(method.as_str(), route))
}

/// Has a request that shows a key carried out once.
pub(super) async fn once(State(handle): State<CoordinatorHandle>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let Some(route) = route.filter(|route| is_creating(request.method(), route)) else {
        return next.run(request).await;
    };
    let place = (request.method().clone(), route.to_owned());
    let is_secret = place.1 == SECRET && request.headers().contains_key(HEADER);
    let blind = match blind(&handle, is_secret).await {
        Ok(blind) => blind,
        Err(error) => return error.into_response(),
    };
    let claim = match claim(&request, blind.as_deref().map(String::as_str)) {
        Ok(Some(claim)) => Arc::new(claim),
        Ok(None) => return next.run(request).await,
        Err(error) => return error.into_response(),
    };
    let reader = Arc::clone(&claim);
    let request = request.map(|body| Body::new(ReadBody { body, reader }));
    let mut response = idempotency::with(Arc::clone(&claim), next.run(request)).await;
    match claim.verdict() {
        Verdict::New => response,
        Verdict::Again => {
            if response.status().is_success() {
                let replayed = HeaderName::from_static(REPLAYED);
                response
                    .headers_mut()
                    .insert(replayed, HeaderValue::from_static("true"));
            }
            response
        }
        Verdict::OtherRequest(at) => reused(&place, (at, handle.inner.clock.now())).into_response(),
        Verdict::ShownOnce(id) => shown_once(&place.1, &id).into_response(),
    }
}

/// What is hashed with the value of a secret, so that the journal, in which the hash stands, tells nothing of the value to whoever has not the key that opens it. The key that a
/// caller shows is no help there: `1` is one.
async fn blind(handle: &CoordinatorHandle, is_secret: bool) -> Result<Option<Zeroizing<String>>, ApiError> {
    if !is_secret {
        return Ok(None);
    }
    Ok(Some(secrets::sealing_key(handle).await?.blind()))
}

/// The claim that a request makes.
fn claim(request: &Request, blind: Option<&str>) -> Result<Option<Claim>, ApiError> {
    let Some(key) = key(request.headers())? else {
        return Ok(None);
    };
    let subject = match request.extensions().get::<Caller>() {
        Some(Caller::Token { subject, kind, .. }) if !kind.is_person() => format!("team {subject}").into(),
        Some(caller) => caller.name(),
        None => Caller::Nobody.name(),
    };
    let shown = Shown {
        subject: &subject,
        method: request.method().as_str(),
        path: request.uri().path(),
        key,
    };
    let mut words = vec![request.uri().query()];
    let headers = request.headers();
    words.extend(ASKING.iter().map(|name| headers.get(name)?.to_str().ok()));
    words.extend(blind.map(Some));
    Ok(Some(Claim::new(shown, &words)))
}

/// The key that a request shows: as it is, or in the quotes that the draft of the standard asks for.
fn key(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let bad = |message: String| {
        let hint = "show a fresh UUID with each new request, and the same one when it is sent again";
        ApiError::new(ErrorCode::BadRequest, message).hint(hint)
    };
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(bad("the header `Idempotency-Key` comes twice".to_owned()));
    }
    let text = value.to_str().unwrap_or_default().trim();
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let key = bare.unwrap_or(text);
    let is_good =
        (1..=KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if !is_good {
        return Err(bad(format!(
            "the header `Idempotency-Key` is not 1 to {KEY_CHARS_MAX} printable ASCII characters"
        )));
    }
    Ok(Some(key))
}

fn reused((method, route): &(Method, String), (at, now): (Timestamp, Timestamp)) -> ApiError {
    let message = format!(
        "{method} {route}: the key in `Idempotency-Key` was used {} s ago for a request that was not the same",
        now.since(at).0 / 1_000
    );
    ApiError::new(ErrorCode::KeyReused, message).hint(
        "show another key for another request; the same key is for the same path, query and body, byte for byte",
    )
}

fn shown_once(route: &str, id: &str) -> ApiError {
    let (thing, revoke) = if route == routes::JOIN_TOKENS {
        ("join token", "tidemill worker token revoke")
    } else {
        ("token", "tidemill token revoke")
    };
    let message = format!(
        "the {thing} `{id}` was made by the first request with this `Idempotency-Key`; its text was in that answer and is kept nowhere"
    );
    ApiError::new(ErrorCode::Conflict, message).hint(format!(
        "if the answer was lost: `{revoke} {id}`, then make another with another key"
    ))
}

/// A body whose bytes the claim sees as they are read.
#[derive(Debug)]
struct ReadBody {
    body: Body,
    reader: Arc<Claim>,
}

impl hyper::body::Body for ReadBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(bytes) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            self.reader.read(bytes);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn a_key_is_printable_and_short_and_means_the_same_in_quotes() {
        let read = |values: &[&str]| key(&shown(values)).map(|key| key.map(ToOwned::to_owned)).ok();
        assert_eq!(read(&[]), Some(None));
        assert_eq!(read(&["a b"]), Some(Some("a b".to_owned())));
        assert_eq!(read(&["\"a b\""]), read(&["a b"]));
        let longest = "k".repeat(KEY_CHARS_MAX);
        assert_eq!(read(&[&longest]), Some(Some(longest.clone())));
        let too_long = format!("{longest}k");
        for bad in [&["a", "a"][..], &[""], &["\"\""], &["é"], &[&too_long]] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn every_call_in_the_list_is_a_route() {
        let description = serde_json::to_value(crate::api::described()).unwrap();
        for (method, path) in CREATING {
            let operation = &description["paths"][path][method.to_lowercase()];
            assert!(operation.is_object(), "{method} {path}");
        }
    }
}
