//! Agents that run before any scenario does: they show that the image starts, that
//! sessions work, and what pods of this cluster can do.

use std::collections::BTreeSet;

use ringfence_probe::wire::Sctp;

use super::objects::{Agent, Level};
use super::secret;
use super::site::Site;
use super::slot::{Slot, Wanted};
use crate::cluster::ClusterError;
use crate::model::{Endpoint, Family, Labels, Name, Namespace, Origin, Pod, PodName};

/// Their namespace.
const NAMESPACE: &str = "ringfence-canary";

/// On how many nodes they run at most.
const MOST: usize = 4;

/// What they show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// The families of pods' addresses.
    pub(super) families: BTreeSet<Family>,
    /// How SCTP can be spoken on all of these nodes alike; `None` where they differ.
    pub(super) sctp: Option<Sctp>,
}

/// How many there are.
pub(super) fn count(site: &Site) -> usize {
    site.nodes.len().min(MOST)
}

/// Starts them in a slot, which may then be used by scenarios.
pub(super) async fn look(slot: &mut Slot) -> Result<Seen, ClusterError> {
    let origin = Origin::synthetic("canary");
    let namespace = Namespace::new(NAMESPACE, Labels::new(), origin.clone());
    slot.raise_namespaces(&[(namespace, Level::Restricted)]).await?;
    let nodes: Vec<Name> =
        slot.site.nodes.iter().take(count(&slot.site)).map(|node| node.name.clone()).collect();
    let options = &slot.site.options;
    let secrets = options.pull_secret.iter().map(|_| secret::NAME.to_owned());
    let agent = Agent {
        image: options.image.clone(),
        pull_policy: Some(options.pull_policy.as_str().to_owned()),
        pull_secrets: secrets.collect(),
        net_raw: false,
    };
    let wanted: Vec<Wanted> = nodes
        .into_iter()
        .enumerate()
        .map(|(index, node)| {
            let name = PodName::new(NAMESPACE, &format!("canary-{index}"));
            let pod = Pod { node: Some(node), ..Pod::new(name.clone(), origin.clone()) };
            Wanted { pod, agent: agent.clone(), endpoint: Endpoint::Pod(name) }
        })
        .collect();
    let endpoints: Vec<Endpoint> = wanted.iter().map(|wanted| wanted.endpoint.clone()).collect();
    slot.raise_pods(wanted).await?;
    let addresses = slot.pods.values().flat_map(|placed| &placed.addresses);
    let families = addresses.map(|address| Family::of(*address)).collect();
    let mut sctp = endpoints.iter().map(|endpoint| slot.agents.sctp(endpoint));
    let first = sctp.next().flatten();
    let sctp = first.filter(|first| sctp.all(|other| other == Some(*first)));
    Ok(Seen { families, sctp })
}
