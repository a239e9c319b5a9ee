//! What a kind cluster is to be, whoever asks for it: the command line, or a test.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use sha2::{Digest, Sha256};

use super::agent::{AgentBuilder, BuiltAgent};
use super::plan::{Plan, PlanOptions, host_arch};
use super::state::{clusters_folder, kind_name};
use crate::cluster::cni::{Catalogue, CniChoice};
use crate::cluster::kubernetes::owner::RunId;

/// How much of a CNI's name the name of a cluster has that ends with its run.
const LONGEST_CNI: usize = 24;

/// What a kind cluster is made from, and whether it is kept.
#[derive(Clone)]
pub struct KindOptions {
    /// The name, as it was given to `--on`: `kind:calico`.
    pub name: String,
    /// Its CNI.
    pub choice: CniChoice,
    /// How a cluster with it is noted; another one under the same name is not this one.
    pub noted: String,
    /// A folder that `ringfence cni fetch --manifests` filled.
    pub manifests: Option<PathBuf>,
    /// A folder that `ringfence cni fetch --images` filled.
    pub images: Option<PathBuf>,
    /// Whether the cluster that was kept under the CNI's name is waited for, made where there
    /// is none, and kept again.
    pub keep: bool,
    /// How the agent's image is built.
    pub agent: Arc<dyn AgentBuilder>,
    /// The folder of all clusters.
    pub all: PathBuf,
}

impl fmt::Debug for KindOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KindOptions")
            .field("name", &self.name)
            .field("noted", &self.noted)
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}

impl KindOptions {
    /// A cluster with a CNI of the catalogue that comes with this version: `calico`,
    /// `calico@v3.32.1`. It ends with its run, and its agent is built here.
    ///
    /// # Errors
    /// Where there is no such CNI, and those of [`clusters_folder`].
    pub fn shipped(cni: &str) -> anyhow::Result<Self> {
        let catalogue = Catalogue::shipped().map_err(|findings| {
            let found: Vec<&str> = findings.iter().map(|finding| &*finding.message).collect();
            anyhow!("this version's own CNI files are not understood: {}", found.join("; "))
        })?;
        Self::new(cni, catalogue.choose(cni)?, None)
    }

    /// A cluster with what `cni` chose of a catalogue; `file` is where that came from, if it is a
    /// file of the user's own, which may change under one version.
    ///
    /// # Errors
    /// Where the file cannot be read, and those of [`clusters_folder`].
    pub fn new(cni: &str, choice: CniChoice, file: Option<&Path>) -> anyhow::Result<Self> {
        let mut noted = format!("{}@{}", choice.cni.name, choice.version_name);
        if let Some(file) = file {
            let bytes = std::fs::read(file);
            let bytes = bytes.with_context(|| format!("`{}` cannot be read", file.display()))?;
            noted.push('#');
            for byte in Sha256::digest(&bytes).iter().take(4) {
                noted += &format!("{byte:02x}");
            }
        }
        Ok(Self {
            name: format!("kind:{cni}"),
            choice,
            noted,
            manifests: None,
            images: None,
            keep: false,
            agent: Arc::new(BuiltAgent),
            all: clusters_folder()?,
        })
    }

    /// The plan of such a cluster under a name, in a folder of its own.
    ///
    /// # Errors
    /// Where kind's configuration cannot be written.
    pub fn plan(&self, name: &str, folder: &Path) -> anyhow::Result<Plan> {
        let options = PlanOptions {
            name: kind_name(name),
            folder: folder.to_owned(),
            manifests: self.manifests.clone(),
            images: self.images.clone(),
            arch: host_arch().to_owned(),
        };
        Ok(Plan::new(&self.choice, &options)?)
    }

    /// The name under which such a cluster is kept: its CNI's.
    pub fn kept_name(&self) -> &str {
        &self.choice.cni.name
    }

    /// The name of such a cluster that ends with its run.
    pub fn ephemeral_name(&self, run: &str) -> String {
        let cni: String = self.kept_name().chars().take(LONGEST_CNI).collect();
        format!("{}-{run}", cni.trim_end_matches('-'))
    }

    /// As [`KindOptions::ephemeral_name`], of a run that nobody has.
    pub(super) fn random_name(&self) -> String {
        self.ephemeral_name(RunId::random().as_str())
    }
}
