//! Data for programs: JSON with the mark of its version, the same as YAML, and lists as comma-separated rows. What people see is in `table`.

use super::yaml;
use crate::failure::Failure;
use serde::Serialize;
use serde_json::Value;

/// Which shapes these are. A field may be added under the same mark; one that goes, or changes its meaning, needs a new one.
pub(crate) const API_VERSION: &str = "tidemill/v1";

/// One thing with the mark.
#[derive(Serialize)]
struct Marked<'a, T> {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    #[serde(flatten)]
    item: &'a T,
}

/// A list with the mark.
#[derive(Serialize)]
struct List<'a, T> {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    items: &'a [T],
}

/// One thing.
pub(super) fn one<T: Serialize>(item: &T) -> impl Serialize {
    Marked {
        api_version: API_VERSION,
        item,
    }
}

/// A list of things.
pub(super) fn list<T: Serialize>(items: &[T]) -> impl Serialize {
    List {
        api_version: API_VERSION,
        items,
    }
}

/// The same as YAML.
pub(super) fn to_yaml(value: &impl Serialize) -> Result<String, Failure> {
    Ok(yaml::text(&serde_json::to_value(value)?))
}

/// One row for each item, below a row of names. What lies inside an object is named by its way (`steps.total`), a list within an item is JSON.
pub(super) fn to_csv<T: Serialize>(items: &[T], has_names: bool) -> Result<String, Failure> {
    let mut names: Vec<String> = Vec::new();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for item in items {
        let mut row = vec![String::new(); names.len()];
        fill("", &serde_json::to_value(item)?, &mut names, &mut row);
        rows.push(row);
    }
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    if has_names && !names.is_empty() {
        writer.write_record(&names)?;
    }
    for mut row in rows {
        // Items before this one may not have had all the names.
        row.resize(names.len(), String::new());
        writer.write_record(&row)?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8(bytes)?)
}

fn fill(way: &str, value: &Value, names: &mut Vec<String>, row: &mut Vec<String>) {
    let text = match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let way = if way.is_empty() {
                    name.clone()
                } else {
                    format!("{way}.{name}")
                };
                fill(&way, inner, names, row);
            }
            return;
        }
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => value.to_string(),
    };
    let place = names.iter().position(|name| name == way).unwrap_or_else(|| {
        names.push(way.to_owned());
        names.len() - 1
    });
    if row.len() <= place {
        row.resize(place + 1, String::new());
    }
    row[place] = text;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_mark_comes_first_and_a_list_has_items() {
        let single = serde_json::to_string(&one(&json!({"a": 1}))).unwrap();
        assert_eq!(single, r#"{"apiVersion":"tidemill/v1","a":1}"#);
        let several = serde_json::to_string(&list(&[1])).unwrap();
        assert_eq!(several, r#"{"apiVersion":"tidemill/v1","items":[1]}"#);
    }

    #[test]
    fn rows_have_every_name_and_texts_are_quoted_where_they_must_be() {
        let items = [
            json!({"id": "a", "steps": {"total": 2}}),
            json!({"id": "b,c", "steps": {"total": 3}, "tags": ["x"], "note": null}),
        ];
        assert_eq!(
            to_csv(&items, true).unwrap(),
            "id,steps.total,tags,note\na,2,,\n\"b,c\",3,\"[\"\"x\"\"]\",\n"
        );
        assert_eq!(to_csv(&items[..1], false).unwrap(), "a,2\n");
        assert_eq!(to_csv::<Value>(&[], true).unwrap(), "");
    }
}
