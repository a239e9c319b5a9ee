//! What a prober may be told.

use super::sctp_support;
use crate::wire::Sctp;

/// How a prober makes its attempts.
#[derive(Debug, Clone)]
pub struct ProberOptions {
    /// The most attempts in flight at once. Fewer are where the limit of open files
    /// (`RLIMIT_NOFILE`) is lower, which all probers of a process share.
    pub window: usize,
    /// How to speak SCTP; [`sctp_support`] finds out.
    pub sctp: Sctp,
    /// Whether an attempt that was silent for half the deadline is made once more, on a new
    /// socket with a fresh source port, while the first stays open. Both share the deadline: it
    /// guards against a packet lost under load and costs no time. A drop that the
    /// dataplane reported settles without a retry.
    pub retry: bool,
}

impl Default for ProberOptions {
    /// A window of 16,384, SCTP as this machine can speak it, and the retry.
    fn default() -> Self {
        Self { window: 16_384, sctp: sctp_support(), retry: true }
    }
}
