//! What the command line means: checked, with every default filled in, and free of clap.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::cluster_args::{Files, Kind};
use super::cluster_kind::ClusterKind;
use super::declared::{self, Declared, dataplane};
use super::run_args;
use crate::cluster::embedded::{EmbeddedSource, Fault};
use crate::cluster::kubernetes::{Options, PullPolicy, PullSecret};
use crate::run::Partition;
use crate::scenario::KubernetesVersion;

/// The path that stands for standard input, and elsewhere for standard output.
const STDIN: &str = "-";

/// The folder that is taken where no path is given.
const LIBRARY: &str = "scenarios";

/// Which scenarios are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Selection {
    /// A part of the identifier.
    pub(super) filter: Option<String>,
    /// Any of these tags; none asks for all.
    pub(super) tags: Vec<String>,
}

impl Selection {
    /// Whether a scenario is wanted.
    pub(super) fn wants(&self, id: &str, tags: &[String]) -> bool {
        self.filter.as_ref().is_none_or(|text| id.contains(text.as_str()))
            && (self.tags.is_empty() || self.tags.iter().any(|tag| tags.contains(tag)))
    }

    /// Whether it asks for anything in particular.
    pub(super) fn is_all(&self) -> bool {
        self.filter.is_none() && self.tags.is_empty()
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let filter = self.filter.iter().map(|text| format!("--filter {text}"));
        let tags = self.tags.iter().map(|tag| format!("--tag {tag}"));
        f.write_str(&filter.chain(tags).collect::<Vec<_>>().join(" "))
    }
}

/// How scenarios run on Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KubernetesSettings {
    /// The agent's image.
    pub(super) image: Option<String>,
    /// When nodes pull it.
    pub(super) pull_policy: PullPolicy,
    /// What they pull it with.
    pub(super) pull_secret: Option<PullSecret>,
    /// Which CNIs they have.
    pub(super) cni: Vec<Declared>,
    /// Whether pods may share their node's network.
    pub(super) allow_host_network: bool,
    /// Whether objects may be made that are in no namespace.
    pub(super) allow_cluster_scoped: bool,
}

impl KubernetesSettings {
    fn new(args: run_args::KubernetesCluster) -> Result<Self> {
        let pull_secret = args.agent_pull_secret.as_deref().map(str::parse).transpose();
        Ok(Self {
            image: args.agent_image,
            pull_policy: match args.agent_pull_policy {
                run_args::Pull::Always => PullPolicy::Always,
                run_args::Pull::IfNotPresent => PullPolicy::IfNotPresent,
                run_args::Pull::Never => PullPolicy::Never,
            },
            pull_secret: pull_secret.context("`--agent-pull-secret` is not understood")?,
            cni: args.cni,
            allow_host_network: args.allow_host_network,
            allow_cluster_scoped: args.allow_cluster_scoped,
        })
    }

    /// What a cluster that exists already is used with.
    ///
    /// # Errors
    /// Where no image is named: nodes cannot pull one that only this machine has. Where its CNI
    /// is said to be one that nobody knows.
    pub(super) fn existing(&self, cluster: &ClusterKind, files: &Files) -> Result<Options> {
        let name = cluster.to_string();
        let Some(image) = &self.image else {
            bail!(
                "expected `--agent-image` for `--on {name}`, found none: the cluster's nodes must be able to pull the agent; `ringfence image push REF` builds it and puts it into your registry, and `--agent-image REF` names it"
            );
        };
        Ok(Options {
            pull_policy: self.pull_policy,
            pull_secret: self.pull_secret.clone(),
            allow_host_network: self.allow_host_network,
            allow_cluster_scoped: self.allow_cluster_scoped,
            dataplane: dataplane(cluster, &self.cni, files)?,
            ..Options::new(name, image)
        })
    }
}

/// How scenarios are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunSettings {
    /// The clusters, each once.
    pub(super) clusters: Vec<ClusterKind>,
    /// How scenarios run on Kubernetes.
    pub(super) on_kubernetes: KubernetesSettings,
    /// How kind clusters are made.
    pub(super) kind: Kind,
    /// The SHA-256 of the CNI file of the user's own.
    pub(super) cni_digest: Option<String>,
    /// Which scenarios.
    pub(super) selection: Selection,
    /// Which part of them.
    pub(super) partition: Option<Partition>,
    /// How many scenarios at the same time.
    pub(super) jobs: NonZeroUsize,
    /// Where the record goes.
    pub(super) record: Option<PathBuf>,
    /// The record that is gone on with.
    pub(super) resume: Option<PathBuf>,
    /// Where failure bundles go.
    pub(super) bundles: Option<PathBuf>,
    /// Whether an intent that is not portable is a fault.
    pub(super) strict: bool,
    /// Whether the dataplane's own log of drops is used.
    pub(super) evidence: bool,
    /// What the embedded dataplane is to do wrong.
    pub(super) faults: Vec<Fault>,
    /// The version whose rules manifests are checked by.
    pub(super) kubernetes: KubernetesVersion,
    /// The seed of everything random, where one is asked for.
    pub(super) seed: Option<u64>,
    /// Whether to list and do no more.
    pub(super) list: bool,
}

impl RunSettings {
    /// What records call the clusters: a faulty one by its faults too.
    pub(super) fn cluster_names(&self) -> Vec<String> {
        let name = |cluster: &ClusterKind| match cluster {
            ClusterKind::Embedded => EmbeddedSource::name_with(&self.faults),
            other => other.to_string(),
        };
        self.clusters.iter().map(name).collect()
    }

    /// Checks the arguments and fills in the defaults.
    ///
    /// # Errors
    /// What was expected of the argument that is wrong.
    pub(super) fn new(args: run_args::RunOptions) -> Result<Self> {
        for (option, path) in [("--record", &args.record), ("--resume", &args.resume)] {
            if path.as_deref().is_some_and(|path| path == Path::new(STDIN)) {
                bail!(
                    "expected a file for `{option}`, found `-`: standard output carries the report; \
                     a file of that name is `./-`"
                );
            }
        }
        let evidence = args.evidence == run_args::Evidence::Nflog;
        let clusters = clusters(&args.on)?;
        declared::check(&clusters, &args.kubernetes_cluster.cni)?;
        only_embedded_is_faulty(&clusters, &args.fault)?;
        heeded(&clusters, &args)?;
        let cni_digest = args.kind.files.cni_digest()?;
        Ok(Self {
            clusters,
            on_kubernetes: KubernetesSettings::new(args.kubernetes_cluster)?,
            kind: args.kind,
            cni_digest,
            selection: Selection { filter: args.filter, tags: args.tag },
            partition: args.partition,
            jobs: args.jobs.unwrap_or_else(|| default_jobs(evidence)),
            record: args.record,
            resume: args.resume,
            bundles: args.bundles,
            strict: args.strict,
            evidence,
            faults: args.fault,
            kubernetes: kubernetes(&args.kubernetes)?,
            seed: args.seed,
            list: args.list,
        })
    }

    /// The options that results depend on, by name, where they are not their default's.
    pub(super) fn options(&self) -> BTreeMap<String, String> {
        let mut options = BTreeMap::new();
        let mut tell = |name: &str, value: String| options.insert(name.to_owned(), value);
        if self.strict {
            tell("--strict", "true".to_owned());
        }
        if !self.evidence {
            tell("--evidence", "none".to_owned());
        }
        let faults: Vec<&str> = self.faults.iter().map(|fault| fault.name()).collect();
        if !faults.is_empty() {
            tell("--fault", faults.join(" "));
        }
        if self.kubernetes != KubernetesVersion::default() {
            tell("--kubernetes", self.kubernetes.to_string());
        }
        if self.on_kubernetes.allow_host_network {
            tell("--allow-host-network", "true".to_owned());
        }
        if self.on_kubernetes.allow_cluster_scoped {
            tell("--allow-cluster-scoped", "true".to_owned());
        }
        let cni: Vec<String> = self.on_kubernetes.cni.iter().map(ToString::to_string).collect();
        if !cni.is_empty() {
            tell("--cni", cni.join(" "));
        }
        if let Some(digest) = &self.cni_digest {
            tell("--cni-file", format!("sha256:{digest}"));
        }
        options
    }
}

/// The folders of `ringfence run`: those that are named, or the nearest library.
///
/// # Errors
/// Where one is not there.
pub(super) fn paths(named: Vec<PathBuf>, here: &Path) -> Result<Vec<PathBuf>> {
    existing(if named.is_empty() { vec![library(here)?] } else { named })
}

/// The clusters of `--on`.
///
/// # Errors
/// Where a text names none, or one is named twice.
fn clusters(texts: &[String]) -> Result<Vec<ClusterKind>> {
    let mut clusters: Vec<ClusterKind> = Vec::with_capacity(texts.len());
    for text in texts {
        let cluster = text.parse()?;
        if clusters.contains(&cluster) {
            bail!("expected each `--on` to name another cluster, found `{text}` twice");
        }
        clusters.push(cluster);
    }
    Ok(clusters)
}

/// Whether what is to be faulty can be.
///
/// # Errors
/// Where another cluster than the embedded one is asked for beside `--fault`.
fn only_embedded_is_faulty(clusters: &[ClusterKind], faults: &[Fault]) -> Result<()> {
    let other = clusters.iter().find(|cluster| **cluster != ClusterKind::Embedded);
    if let (Some(fault), Some(cluster)) = (faults.first(), other) {
        bail!(
            "expected `--on embedded` alone beside `--fault {fault}`, found `--on {cluster}`: only \
             the embedded cluster's dataplane can be told to be wrong"
        );
    }
    Ok(())
}

/// Whether the clusters heed what is said of them.
///
/// # Errors
/// Where an option is about clusters of which none is asked for.
fn heeded(clusters: &[ClusterKind], args: &run_args::RunOptions) -> Result<()> {
    let kind = clusters.iter().any(|cluster| matches!(cluster, ClusterKind::Kind(_)));
    let existing = clusters.iter().any(|cluster| matches!(cluster, ClusterKind::Kubeconfig(_)));
    let kubernetes = &args.kubernetes_cluster;
    for (option, given, heeded, wanted) in [
        ("--keep", args.kind.keep, kind, "kind:CNI"),
        ("--agent-image", kubernetes.agent_image.is_some(), kind || existing, "kubeconfig"),
        ("--agent-pull-secret", kubernetes.agent_pull_secret.is_some(), existing, "kubeconfig"),
    ] {
        if given && !heeded {
            let found: Vec<String> = clusters.iter().map(|on| format!("`--on {on}`")).collect();
            bail!(
                "expected `--on {wanted}` for `{option}`, found {}: nothing else heeds it",
                found.join(" and ")
            );
        }
    }
    Ok(())
}

/// Several for each core: most of a scenario's time is spent waiting for packets.
/// On two cores the library took 8.9 s with one or two jobs, 4.3 s with eight,
/// and 6.1 s with sixteen. Without evidence every deny waits for its deadline: 15.8 s
/// with eight jobs, 9.0 s with sixteen, 7.3 s with 24, and 6.7 s with 32.
pub(super) fn default_jobs(evidence: bool) -> NonZeroUsize {
    const PER_CORE: NonZeroUsize = NonZeroUsize::new(4).unwrap();
    const PER_CORE_WAITING: NonZeroUsize = NonZeroUsize::new(12).unwrap();
    let per_core = if evidence { PER_CORE } else { PER_CORE_WAITING };
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN).saturating_mul(per_core)
}

/// Short enough to be typed again.
pub(super) fn new_seed() -> u64 {
    u64::from(RandomState::new().build_hasher().finish() as u32)
}

/// The version of `--kubernetes`.
///
/// # Errors
/// Where it is no version.
pub(super) fn kubernetes(text: &str) -> Result<KubernetesVersion> {
    text.parse().context("`--kubernetes` is not understood")
}

/// The paths, if all of them are there.
///
/// # Errors
/// Names every path that is not.
pub(super) fn existing(paths: Vec<PathBuf>) -> Result<Vec<PathBuf>> {
    let missing: Vec<String> = paths
        .iter()
        .filter(|p| !p.exists() && p.as_os_str() != STDIN)
        .map(|p| format!("`{}`", p.display()))
        .collect();
    if !missing.is_empty() {
        bail!("expected a file or a folder at {}, found nothing", missing.join(" and "));
    }
    Ok(paths)
}

/// The nearest `scenarios` folder, from a folder upwards; relative where it is
/// in the folder itself, so that places in messages stay short.
fn library(here: &Path) -> Result<PathBuf> {
    if here.join(LIBRARY).is_dir() {
        return Ok(PathBuf::from(LIBRARY));
    }
    let found = here.ancestors().map(|folder| folder.join(LIBRARY)).find(|path| path.is_dir());
    found.with_context(|| {
        format!(
            "expected a folder `{LIBRARY}` in `{}` or above it, found none: name the scenarios, \
             as in `ringfence run PATH`",
            here.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args;

    fn settings(arguments: &[&str], here: &Path) -> Result<(Vec<PathBuf>, RunSettings)> {
        let all = ["ringfence", "run"].iter().chain(arguments);
        match args::Arguments::try_parse_from(all)?.command {
            args::Command::Run(run) => {
                Ok((paths(run.paths, here)?, RunSettings::new(run.options)?))
            }
            _ => unreachable!("`run` was asked for"),
        }
    }

    #[test]
    fn the_nearest_library_is_found_upwards() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        let library = folder.path().join("scenarios");
        std::fs::create_dir(&library).unwrap();
        assert_eq!(settings(&[], &deep).unwrap().0, [library]);
    }

    #[test]
    fn what_is_wrong_is_told() {
        let here = tempfile::tempdir().unwrap();
        for (arguments, message) in [
            (
                ["--on", "kind", "."],
                "expected `embedded`, `kind:CNI[@VERSION]` or `kubeconfig[:CONTEXT]` as the cluster to run on, found `kind`",
            ),
            (
                ["--on=embedded", "--on=embedded", "."],
                "expected each `--on` to name another cluster, found `embedded` twice",
            ),
            (["--kubernetes", "new", "."], "`--kubernetes` is not understood"),
            (
                ["--on=kind:calico", "--fault=egress-ignored", "."],
                "expected `--on embedded` alone beside `--fault egress-ignored`, found `--on kind:calico`: only the embedded cluster's dataplane can be told to be wrong",
            ),
            (
                ["--on=kubeconfig", "--keep", "."],
                "expected `--on kind:CNI` for `--keep`, found `--on kubeconfig`: nothing else heeds it",
            ),
            (
                ["--on=embedded", "--agent-image=agent:1", "."],
                "expected `--on kubeconfig` for `--agent-image`, found `--on embedded`: nothing else heeds it",
            ),
            (
                ["--on=kind:calico", "--agent-pull-secret=a/b", "."],
                "expected `--on kubeconfig` for `--agent-pull-secret`, found `--on kind:calico`: nothing else heeds it",
            ),
            (
                ["--strict", "nowhere", "never"],
                "expected a file or a folder at `nowhere` and `never`, found nothing",
            ),
        ] {
            let error = settings(&arguments, here.path()).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn defaults() {
        let (_, settings) = settings(&["."], Path::new(".")).unwrap();
        assert_eq!(settings.options(), BTreeMap::new());
        assert_eq!(settings.clusters, [ClusterKind::Embedded]);
        assert!(settings.evidence && !settings.strict && settings.selection.is_all());
        assert_eq!(settings.kubernetes, KubernetesVersion::default());
        // Without evidence most of the time is waited.
        let all = [
            "--evidence=none",
            "--strict",
            "--kubernetes=1.35",
            "--on=kubeconfig:a",
            "--allow-host-network",
            "--allow-cluster-scoped",
            "--cni=a=calico@v3",
            ".",
        ];
        let (_, other) = super::tests::settings(&all, Path::new(".")).unwrap();
        assert!(other.jobs > settings.jobs);
        let told: Vec<String> =
            other.options().into_iter().map(|(name, value)| format!("{name} {value}")).collect();
        assert_eq!(
            told,
            [
                "--allow-cluster-scoped true",
                "--allow-host-network true",
                "--cni a=calico@v3",
                "--evidence none",
                "--kubernetes 1.35",
                "--strict true"
            ]
        );
    }

    #[test]
    fn a_cni_file_counts_by_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.yaml");
        let told = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let option = format!("--cni-file={}", file.display());
            settings(&[&option, "."], folder.path()).unwrap().1.options()["--cni-file"].clone()
        };
        // printf a | sha256sum
        let a = "sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
        assert_eq!(told("a"), a);
        assert_ne!(told("b"), a);
        std::fs::remove_file(&file).unwrap();
        let option = format!("--cni-file={}", file.display());
        let error = settings(&[&option, "."], folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("own.yaml` cannot be read"), "{error}");
    }

    #[test]
    fn a_selection_takes_any_of_its_tags_and_the_filter() {
        let tags = ["ingress".to_owned()];
        let wants = |filter: Option<&str>, wanted: &[&str]| {
            let tags_wanted = wanted.iter().map(|t| (*t).to_owned()).collect();
            Selection { filter: filter.map(str::to_owned), tags: tags_wanted }.wants("a/b", &tags)
        };
        assert!(wants(None, &[]) && wants(Some("/b"), &["ingress", "egress"]));
        assert!(!wants(Some("c"), &[]) && !wants(None, &["egress"]));
    }
}
