//! What the API leaves open: the cluster's choices, and intents that rest on them.

use std::collections::{BTreeMap, BTreeSet};

use super::look::{DOUBTFUL, Look, count};
use super::summary::Run;
use crate::model::{Clause, Verdict};
use crate::run::{CellJudgement, Finding};

/// How the cluster chose, and in how many scenarios it was asked.
#[derive(Default)]
struct Choice<'a> {
    through: usize,
    stopped: usize,
    untold: usize,
    scenarios: Vec<&'a str>,
}

impl<'a> Choice<'a> {
    fn count(&mut self, judgement: &CellJudgement, scenario: &'a str) {
        match judgement.observed.as_ref().map(|o| &o.outcome) {
            Some(outcome) if outcome.arrived() => self.through += 1,
            Some(outcome) if outcome.is_stopped() => self.stopped += 1,
            _ => self.untold += 1,
        }
        if self.scenarios.last() != Some(&scenario) {
            self.scenarios.push(scenario);
        }
    }

    fn told(&self) -> String {
        let parts =
            [(self.through, "got through"), (self.stopped, "stopped"), (self.untold, "not told")];
        let told: Vec<String> = parts
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| format!("{n} {word}"))
            .collect();
        told.join(", ")
    }
}

/// The section, where there is anything to say.
pub(crate) fn render(run: &Run, look: Look) -> Option<String> {
    let mut choices = BTreeMap::<(&str, Clause), Choice<'_>>::new();
    let (mut resting, mut rested) = (Vec::new(), BTreeSet::new());
    for ((id, cluster), scenario) in &run.scenarios {
        for (index, step) in &scenario.steps {
            for judgement in &step.cells {
                let open = matches!(judgement.finding, Finding::Choice | Finding::NotPortable);
                if let (Verdict::Undefined(clause), true) = (judgement.specified.verdict, open) {
                    choices.entry((cluster.as_str(), clause)).or_default().count(judgement, id);
                }
            }
            let unportable: Vec<_> = step.found(&Finding::NotPortable).collect();
            // What an intent rests on is the same on every cluster.
            if let Some(first) = unportable.first()
                && rested.insert((id, index))
            {
                resting.push((id, step, unportable.len(), *first));
            }
        }
    }
    if choices.is_empty() && resting.is_empty() {
        return None;
    }
    let several = run.is_on_several();
    let mut text = look.heading("left open by the API");
    text.push('\n');
    for ((cluster, clause), choice) in &choices {
        let on = if several { format!(" on {cluster}") } else { String::new() };
        let line = format!(
            "{}{on} in {}: {}",
            choice.told(),
            count(choice.scenarios.len(), "scenario"),
            clause.sentence()
        );
        text += &look.wrap("  c  ", "     ", &line);
    }
    for (id, step, n, first) in resting {
        let sign = look.paint(DOUBTFUL, "n");
        let line = format!(
            "not portable: {id}, {}: {}, for example {}",
            step.name,
            count(n, "cell"),
            first.cell
        );
        text += &look.wrap(&format!("  {sign}  "), "     ", &line);
        if let Some(why) = &first.why {
            text += &look.wrap("     ", "     ", why);
        }
    }
    Some(text)
}
