//! How many steps a second the product runs, embedded and over RabbitMQ, and how long one step of a chain takes; each beside the plainest program that
//! does the same, measured in the same run. The plain programs are measured with several numbers of slots; the best of them is the limit.
//!
//! `cargo run --release -p tidemill-benches --bin steps -- --binary target/release/tidemill`

#![expect(clippy::cast_precision_loss, reason = "counts in figures are far below 2^52")]

use anyhow::{Context, Result};
use clap::Parser;
use std::path::PathBuf;
use std::time::Duration;
use tidemill_benches::cluster::Cluster;
use tidemill_benches::limits::{bare_worker, spawn_rate};
use tidemill_benches::load::Load;
use tidemill_benches::product::{Product, chain, fan, span_ms, step_latencies};
use tidemill_benches::{Figure, Report, median};

#[derive(Parser)]
struct Args {
    /// The release binary
    #[arg(long, default_value = "target/release/tidemill")]
    binary: PathBuf,
    /// RabbitMQ
    #[arg(long, default_value = "amqp://guest:guest@127.0.0.1:5672/%2f")]
    amqp: String,
    /// Steps of a fan
    #[arg(long, default_value_t = 4000)]
    steps: usize,
    /// Our slots
    #[arg(long, default_value_t = 16)]
    slots: u16,
    /// Slots of the bare worker over RabbitMQ; the best counts
    #[arg(long, value_delimiter = ',', default_values_t = [4, 16])]
    bare_slots: Vec<usize>,
    /// Threads that start bare processes; the best counts
    #[arg(long, value_delimiter = ',', default_values_t = [2])]
    bare_threads: Vec<usize>,
    /// How often each figure is measured; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    let mut report = Report::new();
    embedded(&args, &mut report)?;
    over_rabbitmq(&args, &runtime, &mut report)?;
    report.print(args.json);
    Ok(())
}

/// Measurements of one limit with several settings, in alternating rounds.
struct Limits(Vec<(usize, Vec<f64>)>);

impl Limits {
    fn of(settings: &[usize]) -> Self {
        Self(settings.iter().map(|setting| (*setting, Vec::new())).collect())
    }

    fn measure(&mut self, mut measure: impl FnMut(usize) -> Result<f64>) -> Result<()> {
        for (setting, rates) in &mut self.0 {
            rates.push(measure(*setting)?);
        }
        Ok(())
    }

    /// Puts a row for each setting into the report; answers the best figure with its setting.
    fn report(self, report: &mut Report, what: impl Fn(usize) -> String) -> Result<(f64, usize)> {
        let figures = self
            .0
            .into_iter()
            .map(|(setting, rates)| (median(rates), setting));
        let figures: Vec<_> = figures.collect();
        for (rate, setting) in &figures {
            report.add(Figure::new(what(*setting), *rate, "steps/s"));
        }
        let best = figures.into_iter().max_by(|a, b| a.0.total_cmp(&b.0));
        best.context("there is at least one setting of the limit")
    }
}

fn embedded(args: &Args, report: &mut Report) -> Result<()> {
    let (mut ours, mut limits) = (Vec::new(), Limits::of(&args.bare_threads));
    for _ in 0..args.rounds {
        limits.measure(|threads| Ok(spawn_rate(threads, Duration::from_secs(1))))?;
        let product = Product::new(&args.binary)?;
        let file = product.write("fan.yml", &fan(args.steps))?;
        let slots = args.slots.to_string();
        let run = product.json(&["run", &file, "--no-cache", "--slots", &slots])?;
        ours.push(args.steps as f64 / span_ms(&run, "started_at", "finished_at")? * 1000.0);
    }
    let (limit, threads) = limits.report(report, |threads| {
        format!("posix_spawn and wait, {threads} threads")
    })?;
    let figure = Figure::new(
        format!(
            "`/bin/true` steps, embedded, journaled, reuse off, {} slots",
            args.slots
        ),
        median(ours),
        "steps/s",
    );
    let limit_is = format!("posix_spawn and wait, {threads} threads");
    report.add(figure.against(limit, limit_is).target("≥ 0.5"));
    Ok(())
}

fn over_rabbitmq(args: &Args, runtime: &tokio::runtime::Runtime, report: &mut Report) -> Result<()> {
    let many = Load {
        count: 2000,
        bytes: 300,
        in_flight: 1000,
    };
    let single = Load {
        count: 200,
        in_flight: 1,
        ..many
    };
    let mut limits = Limits::of(&args.bare_slots);
    let (mut ours, mut latencies, mut latency_limits) = (vec![], vec![], vec![]);
    for _ in 0..args.rounds {
        limits.measure(|slots| {
            let trips = runtime.block_on(bare_worker(&args.amqp, many, slots))?;
            Ok(many.per_second(trips.took))
        })?;
        let trips = runtime.block_on(bare_worker(&args.amqp, single, 1))?;
        latency_limits.push(trips.p50.as_secs_f64() * 1000.0);
        let mut cluster = Cluster::start(&args.binary, &args.amqp)?;
        cluster.add_worker(args.slots)?;
        let file = cluster.product().write("chain.yml", &chain(200))?;
        latencies.push(median(step_latencies(&cluster.run(&file)?)?));
        let file = cluster.product().write("fan.yml", &fan(args.steps))?;
        let run = cluster.run(&file)?;
        ours.push(args.steps as f64 / span_ms(&run, "started_at", "finished_at")? * 1000.0);
    }
    let bare = |slots| format!("bare lapin worker, {slots} slots, 1,000 in flight");
    let (limit, slots) = limits.report(report, bare)?;
    let figure = Figure::new(
        format!(
            "`/bin/true` steps over RabbitMQ, quorum, journaled, {} slots",
            args.slots
        ),
        median(ours),
        "steps/s",
    );
    report.add(figure.against(limit, bare(slots)).target("≥ 1.0, aim 1.2"));
    let figure = Figure::new(
        "one step of a chain of 200 over RabbitMQ, ten at a time, p50",
        median(latencies),
        "ms",
    );
    report.add(
        figure
            .against(median(latency_limits), "bare lapin worker, one in flight")
            .target("≤ 1.5"),
    );
    Ok(())
}
