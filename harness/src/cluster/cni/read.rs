//! A CNI file: from text to a checked entry, with all that is wrong at once.

mod known;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde_json::Value as Json;

use super::{
    Asset, Chart, Cni, Install, KindCluster, KubeProxy, Place, Rollout, Version, Workload,
};
use crate::cluster::Feature;
use crate::scenario::field::{Field, Object, Reader};
use crate::scenario::nearby::near_or_all;
use crate::scenario::source::Source;
use crate::scenario::yaml::{self, Value};
use crate::scenario::{Diagnostic, syntax};

/// Reads a CNI file. Files that it names are relative to its own folder.
///
/// # Errors
/// Every finding, with its line.
pub fn parse(file: &str, text: &str) -> Result<Cni, Vec<Diagnostic>> {
    let source = Source::new(file, text);
    let (documents, errors) = yaml::parse(file, text);
    let mut diagnostics: Vec<Diagnostic> =
        errors.into_iter().map(|error| syntax(&source, error)).collect();
    let mut documents = documents.into_iter().filter(|d| d.root.value != Value::Null);
    let mut cni = None;
    match (documents.next(), documents.next()) {
        (Some(document), None) => {
            let mut reader = Reading {
                reader: Reader::new(&source, document.index),
                folder: Path::new(file).parent().unwrap_or(Path::new("")).to_owned(),
            };
            cni = reader.cni(Field::root(&document.root));
            diagnostics.append(&mut reader.reader.diagnostics);
        }
        (Some(_), Some(second)) => {
            let mut reader = Reader::new(&source, second.index);
            let message = "expected one document, found a second";
            reader.error("second-document", &Field::root(&second.root), message);
            diagnostics.append(&mut reader.diagnostics);
        }
        (None, _) if diagnostics.is_empty() => {
            let mut reader = Reader::new(&source, 0);
            let message = "expected a CNI, found an empty file";
            reader.error_at("empty-file", "", yaml::Place::START, message);
            diagnostics.append(&mut reader.diagnostics);
        }
        (None, _) => {}
    }
    diagnostics.sort_by(|a, b| a.origin.cmp_place(&b.origin));
    match cni {
        Some(cni) if diagnostics.is_empty() => Ok(cni),
        _ => Err(diagnostics),
    }
}

struct Reading<'s> {
    reader: Reader<'s>,
    folder: PathBuf,
}

impl Reading<'_> {
    fn cni(&mut self, root: Field<'_>) -> Option<Cni> {
        let known = [
            "name",
            "about",
            "link",
            "enforces",
            "unverified",
            "not-installable",
            "kind",
            "default",
            "versions",
            "ready",
            "features",
            "deviations",
            "choices",
        ];
        let object = self.reader.object(root, &known)?;
        let body = match self.optional(&object, "not-installable") {
            Some(why) => Err(why.trim().to_owned()),
            None => Ok(self.install(&object)),
        };
        let enforces = object.get("enforces").and_then(|f| self.reader.boolean(&f)).unwrap_or(true);
        Some(Cni {
            name: self.required(&object, "name"),
            about: self.required(&object, "about"),
            link: self.required(&object, "link"),
            enforces,
            unverified: self.optional(&object, "unverified"),
            body: match body {
                Err(why) => Err(why),
                Ok(install) => Ok(install?),
            },
        })
    }

    fn install(&mut self, object: &Object<'_>) -> Option<Install> {
        let kind = object.get("kind");
        if kind.is_none() {
            self.missing(object, "kind");
        }
        let kind = kind.and_then(|field| self.kind(field));
        let default = self.required(object, "default");
        let mut versions = BTreeMap::new();
        match object.get("versions").map(|field| self.reader.map(field)) {
            Some(map) => {
                let map = map?;
                for entry in map.entries {
                    let version = self.version(map.field.child(entry));
                    versions.extend(version.map(|version| (entry.key.clone(), version)));
                }
                if let Some(field) = object.get("default")
                    && !map.entries.iter().any(|entry| entry.key == default)
                {
                    let names = map.entries.iter().map(|entry| entry.key.as_str());
                    let help = near_or_all(&default, names);
                    let message = format!("expected one of `versions`, found `{default}`");
                    let found = self.reader.error("unknown-version", &field, message);
                    if let Some(help) = help {
                        found.hint(&help);
                    }
                }
            }
            None => self.missing(object, "versions"),
        }
        let ready = self.items(object, "ready", Self::rollout);
        let features = self.items(object, "features", |reading, item| {
            let names = Feature::ALL.map(Feature::as_str);
            reading.word(item, "a feature", &names, &Feature::ALL)
        });
        let deviations = self.items(object, "deviations", Self::deviation);
        let choices = self.items(object, "choices", Self::choice);
        let features = features.into_iter().collect();
        Some(Install { kind: kind?, default, versions, ready, features, deviations, choices })
    }

    fn kind(&mut self, field: Field<'_>) -> Option<KindCluster> {
        let known = [
            "image",
            "pod-subnets",
            "service-subnets",
            "default-cni",
            "kube-proxy",
            "workers",
            "node-labels",
        ];
        let object = self.reader.object(field, &known)?;
        let modes = [KubeProxy::Iptables, KubeProxy::Nftables, KubeProxy::None];
        let kube_proxy = match object.get("kube-proxy") {
            None => Some(KubeProxy::Iptables),
            Some(field) => self.word(field, "a mode", &modes.map(KubeProxy::as_str), &modes),
        };
        let default_cni = object.get("default-cni").and_then(|f| self.reader.boolean(&f));
        let image = self.optional(&object, "image");
        let pod_subnets = self.subnets(&object, "pod-subnets");
        let service_subnets = self.subnets(&object, "service-subnets");
        let node_labels = self.texts(&object, "node-labels");
        let workers = self.workers(&object);
        Some(KindCluster {
            image,
            pod_subnets,
            service_subnets,
            default_cni: default_cni.unwrap_or(false),
            kube_proxy: kube_proxy?,
            workers: workers?,
            node_labels,
        })
    }

    fn workers(&mut self, object: &Object<'_>) -> Option<usize> {
        let Some(field) = object.get("workers") else { return Some(2) };
        let number = self.reader.int32(&field)?;
        let workers = usize::try_from(number).ok().filter(|number| (2..=16).contains(number));
        if workers.is_none() {
            let message = format!("expected 2 to 16 workers, found `{number}`");
            let help = "paths within a node and between nodes differ, and both are tried";
            self.reader.error("bad-workers", &field, message).hint(help);
        }
        workers
    }

    /// At least one range, and at most one of each family.
    fn subnets(&mut self, object: &Object<'_>, key: &str) -> Vec<IpNet> {
        let fields = object.get(key).and_then(|field| self.reader.list(&field));
        let mut subnets: Vec<IpNet> = Vec::new();
        for field in fields.unwrap_or_default() {
            let Some(text) = self.reader.string(&field) else { continue };
            match text.parse::<IpNet>() {
                Ok(net) if net.trunc() != net => {
                    let message = format!("expected `{}`, found `{text}`", net.trunc());
                    self.reader.error("cidr-host-bits", &field, message);
                }
                Ok(net) if subnets.iter().any(|o| o.addr().is_ipv4() == net.addr().is_ipv4()) => {
                    let message = format!("a second range of the family of `{text}`");
                    self.reader.error("second-range", &field, message);
                }
                Ok(net) => subnets.push(net),
                Err(_) => {
                    let message = format!("expected a range such as `10.0.0.0/16`, found `{text}`");
                    self.reader.error("bad-cidr", &field, message);
                }
            }
        }
        if object.get(key).is_none() {
            self.missing(object, key);
        }
        subnets
    }

    fn version(&mut self, field: Field<'_>) -> Option<Version> {
        let known = ["manifests", "chart", "plugins", "images", "replace-images", "unverified"];
        let object = self.reader.structure(field, &known)?;
        Some(Version {
            manifests: self.items(&object, "manifests", |r, item| r.asset(item)),
            chart: object.get("chart").and_then(|field| self.chart(field)),
            plugins: object.get("plugins").and_then(|field| self.asset(field)),
            images: self
                .items(&object, "images", |r, item| r.reader.string(&item).map(str::to_owned)),
            replace_images: self.texts(&object, "replace-images"),
            unverified: self.optional(&object, "unverified"),
        })
    }

    fn asset(&mut self, field: Field<'_>) -> Option<Asset> {
        let object = self.reader.object(field, &["url", "file", "sha256", "unverified"])?;
        self.place_of(&object)
    }

    fn place_of(&mut self, object: &Object<'_>) -> Option<Asset> {
        let place = match (self.optional(object, "url"), self.optional(object, "file")) {
            (Some(url), None) if url.starts_with("https://") => Place::Url(url),
            (Some(url), None) => {
                let message = format!("expected an address with `https://`, found `{url}`");
                self.reader.error("bad-url", &object.get("url")?, message);
                return None;
            }
            (None, Some(file)) => Place::File(self.folder.join(file)),
            _ => {
                let message = format!("{}: expected one of `url` and `file`", object.field);
                self.reader.error("missing-field", &object.field, message);
                return None;
            }
        };
        let digits = |text: &str| {
            text.len() == 64
                && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let sha256 = match (self.optional(object, "sha256"), self.optional(object, "unverified")) {
            (Some(sum), None) if digits(&sum) => Ok(sum),
            (Some(sum), None) => {
                let message = format!("expected 64 hexadecimal digits, found `{sum}`");
                self.reader.error("bad-checksum", &object.get("sha256")?, message);
                return None;
            }
            (None, Some(why)) => Err(why),
            // A file on this machine is the user's own.
            (None, None) if matches!(place, Place::File(_)) => Err("a file at hand".to_owned()),
            _ => {
                let message =
                    format!("{}: expected one of `sha256` and `unverified`", object.field);
                self.reader.error("missing-field", &object.field, message).hint(
                    "`ringfence cni fetch` computes checksums; `unverified` says why there is none",
                );
                return None;
            }
        };
        Some(Asset { place, sha256 })
    }

    fn chart(&mut self, field: Field<'_>) -> Option<Chart> {
        let known = [
            "url",
            "file",
            "sha256",
            "unverified",
            "path",
            "values-file",
            "release",
            "namespace",
            "values",
        ];
        let object = self.reader.object(field, &known)?;
        let archive = self.place_of(&object);
        let values = match object.get("values") {
            None => serde_json::Map::new(),
            Some(field) => match field.node.to_json() {
                Json::Object(map) => map,
                _ => {
                    self.reader.wrong_type(&field, "a map");
                    return None;
                }
            },
        };
        Some(Chart {
            path: self.optional(&object, "path"),
            values_file: self.optional(&object, "values-file"),
            release: self.required(&object, "release"),
            namespace: self.required(&object, "namespace"),
            values,
            archive: archive?,
        })
    }

    fn rollout(&mut self, field: Field<'_>) -> Option<Rollout> {
        let text = self.reader.string(&field)?;
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        let kind = match kind {
            "daemonset" => Some(Workload::DaemonSet),
            "deployment" => Some(Workload::Deployment),
            _ => None,
        };
        match (kind, rest.split_once('/')) {
            (Some(kind), Some((namespace, name))) if !namespace.is_empty() && !name.is_empty() => {
                Some(Rollout { kind, namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => {
                let message = format!(
                    "expected `daemonset NAMESPACE/NAME` or `deployment NAMESPACE/NAME`, found `{text}`"
                );
                self.reader.error("bad-rollout", &field, message);
                None
            }
        }
    }

    /// One of some words, as the value in the same place.
    fn word<T: Copy>(
        &mut self,
        field: Field<'_>,
        expected: &str,
        words: &[&str],
        values: &[T],
    ) -> Option<T> {
        let text = self.reader.string(&field)?;
        let found = words.iter().position(|word| *word == text).map(|index| values[index]);
        if found.is_none() {
            let message = format!("expected {expected}, found `{text}`");
            let help = near_or_all(text, words.iter().copied());
            let finding = self.reader.error("unknown-word", &field, message);
            if let Some(help) = help {
                finding.hint(&help);
            }
        }
        found
    }

    fn items<T>(
        &mut self,
        object: &Object<'_>,
        key: &str,
        mut read: impl FnMut(&mut Self, Field<'_>) -> Option<T>,
    ) -> Vec<T> {
        let fields = object.get(key).and_then(|field| self.reader.list(&field));
        fields.unwrap_or_default().into_iter().filter_map(|item| read(self, item)).collect()
    }

    /// A map of texts.
    fn texts(&mut self, object: &Object<'_>, key: &str) -> BTreeMap<String, String> {
        let Some(map) = object.get(key).and_then(|field| self.reader.map(field)) else {
            return BTreeMap::new();
        };
        let text = |entry| {
            let field = map.field.child(entry);
            let text = self.reader.string(&field)?;
            Some((entry.key.clone(), text.to_owned()))
        };
        map.entries.iter().filter_map(text).collect()
    }

    fn optional(&mut self, object: &Object<'_>, key: &str) -> Option<String> {
        let field = object.get(key)?;
        self.reader.string(&field).map(str::to_owned)
    }

    fn required(&mut self, object: &Object<'_>, key: &str) -> String {
        let text = self.optional(object, key);
        if object.get(key).is_none() || text.as_deref() == Some("") {
            self.missing(object, key);
        }
        text.unwrap_or_default()
    }

    fn missing(&mut self, object: &Object<'_>, key: &str) {
        let dot = if object.field.path.is_empty() { "" } else { "." };
        let message = format!("{}{dot}{key}: Required value", object.field);
        self.reader.error_at("missing-field", &object.field.path, object.field.key_place, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::render;

    fn findings(text: &str) -> String {
        let found = parse("mine.yaml", text).unwrap_err();
        found.iter().map(|d| render(d, false, 100)).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn everything_wrong_is_said_with_its_line() {
        expect_test::expect_file!["../../../tests/golden/cni/findings.txt"].assert_eq(&findings(
            "name: mine
abuot: a build of my own
link: https://example.org
kind:
  pod-subnets: [10.244.1.0/16, 10.1.0.0/16, x]
  service-subnets: [10.96.0.0/16]
  kube-proxy: iptable
  workers: 1
default: v2
versions:
  v1:
    manifests:
      - url: http://example.org/mine.yaml
        sha256: 0a
      - url: https://example.org/mine.yaml
      - file: mine.yaml
        sha256: 00
    chart: { url: https://example.org/mine.tgz, unverified: mine, values: [] }
ready: [daemonset mine]
features: [endport]
deviations:
  - { id: x, feature: ip-block, what: y, seen: [{ scenario: a, cells: b, outcome: maybe }] }
",
        ));
    }

    #[test]
    fn a_file_beside_it_is_taken_from_its_folder() {
        let text = "name: mine\nabout: mine\nlink: mine\nkind: { pod-subnets: [10.244.0.0/16], \
                    service-subnets: [10.96.0.0/16] }\ndefault: dev\nversions: { dev: { manifests: \
                    [{ file: mine.yaml }] } }\n";
        let install = parse("builds/mine.cni.yaml", text).unwrap().body.unwrap();
        let asset = &install.versions["dev"].manifests[0];
        assert_eq!(asset.place, Place::File(PathBuf::from("builds/mine.yaml")));
        assert_eq!(asset.file_name("amd64"), "mine.yaml");
        assert_eq!(install.kind.workers, 2);
    }

    #[test]
    fn empty_and_broken_texts_are_findings() {
        assert!(findings("").contains("expected a CNI, found an empty file"));
        assert!(findings("a: [").contains("yaml-syntax"));
        assert!(findings("name: a\n---\nname: b\n").contains("expected one document"));
    }
}
