//! Clusters of Kubernetes that are reached through their API, ephemeral or not.
//!
//! A run makes namespaces of its own and everything else within them. They belong to
//! *slots*: each is where one scenario runs at a time, and keeps its namespaces and pods
//! for the next one. Nothing that the run did not make is changed or deleted.
//!
//! | part | what |
//! |---|---|
//! | `options`, `connect` | what a run may be told, a client from a kubeconfig |
//! | [`owner`], [`naming`], [`reserved`] | whose an object is, and what it is called |
//! | [`objects`], [`rewrite`] | the objects themselves, policies under a cluster's names |
//! | [`rbac`], [`role`], [`access`] | the role that a run needs, its text, and which of it is missing |
//! | `call`, `mirror` | calls with retries and deadlines; what the API shows, by watches |
//! | `site`, `node`, `canary` | a cluster, its nodes, what its pods can do |
//! | `slot`, `start`, `trouble`, `exec`, `secret`, `service` | what stands in a slot, and how it comes to stand |
//! | `apply`, `policy`, `cluster_policy`, `tier` | policies: applied and deleted; those of namespaces, those of the cluster |
//! | `source`, `pool`, `needs` | who runs where |
//! | `cluster`, `change`, `scoped`, `round`, `outside` | one scenario: deploy, change, probe, with hosts outside the cluster |
//! | `artifact`, `stored` | what helps when something goes wrong |
//! | `life`, `prune` | whether a run is under way; removes what runs left |

pub mod access;
mod apply;
mod artifact;
mod call;
mod canary;
mod change;
mod cluster;
mod cluster_policy;
mod connect;
mod exec;
mod led;
mod life;
mod mirror;
pub mod naming;
mod needs;
mod node;
pub mod objects;
mod options;
mod outside;
pub mod owner;
mod policy;
mod pool;
mod prune;
pub mod rbac;
pub mod reserved;
pub mod rewrite;
pub mod role;
mod round;
mod scoped;
mod secret;
mod served;
mod service;
mod site;
mod slot;
mod source;
mod start;
mod stored;
mod tier;
mod trouble;
mod watch;
mod whereabouts;

pub use call::Denied;
pub use cluster::Kubernetes;
pub use connect::{client, connect};
pub use life::{Alive, BEAT, SILENCE};
pub use options::{Deadlines, Options, ParsePullSecretError, PullPolicy, PullSecret};
pub use outside::Outside;
pub use prune::{Pruned, Scope, prune, under_way};
pub use source::KubernetesSource;
