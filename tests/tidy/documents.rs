//! Documents lead somewhere: every relative link in our Markdown names a file or folder that exists, and the map names every crate.

use crate::assert_none;
use crate::house::{collect, members, root};
use std::fs;
use std::path::{Path, PathBuf};

/// The targets of `[text](target)`, code blocks left out.
fn links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if !in_code {
            let rests = line.split("](").skip(1);
            links.extend(rests.filter_map(|rest| rest.split_once(')').map(|(target, _)| target)));
        }
    }
    links
}

fn dead_links(root: &Path, document: &Path, text: &str) -> Vec<String> {
    let folder = document.parent().unwrap_or(root);
    let relative = links(text)
        .into_iter()
        .filter(|link| !link.contains("://") && !link.starts_with('#') && !link.starts_with("mailto:"));
    relative
        .filter(|link| {
            let file = link.split('#').next().unwrap_or(link);
            !folder.join(file).exists()
        })
        .map(|link| {
            format!(
                "{}: {link}",
                document.strip_prefix(root).unwrap_or(document).display()
            )
        })
        .collect()
}

fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&root(), "md", &mut found);
    assert!(found.len() > 5, "found only {} documents", found.len());
    found
}

#[test]
fn every_relative_link_leads_somewhere() {
    let root = root();
    let dead = documents().into_iter().flat_map(|document| {
        let text = fs::read_to_string(&document).expect("a document is text");
        dead_links(&root, &document, &text)
    });
    assert_none("a link leads nowhere", &dead.collect::<Vec<_>>());
}

#[test]
fn the_map_names_every_crate() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("there is a map");
    let missing = members().into_iter().filter(|member| {
        let folder = member.folder.display().to_string();
        !map.contains(&format!("{folder}/"))
    });
    let missing = missing.map(|member| format!("{}/ is not on the map", member.folder.display()));
    assert_none("ARCHITECTURE.md is behind", &missing.collect::<Vec<_>>());
}

#[test]
fn a_link_that_leads_nowhere_is_noticed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("there.md"), "x").expect("is writable");
    let text = "[a](there.md#part) [b](gone.md) [c](https://example.org/x)\n```\n[d](in-code.md)\n```\n";
    let document = folder.path().join("index.md");
    assert_eq!(dead_links(folder.path(), &document, text), ["index.md: gone.md"]);
}
