//! What a step left behind.

use crate::tree::{paths, write};
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use tidemill_artifacts::{ScanError, collect, collect_within};
use tidemill_protocol::artifact::ArtifactKind;
use tidemill_protocol::digest::Digest;

fn refusal(path: &Path) -> ScanError {
    collect(path, ArtifactKind::Tree).unwrap_err()
}

#[test]
fn an_output_is_collected_with_its_empty_folders() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        &[("b/größe (1).csv", "x"), ("a", "y"), (".hidden", "z")],
    );
    fs::create_dir(folder.path().join("empty")).unwrap();
    let output = collect(folder.path(), ArtifactKind::Tree).unwrap();
    assert_eq!(paths(&output), [".hidden", "a", "b/größe (1).csv"]);
    assert_eq!(output.tree.unwrap().empty_folders, ["empty".parse().unwrap()]);
    let nothing = tempfile::tempdir().unwrap();
    assert_eq!(
        collect(nothing.path(), ArtifactKind::Tree)
            .unwrap()
            .reference
            .files,
        0
    );
}

#[test]
fn a_link_to_a_file_of_the_output_becomes_its_content() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("epochs/7.ckpt", "weights")]);
    symlink("epochs/7.ckpt", folder.path().join("best.ckpt")).unwrap();
    let output = collect(folder.path(), ArtifactKind::Tree).unwrap();
    assert_eq!(paths(&output), ["best.ckpt", "epochs/7.ckpt"]);
    let tree = output.tree.unwrap();
    assert!(
        tree.entries
            .iter()
            .all(|entry| entry.digest == Digest::of(b"weights"))
    );
}

#[test]
fn links_that_leave_or_lead_to_folders_are_refused_by_name() {
    for target in [
        "/etc/passwd",
        "../outside",
        "sub/../../outside",
        "nowhere",
        "sub",
        "link",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("output");
        write(folder.path(), &[("outside", "secret"), ("output/sub/file", "x")]);
        symlink(target, output.join("link")).unwrap();
        let error = refusal(&output);
        assert!(
            matches!(&error, ScanError::Link { path, .. } if path.ends_with("link")),
            "{target}: {error}"
        );
    }
}

#[test]
fn pipes_sockets_and_devices_are_refused_without_being_opened() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    assert!(matches!(
        refusal(folder.path()),
        ScanError::Special {
            kind: "named pipe",
            ..
        }
    ));
    assert!(matches!(
        collect(&pipe, ArtifactKind::Blob).unwrap_err(),
        ScanError::Special { .. }
    ));
    fs::remove_file(pipe).unwrap();
    let _socket = UnixListener::bind(folder.path().join("socket")).unwrap();
    assert!(matches!(
        refusal(folder.path()),
        ScanError::Special { kind: "socket", .. }
    ));
    assert!(matches!(
        collect(Path::new("/dev/null"), ArtifactKind::Blob).unwrap_err(),
        ScanError::Special { .. }
    ));
}

#[test]
fn a_file_with_a_name_elsewhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("output");
    write(folder.path(), &[("input", "somebody's"), ("output/own", "x")]);
    fs::hard_link(output.join("own"), output.join("own again")).unwrap();
    assert_eq!(
        paths(&collect(&output, ArtifactKind::Tree).unwrap()),
        ["own", "own again"]
    );
    fs::hard_link(folder.path().join("input"), output.join("taken")).unwrap();
    let error = refusal(&output);
    assert!(
        matches!(&error, ScanError::HardLinked { path, names: 2 } if path.ends_with("taken")),
        "{error}"
    );
    let error = collect(&output.join("taken"), ArtifactKind::Blob).unwrap_err();
    assert!(matches!(error, ScanError::HardLinked { .. }), "{error}");
}

#[test]
fn an_output_of_the_wrong_kind_or_behind_a_link_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("file", "x"), ("sub/file", "x")]);
    symlink("sub", folder.path().join("folder link")).unwrap();
    symlink("file", folder.path().join("file link")).unwrap();
    for (name, kind) in [
        ("file", ArtifactKind::Tree),
        ("sub", ArtifactKind::Blob),
        ("folder link", ArtifactKind::Tree),
    ] {
        let error = collect(&folder.path().join(name), kind).unwrap_err();
        assert!(matches!(error, ScanError::WrongKind { .. }), "{name}: {error}");
    }
    let error = collect(&folder.path().join("file link"), ArtifactKind::Blob).unwrap_err();
    assert!(matches!(error, ScanError::Link { .. }), "{error}");
    let error = collect(&folder.path().join("absent"), ArtifactKind::Blob).unwrap_err();
    assert!(matches!(error, ScanError::NotFound { .. }), "{error}");
}

#[test]
fn a_folder_swapped_for_a_link_in_mid_walk_never_leads_out() {
    const SECRET: &str = "nobody may read this";
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("output");
    write(
        folder.path(),
        &[("outside/file", SECRET), ("output/sub/file", "harmless")],
    );
    let (sub, aside, link) = (
        output.join("sub"),
        folder.path().join("aside"),
        folder.path().join("link"),
    );
    symlink("../outside", &link).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                fs::rename(&sub, &aside).unwrap();
                fs::rename(&link, &sub).unwrap();
                fs::rename(&sub, &link).unwrap();
                fs::rename(&aside, &sub).unwrap();
            }
        });
        for _ in 0..2000 {
            if let Ok(output) = collect(&output, ArtifactKind::Tree) {
                assert!(
                    output
                        .files
                        .iter()
                        .all(|file| file.digest != Digest::of(SECRET.as_bytes()))
                );
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn no_link_on_the_way_from_the_steps_folder_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (base, elsewhere) = (folder.path().join("base"), folder.path().join("elsewhere"));
    for made in [&base.join("outputs/plain"), &elsewhere.join("sub")] {
        fs::create_dir_all(made).unwrap();
        fs::write(made.join("file"), "x").unwrap();
    }
    fs::write(elsewhere.join("file"), "not the step's").unwrap();
    symlink(&elsewhere, base.join("outputs/linked")).unwrap();
    let at = |path: &str, kind| collect_within(&base, &base.join("outputs").join(path), kind);
    assert!(at("plain/file", ArtifactKind::Blob).is_ok() && at("plain", ArtifactKind::Tree).is_ok());
    for (path, kind) in [
        ("linked/file", ArtifactKind::Blob),
        ("linked", ArtifactKind::Tree),
        ("linked/sub", ArtifactKind::Tree),
    ] {
        let refused = at(path, kind).unwrap_err();
        assert!(
            !matches!(refused, ScanError::NotFound { .. }),
            "{path}: {refused}"
        );
    }
    let outside = collect_within(&base, &elsewhere.join("file"), ArtifactKind::Blob).unwrap_err();
    assert!(matches!(outside, ScanError::Link { .. }), "{outside}");
}
