//! The description of the API: what is true of all operations together. What only one of them does stands above its handler.

use super::{conditional, keyed, needs};
use tidemill_protocol::api::ErrorBody;
use tidemill_protocol::wire::LogStream;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, OpenApi as Document, Ref, RefOr, Required, Response, ResponseBuilder};
use utoipa::{OpenApi, PartialSchema, ToSchema};

#[derive(OpenApi)]
#[openapi(info(
    title = "tidemill",
    description = "Runs machine-learning pipelines. `{run}` is an id, a unique prefix of one of at least 4 characters, `last`, or `@` and a name, which means the newest run with it; `{step}` is a step's path in its run. Every refusal and failure has the same body. Requests show a token as `Authorization: Bearer tmk_…`; each operation names the scope that it needs, and each scope (reader, submitter, operator, admin) may do what those before it may. A worker joins by a token of its own kind, `tmj_…`, and signs its requests from then on: `Authorization: Worker id=…,at=…,nonce=…,signature=…`. The process of a step shows the token of its attempt, `tma_…`, and may log by it."
), modifiers(&Schemes))]
pub(super) struct Description;

/// Tells the description how tokens and signatures are shown.
struct Schemes;

impl utoipa::Modify for Schemes {
    fn modify(&self, description: &mut Document) {
        let components = description.components.get_or_insert_default();
        let bearer = || SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme(needs::TOKEN, bearer());
        components.add_security_scheme(needs::JOIN, bearer());
        components.add_security_scheme(needs::ATTEMPT, bearer());
        let signed = ApiKeyValue::with_description(
            "Authorization",
            "`Worker id=NAME,at=MILLISECONDS,nonce=NUMBER,signature=HEX`, signed with the worker's own key.",
        );
        components.add_security_scheme(needs::WORKER, SecurityScheme::ApiKey(ApiKey::Header(signed)));
    }
}

/// What any request may be answered, whatever the operation.
const ANY: [(&str, &str); 2] = [
    ("400", "The request cannot be read."),
    (
        "503",
        "Not now: the coordinator, its broker or its store is busy or away. Try again later.",
    ),
];
/// What a request may be answered that has to show who it is from.
const GUARDED: [(&str, &str); 3] = [
    ("401", "It shows no good token or signature."),
    ("403", "Whoever asks may not do this."),
    (
        "429",
        "Too many failed attempts, or too much at once. `retry-after` says when to come back.",
    ),
];
/// What a request may be answered whose path names something.
const NAMING: [(&str, &str); 1] = [("404", "There is nothing of that name.")];
/// What a request with a body may be answered.
const BODIED: [(&str, &str); 3] = [
    ("413", "The body is too long."),
    ("415", "The body is not of a type that is understood."),
    (
        "422",
        "The body is not what it should be; each problem is listed.",
    ),
];

/// What a request that shows a key may be answered.
const KEYED: [(&str, &str); 1] = [("422", "The idempotency key was used for another request.")];

/// What stands in paths and names nothing.
const VERSIONS: [&str; 5] = ["api", "v1", "0", "2", "3"];

/// What a path names that names nothing.
const ITSELF: &str = "service";

/// Adds to each operation what the layers before its handler may answer. What the operation says itself stays.
pub(super) fn add_refusals(description: &mut Document) {
    let schemas = &mut description.components.get_or_insert_default().schemas;
    if !schemas.contains_key(&*ErrorBody::name()) {
        schemas.insert(ErrorBody::name().into_owned(), ErrorBody::schema());
    }
    // Parameters name schemas and do not bring them along.
    schemas.insert(LogStream::name().into_owned(), LogStream::schema());
    for (path, item) in &mut description.paths.paths {
        for (_, operation) in operations(item) {
            let bodied = operation.request_body.is_some();
            let guarded = operation.security.as_deref().is_some_and(is_guarded);
            add(operation, &ANY);
            for (applies, answers) in [
                (guarded, &GUARDED[..]),
                (path.contains('{'), &NAMING),
                (bodied, &BODIED),
            ] {
                if applies {
                    add(operation, answers);
                }
            }
        }
    }
}

/// Tells of the header under which something is made once, wherever something is made.
pub(super) fn add_keys(description: &mut Document) {
    for (path, item) in &mut description.paths.paths {
        for (method, operation) in operations(item) {
            if !keyed::CREATING.contains(&(method.to_uppercase().as_str(), path.as_str())) {
                continue;
            }
            operation
                .parameters
                .get_or_insert_default()
                .push(RefOr::T(key_parameter()));
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response
                    && status.starts_with('2')
                {
                    let replayed = RefOr::T(header(
                        "`true` when an earlier request with the same key did this.",
                    ));
                    response.headers.insert(keyed::REPLAYED.to_owned(), replayed);
                }
            }
            if operation.request_body.is_none() {
                add(operation, &KEYED);
            }
        }
    }
}

/// What a request that expects a revision may be answered.
const CONDITIONAL: [(&str, &str); 1] = [(
    "412",
    "It changed since the revision in `If-Match`, or is there although `If-None-Match` says that it is new.",
)];

/// Paths of what `If-None-Match: *` makes only when it is not there yet.
const MADE_ONLY_NEW: [&str; 2] = ["/api/v1/drafts/{name}", "/api/v1/schedules/{name}"];

/// Tells of revisions, wherever something that has one is shown or changed.
pub(super) fn add_revisions(description: &mut Document) {
    for (path, item) in &mut description.paths.paths {
        for (method, operation) in operations(item) {
            let word = method.to_uppercase();
            let heeds = |(methods, heeding): &(&[&str], &str)| {
                *heeding == path.as_str() && methods.contains(&word.as_str())
            };
            let is_heeding = conditional::HEEDING.iter().any(heeds);
            if is_heeding {
                let parameters = operation.parameters.get_or_insert_default();
                parameters.push(RefOr::T(revision_parameter("if-match", "The `ETag` of an earlier answer: only what nobody changed since is changed (412 otherwise). `*` or nothing changes whatever is there.")));
                if method == "put" && MADE_ONLY_NEW.contains(&path.as_str()) {
                    parameters.push(RefOr::T(revision_parameter(
                        "if-none-match",
                        "`*` makes it only when it is not there yet.",
                    )));
                }
                add(operation, &CONDITIONAL);
            }
            let is_shown = method == "get" && conditional::SHOWING.contains(&path.as_str());
            if !(is_shown || is_heeding && method != "delete") {
                continue;
            }
            if let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("200") {
                let header = header("Its revision, for `If-Match`. Another one whenever it was changed.");
                answer.headers.insert("etag".to_owned(), RefOr::T(header));
            }
        }
    }
}

fn revision_parameter(name: &str, meaning: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(meaning))
        .schema(Some(Object::with_type(Type::String)))
        .build()
}

fn header(meaning: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(Object::with_type(Type::String)))
        .description(Some(meaning))
        .build()
}

fn key_parameter() -> Parameter {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(keyed::KEY_CHARS_MAX))
        .pattern(Some("^[ -~]+$"));
    ParameterBuilder::new()
        .name(keyed::HEADER)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("The same request with the same key, sent again within 24 hours, makes nothing new and is answered with the same thing. The key is the caller's, for this method and path; with another query or body it is refused (422). What is answered with an error is not remembered."))
        .schema(Some(text))
        .build()
}

/// Writes `{*path}`, the router's word for a parameter that may hold slashes, as `{path}`, the only one that descriptions of APIs know.
pub(super) fn write_paths_plainly(description: &mut Document) {
    let paths = std::mem::take(&mut description.paths.paths);
    description.paths.paths = paths
        .into_iter()
        .map(|(path, item)| (path.replace("{*", "{"), item))
        .collect();
}

/// Gives each operation a name of its own, made of its method and its path. A handler's name is only one in its file.
pub(super) fn name_operations(description: &mut Document) {
    for (path, item) in &mut description.paths.paths {
        for (method, operation) in operations(item) {
            let words = path
                .split(|character: char| !character.is_ascii_alphanumeric())
                .filter(|word| !(word.is_empty() || VERSIONS.contains(word)));
            let words: Vec<&str> = words.collect();
            let thing = if words.is_empty() {
                ITSELF.to_owned()
            } else {
                words.join("_")
            };
            operation.operation_id = Some(format!("{method}_{thing}"));
        }
    }
}

/// Whether the requirements are more than "none": the one empty requirement.
fn is_guarded(requirements: &[utoipa::openapi::security::SecurityRequirement]) -> bool {
    requirements
        .iter()
        .any(|requirement| *requirement != utoipa::openapi::security::SecurityRequirement::default())
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    [
        ("get", &mut item.get),
        ("put", &mut item.put),
        ("post", &mut item.post),
        ("delete", &mut item.delete),
        ("patch", &mut item.patch),
        ("head", &mut item.head),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn add(operation: &mut Operation, answers: &[(&str, &str)]) {
    for (status, meaning) in answers {
        operation
            .responses
            .responses
            .entry((*status).to_owned())
            .or_insert_with(|| RefOr::T(refusal(meaning)));
    }
}

fn refusal(meaning: &str) -> Response {
    let body = Content::new(Some(Ref::from_schema_name(ErrorBody::name())));
    ResponseBuilder::new()
        .description(meaning)
        .content("application/json", body)
        .build()
}
