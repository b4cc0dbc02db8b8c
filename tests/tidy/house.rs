//! Reads the tree once: the members as cargo sees them, and every Rust file of ours as text and as a syntax tree. Judges nothing.

use cargo_metadata::MetadataCommand;
use std::fs;
use std::path::{Path, PathBuf};

/// A crate of the workspace.
#[derive(Debug)]
pub(crate) struct Member {
    /// Name of the package.
    pub(crate) name: String,
    /// Its folder, relative to the root.
    pub(crate) folder: PathBuf,
    /// Names of the packages that its manifest asks for, of every kind (normal, build, dev).
    pub(crate) dependencies: Vec<String>,
}

/// A Rust file.
pub(crate) struct Source {
    /// Its place, relative to the root.
    pub(crate) path: PathBuf,
    /// Its text.
    pub(crate) text: String,
    /// Its syntax.
    pub(crate) syntax: syn::File,
}

impl Source {
    /// A file that exists only in a test of a check.
    pub(crate) fn sample(path: &str, text: &str) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
            syntax: syn::parse_file(text).expect("the sample is Rust"),
        }
    }

    /// Whether the file holds tests only: it lies in a crate's `tests` folder, or in ours, or is a test module of its own.
    pub(crate) fn is_test(&self) -> bool {
        let in_folder = self.path.components().any(|part| part.as_os_str() == "tests");
        in_folder || self.path.file_stem().is_some_and(|stem| stem == "tests")
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("tests is a folder of the root").to_owned()
}

/// Every member, in cargo's order.
pub(crate) fn members() -> Vec<Member> {
    let root = root();
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo describes the workspace");
    let packages = metadata.packages.iter();
    packages
        .map(|package| Member {
            name: package.name.to_string(),
            folder: relative(
                &root,
                package.manifest_path.parent().expect("in a folder").as_std_path(),
            ),
            dependencies: package.dependencies.iter().map(|d| d.name.clone()).collect(),
        })
        .collect()
}

/// Every Rust file of every member, sorted by path.
pub(crate) fn sources() -> Vec<Source> {
    let root = root();
    let mut paths = Vec::new();
    for member in members() {
        collect(&root.join(&member.folder), "rs", &mut paths);
    }
    paths.sort();
    paths.dedup();
    assert!(paths.len() > 30, "found only {} Rust files", paths.len());
    paths.into_iter().map(|path| read(&root, &path)).collect()
}

/// Every file below `folder` whose name ends in `.extension`, outside build outputs and hidden folders.
pub(crate) fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("a folder of ours can be listed").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let foreign = name.starts_with('.') || matches!(&*name, "target" | "node_modules");
        if path.is_dir() && !foreign {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
}

fn read(root: &Path, path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Source {
        path: relative(root, path),
        text,
        syntax,
    }
}

fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).expect("lies below the root").to_owned()
}
