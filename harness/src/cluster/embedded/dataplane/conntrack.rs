//! Forgetting connections (`linux/netfilter/nfnetlink_conntrack.h`).

use super::super::netlink::{NetlinkError, Socket};

const SUBSYSTEM: u16 = 1; // NFNL_SUBSYS_CTNETLINK
const DELETE: u16 = 2; // IPCTNL_MSG_CT_DELETE

/// Forgets every connection that the socket's network namespace tracks: packets of
/// connections that were allowed are judged anew.
pub(in super::super) fn flush_conntrack(socket: &Socket) -> Result<(), NetlinkError> {
    let mut messages = socket.messages();
    // Without a tuple it is about all connections, of all families (`struct nfgenmsg`).
    messages.message(SUBSYSTEM << 8 | DELETE, 0, |m| m.fixed(&[0, 0, 0, 0]));
    socket.execute(&mut messages)
}
