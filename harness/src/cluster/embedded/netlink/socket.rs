//! A netlink socket: sends a sequence of messages and waits for their acknowledgements.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, getsockopt, recv,
    send, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use super::super::sys;
use super::message::{Messages, attributes, messages};

const NLMSG_ERROR: u16 = 2;
#[cfg(test)]
const NLMSG_DONE: u16 = 3;
const NLM_F_ACK_TLVS: u16 = 0x200;
const NLMSGERR_ATTR_MSG: u16 = 1;

/// How long an answer may take. The kernel handles a request while it is sent, so
/// an answer that is not there by then will not come.
const ANSWER_SECONDS: i64 = 10;

/// Which part of the kernel a socket talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Family {
    /// Links, addresses, routes, neighbours (`rtnetlink(7)`).
    Route,
    /// nf_tables, the packet log, connection tracking.
    Netfilter,
}

/// The kernel refused a message.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum NetlinkError {
    /// The socket itself failed.
    #[error("netlink socket")]
    Io(#[from] io::Error),
    /// A message about an object that has a name was refused.
    #[error("the kernel refused {object}: {errno}{}", if .text.is_empty() { String::new() } else { format!(" ({text})") })]
    RefusedObject {
        /// What was to be done to which object.
        object: String,
        /// The error number.
        errno: Errno,
        /// The kernel's own words, where it has any.
        text: String,
    },
    /// A message was refused.
    #[error("the kernel refused netlink message {position}: {errno}{}", if .text.is_empty() { String::new() } else { format!(" ({text})") })]
    Refused {
        /// Which message of the sequence, from 1.
        position: usize,
        /// The error number.
        errno: Errno,
        /// The kernel's own words (`NLMSGERR_ATTR_MSG`), where it has any.
        text: String,
    },
}

/// A netlink socket, bound to the network namespace in which it was made.
#[derive(Debug)]
pub(in super::super) struct Socket {
    fd: OwnedFd,
    sequence: Cell<u32>,
}

impl Socket {
    /// Opens and binds a socket in the calling thread's network namespace.
    ///
    /// It is bound because an unbound socket has port id 0, which the kernel's
    /// multicasts skip silently.
    pub(in super::super) fn open(family: Family) -> Result<Self, NetlinkError> {
        let protocol = match family {
            Family::Route => SockProtocol::NetlinkRoute,
            Family::Netfilter => SockProtocol::NetlinkNetFilter,
        };
        let flags = SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)
            .map_err(io::Error::from)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 0)).map_err(io::Error::from)?;
        for option in [libc::NETLINK_CAP_ACK, libc::NETLINK_EXT_ACK, libc::NETLINK_GET_STRICT_CHK] {
            sys::set_option(fd.as_fd(), libc::SOL_NETLINK, option, 1)?;
        }
        // The kernel caps this at net.core.wmem_max for an ordinary user; callers
        // stay below what they are told by `send_limit`.
        setsockopt(&fd, sockopt::SndBuf, &(8 << 20)).map_err(io::Error::from)?;
        setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::seconds(ANSWER_SECONDS))
            .map_err(io::Error::from)?;
        Ok(Self { fd, sequence: Cell::new(0) })
    }

    /// The socket, for polling and options.
    pub(in super::super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// How many bytes one send may carry: the granted send buffer without the 32 bytes
    /// that `netlink_sendmsg` keeps back. More is refused with EMSGSIZE.
    pub(in super::super) fn send_limit(&self) -> Result<usize, NetlinkError> {
        let granted = getsockopt(&self.fd, sockopt::SndBuf).map_err(io::Error::from)?;
        Ok(granted.saturating_sub(32))
    }

    /// Hands every message that has already arrived to `each`: kind and body. Does not
    /// wait. An overrun of the receive buffer, which loses messages, is passed over.
    pub(in super::super) fn drain(
        &self,
        buffer: &mut [u8],
        mut each: impl FnMut(u16, &[u8]),
    ) -> Result<(), NetlinkError> {
        loop {
            match recv(self.fd.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(length) => {
                    for (kind, _, _, body) in messages(&buffer[..length]) {
                        each(kind, body);
                    }
                }
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR | Errno::ENOBUFS) => {}
                Err(errno) => return Err(io::Error::from(errno).into()),
            }
        }
    }

    /// An empty sequence of messages whose numbers continue this socket's.
    pub(in super::super) fn messages(&self) -> Messages {
        Messages::after(self.sequence.get())
    }

    /// Sends the messages and waits until the last one is acknowledged. The
    /// first refusal is the error.
    pub(in super::super) fn execute(&self, sent: &mut Messages) -> Result<(), NetlinkError> {
        if sent.is_empty() {
            return Ok(());
        }
        sent.acknowledge_last();
        self.execute_until(sent, sent.last_sequence())
    }

    /// As [`Socket::execute`], where the last acknowledged message is not the last one sent:
    /// the end marker of an nf_tables batch is not acknowledged by every kernel.
    pub(in super::super) fn execute_until(
        &self,
        sent: &Messages,
        last: u32,
    ) -> Result<(), NetlinkError> {
        self.exchange(sent, last, |_| {})
    }

    /// Sends the messages, hands the body of every answer to `each`, and waits until the
    /// last message is acknowledged. Answers must fit the receive buffer all at once.
    pub(in super::super) fn query(
        &self,
        sent: &mut Messages,
        each: impl FnMut(&[u8]),
    ) -> Result<(), NetlinkError> {
        if sent.is_empty() {
            return Ok(());
        }
        sent.acknowledge_last();
        self.exchange(sent, sent.last_sequence(), each)
    }

    fn exchange(
        &self,
        sent: &Messages,
        last: u32,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), NetlinkError> {
        self.sequence.set(sent.last_sequence());
        let first = sent.last_sequence() - sent.len() as u32 + 1;
        send(self.fd.as_raw_fd(), sent.bytes(), MsgFlags::empty()).map_err(io::Error::from)?;
        let mut refused = None;
        let mut buffer = vec![0; 64 << 10];
        loop {
            // A refusal may be the last word: a batch that is refused early is not
            // read to its end. What there is to read is there by then.
            let wait = if refused.is_some() { MsgFlags::MSG_DONTWAIT } else { MsgFlags::empty() };
            let length = match recv(self.fd.as_raw_fd(), &mut buffer, wait) {
                Ok(length) => length,
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(refused.unwrap_or_else(|| unanswered(errno))),
            };
            for (kind, flags, sequence, body) in messages(&buffer[..length]) {
                // An answer to an earlier sequence that failed early is stale.
                if sequence < first {
                    continue;
                }
                if kind != NLMSG_ERROR {
                    each(body);
                    continue;
                }
                let code = body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
                if code != 0 && refused.is_none() {
                    refused = Some(NetlinkError::Refused {
                        position: (sequence - first) as usize + 1,
                        errno: Errno::from_raw(-code),
                        text: error_text(flags, body),
                    });
                }
                if sequence == last {
                    return refused.map_or(Ok(()), Err);
                }
            }
        }
    }

    /// For tests that read back what was configured: sends one dump request and hands every message of the answer to `each`.
    #[cfg(test)]
    pub(in super::super) fn dump(
        &self,
        sent: &Messages,
        mut each: impl FnMut(u16, &[u8]),
    ) -> Result<(), NetlinkError> {
        self.sequence.set(sent.last_sequence());
        send(self.fd.as_raw_fd(), sent.bytes(), MsgFlags::empty()).map_err(io::Error::from)?;
        let mut buffer = vec![0; 128 << 10];
        loop {
            let length = match recv(self.fd.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(length) => length,
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(unanswered(errno)),
            };
            for (kind, flags, sequence, body) in messages(&buffer[..length]) {
                if sequence != sent.last_sequence() {
                    continue;
                }
                match kind {
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR => {
                        let code = body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
                        if code == 0 {
                            return Ok(());
                        }
                        return Err(NetlinkError::Refused {
                            position: 1,
                            errno: Errno::from_raw(-code),
                            text: error_text(flags, body),
                        });
                    }
                    _ => each(kind, body),
                }
            }
        }
    }
}

/// What a failed wait for an answer means.
fn unanswered(errno: Errno) -> NetlinkError {
    NetlinkError::Io(match errno {
        Errno::EAGAIN => io::Error::new(
            io::ErrorKind::TimedOut,
            format!("expected an answer from the kernel within {ANSWER_SECONDS} s, found none"),
        ),
        other => other.into(),
    })
}

/// The kernel's words behind an error: code, the refused header, then attributes
/// (`NETLINK_CAP_ACK` leaves the refused body out).
fn error_text(flags: u16, body: &[u8]) -> String {
    if flags & NLM_F_ACK_TLVS == 0 {
        return String::new();
    }
    attributes(body.get(20..).unwrap_or_default())
        .find(|(kind, _)| *kind == NLMSGERR_ATTR_MSG)
        .map(|(_, text)| String::from_utf8_lossy(text).trim_end_matches('\0').to_owned())
        .unwrap_or_default()
}
