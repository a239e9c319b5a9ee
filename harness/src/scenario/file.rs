//! `scenario.yaml`: from text to a checked scenario, with all that is wrong at once.

use std::collections::BTreeSet;

use super::digest;
use super::field::{Field, Object, Reader};
use super::folder::{Folder, Manifests, SCENARIO_FILE};
use super::manifest::syntax;
use super::source::Source;
use super::step::Steps;
use super::topology::{Waiting, topology};
use super::yaml::{self, Place, Value};
use super::{Diagnostic, LoadOptions, Scenario, Severity, binding, tag};
use crate::model::{Change, World};

/// How many nodes a scenario may ask for.
const NODES: i32 = 64;

/// Reads a scenario. It is `None` where there is an error.
pub(super) fn scenario(
    source: &Source,
    id: &str,
    folder: &Folder,
    options: &LoadOptions,
) -> (Option<Scenario>, Vec<Diagnostic>) {
    let (documents, errors) = yaml::parse(&source.file, &source.text);
    let mut diagnostics: Vec<Diagnostic> =
        errors.into_iter().map(|error| syntax(source, error)).collect();
    let mut scenario = None;
    let mut documents = documents.into_iter().filter(|d| d.root.value != Value::Null);
    match (documents.next(), documents.next()) {
        (Some(document), None) => {
            let mut reader = Reader::new(source, document.index);
            let mut manifests = Manifests::new(folder, options.kubernetes);
            let root = Field::root(&document.root);
            scenario = read(&mut reader, root, &mut manifests, id, folder, options);
            let mut digests = std::mem::take(&mut manifests.digests);
            digests.insert(SCENARIO_FILE.to_owned(), digest::digest_of_text(&source.text));
            scenario.iter_mut().for_each(|read| read.digest = digest::digest_of_list(&digests));
            diagnostics.append(&mut reader.diagnostics);
            diagnostics.append(&mut manifests.diagnostics);
        }
        (Some(_), Some(second)) => {
            let mut reader = Reader::new(source, second.index);
            let message = "expected one document, found a second";
            reader.error("second-document", &Field::root(&second.root), message);
            diagnostics.append(&mut reader.diagnostics);
        }
        (None, _) if diagnostics.is_empty() => {
            let mut reader = Reader::new(source, 0);
            let message = "expected a scenario, found an empty file";
            reader.error_at("empty-file", "", Place::START, message);
            diagnostics.append(&mut reader.diagnostics);
        }
        (None, _) => {}
    }
    diagnostics.sort_by(|a, b| a.origin.cmp_place(&b.origin));
    let failed = diagnostics.iter().any(|d| d.severity == Severity::Error);
    (scenario.filter(|_| !failed), diagnostics)
}

fn read(
    reader: &mut Reader<'_>,
    root: Field<'_>,
    manifests: &mut Manifests<'_>,
    id: &str,
    folder: &Folder,
    options: &LoadOptions,
) -> Option<Scenario> {
    let known = ["name", "about", "tags", "nodes", "topology", "steps"];
    let object = reader.object(root, &known)?;
    let name = sentence(reader, &object, "name");
    let about = sentence(reader, &object, "about");
    let tags = tags(reader, &object);
    let nodes = nodes(reader, &object);
    let (topology, waiting) = topology(reader, object.get("topology"), nodes, manifests);
    let sound = reader.diagnostics.iter().chain(&manifests.diagnostics);
    let sound = sound.into_iter().all(|d| d.severity != Severity::Error);
    let mut steps = Steps {
        manifests: &mut *manifests,
        version: options.kubernetes,
        world: World::new(topology.clone()),
        sound,
    };
    let mut scenario = Scenario {
        id: id.to_owned(),
        folder: folder.path(),
        name,
        about,
        tags,
        nodes,
        topology,
        steps: Vec::new(),
        unsupported: Vec::new(),
        digest: String::new(),
        origin: reader.origin(&object.field),
    };
    match object.get("steps") {
        Some(field) => {
            let items = reader.list(&field)?;
            if items.is_empty() {
                reader.error("missing-field", &field, "steps: expected at least one step");
            }
            for item in items {
                scenario.steps.extend(steps.step(reader, item));
            }
        }
        None => {
            reader.error("missing-field", &object.field, "steps: Required value");
        }
    }
    for step in &scenario.steps {
        for rule in step.expect.iter().chain(&step.faults) {
            binding::listen(rule, &mut scenario.topology);
        }
    }
    let changes = scenario.steps.iter().flat_map(|step| &step.changes);
    let applied: BTreeSet<String> = changes
        .filter_map(|change| match change {
            Change::ApplyPolicy(policy) => Some(policy.name.to_string()),
            Change::ApplyClusterPolicy(policy) => Some(policy.name.to_string()),
            _ => None,
        })
        .collect();
    for Waiting { policy, field } in
        waiting.iter().filter(|waiting| !applied.contains(&waiting.policy))
    {
        let message = format!("no step applies `{policy}`, a policy of this manifest");
        reader.warn("policy-never-applied", field, message).hint(
            "the topology takes namespaces and pods alone: name the file under a step's `apply`",
        );
    }
    scenario.unsupported = std::mem::take(&mut manifests.unsupported);
    Some(scenario)
}

fn sentence(reader: &mut Reader<'_>, object: &Object<'_>, key: &str) -> String {
    let Some(field) = object.get(key) else {
        reader.error("missing-field", &object.field, format!("{key}: Required value"));
        return String::new();
    };
    let text = reader.string(&field).unwrap_or_default().trim().to_owned();
    if text.is_empty() {
        reader.error("missing-field", &field, format!("{key}: Required value"));
    }
    text
}

fn tags(reader: &mut Reader<'_>, object: &Object<'_>) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for item in object.get("tags").and_then(|f| reader.list(&f)).unwrap_or_default() {
        let Some(text) = reader.string(&item) else { continue };
        let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.is_empty() || !text.chars().all(kebab) {
            let message = format!("expected a tag in kebab case, found `{text}`");
            reader.error("bad-tag", &item, message);
        }
        if let Some(near) = tag::meant(text) {
            let message = format!("`{text}` is a free word, which no cluster heeds");
            reader.warn("tag-not-heeded", &item, message).hint(&format!("did you mean `{near}`?"));
        }
        tags.push(text.to_owned());
    }
    tags
}

fn nodes(reader: &mut Reader<'_>, object: &Object<'_>) -> usize {
    const DEFAULT: usize = 2;
    let Some(field) = object.get("nodes") else { return DEFAULT };
    let Some(number) = reader.int32(&field) else { return DEFAULT };
    match usize::try_from(number) {
        Ok(nodes) if (1..=NODES).contains(&number) => nodes,
        _ => {
            let message = format!("nodes: expected a number from 1 to {NODES}, found `{number}`");
            reader.error("bad-nodes", &field, message);
            DEFAULT
        }
    }
}
