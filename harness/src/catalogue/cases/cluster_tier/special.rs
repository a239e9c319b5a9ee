//! Cases of the cluster tier outside its axes, written out one by one.

mod cases;
mod host_network;
mod parts;

use anyhow::Result;

use crate::catalogue::case::Case;
use crate::catalogue::cases::written::Special;

/// Every special case of the cluster tier.
pub(super) fn cases() -> Result<Vec<Case>> {
    let cases = [cases::cases(), host_network::cases()];
    cases.into_iter().flatten().map(Special::case).collect()
}
