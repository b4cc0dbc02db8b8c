//! Where a copy goes: a path in a datastore, or an address of one. Which datastore an address lies in, and what its parameters are, is found when it is planned.

use super::Loader;
use super::binding::Scope;
use super::site::Site;
use crate::diagnostic::Code;
use crate::expression::{Piece, Reference, has_expression, pieces};
use crate::fields::Fields;
use crate::workspace::Location;
use tidemill_protocol::datastore::DatastoreKind;

const HELP: &str = "write `azureml://datastores/NAME/paths/PATH`, or the address of a place in a datastore: `s3://…`, `az://…`, `gs://…`, `file:///…`";

impl Loader<'_> {
    /// The address of a step's `destination`, with its parameters as they are written.
    pub(super) fn destination(&mut self, fields: &mut Fields<'_>, scope: &Scope<'_>) -> Option<String> {
        let (text, node) = fields.required_text("destination", &mut self.findings)?;
        let path = fields.path_of("destination");
        let site = Site {
            folder: scope.folder,
            place: node.place,
            path: &path,
        };
        self.parameters_of(text, site, scope)?;
        let address = match text.strip_prefix("azureml://") {
            Some(rest) => self.in_datastore(rest, site)?,
            None => text.to_owned(),
        };
        match DatastoreKind::of(&address) {
            Some(DatastoreKind::Http) | None => {
                let message = format!("nothing can be copied to `{text}`");
                self.findings
                    .add(Code::Unsupported, site.place, site.path, message)
                    .help_text(HELP);
                None
            }
            Some(_) => Some(address),
        }
    }

    /// A destination can hold parameters of the pipeline, and no other expression.
    fn parameters_of(&mut self, text: &str, site: Site<'_>, scope: &Scope<'_>) -> Option<()> {
        let pieces = match pieces(text) {
            Ok(pieces) => pieces,
            Err(bad) => {
                self.bad_expression(bad, site.place, site.path);
                return None;
            }
        };
        for piece in pieces {
            match piece {
                Piece::Text(_) => {}
                Piece::Reference(Reference::ParentInput(name), _) => {
                    self.parent_input(&name, site.place, site.path, scope)?;
                }
                Piece::Reference(_, spelling) => {
                    let message = format!("`{spelling}` has no meaning in a destination");
                    self.findings
                        .add(Code::MisplacedExpression, site.place, site.path, message)
                        .help_text("it can hold parameters of the pipeline: `${{parent.inputs.NAME}}`");
                    return None;
                }
            }
        }
        Some(())
    }

    /// `…datastores/D/paths/P` as an address.
    fn in_datastore(&mut self, rest: &str, site: Site<'_>) -> Option<String> {
        let named = rest
            .split_once("datastores/")
            .or_else(|| rest.split_once("datastore/"));
        let (store, inner) = match named.map(|(_, named)| named.split_once("/paths/").unwrap_or((named, "")))
        {
            Some((store, inner)) if !has_expression(store) => (store.trim_end_matches('/'), inner),
            _ => {
                let message = format!("`azureml://{rest}` names no datastore");
                self.findings
                    .add(Code::BadValue, site.place, site.path, message)
                    .help_text(HELP);
                return None;
            }
        };
        let location = self.location_of(store, site)?;
        self.inside(inner, site)?;
        let base = match location {
            Location::Url(url) => url,
            Location::Local(folder) => {
                let folder = std::path::absolute(&folder).unwrap_or(folder);
                format!("file://{}", folder.display())
            }
        };
        Some(format!("{}/{inner}", base.trim_end_matches('/')))
    }
}
