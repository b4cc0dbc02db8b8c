//! Pipeline files: read, loaded, planned.

use crate::messages::round;
use std::cell::OnceCell;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;
use tidemill_language::{Loaded, PipelineSpec, PlanRequest, Problems, Workspace, load, plan, yaml_to_json};
use tidemill_protocol::codec;
use tidemill_protocol::plan::Plan;

/// Longest report of problems that a person may be shown.
const RENDERED_BYTES_MAX: usize = 1_000_000;
/// Longest key that YAML takes without `?`.
const KEY_BYTES_MAX: usize = 1_000;
/// A component that pipelines of the corpus name.
const COMPONENT: &str = "\
type: command
name: part
inputs: {a: {type: integer, default: 1}, b: {type: uri_folder, optional: true}}
outputs: {out: {type: uri_folder}}
command: python x.py --a ${{inputs.a}} $[[--b ${{inputs.b}}]] --out ${{outputs.out}}
";

/// A folder with what pipelines name, and the file that is read.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let put = |name: &str, text: &str| fs::write(folder.path().join(name), text);
        fs::create_dir(folder.path().join("src")).expect("is writable");
        put("part.yml", COMPONENT).expect("is writable");
        put("data.csv", "a,b\n").expect("is writable");
        Self { folder }
    }

    fn put(&self, data: &[u8]) -> PathBuf {
        let file = self.folder.path().join("pipeline.yml");
        fs::write(&file, data).expect("is writable");
        file
    }
}

thread_local! {
    static DESK: OnceCell<Desk> = const { OnceCell::new() };
}

/// Reads a pipeline file.
///
/// # Panics
/// When a law does not hold.
pub fn pipeline(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        as_json(text);
    }
    let file = DESK.with(|desk| desk.get_or_init(Desk::new).put(data));
    match load(&file, &Workspace::default()) {
        Ok(loaded) => good(&loaded),
        Err(problems) => bad(&problems),
    }
}

/// What is read as JSON is read again from that JSON, which is YAML too.
fn as_json(text: &str) {
    match yaml_to_json(text) {
        Ok(value) => {
            let printed = value.to_string();
            let again = yaml_to_json(&printed);
            if longest_key(&value) <= KEY_BYTES_MAX && printed.len() <= 1 << 20 {
                assert_eq!(again.ok(), Some(value), "{printed} is read as something else");
            }
        }
        Err(problems) => bad(&problems),
    }
}

fn longest_key(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Object(fields) => {
            let below = fields
                .iter()
                .map(|(key, value)| key.len().max(longest_key(value)));
            below.max().unwrap_or(0)
        }
        serde_json::Value::Array(items) => items.iter().map(longest_key).max().unwrap_or(0),
        _ => 0,
    }
}

fn bad(problems: &Problems) {
    assert!(!problems.0.is_empty(), "a refusal without a reason");
    for colours in [false, true] {
        assert!(problems.render(colours, 100).len() < RENDERED_BYTES_MAX);
    }
}

fn good(loaded: &Loaded) {
    let spec = loaded.outline();
    round::<PipelineSpec>(&codec::encode(&spec));
    let json = serde_json::to_string(&spec).expect("a spec is plain data");
    let sent = serde_json::from_str::<PipelineSpec>(&json).expect("a spec can be sent");
    assert_eq!(sent, spec, "a spec changes on its way to the coordinator");
    let request = PlanRequest::default();
    match plan(&spec, &request) {
        Ok(planned) => {
            round::<Plan>(&codec::encode(&planned));
            assert_eq!(
                plan(&sent, &request).ok(),
                Some(planned),
                "one spec has two plans"
            );
        }
        Err(problems) => assert!(!problems.is_empty(), "a refusal without a reason"),
    }
}
