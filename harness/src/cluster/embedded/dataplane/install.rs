//! Ruleset → the kernel.

use super::super::netlink::nftables::{
    DataType, Element, Key, Meta, Register, Set as KernelSet, Transaction, Verdict,
};
use super::super::netlink::{Family as NetlinkFamily, NetlinkError, Socket};
use super::drop_log::{DropLog, LongTexts};
use super::encode;
use super::flush_conntrack;
use super::ruleset::{Ruleset, SetId};
use crate::model::{Direction, Name};

/// How much one transaction carries, in bytes, where the socket lets it.
const PIECE: usize = 400_000;

/// No single message is longer: 512 elements, or a rule.
const LONGEST_MESSAGE: usize = 48_000;

/// The two chains that every forwarded packet passes, in this order: an accept in one
/// still runs the next.
const HOOKS: [(Direction, Meta, i32); 2] =
    [(Direction::Egress, Meta::InputInterface, 0), (Direction::Ingress, Meta::OutputInterface, 10)];

/// The packet filter of one node.
#[derive(Debug)]
pub(in super::super) struct Dataplane {
    socket: Socket,
    /// How many tables there were so far.
    generation: u64,
    /// The table in force.
    installed: Option<String>,
    texts: LongTexts,
}

impl Dataplane {
    /// The packet filter of the calling thread's network namespace, which nobody else
    /// may change.
    pub(in super::super) fn open() -> Result<Self, NetlinkError> {
        Ok(Self {
            socket: Socket::open(NetlinkFamily::Netfilter)?,
            generation: 0,
            installed: None,
            texts: LongTexts::default(),
        })
    }

    /// Puts a ruleset in force in place of the one before. A packet is judged by the one or
    /// the other, never by a part.
    ///
    /// # Errors
    /// What the kernel refused. The ruleset before is then still in force.
    pub(in super::super) fn install(&mut self, ruleset: &Ruleset) -> Result<(), NetlinkError> {
        let table = format!("ringfence-{}", self.generation);
        self.generation += 1;
        self.texts.learn(ruleset);
        let staged = self.stage(&table, ruleset).and_then(|()| self.flip(&table));
        if let Err(error) = staged {
            // The table may not be there; then there is nothing to remove.
            let mut transaction = Transaction::begin(&self.socket);
            transaction.delete_table(&table);
            let _ = transaction.commit(&self.socket);
            return Err(error);
        }
        self.installed = Some(table);
        Ok(())
    }

    /// The packet log of this namespace, which the calling thread must be in. It knows the
    /// texts that are too long for the kernel to carry.
    pub(in super::super) fn drop_log(&self, node: Name) -> Result<DropLog, NetlinkError> {
        DropLog::with_texts(node, self.texts.clone())
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

    /// The name of the table in force.
    #[cfg(test)]
    pub(super) fn table(&self) -> Option<&str> {
        self.installed.as_deref()
    }

    /// Loads everything but what leads packets there, in as many transactions as it takes.
    fn stage(&self, table: &str, ruleset: &Ruleset) -> Result<(), NetlinkError> {
        let limit = PIECE.min(self.socket.send_limit()?).saturating_sub(LONGEST_MESSAGE);
        let mut piece = Transaction::begin(&self.socket);
        let room = |piece: &mut Transaction| {
            if piece.size() < limit {
                return Ok(());
            }
            std::mem::replace(piece, Transaction::begin(&self.socket)).commit(&self.socket)
        };
        piece.add_table(table);
        for (position, set) in ruleset.sets.iter().enumerate() {
            room(&mut piece)?;
            let name = SetId(position).to_string();
            let elements = encode::elements(set);
            let (key, interval) = (encode::key(set), encode::is_interval(set));
            let size = elements.len();
            let kernel_set = KernelSet { name: &name, key, interval, verdicts: false, size };
            piece.add_set(table, &kernel_set);
            for part in elements.chunks(512) {
                room(&mut piece)?;
                piece.add_elements(table, &name, part);
            }
        }
        for chain in &ruleset.chains {
            let name = chain.name();
            room(&mut piece)?;
            piece.add_chain(table, &name);
            for rule in &chain.rules {
                room(&mut piece)?;
                piece.add_rule(table, &name, |e| {
                    encode::accept(e, chain.direction, rule, &ruleset.sets);
                });
            }
            room(&mut piece)?;
            piece.add_rule(table, &name, |e| encode::deny(e, chain));
        }
        for (direction, ..) in HOOKS {
            let map = map_name(direction);
            let names: Vec<(u32, String)> =
                ruleset.chains(direction).map(|chain| (chain.interface, chain.name())).collect();
            let elements: Vec<Element<'_>> = names
                .iter()
                .map(|(interface, name)| {
                    let key = Key::default().with(&interface.to_ne_bytes());
                    Element::Verdict(key, Verdict::Jump(name))
                })
                .collect();
            room(&mut piece)?;
            let key = &[DataType::Interface];
            let size = elements.len();
            let set = KernelSet { name: &map, key, interval: false, verdicts: true, size };
            piece.add_set(table, &set);
            for part in elements.chunks(512) {
                room(&mut piece)?;
                piece.add_elements(table, &map, part);
            }
        }
        piece.commit(&self.socket)
    }

    /// Leads packets to the staged table, and drops the one before, at once.
    fn flip(&self, table: &str) -> Result<(), NetlinkError> {
        let mut transaction = Transaction::begin(&self.socket);
        for (direction, interface, priority) in HOOKS {
            let chain = direction.to_string();
            transaction.add_forward_chain(table, &chain, priority);
            transaction.add_rule(table, &chain, |e| {
                e.known_connection().verdict(Verdict::Accept);
            });
            transaction.add_rule(table, &chain, |e| {
                e.meta(interface, Register(0)).verdict_map(&map_name(direction), Register(0));
            });
        }
        if let Some(before) = &self.installed {
            transaction.delete_table(before);
        }
        transaction.commit(&self.socket)
    }
}

fn map_name(direction: Direction) -> String {
    format!("{direction}-pods")
}
