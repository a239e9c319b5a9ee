//! The section about dataplanes that were told to be wrong. It comes first.

use std::collections::BTreeMap;

use super::look::{BAD, Look};
use super::summary::Run;
use crate::cluster::Induced;

/// The section, where a dataplane has a fault on purpose.
pub(crate) fn render(run: &Run, look: Look) -> Option<String> {
    let mut faulty = BTreeMap::<&str, &[Induced]>::new();
    for ((_, cluster), scenario) in &run.scenarios {
        let induced = scenario.capabilities.as_ref().map(|can| can.dataplane.induced.as_slice());
        if let Some(induced @ [_, ..]) = induced {
            faulty.insert(cluster, induced);
        }
    }
    if faulty.is_empty() {
        return None;
    }
    let mut text = format!("{}\n", look.paint(BAD, "faulty on purpose"));
    text += &look.wrap(
        "  ",
        "  ",
        "what fails below was made to fail, and says nothing of any other dataplane",
    );
    for (cluster, induced) in faulty {
        text += &format!("\n{}", look.wrap("  ", "  ", &look.heading(cluster)));
        for Induced { name, sentence } in induced {
            text += &look.wrap("    ", "      ", &format!("{name}: {sentence}"));
        }
    }
    Some(text)
}
