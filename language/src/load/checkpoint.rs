//! `checkpoint`: that what an attempt saves is handed to the next one, how often it is taken to the store, and where the step puts it.

use super::Loader;
use super::units::duration;
use crate::diagnostic::Code;
use crate::fields::Fields;
use tidemill_protocol::name::ArtifactPath;
use tidemill_protocol::plan::CheckpointRule;
use tidemill_protocol::time::Millis;

/// How often the folder is looked at when the author does not say.
const EVERY: Millis = Millis::from_secs(60);
/// Shortest and longest pause between two looks.
const EVERY_RANGE: std::ops::RangeInclusive<Millis> = Millis::from_secs(1)..=Millis::from_secs(86_400);

impl Loader<'_> {
    /// A length of time, or an object with `every` and `path`.
    pub(super) fn checkpoint(&mut self, fields: &mut Fields<'_>) -> Option<CheckpointRule> {
        let node = fields.get("checkpoint")?;
        if node.text().is_some() {
            let every = self.checkpoint_pause(fields, "checkpoint")?;
            return Some(CheckpointRule { every, path: None });
        }
        let mut fields = fields.fields("checkpoint", &mut self.findings)?;
        let every = self.checkpoint_pause(&mut fields, "every").unwrap_or(EVERY);
        let path = self.checkpoint_path(&mut fields);
        fields.finish(Code::UnknownKey, &mut self.findings);
        Some(CheckpointRule { every, path })
    }

    fn checkpoint_pause(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Option<Millis> {
        let (text, node) = fields.text_node(key, &mut self.findings)?;
        let found = duration(text).filter(|every| EVERY_RANGE.contains(every));
        if found.is_none() {
            let message = format!("`{text}` is no pause between checkpoints");
            self.findings
                .add(Code::BadValue, node.place, &fields.path_of(key), message)
                .help_text("write a length of time from 1s to 1d, e.g. `60s`, `10m`");
        }
        found
    }

    fn checkpoint_path(&mut self, fields: &mut Fields<'_>) -> Option<ArtifactPath> {
        let (text, node) = fields.text_node("path", &mut self.findings)?;
        match text.trim_start_matches("./").trim_end_matches('/').parse() {
            Ok(path) => Some(path),
            Err(error) => {
                let message = format!("the checkpoint's {error}");
                self.findings
                    .add(Code::BadValue, node.place, &fields.path_of("path"), message)
                    .help_text("name a folder below the step's working folder, e.g. `checkpoints`");
                None
            }
        }
    }
}
