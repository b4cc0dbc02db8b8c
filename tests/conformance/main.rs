//! What others wrote judges what we answer and send: schemathesis the API by its description, `OpenLineage`'s own client our events, CLDR our table of time zones. The programs are
//! Python's and lie beside this file; here they are given a coordinator. `scripts/install-conformance-tools` installs what they need.

#[cfg(test)]
mod events;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use testkit::repository;

/// A program of this folder, to be run by the Python that has the tools.
fn program(name: &str) -> Command {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the test tools are is a setting of the test run"
    )]
    let tools = std::env::var_os("TIDEMILL_TEST_TOOLS")
        .map_or_else(|| repository().join("target/test-tools"), PathBuf::from);
    let python = tools.join("conformance/bin/python");
    assert!(
        python.exists(),
        "{} is missing: run scripts/install-conformance-tools",
        python.display()
    );
    let mut command = Command::new(python);
    // The folder of a program is that of the repository, which is no place for what Python leaves behind.
    command
        .arg("-B")
        .arg(repository().join("tests/conformance").join(name));
    command
}

/// Runs one of them to its good end; what it said is in the panic otherwise, and its last line is answered.
#[track_caller]
fn judged<S: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = S>) -> String {
    let output = program(name)
        .args(arguments)
        .output()
        .expect("the program can be started");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{name}:\n{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said.lines().last().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::{Sandbox, Up};

    #[test]
    fn every_operation_grants_and_refuses_as_the_description_says() {
        let sandbox = Sandbox::new();
        // Where nobody listens: that is told in the description, too.
        let settings = "webhook_allow = [\"127.0.0.0/8\"]\nsmtp_host = \"127.0.0.1\"\nsmtp_port = 9\nsmtp_tls = \"none\"\nsmtp_from = \"mill@example.org\"\n";
        sandbox.write("tidemill.toml", settings);
        let up = Up::start(&sandbox, "up.log");
        let description = repository().join("docs/reference/openapi.json");
        let token = sandbox.state_dir().join("operator.token");
        let folder = sandbox.path().join("tried");
        std::fs::create_dir(&folder).unwrap();
        let arguments = [
            OsStr::new(up.url()),
            token.as_os_str(),
            description.as_os_str(),
            folder.as_os_str(),
        ];
        println!("{}", judged("api.py", arguments));
    }

    #[test]
    fn windows_names_of_time_zones_mean_what_cldr_says() {
        let table = repository().join("coordinator/src/schedules/calendar/windows_zones.txt");
        println!("{}", judged("time_zones.py", [table]));
    }
}
