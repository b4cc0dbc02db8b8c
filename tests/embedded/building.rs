//! What the build of an environment reaches in the strict sandbox, and what is left of it: requirements are code of whoever wrote them.

use testkit::Sandbox;

/// A package whose build needs nothing from any index. It tries what its author should not be able to do, leaves somebody behind, and tells of both in the module that it installs.
const BACKEND: &str = r#"
import os, subprocess, zipfile

def tried(act, path):
    try:
        act(path)
        return "yes"
    except OSError:
        return "no"

def read(path):
    with open(path, "rb") as file:
        file.read(1)

def write(path):
    with open(path, "ab") as file:
        file.write(b"x")

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    state, beside = STATE, BESIDE
    seen = [
        ("read-system", tried(read, "/etc/passwd")),
        ("write-home", tried(write, os.path.join(os.environ["HOME"], "file"))),
        ("write-temporary", tried(write, os.path.join(os.environ["TMPDIR"], "file"))),
        ("read-others", tried(read, beside)),
        ("write-others", tried(write, beside)),
        ("write-tmp", tried(write, "/tmp/tidemill-of-a-build")),
        ("read-workers-key", tried(read, state + "/worker/worker.key")),
        ("list-worker", tried(os.listdir, state + "/worker")),
        ("list-attempts", tried(os.listdir, state + "/worker/attempts")),
        ("list-store", tried(os.listdir, state + "/store")),
        ("read-coordinators-key", tried(read, state + "/coordinator.key")),
        ("read-workers-variables", tried(read, "/proc/%d/environ" % worker())),
    ]
    left = subprocess.run(["sh", "-c", "setsid sleep 1000 > /dev/null 2>&1 & echo $!"], stdout=subprocess.PIPE)
    name = "seen-1-py3-none-any.whl"
    files = {
        "seen.py": "SEEN = %r\nLEFT = %d\n" % (seen, int(left.stdout)),
        "seen-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: seen\nVersion: 1\n",
        "seen-1.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: seen\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join("%s,,\n" % path for path in [*files, "seen-1.dist-info/RECORD"])
    files["seen-1.dist-info/RECORD"] = record
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name

def worker():
    # The nearest process above that is not of the build.
    pid = os.getppid()
    while True:
        with open("/proc/%d/stat" % pid) as file:
            stat = file.read()
        if "(tidemill" in stat:
            return pid
        pid = int(stat.rsplit(")", 1)[1].split()[1])
"#;

const PROJECT: &str = "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n[project]\nname = \"seen\"\nversion = \"1\"\n";

const PIPELINE: &str = "
type: pipeline
jobs:
  look:
    environment: {requirements: ['PACKAGE']}
    command: python show.py > ${{outputs.seen}}
    code: ./src
    outputs: {seen: {type: uri_file}}
";

const SHOW: &str = "import seen\nprint(seen.LEFT)\nfor line in seen.SEEN:\n    print(*line)\n";

#[test]
fn in_the_strict_sandbox_a_build_reaches_what_a_step_reaches_and_leaves_nobody_behind() {
    let sandbox = Sandbox::new();
    let beside = sandbox.write("canary.txt", "private\n");
    let backend = BACKEND
        .replace("STATE", &format!("{:?}", sandbox.state_dir()))
        .replace("BESIDE", &format!("{beside:?}"));
    sandbox.write("site/package/backend.py", &backend);
    sandbox.write("src/show.py", SHOW);
    sandbox.write("site/package/pyproject.toml", PROJECT);
    let package = sandbox.path().join("site/package");
    sandbox.write(
        "pipeline.yml",
        &PIPELINE.replace("PACKAGE", &package.display().to_string()),
    );
    let site = sandbox.path().join("site");
    sandbox.write(
        "tidemill.toml",
        &format!("sandbox = \"strict\"\nsandbox_readable = [{site:?}]\n"),
    );
    let ran = sandbox.tidemill(["run", "pipeline.yml"]);
    if ran.stderr.contains("this system has no Landlock") {
        // Then nothing may be built that was to be shut in.
        assert_eq!(ran.expect_code(2).stdout, "");
        return;
    }
    drop(ran.expect_code(0));
    let seen = sandbox.ok(["artifacts", "cat", "last/look/seen"]).stdout;
    let (left, seen) = seen.split_once('\n').expect("it says who was left");
    let wanted = [
        "read-system yes",
        "write-home yes",
        "write-temporary yes",
        "read-others no",
        "write-others no",
        "write-tmp no",
        "read-workers-key no",
        "list-worker no",
        "list-attempts no",
        "list-store no",
        "read-coordinators-key no",
        "read-workers-variables no",
    ];
    assert_eq!(seen.lines().collect::<Vec<_>>(), wanted);
    let stat = std::fs::read_to_string(format!("/proc/{left}/stat"));
    assert!(
        stat.map_or(true, |text| text.contains(") Z ")),
        "{left} outlived the build"
    );
    let said = sandbox.ok(["logs", "last/look", "--stream", "stderr"]).stderr;
    assert!(said.contains("# sandbox strict"), "{said}");
    let environments = sandbox.state_dir().join("worker/environments");
    let names = std::fs::read_dir(environments).expect("it is there").flatten();
    let homes = names.filter(|entry| entry.file_name().to_string_lossy().ends_with(".home"));
    assert_eq!(homes.count(), 0, "the home of a build goes with it");
}
