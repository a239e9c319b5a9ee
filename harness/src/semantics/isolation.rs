//! Which directions a policy is about.

use std::ops::{Index, IndexMut};

use crate::model::{Direction, NetworkPolicy, PolicyType, Rule};

/// One value for ingress and one for egress.
#[derive(Debug, Clone, Default)]
pub(super) struct PerDirection<T> {
    ingress: T,
    egress: T,
}

impl<T> PerDirection<T> {
    pub(super) fn of(mut value: impl FnMut(Direction) -> T) -> Self {
        Self { ingress: value(Direction::Ingress), egress: value(Direction::Egress) }
    }
}

impl<T> Index<Direction> for PerDirection<T> {
    type Output = T;

    fn index(&self, direction: Direction) -> &T {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }
}

impl<T> IndexMut<Direction> for PerDirection<T> {
    fn index_mut(&mut self, direction: Direction) -> &mut T {
        match direction {
            Direction::Ingress => &mut self.ingress,
            Direction::Egress => &mut self.egress,
        }
    }
}

/// Whether the policy isolates the pods that it selects in this direction.
///
/// "A pod is isolated for egress if there is any NetworkPolicy that both selects
/// the pod and has "Egress" in its `policyTypes`", and likewise for ingress
/// (concepts/services-networking/network-policies). "If no `policyTypes` are
/// specified on a NetworkPolicy then by default `Ingress` will always be set and
/// `Egress` will be set if the NetworkPolicy has any egress rules" (there). The
/// API server fills the default in where `len(policyTypes) == 0`, and takes
/// `len(egress) != 0` for "any egress rules" (kubernetes
/// `pkg/apis/networking/v1/defaults.go`): an empty list counts as absent in both.
pub fn isolates(policy: &NetworkPolicy, direction: Direction) -> bool {
    let listed = policy.policy_types.as_deref().unwrap_or_default();
    match direction {
        Direction::Ingress => listed.is_empty() || listed.contains(&PolicyType::Ingress),
        Direction::Egress if listed.is_empty() => !rules(policy, direction).is_empty(),
        Direction::Egress => listed.contains(&PolicyType::Egress),
    }
}

/// The policy's rules for a direction; absent and empty are the same: "If this
/// field is empty then this NetworkPolicy does not allow any traffic"
/// (`NetworkPolicySpec.ingress`).
pub(super) fn rules(policy: &NetworkPolicy, direction: Direction) -> &[Rule] {
    match direction {
        Direction::Ingress => policy.ingress.as_deref(),
        Direction::Egress => policy.egress.as_deref(),
    }
    .unwrap_or_default()
}
