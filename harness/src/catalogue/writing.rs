//! The text of a scenario folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::expect;
use super::scene::Scene;
use super::town::{self, Listener, PORT_NAME, Place};
use crate::model::Protocol;

/// A step: what is done, each a field of its YAML, and what there is then.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) actions: Vec<String>,
    pub(super) scene: Scene,
}

/// What gets labels of its own again, in place of another's.
#[derive(Debug, Clone, Copy)]
pub(super) enum Relabelled {
    /// A pod, its labels for peers.
    Peer(Place),
    /// A pod, its labels for targets.
    Target(Place),
    /// A namespace.
    Namespace(&'static str),
}

/// Labels, or changes to them: `None` takes one away.
type Labels = BTreeMap<&'static str, Option<&'static str>>;

/// `scenario.yaml`.
pub(super) fn scenario(id: &str, about: &str, tags: &[String], steps: &[Step]) -> String {
    let mut text = heading(id, about, tags);
    if let Some(first) = steps.first() {
        text.push_str("topology:\n");
        text.push_str(&topology(&first.scene));
    }
    text.push_str("steps:\n");
    for step in steps {
        let rules = match step.scene.cluster.as_slice() {
            [] => expect::rules(&step.scene),
            _ => expect::expected(&step.scene),
        };
        text.push_str(&self::step(step.name, &step.actions, &rules));
    }
    text
}

/// The fields of `scenario.yaml` before `topology`.
pub(super) fn heading(id: &str, about: &str, tags: &[String]) -> String {
    format!("name: {}\nabout: {about}\ntags: [{}]\n", quoted(id), tags.join(", "))
}

/// One of `steps`.
pub(super) fn step(name: &str, actions: &[String], expect: &[String]) -> String {
    let mut text = format!("  - name: {name}\n");
    actions.iter().for_each(|action| text.push_str(&indented(action, 4)));
    text.push_str("    expect:\n");
    for rule in expect {
        let _ = writeln!(text, "      - {rule}");
    }
    text
}

/// A text that YAML could take for something else.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// A name that stands by itself: a bare `y` is a boolean.
fn key(name: &str) -> String {
    if name == "y" { quoted(name) } else { name.to_owned() }
}

fn topology(scene: &Scene) -> String {
    let mut text = String::from("  namespaces:\n");
    let namespaces: BTreeSet<&str> = scene.pods.iter().map(|place| place.0).collect();
    for name in namespaces {
        text.push_str(&indented(&namespace(scene, name), 4));
    }
    if !scene.hosts.is_empty() {
        text.push_str("  external:\n");
        for host in &scene.hosts {
            let [v4, v6] = host.addresses();
            let ports = listeners(&host.ports(scene.direction, scene.protocol));
            let _ = writeln!(text, "    {}: {{ addresses: [{v4}, \"{v6}\"]{ports} }}", host.name());
        }
    }
    if !scene.nodes.is_empty() {
        text.push_str("  nodes:\n");
        for name in scene.nodes {
            let ports = listeners(&town::node_ports(scene.protocol));
            let ports = ports.trim_start_matches(", ");
            let _ = writeln!(text, "    {name}: {{ {ports} }}");
        }
    }
    text
}

/// A text with every line moved to the right.
pub(super) fn indented(text: &str, by: usize) -> String {
    let indent = " ".repeat(by);
    text.lines().flat_map(|line| [indent.as_str(), line, "\n"]).collect()
}

fn namespace(scene: &Scene, name: &str) -> String {
    let mut text = format!("{}:\n", key(name));
    let worn = scene.worn_by_namespace(static_name(name));
    let _ = writeln!(text, "  labels: {{ {} }}", labels(&of(&town::NAMESPACES, worn)));
    text.push_str("  pods:\n");
    for place in scene.pods.iter().filter(|place| place.0 == name) {
        let _ = writeln!(text, "    {}", pod(scene, *place));
    }
    text
}

fn static_name(name: &str) -> &'static str {
    let names = town::NAMESPACES.iter().map(|(name, _)| *name);
    names.into_iter().find(|known| *known == name).unwrap_or_default()
}

fn pod(scene: &Scene, place: Place) -> String {
    let mut worn = of(&town::PEER_LABELS, scene.worn_as_peer(place));
    worn.extend(of(&town::TARGET_LABELS, scene.worn_as_target(place)));
    let node = town::PODS.iter().find(|(other, _)| *other == place).map(|(_, node)| *node);
    let node = node.filter(|node| !node.is_empty()).unwrap_or(scene.target_node);
    let ports = listeners(&scene.pod_ports(place));
    format!("{}: {{ labels: {{ {} }}{ports}, node: {node} }}", place.1, labels(&worn))
}

fn listeners(listeners: &[Listener]) -> String {
    if listeners.is_empty() {
        return String::new();
    }
    let text = |listener: &Listener| {
        let Listener { number, protocol, named } = listener;
        match (named, protocol) {
            (true, _) => format!("\"{PORT_NAME}:{number}/{protocol}\""),
            (false, Protocol::Tcp) => number.to_string(),
            (false, _) => format!("{number}/{protocol}"),
        }
    };
    let texts: Vec<String> = listeners.iter().map(text).collect();
    format!(", ports: [{}]", texts.join(", "))
}

/// The labels of one of those that wear some.
fn of(table: &[(&str, &'static [(&'static str, &'static str)])], whose: &str) -> Labels {
    let worn = table.iter().find(|(name, _)| *name == whose).map(|(_, worn)| *worn);
    worn.unwrap_or_default().iter().map(|(key, value)| (*key, Some(*value))).collect()
}

fn labels(labels: &Labels) -> String {
    let texts = labels.iter().map(|(key, value)| format!("{key}: {}", value.unwrap_or("null")));
    texts.collect::<Vec<_>>().join(", ")
}

/// `apply`.
pub(super) fn apply(files: &[&str]) -> String {
    format!("apply: [{}]", files.join(", "))
}

/// `label`: each gets its own labels, and loses those of the others that it does not have.
pub(super) fn relabel(which: &[Relabelled; 2]) -> String {
    let own = |one: &Relabelled| match *one {
        Relabelled::Peer(place) => of(&town::PEER_LABELS, place.1),
        Relabelled::Target(place) => of(&town::TARGET_LABELS, place.1),
        Relabelled::Namespace(name) => of(&town::NAMESPACES, name),
    };
    let [left, right] = which;
    let mut text = String::from("label:\n");
    for (one, other) in [(left, right), (right, left)] {
        let mut changes: Labels = own(other).into_keys().map(|key| (key, None)).collect();
        changes.extend(own(one));
        let name = match one {
            Relabelled::Peer((namespace, name)) | Relabelled::Target((namespace, name)) => {
                format!("{namespace}/{name}")
            }
            Relabelled::Namespace(name) => format!("namespace/{name}"),
        };
        let _ = writeln!(text, "  {name}: {{ {} }}", labels(&changes));
    }
    text
}

/// `add`, for pods of namespaces that are there.
pub(super) fn add_pods(scene: &Scene, places: &[Place]) -> String {
    let mut text = String::from("add:\n  namespaces:\n");
    for place in places {
        let _ = writeln!(text, "    {}:\n      pods:", key(place.0));
        let _ = writeln!(text, "        {}", pod(scene, *place));
    }
    text
}

/// `add`, for a namespace with its pods.
pub(super) fn add_namespace(scene: &Scene, name: &str) -> String {
    let namespace = indented(&namespace(scene, name), 4);
    format!("add:\n  namespaces:\n{namespace}")
}
