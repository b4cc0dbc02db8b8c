//! From what was typed, or from a schedule file, to what a schedule is to be: triggers, and moments by the clocks of their zone.

use crate::args::ScheduleCreateArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::loading;
use crate::session::Session;
use jiff::civil::DateTime;
use std::path::Path;
use tidemill_coordinator::schedules::{Calendar, time_zone};
use tidemill_language::ScheduledJob;
use tidemill_protocol::catalog::{AssetKind, Version};
use tidemill_protocol::name::Name;
use tidemill_protocol::schedule::{
    Cron, FilesChanged, Frequency, NewVersion, Recurrence, RunEnded, ScheduleSpec, Trigger,
};
use tidemill_protocol::status::RunStatus;
use tidemill_protocol::time::{Millis, Timestamp};

/// A schedule whose pipeline is perhaps still to be published.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Its name.
    pub(crate) name: Name,
    /// All but which pipeline it starts.
    pub(crate) spec: ScheduleSpec,
    /// Which.
    pub(crate) job: Job,
}

/// What a schedule starts.
#[derive(Debug)]
pub(crate) enum Job {
    /// A pipeline whose file was read.
    Read(Box<loading::Draft>),
    /// A published pipeline.
    Published {
        /// Its name.
        name: Name,
        /// A version or a label of it.
        version: Option<Version>,
    },
}

/// Reads a schedule file. What was typed beside it counts more.
pub(crate) fn from_file(
    session: &mut Session,
    file: &Path,
    args: &ScheduleCreateArgs,
) -> Result<Draft, Failure> {
    let loaded = loading::load_schedule(session, file)?;
    let name = args.name.clone().unwrap_or(loaded.name);
    let (start, end) = (loaded.start_time.as_deref(), loaded.end_time.as_deref());
    let mut spec = blank(bounded(loaded.trigger, start, end)?, name.clone());
    spec.parameters = loaded.parameters;
    spec.display_name = loaded.display_name;
    spec.experiment = loaded.experiment;
    spec.project = loaded.project;
    spec.tags = loaded.tags;
    spec.continue_on_step_failure = loaded.continue_on_step_failure;
    spec.force_rerun = loaded.force_rerun;
    spec.overlap = loaded.overlap;
    spec.catch_up = loaded.catch_up;
    spec.jitter = loaded.jitter;
    spec.description = loaded.description;
    apply(&mut spec, args);
    let job = match loaded.job {
        ScheduledJob::File(file) => Job::Read(Box::new(loading::read(session, &file)?)),
        ScheduledJob::Published { name, version } => Job::Published { name, version },
    };
    Ok(Draft { name, spec, job })
}

/// Reads what was typed.
pub(crate) fn from_arguments(args: &ScheduleCreateArgs) -> Result<Draft, Failure> {
    let (Some(name), Some(pipeline)) = (args.name.clone(), args.pipeline.clone()) else {
        return Err(usage("a schedule has a --name and a --pipeline".to_owned()));
    };
    let zone = args.time_zone.clone().unwrap_or_else(|| "UTC".to_owned());
    let trigger = match (&args.cron, args.every) {
        (Some(expression), _) => Trigger::Cron(Cron {
            expression: expression.clone(),
            time_zone: zone,
            start_at: None,
            end_at: None,
        }),
        (None, Some(length)) => Trigger::Recurrence(every(length, zone)?),
        (None, None) => occasion(args)?,
    };
    let trigger = bounded(trigger, args.start.as_deref(), args.end.as_deref())?;
    let mut spec = blank(trigger, pipeline.clone());
    apply(&mut spec, args);
    let version = args.version.clone();
    Ok(Draft {
        name,
        spec,
        job: Job::Published {
            name: pipeline,
            version,
        },
    })
}

/// A trigger that goes by what happens.
fn occasion(args: &ScheduleCreateArgs) -> Result<Trigger, Failure> {
    if let Some(name) = args.on_version.clone() {
        let kind = AssetKind::Data;
        return Ok(Trigger::NewVersion(NewVersion { kind, name }));
    }
    if let Some(address) = &args.on_change {
        let every = args.poll.unwrap_or(FilesChanged::EVERY_DEFAULT);
        let files = FilesChanged::of(address, every);
        return files.map(Trigger::FilesChanged).ok_or_else(|| {
            usage(format!("`{address}` is no path in a datastore"))
                .help("write it as azureml://datastores/NAME/paths/PATH")
        });
    }
    let pipeline = args.on_run.clone().ok_or_else(|| {
        usage("say when: --cron, --every, --on-version, --on-run or --on-change".to_owned())
    })?;
    let outcomes = if args.on_outcome.is_empty() {
        vec![RunStatus::Succeeded]
    } else {
        args.on_outcome.clone()
    };
    Ok(Trigger::RunEnded(RunEnded { pipeline, outcomes }))
}

fn blank(trigger: Trigger, pipeline: Name) -> ScheduleSpec {
    ScheduleSpec {
        trigger,
        pipeline,
        version: None,
        parameters: std::collections::BTreeMap::new(),
        display_name: None,
        experiment: None,
        project: None,
        tags: std::collections::BTreeMap::new(),
        priority: 0,
        force_rerun: false,
        continue_on_step_failure: None,
        catch_up: tidemill_protocol::schedule::CatchUp::default(),
        overlap: tidemill_protocol::schedule::Overlap::default(),
        jitter: Millis(0),
        description: String::new(),
    }
}

fn apply(spec: &mut ScheduleSpec, args: &ScheduleCreateArgs) {
    spec.parameters.extend(loading::map(&args.parameters));
    spec.tags.extend(loading::map(&args.tags));
    if args.experiment.is_some() {
        spec.experiment.clone_from(&args.experiment);
    }
    if args.project.is_some() {
        spec.project.clone_from(&args.project);
    }
    if let Some(catch_up) = args.catch_up {
        spec.catch_up = catch_up.into();
    }
    if let Some(overlap) = args.overlap {
        spec.overlap = overlap.into();
    }
    if let Some(jitter) = args.jitter {
        spec.jitter = jitter;
    }
}

/// A length of whole minutes as a recurrence; days of it go by the clocks.
fn every(length: Millis, time_zone: String) -> Result<Recurrence, Failure> {
    const UNITS: [(u64, Frequency); 3] = [
        (24 * 60, Frequency::Day),
        (60, Frequency::Hour),
        (1, Frequency::Minute),
    ];
    let minutes = length.0 / 60_000;
    if minutes == 0 || !length.0.is_multiple_of(60_000) {
        return Err(usage("--every takes whole minutes, hours or days".to_owned()));
    }
    let fitting = UNITS.into_iter().find(|(unit, _)| minutes.is_multiple_of(*unit));
    let (unit, frequency) = fitting.unwrap_or((1, Frequency::Minute));
    let interval = u32::try_from(minutes / unit).unwrap_or(u32::MAX);
    Ok(Recurrence::every(interval, frequency, time_zone))
}

/// The trigger between these moments, each with an offset or by the trigger's own clocks.
fn bounded(mut trigger: Trigger, start: Option<&str>, end: Option<&str>) -> Result<Trigger, Failure> {
    let (zone, start_at, end_at) = match &mut trigger {
        Trigger::Cron(cron) => (&cron.time_zone, &mut cron.start_at, &mut cron.end_at),
        Trigger::Recurrence(every) => (&every.time_zone, &mut every.start_at, &mut every.end_at),
        Trigger::NewVersion(_) | Trigger::RunEnded(_) | Trigger::FilesChanged(_) => {
            return match (start, end) {
                (None, None) => Ok(trigger),
                _ => Err(usage("--start and --end are of --cron and --every".to_owned())),
            };
        }
    };
    *start_at = start.map(|text| moment(text, zone)).transpose()?;
    *end_at = end.map(|text| moment(text, zone)).transpose()?;
    // The coordinator says the same, but after a pipeline was published for nothing.
    Calendar::of(&trigger).map_err(|error| usage(error.to_string()))?;
    Ok(trigger)
}

fn moment(text: &str, zone: &str) -> Result<Timestamp, Failure> {
    let with_offset = text.parse::<jiff::Timestamp>().ok();
    let instant = if let Some(instant) = with_offset {
        Some(instant)
    } else {
        let zone = time_zone(zone).map_err(|error| usage(error.to_string()))?;
        let clock = text.parse::<DateTime>().ok();
        clock.and_then(|clock| Some(clock.to_zoned(zone).ok()?.timestamp()))
    };
    let ms = instant.and_then(|instant| u64::try_from(instant.as_millisecond()).ok());
    ms.map(Timestamp).ok_or_else(|| {
        usage(format!("`{text}` is no moment"))
            .help("write it as 2026-12-01T08:00:00, or with an offset behind it")
    })
}

fn usage(what: String) -> Failure {
    Failure::new(Exit::Usage, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_by_the_clocks_of_its_zone_unless_it_has_an_offset() {
        let plain = moment("2026-07-01T08:00:00", "W. Europe Standard Time").unwrap();
        assert_eq!(plain, moment("2026-07-01T06:00:00Z", "UTC").unwrap());
        assert!(moment("tomorrow", "UTC").is_err());
        assert!(moment("2026-07-01T08:00:00", "Mars").is_err());
    }

    #[test]
    fn a_length_is_the_largest_unit_that_it_fills() {
        let of = |minutes: u64| every(Millis(minutes * 60_000), "UTC".into()).unwrap();
        assert_eq!((of(15).frequency, of(15).interval), (Frequency::Minute, 15));
        assert_eq!((of(120).frequency, of(120).interval), (Frequency::Hour, 2));
        assert_eq!((of(2880).frequency, of(2880).interval), (Frequency::Day, 2));
        assert!(every(Millis(90_500), "UTC".into()).is_err());
    }
}
