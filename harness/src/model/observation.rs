//! What real packets did with one cell.

use std::net::IpAddr;
use std::time::Duration;

use ringfence_probe::Outcome;
use ringfence_probe::wire::AttemptResult;
use serde::{Deserialize, Serialize};

use super::{Name, micros};

/// The dataplane's own word for why it stopped a packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The node that stopped it.
    pub node: Name,
    /// What the dataplane said, for example the name of the chain that decided.
    pub text: String,
}

/// What one attempt at a cell showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// What became of the attempt.
    pub outcome: Outcome,
    /// From the start of the attempt to its outcome; for silence, the deadline. Whole
    /// microseconds where it is written down.
    #[serde(with = "micros")]
    pub latency: Duration,
    /// Of the latency, how long it took until the try was made that got the answer:
    /// nothing, unless silence on the first led to a second.
    #[serde(with = "micros", default, skip_serializing_if = "Duration::is_zero")]
    pub waited: Duration,
    /// The source address that the listener saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_source: Option<IpAddr>,
    /// The dataplane's own word, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

impl Observation {
    /// How long the network took to answer: the latency without the time in which a
    /// packet that got lost was waited for.
    pub fn answer_time(&self) -> Duration {
        self.latency.saturating_sub(self.waited)
    }

    /// An observation that says nothing about the network.
    pub fn broken(reason: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Broken { reason: reason.into() },
            latency: Duration::ZERO,
            waited: Duration::ZERO,
            seen_source: None,
            evidence: None,
        }
    }
}

impl From<AttemptResult> for Observation {
    fn from(result: AttemptResult) -> Self {
        Self {
            outcome: result.outcome,
            latency: Duration::from_micros(result.latency_us),
            waited: Duration::from_micros(result.waited_us),
            seen_source: result.seen_source,
            evidence: result
                .evidence
                .map(|evidence| Evidence { node: Name::from(evidence.node), text: evidence.text }),
        }
    }
}
