//! Policies of the cluster's scope as objects of the API.
//!
//! Their text is the manifest's own, so a `spec` is any JSON; what an object is called, where
//! it is and who made it have types.

use std::borrow::Cow;
use std::fmt::Debug;
use std::marker::PhantomData;

use k8s_openapi::ClusterResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::site::Kind;
use crate::model::{CLUSTER_POLICY_GROUP, ClusterPolicyApi, ClusterPolicyKind};

/// A kind in one of its versions, as a type: an [`kube::Api`] is of one of them.
pub(in super::super) trait Served: Clone + Debug + Send + Sync + 'static {
    /// Which.
    const API: ClusterPolicyApi;
}

/// `AdminNetworkPolicy v1alpha1`.
#[derive(Debug, Clone)]
enum Admin {}

/// `BaselineAdminNetworkPolicy v1alpha1`.
#[derive(Debug, Clone)]
enum Baseline {}

/// `ClusterNetworkPolicy v1alpha2`.
#[derive(Debug, Clone)]
enum ClusterV1alpha2 {}

/// `ClusterNetworkPolicy v1beta1`.
#[derive(Debug, Clone)]
enum ClusterV1beta1 {}

impl Served for Admin {
    const API: ClusterPolicyApi = ClusterPolicyApi::AdminV1alpha1;
}
impl Served for Baseline {
    const API: ClusterPolicyApi = ClusterPolicyApi::BaselineV1alpha1;
}
impl Served for ClusterV1alpha2 {
    const API: ClusterPolicyApi = ClusterPolicyApi::ClusterV1alpha2;
}
impl Served for ClusterV1beta1 {
    const API: ClusterPolicyApi = ClusterPolicyApi::ClusterV1beta1;
}

/// What is done for a kind, whichever it is.
pub(in super::super) trait Visitor {
    /// What comes of it.
    type Output;

    /// Does it for one.
    fn visit<T: Served>(self) -> Self::Output;
}

/// Does something for a kind.
pub(in super::super) fn visit<V: Visitor>(api: ClusterPolicyApi, visitor: V) -> V::Output {
    match api {
        ClusterPolicyApi::AdminV1alpha1 => visitor.visit::<Admin>(),
        ClusterPolicyApi::BaselineV1alpha1 => visitor.visit::<Baseline>(),
        ClusterPolicyApi::ClusterV1alpha2 => visitor.visit::<ClusterV1alpha2>(),
        ClusterPolicyApi::ClusterV1beta1 => visitor.visit::<ClusterV1beta1>(),
    }
}

/// A policy of this kind and version.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", bound = "")]
pub(in super::super) struct Object<T> {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    status: Value,
    #[serde(skip)]
    of: PhantomData<T>,
}

impl<T: Served> Resource for Object<T> {
    type DynamicType = ();
    type Scope = ClusterResourceScope;

    fn kind(&(): &()) -> Cow<'_, str> {
        T::API.kind().as_str().into()
    }

    fn group(&(): &()) -> Cow<'_, str> {
        CLUSTER_POLICY_GROUP.into()
    }

    fn version(&(): &()) -> Cow<'_, str> {
        T::API.version().as_str().into()
    }

    fn plural(&(): &()) -> Cow<'_, str> {
        plural(T::API.kind()).into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl<T: Served> Kind for Object<T> {
    const RESOURCE: &'static str = resource(T::API.kind());
}

/// As paths and roles have it.
pub(in super::super) const fn plural(kind: ClusterPolicyKind) -> &'static str {
    match kind {
        ClusterPolicyKind::AdminNetworkPolicy => "adminnetworkpolicies",
        ClusterPolicyKind::BaselineAdminNetworkPolicy => "baselineadminnetworkpolicies",
        ClusterPolicyKind::ClusterNetworkPolicy => "clusternetworkpolicies",
    }
}

const fn resource(kind: ClusterPolicyKind) -> &'static str {
    match kind {
        ClusterPolicyKind::AdminNetworkPolicy => "adminnetworkpolicies.policy.networking.k8s.io",
        ClusterPolicyKind::BaselineAdminNetworkPolicy => {
            "baselineadminnetworkpolicies.policy.networking.k8s.io"
        }
        ClusterPolicyKind::ClusterNetworkPolicy => {
            "clusternetworkpolicies.policy.networking.k8s.io"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_roles_name_a_kind_alike() {
        assert_eq!(
            Object::<ClusterV1beta1>::url_path(&(), None),
            "/apis/policy.networking.k8s.io/v1beta1/clusternetworkpolicies"
        );
        for kind in ClusterPolicyKind::ALL {
            assert_eq!(resource(kind), format!("{}.{CLUSTER_POLICY_GROUP}", plural(kind)));
            assert!(plural(kind).starts_with(&kind.as_str().to_lowercase().replace("policy", "")));
        }
    }
}
