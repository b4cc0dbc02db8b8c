//! The API's description as a page to read and to try, from files in this binary: it asks no other host for anything. Open to all, as the description is: both tell
//! of the program, nothing of this installation. A request that the page makes needs a token like any other.

use super::error::{ApiError, no_such_resource};
use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use std::sync::{Arc, LazyLock};
use tidemill_protocol::api::ErrorBody;
use utoipa_swagger_ui::{Config, SwaggerFile};

/// Where the page begins.
const FIRST_FILE: &str = "/api/docs/index.html";
/// What the page may do: run and ask what comes from here, and nothing else. Its own styles stand in its elements.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
);
/// The files belong to this version of the program.
const KEPT_FOR: HeaderValue = HeaderValue::from_static("max-age=3600");

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    // Without a validator, which would send the description to a host of its makers.
    let config = Config::from("/api/v1/openapi.json")
        .validator_url("none")
        .display_request_duration(true);
    Arc::new(config)
});

/// Leads to the page.
#[utoipa::path(get, path = "/api/docs", tag = "service", security(()), responses(
    (status = 307, description = "The page begins at the `location`."),
))]
pub(super) async fn begin() -> Redirect {
    Redirect::temporary(FIRST_FILE)
}

/// A file of the page.
#[utoipa::path(get, path = "/api/docs/{file}", tag = "service", security(()),
    params(("file" = String, Path, description = "`index.html` or what it names.")),
    responses(
        (status = 200, description = "The file.", content(
            (String = "text/html"), (String = "text/css"), (String = "text/javascript"), (String = "image/png"),
        )),
        (status = 404, description = "It has no such file.", body = ErrorBody),
    ))]
pub(super) async fn file(Path(name): Path<String>) -> Result<Response, ApiError> {
    match utoipa_swagger_ui::serve(&name, Arc::clone(&CONFIG)) {
        Ok(Some(file)) => served(file),
        Ok(None) => Err(no_such_resource()),
        Err(error) => Err(ApiError::internal(&*error)),
    }
}

fn served(file: SwaggerFile<'static>) -> Result<Response, ApiError> {
    let kind = HeaderValue::from_str(&file.content_type).map_err(|error| ApiError::internal(&error))?;
    let mut response = file.bytes.into_owned().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::CACHE_CONTROL, KEPT_FOR);
    if file.gzpipped {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}
