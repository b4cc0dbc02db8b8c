//! The API over TLS: whoever knows the authority gets in, whoever does not is told why not, and a certificate is renewed while it is served.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use testkit::{Authority, END_DEADLINE, Sandbox, Steps, Up, eventually};
use tidemill_protocol::status::RunStatus;

/// The exit codes of a command line that is wrong, and of something that cannot be reached.
const USAGE: i32 = 2;
const UNREACHABLE: i32 = 8;

const PIPELINE: &str = "
type: pipeline
jobs:
  greet:
    command: echo over TLS > ${{outputs.words}}
    outputs: {words: {type: uri_file}}
";

/// A sandbox whose settings serve with a certificate of this authority.
fn served_by(authority: &Authority) -> Sandbox {
    let sandbox = Sandbox::new();
    authority.write_server(&sandbox, "server.pem", "server.key");
    authority.write(&sandbox, "ca.pem");
    sandbox.write(
        "tidemill.toml",
        "tls_cert = \"server.pem\"\ntls_key = \"server.key\"\n",
    );
    sandbox
}

#[test]
fn a_run_goes_over_https_for_whoever_knows_the_authority_and_others_are_told_why_not() {
    let authority = Authority::new("of this coordinator");
    let sandbox = served_by(&authority);
    sandbox.write("pipeline.yml", PIPELINE);
    let up = Up::start(&sandbox, "up.log");
    assert!(up.url().starts_with("https://"), "{}", up.url());
    let known = ["--url", up.url(), "--api-ca", "ca.pem"];
    let submit = ["submit", "pipeline.yml", "--quiet"].iter().chain(&known);
    let id = sandbox.tidemill(submit).expect_code(0).stdout.trim().to_owned();
    // Commands of this machine find it by its state folder, whatever the certificate says.
    let run = up.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(run.executed(), ["greet"]);
    let cat = ["artifacts", "cat", "last/greet/words"].iter().chain(&known);
    assert_eq!(sandbox.tidemill(cat).expect_code(0).stdout, "over TLS\n");

    let refused = sandbox
        .tidemill(["runs", "list", "--url", up.url()])
        .expect_code(UNREACHABLE);
    for wanted in ["not trusted", "UnknownIssuer", "help: ", "--api-ca"] {
        assert!(
            refused.stderr.contains(wanted),
            "{wanted:?} is missing in {refused}"
        );
    }
    let plain = up.url().replace("https://", "http://");
    let refused = sandbox.tidemill(["runs", "list", "--url", &plain]);
    assert_ne!(refused.code, Some(0), "{refused}");
    assert!(
        refused.stderr.contains("speaks TLS") && refused.stderr.contains("https://"),
        "{refused}"
    );
}

#[test]
fn a_renewed_certificate_is_served_without_a_restart_and_a_broken_one_is_not() {
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let sandbox = served_by(&first);
    second.write(&sandbox, "second.pem");
    let up = Up::start(&sandbox, "up.log");
    let ask = |authorities: &str| {
        let ask = ["runs", "list", "--url", up.url(), "--api-ca", authorities];
        sandbox.tidemill(ask).code == Some(0)
    };
    let gets_in = |authorities: &str, what: &str| {
        eventually(END_DEADLINE, what, || ask(authorities).then_some(()));
    };
    gets_in("ca.pem", "the first certificate is served");
    assert!(!ask("second.pem"), "the new one is not yet");
    second.write_server(&sandbox, "server.pem", "server.key");
    gets_in("second.pem", "the new certificate is served");
    assert!(!ask("ca.pem"), "the old one is not");
    let refusals = || up.daemon().log().matches("the old one is served on").count();
    let before = refusals();
    sandbox.write("server.pem", "broken\n");
    up.daemon().hang_up();
    eventually(END_DEADLINE, "the broken one is noticed", || {
        (refusals() > before).then_some(())
    });
    gets_in("second.pem", "the one before is served on");
}

#[test]
fn what_cannot_be_served_is_refused_with_what_to_do() {
    let sandbox = served_by(&Authority::new("of nobody"));
    let refuse = |more: &[&str], wanted: &[&str]| {
        let up = ["up", "--port", "0"].iter().chain(more);
        let refused = sandbox.tidemill(up).expect_code(USAGE);
        for wanted in wanted {
            assert!(
                refused.stderr.contains(wanted),
                "{wanted:?} is missing in {refused}"
            );
        }
    };
    refuse(&["--tls-cert", "gone.pem"], &["gone.pem"]);
    refuse(&["--tls-key", "server.pem"], &["server.pem"]);
    Authority::new("other").write_server(&sandbox, "other.pem", "other.key");
    refuse(&["--tls-key", "other.key"], &["cannot be used"]);
    let open = fs::Permissions::from_mode(0o640);
    fs::set_permissions(sandbox.path().join("server.key"), open).unwrap();
    refuse(&[], &["others can read", "chmod 600"]);
    sandbox.write(
        "tidemill.toml",
        "listen = \"0.0.0.0:0\"\ntls_cert = \"server.pem\"\n",
    );
    let refused = sandbox.tidemill(["up"]).expect_code(USAGE);
    assert!(refused.stderr.contains("tls_key"), "{refused}");
    sandbox.write(
        "tidemill.toml",
        "listen = \"0.0.0.0:0\"\ntls_cert = \"other.pem\"\ntls_key = \"other.key\"\n",
    );
    let refused = sandbox.tidemill(["up"]).expect_code(USAGE);
    assert!(
        refused.stderr.contains("token create") && !refused.stderr.contains("--insecure-plaintext"),
        "{refused}"
    );
}
