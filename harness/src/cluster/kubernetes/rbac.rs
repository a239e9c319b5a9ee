//! The least role with which a run can work: one table, which is printed
//! ([`super::role`]), asked for before a run ([`super::access`]), and quoted in errors.

use crate::model::CLUSTER_POLICY_GROUP;

/// What a right is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Every run.
    Run,
    /// Finding out what went wrong. A run works without it, and says what it could not see.
    Diagnosis,
    /// Pulling the agent's image with a secret, in runs that are told to.
    PullSecret,
    /// Policies of the cluster's scope, in runs that may make them.
    ClusterScoped,
}

/// The rights on one resource, in every namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The resource, in the plural, with its subresource: `pods/exec`.
    pub resource: &'static str,
    /// What may be done with it.
    pub verbs: &'static [&'static str],
    /// What for.
    pub need: Need,
    /// Why, in a phrase.
    pub why: &'static str,
}

impl Grant {
    /// The resource with its group, as `kubectl` writes it: `networkpolicies.networking.k8s.io`.
    pub fn full_name(&self) -> String {
        if self.group.is_empty() {
            return self.resource.to_owned();
        }
        format!("{}.{}", self.resource, self.group)
    }
}

/// Everything that a run does through the API.
///
/// Namespaces are the run's own and get their names when it begins, so rights within
/// them cannot be given in advance but for all namespaces. That it touches nothing else
/// there is the run's own promise, kept by [`super::owner`].
pub const ROLE: [Grant; 8] = [
    Grant {
        group: "",
        resource: "namespaces",
        verbs: &["create", "delete", "get", "list", "patch", "watch"],
        need: Need::Run,
        why: "every scenario gets namespaces of its own, which go with the run",
    },
    Grant {
        group: "",
        resource: "nodes",
        verbs: &["list"],
        need: Need::Run,
        why: "pods are spread over the nodes that take them",
    },
    Grant {
        group: "",
        resource: "pods",
        verbs: &["create", "delete", "get", "list", "patch", "watch"],
        need: Need::Run,
        why: "the probes run in pods, whose addresses, states and labels are followed",
    },
    Grant {
        group: "",
        resource: "pods/exec",
        // A WebSocket is opened with GET, and is asked for `create` as well since
        // Kubernetes 1.35 (AuthorizePodWebsocketUpgradeCreatePermission).
        verbs: &["create", "get"],
        need: Need::Run,
        why: "the run speaks to its agents by exec, which no policy can cut; `get` opens it, and \
              Kubernetes asks for `create` too since 1.35",
    },
    Grant {
        group: "",
        resource: "services",
        verbs: &["create", "delete", "get"],
        need: Need::Run,
        why: "pods are also reached through Services",
    },
    Grant {
        group: "networking.k8s.io",
        resource: "networkpolicies",
        verbs: &["create", "delete", "get", "list", "patch", "watch"],
        need: Need::Run,
        why: "the policies that are put to the test, by server-side apply",
    },
    Grant {
        group: "",
        resource: "pods/log",
        verbs: &["get"],
        need: Need::Diagnosis,
        why: "where something goes wrong, the agents' logs are kept",
    },
    Grant {
        group: "",
        resource: "events",
        verbs: &["list"],
        need: Need::Diagnosis,
        why: "where something goes wrong, the events of the run's namespaces are kept",
    },
];

/// With [`Need::PullSecret`]: the secret is copied to where pods can use it. Reading it is
/// a right on that one secret, which is not among these.
pub const PULL_SECRET: Grant = Grant {
    group: "",
    resource: "secrets",
    verbs: &["create"],
    need: Need::PullSecret,
    why: "the secret to pull the agent's image with is copied into the run's namespaces",
};

/// With a pull secret: the right on that one secret, where it is. It is asked for, and is no part
/// of the role, which does not know its name.
pub const READ_PULL_SECRET: Grant = Grant {
    group: "",
    resource: "secrets",
    verbs: &["get"],
    need: Need::PullSecret,
    why: "the secret to pull the agent's image with is read where it is",
};

const fn cluster_scoped(resource: &'static str, why: &'static str) -> Grant {
    Grant {
        group: CLUSTER_POLICY_GROUP,
        resource,
        verbs: &["create", "delete", "get", "list", "patch", "watch"],
        need: Need::ClusterScoped,
        why,
    }
}

/// With [`Need::ClusterScoped`]: policies of the cluster are put to the test. Those of others
/// are listed, since none may stand there meanwhile, and are left alone.
pub const CLUSTER_SCOPED: [Grant; 3] = [
    cluster_scoped(
        "adminnetworkpolicies",
        "policies of the cluster that are put to the test; where others' are among those that \
         are listed, the run makes none",
    ),
    cluster_scoped(
        "baselineadminnetworkpolicies",
        "the same for the one of the Baseline tier, which is named `default`",
    ),
    cluster_scoped("clusternetworkpolicies", "the same for the kind that took the place of both"),
];

/// What a run does that not every run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// Whether it copies a secret to pull the agent's image with.
    pub pull_secret: bool,
    /// Whether it makes policies of the cluster's scope.
    pub cluster_scoped: bool,
}

impl Extent {
    /// Everything that a run may do.
    pub const ALL: Self = Self { pull_secret: true, cluster_scoped: true };
}

/// The rights of a run that does this.
pub fn grants(extent: Extent) -> impl Iterator<Item = Grant> {
    let scoped = CLUSTER_SCOPED.into_iter().filter(move |_| extent.cluster_scoped);
    ROLE.into_iter().chain(scoped).chain(extent.pull_secret.then_some(PULL_SECRET))
}

/// What a right is for; `None` where a run never needs it.
pub fn why(verb: &str, group: &str, resource: &str) -> Option<&'static str> {
    let grant =
        grants(Extent::ALL).find(|grant| grant.group == group && grant.resource == resource)?;
    grant.verbs.contains(&verb).then_some(grant.why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_right_is_there_once_and_has_a_reason() {
        let grants: Vec<Grant> = grants(Extent::ALL).collect();
        for (index, grant) in grants.iter().enumerate() {
            let name = grant.full_name();
            assert!(grant.verbs.is_sorted() && !grant.verbs.is_empty(), "{name}");
            assert!(grants[..index].iter().all(|other| other.full_name() != name), "{name}");
            for verb in grant.verbs {
                assert_eq!(why(verb, grant.group, grant.resource), Some(grant.why));
                assert_ne!(*verb, "*");
            }
        }
        assert_eq!(why("delete", "", "nodes"), None);
        assert_eq!(why("list", "", "secrets"), None);
    }
}
