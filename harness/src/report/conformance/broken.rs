//! Cases that failed, by the sentence of the API that they show broken.

use std::collections::BTreeMap;

use super::model::{Broken, BrokenCase, FaultCell, Sentence};
use super::phrase;
use crate::report::difference::{Difference, briefly, name};
use crate::report::known::Lore;
use crate::report::{ScenarioRun, StepRun, news};
use crate::run::{ApiText, CaseInfo, CellJudgement, Finding, WatchedCell};
use crate::semantics::why;

/// A case that failed.
pub(super) struct Failed<'a> {
    pub(super) case: &'a CaseInfo,
    pub(super) scenario: &'a ScenarioRun,
    pub(super) cluster: &'a str,
    /// Where its scenario folder was written.
    pub(super) folder: Option<String>,
}

impl From<&ApiText> for Sentence {
    fn from(ApiText { text, source }: &ApiText) -> Self {
        Self { text: text.clone(), source: source.clone() }
    }
}

/// The sentences, that with the most cases first.
pub(super) fn broken<'a>(failed: impl Iterator<Item = Failed<'a>>) -> Vec<Broken> {
    let mut sentences = BTreeMap::<Sentence, Vec<BrokenCase>>::new();
    for failed in failed {
        for (sentence, cells) in failed.by_sentence() {
            sentences.entry(sentence).or_default().push(failed.told(cells));
        }
    }
    let mut all: Vec<Broken> = sentences
        .into_iter()
        .map(|(sentence, mut cases)| {
            // An identifier names what is not plain.
            cases.sort_by_key(|case| (case.case.split(',').count(), case.case.clone()));
            Broken { sentence, cases }
        })
        .collect();
    all.sort_by_key(|broken| std::cmp::Reverse(broken.cases.len()));
    all
}

impl<'a> Failed<'a> {
    /// The cells that differ, by the sentence that each shows. Where one thing alone decides
    /// some of them, the others follow from it, and stand behind these.
    fn by_sentence(&self) -> BTreeMap<Sentence, Vec<FaultCell>> {
        let mut sentences = BTreeMap::<Sentence, Vec<FaultCell>>::new();
        let mut others = Vec::new();
        for (index, step) in &self.scenario.steps {
            let faults: Vec<&CellJudgement> =
                step.cells.iter().filter(|cell| is_fault(&cell.finding)).collect();
            let decides = |cell: &CellJudgement| self.case.decides(*index, &cell.cell);
            for judged in faults.iter().filter(|cell| decides(cell).is_some()) {
                let sentence = self.case.sentence(*index, &judged.cell).into();
                let told = self.cells(*index, &[judged]);
                sentences.entry(sentence).or_default().extend(told);
            }
            let rest: Vec<_> = faults.into_iter().filter(|cell| decides(cell).is_none()).collect();
            others.extend(self.cells(*index, &rest));
            let watched = step.watched.iter().flat_map(|watched| &watched.cells);
            let wrong: Vec<FaultCell> = watched
                .filter(|cell| is_fault(&cell.finding))
                .map(|cell| self.watched(*index, cell))
                .collect();
            if !wrong.is_empty() {
                // What happens during a change is what such a case is about.
                sentences.entry((&self.case.api).into()).or_default().extend(wrong);
            }
        }
        if sentences.is_empty() {
            sentences.entry((&self.case.api).into()).or_default();
        }
        // The same cells under every sentence would tell one fault several times.
        if let Some(first) = sentences.values_mut().next() {
            first.extend(others);
        }
        sentences
    }

    fn cells(&self, step: usize, judged: &[&'a CellJudgement]) -> Vec<FaultCell> {
        let lore = Lore::of(self.scenario);
        let steps = &self.scenario.steps;
        Difference::group(judged.iter().copied())
            .into_iter()
            .map(|difference| {
                let first = difference.first();
                let mut known: Vec<String> = Vec::new();
                for deviation in lore.deviations(first).into_iter().map(news::deviation) {
                    if !known.contains(&deviation) {
                        known.push(deviation);
                    }
                }
                let decided = self.case.decides(step, &first.cell);
                FaultCell {
                    step: step + 1,
                    step_name: steps.get(&step).map(|step| step.name.clone()).unwrap_or_default(),
                    connection: difference.connection(),
                    finding: name(&first.finding).to_owned(),
                    specified: briefly(&first.specified),
                    because: why(&first.cell, &first.specified),
                    observed: difference.observed(),
                    decided_by: decided.map(|cell| phrase::decided_by(cell.by).to_owned()),
                    known,
                }
            })
            .collect()
    }

    fn watched(&self, step: usize, cell: &WatchedCell) -> FaultCell {
        let name_of = |step: &StepRun| step.name.clone();
        FaultCell {
            step: step + 1,
            step_name: self.scenario.steps.get(&step).map(name_of).unwrap_or_default(),
            connection: cell.cell.to_string(),
            finding: name(&cell.finding).to_owned(),
            specified: cell
                .specified
                .map_or("unknown".to_owned(), |intent| format!("{intent}, all the time")),
            because: cell.why.clone().unwrap_or_else(|| format!("`{}`", cell.rule)),
            observed: cell.told.clone(),
            decided_by: None,
            known: Vec::new(),
        }
    }

    fn told(&self, cells: Vec<FaultCell>) -> BrokenCase {
        let info = &self.scenario.info;
        let induced = self.scenario.capabilities.iter().flat_map(|known| &known.dataplane.induced);
        let on = phrase::on(self.cluster, induced.map(|fault| fault.name.as_str()));
        let rerun = match &self.folder {
            Some(folder) => format!("ringfence run{on} {}", phrase::quoted(folder)),
            None => format!("ringfence conformance{on} --case {}", phrase::quoted(&info.id)),
        };
        BrokenCase {
            case: info.id.clone(),
            about: info.about.clone(),
            level: phrase::level(self.case.level),
            cells,
            rerun,
            folder: self.folder.clone(),
            bundle: self.scenario.bundle.as_ref().map(|bundle| bundle.folder.clone()),
        }
    }
}

/// Whether it makes a case fail.
const fn is_fault(finding: &Finding) -> bool {
    matches!(
        finding,
        Finding::EnforcementFault
            | Finding::Enforced
            | Finding::PolicyFault
            | Finding::MissingPolicyFault
    )
}
