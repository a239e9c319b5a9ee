//! The space of cases of the cluster tier: one value of one axis, and one value of each.

use std::collections::BTreeSet;

use super::axis::{Action, Api, Beside, Change, Peer, Port, Subject, Tier};
use super::surroundings::surroundings;
use super::topic::Topic;
use crate::catalogue::axis::Path;
use crate::catalogue::space::space;
use crate::model::{Direction, Family, Protocol};

space! {
    axes {
        /// The direction whose rule is tested.
        Direction direction "direction" Direction: DIRECTIONS,
        /// In which version of the API it is written.
        Api api "api" Api: Api::ALL,
        /// In which tier it is.
        Tier tier "tier" Tier: Tier::ALL,
        /// What the tested rule does.
        Action action "action" Action: Action::ALL,
        /// Who it names.
        Peer peer "peer" Peer: Peer::ALL,
        /// Which ports it names.
        Port port "port" Port: Port::ALL,
        /// The protocol of the deciding cell.
        Protocol protocol "protocol" Protocol: Protocol::ALL,
        /// Which pods the policy is about.
        Subject subject "subject" Subject: Subject::ALL,
        /// What there is beside it.
        Beside beside "beside" Beside: Beside::ALL,
        /// How what is in force came about.
        Change change "change" Change: Change::ALL,
        /// Where the ends of the deciding cell run.
        Path path "path" Path: Path::ALL,
        /// The address family of the deciding cell.
        Family family "family" Family: Family::ALL,
    }
    outside {
        /// What a case that stands outside the axes is about.
        Topic(Topic),
    }
}

const DIRECTIONS: [Direction; 2] = [Direction::Ingress, Direction::Egress];

impl Feature {
    /// Whether a cluster that has the tier may be without it: SCTP, IPv6, hosts outside, and
    /// the API's experimental fields.
    pub const fn is_optional(self) -> bool {
        matches!(
            self,
            Self::Protocol(Protocol::Sctp)
                | Self::Family(Family::Ipv6)
                | Self::Port(Port::Name)
                | Self::Peer(Peer::Node | Peer::EveryNode)
                | Self::Path(Path::Outside)
        )
    }

    /// Whether the other feature cannot be had without it: hosts outside are reached across
    /// the cluster's edge.
    fn is_implied(self, by: Self) -> bool {
        let outside = matches!(by, Self::Peer(peer) if peer.is_outside());
        outside && self == Self::Path(Path::Outside)
    }

    /// Whether what is beside the tested rule comes before it, so that the rule does not show:
    /// then a case shows what is beside it, with each of the others, and no other two.
    fn is_hidden(features: &BTreeSet<Self>, of: [Self; 2]) -> bool {
        let (mut tier, mut action, mut beside) = (None, None, None);
        for feature in features {
            match feature {
                Self::Tier(value) => tier = Some(*value),
                Self::Action(value) => action = Some(*value),
                Self::Beside(value) => beside = Some(*value),
                _ => {}
            }
        }
        let around = || surroundings(tier?, action?, beside?).ok();
        around().is_some_and(|around| around.hidden)
            && !of.iter().any(|feature| matches!(feature, Self::Beside(_)))
    }
}

impl Combination {
    /// What a case of this combination tests.
    pub fn features(&self) -> BTreeSet<Feature> {
        self.values().into_iter().collect()
    }

    /// The identifier: the direction, and every feature that is not plain.
    pub fn id(&self) -> String {
        format!("cluster-tier/{}/{}", self.direction, self.told())
    }
}
