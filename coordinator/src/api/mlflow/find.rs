//! Looking a tracked run up.

use super::fault::Fault;
use crate::handle::CoordinatorHandle;
use crate::tracking::TrackedId;
use crate::views::tracked::{ShownRun, shown_run};

/// The run with this id.
pub(super) async fn shown(handle: &CoordinatorHandle, id: &TrackedId) -> Result<ShownRun, Fault> {
    let wanted = id.clone();
    let found = handle.look(move |sight| shown_run(sight.engine, &sight.ledgers.tracking, &wanted));
    found.await?.ok_or_else(|| Fault::no_run(id))
}
