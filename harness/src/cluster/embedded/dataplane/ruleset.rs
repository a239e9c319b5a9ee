//! What a node enforces, as pure data, and as text in the manner of `nft list ruleset`.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use super::addresses::Addresses;
use crate::model::{Direction, Family, PodName, Protocol, Tier};

/// The longest text that a log rule may carry, in bytes (`NF_LOG_PREFIXLEN` with its zero).
const LONGEST_PREFIX: usize = 127;

/// The rules of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Ruleset {
    /// What rules look up; a rule names a set by its position here. No two are the same.
    pub(super) sets: Vec<Set>,
    /// One for every direction in which a pod of the node is isolated.
    pub(super) chains: Vec<Chain>,
    /// One for every direction and tier in which policies of the cluster have rules for a pod
    /// of the node, but for Baseline where the pod is isolated.
    pub(super) tiers: Vec<TierChain>,
    /// How packets are led to the chains.
    pub(super) handling: Handling,
}

/// What is wrong with the way of packets to the chains; by default nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Handling {
    /// The port that was dialled is judged, not the one that a Service leads to.
    pub(in super::super) service_ports: bool,
    /// The node's own traffic to its pods is judged.
    pub(in super::super) own_node: bool,
    /// Replies are judged.
    pub(in super::super) replies: bool,
    /// Packets of connections that began under another number than this are dropped. Not 0,
    /// which connections have that were never numbered.
    pub(in super::super) cut: Option<u32>,
}

/// What a set holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Set {
    /// Addresses of one family.
    Addresses(Addresses),
    /// Protocols with ports.
    Ports(BTreeSet<(Protocol, u16)>),
    /// Addresses of one family with protocols and ports.
    Sockets(Family, BTreeSet<(IpAddr, Protocol, u16)>),
}

/// A set by its position in the ruleset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SetId(pub(super) usize);

impl fmt::Display for SetId {
    /// The set's name in the kernel.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set-{}", self.0)
    }
}

/// What passes to or from an isolated pod. What none of the rules accepts is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    /// The direction, from the pod's point of view.
    pub(super) direction: Direction,
    /// The pod.
    pub(super) pod: PodName,
    /// The interface by which its packets come in (egress) or go out (ingress).
    pub(super) interface: u32,
    /// Each accepts what it matches. No two are the same.
    pub(super) rules: Vec<Rule>,
    /// What the packet log is told of a drop; `None` where nothing is.
    pub(super) log: Option<LogText>,
}

impl Chain {
    /// The chain's name in the kernel.
    pub(super) fn name(&self) -> String {
        format!("{}-{}", self.direction, self.interface)
    }
}

/// What policies of the cluster say of a pod's packets, in one tier. What none of the rules
/// matches goes on: behind Admin to the [`Chain`], behind Baseline to its destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TierChain {
    /// The direction, from the pod's point of view.
    pub(super) direction: Direction,
    /// The tier.
    pub(super) tier: Tier,
    /// The pod.
    pub(super) pod: PodName,
    /// The interface by which its packets come in (egress) or go out (ingress).
    pub(super) interface: u32,
    /// The first that matches decides; at least one.
    pub(super) rules: Vec<TierRule>,
}

impl TierChain {
    /// The chain's name in the kernel.
    pub(super) fn name(&self) -> String {
        format!("{}-{}", tier_name(self.direction, self.tier), self.interface)
    }
}

/// What the chains of a direction and tier are called together.
pub(super) fn tier_name(direction: Direction, tier: Tier) -> String {
    let tier = match tier {
        Tier::Admin => "admin",
        Tier::Baseline => "baseline",
    };
    format!("{direction}-{tier}")
}

/// The base chain for packets from pods to their own node.
pub(super) const OWN_NODE: &str = "own-node";

/// Decides about what all of its matches hold for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TierRule {
    /// Which packets.
    pub(super) rule: Rule,
    /// What becomes of them.
    pub(super) ruling: Ruling,
}

/// What a rule of a policy of the cluster comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ruling {
    /// On to the destination, or to the other direction's chains.
    Accept,
    /// Gone; the packet log is told this, or nothing.
    Deny(Option<LogText>),
    /// On to what is behind the tier.
    Pass,
}

/// Accepts what all of its matches hold for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Rule(pub(super) Vec<Match>);

/// What must hold for a packet. "Peer" is the end that is not the isolated pod: the source
/// in ingress, the destination in egress. Ports are always the destination's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Match {
    /// It is of this family.
    Family(Family),
    /// The peer's address is in the set.
    Peer(SetId),
    /// It is of this transport protocol.
    Protocol(Protocol),
    /// It is of this protocol, and its port is from the first to the last.
    Port(Protocol, u16, u16),
    /// Its protocol and port are in the set.
    Service(SetId),
    /// The peer's address, the protocol and the port are in the set.
    Socket(SetId),
}

/// What the packet log is told of a drop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogText {
    /// All of it.
    pub(super) text: String,
    /// What the kernel carries: the text where it is short enough, else a name for it that
    /// depends on nothing but the text.
    pub(super) prefix: String,
}

impl LogText {
    pub(super) fn new(text: String) -> Self {
        let prefix = match text.len() {
            0..=LONGEST_PREFIX => text.clone(),
            _ => format!("ringfence:{:016x}", fnv1a(text.as_bytes())),
        };
        Self { text, prefix }
    }

    /// Whether the kernel only carries a name for it.
    pub(super) fn is_long(&self) -> bool {
        self.text.len() > LONGEST_PREFIX
    }
}

/// FNV-1a of 64 bits: the same in every process and version (RFC 9923).
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl Handling {
    /// What becomes of packets of known connections.
    fn write_known(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cut {
            _ if self.replies => Ok(()),
            None => writeln!(f, "  ct state established,related accept"),
            Some(number) => {
                writeln!(f, "  ct state new ct mark set {number}")?;
                writeln!(f, "  ct state established,related ct mark {number} accept")?;
                writeln!(f, "  ct state established,related drop")
            }
        }
    }
}

impl Ruleset {
    /// The chains of one direction, in order of the interface.
    pub(super) fn chains(&self, direction: Direction) -> impl Iterator<Item = &Chain> {
        self.chains.iter().filter(move |chain| chain.direction == direction)
    }

    /// The chains of one direction and tier, in order of the interface.
    pub(super) fn tiers(
        &self,
        direction: Direction,
        tier: Tier,
    ) -> impl Iterator<Item = &TierChain> {
        self.tiers.iter().filter(move |chain| (chain.direction, chain.tier) == (direction, tier))
    }

    /// What the packet log may be told.
    pub(super) fn logs(&self) -> impl Iterator<Item = &LogText> {
        let tiers = self.tiers.iter().flat_map(|chain| &chain.rules);
        let denials = tiers.filter_map(|rule| match &rule.ruling {
            Ruling::Deny(log) => log.as_ref(),
            Ruling::Accept | Ruling::Pass => None,
        });
        self.chains.iter().filter_map(|chain| chain.log.as_ref()).chain(denials)
    }
}

impl fmt::Display for Ruleset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, set) in self.sets.iter().enumerate() {
            writeln!(f, "set {} {set}", SetId(position))?;
        }
        if self.tiers.iter().any(|chain| chain.direction == Direction::Egress) {
            writeln!(f, "chain {OWN_NODE} {{ hook input, priority 0, policy accept")?;
            self.handling.write_known(f)?;
            self.jumps_to_tier(f, Direction::Egress, Tier::Admin)?;
            self.jumps_to_tier(f, Direction::Egress, Tier::Baseline)?;
            writeln!(f, "}}")?;
        }
        for (direction, priority) in [(Direction::Egress, 0), (Direction::Ingress, 10)] {
            writeln!(f, "chain {direction} {{ hook forward, priority {priority}, policy accept")?;
            self.handling.write_known(f)?;
            self.jumps_to_tier(f, direction, Tier::Admin)?;
            for chain in self.chains(direction) {
                jump(f, direction, chain.interface, &chain.name())?;
            }
            self.jumps_to_tier(f, direction, Tier::Baseline)?;
            writeln!(f, "}}")?;
        }
        if self.handling.own_node {
            writeln!(f, "chain own {{ hook output, as chain {} }}", Direction::Ingress)?;
        }
        if self.handling.service_ports {
            writeln!(f, "# dport is the one that was dialled")?;
        }
        self.chains.iter().try_for_each(|chain| chain.fmt(f))?;
        self.tiers.iter().try_for_each(|chain| chain.fmt(f))
    }
}

impl Ruleset {
    fn jumps_to_tier(
        &self,
        f: &mut fmt::Formatter<'_>,
        direction: Direction,
        tier: Tier,
    ) -> fmt::Result {
        let mut chains = self.tiers(direction, tier);
        chains.try_for_each(|chain| jump(f, direction, chain.interface, &chain.name()))
    }
}

fn jump(
    f: &mut fmt::Formatter<'_>,
    direction: Direction,
    interface: u32,
    chain: &str,
) -> fmt::Result {
    let by = match direction {
        Direction::Egress => "iif",
        Direction::Ingress => "oif",
    };
    writeln!(f, "  {by} {interface} jump {chain}")
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addresses(addresses) => write!(f, "{} {{ {addresses} }}", addresses.family()),
            Self::Ports(ports) => {
                let ports: Vec<String> =
                    ports.iter().map(|(protocol, port)| format!("{protocol} . {port}")).collect();
                write!(f, "protocol . port {{ {} }}", ports.join(", "))
            }
            Self::Sockets(family, sockets) => {
                let sockets: Vec<String> = sockets
                    .iter()
                    .map(|(address, protocol, port)| format!("{address} . {protocol} . {port}"))
                    .collect();
                write!(f, "{family} . protocol . port {{ {} }}", sockets.join(", "))
            }
        }
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "chain {} {{ # {}", self.name(), self.pod)?;
        for rule in &self.rules {
            f.write_str(" ")?;
            rule.write(f, self.direction)?;
            writeln!(f, " accept")?;
        }
        if let Some(log) = &self.log {
            log.write(f)?;
        }
        writeln!(f, "  drop\n}}")
    }
}

impl fmt::Display for TierChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "chain {} {{ # {}", self.name(), self.pod)?;
        for TierRule { rule, ruling } in &self.rules {
            f.write_str(" ")?;
            rule.write(f, self.direction)?;
            match ruling {
                Ruling::Accept => writeln!(f, " accept"),
                Ruling::Pass => writeln!(f, " return"),
                Ruling::Deny(None) => writeln!(f, " drop"),
                Ruling::Deny(Some(log)) => {
                    writeln!(f, " log \"{}\" drop", log.prefix)?;
                    log.write_long(f)
                }
            }?;
        }
        writeln!(f, "}}")
    }
}

impl Rule {
    /// Each match with a space before it.
    fn write(&self, f: &mut fmt::Formatter<'_>, direction: Direction) -> fmt::Result {
        let peer = match direction {
            Direction::Ingress => "saddr",
            Direction::Egress => "daddr",
        };
        for found in &self.0 {
            match found {
                Match::Family(family) => write!(f, " {family}"),
                Match::Peer(set) => write!(f, " {peer} @{set}"),
                Match::Protocol(protocol) => write!(f, " {protocol}"),
                Match::Port(protocol, first, last) if first == last => {
                    write!(f, " {protocol} dport {first}")
                }
                Match::Port(protocol, first, last) => {
                    write!(f, " {protocol} dport {first}-{last}")
                }
                Match::Service(set) => write!(f, " protocol . dport @{set}"),
                Match::Socket(set) => write!(f, " {peer} . protocol . dport @{set}"),
            }?;
        }
        Ok(())
    }
}

impl LogText {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  log \"{}\"", self.prefix)?;
        self.write_long(f)
    }

    /// What the kernel only carries a name for.
    fn write_long(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_long() {
            true => writeln!(f, "    # {}", self.text),
            false => Ok(()),
        }
    }
}
