//! The axes of the space of cases, and the values on each.
//!
//! The first value of an axis is its plainest: what a case has where it does not
//! test that axis. An identifier leaves plain values out.

use std::fmt;

/// Declares one axis: an enum with its values in order and their texts.
macro_rules! axis {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $value:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$of])* $value,)+ }

        impl $name {
            /// Every value, the plainest first.
            pub const ALL: &'static [Self] = &[$(Self::$value,)+];

            /// The value's name in identifiers and tags.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$value => $text,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.text())
            }
        }
    };
}

pub(super) use axis;

axis! {
    /// Which pods `spec.podSelector` selects.
    Target {
        /// By `matchLabels`.
        Labels = "labels",
        /// `{}`: every pod of the policy's namespace.
        Every = "every-pod",
        /// By the operator `In`.
        In = "in",
        /// By `NotIn`, where the pod has no label of the key.
        NotIn = "not-in",
        /// By `Exists`.
        Exists = "exists",
        /// By `DoesNotExist`.
        DoesNotExist = "does-not-exist",
    }
}

axis! {
    /// How `spec.policyTypes` is written.
    Types {
        /// The tested direction alone.
        Written = "written",
        /// Absent, so that it is defaulted.
        Absent = "absent",
        /// An empty list, which is defaulted as well.
        EmptyList = "empty-list",
        /// Both directions, of which the other has no rule.
        Both = "both",
    }
}

axis! {
    /// How many rules the tested direction has.
    Rules {
        /// One.
        One = "one",
        /// Three, of which the second is the tested one, and the others open other ports and
        /// another protocol to another peer.
        Several = "several",
        /// One, `{}`: anybody, on any port.
        EmptyRule = "empty-rule",
        /// None: the field is absent.
        Absent = "absent",
        /// None: an empty list.
        EmptyList = "empty-list",
    }
}

axis! {
    /// Who the rule's `from` or `to` names.
    Peer {
        /// `podSelector` with `matchLabels`, in the policy's own namespace.
        PodLabels = "pod-labels",
        /// `from` or `to` is absent.
        Absent = "absent",
        /// An empty list, which means the same.
        EmptyList = "empty-list",
        /// `podSelector: {}`: every pod of the policy's own namespace.
        EveryPod = "every-pod",
        /// `podSelector` with `In`.
        PodIn = "pod-in",
        /// `podSelector` with `NotIn`, for pods with another value and without the key.
        PodNotIn = "pod-not-in",
        /// `podSelector` with `Exists`.
        PodExists = "pod-exists",
        /// `podSelector` with `DoesNotExist`.
        PodDoesNotExist = "pod-does-not-exist",
        /// `podSelector` with `matchLabels` and `matchExpressions`, which must both hold.
        PodLabelsAndExpressions = "pod-labels-and-expressions",
        /// `namespaceSelector` with `matchLabels`.
        NamespaceLabels = "namespace-labels",
        /// `namespaceSelector` by the label that holds the namespace's name.
        NamespaceName = "namespace-name",
        /// `namespaceSelector: {}`: every pod of every namespace.
        EveryNamespace = "every-namespace",
        /// `namespaceSelector` with `In`.
        NamespaceIn = "namespace-in",
        /// `namespaceSelector` with `NotIn`, for namespaces with another value and without the key.
        NamespaceNotIn = "namespace-not-in",
        /// `namespaceSelector` with `Exists`.
        NamespaceExists = "namespace-exists",
        /// `namespaceSelector` with `DoesNotExist`.
        NamespaceDoesNotExist = "namespace-does-not-exist",
        /// Both selectors in one entry: pods of a label in namespaces of a label.
        NamespaceAndPod = "namespace-and-pod",
        /// The two selectors in two entries.
        NamespaceOrPod = "namespace-or-pod",
        /// `namespaceSelector: {}` with a `podSelector`.
        PodInEveryNamespace = "pod-in-every-namespace",
        /// `ipBlock` of one address.
        Address = "address",
        /// `ipBlock` of a range.
        Range = "range",
        /// `ipBlock` of a range with an exception.
        Except = "except",
        /// A range with an exception, and a second `ipBlock` within the exception.
        NestedExcept = "nested-except",
        /// `0.0.0.0/0` or `::/0`.
        EveryAddress = "every-address",
        /// A range of each address family.
        RangeOfEachFamily = "range-of-each-family",
        /// An `ipBlock` and a `podSelector`, in two entries.
        RangeOrPod = "range-or-pod",
    }
}

axis! {
    /// What the rule's `ports` name.
    Port {
        /// A protocol and a number.
        Number = "number",
        /// `ports` is absent.
        Absent = "absent",
        /// An empty list, which means the same.
        EmptyList = "empty-list",
        /// A number without a protocol, which means TCP.
        NoProtocol = "no-protocol",
        /// A name, which stands for another number in each pod.
        Name = "name",
        /// `port` to `endPort`, of which the last is tried.
        Range = "range",
        /// `endPort` is `port`.
        RangeOfOne = "range-of-one",
        /// A protocol without a port.
        ProtocolOnly = "protocol-only",
        /// `ports: [{}]`: every TCP port.
        EmptyEntry = "empty-entry",
        /// Two numbers, of which the second is tried.
        Several = "several",
    }
}

axis! {
    /// Which policies there are beside the tested one.
    Stacking {
        /// None.
        Alone = "alone",
        /// One that isolates every pod of the namespace and allows nothing.
        Deny = "deny",
        /// One of the same pods that lets another peer use another port.
        OtherRule = "other-rule",
        /// One of the same name and selector in another namespace.
        OtherNamespace = "other-namespace",
        /// One of the same pods for the other direction, without a rule.
        OtherDirection = "other-direction",
    }
}

axis! {
    /// How what is in force came about.
    Change {
        /// The policies are created.
        Create = "create",
        /// The policy replaces one of its name with another selector and other rules.
        Replace = "replace",
        /// Another policy, which allowed everything, is deleted.
        Delete = "delete",
        /// The policy is applied twice.
        Twice = "twice",
        /// Two pods exchange the labels by which the peer is selected.
        RelabelPeer = "relabel-peer",
        /// Two pods exchange the labels by which the target is selected.
        RelabelTarget = "relabel-target",
        /// Two namespaces exchange their labels.
        RelabelNamespace = "relabel-namespace",
        /// The peer is created after the policy.
        AddPeer = "add-peer",
        /// The target is created after the policy.
        AddTarget = "add-target",
        /// The peer's namespace, with its pods, is created after the policy.
        AddNamespace = "add-namespace",
        /// The peer goes, and one of its name comes with another address.
        ReturnPeer = "return-peer",
        /// The target goes, and one of its name comes with another address.
        ReturnTarget = "return-target",
    }
}

axis! {
    /// Where the two ends run.
    Path {
        /// On two nodes.
        OtherNode = "other-node",
        /// On one node.
        SameNode = "same-node",
        /// The peer is a host outside the cluster.
        Outside = "outside",
    }
}
