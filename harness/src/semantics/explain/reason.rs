//! Why a policy, a peer or a port answered as it did.

use std::net::IpAddr;

use crate::model::{
    Cidr, Clause, Direction, Endpoint, Family, LabelSelector, Labels, NAMESPACE_NAME_LABEL,
    NetworkPolicy, Peer, Pod, PodName, PolicyPort, PolicyType, PortRef, World,
};

use super::super::Engine;
use super::super::answer::Answer;
use super::super::flow::{End, Flow};
use super::super::isolation::rules;
use super::explanation::{EntryTrace, Standing};

/// One direction of a connection, being weighed.
pub(super) struct Weighing<'e> {
    pub(super) world: &'e World,
    pub(super) engine: &'e Engine,
    pub(super) flow: Flow<'e>,
    pub(super) direction: Direction,
}

impl Weighing<'_> {
    pub(super) fn peer_name(&self) -> &Endpoint {
        match self.direction {
            Direction::Egress => &self.flow.cell.destination,
            Direction::Ingress => &self.flow.cell.source,
        }
    }

    pub(super) fn standing_reason(
        &self,
        policy: &NetworkPolicy,
        standing: Standing,
        labels: &Labels,
    ) -> String {
        let direction = self.direction;
        match standing {
            Standing::OtherPods => format!(
                "does not select it: `{}` does not match its labels {}",
                policy.pod_selector,
                labels_text(labels)
            ),
            Standing::Isolates => match listed_types(policy) {
                Some(types) => format!("isolates it for {direction}: policyTypes is [{types}]"),
                None => format!("isolates it for {direction}: {}", default_text(policy)),
            },
            Standing::OtherDirection => {
                let types = match listed_types(policy) {
                    Some(types) => format!("policyTypes is [{types}]"),
                    None => default_text(policy).to_owned(),
                };
                let ignored = match rules(policy, direction).len() {
                    0 => String::new(),
                    1 => format!(", so its {direction} rule has no say"),
                    many => format!(", so its {many} {direction} rules have no say"),
                };
                format!("selects it, but not for {direction}: {types}{ignored}")
            }
        }
    }

    pub(super) fn peer_reason(
        &self,
        policy: &NetworkPolicy,
        peer: &Peer,
        answer: Answer,
    ) -> String {
        let name = self.peer_name();
        match (answer, peer) {
            (Answer::Open(clause), _) => {
                format!("covers `{name}`, where the API leaves it open ({})", clause_text(clause))
            }
            (Answer::Missing(fact), _) => fact.to_string(),
            (Answer::Yes, Peer::Pods { .. }) => format!("matches `{name}`"),
            (Answer::No, Peer::Pods { pod_selector, namespace_selector, .. }) => {
                match (self.flow.peer(self.direction), name) {
                    (End::Pod(_, pod), Endpoint::Pod(at)) => self.pods_miss(
                        policy,
                        (at, pod),
                        pod_selector.as_ref(),
                        namespace_selector.as_ref(),
                    ),
                    _ => format!("`{name}` is no pod, and selectors match pods alone"),
                }
            }
            (Answer::Yes | Answer::No, Peer::IpBlock { cidr, except, .. }) => {
                self.block_reason(cidr, except)
            }
        }
    }

    fn pods_miss(
        &self,
        policy: &NetworkPolicy,
        (name, pod): (&PodName, &Pod),
        pod_selector: Option<&LabelSelector>,
        namespace_selector: Option<&LabelSelector>,
    ) -> String {
        let own = &policy.name.namespace;
        let labels_match = pod_selector.is_none_or(|selector| selector.matches(&pod.labels));
        let labels = labels_text(&pod.labels);
        let Some(namespace) = self.world.topology.namespaces.get(&name.namespace) else {
            return format!("namespace `{}` is not in the topology", name.namespace);
        };
        match namespace_selector {
            None if *own == name.namespace => format!("`{name}` has labels {labels}"),
            None if labels_match => format!(
                "`{name}` has the labels, but a podSelector alone stays in the policy's own \
                 namespace `{own}`; a namespaceSelector beside it would reach `{}`",
                name.namespace
            ),
            None => format!(
                "`{name}` has labels {labels} and is not in the policy's own namespace `{own}`, \
                 where a podSelector alone stays"
            ),
            Some(selector) if !selector.matches(&namespace.labels) => {
                let hint = if means_name(selector, &name.namespace) {
                    format!(
                        "; the label that every namespace has by itself is `{NAMESPACE_NAME_LABEL}`"
                    )
                } else {
                    String::new()
                };
                let found = labels_text(&namespace.labels);
                format!("namespace `{}` has labels {found}{hint}", name.namespace)
            }
            Some(_) => format!(
                "namespace `{}` matches, but `{name}` has labels {labels}, and both selectors of \
                 one peer must match",
                name.namespace
            ),
        }
    }

    pub(super) fn block_reason(&self, cidr: &Cidr, except: &[Cidr]) -> String {
        let name = self.peer_name();
        let family = self.flow.cell.family;
        if Family::of(cidr.net.addr()) != family {
            return format!("is not of the connection's family, {family}");
        }
        let peer = self.flow.peer(self.direction);
        let known = self.engine.addresses(peer).iter();
        let known: Vec<IpAddr> = known.copied().filter(|ip| Family::of(*ip) == family).collect();
        let Some(address) = known.first() else {
            return format!("holds every address, so also that of `{name}`");
        };
        let told = known.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
        let hole = except.iter().find(|hole| hole.contains(*address));
        match (cidr.contains(*address), hole) {
            (false, _) => format!("`{name}` is {told}, outside of it"),
            (true, Some(hole)) => {
                format!("`{name}` is {told}, in `{hole}`, which except leaves out")
            }
            (true, None) => format!("`{name}` is {told}, inside of it"),
        }
    }

    pub(super) fn port_reason(&self, entry: &PolicyPort, answer: Answer) -> String {
        let cell = self.flow.cell;
        let asked = format!("{}/{}", cell.port, cell.protocol);
        match answer {
            Answer::Yes => return format!("covers {asked}"),
            Answer::Open(clause) => {
                return format!(
                    "covers {asked}, where the API leaves it open ({})",
                    clause_text(clause)
                );
            }
            Answer::Missing(fact) => return fact.to_string(),
            Answer::No => {}
        }
        let protocol = entry.protocol.unwrap_or_default();
        if protocol != cell.protocol {
            let default =
                if entry.protocol.is_none() { ", which an absent protocol means" } else { "" };
            return format!("is for {protocol}{default}, and {asked} was asked");
        }
        let Some(PortRef::Name(name)) = &entry.port else {
            return format!("{asked} was asked");
        };
        let End::Pod(_, pod) = self.flow.destination else {
            return format!(
                "a name is looked up on the pod at the receiving end, and `{}` is none",
                cell.destination
            );
        };
        let named = |port: &&crate::model::Port| port.name.as_ref() == Some(name);
        let numbers: Vec<String> = pod
            .ports
            .iter()
            .filter(named)
            .map(|port| format!("{}/{}", port.number, port.protocol))
            .collect();
        if numbers.is_empty() {
            format!("`{}` has no port named `{name}`", cell.destination)
        } else {
            let numbers = numbers.join(", ");
            format!("`{name}` of `{}` is {numbers}, and {asked} was asked", cell.destination)
        }
    }
}

pub(super) fn rule_reason(answer: Answer, peers: &[EntryTrace], ports: &[EntryTrace]) -> String {
    let best = |entries: &[EntryTrace]| {
        let answers = entries.iter().map(|entry| entry.answer);
        if entries.is_empty() { Answer::Yes } else { Answer::strongest(answers).0 }
    };
    match answer {
        Answer::Yes => "allows it".to_owned(),
        Answer::Open(clause) => format!("the API leaves it open ({})", clause_text(clause)),
        Answer::Missing(fact) => fact.to_string(),
        Answer::No => match (best(peers), best(ports)) {
            (Answer::No, Answer::No) => "neither a peer nor a port matches",
            (Answer::No, Answer::Yes) => "the port matches, but no peer does",
            (Answer::No, _) => "the port may match, but no peer does",
            (Answer::Yes, _) => "the peer matches, but no port does",
            (_, _) => "a peer may match, but no port does",
        }
        .to_owned(),
    }
}

pub(super) fn peer_text(peer: &Peer) -> String {
    match peer {
        Peer::Pods { pod_selector, namespace_selector, .. } => {
            let pods = pod_selector.as_ref().map(|selector| format!("podSelector {selector}"));
            let namespaces =
                namespace_selector.as_ref().map(|selector| format!("namespaceSelector {selector}"));
            pods.into_iter().chain(namespaces).collect::<Vec<_>>().join(" and ")
        }
        Peer::IpBlock { cidr, except, .. } if except.is_empty() => format!("ipBlock {cidr}"),
        Peer::IpBlock { cidr, except, .. } => {
            let holes = except.iter().map(Cidr::to_string).collect::<Vec<_>>().join(", ");
            format!("ipBlock {cidr} except {holes}")
        }
    }
}

pub(super) fn port_text(entry: &PolicyPort) -> String {
    let protocol = entry.protocol.unwrap_or_default();
    match (&entry.port, entry.end_port) {
        (None, _) => format!("every {protocol} port"),
        (Some(PortRef::Number(first)), Some(last)) => format!("{first}-{last}/{protocol}"),
        (Some(port), _) => format!("{port}/{protocol}"),
    }
}

pub(super) fn clause_text(clause: Clause) -> &'static str {
    match clause {
        Clause::PodToItself => "a pod to itself",
        Clause::PodToOwnNode => "a pod to its own node",
        Clause::HostNetworkSubject => "a hostNetwork pod under a policy",
        Clause::HostNetworkPeer => "a hostNetwork pod as a peer",
        Clause::IpBlockOnPod => "an ipBlock on a pod's address",
        Clause::RewrittenAddress => "an address that a Service or node may rewrite",
        Clause::EqualPriorities | Clause::EqualAdminPriorities => {
            "policies of one priority that disagree"
        }
        Clause::MixedVersions => "policies of two versions of the API that disagree",
        Clause::AdminPolicyOnItself => "a pod to itself under a policy of v1alpha1",
        Clause::DenyAllOnOwnNode => "a pod's own node under a rule that denies all",
    }
}

/// Whether a selector seems to mean a namespace by its name, under a label that is not
/// the automatic one.
fn means_name(selector: &LabelSelector, namespace: &str) -> bool {
    let label = selector.match_labels.iter();
    label.into_iter().any(|(key, value)| key != NAMESPACE_NAME_LABEL && value == namespace)
}

pub(super) fn labels_text(labels: &Labels) -> String {
    if labels.is_empty() {
        return "(none)".to_owned();
    }
    let pairs = labels.iter().map(|(key, value)| format!("{key}={value}"));
    format!("`{}`", pairs.collect::<Vec<_>>().join(","))
}

fn listed_types(policy: &NetworkPolicy) -> Option<String> {
    let types = policy.policy_types.as_deref().filter(|types| !types.is_empty())?;
    let name = |one: &PolicyType| match one {
        PolicyType::Ingress => "Ingress",
        PolicyType::Egress => "Egress",
    };
    Some(types.iter().map(name).collect::<Vec<_>>().join(", "))
}

fn default_text(policy: &NetworkPolicy) -> &'static str {
    if rules(policy, Direction::Egress).is_empty() {
        "policyTypes is not set, and without egress rules defaults to [Ingress]"
    } else {
        "policyTypes is not set, and with egress rules defaults to [Ingress, Egress]"
    }
}
