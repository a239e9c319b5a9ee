//! How policies of the cluster are misread: transformations of one policy, without a state.

use super::Fault;
use crate::model::{ClusterAction, ClusterPeer, ClusterPolicy, ClusterRule, Tier};

/// The highest number that a priority may be (`ClusterNetworkPolicySpec.priority`).
const LAST: u16 = 1000;

/// Reads a policy of the cluster as a dataplane with this fault does.
pub(super) fn misread(fault: Fault, policy: &mut ClusterPolicy) {
    match fault {
        Fault::PriorityInverted => {
            policy.priority = policy.priority.map(|priority| LAST.saturating_sub(priority));
        }
        Fault::TiersInverted => {
            policy.tier = match policy.tier {
                Tier::Admin => Tier::Baseline,
                Tier::Baseline => Tier::Admin,
            };
        }
        _ => {}
    }
    for rule in policy.ingress.iter_mut().chain(&mut policy.egress) {
        match fault {
            Fault::PassReadAsDeny => pass(rule, ClusterAction::Deny),
            Fault::PassReadAsAccept => pass(rule, ClusterAction::Accept),
            // Nobody is a peer of a rule that is left without one.
            Fault::UnknownPeerFailsOpen => rule.peers.retain(is_known),
            _ => {}
        }
    }
}

/// Takes Pass for another action. A rule with a peer that nobody understands denies all: it
/// passes nothing on, and stays.
fn pass(rule: &mut ClusterRule, read: ClusterAction) {
    let unknown = |peer: &ClusterPeer| matches!(peer, ClusterPeer::Unknown { .. });
    if rule.action == ClusterAction::Pass && !rule.peers.iter().any(unknown) {
        rule.action = read;
    }
}

/// Whether a dataplane understands the peer that was written for the API's standard channel,
/// which has no `nodes`.
fn is_known(peer: &ClusterPeer) -> bool {
    !matches!(peer, ClusterPeer::Unknown { .. } | ClusterPeer::Nodes { .. })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::{
        ClusterPolicyKind, ClusterPolicyName, ClusterPolicyVersion, ClusterSubject, LabelSelector,
        Origin,
    };

    fn origin() -> Origin {
        Origin::synthetic("test")
    }

    pub(in super::super) fn rule(action: ClusterAction, peers: &[ClusterPeer]) -> ClusterRule {
        let (peers, ports) = (peers.to_vec(), Vec::new());
        ClusterRule { name: None, action, peers, ports, origin: origin() }
    }

    pub(in super::super) fn pods() -> ClusterPeer {
        ClusterPeer::Namespaces { selector: LabelSelector::everything(), origin: origin() }
    }

    fn nodes() -> ClusterPeer {
        ClusterPeer::Nodes { selector: LabelSelector::everything(), origin: origin() }
    }

    fn unknown() -> ClusterPeer {
        ClusterPeer::Unknown { origin: origin() }
    }

    /// One of a tier, with these rules in both directions.
    pub(in super::super) fn policy(
        tier: Tier,
        priority: Option<u16>,
        rules: &[ClusterRule],
    ) -> ClusterPolicy {
        let selector = LabelSelector::everything();
        ClusterPolicy {
            name: ClusterPolicyName::new(ClusterPolicyKind::ClusterNetworkPolicy, "p"),
            version: ClusterPolicyVersion::V1alpha2,
            tier,
            priority,
            subject: ClusterSubject::Namespaces { selector, origin: origin() },
            ingress: rules.to_vec(),
            egress: rules.to_vec(),
            origin: origin(),
            manifest: serde_json::Value::Null,
        }
    }

    fn read(fault: Fault, policy: &ClusterPolicy) -> ClusterPolicy {
        let mut read = policy.clone();
        misread(fault, &mut read);
        read
    }

    /// Every action, of rules with a peer that is understood, one that is not, and both.
    fn all() -> ClusterPolicy {
        use ClusterAction::{Accept, Deny, Pass};
        let peers = [vec![pods()], vec![unknown()], vec![pods(), nodes(), unknown()]];
        let actions = [Accept, Deny, Pass];
        let rules: Vec<ClusterRule> = actions
            .iter()
            .flat_map(|action| peers.iter().map(|peers| rule(*action, peers)))
            .collect();
        policy(Tier::Admin, Some(7), &rules)
    }

    /// As [`all`], with other rules.
    fn with(change: impl Fn(&mut ClusterRule)) -> ClusterPolicy {
        let mut policy = all();
        policy.ingress.iter_mut().chain(&mut policy.egress).for_each(change);
        policy
    }

    #[test]
    fn pass_is_another_action_where_the_rule_passes() {
        for (fault, read_as) in [
            (Fault::PassReadAsDeny, ClusterAction::Deny),
            (Fault::PassReadAsAccept, ClusterAction::Accept),
        ] {
            let expected = with(|rule| {
                if rule.action == ClusterAction::Pass && rule.peers == [pods()] {
                    rule.action = read_as;
                }
            });
            assert_ne!(expected, all());
            assert_eq!(read(fault, &all()), expected, "{fault}");
        }
    }

    #[test]
    fn a_peer_that_is_not_understood_is_left_out() {
        let expected = with(|rule| match rule.peers.len() {
            1 if rule.peers == [unknown()] => rule.peers.clear(),
            _ => rule.peers = vec![pods()],
        });
        assert_eq!(read(Fault::UnknownPeerFailsOpen, &all()), expected);
    }

    #[test]
    fn the_first_is_last() {
        for (priority, inverted) in
            [(Some(0), Some(1000)), (Some(40), Some(960)), (Some(1000), Some(0)), (None, None)]
        {
            let expected = ClusterPolicy { priority: inverted, ..all() };
            assert_eq!(
                read(Fault::PriorityInverted, &ClusterPolicy { priority, ..all() }),
                expected
            );
        }
    }

    #[test]
    fn each_tier_is_the_other() {
        let baseline = ClusterPolicy { tier: Tier::Baseline, ..all() };
        assert_eq!(read(Fault::TiersInverted, &all()), baseline);
        assert_eq!(read(Fault::TiersInverted, &baseline), all());
    }

    #[test]
    fn no_other_fault_misreads_one() {
        let own = [
            Fault::PassReadAsDeny,
            Fault::PassReadAsAccept,
            Fault::PriorityInverted,
            Fault::TiersInverted,
            Fault::UnknownPeerFailsOpen,
        ];
        for fault in Fault::ALL.iter().filter(|fault| !own.contains(fault)) {
            assert_eq!(read(*fault, &all()), all(), "{fault}");
        }
    }
}
