//! Those of the Admin tier.

use super::Upstream;

pub(super) const PARTS: [Upstream; 58] = [
    (
        "CNPAdminTierEgressNamedPort",
        "Should support an 'allow-egress' policy for named port",
        &["cluster-tier/egress/action=accept,port=name"],
    ),
    (
        "CNPAdminTierEgressNodePeers",
        "Should support an 'allow-egress' rule policy for egress-node-peer",
        &["cluster-tier/egress/action=accept,peer=node"],
    ),
    (
        "CNPAdminTierEgressNodePeers",
        "Should support a 'pass-egress' rule policy for egress-node-peer",
        &["cluster-tier/egress/action=pass,peer=node"],
    ),
    (
        "CNPAdminTierEgressNodePeers",
        "Should support a 'deny-egress' rule policy for egress-node-peer",
        &["cluster-tier/egress/peer=node"],
    ),
    (
        "CNPAdminTierIngressNamedPort",
        "Should support an 'allow-ingress' policy for named port",
        &["cluster-tier/ingress/action=accept,port=name"],
    ),
    (
        "CNPAdminTierEgressInlineCIDRPeers",
        "Should support a 'deny-egress' rule policy for egress-cidr-peer",
        &[
            "cluster-tier/egress/peer=network,path=outside",
            "cluster-tier/egress/peer=every-address",
        ],
    ),
    (
        "CNPAdminTierEgressInlineCIDRPeers",
        "Should support an 'allow-egress' rule policy for egress-cidr-peer",
        &[
            "cluster-tier/egress/action=accept,peer=network,path=outside",
            "cluster-tier/egress/action=accept,peer=every-address",
        ],
    ),
    (
        "CNPAdminTierEgressSCTP",
        "Should support an 'allow-egress' policy for SCTP protocol; ensure rule ordering is respected",
        &[
            "cluster-tier/egress/action=accept,protocol=sctp",
            "cluster-tier/egress/action=accept,protocol=sctp,beside=rules",
        ],
    ),
    (
        "CNPAdminTierEgressSCTP",
        "Should support an 'allow-egress' policy for SCTP protocol at the specified port",
        &["cluster-tier/egress/action=accept,protocol=sctp"],
    ),
    (
        "CNPAdminTierEgressSCTP",
        "Should support an 'deny-egress' policy for SCTP protocol; ensure rule ordering is respected",
        &["cluster-tier/egress/protocol=sctp", "cluster-tier/egress/protocol=sctp,beside=rules"],
    ),
    (
        "CNPAdminTierEgressSCTP",
        "Should support a 'deny-egress' policy for SCTP protocol at the specified port",
        &["cluster-tier/egress/protocol=sctp"],
    ),
    (
        "CNPAdminTierEgressSCTP",
        "Should support an 'pass-egress' policy for SCTP protocol; ensure rule ordering is respected",
        &[
            "cluster-tier/egress/action=pass,protocol=sctp",
            "cluster-tier/egress/action=pass,protocol=sctp,beside=rules",
        ],
    ),
    (
        "CNPAdminTierEgressSCTP",
        "Should support a 'pass-egress' policy for SCTP protocol at the specified port",
        &["cluster-tier/egress/action=pass,protocol=sctp"],
    ),
    (
        "CNPAdminTierEgressTCP",
        "Should support an 'allow-egress' policy for TCP protocol; ensure rule ordering is respected",
        &["cluster-tier/egress/action=accept", "cluster-tier/egress/action=accept,beside=rules"],
    ),
    (
        "CNPAdminTierEgressTCP",
        "Should support an 'allow-egress' policy for TCP protocol at the specified port",
        &["cluster-tier/egress/action=accept"],
    ),
    (
        "CNPAdminTierEgressTCP",
        "Should support an 'deny-egress' policy for TCP protocol; ensure rule ordering is respected",
        &["cluster-tier/egress/plain", "cluster-tier/egress/beside=rules"],
    ),
    (
        "CNPAdminTierEgressTCP",
        "Should support a 'deny-egress' policy for TCP protocol at the specified port",
        &["cluster-tier/egress/plain"],
    ),
    (
        "CNPAdminTierEgressTCP",
        "Should support an 'pass-egress' policy for TCP protocol; ensure rule ordering is respected",
        &["cluster-tier/egress/action=pass", "cluster-tier/egress/action=pass,beside=rules"],
    ),
    (
        "CNPAdminTierEgressTCP",
        "Should support a 'pass-egress' policy for TCP protocol at the specified port",
        &["cluster-tier/egress/action=pass"],
    ),
    (
        "CNPAdminTierEgressUDP",
        "Should support an 'allow-egress' policy for UDP protocol; ensure rule ordering is respected",
        &[
            "cluster-tier/egress/action=accept,protocol=udp",
            "cluster-tier/egress/action=accept,protocol=udp,beside=rules",
        ],
    ),
    (
        "CNPAdminTierEgressUDP",
        "Should support an 'allow-egress' policy for UDP protocol at the specified port",
        &["cluster-tier/egress/action=accept,protocol=udp"],
    ),
    (
        "CNPAdminTierEgressUDP",
        "Should support an 'deny-egress' policy for UDP protocol; ensure rule ordering is respected",
        &["cluster-tier/egress/protocol=udp", "cluster-tier/egress/protocol=udp,beside=rules"],
    ),
    (
        "CNPAdminTierEgressUDP",
        "Should support a 'deny-egress' policy for UDP protocol at the specified port",
        &["cluster-tier/egress/protocol=udp"],
    ),
    (
        "CNPAdminTierEgressUDP",
        "Should support an 'pass-egress' policy for UDP protocol; ensure rule ordering is respected",
        &[
            "cluster-tier/egress/action=pass,protocol=udp",
            "cluster-tier/egress/action=pass,protocol=udp,beside=rules",
        ],
    ),
    (
        "CNPAdminTierEgressUDP",
        "Should support a 'pass-egress' policy for UDP protocol at the specified port",
        &["cluster-tier/egress/action=pass,protocol=udp"],
    ),
    (
        "CNPAdminTierGress",
        "Should support an 'allow-gress' policy across different protocols",
        &[
            "cluster-tier/ingress/action=accept",
            "cluster-tier/ingress/action=accept,protocol=udp",
            "cluster-tier/ingress/action=accept,protocol=sctp",
            "cluster-tier/egress/action=accept",
            "cluster-tier/egress/action=accept,protocol=udp",
            "cluster-tier/egress/action=accept,protocol=sctp",
        ],
    ),
    (
        "CNPAdminTierGress",
        "Should support an 'allow-gress' policy across different protocols at the specified ports",
        &[
            "cluster-tier/ingress/action=accept",
            "cluster-tier/ingress/action=accept,protocol=udp",
            "cluster-tier/ingress/action=accept,protocol=sctp",
            "cluster-tier/egress/action=accept",
            "cluster-tier/egress/action=accept,protocol=udp",
            "cluster-tier/egress/action=accept,protocol=sctp",
        ],
    ),
    (
        "CNPAdminTierGress",
        "Should support an 'deny-gress' policy across different protocols",
        &[
            "cluster-tier/ingress/plain",
            "cluster-tier/ingress/protocol=udp",
            "cluster-tier/ingress/protocol=sctp",
            "cluster-tier/egress/plain",
            "cluster-tier/egress/protocol=udp",
            "cluster-tier/egress/protocol=sctp",
        ],
    ),
    (
        "CNPAdminTierGress",
        "Should support a 'deny-gress' policy across different protocols at the specified ports",
        &[
            "cluster-tier/ingress/plain",
            "cluster-tier/ingress/protocol=udp",
            "cluster-tier/ingress/protocol=sctp",
            "cluster-tier/egress/plain",
            "cluster-tier/egress/protocol=udp",
            "cluster-tier/egress/protocol=sctp",
        ],
    ),
    (
        "CNPAdminTierGress",
        "Should support an 'pass-gress' policy across different protocols",
        &[
            "cluster-tier/ingress/action=pass",
            "cluster-tier/ingress/action=pass,protocol=udp",
            "cluster-tier/ingress/action=pass,protocol=sctp",
            "cluster-tier/egress/action=pass",
            "cluster-tier/egress/action=pass,protocol=udp",
            "cluster-tier/egress/action=pass,protocol=sctp",
        ],
    ),
    (
        "CNPAdminTierGress",
        "Should support a 'pass-gress' policy across different protocols at the specified ports",
        &[
            "cluster-tier/ingress/action=pass",
            "cluster-tier/ingress/action=pass,protocol=udp",
            "cluster-tier/ingress/action=pass,protocol=sctp",
            "cluster-tier/egress/action=pass",
            "cluster-tier/egress/action=pass,protocol=udp",
            "cluster-tier/egress/action=pass,protocol=sctp",
        ],
    ),
    (
        "CNPAdminTierIngressSCTP",
        "Should support an 'allow-ingress' policy for SCTP protocol; ensure rule ordering is respected",
        &[
            "cluster-tier/ingress/action=accept,protocol=sctp",
            "cluster-tier/ingress/action=accept,protocol=sctp,beside=rules",
        ],
    ),
    (
        "CNPAdminTierIngressSCTP",
        "Should support an 'allow-ingress' policy for SCTP protocol at the specified port",
        &["cluster-tier/ingress/action=accept,protocol=sctp"],
    ),
    (
        "CNPAdminTierIngressSCTP",
        "Should support an 'deny-ingress' policy for SCTP protocol; ensure rule ordering is respected",
        &["cluster-tier/ingress/protocol=sctp", "cluster-tier/ingress/protocol=sctp,beside=rules"],
    ),
    (
        "CNPAdminTierIngressSCTP",
        "Should support a 'deny-ingress' policy for SCTP protocol at the specified port",
        &["cluster-tier/ingress/protocol=sctp"],
    ),
    (
        "CNPAdminTierIngressSCTP",
        "Should support an 'pass-ingress' policy for SCTP protocol; ensure rule ordering is respected",
        &[
            "cluster-tier/ingress/action=pass,protocol=sctp",
            "cluster-tier/ingress/action=pass,protocol=sctp,beside=rules",
        ],
    ),
    (
        "CNPAdminTierIngressSCTP",
        "Should support a 'pass-ingress' policy for SCTP protocol at the specified port",
        &["cluster-tier/ingress/action=pass,protocol=sctp"],
    ),
    (
        "CNPAdminTierIngressTCP",
        "Should support an 'allow-ingress' policy for TCP protocol; ensure rule ordering is respected",
        &["cluster-tier/ingress/action=accept", "cluster-tier/ingress/action=accept,beside=rules"],
    ),
    (
        "CNPAdminTierIngressTCP",
        "Should support an 'allow-ingress' policy for TCP protocol at the specified port",
        &["cluster-tier/ingress/action=accept"],
    ),
    (
        "CNPAdminTierIngressTCP",
        "Should support an 'deny-ingress' policy for TCP protocol; ensure rule ordering is respected",
        &["cluster-tier/ingress/plain", "cluster-tier/ingress/beside=rules"],
    ),
    (
        "CNPAdminTierIngressTCP",
        "Should support a 'deny-ingress' policy for TCP protocol at the specified port",
        &["cluster-tier/ingress/plain"],
    ),
    (
        "CNPAdminTierIngressTCP",
        "Should support an 'pass-ingress' policy for TCP protocol; ensure rule ordering is respected",
        &["cluster-tier/ingress/action=pass", "cluster-tier/ingress/action=pass,beside=rules"],
    ),
    (
        "CNPAdminTierIngressTCP",
        "Should support a 'pass-ingress' policy for TCP protocol at the specified port",
        &["cluster-tier/ingress/action=pass"],
    ),
    (
        "CNPAdminTierIngressUDP",
        "Should support an 'allow-ingress' policy for UDP protocol; ensure rule ordering is respected",
        &[
            "cluster-tier/ingress/action=accept,protocol=udp",
            "cluster-tier/ingress/action=accept,protocol=udp,beside=rules",
        ],
    ),
    (
        "CNPAdminTierIngressUDP",
        "Should support an 'allow-ingress' policy for UDP protocol at the specified port",
        &["cluster-tier/ingress/action=accept,protocol=udp"],
    ),
    (
        "CNPAdminTierIngressUDP",
        "Should support an 'deny-ingress' policy for UDP protocol; ensure rule ordering is respected",
        &["cluster-tier/ingress/protocol=udp", "cluster-tier/ingress/protocol=udp,beside=rules"],
    ),
    (
        "CNPAdminTierIngressUDP",
        "Should support a 'deny-ingress' policy for UDP protocol at the specified port",
        &["cluster-tier/ingress/protocol=udp"],
    ),
    (
        "CNPAdminTierIngressUDP",
        "Should support an 'pass-ingress' policy for UDP protocol; ensure rule ordering is respected",
        &[
            "cluster-tier/ingress/action=pass,protocol=udp",
            "cluster-tier/ingress/action=pass,protocol=udp,beside=rules",
        ],
    ),
    (
        "CNPAdminTierIngressUDP",
        "Should support a 'pass-ingress' policy for UDP protocol at the specified port",
        &["cluster-tier/ingress/action=pass,protocol=udp"],
    ),
    (
        "CNPAdminTierIntegration",
        "Should Deny traffic from slytherin to gryffindor respecting admin CNP",
        &[
            "cluster-tier/ingress/beside=network-policy-allows",
            "cluster-tier/ingress/beside=other-tier-accepts",
        ],
    ),
    (
        "CNPAdminTierIntegration",
        "Should Deny traffic to slytherin from gryffindor respecting admin CNP",
        &[
            "cluster-tier/egress/beside=network-policy-allows",
            "cluster-tier/egress/beside=other-tier-accepts",
        ],
    ),
    (
        "CNPAdminTierIntegration",
        "Should support a 'pass-ingress' policy for admin CNP and respect the match for network policy",
        &[
            "cluster-tier/ingress/action=pass,beside=network-policy-allows",
            "cluster-tier/ingress/action=pass,beside=network-policy-denies",
        ],
    ),
    (
        "CNPAdminTierIntegration",
        "Should support a 'pass-egress' policy for admin CNP and respect the match for network policy",
        &[
            "cluster-tier/egress/action=pass,beside=network-policy-allows",
            "cluster-tier/egress/action=pass,beside=network-policy-denies",
        ],
    ),
    (
        "CNPAdminTierIntegration",
        "Should support a 'pass-ingress' policy for admin CNP and respect the match for baseline cluster network policy",
        &[
            "cluster-tier/ingress/action=pass,beside=other-tier-accepts",
            "cluster-tier/ingress/action=pass,beside=other-tier-denies",
        ],
    ),
    (
        "CNPAdminTierIntegration",
        "Should support a 'pass-egress' policy for admin CNP and respect the match for baseline cluster network policy",
        &[
            "cluster-tier/egress/action=pass,beside=other-tier-accepts",
            "cluster-tier/egress/action=pass,beside=other-tier-denies",
        ],
    ),
    (
        "CNPAdminTierPriorityField",
        "Should Deny traffic from slytherin to gryffindor respecting admin CNP",
        &["cluster-tier/ingress/beside=priority-below"],
    ),
    (
        "CNPAdminTierPriorityField",
        "Should Deny traffic to slytherin from gryffindor respecting admin CNP",
        &["cluster-tier/egress/beside=priority-below"],
    ),
    (
        "CNPAdminTierPriorityField",
        "Should respect admin CNP priority field; thus passing both ingress and egress traffic over to baseline CNP",
        &[
            "cluster-tier/ingress/action=pass,beside=priority-below",
            "cluster-tier/egress/action=pass,beside=priority-below",
        ],
    ),
];
