//! What connections hold of the memory of their server.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What one permit of the server's memory stands for, in bytes.
pub(crate) const MEMORY_UNIT: usize = 4 << 10;

/// Bytes that a connection may hold without asking: most never need more.
const FREE: usize = 64 << 10;

/// What one connection holds.
pub(crate) struct Memory {
    permits: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
}

impl Memory {
    pub(crate) fn new(permits: Arc<Semaphore>) -> Self {
        Self { permits, held: None }
    }

    /// Holds permits for `bytes`; `false` if there are not that many.
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        let wanted = if bytes <= FREE { 0 } else { bytes.div_ceil(MEMORY_UNIT) };
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if wanted <= held {
            if let Some(permit) = &mut self.held {
                drop(permit.split(held - wanted));
            }
            return true;
        }
        let Ok(missing) = u32::try_from(wanted - held) else { return false };
        let Ok(more) = self.permits.clone().try_acquire_many_owned(missing) else { return false };
        match &mut self.held {
            Some(permit) => permit.merge(more),
            None => self.held = Some(more),
        }
        true
    }
}
