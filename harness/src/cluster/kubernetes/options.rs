//! What a run may be told about a Kubernetes cluster.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use crate::cluster::Dataplane;
use crate::cluster::agents::Patience;

/// When a node pulls the agent's image (`core/v1` `Container.imagePullPolicy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PullPolicy {
    /// Before every start.
    Always,
    /// Where the node does not have it.
    #[default]
    IfNotPresent,
    /// Never: it was put there before.
    Never,
}

impl PullPolicy {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

/// The secret with which nodes pull the agent's image. The run copies it into the
/// namespaces that it makes, since a pod can use none of another namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullSecret {
    /// Where it is; `None`: in the namespace of the kubeconfig's context.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// A text that names no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a secret as `NAMESPACE/NAME` or `NAME`, found `{0}`")]
pub struct ParsePullSecretError(String);

impl FromStr for PullSecret {
    type Err = ParsePullSecretError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (namespace, name) = match text.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, text),
        };
        let names = |name: &str| !name.is_empty() && !name.contains('/');
        if names(name) && namespace.is_none_or(names) {
            Ok(Self { namespace: namespace.map(str::to_owned), name: name.to_owned() })
        } else {
            Err(ParsePullSecretError(text.to_owned()))
        }
    }
}

impl fmt::Display for PullSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// How long parts of the work may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// A call of the API, with all its retries.
    pub call: Duration,
    /// Pods, from their creation until their agents answer: images may be pulled.
    pub pods: Duration,
    /// Objects, until the API does not show them any more.
    pub gone: Duration,
}

impl Deadlines {
    /// How long a pod may stay in a state that may pass by itself, before it starts: other pods
    /// make room, a node pulls again. A ninth of what it has in all.
    pub fn trouble(&self) -> Duration {
        self.pods / 9
    }
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(60),
            pods: Duration::from_secs(180),
            gone: Duration::from_secs(120),
        }
    }
}

/// What a cluster is to be used with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The name, as it was given to `--on`.
    pub name: String,
    /// The agent's image, as nodes pull it.
    pub image: String,
    /// When nodes pull it.
    pub pull_policy: PullPolicy,
    /// What they pull it with.
    pub pull_secret: Option<PullSecret>,
    /// Whether pods may share their node's network, in namespaces of the Pod Security
    /// level `privileged`. An ephemeral cluster allows it in any case.
    pub allow_host_network: bool,
    /// Whether policies of the cluster's scope may be made, which are in no namespace. An
    /// ephemeral cluster allows it in any case.
    pub allow_cluster_scoped: bool,
    /// Whether the cluster is the run's own and ends with it: NodePorts may be opened, and
    /// scenarios may have the names that they declare.
    pub ephemeral: bool,
    /// How many scenarios run at the same time. Each has pods of the run's own beside
    /// those that it declares: four on every node that it uses.
    pub slots: NonZeroUsize,
    /// What is said of the cluster's dataplane.
    pub dataplane: Dataplane,
    /// How long parts of the work may take.
    pub deadlines: Deadlines,
    /// How long agents are waited for.
    pub patience: Patience,
    /// How often the run shows in the cluster that it is under way. A run that has not done so
    /// for [`super::SILENCE`] counts as ended.
    pub beat: Duration,
}

impl Options {
    /// The default of [`Options::slots`].
    pub const SLOTS: NonZeroUsize = NonZeroUsize::new(4).unwrap();

    /// The defaults of a cluster that exists already, with this image.
    pub fn new(name: impl Into<String>, image: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            image: image.into(),
            pull_policy: PullPolicy::default(),
            pull_secret: None,
            allow_host_network: false,
            allow_cluster_scoped: false,
            ephemeral: false,
            slots: Self::SLOTS,
            dataplane: Dataplane::default(),
            deadlines: Deadlines::default(),
            patience: Patience::default(),
            beat: Duration::from_secs(10),
        }
    }

    /// Whether pods may share their node's network.
    pub fn host_network(&self) -> bool {
        self.allow_host_network || self.ephemeral
    }

    /// Whether policies of the cluster's scope may be made.
    pub fn cluster_scoped(&self) -> bool {
        self.allow_cluster_scoped || self.ephemeral
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_named_with_its_namespace_or_without() {
        for text in ["registry", "infra/registry"] {
            assert_eq!(text.parse::<PullSecret>().unwrap().to_string(), text);
        }
        for text in ["", "/", "a/", "/b", "a/b/c"] {
            assert_eq!(text.parse::<PullSecret>(), Err(ParsePullSecretError(text.into())));
        }
    }
}
