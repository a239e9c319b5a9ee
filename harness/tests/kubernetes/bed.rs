//! Where a trial runs: on the double, or on a real cluster.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams};
use kube::config::Kubeconfig;
use kube::{Api, Client, ResourceExt};
use ringfence::cluster::kubernetes::{
    Deadlines, KubernetesSource, Options, Scope, client, owner, prune,
};
use ringfence::cluster::{Cluster, ClusterError, Source, Stages, TeardownError};
use ringfence::scenario::{LoadOptions, Scenario, parse_scenario};

use crate::double::{Double, IMAGE};

/// The kubeconfig of a real cluster.
const KUBECONFIG: &str = "RINGFENCE_TEST_KUBECONFIG";
/// The image that its nodes have or can pull.
const AGENT_IMAGE: &str = "RINGFENCE_TEST_AGENT_IMAGE";
/// Set where it enforces policies.
const ENFORCES: &str = "RINGFENCE_TEST_ENFORCES";

thread_local! {
    /// The runs that the trial of this thread began on a real cluster.
    static RUNS: RefCell<Vec<owner::RunId>> = const { RefCell::new(Vec::new()) };
}

/// Removes what a trial that failed has left on a real cluster: all of its runs, and what has
/// the prefix of their names.
pub(crate) async fn sweep() -> Result<(), ClusterError> {
    let runs = RUNS.take();
    if runs.is_empty() {
        return Ok(());
    }
    // The client of the trial has ended with its runtime.
    let client = Bed::real().await?.client;
    for run in &runs {
        prune(&client, &Scope::Run(run.clone())).await?;
    }
    let namespaces: Api<Namespace> = Api::all(client);
    let there = namespaces.list(&ListParams::default()).await.map_err(anyhow::Error::from)?;
    for name in there.iter().map(ResourceExt::name_any) {
        if runs.iter().any(|run| name.starts_with(&format!("rf-{run}-"))) {
            let params = DeleteParams::default();
            namespaces.delete(&name, &params).await.map_err(anyhow::Error::from)?;
        }
    }
    Ok(())
}

/// What a trial stands on.
pub(crate) struct Bed {
    double: Option<Double>,
    /// A client of the trial's own, which the cluster under test knows nothing of.
    pub(crate) client: Client,
    /// The agent's image.
    pub(crate) image: String,
    /// Whether policies stop packets here.
    pub(crate) enforces: bool,
}

impl Bed {
    pub(crate) async fn double() -> Result<Self, ClusterError> {
        let double = Double::start().await?;
        let client = double.client();
        Ok(Self { double: Some(double), client, image: IMAGE.to_owned(), enforces: true })
    }

    /// The cluster that the environment names; unsupported where it names none.
    pub(crate) async fn real() -> Result<Self, ClusterError> {
        let variable = |name: &str| {
            let value = std::env::var(name).ok().filter(|value| !value.is_empty());
            value.ok_or_else(|| ClusterError::Unsupported(format!("`{name}` is not set")))
        };
        let kubeconfig =
            Kubeconfig::read_from(variable(KUBECONFIG)?).map_err(anyhow::Error::from)?;
        let client = client(kubeconfig, None).await?;
        let enforces = std::env::var_os(ENFORCES).is_some();
        Ok(Self { double: None, client, image: variable(AGENT_IMAGE)?, enforces })
    }

    /// Whether it is no double.
    pub(crate) fn is_real(&self) -> bool {
        self.double.is_none()
    }

    /// The double, for what only it can do.
    pub(crate) fn fake(&self) -> &Double {
        self.double.as_ref().expect("this trial runs on the double alone")
    }

    /// What a cluster is used with here. On the double, nothing takes long.
    pub(crate) fn options(&self) -> Options {
        let mut options = Options::new("kubeconfig", &self.image);
        options.slots = NonZeroUsize::MIN;
        if self.double.is_some() {
            options.deadlines = Deadlines {
                call: Duration::from_secs(5),
                pods: Duration::from_secs(20),
                gone: Duration::from_secs(10),
            };
        }
        options
    }

    /// A client as the cluster under test has one.
    pub(crate) async fn own_client(&self) -> Result<Client, ClusterError> {
        match &self.double {
            Some(double) => Ok(client(double.kubeconfig(), None).await?),
            None => Ok(self.client.clone()),
        }
    }

    /// A cluster that is not prepared.
    pub(crate) async fn source(&self, options: Options) -> Result<KubernetesSource, ClusterError> {
        let source = KubernetesSource::new(self.own_client().await?, options);
        self.note(source.run());
        Ok(source)
    }

    /// A name that nobody has, for a namespace which a trial makes for itself.
    pub(crate) fn own_name(&self) -> String {
        let run = owner::RunId::random();
        self.note(&run);
        format!("rf-{run}-test")
    }

    fn note(&self, run: &owner::RunId) {
        if self.double.is_none() {
            RUNS.with_borrow_mut(|runs| runs.push(run.clone()));
        }
    }

    /// A cluster that is ready for scenarios.
    pub(crate) async fn ready(&self) -> Result<KubernetesSource, ClusterError> {
        let source = self.source(self.options()).await?;
        source.prepare(&Stages::silent()).await?;
        Ok(source)
    }

    /// The namespaces of a run.
    pub(crate) async fn left_of(&self, run: &owner::RunId) -> Vec<String> {
        let params = ListParams::default().labels(&format!("{}={run}", owner::RUN));
        let found = Api::<Namespace>::all(self.client.clone()).list(&params).await;
        found.expect("namespaces can be listed").iter().map(ResourceExt::name_any).collect()
    }
}

/// A scenario with these tags and this pod that says nothing: what is deployed and changed is up
/// to the trial.
fn scenario(tags: &str, pod: &str) -> Scenario {
    let text = format!(
        "name: nothing\nabout: Nothing in particular.\ntags: [{tags}]\ntopology:\n  namespaces:\n    \
         a: {{ pods: {{ one: {pod}, two: {{ ports: [80] }} }} }}\nsteps:\n  - {{ name: open, expect: [ \
         \"allow * -> *\" ] }}\n"
    );
    let (scenario, found) =
        parse_scenario("scenario.yaml", &text, &BTreeMap::new(), &LoadOptions::default());
    scenario.unwrap_or_else(|| panic!("expected a scenario, found {found:?}"))
}

pub(crate) async fn share(source: &KubernetesSource) -> Result<Box<dyn Cluster>, ClusterError> {
    source.cluster(&scenario("", "{}")).await
}

/// A share for a scenario with a tag.
pub(crate) async fn tagged(
    source: &KubernetesSource,
    tag: &str,
) -> Result<Box<dyn Cluster>, ClusterError> {
    source.cluster(&scenario(tag, "{}")).await
}

/// A share for a scenario with a pod in its node's network.
pub(crate) async fn on_node(source: &KubernetesSource) -> Result<Box<dyn Cluster>, ClusterError> {
    source.cluster(&scenario("", "{ hostNetwork: true }")).await
}

/// Ends a run as the runner does, and looks whether it left anything.
pub(crate) async fn close(bed: &Bed, source: &KubernetesSource) -> Result<(), ClusterError> {
    source.close().await.map_err(ended)?;
    let left = bed.left_of(source.run()).await;
    assert!(left.is_empty(), "expected no namespace of the run, found {left:?}");
    Ok(())
}

/// Ends a scenario, and then the run.
pub(crate) async fn leave(
    bed: &Bed,
    source: &KubernetesSource,
    mut cluster: Box<dyn Cluster>,
) -> Result<(), ClusterError> {
    cluster.teardown().await.map_err(ended)?;
    close(bed, source).await
}

pub(crate) fn ended(error: TeardownError) -> ClusterError {
    ClusterError::Other(error.into())
}
