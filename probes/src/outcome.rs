//! What became of one connection attempt, as seen from both of its ends.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What became of one attempt.
///
/// An outcome says what was seen, not whether it was wanted: silence is
/// [`Outcome::Dropped`] only after the deadline, or at once when the dataplane
/// itself reported the drop.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    /// The nonce went there and came back, answered by the expected identity.
    Connected,
    /// TCP reset, or SCTP abort: somebody answered, and refused.
    Refused,
    /// An ICMP error came back.
    Rejected {
        /// ICMP type: 3 (IPv4 destination unreachable, RFC 792) or 1 (IPv6, RFC 4443).
        icmp_type: u8,
        /// ICMP code, for example 13 or 1 for "administratively prohibited".
        icmp_code: u8,
    },
    /// Nothing came back, and nothing is known to have arrived.
    Dropped,
    /// The request arrived at the destination, and the answer did not come back.
    ReplyLost,
    /// Something answered with an identity other than the destination's.
    WrongPod {
        /// The identity that answered.
        answered: String,
    },
    /// The probe itself could not tell. Never a pass and never a deny.
    Broken {
        /// What went wrong, with the operating system's own words.
        reason: String,
    },
}

impl Outcome {
    /// Whether traffic passed in both directions to the right pod.
    pub const fn is_connected(&self) -> bool {
        matches!(self, Self::Connected)
    }

    /// Whether the attempt was stopped: dropped, refused or rejected.
    pub const fn is_stopped(&self) -> bool {
        matches!(self, Self::Dropped | Self::Refused | Self::Rejected { .. })
    }

    /// Whether the request is known to have reached a pod.
    pub const fn arrived(&self) -> bool {
        matches!(self, Self::Connected | Self::ReplyLost)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => f.write_str("connected"),
            Self::Refused => f.write_str("refused (reset)"),
            Self::Rejected { icmp_type, icmp_code } => {
                write!(f, "rejected (ICMP type {icmp_type} code {icmp_code})")
            }
            Self::Dropped => f.write_str("dropped"),
            Self::ReplyLost => f.write_str("arrived, but the reply was lost"),
            Self::WrongPod { answered } => write!(f, "answered by `{answered}` instead"),
            Self::Broken { reason } => write!(f, "could not tell: {reason}"),
        }
    }
}
