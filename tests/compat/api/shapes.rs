//! What a schema of the API's description lets through, with its indirections taken away: references followed, unions spread out, parts put together. Judges nothing.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How far references and unions are followed before a field is entered; a description that goes deeper is not ours.
const DEPTH_MAX: usize = 16;

/// One form that a value may have.
#[derive(Debug, Clone)]
pub(super) enum Shape<'a> {
    Null,
    /// A text; one of these words where they are listed.
    Text(Option<BTreeSet<&'a str>>),
    /// A number or a truth value, by its name.
    Plain(&'a str),
    List(Option<&'a Value>),
    Record(Record<'a>),
    /// Nothing is said of it.
    Anything,
}

/// An object.
#[derive(Debug, Clone, Default)]
pub(super) struct Record<'a> {
    /// The schema's name, where it has one.
    pub(super) name: Option<&'a str>,
    pub(super) fields: BTreeMap<&'a str, &'a Value>,
    pub(super) required: BTreeSet<&'a str>,
    /// What fields of any name hold.
    pub(super) others: Option<&'a Value>,
}

impl Record<'_> {
    /// What tells it from its neighbours in a union: the words that only it has, or its only field.
    pub(super) fn tag(&self) -> String {
        let fixed = self.fields.iter().filter_map(|(name, schema)| {
            let words = schema["enum"].as_array()?;
            let [only] = words.as_slice() else { return None };
            self.required.contains(name).then(|| format!("{name}: {only}"))
        });
        let fixed: Vec<String> = fixed.collect();
        match self.fields.keys().next() {
            Some(only) if fixed.is_empty() && self.fields.len() == 1 => (*only).to_owned(),
            _ => fixed.join(", "),
        }
    }

    fn and(mut self, other: &Self) -> Self {
        self.fields.extend(other.fields.iter());
        self.required.extend(other.required.iter());
        self.others = self.others.or(other.others);
        self
    }
}

/// Every form that `schema` lets through; `schemas` are those that have names.
pub(super) fn shapes<'a>(schemas: &'a Value, schema: &'a Value) -> Vec<Shape<'a>> {
    let mut found = Vec::new();
    spread(schemas, schema, DEPTH_MAX, &mut found);
    together(found)
}

fn spread<'a>(schemas: &'a Value, schema: &'a Value, depth: usize, found: &mut Vec<Shape<'a>>) {
    assert!(depth > 0, "references lead in a circle: {schema}");
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or(reference);
        let from = found.len();
        spread(schemas, &schemas[name], depth - 1, found);
        for shape in found.iter_mut().skip(from) {
            if let Shape::Record(record) = shape {
                record.name = record.name.or(Some(name));
            }
        }
        return;
    }
    for union in ["oneOf", "anyOf"] {
        if let Some(variants) = schema[union].as_array() {
            for variant in variants {
                spread(schemas, variant, depth - 1, found);
            }
            return;
        }
    }
    if let Some(parts) = schema["allOf"].as_array() {
        found.extend(put_together(schemas, parts, depth));
        return;
    }
    match &schema["type"] {
        Value::String(kind) => found.push(of_type(kind, schema)),
        Value::Array(kinds) => {
            found.extend(kinds.iter().filter_map(Value::as_str).map(|k| of_type(k, schema)));
        }
        _ => found.push(Shape::Anything),
    }
}

/// Each form of each part with each form of the others.
fn put_together<'a>(schemas: &'a Value, parts: &'a [Value], depth: usize) -> Vec<Shape<'a>> {
    let mut all = vec![Record::default()];
    for part in parts {
        let mut forms = Vec::new();
        spread(schemas, part, depth - 1, &mut forms);
        if !forms.iter().any(|form| matches!(form, Shape::Record(_))) {
            return forms;
        }
        let mut more = Vec::new();
        for form in &forms {
            let Shape::Record(form) = form else { continue };
            more.extend(all.iter().map(|one| one.clone().and(form)));
        }
        all = more;
    }
    all.into_iter().map(Shape::Record).collect()
}

fn of_type<'a>(kind: &'a str, schema: &'a Value) -> Shape<'a> {
    match kind {
        "null" => Shape::Null,
        "string" => {
            let words = schema["enum"].as_array();
            Shape::Text(words.map(|words| words.iter().filter_map(Value::as_str).collect()))
        }
        "array" => Shape::List(schema.get("items")),
        "object" => {
            let fields = schema["properties"].as_object().into_iter().flatten();
            let required = schema["required"].as_array().into_iter().flatten();
            Shape::Record(Record {
                name: None,
                fields: fields.map(|(name, field)| (name.as_str(), field)).collect(),
                required: required.filter_map(Value::as_str).collect(),
                others: schema
                    .get("additionalProperties")
                    .filter(|others| others.is_object()),
            })
        }
        other => Shape::Plain(other),
    }
}

/// The same with one text at most: its words are those of all texts.
fn together(found: Vec<Shape<'_>>) -> Vec<Shape<'_>> {
    let mut others = Vec::new();
    let mut texts = None;
    for shape in found {
        match shape {
            Shape::Text(words) => {
                texts = Some(match (texts, words) {
                    (None, words) => words,
                    (Some(Some(all)), Some(words)) => Some(&all | &words),
                    (Some(_), _) => None,
                });
            }
            other => others.push(other),
        }
    }
    others.extend(texts.map(Shape::Text));
    others
}
