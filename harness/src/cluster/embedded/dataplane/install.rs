//! Ruleset → the kernel.

use std::net::IpAddr;

use ipnet::IpNet;

use super::super::netlink::nftables::Transaction;
use super::super::netlink::{Family, NetlinkError, Socket};
use super::drop_log::{DropLog, LongTexts};
use super::flush_conntrack;
use super::masquerade;
use super::ruleset::Ruleset;
use super::services::{self, Service};
use super::table::{Table, split};
use crate::model::Name;

/// The packet filter of one node.
#[derive(Debug)]
pub(in super::super) struct Dataplane {
    socket: Socket,
    /// How many rulesets there were so far.
    generation: u64,
    /// The tables in force.
    installed: Vec<String>,
    texts: LongTexts,
    /// Whether there were Services so far.
    serves: bool,
}

impl Dataplane {
    /// The packet filter of the calling thread's network namespace, which nobody else
    /// may change.
    pub(in super::super) fn open() -> Result<Self, NetlinkError> {
        Ok(Self {
            socket: Socket::open(Family::Netfilter)?,
            generation: 0,
            installed: Vec::new(),
            texts: LongTexts::default(),
            serves: false,
        })
    }

    /// Puts a ruleset in force in place of the one before. A packet is judged by the one or
    /// the other, never by a part.
    ///
    /// # Errors
    /// What the kernel refused. The ruleset before is then still in force.
    pub(in super::super) fn install(&mut self, ruleset: &Ruleset) -> Result<(), NetlinkError> {
        let tables = split(ruleset, self.generation);
        self.generation += 1;
        self.texts.learn(ruleset);
        let mut staged = tables.iter().map(|table| table.stage(&self.socket, &ruleset.sets));
        if let Err(error) = staged.try_for_each(|staged| staged).and_then(|()| self.flip(&tables)) {
            for table in &tables {
                // Where the table was not made, this is refused, and as well.
                let mut transaction = Transaction::begin(&self.socket);
                transaction.delete_table(table.name());
                let _ = transaction.commit(&self.socket);
            }
            return Err(error);
        }
        self.installed = tables.iter().map(|table| table.name().to_owned()).collect();
        Ok(())
    }

    /// The packet log of this namespace, which the calling thread must be in. It knows the
    /// texts that are too long for the kernel to carry.
    pub(in super::super) fn drop_log(&self, node: Name) -> Result<DropLog, NetlinkError> {
        DropLog::with_texts(node, self.texts.clone())
    }

    /// Leads connections to these Services to their pods from now on. The node's addresses
    /// stay the same.
    pub(in super::super) fn add_services(
        &mut self,
        node: &[IpAddr],
        added: &[Service],
    ) -> Result<(), NetlinkError> {
        // Connection tracking costs more with rewriting than without.
        if !self.serves {
            services::begin(&self.socket, node)?;
            self.serves = true;
        }
        services::add(&self.socket, added)
    }

    /// Leads to these Services, which were added, no longer.
    pub(in super::super) fn remove_services(
        &self,
        removed: &[Service],
    ) -> Result<(), NetlinkError> {
        services::remove(&self.socket, removed)
    }

    /// Hides the node's pods behind its addresses from now on, where they connect by this
    /// interface to pods of these ranges: a fault.
    pub(in super::super) fn rewrite_sources(
        &self,
        node: &[IpAddr],
        uplink: u32,
        pods: &[IpNet],
    ) -> Result<(), NetlinkError> {
        masquerade::begin(&self.socket, node, uplink, pods)
    }

    /// Forgets every connection: see [`flush_conntrack`].
    pub(in super::super) fn flush_conntrack(&self) -> Result<(), NetlinkError> {
        flush_conntrack(&self.socket)
    }

    /// The socket, for tests that read back what was loaded.
    #[cfg(test)]
    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The names of the tables in force.
    #[cfg(test)]
    pub(super) fn tables(&self) -> &[String] {
        &self.installed
    }

    /// Leads packets to the staged tables, and drops those before, at once.
    fn flip(&self, tables: &[Table<'_>]) -> Result<(), NetlinkError> {
        let mut transaction = Transaction::begin(&self.socket);
        tables.iter().for_each(|table| table.hook(&mut transaction));
        self.installed.iter().for_each(|table| transaction.delete_table(table));
        transaction.commit(&self.socket)
    }
}

/// Whether the kernel can lead connections to other addresses: tries it in the calling
/// thread's network namespace, for a node with these addresses.
pub(in super::super) fn try_services(node: &[IpAddr]) -> Result<(), NetlinkError> {
    let socket = Socket::open(Family::Netfilter)?;
    services::begin(&socket, node)?;
    services::end(&socket)
}
