//! `secrets`: which secrets a step is given, by the environment variable through which it finds them. Names only: values are never in a file of the author's.

use super::Loader;
use crate::diagnostic::{Code, Place, did_you_mean};
use crate::fields::Fields;
use crate::yaml::{Entry, Node};
use std::collections::BTreeMap;
use tidemill_protocol::plan::{SECRETS_PER_STEP_MAX, SecretForm, SecretUse, may_name_variable};
use tidemill_protocol::spec::ComponentBody;

/// The forms by their words.
const FORMS: [SecretForm; 2] = [SecretForm::Variable, SecretForm::File];

impl Loader<'_> {
    /// Secrets that a step or component names; none of them may be one of its `variables` too.
    pub(super) fn secrets(
        &mut self,
        fields: &mut Fields<'_>,
        variables: &BTreeMap<String, String>,
    ) -> BTreeMap<String, SecretUse> {
        let path = fields.path_of("secrets");
        let entries = fields.pairs("secrets", &mut self.findings);
        if let Some(first_too_many) = entries.get(SECRETS_PER_STEP_MAX) {
            let message = format!("a step is given at most {SECRETS_PER_STEP_MAX} secrets");
            self.findings
                .add(Code::BadValue, first_too_many.key_place, &path, message);
            return BTreeMap::new();
        }
        let mut secrets = BTreeMap::new();
        for entry in entries {
            let name = &*entry.key;
            if !may_name_variable(name) {
                self.findings
                    .add(
                        Code::BadName,
                        entry.key_place,
                        &path,
                        format!("`{name}` cannot be the environment variable of a secret"),
                    )
                    .help_text("use letters, digits and `_`; names that start with `TIDEMILL_` are taken");
                continue;
            }
            if variables.contains_key(name) {
                self.findings
                    .add(
                        Code::BadValue,
                        entry.key_place,
                        &path,
                        format!("`{name}` is in `environment_variables` too"),
                    )
                    .help_text("keep it in one of the two");
                continue;
            }
            if let Some(found) = self.secret_use(entry, &format!("{path}.{name}")) {
                secrets.insert(name.to_owned(), found);
            }
        }
        secrets
    }

    /// Secrets are given to processes: a pipeline's steps name their own.
    pub(super) fn only_for_processes(&mut self, component: u32, place: Place, path: &str) {
        if matches!(self.component(component).body, ComponentBody::Graph(_)) {
            self.findings
                .add(
                    Code::UnknownKey,
                    place,
                    path,
                    "`secrets` of a step that is a pipeline would reach no step inside",
                )
                .help_text("name them at the steps inside that need them");
        }
    }

    /// The name of a secret, or an object with `secret` and `as`.
    fn secret_use(&mut self, entry: &Entry, path: &str) -> Option<SecretUse> {
        if let Some(text) = entry.value.text() {
            let form = SecretForm::Variable;
            return self.secret_name(text, &entry.value, path, form);
        }
        let mut fields = Fields::open(&entry.value, path.to_owned(), &mut self.findings)?;
        let form = self.secret_form(&mut fields);
        let name = fields.required_text("secret", &mut self.findings);
        fields.finish(Code::UnknownKey, &mut self.findings);
        let (text, node) = name?;
        self.secret_name(text, node, path, form?)
    }

    fn secret_form(&mut self, fields: &mut Fields<'_>) -> Option<SecretForm> {
        let Some((text, node)) = fields.text_node("as", &mut self.findings) else {
            return Some(SecretForm::Variable);
        };
        let found = FORMS.into_iter().find(|form| form.as_str() == text);
        if found.is_none() {
            let message = format!("a secret cannot be given as `{text}`");
            self.findings
                .add(Code::BadValue, node.place, &fields.path_of("as"), message)
                .help_with(did_you_mean(text, FORMS.map(SecretForm::as_str)));
        }
        found
    }

    fn secret_name(&mut self, text: &str, node: &Node, path: &str, form: SecretForm) -> Option<SecretUse> {
        if let Ok(secret) = text.parse() {
            return Some(SecretUse { secret, form });
        }
        // Not said back: somebody may have written a value where a name belongs.
        self.findings
            .add(
                Code::BadName,
                node.place,
                path,
                "this cannot be the name of a secret",
            )
            .help_text(
                "name a secret that `tidemill secret set NAME` keeps: letters, digits, `.`, `_` and `-`; its value does not belong in a file",
            );
        None
    }
}
