//! What daemon and supervisor say to each other over the socket, and how it is framed: a little-endian length of four bytes, then a MessagePack list of
//! messages, so that a burst of short steps costs one system call and not one each.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::io::{self, Read};
use tidemill_protocol::codec;
use tidemill_protocol::time::Timestamp;

/// The socket's file name in the supervisor's folder.
pub(crate) const SOCKET: &str = "supervisor.sock";
/// Largest frame: a step's environment may be large, a list of them is bounded by [`MESSAGES_MAX`].
pub(crate) const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most messages in one frame.
pub(crate) const MESSAGES_MAX: usize = 64;

/// What the daemon asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Start an attempt's processes. Answered by its [`Answer::Ended`] alone. A key that is known already is not started again.
    Start {
        /// What to start.
        start: Box<Start>,
        /// Whether it was asked for before, on a connection that broke.
        again: bool,
    },
    /// End an attempt: SIGTERM, grace, SIGKILL, sweep.
    Stop {
        /// The attempt.
        key: String,
    },
    /// The attempt's exit record is safe elsewhere.
    Forget {
        /// The attempt.
        key: String,
    },
    /// The daemon leaves for good: end as soon as nothing runs.
    Farewell,
}

/// The processes of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Start {
    /// Names the attempt.
    pub key: String,
    /// Absolute path of the program, then the argument vector from its name on.
    pub program: String,
    /// The argument vector, the program's name first.
    pub arguments: Vec<String>,
    /// The whole environment, but for the cookie by which strays are found: nothing is inherited.
    pub environment: Vec<(String, String)>,
    /// Variables whose values are read from files when a process is started, so that none is in a message.
    #[serde(default)]
    pub secrets: Vec<SecretVariable>,
    /// One entry for each process to start, at least one: variables that only it gets.
    pub members: Vec<Vec<(String, String)>>,
    /// The folder in which the processes start.
    pub folder: String,
    /// File to which standard output is appended.
    pub stdout: String,
    /// File to which standard error is appended.
    pub stderr: String,
    /// Longest time from start to end, in milliseconds.
    pub time_limit_ms: Option<u64>,
    /// Pause between SIGTERM and SIGKILL, in milliseconds.
    pub grace_ms: u64,
    /// Memory limit in bytes; 0 sets none.
    pub memory_bytes: u64,
    /// The most bytes kept of each stream.
    pub log_bytes_max: u64,
    /// What its processes reach of the worker's own folders when they are shut in.
    #[serde(default)]
    pub own: OwnFiles,
    /// The user, and the group of the same number, that its processes become; none for the supervisor's own.
    #[serde(default)]
    pub user: Option<u32>,
}

/// A variable whose value is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SecretVariable {
    /// The variable's name.
    pub variable: String,
    /// The file that holds its value, an absolute path.
    pub file: String,
}

/// What the processes of an attempt may reach of the worker's folders: their own things, absolute paths.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnFiles {
    /// To read.
    pub readable: Vec<String>,
    /// To write.
    pub writable: Vec<String>,
    /// Their `HOME`.
    pub home: String,
}

/// What the supervisor says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// The first message on every connection: the attempts that the supervisor knows. An [`Self::Ended`] follows for each that has ended.
    Known {
        /// Those that run.
        running: Vec<String>,
        /// Those that have ended.
        ended: Vec<String>,
        /// Whether the supervisor knows of [`Start::secrets`]; one of an earlier version would start a step without them.
        #[serde(default)]
        reads_secrets: bool,
        /// Whether the supervisor knows of [`Start::user`]; one of an earlier version would start a step as its own user.
        #[serde(default)]
        gives_users: bool,
        /// Whether the supervisor keeps what it starts from all files but the system's and [`Start::own`].
        #[serde(default)]
        shuts_in: bool,
    },
    /// An attempt has ended; said again on every connection until it is to be forgotten.
    Ended(ExitRecord),
}

/// How an attempt's processes ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExitRecord {
    /// The attempt.
    pub key: String,
    /// How.
    pub end: End,
    /// When its first process started, by wall time.
    pub started_at: Timestamp,
    /// How long it ran.
    pub process_ms: u64,
    /// Largest resident memory of its processes together, as far as sampled.
    pub memory_peak_bytes: Option<u64>,
    /// What could not be honoured to the letter.
    pub notes: Vec<String>,
}

/// How an attempt's processes ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum End {
    /// By themselves, with this code; of several processes the first that ended badly counts.
    Exited(i32),
    /// By a signal that the supervisor did not send.
    Signalled(i32),
    /// The system ended a process for want of memory.
    OutOfMemory,
    /// The time limit ran out.
    TimedOut,
    /// Asked to stop.
    Stopped,
    /// No process could be started.
    NotStarted(String),
    /// The supervisor that ran it was killed; what was left of the attempt has been ended.
    Orphaned,
}

/// Frames messages, as many as there are: callers keep to [`MESSAGES_MAX`].
pub(crate) fn frame<T: Serialize>(messages: &[T]) -> Vec<u8> {
    let body = codec::encode(messages);
    let length = u32::try_from(body.len()).expect("messages are bounded far below 4 GiB");
    let mut bytes = Vec::with_capacity(4 + body.len());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

/// The length that a frame's first four bytes announce, when it is within bounds.
pub(crate) fn frame_length(header: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_le_bytes(header) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes is larger than the limit of {FRAME_BYTES_MAX}"),
        ));
    }
    Ok(length)
}

/// Decodes a frame's body.
pub(crate) fn unframe<T: DeserializeOwned>(body: &[u8]) -> io::Result<Vec<T>> {
    codec::decode(body).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Reads one frame; none at the end of the stream.
pub(crate) fn read_frame<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<Vec<T>>> {
    let mut header = [0; 4];
    match from.read_exact(&mut header) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut body = vec![0; frame_length(header)?];
    from.read_exact(&mut body)?;
    unframe(&body).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_their_frame() {
        let requests = vec![Request::Stop { key: "a".into() }, Request::Farewell];
        let bytes = frame(&requests);
        let read: Vec<Request> = read_frame(&mut bytes.as_slice()).unwrap().unwrap();
        assert_eq!(read, requests);
    }

    #[test]
    fn a_frame_beyond_the_limit_is_refused_before_it_is_read() {
        let bytes = u32::MAX.to_le_bytes();
        assert!(read_frame::<Request>(&mut bytes.as_slice()).is_err());
    }

    #[test]
    fn the_end_of_the_stream_is_no_error() {
        assert!(read_frame::<Request>(&mut [].as_slice()).unwrap().is_none());
    }
}
