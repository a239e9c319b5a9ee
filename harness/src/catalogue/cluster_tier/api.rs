//! The sentences of `policy.networking.k8s.io` that cases test
//! (kubernetes-sigs/network-policy-api: `apis/v1alpha1` at `v0.1.7`, `apis/v1alpha2` and
//! `site-src/api-overview.md` at 0eec1b0).

use super::axis::{Action, Api, Beside, Change, Peer, Port, Subject, Tier};
use super::feature::Feature;
use super::topic::Topic;
use crate::catalogue::specification::{ApiSentence, sentences};
use crate::model::Direction;

sentences! {
    ADMIN: "ClusterNetworkPolicySpec.tier", "The Admin tier takes precedence over all other policies. Policies defined in this tier are used to set cluster-wide security rules that cannot be overridden in the other tiers.";
    FINAL: "ClusterNetworkPolicySpec.tier", "If Admin tier has made a final decision (Accept or Deny) on a connection, then no further evaluation is done.";
    NETWORK_POLICY: "ClusterNetworkPolicySpec.tier", "v1.NetworkPolicy always makes a final decision for selected pods. Further evaluation only happens for Pods not selected by a v1.NetworkPolicy.";
    BASELINE: "ClusterNetworkPolicySpec.tier", "Baseline tier is a cluster-wide policy that can be overridden by the v1.NetworkPolicy.";
    DEFAULT: "ClusterNetworkPolicySpec.tier", "If a given connection wasn't allowed or denied by any of the tiers, the default kubernetes policy is applied, which says that all pods can communicate with each other.";
    PRIORITY: "ClusterNetworkPolicySpec.priority", "Policies with lower priority values have higher precedence, and are checked before policies with higher priority values in the same tier.";
    EQUAL_PRIORITIES: "ClusterNetworkPolicySpec.priority", "If two (or more) policies in the same tier with the same priority could match a connection, then the implementation can apply any of the matching policies to the connection, and there is no way for the user to reliably determine which one it will choose.";
    SUBJECT: "ClusterNetworkPolicySpec.subject", "Subject defines the pods to which this ClusterNetworkPolicy applies.";
    HOST_NETWORK_SUBJECT: "ClusterNetworkPolicySubject", "Note that host-networked pods are not included in subject selection.";
    SUBJECT_NAMESPACES: "ClusterNetworkPolicySubject.namespaces", "Namespaces is used to select pods via namespace selectors.";
    SUBJECT_PODS: "ClusterNetworkPolicySubject.pods", "Pods is used to select pods via namespace AND pod selectors.";
    NAMESPACE_SELECTOR: "NamespacedPod.namespaceSelector", "NamespaceSelector follows standard label selector semantics; if empty, it selects all Namespaces.";
    POD_SELECTOR: "NamespacedPod.podSelector", "PodSelector is used to explicitly select pods within a namespace; if empty, it selects all Pods.";
    RULE_ORDER: "ClusterNetworkPolicySpec.ingress", "Thus, a rule that appears at the top of the ingress rules would take the highest precedence.";
    EGRESS_RULE_ORDER: "ClusterNetworkPolicySpec.egress", "Thus, a rule that appears at the top of the egress rules would take the highest precedence.";
    NO_RULES: "ClusterNetworkPolicySpec.ingress", "CNPs with no ingress rules do not affect ingress traffic.";
    NO_EGRESS_RULES: "ClusterNetworkPolicySpec.egress", "CNPs with no egress rules do not affect egress traffic.";
    MOST_RULES: "ClusterNetworkPolicySpec.ingress", "A maximum of 25 rules is allowed in this block.";
    ACCEPT: "ClusterNetworkPolicyIngressRule.action", "Accept: Accepts the selected traffic, including replies to that traffic and related ICMP traffic. No further ingress ClusterNetworkPolicy or NetworkPolicy rules will be processed.";
    ACCEPT_EGRESS: "ClusterNetworkPolicyEgressRule.action", "No further egress ClusterNetworkPolicy or NetworkPolicy rules will be processed but any ingress rules at the destination do apply.";
    DENY: "ClusterNetworkPolicyIngressRule.action", "Deny: Drops the selected traffic. No further ClusterNetworkPolicy or NetworkPolicy rules will be processed.";
    PASS: "ClusterNetworkPolicyIngressRule.action", "Pass: Skips all further ClusterNetworkPolicy rules in the current tier for the selected traffic, and passes evaluation to the next tier.";
    FROM: "ClusterNetworkPolicyIngressRule.from", "If any element matches the source of incoming traffic then the specified action is applied.";
    TO: "ClusterNetworkPolicyEgressRule.to", "If any element matches the destination of outgoing traffic then the specified action is applied.";
    PROTOCOLS: "ClusterNetworkPolicyIngressRule.protocols", "Protocols allows for more fine-grain matching of traffic on protocol-specific attributes such as the port.";
    NO_PROTOCOLS: "ClusterNetworkPolicyIngressRule.protocols", "If unspecified, protocol-specific attributes will not be used to match traffic.";
    NAMED_PORT: "ClusterNetworkPolicyProtocol.destinationNamedPort", "DestinationNamedPort selects a destination port on a pod based on the ContainerPort name.";
    PORT: "Port.number", "Number defines a network port value.";
    RANGE: "PortRange", "PortRange defines an inclusive range of ports from the assigned Start value to End value.";
    PEER_NAMESPACES: "ClusterNetworkPolicyIngressPeer.namespaces", "Namespaces defines a way to select all pods within a set of Namespaces.";
    HOST_NETWORK_PEER: "ClusterNetworkPolicyIngressPeer.namespaces", "Note that host-networked pods are not included in this type of peer.";
    PEER_PODS: "ClusterNetworkPolicyIngressPeer.pods", "Pods defines a way to select a set of pods in a set of namespaces.";
    NETWORKS: "ClusterNetworkPolicyEgressPeer.networks", "Networks defines a way to select peers via CIDR blocks.";
    INTERNAL: "ClusterNetworkPolicyEgressPeer.networks", "This is intended for representing entities that live outside the cluster, which can't be selected by pods, namespaces and nodes peers, but note that cluster-internal traffic will be checked against the rule as well.";
    NODES: "ClusterNetworkPolicyEgressPeer.nodes", "It selects the nodeIPs as the peer type by matching on the IPs present in the node.Status.Addresses field of the node.";
    EVERY_NODE: "ClusterNetworkPolicyEgressPeer.nodes", "This field follows standard label selector semantics; if present but empty, it selects all Nodes.";
    DOMAIN_NAMES: "ClusterNetworkPolicyEgressPeer.domainNames", "DomainNames provides a way to specify domain names as peers.";
    ITSELF: "site-src/api-overview.md", "A Pod connecting to its own Pod IP is not subject to CNP.";
    MIXED: "CHANGELOG.md (v0.2.0)", "combines the previously separate AdminNetworkPolicy and BaselineAdminNetworkPolicy resources";

    FIRST_ADMIN: "AdminNetworkPolicySpec.priority", "All AdminNetworkPolicy rules have higher precedence than NetworkPolicy or BaselineAdminNetworkPolicy rules.";
    FIRST_PRIORITY: "AdminNetworkPolicySpec.priority", "Policies with lower priority values have higher precedence, and are checked before policies with higher priority values.";
    FIRST_EQUAL: "AdminNetworkPolicySpec.priority", "If two (or more) policies with the same priority could both match a connection, then the implementation can apply any of the matching policies to the connection, and there is no way for the user to reliably determine which one it will choose.";
    FIRST_SUBJECT: "AdminNetworkPolicySpec.subject", "Subject defines the pods to which this AdminNetworkPolicy applies.";
    FIRST_HOST_NETWORK: "AdminNetworkPolicySpec.subject", "Note that host-networked pods are not included in subject selection.";
    FIRST_NO_RULES: "AdminNetworkPolicySpec.ingress", "ANPs with no ingress rules do not affect ingress traffic.";
    FIRST_NO_EGRESS_RULES: "AdminNetworkPolicySpec.egress", "ANPs with no egress rules do not affect egress traffic.";
    FIRST_MOST_RULES: "AdminNetworkPolicySpec.ingress", "A total of 100 rules will be allowed in each ANP instance.";
    FIRST_ALLOW: "AdminNetworkPolicyIngressRule.action", "Allow: allows the selected traffic (even if it would otherwise have been denied by NetworkPolicy)";
    FIRST_DENY: "AdminNetworkPolicyIngressRule.action", "Deny: denies the selected traffic";
    FIRST_PASS: "AdminNetworkPolicyIngressRule.action", "Pass: instructs the selected traffic to skip any remaining ANP rules, and then pass execution to any NetworkPolicies that select the pod. If the pod is not selected by any NetworkPolicies then execution is passed to any BaselineAdminNetworkPolicies that select the pod.";
    FIRST_PORTS: "AdminNetworkPolicyIngressRule.ports", "Ports allows for matching traffic based on port and protocols.";
    FIRST_NO_PORTS: "AdminNetworkPolicyIngressRule.ports", "If Ports is not set then the rule does not filter traffic via port.";
    FIRST_NAMED_PORT: "AdminNetworkPolicyPort.namedPort", "NamedPort selects a port on a pod(s) based on name.";
    FIRST_RANGE: "AdminNetworkPolicyPort.portRange", "PortRange selects a port range on a pod(s) based on provided start and end values.";
    FIRST_PORT: "AdminNetworkPolicyPort.portNumber", "Port selects a port on a pod(s) based on number.";
    FIRST_PROTOCOL: "Port.protocol", "Protocol is the network protocol (TCP, UDP, or SCTP) which traffic must match. If not specified, this field defaults to TCP.";
}

impl Feature {
    /// The sentence that a case of this direction tests with it, as `v1alpha2` has it.
    pub(in crate::catalogue) const fn api(self, direction: Direction) -> &'static ApiSentence {
        self.sentence(Api::V1alpha2, direction)
    }

    /// The sentence that a case tests with it, as a version has it.
    pub(in crate::catalogue) const fn sentence(
        self,
        api: Api,
        direction: Direction,
    ) -> &'static ApiSentence {
        let first = matches!(api, Api::V1alpha1);
        let ingress = matches!(direction, Direction::Ingress);
        match self {
            Self::Direction(_) | Self::Path(_) | Self::Api(_) => of_order(ingress),
            Self::Tier(Tier::Admin) if first => &FIRST_ADMIN,
            Self::Tier(Tier::Admin) => &ADMIN,
            Self::Tier(Tier::Baseline) => &BASELINE,
            Self::Action(action) => of_action(action, first, ingress),
            Self::Subject(subject) => of_subject(subject, first),
            Self::Peer(peer) => of_peer(peer, ingress),
            Self::Port(port) => of_port(port, first),
            Self::Protocol(_) if first => &FIRST_PROTOCOL,
            Self::Protocol(_) => &PROTOCOLS,
            Self::Family(_) => &NETWORKS,
            Self::Beside(beside) => of_beside(beside, first, ingress),
            Self::Change(change) => of_change(change, first),
            Self::Topic(topic) => of_topic(topic, first, ingress),
        }
    }
}

const fn of_order(ingress: bool) -> &'static ApiSentence {
    if ingress { &RULE_ORDER } else { &EGRESS_RULE_ORDER }
}

const fn of_action(action: Action, first: bool, ingress: bool) -> &'static ApiSentence {
    match (action, first, ingress) {
        (Action::Accept, true, _) => &FIRST_ALLOW,
        (Action::Accept, false, true) => &ACCEPT,
        (Action::Accept, false, false) => &ACCEPT_EGRESS,
        (Action::Deny, true, _) => &FIRST_DENY,
        (Action::Deny, false, _) => &DENY,
        (Action::Pass, true, _) => &FIRST_PASS,
        (Action::Pass, false, _) => &PASS,
    }
}

const fn of_subject(subject: Subject, first: bool) -> &'static ApiSentence {
    match subject {
        Subject::Pods => &SUBJECT_PODS,
        Subject::PodsEverywhere | Subject::SelectorAbsent => &NAMESPACE_SELECTOR,
        Subject::Namespaces | Subject::EveryNamespace => &SUBJECT_NAMESPACES,
        Subject::NamespacesNotIn if first => &FIRST_SUBJECT,
        Subject::NamespacesNotIn => &SUBJECT,
    }
}

const fn of_peer(peer: Peer, ingress: bool) -> &'static ApiSentence {
    match peer {
        Peer::Pods => &PEER_PODS,
        Peer::PodsEverywhere | Peer::SelectorAbsent => &NAMESPACE_SELECTOR,
        Peer::PodsDoNotExist => &POD_SELECTOR,
        Peer::Namespaces | Peer::NamespacesNotIn | Peer::EveryNamespace => &PEER_NAMESPACES,
        Peer::Several | Peer::NetworkOrPods if ingress => &FROM,
        Peer::Several | Peer::NetworkOrPods => &TO,
        Peer::Network | Peer::NetworkOfEachFamily => &NETWORKS,
        Peer::EveryAddress => &INTERNAL,
        Peer::Node => &NODES,
        Peer::EveryNode => &EVERY_NODE,
    }
}

const fn of_port(port: Port, first: bool) -> &'static ApiSentence {
    match (port, first) {
        (Port::Number, true) => &FIRST_PORT,
        (Port::Number, false) => &PORT,
        (Port::Absent, true) => &FIRST_NO_PORTS,
        (Port::Absent, false) => &NO_PROTOCOLS,
        (Port::NoProtocol, _) => &FIRST_PROTOCOL,
        (Port::Name, true) => &FIRST_NAMED_PORT,
        (Port::Name, false) => &NAMED_PORT,
        (Port::Range | Port::EveryPort, true) => &FIRST_RANGE,
        (Port::Range | Port::EveryPort, false) => &RANGE,
        (Port::Several, true) => &FIRST_PORTS,
        (Port::Several, false) => &PROTOCOLS,
    }
}

const fn of_beside(beside: Beside, first: bool, ingress: bool) -> &'static ApiSentence {
    match beside {
        Beside::Alone => &DEFAULT,
        Beside::Rules => of_order(ingress),
        Beside::PriorityBelow | Beside::PriorityAbove if first => &FIRST_PRIORITY,
        Beside::PriorityBelow | Beside::PriorityAbove => &PRIORITY,
        Beside::NetworkPolicyAllows | Beside::NetworkPolicyDenies => &NETWORK_POLICY,
        Beside::OtherDirection => &NETWORK_POLICY,
        Beside::OtherTierAccepts | Beside::OtherTierDenies if first => &FIRST_ADMIN,
        Beside::OtherTierAccepts | Beside::OtherTierDenies => &FINAL,
        Beside::OtherTierPasses if first => &FIRST_PASS,
        Beside::OtherTierPasses => &PASS,
    }
}

const fn of_change(change: Change, first: bool) -> &'static ApiSentence {
    match change {
        Change::Create | Change::Replace | Change::Twice | Change::RelabelSubject if first => {
            &FIRST_SUBJECT
        }
        Change::Create | Change::Replace | Change::Twice | Change::RelabelSubject => &SUBJECT,
        Change::AddSubject if first => &FIRST_SUBJECT,
        Change::AddSubject => &SUBJECT,
        Change::Delete => &DEFAULT,
        Change::Priority if first => &FIRST_PRIORITY,
        Change::Priority => &PRIORITY,
        Change::RelabelPeer | Change::AddPeer => &PEER_PODS,
        Change::RelabelNamespace => &NAMESPACE_SELECTOR,
    }
}

const fn of_topic(topic: Topic, first: bool, ingress: bool) -> &'static ApiSentence {
    match (topic, first) {
        (Topic::NoRules, true) if ingress => &FIRST_NO_RULES,
        (Topic::NoRules, true) => &FIRST_NO_EGRESS_RULES,
        (Topic::NoRules, false) if ingress => &NO_RULES,
        (Topic::NoRules, false) => &NO_EGRESS_RULES,
        (Topic::MostRules, true) => &FIRST_MOST_RULES,
        (Topic::MostRules, false) => &MOST_RULES,
        (Topic::LastPolicyDeleted, _) => &DEFAULT,
        (Topic::BothEndsDecide, _) => &ACCEPT_EGRESS,
        (Topic::RepliesOfDenied, _) => &ACCEPT,
        (Topic::EqualPrioritiesApart | Topic::EqualPrioritiesDisagree, true) => &FIRST_EQUAL,
        (Topic::EqualPrioritiesApart | Topic::EqualPrioritiesDisagree, false) => &EQUAL_PRIORITIES,
        (Topic::MixedVersions, _) => &MIXED,
        (Topic::Itself, _) => &ITSELF,
        (Topic::HostNetworkSubject, true) => &FIRST_HOST_NETWORK,
        (Topic::HostNetworkSubject, false) => &HOST_NETWORK_SUBJECT,
        (Topic::HostNetworkPeer, _) => &HOST_NETWORK_PEER,
        (Topic::HostNetworkNode, _) => &NODES,
        (Topic::DomainNames, _) => &DOMAIN_NAMES,
    }
}
