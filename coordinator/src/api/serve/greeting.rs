//! The first bytes of a connection to a port with TLS: the handshake, and an answer in plain words for whoever speaks plain HTTP there.

use super::tls::Certificates;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// The first byte of every TLS connection.
const HANDSHAKE: u8 = 0x16;
/// What somebody is told who speaks plain HTTP.
const SPEAK_TLS: &str = r#"{"code":"bad_request","message":"this port speaks TLS","hint":"write the address with https://","request_id":""}"#;
/// How much of a plain request is read before its connection is closed: unread bytes would make the system throw our answer away.
const DRAINED_BYTES_MAX: u64 = 64 * 1024;

/// Shakes hands. None for a visitor who speaks plain HTTP and was told so.
pub(super) async fn greet(
    mut stream: TcpStream,
    certificates: &Certificates,
) -> io::Result<Option<TlsStream<TcpStream>>> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && first != [HANDSHAKE] {
        let length = SPEAK_TLS.len();
        let answer = format!(
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{SPEAK_TLS}"
        );
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        let mut rest = stream.take(DRAINED_BYTES_MAX);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
        return Ok(None);
    }
    certificates.acceptor().accept(stream).await.map(Some)
}
