//! A network that fails on demand: a TCP proxy in front of a real broker which cuts, holds, delays, throttles and refuses connections, and can speak
//! in the broker's place. It harms nobody else who uses the broker.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How one direction of every connection flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// As it comes.
    Pass,
    /// As it comes, each piece late by this much.
    Delay(Duration),
    /// At most so many bytes a second (at least one), those of all connections together.
    Rate(u64),
    /// Not at all, without a sign to either end, until it flows again. Both directions: a black hole; one: a half-open connection.
    Hold,
}

/// One direction of all connections.
#[derive(Debug)]
struct Direction {
    flow: watch::Sender<Flow>,
    /// Held by the piece that is on the way, where pieces take time.
    link: tokio::sync::Mutex<()>,
}

impl Direction {
    fn open() -> Self {
        Self {
            flow: watch::Sender::new(Flow::Pass),
            link: tokio::sync::Mutex::default(),
        }
    }

    /// Returns when a piece of so many bytes may pass.
    async fn carry(&self, bytes: usize) {
        let mut flow = self.flow.subscribe();
        let flows = flow.wait_for(|flow| *flow != Flow::Hold).await.map(|flow| *flow);
        match flows {
            Ok(Flow::Delay(delay)) => sleep(delay).await,
            Ok(Flow::Rate(rate)) => {
                let _turn = self.link.lock().await;
                sleep(Duration::from_millis(bytes as u64 * 1000 / rate.max(1))).await;
            }
            _ => {}
        }
    }
}

#[derive(Debug)]
struct Weather {
    /// Where new connections lead to.
    upstream: watch::Sender<String>,
    to_broker: Direction,
    to_client: Direction,
    refusing: watch::Sender<bool>,
    /// Ends the connections of the present; replaced with each cut.
    cut: Mutex<CancellationToken>,
    /// Bytes to put into every connection, towards the client.
    injected: broadcast::Sender<Vec<u8>>,
}

/// A proxy; it and its connections end when it is dropped.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    weather: Arc<Weather>,
    _tasks: JoinSet<()>,
}

impl FaultProxy {
    /// Listens on a free port of the loopback interface for connections to `upstream` (`host:port`).
    pub async fn start(upstream: String) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let weather = Arc::new(Weather {
            upstream: watch::Sender::new(upstream),
            to_broker: Direction::open(),
            to_client: Direction::open(),
            refusing: watch::Sender::new(false),
            cut: Mutex::default(),
            injected: broadcast::Sender::new(16),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&weather)));
        Ok(Self {
            address,
            weather,
            _tasks: tasks,
        })
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all present connections at once. New ones are welcome, unless refused.
    pub fn cut(&self) {
        let mut cut = self.weather.cut.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *cut).cancel();
    }

    /// Whether new connections end as soon as they are made.
    pub fn refuse(&self, refusing: bool) {
        self.weather.refusing.send_replace(refusing);
    }

    /// Where new connections lead to from now on (`host:port`); present ones stay where they are.
    pub fn lead_to(&self, upstream: String) {
        self.weather.upstream.send_replace(upstream);
    }

    /// How bytes flow towards the broker.
    pub fn to_broker(&self, flow: Flow) {
        self.weather.to_broker.flow.send_replace(flow);
    }

    /// How bytes flow towards the client.
    pub fn to_client(&self, flow: Flow) {
        self.weather.to_client.flow.send_replace(flow);
    }

    /// Speaks in the broker's place on every connection. Only between frames, that is, while the connections are quiet.
    pub fn inject(&self, bytes: &[u8]) {
        // Without connections nobody hears it.
        let _unheard = self.weather.injected.send(bytes.to_vec());
    }
}

async fn accept(listener: TcpListener, weather: Arc<Weather>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        if *weather.refusing.borrow() {
            continue;
        }
        let upstream = weather.upstream.borrow().clone();
        let Ok(broker) = TcpStream::connect(upstream).await else {
            continue;
        };
        let cut = weather.cut.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let weather = Arc::clone(&weather);
        connections.spawn(async move {
            tokio::select! {
                () = cut.cancelled() => {}
                () = carry(client, broker, &weather) => {}
            }
        });
    }
}

/// Carries one connection until either end is gone.
async fn carry(client: TcpStream, broker: TcpStream, weather: &Weather) {
    // Small frames must not wait for each other here.
    if client.set_nodelay(true).is_err() || broker.set_nodelay(true).is_err() {
        return;
    }
    let (from_client, to_client) = client.into_split();
    let (from_broker, to_broker) = broker.into_split();
    // Nothing is ever injected towards the broker; a sender that stays quiet keeps the branch asleep.
    let quiet = broadcast::Sender::new(1);
    tokio::select! {
        _ = pump(from_client, to_broker, &weather.to_broker, quiet.subscribe()) => {}
        _ = pump(from_broker, to_client, &weather.to_client, weather.injected.subscribe()) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: &Direction,
    mut injected: broadcast::Receiver<Vec<u8>>,
) -> io::Result<()> {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut piece) => read?,
            Ok(bytes) = injected.recv() => {
                to.write_all(&bytes).await?;
                continue;
            }
        };
        if read == 0 {
            return Ok(());
        }
        direction.carry(read).await;
        to.write_all(&piece[..read]).await?;
    }
}
