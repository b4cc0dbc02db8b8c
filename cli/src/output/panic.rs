//! What is said when tidemill itself has a bug: what happened, and what to send to whom. Nothing of the command line, of files or of the
//! environment is in it: it can be pasted as it is.

use super::tone::Tone;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::Write;
use std::panic::PanicHookInfo;

/// Where bugs are told.
const REPORTS: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/issues/new");

/// From now on, a panic of any thread says how to report it. `verb` is the command's name, without its arguments.
pub(crate) fn report_panics(verb: &'static str) {
    std::panic::set_hook(Box::new(move |info| {
        use std::io::Write as _;
        let backtrace = Backtrace::capture();
        let trace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        let text = report(info, verb, trace.as_deref());
        // A closed standard error is no reason to panic again.
        drop(anstream::stderr().lock().write_all(text.as_bytes()));
    }));
}

fn report(info: &PanicHookInfo<'_>, verb: &str, trace: Option<&str>) -> String {
    let place = info
        .location()
        .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let said = info.payload_as_str().unwrap_or("no message");
    let mut text = format!(
        "{}: tidemill has a bug\n  {} {said} ({place})\n {}: please report it at {REPORTS} with these lines:\n    tidemill {} on {} {}, in `{verb}`\n    {place}: {said}\n",
        Tone::Bad.paint("error[panic]"),
        Tone::Dim.paint("because"),
        Tone::Reused.paint("help"),
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
    );
    let written = match trace {
        Some(trace) => write!(text, "{trace}"),
        None => writeln!(
            text,
            "    and the backtrace that RUST_BACKTRACE=1 adds, if it happens again"
        ),
    };
    written.expect("writing to a string cannot fail");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_panic_says_where_to_report_it_and_nothing_of_the_command_line() {
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = anstream::adapter::strip_str(&report(info, "runs", None)).to_string();
            *heard.lock().unwrap() = text;
        }));
        let outcome = std::thread::spawn(|| panic!("seven is not eight")).join();
        std::panic::set_hook(before);
        assert!(outcome.is_err());
        let said = said.lock().unwrap().clone();
        assert!(said.starts_with("error[panic]: tidemill has a bug\n"), "{said}");
        assert!(
            said.contains("seven is not eight") && said.contains("panic.rs:"),
            "{said}"
        );
        assert!(
            said.contains("/issues/new") && said.contains("in `runs`"),
            "{said}"
        );
    }
}
