//! The Python package: its style, its types, its own tests with and without a server, and that its wheel works in an empty environment. The tests themselves are
//! Python's, in `sdk/python/tests`; here they are given the binary and a Python with what they need.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::{repository, tidemill};

/// The folder of the package.
fn package() -> PathBuf {
    repository().join("sdk/python")
}

/// A program of the Python that `scripts/install-sdk-tools` made.
fn tool(name: &str) -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the test tools are is a setting of the test run"
    )]
    let tools = std::env::var_os("TIDEMILL_TEST_TOOLS")
        .map_or_else(|| repository().join("target/test-tools"), PathBuf::from);
    let path = tools.join("sdk/bin").join(name);
    assert!(
        path.exists(),
        "{} is missing: run scripts/install-sdk-tools",
        path.display()
    );
    path
}

/// Runs a program in the package's folder to its good end; everything that it said is in the panic otherwise.
fn run<I: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = I>, folder: &Path) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("TIDEMILL_BINARY", tidemill())
        .output()
        .expect("the program can be started");
    let mut said = String::new();
    for stream in [&output.stdout, &output.stderr] {
        said.push_str(&String::from_utf8_lossy(stream));
        said.push('\n');
    }
    assert!(output.status.success(), "{}:\n{said}", program.display());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The versions of Python that the package is for, as `requires-python` begins them.
    const PYTHONS: [&str; 4] = ["3.10", "3.11", "3.12", "3.13"];

    #[test]
    fn the_package_keeps_its_style_and_its_types_in_each_python_that_it_is_for() {
        run(&tool("ruff"), ["check", "--no-cache", "."], &package());
        run(
            &tool("ruff"),
            ["format", "--no-cache", "--check", "."],
            &package(),
        );
        let cache = tempfile::tempdir().unwrap();
        let cache = format!("--cache-dir={}", cache.path().display());
        for python in PYTHONS {
            let checks = ["--strict", "--python-version", python, &cache];
            run(&tool("mypy"), checks, &package());
        }
    }

    #[test]
    fn the_packages_units_hold() {
        pytest("tests/unit");
    }

    #[test]
    fn the_package_and_the_server_agree() {
        pytest("tests/contract");
    }

    fn pytest(folder: &str) {
        let arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", folder];
        run(&tool("python"), arguments, &package());
    }

    #[test]
    fn the_wheel_works_in_an_environment_with_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let wheels = folder.path().join("wheels");
        let build = ["-m", "build", "--wheel", "--no-isolation", "--outdir"];
        let package = package();
        run(
            &tool("python"),
            build
                .iter()
                .map(OsStr::new)
                .chain([wheels.as_os_str(), package.as_os_str()]),
            folder.path(),
        );
        let wheel = std::fs::read_dir(&wheels)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let venv = folder.path().join("venv");
        run(
            &tool("python"),
            [OsStr::new("-m"), OsStr::new("venv"), venv.as_os_str()],
            folder.path(),
        );
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        let python = venv.join("bin/python");
        run(
            &python,
            install.iter().map(OsStr::new).chain([wheel.as_os_str()]),
            folder.path(),
        );
        let program = "import tidemill\nwith tidemill.local() as client:\n    assert client.whoami()['scope'] == 'admin'\n";
        run(&python, ["-c", program], folder.path());
    }
}
