//! From what a handler returns to the bytes of its reply.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use pin_project_lite::pin_project;

use super::{Code, Failure, Here, IntoReply, Rejection};
use crate::codec::{BodyMut, EncodeError, Encoded};
use crate::limits::MAX_REPLY;

/// How the reply to a message is written.
#[doc(hidden)]
pub struct Answer<M, T, E> {
    pub(crate) reply: fn(&T, &mut BodyMut<'_>) -> Result<(), EncodeError>,
    pub(crate) rejection: fn(E) -> Rejection,
    pub(crate) message: PhantomData<fn(M)>,
}

impl<M, T, E> Clone for Answer<M, T, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M, T, E> Copy for Answer<M, T, E> {}

impl<M, T, E> Answer<M, T, E> {
    /// Appends the reply to `out`, which stays as it was when there is none.
    #[inline(always)]
    fn write(&self, reply: Result<T, Failure<E>>, out: &mut Vec<u8>) -> Written {
        let reply = match reply {
            Ok(reply) => reply,
            Err(Failure::App(error)) => return Err((self.rejection)(error)),
            Err(Failure::Rejected(rejection)) => return Err(rejection),
        };
        let before = out.len();
        let mut body = BodyMut::sharing(out, MAX_REPLY);
        let failed = |code| move |error| Rejection::from_encode(code, &error);
        let written = (self.reply)(&reply, &mut body)
            .map_err(failed(Code::Rejected))
            .and_then(|()| body.into_encoded().map_err(failed(Code::ReplyTooLarge)));
        if written.is_err() {
            out.truncate(before);
        }
        written
    }

    fn encode(&self, reply: Result<T, Failure<E>>) -> Outcome {
        let mut out = Vec::new();
        Ok(self.write(reply, &mut out)?.into_bytes(out))
    }
}

/// The reply to a message that has one.
#[doc(hidden)]
pub struct OneReply<'a, M, T, E> {
    answer: Answer<M, T, E>,
    start: Start<'a>,
}

/// How a handler begins.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Start<'a> {
    /// It may run at once.
    pub(crate) here: Option<&'a Here<'a>>,
    pub(crate) name: &'static str,
}

impl<'a, M, T, E> From<(Answer<M, T, E>, Start<'a>)> for OneReply<'a, M, T, E> {
    fn from((answer, start): (Answer<M, T, E>, Start<'a>)) -> Self {
        Self { answer, start }
    }
}

impl<M: 'static, T: 'static, E: 'static> OneReply<'_, M, T, E> {
    /// The handler is an `async fn`.
    pub fn with_output_of<Fut, K>(self, future: Fut) -> Result<Running, Rejection>
    where
        Fut: Future + Send + 'static,
        Fut::Output: IntoReply<M, T, E, K>,
        K: 'static,
    {
        let answer = self.answer;
        let handling = Answering { future, answer, kind: PhantomData::<fn(K)> };
        let Start { here, name } = self.start;
        Ok(Running(match here {
            // What its own `poll` does, but with the answer as it is known here, not as it is stored
            // there: a compiler that knows its functions writes the reply in this place.
            Some(here) => here.run(handling, name, |handling, cx, out| {
                let returned = ready!(handling.project().future.poll(cx));
                Poll::Ready(answer.write(returned.into_reply(), out))
            }),
            None => Started::Waiting(Work::Future(Box::pin(handling))),
        }))
    }

    /// The handler is a plain `fn` that may block.
    pub fn with_result_of<F, R, K>(self, function: F) -> Result<Running, Rejection>
    where
        F: FnOnce() -> R + Send + 'static,
        R: IntoReply<M, T, E, K>,
    {
        let answer = self.answer;
        let work = Work::Blocking(Box::new(move || answer.encode(function().into_reply())));
        Ok(Running(Started::Waiting(work)))
    }
}

/// A handler under way: its reply as bytes, or why there is none.
#[doc(hidden)]
pub struct Running(pub(crate) Started);

pub(crate) type Outcome = Result<Bytes, Rejection>;

/// A reply that was appended to a buffer, or stands for itself.
pub(crate) type Written = Result<Encoded, Rejection>;

/// How far a handler is.
pub(crate) enum Started {
    /// Its code has not begun.
    Waiting(Work),
    /// It was polled once, and has to wait.
    Pending(Pin<Box<dyn Handling>>),
    Ended(Written),
}

pub(crate) enum Work {
    Future(Pin<Box<dyn Handling>>),
    Blocking(Box<dyn FnOnce() -> Outcome + Send>),
}

/// A handler that writes its reply where it is told when it has ended.
pub(crate) trait Handling: Send {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Written>;
}

pin_project! {
    struct Answering<Fut, M, T, E, K> {
        #[pin]
        future: Fut,
        answer: Answer<M, T, E>,
        kind: PhantomData<fn(K)>,
    }
}

impl<Fut, M, T, E, K> Handling for Answering<Fut, M, T, E, K>
where
    Fut: Future<Output: IntoReply<M, T, E, K>> + Send,
{
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<Written> {
        let this = self.project();
        let returned = ready!(this.future.poll(cx));
        Poll::Ready(this.answer.write(returned.into_reply(), out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Codec as _, Raw};

    #[test]
    fn a_reply_that_a_codec_cannot_write_is_not_one_that_is_too_large() {
        let answer = Answer::<(), Option<usize>, Rejection> {
            reply: |len, body| {
                let len = len.ok_or_else(|| EncodeError::new("no such value"))?;
                (0..len).for_each(|_| body.extend_from_slice(&[0; 1 << 20]));
                Ok(())
            },
            rejection: |rejection| rejection,
            message: PhantomData,
        };
        let code = |reply| answer.encode(Ok(reply)).map_err(|rejection| rejection.code());
        assert_eq!(code(None), Err(Code::Rejected));
        assert_eq!(code(Some(17)), Err(Code::ReplyTooLarge));
        assert!(code(Some(16)).is_ok());
    }

    #[test]
    fn a_large_reply_of_bytes_is_not_copied() {
        let answer = Answer::<(), Bytes, Rejection> {
            reply: Raw::encode,
            rejection: |rejection| rejection,
            message: PhantomData,
        };
        let reply = Bytes::from(vec![7; 1 << 20]);
        assert_eq!(answer.encode(Ok(reply.clone())).unwrap().as_ptr(), reply.as_ptr());
    }
}
