//! What a submission says of datastores must be what they are: an operator decides to which places workers go, not whoever writes a submission.

use super::state::Datastores;
use std::collections::BTreeMap;
use tidemill_language::{Code, Severity};
use tidemill_protocol::api::Problem;
use tidemill_protocol::datastore::Datastore;
use tidemill_protocol::name::Name;

/// A problem for each datastore that is not, or not any more, what the submission says.
pub(crate) fn unlike(said: &BTreeMap<Name, Datastore>, datastores: &Datastores) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, said) in said {
        let known = datastores.get(name).map(|known| &known.definition);
        let is_same = known.is_some_and(|known| {
            (&known.url, &known.options, &known.secrets) == (&said.url, &said.options, &said.secrets)
        });
        if is_same {
            continue;
        }
        let message = match known {
            Some(_) => format!("the datastore `{name}` has changed since the pipeline was loaded"),
            None => format!("the coordinator has no datastore `{name}`"),
        };
        problems.push(Problem {
            code: Code::UnknownDatastore.as_str().to_owned(),
            severity: Severity::Error.as_str().to_owned(),
            message,
            help: Some("load the pipeline again; a published one has to be published again".to_owned()),
            file: None,
            line: None,
            column: None,
            path: format!("datastores.{name}"),
        });
    }
    problems
}
