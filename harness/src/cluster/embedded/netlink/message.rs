//! Writing netlink messages into one buffer, and reading their attributes.

/// Flags of a message header (`linux/netlink.h`).
pub(in super::super) mod flags {
    /// It asks for something; every message that we send does.
    pub(in super::super::super) const REQUEST: u16 = 0x1;
    /// Answer with an acknowledgement.
    pub(in super::super::super) const ACK: u16 = 0x4;
    /// Replace what is there.
    pub(in super::super::super) const REPLACE: u16 = 0x100;
    /// Fail where it is there already.
    pub(in super::super::super) const EXCL: u16 = 0x200;
    /// Return every object.
    #[cfg(test)]
    pub(in super::super::super) const DUMP: u16 = 0x300;
    /// Create it where it is not there.
    pub(in super::super::super) const CREATE: u16 = 0x400;
    /// Add it at the end.
    pub(in super::super::super) const APPEND: u16 = 0x800;
}

const HEADER: usize = 16;
const NESTED: u16 = 0x8000;
const TYPE_MASK: u16 = 0x3fff;

/// A sequence of messages that is sent with one call.
///
/// Integers are in host order unless a method says otherwise, as netlink wants them.
#[derive(Debug, Default)]
pub(in super::super) struct Messages {
    bytes: Vec<u8>,
    start: usize,
    sequence: u32,
    count: usize,
}

impl Messages {
    /// An empty sequence whose first message gets the number after `sequence`.
    pub(in super::super) fn after(sequence: u32) -> Self {
        Self { sequence, ..Self::default() }
    }

    /// The bytes of all messages.
    pub(in super::super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of the last message.
    pub(in super::super) fn last_sequence(&self) -> u32 {
        self.sequence
    }

    /// How many messages there are.
    pub(in super::super) fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Writes one message: its header, then what `body` writes.
    pub(in super::super) fn message(
        &mut self,
        kind: u16,
        flags: u16,
        body: impl FnOnce(&mut Self),
    ) {
        self.sequence += 1;
        self.count += 1;
        self.start = self.bytes.len();
        self.bytes.extend_from_slice(&0u32.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&(flags | self::flags::REQUEST).to_ne_bytes());
        self.bytes.extend_from_slice(&self.sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&0u32.to_ne_bytes());
        body(self);
        self.pad();
        let length = (self.bytes.len() - self.start) as u32;
        let start = self.start;
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// Asks for an acknowledgement of the message written last.
    pub(in super::super) fn acknowledge_last(&mut self) {
        let at = self.start + 6;
        let flags = u16::from_ne_bytes([self.bytes[at], self.bytes[at + 1]]) | self::flags::ACK;
        self.bytes[at..at + 2].copy_from_slice(&flags.to_ne_bytes());
    }

    /// Writes a fixed part, padded to four bytes.
    pub(in super::super) fn fixed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.pad();
    }

    /// Writes an attribute.
    ///
    /// # Panics
    /// Where the value does not fit the 16 bits of an attribute's length:
    /// callers split lists before.
    pub(in super::super) fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(value.len() + 4).expect("an attribute fits 16 bits of length");
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.pad();
    }

    /// Writes an attribute of one byte.
    pub(in super::super) fn u8(&mut self, kind: u16, value: u8) {
        self.attribute(kind, &[value]);
    }

    /// Writes an attribute of four bytes in host order.
    pub(in super::super) fn u32(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_ne_bytes());
    }

    /// Writes an attribute of two bytes in network order.
    pub(in super::super) fn be16(&mut self, kind: u16, value: u16) {
        self.attribute(kind, &value.to_be_bytes());
    }

    /// Writes an attribute of four bytes in network order.
    pub(in super::super) fn be32(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_be_bytes());
    }

    /// Writes an attribute of a text with its closing zero.
    pub(in super::super) fn text(&mut self, kind: u16, value: &str) {
        let mut bytes = Vec::with_capacity(value.len() + 1);
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(0);
        self.attribute(kind, &bytes);
    }

    /// Writes an attribute that holds what `body` writes.
    ///
    /// # Panics
    /// As [`Messages::attribute`].
    pub(in super::super) fn nested(&mut self, kind: u16, body: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&0u16.to_ne_bytes());
        self.bytes.extend_from_slice(&(kind | NESTED).to_ne_bytes());
        body(self);
        let length = u16::try_from(self.bytes.len() - start)
            .expect("a nested attribute fits 16 bits of length");
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// The attributes in a byte string: their kinds, without flag bits, and values.
/// A length that does not fit ends the sequence.
pub(in super::super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (header, _) = bytes.split_at_checked(4)?;
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & TYPE_MASK;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The messages in a received byte string: kind, flags, sequence and body.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (u16, u16, u32, &[u8])> {
    std::iter::from_fn(move || {
        let (header, _) = bytes.split_at_checked(HEADER)?;
        let word = |at: usize| {
            u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let half = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
        let length = word(0) as usize;
        let body = bytes.get(HEADER..length)?;
        let found = (half(4), half(6), word(8), body);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let mut written = Messages::after(6);
        written.message(16, flags::CREATE, |m| {
            m.fixed(&[1, 2, 3]);
            m.nested(5, |m| {
                m.text(1, "eth0");
                m.be16(2, 0x0102);
            });
        });
        written.acknowledge_last();
        let (kind, flags, sequence, body) = messages(written.bytes()).next().unwrap();
        assert_eq!((kind, sequence), (16, 7));
        assert_eq!(flags, self::flags::CREATE | self::flags::REQUEST | self::flags::ACK);
        let (kind, nested) = attributes(&body[4..]).next().unwrap();
        assert_eq!(kind, 5);
        let inner: Vec<_> = attributes(nested).collect();
        assert_eq!(inner, [(1, b"eth0\0".as_slice()), (2, [1, 2].as_slice())]);
    }

    #[test]
    fn broken_lengths_end_the_sequence() {
        assert_eq!(attributes(&[2, 0, 1, 0]).count(), 0);
        assert_eq!(attributes(&[200, 0, 1, 0, 9]).count(), 0);
        assert_eq!(messages(&[0; 16]).count(), 0);
    }
}
