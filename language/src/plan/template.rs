//! Templates: what steps execute and under which rules. Equal ones are made once.

use super::PlanRequest;
use super::bind::{Inputs, literal_of};
use super::builtin::{self, Around};
use super::expand::{Expansion, Leaf};
use super::expanded::expanded;
use super::problems::ProblemList;
use super::size;
use crate::diagnostic::Code;
use crate::shell::Interface;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tidemill_protocol::codec;
use tidemill_protocol::datastore::Datastore;
use tidemill_protocol::key::InputValue;
use tidemill_protocol::name::{Name, PortName};
use tidemill_protocol::plan::{
    InputBinding, InputMode, InputPort, OutputPort, PortType, RetryPolicy, SECRETS_PER_STEP_MAX, SecretUse,
    StepKind, StepRules, StepTemplate, StepWork, When, may_name_variable,
};
use tidemill_protocol::spec::{
    CommandSpec, ComponentBody, ComponentSpec, DataType, OutputSpec, PipelineSpec, StepSpec, TargetSpec,
};

pub(super) struct Templates<'a, 's> {
    spec: &'s PipelineSpec,
    expansion: &'a Expansion<'s>,
    request: &'a PlanRequest,
    /// What each pipeline hands down to its steps; filled when first asked for.
    inherited: Vec<Option<Inherited>>,
    registers: HashMap<usize, Vec<(PortName, &'s tidemill_protocol::plan::Registration)>>,
    list: Vec<Arc<StepTemplate>>,
    /// What each takes in a message.
    bytes: Vec<usize>,
    known: HashMap<Vec<u8>, u32>,
    /// Rules that some template has, by their encoding: most steps share theirs.
    rules: HashMap<Vec<u8>, Arc<StepRules>>,
}

/// What a pipeline hands down to its steps.
#[derive(Clone)]
struct Inherited {
    target: Option<Name>,
    priority: i32,
    retry: Option<RetryPolicy>,
    timeout: Option<tidemill_protocol::time::Millis>,
    checkpoint: Option<tidemill_protocol::plan::CheckpointRule>,
    cache: bool,
}

impl<'a, 's> Templates<'a, 's> {
    pub(super) fn new(
        spec: &'s PipelineSpec,
        expansion: &'a Expansion<'s>,
        request: &'a PlanRequest,
    ) -> Self {
        let mut registers: HashMap<_, Vec<_>> = HashMap::new();
        for (leaf, output, registration) in expansion.outer_registrations() {
            registers.entry(leaf).or_default().push((output, registration));
        }
        Self {
            spec,
            expansion,
            request,
            inherited: vec![None; expansion.instances.len()],
            registers,
            list: Vec::new(),
            bytes: Vec::new(),
            known: HashMap::new(),
            rules: HashMap::new(),
        }
    }

    pub(super) fn finish(self) -> Vec<Arc<StepTemplate>> {
        self.list
    }

    /// What the template at this place takes in a message; nothing after a problem.
    pub(super) fn bytes(&self, place: u32) -> usize {
        self.bytes.get(place as usize).copied().unwrap_or_default()
    }

    /// The place of a leaf's template. After a problem any place is given: the plan is not used then.
    pub(super) fn of(
        &mut self,
        index: usize,
        inputs: &Inputs,
        scopes: &[Inputs],
        when: &[When],
        problems: &mut ProblemList,
    ) -> u32 {
        let leaf = &self.expansion.leaves[index];
        let scope = &scopes[leaf.instance];
        let path = leaf.path.as_str();
        let mut rules = self.rules(index, scopes, when[index], problems);
        rules.reads = self.reads(inputs);
        let mut ports: BTreeMap<PortName, InputPort> = inputs
            .iter()
            .map(|(name, input)| (name.clone(), input.port.clone()))
            .collect();
        let variables = variables(leaf.step, leaf.component, inputs, scope, path, problems);
        let mut secrets = secrets(leaf.step, leaf.component, &variables, path, problems);
        let mut does = None;
        if let Some(other) = builtin::of(leaf.component) {
            let around = Around {
                spec: self.spec,
                request: self.request,
                inputs,
                scope,
                path,
            };
            if let Some(planned) = builtin::plan(leaf.component, other, &around, &mut ports, problems) {
                rules.reads.extend(planned.reads);
                secrets.extend(planned.secrets);
                does = Some(planned.does);
            }
        }
        let overrides = &leaf.step.overrides;
        let key = codec::encode(&(
            leaf.step.component,
            &rules,
            &ports,
            &variables,
            (&secrets, &does),
            &overrides.environment,
            &overrides.distribution,
        ));
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let Some(mut work) = self.work(leaf, ports, (variables, secrets), problems) else {
            return 0;
        };
        if let Some(does) = does {
            work.kind = StepKind::Builtin(does);
        }
        let place =
            u32::try_from(self.list.len()).expect("templates are at most as many as steps, which are capped");
        let rules = self
            .rules
            .entry(codec::encode(&rules))
            .or_insert_with(|| Arc::new(rules))
            .clone();
        let template = StepTemplate::new(work, rules);
        self.bytes.push(size::of_template(&template));
        self.list.push(Arc::new(template));
        self.known.insert(key, place);
        place
    }

    /// The datastores in which addresses among these inputs lie, those whose files have to be brought from there. Of a folder of the machine that are copies only.
    fn reads(&self, inputs: &Inputs) -> Vec<Datastore> {
        let stores = self.spec.datastores.values().filter(|store| {
            let (is_bucket, is_folder) = (store.is_bucket(), store.is_folder());
            let holds = |input: &super::bind::Input| match &input.binding {
                InputBinding::Value(InputValue::Uri(uri)) => {
                    let is_brought = is_bucket || is_folder && input.port.mode == InputMode::Copy;
                    is_brought && store.path_of(uri).is_some()
                }
                _ => false,
            };
            inputs.values().any(holds)
        });
        stores.cloned().collect()
    }

    fn rules(
        &mut self,
        index: usize,
        scopes: &[Inputs],
        when: When,
        problems: &mut ProblemList,
    ) -> StepRules {
        let leaf = &self.expansion.leaves[index];
        let around = self.inherited(leaf.instance, scopes, problems);
        let overrides = &leaf.step.overrides;
        let own = overrides
            .target
            .as_ref()
            .and_then(|target| self.target(target, &scopes[leaf.instance], leaf.path.as_str(), problems));
        let target = own.or(around.target).unwrap_or_else(|| {
            let help = "set `compute` at the step, or `settings.default_compute`".to_owned();
            problems.add_with_help(
                Code::BadCompute,
                leaf.path.as_str(),
                "the step has no compute target",
                Some(help),
            );
            self.spec.name.clone()
        });
        let (resources, timeout) = match &leaf.component.body {
            ComponentBody::Command(command) => (command.resources.clone(), command.timeout),
            ComponentBody::Other(other) => (other.resources.clone(), other.timeout),
            ComponentBody::Graph(_) => Default::default(),
        };
        let mut registers = leaf.step.registers.clone();
        for (output, registration) in self.registers.get(&index).into_iter().flatten() {
            registers
                .entry(output.clone())
                .or_insert_with(|| (*registration).clone());
        }
        for (output, registration) in &mut registers {
            let declared = leaf.component.outputs.get(output);
            let declared = declared.map(|output| output.data_type.as_str().to_owned());
            registration.data_type = registration.data_type.take().or(declared);
        }
        StepRules {
            display_name: leaf.step.display_name.clone(),
            target,
            resources: overrides.resources.clone().unwrap_or(resources),
            priority: around.priority.saturating_add(overrides.priority.unwrap_or(0)),
            timeout: overrides.timeout.or(timeout).or(around.timeout),
            retry: overrides.retry.clone().or(around.retry).unwrap_or_default(),
            cache: overrides.cache.unwrap_or(around.cache) && leaf.component.deterministic,
            when,
            checkpoint: overrides.checkpoint.clone().or(around.checkpoint),
            registers,
            reads: Vec::new(),
        }
    }

    /// What a pipeline hands down. Recursion goes as deep as pipelines are nested, which is capped.
    fn inherited(&mut self, instance: usize, scopes: &[Inputs], problems: &mut ProblemList) -> Inherited {
        if let Some(known) = &self.inherited[instance] {
            return known.clone();
        }
        let here = &self.expansion.instances[instance];
        let mut found = Inherited {
            target: None,
            priority: self.request.priority,
            retry: None,
            timeout: None,
            checkpoint: None,
            cache: here.component.deterministic,
        };
        if let Some((parent, step)) = here.parent {
            let outer = self.inherited(parent, scopes, problems);
            let overrides = &step.overrides;
            let own = overrides
                .target
                .as_ref()
                .and_then(|target| self.target(target, &scopes[parent], &here.prefix, problems));
            found = Inherited {
                target: own.or(outer.target),
                priority: outer.priority.saturating_add(overrides.priority.unwrap_or(0)),
                retry: overrides.retry.clone().or(outer.retry),
                timeout: overrides.timeout.or(outer.timeout),
                checkpoint: overrides.checkpoint.clone().or(outer.checkpoint),
                cache: overrides.cache.unwrap_or(outer.cache) && here.component.deterministic,
            };
        }
        let default = here.graph.default_target.as_ref();
        if let Some(name) =
            default.and_then(|target| self.target(target, &scopes[instance], &here.prefix, problems))
        {
            found.target = Some(name);
        }
        self.inherited[instance] = Some(found.clone());
        found
    }

    fn target(
        &self,
        target: &TargetSpec,
        scope: &Inputs,
        path: &str,
        problems: &mut ProblemList,
    ) -> Option<Name> {
        let port = match target {
            TargetSpec::Name(name) => return Some(name.clone()),
            TargetSpec::Input(port) => port,
        };
        let Some(text) = literal_of(scope, port.as_str()) else {
            let message = format!("the input `{port}` names no compute");
            problems.add(Code::BadCompute, path, message);
            return None;
        };
        let bare = text.strip_prefix("azureml:").unwrap_or(&text);
        if let Some(name) = self.spec.computes.get(bare) {
            return Some(name.clone());
        }
        bare.parse()
            .map_err(|error| problems.add(Code::BadCompute, path, format!("the compute {error}")))
            .ok()
    }

    fn work(
        &self,
        leaf: &Leaf<'_>,
        ports: BTreeMap<PortName, InputPort>,
        (variables, secrets): (BTreeMap<String, String>, BTreeMap<String, SecretUse>),
        problems: &mut ProblemList,
    ) -> Option<StepWork> {
        let (component, overrides, path) = (leaf.component, &leaf.step.overrides, leaf.path.as_str());
        let (kind, code, environment, distribution) = match &component.body {
            ComponentBody::Command(command) => (
                command_kind(command, component, &ports, path, problems)?,
                command.code,
                &command.environment,
                command.distribution.clone(),
            ),
            ComponentBody::Other(other) => (
                StepKind::Other {
                    name: other.kind.clone(),
                    settings: other.settings.clone(),
                },
                other.code,
                &other.environment,
                None,
            ),
            ComponentBody::Graph(_) => return None,
        };
        let code = match code {
            None => None,
            Some(index) => {
                let content = self.spec.contents.get(index as usize).copied();
                if content.is_none() {
                    problems.add(Code::BadSpec, path, "the code of this step is missing");
                }
                Some(content?)
            }
        };
        Some(StepWork {
            kind,
            code,
            environment: overrides.environment.as_ref().unwrap_or(environment).clone(),
            environment_variables: variables,
            secrets,
            inputs: ports,
            outputs: component
                .outputs
                .iter()
                .map(|(name, output)| (name.clone(), output_port(output)))
                .collect(),
            distribution: overrides.distribution.clone().or(distribution),
        })
    }
}

fn command_kind(
    command: &CommandSpec,
    component: &ComponentSpec,
    ports: &BTreeMap<PortName, InputPort>,
    path: &str,
    problems: &mut ProblemList,
) -> Option<StepKind> {
    let interface = Interface {
        inputs: &component.inputs,
        outputs: &component.outputs,
    };
    match interface.compile(&command.command, &|name| ports.contains_key(name)) {
        Ok(compiled) => Some(StepKind::Command(compiled.command)),
        Err(faults) => {
            for fault in faults {
                problems.add_with_help(
                    fault.code,
                    &format!("{path}.command"),
                    fault.message,
                    Some(fault.help),
                );
            }
            None
        }
    }
}

fn output_port(output: &OutputSpec) -> OutputPort {
    OutputPort {
        port_type: match output.data_type {
            DataType::UriFile => PortType::File,
            _ => PortType::Folder,
        },
        file_name: output.file_name.clone(),
        optional: output.optional,
    }
}

/// The author's variables: the component's, then the step's over them. Expressions in them take literals only, which are known now.
fn variables(
    step: &StepSpec,
    component: &ComponentSpec,
    inputs: &Inputs,
    scope: &Inputs,
    path: &str,
    problems: &mut ProblemList,
) -> BTreeMap<String, String> {
    let own = match &component.body {
        ComponentBody::Command(command) => &command.environment_variables,
        ComponentBody::Other(other) => &other.environment_variables,
        ComponentBody::Graph(_) => return BTreeMap::new(),
    };
    let mut variables = BTreeMap::new();
    for (name, value) in own.iter().chain(&step.overrides.environment_variables) {
        match expanded(value, inputs, scope) {
            Ok(text) => {
                variables.insert(name.clone(), text);
            }
            Err(message) => problems.add(
                Code::MisplacedExpression,
                &format!("{path}.environment_variables.{name}"),
                message,
            ),
        }
    }
    variables
}

/// The secrets: the component's, then the step's over them. Checked again, because nobody vouches for a specification.
fn secrets(
    step: &StepSpec,
    component: &ComponentSpec,
    variables: &BTreeMap<String, String>,
    path: &str,
    problems: &mut ProblemList,
) -> BTreeMap<String, SecretUse> {
    let own = match &component.body {
        ComponentBody::Command(command) => &command.secrets,
        ComponentBody::Other(other) => &other.secrets,
        ComponentBody::Graph(_) => return BTreeMap::new(),
    };
    let mut secrets = own.clone();
    secrets.extend(step.overrides.secrets.clone());
    let path = format!("{path}.secrets");
    if secrets.len() > SECRETS_PER_STEP_MAX {
        let message = format!("a step is given at most {SECRETS_PER_STEP_MAX} secrets");
        problems.add(Code::BadValue, &path, message);
    }
    for name in secrets.keys() {
        if !may_name_variable(name) {
            let message = format!("`{name}` cannot be the environment variable of a secret");
            problems.add(Code::BadName, &path, message);
        } else if variables.contains_key(name) {
            let message = format!("`{name}` is in `environment_variables` too");
            let help = "keep it in one of the two".to_owned();
            problems.add_with_help(Code::BadValue, &path, message, Some(help));
        }
    }
    secrets
}
