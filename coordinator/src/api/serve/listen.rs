//! Serving the API on a port. Only this machine's own addresses are served until there are tokens: whoever can call the API can run code on every worker.

use super::greeting::greet;
use super::limits::Limits;
use super::room::{Room, Seat};
use super::tls::Certificates;
use super::watched::{Answering, Watched};
use crate::api::streams::Streams;
use crate::api::{OverTls, Via};
use crate::handle::CoordinatorHandle;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tower_http::timeout::TimeoutBody;

/// How long open requests may take when the coordinator stops.
const GRACE: Duration = Duration::from_secs(5);
/// Pause after an accept that failed for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What somebody is told for whom there is no room.
const NO_ROOM: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// The API for a port: each request is told from where it comes.
#[derive(Debug, Clone)]
pub struct Api {
    router: Router,
    handle: CoordinatorHandle,
    /// Whether only attempts are served, by their tokens.
    for_steps: bool,
}

/// How the API is served.
#[derive(Debug, Clone, Default)]
pub struct ServeConfig {
    /// Whether other machines may be served although everybody between them and us can read along.
    pub insecure_plaintext: bool,
    /// With what the connections are encrypted; in the clear without.
    pub tls: Option<Certificates>,
    /// How many connections there may be, and how long each may keep us waiting.
    pub limits: Limits,
}

/// A port that cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address can be reached from other machines, and everybody who reaches it could do everything.
    #[error("{0} can be reached from other machines, and there was never a token")]
    NoToken(SocketAddr),
    /// The address can be reached from other machines, and tokens would travel in the clear.
    #[error(
        "{0} can be reached from other machines, and without TLS whoever sits between can read every token"
    )]
    Plaintext(SocketAddr),
    /// The listener failed.
    #[error("cannot listen")]
    Listen(#[source] io::Error),
}

impl Api {
    pub(crate) fn new(handle: &CoordinatorHandle) -> Self {
        Self {
            router: crate::api::router(handle),
            handle: handle.clone(),
            for_steps: false,
        }
    }

    /// The same for a port at which only the processes of steps are served, by the tokens of their attempts.
    #[must_use]
    pub fn for_steps(self) -> Self {
        Self {
            for_steps: true,
            ..self
        }
    }

    /// Whether it may be served there: other machines only under a token that nobody on the way can read.
    pub fn may_be_served_at(&self, address: SocketAddr, config: &ServeConfig) -> Result<(), ServeError> {
        if address.ip().is_loopback() {
            Ok(())
        } else if !self.handle.access().is_closed() {
            Err(ServeError::NoToken(address))
        } else if config.tls.is_none() && !config.insecure_plaintext {
            Err(ServeError::Plaintext(address))
        } else {
            Ok(())
        }
    }

    /// Answers one request that came from this address.
    pub async fn answer(self, peer: SocketAddr, request: Request<Body>) -> Response<Body> {
        let mut request = request;
        let via = if self.for_steps {
            Via::Steps(peer)
        } else {
            Via::Port(peer)
        };
        request.extensions_mut().insert(via);
        match self.router.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// Serves the API until the token is cancelled; then lets open requests finish for a while.
pub async fn serve(
    listener: TcpListener,
    api: Api,
    config: ServeConfig,
    token: CancellationToken,
) -> Result<(), ServeError> {
    let address = listener.local_addr().map_err(ServeError::Listen)?;
    api.may_be_served_at(address, &config)?;
    let room = Room::new(config.limits);
    let streams = Streams::new(config.limits.streams_max, config.limits.streams_per_caller_max);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut upkeep = JoinSet::new();
    if let Some(certificates) = config.tls.clone() {
        upkeep.spawn(async move { certificates.keep_fresh().await });
    }
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            room.shrink();
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Some(seat) = room.enter(peer.ip().to_canonical()) else {
            tracing::debug!(%peer, "no room for a connection");
            // Whoever does not hear it sees the connection close.
            if config.tls.is_none() {
                drop(stream.try_write(NO_ROOM));
            }
            continue;
        };
        let visitor = Visitor {
            api: api.clone(),
            peer,
            tls: config.tls.clone(),
            limits: config.limits,
            streams: streams.clone(),
            stop: token.clone(),
        };
        connections.spawn(visitor.converse(stream, seat, graceful.watcher()));
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still open when the coordinator stopped");
    }
    Ok(())
}

/// Somebody who came in.
#[derive(Debug, Clone)]
struct Visitor {
    api: Api,
    peer: SocketAddr,
    tls: Option<Certificates>,
    limits: Limits,
    streams: Streams,
    stop: CancellationToken,
}

impl Visitor {
    /// Answers what they ask, until they leave or have to.
    async fn converse(self, stream: TcpStream, seat: Seat, watcher: Watcher) {
        let peer = self.peer;
        // Small answers should not wait for more bytes; where it cannot be set, they do.
        drop(stream.set_nodelay(true));
        tokio::select! {
            biased;
            () = self.speak(stream, &seat, watcher) => {}
            () = seat.is_over() => tracing::debug!(%peer, "a silent connection was closed"),
        }
    }

    async fn speak(self, stream: TcpStream, seat: &Seat, watcher: Watcher) {
        let Some(certificates) = &self.tls else {
            return self.speak_http(stream, seat, watcher).await;
        };
        // Nothing was asked before the handshake is done: the end waits for no part of it.
        let Some(greeted) = self.stop.run_until_cancelled(greet(stream, certificates)).await else {
            return;
        };
        match greeted {
            Ok(Some(stream)) => {
                seat.activity().greeted(Instant::now());
                self.speak_http(stream, seat, watcher).await;
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(peer = %self.peer, %error, "no TLS connection came about"),
        }
    }

    async fn speak_http<S>(self, stream: S, seat: &Seat, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Arc::clone(seat.activity());
        let stream = Watched::new(stream, Arc::clone(&activity));
        let is_over_tls = self.tls.is_some();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let answering = Answering::begin(&activity);
            let pause_max = self.limits.body_pause_max;
            let mut request = request.map(|body| Body::new(TimeoutBody::new(pause_max, body)));
            request.extensions_mut().insert(self.streams.clone());
            if is_over_tls {
                request.extensions_mut().insert(OverTls);
            }
            let answer = self.api.clone().answer(self.peer, request);
            async move { Ok::<_, Infallible>(answer.await.map(|body| answering.until_sent(body))) }
        });
        // The time that a head may take is in our own hands: hyper has one limit for it and for a connection that is kept for the next request.
        let connection = http1::Builder::new()
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended badly");
        }
    }
}
