//! The CNI catalogue: what a cluster with a CNI is made of, and what is known of it.
//!
//! One file of `ci/cni/` per CNI, which a person can read; a user's own file has the
//! same form (`--cni-file`). Whatever in them was not computed from fetched bytes, or
//! never run, says so under `unverified`.

mod catalogue;
mod read;

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde_json::{Map, Value};

use super::capability::{Dataplane, Feature, Known};

pub use catalogue::{Catalogue, CniChoice, UnknownCni};
pub use read::parse;

/// A CNI: one file of the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct Cni {
    /// Its name, as in `kind:calico`.
    pub name: String,
    /// What it is, in a phrase.
    pub about: String,
    /// Where more is said of it.
    pub link: String,
    /// Whether it enforces policies; where not, it is a negative control.
    pub enforces: bool,
    /// Why the whole entry is not known to work; nothing where it was run.
    pub unverified: Option<String>,
    /// How it is installed, or why it cannot be.
    pub body: Result<Install, String>,
}

/// How a CNI is installed on a kind cluster, and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Install {
    /// The kind cluster that it needs.
    pub kind: KindCluster,
    /// The version that is taken where none is named.
    pub default: String,
    /// Every pinned version.
    pub versions: BTreeMap<String, Version>,
    /// What must have rolled out before it is ready.
    pub ready: Vec<Rollout>,
    /// The optional features that it declares.
    pub features: BTreeSet<Feature>,
    /// Where it is known to part from the specification.
    pub deviations: Vec<Known>,
    /// What it is known to do where the API leaves it open.
    pub choices: Vec<Known>,
}

/// The kind cluster that a CNI needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindCluster {
    /// The node image, by which the Kubernetes version is chosen; kind's own where none is named.
    pub image: Option<String>,
    /// The ranges of pods, at most one of each family.
    pub pod_subnets: Vec<IpNet>,
    /// The ranges of Services, at most one of each family.
    pub service_subnets: Vec<IpNet>,
    /// Whether kind installs its own network.
    pub default_cni: bool,
    /// What kube-proxy does.
    pub kube_proxy: KubeProxy,
    /// How many workers, at least two: paths within a node and between nodes differ.
    pub workers: usize,
    /// Labels of every node; `${NODE}` in a value stands for the node's name.
    pub node_labels: BTreeMap<String, String>,
}

/// kind's `kubeProxyMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KubeProxy {
    /// Services by iptables.
    Iptables,
    /// Services by nftables.
    Nftables,
    /// The CNI replaces it.
    None,
}

impl KubeProxy {
    /// As kind writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Iptables => "iptables",
            Self::Nftables => "nftables",
            Self::None => "none",
        }
    }
}

/// One pinned version of a CNI.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Version {
    /// The manifests to apply, in order.
    pub manifests: Vec<Asset>,
    /// The chart to install.
    pub chart: Option<Chart>,
    /// CNI plugins that the nodes lack: an archive to be unpacked in `/opt/cni/bin`.
    pub plugins: Option<Asset>,
    /// The images that it runs, for machines that cannot pull them.
    pub images: Vec<String>,
    /// Images of the manifests, and what stands in their place.
    pub replace_images: BTreeMap<String, String>,
    /// What of it is not known to be right.
    pub unverified: Option<String>,
}

impl Version {
    /// Everything that is fetched for it.
    pub fn assets(&self) -> impl Iterator<Item = &Asset> {
        let chart = self.chart.iter().map(|chart| &chart.archive);
        self.manifests.iter().chain(chart).chain(&self.plugins)
    }
}

/// A file that is needed: fetched, or at hand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asset {
    /// Where it is.
    pub place: Place,
    /// Its SHA-256 in hexadecimal digits, or why that is not known.
    pub sha256: Result<String, String>,
}

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// At an address; `${ARCH}` in it stands for the nodes' architecture, such as `amd64`.
    Url(String),
    /// On this machine.
    File(std::path::PathBuf),
}

impl Asset {
    /// The name under which it is kept in a folder.
    pub fn file_name(&self, arch: &str) -> String {
        match &self.place {
            Place::Url(url) => {
                let url = url.replace("${ARCH}", arch);
                url.rsplit('/').next().unwrap_or_default().to_owned()
            }
            Place::File(path) => {
                path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
            }
        }
    }
}

/// A Helm chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// The archive that holds it.
    pub archive: Asset,
    /// Where in the archive it is, if the archive is not the chart's own package.
    pub path: Option<String>,
    /// A file of values within the chart, below [`Chart::values`].
    pub values_file: Option<String>,
    /// The name of the release.
    pub release: String,
    /// The namespace of the release.
    pub namespace: String,
    /// The values. `${CONTROL_PLANE}` stands for the name of the first control plane node,
    /// `${CONTROL_PLANE_IP}` for its IPv4 address.
    pub values: Map<String, Value>,
}

/// Something whose rollout is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// What it is.
    pub kind: Workload,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The kinds that roll out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// A pod on each node.
    DaemonSet,
    /// Some pods.
    Deployment,
}

impl std::fmt::Display for Rollout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            Workload::DaemonSet => "daemonset",
            Workload::Deployment => "deployment",
        };
        write!(f, "{kind} {}/{}", self.namespace, self.name)
    }
}

impl Cni {
    /// What is said of a version's dataplane in advance.
    pub fn dataplane(&self, version: &str) -> Dataplane {
        let Ok(install) = &self.body else { return Dataplane::default() };
        Dataplane {
            name: format!("{} {version}", self.name),
            enforces: self.enforces,
            lacks: Feature::ALL.into_iter().filter(|f| !install.features.contains(f)).collect(),
            declares: Feature::ALL.into_iter().filter(|f| install.features.contains(f)).collect(),
            deviations: install.deviations.clone(),
            choices: install.choices.clone(),
            induced: Vec::new(),
        }
    }

    /// What is said in advance of its dataplane on a cluster that exists already, under a version
    /// that may be in no file. The address families are those that the cluster's pods have.
    pub fn declared(&self, version: Option<&str>) -> Dataplane {
        let mut declared = self.dataplane(version.unwrap_or_default());
        declared.name = declared.name.trim_end().to_owned();
        declared.lacks.retain(|lack| !matches!(lack, Feature::Ipv4 | Feature::Ipv6));
        declared
    }
}
