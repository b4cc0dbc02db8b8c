//! A relay for TCP connections that a test puts in front of a server: it counts what clients send, and speaks TLS to them when it has a certificate.
//! It may be a slow one, or lead into a network namespace. It breaks nothing; the proxy that does is in `tidemill-transport`, beside the contract of brokers.

use crate::Authority;
use crate::authority::Validity;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

const MIB: u64 = 1024 * 1024;
/// Any port of the loopback.
const ANYWHERE: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// What is between the two ends.
#[derive(Clone, Default)]
struct Way {
    tls: Option<TlsAcceptor>,
    /// A pause after every MiB.
    rest: Option<Duration>,
}

/// A running relay. Its connections end with it.
#[derive(Debug)]
pub struct Relay {
    port: u16,
    sent: Arc<AtomicU64>,
    runtime: Option<Runtime>,
}

impl Relay {
    /// Hands connections on to this address as they are.
    ///
    /// # Panics
    /// When no port is free.
    pub fn plain(to: SocketAddr) -> Self {
        Self::between(ANYWHERE, to)
    }

    /// The same from this address on.
    ///
    /// # Panics
    /// When it is taken.
    pub(crate) fn between(from: SocketAddr, to: SocketAddr) -> Self {
        Self::start(from, to, Way::default(), None)
    }

    /// Hands connections from this address on to one within this network namespace.
    ///
    /// # Panics
    /// When the address is taken.
    pub(crate) fn into_namespace(from: SocketAddr, to: SocketAddr, namespace: File) -> Self {
        Self::start(from, to, Way::default(), Some(namespace))
    }

    /// Hands connections on, and rests this long after every MiB that a client sends.
    ///
    /// # Panics
    /// When no port is free.
    pub fn slow(to: SocketAddr, rest: Duration) -> Self {
        let way = Way {
            rest: Some(rest),
            ..Way::default()
        };
        Self::start(ANYWHERE, to, way, None)
    }

    /// Ends TLS, with a certificate for `localhost` and `127.0.0.1` that this authority signed, and hands the bytes on.
    ///
    /// # Panics
    /// When no port is free.
    pub fn tls(to: SocketAddr, authority: &Authority) -> Self {
        Self::tls_with(to, authority, Validity::Now)
    }

    /// The same with a certificate whose time is over.
    ///
    /// # Panics
    /// When no port is free.
    pub fn tls_expired(to: SocketAddr, authority: &Authority) -> Self {
        Self::tls_with(to, authority, Validity::Over)
    }

    fn tls_with(to: SocketAddr, authority: &Authority, validity: Validity) -> Self {
        let way = Way {
            tls: Some(authority.acceptor(validity)),
            ..Way::default()
        };
        Self::start(ANYWHERE, to, way, None)
    }

    fn start(from: SocketAddr, to: SocketAddr, way: Way, namespace: Option<File>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            // Whatever a thread opens belongs to the namespace that it is in. The listener is opened by this one, which stays where it is.
            .on_thread_start(move || {
                if let Some(namespace) = &namespace {
                    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                        .expect("a thread can enter a network namespace");
                }
            })
            .build()
            .expect("a runtime can be made");
        let listener = runtime.block_on(TcpListener::bind(from)).expect("a port is free");
        let port = listener
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        let sent = Arc::new(AtomicU64::new(0));
        runtime.spawn(accept(listener, to, way, Arc::clone(&sent)));
        Self {
            port,
            sent,
            runtime: Some(runtime),
        }
    }

    /// Where it listens; on the loopback if nothing else was asked for.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// How many bytes clients have sent through it so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, way: Way, sent: Arc<AtomicU64>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let (Way { tls, rest }, sent) = (way.clone(), Arc::clone(&sent));
        connections.spawn(async move {
            match tls {
                None => relay(client, to, rest, &sent).await,
                // A client that does not trust the certificate ends the handshake: that is what some tests are about.
                Some(tls) => {
                    if let Ok(client) = tls.accept(client).await {
                        relay(client, to, rest, &sent).await;
                    }
                }
            }
        });
    }
}

async fn relay(
    client: impl AsyncRead + AsyncWrite,
    to: SocketAddr,
    rest: Option<Duration>,
    sent: &AtomicU64,
) {
    let Ok(server) = TcpStream::connect(to).await else {
        return;
    };
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_server, mut to_server) = server.into_split();
    let there = async {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = tokio::io::AsyncReadExt::read(&mut from_client, &mut piece).await {
            let before = sent.fetch_add(count as u64, Ordering::Relaxed);
            if let Some(rest) = rest
                && (before + count as u64) / MIB > before / MIB
            {
                tokio::time::sleep(rest).await;
            }
            if to_server.write_all(&piece[..count]).await.is_err() {
                return;
            }
        }
        to_server.shutdown().await.ok();
    };
    let back = async {
        tokio::io::copy(&mut from_server, &mut to_client).await.ok();
        to_client.shutdown().await.ok();
    };
    tokio::join!(there, back);
}
