//! The objects that say what policies of the cluster say, as kubectl would apply them.

use ringfence::model::{
    ClusterPeer, ClusterPolicy, ClusterPolicyKind, ClusterPolicyVersion, ClusterPort, ClusterRule,
    ClusterSubject, LabelSelector, Protocol,
};
use serde_json::{Map, Value, json};

use crate::worlds::policies::selector_value;

pub(super) fn manifest(policy: &ClusterPolicy) -> Value {
    let version = match policy.version {
        ClusterPolicyVersion::V1alpha1 => "v1alpha1",
        ClusterPolicyVersion::V1alpha2 => "v1alpha2",
        ClusterPolicyVersion::V1beta1 => "v1beta1",
    };
    let mut spec = Map::new();
    if policy.name.kind == ClusterPolicyKind::ClusterNetworkPolicy {
        spec.insert("tier".to_owned(), json!(policy.tier.to_string()));
    }
    if let Some(priority) = policy.priority {
        spec.insert("priority".to_owned(), json!(priority));
    }
    let subject = match &policy.subject {
        ClusterSubject::Namespaces { selector, .. } => namespaces(selector),
        ClusterSubject::Pods { namespace_selector, pod_selector, .. } => {
            pods(namespace_selector, pod_selector)
        }
    };
    spec.insert("subject".to_owned(), subject);
    for (field, peers, rules) in
        [("ingress", "from", &policy.ingress), ("egress", "to", &policy.egress)]
    {
        if !rules.is_empty() {
            let rules = rules.iter().map(|each| rule(each, peers, policy)).collect();
            spec.insert(field.to_owned(), Value::Array(rules));
        }
    }
    json!({
        "apiVersion": format!("policy.networking.k8s.io/{version}"),
        "kind": policy.name.kind.as_str(),
        "metadata": { "name": *policy.name.name },
        "spec": spec,
    })
}

fn namespaces(selector: &LabelSelector) -> Value {
    json!({ "namespaces": selector_value(selector) })
}

fn pods(namespaces: &LabelSelector, pods: &LabelSelector) -> Value {
    json!({ "pods": {
        "namespaceSelector": selector_value(namespaces),
        "podSelector": selector_value(pods),
    } })
}

fn rule(rule: &ClusterRule, peers_field: &str, policy: &ClusterPolicy) -> Value {
    let first = policy.version == ClusterPolicyVersion::V1alpha1;
    let mut object = Map::new();
    if let Some(name) = &rule.name {
        object.insert("name".to_owned(), json!(**name));
    }
    object.insert("action".to_owned(), json!(policy.name.kind.word(rule.action)));
    object.insert(peers_field.to_owned(), rule.peers.iter().map(peer).collect());
    if !rule.ports.is_empty() {
        let ports = rule.ports.iter().map(|each| port(each, first)).collect();
        object.insert((if first { "ports" } else { "protocols" }).to_owned(), ports);
    }
    Value::Object(object)
}

fn peer(peer: &ClusterPeer) -> Value {
    match peer {
        ClusterPeer::Namespaces { selector, .. } => namespaces(selector),
        ClusterPeer::Pods { namespace_selector, pod_selector, .. } => {
            pods(namespace_selector, pod_selector)
        }
        ClusterPeer::Networks { cidrs, .. } => {
            json!({ "networks": cidrs.iter().map(|cidr| &*cidr.text).collect::<Vec<_>>() })
        }
        ClusterPeer::Nodes { selector, .. } => json!({ "nodes": selector_value(selector) }),
        ClusterPeer::DomainNames { names, .. } => {
            json!({ "domainNames": names.iter().map(|name| &**name).collect::<Vec<_>>() })
        }
        ClusterPeer::Unknown { .. } => json!({}),
    }
}

fn port(port: &ClusterPort, first: bool) -> Value {
    let later =
        |protocol: &Protocol, body: Value| json!({ (protocol.to_string().to_lowercase()): body });
    match (port, first) {
        (ClusterPort::Number { protocol, port, .. }, true) => {
            json!({ "portNumber": { "protocol": protocol, "port": port } })
        }
        (ClusterPort::Number { protocol, port, .. }, false) => {
            later(protocol, json!({ "destinationPort": { "number": port } }))
        }
        (ClusterPort::Range { protocol, first, last, .. }, true) => {
            json!({ "portRange": { "protocol": protocol, "start": first, "end": last } })
        }
        (ClusterPort::Range { protocol, first, last, .. }, false) => {
            let range = json!({ "start": first, "end": last });
            later(protocol, json!({ "destinationPort": { "range": range } }))
        }
        (ClusterPort::Name { name, .. }, true) => json!({ "namedPort": **name }),
        (ClusterPort::Name { name, .. }, false) => json!({ "destinationNamedPort": **name }),
        (ClusterPort::Protocol { protocol, .. }, _) => later(protocol, json!({})),
    }
}
