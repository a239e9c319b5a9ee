//! The tables that a ruleset is loaded into.

use std::collections::{BTreeMap, BTreeSet};

use super::super::netlink::nftables::{
    DataType, Element, Hook, Key, Meta, Register, Set as KernelSet, Transaction, Values, Verdict,
};
use super::super::netlink::{NetlinkError, Socket};
use super::encode;
use super::ruleset::{Chain, Match, OWN_NODE, Rule, Ruleset, Set, SetId, TierChain, tier_name};
use crate::model::{Direction, Tier};

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

const TIERS: [Tier; 2] = [Tier::Admin, Tier::Baseline];

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
    tiers: Vec<&'a TierChain>,
    sets: BTreeSet<SetId>,
}

/// Shares a ruleset's chains out among as few tables as are quickly loaded; at least one. All
/// chains of a pod's direction are in the same table: what one tier accepts is accepted for
/// its table alone.
pub(super) fn split(ruleset: &Ruleset, generation: u64) -> Vec<Table<'_>> {
    let mut tables = vec![Table::new(generation, 0)];
    for (direction, ..) in HOOKS {
        let mut subjects: BTreeMap<u32, (Vec<&Chain>, Vec<&TierChain>)> = BTreeMap::new();
        for chain in ruleset.chains(direction) {
            subjects.entry(chain.interface).or_default().0.push(chain);
        }
        for chain in TIERS.into_iter().flat_map(|tier| ruleset.tiers(direction, tier)) {
            subjects.entry(chain.interface).or_default().1.push(chain);
        }
        for (chains, tiers) in subjects.into_values() {
            if tables.last().is_some_and(|table| table.sets.len() >= SETS) {
                tables.push(Table::new(generation, tables.len()));
            }
            let table = tables.last_mut().expect("there is always a table");
            let accepting = chains.iter().flat_map(|chain| &chain.rules);
            let deciding = tiers.iter().flat_map(|chain| &chain.rules).map(|rule| &rule.rule);
            table.sets.extend(accepting.chain(deciding).flat_map(looked_up));
            table.chains.extend(chains);
            table.tiers.extend(tiers);
        }
    }
    tables
}

/// The sets that a rule looks up.
fn looked_up(Rule(matches): &Rule) -> impl Iterator<Item = SetId> {
    matches.iter().filter_map(|found| match found {
        Match::Peer(set) | Match::Service(set) | Match::Socket(set) => Some(*set),
        Match::Family(_) | Match::Protocol(_) | Match::Port(..) => None,
    })
}

impl Table<'_> {
    fn new(generation: u64, number: usize) -> Self {
        let name = format!("ringfence-{generation}-{number}");
        Self { name, generation, chains: Vec::new(), tiers: Vec::new(), sets: BTreeSet::new() }
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
                    encode::accept(e, chain.direction, rule, sets);
                });
            }
            room(&mut piece)?;
            piece.add_rule(&self.name, &name, |e| encode::deny(e, chain));
        }
        for chain in &self.tiers {
            let name = chain.name();
            room(&mut piece)?;
            piece.add_chain(&self.name, &name);
            for rule in &chain.rules {
                room(&mut piece)?;
                piece.add_rule(&self.name, &name, |e| {
                    encode::decide(e, chain.direction, rule, sets);
                });
            }
        }
        let mut doors: Vec<(String, Vec<(u32, String)>)> = Vec::new();
        for (direction, ..) in HOOKS {
            let chains = self.chains.iter().filter(|chain| chain.direction == direction);
            let names = chains.map(|chain| (chain.interface, chain.name())).collect();
            doors.push((map_name(&direction.to_string()), names));
            for tier in TIERS.into_iter().filter(|tier| self.has(direction, *tier)) {
                let chains = self.tiers(direction, tier);
                let names = chains.map(|chain| (chain.interface, chain.name())).collect();
                doors.push((map_name(&tier_name(direction, tier)), names));
            }
        }
        for (map, names) in doors {
            let verdict = |(interface, name)| {
                let interface: &u32 = interface;
                Element::Verdict(Key::default().with(&interface.to_ne_bytes()), Verdict::Jump(name))
            };
            let elements: Vec<Element<'_>> =
                names.iter().map(|(interface, name)| verdict((interface, name))).collect();
            let (key, size) = (&[DataType::Interface], Some(elements.len()));
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
            let place = priority(direction, self.generation);
            self.base_chain(transaction, &chain, Hook::Forward(place));
            let [admin, baseline] = TIERS.map(|tier| {
                self.has(direction, tier).then(|| map_name(&tier_name(direction, tier)))
            });
            // The chain of an isolated pod decides about all that comes to it: what Baseline
            // says is never asked then.
            let maps = admin.iter().cloned().chain([map_name(&chain)]).chain(baseline.clone());
            for map in maps {
                self.lead(transaction, &chain, interface, &map);
            }
            // What a pod sends to its own node is not forwarded. NetworkPolicies let it pass.
            let own: Vec<String> = admin.into_iter().chain(baseline).collect();
            if direction == Direction::Egress && !own.is_empty() {
                self.base_chain(transaction, OWN_NODE, Hook::Input(place));
                own.iter().for_each(|map| self.lead(transaction, OWN_NODE, interface, map));
            }
        }
    }

    /// Adds a base chain that lets known connections pass.
    fn base_chain(&self, transaction: &mut Transaction, chain: &str, hook: Hook) {
        transaction.add_base_chain(&self.name, chain, hook);
        transaction.add_rule(&self.name, chain, |e| {
            e.known_connection().verdict(Verdict::Accept);
        });
    }

    /// Leads packets by their interface to the chain that the map has for it.
    fn lead(&self, transaction: &mut Transaction, chain: &str, interface: Meta, map: &str) {
        transaction.add_rule(&self.name, chain, |e| {
            e.meta(interface, Register(0)).verdict_map(map, Register(0));
        });
    }

    fn tiers(&self, direction: Direction, tier: Tier) -> impl Iterator<Item = &&TierChain> {
        let wanted = (direction, tier);
        self.tiers.iter().filter(move |chain| (chain.direction, chain.tier) == wanted)
    }

    /// Whether there are chains of this tier, and a map that leads to them.
    fn has(&self, direction: Direction, tier: Tier) -> bool {
        self.tiers(direction, tier).next().is_some()
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

/// The map that leads to chains which together are called so.
fn map_name(chains: &str) -> String {
    format!("{chains}-pods")
}
