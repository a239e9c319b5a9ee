//! Where pods are: what the API says of their addresses, and what their agents do.
//!
//! A pod whose sandbox is remade keeps its name and identity and gets another network. The API
//! tells of it late, the agent at once; so both are asked, and until they agree nothing is known.

use std::net::IpAddr;

use futures_util::TryStreamExt;
use futures_util::stream::FuturesUnordered;
use ringfence_probe::wire::Whereabouts;
use tokio::time::Instant;

use super::slot::Slot;
use super::start::addresses;
use crate::cluster::ClusterError;
use crate::model::PodName;

impl Slot {
    /// Waits until new pods' agents say that they have the addresses which the API shows of
    /// their pods, and holds them to that.
    pub(super) async fn locate(
        &mut self,
        names: &[PodName],
        end: Instant,
    ) -> Result<(), ClusterError> {
        let located: FuturesUnordered<_> =
            names.iter().map(|name| self.located(name, end)).collect();
        let located: Vec<_> = located.try_collect().await?;
        for (name, addresses) in located.into_iter().flatten() {
            let Some(placed) = self.pods.get_mut(&name) else { continue };
            let mut own = addresses.clone();
            if placed.wanted.pod.host_network {
                // A node's address need not be on one of its interfaces: a cloud may translate it.
                let said = self.agents.whereabouts(&placed.endpoint);
                own.retain(|address| said.addresses.contains(address));
            }
            placed.addresses = addresses;
            self.agents.place(&placed.endpoint, own);
        }
        Ok(())
    }

    async fn located(
        &self,
        name: &PodName,
        end: Instant,
    ) -> Result<Option<(PodName, Vec<IpAddr>)>, ClusterError> {
        let Some(placed) = self.pods.get(name) else { return Ok(None) };
        let (key, on_node) = (self.key(name), placed.wanted.pod.host_network);
        loop {
            let said = self.agents.whereabouts(&placed.endpoint);
            let what = || {
                let shown = self.site.pods.look(|pods| pods.get(&key).map(addresses));
                format!(
                    "the pod `{name}` to have the same addresses by the API, which says {}, and \
                     by its agent, which says {}",
                    listed(&shown.unwrap_or_default()),
                    words(&said),
                )
            };
            let left = end.saturating_duration_since(Instant::now()).max(self.site.call_deadline());
            let agree = self.site.pods.until(what, left, |pods| {
                let pod =
                    pods.get(&key).filter(|pod| pod.metadata.uid.as_ref() == Some(&placed.uid));
                let shown = addresses(pod?);
                let has = |address: &IpAddr| on_node || said.addresses.contains(address);
                (!shown.is_empty() && shown.iter().all(has)).then_some(Ok(shown))
            });
            tokio::select! {
                agree = agree => return Ok(Some((name.clone(), agree?))),
                () = self.agents.moved(&placed.endpoint, &said) => {}
            }
        }
    }
}

fn words(said: &Whereabouts) -> String {
    said.unseen.clone().unwrap_or_else(|| listed(&said.addresses))
}

fn listed(addresses: &[IpAddr]) -> String {
    let words: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(" and ") }
}
