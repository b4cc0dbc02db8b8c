//! A server that is too busy: it takes every HTTP request whole and answers it by 503, as an object store does that wants to be asked less.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const BODY: &str = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";

/// A running one. It ends with the value.
#[derive(Debug)]
pub struct Overloaded {
    port: u16,
    refused: Arc<AtomicU64>,
    runtime: Option<Runtime>,
}

impl Overloaded {
    /// One on a free port of the loopback.
    ///
    /// # Panics
    /// When no port is free.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .expect("a port is free");
        let port = listener
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        let refused = Arc::new(AtomicU64::new(0));
        runtime.spawn(accept(listener, Arc::clone(&refused)));
        Self {
            port,
            refused,
            runtime: Some(runtime),
        }
    }

    /// Where it listens, on the loopback.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// How many requests it has refused so far.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Overloaded {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, refused: Arc<AtomicU64>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let refused = Arc::clone(&refused);
        connections.spawn(async move {
            // A client that goes away in the middle is none of our business.
            drop(refuse(client, &refused).await);
        });
    }
}

async fn refuse(client: TcpStream, refused: &AtomicU64) -> std::io::Result<()> {
    let mut client = BufReader::new(client);
    loop {
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            if client.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let Some((name, value)) = line.split_once(':') else {
                if line.trim().is_empty() {
                    break;
                }
                continue;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        tokio::io::copy(&mut (&mut client).take(length), &mut tokio::io::sink()).await?;
        refused.fetch_add(1, Ordering::Relaxed);
        let answer = format!(
            "HTTP/1.1 503 Slow Down\r\ncontent-type: application/xml\r\ncontent-length: {}\r\n\r\n{BODY}",
            BODY.len()
        );
        client.write_all(answer.as_bytes()).await?;
    }
}
