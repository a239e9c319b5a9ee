//! Agents that do not listen as they should.

use ringfence_probe::wire::Listen;

use crate::model::Endpoint;

/// Why an agent does not listen as it should.
#[derive(Debug, thiserror::Error)]
pub enum NotListening {
    /// The agent cannot be asked.
    #[error("expected the agent of `{endpoint}` to listen: {reason}")]
    Unreachable {
        /// Whose agent.
        endpoint: Endpoint,
        /// Why.
        reason: String,
    },
    /// Some ports could not be opened.
    #[error("expected the agent of `{endpoint}` to listen: {}", ports(failed))]
    Ports {
        /// Whose agent.
        endpoint: Endpoint,
        /// Each port with the operating system's word.
        failed: Vec<(Listen, String)>,
    },
}

/// Ports that could not be opened, in words.
pub(super) fn ports(failed: &[(Listen, String)]) -> String {
    let words = failed
        .iter()
        .map(|(Listen { protocol, port }, reason)| format!("`{port}/{protocol}`: {reason}"));
    words.collect::<Vec<_>>().join("; ")
}
