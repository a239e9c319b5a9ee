//! Every deciding cell is decided by what it says, alone, in one direction.

use std::sync::Arc;

use ringfence::catalogue::{Deciding, Reason};
use ringfence::model::{
    Cidr, ClusterAction, ClusterPeer, ClusterPolicy, ClusterPolicyName, ClusterRule,
    ClusterSubject, Direction, Effect, Endpoint, Family, Intent, LabelSelector, Origin, World,
};

use crate::judged::{Judged, is_free};

fn nowhere() -> Origin {
    Origin::synthetic("nowhere")
}

fn rules(policy: &mut ClusterPolicy, direction: Direction) -> &mut Vec<ClusterRule> {
    match direction {
        Direction::Ingress => &mut policy.ingress,
        Direction::Egress => &mut policy.egress,
    }
}

/// Everybody that a rule could name.
fn everybody() -> Vec<ClusterPeer> {
    let cidrs = ["0.0.0.0/0", "::/0"]
        .map(|text| Cidr { text: text.to_owned(), net: text.parse().unwrap() });
    vec![
        ClusterPeer::Namespaces { selector: LabelSelector::everything(), origin: nowhere() },
        ClusterPeer::Networks { cidrs: cidrs.to_vec(), origin: nowhere() },
    ]
}

/// The tested policy made another one, so that the cell turns over if the claim is right.
fn relaxed(world: &mut World, tested: &ClusterPolicyName, deciding: &Deciding) {
    let direction = deciding.direction;
    let at = deciding.rule;
    match deciding.reason {
        Reason::Above => {
            world.policies.clear();
            world.cluster_policies.retain(|name, _| name == tested);
            return;
        }
        Reason::HostNetwork => {
            for pod in world.topology.pods.values_mut() {
                pod.host_network = false;
            }
            return;
        }
        Reason::Open | Reason::Itself => return,
        _ => {}
    }
    let policy = Arc::make_mut(world.cluster_policies.get_mut(tested).unwrap());
    match deciding.reason {
        Reason::Rule => {
            rules(policy, direction).remove(at.unwrap());
        }
        Reason::NoRule => rules(policy, direction).push(ClusterRule {
            name: None,
            action: ClusterAction::Deny,
            peers: everybody(),
            ports: Vec::new(),
            origin: nowhere(),
        }),
        Reason::Peer | Reason::Family => {
            rules(policy, direction)[at.unwrap()].peers = everybody();
        }
        Reason::Port | Reason::Protocol => rules(policy, direction)[at.unwrap()].ports.clear(),
        Reason::Target => {
            policy.subject = ClusterSubject::Namespaces {
                selector: LabelSelector::everything(),
                origin: nowhere(),
            };
        }
        Reason::Types => {
            let other = match direction {
                Direction::Ingress => Direction::Egress,
                Direction::Egress => Direction::Ingress,
            };
            let copied = rules(policy, other).clone();
            *rules(policy, direction) = copied;
        }
        _ => {}
    }
}

pub(in super::super) fn proven(
    deciding: &Deciding,
    tested: &ClusterPolicyName,
    world: &World,
) -> Result<(), String> {
    let judged = Judged::of(deciding, world);
    if deciding.reason == Reason::Open {
        return judged.is_open();
    }
    judged.is_as_meant()?;
    let (side, other) = judged.sides();
    let expect = |holds: bool, what: &str| judged.expect(holds, what);
    let may_send = matches!(other.effect, Effect::AcceptedBy(_)) && deciding.intent == Intent::Deny;
    expect(is_free(other) || may_send, "the other direction decides too")?;
    let found = side.cluster.iter();
    let mut of_rule = found.filter(|of| of.policy == *tested && Some(of.rule) == deciding.rule);
    let matches = of_rule.next().is_some();
    match deciding.reason {
        Reason::Rule => expect(matches, "the tested rule is not asked")?,
        Reason::Above => expect(!matches, "the tested rule shows")?,
        _ => expect(!matches, "the tested rule is about it after all")?,
    }
    let mut changed = world.clone();
    relaxed(&mut changed, tested, deciding);
    let mut cell = deciding.cell.clone();
    if deciding.reason == Reason::Itself {
        // From any other pod the same is not so.
        let others = world.topology.pods.keys().map(|pod| Endpoint::Pod(pod.clone()));
        cell.source = others.into_iter().find(|end| *end != cell.destination).unwrap();
    }
    expect(cell.family == Family::Ipv4 || deciding.reason != Reason::Itself, "over IPv4")?;
    judged.turns_over(&cell, &changed)
}
