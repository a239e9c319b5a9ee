//! What a step expects of every cell: the first rule that matches decides.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::pattern::{self, Unknown};
use super::{Diagnostic, ExpectRule, Severity, Step, Watching};
use crate::model::{
    Cell, Change, Endpoint, Family, Intent, Matrix, Origin, PodName, Protocol, Topology, Via,
    universe,
};

/// What a cluster can be asked. Cells beyond it are left out after every rule
/// was resolved, so that a rule for IPv6 or SCTP alone is no error where the
/// cluster has neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The address families that can be probed.
    pub families: BTreeSet<Family>,
    /// The protocols that can be probed.
    pub protocols: BTreeSet<Protocol>,
    /// The ways in which a destination can be addressed.
    pub ways: BTreeSet<Via>,
}

impl Limits {
    /// Everything that the grammar can name.
    pub fn none() -> Self {
        Self {
            families: Family::ALL.into(),
            protocols: Protocol::ALL.into(),
            ways: Via::ALL.into(),
        }
    }

    /// These families and protocols, and destinations by their own address alone.
    pub fn direct(
        families: impl IntoIterator<Item = Family>,
        protocols: impl IntoIterator<Item = Protocol>,
    ) -> Self {
        Self {
            families: families.into_iter().collect(),
            protocols: protocols.into_iter().collect(),
            ways: [Via::Pod].into(),
        }
    }
}

/// What one cell is expected to do, and which rule says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// What people want of it.
    pub intent: Intent,
    /// The index of the rule in the step's `expect`.
    pub rule: usize,
}

/// What a step expects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// Every cell of the step.
    pub cells: Matrix<Expected>,
    /// The cells in which intent and specification part: what the policies
    /// specify instead, and the index of the rule in the step's `faults` that
    /// says so.
    pub faults: Matrix<Expected>,
    /// The connections that are held while the step's changes are made, and the index of the
    /// rule in `watch.hold`.
    #[serde(default)]
    pub held: Matrix<Expected>,
    /// The cells that are tried all the while, and the index of the rule in `watch.try`.
    #[serde(default)]
    pub tried: Matrix<Expected>,
}

/// A diagnostic, and how much of the line it underlines.
pub(crate) struct Finding {
    pub(crate) diagnostic: Diagnostic,
    pub(crate) width: u32,
}

/// Resolves a step's rules against the topology in force.
///
/// # Errors
/// A cell without a rule, a rule that matches nothing or that earlier rules
/// leave nothing to, a name that the topology does not have, a `faults` rule
/// that says what the intent says. All of them at once; the diagnostics carry
/// no excerpt.
pub fn resolve(
    step: &Step,
    topology: &Topology,
    limits: &Limits,
) -> Result<Expectation, Vec<Diagnostic>> {
    resolve_with_widths(step, topology, limits)
        .map_err(|findings| findings.into_iter().map(|f| f.diagnostic).collect())
}

pub(crate) fn resolve_with_widths(
    step: &Step,
    topology: &Topology,
    limits: &Limits,
) -> Result<Expectation, Vec<Finding>> {
    let mut findings = Vec::new();
    // Rules are judged as at load time, whatever families this cluster's pods have.
    let mut abstracted = topology.clone();
    abstracted.pods.values_mut().for_each(|pod| pod.addresses.clear());
    abstracted.nodes.values_mut().for_each(|node| node.addresses.clear());

    let watched = step.watch.hold.iter().chain(&step.watch.attempt);
    for rule in step.expect.iter().chain(&step.faults).chain(watched) {
        findings.extend(pattern::unknown(rule, topology).map(|unknown| finding(rule, unknown)));
    }
    let mut cells = universe(&abstracted, &Family::ALL);
    for rule in &step.expect {
        pattern::named_cells(rule, &abstracted, &mut cells);
    }
    let decided = decide(&step.expect, "expect", &cells, topology, &mut findings);
    let missing: Vec<&Cell> = cells.iter().filter(|cell| !decided.contains_key(*cell)).collect();
    if let Some(first) = missing.first() {
        findings.push(without_rule(step, missing.len(), first));
    }
    let expected: BTreeSet<Cell> = decided.keys().cloned().collect();
    let faults = decide(&step.faults, "faults", &expected, topology, &mut findings);
    check_faults(step, &decided, &faults, &mut findings);
    let holdable = can_hold(step, &expected);
    let held = decide(&step.watch.hold, "hold", &holdable, topology, &mut findings);
    let tried = decide(&step.watch.attempt, "try", &expected, topology, &mut findings);
    check_watch(step, &mut findings);
    if !findings.is_empty() {
        findings.sort_by(|a, b| a.diagnostic.origin.cmp(&b.diagnostic.origin));
        return Err(findings);
    }
    let present = |cell: &Cell| {
        limits.families.contains(&cell.family)
            && limits.protocols.contains(&cell.protocol)
            && limits.ways.contains(&cell.via)
            && has_family(topology, &cell.source, cell.family)
            && has_family(topology, &cell.destination, cell.family)
    };
    let matrix = |decided: BTreeMap<Cell, usize>, rules: &[ExpectRule]| {
        let there = decided.into_iter().filter(|(cell, _)| present(cell));
        there.map(|(cell, rule)| (cell, Expected { intent: rules[rule].intent, rule })).collect()
    };
    Ok(Expectation {
        cells: matrix(decided, &step.expect),
        faults: matrix(faults, &step.faults),
        held: matrix(held, &step.watch.hold),
        tried: matrix(tried, &step.watch.attempt),
    })
}

/// Whether an end has an address of a family; unknown addresses are taken to be of every family.
fn has_family(topology: &Topology, end: &Endpoint, family: Family) -> bool {
    let addresses = topology.addresses(end);
    addresses.is_empty() || addresses.iter().any(|address| Family::of(*address) == family)
}

/// The rule that decides each cell. Rules that decide none are errors.
fn decide(
    rules: &[ExpectRule],
    list: &str,
    cells: &BTreeSet<Cell>,
    topology: &Topology,
    findings: &mut Vec<Finding>,
) -> BTreeMap<Cell, usize> {
    let mut decided: BTreeMap<Cell, usize> = BTreeMap::new();
    for (index, rule) in rules.iter().enumerate() {
        let mut taken = 0_usize;
        let mut shadows: BTreeMap<usize, usize> = BTreeMap::new();
        for cell in cells.iter().filter(|cell| pattern::matches(rule, cell, topology)) {
            match decided.get(cell) {
                Some(earlier) => *shadows.entry(*earlier).or_default() += 1,
                None => {
                    decided.insert(cell.clone(), index);
                    taken += 1;
                }
            }
        }
        if taken > 0 || pattern::unknown(rule, topology).is_some() {
            continue;
        }
        let (code, message, help) = if shadows.is_empty() {
            (
                "rule-matches-nothing",
                format!("no cell matches `{}`", rule.text),
                why_nothing(rule, list),
            )
        } else {
            let count: usize = shadows.values().sum();
            let by: Vec<String> = shadows
                .keys()
                .map(|rule| format!("`{}` (line {})", rules[*rule].text, rules[*rule].origin.line))
                .collect();
            (
                "rule-shadowed",
                format!(
                    "`{}` decides nothing: {} decided before by {}",
                    rule.text,
                    quantity(count, "its one cell was", "cells were all"),
                    by.join(", ")
                ),
                "remove it, or put it before them: the first rule that matches a cell decides"
                    .into(),
            )
        };
        findings.push(error(code, rule.origin.clone(), message, &help, rule.text.chars().count()));
    }
    decided
}

fn quantity(count: usize, one: &str, many: &str) -> String {
    if count == 1 { one.to_owned() } else { format!("its {count} {many}") }
}

fn why_nothing(rule: &ExpectRule, list: &str) -> String {
    match list {
        "faults" => {
            return "a fault is one of the step's cells; check the ends and the port".into();
        }
        "hold" => {
            return "TCP and UDP can be held, between ends that are there before the step, in cells that `expect` has too".into();
        }
        "try" => {
            return "what is tried is one of the step's cells; check the ends and the port".into();
        }
        _ => {}
    }
    match (&rule.source, &rule.destination) {
        (super::EndpointPattern::External(_), super::EndpointPattern::External(_)) => {
            "from one external host to another no policy is asked".into()
        }
        _ => "check the ends and the ports: a cell is a declared port of a pod, a host or a named node".into(),
    }
}

fn error(code: &str, origin: Origin, message: String, help: &str, width: usize) -> Finding {
    Finding {
        diagnostic: Diagnostic {
            severity: Severity::Error,
            code: code.to_owned(),
            message,
            origin,
            excerpt: None,
            help: (!help.is_empty()).then(|| help.to_owned()),
        },
        width: u32::try_from(width).unwrap_or(u32::MAX).max(1),
    }
}

fn finding(rule: &ExpectRule, unknown: Unknown) -> Finding {
    let mut origin = rule.origin.clone();
    origin.column = origin.column.saturating_add(unknown.at);
    error(
        unknown.code,
        origin,
        unknown.message,
        &unknown.help.unwrap_or_default(),
        unknown.width as usize,
    )
}

fn without_rule(step: &Step, count: usize, first: &Cell) -> Finding {
    let message = if count == 1 {
        format!("the cell `{first}` has no `expect` rule")
    } else {
        format!("{count} cells have no `expect` rule, the first is `{first}`")
    };
    let help = "name them, or end with `allow * -> *` or `deny * -> *`";
    error("cell-without-rule", step.origin.clone(), message, help, 1)
}

/// A fault says what is specified *instead*: never what is intended, and never `any`.
fn check_faults(
    step: &Step,
    decided: &BTreeMap<Cell, usize>,
    faults: &BTreeMap<Cell, usize>,
    findings: &mut Vec<Finding>,
) {
    for (index, rule) in step.faults.iter().enumerate() {
        let width = rule.text.chars().count();
        if rule.intent == Intent::Any {
            let message = format!("`{}`: a fault is `allow` or `deny`", rule.text);
            let help = "it says what the policies specify instead of what is intended";
            findings.push(error("fault-intent", rule.origin.clone(), message, help, width));
            continue;
        }
        let agrees = faults.iter().filter(|(_, fault)| **fault == index).find_map(|(cell, _)| {
            let expect = &step.expect[*decided.get(cell)?];
            (expect.intent == rule.intent || expect.intent == Intent::Any).then_some((cell, expect))
        });
        if let Some((cell, expect)) = agrees {
            let message = format!(
                "`{}` is no fault in `{cell}`: `{}` (line {}) intends `{}`",
                rule.text, expect.text, expect.origin.line, expect.intent
            );
            let help = "`faults` lists exactly the cells in which intent and specification part";
            findings.push(error("fault-agrees", rule.origin.clone(), message, help, width));
        }
    }
}

/// Those of a step's cells between which a connection can be held: TCP or UDP, and both ends
/// are there before the step.
fn can_hold(step: &Step, cells: &BTreeSet<Cell>) -> BTreeSet<Cell> {
    let come: BTreeSet<&PodName> = step
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::AddPod(pod) => Some(&pod.name),
            _ => None,
        })
        .collect();
    let is_there = |end: &Endpoint| end.as_pod().is_none_or(|pod| !come.contains(pod));
    let can = |cell: &&Cell| {
        cell.protocol != Protocol::Sctp && is_there(&cell.source) && is_there(&cell.destination)
    };
    cells.iter().filter(can).cloned().collect()
}

/// What no resolution of rules tells: a connection is never sure to be cut, and something
/// has to change.
fn check_watch(step: &Step, findings: &mut Vec<Finding>) {
    let Watching { hold, attempt } = &step.watch;
    let mut find = |code, rule: &ExpectRule, message, help| {
        let width = rule.text.chars().count();
        findings.push(error(code, rule.origin.clone(), message, help, width));
    };
    for rule in hold.iter().filter(|rule| rule.intent == Intent::Deny) {
        let message =
            format!("`{}`: a connection that is there is never sure to be cut", rule.text);
        let help = "write `any`: the API leaves open what a new deny does to it; what becomes of new connections is for `try`";
        find("watch-intent", rule, message, help);
    }
    if step.changes.is_empty()
        && let Some(rule) = hold.iter().chain(attempt).next()
    {
        let message = "nothing changes in this step while it is watched".to_owned();
        find("watch-without-change", rule, message, "`expect` says what holds without a change");
    }
}
