//! The embedded cluster: pods are network namespaces in a user namespace of the run's own.

mod dataplane;
mod netlink;
mod sys;
