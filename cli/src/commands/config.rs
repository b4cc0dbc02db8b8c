//! `tidemill config show`: every setting, its value, and where that comes from. Passwords in addresses are not shown.

use crate::args::ConfigCommand;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::table::Column;
use crate::output::tone::Tone;
use crate::session::Session;
use crate::settings::without_password;
use crate::settings::{KEYS, Key, Settings};
use serde::Serialize;

#[derive(Debug, Serialize)]
struct Shown {
    name: &'static str,
    value: String,
    origin: String,
    variable: String,
    meaning: &'static str,
    #[serde(skip)]
    is_default: bool,
}

/// Prints them.
pub(super) fn run(session: &mut Session, command: &ConfigCommand) -> Result<Exit, Failure> {
    let ConfigCommand::Show(args) = command;
    let shown: Vec<Shown> = KEYS.iter().map(|key| show(&session.settings, key)).collect();
    let mut columns = vec![
        Column::new("SETTING", |shown: &Shown| shown.name.to_owned()).fixed(),
        Column::toned("VALUE", |shown: &Shown| {
            (
                shown.value.clone(),
                if shown.is_default { Tone::Dim } else { Tone::Plain },
            )
        }),
    ];
    if args.origin {
        columns.push(Column::new("FROM", |shown: &Shown| shown.origin.clone()));
        columns.push(Column::toned("VARIABLE", |shown: &Shown| {
            (shown.variable.clone(), Tone::Dim)
        }));
    }
    columns.push(Column::toned("MEANING", |shown: &Shown| (shown.meaning.to_owned(), Tone::Dim)).whole());
    session
        .printer
        .list(&shown, &columns, |shown| shown.name.to_owned())?;
    Ok(Exit::Good)
}

fn show(settings: &Settings, key: &'static Key) -> Shown {
    let setting = settings.origin(key.name);
    let value = setting.map_or_else(
        || {
            if key.default.is_empty() {
                "-".to_owned()
            } else {
                key.default.to_owned()
            }
        },
        |setting| match &setting.value {
            toml::Value::String(text) => without_password(text),
            toml::Value::Array(items) => items
                .iter()
                .filter_map(|i| i.as_str().map(without_password))
                .collect::<Vec<_>>()
                .join(", "),
            other => other.to_string(),
        },
    );
    Shown {
        name: key.name,
        value,
        origin: setting.map_or_else(|| "default".to_owned(), |setting| setting.origin.to_string()),
        variable: key.variable(),
        meaning: key.meaning,
        is_default: setting.is_none(),
    }
}
