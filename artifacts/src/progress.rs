//! What an upload or download tells whoever watches it.

/// Receives the progress of one transfer. Calls come from the task that awaits the transfer; they must not block.
pub trait Progress: Send + Sync {
    /// So much has to be sent or fetched; the rest of the artifact was there already. Called once, before anything moves.
    fn planned(&self, files: u64, bytes: u64);
    /// So much more has arrived.
    fn moved(&self, files: u64, bytes: u64);
}

/// Nobody watches.
impl Progress for () {
    fn planned(&self, _files: u64, _bytes: u64) {}

    fn moved(&self, _files: u64, _bytes: u64) {}
}
