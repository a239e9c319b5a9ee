//! Services, each in front of exactly one pod.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service as Object, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::pod::{distinct_ports, selector};
use crate::cluster::kubernetes::naming::{LIMIT, Naming, hashed};
use crate::cluster::kubernetes::owner::Owner;
use crate::model::{Name, Pod};

/// How a Service shows its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exposure {
    /// By an address of its own within the cluster (`ClusterIP`).
    Cluster,
    /// Also by a port of every node (`NodePort` with `externalTrafficPolicy: Cluster`):
    /// the pod sees the node's address as the source.
    Nodes,
    /// Also by a port of the pod's own node (`NodePort` with `externalTrafficPolicy:
    /// Local`): the pod sees the source's own address.
    OwnNode,
}

impl Exposure {
    /// What the names of such Services begin with. No name is two of them, whatever
    /// follows, and a letter is what a Service's name must begin with.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Cluster => "cluster-",
            Self::Nodes => "nodes-",
            Self::OwnNode => "own-node-",
        }
    }
}

/// The name of a pod's Service: an RFC 1035 label, which a pod's name need not be.
pub fn name(pod: &str, exposure: Exposure) -> Name {
    let name = format!("{}{pod}", exposure.prefix());
    let plain = name.len() < LIMIT && !name.contains('.');
    Name::from(if plain { name } else { hashed(&name).replace('.', "-") })
}

/// The Service of a pod; `None` where it has no port to be reached at.
///
/// It has an address of each family that the cluster has (`PreferDualStack`).
pub fn object(pod: &Pod, exposure: Exposure, naming: &Naming, owner: &Owner) -> Option<Object> {
    let ports: Vec<ServicePort> = distinct_ports(pod)
        .map(|port| ServicePort {
            // A Service's port names must differ; those of a pod need not.
            name: Some(format!("{}-{}", port.protocol, port.number).to_lowercase()),
            port: port.number.into(),
            protocol: Some(port.protocol.to_string()),
            target_port: Some(IntOrString::Int(port.number.into())),
            ..ServicePort::default()
        })
        .collect();
    if ports.is_empty() {
        return None;
    }
    let (kind, policy) = match exposure {
        Exposure::Cluster => ("ClusterIP", None),
        Exposure::Nodes => ("NodePort", Some("Cluster")),
        Exposure::OwnNode => ("NodePort", Some("Local")),
    };
    Some(Object {
        metadata: ObjectMeta {
            namespace: Some(naming.namespace(&pod.name.namespace).to_string()),
            name: Some(name(&pod.name.name, exposure).to_string()),
            labels: Some(owner.managed_labels()),
            ..ObjectMeta::default()
        },
        spec: Some(ServiceSpec {
            type_: Some(kind.to_owned()),
            external_traffic_policy: policy.map(str::to_owned),
            ip_family_policy: Some("PreferDualStack".to_owned()),
            selector: Some(BTreeMap::from([selector(&pod.name.name)])),
            ports: Some(ports),
            ..ServiceSpec::default()
        }),
        ..Object::default()
    })
}
