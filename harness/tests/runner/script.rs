//! Small scenarios, written down in a line or two.

use std::sync::{Arc, Mutex};

use ringfence::cluster::Cluster;
use ringfence::model::{
    Change, Intent, LabelSelector, Labels, Namespace, NetworkPolicy, Origin, Phase, Pod, PodName,
    PolicyName, PolicyType, Port, Protocol, Topology,
};
use ringfence::run::{
    CellJudgement, Event, EventSink, Finding, Line, Settings, Status, StepTiming, Stop,
    run_scenario,
};
use ringfence::scenario::{EndpointPattern, ExpectRule, Scenario, Step, Watching};

pub(crate) const X_TO_Y: &str = "a/x -> a/y:80/TCP over ipv4";
pub(crate) const Y_TO_X: &str = "a/y -> a/x:80/TCP over ipv4";

pub(crate) fn origin() -> Origin {
    Origin::synthetic("test")
}

/// A pod of namespace `a` that listens on port 80, labelled `app: NAME`.
pub(crate) fn pod(name: &str, protocols: &[Protocol]) -> Pod {
    let port = |protocol: &Protocol| Port { name: None, number: 80, protocol: *protocol };
    Pod {
        name: PodName::new("a", name),
        labels: Labels::from([("app".into(), name.into())]),
        ports: protocols.iter().map(port).collect(),
        node: None,
        addresses: vec![],
        host_network: false,
        phase: Phase::Running,
        terminating: false,
        origin: origin(),
    }
}

pub(crate) fn add(name: &str) -> Change {
    Change::AddPod(pod(name, &[Protocol::Tcp]))
}

pub(crate) fn remove(name: &str) -> Change {
    Change::RemovePod(PodName::new("a", name))
}

/// Applies a policy without rules that isolates a pod for ingress.
pub(crate) fn fence(name: &str) -> Change {
    fence_with(name, PolicyType::Ingress)
}

pub(crate) fn fence_with(name: &str, direction: PolicyType) -> Change {
    Change::ApplyPolicy(Arc::new(NetworkPolicy {
        name: PolicyName::new("a", name),
        pod_selector: LabelSelector::label("app", name),
        policy_types: Some(vec![direction]),
        ingress: None,
        egress: None,
        origin: origin(),
        manifest: serde_json::json!({}),
    }))
}

pub(crate) fn unfence(name: &str) -> Change {
    Change::DeletePolicy(PolicyName::new("a", name))
}

fn end(text: &str) -> EndpointPattern {
    match text {
        "*" => EndpointPattern::Any,
        pod => EndpointPattern::Pod(PodName::new("a", pod)),
    }
}

/// `deny * -> y`, where a bare name is a pod of namespace `a`.
pub(crate) fn rule(text: &str) -> ExpectRule {
    let words: Vec<&str> = text.split(' ').collect();
    ExpectRule {
        text: text.into(),
        intent: match words[0] {
            "allow" => Intent::Allow,
            "deny" => Intent::Deny,
            _ => Intent::Any,
        },
        source: end(words[1]),
        destination: end(words[3]),
        port: None,
        via: None,
        family: None,
        origin: origin(),
    }
}

pub(crate) fn step(changes: Vec<Change>, expect: &[&str]) -> Step {
    Step {
        name: format!("expects {}", expect.join(", ")),
        changes,
        bindings: vec![],
        expect: expect.iter().map(|text| rule(text)).collect(),
        faults: vec![],
        rejected: vec![],
        watch: Watching::default(),
        origin: origin(),
    }
}

/// A step that is watched: what is held, and what is tried.
pub(crate) fn watched(step: Step, hold: &[&str], attempt: &[&str]) -> Step {
    let rules = |texts: &[&str]| texts.iter().map(|text| rule(text)).collect();
    Step { watch: Watching { hold: rules(hold), attempt: rules(attempt) }, ..step }
}

/// Namespace `a` with pods `x` and `y`.
pub(crate) fn scenario(steps: Vec<Step>) -> Scenario {
    with_protocols(&[Protocol::Tcp], steps)
}

pub(crate) fn with_protocols(protocols: &[Protocol], steps: Vec<Step>) -> Scenario {
    let namespace = Namespace::new("a", Labels::new(), origin());
    let pods = [pod("x", protocols), pod("y", protocols)];
    Scenario {
        id: "test".into(),
        folder: "test".into(),
        name: "test".into(),
        about: "A test.".into(),
        tags: vec![],
        nodes: 2,
        topology: Topology {
            namespaces: [(namespace.name.clone(), namespace)].into(),
            pods: pods.into_iter().map(|pod| (pod.name.clone(), pod)).collect(),
            ..Topology::default()
        },
        steps,
        unsupported: vec![],
        digest: String::new(),
        origin: origin(),
    }
}

/// `y` is fenced in the only step, as it should be.
pub(crate) fn fenced() -> Scenario {
    scenario(vec![step(vec![fence("y")], &["deny * -> y", "allow * -> *"])])
}

/// What a run told.
pub(crate) struct Told {
    pub(crate) status: Status,
    pub(crate) reason: Option<String>,
    pub(crate) events: Vec<Event>,
}

pub(crate) struct Judged {
    pub(crate) cells: Vec<CellJudgement>,
    pub(crate) timing: StepTiming,
    pub(crate) notes: Vec<String>,
}

impl Told {
    pub(crate) fn steps(&self) -> Vec<Judged> {
        let judged = self.events.iter().filter_map(|event| match event.clone() {
            Event::StepJudged { cells, timing, notes, .. } => Some(Judged { cells, timing, notes }),
            _ => None,
        });
        judged.collect()
    }

    /// The cells with this finding, as text, of all steps.
    pub(crate) fn found(&self, finding: Finding) -> Vec<String> {
        let cells = self.steps().into_iter().flat_map(|step| step.cells);
        cells.filter(|cell| cell.finding == finding).map(|cell| cell.cell.to_string()).collect()
    }

    /// The sentence about a cell in a step.
    pub(crate) fn why(&self, step: usize, cell: &str) -> String {
        let judged = &self.steps()[step];
        let found = judged.cells.iter().find(|judged| judged.cell.to_string() == cell);
        found.unwrap_or_else(|| panic!("no {cell}")).why.clone().unwrap_or_default()
    }
}

pub(crate) async fn run(scenario: &Scenario, cluster: &mut dyn Cluster) -> Told {
    run_with(scenario, cluster, &Settings::default(), &Stop::never()).await
}

pub(crate) async fn run_with(
    scenario: &Scenario,
    cluster: &mut dyn Cluster,
    settings: &Settings,
    stop: &Stop,
) -> Told {
    let lines: Arc<Mutex<Vec<Line>>> = Arc::default();
    let take = lines.clone();
    let sink = EventSink::new(move |line| take.lock().unwrap().push(line)).of("fake", "test");
    let status = run_scenario(scenario, cluster, settings, &sink, stop).await;
    let events: Vec<Event> = lines.lock().unwrap().drain(..).map(|line| line.event).collect();
    let Some(Event::ScenarioFinished { status: told, reason, .. }) = events.last().cloned() else {
        panic!("{:?}", events.last())
    };
    assert_eq!(status, told);
    assert!(matches!(events[0], Event::ScenarioStarted));
    Told { status, reason, events }
}
