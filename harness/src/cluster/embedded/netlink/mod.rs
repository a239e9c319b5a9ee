//! Netlink, as far as the embedded cluster speaks it (RFC 3549; `linux/netlink.h`).

mod message;
pub(super) mod nftables;
pub(super) mod route;
mod socket;

pub(super) use message::{Messages, attributes, flags};
pub(super) use socket::{Family, NetlinkError, Socket};
