//! The embedded cluster's dataplane: policies → ruleset → nftables.
//!
//! [`compile()`] reads the policies straight from the API's text and shares nothing with
//! the semantics engine but `model`'s data types and label matching, so that the two can
//! disagree. What the API leaves open is decided here, as every dataplane has to:
//!
//! - a pod reaches itself: that traffic never leaves its network namespace;
//! - a pod reaches its own node: that traffic is not forwarded;
//! - hostNetwork pods have their node's address: selectors never match them, ipBlocks do,
//!   and no policy applies to them;
//! - an ipBlock matches pod addresses as it does any other;
//! - a connection that was allowed stays so until [`Dataplane::flush_conntrack`];
//! - a pod that reaches itself by its Service is judged as if it dialled itself.
//!
//! A node's own traffic to its pods is not forwarded either: the API wants it always
//! allowed ("OR if the traffic source is the pod's local node").
//!
//! Policies of the cluster decide before NetworkPolicies (Admin) or where none isolates
//! (Baseline), and what their API leaves open is decided here too:
//!
//! - of equal priorities AdminNetworkPolicies come before ClusterNetworkPolicies, and each in
//!   order of its name; the BaselineAdminNetworkPolicy comes behind every ClusterNetworkPolicy
//!   of its tier;
//! - AdminNetworkPolicies and ClusterNetworkPolicies are one tier: a Pass of one skips the
//!   rules of both;
//! - what a pod sends to its own node is judged by them as to any node, and lets
//!   NetworkPolicies decide nothing: there an isolated pod reaches it whatever Baseline says;
//! - what a node sends to its own pods they do not judge, not even by a rule that denies all;
//! - a pod that reaches itself by its own address is not judged in any version, by its
//!   Service in every version;
//! - ranges hold all addresses as a packet carries them behind Services: pods', nodes' and
//!   those of hostNetwork pods, which have their node's.

mod addresses;
mod compile;
mod conntrack;
mod drop_log;
mod encode;
mod flaws;
mod install;
mod masquerade;
mod pods;
mod ports;
mod ruleset;
mod services;
mod table;
#[cfg(test)]
mod tests;
mod tiers;

pub(super) use compile::{affects, compile};
pub(super) use conntrack::flush_conntrack;
pub(super) use drop_log::DropLog;
pub(super) use flaws::Flaws;
pub(super) use install::Dataplane;
pub(super) use install::try_services;
pub(super) use ruleset::Ruleset;
pub(super) use services::Service;

use crate::model::{Name, PodName};

/// A node as far as its rules depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NodeView {
    /// The node's name.
    pub(super) name: Name,
    /// The pods that run there. HostNetwork pods have no interface and are not among them.
    pub(super) pods: Vec<LocalPod>,
}

/// A pod on the node that rules are compiled for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LocalPod {
    /// Namespace and name.
    pub(super) name: PodName,
    /// The index of its veth's end in the node's network namespace.
    pub(super) interface: u32,
}
