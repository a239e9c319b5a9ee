//! Pure data: what a cluster looks like, what its policies say, what a cell is.
//!
//! Nothing here knows of Kubernetes clients, async code or IO. Types keep the
//! difference between absent and empty, because the API gives it meaning.

mod cell;
mod cluster_policy;
mod decision;
mod intent;
mod labels;
mod matrix;
pub(crate) mod micros;
mod observation;
mod origin;
mod policy;
mod service;
mod topology;
mod world;

pub use cell::{Cell, Endpoint, Name, ParseCellError, ParseEndpointError, PodName, Via};
pub use cluster_policy::{
    ClusterAction, ClusterPeer, ClusterPolicy, ClusterPolicyApi, ClusterPolicyKind,
    ClusterPolicyName, ClusterPolicyVersion, ClusterPort, ClusterRule, ClusterSubject,
    GROUP as CLUSTER_POLICY_GROUP, ParseClusterPolicyNameError, Tier,
};
pub use decision::{
    Clause, ClusterRuleRef, Decision, Direction, Effect, Exception, Exemption, MissingFact,
    PolicyRef, RuleRef, Side, Verdict,
};
pub use intent::Intent;
pub use labels::{LabelSelector, Labels, NAMESPACE_NAME_LABEL, Operator, Requirement};
pub use matrix::{Matrix, universe};
pub use observation::{Evidence, Observation};
pub use origin::Origin;
pub use policy::{Cidr, NetworkPolicy, Peer, PolicyName, PolicyPort, PolicyType, PortRef, Rule};
pub use ringfence_probe::{Family, Outcome, Protocol};
pub use service::service_port;
pub use topology::{External, HOSTNAME_LABEL, Namespace, Node, Phase, Pod, Port, Topology};
pub use world::{Change, ChangeError, LabelChanges, World};
