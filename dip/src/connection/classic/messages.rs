//! Messages that have arrived: dispatched, answered.

use std::cell::RefCell;
use std::sync::atomic::Ordering::Relaxed;
use std::task;
use std::time::Instant;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Answer, Answered, Connection, InHand, Known, MAX_OUTPUT, WATCH, shutting_down};
use crate::builtin::SetConnectionId;
use crate::codec::{Body, DecodeLimits, Encoded};
use crate::context::Envelope;
use crate::dispatch::{Arrival, Dispatched, Sender};
use crate::limits;
use crate::peer::Peer;
use crate::protocol::Protocol;
use crate::reply::{Code, Here, Places, Rejection};
use crate::session::classic::Event;
use crate::wire::classic::SET_CONNECTION_ID;

/// Messages that are answered at once before they are counted against the time of the task.
const AT_ONCE: usize = 64;

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Takes messages in hand until one has to be waited for; says how many were answered at once.
    pub(super) fn take_in_hand(&mut self, cx: &task::Context<'_>) -> usize {
        let mut at_once = 0;
        while self.in_hand.is_none() && self.session.output().len() < MAX_OUTPUT {
            let Some(event) = self.session.poll_event(&Known(&self.service)) else { break };
            let started = Instant::now();
            let unwatched = *self.unwatched.get_or_insert(started);
            let (mtype, bytes, dispatched) = match event {
                Event::Refused(mtype, why) => {
                    if why.code() == Code::UnknownType {
                        self.service.totals().unknown.fetch_add(1, Relaxed);
                    } else {
                        self.service.routes().refused(mtype.into());
                    }
                    (mtype, 0, Dispatched::Done(Err(why)))
                }
                Event::Message(mtype, body) => {
                    (mtype, body.len(), self.dispatch(mtype, body, started, cx))
                }
            };
            match dispatched {
                Dispatched::Done(written)
                    if at_once < AT_ONCE
                        && !self.session.is_in_doubt()
                        && unwatched.elapsed() <= WATCH =>
                {
                    at_once += 1;
                    self.reply(mtype, bytes, started, &written.map(drop));
                }
                Dispatched::Done(written) => {
                    let answer = Answer::There(written.map(drop));
                    self.in_hand = Some(InHand { mtype, bytes, started, answer });
                }
                Dispatched::Running(running) => {
                    let answer = Answer::Running(running);
                    self.in_hand = Some(InHand { mtype, bytes, started, answer });
                }
            }
        }
        at_once
    }

    fn dispatch(
        &mut self,
        mtype: u8,
        body: Bytes,
        now: Instant,
        cx: &task::Context<'_>,
    ) -> Dispatched {
        if self.draining {
            return Dispatched::Done(Err(shutting_down()));
        }
        if mtype == SET_CONNECTION_ID {
            let limits = DecodeLimits::for_body(body.len());
            let id = SetConnectionId::decode(Body::from(body), &limits);
            let answer = id.map_err(|error| Rejection::from_decode(&error)).map(|id| {
                self.peer = Peer::new(self.connected.clone(), Some(id.0));
                self.service.peers().rename(&self.peer);
                Encoded::Copied
            });
            if let Some(to) = self.service.routes().byte(mtype) {
                to.counters.count.fetch_add(1, Relaxed);
                to.counters.ended(answer.is_ok());
            }
            return Dispatched::Done(answer);
        }
        let Self { service, peer, queue, spare, lane, .. } = &*self;
        let to = service.routes().byte(mtype);
        if let Some(to) = to {
            to.counters.count.fetch_add(1, Relaxed);
        }
        let deadline = limits::end(now, service.limits().handler_cap);
        let body = Body::from(body);
        let arrival = Arrival {
            envelope: Envelope {
                number: mtype.into(),
                known: to.map(|to| to.protocol),
                deadline,
                native: false,
                request: None,
                trace: None,
            },
            to,
            nested: false,
        };
        let (places, unheard) = (RefCell::new(Places::of_thread()), RefCell::default());
        let here = Here { waker: cx.waker(), places: &places, replies: &unheard };
        let sender = Sender {
            service,
            peer,
            queue,
            spare,
            lane,
            would_deadlock: &|_| false,
            here: Some(&here),
        };
        let dispatched = sender.dispatch(&arrival, body);
        places.into_inner().keep();
        dispatched
    }

    pub(super) fn reply(&mut self, mtype: u8, bytes: usize, started: Instant, answer: &Answered) {
        let written = self.session.reply(answer.as_ref().copied());
        self.memory.hold(self.session.buffered(0));
        let to = self.service.routes().byte(mtype);
        let name = || to.map_or("", |to| (to.protocol.name)());
        let peer = self.connected.id.0;
        if !written {
            self.service.totals().late_replies.fetch_add(1, Relaxed);
            if to.is_none_or(|to| to.counters.late.fetch_add(1, Relaxed) == 0) {
                tracing::warn!(
                    peer,
                    mtype,
                    name = name(),
                    took = ?started.elapsed(),
                    "a reply was due so late that its sender had given up: it is not written (said once)",
                );
            }
        }
        let outcome = match answer {
            _ if !written => "late",
            Ok(_) => "ok",
            Err(rejection) => rejection.class(),
        };
        let took = || started.elapsed();
        tracing::debug!(target: "dip::message", peer, mtype, name = name(), bytes, took = ?took(), outcome);
    }
}
