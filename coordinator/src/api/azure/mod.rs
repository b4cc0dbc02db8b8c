//! Published pipelines under the addresses and in the words of Azure ML's REST API, so that systems which call that one (data factories, build servers, notebooks)
//! call this one after a change of the base address. The older API's `PipelineRuns`, and a call of a batch endpoint. What is started, and what is refused, is decided
//! where our own API decides it.

mod batch;
mod submit;
mod words;

pub(super) use batch::{call, show_job};
pub(super) use submit::{by_id, by_id_and_version, by_name, pipeline, show};
pub(super) use words::error_body;

// What `routes!` looks for beside each handler.
pub(super) use batch::{__path_call, __path_show_job};
pub(super) use submit::{
    __path_by_id, __path_by_id_and_version, __path_by_name, __path_pipeline, __path_show,
};

use super::error::ApiError;
use tidemill_protocol::api::Problem;
use tidemill_protocol::catalog::Version;
use tidemill_protocol::name::Name;

/// A parameter that cannot be taken as it was written.
fn problem(name: &str, message: impl Into<String>) -> Problem {
    Problem {
        code: "TM0000".to_owned(),
        severity: "error".to_owned(),
        message: message.into(),
        help: None,
        file: None,
        line: None,
        column: None,
        path: format!("inputs.{name}"),
    }
}

/// Reads what these callers name: `NAME`, or `NAME:VERSION`.
fn reference(text: &str) -> Result<(Name, Option<Version>), ApiError> {
    let (name, version) = match text.split_once(':') {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    };
    let bad = |message: String| ApiError::new(tidemill_protocol::api::ErrorCode::BadRequest, message);
    let name = name
        .parse()
        .map_err(|_| bad(format!("`{name}` cannot be the name of a pipeline")))?;
    Ok((name, version.map(version_of).transpose()?))
}

fn version_of(text: &str) -> Result<Version, ApiError> {
    text.parse()
        .map_err(|error: tidemill_protocol::catalog::VersionError| {
            ApiError::new(tidemill_protocol::api::ErrorCode::BadRequest, error.to_string())
        })
}

/// Reads a body whatever it calls itself; an empty one says nothing.
fn body<T: serde::de::DeserializeOwned + Default>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let message = format!("the body is not what this takes: {error}");
        ApiError::new(tidemill_protocol::api::ErrorCode::BadRequest, message)
    })
}
