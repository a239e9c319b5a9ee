//! A fresh network namespace has its loopback interface down.

use nix::libc;
use socket2::{Domain, Socket, Type};

/// RTM_NEWLINK for interface 1 with IFF_UP set (rtnetlink(7)).
pub(crate) fn bring_up_loopback() {
    let mut message = Vec::new();
    message.extend_from_slice(&32u32.to_ne_bytes());
    message.extend_from_slice(&libc::RTM_NEWLINK.to_ne_bytes());
    let flags = u16::try_from(libc::NLM_F_REQUEST | libc::NLM_F_ACK).unwrap();
    message.extend_from_slice(&flags.to_ne_bytes());
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(&1i32.to_ne_bytes());
    let up = u32::try_from(libc::IFF_UP).unwrap();
    message.extend_from_slice(&up.to_ne_bytes());
    message.extend_from_slice(&up.to_ne_bytes());
    let netlink = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, None).unwrap();
    assert_eq!(netlink.send(&message).unwrap(), 32);
    let mut answer = [0; 128];
    std::io::Read::read(&mut &netlink, &mut answer).unwrap();
    let errno = i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]);
    assert_eq!(errno, 0, "lo could not be brought up");
}
