//! The committed description of the API is the one that the code gives; and other machines are served only under a token.

use crate::harness::Service;
use axum::http::StatusCode;
use serde_json::json;
use std::collections::BTreeSet;
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

#[test]
fn every_reference_of_the_description_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
    let description = serde_json::to_value(openapi()).unwrap();
    let text = description.to_string();
    let named = text.split("\"#/components/schemas/").skip(1);
    for name in named.filter_map(|rest| rest.split('"').next()) {
        assert!(
            !description["components"]["schemas"][name].is_null(),
            "there is no schema {name}"
        );
    }
    let mut names = BTreeSet::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(
                names.insert(name.to_owned()),
                "{method} {path} is called {name}, as another is"
            );
        }
    }
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
