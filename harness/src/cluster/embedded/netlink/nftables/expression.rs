//! The expressions that rules are made of. Each loads, compares or decides; a comparison
//! that does not hold ends the rule.

use super::super::Messages;
use super::Verdict;

/// Where values are loaded: registers of 32 bits, by number (`NFT_REG32_00` and on). A value
/// that is longer runs on into the next ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super::super) struct Register(pub(in super::super::super) u32);

impl Register {
    const fn number(self) -> u32 {
        8 + self.0 // NFT_REG32_00
    }
}

/// The number that a connection may be given (`NFT_CT_MARK`).
const CONNECTION_MARK: u32 = 3;

/// The number of the register that holds the verdict.
const VERDICT: u32 = 0; // NFT_REG_VERDICT

/// What is known of a packet beside its bytes (`enum nft_meta_keys`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super::super) enum Meta {
    /// The index of the interface it came in by, host order.
    InputInterface = 4,
    /// The index of the interface it goes out by, host order.
    OutputInterface = 5,
    /// Its netfilter family, one byte: 2 for IPv4, 10 for IPv6.
    Family = 15,
    /// Its transport protocol, one byte, behind all IPv6 extension headers.
    Protocol = 16,
}

/// From where an offset into the packet counts (`enum nft_payload_bases`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super::super) enum Base {
    /// The IP header.
    Network = 1,
    /// The header of the transport protocol.
    Transport = 2,
}

/// How two values are compared, byte by byte (`enum nft_cmp_ops`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super::super) enum Compare {
    /// They are the same.
    Equal = 0,
    /// They are not.
    NotEqual = 1,
}

/// Which end of a connection gets another address (`enum nft_nat_types`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super::super) enum Rewrite {
    /// The source.
    Source = 0,
    /// The destination.
    Destination = 1,
}

/// Writes a rule's expressions in order.
#[derive(Debug)]
pub(in super::super::super) struct Expressions<'a> {
    messages: &'a mut Messages,
}

impl<'a> Expressions<'a> {
    pub(super) fn new(messages: &'a mut Messages) -> Self {
        Self { messages }
    }

    /// `NFTA_LIST_ELEM` with the expression's name and its attributes.
    fn write(&mut self, name: &str, body: impl FnOnce(&mut Messages)) -> &mut Self {
        self.messages.nested(1, |m| {
            m.text(1, name); // NFTA_EXPR_NAME
            m.nested(2, body); // NFTA_EXPR_DATA
        });
        self
    }

    /// Loads what is known beside the packet's bytes.
    pub(in super::super::super) fn meta(&mut self, key: Meta, to: Register) -> &mut Self {
        self.write("meta", |m| {
            m.be32(2, key as u32);
            m.be32(1, to.number());
        })
    }

    /// Loads bytes of the packet.
    pub(in super::super::super) fn payload(
        &mut self,
        base: Base,
        offset: u32,
        length: u32,
        to: Register,
    ) -> &mut Self {
        self.write("payload", |m| {
            m.be32(1, to.number());
            m.be32(2, base as u32);
            m.be32(3, offset);
            m.be32(4, length);
        })
    }

    /// Goes on where the register compares so with the value.
    pub(in super::super::super) fn compare(
        &mut self,
        from: Register,
        how: Compare,
        value: &[u8],
    ) -> &mut Self {
        self.write("cmp", |m| {
            m.be32(1, from.number());
            m.be32(2, how as u32);
            m.nested(3, |m| m.attribute(1, value));
        })
    }

    /// Goes on where the register lies within the bounds, both included, byte by byte.
    pub(in super::super::super) fn range(
        &mut self,
        from: Register,
        first: &[u8],
        last: &[u8],
    ) -> &mut Self {
        self.write("range", |m| {
            m.be32(1, from.number());
            m.be32(2, 0); // NFT_RANGE_EQ
            m.nested(3, |m| m.attribute(1, first));
            m.nested(4, |m| m.attribute(1, last));
        })
    }

    /// Goes on where the set holds the key in the registers.
    pub(in super::super::super) fn lookup(&mut self, set: &str, from: Register) -> &mut Self {
        self.write("lookup", |m| {
            m.text(1, set);
            m.be32(2, from.number());
        })
    }

    /// Takes the verdict that the map has for the key in the registers, where it has one.
    pub(in super::super::super) fn verdict_map(&mut self, map: &str, from: Register) -> &mut Self {
        self.write("lookup", |m| {
            m.text(1, map);
            m.be32(2, from.number());
            m.be32(3, VERDICT);
        })
    }

    /// Goes on for packets of known connections, and for errors about them
    /// (`ct state established,related`).
    pub(in super::super::super) fn known_connection(&mut self) -> &mut Self {
        const ESTABLISHED: u32 = 1 << 1;
        const RELATED: u32 = 1 << 2;
        self.connection_state(ESTABLISHED | RELATED)
    }

    /// Goes on for packets that begin a connection (`ct state new`).
    pub(in super::super::super) fn new_connection(&mut self) -> &mut Self {
        const NEW: u32 = 1 << 3;
        self.connection_state(NEW)
    }

    fn connection_state(&mut self, any_of: u32) -> &mut Self {
        let register = Register(0);
        self.write("ct", |m| {
            m.be32(2, 0); // NFT_CT_STATE
            m.be32(1, register.number());
        })
        .write("bitwise", |m| {
            m.be32(1, register.number());
            m.be32(2, register.number());
            m.be32(3, 4);
            m.nested(4, |m| m.attribute(1, &any_of.to_ne_bytes()));
            m.nested(5, |m| m.attribute(1, &0u32.to_ne_bytes()));
        })
        .compare(register, Compare::NotEqual, &0u32.to_ne_bytes())
    }

    /// Goes on for packets of connections with this number (`ct mark`).
    pub(in super::super::super) fn numbered(&mut self, number: u32) -> &mut Self {
        let register = Register(0);
        self.write("ct", |m| {
            m.be32(2, CONNECTION_MARK);
            m.be32(1, register.number());
        })
        .compare(register, Compare::Equal, &number.to_ne_bytes())
    }

    /// Gives the packet's connection a number (`ct mark set`).
    pub(in super::super::super) fn number(&mut self, number: u32) -> &mut Self {
        let register = Register(0);
        self.value(&number.to_ne_bytes(), register).write("ct", |m| {
            m.be32(2, CONNECTION_MARK);
            m.be32(4, register.number()); // NFTA_CT_SREG
        })
    }

    /// Loads the port that the connection was dialled at, before a Service led it elsewhere
    /// (`ct original proto-dst`).
    pub(in super::super::super) fn dialled_port(&mut self, to: Register) -> &mut Self {
        self.write("ct", |m| {
            m.be32(2, 12); // NFT_CT_PROTO_DST
            m.be32(1, to.number());
            m.attribute(3, &[0]); // NFTA_CT_DIRECTION: IP_CT_DIR_ORIGINAL
        })
    }

    /// Loads the value that the map has for the key in the registers; goes on where it has one.
    pub(in super::super::super) fn map(
        &mut self,
        map: &str,
        from: Register,
        to: Register,
    ) -> &mut Self {
        self.write("lookup", |m| {
            m.text(1, map);
            m.be32(2, from.number());
            m.be32(3, to.number());
        })
    }

    /// Loads a value.
    pub(in super::super::super) fn value(&mut self, value: &[u8], to: Register) -> &mut Self {
        self.write("immediate", |m| {
            m.be32(1, to.number());
            m.nested(2, |m| m.attribute(1, value));
        })
    }

    /// Gives the connection another address, and another port where a register has one.
    /// `family` is the netfilter family of the address. It decides, too: the packet is accepted.
    pub(in super::super::super) fn rewrite(
        &mut self,
        end: Rewrite,
        family: u8,
        address: Register,
        port: Option<Register>,
    ) -> &mut Self {
        self.write("nat", |m| {
            m.be32(1, end as u32);
            m.be32(2, family.into());
            m.be32(3, address.number()); // NFTA_NAT_REG_ADDR_MIN
            if let Some(port) = port {
                m.be32(5, port.number()); // NFTA_NAT_REG_PROTO_MIN
            }
        })
    }

    /// Sends a copy of the packet with this text to the packet log's group
    /// (`nfnetlink_log`), one packet a message.
    pub(in super::super::super) fn log(&mut self, group: u16, prefix: &str) -> &mut Self {
        self.write("log", |m| {
            m.be16(1, group);
            m.text(2, prefix);
            m.be16(4, 1); // NFTA_LOG_QTHRESHOLD
        })
    }

    /// Decides.
    pub(in super::super::super) fn verdict(&mut self, verdict: Verdict<'_>) -> &mut Self {
        self.write("immediate", |m| {
            m.be32(1, VERDICT);
            m.nested(2, |m| verdict.write(m));
        })
    }
}
