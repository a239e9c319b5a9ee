//! Packets of a server that has no connections: received and answered with their addresses.

use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg,
};
use socket2::Socket;

/// A packet's length and addresses.
pub(crate) struct Packet {
    pub(crate) length: usize,
    pub(crate) from: SocketAddr,
    /// The address of this host to which it was sent.
    to: Option<IpAddr>,
}

/// Receives one packet; `None` when there is none.
pub(crate) fn receive(socket: &Socket, buffer: &mut [u8]) -> Option<Packet> {
    let mut control = nix::cmsg_space!(libc::in6_pktinfo);
    loop {
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_DONTWAIT;
        match recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)
        {
            Ok(message) => {
                let from = message.address.as_ref().and_then(socket_address)?;
                let to = message.cmsgs().ok().and_then(|mut messages| messages.find_map(local));
                return Some(Packet { length: message.bytes, from, to });
            }
            // Errors of earlier answers surface here: they are about somebody else.
            Err(nix::Error::EINTR | nix::Error::ECONNREFUSED | nix::Error::EHOSTUNREACH) => {}
            Err(_) => return None,
        }
    }
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|&address| SocketAddr::from(address));
    v4.or_else(|| address.as_sockaddr_in6().map(|&address| SocketAddr::from(address)))
}

fn local(message: ControlMessageOwned) -> Option<IpAddr> {
    match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr))))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            Some(IpAddr::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr)))
        }
        _ => None,
    }
}

/// Answers from the address that was asked. An answer that cannot be sent is a lost reply: the
/// arrival tells.
pub(crate) fn reply(socket: &Socket, bytes: &[u8], to: &Packet) {
    let parts = [IoSlice::new(bytes)];
    // A raw IPv6 socket takes no port (rawv6_sendmsg); a raw IPv4 socket's source has port 0.
    let peer = SockaddrStorage::from(to.from);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    let descriptor = socket.as_raw_fd();
    let _ = match to.to {
        Some(IpAddr::V4(address)) => {
            let ipi_spec_dst = libc::in_addr { s_addr: u32::from(address).to_be() };
            let ipi_addr = libc::in_addr { s_addr: 0 };
            let info = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst, ipi_addr };
            let control = [ControlMessage::Ipv4PacketInfo(&info)];
            sendmsg(descriptor, &parts, &control, flags, Some(&peer))
        }
        Some(IpAddr::V6(address)) => {
            let ipi6_addr = libc::in6_addr { s6_addr: address.octets() };
            let info = libc::in6_pktinfo { ipi6_addr, ipi6_ifindex: 0 };
            let control = [ControlMessage::Ipv6PacketInfo(&info)];
            sendmsg(descriptor, &parts, &control, flags, Some(&peer))
        }
        None => sendmsg(descriptor, &parts, &[], flags, Some(&peer)),
    };
}
