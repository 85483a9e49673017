//! Calls in flight, where they are not futures.

use std::time::Instant;

use crate::contender::Result;
use crate::count::{Counts, SAMPLED};

/// What a contender keeps of the calls that it has in flight when they are messages back and forth:
/// for [`Contender::pump`](crate::Contender::pump), in place of a task for each.
#[derive(Debug)]
pub struct Flight {
    /// For each id, when its call began: where its time is taken.
    starts: Vec<Option<Instant>>,
    begun: usize,
    counts: Counts,
}

impl Flight {
    /// For calls with ids below `in_flight`, each at most once at a time.
    pub fn new(in_flight: usize) -> Self {
        Self { starts: vec![None; in_flight], begun: 0, counts: Counts::default() }
    }

    /// The call with that id goes out.
    pub fn begin(&mut self, id: u64) {
        self.begun += 1;
        if self.begun.is_multiple_of(SAMPLED)
            && let Some(start) = self.starts.get_mut(id as usize)
        {
            *start = Some(Instant::now());
        }
    }

    /// Its reply has come.
    ///
    /// # Errors
    ///
    /// When there is no such call.
    pub fn end(&mut self, id: u64) -> Result<()> {
        match self.starts.get_mut(id as usize).ok_or("the reply to another call")?.take() {
            Some(start) => self.counts.timed(start.elapsed()),
            None => self.counts.calls += 1,
        }
        Ok(())
    }

    /// The calls that have come back.
    pub fn counts(self) -> Counts {
        self.counts
    }
}
