//! Whether a network is a pod's in its first moment.

use std::net::{Ipv4Addr, UdpSocket};
use std::{fs, io};

/// What a network has sent: connections that were begun, and datagrams (RFC 4022,
/// `tcpActiveOpens`; RFC 4113, `udpOutDatagrams`). The kernel counts them for each network
/// namespace, which outlives the containers of its pod.
const SENT: [(&str, &[&str]); 2] = [
    ("/proc/thread-self/net/snmp", &["Tcp:ActiveOpens", "Udp:OutDatagrams"]),
    ("/proc/thread-self/net/snmp6", &["Udp6OutDatagrams"]),
];

/// Leaves a mark in a network in which nothing was sent yet: a datagram to itself.
///
/// # Errors
/// Where something was sent before, or nobody can tell.
pub(super) fn mark() -> io::Result<()> {
    for (path, counters) in SENT {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            // A kernel without IPv6 has sent nothing by it.
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.ends_with('6') => {
                continue;
            }
            Err(error) => return Err(io::Error::new(error.kind(), format!("`{path}`: {error}"))),
        };
        for counter in counters {
            let found = count(&text, counter)
                .ok_or_else(|| io::Error::other(format!("no `{counter}` in `{path}`")))?;
            if found > 0 {
                return Err(io::Error::other(format!(
                    "expected a network that has sent nothing yet, found `{counter}` at {found}"
                )));
            }
        }
    }
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.send_to(&[], socket.local_addr()?).map(drop)
}

/// A counter of `/proc/net/snmp` (`Tcp:ActiveOpens`, in a line of names and one of numbers) or
/// of `/proc/net/snmp6` (a name and a number on each line).
fn count(text: &str, counter: &str) -> Option<u64> {
    match counter.split_once(':') {
        Some((group, name)) => {
            let mut lines =
                text.lines().filter_map(|line| line.strip_prefix(group)?.strip_prefix(':'));
            let at = lines.next()?.split_whitespace().position(|word| word == name)?;
            lines.next()?.split_whitespace().nth(at)?.parse().ok()
        }
        None => text.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some(counter)).then(|| words.next()?.parse().ok())?
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_name() {
        let snmp = "Tcp: RtoMin ActiveOpens\nTcp: 200 7\nUdp: InDatagrams OutDatagrams\nUdp: 1 2\n";
        assert_eq!(count(snmp, "Tcp:ActiveOpens"), Some(7));
        assert_eq!(count(snmp, "Udp:OutDatagrams"), Some(2));
        assert_eq!(count(snmp, "Udp:NoPorts"), None);
        assert_eq!(count("Ip6InReceives \t3\nUdp6OutDatagrams \t4\n", "Udp6OutDatagrams"), Some(4));
    }

    /// Where something was sent once, it is nobody's first moment any more.
    #[test]
    fn a_mark_is_left_once_at_most() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.send_to(&[], socket.local_addr().unwrap()).unwrap();
        let found = mark().unwrap_err().to_string();
        assert!(found.starts_with("expected a network that has sent nothing yet"), "{found}");
    }
}
