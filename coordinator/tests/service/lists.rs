//! Every list of the API is paged, ordered and searched in the same words, and stays whole where nobody asks for a page.

use crate::harness::{Service, chain};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tidemill_coordinator::openapi;
use tidemill_protocol::time::Millis;

/// Lists that are read on by something else than a cursor, and what that is.
const OTHERWISE: [(&str, &str); 1] = [("/api/v1/runs/{run}/events", "after")];

/// All items of a list, `limit` at a time; `between` happens after each page.
async fn walk(
    service: &Service,
    path: &str,
    limit: usize,
    mut between: impl AsyncFnMut(usize),
) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    let joint = if path.contains('?') { '&' } else { '?' };
    for pages in 1.. {
        let (status, page) = service.get(&format!("{path}{joint}limit={limit}{cursor}")).await;
        assert_eq!(status, StatusCode::OK, "{path}: {page}");
        let found = page["items"].as_array().unwrap();
        assert!(found.len() <= limit, "{path}: {page}");
        items.extend(found.iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        assert_eq!(found.len(), limit, "a page that is not the last is full");
        cursor = format!("&cursor={next}");
        between(pages).await;
    }
    items
}

async fn pages(service: &Service, path: &str, limit: usize) -> Vec<Value> {
    walk(service, path, limit, async |_| {}).await
}

/// The items of a list that nobody asked a page of.
async fn whole(service: &Service, path: &str) -> Vec<Value> {
    let (status, list) = service.get(path).await;
    assert_eq!(status, StatusCode::OK, "{path}: {list}");
    list.as_array()
        .or_else(|| list["items"].as_array())
        .unwrap()
        .clone()
}

fn texts(items: &[Value], field: &str) -> Vec<String> {
    let text = |item: &Value| item[field].as_str().unwrap().to_owned();
    items.iter().map(text).collect()
}

/// A coordinator with some of everything that can be made by a request.
async fn stocked() -> Service {
    let service = Service::start().await;
    for name in ["delta", "alpha", "echo", "bravo", "charlie"] {
        let mut plan = chain(&[name]);
        plan.display_name = name.to_owned();
        service.submit(plan).await;
        let made = [
            (
                "POST",
                "/api/v1/tokens".to_owned(),
                json!({"scope": "reader", "subject": name}),
            ),
            (
                "POST",
                "/api/v1/join-tokens".to_owned(),
                json!({"targets": [name]}),
            ),
            ("PUT", format!("/api/v1/projects/{name}"), json!({})),
            ("PUT", format!("/api/v1/teams/{name}"), json!({"people": ["ada"]})),
            (
                "PUT",
                format!("/api/v1/datastores/{name}"),
                json!({"url": format!("s3://lake/{name}")}),
            ),
            ("PUT", format!("/api/v1/secrets/{name}"), json!("a long value")),
            (
                "POST",
                "/api/v1/runs/last/comments".to_owned(),
                json!({"text": name}),
            ),
        ];
        for (method, path, body) in made {
            let (status, answer) = service.call(method, &path, body.to_string().into()).await;
            assert!(status.is_success(), "{method} {path}: {answer}");
        }
        service.clock.advance(Millis(1_000));
    }
    service
}

/// The lists that [`stocked`] fills, each with the field that tells its items apart.
const STOCKED: [(&str, &str); 7] = [
    ("/api/v1/runs", "id"),
    ("/api/v1/tokens", "id"),
    ("/api/v1/join-tokens", "id"),
    ("/api/v1/projects", "name"),
    ("/api/v1/teams", "name"),
    ("/api/v1/datastores", "name"),
    ("/api/v1/secrets", "name"),
];

#[tokio::test]
async fn pages_joined_are_the_whole_list_in_its_own_order_and_in_every_other() {
    let service = stocked().await;
    let description = serde_json::to_value(openapi()).unwrap();
    for (path, id) in STOCKED {
        let all = whole(&service, path).await;
        assert!(all.len() >= 5, "{path}");
        for limit in [1, 2, 5, 1_000] {
            assert_eq!(
                pages(&service, path, limit).await,
                all,
                "{path}, {limit} at a time"
            );
        }
        let parameters = description["paths"][path]["get"]["parameters"]
            .as_array()
            .unwrap();
        let sort = parameters.iter().find(|one| one["name"] == "sort").unwrap();
        for order in sort["schema"]["enum"].as_array().unwrap() {
            let sorted = format!("{path}?sort={}", order.as_str().unwrap());
            let ordered = whole(&service, &sorted).await;
            assert_eq!(pages(&service, &sorted, 2).await, ordered, "{sorted}");
            let ids = |items: &[Value]| texts(items, id).into_iter().collect::<BTreeSet<_>>();
            assert_eq!(ids(&ordered), ids(&all), "{sorted} has the same items");
        }
    }
}

#[tokio::test]
async fn orders_hold_in_both_directions() {
    let service = stocked().await;
    let upwards = texts(&whole(&service, "/api/v1/tokens?sort=subject").await, "subject");
    assert!(upwards.is_sorted() && upwards.len() == 5, "{upwards:?}");
    let mut downwards = texts(&whole(&service, "/api/v1/tokens?sort=-subject").await, "subject");
    downwards.reverse();
    assert_eq!(upwards, downwards);
    let runs = whole(&service, "/api/v1/runs?sort=display_name").await;
    assert_eq!(
        texts(&runs, "display_name"),
        ["alpha", "bravo", "charlie", "delta", "echo"]
    );
    let oldest = whole(&service, "/api/v1/runs?sort=submitted_at").await;
    assert_eq!(
        texts(&oldest, "display_name"),
        ["delta", "alpha", "echo", "bravo", "charlie"]
    );
    service
        .handle()
        .cancel(
            serde_json::from_value(oldest[2]["id"].clone()).unwrap(),
            "ada".into(),
        )
        .await
        .unwrap();
    let ended = whole(&service, "/api/v1/runs?sort=-finished_at&limit=1").await;
    assert_eq!(
        texts(&ended, "display_name"),
        ["echo"],
        "what has no end yet counts as smallest"
    );
    let statuses = texts(&whole(&service, "/api/v1/runs?sort=status").await, "status");
    assert!(statuses.is_sorted(), "{statuses:?}");
    let projects = texts(&whole(&service, "/api/v1/projects").await, "name");
    assert_eq!(
        projects,
        ["default", "alpha", "bravo", "charlie", "delta", "echo"]
    );
}

#[tokio::test]
async fn a_text_is_searched_for_in_names_and_pages_hold_only_what_has_it() {
    let service = stocked().await;
    let found = pages(&service, "/api/v1/datastores?search=L", 1).await;
    assert_eq!(texts(&found, "name"), ["alpha", "charlie", "delta"]);
    let found = pages(&service, "/api/v1/runs?search=alph", 1).await;
    assert_eq!(texts(&found, "display_name"), ["alpha"]);
    assert!(
        pages(&service, "/api/v1/tokens?search=nobody", 1)
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn what_is_added_and_removed_between_two_pages_makes_nothing_come_twice_and_nothing_that_stayed_get_lost()
 {
    for path in [
        "/api/v1/runs",
        "/api/v1/runs?sort=display_name",
        "/api/v1/datastores",
        "/api/v1/datastores?sort=-set_at",
    ] {
        let service = stocked().await;
        let field = if path.contains("runs") {
            "display_name"
        } else {
            "name"
        };
        let before = texts(&whole(&service, path).await, field);
        let seen = walk(&service, path, 2, async |page| {
            if page > 1 {
                return;
            }
            // The item at which the cursor stands goes, and so does one that was not shown yet.
            for gone in [&before[1], &before[3]] {
                if field == "name" {
                    let place = format!("/api/v1/datastores/{gone}");
                    let (status, _) = service.call("DELETE", &place, "".into()).await;
                    assert_eq!(status, StatusCode::NO_CONTENT);
                } else {
                    let run = format!("/api/v1/runs/@{gone}");
                    let (status, ended) = service.post(&format!("{run}/cancel"), &json!({})).await;
                    assert_eq!(status, StatusCode::OK, "{ended}");
                    let (status, forgotten) = service.call("DELETE", &run, "".into()).await;
                    assert_eq!(status, StatusCode::OK, "{forgotten}");
                }
            }
            for added in ["aaa", "zzz"] {
                let mut plan = chain(&[added]);
                plan.display_name = added.to_owned();
                service.submit(plan).await;
                let body = json!({"url": "s3://lake/x"}).to_string();
                service
                    .call("PUT", &format!("/api/v1/datastores/{added}"), body.into())
                    .await;
            }
        })
        .await;
        let seen = texts(&seen, field);
        let once: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(once.len(), seen.len(), "{path}: nothing twice in {seen:?}");
        for stayed in [&before[0], &before[2], &before[4]] {
            assert!(
                once.contains(stayed),
                "{path}: {stayed} stayed and is not in {seen:?}"
            );
        }
        assert!(!seen.contains(&before[3]), "{path}: what was gone is not shown");
    }
}

#[tokio::test]
async fn a_cursor_is_taken_for_its_own_question_only_and_every_refusal_says_what_would_do() {
    let service = stocked().await;
    let cursor = async |path: &str| {
        let (_, page) = service.get(path).await;
        page["next_cursor"].as_str().unwrap().to_owned()
    };
    let tokens = cursor("/api/v1/tokens?limit=2").await;
    let runs = cursor("/api/v1/runs?limit=2&pipeline=pipe").await;
    let (cut, _) = tokens.split_at(tokens.len() - 3);
    let refused = [
        (
            format!("/api/v1/tokens?limit=2&sort=subject&cursor={tokens}"),
            "in the order `-created_at`",
            "sort=-created_at",
        ),
        (
            format!("/api/v1/tokens?limit=2&search=a&cursor={tokens}"),
            "other filters",
            "same path and filters",
        ),
        (
            format!("/api/v1/teams?limit=2&cursor={runs}"),
            "another list",
            "leave `cursor` out",
        ),
        (
            format!("/api/v1/runs?limit=2&cursor={runs}"),
            "other filters",
            "same path and filters",
        ),
        (
            format!("/api/v1/tokens?cursor={cut}"),
            "no list of tokens has given",
            "`next_cursor`",
        ),
        (
            "/api/v1/tokens?cursor=".to_owned(),
            "no list of tokens has given",
            "`next_cursor`",
        ),
        (
            "/api/v1/runs?cursor=0198c0de-0000-7000-8000-000000000000".to_owned(),
            "no list of runs has given",
            "`next_cursor`",
        ),
    ];
    are_refused(&service, refused).await;
}

#[tokio::test]
async fn numbers_and_fields_that_a_list_does_not_have_are_refused_with_those_that_it_has() {
    let service = Service::start().await;
    let refused = [
        (
            "/api/v1/tokens?limit=0".to_owned(),
            "1 to 1000 tokens",
            "`next_cursor`",
        ),
        (
            "/api/v1/tokens?limit=1001".to_owned(),
            "1 to 1000 tokens",
            "`next_cursor`",
        ),
        (
            "/api/v1/runs?limit=-1".to_owned(),
            "1 to 1000 runs",
            "`next_cursor`",
        ),
        (
            "/api/v1/tokens?sort=secret".to_owned(),
            "tokens cannot be ordered so",
            "`created_at`, `created_by`, `subject`",
        ),
        (
            "/api/v1/runs?sort=pipeline".to_owned(),
            "runs cannot be ordered so",
            "`submitted_at`, `finished_at`, `display_name`, `status`",
        ),
        (
            "/api/v1/audit?sort=-sequence".to_owned(),
            "entries cannot be ordered so",
            "the only order",
        ),
    ];
    are_refused(&service, refused).await;
}

/// Each path is refused, with this in the message and this in the hint.
async fn are_refused(service: &Service, refused: impl IntoIterator<Item = (String, &str, &str)>) {
    for (path, message, hint) in refused {
        let (status, answer) = service.get(&path).await;
        assert_eq!(
            (status, &answer["code"]),
            (StatusCode::BAD_REQUEST, &json!("bad_request")),
            "{path}"
        );
        assert!(
            answer["message"].as_str().unwrap().contains(message),
            "{path}: {answer}"
        );
        assert!(
            answer["hint"].as_str().unwrap().contains(hint),
            "{path}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_cursor_shows_nobody_what_their_token_does_not() {
    let service = stocked().await;
    let (_, made) = service
        .post("/api/v1/tokens", &json!({"scope": "reader", "subject": "eve"}))
        .await;
    let (_, page) = service.get("/api/v1/tokens?limit=1").await;
    let cursor = page["next_cursor"].as_str().unwrap();
    let peer = std::net::SocketAddr::from(([10, 9, 8, 7], 40_000));
    for path in ["tokens", "join-tokens", "secrets", "webhooks", "audit"] {
        let shown = format!("Bearer {}", made["token"].as_str().unwrap());
        let request = Request::get(format!("/api/v1/{path}?limit=1&sort=name&cursor={cursor}"))
            .header("authorization", shown)
            .body(Body::empty())
            .unwrap();
        let answer = service.api.clone().answer(peer, request).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let secrets = pages(&service, "/api/v1/secrets", 2).await;
    assert!(!json!(secrets).to_string().contains("a long value"));
}

#[test]
fn every_operation_that_answers_a_list_takes_a_limit_a_cursor_and_an_order() {
    let description = serde_json::to_value(openapi()).unwrap();
    let mut lists = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        let schema = &item["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        if !path.starts_with("/api/v1/") || !is_list(&description, schema) {
            continue;
        }
        lists += 1;
        let parameters = item["get"]["parameters"].as_array().cloned().unwrap_or_default();
        let takes = |name: &str| {
            parameters
                .iter()
                .find(|one| one["name"] == name && one["in"] == "query")
        };
        if let Some((_, by)) = OTHERWISE.iter().find(|(other, _)| other == path) {
            assert!(takes(by).is_some(), "{path} takes `{by}`");
            continue;
        }
        for name in ["limit", "cursor", "sort"] {
            assert!(
                takes(name).is_some(),
                "GET {path} answers a list and takes no `{name}`: its handler should take an `Asked`"
            );
        }
        let orders = takes("sort").unwrap()["schema"]["enum"].as_array().unwrap();
        assert!(!orders.is_empty(), "{path}");
        assert!(is_page(&description, schema), "{path} can answer a page");
    }
    assert!(lists >= 20, "only {lists} lists were found");
}

/// Every form that an answer may have, with references followed.
fn forms<'a>(description: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return forms(description, &description["components"]["schemas"][name]);
    }
    match schema["oneOf"].as_array() {
        Some(variants) => variants.iter().flat_map(|one| forms(description, one)).collect(),
        None => vec![schema],
    }
}

fn is_page(description: &Value, schema: &Value) -> bool {
    forms(description, schema)
        .iter()
        .any(|form| !form["properties"]["next_cursor"].is_null())
}

fn is_list(description: &Value, schema: &Value) -> bool {
    is_page(description, schema)
        || forms(description, schema)
            .iter()
            .any(|form| form["type"] == "array")
}
