//! Cases outside the axes, written out one by one.

mod changes;
mod folder;
mod nodes;
mod rules;

use anyhow::Result;

use super::case::Case;

/// Every special case.
pub(super) fn cases() -> Result<Vec<Case>> {
    let cases = [rules::cases(), changes::cases(), nodes::cases()];
    cases.into_iter().flatten().map(folder::Special::case).collect()
}
