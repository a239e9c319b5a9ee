//! The `expect` rules of a step with policies of the cluster: whichever is shorter, what is
//! denied and then that the rest is open, or what subjects are allowed and then that the rest
//! is denied to them.

use std::collections::BTreeSet;

use crate::catalogue::scene::Scene;
use crate::model::{Cell, Direction, Endpoint, Family, Intent, Protocol};

/// One rule, and the cells that it matches, by their place among all.
struct Line {
    text: String,
    cells: Vec<usize>,
}

/// The cells of a step, in order.
struct Cells<'c> {
    all: &'c [Cell],
}

/// The rules of a step.
pub(in crate::catalogue) fn expected(scene: &Scene) -> Vec<String> {
    let all = scene.cells();
    let cells = Cells { all: &all };
    let denied: Vec<bool> = all.iter().map(|cell| scene.intent(cell) == Intent::Deny).collect();
    let mut lines = cells.gathered(Intent::Deny, &denied);
    let shut = cells.shut(scene, &denied);
    let mut open = vec![false; all.len()];
    for at in shut.iter().flat_map(|line| &line.cells) {
        open[*at] = !denied[*at];
    }
    let mut of_subjects = cells.gathered(Intent::Allow, &open);
    of_subjects.extend(shut);
    if of_subjects.len() < lines.len() {
        lines = of_subjects;
    }
    let mut left = vec![true; all.len()];
    for at in lines.iter().flat_map(|line| &line.cells) {
        left[*at] = false;
    }
    let mut texts: Vec<String> = lines.into_iter().map(|line| line.text).collect();
    let left = || all.iter().enumerate().filter(|(at, _)| left[*at]).map(|(_, cell)| cell);
    let to_nodes: BTreeSet<String> = left()
        .filter(|cell| is_node(&cell.destination))
        .map(|cell| format!("allow {} -> {}", cell.source, cell.destination))
        .collect();
    texts.extend(to_nodes);
    if left().any(|cell| !is_node(&cell.destination)) {
        texts.push("allow * -> *".to_owned());
    }
    texts
}

const fn is_node(end: &Endpoint) -> bool {
    matches!(end, Endpoint::Node(_))
}

impl Cells<'_> {
    fn places(&self, is_matched: impl Fn(&Cell) -> bool) -> Vec<usize> {
        let cells = self.all.iter().enumerate();
        cells.filter(|(_, cell)| is_matched(cell)).map(|(at, _)| at).collect()
    }

    /// That everything is denied to and from those to whom some is.
    fn shut(&self, scene: &Scene, denied: &[bool]) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        let denied = self.all.iter().zip(denied).filter(|(_, denied)| **denied);
        for (cell, direction) in denied
            .flat_map(|(cell, _)| [Direction::Ingress, Direction::Egress].map(|of| (cell, of)))
        {
            if scene.judged(cell, direction) != Intent::Deny {
                continue;
            }
            let Cell { source, destination, .. } = cell;
            let (text, subject): (_, &dyn Fn(&Cell) -> bool) = match direction {
                _ if is_node(destination) => (format!("deny {source} -> {destination}"), &|of| {
                    of.source == *source && of.destination == *destination
                }),
                Direction::Ingress => {
                    (format!("deny * -> {destination}"), &|of| of.destination == *destination)
                }
                Direction::Egress => (format!("deny {source} -> *"), &|of| {
                    of.source == *source && !is_node(&of.destination)
                }),
            };
            if lines.iter().all(|line| line.text != text) {
                lines.push(Line { text, cells: self.places(subject) });
            }
        }
        lines
    }

    /// Rules for exactly the cells that are meant, each as wide as it can be.
    fn gathered(&self, intent: Intent, meant: &[bool]) -> Vec<Line> {
        let mut left = meant.to_vec();
        let mut lines = Vec::new();
        while let Some(first) = left.iter().position(|left| *left) {
            let line = self.widest(&self.all[first], intent, meant, &left);
            left[first] = false;
            line.cells.iter().for_each(|at| left[*at] = false);
            lines.push(line);
        }
        lines
    }

    /// The rule about a cell that is about most of those that are left, and only about such as
    /// are meant.
    fn widest(&self, cell: &Cell, intent: Intent, meant: &[bool], left: &[bool]) -> Line {
        let to_node = is_node(&cell.destination);
        let mut best: (usize, Line) = (0, Line { text: String::new(), cells: Vec::new() });
        for source in patterns(&cell.source, to_node) {
            let of_source = self.places(|of| source.matches(&of.source));
            for destination in patterns(&cell.destination, to_node) {
                let between = of_source.iter().copied().filter(|at| {
                    let end = &self.all[*at].destination;
                    destination.matches(end) && (to_node || !is_node(end))
                });
                let between: Vec<usize> = between.collect();
                for port in [None, Some((cell.port, cell.protocol))] {
                    for family in [None, Some(cell.family)] {
                        let is_matched = |at: &usize| {
                            let of = &self.all[*at];
                            port.is_none_or(|port| (of.port, of.protocol) == port)
                                && family.is_none_or(|family| of.family == family)
                        };
                        let cells: Vec<usize> =
                            between.iter().copied().filter(is_matched).collect();
                        let gain = cells.iter().filter(|at| left[**at]).count();
                        if gain > best.0 && cells.iter().all(|at| meant[*at]) {
                            let text = text(intent, (&source, &destination), port, family);
                            best = (gain, Line { text, cells });
                        }
                    }
                }
            }
        }
        // The narrowest of them is about the cell itself.
        best.1
    }
}

/// An end as a rule names it.
enum Pattern {
    /// `*`: pods and hosts.
    All,
    /// `*/*`.
    EveryPod,
    /// `x/*`.
    Namespace(String),
    /// One end.
    End(Endpoint),
}

impl Pattern {
    fn matches(&self, end: &Endpoint) -> bool {
        match self {
            Self::All => !is_node(end),
            Self::EveryPod => end.as_pod().is_some(),
            Self::Namespace(name) => end.as_pod().is_some_and(|pod| *pod.namespace == **name),
            Self::End(own) => own == end,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::All => "*".to_owned(),
            Self::EveryPod => "*/*".to_owned(),
            Self::Namespace(name) => format!("{name}/*"),
            Self::End(end) => end.to_string(),
        }
    }
}

/// What matches an end, the widest first. A rule makes the cells of the nodes that it names,
/// so there it names the other end too.
fn patterns(end: &Endpoint, to_node: bool) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    if !to_node {
        patterns.push(Pattern::All);
        if let Some(pod) = end.as_pod() {
            patterns.push(Pattern::EveryPod);
            patterns.push(Pattern::Namespace(pod.namespace.to_string()));
        }
    }
    patterns.push(Pattern::End(end.clone()));
    patterns
}

fn text(
    intent: Intent,
    (source, destination): (&Pattern, &Pattern),
    port: Option<(u16, Protocol)>,
    family: Option<Family>,
) -> String {
    let port = match port {
        None => String::new(),
        Some((number, Protocol::Tcp)) => format!(":{number}"),
        Some((number, protocol)) => format!(":{number}/{protocol}"),
    };
    let family = family.map(|family| format!(" over {family}")).unwrap_or_default();
    format!("{intent} {} -> {}{port}{family}", source.text(), destination.text())
}
