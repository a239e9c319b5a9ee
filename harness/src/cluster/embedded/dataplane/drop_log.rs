//! What the packet log says of drops (`linux/netfilter/nfnetlink_log.h`).

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::socket::{setsockopt, sockopt};
use ringfence_probe::Report;
use ringfence_probe::wire::Evidence;

use super::super::netlink::{Family, NetlinkError, Socket, attributes};
use super::ruleset::Ruleset;
use crate::model::{Name, Protocol};

/// The group of the packet log that drops go to; each network namespace has its own.
pub(super) const GROUP: u16 = 1;

const SUBSYSTEM: u16 = 4; // NFNL_SUBSYS_ULOG
const PACKET: u16 = SUBSYSTEM << 8; // NFULNL_MSG_PACKET
const CONFIG: u16 = SUBSYSTEM << 8 | 1; // NFULNL_MSG_CONFIG

/// How much of each packet is copied: the longest IPv4 header or the IPv6 one, and the ports.
const COPIED: u32 = 96;

/// Log texts that are longer than the kernel carries, by what it carries instead. One node's
/// packet filter fills it, and its packet log reads it.
#[derive(Debug, Clone, Default)]
pub(super) struct LongTexts(Arc<Mutex<HashMap<String, String>>>);

impl LongTexts {
    /// Remembers the texts of a ruleset. Those of earlier rulesets stay: their packets may
    /// still be unread.
    pub(super) fn learn(&self, ruleset: &Ruleset) {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for log in ruleset.logs() {
            if log.is_long() {
                texts.insert(log.prefix.clone(), log.text.clone());
            }
        }
    }

    fn text(&self, prefix: String) -> String {
        let texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        texts.get(&prefix).cloned().unwrap_or(prefix)
    }
}

/// The packet log of one node.
#[derive(Debug)]
pub(in super::super) struct DropLog {
    node: Name,
    socket: Socket,
    texts: LongTexts,
    buffer: Vec<u8>,
}

impl DropLog {
    /// Listens to the packet log of the calling thread's network namespace. Texts that are
    /// too long for the kernel to carry appear by a short name: `Dataplane::drop_log` makes
    /// a log that knows them.
    pub(in super::super) fn open(node: Name) -> Result<Self, NetlinkError> {
        Self::with_texts(node, LongTexts::default())
    }

    pub(super) fn with_texts(node: Name, texts: LongTexts) -> Result<Self, NetlinkError> {
        let socket = Socket::open(Family::Netfilter)?;
        // Beyond net.core.rmem_max only for root of the machine; more is welcome, not needed.
        let wanted = 8 << 20;
        if setsockopt(&socket.as_fd(), sockopt::RcvBufForce, &wanted).is_err() {
            setsockopt(&socket.as_fd(), sockopt::RcvBuf, &wanted).map_err(io::Error::from)?;
        }
        let [high, low] = GROUP.to_be_bytes();
        let mut messages = socket.messages();
        messages.message(CONFIG, 0, |m| {
            m.fixed(&[0, 0, high, low]); // struct nfgenmsg
            m.u8(1, 1); // NFULA_CFG_CMD: NFULNL_CFG_CMD_BIND
        });
        socket.execute(&mut messages)?;
        let mut messages = socket.messages();
        messages.message(CONFIG, 0, |m| {
            m.fixed(&[0, 0, high, low]);
            let [a, b, c, d] = COPIED.to_be_bytes();
            m.attribute(2, &[a, b, c, d, 2, 0]); // NFULA_CFG_MODE: NFULNL_COPY_PACKET
            m.be32(5, 1); // NFULA_CFG_QTHRESH: send each packet at once
        });
        socket.execute(&mut messages)?;
        Ok(Self { node, socket, texts, buffer: vec![0; 64 << 10] })
    }

    /// Hands over every drop that was logged since the last time. Does not wait. Where drops
    /// came faster than they were read, or the socket failed, some are missing: a drop without
    /// its record is not confirmed, and has to be tried again.
    pub(in super::super) fn read(&mut self, sink: &mut dyn FnMut(Report)) {
        let (node, texts) = (&self.node, &self.texts);
        let _ = self.socket.drain(&mut self.buffer, |kind, body| {
            if kind != PACKET {
                return;
            }
            let (mut packet, mut prefix) = (&[][..], String::new());
            for (kind, value) in attributes(body.get(4..).unwrap_or_default()) {
                match kind {
                    9 => packet = value, // NFULA_PAYLOAD
                    10 => {
                        // NFULA_PREFIX, with its closing zero
                        prefix = String::from_utf8_lossy(value).trim_end_matches('\0').to_owned();
                    }
                    _ => {}
                }
            }
            if let Some((protocol, source, target)) = ends(packet) {
                let evidence = Evidence { node: node.to_string(), text: texts.text(prefix) };
                sink(Report { protocol, source, target, evidence });
            }
        });
    }
}

impl AsFd for DropLog {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Protocol, source and destination of a packet that starts with its IP header (RFC 791,
/// RFC 8200); `None` for what has no ports. Probes send no IPv6 extension headers.
fn ends(packet: &[u8]) -> Option<(Protocol, SocketAddr, SocketAddr)> {
    let address4 = |at: usize| {
        let bytes = packet.get(at..)?.first_chunk::<4>()?;
        Some(IpAddr::V4(Ipv4Addr::from(*bytes)))
    };
    let address6 = |at: usize| {
        let bytes = packet.get(at..)?.first_chunk::<16>()?;
        Some(IpAddr::V6(Ipv6Addr::from(*bytes)))
    };
    let (protocol, source, target, header) = match packet.first()? >> 4 {
        4 => (packet.get(9)?, address4(12)?, address4(16)?, usize::from(packet[0] & 15) * 4),
        6 => (packet.get(6)?, address6(8)?, address6(24)?, 40),
        _ => return None,
    };
    let protocol = Protocol::from_number(*protocol)?;
    let port = |at: usize| Some(u16::from_be_bytes(*packet.get(at..)?.first_chunk()?));
    let source = SocketAddr::new(source, port(header)?);
    Some((protocol, source, SocketAddr::new(target, port(header + 2)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_packets() {
        let mut packet = vec![0x46, 0, 0, 28, 0, 0, 0, 0, 64, 132, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend([1, 1, 1, 0]); // an option
        packet.extend([0x9c, 0x40, 0x27, 0x0f]);
        let expected = ("10.0.0.1:40000".parse().unwrap(), "10.0.0.2:9999".parse().unwrap());
        assert_eq!(ends(&packet), Some((Protocol::Sctp, expected.0, expected.1)));
        for length in 0..packet.len() {
            assert_eq!(ends(&packet[..length]), None, "{length} bytes");
        }

        let mut packet = vec![0x60, 0, 0, 0, 0, 8, 17, 64];
        packet.extend("fd00::1".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend("fd00::2".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend([0x9c, 0x40, 0, 53]);
        let expected = ("[fd00::1]:40000".parse().unwrap(), "[fd00::2]:53".parse().unwrap());
        assert_eq!(ends(&packet), Some((Protocol::Udp, expected.0, expected.1)));

        packet[6] = 58; // ICMPv6
        assert_eq!(ends(&packet), None);
    }
}
