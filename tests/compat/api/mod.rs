//! Clients of the API that was released last still work: nothing that they may call, send or count on is gone, unless `accepted.toml` says that this is meant.
//! The comparison is ours because those that are well kept are programs of Go, which nothing else here needs.

mod bodies;
mod operations;
mod released;
mod shapes;

use operations::breaks;
use released::{accepted, current, released};
use serde_json::{Value, json};

/// What somebody does who reads of a break.
const HELP: &str = "help: keep what was there, or, if the break is meant, write into tests/compat/api/accepted.toml

    [[accepted]]
    break = \"THE SENTENCE\"
    why = \"what clients do instead\"

and a line for users into CHANGELOG.md. A release deletes released.json, runs this test twice, and empties accepted.toml.";

#[test]
fn what_clients_of_the_last_release_do_still_works() {
    let found = breaks(&released(), &current());
    let meant = accepted();
    let new: Vec<&str> = found.difference(&meant).map(String::as_str).collect();
    assert!(
        new.is_empty(),
        "clients of the API break:\n  {}\n{HELP}",
        new.join("\n  ")
    );
    let stale: Vec<&str> = meant.difference(&found).map(String::as_str).collect();
    assert!(
        stale.is_empty(),
        "accepted.toml names breaks that are none:\n  {}",
        stale.join("\n  ")
    );
}

#[test]
fn what_is_kept_of_a_description_breaks_nothing_and_misses_nothing() {
    let whole = current();
    let kept: Value = serde_json::from_str(&released::written(&whole)).unwrap();
    assert_eq!(breaks(&whole, &whole).into_iter().collect::<Vec<_>>(), [""; 0]);
    assert_eq!(breaks(&kept, &whole).into_iter().collect::<Vec<_>>(), [""; 0]);
    assert_eq!(breaks(&whole, &kept).into_iter().collect::<Vec<_>>(), [""; 0]);
}

/// An API with one operation, which takes and answers things.
fn sample() -> Value {
    let thing = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    json!({
        "paths": {"/things/{name}": {"put": {
            "parameters": [
                {"in": "path", "name": "name", "required": true, "schema": {"type": "string"}},
                {"in": "query", "name": "limit", "schema": {"type": "integer"}},
            ],
            "requestBody": {"content": {"application/json": {"schema": thing("Wish")}}},
            "responses": {"200": {"content": {"application/json": {"schema": thing("Thing")}}}, "404": {}},
            "security": [{"token": ["submitter"]}, {"worker": []}],
        }}},
        "components": {"schemas": {
            "Wish": {"type": "object", "required": ["kind"], "properties": {
                "kind": {"type": "string", "enum": ["red", "blue"]},
                "note": {"type": ["string", "null"]},
                "how": {"oneOf": [
                    {"type": "object", "required": ["fast"], "properties": {"fast": {"type": "number"}}},
                    {"type": "object", "required": ["slow"], "properties": {"slow": {"type": "boolean"}}},
                ]},
            }},
            "Thing": {"type": "object", "required": ["id"], "properties": {
                "id": {"type": "string"},
                "status": {"type": "string", "enum": ["new", "old"]},
                "size": {"type": "integer"},
                "parts": {"type": "array", "items": thing("Thing")},
                "end": {"oneOf": [{"type": "null"}, {"allOf": [thing("End"), {"type": "object", "properties": {"at": {"type": "integer"}}}]}]},
            }},
            "End": {"oneOf": [
                {"type": "object", "required": ["is"], "properties": {"is": {"type": "string", "enum": ["good"]}, "score": {"type": "integer"}}},
                {"type": "object", "required": ["is"], "properties": {"is": {"type": "string", "enum": ["bad"]}}},
            ]},
        }},
    })
}

/// What breaks when the part of the sample at `pointer` is replaced, or taken away.
#[track_caller]
fn changed(pointer: &str, to: Option<Value>) -> Vec<String> {
    let released = sample();
    let mut now = released.clone();
    if let Some(to) = to {
        *now.pointer_mut(pointer).expect("there is such a part") = to;
    } else {
        let (parent, name) = pointer.rsplit_once('/').expect("a part has a place");
        let name = name.replace("~1", "/");
        let parent = now.pointer_mut(parent).expect("there is such a part");
        let fields = parent.as_object_mut().expect("an object");
        fields.remove(&name).expect("it was there");
    }
    breaks(&released, &now).into_iter().collect()
}

const OPERATION: &str = "/paths/~1things~1{name}/put";
const WISH: &str = "/components/schemas/Wish";
const THING: &str = "/components/schemas/Thing";

#[test]
fn what_an_operation_loses_is_a_break() {
    let at = |part: &str| format!("{OPERATION}{part}");
    let place = "PUT /things/{name}";
    assert_eq!(
        changed(OPERATION, None),
        [format!("{place}: the operation is gone")]
    );
    let renamed = json!([{"in": "path", "name": "name", "required": true, "schema": {"type": "string"}}]);
    assert_eq!(
        changed(&at("/parameters"), Some(renamed)),
        [format!("{place}: `limit` in the query is not taken any more")]
    );
    assert_eq!(
        changed(
            &at("/parameters/1"),
            Some(json!({"in": "query", "name": "limit", "required": true, "schema": {"type": "integer"}}))
        ),
        [format!("{place}: `limit` in the query must be given now")]
    );
    assert_eq!(
        changed(
            &at("/requestBody"),
            Some(json!({"required": true, "content": {"text/plain": {}}}))
        ),
        [
            format!("{place}: a body must be sent now"),
            format!("{place}: a body of application/json is not taken any more"),
        ]
    );
    assert_eq!(
        changed(&at("/responses/200"), None),
        [format!("{place}: 200 is never answered any more")]
    );
    assert_eq!(
        changed(&at("/responses/404"), None),
        [""; 0],
        "a refusal less breaks nothing"
    );
    assert_eq!(
        changed(&at("/security"), Some(json!([{"token": ["operator"]}]))),
        [
            format!("{place}: a key of the kind `worker` does not open it any more"),
            format!("{place}: the scope `submitter` is not enough any more: it needs `operator`"),
        ]
    );
    assert_eq!(
        changed(
            &at("/security"),
            Some(json!([{"token": ["reader"]}, {"worker": []}]))
        ),
        [""; 0]
    );
    assert_eq!(changed(&at("/security"), Some(json!([{}]))), [""; 0]);
}

#[test]
fn what_may_not_be_sent_any_more_is_a_break() {
    let at = |part: &str| format!("{WISH}{part}");
    assert_eq!(
        changed(&at("/properties/kind/enum"), Some(json!(["red", "green"]))),
        ["Wish.kind: the word `blue` is not taken any more"]
    );
    assert_eq!(
        changed(&at("/properties/note"), None),
        ["Wish.note: the field is not taken any more"]
    );
    assert_eq!(
        changed(
            &at("/properties/note"),
            Some(json!({"type": "string", "enum": ["x"]}))
        ),
        [
            "Wish.note: null is not taken any more",
            "Wish.note: only certain words are taken now"
        ]
    );
    assert_eq!(
        changed(&at("/required"), Some(json!(["kind", "note", "colour"]))),
        [
            "Wish.colour: the field is new and must be sent",
            "Wish.note: the field must be sent now"
        ]
    );
    assert_eq!(
        changed(
            &at("/properties/how/oneOf/1/properties"),
            Some(json!({"calm": {"type": "boolean"}}))
        ),
        ["Wish.how: the variant `slow` is not taken any more"]
    );
    assert_eq!(
        changed(
            &at("/properties/how/oneOf/0/properties/fast/type"),
            Some(json!("integer"))
        ),
        ["Wish.how.fast: a number is not taken any more"]
    );
    assert_eq!(
        changed(&at("/required"), Some(json!([]))),
        [""; 0],
        "less that must be sent breaks nothing"
    );
    assert_eq!(
        changed(
            &at("/properties/kind/enum"),
            Some(json!(["red", "blue", "green"]))
        ),
        [""; 0]
    );
}

#[test]
fn what_cannot_be_counted_on_any_more_is_a_break() {
    let at = |part: &str| format!("{THING}{part}");
    assert_eq!(
        changed(&at("/properties/size"), None),
        ["Thing.size: the field is gone from the answer"]
    );
    assert_eq!(
        changed(&at("/required"), Some(json!([]))),
        ["Thing.id: the field may be missing from the answer now"]
    );
    assert_eq!(
        changed(&at("/properties/size/type"), Some(json!(["number", "null"]))),
        [
            "Thing.size: a number may be answered now",
            "Thing.size: null may be answered now"
        ]
    );
    assert_eq!(
        changed(&at("/properties/status/enum"), Some(json!(["new"]))),
        ["Thing.status: the word `old` is never answered any more"]
    );
    assert_eq!(
        changed(
            "/components/schemas/End/oneOf/1/properties/is/enum",
            Some(json!(["ugly"]))
        ),
        ["Thing.end: the variant `is: \"bad\"` is never answered any more"]
    );
    assert_eq!(
        changed("/components/schemas/End/oneOf/0/properties/score", None),
        ["Thing.end.score: the field is gone from the answer"]
    );
    assert_eq!(
        changed(
            &at("/properties/status/enum"),
            Some(json!(["new", "old", "lost"]))
        ),
        [""; 0]
    );
    assert_eq!(changed(&at("/required"), Some(json!(["id", "size"]))), [""; 0]);
}
