//! Records made by hand, for the tests of the reports.

mod clusters;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::Capabilities;
use crate::model::{
    Cell, Clause, Decision, Effect, Endpoint, Evidence, Family, Intent, Observation, Origin,
    Outcome, PolicyName, PolicyRef, Protocol, RuleRef, Side, Topology, Verdict, Via,
};
use crate::run::{
    CellJudgement, Counts, Event, Finding, Line, SCHEMA, ScenarioInfo, Status, StepTiming,
};
use crate::scenario::{Diagnostic, Excerpt, Severity};

pub(crate) use clusters::{clusters, disagreement};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// One kind of each run.
pub(crate) fn all() -> Vec<Vec<Line>> {
    vec![
        passing(),
        policy_fault(),
        enforcement_fault(),
        known_faults(),
        errored(),
        skipped(),
        unstable(),
    ]
}

fn origin(line: u32) -> Origin {
    Origin {
        file: Arc::from("scenarios/tiered-database/db-policy.yaml"),
        document: 0,
        path: Arc::from("spec"),
        line,
        column: 5,
    }
}

fn open_side() -> Side {
    Side::of(Effect::NotIsolated)
}

fn policy() -> PolicyName {
    PolicyName::new("prod", "db-policy")
}

pub(crate) fn allowed() -> Decision {
    let rule = RuleRef {
        policy: policy(),
        direction: crate::model::Direction::Ingress,
        rule: 0,
        peer: Some(0),
        port: Some(0),
        origin: origin(12),
    };
    let isolating = vec![PolicyRef { name: policy(), origin: origin(1) }];
    Decision {
        verdict: Verdict::Allow,
        egress: open_side(),
        ingress: Side { isolating, rules: vec![rule], ..Side::of(Effect::Allowed) },
    }
}

pub(crate) fn denied() -> Decision {
    let isolating = vec![PolicyRef { name: policy(), origin: origin(1) }];
    Decision {
        verdict: Verdict::Deny,
        egress: open_side(),
        ingress: Side { isolating, ..Side::of(Effect::Denied) },
    }
}

fn undefined() -> Decision {
    let side = Side {
        isolating: vec![PolicyRef { name: policy(), origin: origin(1) }],
        ..Side::of(Effect::Undefined(Clause::IpBlockOnPod))
    };
    Decision {
        verdict: Verdict::Undefined(Clause::IpBlockOnPod),
        egress: open_side(),
        ingress: side,
    }
}

fn connected() -> Observation {
    Observation {
        outcome: Outcome::Connected,
        latency: Duration::from_micros(310),
        waited: Duration::ZERO,
        seen_source: Some("10.244.0.2".parse().expect("an address")),
        evidence: None,
    }
}

fn dropped() -> Observation {
    Observation {
        outcome: Outcome::Dropped,
        latency: MS(200),
        waited: Duration::ZERO,
        seen_source: None,
        evidence: None,
    }
}

fn reported() -> Observation {
    let evidence = Evidence { node: "node-1".into(), text: "ingress of prod/db".to_owned() };
    Observation {
        outcome: Outcome::Dropped,
        latency: Duration::from_micros(450),
        waited: Duration::ZERO,
        seen_source: None,
        evidence: Some(evidence),
    }
}

pub(crate) fn cell(source: &str, destination: &str, port: u16, family: Family) -> Cell {
    let end = |text: &str| text.parse::<Endpoint>().expect("an endpoint");
    Cell {
        source: end(source),
        destination: end(destination),
        port,
        protocol: Protocol::Tcp,
        family,
        via: Via::Pod,
    }
}

/// Both families of one connection.
fn pair(
    (source, destination, port): (&str, &str, u16),
    (intended, expect): (Intent, &str),
    specified: &Decision,
    observed: &Observation,
    finding: &Finding,
    why: Option<&str>,
) -> Vec<CellJudgement> {
    let judge = |family| CellJudgement {
        cell: cell(source, destination, port, family),
        intended,
        expect: expect.to_owned(),
        specified: specified.clone(),
        observed: Some(observed.clone()),
        finding: finding.clone(),
        why: why.map(str::to_owned),
    };
    Family::ALL.into_iter().map(judge).collect()
}

fn good_cells() -> Vec<CellJudgement> {
    let mut cells = pair(
        ("prod/api", "prod/db", 3306),
        (Intent::Allow, "allow prod/api -> prod/db:3306"),
        &allowed(),
        &connected(),
        &Finding::Agrees,
        None,
    );
    cells.extend(pair(
        ("prod/web", "prod/db", 3306),
        (Intent::Deny, "deny * -> prod/db"),
        &denied(),
        &reported(),
        &Finding::Agrees,
        None,
    ));
    cells
}

/// A run of one scenario with one step.
fn run(
    id: &str,
    about: &str,
    step: &str,
    end: (Status, Option<&str>),
    cells: Vec<CellJudgement>,
) -> Vec<Line> {
    let (status, reason) = end;
    let counts = Counts {
        passed: usize::from(status == Status::Passed),
        failed: usize::from(status == Status::Failed),
        errored: usize::from(status == Status::Errored),
        skipped: usize::from(status == Status::Skipped),
    };
    let capabilities = Capabilities {
        name: "embedded".to_owned(),
        families: Family::ALL.into(),
        protocols: BTreeSet::from([Protocol::Tcp, Protocol::Udp]),
        ways: [Via::Pod].into(),
        host_network: false,
        external_hosts: true,
        cluster_policies: BTreeSet::new(),
        evidence: true,
        dataplane: Box::default(),
        missing: vec![],
    };
    let info = ScenarioInfo {
        about: about.to_owned(),
        steps: vec![step.to_owned()],
        ..ScenarioInfo::unknown(id)
    };
    let started = Event::RunStarted {
        schema: SCHEMA,
        version: "0.1.0".to_owned(),
        seed: 7,
        clusters: vec!["embedded".to_owned()],
        scenarios: vec![info],
        suite: None,
    };
    let mut events = vec![Event::ScenarioStarted];
    if status != Status::Skipped {
        events.push(Event::Deployed {
            capabilities,
            topology: Topology::default(),
            names: BTreeMap::new(),
            took: MS(21),
        });
        events.push(Event::StepStarted {
            step: 0,
            name: step.to_owned(),
            changes: vec!["apply prod/db-policy".to_owned()],
            rewritten: vec![],
        });
        events.push(Event::StepJudged {
            step: 0,
            name: step.to_owned(),
            status,
            cells,
            rejected: vec![],
            timing: StepTiming {
                to_look: Some(Duration::from_micros(4_000)),
                to_enforce: Some(Duration::from_micros(4_200)),
                to_allow: None,
                total: Some(MS(260)),
                rounds: 3,
            },
            notes: vec![],
            not_judged: vec![],
            watched: None,
        });
    }
    let (reason, took) = (reason.map(str::to_owned), MS(310));
    events.push(Event::ScenarioFinished { status, reason, took, interrupted: false });
    let exit_code = match status {
        Status::Passed => 0,
        Status::Failed => 1,
        Status::Errored | Status::Skipped => 3,
    };
    let own =
        |event| Line { at: MS(1), cluster: "embedded".to_owned(), scenario: id.to_owned(), event };
    let whole = |event| Line { at: MS(1), cluster: String::new(), scenario: String::new(), event };
    std::iter::once(whole(started))
        .chain(events.into_iter().map(own))
        .chain([whole(Event::RunFinished { counts, exit_code, took: MS(330) })])
        .collect()
}

const ABOUT: &str = "Only API pods reach the database, and it may send backups out.";
const STEP: &str = "the database is fenced";

/// Everything is as it should be.
pub(crate) fn passing() -> Vec<Line> {
    run("tiered-database", ABOUT, STEP, (Status::Passed, None), good_cells())
}

/// The policy allows what was meant to be denied.
pub(crate) fn policy_fault() -> Vec<Line> {
    let mut cells = good_cells();
    cells.truncate(2);
    cells.extend(pair(
        ("prod/web", "prod/db", 3306),
        (Intent::Deny, "deny * -> prod/db"),
        &allowed(),
        &connected(),
        &Finding::PolicyFault,
        Some("`deny * -> prod/db` wants it denied, but the rule at scenarios/tiered-database/db-policy.yaml:12:5 allows every pod of the namespace"),
    ));
    run("tiered-database", ABOUT, STEP, (Status::Failed, None), cells)
}

/// The cluster lets through over IPv6 what the policies deny.
pub(crate) fn enforcement_fault() -> Vec<Line> {
    let mut cells = good_cells();
    let leak = cells.last_mut().expect("a cell");
    leak.observed = Some(Observation {
        seen_source: Some("fd00:10:244::2".parse().expect("an address")),
        ..connected()
    });
    leak.finding = Finding::EnforcementFault;
    leak.why = Some("`prod/db-policy` at scenarios/tiered-database/db-policy.yaml:1:5 isolates prod/db for ingress and no rule allows it, yet the connection was made".to_owned());
    run("tiered-database", ABOUT, STEP, (Status::Failed, None), cells)
}

/// A published policy that breaks its claim, and an undefined cell.
pub(crate) fn known_faults() -> Vec<Line> {
    let mut cells = pair(
        ("prod/web", "prod/db", 3306),
        (Intent::Deny, "deny * -> *"),
        &allowed(),
        &connected(),
        &Finding::KnownPolicyFault,
        Some(
            "the empty rule at scenarios/guides/best-practices/default-deny/policy.yaml:9:5 matches every peer and every port",
        ),
    );
    cells.extend(pair(
        ("prod/api", "prod/db", 3306),
        (Intent::Any, "any prod/api -> prod/db"),
        &undefined(),
        &connected(),
        &Finding::Choice,
        Some("an ipBlock contains the pod's address"),
    ));
    cells.extend(pair(
        ("prod/api", "prod/web", 80),
        (Intent::Allow, "allow * -> prod/web"),
        &undefined(),
        &dropped(),
        &Finding::NotPortable,
        Some("`allow * -> prod/web` rests on an ipBlock that contains a pod's address"),
    ));
    let mut lines = run(
        "guides/best-practices/default-deny",
        "Published as a policy that blocks all traffic; it allows all.",
        "as published",
        (Status::Passed, None),
        cells,
    );
    let rejections = lines.iter_mut().filter_map(|line| match &mut line.event {
        Event::StepJudged { rejected, .. } => Some(rejected),
        _ => None,
    });
    rejections.for_each(|rejected| rejected.push(rejection()));
    lines
}

/// What the API server says of a manifest that was published all the same.
fn rejection() -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: "unknown-field".to_owned(),
        message: "unknown field `spec.namespaceSelector`".to_owned(),
        origin: origin(8),
        excerpt: Some(Excerpt { line: "  namespaceSelector:".to_owned(), width: 17 }),
        help: None,
    }
}

/// The cluster went away.
pub(crate) fn errored() -> Vec<Line> {
    let mut cells = good_cells();
    for judgement in &mut cells[2..] {
        judgement.observed = Some(Observation::broken("the session ended"));
        judgement.finding = Finding::Inconclusive;
        judgement.why = Some("the probe in prod/web went away during round 4".to_owned());
    }
    let reason = "the cluster is gone: the helper process ended";
    run("tiered-database", ABOUT, STEP, (Status::Errored, Some(reason)), cells)
}

/// Pods of whose connections most could not be told, for one reason, and one for another.
pub(crate) fn undecided() -> Vec<Line> {
    let why = "its path did not open before any policy, within 10000 ms: dropped";
    let untold = |source: &str, port, why: &str| CellJudgement {
        cell: cell(source, "prod/db", port, Family::Ipv4),
        observed: Some(dropped()),
        finding: Finding::Inconclusive,
        why: Some(why.to_owned()),
        ..good_cells().remove(2)
    };
    let mut cells: Vec<CellJudgement> = (1..=6)
        .map(|n| untold("prod/web", 3300 + n, why))
        .chain([untold("prod/api", 3306, why)])
        .collect();
    cells.push(untold("prod/web", 3399, "no answer from the agent of `prod/web`"));
    let reason = "step `the database is fenced`: 8 of 8 cells could not be told; the first is \
        `prod/web -> prod/db:3301/TCP over ipv4`: its path did not open before any policy, within \
        10000 ms: dropped";
    run("tiered-database", ABOUT, STEP, (Status::Errored, Some(reason)), cells)
}

/// A cluster of which an account may not do what a run does: every scenario has that reason.
pub(crate) fn without_rights() -> Vec<Line> {
    let reason = "expected the rights that a run needs, found that this account may not:\n  \
        create, delete, get, list, patch, watch `namespaces`: every scenario gets namespaces of \
        its own, which go with the run\n  list `nodes`: pods are spread over the nodes that take \
        them\n`ringfence rbac` prints the least role; have it given to this account";
    let mut lines = Vec::new();
    for (n, id) in ["default-deny", "tiered-database"].into_iter().enumerate() {
        let mut of = run(id, ABOUT, STEP, (Status::Errored, Some(reason)), vec![]);
        // It broke off before there was a cluster to deploy to.
        of.retain(|line| {
            matches!(
                line.event,
                Event::RunStarted { .. }
                    | Event::ScenarioStarted
                    | Event::ScenarioFinished { .. }
                    | Event::RunFinished { .. }
            )
        });
        if n == 0 {
            of.pop();
        } else {
            let started = of.remove(0);
            if let (
                Event::RunStarted { scenarios: more, .. },
                Some(Line { event: Event::RunStarted { scenarios, .. }, .. }),
            ) = (started.event, lines.first_mut())
            {
                scenarios.extend(more);
            }
            if let Some(Line { event: Event::RunFinished { counts, .. }, .. }) = of.last_mut() {
                *counts = Counts { errored: 2, ..Counts::default() };
            }
        }
        lines.extend(of);
    }
    lines
}

/// The cluster cannot do what the scenario needs.
pub(crate) fn skipped() -> Vec<Line> {
    let reason = "no SCTP: the kernel has no SCTP sockets and raw ones are not permitted";
    run("sctp/a-tcp-rule-does-not-open-it", ABOUT, STEP, (Status::Skipped, Some(reason)), vec![])
}

/// A cell kept changing.
pub(crate) fn unstable() -> Vec<Line> {
    let mut cells = good_cells();
    for judgement in &mut cells[2..] {
        judgement.observed = Some(dropped());
        judgement.finding = Finding::Unstable;
        judgement.why = Some(
            "it changed 4 times in 9 rounds: connected, dropped, connected, dropped".to_owned(),
        );
    }
    run(
        "tiered-database",
        ABOUT,
        STEP,
        (Status::Errored, Some("1 connection kept changing")),
        cells,
    )
}

/// A run of many scenarios, with names of every length.
pub(crate) fn many() -> Vec<Line> {
    let runs = all();
    let mut infos = Vec::new();
    let mut body = Vec::new();
    for (n, lines) in runs.into_iter().enumerate() {
        for mut line in lines {
            match &mut line.event {
                Event::RunStarted { scenarios, .. } => {
                    let mut info = scenarios.remove(0);
                    info.id = format!("{}-{n}", info.id);
                    infos.push(info);
                }
                Event::RunFinished { .. } => {}
                _ => {
                    line.scenario = format!("{}-{n}", line.scenario);
                    body.push(line);
                }
            }
        }
    }
    let whole = |event| Line { at: MS(1), cluster: String::new(), scenario: String::new(), event };
    let mut lines = vec![whole(Event::RunStarted {
        schema: SCHEMA,
        version: "0.1.0".to_owned(),
        seed: 7,
        clusters: vec!["embedded".to_owned()],
        scenarios: infos,
        suite: None,
    })];
    lines.push(whole(Event::Diagnosed { diagnostics: vec![warning()] }));
    lines.extend(body);
    let counts = Counts { passed: 2, failed: 2, errored: 2, skipped: 1 };
    lines.push(whole(Event::RunFinished { counts, exit_code: 1, took: MS(2_330) }));
    lines
}

fn warning() -> Diagnostic {
    Diagnostic {
        severity: Severity::Warning,
        code: "replaces-policy".to_owned(),
        message: "`prod/db-policy` replaces the policy of the same name".to_owned(),
        origin: origin(4),
        excerpt: Some(Excerpt { line: "  name: db-policy".to_owned(), width: 9 }),
        help: Some("give it a name of its own".to_owned()),
    }
}
