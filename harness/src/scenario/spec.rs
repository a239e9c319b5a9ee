//! A scenario as it is meant: checked, with every name resolved.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Diagnostic;
use crate::model::{
    Change, ClusterPeer, Family, Intent, Name, Origin, Peer, PodName, PolicyName, Protocol,
    Topology, Via,
};

/// A scenario: a topology, and steps that change it and say what is expected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// The stable identifier: the folder's path below the library's root, with `/`.
    pub id: String,
    /// The folder.
    pub folder: PathBuf,
    /// Its name.
    pub name: String,
    /// One sentence that says what it shows.
    pub about: String,
    /// Tags, for `--tag`.
    pub tags: Vec<String>,
    /// How many nodes it needs at least.
    pub nodes: usize,
    /// What there is before the first step; addresses and nodes of pods are not known yet.
    pub topology: Topology,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Policies in its manifests that are of kinds we do not understand, a
    /// sentence each. Where there is one the scenario is skipped, since what
    /// the others specify is not the whole.
    pub unsupported: Vec<String>,
    /// The digest of its files: [`digest_of_list`](super::digest_of_list) of the SHA-256 of
    /// `scenario.yaml` and of each manifest that it names.
    pub digest: String,
    /// Where it starts.
    pub origin: Origin,
}

impl Scenario {
    /// Every range that the scenario gives a meaning: the addresses of its
    /// external hosts, and the CIDRs of every step's ipBlocks and networks but `/0`. A cluster
    /// chooses its own ranges apart from them. Exceptions lie within their CIDR;
    /// those of a `/0` are left to pods, which on most clusters do have
    /// addresses in the private ranges that such exceptions name.
    pub fn declared_ranges(&self) -> Vec<IpNet> {
        let mut ranges = BTreeSet::new();
        for external in self.topology.externals.values() {
            ranges.extend(external.addresses.iter().copied().map(IpNet::from));
        }
        let policies = self.steps.iter().flat_map(|step| &step.changes).filter_map(|change| {
            let Change::ApplyPolicy(policy) = change else { return None };
            Some(policy)
        });
        for policy in policies {
            let rules = policy.ingress.iter().chain(&policy.egress).flatten();
            for peer in rules.filter_map(|rule| rule.peers.as_ref()).flatten() {
                let Peer::IpBlock { cidr, .. } = peer else { continue };
                ranges.extend(Some(cidr.net).filter(|net| net.prefix_len() > 0));
            }
        }
        let changes = self.steps.iter().flat_map(|step| &step.changes);
        for change in changes {
            let Change::ApplyClusterPolicy(policy) = change else { continue };
            for peer in policy.ingress.iter().chain(&policy.egress).flat_map(|rule| &rule.peers) {
                let ClusterPeer::Networks { cidrs, .. } = peer else { continue };
                let nets = cidrs.iter().map(|cidr| cidr.net);
                ranges.extend(nets.filter(|net| net.prefix_len() > 0));
            }
        }
        ranges.into_iter().collect()
    }
}

/// A step: changes, then what is expected once they are enforced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What the step shows.
    pub name: String,
    /// The changes, in the order in which they are made.
    pub changes: Vec<Change>,
    /// Addresses that only exist at run time, put into this step's policies.
    pub bindings: Vec<Binding>,
    /// What is expected: the first rule that matches a cell decides it.
    pub expect: Vec<ExpectRule>,
    /// The cells in which intent and specification are known to part: the
    /// intent of each rule is what the policies *specify* instead. Together
    /// they must match exactly the cells that part.
    pub faults: Vec<ExpectRule>,
    /// Manifests that must be rejected, checked when the scenario is loaded.
    /// They are not applied.
    pub rejected: Vec<ExpectedDiagnostic>,
    /// What is looked at while the changes are made.
    #[serde(default, skip_serializing_if = "Watching::is_empty")]
    pub watch: Watching,
    /// Where it starts.
    pub origin: Origin,
}

/// What is looked at while a step's changes are made, with what must hold of it *all the
/// time*: `allow` never closes, `deny` never opens, `any` may do either and is measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Watching {
    /// Connections that are opened before the changes and used ever since: `allow` survives
    /// them, and of `any` it is recorded whether it does.
    pub hold: Vec<ExpectRule>,
    /// `try`: what is attempted anew all the time. Where an end only comes with the step,
    /// from the moment on at which it has an address.
    pub attempt: Vec<ExpectRule>,
}

impl Watching {
    /// Whether nothing is watched.
    pub const fn is_empty(&self) -> bool {
        self.hold.is_empty() && self.attempt.is_empty()
    }
}

/// A rule of `expect`, `faults` or `watch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectRule {
    /// The rule's text as written.
    pub text: String,
    /// Its first word.
    pub intent: Intent,
    /// Who connects.
    pub source: EndpointPattern,
    /// Who is connected to.
    pub destination: EndpointPattern,
    /// Which ports; `None` means every declared port and protocol.
    pub port: Option<PortPattern>,
    /// `via …`; `None` means every way that the run probes.
    pub via: Option<Via>,
    /// `over …`; `None` means both families.
    pub family: Option<Family>,
    /// Where it was written.
    pub origin: Origin,
}

/// Which endpoints a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "kebab-case")]
pub enum EndpointPattern {
    /// `*`: every declared pod and external host.
    Any,
    /// `*/*`: every pod.
    AnyPod,
    /// `NAMESPACE/*`: every pod of a namespace.
    Namespace(Name),
    /// `*/NAME`: the pods of this name in every namespace.
    PodsNamed(Name),
    /// `NAMESPACE/NAME`.
    Pod(PodName),
    /// A bare `NAME`: an external host.
    External(Name),
    /// `node/NAME`; `node/*` is every node.
    Node(Option<Name>),
}

/// Which ports a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum PortPattern {
    /// `:80`, `:53/UDP`, `:8000-8100`; TCP where no protocol is written.
    Numbers {
        /// The first port.
        first: u16,
        /// The last port, the first one where it is no range.
        last: u16,
        /// The protocol.
        protocol: Protocol,
    },
    /// `:http`: the destination's ports of this name, whatever their protocol.
    Name {
        /// The name.
        name: Name,
    },
    /// `:*/UDP`: every declared port of a protocol.
    Protocol {
        /// The protocol.
        protocol: Protocol,
    },
}

/// An address that exists only at run time, and the policy field it goes into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The policy.
    pub policy: PolicyName,
    /// The field's path, for example `spec.egress[0].to[0].ipBlock.cidr`.
    pub field: String,
    /// Whose address: `namespace/pod`, `node/NAME` or an external host.
    pub address_of: crate::model::Endpoint,
    /// Which of its addresses.
    pub family: Family,
    /// Where it was written.
    pub origin: Origin,
}

/// A manifest that the loader must reject, with the place and the words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedDiagnostic {
    /// The manifest's file name.
    pub file: String,
    /// The line that the diagnostic names.
    pub line: u32,
    /// The column that the diagnostic names.
    pub column: u32,
    /// A part of the diagnostic's message.
    pub message: String,
    /// What was found there when the scenario was loaded.
    pub found: Diagnostic,
    /// Where the expectation was written.
    pub origin: Origin,
}
