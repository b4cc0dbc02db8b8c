//! The committed description of the API is the one that the code gives; and other machines are served only under a token.

use crate::harness::Service;
use axum::http::StatusCode;
use serde_json::json;
use tidemill_coordinator::{ServeConfig, ServeError, openapi, serve};
use tokio_util::sync::CancellationToken;

#[test]
fn the_committed_description_is_current() {
    let committed = include_str!("../../../docs/reference/openapi.json");
    let current = openapi().to_pretty_json().unwrap();
    assert!(
        committed.trim() == current.trim(),
        "renew it: cargo run -p tidemill-coordinator --example openapi > docs/reference/openapi.json"
    );
}

#[tokio::test]
async fn other_machines_are_not_served_without_a_token_nor_in_the_clear_unless_that_is_wanted() {
    let service = Service::start().await;
    let try_to = async |insecure_plaintext| {
        let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
        let config = ServeConfig {
            insecure_plaintext,
            ..ServeConfig::default()
        };
        let ended = CancellationToken::new();
        ended.cancel();
        serve(listener, service.coordinator.api(), config, ended).await
    };
    let refused = try_to(true).await;
    assert!(matches!(refused, Err(ServeError::NoToken(_))), "{refused:?}");
    let (status, _) = service
        .post("/api/v1/tokens", &json!({"scope": "reader", "subject": "x"}))
        .await;
    assert_eq!(status, StatusCode::CREATED);
    let refused = try_to(false).await;
    assert!(matches!(refused, Err(ServeError::Plaintext(_))), "{refused:?}");
    assert!(try_to(true).await.is_ok());
}
