//! What gets through while a pod starts, and while one policy takes the place of another.

use serde_json::{Value, json};

use super::parts::{denied, policy, rule, tested};
use super::watched::{DIRECTIONS, Setting, watch};
use crate::catalogue::axis::Path;
use crate::catalogue::case::{Level, Reason};
use crate::catalogue::cases::written::{Decided, Special, Step, apply};
use crate::catalogue::topic::Topic;
use crate::model::Protocol;

/// Every case of this file.
pub(super) fn cases() -> Vec<Special> {
    let mut cases = Vec::new();
    for direction in DIRECTIONS {
        for protocol in Protocol::ALL {
            let setting = Setting::new(direction, protocol);
            for path in [Path::OtherNode, Path::SameNode] {
                cases.push(isolated_start(Setting { path, ..setting }));
            }
            cases.extend([
                stranger_starts(setting),
                allowed_start(setting),
                policy_with_pod(setting),
                policy_replaced(setting),
                policy_turned(setting),
                policy_succeeded(setting),
                target_relabelled(setting),
            ]);
        }
    }
    cases
}

/// A policy for pods of a label that lets peers of others in or out.
fn lets(setting: Setting, name: &str, app: &str, peers: &[Value]) -> Value {
    let direction = setting.direction;
    let rules = json!([rule(direction, peers.iter().cloned().collect(), None)]);
    let selector = json!({ "matchLabels": { "app": app } });
    policy("x", name, selector, &[direction], &[(direction, rules)])
}

/// The peers of a label.
fn peer(app: &str) -> Value {
    json!({ "podSelector": { "matchLabels": { "app": app } } })
}

fn shut(setting: Setting, peer: &str) -> Decided {
    denied(setting.cell(peer), setting.direction, None, Reason::NoRule)
}

/// A first step in which the policy has no pod yet.
fn before_the_pod() -> Step {
    Step {
        name: "the policy is there before its pod",
        actions: vec![apply(&[0])],
        expect: vec!["allow * -> *".to_owned()],
        deciding: Vec::new(),
    }
}

fn isolated_start(setting: Setting) -> Special {
    let step = Step {
        name: "the pod comes",
        actions: vec![setting.add_target(), watch(&[], &[setting.rule("deny", "*")])],
        expect: setting.expect(&[]),
        deciding: vec![shut(setting, "x/b")],
    };
    setting.special(
        Topic::IsolatedStart,
        Level::Must,
        "A pod is isolated from its first instant by a policy that was there before.",
        vec![tested("a", &[setting.direction], &[])],
        vec![before_the_pod(), step],
    )
}

fn stranger_starts(setting: Setting) -> Special {
    let pod = setting.pod("g", false);
    let add = format!("add:\n  namespaces:\n    x:\n      pods:\n        {pod}\n");
    let step = Step {
        name: "a pod comes that is no peer",
        actions: vec![add, watch(&[], &[setting.rule("deny", "x/g")])],
        expect: setting.expect(&["x/b"]),
        deciding: vec![setting.kept_out("x/g"), setting.let_through("x/b")],
    };
    setting.special(
        Topic::StrangerStarts,
        Level::Must,
        "A pod that comes and is no peer is none from its first instant.",
        vec![setting.one_peer("b")],
        vec![setting.first(&["x/b"]), step],
    )
}

fn allowed_start(setting: Setting) -> Special {
    let rules = [setting.rule("any", "x/b"), setting.rule("deny", "x/c")];
    let step = Step {
        name: "the pod comes",
        actions: vec![setting.add_target(), watch(&[], &rules)],
        expect: setting.expect(&["x/b"]),
        deciding: vec![setting.let_through("x/b"), setting.kept_out("x/c")],
    };
    setting.special(
        Topic::AllowedStart,
        Level::Timing,
        "How late a pod that comes gets what it is allowed.",
        vec![setting.one_peer("b")],
        vec![before_the_pod(), step],
    )
}

fn policy_with_pod(setting: Setting) -> Special {
    let step = Step {
        name: "the pod and its policy come together",
        actions: vec![setting.add_target(), apply(&[0]), watch(&[], &[setting.rule("any", "*")])],
        expect: setting.expect(&[]),
        deciding: vec![shut(setting, "x/b")],
    };
    setting.special(
        Topic::PolicyWithPod,
        Level::Timing,
        "How long a pod is open that comes together with its policy.",
        vec![tested("a", &[setting.direction], &[])],
        vec![step],
    )
}

fn policy_replaced(setting: Setting) -> Special {
    let elsewhere = json!({
        "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "y" } },
    });
    let rules =
        [setting.rule("allow", "x/b"), setting.rule("deny", "x/c"), setting.rule("any", "y/*")];
    let step = Step {
        name: "another takes its place",
        actions: vec![apply(&[1]), watch(&[], &rules)],
        expect: setting.expect(&["x/b", "y/*"]),
        deciding: vec![setting.let_through("x/b"), setting.kept_out("x/c")],
    };
    setting.special(
        Topic::PolicyReplaced,
        Level::Must,
        "While a policy is replaced, nothing opens that both deny, and nothing closes that both allow.",
        vec![
            setting.one_peer("b"),
            lets(setting, "tested", "a", &[elsewhere, peer("b")]),
        ],
        vec![setting.first(&["x/b"]), step],
    )
}

fn policy_turned(setting: Setting) -> Special {
    let rules =
        [setting.rule("any", "x/b"), setting.rule("any", "x/c"), setting.rule("deny", "y/*")];
    let step = Step {
        name: "another takes its place",
        actions: vec![apply(&[1]), watch(&[], &rules)],
        expect: setting.expect(&["x/c"]),
        deciding: vec![setting.let_through("x/c"), setting.kept_out("x/b")],
    };
    setting.special(
        Topic::PolicyTurned,
        Level::Timing,
        "How soon a policy that is replaced closes what it closes and opens what it opens.",
        vec![setting.one_peer("b"), setting.one_peer("c")],
        vec![setting.first(&["x/b"]), step],
    )
}

fn policy_succeeded(setting: Setting) -> Special {
    let rules = [setting.rule("allow", "x/b"), setting.rule("deny", "x/c")];
    let step = |name, action| Step {
        name,
        actions: vec![action, watch(&[], &rules)],
        expect: setting.expect(&["x/b"]),
        deciding: Vec::new(),
    };
    let mut first = setting.first(&["x/b"]);
    first.deciding = vec![setting.let_through("x/b"), setting.kept_out("x/c")];
    let every = json!({ "podSelector": { "matchExpressions": [{ "key": "app", "operator": "In", "values": ["b", "z"] }] } });
    setting.special(
        Topic::PolicySucceeded,
        Level::Must,
        "While a policy comes beside another, which then goes, nothing opens that both deny, and nothing closes that both allow.",
        vec![setting.one_peer("b"), lets(setting, "successor", "a", &[every])],
        vec![
            first,
            step("another comes beside it", apply(&[1])),
            step("the first goes", "delete: [x/tested]".to_owned()),
        ],
    )
}

fn target_relabelled(setting: Setting) -> Special {
    let rules = [setting.rule("allow", "x/b"), setting.rule("deny", "x/c")];
    let mut first = setting.first(&["x/b"]);
    first.actions = vec![apply(&[0, 1])];
    first.deciding = vec![setting.let_through("x/b"), setting.kept_out("x/c")];
    let step = Step {
        name: "the pod gets the other policy's label",
        actions: vec!["label: { x/a: { app: z } }".to_owned(), watch(&[], &rules)],
        expect: setting.expect(&["x/b"]),
        deciding: Vec::new(),
    };
    setting.special(
        Topic::TargetRelabelled,
        Level::Must,
        "While another policy becomes a pod's own, nothing opens that both deny, and nothing closes that both allow.",
        vec![setting.one_peer("b"), lets(setting, "other", "z", &[peer("b")])],
        vec![first, step],
    )
}
