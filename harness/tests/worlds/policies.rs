//! Random policies, and their manifests.

use fastrand::Rng;
use ringfence::model::{
    Cidr, LabelSelector, NAMESPACE_NAME_LABEL, NetworkPolicy, Operator, Origin, Peer, PolicyName,
    PolicyPort, PolicyType, PortRef, Requirement, Rule,
};
use serde_json::{Map, Value, json};

use super::{KEYS, NAMESPACES, NODE_PORT, NUMBERS, PORT_NAMES, VALUES, pick, protocol};

/// Ranges around the worlds' external hosts and nodes, with narrower ones to leave out: some
/// within each other, some side by side, some that together are the whole.
pub(crate) const BLOCKS: [(&str, &[&str]); 10] = [
    (
        "203.0.113.0/24",
        &["203.0.113.0/25", "203.0.113.4/30", "203.0.113.200/32", "203.0.113.201/32"],
    ),
    ("203.0.113.128/25", &["203.0.113.128/26", "203.0.113.192/27", "203.0.113.224/27"]),
    ("203.0.113.5/32", &[]),
    ("0.0.0.0/0", &["203.0.113.0/24", "203.0.113.128/25", "172.16.0.0/12", "172.18.0.1/32"]),
    ("0.0.0.0/0", &["0.0.0.0/1", "128.0.0.0/1"]),
    ("2001:db8:1::/48", &["2001:db8:1:200::/64", "2001:db8:1:5::/64", "2001:db8:1:8000::/49"]),
    ("::/0", &["2001:db8:1::/48", "2001:db8:1:5::/64", "fd00:10:18::/48"]),
    ("198.51.100.0/24", &["198.51.100.0/28"]),
    ("172.18.0.0/24", &["172.18.0.1/32", "172.18.0.2/31"]),
    ("fd00:10:18::/64", &["fd00:10:18::2/127"]),
];

pub(crate) fn policy(
    random: &mut Rng,
    namespace: &str,
    name: &str,
    origin: &Origin,
) -> NetworkPolicy {
    let pod_selector =
        if random.f32() < 0.3 { LabelSelector::everything() } else { selector(random) };
    let policy_types = match random.u8(..6) {
        0 => None,
        1 => Some(Vec::new()),
        2 => Some(vec![PolicyType::Ingress]),
        3 => Some(vec![PolicyType::Egress]),
        4 => Some(vec![PolicyType::Egress, PolicyType::Ingress]),
        _ => Some(vec![PolicyType::Ingress, PolicyType::Egress]),
    };
    let ingress = list(random, 2, |random| rule(random, origin));
    let egress = list(random, 2, |random| rule(random, origin));
    let mut policy = NetworkPolicy {
        name: PolicyName::new(namespace, name),
        pod_selector,
        policy_types,
        ingress,
        egress,
        origin: origin.clone(),
        manifest: Value::Null,
    };
    policy.manifest = manifest(&policy);
    policy
}

/// Absent, empty, or up to `most` items.
fn list<T>(random: &mut Rng, most: usize, mut item: impl FnMut(&mut Rng) -> T) -> Option<Vec<T>> {
    match random.u8(..6) {
        0 => None,
        1 => Some(Vec::new()),
        _ => Some((0..random.usize(1..=most)).map(|_| item(random)).collect()),
    }
}

fn rule(random: &mut Rng, origin: &Origin) -> Rule {
    Rule {
        peers: list(random, 3, |random| peer(random, origin)),
        ports: list(random, 2, |random| port(random, origin)),
        origin: origin.clone(),
    }
}

fn peer(random: &mut Rng, origin: &Origin) -> Peer {
    let (pods, namespaces) = match random.u8(..4) {
        0 => {
            let (cidr, holes) = BLOCKS[random.usize(..BLOCKS.len())];
            let except = holes.iter().filter(|_| random.bool()).map(|hole| range(hole)).collect();
            return Peer::IpBlock { cidr: range(cidr), except, origin: origin.clone() };
        }
        1 => (true, false),
        2 => (false, true),
        _ => (true, true),
    };
    Peer::Pods {
        pod_selector: pods.then(|| selector(random)),
        namespace_selector: namespaces.then(|| namespace_selector(random)),
        origin: origin.clone(),
    }
}

fn range(text: &str) -> Cidr {
    Cidr::new(text).expect("the generator writes ranges well")
}

fn port(random: &mut Rng, origin: &Origin) -> PolicyPort {
    const NODE: usize = NUMBERS.len();
    let number = match random.usize(..=NUMBERS.len()) {
        NODE => NODE_PORT,
        listed => NUMBERS[listed],
    };
    let (port, end_port) = match random.u8(..8) {
        0 => (None, None),
        1 | 2 => (Some(PortRef::Name(pick(random, &PORT_NAMES).into())), None),
        // Ends at a port that pods listen on, or before or behind it.
        3 => {
            let last = NUMBERS[random.usize(..NUMBERS.len())] + random.u16(..=2) - 1;
            (Some(PortRef::Number(number.min(last))), Some(last))
        }
        4 => (Some(PortRef::Number(number)), Some(number + random.u16(..400))),
        _ => (Some(PortRef::Number(number)), None),
    };
    let protocol = (random.u8(..3) > 0).then(|| protocol(random));
    PolicyPort { protocol, port, end_port, origin: origin.clone() }
}

/// At times by the label that every namespace has of itself.
pub(crate) fn namespace_selector(random: &mut Rng) -> LabelSelector {
    if random.u8(..4) > 0 {
        return selector(random);
    }
    LabelSelector::label(NAMESPACE_NAME_LABEL, pick(random, &NAMESPACES))
}

/// Up to two labels and up to two expressions, most often one of either.
pub(crate) fn selector(random: &mut Rng) -> LabelSelector {
    let mut selector = LabelSelector::everything();
    let (labels, expressions) = match random.u8(..8) {
        0 => (0, 0),
        1..=3 => (1, 0),
        4..=5 => (0, 1),
        6 => (1, 1),
        _ => (random.usize(..=2), random.usize(..=2)),
    };
    let key = |random: &mut Rng| pick(random, &KEYS).to_owned();
    for _ in 0..labels {
        selector.match_labels.insert(key(random), pick(random, &VALUES).to_owned());
    }
    for _ in 0..expressions {
        let operators = [Operator::In, Operator::NotIn, Operator::Exists, Operator::DoesNotExist];
        let operator = operators[random.usize(..operators.len())];
        let values = match operator {
            Operator::In | Operator::NotIn => {
                let mut values = VALUES.map(str::to_owned).to_vec();
                random.shuffle(&mut values);
                values.truncate(random.usize(1..=2));
                values
            }
            Operator::Exists | Operator::DoesNotExist => Vec::new(),
        };
        selector.match_expressions.push(Requirement { key: key(random), operator, values });
    }
    selector
}

/// The object that says what the policy says, as kubectl would apply it.
pub(crate) fn manifest(policy: &NetworkPolicy) -> Value {
    let mut spec = Map::new();
    spec.insert("podSelector".to_owned(), selector_value(&policy.pod_selector));
    if let Some(types) = &policy.policy_types {
        spec.insert("policyTypes".to_owned(), json!(types));
    }
    for (field, peers, rules) in
        [("ingress", "from", &policy.ingress), ("egress", "to", &policy.egress)]
    {
        if let Some(rules) = rules {
            let rules = rules.iter().map(|rule| rule_value(rule, peers)).collect();
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

fn rule_value(rule: &Rule, peers_field: &str) -> Value {
    let mut object = Map::new();
    if let Some(peers) = &rule.peers {
        let peers = peers.iter().map(peer_value).collect();
        object.insert(peers_field.to_owned(), Value::Array(peers));
    }
    if let Some(ports) = &rule.ports {
        object.insert("ports".to_owned(), Value::Array(ports.iter().map(port_value).collect()));
    }
    Value::Object(object)
}

fn peer_value(peer: &Peer) -> Value {
    let mut object = Map::new();
    match peer {
        Peer::Pods { pod_selector, namespace_selector, .. } => {
            for (field, selector) in
                [("podSelector", pod_selector), ("namespaceSelector", namespace_selector)]
            {
                if let Some(selector) = selector {
                    object.insert(field.to_owned(), selector_value(selector));
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

fn port_value(port: &PolicyPort) -> Value {
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

pub(crate) fn selector_value(selector: &LabelSelector) -> Value {
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
