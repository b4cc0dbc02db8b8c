//! Lineage through the API: up to what something was made of, down to what was made of it, across runs and through names in the catalog, within bounds.

use super::harness::{Service, chain};
use super::worker::ScriptedWorker;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::catalog::{AssetKind, AssetUse};
use tidemill_protocol::ids::{RunId, StepIndex};
use tidemill_protocol::key::InputValue;
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::{
    InputBinding, OutputPort, Plan, PortType, Registration, StepOutput, StepTemplate,
};
use tidemill_protocol::wire::Success;

fn port(name: &str) -> PortName {
    name.parse().unwrap()
}

async fn stored(service: &Service, bytes: &'static [u8]) -> ArtifactRef {
    service.store.put_bytes(bytes.into()).await.unwrap()
}

fn success(output: &str, artifact: ArtifactRef) -> Success {
    Success {
        outputs: BTreeMap::from([(port(output), artifact)]),
        ..Success::default()
    }
}

/// `prep` reads `raw` and `train` reads what it made; the model is named churn.
fn training(raw: ArtifactRef) -> Plan {
    let mut plan = chain(&["prep", "train"]);
    plan.steps[0].inputs = vec![(port("raw"), InputBinding::Value(InputValue::Artifact(raw)))];
    let clean = StepOutput {
        step: StepIndex(0),
        output: port("clean"),
    };
    plan.steps[1].inputs = vec![(port("clean"), InputBinding::Step(clean))];
    plan.steps[1].after = vec![];
    let registration = Registration {
        name: "churn".parse().unwrap(),
        version: None,
        label: None,
        data_type: Some("custom_model".into()),
        description: String::new(),
        tags: BTreeMap::new(),
    };
    let registers = BTreeMap::from([(port("model"), registration)]);
    plan.templates = vec![
        declaring(&plan.templates[0], "clean", BTreeMap::new()),
        declaring(&plan.templates[1], "model", registers),
    ];
    plan.assets = vec![AssetUse {
        kind: AssetKind::Data,
        name: "iris".parse().unwrap(),
        version: "1".parse().unwrap(),
        content: Some(raw),
        uri: None,
    }];
    plan
}

/// The same step with an output that is one file, and with names for outputs.
fn declaring(
    template: &StepTemplate,
    output: &str,
    registers: BTreeMap<PortName, Registration>,
) -> Arc<StepTemplate> {
    let (mut work, mut rules) = (template.work.clone(), (*template.rules).clone());
    let declared = OutputPort {
        port_type: PortType::File,
        file_name: None,
        optional: false,
    };
    work.outputs.insert(port(output), declared);
    rules.registers = registers;
    Arc::new(StepTemplate::new(work, rules))
}

struct Made {
    service: Service,
    run: RunId,
    raw: ArtifactRef,
    model: ArtifactRef,
}

async fn made() -> Made {
    let service = Service::start().await;
    let mut worker = ScriptedWorker::join(&service, "w1").await;
    let (raw, clean) = (stored(&service, b"raw").await, stored(&service, b"clean").await);
    let model = stored(&service, b"model").await;
    let body = json!({"source": {"content": {"artifact": raw}}});
    service.post("/api/v1/assets/data/iris/versions", &body).await;
    let run = service.submit(training(raw)).await;
    let task = worker.task().await;
    worker.succeed(&task, success("clean", clean)).await;
    let task = worker.task().await;
    worker.succeed(&task, success("model", model)).await;
    service.watch(run).await;
    Made {
        service,
        run,
        raw,
        model,
    }
}

async fn lineage(service: &Service, query: &str) -> Value {
    let (status, view) = service.get(&format!("/api/v1/lineage?{query}")).await;
    assert_eq!(status, StatusCode::OK, "{query}: {view}");
    view
}

fn ids(view: &Value) -> BTreeSet<String> {
    let nodes = view["nodes"].as_array().unwrap().iter();
    nodes
        .map(|node| node["id"].as_str().unwrap().to_owned())
        .collect()
}

fn edges(view: &Value) -> BTreeSet<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let edges = view["edges"].as_array().unwrap().iter();
    edges
        .map(|edge| (text(&edge["from"]), text(&edge["role"]), text(&edge["to"])))
        .collect()
}

#[tokio::test]
async fn a_model_leads_back_to_the_data_that_it_was_made_of() {
    let Made {
        service, run, raw, ..
    } = made().await;
    let view = lineage(&service, "of=churn&direction=up").await;
    assert_eq!(view["roots"], json!(["asset:model/churn/1"]));
    assert_eq!(view["truncated"], false);
    let found = ids(&view);
    for id in [
        format!("step:{run}/train"),
        format!("step:{run}/prep"),
        "asset:data/iris/1".to_owned(),
        format!("artifact:{}", raw.digest),
    ] {
        assert!(found.contains(&id), "{id} is not in {found:?}");
    }
    let through = (
        "asset:data/iris/1".to_owned(),
        "raw".to_owned(),
        format!("step:{run}/prep"),
    );
    assert!(
        edges(&view).contains(&through),
        "the step took it by its name: {view}"
    );
}

#[tokio::test]
async fn data_lead_to_everything_that_was_made_of_them() {
    let Made {
        service,
        run,
        raw,
        model,
    } = made().await;
    for of in ["iris".to_owned(), raw.digest.to_string()] {
        let view = lineage(&service, &format!("of={of}&direction=down")).await;
        let found = ids(&view);
        for id in [
            format!("step:{run}/prep"),
            format!("artifact:{}", model.digest),
            "asset:model/churn/1".to_owned(),
        ] {
            assert!(found.contains(&id), "{of}: {id} is not in {found:?}");
        }
    }
    let view = lineage(&service, "of=iris&direction=up").await;
    assert!(
        !ids(&view).iter().any(|id| id.starts_with("step:")),
        "nothing was made of the model: {view}"
    );
}

#[tokio::test]
async fn an_output_of_a_step_that_was_reused_leads_to_whoever_made_it() {
    let Made {
        service, run, raw, ..
    } = made().await;
    let again = service.submit(training(raw)).await;
    service.watch(again).await;
    let view = lineage(&service, &format!("of={again}%2Ftrain%2Fmodel&direction=up")).await;
    let found = ids(&view);
    assert!(found.contains(&format!("step:{run}/train")), "{found:?}");
    let reused = (
        format!("step:{run}/train"),
        "reused".to_owned(),
        format!("step:{again}/train"),
    );
    assert!(edges(&view).contains(&reused), "{view}");
}

#[tokio::test]
async fn bounds_cut_the_graph_and_say_so() {
    let Made { service, .. } = made().await;
    let view = lineage(&service, "of=churn&direction=up&limit=3").await;
    assert_eq!(
        (view["nodes"].as_array().unwrap().len(), &view["truncated"]),
        (3, &json!(true))
    );
    let view = lineage(&service, "of=churn&direction=up&depth=1").await;
    assert_eq!(
        (view["nodes"].as_array().unwrap().len(), &view["truncated"]),
        (2, &json!(true))
    );
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_one_thing_is_refused() {
    let Made { service, raw, .. } = made().await;
    let (status, _) = service.get("/api/v1/lineage?of=nobody").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = service.get("/api/v1/lineage?of=last%2Ftrain%2Fnothing").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let body = json!({"source": {"content": {"artifact": raw, "type": "custom_model"}}});
    service.post("/api/v1/assets/model/iris/versions", &body).await;
    let (status, refused) = service.get("/api/v1/lineage?of=iris").await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(refused["message"], "`iris` is data and model");
    let view = lineage(&service, "of=iris&kind=model").await;
    assert_eq!(view["roots"], json!(["asset:model/iris/1"]));
}
