//! Large pipelines: quickly, and without recursion over steps.

use crate::fixtures::loaded_text;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidemill_language::{PlanRequest, plan};
use tidemill_protocol::spec::{BindingSource, BindingSpec, ComponentBody, GraphSpec, OutputRef, StepSpec};

/// A file of 10,000 steps in 100 layers, each step reading two of the layer before, within the size that files may have.
fn wide_file() -> String {
    let mut text = "type: pipeline\njobs:\n".to_owned();
    for i in 0..10_000_usize {
        write!(
            text,
            " s{i}: {{command: 'r {i} ${{{{inputs.a}}}}',outputs: {{o: }}"
        )
        .unwrap();
        if i >= 100 {
            let before = i - 100;
            write!(text, ",inputs: {{a: '${{{{parent.jobs.s{before}.outputs.o}}}}'}}").unwrap();
        } else {
            text.push_str(",inputs: {a: 1}");
        }
        text.push_str("}\n");
    }
    text
}

#[test]
fn ten_thousand_steps_load_and_plan_at_once() {
    let text = wide_file();
    assert!(text.len() <= 1 << 20, "{}", text.len());
    let start = Instant::now();
    let loaded = loaded_text(&text)
        .unwrap_or_else(|problems| panic!("{}", problems.to_string().chars().take(300).collect::<String>()));
    let spec = loaded.outline();
    let load = start.elapsed();
    let start = Instant::now();
    let made = plan(&spec, &PlanRequest::default()).unwrap();
    let planning = start.elapsed();
    println!("load {load:?}, plan {planning:?}");
    assert_eq!(made.steps.len(), 10_000);
    let limit = if cfg!(debug_assertions) { 20 } else { 1 };
    assert!(
        load + planning < Duration::from_secs(limit),
        "load {load:?}, plan {planning:?}"
    );
}

#[test]
fn a_chain_of_a_hundred_thousand_steps_plans_without_recursion() {
    let link = "type: pipeline\njobs: {a: {command: 'x ${{inputs.i}}', inputs: {i: '${{parent.jobs.b.outputs.o}}'}}, b: {command: y, outputs: {o: }}}\n";
    let mut spec = loaded_text(link).unwrap().outline();
    let root = spec.root as usize;
    let root = match &mut Arc::make_mut(&mut spec.components[root]).body {
        ComponentBody::Graph(graph) => graph,
        ComponentBody::Command(_) | ComponentBody::Other(_) => panic!("the root is a graph"),
    };
    let (reads, writes) = (root.steps[0].component, root.steps[1].clone());
    let mut steps = vec![writes];
    // A step must read and write to be a link; the two components are joined into one.
    let joined = spec.components.len() as u32;
    for i in 1..100_000 {
        let before = steps[i - 1].name.clone();
        let source = OutputRef {
            step: before,
            output: "o".parse().unwrap(),
        };
        let binding = BindingSpec {
            source: BindingSource::Step(source),
            data_type: None,
            mode: None,
        };
        steps.push(StepSpec {
            name: format!("s{i}").parse().unwrap(),
            component: joined,
            inputs: [("i".parse().unwrap(), binding)].into(),
            ..steps[0].clone()
        });
    }
    let mut link = tidemill_protocol::spec::ComponentSpec::clone(&spec.components[reads as usize]);
    link.outputs = spec.components[steps[0].component as usize].outputs.clone();
    spec.components.push(Arc::new(link));
    let set = |spec: &mut tidemill_language::PipelineSpec, steps: Vec<StepSpec>| {
        let root = spec.root as usize;
        let component = Arc::make_mut(&mut spec.components[root]);
        component.body = match &component.body {
            ComponentBody::Graph(graph) => ComponentBody::Graph(GraphSpec {
                steps,
                ..graph.clone()
            }),
            ComponentBody::Command(_) | ComponentBody::Other(_) => panic!("the root is a graph"),
        };
    };
    set(&mut spec, steps.clone());
    let start = Instant::now();
    let made = plan(&spec, &PlanRequest::default()).unwrap();
    println!("plan of a chain of 100,000: {:?}", start.elapsed());
    assert_eq!((made.steps.len(), made.templates.len()), (100_000, 2));
    steps[0].depends_on = vec![steps[99_999].name.clone()];
    set(&mut spec, steps);
    let found = plan(&spec, &PlanRequest::default()).unwrap_err();
    assert_eq!(found[0].code, "TM0505");
    assert!(
        found[0].message.contains("… (99988 more) → b"),
        "{}",
        found[0].message
    );
}
