//! What a coordinator does not do while it cannot be sure that it is the one: keep others from hearing the workers. What it answers meanwhile is tried in `archive.rs`.

use super::archive::{SOON, archived, block, folder, store};
use bytes::Bytes;
use std::time::Duration;
use tidemill_coordinator::ArchiveMode;
use tidemill_transport::{Broker, Depth, Queue};

#[tokio::test]
async fn a_coordinator_that_cannot_be_sure_of_itself_leaves_what_workers_say_to_whoever_has_its_place() {
    let (place, dir) = (tempfile::tempdir().unwrap(), folder());
    let service = archived(&dir, &store(&place).await, ArchiveMode::Async).await;
    let reports = async |wanted: Depth| {
        let asking = async {
            while service.broker.depth(&Queue::Reports).await.unwrap() != wanted {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(SOON, asking).await.expect("it is so soon");
    };
    let depth = |ready, consumers| Depth {
        ready,
        unsettled: Some(0),
        consumers,
    };
    reports(depth(0, 1)).await;
    let well_again = block(place.path().join("journal"));
    reports(depth(0, 0)).await;
    let said = Bytes::from_static(b"something");
    service.broker.publish(&Queue::Reports, said).await.unwrap();
    reports(depth(1, 0)).await;
    well_again();
    reports(depth(0, 1)).await;
    service.stop().await.unwrap();
}
