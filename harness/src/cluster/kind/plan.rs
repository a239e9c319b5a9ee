//! The list of actions that makes a kind cluster: `--dry-run` prints it, a run executes it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::action::{Action, Program, Step};
use super::config::{config, nodes};
use crate::cluster::cni::{Asset, CniChoice};

/// The Docker network that kind puts nodes on. It is made before several clusters start
/// at once, which would each make it (kubernetes-sigs/kind#1596).
const NETWORK: &str = "kind";

/// kind's known issues ask for these: <https://kind.sigs.k8s.io/docs/user/known-issues/>.
pub(super) const INOTIFY_WATCHES: u64 = 524_288;
/// As [`INOTIFY_WATCHES`].
pub(super) const INOTIFY_INSTANCES: u64 = 512;

const QUICK: Duration = Duration::from_secs(30);
/// Pulling a node image of some hundred megabytes is part of it.
const NODES: Duration = Duration::from_secs(900);
const FETCH: Duration = Duration::from_secs(300);
const LOAD: Duration = Duration::from_secs(300);
/// Building the agent takes a compiler a minute or two where it is not built yet.
const BUILD: Duration = Duration::from_secs(900);
/// Nodes pull the CNI's images while it rolls out.
const ROLLOUT: Duration = Duration::from_secs(600);

/// What a plan is made from.
#[derive(Debug, Clone)]
pub struct PlanOptions {
    /// The cluster's name in kind.
    pub name: String,
    /// The folder for its kubeconfig and whatever else is its own.
    pub folder: PathBuf,
    /// A folder that `ringfence cni fetch --manifests` filled.
    pub manifests: Option<PathBuf>,
    /// A folder that `ringfence cni fetch --images` filled.
    pub images: Option<PathBuf>,
    /// The nodes' architecture, as images name it: `amd64`, `arm64`.
    pub arch: String,
}

/// The actions that make a cluster, and those that remove it.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The cluster's name in kind.
    pub name: String,
    /// The nodes' names, the control plane first.
    pub nodes: Vec<String>,
    /// The ranges of its pods.
    pub pods: Vec<IpNet>,
    /// The ranges of its Services.
    pub services: Vec<IpNet>,
    /// The cluster's own kubeconfig.
    pub kubeconfig: PathBuf,
    /// What makes it; a step begins when those before it are done.
    pub opening: Vec<Step>,
    /// What removes it, in order; each is tried, whatever became of those before it.
    pub closing: Vec<Step>,
}

/// The architecture of this machine, as images name it. Nodes have the same.
pub fn host_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Where `ringfence cni fetch` puts a file, and a plan looks for it.
pub fn asset_path(choice: &CniChoice, asset: &Asset, arch: &str) -> PathBuf {
    [&choice.cni.name, &choice.version_name, &asset.file_name(arch)].iter().collect()
}

/// Where `ringfence cni fetch` puts an image, and a plan looks for it.
pub fn image_path(image: &str) -> PathBuf {
    let name: String =
        image.chars().map(|c| if matches!(c, '/' | ':' | '@') { '_' } else { c }).collect();
    PathBuf::from(name + ".tar")
}

/// Collects steps with their numbers.
#[derive(Default)]
struct Steps(Vec<Step>);

impl Steps {
    fn add(
        &mut self,
        stage: &'static str,
        action: Action,
        after: &[usize],
        deadline: Duration,
    ) -> usize {
        let number = self.0.len() + 1;
        let mut after = after.to_vec();
        after.sort_unstable();
        self.0.push(Step { number, stage, action, after, deadline });
        number
    }
}

impl Plan {
    /// The plan of a cluster with a CNI.
    ///
    /// # Errors
    /// Where kind's configuration cannot be written, which none is known to be.
    pub fn new(choice: &CniChoice, options: &PlanOptions) -> Result<Self, serde_json::Error> {
        let PlanOptions { name, folder, manifests, images, arch } = options;
        let (install, version) = (&choice.install, &choice.version);
        let nodes = nodes(name, install.kind.workers);
        let kubeconfig = folder.join("kubeconfig");
        let mut steps = Steps::default();

        let kind = steps.add("check", Action::FindProgram(Program::Kind), &[], QUICK);
        let client = steps.add("check", Action::FindProgram(Program::Docker), &[], QUICK);
        let docker = steps.add("check", Action::ReachDocker, &[], QUICK);
        let watches = INOTIFY_WATCHES;
        let inotify = Action::CheckInotify { watches, instances: INOTIFY_INSTANCES };
        let mut ready_to_start =
            vec![kind, client, docker, steps.add("check", inotify, &[], QUICK)];
        if version.chart.is_some() {
            ready_to_start.push(steps.add("check", Action::FindProgram(Program::Helm), &[], QUICK));
        }

        // Files and the agent's image come while the nodes start.
        let checked = ready_to_start.clone();
        let fetched = |asset: &Asset| folder.join("files").join(asset.file_name(arch));
        let mut fetches = Vec::new();
        for asset in version.assets() {
            let at_hand = manifests.as_ref().map(|dir| dir.join(asset_path(choice, asset, arch)));
            let action = Action::Fetch { asset: asset.clone(), at_hand, file: fetched(asset) };
            fetches.push((asset.clone(), steps.add("fetch", action, &checked, FETCH)));
        }
        let fetch = |asset: &Asset| fetches.iter().find(|(a, _)| a == asset).map(|(_, n)| *n);
        let image = steps.add("image", Action::BuildAgentImage, &checked, BUILD);

        let network = Action::EnsureNetwork { name: NETWORK.to_owned() };
        let network = steps.add("nodes", network, &checked, QUICK);
        let file = folder.join("kind.yaml");
        let text = config(name, &install.kind)?;
        let write = Action::WriteFile { file: file.clone(), text };
        let write = steps.add("nodes", write, &checked, QUICK);
        let create = Action::CreateCluster {
            name: name.clone(),
            image: install.kind.image.clone(),
            config: file,
            kubeconfig: kubeconfig.clone(),
        };
        let created = steps.add("nodes", create, &[network, write], NODES);

        let load = Action::LoadAgentImage { nodes: nodes.clone() };
        steps.add("load", load, &[image, created], LOAD);
        let mut before_cni = vec![created];
        for image in version.images.iter().filter(|_| images.is_some()) {
            let file = images.clone().unwrap_or_default().join(image_path(image));
            let load = Action::LoadImage { image: image.clone(), file, nodes: nodes.clone() };
            before_cni.push(steps.add("load", load, &[created], LOAD));
        }
        if let Some(plugins) = &version.plugins {
            let unpack = Action::UnpackPlugins { file: fetched(plugins), nodes: nodes.clone() };
            let after: Vec<usize> = fetch(plugins).into_iter().chain([created]).collect();
            before_cni.push(steps.add("cni", unpack, &after, LOAD));
        }
        let mut applied = before_cni;
        for manifest in &version.manifests {
            let action = Action::Apply {
                file: fetched(manifest),
                replace_images: version.replace_images.clone(),
                pull_if_absent: images.is_some(),
                kubeconfig: kubeconfig.clone(),
            };
            applied.extend(fetch(manifest));
            applied = vec![steps.add("cni", action, &applied, ROLLOUT)];
        }
        if let Some(chart) = &version.chart {
            let action = Action::InstallChart {
                file: fetched(&chart.archive),
                path: chart.path.clone(),
                values_file: chart.values_file.clone(),
                release: chart.release.clone(),
                namespace: chart.namespace.clone(),
                values: chart.values.clone(),
                control_plane: nodes[0].clone(),
                kubeconfig: kubeconfig.clone(),
            };
            applied.extend(fetch(&chart.archive));
            applied = vec![steps.add("cni", action, &applied, ROLLOUT)];
        }
        for rollout in &install.ready {
            let (rollout, kubeconfig) = (rollout.clone(), kubeconfig.clone());
            steps.add("cni", Action::AwaitRollout { rollout, kubeconfig }, &applied, ROLLOUT);
        }
        let ready = Action::AwaitNodes { nodes: nodes.clone(), kubeconfig: kubeconfig.clone() };
        steps.add("cni", ready, &applied, ROLLOUT);

        let (pods, services) = (&install.kind.pod_subnets, &install.kind.service_subnets);
        Ok(Self {
            nodes,
            pods: pods.clone(),
            services: services.clone(),
            opening: steps.0,
            ..Self::removal(name.clone(), folder.clone())
        })
    }

    /// A plan that makes nothing, and removes the cluster of a name in kind with its folder.
    pub fn removal(name: String, folder: PathBuf) -> Self {
        let kubeconfig = folder.join("kubeconfig");
        let mut closing = Steps::default();
        let delete = Action::DeleteCluster { name: name.clone(), kubeconfig: kubeconfig.clone() };
        let deleted = closing.add("close", delete, &[], LOAD);
        // The folder says what may still be there: it goes last.
        closing.add("close", Action::RemoveFolder { folder }, &[deleted], QUICK);
        let (nodes, pods, services, opening) = Default::default();
        Self { name, nodes, pods, services, kubeconfig, opening, closing: closing.0 }
    }
}

impl Plan {
    /// The same plan with only these actions to open it. Steps still wait for those of them
    /// that they waited for.
    #[must_use]
    pub fn only(mut self, wanted: impl Fn(&Action) -> bool) -> Self {
        self.opening.retain(|step| wanted(&step.action));
        let old: Vec<usize> = self.opening.iter().map(|step| step.number).collect();
        let new = |number: &usize| old.iter().position(|n| n == number).map(|index| index + 1);
        for (index, step) in self.opening.iter_mut().enumerate() {
            step.number = index + 1;
            step.after = step.after.iter().filter_map(new).collect();
        }
        self
    }

    /// What a cluster that stands already needs before a run.
    #[must_use]
    pub fn again(self) -> Self {
        self.only(|action| {
            matches!(
                action,
                Action::ReachDocker
                    | Action::BuildAgentImage
                    | Action::LoadAgentImage { .. }
                    | Action::AwaitNodes { .. }
            )
        })
    }

    /// What makes the cluster without anything of a run.
    #[must_use]
    pub fn without_agent(self) -> Self {
        self.only(|action| {
            !matches!(action, Action::BuildAgentImage | Action::LoadAgentImage { .. })
        })
    }

    /// What removes the cluster where its nodes were never begun: all but the nodes.
    #[must_use]
    pub fn without_nodes(mut self) -> Self {
        self.closing.retain(|step| !matches!(step.action, Action::DeleteCluster { .. }));
        self.closing.iter_mut().for_each(|step| step.after.clear());
        self
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "to make `{}`:", self.name)?;
        self.opening.iter().try_for_each(|step| writeln!(f, "{step}"))?;
        writeln!(f, "to remove it:")?;
        self.closing.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}
