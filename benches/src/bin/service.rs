//! How the service bears many clients: submissions at a steady rate beside an empty round trip and a durable write, a list of very many runs, and very many who
//! watch one run at once. A coordinator of the release binary over RabbitMQ; over a port, as other systems use it.
//!
//! `cargo run --release -p tidemill-benches --bin service`

#![expect(clippy::cast_precision_loss, reason = "counts in figures are far below 2^52")]

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tidemill_benches::api::Connection;
use tidemill_benches::cluster::Cluster;
use tidemill_benches::product::fan;
use tidemill_benches::{Figure, Report, peak_resident_bytes, resident_bytes};
use tidemill_language::{Workspace, load};
use tidemill_protocol::time::Clock as _;
use tidemill_worker::SystemClock;
use tokio::task::JoinSet;

const MIB: f64 = 1_048_576.0;
/// Steps of what is submitted at a steady rate.
const STEPS: usize = 10;
/// Connections over which many runs are submitted at once.
const FILLERS: usize = 32;
/// Looks at the first page.
const LOOKS: usize = 200;
/// Watchers for each token: fewer than one token may have.
const WATCHERS_PER_TOKEN: usize = 300;
/// Steps of the run that is watched.
const WATCHED_STEPS: usize = 20;

#[derive(Debug, Parser)]
struct Args {
    /// The release binary
    #[arg(long, default_value = "target/release/tidemill")]
    binary: PathBuf,
    /// RabbitMQ
    #[arg(long, default_value = "amqp://guest:guest@127.0.0.1:5672/%2f")]
    amqp: String,
    /// Submissions a second
    #[arg(long, default_value_t = 100)]
    rate: u64,
    /// For so many seconds
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Runs in the list
    #[arg(long, default_value_t = 100_000)]
    runs: usize,
    /// Watchers at once
    #[arg(long, default_value_t = 1_000)]
    watchers: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    let mut report = Report::new();
    {
        let cluster = Cluster::start(&args.binary, &args.amqp)?;
        runtime.block_on(steady(&args, &cluster, &mut report))?;
        runtime.block_on(list(&args, &cluster, &mut report))?;
    }
    let mut cluster = Cluster::start(&args.binary, &args.amqp)?;
    cluster.add_worker(2)?;
    runtime.block_on(watch(&args, &cluster, &mut report))?;
    report.print(args.json);
    Ok(())
}

/// A submission of a pipeline file's text.
fn submission(cluster: &Cluster, text: &str) -> Result<String> {
    let file = cluster.product().write("service.yml", text)?;
    let loaded = load(std::path::Path::new(&file), &Workspace::default())
        .map_err(|problems| anyhow::anyhow!(problems.render(false, 100)))?;
    let spec = loaded.finish(&BTreeMap::new());
    Ok(json!({"spec": spec, "force_rerun": true}).to_string())
}

/// Submits at fixed moments, each over a connection of its own that is kept, and counts from the moment at which it should have begun: a server that holds one
/// back is not spared the next.
async fn steady(args: &Args, cluster: &Cluster, report: &mut Report) -> Result<()> {
    let body = submission(cluster, &fan(STEPS))?;
    let count = args.rate * args.seconds;
    let gap = Duration::from_secs(1) / u32::try_from(args.rate)?;
    let begin = Instant::now() + Duration::from_millis(500);
    let lanes = args.rate.min(64);
    let mut tasks = JoinSet::new();
    for lane in 0..lanes {
        let (address, body) = (cluster.address().to_owned(), body.clone());
        tasks.spawn(async move {
            let mut connection = Connection::open(&address).await?;
            let mut took = Vec::new();
            for number in (lane..count).step_by(usize::try_from(lanes)?) {
                let due = begin + gap * u32::try_from(number)?;
                tokio::time::sleep_until(due.into()).await;
                connection.ask("POST", "/api/v1/runs", &body).await?;
                took.push(due.elapsed().as_secs_f64() * 1e3);
            }
            anyhow::Ok(took)
        });
    }
    let mut all = Vec::new();
    while let Some(took) = tasks.join_next().await {
        all.extend(took??);
    }
    let empty = empty_round_trips(cluster.address()).await?;
    let durable = durable_writes(cluster, body.len())?;
    let what = format!("submission of {STEPS} steps, {} a second", args.rate);
    let limit = "an empty round trip and a durable write of as many bytes";
    for (share, target) in [(0.5, "≤ 5 ms"), (0.99, "≤ 30 ms")] {
        let name = format!("{what}, p{:.0}", share * 100.0);
        let least = quantile(&empty, share) + quantile(&durable, share);
        report.add(
            Figure::new(name, quantile(&all, share), "ms")
                .against(least, limit)
                .target(target),
        );
    }
    Ok(())
}

async fn empty_round_trips(address: &str) -> Result<Vec<f64>> {
    let mut connection = Connection::open(address).await?;
    let mut took = Vec::new();
    for _ in 0..1_000 {
        let began = Instant::now();
        connection.ask("GET", "/healthz", "").await?;
        took.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(took)
}

fn durable_writes(cluster: &Cluster, bytes: usize) -> Result<Vec<f64>> {
    use std::io::Write as _;
    let mut file = std::fs::File::create(cluster.product().folder().join("durable"))?;
    let (bytes, mut took) = (vec![7; bytes], Vec::new());
    for _ in 0..1_000 {
        let began = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        took.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(took)
}

/// Fills the list with runs of one step, then looks at its first page.
async fn list(args: &Args, cluster: &Cluster, report: &mut Report) -> Result<()> {
    let body = submission(cluster, &fan(1))?;
    let there = usize::try_from(args.rate * args.seconds)?;
    let each = args.runs.saturating_sub(there).div_ceil(FILLERS);
    let (mut tasks, began) = (JoinSet::new(), Instant::now());
    for _ in 0..FILLERS {
        let (address, body) = (cluster.address().to_owned(), body.clone());
        tasks.spawn(async move {
            let mut connection = Connection::open(&address).await?;
            for _ in 0..each {
                connection.ask("POST", "/api/v1/runs", &body).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(filled) = tasks.join_next().await {
        filled??;
    }
    let made = (each * FILLERS) as f64;
    report.add(Figure::new(
        format!("submissions of one step, {FILLERS} at a time"),
        made / began.elapsed().as_secs_f64(),
        "runs/s",
    ));
    let mut connection = Connection::open(cluster.address()).await?;
    let mut took = Vec::new();
    for _ in 0..LOOKS {
        let began = Instant::now();
        let page = connection.ask("GET", "/api/v1/runs", "").await?;
        took.push(began.elapsed().as_secs_f64() * 1e3);
        ensure!(
            page["items"].as_array().is_some_and(|items| items.len() == 50),
            "a page is full"
        );
    }
    let empty = empty_round_trips(cluster.address()).await?;
    for share in [0.5, 0.99] {
        let name = format!(
            "first page of {} runs, p{:.0}",
            there + each * FILLERS,
            share * 100.0
        );
        report.add(
            Figure::new(name, quantile(&took, share), "ms")
                .against(quantile(&empty, share), "an empty round trip")
                .target("≤ 20 ms"),
        );
    }
    let resident = resident_bytes(&cluster.pid().to_string()) as f64 / MIB;
    report.add(Figure::new(
        "the coordinator with all of them, resident",
        resident,
        "MiB",
    ));
    Ok(())
}

/// Watches one run by very many clients, each of which notes how old every event is when it comes.
async fn watch(args: &Args, cluster: &Cluster, report: &mut Report) -> Result<()> {
    let tokens = tokens(cluster, args.watchers.div_ceil(WATCHERS_PER_TOKEN))?;
    let mut connection = Connection::open(cluster.address()).await?.with_token(&tokens[0]);
    let run = connection
        .ask("POST", "/api/v1/runs", &submission(cluster, &slow_chain())?)
        .await?;
    let run = run["id"].as_str().context("a run has an id")?.to_owned();
    let mut watchers = JoinSet::new();
    for number in 0..args.watchers {
        let token = tokens[number % tokens.len()].clone();
        let (address, path) = (cluster.address().to_owned(), format!("/api/v1/runs/{run}/events"));
        let connection = Connection::open(&address).await?.with_token(&token);
        watchers.spawn(async move {
            let mut events = connection.watch(&path).await?;
            let (mut ages, opened) = (Vec::new(), now_ms());
            while let Some(event) = events.next().await? {
                let at = event["at"].as_f64().context("an event has a time")?;
                // What had happened before is history.
                if at > opened {
                    ages.push(now_ms() - at);
                }
            }
            anyhow::Ok(ages)
        });
    }
    let mut ages = Vec::new();
    while let Some(watched) = watchers.join_next().await {
        ages.extend(watched??);
    }
    ensure!(!ages.is_empty(), "something happened while everybody watched");
    let who = format!("{} watchers of one run", args.watchers);
    report.add(Figure::new(
        format!("{who}: events delivered"),
        ages.len() as f64,
        "events",
    ));
    for (share, name) in [(0.5, "p50"), (0.99, "p99"), (1.0, "the latest")] {
        let figure = Figure::new(
            format!("{who}: age of an event on arrival, {name}"),
            quantile(&ages, share),
            "ms",
        );
        report.add(figure.target("≤ 1,000 ms"));
    }
    let peak = peak_resident_bytes(&cluster.pid().to_string()) as f64 / MIB;
    report.add(Figure::new(format!("{who}: the coordinator, peak"), peak, "MiB").target("≤ 300 MiB"));
    Ok(())
}

/// A step that lasts until everybody watches, and short ones after it, one by one.
fn slow_chain() -> String {
    let mut text =
        "type: pipeline\nsettings: {default_compute: azureml:cpu}\njobs:\n  s0: {command: sleep 8}\n"
            .to_owned();
    for step in 1..=WATCHED_STEPS {
        let before = step - 1;
        writeln!(
            text,
            "  s{step}: {{command: sleep 0.{step:03}, depends_on: [s{before}]}}"
        )
        .expect("a text takes all");
    }
    text
}

/// One token for each part of the watchers. From the first on, everybody needs one.
fn tokens(cluster: &Cluster, count: usize) -> Result<Vec<String>> {
    let mut tokens: Vec<String> = Vec::new();
    for number in 0..count {
        let subject = format!("watcher-{number}");
        let words = [
            "--url",
            cluster.url(),
            "token",
            "create",
            "--scope",
            "admin",
            "--subject",
            &subject,
            "-o",
            "json",
        ];
        let mut command = cluster.product().command(&words);
        if let Some(first) = tokens.first() {
            command.env("TIDEMILL_TOKEN", first);
        }
        let output = command.output()?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let made: Value = serde_json::from_slice(&output.stdout)?;
        tokens.push(made["token"].as_str().context("a token was made")?.to_owned());
    }
    Ok(tokens)
}

/// Milliseconds since 1970, as events carry them.
fn now_ms() -> f64 {
    SystemClock::new().now().0 as f64
}

fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a list"
    )]
    let place = (last as f64 * share).round() as usize;
    sorted.get(place).copied().unwrap_or(0.0)
}
