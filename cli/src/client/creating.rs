//! Calls that make something, each under a key of its own: when the connection breaks in between, the same call is sent again, and the coordinator makes nothing twice.

use super::patience::Patience;
use super::transport::{BROKEN_OFF, Payload};
use super::{Client, decode, to_json};
use crate::exit::Exit;
use crate::failure::Failure;
use axum::http::Method;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use uuid::Uuid;

/// How long what broke off is sent again.
const REPEATED_FOR: Duration = Duration::from_secs(30);

impl Client {
    /// Makes something under a path.
    pub(super) async fn create<T: DeserializeOwned>(
        &self,
        path: String,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.once(Method::POST, &path, to_json(body)?).await
    }

    /// Makes what has this path, or makes it another.
    pub(super) async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.once(Method::PUT, path, to_json(body)?).await
    }

    /// Makes what has this path of these bytes, or makes it another.
    pub(super) async fn put_bytes<T: DeserializeOwned>(
        &self,
        path: &str,
        bytes: Bytes,
    ) -> Result<T, Failure> {
        let key = Uuid::now_v7().to_string();
        self.repeatedly(Method::PUT, path, || {
            Payload::KeyedBytes(bytes.clone(), key.clone())
        })
        .await
    }

    /// Starts a run; the body may have a key of its own already.
    pub(super) async fn start<T: DeserializeOwned>(
        &self,
        path: String,
        body: &impl Serialize,
        key: Option<&str>,
    ) -> Result<T, Failure> {
        if key.is_none() {
            return self.create(path, body).await;
        }
        let body = to_json(body)?;
        self.repeatedly(Method::POST, &path, || Payload::Json(body.clone()))
            .await
    }

    /// Has something done once.
    pub(super) async fn once<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, Failure> {
        let key = Uuid::now_v7().to_string();
        self.repeatedly(method, path, || Payload::Keyed(body.clone(), key.clone()))
            .await
    }

    /// Sends what may come more than once.
    async fn repeatedly<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        payload: impl Fn() -> Payload,
    ) -> Result<T, Failure> {
        let mut patience = Patience::new(REPEATED_FOR);
        let mut was_heard = false;
        loop {
            let asked = self.transport.send(method.clone(), path, payload());
            let answered = async { decode(asked.await?).await };
            let failure = match answered.await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            // One that nobody ever heard is for whoever typed it.
            was_heard |= failure.code == BROKEN_OFF;
            if !was_heard || failure.exit != Exit::Unreachable {
                return Err(failure);
            }
            patience.wait(failure).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Origin;
    use std::sync::{Arc, Mutex};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    /// As `main` begins; another test may have been first.
    fn client_of(url: &str) -> Client {
        drop(rustls::crypto::ring::default_provider().install_default());
        Client::http(url, Origin::Default, None, None).unwrap()
    }

    /// The key of one request, read to its end.
    async fn key_of(stream: &mut TcpStream) -> Option<String> {
        let mut text = Vec::new();
        while !text.ends_with(b"{}") {
            stream.read_buf(&mut text).await.unwrap();
        }
        let text = String::from_utf8(text).unwrap();
        let key = text
            .lines()
            .find_map(|line| line.strip_prefix("idempotency-key: "));
        key.map(ToOwned::to_owned)
    }

    /// A coordinator that hangs up on its first callers, and the keys that it heard.
    async fn hanging_up(times: usize) -> (Client, Arc<Mutex<Vec<Option<String>>>>, tokio::task::JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let keys = Arc::clone(&heard);
        let mut serving = tokio::task::JoinSet::new();
        serving.spawn(async move {
            for call in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let key = key_of(&mut stream).await;
                keys.lock().unwrap().push(key);
                if call >= times {
                    let answer = b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\nconnection: close\r\n\r\n42";
                    stream.write_all(answer).await.unwrap();
                }
            }
        });
        let client = client_of(&url);
        (client, heard, serving)
    }

    #[tokio::test]
    async fn what_broke_off_is_sent_again_under_the_same_key_and_another_call_has_another() {
        let (client, heard, _serving) = hanging_up(2).await;
        let made: u32 = client
            .create("/made".to_owned(), &serde_json::json!({}))
            .await
            .unwrap();
        assert_eq!(made, 42);
        let other: u32 = client.put("/made", &serde_json::json!({})).await.unwrap();
        assert_eq!(other, 42);
        let value = Bytes::from_static(b"{}");
        let bytes: u32 = client.put_bytes("/made", value).await.unwrap();
        assert_eq!(bytes, 42);
        let heard = heard.lock().unwrap();
        assert_eq!(heard.len(), 5);
        assert!(heard.iter().all(Option::is_some));
        assert_ne!(heard[3], heard[4]);
        assert_eq!((&heard[0], &heard[0]), (&heard[1], &heard[2]));
        assert_ne!(heard[2], heard[3]);
    }

    #[tokio::test]
    async fn a_key_in_the_body_is_the_only_one() {
        let (client, heard, _serving) = hanging_up(1).await;
        let body = serde_json::json!({});
        let made: u32 = client
            .start("/made".to_owned(), &body, Some("own"))
            .await
            .unwrap();
        assert_eq!(made, 42);
        assert_eq!(*heard.lock().unwrap(), [None, None]);
    }

    #[tokio::test]
    async fn a_coordinator_that_is_not_there_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let client = client_of(&url);
        let body = serde_json::json!({});
        let asked = client.create::<u32>("/made".to_owned(), &body);
        let failure = asked.await.unwrap_err();
        assert_eq!(failure.code, "unreachable");
    }
}
