//! The code of the steps of several runs: which files differ, and in which lines. Not here: what else runs are compared by, and how it is shown.

use crate::client::{self, Client};
use crate::failure::Failure;
use similar::TextDiff;
use std::collections::{BTreeMap, BTreeSet};
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef, Tree, TreeEntry};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::terminal;

/// Longest file whose lines are compared.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Most pairs of files whose lines are compared.
const PAIRS_MAX: usize = 100;
/// Lines around a change that are shown.
const CONTEXT_LINES: usize = 3;

/// The code of each step of a run, by the step's path.
pub(super) type Codes = BTreeMap<String, ArtifactRef>;

/// One file of a step, or the code of a step that is the same in all runs, by digest; none where a run has none.
#[derive(Debug)]
pub(super) struct Difference {
    /// `STEP/PATH`, or `STEP`.
    pub(super) name: String,
    /// The file in each run.
    pub(super) files: Vec<Option<TreeEntry>>,
    /// What is shown of each run's.
    pub(super) values: Vec<Option<String>>,
}

/// What is known of folders; each is asked for once.
#[derive(Debug)]
pub(super) struct Code<'a> {
    client: &'a Client,
    trees: BTreeMap<Digest, BTreeMap<String, TreeEntry>>,
    pairs: usize,
}

impl<'a> Code<'a> {
    /// Knows nothing yet.
    pub(super) const fn new(client: &'a Client) -> Self {
        Self {
            client,
            trees: BTreeMap::new(),
            pairs: 0,
        }
    }

    /// The code of runs, side by side: of a step whose code differs each file, of any other its code as a whole.
    pub(super) async fn compare(&mut self, runs: &[Codes]) -> Result<Vec<Difference>, Failure> {
        let steps: BTreeSet<&String> = runs.iter().flat_map(Codes::keys).collect();
        let mut all = Vec::new();
        for step in steps {
            let codes: Vec<Option<ArtifactRef>> = runs.iter().map(|codes| codes.get(step).copied()).collect();
            if codes.windows(2).all(|pair| pair[0] == pair[1]) {
                all.push(Difference {
                    name: step.clone(),
                    files: Vec::new(),
                    values: codes
                        .iter()
                        .map(|code| code.map(|code| code.digest.short()))
                        .collect(),
                });
                continue;
            }
            let mut folders = Vec::new();
            for code in &codes {
                folders.push(match code {
                    Some(code) => self.files(code).await?,
                    None => BTreeMap::new(),
                });
            }
            all.extend(files_of(step, &folders));
        }
        Ok(all)
    }

    async fn files(&mut self, code: &ArtifactRef) -> Result<BTreeMap<String, TreeEntry>, Failure> {
        if code.kind == ArtifactKind::Blob {
            return Ok(BTreeMap::new());
        }
        if !self.trees.contains_key(&code.digest) {
            let Tree { entries, .. } = self.client.tree(&code.digest).await?;
            let files = entries.into_iter().map(|entry| (entry.path.to_string(), entry));
            self.trees.insert(code.digest, files.collect());
        }
        Ok(self.trees.get(&code.digest).cloned().unwrap_or_default())
    }

    /// The lines in which each run's file differs from that of the first run, as a unified diff; nothing for one that is the same.
    pub(super) async fn lines(
        &mut self,
        difference: &Difference,
        titles: &[String],
    ) -> Result<Vec<String>, Failure> {
        let Some((first, others)) = difference.files.split_first() else {
            return Ok(Vec::new());
        };
        let mut all = Vec::new();
        for (other, title) in others.iter().zip(titles.iter().skip(1)) {
            let digest = |entry: &Option<TreeEntry>| entry.as_ref().map(|entry| entry.digest);
            if digest(first) == digest(other) {
                continue;
            }
            let from = titles.first().map_or("", String::as_str);
            let names = (
                format!("{from}/{}", difference.name),
                format!("{title}/{}", difference.name),
            );
            all.push(self.unified(first.as_ref(), other.as_ref(), &names).await?);
        }
        Ok(all)
    }

    async fn unified(
        &mut self,
        from: Option<&TreeEntry>,
        to: Option<&TreeEntry>,
        names: &(String, String),
    ) -> Result<String, Failure> {
        self.pairs += 1;
        let heading = format!("--- {}\n+++ {}\n", names.0, names.1);
        if self.pairs > PAIRS_MAX {
            return Ok(format!(
                "{heading}(more than {PAIRS_MAX} files differ: its lines are not shown)\n"
            ));
        }
        let (Some(from), Some(to)) = (self.text(from).await?, self.text(to).await?) else {
            return Ok(format!(
                "{heading}(no text, or longer than {} KiB)\n",
                FILE_BYTES_MAX / 1024
            ));
        };
        let diff = TextDiff::from_lines(&from, &to);
        let shown = diff
            .unified_diff()
            .context_radius(CONTEXT_LINES)
            .header(&names.0, &names.1)
            .to_string();
        Ok(terminal::plain(shown.as_bytes()))
    }

    /// A file's text, empty where there is no file; none when it is no text, or too long.
    async fn text(&self, entry: Option<&TreeEntry>) -> Result<Option<String>, Failure> {
        let Some(entry) = entry else {
            return Ok(Some(String::new()));
        };
        if entry.size_bytes > FILE_BYTES_MAX {
            return Ok(None);
        }
        let limit = usize::try_from(FILE_BYTES_MAX).unwrap_or(usize::MAX);
        let bytes = client::collect(self.client.blob(&entry.digest).await?, limit).await?;
        Ok(String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')))
    }
}

/// The files of a step whose code differs.
fn files_of(step: &str, folders: &[BTreeMap<String, TreeEntry>]) -> Vec<Difference> {
    let paths: BTreeSet<&String> = folders.iter().flat_map(BTreeMap::keys).collect();
    let difference = |path: &String| {
        let files: Vec<Option<TreeEntry>> = folders.iter().map(|files| files.get(path).cloned()).collect();
        let short = |entry: &Option<TreeEntry>| entry.as_ref().map(|entry| entry.digest.short());
        Difference {
            name: format!("{step}/{path}"),
            values: files.iter().map(short).collect(),
            files,
        }
    };
    paths.into_iter().map(difference).collect()
}
