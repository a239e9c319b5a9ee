//! What the policies of the cluster were asked, and what they answered.

use super::super::answer::Answer;
use super::super::flow::End;
use super::super::tiers::ReadyClusterPolicy;
use super::explanation::{ClusterPolicyTrace, ClusterRuleTrace, EntryTrace, RuleTrace};
use super::reason::{self, Weighing, clause_text, labels_text};
use crate::model::{
    Cidr, ClusterAction, ClusterPeer, ClusterPolicyKind, ClusterPort, ClusterRule, ClusterSubject,
    Effect, Family, LabelSelector, PodName, Side, Tier, Via,
};

impl Weighing<'_> {
    /// Every policy of the cluster, for the end that the direction is about.
    pub(super) fn cluster(&self, side: &Side) -> Vec<ClusterPolicyTrace> {
        let End::Pod(index, _) = self.flow.subject(self.direction) else {
            return Vec::new();
        };
        let name = &self.engine.names[index];
        let mut traces: Vec<ClusterPolicyTrace> = Vec::new();
        // The last policy that surely matched, by which those behind it are not asked.
        let mut decider: Option<&ReadyClusterPolicy> = None;
        for ready in &self.engine.tiers.policies {
            let policy = &*ready.policy;
            let aside =
                self.not_about(ready, name).or_else(|| self.not_asked(ready, side, decider));
            let mut rules = Vec::new();
            if aside.is_none() {
                for (index, rule) in policy.rules(self.direction).iter().enumerate() {
                    let trace = self.cluster_rule(ready, index, rule);
                    let sure = trace.rule.answer == Answer::Yes;
                    rules.push(trace);
                    if sure {
                        decider = Some(ready);
                        break;
                    }
                }
            }
            let left = policy.rules(self.direction).len() - rules.len();
            let about = match left {
                0 => "is about it".to_owned(),
                1 => "is about it; its last rule is not asked".to_owned(),
                left => format!("is about it; its last {left} rules are not asked"),
            };
            traces.push(ClusterPolicyTrace {
                policy: policy.name.clone(),
                tier: policy.tier,
                priority: policy.priority,
                origin: policy.origin.clone(),
                asked: aside.is_none(),
                reason: aside.unwrap_or(about),
                rules,
            });
        }
        traces
    }

    /// Why a policy is not about the pod.
    fn not_about(&self, ready: &ReadyClusterPolicy, name: &PodName) -> Option<String> {
        let (policy, direction) = (&ready.policy, self.direction);
        let (namespaces, pods) = match &policy.subject {
            ClusterSubject::Namespaces { selector, .. } => (selector, None),
            ClusterSubject::Pods { namespace_selector, pod_selector, .. } => {
                (namespace_selector, Some(pod_selector))
            }
        };
        let topology = &self.world.topology;
        let (Some(namespace), Some(pod)) =
            (topology.namespaces.get(&name.namespace), topology.pods.get(name))
        else {
            return Some(format!("namespace `{}` is not in the topology", name.namespace));
        };
        let pod_selector = pods.filter(|selector| !selector.matches(&pod.labels));
        let to_itself = self.flow.cell.source == self.flow.cell.destination
            && self.flow.cell.via == Via::Pod
            && policy.name.kind == ClusterPolicyKind::ClusterNetworkPolicy;
        if !namespaces.matches(&namespace.labels) {
            let labels = labels_text(&namespace.labels);
            Some(format!("is about other namespaces: `{namespaces}` does not match {labels}"))
        } else if let Some(selector) = pod_selector {
            let labels = labels_text(&pod.labels);
            Some(format!("is about other pods: `{selector}` does not match {labels}"))
        } else if pod.host_network {
            Some("is not about hostNetwork pods".to_owned())
        } else if policy.rules(direction).is_empty() {
            Some(format!("has no {direction} rules, and so no effect there"))
        } else if to_itself {
            Some("is not about a pod that connects to its own address".to_owned())
        } else {
            None
        }
    }

    /// Why a policy that is about the pod is not asked.
    fn not_asked(
        &self,
        ready: &ReadyClusterPolicy,
        side: &Side,
        decider: Option<&ReadyClusterPolicy>,
    ) -> Option<String> {
        let policy = &ready.policy;
        if policy.tier == Tier::Baseline {
            if let Effect::AcceptedBy(Tier::Admin) | Effect::DeniedBy(Tier::Admin) = side.effect {
                return Some("is not asked: the Admin tier decides".to_owned());
            }
            if let Some(first) = side.isolating.first() {
                return Some(format!("is not asked: `{}` isolates it", first.name));
            }
        }
        let first = decider.map(|ready| &ready.policy).filter(|first| {
            first.tier == policy.tier
                && first.name.kind == policy.name.kind
                && first.priority < policy.priority
        })?;
        Some(format!("is not asked: `{}` comes before it and matches", first.name))
    }

    fn cluster_rule(
        &self,
        ready: &ReadyClusterPolicy,
        index: usize,
        rule: &ClusterRule,
    ) -> ClusterRuleTrace {
        let found = self.engine.cluster_rule_answer(&self.flow, self.direction, ready, index);
        let sets = &ready.peers[self.direction][index];
        let peers: Vec<EntryTrace> = rule
            .peers
            .iter()
            .zip(sets)
            .map(|(peer, set)| {
                let answer = self.engine.cluster_peer_answer(&self.flow, self.direction, peer, set);
                EntryTrace {
                    origin: peer.origin().clone(),
                    text: peer_text(peer),
                    answer,
                    reason: self.cluster_peer_reason(peer, answer),
                }
            })
            .collect();
        let ports: Vec<EntryTrace> = rule
            .ports
            .iter()
            .map(|port| {
                let answer = self.engine.cluster_port_answer(&self.flow, self.direction, port);
                EntryTrace {
                    origin: port.origin().clone(),
                    text: port_text(port),
                    answer,
                    reason: self.cluster_port_reason(port, answer),
                }
            })
            .collect();
        let unknown = rule.peers.iter().any(|peer| matches!(peer, ClusterPeer::Unknown { .. }));
        let reason = match (found.answer, found.action) {
            (Answer::No, _) if unknown => {
                "a peer is not understood, so it matches nothing".to_owned()
            }
            (Answer::Yes, _) if unknown => {
                "a peer is not understood, so it denies everything".to_owned()
            }
            (Answer::Yes, ClusterAction::Accept) => "accepts it".to_owned(),
            (Answer::Yes, ClusterAction::Deny) => "denies it".to_owned(),
            (Answer::Yes, ClusterAction::Pass) if ready.tier() == Tier::Admin => {
                "passes it on to NetworkPolicies".to_owned()
            }
            (Answer::Yes, ClusterAction::Pass) => "passes it on to the default, allow".to_owned(),
            (answer, _) => reason::rule_reason(answer, &peers, &ports),
        };
        ClusterRuleTrace {
            name: rule.name.clone(),
            action: ready.policy.name.kind.word(rule.action).to_owned(),
            rule: RuleTrace {
                rule: index,
                origin: rule.origin.clone(),
                answer: found.answer,
                reason,
                peers,
                ports,
            },
        }
    }

    fn cluster_peer_reason(&self, peer: &ClusterPeer, answer: Answer) -> String {
        let name = self.peer_name();
        match answer {
            Answer::Open(clause) => {
                return format!(
                    "covers `{name}`, where the API leaves it open ({})",
                    clause_text(clause)
                );
            }
            Answer::Missing(fact) => return fact.to_string(),
            Answer::Yes | Answer::No => {}
        }
        match peer {
            ClusterPeer::Networks { cidrs, .. } => {
                let family = self.flow.cell.family;
                let of_family = |cidr: &&Cidr| Family::of(cidr.net.addr()) == family;
                let mut fitting = cidrs.iter().filter(of_family);
                match fitting.next() {
                    None => format!("none is of the connection's family, {family}"),
                    // Of several ranges all the others say the same where none matches.
                    Some(first) => {
                        let known = self.engine.addresses(self.flow.peer(self.direction));
                        let holds = |cidr: &&Cidr| known.iter().any(|ip| cidr.contains(*ip));
                        let told = cidrs.iter().filter(of_family).find(holds).unwrap_or(first);
                        self.block_reason(told, &[])
                    }
                }
            }
            ClusterPeer::Unknown { .. } => "is not understood".to_owned(),
            _ if answer == Answer::Yes => format!("matches `{name}`"),
            ClusterPeer::Namespaces { selector, .. } => self.cluster_pods_miss(selector),
            ClusterPeer::Pods { namespace_selector, .. } => {
                self.cluster_pods_miss(namespace_selector)
            }
            ClusterPeer::Nodes { .. } => match self.flow.peer(self.direction) {
                End::Node(node) => match &node.labels {
                    Some(labels) => format!("`{name}` has labels {}", labels_text(labels)),
                    None => format!("the labels of `{name}` are not known"),
                },
                End::Pod(_, pod) if pod.host_network => {
                    format!("the node of `{name}` does not match")
                }
                End::Pod(..) | End::External(_) => format!("`{name}` is no node"),
            },
            ClusterPeer::DomainNames { .. } => "domain names are not looked up".to_owned(),
        }
    }

    fn cluster_pods_miss(&self, namespaces: &LabelSelector) -> String {
        let name = self.peer_name();
        let End::Pod(index, pod) = self.flow.peer(self.direction) else {
            return format!("`{name}` is no pod, and selectors match pods alone");
        };
        if pod.host_network {
            return format!("`{name}` is a hostNetwork pod, which is no peer of this type");
        }
        let namespace = &self.engine.names[index].namespace;
        match self.world.topology.namespaces.get(namespace) {
            None => format!("namespace `{namespace}` is not in the topology"),
            Some(found) if !namespaces.matches(&found.labels) => {
                format!("namespace `{namespace}` has labels {}", labels_text(&found.labels))
            }
            Some(_) => format!("`{name}` has labels {}", labels_text(&pod.labels)),
        }
    }

    fn cluster_port_reason(&self, port: &ClusterPort, answer: Answer) -> String {
        let cell = self.flow.cell;
        let asked = format!("{}/{}", cell.port, cell.protocol);
        match (answer, port) {
            (Answer::Yes, _) => format!("covers {asked}"),
            (Answer::Open(clause), _) => {
                format!("covers {asked}, where the API leaves it open ({})", clause_text(clause))
            }
            (Answer::Missing(fact), _) => fact.to_string(),
            (Answer::No, ClusterPort::Name { name, .. }) => {
                format!("no port {asked} of `{}` is named `{name}`", cell.destination)
            }
            (Answer::No, _) => format!("{asked} was asked"),
        }
    }
}

fn peer_text(peer: &ClusterPeer) -> String {
    let list = |items: Vec<String>| items.join(", ");
    match peer {
        ClusterPeer::Namespaces { selector, .. } => format!("namespaces {selector}"),
        ClusterPeer::Pods { namespace_selector, pod_selector, .. } => {
            format!("pods {pod_selector} in namespaces {namespace_selector}")
        }
        ClusterPeer::Networks { cidrs, .. } => {
            format!("networks {}", list(cidrs.iter().map(Cidr::to_string).collect()))
        }
        ClusterPeer::Nodes { selector, .. } => format!("nodes {selector}"),
        ClusterPeer::DomainNames { names, .. } => {
            format!("domainNames {}", list(names.iter().map(|name| name.to_string()).collect()))
        }
        ClusterPeer::Unknown { .. } => "a peer".to_owned(),
    }
}

fn port_text(port: &ClusterPort) -> String {
    match port {
        ClusterPort::Number { protocol, port, .. } => format!("{port}/{protocol}"),
        ClusterPort::Range { protocol, first, last, .. } => format!("{first}-{last}/{protocol}"),
        ClusterPort::Name { name, .. } => format!("port `{name}`"),
        ClusterPort::Protocol { protocol, .. } => format!("every {protocol} port"),
    }
}
