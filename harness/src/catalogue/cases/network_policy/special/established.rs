//! What becomes of connections that are there when something changes.

use serde_json::{Value, json};

use super::parts::{denied, policy, rule, tested};
use super::watched::{DIRECTIONS, HELD, Setting, watch};
use crate::catalogue::axis::Path;
use crate::catalogue::case::{Level, Reason};
use crate::catalogue::cases::written::{Special, Step, apply};
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

fn new_deny(setting: Setting) -> Special {
    let step = Step {
        name: "the pod is shut",
        actions: vec![
            apply(&[0]),
            watch(&[setting.rule("any", "x/b")], &[setting.rule("any", "x/b")]),
        ],
        expect: setting.expect(&[]),
        deciding: vec![denied(setting.cell("x/b"), setting.direction, None, Reason::NoRule)],
    };
    setting.special(
        Topic::NewDeny,
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
        deciding: vec![setting.kept_out("x/b"), setting.let_through("x/c")],
    };
    setting.special(
        Topic::RuleWithdrawn,
        Level::Undefined,
        "A connection is there when the rule goes that allows it.",
        vec![setting.one_peer("b"), setting.one_peer("c")],
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
        deciding: vec![setting.kept_out("x/b")],
    };
    setting.special(
        Topic::ConnectedPeerRelabelled,
        Level::Undefined,
        "A connection is there when its peer loses the label by which it is allowed.",
        vec![setting.one_peer("b")],
        vec![setting.first(&["x/b"]), step],
    )
}

fn policy_lifted(setting: Setting) -> Special {
    let mut first = setting.first(&["x/b"]);
    first.deciding = vec![setting.let_through("x/b"), setting.kept_out("x/c")];
    let allow = setting.rule("allow", "x/b");
    let step = Step {
        name: "the policy is deleted",
        actions: vec![
            "delete: [x/tested]".to_owned(),
            watch(std::slice::from_ref(&allow), &[allow.clone(), setting.rule("any", "x/c")]),
        ],
        expect: vec!["allow * -> *".to_owned()],
        deciding: Vec::new(),
    };
    setting.special(
        Topic::PolicyLifted,
        Level::Must,
        "A connection survives that the policy allowed which goes.",
        vec![setting.one_peer("b")],
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
                std::slice::from_ref(&allow),
                &[allow.clone(), setting.rule("any", "x/c"), setting.rule("deny", "y/*")],
            ),
        ],
        expect: setting.expect(&["x/*"]),
        deciding: vec![setting.let_through("x/b"), setting.kept_out("y/d")],
    };
    setting.special(
        Topic::AllowedByAnotherRule,
        Level::Must,
        "A connection survives that another rule allows in place of the first.",
        vec![setting.one_peer("b"), wider],
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
    let mut policies = vec![setting.one_peer("b")];
    if let Some((policy, rule)) = elsewhere {
        policies.push(policy);
        expect.insert(2, rule.to_owned());
    }
    let step = Step {
        name: "something changes elsewhere",
        actions: vec![
            change,
            watch(std::slice::from_ref(&allow), &[allow.clone(), setting.rule("deny", "x/c")]),
        ],
        expect,
        deciding: vec![setting.let_through("x/b"), setting.kept_out("x/c")],
    };
    let steps = vec![setting.first(&["x/b"]), step];
    setting.special(topic, Level::Must, sentence, policies, steps)
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
