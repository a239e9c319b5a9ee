//! One step of a scenario: its changes, in order, and what is expected.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::applied::Applied;
use super::expectation::{Limits, resolve_with_widths};
use super::field::{Field, Object, Reader};
use super::folder::{Manifests, unreadable};
use super::manifest::{Object as Kubernetes, names};
use super::nearby::{did_you_mean, near_or_all};
use super::rejection::rejects;
use super::rules::{list, rules, watching};
use super::topology::{Added, namespaces};
use super::yaml::{Place, Value};
use super::{Binding, KubernetesVersion, Step, Watching, binding};
use crate::model::{
    Change, ChangeError, Endpoint, Family, LabelChanges, NetworkPolicy, Origin, PodName,
    PolicyName, World,
};

/// What the steps of a scenario share.
pub(super) struct Steps<'f, 'm> {
    pub(super) manifests: &'m mut Manifests<'f>,
    pub(super) version: KubernetesVersion,
    /// What there is after the steps so far.
    pub(super) world: World,
    /// Whether the world is what the scenario says: after an error in the
    /// topology or a change, expectations would only repeat it.
    pub(super) sound: bool,
}

impl Steps<'_, '_> {
    /// Reads a step, and makes its changes to the world.
    pub(super) fn step(&mut self, reader: &mut Reader<'_>, field: Field<'_>) -> Option<Step> {
        let known = [
            "name",
            "apply",
            "delete",
            "label",
            "add",
            "remove",
            "end",
            "terminate",
            "bind",
            "expect",
            "faults",
            "rejects",
            "watch",
        ];
        let object = reader.object(field, &known)?;
        let before = all_errors(reader, self.manifests);
        let mut step = Step {
            name: String::new(),
            changes: Vec::new(),
            bindings: Vec::new(),
            expect: Vec::new(),
            faults: Vec::new(),
            rejected: Vec::new(),
            watch: Watching::default(),
            origin: reader.origin(&object.field),
        };
        match object.get("name") {
            Some(field) => reader.string(&field)?.clone_into(&mut step.name),
            None => {
                let message = format!("{}.name: Required value", object.field);
                let place = object.field.node.place;
                reader.error_at("missing-field", &object.field.path, place, message);
            }
        }
        self.removals(reader, &object, &mut step);
        self.additions(reader, &object, &mut step);
        self.labels(reader, &object, &mut step);
        self.policies(reader, &object, &mut step);
        for item in list(reader, &object, "bind") {
            step.bindings.extend(self.binding(reader, item, &step.changes));
        }
        self.sound &= all_errors(reader, self.manifests) == before;
        let before = errors(reader);
        step.expect = rules(reader, &object, "expect");
        step.faults = rules(reader, &object, "faults");
        step.watch = watching(reader, &object);
        for rule in step.expect.iter().chain(&step.faults) {
            binding::listen(rule, &mut self.world.topology);
        }
        if self.sound {
            let whole = errors(reader) == before;
            self.check(reader, &step, whole);
        }
        if let Some(field) = object.get("rejects") {
            step.rejected = rejects(reader, &field, self.manifests, self.version);
        }
        Some(step)
    }

    /// Every rule against the world, in everything that a cluster might have. Where not the
    /// `whole` step could be read, a rule that is missing may be the one that decides a cell:
    /// only what holds of the other rules by themselves is told.
    fn check(&self, reader: &mut Reader<'_>, step: &Step, whole: bool) {
        let resolved = resolve_with_widths(step, &self.world.topology, &Limits::none());
        for finding in resolved.err().unwrap_or_default() {
            let mut diagnostic = finding.diagnostic;
            let of_one_rule = ["unknown-", "watch-"]
                .iter()
                .any(|of| diagnostic.code.starts_with(of))
                || ["rule-shadowed", "rule-matches-nothing"].contains(&diagnostic.code.as_str());
            if !whole && !of_one_rule {
                continue;
            }
            let place = Place {
                line: diagnostic.origin.line,
                column: diagnostic.origin.column,
                width: finding.width,
            };
            diagnostic.excerpt = reader.source.excerpt(place);
            reader.diagnostics.push(diagnostic);
        }
    }

    fn change(
        &mut self,
        reader: &mut Reader<'_>,
        step: &mut Step,
        change: Change,
        field: &Field<'_>,
        place: Place,
    ) {
        let (code, help) = match self.world.change(&change) {
            Ok(()) => {
                step.changes.push(change);
                return;
            }
            Err(error) => {
                let world = &self.world;
                let (code, help) = match &error {
                    ChangeError::NoSuchPolicy(name) => {
                        ("unknown-policy", near(name, world.policies.keys()))
                    }
                    ChangeError::NoSuchClusterPolicy(name) => {
                        ("unknown-policy", near(name, world.cluster_policies.keys()))
                    }
                    ChangeError::NoSuchNamespace(name) => {
                        ("unknown-namespace", near(name, world.topology.namespaces.keys()))
                    }
                    ChangeError::NoSuchPod(name) => {
                        ("unknown-pod", near(name, world.topology.pods.keys()))
                    }
                    ChangeError::AlreadyThere(_) => ("already-there", None),
                };
                ((code, error.to_string()), help)
            }
        };
        self.sound = false;
        let diagnostic = reader.error_at(code.0, &field.path, place, code.1);
        if let Some(help) = help {
            diagnostic.hint(&help);
        }
    }

    /// `remove`, `end`, `terminate` and `delete`.
    fn removals(&mut self, reader: &mut Reader<'_>, object: &Object<'_>, step: &mut Step) {
        for item in list(reader, object, "remove") {
            let Some(text) = reader.string(&item) else { continue };
            let change = match text.split_once('/') {
                Some(("namespace", name)) => Change::RemoveNamespace(name.into()),
                Some((namespace, name)) => Change::RemovePod(PodName::new(namespace, name)),
                None => {
                    bad_name(reader, &item, text, "`namespace/NAME` or `NAMESPACE/POD`");
                    continue;
                }
            };
            self.change(reader, step, change, &item, item.node.place);
        }
        for key in ["end", "terminate"] {
            for item in list(reader, object, key) {
                let Some(text) = reader.string(&item) else { continue };
                let Some((namespace, name)) = text.split_once('/') else {
                    bad_name(reader, &item, text, "`NAMESPACE/POD`");
                    continue;
                };
                let pod = PodName::new(namespace, name);
                let change =
                    if key == "end" { Change::EndPod(pod) } else { Change::TerminatePod(pod) };
                self.change(reader, step, change, &item, item.node.place);
            }
        }
        for item in list(reader, object, "delete") {
            let Some(text) = reader.string(&item) else { continue };
            let Some((namespace, name)) = text.split_once('/') else {
                bad_name(reader, &item, text, "`NAMESPACE/POLICY` or `KIND/POLICY`");
                continue;
            };
            // No namespace has capital letters, as the kinds have.
            let change = match text.parse() {
                Ok(name) => Change::DeleteClusterPolicy(name),
                Err(_) => Change::DeletePolicy(PolicyName::new(namespace, name)),
            };
            self.change(reader, step, change, &item, item.node.place);
        }
    }

    /// `add`.
    fn additions(&mut self, reader: &mut Reader<'_>, object: &Object<'_>, step: &mut Step) {
        let Some(field) = object.get("add") else { return };
        let Some(body) = reader.object(field, &["namespaces"]) else { return };
        let Some(field) = body.get("namespaces") else { return };
        for added in namespaces(reader, field, &self.world.topology) {
            let (change, field) = match added {
                Added::Namespace(namespace, field) => (Change::AddNamespace(namespace), field),
                Added::Pod(pod, field) => (Change::AddPod(pod), field),
            };
            self.change(reader, step, change, &field, field.key_place);
        }
    }

    /// `label`.
    fn labels(&mut self, reader: &mut Reader<'_>, object: &Object<'_>, step: &mut Step) {
        let Some(map) = object.get("label").and_then(|field| reader.map(field)) else { return };
        for entry in map.entries {
            let field = map.field.child(entry);
            let Some((left, right)) = entry.key.split_once('/') else {
                let message =
                    format!("expected `NAMESPACE/POD` or `namespace/NAME`, found `{}`", entry.key);
                reader.error_at("bad-name", &field.path, field.key_place, message);
                continue;
            };
            let Some(labels) = label_changes(reader, field.clone()) else { continue };
            let change = if left == "namespace" {
                Change::LabelNamespace { namespace: right.into(), labels }
            } else {
                Change::LabelPod { pod: PodName::new(left, right), labels }
            };
            self.change(reader, step, change, &field, field.key_place);
        }
    }

    /// `apply`.
    fn policies(&mut self, reader: &mut Reader<'_>, object: &Object<'_>, step: &mut Step) {
        let mut seen: BTreeMap<String, Origin> = BTreeMap::new();
        for item in list(reader, object, "apply") {
            let Some(text) = reader.string(&item) else { continue };
            let (file, wanted) = match text.split_once('#') {
                Some((file, name)) => (file, Some(name)),
                None => (text, None),
            };
            let accepted = match self.manifests.accepted(file) {
                Ok(accepted) => accepted,
                Err(error) => {
                    unreadable(reader, &item, file, &error, self.manifests);
                    continue;
                }
            };
            let manifest = &accepted.manifest;
            if manifest.has_errors() {
                self.sound = false;
                continue;
            }
            for object in &manifest.objects {
                if let Kubernetes::Pod(pod, kind) = object
                    && wanted.is_none()
                    && !self.world.topology.pods.contains_key(&pod.name)
                {
                    let message = format!(
                        "`{file}` declares the {kind} `{}`, which the topology does not have",
                        pod.name
                    );
                    reader.error("pod-not-declared", &item, message).hint(
                        "name the file under `topology.manifests`, or one policy of it: `file.yaml#name`",
                    );
                }
            }
            let all = Applied::all(manifest);
            let is_meant = |policy: &&Applied| {
                wanted.is_none_or(|wanted| policy.short_name() == wanted || policy.name() == wanted)
            };
            let policies: Vec<Applied> = all.iter().filter(is_meant).cloned().collect();
            if policies.is_empty() {
                let names: Vec<String> = all.iter().map(Applied::short_name).collect();
                let (message, help) = match wanted {
                    Some(name) => (
                        format!("`{file}` has no policy `{name}`"),
                        near_or_all(name, names.iter().map(String::as_str)),
                    ),
                    None => (format!("`{file}` has no policy"), None),
                };
                // A file of policies that are not understood was warned of already.
                if wanted.is_some() || manifest.unsupported.is_empty() {
                    let diagnostic = reader.error("no-policy", &item, message);
                    if let Some(help) = help {
                        diagnostic.hint(&help);
                    }
                }
            }
            for policy in policies {
                if let Some(first) = seen.insert(policy.name(), policy.origin().clone()) {
                    reader.warn("policy-replaced", &item, policy.replaces(&first));
                }
                self.change(reader, step, policy.change(), &item, item.node.place);
            }
        }
    }

    /// One entry of `bind`.
    fn binding(
        &self,
        reader: &mut Reader<'_>,
        field: Field<'_>,
        changes: &[Change],
    ) -> Option<Binding> {
        let origin = reader.origin(&field);
        let object = reader.object(field, &["policy", "field", "address", "family"])?;
        let mut text = |key: &str| {
            let Some(field) = object.get(key) else {
                let message = format!("{}.{key}: Required value", object.field);
                let place = object.field.node.place;
                reader.error_at("missing-field", &object.field.path, place, message);
                return None;
            };
            Some((reader.string(&field)?, field))
        };
        let (policy, path, address) = (text("policy"), text("field"), text("address"));
        let family = match object.get("family") {
            None => Family::Ipv4,
            Some(field) => match reader.string(&field)? {
                "ipv4" => Family::Ipv4,
                "ipv6" => Family::Ipv6,
                text => {
                    bad_name(reader, &field, text, "`ipv4` or `ipv6`");
                    return None;
                }
            },
        };
        let ((policy, policy_field), (path, path_field), (address, address_field)) =
            (policy?, path?, address?);
        let applied: Vec<&Arc<NetworkPolicy>> = changes
            .iter()
            .filter_map(|change| match change {
                Change::ApplyPolicy(policy) => Some(policy),
                _ => None,
            })
            .collect();
        let Some(found) = applied.iter().rev().find(|p| p.name.to_string() == policy) else {
            let message = format!("this step applies no policy `{policy}`");
            let help = near(&policy, applied.iter().map(|policy| &policy.name));
            reader
                .error("unknown-policy", &policy_field, message)
                .hint(&help.unwrap_or("`policy` is `NAMESPACE/NAME`".to_owned()));
            return None;
        };
        if binding::range(&mut NetworkPolicy::clone(found), path).is_none() {
            let message = format!("`{policy}` has no ipBlock field `{path}`");
            reader
                .error("unknown-field", &path_field, message)
                .hint("such as `spec.egress[0].to[0].ipBlock.cidr` or `….ipBlock.except[0]`");
        }
        let topology = &self.world.topology;
        let address_of: Option<Endpoint> = address.parse().ok();
        let known = address_of.as_ref().is_some_and(|end| match end {
            Endpoint::Pod(pod) => topology.pods.contains_key(pod),
            Endpoint::Node(node) => topology.nodes.contains_key(node),
            Endpoint::External(host) => topology.externals.contains_key(host),
        });
        if !known {
            let names = topology.pods.keys().map(ToString::to_string);
            let names: Vec<String> = names
                .chain(topology.nodes.keys().map(|node| format!("node/{node}")))
                .chain(topology.externals.keys().map(ToString::to_string))
                .collect();
            let help = near_or_all(address, names.iter().map(String::as_str));
            let message = format!("there is no pod, node or external host `{address}`");
            reader
                .error("unknown-endpoint", &address_field, message)
                .hint(&help.unwrap_or_default());
        }
        Some(Binding {
            policy: found.name.clone(),
            field: path.to_owned(),
            address_of: address_of?,
            family,
            origin,
        })
    }
}

fn errors(reader: &Reader<'_>) -> usize {
    reader.diagnostics.iter().filter(|d| d.severity == super::Severity::Error).count()
}

fn all_errors(reader: &Reader<'_>, manifests: &Manifests<'_>) -> usize {
    let found = manifests.diagnostics.iter();
    errors(reader) + found.filter(|d| d.severity == super::Severity::Error).count()
}

fn bad_name(reader: &mut Reader<'_>, field: &Field<'_>, text: &str, expected: &str) {
    reader.error("bad-name", field, format!("expected {expected}, found `{text}`"));
}

fn near<T: ToString>(word: &impl ToString, names: impl Iterator<Item = T>) -> Option<String> {
    let names: Vec<String> = names.map(|name| name.to_string()).collect();
    did_you_mean(&word.to_string(), names.iter().map(String::as_str))
        .or_else(|| near_or_all(&word.to_string(), names.iter().map(String::as_str)))
}

fn label_changes(reader: &mut Reader<'_>, field: Field<'_>) -> Option<LabelChanges> {
    let map = reader.map(field)?;
    let mut changes = LabelChanges::new();
    for entry in map.entries {
        let field = map.field.child(entry);
        for why in names::label_key(&entry.key) {
            let message = format!("{field}: Invalid value: {:?}: {why}", entry.key);
            reader.error_at("label-key", &field.path, entry.key_place, message);
        }
        let value = match &field.node.value {
            Value::Null => None,
            _ => match reader.string(&field) {
                Some(text) => Some(text.to_owned()),
                None => continue,
            },
        };
        if let Some(text) = &value {
            for why in names::label_value(text) {
                let message = format!("{field}: Invalid value: {text:?}: {why}");
                reader.error("label-value", &field, message);
            }
        }
        changes.insert(entry.key.clone(), value);
    }
    Some(changes)
}
