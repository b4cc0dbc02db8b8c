//! What the bus costs: publishing and the round trip of a task and its reply, through our bus and through lapin alone, in alternating
//! rounds against one RabbitMQ; and what the in-process bus carries. Queues are durable quorum queues; publishes are confirmed.

mod ours;

use anyhow::Result;
use clap::Parser;
use tidemill_benches::load::Load;
use tidemill_benches::{Figure, Report, limits, median};

/// Our bus beside lapin alone.
#[derive(Debug, Parser)]
struct Arguments {
    /// RabbitMQ.
    #[arg(long, default_value = "amqp://guest:guest@127.0.0.1:5672/%2f")]
    url: String,
    /// Messages of one measurement with many in flight; with one in flight a twentieth of it.
    #[arg(long, default_value_t = 20_000)]
    count: usize,
    /// Bytes of a message.
    #[arg(long, default_value_t = 300)]
    bytes: usize,
    /// Limit and figure are measured in this many alternating rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only figures whose name holds this.
    #[arg(long, default_value = "")]
    only: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut report = Report::new();
    for in_flight in [1, 100, 1000] {
        let name = format!("publish confirmed, {in_flight} in flight");
        if name.contains(&arguments.only) {
            publish(&arguments, &name, in_flight, &mut report).await?;
        }
    }
    for in_flight in [1, 1000] {
        let name = format!("round trip, {in_flight} in flight");
        if name.contains(&arguments.only) {
            round_trip(&arguments, &name, in_flight, &mut report).await?;
        }
    }
    let name = "in-process bus: publish, consume, acknowledge";
    if name.contains(&arguments.only) {
        let load = arguments.load(1000, 10);
        let mut rates = Vec::new();
        for _ in 0..arguments.rounds {
            rates.push(load.per_second(ours::local(load).await?));
        }
        report.add(Figure::new(name, median(rates), "messages/s").target("≥ 200,000"));
    }
    report.print(arguments.json);
    Ok(())
}

impl Arguments {
    fn load(&self, in_flight: usize, times: usize) -> Load {
        let count = if in_flight == 1 {
            self.count / 20
        } else {
            self.count
        };
        Load {
            count: count * times,
            bytes: self.bytes,
            in_flight,
        }
    }
}

async fn publish(arguments: &Arguments, name: &str, in_flight: usize, report: &mut Report) -> Result<()> {
    let load = arguments.load(in_flight, 1);
    let (mut raw, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        raw.push(load.per_second(limits::publish(&arguments.url, load).await?));
        rates.push(load.per_second(ours::publish(&arguments.url, load).await?));
    }
    let figure = Figure::new(name, median(rates), "messages/s").against(median(raw), "lapin alone");
    report.add(figure.target("≥ 1.0 × limit"));
    Ok(())
}

async fn round_trip(arguments: &Arguments, name: &str, in_flight: usize, report: &mut Report) -> Result<()> {
    let load = arguments.load(in_flight, 1);
    let (mut raw, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        let trips = limits::round_trip(&arguments.url, load).await?;
        raw.push(load.per_second(trips.took));
        rates.push(load.per_second(ours::round_trip(&arguments.url, load).await?));
    }
    let figure = Figure::new(name, median(rates), "tasks/s").against(median(raw), "lapin alone");
    report.add(figure.target("≥ 1.0 × limit"));
    Ok(())
}
