//! A web server of a test's own: one request for each connection, answered with what the test says. What must be a real server is one (`store.rs`).

use std::io::{Read, Write};
use std::net::TcpListener;

/// Answers each request, of which `answer` is given the head, until the test's process ends; the port on this machine.
///
/// # Panics
/// When there is no port, or somebody's connection cannot be taken.
pub fn serve(mut answer: impl FnMut(&str) -> String + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let port = listener.local_addr().expect("it has an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("somebody asks");
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            let answer = answer(&String::from_utf8_lossy(&head));
            stream.write_all(answer.as_bytes()).ok();
        }
    });
    port
}
