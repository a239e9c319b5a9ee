//! A cell that differs, told in full: intended, specified, observed, and why.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::known::{Deviation, Lore};
use super::look::{BAD, DOUBTFUL, FAINT, KNOWN, Look, count, duration};
use super::mark::Mark;
use super::news;
use crate::model::{
    ClusterRuleRef, Decision, Direction, Effect, Family, Outcome, RuleRef, Verdict, Via,
};
use crate::run::{CellJudgement, Finding};
use crate::semantics::why;

/// How many cells of one finding are told in full.
const TOLD: usize = 5;

/// How many connections of which the same reason holds are named beside the first.
const ALIKE: usize = 3;

/// The findings that make a step fail or err, the gravest first.
const ORDER: [Finding; 6] = [
    Finding::EnforcementFault,
    Finding::Enforced,
    Finding::PolicyFault,
    Finding::MissingPolicyFault,
    Finding::Unstable,
    Finding::Inconclusive,
];

/// The words for a finding.
pub(crate) fn name(finding: &Finding) -> &'static str {
    match finding {
        Finding::Agrees => "as it should be",
        Finding::KnownPolicyFault => "known policy fault",
        Finding::PolicyFault => "policy fault",
        Finding::MissingPolicyFault => "missing policy fault",
        Finding::EnforcementFault => "enforcement fault",
        Finding::Unenforced => "deny that failed as it must",
        Finding::Enforced => "enforced on a negative control",
        Finding::Choice => "choice of the cluster",
        Finding::NotPortable => "not portable",
        Finding::Unstable => "unstable",
        Finding::Inconclusive => "inconclusive",
    }
}

/// Where a finding that makes a step fail or err stands among them, the gravest first.
pub(crate) fn rank(finding: &Finding) -> Option<usize> {
    ORDER.iter().position(|one| one == finding)
}

/// The cells of a connection that tell the same in every family.
pub(crate) struct Difference<'a> {
    cells: Vec<&'a CellJudgement>,
}

impl<'a> Difference<'a> {
    /// Puts the families of one connection together where they tell the same.
    pub(crate) fn group(cells: impl IntoIterator<Item = &'a CellJudgement>) -> Vec<Self> {
        let mut groups = BTreeMap::<_, Vec<Self>>::new();
        for judgement in cells {
            let cell = &judgement.cell;
            let at = (&cell.source, &cell.destination, cell.via, cell.port, cell.protocol);
            let same = groups.entry(at).or_default();
            match same.iter_mut().find(|d| tells_the_same(d.cells[0], judgement)) {
                Some(found) => found.cells.push(judgement),
                None => same.push(Self { cells: vec![judgement] }),
            }
        }
        groups.into_values().flatten().collect()
    }

    /// The connections of cells, the families of each together.
    pub(crate) fn connections(cells: &[&CellJudgement]) -> Vec<String> {
        let mut groups = BTreeMap::<_, Self>::new();
        for judgement in cells {
            let cell = &judgement.cell;
            let at = (&cell.source, &cell.destination, cell.via, cell.port, cell.protocol);
            groups.entry(at).or_insert_with(|| Difference { cells: vec![] }).cells.push(judgement);
        }
        groups.into_values().map(|difference| difference.connection()).collect()
    }

    /// The cell that stands for all of them.
    pub(crate) fn first(&self) -> &'a CellJudgement {
        self.cells[0]
    }

    /// `prod/web -> prod/db:3306/TCP over ipv4 and ipv6`.
    pub(crate) fn connection(&self) -> String {
        let cell = &self.cells[0].cell;
        let mut text =
            format!("{} -> {}:{}/{}", cell.source, cell.destination, cell.port, cell.protocol);
        if cell.via != Via::Pod {
            let _ = write!(text, " via {}", cell.via);
        }
        match self.cells.as_slice() {
            [only] => {
                let _ = write!(text, " over {}", only.cell.family);
            }
            _ => text += " over both families",
        }
        text
    }

    /// The sentences of why, each once.
    pub(crate) fn why(&self) -> Vec<&'a str> {
        let mut sentences: Vec<&str> = Vec::new();
        for judgement in &self.cells {
            let Some(why) = judgement.why.as_deref() else { continue };
            let plain = without_family(why);
            if !sentences.iter().any(|known| without_family(known) == plain) {
                sentences.push(why);
            }
        }
        sentences
    }

    /// The first of those that could not be told for one reason, with the others: a dead
    /// agent or a shut path is a matter of many cells.
    fn by_reason(differences: Vec<Self>) -> Vec<(Self, Vec<Self>)> {
        let mut reasons: Vec<(Self, Vec<Self>)> = Vec::new();
        for difference in differences {
            let why = |it: &Self| it.why().into_iter().map(without_family).collect::<Vec<_>>();
            let outcome = |it: &Self| it.cells[0].observed.as_ref().map(|o| o.outcome.clone());
            let alike = |(first, _): &&mut (Self, Vec<Self>)| {
                outcome(first) == outcome(&difference) && why(first) == why(&difference)
            };
            match reasons.iter_mut().find(alike) {
                Some((_, others)) => others.push(difference),
                None => reasons.push((difference, Vec::new())),
            }
        }
        reasons
    }

    fn render(&self, lore: &Lore<'_>, look: Look) -> String {
        let first = self.cells[0];
        let mark = Mark::judged(first);
        let sign = look.paint(mark.style(), &mark.glyph().to_string());
        let mut text =
            look.wrap(&format!("  {sign}  "), "     ", &look.heading(&self.connection()));
        let mut field = |name: &str, value: &str| {
            text += &look.wrap(&format!("     {name:<11}"), &" ".repeat(16), value);
        };
        field("intended", &format!("{}, by `{}`", first.intended, first.expect));
        field("specified", &briefly(&first.specified));
        field("observed", &self.observed());
        let sentences = self.why();
        if sentences.is_empty() {
            field("why", &why(&first.cell, &first.specified));
        }
        for sentence in sentences {
            field("why", sentence);
        }
        let mut known: Vec<Deviation<'_>> = Vec::new();
        for deviation in self.cells.iter().flat_map(|cell| lore.deviations(cell)) {
            if !known.contains(&deviation) {
                known.push(deviation);
                field("known", &news::deviation(deviation));
            }
        }
        text
    }

    /// What was seen, with how long it took, in each family.
    pub(crate) fn observed(&self) -> String {
        let Some(first) = &self.cells[0].observed else {
            return "nothing: it was not attempted".to_owned();
        };
        let mut text = first.outcome.to_string();
        let seen: Vec<_> = self.cells.iter().filter_map(|c| c.observed.as_ref()).collect();
        let broken = matches!(first.outcome, Outcome::Broken { .. });
        let after = each(seen.iter().filter(|_| !broken).map(|o| duration(o.latency)));
        if !after.is_empty() {
            let _ = write!(text, " after {after}");
        }
        if let Some(evidence) = &first.evidence {
            let _ = write!(text, "; node `{}` says: {}", evidence.node, evidence.text);
        }
        let sources = each(seen.iter().filter_map(|o| Some(o.seen_source?.to_string())));
        if !sources.is_empty() {
            let _ = write!(text, "; the listener saw {sources}");
        }
        text
    }
}

/// The other connections of which a reason holds, as many as are named.
fn also(alike: &[Difference<'_>], look: Look) -> String {
    if alike.is_empty() {
        return String::new();
    }
    let names: Vec<String> = alike.iter().take(ALIKE).map(Difference::connection).collect();
    let more = if alike.len() > ALIKE { ", …" } else { "" };
    let text = format!("{}: {}{more}", count(alike.len(), "more connection"), names.join(", "));
    look.wrap("     also       ", &" ".repeat(16), &text)
}

/// Each text once, in order.
fn each(texts: impl Iterator<Item = String>) -> String {
    let mut kept: Vec<String> = Vec::new();
    for text in texts {
        if !kept.contains(&text) {
            kept.push(text);
        }
    }
    kept.join(" and ")
}

fn tells_the_same(a: &CellJudgement, b: &CellJudgement) -> bool {
    let outcome = |c: &CellJudgement| c.observed.as_ref().map(|o| o.outcome.clone());
    let evidence = |c: &CellJudgement| {
        c.observed.as_ref().and_then(|o| o.evidence.as_ref()).map(|e| e.text.clone())
    };
    a.finding == b.finding
        && a.intended == b.intended
        && a.expect == b.expect
        && a.specified == b.specified
        && outcome(a) == outcome(b)
        && evidence(a) == evidence(b)
}

/// A sentence with the words for its family taken out, to compare two of them.
fn without_family(sentence: &str) -> String {
    Family::ALL.iter().fold(sentence.to_owned(), |s, family| s.replace(&family.to_string(), ""))
}

/// The verdict, with the directions that deny.
pub(crate) fn briefly(decision: &Decision) -> String {
    let sides = [(Direction::Egress, &decision.egress), (Direction::Ingress, &decision.ingress)];
    let denying: Vec<String> = sides
        .iter()
        .filter(|(_, side)| matches!(side.effect, Effect::Denied | Effect::DeniedBy(_)))
        .map(|(direction, _)| direction.to_string())
        .collect();
    match decision.verdict {
        Verdict::Deny if !denying.is_empty() => format!("deny, at {}", denying.join(" and ")),
        verdict => verdict.to_string(),
    }
}

/// `prod/db-policy ingress[0]` and where it is written.
pub(crate) fn rule(rule: &RuleRef) -> String {
    format!("`{} {}[{}]` at {}", rule.policy, rule.direction, rule.rule, rule.origin)
}

/// `ClusterNetworkPolicy/guard ingress[0]` and where it is written.
pub(crate) fn cluster_rule(rule: &ClusterRuleRef) -> String {
    format!("`{} {}[{}]` at {}", rule.policy, rule.direction, rule.rule, rule.origin)
}

/// The cells of a step that make it fail or err, each told in full up to a
/// number of each finding; the rest is counted.
pub(crate) fn render(cells: &[CellJudgement], lore: &Lore<'_>, look: Look) -> String {
    let mut text = String::new();
    for finding in &ORDER {
        let found: Vec<&CellJudgement> =
            cells.iter().filter(|cell| cell.finding == *finding).collect();
        if found.is_empty() {
            continue;
        }
        let style = match finding {
            Finding::Unstable | Finding::Inconclusive => DOUBTFUL,
            _ => BAD,
        };
        let title = format!("{}: {}", name(finding), count(found.len(), "cell"));
        let _ = writeln!(text, "\n  {}", look.paint(style, &title));
        let differences = Difference::group(found);
        let differences = match finding {
            Finding::Inconclusive => Difference::by_reason(differences),
            _ => differences.into_iter().map(|difference| (difference, vec![])).collect(),
        };
        for (difference, alike) in differences.iter().take(TOLD) {
            text.push('\n');
            text += &difference.render(lore, look);
            text += &also(alike, look);
        }
        let untold = differences.iter().skip(TOLD);
        let more: usize = untold.map(|(_, alike)| 1 + alike.len()).sum();
        if more > 0 {
            let told = format!(
                "… and {} more; `--record PATH` keeps them all",
                count(more, "such connection")
            );
            let _ = writeln!(text, "\n     {}", look.paint(FAINT, &told));
        }
    }
    text
}

/// One example of a known fault: the connection, and the rules that make it so.
pub(crate) fn example(cells: &[&CellJudgement], look: Look) -> String {
    let Some(first) = Difference::group(cells.iter().copied()).into_iter().next() else {
        return String::new();
    };
    let judgement = first.cells[0];
    let sign = look.paint(KNOWN, "k");
    let line = format!(
        "{}: meant {}, specified {}",
        first.connection(),
        judgement.intended,
        judgement.specified.verdict
    );
    look.wrap(&format!("    {sign} "), "      ", &line)
        + &look.wrap("      ", "      ", &why(&judgement.cell, &judgement.specified))
}
