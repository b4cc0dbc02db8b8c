//! Hostile files end in a clear error, soon and within little memory.

use crate::fixtures::loaded_text;
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use tidemill_language::{PlanRequest, Workspace, load, plan};

/// What a release build must answer within, as the bench `hostile` measures; a debug build is some ten times slower, and the machine may be busy.
/// That time does not grow faster than a file, [`grows_no_faster_than_the_file`] holds whatever the machine.
const SOON: Duration = if cfg!(debug_assertions) {
    Duration::from_secs(20)
} else {
    Duration::from_millis(500)
};

fn refused_soon(what: &str, text: &str, code: &str) {
    let start = Instant::now();
    let problems = loaded_text(text).map(|_| ()).expect_err(what);
    assert!(start.elapsed() < SOON, "{what} took {:?}", start.elapsed());
    assert!(
        problems.0.iter().any(|p| p.code().as_str() == code),
        "{what}: {}",
        problems.to_string().chars().take(500).collect::<String>()
    );
    assert!(problems.render(false, 100).len() < 1_000_000, "{what}");
}

/// The shortest of some readings: what else the machine does only adds.
fn shortest(text: &str) -> Duration {
    let times = (0..3).map(|_| {
        let start = Instant::now();
        let problems = loaded_text(text).map(|_| ()).map_err(|problems| problems.0.len());
        let taken = start.elapsed();
        assert!(problems != Err(0));
        taken
    });
    times.min().unwrap()
}

/// Reads a file of n parts and one of 4 n. Quadratic work would take 16 times as long.
fn grows_no_faster_than_the_file(what: &str, n: usize, text: impl Fn(usize) -> String) {
    let (small, large) = (shortest(&text(n)), shortest(&text(4 * n)));
    let most = small * 8 + Duration::from_millis(100);
    assert!(
        large < most,
        "{what}: {n} took {small:?}, {} took {large:?}",
        4 * n
    );
}

#[test]
fn work_grows_no_faster_than_the_file() {
    let jobs = |n: usize, step: &dyn Fn(usize) -> String| {
        let steps: Vec<String> = (0..n).map(step).collect();
        format!("type: pipeline\njobs:\n{}\n", steps.join("\n"))
    };
    grows_no_faster_than_the_file("values", 25_000, |n| {
        format!(
            "type: pipeline\nx-list: [{}]\njobs: {{a: {{command: x}}}}",
            "1,".repeat(n)
        )
    });
    grows_no_faster_than_the_file("keys", 10_000, |n| {
        let keys: Vec<String> = (0..n).map(|i| format!("  k{i}: {i}")).collect();
        format!(
            "type: pipeline\njobs: {{a: {{command: x}}}}\nx-map:\n{}\n",
            keys.join("\n")
        )
    });
    grows_no_faster_than_the_file("steps", 1_500, |n| {
        jobs(n, &|i| format!("  s{i}: {{command: 'x {i}'}}"))
    });
    grows_no_faster_than_the_file("a chain", 1_500, |n| {
        jobs(n, &|i| {
            let before = i.saturating_sub(1);
            let input = if i == 0 {
                "1".to_owned()
            } else {
                format!("'${{{{parent.jobs.s{before}.outputs.o}}}}'")
            };
            format!("  s{i}: {{command: x, inputs: {{a: {input}}}, outputs: {{o: }}}}")
        })
    });
    grows_no_faster_than_the_file("slips", 1_500, |n| {
        jobs(n, &|i| {
            format!("  step{i}: {{command: x, depends_on: [stepp{i}]}}")
        })
    });
    grows_no_faster_than_the_file("unknown keys", 1_500, |n| {
        jobs(n, &|i| format!("  s{i}: {{command: x, comand{i}: y}}"))
    });
    grows_no_faster_than_the_file("references", 5_000, |n| {
        format!(
            "type: pipeline\njobs: {{a: {{command: 'x {}', inputs: {{v: 1}}}}}}",
            "${{inputs.v}} ".repeat(n)
        )
    });
    grows_no_faster_than_the_file("quotes", 20_000, |n| {
        format!(
            "type: pipeline\njobs: {{a: {{command: \"x {}\"}}}}",
            "'' $(x) ".repeat(n)
        )
    });
    grows_no_faster_than_the_file("optional blocks", 5_000, |n| {
        format!(
            "type: pipeline\njobs: {{a: {{command: 'x {}', inputs: {{v: 1}}}}}}",
            "$[[--v ${{inputs.v}}]] ".repeat(n)
        )
    });
}

#[test]
fn a_billion_laughs_are_not_laughed() {
    let mut bomb = "a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol,lol]\n".to_owned();
    for i in 1..12 {
        let list = vec![format!("*a{}", i - 1); 9].join(",");
        writeln!(bomb, "a{i}: &a{i} [{list}]").unwrap();
    }
    refused_soon("aliases of aliases", &bomb, "TM0107");
    let long = "x".repeat(900_000);
    let many = "- *a\n".repeat(10_000);
    refused_soon(
        "a long text many times",
        &format!("a: &a {long}\nb:\n{many}"),
        "TM0107",
    );
}

#[test]
fn deep_nesting_is_refused() {
    refused_soon("flow", &("[".repeat(20_000) + &"]".repeat(20_000)), "TM0105");
    let mut block = String::new();
    for depth in 0..200 {
        writeln!(block, "{}a:", " ".repeat(depth)).unwrap();
    }
    refused_soon("block", &block, "TM0105");
    refused_soon("dashes", &"- ".repeat(20_000), "TM0105");
}

#[test]
fn large_files_are_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.yml");
    // Sparse: it has no bytes on the disk, and none of them may be asked for beyond the first MiB.
    std::fs::File::create(&file).unwrap().set_len(100 << 20).unwrap();
    let start = Instant::now();
    let problems = load(&file, &Workspace::default()).unwrap_err();
    assert!(start.elapsed() < SOON);
    assert_eq!(problems.0[0].code().as_str(), "TM0102");
}

#[test]
fn what_is_no_text_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.yml");
    for (bytes, code) in [
        (&b"type: pipeline\njobs: {a: {command: \xff}}"[..], "TM0103"),
        (b"type: pipeline\0", "TM0103"),
        ("jobs: {a\u{202E}b: {command: x}}".as_bytes(), "TM0103"),
        (b"jobs: {a: {command: \"x\\0\"}}", "TM0103"),
        (b"jobs: {\"a\\u202Eb\": {command: x}}", "TM0103"),
        (b"jobs: {a: {command: \"\\ud800\"}}", "TM0104"),
        (b"", "TM0104"),
        (b"a: 1\n---\nb: 2\n", "TM0104"),
        (b"? [a]\n: b\n", "TM0104"),
        (b"a: *b\n", "TM0104"),
        (b"a: &a [*a]\n", "TM0104"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let problems = load(&file, &Workspace::default()).unwrap_err();
        assert_eq!(problems.0[0].code().as_str(), code, "{bytes:?}: {problems}");
    }
    let problems = load(folder.path(), &Workspace::default()).unwrap_err();
    assert_eq!(problems.0[0].code().as_str(), "TM0101");
    let problems = load(std::path::Path::new("/dev/zero"), &Workspace::default()).unwrap_err();
    assert_eq!(problems.0[0].code().as_str(), "TM0101");
}

#[test]
fn many_small_values_are_refused() {
    refused_soon("a wide list", &format!("a: [{}]", "1,".repeat(500_000)), "TM0107");
    let mut steps = "type: pipeline\njobs:\n".to_owned();
    for i in 0..10_001 {
        writeln!(steps, " s{i}: {{command: x}}").unwrap();
    }
    refused_soon("steps", &steps, "TM0108");
}

#[test]
fn many_problems_stay_readable() {
    let mut text = "type: pipeline\njobs:\n".to_owned();
    for i in 0..5_000 {
        writeln!(text, "  s{i}: {{command: 'x ${{{{inputs.y}}}}', unknown: 1}}").unwrap();
    }
    let problems = loaded_text(&text).unwrap_err();
    assert!(problems.0.len() <= 200);
    let mut text = "type: pipeline\njobs:\n".to_owned();
    for i in 0..8_000 {
        writeln!(text, "  step{i}: {{command: x, depends_on: [stepp{i}, stqp{i}]}}").unwrap();
    }
    refused_soon("many slips", &text, "TM0304");
    let wrong = "${{inputs.wrong}} ".repeat(50_000);
    refused_soon(
        "a long command",
        &format!("type: pipeline\njobs: {{a: {{command: 'eval x; {wrong}'}}}}"),
        "TM0302",
    );
}

fn climbing() -> Vec<String> {
    serde_json::from_str(include_str!("../../../protocol/tests/paths/climbing.json")).unwrap()
}

#[test]
fn paths_in_a_datastore_cannot_climb_out() {
    let folder = tempfile::tempdir().unwrap();
    let layer = (
        folder.path().join("tidemill.toml"),
        "[datastores]\nlake = \"lake\"\n".to_owned(),
    );
    std::fs::create_dir_all(folder.path().join("lake/a/b")).unwrap();
    let workspace = Workspace::from_toml_layers(&[layer]).unwrap();
    let file = folder.path().join("p.yml");
    for path in climbing() {
        let address = serde_json::to_string(&format!("azureml://datastores/lake/paths/{path}")).unwrap();
        let text = format!(
            "type: pipeline\ninputs: {{x: {{type: uri_folder, path: {address}}}}}\njobs: {{a: {{command: x}}}}\n"
        );
        std::fs::write(&file, text).unwrap();
        let problems = load(&file, &workspace)
            .map(|loaded| loaded.sources)
            .expect_err(&path);
        let code = problems.0[0].code().as_str();
        assert!(
            ["TM0205", "TM0407", "TM0103"].contains(&code),
            "{path:?}: {problems}"
        );
    }
}

#[test]
fn names_and_folders_of_a_step_cannot_climb_out() {
    for path in climbing() {
        let quoted = serde_json::to_string(&path).unwrap();
        for step in [
            format!("{quoted}: {{command: x}}"),
            format!("a: {{command: x, inputs: {{{quoted}: 1}}}}"),
            format!("a: {{command: x, outputs: {{{quoted}: }}}}"),
        ] {
            assert!(
                loaded_text(&format!("type: pipeline\njobs: {{{step}}}\n")).is_err(),
                "{step}"
            );
        }
        let text = format!("type: pipeline\njobs: {{a: {{command: x, checkpoint: {{path: {quoted}}}}}}}\n");
        let Ok(loaded) = loaded_text(&text) else { continue };
        let plan = plan(&loaded.outline(), &PlanRequest::default()).unwrap();
        let rule = plan.templates[0].rules.checkpoint.clone().unwrap();
        let kept = rule.path.unwrap();
        let parts = std::path::Path::new(kept.as_str()).components();
        assert!(
            parts
                .into_iter()
                .all(|part| matches!(part, std::path::Component::Normal(_))),
            "{path:?}"
        );
    }
}
