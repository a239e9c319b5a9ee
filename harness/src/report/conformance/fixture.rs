//! A record of cases made by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::catalogue::{Kind, Level, Reason};
use crate::cluster::{Dataplane, Feature, Known, Seen, Sighting};
use crate::model::{Family, Verdict};
use crate::report::fixture;
use crate::run::{
    ApiText, CaseInfo, Counts, DecidingCell, Event, Finding, Line, SCHEMA, ScenarioInfo, SuiteInfo,
};

const BLOCK: (&str, &str) =
    ("The except entry describes CIDRs that should not be included within this rule.", "IPBlock");
const PROTOCOL: (&str, &str) = (
    "protocol represents the protocol (TCP, UDP, or SCTP) which traffic must match.",
    "NetworkPolicyPort.protocol",
);
const TIER: (&str, &str) = (
    "Policy tiers are evaluated in the following order: Admin tier, NetworkPolicy tier, Baseline tier.",
    "ClusterNetworkPolicySpec.tier",
);

fn text((text, source): (&str, &str)) -> ApiText {
    ApiText { text: text.to_owned(), source: source.to_owned() }
}

/// A case with nothing that decides it alone.
fn case(profile: &str, level: Level, features: &[&str], api: (&str, &str)) -> CaseInfo {
    CaseInfo {
        level,
        kind: Kind::Matrix,
        profile: profile.to_owned(),
        features: features.iter().map(|feature| (*feature).to_owned()).collect(),
        needs: vec![],
        api: text(api),
        deciding: vec![],
    }
}

/// A cell of the fixtures that one thing decides.
fn decided(source: &str, family: Family, by: Reason, api: Option<(&str, &str)>) -> DecidingCell {
    let cell = fixture::cell(source, "prod/db", 3306, family);
    DecidingCell { step: 0, cell, by, api: api.map(text) }
}

/// What the API leaves open, of a case about that.
fn chosen() -> Vec<Line> {
    let mut lines = fixture::known_faults();
    for line in &mut lines {
        if let Event::StepJudged { cells, .. } = &mut line.event {
            cells.retain(|cell| matches!(cell.specified.verdict, Verdict::Undefined(_)));
            cells.iter_mut().for_each(|cell| cell.finding = Finding::Choice);
        }
    }
    lines
}

/// Every kind of end, of cases about two APIs.
pub(crate) fn cases() -> Vec<Line> {
    let policy = "NetworkPolicy";
    let except = |features: &[&str], api| CaseInfo {
        deciding: vec![
            decided("prod/api", Family::Ipv6, Reason::Rule, None),
            decided("prod/web", Family::Ipv6, Reason::Peer, api),
        ],
        ..case(policy, Level::Must, features, BLOCK)
    };
    let open = chosen().into_iter().find_map(|line| match line.event {
        Event::StepJudged { cells, .. } => Some(cells[0].cell.clone()),
        _ => None,
    });
    let needs = |parts: &[&str], info: CaseInfo| CaseInfo {
        needs: parts.iter().map(|part| (*part).to_owned()).collect(),
        ..info
    };
    let tier =
        |features: &[&str]| case("ClusterNetworkPolicy", Level::MustIfDeclared, features, TIER);
    let all = [
        (
            "ingress/plain",
            fixture::passing(),
            case(policy, Level::Must, &["direction=ingress"], BLOCK),
        ),
        (
            "ingress/peer=except,port=name",
            fixture::enforcement_fault(),
            except(&["direction=ingress", "peer=except", "port=name"], None),
        ),
        (
            "ingress/peer=except",
            fixture::enforcement_fault(),
            except(&["direction=ingress", "peer=except"], None),
        ),
        (
            "ingress/peer=except,protocol=udp,change=replace",
            fixture::enforcement_fault(),
            except(&["direction=ingress", "peer=except", "protocol=udp"], Some(PROTOCOL)),
        ),
        (
            "ingress/protocol=sctp",
            fixture::skipped(),
            needs(&["sctp"], case(policy, Level::MustIfDeclared, &["protocol=sctp"], PROTOCOL)),
        ),
        (
            "ingress/change=replace",
            fixture::errored(),
            case(policy, Level::Must, &["change=replace"], BLOCK),
        ),
        (
            "special/ip-block-on-pod",
            chosen(),
            CaseInfo {
                deciding: open
                    .map(|cell| DecidingCell { step: 0, cell, by: Reason::Open, api: None })
                    .into_iter()
                    .collect(),
                ..case(policy, Level::Undefined, &["topic=ip-block-on-pod"], BLOCK)
            },
        ),
        (
            "special/window",
            fixture::passing(),
            case(policy, Level::Timing, &["topic=window"], BLOCK),
        ),
        ("tier/order", fixture::passing(), tier(&["tier=admin"])),
        (
            "tier/port=name",
            fixture::passing(),
            needs(&["cluster-tier-named-ports"], tier(&["tier=admin", "port=name"])),
        ),
        (
            "tier/peer=nodes",
            fixture::skipped(),
            needs(&["cluster-tier-node-peers"], tier(&["tier=admin", "peer=nodes"])),
        ),
    ];
    whole(all.into_iter().collect())
}

/// One run of several cases.
fn whole(all: Vec<(&str, Vec<Line>, CaseInfo)>) -> Vec<Line> {
    let mut infos = Vec::new();
    let mut body = Vec::new();
    for (id, lines, case) in all {
        for mut line in lines {
            match &mut line.event {
                Event::RunStarted { scenarios, .. } => infos.push(ScenarioInfo {
                    id: id.to_owned(),
                    digest: "d".to_owned(),
                    case: Some(Box::new(case.clone())),
                    ..scenarios.remove(0)
                }),
                Event::RunFinished { .. } => {}
                event => {
                    if let Event::Deployed { capabilities, .. } = event {
                        capabilities.name = "kubeconfig v1.36.2".to_owned();
                        capabilities.missing =
                            vec!["no SCTP: the kernel has no sockets".to_owned()];
                        *capabilities.dataplane = dataplane();
                    }
                    line.scenario = id.to_owned();
                    line.cluster = "kubeconfig:lab 1".to_owned();
                    body.push(line);
                }
            }
        }
    }
    let line = |event| Line {
        at: Duration::from_millis(1),
        cluster: String::new(),
        scenario: String::new(),
        event,
    };
    let known = infos.iter().map(|info| (info.id.as_str(), info.digest.as_str()));
    let suite = Some(SuiteInfo::new(known, String::new(), None, BTreeMap::new()));
    let clusters = vec!["kubeconfig:lab 1".to_owned()];
    let (schema, version, seed) = (SCHEMA, "0.1.0".to_owned(), 7);
    let start = Event::RunStarted { schema, version, seed, clusters, scenarios: infos, suite };
    let counts = Counts { passed: 5, failed: 3, errored: 1, skipped: 2 };
    let end = Event::RunFinished { counts, exit_code: 1, took: Duration::from_secs(61) };
    std::iter::once(line(start)).chain(body).chain([line(end)]).collect()
}

fn dataplane() -> Dataplane {
    let known = |id: &str, scenario: &str, cells: &str, outcome| Known {
        id: id.to_owned(),
        feature: "ip-block".to_owned(),
        what: "what is excepted is let in".to_owned(),
        seen: vec![Sighting { scenario: scenario.to_owned(), cells: cells.to_owned(), outcome }],
        link: format!("https://example.org/{id}"),
    };
    Dataplane {
        name: "calico v3".to_owned(),
        declares: [Feature::ClusterNetworkPolicies, Feature::ClusterTierNamedPorts].into(),
        deviations: vec![
            known("except", "ingress/peer=except", "prod/web -> prod/db over ipv6", Seen::Allow),
            known("gone", "ingress/plain", "prod/api -> prod/db:3306", Seen::Deny),
        ],
        choices: vec![known("other", "special/ip-block-on-pod", "* -> *", Seen::Allow)],
        ..Dataplane::default()
    }
}
