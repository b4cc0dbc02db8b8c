//! A pipeline with a step that spills its secret in every way that a careless program does: as it is, in pieces, encoded, to both streams, in two attempts,
//! with a checkpoint between them. And a look at every surface where it must not show.

use crate::{Canary, Output, Sandbox};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_rustls::rustls::crypto::ring;

/// After so long a silence nothing more is expected of an answer.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// The step's script. It waits in its first attempt until a file appears, so that one can look at it while it runs.
const SCRIPT: &str = r#"
spill() {
    echo "raw $CANARY"
    printf 'split %s' "${CANARY%????????????}"
    sleep 0.3
    printf '%s\n' "${CANARY#"${CANARY%????????????}"}"
    printf '%s' "$CANARY" | base64
    echo "$CANARY" | base64 -w 0; echo
    printf 'user:%s@' "$CANARY" | base64 -w 0; echo
    printf 'ab%scd' "$CANARY" | base64 -w 0 | tr '+/' '-_'; echo
    python3 -c 'import json, os, urllib.parse
value = os.environ["CANARY"]
print(urllib.parse.quote(value), urllib.parse.quote(value, safe=""), json.dumps(value), json.dumps(value, ensure_ascii=False))'
    echo "postgres://user:$CANARY@host/db"
    cat "$CANARY_FILE"
    echo
}
spill
spill >&2
[ "$(cat "$CANARY_FILE")" = "$CANARY" ] || exit 9
[ "$(stat -c %a "$CANARY_FILE")" = 400 ] || exit 8
if [ -e "$TIDEMILL_CHECKPOINT/first" ]; then
    echo done > "$1"
    exit 0
fi
touch "$TIDEMILL_CHECKPOINT/first"
until [ -e "$2" ]; do sleep 0.05; done
exit 3
"#;

/// A pipeline that spills the secret `canary`, in a sandbox.
#[derive(Debug)]
pub struct Spill {
    go: PathBuf,
}

impl Spill {
    /// Writes `spill.yml`. `given` says how the step comes by the value, in the words of a pipeline file.
    pub fn write(sandbox: &Sandbox, given: &str) -> Self {
        sandbox.write("spill/spill.sh", SCRIPT);
        let go = sandbox.path().join("go");
        let pipeline = format!(
            "type: pipeline\njobs:\n  spill:\n    code: ./spill\n    command: sh spill.sh ${{{{outputs.o}}}} {}\n    retry: 1\n    checkpoint: 1s\n    compute: cpu\n    outputs: {{o: {{type: uri_file}}}}\n{given}",
            go.display()
        );
        sandbox.write("spill.yml", &pipeline);
        Self { go }
    }

    /// The words for a secret.
    pub const AS_SECRET: &str =
        "    secrets:\n      CANARY: canary\n      CANARY_FILE: {secret: canary, as: file}\n";

    /// Lets the first attempt go on to its end.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn let_go(&self) {
        std::fs::write(&self.go, "").expect("a file can be written");
    }
}

/// Looks for the canary in what was answered.
pub fn in_outputs(canary: &Canary, outputs: &[(&str, Output)]) -> Vec<String> {
    let shown = outputs.iter().filter(|(_, output)| {
        canary.is_in(output.stdout.as_bytes()) || canary.is_in(output.stderr.as_bytes())
    });
    shown.map(|(name, _)| format!("the output of {name}")).collect()
}

/// Asks every route of the API that can be looked at about the last run and its step of this name, and says in which answers the canary stands.
///
/// # Panics
/// When the API does not answer.
pub fn in_answers(canary: &Canary, url: &str, of_step: &str) -> Vec<String> {
    // The client wants to know whose cryptography it would use, even where it uses none.
    ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .tls_certs_only([])
            .build()
            .expect("a client can be made");
        let ask_as = async |path: &str, kind: &str| {
            let question = client.get(format!("{url}{path}")).header("accept", kind);
            let answer = question.send().await;
            let mut answer = answer.unwrap_or_else(|error| panic!("{path}: {error}"));
            let mut whole = Vec::new();
            // A stream of events may have no end: all that it has is said by then.
            while let Ok(piece) = tokio::time::timeout(SILENCE_MAX, answer.chunk()).await {
                match piece.expect("an answer is whole") {
                    Some(piece) => whole.extend(piece),
                    None => break,
                }
            }
            whole
        };
        let ask = async |path: &str| ask_as(path, "*/*").await;
        let description = ask("/api/v1/openapi.json").await;
        let description: serde_json::Value =
            serde_json::from_slice(&description).expect("the description is JSON");
        let mut found = Vec::new();
        let mut asked = 0;
        for (path, item) in description["paths"].as_object().expect("there are paths") {
            let path = path.replace("{run}", "last").replace("{other}", "last");
            let path = path.replace("{step}", of_step);
            if item.get("get").is_none() || path.contains('{') {
                continue;
            }
            asked += 1;
            if canary.is_in(&ask(&path).await) {
                found.push(format!("the answer of {path}"));
            }
        }
        for query in ["", "?stream=stderr&attempt=1", "?attempt=1", "?stream=stderr"] {
            let path = format!("/api/v1/runs/last/steps/{of_step}/logs{query}");
            for kind in ["*/*", "text/event-stream"] {
                let answer = ask_as(&path, kind).await;
                if canary.is_in(&answer) {
                    found.push(format!("the answer of {path} as {kind}"));
                }
            }
        }
        assert!(asked > 15, "only {asked} routes were asked");
        found
    })
}

/// Every place on this machine where the canary shows, below these folders and in the arguments of processes.
pub fn in_places(canary: &Canary, folders: &[&Path]) -> Vec<String> {
    let mut found: BTreeSet<PathBuf> = BTreeSet::new();
    for folder in folders {
        found.extend(canary.in_files(folder));
    }
    found.extend(canary.in_arguments());
    found.into_iter().map(|path| path.display().to_string()).collect()
}
