//! Published pipelines in lists, and one version with its parameters.

use crate::failure::Failure;
use crate::output::table::Column;
use crate::output::tone::Tone;
use crate::output::{Printer, humane};
use tidemill_protocol::api::{AssetView, VersionView};
use tidemill_protocol::catalog::{DEFAULT, LATEST, ParameterDoc, Stage};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::spec::DataType;
use tidemill_protocol::time::Timestamp;

/// The columns of a list of published pipelines.
pub(crate) fn columns(now: Timestamp) -> Vec<Column<AssetView>> {
    vec![
        Column::new("PIPELINE", |asset: &AssetView| asset.name.to_string()).fixed(),
        Column::new("DEFAULT", |asset: &AssetView| {
            let default = asset.labels.get(DEFAULT).unwrap_or(&asset.latest);
            default.to_string()
        }),
        Column::new("LATEST", |asset: &AssetView| asset.latest.to_string()),
        Column::new("VERSIONS", |asset: &AssetView| asset.versions.to_string()).number(),
        Column::toned("PUBLISHED", move |asset: &AssetView| {
            (humane::ago(asset.created_at, now), Tone::Dim)
        }),
        Column::new("BY", |asset: &AssetView| asset.created_by.clone()).wide(),
        Column::new("DESCRIPTION", |asset: &AssetView| asset.description.clone()).wide(),
    ]
}

/// `NAME:VERSION`.
pub(crate) fn id(version: &VersionView) -> String {
    format!("{}:{}", version.name, version.version)
}

/// `train:3  default, latest`, and how it stands where that is not active.
pub(crate) fn titled(version: &VersionView) -> String {
    let mut text = id(version);
    let stage = (version.stage != Stage::Active).then(|| word(version.stage).to_owned());
    let labels: Vec<String> = version.labels.iter().cloned().chain(stage).collect();
    if !labels.is_empty() {
        text.push_str("  ");
        text.push_str(&labels.join(", "));
    }
    text
}

const fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Active => "active",
        Stage::Deprecated => "deprecated",
        Stage::Disabled => "disabled",
    }
}

/// Shows a version: what it is, what may be given to it, and which others there are.
pub(crate) fn show(
    printer: &mut Printer,
    version: &VersionView,
    all: &[VersionView],
    now: Timestamp,
) -> Result<(), Failure> {
    printer.line(Tone::Strong.paint(titled(version)))?;
    let mut facts = vec![(
        "published",
        format!(
            "{} by {}",
            humane::ago(version.created_at, now),
            version.created_by
        ),
    )];
    if let Some(run) = version.origin.run {
        facts.push(("from run", humane::short_run(&run)));
    }
    if !version.description.is_empty() {
        facts.push(("about", version.description.trim().to_owned()));
    }
    facts.extend(
        version
            .tags
            .iter()
            .map(|(name, value)| ("tag", format!("{name} = {value}"))),
    );
    for (name, value) in facts {
        printer.line(format_args!("  {:<10} {value}", Tone::Dim.paint(name)))?;
    }
    if !version.parameters().is_empty() {
        printer.line("")?;
        printer.table(version.parameters(), &parameters())?;
    }
    if all.len() > 1 {
        printer.line("")?;
        printer.table(all, &versions(now))?;
    }
    Ok(())
}

/// The columns of a list of parameters.
pub(crate) fn parameters() -> Vec<Column<ParameterDoc>> {
    vec![
        Column::new("PARAMETER", |one: &ParameterDoc| one.name.to_string()).fixed(),
        Column::new("TYPE", |one: &ParameterDoc| one.type_name.clone()),
        Column::new("DEFAULT", |one: &ParameterDoc| match &one.default {
            Some(default) => default_text(one, default),
            None if one.optional => "(optional)".to_owned(),
            None => "(required)".to_owned(),
        }),
        Column::new("ALLOWED", allowed),
        Column::new("DESCRIPTION", |one: &ParameterDoc| one.description.clone()).whole(),
    ]
}

/// A default: files that came along with the pipeline have no name, only their content's.
fn default_text(one: &ParameterDoc, default: &str) -> String {
    match (DataType::parse(&one.type_name), default.parse::<Digest>()) {
        (Some(DataType::UriFile), Ok(digest)) => format!("file {}", digest.short()),
        (Some(_), Ok(digest)) => format!("files {}", digest.short()),
        (None, _) | (_, Err(_)) => default.to_owned(),
    }
}

fn allowed(one: &ParameterDoc) -> String {
    if !one.choices.is_empty() {
        return one.choices.join(", ");
    }
    match (&one.min, &one.max) {
        (None, None) => String::new(),
        (min, max) => format!(
            "{}..{}",
            min.as_deref().unwrap_or_default(),
            max.as_deref().unwrap_or_default()
        ),
    }
}

fn versions(now: Timestamp) -> Vec<Column<VersionView>> {
    vec![
        Column::new("VERSION", |one: &VersionView| one.version.to_string()).fixed(),
        Column::new("LABELS", |one: &VersionView| {
            let labels = one.labels.iter().filter(|label| *label != LATEST);
            labels.cloned().collect::<Vec<_>>().join(", ")
        }),
        Column::toned("STAGE", |one: &VersionView| {
            let tone = match one.stage {
                Stage::Active => Tone::Good,
                Stage::Deprecated => Tone::Warn,
                Stage::Disabled => Tone::Bad,
            };
            (word(one.stage).to_owned(), tone)
        }),
        Column::toned("PUBLISHED", move |one: &VersionView| {
            (humane::ago(one.created_at, now), Tone::Dim)
        }),
        Column::new("BY", |one: &VersionView| one.created_by.clone()),
    ]
}
