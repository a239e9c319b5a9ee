//! SCTP packets for a handshake on raw sockets (RFC 9260), where the kernel has no SCTP.
//!
//! The client sends INIT with the exchange's request in a parameter of its own;
//! the server answers with INIT ACK, whose State Cookie carries the exchange's
//! answer, or with ABORT where nothing listens. The association ends there: no
//! COOKIE ECHO follows, so neither end keeps state. A packet filter sees a
//! handshake that starts like any other.

use socket2::{Domain, Protocol as Transport, Socket, Type};

use crate::Protocol;
use crate::exchange;
use crate::wire::Sctp;

/// CRC32c, which RFC 9260 appendix A asks for; it has no pseudo header, so addresses do not matter.
const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);

const COMMON_HEADER: usize = 12;
const CHUNK_HEADER: usize = 4;
/// Initiate tag, window, outbound and inbound streams, initial TSN (section 3.3.2).
const INIT_FIXED: usize = 16;

const CHUNK_INIT: u8 = 1;
const CHUNK_INIT_ACK: u8 = 2;
const CHUNK_ABORT: u8 = 6;

/// State Cookie (section 3.3.3.1.1).
const PARAMETER_COOKIE: u16 = 7;
/// A number of our own; its high bits 10 tell an endpoint that does not know it to skip it
/// and not to report it (section 3.2.1).
const PARAMETER_REQUEST: u16 = 0xBF52;

/// The advertised receiver window; at least 1500 (section 3.3.2).
const WINDOW: u32 = 65_536;

/// How SCTP can be spoken here: by the kernel's own sockets, else by raw ones, which need
/// `CAP_NET_RAW` in the network namespace, else not at all.
pub fn sctp_support() -> Sctp {
    let transport = Some(Transport::from(i32::from(Protocol::Sctp.number())));
    if Socket::new(Domain::IPV4, Type::STREAM, transport).is_ok() {
        Sctp::Kernel
    } else if Socket::new(Domain::IPV4, Type::RAW, transport).is_ok() {
        Sctp::Raw
    } else {
        Sctp::None
    }
}

/// The ports and the verification tag of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) source: u16,
    pub(crate) target: u16,
    pub(crate) tag: u32,
}

/// The first chunk of a packet, as far as a handshake goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunk<'a> {
    /// A client's first packet, with the exchange's request where the client is a prober.
    Init { initiate_tag: u32, request: &'a [u8] },
    /// A server's answer, with its State Cookie.
    InitAck { cookie: &'a [u8] },
    /// A refusal.
    Abort,
}

/// An initiate tag for one try: never zero (section 3.3.2), and seldom the same twice.
pub(crate) fn initiate_tag(nonce: u64, port: u16) -> u32 {
    let [a, b, c, d, e, f, g, h] = nonce.to_be_bytes();
    let [i, j] = port.to_be_bytes();
    CRC.checksum(&[a, b, c, d, e, f, g, h, i, j]).max(1)
}

/// A client's INIT.
pub(crate) fn init(source: u16, target: u16, initiate_tag: u32, nonce: u64) -> Vec<u8> {
    let header = Header { source, target, tag: 0 };
    let request = exchange::request(nonce);
    packet(header, CHUNK_INIT, &handshake(initiate_tag, PARAMETER_REQUEST, &request))
}

/// A server's INIT ACK to an INIT that came with `init`'s header and tag.
pub(crate) fn init_ack(init: Header, initiate_tag: u32, own_tag: u32, cookie: &[u8]) -> Vec<u8> {
    let header = Header { source: init.target, target: init.source, tag: initiate_tag };
    packet(header, CHUNK_INIT_ACK, &handshake(own_tag, PARAMETER_COOKIE, cookie))
}

/// A server's ABORT to an INIT for a port on which nothing listens: it carries the initiate
/// tag of the INIT, and the T bit is zero (section 8.4, rule 3).
pub(crate) fn abort(init: Header, initiate_tag: u32) -> Vec<u8> {
    let header = Header { source: init.target, target: init.source, tag: initiate_tag };
    packet(header, CHUNK_ABORT, &[])
}

fn handshake(initiate_tag: u32, parameter: u16, value: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(INIT_FIXED + 4 + value.len());
    body.extend_from_slice(&initiate_tag.to_be_bytes());
    body.extend_from_slice(&WINDOW.to_be_bytes());
    body.extend_from_slice(&1u16.to_be_bytes());
    body.extend_from_slice(&1u16.to_be_bytes());
    body.extend_from_slice(&initiate_tag.to_be_bytes());
    body.extend_from_slice(&parameter.to_be_bytes());
    body.extend_from_slice(&length_field(4 + value.len()));
    body.extend_from_slice(value);
    body
}

fn packet(header: Header, chunk: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(COMMON_HEADER + CHUNK_HEADER + body.len() + 3);
    bytes.extend_from_slice(&header.source.to_be_bytes());
    bytes.extend_from_slice(&header.target.to_be_bytes());
    bytes.extend_from_slice(&header.tag.to_be_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&[chunk, 0]);
    // The length leaves out the padding of the last parameter (section 3.2).
    bytes.extend_from_slice(&length_field(CHUNK_HEADER + body.len()));
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let checksum = CRC.checksum(&bytes);
    // Appendix A: the least significant byte of the CRC travels first.
    bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Cookies and requests are a few hundred bytes at most.
fn length_field(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

/// Reads a packet from its common header on. `None` for whatever is damaged, truncated or no
/// part of a handshake; such packets are not answered (section 6.8).
pub(crate) fn parse(bytes: &[u8]) -> Option<(Header, Chunk<'_>)> {
    let (head, rest) = bytes.split_at_checked(COMMON_HEADER)?;
    let header =
        Header { source: u16_at(head, 0)?, target: u16_at(head, 2)?, tag: u32_at(head, 4)? };
    let mut digest = CRC.digest();
    digest.update(&head[..8]);
    digest.update(&[0; 4]);
    digest.update(rest);
    if digest.finalize().to_le_bytes() != head[8..12] {
        return None;
    }
    let length = usize::from(u16_at(rest, 2)?);
    let body = rest.get(CHUNK_HEADER..length)?;
    let chunk = match rest[0] {
        CHUNK_INIT => Chunk::Init {
            initiate_tag: u32_at(body, 0)?,
            request: parameter(body, PARAMETER_REQUEST).unwrap_or_default(),
        },
        CHUNK_INIT_ACK => {
            Chunk::InitAck { cookie: parameter(body, PARAMETER_COOKIE).unwrap_or_default() }
        }
        CHUNK_ABORT => Chunk::Abort,
        _ => return None,
    };
    Some((header, chunk))
}

/// The value of the first parameter of a kind, after the fixed part of INIT or INIT ACK.
fn parameter(body: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut rest = body.get(INIT_FIXED..)?;
    loop {
        let (kind, length) = (u16_at(rest, 0)?, usize::from(u16_at(rest, 2)?));
        let value = rest.get(4..length)?;
        if kind == wanted {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

/// The part of an IPv4 packet behind its header; a raw socket receives both (raw(7)).
pub(crate) fn behind_ipv4_header(packet: &[u8]) -> Option<&[u8]> {
    let words = usize::from(packet.first()? & 0x0f);
    packet.get(words * 4..)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes([bytes[0], bytes[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn golden_init() {
        let bytes = init(40_000, 9_999, 0x0102_0304, 7);
        let hex: Vec<String> =
            bytes.chunks(4).map(|word| word.iter().map(|b| format!("{b:02x}")).collect()).collect();
        expect!["9c40270f 00000000 7f33f1ba 01000028 01020304 00010000 00010001 01020304 bf520014 52467271 01000000 00000000 00000007"].assert_eq(&hex.join(" "));
    }

    #[test]
    fn a_handshake_and_a_refusal_are_read_back() {
        let bytes = init(40_000, 9_999, 5, 7);
        let (header, chunk) = parse(&bytes).unwrap();
        assert_eq!(header, Header { source: 40_000, target: 9_999, tag: 0 });
        let Chunk::Init { initiate_tag: 5, request } = chunk else { panic!("{chunk:?}") };
        assert_eq!(exchange::parse_request(request), Ok(Some(7)));

        // A cookie whose length asks for padding.
        let bytes = init_ack(header, 5, 6, b"cookie!");
        let (back, chunk) = parse(&bytes).unwrap();
        assert_eq!(back, Header { source: 9_999, target: 40_000, tag: 5 });
        assert_eq!(chunk, Chunk::InitAck { cookie: b"cookie!" });
        assert_eq!(bytes.len() % 4, 0);

        let bytes = abort(header, 5);
        assert_eq!(parse(&bytes), Some((back, Chunk::Abort)));
    }

    #[test]
    fn a_foreign_parameter_before_ours_is_stepped_over() {
        let mut body = handshake(5, 0x8000, &[]);
        body.extend_from_slice(&handshake(5, PARAMETER_COOKIE, b"here")[INIT_FIXED..]);
        let bytes = packet(Header { source: 1, target: 2, tag: 3 }, CHUNK_INIT_ACK, &body);
        assert_eq!(parse(&bytes).unwrap().1, Chunk::InitAck { cookie: b"here" });
    }

    #[test]
    fn a_damaged_packet_is_not_read() {
        let bytes = init(40_000, 9_999, 5, 7);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert_eq!(parse(&damaged), None, "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(chunk: u8, body: Vec<u8>, bytes: Vec<u8>) {
            let _ = parse(&bytes);
            let _ = behind_ipv4_header(&bytes);
            let _ = parameter(&body, PARAMETER_COOKIE);
            let header = Header { source: 1, target: 2, tag: 3 };
            let _ = parse(&packet(header, chunk, &body));
        }
    }
}
