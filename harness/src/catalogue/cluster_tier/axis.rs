//! The axes of the space of cases of the cluster tier, and the values on each.
//!
//! As on the other axes, the first value is the plainest.

use std::fmt;

use crate::catalogue::axis::axis;

axis! {
    /// In which version of the API the policies are written.
    Api {
        /// ClusterNetworkPolicy of `v1alpha2`.
        V1alpha2 = "v1alpha2",
        /// AdminNetworkPolicy and BaselineAdminNetworkPolicy of `v1alpha1`.
        V1alpha1 = "v1alpha1",
        /// ClusterNetworkPolicy of `v1beta1`.
        V1beta1 = "v1beta1",
    }
}

axis! {
    /// In which tier the tested policy is.
    Tier {
        /// Before the NetworkPolicies.
        Admin = "admin",
        /// After them.
        Baseline = "baseline",
    }
}

axis! {
    /// What the tested rule does.
    Action {
        /// It denies.
        Deny = "deny",
        /// It accepts; `Allow` in `v1alpha1`.
        Accept = "accept",
        /// It hands on to the next tier.
        Pass = "pass",
    }
}

axis! {
    /// Which pods `spec.subject` selects.
    Subject {
        /// `pods`: by their labels and their namespace's.
        Pods = "pods",
        /// `pods` with `namespaceSelector: {}`.
        PodsEverywhere = "pods-everywhere",
        /// `pods` without a `namespaceSelector`, which means the same.
        SelectorAbsent = "selector-absent",
        /// `namespaces`: all pods of those with a label.
        Namespaces = "namespaces",
        /// `namespaces` by `NotIn`, where the namespace has no label of the key.
        NamespacesNotIn = "namespaces-not-in",
        /// `namespaces: {}`: every pod of the cluster.
        EveryNamespace = "every-namespace",
    }
}

axis! {
    /// Who the tested rule's `from` or `to` names.
    Peer {
        /// `pods`: by their labels and their namespace's.
        Pods = "pods",
        /// `pods` with `namespaceSelector: {}`.
        PodsEverywhere = "pods-everywhere",
        /// `pods` without a `namespaceSelector`, which means the same.
        SelectorAbsent = "selector-absent",
        /// `pods` by `DoesNotExist`.
        PodsDoNotExist = "pods-does-not-exist",
        /// `namespaces`: all pods of those with a label.
        Namespaces = "namespaces",
        /// `namespaces` by `NotIn`, for namespaces with another value and without the key.
        NamespacesNotIn = "namespaces-not-in",
        /// `namespaces: {}`: every pod of the cluster.
        EveryNamespace = "every-namespace",
        /// `namespaces` and `pods`, in two entries.
        Several = "several",
        /// `networks` of one range.
        Network = "network",
        /// `networks` of a range of each address family.
        NetworkOfEachFamily = "network-of-each-family",
        /// `networks` of `0.0.0.0/0` or `::/0`, which hold the pods too.
        EveryAddress = "every-address",
        /// `networks` and `pods`, in two entries.
        NetworkOrPods = "network-or-pods",
        /// `nodes` by a label.
        Node = "node",
        /// `nodes: {}`: every node.
        EveryNode = "every-node",
    }
}

axis! {
    /// What the rule's `ports` or `protocols` name.
    Port {
        /// A protocol and a number.
        Number = "number",
        /// Nothing: the field is absent.
        Absent = "absent",
        /// A number without a protocol, which means TCP; in `v1alpha1` alone.
        NoProtocol = "no-protocol",
        /// A name, which stands for another number in each pod.
        Name = "name",
        /// A range, of which the last port is tried.
        Range = "range",
        /// A range of all ports of a protocol.
        EveryPort = "every-port",
        /// Two numbers, of which the second is tried.
        Several = "several",
    }
}

axis! {
    /// What there is beside the tested rule, about the same pods.
    Beside {
        /// Only what the rule needs to be seen: behind one that accepts or passes, a rule of
        /// the same policy decides otherwise.
        Alone = "alone",
        /// A rule before it about another peer and port, and one behind it that decides
        /// otherwise about everybody.
        Rules = "rules",
        /// A policy of the tier with a greater number for its priority, which decides otherwise.
        PriorityBelow = "priority-below",
        /// A policy of the tier with a lesser number for its priority, which decides otherwise.
        PriorityAbove = "priority-above",
        /// A NetworkPolicy that lets everybody in, or out.
        NetworkPolicyAllows = "network-policy-allows",
        /// A NetworkPolicy that isolates, and has no rule.
        NetworkPolicyDenies = "network-policy-denies",
        /// A NetworkPolicy that isolates for the other direction.
        OtherDirection = "other-direction",
        /// A policy of the other tier that accepts everybody.
        OtherTierAccepts = "other-tier-accepts",
        /// A policy of the other tier that denies everybody.
        OtherTierDenies = "other-tier-denies",
        /// A policy of the other tier that hands everybody on, and denies behind that.
        OtherTierPasses = "other-tier-passes",
    }
}

axis! {
    /// How what is in force came about.
    Change {
        /// The policies are created.
        Create = "create",
        /// The policy replaces one of its name with another subject and other rules.
        Replace = "replace",
        /// A policy that came before all others is deleted.
        Delete = "delete",
        /// The policy is applied twice.
        Twice = "twice",
        /// The policy's priority changes, and with it which of two is asked first.
        Priority = "priority",
        /// Two pods exchange the labels by which the peer is selected.
        RelabelPeer = "relabel-peer",
        /// Two pods exchange the labels by which the subject is selected.
        RelabelSubject = "relabel-subject",
        /// Two namespaces exchange their labels.
        RelabelNamespace = "relabel-namespace",
        /// The peer is created after the policy.
        AddPeer = "add-peer",
        /// The subject is created after the policy.
        AddSubject = "add-subject",
    }
}
