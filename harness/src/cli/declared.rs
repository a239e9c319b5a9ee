//! `--cni`: which CNI a cluster has that exists already.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail};

use super::cluster_args::Files;
use super::cluster_kind::ClusterKind;
use crate::cluster::Dataplane;

/// `[CONTEXT=]CNI[@VERSION]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declared {
    /// The context of the cluster; `None`: whichever exists already.
    context: Option<String>,
    cni: String,
    version: Option<String>,
}

impl FromStr for Declared {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        // A context may have any sign in it, a CNI's name has no `=`.
        let (context, cni) = match text.rsplit_once('=') {
            Some((context, cni)) => (Some(context.to_owned()), cni),
            None => (None, text),
        };
        let (cni, version) = match cni.split_once('@') {
            Some((cni, version)) => (cni.to_owned(), Some(version.to_owned())),
            None => (cni.to_owned(), None),
        };
        Ok(Self { context, cni, version })
    }
}

impl fmt::Display for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(context) = &self.context {
            write!(f, "{context}=")?;
        }
        f.write_str(&self.cni)?;
        self.version.iter().try_for_each(|version| write!(f, "@{version}"))
    }
}

impl Declared {
    fn is_of(&self, cluster: &ClusterKind) -> bool {
        match cluster {
            ClusterKind::Kubeconfig(context) => self.context.is_none() || self.context == *context,
            ClusterKind::Embedded | ClusterKind::Kind(_) => false,
        }
    }
}

/// What is declared of a cluster that exists already; nothing is known without a declaration.
///
/// # Errors
/// Where two declare it, or one names no CNI.
pub(super) fn dataplane(
    cluster: &ClusterKind,
    declared: &[Declared],
    files: &Files,
) -> Result<Dataplane> {
    let mut own = declared.iter().filter(|declared| declared.is_of(cluster));
    match (own.next(), own.next()) {
        (None, _) => Ok(Dataplane::default()),
        (Some(one), None) => Ok(files.catalogue()?.get(&one.cni)?.declared(one.version.as_deref())),
        (Some(_), Some(_)) => bail!(
            "expected one `--cni` for `--on {cluster}`, found more: name the clusters, as in `--cni CONTEXT=CNI`"
        ),
    }
}

/// Checks that every declaration is about a cluster of the run.
///
/// # Errors
/// Where one is about none.
pub(super) fn check(clusters: &[ClusterKind], declared: &[Declared]) -> Result<()> {
    for one in declared {
        if clusters.iter().any(|cluster| one.is_of(cluster)) {
            continue;
        }
        let on = match &one.context {
            None => "kubeconfig".to_owned(),
            Some(context) => format!("kubeconfig:{context}"),
        };
        bail!(
            "expected `--on {on}` for `--cni`, found none: it says which CNI a cluster has that exists already; `--on kind:{}` makes one",
            one.cni
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(texts: &[&str]) -> Vec<Declared> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn said(on: &str, texts: &[&str]) -> String {
        let (cluster, declared) = (on.parse().unwrap(), declared(texts));
        let found = check(std::slice::from_ref(&cluster), &declared)
            .and_then(|()| dataplane(&cluster, &declared, &Files::default()));
        found.map_or_else(|error| error.to_string(), |dataplane| dataplane.name)
    }

    #[test]
    fn a_cluster_that_exists_has_what_is_said_of_it() {
        assert_eq!(said("kubeconfig", &[]), "");
        assert_eq!(said("kubeconfig", &["kube-router"]), "kube-router");
        assert_eq!(said("kubeconfig:a", &["cilium@main"]), "cilium main");
        assert_eq!(said("kubeconfig:arn:x=1", &["arn:x=1=calico@v3"]), "calico v3");
        assert_eq!(
            said("kubeconfig", &["kube-ruter"]),
            "expected a CNI, found `kube-ruter`: did you mean `kube-router`?"
        );
        assert_eq!(
            said("kubeconfig:a", &["calico", "a=cilium"]),
            "expected one `--cni` for `--on kubeconfig:a`, found more: name the clusters, as in `--cni CONTEXT=CNI`"
        );
        assert_eq!(
            said("embedded", &["calico"]),
            "expected `--on kubeconfig` for `--cni`, found none: it says which CNI a cluster has that exists already; `--on kind:calico` makes one"
        );
        assert!(said("kubeconfig:a", &["b=calico"]).contains("expected `--on kubeconfig:b`"));
    }

    #[test]
    fn families_are_the_clusters_own_and_a_negative_control_stays_one() {
        let of = |text: &str| {
            let cluster = ClusterKind::Kubeconfig(None);
            dataplane(&cluster, &declared(&[text]), &Files::default()).unwrap()
        };
        let known = of("kube-router");
        assert!(known.lacks.contains(&crate::cluster::Feature::Sctp) && known.enforces);
        assert!(!known.lacks.contains(&crate::cluster::Feature::Ipv6));
        assert!(!of("flannel").enforces);
    }
}
