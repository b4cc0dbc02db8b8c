//! `RUN[/STEP[#ATTEMPT]]`: what a command is about. Which run a name means is the coordinator's to say: an id, a unique prefix of one, `last`, or `@NAME`.

use crate::exit::Exit;
use crate::failure::Failure;
use std::str::FromStr;

/// A run, a step of it, or an attempt at that step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The run.
    pub(crate) run: String,
    /// The step, by its path.
    pub(crate) step: Option<String>,
    /// Which attempt at it.
    pub(crate) attempt: Option<u32>,
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (run, step) = match text.split_once('/') {
            None => (text, None),
            Some((run, step)) => (run, Some(step)),
        };
        let (step, attempt) = match step.and_then(|step| step.split_once('#')) {
            None => (step, None),
            Some((step, number)) => {
                let number: u32 = number.parse().ok().filter(|number| *number > 0).ok_or_else(|| {
                    format!("`#{number}` is no attempt: they are counted from 1, as in last/train#2")
                })?;
                (Some(step), Some(number))
            }
        };
        if run.is_empty() || step.is_some_and(str::is_empty) {
            return Err("write it as RUN or RUN/STEP, e.g. last/train".to_owned());
        }
        Ok(Self {
            run: run.to_owned(),
            step: step.map(str::to_owned),
            attempt,
        })
    }
}

impl Subject {
    /// The run and the step, for commands that speak of a step as a whole.
    pub(crate) fn whole_step(&self) -> Result<(&str, Option<&str>), Failure> {
        match self.attempt {
            None => Ok((&self.run, self.step.as_deref())),
            Some(attempt) => Err(Failure::new(
                Exit::Usage,
                format!("this is about steps, not about single attempts: leave #{attempt} out"),
            )
            .help("`tidemill logs RUN/STEP#N` prints what one attempt wrote")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, Option<String>, Option<u32>) {
        let Subject { run, step, attempt } = text.parse().unwrap();
        (run, step, attempt)
    }

    #[test]
    fn a_run_a_step_and_an_attempt_are_told_apart() {
        assert_eq!(parts("last"), ("last".into(), None, None));
        assert_eq!(
            parts("@nightly build/train.prep"),
            ("@nightly build".into(), Some("train.prep".into()), None)
        );
        assert_eq!(
            parts("0198/train#2"),
            ("0198".into(), Some("train".into()), Some(2))
        );
    }

    #[test]
    fn what_names_nothing_is_refused() {
        for bad in [
            "",
            "/train",
            "last/",
            "last/#1",
            "last/train#",
            "last/train#0",
            "last/train#x",
        ] {
            assert!(bad.parse::<Subject>().is_err(), "{bad:?} was accepted");
        }
    }
}
