//! Kind clusters on the command line: which CNI, from where, and whether it is kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::cluster_args::{Files, Kind};
use super::cluster_kind::ClusterKind;
use super::failure::Failure;
use super::screen;
use crate::cluster::Source;
use crate::cluster::cni::{Catalogue, CniChoice};
use crate::cluster::kind::{
    AgentBuilder, BuiltAgent, ClusterFolder, DockerImage, KindSource, Machine, Plan, PlanOptions,
    State, clusters_folder, host_arch, kind_name,
};
use crate::cluster::kubernetes::owner::RunId;

impl Files {
    /// The CNIs that there are.
    ///
    /// # Errors
    /// Where the file of `--cni-file` is none; the findings were then printed.
    pub(super) fn catalogue(&self) -> Result<Catalogue> {
        let mut catalogue = Catalogue::shipped().map_err(|findings| {
            screen::diagnose(&findings);
            anyhow::anyhow!("this version's own CNI files are not understood")
        })?;
        if let Some(file) = &self.cni_file {
            catalogue.add_file(file).map_err(|findings| {
                screen::diagnose(&findings);
                anyhow::anyhow!("`{}` is no CNI file", file.display())
            })?;
        }
        Ok(catalogue)
    }

    /// What `CNI[@VERSION]` means, and how a cluster with it is noted: a file of the user's own
    /// may change under one version.
    ///
    /// # Errors
    /// Where there is no such CNI.
    pub(super) fn choose(&self, text: &str) -> Result<(CniChoice, String)> {
        let choice = self.catalogue()?.choose(text)?;
        let mut noted = format!("{}@{}", choice.cni.name, choice.version_name);
        if let Some(file) = &self.cni_file {
            let bytes = std::fs::read(file);
            let bytes = bytes.with_context(|| format!("`{}` cannot be read", file.display()))?;
            let digest = Sha256::digest(&bytes);
            noted.extend(
                std::iter::once('#').chain(
                    digest
                        .iter()
                        .take(4)
                        .flat_map(|byte| format!("{byte:02x}").chars().collect::<Vec<_>>()),
                ),
            );
        }
        Ok((choice, noted))
    }

    /// The plan of a cluster.
    ///
    /// # Errors
    /// Where kind's configuration cannot be written.
    pub(super) fn plan(&self, choice: &CniChoice, name: &str, folder: &Path) -> Result<Plan> {
        let absolute = |path: &Option<PathBuf>| path.as_ref().map(std::path::absolute).transpose();
        let options = PlanOptions {
            name: kind_name(name),
            folder: folder.to_owned(),
            manifests: absolute(&self.manifests)?,
            images: absolute(&self.images)?,
            arch: host_arch().to_owned(),
        };
        Ok(Plan::new(choice, &options)?)
    }
}

/// The plans of a run, as `--dry-run` prints them.
///
/// # Errors
/// Where there is no such CNI.
pub(super) fn plans(clusters: &[ClusterKind], kind: &Kind) -> Result<String, Failure> {
    let mut text = String::new();
    for cluster in clusters {
        if !text.is_empty() {
            text.push('\n');
        }
        match cluster {
            ClusterKind::Kind(cni) => {
                let (choice, _) = kind.files.choose(cni).map_err(Failure::usage)?;
                let name =
                    if kind.keep { choice.cni.name.clone() } else { ephemeral(&choice, "RUN") };
                let folder = clusters_folder().map_err(Failure::usage)?.join(&name);
                let plan = kind.files.plan(&choice, &name, &folder).map_err(Failure::usage)?;
                text += &about(&choice);
                text += &plan.to_string();
            }
            other => text += &format!("`{other}`: nothing is made before its scenarios\n"),
        }
    }
    Ok(text)
}

/// A line about a choice, and what of it is not known to be right.
fn about(choice: &CniChoice) -> String {
    let mut text = format!("{} {}: {}\n", choice.cni.name, choice.version_name, choice.cni.about);
    for why in choice.cni.unverified.iter().chain(&choice.version.unverified) {
        text += &format!("unverified: {why}\n");
    }
    if !choice.cni.enforces {
        text += "enforces no policy: a run passes only if every deny is seen to fail\n";
    }
    text
}

/// The name of a cluster that ends with its run.
fn ephemeral(choice: &CniChoice, run: &str) -> String {
    let cni: String = choice.cni.name.chars().take(24).collect();
    format!("{}-{run}", cni.trim_end_matches('-'))
}

/// What `--on kind:CNI` names: the cluster that was kept under the CNI's name if it is the
/// same and nobody uses it, or else a new one.
///
/// # Errors
/// Where there is no such CNI, or another cluster was kept under its name.
pub(super) async fn source(
    cni: &str,
    kind: &Kind,
    agent_image: Option<&str>,
) -> Result<Arc<dyn Source>> {
    let (choice, noted) = kind.files.choose(cni)?;
    let agent: Arc<dyn AgentBuilder> = match agent_image {
        Some(image) => Arc::new(DockerImage(image.to_owned())),
        None => Arc::new(BuiltAgent),
    };
    let machine = Arc::new(Machine::new(agent));
    let (all, name) = (clusters_folder()?, choice.cni.name.clone());
    let taken = if kind.keep {
        let (all, name) = (all.clone(), name.clone());
        Some(tokio::task::spawn_blocking(move || ClusterFolder::wait(&all, &name)).await??)
    } else {
        ClusterFolder::take(&all, &name)?
    };
    let kept = match &taken {
        Some(folder) => folder.state()?.filter(|state| state.kept && state.ready),
        None => None,
    };
    let (folder, state) = match (taken, kept) {
        (Some(folder), Some(state)) if state.cni == noted => (folder, state),
        (Some(_), Some(state)) if kind.keep => bail!(
            "expected no other cluster under the name `{name}`, found `{}`: `ringfence clusters down {name}` removes it",
            state.cni
        ),
        (Some(folder), _) if kind.keep => {
            let name = folder.name().to_owned();
            (folder, State { name, cni: noted, kept: true, ready: false, run: None })
        }
        _ => {
            let name = ephemeral(&choice, RunId::random().as_str());
            let folder = ClusterFolder::take(&all, &name)?;
            let folder = folder.with_context(|| format!("the folder of `{name}` is in use"))?;
            (folder, State { name, cni: noted, kept: false, ready: false, run: None })
        }
    };
    let plan = kind.files.plan(&choice, folder.name(), folder.path())?;
    let plan = if state.ready { plan.again() } else { plan };
    let dataplane = choice.cni.dataplane(&choice.version_name);
    let name = format!("kind:{cni}");
    Ok(Arc::new(KindSource::new(name, plan, state, dataplane, folder, machine)))
}
