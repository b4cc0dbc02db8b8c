//! Every file of every corpus, through the functions that the fuzzer calls: what it once found stays found.

use std::fs;
use std::path::PathBuf;
use tidemill_fuzzing::{TARGETS, corpora};

/// Most files and bytes of all corpora together, so that the replay stays short.
const FILES_MAX: usize = 330;
const BYTES_MAX: u64 = 1024 * 1024;

fn files(target: &str) -> Vec<PathBuf> {
    let folder = fs::read_dir(corpora().join(target)).expect("each target has a corpus");
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.expect("is readable").path()).collect();
    files.sort();
    files
}

fn replay(target: &str) {
    let (_, run) = TARGETS
        .iter()
        .find(|(name, _)| *name == target)
        .expect("there is such a target");
    let files = files(target);
    assert!(files.len() >= 5, "the corpus of {target} is nearly empty");
    for file in files {
        let data = fs::read(&file).expect("is readable");
        let outcome = std::panic::catch_unwind(|| run(&data));
        assert!(outcome.is_ok(), "{} breaks a law", file.display());
    }
}

#[test]
fn the_corpus_of_pipeline_files_keeps_its_laws() {
    replay("pipeline");
}

#[test]
fn the_corpus_of_expressions_keeps_its_laws() {
    replay("expression");
}

#[test]
fn the_corpus_of_envelopes_keeps_its_laws() {
    replay("envelope");
}

#[test]
fn the_corpus_of_reports_keeps_its_laws() {
    replay("report");
}

#[test]
fn the_corpus_of_manifests_keeps_its_laws() {
    replay("manifest");
}

#[test]
fn the_corpus_of_journal_records_keeps_its_laws() {
    replay("record");
}

#[test]
fn the_corpus_of_queries_keeps_its_laws() {
    replay("query");
}

#[test]
fn the_corpus_of_filters_keeps_its_laws() {
    replay("filter");
}

#[test]
fn the_corpus_of_names_and_paths_keeps_its_laws() {
    replay("name");
}

#[test]
fn the_corpus_of_terminal_output_keeps_its_laws() {
    replay("screen");
}

#[test]
fn every_target_is_replayed() {
    let source = include_str!("replay.rs");
    for (target, _) in TARGETS {
        let call = format!("replay(\"{target}\");");
        assert!(source.contains(&call), "nothing replays the corpus of {target}");
    }
}

#[test]
fn the_corpora_stay_small_and_belong_to_targets() {
    let (mut count, mut bytes) = (0, 0);
    for entry in fs::read_dir(corpora()).expect("there are corpora") {
        let name = entry.expect("is readable").file_name();
        let target = TARGETS.iter().find(|(target, _)| **target == *name);
        let (target, _) = target.unwrap_or_else(|| panic!("{} is of no target", name.display()));
        for file in files(target) {
            count += 1;
            bytes += file.metadata().expect("is readable").len();
        }
    }
    assert!(count <= FILES_MAX, "{count} files, at most {FILES_MAX}");
    assert!(bytes <= BYTES_MAX, "{bytes} bytes, at most {BYTES_MAX}");
}
