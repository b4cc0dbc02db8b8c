//! Signals become tokens: the first SIGINT or SIGTERM asks to stop well, the second to stop now. Commands that have nothing to tidy up do not
//! listen at all and end as any program does.

use crate::failure::{Context, Failure};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The wishes of whoever sends signals. Stops listening when dropped.
#[derive(Debug)]
pub(crate) struct Interrupts {
    first: CancellationToken,
    second: CancellationToken,
    _listener: JoinSet<()>,
}

impl Interrupts {
    /// Listens from now on.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let handler = |kind| signal(kind).context(|| "cannot listen for signals");
        let mut signals = (
            handler(SignalKind::interrupt())?,
            handler(SignalKind::terminate())?,
        );
        let (first, second) = (CancellationToken::new(), CancellationToken::new());
        let mut listener = JoinSet::new();
        let tokens = [first.clone(), second.clone()];
        listener.spawn(async move {
            for token in tokens {
                either(&mut signals).await;
                token.cancel();
            }
        });
        Ok(Self {
            first,
            second,
            _listener: listener,
        })
    }

    /// Cancelled by the first signal.
    pub(crate) const fn first(&self) -> &CancellationToken {
        &self.first
    }

    /// Cancelled by the second signal.
    pub(crate) const fn second(&self) -> &CancellationToken {
        &self.second
    }
}

async fn either((interrupt, terminate): &mut (Signal, Signal)) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
