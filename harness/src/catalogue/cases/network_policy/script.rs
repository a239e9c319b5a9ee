//! The steps of a case: how what is tested comes into force.

use serde_json::json;

use crate::catalogue::axis::{Change, Stacking};
use crate::catalogue::feature::Combination;
use crate::catalogue::opening;
use crate::catalogue::policy::{Policy, Rule, TESTED};
use crate::catalogue::scene::Scene;
use crate::catalogue::selection::{End, Pods, like_target, third};
use crate::catalogue::town::{NEXT, OWN, Place, TARGET};
use crate::catalogue::writing::{self, Relabelled, Step};
use crate::model::Direction;

/// The policies beside the tested one.
pub(super) fn stacked(combination: &Combination) -> Vec<Policy> {
    let direction = combination.direction;
    let one = |namespace, name, selection, direction, rules| {
        Policy::new(("beside.yaml", namespace, name), selection, direction, rules)
    };
    let opposite = match direction {
        Direction::Ingress => Direction::Egress,
        Direction::Egress => Direction::Ingress,
    };
    let beside = match combination.stacking {
        Stacking::Alone => return Vec::new(),
        Stacking::Deny => one(OWN, "deny", (json!({}), Pods::Every), direction, None),
        Stacking::OtherRule => {
            let rule = Rule {
                peers: Some(vec![third()]),
                ports: Some(vec![opening::number(combination.protocol, 81)]),
            };
            one(OWN, "other-rule", like_target(), direction, Some(vec![rule]))
        }
        Stacking::OtherNamespace => one(NEXT, TESTED, like_target(), direction, None),
        Stacking::OtherDirection => one(OWN, "other-direction", like_target(), opposite, None),
    };
    vec![beside]
}

/// The steps that lead to what is in force at the end.
pub(super) fn steps(combination: &Combination, peer: End, last: &Scene) -> Vec<Step> {
    const IN_FORCE: &str = "the policy is in force";
    let files = |scene: &Scene| -> Vec<&'static str> {
        scene.policies.iter().map(|policy| policy.file).collect()
    };
    let first =
        |scene: Scene, name| Step { name, actions: vec![writing::apply(&files(&scene))], scene };
    let then = |name, actions| Step { name, actions, scene: last.clone() };
    let mut before = last.clone();
    let pair = match combination.change {
        Change::Create => return vec![first(before, IN_FORCE)],
        Change::Twice => {
            let again = vec![writing::apply(&["policy.yaml"])];
            (first(before, IN_FORCE), then("applied again, it means the same", again))
        }
        Change::Replace => {
            before.policies.retain(|policy| policy.file != "policy.yaml");
            before.policies.push(replaced(combination.direction));
            let replace = vec![writing::apply(&["policy.yaml"])];
            (
                first(before, "another policy of the same name is in force"),
                then("the tested one has replaced it", replace),
            )
        }
        Change::Delete => {
            before.policies.push(open(combination.direction));
            let delete = vec![format!("delete: [{OWN}/open]")];
            (
                first(before, "another policy allows everything"),
                then("that one is deleted, and the tested one is left", delete),
            )
        }
        Change::RelabelPeer => {
            let End::Pod((namespace, name)) = peer else { return vec![first(before, IN_FORCE)] };
            before.peers_swapped = Some(namespace);
            let exchange = [(namespace, name), (namespace, "c")].map(Relabelled::Peer);
            (
                first(before, "two pods wear each other's labels"),
                then("they have exchanged them", vec![writing::relabel(&exchange)]),
            )
        }
        Change::RelabelTarget => {
            before.targets_swapped = true;
            let exchange = [TARGET, (OWN, "b")].map(Relabelled::Target);
            (
                first(before, "the target and another pod wear each other's labels"),
                then("they have exchanged them", vec![writing::relabel(&exchange)]),
            )
        }
        Change::RelabelNamespace => {
            before.namespaces_swapped = true;
            let exchange = [OWN, NEXT].map(Relabelled::Namespace);
            (
                first(before, "two namespaces wear each other's labels"),
                then("they have exchanged them", vec![writing::relabel(&exchange)]),
            )
        }
        Change::AddPeer | Change::AddTarget => {
            let place = added(combination.change, peer);
            before.pods.remove(&place);
            let add = vec![writing::add_pods(last, &[place])];
            (first(before, "it is in force before the pod is there"), then("the pod comes", add))
        }
        Change::AddNamespace => {
            before.pods.retain(|place| place.0 != NEXT);
            // A policy cannot be in a namespace that is not there.
            let (later, earlier): (Vec<Policy>, Vec<Policy>) =
                before.policies.into_iter().partition(|policy| policy.namespace == NEXT);
            before.policies = earlier;
            let mut add = vec![writing::add_namespace(last, NEXT)];
            if !later.is_empty() {
                let files: Vec<&str> = later.iter().map(|policy| policy.file).collect();
                add.push(writing::apply(&files));
            }
            (
                first(before, "it is in force before the namespace is there"),
                then("the namespace comes, with its pods", add),
            )
        }
        Change::ReturnPeer | Change::ReturnTarget => {
            let place = added(combination.change, peer);
            let (namespace, name) = place;
            let mut again = vec![format!("remove: [{namespace}/{name}]")];
            again.push(writing::add_pods(last, &[place]));
            (first(before, IN_FORCE), then("the pod goes, and comes back", again))
        }
    };
    vec![pair.0, pair.1]
}

/// The pod that comes, or comes back.
const fn added(change: Change, peer: End) -> Place {
    match (change, peer) {
        (Change::AddPeer | Change::ReturnPeer, End::Pod(place)) => place,
        _ => TARGET,
    }
}

/// What the tested policy replaces: other pods, other peers.
fn replaced(direction: Direction) -> Policy {
    let rule = Rule { peers: Some(vec![third()]), ports: None };
    let everyone = (json!({}), Pods::Every);
    Policy::new(("before.yaml", OWN, TESTED), everyone, direction, Some(vec![rule]))
}

/// What allows everything, until it is deleted.
fn open(direction: Direction) -> Policy {
    let everyone = (json!({}), Pods::Every);
    let rules = Some(vec![Rule::default()]);
    Policy::new(("open.yaml", OWN, "open"), everyone, direction, rules)
}
