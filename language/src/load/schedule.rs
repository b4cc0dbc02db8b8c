//! A schedule file: its trigger, and the pipeline that it starts, which stands in a file of its own or is published already. Moments stay texts here,
//! because only the clocks of a time zone say what they mean.

use super::Loader;
use super::pipeline::slug;
use crate::diagnostic::{Code, Diagnostic, Problems, did_you_mean};
use crate::fields::Fields;
use crate::files::Disk;
use crate::workspace::Workspace;
use crate::yaml::Node;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tidemill_protocol::catalog::Version;
use tidemill_protocol::name::Name;
use tidemill_protocol::schedule::{Cron, FilesChanged, Frequency, Recurrence, Trigger, WeekDay};

/// A schedule that was loaded without an error.
#[derive(Debug, Clone)]
pub struct LoadedSchedule {
    /// What it is called: `name`, else the file's name.
    pub name: Name,
    /// Free text.
    pub description: String,
    /// When it fires, without start and end.
    pub trigger: Trigger,
    /// Not before: as written, with an offset or by the trigger's clocks.
    pub start_time: Option<String>,
    /// Not after: likewise.
    pub end_time: Option<String>,
    /// What it starts.
    pub job: ScheduledJob,
    /// Values for the pipeline's inputs, as text.
    pub parameters: BTreeMap<String, String>,
    /// The experiment; the pipeline's when absent.
    pub experiment: Option<String>,
    /// The project that the runs count for.
    pub project: Option<Name>,
    /// What people call the runs; the pipeline's display name when absent.
    pub display_name: Option<String>,
    /// Labels of the runs.
    pub tags: BTreeMap<String, String>,
    /// Whether steps that do not depend on a failed one go on; as the pipeline says when absent.
    pub continue_on_step_failure: Option<bool>,
    /// Run every step, whatever is known.
    pub force_rerun: bool,
    /// What is worth knowing though nothing is wrong.
    pub warnings: Vec<Diagnostic>,
}

/// What a schedule starts.
#[derive(Debug, Clone)]
pub enum ScheduledJob {
    /// A pipeline in this file, which is to be published first.
    File(PathBuf),
    /// A published pipeline.
    Published {
        /// Its name.
        name: Name,
        /// A version or a label of it.
        version: Option<Version>,
    },
}

/// What is said of the job beside what it is.
#[derive(Default)]
struct Job {
    what: Option<ScheduledJob>,
    parameters: BTreeMap<String, String>,
    experiment: Option<String>,
    project: Option<Name>,
    display_name: Option<String>,
    tags: BTreeMap<String, String>,
    continue_on_step_failure: Option<bool>,
    force_rerun: bool,
}

struct When {
    trigger: Trigger,
    start_time: Option<String>,
    end_time: Option<String>,
}

/// Reads a schedule file; the pipeline that it names is not opened. All problems are reported together; warnings alone do not stop it.
pub fn load_schedule(file: &Path, workspace: &Workspace) -> Result<LoadedSchedule, Problems> {
    let mut loader = Loader::new(&Disk, workspace);
    let read = loader.schedule_file(file);
    let warnings = loader.findings.finish()?;
    let read = read
        .and_then(|(name, description, when, job)| Some((name, description, when, job.what.clone()?, job)));
    let (name, description, when, what, job) =
        read.expect("a schedule that was not read left an error behind");
    Ok(LoadedSchedule {
        name,
        description,
        trigger: when.trigger,
        start_time: when.start_time,
        end_time: when.end_time,
        job: what,
        parameters: job.parameters,
        experiment: job.experiment,
        project: job.project,
        display_name: job.display_name,
        tags: job.tags,
        continue_on_step_failure: job.continue_on_step_failure,
        force_rerun: job.force_rerun,
        warnings,
    })
}

impl Loader<'_> {
    fn schedule_file(&mut self, file: &Path) -> Option<(Name, String, When, Job)> {
        let node = self.tree(file, None)?;
        let mut fields = Fields::open(&node, "", &mut self.findings)?;
        let name = self.schedule_name(&mut fields, file);
        let description = fields
            .text("description", &mut self.findings)
            .unwrap_or_default()
            .to_owned();
        for key in ["$schema", "version", "properties", "type"] {
            let _ = fields.get(key);
        }
        let title = fields
            .text("display_name", &mut self.findings)
            .unwrap_or_default()
            .to_owned();
        let tags = self.tags(&mut fields);
        let when = self.trigger(&mut fields);
        let mut job = self.create_job(&mut fields, file);
        fields.finish(Code::UnknownKey, &mut self.findings);
        if let Some(job) = &mut job {
            for (tag, text) in tags {
                job.tags.entry(tag).or_insert(text);
            }
        }
        let description = if description.is_empty() {
            title
        } else {
            description
        };
        Some((name?, description, when?, job?))
    }

    fn schedule_name(&mut self, fields: &mut Fields<'_>, file: &Path) -> Option<Name> {
        let Some((text, node)) = fields.text_node("name", &mut self.findings) else {
            let stem = file
                .file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or_default();
            return slug(stem).or_else(|| "schedule".parse().ok());
        };
        let name = text.parse::<Name>();
        if let Err(error) = &name {
            let message = format!("the schedule's {error}");
            self.findings.add(Code::BadName, node.place, "name", message);
        }
        name.ok()
    }

    fn trigger(&mut self, fields: &mut Fields<'_>) -> Option<When> {
        if fields.get("trigger").is_none() {
            let message = "the file does not say when it fires";
            self.findings
                .add(Code::MissingKey, fields.place(), "", message)
                .help_text("give it a `trigger:` with `type: cron` or `type: recurrence`");
            return None;
        }
        let mut own = fields.fields("trigger", &mut self.findings)?;
        let (kind, node) = own.required_text("type", &mut self.findings)?;
        let time_zone = own
            .text("time_zone", &mut self.findings)
            .unwrap_or("UTC")
            .to_owned();
        let start_time = own.text("start_time", &mut self.findings).map(str::to_owned);
        let end_time = own.text("end_time", &mut self.findings).map(str::to_owned);
        let trigger = match kind {
            "cron" => {
                let expression = own.required_text("expression", &mut self.findings);
                expression.map(|(expression, _)| {
                    Trigger::Cron(Cron {
                        expression: expression.to_owned(),
                        time_zone,
                        start_at: None,
                        end_at: None,
                    })
                })
            }
            "recurrence" => self.recurrence(&mut own, time_zone),
            "files_changed" => self.files_changed(&mut own),
            other => {
                let message = format!("`{other}` is no kind of trigger");
                self.findings
                    .add(Code::BadValue, node.place, "trigger.type", message)
                    .help_with(did_you_mean(other, ["cron", "recurrence", "files_changed"]));
                return None;
            }
        };
        own.finish(Code::UnknownKey, &mut self.findings);
        Some(When {
            trigger: trigger?,
            start_time,
            end_time,
        })
    }

    fn files_changed(&mut self, own: &mut Fields<'_>) -> Option<Trigger> {
        let every = self.duration(own, "every").unwrap_or(FilesChanged::EVERY_DEFAULT);
        let (text, node) = own.required_text("path", &mut self.findings)?;
        let files = FilesChanged::of(text, every);
        if files.is_none() {
            let message = format!("`{text}` is no path in a datastore");
            self.findings
                .add(Code::BadValue, node.place, "trigger.path", message)
                .help_text("write it as `azureml://datastores/NAME/paths/PATH`");
        }
        files.map(Trigger::FilesChanged)
    }

    fn recurrence(&mut self, own: &mut Fields<'_>, time_zone: String) -> Option<Trigger> {
        let (text, node) = own.required_text("frequency", &mut self.findings)?;
        let frequency = frequency(text);
        if frequency.is_none() {
            let message = format!("`{text}` is no frequency");
            let words = ["minute", "hour", "day", "week", "month"];
            self.findings
                .add(Code::BadValue, node.place, "trigger.frequency", message)
                .help_with(did_you_mean(text, words));
        }
        let interval = own
            .integer("interval", 1..=9_999, &mut self.findings)
            .unwrap_or(1);
        let mut every = Recurrence {
            frequency: frequency?,
            interval: u32::try_from(interval).unwrap_or(1),
            hours: Vec::new(),
            minutes: Vec::new(),
            week_days: Vec::new(),
            month_days: Vec::new(),
            time_zone,
            start_at: None,
            end_at: None,
        };
        if let Some(mut pattern) = own.fields("schedule", &mut self.findings) {
            every.hours = self.numbers(&mut pattern, "hours", 23);
            every.minutes = self.numbers(&mut pattern, "minutes", 59);
            every.month_days = self.numbers(&mut pattern, "month_days", 31);
            every.week_days = self.week_days(&mut pattern);
            pattern.finish(Code::UnknownKey, &mut self.findings);
        }
        Some(Trigger::Recurrence(every))
    }

    fn numbers(&mut self, pattern: &mut Fields<'_>, key: &'static str, most: u8) -> Vec<u8> {
        let path = pattern.path_of(key);
        let mut numbers = Vec::new();
        for item in pattern.items(key) {
            let number = item.text().and_then(|text| text.parse::<u8>().ok());
            if let Some(number) = number.filter(|number| *number <= most) {
                numbers.push(number);
            } else {
                let message = format!("`{key}` are whole numbers up to {most}");
                self.findings.add(Code::BadValue, item.place, &path, message);
            }
        }
        numbers
    }

    fn week_days(&mut self, pattern: &mut Fields<'_>) -> Vec<WeekDay> {
        let path = pattern.path_of("week_days");
        let mut days = Vec::new();
        let items = [pattern.items("week_days"), pattern.items("weekdays")].concat();
        for item in &items {
            let text = item.text().unwrap_or_default();
            let Some(day) = week_day(text) else {
                let message = format!("`{text}` is no day of the week");
                self.findings.add(Code::BadValue, item.place, &path, message);
                continue;
            };
            days.push(day);
        }
        days
    }

    fn create_job(&mut self, fields: &mut Fields<'_>, file: &Path) -> Option<Job> {
        let Some(node) = fields.get("create_job") else {
            for other in ["create_monitor", "import_data"] {
                if let Some(place) = fields.key_place(other) {
                    let message = format!("`{other}` is not supported: a schedule starts a pipeline");
                    self.findings.add(Code::Unsupported, place, other, message);
                    let _ = fields.get(other);
                    return None;
                }
            }
            let message = "the file does not say what it starts";
            self.findings
                .add(Code::MissingKey, fields.place(), "", message)
                .help_text("give it `create_job: ./pipeline.yml`");
            return None;
        };
        if let Some(text) = node.text() {
            return Some(Job {
                what: Some(self.named_job(text, node, file)?),
                ..Job::default()
            });
        }
        if node.get("job").is_none() && node.get("jobs").is_some() {
            let message = "a pipeline that stands in the schedule file itself is not supported";
            self.findings
                .add(Code::Unsupported, node.place, "create_job", message)
                .help_text("put it into a file of its own: `create_job: ./pipeline.yml`");
            return None;
        }
        let mut own = Fields::open(node, "create_job", &mut self.findings)?;
        let (text, place) = own.required_text("job", &mut self.findings)?;
        let what = self.named_job(text, place, file);
        let mut job = self.given(&mut own);
        for key in ["type", "name", "description", "id"] {
            let _ = own.get(key);
        }
        own.ignore(
            &["outputs", "compute", "identity", "services"],
            &mut self.findings,
        );
        own.finish(Code::UnknownKey, &mut self.findings);
        job.what = Some(what?);
        Some(job)
    }

    fn given(&mut self, own: &mut Fields<'_>) -> Job {
        let mut job = Job {
            parameters: self.given_inputs(own),
            experiment: own.text("experiment_name", &mut self.findings).map(str::to_owned),
            project: self.project(own),
            display_name: own.text("display_name", &mut self.findings).map(str::to_owned),
            tags: self.tags(own),
            ..Job::default()
        };
        if let Some(mut settings) = own.fields("settings", &mut self.findings) {
            job.continue_on_step_failure = settings.boolean("continue_on_step_failure", &mut self.findings);
            job.force_rerun = settings
                .boolean("force_rerun", &mut self.findings)
                .unwrap_or(false);
            settings.ignore(&["default_compute", "default_datastore"], &mut self.findings);
            settings.finish(Code::UnknownSetting, &mut self.findings);
        }
        job
    }

    /// The project that runs are to count for. Ours: Azure ML has none.
    fn project(&mut self, own: &mut Fields<'_>) -> Option<Name> {
        let (text, node) = own.text_node("project", &mut self.findings)?;
        let name = text.parse();
        if name.is_err() {
            let message = format!("`{text}` is no name of a project");
            self.findings
                .add(Code::BadName, node.place, "create_job.project", message);
        }
        name.ok()
    }

    /// Literals as written; of files, their address or the name of a data asset.
    fn given_inputs(&mut self, own: &mut Fields<'_>) -> BTreeMap<String, String> {
        let path = own.path_of("inputs");
        let mut given = BTreeMap::new();
        for entry in own.pairs("inputs", &mut self.findings) {
            let node = entry.value.get("path").or_else(|| entry.value.get("value"));
            let node = node.unwrap_or(&entry.value);
            match node.text() {
                Some(text) => drop(given.insert(entry.key.to_string(), text.to_owned())),
                None if node.is_null() => {}
                None => {
                    let path = format!("{path}.{}", entry.key);
                    let message = format!(
                        "`{}` must be a text or have a `path`, not {}",
                        entry.key,
                        node.shape()
                    );
                    self.findings.add(Code::WrongShape, node.place, &path, message);
                }
            }
        }
        given
    }

    /// `./pipeline.yml`, or `azureml:NAME:VERSION` for what is published.
    fn named_job(&mut self, text: &str, node: &Node, file: &Path) -> Option<ScheduledJob> {
        let folder = file.parent().unwrap_or(Path::new("."));
        let Some(bare) = text.strip_prefix("azureml:") else {
            let path = folder.join(text.strip_prefix("file:").unwrap_or(text));
            if path.is_file() {
                return Some(ScheduledJob::File(path));
            }
            let message = format!("there is no file `{text}`");
            self.findings
                .add(Code::MissingPath, node.place, "create_job", message);
            return None;
        };
        let (name, version) = match bare.split_once([':', '@']) {
            Some((name, version)) => (name, Some(version)),
            None => (bare, None),
        };
        let found = name.parse().ok().zip(version.map(str::parse).transpose().ok());
        if found.is_none() {
            let message = format!("`{text}` is no name of a published pipeline");
            self.findings
                .add(Code::BadName, node.place, "create_job", message);
        }
        found.map(|(name, version)| ScheduledJob::Published { name, version })
    }
}

fn frequency(text: &str) -> Option<Frequency> {
    Some(match text.to_ascii_lowercase().as_str() {
        "minute" => Frequency::Minute,
        "hour" => Frequency::Hour,
        "day" => Frequency::Day,
        "week" => Frequency::Week,
        "month" => Frequency::Month,
        _ => return None,
    })
}

fn week_day(text: &str) -> Option<WeekDay> {
    Some(match text.to_ascii_lowercase().as_str() {
        "monday" => WeekDay::Monday,
        "tuesday" => WeekDay::Tuesday,
        "wednesday" => WeekDay::Wednesday,
        "thursday" => WeekDay::Thursday,
        "friday" => WeekDay::Friday,
        "saturday" => WeekDay::Saturday,
        "sunday" => WeekDay::Sunday,
        _ => return None,
    })
}
