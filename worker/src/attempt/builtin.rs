//! A step that tidemill does itself: from its task to what the process of this very program is told.

use super::command::{Invocation, Values};
use super::job::Attempt;
use super::variables::text;
use crate::perform::{CopyErrand, Errand};
use std::path::{Path, PathBuf};
use tidemill_protocol::plan::{Builtin, CopyTo};

/// The hidden verb of the program that does it.
const VERB: &str = "perform";

impl Attempt {
    /// Writes down what is to be done, and answers with the program that does it.
    pub(super) fn told(&self, builtin: &Builtin, values: &Values) -> Result<Invocation, String> {
        let errand = match builtin {
            Builtin::Copy(to) => Errand::Copy(self.copy_errand(to, values)?),
            Builtin::RegisterModel { model_type } => Errand::RegisterModel {
                model_type: model_type.clone(),
                source: brought(values, Builtin::MODEL)?,
                to: given(values, Builtin::MODEL)?,
            },
            Builtin::Unknown => {
                return Err("the step is of a type that this version does not know".to_owned());
            }
        };
        let bytes = serde_json::to_vec(&errand).map_err(|error| error.to_string())?;
        let place = self.folder.script();
        std::fs::write(&place, bytes).map_err(|error| format!("cannot write what is to be done: {error}"))?;
        let program = self
            .own_program()
            .ok_or("this worker does not know its own program")?;
        Ok(Invocation {
            arguments: vec![program.clone(), VERB.to_owned(), text(&place)],
            program,
        })
    }

    /// The program that this worker is: that which starts its supervisor.
    pub(super) fn own_program(&self) -> Option<String> {
        let program = self.tools.config.supervisor.first()?;
        program.to_str().map(str::to_owned)
    }

    fn copy_errand(&self, to: &CopyTo, values: &Values) -> Result<CopyErrand, String> {
        let secrets = to.secrets.iter().map(|(option, variable)| {
            let file = self.status.secrets.file(variable);
            (option.clone(), file)
        });
        Ok(CopyErrand {
            source: brought(values, Builtin::SOURCE)?,
            url: to.url.clone(),
            path: to.path.clone(),
            options: to.options.clone(),
            secrets: secrets.collect(),
            report: given(values, Builtin::REPORT)?,
        })
    }
}

/// The place of an input; an address that this worker does not bring is none.
fn brought(values: &Values, name: &str) -> Result<PathBuf, String> {
    let found = values.inputs.iter().find(|(port, _)| port.as_str() == name);
    let place = found
        .map(|(_, place)| Path::new(place))
        .ok_or("the step has no input")?;
    if place.is_absolute() {
        Ok(place.to_owned())
    } else {
        Err(format!(
            "this worker does not bring files from {}",
            place.display()
        ))
    }
}

fn given(values: &Values, name: &str) -> Result<PathBuf, String> {
    let found = values.outputs.iter().find(|(port, _)| port.as_str() == name);
    found
        .map(|(_, place)| PathBuf::from(place))
        .ok_or_else(|| "the step has no output".to_owned())
}
