//! Pods: one of the topology's is one that runs the agent.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, Container, ContainerPort, EnvVar, LocalObjectReference, NodeAffinity,
    NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod as Object, PodSecurityContext,
    PodSpec, ResourceRequirements, SeccompProfile, SecurityContext, Sysctl,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use ringfence_probe::agent::{SOCKET, WATCH};
use ringfence_probe::wire::Ahead;

use crate::cluster::kubernetes::naming::{Naming, fit, hashed};
use crate::cluster::kubernetes::owner::{self, Owner};
use crate::model::{Name, Pod, PodName, Port};

/// The container that sessions are opened in.
pub const CONTAINER: &str = "agent";

/// Whom the agent runs as: nobody that a node has.
const USER: i64 = 65532;

/// The longest value of a variable, in bytes: a process takes 128 KiB with its name (execve(2),
/// `MAX_ARG_STRLEN`).
const LONGEST_VARIABLE: usize = 120 << 10;

/// How the agent's pods are made here, whatever they stand for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Agent {
    /// The image's reference.
    pub image: String,
    /// `imagePullPolicy`; `None` is the cluster's own default.
    pub pull_policy: Option<String>,
    /// The names of the secrets to pull with, in the pod's own namespace.
    pub pull_secrets: Vec<String>,
    /// Whether the agent may open raw sockets, for SCTP where the kernel has no
    /// sockets for it. It needs the level [`Level::Privileged`](super::Level).
    pub net_raw: bool,
}

/// What the agent of a pod answers with: the pod's namespace and name in the cluster,
/// so that one of another slot is known for a stranger.
pub fn identity(pod: &PodName, naming: &Naming) -> String {
    format!("{}/{}", naming.namespace(&pod.namespace), pod.name)
}

/// The name of the agent's abstract socket. Abstract names belong to a network, which
/// hostNetwork pods share with their node and each other (`unix(7)`).
pub fn socket(pod: &Pod, naming: &Naming) -> String {
    if pod.host_network { hashed(&identity(&pod.name, naming)) } else { SOCKET.to_owned() }
}

/// The label by which a Service selects a pod of this name.
pub fn selector(name: &str) -> (String, String) {
    (owner::POD.to_owned(), fit(name))
}

/// The pod's labels: as declared, those of its owner, and that of its Services.
pub fn labels(pod: &Pod, owner: &Owner) -> BTreeMap<String, String> {
    let mut labels = owner.labels();
    labels.extend([selector(&pod.name.name)]);
    labels.extend(pod.labels.clone());
    labels
}

/// The ports that something listens on, each number of a protocol once.
pub(super) fn distinct_ports(pod: &Pod) -> impl Iterator<Item = &Port> {
    let ports = pod.ports.iter().enumerate();
    ports.filter_map(|(index, port)| {
        let same = |other: &Port| (other.number, other.protocol) == (port.number, port.protocol);
        (!pod.ports[..index].iter().any(same)).then_some(port)
    })
}

/// A pod as it is created.
///
/// Unless it shares its node's network or may open raw sockets, it conforms to the
/// level *restricted*. It has no probes, since a policy could cut them, and asks for a
/// node by name rather than being bound to it, so that the scheduler's checks apply.
pub fn object(pod: &Pod, agent: &Agent, naming: &Naming, owner: &Owner) -> Object {
    let namespace = naming.namespace(&pod.name.namespace);
    let secrets = agent.pull_secrets.iter();
    let secrets: Vec<_> = secrets.map(|name| LocalObjectReference { name: name.clone() }).collect();
    Object {
        metadata: ObjectMeta {
            namespace: Some(namespace.to_string()),
            name: Some(pod.name.name.to_string()),
            labels: Some(labels(pod, owner)),
            ..ObjectMeta::default()
        },
        spec: Some(PodSpec {
            affinity: pod.node.as_ref().map(on_node),
            automount_service_account_token: Some(false),
            containers: containers(pod, agent, naming),
            enable_service_links: Some(false),
            host_network: pod.host_network.then_some(true),
            image_pull_secrets: (!secrets.is_empty()).then_some(secrets),
            restart_policy: Some("Always".to_owned()),
            security_context: Some(pod_security(pod, agent)),
            termination_grace_period_seconds: Some(1),
            ..PodSpec::default()
        }),
        ..Object::default()
    }
}

/// Has the agent of a new pod watch from its first moment. Where that is more than a process
/// is given in one variable, it does when it is asked.
pub fn watch_from_start(object: &mut Object, ahead: &Ahead) -> serde_json::Result<()> {
    let value = serde_json::to_string(ahead)?;
    let containers = object.spec.as_mut().map(|spec| spec.containers.as_mut_slice());
    if let Some([agent, ..]) = containers
        && value.len() <= LONGEST_VARIABLE
    {
        let variable = EnvVar { name: WATCH.to_owned(), value: Some(value), ..EnvVar::default() };
        agent.env.get_or_insert_default().push(variable);
    }
    Ok(())
}

/// The agent's container, and one more for each port that the first ones cannot
/// declare: within a container names are unique, and so is a number of a protocol.
/// A named port is looked up in the order of containers (`FindPort` in Kubernetes'
/// `pkg/api/v1/pod`), so ports of one name keep their order: the first to be declared
/// is still the first to be found.
fn containers(pod: &Pod, agent: &Agent, naming: &Naming) -> Vec<Container> {
    let mut groups: Vec<Vec<&Port>> = vec![Vec::new()];
    for port in &pod.ports {
        let same_name = |other: &&Port| port.name.is_some() && other.name == port.name;
        let clash = |other: &&Port| {
            (other.number, other.protocol) == (port.number, port.protocol) || same_name(other)
        };
        let first = groups.iter().rposition(|group| group.iter().any(same_name)).unwrap_or(0);
        match groups[first..].iter_mut().find(|group| !group.iter().any(clash)) {
            Some(group) => group.push(port),
            None => groups.push(vec![port]),
        }
    }
    let identity = identity(&pod.name, naming);
    let socket = socket(pod, naming);
    let listen: Vec<String> =
        distinct_ports(pod).map(|port| format!("{}/{}", port.number, port.protocol)).collect();
    let containers = groups.into_iter().enumerate().map(|(index, ports)| {
        let (name, socket, listen) = match index {
            0 => (CONTAINER.to_owned(), socket.clone(), listen.join(",")),
            // It is there for its ports alone, which the first one listens on.
            _ => (format!("ports-{index}"), format!("{socket}-{index}"), String::new()),
        };
        let arguments =
            ["serve", "--identity", &identity, "--socket", &socket, "--listen", &listen];
        Container {
            name,
            image: Some(agent.image.clone()),
            image_pull_policy: agent.pull_policy.clone(),
            args: Some(arguments.map(str::to_owned).to_vec()),
            ports: (!ports.is_empty()).then(|| ports.into_iter().map(container_port).collect()),
            resources: Some(resources()),
            security_context: Some(container_security(agent)),
            ..Container::default()
        }
    });
    containers.collect()
}

fn container_port(port: &Port) -> ContainerPort {
    ContainerPort {
        name: port.name.as_ref().map(Name::to_string),
        container_port: port.number.into(),
        protocol: Some(port.protocol.to_string()),
        ..ContainerPort::default()
    }
}

/// Enough for some thousands of attempts in flight; quotas ask for all four.
fn resources() -> ResourceRequirements {
    let quantities = |cpu: &str, memory: &str| {
        let quantity = |key: &str, text: &str| (key.to_owned(), Quantity(text.to_owned()));
        Some(BTreeMap::from([quantity("cpu", cpu), quantity("memory", memory)]))
    };
    ResourceRequirements {
        requests: quantities("10m", "16Mi"),
        limits: quantities("1", "64Mi"),
        ..ResourceRequirements::default()
    }
}

fn pod_security(pod: &Pod, agent: &Agent) -> PodSecurityContext {
    // A capability that is granted to a user other than root is lost when the agent
    // starts: nothing makes it ambient (capabilities(7)).
    let user = if agent.net_raw { 0 } else { USER };
    let unprivileged_ports =
        Sysctl { name: "net.ipv4.ip_unprivileged_port_start".to_owned(), value: "0".to_owned() };
    PodSecurityContext {
        run_as_user: Some(user),
        run_as_group: Some(user),
        run_as_non_root: Some(!agent.net_raw),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            ..SeccompProfile::default()
        }),
        // The setting is the pod's network's, and a hostNetwork pod has none of its own.
        sysctls: (!pod.host_network).then(|| vec![unprivileged_ports]),
        ..PodSecurityContext::default()
    }
}

fn container_security(agent: &Agent) -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities {
            add: agent.net_raw.then(|| vec!["NET_RAW".to_owned()]),
            drop: Some(vec!["ALL".to_owned()]),
        }),
        read_only_root_filesystem: Some(true),
        ..SecurityContext::default()
    }
}

fn on_node(node: &Name) -> Affinity {
    let name = NodeSelectorRequirement {
        key: "metadata.name".to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![node.to_string()]),
    };
    Affinity {
        node_affinity: Some(NodeAffinity {
            required_during_scheduling_ignored_during_execution: Some(NodeSelector {
                node_selector_terms: vec![NodeSelectorTerm {
                    match_fields: Some(vec![name]),
                    ..NodeSelectorTerm::default()
                }],
            }),
            ..NodeAffinity::default()
        }),
        ..Affinity::default()
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use expect_test::expect_file;
    use ringfence_probe::agent::arguments::{Command, parse};

    use super::super::fixture::{agent, compare, naming, owner, pod};
    use super::*;

    fn make(pod: &Pod, agent: &Agent) -> Object {
        object(pod, agent, &naming(), &owner())
    }

    #[test]
    fn a_pod_runs_the_agent_under_the_strictest_level() {
        let mut db = pod("db", &["mysql:3306/TCP", "53/UDP", "assoc:9/SCTP"]);
        db.node = Some(Name::from("node-1"));
        compare(&[make(&db, &agent())], expect_file!["golden/pod.yaml"]);
    }

    #[test]
    fn a_private_image_needs_a_policy_and_secrets() {
        let agent = Agent {
            image: "registry.example/ringfence-agent@sha256:0".to_owned(),
            pull_policy: Some("IfNotPresent".to_owned()),
            pull_secrets: vec!["pull".to_owned()],
            ..agent()
        };
        compare(&[make(&pod("idle", &[]), &agent)], expect_file!["golden/pod-private.yaml"]);
    }

    #[test]
    fn a_pod_on_its_nodes_network_has_a_socket_of_its_own_and_no_settings() {
        let mut host = pod("host", &["metrics:9100/TCP"]);
        host.host_network = true;
        compare(&[make(&host, &agent())], expect_file!["golden/pod-host.yaml"]);
        let mut other = pod("other", &[]);
        other.host_network = true;
        assert_ne!(socket(&host, &naming()), socket(&other, &naming()));
        assert_ne!(socket(&host, &naming()), socket(&host, &Naming::Exact));
    }

    #[test]
    fn a_pod_with_raw_sockets_has_no_other_right() {
        let agent = Agent { net_raw: true, ..agent() };
        compare(&[make(&pod("raw", &["9/SCTP"]), &agent)], expect_file!["golden/pod-raw.yaml"]);
    }

    /// Within a container a name may stand once, and so may a number of a protocol.
    #[test]
    fn ports_that_clash_are_declared_by_containers_of_their_own() {
        let ports = ["http:80/TCP", "http:8080/TCP", "web:80/TCP", "http:81/UDP", "82/TCP"];
        let object = make(&pod("twice", &ports), &agent());
        compare(std::slice::from_ref(&object), expect_file!["golden/pod-clashing-ports.yaml"]);
    }

    /// A lookup through the containers in order finds what one through the ports does.
    #[test]
    fn ports_of_one_name_keep_their_order() {
        for ports in [
            &["http:80/TCP", "http:8080/TCP", "web:80/TCP", "http:81/UDP", "82/TCP"][..],
            &["x:80/TCP", "http:80/TCP", "http:8080/TCP", "x:81/TCP", "http:80/TCP"],
        ] {
            let pod = pod("twice", ports);
            let containers = make(&pod, &agent()).spec.unwrap().containers;
            let mut found = Vec::new();
            for port in containers.into_iter().flat_map(|one| one.ports.unwrap_or_default()) {
                found.push((port.name, port.container_port));
            }
            for port in &pod.ports {
                let name = port.name.as_ref().map(Name::to_string);
                let declared = pod.ports.iter().filter(|other| other.name == port.name);
                let declared: Vec<i32> = declared.map(|port| port.number.into()).collect();
                let found = found.iter().filter(|(other, _)| *other == name);
                assert_eq!(found.map(|(_, number)| *number).collect::<Vec<_>>(), declared);
            }
        }
    }

    /// What a pod is started with is what the agent reads.
    #[test]
    fn the_agent_understands_its_arguments() {
        for ports in [&["http:80/TCP", "web:80/TCP", "53/UDP", "9/SCTP"][..], &[]] {
            let pod = pod("db", ports);
            let spec = make(&pod, &agent()).spec.unwrap();
            for (index, container) in spec.containers.into_iter().enumerate() {
                let words = ["ringfence-agent".to_owned()].into_iter();
                let words = words.chain(container.args.unwrap()).map(OsString::from);
                let Command::Serve(options) = parse(words, |_| None).unwrap() else {
                    panic!("expected `serve`")
                };
                assert_eq!(options.identity, "rf-k3x9q-4-prod/db");
                let listened = if index == 0 { distinct_ports(&pod).count() } else { 0 };
                assert_eq!(options.listen.len(), listened);
                assert_eq!(options.socket == SOCKET, index == 0);
            }
        }
    }

    #[test]
    fn labels_as_declared_stay_as_they_are() {
        let mut db = pod("db", &[]);
        db.labels.insert(owner::MANAGED_BY.to_owned(), "Helm".to_owned());
        let labels = labels(&db, &owner());
        assert!(db.labels.iter().all(|(key, value)| labels.get(key) == Some(value)));
        let added: Vec<&str> =
            labels.keys().filter(|key| !db.labels.contains_key(*key)).map(String::as_str).collect();
        assert_eq!(added, [owner::POD, owner::RUN, owner::SLOT]);
        assert_eq!(selector(&"x".repeat(200)).1.len(), 63);
    }
}
