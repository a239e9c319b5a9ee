//! The tables that a ruleset is loaded into.

use std::collections::BTreeSet;

use super::super::netlink::nftables::{
    DataType, Element, Hook, Key, Meta, Register, Set as KernelSet, Transaction, Values, Verdict,
};
use super::super::netlink::{NetlinkError, Socket};
use super::encode::{self, Known};
use super::ruleset::{Chain, Handling, Match, Ruleset, Set, SetId};
use crate::model::Direction;

/// How many sets a table may come to have before the next table is begun. The kernel finds
/// a set by going through all of its table's (`nft_set_lookup`): loading takes the square of
/// their number, and for 2,500 it is three quarters of the time.
const SETS: usize = 200;

/// How much one transaction carries, in bytes, where the socket lets it.
const PIECE: usize = 400_000;

/// No single message is longer: 512 elements, or a rule.
const LONGEST_MESSAGE: usize = 48_000;

/// How many elements are encoded before the size of a transaction is looked at again.
const ELEMENTS: usize = 512;

/// The two chains of each table that every forwarded packet passes, in this order: an
/// accept in one still runs the next, of this and of every other table.
const HOOKS: [(Direction, Meta, i32); 2] =
    [(Direction::Egress, Meta::InputInterface, 0), (Direction::Ingress, Meta::OutputInterface, 10)];

/// How much further back in the order of hooks the tables of each ruleset are than those of
/// the ruleset before. The kernel asks anew at each chain whether the old or the new rules
/// hold. A packet that is on its way at the moment of the change must therefore meet the old
/// chains first: the other way round it would find the new ones not yet filled, and the old
/// ones already emptied. (Of equal priorities the kernel puts the newer first.)
const STEP: u64 = 20;

/// A table, with some of a ruleset's chains and the sets that they look up.
#[derive(Debug)]
pub(super) struct Table<'a> {
    name: String,
    generation: u64,
    chains: Vec<&'a Chain>,
    sets: BTreeSet<SetId>,
    handling: &'a Handling,
}

/// Shares a ruleset's chains out among as few tables as are quickly loaded; at least one.
pub(super) fn split(ruleset: &Ruleset, generation: u64) -> Vec<Table<'_>> {
    let handling = &ruleset.handling;
    let mut tables = vec![Table::new(generation, 0, handling)];
    for chain in &ruleset.chains {
        if tables.last().is_some_and(|table| table.sets.len() >= SETS) {
            tables.push(Table::new(generation, tables.len(), handling));
        }
        let table = tables.last_mut().expect("there is always a table");
        let matches = chain.rules.iter().flat_map(|rule| &rule.0);
        table.sets.extend(matches.filter_map(|found| match found {
            Match::Peer(set) | Match::Service(set) | Match::Socket(set) => Some(*set),
            Match::Family(_) | Match::Protocol(_) | Match::Port(..) => None,
        }));
        table.chains.push(chain);
    }
    tables
}

impl<'a> Table<'a> {
    fn new(generation: u64, number: usize, handling: &'a Handling) -> Self {
        let name = format!("ringfence-{generation}-{number}");
        Self { name, generation, chains: Vec::new(), sets: BTreeSet::new(), handling }
    }

    /// The table's name in the kernel.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Loads everything but what leads packets there, in as many transactions as it takes.
    pub(super) fn stage(&self, socket: &Socket, sets: &[Set]) -> Result<(), NetlinkError> {
        let limit = limit(socket)?;
        let mut piece = Transaction::begin(socket);
        let room = |piece: &mut Transaction| {
            if piece.size() < limit {
                return Ok(());
            }
            std::mem::replace(piece, Transaction::begin(socket)).commit(socket)
        };
        piece.add_table(&self.name);
        for id in &self.sets {
            let SetId(position) = id;
            let (set, name) = (&sets[*position], id.to_string());
            let elements = encode::elements(set);
            let (key, interval, size) =
                (encode::key(set), encode::is_interval(set), Some(elements.len()));
            room(&mut piece)?;
            piece.add_set(
                &self.name,
                &KernelSet { name: &name, key, interval, values: Values::None, size },
            );
            for part in elements.chunks(ELEMENTS) {
                room(&mut piece)?;
                piece.add_elements(&self.name, &name, part);
            }
        }
        for chain in &self.chains {
            let name = chain.name();
            room(&mut piece)?;
            piece.add_chain(&self.name, &name);
            for rule in &chain.rules {
                room(&mut piece)?;
                piece.add_rule(&self.name, &name, |e| {
                    encode::accept(e, chain.direction, rule, sets, self.handling);
                });
            }
            room(&mut piece)?;
            piece.add_rule(&self.name, &name, |e| encode::deny(e, chain));
        }
        for (direction, ..) in HOOKS {
            let chains = self.chains.iter().filter(|chain| chain.direction == direction);
            let names: Vec<(u32, String)> =
                chains.map(|chain| (chain.interface, chain.name())).collect();
            let verdict = |(interface, name)| {
                let interface: &u32 = interface;
                Element::Verdict(Key::default().with(&interface.to_ne_bytes()), Verdict::Jump(name))
            };
            let elements: Vec<Element<'_>> =
                names.iter().map(|(interface, name)| verdict((interface, name))).collect();
            let (map, key, size) =
                (map_name(direction), &[DataType::Interface], Some(elements.len()));
            room(&mut piece)?;
            piece.add_set(
                &self.name,
                &KernelSet { name: &map, key, interval: false, values: Values::Verdicts, size },
            );
            for part in elements.chunks(ELEMENTS) {
                room(&mut piece)?;
                piece.add_elements(&self.name, &map, part);
            }
        }
        piece.commit(socket)
    }

    /// Leads packets to the table.
    pub(super) fn hook(&self, transaction: &mut Transaction) {
        for (direction, interface, _) in HOOKS {
            let chain = direction.to_string();
            let hook = Hook::Forward(priority(direction, self.generation));
            self.lead(transaction, &chain, hook, direction, interface);
        }
        if self.handling.own_node {
            let (ingress, interface, _) = HOOKS[1];
            let hook = Hook::Own(priority(ingress, self.generation));
            self.lead(transaction, "own", hook, ingress, interface);
        }
    }

    /// Leads what passes a hook to the chains of a direction, but for known connections.
    fn lead(
        &self,
        transaction: &mut Transaction,
        chain: &str,
        hook: Hook,
        direction: Direction,
        interface: Meta,
    ) {
        transaction.add_base_chain(&self.name, chain, hook);
        for rule in Known::rules(self.handling) {
            transaction.add_rule(&self.name, chain, |e| rule.write(e));
        }
        transaction.add_rule(&self.name, chain, |e| {
            e.meta(interface, Register(0)).verdict_map(&map_name(direction), Register(0));
        });
    }
}

/// The size in bytes from which on a transaction takes no further message.
pub(super) fn limit(socket: &Socket) -> Result<usize, NetlinkError> {
    Ok(PIECE.min(socket.send_limit()?).saturating_sub(LONGEST_MESSAGE))
}

/// The place of a ruleset's chains in the order of hooks.
pub(super) fn priority(direction: Direction, generation: u64) -> i32 {
    let [(first, ..), _] = HOOKS;
    let within = HOOKS[usize::from(direction != first)].2;
    i32::try_from(generation * STEP).unwrap_or(i32::MAX - within) + within
}

fn map_name(direction: Direction) -> String {
    format!("{direction}-pods")
}
