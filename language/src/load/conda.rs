//! Conda files, read as what they mean for Python: a version and requirement lines.

use super::Loader;
use super::paths::local_path;
use crate::diagnostic::{Code, Place};
use crate::fields::Fields;
use crate::yaml::{Entry, Node, Value, read_text};
use std::path::Path;
use tidemill_protocol::plan::PythonEnvironment;

/// Conda packages that go by another name in Python's package index.
const RENAMED: [(&str, &str); 6] = [
    ("pytorch", "torch"),
    ("py-xgboost", "xgboost"),
    ("tensorflow-gpu", "tensorflow"),
    ("tensorflow-cpu", "tensorflow"),
    ("matplotlib-base", "matplotlib"),
    ("opencv", "opencv-python-headless"),
];
/// Conda packages that are no Python package: a worker's own system has them or has not.
const NOT_PYTHON: [&str; 16] = [
    "pip",
    "setuptools",
    "wheel",
    "cudatoolkit",
    "cudnn",
    "nccl",
    "openmpi",
    "mpi",
    "mkl",
    "libgcc",
    "libstdcxx-ng",
    "gcc",
    "gxx",
    "cmake",
    "git",
    "nodejs",
];

impl Loader<'_> {
    /// Reads a conda file; each file once.
    pub(super) fn conda_file(&mut self, path: &Path, place: Place) -> Option<PythonEnvironment> {
        if let Some(known) = self.conda_files.get(path) {
            return known.clone();
        }
        let read = self.tree(path, Some(place)).and_then(|node| {
            let folder = path.parent().unwrap_or(Path::new("."));
            self.conda(&node, folder)
        });
        self.conda_files.insert(path.to_owned(), read.clone());
        read
    }

    /// Reads a conda description, from a file or written inline.
    pub(super) fn conda(&mut self, node: &Node, folder: &Path) -> Option<PythonEnvironment> {
        let mut fields = Fields::open(node, "conda_file", &mut self.findings)?;
        let mut python = PythonEnvironment::default();
        let mut left_out = Vec::new();
        let dependencies = fields.items("dependencies");
        for item in dependencies {
            match &item.value {
                Value::Map(entries) => self.pip_lists(entries, folder, &mut python.requirements),
                _ => match item.text().map(from_conda) {
                    Some(Conda::Python(version)) => python.version = version,
                    Some(Conda::Requirement(line)) => python.requirements.push(line),
                    Some(Conda::LeftOut(name)) => left_out.push(name),
                    Some(Conda::Nothing) | None => {}
                },
            }
        }
        for key in ["name", "channels", "prefix", "variables"] {
            let _ = fields.get(key);
        }
        fields.finish(Code::IgnoredKey, &mut self.findings);
        if !left_out.is_empty() {
            let message = format!(
                "these conda packages are no Python packages and are left out: {}",
                left_out.join(", ")
            );
            self.warn_once(
                Code::EnvironmentApproximated,
                node.place,
                "conda_file",
                message,
                "install them on the worker, or use an image",
            );
        }
        Some(python)
    }

    fn pip_lists(&mut self, entries: &[Entry], folder: &Path, lines: &mut Vec<String>) {
        for entry in entries {
            let Value::List(items) = &entry.value.value else {
                continue;
            };
            for item in items {
                let Some(text) = item.text() else { continue };
                let file = text
                    .strip_prefix("-r ")
                    .or_else(|| text.strip_prefix("--requirement "));
                match file {
                    Some(file) => {
                        self.requirements_file(&folder.join(local_path(file.trim())), item.place, lines);
                    }
                    None => lines.push(text.trim().to_owned()),
                }
            }
        }
    }

    /// The lines of a requirements file.
    pub(super) fn requirements_file(&mut self, path: &Path, place: Place, lines: &mut Vec<String>) {
        let Some((_, text)) = read_text(self.files, path, &mut self.findings, Some(place)) else {
            return;
        };
        let kept = text
            .lines()
            .map(|line| line.split(" #").next().unwrap_or(line).trim());
        lines.extend(
            kept.filter(|line| !line.is_empty() && !line.starts_with('#'))
                .map(str::to_owned),
        );
    }
}

enum Conda {
    Python(Option<String>),
    Requirement(String),
    LeftOut(String),
    Nothing,
}

/// `channel::name=1.2=build` → `name==1.2.*`.
fn from_conda(text: &str) -> Conda {
    let text = text.rsplit("::").next().unwrap_or(text).trim();
    let end = text.find(|c: char| " =<>!~[".contains(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let name = name.to_ascii_lowercase();
    let version = requirement(rest.trim());
    if name == "python" {
        let digits: String = rest
            .chars()
            .skip_while(|c| !c.is_ascii_digit())
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        return Conda::Python((!digits.is_empty()).then(|| digits.trim_end_matches('.').to_owned()));
    }
    if ["pip", "setuptools", "wheel"].contains(&name.as_str()) || name.is_empty() {
        return Conda::Nothing;
    }
    if NOT_PYTHON.contains(&name.as_str())
        || name.starts_with("r-")
        || name.starts_with("lib") && name != "libsvm"
    {
        return Conda::LeftOut(name);
    }
    let renamed = RENAMED
        .iter()
        .find(|(conda, _)| *conda == name)
        .map(|(_, pip)| *pip);
    Conda::Requirement(format!("{}{version}", renamed.unwrap_or(&name)))
}

/// A conda version in pip's words: a single `=` matches everything below it.
fn requirement(version: &str) -> String {
    if let Some(fuzzy) = version.strip_prefix('=')
        && !fuzzy.starts_with('=')
    {
        let number = fuzzy
            .split('=')
            .next()
            .unwrap_or(fuzzy)
            .trim()
            .trim_end_matches(".*")
            .trim_end_matches('*');
        return if number.is_empty() {
            String::new()
        } else {
            format!("=={number}.*")
        };
    }
    version.replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Option<String> {
        match from_conda(text) {
            Conda::Requirement(line) => Some(line),
            _ => None,
        }
    }

    #[test]
    fn conda_versions_become_pip_versions() {
        assert_eq!(line("numpy=1.21").as_deref(), Some("numpy==1.21.*"));
        assert_eq!(
            line("conda-forge::scikit-learn==1.2.3").as_deref(),
            Some("scikit-learn==1.2.3")
        );
        assert_eq!(line("pandas>=1.1, <2").as_deref(), Some("pandas>=1.1,<2"));
        assert_eq!(line("pytorch=2.1=py3_cuda").as_deref(), Some("torch==2.1.*"));
        assert_eq!(line("scipy").as_deref(), Some("scipy"));
        assert_eq!(line("cudatoolkit=11"), None);
        assert!(matches!(from_conda("python=3.10"), Conda::Python(Some(v)) if v == "3.10"));
        assert!(matches!(from_conda("pip=23"), Conda::Nothing));
    }
}
