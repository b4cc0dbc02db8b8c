//! How much memory a whole coordinator takes that has many queued steps: the release binary over RabbitMQ, no worker, runs of 10,000 steps submitted one after
//! the other. Two shapes: every step with a command of its own, and every step of one component with an input of its own, which share what is equal.
//!
//! `cargo run --release -p tidemill-benches --bin coordinator_memory -- --binary target/release/tidemill --steps 100000,1000000`

#![expect(clippy::cast_precision_loss, reason = "counts in figures are far below 2^52")]

use anyhow::Result;
use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use std::time::Instant;
use tidemill_benches::cluster::Cluster;
use tidemill_benches::product::{fan_from, fan_of_component};
use tidemill_benches::{Figure, Report, peak_resident_bytes, resident_bytes};
use tidemill_protocol::plan::STEPS_PER_FILE_MAX;

const MIB: f64 = 1_048_576.0;
/// What is aimed at, by how many steps there are at most.
const TARGETS: [(usize, &str); 2] = [(100_000, "≤ 150 MiB"), (1_000_000, "≤ 1024 MiB")];

#[derive(Parser)]
struct Args {
    /// The release binary
    #[arg(long, default_value = "target/release/tidemill")]
    binary: PathBuf,
    /// RabbitMQ
    #[arg(long, default_value = "amqp://guest:guest@127.0.0.1:5672/%2f")]
    amqp: String,
    /// Queued steps at which memory is read, growing; a million takes some minutes more
    #[arg(long, value_delimiter = ',', default_values_t = [100_000])]
    steps: Vec<usize>,
    /// What the steps are
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Shape::Component, Shape::Commands])]
    shapes: Vec<Shape>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shape {
    /// One component, an input of its own for each step
    Component,
    /// A command of its own for each step
    Commands,
}

impl Shape {
    const fn words(self) -> &'static str {
        match self {
            Self::Component => "steps of one component",
            Self::Commands => "steps with a command each",
        }
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    anyhow::ensure!(
        args.steps.is_sorted(),
        "--steps are numbers of steps, each larger than the one before"
    );
    let mut report = Report::new();
    for shape in &args.shapes {
        measure(&args, *shape, &mut report)?;
    }
    report.print(args.json);
    Ok(())
}

fn measure(args: &Args, shape: Shape, report: &mut Report) -> Result<()> {
    let cluster = Cluster::start(&args.binary, &args.amqp)?;
    let pid = cluster.pid().to_string();
    let words = shape.words();
    if report.figures.is_empty() {
        let resident = resident_bytes(&pid) as f64 / MIB;
        report.add(Figure::new("a coordinator with nothing to do", resident, "MiB"));
    }
    let mut queued = 0;
    for goal in &args.steps {
        let (begun, before) = (Instant::now(), queued);
        while queued < *goal {
            let count = STEPS_PER_FILE_MAX.min(goal - queued);
            submit(&cluster, shape, queued, count)?;
            queued += count;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let target = TARGETS.iter().find(|(most, _)| queued <= *most);
        let resident = resident_bytes(&pid) as f64 / MIB;
        let figure = Figure::new(format!("{queued} queued {words}, resident"), resident, "MiB");
        report.add(figure.target(target.map_or("", |(_, target)| target)));
        let peak = peak_resident_bytes(&pid) as f64 / MIB;
        report.add(Figure::new(
            format!("{queued} queued {words}, peak until then"),
            peak,
            "MiB",
        ));
        let what = format!("submitting {} {words}", queued - before);
        report.add(Figure::new(what, seconds, "s"));
    }
    Ok(())
}

fn submit(cluster: &Cluster, shape: Shape, first: usize, count: usize) -> Result<()> {
    let product = cluster.product();
    let text = match shape {
        Shape::Commands => fan_from(first, count),
        Shape::Component => {
            let (text, (name, component)) = fan_of_component(first, count);
            product.write(name, component)?;
            text
        }
    };
    let run = cluster.submit(&product.write("fan.yml", &text)?)?;
    anyhow::ensure!(
        run["steps"]["total"] == count,
        "every step is there: {}",
        run["steps"]
    );
    Ok(())
}
