//! From what is combined to cases: each with its policies, its steps, and the cells that show it.

mod cluster_tier;
mod network_policy;
mod written;

use anyhow::Result;

use super::case::Case;

pub use cluster_tier::{UPSTREAM, Upstream};
pub use network_policy::{IN_TREE, InTree};

/// Every case, in order of its identifier. The same at every call.
///
/// # Errors
/// Where a manifest cannot be written.
pub fn cases() -> Result<Vec<Case>> {
    let mut cases = network_policy::cases()?;
    cases.extend(cluster_tier::cases()?);
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(cases)
}
