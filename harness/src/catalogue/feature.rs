//! A feature: one value of one axis. A combination: one value of each.

use std::collections::BTreeSet;
use std::fmt;

use super::axis::{Change, Path, Peer, Port, Rules, Stacking, Target, Types};
use super::topic::Topic;
use crate::model::{Direction, Family, Protocol, Via};

/// Declares the axes of the space: [`Feature`], [`Combination`], [`Partial`].
macro_rules! space {
    ($($(#[$doc:meta])* $axis:ident $field:ident $text:literal $of:ty: $all:expr,)+) => {
        /// One value of one axis, or the topic of a case that stands outside the axes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Feature {
            $($(#[$doc])* $axis($of),)+
            /// What a case of a special family is about.
            Topic(Topic),
        }

        /// One value of each axis.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct Combination { $($(#[$doc])* pub $field: $of,)+ }

        /// Values of some axes.
        #[derive(Debug, Clone, Copy, Default)]
        pub(super) struct Partial { $(pub(super) $field: Option<$of>,)+ }

        impl Partial {
            /// Sets an axis; `false` where it has another value already, or is no axis.
            pub(super) fn set(&mut self, feature: Feature) -> bool {
                match feature {
                    $(Feature::$axis(value) => *self.$field.get_or_insert(value) == value,)+
                    Feature::Topic(_) => false,
                }
            }

            /// Sets the axis of a feature, whatever it was.
            pub(super) fn replace(&mut self, feature: Feature) {
                match feature {
                    $(Feature::$axis(value) => self.$field = Some(value),)+
                    Feature::Topic(_) => {}
                }
            }

            /// Every value of the first axis that has none.
            pub(super) fn open(&self) -> Option<Vec<Feature>> {
                $(if self.$field.is_none() {
                    return Some($all.iter().copied().map(Feature::$axis).collect());
                })+
                None
            }

            /// The combination, where every axis has a value.
            pub(super) fn whole(self) -> Option<Combination> {
                Some(Combination { $($field: self.$field?,)+ })
            }

            /// The values that there are.
            pub(super) fn values(&self) -> Vec<Feature> {
                let mut values = Vec::new();
                $(values.extend(self.$field.map(Feature::$axis));)+
                values
            }
        }

        impl Combination {
            /// The value of every axis, in the order of the axes.
            pub(super) fn values(&self) -> Vec<Feature> {
                vec![$(Feature::$axis(self.$field),)+]
            }
        }

        impl Feature {
            /// Every value of every axis, axis by axis, the plainest first.
            pub fn all() -> Vec<Self> {
                let mut all = Vec::new();
                $(all.extend($all.iter().copied().map(Self::$axis));)+
                all
            }

            /// The name of its axis.
            pub const fn axis(self) -> &'static str {
                match self {
                    $(Self::$axis(_) => $text,)+
                    Self::Topic(_) => "topic",
                }
            }

            /// The name of its value.
            pub fn value(self) -> String {
                match self {
                    $(Self::$axis(value) => value.to_string().to_lowercase(),)+
                    Self::Topic(topic) => topic.to_string(),
                }
            }

            /// Whether it is its axis's plainest value.
            pub fn is_plain(self) -> bool {
                match self {
                    $(Self::$axis(value) => $all.first() == Some(&value),)+
                    Self::Topic(_) => false,
                }
            }
        }
    };
}

space! {
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

const DIRECTIONS: [Direction; 2] = [Direction::Ingress, Direction::Egress];

/// The ways that a cell may be judged by: by a node's port every source is rewritten.
const WAYS: [Via; 2] = [Via::Pod, Via::Service];

impl fmt::Display for Feature {
    /// As in identifiers: `peer=namespace-and-pod`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.axis(), self.value())
    }
}

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
        let told = self.features().into_iter();
        let told = told.filter(|f| !f.is_plain() && !matches!(f, Feature::Direction(_)));
        let told: Vec<String> = told.map(|feature| feature.to_string()).collect();
        let told = if told.is_empty() { "plain".to_owned() } else { told.join(",") };
        format!("{}/{told}", self.direction)
    }
}
