//! What is done to make a kind cluster: plain data, told in a sentence each.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::cluster::cni::{Asset, Place, Rollout};

/// A program that is called as a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Makes the nodes.
    Kind,
    /// Docker's client, which `kind` calls.
    Docker,
    /// Installs charts.
    Helm,
}

impl Program {
    /// Its name on the search path.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Docker => "docker",
            Self::Helm => "helm",
        }
    }

    /// The arguments with which it tells its version, and what to do where it is missing.
    pub(super) const fn probe(self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::Kind => (
                &["version"],
                "install it as https://kind.sigs.k8s.io/docs/user/quick-start/#installation says",
            ),
            Self::Docker => (&["--version"], "install Docker Engine, whose client `kind` calls"),
            Self::Helm => (
                &["version", "--short"],
                "install it as https://helm.sh/docs/intro/install/ says: this CNI is a chart",
            ),
        }
    }
}

/// One action.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A program must be there.
    FindProgram(Program),
    /// Docker Engine must answer.
    ReachDocker,
    /// The kernel must let nodes watch enough files, or they fail with "too many open files".
    CheckInotify {
        /// The least `fs.inotify.max_user_watches`.
        watches: u64,
        /// The least `fs.inotify.max_user_instances`.
        instances: u64,
    },
    /// Gets a file and checks its SHA-256.
    Fetch {
        /// What.
        asset: Asset,
        /// Where it is at hand, for machines without a way out.
        at_hand: Option<PathBuf>,
        /// Where it is put.
        file: PathBuf,
    },
    /// Builds the agent's image, unless Docker has it.
    BuildAgentImage,
    /// Makes a Docker network, unless it is there.
    EnsureNetwork {
        /// Its name.
        name: String,
    },
    /// Writes a file.
    WriteFile {
        /// Where.
        file: PathBuf,
        /// Its text.
        text: String,
    },
    /// Makes the nodes.
    CreateCluster {
        /// The cluster's name in kind.
        name: String,
        /// The node image; kind's own where none is named.
        image: Option<String>,
        /// kind's configuration.
        config: PathBuf,
        /// The cluster's own kubeconfig, which kind writes.
        kubeconfig: PathBuf,
    },
    /// Loads the agent's image into every node.
    LoadAgentImage {
        /// The nodes' names.
        nodes: Vec<String>,
    },
    /// Loads an image from an archive on disk into every node.
    LoadImage {
        /// The image.
        image: String,
        /// Its archive.
        file: PathBuf,
        /// The nodes' names.
        nodes: Vec<String>,
    },
    /// Unpacks CNI plugins on every node.
    UnpackPlugins {
        /// The archive.
        file: PathBuf,
        /// The nodes' names.
        nodes: Vec<String>,
    },
    /// Applies a manifest on the server's side.
    Apply {
        /// The manifest.
        file: PathBuf,
        /// Images that stand in place of others.
        replace_images: BTreeMap<String, String>,
        /// Whether nodes must not pull what they have.
        pull_if_absent: bool,
        /// The cluster's kubeconfig.
        kubeconfig: PathBuf,
    },
    /// Installs a chart.
    InstallChart {
        /// The chart's archive.
        file: PathBuf,
        /// Where the chart is in it, if it is not the chart's package.
        path: Option<String>,
        /// A file of values in the chart.
        values_file: Option<String>,
        /// The name of the release.
        release: String,
        /// The namespace of the release.
        namespace: String,
        /// Values.
        values: Map<String, Value>,
        /// The first control plane node's name.
        control_plane: String,
        /// The cluster's kubeconfig.
        kubeconfig: PathBuf,
    },
    /// Waits until a workload has rolled out.
    AwaitRollout {
        /// Which.
        rollout: Rollout,
        /// The cluster's kubeconfig.
        kubeconfig: PathBuf,
    },
    /// Waits until every node is ready.
    AwaitNodes {
        /// The nodes' names.
        nodes: Vec<String>,
        /// The cluster's kubeconfig.
        kubeconfig: PathBuf,
    },
    /// Removes the nodes.
    DeleteCluster {
        /// The cluster's name in kind.
        name: String,
        /// The cluster's kubeconfig.
        kubeconfig: PathBuf,
    },
    /// Removes the cluster's folder.
    RemoveFolder {
        /// Which.
        folder: PathBuf,
    },
}

/// An action in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its number, from 1.
    pub number: usize,
    /// The stage that it is a part of, such as `nodes`.
    pub stage: &'static str,
    /// What is done.
    pub action: Action,
    /// The steps that come before it; every other may go on at the same time.
    pub after: Vec<usize>,
    /// How long it may take.
    pub deadline: Duration,
}

impl Action {
    /// The arguments of the program that it calls, if it calls one with arguments known in advance.
    pub fn command(&self) -> Option<(Program, Vec<String>)> {
        let (program, arguments): (_, Vec<String>) = match self {
            Self::CreateCluster { name, image, config, kubeconfig } => {
                let mut arguments = vec!["create".into(), "cluster".into()];
                arguments.extend(["--name".into(), name.clone()]);
                arguments.extend(["--config".into(), config.display().to_string()]);
                arguments.extend(["--kubeconfig".into(), kubeconfig.display().to_string()]);
                if let Some(image) = image {
                    arguments.extend(["--image".into(), image.clone()]);
                }
                (Program::Kind, arguments)
            }
            Self::DeleteCluster { name, kubeconfig } => (
                Program::Kind,
                vec![
                    "delete".into(),
                    "cluster".into(),
                    "--name".into(),
                    name.clone(),
                    "--kubeconfig".into(),
                    kubeconfig.display().to_string(),
                ],
            ),
            _ => return None,
        };
        Some((program, arguments))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((program, arguments)) = self.command() {
            return write!(f, "{} {}", program.name(), arguments.join(" "));
        }
        match self {
            Self::FindProgram(program) => write!(f, "find the program `{}`", program.name()),
            Self::ReachDocker => f.write_str("reach Docker Engine"),
            Self::CheckInotify { watches, instances } => write!(
                f,
                "check that fs.inotify.max_user_watches is at least {watches} and \
                 fs.inotify.max_user_instances at least {instances}"
            ),
            Self::Fetch { asset, at_hand, file } => {
                match (at_hand, &asset.place) {
                    (Some(path), _) | (None, Place::File(path)) => {
                        write!(f, "take {}", path.display())?;
                    }
                    (None, Place::Url(url)) => write!(f, "fetch {url}")?,
                }
                match &asset.sha256 {
                    Ok(sum) => write!(f, ", sha256 {sum}")?,
                    Err(why) => write!(f, ", its checksum unknown: {why}")?,
                }
                write!(f, ", as {}", file.display())
            }
            Self::BuildAgentImage => f.write_str("build the agent's image, unless Docker has it"),
            Self::EnsureNetwork { name } => {
                write!(f, "make the Docker network `{name}`, unless it is there")
            }
            Self::WriteFile { file, text } => {
                write!(f, "write {}:", file.display())?;
                text.lines().try_for_each(|line| write!(f, "\n  | {line}"))
            }
            Self::LoadAgentImage { nodes } => {
                write!(f, "load the agent's image into {}", nodes.join(", "))
            }
            Self::LoadImage { image, file, nodes } => {
                write!(f, "load {image} from {} into {}", file.display(), nodes.join(", "))
            }
            Self::UnpackPlugins { file, nodes } => {
                write!(f, "unpack {} in /opt/cni/bin of {}", file.display(), nodes.join(", "))
            }
            Self::Apply { file, replace_images, pull_if_absent, .. } => {
                write!(f, "apply {}", file.display())?;
                for (old, new) in replace_images {
                    write!(f, "\n  | with {new} in place of {old}")?;
                }
                if *pull_if_absent {
                    f.write_str("\n  | with no image pulled that a node has")?;
                }
                Ok(())
            }
            Self::InstallChart { file, path, values_file, release, namespace, values, .. } => {
                if let Some(path) = path {
                    write!(f, "unpack {path} of ")?;
                    write!(f, "{}, then ", file.display())?;
                }
                write!(
                    f,
                    "helm upgrade --install {release} {} --namespace {namespace} --create-namespace",
                    path.as_deref().map_or(file.display().to_string(), str::to_owned)
                )?;
                if let Some(values_file) = values_file {
                    write!(f, " --values {values_file}")?;
                }
                f.write_str(" --values these:")?;
                let text = serde_json::to_string_pretty(values).map_err(|_| fmt::Error)?;
                text.lines().try_for_each(|line| write!(f, "\n  | {line}"))
            }
            Self::AwaitRollout { rollout, .. } => write!(f, "wait until {rollout} has rolled out"),
            Self::AwaitNodes { nodes, .. } => {
                write!(f, "wait until {} are ready", nodes.join(", "))
            }
            Self::RemoveFolder { folder } => write!(f, "remove {}", folder.display()),
            Self::CreateCluster { .. } | Self::DeleteCluster { .. } => Ok(()),
        }
    }
}

impl fmt::Display for Step {
    /// A line, and further ones for what it carries.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after: Vec<String> = self.after.iter().map(usize::to_string).collect();
        let after =
            if after.is_empty() { String::new() } else { format!("after {}, ", after.join(", ")) };
        write!(
            f,
            "{:>2} {:<6} {}\n   ({after}within {} s)",
            self.number,
            self.stage,
            self.action.to_string().replace('\n', "\n         "),
            self.deadline.as_secs()
        )
    }
}
