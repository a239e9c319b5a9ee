//! A feature: one value of one axis. A combination: one value of each.

use std::collections::BTreeSet;

use super::axis::{Change, Path, Peer, Port, Rules, Stacking, Target, Types};
use super::cluster_tier;
use super::space::space;
use super::topic::Topic;
use crate::model::{Direction, Family, Protocol, Via};

space! {
    axes {
        /// The direction whose rule is tested.
        Direction direction "direction" Direction: DIRECTIONS,
        /// Which rules there are.
        Rules rules "rules" Rules: Rules::ALL,
        /// Who the tested rule names.
        Peer peer "peer" Peer: Peer::ALL,
        /// Which ports it names.
        Port port "port" Port: Port::ALL,
        /// The protocol of the deciding cell.
        Protocol protocol "protocol" Protocol: Protocol::ALL,
        /// Which pods the policy is for.
        Target target "target" Target: Target::ALL,
        /// How its directions are written.
        Types types "types" Types: Types::ALL,
        /// Where the ends of the deciding cell run.
        Path path "path" Path: Path::ALL,
        /// How the destination is addressed.
        Via via "via" Via: WAYS,
        /// How what is in force came about.
        Change change "change" Change: Change::ALL,
        /// Which policies there are beside it.
        Stacking stacking "stacking" Stacking: Stacking::ALL,
        /// The address family of the deciding cell.
        Family family "family" Family: Family::ALL,
    }
    outside {
        /// What a case of a special family is about.
        Topic(Topic),
        /// What a case of the cluster tier tests.
        Cluster(cluster_tier::Feature),
    }
}

const DIRECTIONS: [Direction; 2] = [Direction::Ingress, Direction::Egress];

/// The ways that a cell may be judged by: by a node's port every source is rewritten.
const WAYS: [Via; 2] = [Via::Pod, Via::Service];

impl Feature {
    /// Whether a cluster may be without it: SCTP, IPv6, port ranges, Services, hosts outside.
    pub const fn is_optional(self) -> bool {
        matches!(
            self,
            Self::Protocol(Protocol::Sctp)
                | Self::Family(Family::Ipv6)
                | Self::Port(Port::Range | Port::RangeOfOne)
                | Self::Via(Via::Service)
                | Self::Path(Path::Outside)
        )
    }

    /// Whether the other feature cannot be had without it: an ipBlock asks for hosts outside
    /// by itself.
    fn is_implied(self, by: Self) -> bool {
        let outside = matches!(by, Self::Peer(peer) if peer.is_outside());
        outside && self == Self::Path(Path::Outside)
    }

    /// No feature hides what the others do.
    fn is_hidden(_: &BTreeSet<Self>, _: [Self; 2]) -> bool {
        false
    }
}

impl Rules {
    /// Whether the tested rule has peers and ports that could be named.
    pub const fn is_written(self) -> bool {
        matches!(self, Self::One | Self::Several)
    }
}

impl Combination {
    /// What a case of this combination tests. Without a rule, or with an empty one, there are
    /// no peers and ports.
    pub fn features(&self) -> BTreeSet<Feature> {
        let written = self.rules.is_written();
        let values = self.values().into_iter();
        values
            .filter(|value| written || !matches!(value, Feature::Peer(_) | Feature::Port(_)))
            .collect()
    }

    /// The identifier: the direction, and every feature that is not plain.
    pub fn id(&self) -> String {
        format!("{}/{}", self.direction, self.told())
    }
}
