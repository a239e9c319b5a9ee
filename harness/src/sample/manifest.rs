//! The manifest of a policy: what kubectl would apply.

use serde_json::{Map, Value, json};

use crate::model::{LabelSelector, NetworkPolicy, Peer, PolicyPort, PortRef, Rule};

/// The object that says what the policy says; what is absent there is absent here.
pub fn manifest(policy: &NetworkPolicy) -> Value {
    let mut spec = Map::new();
    spec.insert("podSelector".to_owned(), selector_manifest(&policy.pod_selector));
    if let Some(types) = &policy.policy_types {
        spec.insert("policyTypes".to_owned(), json!(types));
    }
    for (field, peers, rules) in
        [("ingress", "from", &policy.ingress), ("egress", "to", &policy.egress)]
    {
        if let Some(rules) = rules {
            let rules = rules.iter().map(|one| rule(one, peers)).collect();
            spec.insert(field.to_owned(), Value::Array(rules));
        }
    }
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": { "namespace": *policy.name.namespace, "name": *policy.name.name },
        "spec": spec,
    })
}

fn rule(rule: &Rule, peers_field: &str) -> Value {
    let mut object = Map::new();
    if let Some(peers) = &rule.peers {
        object.insert(peers_field.to_owned(), Value::Array(peers.iter().map(peer).collect()));
    }
    if let Some(ports) = &rule.ports {
        object.insert("ports".to_owned(), Value::Array(ports.iter().map(port).collect()));
    }
    Value::Object(object)
}

fn peer(peer: &Peer) -> Value {
    let mut object = Map::new();
    match peer {
        Peer::Pods { pod_selector, namespace_selector, .. } => {
            for (field, present) in
                [("podSelector", pod_selector), ("namespaceSelector", namespace_selector)]
            {
                if let Some(present) = present {
                    object.insert(field.to_owned(), selector_manifest(present));
                }
            }
        }
        Peer::IpBlock { cidr, except, .. } => {
            let mut block = Map::from_iter([("cidr".to_owned(), json!(cidr.text))]);
            if !except.is_empty() {
                let except: Vec<&str> = except.iter().map(|hole| hole.text.as_str()).collect();
                block.insert("except".to_owned(), json!(except));
            }
            object.insert("ipBlock".to_owned(), Value::Object(block));
        }
    }
    Value::Object(object)
}

fn port(port: &PolicyPort) -> Value {
    let mut object = Map::new();
    if let Some(protocol) = port.protocol {
        object.insert("protocol".to_owned(), json!(protocol));
    }
    match &port.port {
        Some(PortRef::Number(number)) => {
            object.insert("port".to_owned(), json!(number));
        }
        Some(PortRef::Name(name)) => {
            object.insert("port".to_owned(), json!(**name));
        }
        None => {}
    }
    if let Some(last) = port.end_port {
        object.insert("endPort".to_owned(), json!(last));
    }
    Value::Object(object)
}

/// A selector as manifests have it.
pub fn selector_manifest(selector: &LabelSelector) -> Value {
    let mut object = Map::new();
    if !selector.match_labels.is_empty() {
        object.insert("matchLabels".to_owned(), json!(selector.match_labels));
    }
    if !selector.match_expressions.is_empty() {
        let expressions = selector.match_expressions.iter().map(|requirement| {
            let mut object = Map::from_iter([
                ("key".to_owned(), json!(requirement.key)),
                ("operator".to_owned(), json!(requirement.operator)),
            ]);
            if !requirement.values.is_empty() {
                object.insert("values".to_owned(), json!(requirement.values));
            }
            Value::Object(object)
        });
        object.insert("matchExpressions".to_owned(), expressions.collect());
    }
    Value::Object(object)
}
