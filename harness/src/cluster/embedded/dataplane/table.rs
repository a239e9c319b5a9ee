//! The tables that a ruleset is loaded into.

use std::collections::{BTreeMap, BTreeSet};

use super::super::netlink::nftables::{
    DataType, Element, Hook, Key, Meta, Register, Set as KernelSet, Transaction, Values, Verdict,
};
use super::super::netlink::{NetlinkError, Socket};
use super::encode::{self, Known};
use super::ruleset::{
    Chain, Handling, Match, OWN_NODE, Rule, Ruleset, Set, SetId, TierChain, tier_name,
};
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
    handling: &'a Handling,
}

/// Shares a ruleset's chains out among as few tables as are quickly loaded; at least one. All
/// chains of a pod's direction are in the same table: what one tier accepts is accepted for
/// its table alone.
pub(super) fn split(ruleset: &Ruleset, generation: u64) -> Vec<Table<'_>> {
    let handling = &ruleset.handling;
    let mut tables = vec![Table::new(generation, 0, handling)];
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
                tables.push(Table::new(generation, tables.len(), handling));
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

impl<'a> Table<'a> {
    fn new(generation: u64, number: usize, handling: &'a Handling) -> Self {
        let name = format!("ringfence-{generation}-{number}");
        let (chains, tiers, sets) = (Vec::new(), Vec::new(), BTreeSet::new());
        Self { name, generation, chains, tiers, sets, handling }
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
        for chain in &self.tiers {
            let name = chain.name();
            room(&mut piece)?;
            piece.add_chain(&self.name, &name);
            for rule in &chain.rules {
                room(&mut piece)?;
                piece.add_rule(&self.name, &name, |e| {
                    encode::decide(e, chain.direction, rule, sets, self.handling);
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
            let place = priority(direction, self.generation);
            let [admin, baseline] = TIERS.map(|tier| {
                self.has(direction, tier).then(|| map_name(&tier_name(direction, tier)))
            });
            let tiers: Vec<String> = admin.iter().chain(&baseline).cloned().collect();
            // The chain of an isolated pod decides about all that comes to it: what Baseline
            // says is never asked then.
            let pods = map_name(&direction.to_string());
            let all: Vec<String> = admin.into_iter().chain([pods]).chain(baseline).collect();
            self.lead(transaction, &direction.to_string(), Hook::Forward(place), interface, &all);
            match direction {
                // What a pod sends to its own node is not forwarded. NetworkPolicies let it pass.
                Direction::Egress if !tiers.is_empty() => {
                    self.lead(transaction, OWN_NODE, Hook::Input(place), interface, &tiers);
                }
                Direction::Ingress if self.handling.own_node => {
                    self.lead(transaction, "own", Hook::Own(place), interface, &all);
                }
                _ => {}
            }
        }
    }

    /// Leads what passes a hook to the chains that maps have for its interface, in this order,
    /// but for known connections.
    fn lead(
        &self,
        transaction: &mut Transaction,
        chain: &str,
        hook: Hook,
        interface: Meta,
        maps: &[String],
    ) {
        transaction.add_base_chain(&self.name, chain, hook);
        for rule in Known::rules(self.handling) {
            transaction.add_rule(&self.name, chain, |e| rule.write(e));
        }
        for map in maps {
            transaction.add_rule(&self.name, chain, |e| {
                e.meta(interface, Register(0)).verdict_map(map, Register(0));
            });
        }
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

#[cfg(test)]
mod tests {
    use super::super::ruleset::{Ruling, TierRule};
    use super::*;
    use crate::model::PodName;

    /// What one tier accepts must not meet another of the pod's chains in another table.
    #[test]
    fn a_pods_chains_of_a_direction_are_in_one_table() {
        let pod = |interface| PodName::new("a", &format!("p{interface}"));
        let look_up = |set| Rule(vec![Match::Peer(SetId(set))]);
        let (sets, chains, tiers) = (Vec::new(), Vec::new(), Vec::new());
        let mut ruleset = Ruleset { sets, chains, tiers, handling: Handling::default() };
        for direction in [Direction::Egress, Direction::Ingress] {
            for interface in 0..250u32 {
                let set = interface as usize * 3;
                if interface % 3 > 0 {
                    ruleset.chains.push(Chain {
                        direction,
                        pod: pod(interface),
                        interface,
                        rules: vec![look_up(set)],
                        log: None,
                    });
                }
                for (tier, set) in [(Tier::Admin, set + 1), (Tier::Baseline, set + 2)] {
                    ruleset.tiers.push(TierChain {
                        direction,
                        tier,
                        pod: pod(interface),
                        interface,
                        rules: vec![TierRule { rule: look_up(set), ruling: Ruling::Accept }],
                    });
                }
            }
        }
        let tables = split(&ruleset, 0);
        assert!(tables.len() > 3);
        let mut placed = BTreeMap::new();
        for (number, table) in tables.iter().enumerate() {
            let chains = table.chains.iter().map(|chain| (chain.direction, chain.interface));
            let tiers = table.tiers.iter().map(|chain| (chain.direction, chain.interface));
            for subject in chains.chain(tiers) {
                assert_eq!(*placed.entry(subject).or_insert(number), number, "{subject:?}");
            }
        }
        assert_eq!(placed.len(), 500);
        assert_eq!(tables.iter().map(|t| t.chains.len()).sum::<usize>(), ruleset.chains.len());
        assert_eq!(tables.iter().map(|t| t.tiers.len()).sum::<usize>(), ruleset.tiers.len());
    }
}
