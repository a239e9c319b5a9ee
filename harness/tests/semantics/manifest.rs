//! Policies from the `spec` of a manifest, for tables that read like manifests.

use std::collections::BTreeMap;

use ringfence::model::{
    Cidr, LabelSelector, NetworkPolicy, Operator, Origin, Peer, PolicyName, PolicyPort, PolicyType,
    PortRef, Protocol, Requirement, Rule,
};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    #[serde(default)]
    pod_selector: Selector,
    policy_types: Option<Vec<PolicyType>>,
    ingress: Option<Vec<Ingress>>,
    egress: Option<Vec<Egress>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Selector {
    match_labels: BTreeMap<String, String>,
    match_expressions: Vec<Expression>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expression {
    key: String,
    operator: Operator,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ingress {
    from: Option<Vec<PeerSpec>>,
    ports: Option<Vec<PortSpec>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Egress {
    to: Option<Vec<PeerSpec>>,
    ports: Option<Vec<PortSpec>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PeerSpec {
    pod_selector: Option<Selector>,
    namespace_selector: Option<Selector>,
    ip_block: Option<Block>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    cidr: String,
    #[serde(default)]
    except: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PortSpec {
    protocol: Option<Protocol>,
    port: Option<Value>,
    end_port: Option<u16>,
}

/// A policy of this name with this `spec`; every origin gets a line of its own.
pub(crate) fn policy(namespace: &str, name: &str, spec: &Value) -> NetworkPolicy {
    let spec: Spec = serde_json::from_value(spec.clone()).expect("the spec is well written");
    let mut origins = Origins { file: format!("{name}.yaml"), line: 0 };
    let origin = origins.next();
    let ingress = spec
        .ingress
        .map(|rules| rules.into_iter().map(|rule| origins.rule(rule.from, rule.ports)).collect());
    let egress = spec
        .egress
        .map(|rules| rules.into_iter().map(|rule| origins.rule(rule.to, rule.ports)).collect());
    NetworkPolicy {
        name: PolicyName::new(namespace, name),
        pod_selector: spec.pod_selector.into_model(),
        policy_types: spec.policy_types,
        ingress,
        egress,
        origin,
        manifest: Value::Null,
    }
}

struct Origins {
    file: String,
    line: u32,
}

impl Origins {
    fn next(&mut self) -> Origin {
        self.line += 1;
        Origin {
            line: self.line,
            column: 1,
            file: self.file.as_str().into(),
            ..Origin::synthetic("")
        }
    }

    fn rule(&mut self, peers: Option<Vec<PeerSpec>>, ports: Option<Vec<PortSpec>>) -> Rule {
        let origin = self.next();
        let peers = peers.map(|peers| peers.into_iter().map(|peer| self.peer(peer)).collect());
        let ports = ports.map(|ports| ports.into_iter().map(|port| self.port(port)).collect());
        Rule { peers, ports, origin }
    }

    fn peer(&mut self, peer: PeerSpec) -> Peer {
        let origin = self.next();
        let range = |text: &str| Cidr::new(text).expect("the range is well written");
        match peer.ip_block {
            Some(block) => Peer::IpBlock {
                cidr: range(&block.cidr),
                except: block.except.iter().map(|hole| range(hole)).collect(),
                origin,
            },
            None => Peer::Pods {
                pod_selector: peer.pod_selector.map(Selector::into_model),
                namespace_selector: peer.namespace_selector.map(Selector::into_model),
                origin,
            },
        }
    }

    fn port(&mut self, port: PortSpec) -> PolicyPort {
        let number = |number: u64| u16::try_from(number).expect("a port has 16 bits");
        let reference = port.port.map(|value| match value {
            Value::String(name) => PortRef::Name(name.as_str().into()),
            other => PortRef::Number(number(other.as_u64().expect("a name or a number"))),
        });
        PolicyPort {
            protocol: port.protocol,
            port: reference,
            end_port: port.end_port,
            origin: self.next(),
        }
    }
}

impl Selector {
    fn into_model(self) -> LabelSelector {
        let expressions = self.match_expressions.into_iter();
        LabelSelector {
            match_labels: self.match_labels,
            match_expressions: expressions
                .map(|Expression { key, operator, values }| Requirement { key, operator, values })
                .collect(),
        }
    }
}
