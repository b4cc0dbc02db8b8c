//! What each route needs, read from the API's own description: the `security` of an operation names the scope of people's tokens (`("token" = ["reader"])`), lets in
//! requests that an enrolled worker has signed (`("worker" = [])`), join tokens (`("join" = [])`) or the tokens of attempts (`("attempt" = [])`), or several of these. There is no second list that could
//! fall behind, and an operation that names none is served to nobody.

use crate::access::Caller;
use axum::http::Method;
use std::collections::BTreeMap;
use tidemill_protocol::access::Scope;

/// The names of the security schemes of the description.
pub(super) const TOKEN: &str = "token";
pub(super) const WORKER: &str = "worker";
pub(super) const JOIN: &str = "join";
pub(super) const ATTEMPT: &str = "attempt";

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// Nothing.
    Open,
    /// One of these.
    Shown(Keys),
}

/// What opens a route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Keys {
    /// A person's or system's token with at least this scope.
    pub(super) scope: Option<Scope>,
    /// The signature of an enrolled worker.
    pub(super) worker: bool,
    /// A token by which a worker joins.
    pub(super) join: bool,
    /// The token of an attempt.
    pub(super) attempt: bool,
}

impl Keys {
    /// Whether this caller has one of them.
    pub(super) fn admit(self, caller: &Caller) -> bool {
        match caller {
            Caller::Worker { .. } => self.worker,
            Caller::Joining { .. } => self.join,
            Caller::Attempt { .. } => self.attempt,
            Caller::Operator | Caller::Local | Caller::Token { .. } | Caller::Nobody => {
                self.scope.is_some_and(|needed| caller.scope() >= Some(needed))
            }
        }
    }
}

/// The needs of all routes.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// By path as the router writes it, then by method.
    paths: BTreeMap<String, BTreeMap<String, Need>>,
}

/// What the table says of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// What it needs.
    Need(Need),
    /// The path is known, the method is not one of its.
    NoSuchMethod,
    /// Nobody declared it.
    NoSuchPath,
}

impl Needs {
    /// Reads the table from the description.
    pub(super) fn of(description: &utoipa::openapi::OpenApi) -> Self {
        let json = serde_json::to_value(description).expect("the description is plain data");
        let mut needs = Self::default();
        for (path, item) in json["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                if let Some(need) = declared(&operation["security"]) {
                    let methods = needs.paths.entry(path.clone()).or_default();
                    methods.insert(method.to_uppercase(), need);
                }
            }
        }
        needs
    }

    /// What a request needs. HEAD is GET without a body.
    pub(super) fn find(&self, method: &Method, path: Option<&str>) -> Found {
        let Some(methods) = path.and_then(|path| self.paths.get(path)) else {
            return Found::NoSuchPath;
        };
        let method = if *method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let need = methods.get(method.as_str());
        need.map_or(Found::NoSuchMethod, |need| Found::Need(*need))
    }
}

/// The need that an operation declares: `[{}]` is open; otherwise each requirement is one scheme, and none comes twice. Anything else is no declaration.
fn declared(security: &serde_json::Value) -> Option<Need> {
    let requirements = security.as_array()?;
    if let [only] = requirements.as_slice()
        && only.as_object()?.is_empty()
    {
        return Some(Need::Open);
    }
    let mut keys = Keys::default();
    for requirement in requirements {
        let mut schemes = requirement.as_object()?.iter();
        let (scheme, scopes) = schemes.next()?;
        let scopes = scopes.as_array()?;
        let is_new = match (scheme.as_str(), scopes.as_slice()) {
            (TOKEN, [scope]) => keys.scope.replace(scope.as_str()?.parse().ok()?).is_none(),
            (WORKER, []) => !std::mem::replace(&mut keys.worker, true),
            (JOIN, []) => !std::mem::replace(&mut keys.join, true),
            (ATTEMPT, []) => !std::mem::replace(&mut keys.attempt, true),
            _ => false,
        };
        if !is_new || schemes.next().is_some() {
            return None;
        }
    }
    (keys != Keys::default()).then_some(Need::Shown(keys))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_declared_in_one_clear_way_is_not_declared() {
        assert_eq!(declared(&json!([{}])), Some(Need::Open));
        let keys = |scope, worker, join| {
            let attempt = false;
            Some(Need::Shown(Keys {
                scope,
                worker,
                join,
                attempt,
            }))
        };
        let reader = json!([{"token": ["reader"]}]);
        assert_eq!(declared(&reader), keys(Some(Scope::Reader), false, false));
        assert_eq!(declared(&json!([{"worker": []}])), keys(None, true, false));
        assert_eq!(declared(&json!([{"join": []}])), keys(None, false, true));
        let both = json!([{"token": ["admin"]}, {"worker": []}]);
        assert_eq!(declared(&both), keys(Some(Scope::Admin), true, false));
        for bad in [
            json!(null),
            json!([]),
            json!([{}, {"token": ["admin"]}]),
            json!([{"token": []}]),
            json!([{"token": ["reader", "admin"]}]),
            json!([{"token": ["root"]}]),
            json!([{"other": ["reader"]}]),
            json!([{"worker": ["reader"]}]),
            json!([{"worker": []}, {"worker": []}]),
            json!([{"token": ["reader"]}, {"token": ["admin"]}]),
            json!([{"token": ["reader"], "worker": []}]),
            json!([{"worker": []}, {}]),
        ] {
            assert_eq!(declared(&bad), None, "{bad}");
        }
    }

    #[test]
    fn every_operation_of_the_api_declares_what_it_needs() {
        let description = crate::api::described();
        let needs = Needs::of(&description);
        let json = serde_json::to_value(&description).unwrap();
        let mut operations = 0;
        for (path, item) in json["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                let method: Method = method.to_uppercase().parse().unwrap();
                let found = needs.find(&method, Some(path));
                assert!(
                    matches!(found, Found::Need(_)),
                    "{method} {path} declares nothing"
                );
                if found == Found::Need(Need::Open) {
                    assert!(
                        matches!(
                            path.as_str(),
                            "/healthz"
                                | "/readyz"
                                | "/api/v1/openapi.json"
                                | "/api/docs"
                                | "/api/docs/{file}"
                        ),
                        "{path} is open to all"
                    );
                }
                operations += 1;
            }
        }
        assert!(operations > 25, "only {operations} operations were looked at");
    }

    #[test]
    fn head_is_get_and_an_unknown_method_or_path_is_said_so() {
        let needs = Needs::of(&crate::api::described());
        let workers = Some("/api/v1/workers");
        assert_eq!(
            needs.find(&Method::HEAD, workers),
            Found::Need(Need::Shown(Keys {
                scope: Some(Scope::Reader),
                ..Keys::default()
            }))
        );
        assert_eq!(needs.find(&Method::DELETE, workers), Found::NoSuchMethod);
        assert_eq!(
            needs.find(&Method::GET, Some("/api/v1/everything")),
            Found::NoSuchPath
        );
        assert_eq!(needs.find(&Method::GET, None), Found::NoSuchPath);
    }
}
