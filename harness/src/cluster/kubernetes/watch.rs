//! Changes that are watched while they are made: agents dial all the while.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use tokio::time::sleep;

use super::change::{lingers, no_end};
use super::cluster::Kubernetes;
use super::mirror::Key;
use super::objects::pod as pod_object;
use super::round::exposure;
use super::site::Site;
use super::start::addresses;
use crate::cluster::agents::{Ended, Plan, Planned, Vigil};
use crate::cluster::{ClusterError, Moment, Timeline, Watch};
use crate::model::{Cell, Change, Endpoint, Family, Observation, PodName};

/// How long the API is asked at a time for pods that come: until the changes are made.
const SCOUTING: Duration = Duration::from_secs(60);

/// Looks for the addresses of pods that come, while they are made.
struct Scout {
    site: Arc<Site>,
    vigil: Vigil,
    /// The pods that come, with the identities of those that had their names.
    coming: BTreeMap<Key, (PodName, Option<String>)>,
    /// What waits for a pod's address.
    waiting: Vec<Waiting>,
}

/// A cell whose destination comes.
struct Waiting {
    id: u32,
    cell: Cell,
    pod: PodName,
    /// The identity of the destination's agent.
    expect: String,
}

impl Kubernetes {
    /// Makes changes, and has agents dial before, meanwhile and afterwards.
    ///
    /// What comes to a new pod is tried from the moment at which the API shows its address,
    /// which is said aloud; what it sends, from the first moment of its first process, where
    /// it is known by then where to.
    pub(super) async fn make_watched(
        &mut self,
        watch: &Watch,
        changes: &[Change],
    ) -> Result<Timeline, ClusterError> {
        // Whoever hears that it is unsupported takes it that nothing was changed.
        if let Some(change) = changes.iter().find(|change| lingers(change)) {
            return Err(no_end(change));
        }
        let cells: Vec<Cell> = watch.held.iter().chain(&watch.tried).cloned().collect();
        let coming: BTreeSet<PodName> = changes.iter().filter_map(comes).collect();
        self.raise_services(&cells).await?;
        let (mut why, mut targets) = (BTreeMap::new(), BTreeMap::new());
        let (mut held, mut tried, mut late) = (Vec::new(), Vec::new(), Vec::new());
        for (number, planned) in self.plan(&cells)?.into_iter().enumerate() {
            let id = number as u32;
            let is_held = number < watch.held.len();
            targets.extend(planned.iter().map(|planned| (id, planned.target)));
            match planned {
                Ok(planned) if is_held => held.push((id, planned)),
                // One that has its name now is not the one that comes.
                _ if !is_held && awaits(&cells[number], &coming) => late.push(id),
                Ok(planned) => tried.push((id, planned)),
                Err(reason) => drop(why.insert(id, reason)),
            }
        }
        let allowed = self.own_addresses()?;
        let mut waiting = Vec::new();
        for id in &late {
            let cell = &cells[*id as usize];
            match self.ahead(*id, cell, &coming)? {
                Ahead::Tried(planned) => tried.push((*id, planned)),
                Ahead::Waits(wait) => waiting.push(wait),
                Ahead::Later => {}
            }
        }
        let later = late.iter().map(|id| cells[*id as usize].source.clone()).collect();
        let slot = self.slot()?;
        slot.agents.allow_targets(allowed);
        let deadlines = &slot.site.options.deadlines;
        let most = deadlines.pods + deadlines.gone + deadlines.call + watch.before + watch.after;
        let plan = Plan {
            interval: watch.interval,
            deadline: watch.deadline,
            before: watch.before,
            limit: most,
            cells: cells.len() as u32,
            held,
            tried,
            later,
        };
        let watched = slot.agents.begin_watch(plan).await;
        let vigil = watched.vigil.clone();
        let asked = vigil.elapsed();
        let scout = self.scout(&vigil, &coming, waiting)?;
        tokio::select! {
            made = self.make(changes) => made.map_err(begun)?,
            () = scout.run() => {}
        }
        let accepted = vigil.elapsed();
        let behind = self.follow(&vigil, &cells, &late, &mut why)?;
        sleep(watch.after).await;
        let Ended { cells: mut seen, blur, from_start } =
            self.slot()?.agents.end_watch(watched).await;
        self.weigh_watched(&cells, &targets, asked, &mut seen);
        let ailments = self.ailments();
        let over = vigil.elapsed();
        let moments = |(number, cell): (usize, &Cell)| -> Vec<Moment> {
            let id = number as u32;
            // What ails an end now may have ailed it while it was dialled.
            let ends = [&cell.source, &cell.destination];
            let ailment = ends.into_iter().find_map(|end| ailments.get(end)).cloned();
            match ailment.or_else(|| why.remove(&id)) {
                Some(why) => vec![Moment { at: over, seen: Observation::broken(why) }],
                None => seen.remove(&id).unwrap_or_default(),
            }
        };
        let mut held: Vec<Vec<Moment>> = cells.iter().enumerate().map(moments).collect();
        let tried = held.split_off(watch.held.len());
        let is_new = |end: &Endpoint| end.as_pod().is_some_and(|pod| coming.contains(pod));
        let unseen = watch.tried.iter().enumerate().filter(|(number, cell)| {
            is_new(&cell.source) && !from_start.contains(&((watch.held.len() + number) as u32))
        });
        let unseen = unseen.map(|(number, _)| (number, EGRESS.to_owned()));
        let behind =
            behind.into_iter().map(|id| (id as usize - watch.held.len(), BEHIND.to_owned()));
        let unseen = unseen.chain(behind).collect();
        let remarks = watch.tried.iter().any(|cell| is_new(&cell.destination));
        let remarks = remarks.then(|| INGRESS.to_owned()).into_iter().collect();
        let topology = self.topology()?;
        Ok(Timeline { topology, asked, accepted, held, tried, blur, unseen, remarks })
    }

    /// What can be said of a cell before its pods have come.
    fn ahead(
        &self,
        id: u32,
        cell: &Cell,
        coming: &BTreeSet<PodName>,
    ) -> Result<Ahead, ClusterError> {
        let lost = || ClusterError::Lost("it was torn down".to_owned());
        let slot = self.slot.as_ref().ok_or_else(lost)?;
        let Some(pod) = cell.destination.as_pod().filter(|_| exposure(cell.via).is_none()) else {
            return Ok(Ahead::Later);
        };
        let expect = pod_object::identity(pod, &slot.naming);
        if coming.contains(pod) {
            return Ok(Ahead::Waits(Waiting { id, cell: cell.clone(), pod: pod.clone(), expect }));
        }
        let placed = slot.pods.get(pod);
        Ok(match placed.and_then(|placed| target(cell, &placed.addresses)) {
            Some(target) => Ahead::Tried(planned(cell, target, expect)),
            None => Ahead::Later,
        })
    }

    fn scout(
        &self,
        vigil: &Vigil,
        coming: &BTreeSet<PodName>,
        waiting: Vec<Waiting>,
    ) -> Result<Scout, ClusterError> {
        let lost = || ClusterError::Lost("it was torn down".to_owned());
        let slot = self.slot.as_ref().ok_or_else(lost)?;
        let coming = coming.iter().map(|pod| {
            let key = slot.key(pod);
            let old = slot.site.pods.look(|pods| pods.get(&key)?.metadata.uid.clone());
            (key, (pod.clone(), old))
        });
        let (site, vigil, coming) = (Arc::clone(&slot.site), vigil.clone(), coming.collect());
        Ok(Scout { site, vigil, coming, waiting })
    }

    /// Tries what waited for pods and is not tried yet, when all of them are there. Returns the
    /// numbers of what is tried only now.
    fn follow(
        &mut self,
        vigil: &Vigil,
        cells: &[Cell],
        late: &[u32],
        why: &mut BTreeMap<u32, String>,
    ) -> Result<Vec<u32>, ClusterError> {
        let late: Vec<u32> = late.iter().copied().filter(|id| !vigil.tries(*id)).collect();
        let cells: Vec<Cell> = late.iter().map(|id| cells[*id as usize].clone()).collect();
        vigil.allow(&self.own_addresses()?);
        let mut more = Vec::new();
        for (id, planned) in late.into_iter().zip(self.plan(&cells)?) {
            match planned {
                Ok(planned) => more.push((id, planned)),
                Err(reason) => drop(why.insert(id, reason)),
            }
        }
        let behind = more.iter().map(|(id, _)| *id).collect();
        vigil.also(more);
        Ok(behind)
    }
}

/// That what comes to a new pod first is not seen.
const INGRESS: &str = "what comes to a new pod is tried from the moment at which the API shows its address: what comes before, to an address that nobody was told of, is not seen";

/// Why it is not known what a new pod could send first.
const EGRESS: &str = "its pod was not seen from the first moment of its first process on, but since it answered: what it could send before is not known";

/// That the changes were over before something was tried.
const BEHIND: &str =
    "it was tried only when the changes had been made: where to was not known before";

/// An error of changes of which some may have been made.
fn begun(error: ClusterError) -> ClusterError {
    match error {
        ClusterError::Unsupported(why) => ClusterError::Other(anyhow!(why)),
        other => other,
    }
}

enum Ahead {
    /// Its destination is there: it is tried as soon as its source's agent answers.
    Tried(Planned),
    /// Its destination comes.
    Waits(Waiting),
    /// It is tried when the changes are made.
    Later,
}

impl Scout {
    /// Has agents try what comes to new pods, as soon as the API shows where they are. Never
    /// returns: who makes the changes ends it.
    async fn run(mut self) {
        while !self.coming.is_empty() && !self.waiting.is_empty() {
            let found = match self.find().await {
                Ok(found) => found,
                // Where nothing came in so long, it may still.
                Err(ClusterError::Deadline { .. }) => continue,
                // What is made of the changes tells of it.
                Err(_) => break,
            };
            for (key, addresses) in found {
                let Some((pod, _)) = self.coming.remove(&key) else { continue };
                self.vigil.allow(&addresses);
                let (there, rest) =
                    std::mem::take(&mut self.waiting).into_iter().partition(|it| it.pod == pod);
                self.waiting = rest;
                let there: Vec<Waiting> = there;
                let planned = there.into_iter().filter_map(|wait| {
                    let target = target(&wait.cell, &addresses)?;
                    Some((wait.id, planned(&wait.cell, target, wait.expect)))
                });
                self.vigil.also(planned.collect());
            }
        }
        std::future::pending().await
    }

    /// Waits for pods that have come, with their addresses. Those in their nodes' networks
    /// have none of their own.
    async fn find(&self) -> Result<Vec<(Key, Vec<IpAddr>)>, ClusterError> {
        let what = || "an address of a pod that comes".to_owned();
        self.site
            .pods
            .until(what, SCOUTING, |pods| {
                let found = self.coming.iter().filter_map(|(key, (_, old))| {
                    let pod = pods.get(key).filter(|pod| pod.metadata.uid != *old)?;
                    let on_node = pod.spec.as_ref().and_then(|spec| spec.host_network);
                    let addresses = addresses(pod);
                    let known = !addresses.is_empty() && on_node != Some(true);
                    known.then(|| (key.clone(), addresses))
                });
                let found: Vec<_> = found.collect();
                (!found.is_empty()).then_some(Ok(found))
            })
            .await
    }
}

fn comes(change: &Change) -> Option<PodName> {
    match change {
        Change::AddPod(pod) => Some(pod.name.clone()),
        _ => None,
    }
}

/// Whether an end of a cell comes with the changes.
fn awaits(cell: &Cell, coming: &BTreeSet<PodName>) -> bool {
    let is = |end: &Endpoint| end.as_pod().is_some_and(|pod| coming.contains(pod));
    is(&cell.source) || is(&cell.destination)
}

fn target(cell: &Cell, addresses: &[IpAddr]) -> Option<SocketAddr> {
    let of = addresses.iter().copied().find(|address| Family::of(*address) == cell.family)?;
    Some(SocketAddr::new(of, cell.port))
}

fn planned(cell: &Cell, target: SocketAddr, expect: String) -> Planned {
    Planned {
        source: cell.source.clone(),
        destination: cell.destination.clone(),
        protocol: cell.protocol,
        target,
        expect,
    }
}
