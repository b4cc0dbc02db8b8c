//! How fast the engine alone is on graphs of 100,000 steps, and how much memory queued steps take. No journal, no broker, no process: the limit for all of
//! those. `--json` prints the figures for machines.

use anyhow::{Context, Result};
use clap::Parser;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tidemill_engine::{Command, Effect, Engine, Event, Fleet, FleetSettings};
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};
use tidemill_protocol::codec;
use tidemill_protocol::compute::{ComputeTarget, Resources};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::{RunId, StepIndex, WorkerId};
use tidemill_protocol::key::InputValue;
use tidemill_protocol::literal::Literal;
use tidemill_protocol::plan::{
    Command as Process, Environment, Fragment, InputBinding, OnStepFailure, OutputPort, Plan, PlannedStep,
    PortType, RetryPolicy, StepKind, StepOutput, StepRules, StepTemplate, StepWork, When, Word,
};
use tidemill_protocol::time::{Millis, Timestamp};
use tidemill_protocol::wire::{Heartbeat, Offer, Report, ReportBody, StepTask, Success};

/// Facts that one answer of `next` may hold, as in the coordinator.
const NEXT_LIMIT: usize = 1024;

#[derive(Debug, Parser)]
struct Arguments {
    /// Steps of each graph.
    #[arg(long, default_value_t = 100_000)]
    steps: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Figures {
    steps: u32,
    graphs: Vec<GraphFigures>,
    snapshot: SnapshotFigures,
    memory: Vec<MemoryFigures>,
}

#[derive(Debug, Serialize)]
struct GraphFigures {
    shape: &'static str,
    events: usize,
    /// Commands decided, facts applied, releases chosen, all together.
    live_events_per_second: f64,
    /// The same by the time that this process had a core: what a quiet machine gives.
    live_events_per_cpu_second: f64,
    /// Facts applied from a list, as on replay.
    replay_events_per_second: f64,
    /// The same graph again, every step reused.
    rerun_ms: f64,
}

#[derive(Debug, Serialize)]
struct SnapshotFigures {
    bytes: usize,
    encode_ms: f64,
    decode_ms: f64,
}

#[derive(Debug, Serialize)]
struct MemoryFigures {
    queued_steps: u32,
    resident_bytes: u64,
    bytes_per_step: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let steps = arguments.steps;
    // Memory first: later phases would leave freed pages behind.
    let memory = measure_memory(steps)?;
    let shapes: [(&str, Shape); 3] = [("fan-out", fan_out), ("layers", layers), ("chain", chain)];
    let mut graphs = Vec::new();
    let mut snapshot = None;
    for (name, shape) in shapes {
        let (figures, engine) = measure_graph(name, &plan(steps, shape))?;
        graphs.push(figures);
        snapshot = Some(measure_snapshot(&engine)?);
    }
    let snapshot = snapshot.context("there is a shape")?;
    print(
        &Figures {
            steps,
            graphs,
            snapshot,
            memory,
        },
        arguments.json,
    )
}

/// The steps before a step of a graph of so many.
type Shape = fn(u32, u32) -> Vec<u32>;

fn fan_out(step: u32, _steps: u32) -> Vec<u32> {
    if step == 0 { Vec::new() } else { vec![0] }
}

/// Layers of a thousand; each step reads two of the layer before.
fn layers(step: u32, steps: u32) -> Vec<u32> {
    let width = 1_000.min(steps / 2).max(1);
    if step < width {
        return Vec::new();
    }
    let start = (step / width - 1) * width;
    let (one, two) = (start + step % width, start + (step * 7 + 1) % width);
    if one == two { vec![one] } else { vec![one, two] }
}

fn chain(step: u32, _steps: u32) -> Vec<u32> {
    step.checked_sub(1).into_iter().collect()
}

fn none(_step: u32, _steps: u32) -> Vec<u32> {
    Vec::new()
}

fn plan(steps: u32, shape: Shape) -> Arc<Plan> {
    let step = |place: u32| {
        let literal = InputValue::Literal(Literal::integer(i64::from(place)));
        let mut inputs = vec![("p".parse().expect("a port name"), InputBinding::Value(literal))];
        inputs.extend(
            shape(place, steps)
                .into_iter()
                .enumerate()
                .map(|(number, before)| {
                    let source = StepOutput {
                        step: StepIndex(before),
                        output: "out".parse().expect("a port name"),
                    };
                    (
                        format!("x{number}").parse().expect("a port name"),
                        InputBinding::Step(source),
                    )
                }),
        );
        PlannedStep {
            path: format!("stage.step-{place}").parse().expect("a step path"),
            template: 0,
            inputs,
            after: Vec::new(),
        }
    };
    let plan = Plan {
        pipeline: "bench".parse().expect("a name"),
        display_name: "bench".into(),
        experiment: "bench".parse().expect("a name"),
        project: tidemill_protocol::project::default_project(),
        description: String::new(),
        tags: BTreeMap::new(),
        parameters: BTreeMap::new(),
        on_step_failure: OnStepFailure::Stop,
        force_rerun: false,
        templates: vec![template()],
        steps: (0..steps).map(step).collect(),
        outputs: BTreeMap::new(),
        warnings: Vec::new(),
        assets: vec![],
        spec: None,
    };
    // As it comes from the journal: nothing in it is shared.
    Arc::new(codec::decode(&codec::encode(&plan)).expect("a plan can be read back"))
}

fn template() -> Arc<StepTemplate> {
    let port = OutputPort {
        port_type: PortType::File,
        file_name: None,
        optional: false,
    };
    let work = StepWork {
        kind: StepKind::Command(Process::Argv {
            words: vec![Word(vec![Fragment::Text("/bin/true".into())])],
        }),
        code: None,
        environment: Environment::default(),
        environment_variables: BTreeMap::new(),
        secrets: BTreeMap::new(),
        inputs: BTreeMap::new(),
        outputs: BTreeMap::from([("out".parse().expect("a port name"), port)]),
        distribution: None,
    };
    let rules = StepRules {
        display_name: String::new(),
        target: "cpu".parse().expect("a name"),
        resources: Resources::default(),
        priority: 0,
        timeout: None,
        retry: RetryPolicy::default(),
        cache: true,
        when: When::OnSuccess,
        checkpoint: None,
        registers: BTreeMap::new(),
        reads: vec![],
    };
    Arc::new(StepTemplate::new(work, rules))
}

/// The engine with its surroundings reduced to lists.
struct Bed {
    engine: Engine,
    fleet: Fleet,
    worker: WorkerId,
    /// The facts so far, where they are wanted.
    journal: Option<Vec<Event>>,
    applied: usize,
    effects: Vec<Effect>,
    runs: u64,
}

impl Bed {
    fn new(journal: Option<Vec<Event>>) -> Self {
        let engine = Engine::new();
        let mut fleet = Fleet::new(FleetSettings::default(), Millis(0), &engine);
        let worker: WorkerId = "worker".parse().expect("a name");
        let target = "cpu".parse().expect("a name");
        let offer = Offer {
            targets: vec![ComputeTarget {
                name: target,
                compute_type: "cpu".parse().expect("a name"),
            }],
            slots: 1_000,
            cpus: 2,
            memory_bytes: 1,
            gpus: Vec::new(),
            host: "host".into(),
            version: String::new(),
            draining: false,
            disk_full: false,
        };
        let heartbeat = Heartbeat {
            worker: worker.clone(),
            incarnation: 1,
            offer,
            running: Vec::new(),
        };
        fleet.hear(Millis(0), Timestamp(0), &heartbeat);
        Self {
            engine,
            fleet,
            worker,
            journal,
            applied: 0,
            effects: Vec::new(),
            runs: 0,
        }
    }

    fn command(&mut self, command: &Command) {
        let events = self
            .engine
            .decide(Timestamp(1), command)
            .expect("the bench asks for what is right");
        self.apply(events);
    }

    fn apply(&mut self, events: Vec<Event>) {
        for event in &events {
            self.engine.apply(event, &mut self.effects);
            self.fleet.witness(Millis(1), &self.engine, event);
        }
        self.applied += events.len();
        if let Some(journal) = &mut self.journal {
            journal.extend(events);
        }
    }

    fn submit(&mut self, plan: &Arc<Plan>) {
        self.runs += 1;
        let id = format!("{:08x}-0000-7000-8000-000000000000", self.runs);
        let run: RunId = id.parse().expect("a well-formed id");
        let plan = Arc::clone(plan);
        self.command(&Command::SubmitRun {
            run,
            plan,
            submitted_by: "bench".into(),
            idempotency_key: None,
        });
    }

    /// Claims and succeeds whatever is released, until nothing more is.
    fn run_to_the_end(&mut self) {
        loop {
            let events = self.engine.next(Timestamp(1), &self.fleet, NEXT_LIMIT);
            if !events.is_empty() {
                self.apply(events);
                continue;
            }
            let tasks = std::mem::take(&mut self.effects);
            if tasks.is_empty() {
                return;
            }
            for effect in tasks {
                if let Effect::PublishTask(task) = effect {
                    self.report(&task, ReportBody::Claimed);
                    self.report(&task, ReportBody::Succeeded(success(&task)));
                }
            }
        }
    }

    fn report(&mut self, task: &StepTask, body: ReportBody) {
        let report = Report {
            attempt: task.attempt,
            token: task.token,
            at: Timestamp(1),
            body,
        };
        self.command(&Command::Report {
            worker: self.worker.clone(),
            report,
        });
    }
}

fn success(task: &StepTask) -> Success {
    let artifact = ArtifactRef {
        kind: ArtifactKind::Blob,
        digest: Digest::from_bytes(*task.key.0.as_bytes()),
        size_bytes: 1,
        files: 1,
    };
    Success {
        outputs: BTreeMap::from([("out".parse().expect("a port name"), artifact)]),
        ..Success::default()
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn measure_graph(shape: &'static str, plan: &Arc<Plan>) -> Result<(GraphFigures, Engine)> {
    let mut bed = Bed::new(None);
    let (started, cpu_started) = (Instant::now(), cpu_seconds()?);
    bed.submit(plan);
    bed.run_to_the_end();
    let (live, live_cpu) = (started.elapsed().as_secs_f64(), cpu_seconds()? - cpu_started);

    // Once more, untimed, for the facts: keeping them would be measured with them.
    let mut recording = Bed::new(Some(Vec::new()));
    recording.submit(plan);
    recording.run_to_the_end();
    let events = recording.journal.take().unwrap_or_default();
    anyhow::ensure!(events.len() == bed.applied, "the same plan gives the same facts");

    let mut replayed = Engine::new();
    let mut effects = Vec::new();
    let started = Instant::now();
    for event in &events {
        replayed.apply(event, &mut effects);
        effects.clear();
    }
    let replay = started.elapsed().as_secs_f64();
    assert!(replayed == bed.engine, "the same facts give the same state");

    let started = Instant::now();
    bed.submit(plan);
    bed.run_to_the_end();
    let rerun_ms = started.elapsed().as_secs_f64() * 1000.0;
    let figures = GraphFigures {
        shape,
        events: events.len(),
        live_events_per_second: events.len() as f64 / live,
        live_events_per_cpu_second: events.len() as f64 / live_cpu,
        replay_events_per_second: events.len() as f64 / replay,
        rerun_ms,
    };
    Ok((figures, replayed))
}

fn measure_snapshot(engine: &Engine) -> Result<SnapshotFigures> {
    let started = Instant::now();
    let bytes = codec::encode(engine);
    let encode_ms = started.elapsed().as_secs_f64() * 1000.0;
    let started = Instant::now();
    let restored: Engine = codec::decode(&bytes)?;
    let decode_ms = started.elapsed().as_secs_f64() * 1000.0;
    anyhow::ensure!(restored == *engine, "a snapshot gives the same state");
    Ok(SnapshotFigures {
        bytes: bytes.len(),
        encode_ms,
        decode_ms,
    })
}

/// Resident memory after so many steps are queued, and after ten times as many.
fn measure_memory(steps: u32) -> Result<Vec<MemoryFigures>> {
    let before = resident_bytes()?;
    let mut bed = Bed::new(None);
    let mut figures = Vec::new();
    for runs in 1..=10 {
        bed.submit(&plan(steps, none));
        if runs == 1 || runs == 10 {
            let resident = resident_bytes()?.saturating_sub(before);
            let queued_steps = runs * steps;
            figures.push(MemoryFigures {
                queued_steps,
                resident_bytes: resident,
                bytes_per_step: resident / u64::from(queued_steps.max(1)),
            });
        }
    }
    Ok(figures)
}

/// Time that this thread spent on a core.
fn cpu_seconds() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").context("cannot read schedstat")?;
    let nanoseconds: f64 = text
        .split(' ')
        .next()
        .unwrap_or_default()
        .parse()
        .context("schedstat is no number")?;
    Ok(nanoseconds / 1e9)
}

fn resident_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("VmRSS is missing")?;
    let kib: u64 = line
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .context("VmRSS is no number")?;
    Ok(kib * 1024)
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn print(figures: &Figures, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(figures)?);
        return Ok(());
    }
    println!(
        "graphs of {} steps: submit, release, claim, succeed",
        figures.steps
    );
    println!(
        "{:<10} {:>10} {:>16} {:>16} {:>16} {:>12}",
        "shape", "events", "live events/s", "live events/cpu s", "replay events/s", "rerun ms"
    );
    for graph in &figures.graphs {
        println!(
            "{:<10} {:>10} {:>16.0} {:>17.0} {:>16.0} {:>12.1}",
            graph.shape,
            graph.events,
            graph.live_events_per_second,
            graph.live_events_per_cpu_second,
            graph.replay_events_per_second,
            graph.rerun_ms
        );
    }
    let SnapshotFigures {
        bytes,
        encode_ms,
        decode_ms,
    } = figures.snapshot;
    println!(
        "\nsnapshot: {:.1} MiB, written in {encode_ms:.0} ms, read in {decode_ms:.0} ms",
        mib(bytes as f64)
    );
    println!(
        "\n{:>12} {:>14} {:>14}",
        "queued steps", "resident MiB", "bytes a step"
    );
    for memory in &figures.memory {
        let resident = mib(memory.resident_bytes as f64);
        println!(
            "{:>12} {:>14.1} {:>14}",
            memory.queued_steps, resident, memory.bytes_per_step
        );
    }
    Ok(())
}

fn mib(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}
