//! The journal's language about the catalog: one golden entry for each kind of fact.

use crate::golden::check_ledger;
use crate::samples as s;
use std::collections::BTreeMap;
use tidemill_coordinator::catalog::{CatalogFact, Verdict};
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};
use tidemill_protocol::catalog::{
    AssetBody, AssetKind, FilesBody, Location, ModelStage, Origin, ParameterDoc, PipelineBody, Stage, Version,
};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::name::Name;
use tidemill_protocol::plan::{Environment, PythonEnvironment};
use tidemill_protocol::spec::DataType;

/// The name of a kind of fact. A new kind does not compile until it has a name here; give it a sample below too.
fn kind(fact: &CatalogFact) -> String {
    match fact {
        CatalogFact::VersionAdded { kind, .. } => format!("version-added-{kind}"),
        CatalogFact::AssetDescribed { .. } => "asset-described".to_owned(),
        CatalogFact::VersionDescribed { .. } => "version-described".to_owned(),
        CatalogFact::LabelSet { .. } => "label-set".to_owned(),
        CatalogFact::LabelRemoved { .. } => "label-removed".to_owned(),
        CatalogFact::VersionRemoved { .. } => "version-removed".to_owned(),
        CatalogFact::VersionPromoted { .. } => "version-promoted".to_owned(),
        CatalogFact::AssetRenamed { .. } => "asset-renamed".to_owned(),
        CatalogFact::OutputSettled {
            verdict: Verdict::Version(_),
            ..
        } => "output-settled-as-version".to_owned(),
        CatalogFact::OutputSettled {
            verdict: Verdict::Refused(_),
            ..
        } => "output-settled-as-refused".to_owned(),
        CatalogFact::OutputsForgotten { .. } => "outputs-forgotten".to_owned(),
    }
}

fn version(text: &str) -> Version {
    text.parse().expect("is a version")
}

fn blob() -> ArtifactRef {
    ArtifactRef {
        kind: ArtifactKind::Blob,
        digest: Digest::of(b"bytes"),
        size_bytes: 5,
        files: 1,
    }
}

fn bodies() -> [(AssetKind, AssetBody); 5] {
    let files = |data_type, location| FilesBody { data_type, location };
    let pipeline = PipelineBody {
        spec: blob(),
        parameters: vec![ParameterDoc {
            name: "trees".parse().expect("is a name"),
            type_name: "integer".into(),
            optional: true,
            default: Some("10".into()),
            min: Some("1".into()),
            max: Some("50".into()),
            choices: vec!["10".into(), "20".into()],
            description: "how many".into(),
        }],
    };
    let environment = Environment {
        name: Some("sklearn-1.5".into()),
        image: Some("python:3.11".into()),
        python: Some(PythonEnvironment {
            version: Some("3.11".into()),
            requirements: vec!["scikit-learn==1.5".into()],
        }),
    };
    let somewhere = Location::Uri("s3://bucket/folder".into());
    [
        (
            AssetKind::Data,
            AssetBody::Data(files(DataType::UriFolder, somewhere)),
        ),
        (
            AssetKind::Model,
            AssetBody::Model(files(DataType::MlflowModel, Location::Content(blob()))),
        ),
        (AssetKind::Component, AssetBody::Component(pipeline.clone())),
        (AssetKind::Environment, AssetBody::Environment(environment)),
        (AssetKind::Pipeline, AssetBody::Pipeline(pipeline)),
    ]
}

fn settled(name: &Name, verdict: Verdict) -> CatalogFact {
    CatalogFact::OutputSettled {
        kind: AssetKind::Model,
        name: name.clone(),
        run: s::run(),
        step: "train".parse().expect("is a path"),
        output: "model".parse().expect("is a name"),
        verdict,
    }
}

/// What happens to models alone.
fn of_models(name: &Name) -> [CatalogFact; 2] {
    let (kind, by) = (AssetKind::Model, "ada".to_owned());
    [
        CatalogFact::VersionPromoted {
            kind,
            name: name.clone(),
            version: version("7"),
            model_stage: ModelStage::Production,
            by: by.clone(),
        },
        CatalogFact::AssetRenamed {
            kind,
            name: name.clone(),
            to: s::name("leavers"),
            by,
        },
    ]
}

#[test]
fn every_fact_about_the_catalog_is_read_as_it_was_meant() {
    let (model, name, by) = (AssetKind::Model, s::name("churn"), "ada".to_owned());
    let tags = BTreeMap::from([("owner".to_owned(), "ada".to_owned())]);
    let added = bodies().map(|(kind, body)| CatalogFact::VersionAdded {
        kind,
        name: name.clone(),
        version: version("7"),
        body,
        description: "the seventh".into(),
        tags: tags.clone(),
        origin: Origin {
            run: Some(s::run()),
            step: Some("train".parse().expect("is a path")),
            output: Some("model".parse().expect("is a name")),
        },
        by: by.clone(),
    });
    let changed = [
        CatalogFact::AssetDescribed {
            kind: model,
            name: name.clone(),
            description: "who leaves".into(),
            tags: tags.clone(),
            by: by.clone(),
        },
        CatalogFact::VersionDescribed {
            kind: model,
            name: name.clone(),
            version: version("7"),
            description: "worse than it looks".into(),
            tags,
            stage: Stage::Deprecated,
            by: by.clone(),
        },
        CatalogFact::LabelSet {
            kind: model,
            name: name.clone(),
            label: version("champion"),
            version: version("7"),
            by: by.clone(),
        },
        CatalogFact::LabelRemoved {
            kind: model,
            name: name.clone(),
            label: version("champion"),
            by: by.clone(),
        },
        CatalogFact::VersionRemoved {
            kind: model,
            name: name.clone(),
            version: version("7"),
            by,
        },
        settled(&name, Verdict::Version(version("7"))),
        settled(&name, Verdict::Refused("version `7` is there already".into())),
        CatalogFact::OutputsForgotten { run: s::run() },
    ];
    let facts: Vec<CatalogFact> = added.into_iter().chain(changed).chain(of_models(&name)).collect();
    check_ledger("catalog", facts, kind);
}
