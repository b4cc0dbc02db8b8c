//! A coordinator on a real port, and the two ends of a conversation with it that most tests need.

use crate::harness::Service;
use std::net::SocketAddr;
use std::time::Duration;
use tidemill_coordinator::{Certificates, Limits, ServeConfig, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long anything may take on a machine that stalls.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);
/// A limit that does not matter in a test.
pub(crate) const LONG: Duration = Duration::from_hours(1);
/// A coordinator on a port.
pub(crate) struct Served {
    pub(crate) service: Service,
    pub(crate) address: SocketAddr,
    _serving: JoinSet<()>,
}

pub(crate) async fn served(limits: Limits) -> Served {
    served_with(limits, None).await
}

pub(crate) async fn served_with(limits: Limits, tls: Option<Certificates>) -> Served {
    let service = Service::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = ServeConfig {
        limits,
        tls,
        ..ServeConfig::default()
    };
    let api = service.coordinator.api();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        serve(listener, api, config, CancellationToken::new())
            .await
            .unwrap();
    });
    Served {
        service,
        address,
        _serving: serving,
    }
}

pub(crate) fn patient() -> Limits {
    Limits {
        head_within: LONG,
        idle_max: LONG,
        body_pause_max: LONG,
        answer_pause_max: LONG,
        ..Limits::default()
    }
}

impl Served {
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub(crate) async fn connect_and_say(&self, text: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    pub(crate) async fn health(&self) -> String {
        let request = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        let mut stream = self.connect_and_say(request).await;
        until_closed(&mut stream).await
    }
}

/// Everything that still comes, until the other side closes.
pub(crate) async fn until_closed(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let reading = stream.read_to_end(&mut bytes);
    // A reset closes as well as an end does.
    drop(
        tokio::time::timeout(PATIENCE, reading)
            .await
            .expect("it is closed"),
    );
    String::from_utf8(bytes).unwrap()
}

/// What comes until this text has come.
pub(crate) async fn until_said(stream: &mut TcpStream, wanted: &str) -> String {
    let mut said = String::new();
    let mut piece = [0; 4_096];
    while !said.contains(wanted) {
        let reading = stream.read(&mut piece);
        let count = tokio::time::timeout(PATIENCE, reading)
            .await
            .expect("it is said")
            .unwrap();
        assert!(count > 0, "it was closed after {said:?}");
        said.push_str(std::str::from_utf8(&piece[..count]).unwrap());
    }
    said
}
