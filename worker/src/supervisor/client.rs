//! The daemon's end of the supervisor's socket: finds the running supervisor or starts one, keeps the connection for ever, and matches exit records to those
//! who wait for them. One task owns the connection; [`SupervisorHandle`] talks to it.

use super::message::{
    Answer, ExitRecord, FRAME_BYTES_MAX, MESSAGES_MAX, Request, SOCKET, Start, frame, unframe,
};
use futures_util::StreamExt;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};
use tokio_util::sync::CancellationToken;

/// Requests that may wait to be written: a few for each slot.
const ASKS_MAX: usize = 4096;
/// Pause between tries to connect, at first and at most.
const TRY_PAUSE: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(500));
/// How long the first connection may take.
const FIRST_WITHIN: Duration = Duration::from_secs(15);

enum Ask {
    Start {
        start: Box<Start>,
        /// Whether an earlier daemon may have started something by this key.
        again: bool,
        tell: oneshot::Sender<ExitRecord>,
    },
    Await(String, oneshot::Sender<ExitRecord>),
    Send(Request),
}

/// Talks to the supervisor. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct SupervisorHandle {
    asks: mpsc::Sender<Ask>,
    abilities: Arc<Abilities>,
}

/// What the supervisor at the other end can do; one of an earlier version may be still there.
#[derive(Debug, Default)]
struct Abilities {
    reads_secrets: AtomicBool,
    gives_users: AtomicBool,
    shuts_in: AtomicBool,
}

impl Abilities {
    fn are(&self, [reads_secrets, gives_users, shuts_in]: [bool; 3]) {
        self.reads_secrets.store(reads_secrets, Ordering::Relaxed);
        self.gives_users.store(gives_users, Ordering::Relaxed);
        self.shuts_in.store(shuts_in, Ordering::Relaxed);
    }
}

impl SupervisorHandle {
    /// Whether the supervisor at the other end gives secrets to what it starts.
    pub(crate) fn reads_secrets(&self) -> bool {
        self.abilities.reads_secrets.load(Ordering::Relaxed)
    }

    /// Whether the supervisor at the other end makes what it starts another user's.
    pub(crate) fn gives_users(&self) -> bool {
        self.abilities.gives_users.load(Ordering::Relaxed)
    }

    /// Whether the supervisor at the other end keeps what it starts from all files but the system's and its own.
    pub(crate) fn shuts_in(&self) -> bool {
        self.abilities.shuts_in.load(Ordering::Relaxed)
    }

    /// Starts an attempt's processes and waits until they have ended; none when the daemon is about to end.
    pub(crate) async fn run(&self, start: Start) -> Option<ExitRecord> {
        self.begin(start, false).await
    }

    /// As [`Self::run`], by a key that served before: what may be left of that is ended first.
    pub(crate) async fn run_again(&self, start: Start) -> Option<ExitRecord> {
        self.begin(start, true).await
    }

    async fn begin(&self, start: Start, again: bool) -> Option<ExitRecord> {
        let (tell, told) = oneshot::channel();
        let start = Box::new(start);
        self.asks.send(Ask::Start { start, again, tell }).await.ok()?;
        told.await.ok()
    }

    /// Waits for an attempt that an earlier daemon started.
    pub(crate) async fn wait(&self, key: &str) -> Option<ExitRecord> {
        let (tell, told) = oneshot::channel();
        self.asks.send(Ask::Await(key.to_owned(), tell)).await.ok()?;
        told.await.ok()
    }

    /// Begins to end an attempt.
    pub(crate) async fn stop(&self, key: &str) {
        self.send(Request::Stop { key: key.to_owned() }).await;
    }

    /// Says that an attempt's exit record is not needed any more.
    pub(crate) async fn forget(&self, key: &str) {
        self.send(Request::Forget { key: key.to_owned() }).await;
    }

    /// Says that this daemon leaves for good.
    pub(crate) async fn farewell(&self) {
        self.send(Request::Farewell).await;
    }

    async fn send(&self, request: Request) {
        // Fails only when the daemon ends, and then nobody waits for an effect.
        self.asks.send(Ask::Send(request)).await.ok();
    }
}

/// The connection's owner.
#[derive(Debug)]
pub(crate) struct Client {
    dir: PathBuf,
    argv: Vec<OsString>,
    asks: mpsc::Receiver<Ask>,
    abilities: Arc<Abilities>,
    child: Option<Child>,
    /// Who waits for which attempt, and what to ask for again if the supervisor is lost.
    waiting: HashMap<String, Waiting>,
    /// Records that nobody has asked for yet.
    ended: HashMap<String, ExitRecord>,
}

#[derive(Debug)]
struct Waiting {
    tell: oneshot::Sender<ExitRecord>,
    start: Option<Box<Start>>,
}

/// A connection on which the supervisor has said what it knows.
#[derive(Debug)]
pub(crate) struct Connection {
    reader: FramedRead<OwnedReadHalf, LengthDelimitedCodec>,
    writer: OwnedWriteHalf,
    /// Attempts that ran or had ended when the connection was made.
    pub(crate) known: BTreeSet<String>,
    /// Whether it reads secrets, gives users, and shuts in.
    can: [bool; 3],
    answers: Vec<Answer>,
}

impl Client {
    /// A client of the supervisor in `dir`, which is started by this argument vector when there is none.
    pub(crate) fn new(dir: &Path, argv: &[OsString]) -> (Self, SupervisorHandle) {
        let (tx, asks) = mpsc::channel(ASKS_MAX);
        let abilities = Arc::<Abilities>::default();
        let client = Self {
            dir: dir.to_owned(),
            argv: argv.to_vec(),
            asks,
            abilities: Arc::clone(&abilities),
            child: None,
            waiting: HashMap::new(),
            ended: HashMap::new(),
        };
        let handle = SupervisorHandle { asks: tx, abilities };
        (client, handle)
    }

    /// The first connection, or why there is none.
    pub(crate) async fn connect(&mut self) -> io::Result<Connection> {
        tokio::time::timeout(FIRST_WITHIN, self.connect_somehow())
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the supervisor did not come up"))?
    }

    /// Serves until the token is cancelled: then writes what still waits, and leaves.
    pub(crate) async fn run(mut self, first: Connection, token: CancellationToken) {
        let mut connection = first;
        loop {
            let broken = self.serve(&mut connection, &token).await;
            if token.is_cancelled() {
                return;
            }
            tracing::warn!(error = %broken, "lost the supervisor; connecting again");
            connection = loop {
                let made = tokio::select! {
                    made = self.connect() => made,
                    () = token.cancelled() => return,
                };
                match made {
                    Ok(made) => break made,
                    Err(error) => tracing::error!(%error, "cannot reach the supervisor"),
                }
            };
            if let Err(error) = self.ask_again(&mut connection).await {
                tracing::warn!(%error, "the supervisor left at once");
            }
        }
    }

    async fn serve(&mut self, connection: &mut Connection, token: &CancellationToken) -> io::Error {
        for answer in std::mem::take(&mut connection.answers) {
            self.answered(answer);
        }
        let mut batch = Vec::with_capacity(MESSAGES_MAX);
        let leaving = token.clone().cancelled_owned();
        tokio::pin!(leaving);
        loop {
            tokio::select! {
                biased;
                read = connection.reader.next() => match read {
                    Some(Ok(body)) => match unframe::<Answer>(&body) {
                        Ok(answers) => answers.into_iter().for_each(|answer| self.answered(answer)),
                        Err(error) => return error,
                    },
                    Some(Err(error)) => return error,
                    None => return io::ErrorKind::UnexpectedEof.into(),
                },
                count = self.asks.recv_many(&mut batch, MESSAGES_MAX) => {
                    if count == 0 {
                        return io::ErrorKind::NotConnected.into();
                    }
                    let requests: Vec<Request> =
                        batch.drain(..).filter_map(|ask| self.asked(ask)).collect();
                    if let Err(error) = connection.writer.write_all(&frame(&requests)).await {
                        return error;
                    }
                },
                // Last, so that everything asked before is written.
                () = &mut leaving => return io::ErrorKind::Interrupted.into(),
            }
        }
    }

    fn asked(&mut self, ask: Ask) -> Option<Request> {
        match ask {
            Ask::Start { start, again, tell } => {
                let kept = Waiting {
                    tell,
                    start: Some(start.clone()),
                };
                self.waiting.insert(start.key.clone(), kept);
                Some(Request::Start { start, again })
            }
            Ask::Await(key, tell) => {
                match self.ended.remove(&key) {
                    // The waiter may have gone meanwhile; the record stays with the supervisor until forgotten.
                    Some(exit) => drop(tell.send(exit)),
                    None => drop(self.waiting.insert(key, Waiting { tell, start: None })),
                }
                None
            }
            Ask::Send(request) => {
                if let Request::Forget { key } = &request {
                    self.ended.remove(key);
                }
                Some(request)
            }
        }
    }

    fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Known { .. } => {}
            Answer::Ended(exit) => match self.waiting.remove(&exit.key) {
                Some(waiting) => drop(waiting.tell.send(exit)),
                None => drop(self.ended.insert(exit.key.clone(), exit)),
            },
        }
    }

    /// Starts that may not have arrived. The supervisor does not start what it knows.
    async fn ask_again(&mut self, connection: &mut Connection) -> io::Result<()> {
        let starts = self.waiting.values().filter_map(|w| w.start.clone());
        let requests: Vec<Request> = starts
            .map(|start| Request::Start { start, again: true })
            .collect();
        for chunk in requests.chunks(MESSAGES_MAX) {
            connection.writer.write_all(&frame(chunk)).await?;
        }
        Ok(())
    }

    async fn connect_somehow(&mut self) -> io::Result<Connection> {
        let mut pause = TRY_PAUSE.0;
        let mut started = None;
        loop {
            if let Ok(stream) = connect_socket(&self.dir).await
                && let Ok(connection) = greet(stream).await
            {
                self.abilities.are(connection.can);
                return Ok(connection);
            }
            let gone = match &mut self.child {
                Some(child) => child.try_wait()?.is_some(),
                None => true,
            };
            // One that ends at once found another's lock: that one is about to listen or to leave.
            if gone && started.is_none_or(|at: Instant| at.elapsed() > TRY_PAUSE.1) {
                self.child = Some(self.start()?);
                started = Some(Instant::now());
            }
            sleep(pause).await;
            pause = (pause * 2).min(TRY_PAUSE.1);
        }
    }

    fn start(&self) -> io::Result<Child> {
        std::fs::create_dir_all(&self.dir)?;
        let (program, arguments) = self.argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.join("supervisor.log"))?;
        // Nothing of the daemon's environment: it may hold secrets, and this process lives next to the steps.
        Command::new(program)
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
    }
}

/// Connects by way of the folder's handle, because a socket's path may have 108 bytes only.
async fn connect_socket(dir: &Path) -> io::Result<UnixStream> {
    let folder = File::open(dir)?;
    UnixStream::connect(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd())).await
}

async fn greet(stream: UnixStream) -> io::Result<Connection> {
    let (reader, writer) = stream.into_split();
    let codec = LengthDelimitedCodec::builder()
        .little_endian()
        .length_field_length(4)
        .max_frame_length(FRAME_BYTES_MAX)
        .new_codec();
    let mut reader = FramedRead::new(reader, codec);
    let first = reader.next().await.ok_or(io::ErrorKind::UnexpectedEof)??;
    let mut answers = unframe::<Answer>(&first)?;
    let (known, can) = match answers.first() {
        Some(Answer::Known {
            running,
            ended,
            reads_secrets,
            gives_users,
            shuts_in,
        }) => (
            running.iter().chain(ended).cloned().collect(),
            [*reads_secrets, *gives_users, *shuts_in],
        ),
        _ => return Err(io::ErrorKind::InvalidData.into()),
    };
    answers.remove(0);
    Ok(Connection {
        reader,
        writer,
        known,
        can,
        answers,
    })
}
