//! The fault matrix for people: that every row names tests that exist, the page that shows it, and the table of results at the end of a campaign.

use crate::far::BY_PROXY;
use crate::rows::{self, Row};
use crate::trial::{Pace, Trial, fast};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

pub(crate) const TRIALS: &[Trial] = &[
    fast(
        "every_row_of_the_fault_matrix_names_tests_that_exist_or_says_why_there_are_none",
        rows_hold,
    ),
    fast(
        "a_promise_that_one_of_many_broke_is_told_as_broken_and_one_that_nobody_could_try_as_not_proved",
        no_failure_is_hidden,
    ),
    fast("the_page_of_faults_shows_the_matrix_as_it_is", page_is_current),
];

fn rows_hold() {
    let rows = rows::all();
    let numbers: Vec<u8> = rows.iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=80).collect::<Vec<u8>>());
    let known = names_of_tests(&testkit::repository());
    let trials: BTreeSet<&str> = crate::trial::all().map(|trial| trial.name).collect();
    for row in &rows {
        let is_one = row.tests.is_empty() == row.none.is_some();
        assert!(
            is_one,
            "row {} names tests, or says why there are none",
            row.number
        );
        for name in &row.tests {
            let exists = trials.contains(name.as_str()) || known.contains(name);
            assert!(exists, "row {} names `{name}`, which is no test", row.number);
        }
    }
}

/// Every function of the repository that is marked as a test.
fn names_of_tests(root: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder can be listed").flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let is_ours = name != "target" && !name.to_string_lossy().starts_with('.');
            if path.is_dir() && is_ours {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source is text");
                let is_contract = folder.ends_with("contract");
                names.extend(tests_in(&text, is_contract));
            }
        }
    }
    names
}

/// The promises of a contract are tests of whoever implements it: each of its functions is one.
fn tests_in(text: &str, is_contract: bool) -> Vec<String> {
    let mut marked = false;
    let mut names = Vec::new();
    for line in text.lines().map(str::trim) {
        marked |= is_contract || line.contains("test]") || line.contains("test(");
        let words = line.trim_start_matches("pub ").trim_start_matches("async ");
        let Some(rest) = words.strip_prefix("fn ") else {
            continue;
        };
        if std::mem::take(&mut marked) {
            names.extend(rest.split('(').next().map(str::to_owned));
        }
    }
    names
}

const PAGE: &str = "docs/faults.md";
const BEGIN: &str = "<!-- the matrix; written by `TIDEMILL_WRITE=1 scripts/faults page` -->\n";
const END: &str = "<!-- end of the matrix -->";

fn page_is_current() {
    let path = testkit::repository().join(PAGE);
    let page = fs::read_to_string(&path).expect("the page is there");
    let (before, rest) = page
        .split_once(BEGIN)
        .expect("the page has a place for the matrix");
    let (shown, after) = rest.split_once(END).expect("the matrix has an end");
    let wanted = table();
    if crate::settings::writes_pages() {
        fs::write(&path, format!("{before}{BEGIN}{wanted}{END}{after}")).expect("the page can be written");
    } else {
        assert_eq!(
            shown, wanted,
            "{PAGE} is not current: TIDEMILL_WRITE=1 scripts/faults page"
        );
    }
}

fn table() -> String {
    let slow: BTreeSet<&str> = crate::trial::all()
        .filter(|trial| trial.pace == Pace::Slow)
        .map(|trial| trial.name)
        .collect();
    let mut table = String::from("\n| | fault | proved by |\n| --- | --- | --- |\n");
    for row in rows::all() {
        let proof = match &row.none {
            Some(why) => format!("*{why}*"),
            None => shown(&row.tests, &slow),
        };
        let but = row.but.map(|but| format!("; *{but}*")).unwrap_or_default();
        writeln!(table, "| {} | {} | {proof}{but} |", row.number, row.fault)
            .expect("writing into text works");
    }
    table.push('\n');
    table
}

fn shown(tests: &[String], slow: &BTreeSet<&str>) -> String {
    let shown = tests.iter().map(|name| {
        let mark = if slow.contains(name.as_str()) {
            " (campaign)"
        } else {
            ""
        };
        format!("{}{mark}", name.replace('_', " "))
    });
    shown.collect::<Vec<_>>().join("; ")
}

/// Prints how each row came out of a campaign, and what its trials measured. Fails when a row did.
#[expect(clippy::print_stdout, reason = "the table is what was asked for")]
pub(crate) fn tell(results: &Path) -> ExitCode {
    let text = fs::read_to_string(results).expect("the results of the campaign are there");
    let outcomes = outcomes(&text);
    let mut all_well = true;
    for row in rows::all() {
        let verdict = verdict(&row, &outcomes);
        all_well &= !verdict.starts_with("FAILED");
        println!("{:>3}  {:<55} {verdict}", row.number, row.fault);
    }
    println!();
    for figure in figures(&text) {
        println!("{figure}");
    }
    if all_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What a test says that could not try here what it is about, before the reason.
const NOT_PROVED: &str = "NOT PROVED HERE";
/// Longer reasons are cut.
const REASON_CHARS_MAX: usize = 120;

/// How a test came out. The worst counts where several have one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome<'a> {
    Well,
    /// It went well without the network namespace that it should have had.
    ByProxy,
    /// It did not fail, because for this reason it could not try.
    NotProved(&'a str),
    Failed,
}

fn verdict(row: &Row, outcomes: &BTreeMap<&str, Outcome<'_>>) -> String {
    if let Some(why) = &row.none {
        return format!("none: {why}");
    }
    let (mut bad, mut unproved, mut by_proxy) = (Vec::new(), Vec::new(), false);
    for name in &row.tests {
        match outcomes.get(name.as_str()) {
            None | Some(Outcome::Failed) => bad.push(name.as_str()),
            Some(Outcome::NotProved(why)) => unproved.push((name, why)),
            Some(Outcome::ByProxy) => by_proxy = true,
            Some(Outcome::Well) => {}
        }
    }
    if !bad.is_empty() {
        return format!("FAILED: {}", bad.join(", "));
    }
    let of = row.tests.len();
    let passed = match unproved.len() {
        0 => format!("passed ({of})"),
        all if all == of => "not passed".to_owned(),
        some => format!("passed ({} of {of})", of - some),
    };
    let unproved = unproved.iter().map(|(name, why)| match of {
        1 => format!("not proved here: {why}"),
        _ => format!("not proved here: {} ({why})", name.replace('_', " ")),
    });
    let by_proxy = by_proxy.then(|| BY_PROXY.to_owned());
    let all: Vec<String> = [passed].into_iter().chain(unproved).chain(by_proxy).collect();
    all.join(", ")
}

/// How each test came out, by its name without its modules. A promise of a contract is kept by everybody who made it, or it is not kept: tests of one
/// name count as one.
fn outcomes(junit: &str) -> BTreeMap<&str, Outcome<'_>> {
    let mut outcomes = BTreeMap::new();
    for case in junit.split("<testcase ").skip(1) {
        let Some((name, rest)) = case
            .split_once("name=\"")
            .and_then(|(_, rest)| rest.split_once('"'))
        else {
            continue;
        };
        let own = name.rsplit("::").next().unwrap_or(name);
        let outcome = if rest.contains("<failure") || rest.contains("<error") {
            Outcome::Failed
        } else if let Some(why) = unproved(rest) {
            Outcome::NotProved(why)
        } else if rest.contains(BY_PROXY) {
            Outcome::ByProxy
        } else {
            Outcome::Well
        };
        let worst = outcomes.entry(own).or_insert(outcome);
        *worst = outcome.max(*worst);
    }
    outcomes
}

/// Why a test could not try what it is about, if it said so.
fn unproved(said: &str) -> Option<&str> {
    let (_, rest) = said.split_once(NOT_PROVED)?;
    let why = rest.split(['\n', '<']).next()?.trim_matches([' ', ',', ':']);
    let end = why.char_indices().nth(REASON_CHARS_MAX);
    Some(end.and_then(|(end, _)| why.get(..end)).unwrap_or(why))
}

/// What trials said that they had measured.
fn figures(junit: &str) -> impl Iterator<Item = &str> {
    junit
        .lines()
        .filter_map(|line| line.split_once("figures: "))
        .map(|(_, figure)| figure.trim_end_matches("</system-out>"))
}

fn no_failure_is_hidden() {
    let junit = r#"
        <testcase name="amqp::a_promise" classname="transport"><failure type="test failure"/></testcase>
        <testcase name="local::a_promise" classname="transport"></testcase>
        <testcase name="another" classname="transport"><error type="execution failure"/></testcase>
        <testcase name="local::kept" classname="transport"></testcase>
        <testcase name="silent" classname="faults"><system-out>no network namespace here, but proxies: why</system-out></testcase>
        <testcase name="limits::bomb" classname="worker"><system-out>running
NOT PROVED HERE, for want of control groups: none
ok</system-out></testcase>
        <testcase name="amqp::kept" classname="transport"><system-out>a &lt;failure was expected</system-out></testcase>"#;
    let told: Vec<_> = outcomes(junit).into_iter().collect();
    let wanted = [
        ("a_promise", Outcome::Failed),
        ("another", Outcome::Failed),
        ("bomb", Outcome::NotProved("for want of control groups: none")),
        ("kept", Outcome::Well),
        ("silent", Outcome::ByProxy),
    ];
    assert_eq!(told, wanted);
    let row = |tests: &[&str]| Row {
        number: 44,
        fault: "fork bomb".to_owned(),
        tests: tests.iter().map(|&name| name.to_owned()).collect(),
        none: None,
        but: None,
    };
    let verdict = |tests: &[&str]| verdict(&row(tests), &outcomes(junit));
    assert_eq!(
        verdict(&["bomb"]),
        "not passed, not proved here: for want of control groups: none"
    );
    assert_eq!(
        verdict(&["bomb", "kept"]),
        "passed (1 of 2), not proved here: bomb (for want of control groups: none)"
    );
    assert_eq!(verdict(&["bomb", "another"]), "FAILED: another");
    let measured = "<system-out>running\nfigures: 5 kills, none lost</system-out>";
    assert_eq!(figures(measured).collect::<Vec<_>>(), ["5 kills, none lost"]);
}
