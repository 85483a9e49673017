//! What the peer may send before it is given more.

use super::{SHORT_BODY, Session, Violation};
use crate::wire::hello::Terms;
use crate::wire::native::{Credit, CreditKind, Header, Kind};

/// A one-way message of theirs in hand: it is given back when its handler has ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Receipt {
    units: u32,
}

/// One-way messages of theirs whose handlers have ended: given back together.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    count: usize,
    units: u64,
}

impl Receipts {
    #[expect(clippy::needless_pass_by_value, reason = "it is given back once")]
    pub(crate) fn add(&mut self, receipt: Receipt) {
        self.count += 1;
        self.units += u64::from(receipt.units);
    }

    pub(crate) fn are_none(&self) -> bool {
        self.count == 0
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.count
    }
}

/// Units or bytes that the peer may send, and those that it is to be given back.
#[derive(Debug)]
pub(super) struct Grant {
    left: u64,
    due: u64,
}

impl Grant {
    pub(super) fn new(window: u64) -> Self {
        Self { left: window, due: 0 }
    }

    pub(super) fn spend(&mut self, amount: u64, what: &'static str) -> Result<(), Violation> {
        self.left = self.left.checked_sub(amount).ok_or(Violation::TooMany(what))?;
        Ok(())
    }

    pub(super) fn give_back(&mut self, amount: u64) {
        self.due += amount;
    }

    /// Whether the peer is to be given something now: it has less left than `enough`, with which
    /// nothing of it waits. To give it back sooner would be one more frame for each message.
    pub(super) fn is_due(&self, enough: u64) -> bool {
        self.due > 0 && self.left < enough
    }

    #[cfg(test)]
    pub(super) fn is_whole(&self, window: u64) -> bool {
        self.left + self.due == window
    }

    fn take_due(&mut self, enough: u64) -> Option<u32> {
        if !self.is_due(enough) {
            return None;
        }
        // No more is due than the window has, which is below this.
        let amount = u32::try_from(self.due).unwrap_or(u32::MAX);
        self.due -= u64::from(amount);
        self.left += u64::from(amount);
        Some(amount)
    }
}

/// What a one-way message of this length costs, but never more than the window.
pub(super) fn units(len: u64, window: u32) -> u32 {
    let window = u64::from(window).min(super::MOST_CREDIT);
    u32::try_from((1 + len / 1024).min(window)).unwrap_or(u32::MAX)
}

/// With how much credit of each kind no message of the peer has to wait.
pub(super) fn enough(ours: &Terms) -> [u64; 2] {
    let longest = ours.max_message;
    [units(longest, ours.notify_window).into(), longest.min(ours.body_window)]
}

impl Session {
    /// The handler of a one-way message has ended.
    pub(crate) fn notice_ended(&mut self, receipt: Receipt) {
        self.notices -= 1;
        self.notice_refused(receipt);
    }

    /// The handlers of these one-way messages have ended.
    #[expect(clippy::needless_pass_by_value, reason = "they are given back once")]
    pub(crate) fn notices_ended(&mut self, receipts: Receipts) {
        self.notices -= receipts.count;
        self.notify_grant.give_back(receipts.units);
    }

    /// Charges a one-way message of theirs.
    pub(super) fn charge_notice(&mut self, len: u64) -> Result<Receipt, Violation> {
        let units = units(len, self.ours.notify_window);
        self.notify_grant.spend(units.into(), "one-way messages without credit")?;
        Ok(Receipt { units })
    }

    /// A one-way message of theirs is not taken in, and will not be more of it than is there.
    #[expect(clippy::needless_pass_by_value, reason = "it is given back once")]
    pub(super) fn notice_refused(&mut self, receipt: Receipt) {
        self.notify_grant.give_back(receipt.units.into());
    }

    /// Charges a body of theirs, if it is long.
    pub(super) fn charge_body(&mut self, len: u64) -> Result<(), Violation> {
        if len > SHORT_BODY as u64 {
            self.body_grant.spend(len, "more bytes of long bodies than the window has")?;
        }
        Ok(())
    }

    /// A body of theirs was handed over, or is not wanted.
    pub(super) fn return_body(&mut self, len: u64) {
        if len > SHORT_BODY as u64 {
            self.body_grant.give_back(len);
        }
    }

    /// Whether the peer is owed credit that it may wait for.
    pub(super) fn owes_credit(&self) -> bool {
        let [notify, body] = self.enough;
        self.notify_grant.is_due(notify) || self.body_grant.is_due(body)
    }

    pub(super) fn give_credit(&mut self) {
        self.give_credit_below(self.enough);
    }

    /// Gives back all that is due, as if the peer had nothing left.
    #[cfg(test)]
    pub(super) fn give_all_credit(&mut self) {
        if !self.lost {
            self.give_credit_below([u64::MAX; 2]);
        }
    }

    fn give_credit_below(&mut self, [notify, body]: [u64; 2]) {
        let notify = self.notify_grant.take_due(notify).map(|amount| (CreditKind::Notify, amount));
        let body = self.body_grant.take_due(body).map(|amount| (CreditKind::Body, amount));
        for (kind, amount) in notify.into_iter().chain(body) {
            let body = Credit { kind, amount }.encode();
            self.output.plain(Header::new(Kind::Credit, 0), &body);
        }
    }
}
