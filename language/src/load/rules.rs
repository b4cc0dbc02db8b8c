//! The rules around a step's work: where it runs, what it occupies, how long it may take, how often it is tried.

use super::Loader;
use super::binding::Scope;
use super::units::{bytes, duration};
use crate::diagnostic::Code;
use crate::expression::{Reference, has_expression, single};
use crate::fields::Fields;
use crate::yaml::Node;
use std::collections::BTreeMap;
use tidemill_protocol::compute::Resources;
use tidemill_protocol::ids::StepPath;
use tidemill_protocol::plan::{Distribution, DistributionKind, RetryPolicy, When, may_name_variable};
use tidemill_protocol::spec::{StepOverrides, TargetSpec};
use tidemill_protocol::time::Millis;

/// Most retries that may be asked for.
const RETRIES_MAX: i64 = 100;
/// Furthest from 0 that a priority may lie.
const PRIORITY_MAX: i64 = 1_000_000;
impl Loader<'_> {
    /// What a step sets itself. `inline` steps have written the parts of their component here too, which are read elsewhere.
    pub(super) fn overrides(
        &mut self,
        fields: &mut Fields<'_>,
        inline: bool,
        scope: &Scope<'_>,
    ) -> StepOverrides {
        let mut overrides = StepOverrides {
            target: fields
                .get("compute")
                .and_then(|node| self.target(node, &fields.path_of("compute"), Some(scope))),
            priority: fields
                .integer("priority", -PRIORITY_MAX..=PRIORITY_MAX, &mut self.findings)
                .and_then(|number| i32::try_from(number).ok()),
            retry: self.retry(fields),
            when: self.when(fields),
            cache: fields.boolean("cache", &mut self.findings),
            checkpoint: self.checkpoint(fields),
            timeout: self.duration(fields, "timeout"),
            ..StepOverrides::default()
        };
        if !inline {
            overrides.resources = self.resources(fields);
            overrides.distribution = self.distribution(fields);
            overrides.environment_variables = self.environment_variables(fields);
            overrides.secrets = self.secrets(fields, &overrides.environment_variables);
            overrides.environment = fields
                .get("environment")
                .and_then(|node| self.environment(node, scope.folder, &fields.path_of("environment")));
            let limit = self.limits(fields);
            overrides.timeout = overrides.timeout.or(limit);
            if fields.boolean("is_deterministic", &mut self.findings) == Some(false) {
                overrides.cache = Some(false);
            }
        }
        overrides
    }

    /// A compute name, or the input that holds one.
    pub(super) fn target(
        &mut self,
        node: &Node,
        path: &str,
        scope: Option<&Scope<'_>>,
    ) -> Option<TargetSpec> {
        let Some(text) = node.text() else {
            self.findings.add(
                Code::WrongShape,
                node.place,
                path,
                format!("a compute name must be a text, not {}", node.shape()),
            );
            return None;
        };
        if has_expression(text) {
            let found = match (single(text), scope) {
                (Some(Ok(Reference::ParentInput(name) | Reference::Input(name))), Some(scope)) => {
                    return self
                        .parent_input(&name, node.place, path, scope)
                        .map(|(port, _)| TargetSpec::Input(port));
                }
                (Some(Err(bad)), _) => bad.message,
                _ => format!("`{text}` cannot be a compute name"),
            };
            self.findings
                .add(Code::MisplacedExpression, node.place, path, found)
                .help_text("a compute name can be one input of the pipeline: `${{parent.inputs.NAME}}`");
            return None;
        }
        let bare = text.strip_prefix("azureml:").unwrap_or(text);
        let known = self
            .workspace
            .computes
            .get(text)
            .or_else(|| self.workspace.computes.get(bare));
        if let Some(name) = known {
            return Some(TargetSpec::Name(name.clone()));
        }
        let last = bare.rsplit('/').next().unwrap_or(bare);
        match last.parse() {
            Ok(name) => Some(TargetSpec::Name(name)),
            Err(error) => {
                let help = if text.starts_with('<') {
                    "this is a placeholder: put a compute target's name in its place, or map it".to_owned()
                } else {
                    "map it to a compute target".to_owned()
                };
                self.findings
                    .add(Code::BadCompute, node.place, path, format!("the compute {error}"))
                    .help_text(&format!(
                        "{help} in tidemill.toml:\n[computes]\n\"{bare}\" = \"TARGET\""
                    ));
                None
            }
        }
    }

    /// What an attempt occupies.
    pub(super) fn resources(&mut self, fields: &mut Fields<'_>) -> Option<Resources> {
        let mut fields = fields.fields("resources", &mut self.findings)?;
        let findings = &mut self.findings;
        let mut count = |key, least| {
            fields
                .integer(key, least..=1_000_000, findings)
                .and_then(|number| u32::try_from(number).ok())
        };
        let mut resources = Resources {
            instance_count: count("instance_count", 1).unwrap_or(1),
            cpus: count("cpus", 0).unwrap_or(0),
            gpus: count("gpus", 0).unwrap_or(0),
            memory_bytes: 0,
        };
        if let Some((text, node)) = fields.text_node("memory", &mut self.findings) {
            match bytes(text) {
                Some(bytes) => resources.memory_bytes = bytes,
                None => {
                    self.findings
                        .add(
                            Code::BadValue,
                            node.place,
                            &fields.path_of("memory"),
                            format!("`{text}` is no amount of memory"),
                        )
                        .help_text("write a number of bytes, or e.g. `512MiB`, `16GB`");
                }
            }
        }
        // What the machines are like is said by the compute target.
        for key in [
            "instance_type",
            "runtime_version",
            "shm_size",
            "docker_args",
            "properties",
            "max_instance_count",
            "locations",
        ] {
            let _ = fields.get(key);
        }
        fields.finish(Code::UnknownKey, &mut self.findings);
        Some(resources)
    }

    /// How several processes find each other.
    pub(super) fn distribution(&mut self, fields: &mut Fields<'_>) -> Option<Distribution> {
        let mut fields = fields.fields("distribution", &mut self.findings)?;
        let (text, node) = fields.required_text("type", &mut self.findings)?;
        let kind = match text.to_ascii_lowercase().as_str() {
            "pytorch" => DistributionKind::Pytorch,
            "tensorflow" => DistributionKind::Tensorflow,
            "mpi" => DistributionKind::Mpi,
            _ => {
                self.findings
                    .add(
                        Code::Unsupported,
                        node.place,
                        &fields.path,
                        format!("the distribution `{text}` is not supported"),
                    )
                    .help_text("supported: `pytorch`, `tensorflow`, `mpi`");
                return None;
            }
        };
        let findings = &mut self.findings;
        let mut count = |key, least| {
            fields
                .integer(key, least..=10_000, findings)
                .and_then(|number| u32::try_from(number).ok())
        };
        let distribution = Distribution {
            kind,
            processes_per_instance: count("process_count_per_instance", 1).unwrap_or(1),
            workers: count("worker_count", 0).unwrap_or(0),
            parameter_servers: count("parameter_server_count", 0).unwrap_or(0),
        };
        fields.finish(Code::UnknownKey, &mut self.findings);
        Some(distribution)
    }

    /// Variables that the author sets.
    pub(super) fn environment_variables(&mut self, fields: &mut Fields<'_>) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        let path = fields.path_of("environment_variables");
        for entry in fields.pairs("environment_variables", &mut self.findings) {
            let name = &*entry.key;
            if !may_name_variable(name) {
                self.findings
                    .add(
                        Code::BadName,
                        entry.key_place,
                        &path,
                        format!("`{name}` cannot be set as an environment variable"),
                    )
                    .help_text("use letters, digits and `_`; names that start with `TIDEMILL_` are taken");
                continue;
            }
            match entry.value.text() {
                Some(text) => {
                    variables.insert(name.to_owned(), text.to_owned());
                }
                None if entry.value.is_null() => {
                    variables.insert(name.to_owned(), String::new());
                }
                None => {
                    let message = format!(
                        "the value of `{name}` must be a text, not {}",
                        entry.value.shape()
                    );
                    self.findings
                        .add(Code::WrongShape, entry.value.place, &path, message);
                }
            }
        }
        variables
    }

    /// `limits.timeout`.
    pub(super) fn limits(&mut self, fields: &mut Fields<'_>) -> Option<Millis> {
        let mut limits = fields.fields("limits", &mut self.findings)?;
        let timeout = self.duration(&mut limits, "timeout");
        limits.finish(Code::UnknownKey, &mut self.findings);
        timeout
    }

    /// A length of time: a number of seconds, or e.g. `90s`, `1h30m`.
    pub(super) fn duration(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Option<Millis> {
        let (text, node) = fields.text_node(key, &mut self.findings)?;
        let found = duration(text);
        if found.is_none() {
            self.findings
                .add(
                    Code::BadValue,
                    node.place,
                    &fields.path_of(key),
                    format!("`{text}` is no length of time"),
                )
                .help_text("write a number of seconds, or e.g. `90s`, `1h30m`, `2d`");
        }
        found
    }

    fn retry(&mut self, fields: &mut Fields<'_>) -> Option<RetryPolicy> {
        let node = fields.get("retry")?;
        let mut policy = RetryPolicy::default();
        if node.text().is_some() {
            policy.retries_max = self.retries(fields, "retry")?;
            return Some(policy);
        }
        let mut fields = fields.fields("retry", &mut self.findings)?;
        policy.retries_max = self.retries(&mut fields, "max").unwrap_or(1);
        policy.backoff = self.duration(&mut fields, "backoff").unwrap_or(policy.backoff);
        policy.backoff_max = self
            .duration(&mut fields, "backoff_max")
            .unwrap_or(policy.backoff_max)
            .max(policy.backoff);
        if let Some((text, node)) = fields.text_node("factor", &mut self.findings) {
            match text.parse::<f64>() {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "the range is checked in the pattern"
                )]
                Ok(factor) if (1.0..=100.0).contains(&factor) => {
                    policy.growth_percent = (factor * 100.0).round() as u32;
                }
                _ => {
                    let message = "`factor` must be a number between 1 and 100";
                    self.findings
                        .add(Code::BadValue, node.place, &fields.path_of("factor"), message);
                }
            }
        }
        fields.finish(Code::UnknownKey, &mut self.findings);
        Some(policy)
    }

    fn retries(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Option<u32> {
        fields
            .integer(key, 0..=RETRIES_MAX, &mut self.findings)
            .and_then(|number| u32::try_from(number).ok())
    }

    fn when(&mut self, fields: &mut Fields<'_>) -> Option<When> {
        let (text, node) = fields.text_node("when", &mut self.findings)?;
        match text {
            "on_success" => Some(When::OnSuccess),
            "on_failure" => Some(When::OnFailure),
            "always" => Some(When::Always),
            _ => {
                self.findings
                    .add(
                        Code::BadValue,
                        node.place,
                        &fields.path_of("when"),
                        format!("`{text}` is no condition"),
                    )
                    .help_with(crate::diagnostic::did_you_mean(
                        text,
                        ["on_success", "on_failure", "always"],
                    ));
                None
            }
        }
    }

    /// The names under `depends_on`.
    pub(super) fn depends_on(&mut self, fields: &mut Fields<'_>, scope: &Scope<'_>) -> Vec<StepPath> {
        let path = fields.path_of("depends_on");
        let mut names = Vec::new();
        for item in fields.items("depends_on") {
            if self.findings.is_full() {
                break;
            }
            let text = item.text().unwrap_or_default();
            match text
                .parse::<StepPath>()
                .ok()
                .filter(|name| scope.steps.contains_key(name))
            {
                Some(name) if names.contains(&name) => {}
                Some(name) => names.push(name),
                None => {
                    self.findings
                        .add(
                            Code::UnknownStep,
                            item.place,
                            &path,
                            format!("there is no step `{text}`"),
                        )
                        .help_with(crate::diagnostic::did_you_mean(
                            text,
                            scope.steps.keys().map(StepPath::as_str),
                        ));
                }
            }
        }
        names
    }
}
