//! The meaning of policies under the Kubernetes API: pure, without a cluster.
