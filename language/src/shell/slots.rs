//! Which slot each reference of a command has, given the interface of its component.

use super::{Fault, Slot, optional};
use crate::diagnostic::{Code, did_you_mean};
use crate::expression::Reference;
use std::collections::BTreeMap;
use tidemill_protocol::literal::LiteralType;
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::Fragment;
use tidemill_protocol::spec::{InputSpec, InputType, OutputSpec};

/// The inputs and outputs that a command may name.
#[derive(Clone, Copy)]
pub(crate) struct Interface<'a> {
    pub(crate) inputs: &'a BTreeMap<PortName, InputSpec>,
    pub(crate) outputs: &'a BTreeMap<PortName, OutputSpec>,
}

impl Interface<'_> {
    /// Compiles a command for the case that exactly these inputs are bound.
    pub(crate) fn compile(
        self,
        command: &str,
        bound: &dyn Fn(&str) -> bool,
    ) -> Result<super::Compiled, Vec<Fault>> {
        let text = optional::resolve(command, bound).map_err(|fault| vec![fault])?;
        super::compile(&text, &|reference, spelling| {
            self.slot(reference, spelling, bound)
        })
    }

    fn slot(
        self,
        reference: &Reference,
        spelling: &str,
        bound: &dyn Fn(&str) -> bool,
    ) -> Result<Slot, Fault> {
        match reference {
            Reference::Input(name) => match self.inputs.get_key_value(name.as_str()) {
                Some(_) if !bound(name) => Ok(Slot::Empty),
                Some((port, input)) => Ok(Slot::Variable {
                    numeric: matches!(
                        input.input_type,
                        InputType::Literal(LiteralType::Integer | LiteralType::Number)
                    ),
                    fragment: Fragment::Input(port.clone()),
                }),
                None => Err(unknown(
                    Code::UnknownInput,
                    "input",
                    name,
                    spelling,
                    self.inputs.keys(),
                )),
            },
            Reference::Output(name) => match self.outputs.get_key_value(name.as_str()) {
                Some((port, _)) => Ok(Slot::Variable {
                    numeric: false,
                    fragment: Fragment::Output(port.clone()),
                }),
                None => Err(unknown(
                    Code::UnknownOutput,
                    "output",
                    name,
                    spelling,
                    self.outputs.keys(),
                )),
            },
            Reference::ParentInput(name) => Err(misplaced(
                spelling,
                &format!("inputs:\n  {name}: {spelling}"),
                name,
            )),
            Reference::StepOutput { output, .. } => Err(misplaced(
                spelling,
                &format!("inputs:\n  {output}: {spelling}"),
                output,
            )),
            Reference::ParentOutput(_) | Reference::SearchSpace(_) | Reference::Macro(_) => Err(Fault {
                code: Code::MisplacedExpression,
                message: format!("`{spelling}` has no meaning in a command"),
                help:
                    "a command can name its own inputs and outputs: `${{inputs.NAME}}`, `${{outputs.NAME}}`"
                        .to_owned(),
                spelling: spelling.to_owned(),
            }),
        }
    }
}

fn misplaced(spelling: &str, binding: &str, name: &str) -> Fault {
    Fault {
        code: Code::MisplacedExpression,
        message: format!("`{spelling}` cannot stand in a command"),
        help: format!(
            "bind it to an input of the step and name that:\n{binding}\ncommand: … ${{{{inputs.{name}}}}}"
        ),
        spelling: spelling.to_owned(),
    }
}

fn unknown<'a>(
    code: Code,
    kind: &str,
    name: &str,
    spelling: &str,
    known: impl Iterator<Item = &'a PortName>,
) -> Fault {
    Fault {
        code,
        message: format!("there is no {kind} `{name}`"),
        help: did_you_mean(name, known.map(PortName::as_str))
            .unwrap_or_else(|| format!("declare it under `{kind}s:`")),
        spelling: spelling.to_owned(),
    }
}
