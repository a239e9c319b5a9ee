//! TCP handshakes that a listener has begun and not finished.
//!
//! A connection whose SYN ACK is lost never reaches accept(2), so no nonce
//! arrives; but the kernel of the listener holds an entry in `SYN_RECV`, which
//! any user may read (`/proc/net/tcp`, proc_pid_net(5)).

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::wire::{AttemptResult, Round};
use crate::{Outcome, Protocol, diag};

/// `TCP_SYN_RECV` in the kernel's `tcp_states.h`.
const SYN_RECV: &str = "03";

/// A handshake that a listener answered and whose completion it has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HalfOpen {
    /// The listener's address and port.
    pub listener: SocketAddr,
    /// The client's address and port, as the listener sees them.
    pub client: SocketAddr,
}

/// The half-open handshakes in the calling thread's network namespace, both families.
///
/// The kernel keeps an entry for about a minute (`net.ipv4.tcp_synack_retries`), so there is time
/// to look after a round.
///
/// # Errors
/// When `/proc/thread-self/net/tcp` cannot be read.
pub fn half_open() -> io::Result<HashSet<HalfOpen>> {
    let mut found = parse(&fs::read_to_string("/proc/thread-self/net/tcp")?);
    match fs::read_to_string("/proc/thread-self/net/tcp6") {
        Ok(table) => found.extend(parse(&table)),
        // A kernel without IPv6.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(found)
}

/// Those of the candidates that are half open in the calling thread's network namespace.
///
/// The kernel is asked for each (`sock_diag(7)`); where it cannot be, its tables are read as
/// [`half_open`] does.
///
/// # Errors
/// When neither works.
pub fn half_open_among(candidates: &HashSet<HalfOpen>) -> io::Result<HashSet<HalfOpen>> {
    match diag::half_open(candidates) {
        Ok(found) => Ok(found),
        Err(_) => Ok(half_open()?.intersection(candidates).copied().collect()),
    }
}

/// Turns a silent TCP attempt into a lost reply where the listener's handshake is half open.
///
/// Addresses are compared as both ends know them: where the source or the target is rewritten
/// on the way, silence stays silence.
pub fn correlate_half_open(
    round: &Round,
    results: &mut [AttemptResult],
    half_open: &HashSet<HalfOpen>,
) {
    let tcp = round.attempts.iter().filter(|attempt| attempt.protocol == Protocol::Tcp);
    let targets: HashMap<u32, SocketAddr> =
        tcp.map(|attempt| (attempt.id, attempt.target)).collect();
    for result in results.iter_mut().filter(|result| result.outcome == Outcome::Dropped) {
        if let (Some(&listener), Some(client)) = (targets.get(&result.id), result.local)
            && half_open.contains(&HalfOpen { listener, client })
        {
            result.outcome = Outcome::ReplyLost;
            result.seen_source = Some(client.ip());
        }
    }
}

/// Reads a table; lines that are none of it are passed over.
fn parse(table: &str) -> HashSet<HalfOpen> {
    let entry = |line: &str| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (listener, client) = (fields.next()?, fields.next()?);
        if fields.next()? != SYN_RECV {
            return None;
        }
        Some(HalfOpen { listener: address(listener)?, client: address(client)? })
    };
    table.lines().skip(1).filter_map(entry).collect()
}

/// `0100007F:1F90`: the address as 32-bit words of the kernel's byte order, and the port.
fn address(field: &str) -> Option<SocketAddr> {
    let (address, port) = field.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let digits = address.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut octets = [0; 16];
            for (at, chunk) in octets.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(at)?);
            }
            IpAddr::V6(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a little-endian machine prints it.
    #[cfg(target_endian = "little")]
    #[test]
    fn reads_the_entries_in_syn_recv() {
        let table = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   1: 0200000A:0050 0100000A:9C40 03 00000000:00000000 01:00000063 00000000     0
   2: 0200000A:0050 0100000A:9C41 01 00000000:00000000 00:00000000 00000000     0
   3: 000000FD000000000000000002000000:0050 000000FD000000000000000001000000:9C42 03 0:0
   4: damaged
";
        let entry = |listener: &str, client: &str| HalfOpen {
            listener: listener.parse().unwrap(),
            client: client.parse().unwrap(),
        };
        let expected = HashSet::from([
            entry("10.0.0.2:80", "10.0.0.1:40000"),
            entry("[fd00::2]:80", "[fd00::1]:40002"),
        ]);
        assert_eq!(parse(table), expected);
    }
}
