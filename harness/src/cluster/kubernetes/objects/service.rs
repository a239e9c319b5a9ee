//! Services, each in front of exactly one pod.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service as Object, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::pod::{distinct_ports, selector};
use crate::cluster::kubernetes::naming::{LIMIT, Naming, hashed};
use crate::cluster::kubernetes::owner::Owner;
use crate::model::{Name, Pod, service_port};

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

/// The Service of a pod; `None` where it has no port to be reached at. Its ports are others
/// than the pod's ([`service_port`]).
///
/// It has an address of each family that the cluster has (`PreferDualStack`).
pub fn object(pod: &Pod, exposure: Exposure, naming: &Naming, owner: &Owner) -> Option<Object> {
    let ports: Vec<ServicePort> = distinct_ports(pod)
        .map(|port| ServicePort {
            // A Service's port names must differ; those of a pod need not.
            name: Some(format!("{}-{}", port.protocol, port.number).to_lowercase()),
            port: service_port(port.number).into(),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use expect_test::expect_file;

    use super::super::fixture::{compare, naming, owner, pod};
    use super::super::pod::labels;
    use super::*;

    const ALL: [Exposure; 3] = [Exposure::Cluster, Exposure::Nodes, Exposure::OwnNode];

    #[test]
    fn a_service_has_every_port_once_and_selects_its_pod_alone() {
        let db = pod("db", &["http:80/TCP", "dns:53/UDP", "53/TCP", "assoc:9/SCTP", "web:80/TCP"]);
        let objects = ALL.map(|exposure| object(&db, exposure, &naming(), &owner()).unwrap());
        for service in &objects {
            let selector = service.spec.as_ref().unwrap().selector.as_ref().unwrap();
            let selects = |pod: &Pod| {
                let labels = labels(pod, &owner());
                selector.iter().all(|(key, value)| labels.get(key) == Some(value))
            };
            assert!(selects(&db));
            let mut twin = pod("other", &[]);
            twin.labels.clone_from(&db.labels);
            assert!(!selects(&twin));
        }
        compare(&objects, expect_file!["golden/services.yaml"]);
        assert_eq!(object(&pod("idle", &[]), Exposure::Cluster, &naming(), &owner()), None);
    }

    /// `^[a-z]([-a-z0-9]*[a-z0-9])?$`, at most 63 (RFC 1035 labels).
    #[test]
    fn every_pods_name_makes_names_of_services() {
        let long = "a".repeat(63);
        let pods = ["db", "0", "own-node-db", "nodes-db", "a.b", "a-b", &long, &"x.".repeat(120)];
        let mut names = BTreeSet::new();
        for pod in pods {
            for exposure in ALL {
                let name = name(pod.trim_end_matches('.'), exposure);
                assert!(name.len() <= LIMIT, "{name}");
                assert!(name.starts_with(|c: char| c.is_ascii_lowercase()), "{name}");
                assert!(name.ends_with(|c: char| c.is_ascii_alphanumeric()), "{name}");
                let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                assert!(name.chars().all(plain), "{name}");
                names.insert(name);
            }
        }
        assert_eq!(names.len(), pods.len() * ALL.len());
    }
}
