//! The way to a running worker from inside its process.

use std::sync::Arc;
use tidemill_protocol::compute::ComputeTarget;
use tokio::sync::{Notify, mpsc};

/// Asks a running worker for something. Cheap to clone; asking a worker that has ended changes nothing.
#[derive(Debug, Clone)]
pub struct WorkerHandle {
    pub(crate) drain: Arc<Notify>,
    pub(crate) targets: mpsc::Sender<ComputeTarget>,
}

impl WorkerHandle {
    /// Takes nothing new from here on; [`crate::Worker::wait`] returns once what runs is done and reported.
    pub fn drain(&self) {
        self.drain.notify_one();
    }

    /// Serves one more compute target beside the configured ones. One that is served already is no news.
    pub async fn serve(&self, target: ComputeTarget) {
        // Nobody listens any more: the worker has ended.
        drop(self.targets.send(target).await);
    }
}
