//! The sentences of the API that cases test (kubernetes/api: `networking/v1/types.go` at
//! 10b39a39b; kubernetes/apimachinery: `pkg/apis/meta/v1/types.go`; pages of the
//! documentation in kubernetes/website).

use super::axis::{Change, Path, Peer, Port, Rules, Stacking, Target, Types};
use super::feature::Feature;
use super::specification::{ApiSentence, sentences};
use super::topic::Topic;
use crate::model::{Direction, Family, Protocol, Via};

/// The page on which the concept is explained.
const CONCEPT: &str = "concepts/services-networking/network-policies";

sentences! {
    ISOLATED_INGRESS: CONCEPT, "A pod is isolated for ingress if there is any NetworkPolicy that both selects the pod and has \"Ingress\" in its `policyTypes`";
    ISOLATED_EGRESS: CONCEPT, "A pod is isolated for egress if there is any NetworkPolicy that both selects the pod and has \"Egress\" in its `policyTypes`";
    ADDITIVE: CONCEPT, "Network policies do not conflict; they are additive.";
    BOTH_ENDS: CONCEPT, "For a connection from a source pod to a destination pod to be allowed, both the egress policy on the source pod and the ingress policy on the destination pod need to allow the connection.";
    REPLIES: CONCEPT, "Reply traffic for those allowed connections will also be implicitly allowed.";
    FIRST_INSTANT: CONCEPT, "Implementations of NetworkPolicy must ensure that filtering is effective throughout the Pod lifecycle, even from the very first instant that any container in that Pod is started.";
    ISOLATED_FIRST: CONCEPT, "All newly created pods affected by a given NetworkPolicy will be isolated before they are started.";
    ALLOWS_LATER: CONCEPT, "Allow rules will be applied eventually after the isolation rules (or may be applied at the same time).";
    HANDLED_LATER: CONCEPT, "When a new NetworkPolicy object is created, it may take some time for a network plugin to handle the new object.";
    EXISTING: CONCEPT, "When the set of NetworkPolicies that applies to an existing connection changes - this could happen either due to a change in NetworkPolicies or if the relevant labels of the namespaces/pods selected by the policy (both subject and peers) are changed in the middle of an existing connection - it is implementation defined as to whether the change will take effect for that existing connection or not.";
    ENTITIES: CONCEPT, "NetworkPolicies apply to a connection with a pod on one or both ends, and are not relevant to other connections.";
    HOST_NETWORK: CONCEPT, "NetworkPolicy behaviour for `hostNetwork` pods is undefined, but it should be limited to 2 possibilities";
    ITSELF: CONCEPT, "a pod cannot block access to itself";
    OWN_NODE: CONCEPT, "traffic to and from the node where a Pod is running is always allowed";
    EXTERNAL_IPS: CONCEPT, "These should be cluster-external IPs, since Pod IPs are ephemeral and unpredictable.";
    INGRESS_BY_DEFAULT: CONCEPT, "By default, a pod is non-isolated for ingress; all inbound connections are allowed.";
    EGRESS_BY_DEFAULT: CONCEPT, "By default, a pod is non-isolated for egress; all outbound connections are allowed.";
    LOCAL_NODE: "NetworkPolicySpec.ingress", "Traffic is allowed to a pod if there are no NetworkPolicies selecting the pod (and cluster policy otherwise allows the traffic), OR if the traffic source is the pod's local node, OR if the traffic matches at least one ingress rule across all of the NetworkPolicy objects whose podSelector matches the pod.";
    NO_INGRESS_RULE: "NetworkPolicySpec.ingress", "If this field is empty then this NetworkPolicy does not allow any traffic (and serves solely to ensure that the pods it selects are isolated by default)";
    NO_EGRESS_RULE: "NetworkPolicySpec.egress", "If this field is empty then this NetworkPolicy limits all outgoing traffic (and serves solely to ensure that the pods it selects are isolated by default).";
    EGRESS: "NetworkPolicySpec.egress", "Outgoing traffic is allowed if there are no NetworkPolicies selecting the pod (and cluster policy otherwise allows the traffic), OR if the traffic matches at least one egress rule across all of the NetworkPolicy objects whose podSelector matches the pod.";
    ANY_DESTINATION: "NetworkPolicyEgressRule.to", "If this field is empty or missing, this rule matches all destinations (traffic not restricted by destination).";
    POD_SELECTOR: "NetworkPolicySpec.podSelector", "podSelector selects the pods to which this NetworkPolicy object applies.";
    EMPTY_SELECTOR: "NetworkPolicySpec.podSelector", "An empty selector matches all pods in the policy's namespace.";
    STACKED: "NetworkPolicySpec.podSelector", "Multiple network policies can select the same set of pods. In this case, the ingress rules for each are combined additively.";
    TYPES: "NetworkPolicySpec.policyTypes", "policyTypes is a list of rule types that the NetworkPolicy relates to.";
    TYPES_DEFAULT: "NetworkPolicySpec.policyTypes", "If this field is not specified, it will default based on the existence of ingress or egress rules; policies that contain an egress section are assumed to affect egress, and all policies (whether or not they contain an ingress section) are assumed to affect ingress.";
    RULE: "NetworkPolicyIngressRule", "The traffic must match both ports and from.";
    EGRESS_RULE: "NetworkPolicyEgressRule", "The traffic must match both ports and to.";
    ANY_SOURCE: "NetworkPolicyIngressRule.from", "If this field is empty or missing, this rule matches all sources (traffic not restricted by source).";
    PEERS_OR: "NetworkPolicyIngressRule.from", "Items in this list are combined using a logical OR operation.";
    ANY_PORT: "NetworkPolicyIngressRule.ports", "If this field is empty or missing, this rule matches all ports (traffic not restricted by port).";
    PORTS_OR: "NetworkPolicyIngressRule.ports", "Each item in this list is combined using a logical OR.";
    OWN_NAMESPACE: "NetworkPolicyPeer.podSelector", "Otherwise it selects the pods matching podSelector in the policy's own namespace.";
    EVERY_POD: "NetworkPolicyPeer.podSelector", "This field follows standard label selector semantics; if present but empty, it selects all pods.";
    NAMESPACE: "NetworkPolicyPeer.namespaceSelector", "Otherwise it selects all pods in the namespaces selected by namespaceSelector.";
    EVERY_NAMESPACE: "NetworkPolicyPeer.namespaceSelector", "This field follows standard label selector semantics; if present but empty, it selects all namespaces.";
    NAMESPACE_AND_POD: "NetworkPolicyPeer.namespaceSelector", "If podSelector is also set, then the NetworkPolicyPeer as a whole selects the pods matching podSelector in the namespaces selected by namespaceSelector.";
    NAMESPACE_NAME: "concepts/overview/working-with-objects/namespaces", "The Kubernetes control plane sets an immutable label `kubernetes.io/metadata.name` on all namespaces. The value of the label is the namespace name.";
    SELECTOR: "LabelSelector", "The result of matchLabels and matchExpressions are ANDed.";
    OPERATORS: "LabelSelectorRequirement.operator", "operator represents a key's relationship to a set of values. Valid operators are In, NotIn, Exists and DoesNotExist.";
    NOT_IN: "concepts/overview/working-with-objects/labels", "The second example selects all resources with key equal to `tier` and values other than `frontend` and `backend`, and all resources with no labels with the `tier` key.";
    BLOCK: "IPBlock", "IPBlock describes a particular CIDR (Ex. \"192.168.1.0/24\",\"2001:db8::/64\") that is allowed to the pods matched by a NetworkPolicySpec's podSelector.";
    EXCEPT: "IPBlock", "The except entry describes CIDRs that should not be included within this rule.";
    PORT: "NetworkPolicyPort.port", "If present, only traffic on the specified protocol AND port will be matched.";
    NAMED_PORT: "NetworkPolicyPort.port", "This can either be a numerical or named port on a pod.";
    EVERY_PORT: "NetworkPolicyPort.port", "If this field is not provided, this matches all port names and numbers.";
    END_PORT: "NetworkPolicyPort.endPort", "endPort indicates that the range of ports from port to endPort if set, inclusive, should be allowed by the policy.";
    PROTOCOL: "NetworkPolicyPort.protocol", "protocol represents the protocol (TCP, UDP, or SCTP) which traffic must match.";
    DEFAULT_PROTOCOL: "NetworkPolicyPort.protocol", "If not specified, this field defaults to TCP.";
}

impl Feature {
    /// The sentence that a case of this direction tests with it.
    pub const fn api(self, direction: Direction) -> &'static ApiSentence {
        let ingress = matches!(direction, Direction::Ingress);
        match self {
            Self::Direction(Direction::Ingress) => &ISOLATED_INGRESS,
            Self::Direction(Direction::Egress) => &ISOLATED_EGRESS,
            Self::Target(target) => of_target(target),
            Self::Types(Types::Written | Types::Both) => &TYPES,
            Self::Types(Types::Absent | Types::EmptyList) => &TYPES_DEFAULT,
            Self::Rules(rules) => of_rules(rules, ingress),
            Self::Peer(peer) => of_peer(peer, ingress),
            Self::Port(port) => of_port(port),
            Self::Protocol(Protocol::Tcp | Protocol::Udp | Protocol::Sctp) => &PROTOCOL,
            Self::Family(Family::Ipv4 | Family::Ipv6) => &BLOCK,
            Self::Path(Path::SameNode | Path::OtherNode | Path::Outside) => &ENTITIES,
            Self::Stacking(stacking) => match stacking {
                Stacking::Alone | Stacking::Deny => &ADDITIVE,
                Stacking::OtherRule => &STACKED,
                Stacking::OtherNamespace => &EMPTY_SELECTOR,
                Stacking::OtherDirection => &REPLIES,
            },
            Self::Change(change) => of_change(change, ingress),
            Self::Via(Via::Pod | Via::Service | Via::NodePort | Via::LocalNodePort) => &BOTH_ENDS,
            Self::Topic(topic) => of_topic(topic, ingress),
            Self::Cluster(feature) => feature.api(direction),
        }
    }
}

const fn of_rules(rules: Rules, ingress: bool) -> &'static ApiSentence {
    match (rules, ingress) {
        (Rules::One, true) => &RULE,
        (Rules::One, false) => &EGRESS_RULE,
        (Rules::Several, true) => &LOCAL_NODE,
        (Rules::Several, false) => &EGRESS,
        (Rules::EmptyRule, true) => &ANY_SOURCE,
        (Rules::EmptyRule, false) => &ANY_DESTINATION,
        (Rules::Absent | Rules::EmptyList, true) => &NO_INGRESS_RULE,
        (Rules::Absent | Rules::EmptyList, false) => &NO_EGRESS_RULE,
    }
}

const fn of_target(target: Target) -> &'static ApiSentence {
    match target {
        Target::Labels => &POD_SELECTOR,
        Target::Every => &EMPTY_SELECTOR,
        Target::In | Target::Exists | Target::DoesNotExist => &OPERATORS,
        Target::NotIn => &NOT_IN,
    }
}

const fn of_peer(peer: Peer, ingress: bool) -> &'static ApiSentence {
    match peer {
        Peer::Absent | Peer::EmptyList if ingress => &ANY_SOURCE,
        Peer::Absent | Peer::EmptyList => &ANY_DESTINATION,
        Peer::PodLabels => &OWN_NAMESPACE,
        Peer::EveryPod => &EVERY_POD,
        Peer::PodIn
        | Peer::PodExists
        | Peer::PodDoesNotExist
        | Peer::NamespaceIn
        | Peer::NamespaceExists
        | Peer::NamespaceDoesNotExist => &OPERATORS,
        Peer::PodNotIn | Peer::NamespaceNotIn => &NOT_IN,
        Peer::PodLabelsAndExpressions => &SELECTOR,
        Peer::NamespaceLabels => &NAMESPACE,
        Peer::NamespaceName => &NAMESPACE_NAME,
        Peer::EveryNamespace => &EVERY_NAMESPACE,
        Peer::NamespaceAndPod | Peer::PodInEveryNamespace => &NAMESPACE_AND_POD,
        Peer::NamespaceOrPod | Peer::RangeOrPod | Peer::RangeOfEachFamily => &PEERS_OR,
        Peer::Address | Peer::Range | Peer::EveryAddress => &BLOCK,
        Peer::Except | Peer::NestedExcept => &EXCEPT,
    }
}

const fn of_port(port: Port) -> &'static ApiSentence {
    match port {
        Port::Number => &PORT,
        Port::Absent | Port::EmptyList => &ANY_PORT,
        Port::NoProtocol => &DEFAULT_PROTOCOL,
        Port::Name => &NAMED_PORT,
        Port::Range | Port::RangeOfOne => &END_PORT,
        Port::ProtocolOnly | Port::EmptyEntry => &EVERY_PORT,
        Port::Several => &PORTS_OR,
    }
}

const fn of_change(change: Change, ingress: bool) -> &'static ApiSentence {
    match change {
        Change::Create | Change::Twice | Change::Replace | Change::RelabelTarget => &POD_SELECTOR,
        Change::Delete if ingress => &LOCAL_NODE,
        Change::Delete => &EGRESS,
        Change::RelabelPeer => &OWN_NAMESPACE,
        Change::RelabelNamespace | Change::AddNamespace => &NAMESPACE,
        Change::AddPeer | Change::ReturnPeer => &EXTERNAL_IPS,
        Change::AddTarget | Change::ReturnTarget => &FIRST_INSTANT,
    }
}

const fn of_topic(topic: Topic, ingress: bool) -> &'static ApiSentence {
    match topic {
        Topic::OneProtocol => &PROTOCOL,
        Topic::SamePortEachProtocol => &PORT,
        Topic::RulesOfOtherDirection => &TYPES,
        Topic::EmptyEgressByDefault => &TYPES_DEFAULT,
        Topic::EverythingDenied => of_rules(Rules::Absent, ingress),
        Topic::LastPolicyDeleted if ingress => &INGRESS_BY_DEFAULT,
        Topic::LastPolicyDeleted => &EGRESS_BY_DEFAULT,
        Topic::BothEndsDecide => &BOTH_ENDS,
        Topic::RepliesOfIsolated => &REPLIES,
        Topic::SelectorReplaced => &POD_SELECTOR,
        Topic::PodReplaced | Topic::AddressReused | Topic::IpBlockOnPod => &EXTERNAL_IPS,
        Topic::TerminatingTarget => &FIRST_INSTANT,
        Topic::NamespaceRemoved => &NAMESPACE,
        Topic::SameRangeTwice => of_rules(Rules::Several, ingress),
        Topic::OwnNode => &LOCAL_NODE,
        Topic::ToOwnNode => &OWN_NODE,
        Topic::Itself => &ITSELF,
        Topic::HostNetworkPeer | Topic::HostNetworkTarget => &HOST_NETWORK,
        Topic::NewDeny
        | Topic::RuleWithdrawn
        | Topic::ConnectedPeerRelabelled
        | Topic::PolicyLifted
        | Topic::AllowedByAnotherRule => &EXISTING,
        Topic::PolicyElsewhere | Topic::LabelElsewhere | Topic::PodElsewhere => &BOTH_ENDS,
        Topic::IsolatedStart | Topic::StrangerStarts => &ISOLATED_FIRST,
        Topic::AllowedStart => &ALLOWS_LATER,
        Topic::PolicyWithPod | Topic::PolicyTurned => &HANDLED_LATER,
        Topic::PolicyReplaced | Topic::PolicySucceeded | Topic::TargetRelabelled => &ADDITIVE,
    }
}
