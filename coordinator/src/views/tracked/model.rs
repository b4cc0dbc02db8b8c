//! A logged model, and what a search may ask of it.

use crate::tracking::LoggedModel;
use crate::tracking::search::{Field, Subject, Vocabulary};
use std::borrow::Cow;
use std::sync::Arc;

/// What may be asked of logged models.
pub(crate) const MODELS: Vocabulary = Vocabulary {
    things: "models",
    numbers: &["creation_timestamp", "last_updated_timestamp"],
    texts: &["name", "model_id", "model_type", "status", "source_run_id"],
    spellings: &[
        ("creation_time", "creation_timestamp"),
        ("creation_timestamp_ms", "creation_timestamp"),
        ("last_updated_timestamp_ms", "last_updated_timestamp"),
    ],
    has_metrics: true,
};

/// A logged model with its id.
#[derive(Debug, Clone)]
pub(crate) struct ShownModel {
    pub(crate) id: String,
    pub(crate) model: Arc<LoggedModel>,
}

impl Subject for ShownModel {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of our age are exact in a float"
    )]
    fn number(&self, field: &Field) -> Option<f64> {
        match field {
            Field::Metric(key) => self.model.metric(key),
            Field::Number("creation_timestamp") => Some(self.model.created_at.0 as f64),
            Field::Number(_) => Some(self.model.changed_at.0 as f64),
            _ => None,
        }
    }

    fn text(&self, field: &Field) -> Option<Cow<'_, str>> {
        let what = &self.model.what;
        match field {
            Field::Param(key) => what.params.get(key).map(Into::into),
            Field::Tag(key) => what.tags.get(key).map(Into::into),
            Field::Text("name") => Some((&what.name).into()),
            Field::Text("model_id") => Some((&self.id).into()),
            Field::Text("model_type") => what.model_type.as_ref().map(Into::into),
            Field::Text("status") => Some(self.model.status.as_str().into()),
            Field::Text(_) => what.run.as_ref().map(|run| run.as_str().into()),
            _ => None,
        }
    }
}
