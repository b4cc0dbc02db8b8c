//! What a user points at.

use crate::tree::{paths, write};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::{Duration, SystemTime};
use tidemill_artifacts::{ScanError, ScanOptions, scan};
use tidemill_protocol::artifact::ArtifactKind;
use tidemill_protocol::digest::Digest;

#[test]
fn a_file_is_a_blob_and_a_folder_is_a_tree() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("data.csv", "a,b")]);
    let file = scan(&folder.path().join("data.csv"), &ScanOptions::data()).unwrap();
    assert_eq!(
        (file.reference.kind, file.reference.digest),
        (ArtifactKind::Blob, Digest::of(b"a,b"))
    );
    assert_eq!(
        (file.reference.files, file.reference.size_bytes, file.tree),
        (1, 3, None)
    );
    let whole = scan(folder.path(), &ScanOptions::data()).unwrap();
    assert_eq!(
        (whole.reference.kind, whole.reference.files),
        (ArtifactKind::Tree, 1)
    );
}

#[test]
fn ignore_files_count_for_code_and_not_for_data() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        &[
            (".gitignore", "*.tmp\n/build/\n"),
            (".amlignore", "secret.txt\n"),
            (".tidemillignore", "!keep.tmp\n"),
            ("train.py", "x"),
            ("a.tmp", "x"),
            ("keep.tmp", "x"),
            ("secret.txt", "x"),
            ("build/out", "x"),
            ("sub/build/out", "x"),
            ("sub/.gitignore", "local\n"),
            ("sub/local", "x"),
            (".git/HEAD", "x"),
            ("__pycache__/train.pyc", "x"),
            (".env.example", "x"),
        ],
    );
    let code = scan(folder.path(), &ScanOptions::code()).unwrap();
    let kept = [
        ".amlignore",
        ".env.example",
        ".gitignore",
        ".tidemillignore",
        "keep.tmp",
        "sub/.gitignore",
        "sub/build/out",
        "train.py",
    ];
    assert_eq!(paths(&code), kept);
    let data = scan(folder.path(), &ScanOptions::data()).unwrap();
    assert_eq!(data.reference.files, 14);
}

#[test]
fn rules_above_the_folder_do_not_count() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[(".gitignore", "*.py\n"), ("code/train.py", "x")]);
    assert_eq!(
        paths(&scan(&folder.path().join("code"), &ScanOptions::code()).unwrap()),
        ["train.py"]
    );
}

#[test]
fn empty_folders_are_kept_for_data() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("a/b")).unwrap();
    write(folder.path(), &[("c/file", "x")]);
    let tree = scan(folder.path(), &ScanOptions::data()).unwrap().tree.unwrap();
    assert_eq!(tree.empty_folders, ["a/b".parse().unwrap()]);
}

#[test]
fn links_are_followed_inside_the_folder_only() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    write(&root, &[("real/file", "x")]);
    symlink("real/file", root.join("link")).unwrap();
    symlink("real", root.join("folder link")).unwrap();
    let scanned = scan(&root, &ScanOptions::data()).unwrap();
    assert_eq!(paths(&scanned), ["folder link/file", "link", "real/file"]);
    assert_eq!(scanned.files.len(), 1, "one content is sent once");

    write(folder.path(), &[("outside", "secret")]);
    symlink("../outside", root.join("way out")).unwrap();
    let error = scan(&root, &ScanOptions::data()).unwrap_err();
    assert!(
        matches!(&error, ScanError::Link { path, .. } if path.ends_with("way out")),
        "{error}"
    );
}

#[test]
fn a_link_to_a_folder_above_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("a/file", "x")]);
    symlink("..", folder.path().join("a/up")).unwrap();
    let error = scan(folder.path(), &ScanOptions::data()).unwrap_err();
    assert!(matches!(error, ScanError::Link { .. }), "{error}");
}

#[test]
fn what_is_not_there_or_no_file_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let error = scan(&folder.path().join("absent"), &ScanOptions::data()).unwrap_err();
    assert!(matches!(error, ScanError::NotFound { .. }), "{error}");
    let pipe = folder.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    for path in [pipe.as_path(), folder.path()] {
        let error = scan(path, &ScanOptions::data()).unwrap_err();
        assert!(
            matches!(
                &error,
                ScanError::Special {
                    kind: "named pipe",
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn more_than_the_limits_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("a", "xx"), ("b", "yy")]);
    for options in [
        ScanOptions {
            files_max: 1,
            ..ScanOptions::data()
        },
        ScanOptions {
            bytes_max: 3,
            ..ScanOptions::data()
        },
    ] {
        let error = scan(folder.path(), &options).unwrap_err();
        assert!(matches!(error, ScanError::TooLarge { .. }), "{error}");
    }
}

#[test]
fn names_that_artifacts_cannot_hold_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("new\nline", "x")]);
    let error = scan(folder.path(), &ScanOptions::data()).unwrap_err();
    assert!(
        matches!(&error, ScanError::Name { path, .. } if path.ends_with("new\nline")),
        "{error}"
    );
}

#[test]
fn becoming_executable_changes_the_name_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("run.sh", "x")]);
    let before = scan(folder.path(), &ScanOptions::code()).unwrap();
    fs::set_permissions(folder.path().join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_ne!(
        scan(folder.path(), &ScanOptions::code()).unwrap().reference,
        before.reference
    );
}

#[test]
fn remembered_hashes_never_hide_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let (root, memory) = (folder.path().join("root"), folder.path().join("memory"));
    let options = ScanOptions::data().with_hash_cache(&memory);
    let path = root.join("file");
    write(&root, &[("file", "one"), ("other", "same")]);
    let hour = Duration::from_hours(1);
    #[expect(clippy::disallowed_methods, reason = "file times are the subject")]
    let past = SystemTime::now() - hour;
    let set_past = || {
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(past)
            .unwrap();
    };
    set_past();
    scan(&root, &options).unwrap();
    // The same length and the same time of modification: only the time of the inode's change tells.
    fs::write(&path, "two").unwrap();
    set_past();
    let scanned = scan(&root, &options).unwrap();
    assert_eq!(
        scanned.reference,
        scan(&root, &ScanOptions::data()).unwrap().reference
    );
    // Rapid rewrites within one tick of the kernel's clock.
    for round in 0..50 {
        let content = format!("{round:03}");
        fs::write(&path, &content).unwrap();
        let scanned = scan(&path, &options).unwrap();
        assert_eq!(scanned.reference.digest, Digest::of(content.as_bytes()));
    }
}

#[test]
fn a_damaged_memory_costs_time_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (root, memory) = (folder.path().join("root"), folder.path().join("memory"));
    let options = ScanOptions::data().with_hash_cache(&memory);
    write(&root, &[("file", "one")]);
    let expected = scan(&root, &options).unwrap().reference;
    // A hash is remembered once the file is older than a tick of the kernel's clock.
    while !memory.exists() {
        scan(&root, &options).unwrap();
    }
    let file = fs::read_dir(&memory).unwrap().next().unwrap().unwrap().path();
    for damage in [&b""[..], b"short", &[0xff; 200]] {
        fs::write(&file, damage).unwrap();
        assert_eq!(scan(&root, &options).unwrap().reference, expected);
    }
}
