//! Kubernetes' own NetworkPolicy tests, and the cases here that test the same.

use crate::model::Protocol;

/// A test of `test/e2e/network/netpol/network_policy.go` (kubernetes/kubernetes at 008b3652):
/// the protocol of its context, its name, and the identifiers of the cases that test what it
/// tests. Where it joins several policies, a case shows what decides each of its cells; its
/// ipBlocks of pods' addresses, which the API leaves open, are tried on hosts outside as well.
pub type InTree = (Protocol, &'static str, &'static [&'static str]);

/// Every one of them.
pub const IN_TREE: [InTree; 48] = [
    (Protocol::Tcp, "should support a 'default-deny-ingress' policy", &["ingress/rules=absent"]),
    (Protocol::Tcp, "should support a 'default-deny-all' policy", &["special/everything-denied"]),
    (
        Protocol::Tcp,
        "should enforce policy to allow traffic from pods within server namespace based on PodSelector",
        &["ingress/plain"],
    ),
    (
        Protocol::Tcp,
        "should enforce policy to allow ingress traffic for a target",
        &["ingress/stacking=deny", "ingress/peer=every-namespace"],
    ),
    (
        Protocol::Tcp,
        "should enforce policy to allow ingress traffic from pods in all namespaces",
        &["ingress/peer=every-namespace"],
    ),
    (
        Protocol::Tcp,
        "should enforce policy to allow traffic only from a different namespace, based on NamespaceSelector",
        &["ingress/peer=namespace-name"],
    ),
    (
        Protocol::Tcp,
        "should enforce policy based on PodSelector with MatchExpressions",
        &["ingress/peer=pod-in"],
    ),
    (
        Protocol::Tcp,
        "should enforce policy based on NamespaceSelector with MatchExpressions",
        &["ingress/peer=namespace-in"],
    ),
    (
        Protocol::Tcp,
        "should enforce policy based on PodSelector or NamespaceSelector",
        &["ingress/peer=namespace-or-pod"],
    ),
    (
        Protocol::Tcp,
        "should enforce policy based on PodSelector and NamespaceSelector",
        &["ingress/peer=namespace-and-pod"],
    ),
    (
        Protocol::Tcp,
        "should enforce policy based on Multiple PodSelectors and NamespaceSelectors",
        &["ingress/peer=namespace-and-pod", "ingress/peer=pod-in"],
    ),
    (
        Protocol::Tcp,
        "should enforce policy based on any PodSelectors",
        &["ingress/peer=namespace-or-pod", "ingress/peer=range-or-pod,path=outside"],
    ),
    (
        Protocol::Tcp,
        "should enforce policy to allow traffic only from a pod in a different namespace based on PodSelector and NamespaceSelector",
        &["ingress/peer=namespace-and-pod"],
    ),
    (Protocol::Tcp, "should enforce policy based on Ports", &["ingress/plain"]),
    (
        Protocol::Tcp,
        "should enforce multiple, stacked policies with overlapping podSelectors",
        &["ingress/stacking=other-rule"],
    ),
    (Protocol::Tcp, "should support allow-all policy", &["ingress/rules=empty-rule"]),
    (Protocol::Tcp, "should allow ingress access on one named port", &["ingress/port=name"]),
    (
        Protocol::Tcp,
        "should allow ingress access from namespace on one named port",
        &["ingress/port=name", "ingress/peer=namespace-labels"],
    ),
    (Protocol::Tcp, "should allow egress access on one named port", &["egress/port=name"]),
    (Protocol::Tcp, "should enforce updated policy", &["ingress/change=replace"]),
    (
        Protocol::Tcp,
        "should allow ingress access from updated namespace",
        &["ingress/peer=namespace-labels,change=relabel-namespace"],
    ),
    (
        Protocol::Tcp,
        "should allow ingress access from updated pod",
        &["ingress/change=relabel-peer"],
    ),
    (
        Protocol::Tcp,
        "should deny ingress from pods on other namespaces",
        &["ingress/peer=every-pod"],
    ),
    (
        Protocol::Tcp,
        "should deny ingress access to updated pod",
        &["ingress/change=relabel-target"],
    ),
    (Protocol::Tcp, "should deny egress from pods based on PodSelector", &["egress/rules=absent"]),
    (
        Protocol::Tcp,
        "should deny egress from all pods in a namespace",
        &["egress/target=every-pod", "special/everything-denied"],
    ),
    (
        Protocol::Tcp,
        "should work with Ingress, Egress specified together",
        &["ingress/types=both", "egress/types=both"],
    ),
    (
        Protocol::Tcp,
        "should support denying of egress traffic on the client side (even if the server explicitly allows this traffic)",
        &["special/both-ends-decide"],
    ),
    (
        Protocol::Tcp,
        "should enforce egress policy allowing traffic to a server in a different namespace based on PodSelector and NamespaceSelector",
        &["egress/peer=namespace-and-pod"],
    ),
    (
        Protocol::Tcp,
        "should enforce ingress policy allowing any port traffic to a server on a specific protocol",
        &["ingress/port=protocol-only"],
    ),
    (
        Protocol::Tcp,
        "should enforce multiple ingress policies with ingress allow-all policy taking precedence",
        &["ingress/change=delete"],
    ),
    (
        Protocol::Tcp,
        "should enforce multiple egress policies with egress allow-all policy taking precedence",
        &["egress/change=delete"],
    ),
    (
        Protocol::Tcp,
        "should stop enforcing policies after they are deleted",
        &["special/last-policy-deleted,ingress", "special/last-policy-deleted,egress"],
    ),
    (
        Protocol::Tcp,
        "should allow egress access to server in CIDR block",
        &["egress/peer=address,path=outside", "special/ip-block-on-pod,egress"],
    ),
    (
        Protocol::Tcp,
        "should enforce except clause while egress access to server in CIDR block",
        &["egress/peer=except,path=outside"],
    ),
    (
        Protocol::Tcp,
        "should ensure an IP overlapping both IPBlock.CIDR and IPBlock.Except is allowed",
        &["egress/peer=nested-except,path=outside"],
    ),
    (
        Protocol::Tcp,
        "should enforce policies to check ingress and egress policies can be controlled independently based on PodSelector",
        &["ingress/stacking=other-direction"],
    ),
    (
        Protocol::Tcp,
        "should not mistakenly treat 'protocol: SCTP' as 'protocol: TCP', even if the plugin doesn't support SCTP",
        &["special/one-protocol,ingress,sctp"],
    ),
    (
        Protocol::Tcp,
        "should properly isolate pods that are selected by a policy allowing SCTP, even if the plugin doesn't support SCTP",
        &["special/one-protocol,ingress,sctp"],
    ),
    (
        Protocol::Tcp,
        "should not allow access by TCP when a policy specifies only UDP",
        &["special/one-protocol,ingress,udp"],
    ),
    (
        Protocol::Tcp,
        "should enforce policy to allow traffic based on NamespaceSelector with MatchLabels using default ns label",
        &["ingress/peer=namespace-name"],
    ),
    (
        Protocol::Tcp,
        "should enforce policy based on NamespaceSelector with MatchExpressions using default ns label",
        &["egress/peer=namespace-not-in"],
    ),
    (Protocol::Udp, "should enforce policy based on Ports", &["ingress/protocol=udp"]),
    (Protocol::Sctp, "should enforce policy based on Ports", &["ingress/protocol=sctp"]),
    (
        Protocol::Udp,
        "should support a 'default-deny-ingress' policy",
        &["ingress/rules=absent,protocol=udp"],
    ),
    (
        Protocol::Udp,
        "should enforce policy to allow traffic only from a pod in a different namespace based on PodSelector and NamespaceSelector",
        &["ingress/peer=namespace-and-pod,protocol=udp"],
    ),
    (
        Protocol::Sctp,
        "should support a 'default-deny-ingress' policy",
        &["ingress/rules=absent,protocol=sctp"],
    ),
    (
        Protocol::Sctp,
        "should enforce policy to allow traffic only from a pod in a different namespace based on PodSelector and NamespaceSelector",
        &["ingress/peer=namespace-and-pod,protocol=sctp"],
    ),
];
