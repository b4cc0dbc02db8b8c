//! One HTTP request to a coordinator of this machine, as plain as it can be: who measures how soon it is answered must not wait for a client of their own.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long one look at the connection takes.
const LOOK: Duration = Duration::from_millis(100);
/// A status line is shorter.
const HEAD_BYTES: usize = 64;

/// Longer answers are not read to their end.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// An answer with this status.
    Answered(u16),
    /// Nobody listens, or whoever did left.
    Nobody,
    /// Nothing came in time, or the question was withdrawn.
    Nothing,
}

/// Asks, and waits for the status for so long as `goes_on` says that it may still come, at most `patience`.
pub(crate) fn ask(
    port: u16,
    method: &str,
    path: &str,
    token: Option<&str>,
    patience: Duration,
    mut goes_on: impl FnMut() -> bool,
) -> Asked {
    let begun = Instant::now();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let right = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{right}\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    let opened = TcpStream::connect_timeout(&address, patience).and_then(|mut stream| {
        stream.set_read_timeout(Some(LOOK))?;
        stream.write_all(request.as_bytes())?;
        Ok(stream)
    });
    let mut stream = match opened {
        Ok(stream) => stream,
        Err(error) if error.kind() == io::ErrorKind::TimedOut => return Asked::Nothing,
        Err(_) => return Asked::Nobody,
    };
    let mut head = Vec::new();
    let mut piece = [0; HEAD_BYTES];
    while begun.elapsed() < patience && goes_on() {
        match stream.read(&mut piece) {
            Ok(0) => return Asked::Nobody,
            Ok(count) => head.extend_from_slice(&piece[..count]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(_) => return Asked::Nobody,
        }
        if let Some(status) = status(&head) {
            return Asked::Answered(status);
        }
    }
    Asked::Nothing
}

/// What a coordinator answers to a question, if it answers well within `patience`.
pub(crate) fn fetch(port: u16, path: &str, token: Option<&str>, patience: Duration) -> Option<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let right = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{right}\r\n");
    let mut stream = TcpStream::connect_timeout(&address, patience).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
}

fn status(head: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(head.get(..HEAD_BYTES.min(head.len()))?);
    let mut words = text.split_once("\r\n")?.0.split(' ');
    words.next().filter(|word| word.starts_with("HTTP/"))?;
    words.next()?.parse().ok()
}
