//! What is in the kernel after loading, read back: a wrong key or offset loads as well as
//! the right one, so the bytes have to say what the ruleset says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::IpAddr;

use super::super::super::netlink::{attributes, flags};
use super::super::ruleset::{OWN_NODE, Ruleset, Set, SetId};
use super::super::table::priority;
use super::super::{Dataplane, compile};
use super::cluster_policies as c;
use super::lab::in_namespace;
use super::world::*;
use crate::model::{Direction, Family, PodName, PolicyType::*, Protocol, Tier, World};

const GET_TABLES: u16 = 1;
const GET_CHAINS: u16 = 4;
const GET_RULES: u16 = 7;
const GET_SETS: u16 = 10;
const GET_ELEMENTS: u16 = 13;

/// The attributes of each object that a dump returns, by kind.
fn dump(dataplane: &Dataplane, kind: u16, names: &[(u16, &str)]) -> Vec<BTreeMap<u16, Vec<u8>>> {
    let mut asked = dataplane.socket().messages();
    asked.message(10 << 8 | kind, flags::DUMP, |m| {
        m.fixed(&[1, 0, 0, 0]); // the inet family
        names.iter().for_each(|(kind, name)| m.text(*kind, name));
    });
    let mut found = Vec::new();
    let each = |_, body: &[u8]| {
        found.push(attributes(&body[4..]).map(|(kind, value)| (kind, value.to_vec())).collect());
    };
    dataplane.socket().dump(&asked, each).unwrap();
    found
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap().trim_end_matches('\0').to_owned()
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().unwrap())
}

fn one(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

fn protocol(number: u8) -> Protocol {
    Protocol::from_number(number).unwrap()
}

/// What registers hold, and what a rule has said so far.
#[derive(Default)]
struct Reader {
    registers: BTreeMap<u32, (&'static str, u32)>,
    said: Vec<String>,
}

impl Reader {
    /// The register by its number of 32 bits; the kernel tells the first of four by another.
    fn register(bytes: &[u8]) -> u32 {
        match number(bytes) {
            wide @ 1..=4 => (wide - 1) * 4,
            narrow => narrow - 8,
        }
    }

    fn load(&mut self, to: &[u8], what: &'static str, length: u32) {
        self.registers.insert(Self::register(to), (what, length.div_ceil(4)));
    }

    /// What a key of so many bytes is made of, from this register on.
    fn key(&self, from: &[u8], length: u32) -> String {
        let (mut at, mut left, mut parts) = (Self::register(from), length / 4, Vec::new());
        while left > 0 {
            let (what, registers) = self.registers[&at];
            parts.push(what);
            at += registers;
            left = left.checked_sub(registers).expect("loaded values fill the key");
        }
        parts.join(" . ")
    }

    fn read(&mut self, expression: &[u8], key_lengths: &BTreeMap<String, u32>) {
        let name = text(one(expression, 1).unwrap());
        let data = one(expression, 2).unwrap_or_default();
        let get = |kind| one(data, kind).unwrap();
        let value = |kind| one(get(kind), 1).unwrap();
        match name.as_str() {
            "meta" => {
                let (what, length) = match number(get(2)) {
                    4 => ("iif", 4),
                    5 => ("oif", 4),
                    15 => ("family", 1),
                    16 => ("protocol", 1),
                    other => panic!("meta key {other}"),
                };
                self.load(get(1), what, length);
            }
            "payload" => {
                let family = self.said.last().map(String::as_str);
                let place = (number(get(2)), number(get(3)), number(get(4)));
                let what = match (family, place) {
                    (Some("ipv4"), (1, 12, 4)) | (Some("ipv6"), (1, 8, 16)) => "saddr",
                    (Some("ipv4"), (1, 16, 4)) | (Some("ipv6"), (1, 24, 16)) => "daddr",
                    (_, (2, 2, 2)) => "dport",
                    other => panic!("payload {other:?}"),
                };
                if what != "dport" {
                    self.said.pop();
                }
                self.load(get(1), what, place.2);
            }
            "cmp" => {
                let (register, _) = self.registers[&Self::register(get(1))];
                let said = match (register, number(get(2)), value(3)) {
                    ("family", 0, [2]) => "ipv4".to_owned(),
                    ("family", 0, [10]) => "ipv6".to_owned(),
                    ("protocol", 0, [number]) => protocol(*number).to_string(),
                    ("dport", 0, [a, b]) => format!("dport {}", u16::from_be_bytes([*a, *b])),
                    ("ct state & 6", 1, [0, 0, 0, 0]) => "ct state established,related".to_owned(),
                    other => panic!("compare {other:?}"),
                };
                self.said.push(said);
            }
            "range" => {
                assert_eq!(number(get(2)), 0, "within the range");
                let port = |kind| u16::from_be_bytes(value(kind).try_into().unwrap());
                let (register, _) = self.registers[&Self::register(get(1))];
                self.said.push(format!("{register} {}-{}", port(3), port(4)));
            }
            "lookup" => {
                let set = text(get(1));
                let key = self.key(get(2), key_lengths[&set]);
                let verdict = one(data, 3).map(number);
                assert!(verdict.is_none_or(|register| register == 0));
                let how = if verdict.is_some() { " vmap" } else { "" };
                self.said.push(format!("{key}{how} @{set}"));
            }
            "ct" => {
                assert_eq!(number(get(2)), 0, "the state");
                self.load(get(1), "ct state", 4);
            }
            "bitwise" => {
                assert_eq!(self.registers[&Self::register(get(1))].0, "ct state");
                assert_eq!((value(4), value(5)), (&6u32.to_ne_bytes()[..], &[0; 4][..]));
                self.load(get(2), "ct state & 6", 4);
            }
            "log" => {
                assert_eq!(get(1), [0, 1], "the group");
                self.said.push(format!("log \"{}\"", text(get(2))));
            }
            "immediate" => {
                let verdict = one(get(2), 2).unwrap();
                self.said.push(match number(one(verdict, 1).unwrap()).cast_signed() {
                    0 => "drop".to_owned(),
                    1 => "accept".to_owned(),
                    -5 => "return".to_owned(),
                    other => panic!("verdict {other}"),
                });
            }
            other => panic!("expression `{other}`"),
        }
    }
}

/// The chains of a table with their rules, in the words of [`Ruleset`]'s text.
fn read_chains(dataplane: &Dataplane, table: &str) -> BTreeMap<String, Vec<String>> {
    let sets = dump(dataplane, GET_SETS, &[(1, table)]);
    let key_lengths: BTreeMap<String, u32> =
        sets.iter().map(|set| (text(&set[&2]), number(&set[&5]))).collect();
    let mut chains: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // The kernel returns the chains of all tables, whatever is asked.
    let all = dump(dataplane, GET_CHAINS, &[]);
    for chain in all.into_iter().filter(|chain| text(&chain[&1]) == table) {
        let lines = chains.entry(text(&chain[&3])).or_default();
        if let Some(hook) = chain.get(&4) {
            assert_eq!(number(&chain[&5]), 1, "the policy of a base chain is accept");
            let (hook, priority) = (one(hook, 1).unwrap(), one(hook, 2).unwrap());
            lines.push(format!("hook {} priority {}", number(hook), number(priority)));
        }
    }
    for rule in dump(dataplane, GET_RULES, &[(1, table)]) {
        let mut reader = Reader::default();
        for (_, expression) in attributes(&rule[&4]) {
            reader.read(expression, &key_lengths);
        }
        chains.get_mut(&text(&rule[&2])).unwrap().push(reader.said.join(" "));
    }
    chains
}

/// The chains by which packets come to a table that has these maps.
fn base_chains(generation: u64, maps: &BTreeSet<String>) -> BTreeMap<String, Vec<String>> {
    let mut chains: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut add = |name: &str, hook: u32, priority: i32, lines: Vec<String>| {
        let known = ["ct state established,related accept".to_owned()];
        let first = format!("hook {hook} priority {priority}");
        chains.insert(name.to_owned(), [first].into_iter().chain(known).chain(lines).collect());
    };
    let leads = |by: &str, names: &[String]| {
        let there = names.iter().filter(|name| maps.contains(*name));
        there.map(|name| format!("{by} vmap @{name}")).collect::<Vec<_>>()
    };
    for (direction, by) in [(Direction::Egress, "iif"), (Direction::Ingress, "oif")] {
        let place = priority(direction, generation);
        let maps = ["-admin", "", "-baseline"].map(|tier| format!("{direction}{tier}-pods"));
        assert!(leads(by, &maps).contains(&format!("{by} vmap @{direction}-pods")));
        add(&direction.to_string(), 2, place, leads(by, &maps));
        let [admin, _, baseline] = maps;
        let own_node = leads(by, &[admin, baseline]);
        if direction == Direction::Egress && !own_node.is_empty() {
            add(OWN_NODE, 1, place, own_node);
        }
    }
    chains
}

/// The chains of pods from the ruleset's own text.
fn expected_chains(ruleset: &Ruleset) -> BTreeMap<String, Vec<String>> {
    let mut chains: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let pods = ruleset.chains.iter().map(|chain| (chain.name(), chain.to_string()));
    let tiers = ruleset.tiers.iter().map(|chain| (chain.name(), chain.to_string()));
    for (name, text) in pods.chain(tiers) {
        let mut lines: Vec<String> = Vec::new();
        for line in text.lines().skip(1) {
            let line = line.trim();
            match line {
                "}" => {}
                "drop" if lines.last().is_some_and(|last| last.starts_with("log")) => {
                    write!(lines.last_mut().unwrap(), " drop").unwrap();
                }
                line if line.starts_with('#') => {}
                line => lines.push(line.to_owned()),
            }
        }
        chains.insert(name, lines);
    }
    chains
}

/// The keys of a set in the kernel, sorted, with whether each ends a range; and the verdict
/// of a verdict map's.
fn elements(dataplane: &Dataplane, table: &str, set: &str) -> BTreeSet<(Vec<u8>, bool, String)> {
    let mut found = BTreeSet::new();
    for part in dump(dataplane, GET_ELEMENTS, &[(1, table), (2, set)]) {
        for (_, element) in attributes(&part[&3]) {
            let key = one(one(element, 1).unwrap(), 1).unwrap().to_vec();
            let end = one(element, 3).is_some_and(|flags| number(flags) == 1);
            let verdict = one(element, 2).map_or(String::new(), |data| {
                let verdict = one(data, 2).unwrap();
                assert_eq!(number(one(verdict, 1).unwrap()), (-3i32).cast_unsigned(), "a jump");
                text(one(verdict, 2).unwrap())
            });
            assert!(found.insert((key, end, verdict)), "an element appears once");
        }
    }
    found
}

fn address(bytes: &[u8]) -> IpAddr {
    match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).unwrap()),
        16 => IpAddr::from(<[u8; 16]>::try_from(bytes).unwrap()),
        other => panic!("an address of {other} bytes"),
    }
}

fn service(bytes: &[u8]) -> (Protocol, u16) {
    let [number, 0, 0, 0, a, b, 0, 0] = bytes else { panic!("protocol and port: {bytes:?}") };
    (protocol(*number), u16::from_be_bytes([*a, *b]))
}

fn assert_loaded(dataplane: &Dataplane, ruleset: &Ruleset) {
    let tables: Vec<String> =
        dump(dataplane, GET_TABLES, &[]).iter().map(|table| text(&table[&1])).collect();
    assert_eq!(tables, dataplane.tables(), "the tables before are gone");
    let mut chains = BTreeMap::new();
    let (mut sets, mut maps) = (BTreeMap::new(), BTreeMap::<String, BTreeSet<_>>::new());
    for table in &tables {
        let generation = table.split('-').nth(1).unwrap().parse().unwrap();
        let there = dump(dataplane, GET_SETS, &[(1, table)]);
        let base = base_chains(generation, &there.iter().map(|set| text(&set[&2])).collect());
        for (name, lines) in read_chains(dataplane, table) {
            match base.get(&name) {
                Some(expected) => assert_eq!(&lines, expected, "`{name}` of `{table}`"),
                None => assert_eq!(chains.insert(name, lines), None, "a chain is in one table"),
            }
        }
        for set in dump(dataplane, GET_SETS, &[(1, table)]) {
            let name = text(&set[&2]);
            let found = elements(dataplane, table, &name);
            if name.starts_with("set-") {
                // Tables that share a set have the same one.
                assert_eq!(sets.entry(name).or_insert_with(|| found.clone()), &found);
            } else {
                maps.entry(name).or_default().extend(found);
            }
        }
    }
    assert_eq!(chains, expected_chains(ruleset));
    assert_eq!(sets.len(), ruleset.sets.len());
    for (position, set) in ruleset.sets.iter().enumerate() {
        let id = SetId(position);
        let found = &sets[&id.to_string()];
        let keys = || found.iter().map(|(key, ..)| key.as_slice());
        match set {
            Set::Addresses(expected) => {
                // In order of the address, a range's end before the next one's start.
                let mut ranges: Vec<(IpAddr, Option<IpAddr>)> = Vec::new();
                for (key, end, _) in found {
                    match ranges.last_mut() {
                        Some(last) if *end => last.1 = Some(address(key)),
                        _ => ranges.push((address(key), None)),
                    }
                }
                match expected.singles() {
                    Some(singles) => {
                        assert!(found.iter().all(|(_, end, _)| !end), "{id}");
                        let expected: BTreeSet<IpAddr> = singles.collect();
                        assert_eq!(keys().map(address).collect::<BTreeSet<_>>(), expected, "{id}");
                    }
                    None => assert_eq!(ranges, expected.bounds().collect::<Vec<_>>(), "{id}"),
                }
            }
            Set::Ports(expected) => {
                assert_eq!(&keys().map(service).collect::<BTreeSet<_>>(), expected, "{id}");
            }
            Set::Sockets(family, expected) => {
                let length = if *family == Family::Ipv4 { 4 } else { 16 };
                let sockets = keys().map(|key| {
                    let (protocol, port) = service(&key[length..]);
                    (address(&key[..length]), protocol, port)
                });
                assert_eq!(&sockets.collect::<BTreeSet<_>>(), expected, "{id}");
            }
        }
    }
    let mut expected = BTreeMap::<String, BTreeSet<_>>::new();
    for direction in [Direction::Egress, Direction::Ingress] {
        expected.insert(format!("{direction}-pods"), BTreeSet::new());
    }
    let pods = ruleset.chains.iter().map(|chain| (chain.interface, chain.name()));
    let tiers = ruleset.tiers.iter().map(|chain| (chain.interface, chain.name()));
    for (interface, name) in pods.chain(tiers) {
        let (group, number) = name.rsplit_once('-').unwrap();
        assert_eq!(number, interface.to_string());
        let led = (interface.to_ne_bytes().to_vec(), false, name.clone());
        expected.entry(format!("{group}-pods")).or_default().insert(led);
    }
    assert_eq!(maps, expected);
}

/// Every kind of match and set at once.
pub(super) fn everything_at_once() -> World {
    let ports = |texts: &[&str]| texts.iter().map(|text| port(text)).collect::<Vec<_>>();
    let all_ports = ports(&["80", "53/UDP", "9999/SCTP", "8000-8100", "/SCTP", "http"]);
    let blocks = [
        block("10.0.0.0/8", &["10.1.0.0/16", "10.2.0.0/24"]),
        block("240.0.0.0/4", &["240.0.0.0/24"]),
        block("fd00::/8", &["fd00::3/128"]),
        pods(None, Some(everything())),
    ];
    let policies = vec![
        policy("prod/deny", app("web")).types(&[Ingress, Egress]),
        policy("prod/ports", app("api")).ingress(&[rule(None, Some(&all_ports))]),
        policy("prod/blocks", app("db"))
            .ingress(&[
                rule(Some(&blocks), Some(&ports(&["3306"]))),
                rule(Some(&blocks[3..]), None),
            ])
            .egress(&[
                rule(Some(&blocks), Some(&all_ports)),
                rule(Some(&[block("0.0.0.0/0", &[])]), Some(&ports(&["443"]))),
                rule(Some(&[block("::/0", &[])]), None),
            ]),
        policy(&format!("prod/{}", "long".repeat(30)), app("db")),
    ];
    let peers = [c::everyone(), c::networks(&["240.0.0.0/4"]), c::nodes(everything())];
    let ports = ["80/TCP", "53/UDP", "8000-8100/TCP", "/SCTP", "http"];
    let rules = [c::accept(&peers, &ports), c::pass(&peers, &[]), c::deny(&peers, &ports)];
    let of_cluster = [
        c::of(Tier::Admin, "admin", 1).from(&rules).to(&rules),
        c::of(Tier::Baseline, &"long".repeat(30), 1).from(&rules).to(&rules),
    ];
    c::with(world(cluster(), policies), &of_cluster)
}

#[test]
fn the_kernel_has_what_the_ruleset_says() {
    in_namespace(|| {
        let mut dataplane = Dataplane::open().unwrap();
        let mut world = everything_at_once();
        let node = node(&world);
        for evidence in [true, false] {
            let ruleset = compile(&world, &node, evidence);
            dataplane.install(&ruleset).unwrap();
            assert_loaded(&dataplane, &ruleset);
        }
        // And one that leaves nobody isolated.
        world.policies.clear();
        world.cluster_policies.clear();
        let ruleset = compile(&world, &node, true);
        dataplane.install(&ruleset).unwrap();
        assert_loaded(&dataplane, &ruleset);
        dataplane.flush_conntrack().unwrap();
    });
}

/// The longest text that the kernel carries itself, and one that is a byte longer.
#[test]
fn the_longest_log_text() {
    in_namespace(|| {
        let mut dataplane = Dataplane::open().unwrap();
        for (length, is_long) in [(127, false), (128, true)] {
            let before = "ingress prod/db: isolated by prod/".len();
            let name = format!("prod/{}", "x".repeat(length - before));
            let world = world(cluster(), vec![policy(&name, app("db"))]);
            let ruleset = compile(&world, &node(&world), true);
            let log = ruleset.chains[0].log.as_ref().unwrap();
            assert_eq!((log.text.len(), log.is_long()), (length, is_long));
            dataplane.install(&ruleset).unwrap();
            assert_loaded(&dataplane, &ruleset);
        }
    });
}

/// More than one transaction carries, more elements than one message does, and more sets
/// than one table has.
#[test]
fn large_rulesets_are_loaded_in_pieces() {
    in_namespace(|| {
        let mut world = super::scale::world_of(200, 40);
        let wide = (0..3000).map(|n| format!("10.9.{}.{}/32", n / 125, n % 125 * 2));
        let wide: Vec<_> = wide.map(|text| block(&text, &[])).collect();
        let wide = policy("many/wide", everything()).ingress(&[rule(Some(&wide), None)]);
        world.policies.insert(wide.name.clone(), wide.into());
        let ruleset = compile(&world, &super::scale::node_view(&world, "n0"), true);
        let mut dataplane = Dataplane::open().unwrap();
        for _ in 0..2 {
            dataplane.install(&ruleset).unwrap();
            assert!(dataplane.tables().len() > 1);
            assert_loaded(&dataplane, &ruleset);
        }
    });
}

/// A packet on its way meets the chains of a ruleset after those of the ruleset before, and
/// egress before ingress.
#[test]
fn later_chains_are_later() {
    let order =
        |generation| [Direction::Egress, Direction::Ingress].map(|d| priority(d, generation));
    let all: Vec<i32> = [0, 1, 2, 100_000].into_iter().flat_map(order).collect();
    assert!(all.is_sorted_by(|one, next| one < next), "{all:?}");
}

/// What the kernel refuses leaves what was there in force, and is said by name.
#[test]
fn a_refused_ruleset_changes_nothing() {
    in_namespace(|| {
        let mut dataplane = Dataplane::open().unwrap();
        let world = everything_at_once();
        let ruleset = compile(&world, &node(&world), true);
        dataplane.install(&ruleset).unwrap();
        let mut twice = ruleset.clone();
        let mut again = twice.chains[0].clone();
        again.pod = PodName::new("prod", "again");
        twice.chains.push(again);
        let error = dataplane.install(&twice).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the kernel refused a new chain `{}` in table `ringfence-1-0`: \
                 EEXIST: File exists",
                ruleset.chains[0].name()
            )
        );
        assert_loaded(&dataplane, &ruleset);
    });
}
