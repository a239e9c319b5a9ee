//! Cases outside the axes, written out one by one.

mod changes;
mod established;
mod folder;
mod nodes;
mod rules;
mod watched;
mod windows;

use anyhow::Result;

use super::case::Case;

/// Every special case.
pub(super) fn cases() -> Result<Vec<Case>> {
    let cases =
        [rules::cases(), changes::cases(), nodes::cases(), established::cases(), windows::cases()];
    cases.into_iter().flatten().map(folder::Special::case).collect()
}
