//! The campaign: real processes are mistreated in the ways of the fault matrix, one fault by name each, and a checker judges from outside what is left.
//!
//! Which trial stands for which row, and what proves the other rows, is in `rows`. Trials that take minutes are listed only when `TIDEMILL_FAULTS=all` asks for
//! them, as `scripts/faults` does; all others run with every other test.

mod broken_disk;
mod broker;
mod campaign;
mod chaos;
mod checker;
mod clock;
mod coordinator;
mod crowd;
mod disk;
mod far;
mod loops;
mod metrics;
mod nodes;
mod objects;
mod power;
mod results;
mod rows;
mod secrets;
mod settings;
mod silence;
mod small_disk;
mod standby;
mod stuck;
mod trial;
mod watched;
mod worker;

use libtest_mimic::Arguments;
use settings::Settings;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let settings = Settings::read();
    if let Some(results) = &settings.results {
        return results::tell(results);
    }
    let trials = trial::all()
        .filter(|trial| settings.all || trial.pace == trial::Pace::Fast)
        .map(trial::Trial::listed)
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
