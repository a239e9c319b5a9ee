//! Hiding pods behind their node, which no dataplane may do between pods: a fault of the
//! embedded cluster. The API's peers are pods, and a node's address is none of theirs.

use std::net::IpAddr;

use ipnet::IpNet;

use super::super::netlink::nftables::{
    Compare, Hook, Meta, Register, Rewrite, Set as KernelSet, Transaction, Values,
};
use super::super::netlink::{NetlinkError, Socket};
use super::addresses::Addresses;
use super::encode::{self, address_key, family_number, load_peer};
use super::ruleset::Set;
use crate::model::{Cidr, Direction, Family};

/// Its table; those of rulesets and Services come and go without it.
const TABLE: &str = "ringfence-masquerade";

/// Gives what leaves the node by this interface for the pods of these ranges the node's
/// address as its source.
pub(super) fn begin(
    socket: &Socket,
    node: &[IpAddr],
    uplink: u32,
    pods: &[IpNet],
) -> Result<(), NetlinkError> {
    let mut transaction = Transaction::begin(socket);
    transaction.add_table(TABLE);
    transaction.add_base_chain(TABLE, "outgoing", Hook::RewriteOutgoing);
    for (address, family) in node.iter().map(|address| (*address, Family::of(*address))) {
        let blocks = pods
            .iter()
            .map(|net| Addresses::of_block(&Cidr { text: net.to_string(), net: *net }, &[]));
        let addresses = Addresses::of(family, [], blocks);
        if addresses.is_empty() {
            continue;
        }
        let set = Set::Addresses(addresses);
        let (name, elements) = (format!("pods-{family}"), encode::elements(&set));
        transaction.add_set(
            TABLE,
            &KernelSet {
                name: &name,
                key: encode::key(&set),
                interval: encode::is_interval(&set),
                values: Values::None,
                size: None,
            },
        );
        transaction.add_elements(TABLE, &name, &elements);
        transaction.add_rule(TABLE, "outgoing", |e| {
            let register = Register(0);
            e.meta(Meta::OutputInterface, register).compare(
                register,
                Compare::Equal,
                &uplink.to_ne_bytes(),
            );
            load_peer(e, Direction::Egress, family);
            e.lookup(&name, register);
            e.value(address_key(address).bytes(), register);
            e.rewrite(Rewrite::Source, family_number(family), register, None);
        });
    }
    transaction.commit(socket)
}
