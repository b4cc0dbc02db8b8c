//! The units of systemd: whoever runs steps is nobody's user but its class's, and each user of a unit is made before it starts.

use crate::assert_none;
use crate::house::root;
use std::fs;

/// The value that a unit gives to a key.
fn value<'a>(unit: &'a str, key: &str) -> Option<&'a str> {
    unit.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
}

/// What is wrong with the users of a coordinator's unit, a unit for workers, and the file that makes users.
fn shared_users(coordinator: &str, worker: &str, made: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let users: Vec<&str> = made
        .lines()
        .filter_map(|line| line.strip_prefix("u ")?.split_whitespace().next())
        .collect();
    let own = value(coordinator, "User").unwrap_or("root");
    if !users.contains(&own) {
        wrong.push(format!("nobody makes the coordinator's user {own}"));
    }
    for key in ["User", "Group", "StateDirectory", "RuntimeDirectory"] {
        if !value(worker, key).is_some_and(|text| text.ends_with("-%i")) {
            wrong.push(format!("{key} of workers is not their class's own"));
        }
    }
    let start = value(worker, "User").unwrap_or_default().trim_end_matches("%i");
    let of_workers = users.iter().filter(|user| **user != own);
    for user in of_workers {
        if !user.starts_with(start) || user.len() > 31 {
            wrong.push(format!("{user} is no user of a class"));
        }
    }
    if value(coordinator, "StateDirectoryMode") != Some("0700")
        || value(worker, "StateDirectoryMode") != Some("0700")
    {
        wrong.push("a state folder can be read by others".to_owned());
    }
    wrong
}

#[test]
fn the_coordinator_and_each_class_of_workers_are_users_of_their_own() {
    let read = |path: &str| {
        fs::read_to_string(root().join("deploy/systemd").join(path)).expect("it is part of the house")
    };
    let wrong = shared_users(
        &read("tidemill-coordinator.service"),
        &read("tidemill-worker@.service"),
        &read("sysusers.d/tidemill.conf"),
    );
    assert_none("users of units", &wrong);
}

#[test]
fn a_shared_user_is_found() {
    let coordinator = "User=mill\nStateDirectoryMode=0700\n";
    let made = "u mill - \"the mill\"\nu other - \"whose?\"\n";
    let worker = "User=mill\nGroup=mill\nStateDirectory=worker-%i\nRuntimeDirectory=worker-%i\n";
    let wrong = shared_users(coordinator, worker, made);
    assert_eq!(
        wrong,
        [
            "User of workers is not their class's own",
            "Group of workers is not their class's own",
            "other is no user of a class",
            "a state folder can be read by others",
        ]
    );
    let wrong = shared_users("", "", "");
    assert!(wrong[0].contains("root"), "{wrong:?}");
}
