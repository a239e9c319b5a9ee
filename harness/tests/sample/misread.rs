//! Clusters that misread: what they enforce is what the engine makes of another case.

use std::collections::BTreeSet;
use std::sync::Arc;

use ringfence::model::{
    Change, Intent, LabelSelector, NetworkPolicy, Operator, Peer, PolicyName, PortRef, Protocol,
    Requirement, Rule,
};
use ringfence::sample::{Failure, Sample};

/// A way to misread, by name.
pub(crate) struct Misreading {
    pub(crate) name: &'static str,
    pub(crate) read: fn(&Sample) -> Sample,
}

/// How a case fails on a cluster that misreads it; empty where it does not.
pub(crate) fn failures(sample: &Sample, misreading: &Misreading) -> Vec<Failure> {
    let read = (misreading.read)(sample);
    let (Ok(specified), Ok(enforced)) = (sample.specified(), read.specified()) else {
        return Vec::new();
    };
    let mut failures = Vec::new();
    for (step, (specified, enforced)) in specified.into_iter().zip(enforced).enumerate() {
        for (cell, specified) in specified {
            let done = enforced.get(&cell).copied().unwrap_or(Intent::Any);
            if specified != Intent::Any && done != Intent::Any && done != specified {
                failures.push(Failure { step, cell, specified });
            }
        }
    }
    failures
}

/// The case with every policy changed.
fn policies(sample: &Sample, misread: impl Fn(&mut NetworkPolicy)) -> Sample {
    let mut read = sample.clone();
    for change in read.steps.iter_mut().flatten() {
        if let Change::ApplyPolicy(policy) = change {
            misread(Arc::make_mut(policy));
        }
    }
    read
}

/// The case with every rule changed.
fn rules(sample: &Sample, misread: impl Fn(&mut Rule)) -> Sample {
    policies(sample, |policy| {
        policy.ingress.iter_mut().chain(&mut policy.egress).flatten().for_each(&misread);
    })
}

fn peers(sample: &Sample, misread: impl Fn(Peer) -> Vec<Peer>) -> Sample {
    rules(sample, |rule| {
        let read = |peers: Vec<Peer>| peers.into_iter().flat_map(&misread).collect();
        rule.peers = rule.peers.take().map(read);
    })
}

fn selectors(sample: &Sample, misread: impl Fn(&mut LabelSelector)) -> Sample {
    rules(sample, |rule| {
        for peer in rule.peers.iter_mut().flatten() {
            if let Peer::Pods { pod_selector, namespace_selector, .. } = peer {
                pod_selector.iter_mut().chain(namespace_selector).for_each(&misread);
            }
        }
    })
}

/// The case without some of its changes, of which steps keep their places.
fn ignoring(sample: &Sample, ignored: impl Fn(&Change) -> bool) -> Sample {
    let mut read = sample.clone();
    read.steps.iter_mut().for_each(|step| step.retain(|change| !ignored(change)));
    read
}

/// A policy that is there is not replaced.
fn update_ignored(sample: &Sample) -> Sample {
    let mut read = sample.clone();
    let mut there: BTreeSet<PolicyName> = BTreeSet::new();
    for step in &mut read.steps {
        step.retain(|change| match change {
            Change::ApplyPolicy(policy) => there.insert(policy.name.clone()),
            Change::DeletePolicy(name) => {
                there.remove(name);
                true
            }
            _ => true,
        });
    }
    read
}

/// Mistakes of every part of a policy and of a world's changes.
pub(crate) const MISREADINGS: [Misreading; 13] = [
    Misreading { name: "except-ignored", read: except_ignored },
    Misreading {
        name: "and-read-as-or",
        read: |sample| {
            peers(sample, |peer| match peer {
                Peer::Pods {
                    pod_selector: Some(pod),
                    namespace_selector: Some(namespace),
                    origin,
                } => {
                    let one = |pod_selector, namespace_selector| Peer::Pods {
                        pod_selector,
                        namespace_selector,
                        origin: origin.clone(),
                    };
                    vec![one(Some(pod), None), one(None, Some(namespace))]
                }
                other => vec![other],
            })
        },
    },
    Misreading {
        name: "empty-peers-read-as-none",
        read: |sample| {
            policies(sample, |policy| {
                for rules in [&mut policy.ingress, &mut policy.egress].into_iter().flatten() {
                    rules.retain(|rule| rule.peers.as_ref().is_none_or(|peers| !peers.is_empty()));
                }
            })
        },
    },
    Misreading {
        name: "not-in-wants-the-key",
        read: |sample| {
            selectors(sample, |selector| {
                let keys: Vec<String> = selector
                    .match_expressions
                    .iter()
                    .filter(|one| one.operator == Operator::NotIn)
                    .map(|one| one.key.clone())
                    .collect();
                selector.match_expressions.extend(keys.into_iter().map(|key| Requirement {
                    key,
                    operator: Operator::Exists,
                    values: Vec::new(),
                }));
            })
        },
    },
    Misreading {
        name: "expressions-ignored",
        read: |sample| selectors(sample, |selector| selector.match_expressions.clear()),
    },
    Misreading {
        name: "first-of-a-range",
        read: |sample| {
            rules(sample, |rule| {
                rule.ports.iter_mut().flatten().for_each(|port| port.end_port = None);
            })
        },
    },
    Misreading {
        name: "sctp-read-as-tcp",
        read: |sample| {
            rules(sample, |rule| {
                for port in rule.ports.iter_mut().flatten() {
                    port.protocol = port.protocol.filter(|protocol| *protocol != Protocol::Sctp);
                }
            })
        },
    },
    Misreading {
        name: "names-read-as-80",
        read: |sample| {
            rules(sample, |rule| {
                for port in rule.ports.iter_mut().flatten() {
                    if matches!(port.port, Some(PortRef::Name(_))) {
                        port.port = Some(PortRef::Number(80));
                    }
                }
            })
        },
    },
    Misreading {
        name: "egress-ignored",
        read: |sample| {
            policies(sample, |policy| {
                let types = policy.policy_types.take();
                let ingress = types.is_none_or(|types| {
                    types.is_empty() || types.contains(&ringfence::model::PolicyType::Ingress)
                });
                policy.policy_types = Some(vec![ringfence::model::PolicyType::Ingress]);
                policy.egress = None;
                if !ingress {
                    policy.ingress = Some(vec![Rule {
                        peers: None,
                        ports: None,
                        origin: policy.origin.clone(),
                    }]);
                }
            })
        },
    },
    Misreading {
        name: "delete-ignored",
        read: |sample| ignoring(sample, |change| matches!(change, Change::DeletePolicy(_))),
    },
    Misreading {
        name: "relabelling-ignored",
        read: |sample| ignoring(sample, |change| matches!(change, Change::LabelPod { .. })),
    },
    Misreading {
        name: "namespace-relabelling-ignored",
        read: |sample| ignoring(sample, |change| matches!(change, Change::LabelNamespace { .. })),
    },
    Misreading { name: "update-ignored", read: update_ignored },
];

/// `except` means nothing.
pub(crate) fn except_ignored(sample: &Sample) -> Sample {
    peers(sample, |mut peer| {
        if let Peer::IpBlock { except, .. } = &mut peer {
            except.clear();
        }
        vec![peer]
    })
}
