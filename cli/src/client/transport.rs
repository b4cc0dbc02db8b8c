//! How requests travel: over HTTP, or by a call into a router of this process. Both answer a stream of bytes, or the coordinator's refusal.

use super::{refusal, to_json, trust};
use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::settings::Origin;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, TryStreamExt};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::io::ReaderStream;
use tower::ServiceExt;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The same over TLS, for which the other side has to do something.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long an answer may take to begin, and pause between two pieces. Event streams send a sign of life more often than this; whoever follows a
/// log asks again.
const READ_TIMEOUT: Duration = Duration::from_mins(1);
/// How long the coordinator may take to store what it was sent, which it does before it answers.
const STORED_WITHIN: Duration = Duration::from_mins(10);
/// The slowest upload that is waited for, in bytes a second.
const UPLOAD_RATE_MIN: u64 = 256 * 1024;

/// The header of a key under which something is done once.
const KEY: &str = "idempotency-key";
/// How much of a file is read at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// The stable word for a request that was heard and whose answer did not arrive.
pub(super) const BROKEN_OFF: &str = "broken_off";

/// Bytes as they arrive.
pub(crate) type ByteStream = BoxStream<'static, Result<Bytes, Failure>>;
/// Told how many bytes more are on their way.
pub(crate) type Moved = Arc<dyn Fn(u64) + Send + Sync>;

/// The way to a coordinator.
#[derive(Debug, Clone)]
pub(super) enum Transport {
    /// Over the network.
    Http(Arc<Http>),
    /// A call into this process.
    InProcess(axum::Router),
}

/// A coordinator's address.
#[derive(Debug)]
pub(super) struct Http {
    base: String,
    origin: Origin,
    /// What vouches for it beside the system's authorities.
    authorities: Option<PathBuf>,
    /// Whether a token is shown with each request; the clients hold it.
    shows_token: bool,
    client: reqwest::Client,
    /// The same without a limit on silence: while something is sent, nothing comes back.
    sender: reqwest::Client,
}

/// What a request carries.
pub(super) enum Payload {
    /// Nothing.
    Empty,
    /// JSON.
    Json(Bytes),
    /// JSON, or nothing when it is empty, to be taken once under this key.
    Keyed(Bytes, String),
    /// Bytes as they are, to be taken once under this key.
    KeyedBytes(Bytes, String),
    /// JSON, signed by this header.
    Signed(Bytes, String),
    /// Bytes as they are.
    Bytes(Bytes),
    /// A file of this many bytes, and whom to tell as they go.
    File(tokio::fs::File, u64, Moved),
}

impl Payload {
    /// A value as JSON.
    pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, Failure> {
        to_json(value).map(Self::Json)
    }

    /// A file, read while it is sent.
    pub(super) async fn file(path: &Path, moved: Moved) -> Result<Self, Failure> {
        let open = async {
            let file = tokio::fs::File::open(path).await?;
            let size = file.metadata().await?.len();
            Ok::<_, std::io::Error>(Self::File(file, size, moved))
        };
        open.await.context(|| format!("cannot read {}", path.display()))
    }
}

impl Transport {
    /// Over the network, to this address.
    pub(super) fn http(
        url: &str,
        origin: Origin,
        token: Option<&str>,
        authorities: Option<&Path>,
    ) -> Result<Self, Failure> {
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            let what = format!("`{url}` (from {origin}) is not the address of a coordinator");
            return Err(Failure::new(Exit::Usage, what).help("write it as http://host:port"));
        }
        let headers = authorization(token)?;
        let vouching = trust::certificates(authorities.filter(|_| url.starts_with("https://")))?;
        let build = |read_timeout: Option<Duration>| {
            let mut builder = reqwest::Client::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .default_headers(headers.clone())
                .user_agent(concat!("tidemill/", env!("CARGO_PKG_VERSION")));
            if let Some(limit) = read_timeout {
                builder = builder.read_timeout(limit);
            }
            if url.starts_with("http://") {
                // Reading the system's certificates takes longer than most requests.
                builder = builder.tls_certs_only([]);
            } else {
                builder = builder
                    .connect_timeout(HANDSHAKE_TIMEOUT)
                    .tls_certs_merge(vouching.clone());
            }
            builder.build().context(|| "cannot set up the HTTP client")
        };
        Ok(Self::Http(Arc::new(Http {
            client: build(Some(READ_TIMEOUT))?,
            sender: build(None)?,
            shows_token: token.is_some(),
            base: url.trim_end_matches('/').to_owned(),
            origin,
            authorities: authorities.map(Path::to_owned),
        })))
    }

    /// Sends a request and hands out the answer's bytes; anything but a good status is a failure.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        payload: Payload,
    ) -> Result<ByteStream, Failure> {
        match self {
            Self::Http(http) => http.send(method, path, payload).await,
            Self::InProcess(router) => call(router, method, path, payload).await,
        }
    }
}

impl Http {
    async fn send(&self, method: Method, path: &str, payload: Payload) -> Result<ByteStream, Failure> {
        let url = format!("{}{path}", self.base);
        let request = match payload {
            Payload::Empty => self.client.request(method, url),
            Payload::Json(bytes) => self
                .client
                .request(method, url)
                .header(header::CONTENT_TYPE, "application/json")
                .body(bytes),
            Payload::Keyed(bytes, key) => {
                let request = self.client.request(method, url).header(KEY, key);
                if bytes.is_empty() {
                    request
                } else {
                    request
                        .header(header::CONTENT_TYPE, "application/json")
                        .body(bytes)
                }
            }
            Payload::Signed(bytes, proof) => self
                .client
                .request(method, url)
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::AUTHORIZATION, proof)
                .body(bytes),
            Payload::Bytes(bytes) => self.upload(method, url, bytes.len() as u64).body(bytes),
            Payload::KeyedBytes(bytes, key) => self
                .upload(method, url, bytes.len() as u64)
                .header(KEY, key)
                .body(bytes),
            Payload::File(file, size, moved) => self
                .upload(method, url, size)
                .header(header::CONTENT_LENGTH, size)
                .body(reqwest::Body::wrap_stream(told(file, moved))),
        };
        let answer = request.send().await.map_err(|error| self.unreachable(error))?;
        let status = answer.status();
        let broken = |error: reqwest::Error| {
            Failure::because(
                Exit::Unreachable,
                "the coordinator's answer broke off",
                &error.without_url(),
            )
            .code(BROKEN_OFF)
        };
        let bytes = answer.bytes_stream().map_err(broken).boxed();
        let judged = judge(status, bytes).await;
        judged.map_err(|failure| refusal::advise(failure, status, &self.base, self.shows_token))
    }

    /// A request that sends this many bytes, within a time that fits them.
    fn upload(&self, method: Method, url: String, size: u64) -> reqwest::RequestBuilder {
        self.sender
            .request(method, url)
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .timeout(STORED_WITHIN + Duration::from_secs(size / UPLOAD_RATE_MIN))
    }

    fn unreachable(&self, error: reqwest::Error) -> Failure {
        if let Some(failure) = trust::advise(&error, &self.base, self.authorities.as_deref()) {
            return failure;
        }
        let origin = match &self.origin {
            Origin::Default => "the state folder of this machine".to_owned(),
            origin => origin.to_string(),
        };
        let what = format!("no coordinator answers at {} (from {origin})", self.base);
        let refused = error.is_connect();
        let failure = Failure::because(Exit::Unreachable, what, &error.without_url())
            .at_its_root()
            .code(if refused { "unreachable" } else { BROKEN_OFF });
        failure.help(if refused {
            "start one on this machine with `tidemill up`, or name another with --url or $TIDEMILL_URL"
        } else {
            "it is there and did not answer: try again, or look at its log"
        })
    }
}

/// The header that shows a token. The client does not follow it to another host.
fn authorization(token: Option<&str>) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| Failure::new(Exit::Usage, "the token has characters that no token has"))?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    Ok(headers)
}

/// The bytes of a file, of which somebody is told as they go.
fn told(file: tokio::fs::File, moved: Moved) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    ReaderStream::with_capacity(file, PIECE_BYTES).inspect_ok(move |piece| moved(piece.len() as u64))
}

async fn call(
    router: &axum::Router,
    method: Method,
    path: &str,
    payload: Payload,
) -> Result<ByteStream, Failure> {
    let request = Request::builder().method(method).uri(path);
    let request = match payload {
        Payload::Empty => request.body(Body::empty()),
        Payload::Json(bytes) => request
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(bytes)),
        Payload::Keyed(bytes, key) => {
            let request = request.header(KEY, key);
            if bytes.is_empty() {
                request.body(Body::empty())
            } else {
                request
                    .header(header::CONTENT_TYPE, "application/json")
                    .body(Body::from(bytes))
            }
        }
        Payload::Signed(bytes, proof) => request
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, proof)
            .body(Body::from(bytes)),
        Payload::Bytes(bytes) => request.body(Body::from(bytes)),
        Payload::KeyedBytes(bytes, key) => request.header(KEY, key).body(Body::from(bytes)),
        Payload::File(file, size, moved) => request
            .header(header::CONTENT_LENGTH, size)
            .body(Body::from_stream(told(file, moved))),
    };
    let request = request.context(|| format!("cannot ask for {path}"))?;
    let answer = match router.clone().oneshot(request).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    };
    let status = answer.status();
    let broken = |error: axum::Error| {
        Failure::because(Exit::Unreachable, "the coordinator's answer broke off", &error)
    };
    let bytes = answer.into_body().into_data_stream().map_err(broken).boxed();
    judge(status, bytes).await
}

async fn judge(status: StatusCode, bytes: ByteStream) -> Result<ByteStream, Failure> {
    if status.is_success() {
        return Ok(bytes);
    }
    let body = super::collect(bytes, refusal::BODY_BYTES_MAX)
        .await
        .unwrap_or_default();
    Err(refusal::read(status, &body))
}
