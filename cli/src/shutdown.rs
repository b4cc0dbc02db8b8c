//! Signals become tokens: the first SIGINT or SIGTERM asks to stop well, the second to stop now, the third to stop asking. Commands that have nothing to
//! tidy up do not listen at all and end as any program does.

use crate::exit::Exit;
use crate::failure::{Context, Failure};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The wishes of whoever sends signals. Stops listening when dropped.
#[derive(Debug)]
pub(crate) struct Interrupts {
    wishes: [CancellationToken; 3],
    /// Whether the last signal was SIGTERM.
    is_terminated: Arc<AtomicBool>,
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
        let wishes: [CancellationToken; 3] = std::array::from_fn(|_| CancellationToken::new());
        let is_terminated = Arc::new(AtomicBool::new(false));
        let mut listener = JoinSet::new();
        let (tokens, last) = (wishes.clone(), Arc::clone(&is_terminated));
        listener.spawn(async move {
            for token in tokens {
                last.store(is_terminate(&mut signals).await, Ordering::Relaxed);
                token.cancel();
            }
        });
        Ok(Self {
            wishes,
            is_terminated,
            _listener: listener,
        })
    }

    /// Cancelled by the first signal.
    pub(crate) const fn first(&self) -> &CancellationToken {
        &self.wishes[0]
    }

    /// Cancelled by the second signal.
    pub(crate) const fn second(&self) -> &CancellationToken {
        &self.wishes[1]
    }

    /// Cancelled by the third signal.
    pub(crate) const fn third(&self) -> &CancellationToken {
        &self.wishes[2]
    }

    /// Whether the last signal came from a keyboard, as far as one can tell.
    pub(crate) fn is_typed(&self) -> bool {
        !self.is_terminated.load(Ordering::Relaxed)
    }

    /// The exit code of a command that a signal ended.
    pub(crate) fn exit(&self) -> Exit {
        if self.is_typed() {
            Exit::Interrupted
        } else {
            Exit::Terminated
        }
    }
}

/// Waits for a signal and says whether it was SIGTERM.
async fn is_terminate((interrupt, terminate): &mut (Signal, Signal)) -> bool {
    tokio::select! {
        _ = interrupt.recv() => false,
        _ = terminate.recv() => true,
    }
}
