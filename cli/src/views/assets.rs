//! Named things with versions: in lists, and one version in full.

use crate::failure::Failure;
use crate::output::table::Column;
use crate::output::tone::Tone;
use crate::output::{Printer, humane};
use tidemill_protocol::api::{AssetView, VersionMetric, VersionView};
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};
use tidemill_protocol::catalog::{AssetBody, AssetKind, FilesBody, Location, Origin, ParameterDoc, Stage};
use tidemill_protocol::plan::Environment;
use tidemill_protocol::time::Timestamp;

/// The columns of a list of names.
pub(crate) fn columns(kind: AssetKind, now: Timestamp) -> Vec<Column<AssetView>> {
    let mut columns = vec![
        Column::new("NAME", |asset: &AssetView| asset.name.to_string()).fixed(),
        Column::new("LATEST", |asset: &AssetView| asset.latest.to_string()),
        Column::new("VERSIONS", |asset: &AssetView| humane::thousands(asset.versions)).number(),
        Column::new("LABELS", |asset: &AssetView| {
            let labels = asset.labels.iter();
            let pairs: Vec<String> = labels
                .map(|(label, version)| format!("{label}={version}"))
                .collect();
            pairs.join(" ")
        }),
        Column::toned("CREATED", move |asset: &AssetView| {
            (humane::ago(asset.created_at, now), Tone::Dim)
        })
        .fixed()
        .spare(),
        Column::new("BY", |asset: &AssetView| asset.created_by.clone()).wide(),
        Column::new("TAGS", |asset: &AssetView| pairs(&asset.tags)).wide(),
        Column::new("ABOUT", |asset: &AssetView| first_line(&asset.description)).spare(),
    ];
    if kind == AssetKind::Model {
        let stages = Column::new("STAGES", |asset: &AssetView| {
            let stages = asset.model_stages.iter();
            let pairs: Vec<String> = stages
                .map(|(stage, version)| format!("{stage}={version}"))
                .collect();
            pairs.join(" ")
        });
        columns.insert(4, stages);
    }
    columns
}

/// The columns of a list of versions.
pub(crate) fn version_columns(kind: AssetKind, now: Timestamp) -> Vec<Column<VersionView>> {
    let mut columns = vec![
        Column::new("VERSION", |one: &VersionView| one.version.to_string()).fixed(),
        Column::toned("STAGE", |one: &VersionView| stage(one.stage)).fixed(),
        Column::new("LABELS", |one: &VersionView| one.labels.join(" ")),
        Column::new("WHAT", |one: &VersionView| what(&one.body)),
        Column::new("FROM", |one: &VersionView| {
            origin(&one.origin).map_or_else(|| "-".to_owned(), |from| humane::short_runs(&from))
        })
        .spare(),
        Column::toned("ADDED", move |one: &VersionView| {
            (humane::ago(one.created_at, now), Tone::Dim)
        })
        .fixed(),
        Column::new("BY", |one: &VersionView| one.created_by.clone()).spare(),
        Column::new("TAGS", |one: &VersionView| pairs(&one.tags)).wide(),
        Column::new("ABOUT", |one: &VersionView| first_line(&one.description)).wide(),
    ];
    if kind == AssetKind::Model {
        let stage = Column::new("REGISTRY", |one: &VersionView| {
            let stage = one.model_stage.filter(|stage| !stage.is_none());
            stage.map_or_else(|| "-".to_owned(), |stage| stage.to_string())
        });
        columns.insert(2, stage);
    }
    columns
}

/// Shows one version.
pub(crate) fn show(printer: &mut Printer, one: &VersionView, now: Timestamp) -> Result<(), Failure> {
    let (word, tone) = stage(one.stage);
    printer.line(format_args!(
        "{}  {}",
        Tone::Strong.paint(format_args!("{} {}:{}", one.kind, one.name, one.version)),
        tone.paint(word)
    ))?;
    let mut facts = Vec::new();
    if !one.labels.is_empty() {
        facts.push(("labels", one.labels.join(", ")));
    }
    let registry = one.model_stage.filter(|stage| !stage.is_none());
    facts.extend(registry.map(|stage| ("registry", stage.to_string())));
    facts.extend(body(&one.body));
    facts.extend(origin(&one.origin).map(|from| ("from", from)));
    let added = humane::ago(one.created_at, now);
    facts.push(("added", format!("{added} by {}", one.created_by)));
    if !one.description.is_empty() {
        facts.push(("about", one.description.trim().to_owned()));
    }
    facts.extend(one.metrics.iter().map(|metric| ("metric", measured(metric))));
    let tags = one.tags.iter();
    facts.extend(tags.map(|(name, value)| ("tag", format!("{name} = {value}"))));
    facts.extend(one.parameters().iter().map(|input| ("input", parameter(input))));
    for (name, value) in facts {
        printer.line(format_args!(
            "  {} {value}",
            Tone::Dim.paint(format_args!("{name:<10}"))
        ))?;
    }
    Ok(())
}

fn stage(stage: Stage) -> (String, Tone) {
    let (word, tone) = match stage {
        Stage::Active => ("active", Tone::Good),
        Stage::Deprecated => ("deprecated", Tone::Warn),
        Stage::Disabled => ("disabled", Tone::Bad),
    };
    (word.to_owned(), tone)
}

/// What a version is, in a few words.
fn what(body: &AssetBody) -> String {
    match body {
        AssetBody::Data(files) | AssetBody::Model(files) => match &files.location {
            Location::Content(artifact) => {
                format!("{}, {}", files.data_type.as_str(), size(artifact))
            }
            Location::Uri(uri) => format!("{} {uri}", files.data_type.as_str()),
        },
        AssetBody::Component(body) | AssetBody::Pipeline(body) => {
            humane::count(body.parameters.len() as u64, "input")
        }
        AssetBody::Environment(environment) => software(environment).join(", "),
    }
}

fn body(body: &AssetBody) -> Vec<(&'static str, String)> {
    match body {
        AssetBody::Data(FilesBody { data_type, location })
        | AssetBody::Model(FilesBody { data_type, location }) => {
            let kind = ("type", data_type.as_str().to_owned());
            match location {
                Location::Content(artifact) => {
                    vec![
                        kind,
                        ("files", size(artifact)),
                        ("digest", artifact.digest.to_string()),
                    ]
                }
                Location::Uri(uri) => vec![kind, ("address", uri.clone())],
            }
        }
        AssetBody::Component(body) | AssetBody::Pipeline(body) => {
            vec![("digest", body.spec.digest.to_string())]
        }
        AssetBody::Environment(environment) => {
            let software = software(environment).into_iter();
            software.map(|line| ("software", line)).collect()
        }
    }
}

fn size(artifact: &ArtifactRef) -> String {
    let bytes = humane::bytes(artifact.size_bytes);
    match artifact.kind {
        ArtifactKind::Blob => bytes,
        ArtifactKind::Tree => format!("{}, {bytes}", humane::count(artifact.files, "file")),
    }
}

fn software(environment: &Environment) -> Vec<String> {
    let image = environment.image.iter().map(|image| format!("image {image}"));
    let python = environment.python.iter().flat_map(|python| {
        let version = python.version.iter().map(|version| format!("python {version}"));
        version.chain(python.requirements.iter().cloned())
    });
    image.chain(python).collect()
}

fn measured(metric: &VersionMetric) -> String {
    let on = metric
        .dataset
        .as_ref()
        .map_or_else(String::new, |dataset| format!(" on {dataset}"));
    format!(
        "{} = {:?} at {}{on}",
        metric.key, metric.last.value, metric.last.step
    )
}

fn parameter(input: &ParameterDoc) -> String {
    let default = match &input.default {
        Some(default) => format!(" = {default}"),
        None if input.optional => " (optional)".to_owned(),
        None => String::new(),
    };
    format!("{}: {}{default}", input.name, input.type_name)
}

/// `RUN/STEP/OUTPUT`, as far as it is known.
fn origin(origin: &Origin) -> Option<String> {
    let run = origin.run.map(|run| run.to_string());
    let step = origin.step.as_ref().map(ToString::to_string);
    let output = origin.output.as_ref().map(ToString::to_string);
    let parts: Vec<String> = [run, step, output].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}

fn pairs(tags: &std::collections::BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = tags
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join(" ")
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
