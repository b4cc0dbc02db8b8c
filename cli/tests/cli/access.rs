//! Tokens as an operator meets them: the first one, login and logout, revocation, and who is let in without.

use crate::{Place, Served};

/// The token that `token create` printed.
fn token(place: &Place, arguments: &[&str]) -> String {
    let (code, out, err) = place.outcome(&[&["token", "create", "-q"], arguments].concat());
    assert_eq!(code, 0, "{err}");
    let token = out.trim().to_owned();
    assert!(token.starts_with("tmk_"), "{out}");
    token
}

/// What somebody with another state folder, perhaps on another machine, gets.
fn from_afar(place: &Place, url: &str, token: Option<&str>, arguments: &[&str]) -> (i32, String, String) {
    let mut command = place.tidemill(arguments);
    command
        .env("TIDEMILL_STATE_DIR", place.path().join("elsewhere"))
        .env("TIDEMILL_URL", url);
    if let Some(token) = token {
        command.env("TIDEMILL_TOKEN", token);
    }
    Place::text(&command.output().unwrap())
}

#[test]
fn the_first_token_closes_the_door_and_the_owner_of_the_state_folder_keeps_a_key() {
    let place = Place::new();
    let served = Served::start(&place, &[]);
    let (code, _, _) = from_afar(&place, &served.url, None, &["runs", "list"]);
    assert_eq!(code, 0, "until there is a token, this machine may do everything");
    let ci = token(
        &place,
        &["--scope", "submitter", "--subject", "ci", "--expires", "30d"],
    );
    let (code, _, err) = from_afar(&place, &served.url, None, &["runs", "list"]);
    assert_eq!(code, 4, "{err}");
    assert!(err.contains(&format!("tidemill login {}", served.url)), "{err}");
    let (code, _, err) = from_afar(&place, &served.url, Some(&ci), &["runs", "list"]);
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = from_afar(&place, &served.url, Some(&ci), &["token", "list"]);
    assert_eq!(code, 4, "{err}");
    assert!(err.contains("token create --scope admin"), "{err}");
    let (code, out, err) = place.outcome(&["token", "list", "-o", "json"]);
    assert_eq!(code, 0, "{err}");
    let list: serde_json::Value = serde_json::from_str(&out).unwrap();
    let list = &list["items"];
    assert_eq!(list[0]["subject"], "ci");
    assert!(!out.contains(&ci), "a list shows no secret");
    let id = list[0]["id"].as_str().unwrap();
    let (code, _, err) = place.outcome(&["token", "revoke", id]);
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = from_afar(&place, &served.url, Some(&ci), &["runs", "list"]);
    assert_eq!(code, 4);
    assert!(err.contains("revoked"), "{err}");
}

#[test]
fn a_token_is_kept_by_login_if_it_is_good_and_forgotten_by_logout() {
    let place = Place::new();
    let served = Served::start(&place, &[]);
    let good = token(&place, &["--scope", "reader", "--subject", "ada"]);
    let login = |token: &str| {
        let mut command = place.tidemill(&["login", &served.url, "--token-stdin"]);
        command.write_stdin(token.to_owned());
        Place::text(&command.output().unwrap())
    };
    let bad = format!("tmk_abcdefghijkm_{}", "A".repeat(43));
    let (code, _, err) = login(&bad);
    assert_eq!(code, 4, "{err}");
    let (code, _, _) = from_afar(&place, &served.url, None, &["runs", "list"]);
    assert_eq!(code, 4, "a bad token is not kept");
    let (code, out, err) = login(&good);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("as ada (reader)"), "{out}");
    let (code, _, err) = from_afar(&place, &served.url, None, &["runs", "list"]);
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = place.outcome(&["logout", &served.url]);
    assert_eq!(code, 0, "{err}");
    let (code, _, _) = from_afar(&place, &served.url, None, &["runs", "list"]);
    assert_eq!(code, 4);
}

#[test]
fn the_first_token_can_be_made_before_anything_runs_and_other_machines_are_served_only_then() {
    let place = Place::new();
    let up = |more: &[&str]| {
        let mut command = place.tidemill(&[&["up"], more].concat());
        command.env("TIDEMILL_LISTEN", "0.0.0.0:0");
        Place::text(&command.output().unwrap())
    };
    let (code, _, err) = up(&[]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("--insecure-plaintext"), "{err}");
    let (code, _, err) = up(&["--insecure-plaintext"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("tidemill token create --scope admin"), "{err}");
    let admin = token(&place, &["--scope", "admin"]);
    let served = Served::start_with(
        &place,
        &["--insecure-plaintext"],
        &[("TIDEMILL_LISTEN", "0.0.0.0:0")],
    );
    let (code, _, _) = from_afar(&place, &served.url, None, &["runs", "list"]);
    assert_eq!(code, 4);
    let (code, _, err) = from_afar(&place, &served.url, Some(&admin), &["token", "list"]);
    assert_eq!(code, 0, "{err}");
}

#[test]
fn a_token_is_not_sent_in_the_clear_to_another_machine_by_mistake() {
    let place = Place::new();
    let mut command = place.tidemill(&["login", "http://coordinator.example:7470", "--token-stdin"]);
    command.write_stdin("tmk_x");
    let (code, _, err) = Place::text(&command.output().unwrap());
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("https://"), "{err}");

    // A token for any address is not shown to whichever one somebody typed, by a command or by a worker.
    let far = "http://192.0.2.1:7470";
    let secret = "tmk_secret";
    place.write("token", secret);
    let worker = [
        "worker",
        "start",
        "--compute",
        "cpu",
        "--queue-url",
        "amqp://127.0.0.1:1",
        "--coordinator-url",
        far,
    ];
    let refused = [
        from_afar(&place, far, Some(secret), &["runs", "list"]),
        from_afar(&place, far, None, &["runs", "list", "--token-file", "token"]),
        from_afar(&place, "http://localhost:1", Some(secret), &worker),
    ];
    for (code, _, err) in refused {
        assert_eq!(code, 2, "{err}");
        for wanted in [far, "not encrypted", "https://", "--insecure-plaintext"] {
            assert!(err.contains(wanted), "{wanted:?} is missing in {err}");
        }
        assert!(!err.contains(secret), "{err}");
    }
}

#[test]
fn a_password_is_not_sent_in_the_clear_to_a_rabbitmq_elsewhere_by_mistake() {
    let place = Place::new();
    let queue = ["--queue-url", "amqp://user:s3cret@mq.invalid:5672"];
    let key = "00".repeat(32);
    let worker = ["worker", "start", "--compute", "cpu", "--coordinator-key", &key];
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &worker[..]] {
        let (code, _, err) = place.outcome(&[command, &queue[..]].concat());
        assert_eq!(code, 2, "{err}");
        for wanted in ["mq.invalid", "not encrypted", "amqps://", "--insecure-plaintext"] {
            assert!(err.contains(wanted), "{wanted:?} is missing in {err}");
        }
        assert!(!err.contains("s3cret"), "{err}");
    }
    let doctor = ["doctor", "--insecure-plaintext"];
    let (_, out, _) = place.outcome(&[&doctor[..], &queue[..]].concat());
    assert!(!out.contains("not encrypted"), "whoever says so may: {out}");
    let (_, out, _) = place.outcome(&[&doctor[..1], &queue[..]].concat());
    assert!(out.contains("not encrypted"), "{out}");
}
