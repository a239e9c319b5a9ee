//! A case as the files of a scenario.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::case::{NoCase, Sample};
use super::expect;
use super::order::about;
use crate::catalogue::Folder;
use crate::model::{
    Change, LabelChanges, Labels, NAMESPACE_NAME_LABEL, Name, Namespace, Pod, Port, Protocol,
};
use crate::scenario::{Diagnostic, LoadOptions, Scenario, parse_folder};

impl Sample {
    /// The files of its scenario: `scenario.yaml`, with every expected cell, and a manifest for
    /// each policy that is applied.
    ///
    /// # Errors
    /// As [`Sample::specified`].
    pub fn folder(&self) -> Result<Folder, NoCase> {
        folder(self)
    }

    /// Loads the scenario as from disk, with every finding; `None` where there is an error.
    ///
    /// # Errors
    /// As [`Sample::specified`].
    pub fn scenario(
        &self,
        options: &LoadOptions,
    ) -> Result<(Option<Scenario>, Vec<Diagnostic>), NoCase> {
        Ok(parse_folder(&self.id, &self.folder()?.files, options))
    }
}

fn folder(sample: &Sample) -> Result<Folder, NoCase> {
    let mut manifests = BTreeMap::new();
    let mut text = format!("name: {}\nabout: {}\ntags: [sample]\n", sample.id, sample.about);
    text.push_str("topology:\n");
    text.push_str(&topology(sample));
    text.push_str("steps:\n");
    for ((number, step), cells) in sample.steps.iter().enumerate().zip(sample.specified()?) {
        let _ = writeln!(text, "  - name: {}", name(step));
        changes(&mut text, step, number, &mut manifests)?;
        let rules = expect::rules(&cells);
        if !rules.is_empty() {
            text.push_str("    expect:\n");
        }
        for rule in rules {
            let _ = writeln!(text, "      - {rule}");
        }
    }
    Ok(Folder::new(text, manifests))
}

fn indented(text: &str, by: usize) -> String {
    let indent = " ".repeat(by);
    text.lines().flat_map(|line| [indent.as_str(), line, "\n"]).collect()
}

fn topology(sample: &Sample) -> String {
    let topology = &sample.topology;
    let mut text = String::new();
    let ports = topology.nodes.values().filter(|node| !node.ports.is_empty());
    let nodes: Vec<String> =
        ports.map(|node| format!("{}: {{ {} }}\n", node.name, listeners(&node.ports))).collect();
    if !nodes.is_empty() {
        text.push_str("nodes:\n");
        text.push_str(&indented(&nodes.concat(), 2));
    }
    text.push_str("namespaces:\n");
    for (name, there) in &topology.namespaces {
        let pods = topology.pods.values().filter(|pod| pod.name.namespace == *name);
        text.push_str(&indented(&namespace(name, Some(there), pods), 2));
    }
    if !topology.externals.is_empty() {
        text.push_str("external:\n");
    }
    for host in topology.externals.values() {
        let addresses: Vec<String> =
            host.addresses.iter().map(|address| format!("\"{address}\"")).collect();
        let mut fields = vec![format!("addresses: [{}]", addresses.join(", "))];
        fields.extend((!host.ports.is_empty()).then(|| listeners(&host.ports)));
        let _ = writeln!(text, "  {}: {{ {} }}", host.name, fields.join(", "));
    }
    indented(&text, 2)
}

/// A namespace with pods; without labels where it is there already.
fn namespace<'p>(
    name: &str,
    new: Option<&Namespace>,
    pods: impl Iterator<Item = &'p Pod>,
) -> String {
    let mut text = format!("{name}:");
    let before = text.len();
    text.push('\n');
    if let Some(new) = new {
        let mut own = new.labels.clone();
        // The API server sets it by itself.
        own.remove(NAMESPACE_NAME_LABEL);
        if !own.is_empty() {
            let _ = writeln!(text, "  labels: {{ {} }}", labels(&own));
        }
    }
    let pods: Vec<String> = pods.map(pod).collect();
    if !pods.is_empty() {
        text.push_str("  pods:\n");
        text.push_str(&indented(&pods.join("\n"), 4));
    }
    if text.len() == before + 1 {
        text.insert_str(before, " {}");
    }
    text
}

fn pod(pod: &Pod) -> String {
    let mut fields = Vec::new();
    fields
        .extend((!pod.labels.is_empty()).then(|| format!("labels: {{ {} }}", labels(&pod.labels))));
    fields.extend((!pod.ports.is_empty()).then(|| listeners(&pod.ports)));
    fields.extend(pod.host_network.then(|| "hostNetwork: true".to_owned()));
    fields.extend(pod.node.as_ref().map(|node| format!("node: {node}")));
    match fields.is_empty() {
        true => format!("{}: {{}}", pod.name.name),
        false => format!("{}: {{ {} }}", pod.name.name, fields.join(", ")),
    }
}

fn listeners(ports: &[Port]) -> String {
    let text = |port: &Port| match (&port.name, port.protocol) {
        (Some(name), protocol) => format!("\"{name}:{}/{protocol}\"", port.number),
        (None, Protocol::Tcp) => port.number.to_string(),
        (None, protocol) => format!("{}/{protocol}", port.number),
    };
    format!("ports: [{}]", ports.iter().map(text).collect::<Vec<_>>().join(", "))
}

fn labels(labels: &Labels) -> String {
    labels.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", ")
}

fn label_changes(labels: &LabelChanges) -> String {
    let text = |(key, value): (&String, &Option<String>)| {
        format!("{key}: {}", value.as_deref().unwrap_or("null"))
    };
    labels.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// What a step does, in a few words.
fn name(step: &[Change]) -> String {
    let verb = |change: &Change| match change {
        Change::RemoveNamespace(_) | Change::RemovePod(_) => "remove",
        Change::EndPod(_) => "end",
        Change::TerminatePod(_) => "terminate",
        Change::DeletePolicy(_) | Change::DeleteClusterPolicy(_) => "delete",
        Change::AddNamespace(_) | Change::AddPod(_) => "add",
        Change::LabelNamespace { .. } | Change::LabelPod { .. } => "label",
        Change::ApplyPolicy(_) | Change::ApplyClusterPolicy(_) => "apply",
    };
    let texts: Vec<String> =
        step.iter().map(|change| format!("{} {}", verb(change), about(change))).collect();
    if texts.is_empty() { "nothing is changed".to_owned() } else { texts.join(", ") }
}

/// The fields of a step that change something, in the order in which they are made.
fn changes(
    text: &mut String,
    step: &[Change],
    number: usize,
    manifests: &mut BTreeMap<String, String>,
) -> Result<(), NoCase> {
    let named = |wanted: fn(&Change) -> bool| {
        step.iter().filter(|change| wanted(change)).map(about).collect::<Vec<_>>().join(", ")
    };
    for (field, names) in [
        ("remove", named(|c| matches!(c, Change::RemoveNamespace(_) | Change::RemovePod(_)))),
        ("end", named(|c| matches!(c, Change::EndPod(_)))),
        ("terminate", named(|c| matches!(c, Change::TerminatePod(_)))),
        ("delete", named(|c| matches!(c, Change::DeletePolicy(_)))),
    ] {
        if !names.is_empty() {
            let _ = writeln!(text, "    {field}: [{names}]");
        }
    }
    text.push_str(&indented(&additions(step), 4));
    let mut relabelled = String::new();
    for change in step {
        if let Change::LabelPod { labels, .. } | Change::LabelNamespace { labels, .. } = change {
            let _ = writeln!(relabelled, "  {}: {{ {} }}", about(change), label_changes(labels));
        }
    }
    if !relabelled.is_empty() {
        text.push_str(&indented(&format!("label:\n{relabelled}"), 4));
    }
    let mut files = Vec::new();
    for change in step {
        let Change::ApplyPolicy(policy) = change else { continue };
        let later = if number == 0 { String::new() } else { format!("-step-{}", number + 1) };
        let file = format!("{}-{}{later}.yaml", policy.name.namespace, policy.name.name);
        manifests.insert(file.clone(), serde_saphyr::to_string(&policy.manifest)?);
        files.push(file);
    }
    if !files.is_empty() {
        let _ = writeln!(text, "    apply: [{}]", files.join(", "));
    }
    Ok(())
}

/// `add`: namespaces with their pods, and pods of namespaces that are there.
fn additions(step: &[Change]) -> String {
    let new = |name: &Name| {
        step.iter().find_map(|change| match change {
            Change::AddNamespace(namespace) if namespace.name == *name => Some(namespace),
            _ => None,
        })
    };
    let pods = || {
        step.iter().filter_map(|change| match change {
            Change::AddPod(pod) => Some(pod),
            _ => None,
        })
    };
    let mut names: BTreeSet<&Name> = pods().map(|pod| &pod.name.namespace).collect();
    names.extend(step.iter().filter_map(|change| match change {
        Change::AddNamespace(namespace) => Some(&namespace.name),
        _ => None,
    }));
    let mut text = String::new();
    for name in names {
        let pods = pods().filter(|pod| pod.name.namespace == *name);
        text.push_str(&indented(&namespace(name, new(name), pods), 4));
    }
    if text.is_empty() { text } else { format!("add:\n  namespaces:\n{text}") }
}
