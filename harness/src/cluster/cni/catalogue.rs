//! The entries that come with Ringfence, a user's own, and which of them a name means.

use std::path::Path;

use super::{Cni, Install, Version, parse};
use crate::scenario::Diagnostic;
use crate::scenario::nearby::did_you_mean;

/// Every file of `ci/cni/`, with its name there.
const FILES: [(&str, &str); 9] = [
    ("ci/cni/antrea.yaml", include_str!("../../../../ci/cni/antrea.yaml")),
    ("ci/cni/calico.yaml", include_str!("../../../../ci/cni/calico.yaml")),
    ("ci/cni/cilium.yaml", include_str!("../../../../ci/cni/cilium.yaml")),
    ("ci/cni/flannel.yaml", include_str!("../../../../ci/cni/flannel.yaml")),
    ("ci/cni/kindnet.yaml", include_str!("../../../../ci/cni/kindnet.yaml")),
    ("ci/cni/kube-router.yaml", include_str!("../../../../ci/cni/kube-router.yaml")),
    ("ci/cni/ovn-kubernetes.yaml", include_str!("../../../../ci/cni/ovn-kubernetes.yaml")),
    ("ci/cni/romana.yaml", include_str!("../../../../ci/cni/romana.yaml")),
    ("ci/cni/weave-net.yaml", include_str!("../../../../ci/cni/weave-net.yaml")),
];

/// The CNIs that can be asked for.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    cnis: Vec<Cni>,
}

/// A CNI in one of its versions.
#[derive(Debug, Clone, PartialEq)]
pub struct CniChoice {
    /// The CNI.
    pub cni: Cni,
    /// How it is installed.
    pub install: Install,
    /// The version's name.
    pub version_name: String,
    /// The version.
    pub version: Version,
}

/// A text that names no CNI that can be installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownCni {
    /// There is none of that name.
    #[error("expected a CNI, found `{name}`: {help}")]
    Name {
        /// What was given.
        name: String,
        /// A near name, or all of them.
        help: String,
    },
    /// It has no such version.
    #[error("expected a version of `{cni}`, found `{version}`: {help}")]
    Version {
        /// The CNI.
        cni: String,
        /// What was given.
        version: String,
        /// A near version, or all of them.
        help: String,
    },
    /// It is known, and cannot be installed.
    #[error("`{cni}` cannot be installed on any supported Kubernetes: {why}")]
    NotInstallable {
        /// The CNI.
        cni: String,
        /// Why.
        why: String,
    },
}

impl Catalogue {
    /// The entries that come with Ringfence, by name.
    ///
    /// # Errors
    /// Every finding about a file; a test holds that there is none.
    pub fn shipped() -> Result<Self, Vec<Diagnostic>> {
        let mut catalogue = Self::default();
        for (file, text) in FILES {
            catalogue.cnis.push(parse(file, text)?);
        }
        Ok(catalogue)
    }

    /// Adds a user's own file, in place of an entry of the same name; returns its name.
    /// Files that it names are taken relative to its folder.
    ///
    /// # Errors
    /// Every finding about the file.
    pub fn add_file(&mut self, path: &Path) -> Result<String, Vec<Diagnostic>> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let message = format!("`{shown}` cannot be read: {error}");
            vec![Diagnostic::of_file("unreadable", path, message, "")]
        })?;
        let cni = parse(&shown, &text)?;
        let name = cni.name.clone();
        self.cnis.retain(|other| other.name != name);
        self.cnis.push(cni);
        self.cnis.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(name)
    }

    /// Every entry, by name.
    pub fn all(&self) -> &[Cni] {
        &self.cnis
    }

    /// The entry of a name, whether it can be installed or not.
    ///
    /// # Errors
    /// Where there is none.
    pub fn get(&self, name: &str) -> Result<&Cni, UnknownCni> {
        self.cnis.iter().find(|cni| cni.name == name).ok_or_else(|| UnknownCni::Name {
            name: name.to_owned(),
            help: near_or_all(name, self.cnis.iter().map(|cni| cni.name.as_str())),
        })
    }

    /// What `CNI` or `CNI@VERSION` means.
    ///
    /// # Errors
    /// Where there is no such CNI or version, or it cannot be installed.
    pub fn choose(&self, text: &str) -> Result<CniChoice, UnknownCni> {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        let cni = self.get(name)?;
        let install = cni
            .body
            .clone()
            .map_err(|why| UnknownCni::NotInstallable { cni: cni.name.clone(), why })?;
        let wanted = version.unwrap_or(&install.default).to_owned();
        let Some(version) = install.versions.get(&wanted).cloned() else {
            let help = near_or_all(&wanted, install.versions.keys().map(String::as_str));
            return Err(UnknownCni::Version { cni: cni.name.clone(), version: wanted, help });
        };
        Ok(CniChoice { cni: cni.clone(), install, version_name: wanted, version })
    }
}

/// The near names, or all of them.
fn near_or_all<'n>(word: &str, names: impl Iterator<Item = &'n str> + Clone) -> String {
    did_you_mean(word, names.clone()).unwrap_or_else(|| {
        let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
        format!("there {} {}", if names.len() == 1 { "is" } else { "are" }, names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::render;

    fn shipped() -> Catalogue {
        Catalogue::shipped().unwrap_or_else(|found| {
            let found: Vec<String> = found.iter().map(|d| render(d, false, 100)).collect();
            panic!("{}", found.join("\n"))
        })
    }

    #[test]
    fn every_file_of_the_folder_is_shipped_and_named_after_its_cni() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ci/cni");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let names: Vec<String> =
            shipped().all().iter().map(|cni| format!("{}.yaml", cni.name)).collect();
        assert_eq!(names, files);
    }

    #[test]
    fn a_default_is_a_version_and_checksums_are_whole() {
        for cni in shipped().all() {
            let Ok(install) = &cni.body else { continue };
            assert!(install.versions.contains_key(&install.default), "{}", cni.name);
            for asset in install.versions.values().flat_map(Version::assets) {
                assert!(
                    asset.sha256.as_ref().is_ok_and(|sum| sum.len() == 64)
                        || asset.sha256.as_ref().is_err_and(|why| !why.is_empty())
                );
            }
            // None was run yet, and each says so.
            assert!(cni.unverified.is_some(), "{}", cni.name);
        }
    }

    #[test]
    fn names_and_versions_are_chosen() {
        let catalogue = shipped();
        let choice = catalogue.choose("calico").unwrap();
        assert_eq!(choice.version_name, choice.install.default);
        assert_eq!(catalogue.choose("calico@v3.31.7").unwrap().version_name, "v3.31.7");
        for (text, message) in [
            ("calicoo", "expected a CNI, found `calicoo`: did you mean `calico`?"),
            (
                "bridge",
                "expected a CNI, found `bridge`: there are `antrea`, `calico`, `cilium`, `flannel`, `kindnet`, `kube-router`, `ovn-kubernetes`, `romana`, `weave-net`",
            ),
            (
                "cilium@v1.19.6",
                "expected a version of `cilium`, found `v1.19.6`: did you mean `1.19.6`?",
            ),
            (
                "kindnet@latest",
                "expected a version of `kindnet`, found `latest`: there is `v20260820-69b56db7`",
            ),
        ] {
            assert_eq!(catalogue.choose(text).unwrap_err().to_string(), message);
        }
        let romana = catalogue.choose("romana").unwrap_err().to_string();
        assert!(romana.contains("Kubernetes 1.16 and 1.22 removed"), "{romana}");
    }

    #[test]
    fn what_a_file_says_becomes_what_a_run_knows() {
        let catalogue = shipped();
        let calico = catalogue.get("calico").unwrap().dataplane("v3.32.1");
        assert_eq!(calico.name, "calico v3.32.1");
        assert!(calico.enforces && calico.lacks.contains(&crate::cluster::Feature::Ipv6));
        assert!(!calico.lacks.contains(&crate::cluster::Feature::Sctp));
        assert!(!calico.deviations.is_empty() && !calico.choices.is_empty());
        assert!(!catalogue.get("flannel").unwrap().dataplane("v0.28.9").enforces);
    }
}
