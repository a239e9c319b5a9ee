//! Asking the kernel for single TCP connections (`sock_diag(7)`).
//!
//! Reading `/proc/net/tcp` walks the table of the whole machine's connections, which takes
//! 5 ms where it has 262,144 buckets and nothing in them; a connection whose both ends are known
//! is found in 5 µs.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket,
    sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::half_open::HalfOpen;

/// `SOCK_DIAG_BY_FAMILY` in `linux/sock_diag.h`.
const BY_FAMILY: u16 = 20;

/// `TCP_SYN_RECV` in the kernel's `tcp_states.h`.
const SYN_RECV: u8 = 3;

/// A `struct nlmsghdr` (16 bytes) and a `struct inet_diag_req_v2` (56).
const REQUEST_LENGTH: u32 = 72;

/// How long an answer may take; the kernel gives it while it is asked.
const ANSWER_SECONDS: i64 = 1;

/// Those of the candidates that are half open in the calling thread's network namespace.
///
/// # Errors
/// Where the kernel cannot be asked so. It answers for a listener's port with the connection or
/// else with the listener itself; that neither is there means a kernel without `tcp_diag`.
pub(crate) fn half_open(candidates: &HashSet<HalfOpen>) -> io::Result<HashSet<HalfOpen>> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let protocol = SockProtocol::NetlinkSockDiag;
    let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
    setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::seconds(ANSWER_SECONDS))?;
    let mut found = HashSet::new();
    let mut buffer = [0; 4096];
    for candidate in candidates {
        send(fd.as_raw_fd(), &request(candidate), MsgFlags::empty())?;
        let length = loop {
            match recv(fd.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => {}
                other => break other?,
            }
        };
        if state(&buffer[..length])? == SYN_RECV {
            found.insert(*candidate);
        }
    }
    Ok(found)
}

fn request(candidate: &HalfOpen) -> Vec<u8> {
    let HalfOpen { listener, client } = candidate;
    let family = if listener.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let mut bytes = Vec::with_capacity(REQUEST_LENGTH as usize);
    bytes.extend(REQUEST_LENGTH.to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    // NLM_F_REQUEST, without NLM_F_DUMP: this very connection.
    bytes.extend(1_u16.to_ne_bytes());
    // Sequence and port: one question at a time needs neither.
    bytes.extend([0; 8]);
    // Both constants fit their byte.
    bytes.extend([family, libc::IPPROTO_TCP].map(|constant| constant as u8));
    // No extensions; padding; every state.
    bytes.extend([0, 0]);
    bytes.extend(u32::MAX.to_ne_bytes());
    bytes.extend(listener.port().to_be_bytes());
    bytes.extend(client.port().to_be_bytes());
    bytes.extend(address(listener));
    bytes.extend(address(client));
    // Any interface, and no cookie (INET_DIAG_NOCOOKIE).
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend([0xff; 8]);
    bytes
}

/// The address in the first of sixteen bytes.
fn address(end: &SocketAddr) -> [u8; 16] {
    let mut bytes = [0; 16];
    match end.ip() {
        IpAddr::V4(ip) => bytes[..4].copy_from_slice(&ip.octets()),
        IpAddr::V6(ip) => bytes = ip.octets(),
    }
    bytes
}

/// The state in an answer: the second byte of its `struct inet_diag_msg`.
fn state(answer: &[u8]) -> io::Result<u8> {
    let cut = || io::Error::new(io::ErrorKind::InvalidData, "a netlink answer was cut short");
    let kind = answer.get(4..6).ok_or_else(cut)?;
    if kind == BY_FAMILY.to_ne_bytes() {
        return answer.get(17).copied().ok_or_else(cut);
    }
    // NLMSG_ERROR starts with a negative error number.
    let code = answer.get(16..).and_then(|body| body.first_chunk()).ok_or_else(cut)?;
    Err(io::Error::from_raw_os_error(i32::from_ne_bytes(*code).saturating_neg()))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_kernel_is_asked_for_one_connection() {
        for local in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(server) = TcpListener::bind(local) else { continue };
            let listener = server.local_addr().unwrap();
            let connected = TcpStream::connect(listener).unwrap();
            let fd = socket(
                AddressFamily::Netlink,
                SockType::Raw,
                SockFlag::SOCK_CLOEXEC,
                SockProtocol::NetlinkSockDiag,
            )
            .unwrap();
            let ask = |listener, client| {
                let mut buffer = [0; 4096];
                let question = request(&HalfOpen { listener, client });
                send(fd.as_raw_fd(), &question, MsgFlags::empty()).unwrap();
                let length = recv(fd.as_raw_fd(), &mut buffer, MsgFlags::empty()).unwrap();
                state(&buffer[..length])
            };
            let client = connected.local_addr().unwrap();
            let nobody = SocketAddr::new(client.ip(), 1);
            // ESTABLISHED, LISTEN, and nothing at all.
            assert_eq!(ask(listener, client).unwrap(), 1);
            assert_eq!(ask(listener, nobody).unwrap(), 10);
            assert_eq!(ask(nobody, client).unwrap_err().kind(), io::ErrorKind::NotFound);
        }
    }
}
