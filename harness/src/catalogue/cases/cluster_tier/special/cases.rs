//! What policies of the cluster mean where no axis says it.

use serde_json::{Value, json};

use super::parts::{TWO, decided, heading, named, policy, rule, team};
use crate::catalogue::case::{Decider, Level, Reason};
use crate::catalogue::cases::written::{Decided, Special, Step, apply};
use crate::catalogue::cluster_tier::{Action, Api, Feature, Tier, Topic};
use crate::model::{Direction, Intent};

const INGRESS: Direction = Direction::Ingress;
const EGRESS: Direction = Direction::Egress;
const APIS: [Api; 2] = [Api::V1alpha2, Api::V1alpha1];
const IN: &str = "y/b -> x/a:80/TCP";
const OUT: &str = "x/a -> y/b:80/TCP";

/// Every case of this file.
pub(super) fn cases() -> Vec<Special> {
    let mut cases = vec![mixed_versions()];
    for api in APIS {
        for tier in [Tier::Admin, Tier::Baseline] {
            cases.extend([no_rules(api, tier), last_policy_deleted(api, tier)]);
        }
        cases.extend([INGRESS, EGRESS].map(|direction| most_rules(api, direction)));
        cases.extend([both_ends_decide(api), replies(api), itself(api), domain_names(api)]);
        cases.extend([equal_apart(api), equal_disagree(api)]);
    }
    cases
}

const fn cell(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => IN,
        Direction::Egress => OUT,
    }
}

/// An expectation about the two pods, without the port.
fn expect(intent: Intent, cell: &str) -> String {
    format!("{intent} {}", cell.trim_end_matches(":80/TCP"))
}

fn open() -> String {
    "allow * -> *".to_owned()
}

fn step(name: &'static str, actions: Vec<String>, expect: Vec<String>) -> Step {
    Step { name, actions, expect, deciding: Vec::new() }
}

fn no_rules(api: Api, tier: Tier) -> Special {
    let of = |direction| {
        let how = (Intent::Allow, Reason::NoRule);
        decided((api, tier), cell(direction), how, (direction, None))
    };
    Special {
        heading: heading(Topic::NoRules, api, &[Feature::Tier(tier)], Level::Must),
        sentence: "A policy of the cluster without rules isolates nobody.".to_owned(),
        topology: TWO.to_owned(),
        policies: vec![policy((api, tier), ("tested", 50), "red", INGRESS, &[])],
        steps: vec![Step {
            deciding: vec![of(INGRESS), of(EGRESS)],
            ..step("the policy has no rules", vec![apply(&[0])], vec![open()])
        }],
    }
}

fn last_policy_deleted(api: Api, tier: Tier) -> Special {
    let rules = [rule(api, INGRESS, Action::Deny, team("blue"))];
    let how = (Intent::Deny, Reason::Rule);
    Special {
        heading: heading(Topic::LastPolicyDeleted, api, &[Feature::Tier(tier)], Level::Must),
        sentence: "Once the one policy is deleted, everything is open again.".to_owned(),
        topology: TWO.to_owned(),
        policies: vec![policy((api, tier), ("tested", 50), "red", INGRESS, &rules)],
        steps: vec![
            Step {
                deciding: vec![decided((api, tier), IN, how, (INGRESS, Some(0)))],
                ..step(
                    "the policy denies",
                    vec![apply(&[0])],
                    vec![expect(Intent::Deny, IN), open()],
                )
            },
            step(
                "the policy is deleted",
                vec![format!("delete: [{}]", named(api, tier, "tested"))],
                vec![open()],
            ),
        ],
    }
}

/// One port as a rule names it.
fn port(api: Api, number: usize) -> (&'static str, Value) {
    match api {
        Api::V1alpha1 => {
            ("ports", json!([{ "portNumber": { "protocol": "TCP", "port": number } }]))
        }
        _ => ("protocols", json!([{ "tcp": { "destinationPort": { "number": number } } }])),
    }
}

fn most_rules(api: Api, direction: Direction) -> Special {
    // "A maximum of 25 rules is allowed in this block", and of 100 in `v1alpha1`.
    let most = if api == Api::V1alpha1 { 100 } else { 25 };
    let mut rules: Vec<Value> = (1..most)
        .map(|number| {
            let mut rule = rule(api, direction, Action::Accept, team("blue"));
            let (field, ports) = port(api, 1000 + number);
            rule[field] = ports;
            rule
        })
        .collect();
    rules.push(rule(api, direction, Action::Deny, team("blue")));
    let (how, at) = ((Intent::Deny, Reason::Rule), (direction, Some(most - 1)));
    Special {
        heading: heading(Topic::MostRules, api, &[Feature::Direction(direction)], Level::Must),
        sentence: format!("Of {most} rules, as many as there may be, the last one counts too."),
        topology: TWO.to_owned(),
        policies: vec![policy((api, Tier::Admin), ("tested", 50), "red", direction, &rules)],
        steps: vec![Step {
            deciding: vec![decided((api, Tier::Admin), cell(direction), how, at)],
            ..step(
                "the last rule denies",
                vec![apply(&[0])],
                vec![expect(Intent::Deny, cell(direction)), open()],
            )
        }],
    }
}

fn both_ends_decide(api: Api) -> Special {
    let sends = [rule(api, EGRESS, Action::Accept, team("blue"))];
    let receives = [rule(api, INGRESS, Action::Deny, team("red"))];
    let admin = (api, Tier::Admin);
    let how = (Intent::Deny, Reason::Rule);
    Special {
        heading: heading(Topic::BothEndsDecide, api, &[], Level::Must),
        sentence:
            "What one end may send by a policy of higher precedence, the other may still refuse."
                .to_owned(),
        topology: TWO.to_owned(),
        policies: vec![
            policy(admin, ("tested", 50), "blue", INGRESS, &receives),
            policy(admin, ("sends", 10), "red", EGRESS, &sends),
        ],
        steps: vec![Step {
            deciding: vec![decided(admin, OUT, how, (INGRESS, Some(0)))],
            ..step(
                "one end accepts and the other denies",
                vec![apply(&[0, 1])],
                vec![expect(Intent::Deny, OUT), open()],
            )
        }],
    }
}

fn replies(api: Api) -> Special {
    let rules = [rule(api, EGRESS, Action::Deny, json!({ "namespaces": {} }))];
    let admin = (api, Tier::Admin);
    Special {
        heading: heading(Topic::RepliesOfDenied, api, &[], Level::Must),
        sentence: "A pod that may open no connection answers those that reach it.".to_owned(),
        topology: TWO.to_owned(),
        policies: vec![policy(admin, ("tested", 50), "red", EGRESS, &rules)],
        steps: vec![Step {
            deciding: vec![
                decided(admin, OUT, (Intent::Deny, Reason::Rule), (EGRESS, Some(0))),
                decided(admin, IN, (Intent::Allow, Reason::Types), (INGRESS, Some(0))),
            ],
            ..step(
                "the pod may open no connection",
                vec![apply(&[0])],
                vec![expect(Intent::Deny, OUT), open()],
            )
        }],
    }
}

fn itself(api: Api) -> Special {
    const ITSELF: &str = "x/a -> x/a:80/TCP";
    let rules = [rule(api, INGRESS, Action::Deny, json!({ "namespaces": {} }))];
    let admin = (api, Tier::Admin);
    let first = api == Api::V1alpha1;
    let how = if first { (Intent::Any, Reason::Open) } else { (Intent::Allow, Reason::Itself) };
    let sentence = if first {
        "Whether a pod reaches itself under a policy that shuts it, `v1alpha1` does not say."
    } else {
        "A pod reaches its own address under a policy that shuts it."
    };
    Special {
        heading: heading(
            Topic::Itself,
            api,
            &[],
            if first { Level::Undefined } else { Level::Must },
        ),
        sentence: sentence.to_owned(),
        topology: TWO.to_owned(),
        policies: vec![policy(admin, ("tested", 50), "red", INGRESS, &rules)],
        steps: vec![Step {
            deciding: vec![decided(admin, ITSELF, how, (INGRESS, Some(0)))],
            ..step(
                "the pod is shut to every pod",
                vec![apply(&[0])],
                vec![expect(how.0, ITSELF), expect(Intent::Deny, IN), open()],
            )
        }],
    }
}

fn domain_names(api: Api) -> Special {
    let everywhere = json!({ "networks": ["0.0.0.0/0", "::/0"] });
    let rules = [
        rule(api, EGRESS, Action::Accept, json!({ "domainNames": ["www.example.com"] })),
        rule(api, EGRESS, Action::Deny, everywhere),
    ];
    let admin = (api, Tier::Admin);
    let how = (Intent::Deny, Reason::Rule);
    Special {
        heading: heading(Topic::DomainNames, api, &[], Level::MustIfDeclared),
        sentence: "Pods reach hosts by their domain names and nobody else.".to_owned(),
        topology: TWO.to_owned(),
        policies: vec![policy(admin, ("tested", 50), "red", EGRESS, &rules)],
        steps: vec![Step {
            deciding: vec![decided(admin, OUT, how, (EGRESS, Some(1)))],
            ..step(
                "all but one domain is denied",
                vec![apply(&[0])],
                vec![expect(Intent::Deny, OUT), open()],
            )
        }],
    }
}

/// A third namespace, `z` with a pod `c`.
fn three() -> String {
    format!(
        "{TWO}  z:\n    labels: {{ team: green }}\n    pods:\n      c: {{ labels: {{ app: c }}, node: node-2 }}\n"
    )
}

fn equal_apart(api: Api) -> Special {
    let blue = [rule(api, INGRESS, Action::Deny, team("blue"))];
    let green = [rule(api, INGRESS, Action::Accept, team("green"))];
    let below = [rule(api, INGRESS, Action::Deny, json!({ "namespaces": {} }))];
    let admin = (api, Tier::Admin);
    let of_other = Decided {
        policy: Decider::ClusterPolicy(named(api, Tier::Admin, "other")),
        ..decided(admin, "z/c -> x/a:80/TCP", (Intent::Allow, Reason::Rule), (INGRESS, Some(0)))
    };
    let blue_last = [rule(api, INGRESS, Action::Accept, team("blue")), below[0].clone()];
    Special {
        heading: heading(Topic::EqualPrioritiesApart, api, &[], Level::Must),
        sentence: "Policies of equal priority that are about different peers both count."
            .to_owned(),
        topology: three(),
        policies: vec![
            policy(admin, ("tested", 50), "red", INGRESS, &blue),
            policy(admin, ("other", 50), "red", INGRESS, &green),
            policy(admin, ("below", 60), "red", INGRESS, &blue_last),
        ],
        steps: vec![Step {
            deciding: vec![
                decided(admin, IN, (Intent::Deny, Reason::Rule), (INGRESS, Some(0))),
                of_other,
            ],
            ..step(
                "each is about other peers",
                vec![apply(&[0, 1, 2])],
                vec![expect(Intent::Deny, IN), open()],
            )
        }],
    }
}

/// Two policies of which one denies what the other accepts, each by its version and priority:
/// the API does not say which one decides.
fn disagree(
    topic: Topic,
    sentence: &str,
    (api, priority): (Api, u16),
    (other, of_other): (Api, u16),
) -> Special {
    let deny = [rule(api, INGRESS, Action::Deny, team("blue"))];
    let accept = [rule(other, INGRESS, Action::Accept, team("blue"))];
    let (admin, how) = ((api, Tier::Admin), (Intent::Any, Reason::Open));
    Special {
        heading: heading(topic, api, &[], Level::Undefined),
        sentence: sentence.to_owned(),
        topology: TWO.to_owned(),
        policies: vec![
            policy(admin, ("tested", priority), "red", INGRESS, &deny),
            policy((other, Tier::Admin), ("other", of_other), "red", INGRESS, &accept),
        ],
        steps: vec![Step {
            deciding: vec![decided(admin, IN, how, (INGRESS, Some(0)))],
            ..step(
                "one denies what the other accepts",
                vec![apply(&[0, 1])],
                vec![expect(Intent::Any, IN), open()],
            )
        }],
    }
}

fn equal_disagree(api: Api) -> Special {
    disagree(
        Topic::EqualPrioritiesDisagree,
        "Which of two policies of equal priority decides is each implementation's choice.",
        (api, 50),
        (api, 50),
    )
}

fn mixed_versions() -> Special {
    disagree(
        Topic::MixedVersions,
        "Which of two policies of different versions decides is each implementation's choice.",
        (Api::V1alpha2, 50),
        (Api::V1alpha1, 40),
    )
}
