//! The bytes that travel with the packets: a request with a nonce, and an answer
//! that says who answers and whom it saw.
//!
//! All numbers are big endian.
//!
//! | request: offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `RFrq` |
//! | 4 | 1 | version, [`VERSION`] |
//! | 5 | 1 | 1 where another request follows on the same connection, else zero |
//! | 6 | 2 | zero |
//! | 8 | 8 | nonce |
//!
//! | answer: offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `RFan` |
//! | 4 | 1 | version, [`VERSION`] |
//! | 5 | 1 | zero |
//! | 6 | 2 | length of the identity, at most [`MAX_IDENTITY`] |
//! | 8 | 8 | nonce of the request |
//! | 16 | 16 | source address that the server saw; IPv4 is mapped into IPv6 (RFC 4291, 2.5.5.2) |
//! | 32 | 2 | source port that the server saw |
//! | 34 | – | identity, UTF-8 |

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The version of both layouts.
pub const VERSION: u8 = 1;

/// Length of a request, in bytes.
pub const REQUEST_LENGTH: usize = 16;

/// The longest identity, in bytes: a namespace (63, RFC 1123 label), `/`, and a
/// pod's name (253, RFC 1123 subdomain).
pub const MAX_IDENTITY: usize = 63 + 1 + 253;

/// The longest answer, in bytes.
pub const MAX_ANSWER: usize = ANSWER_HEAD + MAX_IDENTITY;

const REQUEST_MAGIC: [u8; 4] = *b"RFrq";
const ANSWER_MAGIC: [u8; 4] = *b"RFan";
const ANSWER_HEAD: usize = 34;

/// Bytes that are not what was expected of the other end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// Something that does not speak this protocol.
    #[error("expected {what}, found {found:02x?}")]
    NotOurs {
        /// What was expected.
        what: &'static str,
        /// The first bytes that came, at most eight.
        found: Vec<u8>,
    },
    /// Another version of this protocol.
    #[error("expected version {VERSION} of the exchange, found {0}")]
    Version(u8),
    /// An identity that is too long or not UTF-8.
    #[error("expected an identity of at most {MAX_IDENTITY} bytes of UTF-8")]
    Identity,
}

/// A request on its way to a server.
pub fn request(nonce: u64) -> [u8; REQUEST_LENGTH] {
    let mut bytes = [0; REQUEST_LENGTH];
    bytes[..4].copy_from_slice(&REQUEST_MAGIC);
    bytes[4] = VERSION;
    bytes[8..].copy_from_slice(&nonce.to_be_bytes());
    bytes
}

/// A request after which others follow on the same connection: the server leaves it open.
pub fn lasting_request(nonce: u64) -> [u8; REQUEST_LENGTH] {
    let mut bytes = request(nonce);
    bytes[5] = 1;
    bytes
}

/// Whether others follow a request, of which at least the first six bytes are there.
pub(crate) fn lasts(bytes: &[u8]) -> bool {
    bytes.get(5) == Some(&1)
}

/// Reads a request's nonce; `None` while bytes are missing.
///
/// # Errors
/// As soon as what is there cannot become a request.
pub fn parse_request(bytes: &[u8]) -> Result<Option<u64>, ExchangeError> {
    check_head(bytes, REQUEST_MAGIC, "a probe's request")?;
    Ok(bytes.get(8..REQUEST_LENGTH).map(|nonce| u64::from_be_bytes(array(nonce))))
}

/// What a server says: who it is, and whom it saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The nonce of the request.
    pub nonce: u64,
    /// The source address and port that the server saw.
    pub seen: SocketAddr,
    /// The server's identity, such as `prod/db`.
    pub identity: &'a str,
}

impl<'a> Answer<'a> {
    /// Appends the answer's bytes. An identity beyond [`MAX_IDENTITY`] is cut at a character.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        let identity = cut(self.identity, MAX_IDENTITY);
        let address = match self.seen.ip() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        bytes.extend_from_slice(&ANSWER_MAGIC);
        bytes.extend_from_slice(&[VERSION, 0]);
        bytes.extend_from_slice(&u16::try_from(identity.len()).unwrap_or(0).to_be_bytes());
        bytes.extend_from_slice(&self.nonce.to_be_bytes());
        bytes.extend_from_slice(&address.octets());
        bytes.extend_from_slice(&self.seen.port().to_be_bytes());
        bytes.extend_from_slice(identity.as_bytes());
    }

    /// How many bytes it has, as it was read.
    pub const fn length(&self) -> usize {
        ANSWER_HEAD + self.identity.len()
    }

    /// Reads an answer; `None` while bytes are missing. Bytes after it are ignored.
    ///
    /// # Errors
    /// As soon as what is there cannot become an answer.
    pub fn parse(bytes: &'a [u8]) -> Result<Option<Self>, ExchangeError> {
        check_head(bytes, ANSWER_MAGIC, "a probe server's answer")?;
        let Some((head, rest)) = bytes.split_at_checked(ANSWER_HEAD) else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes(array(&head[6..8])));
        if length > MAX_IDENTITY {
            return Err(ExchangeError::Identity);
        }
        let Some(identity) = rest.get(..length) else { return Ok(None) };
        let identity = std::str::from_utf8(identity).map_err(|_| ExchangeError::Identity)?;
        let address = Ipv6Addr::from(array::<16>(&head[16..32])).to_canonical();
        let seen = SocketAddr::new(address, u16::from_be_bytes(array(&head[32..34])));
        Ok(Some(Self { nonce: u64::from_be_bytes(array(&head[8..16])), seen, identity }))
    }
}

fn check_head(bytes: &[u8], magic: [u8; 4], what: &'static str) -> Result<(), ExchangeError> {
    let present = bytes.len().min(magic.len());
    if bytes[..present] != magic[..present] {
        let found = bytes[..bytes.len().min(8)].to_vec();
        return Err(ExchangeError::NotOurs { what, found });
    }
    match bytes.get(4) {
        Some(&version) if version != VERSION => Err(ExchangeError::Version(version)),
        _ => Ok(()),
    }
}

/// The caller has sliced exactly `N` bytes.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}

fn cut(text: &str, longest: usize) -> &str {
    let end = (0..=longest.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        let rows = bytes
            .chunks(16)
            .map(|row| row.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "));
        rows.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn golden_bytes() {
        expect![[r#"52 46 72 71 01 00 00 00 01 02 03 04 05 06 07 08"#]]
            .assert_eq(&hex(&request(0x0102_0304_0506_0708)));

        let mut bytes = Vec::new();
        let seen = "10.1.2.3:40000".parse().unwrap();
        Answer { nonce: 7, seen, identity: "prod/db" }.write(&mut bytes);
        expect![[r#"
            52 46 61 6e 01 00 00 07 00 00 00 00 00 00 00 07
            00 00 00 00 00 00 00 00 00 00 ff ff 0a 01 02 03
            9c 40 70 72 6f 64 2f 64 62"#]]
        .assert_eq(&hex(&bytes));

        bytes.clear();
        let seen = "[fd00::1]:443".parse().unwrap();
        Answer { nonce: u64::MAX, seen, identity: "" }.write(&mut bytes);
        expect![[r#"
            52 46 61 6e 01 00 00 00 ff ff ff ff ff ff ff ff
            fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01
            01 bb"#]]
        .assert_eq(&hex(&bytes));
    }

    #[test]
    fn says_what_is_wrong() {
        let cases: [(&[u8], ExchangeError); 4] = [
            (
                b"HTTP/1.1 400",
                ExchangeError::NotOurs {
                    what: "a probe server's answer",
                    found: b"HTTP/1.1".to_vec(),
                },
            ),
            (b"RFan\x02", ExchangeError::Version(2)),
            (&[b"RFan\x01\0\xff\xff".as_slice(), &[0; 26]].concat(), ExchangeError::Identity),
            (
                &[b"RFan\x01\0\0\x01".as_slice(), &[0; 26], &[0xff]].concat(),
                ExchangeError::Identity,
            ),
        ];
        for (bytes, error) in cases {
            assert_eq!(Answer::parse(bytes), Err(error));
        }
    }

    #[test]
    fn an_identity_that_is_too_long_is_cut_at_a_character() {
        let mut bytes = Vec::new();
        let identity = "é".repeat(MAX_IDENTITY);
        Answer { nonce: 1, seen: "[::1]:1".parse().unwrap(), identity: &identity }
            .write(&mut bytes);
        assert_eq!(Answer::parse(&bytes).unwrap().unwrap().identity, "é".repeat(MAX_IDENTITY / 2));
    }

    proptest! {
        #[test]
        fn answers_round_trip_and_every_prefix_waits(
            nonce: u64,
            address in any::<IpAddr>(),
            port: u16,
            identity in "[a-z0-9.-]{1,63}/[a-z0-9.-]{1,253}",
        ) {
            // An IPv4 address that was mapped into IPv6 comes back as IPv4.
            let seen = SocketAddr::new(address.to_canonical(), port);
            let answer = Answer { nonce, seen, identity: &identity };
            let mut bytes = Vec::new();
            answer.write(&mut bytes);
            prop_assert!(bytes.len() <= MAX_ANSWER);
            prop_assert_eq!(answer.length(), bytes.len());
            prop_assert_eq!(Answer::parse(&bytes), Ok(Some(answer)));
            for end in 0..bytes.len() {
                prop_assert_eq!(Answer::parse(&bytes[..end]), Ok(None));
            }
        }

        #[test]
        fn requests_round_trip_and_every_prefix_waits(nonce: u64) {
            let bytes = request(nonce);
            let lasting = lasting_request(nonce);
            prop_assert_eq!((lasts(&bytes), lasts(&lasting)), (false, true));
            prop_assert_eq!(parse_request(&lasting), Ok(Some(nonce)));
            prop_assert_eq!(parse_request(&bytes), Ok(Some(nonce)));
            for end in 0..bytes.len() {
                prop_assert_eq!(parse_request(&bytes[..end]), Ok(None));
            }
        }

        #[test]
        fn parsing_never_panics(
            magic in prop::sample::select(vec![&b""[..], b"RFan", b"RFan\x01", b"RFrq\x01"]),
            bytes: Vec<u8>,
        ) {
            let bytes = [magic, &bytes].concat();
            let _ = Answer::parse(&bytes);
            let _ = parse_request(&bytes);
        }
    }
}
