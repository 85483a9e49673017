//! A client with another time for one message.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use super::Client;

/// A [`Client`] whose next messages have a time of their own, until this is dropped: what
/// [`Client::timeout`] returns.
#[must_use = "it changes nothing until a message is sent with it"]
pub struct Timeout<'a> {
    client: &'a mut Client,
    before: Option<Duration>,
}

impl<'a> Timeout<'a> {
    pub(super) fn new(client: &'a mut Client, time: Duration) -> Self {
        let before = client.given.replace(time);
        Self { client, before }
    }
}

impl Deref for Timeout<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.client
    }
}

impl DerefMut for Timeout<'_> {
    fn deref_mut(&mut self) -> &mut Client {
        self.client
    }
}

impl Drop for Timeout<'_> {
    fn drop(&mut self) {
        self.client.given = self.before;
    }
}

impl fmt::Debug for Timeout<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timeout").field(&self.given).field(&self.client).finish()
    }
}
