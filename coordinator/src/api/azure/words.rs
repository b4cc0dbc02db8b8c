//! The words of Azure ML's REST bodies: what its callers send, what they read in answers, and how its errors look. Data and conversions only.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tidemill_protocol::api::{ErrorBody, ErrorCode, Problem, RunSummary};
use tidemill_protocol::status::RunStatus;
use tidemill_protocol::time::Timestamp;

/// The body of a submission in the older API. What is not known is ignored, as there.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct PipelineSubmission {
    /// The experiment; the pipeline's when absent.
    #[serde(alias = "experimentName")]
    pub(super) experiment_name: Option<String>,
    /// What people call the run.
    #[serde(alias = "description")]
    pub(super) description: Option<String>,
    /// Values by parameter: texts, numbers, truth values.
    #[serde(alias = "parameterAssignments")]
    #[schema(value_type = Option<Object>)]
    pub(super) parameter_assignments: Option<BTreeMap<String, Value>>,
    /// Files by parameter: a path in a datastore, or behind a data asset.
    #[serde(alias = "dataPathAssignments")]
    pub(super) data_path_assignments: Option<BTreeMap<String, DataPath>>,
    /// Data assets by parameter.
    #[serde(alias = "dataSetDefinitionValueAssignments")]
    pub(super) data_set_definition_value_assignments: Option<BTreeMap<String, DataSet>>,
    /// Labels of the run.
    #[serde(rename = "tags", alias = "Tags")]
    pub(super) tags: Option<BTreeMap<String, String>>,
    /// Who calls, in words of its own; kept as a label.
    #[serde(alias = "runSource")]
    pub(super) run_source: Option<String>,
    /// Whether steps that do not depend on a failed one go on.
    #[serde(alias = "continueRunOnStepFailure")]
    pub(super) continue_run_on_step_failure: Option<bool>,
}

/// A path in a datastore, or behind a data asset that is an address.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DataPath {
    /// The datastore; where there is none of this name, the data asset.
    #[serde(alias = "dataStoreName")]
    pub(super) data_store_name: String,
    /// What stands behind its address; all of it when empty.
    #[serde(default, alias = "relativePath")]
    pub(super) relative_path: String,
}

/// A data asset.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DataSet {
    /// Which.
    #[serde(alias = "savedDataSetReference")]
    pub(super) saved_data_set_reference: DataSetReference,
}

/// Which data asset.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DataSetReference {
    /// Its name, with `:VERSION` or `@LABEL` behind it or without.
    #[serde(alias = "id")]
    pub(super) id: String,
}

/// The body of a call of a batch endpoint.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub(crate) struct BatchCall {
    /// What is called for.
    pub(super) properties: BatchProperties,
}

/// What a batch endpoint is called for.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct BatchProperties {
    /// Inputs by name.
    #[serde(alias = "inputData")]
    pub(super) input_data: BTreeMap<String, BatchInput>,
    /// Outputs by name: each must be one of the pipeline's, and is kept in the store.
    #[serde(alias = "outputData")]
    pub(super) output_data: BTreeMap<String, BatchOutput>,
    /// The experiment; the pipeline's when absent.
    #[serde(alias = "experimentName")]
    pub(super) experiment_name: Option<String>,
    /// What people call the run.
    #[serde(alias = "displayName")]
    pub(super) display_name: Option<String>,
}

/// An input of a batch endpoint.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BatchInput {
    /// `Literal`, or what files are: `UriFile`, `UriFolder` and so on.
    #[serde(alias = "jobInputType")]
    pub(super) job_input_type: String,
    /// Of a literal.
    #[serde(default, alias = "value")]
    #[schema(value_type = Option<Object>)]
    pub(super) value: Option<Value>,
    /// Of files: an address, or `azureml:NAME:VERSION` for a data asset.
    #[serde(default, alias = "uri")]
    pub(super) uri: Option<String>,
}

/// An output of a batch endpoint.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct BatchOutput {
    /// Where the caller wants a copy of it: `azureml://datastores/NAME/paths/PATH`. Without one it is kept in the store and nowhere else.
    #[serde(alias = "uri")]
    pub(super) uri: Option<String>,
}

/// A run, as the older API shows it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RunEntity {
    /// The run's id.
    id: String,
    /// What people call it.
    description: String,
    /// How it stands.
    status: StatusEntity,
    /// The pipeline that it was started from, `NAME:VERSION`, or its name.
    pipeline_id: String,
    /// Its parameters.
    parameter_assignments: BTreeMap<String, String>,
    /// Its experiment.
    run_history_experiment_name: String,
    /// How it was started.
    run_type: String,
    /// How many steps it has.
    total_run_steps: u32,
    /// Its labels.
    #[serde(rename = "tags")]
    tags: BTreeMap<String, String>,
    /// When it was submitted.
    created_date: String,
}

/// How a run stands, as the older API shows it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StatusEntity {
    /// 0 not started, 1 running, 2 failed, 3 finished, 4 canceled.
    status_code: u8,
    /// Our own word.
    status_detail: String,
    /// When it was submitted.
    creation_time: String,
    /// When it ended.
    end_time: Option<String>,
}

impl RunEntity {
    /// A run with these parameters, which was started from this pipeline.
    pub(super) fn of(run: &RunSummary, parameters: BTreeMap<String, String>, pipeline: Option<&str>) -> Self {
        Self {
            id: run.id.to_string(),
            description: run.display_name.clone(),
            status: StatusEntity {
                status_code: code(run.status),
                status_detail: run.status.to_string(),
                creation_time: moment(run.submitted_at),
                end_time: run.finished_at.map(moment),
            },
            pipeline_id: pipeline.map_or_else(|| run.pipeline.to_string(), str::to_owned),
            parameter_assignments: parameters,
            run_history_experiment_name: run.experiment.to_string(),
            run_type: "HTTP".to_owned(),
            total_run_steps: run.steps.total,
            tags: run.tags.clone(),
            created_date: moment(run.submitted_at),
        }
    }
}

/// The number of a status in the older API.
const fn code(status: RunStatus) -> u8 {
    match status {
        RunStatus::Queued => 0,
        RunStatus::Running | RunStatus::Cancelling => 1,
        RunStatus::Failed | RunStatus::Aborted => 2,
        RunStatus::Succeeded => 3,
        RunStatus::Cancelled => 4,
    }
}

/// The word for a status in the newer API.
pub(super) const fn job_status(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Queued => "NotStarted",
        RunStatus::Running => "Running",
        RunStatus::Cancelling => "CancelRequested",
        RunStatus::Failed | RunStatus::Aborted => "Failed",
        RunStatus::Succeeded => "Completed",
        RunStatus::Cancelled => "Canceled",
    }
}

fn moment(at: Timestamp) -> String {
    let milliseconds = i64::try_from(at.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(milliseconds).map_or_else(|_| String::new(), |at| at.to_string())
}

/// A value of JSON as the text of a parameter; none for `null`.
pub(super) fn text_of(value: &Value) -> Result<Option<String>, &'static str> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(flag) => Ok(Some(flag.to_string())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Array(_) | Value::Object(_) => Err("a parameter is a text, a number or a truth value"),
    }
}

/// A refusal or failure with the words of the API that this path belongs to beside our own; none where there are only our own.
pub(in crate::api) fn error_body(path: &str, error: &ErrorBody) -> Option<Vec<u8>> {
    let theirs = if path.starts_with("/azureml/v1.0/") {
        json!({
            "Error": {
                "Code": if is_fault_of_ours(error.code) { "ServiceError" } else { "UserError" },
                "Message": message(error),
                "Details": error.problems.iter().map(detail).collect::<Vec<_>>(),
                "InnerError": {"Code": inner(error.code)},
            },
            "Correlation": {"RequestId": error.request_id},
        })
    } else if path.starts_with("/azureml/") {
        let details = error
            .problems
            .iter()
            .map(|problem| json!({"code": problem.code, "message": problem.message, "target": problem.path}));
        json!({
            "error": {
                "code": inner(error.code),
                "message": message(error),
                "details": details.collect::<Vec<_>>(),
            },
        })
    } else {
        return None;
    };
    let mut body = serde_json::to_value(error).expect("an error body is plain data");
    if let (Value::Object(body), Value::Object(theirs)) = (&mut body, theirs) {
        body.extend(theirs);
    }
    Some(body.to_string().into_bytes())
}

fn detail(problem: &Problem) -> Value {
    json!({"Code": problem.code, "Message": problem.message, "Target": problem.path})
}

/// Everything that there is to say, because most of these callers show the message only.
fn message(error: &ErrorBody) -> String {
    let problems = error.problems.iter().map(|problem| {
        let place = problem.path.as_str();
        let message = problem.message.as_str();
        if place.is_empty() {
            message.to_owned()
        } else {
            format!("{message} ({place})")
        }
    });
    let mut parts: Vec<String> = problems.collect();
    parts.extend(error.hint.clone());
    if parts.is_empty() {
        error.message.clone()
    } else {
        format!("{}: {}", error.message, parts.join("; "))
    }
}

const fn is_fault_of_ours(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::Internal | ErrorCode::Unavailable | ErrorCode::DiskFull | ErrorCode::Unknown
    )
}

const fn inner(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::NotFound => "NotFound",
        ErrorCode::Unauthorized => "AuthenticationFailed",
        ErrorCode::Forbidden => "AuthorizationFailed",
        ErrorCode::Conflict | ErrorCode::Ambiguous => "Conflict",
        ErrorCode::TooManyRequests => "TooManyRequests",
        ErrorCode::Unavailable | ErrorCode::DiskFull => "ServiceUnavailable",
        ErrorCode::Internal | ErrorCode::Unknown => "InternalServerError",
        _ => "BadArgument",
    }
}
