//! Calls in flight, where they are not futures.

use std::time::Instant;

use crate::contender::Result;
use crate::count::{Counts, SAMPLED};
use crate::message::Small;
use crate::stop::Stop;

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

/// [`Contender::pump`](crate::Contender::pump) of a connection on which messages go out and come
/// back: for each that has come, the next one goes out.
pub fn by_messages<C, M: Small>(
    connection: &mut C,
    in_flight: usize,
    stop: &Stop,
    send: impl Fn(&mut C, M) -> Result<()>,
    receive: impl Fn(&mut C) -> Result<M>,
) -> Result<Counts> {
    let mut flight = Flight::new(in_flight);
    for id in 0..in_flight as u64 {
        flight.begin(id);
        send(connection, M::new(id))?;
    }
    let mut left = in_flight;
    while left > 0 {
        let message = receive(connection)?;
        flight.end(message.id())?;
        if stop.is_over() {
            left -= 1;
        } else {
            flight.begin(message.id());
            send(connection, message)?;
        }
    }
    Ok(flight.counts())
}
