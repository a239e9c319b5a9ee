//! A part of a cluster in which one scenario runs at a time, and what stands in it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1 as core;
use kube::{Api, ResourceExt};
use ringfence_probe::wire::{Listen, Sctp};
use serde_json::json;
use tokio::time::Instant;

use super::exec::PodDial;
use super::mirror::Key;
use super::naming::Naming;
use super::objects::{self, Agent, Level, pod as pod_object};
use super::owner::Owner;
use super::secret;
use super::site::Site;
use super::start::{addresses, start};
use super::tier::Tier;
use super::trouble::runs;
use crate::cluster::ClusterError;
use crate::cluster::agents::{Agents, NotListening};
use crate::model::{Endpoint, LabelChanges, Labels, Name, Namespace, Pod, PodName, Protocol};

/// A namespace that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ground {
    /// Its labels in the cluster, but the one of its name.
    labels: Labels,
    uid: String,
}

/// A pod that stands.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    /// As it was wanted: on a node of the cluster, without addresses.
    pub(super) wanted: Wanted,
    pub(super) uid: String,
    /// Whose agent it is.
    pub(super) endpoint: Endpoint,
    /// Its `podIPs`.
    pub(super) addresses: Vec<IpAddr>,
}

/// A pod that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// With the cluster's name of its node.
    pub(super) pod: Pod,
    /// How its agent is made.
    pub(super) agent: Agent,
    /// Whose agent it is: the pod's own, or its node's.
    pub(super) endpoint: Endpoint,
}

/// A slot with its namespaces and pods, which outlive a scenario.
pub(super) struct Slot {
    pub(super) site: Arc<Site>,
    pub(super) tier: Arc<Tier>,
    pub(super) owner: Owner,
    pub(super) naming: Naming,
    pub(super) agents: Agents,
    namespaces: BTreeMap<Name, Ground>,
    pub(super) pods: BTreeMap<PodName, Placed>,
    /// Namespaces that were deleted and may still be there, by identity.
    leaving: BTreeMap<Name, String>,
    /// Pods that were deleted and may still be there, by identity.
    leaving_pods: BTreeMap<PodName, String>,
}

impl Placed {
    /// The cluster's name of its node.
    pub(super) fn node(&self) -> Option<&Name> {
        self.wanted.pod.node.as_ref()
    }
}

impl Slot {
    /// An empty one.
    pub(super) fn new(site: Arc<Site>, tier: Arc<Tier>, owner: Owner, naming: Naming) -> Self {
        let agents = Agents::new(owner.run.to_string(), site.options.patience);
        let (namespaces, pods, leaving, leaving_pods) = Default::default();
        Self { site, tier, owner, naming, agents, namespaces, pods, leaving, leaving_pods }
    }

    /// The namespaces that stand.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = &Name> {
        self.namespaces.keys()
    }

    /// The pods that stand in a namespace, with the cluster's names of their nodes and their
    /// addresses.
    pub(super) fn standing(&self, namespace: &str) -> impl Iterator<Item = Pod> {
        let there = self.pods.iter().filter(move |(name, _)| *name.namespace == *namespace);
        there.map(|(_, placed)| Pod {
            addresses: placed.addresses.clone(),
            ..placed.wanted.pod.clone()
        })
    }

    /// The node from which an endpoint dials; `None` where that is outside, or not known.
    pub(super) fn node_of(&self, end: &Endpoint) -> Option<Name> {
        match end {
            Endpoint::Pod(pod) => self.pods.get(pod)?.node().cloned(),
            Endpoint::Node(node) => Some(node.clone()),
            Endpoint::External(_) => None,
        }
    }

    /// A pod's namespace and name in the cluster.
    pub(super) fn key(&self, pod: &PodName) -> Key {
        (self.naming.namespace(&pod.namespace).to_string(), pod.name.to_string())
    }

    /// Makes namespaces stand with exactly these labels and levels.
    pub(super) async fn raise_namespaces(
        &mut self,
        wanted: &[(Namespace, Level)],
    ) -> Result<(), ClusterError> {
        let (site, owner, naming) = (&*self.site, &self.owner, &self.naming);
        let (standing, leaving) = (&self.namespaces, &self.leaving);
        let raised = wanted.iter().map(|(namespace, level)| async move {
            let name = &namespace.name;
            let labels = objects::namespace::labels(&namespace.labels, *level, owner);
            let uid = match standing.get(name) {
                Some(ground) if ground.labels == labels => ground.uid.clone(),
                Some(ground) => {
                    relabel_namespace(site, &naming.namespace(name), ground, &labels).await?;
                    ground.uid.clone()
                }
                None => {
                    if let Some(uid) = leaving.get(name) {
                        let key = (String::new(), naming.namespace(name).to_string());
                        site.gone(&site.namespaces, &[(key, uid.clone())]).await?;
                    }
                    let object = objects::namespace::object(namespace, *level, naming, owner);
                    let made = site.create(&Api::all(site.client.clone()), &object, owner).await?;
                    secret::copy(site, &made.name_any(), owner).await?;
                    made.metadata.uid.unwrap_or_default()
                }
            };
            Ok::<_, ClusterError>((name.clone(), Ground { labels, uid }))
        });
        let raised: Vec<_> = raised.collect::<FuturesUnordered<_>>().try_collect().await?;
        for (name, ground) in raised {
            self.leaving.remove(&name);
            self.namespaces.insert(name, ground);
        }
        Ok(())
    }

    /// Deletes namespaces with all that is in them; waits until they are gone if asked to.
    pub(super) async fn raze_namespaces(
        &mut self,
        names: &[Name],
        wait: bool,
    ) -> Result<(), ClusterError> {
        let mut razed = Vec::new();
        for name in names {
            let Some(ground) = self.namespaces.remove(name) else { continue };
            for pod in self.pods.keys().filter(|pod| pod.namespace == *name) {
                self.agents.remove(&self.pods[pod].endpoint);
            }
            self.pods.retain(|pod, _| pod.namespace != *name);
            self.leaving.insert(name.clone(), ground.uid.clone());
            razed.push(((String::new(), self.naming.namespace(name).to_string()), ground.uid));
        }
        let site = &*self.site;
        let api: &Api<core::Namespace> = &Api::all(site.client.clone());
        let deleted = razed.iter().map(|((_, name), uid)| site.delete(api, name, uid));
        deleted.collect::<FuturesUnordered<_>>().try_collect::<()>().await?;
        if wait {
            site.gone(&site.namespaces, &razed).await?;
            self.leaving.retain(|name, _| !names.contains(name));
        }
        Ok(())
    }

    /// Changes a namespace's labels, and waits until the API shows it.
    pub(super) async fn label_namespace(
        &mut self,
        name: &Name,
        changes: &LabelChanges,
    ) -> Result<(), ClusterError> {
        let Some(ground) = self.namespaces.get_mut(name) else { return Ok(()) };
        let mut labels = ground.labels.clone();
        apply(&mut labels, changes);
        relabel_namespace(&self.site, &self.naming.namespace(name), ground, &labels).await?;
        ground.labels = labels;
        Ok(())
    }

    /// Makes pods stand just as they are wanted, each on its node, and waits until all
    /// their agents answer. One that stands so already is left alone.
    pub(super) async fn raise_pods(&mut self, wanted: Vec<Wanted>) -> Result<(), ClusterError> {
        let end = Instant::now() + self.site.options.deadlines.pods;
        let endpoints: Vec<Endpoint> =
            wanted.iter().map(|wanted| wanted.endpoint.clone()).collect();
        let missing: Vec<Wanted> = wanted.into_iter().filter(|pod| !self.stands(pod)).collect();
        let new: Vec<PodName> = missing.iter().map(|wanted| wanted.pod.name.clone()).collect();
        let listening: Vec<(Endpoint, Pod)> =
            missing.iter().map(|wanted| (wanted.endpoint.clone(), wanted.pod.clone())).collect();
        let mut starting: FuturesUnordered<_> = missing
            .into_iter()
            .map(|wanted| {
                let (site, owner) = (self.site.clone(), self.owner.clone());
                let object = pod_object::object(&wanted.pod, &wanted.agent, &self.naming, &owner);
                let old = (self.key(&wanted.pod.name), self.vacate(&wanted.pod.name));
                let ahead = self.agents.ahead(&wanted.endpoint);
                async move {
                    let mut object = object;
                    if let Some(ahead) = ahead {
                        let given = pod_object::watch_from_start(&mut object, &ahead);
                        given.context("expected to write down what a new pod is to watch")?;
                    }
                    // Only a pod of the same name is in its way.
                    if let (key, Some(uid)) = old {
                        delete_pod(&site, &key, &uid).await?;
                        site.gone(&site.pods, &[(key, uid)]).await?;
                    }
                    Ok::<_, ClusterError>((start(&site, &object, &owner).await?, wanted))
                }
            })
            .collect();
        while let Some(started) = starting.next().await {
            let (pod, wanted) = started?;
            self.admit(&pod, wanted);
        }
        drop(starting);
        let left = end.saturating_duration_since(Instant::now());
        let ready = self.agents.ready(&endpoints, left.max(self.site.call_deadline())).await;
        ready.map_err(|error| {
            ClusterError::Other(anyhow::Error::new(error).context(
                "expected every pod's agent to answer, since pods that run may still not work",
            ))
        })?;
        self.locate(&new, end).await?;
        let listening = listening.iter().map(|(endpoint, pod)| self.listen(endpoint, pod));
        listening.collect::<FuturesUnordered<_>>().try_collect().await
    }

    /// Has a new pod's agent say that it listens, now and whenever it starts anew: the refusal
    /// of a port that nobody could open looks like a deny.
    async fn listen(&self, endpoint: &Endpoint, pod: &Pod) -> Result<(), ClusterError> {
        let sctp = self.agents.sctp(endpoint).is_some_and(|sctp| sctp != Sctp::None);
        let ports = pod.ports.iter().filter(|port| sctp || port.protocol != Protocol::Sctp);
        let listens: BTreeSet<Listen> =
            ports.map(|port| Listen { protocol: port.protocol, port: port.number }).collect();
        if listens.is_empty() {
            return Ok(());
        }
        match self.agents.listen(endpoint, listens.into_iter().collect()).await {
            Ok(()) => Ok(()),
            Err(error @ NotListening::Ports { .. }) if pod.host_network => {
                Err(ClusterError::Unsupported(format!(
                    "{error}; something of the node's own listens there"
                )))
            }
            Err(error) => Err(ClusterError::Other(error.into())),
        }
    }

    /// Whether a pod stands as it is wanted, and is well.
    fn stands(&self, wanted: &Wanted) -> bool {
        let name = &wanted.pod.name;
        self.pods.get(name).is_some_and(|placed| placed.wanted == *wanted)
            && self.ailment(name).is_none()
    }

    /// What is wrong with a pod that once stood; `None` where nothing is.
    pub(super) fn ailment(&self, name: &PodName) -> Option<String> {
        let Some(placed) = self.pods.get(name) else {
            return Some(format!("there is no pod `{name}`"));
        };
        self.site.pods.look(|pods| match pods.get(&self.key(name)) {
            Some(pod) if pod.metadata.uid.as_ref() != Some(&placed.uid) => {
                Some(format!("the pod `{name}` was replaced by another one"))
            }
            Some(pod) if !runs(pod) => {
                let trouble = super::trouble::trouble(pod).map(|trouble| trouble.what);
                let why = trouble.unwrap_or_else(|| "it is being deleted or restarted".to_owned());
                Some(format!("the pod `{name}` does not run any more: {why}"))
            }
            Some(pod) if addresses(pod) != placed.addresses => {
                Some(format!("the pod `{name}` has other addresses than before"))
            }
            Some(_) => self.agents.astray(&placed.endpoint),
            None => Some(format!("the pod `{name}` is gone: evicted, or its node with it?")),
        })
    }

    /// Takes a pod that has started, and speaks to its agent.
    fn admit(&mut self, pod: &core::Pod, wanted: Wanted) {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let dial = PodDial {
            site: self.site.clone(),
            key: self.key(&wanted.pod.name),
            uid: uid.clone(),
            socket: pod_object::socket(&wanted.pod, &self.naming),
        };
        let endpoint = wanted.endpoint.clone();
        let identity = pod_object::identity(&wanted.pod.name, &self.naming);
        self.agents.add(endpoint.clone(), identity, Arc::new(dial));
        let name = wanted.pod.name.clone();
        self.pods.insert(name, Placed { wanted, uid, endpoint, addresses: addresses(pod) });
    }

    /// Takes a pod out of what stands; returns its identity where it may still be there.
    fn vacate(&mut self, name: &PodName) -> Option<String> {
        match self.pods.remove(name) {
            Some(placed) => {
                self.agents.remove(&placed.endpoint);
                Some(placed.uid)
            }
            None => self.leaving_pods.remove(name),
        }
    }

    /// Deletes pods, and does not wait: they are in nobody's way but that of pods of the
    /// same names.
    pub(super) async fn dismiss_pods(&mut self, names: &[PodName]) -> Result<(), ClusterError> {
        let mut dismissed = Vec::with_capacity(names.len());
        for name in names {
            if let Some(uid) = self.vacate(name) {
                dismissed.push((self.key(name), uid.clone()));
                self.leaving_pods.insert(name.clone(), uid);
            }
        }
        let deleted = dismissed.iter().map(|(key, uid)| delete_pod(&self.site, key, uid));
        deleted.collect::<FuturesUnordered<_>>().try_collect().await
    }

    /// Deletes pods and waits until they are gone.
    pub(super) async fn raze_pods(&mut self, names: &[PodName]) -> Result<(), ClusterError> {
        let mut razed = Vec::new();
        for name in names {
            if let Some(placed) = self.pods.remove(name) {
                self.agents.remove(&placed.endpoint);
                razed.push((self.key(name), placed.uid));
            }
        }
        let site = &*self.site;
        let deleted = razed.iter().map(|(key, uid)| delete_pod(site, key, uid));
        deleted.collect::<FuturesUnordered<_>>().try_collect::<()>().await?;
        if razed.is_empty() { Ok(()) } else { site.gone(&site.pods, &razed).await }
    }

    /// The pods that share their node's network, and so its ports with other slots.
    pub(super) fn on_nodes(&self) -> Vec<PodName> {
        let pods = self.pods.iter().filter(|(_, placed)| placed.wanted.pod.host_network);
        pods.map(|(name, _)| name.clone()).collect()
    }

    /// Changes a pod's labels, and waits until the API shows it.
    pub(super) async fn label_pod(
        &mut self,
        name: &PodName,
        changes: &LabelChanges,
    ) -> Result<(), ClusterError> {
        let key = self.key(name);
        let Some(placed) = self.pods.get_mut(name) else { return Ok(()) };
        let site = &self.site;
        let patch = json!({"metadata": {"uid": placed.uid, "labels": changes}});
        let api: Api<core::Pod> = Api::namespaced(site.client.clone(), &key.0);
        site.merge(&api, &key.1, &patch).await?;
        apply(&mut placed.wanted.pod.labels, changes);
        let what = || format!("the labels of the pod `{name}` to be changed");
        site.pods
            .until(what, site.call_deadline(), |pods| {
                has_labels(pods.get(&key)?, changes).then_some(Ok(()))
            })
            .await
    }
}

async fn delete_pod(site: &Site, key: &Key, uid: &str) -> Result<(), ClusterError> {
    let api: Api<core::Pod> = Api::namespaced(site.client.clone(), &key.0);
    site.delete(&api, &key.1, uid).await
}

async fn relabel_namespace(
    site: &Site,
    name: &str,
    ground: &Ground,
    labels: &Labels,
) -> Result<(), ClusterError> {
    let removed = ground.labels.keys().filter(|key| !labels.contains_key(*key));
    let removed = removed.map(|key| (key.clone(), None));
    let set = labels.iter().map(|(key, value)| (key.clone(), Some(value.clone())));
    let changes: LabelChanges = removed.chain(set).collect();
    let patch = json!({"metadata": {"uid": ground.uid, "labels": changes}});
    let api: Api<core::Namespace> = Api::all(site.client.clone());
    site.merge(&api, name, &patch).await?;
    let key = (String::new(), name.to_owned());
    let what = || format!("the labels of the namespace `{name}` to be changed");
    site.namespaces
        .until(what, site.call_deadline(), |namespaces| {
            has_labels(namespaces.get(&key)?, &changes).then_some(Ok(()))
        })
        .await
}

fn has_labels(object: &impl ResourceExt, changes: &LabelChanges) -> bool {
    changes.iter().all(|(key, value)| object.labels().get(key) == value.as_ref())
}

fn apply(labels: &mut Labels, changes: &LabelChanges) {
    for (key, value) in changes {
        match value {
            Some(value) => labels.insert(key.clone(), value.clone()),
            None => labels.remove(key),
        };
    }
}

impl Slot {
    /// Deletes everything that carries the slot's labels, whether or not it is known to
    /// stand; waits until it is gone if asked to.
    pub(super) async fn abandon(&mut self, wait: bool) -> Result<(), ClusterError> {
        self.lift_cluster_policies().await?;
        let site = &*self.site;
        let there: Vec<(Key, String)> = site.namespaces.look(|shown| {
            let ours = shown.iter().filter(|(_, it)| self.owner.owns(it.metadata.labels.as_ref()));
            ours.map(|(key, it)| (key.clone(), it.uid().unwrap_or_default())).collect()
        });
        let api: &Api<core::Namespace> = &Api::all(site.client.clone());
        let deleted = there.iter().map(|((_, name), uid)| site.delete(api, name, uid));
        deleted.collect::<FuturesUnordered<_>>().try_collect::<()>().await?;
        if wait { site.gone(&site.namespaces, &there).await } else { Ok(()) }
    }
}
