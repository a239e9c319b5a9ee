//! Those of the Baseline tier.

use super::Upstream;

pub(super) const PARTS: [Upstream; 34] = [
    (
        "CNPBaselineTierEgressNamedPort",
        "Should support an 'allow-egress' policy for named port",
        &["cluster-tier/egress/tier=baseline,action=accept,port=name"],
    ),
    (
        "CNPBaselineTierEgressNodePeers",
        "Should support an 'allow-egress' rule policy for egress-node-peer",
        &["cluster-tier/egress/tier=baseline,action=accept,peer=node"],
    ),
    (
        "CNPBaselineTierEgressNodePeers",
        "Should support a 'deny-egress' rule policy for egress-node-peer",
        &["cluster-tier/egress/tier=baseline,peer=node"],
    ),
    (
        "CNPBaselineTierIngressNamedPort",
        "Should support an 'allow-ingress' policy for named port",
        &["cluster-tier/ingress/tier=baseline,action=accept,port=name"],
    ),
    (
        "CNPBaselineTierEgressInlineCIDRPeers",
        "Should support a 'deny-egress' rule policy for egress-cidr-peer",
        &[
            "cluster-tier/egress/tier=baseline,peer=network,path=outside",
            "cluster-tier/egress/tier=baseline,peer=every-address",
        ],
    ),
    (
        "CNPBaselineTierEgressInlineCIDRPeers",
        "Should support an 'allow-egress' rule policy for egress-cidr-peer",
        &[
            "cluster-tier/egress/tier=baseline,action=accept,peer=network,path=outside",
            "cluster-tier/egress/tier=baseline,action=accept,peer=every-address",
        ],
    ),
    (
        "CNPBaselineTierEgressSCTP",
        "Should support an 'allow-egress' policy for SCTP protocol; ensure rule ordering is respected",
        &[
            "cluster-tier/egress/tier=baseline,action=accept,protocol=sctp",
            "cluster-tier/egress/tier=baseline,action=accept,protocol=sctp,beside=rules",
        ],
    ),
    (
        "CNPBaselineTierEgressSCTP",
        "Should support an 'allow-egress' policy for SCTP protocol at the specified port",
        &["cluster-tier/egress/tier=baseline,action=accept,protocol=sctp"],
    ),
    (
        "CNPBaselineTierEgressSCTP",
        "Should support an 'deny-egress' policy for SCTP protocol; ensure rule ordering is respected",
        &[
            "cluster-tier/egress/tier=baseline,protocol=sctp",
            "cluster-tier/egress/tier=baseline,protocol=sctp,beside=rules",
        ],
    ),
    (
        "CNPBaselineTierEgressSCTP",
        "Should support a 'deny-egress' policy for SCTP protocol at the specified port",
        &["cluster-tier/egress/tier=baseline,protocol=sctp"],
    ),
    (
        "CNPBaselineTierEgressTCP",
        "Should support an 'allow-egress' policy for TCP protocol; ensure rule ordering is respected",
        &[
            "cluster-tier/egress/tier=baseline,action=accept",
            "cluster-tier/egress/tier=baseline,action=accept,beside=rules",
        ],
    ),
    (
        "CNPBaselineTierEgressTCP",
        "Should support an 'allow-egress' policy for TCP protocol at the specified port",
        &["cluster-tier/egress/tier=baseline,action=accept"],
    ),
    (
        "CNPBaselineTierEgressTCP",
        "Should support an 'deny-egress' policy for TCP protocol; ensure rule ordering is respected",
        &["cluster-tier/egress/tier=baseline", "cluster-tier/egress/tier=baseline,beside=rules"],
    ),
    (
        "CNPBaselineTierEgressTCP",
        "Should support a 'deny-egress' policy for TCP protocol at the specified port",
        &["cluster-tier/egress/tier=baseline"],
    ),
    (
        "CNPBaselineTierEgressUDP",
        "Should support an 'allow-egress' policy for UDP protocol; ensure rule ordering is respected",
        &[
            "cluster-tier/egress/tier=baseline,action=accept,protocol=udp",
            "cluster-tier/egress/tier=baseline,action=accept,protocol=udp,beside=rules",
        ],
    ),
    (
        "CNPBaselineTierEgressUDP",
        "Should support an 'allow-egress' policy for UDP protocol at the specified port",
        &["cluster-tier/egress/tier=baseline,action=accept,protocol=udp"],
    ),
    (
        "CNPBaselineTierEgressUDP",
        "Should support an 'deny-egress' policy for UDP protocol; ensure rule ordering is respected",
        &[
            "cluster-tier/egress/tier=baseline,protocol=udp",
            "cluster-tier/egress/tier=baseline,protocol=udp,beside=rules",
        ],
    ),
    (
        "CNPBaselineTierEgressUDP",
        "Should support a 'deny-egress' policy for UDP protocol at the specified port",
        &["cluster-tier/egress/tier=baseline,protocol=udp"],
    ),
    (
        "CNPBaselineTierGress",
        "Should support an 'allow-gress' policy across different protocols",
        &[
            "cluster-tier/ingress/tier=baseline,action=accept",
            "cluster-tier/ingress/tier=baseline,action=accept,protocol=udp",
            "cluster-tier/ingress/tier=baseline,action=accept,protocol=sctp",
            "cluster-tier/egress/tier=baseline,action=accept",
            "cluster-tier/egress/tier=baseline,action=accept,protocol=udp",
            "cluster-tier/egress/tier=baseline,action=accept,protocol=sctp",
        ],
    ),
    (
        "CNPBaselineTierGress",
        "Should support an 'allow-gress' policy across different protocols at the specified ports",
        &[
            "cluster-tier/ingress/tier=baseline,action=accept",
            "cluster-tier/ingress/tier=baseline,action=accept,protocol=udp",
            "cluster-tier/ingress/tier=baseline,action=accept,protocol=sctp",
            "cluster-tier/egress/tier=baseline,action=accept",
            "cluster-tier/egress/tier=baseline,action=accept,protocol=udp",
            "cluster-tier/egress/tier=baseline,action=accept,protocol=sctp",
        ],
    ),
    (
        "CNPBaselineTierGress",
        "Should support an 'deny-gress' policy across different protocols",
        &[
            "cluster-tier/ingress/tier=baseline",
            "cluster-tier/ingress/tier=baseline,protocol=udp",
            "cluster-tier/ingress/tier=baseline,protocol=sctp",
            "cluster-tier/egress/tier=baseline",
            "cluster-tier/egress/tier=baseline,protocol=udp",
            "cluster-tier/egress/tier=baseline,protocol=sctp",
        ],
    ),
    (
        "CNPBaselineTierGress",
        "Should support a 'deny-gress' policy across different protocols at the specified ports",
        &[
            "cluster-tier/ingress/tier=baseline",
            "cluster-tier/ingress/tier=baseline,protocol=udp",
            "cluster-tier/ingress/tier=baseline,protocol=sctp",
            "cluster-tier/egress/tier=baseline",
            "cluster-tier/egress/tier=baseline,protocol=udp",
            "cluster-tier/egress/tier=baseline,protocol=sctp",
        ],
    ),
    (
        "CNPBaselineTierIngressSCTP",
        "Should support an 'allow-ingress' policy for SCTP protocol; ensure rule ordering is respected",
        &[
            "cluster-tier/ingress/tier=baseline,action=accept,protocol=sctp",
            "cluster-tier/ingress/tier=baseline,action=accept,protocol=sctp,beside=rules",
        ],
    ),
    (
        "CNPBaselineTierIngressSCTP",
        "Should support an 'allow-ingress' policy for SCTP protocol at the specified port",
        &["cluster-tier/ingress/tier=baseline,action=accept,protocol=sctp"],
    ),
    (
        "CNPBaselineTierIngressSCTP",
        "Should support an 'deny-ingress' policy for SCTP protocol; ensure rule ordering is respected",
        &[
            "cluster-tier/ingress/tier=baseline,protocol=sctp",
            "cluster-tier/ingress/tier=baseline,protocol=sctp,beside=rules",
        ],
    ),
    (
        "CNPBaselineTierIngressSCTP",
        "Should support a 'deny-ingress' policy for SCTP protocol at the specified port",
        &["cluster-tier/ingress/tier=baseline,protocol=sctp"],
    ),
    (
        "CNPBaselineTierIngressTCP",
        "Should support an 'allow-ingress' policy for TCP protocol; ensure rule ordering is respected",
        &[
            "cluster-tier/ingress/tier=baseline,action=accept",
            "cluster-tier/ingress/tier=baseline,action=accept,beside=rules",
        ],
    ),
    (
        "CNPBaselineTierIngressTCP",
        "Should support an 'allow-ingress' policy for TCP protocol at the specified port",
        &["cluster-tier/ingress/tier=baseline,action=accept"],
    ),
    (
        "CNPBaselineTierIngressTCP",
        "Should support an 'deny-ingress' policy for TCP protocol; ensure rule ordering is respected",
        &["cluster-tier/ingress/tier=baseline", "cluster-tier/ingress/tier=baseline,beside=rules"],
    ),
    (
        "CNPBaselineTierIngressTCP",
        "Should support a 'deny-ingress' policy for TCP protocol at the specified port",
        &["cluster-tier/ingress/tier=baseline"],
    ),
    (
        "CNPBaselineTierIngressUDP",
        "Should support an 'allow-ingress' policy for UDP protocol; ensure rule ordering is respected",
        &[
            "cluster-tier/ingress/tier=baseline,action=accept,protocol=udp",
            "cluster-tier/ingress/tier=baseline,action=accept,protocol=udp,beside=rules",
        ],
    ),
    (
        "CNPBaselineTierIngressUDP",
        "Should support an 'allow-ingress' policy for UDP protocol at the specified port",
        &["cluster-tier/ingress/tier=baseline,action=accept,protocol=udp"],
    ),
    (
        "CNPBaselineTierIngressUDP",
        "Should support an 'deny-ingress' policy for UDP protocol; ensure rule ordering is respected",
        &[
            "cluster-tier/ingress/tier=baseline,protocol=udp",
            "cluster-tier/ingress/tier=baseline,protocol=udp,beside=rules",
        ],
    ),
    (
        "CNPBaselineTierIngressUDP",
        "Should support a 'deny-ingress' policy for UDP protocol at the specified port",
        &["cluster-tier/ingress/tier=baseline,protocol=udp"],
    ),
];
