//! Half-open connections: requests that reached a listener whose answer never came back.
//!
//! A TCP attempt whose SYN arrives but whose SYN-ACK is lost never reaches
//! `accept`; the kernel keeps it in state SYN_RECV and shows it in `/proc/net/tcp`
//! (`proc_net_tcp`, kernel documentation), to an ordinary user too.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const SYN_RECV: &str = "03";

/// Half-open connections in the calling thread's namespace: the listener's port, and who called.
pub(super) fn half_open() -> io::Result<HashSet<(u16, SocketAddr)>> {
    let mut found = HashSet::new();
    for file in ["tcp", "tcp6"] {
        match fs::read_to_string(format!("/proc/thread-self/net/{file}")) {
            Ok(table) => found.extend(table.lines().filter_map(parse)),
            // A kernel without IPv6 has no second table.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// `sl: local_address rem_address st …`; addresses are words in host order, in hexadecimal.
fn parse(line: &str) -> Option<(u16, SocketAddr)> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (local, remote, state) = (fields.next()?, fields.next()?, fields.next()?);
    if state != SYN_RECV {
        return None;
    }
    Some((address(local)?.port(), address(remote)?))
}

fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let word = u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    let address = match address.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let octets: [u8; 16] = words.concat().try_into().ok()?;
            // A listener of both families shows IPv4 callers as mapped addresses.
            Ipv6Addr::from(octets).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::*;

    #[test]
    fn only_half_open_connections_are_told() {
        let cases = [
            (
                "   1: 0502F40A:0050 0101F40A:9C40 03 00000000:00000000 01:00000064 00000001 0 0 0",
                Some((80, "10.244.1.1:40000")),
            ),
            (
                "   2: 100000FD000044020000000001000000:1F90 100000FD000044020000000002000000:9C40 03 0",
                Some((8080, "[fd00:10:244::2]:40000")),
            ),
            ("   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000", None),
            ("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt", None),
            ("", None),
        ];
        for (line, expected) in cases {
            let expected = expected.map(|(port, from)| (port, from.parse().unwrap()));
            assert_eq!(parse(line), expected, "{line}");
        }
    }
}
