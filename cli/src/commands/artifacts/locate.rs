//! `RUN/STEP/OUTPUT[/PATH]`: which content that means.

use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::nearest;
use tidemill_protocol::api::StepView;
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef, Tree, TreeEntry};
use tidemill_protocol::digest::Digest;

/// A content that was named.
#[derive(Debug)]
pub(in crate::commands) enum Found {
    /// One file.
    File {
        /// What to call it.
        name: String,
        /// Its content.
        digest: Digest,
        /// Its length.
        size_bytes: u64,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A folder.
    Folder {
        /// What to call it.
        name: String,
        /// Its files, by paths below it.
        tree: Tree,
    },
}

impl Found {
    /// A content by its digest, to be called so.
    pub(in crate::commands) async fn of(
        client: &Client,
        name: &str,
        artifact: &ArtifactRef,
    ) -> Result<Self, Failure> {
        let name = name.to_owned();
        Ok(match artifact.kind {
            ArtifactKind::Tree => Self::Folder {
                name,
                tree: client.tree(&artifact.digest).await?,
            },
            ArtifactKind::Blob => Self::File {
                name,
                digest: artifact.digest,
                size_bytes: artifact.size_bytes,
                executable: false,
            },
        })
    }

    /// What to call it.
    pub(in crate::commands) fn name(&self) -> &str {
        match self {
            Self::File { name, .. } | Self::Folder { name, .. } => name,
        }
    }

    /// Bytes of all its files.
    pub(in crate::commands) fn size_bytes(&self) -> u64 {
        match self {
            Self::File { size_bytes, .. } => *size_bytes,
            Self::Folder { tree, .. } => tree.entries.iter().map(|entry| entry.size_bytes).sum(),
        }
    }

    /// A folder as it is; a file as a folder that holds it alone.
    pub(super) fn into_tree(self) -> Tree {
        match self {
            Self::Folder { tree, .. } => tree,
            Self::File {
                name,
                digest,
                size_bytes,
                executable,
            } => {
                let path = name
                    .parse()
                    .or_else(|_| "file".parse())
                    .expect("`file` is a path");
                Tree::new(
                    vec![TreeEntry {
                        path,
                        digest,
                        size_bytes,
                        executable,
                    }],
                    Vec::new(),
                )
            }
        }
    }
}

/// Finds what was named.
pub(super) async fn locate(client: &Client, name: &str) -> Result<Found, Failure> {
    let mut parts = name.splitn(4, '/');
    let (Some(run), Some(step), Some(output)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Failure::new(Exit::Usage, format!("`{name}` names no output"))
            .help("write it as RUN/STEP/OUTPUT; `tidemill artifacts list RUN` lists them"));
    };
    let inside = parts.next().filter(|path| !path.is_empty());
    let view = client.step(run, step).await?;
    let artifact = view.outputs.iter().find(|(name, _)| name.as_str() == output);
    let Some((_, artifact)) = artifact else {
        return Err(no_output(&view, output));
    };
    if artifact.kind == ArtifactKind::Blob && inside.is_some() {
        return Err(Failure::new(
            Exit::NotFound,
            format!("output `{output}` of {step} is a file, not a folder"),
        ));
    }
    match (Found::of(client, output, artifact).await?, inside) {
        (Found::Folder { tree, .. }, Some(path)) => below(&tree, path.trim_end_matches('/')),
        (found, _) => Ok(found),
    }
}

fn no_output(step: &StepView, output: &str) -> Failure {
    let failure = Failure::new(
        Exit::NotFound,
        format!("step {} has no output `{output}`", step.path),
    );
    if step.outputs.is_empty() && step.status.is_terminal() {
        return failure.help("it has no outputs; `tidemill artifacts list RUN` lists those of its run");
    }
    if step.outputs.is_empty() {
        return failure.help(format!("it has none yet: it is {}", step.status));
    }
    let names = || step.outputs.keys().map(AsRef::as_ref);
    match nearest(output, names()) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure.help(format!("it has {}", names().collect::<Vec<_>>().join(", "))),
    }
}

/// A file or a folder inside a folder.
fn below(tree: &Tree, path: &str) -> Result<Found, Failure> {
    let name = path.rsplit('/').next().unwrap_or(path).to_owned();
    if let Some(entry) = tree.entries.iter().find(|entry| entry.path.as_str() == path) {
        return Ok(Found::File {
            name,
            digest: entry.digest,
            size_bytes: entry.size_bytes,
            executable: entry.executable,
        });
    }
    let prefix = format!("{path}/");
    let cut = |text: &str| text.strip_prefix(&prefix).and_then(|rest| rest.parse().ok());
    let entries = tree.entries.iter().filter_map(|entry| {
        Some(TreeEntry {
            path: cut(entry.path.as_str())?,
            ..entry.clone()
        })
    });
    let empty = tree
        .empty_folders
        .iter()
        .filter_map(|folder| cut(folder.as_str()));
    let inner = Tree::new(entries.collect(), empty.collect());
    if inner.entries.is_empty() && inner.empty_folders.is_empty() {
        let failure = Failure::new(Exit::NotFound, format!("there is no `{path}` in this output"));
        let paths = tree.entries.iter().map(|entry| entry.path.as_str());
        return Err(match nearest(path, paths) {
            Some(near) => failure.help(format!("did you mean `{near}`?")),
            None => failure.help("`tidemill artifacts cat RUN/STEP/OUTPUT` lists its files"),
        });
    }
    Ok(Found::Folder { name, tree: inner })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let entry = |path: &str| TreeEntry {
            path: path.parse().unwrap(),
            digest: Digest::of(path.as_bytes()),
            size_bytes: 3,
            executable: false,
        };
        Tree::new(
            vec![entry("a.txt"), entry("sub/b.txt"), entry("sub/deep/c.txt")],
            vec![],
        )
    }

    #[test]
    fn a_path_may_name_a_file_or_a_folder_inside() {
        assert!(matches!(below(&tree(), "sub/b.txt").unwrap(), Found::File { name, .. } if name == "b.txt"));
        let Found::Folder { tree: inner, .. } = below(&tree(), "sub").unwrap() else {
            panic!("no folder")
        };
        let paths: Vec<&str> = inner.entries.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["b.txt", "deep/c.txt"]);
    }

    #[test]
    fn a_path_that_is_not_there_gets_a_suggestion() {
        let failure = below(&tree(), "sub/b.tx").unwrap_err();
        assert_eq!(failure.exit, Exit::NotFound);
        assert_eq!(failure.help, ["did you mean `sub/b.txt`?"]);
    }
}
