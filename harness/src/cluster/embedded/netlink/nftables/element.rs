//! Sets and verdict maps, and what is in them.

use super::super::Messages;
use super::Verdict;

/// How many elements go into one message: well below the 64 KB of one attribute.
pub(super) const ELEMENTS_PER_MESSAGE: usize = 512;

/// What a part of a set's key is. The kernel only keeps the number, for programs that list
/// the rules (`nft`'s own numbering of types).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super::super) enum DataType {
    /// An interface index, in host order.
    Interface = 4,
    /// An IPv4 address.
    Ipv4 = 7,
    /// An IPv6 address.
    Ipv6 = 8,
    /// A transport protocol.
    Protocol = 12,
    /// A port.
    Port = 13,
}

impl DataType {
    /// Bytes in a key: every part fills whole registers of four bytes.
    const fn length(self) -> u32 {
        match self {
            Self::Ipv6 => 16,
            _ => 4,
        }
    }
}

/// What the elements of a set carry beside their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super::super) enum Values<'a> {
    /// Nothing: a set.
    None,
    /// Verdicts: a verdict map.
    Verdicts,
    /// Keys of these parts: a map.
    Keys(&'a [DataType]),
}

/// A set, a map or a verdict map.
#[derive(Debug, Clone, Copy)]
pub(in super::super::super) struct Set<'a> {
    /// Its name in the table.
    pub(in super::super::super) name: &'a str,
    /// The parts of a key.
    pub(in super::super::super) key: &'a [DataType],
    /// Whether its elements are the bounds of ranges.
    pub(in super::super::super) interval: bool,
    /// What its elements carry.
    pub(in super::super::super) values: Values<'a>,
    /// How many elements it will ever hold; with a known size the kernel takes a fixed table.
    pub(in super::super::super) size: Option<usize>,
}

impl Set<'_> {
    /// Writes the attributes after the table's name. `id` is the set's number within its transaction.
    pub(super) fn write(&self, m: &mut Messages, id: u32) {
        let kind = |key: &[DataType]| key.iter().fold(0, |kind, part| kind << 6 | *part as u32);
        let length = |key: &[DataType]| key.iter().map(|part| part.length()).sum();
        const INTERVAL: u32 = 1 << 2;
        const MAP: u32 = 1 << 3;
        let mut flags = if self.interval { INTERVAL } else { 0 };
        if self.values != Values::None {
            flags |= MAP;
        }
        m.text(2, self.name); // NFTA_SET_NAME
        m.be32(3, flags); // NFTA_SET_FLAGS
        m.be32(4, kind(self.key)); // NFTA_SET_KEY_TYPE
        m.be32(5, length(self.key)); // NFTA_SET_KEY_LEN
        let values = match self.values {
            Values::None => None,
            Values::Verdicts => Some((0xffff_ff00, 16)), // a verdict, in a register
            Values::Keys(parts) => Some((kind(parts), length(parts))),
        };
        if let Some((kind, length)) = values {
            m.be32(6, kind); // NFTA_SET_DATA_TYPE
            m.be32(7, length); // NFTA_SET_DATA_LEN
        }
        if let Some(size) = self.size.filter(|_| !self.interval) {
            let size = u32::try_from(size.max(1)).expect("a set's size fits 32 bits");
            m.nested(9, |m| m.be32(1, size)); // NFTA_SET_DESC, NFTA_SET_DESC_SIZE
        }
        m.be32(10, id); // NFTA_SET_ID
    }
}

/// A key: parts of four bytes or multiples of it, one after the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super::super) struct Key {
    bytes: [u8; 32],
    length: usize,
}

impl Key {
    /// The key with another part behind, padded with zeroes as registers are.
    ///
    /// # Panics
    /// Beyond two IPv6 addresses.
    pub(in super::super::super) fn with(mut self, part: &[u8]) -> Self {
        self.bytes[self.length..self.length + part.len()].copy_from_slice(part);
        self.length += part.len().next_multiple_of(4);
        self
    }

    /// Its bytes.
    pub(in super::super::super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// An element of a set or verdict map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super::super) enum Element<'a> {
    /// A key, or the first key of a range.
    Key(Key),
    /// The first key behind a range.
    RangeEnd(Key),
    /// A key with a verdict.
    Verdict(Key, Verdict<'a>),
    /// A key with another one as its value.
    Value(Key, Key),
}

impl Element<'_> {
    /// Writes the element as `NFTA_LIST_ELEM`.
    pub(super) fn write(&self, m: &mut Messages) {
        let (Self::Key(key) | Self::RangeEnd(key) | Self::Verdict(key, _) | Self::Value(key, _)) =
            self;
        m.nested(1, |m| {
            m.nested(1, |m| m.attribute(1, key.bytes())); // NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE
            match self {
                Self::Key(_) => {}
                Self::RangeEnd(_) => m.be32(3, 1), // NFTA_SET_ELEM_FLAGS: NFT_SET_ELEM_INTERVAL_END
                // NFTA_SET_ELEM_DATA, and in it NFTA_DATA_VALUE
                Self::Value(_, value) => m.nested(2, |m| m.attribute(1, value.bytes())),
                Self::Verdict(_, verdict) => m.nested(2, |m| verdict.write(m)), // NFTA_SET_ELEM_DATA
            }
        });
    }
}
