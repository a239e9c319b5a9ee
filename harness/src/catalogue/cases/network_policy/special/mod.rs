//! Cases outside the axes, written out one by one.

mod changes;
mod ends;
mod established;
mod nodes;
mod parts;
mod rules;
mod watched;
mod windows;

use anyhow::Result;

use crate::catalogue::case::Case;
use crate::catalogue::cases::written::Special;

/// Every special case.
pub(super) fn cases() -> Result<Vec<Case>> {
    let cases = [
        rules::cases(),
        changes::cases(),
        ends::cases(),
        nodes::cases(),
        established::cases(),
        windows::cases(),
    ];
    cases.into_iter().flatten().map(Special::case).collect()
}
