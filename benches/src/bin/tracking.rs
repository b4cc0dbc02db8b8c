//! How fast metrics are logged and looked at: one point's round trip beside one that asks nothing of the same server, points of a hundred steps at once, how fast steps are dispatched
//! beside a thousand points a second and without them, and charts of a million points. Everything goes over a port of `tidemill up`, as a step's process does it.

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tidemill_benches::api::Connection;
use tidemill_benches::product::{Product, fan_from, span_ms};
use tidemill_benches::{Figure, Report, median};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// Logging and charts.
#[derive(Debug, Parser)]
struct Arguments {
    /// The product.
    #[arg(long, default_value = "target/release/tidemill")]
    binary: PathBuf,
    /// Round trips of each kind.
    #[arg(long, default_value_t = 500)]
    round_trips: usize,
    /// Steps that log at once.
    #[arg(long, default_value_t = 100)]
    steps: usize,
    /// As fast as they can, for so many seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// At a steady pace of so many points a second in all, for at least so many seconds, while other steps are dispatched.
    #[arg(long, default_value_t = 1_000)]
    pace: u32,
    /// The seconds of that.
    #[arg(long, default_value_t = 60)]
    pace_seconds: u64,
    /// Points of the long series.
    #[arg(long, default_value_t = 1_000_000)]
    points: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

const ADDRESS: &str = "127.0.0.1:17471";
const PORT: &str = "17471";
const API: &str = "/api/2.0/mlflow";
/// Points in one batch.
const BATCH: usize = 1_000;
/// Steps `/bin/true` of a fan that is dispatched.
const FAN: usize = 2_000;
/// How long points may take to go to the store.
const SEALED_WITHIN: Duration = Duration::from_mins(5);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let product = Product::new(&arguments.binary)?;
    let _server = product.daemon("up", &["up", "--port", PORT])?;
    let mut connection = Connection::open_soon(ADDRESS).await?;
    let mut report = Report::new();
    let run = begin(&mut connection).await?;
    round_trips(&arguments, &mut connection, &run, &mut report).await?;
    many_steps(&arguments, &mut report).await?;
    dispatch(&arguments, &product, &mut report).await?;
    charts(&arguments, &mut connection, &mut report).await?;
    report.print(arguments.json);
    Ok(())
}

/// One request to MLflow's API.
async fn post(connection: &mut Connection, path: &str, body: &Value) -> Result<Value> {
    connection
        .ask("POST", &format!("{API}/{path}"), &body.to_string())
        .await
}

/// Makes a run; answers its id.
async fn begin(connection: &mut Connection) -> Result<String> {
    let made = post(connection, "runs/create", &json!({"experiment_id": "0"})).await?;
    let id = made["run"]["info"]["run_id"].as_str();
    Ok(id.context("a run was made")?.to_owned())
}

async fn round_trips(
    arguments: &Arguments,
    connection: &mut Connection,
    run: &str,
    report: &mut Report,
) -> Result<()> {
    let (mut empty, mut logged) = (Vec::new(), Vec::new());
    for step in 0..arguments.round_trips {
        let began = Instant::now();
        connection.ask("GET", "/healthz", "").await?;
        empty.push(began.elapsed().as_secs_f64() * 1e3);
        let point = json!({"run_id": run, "key": "loss", "value": 0.5, "timestamp": step, "step": step});
        let began = Instant::now();
        post(connection, "runs/log-metric", &point).await?;
        logged.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let empty = median(empty);
    report.add(
        Figure::new("log_metric, round trip, p50", median(logged), "ms")
            .against(empty, "an empty round trip to the same server"),
    );
    Ok(())
}

async fn many_steps(arguments: &Arguments, report: &mut Report) -> Result<()> {
    let until = Instant::now() + Duration::from_secs(arguments.seconds);
    let mut tasks = JoinSet::new();
    for _ in 0..arguments.steps {
        tasks.spawn(async move {
            let mut connection = Connection::open(ADDRESS).await?;
            let run = begin(&mut connection).await?;
            let mut count = 0_u32;
            while Instant::now() < until {
                let point =
                    json!({"run_id": run, "key": "loss", "value": 0.5, "timestamp": count, "step": count});
                post(&mut connection, "runs/log-metric", &point).await?;
                count += 1;
            }
            anyhow::Ok(count)
        });
    }
    let mut points = 0.0;
    while let Some(logged) = tasks.join_next().await {
        points += f64::from(logged??);
    }
    let seconds = Duration::from_secs(arguments.seconds).as_secs_f64();
    let name = format!("points logged one by one by {} steps", arguments.steps);
    report.add(Figure::new(name, points / seconds, "points/s").target("≥ 1,000"));
    Ok(())
}

/// Fans of steps in turn without and beside steady logging, until there was logging for long enough.
async fn dispatch(arguments: &Arguments, product: &Product, report: &mut Report) -> Result<()> {
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    let mut logged_for = Duration::ZERO;
    let (is_on, pace) = watch::channel(false);
    let mut loggers = steady(arguments, &pace).await?;
    let mut fans = (0..).step_by(FAN).map(|first| fan_rate(product, first));
    while logged_for < Duration::from_secs(arguments.pace_seconds) {
        alone.push(fans.next().context("numbers do not end")??);
        let began = Instant::now();
        is_on.send_replace(true);
        beside.push(fans.next().context("numbers do not end")??);
        is_on.send_replace(false);
        logged_for += began.elapsed();
    }
    drop(is_on);
    let mut points = 0.0;
    while let Some(logged) = loggers.join_next().await {
        points += f64::from(logged??);
    }
    let name = format!("`/bin/true` steps dispatched while {} steps log", arguments.steps);
    report.add(
        Figure::new(name, median(beside), "steps/s")
            .against(median(alone), "the same without logging, in turn")
            .target("≥ 0.9"),
    );
    let name = format!("points logged meanwhile, in {} s", logged_for.as_secs());
    report.add(Figure::new(name, points / logged_for.as_secs_f64(), "points/s").target("1,000"));
    Ok(())
}

/// Steps a second of a fan that the server dispatches and runs.
fn fan_rate(product: &Product, first: usize) -> Result<f64> {
    let file = product.write("fan.yml", &fan_from(first, FAN))?;
    let run = tokio::task::block_in_place(|| product.json(&["submit", &file, "--watch"]))?;
    let seconds = span_ms(&run, "started_at", "finished_at")? / 1e3;
    Ok(f64::from(u32::try_from(FAN)?) / seconds)
}

/// Steps that log at a steady pace while they are let, until nobody can let them any more; each answers how many points it logged.
async fn steady(arguments: &Arguments, pace: &watch::Receiver<bool>) -> Result<JoinSet<Result<u32>>> {
    let steps = u32::try_from(arguments.steps)?;
    let every = Duration::from_secs(1) * steps / arguments.pace.max(1);
    let mut tasks = JoinSet::new();
    for _ in 0..steps {
        let mut connection = Connection::open(ADDRESS).await?;
        let run = begin(&mut connection).await?;
        let mut pace = pace.clone();
        tasks.spawn(async move {
            let mut ticks = tokio::time::interval(every);
            // What was not logged while they were not let is not made up for.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            let mut count = 0_u32;
            while pace.wait_for(|is_on| *is_on).await.is_ok() {
                ticks.tick().await;
                let point =
                    json!({"run_id": run, "key": "loss", "value": 0.5, "timestamp": count, "step": count});
                post(&mut connection, "runs/log-metric", &point).await?;
                count += 1;
            }
            Ok(count)
        });
    }
    Ok(tasks)
}

async fn charts(arguments: &Arguments, connection: &mut Connection, report: &mut Report) -> Result<()> {
    let run = begin(connection).await?;
    let began = Instant::now();
    for first in (0..arguments.points).step_by(BATCH) {
        let points = (first..arguments.points.min(first + BATCH)).map(|step| {
            let value = f64::from(u32::try_from(step % 1_000).unwrap_or(0));
            json!({"key": "loss", "value": value, "timestamp": step, "step": step})
        });
        let batch = json!({"run_id": run, "metrics": points.collect::<Vec<Value>>()});
        while let Err(refused) = post(connection, "runs/log-batch", &batch).await {
            ensure!(refused.to_string().contains("503"), "{refused}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let all = f64::from(u32::try_from(arguments.points)?);
    report.add(Figure::new(
        "points logged in batches of 1,000",
        all / seconds,
        "points/s",
    ));
    let chart = format!("/api/v1/runs/{run}/metrics/loss?points=1000");
    let began = Instant::now();
    while connection.ask("GET", &chart, "").await?["series"][0]["unsealed"].as_u64() > Some(5_000) {
        ensure!(began.elapsed() < SEALED_WITHIN, "the points stay in the journal");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let theirs =
        format!("{API}/metrics/get-history-bulk-interval?run_ids={run}&metric_key=loss&max_results=1000");
    let close = format!("{chart}&first_step=500000&last_step=520000");
    for (name, path) in [
        ("a chart of all of them", &chart),
        ("the same for MLflow", &theirs),
        ("a chart of 20,000 of them", &close),
    ] {
        let mut took = Vec::new();
        for _ in 0..20 {
            let began = Instant::now();
            connection.ask("GET", path, "").await?;
            took.push(began.elapsed().as_secs_f64() * 1e3);
        }
        report.add(
            Figure::new(format!("{} points: {name}", arguments.points), median(took), "ms")
                .target("≤ 200 ms"),
        );
    }
    Ok(())
}
