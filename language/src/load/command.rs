//! The body of a command component or inline command step.

use super::Loader;
use super::site::Site;
use crate::diagnostic::Code;
use crate::expression::pieces;
use crate::fields::Fields;
use crate::shell::optional::{inputs, parts};
use crate::shell::{Fault, Interface};
use crate::yaml::Node;
use std::path::Path;
use tidemill_protocol::spec::CommandSpec;

impl Loader<'_> {
    /// Reads `command`, `code`, `environment` and what belongs to them.
    pub(super) fn command_body(
        &mut self,
        fields: &mut Fields<'_>,
        folder: &Path,
        interface: Interface<'_>,
    ) -> Option<CommandSpec> {
        let command = fields.required_text("command", &mut self.findings);
        let code = self.code_of(fields, folder);
        let environment = fields
            .get("environment")
            .and_then(|node| self.environment(node, folder, &fields.path_of("environment")))
            .unwrap_or_default();
        let environment_variables = self.environment_variables(fields);
        for (name, value) in &environment_variables {
            if let Err(bad) = pieces(value) {
                let place = fields.place();
                self.bad_expression(
                    bad,
                    place,
                    &format!("{}.environment_variables.{name}", fields.path),
                );
            }
        }
        let secrets = self.secrets(fields, &environment_variables);
        let resources = self.resources(fields).unwrap_or_default();
        let distribution = self.distribution(fields);
        let timeout = self.limits(fields);
        fields.ignore(&["additional_includes", "queue_settings"], &mut self.findings);
        let (text, node) = command?;
        if text.trim().is_empty() {
            self.findings.add(
                Code::BadValue,
                node.place,
                &fields.path_of("command"),
                "the command is empty",
            );
            return None;
        }
        self.check_command(text, node, &fields.path_of("command"), interface);
        Some(CommandSpec {
            command: text.to_owned(),
            code,
            environment,
            environment_variables,
            secrets,
            resources,
            distribution,
            timeout,
        })
    }

    /// `code`: a local folder.
    pub(super) fn code_of(&mut self, fields: &mut Fields<'_>, folder: &Path) -> Option<u32> {
        let (text, node) = fields.text_node("code", &mut self.findings)?;
        let path = fields.path_of("code");
        let site = Site {
            folder,
            place: node.place,
            path: &path,
        };
        self.code(text, site)
    }

    /// Compiles the command for all optional inputs bound and for none, and notes what is wrong with either.
    fn check_command(&mut self, text: &str, node: &Node, path: &str, interface: Interface<'_>) {
        let required = |name: &str| {
            interface
                .inputs
                .get(name)
                .is_some_and(|input| !input.optional || input.default.is_some())
        };
        let everything = interface.compile(text, &|_| true);
        let has_blocks = text.contains("$[[");
        let optional = interface
            .inputs
            .values()
            .any(|input| input.optional && input.default.is_none());
        let least = (has_blocks || optional).then(|| interface.compile(text, &required));
        let mut noted: Vec<Fault> = Vec::new();
        for outcome in std::iter::once(everything).chain(least) {
            let faults = match outcome {
                Ok(compiled) => compiled.warnings,
                Err(faults) => faults,
            };
            for fault in faults {
                if !noted.contains(&fault) {
                    self.command_fault(&fault, node, path);
                    noted.push(fault);
                }
            }
        }
        for part in parts(text).unwrap_or_default() {
            if part.optional && inputs(part.text).is_empty() {
                let place = self.findings.locate(node.place, part.text);
                self.findings
                    .add(
                        Code::AimlessBlock,
                        place,
                        path,
                        "the optional block names no input: its text always stands",
                    )
                    .help_text("write `$[[ --flag ${{inputs.NAME}} ]]`");
            }
            for name in inputs(part.text) {
                let unsure = interface
                    .inputs
                    .get(name.as_str())
                    .is_some_and(|i| i.optional && i.default.is_none());
                if unsure && !part.optional {
                    let place = self.findings.locate(node.place, &name);
                    self.findings
                        .add(
                            Code::OptionalUse,
                            place,
                            path,
                            format!("the optional input `{name}` reads as empty when it is not bound"),
                        )
                        .help_text(
                            "put it and its flag in an optional block: `$[[ --flag ${{inputs.NAME}} ]]`",
                        );
                }
            }
        }
    }

    fn command_fault(&mut self, fault: &Fault, node: &Node, path: &str) {
        let place = self.findings.locate(node.place, &fault.spelling);
        let help = (!fault.help.is_empty()).then(|| fault.help.clone());
        self.findings
            .add(fault.code, place, path, fault.message.clone())
            .help_with(help);
    }
}
