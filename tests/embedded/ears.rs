//! Whoever is told over HTTP: takes all that is posted to it, as it is, and answers that it is well. What it means is the tests' to judge.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Longest head of a request.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// It listens until the test ends.
#[derive(Debug)]
pub(crate) struct Ears {
    /// Where.
    pub(crate) port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Ears {
    /// Begins to listen at any port of this machine.
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let port = listener.local_addr().expect("it has an address").port();
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let kept = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || take(stream, &kept));
            }
        });
        Self { port, heard }
    }

    /// Every byte that came, heads and bodies.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.heard.lock().expect("nobody panicked").clone()
    }

    /// Whether this text came already.
    pub(crate) fn has_heard(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.heard()).contains(text)
    }
}

/// One request, which is kept before it is answered.
fn take(mut stream: TcpStream, kept: &Mutex<Vec<u8>>) {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") && request.len() < HEAD_BYTES_MAX {
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    if stream.read_exact(&mut body).is_err() {
        return;
    }
    request.extend(body);
    kept.lock().expect("nobody panicked").extend(request);
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .ok();
}
