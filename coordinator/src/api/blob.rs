//! Serving one file of the store: whole or in part, with what caches and careful readers need. A file never changes, so its digest is its entity tag and whoever has
//! it need not ask again.

use super::error::ApiError;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt;
use ring::digest::{Context, SHA256};
use std::ops::Range;
use tidemill_artifacts::ArtifactStore;
use tidemill_protocol::api::ErrorCode;
use tidemill_protocol::digest::Digest;

static WANT_REPR_DIGEST: HeaderName = HeaderName::from_static("want-repr-digest");
static REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
/// It never changes, and may be for some eyes only.
const CACHING: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");
const BYTES: HeaderValue = HeaderValue::from_static("bytes");

/// What of a file is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// All of it.
    Whole,
    /// These bytes.
    Range(Range<u64>),
    /// Bytes that it does not have.
    Outside,
}

/// Answers with a file, or with the part of it that the headers ask for.
pub(super) async fn serve(
    store: &ArtifactStore,
    digest: &Digest,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let tag = format!("\"{digest}\"");
    let size = store.blob_size(digest).await?;
    if lists(headers, &header::IF_NONE_MATCH, &tag) {
        return Ok(finish(StatusCode::NOT_MODIFIED.into_response(), &tag));
    }
    // A part of what the caller once saw is a part of this only if it is the same.
    let is_same = headers
        .get(header::IF_RANGE)
        .is_none_or(|known| known == tag.as_str());
    let asked = headers.get(header::RANGE).filter(|_| is_same);
    let part = asked.map_or(Part::Whole, |asked| part(asked, size));
    let response = match part {
        Part::Outside => {
            let message = format!("the file has {size} bytes");
            let mut response = ApiError::new(ErrorCode::RangeNotSatisfiable, message).into_response();
            set(&mut response, header::CONTENT_RANGE, &format!("bytes */{size}"));
            response
        }
        Part::Range(range) => {
            let length = range.end - range.start;
            let content_range = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            let pieces = store.get_range(digest, range).await?;
            let mut response = (StatusCode::PARTIAL_CONTENT, Body::from_stream(pieces)).into_response();
            set(&mut response, header::CONTENT_RANGE, &content_range);
            set(&mut response, header::CONTENT_LENGTH, &length.to_string());
            response
        }
        Part::Whole => {
            let announced = match headers.get(&WANT_REPR_DIGEST) {
                Some(wanted) if wants_sha256(wanted) => Some(sha256(store, digest).await?),
                _ => None,
            };
            let (length, pieces) = store.get_stream(digest).await?;
            let mut response = Body::from_stream(pieces).into_response();
            set(&mut response, header::CONTENT_LENGTH, &length.to_string());
            if let Some(announced) = announced {
                set(&mut response, REPR_DIGEST.clone(), &announced);
            }
            response
        }
    };
    Ok(finish(response, &tag))
}

/// The SHA-256 of a file, as a header has it. Costs a reading, in which the file's own name is checked.
async fn sha256(store: &ArtifactStore, digest: &Digest) -> Result<String, ApiError> {
    let (_, mut pieces) = store.get_stream(digest).await?;
    let mut hash = Context::new(&SHA256);
    while let Some(piece) = pieces.try_next().await? {
        hash.update(&piece);
    }
    Ok(format!("sha-256=:{}:", STANDARD.encode(hash.finish())))
}

fn finish(mut response: Response, tag: &str) -> Response {
    set(&mut response, header::ETAG, tag);
    let is_error = response.status().is_client_error();
    let headers = response.headers_mut();
    headers.insert(header::ACCEPT_RANGES, BYTES);
    if !is_error {
        headers.insert(header::CACHE_CONTROL, CACHING);
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        );
    }
    response
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("numbers and hexadecimal digits fit a header");
    response.headers_mut().insert(name, value);
}

fn lists(headers: &HeaderMap, name: &HeaderName, tag: &str) -> bool {
    let listed = headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    listed
        .split(',')
        .map(str::trim)
        .any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

fn wants_sha256(wanted: &HeaderValue) -> bool {
    let wanted = wanted.to_str().unwrap_or("").split(',').map(str::trim);
    wanted
        .filter_map(|item| item.strip_prefix("sha-256"))
        .any(|weight| weight.trim() != "=0")
}

/// Reads `Range`. What is not understood, and more than one range, mean the whole file.
fn part(asked: &HeaderValue, size: u64) -> Part {
    let text = asked.to_str().unwrap_or("");
    let Some((first, last)) = text
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
    else {
        return Part::Whole;
    };
    let number = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| text.parse::<u64>())
    };
    match (first.trim(), last.trim()) {
        ("", last) => match number(last) {
            Some(Ok(0)) => Part::Outside,
            Some(Ok(length)) if size > 0 => Part::Range(size.saturating_sub(length)..size),
            Some(Ok(_)) => Part::Outside,
            _ => Part::Whole,
        },
        (first, last) => match (number(first), number(last)) {
            (Some(Ok(first)), _) if first >= size => Part::Outside,
            (Some(Ok(first)), _) if last.is_empty() => Part::Range(first..size),
            (Some(Ok(first)), Some(Ok(last))) if first <= last => {
                Part::Range(first..size.min(last.saturating_add(1)))
            }
            _ => Part::Whole,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_to_the_file_or_lies_outside_of_it() {
        let read = |text| part(&HeaderValue::from_static(text), 100);
        assert_eq!(read("bytes=0-9"), Part::Range(0..10));
        assert_eq!(read("bytes=90-"), Part::Range(90..100));
        assert_eq!(read("bytes=-10"), Part::Range(90..100));
        assert_eq!(read("bytes=-1000"), Part::Range(0..100));
        assert_eq!(read("bytes=99-18446744073709551615"), Part::Range(99..100));
        for outside in ["bytes=100-", "bytes=100-200", "bytes=-0"] {
            assert_eq!(read(outside), Part::Outside, "{outside}");
        }
        for whole in [
            "bytes=9-0",
            "bytes=a-b",
            "bytes=0-1,5-6",
            "lines=0-1",
            "bytes=",
            "bytes=-",
            "bytes=1",
            "bytes=99999999999999999999-",
        ] {
            assert_eq!(read(whole), Part::Whole, "{whole}");
        }
        assert_eq!(part(&HeaderValue::from_static("bytes=-5"), 0), Part::Outside);
        assert_eq!(part(&HeaderValue::from_static("bytes=0-"), 0), Part::Outside);
    }
}
