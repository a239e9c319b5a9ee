//! This machine, which carries a plan's actions out.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use async_trait::async_trait;
use bollard::Docker;
use futures_util::future::try_join_all;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value as Json;
use tokio::sync::OnceCell;

use super::action::{Action, Program};
use super::agent::{AgentArchive, AgentBuilder};
use super::chart::{self, Release};
use super::execute::{Hands, Told};
use super::fetch::fetch;
use super::plan::host_arch;
use super::{apply, node, process, rollout};
use crate::cluster::ClusterError;

/// This machine: programs on its search path, its Docker Engine, and the clusters' APIs.
pub struct Machine {
    agent: Arc<dyn AgentBuilder>,
    path: Option<OsString>,
    docker: OnceCell<Docker>,
    image: OnceCell<AgentArchive>,
}

impl Machine {
    /// A machine that builds the agent's image in this way.
    pub fn new(agent: Arc<dyn AgentBuilder>) -> Self {
        Self { agent, path: None, docker: OnceCell::new(), image: OnceCell::new() }
    }

    /// Looks programs up in these folders, in the form of `PATH`.
    pub fn with_path(mut self, path: impl Into<OsString>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The agent's image, once a plan has built it.
    pub fn agent_image(&self) -> Option<&str> {
        self.image.get().map(|image| image.reference.as_str())
    }

    /// The names of the clusters that kind has, one a line.
    ///
    /// # Errors
    /// What `kind` says.
    pub async fn kinds(&self) -> anyhow::Result<String> {
        let arguments = ["get", "clusters"].map(str::to_owned);
        process::run(Program::Kind, &arguments, self.path.as_ref(), &Told::default()).await
    }

    async fn docker(&self) -> Result<&Docker, ClusterError> {
        self.docker.get_or_try_init(node::reach).await
    }

    async fn image(&self) -> Result<&AgentArchive, ClusterError> {
        self.image.get_or_try_init(|| self.agent.build()).await
    }
}

/// A client of a cluster's API.
///
/// # Errors
/// Where the kubeconfig cannot be read or used.
pub async fn client(kubeconfig: &Path) -> anyhow::Result<kube::Client> {
    let shown = || format!("the kubeconfig `{}` cannot be used", kubeconfig.display());
    let read = Kubeconfig::read_from(kubeconfig).with_context(shown)?;
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(read, &options).await.with_context(shown)?;
    kube::Client::try_from(config).with_context(shown)
}

#[async_trait]
impl Hands for Machine {
    async fn perform(&self, action: &Action, told: &Told) -> Result<(), ClusterError> {
        match action {
            Action::FindProgram(program) => {
                process::version(*program, self.path.as_ref()).await.map(drop)
            }
            Action::ReachDocker => self.docker().await.map(drop),
            Action::CheckInotify { watches, instances } => {
                inotify(Path::new("/proc/sys/fs/inotify"), *watches, *instances)
            }
            Action::BuildAgentImage => self.image().await.map(drop),
            _ => self.make(action, told).await,
        }
    }
}

impl Machine {
    async fn make(&self, action: &Action, told: &Told) -> Result<(), ClusterError> {
        if let Some((program, arguments)) = action.command() {
            process::run(program, &arguments, self.path.as_ref(), told).await?;
            return Ok(());
        }
        match action {
            Action::Fetch { asset, at_hand, file } => {
                let fetched = fetch(asset, at_hand.as_deref(), host_arch(), told).await?;
                write(file, &fetched.bytes).await?;
            }
            Action::EnsureNetwork { name } => {
                node::ensure_network(self.docker().await?, name).await?;
            }
            Action::WriteFile { file, text } => write(file, text.as_bytes()).await?,
            Action::LoadAgentImage { nodes } => {
                let (docker, image) = (self.docker().await?, self.image().await?);
                let archive = image.archive.as_slice();
                let each = nodes.iter().map(|name| node::load(docker, name, archive, told));
                try_join_all(each).await?;
            }
            Action::LoadImage { image, file, nodes } => {
                let docker = self.docker().await?;
                let load = |name: String| async move {
                    let opened = tokio::fs::File::open(file).await.with_context(|| {
                        format!(
                            "expected an archive of `{image}` at `{}`: `ringfence cni fetch --images` puts it there",
                            file.display()
                        )
                    })?;
                    node::load(docker, &name, opened, told).await
                };
                try_join_all(nodes.iter().cloned().map(load)).await?;
            }
            Action::UnpackPlugins { file, nodes } => {
                let docker = self.docker().await?;
                let folder = "/opt/cni/bin";
                let each = nodes.iter().map(|name| node::unpack(docker, name, file, folder));
                try_join_all(each).await?;
            }
            Action::Apply { file, replace_images, pull_if_absent, kubeconfig } => {
                let text = tokio::fs::read_to_string(file).await;
                let text = text.with_context(|| format!("`{}` cannot be read", file.display()))?;
                let mut objects = apply::objects(&file.display().to_string(), &text)?;
                for object in &mut objects {
                    apply::adjust(object, replace_images, *pull_if_absent);
                }
                apply::apply(&client(kubeconfig).await?, objects, told).await?;
            }
            Action::InstallChart { .. } => self.chart(action, told).await?,
            Action::AwaitRollout { rollout, kubeconfig } => {
                rollout::rolled_out(&client(kubeconfig).await?, rollout, told).await;
            }
            Action::AwaitNodes { nodes, kubeconfig } => {
                let client = client(kubeconfig).await?;
                for node in nodes {
                    rollout::ready(&client, node, told).await;
                }
            }
            Action::RemoveFolder { folder } => {
                let removed = tokio::fs::remove_dir_all(folder).await;
                match removed {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        let what = format!("`{}` cannot be removed", folder.display());
                        return Err(anyhow!(error).context(what).into());
                    }
                    _ => {}
                }
            }
            other => return Err(anyhow!("`{other}` is no action of a cluster").into()),
        }
        Ok(())
    }

    async fn chart(&self, action: &Action, told: &Told) -> anyhow::Result<()> {
        let Action::InstallChart {
            file,
            path,
            values_file,
            release,
            namespace,
            values,
            control_plane,
            kubeconfig,
        } = action
        else {
            return Ok(());
        };
        let mut values = Json::Object(values.clone());
        // Docker is asked only where a chart needs to know.
        if serde_json::to_string(&values)?.contains("${CONTROL_PLANE_IP}") {
            let address = node::address(self.docker().await?, control_plane).await?;
            chart::fill(&mut values, &[("${CONTROL_PLANE_IP}", &address)]);
        }
        chart::fill(&mut values, &[("${CONTROL_PLANE}", control_plane)]);
        let release = Release {
            file,
            path: path.as_deref(),
            values_file: values_file.as_deref(),
            name: release,
            namespace,
            values,
            kubeconfig,
        };
        chart::install(release, self.path.as_ref(), told).await
    }
}

async fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let shown = || format!("`{}` cannot be written", file.display());
    if let Some(folder) = file.parent() {
        tokio::fs::create_dir_all(folder).await.with_context(shown)?;
    }
    tokio::fs::write(file, bytes).await.with_context(shown)
}

/// Reads the kernel's limits in a folder of `sysctl` files.
pub(super) fn inotify(folder: &Path, watches: u64, instances: u64) -> Result<(), ClusterError> {
    let mut low = Vec::new();
    for (name, least) in [("max_user_watches", watches), ("max_user_instances", instances)] {
        let file = folder.join(name);
        let text = std::fs::read_to_string(&file).map_err(|error| {
            let shown = file.display();
            ClusterError::Unsupported(format!("expected a limit in `{shown}`: {error}"))
        })?;
        // What is no number is no limit that could be too low.
        match text.trim().parse::<u64>() {
            Ok(found) if found < least => low.push((name, found, least)),
            _ => {}
        }
    }
    if low.is_empty() {
        return Ok(());
    }
    let each = |(name, found, least): &(&str, u64, u64)| {
        format!("fs.inotify.{name} to be at least {least}, found {found}")
    };
    let set = |(name, _, least): &(&str, u64, u64)| format!("fs.inotify.{name}={least}");
    Err(ClusterError::Unsupported(format!(
        "expected {}: nodes would fail with \"too many open files\"; set it with `sudo sysctl {}`",
        low.iter().map(each).collect::<Vec<_>>().join(" and "),
        low.iter().map(set).collect::<Vec<_>>().join(" "),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_limits_come_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("max_user_watches"), "8192\n").unwrap();
        std::fs::write(folder.path().join("max_user_instances"), "512\n").unwrap();
        assert_eq!(
            inotify(folder.path(), 524_288, 512).unwrap_err().to_string(),
            "expected fs.inotify.max_user_watches to be at least 524288, found 8192: nodes would \
             fail with \"too many open files\"; set it with `sudo sysctl \
             fs.inotify.max_user_watches=524288`"
        );
        assert!(inotify(folder.path(), 8192, 128).is_ok());
    }
}
