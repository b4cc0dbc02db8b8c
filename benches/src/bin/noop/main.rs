//! What a step costs beside its process: the coordinator of the release binary and a real worker daemon over RabbitMQ, with claims, spooled reports and a
//! journal on disk, whose supervisor starts nothing and calls every step ended at once. Beside it a round trip of a task and its reply through lapin alone.
//!
//! `cargo run --release -p tidemill-benches --bin noop -- --binary target/release/tidemill`

#![expect(clippy::cast_precision_loss, reason = "counts in figures are far below 2^52")]

mod part;

use anyhow::Result;
use clap::{Args, Parser};
use part::{Part, WorkerArgs};
use std::path::PathBuf;
use tidemill_benches::cluster::Cluster;
use tidemill_benches::limits::round_trip;
use tidemill_benches::load::Load;
use tidemill_benches::product::{fan, span_ms};
use tidemill_benches::{Figure, Report, median};

/// As in the product's binary, because the worker's part is played by this one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Steps without a process that come before those that are measured: the worker learns from them that steps are short, as it would in the first second of
/// a long day.
const WARM_UP_STEPS: usize = 500;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    measurement: Measurement,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Args)]
struct Measurement {
    /// The release binary
    #[arg(long, default_value = "target/release/tidemill")]
    binary: PathBuf,
    /// RabbitMQ
    #[arg(long, default_value = "amqp://guest:guest@127.0.0.1:5672/%2f")]
    amqp: String,
    /// Steps of a measurement, and round trips of the limit
    #[arg(long, default_value_t = 10_000)]
    steps: usize,
    /// Slots of the worker: with 1,000 of them as many steps are in flight as messages of the limit
    #[arg(long, value_delimiter = ',', default_values_t = [16, 1000])]
    slots: Vec<u16>,
    /// Bytes of a message of the limit
    #[arg(long, default_value_t = 300)]
    bytes: usize,
    /// How often each figure is measured; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.part {
        Some(part) => part.run(),
        None => measure(&arguments.measurement),
    }
}

fn measure(args: &Measurement) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let mut report = Report::new();
    let load = Load {
        count: args.steps,
        bytes: args.bytes,
        in_flight: 1000,
    };
    let mut limits = Vec::new();
    let mut ours: Vec<_> = args.slots.iter().map(|slots| (*slots, Vec::new())).collect();
    for _ in 0..args.rounds {
        let trips = runtime.block_on(round_trip(&args.amqp, load))?;
        limits.push(load.per_second(trips.took));
        for (slots, rates) in &mut ours {
            rates.push(steps_per_second(args, *slots)?);
        }
    }
    let limit = median(limits);
    for (slots, rates) in ours {
        let what = format!("no-op steps over RabbitMQ, quorum, journaled, {slots} slots");
        let figure = Figure::new(what, median(rates), "steps/s");
        report.add(
            figure
                .against(limit, "lapin alone, round trip, 1,000 in flight")
                .target("≥ 1.0 × limit"),
        );
    }
    report.print(args.json);
    Ok(())
}

fn steps_per_second(args: &Measurement, slots: u16) -> Result<f64> {
    let mut cluster = Cluster::start(&args.binary, &args.amqp)?;
    let worker = WorkerArgs::of(&cluster, &args.amqp, slots);
    cluster.add_own_worker(worker.command()?)?;
    let warm_up = cluster.product().write("warm-up.yml", &fan(WARM_UP_STEPS))?;
    cluster.run(&warm_up)?;
    let file = cluster.product().write("fan.yml", &fan(args.steps))?;
    let run = cluster.run(&file)?;
    anyhow::ensure!(
        run["steps"]["succeeded"] == args.steps,
        "every step succeeds: {}",
        run["steps"]
    );
    Ok(args.steps as f64 / span_ms(&run, "started_at", "finished_at")? * 1000.0)
}
