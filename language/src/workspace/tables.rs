//! Reading the workspace's tables out of `tidemill.toml`.

use super::{DataEntry, EnvironmentEntry, Location, Workspace};
use crate::diagnostic::{Code, Diagnostic, Findings, Place, nearest};
use crate::fields::Fields;
use crate::yaml::{Entry, Node, Scalar, Value};
use std::ops::Range;
use std::path::{Path, PathBuf};
use tidemill_protocol::spec::DataType;
use toml::de::{DeTable, DeValue};

const SECTIONS: [&str; 6] = [
    "environments",
    "computes",
    "datastores",
    "data",
    "components",
    "default_compute",
];
/// Largest `tidemill.toml` in bytes.
const BYTES_MAX: usize = 1024 * 1024;
/// Deepest nesting of its values.
const DEPTH_MAX: usize = 16;

/// Reads the layers into the workspace, later over earlier.
pub(super) fn read(workspace: &mut Workspace, layers: &[(PathBuf, String)]) -> Result<(), Vec<Diagnostic>> {
    let mut findings = Findings::default();
    for (path, text) in layers {
        let file = findings.add_file(path.display().to_string(), text.as_str().into());
        if let Some(root) = parse(file, text, &mut findings) {
            let folder = path.parent().unwrap_or(Path::new("."));
            Layer {
                workspace,
                findings: &mut findings,
                folder,
            }
            .read(&root);
        }
    }
    findings.finish().map(|_| ()).map_err(|problems| problems.0)
}

fn place(file: u32, span: Range<usize>) -> Place {
    let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Place {
        file,
        start: number(span.start),
        end: number(span.end),
    }
}

fn parse(file: u32, text: &str, findings: &mut Findings) -> Option<Node> {
    if text.len() > BYTES_MAX {
        findings.add(
            Code::FileTooLarge,
            place(file, 0..0),
            "",
            "the file is larger than 1 MiB",
        );
        return None;
    }
    match DeTable::parse(text) {
        Ok(table) => {
            let whole = place(file, 0..text.len());
            Some(Node {
                place: whole,
                value: table_value(file, table.get_ref(), 0),
            })
        }
        Err(error) => {
            let at = place(file, error.span().unwrap_or(0..0));
            findings.add(
                Code::BadWorkspace,
                at,
                "",
                format!("this is no TOML: {}", error.message()),
            );
            None
        }
    }
}

fn table_value(file: u32, table: &DeTable<'_>, depth: usize) -> Value {
    let pairs = table.iter().map(|(key, value)| Entry {
        key: key.get_ref().as_ref().into(),
        key_place: place(file, key.span()),
        value: Node {
            place: place(file, value.span()),
            value: any_value(file, value.get_ref(), depth + 1),
        },
    });
    Value::Map(pairs.collect())
}

fn any_value(file: u32, value: &DeValue<'_>, depth: usize) -> Value {
    let scalar = |text: &str, plain: bool| {
        Value::Scalar(Scalar {
            text: text.into(),
            plain,
        })
    };
    match value {
        // Nothing of ours nests this deep; what does is somebody else's section.
        _ if depth > DEPTH_MAX => scalar("", true),
        DeValue::Table(table) => table_value(file, table, depth),
        DeValue::Array(items) => Value::List(
            items
                .iter()
                .map(|item| Node {
                    place: place(file, item.span()),
                    value: any_value(file, item.get_ref(), depth + 1),
                })
                .collect(),
        ),
        DeValue::String(text) => scalar(text, false),
        DeValue::Integer(number) => scalar(number.as_str(), true),
        DeValue::Float(number) => scalar(number.as_str(), true),
        DeValue::Boolean(truth) => scalar(if *truth { "true" } else { "false" }, true),
        DeValue::Datetime(moment) => scalar(&moment.to_string(), false),
    }
}

/// Settings, read elsewhere, whose names are near to those of sections.
const SETTINGS: &[&str] = &["datastore_allow"];

struct Layer<'a> {
    workspace: &'a mut Workspace,
    findings: &'a mut Findings,
    folder: &'a Path,
}

impl Layer<'_> {
    fn read(&mut self, root: &Node) {
        let Some(mut fields) = Fields::open(root, "", self.findings) else {
            return;
        };
        if let Some((text, node)) = fields.text_node("default_compute", self.findings) {
            self.compute_name(text, node)
                .into_iter()
                .for_each(|name| self.workspace.default_compute = name);
        }
        for entry in fields.pairs("environments", self.findings) {
            self.environment(entry);
        }
        for entry in fields.pairs("computes", self.findings) {
            self.compute(entry);
        }
        for entry in fields.pairs("datastores", self.findings) {
            if let Some((location, _)) = self.location(entry, "datastores") {
                self.workspace.datastores.insert(entry.key.to_string(), location);
            }
        }
        for entry in fields.pairs("data", self.findings) {
            if let Some((location, data_type)) = self.location(entry, "data") {
                let asset = DataEntry { location, data_type };
                self.workspace.data.insert(entry.key.to_string(), asset);
            }
        }
        for entry in fields.pairs("components", self.findings) {
            if let Some((Location::Local(path), _)) = self.location(entry, "components") {
                self.workspace.components.insert(entry.key.to_string(), path);
            }
        }
        for entry in fields.all() {
            let near = nearest(&entry.key, SECTIONS);
            let is_known = SECTIONS.contains(&&*entry.key) || SETTINGS.contains(&&*entry.key);
            if let (false, Some(near)) = (is_known, near) {
                self.findings
                    .add(
                        Code::UnknownKey,
                        entry.key_place,
                        &entry.key,
                        format!("the section `{}` is not known", entry.key),
                    )
                    .help_with(Some(format!("did you mean `{near}`?")));
            }
        }
    }

    fn compute_name(&mut self, text: &str, node: &Node) -> Option<tidemill_protocol::name::Name> {
        text.parse()
            .map_err(|error| {
                self.findings
                    .add(Code::BadName, node.place, "computes", format!("{error}"));
            })
            .ok()
    }

    fn compute(&mut self, entry: &Entry) {
        let path = format!("computes.{}", entry.key);
        let target = if let Some(text) = entry.value.text() {
            Some((text, &entry.value))
        } else if let Some(mut fields) = Fields::open(&entry.value, path, self.findings) {
            let target = fields.required_text("target", self.findings);
            fields.finish(Code::UnknownKey, self.findings);
            target
        } else {
            None
        };
        if let Some((text, node)) = target
            && let Some(name) = self.compute_name(text, node)
        {
            self.workspace.computes.insert(entry.key.to_string(), name);
        }
    }

    /// A path or address: as a text, or as a table with `path` or `url` (and for data `type`).
    fn location(&mut self, entry: &Entry, section: &str) -> Option<(Location, Option<DataType>)> {
        if let Some(text) = entry.value.text() {
            return Some((self.located(text), None));
        }
        let mut fields = Fields::open(&entry.value, format!("{section}.{}", entry.key), self.findings)?;
        let url = fields.text("url", self.findings);
        let data_type = if section == "data" {
            fields.text_node("type", self.findings).and_then(|(text, node)| {
                let found = DataType::parse(text);
                if found.is_none() {
                    self.findings.add(
                        Code::BadValue,
                        node.place,
                        section,
                        format!("`{text}` is no type of data"),
                    );
                }
                found
            })
        } else {
            None
        };
        let location = match url {
            Some(url) => Some(Location::Url(url.to_owned())),
            None => fields
                .required_text("path", self.findings)
                .map(|(path, _)| self.located(path)),
        };
        fields.finish(Code::UnknownKey, self.findings);
        location.map(|location| (location, data_type))
    }

    fn located(&self, text: &str) -> Location {
        match text.strip_prefix("file://") {
            Some(path) => Location::Local(path.into()),
            None if text.contains("://") => Location::Url(text.to_owned()),
            None => Location::Local(self.folder.join(text)),
        }
    }

    fn environment(&mut self, entry: &Entry) {
        let name = entry.key.to_string();
        if let Some(file) = entry.value.text() {
            let file = EnvironmentEntry {
                file: Some(self.folder.join(file)),
                ..EnvironmentEntry::default()
            };
            self.workspace.environments.insert(name, file);
            return;
        }
        let Some(mut fields) = Fields::open(&entry.value, format!("environments.{name}"), self.findings)
        else {
            return;
        };
        let requirements = fields.items("requirements").iter().filter_map(Node::text);
        let environment = EnvironmentEntry {
            image: fields.text("image", self.findings).map(str::to_owned),
            python: fields.python_versions("python", self.findings),
            requirements: requirements.map(str::to_owned).collect(),
            conda_file: fields
                .text("conda_file", self.findings)
                .map(|file| self.folder.join(file)),
            file: fields
                .text("file", self.findings)
                .map(|file| self.folder.join(file)),
        };
        fields.finish(Code::UnknownKey, self.findings);
        self.workspace.environments.insert(name, environment);
    }
}
