//! Kind clusters on the command line: which CNI, from where, and whether it is kept.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::cluster_args::{Files, Kind};
use super::cluster_kind::ClusterKind;
use super::failure::Failure;
use super::screen;
use crate::cluster::Source;
use crate::cluster::cni::{Catalogue, CniChoice};
use crate::cluster::kind::{DockerImage, KindOptions, KindSource};
use crate::scenario::digest_of_text;

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

    /// The SHA-256 of the file of `--cni-file`.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(super) fn cni_digest(&self) -> Result<Option<String>> {
        let Some(file) = &self.cni_file else { return Ok(None) };
        let text = std::fs::read_to_string(file).with_context(|| {
            format!("expected a CNI file, found that `{}` cannot be read", file.display())
        })?;
        Ok(Some(digest_of_text(&text)))
    }

    /// What `CNI[@VERSION]` means.
    ///
    /// # Errors
    /// Where there is no such CNI.
    pub(super) fn choose(&self, text: &str) -> Result<CniChoice> {
        Ok(self.catalogue()?.choose(text)?)
    }

    /// What a cluster with `CNI[@VERSION]` is made from.
    ///
    /// # Errors
    /// Where there is no such CNI.
    pub(super) fn options(&self, cni: &str) -> Result<KindOptions> {
        let absolute = |path: &Option<PathBuf>| path.as_ref().map(std::path::absolute).transpose();
        let choice = self.choose(cni)?;
        Ok(KindOptions {
            manifests: absolute(&self.manifests)?,
            images: absolute(&self.images)?,
            ..KindOptions::new(cni, choice, self.cni_file.as_deref())?
        })
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
                let options = kind.files.options(cni).map_err(Failure::usage)?;
                let name = match kind.keep {
                    true => options.kept_name().to_owned(),
                    false => options.ephemeral_name("RUN"),
                };
                let folder = options.all.join(&name);
                let plan = options.plan(&name, &folder).map_err(Failure::usage)?;
                text += &about(&options.choice);
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

/// What `--on kind:CNI` names.
///
/// # Errors
/// Where there is no such CNI.
pub(super) fn source(cni: &str, kind: &Kind, agent_image: Option<&str>) -> Result<Arc<dyn Source>> {
    let mut options = KindOptions { keep: kind.keep, ..kind.files.options(cni)? };
    if let Some(image) = agent_image {
        options.agent = Arc::new(DockerImage(image.to_owned()));
    }
    Ok(Arc::new(KindSource::new(options)))
}
