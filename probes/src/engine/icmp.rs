//! ICMP errors, read from a socket's error queue (ip(7), `IP_RECVERR`).
//!
//! An errno alone cannot tell an ICMP error that came back from a route that is
//! missing here: both are `EHOSTUNREACH`. The queue names the origin, the type
//! and the code. TCP sockets have the queue too while they connect, since Linux
//! 5.8; there it is also the quickest way to learn of the error, because one that
//! arrives inside connect(2) does not end the connection attempt.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::libc;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use socket2::Socket;

use crate::{Family, Outcome};

/// An ICMP error about a packet that a socket sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IcmpError {
    family: Family,
    icmp_type: u8,
    icmp_code: u8,
    /// Who sent it.
    offender: Option<IpAddr>,
}

/// Asks the kernel to queue errors.
pub(crate) fn subscribe(socket: &Socket, family: Family) -> io::Result<()> {
    match family {
        Family::Ipv4 => setsockopt(socket, sockopt::Ipv4RecvErr, &true)?,
        Family::Ipv6 => setsockopt(socket, sockopt::Ipv6RecvErr, &true)?,
    }
    Ok(())
}

/// The first queued error that is about a packet for which `ours` holds; it is given the
/// packet's bytes from the transport header on, as far as the error quotes them.
pub(crate) fn take(socket: &Socket, ours: impl Fn(&[u8]) -> bool) -> Option<IcmpError> {
    let mut quoted = [0; 64];
    let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
    loop {
        let mut parts = [IoSliceMut::new(&mut quoted)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message =
            recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags);
        let message = match message {
            Ok(message) => message,
            Err(nix::Error::EINTR) => continue,
            Err(_) => return None,
        };
        let length = message.bytes;
        let error = message.cmsgs().ok().and_then(|mut messages| messages.find_map(read));
        if let Some(error) = error
            && error.ends_an_attempt()
            && ours(&quoted[..length])
        {
            return Some(error);
        }
    }
}

fn read(message: ControlMessageOwned) -> Option<IcmpError> {
    match message {
        ControlMessageOwned::Ipv4RecvErr(error, offender)
            if error.ee_origin == libc::SO_EE_ORIGIN_ICMP =>
        {
            let offender = offender
                .filter(|address| i32::from(address.sin_family) == libc::AF_INET)
                .map(|address| IpAddr::V4(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr))));
            let (icmp_type, icmp_code) = (error.ee_type, error.ee_code);
            Some(IcmpError { family: Family::Ipv4, icmp_type, icmp_code, offender })
        }
        ControlMessageOwned::Ipv6RecvErr(error, offender)
            if error.ee_origin == libc::SO_EE_ORIGIN_ICMP6 =>
        {
            let offender = offender
                .filter(|address| i32::from(address.sin6_family) == libc::AF_INET6)
                .map(|address| IpAddr::V6(Ipv6Addr::from(address.sin6_addr.s6_addr)));
            let (icmp_type, icmp_code) = (error.ee_type, error.ee_code);
            Some(IcmpError { family: Family::Ipv6, icmp_type, icmp_code, offender })
        }
        _ => None,
    }
}

impl IcmpError {
    /// Errors about a packet's size only tell the sender to send smaller ones: fragmentation
    /// needed (RFC 792), packet too big (RFC 4443).
    const fn ends_an_attempt(&self) -> bool {
        match self.family {
            Family::Ipv4 => !(self.icmp_type == 3 && self.icmp_code == 4),
            Family::Ipv6 => self.icmp_type != 2,
        }
    }

    /// What the error means for an attempt from `local`.
    pub(crate) fn outcome(&self, local: Option<SocketAddr>) -> Outcome {
        let Self { family, icmp_type, icmp_code, offender } = *self;
        // Destination unreachable; of its codes, "host unreachable" (IPv4) and "address
        // unreachable" (IPv6) are also what a host tells itself when no neighbour answers.
        // "Protocol unreachable" is a code of the former, and in IPv6 a parameter problem:
        // unrecognized next header (RFC 4443, 3.4).
        let (unreachable, neighbour) = match family {
            Family::Ipv4 => (icmp_type == 3, icmp_code == 1),
            Family::Ipv6 => (icmp_type == 1 || (icmp_type, icmp_code) == (4, 1), icmp_code == 3),
        };
        let own = offender.is_some() && offender == local.map(|local| local.ip());
        if unreachable && neighbour && own {
            let reason = "no neighbour answers for the next hop (the probing host's own ICMP \
                          error); check the target's address and the link";
            return Outcome::Broken { reason: reason.to_owned() };
        }
        if unreachable {
            return Outcome::Rejected { icmp_type, icmp_code };
        }
        let from = offender.map_or_else(|| "an unknown host".to_owned(), |from| from.to_string());
        let reason = format!(
            "expected an answer or a refusal, found ICMP type {icmp_type} code {icmp_code} from \
             {from}; check the routes"
        );
        Outcome::Broken { reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_rejection_from_a_fault_of_the_path() {
        let local: SocketAddr = "10.0.0.1:40000".parse().unwrap();
        let rejected = |icmp_type, icmp_code| Some(Outcome::Rejected { icmp_type, icmp_code });
        let cases = [
            (Family::Ipv4, 3, 13, "10.0.0.2", rejected(3, 13)),
            (Family::Ipv4, 3, 3, "10.0.0.1", rejected(3, 3)),
            (Family::Ipv4, 3, 1, "10.0.0.2", rejected(3, 1)),
            (Family::Ipv4, 3, 1, "10.0.0.1", None),
            (Family::Ipv4, 11, 0, "10.0.0.2", None),
            (Family::Ipv6, 1, 1, "fd00::2", rejected(1, 1)),
            (Family::Ipv6, 3, 0, "fd00::2", None),
            (Family::Ipv6, 4, 1, "fd00::2", rejected(4, 1)),
            (Family::Ipv6, 4, 0, "fd00::2", None),
        ];
        for (family, icmp_type, icmp_code, offender, expected) in cases {
            let offender = Some(offender.parse().unwrap());
            let found = IcmpError { family, icmp_type, icmp_code, offender }.outcome(Some(local));
            match expected {
                Some(expected) => assert_eq!(found, expected),
                None => assert!(matches!(found, Outcome::Broken { .. }), "{found:?}"),
            }
        }
    }
}
