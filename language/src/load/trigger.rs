//! The trigger of a schedule file: by a clock, or by what happens. Moments stay texts, because only the clocks of a time zone say what they mean.

use super::Loader;
use crate::diagnostic::{Code, did_you_mean};
use crate::fields::Fields;
use tidemill_protocol::catalog::AssetKind;
use tidemill_protocol::name::Name;
use tidemill_protocol::schedule::{
    Cron, FilesChanged, Frequency, NewVersion, Recurrence, RunEnded, Trigger, WeekDay,
};
use tidemill_protocol::status::RunStatus;

/// The kinds of trigger. What is not Azure ML's is called as over REST.
const KINDS: [&str; 5] = ["cron", "recurrence", "files_changed", "new_version", "run_ended"];
/// How a run may have ended.
const ENDS: [RunStatus; 4] = [
    RunStatus::Succeeded,
    RunStatus::Failed,
    RunStatus::Aborted,
    RunStatus::Cancelled,
];

/// When a schedule fires.
pub(super) struct When {
    pub(super) trigger: Trigger,
    /// Not before, as written; of triggers by a clock.
    pub(super) start_time: Option<String>,
    /// Not after, likewise.
    pub(super) end_time: Option<String>,
}

impl Loader<'_> {
    pub(super) fn trigger(&mut self, fields: &mut Fields<'_>) -> Option<When> {
        if fields.get("trigger").is_none() {
            let message = "the file does not say when it fires";
            self.findings
                .add(Code::MissingKey, fields.place(), "", message)
                .help_text("give it a `trigger:` with `type: cron` or `type: recurrence`");
            return None;
        }
        let mut own = fields.fields("trigger", &mut self.findings)?;
        let (kind, node) = own.required_text("type", &mut self.findings)?;
        let when = match kind {
            "cron" | "recurrence" => self.by_the_clock(&mut own, kind),
            "files_changed" => self.files_changed(&mut own).map(by_what_happens),
            "new_version" => self.new_version(&mut own).map(by_what_happens),
            "run_ended" => self.run_ended(&mut own).map(by_what_happens),
            other => {
                let message = format!("`{other}` is no kind of trigger");
                self.findings
                    .add(Code::BadValue, node.place, "trigger.type", message)
                    .help_with(did_you_mean(other, KINDS));
                return None;
            }
        };
        own.finish(Code::UnknownKey, &mut self.findings);
        when
    }

    fn by_the_clock(&mut self, own: &mut Fields<'_>, kind: &str) -> Option<When> {
        let time_zone = own
            .text("time_zone", &mut self.findings)
            .unwrap_or("UTC")
            .to_owned();
        let start_time = own.text("start_time", &mut self.findings).map(str::to_owned);
        let end_time = own.text("end_time", &mut self.findings).map(str::to_owned);
        let trigger = if kind == "recurrence" {
            self.recurrence(own, time_zone)
        } else {
            let expression = own.required_text("expression", &mut self.findings);
            expression.map(|(expression, _)| {
                Trigger::Cron(Cron {
                    expression: expression.to_owned(),
                    time_zone,
                    start_at: None,
                    end_at: None,
                })
            })
        };
        Some(When {
            trigger: trigger?,
            start_time,
            end_time,
        })
    }

    /// The name of something that need not be there yet.
    fn name_of(&mut self, own: &mut Fields<'_>, key: &'static str) -> Option<Name> {
        let (text, node) = own.required_text(key, &mut self.findings)?;
        let name = text.parse::<Name>();
        if let Err(error) = &name {
            let path = own.path_of(key);
            self.findings
                .add(Code::BadName, node.place, &path, error.to_string());
        }
        name.ok()
    }

    fn new_version(&mut self, own: &mut Fields<'_>) -> Option<Trigger> {
        let name = self.name_of(own, "name");
        let kind = match own.text_node("kind", &mut self.findings) {
            None => Some(AssetKind::Data),
            Some((text, node)) => {
                let kind = text.parse::<AssetKind>();
                if kind.is_err() {
                    let message = format!("`{text}` is no kind of asset");
                    let known = ["data", "model", "component", "environment", "pipeline"];
                    self.findings
                        .add(Code::BadValue, node.place, "trigger.kind", message)
                        .help_with(did_you_mean(text, known));
                }
                kind.ok()
            }
        };
        let (kind, name) = (kind?, name?);
        Some(Trigger::NewVersion(NewVersion { kind, name }))
    }

    fn run_ended(&mut self, own: &mut Fields<'_>) -> Option<Trigger> {
        let pipeline = self.name_of(own, "pipeline");
        let mut outcomes = Vec::new();
        for item in own.items("outcomes") {
            let text = item.text().unwrap_or_default();
            let Some(end) = ENDS.into_iter().find(|end| end.to_string() == text) else {
                let message = format!("no run ends as `{text}`");
                self.findings
                    .add(Code::BadValue, item.place, "trigger.outcomes", message)
                    .help_text("a run ends as `succeeded`, `failed`, `aborted` or `cancelled`");
                continue;
            };
            outcomes.push(end);
        }
        if outcomes.is_empty() {
            outcomes.push(RunStatus::Succeeded);
        }
        pipeline.map(|pipeline| Trigger::RunEnded(RunEnded { pipeline, outcomes }))
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
        let interval = u32::try_from(interval).unwrap_or(1);
        let mut every = Recurrence::every(interval, frequency?, time_zone);
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
}

/// A trigger that no clock bounds.
const fn by_what_happens(trigger: Trigger) -> When {
    When {
        trigger,
        start_time: None,
        end_time: None,
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
