//! A client of the API over one connection that is kept: as little of HTTP/1.1 as measuring needs, so that what is measured is the server. Not a client for anything else.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

/// How long the server may take to come up.
const COMES_UP_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks whether it is up.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A connection that is kept from one request to the next.
#[derive(Debug)]
pub struct Connection {
    stream: BufStream<TcpStream>,
    token: Option<String>,
}

impl Connection {
    /// Connects to an address with its port.
    pub async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufStream::new(stream),
            token: None,
        })
    }

    /// The same, as soon as somebody listens there.
    pub async fn open_soon(address: &str) -> Result<Self> {
        let began = Instant::now();
        loop {
            match Self::open(address).await {
                Ok(connection) => return Ok(connection),
                Err(error) if began.elapsed() > COMES_UP_WITHIN => return Err(error),
                Err(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    /// Shows a token with each request.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// One request; its answer as JSON, or null when it is none.
    ///
    /// # Errors
    /// Any answer but one of success, with what it says.
    pub async fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<Value> {
        self.send(method, path, body).await?;
        let head = self.head().await?;
        let mut bytes = vec![0; head.length];
        self.stream.read_exact(&mut bytes).await?;
        head.succeeded(&bytes)?;
        Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Asks for a stream of server-sent events.
    pub async fn watch(mut self, path: &str) -> Result<Events> {
        self.send("GET", path, "").await?;
        self.head().await?.succeeded(&[])?;
        Ok(Events(self.stream))
    }

    async fn send(&mut self, method: &str, path: &str, body: &str) -> Result<()> {
        let token = match &self.token {
            Some(token) => format!("authorization: Bearer {token}\r\n"),
            None => String::new(),
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{token}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.stream.write_all(head.as_bytes()).await?;
        self.stream.write_all(body.as_bytes()).await?;
        Ok(self.stream.flush().await?)
    }

    async fn head(&mut self) -> Result<Head> {
        let mut head = Head::default();
        self.stream.read_line(&mut head.status).await?;
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await? == 0 {
                bail!("the server closed the connection");
            }
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                return Ok(head);
            };
            if name.eq_ignore_ascii_case("content-length") {
                head.length = value.parse()?;
            }
        }
    }
}

/// What is said before an answer's body.
#[derive(Debug, Default)]
struct Head {
    status: String,
    length: usize,
}

impl Head {
    fn succeeded(&self, body: &[u8]) -> Result<()> {
        ensure!(
            self.status.starts_with("HTTP/1.1 20"),
            "{} {}",
            self.status.trim_end(),
            String::from_utf8_lossy(body)
        );
        Ok(())
    }
}

/// A stream of server-sent events.
#[derive(Debug)]
pub struct Events(BufStream<TcpStream>);

impl Events {
    /// The next event's data; none when the stream has ended.
    pub async fn next(&mut self) -> Result<Option<Value>> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.0.read_line(&mut line).await? == 0 {
                return Ok(None);
            }
            // Sizes of chunks, ids and comments stand on lines of their own.
            if let Some(data) = line.trim_end().strip_prefix("data: ") {
                return serde_json::from_str(data).map(Some).context("an event is JSON");
            }
            if line == "0\r\n" {
                return Ok(None);
            }
        }
    }
}
