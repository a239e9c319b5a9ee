//! The least role with which a run can work: one table, which is printed
//! (`ringfence rbac`), asked for before a run (`super::access`), and quoted in errors.

/// The rights on one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The resource, in the plural, with its subresource: `pods/exec`.
    pub resource: &'static str,
    /// What may be done with it.
    pub verbs: &'static [&'static str],
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
/// them cannot be given in advance but for all namespaces.
pub const ROLE: [Grant; 8] = [
    Grant {
        group: "",
        resource: "namespaces",
        verbs: &["create", "delete", "get", "list", "patch", "watch"],
        why: "every scenario gets namespaces of its own, which go with the run",
    },
    Grant {
        group: "",
        resource: "nodes",
        verbs: &["list"],
        why: "pods are spread over the nodes that can take them",
    },
    Grant {
        group: "",
        resource: "pods",
        verbs: &["create", "delete", "get", "list", "patch", "watch"],
        why: "the probes run in pods, whose addresses and labels are followed",
    },
    Grant {
        group: "",
        resource: "pods/exec",
        verbs: &["create", "get"],
        why: "the run speaks to its agents by exec: `get` opens a WebSocket, for which \
              Kubernetes asks for `create` as well since 1.35",
    },
    Grant {
        group: "",
        resource: "pods/log",
        verbs: &["get"],
        why: "the agents' logs are kept where something goes wrong",
    },
    Grant {
        group: "",
        resource: "events",
        verbs: &["list"],
        why: "events say why a pod does not start",
    },
    Grant {
        group: "",
        resource: "services",
        verbs: &["create", "delete", "get", "list", "patch"],
        why: "pods are also reached through Services",
    },
    Grant {
        group: "networking.k8s.io",
        resource: "networkpolicies",
        verbs: &["create", "delete", "get", "list", "patch", "watch"],
        why: "the policies under test",
    },
];

/// What a right on a resource is for; `None` where a run never needs it.
pub fn why(verb: &str, group: &str, resource: &str) -> Option<&'static str> {
    let grant = ROLE.iter().find(|grant| grant.group == group && grant.resource == resource)?;
    grant.verbs.contains(&verb).then_some(grant.why)
}
