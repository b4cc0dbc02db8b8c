//! What daemons and supervisors of earlier versions said and wrote is read for ever: a supervisor of yesterday goes on under the daemon of today, and leaves its
//! file of records to the supervisor of today. The bytes in `tests/golden` are made once and never made again. A file that is missing is written, and the test
//! fails once, so that somebody looks at it before it is committed.

use super::message::{Answer, End, ExitRecord, OwnFiles, Request, SecretVariable, Start, frame, read_frame};
use super::procfs::Identity;
use super::record::{Left, Record, Records};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use tidemill_protocol::time::Timestamp;

const KEY: &str = "01939a6e-6f00-7000-8000-000000000001-3-2-7";

fn path(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/supervisor");
    folder.join(format!("{name}.bin"))
}

/// The golden bytes of a frame or file.
fn golden(name: &str, written: &[u8]) -> Vec<u8> {
    fs::read(path(name)).unwrap_or_else(|_| {
        fs::create_dir_all(path(name).parent().unwrap()).unwrap();
        fs::write(path(name), written).unwrap();
        panic!("{name} had no golden bytes; look at the new file and commit it");
    })
}

/// What this version writes is what was written then, so that the other side, of whatever version, understands it; and it is read as it was meant.
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, message: T) {
    let written = frame(std::slice::from_ref(&message));
    let golden = golden(name, &written);
    let read: Vec<T> = read_frame(&mut golden.as_slice()).unwrap().unwrap();
    assert_eq!(read, [message], "{name} is read otherwise");
    assert_eq!(
        written, golden,
        "{name} is written otherwise: an earlier version at the other end has to understand it. If it does, keep the old bytes under another name"
    );
}

fn start() -> Start {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Start {
        key: KEY.into(),
        program: "/bin/sh".into(),
        arguments: vec!["sh".into(), "-c".into(), "true".into()],
        environment: vec![pair("PATH", "/bin"), pair("RATE", "0.1")],
        secrets: vec![SecretVariable {
            variable: "TOKEN".into(),
            file: "/run/tidemill/secrets/1".into(),
        }],
        members: vec![vec![pair("RANK", "0")], vec![pair("RANK", "1")]],
        folder: "/var/lib/tidemill/attempts/1".into(),
        stdout: "/var/lib/tidemill/attempts/1/stdout".into(),
        stderr: "/var/lib/tidemill/attempts/1/stderr".into(),
        time_limit_ms: Some(60_000),
        grace_ms: 10_000,
        memory_bytes: 1 << 30,
        log_bytes_max: 1 << 26,
        own: OwnFiles {
            readable: vec!["/var/lib/tidemill/inputs/1".into()],
            writable: vec!["/var/lib/tidemill/attempts/1".into()],
            home: "/var/lib/tidemill/attempts/1/home".into(),
        },
        user: Some(70_001),
    }
}

/// What was added to [`Start`] and [`Answer::Known`] after their first version.
const ADDED: [&str; 6] = [
    "secrets",
    "own",
    "user",
    "reads_secrets",
    "gives_users",
    "shuts_in",
];

/// The message as the first version wrote it.
fn as_first_written(message: &impl Serialize) -> Vec<u8> {
    fn strip(value: &mut Value) {
        if let Value::Object(fields) = value {
            fields.retain(|name, _| !ADDED.contains(&name.as_str()));
            fields.values_mut().for_each(strip);
        }
    }
    let mut value = serde_json::to_value(message).unwrap();
    strip(&mut value);
    frame(&[value])
}

fn ended(end: End) -> ExitRecord {
    ExitRecord {
        key: KEY.into(),
        end,
        started_at: Timestamp(1_764_500_000_123),
        process_ms: 4_567,
        memory_peak_bytes: Some(123_456_789),
        notes: vec!["the limit of memory is by address space".into()],
    }
}

fn known() -> Answer {
    Answer::Known {
        running: vec![KEY.into()],
        ended: vec!["another".into()],
        reads_secrets: true,
        gives_users: true,
        shuts_in: true,
    }
}

fn ends() -> [(&'static str, End); 7] {
    [
        ("exited", End::Exited(23)),
        ("signalled", End::Signalled(11)),
        ("out-of-memory", End::OutOfMemory),
        ("timed-out", End::TimedOut),
        ("stopped", End::Stopped),
        ("not-started", End::NotStarted("no such program".into())),
        ("orphaned", End::Orphaned),
    ]
}

#[test]
fn every_request_that_a_daemon_ever_made_is_read_as_it_was_meant_and_still_made_so() {
    for (name, again) in [("start", false), ("start-again", true)] {
        let start = Box::new(start());
        check(name, Request::Start { start, again });
    }
    check("stop", Request::Stop { key: KEY.into() });
    check("forget", Request::Forget { key: KEY.into() });
    check("farewell", Request::Farewell);
    let plain = Start {
        secrets: vec![],
        own: OwnFiles::default(),
        user: None,
        ..start()
    };
    let (start, again) = (Box::new(plain), false);
    let request = Request::Start { start, again };
    let bytes = golden("start-first-version", &as_first_written(&request));
    let read: Vec<Request> = read_frame(&mut bytes.as_slice()).unwrap().unwrap();
    assert_eq!(read, [request]);
}

#[test]
fn every_answer_that_a_supervisor_ever_gave_is_read_as_it_was_meant_and_still_given_so() {
    check("known", known());
    for (name, end) in ends() {
        check(&format!("ended-{name}"), Answer::Ended(ended(end)));
    }
    let bytes = golden("known-first-version", &as_first_written(&known()));
    let read: Vec<Answer> = read_frame(&mut bytes.as_slice()).unwrap().unwrap();
    let wanted = Answer::Known {
        running: vec![KEY.into()],
        ended: vec!["another".into()],
        reads_secrets: false,
        gives_users: false,
        shuts_in: false,
    };
    assert_eq!(read, [wanted], "what it does not say it cannot do");
}

#[test]
fn what_a_later_version_adds_to_a_message_is_passed_over() {
    let mut known = serde_json::to_value(known()).unwrap();
    known["Known"]["sings"] = json!(true);
    let answers: Vec<Answer> = read_frame(&mut frame(&[known]).as_slice()).unwrap().unwrap();
    assert_eq!(answers, [self::known()]);
    let (start, again) = (Box::new(start()), false);
    let request = Request::Start { start, again };
    let mut later = serde_json::to_value(&request).unwrap();
    later["Start"]["start"]["song"] = json!(["la"]);
    let requests: Vec<Request> = read_frame(&mut frame(&[later]).as_slice()).unwrap().unwrap();
    assert_eq!(requests, [request]);
}

#[test]
fn records_that_a_supervisor_ever_left_are_read_as_they_were_meant() {
    let identity = |pid| Identity {
        pid,
        start_time: 123_456,
        boot_id: "6fa1c2ae-0b7c-4dd1-9c9b-3f0b2f2f9b11".into(),
    };
    let at = Timestamp(1_764_500_000_123);
    let started = |key: &str, pid| Record::Started {
        key: key.into(),
        process: identity(pid),
        at,
    };
    let mut written = vec![started("runs", 4_001), started("runs", 4_002)];
    for (name, end) in ends() {
        written.push(started(name, 4_003));
        let (key, end) = (name.to_owned(), end);
        written.push(Record::Ended(ExitRecord { key, ..ended(end) }));
    }
    written.push(Record::Forgotten { key: "exited".into() });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("records");
    let (mut records, _) = Records::open(&file).unwrap();
    for record in &written {
        records.add(record);
    }
    records.write().unwrap();
    let bytes = golden("records", &fs::read(&file).unwrap());
    assert_eq!(
        fs::read(&file).unwrap(),
        bytes,
        "an earlier supervisor reads them, too"
    );
    fs::write(&file, &bytes).unwrap();
    let (_, left) = Records::open(&file).unwrap();
    let ended = ends().into_iter().skip(1).map(|(name, end)| {
        let key = name.to_owned();
        (key.clone(), ExitRecord { key, ..ended(end) })
    });
    let wanted = Left {
        unfinished: BTreeMap::from([("runs".to_owned(), (at, vec![identity(4_001), identity(4_002)]))]),
        ended: ended.collect(),
    };
    assert_eq!(left, wanted);
}
