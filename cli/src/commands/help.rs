//! `tidemill help`: a command's help, or one of a few topics that belong to no command.

use crate::args::{Cli, HelpArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;
use crate::settings::nearest;
use clap::CommandFactory;

const NAMES: &str = "\
How runs, steps, attempts and outputs are named:

  last                   the newest run
  0198c3d2               a run's id, or any beginning of it that fits one only
  @nightly               the newest run with this name
  last/train             a step of a run; steps of nested pipelines: prep.clean
  last/train#2           the second attempt at a step (`tidemill logs`)
  last/train/model       an output of a step
  last/train/model/a.pt  a file inside that output

Lengths of time are written as 90s, 30m, 12h, 7d or 2w, moments as such a length
before now, as 2026-11-01, or as 2026-11-01T08:00:00Z.";

const FORMATS: &str = "\
How data is printed, with -o or as TIDEMILL_OUTPUT:

  table   for people; cut to the screen on a terminal, whole elsewhere
  wide    the same with more columns
  json    the API's own shapes below `apiVersion`; lists are in `items`
  yaml    the same as YAML
  jsonl   one JSON value a line, without the mark; watching streams it
  csv     one row an item; nested fields as steps.total, times in milliseconds
  name    ids only, as -q prints them

A field may be added under the same apiVersion; one that goes or changes its
meaning needs a new one. Data is on standard output, everything else on standard
error, where -o json makes a failure one line of JSON. --no-headers leaves
titles out.";

/// The topics beside the exit codes.
const TOPICS: [(&str, &str); 2] = [("names", NAMES), ("formats", FORMATS)];
const EXIT_CODES: &str = "exit-codes";

/// Prints it.
pub(super) fn run(session: &mut Session, args: &HelpArgs) -> Result<Exit, Failure> {
    let mut command = Cli::command();
    command.build();
    let words: Vec<&str> = args.subject.iter().map(String::as_str).collect();
    if let [topic] = words[..] {
        if topic == EXIT_CODES {
            session.printer.line(exit_codes())?;
            return Ok(Exit::Good);
        }
        if let Some((_, text)) = TOPICS.iter().find(|(name, _)| *name == topic) {
            session.printer.line(text)?;
            return Ok(Exit::Good);
        }
    }
    let mut found = &mut command;
    for word in &words {
        let known: Vec<String> = found
            .get_subcommands()
            .map(|inner| inner.get_name().to_owned())
            .collect();
        found = match found.find_subcommand_mut(word) {
            Some(inner) => inner,
            None => return Err(unknown(word, &known)),
        };
    }
    let help = found.render_help();
    session.printer.line(help.ansi().to_string().trim_end())?;
    Ok(Exit::Good)
}

fn unknown(word: &str, commands: &[String]) -> Failure {
    let failure = Failure::new(Exit::NotFound, format!("there is no help about `{word}`")).code("not_found");
    let topics = || TOPICS.iter().map(|(name, _)| *name).chain([EXIT_CODES]);
    match nearest(word, commands.iter().map(String::as_str).chain(topics())) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure.help(format!(
            "topics are {}; `tidemill --help` lists the commands",
            topics().collect::<Vec<_>>().join(", ")
        )),
    }
}

fn exit_codes() -> String {
    let lines = Exit::ALL.map(|exit| format!("  {:>3}  {}", exit.code(), exit.meaning()));
    format!(
        "Exit codes, which never change their meaning:\n\n{}\n  101  a bug in tidemill\n\n\
         `run`, `submit --watch`, `submit --wait`, `runs watch` and `runs wait` end with\nthe code of the run's end.",
        lines.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_topic_is_wider_than_eighty_columns() {
        for text in TOPICS
            .map(|(_, text)| text.to_owned())
            .into_iter()
            .chain([exit_codes()])
        {
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{line:?}");
            }
        }
    }
}
