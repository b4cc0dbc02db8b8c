//! Schedules in lists, one with what became of its moments, and why it does or does not fire.

use crate::failure::Failure;
use crate::output::table::Column;
use crate::output::tone::Tone;
use crate::output::{Printer, humane};
use tidemill_protocol::api::{LookView, MomentView, ScheduleView};
use tidemill_protocol::schedule::{
    CatchUp, FilesChanged, Firing, FiringOutcome, Frequency, Overlap, Trigger,
};
use tidemill_protocol::time::{Millis, Timestamp};

/// The columns of a list of schedules.
pub(crate) fn columns(now: Timestamp) -> Vec<Column<ScheduleView>> {
    vec![
        Column::new("SCHEDULE", |one: &ScheduleView| one.name.to_string()).fixed(),
        Column::toned("STATUS", |one: &ScheduleView| {
            let (word, tone) = status(one);
            (word.to_owned(), tone)
        })
        .fixed(),
        Column::new("STARTS", started),
        Column::new("WHEN", |one: &ScheduleView| when(&one.spec.trigger)),
        Column::new("NEXT", move |one: &ScheduleView| {
            let next = one.next_at.filter(|_| one.pause.is_none());
            next.map_or_else(|| "-".to_owned(), |next| until(next, now))
        }),
        Column::new("LAST", move |one: &ScheduleView| {
            let last = one.last.as_ref();
            last.map_or_else(
                || "-".to_owned(),
                |last| format!("{} {}", word(&last.outcome), humane::ago(last.nominal, now)),
            )
        }),
        Column::new("BY", |one: &ScheduleView| one.created_by.clone()).wide(),
    ]
}

/// What it starts.
fn started(one: &ScheduleView) -> String {
    match &one.spec.version {
        Some(version) => format!("{}:{version}", one.spec.pipeline),
        None => one.spec.pipeline.to_string(),
    }
}

fn status(one: &ScheduleView) -> (&'static str, Tone) {
    if one.pause.is_some() {
        ("paused", Tone::Warn)
    } else if one.next_at.is_none() && is_of_clock(&one.spec.trigger) {
        ("ended", Tone::Dim)
    } else {
        ("active", Tone::Good)
    }
}

const fn is_of_clock(trigger: &Trigger) -> bool {
    matches!(trigger, Trigger::Cron(_) | Trigger::Recurrence(_))
}

/// A trigger in words.
pub(crate) fn when(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Cron(cron) => format!("{} ({})", cron.expression, cron.time_zone),
        Trigger::NewVersion(new) => format!("each new version of {} {}", new.kind, new.name),
        Trigger::RunEnded(ended) => {
            let outcomes: Vec<&str> = ended.outcomes.iter().map(|status| status.as_str()).collect();
            format!("each run of {} that {}", ended.pipeline, outcomes.join(" or "))
        }
        Trigger::FilesChanged(files) => {
            format!(
                "changes of files in {} (every {})",
                place(files),
                humane::duration(files.every)
            )
        }
        Trigger::Recurrence(every) => {
            let unit = match every.frequency {
                Frequency::Minute => "minute",
                Frequency::Hour => "hour",
                Frequency::Day => "day",
                Frequency::Week => "week",
                Frequency::Month => "month",
            };
            if every.interval == 1 {
                format!("every {unit} ({})", every.time_zone)
            } else {
                format!("every {} {unit}s ({})", every.interval, every.time_zone)
            }
        }
    }
}

/// What is watched.
fn place(files: &FilesChanged) -> String {
    match files.path.as_str() {
        "" => files.datastore.to_string(),
        path => format!("{}/{path}", files.datastore),
    }
}

/// What the last look at its files came to.
fn looked(look: &LookView, now: Timestamp) -> String {
    let ago = humane::ago(look.at, now);
    match &look.problem {
        None => format!(
            "it looked at its files {ago}: there are {}",
            humane::thousands(look.files)
        ),
        Some(why) => format!("it could not look at its files {ago}: {why}"),
    }
}

fn until(next: Timestamp, now: Timestamp) -> String {
    let length = next.since(now);
    if length == Millis(0) {
        "now".to_owned()
    } else {
        format!("in {}", humane::duration(length))
    }
}

const fn word(outcome: &FiringOutcome) -> &'static str {
    match outcome {
        FiringOutcome::Started { .. } => "started",
        FiringOutcome::Queued => "queued",
        FiringOutcome::Overlapped => "overlapped",
        FiringOutcome::Missed { .. } => "missed",
        FiringOutcome::Refused { .. } => "refused",
    }
}

fn detail(outcome: &FiringOutcome) -> String {
    match outcome {
        FiringOutcome::Started { run } => humane::short_run(run),
        FiringOutcome::Queued => "waits for the run before it".to_owned(),
        FiringOutcome::Overlapped => "a run still went on".to_owned(),
        FiringOutcome::Missed { times: 1 } => "no coordinator was there".to_owned(),
        FiringOutcome::Missed { times } => {
            format!("no coordinator was there, {} times", humane::thousands(*times))
        }
        FiringOutcome::Refused { why } => why.clone(),
    }
}

const fn tone(outcome: &FiringOutcome) -> Tone {
    match outcome {
        FiringOutcome::Started { .. } => Tone::Good,
        FiringOutcome::Queued => Tone::Busy,
        FiringOutcome::Overlapped | FiringOutcome::Missed { .. } => Tone::Warn,
        FiringOutcome::Refused { .. } => Tone::Bad,
    }
}

/// Shows a schedule with what became of its last moments.
pub(crate) fn show(
    printer: &mut Printer,
    one: &ScheduleView,
    firings: &[Firing],
    now: Timestamp,
) -> Result<(), Failure> {
    let (word, tone) = status(one);
    printer.line(format_args!(
        "{}  {}",
        Tone::Strong.paint(&one.name),
        tone.paint(word)
    ))?;
    let mut facts = vec![
        ("starts", started(one)),
        ("when", when(&one.spec.trigger)),
        (
            "made",
            format!("{} by {}", humane::ago(one.created_at, now), one.created_by),
        ),
    ];
    if let Some(next) = one.next_at {
        facts.push(("next", format!("{}, {}", humane::local(next), until(next, now))));
    }
    facts.extend(
        one.spec
            .project
            .iter()
            .map(|project| ("project", project.to_string())),
    );
    facts.extend(
        one.spec
            .parameters
            .iter()
            .map(|(name, value)| ("parameter", format!("{name} = {value}"))),
    );
    if let Some(look) = &one.looked {
        facts.push(("looked", looked(look, now)));
    }
    facts.push(("overlap", overlap(one.spec.overlap).to_owned()));
    if is_of_clock(&one.spec.trigger) {
        facts.push(("catch up", catch_up(one.spec.catch_up).to_owned()));
    }
    if !one.spec.description.is_empty() {
        facts.push(("about", one.spec.description.clone()));
    }
    for (name, value) in facts {
        printer.line(format_args!("  {:<10} {value}", Tone::Dim.paint(name)))?;
    }
    if firings.is_empty() {
        return Ok(());
    }
    printer.line("")?;
    printer.table(firings, &moments())
}

fn moments() -> Vec<Column<Firing>> {
    vec![
        Column::new("MOMENT", |one: &Firing| humane::local(one.nominal)).fixed(),
        Column::toned("OUTCOME", |one: &Firing| {
            (word(&one.outcome).to_owned(), tone(&one.outcome))
        })
        .fixed(),
        Column::new("RUN OR REASON", |one: &Firing| detail(&one.outcome)).whole(),
        Column::new("CAUSE", |one: &Firing| one.cause.clone()).wide(),
    ]
}

/// The columns of moments to come.
pub(crate) fn to_come(now: Timestamp) -> Vec<Column<MomentView>> {
    vec![
        Column::new("MOMENT", |one: &MomentView| humane::local(one.nominal)).fixed(),
        Column::new("FIRES", move |one: &MomentView| until(one.at, now)),
    ]
}

const fn overlap(overlap: Overlap) -> &'static str {
    match overlap {
        Overlap::Allow => "another run is started beside one that goes on",
        Overlap::Skip => "while a run goes on, nothing is started",
        Overlap::Queue => "a run is started when the one before it has ended",
        Overlap::CancelRunning => "a run that goes on is cancelled",
    }
}

const fn catch_up(catch_up: CatchUp) -> &'static str {
    match catch_up {
        CatchUp::None => "what passes while no coordinator runs is missed",
        CatchUp::Last => "of what passes while no coordinator runs, the last is made up for",
        CatchUp::All => "what passes while no coordinator runs is made up for",
    }
}

/// Why it does or does not fire, one sentence a line.
pub(crate) fn sentences(one: &ScheduleView, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    match (&one.pause, one.next_at) {
        (Some(pause), _) => {
            let reason = match pause.reason.as_str() {
                "" => String::new(),
                reason => format!(": {reason}"),
            };
            let since = humane::ago(pause.at, now);
            lines.push(format!("it is paused since {since} by {}{reason}", pause.by));
            lines.push(format!(
                "`tidemill schedule resume {}` lets it fire again",
                one.name
            ));
        }
        (None, Some(next)) => {
            lines.push(format!("it fires {}, {}", until(next, now), humane::local(next)));
        }
        (None, None) if is_of_clock(&one.spec.trigger) => {
            lines.push("its end has passed: it fires no more".to_owned());
        }
        (None, None) => lines.push(format!("it waits for {}", when(&one.spec.trigger))),
    }
    if let Trigger::FilesChanged(_) = one.spec.trigger
        && one.pause.is_none()
    {
        let none = "nobody has looked at its files since the coordinator started".to_owned();
        lines.push(one.looked.as_ref().map_or(none, |look| looked(look, now)));
    }
    if one.waiting > 0 {
        let moments = humane::count(one.waiting, "moment");
        lines.push(format!("{moments} wait for the run before to end"));
    }
    match &one.last {
        None => lines.push("it has not fired yet".to_owned()),
        Some(last) => lines.push(format!(
            "its last moment, {}, was {}: {}",
            humane::local(last.nominal),
            word(&last.outcome),
            detail(&last.outcome)
        )),
    }
    lines.push(overlap(one.spec.overlap).to_owned());
    // What happens is read from the state when the coordinator comes back: nothing of it is missed.
    if is_of_clock(&one.spec.trigger) {
        lines.push(catch_up(one.spec.catch_up).to_owned());
    }
    lines
}
