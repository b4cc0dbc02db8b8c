//! The worker's manners on the bus: what it obeys, what it takes, what it gives back, and that its reports arrive.

use crate::bench::{Bench, DEADLINE, FAR, Step, eventually};
use std::path::Path;
use std::time::Duration;
use tidemill_protocol::codec;
use tidemill_protocol::ids::AttemptId;
use tidemill_protocol::time::{Millis, Timestamp};
use tidemill_protocol::wire::{
    Audience, Control, Heartbeat, Kind, LogChunk, Report, ReportBody, SignerKey, StepTask, open_from_worker,
    seal, seal_unsigned,
};
use tidemill_transport::{Broker, Queue};

async fn ready(bench: &Bench, queue: &Queue) -> u64 {
    bench.broker.depth(queue).await.unwrap().ready
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_tasks_are_set_aside_and_never_run() {
    let mut bench = Bench::start().await;
    let pwned = bench.path("pwned");
    let task = Step::argv(&["/usr/bin/touch", pwned.to_str().unwrap()]).task(77);
    let body = codec::encode(&task);
    let here = Audience::target("cpu");
    let stranger = SignerKey::from_seed(&[8; 32]);
    let forged = [
        seal_unsigned(Kind::Task, here, &body).unwrap(),
        seal(&stranger, Kind::Task, here, FAR, &body).unwrap(),
        seal(&bench.key, Kind::Task, Audience::target("gpu"), FAR, &body).unwrap(),
        seal(&bench.key, Kind::Task, here, FAR, b"no task").unwrap(),
    ];
    for bytes in &forged {
        bench.publish(bytes).await;
    }
    eventually("all are set aside", async || {
        ready(&bench, &Queue::DeadLetters).await == forged.len() as u64
    })
    .await;
    assert_eq!(bench.metric("tidemill_tasks_refused_total"), forged.len() as u64);
    // A true one after them is the first of which anything is heard.
    let attempt = bench.submit(Step::argv(&["/bin/true"])).await;
    assert_eq!(bench.report().await.attempt, attempt);
    assert!(!pwned.exists());
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_worker_leaves_tasks_to_others_and_takes_them_when_it_is_free() {
    let mut bench = Bench::start_with(|config| config.slots = 1).await;
    let flag = bench.path("flag");
    let script = "while ! test -e \"$FLAG\"; do sleep 0.02; done";
    let long = Step::shell(script).variable("FLAG", flag.to_str().unwrap());
    let first = bench.submit(long).await;
    bench.claimed(first).await;
    let second = bench.submit(Step::argv(&["/bin/true"])).await;
    eventually(
        "the second is back in the queue and nobody consumes",
        async || {
            let depth = bench.broker.depth(&Bench::tasks()).await.unwrap();
            depth.ready == 1 && depth.consumers == 0
        },
    )
    .await;
    std::fs::write(&flag, "").unwrap();
    bench.success(first).await;
    bench.success(second).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_wait_for_nothing_but_slots_all_run() {
    // Whoever waits long for thanks says it again; on a busy machine that would look as if a step had run twice.
    let again = Duration::from_hours(1);
    let mut bench = Bench::start_with(|config| config.report_again_after = again).await;
    let mut open = std::collections::BTreeSet::new();
    for _ in 0..200 {
        open.insert(bench.submit(Step::argv(&["/bin/true"])).await);
    }
    while !open.is_empty() {
        let report = bench.report().await;
        match report.body {
            ReportBody::Succeeded(_) => assert!(open.remove(&report.attempt), "reported twice"),
            ReportBody::Claimed => {}
            other => panic!("unexpected {other:?}"),
        }
    }
    eventually("every report is acknowledged", async || {
        bench.metric("tidemill_reports_unacknowledged") == 0
    })
    .await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_comes_again_after_its_end_does_not_run_again() {
    let mut bench = Bench::start().await;
    let marks = bench.path("marks");
    let step = || Step::shell("echo x >> \"$MARKS\"").variable("MARKS", marks.to_str().unwrap());
    let task = step().task(500);
    let sealed = seal(
        &bench.key,
        Kind::Task,
        Audience::target("cpu"),
        FAR,
        &codec::encode(&task),
    )
    .unwrap();
    bench.publish(&sealed).await;
    bench.success(task.attempt).await;
    eventually("every report is acknowledged", async || {
        bench.metric("tidemill_reports_unacknowledged") == 0
    })
    .await;
    bench.publish(&sealed).await;
    eventually("the repetition is acknowledged", async || {
        let depth = bench.broker.depth(&Bench::tasks()).await.unwrap();
        (depth.ready, depth.unsettled) == (0, Some(0))
    })
    .await;
    // Whoever asks for it again may have forgotten that it is over, and is told that nobody makes it.
    let disowned = bench.report().await;
    assert_eq!(
        (disowned.attempt, disowned.body),
        (task.attempt, ReportBody::Returned)
    );
    // Whatever the repetition began would be reported before this.
    let after = bench.submit(Step::argv(&["/bin/true"])).await;
    assert_eq!(bench.report().await.attempt, after);
    bench.success(after).await;
    assert_eq!(std::fs::read_to_string(&marks).unwrap(), "x\n");
    bench.end().await;
}

/// Says that it began and waits to be let go.
fn held(mark: &Path, flag: &Path) -> Step {
    let script = "echo x >> \"$MARK\"; while ! test -e \"$FLAG\"; do sleep 0.02; done";
    Step::shell(script)
        .variable("MARK", mark.to_str().unwrap())
        .variable("FLAG", flag.to_str().unwrap())
}

fn sealed(bench: &Bench, task: &StepTask) -> Vec<u8> {
    let here = Audience::target("cpu");
    seal(&bench.key, Kind::Task, here, FAR, &codec::encode(task)).unwrap()
}

/// All that is said of an attempt until another one that was asked for later has ended.
async fn said_of(bench: &mut Bench, attempt: AttemptId) -> Vec<ReportBody> {
    let after = bench.submit(Step::argv(&["/bin/true"])).await;
    let mut said = Vec::new();
    loop {
        let report = bench.report().await;
        if report.attempt == attempt {
            said.push(report.body);
        } else if matches!(report.body, ReportBody::Succeeded(_)) {
            assert_eq!(report.attempt, after);
            return said;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_copies_of_a_task_are_one_process_one_attempt_and_one_result() {
    let mut bench = Bench::start_with(|config| {
        config.slots = 4;
        // Whoever waits long for thanks says it again, which is no second result.
        config.report_again_after = Duration::from_hours(1);
    })
    .await;
    let (mark, flag) = (bench.path("mark"), bench.path("flag"));
    let task = held(&mark, &flag).task(500);
    let sealed = sealed(&bench, &task);
    // Half of them at once, before anybody has seen one; the others while the step certainly runs.
    for _ in 0..50 {
        bench.publish(&sealed).await;
    }
    eventually("the step runs", async || mark.exists()).await;
    for _ in 0..50 {
        bench.publish(&sealed).await;
    }
    eventually("every copy is acknowledged", async || {
        let depth = bench.broker.depth(&Bench::tasks()).await.unwrap();
        (depth.ready, depth.unsettled) == (0, Some(0))
    })
    .await;
    std::fs::write(&flag, "").unwrap();
    bench.success(task.attempt).await;
    let said = said_of(&mut bench, task.attempt).await;
    assert_eq!(said, [], "nothing more is said of it");
    assert_eq!(std::fs::read_to_string(&mark).unwrap(), "x\n");
    assert_eq!(
        bench.metric("tidemill_attempts_claimed_total"),
        2,
        "it, and the one after it"
    );
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_a_task_that_wait_together_for_room_are_one_process_and_take_one_slot() {
    let mut bench = Bench::start_with(|config| {
        config.slots = 4;
        config.report_again_after = Duration::from_hours(1);
    })
    .await;
    for round in 0..5 {
        let (mark, flag) = (
            bench.path(&format!("mark-{round}")),
            bench.path(&format!("flag-{round}")),
        );
        // All cores are taken, slots are free: two copies come and wait. Both fit when the cores are free again.
        let mut greedy = held(&bench.path("greedy"), &flag);
        greedy.rules.resources.cpus = u32::MAX;
        let first = bench.submit(greedy).await;
        bench.claimed(first).await;
        let mut step = held(&mark, &flag);
        step.rules.resources.cpus = 1;
        let task = step.task(500 + round);
        let sealed = sealed(&bench, &task);
        bench.publish(&sealed).await;
        bench.publish(&sealed).await;
        eventually("nobody has to be asked for them any more", async || {
            ready(&bench, &Bench::tasks()).await == 0
        })
        .await;
        std::fs::write(&flag, "").unwrap();
        bench.success(first).await;
        bench.success(task.attempt).await;
        assert_eq!(said_of(&mut bench, task.attempt).await, []);
        assert_eq!(std::fs::read_to_string(&mark).unwrap(), "x\n");
    }
    // No slot was lost: four steps still run at once.
    let (all, flag) = (bench.path("all"), bench.path("last"));
    for _ in 0..4 {
        bench.submit(held(&all, &flag)).await;
    }
    eventually("all of them run", async || {
        std::fs::read_to_string(&all).is_ok_and(|text| text.lines().count() == 4)
    })
    .await;
    std::fs::write(&flag, "").unwrap();
    for _ in 0..4 {
        bench.next_success().await;
    }
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_worker_finishes_and_takes_nothing_new() {
    let mut bench = Bench::start().await;
    let flag = bench.path("flag");
    let script = "while ! test -e \"$FLAG\"; do sleep 0.02; done";
    let first = bench
        .submit(Step::shell(script).variable("FLAG", flag.to_str().unwrap()))
        .await;
    bench.claimed(first).await;
    bench.worker.drain();
    eventually("it stops consuming", async || {
        bench.broker.depth(&Bench::tasks()).await.unwrap().consumers == 0
    })
    .await;
    bench.submit(Step::argv(&["/bin/true"])).await;
    std::fs::write(&flag, "").unwrap();
    bench.success(first).await;
    let Bench { worker, broker, .. } = bench;
    tokio::time::timeout(DEADLINE, worker.wait()).await.unwrap();
    assert_eq!(broker.depth(&Bench::tasks()).await.unwrap().ready, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_disk_is_nearly_full_says_so_and_takes_nothing() {
    let mut bench = Bench::start_with(|config| {
        config.disk_reserve = u64::MAX;
        config.heartbeat_every = Duration::from_millis(50);
    })
    .await;
    bench.submit(Step::argv(&["/bin/true"])).await;
    let mut heartbeats = bench.broker.consume(&Queue::Heartbeats, 100).await.unwrap();
    for _ in 0..5 {
        let delivery = heartbeats.next().await.unwrap();
        let opened = open_from_worker(&bench.worker_key(), Kind::Heartbeat, &delivery.bytes).unwrap();
        let heartbeat: Heartbeat = codec::decode(opened.body).unwrap();
        assert!(heartbeat.offer.disk_full);
        assert_eq!(heartbeat.running, []);
        delivery.ack().await.unwrap();
    }
    assert_eq!(bench.broker.depth(&Bench::tasks()).await.unwrap().ready, 1);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_survive_an_outage_of_the_broker() {
    let mut bench = Bench::start().await;
    let flag = bench.path("flag");
    let script = "while ! test -e \"$FLAG\"; do sleep 0.02; done; exit 3";
    let attempt = bench
        .submit(Step::shell(script).variable("FLAG", flag.to_str().unwrap()))
        .await;
    bench.claimed(attempt).await;
    bench.broker.delete(&Queue::Reports);
    std::fs::write(&flag, "").unwrap();
    eventually("the report waits", async || {
        bench.metric("tidemill_reports_unacknowledged") > 0
    })
    .await;
    bench.broker.declare(&Queue::Reports).await.unwrap();
    let body = bench.ending(attempt).await;
    assert!(matches!(body, ReportBody::Failed { .. }), "{body:?}");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_acknowledged_is_sent_again_when_asked() {
    let mut bench = Bench::start_with(|config| config.report_again_after = Duration::from_hours(1)).await;
    bench.acknowledges = false;
    let attempt = bench.submit(Step::argv(&["/bin/true"])).await;
    bench.success(attempt).await;
    bench.control(&Control::Announce).await;
    bench.acknowledges = true;
    bench.claimed(attempt).await;
    bench.success(attempt).await;
    eventually("everything is acknowledged", async || {
        bench.metric("tidemill_reports_unacknowledged") == 0
    })
    .await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lay_in_the_spool_since_before_the_worker_had_a_key_is_sent_and_signed() {
    let task = Step::argv(&["/bin/true"]).task(7);
    let left = Report {
        attempt: task.attempt,
        token: task.token,
        at: Timestamp(1),
        body: ReportBody::Returned,
    };
    let record = codec::encode(&left);
    let mut bytes = u32::try_from(record.len()).unwrap().to_le_bytes().to_vec();
    bytes.extend_from_slice(&blake3::hash(&record).as_bytes()[..8]);
    bytes.extend_from_slice(&record);
    let mut bench = Bench::start_with(|config| {
        let spool = config.state_dir.join("outbox");
        std::fs::create_dir_all(&spool).unwrap();
        std::fs::write(spool.join("5.reports"), bytes).unwrap();
    })
    .await;
    assert_eq!(bench.report().await, left);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantined_worker_stops_what_runs_and_takes_nothing_until_it_is_released() {
    let mut bench = Bench::start().await;
    let long = bench.submit(Step::argv(&["/bin/sleep", "1000"])).await;
    bench.claimed(long).await;
    let length = Millis::from_secs(600);
    bench.control(&Control::Quarantine { length }).await;
    let body = bench.ending(long).await;
    assert!(matches!(body, ReportBody::Stopped { .. }), "{body:?}");
    let next = bench.submit(Step::argv(&["/bin/true"])).await;
    eventually("nobody takes it", async || {
        let depth = bench.broker.depth(&Bench::tasks()).await.unwrap();
        depth.ready == 1 && depth.consumers == 0
    })
    .await;
    bench.control(&Control::Quarantine { length: Millis(0) }).await;
    bench.success(next).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_seen_while_it_is_written_and_kept_whole() {
    let mut bench = Bench::start().await;
    let mut logs = bench.broker.consume(&Queue::Logs, 10).await.unwrap();
    let flag = bench.path("flag");
    let script = "echo early; while ! test -e \"$FLAG\"; do sleep 0.02; done; echo late";
    let attempt = bench
        .submit(Step::shell(script).variable("FLAG", flag.to_str().unwrap()))
        .await;
    bench.claimed(attempt).await;
    bench
        .control(&Control::FollowLog {
            attempt,
            follow: true,
        })
        .await;
    let delivery = tokio::time::timeout(DEADLINE, logs.next())
        .await
        .unwrap()
        .unwrap();
    let opened = open_from_worker(&bench.worker_key(), Kind::Log, &delivery.bytes).unwrap();
    let chunk: LogChunk = codec::decode(opened.body).unwrap();
    assert_eq!((chunk.offset, chunk.bytes.as_slice()), (0, b"early\n".as_slice()));
    std::fs::write(&flag, "").unwrap();
    let success = bench.success(attempt).await;
    assert_eq!(bench.stdout(&success).await, "early\nlate\n");
    bench.end().await;
}
