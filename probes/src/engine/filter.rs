//! Socket filters for raw SCTP sockets (classic BPF, the kernel's `networking/filter.rst`).
//!
//! A raw socket gets a copy of every SCTP packet of its namespace. Packets that
//! nobody wants must not fill a server's buffer: a kernel whose raw sockets are
//! all full answers "protocol unreachable", which would look like a verdict. A
//! client's socket is connected and gets its peer's packets only, so it needs a
//! filter, which costs 40 µs, only where very many ask the same peer.

use nix::libc;
use socket2::{SockFilter, Socket};

use crate::Family;

/// Lets a client's socket have what is for its port and carries its tag.
pub(crate) fn only_answers(socket: &Socket, family: Family, port: u16, initiate_tag: u32) {
    attach(
        socket,
        &[
            sctp_header(family),
            load(libc::BPF_H, 2),
            unless(u32::from(port), 3),
            load(libc::BPF_W, 4),
            unless(initiate_tag, 1),
            verdict(u32::MAX),
            verdict(0),
        ],
    );
}

/// Lets a server's socket have packets that start with INIT.
pub(crate) fn only_inits(socket: &Socket, family: Family) {
    attach(
        socket,
        &[sctp_header(family), load(libc::BPF_B, 12), unless(1, 1), verdict(u32::MAX), verdict(0)],
    );
}

/// A filter only saves room: every packet is also looked at when it is read. The kernel can
/// refuse one, as Linux 6.18 was seen to do to an ordinary user (`EPERM`).
fn attach(socket: &Socket, filter: &[SockFilter]) {
    let _ = socket.attach_filter(filter);
}

/// Points the index register at the SCTP header: behind the IPv4 header, of which a raw socket
/// gets a copy, and at the start for IPv6 (raw(7)).
fn sctp_header(family: Family) -> SockFilter {
    match family {
        Family::Ipv4 => instruction(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, 0, 0),
        Family::Ipv6 => instruction(libc::BPF_LDX | libc::BPF_IMM, 0, 0),
    }
}

fn load(size: u32, at: u32) -> SockFilter {
    instruction(libc::BPF_LD | size | libc::BPF_IND, 0, at)
}

/// Goes on where the loaded value is the wanted one, else skips so many instructions.
fn unless(wanted: u32, skip: u8) -> SockFilter {
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, skip, wanted)
}

/// How many bytes of the packet to keep.
fn verdict(bytes: u32) -> SockFilter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, bytes)
}

fn instruction(code: u32, skip: u8, operand: u32) -> SockFilter {
    // Every code fits its sixteen bits.
    SockFilter::new(u16::try_from(code).unwrap_or(0), 0, skip, operand)
}
