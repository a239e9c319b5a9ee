//! What becomes of connections that are there when something changes.

use serde_json::{Value, json};

use super::folder::{Decided, Special, Step, allowed, apply, denied, pods, policy, rule, tested};
use super::rules::cell;
use super::watched::{DIRECTIONS, HELD, Setting, watch};
use crate::catalogue::axis::Path;
use crate::catalogue::case::{Level, Reason};
use crate::catalogue::feature::Feature;
use crate::catalogue::topic::Topic;
use crate::model::Direction;

/// Every case of this file.
pub(super) fn cases() -> Vec<Special> {
    let mut cases = Vec::new();
    for direction in DIRECTIONS {
        for protocol in HELD {
            let setting = Setting::new(direction, protocol);
            for path in [Path::OtherNode, Path::SameNode] {
                cases.push(new_deny(Setting { path, ..setting }));
            }
            cases.extend([
                rule_withdrawn(setting),
                peer_relabelled(setting),
                policy_lifted(setting),
                allowed_by_another_rule(setting),
                policy_elsewhere(setting),
                label_elsewhere(setting),
                pod_elsewhere(setting),
            ]);
        }
    }
    cases
}

fn special(
    topic: Topic,
    setting: Setting,
    level: Level,
    sentence: &str,
    policies: Vec<Value>,
    steps: Vec<Step>,
) -> Special {
    let Setting { direction, protocol, path } = setting;
    let variant =
        vec![Feature::Direction(direction), Feature::Protocol(protocol), Feature::Path(path)];
    let (sentence, topology) = (sentence.to_owned(), setting.town(true));
    Special { topic, variant, level, sentence, topology, policies, steps }
}

/// `x/tested` lets one peer in or out.
fn one_peer(setting: Setting, app: &str) -> Value {
    let direction = setting.direction;
    tested("a", &[direction], &[(direction, json!([rule(direction, pods(app), None)]))])
}

/// The cell between the target and a peer.
fn with(setting: Setting, peer: &str) -> String {
    cell(setting.direction, peer, 80, setting.protocol)
}

fn let_through(setting: Setting, peer: &str) -> Decided {
    allowed(with(setting, peer), setting.direction, 0)
}

fn kept_out(setting: Setting, peer: &str) -> Decided {
    denied(with(setting, peer), setting.direction, Some(0), Reason::Peer)
}

fn new_deny(setting: Setting) -> Special {
    let step = Step {
        name: "the pod is shut",
        actions: vec![
            apply(&[0]),
            watch(&[setting.rule("any", "x/b")], &[setting.rule("any", "x/b")]),
        ],
        expect: setting.expect(&[]),
        deciding: vec![denied(with(setting, "x/b"), setting.direction, None, Reason::NoRule)],
    };
    special(
        Topic::NewDeny,
        setting,
        Level::Undefined,
        "A connection is there when a policy comes that denies it.",
        vec![tested("a", &[setting.direction], &[])],
        vec![step],
    )
}

fn rule_withdrawn(setting: Setting) -> Special {
    let step = Step {
        name: "another peer is let through in its place",
        actions: vec![
            apply(&[1]),
            watch(
                &[setting.rule("any", "x/b")],
                &[setting.rule("any", "x/b"), setting.rule("any", "x/c")],
            ),
        ],
        expect: setting.expect(&["x/c"]),
        deciding: vec![kept_out(setting, "x/b"), let_through(setting, "x/c")],
    };
    special(
        Topic::RuleWithdrawn,
        setting,
        Level::Undefined,
        "A connection is there when the rule goes that allows it.",
        vec![one_peer(setting, "b"), one_peer(setting, "c")],
        vec![setting.first(&["x/b"]), step],
    )
}

fn peer_relabelled(setting: Setting) -> Special {
    let step = Step {
        name: "the peer gets another label",
        actions: vec![
            "label: { x/b: { app: other } }".to_owned(),
            watch(&[setting.rule("any", "x/b")], &[setting.rule("deny", "x/c")]),
        ],
        expect: setting.expect(&[]),
        deciding: vec![kept_out(setting, "x/b")],
    };
    special(
        Topic::ConnectedPeerRelabelled,
        setting,
        Level::Undefined,
        "A connection is there when its peer loses the label by which it is allowed.",
        vec![one_peer(setting, "b")],
        vec![setting.first(&["x/b"]), step],
    )
}

fn policy_lifted(setting: Setting) -> Special {
    let mut first = setting.first(&["x/b"]);
    first.deciding = vec![let_through(setting, "x/b"), kept_out(setting, "x/c")];
    let allow = setting.rule("allow", "x/b");
    let step = Step {
        name: "the policy is deleted",
        actions: vec![
            "delete: [x/tested]".to_owned(),
            watch(&[allow.clone()], &[allow, setting.rule("any", "x/c")]),
        ],
        expect: vec!["allow * -> *".to_owned()],
        deciding: Vec::new(),
    };
    special(
        Topic::PolicyLifted,
        setting,
        Level::Must,
        "A connection survives that the policy allowed which goes.",
        vec![one_peer(setting, "b")],
        vec![first, step],
    )
}

fn allowed_by_another_rule(setting: Setting) -> Special {
    let direction = setting.direction;
    let every = json!([{ "podSelector": {} }]);
    let wider = tested("a", &[direction], &[(direction, json!([rule(direction, every, None)]))]);
    let allow = setting.rule("allow", "x/b");
    let step = Step {
        name: "every pod of the namespace is let through",
        actions: vec![
            apply(&[1]),
            watch(
                &[allow.clone()],
                &[allow, setting.rule("any", "x/c"), setting.rule("deny", "y/*")],
            ),
        ],
        expect: setting.expect(&["x/*"]),
        deciding: vec![let_through(setting, "x/b"), kept_out(setting, "y/d")],
    };
    special(
        Topic::AllowedByAnotherRule,
        setting,
        Level::Must,
        "A connection survives that another rule allows in place of the first.",
        vec![one_peer(setting, "b"), wider],
        vec![setting.first(&["x/b"]), step],
    )
}

/// A change that is about neither end.
fn unrelated(
    topic: Topic,
    setting: Setting,
    sentence: &str,
    change: String,
    elsewhere: Option<(Value, &str)>,
) -> Special {
    let allow = setting.rule("allow", "x/b");
    let mut expect = setting.expect(&["x/b"]);
    let mut policies = vec![one_peer(setting, "b")];
    if let Some((policy, rule)) = elsewhere {
        policies.push(policy);
        expect.insert(2, rule.to_owned());
    }
    let step = Step {
        name: "something changes elsewhere",
        actions: vec![change, watch(&[allow.clone()], &[allow, setting.rule("deny", "x/c")])],
        expect,
        deciding: vec![let_through(setting, "x/b"), kept_out(setting, "x/c")],
    };
    let steps = vec![setting.first(&["x/b"]), step];
    special(topic, setting, Level::Must, sentence, policies, steps)
}

fn policy_elsewhere(setting: Setting) -> Special {
    let selector = json!({ "matchLabels": { "app": "d" } });
    let other = policy("y", "other", selector, &[Direction::Ingress], &[]);
    unrelated(
        Topic::PolicyElsewhere,
        setting,
        "A policy for other pods leaves a connection alone.",
        apply(&[1]),
        Some((other, "deny * -> y/d")),
    )
}

fn label_elsewhere(setting: Setting) -> Special {
    unrelated(
        Topic::LabelElsewhere,
        setting,
        "Labels of other pods and namespaces leave a connection alone.",
        "label: { y/d: { tier: front }, namespace/y: { team: blue } }".to_owned(),
        None,
    )
}

fn pod_elsewhere(setting: Setting) -> Special {
    let port = setting.port();
    unrelated(
        Topic::PodElsewhere,
        setting,
        "A pod that comes elsewhere leaves a connection alone.",
        format!(
            "add: {{ namespaces: {{ \"y\": {{ pods: {{ f: {{ labels: {{ app: f }}, ports: [{port}], node: node-1 }} }} }} }} }}"
        ),
        None,
    )
}
