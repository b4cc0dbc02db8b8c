//! Mailings from end to end: a real mail server takes what a coordinator says about runs that fail, over TLS and with a password; one that is away gets it when it is
//! back, and one person whom it refuses keeps it from nobody else.

use super::outsiders::Outsider;
use serde_json::Value;
use testkit::{Authority, END_DEADLINE, Sandbox, Up, eventually, mail_python};
use tidemill_protocol::status::RunStatus;

const SERVER: &str = include_str!("mail_server.py");

const PIPELINE: &str = "
type: pipeline
name: train
experiment_name: churn
jobs:
  fit:
    command: echo '<b>loss</b> is nan' >&2; echo the key is $API_KEY >&2; exit 3
    secrets: {API_KEY: api-key}
";

fn serve(sandbox: &Sandbox, port: u16, arguments: &[&str]) -> Outsider {
    let script = (mail_python(), "mail_server.py", SERVER);
    Outsider::start(sandbox, script, port, arguments)
}

/// A sandbox with a pipeline that fails, and these settings of the mail server.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yml", PIPELINE);
    sandbox
}

fn settings(sandbox: &Sandbox, port: u16, more: &str) {
    let text = format!(
        "smtp_host = \"127.0.0.1\"\nsmtp_port = {port}\nsmtp_from = \"tidemill@example.org\"\nlog = \"info\"\n{more}"
    );
    sandbox.write("tidemill.toml", &text);
}

fn fail(up: &Up<'_>) -> String {
    let run = up.submit("pipeline.yml", &[]);
    up.wait_for_run(&run, RunStatus::Failed, END_DEADLINE);
    run
}

fn set_secret(sandbox: &Sandbox, name: &str, value: &str) {
    let mut command = sandbox.command(["secret", "set", name]);
    let set = sandbox.finish_with_input(&mut command, value.as_bytes());
    drop(set.expect_code(0));
}

fn deliveries(up: &Up<'_>, name: &str, count: usize) -> Vec<Value> {
    eventually(END_DEADLINE, &format!("{count} deliveries are settled"), || {
        let all: Vec<Value> = up.ok(["mailing", "deliveries", name, "-o", "json"]).items();
        (all.len() >= count).then_some(all)
    })
}

fn header<'a>(mail: &'a Value, name: &str) -> &'a str {
    let headers = mail["headers"].as_array().unwrap();
    let found: Vec<&Value> = headers.iter().filter(|header| header[0] == name).collect();
    assert_eq!(found.len(), 1, "{name} stands once: {mail}");
    found[0][1].as_str().unwrap()
}

#[test]
fn a_failed_run_is_told_by_starttls_with_what_failed_why_and_the_last_lines_of_its_log() {
    let (sandbox, authority) = (sandbox(), Authority::new("of the mail server"));
    authority.write_server(&sandbox, "mail.pem", "mail.key");
    authority.write(&sandbox, "ca.pem");
    sandbox.write("password.txt", "open sesame\n");
    let [pem, key] = ["mail.pem", "mail.key"].map(|name| sandbox.path().join(name).display().to_string());
    let server = serve(
        &sandbox,
        0,
        &["--starttls", &pem, &key, "--login", "ada", "open sesame"],
    );
    let login = "smtp_ca = \"ca.pem\"\nsmtp_user = \"ada\"\nsmtp_password_file = \"password.txt\"\n";
    settings(&sandbox, server.port, login);
    let up = Up::start(&sandbox, "up.log");
    set_secret(&sandbox, "api-key", "hunter2-hunter2");
    up.ok([
        "mailing",
        "add",
        "on-call",
        "eve@example.org",
        "--run",
        "failed",
        "--experiment",
        "churn",
    ]);
    up.ok([
        "mailing",
        "add",
        "others",
        "eve@example.org",
        "--experiment",
        "another",
    ]);
    let run = fail(&up);
    let mail = server.wait_for(1).remove(0);
    assert_eq!((&mail["tls"], &mail["user"]), (&true.into(), &"ada".into()));
    assert_eq!(
        (&mail["from"], &mail["to"]),
        (
            &"tidemill@example.org".into(),
            &serde_json::json!(["eve@example.org"])
        )
    );
    assert_eq!(header(&mail, "subject"), "train failed: step fit");
    assert_eq!(header(&mail, "auto-submitted"), "auto-generated");
    assert!(header(&mail, "message-id").contains(&run));
    let (text, html) = (mail["text"].as_str().unwrap(), mail["html"].as_str().unwrap());
    for wanted in [
        &*run,
        "exit code 3",
        "churn",
        "<b>loss</b> is nan",
        &format!("tidemill runs show {run}"),
    ] {
        assert!(text.contains(wanted), "{wanted:?} is missing in {text}");
    }
    assert!(
        html.contains("&lt;b&gt;loss&lt;/b&gt; is nan") && !html.contains("<b>loss"),
        "{html}"
    );
    assert!(
        text.contains("the key is ") && !text.contains("hunter2"),
        "{text}"
    );
    let told = deliveries(&up, "on-call", 1);
    assert_eq!(told[0]["outcome"]["delivered"]["status"], 250, "{told:?}");
    let others: Vec<Value> = up.ok(["mailing", "deliveries", "others", "-o", "json"]).items();
    assert!(others.is_empty() && server.taken().len() == 1, "{others:?}");
}

#[test]
fn a_server_that_speaks_tls_at_once_takes_mail_with_a_password_of_the_secrets_and_none_with_a_wrong_one() {
    let (sandbox, authority) = (sandbox(), Authority::new("of the mail server"));
    authority.write_server(&sandbox, "mail.pem", "mail.key");
    authority.write(&sandbox, "ca.pem");
    let at = |name: &str| sandbox.path().join(name).to_string_lossy().into_owned();
    let arguments = [
        "--tls",
        &at("mail.pem"),
        &at("mail.key"),
        "--login",
        "ada",
        "open sesame",
    ];
    let server = serve(&sandbox, 0, &arguments);
    let login =
        "smtp_tls = \"tls\"\nsmtp_ca = \"ca.pem\"\nsmtp_user = \"ada\"\nsmtp_password_secret = \"mail\"\n";
    settings(&sandbox, server.port, login);
    let up = Up::start(&sandbox, "up.log");
    up.ok(["mailing", "add", "on-call", "eve@example.org"]);
    let test = || sandbox.tidemill(["mailing", "test", "on-call"]);
    let without = test().expect_code(1);
    assert!(without.stdout.contains("no secret `mail`"), "{without}");
    set_secret(&sandbox, "mail", "open barley");
    let wrong = test().expect_code(1);
    assert!(wrong.stdout.contains("535"), "{wrong}");
    set_secret(&sandbox, "mail", "open sesame");
    drop(test().expect_code(0));
    let taken = server.wait_for(1);
    assert_eq!(
        header(&taken[0], "subject"),
        "tidemill: a test of mailing on-call"
    );
    assert_eq!((taken.len(), &taken[0]["tls"]), (1, &true.into()));
}

#[test]
fn a_server_without_the_right_certificate_or_without_tls_is_told_nothing() {
    let (sandbox, authority) = (sandbox(), Authority::new("of the mail server"));
    authority.write_server(&sandbox, "mail.pem", "mail.key");
    Authority::new("another").write(&sandbox, "ca.pem");
    let at = |name: &str| sandbox.path().join(name).to_string_lossy().into_owned();
    let stranger = serve(&sandbox, 0, &["--starttls", &at("mail.pem"), &at("mail.key")]);
    settings(&sandbox, stranger.port, "smtp_ca = \"ca.pem\"\n");
    let up = Up::start(&sandbox, "up.log");
    up.ok(["mailing", "add", "on-call", "eve@example.org"]);
    let refused = sandbox.tidemill(["mailing", "test", "on-call"]).expect_code(1);
    assert!(refused.stdout.contains("certificate"), "{refused}");
    let port = stranger.port;
    stranger.end();
    let plain = serve(&sandbox, port, &[]);
    let refused = sandbox.tidemill(["mailing", "test", "on-call"]).expect_code(1);
    assert!(refused.stdout.to_lowercase().contains("starttls"), "{refused}");
    assert!(plain.taken().is_empty());
}

#[test]
fn mail_for_a_server_that_is_away_arrives_when_it_is_back_and_who_is_refused_keeps_it_from_nobody() {
    let sandbox = sandbox();
    let first = serve(&sandbox, 0, &[]);
    let port = first.port;
    first.end();
    settings(&sandbox, port, "smtp_tls = \"none\"\n");
    let up = Up::start(&sandbox, "up.log");
    set_secret(&sandbox, "api-key", "hunter2-hunter2");
    let people = ["ada@example.org", "gone@example.org", "eve@example.org"];
    up.ok(["mailing", "add", "on-call"]
        .iter()
        .chain(&people)
        .chain(&["--step", "failed"]));
    let run = fail(&up);
    eventually(END_DEADLINE, "it was tried in vain", || {
        up.daemon().log().contains("trying again").then_some(())
    });
    let back = serve(&sandbox, port, &["--refuse", "gone@example.org"]);
    let taken = back.wait_for(2);
    let to: Vec<&Value> = taken.iter().map(|mail| &mail["to"][0]).collect();
    assert_eq!(to, ["ada@example.org", "eve@example.org"]);
    assert_eq!(header(&taken[0], "subject"), "train failed: step fit");
    let told = deliveries(&up, "on-call", 1);
    let outcome = &told[0]["outcome"]["partly_delivered"];
    assert_eq!(outcome["taken"], 2, "{told:?}");
    let why = outcome["why"].as_str().unwrap();
    assert!(why.contains("gone@example.org") && why.contains("550"), "{why}");
    assert!(told[0]["tries"].as_u64() > Some(1) && told[0]["about"].as_str().unwrap().contains(&run));
    up.ok(["mailing", "pause", "on-call", "--reason", "enough"]);
    let listed = up.ok(["mailing", "list", "-o", "json"]).items::<Value>();
    assert_eq!(listed[0]["pause"]["reason"], "enough");
    fail(&up);
    up.ok(["mailing", "resume", "on-call"]);
    let last = fail(&up);
    let told = deliveries(&up, "on-call", 2);
    assert!(told[0]["about"].as_str().unwrap().contains(&last), "{told:?}");
    assert_eq!(
        (told.len(), back.taken().len()),
        (2, 4),
        "what failed during the pause is not told"
    );
}

#[test]
fn without_a_mail_server_a_mailing_is_refused_with_the_settings_that_name_one() {
    let sandbox = sandbox();
    let up = Up::start(&sandbox, "up.log");
    let refused = sandbox.tidemill(["mailing", "add", "on-call", "eve@example.org"]);
    assert_ne!(refused.code, Some(0), "{refused}");
    assert!(refused.stderr.contains("smtp_host"), "{refused}");
    drop(up);
    let refused = sandbox
        .tidemill(["mailing", "add", "on-call", "eve@example.org\nBcc: x@example.org"])
        .expect_code(2);
    assert!(refused.stderr.contains("no e-mail address"), "{refused}");
}
