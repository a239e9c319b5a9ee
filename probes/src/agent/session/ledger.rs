//! The account of a session's numbered messages, the same on both sides.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::frame::{self, FrameError};
use crate::wire::Message;

/// A frame as it travels; shared, because it is kept until it is acknowledged.
pub type Frame = Arc<[u8]>;

/// A count that cannot be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a count of received messages from {from} to {to}, found {found}")]
pub(super) struct OutOfStep {
    from: u64,
    to: u64,
    found: u64,
}

/// What was sent and is not acknowledged, and how much was received.
///
/// Numbers are not in the frames: a stream keeps their order, so both sides count.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// How many of the messages pushed were acknowledged, and are kept no more.
    acknowledged: u64,
    kept: VecDeque<Frame>,
    /// Of those kept, how many went out on this connection.
    sent: usize,
    /// The length of those kept.
    bytes: usize,
    received: u64,
    /// What the other side knows of `received`.
    told: u64,
}

impl Ledger {
    /// Adds a message to those to be sent.
    pub(super) fn push(&mut self, message: &Message) -> Result<(), FrameError> {
        let frame: Frame = frame::encode(message)?.into();
        self.bytes += frame.len();
        self.kept.push_back(frame);
        Ok(())
    }

    /// Counts a message that was received.
    pub(super) fn count(&mut self) {
        self.received += 1;
    }

    /// How many messages were received.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// How many bytes wait for the other side's word that they arrived.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The other side has received this many.
    pub(super) fn acknowledge(&mut self, received: u64) -> Result<(), OutOfStep> {
        let to = self.acknowledged + self.sent as u64;
        self.forget(received, to)
    }

    /// A new connection begins, on which the other side says that it has received this many:
    /// whatever else was sent has been lost, and goes out again.
    pub(super) fn resume(&mut self, received: u64) -> Result<(), OutOfStep> {
        let to = self.acknowledged + self.kept.len() as u64;
        self.forget(received, to)?;
        self.sent = 0;
        self.told = self.received;
        Ok(())
    }

    fn forget(&mut self, received: u64, to: u64) -> Result<(), OutOfStep> {
        if !(self.acknowledged..=to).contains(&received) {
            return Err(OutOfStep { from: self.acknowledged, to, found: received });
        }
        while self.acknowledged < received {
            let frame = self.kept.pop_front();
            self.bytes -= frame.map_or(0, |frame| frame.len());
            self.sent = self.sent.saturating_sub(1);
            self.acknowledged += 1;
        }
        Ok(())
    }

    /// The next frame for this connection: what was received, once for however many messages,
    /// else the next message.
    pub(super) fn next(&mut self) -> Option<Frame> {
        if self.told < self.received {
            self.told = self.received;
            let frame = frame::encode(&Message::Acknowledge { received: self.received });
            return frame.ok().map(Frame::from);
        }
        let frame = self.kept.get(self.sent)?;
        self.sent += 1;
        Some(Arc::clone(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(ledger: &mut Ledger) -> Vec<Message> {
        let frames = std::iter::from_fn(|| ledger.next());
        frames.map(|frame| frame::read(&mut &*frame).unwrap().unwrap()).collect()
    }

    fn round(number: u64) -> Message {
        Message::Pong { number }
    }

    #[test]
    fn keeps_what_was_not_acknowledged_and_sends_it_again() {
        let mut ledger = Ledger::default();
        for number in 1..=4 {
            ledger.push(&round(number)).unwrap();
        }
        assert_eq!(numbers(&mut ledger), [round(1), round(2), round(3), round(4)]);
        assert_eq!(numbers(&mut ledger), []);
        ledger.acknowledge(1).unwrap();
        ledger.acknowledge(1).unwrap();
        ledger.resume(3).unwrap();
        assert_eq!(numbers(&mut ledger), [round(4)]);
        ledger.acknowledge(4).unwrap();
        assert_eq!(ledger.bytes(), 0);
    }

    #[test]
    fn says_once_how_much_was_received() {
        let mut ledger = Ledger::default();
        ledger.push(&round(1)).unwrap();
        ledger.count();
        ledger.count();
        assert_eq!(numbers(&mut ledger), [Message::Acknowledge { received: 2 }, round(1)]);
        ledger.count();
        // The count travels with the new connection's first frames.
        ledger.resume(1).unwrap();
        assert_eq!(numbers(&mut ledger), []);
    }

    #[test]
    fn refuses_counts_that_cannot_be() {
        let mut ledger = Ledger::default();
        for number in 1..=3 {
            ledger.push(&round(number)).unwrap();
        }
        ledger.next();
        assert_eq!(ledger.acknowledge(2), Err(OutOfStep { from: 0, to: 1, found: 2 }));
        ledger.acknowledge(1).unwrap();
        assert_eq!(ledger.acknowledge(0), Err(OutOfStep { from: 1, to: 1, found: 0 }));
        assert_eq!(ledger.resume(4), Err(OutOfStep { from: 1, to: 3, found: 4 }));
    }
}
