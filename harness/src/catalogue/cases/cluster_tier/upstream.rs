//! The network-policy-api project's own conformance tests, and the cases here that test the
//! same.

mod admin;
mod baseline;

/// A part of a test of `conformance/tests` (kubernetes-sigs/network-policy-api at 0eec1b0): the
/// short name of its test, its own name, and the identifiers of the cases that test what it
/// tests. There several rules share a policy; a case shows what decides each of its cells.
/// Each is there for `v1alpha1` too, under the name with `api=v1alpha1`.
pub type Upstream = (&'static str, &'static str, &'static [&'static str]);

/// Every one of them, tier by tier.
pub const UPSTREAM: [&[Upstream]; 2] = [&admin::PARTS, &baseline::PARTS];
