//! What a client writes, and what it makes of the answers.

use driver::{Message, Result, Small};

use crate::frame::{Frame, Kind, message, put_message};
use crate::session::Input;

/// One-way messages in one write.
const ONE_WAY: usize = 512;

/// Calls that are in flight at once, and come back in order.
pub(crate) struct Requests<const TYPES: bool> {
    messages: Vec<Message>,
    /// As they are written; where they are not typed, they stay the same.
    pub(crate) frames: Vec<u8>,
    back: usize,
}

impl<const TYPES: bool> Requests<TYPES> {
    pub(crate) fn calls(in_flight: usize) -> Result<Self> {
        Self::of(Kind::Call, in_flight)
    }

    pub(crate) fn one_way() -> Result<Self> {
        Self::of(Kind::OneWay, ONE_WAY)
    }

    fn of(kind: Kind, number: usize) -> Result<Self> {
        let messages = (0..number).map(|id| Message::new(id as u64)).collect();
        let mut requests = Self { messages, frames: Vec::new(), back: 0 };
        requests.write(kind)?;
        Ok(requests)
    }

    /// One call with this message, or with those bytes that are there already.
    #[inline]
    pub(crate) fn one(&mut self, message: &Message) -> Result<()> {
        self.back = 0;
        if TYPES {
            self.frames.clear();
            put_message(Kind::Call, message, &mut self.frames)?;
        }
        Ok(())
    }

    fn write(&mut self, kind: Kind) -> Result<()> {
        self.frames.clear();
        self.messages.iter().try_for_each(|message| put_message(kind, message, &mut self.frames))
    }

    /// They are to be sent again.
    #[inline]
    pub(crate) fn again(&mut self, kind: Kind) -> Result<()> {
        self.back = 0;
        if TYPES { self.write(kind) } else { Ok(()) }
    }

    /// Takes the answers that are there; whether that was the last one.
    #[inline]
    pub(crate) fn answered(&mut self, input: &mut Input) -> Result<bool> {
        while self.back < self.messages.len() {
            let Some(frame) = input.frame() else { return Ok(false) };
            if TYPES {
                let message = message(input.at(frame.body()))?;
                if message.id != self.messages[self.back].id {
                    return Err("the reply to another call".into());
                }
                self.messages[self.back] = message;
            }
            self.back += 1;
        }
        Ok(true)
    }

    /// Each of the frames.
    pub(crate) fn each(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        std::iter::from_fn(move || {
            let frame = Frame::at(start, &self.frames).ok()?;
            start = frame.all.end;
            Some(&self.frames[frame.all])
        })
    }

    pub(crate) fn number(&self) -> u64 {
        self.messages.len() as u64
    }
}
