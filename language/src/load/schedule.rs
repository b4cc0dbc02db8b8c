//! A schedule file: its trigger, and the pipeline that it starts, which stands in a file of its own or is published already. Moments stay texts here,
//! because only the clocks of a time zone say what they mean.

use super::Loader;
use super::pipeline::slug;
use super::trigger::When;
use crate::diagnostic::{Code, Diagnostic, Problems, did_you_mean};
use crate::fields::Fields;
use crate::files::Disk;
use crate::workspace::Workspace;
use crate::yaml::Node;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tidemill_protocol::catalog::Version;
use tidemill_protocol::name::Name;
use tidemill_protocol::schedule::{CatchUp, Overlap, Trigger};
use tidemill_protocol::time::Millis;

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
    /// What happens when a run of the schedule still goes on.
    pub overlap: Overlap,
    /// What becomes of moments that passed while no coordinator was there.
    pub catch_up: CatchUp,
    /// By how much a firing may be late.
    pub jitter: Millis,
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

/// How it fires. Ours: Azure ML says nothing of it.
struct Manner {
    overlap: Overlap,
    catch_up: CatchUp,
    jitter: Millis,
}

/// All that a schedule file says.
struct Said {
    name: Name,
    description: String,
    when: When,
    manner: Manner,
    job: Job,
}

/// Reads a schedule file; the pipeline that it names is not opened. All problems are reported together; warnings alone do not stop it.
pub fn load_schedule(file: &Path, workspace: &Workspace) -> Result<LoadedSchedule, Problems> {
    let mut loader = Loader::new(&Disk, workspace);
    let read = loader.schedule_file(file);
    let warnings = loader.findings.finish()?;
    let read = read.and_then(|said| Some((said.job.what.clone()?, said)));
    let (what, said) = read.expect("a schedule that was not read left an error behind");
    let (manner, job) = (said.manner, said.job);
    Ok(LoadedSchedule {
        name: said.name,
        description: said.description,
        trigger: said.when.trigger,
        start_time: said.when.start_time,
        end_time: said.when.end_time,
        job: what,
        parameters: job.parameters,
        experiment: job.experiment,
        project: job.project,
        display_name: job.display_name,
        tags: job.tags,
        continue_on_step_failure: job.continue_on_step_failure,
        force_rerun: job.force_rerun,
        overlap: manner.overlap,
        catch_up: manner.catch_up,
        jitter: manner.jitter,
        warnings,
    })
}

impl Loader<'_> {
    fn schedule_file(&mut self, file: &Path) -> Option<Said> {
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
        let manner = self.manner(&mut fields);
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
        Some(Said {
            name: name?,
            description,
            when: when?,
            manner,
            job: job?,
        })
    }

    fn manner(&mut self, fields: &mut Fields<'_>) -> Manner {
        let overlaps = [
            ("skip", Overlap::Skip),
            ("allow", Overlap::Allow),
            ("queue", Overlap::Queue),
            ("cancel_running", Overlap::CancelRunning),
        ];
        let catch_ups = [
            ("none", CatchUp::None),
            ("last", CatchUp::Last),
            ("all", CatchUp::All),
        ];
        Manner {
            overlap: self.word(fields, "overlap", &overlaps).unwrap_or_default(),
            catch_up: self.word(fields, "catch_up", &catch_ups).unwrap_or_default(),
            jitter: self.duration(fields, "jitter").unwrap_or(Millis(0)),
        }
    }

    /// One of a few words, also as the command line spells it.
    fn word<T: Copy>(
        &mut self,
        fields: &mut Fields<'_>,
        key: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let (text, node) = fields.text_node(key, &mut self.findings)?;
        let spelled = text.replace('-', "_");
        let found = words.iter().find(|(word, _)| *word == spelled);
        if found.is_none() {
            let message = format!("`{text}` is no value of `{key}`");
            let known = words.iter().map(|(word, _)| *word);
            self.findings
                .add(Code::BadValue, node.place, key, message)
                .help_with(did_you_mean(text, known));
        }
        found.map(|(_, value)| *value)
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
