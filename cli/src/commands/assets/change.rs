//! What may change of a named thing: its labels, its text and tags, how a version stands, and whether a version is there at all.

use super::id;
use crate::args::{
    AssetDescribeArgs, AssetLabelArgs, AssetRemoveArgs, AssetRenameArgs, AssetStageArgs, AssetUnlabelArgs,
};
use crate::asking;
use crate::client::Client;
use crate::commands::describing::changes;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;
use tidemill_protocol::api::{AssetView, DescribeRequest, VersionView};
use tidemill_protocol::catalog::{AssetKind, AssetRef, ModelStage, Stage};

/// Points a label at a version.
pub(super) async fn label(
    session: &mut Session,
    client: &Client,
    kind: AssetKind,
    args: AssetLabelArgs,
) -> Result<(), Failure> {
    let version = client.version(kind, &args.asset).await?;
    client.set_label(&version, &args.label).await?;
    let pointed = AssetRef {
        name: version.name.clone(),
        wanted: Some(args.label),
    };
    let version = client.version(kind, &pointed).await?;
    session.printer.one(&version, id, |printer, one| {
        printer.line(format_args!("{kind} {pointed} is {}", id(one)))
    })
}

/// Removes a label.
pub(super) async fn unlabel(
    session: &mut Session,
    client: &Client,
    kind: AssetKind,
    args: AssetUnlabelArgs,
) -> Result<(), Failure> {
    let AssetUnlabelArgs { name, label } = args;
    client.remove_label(kind, &name, &label).await?;
    session.printer.one(
        &serde_json::json!({ "kind": kind, "name": name, "removed_label": label }),
        |_| name.to_string(),
        |printer, _| printer.line(format_args!("{kind} {name} has no label {label} any more")),
    )
}

/// Changes texts and tags.
pub(super) async fn describe(
    session: &mut Session,
    client: &Client,
    kind: AssetKind,
    args: AssetDescribeArgs,
) -> Result<(), Failure> {
    let (description, tags) = changes(args.said)?;
    let request = DescribeRequest {
        description,
        tags,
        ..DescribeRequest::default()
    };
    if args.asset.wanted.is_none() {
        let asset = client.describe_asset(kind, &args.asset.name, &request).await?;
        let name = |asset: &AssetView| asset.name.to_string();
        return session.printer.one(&asset, name, |printer, asset| {
            printer.line(format_args!("{kind} {} is described", asset.name))
        });
    }
    let version = client.version(kind, &args.asset).await?;
    let version = client.describe_version(&version, &request).await?;
    say(session, &version, "is described")
}

/// Changes how a version stands.
pub(super) async fn stage(
    session: &mut Session,
    client: &Client,
    (kind, asset): (AssetKind, &AssetRef),
    stage: Stage,
) -> Result<(), Failure> {
    let version = client.version(kind, asset).await?;
    let request = DescribeRequest {
        stage: Some(stage),
        ..DescribeRequest::default()
    };
    let version = client.describe_version(&version, &request).await?;
    say(
        session,
        &version,
        match stage {
            Stage::Active => "may be used",
            Stage::Deprecated => "is deprecated: whoever uses it is told to change",
            Stage::Disabled => "is disabled: new uses are refused",
        },
    )
}

/// Brings a version of a model into a stage of the registry.
pub(super) async fn promote(
    session: &mut Session,
    client: &Client,
    kind: AssetKind,
    args: &AssetStageArgs,
) -> Result<(), Failure> {
    if kind != AssetKind::Model {
        let what = format!("a {kind} has no stages as models have them");
        let help = format!("tidemill {kind} label {} {}", args.asset, args.stage);
        return Err(Failure::new(Exit::Usage, what).help(help));
    }
    let version = client.version(kind, &args.asset).await?;
    let request = DescribeRequest {
        model_stage: Some(args.stage),
        archive_existing: args.archive_existing,
        ..DescribeRequest::default()
    };
    let version = client.describe_version(&version, &request).await?;
    let what = match args.stage {
        ModelStage::None => "is in no stage".to_owned(),
        ModelStage::Archived => "is archived".to_owned(),
        stage => format!("is in {stage}"),
    };
    say(session, &version, &what)
}

/// Gives an asset another name.
pub(super) async fn rename(
    session: &mut Session,
    client: &Client,
    kind: AssetKind,
    args: &AssetRenameArgs,
) -> Result<(), Failure> {
    let request = DescribeRequest {
        name: Some(args.to.clone()),
        ..DescribeRequest::default()
    };
    let asset = client.describe_asset(kind, &args.name, &request).await?;
    let name = |asset: &AssetView| asset.name.to_string();
    session.printer.one(&asset, name, |printer, asset| {
        printer.line(format_args!("{kind} {} is {} from now on", args.name, asset.name))
    })
}

/// Removes a version.
pub(super) async fn remove(
    session: &mut Session,
    client: &Client,
    kind: AssetKind,
    args: AssetRemoveArgs,
) -> Result<(), Failure> {
    if args.asset.wanted.is_none() {
        let what = format!("`{}` does not say which version", args.asset);
        return Err(Failure::new(Exit::Usage, what).help(format!(
            "write it as {0}:VERSION; `tidemill {kind} versions {0}` lists them",
            args.asset.name
        )));
    }
    let version = client.version(kind, &args.asset).await?;
    if args.caution.dry_run {
        return say(session, &version, "would be removed");
    }
    let labels: Vec<&str> = version.labels.iter().map(String::as_str).collect();
    let with = if labels.is_empty() {
        String::new()
    } else {
        format!(", with the labels {}", labels.join(", "))
    };
    let question = format!("Remove {kind} {}{with}?", id(&version));
    asking::confirm(&mut session.printer, args.caution.yes, question).await?;
    client.remove_version(&version).await?;
    say(session, &version, "is removed")
}

fn say(session: &mut Session, version: &VersionView, what: &str) -> Result<(), Failure> {
    let kind = version.kind;
    session.printer.one(version, id, |printer, one| {
        printer.line(format_args!("{kind} {} {what}", id(one)))
    })
}
