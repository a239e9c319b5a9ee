//! Policies of the cluster: the Admin tier before NetworkPolicies, the Baseline tier after.
//!
//! "Any well-defined ClusterNetworkPolicy rules should be read as-is, i.e. there will not
//! be any implicit isolation effects for the Pods selected" (API overview).

mod condition;
mod possible;
mod ready;
mod walk;

pub(super) use condition::RuleMatch;
pub(super) use ready::{ReadyClusterPolicy, Tiers};
