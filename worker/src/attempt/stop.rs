//! The wish that an attempt ends, and whose it is. How a process is ended is the supervisor's business.

use std::sync::{Arc, OnceLock};
use tidemill_protocol::wire::StopReason;
use tokio_util::sync::CancellationToken;

/// Whose wish it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopCause {
    /// The coordinator's.
    Told(StopReason),
    /// The machine is about to be taken away.
    Preempted,
}

/// Shared between the one that makes an attempt and those who may end it. The first cause counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    token: CancellationToken,
    cause: Arc<OnceLock<StopCause>>,
}

impl Stop {
    /// The attempt is to end.
    pub(crate) fn now(&self, cause: StopCause) {
        self.cause.get_or_init(|| cause);
        self.token.cancel();
    }

    /// Whether it is to end.
    pub(crate) fn is_asked(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until it is to end.
    pub(crate) async fn asked(&self) {
        self.token.cancelled().await;
    }

    /// Why it is to end, once it is.
    pub(crate) fn cause(&self) -> Option<StopCause> {
        self.cause.get().copied()
    }
}
