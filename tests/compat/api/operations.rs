//! What a change of an operation breaks for clients: its path, what it asks for, what it answers when all is well, and who may call it.

use super::bodies::{Bodies, Way};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The scopes of tokens, the weakest first: each may do what those before it may.
const SCOPES: [&str; 4] = ["reader", "submitter", "operator", "admin"];

/// Everything that a client of the released description may do or count on, and that is not so any more. Each is one sentence that begins with its place.
pub(super) fn breaks(released: &Value, now: &Value) -> BTreeSet<String> {
    let mut bodies = Bodies::new(released, now);
    let current = operations(now);
    for (place, (path, operation)) in operations(released) {
        match current.get(&place) {
            Some((path_now, operation_now)) => {
                let asked = Asked {
                    place: shown(&place, path),
                    path,
                    path_now,
                };
                asked.parameters(operation, operation_now, &mut bodies);
                asked.body(
                    &operation["requestBody"],
                    &operation_now["requestBody"],
                    &mut bodies,
                );
                answers(&asked.place, operation, operation_now, &mut bodies);
                rights(&asked.place, operation, operation_now, &mut bodies);
            }
            None => say(&mut bodies, &shown(&place, path), "the operation is gone"),
        }
    }
    bodies.breaks
}

/// A method and a path whose parameters have no names: clients do not see them.
type Place = (String, String);

fn operations(description: &Value) -> BTreeMap<Place, (&str, &Value)> {
    let mut found = BTreeMap::new();
    for (path, item) in description["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            found.insert((unnamed(path), method.to_uppercase()), (path.as_str(), operation));
        }
    }
    found
}

fn unnamed(path: &str) -> String {
    let parts = path
        .split('/')
        .map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn shown((_, method): &Place, path: &str) -> String {
    format!("{method} {path}")
}

fn say(bodies: &mut Bodies<'_>, place: &str, what: &str) {
    bodies.breaks.insert(format!("{place}: {what}"));
}

/// What one operation asks for.
struct Asked<'a> {
    place: String,
    path: &'a str,
    path_now: &'a str,
}

impl Asked<'_> {
    fn parameters<'a>(&self, released: &'a Value, now: &'a Value, bodies: &mut Bodies<'a>) {
        let old = parameters(released, self.path);
        let new = parameters(now, self.path_now);
        for (key, parameter) in &old {
            let named = described(key);
            let Some(current) = new.get(key) else {
                say(bodies, &self.place, &format!("{named} is not taken any more"));
                continue;
            };
            if is_required(current) && !is_required(parameter) {
                say(bodies, &self.place, &format!("{named} must be given now"));
            }
            let place = format!("{}, {named}", self.place);
            bodies.compare(&place, Way::Sent, &parameter["schema"], &current["schema"]);
        }
        for (key, _) in new
            .iter()
            .filter(|(key, new)| !old.contains_key(*key) && is_required(new))
        {
            say(
                bodies,
                &self.place,
                &format!("{} is new and must be given", described(key)),
            );
        }
    }

    fn body<'a>(&self, released: &'a Value, now: &'a Value, bodies: &mut Bodies<'a>) {
        if is_required(now) && !is_required(released) {
            say(bodies, &self.place, "a body must be sent now");
        }
        let current = &now["content"];
        for (kind, content) in contents(released) {
            if current.get(kind).is_none() {
                say(
                    bodies,
                    &self.place,
                    &format!("a body of {kind} is not taken any more"),
                );
                continue;
            }
            let place = format!("{}, its body", self.place);
            bodies.compare(&place, Way::Sent, &content["schema"], &current[kind]["schema"]);
        }
    }
}

fn answers<'a>(place: &str, released: &'a Value, now: &'a Value, bodies: &mut Bodies<'a>) {
    for (status, answer) in released["responses"].as_object().into_iter().flatten() {
        if !status.starts_with('2') {
            continue;
        }
        let current = &now["responses"][status];
        if current.is_null() {
            say(bodies, place, &format!("{status} is never answered any more"));
            continue;
        }
        for (kind, content) in contents(answer) {
            let current = &current["content"][kind];
            if current.is_null() {
                say(bodies, place, &format!("{status} has no body of {kind} any more"));
                continue;
            }
            let place = format!("{place}, the answer {status}");
            let schema = if knows_pages(released) {
                &current["schema"]
            } else {
                bodies.unpaged(&current["schema"])
            };
            bodies.compare(&place, Way::Answered, &content["schema"], schema);
        }
    }
}

/// Whether the operation takes `limit`. Who does not know it never sends it, and is never answered a page.
fn knows_pages(operation: &Value) -> bool {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    parameters
        .into_iter()
        .any(|one| one["name"] == "limit" && one["in"] == "query")
}

/// What opened the operation must open it still.
fn rights(place: &str, released: &Value, now: &Value, bodies: &mut Bodies<'_>) {
    let current = keys(now);
    if current.is_empty() || current.contains_key("") {
        return;
    }
    for (scheme, scope) in keys(released) {
        match (current.get(scheme), scope) {
            _ if scheme.is_empty() => say(bodies, place, "something must be shown for it now"),
            (None, _) => say(
                bodies,
                place,
                &format!("a key of the kind `{scheme}` does not open it any more"),
            ),
            (Some(needed), had) if rank(needed) > rank(had) => {
                say(
                    bodies,
                    place,
                    &format!("the scope `{had}` is not enough any more: it needs `{needed}`"),
                );
            }
            _ => {}
        }
    }
}

/// The schemes that open an operation, each with the scope that it needs; an empty name where nothing is needed.
fn keys(operation: &Value) -> BTreeMap<&str, &str> {
    let requirements = operation["security"].as_array().into_iter().flatten();
    let named = requirements.map(|requirement| {
        let first = requirement.as_object().and_then(|schemes| schemes.iter().next());
        first.map_or(("", ""), |(scheme, scopes)| {
            (scheme.as_str(), scopes[0].as_str().unwrap_or(""))
        })
    });
    named.collect()
}

fn rank(scope: &str) -> Option<usize> {
    SCOPES.iter().position(|known| *known == scope)
}

/// By where they stand and their name; those of the path by their place in it.
fn parameters<'a>(operation: &'a Value, path: &str) -> BTreeMap<(&'a str, String), &'a Value> {
    let listed = operation["parameters"].as_array().into_iter().flatten();
    let known = listed.filter_map(|parameter| {
        let (place, name) = (parameter["in"].as_str()?, parameter["name"].as_str()?);
        let name = match place {
            "path" => path
                .split('/')
                .position(|part| part == format!("{{{name}}}"))?
                .to_string(),
            _ => name.to_owned(),
        };
        Some(((place, name), parameter))
    });
    known.collect()
}

fn described((place, name): &(&str, String)) -> String {
    match *place {
        "path" => format!("part {name} of the path"),
        place => format!("`{name}` in the {place}"),
    }
}

fn is_required(value: &Value) -> bool {
    value["required"].as_bool().unwrap_or(false)
}

fn contents(body: &Value) -> impl Iterator<Item = (&String, &Value)> {
    body.get("content")
        .and_then(Value::as_object)
        .map(Map::iter)
        .into_iter()
        .flatten()
}
