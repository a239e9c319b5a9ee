//! Random cases beyond the catalogue, and what is left of one when it is shrunk.
//!
//! A case is a topology and steps of changes, drawn from a seed and a number (`draw`): pods
//! and hosts (`topology`), policies that are aimed at them or nearly (`policy`), and changes
//! (`change`). What each cell should do is asked of the semantics engine and written out in
//! full (`expect`), so that a case on disk is a scenario like any other (`folder`).
//!
//! Where one fails, [`Shrinking`] takes away part after part (`reduce`) for as long as what
//! is left still fails. It does not know how that is found out: it proposes cases and is told.

mod block;
mod case;
mod change;
mod draw;
mod expect;
mod folder;
mod manifest;
mod order;
mod policy;
mod reduce;
mod selector;
mod shrink;
mod size;
mod topology;
mod trim;
mod world;

pub use case::{NoCase, Sample};
pub use change::Changes;
pub use draw::Draw;
pub use manifest::{manifest, selector_manifest};
pub use policy::policy;
pub use reduce::smaller;
pub use selector::{KEYS, VALUES, labels, selector};
pub use shrink::{Failure, Shrinking};
pub use topology::{NAMESPACES, NUMBERS, PORT_NAMES, pod};
pub use world::{sample, world};
