//! Looks whether files are a model of the layout that they are said to have, and gives them on as the step's output, which is what becomes a version.

use super::PerformError;
use std::fs;
use std::path::{Path, PathBuf};

/// What describes a model in MLflow's layout.
const MLMODEL: &str = "MLmodel";
/// How deep the folders of versions may lie in Triton's layout: in a model's folder, or in a folder of models.
const VERSIONS_DEEP: usize = 2;

/// Looks at the files and copies them; a file is copied into the place of a file.
pub(super) fn give_on(model_type: &str, source: &Path, to: &Path) -> Result<String, PerformError> {
    if let Err(why) = looked_at(model_type, source) {
        return Err(PerformError::NoModel {
            model_type: model_type.to_owned(),
            why,
        });
    }
    let files = copied(source, to)?;
    Ok(format!("it is a {model_type}: {files} files"))
}

fn looked_at(model_type: &str, source: &Path) -> Result<(), &'static str> {
    match model_type {
        "mlflow_model" if !source.join(MLMODEL).is_file() => Err("it holds no file `MLmodel`"),
        "triton_model" if !has_version(source, VERSIONS_DEEP) => {
            Err("it holds no folder of a version, which is a number")
        }
        _ if is_empty(source) => Err("it is empty"),
        _ => Ok(()),
    }
}

fn has_version(folder: &Path, deep: usize) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders = entries.filter(|entry| entry.path().is_dir());
    folders.any(|entry| {
        let name = entry.file_name();
        let is_number = name.to_str().is_some_and(|name| name.parse::<u64>().is_ok());
        is_number || (deep > 1 && has_version(&entry.path(), deep - 1))
    })
}

fn is_empty(source: &Path) -> bool {
    source.is_dir() && fs::read_dir(source).is_ok_and(|mut entries| entries.next().is_none())
}

/// Copies a file or what is in a folder; answers how many files there were.
fn copied(source: &Path, to: &Path) -> Result<u64, PerformError> {
    let mut files = 0;
    let mut waiting: Vec<(PathBuf, PathBuf)> = vec![(source.to_owned(), to.to_owned())];
    while let Some((from, to)) = waiting.pop() {
        let found = fs::metadata(&from).map_err(PerformError::file("read", &from))?;
        if !found.is_dir() {
            fs::copy(&from, &to).map_err(PerformError::file("write", &to))?;
            files += 1;
            continue;
        }
        fs::create_dir_all(&to).map_err(PerformError::file("make", &to))?;
        for entry in fs::read_dir(&from).map_err(PerformError::file("list", &from))? {
            let entry = entry.map_err(PerformError::file("list", &from))?;
            waiting.push((entry.path(), to.join(entry.file_name())));
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_layout_is_known_by_what_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("triton/net/1")).unwrap();
        fs::create_dir_all(at("mlflow")).unwrap();
        fs::create_dir_all(at("empty")).unwrap();
        fs::write(at("mlflow/MLmodel"), "flavors: {}").unwrap();
        fs::write(at("file"), "weights").unwrap();
        for (model_type, source) in [
            ("triton_model", "triton"),
            ("triton_model", "triton/net"),
            ("mlflow_model", "mlflow"),
            ("custom_model", "mlflow"),
            ("custom_model", "file"),
        ] {
            assert_eq!(
                looked_at(model_type, &at(source)),
                Ok(()),
                "{model_type} {source}"
            );
        }
        for (model_type, source) in [
            ("triton_model", "mlflow"),
            ("mlflow_model", "triton"),
            ("mlflow_model", "file"),
            ("custom_model", "empty"),
        ] {
            assert!(
                looked_at(model_type, &at(source)).is_err(),
                "{model_type} {source}"
            );
        }
    }
}
