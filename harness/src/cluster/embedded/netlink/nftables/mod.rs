//! nf_tables over netlink (`linux/netfilter/nf_tables.h`): tables, chains, sets and rules,
//! in transactions that the kernel carries out as a whole or not at all.
//!
//! The kernel checks lengths and names, not meaning: a wrong key loads and matches
//! something else. The dataplane's tests therefore read back what they loaded, and
//! send packets through it.

mod element;
mod expression;
mod transaction;

pub(in super::super) use element::{DataType, Element, Key, Set, Values};
pub(in super::super) use expression::{Base, Compare, Expressions, Meta, Register, Rewrite};
pub(in super::super) use transaction::{Hook, Transaction};

/// The netfilter family of tables for IPv4 and IPv6 alike.
pub(in super::super) const NFPROTO_INET: u8 = 1;

/// The verdicts that the dataplane gives (`linux/netfilter.h`, `enum nft_verdicts`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Verdict<'a> {
    /// The packet is gone.
    Drop,
    /// The packet has passed this base chain; the next one of the hook still sees it.
    Accept,
    /// On to another chain, and back after its end.
    Jump(&'a str),
    /// Back to behind the jump that led here.
    Return,
}

impl<'a> Verdict<'a> {
    fn code(self) -> i32 {
        match self {
            Self::Drop => 0,
            Self::Accept => 1,
            Self::Jump(_) => -3,
            Self::Return => -5,
        }
    }

    fn chain(self) -> Option<&'a str> {
        match self {
            Self::Jump(chain) => Some(chain),
            Self::Drop | Self::Accept | Self::Return => None,
        }
    }

    /// Writes `NFTA_DATA_VERDICT` with the code and the chain.
    fn write(self, m: &mut super::Messages) {
        m.nested(2, |m| {
            m.be32(1, self.code().cast_unsigned());
            if let Some(chain) = self.chain() {
                m.text(2, chain);
            }
        });
    }
}
